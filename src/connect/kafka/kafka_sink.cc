#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "connect/kafka/client.h"
#include "connect/kafka/epoch_sender.h"
#include "connect/kafka/kafka.h"
#include "connect/stream/record_headers.h"
#include "connect/stream/stream.h"
#include "connect/stream/stream_options.h"
#include "core/base/bytes.h"

namespace supyo::connect {
namespace {

using namespace kafka;   // the room's own
using dataflow::CommitOutcome;
using dataflow::Poll;

constexpr DurationUs kPollInterval = kMillisecond;
constexpr int kOpenTimeoutMs = 10'000;

/// Rows as records: encoded key and value, and the timestamp.
class RecordEncoder {
 public:
  static Result<RecordEncoder> make(const StreamSinkConfig& config) {
    RecordEncoder e(config);
    SUPYO_ASSIGN(e.value_, formats::make_encoder(config.format, config.value_schema));
    if (!config.key_positions.empty()) {
      SUPYO_ASSIGN(e.key_, formats::make_encoder(config.key_format, config.key_schema));
    }
    return e;
  }

  /// Calls `put(key, value, timestamp_ms, headers)` with optional views for each row that makes a record; headers as on the wire.
  template <class Put>
  Status each(const Batch& batch, TimeUs now, Put put) {
    Batch values = project(batch, config_->value_positions);
    values.kinds = batch.kinds;
    const Batch keys = project(batch, config_->key_positions);
    for (std::size_t row = 0; row < batch.rows; ++row) {
      const RowKind kind = batch.kind(row);
      // What takes a row back deletes its key, unless the row that replaces it follows (a filter may have kept that one away).
      const bool gone = config_->upsert && is_retraction(kind);
      std::optional<std::string_view> key, value;
      if (key_) {
        key_text_.clear();
        key_->encode(keys, row, key_text_);
        key = key_text_;
      }
      if (gone && row + 1 < batch.rows && batch.kind(row + 1) == RowKind::kUpdateAfter) {
        next_key_text_.clear();
        key_->encode(keys, row + 1, next_key_text_);
        if (next_key_text_ == key_text_) continue;
      }
      if (!gone) {
        value_text_.clear();
        value_->encode(values, row, value_text_);
        value = value_text_;
      }
      std::string headers;
      if (config_->headers_position) {
        SUPYO_ASSIGN(headers, wire_headers(*batch.columns[*config_->headers_position], row));
      }
      SUPYO_TRY(put(key, value, config_->timestamp(batch, row, now) / kMillisecond, headers));
    }
    return value_->status();
  }

 private:
  explicit RecordEncoder(const StreamSinkConfig& config) : config_(&config) {}
  const StreamSinkConfig* config_;
  std::unique_ptr<formats::Encoder> value_, key_;
  std::string key_text_, next_key_text_, value_text_;
};

// ---- exactly once ----

class StagingWriter final : public dataflow::SinkWriter {
 public:
  StagingWriter(RecordEncoder encoder, const env::Env& env, std::uint32_t shard, std::shared_ptr<EpochSender> sender)
      : encoder_(std::move(encoder)), env_(env), shard_(shard), sender_(std::move(sender)) {}

  Status write(const BatchPtr& batch, Epoch) override {
    if (staged_.empty()) StagedRecords::begin(staged_, shard_);
    ByteWriter w(staged_);
    return encoder_.each(*batch, env_.clock.now_us(), [&](const auto& key, const auto& value, std::int64_t timestamp_ms, std::string_view headers) -> Status {
      w.u8(static_cast<std::uint8_t>((key ? StagedRecords::kHasKey : 0) | (value ? StagedRecords::kHasValue : 0) | (headers.empty() ? 0 : StagedRecords::kHasHeaders)));
      w.i64(timestamp_ms);
      if (key) w.text(*key);
      if (value) w.text(*value);
      if (!headers.empty()) w.text(headers);
      return ok();
    });
  }

  Status begin_prepare(Epoch) override {
    prepared_ = std::move(staged_);
    staged_.clear();
    return ok();
  }

  Result<dataflow::PolledPrepare> poll_prepare(Epoch) override {
    SUPYO_ASSIGN(const bool ready, sender_->ready());
    if (!ready) return dataflow::PolledPrepare{.done = false, .handle = {}, .poll = Poll::waiting_until(env_.clock.now_us() + kPollInterval)};
    return dataflow::PolledPrepare{.done = true, .handle = std::exchange(prepared_, {}), .poll = Poll::more()};
  }

