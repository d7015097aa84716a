#include "lab/scenario/replica/frontier_lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/base/duration.h"
#include "core/env/sim/sim_env.h"
#include "lab/scenario/intervals.h"
#include "lab/scenario/reckoning.h"
#include "lab/scenario/replica/replica_lab.h"
#include "lab/scenario/yaml_reader.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kDrainMost = 10 * kSecond;
constexpr double kFewestTrials = 5;
using Field = DeclaredField;
constexpr std::array kWorkload{Field{"record", kBytes, "100B"}, Field{"outstanding", kNumber, "500"}, Field{"batch", kNumber, "1000"}, Field{"in_flight", kNumber, "5"},
                               Field{"idempotence", kNumber, "off"}, Field{"warmup", kSeconds, "1s"}, Field{"for", kSeconds, "5s"}, Field{"settle", kSeconds, "60s"}};

class FrontierReader : private YamlReader {
 public:
  using YamlReader::YamlReader;

  Result<FrontierScenario> read(std::string_view text, const std::string* base_text) {
    return parsed(text, base_text, [this](const YAML::Node& root) { return scenario(root); });
  }

 private:
  Result<FrontierScenario> scenario(const YAML::Node& root) {
    SUPYO_TRY(allow(root, "a frontier scenario", {"lab", "kind", "title", "extends", "expect", "hypothesis", "workload", "knobs", "replicas", "acks", "linger", "trials", "other_trials", "real", "derive", "guards", "predict", "verdict", "tiles"}));
    FrontierScenario s;
    SUPYO_TRY(head(root, s));
    SUPYO_TRY(fields(root, "workload", kWorkload, s.knobs, s.workload));
    SUPYO_TRY(seed(root["workload"], s.seed));
    s.trials = root["trials"] ? root["trials"].Scalar() : "5";
    s.other_trials = root["other_trials"] ? root["other_trials"].Scalar() : s.trials;
    SUPYO_TRY(named(root, "replicas", s.replicas));
    SUPYO_TRY(named(root, "acks", s.acks));
    if (!root["linger"] || !root["linger"].IsSequence()) return complain(root, "'linger' is missing", "linger: [0ms, 5ms, 50ms, 100ms]");
    for (const YAML::Node& n : root["linger"]) s.linger.push_back(n.Scalar());
    SUPYO_TRY(settings_of_knobs(root["real"], s, s.real));
    SUPYO_TRY(judgement(root, s));
    if (std::ranges::find(s.guards, Guard::kOfferedRate) != s.guards.end()) return complain(root["guards"], "this kind of lab offers no rate: its producer waits for its acknowledgements");
    if (const auto cells = cells_of(s); !cells) return complain(root, cells.error().message, cells.error().hint);
    return s;
  }

  Status named(const YAML::Node& root, const char* key, std::vector<std::pair<std::string, std::string>>& into) const {
    const YAML::Node map = root[key];
    if (!map || !map.IsMap() || map.size() == 0) return complain(root, fmt::format("'{}' is missing", key), fmt::format("{}: {{1: 1, {}}}", key, key[0] == 'a' ? "all: all" : "3: 3"));
    for (const auto& e : map) into.emplace_back(e.first.as<std::string>(), e.second.Scalar());
    return ok();
  }
};

void describe(const FrontierScenario& s, const std::vector<FrontierCell>& cells, const RunOptions& options, bool real, LabResult& r) {
  r.kind = "frontier";
  describe_replicated(s, options, real, r);
  const FrontierCell& c = cells.front();
  const auto& fewest = *std::ranges::min_element(cells, {}, &FrontierCell::trials);
  r.phases = {{"run", 0, static_cast<double>(c.warmup_us + c.run_us) / 1e6, true}};
  r.config["producer"] = fmt::format("{} records of {} B without an outcome at most, {} records in a batch at most, {} requests in flight, {}", c.producer.outstanding, c.record_bytes, c.producer.batch_records, c.producer.in_flight,
                                     c.idempotent ? "idempotent with acks=all" : "not idempotent");
  r.config["trials"] = fmt::format("{} of the cells that are judged by, {} of the others, {} each after {}", std::ranges::max(cells, {}, &FrontierCell::trials).trials, fewest.trials, format_duration(c.run_us), format_duration(c.warmup_us));
  r.config["intervals"] = "99 %, so that the five that are judged by hold together with 95 %: Student's t on the logarithms of the trials' values; the value itself is their geometric mean";
  r.config["fault"] = "none";
  if (!real) r.config["declared costs"] = fmt::format("network {} one way and up to {} more, a request {}, a record {} us", format_duration(c.cluster.network_us), format_duration(c.cluster.jitter_us), format_duration(c.cluster.request_us), c.cluster.record_us);
}

