#pragma once
#include <string>
#include <vector>

#include "data/types/zone.h"
#include "engine/dataflow/operator.h"
#include "sql/expr/expr.h"

namespace supyo::operators {

/// Joins two append-only streams (input 0: left, 1: right) whose row times lie near each other: left - right within [lower_us, upper_us], equal keys, and a
/// condition over both; Flink's interval join in event time. Output: the left columns, then the right ones, inserts only. A row is kept until the watermark says
/// that none can come which it could be joined with; an outer join gives it with nulls then, when it never had a partner.
///
/// Lateness follows each row's edge watermark E, whatever the order in which the two sides come: a left row at time t and a right row at s meet when both came
/// before the other side's reach was over (E of the left < s + upper, E of the right < t - lower). A row that can meet nothing any more goes to `T$late` (columns of
/// both sides, the other one's null), or stands alone when its side is kept. A null in a key never equals anything. No keys: run it on one shard.
///
/// Output rows may be as much older than the watermark as a row is kept, so the watermark of the output is held back by output_watermark().
struct IntervalJoinSpec {
  Schema left, right;
  std::vector<std::size_t> left_keys, right_keys;   ///< of equal types, pairwise
  std::size_t left_time = 0, right_time = 0;
  DurationUs lower_us = 0, upper_us = 0;            ///< of left time - right time; inclusive
  bool keep_left = false, keep_right = false;       ///< LEFT, RIGHT, FULL
  expr::ExprPtr condition;                          ///< over left then right columns; null: none
  bool origins = false;
  Zone zone = {};
  std::string label = "IntervalJoin";
};
Schema output_schema(const IntervalJoinSpec& spec);
dataflow::OperatorFactory make_interval_join(IntervalJoinSpec spec);

}  // namespace supyo::operators
