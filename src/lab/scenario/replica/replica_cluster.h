#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "core/base/strong.h"
#include "core/env/sim/sim_env.h"
#include "lab/scenario/replica/event_loop.h"

namespace supyo::scenario {

/// A wrong rule, planted by tests that must find it.
enum class ReplicaBug : std::uint8_t {
  kNone,
  kAcknowledgesEarly,      ///< acks=all answers after the leader's own append
  kWatermarkIgnoresIsr,    ///< the high watermark is the leader's end
  kKeepsDivergingTail,     ///< a returning replica does not truncate
};

/// A partition's cluster. Defaults: Kafka 4.1's. Sources of the rules: docs/labs.md, "The model of a replicated log".
struct ReplicaSettings {
  int replicas = 3;
  int min_isr = 1;                              ///< min.insync.replicas
  bool unclean = false;                         ///< unclean.leader.election.enable
  bool elr = true;                              ///< eligible leader replicas, KIP-966
  DurationUs lag_max_us = 30 * kSecond;         ///< replica.lag.time.max.ms
  DurationUs session_us = 9 * kSecond;          ///< broker.session.timeout.ms
  DurationUs heartbeat_us = 2 * kSecond;        ///< broker.heartbeat.interval.ms
  DurationUs fetch_wait_us = 500 * kMillisecond;///< replica.fetch.wait.max.ms
  // What things cost: declared, not measured.
  DurationUs network_us = 200, jitter_us = 100; ///< one way, and up to so much more
  DurationUs request_us = 40;                   ///< of a broker for a request
  double record_us = 0.5;                       ///< and for each record in it
  DurationUs boot_us = 4 * kSecond;             ///< a killed broker's way back
  ReplicaBug bug = ReplicaBug::kNone;
};

/// What a produce request ended with.
enum class ProduceError : std::uint8_t { kNone, kTransport, kNotLeader, kNotEnoughReplicas, kTimedOut };
std::string_view produce_error_name(ProduceError e);   ///< as librdkafka names it: "NOT_ENOUGH_REPLICAS"

/// Records that were sent together: ids [first_id, first_id + count).
struct LogBatch {
  std::int64_t base = 0;
  std::int64_t count = 0;
  int epoch = 0;
  std::uint64_t first_id = 0;
  TimeUs created_us = 0;                        ///< of its newest record
  std::int64_t end() const { return base + count; }
};

/// One partition of a replicated log with its controller, in virtual time: leader, followers that fetch, in-sync replicas, high watermark, leader epochs, elections
/// and truncation, as Kafka does them. It is a model: nothing here was measured. Brokers are 0 to replicas - 1. One thread.
class ReplicaCluster {
 public:
  ReplicaCluster(EventLoop& loop, const ReplicaSettings& settings, env::Random& random);

  // Faults. A stopped process handles nothing, but what arrives waits for it; a killed one is gone with its memory, its log stays.
  void stop(int broker);
  void resume(int broker);
  void kill(int broker);
  void start(int broker);        ///< of a killed one: it answers after boot_us
  void cut(int broker);          ///< from brokers and controller; clients still reach it
  void heal(int broker);

  // What clients do.
  struct Metadata {
    int leader = -1, epoch = 0;
  };
  /// The answer comes after a round trip through a broker that answers; no answer (leader -2) if there is none.
  void metadata(std::function<void(Metadata)> reply);
  /// Appends at `to`, if it thinks itself the leader. `reply` is called once, or never while `to` is stopped. `maybe_persisted`: with an error, the records may be in its log.
  struct ProduceReply {
    ProduceError error = ProduceError::kNone;
    bool maybe_persisted = false;
  };
  void produce(int to, bool acks_all, bool idempotent, const LogBatch& batch, std::function<void(ProduceReply)> reply);

  // What can be seen from outside, at once.
  int leader() const { return state_.leader; }                  ///< as the controller says; -1: none
  int epoch() const { return state_.epoch; }
  const std::vector<int>& isr() const { return state_.isr; }
  const std::vector<int>& elr() const { return state_.elr; }
  int unclean_elections() const { return unclean_elections_; }
  bool answers(int broker) const { return at(broker).process == Process::kRuns; }
  bool alive(int broker) const { return at(broker).process != Process::kDead; }
  const std::vector<LogBatch>& log(int broker) const { return at(broker).log; }
  std::int64_t end(int broker) const { return at(broker).end(); }
  std::int64_t high_watermark(int broker) const { return at(broker).hw; }
  std::uint64_t truncated() const { return truncated_; }        ///< records that replicas threw away to follow their leader
  int replicas() const { return s_.replicas; }
  /// The newest epoch not above `epoch` in this broker's log, and where it ends.
  struct EpochEnd {
    int epoch = -1;
    std::int64_t end = 0;
  };
  EpochEnd epoch_end(int broker, int epoch) const;

