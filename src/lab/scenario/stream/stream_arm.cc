#include "lab/scenario/stream/stream_arm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "core/base/duration.h"
#include "core/base/fault_point.h"
#include "data/log/groups.h"
#include "engine/job/engine.h"
#include "judge/slo/judge.h"
#include "lab/scenario/stream/stream_batch.h"
#include "lab/scenario/stream/stream_input.h"
#include "lab/scenario/stream/stream_measures.h"
#include "lab/scenario/stream/stream_promise.h"
#include "lab/scenario/stream/stream_results.h"

namespace supyo::scenario {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr DurationUs kHeldMost = 6 * kHour, kDrainMost = 20 * kMinute;

/// The judge sees one job over all its lives: what it knows is not set back to the last epoch when the job comes again.
class OverAllLives final : public VisibilityObserver {
 public:
  explicit OverAllLives(slo::Judge& judge) : judge_(judge) {}
  void started(const PipelineShape& shape, TimeUs now) override { judge_.started(shape, now); }
  void taken(const Taken& t) override { judge_.taken(t); }
  void dropped_late(Epoch e, std::uint64_t rows, TimeUs now) override { judge_.dropped_late(e, rows, now); }
  void sink_rows(Epoch e, std::string_view sink, std::span<const TimeUs> event, std::span<const TimeUs> produce, TimeUs now) override { judge_.sink_rows(e, sink, event, produce, now); }
  void written(std::uint32_t writer, TimeUs taken, TimeUs watermark, TimeUs now) override { judge_.written(writer, taken, watermark, now); }
  void epoch_cut(Epoch e, TimeUs watermark, TimeUs now) override { judge_.epoch_cut(e, watermark, now); }
  void epoch_final(Epoch e, TimeUs now) override {
    if (e <= final_) return;
    final_ = e;
    judge_.epoch_final(e, now);
  }
  void epoch_visible(Epoch e, TimeUs now) override {
    if (e <= visible_) return;
    visible_ = e;
    judge_.epoch_visible(e, now);
  }
  void epoch_failed(Epoch e, TimeUs now) override { judge_.epoch_failed(e, now); }
  void lags(std::uint32_t split, std::uint64_t committed, std::uint64_t fetched, bool quiet, TimeUs now) override { judge_.lags(split, committed, fetched, quiet, now); }
  std::string save(Epoch) override { return {}; }
  void restore(std::string_view) override {}

 private:
  slo::Judge& judge_;
  Epoch final_, visible_;
};

class StreamArm {
 public:
  StreamArm(const env::Env& env, env::VirtualClock& clock, const StreamScenario& s, const slo::Objectives& objectives, const std::string& sql, std::string name, const RunOptions& options)
      : env_(env), clock_(clock), s_(s), sql_(sql), options_(options), judge_(objectives, {}), observer_(judge_), draws_(hash_seed(s.seed)) {
    arm_.name = std::move(name);
    directory_ = env::join_path(options.directory, arm_.name);
  }

  Result<StreamArmResult> run() {
    SUPYO_TRY(begin());
    SUPYO_TRY(play());
    SUPYO_TRY(drain());
    if (s_.replay) SUPYO_TRY(replay());
    return collect();
  }

 private:
  static std::uint64_t hash_seed(std::uint64_t seed) { return seed * 2654435761U + 17; }
  std::string log_directory() const { return env::join_path(directory_, "log"); }
  std::string state_directory() const { return env::join_path(directory_, "state"); }
  double seconds(TimeUs t) const { return static_cast<double>(t - start_us_) / 1e6; }
  void note(std::string what) { arm_.timeline.emplace_back(seconds(clock_.now_us()), std::move(what)); }

  // ---- the job -------------------------------------------------------------------------------------------------------------------

  Status start_job() {
    job::EngineOptions o;
    o.base_directory = directory_;
    o.state_dir = state_directory();
    o.settings = settings_;
    o.observer = &observer_;
    o.faults = &faults_;
    o.costs = {options_.journal_sync_us, options_.sink_commit_us};
    o.seed = s_.seed;
    SUPYO_ASSIGN(engine_, job::Engine::create(env_, std::move(o)));
    SUPYO_ASSIGN(const plan::Job job, engine_->load(sql_, variables_));
    SUPYO_ASSIGN(runner_, engine_->start(job));
    return ok();
  }

