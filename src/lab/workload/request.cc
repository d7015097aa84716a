#include "lab/workload/request.h"

#include <fmt/format.h>

#include <iterator>

#include "data/types/value.h"
#include "lab/workload/json_text.h"

namespace supyo::workload {
namespace {

constexpr DurationUs kBlock = 15 * kMinute, kWindow = 5 * kMinute, kSlide = kMinute;
constexpr std::int64_t kFewest = 20, kPercent = 5;

}  // namespace

bool RequestGenerator::burst(TimeUs event_us) const {
  const TimeUs since = event_us - options_.start_us;
  if (since < 0) return false;
  Draws block(hash_u64(options_.seed) ^ static_cast<std::uint64_t>(since / kBlock));
  const auto from = static_cast<DurationUs>(block.below(10 * kMinute)), length = static_cast<DurationUs>(2 * kMinute + block.below(2 * kMinute));
  return since % kBlock >= from && since % kBlock < from + length;
}

void RequestGenerator::make(Request& r) {
  r.status = draws_.chance(burst(r.event_us) ? 0.3 : 0.005) ? 500 : 200;
  r.duration_ms = static_cast<std::int64_t>(5 + draws_.below(60)) * (r.status == 500 ? 20 : 1);
}

void RequestGenerator::write(const Request& r, GeneratedRecord& record) const {
  const auto id = static_cast<std::int64_t>(r.event_id);
  append_number(id, record.key);
  std::string& out = record.value;
  out += "{\"event_id\":";
  append_number(id, out);
  out += ",\"service\":\"order-api\",\"status\":";
  append_number(r.status, out);
  out += ",\"duration_ms\":";
  append_number(r.duration_ms, out);
  append_times(r.event_us, r.ingest_us, out);
}

void RequestGenerator::arrived(const Request& r) {
  const TimeUs watermark = watermark_.arrive(r.event_us, *truth_bound_us_), last = window_start(r.event_us, kSlide);
  for (TimeUs start = last; start > last - kWindow; start -= kSlide) {
    if (window_is_over(start + kWindow, watermark)) break;
    auto& [calls, errors] = windows_[start];
    ++calls;
    errors += r.status >= 500 ? 1 : 0;
  }
}

std::string RequestGenerator::truth() const {
  std::string out;
  for (const auto& [start, counts] : windows_) {
    const auto [calls, errors] = counts;
    if (calls < kFewest || errors * 100 < kPercent * calls) continue;
    fmt::format_to(std::back_inserter(out), "{{\"window_start\":\"{}\",\"window_end\":\"{}\",\"calls\":{},\"errors\":{}}}\n", format_timestamp(start, 3), format_timestamp(start + kWindow, 3), calls, errors);
  }
  return out;
}

}  // namespace supyo::workload