 private:
  RecordEncoder encoder_;
  env::Env env_;
  std::uint32_t shard_;
  std::shared_ptr<EpochSender> sender_;
  std::string staged_, prepared_;
};

class StagingCommitter final : public dataflow::SinkCommitter {
 public:
  StagingCommitter(const dataflow::SinkOpen& open, std::shared_ptr<EpochSender> sender) : env_(open.env), faults_(open.faults), sender_(std::move(sender)) {}

  Result<dataflow::PolledCommit> poll_commit(Epoch e, const std::vector<dataflow::CommitHandle>& handles) override {
    const TimeUs now = env_.clock.now_us();
    const std::optional<TimeUs> until = gate_.wait_until(faults_, "kafka.commit.before", now);
    if (!until) return fail(ErrorCode::kOutsideUnavailable, fmt::format("the commit of epoch {} failed by a fault point", e.value));
    if (now < *until) return dataflow::PolledCommit{.outcome = CommitOutcome::kPending, .poll = Poll::waiting_until(*until)};
    SUPYO_ASSIGN(const CommitOutcome outcome, sender_->send(e, handles));
    if (outcome != CommitOutcome::kPending) gate_.reset();
    return dataflow::PolledCommit{.outcome = outcome, .poll = Poll::waiting_until(now + kPollInterval)};
  }
  Status abandon_after(Epoch last) override {
    sender_->recovered(last);   // what lies beyond is only in handles that nobody has any more
    return ok();
  }

 private:
  env::Env env_;
  const FaultPoints& faults_;
  std::shared_ptr<EpochSender> sender_;
  FaultGate gate_;
};

// ---- at least once ----

/// One idempotent producer of all shards.
struct SharedProducer {
  explicit SharedProducer(const std::string& table) : listener(table) {}
  ~SharedProducer() {
    if (client) (void)rd_kafka_flush(client.get(), 1000);
  }
  struct Deliveries : Listener {
    using Listener::Listener;
    std::mutex mutex;
    std::string failure;
  } listener;
  Owned<rd_kafka_t> client;
  Owned<rd_kafka_topic_t> topic;
  std::int32_t partitions = 1;

  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* m, void* opaque) {
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      auto* d = static_cast<Deliveries*>(static_cast<Listener*>(opaque));
      const std::lock_guard lock(d->mutex);
      d->failure = rd_kafka_err2str(m->err);
    }
    static_cast<std::atomic<std::uint64_t>*>(m->_private)->fetch_add(1, std::memory_order_relaxed);
  }
  Status check(std::string_view topic_name) {
    const std::lock_guard lock(listener.mutex);
    if (listener.failure.empty()) return ok();
    return unavailable(fmt::format("topic '{}': a record was not delivered", topic_name), listener.failure, listener);
  }
};

