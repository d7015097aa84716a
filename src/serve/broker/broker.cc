#include "serve/broker/broker.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/log/groups.h"

namespace supyo::broker {
namespace {

constexpr DurationUs kForeignPoll = 10 * kMillisecond;   // another process tells nobody what it wrote
constexpr DurationUs kCleaningPoll = 50 * kMillisecond;

}  // namespace

Code code_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnknownTable: return Code::kUnknownTopicOrPartition;
    case ErrorCode::kStateLocked: return Code::kNotLeaderOrFollower;     // another process writes it: clients ask again
    case ErrorCode::kSinkOfOtherJob: return Code::kNotEnoughReplicas;    // a job's epoch waits for its commit: clients ask again
    case ErrorCode::kOffsetOutOfRange: return Code::kOffsetOutOfRange;
    case ErrorCode::kAlreadyExists: return Code::kTopicAlreadyExists;
    case ErrorCode::kUnknownOption:
    case ErrorCode::kBadOptionValue: return Code::kInvalidConfig;
    case ErrorCode::kMalformedRecord: return Code::kInvalidRecord;
    default: return Code::kStorageError;
  }
}

bool is_topic_name(std::string_view name) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." && std::ranges::all_of(name, good) && !name.starts_with("__");
}

Broker::Broker(const env::Env& env, std::string directory, BrokerConfig config, env::NetAddress endpoint, Outbox& outbox)
    : env_(env), config_(std::move(config)), endpoint_(std::move(endpoint)), outbox_(outbox), store_(env, std::move(directory)) {}
Broker::~Broker() = default;

Result<std::unique_ptr<Broker>> Broker::open(const env::Env& env, std::string directory, BrokerConfig config, env::NetAddress endpoint, Outbox& outbox) {
  std::unique_ptr<Broker> broker(new Broker(env, directory, std::move(config), std::move(endpoint), outbox));
  SUPYO_TRY(log::create_directories_durably(env.files, directory));
  auto lock = env.files.lock(env::join_path(directory, "__broker.lock"));
  if (!lock) return fail(Error{lock.error().code, fmt::format("another broker serves {}", directory), "one broker a directory: stop that one, or give another --data"});
  broker->lock_ = std::move(*lock);
  SUPYO_TRY(broker->store_.open());
  const std::string id_path = env::join_path(directory, "__cluster");
  if (auto id = env.files.read_all(id_path); id && !id->empty()) {
    broker->cluster_id_ = *id;
  } else {
    std::string uuid = env::new_uuid(env.random);
    std::erase(uuid, '-');
    broker->cluster_id_ = uuid.substr(0, 22);   // as long as Kafka's
    SUPYO_TRY(env.files.write_atomically(id_path, broker->cluster_id_));
  }
  SUPYO_ASSIGN(broker->transactions_, TransactionCoordinator::open(env, directory, broker->config_, *broker));
  const TimeUs now = env.clock.monotonic_us();
  broker->retention_due_ = broker->compaction_due_ = now + broker->config_.first_task_ms * kMillisecond;
  broker->transactions_due_ = now;
  SUPYO_TRY(broker->end_turn());   // completes what was decided before a crash
  return broker;
}

template <class Request, class Response>
void Broker::serve(const RequestContext& from, Decoder& body, Response (Broker::*handler)(const RequestContext&, Request&)) {
  Request request;
  request.describe(body);
  if (body.failed()) return refuse(from, "a request that does not parse");
  Response response = (this->*handler)(from, request);
  answer(from, response);
}

template <class Request, class Response>
void Broker::serve_durably(const RequestContext& from, Decoder& body, Response (Broker::*handler)(const RequestContext&, Request&)) {
  Request request;
  request.describe(body);
  if (body.failed()) return refuse(from, "a request that does not parse");
  Response response = (this->*handler)(from, request);
  answer_durably(from, response);
}

