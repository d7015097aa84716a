#include "engine/runtime/job_stats.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/runtime/job_runner_impl.h"

namespace supyo::runtime {
namespace {

void quote(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20) out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else out += c;
  }
  out += '"';
}

/// "no watermark yet" and "the input ended" are not times.
std::string time_or_null(TimeUs t) { return t == kTimeMin || t == kTimeMax ? "null" : fmt::format("{}", t); }

void append_nodes(std::string& out, const JobStats& s) {
  out += ",\"nodes\":[";
  for (std::size_t i = 0; i < s.nodes.size(); ++i) {
    const NodeStats& n = s.nodes[i];
    out += fmt::format("{}{{\"id\":{},\"name\":", i == 0 ? "" : ",", n.id);
    quote(out, n.name);
    out += fmt::format(",\"rows_in\":{},\"rows_out\":{},\"behind\":{},\"late\":{},\"dead\":{},\"busy_us\":{},\"backpressured_us\":{},\"watermark_us\":{}}}", n.rows_in, n.rows_out, n.behind,
                       n.late, n.dead, n.busy_us, n.backpressured_us, time_or_null(n.watermark_us));
  }
  out += "],\"shards\":[";
  for (std::size_t i = 0; i < s.shards.size(); ++i) {
    const ShardStats& h = s.shards[i];
    out += fmt::format("{}{{\"busy_us\":{},\"idle_us\":{},\"backpressured_us\":{},\"state_bytes\":{},\"state_entries\":{}}}", i == 0 ? "" : ",", h.busy_us, h.idle_us,
                       h.backpressured_us, h.state_bytes, h.state_entries);
  }
  out += ']';
}

}  // namespace

std::string_view job_state_text(JobState s) {
  switch (s) {
    case JobState::kCreated: return "CREATED";
    case JobState::kRunning: return "RUNNING";
    case JobState::kRestarting: return "RESTARTING";
    case JobState::kStopping: return "STOPPING";
    case JobState::kDraining: return "DRAINING";
    case JobState::kFinished: return "FINISHED";
    case JobState::kStopped: return "STOPPED";
    case JobState::kFailed: return "FAILED";
  }
  return "";
}

std::string to_json(const JobStats& s) {
  std::string out = fmt::format("{{\"state\":\"{}\",\"job_id\":\"{}\",\"name\":", job_state_text(s.state), s.job_id);
  quote(out, s.name);
  out += fmt::format(",\"parallelism\":{},\"state_backend\":\"{}\",\"started_us\":{},\"now_us\":{},\"rows_in\":{},\"rows_out\":{},\"late\":{},\"dead\":{},\"behind\":{},\"restarts\":{},\"watermark_us\":{}",
                     s.parallelism, s.state_backend, s.started_us, s.now_us, s.rows_in, s.rows_out, s.late, s.dead, s.behind, s.restarts, time_or_null(s.watermark_us));
  const EpochStats& e = s.epochs;
  out += fmt::format(",\"epochs\":{{\"completed\":{},\"failed\":{},\"last_final\":{},\"last_visible\":{},\"last_duration_us\":{},\"last_commit_us\":{},\"duration_max_us\":{},"
                     "\"last_bytes\":{},\"last_visible_at_us\":{}}}",
                     e.completed, e.failed, e.last_final.value, e.last_visible.value, e.last_duration_us, e.last_commit_us, e.duration_max_us, e.last_bytes, e.last_visible_at_us);
  append_nodes(out, s);
  out += ",\"last_error\":";
  quote(out, s.last_error);
  out += '}';
  return out;
}

JobStats JobRunner::Impl::snapshot() const {
  JobStats s;
  s.job_id = job_id;
  s.name = config.name;
  s.parallelism = config.parallelism;
  if (config.spill.memory_bytes > 0) s.state_backend = "rocksdb";
  s.now_us = env.clock.now_us();
  s.watermark_us = kTimeMax;
  {
    const std::scoped_lock lock(mutex);
    s.state = shown_state;
    s.started_us = started_us;
    s.restarts = restart_count;
    s.epochs = shown_epochs;
    s.last_error = last_error;
  }
  for (const PlanNode& n : plan.nodes) {
    if (n.source == nullptr && n.op == nullptr && n.sink == nullptr) continue;
    NodeStats node{.id = n.id, .name = n.name, .uid = n.uid, .watermark_us = kTimeMax};
    for (std::uint32_t i = 0; i < plan.instances(n); ++i) {
      const NodeCounters& c = counters[n.id][i];
      node.rows_in += c.rows_in.get();
      node.rows_out += c.rows_out.get();
      node.batches_in += c.batches_in.get();
      node.behind += c.behind.get();
      node.late += c.late.get();
      node.dead += c.dead.get();
      node.watermark_us = std::min(node.watermark_us, c.watermark_us.get());
      node.busy_us += c.busy_us.get();
      node.backpressured_us += c.backpressured_us.get();
    }
    if (n.source != nullptr) {
      s.rows_in += node.rows_in;
      s.watermark_us = std::min(s.watermark_us, node.watermark_us);
    }
    if (n.sink != nullptr && !n.side) s.rows_out += node.rows_out;
    s.late += node.late;
    s.dead += node.dead;
    s.behind += node.behind;
    s.nodes.push_back(std::move(node));
  }
  for (const ShardCounters& c : shard_counters)
    s.shards.push_back({.busy_us = c.busy_us.get(), .idle_us = c.idle_us.get(), .backpressured_us = c.backpressured_us.get(), .state_bytes = c.state_bytes.get(),
                        .state_entries = c.state_entries.get()});
  return s;
}

JobShape JobRunner::Impl::shape() const {
  JobShape s;
  std::vector<std::uint32_t> head(plan.nodes.size());
  for (const PlanNode& n : plan.nodes) {   // in topological order: the head of what calls a node is known
    head[n.id] = n.id;
    if (n.in.size() == 1 && plan.edges[n.in.front()].direct) head[n.id] = head[plan.edges[n.in.front()].from];
    else if (n.in.size() > 1 && std::ranges::all_of(n.in, [&](std::uint32_t e) { return plan.edges[e].direct; })) head[n.id] = head[plan.edges[n.in.front()].from];
    if (n.source == nullptr && n.op == nullptr && n.sink == nullptr) continue;
    const JobShape::Kind kind = n.source != nullptr ? JobShape::Kind::kSource : n.op != nullptr ? JobShape::Kind::kOperator : n.side ? JobShape::Kind::kSideSink : JobShape::Kind::kSink;
    s.nodes.push_back({.id = n.id, .kind = kind, .name = n.name, .head = head[n.id], .instances = plan.instances(n)});
  }
  for (const PlanEdge& e : plan.edges) s.edges.push_back({.from = e.from, .to = e.to, .direct = e.direct, .keyed = !e.keys.empty()});
  s.readable_as_written = plan.writers_as_written > 0;
  return s;
}

std::vector<EpochRecord> JobRunner::Impl::epoch_records() const {
  const std::scoped_lock lock(mutex);
  return {shown_records.begin(), shown_records.end()};
}

}  // namespace supyo::runtime
