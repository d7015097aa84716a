#pragma once
#include <memory>

#include "engine/dataflow/source.h"
#include "sql/expr/expr.h"

namespace supyo::job {

/// A source with more columns behind its own: `columns`, over its own, evaluated batch by batch, so that watermarks can be taken from a computed
/// column (`ts AS TO_TIMESTAMP_LTZ(ms, 3)`), and be computed themselves. An evaluation error makes the batch fail, as a computed column does in Flink.
std::shared_ptr<dataflow::Source> with_computed_columns(std::shared_ptr<dataflow::Source> source, std::vector<expr::ExprPtr> columns, const Zone& zone);

}  // namespace supyo::job