template <class Request>
void Broker::serve_later(const RequestContext& from, Decoder& body, void (Broker::*handler)(const RequestContext&, Request&)) {
  Request request;
  request.describe(body);
  if (body.failed()) return refuse(from, "a request that does not parse");
  (this->*handler)(from, request);
}

void Broker::refuse(const RequestContext& from, std::string_view why) {
  ++counts_.refused;
  metrics_.refused();
  log(fmt::format("connection of {} closed: {} (api {}, version {})", from.client_host, why, static_cast<int>(from.api), from.version));
  outbox_.close(from.connection);
}

void Broker::fail_final(Error error) {
  if (!final_) final_ = std::move(error);
}

void Broker::handle(std::uint64_t connection, std::uint64_t sequence, const std::string& client_host, std::string_view request) {
  ++counts_.requests;
  RequestContext from{.connection = connection, .sequence = sequence, .client_host = client_host, .received_us = env_.clock.monotonic_us()};
  Decoder head(request, 0, false);
  std::int16_t key = 0;
  head.field(key);
  head.field(from.version);
  head.field(from.correlation);
  from.api = static_cast<Api>(key);
  const ApiVersions* api = find_api(key);
  if (head.failed() || api == nullptr) return refuse(from, "not a request that this broker knows");
  if (from.version < api->oldest || from.version > api->newest) {
    if (from.api != Api::kApiVersions) return refuse(from, "a version that was not offered");
    from.version = 0;   // the client learns what there is in the oldest form
    ApiVersionsRequest nothing;
    ApiVersionsResponse response = api_versions(from, nothing);
    response.code = Code::kUnsupportedVersion;
    return answer(from, response);
  }
  std::optional<std::string> client;
  head.field(client);
  if (head.failed()) return refuse(from, "a request that does not parse");
  from.client_id = client.value_or("");
  const bool flexible = from.version >= api->flexible;
  Decoder body(request.substr(request.size() - head.remaining()), from.version, flexible);
  body.tags();
  dispatch(from, body);
}

void Broker::dispatch(const RequestContext& from, Decoder& body) {
  if (dispatch_data(from, body) || dispatch_groups(from, body) || dispatch_transactions(from, body) || dispatch_admin(from, body)) return;
  refuse(from, "not a request that this broker knows");
}

bool Broker::dispatch_data(const RequestContext& from, Decoder& body) {
  switch (from.api) {
    case Api::kProduce: serve_later(from, body, &Broker::produce); return true;
    case Api::kFetch: serve_later(from, body, &Broker::fetch); return true;
    case Api::kListOffsets: serve(from, body, &Broker::list_offsets); return true;
    case Api::kMetadata: serve(from, body, &Broker::metadata); return true;
    case Api::kApiVersions: serve(from, body, &Broker::api_versions); return true;
    case Api::kOffsetForLeaderEpoch: serve(from, body, &Broker::offset_for_epoch); return true;
    default: return false;
  }
}

bool Broker::dispatch_groups(const RequestContext& from, Decoder& body) {
  switch (from.api) {
    case Api::kFindCoordinator: serve(from, body, &Broker::find_coordinator); return true;
    case Api::kJoinGroup: serve_later(from, body, &Broker::join_group); return true;
    case Api::kSyncGroup: serve_later(from, body, &Broker::sync_group); return true;
    case Api::kHeartbeat: serve(from, body, &Broker::heartbeat); return true;
    case Api::kLeaveGroup: serve(from, body, &Broker::leave_group); return true;
    case Api::kOffsetCommit: serve_later(from, body, &Broker::commit_offsets_of); return true;
    case Api::kOffsetFetch: serve(from, body, &Broker::fetch_offsets); return true;
    case Api::kOffsetDelete: serve_later(from, body, &Broker::delete_offsets); return true;
    case Api::kDescribeGroups: serve(from, body, &Broker::describe_groups); return true;
    case Api::kListGroups: serve(from, body, &Broker::list_groups); return true;
    case Api::kDeleteGroups: serve(from, body, &Broker::delete_groups); return true;
    default: return false;
  }
}

