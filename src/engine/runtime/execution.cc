#include "engine/runtime/execution.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "core/base/check.h"
#include "core/base/hash.h"

namespace supyo::runtime {

using dataflow::CommitOutcome;
using dataflow::Poll;
using dataflow::Progress;

namespace {
constexpr DurationUs kLookAgainUs = 10 * kMillisecond;  ///< after an outside system did not say whether a commit went through

/// Both say what to wait for; the earlier one counts.
Poll earlier(const Poll& a, const Poll& b) {
  if (a.progress == Progress::kMore || b.progress == Progress::kMore) return Poll::more();
  if (a.progress != Progress::kWaitingUntil) return b.progress == Progress::kDone ? a : b;
  if (b.progress != Progress::kWaitingUntil) return a;
  return Poll::waiting_until(std::min(a.until_us, b.until_us));
}
}  // namespace

dataflow::SinkOpen Execution::sink_open(const PlanNode& node) const {
  return {.env = start_.env, .faults = start_.faults, .job = {.job_id = start_.job_id, .sink_id = node.sink_id},
          .shards = start_.plan.instances(node), .last_final = start_.last};
}

Status Execution::open_committers() {
  for (const PlanNode& n : start_.plan.nodes) {
    if (n.sink == nullptr) continue;
    auto committer = n.sink->open_committer(sink_open(n));
    if (!committer) return fail(std::move(committer).error().with_context(fmt::format("sink {}", n.name)));
    committers_.push_back({.node = &n, .committer = *std::move(committer)});
  }
  return ok();
}

Result<Poll> poll_committers(std::vector<Committer>& committers, Epoch epoch, const std::vector<SinkHandles>& handles, TimeUs now_us) {
  Poll wait = Poll::done();
  for (Committer& c : committers) {
    const auto it = std::ranges::find(handles, c.node->sink_id, &SinkHandles::sink_id);
    if (c.visible || it == handles.end() || it->handles.empty()) continue;
    auto polled = c.committer->poll_commit(epoch, it->handles);
    if (!polled) return fail(std::move(polled).error().with_context(fmt::format("sink {}", c.node->name)));
    switch (polled->outcome) {
      case CommitOutcome::kPending: wait = earlier(polled->poll, wait); break;
      case CommitOutcome::kUnknown: wait = earlier(Poll::waiting_until(now_us + kLookAgainUs), wait); break;
      case CommitOutcome::kVisibleNow:
      case CommitOutcome::kWasVisible: c.visible = true; break;
    }
  }
  if (wait.progress == Progress::kDone)
    for (Committer& c : committers) c.visible = false;
  return wait;
}

Result<Poll> Execution::poll_recommit() {
  if (start_.last.value == 0) return Poll::done();
  return poll_committers(committers_, start_.last, start_.meta.sinks, start_.env.clock.now_us());
}

Status Execution::open() {
  for (Committer& c : committers_)
    if (auto s = c.committer->abandon_after(start_.last); !s) return fail(std::move(s).error().with_context(fmt::format("sink {}", c.node->name)));
  SUPYO_TRY(make_shards());
  for (const PlanEdge& e : start_.plan.edges) wire(e);
  for (std::uint32_t s = 0; s < shards_.size(); ++s) {
    for (Receiver& r : receivers_[s])
      if (!r.inputs.empty()) shards_[s]->add_receiver(std::move(r));
    shards_[s]->finish_wiring();
  }
  receivers_.clear();
  commands_.cut = commands_.final = start_.last.value;
  return restore_tables();
}

Status Execution::make_spaces() {
  SUPYO_TRY(state::SpillSpace::clear(start_.spill_dir));   // also when this run has no use for it: the one before may have been killed
  const std::size_t bytes = start_.config.spill.memory_bytes;
  if (bytes == 0) return ok();
  for (std::uint32_t s = 0; s < start_.plan.shards; ++s) spaces_.emplace_back(env::join_path(start_.spill_dir, std::to_string(s)), bytes);
  return ok();
}

Status Execution::make_shards() {
  const Plan& plan = start_.plan;
  SUPYO_TRY(make_spaces());
  for (std::uint32_t s = 0; s < plan.shards; ++s) {
    const ShardContext context{.env = start_.env, .shard = s, .shards = plan.shards, .job_salt = hash_bytes(start_.job_id), .observer = start_.config.observer, .origins = start_.graph.origins,
                               .by_the_clock = start_.graph.by_the_clock,
                               .as_written = start_.config.observer != nullptr && plan.writers_as_written > 0, .now_us = start_.env.clock.now_us(), .keeps_changes = start_.state != nullptr};
    shards_.push_back(std::make_unique<Shard>(context, start_.last, commands_, mailbox_, start_.shard_counters[s], start_.config.lag_sample_us, start_.config.seed));
  }
  tasks_.assign(plan.nodes.size(), std::vector<Task*>(plan.shards, nullptr));
  operators_.assign(plan.nodes.size(), std::vector<OperatorTask*>(plan.shards, nullptr));
  receivers_.assign(plan.shards, std::vector<Receiver>(plan.nodes.size()));
  absent_splits_ = start_.meta.splits;
  for (const PlanNode& n : plan.nodes) {
    if (n.source != nullptr) SUPYO_TRY(make_source(n));
    if (n.op != nullptr) SUPYO_TRY(make_operator(n));
    if (n.sink != nullptr) SUPYO_TRY(make_sink(n));
  }
  return ok();
}

void Execution::place(std::uint32_t shard, const PlanNode& node, std::unique_ptr<Task> task, SourceTask* source) {
  for (const NodeWatermark& w : start_.meta.watermarks)
    if (w.node == node.state_id && source == nullptr) task->restore_watermark(w.watermark_us);
  tasks_[node.id][shard] = task.get();
  shards_[shard]->add(std::move(task), source);
}

Status Execution::make_source(const PlanNode& node) {
  const auto in_context = [&](Error e) { return fail(e.with_context(fmt::format("source {}", node.source->table))); };
  auto splits = node.source->source->splits();
  if (!splits) return in_context(std::move(splits).error());
  const std::uint32_t instances = start_.plan.instances(node);
  std::vector<std::vector<dataflow::Split>> mine(instances);
  std::vector<std::vector<SplitProgress>> progress(instances);
  for (std::size_t i = 0; i < splits->size(); ++i) {
    dataflow::Split& split = (*splits)[i];
    SplitProgress p{.id = split.id, .number = source_splits_++};
    const auto saved = std::ranges::find_if(absent_splits_, [&](const SplitState& s) { return s.source == node.uid && s.split == split.id; });
    if (saved != absent_splits_.end()) {
      split.position = saved->position;
      p.watermark_us = saved->watermark_us;
      p.idle = saved->idle;
      p.skip_rows = saved->skip_rows;
      p.skip_dead = saved->skip_dead;
      absent_splits_.erase(saved);
    }
    mine[i % instances].push_back(std::move(split));
    progress[i % instances].push_back(std::move(p));
  }
  for (std::uint32_t s = 0; s < instances; ++s) {
    std::unique_ptr<dataflow::SourceReader> reader;
    if (!mine[s].empty()) {
      auto opened = node.source->source->open(std::move(mine[s]), start_.env);
      if (!opened) return in_context(std::move(opened).error());
      reader = *std::move(opened);
    }
    auto task = std::make_unique<SourceTask>(node, shards_[s]->context(), start_.counters[node.id][s], start_.last, std::move(progress[s]), std::move(reader),
                                             std::clamp<std::size_t>(start_.config.batch_rows, 1, Batch::kMaxRows));
    SourceTask* source = task.get();
    place(s, node, std::move(task), source);
  }
  return ok();
}

Status Execution::make_operator(const PlanNode& node) {
  const std::uint32_t instances = start_.plan.instances(node);
  for (std::uint32_t s = 0; s < instances; ++s) {
    auto op = node.op->factory(s, instances);
    if (!op) return fail(std::move(op).error().with_context(fmt::format("operator {}", node.name)));
    auto task = std::make_unique<OperatorTask>(node, shards_[s]->context(), start_.counters[node.id][s], start_.last, *std::move(op), spaces_.empty() ? nullptr : &spaces_[s]);
    operators_[node.id][s] = task.get();
    place(s, node, std::move(task), nullptr);
  }
  return ok();
}

Status Execution::make_sink(const PlanNode& node) {
  for (std::uint32_t s = 0; s < start_.plan.instances(node); ++s) {
    auto writer = node.sink->open_writer(sink_open(node), s);
    if (!writer) return fail(std::move(writer).error().with_context(fmt::format("sink {}", node.name)));
    place(s, node, std::make_unique<SinkTask>(node, shards_[s]->context(), start_.counters[node.id][s], start_.last, *std::move(writer)), nullptr);
  }
  return ok();
}

void Execution::wire(const PlanEdge& edge) {
  for (std::uint32_t s = 0; s < start_.plan.instances(start_.plan.nodes[edge.from]); ++s) {
    if (!edge.direct) {
      wire_queue(edge, s);
      continue;
    }
    Task* to = tasks_[edge.to][s];
    tasks_[edge.from][s]->output(edge.kind).add_call(to, to->add_channel(edge.input));
  }
}

void Execution::wire_queue(const PlanEdge& edge, std::uint32_t from_shard) {
  std::vector<Channel*> channels;
  for (std::uint32_t s = 0; s < start_.plan.instances(start_.plan.nodes[edge.to]); ++s) {
    if (edge.one_to_one && s != from_shard) continue;
    Channel& channel = channels_.emplace_back(start_.config.queue_batches);
    channels.push_back(&channel);
    Receiver& r = receivers_[s][edge.to];
    r.task = tasks_[edge.to][s];
    r.inputs.push_back({.channel = &channel, .number = r.task->add_channel(edge.input)});
  }
  tasks_[edge.from][from_shard]->output(edge.kind).add_queue(ExchangeSender(std::move(channels), edge.keys));
}

/// Every entry goes to the shard that owns its hash now; another parallelism than before is nothing special.
Status Execution::restore_tables() {
  if (start_.state == nullptr || start_.last.value == 0) return ok();
  std::vector<const PlanNode*> nodes;   // by state_id
  for (const PlanNode& n : start_.plan.nodes)
    if (n.state_id != PlanNode::kTransient) nodes.push_back(&n);
  const state::Journal& journal = start_.state->stored();
  for (const state::Journal::StoredTable& t : journal.stored_tables()) {
    if (t.operator_id >= nodes.size() || nodes[t.operator_id]->op == nullptr)
      return fail(ErrorCode::kStateOfOtherJob, fmt::format("the state holds entries of operator {}, which this plan does not have", t.operator_id),
                  "use a new state directory, or the SQL that wrote this one");
    const PlanNode& node = *nodes[t.operator_id];
    const std::uint32_t shards = start_.plan.instances(node);
    for (std::uint32_t s = 0; s < shards; ++s) {
      state::OperatorState& state = operators_[node.id][s]->operator_state();
      if (t.table >= state.tables())
        return fail(ErrorCode::kStateOfOtherJob, fmt::format("the state holds a table {} of operator {}, which has only {}", t.table, node.name, state.tables()),
                    "use a new state directory, or the SQL that wrote this one");
      SUPYO_TRY(state.restore(t.table, journal.stored(t, s, shards)));
    }
  }
  for (const std::vector<OperatorTask*>& instances : operators_)
    for (OperatorTask* task : instances)
      if (task != nullptr) SUPYO_TRY(task->on_restored());
  return ok();
}

}  // namespace supyo::runtime
