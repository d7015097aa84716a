#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/strong.h"

namespace supyo {

/// What an armed fault point tells the code that passes it.
struct FaultDecision {
  DurationUs delay_us = 0;  ///< wait that long on Clock (kWaitingUntil) before going on; never sleep
  bool fail = false;        ///< behave as if the outside system had refused
};

/// Named places in the code where a lab or a test can inject a fault ("iceberg.commit.before"). One instance a job, passed in.
/// Unarmed it costs one test of a pointer. Thread-safe once armed: the handler must be.
class FaultPoints {
 public:
  using Handler = std::function<FaultDecision(std::string_view point, TimeUs now_us)>;
  void arm(Handler handler) { handler_ = std::move(handler); }
  FaultDecision at(std::string_view point, TimeUs now_us) const {
    return handler_ ? handler_(point, now_us) : FaultDecision{};
  }

 private:
  Handler handler_;
};

/// A call that is made again until it is done, and that a fault at its beginning may hold up or fail: of each round the handler is asked once.
class FaultGate {
 public:
  /// Until when to wait; `now_us` or before: go on. Nothing: it fails.
  std::optional<TimeUs> wait_until(const FaultPoints& faults, std::string_view point, TimeUs now_us) {
    if (!until_) {
      const FaultDecision fault = faults.at(point, now_us);
      if (fault.fail) return std::nullopt;
      until_ = now_us + fault.delay_us;
    }
    return until_;
  }
  /// The round is over.
  void reset() { until_.reset(); }

 private:
  std::optional<TimeUs> until_;
};

/// Marks a rare state that the simulation campaign must reach; `name` is a string literal, "recover.torn_tail".
/// Counting is off unless a campaign switched it on.
void reached(const char* name);
void start_counting_reached();
/// Names reached since counting started, with their counts, as "name count" lines in name order.
std::string reached_report();

}  // namespace supyo

#define SUPYO_REACHED(name) ::supyo::reached(name)
