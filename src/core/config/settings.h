#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "core/config/setting.h"

namespace supyo::config {

// Flink's settings, with Flink's names. Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/deployment/config/
inline constexpr Setting<DurationUs> kCheckpointInterval{{SettingKind::kDuration, "execution.checkpointing.interval", "100ms", "1ms", "1d", {}, "1ms|20ms|100ms|1s",
    "How often an epoch is closed and committed. The time until a result is visible is about this plus the sinks' commit time."}};
inline constexpr Setting<std::int64_t> kTolerableFailures{{SettingKind::kInteger, "execution.checkpointing.tolerable-failed-checkpoints", "0", "0", "2147483647", {}, "0|1|3",
    "How often in a row an epoch may fail to become durable (the disk of the state directory is full) and is tried again an interval later, before the job fails and restarts."}};
inline constexpr Setting<std::int64_t> kParallelism{{SettingKind::kInteger, "parallelism.default", "1", "1", "256", {}, "1|2|3|4",
    "Number of shards (threads). State can be restored at another number."}};
inline constexpr Setting<std::string_view> kPipelineName{{SettingKind::kText, "pipeline.name", "", {}, {}, {}, {},
    "A name for messages and metrics. It is not the job's identity: that is born with the state directory."}};
inline constexpr Setting<std::string_view> kRuntimeMode{{SettingKind::kChoice, "execution.runtime-mode", "streaming", {}, {}, "streaming|batch|automatic", {},
    "`batch` and `automatic` show only final rows of bounded queries; epochs and results are the same."}};
inline constexpr Setting<DurationUs> kIdleTimeout{{SettingKind::kDuration, "table.exec.source.idle-timeout", "0s", "0s", "365d", {}, "0s|1s|1m",
    "A source partition that gave nothing for so long no longer holds the watermark back. 0 = never."}};
inline constexpr Setting<DurationUs> kEmitAllowLateness{{SettingKind::kDuration, "table.exec.emit.allow-lateness", "0s", "0s", "365d", {}, {},
    "Rows behind the watermark by up to this go into their window and fire it again, as an update; what is behind further goes to `T$late`. TUMBLE, HOP and CUMULATE, also as table functions (which Flink leaves out)."}};
inline constexpr Setting<bool> kEmitLateFire{{SettingKind::kBool, "table.exec.emit.late-fire.enabled", "false", {}, {}, {}, {},
    "Whether 'table.exec.emit.late-fire.delay' counts; else a late row fires its window at once."}};
inline constexpr Setting<DurationUs> kEmitLateFireDelay{{SettingKind::kDuration, "table.exec.emit.late-fire.delay", "0s", "0s", "365d", {}, {},
    "How long late rows are gathered, by the clock, before their windows fire again."}};
inline constexpr Setting<bool> kEmitEarlyFire{{SettingKind::kBool, "table.exec.emit.early-fire.enabled", "false", {}, {}, {}, {},
    "Whether windows are given out before their end, with the rows they have."}};
inline constexpr Setting<DurationUs> kEmitEarlyFireDelay{{SettingKind::kDuration, "table.exec.emit.early-fire.delay", "0s", "0s", "365d", {}, {},
    "How long rows are gathered, by the clock, before an early firing; 0 = none."}};
inline constexpr Setting<std::string_view> kLocalTimeZone{{SettingKind::kText, "table.local-time-zone", "UTC", {}, {}, {}, {},
    "Zone in which TIMESTAMP_LTZ is shown, cast and cut into windows: UTC, an offset such as +09:00, or a name such as Asia/Seoul or Europe/Berlin."}};
inline constexpr Setting<DurationUs> kStateTtl{{SettingKind::kDuration, "table.exec.state.ttl", "0s", "0s", "3650d", {}, {},
    "What regular joins, GROUP BY, DISTINCT, deduplication, Top-N, OVER (but RANGE with a bound), set operations and tables by key keep ends so long, by the clock, after it was last written (0 = never). A hint sets it for one table: /*+ STATE_TTL('t' = '1d') */."}};
inline constexpr Setting<std::string_view> kAggPhase{{SettingKind::kChoice, "table.optimizer.agg-phase-strategy", "auto", {}, {}, "auto|one_phase|two_phase", {},
    "two_phase: rows are aggregated in the shard that has them before they go to the shard that owns their group, where all aggregates merge (COUNT, SUM, AVG, MIN, MAX). auto: so at parallelism above 1 for windows, without keys, and with mini-batch."}};
inline constexpr Setting<bool> kMiniBatch{{SettingKind::kBool, "table.exec.mini-batch.enabled", "false", {}, {}, {}, {},
    "Whether the first of two levels of a GROUP BY gathers rows over batches. Without it, and where there is one level, an aggregation emits one change a group and batch."}};
inline constexpr Setting<DurationUs> kMiniBatchLatency{{SettingKind::kDuration, "table.exec.mini-batch.allow-latency", "0s", "0s", "1d", {}, {},
    "How long it gathers at most; never beyond the end of an epoch. 0 = as long as the epoch."}};
inline constexpr Setting<std::int64_t> kMiniBatchSize{{SettingKind::kInteger, "table.exec.mini-batch.size", "-1", "-1", {}, {}, {},
    "How many rows it gathers at most in each shard. -1: as many as make 8192 groups."}};
inline constexpr Setting<bool> kSplitDistinct{{SettingKind::kBool, "table.optimizer.distinct-agg.split.enabled", "false", {}, {}, {}, {},
    "Whether an aggregation with DISTINCT and without a window is done in two: first by its keys and a bucket of the values, then by its keys, so that a key with many values is spread over the shards."}};
inline constexpr Setting<std::int64_t> kSplitBuckets{{SettingKind::kInteger, "table.optimizer.distinct-agg.split.bucket-num", "1024", "1", "65536", {}, {},
    "Into how many buckets."}};
inline constexpr Setting<std::string_view> kUpsertMaterialize{{SettingKind::kChoice, "table.exec.sink.upsert-materialize", "auto", {}, {}, "auto|none|force", {},
    "Whether all rows of a key are kept before a sink by key, so that it has the last of them whatever the order in which rows come and go. auto: where the rows are not told apart by that key. none: never; then the order is the query's own affair."}};
inline constexpr Setting<std::string_view> kNotNullEnforcer{{SettingKind::kChoice, "table.exec.sink.not-null-enforcer", "error", {}, {}, "error|drop", {},
    "What a null in a NOT NULL column of a sink does: the job fails, or the row is left out."}};
inline constexpr Setting<bool> kDuplicateChanges{{SettingKind::kBool, "table.exec.source.cdc-events-duplicate", "false", {}, {}, {}, {},
    "Whether a changelog (debezium-json) may bring a change more than once. true: its table needs a PRIMARY KEY, and the last row of each key is kept, so that what comes again changes nothing that stays."}};
inline constexpr Setting<std::string_view> kNondeterministicUpdate{{SettingKind::kChoice, "table.optimizer.non-deterministic-update.strategy", "ignore", {}, {}, "ignore|try_resolve", {},
    "What is of the clock (NOW(), CURRENT_DATE ..) over rows that are updated is another value when a row is taken back. ignore: so be it, as in Flink. try_resolve: a query where that can show is refused. RAND() and UUID() take back what they gave in any case."}};
inline constexpr Setting<std::string_view> kStateBackend{{SettingKind::kChoice, "state.backend.type", "hashmap", {}, {}, "hashmap|rocksdb", {},
    "Where state is while the job runs. hashmap: in memory. rocksdb: in memory up to a limit, and what was not looked at for long in RocksDB on disk. Rows and the state directory are the same: either goes on where the other was.", "state.backend"}};
inline constexpr Setting<std::int64_t> kRocksdbMemory{{SettingKind::kSize, "state.backend.rocksdb.memory.fixed-per-slot", "256mb", "1", "1tb", {}, {},
    "rocksdb: memory of a shard for the records of its state, RocksDB's own buffers included. Beyond it some 25 bytes an entry stay in memory, and what operators keep beside their tables."}};
inline constexpr Setting<std::string_view> kRocksdbDirectory{{SettingKind::kText, "state.backend.rocksdb.localdir", "", {}, {}, {}, {},
    "rocksdb: where its scratch files are made, in a directory of their own. Empty: inside the state directory, or without one in /tmp. Nothing there is needed after the run."}};
inline constexpr Setting<std::string_view> kRestartStrategy{{SettingKind::kChoice, "restart-strategy.type", "exponential-delay", {}, {}, "none|fixed-delay|exponential-delay", {},
    "What happens after a failure that trying again may mend.", "restart-strategy"}};
inline constexpr Setting<std::int64_t> kRestartAttempts{{SettingKind::kInteger, "restart-strategy.fixed-delay.attempts", "3", "1", "1000000", {}, {},
    "fixed-delay: restarts before the job fails."}};
inline constexpr Setting<DurationUs> kRestartDelay{{SettingKind::kDuration, "restart-strategy.fixed-delay.delay", "1s", "0s", "1d", {}, "0s|1s",
    "fixed-delay: wait between a failure and the restart."}};
inline constexpr Setting<DurationUs> kRestartInitialBackoff{{SettingKind::kDuration, "restart-strategy.exponential-delay.initial-backoff", "100ms", "1ms", "1d", {}, {},
    "exponential-delay: the first wait; it doubles with every further failure."}};
inline constexpr Setting<DurationUs> kRestartMaxBackoff{{SettingKind::kDuration, "restart-strategy.exponential-delay.max-backoff", "10s", "1ms", "1d", {}, {},
    "exponential-delay: the longest wait."}};
inline constexpr Setting<std::int64_t> kRestartMaxAttempts{{SettingKind::kInteger, "restart-strategy.exponential-delay.attempts-before-reset-backoff", "10", "1", "1000000", {}, {},
    "exponential-delay: failures in a row, without an epoch made final between them, before the job fails."}};

// Supyo's own.
inline constexpr Setting<std::string_view> kOutputConsistency{{SettingKind::kChoice, "supyo.output-consistency", "eager", {}, {}, "eager|cut", {},
    "When results that change are given out. eager: as they come, as Flink does; on the way two inputs may show differently far. cut: once an epoch, as the query over exactly the inputs before its cut."}};
inline constexpr Setting<std::int64_t> kBatchRows{{SettingKind::kInteger, "supyo.batch.rows", "1024", "1", "4096", {}, "1|7|1024",
    "Rows that a source puts in one batch at most. Results do not depend on it."}};
inline constexpr Setting<std::int64_t> kExchangeBatches{{SettingKind::kInteger, "supyo.exchange.batches", "16", "1", "4096", {}, "1|2|16",
    "Batches that wait between two shards at most; a full queue is backpressure."}};
inline constexpr Setting<std::int64_t> kEpochRows{{SettingKind::kInteger, "supyo.epoch.rows", "0", "0", {}, {}, "0|1|100",
    "Closes an epoch after so many source rows, before its interval is over. 0 = by time only."}};
inline constexpr Setting<std::int64_t> kJournalSegment{{SettingKind::kSize, "supyo.journal.segment-size", "4mb", "4kb", "1gb", {}, "4kb|64kb",
    "Size of a journal segment file."}};
inline constexpr Setting<std::int64_t> kSnapshotAfter{{SettingKind::kSize, "supyo.snapshot.after", "32mb", "1kb", "1tb", {}, "1kb|16kb",
    "A snapshot is built once so much journal (and half the size of the last snapshot) lies behind the last one."}};
inline constexpr Setting<DurationUs> kLateRetention{{SettingKind::kDuration, "supyo.late.retention", "0s", "0s", "3650d", {}, {},
    "How long rows stay readable in `T$late` (set when the table is born). 0 = for ever."}};
inline constexpr Setting<DurationUs> kDeadRetention{{SettingKind::kDuration, "supyo.dead.retention", "0s", "0s", "3650d", {}, {},
    "How long records stay readable in `T$dead` (set when the table is born). 0 = for ever."}};

/// Every setting above, in the order of the reference.
std::span<const SettingSpec* const> all_settings();

/// What SET did.
enum class SetOutcome : std::uint8_t {
  kSet,
  kNoEffect,   ///< a setting of Flink's that changes no result and means nothing here (memory, slots, the SQL client's display): taken, so that a Flink file runs
};

/// The settings of one job or session. A plain value: copy it, then change the copy.
class Settings {
 public:
  /// Errors: kUnknownOption (with the nearest name), kBadOptionValue (with what is expected).
  Result<SetOutcome> set(std::string_view name, std::string_view text);
  /// Back to the default; with an empty name all of them. kUnknownOption.
  Status reset(std::string_view name = {});

