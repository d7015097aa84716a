#pragma once
#include <memory>

#include "engine/dataflow/source.h"
#include "sql/expr/expr.h"

namespace supyo::job {

/// A source with one more column behind its own: `row_time` evaluated batch by batch, so that watermarks can be taken from a computed
/// column (`ts AS TO_TIMESTAMP_LTZ(ms, 3)`). An evaluation error makes the batch fail, as a computed column does in Flink.
std::shared_ptr<dataflow::Source> with_computed_column(std::shared_ptr<dataflow::Source> source, expr::ExprPtr row_time);

}  // namespace supyo::job