  /// As SIGKILL does: nothing is finished, what is in the files stays.
  void kill_job() {
    const runtime::JobStats stats = runner_->stats();
    epochs_before_ += stats.epochs.completed;
    failed_before_ += stats.epochs.failed;
    restarts_before_ += stats.restarts;
    runner_.reset();
    engine_.reset();
    judge_.stopped(clock_.now_us());
  }

  /// While the job is away its lag is asked of the log, as any collector can: what is committed and what it will read on from are one then.
  void collect_lags(TimeUs now) {
    if (feeds_.size() > 1) return;   // which number a split has is the job's business
    std::map<PartitionId, std::int64_t> committed;
    if (const auto groups = log::list_groups(env_.files, log_directory())) {
      for (const std::string& g : *groups)
        if (const auto offsets = log::read_group(env_.files, log_directory(), g))
          for (const auto& [key, offset] : *offsets) committed[key.second] = offset.value;
    }
    for (std::int32_t p = 0; p < s_.inputs[0].partitions; ++p) {
      const auto lag = static_cast<std::uint64_t>(feeds_[0]->end(p) - committed[PartitionId(p)]);
      judge_.lags(static_cast<std::uint32_t>(p), lag, lag, lag == 0, now);
    }
  }

  std::uint64_t epochs() const { return epochs_before_ + (runner_ ? runner_->stats().epochs.completed : 0); }
  std::uint64_t epochs_failed() const { return failed_before_ + (runner_ ? runner_->stats().epochs.failed : 0); }
  std::uint64_t restarts() const { return restarts_before_ + (runner_ ? runner_->stats().restarts : 0); }

  // ---- the run -------------------------------------------------------------------------------------------------------------------

  Status begin() {
    start_us_ = clock_.now_us();
    variables_ = s_.sql_variables();
    variables_["DATA"] = variables_["OUT"] = directory_;
    variables_["SERVERS"] = variables_["OUT_SERVERS"] = "embedded:" + log_directory();
    variables_["PREFIX"] = variables_["OUT_PREFIX"] = "";
    if (!s_.capacity.empty()) { SUPYO_ASSIGN(capacity_, s_.value(s_.capacity, kRate)); }
    for (const auto& [key, value] : s_.settings) settings_[key] = value.starts_with("$") ? s_.knobs.find(value.substr(1))->second.text : value;
    SUPYO_TRY(env_.files.create_directories(log_directory()));
    for (const StreamInput& i : s_.inputs) {
      SUPYO_ASSIGN(auto feed, StreamFeed::open(env_, log_directory(), s_, i, start_us_));
      feeds_.push_back(std::move(feed));
    }
    SUPYO_ASSIGN(StreamTruth truth, StreamTruth::open(s_, [this](const StreamResult& r) -> Result<std::unique_ptr<StreamRowReader>> {
      return std::make_unique<StreamTopicReader>(env_.files, log_directory(), r.topic, r.uncommitted);
    }));
    truth_ = std::make_unique<StreamTruth>(std::move(truth));
    end_us_ = start_us_;
    for (const StreamPhase& p : s_.phases) phase_ends_.push_back(end_us_ += p.length_us);
    for (const StreamFault& f : s_.phases[s_.fault_phase()].faults)
      if (f.kind == StreamFault::Kind::kPoint) {
        SUPYO_ASSIGN(const DurationUs delay, s_.duration(f.delay));
        points_.push_back({f.point, delay, f.fails});
      }
    if (!points_.empty()) {
      const TimeUs from = phase_ends_[s_.fault_phase() - 1], to = phase_ends_[s_.fault_phase()];
      faults_.arm([this, from, to](std::string_view point, TimeUs now) {
        for (const Point& p : points_) {
          if (p.name != point || now < from || now >= to) continue;
          ++hits_;
          return FaultDecision{p.delay_us, p.fails};
        }
        return FaultDecision{};
      });
    }
    for (const StreamBatch& b : s_.batches) {
      SUPYO_ASSIGN(std::string sql, env_.files.read_all(env::join_path(options_.root, b.pipeline)));
      SUPYO_ASSIGN(StreamBatchRuns runs, StreamBatchRuns::make(s_, b, std::move(sql), start_us_));
      batches_.push_back(std::move(runs));
    }
    next_sample_us_ = start_us_ + kSecond;
    add_columns();
    SUPYO_TRY(enter(0));
    return start_job();
  }

