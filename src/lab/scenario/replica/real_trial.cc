#include "lab/scenario/replica/real_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>

#include "connect/kafka/admin.h"
#include "connect/kafka/group_consumer.h"
#include "connect/kafka/kafka.h"
#include "lab/scenario/replica/broker_log.h"
#include "lab/scenario/replica/real_client.h"
#include "lab/scenario/replica/replica_lab.h"

namespace supyo::scenario {
namespace {

using connect::KafkaAdmin;
using Outcome = connect::RecordReport::Outcome;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr DurationUs kProbe = 250 * kMillisecond, kProbeTimeout = kSecond;
constexpr DurationUs kHeard = 1500 * kMillisecond;             // so old an answer about the high watermark may be
constexpr DurationUs kStep = kMillisecond;
constexpr DurationUs kLook = 200 * kMillisecond;               // after a stop, until its processor time must stand still
constexpr DurationUs kDies = 3 * kSecond;                      // a killed process gives its memory back first
constexpr DurationUs kUnderway = kSecond;                      // acknowledgements of a dead leader that may still come
constexpr const char* kAudit = "-audit";                       // the group that reads everything back
constexpr std::size_t kHeader = 32;                            // id and time of creation, 16 hexadecimal digits each

void write_hex(char* to, std::uint64_t v) { fmt::format_to_n(to, 16, "{:016x}", v); }
std::optional<std::uint64_t> read_hex(std::string_view text) {
  std::uint64_t v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v, 16);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(v) : std::nullopt;
}

/// What the probe saw last.
struct Seen {
  std::int32_t leader = -1;
  int in_sync = 0, leader_changes = 0;
  double high_watermark = 0;
  TimeUs high_watermark_us = 0;                                ///< when a leader said so last
  bool fresh = false;                                          ///< since the last sample
};

class RealTrial {
 public:
  RealTrial(const env::Env& env, BrokerProcesses& brokers, const ReplicaPlan& plan, int trial, const RunOptions& options, std::map<std::string, std::string>& config)
      : env_(env), brokers_(brokers), plan_(plan), options_(options), config_(config), topic_(lab_topic_name(env, fmt::format("{}-{}", plan.arm, trial))) {
    arm_.name = plan.arm;
    add_replica_columns(arm_);
  }
  /// However it ended, nothing of it stays on the cluster.
  ~RealTrial() {
    over_ = true;
    threads_.clear();   // joined
    if (!admin_) return;
    (void)admin_->delete_topic(topic_);
    for (const std::string& group : {topic_, topic_ + kAudit}) (void)admin_->delete_group(group);
  }

  Result<Arm> run() {
    SUPYO_ASSIGN(admin_, KafkaAdmin::open(brokers_.servers(), 20 * kSecond));
    SUPYO_TRY(prepare());
    const Status played = play();
    const Status mended = mend();   // whatever happened, nobody stays stopped
    SUPYO_TRY(played);
    SUPYO_TRY(mended);
    SUPYO_TRY(drain());
    over_ = true;
    threads_.clear();
    SUPYO_TRY(count());
    return std::move(arm_);
  }

 private:
  TimeUs now() const { return env_.clock.monotonic_us(); }
  double seconds() const { return static_cast<double>(now() - start_us_) / 1e6; }
  void note(std::string what) { arm_.timeline.emplace_back(std::max(0.0, start_us_ == 0 ? 0 : seconds()), std::move(what)); }

