#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include "connect/stream/record_headers.h"
#include "connect/stream/stream.h"
#include "connect/stream/stream_options.h"
#include "core/base/bytes.h"
#include "core/base/hash.h"
#include "data/formats/columnar.h"
#include "data/log/partition_writer.h"

namespace supyo::connect {
namespace {

using dataflow::CommitHandle;
using dataflow::CommitOutcome;

constexpr std::size_t kFrameTarget = 128 << 10;        // bytes of records in a frame: large enough for the checksum, small enough for the cache
constexpr DurationUs kRetentionInterval = 10 * kSecond;

/// The topic that one job's shards write together. The log has one writer a partition; shards take turns.
///
/// The committed end of a partition only moves forward, so the records of an epoch must lie before those of the next one: shards keep an epoch's
/// records until it is prepared (epoch e + 1 is not prepared before e is visible). A single shard is in order anyway and appends as it goes.
struct SharedTopic {
  std::mutex mutex;
  log::Topic topic;
  std::vector<std::unique_ptr<log::PartitionWriter>> partitions;
  std::uint64_t writer = 0;   // Transaction::writer
};

/// Where each partition that a shard wrote ends with the epoch.
CommitHandle encode(const std::vector<std::pair<PartitionId, Offset>>& ends) {
  CommitHandle handle;
  ByteWriter w(handle);
  for (const auto& [partition, end] : ends) {
    w.u32(static_cast<std::uint32_t>(partition.value));
    w.i64(end.value);
  }
  return handle;
}

/// Records, or rows in columns, that go into the log as one frame.
using Frame = std::variant<log::RecordBatch, log::ColumnarBatch>;

/// Rows on their way into a columnar frame.
class ColumnFiller {
 public:
  explicit ColumnFiller(const Schema& schema) : schema_(&schema), rows_(schema) {}
  void add(const Batch& values, std::size_t row, TimeUs timestamp_us) {
    for (std::size_t c = 0; c < values.columns.size(); ++c) {
      const Column& column = *values.columns[c];
      rows_.column(c).append_from(column, row);
      if (column.type().is_variable() && !column.is_null(row)) text_ += column.text(row).size();
    }
    rows_.end_row();
    timestamps_.push_back(timestamp_us);
  }
  bool empty() const { return timestamps_.empty(); }
  bool full() const { return rows_.full() || text_ >= kTextTarget; }
  log::ColumnarBatch take() {
    formats::ColumnarBlock block = formats::encode_columns(*rows_.finish(), *schema_);
    text_ = 0;
    return {.timestamps = std::exchange(timestamps_, {}), .head = std::move(block.head), .parts = std::move(block.columns), .part_bytes = std::move(block.bytes)};
  }

 private:
  static constexpr std::size_t kTextTarget = 1U << 20;   // a whole batch of rows; fewer when they are long
  const Schema* schema_;
  BatchBuilder rows_;
  std::vector<TimeUs> timestamps_;
  std::size_t text_ = 0;
};

class StreamWriter final : public dataflow::SinkWriter {
 public:
  StreamWriter(const StreamSinkConfig& config, const dataflow::SinkOpen& open, std::uint32_t shard, std::shared_ptr<SharedTopic> topic, std::unique_ptr<formats::Encoder> value,
               std::unique_ptr<formats::Encoder> key)
      : config_(config), env_(open.env), alone_(open.shards == 1), at_once_(config.guarantee != DeliveryGuarantee::kExactlyOnce), topic_(std::move(topic)), value_(std::move(value)), key_(std::move(key)), next_partition_(shard) {
    partitions_.resize(topic_->partitions.size());
    if (config_.columnar)
      for (Partition& p : partitions_) p.columns.emplace(config_.value_schema);
  }