  Status enter(std::size_t phase) {
    phase_ = phase;
    const StreamPhase& p = s_.phases[phase];
    note("phase " + p.name);
    for (auto& f : feeds_) SUPYO_TRY(f->schedule().enter(s_, p.faults, phase == 0 ? start_us_ : phase_ends_[phase - 1], phase_ends_[phase]));
    for (const StreamFault& f : p.faults) {
      if (f.kind != StreamFault::Kind::kKill) continue;
      SUPYO_ASSIGN(const std::uint64_t times, s_.count(f.times));
      SUPYO_ASSIGN(detect_us_, s_.duration(f.detect));
      const auto interval = settings_.find("execution.checkpointing.interval");
      SUPYO_ASSIGN(const DurationUs cycle, parse_duration(interval == settings_.end() ? "100ms" : interval->second));
      for (const PlannedKill& k : plan_kills(times, cycle, phase == 0 ? start_us_ : phase_ends_[phase - 1], phase_ends_[phase], draws_)) kills_.push_back({k});
      SUPYO_ASSIGN(const DurationUs stop, s_.duration(f.stop));
      if (stop > 0) return fail(ErrorCode::kUnsupported, "a job in virtual time cannot stand still (stop): it is killed, or goes on", "--on real: Flink's TaskManager can");
    }
    return ok();
  }

  /// When the next kill is, as far as that is known now; kTimeMax while it waits for a checkpoint.
  TimeUs next_kill(TimeUs now) {
    if (kills_.empty() || !runner_) return kTimeMax;
    Kill& k = kills_.front();
    if (now < k.from_us) return k.from_us;
    if (k.at_us == 0) {
      const std::uint64_t seen = epochs();
      if (!k.epochs_seen) k.epochs_seen = seen;
      if (seen == *k.epochs_seen) return kTimeMax;
      k.at_us = now + k.phase_us;
    }
    return k.at_us;
  }

  Status play() {
    while (clock_.now_us() < end_us_) {
      const TimeUs now = clock_.now_us();
      if (now >= next_sample_us_) SUPYO_TRY(sample(now));   // first: a sample at a phase's end belongs to that phase
      while (phase_ + 1 < s_.phases.size() && now >= phase_ends_[phase_]) SUPYO_TRY(enter(phase_ + 1));
      if (now >= next_feed_us_) SUPYO_TRY(feed(now, end_us_));
      TimeUs due = std::min({next_feed_us_, next_sample_us_, end_us_});
      for (StreamBatchRuns& b : batches_) {
        if (now >= b.due_us()) SUPYO_TRY(b.advance(job_setup(), acked_of(b.batch().input)));
        due = std::min(due, b.due_us());
      }
      SUPYO_TRY(step(due));
    }
    return sample(clock_.now_us());
  }

  Status feed(TimeUs now, TimeUs end) {
    for (auto& f : feeds_) SUPYO_TRY(f->feed(now, end, *truth_));
    next_feed_us_ = (now / s_.linger_us + 1) * s_.linger_us;
    return truth_->poll(now);
  }

  /// One round of the job, or of its absence; then the clock goes on.
  Status step(TimeUs next) {
    const TimeUs now = clock_.now_us();
    if (next_kill(now) <= now && kills_.front().at_us != 0) SUPYO_TRY(kill(now));
    if (!runner_ && now >= comes_back_us_) {
      SUPYO_TRY(start_job());
      note("the job is started again");
    }
    TimeUs until = next;
    if (const TimeUs t = next_kill(now); t > now) until = std::min(until, t);
    if (!runner_) {
      clock_.advance_to(std::min(until, comes_back_us_));
      return ok();
    }
    if (now < busy_until_us_) {
      clock_.advance_to(std::min(until, busy_until_us_));
      return ok();
    }
    SUPYO_ASSIGN(const dataflow::Poll poll, runner_->step());
    take_time(now);
    if (poll.progress == dataflow::Progress::kDone) {
      done_ = true;
      return draining_ ? ok() : Status(fail(ErrorCode::kJobFailed, fmt::format("the {} arm's job ended before the lab did", arm_.name), "its input has no end: look at the pipeline's source options"));
    }
    if (poll.progress == dataflow::Progress::kMore) return ok();
    // A job that waits for a moment already past must not stop the clock.
    if (poll.progress == dataflow::Progress::kWaitingUntil) until = std::min(until, std::max(poll.until_us, now + kMillisecond));
    clock_.advance_to(until);
    return ok();
  }

