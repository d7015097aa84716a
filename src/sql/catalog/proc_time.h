#pragma once
#include "sql/catalog/table.h"

namespace supyo::catalog {

/// p AS PROCTIME(): a processing time attribute.
bool is_proc_time(const ColumnDefinition& column);

}  // namespace supyo::catalog