 private:
  enum class Process : std::uint8_t { kRuns, kStopped, kDead };
  struct Follower {
    std::int64_t end = -1;
    TimeUs caught_up_us = 0, fetched_us = 0;
    std::int64_t end_at_fetch = 0;          ///< the leader's, when it last fetched
  };
  struct Fetch {
    int from = 0, epoch = 0, last_epoch = -1;
    std::int64_t offset = 0;
    std::uint64_t number = 0;
  };
  using Request = std::shared_ptr<std::function<void(ProduceReply)>>;   ///< null inside once it is answered
  struct Waiting {                          ///< acks=all
    std::int64_t required = 0;
    std::function<void(ProduceReply)> reply;
  };
  struct Broker {
    Process process = Process::kRuns;
    bool is_cut = false;
    int life = 0;                           ///< its timers and messages die with it
    std::vector<LogBatch> log = {};
    std::int64_t hw = 0, hw_checkpoint = 0;
    int leader = -1, epoch = -1;            ///< as it last heard
    std::vector<int> isr = {}, pending_isr = {};      ///< as leader; pending: asked of the controller, not answered
    std::int64_t epoch_start = 0;
    std::vector<Follower> followers = {};
    std::deque<Waiting> waiting = {};
    std::vector<Fetch> parked = {};
    std::vector<Request> requests = {};          ///< of clients, answered or not
    std::uint64_t fetch_number = 0;         ///< of the fetch whose answer it waits for
    TimeUs fetch_sent_us = 0, busy_us = 0;
    std::deque<std::function<void()>> inbox = {};
    std::int64_t end() const { return log.empty() ? 0 : log.back().end(); }
    bool leads(int self) const { return leader == self; }
  };
  struct State {                            ///< the controller's
    int leader = -1, epoch = 0, last_known = -1;
    std::vector<int> isr, elr;
  };

  Broker& at(int b) { return brokers_[static_cast<std::size_t>(b)]; }
  const Broker& at(int b) const { return brokers_[static_cast<std::size_t>(b)]; }
  // network and timers
  TimeUs arrival(int from, int to);
  void handle(int broker, int life, const std::function<void()>& what);
  void queue(int to, int life, DurationUs cost, std::function<void()> what);
  void send(int from, int to, DurationUs cost, std::function<void()> what);
  void to_controller(int from, std::function<void()> what);
  void timer(int broker, DurationUs delay, std::function<void()> what);
  DurationUs cost(std::int64_t records) const;
  // brokers
  void boot(int broker, bool first);
  void heartbeat(int broker);
  void checkpoint(int broker);
  void hear(int broker, const State& state);
  void lead(int broker);
  void fetch(int broker);
  void refetch_when_silent(int broker);
  void serve_fetch(int leader, const Fetch& fetch);
  bool answer_fetch(int leader, const Fetch& fetch, bool even_if_empty);
  void take(int follower, std::uint64_t number, const std::vector<LogBatch>& batches, std::int64_t leader_hw);
  void follow_epoch(int follower, std::uint64_t number, EpochEnd leaders);
  void append(int leader, bool acks_all, bool idempotent, const LogBatch& batch, std::function<void(ProduceReply)> reply);
  void truncate(int broker, std::int64_t to);
  void wake_parked(int leader);
  void advance(int leader);
  void shrink(int leader);
  void alter_isr(int leader, std::vector<int> wanted);
  // controller
  void controller_tick();
  void heard_from(int broker, int life, bool registers);
  void fence(int broker);
  void leave_isr(int broker);
  void elect();
  void publish();
  static void answer_once(const Request& request, ProduceReply r);

  EventLoop& loop_;
  ReplicaSettings s_;
  env::Random& random_;
  std::vector<Broker> brokers_;
  std::vector<std::vector<TimeUs>> last_arrival_;   ///< by sender and receiver: a connection keeps its order
  State state_;
  std::vector<TimeUs> contact_us_;
  std::vector<bool> fenced_;
  std::vector<int> registered_;                     ///< the life that the controller knows
  int unclean_elections_ = 0;
  std::uint64_t truncated_ = 0;
};

}  // namespace supyo::scenario
