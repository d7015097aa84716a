#include "lab/scenario/stream/flink_arm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "connect/kafka/admin.h"
#include "core/base/duration.h"
#include "lab/fault/process_fault.h"
#include "lab/scenario/group/group_watch.h"
#include "lab/scenario/replica/real_client.h"
#include "lab/scenario/stream/flink_cluster.h"
#include "lab/scenario/stream/flink_watch.h"
#include "lab/scenario/stream/kafka_ends.h"
#include "lab/scenario/stream/stream_measures.h"
#include "lab/scenario/stream/stream_promise.h"

namespace supyo::scenario {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr DurationUs kTurn = 5 * kMillisecond, kLook = 150 * kMillisecond, kCalmLook = 500 * kMillisecond;
constexpr DurationUs kSubmit = 3 * kMinute, kComesUp = 3 * kMinute, kDrain = 2 * kMinute, kQuiet = 3 * kSecond, kMetricsAge = 3 * kSecond;
constexpr DurationUs kHeldMost = 15 * kMinute;       // that what a fault holds back still comes
constexpr DurationUs kZombie = 8 * kSecond;          // that a TaskManager which stood lives on, and may do harm
constexpr std::string_view kStore = "checkpoint.store";

class FlinkArm {
 public:
  FlinkArm(const env::Env& env, const StreamScenario& s, const std::string& sql, std::string name, const RunOptions& options, FlinkCluster* shared)
      : env_(env), s_(s), sql_(sql), options_(options), cluster_(shared), servers_(options.cluster->servers), prefix_(lab_topic_name(env, name) + "-"), draws_(s.seed) {
    arm_.name = std::move(name);
  }
  /// However it ended, nothing of it stays on the cluster.
  ~FlinkArm() {
    watch_.reset();
    groups_.reset();
    truth_.reset();
    feeds_.clear();
    own_.reset();
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
    if (s_.replay) SUPYO_TRY(replay());
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
    if (!s_.batches.empty()) return fail(ErrorCode::kUnsupported, "a batch takes a declared time, which a real one does not", "without --on real it runs on Supyo's own engine and log; or `batches: []` in the file's part `real`");
    SUPYO_ASSIGN(admin_, connect::KafkaAdmin::open(servers_));
    for (const StreamInput& i : s_.inputs) SUPYO_TRY(make_topic(i.topic, i.partitions));
    for (const StreamResult& r : s_.results) SUPYO_TRY(make_topic(r.topic, 1));
    if (cluster_ == nullptr) {
      SUPYO_ASSIGN(own_, FlinkCluster::start(env_, {.flink = options_.flink, .directory = env::join_path(options_.directory, arm_.name), .may_hang = std::ranges::any_of(s_.phases[s_.fault_phase()].faults, [this](const StreamFault& f) { return hangs(f); })}));
      cluster_ = own_.get();
    }
    SUPYO_ASSIGN(job_, submit(prefix_));
    watch_ = std::make_unique<FlinkWatch>(env_, *cluster_, job_, own_ ? kLook : kCalmLook);
    SUPYO_ASSIGN(groups_, GroupWatch::start(env_, {.servers = servers_, .groups = {{own("job"), {own(s_.inputs[0].topic), s_.inputs[0].partitions}}}, .every_us = kLook}));
    for (const TimeUs limit = now() + kComesUp; watch_->seen().state != "RUNNING" || watch_->seen().completed == 0; env_.threads->idle(kTurn)) {
      SUPYO_TRY(cancelled());
      if (now() > limit) return fail(ErrorCode::kJobFailed, fmt::format("Flink's job is {} after {} s, with {} checkpoints", watch_->seen().state, kComesUp / kSecond, watch_->seen().completed), "--keep keeps Flink's logs");
    }
    return begin_to_measure();
  }

  /// The job with its results in topics that begin with `out`; what it reads is as it is.
  Result<std::string> submit(const std::string& out) {
    auto variables = s_.sql_variables();
    variables["SERVERS"] = variables["OUT_SERVERS"] = servers_;
    variables["PREFIX"] = prefix_;
    variables["OUT_PREFIX"] = out;
    consumer_groups_.push_back(out + "job");
    return cluster_->submit(sql_, variables, settings_, kSubmit);
  }

