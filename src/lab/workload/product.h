#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "lab/workload/sender.h"

namespace supyo::workload {

enum class ChangeKind : std::uint8_t { kPrice, kStock, kStatus, kCategory };
std::string_view change_kind_name(ChangeKind k);

/// One change of one product. `price` and `stock` are the values after the change, whatever kind it is.
struct ProductChange : SentEvent {   // no two changes of one product share an event time
  ChangeKind kind = ChangeKind::kPrice;
  std::uint32_t product = 0;
  std::int64_t old_value = 0;   ///< price, stock, or an index of a status or a category
  std::int64_t new_value = 0;
  std::int64_t price = 0;
  std::int64_t stock = 0;
};

/// "P-000042"
std::string product_key(std::uint32_t product);
void append_json(const ProductChange& change, std::string& out);

/// What `LAG(price)`, `LAG(stock)` OVER (PARTITION BY product ORDER BY event_time) must give: the values of the row before, in event time and then in
/// order of arrival. Rows at or behind the watermark when they arrive are late, and take no part.
class ProductTruth {
 public:
  struct Row {
    ProductChange change;
    std::uint64_t arrival = 0;
  };
  explicit ProductTruth(DurationUs bound_us) : bound_us_(bound_us) {}
  void arrive(const ProductChange& change);
  std::uint64_t late() const { return late_; }
  std::string json_lines() const;

 private:
  DurationUs bound_us_;
  TimeUs newest_us_ = kTimeMin;
  std::uint64_t arrivals_ = 0, late_ = 0;
  std::vector<Row> rows_;
};

class ProductGenerator final : public Sender<ProductChange> {
 public:
  explicit ProductGenerator(const GeneratorOptions& options);
  std::string truth() const override { return truth_ ? truth_->json_lines() : std::string(); }

 private:
  struct Product {
    std::int64_t price = 0, stock = 0, status = 0, category = 0;
    TimeUs last_event_us = kTimeMin;
  };
  void make(ProductChange& change) override;
  void write(const ProductChange& change, GeneratedRecord& record) const override;
  void arrived(const ProductChange& change) override;

  std::vector<Product> products_;
  std::unique_ptr<ProductTruth> truth_;
};

}  // namespace supyo::workload
