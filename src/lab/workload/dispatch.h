#pragma once
#include <map>
#include <string>
#include <vector>

#include "lab/workload/sender.h"

namespace supyo::workload {

enum class DispatchKind : std::uint8_t { kRequested, kRedispatched, kCancelled };

/// One thing that happened to an order's dispatch. Several good events share an order; a copy has the same event_id.
struct DispatchEvent : SentEvent {
  std::uint64_t order = 0;
  DispatchKind kind = DispatchKind::kRequested;
  std::uint32_t region = 0;
  std::uint64_t rider = 0;      ///< who was asked; 0: nobody (cancelled)
};

/// Requests for a rider; two of ten are asked again of another one, one of ten is cancelled: {"event_id":1,"order_id":1,"kind":"REQUESTED","region":"Mapo","rider_id":7,"event_time":..,
/// "ingest_time":..}, where event_time is when the rider was asked. Key: the order. Truth: every event once, by order and event.
class DispatchGenerator final : public Sender<DispatchEvent> {
 public:
  explicit DispatchGenerator(const GeneratorOptions& options) : Sender(options) {}
  std::string truth() const override;

 private:
  struct Open {
    std::uint64_t order = 0;
    std::uint32_t region = 0;
  };
  void make(DispatchEvent& event) override;
  void write(const DispatchEvent& event, GeneratedRecord& record) const override;
  void arrived(const DispatchEvent& event) override;

  std::uint64_t orders_ = 0;
  std::vector<Open> open_;   // the last ones, which something may still happen to
  std::map<std::pair<std::uint64_t, std::uint64_t>, DispatchEvent> distinct_;
};

}  // namespace supyo::workload
