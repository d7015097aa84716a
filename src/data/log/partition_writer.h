#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/compaction.h"
#include "data/log/examine.h"
#include "data/log/frame.h"
#include "data/log/mark.h"
#include "data/log/producer_state.h"
#include "data/log/topic.h"

namespace supyo::log {

/// What opening found and did.
struct Recovery {
  std::uint64_t torn_bytes = 0;          ///< cut off the end: written, never acknowledged
  std::uint64_t leftover_files = 0;      ///< removed
  std::vector<StagedEpoch> staged;       ///< prepared epochs that wait for commit_epoch or abandon_after
};

enum class CommitResult : std::uint8_t {
  kVisibleNow,
  kWasVisible,   ///< an earlier call (before a crash, perhaps) had committed it
};

/// What became of a Kafka batch. Each but the first two is an error of Kafka's; nothing was appended then.
enum class KafkaOutcome : std::uint8_t {
  kAppended,
  kDuplicate,            ///< accepted before: `base` is the offset it has
  kCorrupt,              ///< CORRUPT_MESSAGE
  kUnsupportedMagic,     ///< UNSUPPORTED_FOR_MESSAGE_FORMAT
  kUnsupportedCodec,     ///< UNSUPPORTED_COMPRESSION_TYPE
  kInvalidRecord,        ///< INVALID_RECORD: counts, offsets, a control batch from a client, no key in a compacted topic
  kInvalidTimestamp,     ///< INVALID_TIMESTAMP: too far from now (message.timestamp.before/after.max.ms)
  kTooLarge,             ///< MESSAGE_TOO_LARGE (max.message.bytes)
  kOutOfOrderSequence,   ///< OUT_OF_ORDER_SEQUENCE_NUMBER
  kFencedEpoch,          ///< INVALID_PRODUCER_EPOCH
  kInvalidTransaction,   ///< INVALID_TXN_STATE
  kFencedCoordinator,    ///< TRANSACTION_COORDINATOR_FENCED (end_transaction only)
};
struct KafkaAppend {
  KafkaOutcome outcome = KafkaOutcome::kAppended;
  Offset base;                           ///< kAppended, kDuplicate
  Offset last;                           ///< kAppended, kDuplicate: durable once synced_end() lies above it
  std::int64_t log_append_time_ms = -1;  ///< -1 unless the topic stamps batches (LogAppendTime)
  std::string why;                       ///< of an error, for the answer's error_message and the log
  bool accepted() const { return outcome == KafkaOutcome::kAppended || outcome == KafkaOutcome::kDuplicate; }
};

/// A sync that somebody else waits for: `file->sync()` on any thread, then finish_sync() on the writer's.
struct PendingSync {
  std::shared_ptr<env::File> file;
  Offset end;                    ///< records below it become durable
  Offset base;                   ///< of the segment that it is in
  std::uint64_t position = 0;
};

/// The one writer of a partition: holds its lock while it lives. One thread.
///
/// A record goes through append (in the file), sync (acknowledged: survives a crash), publish (other processes may read it uncommitted),
/// and, when it was staged for an epoch, commit_epoch (read_committed sees it). Records that were not staged are committed by their publication.
/// A failed sync closes the writer for good: kLogClosed from then on; reopen to find out what survived.
class PartitionWriter {
 public:
  /// Recovers and opens. kStateLocked (another writer), kDamaged (file, offset, hint), 6xxx.
  static Result<std::unique_ptr<PartitionWriter>> open(const env::Env& env, const Topic& topic, PartitionId partition);
  ~PartitionWriter();

  const Recovery& recovery() const { return recovery_; }

  /// Appends `batch` as one frame and returns the offset of its first record. With a transaction, the records are staged for that epoch.
  /// Errors: kDiskFull, kIo (nothing was appended; the next append takes the same place), kLogClosed,
  /// kSinkOfOtherJob (another writer's prepared epoch waits for its commit).
  Result<Offset> append(const RecordBatch& batch, Transaction transaction = {});

  /// The same for rows in columns. kUnsupported: the topic is compacted, and they have no keys. kValueOutOfRange: too large for a frame.
  Result<Offset> append(const ColumnarBatch& batch, Transaction transaction = {});