bool Broker::dispatch_transactions(const RequestContext& from, Decoder& body) {
  switch (from.api) {
    case Api::kInitProducerId: serve_durably(from, body, &Broker::init_producer); return true;
    case Api::kAddPartitionsToTxn: serve_durably(from, body, &Broker::add_partitions); return true;
    case Api::kAddOffsetsToTxn: serve_durably(from, body, &Broker::add_offsets); return true;
    case Api::kTxnOffsetCommit: serve_durably(from, body, &Broker::commit_transaction_offsets); return true;
    case Api::kEndTxn: serve_durably(from, body, &Broker::end_transaction); return true;
    case Api::kDescribeProducers: serve(from, body, &Broker::describe_producers); return true;
    case Api::kDescribeTransactions: serve(from, body, &Broker::describe_transactions); return true;
    case Api::kListTransactions: serve(from, body, &Broker::list_transactions); return true;
    default: return false;
  }
}

bool Broker::dispatch_admin(const RequestContext& from, Decoder& body) {
  switch (from.api) {
    case Api::kSaslHandshake: serve(from, body, &Broker::sasl); return true;
    case Api::kCreateTopics: serve(from, body, &Broker::create_topics); return true;
    case Api::kDeleteTopics: serve(from, body, &Broker::delete_topics); return true;
    case Api::kCreatePartitions: serve(from, body, &Broker::create_partitions); return true;
    case Api::kDescribeConfigs: serve(from, body, &Broker::describe_configs); return true;
    case Api::kAlterConfigs: serve(from, body, &Broker::alter_configs); return true;
    case Api::kIncrementalAlterConfigs: serve(from, body, &Broker::change_configs); return true;
    case Api::kDeleteRecords: serve(from, body, &Broker::delete_records); return true;
    case Api::kDescribeCluster: serve(from, body, &Broker::describe_cluster); return true;
    case Api::kDescribeLogDirs: serve(from, body, &Broker::describe_log_dirs); return true;
    default: return false;
  }
}

void Broker::disconnected(std::uint64_t connection) {
  std::erase_if(waiting_, [connection](const WaitingFetch& w) { return w.from.connection == connection; });
}

Status Broker::end_turn() {
  const TimeUs now = env_.clock.monotonic_us();
  SUPYO_TRY(run_timers());
  if (final_) return fail(*final_);
  SUPYO_TRY(send_flushed());
  if (transactions_->has_work() || !pending_commits_.empty()) {
    SUPYO_TRY(flush_everything());
  } else {
    SUPYO_TRY(flush_beside());
  }
  if (final_) return fail(*final_);
  wake_fetches(now);
  return final_ ? Status(fail(*final_)) : ok();
}

/// Order: the decisions of transactions become durable, then their markers and everything that was produced, then the offsets; only then anybody hears of it.
Status Broker::flush_everything() {
  SUPYO_TRY(transactions_->carry_out());
  SUPYO_TRY(store_.flush());
  SUPYO_TRY(commit_offsets());
  SUPYO_TRY(transactions_->note_completed());
  if (final_) return ok();
  SUPYO_TRY(send_flushed());
  send_all(durable_answers_);
  return ok();
}

/// Plain records: the loop need not wait for the disk. Answers go after the flush that follows their request, and flushes end in their order: what a retry
/// found to be there already is not told before that is durable.
Status Broker::flush_beside() {
  const TimeUs now = env_.clock.monotonic_us();
  if (!waits_for_flush() || now < pace_.due(durable_answers_.size(), store_.dirty_bytes())) return ok();
  SUPYO_ASSIGN(const std::uint64_t number, store_.begin_flush());
  flushing_.emplace_back(number, std::move(durable_answers_));
  durable_answers_.clear();
  pace_.began(now, flushing_.back().second.size());
  return send_flushed();
}

