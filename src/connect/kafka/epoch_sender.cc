#include "connect/kafka/epoch_sender.h"

#include <fmt/format.h>

#include <charconv>

namespace supyo::connect::kafka {
namespace {

using dataflow::CommitOutcome;

constexpr std::uint8_t kLayout = 1;
constexpr int kCallMs = 500;                        // of one call that waits for the broker; repeated until it is done, so that a stop is seen
constexpr DurationUs kIdle = 500;                   // between looks at whether there is something to do
constexpr DurationUs kGiveUp = 2 * kMinute;         // of failures without one success
constexpr DurationUs kPauseAfterFailure = 100 * kMillisecond;

/// Errors that the same bytes will meet again.
bool never_taken(rd_kafka_resp_err_t e) {
  return e == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || e == RD_KAFKA_RESP_ERR_INVALID_RECORD || e == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP || e == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
         e == RD_KAFKA_RESP_ERR_POLICY_VIOLATION || e == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || e == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

}  // namespace

void StagedRecords::begin(std::string& out, std::uint32_t shard) {
  ByteWriter w(out);
  w.u8(kLayout);
  w.u32(shard);
}

StagedRecords::StagedRecords(std::string_view handle) : reader_(handle) {
  bad_ = reader_.u8() != kLayout;
  shard_ = reader_.u32();
}

bool StagedRecords::next(Record& record) {
  if (failed() || reader_.done()) return false;
  const std::uint8_t flags = reader_.u8();
  record.timestamp_ms = reader_.i64();
  record.key.reset();
  record.value.reset();
  if ((flags & kHasKey) != 0) record.key = reader_.text();
  if ((flags & kHasValue) != 0) record.value = reader_.text();
  record.headers = (flags & kHasHeaders) != 0 ? reader_.text() : std::string_view{};
  return !failed();
}

EpochSender::EpochSender(SenderConfig config, const env::Env& env) : config_(std::move(config)), env_(env), listener_(config_.sink.table) {
  thread_ = env.threads->start("kafka-sink", [this] { run(); });
}

EpochSender::~EpochSender() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.reset();   // joins
}

Result<bool> EpochSender::ready() {
  const std::lock_guard lock(mutex_);
  if (error_) return fail(*error_);
  return ready_;
}

void EpochSender::recovered(Epoch last) {
  const std::lock_guard lock(mutex_);
  recovered_ = last;
}

Result<CommitOutcome> EpochSender::send(Epoch e, const std::vector<dataflow::CommitHandle>& handles) {
  const std::lock_guard lock(mutex_);
  if (error_) return fail(*error_);
  if (!job_) {
    job_ = Job{e, handles};
    outcome_.reset();
    return CommitOutcome::kPending;
  }
  SUPYO_CHECK_EQ(job_->epoch.value, e.value);
  if (!outcome_) return CommitOutcome::kPending;
  job_.reset();
  return *outcome_;
}

void EpochSender::run() {
  if (Status done = work(); !done) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(done).error();
  }
  if (producer_) (void)rd_kafka_purge(producer_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);   // the broker takes back what is open when the next one fences it
  producer_.reset();
}

