#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "judge/slo/decision.h"
#include "judge/slo/pending.h"
#include "judge/slo/series.h"

namespace supyo::slo {

/// Why readers wait, with the numbers it was found from and what to do about it. Rules (docs/design/judging.md): records-lost, job-silent, epochs-fail,
/// undecodable, dropped-late, and one for each stage of the waterfall: source-late, log-wait, processing-wait, watermark-wait, epoch-slow, commit-slow.
struct Cause {
  std::string rule;
  double weight = 0;        ///< record-seconds that it costs beyond what is usual; causes are ranked by it
  std::vector<std::pair<std::string, double>> numbers;  ///< by name, base units; NaN where not known
  std::string evidence;
  std::string next_step;
};

/// How it was judged at a moment: kept when the state changes, and when another cause comes first.
struct Moment {
  TimeUs t = 0;
  State state = State::kUnknown;
  std::vector<std::string> reasons;
  std::vector<Cause> causes;
};

/// A range of time, in steps: (from, to].
struct Range {
  TimeUs from_us = 0;
  TimeUs to_us = 0;
  DurationUs step_us = kSecond;
};

/// What was recorded over a range: each step by the worst of its samples (counts of records by their sum), NaN where there was none.
struct Look {
  std::vector<TimeUs> times;              ///< ends of the steps
  std::vector<Column> columns;
  std::vector<Waterfall> waterfalls;      ///< one a step, of what became visible in it; an hour back
  std::vector<TimelineEvent> events;      ///< in the range
  std::vector<Moment> moments;            ///< in the range, and the last one before it
};

/// The samples of `series` in the range, step by step.
Look fold(const Series& series, const Range& range);

}  // namespace supyo::slo
