#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "lab/workload/generator.h"

namespace supyo::workload {

enum class ChangeKind : std::uint8_t { kPrice, kStock, kStatus, kCategory };
std::string_view change_kind_name(ChangeKind k);

/// One change of one product. `price` and `stock` are the values after the change, whatever kind it is.
struct ProductChange {
  std::uint64_t event_id = 0;
  ChangeKind kind = ChangeKind::kPrice;
  std::uint32_t product = 0;
  std::int64_t old_value = 0;   ///< price, stock, or an index of a status or a category
  std::int64_t new_value = 0;
  std::int64_t price = 0;
  std::int64_t stock = 0;
  TimeUs event_us = 0;          ///< whole milliseconds; no two changes of one product share one
  TimeUs ingest_us = 0;         ///< whole milliseconds; when the producer sends it
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

/// Changes in event order, each delayed by at most `disorder` (or more, where late), given out in the order of sending.
class ProductGenerator final : public Generator {
 public:
  explicit ProductGenerator(const GeneratorOptions& options);
  bool next(GeneratedRecord& record) override;
  void set_rate(double tps, TimeUs from_us) override;
  void track_truth(DurationUs bound_us) override { truth_ = std::make_unique<ProductTruth>(bound_us); }
  std::string truth() const override { return truth_ ? truth_->json_lines() : std::string(); }
  /// As next(), before it is made JSON.
  std::optional<ProductChange> next_change();
  std::uint64_t copies() const { return copies_; }

 private:
  struct Product {
    std::int64_t price = 0, stock = 0, status = 0, category = 0;
    TimeUs last_event_us = kTimeMin;
  };
  struct Later {
    bool operator()(const ProductChange& a, const ProductChange& b) const {
      return a.ingest_us != b.ingest_us ? a.ingest_us > b.ingest_us : a.event_id > b.event_id;
    }
  };
  std::uint64_t random();
  std::uint64_t below(std::uint64_t n) { return random() % n; }
  bool chance(double share);
  DurationUs delay();
  void make_change();
  TimeUs event_time(std::uint64_t i) const;

  GeneratorOptions options_;
  std::uint64_t state_;
  TimeUs rate_since_us_;            ///< event time of change `rate_since_`; those after it follow at options_.tps
  std::uint64_t rate_since_ = 0;
  std::uint64_t made_ = 0, copies_ = 0, sent_ = 0;
  std::vector<Product> products_;
  std::priority_queue<ProductChange, std::vector<ProductChange>, Later> waiting_;
  std::deque<ProductChange> recent_, again_;
  TimeUs last_sent_us_ = kTimeMin;
  std::unique_ptr<ProductTruth> truth_;
};

}  // namespace supyo::workload