  /// Appends one Kafka batch (message format v2) as it came: only base offset and leader epoch are written into it, and its time when the topic stamps
  /// batches. Checked as Kafka checks it, records too. A duplicate may not be durable yet: answer it only when synced_end() lies above `last`.
  /// Errors: those of append(); kSinkOfOtherJob while a job's prepared epoch waits.
  Result<KafkaAppend> append_kafka(std::string_view batch, std::int32_t leader_epoch = 0);
  /// Ends a producer's transaction here: appends the control batch. `base` is its offset. Also without an open transaction (Kafka writes a marker then, too).
  /// kFencedEpoch, kFencedCoordinator.
  Result<KafkaAppend> end_transaction(std::int64_t producer_id, std::int16_t producer_epoch, KafkaMarker marker, std::int32_t leader_epoch = 0);
  /// Open transactions, sequences. Recovered at open: producers seen within producer.id.expiration.ms (expire_producers) and not lost with damage.
  const ProducerStates& producers() const { return producers_; }
  std::size_t expire_producers(TimeUs before_us) { return producers_.expire(before_us); }

  /// Takes over a configuration that alter_topic_config() or add_partitions() gave. Never another topic's.
  void set_config(const TopicConfig& config) { topic_.config = config; }
  const TopicConfig& config() const { return topic_.config; }
  /// For many small syncs: keeps up to so many bytes behind the records written with zeros. The sync of an append then meets blocks that were written to before, and
  /// the file system has no journal to commit: half the disk's work. Larger appends than half of it leave it out, for them the zeros would cost more. 0, at first: none.
  void set_zero_ahead(std::uint64_t bytes) { zero_ahead_ = bytes; }

  /// Makes everything appended durable: it is acknowledged when this returns.
  Status sync();
  /// The same in three steps, so that appends go on while the disk works. Two syncs may be under way at a time, on lanes 0 and 1: each lane has a file handle
  /// of its own, because the system tells a failed write once per handle. finish_sync() is called in the order of begin_sync(); a failure closes the writer.
  Result<PendingSync> begin_sync(unsigned lane);
  Status finish_sync(const PendingSync& begun, Status synced);
  /// Tells readers what is durable. Not synced: a mark that a crash takes back only hides records until the next publication.
  Status publish();
  /// sync() and publish().
  Status flush();

  /// Makes the staged records below `end` visible to read_committed, durably. They are this writer's, of epochs up to `transaction.epoch`, and synced.
  /// Idempotent. Errors: kDamaged when the log ends before `end` (prepared rows are gone), kSinkOfOtherJob, kLogClosed.
  Result<CommitResult> commit_epoch(Transaction transaction, Offset end);
  /// Takes back this writer's staged records of epochs after `last`. Idempotent.
  Status abandon_after(Transaction last);
  /// Takes back everything that is staged, whoever staged it. Returns how many records.
  Result<std::uint64_t> abandon_all();

  /// Starts a new segment (does nothing when the current one is empty).
  Status roll();
  struct Retained {
    std::uint64_t segments_deleted = 0;
    std::uint64_t bytes_deleted = 0;
  };
  /// Deletes old segments by the topic's retention.bytes and retention.ms, by Kafka's rules: by size the oldest while what is left stays >= the limit, never the
  /// active one (with a limit of 0 that, too); by time those whose largest record timestamp is older, rolling first when that is all of them; never what is
  /// not committed, and nothing without `delete` in cleanup.policy. Also removes what was deleted file.delete.delay.ms ago.
  Result<Retained> retain();
  /// What compaction has to do now; null when the topic is not compacted, or less than min.cleanable.dirty.ratio of it is new.
  Result<std::optional<CompactionPlan>> plan_compaction();
  /// Puts in place what run_compaction() made of a plan of this writer's. Segments that retention took meanwhile stay gone.
  Status install_compaction(const CompactionResult& result);
  /// All three steps at once. Null when there was nothing to do.
  Result<std::optional<CompactionStats>> compact();
  /// Deletes the records below `offset` (Kafka's DeleteRecords): they are unreadable at once, their segments go when nothing else is in them.
  Status delete_before(Offset offset);