Status EpochSender::work() {
  SUPYO_TRY(open());
  if (committed_ && *committed_ > config_.last_final)
    return fail(ErrorCode::kStateOfOtherJob, fmt::format("topic '{}' holds epoch {} of this job, whose state ends with epoch {}", config_.sink.where.topic, committed_->value, config_.last_final.value),
                "the state directory is an older copy: going on from it would leave out or repeat rows; use the newer one, or begin with a new directory");
  bool numbered = committed_.has_value();
  while (!stopped()) {
    const Job* job = nullptr;
    std::optional<Epoch> recovered;
    {
      const std::lock_guard lock(mutex_);
      if (job_ && !outcome_) job = &*job_;   // stays until outcome_ is taken
      recovered = recovered_;
      ready_ = numbered;
    }
    if (job != nullptr) {
      if (!numbered)
        return fail(ErrorCode::kOutsideUnknown, fmt::format("topic '{}': whether epoch {} is in it cannot be told: the brokers have forgotten the group '{}' (offsets.retention.minutes)", config_.sink.where.topic, job->epoch.value, config_.epochs_group),
                    fmt::format("see whether its records are in the topic; then set that group's offset on partition 0 to {} if they are, or to {} if not, with the metadata '{}'", job->epoch.value, job->epoch.value - 1, config_.job_id));
      CommitOutcome outcome = CommitOutcome::kUnknown;
      SUPYO_TRY(send_now(*job, outcome));
      const std::lock_guard lock(mutex_);
      if (!stopped()) outcome_ = outcome;
    } else if (!numbered && (config_.last_final.value == 0 || recovered)) {
      // No epoch can be under way: from here on there is a number to compare with.
      CommitOutcome outcome = CommitOutcome::kUnknown;
      SUPYO_TRY(send_now({recovered.value_or(Epoch(0)), {}}, outcome));
      numbered = !stopped();
    } else {
      env_.threads->idle(kIdle);
    }
  }
  return ok();
}

/// A new producer. Those before it with its transactional id are fenced, and what they left open is finished: committed if the broker had
/// already decided so, else aborted. Then what is in the topic is settled, and can be looked up.
Status EpochSender::open() {
  producer_.reset();
  const TimeUs begin = env_.clock.monotonic_us();
  Settings fixed = {{"transactional.id", config_.transactional_id}, {"enable.idempotence", "true"}, {"message.timeout.ms", "0"}, {"delivery.report.only.error", "true"}};
  if (!config_.sink.properties.contains("linger.ms")) fixed.emplace_back("linger.ms", "1");   // an epoch is sent at once and whole
  if (const auto it = config_.sink.properties.find("transaction.timeout.ms"); it != config_.sink.properties.end()) fixed.emplace_back("transaction.timeout.ms", it->second);
  SUPYO_ASSIGN(producer_, make_client({.producer = true, .table = config_.sink.table, .servers = config_.sink.where.servers, .properties = config_.sink.properties, .fixed = std::move(fixed),
                                       .listener = &listener_, .on_delivery = on_delivery}));
  std::string why = "no answer";
  while (!stopped()) {
    const ClientError e(rd_kafka_init_transactions(producer_.get(), kCallMs));
    if (!e) break;
    why = rd_kafka_error_string(e.get());
    if (rd_kafka_error_is_fatal(e.get()) || !rd_kafka_error_is_retriable(e.get())) return unavailable(fmt::format("topic '{}': starting transactions", config_.sink.where.topic), why, listener_);
    if (env_.clock.monotonic_us() - begin > kGiveUp) return unavailable(fmt::format("topic '{}': starting transactions", config_.sink.where.topic), why, listener_);
  }
  while (!stopped()) {
    const auto partitions = partition_count(producer_.get(), config_.sink.where.topic, kCallMs, listener_);
    if (partitions) {
      partitions_ = *partitions;
      break;
    }
    if (partitions.error().code == ErrorCode::kUnknownTable || env_.clock.monotonic_us() - begin > kGiveUp) return fail(partitions.error());
  }
  if (stopped()) return ok();
  SUPYO_ASSIGN(committed_, look());
  return ok();
}

