#include "lab/scenario/stream/flink_arm.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "connect/kafka/admin.h"
#include "connect/kafka/group_consumer.h"
#include "core/base/duration.h"
#include "lab/fault/process_fault.h"
#include "lab/scenario/group/group_watch.h"
#include "lab/scenario/replica/real_client.h"
#include "lab/scenario/stream/flink_cluster.h"
#include "lab/scenario/stream/stream_measures.h"
#include "lab/scenario/stream/stream_promise.h"

namespace supyo::scenario {
namespace {

using Outcome = connect::RecordReport::Outcome;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr DurationUs kTurn = 5 * kMillisecond, kLook = 150 * kMillisecond;
constexpr DurationUs kSubmit = 3 * kMinute, kComesUp = 3 * kMinute, kDrain = 2 * kMinute, kQuiet = 3 * kSecond;
constexpr DurationUs kZombie = 8 * kSecond;          // that a TaskManager which stood lives on, and may do harm
constexpr std::int64_t kSettled = 1;                 // complete checkpoints after a kill, before the next
constexpr std::string_view kStore = "checkpoint.store";

/// A job as the JobManager tells it, looked at again and again in a thread of its own. Ends with its destructor.
class JobWatch {
 public:
  JobWatch(const env::Env& env, const FlinkCluster& cluster, std::string job) : env_(env), cluster_(cluster), job_(std::move(job)) {
    thread_ = env.threads->start("flink-watch", [this] {
      while (!ended_) {
        if (const auto seen = cluster_.look(job_)) {
          const std::lock_guard lock(mutex_);
          if (seen->last_id != seen_.last_id && seen->last_id != 0) took_us_ += seen->last_took_us, ++took_;
          seen_ = *seen;
        }
        env_.threads->idle(kLook);
      }
    });
  }
  ~JobWatch() {
    ended_ = true;
    thread_->join();
  }
  JobWatch(const JobWatch&) = delete;
  JobWatch& operator=(const JobWatch&) = delete;

  FlinkCluster::Job seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  /// Mean of the complete checkpoints, seconds.
  double checkpoint_time() const {
    const std::lock_guard lock(mutex_);
    return took_ == 0 ? kNaN : static_cast<double>(took_us_) / static_cast<double>(took_) / 1e6;
  }

 private:
  env::Env env_;
  const FlinkCluster& cluster_;
  std::string job_;
  mutable std::mutex mutex_;
  FlinkCluster::Job seen_;
  DurationUs took_us_ = 0;
  std::int64_t took_ = 0;
  std::atomic<bool> ended_{false};
  std::unique_ptr<env::Thread> thread_;
};

class KafkaRowReader final : public StreamRowReader {
 public:
  explicit KafkaRowReader(std::unique_ptr<connect::GroupConsumer> consumer) : consumer_(std::move(consumer)) {}
  Result<std::uint64_t> poll(const std::function<void(std::string_view)>& take) override {
    for (std::uint64_t n = 0;; ++n) {
      SUPYO_ASSIGN(const auto record, consumer_->poll(0));
      (void)consumer_->events();
      if (!record) return n;
      if (record->value) take(*record->value);
    }
  }

 private:
  std::unique_ptr<connect::GroupConsumer> consumer_;
};

/// A topic's producer, in real time.
struct Feed {
  const StreamInput* input = nullptr;
  std::unique_ptr<workload::Generator> generator = nullptr;
  std::unique_ptr<connect::RecordProducer> producer = nullptr;
  workload::GeneratedRecord next = {};
  bool more = false;
  std::map<std::uint64_t, workload::GeneratedRecord> under_way = {};
  std::uint64_t sent = 0, acked = 0, failed = 0, unknown = 0;
};

class FlinkArm {
 public:
  FlinkArm(const env::Env& env, const StreamScenario& s, const std::string& sql, std::string name, const RunOptions& options)
      : env_(env), s_(s), sql_(sql), options_(options), servers_(options.cluster->servers), prefix_(lab_topic_name(env, name) + "-"), draws_(s.seed) {
    arm_.name = std::move(name);
  }
  /// However it ended, nothing of it stays on the cluster.
  ~FlinkArm() {
    watch_.reset();
    groups_.reset();
    truth_.reset();
    feeds_.clear();
    cluster_.reset();
    if (!admin_) return;
    for (const std::string& topic : topics_) (void)admin_->delete_topic(topic);
    for (const std::string& group : consumer_groups_) (void)admin_->delete_group(group);
  }
  FlinkArm(const FlinkArm&) = delete;
  FlinkArm& operator=(const FlinkArm&) = delete;