class Evaluation {
 public:
  Evaluation(const FrontierScenario& s, LabResult& r) : s_(s), r_(r) {}

  Status run() {
    begin_reckoning(s_, r_);
    for (const auto& [name, v] : r_.fault.counts) add(name, v, name.starts_with("thr_") ? "records/s" : name.starts_with("p50_") || name.starts_with("p99_") ? "s" : name.starts_with("rho_") || name.starts_with("cores_") || name == "trials" ? "" : "records");
    return judge(s_, r_, [this](Guard g) { return check(g); });
  }

 private:
  void add(std::string name, double value, std::string unit) { add_measure(r_, std::move(name), value, std::move(unit)); }

  Checked check(Guard g) const {
    const auto& c = r_.fault.counts;
    switch (g) {
      case Guard::kOfferedRate: return {false, "this lab offers no rate"};
      case Guard::kFaultSeen: {
        for (const auto& [label, expression] : s_.replicas) {
          const double seen = c.at("in_sync_rf" + label);
          if (fmt::format("{:g}", seen) != label) return {false, fmt::format("{:g} replicas were seen in sync where {} are claimed", seen, label)};
        }
        if (c.at("trials") < kFewestTrials) return {false, fmt::format("{:g} trials are too few for an interval, {:g} are needed", c.at("trials"), kFewestTrials)};
        return {true, "as many replicas were in sync as each setting claims, in every trial"};
      }
      case Guard::kLedgerBalances: return ledger_balances(r_);
      case Guard::kControlClean: return {c.at("failed") + c.at("unknown") == 0, fmt::format("{:.0f} records failed or stayed unknown", c.at("failed") + c.at("unknown"))};
      case Guard::kRecorded: return recorded(r_);
      case Guard::kDrained: return {r_.fault.drained, "every record had an outcome at the end of its trial"};
    }
    return {false, "?"};
  }

  const FrontierScenario& s_;
  LabResult& r_;
};

/// Whether a formula names something that is measured in this cell.
bool is_judged(const FrontierScenario& s, const FrontierCell& cell) {
  const std::string tail = cell.name.substr(cell.name.rfind('_'));
  const auto is_of_cell = [&](std::string name) {
    for (const std::string_view end : {"_low", "_high"})
      if (name.ends_with(end)) name.resize(name.size() - end.size());
    if (name == fmt::format("rho_rf{}{}", cell.replicas_label, tail)) return cell.acks_label == "1" || cell.acks_label == "all";
    return std::ranges::any_of(std::array{"thr_", "p50_", "p99_", "batch_"}, [&](const char* what) { return name == what + cell.name; });
  };
  const auto in = [&](const Expression& e) { return std::ranges::any_of(e.names(), is_of_cell); };
  return (s.verdict && in(*s.verdict)) || std::ranges::any_of(s.derive, [&](const auto& d) { return in(d.second); }) ||
         std::ranges::any_of(s.predict, [&](const Prediction& p) { return is_of_cell(p.measure) || in(p.formula); });
}

