#pragma once
#include <string>
#include <vector>

#include "data/types/zone.h"
#include "engine/dataflow/operator.h"
#include "sql/expr/expr.h"

namespace supyo::operators {

/// Joins rows of two append-only inputs (0: left, 1: right) that lie in the same window, on equal keys and a condition over both, once the watermark has passed the
/// window's end; Flink's window join. The windows were assigned before: window_start and window_end are columns of both sides, and among the keys. Inserts only;
/// nothing is kept of a window that has been joined.
///
/// A row is late when its edge watermark, or the combined one, has passed its window's end: to `T$late` (columns of both sides, the other one's null). A null in a
/// key never equals anything. Within a window pairs leave in order of arrival of the left side, rows without a partner after them.
struct WindowJoinSpec {
  /// kPairs: left columns, then right ones. kSemi, kAnti: the left rows that have a partner, or have none; left columns only.
  enum class Rows : std::uint8_t { kPairs, kSemi, kAnti };

  Schema left, right;
  std::vector<std::size_t> left_keys, right_keys;   ///< of equal types, pairwise
  std::size_t left_start = 0, left_end = 0, right_start = 0, right_end = 0;
  bool local_zone = false;                          ///< the windows' time is TIMESTAMP_LTZ: their columns are printed in the session's zone
  bool keep_left = false, keep_right = false;       ///< LEFT, RIGHT, FULL; kPairs only
  Rows rows = Rows::kPairs;
  expr::ExprPtr condition;                          ///< over left then right columns; null: none
  bool origins = false;
  Zone zone = {};
  std::string label = "WindowJoin";
};
Schema output_schema(const WindowJoinSpec& spec);
dataflow::OperatorFactory make_window_join(WindowJoinSpec spec);

}  // namespace supyo::operators