  Offset log_start() const { return mark_.log_start; }
  Offset next_offset() const { return next_; }
  Offset synced_end() const { return synced_; }
  Offset committed_end() const { return mark_.committed_end; }
  Transaction last_commit() const { return mark_.last_commit; }
  const std::vector<StagedEpoch>& staged() const { return staged_; }
  const std::vector<SegmentInfo>& segments() const { return segments_; }
  /// Bytes in segment files that hold records.
  std::uint64_t bytes() const;

 private:
  PartitionWriter(const env::Env& env, const Topic& topic, PartitionId partition);
  Status recover();
  Status recover_producers(std::optional<Offset> first_kafka);
  Status scan_producers(const SegmentInfo& segment, Offset from);
  Status write_producer_snapshot();
  Result<Offset> write_frame(std::uint32_t count);
  Status may_append(Transaction transaction) const;
  Result<Offset> write_records(std::size_t count, Transaction transaction);
  KafkaAppend check_kafka(std::string_view batch, KafkaBatchHeader& header, std::int64_t now_ms, std::int64_t& max_timestamp_ms);
  Status check_open() const;
  Status sync_file(env::File& file);
  void note_synced();
  void note_synced_to(Offset end, Offset base, std::uint64_t position);
  Offset stable_end() const;
  Mark current_mark() const;
  Status write_mark(const Mark& mark);
  Status write_durable_mark(const Mark& mark);
  Status reserve(std::uint64_t size);
  void write_zeros();
  Status create_segment(Offset base);
  Status open_active();
  Status truncate_to(Offset end);
  Status delete_oldest(std::size_t count, Retained& done);
  Status retire(Offset base);
  Status remove_retired(TimeUs now);
  Status recover_cleaned();
  Status install(const CleanedSegment& cleaned);
  std::string segment_path(Offset base) const;
  SegmentInfo& active() { return segments_.back(); }

  env::Env env_;
  Topic topic_;
  PartitionId partition_;
  std::string directory_;
  LogIdentity log_;
  std::unique_ptr<env::FileLock> lock_;
  std::unique_ptr<MarkFile> mark_file_;
  Mark mark_;                            ///< as last written
  std::shared_ptr<env::File> file_;      ///< of the active segment
  std::shared_ptr<env::File> lane_file_; ///< the same, for lane 1; null until it is needed
  std::uint64_t reserved_ = 0;           ///< size of that file
  std::uint64_t zero_ahead_ = 0;
  std::uint64_t zeroed_ = 0;             ///< end of the zeros in it
  std::vector<SegmentInfo> segments_;
  std::vector<StagedEpoch> staged_;
  ProducerStates producers_;
  std::map<Offset, Offset> ending_;      ///< ended transactions whose marker is not durable yet: begin -> marker
  struct Retired {
    std::string path;
    TimeUs due_us = 0;
  };
  std::vector<Retired> retired_;         ///< deleted, and still on disk
  Offset cleaned_to_;                    ///< compaction has been below it
  Offset next_;
  Offset synced_;
  Offset synced_base_;                   ///< segment and place where the synced records end
  std::uint64_t synced_position_ = 0;
  bool closed_ = false;
  Recovery recovery_;
  std::string frame_;                    ///< reused
  std::string stamped_;                  ///< reused: a batch whose time the log sets
  std::string scratch_;                  ///< reused: a batch decompressed
};

struct RepairOptions {
  bool abandon_staged = false;           ///< also take back prepared epochs whose job will not come back, and abort open Kafka transactions
};
/// Cuts a damaged partition where the damage begins, and rebuilds its mark. What lies below stays; what lies above is lost.
struct Repair {
  std::optional<Damage> damage;          ///< what was found; null when nothing was damaged
  std::uint64_t bytes_cut = 0;
  std::uint64_t records_abandoned = 0;   ///< staged ones, with abandon_staged
  std::uint64_t transactions_aborted = 0;   ///< of Kafka producers, with abandon_staged
  Offset end;                            ///< of the log afterwards
};
/// kStateLocked while a writer has the partition.
Result<Repair> repair_partition(const env::Env& env, const Topic& topic, PartitionId partition, RepairOptions options = {});

}  // namespace supyo::log