/// Everything that the points of all cells say, as counts of the one arm.
void count_points(const std::vector<FrontierCell>& cells, const std::map<std::string, std::vector<FrontierPoint>>& points, Arm& arm) {
  auto& c = arm.counts;
  const auto interval = [&](const std::string& name, const std::vector<double>& v) {
    const MeanInterval m = ratio_interval(v, Confidence::k99);
    c[name] = m.mean;
    c[name + "_low"] = m.low;
    c[name + "_high"] = m.high;
  };
  const auto each = [&](const std::string& cell, auto member) {
    std::vector<double> v;
    for (const FrontierPoint& p : points.at(cell)) v.push_back(member(p));
    return v;
  };
  for (const FrontierCell& cell : cells) {
    interval("thr_" + cell.name, each(cell.name, [](const FrontierPoint& p) { return p.throughput; }));
    interval("p50_" + cell.name, each(cell.name, [](const FrontierPoint& p) { return p.p50_s; }));
    interval("p99_" + cell.name, each(cell.name, [](const FrontierPoint& p) { return p.p99_s; }));
    if (!std::isnan(points.at(cell.name).front().requests)) interval("batch_" + cell.name, each(cell.name, [](const FrontierPoint& p) { return p.acked / std::max(1.0, p.requests); }));
    if (!std::isnan(points.at(cell.name).front().cores)) interval("cores_" + cell.name, each(cell.name, [](const FrontierPoint& p) { return p.cores; }));
    double& in_sync = c.try_emplace("in_sync_rf" + cell.replicas_label, 1e9).first->second;
    for (const FrontierPoint& p : points.at(cell.name)) {
      in_sync = std::min(in_sync, p.in_sync);
      c["sent"] += p.sent;
      c["acked"] += p.acked;
      c["failed"] += p.failed;
      c["unknown"] += p.unknown;
    }
    if (cell.acks_label != "all") continue;
    const std::string tail = cell.name.substr(cell.name.rfind('_')), one = fmt::format("rf{}_1{}", cell.replicas_label, tail);
    if (!points.contains(one)) continue;
    std::vector<double> ratio;
    for (std::size_t i = 0; i < std::min(points.at(one).size(), points.at(cell.name).size()); ++i) ratio.push_back(points.at(cell.name)[i].throughput / points.at(one)[i].throughput);
    interval(fmt::format("rho_rf{}{}", cell.replicas_label, tail), ratio);
  }
  c["trials"] = std::ranges::max(cells, {}, &FrontierCell::trials).trials;
  arm.columns = {{"cell", "number", {}}, {"trial", "number", {}}, {"throughput", "records/s", {}}, {"p50", "s", {}}, {"p99", "s", {}}, {"requests", "number", {}}, {"cores", "number", {}}};
  for (std::size_t i = 0; i < cells.size(); ++i) {
    for (std::size_t t = 0; t < points.at(cells[i].name).size(); ++t) {
      const FrontierPoint& p = points.at(cells[i].name)[t];
      arm.t_s.push_back(static_cast<double>(arm.t_s.size()));
      const double row[] = {static_cast<double>(i), static_cast<double>(t), p.throughput, p.p50_s, p.p99_s, p.requests, p.cores};
      for (std::size_t k = 0; k < std::size(row); ++k) arm.columns[k].values.push_back(row[k]);
    }
  }
}

}  // namespace

Result<FrontierScenario> parse_frontier_scenario(std::string_view text, std::string_view file, const std::string* base) { return FrontierReader(file).read(text, base); }

Result<FrontierScenario> load_frontier_scenario(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const ScenarioText text, read_scenario_text(files, path));
  return parse_frontier_scenario(text.own, path, text.base_or_null());
}