/// The epoch that was committed last: the offset that its transaction gave to the group. Offsets of open transactions are waited for, not seen.
Result<std::optional<Epoch>> EpochSender::look() {
  SUPYO_ASSIGN(const auto client, make_client({.producer = false, .table = config_.sink.table, .servers = config_.sink.where.servers, .properties = config_.sink.properties,
                                               .fixed = {{"group.id", config_.epochs_group}, {"isolation.level", "read_committed"}}, .listener = &listener_}));
  const TimeUs begin = env_.clock.monotonic_us();
  while (!stopped()) {
    PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_t* p = rd_kafka_topic_partition_list_add(list.get(), config_.sink.where.topic.c_str(), 0);
    auto e = rd_kafka_committed(client.get(), list.get(), 2 * kCallMs);
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR) e = p->err;
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (p->offset < 0) return std::nullopt;
      const std::string_view metadata(static_cast<const char*>(p->metadata), p->metadata_size);
      if (!metadata.starts_with(config_.job_id))
        return fail(ErrorCode::kSinkOfOtherJob, fmt::format("topic '{}': the group '{}' holds '{}', not an epoch of this job", config_.sink.where.topic, config_.epochs_group, metadata));
      return Epoch(static_cast<decltype(Epoch::value)>(p->offset));
    }
    if (env_.clock.monotonic_us() - begin > kGiveUp) return unavailable(fmt::format("topic '{}': asking for the last epoch", config_.sink.where.topic), rd_kafka_err2str(e), listener_);
    env_.threads->idle(kPauseAfterFailure);
  }
  return std::nullopt;
}

/// Sends until it is there. Returns without an outcome only when the sender is stopped: then it is not known, and the next start looks.
Status EpochSender::send_now(const Job& job, CommitOutcome& outcome) {
  failing_since_us_ = 0;
  for (bool first = true; !stopped(); first = false) {
    if (committed_ && *committed_ >= job.epoch) {
      outcome = first ? CommitOutcome::kWasVisible : CommitOutcome::kVisibleNow;
      return ok();
    }
    Status error = ok();
    const Step step = attempt(job, error);
    if (!error) return error;
    if (step == Step::kDone) {
      committed_ = job.epoch;
      outcome = CommitOutcome::kVisibleNow;
      return ok();
    }
    if (step == Step::kStopped) return ok();
    const TimeUs now = env_.clock.monotonic_us();
    if (failing_since_us_ == 0) failing_since_us_ = now;
    if (now - failing_since_us_ > kGiveUp) return unavailable(fmt::format("topic '{}': epoch {} could not be committed", config_.sink.where.topic, job.epoch.value), listener_.last_complaint(), listener_);
    env_.threads->idle(kPauseAfterFailure);
    SUPYO_TRY(open());
  }
  return ok();
}

EpochSender::Step EpochSender::attempt(const Job& job, Status& error) {
  if (const Step s = begin_transaction(error); s != Step::kDone) return s;
  if (const Step s = put_records(job, error); s != Step::kDone) return s;
  if (const Step s = note_epoch(job.epoch, error); s != Step::kDone) return s;
  return end_transaction(error);
}

EpochSender::Step EpochSender::begin_transaction(Status& error) {
  ClientError e(rd_kafka_begin_transaction(producer_.get()));
  return e ? after_failure(std::move(e), "beginning a transaction", false, error) : Step::kDone;
}

std::int32_t EpochSender::partition_for(std::uint32_t shard) {
  switch (config_.sink.partitioner) {
    case SinkPartitioner::kFixed: return static_cast<std::int32_t>(shard % static_cast<std::uint32_t>(partitions_));
    case SinkPartitioner::kRoundRobin: return next_partition_ = (next_partition_ + 1) % partitions_;
    case SinkPartitioner::kDefault: break;
  }
  return RD_KAFKA_PARTITION_UA;
}

