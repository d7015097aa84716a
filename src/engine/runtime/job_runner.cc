#include "engine/runtime/job_runner.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/base/check.h"
#include "core/base/hash.h"
#include "engine/runtime/job_runner_impl.h"

namespace supyo::runtime {

using dataflow::Poll;
using dataflow::Progress;

namespace {
constexpr std::uint32_t kShardsMax = 256;
constexpr TimeUs kForever = kTimeMax;
}  // namespace

JobRunner::Impl::Impl(const env::Env& e, dataflow::JobGraph g, JobConfig c)
    : env(e), graph(std::move(g)), config(std::move(c)), restarts(config.restart), random(hash_u64(config.seed + 1)) {}

JobRunner::Impl::~Impl() { close_execution(); }

Status JobRunner::Impl::prepare() {
  if (config.parallelism < 1 || config.parallelism > kShardsMax)
    return fail(ErrorCode::kBadOptionValue, fmt::format("parallelism {} is not between 1 and {}", config.parallelism, kShardsMax));
  SUPYO_ASSIGN(plan, make_plan(graph, config.parallelism));
  for (std::size_t n = 0; n < plan.nodes.size(); ++n) counters.emplace_back(config.parallelism);
  for (std::uint32_t s = 0; s < config.parallelism; ++s) shard_counters.emplace_back();
  started_us = env.clock.now_us();
  if (config.state_dir.empty()) {
    job_id = env::new_uuid(env.random);
    spill_dir = own_spill_dir();
    return ok();
  }
  SUPYO_ASSIGN(state, DurableState::open(env, config.state_dir, graph.fingerprint, config.journal));
  job_id = state->job_id();
  spill_dir = own_spill_dir();
  if (config.control) control = std::make_unique<ControlServer>(env, config.state_dir);
  return ok();
}

/// With the job's id in its name: a start finds what a killed run left.
std::string JobRunner::Impl::own_spill_dir() const {
  const std::string& wished = config.spill.directory;
  if (wished.empty() && state) return env::join_path(config.state_dir, "scratch");
  return env::join_path(wished.empty() ? "/tmp" : wished, "supyo-" + job_id);
}

// ---- one execution after another -------------------------------------------------------------------------------------------------

Result<Poll> JobRunner::Impl::poll() {
  follow_control();
  auto polled = poll_execution();
  if (!polled) polled = failed(std::move(polled).error());
  if (!polled) end(JobState::kFailed);
  show_epochs();
  return polled;
}

/// At most one epoch ends in a poll.
void JobRunner::Impl::show_epochs() {
  const std::scoped_lock lock(mutex);
  const bool failed = epoch_stats.failed > shown_epochs.failed;
  if (failed || epoch_stats.completed > shown_epochs.completed) {
    shown_records.push_back({.epoch = failed ? Epoch(epoch_stats.last_visible.value + 1) : epoch_stats.last_visible, .failed = failed, .at_us = failed ? env.clock.now_us() : epoch_stats.last_visible_at_us,
                             .duration_us = failed ? 0 : epoch_stats.last_duration_us, .commit_us = failed ? 0 : epoch_stats.last_commit_us, .bytes = failed ? 0 : epoch_stats.last_bytes});
    if (shown_records.size() > kEpochRecords) shown_records.pop_front();
  }
  shown_epochs = epoch_stats;
}

Result<Poll> JobRunner::Impl::poll_execution() {
  switch (phase) {
    case Phase::kOpening: SUPYO_TRY(open_execution()); return Poll::more();
    case Phase::kRecommitting: return recover();
    case Phase::kPriming: return poll_priming();
    case Phase::kRunning: return poll_running();
    case Phase::kWaiting:
      if (stop || drain) {
        end(JobState::kStopped);
        return Poll::done();
      }
      if (env.clock.now_us() < restart_at_us) return Poll::waiting_until(restart_at_us);
      if (state) SUPYO_TRY(state->reopen());
      phase = Phase::kOpening;
      return Poll::more();
    case Phase::kEnded: return Poll::done();
  }
  return Poll::done();
}

Status JobRunner::Impl::open_execution() {
  const Epoch last = state ? state->last() : Epoch(0);
  if (!std::exchange(observer_restored, true) && config.observer != nullptr && state && !state->meta().observer.empty()) config.observer->restore(state->meta().observer);
  epoch_stats.last_final = std::max(epoch_stats.last_final, last);
  execution = std::make_unique<Execution>(ExecutionStart{.env = env, .plan = plan, .graph = graph, .config = config, .spill_dir = spill_dir,
                                                         .faults = config.faults != nullptr ? *config.faults : no_faults, .job_id = job_id, .last = last,
                                                         .meta = state ? state->meta() : no_meta, .state = state.get(), .counters = counters, .shard_counters = shard_counters});
  SUPYO_TRY(execution->open_committers());
  phase = Phase::kRecommitting;
  return ok();
}

/// Makes the last final epoch visible before anything else is written, then opens the rest.
Result<Poll> JobRunner::Impl::recover() {
  SUPYO_ASSIGN(const Poll wait, execution->poll_recommit());
  if (wait.progress != Progress::kDone && stop) {  // what is final stays final: the next start goes on here
    end(JobState::kStopped);
    return Poll::done();
  }
  if (wait.progress != Progress::kDone) return wait;
  const Epoch last = state ? state->last() : Epoch(0);
  const bool finished = state && state->meta().finished;
  if (!finished) SUPYO_TRY(execution->open());
  if (state) state->end_restore();
  const bool first_seen = epoch_stats.last_visible < last;
  epoch_stats.last_visible = last;
  if (config.observer != nullptr) {
    const TimeUs now = env.clock.now_us();
    config.observer->started({.holds_until_watermark = graph.holds_until_watermark, .source_splits = execution->source_splits(), .writers = plan.writers_as_written}, now);
    if (first_seen) {
      config.observer->epoch_final(last, now);
      config.observer->epoch_visible(last, now);
    }
  }
  if (finished) {
    result.was_finished = restart_count == 0;
    end(JobState::kFinished);
    return Poll::done();
  }
  visible_before = last;
  phase = Phase::kPriming;
  return Poll::more();
}

/// In virtual time the job begins where its last epoch was cut, and a replay not before its first row.
Result<Poll> JobRunner::Impl::poll_priming() {
  if (!real) {
    TimeUs begin = state && state->last().value > 0 ? state->meta().now_us : kTimeMin;
    const bool replays = std::ranges::any_of(graph.nodes, [](const dataflow::Node& n) {
      const auto* source = std::get_if<dataflow::SourceNode>(&n.kind);
      return source != nullptr && source->replay.has_value();
    });
    if (replays) {
      TimeUs first = kTimeMax;
      for (const auto& s : execution->shards()) {
        SUPYO_ASSIGN(const TimeUs t, s->prime());
        first = std::min(first, t);
      }
      if (first != kTimeMax) begin = std::max(begin, first);
    }
    if (env.clock.now_us() < begin) return Poll::waiting_until(begin);
  }
  begin_running();
  return Poll::more();
}

void JobRunner::Impl::begin_running() {
  const Epoch last = state ? state->last() : Epoch(0);
  epochs = std::make_unique<Epochs>(env, config, plan, *execution, state.get(), last, epoch_stats);
  phase = Phase::kRunning;
  idle_since_us = env.clock.monotonic_us();
  set_state(JobState::kRunning);
  if (real) start_threads();
}

Result<Poll> JobRunner::Impl::poll_running() {
  const Epochs::Wishes wishes{.stop = stop.load(), .drain = drain.load(), .savepoint = savepoints_wished.load() > savepoints_done};
  if (wishes.drain) set_state(JobState::kDraining);
  else if (wishes.stop) set_state(JobState::kStopping);
  const std::uint64_t savepoints = epochs->savepoints();
  const std::uint64_t wished = savepoints_wished.load();
  SUPYO_ASSIGN(const Poll poll, epochs->poll(wishes));
  if (epochs->savepoints() > savepoints) {
    savepoints_done = wished;
    if (control) control->savepoint_taken();
  }
  if (epoch_stats.last_visible > visible_before) {
    visible_before = epoch_stats.last_visible;
    restarts.succeeded();
  }
  if (poll.progress == Progress::kDone) end(epochs->finished() ? JobState::kFinished : JobState::kStopped);
  return poll;
}

/// Throws the execution away; waits for the next one when the restart strategy has one, else hands the error back.
Result<Poll> JobRunner::Impl::failed(Error error) {
  const bool fatal = epochs && epochs->fatal();
  if (epochs && epochs->in_flight().value > 0) {
    ++epoch_stats.failed;
    if (config.observer != nullptr) config.observer->epoch_failed(epochs->in_flight(), env.clock.now_us());
  }
  close_execution();
  const DurationUs delay = fatal || !state || !worth_restarting(error.code) ? -1 : restarts.failed();
  {
    const std::scoped_lock lock(mutex);
    last_error = error.to_string();
    if (delay >= 0) ++restart_count;
  }
  if (delay < 0) return fail(std::move(error));
  restart_at_us = env.clock.now_us() + delay;
  phase = Phase::kWaiting;
  set_state(JobState::kRestarting);
  return Poll::waiting_until(restart_at_us);
}

void JobRunner::Impl::close_execution() {
  if (!execution) return;
  execution->commands().exit.store(true, std::memory_order_release);
  threads.clear();  // joins
  if (epochs) trace = hash_combine(trace, epochs->trace());
  for (const auto& s : execution->shards()) trace = hash_combine(trace, s->context().trace);
  epochs.reset();
  execution.reset();
}

void JobRunner::Impl::end(JobState s) {
  result.state = s;
  result.last_epoch = epoch_stats.last_visible;
  result.restarts = restart_count;
  close_execution();
  phase = Phase::kEnded;
  set_state(s);
  show_epochs();
  if (control) control->publish(snapshot(), /*now=*/true);
}

void JobRunner::Impl::set_state(JobState s) {
  const std::scoped_lock lock(mutex);
  shown_state = s;
}

void JobRunner::Impl::follow_control() {
  if (!control || phase == Phase::kEnded) return;
  const ControlServer::Requests requests = control->poll();
  if (requests.stop) stop = true;
  if (requests.drain) drain = true;
  if (requests.savepoint) ++savepoints_wished;
  if (control->wants_status()) control->publish(snapshot(), /*now=*/false);
}

// ---- stepped drive ---------------------------------------------------------------------------------------------------------------

Result<Poll> JobRunner::Impl::step() {
  SUPYO_ASSIGN(Poll poll, this->poll());
  if (phase != Phase::kRunning || poll.progress == Progress::kDone) return poll;
  auto& shards = execution->shards();
  std::vector<std::size_t> order(shards.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (std::size_t i = order.size(); i > 1; --i) {
    random = hash_u64(random + 0x9e3779b97f4a7c15ULL);
    std::swap(order[i - 1], order[random % i]);
  }
  for (const std::size_t s : order) {
    const Poll p = shards[s]->poll();
    if (p.progress == Progress::kMore) poll = p;
    if (poll.progress == Progress::kMore || p.progress != Progress::kWaitingUntil) continue;
    poll = Poll::waiting_until(poll.progress == Progress::kWaitingUntil ? std::min(poll.until_us, p.until_us) : p.until_us);
  }
  return poll;
}

Result<JobResult> JobRunner::run_stepped(const std::function<void(TimeUs)>& advance) {
  for (;;) {
    SUPYO_ASSIGN(const Poll p, step());
    if (p.progress == Progress::kDone) return impl_->result;
    if (p.progress != Progress::kMore) advance(p.progress == Progress::kWaitingUntil ? p.until_us : kForever);
  }
}

// ---- public ----------------------------------------------------------------------------------------------------------------------

JobRunner::JobRunner(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JobRunner::~JobRunner() = default;

Result<std::unique_ptr<JobRunner>> JobRunner::create(const env::Env& env, dataflow::JobGraph graph, JobConfig config) {
  auto impl = std::make_unique<Impl>(env, std::move(graph), std::move(config));
  SUPYO_TRY(impl->prepare());
  return std::unique_ptr<JobRunner>(new JobRunner(std::move(impl)));
}

Result<Poll> JobRunner::step() { return impl_->step(); }
const JobResult& JobRunner::result() const { return impl_->result; }
void JobRunner::stop() { impl_->stop = true; }
void JobRunner::drain() { impl_->drain = true; }
void JobRunner::savepoint() { ++impl_->savepoints_wished; }
const std::string& JobRunner::job_id() const { return impl_->job_id; }
JobStats JobRunner::stats() const { return impl_->snapshot(); }
JobShape JobRunner::shape() const { return impl_->shape(); }
std::vector<EpochRecord> JobRunner::epoch_records() const { return impl_->epoch_records(); }

std::uint64_t JobRunner::trace_hash() const {
  std::uint64_t h = impl_->trace;
  if (impl_->epochs) h = hash_combine(h, impl_->epochs->trace());
  if (impl_->execution)
    for (const auto& s : impl_->execution->shards()) h = hash_combine(h, s->context().trace);
  return h;
}

}  // namespace supyo::runtime
