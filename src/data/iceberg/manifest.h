#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "data/iceberg/metadata.h"
#include "data/types/value.h"

namespace supyo::iceberg {

enum class FileContent : std::int32_t { kData = 0, kPositionDeletes = 1, kEqualityDeletes = 2 };
enum class EntryStatus : std::int32_t { kExisting = 0, kAdded = 1, kDeleted = 2 };

/// A file of the table with its metrics, each list keyed by field id (Iceberg table spec v2, "Manifests").
struct DataFile {
  FileContent content = FileContent::kData;
  std::string path;
  std::string format = "PARQUET";
  std::vector<Value> partition;            ///< one per field of its spec
  std::int64_t records = 0;
  std::int64_t bytes = 0;
  std::vector<std::pair<std::int32_t, std::int64_t>> column_sizes;
  std::vector<std::pair<std::int32_t, std::int64_t>> value_counts;
  std::vector<std::pair<std::int32_t, std::int64_t>> null_counts;
  std::vector<std::pair<std::int32_t, std::int64_t>> nan_counts;
  std::vector<std::pair<std::int32_t, std::string>> lower_bounds;
  std::vector<std::pair<std::int32_t, std::string>> upper_bounds;
  std::vector<std::int64_t> split_offsets;
  std::optional<std::int32_t> sort_order_id;
  bool operator==(const DataFile&) const = default;
};

/// Snapshot and sequence numbers of added entries are absent until the commit: they are inherited from the manifest list.
struct ManifestEntry {
  EntryStatus status = EntryStatus::kAdded;
  std::optional<std::int64_t> snapshot_id;
  std::optional<std::int64_t> sequence_number;
  std::optional<std::int64_t> file_sequence_number;
  DataFile file;
  bool operator==(const ManifestEntry&) const = default;
};

struct PartitionSummary {
  bool contains_null = false;
  std::optional<bool> contains_nan;
  std::optional<std::string> lower;   ///< single-value bytes
  std::optional<std::string> upper;
  bool operator==(const PartitionSummary&) const = default;
};

/// One line of a manifest list.
struct ManifestFile {
  std::string path;
  std::int64_t length = 0;
  std::int32_t spec_id = 0;
  bool deletes = false;                   ///< holds delete files
  std::int64_t sequence_number = 0;
  std::int64_t min_sequence_number = 0;
  std::int64_t added_snapshot_id = 0;
  std::int32_t added_files = 0;
  std::int32_t existing_files = 0;
  std::int32_t deleted_files = 0;
  std::int64_t added_rows = 0;
  std::int64_t existing_rows = 0;
  std::int64_t deleted_rows = 0;
  std::vector<PartitionSummary> partitions;
  bool operator==(const ManifestFile&) const = default;
};

/// Bytes of a manifest with these entries. `sync_marker` is any 16 bytes. Errors: kUnsupported (partition type).
Result<std::string> encode_manifest(const std::vector<ManifestEntry>& entries, const TableSchema& schema, const PartitionSpec& spec, std::string_view sync_marker);
/// Entries, with what they inherit from `from` filled in. Errors: kDamaged, kUnsupported.
Result<std::vector<ManifestEntry>> decode_manifest(std::string_view bytes, const ManifestFile& from, const TableMetadata& metadata);

std::string encode_manifest_list(const std::vector<ManifestFile>& manifests, const Snapshot& snapshot, std::string_view sync_marker);
Result<std::vector<ManifestFile>> decode_manifest_list(std::string_view bytes, const std::string& name);

/// Counts and partition summaries of a manifest with these entries; path, length and sequence numbers are the caller's.
Result<ManifestFile> summarize_manifest(const std::vector<ManifestEntry>& entries, const TableSchema& schema, const PartitionSpec& spec);

}  // namespace supyo::iceberg