Result<std::vector<FrontierCell>> cells_of(const FrontierScenario& s) {
  const auto number = [&](const std::string& text, Unit unit, double low, double high, std::string_view what) -> Result<double> {
    SUPYO_ASSIGN(const double v, value_over(s.knobs, text, unit));
    if (!(v >= low && v <= high)) return fail(ErrorCode::kBadConfigFile, fmt::format("{} is {:g}", what, v), fmt::format("from {:g} to {:g}", low, high));
    return v;
  };
  FrontierCell base{.seed = s.seed};
  SUPYO_ASSIGN(const double outstanding, number(s.workload.at("outstanding"), kNumber, 1, 1e6, "outstanding"));
  SUPYO_ASSIGN(const double batch, number(s.workload.at("batch"), kNumber, 1, 1e6, "batch"));
  SUPYO_ASSIGN(const double in_flight, number(s.workload.at("in_flight"), kNumber, 1, 1e6, "in_flight"));
  SUPYO_ASSIGN(const double record, number(s.workload.at("record"), kBytes, 16, 1 << 20, "record"));
  SUPYO_ASSIGN(const double warmup, number(s.workload.at("warmup"), kSeconds, 0.1, 600, "warmup"));
  SUPYO_ASSIGN(const double run, number(s.workload.at("for"), kSeconds, 0.1, 600, "for"));
  SUPYO_ASSIGN(const double trials, number(s.trials, kNumber, 1, 1000, "trials"));
  SUPYO_ASSIGN(const double other_trials, number(s.other_trials, kNumber, 1, 1000, "other_trials"));
  SUPYO_ASSIGN(const double settle, number(s.workload.at("settle"), kSeconds, 0, 600, "settle"));
  SUPYO_ASSIGN(const double idempotence, number(s.workload.at("idempotence"), kNumber, 0, 1, "idempotence"));
  base.producer = {.rate = 0, .outstanding = static_cast<std::int64_t>(outstanding), .batch_records = static_cast<std::int64_t>(batch), .in_flight = static_cast<int>(in_flight)};
  base.record_bytes = static_cast<std::int64_t>(record);
  base.warmup_us = std::llround(warmup * 1e6);
  base.run_us = std::llround(run * 1e6);
  base.settle_us = std::llround(settle * 1e6);
  base.idempotent = idempotence != 0;
  std::vector<FrontierCell> out;
  for (const auto& [replicas_label, replicas_text] : s.replicas) {
    SUPYO_ASSIGN(const double replicas, number(replicas_text, kNumber, 1, 9, "replicas"));
    for (const auto& [acks_label, acks_expression] : s.acks) {
      SUPYO_ASSIGN(const double acks_value, value_over(s.knobs, acks_expression, kNumber));
      SUPYO_ASSIGN(const Acks acks, acks_of(acks_value));
      for (const std::string& linger_text : s.linger) {
        SUPYO_ASSIGN(const double linger, number(linger_text, kSeconds, 0, 60, "linger"));
        FrontierCell cell = base;
        cell.replicas_label = replicas_label;
        cell.acks_label = acks_label;
        cell.name = fmt::format("rf{}_{}_l{:g}", replicas_label, acks_label, linger * 1e3);
        cell.cluster.replicas = static_cast<int>(replicas);
        cell.cluster.min_isr = replicas >= 3 ? 2 : 1;
        cell.producer.acks = acks;
        cell.producer.linger_us = std::llround(linger * 1e6);
        cell.judged = is_judged(s, cell);
        cell.trials = static_cast<int>(cell.judged ? trials : std::min(trials, other_trials));
        out.push_back(std::move(cell));
      }
    }
  }
  return out;
}

std::vector<std::size_t> order_of(const std::vector<FrontierCell>& cells) {
  const int rounds = std::ranges::max(cells, {}, &FrontierCell::trials).trials;
  std::vector<std::vector<std::size_t>> groups;   // cells that differ in acks only
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto same = [&](const std::vector<std::size_t>& g) { return cells[g[0]].replicas_label == cells[i].replicas_label && cells[g[0]].producer.linger_us == cells[i].producer.linger_us; };
    const auto it = std::ranges::find_if(groups, same);
    if (it == groups.end()) groups.push_back({i});
    else it->push_back(i);
  }
  std::vector<std::size_t> out;
  std::vector<int> done(cells.size());
  for (int r = 0; r < rounds; ++r) {
    for (const auto& group : groups) {
      std::vector<std::size_t> now;
      for (const std::size_t i : group)
        if ((r + 1) * cells[i].trials / rounds > r * cells[i].trials / rounds) now.push_back(i);
      if (now.empty()) continue;
      if (done[now.back()] % 2 == 1) std::ranges::reverse(now);
      for (const std::size_t i : now) ++done[i];
      out.insert(out.end(), now.begin(), now.end());
    }
  }
  return out;
}