  /// The value, or the default. Durations are microseconds, sizes bytes; a string_view lives as long as this object is unchanged.
  template <class T>
  T get(const Setting<T>& setting) const {
    return std::get<T>(value(setting));
  }
  /// As it was set, or the default. Errors: kUnknownOption.
  Result<std::string> text(std::string_view name) const;
  bool is_set(const SettingSpec& setting) const { return texts_.contains(setting.name); }
  /// Name and text of what is not at its default.
  const std::map<std::string, std::string, std::less<>>& changed() const { return texts_; }

 private:
  using Value = std::variant<bool, std::int64_t, std::string_view>;
  Value value(const SettingSpec& setting) const;

  std::map<std::string, std::string, std::less<>> texts_;
};

/// The setting of that name (or alias). Errors: kUnknownOption, with the nearest name as hint.
Result<const SettingSpec*> find_setting(std::string_view name);

/// Nearest of `known` to `wanted` by edits, for "did you mean"; empty when none is near. Also for options of tables, and for names in SQL.
std::string nearest(std::string_view wanted, std::span<const std::string> known);

/// "64kb", "4 mb", "1gb", "512" (bytes): Flink's memory sizes. kBadOptionValue.
Result<std::int64_t> parse_size(std::string_view s);

/// A value for the simulation: one of the setting's `sim` values, picked by `draw`; the default when it has none.
std::string_view simulated_text(const SettingSpec& setting, std::uint64_t draw);

/// docs/reference/settings.md.
std::string settings_reference();

}  // namespace supyo::config
