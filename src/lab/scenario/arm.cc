#include "lab/scenario/arm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lab/scenario/own_columns.h"

namespace supyo::scenario {
namespace {

constexpr std::size_t kBatch = 4096;
constexpr DurationUs kDrainLimit = 5 * kMinute;

/// What the fault does at a time since the start: nothing outside its phase.
struct FaultPlan {
  std::string point;
  DurationUs from = 0, to = 0;
  DurationUs delay = 0;
};

}  // namespace

ArmRun::ArmRun(Setup setup) : setup_(std::move(setup)) {}
ArmRun::~ArmRun() = default;

Status ArmRun::begin() {
  const Scenario& s = setup_.scenario;
  TimeUs t = 0;
  FaultPlan plan;
  for (const Phase& p : s.phases) {
    const auto length = static_cast<DurationUs>(std::llround(static_cast<double>(p.length_us) * setup_.scale / 1e6)) * kSecond;
    if (p.inject) {
      SUPYO_ASSIGN(const Quantity delay, s.knob_value(p.inject->delay));
      plan = {p.inject->point, t, t + length, static_cast<DurationUs>(std::llround(delay.value * 1e6))};
    }
    t += length;
    phase_ends_.push_back(t);
  }
  if (plan.delay > 0) {
    faults_.arm([this, plan](std::string_view point, TimeUs now) {
      const TimeUs start = start_us_;
      return point == plan.point && start != kTimeMax && now - start >= plan.from && now - start < plan.to ? FaultDecision{plan.delay, false} : FaultDecision{};
    });
  }
  slo::JudgeOptions judge_options;
  judge_options.now_view_us = std::max(kSecond, static_cast<DurationUs>(std::llround(60 * setup_.scale)) * kSecond);
  judge_options.warm_up_us = std::max(10 * kSecond, judge_options.now_view_us);
  judge_ = std::make_unique<slo::Judge>(setup_.objectives, judge_options);
  std::map<std::string, std::string> settings;
  for (const auto& [key, value] : s.settings) settings[key] = value.starts_with("$") ? s.knobs.find(value.substr(1))->second.text : value;
  SUPYO_ASSIGN(pipeline_, setup_.bench.start({setup_.env, env::join_path(setup_.options.directory, setup_.name), setup_.sql, settings, "product-events", s.result_table, s.result_id, *judge_, faults_,
                                              setup_.clock != nullptr, setup_.clock != nullptr ? setup_.options.journal_sync_us : 0, setup_.clock != nullptr ? setup_.options.sink_commit_us : 0,
                                              s.workload.seed}));
  // The run starts when the pipeline runs, on a whole second, so that samples fall on whole seconds of it.
  const TimeUs start = (setup_.env.clock.now_us() / kSecond + 1) * kSecond;
  workload::GeneratorOptions w = s.workload;
  w.start_us = start;
  SUPYO_ASSIGN(generator_, workload::make_generator(s.domain, w));
  for (TimeUs& end : phase_ends_) end += start;
  end_us_ = phase_ends_.back();
  next_feed_us_ = start;
  next_sample_us_ = start + kSecond;
  more_ = generator_->next(next_);
  start_us_ = start;
  return ok();
}

Status ArmRun::feed() {
  const TimeUs now = setup_.env.clock.now_us();
  while (more_ && next_.due_us <= now && next_.due_us < end_us_) {
    batch_.clear();
    while (more_ && next_.due_us <= now && next_.due_us < end_us_ && batch_.size() < kBatch) {
      batch_.push_back(next_);
      more_ = generator_->next(next_);
    }
    sent_ += batch_.size();
    if (const Status s = pipeline_->append(batch_); !s) {
      // Whether they are in the log is not known: neither acked nor failed.
      unknown_ += batch_.size();
      if (s.error().code == ErrorCode::kDiskFull) return s;
      continue;
    }
    acked_ += batch_.size();
    for (const workload::GeneratedRecord& r : batch_) {
      if (r.id >= acked_ids_.size()) acked_ids_.resize(std::max<std::size_t>(r.id + 1, acked_ids_.size() * 2));
      acked_distinct_ += acked_ids_[r.id] ? 0 : 1;
      acked_ids_[r.id] = true;
    }
  }
  fed_out_ = !more_ || next_.due_us >= end_us_;
  next_feed_us_ = (now / setup_.scenario.linger_us + 1) * setup_.scenario.linger_us;
  return ok();
}

Status ArmRun::sample() {
  const TimeUs now = setup_.env.clock.now_us();
  if (now < next_sample_us_) return ok();
  judge_->advance(now);
  SUPYO_ASSIGN(readable_, pipeline_->readable_rows());
  auto* columns = dynamic_cast<OwnColumns*>(pipeline_.get());
  const auto own = columns == nullptr ? std::vector<std::pair<std::string, double>>() : columns->sampled();
  // Late calls (a slow machine, in real time) give the samples that were missed the same value.
  for (; next_sample_us_ <= now; next_sample_us_ += kSecond) {
    sample_t_.push_back(seconds(next_sample_us_));
    offered_.push_back(static_cast<double>(sent_));
    table_rows_.push_back(static_cast<double>(readable_));
    for (const auto& [name, value] : own) sampled_[name].push_back(value);
    if (std::find(phase_ends_.begin(), phase_ends_.end(), next_sample_us_) != phase_ends_.end()) {
      const slo::Decision d = judge_->decision();
      Judgement j{seconds(next_sample_us_), std::string(slo::state_name(d.state)), d.reasons, {}};
      for (const slo::Ticket& t : d.tickets) j.tickets.push_back({t.rule, t.evidence, t.next_step});
      judgements_.push_back(std::move(j));
    }
    const auto second = (next_sample_us_ - start_us_) / kSecond;
    if (second % 60 == 0) SUPYO_TRY(pipeline_->retain());
    if (setup_.options.progress) setup_.options.progress(setup_.name, std::min(1.0, seconds(now) / seconds(end_us_)));
  }
  SUPYO_TRY(setup_.options.go_on());
  return ok();
}

void ArmRun::wait(const Step& step, TimeUs next_feed) {
  if (step.state == Step::State::kMore) return;
  // A job that waits for a moment already past must not stop the clock.
  const TimeUs now = setup_.env.clock.now_us();
  const TimeUs until = std::min({next_feed, next_sample_us_, std::max(step.until_us, now + kMillisecond)});
  if (setup_.clock != nullptr) {
    setup_.clock->advance_to(until);
  } else {
    const DurationUs left = until - now;
    if (left > 0 && setup_.env.threads != nullptr) setup_.env.threads->idle(std::min<DurationUs>(left, 5 * kMillisecond));
  }
}

Status ArmRun::play() {
  while (setup_.env.clock.now_us() < end_us_) {
    if (setup_.env.clock.now_us() >= next_feed_us_) SUPYO_TRY(feed());
    SUPYO_TRY(sample());
    SUPYO_ASSIGN(const Step step, pipeline_->step());
    if (step.state == Step::State::kDone) return fail(ErrorCode::kJobFailed, fmt::format("the {} arm's job ended before the lab did", setup_.name), "its input has no end: look at the pipeline's source options");
    wait(step, next_feed_us_);
  }
  SUPYO_TRY(sample());
  return drain();
}

Status ArmRun::drain() {
  pipeline_->drain();
  const TimeUs limit = end_us_ + kDrainLimit;
  while (setup_.env.clock.now_us() < limit) {
    SUPYO_TRY(sample());
    SUPYO_ASSIGN(const Step step, pipeline_->step());
    if (step.state == Step::State::kDone) {
      done_ = true;
      return ok();
    }
    wait(step, kTimeMax);
  }
  return ok();  // guard G6 says that it did not drain
}

Result<Arm> ArmRun::collect() {
  Arm arm;
  arm.name = setup_.name;
  arm.drained = done_;
  const slo::Series series = judge_->series();
  const std::vector<TimeUs>& times = series.times();
  // The judge and the runner sample the same seconds; what only one of them has is left out.
  std::vector<std::size_t> keep;
  std::size_t k = 0;
  std::vector<double> offered, rows;
  std::map<std::string, std::vector<double>> own;
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (times[i] <= start_us_ || times[i] > end_us_) continue;
    const double t = seconds(times[i]);
    while (k < sample_t_.size() && sample_t_[k] < t) ++k;
    if (k == sample_t_.size() || sample_t_[k] != t) continue;
    keep.push_back(i);
    arm.t_s.push_back(t);
    offered.push_back(offered_[k]);
    rows.push_back(table_rows_[k]);
    for (const auto& [name, values] : sampled_) own[name].push_back(values[k]);
  }
  for (const slo::Column& c : series.columns()) {
    slo::Column out{c.name, c.unit, {}};
    for (const std::size_t i : keep) out.values.push_back(c.values[i]);
    if (auto better = own.extract(c.name)) out.values = std::move(better.mapped());
    arm.columns.push_back(std::move(out));
  }
  for (auto& [name, values] : own) arm.columns.push_back({name, "s", std::move(values)});
  arm.columns.push_back({"offered", "records", std::move(offered)});
  arm.columns.push_back({"table_rows", "records", std::move(rows)});
  for (const slo::TimelineEvent& e : judge_->timeline()) if (e.t <= end_us_) arm.timeline.emplace_back(seconds(e.t), e.what);

