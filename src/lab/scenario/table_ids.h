#pragma once
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/env/env.h"
#include "data/iceberg/metadata.h"
#include "lab/scenario/bench.h"

namespace supyo::scenario {

/// Reads an Iceberg table as any reader would, from its files and without the engine that wrote it.
/// `location` is the table's folder. A table without a snapshot has no rows.

/// Where a path-based catalog has a table: "lake.shop.product_changes" is WAREHOUSE/shop/product_changes.
std::string table_location(const std::string& warehouse, const std::string& table);
/// Rows of the current snapshot, by its summary.
Result<std::uint64_t> table_rows(env::Files& files, const std::string& location);
/// Rows of the data files of `snapshot` that are not in `known`, where they are put: for each, the values of these integer or temporal columns (NULL: 0). Errors: those of read_ids.
Status read_new_rows(env::Files& files, const iceberg::TableMetadata& table, const iceberg::Snapshot& snapshot, const std::vector<std::string>& columns, std::set<std::string>& known,
                     const std::function<void(std::span<const std::int64_t>)>& take);
/// Every value of the integer column `column`, counted. Errors: kUnknownTable, kUnknownColumn, kDamaged, kModuleMissing.
Result<Applied> read_ids(env::Files& files, const std::string& location, const std::string& column);

}  // namespace supyo::scenario