  Result<StreamArmResult> run() {
    SUPYO_TRY(begin());
    while (now() < end_us_) SUPYO_TRY(turn());
    SUPYO_TRY(drain());
    return collect();
  }

 private:
  TimeUs now() const { return env_.clock.now_us(); }   // event times are of this clock, too
  double seconds(TimeUs t) const { return static_cast<double>(t - start_us_) / 1e6; }
  void note(std::string what) { arm_.timeline.emplace_back(seconds(now()), std::move(what)); }
  std::string own(const std::string& topic) const { return prefix_ + topic; }

  // ---- before --------------------------------------------------------------------------------------------------------------------

  Status begin() {
    for (const auto& [key, value] : s_.settings) settings_[key] = value.starts_with("$") ? s_.knobs.find(value.substr(1))->second.text : value;
    for (const StreamFault& f : s_.phases[s_.fault_phase()].faults)
      if (f.kind != StreamFault::Kind::kKill && f.kind != StreamFault::Kind::kPoint) return fail(ErrorCode::kUnsupported, "on Flink a lab can kill or stop the TaskManager, and take the checkpoint store away", "without --on real it runs on Supyo's own engine and log");
    SUPYO_ASSIGN(admin_, connect::KafkaAdmin::open(servers_));
    for (const StreamInput& i : s_.inputs) SUPYO_TRY(make_topic(i.topic, i.partitions));
    for (const StreamResult& r : s_.results) SUPYO_TRY(make_topic(r.topic, 1));
    SUPYO_ASSIGN(cluster_, FlinkCluster::start(env_, {.flink = options_.flink, .directory = env::join_path(options_.directory, arm_.name)}));
    auto variables = s_.sql_variables();
    variables["SERVERS"] = servers_;
    variables["PREFIX"] = prefix_;
    SUPYO_ASSIGN(job_, cluster_->submit(sql_, variables, settings_, kSubmit));
    consumer_groups_.push_back(own("job"));
    watch_ = std::make_unique<JobWatch>(env_, *cluster_, job_);
    SUPYO_ASSIGN(groups_, GroupWatch::start(env_, {.servers = servers_, .groups = {{own("job"), {own(s_.inputs[0].topic), s_.inputs[0].partitions}}}, .every_us = kLook}));
    for (const TimeUs limit = now() + kComesUp; watch_->seen().state != "RUNNING" || watch_->seen().completed == 0; env_.threads->idle(kTurn)) {
      SUPYO_TRY(cancelled());
      if (now() > limit) return fail(ErrorCode::kJobFailed, fmt::format("Flink's job is {} after {} s, with {} checkpoints", watch_->seen().state, kComesUp / kSecond, watch_->seen().completed), "--keep keeps Flink's logs");
    }
    return begin_to_measure();
  }

  Status make_topic(const std::string& topic, int partitions) {
    SUPYO_TRY(admin_->create_topic(own(topic), partitions, -1, {}));
    topics_.push_back(own(topic));
    return ok();
  }

