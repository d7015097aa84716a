#pragma once
#include <string_view>

#include "sql/catalog/table.h"

namespace supyo::catalog {

/// Whether the option's value is never shown: passwords. It has no part in what a job is either, so that it may change.
bool is_secret(std::string_view key);
/// Whether a join by processing time asks the table by key. Others are read whole, if they can be looked up at all.
bool is_asked_by_key(const TableDefinition& table);

}  // namespace supyo::catalog
