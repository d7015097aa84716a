#include "lab/scenario/stream/stream_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "engine/job/engine.h"
#include "lab/scenario/stream/stream_results.h"

namespace supyo::scenario {
namespace {

/// A job's engine and its runner, of a directory of its own.
struct Job {
  std::unique_ptr<job::Engine> engine;
  std::unique_ptr<runtime::JobRunner> runner;   // before the engine goes
};

Result<Job> start(const StreamJobSetup& setup, const std::string& sql, const std::string& directory, const std::map<std::string, std::string>& variables) {
  job::EngineOptions o;
  o.base_directory = setup.directory;
  o.state_dir = env::join_path(directory, "state");
  o.settings = setup.settings;
  o.costs = setup.costs;
  o.seed = setup.seed;
  Job j;
  SUPYO_ASSIGN(j.engine, job::Engine::create(setup.env, std::move(o)));
  SUPYO_ASSIGN(const plan::Job job, j.engine->load(sql, variables));
  SUPYO_ASSIGN(j.runner, j.engine->start(job));
  return j;
}

/// To the end, the clock with it; what is already past does not stop the clock.
Status to_the_end(const StreamJobSetup& setup, runtime::JobRunner& runner) {
  const TimeUs limit = setup.clock.now_us() + kHour;
  while (setup.clock.now_us() < limit) {
    SUPYO_ASSIGN(const dataflow::Poll poll, runner.step());
    if (poll.progress == dataflow::Progress::kDone) return ok();
    if (poll.progress == dataflow::Progress::kMore) continue;
    const TimeUs now = setup.clock.now_us();
    setup.clock.advance_to(poll.progress == dataflow::Progress::kWaitingUntil ? std::clamp(poll.until_us, now + kMillisecond, now + kSecond) : now + kSecond);
  }
  return fail(ErrorCode::kJobFailed, "a job of the lab did not end within an hour of its time");
}

}  // namespace

Result<StreamBatchRuns> StreamBatchRuns::make(const StreamScenario& s, const StreamBatch& batch, std::string sql, TimeUs start_us) {
  StreamBatchRuns b;
  b.batch_ = &batch;
  b.sql_ = std::move(sql);
  b.boundary_us_ = start_us;
  SUPYO_ASSIGN(b.every_us_, s.duration(batch.every));
  SUPYO_ASSIGN(b.start_cost_us_, s.duration(batch.start));
  SUPYO_ASSIGN(b.rate_, s.value(batch.rate, kRate));
  if (b.every_us_ < kSecond || !(b.rate_ > 0)) return fail(ErrorCode::kBadConfigFile, fmt::format("batch '{}': it runs every second at most, and takes records", batch.topic));
  return b;
}

TimeUs StreamBatchRuns::due_us() const { return std::min(boundary_us_ + every_us_, executed_ < runs_.size() ? runs_[executed_].end_us : kTimeMax); }

Status StreamBatchRuns::advance(const StreamJobSetup& setup, std::uint64_t records) {
  const TimeUs now = setup.clock.now_us();
  if (now >= boundary_us_ + every_us_) {
    Run r{boundary_us_, boundary_us_ + every_us_, 0, records - records_};
    const auto reading = static_cast<DurationUs>(static_cast<double>(r.records) / rate_ * 1e6);
    r.end_us = std::max(r.to_us, runs_.empty() ? 0 : runs_.back().end_us) + start_cost_us_ + reading;
    runs_.push_back(r);
    boundary_us_ = r.to_us;
    records_ = records;
  }
  if (executed_ < runs_.size() && now >= runs_[executed_].end_us) return execute(setup, runs_[executed_++]);
  return ok();
}

Status StreamBatchRuns::execute(const StreamJobSetup& setup, const Run& run) const {
  auto variables = setup.variables;
  variables["BATCH"] = batch_->topic;
  variables["from_ms"] = fmt::format("{}", run.from_us / kMillisecond);
  variables["to_ms"] = fmt::format("{}", run.to_us / kMillisecond);
  const std::string directory = env::join_path(setup.directory, "batch-" + batch_->topic);
  {
    SUPYO_ASSIGN(Job job, start(setup, sql_, directory, variables));
    SUPYO_TRY(to_the_end(setup, *job.runner));
  }
  return setup.env.files.remove_all(directory);
}

void StreamBatchRuns::reckon(TimeUs start_us, TimeUs fault_us, Arm& arm, std::vector<Trial>& trials) const {
  double before = 0, during = 0, most = 0, n_before = 0, n = 0;
  for (std::size_t i = 0; i < executed_; ++i) {
    const Run& r = runs_[i];
    const double took = static_cast<double>(r.end_us - r.to_us) / 1e6;
    (r.to_us <= fault_us ? before : during) += took;
    (r.to_us <= fault_us ? n_before : n) += 1;
    most = std::max(most, took);
    trials.push_back({arm.name, batch_->topic + " runs", static_cast<double>(r.to_us - start_us) / 1e6, {{"records", static_cast<double>(r.records)}, {"run", took}}});
  }
  std::string end = "_" + batch_->topic;
  std::ranges::replace(end, '-', '_');
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  arm.counts["run_mean_before" + end] = n_before > 0 ? before / n_before : kNaN;
  arm.counts["run_mean" + end] = n > 0 ? during / n : kNaN;
  arm.counts["run_max" + end] = most;
  arm.counts["runs" + end] = n_before + n;
}

Result<std::map<std::string, std::multiset<std::string>>> replay_stream_job(const StreamJobSetup& setup, const std::string& sql, const std::vector<std::string>& topics) {
  const std::string directory = env::join_path(setup.directory, "replay"), log_directory = env::join_path(directory, "log");
  SUPYO_TRY(setup.env.files.create_directories(log_directory));
  auto variables = setup.variables;
  variables["OUT"] = directory;
  variables["OUT_SERVERS"] = "embedded:" + log_directory;
  SUPYO_ASSIGN(Job job, start(setup, sql, directory, variables));
  // There is no more input than there is: a job that waits ten seconds for it has read all.
  for (TimeUs idle_since = setup.clock.now_us(); setup.clock.now_us() - idle_since < 10 * kSecond;) {
    SUPYO_ASSIGN(const dataflow::Poll poll, job.runner->step());
    if (poll.progress == dataflow::Progress::kDone) return fail(ErrorCode::kJobFailed, "the job that was run again ended before its input");
    const TimeUs now = setup.clock.now_us();
    const bool more = poll.progress == dataflow::Progress::kMore;
    setup.clock.advance_to(!more && poll.progress == dataflow::Progress::kWaitingUntil ? std::clamp(poll.until_us, now + kMillisecond, now + kSecond) : now + kMillisecond);
    if (more) idle_since = setup.clock.now_us();
  }
  job.runner->drain();
  SUPYO_TRY(to_the_end(setup, *job.runner));
  std::map<std::string, std::multiset<std::string>> rows;
  for (const std::string& topic : topics) {
    StreamTopicReader reader(setup.env.files, log_directory, topic, false);
    std::multiset<std::string>& into = rows[topic];
    SUPYO_TRY(reader.poll([&](std::string_view value) { into.emplace(value); }));
  }
  return rows;
}

}  // namespace supyo::scenario