class DirectWriter final : public dataflow::SinkWriter {
 public:
  DirectWriter(const StreamSinkConfig& config, RecordEncoder encoder, const env::Env& env, std::uint32_t shard, std::shared_ptr<SharedProducer> producer)
      : config_(config), encoder_(std::move(encoder)), env_(env), shard_(shard), producer_(std::move(producer)) {}
  ~DirectWriter() override {
    // Reports name the counters below.
    if (outstanding()) (void)rd_kafka_purge(producer_->client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (outstanding()) (void)rd_kafka_poll(producer_->client.get(), 10);
  }

  Status write(const BatchPtr& batch, Epoch epoch) override {
    SUPYO_TRY(producer_->check(config_.where.topic));
    Count& count = counts_[static_cast<std::size_t>(epoch.value) & 1];
    const Status done = encoder_.each(*batch, env_.clock.now_us(), [&](const auto& key, const auto& value, std::int64_t timestamp_ms, std::string_view headers) {
      return put(count, {.partition = partition_for_next(), .key = key, .value = value, .headers = headers, .timestamp_ms = timestamp_ms, .opaque = &count.reported});
    });
    (void)rd_kafka_poll(producer_->client.get(), 0);
    return done;
  }
  Status begin_prepare(Epoch e) override {
    preparing_ = static_cast<std::size_t>(e.value) & 1;
    return ok();
  }
  Result<dataflow::PolledPrepare> poll_prepare(Epoch) override {
    (void)rd_kafka_poll(producer_->client.get(), 0);
    SUPYO_TRY(producer_->check(config_.where.topic));
    Count& count = counts_[preparing_];
    if (count.reported.load(std::memory_order_relaxed) < count.sent) return dataflow::PolledPrepare{.done = false, .handle = {}, .poll = Poll::waiting_until(env_.clock.now_us() + kPollInterval)};
    const bool wrote = count.sent > 0;
    count.sent = 0;
    count.reported.store(0, std::memory_order_relaxed);
    return dataflow::PolledPrepare{.done = true, .handle = wrote ? "delivered" : "", .poll = Poll::more()};
  }

 private:
  struct Count {
    std::uint64_t sent = 0;
    std::atomic<std::uint64_t> reported = 0;
  };
  bool outstanding() const {
    return std::ranges::any_of(counts_, [](const Count& c) { return c.reported.load(std::memory_order_relaxed) < c.sent; });
  }

  std::int32_t partition_for_next() {
    if (config_.partitioner == SinkPartitioner::kFixed) return static_cast<std::int32_t>(shard_) % producer_->partitions;
    if (config_.partitioner == SinkPartitioner::kRoundRobin) return next_partition_ = (next_partition_ + 1) % producer_->partitions;
    return RD_KAFKA_PARTITION_UA;
  }

  Status put(Count& count, const OutgoingRecord& record) {
    while (true) {
      const auto e = produce(producer_->client.get(), producer_->topic.get(), record);
      if (e == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      if (e != RD_KAFKA_RESP_ERR__QUEUE_FULL) return unavailable(fmt::format("topic '{}': sending a record", config_.where.topic), rd_kafka_err2str(e), producer_->listener);
      (void)rd_kafka_poll(producer_->client.get(), 10);   // backpressure: what is queued is tried for message.timeout.ms at most
      SUPYO_TRY(producer_->check(config_.where.topic));
    }
    ++count.sent;
    return ok();
  }

  const StreamSinkConfig& config_;
  RecordEncoder encoder_;
  env::Env env_;
  std::uint32_t shard_;
  std::shared_ptr<SharedProducer> producer_;
  std::array<Count, 2> counts_;   // of even and of odd epochs: the one being filled and the one being prepared
  std::size_t preparing_ = 0;
  std::int32_t next_partition_ = -1;
};

/// Everything was delivered before the epoch was final.
class DirectCommitter final : public dataflow::SinkCommitter {
 public:
  explicit DirectCommitter(std::shared_ptr<SharedProducer> producer) : producer_(std::move(producer)) {}
  Result<dataflow::PolledCommit> poll_commit(Epoch, const std::vector<dataflow::CommitHandle>&) override { return dataflow::PolledCommit{.outcome = CommitOutcome::kVisibleNow, .poll = Poll::more()}; }

 private:
  std::shared_ptr<SharedProducer> producer_;   // for the writers, which come and go before it
};

class KafkaSink final : public dataflow::Sink {
 public:
  explicit KafkaSink(StreamSinkConfig config) : config_(std::move(config)) {}
  std::string_view name() const override { return config_.table; }
  DeliveryGuarantee guarantee() const override { return config_.guarantee; }
  bool readable_as_written() const override { return config_.guarantee != DeliveryGuarantee::kExactlyOnce; }

  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen& open) override {
    if (open.env.threads == nullptr) return fail(ErrorCode::kUnsupported, fmt::format("table '{}': brokers do not live in virtual time", config_.table));
    if (config_.guarantee != DeliveryGuarantee::kExactlyOnce) return open_direct();
    auto sender = std::make_shared<EpochSender>(SenderConfig{.sink = config_, .transactional_id = fmt::format("{}-{}-{}", config_.transactional_id_prefix, open.job.job_id, open.job.sink_id),
                                                             .epochs_group = fmt::format("supyo-epochs-{}-{}", open.job.job_id, open.job.sink_id), .job_id = open.job.job_id, .last_final = open.last_final},
                                                open.env);
    sender_ = sender;
    return std::make_unique<StagingCommitter>(open, std::move(sender));
  }

  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen& open, std::uint32_t shard) override {
    SUPYO_ASSIGN(RecordEncoder encoder, RecordEncoder::make(config_));
    if (config_.guarantee == DeliveryGuarantee::kExactlyOnce) {
      auto sender = sender_.lock();
      if (!sender) return fail(ErrorCode::kInternal, fmt::format("sink '{}': a writer was opened without a committer", config_.table));
      return std::make_unique<StagingWriter>(std::move(encoder), open.env, shard, std::move(sender));
    }
    auto producer = producer_.lock();
    if (!producer) return fail(ErrorCode::kInternal, fmt::format("sink '{}': a writer was opened without a committer", config_.table));
    return std::make_unique<DirectWriter>(config_, std::move(encoder), open.env, shard, std::move(producer));
  }