  Status begin_to_measure() {
    SUPYO_ASSIGN(StreamTruth truth, StreamTruth::open(s_, [this](const StreamResult& r) -> Result<std::unique_ptr<StreamRowReader>> {
      consumer_groups_.push_back(own(r.topic) + "-reader");
      SUPYO_ASSIGN(auto consumer, open_patiently(env_, [&] { return connect::GroupConsumer::open({.servers = servers_, .topic = own(r.topic), .group = consumer_groups_.back(), .read_committed = !r.uncommitted}); }));
      return std::make_unique<KafkaRowReader>(std::move(consumer));
    }));
    truth_ = std::make_unique<StreamTruth>(std::move(truth));
    for (const StreamInput& i : s_.inputs) {
      Feed f{.input = &i};
      SUPYO_ASSIGN(f.producer, open_producer(env_, {.servers = servers_, .topic = own(i.topic)}));
      feeds_.push_back(std::move(f));
    }
    start_us_ = now();
    for (Feed& f : feeds_) {
      workload::GeneratorOptions w{.seed = s_.input_seed(*f.input), .start_us = start_us_};
      SUPYO_ASSIGN(w.tps, s_.value(f.input->rate, kRate));
      SUPYO_ASSIGN(w.disorder_us, s_.duration(f.input->disorder));
      SUPYO_ASSIGN(w.duplicates, s_.value(f.input->duplicates, kNumber));
      SUPYO_ASSIGN(w.late, s_.value(f.input->late, kNumber));
      SUPYO_ASSIGN(const std::uint64_t keys, s_.count(f.input->keys));
      w.keys = static_cast<std::uint32_t>(keys);
      SUPYO_ASSIGN(f.generator, workload::make_generator(f.input->domain, w));
      f.more = f.generator->next(f.next);
    }
    end_us_ = start_us_;
    for (const StreamPhase& p : s_.phases) phase_ends_.push_back(end_us_ += p.length_us);
    const auto fault = s_.fault_phase();
    for (const StreamFault& f : s_.phases[fault].faults) {
      if (f.kind != StreamFault::Kind::kKill) continue;
      SUPYO_ASSIGN(const std::uint64_t times, s_.count(f.times));
      SUPYO_ASSIGN(detect_us_, s_.duration(f.detect));
      SUPYO_ASSIGN(stop_us_, s_.duration(f.stop));
      SUPYO_ASSIGN(const DurationUs interval, parse_duration(settings_["execution.checkpointing.interval"]));
      kills_ = plan_kills(times, interval, phase_ends_[fault - 1], phase_ends_[fault], draws_);
    }
    for (const char* name : {"offered", "acked", "committed", "rows", "repeated", "missing", "lag_committed", "lag_fetched"}) arm_.columns.push_back({name, "records", {}});
    for (const char* name : {"fired", "updates", "epochs", "epochs_failed", "restarts"}) arm_.columns.push_back({name, "", {}});
    for (const char* name : {"freshness", "epoch_duration"}) arm_.columns.push_back({name, "s", {}});
    arm_.columns.push_back({"running", "state", {}});
    next_sample_us_ = start_us_ + kSecond;
    return ok();
  }

  // ---- the run -------------------------------------------------------------------------------------------------------------------

  Status cancelled() const { return options_.cancelled && options_.cancelled() ? fail(ErrorCode::kCancelled, "the lab was stopped") : ok(); }

  Status turn() {
    SUPYO_TRY(cancelled());
    for (Feed& f : feeds_) SUPYO_TRY(feed(f));
    SUPYO_TRY(truth_->poll(now()));
    SUPYO_TRY(hurt());
    if (now() >= next_sample_us_ && next_sample_us_ <= end_us_) {
      sample(next_sample_us_);
      next_sample_us_ += kSecond;
      if (options_.progress) options_.progress(arm_.name, seconds(now()) / seconds(end_us_));
    }
    env_.threads->idle(kTurn);
    return ok();
  }

  Status feed(Feed& f) {
    while (f.more && f.next.due_us <= now() && f.next.due_us < end_us_) {
      SUPYO_ASSIGN(const bool taken, f.producer->send(f.sent, f.next.key, f.next.value, now()));
      if (!taken) break;
      f.under_way.emplace(f.sent++, f.next);
      f.more = f.generator->next(f.next);
    }
    for (const auto& report : f.producer->reports(0)) {
      const auto record = f.under_way.extract(report.id);
      if (report.outcome == Outcome::kAcknowledged) {
        ++f.acked;
        truth_->sent(f.input->topic, record.mapped(), now());
      } else {
        ++(report.outcome == Outcome::kFailed ? f.failed : f.unknown);
      }
    }
    return ok();
  }

  Status hurt() {
    const TimeUs t = now();
    const auto fault = s_.fault_phase();
    const bool faulty = t >= phase_ends_[fault - 1] && t < phase_ends_[fault];
    for (const StreamFault& f : s_.phases[fault].faults) {
      if (f.point != kStore || faulty == store_away_) continue;
      SUPYO_TRY(faulty ? cluster_->take_checkpoint_store_away() : cluster_->bring_checkpoint_store_back());
      store_away_ = faulty;
      note(faulty ? "the checkpoint store is away" : "the checkpoint store is back");
    }
    follow_trial(t);
    if (comes_back_us_ && t >= *comes_back_us_) {
      SUPYO_TRY(cluster_->start_task_manager());
      note("another TaskManager is started");
      comes_back_us_.reset();
    }
    SUPYO_TRY(mend_stopped(t));
    if (kills_.empty() || !faulty || t < kills_.front().from_us || comes_back_us_ || stopped_) return ok();
    const FlinkCluster::Job seen = watch_->seen();
    if (!kill_at_us_) {
      if (seen.state != "RUNNING" || seen.completed < completed_at_kill_ + kSettled || outstanding() > acked() / 100) waits_from_.reset();
      else if (!waits_from_) waits_from_ = seen.last_id;
      else if (seen.last_id != *waits_from_) kill_at_us_ = seen.last_completed_us + kills_.front().phase_us;
      return ok();
    }
    return t >= *kill_at_us_ ? strike(seen) : ok();
  }

