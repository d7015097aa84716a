#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "sql/plan/logical.h"

/// Joins whose condition bounds how far apart the times of partners are: what is kept for them is bounded, too.
namespace supyo::plan {

/// What a comparison says of (a time of the left side) - (a time of the right side), both in whole milliseconds, each plus or minus a constant interval of days to seconds.
struct TimeBound {
  std::size_t left = 0, right = 0;
  std::optional<DurationUs> lower, upper;
};
/// Which of the joined columns count as times; they have at most three digits.
using TimeColumns = std::function<bool(std::size_t)>;
/// `width`: columns of the left side.
std::optional<TimeBound> time_bound_of(const expr::ExprPtr& conjunct, std::size_t width, const TimeColumns& counts);

/// The bounds that the condition's conjuncts set to (a row time of `left`) - (a row time of `right`), the tightest of them; absent unless both are set.
/// Seen are comparisons of row times, each plus or minus a constant interval of days to seconds, either way round.
std::optional<TimeBounds> find_time_bounds(const LogicalNode& left, const LogicalNode& right, const std::vector<expr::ExprPtr>& condition);

/// The window that both rows must lie in: the condition equates window_start and window_end of windows that are cut alike.
std::optional<SameWindow> find_same_window(const LogicalNode& left, const LogicalNode& right, const std::vector<expr::ExprPtr>& condition);
/// Whether the condition equates window_start and window_end of windows that are cut in different ways, which Flink does not join.
bool equates_different_windows(const LogicalNode& left, const LogicalNode& right, const std::vector<expr::ExprPtr>& condition);

/// Whether the conjunct says no more than `bounds` do. An equation is kept: it is a key.
bool is_within(const expr::ExprPtr& conjunct, const TimeBounds& bounds, const LogicalNode& left, const LogicalNode& right);

/// A join's condition: equations between what reads one side each, and the rest. What its time bounds say is in neither.
struct JoinParts {
  std::vector<expr::ExprPtr> left_keys, right_keys;   ///< over the columns of either side
  std::vector<expr::ExprPtr> rest;                    ///< over both sides'
};
JoinParts parts_of(const LogicalJoin& join, const LogicalNode& left, const LogicalNode& right);
/// Whether the equations of a temporal join name all of the right side's key.
bool covers_key(const LogicalJoin& join, const LogicalNode& left, const LogicalNode& right);
/// The operator of the join's kind, with the regular join's keys and condition.
std::variant<Join, IntervalJoin, WindowJoin, TemporalJoin> operator_of(const LogicalJoin& join, Join op);

/// WHERE over inner joins: what makes a join one in time becomes part of its condition (FROM a, b WHERE a.k = b.k AND a.ts BETWEEN b.ts AND ..), since from it
/// follow time attributes; the rest is a filter above. No mere rewriting: it is done whatever the rules.
LogicalPtr filter_joins(LogicalPtr node, const expr::ExprPtr& predicate, const SourcePosition& position);

/// Compares processing times of both sides, as an interval join would.
bool bounds_processing_time(const LogicalJoin& join, const LogicalNode& left, const LogicalNode& right);

/// The columns of both sides of a join, under names that differ; those of a side that may be absent can be null.
Schema pairs_of(const Schema& left, const Schema& right, bool keep_left, bool keep_right);

}  // namespace supyo::plan
