#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/strong.h"

namespace supyo {

/// Which kinds of row an operator emits or a sink takes.
enum class ChangelogMode : std::uint8_t {
  kAppend,   ///< +I only
  kUpsert,   ///< +I +U -D, keyed: the last row of a key wins
  kRetract,  ///< +I -U +U -D: every change takes the old row back first
};
std::string_view changelog_mode_text(ChangelogMode m);  ///< "[I]", "[I,UA,D]", "[I,UB,UA,D]" as Flink's EXPLAIN CHANGELOG_MODE

/// What a sink (or a whole job) promises, weakest last.
enum class DeliveryGuarantee : std::uint8_t { kExactlyOnce, kEffectivelyOnce, kAtLeastOnce, kNone };
std::string_view delivery_guarantee_text(DeliveryGuarantee g);

/// A TUMBLE, HOP, CUMULATE or SESSION window over a time attribute.
struct WindowSpec {
  enum class Kind : std::uint8_t { kTumble, kHop, kCumulate, kSession } kind = Kind::kTumble;
  DurationUs size_us = 0;
  DurationUs slide_us = 0;   ///< HOP slide, CUMULATE step
  DurationUs offset_us = 0;
  DurationUs gap_us = 0;     ///< SESSION
  bool operator==(const WindowSpec&) const = default;
};

/// When a window's result is given out besides once, at its end: `table.exec.emit.*`.
struct WindowEmit {
  DurationUs lateness_us = 0;               ///< rows behind the watermark by less than this fire their window again
  std::optional<DurationUs> early_us = {};  ///< before the end, this long after a row came; 0 = at once
  DurationUs late_us = 0;                   ///< the same after it
  bool operator==(const WindowEmit&) const = default;
};

/// Event time stays in milliseconds' grain, as Flink's: a window [start, end) is complete when the watermark reaches end - 1 ms.
inline constexpr DurationUs kWindowGrain = kMillisecond;

}  // namespace supyo