  Status prepare() {
    std::map<std::string, std::string> settings{{"min.insync.replicas", std::to_string(plan_.cluster.min_isr)}};
    if (plan_.cluster.unclean) settings["unclean.leader.election.enable"] = "true";   // Kafka's default is false
    SUPYO_TRY(admin_->create_topic(topic_, 1, plan_.cluster.replicas, settings));
    SUPYO_TRY(wait_until_in_sync());
    led_ = partition_.leader;
    if (!config_.contains("brokers say")) {
      SUPYO_ASSIGN(const auto said, admin_->broker_config(partition_.leader));
      std::string text;
      for (const char* name : {"replica.lag.time.max.ms", "broker.session.timeout.ms", "broker.heartbeat.interval.ms", "default.replication.factor", "min.insync.replicas", "unclean.leader.election.enable"})
        if (const auto it = said.find(name); it != said.end()) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, it->second);
      config_["brokers say"] = text;
      config_["cluster"] = brokers_.name();
    }
    SUPYO_ASSIGN(producer_, open_producer(env_, real_producer_options(brokers_.servers(), topic_, plan_.producer)));
    threads_.push_back(env_.threads->start("lab-consumer", [this] { consume(); }));
    threads_.push_back(env_.threads->start("lab-probe", [this] { probe(); }));
    threads_.push_back(env_.threads->start("lab-probe-end", [this] { probe_end(); }));
    for (const TimeUs limit = now() + kPatience; !assigned_ && now() < limit;) env_.threads->idle(10 * kMillisecond);
    if (!assigned_) return fail(ErrorCode::kOutsideUnavailable, fmt::format("no partition was assigned to the lab's consumer: {}", consumer_error()), "supyo stack logs kafka3");
    return ok();
  }

