#pragma once
#include <map>
#include <string>

#include "lab/workload/sender.h"
#include "lab/workload/window_truth.h"

namespace supyo::workload {

/// A call of a service that succeeded or failed.
struct Request : SentEvent {
  std::int32_t status = 200;
  std::int64_t duration_ms = 0;
};

/// Calls with 0.5 % of errors, and in every quarter of an hour a burst of 2 to 4 minutes with 30 %: {"event_id":1,"service":"order-api","status":200,"duration_ms":35,"event_time":..,
/// "ingest_time":..}; key: the event. Truth: the windows of 5 minutes, sliding by 1, in which 5 % of at least 20 calls failed, without what came when a window was over.
class RequestGenerator final : public Sender<Request> {
 public:
  explicit RequestGenerator(const GeneratorOptions& options) : Sender(options) {}
  std::string truth() const override;
  /// Whether there is a burst at this time.
  bool burst(TimeUs event_us) const;

 private:
  void make(Request& request) override;
  void write(const Request& request, GeneratedRecord& record) const override;
  void arrived(const Request& request) override;

  EdgeWatermark watermark_;
  std::map<TimeUs, std::pair<std::int64_t, std::int64_t>> windows_;   // start -> calls, errors
};

}  // namespace supyo::workload
