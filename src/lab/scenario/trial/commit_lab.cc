#include "lab/scenario/trial/commit_lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/duration.h"
#include "lab/scenario/child_broker.h"
#include "lab/scenario/reckoning.h"
#include "lab/scenario/trial/cluster.h"
#include "lab/scenario/trial/commit_arm.h"

namespace supyo::scenario {
namespace {

constexpr std::uint64_t kControlEnds = 2;
constexpr DurationUs kBefore = 3 * kSecond;

/// 95 % interval of a share of n, by Wilson's score. Source: https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval
std::pair<double, double> wilson(double hits, double n) {
  if (n == 0) return {0, 1};
  constexpr double z = 1.959964;
  const double p = hits / n, middle = (p + z * z / (2 * n)) / (1 + z * z / n), half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {hits == 0 ? 0 : middle - half, hits == n ? 1 : middle + half};
}

class Evaluation {
 public:
  Evaluation(const CommitScenario& s, LabResult& r) : s_(s), r_(r) {}

  Status run() {
    begin_reckoning(s_, r_);
    SUPYO_TRY(setting("rate", s_.rate, kRate));
    SUPYO_TRY(setting("handler", s_.handler, kRate));
    SUPYO_TRY(setting("batch", s_.batch, kRecords));
    SUPYO_TRY(setting("interval", s_.interval, kSeconds));
    arm(r_.fault, "");
    arm(r_.control, "control_");
    return judge(s_, r_, [this](Guard g) { return check(g); });
  }

 private:
  void add(std::string name, double value, std::string unit) { add_measure(r_, std::move(name), value, std::move(unit)); }
  double measured(std::string_view name) const {
    const Measure* m = r_.measure(name);
    return m == nullptr ? std::numeric_limits<double>::quiet_NaN() : m->value;
  }

  Status setting(const char* name, const std::string& text, Unit unit) {
    SUPYO_ASSIGN(const double v, s_.value(text, unit));
    add(name, v, unit_name(unit));
    return ok();
  }

  void arm(const Arm& a, const std::string& prefix) {
    for (const auto& [name, v] : a.counts) add(prefix + name, v, "records");
    double ends = 0;
    for (const CommitGroup& g : s_.groups) {
      double n = 0, lost = 0, repeated = 0, lost_max = 0, repeated_max = 0, lost_ends = 0, repeated_ends = 0, beyond_flight = 0, beyond_commit = 0, in_flight_max = 0;
      for (const Trial& t : r_.trials) {
        if (t.arm != a.name || t.group != g.name) continue;
        const double l = t.values.at("lost"), d = t.values.at("repeated");
        n += 1;
        lost += l;
        repeated += d;
        lost_max = std::max(lost_max, l);
        repeated_max = std::max(repeated_max, d);
        in_flight_max = std::max(in_flight_max, t.values.at("in_flight"));
        lost_ends += l > 0 ? 1 : 0;
        repeated_ends += d > 0 ? 1 : 0;
        beyond_flight += l > t.values.at("in_flight") ? 1 : 0;
        beyond_commit += d > t.values.at("uncommitted") ? 1 : 0;
      }
      const auto put = [&](const char* name, double v, const char* unit) { add(fmt::format("{}{}_{}", prefix, name, g.name), v, unit); };
      put("ends", n, "");
      put("lost", lost, "records");
      put("repeated", repeated, "records");
      put("lost_max", lost_max, "records");
      put("repeated_max", repeated_max, "records");
      put("in_flight_max", in_flight_max, "records");
      put("lost_ends", lost_ends, "");
      put("repeated_ends", repeated_ends, "");
      put("beyond_flight", beyond_flight, "");
      put("beyond_commit", beyond_commit, "");
      const auto [low, high] = wilson(lost_ends, n);
      put("loss_share", n == 0 ? 0 : lost_ends / n, "share");
      put("loss_share_low", low, "share");
      put("loss_share_high", high, "share");
      ends += n;
    }
    add(prefix + "ends", ends, "");
  }

