#pragma once
#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/net.h"
#include "serve/broker/config.h"
#include "serve/broker/group.h"
#include "serve/broker/messages_admin.h"
#include "serve/broker/messages_data.h"
#include "serve/broker/messages_group.h"
#include "serve/broker/messages_transaction.h"
#include "serve/broker/metrics.h"
#include "serve/broker/request.h"
#include "serve/broker/store.h"
#include "serve/broker/transactions.h"

namespace supyo::broker {

/// Where answers go.
class Outbox {
 public:
  virtual ~Outbox() = default;
  /// `bytes` with their length in front.
  virtual void send(std::uint64_t connection, std::uint64_t sequence, std::string bytes) = 0;
  /// That request gets no answer.
  virtual void skip(std::uint64_t connection, std::uint64_t sequence) = 0;
  /// The other side does not speak the protocol, or asked for what is refused.
  virtual void close(std::uint64_t connection) = 0;
};

/// What the broker did since it was opened.
struct BrokerCounts {
  std::uint64_t requests = 0, refused = 0, records_in = 0, bytes_in = 0, bytes_out = 0, syncs = 0;
};

/// The broker without its network: requests in, answers out, on the env's clock. One thread; one broker a log directory (its lock).
///
/// The caller hands over requests, then ends the turn: what the requests wrote is synced once, and only then acknowledged: at once where there are no threads,
/// else by a later turn, while the loop goes on (on_ready()). Requests that wait (fetches, joins) are answered by a later turn too; next_deadline() says when one
/// is due at the latest.
class Broker final : private GroupAnswers, private TransactionEffects {
 public:
  /// kStateLocked when another broker has the directory; kDamaged, 6xxx. `endpoint` is what clients are told to connect to.
  static Result<std::unique_ptr<Broker>> open(const env::Env& env, std::string directory, BrokerConfig config, env::NetAddress endpoint, Outbox& outbox);
  ~Broker() override;

  /// One request, without its length.
  void handle(std::uint64_t connection, std::uint64_t sequence, const std::string& client_host, std::string_view request);
  void disconnected(std::uint64_t connection);
  /// An error is final (a failed sync): nothing more is acknowledged, close and say so.
  Status end_turn();
  TimeUs next_deadline() const;   ///< monotonic

  const BrokerCounts& counts() const { return counts_; }
  const BrokerConfig& config() const { return config_; }
  std::size_t topic_count() const { return store_.topics().size(); }
  /// Any thread may read its text.
  const BrokerMetrics& metrics() const { return metrics_; }
  struct LiveGroup {
    std::string name, state;
    std::size_t members = 0;
    std::int32_t generation = 0;
  };
  /// The groups that have members, or had some lately.
  std::vector<LiveGroup> live_groups() const;
  /// Called on any thread when end_turn() should be called soon, because something that it waits for has ended.
  void on_ready(std::function<void()> call) { store_.flush_ended = std::move(call); }
  /// Called with lines for the operator.
  std::function<void(std::string_view)> log = [](std::string_view) {};

 private:
  struct WaitingFetch {
    RequestContext from = {};
    FetchRequest request = {};
    TimeUs deadline = 0;
    std::uint64_t wake_at = 0;   ///< readable bytes of its partitions, all together
    bool foreign = false;
  };
  /// A compaction that runs beside the event loop.
  struct Cleaning {
    log::CompactionPlan plan;
    std::optional<Result<log::CompactionResult>> result;
    std::atomic<bool> done{false};
    std::unique_ptr<env::Thread> thread;
  };
  using Answers = std::vector<std::pair<RequestContext, std::string>>;
  struct PendingCommit {
    RequestContext from;
    std::string group;
    OffsetCommitResponse answer;
  };

  Broker(const env::Env& env, std::string directory, BrokerConfig config, env::NetAddress endpoint, Outbox& outbox);