  Status make_topic(const std::string& topic, int partitions) {
    SUPYO_TRY(admin_->create_topic(own(topic), partitions, -1, {}));
    topics_.push_back(own(topic));
    return ok();
  }

  Result<std::unique_ptr<StreamRowReader>> reader(const std::string& topic, bool uncommitted) {
    consumer_groups_.push_back(topic + "-reader");
    SUPYO_ASSIGN(auto reader, KafkaRowReader::open(env_, servers_, topic, consumer_groups_.back(), uncommitted));
    return std::unique_ptr<StreamRowReader>(std::move(reader));
  }

  Status begin_to_measure() {
    SUPYO_ASSIGN(StreamTruth truth, StreamTruth::open(s_, [this](const StreamResult& r) { return reader(own(r.topic), r.uncommitted); }));
    truth_ = std::make_unique<StreamTruth>(std::move(truth));
    std::vector<std::unique_ptr<connect::RecordProducer>> producers;
    for (const StreamInput& i : s_.inputs) {
      SUPYO_ASSIGN(auto producer, open_producer(env_, {.servers = servers_, .topic = own(i.topic)}));
      producers.push_back(std::move(producer));
    }
    start_us_ = now();
    for (std::size_t i = 0; i < producers.size(); ++i) {
      SUPYO_ASSIGN(StreamSchedule schedule, StreamSchedule::make(s_, s_.inputs[i], start_us_));
      feeds_.emplace_back(std::move(schedule), std::move(producers[i]));
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
    add_columns();
    next_sample_us_ = start_us_ + kSecond;
    return enter(0);
  }

  void add_columns() {
    for (const char* name : {"offered", "acked", "committed", "rows", "repeated", "missing", "late", "lag_committed", "lag_fetched"}) arm_.columns.push_back({name, "records", {}});
    for (const char* name : {"fired", "updates", "epochs", "epochs_failed", "restarts"}) arm_.columns.push_back({name, "", {}});
    for (const char* name : {"freshness", "epoch_duration", "watermark_lag"}) arm_.columns.push_back({name, "s", {}});
    for (std::int32_t p = 0; p < s_.inputs[0].partitions; ++p) arm_.columns.push_back({fmt::format("watermark_{}", p), "s", {}});
    for (std::int32_t p = 0; p < s_.inputs[0].partitions; ++p) arm_.columns.push_back({fmt::format("end_{}", p), "records", {}});
    arm_.columns.push_back({"running", "state", {}});
    arm_.columns.push_back({"state_bytes", "B", {}});
  }

  Status enter(std::size_t phase) {
    phase_ = phase;
    note("phase " + s_.phases[phase].name);
    for (KafkaFeed& f : feeds_) SUPYO_TRY(f.schedule().enter(s_, s_.phases[phase].faults, phase == 0 ? start_us_ : phase_ends_[phase - 1], phase_ends_[phase]));
    return ok();
  }

  // ---- the run -------------------------------------------------------------------------------------------------------------------

  Status cancelled() const { return options_.cancelled && options_.cancelled() ? fail(ErrorCode::kCancelled, "the lab was stopped") : ok(); }

  Status turn() {
    SUPYO_TRY(cancelled());
    while (phase_ + 1 < s_.phases.size() && now() >= phase_ends_[phase_]) SUPYO_TRY(enter(phase_ + 1));
    for (KafkaFeed& f : feeds_) SUPYO_TRY(f.feed(now(), end_us_, *truth_));
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

  /// A store that is slow to refuse does not answer at all: Flink's own time-out ends the checkpoint.
  bool hangs(const StreamFault& f) const { return f.point == kStore && s_.duration(f.delay).value_or(0) > 0; }

  Status hurt() {
    const TimeUs t = now();
    const auto fault = s_.fault_phase();
    const bool faulty = t >= phase_ends_[fault - 1] && t < phase_ends_[fault];
    for (const StreamFault& f : s_.phases[fault].faults) {
      if (f.point != kStore || faulty == store_away_) continue;
      SUPYO_TRY(cluster_->set_checkpoint_store(!faulty ? FlinkCluster::Store::kAnswers : hangs(f) ? FlinkCluster::Store::kHangs : FlinkCluster::Store::kRefuses));
      store_away_ = faulty;
      note(!faulty ? "the checkpoint store answers" : hangs(f) ? "the checkpoint store hangs" : "the checkpoint store refuses");
    }
    follow_trial(t);
    if (comes_back_us_ && t >= *comes_back_us_) {
      SUPYO_TRY(cluster_->start_task_manager());
      note("another TaskManager is started");
      comes_back_us_.reset();
    }
    SUPYO_TRY(mend_stopped(t));
    if (kills_.empty() || !faulty || t < kills_.front().from_us || comes_back_us_ || stopped_) return ok();
    const FlinkWatch::Seen seen = watch_->seen();
    const auto last = std::ranges::find(seen.checkpoints, seen.last_id, &FlinkCluster::Checkpoint::id);
    const auto of_a_second = static_cast<std::uint64_t>(static_cast<double>(acked()) / std::max(1.0, seconds(t)));
    const bool calm = seen.state == "RUNNING" && seen.last_completed_us > struck_us_ && outstanding().value_or(0) <= of_a_second;
    const auto due = moment_.due(t, calm, last == seen.checkpoints.end() ? 0 : last->triggered_us, seen.last_completed_us, kills_.front().phase_us);
    return due && t >= *due ? strike(seen) : ok();
  }

  Status strike(const FlinkCluster::Job& seen) {
    kills_.erase(kills_.begin());
    moment_.reset();
    finish_trial();
    repeated_at_kill_ = repeated();
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
    struck_us_ = t;
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
    const FlinkWatch::Seen seen = watch_->seen();
    const double after = seconds(t) - trials_.back().t_s;
    // The newest checkpoint that was complete may not have been known when it was struck.
    for (const auto& c : seen.checkpoints)
      if (c.completed_us > 0 && c.completed_us <= struck_us_) {
        v["ms_after_commit"] = static_cast<double>(struck_us_ - c.completed_us) / 1e3;
        v["ms_after_cut"] = static_cast<double>(struck_us_ - c.triggered_us) / 1e3;
        break;
      }
    if (!v.contains("detected_after") && seen.state != "RUNNING") v["detected_after"] = after;
    if (v.contains("detected_after") && !v.contains("running_after") && seen.state == "RUNNING") v["running_after"] = after;
    if (v.contains("running_after") && !v.contains("checkpoint_after") && seen.last_completed_us > struck_us_) v["checkpoint_after"] = after;
  }

  /// What the kill before cost, once the next one comes or the run ends.
  void finish_trial() {
    if (!open_trial_) return;
    open_trial_ = false;
    trials_.back().values["repeated"] = static_cast<double>(repeated() - repeated_at_kill_);
  }

  std::uint64_t acked() const {
    std::uint64_t n = 0;
    for (const KafkaFeed& f : feeds_) n += f.counts().acked;
    return n;
  }
  std::uint64_t repeated() const {
    std::uint64_t n = 0;
    for (const auto& r : truth_->results())
      if (r.ids) n += r.ids->repeated();
    return n;
  }
  /// Acknowledged, and not in the first result with ids; nothing without such a result.
  std::optional<std::uint64_t> outstanding() const {
    const auto ids = std::ranges::find_if(truth_->results(), [](const auto& r) { return r.ids != nullptr; });
    return ids == truth_->results().end() ? std::nullopt : std::optional(acked() - std::min(acked(), ids->ids->seen_ids()));
  }

  void sample(TimeUs t) {
    arm_.t_s.push_back(std::round(seconds(t)));
    std::size_t c = 0;
    const auto put = [&](double v) { arm_.columns[c++].values.push_back(v); };
    const auto n = [](auto v) { return static_cast<double>(v); };
    std::uint64_t sent = 0, fired = 0, updates = 0;
    std::int64_t missing = 0;
    for (const KafkaFeed& f : feeds_) sent += f.counts().sent;
    for (const auto& r : truth_->results())
      if (r.windows) fired += r.windows->fired(), updates += r.windows->updates(), missing += r.windows->missing();
    const auto offsets = groups_->seen(own("job"));
    const FlinkWatch::Seen job = watch_->seen();
    put(n(sent));
    put(n(acked()));
    put(n(offsets.committed));
    put(n(truth_->rows()));
    put(n(repeated()));
    put(n(missing));
    put(n(job.late));
    put(std::max(0.0, n(offsets.end - offsets.committed)));
    const auto fetched = outstanding();
    put(fetched ? n(*fetched) : job.pending ? n(*job.pending) : kNaN);
    put(n(fired));
    put(n(updates));
    put(n(job.completed));
    put(n(job.failed));
    put(n(job.restarts));
    const auto ago = [&](TimeUs event) { return event == kTimeMin ? kNaN : n(t - event) / 1e6; };
    put(ago(truth_->newest_us()));
    put(n(job.last_took_us) / 1e6);
    put(ago(job.watermark_ms ? *job.watermark_ms * kMillisecond : kTimeMin));
    for (std::int32_t p = 0; p < s_.inputs[0].partitions; ++p) put(ago(feeds_[0].newest_event(p)));
    for (std::size_t p = 0; p < static_cast<std::size_t>(s_.inputs[0].partitions); ++p) put(p < offsets.ends.size() ? n(offsets.ends[p]) : kNaN);
    put(job.state == "RUNNING" ? 1 : 0);
    put(n(job.state_bytes));
  }

  // ---- afterwards ----------------------------------------------------------------------------------------------------------------

  /// All that was acknowledged is there, or does not come; then the job gives out what its windows hold, and ends.
  Status drain() {
    SUPYO_TRY(wait(kHeldMost, [this] { return std::ranges::all_of(feeds_, [](const KafkaFeed& f) { return f.drained(); }); }));
    all_acked_us_ = env_.clock.monotonic_us();
    SUPYO_TRY(wait(kDrain, [this] { return settled(); }));
    finish_trial();
    SUPYO_TRY(wait(kMetricsAge, [] { return false; }));
    SUPYO_TRY(cluster_->stop_with_drain(job_));
    SUPYO_TRY(wait(kDrain, [this] { return watch_->seen().state == "FINISHED"; }));
    arm_.drained = watch_->seen().state == "FINISHED";
    ended_ = watch_->seen();
    checkpoint_time_ = watch_->checkpoint_time();
    return wait_for_rows([this] { return truth_->rows(); });
  }

  template <class Until>
  Status wait(DurationUs most, const Until& until) {
    for (const TimeUs limit = now() + most; now() < limit && !until();) SUPYO_TRY(turn());
    return ok();
  }
  /// Until no more come.
  template <class Rows>
  Status wait_for_rows(const Rows& count) {
    std::uint64_t rows = count();
    TimeUs changed = now();
    return wait(kDrain, [&] {
      if (const std::uint64_t n = count(); n != rows) changed = now(), rows = n;
      return now() - changed >= kQuiet;
    });
  }

  bool settled() const {
    if (stopped_ || comes_back_us_ || store_away_ || watch_->seen().state != "RUNNING") return false;
    const auto group = groups_->seen(own("job"));   // committed up to the end, as it was after the last record came
    return group.caught_up && group.offsets_us > all_acked_us_ && std::ranges::all_of(truth_->results(), [](const auto& r) { return !r.ids || r.ids->seen_ids() >= r.ids->distinct(); });
  }

  /// How much of what readers got comes again when the job is run again over the same input.
  Status replay() {
    const std::string out = prefix_ + "again-", group = out + "job";
    std::map<std::string, std::multiset<std::string>> rows;
    std::vector<std::pair<std::string, std::unique_ptr<StreamRowReader>>> readers;
    for (const StreamResult& r : s_.results) {
      SUPYO_TRY(admin_->create_topic(out + r.topic, 1, -1, {}));
      topics_.push_back(out + r.topic);
    }
    SUPYO_ASSIGN(job_, submit(out));
    for (const auto& r : truth_->results()) {
      if (!r.oracle) continue;
      SUPYO_ASSIGN(auto one, reader(out + r.spec->topic, r.spec->uncommitted));
      readers.emplace_back(r.spec->topic, std::move(one));
    }
    std::uint64_t count = 0;
    const auto poll = [&] {
      for (auto& [topic, one] : readers) (void)one->poll([&](std::string_view row) { rows[topic].emplace(row), ++count; });
      return count;
    };
    watch_ = std::make_unique<FlinkWatch>(env_, *cluster_, job_, kCalmLook);
    SUPYO_ASSIGN(groups_, GroupWatch::start(env_, {.servers = servers_, .groups = {{group, {own(s_.inputs[0].topic), s_.inputs[0].partitions}}}, .every_us = kLook}));
    SUPYO_TRY(wait(kComesUp, [&] { return groups_->seen(group).caught_up; }));
    SUPYO_TRY(wait_for_rows(poll));
    SUPYO_TRY(cluster_->stop_with_drain(job_));
    SUPYO_TRY(wait(kDrain, [this] { return watch_->seen().state == "FINISHED"; }));
    SUPYO_TRY(wait_for_rows(poll));
    count_replay(*truth_, rows, arm_);
    return ok();
  }

  Result<StreamArmResult> collect() {
    SUPYO_TRY(add_promise(s_, *truth_, start_us_, phase_ends_[0], arm_));
    add_catch_up(s_, static_cast<double>(detect_us_) / 1e6, arm_, trials_);
    count_truth(*truth_, end_us_, arm_);
    auto& c = arm_.counts;
    const auto n = [](auto v) { return static_cast<double>(v); };
    for (const KafkaFeed& f : feeds_) {
      const KafkaFeed::Counts& k = f.counts();
      const StreamSchedule::Counts& d = f.schedule().counts();
      for (const auto& [name, v] : {std::pair{"sent", k.sent}, {"acked", k.acked}, {"failed", k.failed}, {"unknown", k.unknown}, {"silenced", d.silenced}, {"delayed", d.delayed}, {"copied", d.copied}}) c[name] += n(v);
    }
    const StreamSpan span{start_us_, phase_ends_[s_.fault_phase() - 1], phase_ends_[s_.fault_phase()]};
    for (const auto& r : truth_->results())
      if (r.oracle) r.oracle->reckon(span, arm_, trials_);
    const FlinkWatch::Seen& job = ended_;
    c["late"] = n(job.late);
    c["taken"] = c["acked"];
    for (const auto& [name, v] : {std::pair{"epochs", job.completed}, {"epochs_failed", job.failed}, {"restarts", job.restarts}}) c[name] = n(v);
    c["rows"] = n(truth_->rows());
    c["kills"] = static_cast<double>(std::ranges::count_if(trials_, [](const Trial& t) { return t.group == "kill" || t.group == "stop"; }));
    c["point_hits"] = n(job.failed);
    c["checkpoint_time"] = checkpoint_time_;
    return StreamArmResult{std::move(arm_), std::move(trials_)};
  }

  env::Env env_;
  const StreamScenario& s_;
  const std::string& sql_;
  const RunOptions& options_;
  std::unique_ptr<FlinkCluster> own_;                  // unless arms share one
  FlinkCluster* cluster_;
  std::string servers_, prefix_, job_;
  workload::Draws draws_;
  Arm arm_;
  std::vector<Trial> trials_;
  std::map<std::string, std::string> settings_;
  std::vector<std::string> topics_, consumer_groups_;
  std::unique_ptr<connect::KafkaAdmin> admin_;
  std::unique_ptr<FlinkWatch> watch_;
  std::unique_ptr<GroupWatch> groups_;
  std::unique_ptr<StreamTruth> truth_;
  std::vector<KafkaFeed> feeds_;
  std::vector<TimeUs> phase_ends_;
  std::size_t phase_ = 0;
  TimeUs start_us_ = 0, end_us_ = 0, next_sample_us_ = 0, all_acked_us_ = 0;
  FlinkWatch::Seen ended_;                             // when the job was stopped
  double checkpoint_time_ = kNaN;

  std::vector<PlannedKill> kills_;
  DurationUs detect_us_ = 0, stop_us_ = 0;
  KillMoment moment_;                                  // of the next
  TimeUs struck_us_ = 0;
  std::optional<TimeUs> comes_back_us_, goes_on_us_;
  std::optional<fault::ProcessFault> stopped_;
  TimeUs zombie_until_us_ = 0;
  std::uint64_t repeated_at_kill_ = 0;
  bool open_trial_ = false, store_away_ = false;
};

}  // namespace

Result<StreamArmResult> run_flink_arm(const env::Env& env, const StreamScenario& scenario, const std::string& sql, const std::string& name, const RunOptions& options, FlinkCluster* shared) {
  return FlinkArm(env, scenario, sql, name, options, shared).run();
}

}  // namespace supyo::scenario