  Status write(const BatchPtr& batch, Epoch epoch) override {
    Batch values = project(*batch, config_.value_positions);
    values.kinds = batch->kinds;
    const Batch keys = project(*batch, config_.key_positions);
    const TimeUs now = env_.clock.now_us();
    const std::size_t sticky = key_ ? 0 : next_partition_++ % partitions_.size();   // without a key, batches go round
    for (std::size_t row = 0; row < batch->rows; ++row) {
      std::size_t p = sticky;
      if (key_) {
        key_text_.clear();
        key_->encode(keys, row, key_text_);
        p = shard_of(hash_bytes(key_text_), static_cast<std::uint32_t>(partitions_.size()));
      }
      Partition& to = partitions_[p];
      const bool gone = config_.upsert && is_retraction(batch->kind(row));
      if (gone && is_replaced(*batch, keys, row)) continue;
      const TimeUs timestamp = config_.timestamp(*batch, row, now);
      if (to.columns) {
        to.columns->add(values, row, timestamp);
        if (to.columns->full()) SUPYO_TRY(frame_full(to, p, epoch));
        continue;
      }
      if (!gone) value_->encode(values, row, to.filling.values());
      std::string headers;
      if (config_.headers_position) {
        SUPYO_ASSIGN(headers, wire_headers(*batch->columns[*config_.headers_position], row));
      }
      to.filling.end_record(timestamp, key_ ? std::optional<std::string_view>(key_text_) : std::nullopt, !gone, headers);
      if (to.filling.bytes() >= kFrameTarget) SUPYO_TRY(frame_full(to, p, epoch));
    }
    if (value_) SUPYO_TRY(value_->status());
    return at_once_ ? append_at_once() : ok();
  }

  Status begin_prepare(Epoch e) override {
    if (at_once_) return ok();   // it is in the log
    for (Partition& p : partitions_) {
      if (p.columns && !p.columns->empty()) p.full.emplace_back(p.columns->take());
      if (!p.filling.empty()) p.full.emplace_back(std::exchange(p.filling, {}));
      p.preparing = std::move(p.full);
      p.full.clear();
    }
    // A shard that appends as it goes does so up to the cut now: rows of the next epoch may come before poll_prepare does.
    return alone_ ? append_prepared(e) : ok();
  }

  Result<dataflow::PolledPrepare> poll_prepare(Epoch e) override {
    if (!alone_) SUPYO_TRY(append_prepared(e));
    const std::lock_guard lock(topic_->mutex);
    for (const auto& [partition, end] : ends_) SUPYO_TRY(topic_->partitions[static_cast<std::size_t>(partition.value)]->flush());
    return dataflow::PolledPrepare{.done = true, .handle = encode(std::exchange(ends_, {})), .poll = dataflow::Poll::more()};
  }

 private:
  struct Partition {
    log::RecordBatch filling;
    std::optional<ColumnFiller> columns;   // instead of it
    std::vector<Frame> full;               // of the epoch being filled
    std::vector<Frame> preparing;          // of the epoch before it
    bool appended = false;                     // some of the epoch's records are in the log already
  };

  /// What takes a row back deletes its key, unless the row that replaces it follows (a filter may have kept that one away).
  bool is_replaced(const Batch& batch, const Batch& keys, std::size_t row) {
    if (row + 1 >= batch.rows || batch.kind(row + 1) != RowKind::kUpdateAfter) return false;
    next_key_text_.clear();
    key_->encode(keys, row + 1, next_key_text_);
    return next_key_text_ == key_text_;
  }

  /// At least once: what came is in no transaction and everybody's at once; a job that comes again after a failure writes it again.
  Status append_at_once() {
    const std::lock_guard lock(topic_->mutex);
    for (std::size_t p = 0; p < partitions_.size(); ++p) {
      Partition& from = partitions_[p];
      if (from.columns && !from.columns->empty()) from.full.emplace_back(from.columns->take());
      if (!from.filling.empty()) from.full.emplace_back(std::exchange(from.filling, {}));
      if (from.full.empty()) continue;
      log::PartitionWriter& to = *topic_->partitions[p];
      for (const Frame& f : from.full) SUPYO_TRY(std::visit([&](const auto& frame) { return to.append(frame); }, f));
      from.full.clear();
      SUPYO_TRY(to.flush());
    }
    return ok();
  }

