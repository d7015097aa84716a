#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "data/iceberg/schema.h"
#include "data/types/value.h"

namespace supyo::iceberg {

/// Single-value serialization (Iceberg table spec, appendix D): what bounds in manifests hold. `value` is not null.
std::string single_value_bytes(const Value& value);
/// The inverse; nullopt when `bytes` is not a value of `type`.
std::optional<Value> value_from_bytes(const Type& type, std::string_view bytes);

/// Bounds as the default metrics mode `truncate(16)` stores them: long text is cut to 16 characters (bytes to 16 bytes), an upper bound then
/// increased. nullopt when there is no such upper bound.
std::optional<std::string> lower_bound_bytes(const Value& value);
std::optional<std::string> upper_bound_bytes(const Value& value);

/// "k=3/day=2013-01-01": directory of a partition, escaped as other writers do; empty for an unpartitioned table.
std::string partition_path(const PartitionSpec& spec, const std::vector<Value>& values);

}  // namespace supyo::iceberg
