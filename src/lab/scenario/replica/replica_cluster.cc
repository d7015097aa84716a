#include "lab/scenario/replica/replica_cluster.h"

#include <algorithm>
#include <memory>

#include "core/base/check.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kControllerTick = 100 * kMillisecond;
constexpr DurationUs kHwCheckpoint = 5 * kSecond;          // replica.high.watermark.checkpoint.interval.ms
constexpr DurationUs kFetchSilence = 2 * kSecond;          // a follower asks again when nothing came for so long
constexpr DurationUs kAlterTimeout = kSecond;              // of a change of the in-sync replicas that the controller does not answer
constexpr DurationUs kRegisterRetry = 500 * kMillisecond;
constexpr std::int64_t kFetchRecords = 10'000;             // of one answer: replica.fetch.max.bytes of 1 MiB, records of 100 B

bool has(const std::vector<int>& list, int b) { return std::ranges::find(list, b) != list.end(); }

}  // namespace

std::string_view produce_error_name(ProduceError e) {
  switch (e) {
    case ProduceError::kNone: return "";
    case ProduceError::kTransport: return "_TRANSPORT";
    case ProduceError::kNotLeader: return "NOT_LEADER_OR_FOLLOWER";
    case ProduceError::kNotEnoughReplicas: return "NOT_ENOUGH_REPLICAS";
    case ProduceError::kTimedOut: return "_MSG_TIMED_OUT";
  }
  return "?";
}

ReplicaCluster::ReplicaCluster(EventLoop& loop, const ReplicaSettings& settings, env::Random& random) : loop_(loop), s_(settings), random_(random) {
  SUPYO_CHECK(s_.replicas >= 1 && s_.min_isr >= 1);
  const auto n = static_cast<std::size_t>(s_.replicas);
  brokers_.resize(n);
  last_arrival_.assign(n + 2, std::vector<TimeUs>(n + 2, 0));
  contact_us_.assign(n, 0);
  fenced_.assign(n, false);
  registered_.assign(n, 0);
  state_.leader = state_.last_known = 0;
  for (int b = 0; b < s_.replicas; ++b) state_.isr.push_back(b);
  for (int b = 0; b < s_.replicas; ++b) boot(b, true);
  publish();
  loop_.after(kControllerTick, [this] { controller_tick(); });
}

// Network and timers. Brokers are 0 to n - 1, the controller is n, a client n + 1.