  /// Puts what is left of epoch `e` into the log, and notes where it ends there.
  Status append_prepared(Epoch e) {
    const std::lock_guard lock(topic_->mutex);
    for (std::size_t p = 0; p < partitions_.size(); ++p) {
      Partition& from = partitions_[p];
      if (from.preparing.empty() && !from.appended) continue;
      log::PartitionWriter& to = *topic_->partitions[p];
      for (const Frame& f : from.preparing) SUPYO_TRY(append(to, f, e));
      from.preparing.clear();
      from.appended = false;
      ends_.emplace_back(PartitionId(static_cast<std::int32_t>(p)), to.next_offset());
    }
    return ok();
  }

  Result<Offset> append(log::PartitionWriter& to, const Frame& frame, Epoch e) const {
    return std::visit([&](const auto& f) { return to.append(f, {topic_->writer, e}); }, frame);
  }

  Status frame_full(Partition& p, std::size_t index, Epoch epoch) {
    if (!alone_ || at_once_) {
      if (p.columns) p.full.emplace_back(p.columns->take());
      else p.full.emplace_back(std::exchange(p.filling, {}));
      return ok();
    }
    const std::lock_guard lock(topic_->mutex);
    log::PartitionWriter& to = *topic_->partitions[index];
    if (p.columns) SUPYO_TRY(to.append(p.columns->take(), {topic_->writer, epoch}));
    else SUPYO_TRY(to.append(p.filling, {topic_->writer, epoch}));
    p.filling.clear();
    p.appended = true;
    return ok();
  }

  const StreamSinkConfig& config_;
  env::Env env_;
  bool alone_;
  bool at_once_;   // at least once
  std::shared_ptr<SharedTopic> topic_;
  std::unique_ptr<formats::Encoder> value_;
  std::unique_ptr<formats::Encoder> key_;
  std::size_t next_partition_;
  std::vector<Partition> partitions_;
  std::vector<std::pair<PartitionId, Offset>> ends_;   // of the epoch being prepared
  std::string key_text_, next_key_text_;
};

class StreamCommitter final : public dataflow::SinkCommitter {
 public:
  StreamCommitter(const dataflow::SinkOpen& open, std::shared_ptr<SharedTopic> topic) : env_(open.env), faults_(open.faults), topic_(std::move(topic)) {}

  Result<dataflow::PolledCommit> poll_commit(Epoch e, const std::vector<CommitHandle>& handles) override {
    const TimeUs now = env_.clock.now_us();
    const std::optional<TimeUs> until = gate_.wait_until(faults_, "stream.commit.before", now);
    if (!until) return fail(ErrorCode::kOutsideUnavailable, fmt::format("topic '{}': the commit of epoch {} failed by a fault point", topic_->topic.name, e.value));
    if (now < *until) return dataflow::PolledCommit{.outcome = CommitOutcome::kPending, .poll = dataflow::Poll::waiting_until(*until)};
    gate_.reset();

    std::vector<Offset> ends(topic_->partitions.size());
    for (const CommitHandle& h : handles) SUPYO_TRY(merge(h, ends));
    const std::lock_guard lock(topic_->mutex);
    bool visible_now = false;
    bool visible_before = false;
    for (std::size_t p = 0; p < ends.size(); ++p) {
      if (ends[p] == Offset(0)) continue;
      SUPYO_ASSIGN(const auto result, topic_->partitions[p]->commit_epoch({topic_->writer, e}, ends[p]));
      (result == log::CommitResult::kVisibleNow ? visible_now : visible_before) = true;
    }
    SUPYO_TRY(retain(now));
    const CommitOutcome outcome = visible_before && !visible_now ? CommitOutcome::kWasVisible : CommitOutcome::kVisibleNow;
    return dataflow::PolledCommit{.outcome = outcome, .poll = dataflow::Poll::more()};
  }

  Status abandon_after(Epoch last) override {
    const std::lock_guard lock(topic_->mutex);
    for (auto& p : topic_->partitions) SUPYO_TRY(p->abandon_after({topic_->writer, last}));
    return ok();
  }

 private:
  Status merge(const CommitHandle& handle, std::vector<Offset>& ends) const {
    ByteReader r(handle);
    while (!r.done()) {
      const std::uint32_t partition = r.u32();
      const Offset end(r.i64());
      if (r.failed() || partition >= ends.size()) return fail(ErrorCode::kDamaged, fmt::format("a commit handle of topic '{}' is unreadable", topic_->topic.name));
      ends[partition] = std::max(ends[partition], end);
    }
    return ok();
  }

