#include "lab/workload/request.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "data/types/value.h"
#include "lab/workload/json_text.h"

namespace supyo::workload {
namespace {

constexpr DurationUs kWindow = 5 * kMinute, kSlide = kMinute;
constexpr std::int64_t kFewest = 20, kPercent = 5;
constexpr std::string_view kService = "order-api";

/// The burst of the k-th block of `block` after `start_us`.
RequestBurst burst_of(std::uint64_t seed, TimeUs start_us, DurationUs block, std::int64_t k) {
  const DurationUs spread = block / 15 * 10, least = block / 15 * 2;
  Draws draws(hash_u64(seed) ^ static_cast<std::uint64_t>(k));
  constexpr double kGolden = 0.6180339887498949;
  const double first = static_cast<double>(hash_u64(seed) >> 11) * 0x1.0p-53, turns = first + static_cast<double>(k) * kGolden;
  const auto phase = static_cast<DurationUs>((turns - std::floor(turns)) * static_cast<double>(spread)) / kMillisecond * kMillisecond;   // after a whole spread
  const TimeUs from = start_us + k * block + (phase + block * (k % 2)) % spread;
  return {from, from + least + static_cast<DurationUs>(draws.below(static_cast<std::uint64_t>(least)))};
}

}  // namespace

std::vector<RequestBurst> request_bursts(std::uint64_t seed, TimeUs start_us, TimeUs until_us, DurationUs every_us) {
  std::vector<RequestBurst> out;
  for (std::int64_t k = 0; start_us + k * every_us < until_us; ++k)
    if (const RequestBurst b = burst_of(seed, start_us, every_us, k); b.from_us < until_us) out.push_back(b);
  return out;
}

void RequestGenerator::make(Request& r) {
  const DurationUs block = options_.bursts_us;
  if (const std::int64_t k = (r.event_us - options_.start_us) / block; burst_.end_us == 0 || k != (burst_.from_us - options_.start_us) / block) burst_ = burst_of(options_.seed, options_.start_us, block, k);
  r.status = draws_.chance(r.event_us >= burst_.from_us && r.event_us < burst_.end_us ? 0.3 : 0.005) ? 500 : 200;
  r.duration_ms = static_cast<std::int64_t>(5 + draws_.below(60)) * (r.status == 500 ? 20 : 1);
}

void RequestGenerator::write(const Request& r, GeneratedRecord& record) const {
  const auto id = static_cast<std::int64_t>(r.event_id);
  append_number(id, record.key);
  std::string& out = record.value;
  out += "{\"event_id\":";
  append_number(id, out);
  out += ",\"service\":\"";
  out += kService;
  out += "\",\"status\":";
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
    std::string from, to;
    append_result_time(start, from);
    append_result_time(start + kWindow, to);
    fmt::format_to(std::back_inserter(out), R"({{"window_start":"{0}","window_end":"{1}","service":"{2}","calls":{3},"errors":{4},"message":"{2}: {4} of {3} calls failed until {5}"}})", from, to, kService, calls, errors,
                   to.substr(11, 5));
    out += '\n';
  }
  return out;
}

}  // namespace supyo::workload
