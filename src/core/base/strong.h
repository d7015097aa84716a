#pragma once
#include <compare>
#include <cstdint>
#include <functional>
#include <limits>

namespace supyo {

/// An integer with a meaning of its own, so that two of them cannot be swapped. `value` is public: this is a label, not a wall.
template <class Tag, class Rep = std::int64_t>
struct Strong {
  Rep value = 0;
  constexpr Strong() = default;
  constexpr explicit Strong(Rep v) : value(v) {}
  constexpr auto operator<=>(const Strong&) const = default;
};

using Offset = Strong<struct OffsetTag>;               ///< position of a record in one log partition
using Epoch = Strong<struct EpochTag>;                 ///< number of an epoch (checkpoint) of one job, from 1
using PartitionId = Strong<struct PartitionTag, std::int32_t>;

/// Microseconds since 1970-01-01 UTC: event time, produce time, watermarks, wall clock. SQL timestamps use the same unit.
using TimeUs = std::int64_t;
/// A length of time in microseconds.
using DurationUs = std::int64_t;

inline constexpr TimeUs kTimeMin = std::numeric_limits<TimeUs>::min();  ///< "no watermark yet"
inline constexpr TimeUs kTimeMax = std::numeric_limits<TimeUs>::max();  ///< "no more rows will come"
inline constexpr DurationUs kMillisecond = 1'000;
inline constexpr DurationUs kSecond = 1'000'000;
inline constexpr DurationUs kMinute = 60 * kSecond;
inline constexpr DurationUs kHour = 60 * kMinute;
inline constexpr DurationUs kDay = 24 * kHour;

}  // namespace supyo

template <class Tag, class Rep>
struct std::hash<supyo::Strong<Tag, Rep>> {
  std::size_t operator()(const supyo::Strong<Tag, Rep>& s) const noexcept { return std::hash<Rep>{}(s.value); }
};