TimeUs ReplicaCluster::arrival(int from, int to) {
  const auto jitter = static_cast<DurationUs>(random_.below(static_cast<std::uint64_t>(s_.jitter_us) + 1));
  TimeUs& last = last_arrival_[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
  last = std::max(last, loop_.now() + s_.network_us + jitter);
  return last;
}

/// Kept while the broker is stopped, dropped when it died since.
void ReplicaCluster::handle(int broker, int life, const std::function<void()>& what) {
  Broker& b = at(broker);
  if (b.process == Process::kDead || b.life != life) return;
  if (b.process == Process::kRuns) return what();
  b.inbox.push_back([this, broker, life, what] { handle(broker, life, what); });
}

/// A request at the broker's door: one after the other.
void ReplicaCluster::queue(int to, int life, DurationUs cost, std::function<void()> what) {
  handle(to, life, [this, to, life, cost, what = std::move(what)] {
    Broker& b = at(to);
    b.busy_us = std::max(b.busy_us, loop_.now()) + cost;
    loop_.at(b.busy_us, [this, to, life, what] { handle(to, life, what); });
  });
}

void ReplicaCluster::send(int from, int to, DurationUs cost, std::function<void()> what) {
  if (at(to).is_cut || at(from).is_cut) return;
  loop_.at(arrival(from, to), [this, to, life = at(to).life, cost, what = std::move(what)] { queue(to, life, cost, what); });
}

void ReplicaCluster::to_controller(int from, std::function<void()> what) {
  if (at(from).is_cut) return;
  loop_.at(arrival(from, s_.replicas), std::move(what));
}

void ReplicaCluster::timer(int broker, DurationUs delay, std::function<void()> what) {
  loop_.after(delay, [this, broker, life = at(broker).life, what = std::move(what)] { handle(broker, life, what); });
}

DurationUs ReplicaCluster::cost(std::int64_t records) const { return s_.request_us + static_cast<DurationUs>(s_.record_us * static_cast<double>(records)); }

// Faults.

void ReplicaCluster::stop(int broker) {
  if (at(broker).process == Process::kRuns) at(broker).process = Process::kStopped;
}

void ReplicaCluster::resume(int broker) {
  Broker& b = at(broker);
  if (b.process != Process::kStopped) return;
  b.process = Process::kRuns;
  for (auto inbox = std::exchange(b.inbox, {}); auto& what : inbox) what();
}

void ReplicaCluster::kill(int broker) {
  Broker& b = at(broker);
  if (b.process == Process::kDead) return;
  Broker gone{.process = Process::kDead, .is_cut = b.is_cut, .life = b.life + 1, .log = std::move(b.log), .hw = b.hw, .hw_checkpoint = b.hw_checkpoint};
  // Its connections are reset: who waits for an answer learns that there will be none.
  for (const auto& request : b.requests)
    if (*request) loop_.at(arrival(broker, s_.replicas + 1), [request] { answer_once(request, {ProduceError::kTransport, true}); });
  b = std::move(gone);
}

void ReplicaCluster::start(int broker) {
  if (at(broker).process != Process::kDead) return;
  loop_.after(s_.boot_us, [this, broker] {
    Broker& b = at(broker);
    if (b.process != Process::kDead) return;
    b.process = Process::kRuns;
    b.hw = std::min(b.hw_checkpoint, b.end());
    boot(broker, false);
  });
}

void ReplicaCluster::cut(int broker) { at(broker).is_cut = true; }
void ReplicaCluster::heal(int broker) { at(broker).is_cut = false; }

void ReplicaCluster::boot(int broker, bool first) {
  Broker& b = at(broker);
  b.followers.assign(brokers_.size(), {});
  if (!first) to_controller(broker, [this, broker, life = b.life] { heard_from(broker, life, true); });
  timer(broker, static_cast<DurationUs>(random_.below(static_cast<std::uint64_t>(s_.heartbeat_us))), [this, broker] { heartbeat(broker); });
  timer(broker, s_.lag_max_us / 2, [this, broker] { shrink(broker); });
  timer(broker, kHwCheckpoint, [this, broker] { checkpoint(broker); });
  timer(broker, kFetchSilence, [this, broker] { refetch_when_silent(broker); });
}

void ReplicaCluster::checkpoint(int broker) {
  at(broker).hw_checkpoint = at(broker).hw;
  timer(broker, kHwCheckpoint, [this, broker] { checkpoint(broker); });
}

void ReplicaCluster::heartbeat(int broker) {
  to_controller(broker, [this, broker, life = at(broker).life] { heard_from(broker, life, false); });
  timer(broker, s_.heartbeat_us, [this, broker] { heartbeat(broker); });
}

// Brokers.

void ReplicaCluster::hear(int broker, const State& state) {
  Broker& b = at(broker);
  if (state.epoch < b.epoch) return;
  const bool changed = state.epoch > b.epoch || state.leader != b.leader;
  const bool led = b.leads(broker);
  b.epoch = state.epoch;
  b.leader = state.leader;
  if (b.leads(broker)) {
    b.isr = state.isr;
    b.pending_isr.clear();
    if (changed) lead(broker);
    return advance(broker);
  }
  if (!changed) return;
  if (led) {   // stepped down: nobody may believe that what waits is safe
    for (Waiting& w : b.waiting) w.reply({ProduceError::kNotLeader, true});
    b.waiting.clear();
    b.parked.clear();
  }
  if (b.leader >= 0) fetch(broker);
}

void ReplicaCluster::lead(int broker) {
  Broker& b = at(broker);
  b.epoch_start = b.end();
  b.followers.assign(brokers_.size(), {.caught_up_us = loop_.now()});
  b.parked.clear();
}

void ReplicaCluster::fetch(int broker) {
  Broker& b = at(broker);
  b.fetch_sent_us = loop_.now();
  const Fetch f{.from = broker, .epoch = b.epoch, .last_epoch = b.log.empty() ? -1 : b.log.back().epoch, .offset = b.end(), .number = ++b.fetch_number};
  send(broker, b.leader, cost(0), [this, leader = b.leader, f] { serve_fetch(leader, f); });
}

void ReplicaCluster::refetch_when_silent(int broker) {
  Broker& b = at(broker);
  if (b.leader >= 0 && !b.leads(broker) && loop_.now() - b.fetch_sent_us >= kFetchSilence) fetch(broker);
  timer(broker, kFetchSilence / 4, [this, broker] { refetch_when_silent(broker); });
}

ReplicaCluster::EpochEnd ReplicaCluster::epoch_end(int broker, int epoch) const {
  const auto& log = at(broker).log;
  for (auto it = log.rbegin(); it != log.rend(); ++it)
    if (it->epoch <= epoch) return {it->epoch, it->end()};
  return {};
}

void ReplicaCluster::serve_fetch(int leader, const Fetch& f) {
  Broker& b = at(leader);
  if (!b.leads(leader) || f.epoch != b.epoch) return;   // one of us has not heard yet; it asks again
  const EpochEnd mine = epoch_end(leader, f.last_epoch);
  if (f.offset > 0 && (mine.epoch < f.last_epoch || mine.end < f.offset) && s_.bug != ReplicaBug::kKeepsDivergingTail) {
    return send(leader, f.from, cost(0), [this, f, mine] { follow_epoch(f.from, f.number, mine); });
  }
  Follower& follower = b.followers[static_cast<std::size_t>(f.from)];
  follower.end = f.offset;
  if (f.offset >= b.end()) follower.caught_up_us = loop_.now();
  else if (f.offset >= follower.end_at_fetch) follower.caught_up_us = std::max(follower.caught_up_us, follower.fetched_us);
  follower.end_at_fetch = b.end();
  follower.fetched_us = loop_.now();
  if (!has(b.isr, f.from) && b.pending_isr.empty() && f.offset >= b.hw && f.offset >= b.epoch_start) {
    std::vector<int> wanted = b.isr;
    wanted.push_back(f.from);
    alter_isr(leader, std::move(wanted));
  }
  advance(leader);
  if (answer_fetch(leader, f, false)) return;
  b.parked.push_back(f);
  timer(leader, s_.fetch_wait_us, [this, leader, f] {
    auto& parked = at(leader).parked;
    const auto it = std::ranges::find_if(parked, [&](const Fetch& p) { return p.from == f.from && p.number == f.number; });
    if (it == parked.end()) return;
    parked.erase(it);
    answer_fetch(leader, f, true);
  });
}

bool ReplicaCluster::answer_fetch(int leader, const Fetch& f, bool even_if_empty) {
  Broker& b = at(leader);
  if (!b.leads(leader) || f.epoch != b.epoch) return true;
  std::vector<LogBatch> batches;
  auto from = std::ranges::partition_point(b.log, [&](const LogBatch& x) { return x.base < f.offset; });
  std::int64_t records = 0;
  for (; from != b.log.end() && records < kFetchRecords; ++from) {
    batches.push_back(*from);
    records += from->count;
  }
  if (batches.empty() && !even_if_empty) return false;
  send(leader, f.from, cost(records), [this, f, hw = b.hw, batches = std::move(batches)] { take(f.from, f.number, batches, hw); });
  return true;
}

void ReplicaCluster::wake_parked(int leader) {
  auto parked = std::exchange(at(leader).parked, {});
  for (const Fetch& f : parked)
    if (!answer_fetch(leader, f, false)) at(leader).parked.push_back(f);
}

/// The leader's answer: more of the log.
void ReplicaCluster::take(int follower, std::uint64_t number, const std::vector<LogBatch>& batches, std::int64_t leader_hw) {
  Broker& b = at(follower);
  if (number != b.fetch_number || b.leads(follower) || b.leader < 0) return;
  for (const LogBatch& x : batches)
    if (x.base == b.end()) b.log.push_back(x);
  b.hw = std::max(b.hw, std::min(leader_hw, b.end()));
  fetch(follower);
}

/// Or where the two logs part: at the end of the newest epoch that both have.
void ReplicaCluster::follow_epoch(int follower, std::uint64_t number, EpochEnd leaders) {
  const Broker& b = at(follower);
  if (number != b.fetch_number || b.leads(follower) || b.leader < 0) return;
  const EpochEnd mine = epoch_end(follower, leaders.epoch);
  truncate(follower, mine.epoch == leaders.epoch ? std::min(mine.end, leaders.end) : mine.end);
  fetch(follower);
}

void ReplicaCluster::truncate(int broker, std::int64_t to) {
  Broker& b = at(broker);
  while (!b.log.empty() && b.log.back().end() > to) {
    truncated_ += static_cast<std::uint64_t>(b.log.back().count);
    b.log.pop_back();
  }
  b.hw = std::min(b.hw, b.end());
}

void ReplicaCluster::append(int leader, bool acks_all, bool idempotent, const LogBatch& batch, std::function<void(ProduceReply)> reply) {
  Broker& b = at(leader);
  if (!b.leads(leader)) return reply({ProduceError::kNotLeader, false});
  if (acks_all && static_cast<int>(b.isr.size()) < s_.min_isr) return reply({ProduceError::kNotEnoughReplicas, false});
  std::int64_t required = -1;
  if (idempotent) {   // a repetition is recognised by its sequence number
    constexpr std::size_t kBack = 64;
    for (std::size_t i = 0; i < std::min(kBack, b.log.size()); ++i)
      if (const LogBatch& x = b.log[b.log.size() - 1 - i]; x.first_id == batch.first_id) required = x.end();
  }
  if (required < 0) {
    b.log.push_back(batch);
    b.log.back().base = b.log.size() > 1 ? b.log[b.log.size() - 2].end() : 0;
    b.log.back().epoch = b.epoch;
    required = b.end();
  }
  if (!acks_all || s_.bug == ReplicaBug::kAcknowledgesEarly) reply({});
  else b.waiting.push_back({required, std::move(reply)});
  advance(leader);
  wake_parked(leader);
}

/// The high watermark: what all in-sync replicas have, and those that are about to be; it stands still while they are fewer than min.insync.replicas (KAFKA-15583).
void ReplicaCluster::advance(int leader) {
  Broker& b = at(leader);
  if (!b.leads(leader)) return;
  std::int64_t least = b.end();
  for (const auto* list : {&b.isr, &b.pending_isr})
    for (const int r : *list)
      if (r != leader) least = std::min(least, b.followers[static_cast<std::size_t>(r)].end);
  if (s_.bug == ReplicaBug::kWatermarkIgnoresIsr) least = b.end();
  else if (static_cast<int>(b.isr.size()) < s_.min_isr) return;
  if (least <= b.hw) return;
  b.hw = least;
  while (!b.waiting.empty() && b.waiting.front().required <= b.hw) {
    b.waiting.front().reply({});
    b.waiting.pop_front();
  }
}

/// Followers that have not been at the end for too long leave the in-sync replicas.
void ReplicaCluster::shrink(int leader) {
  Broker& b = at(leader);
  timer(leader, s_.lag_max_us / 2, [this, leader] { shrink(leader); });
  if (!b.leads(leader) || !b.pending_isr.empty()) return;
  std::vector<int> wanted;
  for (const int r : b.isr) {
    const Follower& f = b.followers[static_cast<std::size_t>(r)];
    if (r == leader || f.end == b.end() || loop_.now() - f.caught_up_us <= s_.lag_max_us) wanted.push_back(r);
  }
  if (wanted.size() < b.isr.size()) alter_isr(leader, std::move(wanted));
}

void ReplicaCluster::alter_isr(int leader, std::vector<int> wanted) {
  Broker& b = at(leader);
  b.pending_isr = wanted;
  timer(leader, kAlterTimeout, [this, leader, wanted] { if (at(leader).pending_isr == wanted) at(leader).pending_isr.clear(); });
  to_controller(leader, [this, leader, epoch = b.epoch, wanted = std::move(wanted)] {
    const bool eligible = std::ranges::none_of(wanted, [&](int r) { return fenced_[static_cast<std::size_t>(r)]; });
    if (state_.leader != leader || state_.epoch != epoch || !eligible) return publish();   // the leader hears what holds instead
    std::vector<int> left;
    for (const int r : state_.isr) if (!has(wanted, r)) left.push_back(r);
    state_.isr = wanted;
    if (static_cast<int>(state_.isr.size()) >= s_.min_isr) state_.elr.clear();
    else if (s_.elr) state_.elr.insert(state_.elr.end(), left.begin(), left.end());
    publish();
  });
}

// Controller: it never fails.

void ReplicaCluster::controller_tick() {
  for (int b = 0; b < s_.replicas; ++b)
    if (!fenced_[static_cast<std::size_t>(b)] && loop_.now() - contact_us_[static_cast<std::size_t>(b)] > s_.session_us) fence(b);
  loop_.after(kControllerTick, [this] { controller_tick(); });
}

void ReplicaCluster::heard_from(int broker, int life, bool registers) {
  const auto i = static_cast<std::size_t>(broker);
  if (at(broker).life != life || at(broker).process == Process::kDead) return;
  if (registers) {
    // Refused while the session of its former life is valid.
    if (!fenced_[i]) return loop_.after(kRegisterRetry, [this, broker, life] { heard_from(broker, life, true); });
    registered_[i] = life;
    // It had not said goodbye: what it kept in memory is not to be counted on.
    if (s_.elr) {
      leave_isr(broker);
      std::erase(state_.elr, broker);
    }
  }
  if (registered_[i] != life) return;
  contact_us_[i] = loop_.now();
  if (!fenced_[i]) return;
  fenced_[i] = false;
  elect();
  publish();
}

void ReplicaCluster::fence(int broker) {
  fenced_[static_cast<std::size_t>(broker)] = true;
  leave_isr(broker);
  elect();
  publish();
}

/// Without eligible leader replicas the last one stays in the list, so that it is known who may lead again.
void ReplicaCluster::leave_isr(int broker) {
  if (!has(state_.isr, broker) || (state_.isr.size() == 1 && !s_.elr)) return;
  std::erase(state_.isr, broker);
  if (s_.elr && static_cast<int>(state_.isr.size()) < s_.min_isr) state_.elr.push_back(broker);
}

/// In-sync replicas first, then eligible ones, then, if loss is accepted, anybody; at last the one that led last, when nobody else is known to have more.
void ReplicaCluster::elect() {
  const auto lives = [&](int b) { return !fenced_[static_cast<std::size_t>(b)]; };
  if (state_.leader >= 0 && lives(state_.leader) && has(state_.isr, state_.leader)) return;
  int next = -1;
  bool unclean = false;
  for (const int b : state_.isr) if (next < 0 && lives(b)) next = b;
  for (const int b : state_.elr) if (next < 0 && lives(b)) next = b;
  if (next < 0 && s_.elr && state_.isr.empty() && state_.elr.empty() && state_.last_known >= 0 && lives(state_.last_known)) next = state_.last_known;
  if (next < 0 && s_.unclean)
    for (int b = 0; b < s_.replicas; ++b)
      if (next < 0 && lives(b)) next = b, unclean = true;
  if (next == state_.leader) return;
  state_.leader = next;
  ++state_.epoch;
  if (next < 0) return;
  state_.last_known = next;
  unclean_elections_ += unclean ? 1 : 0;
  if (unclean) state_.isr.clear(), state_.elr.clear();
  if (!has(state_.isr, next)) state_.isr.push_back(next);
  std::erase(state_.elr, next);
}

void ReplicaCluster::publish() {
  for (int b = 0; b < s_.replicas; ++b) {
    if (at(b).is_cut) continue;
    loop_.at(arrival(s_.replicas, b), [this, b, life = at(b).life, state = state_] { handle(b, life, [this, b, state] { hear(b, state); }); });
  }
}

// Clients.

void ReplicaCluster::metadata(std::function<void(Metadata)> reply) {
  const auto knows = [&](int b) { return answers(b) && !at(b).is_cut; };
  bool any = false;
  for (int b = 0; b < s_.replicas; ++b) any = any || knows(b);
  const Metadata m = any ? Metadata{state_.leader, state_.epoch} : Metadata{-2, 0};
  loop_.after(2 * s_.network_us + s_.request_us, [reply = std::move(reply), m] { reply(m); });
}

void ReplicaCluster::answer_once(const Request& request, ProduceReply r) {
  if (const auto reply = std::exchange(*request, nullptr)) reply(r);
}

void ReplicaCluster::produce(int to, bool acks_all, bool idempotent, const LogBatch& batch, std::function<void(ProduceReply)> reply) {
  const int client = s_.replicas + 1;
  if (!alive(to)) return loop_.after(2 * s_.network_us, [reply = std::move(reply)] { reply({ProduceError::kTransport, false}); });   // nobody listens
  const Request request = std::make_shared<std::function<void(ProduceReply)>>(std::move(reply));
  auto& open = at(to).requests;
  constexpr std::size_t kMany = 64;
  if (open.size() >= kMany) std::erase_if(open, [](const Request& r) { return *r == nullptr; });
  open.push_back(request);
  loop_.at(arrival(client, to), [this, to, life = at(to).life, acks_all, idempotent, batch, request] {
    queue(to, life, cost(batch.count), [this, to, acks_all, idempotent, batch, request] {
      append(to, acks_all, idempotent, batch, [this, to, request](ProduceReply r) { loop_.at(arrival(to, s_.replicas + 1), [request, r] { answer_once(request, r); }); });
    });
  });
}

}  // namespace supyo::scenario
