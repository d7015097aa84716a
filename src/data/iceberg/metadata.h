#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "data/iceberg/schema.h"

namespace supyo::iceberg {

struct Snapshot {
  std::int64_t id = 0;
  std::optional<std::int64_t> parent_id;
  std::int64_t sequence_number = 0;
  std::int64_t timestamp_ms = 0;
  std::string manifest_list;
  std::map<std::string, std::string> summary;
  std::optional<std::int32_t> schema_id;
  /// Its JSON text, kept because a snapshot never changes and every version of the metadata repeats it; may be empty.
  std::string json = {};
  bool operator==(const Snapshot& o) const {
    return id == o.id && parent_id == o.parent_id && sequence_number == o.sequence_number && timestamp_ms == o.timestamp_ms && manifest_list == o.manifest_list &&
           summary == o.summary && schema_id == o.schema_id;
  }
};

struct SnapshotLogEntry {
  std::int64_t timestamp_ms = 0;
  std::int64_t snapshot_id = 0;
  bool operator==(const SnapshotLogEntry&) const = default;
};

struct MetadataLogEntry {
  std::int64_t timestamp_ms = 0;
  std::string file;
  bool operator==(const MetadataLogEntry&) const = default;
};

/// One vN.metadata.json: everything about a table but its files (Iceberg table spec v2, "Table Metadata"). Plain data.
/// Fields that Supyo does not use (sort orders, statistics, refs other than main) are kept and written back unchanged in `other_json`.
struct TableMetadata {
  std::string uuid;
  std::string location;                    ///< as written: "/lake/db/t" or "file:///lake/db/t"
  std::int64_t last_sequence_number = 0;
  std::int64_t last_updated_ms = 0;
  std::int32_t last_column_id = 0;
  std::int32_t current_schema_id = 0;
  std::vector<TableSchema> schemas;
  std::int32_t default_spec_id = 0;
  std::vector<PartitionSpec> specs;
  std::int32_t last_partition_id = 999;
  std::map<std::string, std::string> properties;
  std::optional<std::int64_t> current_snapshot_id;
  std::vector<Snapshot> snapshots;         ///< oldest first
  std::vector<SnapshotLogEntry> snapshot_log;
  std::vector<MetadataLogEntry> metadata_log;
  bool only_main_ref = true;               ///< false: branches or tags keep other snapshots alive
  std::string other_json = "{}";

  const TableSchema& schema() const;
  const PartitionSpec& spec() const;
  const PartitionSpec* find_spec(std::int32_t id) const;
  const Snapshot* current_snapshot() const;
  const Snapshot* find_snapshot(std::int64_t id) const;
  /// A property as a number or boolean; `fallback` when absent or not one.
  std::int64_t property(std::string_view key, std::int64_t fallback) const;
  bool property(std::string_view key, bool fallback) const;
  std::string property(std::string_view key, const std::string& fallback) const;
};

/// Errors: kDamaged (not JSON, a required field is missing; `name` is named), kFormatVersion (not version 2).
Result<TableMetadata> parse_metadata(std::string_view json, const std::string& name);
std::string metadata_json(const TableMetadata& metadata);
std::string snapshot_json(const Snapshot& snapshot);

/// The JSON that manifests carry in their header.
std::string schema_json(const TableSchema& schema);
std::string partition_fields_json(const PartitionSpec& spec);

/// Metadata of a new, empty table. `uuid` is a version-4 UUID.
TableMetadata new_table_metadata(std::string uuid, std::string location, TableSchema schema, PartitionSpec spec,
                                 std::map<std::string, std::string> properties, std::int64_t now_ms);

}  // namespace supyo::iceberg