 private:
  Result<std::unique_ptr<dataflow::SinkCommitter>> open_direct() {
    auto producer = std::make_shared<SharedProducer>(config_.table);
    SUPYO_ASSIGN(producer->client, make_client({.producer = true, .table = config_.table, .servers = config_.where.servers, .properties = config_.properties, .fixed = {},
                                                .listener = &producer->listener, .on_delivery = SharedProducer::on_delivery}));
    SUPYO_ASSIGN(producer->partitions, partition_count(producer->client.get(), config_.where.topic, kOpenTimeoutMs, producer->listener));
    producer->topic.reset(rd_kafka_topic_new(producer->client.get(), config_.where.topic.c_str(), nullptr));
    producer_ = producer;
    return std::make_unique<DirectCommitter>(std::move(producer));
  }

  StreamSinkConfig config_;
  std::weak_ptr<EpochSender> sender_;        // owned by the committer and the writers: gone when the job's attempt ends
  std::weak_ptr<SharedProducer> producer_;
};

Result<std::shared_ptr<dataflow::Sink>> checked(StreamSinkConfig config) {
  SUPYO_TRY(RecordEncoder::make(config));   // checked before the job starts
  return std::make_shared<KafkaSink>(std::move(config));
}

}  // namespace

Result<std::shared_ptr<dataflow::Sink>> make_kafka_sink(const catalog::SinkRequest& request, const env::Env& env) {
  (void)env;
  SUPYO_ASSIGN(StreamSinkConfig config, stream_sink_config(request));
  return checked(std::move(config));
}

catalog::ConnectorDescriptor upsert_kafka_descriptor() {
  catalog::ConnectorDescriptor d;
  d.name = "upsert-kafka";
  constexpr std::string_view kNotByKey[] = {"topic-pattern", "key.fields", "sink.partitions", "sink.retention"};
  for (catalog::OptionSpec& o : stream_descriptor().options) {
    if (o.key.starts_with("scan.startup.") || std::ranges::find(kNotByKey, o.key) != std::end(kNotByKey)) continue;
    o.required = o.key == "topic" || o.key == "properties.bootstrap.servers" || o.key == "key.format" || o.key == "value.format";
    d.options.push_back(std::move(o));
  }
  using K = catalog::OptionSpec::Kind;
  d.options.push_back({.key = "sink.buffer-flush.max-rows", .kind = K::kInteger, .help = "accepted; records are sent epoch by epoch"});
  d.options.push_back({.key = "sink.buffer-flush.interval", .kind = K::kDuration, .help = "accepted; records are sent epoch by epoch"});
  d.source = d.sink = d.needs_format = true;
  d.produces = d.accepts = ChangelogMode::kUpsert;
  d.guarantee = DeliveryGuarantee::kExactlyOnce;
  d.metadata = stream_descriptor().metadata;
  d.help = "a topic in which the last record of a key wins, on brokers or in an embedded log (where the sink makes it a compacted one)";
  return d;
}

Result<std::shared_ptr<dataflow::Sink>> make_upsert_kafka_sink(const catalog::SinkRequest& request, const env::Env& env) {
  catalog::SinkRequest with_key = request;
  with_key.table.options["key.fields"] = fmt::format("{}", fmt::join(request.table.primary_key, ";"));
  if (request.table.primary_key.empty())
    return fail(ErrorCode::kInvalidQuery, fmt::format("table '{}': 'upsert-kafka' needs a primary key", request.table.path.name), "PRIMARY KEY (..) NOT ENFORCED");
  if (is_embedded_log(request.table.options)) return make_stream_sink(with_key, env, true);
  SUPYO_ASSIGN(StreamSinkConfig config, stream_sink_config(with_key, true));
  return checked(std::move(config));
}

}  // namespace supyo::connect
