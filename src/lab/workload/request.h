#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lab/workload/sender.h"
#include "lab/workload/window_truth.h"

namespace supyo::workload {

/// A call of a service that succeeded or failed.
struct Request : SentEvent {
  std::int32_t status = 200;
  std::int64_t duration_ms = 0;
};

/// A time of many errors, in event time.
struct RequestBurst {
  TimeUs from_us = 0, end_us = 0;
};
/// The bursts that a generator of this seed, started at `start_us`, makes before `until_us`, in order: one in every `every_us`, of 2 to 4 fifteenths of it. They begin evenly spread over two thirds of it, counted from a whole multiple of these
/// (a fraction of the golden ratio further each time), so that what depends on when a burst begins needs few of them for its mean.
std::vector<RequestBurst> request_bursts(std::uint64_t seed, TimeUs start_us, TimeUs until_us, DurationUs every_us = 15 * kMinute);

/// Calls with 0.5 % of errors, and in every quarter of an hour (options.bursts_us) a burst of 2 to 4 minutes with 30 %: {"event_id":1,"service":"order-api","status":200,"duration_ms":35,"event_time":..,
/// "ingest_time":..}; key: the event. Truth: the windows of 5 minutes, sliding by 1, in which 5 % of at least 20 calls failed, without what came when a window was over.
class RequestGenerator final : public Sender<Request> {
 public:
  explicit RequestGenerator(const GeneratorOptions& options) : Sender(options) {}
  std::string truth() const override;
 private:
  void make(Request& request) override;
  void write(const Request& request, GeneratedRecord& record) const override;
  void arrived(const Request& request) override;

  RequestBurst burst_;   // of the quarter of an hour that the newest call is in
  EdgeWatermark watermark_;
  std::map<TimeUs, std::pair<std::int64_t, std::int64_t>> windows_;   // start -> calls, errors
};

}  // namespace supyo::workload
