#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/iceberg/manifest.h"
#include "data/iceberg/metadata.h"

/// Tables of a path-based catalog, laid out as Hadoop catalogs do: `<location>/metadata/v<N>.metadata.json`, `version-hint.text`,
/// `snap-*.avro`, `*-m0.avro`, `<location>/data/...`. Version N + 1 is published by a rename that never replaces.
namespace supyo::iceberg {

/// Path in env::Files of a location or file named in metadata: strips "file:". Errors: kUnsupported (another scheme).
Result<std::string> local_path(const std::string& uri);

/// A table as it was when it was loaded.
struct LoadedTable {
  std::string location;          ///< as the caller gave it
  std::int64_t version = 0;      ///< N of vN.metadata.json
  std::string metadata_file;     ///< URI, as written into the metadata log
  TableMetadata metadata;
  std::uint64_t text_hash = 0;   ///< hash_bytes of the metadata file
  /// False for a table whose metadata files are not vN.metadata.json: another catalog owns its commits, it is read only.
  bool path_based = true;
};

/// The newest version. Errors: kUnknownTable (no table there), kDamaged, kFormatVersion.
Result<LoadedTable> load_table(env::Files& files, const std::string& location);
/// Publishes version 1. Errors: kAlreadyExists.
Status create_table(const env::Env& env, const TableMetadata& metadata);

/// A live data file with the snapshot it came in with.
struct PlannedFile {
  DataFile file;
  std::int32_t spec_id = 0;
  std::int64_t sequence_number = 0;
};
/// Live data files of a snapshot, in the order in which they were added. Errors: kUnsupported (the table has delete files), kDamaged.
Result<std::vector<PlannedFile>> plan_files(env::Files& files, const TableMetadata& metadata, const Snapshot& snapshot);
Result<std::vector<ManifestFile>> read_manifest_list(env::Files& files, const Snapshot& snapshot);
Result<std::vector<ManifestEntry>> read_manifest(env::Files& files, const ManifestFile& manifest, const TableMetadata& metadata);

/// Writes a new file and syncs it (not its directory).
Status write_durable(env::Files& files, const std::string& path, std::string_view bytes);
/// Points version-hint.text at `version`. A hint only: readers go on from it while newer versions exist.
Status write_version_hint(env::Files& files, const std::string& location, std::int64_t version);

}  // namespace supyo::iceberg
