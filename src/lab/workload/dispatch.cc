#include "lab/workload/dispatch.h"

#include <fmt/format.h>

#include <iterator>

#include "lab/workload/json_text.h"
#include "lab/workload/order.h"

namespace supyo::workload {
namespace {

constexpr std::string_view kKinds[] = {"REQUESTED", "REDISPATCHED", "CANCELLED"};
constexpr std::size_t kOpen = 200;

void append_event(const DispatchEvent& e, std::string& out) {
  out += "{\"event_id\":";
  append_number(static_cast<std::int64_t>(e.event_id), out);
  out += ",\"order_id\":";
  append_number(static_cast<std::int64_t>(e.order), out);
  out += ",\"kind\":\"";
  out += kKinds[static_cast<std::size_t>(e.kind)];
  out += "\",\"region\":\"";
  out += region_name(e.region);
  out += "\",\"rider_id\":";
  if (e.rider == 0) out += "null";
  else append_number(static_cast<std::int64_t>(e.rider), out);
}

}  // namespace

void DispatchGenerator::make(DispatchEvent& e) {
  const std::uint64_t draw = draws_.below(100);
  e.rider = 1 + draws_.below(options_.keys);
  if (open_.empty() || draw < 70) {
    e.order = ++orders_;
    e.region = draw_region(draws_);
    if (open_.size() == kOpen) open_.erase(open_.begin());
    open_.push_back({e.order, e.region});
    return;
  }
  const std::size_t i = draws_.below(open_.size());
  e.order = open_[i].order;
  e.region = open_[i].region;
  if (draw < 90) {
    e.kind = DispatchKind::kRedispatched;
    return;
  }
  e.kind = DispatchKind::kCancelled;
  e.rider = 0;
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
}

void DispatchGenerator::write(const DispatchEvent& e, GeneratedRecord& record) const {
  append_number(static_cast<std::int64_t>(e.order), record.key);
  append_event(e, record.value);
  append_times(e.event_us, e.ingest_us, record.value);
}

void DispatchGenerator::arrived(const DispatchEvent& e) { distinct_.try_emplace({e.order, e.event_id}, e); }

std::string DispatchGenerator::truth() const {
  std::string out;
  for (const auto& [key, e] : distinct_) {
    fmt::format_to(std::back_inserter(out), R"({{"order_id":{},"event_id":{},"kind":"{}","region":"{}","rider_id":{},"event_time":")", e.order, e.event_id, kKinds[static_cast<std::size_t>(e.kind)],
                   region_name(e.region), e.rider == 0 ? "null" : fmt::format_int(e.rider).str());
    append_result_time(e.event_us, out);
    out += "\"}\n";
  }
  return out;
}

}  // namespace supyo::workload