  /// Every replica is in sync; the partition as it is then.
  Status wait_until_in_sync() {
    for (const TimeUs limit = now() + kPatience; now() < limit; env_.threads->idle(100 * kMillisecond)) {
      SUPYO_TRY(options_.go_on());
      const auto cluster = admin_->describe();
      if (!cluster) continue;
      for (const auto& t : cluster->topics)
        if (t.name == topic_ && t.partitions.size() == 1) partition_ = t.partitions[0];
      if (partition_.leader >= 0 && static_cast<int>(partition_.in_sync.size()) == plan_.cluster.replicas && static_cast<int>(cluster->brokers.size()) >= plan_.cluster.replicas) return ok();
    }
    return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} of {} replicas of {} are in sync", partition_.in_sync.size(), plan_.cluster.replicas, topic_), "supyo stack status kafka3; supyo stack logs kafka3");
  }

  void consume() {
    auto consumer = open_patiently(env_, [&] { return connect::GroupConsumer::open({.servers = brokers_.servers(), .topic = topic_, .group = topic_, .read_committed = false}); });
    if (!consumer) return consumer_failed(consumer.error());
    TimeUs committed_at = now();
    std::int64_t position = 0;
    while (!over_) {
      const auto record = (*consumer)->poll(50 * kMillisecond);
      for (const auto& e : (*consumer)->events())
        if (e.kind == connect::GroupEvent::Kind::kAssigned) assigned_ = true;
      if (!record) {
        consumer_failed(record.error());
        env_.threads->idle(100 * kMillisecond);
        continue;
      }
      const std::lock_guard lock(mutex_);
      if (*record && (*record)->value && (*record)->value->size() >= kHeader) {
        position = (*record)->offset + 1;
        if (const auto id = read_hex((*record)->value->substr(0, 16)); id && *id < (1U << 30)) {
          if (*id >= read_.size()) read_.resize(*id + 1);
          read_[*id] = true;
        }
        if (const auto created = read_hex((*record)->value->substr(16, 16))) newest_us_ = std::max(newest_us_, static_cast<TimeUs>(*created));
      }
      if (now() - committed_at < kSecond) continue;
      committed_at = now();
      committed_ = position;
      if (position > 0) (void)(*consumer)->commit(0, position, false);   // refused while its coordinator is away: the next one carries it
    }
  }
  void consumer_failed(const Error& e) {
    const std::lock_guard lock(mutex_);
    consumer_error_ = e.message;
  }
  std::string consumer_error() {
    const std::lock_guard lock(mutex_);
    return consumer_error_;
  }

  /// Eyes of their own on the brokers, each another client, which waits for stopped brokers on its own time. This one asks any broker who leads and who is in sync.
  void probe() {
    const auto admin = KafkaAdmin::open(brokers_.servers(), kProbeTimeout);
    if (!admin) return;
    for (; !over_; env_.threads->idle(kProbe)) {
      const auto cluster = (*admin)->describe();
      if (!cluster) continue;
      const std::lock_guard lock(mutex_);
      for (const auto& t : cluster->topics) {
        if (t.name != topic_ || t.partitions.size() != 1) continue;
        if (t.partitions[0].leader != seen_.leader && seen_.leader != -1) ++seen_.leader_changes;
        seen_.leader = t.partitions[0].leader;
        seen_.in_sync = static_cast<int>(t.partitions[0].in_sync.size());
      }
      seen_.fresh = true;
    }
  }
  /// And this one the leader alone, for the high watermark.
  void probe_end() {
    const auto admin = KafkaAdmin::open(brokers_.servers(), kProbeTimeout);
    if (!admin) return;
    for (; !over_; env_.threads->idle(kProbe)) {
      const auto ends = (*admin)->ends_of(topic_, 0);
      if (!ends) continue;
      const std::lock_guard lock(mutex_);
      seen_.high_watermark = static_cast<double>(ends->end);
      seen_.high_watermark_us = now();
    }
  }

  Status play() {
    start_us_ = now();
    const TimeUs from = start_us_ + plan_.baseline_us, end = from + plan_.fault_us + plan_.recovery_us;
    TimeUs next_sample = start_us_ + kReplicaSample;
    std::size_t next = 0;
    last_ack_us_ = start_us_;
    while (now() < end) {
      SUPYO_TRY(options_.go_on());
      if (next < plan_.steps.size() && now() >= from + plan_.steps[next].at_us) SUPYO_TRY(take(plan_.steps[next++]));
      SUPYO_TRY(send_due());
      take_reports(kStep);
      look_at_stopped();
      if (now() < next_sample) continue;
      sample(next_sample - start_us_);
      next_sample += kReplicaSample;
    }
    if (now() >= next_sample) sample(next_sample - start_us_);
    return ok();
  }

  Status send_due() {
    const auto due = static_cast<std::uint64_t>(static_cast<double>(now() - start_us_) / 1e6 * plan_.producer.rate);
    value_.resize(std::max<std::size_t>(kHeader, static_cast<std::size_t>(plan_.record_bytes)), 'x');
    while (created_us_.size() < due) {
      const std::uint64_t id = created_us_.size();
      write_hex(value_.data(), id);
      write_hex(value_.data() + 16, static_cast<std::uint64_t>(now()));
      const auto taken = producer_->send(id, std::nullopt, value_, env_.clock.now_us());
      if (!taken) return another_client(taken.error());
      if (!*taken) return ok();   // its queue is full: try again after the next reports
      created_us_.push_back(now());
      outcome_.push_back(0);
    }
    return ok();
  }

  /// A client may give up for good: an idempotent one does when the log that it wrote to was cut. An application would begin again with a new one.
  Status another_client(const Error& why) {
    note(fmt::format("the client gave up: {}", why.message));
    ++clients_lost_;
    producer_->give_up();
    for (const TimeUs limit = now() + 5 * kSecond; producer_->in_flight() > 0 && now() < limit;) take_reports(20 * kMillisecond);
    if (producer_->in_flight() > 0) return fail(ErrorCode::kOutsideUnavailable, "a client that gave up did not say what became of its records", "");
    SUPYO_ASSIGN(producer_, open_producer(env_, real_producer_options(brokers_.servers(), topic_, plan_.producer)));
    return ok();
  }

  void take_reports(DurationUs wait) {
    for (const auto& r : producer_->reports(wait)) {
      const TimeUs t = now();
      outcome_[r.id] = static_cast<std::uint8_t>(1 + static_cast<int>(r.outcome));
      if (r.outcome != Outcome::kAcknowledged) {
        (r.outcome == Outcome::kFailed ? failed_ : unknown_) += 1;
        ++errors_[r.why];
        continue;
      }
      ++acked_;
      acks_.push_back({r.id, r.offset, t});
      end_ = std::max(end_, r.offset + 1);
      outage_us_ = std::max(outage_us_, t - last_ack_us_);
      last_ack_us_ = t;
      if (t - created_us_[r.id] <= ModelProducer::kPrompt) ++prompt_;
    }
  }

  std::vector<std::int32_t> brokers_of(const std::vector<ReplicaStep::Who>& who) const {
    std::vector<std::int32_t> followers, out;
    for (const std::int32_t b : partition_.replicas) if (b != led_) followers.push_back(b);
    for (const ReplicaStep::Who w : who) {
      if (w == ReplicaStep::Who::kLeader) out.push_back(led_);
      else if (w == ReplicaStep::Who::kFollowers) out.insert(out.end(), followers.begin(), followers.end());
      else if (const std::size_t i = w == ReplicaStep::Who::kFirstFollower ? 0 : 1; i < followers.size()) out.push_back(followers[i]);
    }
    return out;
  }

  Status take(const ReplicaPlan::Step& step) {
    using Kind = ReplicaStep::Kind;
    std::string names;
    for (const std::int32_t b : brokers_of(step.who)) {
      names += fmt::format(" {}", b);
      switch (step.kind) {
        case Kind::kStop:
          SUPYO_TRY(brokers_.signal(b, env::ProcessSignal::kStop));
          stopped_[b] = {now(), std::nullopt};
          break;
        case Kind::kContinue:
          stands_still(b);
          SUPYO_TRY(brokers_.signal(b, env::ProcessSignal::kContinue));
          break;
        case Kind::kKill:
          stands_still(b);
          SUPYO_TRY(brokers_.signal(b, env::ProcessSignal::kKill));
          killed_[b] = {.at_us = now()};
          break;
        case Kind::kStart:
          look_at_disk(b);
          starts_.push_back(env_.threads->start("lab-start", [this, b] { started(brokers_.start(b)); }));
          break;
        case Kind::kCut:
        case Kind::kHeal: return fail(ErrorCode::kUnsupported, "real brokers cannot be cut from each other here", "bind the arm to the model: on: embedded");
      }
    }
    note(fmt::format("{}: broker{}", step_name(step.kind), names));
    return ok();
  }
  void started(const Status& done) {
    if (done) return;
    const std::lock_guard lock(mutex_);
    start_error_ = done.error().to_string();
  }

  /// A stopped process uses no processor time, and a killed one is gone: the kernel says so, not we.
  void look_at_stopped() {
    for (auto& [b, look] : stopped_) {
      if (look.second || now() - look.first < kLook) continue;
      if (const auto seen = brokers_.look(b); seen && seen->stopped) look.second = seen->cpu_us;
      else still_ = false;
    }
    for (auto& [b, k] : killed_) {
      if (k.gone || now() - k.at_us > kDies) continue;
      k.gone = !brokers_.look(b);
    }
  }
  void stands_still(std::int32_t b) {
    const auto it = stopped_.find(b);
    if (it == stopped_.end()) return;
    if (it->second.second) {
      const auto seen = brokers_.look(b);
      still_ = still_ && seen && seen->stopped && seen->cpu_us == *it->second.second;
    }
    stopped_.erase(it);
  }

  /// What a broker that was killed has written, before it starts again and cuts it.
  void look_at_disk(std::int32_t b) {
    const auto it = killed_.find(b);
    if (it == killed_.end() || !it->second.gone || it->second.log) return;
    const auto log = read_broker_log(env_.files, partition_directory(b));
    if (!log) return note(fmt::format("the disk of broker {}: {}", b, log.error().message));
    it->second.log = *log;
  }
  std::string partition_directory(std::int32_t b) const { return env::join_path(brokers_.data(b), topic_ + "-0"); }

  void sample(DurationUs at) {
    ReplicaSample s{.sent = static_cast<double>(created_us_.size()), .acked = static_cast<double>(acked_), .end = static_cast<double>(end_), .high_watermark = kNaN, .isr = kNaN, .epoch = kNaN, .leader = kNaN};
    for (const auto& [why, n] : errors_) s.errors[why] = n;
    std::int32_t leader = said_leader_;
    {
      const std::lock_guard lock(mutex_);
      if (now() - seen_.high_watermark_us <= kHeard) s.high_watermark = seen_.high_watermark;
      s.committed = static_cast<double>(committed_);
      s.epoch = seen_.leader_changes;
      if (seen_.fresh) {
        s.isr = seen_.in_sync;
        s.leader = std::max(0, seen_.leader);
        leader = seen_.leader;
      }
      seen_.fresh = false;
      s.freshness_s = newest_us_ == 0 ? kNaN : static_cast<double>(now() - newest_us_) / 1e6;
    }
    s.end = std::isnan(s.high_watermark) ? s.end : std::max(s.end, s.high_watermark);
    add_replica_sample(arm_, at, s);
    if (leader != said_leader_) note(leader < 0 ? std::string("no leader") : fmt::format("broker {} leads, {:g} in sync", leader, s.isr));
    said_leader_ = leader;
    if (options_.progress) options_.progress(plan_.arm, static_cast<double>(at) / static_cast<double>(plan_.baseline_us + plan_.fault_us + plan_.recovery_us));
  }

  /// Everybody runs again.
  Status mend() {
    starts_.clear();   // joined
    {
      const std::lock_guard lock(mutex_);
      leader_after_ = seen_.leader;
      changes_ = seen_.leader_changes;
    }
    for (const std::int32_t b : partition_.replicas) {
      stands_still(b);
      (void)brokers_.signal(b, env::ProcessSignal::kContinue);
      look_at_disk(b);
    }
    Status all = ok();
    for (const std::int32_t b : partition_.replicas)
      if (const Status started = brokers_.start(b); !started) all = started;   // the others nevertheless
    const std::lock_guard lock(mutex_);
    return all && !start_error_.empty() ? Status(fail(ErrorCode::kOutsideUnavailable, start_error_, "supyo stack logs kafka3")) : all;
  }

  Status drain() {
    SUPYO_TRY(wait_until_in_sync());
    for (const TimeUs limit = now() + kPatience; producer_->in_flight() > 0 && now() < limit;) {
      SUPYO_TRY(options_.go_on());
      take_reports(20 * kMillisecond);
    }
    producer_->give_up();
    for (const TimeUs limit = now() + 5 * kSecond; producer_->in_flight() > 0 && now() < limit;) take_reports(20 * kMillisecond);
    const bool all_reported = producer_->in_flight() == 0;
    SUPYO_TRY(mark_end());
    SUPYO_TRY(read_back());
    summarise_trial(arm_, plan_);
    arm_.drained = all_reported && read_records_ == log_records_;
    const bool gone = std::ranges::all_of(killed_, [](const auto& k) { return k.second.gone; });
    arm_.counts["fault_seen"] = !plan_.steps.empty() && still_ && gone && (!plan_.kills_leader() || changes_ > 0 || leader_after_ != led_ || epoch_rose()) ? 1 : 0;
    return ok();
  }

  /// A last record, which all replicas that are in sync acknowledge: what is before it is all there is, and can be read. The high watermark alone may be a moment behind.
  Status mark_end() {
    ModelProducerOptions options = plan_.producer;
    options.acks = Acks::kAll;
    options.linger_us = 0;
    SUPYO_ASSIGN(const auto producer, open_producer(env_, real_producer_options(brokers_.servers(), topic_, options)));
    SUPYO_ASSIGN(const bool taken, producer->send(0, std::nullopt, "end", env_.clock.now_us()));
    if (!taken) return fail(ErrorCode::kOutsideUnavailable, "the client did not take the record that marks the end", "");
    for (const TimeUs limit = now() + kPatience; now() < limit;)
      for (const auto& r : producer->reports(20 * kMillisecond)) {
        if (r.outcome != Outcome::kAcknowledged) return fail(ErrorCode::kOutsideUnavailable, fmt::format("the record that marks the end was not acknowledged: {}", r.why), "supyo stack logs kafka3");
        log_records_ = r.offset;
        return ok();
      }
    return fail(ErrorCode::kOutsideUnavailable, "the record that marks the end was not acknowledged in time", "supyo stack logs kafka3");
  }

  /// Another reader counts what is in the log, from its start to its end: no retention is short enough to have moved the start.
  Status read_back() {
    present_.assign(created_us_.size(), 0);
    ids_.assign(static_cast<std::size_t>(log_records_), kNobody);
    if (log_records_ == 0) return ok();
    SUPYO_ASSIGN(auto reader, connect::GroupConsumer::open({.servers = brokers_.servers(), .topic = topic_, .group = topic_ + kAudit, .read_committed = false}));
    std::int64_t next = 0;
    for (const TimeUs limit = now() + kPatience; next < log_records_ && now() < limit;) {
      SUPYO_TRY(options_.go_on());
      SUPYO_ASSIGN(const auto record, reader->poll(100 * kMillisecond));
      if (!record || record->offset >= log_records_) continue;
      next = record->offset + 1;
      ++read_records_;
      const auto id = record->value && record->value->size() >= kHeader ? read_hex(record->value->substr(0, 16)) : std::nullopt;
      if (!id || *id >= present_.size()) continue;
      ++present_[*id];
      ids_[static_cast<std::size_t>(record->offset)] = *id;
    }
    return ok();
  }

  /// Acknowledged at an offset where now another record is, or none.
  double lost_by_offset() const {
    return static_cast<double>(std::ranges::count_if(acks_, [&](const Ack& a) { return a.offset < 0 || a.offset >= log_records_ || ids_[static_cast<std::size_t>(a.offset)] != a.id; }));
  }

  /// By the brokers' own files: a later epoch than that in which the dead leader wrote last. The leader may be the same broker again, which a probe can miss.
  bool epoch_rose() {
    const auto dead = killed_.find(led_);
    const auto epochs = read_leader_epochs(env_.files, partition_directory(partition_.leader));
    return dead != killed_.end() && dead->second.log && epochs && std::ranges::any_of(*epochs, [&](const auto& e) { return e.first > dead->second.log->last_epoch; });
  }

  /// What the brokers themselves say was cut: from where the next leader's epoch begins to where the dead leader's log ended on its disk. Of that, what it had acknowledged. Less than zero when a file cannot be read.
  double lost_on_disk() {
    const auto dead = killed_.find(led_);
    if (dead == killed_.end()) return 0;
    const auto epochs = read_leader_epochs(env_.files, partition_directory(partition_.leader));
    if (!dead->second.log || !epochs) return -1;
    const BrokerLog& log = *dead->second.log;
    std::int64_t from = log.end;
    for (const auto& [epoch, start] : *epochs)
      if (epoch > log.last_epoch) from = std::min(from, start);
    note(fmt::format("broker {} had {} records on its disk when it was dead; the next leader's epoch begins at {}", led_, log.end, from));
    cut_ = static_cast<double>(log.end - from);
    return static_cast<double>(std::ranges::count_if(acks_, [&](const Ack& a) { return a.offset >= from && a.offset < log.end && a.at_us <= dead->second.at_us + kUnderway; }));
  }

  Status count() {
    double lost = 0, duplicates = 0, read_lost = 0;
    for (std::size_t id = 0; id < present_.size(); ++id) {
      lost += outcome_[id] == 1 + static_cast<int>(Outcome::kAcknowledged) && present_[id] == 0 ? 1 : 0;
      duplicates += present_[id] > 1 ? present_[id] - 1 : 0;
      read_lost += id < read_.size() && read_[id] && present_[id] == 0 ? 1 : 0;
    }
    auto& c = arm_.counts;
    c["sent"] = static_cast<double>(created_us_.size());
    c["acked"] = static_cast<double>(acked_);
    c["failed"] = static_cast<double>(failed_);
    c["unknown"] = static_cast<double>(unknown_);
    c["lost"] = lost;
    const double by_offset = lost_by_offset(), on_disk = lost_on_disk();
    c["lost_by_offset"] = by_offset;
    c["lost_on_disk"] = on_disk;
    c["lost_apart"] = std::max({lost, by_offset, on_disk}) - std::min({lost, by_offset, on_disk});
    c["cut"] = cut_;
    c["duplicates"] = duplicates;
    c["read_lost"] = read_lost;
    c["read_back"] = static_cast<double>(read_records_);
    c["prompt_share"] = static_cast<double>(prompt_) / std::max(1.0, static_cast<double>(created_us_.size()));
    c["outage"] = static_cast<double>(outage_us_) / 1e6;
    c["epochs"] = changes_;
    c["clients_lost"] = clients_lost_;
    for (const auto& [why, n] : errors_) note(fmt::format("{:.0f} records ended with {}", n, why));
    note(fmt::format("read back: {} records, {:.0f} of those acknowledged are gone", read_records_, lost));
    return ok();
  }

  const env::Env& env_;
  BrokerProcesses& brokers_;
  const ReplicaPlan& plan_;
  const RunOptions& options_;
  std::map<std::string, std::string>& config_;
  std::string topic_, value_;
  Arm arm_;
  std::unique_ptr<KafkaAdmin> admin_;
  std::unique_ptr<connect::RecordProducer> producer_;
  KafkaAdmin::Partition partition_;                             ///< as it was seen last
  std::int32_t led_ = -1;                                       ///< its leader before the fault
  TimeUs start_us_ = 0, last_ack_us_ = 0;
  std::vector<TimeUs> created_us_;                              ///< by id
  std::vector<std::uint8_t> outcome_;                           ///< by id: 0 none yet, else 1 + Outcome
  std::vector<std::uint16_t> present_;
  struct Ack {
    std::uint64_t id = 0;
    std::int64_t offset = -1;
    TimeUs at_us = 0;
  };
  std::vector<Ack> acks_;
  static constexpr std::uint64_t kNobody = ~0ULL;
  std::vector<std::uint64_t> ids_;                              ///< by offset, in the log as it is in the end
  std::int64_t acked_ = 0, failed_ = 0, unknown_ = 0, prompt_ = 0, end_ = 0, log_records_ = 0, read_records_ = 0;
  DurationUs outage_us_ = 0;
  std::map<std::string, double> errors_;
  std::map<std::int32_t, std::pair<TimeUs, std::optional<DurationUs>>> stopped_;   ///< since when, and its processor time soon after
  struct Killed {
    TimeUs at_us = 0;
    bool gone = false;
    std::optional<BrokerLog> log = {};
  };
  std::map<std::int32_t, Killed> killed_;
  double cut_ = 0;
  bool still_ = true;
  std::int32_t leader_after_ = -1, said_leader_ = -1;
  int changes_ = 0, clients_lost_ = 0;

  std::mutex mutex_;                                            // what follows is shared with the threads
  Seen seen_;
  std::vector<bool> read_;
  TimeUs newest_us_ = 0;
  std::int64_t committed_ = 0;
  std::string consumer_error_, start_error_;
  std::atomic<bool> over_ = false, assigned_ = false;
  std::vector<std::unique_ptr<env::Thread>> threads_, starts_;
};

}  // namespace

Result<Arm> run_real_trial(const env::Env& env, BrokerProcesses& brokers, const ReplicaPlan& plan, int trial, const RunOptions& options, std::map<std::string, std::string>& config) {
  return RealTrial(env, brokers, plan, trial, options, config).run();
}

Result<LabResult> run_real_replica_scenario(const env::Env& env, BrokerProcesses& brokers, const ReplicaScenario& scenario, const RunOptions& options) {
  std::map<std::string, std::string> config;
  SUPYO_ASSIGN(LabResult r, run_replica_trials(scenario, options, true, [&](const ReplicaPlan& plan, int trial) { return run_real_trial(env, brokers, plan, trial, options, config); }));
  r.config.insert(config.begin(), config.end());
  r.versions["broker"] = brokers.name();
  r.versions["client"] = connect::kafka_client_version();
  return r;
}

}  // namespace supyo::scenario
