#pragma once
#include <memory>
#include <vector>

#include "data/types/type.h"
#include "engine/dataflow/sink.h"

namespace supyo::job {

/// `sink`, refusing rows with a null in one of `columns`: NOT NULL columns whose query column may be null. The row fails the job with
/// kNullInNotNull, as Flink's table.exec.sink.not-null-enforcer = ERROR does.
std::shared_ptr<dataflow::Sink> with_not_null_check(std::shared_ptr<dataflow::Sink> sink, Schema schema, std::vector<std::size_t> columns);

}  // namespace supyo::job
