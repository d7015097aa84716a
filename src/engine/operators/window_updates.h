#pragma once
#include "engine/operators/window_aggregate.h"

namespace supyo::operators {

/// WindowAggregate that gives results out before a window is complete, and again when late rows come (`table.exec.emit.*`). TUMBLE, HOP, CUMULATE.
///
/// A window fires when the combined watermark gets to its end - 1 ms, as otherwise. With early_us it fires before that, with the rows it has. A row behind the watermark, by less
/// than the lateness, goes into its window and fires it again; what is behind further goes to `T$late`. A firing that changes nothing gives nothing; one that does gives -U and +U
/// (-D where retractions left no row). A window is forgotten when the watermark is its lateness beyond its end.
/// Source: Flink docs, Window Aggregation (legacy), "Emit"; org.apache.flink.table.planner WindowEmitStrategy for what fires when.
dataflow::OperatorFactory make_window_updates(WindowAggregateSpec spec, WindowEmit emit);

}  // namespace supyo::operators
