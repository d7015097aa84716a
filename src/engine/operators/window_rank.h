#pragma once
#include <cstdint>
#include <vector>

#include "data/types/zone.h"
#include "engine/operators/sort.h"

namespace supyo::operators {

/// ROW_NUMBER() OVER (PARTITION BY window_start, window_end, .. ORDER BY ..) <= limit over rows that have their window: Flink's WindowRank and
/// WindowDeduplicate. The first rows of a window and key leave when the combined watermark reaches window_end - 1 ms, once, and are forgotten. Rows that are equal in
/// the order stand as they came. A row whose window its edge watermark has passed is late: emit_late(). Takes inserts only.
/// Output: the input's columns, then the row's number (BIGINT, from 1) when it is asked for.
struct WindowRankSpec {
  Schema input;
  std::size_t start_column = 0;
  std::size_t end_column = 0;
  Zone zone = {};                             ///< that the window's columns are in: the session's when the time attribute is TIMESTAMP_LTZ
  std::vector<std::size_t> partition;    ///< with the window's columns
  std::vector<SortSpec::Key> order;
  std::uint64_t limit = 1;
  bool with_number = false;
  bool origins = false;
  std::string label = "WindowRank";
};
Schema output_schema(const WindowRankSpec& spec);
dataflow::OperatorFactory make_window_rank(WindowRankSpec spec);

}  // namespace supyo::operators
