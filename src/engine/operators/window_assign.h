#pragma once
#include <string>

#include "data/types/changelog.h"
#include "data/types/zone.h"
#include "engine/dataflow/operator.h"

namespace supyo::operators {

/// A window table function without an aggregation above it: every row once for each of its windows, with window_start, window_end
/// (TIMESTAMP(3), session zone) and window_time (the time attribute's type, window_end - 1 ms) after its own columns.
/// Stateless: late rows stay, as in Flink. A row with a null time is late with reason NULL_TIME.
struct WindowAssignSpec {
  Schema input;
  WindowSpec window;
  std::size_t time_column = 0;
  Zone zone = {};
  std::string label = "WindowTableFunction";
};
Schema output_schema(const WindowAssignSpec& spec);
dataflow::OperatorFactory make_window_assign(WindowAssignSpec spec);

}  // namespace supyo::operators
