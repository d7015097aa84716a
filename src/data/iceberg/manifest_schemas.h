#pragma once
#include <string>

#include "core/base/result.h"
#include "data/iceberg/schema.h"

namespace supyo::iceberg {

/// Avro schema of a manifest list (spec "Manifest Lists", v2), with field ids.
std::string manifest_list_schema();
/// Avro schema of a manifest (spec "Manifests", v2) with this partition record. Errors: kUnsupported.
Result<std::string> manifest_schema(const PartitionSpec& spec, const TableSchema& schema);

/// Bytes of the fixed type that holds a decimal of this many digits.
int decimal_width(int precision);

}  // namespace supyo::iceberg