  Status retain(TimeUs now) {
    const log::TopicConfig& c = topic_->topic.config;
    if ((c.retention_bytes < 0 && c.retention_ms < 0 && !c.cleanup_compact) || now < next_retention_us_) return ok();
    next_retention_us_ = now + kRetentionInterval;
    for (auto& p : topic_->partitions) {
      SUPYO_TRY(p->retain());
      if (c.cleanup_compact) SUPYO_TRY(p->compact());
    }
    return ok();
  }

  env::Env env_;
  const FaultPoints& faults_;
  std::shared_ptr<SharedTopic> topic_;
  FaultGate gate_;
  TimeUs next_retention_us_ = 0;
};

class StreamSink final : public dataflow::Sink {
 public:
  explicit StreamSink(StreamSinkConfig config) : config_(std::move(config)) {}
  std::string_view name() const override { return config_.table; }
  DeliveryGuarantee guarantee() const override { return config_.guarantee; }
  bool readable_as_written() const override { return config_.guarantee != DeliveryGuarantee::kExactlyOnce; }

  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen& open) override {
    auto shared = std::make_shared<SharedTopic>();
    const std::int64_t retention_ms = config_.retention_us == 0 ? -1 : config_.retention_us / kMillisecond;
    SUPYO_ASSIGN(shared->topic, log::open_or_create_topic(open.env, config_.where.log_directory, config_.where.topic,
                                                          {.partitions = config_.partitions, .retention_ms = retention_ms, .cleanup_delete = !config_.upsert, .cleanup_compact = config_.upsert}));
    shared->writer = log::writer_fingerprint(open.job.job_id, open.job.sink_id);
    for (std::int32_t p = 0; p < shared->topic.config.partitions; ++p) {
      SUPYO_ASSIGN(auto writer, log::PartitionWriter::open(open.env, shared->topic, PartitionId(p)));
      for (const log::StagedEpoch& s : writer->recovery().staged) {
        if (s.transaction.writer == shared->writer) continue;
        return fail(ErrorCode::kSinkOfOtherJob, fmt::format("topic '{}', partition {}: epoch {} of another job is prepared and not committed", shared->topic.name, p, s.transaction.epoch.value),
                    "start that job again on its state directory to finish it; if that is gone, `supyo log repair --abandon-staged` takes its rows back");
      }
      shared->partitions.push_back(std::move(writer));
    }
    shared_ = shared;
    return std::make_unique<StreamCommitter>(open, std::move(shared));
  }

  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen& open, std::uint32_t shard) override {
    std::shared_ptr<SharedTopic> shared = shared_.lock();
    if (!shared) return fail(ErrorCode::kInternal, fmt::format("sink '{}': a writer was opened without a committer", config_.table));
    std::unique_ptr<formats::Encoder> value;
    if (!config_.columnar) {
      SUPYO_ASSIGN(value, formats::make_encoder(config_.format, config_.value_schema));
    }
    std::unique_ptr<formats::Encoder> key;
    if (!config_.key_positions.empty()) {
      SUPYO_ASSIGN(key, formats::make_encoder(config_.key_format, config_.key_schema));
    }
    return std::make_unique<StreamWriter>(config_, open, shard, std::move(shared), std::move(value), std::move(key));
  }

 private:
  StreamSinkConfig config_;
  std::weak_ptr<SharedTopic> shared_;   // owned by the committer and the writers: closed when the job's attempt ends
};

}  // namespace

Result<std::shared_ptr<dataflow::Sink>> make_stream_sink(const catalog::SinkRequest& request, const env::Env& env, bool upsert) {
  (void)env;
  SUPYO_ASSIGN(StreamSinkConfig config, stream_sink_config(request, upsert));
  if (!config.columnar) SUPYO_TRY(formats::make_encoder(config.format, config.value_schema));   // checked before the job starts
  if (!config.key_positions.empty()) SUPYO_TRY(formats::make_encoder(config.key_format, config.key_schema));
  return std::make_shared<StreamSink>(std::move(config));
}

}  // namespace supyo::connect