Status Broker::send_flushed() {
  SUPYO_ASSIGN(const std::uint64_t finished, store_.finish_flushes());
  for (; !flushing_.empty() && flushing_.front().first <= finished; flushing_.pop_front()) {
    pace_.ended(env_.clock.monotonic_us(), flushing_.front().second.size(), durable_answers_.size());
    send_all(flushing_.front().second);
  }
  return ok();
}

void Broker::send_all(Answers& answers) {
  const TimeUs now = env_.clock.monotonic_us();
  for (auto& [to, bytes] : answers) {
    outbox_.send(to.connection, to.sequence, std::move(bytes));
    metrics_.answered(to.api, now - to.received_us);
  }
  answers.clear();
}

/// Writes the offsets that were committed in this turn, a file a group, and answers.
Status Broker::commit_offsets() {
  std::vector<std::pair<const std::string*, Status>> written;
  for (const auto& [group, commits] : group_commits_) written.emplace_back(&group, ok());
  store_.crew().run(written.size(), [&](std::size_t i) {
    const std::string& group = *written[i].first;
    Status& done = written[i].second;
    done = log::change_group(env_.files, store_.directory(), group, group_commits_.at(group));
    for (int tries = 0; tries < 100 && !done && done.error().code == ErrorCode::kStateLocked; ++tries) done = log::change_group(env_.files, store_.directory(), group, group_commits_.at(group));
  });
  std::map<std::string, Error> failed;
  for (const auto& [group, done] : written)
    if (!done) failed.emplace(*group, done.error());
  group_commits_.clear();
  for (PendingCommit& p : pending_commits_) {
    if (const auto f = failed.find(p.group); f != failed.end()) {
      const Code code = f->second.code == ErrorCode::kBadOptionValue ? Code::kInvalidGroupId : Code::kCoordinatorNotAvailable;
      log(fmt::format("offsets of group {} were not written: {}", p.group, f->second.to_string()));
      for (auto& topic : p.answer.topics)
        for (PartitionCode& partition : topic.partitions)
          if (partition.code == Code::kNone) partition.code = code;
    }
    answer(p.from, p.answer);
  }
  pending_commits_.clear();
  return ok();
}

Status Broker::run_timers() {
  const TimeUs now = env_.clock.monotonic_us();
  for (auto it = groups_.begin(); it != groups_.end();) {
    Group& g = *it->second;
    if (g.next_deadline() <= now) g.tick(now);
    const bool idle = g.state() == GroupState::kEmpty && g.members().empty() && !g.has_pending_members();
    it = idle ? groups_.erase(it) : std::next(it);   // its offsets are on disk
  }
  if (transactions_due_ <= now) {
    transactions_due_ = now + config_.transaction_check_ms * kMillisecond;
    SUPYO_TRY(transactions_->tick(env_.clock.now_us()));
  }
  if (retention_due_ <= now) run_retention(now);
  if (compaction_due_ <= now) run_compaction(now);
  return ok();
}

void Broker::run_retention(TimeUs now) {
  retention_due_ = now + config_.retention_check_ms * kMillisecond;
  if (const Status looked = store_.refresh(); !looked) log(looked.error().to_string());
  const TimeUs expired = env_.clock.now_us() - config_.producer_id_expiration_ms * kMillisecond;
  for (auto& [name, topic] : store_.topics()) {
    for (auto& p : topic.partitions) {
      auto w = p->writer();
      if (!w) continue;   // another process writes it, and looks after it
      (*w)->expire_producers(expired);
      const auto retained = (*w)->retain();
      if (!retained) log(fmt::format("retention of {}-{}: {}", name, p->id().value, retained.error().to_string()));
      else if (retained->segments_deleted > 0)
        log(fmt::format("retention deleted {} segments of {}-{}; it starts at {} now", retained->segments_deleted, name, p->id().value, (*w)->log_start().value));
    }
  }
  expire_offsets();
}

