#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "data/types/zone.h"
#include "engine/dataflow/operator.h"
#include "engine/operators/row_ends.h"
#include "sql/expr/expr.h"

namespace supyo::operators {

/// Joins two changing tables (input 0: left, 1: right) on equal keys, and a condition over both. Keeps the rows of both sides for ever, and keeps the result
/// right as either changes, as Flink's regular join. Output: the left columns, then the right ones (null where an outer join found no partner).
///
/// Inner: a row is joined with every row of the other side that is there; what it emits has its own kind. Outer: emits only +I and -D; a row without a
/// partner stands with nulls, and that row is taken back when the first partner comes. A null in a key never equals anything. A retraction of a row that
/// is not there is ignored. No keys: everything meets everything (run it on one shard).
///
/// A side of inserts whose rows have an end (inner joins) does not keep them for ever: once the watermark has reached `column` + after_us, no row of the other side that is yet to come
/// can be its partner, so it goes, unseen, within a second of event time. Where the column is null it never had a partner.
///
/// Semi and anti joins: the left rows that have a partner, or have none; left columns only, +I and -D only. Of the right side they keep all rows as well.
struct JoinSpec {
  enum class Rows : std::uint8_t { kPairs, kSemi, kAnti };
  Schema left, right;
  std::vector<std::size_t> left_keys, right_keys;   ///< of equal types, pairwise
  bool keep_left = false, keep_right = false;       ///< LEFT, RIGHT, FULL
  expr::ExprPtr condition;                          ///< over left then right columns; null: none
  Rows rows = Rows::kPairs;                         ///< kSemi, kAnti: keep_left and keep_right are false
  bool origins = false;
  DurationUs left_ttl_us = 0, right_ttl_us = 0;     ///< how long by the clock a row lives after it was last written; 0 = for ever
  Zone zone = {};
  std::array<std::optional<RowEnds>, 2> ends = {};  ///< of left and right rows; not beside a TTL
};
Schema output_schema(const JoinSpec& spec);
dataflow::OperatorFactory make_join(JoinSpec spec);

}  // namespace supyo::operators