void Settling::add(const std::vector<double>& round) {
  const double mean = ratio_interval(round).mean;
  steady_ = rounds_ > 0 && std::abs(mean / last_ - 1) <= kWithin ? steady_ + 1 : 0;
  last_ = mean;
  ++rounds_;
}

FrontierPoint run_model_point(const FrontierCell& cell, int trial) {
  EventLoop loop;
  std::uint64_t seed = cell.seed * 1'000'003 + static_cast<std::uint64_t>(trial);
  for (const char c : cell.name) seed = seed * 31 + static_cast<std::uint64_t>(c);
  env::SeededRandom random(seed);
  ReplicaCluster cluster(loop, cell.cluster, random);
  ModelProducer producer(loop, cluster, cell.producer);
  loop.run_until(cell.warmup_us);
  producer.reset_latencies();
  const auto acked = producer.acked(), requests = producer.requests();
  loop.run_until(cell.warmup_us + cell.run_us);
  FrontierPoint p{.throughput = static_cast<double>(producer.acked() - acked) / (static_cast<double>(cell.run_us) / 1e6),
                  .p50_s = static_cast<double>(producer.latency(0.5).value_or(0)) / 1e6,
                  .p99_s = static_cast<double>(producer.latency(0.99).value_or(0)) / 1e6,
                  .requests = static_cast<double>(producer.requests() - requests),
                  .in_sync = static_cast<double>(cluster.isr().size()),
                  .cores = std::numeric_limits<double>::quiet_NaN()};
  p.acked = static_cast<double>(producer.acked() - acked);
  producer.finish();
  loop.run_until(loop.now() + kDrainMost);
  p.sent = static_cast<double>(producer.sent());
  p.failed = static_cast<double>(producer.failed());
  p.unknown = static_cast<double>(producer.unknown());
  p.requests = p.requests * static_cast<double>(producer.acked()) / std::max(1.0, p.acked);   // of all that were acknowledged
  p.acked = static_cast<double>(producer.acked());
  return p;
}

Result<LabResult> run_frontier_trials(const FrontierScenario& scenario, const RunOptions& options, bool real, const FrontierRunner& run_point) {
  const FrontierScenario& s = scenario;
  SUPYO_ASSIGN(const std::vector<FrontierCell> cells, cells_of(s));
  LabResult r;
  describe(s, cells, options, real, r);
  std::map<std::string, std::vector<FrontierPoint>> points;
  const std::vector<std::size_t> order = order_of(cells);
  double done = 0;
  for (const std::size_t i : order) {
    SUPYO_TRY(options.go_on());
    auto& of_cell = points[cells[i].name];
    SUPYO_ASSIGN(const FrontierPoint p, run_point(cells[i], static_cast<int>(of_cell.size())));
    of_cell.push_back(p);
    if (options.progress) options.progress(cells[i].name, ++done / static_cast<double>(order.size()));
  }
  r.fault.name = "fault";
  r.control.name = "control";
  r.fault.drained = r.control.drained = true;
  count_points(cells, points, r.fault);
  r.fault.drained = r.fault.counts["acked"] + r.fault.counts["failed"] + r.fault.counts["unknown"] == r.fault.counts["sent"];
  for (const char* name : {"sent", "acked", "failed", "unknown"}) r.control.counts[name] = 0;
  r.versions = {{"supyo", SUPYO_VERSION}};
  for (const FrontierCell& cell : cells) r.config["cell " + cell.name] = fmt::format("{} replicas, acks {}, linger {}", cell.cluster.replicas, acks_name(cell.producer.acks), format_duration(cell.producer.linger_us));
  SUPYO_TRY(evaluate_frontier(s, r));
  return r;
}

Result<LabResult> run_frontier_scenario(const FrontierScenario& scenario, const RunOptions& options) {
  return run_frontier_trials(scenario, options, false, [](const FrontierCell& cell, int trial) -> Result<FrontierPoint> { return run_model_point(cell, trial); });
}

Status evaluate_frontier(const FrontierScenario& scenario, LabResult& result) { return Evaluation(scenario, result).run(); }

}  // namespace supyo::scenario
