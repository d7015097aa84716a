#include "data/iceberg/expire.h"

#include <set>

#include "data/iceberg/commit.h"
#include "data/iceberg/table.h"

namespace supyo::iceberg {
namespace {

constexpr std::int64_t kDefaultMaxAgeMs = 432'000'000;
constexpr std::int64_t kDefaultMaxSnapshots = 100;
constexpr std::size_t kMaxExpiredPerCommit = 8;

// Appends make a chain: each snapshot is the parent of the next. Anything else (rollback, branch) is left to other tools.
bool is_chain(const TableMetadata& m) {
  if (!m.only_main_ref || m.snapshots.empty() || m.snapshots.back().id != m.current_snapshot_id) return false;
  for (std::size_t i = 1; i < m.snapshots.size(); ++i)
    if (m.snapshots[i].parent_id != m.snapshots[i - 1].id) return false;
  return true;
}

}  // namespace

std::vector<Snapshot> expire_snapshots(TableMetadata& metadata, std::int64_t now_ms) {
  // Other tools' tables keep their history until somebody says otherwise.
  if (!metadata.properties.contains(kMaxSnapshotsKey) || !is_chain(metadata)) return {};
  const std::int64_t oldest_ms = now_ms - metadata.property("history.expire.max-snapshot-age-ms", kDefaultMaxAgeMs);
  const auto min_keep = static_cast<std::size_t>(std::max<std::int64_t>(1, metadata.property("history.expire.min-snapshots-to-keep", std::int64_t{1})));
  const auto max_keep = static_cast<std::size_t>(std::max<std::int64_t>(1, metadata.property(kMaxSnapshotsKey, kDefaultMaxSnapshots)));
  std::size_t drop = 0;
  while (drop < kMaxExpiredPerCommit) {
    const std::size_t kept = metadata.snapshots.size() - drop;
    if (kept <= min_keep) break;
    if (kept <= max_keep && metadata.snapshots[drop].timestamp_ms >= oldest_ms) break;
    ++drop;
  }
  const auto end = metadata.snapshots.begin() + static_cast<std::ptrdiff_t>(drop);
  std::vector<Snapshot> expired(std::make_move_iterator(metadata.snapshots.begin()), std::make_move_iterator(end));
  metadata.snapshots.erase(metadata.snapshots.begin(), end);
  // The log may only name snapshots that exist, and loses what lies before a gap.
  std::set<std::int64_t> gone;
  for (const Snapshot& s : expired) gone.insert(s.id);
  const auto last_gone = std::find_if(metadata.snapshot_log.rbegin(), metadata.snapshot_log.rend(), [&](const SnapshotLogEntry& e) { return gone.contains(e.snapshot_id); });
  metadata.snapshot_log.erase(metadata.snapshot_log.begin(), last_gone.base());
  return expired;
}

std::vector<std::string> trim_metadata_log(TableMetadata& metadata) {
  const auto keep = static_cast<std::size_t>(std::max<std::int64_t>(1, metadata.property("write.metadata.previous-versions-max", std::int64_t{100})));
  std::vector<std::string> removed;
  while (metadata.metadata_log.size() > keep) {
    removed.push_back(std::move(metadata.metadata_log.front().file));
    metadata.metadata_log.erase(metadata.metadata_log.begin());
  }
  if (!metadata.property("write.metadata.delete-after-commit.enabled", false)) removed.clear();
  return removed;
}

std::vector<std::string> unreferenced_files(env::Files& files, const std::vector<Snapshot>& expired, const TableMetadata& kept, const MergedAway& known) {
  std::vector<std::string> out;
  if (kept.snapshots.empty()) return out;
  for (std::size_t i = 0; i < expired.size(); ++i) {
    const Snapshot& next = i + 1 < expired.size() ? expired[i + 1] : kept.snapshots.front();
    // A manifest that one snapshot of a chain no longer names is named by none after it: comparing neighbours is enough.
    if (const auto it = known.find(expired[i].id); it != known.end()) {
      out.insert(out.end(), it->second.begin(), it->second.end());
    } else {
      const auto list = read_manifest_list(files, expired[i]);
      const auto next_list = read_manifest_list(files, next);
      if (!list || !next_list) break;
      std::set<std::string_view> still;
      for (const ManifestFile& m : *next_list) still.insert(m.path);
      for (const ManifestFile& m : *list)
        if (!still.contains(m.path)) out.push_back(m.path);
    }
    out.push_back(expired[i].manifest_list);
  }
  return out;
}

}  // namespace supyo::iceberg
