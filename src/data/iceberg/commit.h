#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "core/env/env.h"
#include "data/iceberg/table.h"

namespace supyo::iceberg {

/// Who commits: kept in snapshot summaries (`supyo.job-id`, `supyo.sink-id`, `supyo.epoch`) and in the names of files.
struct Writer {
  std::string job_id;
  std::string sink_id;
};

/// Files of one epoch, grouped by the partition spec that they were written with.
struct NewFiles {
  std::int32_t spec_id = 0;
  std::vector<DataFile> files;
};

enum class AppendOutcome : std::uint8_t { kAppended, kWasThere };

/// Commits epochs of one writer to one table, exactly once. One thread; other processes may commit to the table too.
///
/// An epoch is committed in one snapshot with an id derived from (job, sink, epoch). The same commit sets the table property
/// `supyo.last-epoch.<sink>.<job>`, which later commits carry forward: a repeated append finds it (or the snapshot) and does nothing,
/// whatever expired since. Either all of a commit is visible or nothing of it.
class TableCommitter {
 public:
  /// What `env` refers to must outlive it.
  TableCommitter(const env::Env& env, std::string location, Writer writer);

  /// Appends the files as epoch `epoch`; epochs only grow. On a conflict the table is read again and the commit rebased.
  /// Errors: kSinkOfOtherJob (another job commits through the same sink at this time), kOutsideConflict (table replaced, or too many
  /// conflicts), kUnknownTable, 6xxx. After an error the outcome may be either: append again to find out.
  Result<AppendOutcome> append(Epoch epoch, const std::vector<NewFiles>& files);

  /// Last epoch of this writer in the table; 0 when none. Reads the table.
  Result<Epoch> last_committed();
  /// Removes manifests, manifest lists and temporary files that this writer's unfinished commits left behind, and data files of its
  /// epochs after `last_wanted`. Call before the first append of a run.
  Status remove_leftovers(Epoch last_wanted);

  /// Loads the table unless it is loaded.
  Result<const LoadedTable*> table();
  /// Base name (without extension) of a file of `epoch`, unique in this run.
  std::string file_name(Epoch epoch);

 private:
  struct Draft;
  std::optional<Epoch> committed_epoch() const;
  Status refuse_other_job() const;
  Status write_manifests(Epoch epoch, const std::vector<NewFiles>& files, Draft& draft);
  Result<TableMetadata> next_metadata(Epoch epoch, const std::vector<NewFiles>& files, Draft& draft);
  Result<std::vector<ManifestFile>> merge(std::vector<ManifestFile> manifests, Epoch epoch, const Snapshot& snapshot, Draft& draft);
  Result<ManifestFile> write_manifest(std::vector<ManifestEntry> entries, const PartitionSpec& spec, const std::string& name, std::vector<std::string>& written);
  /// kAlreadyExistsOnDisk: somebody else published this version. kNotFoundOnDisk: the version to build on is gone or another.
  Status publish(const TableMetadata& next, std::uint64_t& text_hash);
  Result<AppendOutcome> confirm();
  void clean_up(const Draft& draft);
  void discard(const std::vector<std::string>& uris);
  Status remove_unfinished_data(const std::string& directory, Epoch last_wanted);
  std::string metadata_uri(const std::string& name) const;
  std::string sync_marker();

  env::Env env_;
  std::string location_;
  Writer writer_;
  std::string tag_;
  std::string nonce_;
  std::uint64_t next_file_ = 0;
  std::optional<LoadedTable> table_;
  std::string uuid_;                    // of the table when it was first loaded
  /// What `table_`'s current snapshot names, when this writer committed it: saves reading it back.
  std::optional<std::vector<ManifestFile>> manifests_;
  std::map<std::int64_t, std::vector<std::string>> merged_away_;   // by parent snapshot: manifests that its child no longer names
  std::int64_t last_seen_sequence_ = 0; // snapshots after it are news: others' commits made while this writer runs
};

/// "-<sink hash>-<job id>-": stands in the name of every file that this writer makes, after the epoch's ten digits.
std::string file_tag(const Writer& writer);
/// The epoch in the name of a file with this tag; nullopt when it has not that form.
std::optional<Epoch> epoch_of_file(std::string_view name, std::string_view tag);

/// Summary and property keys.
inline constexpr const char* kJobKey = "supyo.job-id";
inline constexpr const char* kSinkKey = "supyo.sink-id";
inline constexpr const char* kEpochKey = "supyo.epoch";
/// Table property: cap on kept snapshots, besides `history.expire.max-snapshot-age-ms` and `history.expire.min-snapshots-to-keep`.
inline constexpr const char* kMaxSnapshotsKey = "supyo.history.max-snapshots";
/// Table property: several jobs may commit through the same sink at the same time.
inline constexpr const char* kSharedWritersKey = "supyo.shared-writers";

/// Properties that a table made by Supyo gets unless the user says otherwise: sane for ten commits a second.
std::map<std::string, std::string> streaming_defaults();

}  // namespace supyo::iceberg