  /// A job with a capacity is busy with what it just took. What that gives is out at the beginning of this time and not at its end: a batch (`supyo.batch.rows`) is to be small beside it.
  void take_time(TimeUs now) {
    const std::uint64_t taken = judge_.totals().taken;
    if (capacity_ > 0) busy_until_us_ = now + static_cast<DurationUs>(std::llround(static_cast<double>(taken - taken_) / capacity_ * 1e6));
    taken_ = taken;
  }

  Status kill(TimeUs now) {
    const DurationUs phase = kills_.front().phase_us;
    kills_.erase(kills_.begin());
    SUPYO_TRY(finish_trial(now));
    SUPYO_TRY(truth_->poll(now));
    repeated_at_kill_ = repeated();
    kill_job();
    comes_back_us_ = now + detect_us_;
    trials_.push_back({arm_.name, "kill", seconds(now), {{"ms_after_commit", static_cast<double>(phase) / 1e3}}});
    open_trial_ = true;
    note("the job is killed");
    return ok();
  }

  /// What the kill before cost, once the next one comes or the run ends.
  Status finish_trial(TimeUs now) {
    if (!open_trial_) return ok();
    open_trial_ = false;
    SUPYO_TRY(truth_->poll(now));
    trials_.back().values["repeated"] = static_cast<double>(repeated() - repeated_at_kill_);
    return ok();
  }

  std::uint64_t repeated() const {
    std::uint64_t n = 0;
    for (const auto& r : truth_->results()) if (r.ids) n += r.ids->repeated();
    return n;
  }

  Status drain() {
    while (!runner_) SUPYO_TRY(step(comes_back_us_));
    // What is still held back by a fault comes first.
    const auto held = [&] { return std::ranges::any_of(feeds_, [](const auto& f) { return !f->schedule().drained(); }); };
    for (const TimeUs limit = clock_.now_us() + kHeldMost; held() && clock_.now_us() < limit;) {
      if (clock_.now_us() >= next_feed_us_) SUPYO_TRY(feed(clock_.now_us(), end_us_));
      SUPYO_TRY(step(next_feed_us_));
    }
    const TimeUs limit = clock_.now_us() + kDrainMost;
    draining_ = true;
    runner_->drain();
    while (!done_ && clock_.now_us() < limit) SUPYO_TRY(step(clock_.now_us() + kSecond));
    arm_.drained = done_;
    SUPYO_TRY(finish_trial(clock_.now_us()));
    SUPYO_TRY(truth_->poll(clock_.now_us()));
    return truth_->read_late(env_.files, state_directory());
  }

  StreamJobSetup job_setup() const { return {env_, clock_, directory_, variables_, settings_, {options_.journal_sync_us, options_.sink_commit_us}, s_.seed}; }

  std::uint64_t acked_of(const std::string& topic) const {
    const auto feed = std::ranges::find_if(feeds_, [&](const auto& f) { return f->schedule().input().topic == topic; });
    return (*feed)->counts().acked;
  }

  /// How much of what readers got comes again when the job is run again over the same input.
  Status replay() {
    std::vector<std::string> topics;
    const auto made_by_the_job = [&](const StreamTruth::Reading& r) { return r.oracle && std::ranges::find(s_.batches, r.spec->topic, &StreamBatch::topic) == s_.batches.end(); };
    for (const auto& r : truth_->results())
      if (made_by_the_job(r)) topics.push_back(r.spec->topic);
    runner_.reset();
    engine_.reset();
    SUPYO_ASSIGN(const auto again, replay_stream_job(job_setup(), sql_, topics));
    count_replay(*truth_, again, arm_);
    return ok();
  }

  // ---- what is recorded ----------------------------------------------------------------------------------------------------------

  void add_columns() {
    const auto add = [&](std::string name, const char* unit) { arm_.columns.push_back({std::move(name), unit, {}}); };
    for (const char* name : {"offered", "acked", "committed", "rows"}) add(name, "records");
    add("watermark_lag", "s");
    for (std::int32_t p = 0; p < s_.inputs[0].partitions; ++p) add(fmt::format("watermark_{}", p), "s");
    for (std::int32_t p = 0; p < s_.inputs[0].partitions; ++p) add(fmt::format("end_{}", p), "records");
    add("fired", "");
    add("updates", "");
    add("repeated", "records");
    add("freshness", "s");
    for (const char* name : {"late", "missing"}) add(name, "records");
    for (const char* name : {"epochs", "epochs_failed", "restarts"}) add(name, "");
    add("running", "state");
    add("state_bytes", "B");
  }

