#pragma once
#include <string>

#include "core/base/result.h"
#include "data/formats/format.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// 'path' with a file:// prefix removed, made relative to the base directory.
Result<std::string> file_path(const catalog::TableDefinition& table, const std::string& base_directory);

/// Refuses formats whose records cannot be lines: kUnsupported.
Status check_lines(const formats::FormatOptions& format);

}  // namespace supyo::connect
