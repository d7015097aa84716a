#pragma once
#include <vector>

#include "engine/operators/window_aggregate.h"
#include "engine/operators/window_assign.h"

namespace supyo::operators {

/// GROUP BY window_start, window_end, keys over SESSION of a row time, the sessions being of the keys. A session is [first row, last row + gap); a row that touches
/// sessions joins them into one (Flink's TimeWindow: a row exactly a gap later still belongs to it).
///
/// A session that ends at or before a row's edge watermark is closed to it. A row that touches no open session, and whose own [time, time + gap) is behind its edge
/// watermark, is late: emit_late(). Sessions fire when the combined watermark gets to their end - 1 ms, in order of end, start and key, and are then forgotten.
/// Output as of make_window_aggregate(), which makes this for `window.kind` kSession. Errors of the factory: kInvalidQuery (a gap that is not positive).
dataflow::OperatorFactory make_session_aggregate(WindowAggregateSpec spec);

/// SESSION without an aggregation above it: the sessions of `partition` fire as above, and give out their rows, each with its window, as of make_window_assign().
/// Rows of a session leave in the order in which they came, sessions that were joined one after the other. Takes inserts only.
dataflow::OperatorFactory make_session_assign(WindowAssignSpec spec, std::vector<std::size_t> partition, bool origins);

}  // namespace supyo::operators