EpochSender::Step EpochSender::put_records(const Job& job, Status& error) {
  const Owned<rd_kafka_topic_t> topic(rd_kafka_topic_new(producer_.get(), config_.sink.where.topic.c_str(), nullptr));
  for (const std::string& handle : job.handles) {
    StagedRecords records(handle);
    StagedRecords::Record r;
    while (records.next(r)) {
      const OutgoingRecord record{.partition = partition_for(records.shard()), .key = r.key, .value = r.value, .headers = r.headers, .timestamp_ms = r.timestamp_ms};
      while (true) {
        const auto e = produce(producer_.get(), topic.get(), record);
        if (e == RD_KAFKA_RESP_ERR_NO_ERROR) break;
        if (stopped()) return Step::kStopped;
        if (e == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
          (void)rd_kafka_poll(producer_.get(), 5);
          continue;
        }
        if (never_taken(e)) {
          error = fail(ErrorCode::kJobFailed, fmt::format("topic '{}': a record of epoch {} cannot be sent: {}", config_.sink.where.topic, job.epoch.value, rd_kafka_err2str(e)), "records have a largest size: 'properties.max.request.size', and max.message.bytes of the topic");
          return Step::kOpenAgain;
        }
        return Step::kOpenAgain;   // fenced or failed for good: the next producer looks
      }
    }
    if (records.failed()) {
      error = fail(ErrorCode::kDamaged, fmt::format("a commit handle of topic '{}' is unreadable", config_.sink.where.topic));
      return Step::kOpenAgain;
    }
  }
  return Step::kDone;
}

/// The epoch's number becomes the group's offset with the transaction or not at all.
EpochSender::Step EpochSender::note_epoch(Epoch e, Status& error) {
  PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_t* p = rd_kafka_topic_partition_list_add(list.get(), config_.sink.where.topic.c_str(), 0);
  p->offset = static_cast<std::int64_t>(e.value);
  std::string metadata = config_.job_id;
  p->metadata = rd_kafka_mem_malloc(nullptr, metadata.size());   // freed with the list
  std::copy(metadata.begin(), metadata.end(), static_cast<char*>(p->metadata));
  p->metadata_size = metadata.size();
  const Owned<rd_kafka_consumer_group_metadata_t> group(rd_kafka_consumer_group_metadata_new(config_.epochs_group.c_str()));
  while (!stopped()) {
    ClientError failure(rd_kafka_send_offsets_to_transaction(producer_.get(), list.get(), group.get(), kCallMs));
    if (!failure) return Step::kDone;
    if (!rd_kafka_error_is_retriable(failure.get())) return after_failure(std::move(failure), "noting the epoch", true, error);
  }
  return Step::kStopped;
}

EpochSender::Step EpochSender::end_transaction(Status& error) {
  while (!stopped()) {
    ClientError failure(rd_kafka_commit_transaction(producer_.get(), kCallMs));
    if (!failure) return Step::kDone;
    if (!rd_kafka_error_is_retriable(failure.get())) return after_failure(std::move(failure), "committing", true, error);
    if (char why[256]; rd_kafka_fatal_error(producer_.get(), why, sizeof why) != RD_KAFKA_RESP_ERR_NO_ERROR) return Step::kOpenAgain;
  }
  return Step::kStopped;
}

/// Nothing but a record that will never be taken is final: a new producer fences this one's transaction, looks, and decides.
EpochSender::Step EpochSender::after_failure(ClientError failure, std::string_view doing, bool in_transaction, Status& error) {
  {
    const std::lock_guard lock(listener_.refused_mutex);
    if (!listener_.refused.empty()) {
      error = fail(ErrorCode::kJobFailed, fmt::format("topic '{}': the brokers refuse a record: {}", config_.sink.where.topic, listener_.refused),
                   "records have a largest size: 'properties.max.request.size', and max.message.bytes of the topic");
      return Step::kOpenAgain;
    }
  }
  listener_.on_log(4, "TXN", fmt::format("topic '{}': {}: {}; looking what became of it", config_.sink.where.topic, doing, rd_kafka_error_string(failure.get())).c_str());
  if (in_transaction && rd_kafka_error_txn_requires_abort(failure.get())) (void)ClientError(rd_kafka_abort_transaction(producer_.get(), kCallMs));
  return Step::kOpenAgain;
}

void EpochSender::on_delivery(rd_kafka_t*, const rd_kafka_message_t* m, void* opaque) {
  if (!never_taken(m->err)) return;
  auto* d = static_cast<Deliveries*>(static_cast<Listener*>(opaque));
  const std::lock_guard lock(d->refused_mutex);
  d->refused = rd_kafka_err2str(m->err);
}

}  // namespace supyo::connect::kafka
