#pragma once
#include "sql/plan/bind_query.h"

namespace supyo::plan {

/// The refusal of a temporal join whose condition does not equate all of the table's primary key.
std::unexpected<Error> key_is_not_named(const LogicalJoin& join, const LogicalNode& right);

}  // namespace supyo::plan