  // broker.cc: dispatch and the turn
  void dispatch(const RequestContext& from, Decoder& body);
  bool dispatch_data(const RequestContext& from, Decoder& body);
  bool dispatch_groups(const RequestContext& from, Decoder& body);
  bool dispatch_transactions(const RequestContext& from, Decoder& body);
  bool dispatch_admin(const RequestContext& from, Decoder& body);
  template <class Request, class Response>
  void serve(const RequestContext& from, Decoder& body, Response (Broker::*handler)(const RequestContext&, Request&));
  template <class Request, class Response>
  void serve_durably(const RequestContext& from, Decoder& body, Response (Broker::*handler)(const RequestContext&, Request&));
  template <class Request>
  void serve_later(const RequestContext& from, Decoder& body, void (Broker::*handler)(const RequestContext&, Request&));
  template <class Response>
  void answer(const RequestContext& to, Response& response) {
    outbox_.send(to.connection, to.sequence, encode(to, response));
    metrics_.answered(to.api, env_.clock.monotonic_us() - to.received_us);
  }
  template <class Response>
  void answer_durably(const RequestContext& to, Response& response) { durable_answers_.emplace_back(to, encode(to, response)); }
  template <class Response>
  static std::string encode(const RequestContext& to, Response& response);
  void refuse(const RequestContext& from, std::string_view why);
  void fail_final(Error error);
  Status flush_everything();
  Status flush_beside();
  bool waits_for_flush() const { return store_.dirty() || !durable_answers_.empty(); }
  Status send_flushed();
  void send_all(Answers& answers);
  Status commit_offsets();
  Status run_timers();
  void run_retention(TimeUs now);
  void run_compaction(TimeUs now);
  void start_cleaning(log::CompactionPlan plan);
  void install_cleaned();
  void expire_offsets();

  // broker_data.cc
  ApiVersionsResponse api_versions(const RequestContext& from, ApiVersionsRequest& request);
  MetadataResponse metadata(const RequestContext& from, MetadataRequest& request);
  void produce(const RequestContext& from, ProduceRequest& request);
  ProduceResponse::Partition produce_partition(const ProduceRequest& request, const std::string& topic, const ProduceRequest::Partition& in);
  void fetch(const RequestContext& from, FetchRequest& request);
  bool try_fetch(WaitingFetch& waiting, bool last);
  Code fetch_partition(const FetchRequest& request, const std::string& topic, const FetchRequest::Partition& in, std::size_t room, bool first, FetchResponse::Partition& out);
  std::uint64_t readable_bytes(const FetchRequest& request);
  void wake_fetches(TimeUs now);
  ListOffsetsResponse list_offsets(const RequestContext& from, ListOffsetsRequest& request);
  void list_offset(Partition& partition, const ListOffsetsRequest& request, const ListOffsetsRequest::Partition& in, ListOffsetsResponse::Partition& out);
  OffsetForLeaderEpochResponse offset_for_epoch(const RequestContext& from, OffsetForLeaderEpochRequest& request);

  // broker_groups.cc
  FindCoordinatorResponse find_coordinator(const RequestContext& from, FindCoordinatorRequest& request);
  void join_group(const RequestContext& from, JoinGroupRequest& request);
  void sync_group(const RequestContext& from, SyncGroupRequest& request);
  HeartbeatResponse heartbeat(const RequestContext& from, HeartbeatRequest& request);
  LeaveGroupResponse leave_group(const RequestContext& from, LeaveGroupRequest& request);
  void commit_offsets_of(const RequestContext& from, OffsetCommitRequest& request);
  OffsetFetchResponse fetch_offsets(const RequestContext& from, OffsetFetchRequest& request);
  OffsetFetchResponse::Group fetch_group_offsets(const OffsetFetchRequest::Group& in, bool stable);
  void delete_offsets(const RequestContext& from, OffsetDeleteRequest& request);
  DescribeGroupsResponse describe_groups(const RequestContext& from, DescribeGroupsRequest& request);
  ListGroupsResponse list_groups(const RequestContext& from, ListGroupsRequest& request);
  DeleteGroupsResponse delete_groups(const RequestContext& from, DeleteGroupsRequest& request);
  Group& group(const std::string& id);
  Group* find_group(const std::string& id);
  void joined(const RequestContext& to, JoinGroupResponse response) override;
  void synced(const RequestContext& to, SyncGroupResponse response) override;