  Status sample(TimeUs now) {
    if (!runner_) collect_lags(now);
    judge_.advance(now);
    SUPYO_TRY(truth_->poll(now));
    for (; next_sample_us_ <= now && next_sample_us_ <= end_us_; next_sample_us_ += kSecond) record(next_sample_us_);
    const auto second = (now - start_us_) / kSecond;
    if (second % 60 == 0) for (auto& f : feeds_) SUPYO_TRY(f->retain());
    if (options_.progress) options_.progress(arm_.name, static_cast<double>(now - start_us_) / static_cast<double>(end_us_ - start_us_));
    SUPYO_TRY(options_.go_on());
    return ok();
  }

  void record(TimeUs t) {
    arm_.t_s.push_back(std::round(seconds(t)));
    std::size_t c = 0;
    const auto put = [&](double v) { arm_.columns[c++].values.push_back(v); };
    const auto n = [](std::uint64_t v) { return static_cast<double>(v); };
    const auto ago = [&](TimeUs event) { return event == kTimeMin || event == kTimeMax ? kNaN : static_cast<double>(t - event) / 1e6; };
    std::uint64_t sent = 0, acked = 0;
    for (const auto& f : feeds_) sent += f->counts().sent, acked += f->counts().acked;
    put(n(sent));
    put(n(acked));
    put(committed());
    put(n(truth_->rows()));
    put(runner_ ? ago(runner_->stats().watermark_us) : kNaN);
    for (std::int32_t p = 0; p < s_.inputs[0].partitions; ++p) put(ago(feeds_[0]->newest_event(p)));
    for (std::int32_t p = 0; p < s_.inputs[0].partitions; ++p) put(static_cast<double>(feeds_[0]->end(p)));
    std::uint64_t fired = 0, updates = 0;
    std::int64_t missing = 0;
    for (const auto& r : truth_->results())
      if (r.windows) fired += r.windows->fired(), updates += r.windows->updates(), missing += r.windows->missing();
    put(n(fired));
    put(n(updates));
    put(n(repeated()));
    put(ago(truth_->newest_us()));
    put(n(judge_.totals().dropped_late));
    put(static_cast<double>(missing));
    put(n(epochs()));
    put(n(epochs_failed()));
    put(n(restarts()));
    put(runner_ ? 1 : 0);
    std::uint64_t state = 0;
    if (runner_)
      for (const auto& shard : runner_->stats().shards) state += shard.state_bytes;
    put(n(state));
  }

  /// What consumer groups have committed, all together: read from the log's own files, not asked of the job.
  double committed() const {
    double sum = 0;
    const auto groups = log::list_groups(env_.files, log_directory());
    if (!groups) return kNaN;
    for (const std::string& g : *groups) {
      const auto offsets = log::read_group(env_.files, log_directory(), g);
      if (!offsets) return kNaN;
      for (const auto& [key, offset] : *offsets) sum += static_cast<double>(offset.value);
    }
    return sum;
  }

  /// The judge's columns at our samples.
  void add_judged() {
    const slo::Series series = judge_.series();
    const std::vector<TimeUs>& times = series.times();
    std::vector<std::string> names{"lag_committed", "lag_fetched", "lag_time", "burrow", "epoch_duration", "commit_age", "unfinished", "state"};
    for (const slo::Objective& o : judge_.declared().items) names.push_back("breached:" + o.name);
    for (const std::string& name : names) {
      const slo::Column* from = series.find(name);
      if (from == nullptr) continue;
      slo::Column to{name, from->unit, std::vector<double>(arm_.t_s.size(), kNaN)};
      std::size_t k = 0;
      for (std::size_t i = 0; i < arm_.t_s.size(); ++i) {
        while (k < times.size() && std::round(seconds(times[k])) < arm_.t_s[i]) ++k;
        if (k < times.size() && std::round(seconds(times[k])) == arm_.t_s[i]) to.values[i] = from->values[k];
      }
      arm_.columns.push_back(std::move(to));
    }
    for (const slo::TimelineEvent& e : judge_.timeline())
      if (e.what.starts_with("ticket ")) arm_.timeline.emplace_back(seconds(e.t), e.what);
    std::ranges::stable_sort(arm_.timeline, {}, [](const auto& event) { return event.first; });
  }

