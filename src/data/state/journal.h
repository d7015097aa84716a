#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "core/env/env.h"
#include "data/state/tables.h"

namespace supyo::state {

/// What one table of one operator changed in an epoch. The lists of all shards may follow one another under the same ids.
struct TableChanges {
  std::uint32_t operator_id = 0;  ///< the runtime's number of the operator; must mean the same operator after a restart
  std::uint16_t table = 0;        ///< position in its StateSpec
  EncodedChanges encoded = {};         ///< in order of writing: the last write of a (hash, key) wins
  std::vector<Change> changes;    ///< after those; for tests and tools
};

/// Bytes that the journal keeps and does not understand: positions, watermarks, sink handles, the judge's counters.
struct Section {
  std::uint16_t id = 0;
  std::string bytes;
};

/// The durable record that makes an epoch final. Sections are whole, not differences: recovery gives back those of the last epoch only.
struct EpochRecord {
  Epoch epoch;                    ///< larger than that of the record before
  std::vector<Section> sections;
  std::vector<TableChanges> tables;
};

/// The end of a record in the journal. `chain` is its CRC, so that a position names one history and not just a place.
struct JournalPosition {
  std::uint64_t segment = 0;      ///< 0: before the first record
  std::uint64_t offset = 0;
  std::uint32_t chain = 0;
  bool operator==(const JournalPosition&) const = default;
};

struct JournalOptions {
  std::uint64_t segment_bytes = 4U << 20;          ///< a record that is larger gets a segment of its own
  std::uint64_t snapshot_after_bytes = 32U << 20;  ///< snapshot_due() once that much journal, and half the last snapshot's size, is not covered
  std::uint32_t snapshot_after_segments = 16;      ///< or once so many segments are in use (every start begins a segment)
};

/// What open() found.
struct Recovered {
  Epoch last;                              ///< last final epoch; 0 = a new job
  std::vector<Section> sections;           ///< of that epoch
  Epoch snapshot;                          ///< epoch of the snapshot that was used; 0 = none
  std::uint64_t snapshot_entries = 0;
  std::uint64_t journal_epochs = 0;        ///< records after the snapshot
  std::uint64_t torn_bytes = 0;            ///< bytes of an unfinished record that a crash left behind the last good one
  std::vector<std::string> notes;          ///< for the log, in sentences: torn tail (file, offset, bytes), an unreadable snapshot that was passed over
};

class ChangeList;
class SnapshotBuilder;
class StoredEntries;

/// The epoch journal and the snapshots of one job: `journal/` and `snapshots/` below the job's directory (see JobDirectory, which locks it).
/// Formats: docs/format/journal.md, docs/format/snapshot.md.
///
/// One thread at a time calls it (the coordinator); a SnapshotBuilder works beside it in a thread of its own or in slices.
class Journal {
 public:
  /// Recovers: newest good snapshot, then the records after it. A torn tail (never acknowledged) is cut off and reported. Begins a new
  /// segment, so that nothing that was written before is ever written over. `job_id` is the UUID of JobDirectory.
  /// Errors: kDamaged with file and offset (an acknowledged record or a needed segment no longer checks; nothing was changed on disk),
  /// kStateOfOtherJob, kFormatVersion, kIo, kDiskFull.
  static Result<std::unique_ptr<Journal>> open(const env::Env& env, std::string dir, std::string job_id, JournalOptions options = {});
  ~Journal();

  const Recovered& recovered() const { return recovered_; }

  /// A table that has entries, or had them since the last snapshot.
  struct StoredTable {
    std::uint32_t operator_id = 0;
    std::uint16_t table = 0;
    auto operator<=>(const StoredTable&) const = default;
  };
  /// In order. This and stored(): after open(), before end_restore().
  std::vector<StoredTable> stored_tables() const;
  /// Every live entry of the table whose hash belongs to `shard` of `shards` (shard_of), once each. It may live on while the journal is written.
  std::shared_ptr<const StoredEntries> stored(const StoredTable& table, std::uint32_t shard, std::uint32_t shards) const;
  /// Lets go of what they need. append() does it too.
  void end_restore();

  /// Writes the record behind the last one. Final only after sync(). Several may share one sync().
  /// Errors: kDiskFull when no segment could be added: nothing changed, may be tried again. Any other error closes the journal (kLogClosed).
  Status append(const EpochRecord& record);
  /// Makes every appended record final: one fdatasync. A failed sync closes the journal for good: kSyncFailed now, kLogClosed from then on;
  /// whether the records survive is known only after a restart.
  Status sync();
  Epoch last_appended() const { return last_appended_; }
  Epoch last_final() const { return last_final_; }

  /// True when a snapshot would pay: see JournalOptions. False while one is being built.
  bool snapshot_due() const;
  /// Begins a snapshot of everything that is final now; null when that is nothing new or one is being built already.
  std::unique_ptr<SnapshotBuilder> begin_snapshot();
  /// After the builder is done: segments that both kept snapshots cover are recycled, older snapshots removed. With a builder that failed
  /// or was given up: forgets it, so that another may begin.
  Status end_snapshot(const SnapshotBuilder& builder);

  std::uint64_t uncovered_bytes() const { return uncovered_bytes_; }  ///< journal after the newest snapshot
  std::size_t segments() const { return segments_.size(); }

 private:
  struct Segment {
    std::uint64_t number = 0;
    std::string path;
    std::uint64_t end = 0;        // behind its last record
  };
  struct Snapshot {
    Epoch epoch;
    std::string path;
    JournalPosition position;
    std::uint64_t bytes = 0;
  };
  struct Restorable;
  struct SegmentRead;
  Journal(const env::Env& env, std::string dir, std::string job_id, JournalOptions options);
  Status recover();
  Status read_segments();
  Result<bool> read_snapshot();
  Status read_records();
  std::vector<SegmentRead> read_segments_from(std::size_t first);
  SegmentRead read_segment(std::size_t i, bool middle, ChangeList& changes) const;
  Status find_spares();
  Status tidy_up();
  Status retire(const std::vector<std::string>& paths);
  Status roll(std::uint64_t record_bytes);
  Status recycle();
  std::unexpected<Error> close(Error error);

  env::Env env_;
  std::string dir_;                        // of the segments
  std::string snapshot_dir_;
  std::string job_id_;
  JournalOptions options_;
  Recovered recovered_;
  std::shared_ptr<Restorable> restorable_;
  std::weak_ptr<const Restorable> read_;   // while anyone reads entries in place: what is mapped is not written over
  std::uint64_t last_mapped_ = 0;          // segments up to this one are

  std::vector<Segment> segments_;          // oldest first; the last is being written
  std::vector<std::string> spares_;        // recycled files of segment_bytes
  std::vector<Snapshot> snapshots_;        // at most two, oldest first
  std::unique_ptr<env::File> active_;
  std::uint64_t capacity_ = 0;             // size of the active file
  std::uint64_t offset_ = 0;               // where its next record goes
  std::uint64_t durable_ = 0;              // everything below is synced
  std::uint32_t chain_ = 0;                // CRC of what stands before offset_
  JournalPosition appended_;               // end of the last appended record
  JournalPosition final_;                  // end of the last synced record
  Epoch last_appended_;
  Epoch last_final_;
  std::string buffer_;
  std::optional<Error> closed_;
  bool snapshotting_ = false;
  std::uint64_t uncovered_bytes_ = 0;
};

}  // namespace supyo::state