/// One partition at a time, in a thread of its own where there are threads: it reads and writes whole segments.
void Broker::run_compaction(TimeUs now) {
  compaction_due_ = now + config_.cleaner_backoff_ms * kMillisecond;
  if (cleaning_ && !cleaning_->done) {
    compaction_due_ = now + kCleaningPoll;
    return;
  }
  if (cleaning_) install_cleaned();
  for (auto& [name, topic] : store_.topics()) {
    if (!topic.topic.config.cleanup_compact) continue;
    for (auto& p : topic.partitions) {
      auto w = p->writer();
      if (!w) continue;
      auto plan = (*w)->plan_compaction();
      if (!plan) log(fmt::format("compaction of {}-{}: {}", name, p->id().value, plan.error().to_string()));
      if (!plan || !*plan) continue;
      start_cleaning(std::move(**plan));
      compaction_due_ = now + (cleaning_->done ? 0 : kCleaningPoll);
      return;
    }
  }
}

void Broker::start_cleaning(log::CompactionPlan plan) {
  cleaning_ = std::make_unique<Cleaning>();
  cleaning_->plan = std::move(plan);
  const auto work = [this, cleaning = cleaning_.get()] {
    cleaning->result = log::run_compaction(env_.files, cleaning->plan);
    cleaning->done = true;
  };
  if (env_.threads == nullptr) work();
  else cleaning_->thread = env_.threads->start("compaction", work);
}

void Broker::install_cleaned() {
  const std::unique_ptr<Cleaning> cleaning = std::move(cleaning_);
  if (cleaning->thread) cleaning->thread->join();
  const log::CompactionPlan& plan = cleaning->plan;
  const auto told = [&](const Error& error) { log(fmt::format("compaction of {}-{}: {}", plan.topic.name, plan.partition.value, error.to_string())); };
  if (!*cleaning->result) return told(cleaning->result->error());
  Partition* p = store_.find(plan.topic.name, plan.partition.value);
  if (p == nullptr || p->topic().log_id != plan.topic.log_id || p->open_writer() == nullptr) return;   // deleted meanwhile
  const log::CompactionResult& done = **cleaning->result;
  if (const Status installed = p->open_writer()->install_compaction(done); !installed) return told(installed.error());
  log(fmt::format("compaction of {}-{} kept {} records and dropped {}, {} bytes of {}", plan.topic.name, plan.partition.value, done.stats.records_kept, done.stats.records_dropped, done.stats.bytes_after,
                  done.stats.bytes_before));
}

void Broker::expire_offsets() {
  const auto names = log::list_groups(env_.files, store_.directory());
  if (!names) return;
  const TimeUs before = env_.clock.now_us() - config_.offsets_retention_minutes * kMinute;
  for (const std::string& name : *names) {
    if (groups_.contains(name)) continue;
    const auto commits = log::read_group_commits(env_.files, store_.directory(), name);
    if (!commits) continue;
    std::vector<log::GroupKey> old;
    for (const auto& [key, commit] : *commits)
      if (commit.committed_us != 0 && commit.committed_us < before) old.push_back(key);
    if (old.empty()) continue;
    const Status done = old.size() == commits->size() ? log::delete_group(env_.files, store_.directory(), name) : log::change_group(env_.files, store_.directory(), name, {}, old);
    log(done ? fmt::format("{} offsets of group {} expired", old.size(), name) : done.error().to_string());
  }
}

TimeUs Broker::next_deadline() const {
  TimeUs next = std::min({retention_due_, compaction_due_, transactions_due_});
  if (waits_for_flush()) next = std::min(next, pace_.due(durable_answers_.size(), store_.dirty_bytes()));
  for (const auto& [id, g] : groups_) next = std::min(next, g->next_deadline());
  for (const WaitingFetch& w : waiting_) next = std::min(next, w.foreign ? env_.clock.monotonic_us() + kForeignPoll : w.deadline);
  return next;
}

}  // namespace supyo::broker
