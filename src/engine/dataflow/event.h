#pragma once
#include <cstdint>
#include <variant>

#include "core/base/strong.h"
#include "data/types/batch.h"

namespace supyo::dataflow {

/// No row with event time <= `us` will come on this edge any more (rows that do come are late).
struct Watermark {
  TimeUs us = kTimeMin;
  auto operator<=>(const Watermark&) const = default;
};
/// The cut between `epoch` and the next one.
struct Barrier {
  Epoch epoch;
};
/// The sender is idle: leave it out of the watermark minimum until it sends anything again.
struct Idle {};
/// Nothing follows. A watermark of kTimeMax came before it when the input ended for good (drain), none on a stop.
struct EndOfInput {};
/// Every row that the sources behind this edge took at or before `us` (of the clock) has come, with all that follows from it at once. Sent where readers see rows as they are written.
struct Passed {
  TimeUs us = kTimeMin;
};

/// What flows on an edge. Order on one edge is order of processing.
using Event = std::variant<BatchPtr, Watermark, Barrier, Idle, EndOfInput, Passed>;

/// What a poll achieved, and what the poller waits for.
enum class Progress : std::uint8_t {
  kDone,             ///< finished for good
  kMore,             ///< did something; poll again at once
  kBlockedOnInput,   ///< nothing to read now
  kBlockedOnOutput,  ///< a queue is full (backpressure)
  kBlockedOnOutside, ///< an outside system has not answered yet
  kWaitingUntil,     ///< nothing to do before `until_us` (Clock::now_us)
};
struct Poll {
  Progress progress = Progress::kBlockedOnInput;
  TimeUs until_us = kTimeMax;  ///< kWaitingUntil: when to poll again at the latest

  static Poll done() { return {Progress::kDone}; }
  static Poll more() { return {Progress::kMore}; }
  static Poll blocked_on_input() { return {Progress::kBlockedOnInput}; }
  static Poll blocked_on_outside() { return {Progress::kBlockedOnOutside}; }
  static Poll waiting_until(TimeUs t) { return {Progress::kWaitingUntil, t}; }
};

}  // namespace supyo::dataflow
