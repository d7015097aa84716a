#pragma once
#include <string>
#include <vector>

#include "data/types/zone.h"
#include "engine/dataflow/operator.h"
#include "sql/expr/expr.h"

namespace supyo::operators {

/// Joins each row of an append-only stream (input 0: left) with the version that a table (input 1: right, a changelog) had at the row's time; Flink's temporal join
/// in event time. A version of a key holds from its own row time until the next one's, or until it is deleted. Rows wait until the watermark says that all versions
/// up to their time are there, then leave version by version in time order. Output: the left columns, then the right ones (null where there was no version, or the condition does not
/// hold, and the left side is kept); inserts only. Kept: waiting rows, versions to come, and one version a key.
///
/// A left row behind its edge watermark is late: to `T$late` (columns of both sides, the right ones null). A version that comes behind its own watermark is never
/// lost: it holds from that watermark on, unless a younger one is there. -U rows say nothing that +U does not, and are passed over.
struct TemporalJoinSpec {
  Schema left, right;
  std::vector<std::size_t> left_keys, right_keys;   ///< of equal types, pairwise; the right ones are the table's primary key
  std::size_t left_time = 0, right_time = 0;
  bool keep_left = false;
  expr::ExprPtr condition;                          ///< over left then right columns; null: none
  bool origins = false;
  Zone zone = {};
  std::string label = "TemporalJoin";
};
Schema output_schema(const TemporalJoinSpec& spec);
dataflow::OperatorFactory make_temporal_join(TemporalJoinSpec spec);

}  // namespace supyo::operators
