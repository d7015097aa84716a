#include "lab/workload/product.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/types/value.h"
#include "lab/workload/json_text.h"

namespace supyo::workload {
namespace {

constexpr std::string_view kStatus[] = {"ON_SALE", "SOLD_OUT", "PAUSED", "ENDED"};
constexpr std::string_view kCategory[] = {"fashion", "food", "home", "beauty", "digital", "sports", "books", "toys"};
void append_value(ChangeKind kind, std::int64_t v, std::string& out) {
  switch (kind) {
    case ChangeKind::kStatus: out += kStatus[v]; break;
    case ChangeKind::kCategory: out += kCategory[v]; break;
    default: append_number(v, out);
  }
}

void append_key(std::uint32_t product, std::string& out) {
  out += "P-";
  append_digits(product, 6, out);
}

}  // namespace

std::string_view change_kind_name(ChangeKind k) {
  switch (k) {
    case ChangeKind::kPrice: return "price";
    case ChangeKind::kStock: return "stock";
    case ChangeKind::kStatus: return "status";
    case ChangeKind::kCategory: return "category";
  }
  return "?";
}

std::string product_key(std::uint32_t product) { return fmt::format("P-{:06}", product); }

void append_json(const ProductChange& c, std::string& out) {
  out += "{\"event_id\":";
  append_number(static_cast<std::int64_t>(c.event_id), out);
  out += ",\"kind\":\"";
  out += change_kind_name(c.kind);
  out += "\",\"product_id\":\"";
  append_key(c.product, out);
  out += "\",\"old_value\":\"";
  append_value(c.kind, c.old_value, out);
  out += "\",\"new_value\":\"";
  append_value(c.kind, c.new_value, out);
  out += "\",\"price\":";
  append_number(c.price, out);
  out += ",\"stock\":";
  append_number(c.stock, out);
  append_times(c.event_us, c.ingest_us, out);
}

void ProductTruth::arrive(const ProductChange& change) {
  // Flink SQL's `event_time - INTERVAL ..`: the watermark is the newest event time minus the bound, and OVER takes no row at or below it.
  const bool late = newest_us_ != kTimeMin && change.event_us <= newest_us_ - bound_us_;
  newest_us_ = std::max(newest_us_, change.event_us);
  if (late) {
    ++late_;
    return;
  }
  rows_.push_back({change, arrivals_++});
}

std::string ProductTruth::json_lines() const {
  std::vector<Row> rows = rows_;
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(a.change.product, a.change.event_us, a.arrival) < std::tie(b.change.product, b.change.event_us, b.arrival);
  });
  std::string out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ProductChange& c = rows[i].change;
    const bool first = i == 0 || rows[i - 1].change.product != c.product;
    fmt::format_to(std::back_inserter(out), "{{\"product_id\":\"{}\",\"event_time\":\"{}\",\"event_id\":{},\"price\":{},\"stock\":{},\"previous_price\":{},\"previous_stock\":{}}}\n",
                   product_key(c.product), format_timestamp(c.event_us, 3), c.event_id, c.price, c.stock,
                   first ? "null" : fmt::to_string(rows[i - 1].change.price), first ? "null" : fmt::to_string(rows[i - 1].change.stock));
  }
  return out;
}

ProductGenerator::ProductGenerator(const GeneratorOptions& options) : Sender(options) {
  products_.resize(options.keys);
  for (Product& p : products_) {
    p.price = static_cast<std::int64_t>(1000 + draws_.below(99'000)) / 10 * 10;
    p.stock = static_cast<std::int64_t>(draws_.below(500));
    p.category = static_cast<std::int64_t>(draws_.below(std::size(kCategory)));
  }
}

void ProductGenerator::make(ProductChange& c) {
  auto product = static_cast<std::uint32_t>(draws_.below(products_.size()));
  // Two changes of one product in one millisecond would have no order: the next product takes the second.
  for (std::size_t tries = 0; products_[product].last_event_us == c.event_us && tries < products_.size(); ++tries) {
    product = static_cast<std::uint32_t>((product + 1) % products_.size());
  }
  Product& p = products_[product];
  p.last_event_us = c.event_us;
  c.product = product;
  const std::uint64_t draw = draws_.below(100);
  if (draw < 45) {
    c.kind = ChangeKind::kPrice;
    c.old_value = p.price;
    p.price = std::max<std::int64_t>(100, (p.price * static_cast<std::int64_t>(80 + draws_.below(41)) / 100) / 10 * 10);
    c.new_value = p.price;
  } else if (draw < 90) {
    c.kind = ChangeKind::kStock;
    c.old_value = p.stock;
    p.stock = std::max<std::int64_t>(0, p.stock + static_cast<std::int64_t>(draws_.below(41)) - 20);
    c.new_value = p.stock;
  } else if (draw < 97) {
    c.kind = ChangeKind::kStatus;
    c.old_value = p.status;
    p.status = static_cast<std::int64_t>((static_cast<std::uint64_t>(p.status) + 1 + draws_.below(std::size(kStatus) - 1)) % std::size(kStatus));
    c.new_value = p.status;
  } else {
    c.kind = ChangeKind::kCategory;
    c.old_value = p.category;
    p.category = static_cast<std::int64_t>((static_cast<std::uint64_t>(p.category) + 1 + draws_.below(std::size(kCategory) - 1)) % std::size(kCategory));
    c.new_value = p.category;
  }
  c.price = p.price;
  c.stock = p.stock;
}

void ProductGenerator::write(const ProductChange& c, GeneratedRecord& record) const {
  append_key(c.product, record.key);
  append_json(c, record.value);
}

void ProductGenerator::arrived(const ProductChange& c) {
  if (!truth_) truth_ = std::make_unique<ProductTruth>(*truth_bound_us_);
  truth_->arrive(c);
}

}  // namespace supyo::workload
