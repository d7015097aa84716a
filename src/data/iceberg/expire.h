#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/env/env.h"
#include "data/iceberg/metadata.h"

namespace supyo::iceberg {

/// Drops the snapshots whose time has come from `metadata`: beyond `supyo.history.max-snapshots` or older than
/// `history.expire.max-snapshot-age-ms` (Iceberg's default, 5 days), keeping at least `history.expire.min-snapshots-to-keep` (1) and the
/// current one. Only in tables that have the property `supyo.history.max-snapshots` (those made by Supyo) and a plain history without
/// branches and tags. Returns them, oldest first. At most a few a call, so that one commit's cost stays bounded.
std::vector<Snapshot> expire_snapshots(TableMetadata& metadata, std::int64_t now_ms);

/// Cuts the metadata log to `write.metadata.previous-versions-max` and returns the files that may go
/// (empty unless `write.metadata.delete-after-commit.enabled`).
std::vector<std::string> trim_metadata_log(TableMetadata& metadata);

/// Manifests that the snapshot after `parent` no longer names, for the parents where this is known without reading.
using MergedAway = std::map<std::int64_t, std::vector<std::string>>;

/// Files that only the expired snapshots used: their manifest lists, and the manifests that the snapshot after each no longer names.
/// Data files stay: appends never remove any. What cannot be read is left alone.
std::vector<std::string> unreferenced_files(env::Files& files, const std::vector<Snapshot>& expired, const TableMetadata& kept, const MergedAway& known);

}  // namespace supyo::iceberg