  // broker_transactions.cc
  InitProducerIdResponse init_producer(const RequestContext& from, InitProducerIdRequest& request);
  AddPartitionsToTxnResponse add_partitions(const RequestContext& from, AddPartitionsToTxnRequest& request);
  CodeResponse add_offsets(const RequestContext& from, AddOffsetsToTxnRequest& request);
  TxnOffsetCommitResponse commit_transaction_offsets(const RequestContext& from, TxnOffsetCommitRequest& request);
  CodeResponse end_transaction(const RequestContext& from, EndTxnRequest& request);
  DescribeProducersResponse describe_producers(const RequestContext& from, DescribeProducersRequest& request);
  DescribeTransactionsResponse describe_transactions(const RequestContext& from, DescribeTransactionsRequest& request);
  ListTransactionsResponse list_transactions(const RequestContext& from, ListTransactionsRequest& request);
  Result<bool> complete(const TransactionEntry& decided) override;
  Code final_or(Result<Code> code);

  // broker_admin.cc
  SaslHandshakeResponse sasl(const RequestContext& from, SaslHandshakeRequest& request);
  CreateTopicsResponse create_topics(const RequestContext& from, CreateTopicsRequest& request);
  void create_topic(const CreateTopicsRequest& request, const CreateTopicsRequest::Topic& in, CreateTopicsResponse::Topic& out);
  DeleteTopicsResponse delete_topics(const RequestContext& from, DeleteTopicsRequest& request);
  CreatePartitionsResponse create_partitions(const RequestContext& from, CreatePartitionsRequest& request);
  DescribeConfigsResponse describe_configs(const RequestContext& from, DescribeConfigsRequest& request);
  AlterConfigsResponse alter_configs(const RequestContext& from, AlterConfigsRequest& request);
  AlterConfigsResponse change_configs(const RequestContext& from, IncrementalAlterConfigsRequest& request);
  void alter_topic(const std::string& topic, const log::TopicChanges& changes, bool validate_only, AlterConfigsResponse::Resource& out);
  DeleteRecordsResponse delete_records(const RequestContext& from, DeleteRecordsRequest& request);
  DescribeClusterResponse describe_cluster(const RequestContext& from, DescribeClusterRequest& request);
  DescribeLogDirsResponse describe_log_dirs(const RequestContext& from, DescribeLogDirsRequest& request);

  env::Env env_;
  BrokerConfig config_;
  env::NetAddress endpoint_;
  Outbox& outbox_;
  std::unique_ptr<env::FileLock> lock_;
  mutable Store store_;
  std::string cluster_id_;
  std::unique_ptr<TransactionCoordinator> transactions_;
  std::map<std::string, std::unique_ptr<Group>> groups_;
  std::vector<WaitingFetch> waiting_;
  Answers durable_answers_;                                     ///< of requests whose flush has not begun
  std::deque<std::pair<std::uint64_t, Answers>> flushing_;      ///< by the number of their flush
  FlushPace pace_;
  std::vector<PendingCommit> pending_commits_;
  std::map<std::string, log::GroupCommits> group_commits_;   ///< of this turn
  TimeUs retention_due_ = 0, compaction_due_ = 0, transactions_due_ = 0;
  std::unique_ptr<Cleaning> cleaning_;
  std::optional<Error> final_;
  BrokerCounts counts_;
  BrokerMetrics metrics_;
};

template <class Response>
std::string Broker::encode(const RequestContext& to, Response& response) {
  const ApiVersions* api = find_api(static_cast<std::int16_t>(to.api));
  const bool flexible = to.version >= api->flexible;
  std::string out(4, '\0');
  Encoder e(out, to.version, flexible);
  e.field(to.correlation);
  if (flexible && to.api != Api::kApiVersions) e.tags();   // an ApiVersions answer must be readable by those who don't know the version yet (KIP-511)
  response.describe(e);
  const std::uint32_t length = swap_bytes(static_cast<std::uint32_t>(out.size() - 4));
  std::memcpy(out.data(), &length, 4);
  return out;
}

/// The code that tells a client of an error of ours.
Code code_of(const Error& error);
/// Whether a client may create a topic of this name (Kafka's rules; names that begin with two underscores are ours).
bool is_topic_name(std::string_view name);

}  // namespace supyo::broker