  Status strike(const FlinkCluster::Job& seen) {
    kills_.erase(kills_.begin());
    kill_at_us_.reset();
    waits_from_.reset();
    finish_trial();
    repeated_at_kill_ = repeated();
    completed_at_kill_ = seen.completed;
    fault::ProcessFault victim(env_, cluster_->task_manager());
    const TimeUs t = now();
    if (stop_us_ > 0) {
      SUPYO_TRY(victim.stop());
      stopped_.emplace(victim);
      goes_on_us_ = t + stop_us_;
      note("the TaskManager stands (SIGSTOP)");
    } else {
      SUPYO_TRY(victim.kill());
      note("the TaskManager is killed (SIGKILL)");
    }
    trials_.push_back({arm_.name, stop_us_ > 0 ? "stop" : "kill", seconds(t), {{"ms_after_commit", static_cast<double>(t - seen.last_completed_us) / 1e3}}});
    open_trial_ = true;
    comes_back_us_ = t + detect_us_;
    return ok();
  }

  /// Who stood goes on while another has its work, and is killed once it had its time.
  Status mend_stopped(TimeUs t) {
    if (!stopped_) return ok();
    if (goes_on_us_ && t >= *goes_on_us_) {
      SUPYO_TRY(stopped_->go_on());
      goes_on_us_.reset();
      zombie_until_us_ = t + kZombie;
      note("the TaskManager that stood goes on");
    }
    if (goes_on_us_ || t < zombie_until_us_) return ok();
    if (stopped_->runs()) SUPYO_TRY(stopped_->kill());
    stopped_.reset();
    return ok();
  }

  void follow_trial(TimeUs t) {
    if (!open_trial_) return;
    auto& v = trials_.back().values;
    const FlinkCluster::Job seen = watch_->seen();
    const double after = seconds(t) - trials_.back().t_s;
    if (!v.contains("detected_after") && seen.state != "RUNNING") v["detected_after"] = after;
    if (v.contains("detected_after") && !v.contains("running_after") && seen.state == "RUNNING") v["running_after"] = after;
    if (v.contains("running_after") && !v.contains("checkpoint_after") && seen.completed > completed_at_kill_) v["checkpoint_after"] = after;
  }

  /// What the kill before cost, once the next one comes or the run ends.
  void finish_trial() {
    if (!open_trial_) return;
    open_trial_ = false;
    trials_.back().values["repeated"] = static_cast<double>(repeated() - repeated_at_kill_);
  }

  std::uint64_t acked() const {
    std::uint64_t n = 0;
    for (const Feed& f : feeds_) n += f.acked;
    return n;
  }
  std::uint64_t repeated() const {
    std::uint64_t n = 0;
    for (const auto& r : truth_->results())
      if (r.ids) n += r.ids->repeated();
    return n;
  }
  /// Acknowledged, and not in the first result with ids.
  std::uint64_t outstanding() const {
    const auto ids = std::ranges::find_if(truth_->results(), [](const auto& r) { return r.ids != nullptr; });
    return ids == truth_->results().end() ? 0 : acked() - std::min(acked(), ids->ids->seen_ids());
  }

  void sample(TimeUs t) {
    arm_.t_s.push_back(std::round(seconds(t)));
    std::size_t c = 0;
    const auto put = [&](double v) { arm_.columns[c++].values.push_back(v); };
    const auto n = [](auto v) { return static_cast<double>(v); };
    std::uint64_t sent = 0, fired = 0, updates = 0;
    std::int64_t missing = 0;
    for (const Feed& f : feeds_) sent += f.sent;
    for (const auto& r : truth_->results())
      if (r.windows) fired += r.windows->fired(), updates += r.windows->updates(), missing += r.windows->missing();
    const auto offsets = groups_->seen(own("job"));
    const FlinkCluster::Job job = watch_->seen();
    put(n(sent));
    put(n(acked()));
    put(n(offsets.committed));
    put(n(truth_->rows()));
    put(n(repeated()));
    put(n(missing));
    put(std::max(0.0, n(offsets.end - offsets.committed)));
    put(n(outstanding()));
    put(n(fired));
    put(n(updates));
    put(n(job.completed));
    put(n(job.failed));
    put(n(job.restarts));
    put(truth_->newest_us() == kTimeMin ? kNaN : n(t - truth_->newest_us()) / 1e6);
    put(n(job.last_took_us) / 1e6);
    put(job.state == "RUNNING" ? 1 : 0);
  }