  Checked check(Guard g) const {
    switch (g) {
      case Guard::kOfferedRate: return offered_rate(r_.fault, "offered", 0, r_.fault_phase()->from_s, measured("rate"));   // before the first kill; what the machine did not let through in time is caught up within a sample
      case Guard::kFaultSeen: {
        double killed = 0;
        for (const Trial& t : r_.trials) killed += t.arm == "fault" && t.values.at("killed") == 1 ? 1 : 0;
        const double wanted = s_.value(s_.kills, kNumber).value_or(0) * static_cast<double>(s_.groups.size());
        return {killed == wanted && killed > 0, fmt::format("the system says that {:.0f} processes were ended by the signal, {:.0f} were to be", killed, wanted)};
      }
      case Guard::kLedgerBalances: return ledger_balances(r_);
      case Guard::kControlClean:
        for (const CommitGroup& group : s_.groups) {
          const double lost = measured("control_lost_" + group.name), repeated = measured("control_repeated_" + group.name);
          if (lost != 0 || repeated != 0) return {false, fmt::format("asked to end, {} lost {:.0f} records and repeated {:.0f}", group.name, lost, repeated)};
        }
        return {true, "consumers that were asked to end lost nothing and repeated nothing"};
      case Guard::kRecorded: return recorded(r_);
      case Guard::kDrained:
        for (const Arm* a : {&r_.fault, &r_.control}) if (!a->drained) return {false, fmt::format("the consumers of the arm {} did not reach the end", a->name)};
        return {true, "every consumer reached the end of the topic"};
    }
    return {false, "?"};
  }

  const CommitScenario& s_;
  LabResult& r_;
};

void describe(const CommitScenario& s, const RunOptions& options, LabResult& r) {
  describe_declared(s, r);
  r.repeat = options.repeat;
  describe_cluster(options, r);
  auto& c = r.config;
  c["topic"] = "1 partition";
  c["consumers"] = fmt::format("handle {:g} records/s at most, batches of {:g}, commit every {:g} ms; group.instance.id is set, so that a new life takes its place at once", s.value(s.handler, kRate).value_or(0),
                               s.value(s.batch, kRecords).value_or(0), 1e3 * s.value(s.interval, kSeconds).value_or(0));
  for (const CommitGroup& g : s.groups) c["consumer " + g.name] = std::string(commit_order_name(g.order));
  c["fault"] = fmt::format("{} of each consumer, at random within {:g} s of its first record", s.clean ? "SIGTERM" : "SIGKILL", s.value(s.after, kSeconds).value_or(0));
}

}  // namespace

Status evaluate_commit(const CommitScenario& scenario, LabResult& result) {
  if (result.fault_phase() == nullptr || result.fault.t_s.empty()) return fail(ErrorCode::kBadConfigFile, fmt::format("{}: nothing was recorded that could be judged", scenario.file));
  return Evaluation(scenario, result).run();
}

Result<LabResult> run_commit_scenario(const env::Env& env, const CommitScenario& scenario, const RunOptions& options) {
  SUPYO_ASSIGN(const std::uint64_t kills, scenario.count(scenario.kills));
  LabResult r;
  describe(scenario, options, r);
  SUPYO_TRY(begin_data(env, options));
  std::unique_ptr<ChildBroker> broker;
  std::string servers = options.cluster ? options.cluster->servers : "";
  if (!options.cluster) {
    SUPYO_ASSIGN(broker, ChildBroker::start(env, env::join_path(options.directory, "broker"), own_broker_settings()));
    servers = broker->address();
  }
  const auto arm = [&](const char* name, std::uint64_t ends, bool clean, DurationUs before) {
    return run_commit_arm(env, scenario, {.name = name, .servers = servers, .directory = env::join_path(options.directory, name), .ends = ends, .clean = clean, .before_us = before}, options);
  };
  SUPYO_ASSIGN(CommitArmResult control, arm("control", kControlEnds, true, 0));
  SUPYO_ASSIGN(CommitArmResult fault, arm("fault", kills, scenario.clean, kBefore));
  r.control = std::move(control.arm);
  r.fault = std::move(fault.arm);
  r.trials = std::move(fault.trials);
  r.trials.insert(r.trials.end(), control.trials.begin(), control.trials.end());
  const double end = r.fault.t_s.back();
  const double from = r.trials.empty() || fault.to_s == 0 ? std::min(3.0, end) : fault.from_s, to = fault.to_s == 0 ? end : fault.to_s;
  r.phases = {{"undisturbed", 0, from, false}, {"kills", from, to, true}, {"to the end", to, end, false}};
  broker.reset();
  SUPYO_TRY(end_data(env, options));
  SUPYO_TRY(evaluate_commit(scenario, r));
  return r;
}

}  // namespace supyo::scenario
