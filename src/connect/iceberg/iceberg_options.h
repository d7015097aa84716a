#pragma once
#include <map>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/iceberg/metadata.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// 'warehouse' without a trailing slash; relative paths are made relative to the base directory. Errors: kMissingOption, kBadOptionValue
/// (not absolute in the end), kUnsupported (not a file system).
Result<std::string> iceberg_warehouse(const catalog::Options& options, const std::string& base_directory);
/// Where the table of a definition with connector options lies.
Result<std::string> iceberg_location(const catalog::TableDefinition& table, const std::string& base_directory);
/// The table properties among WITH options (those that are not the connector's or the catalog's own). Errors: kUnsupported, kBadOptionValue.
Result<std::map<std::string, std::string>> iceberg_properties(const catalog::Options& options);
/// Metadata of the new table that `table` describes. Errors: kUnsupported (computed columns, watermarks kept in the catalog, types).
Result<iceberg::TableMetadata> iceberg_new_table(const catalog::TableDefinition& table, const std::string& location, const env::Env& env);
/// Names of catalog, database and table become directories: no '/', no "..", not hidden.
Status check_iceberg_name(const std::string& name);

}  // namespace supyo::connect