  // ---- afterwards ----------------------------------------------------------------------------------------------------------------

  /// All that was acknowledged is there, or does not come; then the job gives out what its windows hold, and ends.
  Status drain() {
    const auto wait = [this](DurationUs most, const auto& until) -> Status {
      for (const TimeUs limit = now() + most; now() < limit && !until();) SUPYO_TRY(turn());
      return ok();
    };
    SUPYO_TRY(wait(kDrain, [this] { return settled(); }));
    finish_trial();
    SUPYO_TRY(cluster_->stop_with_drain(job_));
    SUPYO_TRY(wait(kDrain, [this] { return watch_->seen().state == "FINISHED"; }));
    arm_.drained = watch_->seen().state == "FINISHED";
    std::uint64_t rows = truth_->rows();
    TimeUs changed = now();
    return wait(kDrain, [&] {
      if (truth_->rows() != rows) changed = now(), rows = truth_->rows();
      return now() - changed >= kQuiet;
    });
  }

  bool settled() const {
    if (stopped_ || comes_back_us_ || store_away_ || watch_->seen().state != "RUNNING") return false;
    return std::ranges::all_of(feeds_, [](const Feed& f) { return f.under_way.empty(); }) && std::ranges::all_of(truth_->results(), [](const auto& r) { return !r.ids || r.ids->seen_ids() >= r.ids->distinct(); });
  }

  Result<StreamArmResult> collect() {
    SUPYO_TRY(add_promise(s_, *truth_, start_us_, phase_ends_[0], arm_));
    add_catch_up(s_, static_cast<double>(detect_us_) / 1e6, arm_, trials_);
    count_truth(*truth_, end_us_, arm_);
    auto& c = arm_.counts;
    const auto n = [](auto v) { return static_cast<double>(v); };
    for (const Feed& f : feeds_)
      for (const auto& [name, v] : {std::pair{"sent", f.sent}, {"acked", f.acked}, {"failed", f.failed}, {"unknown", f.unknown}}) c[name] += n(v);
    const FlinkCluster::Job job = watch_->seen();
    for (const auto& [name, v] : {std::pair{"epochs", job.completed}, {"epochs_failed", job.failed}, {"restarts", job.restarts}}) c[name] = n(v);
    c["rows"] = n(truth_->rows());
    c["kills"] = n(trials_.size());
    c["point_hits"] = n(job.failed);
    c["checkpoint_time"] = watch_->checkpoint_time();
    return StreamArmResult{std::move(arm_), std::move(trials_)};
  }

  env::Env env_;
  const StreamScenario& s_;
  const std::string& sql_;
  const RunOptions& options_;
  std::string servers_, prefix_, job_;
  workload::Draws draws_;
  Arm arm_;
  std::vector<Trial> trials_;
  std::map<std::string, std::string> settings_;
  std::vector<std::string> topics_, consumer_groups_;
  std::unique_ptr<connect::KafkaAdmin> admin_;
  std::unique_ptr<FlinkCluster> cluster_;
  std::unique_ptr<JobWatch> watch_;
  std::unique_ptr<GroupWatch> groups_;
  std::unique_ptr<StreamTruth> truth_;
  std::vector<Feed> feeds_;
  std::vector<TimeUs> phase_ends_;
  TimeUs start_us_ = 0, end_us_ = 0, next_sample_us_ = 0;

  std::vector<PlannedKill> kills_;
  DurationUs detect_us_ = 0, stop_us_ = 0;
  std::optional<std::int64_t> waits_from_;             // the newest checkpoint when the next kill was ready
  std::optional<TimeUs> kill_at_us_, comes_back_us_, goes_on_us_;
  std::optional<fault::ProcessFault> stopped_;
  TimeUs zombie_until_us_ = 0;
  std::int64_t completed_at_kill_ = 0;
  std::uint64_t repeated_at_kill_ = 0;
  bool open_trial_ = false, store_away_ = false;
};

}  // namespace

Result<StreamArmResult> run_flink_arm(const env::Env& env, const StreamScenario& scenario, const std::string& sql, const std::string& name, const RunOptions& options) {
  return FlinkArm(env, scenario, sql, name, options).run();
}

}  // namespace supyo::scenario