  Result<StreamArmResult> collect() {
    add_judged();
    SUPYO_TRY(add_promise(s_, *truth_, start_us_, phase_ends_[0], arm_));
    add_catch_up(s_, static_cast<double>(detect_us_) / 1e6, arm_, trials_);
    count_truth(*truth_, end_us_, arm_);
    auto& c = arm_.counts;
    const auto n = [](std::uint64_t v) { return static_cast<double>(v); };
    for (const char* name : {"sent", "acked", "failed", "unknown", "silenced", "delayed", "copied"}) c[name] = 0;
    for (const auto& f : feeds_) {
      const StreamFeed::Counts& k = f->counts();
      const StreamSchedule::Counts& d = f->schedule().counts();
      for (const auto& [name, v] : {std::pair{"sent", k.sent}, {"acked", k.acked}, {"failed", k.failed}, {"unknown", k.unknown}, {"silenced", d.silenced}, {"delayed", d.delayed}, {"copied", d.copied}}) c[name] += n(v);
    }
    const StreamSpan span{start_us_, phase_ends_[s_.fault_phase() - 1], phase_ends_[s_.fault_phase()]};
    for (const auto& r : truth_->results())
      if (r.oracle) r.oracle->reckon(span, arm_, trials_);
    for (const StreamBatchRuns& b : batches_) b.reckon(start_us_, span.fault_us, arm_, trials_);
    const slo::Judge::Totals t = judge_.totals();
    for (const auto& [name, v] : {std::pair{"taken", t.taken}, {"late", t.dropped_late}, {"behind", t.behind}, {"dead", t.dead}, {"side", truth_->late_rows()}, {"rows", truth_->rows()}, {"point_hits", hits_}}) c[name] = n(v);
    c["epochs"] = n(epochs());
    c["epochs_failed"] = n(epochs_failed());
    c["restarts"] = n(restarts());
    c["kills"] = static_cast<double>(std::ranges::count(trials_, "kill", &Trial::group));
    return StreamArmResult{std::move(arm_), std::move(trials_)};
  }

  struct Point {
    std::string name;
    DurationUs delay_us;
    bool fails;
  };

  const env::Env& env_;
  env::VirtualClock& clock_;
  const StreamScenario& s_;
  const std::string& sql_;
  const RunOptions& options_;
  slo::Judge judge_;
  OverAllLives observer_;
  workload::Draws draws_;
  Arm arm_;
  std::vector<Trial> trials_;
  std::string directory_;
  std::map<std::string, std::string> variables_, settings_;
  FaultPoints faults_;
  std::vector<Point> points_;
  std::uint64_t hits_ = 0;
  std::vector<std::unique_ptr<StreamFeed>> feeds_;
  std::unique_ptr<StreamTruth> truth_;
  std::vector<StreamBatchRuns> batches_;
  std::unique_ptr<job::Engine> engine_;
  std::unique_ptr<runtime::JobRunner> runner_;   // before the engine goes
  std::uint64_t epochs_before_ = 0, failed_before_ = 0, restarts_before_ = 0;   // of lives that are over
  struct Kill : PlannedKill {
    std::optional<std::uint64_t> epochs_seen = {};
    TimeUs at_us = 0;                    // 0: not known yet
  };
  std::vector<TimeUs> phase_ends_;
  std::vector<Kill> kills_;
  std::size_t phase_ = 0;
  TimeUs start_us_ = 0, end_us_ = 0, next_feed_us_ = 0, next_sample_us_ = 0, comes_back_us_ = 0;
  DurationUs detect_us_ = 0;
  double capacity_ = 0;                  // records a second; 0: no end
  std::uint64_t taken_ = 0;
  TimeUs busy_until_us_ = 0;
  bool done_ = false, draining_ = false, open_trial_ = false;
  std::uint64_t repeated_at_kill_ = 0;
};

}  // namespace

Result<StreamArmResult> run_stream_arm(const env::Env& env, env::VirtualClock& clock, const StreamScenario& scenario, const slo::Objectives& objectives, const std::string& sql, const std::string& name,
                                       const RunOptions& options) {
  return StreamArm(env, clock, scenario, objectives, sql, name, options).run();
}

}  // namespace supyo::scenario
