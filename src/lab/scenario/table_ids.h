#pragma once
#include <cstdint>
#include <string>

#include "core/env/env.h"
#include "lab/scenario/bench.h"

namespace supyo::scenario {

/// Reads an Iceberg table as any reader would, from its files and without the engine that wrote it.
/// `location` is the table's folder. A table without a snapshot has no rows.

/// Rows of the current snapshot, by its summary.
Result<std::uint64_t> table_rows(env::Files& files, const std::string& location);
/// Every value of the integer column `column`, counted. Errors: kUnknownTable, kUnknownColumn, kDamaged, kModuleMissing.
Result<Applied> read_ids(env::Files& files, const std::string& location, const std::string& column);

}  // namespace supyo::scenario
