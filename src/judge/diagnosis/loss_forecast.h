#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/strong.h"
#include "judge/diagnosis/time_marks.h"
#include "judge/diagnosis/trail.h"

namespace supyo::diagnosis {

/// What of a topic's and its broker's settings decides when records are deleted. Kafka's names; -1: never, as there.
struct Retention {
  bool known = false;                          ///< the settings could be read; else only the log start's own moves say anything
  bool deletes = true;                         ///< cleanup.policy has "delete"
  bool compacts = false;                       ///< cleanup.policy has "compact": offsets are not records
  std::int64_t retention_ms = 7LL * 86'400'000;
  std::int64_t retention_bytes = -1;
  std::int64_t segment_bytes = 1LL << 30;
  std::int64_t segment_ms = 7LL * 86'400'000;
  std::int64_t check_interval_ms = 300'000;    ///< the broker's log.retention.check.interval.ms
};

/// When the first unread record will be deleted. `low`: not before; `mid`: what is expected; `high`: not after (absent: perhaps never). Moments, in the brokers' time.
struct LossEstimate {
  TimeUs low = 0;
  std::optional<TimeUs> mid = {}, high = {};
};

enum class LossCause : std::uint8_t { kNone, kTimeExpiry, kSizeExpiry, kLogStartMoves };
std::string_view loss_cause_name(LossCause cause);   ///< "retention.ms", "retention.bytes", "log start moves"

enum class LossState : std::uint8_t {
  kUnknown,     ///< too little is known to say: `why`; what `moving` has then is by what is known alone
  kNone,        ///< nothing will be lost at these rates; what `moving` has then is what their uncertainty allows
  kComing,      ///< `moving` says when
  kExposed,     ///< records that were not read are already deleted: the loss is there when the group reads on
};
std::string_view loss_state_name(LossState state);   ///< "unknown", "none", "coming", "exposed"

struct LossForecast {
  LossState state = LossState::kUnknown;
  LossCause cause = LossCause::kNone;
  std::optional<LossEstimate> moving = {};    ///< at the measured rates
  std::optional<LossEstimate> stopped = {};   ///< if the consumer stays stopped (reads nothing from now on)
  LossCause stopped_cause = LossCause::kNone;
  std::int64_t exposed = 0;                   ///< offsets deleted and not committed, now
  double append_rate = 0, read_rate = 0;      ///< records a second that the forecast used
  std::int64_t segment_end = -1;              ///< where the segment of the first unread record is expected to end: a timestamp there is worth asking for; -1: not known
  bool exact_offsets = true;                  ///< an offset is a record (not compacted)
  std::string why = {};                       ///< kUnknown: what is missing

  /// True when the loss is there, or may come (by the lower bound) within `horizon` of `now`.
  bool warns(TimeUs now, DurationUs horizon) const;
};

/// What is known of one group in one partition. `marks` in order of offsets; more of them, closer to `committed`, make tighter bounds. `pass_at`: a moment at which the broker
/// is known to have made a deletion pass (they come in a fixed rhythm; the log start's moves of any partition that it leads tell), absent: the trail's own moves are used.
struct LossQuestion {
  const Trail& trail;
  Retention retention = {};
  std::vector<TimeMark> marks = {};
  std::optional<TimeUs> pass_at = {};
};

/// Time to data loss by Kafka's rules of deletion: whole segments, the oldest first, at a pass every `check_interval_ms`; by time when the largest timestamp of the segment is
/// older than retention.ms, by size while what lies behind the segment is at least retention.bytes. From outside the borders of segments are not told: the bounds take the
/// record as the last of its segment (low) and as the first of a full one (high); the expected border is counted in segments from the log start, which is one.
/// Where the settings do not explain the log start's moves (not known, or somebody deletes records), the log start's own rate is used.
LossForecast forecast_loss(const LossQuestion& question);

/// The soonest of several partitions by (state, lower bound): the limiting one. Null of none.
const LossForecast* limiting(const std::vector<LossForecast>& forecasts);

}  // namespace supyo::diagnosis