  std::vector<double> qs;
  for (int i = 1; i <= 1000; ++i) qs.push_back(i / 1000.0);
  TimeUs from = start_us_;
  for (std::size_t i = 0; i < phase_ends_.size(); ++i) {
    const DurationUs settle = std::min<DurationUs>(kMinute, (phase_ends_[i] - from) / 3);
    const auto values = judge_->latency_quantiles(from + settle, phase_ends_[i], qs);
    Distribution d;
    for (std::size_t q = 0; q < qs.size() && values.front() >= 0; ++q) {
      const double v = static_cast<double>(values[q]) / 1e6;
      if (!d.upper_s.empty() && d.upper_s.back() == v) d.records.back() += 1;
      else d.upper_s.push_back(v), d.records.push_back(1);
    }
    arm.latency[setup_.scenario.phases[i].name] = std::move(d);
    const slo::Waterfall w = judge_->waterfall(from + settle, phase_ends_[i]);
    const auto mean = [&](std::int64_t us) { return w.records == 0 ? 0 : static_cast<double>(us) / static_cast<double>(w.records) / 1e6; };
    arm.waterfall[setup_.scenario.phases[i].name] = {static_cast<double>(w.records), mean(w.source_us), mean(w.log_us), mean(w.interval_us), mean(w.watermark_us), mean(w.epoch_us), mean(w.commit_us)};
    from = phase_ends_[i];
  }
  SUPYO_ASSIGN(const Applied applied, pipeline_->applied());
  const slo::Judge::Totals t = judge_->totals();
  const auto n = [](std::uint64_t v) { return static_cast<double>(v); };
  arm.counts = {{"sent", n(sent_)}, {"acked", n(acked_)}, {"failed", n(failed_)}, {"unknown", n(unknown_)}, {"acked_ids", n(acked_distinct_)}, {"applied", n(applied.rows)},
                {"distinct", n(applied.distinct)}, {"late", n(t.dropped_late)}, {"dead", n(t.dead)}, {"taken", n(t.taken)}, {"epochs", n(t.epochs)}, {"epochs_failed", n(t.epochs_failed)},
                {"restarts", n(t.restarts)}, {"unfinished", n(t.unfinished)}};
  arm.judgements = judgements_;
  return arm;
}

Result<Arm> ArmRun::run() {
  SUPYO_TRY(begin());
  SUPYO_TRY(play());
  return collect();
}

}  // namespace supyo::scenario
