#include "lab/workload/product.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/hash.h"
#include "data/types/value.h"

namespace supyo::workload {
namespace {

constexpr std::string_view kStatus[] = {"ON_SALE", "SOLD_OUT", "PAUSED", "ENDED"};
constexpr std::string_view kCategory[] = {"fashion", "food", "home", "beauty", "digital", "sports", "books", "toys"};
// A producer that restarts without knowing what was acknowledged sends its last records again.
constexpr std::uint64_t kResendEvery = 10'000;
constexpr std::size_t kResendRecords = 100;

TimeUs to_millis(TimeUs t) { return t / kMillisecond * kMillisecond; }

void append_value(ChangeKind kind, std::int64_t v, std::string& out) {
  switch (kind) {
    case ChangeKind::kStatus: out += kStatus[v]; break;
    case ChangeKind::kCategory: out += kCategory[v]; break;
    default: {
      const fmt::format_int text(v);
      out.append(text.data(), text.size());
    }
  }
}

/// `width` digits with leading zeros. The generator writes millions of records, so nothing here goes through format strings.
void append_digits(std::int64_t v, int width, std::string& out) {
  char text[20];
  for (int i = width; i > 0; --i) {
    text[i - 1] = static_cast<char>('0' + v % 10);
    v /= 10;
  }
  out.append(text, static_cast<std::size_t>(width));
}

void append_key(std::uint32_t product, std::string& out) {
  out += "P-";
  append_digits(product, 6, out);
}

/// "2026-01-01 00:00:00.123", as format_timestamp(t, 3).
void append_time(TimeUs t, std::string& out) {
  std::int64_t ms = t / kMillisecond;
  const std::int64_t day = (ms >= 0 ? ms : ms - 86'399'999) / 86'400'000;
  ms -= day * 86'400'000;
  out += format_date(static_cast<std::int32_t>(day));
  out += ' ';
  append_digits(ms / 3'600'000, 2, out);
  out += ':';
  append_digits(ms / 60'000 % 60, 2, out);
  out += ':';
  append_digits(ms / 1000 % 60, 2, out);
  out += '.';
  append_digits(ms % 1000, 3, out);
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
  const auto number = [&](std::int64_t v) {
    const fmt::format_int text(v);
    out.append(text.data(), text.size());
  };
  out += "{\"event_id\":";
  number(static_cast<std::int64_t>(c.event_id));
  out += ",\"kind\":\"";
  out += change_kind_name(c.kind);
  out += "\",\"product_id\":\"";
  append_key(c.product, out);
  out += "\",\"old_value\":\"";
  append_value(c.kind, c.old_value, out);
  out += "\",\"new_value\":\"";
  append_value(c.kind, c.new_value, out);
  out += "\",\"price\":";
  number(c.price);
  out += ",\"stock\":";
  number(c.stock);
  out += ",\"event_time\":\"";
  append_time(c.event_us, out);
  out += "\",\"ingest_time\":\"";
  append_time(c.ingest_us, out);
  out += "\"}";
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

ProductGenerator::ProductGenerator(const GeneratorOptions& options)
    : options_(options), state_(hash_u64(options.seed + 0x9e3779b97f4a7c15ULL)), rate_since_us_(options.start_us) {
  products_.resize(options_.keys);
  for (Product& p : products_) {
    p.price = static_cast<std::int64_t>(1000 + below(99'000)) / 10 * 10;
    p.stock = static_cast<std::int64_t>(below(500));
    p.category = static_cast<std::int64_t>(below(std::size(kCategory)));
  }
}

// splitmix64 (Steele, Lea, Flood 2014): one addition and a mix, the same everywhere.
std::uint64_t ProductGenerator::random() { return hash_u64(state_ += 0x9e3779b97f4a7c15ULL); }
bool ProductGenerator::chance(double share) { return share > 0 && static_cast<double>(random() >> 11) * 0x1.0p-53 < share; }

DurationUs ProductGenerator::delay() {
  if (chance(options_.late)) {
    const DurationUs most = 5 * options_.disorder_us + 10 * kSecond;
    return options_.disorder_us + kMillisecond + static_cast<DurationUs>(below(static_cast<std::uint64_t>(most)));
  }
  return options_.disorder_us == 0 ? 0 : static_cast<DurationUs>(below(static_cast<std::uint64_t>(options_.disorder_us)));
}

TimeUs ProductGenerator::event_time(std::uint64_t i) const {
  return rate_since_us_ + static_cast<TimeUs>(static_cast<double>(i - rate_since_) * 1e6 / options_.tps);
}

void ProductGenerator::set_rate(double tps, TimeUs from_us) {
  // Never before what was made: event times only go forward.
  rate_since_us_ = made_ == 0 ? from_us : std::max(from_us, event_time(made_ - 1) + kMillisecond);
  rate_since_ = made_;
  options_.tps = tps;
}

void ProductGenerator::make_change() {
  ProductChange c;
  c.event_us = to_millis(event_time(made_));
  c.event_id = ++made_;
  auto product = static_cast<std::uint32_t>(below(products_.size()));
  // Two changes of one product in one millisecond would have no order: the next product takes the second.
  for (std::size_t tries = 0; products_[product].last_event_us == c.event_us && tries < products_.size(); ++tries) {
    product = static_cast<std::uint32_t>((product + 1) % products_.size());
  }
  Product& p = products_[product];
  p.last_event_us = c.event_us;
  c.product = product;
  const std::uint64_t draw = below(100);
  if (draw < 45) {
    c.kind = ChangeKind::kPrice;
    c.old_value = p.price;
    p.price = std::max<std::int64_t>(100, (p.price * static_cast<std::int64_t>(80 + below(41)) / 100) / 10 * 10);
    c.new_value = p.price;
  } else if (draw < 90) {
    c.kind = ChangeKind::kStock;
    c.old_value = p.stock;
    p.stock = std::max<std::int64_t>(0, p.stock + static_cast<std::int64_t>(below(41)) - 20);
    c.new_value = p.stock;
  } else if (draw < 97) {
    c.kind = ChangeKind::kStatus;
    c.old_value = p.status;
    p.status = static_cast<std::int64_t>((static_cast<std::uint64_t>(p.status) + 1 + below(std::size(kStatus) - 1)) % std::size(kStatus));
    c.new_value = p.status;
  } else {
    c.kind = ChangeKind::kCategory;
    c.old_value = p.category;
    p.category = static_cast<std::int64_t>((static_cast<std::uint64_t>(p.category) + 1 + below(std::size(kCategory) - 1)) % std::size(kCategory));
    c.new_value = p.category;
  }
  c.price = p.price;
  c.stock = p.stock;
  c.ingest_us = to_millis(c.event_us + delay());
  if (chance(options_.duplicates)) {
    ProductChange copy = c;
    const DurationUs room = options_.disorder_us - (c.ingest_us - c.event_us);
    if (room > 0) copy.ingest_us = to_millis(c.ingest_us + static_cast<DurationUs>(below(static_cast<std::uint64_t>(room))));
    waiting_.push(copy);
    ++copies_;
  }
  waiting_.push(c);
}

std::optional<ProductChange> ProductGenerator::next_change() {
  if (!again_.empty()) {
    ProductChange c = again_.front();
    again_.pop_front();
    c.ingest_us = last_sent_us_;
    ++copies_;
    return c;
  }
  // A record may be sent once no later change can still be sent before it: a change is never sent before its event.
  while ((options_.count == 0 || made_ < options_.count) && (waiting_.empty() || to_millis(event_time(made_)) <= waiting_.top().ingest_us)) make_change();
  if (waiting_.empty()) return std::nullopt;
  ProductChange c = waiting_.top();
  waiting_.pop();
  last_sent_us_ = c.ingest_us;
  ++sent_;
  if (options_.resend) {
    recent_.push_back(c);
    if (recent_.size() > kResendRecords) recent_.pop_front();
    if (sent_ % kResendEvery == 0) again_ = recent_;
  }
  return c;
}

bool ProductGenerator::next(GeneratedRecord& record) {
  const auto c = next_change();
  if (!c) return false;
  if (truth_) truth_->arrive(*c);
  record.due_us = c->ingest_us;
  record.event_us = c->event_us;
  record.id = c->event_id;
  record.key.clear();
  append_key(c->product, record.key);
  record.value.clear();
  append_json(*c, record.value);
  if (options_.payload_bytes > 0) append_payload(record.value, options_.seed, c->event_id, options_.payload_bytes);
  return true;
}

}  // namespace supyo::workload
