#include "lab/scenario/trial/publish_lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "connect/kafka/kafka.h"
#include "lab/scenario/reckoning.h"
#include "lab/scenario/trial/cluster.h"
#include "lab/scenario/trial/publish_arm.h"

namespace supyo::scenario {
namespace {

class Evaluation {
 public:
  Evaluation(const PublishScenario& s, LabResult& r) : s_(s), r_(r) {}

  Status run() {
    begin_reckoning(s_, r_);
    SUPYO_ASSIGN(const double rate, s_.value(s_.rate, kRate));
    add_measure(r_, "rate", rate, unit_name(kRate));
    for (const PublishArm& a : s_.arms) SUPYO_TRY(arm(a));
    return judge(s_, r_, [this](Guard g) { return check(g); });
  }

 private:
  Status arm(const PublishArm& spec) {
    const Arm* a = r_.arm(spec.name);
    if (a == nullptr) return fail(ErrorCode::kBadConfigFile, fmt::format("{}: the arm '{}' was not run", s_.file, spec.name));
    const std::string prefix = spec.name == "fault" ? "" : spec.name + "_";
    for (const auto& [name, v] : a->counts) {
      if (name == "stood" || name == "fault_s") continue;
      if (name.ends_with("_s")) add_measure(r_, prefix + name.substr(0, name.size() - 2), v, "s");
      else add_measure(r_, prefix + name, v, name == "resets" ? "" : "records");
    }
    SUPYO_ASSIGN(const double queue, s_.value(spec.queue, kRecords));
    SUPYO_ASSIGN(const double in_flight, s_.value(spec.in_flight, kNumber));
    add_measure(r_, prefix + "queue", queue, "records");
    add_measure(r_, prefix + "in_flight", in_flight, "");
    return ok();
  }

  Checked check(Guard g) const {
    switch (g) {
      case Guard::kOfferedRate: return each([&](const PublishArm&, const Arm& a) { return offered_rate(a, "offered", 0, r_.phases.front().to_s, r_.measure("rate")->value); });
      case Guard::kFaultSeen: return each([&](const PublishArm& spec, const Arm& a) { return fault_seen(spec, a); });
      case Guard::kLedgerBalances: return ledger_balances(r_);
      case Guard::kControlClean: {
        const auto& c = r_.control.counts;
        const double bad = c.at("failed") + c.at("unknown") + c.at("repeated") + c.at("inversions") + c.at("missing");
        return {bad == 0, fmt::format("without a fault {:.0f} of {:.0f} records failed, were unknown, repeated, out of order or missing", bad, c.at("sent"))};
      }
      case Guard::kRecorded: return recorded(r_);
      case Guard::kDrained: return each([](const PublishArm&, const Arm& a) -> Checked { return {a.drained, a.drained ? "reported and read back to its end" : "not every record was reported, or the topic was not read to its end"}; });
    }
    return {false, "?"};
  }

  /// The first arm that does not hold, else all of them.
  template <class F>
  Checked each(F holds) const {
    std::string all;
    for (const PublishArm& spec : s_.arms) {
      auto [good, why] = holds(spec, *r_.arm(spec.name));
      if (!good) return {false, fmt::format("{}: {}", spec.name, why)};
      if (!why.empty()) all += fmt::format("{}{}: {}", all.empty() ? "" : "; ", spec.name, why);
    }
    return {true, std::move(all)};
  }

  Checked fault_seen(const PublishArm& spec, const Arm& a) const {
    const auto count = [&](const char* name) { return a.counts.contains(name) ? a.counts.at(name) : 0; };
    if (!spec.stop.empty()) {
      const double wanted = s_.value(spec.stop, kSeconds).value_or(0);
      const bool holds = wanted > 0 && count("stood") == 1 && std::abs(count("stopped_s") - wanted) <= 0.1 * wanted;
      return {holds, fmt::format("the system showed the broker {} for {:.2f} s, {:g} s ordered", count("stood") == 1 ? "standing" : "not standing", count("stopped_s"), wanted)};
    }
    if (!spec.resets.empty()) {
      const double wanted = s_.value(spec.resets, kNumber).value_or(0);
      return {wanted > 0 && count("resets") >= wanted, fmt::format("{:.0f} connections were reset by {:.0f} resets", count("resets"), wanted)};
    }
    return {true, ""};
  }

  const PublishScenario& s_;
  LabResult& r_;
};

std::string fault_text(const PublishScenario& s, const PublishArm& a) {
  if (!a.stop.empty()) return fmt::format("SIGSTOP of the broker for {:g} s", s.value(a.stop, kSeconds).value_or(0));
  if (a.resets.empty()) return "none";
  return fmt::format("{:g} resets of all connections, every {:g} s, answers {:g} ms late", s.value(a.resets, kNumber).value_or(0), s.value(a.every, kSeconds).value_or(0), 1e3 * s.value(a.delay, kSeconds).value_or(0));
}

void describe(const PublishScenario& s, const RunOptions& options, LabResult& r) {
  describe_declared(s, r);
  r.repeat = options.repeat;
  describe_cluster(options, r);
  for (const PublishArm& a : s.arms) {
    const std::string text = fault_text(s, a);
    if (a.name == "fault") r.config["fault"] = text;
    r.config["arm " + a.name] = fmt::format("{}; delivery.timeout {:g} s, queue {:g} records, {:g} requests in flight, idempotence {}, acks=all", text, s.value(a.timeout, kSeconds).value_or(0),
                                            s.value(a.queue, kRecords).value_or(0), s.value(a.in_flight, kNumber).value_or(0), a.idempotence ? "on" : "off");
  }
  for (const auto& [key, value] : connect::kafka_sink_settings()) r.config["client " + key] = value;
}

/// How long an arm's fault lasts, in seconds.
Result<double> fault_length(const PublishScenario& s, const PublishArm& a) {
  if (!a.stop.empty()) return s.value(a.stop, kSeconds);
  if (a.resets.empty()) return 0.0;
  SUPYO_ASSIGN(const double resets, s.value(a.resets, kNumber));
  SUPYO_ASSIGN(const double every, s.value(a.every, kSeconds));
  return (resets + 1) * every;
}

}  // namespace

Status evaluate_publish(const PublishScenario& scenario, LabResult& result) {
  if (result.fault_phase() == nullptr || result.fault.t_s.empty()) return fail(ErrorCode::kBadConfigFile, fmt::format("{}: nothing was recorded that could be judged", scenario.file));
  return Evaluation(scenario, result).run();
}

Result<LabResult> run_publish_scenario(const env::Env& env, const PublishScenario& scenario, const RunOptions& options) {
  LabResult r;
  describe(scenario, options, r);
  SUPYO_TRY(begin_data(env, options));
  SUPYO_ASSIGN(const double before, scenario.value(scenario.before, kSeconds));
  SUPYO_ASSIGN(const double after, scenario.value(scenario.after, kSeconds));
  double longest = 0, fault = 0;
  for (const PublishArm& a : scenario.arms) {
    SUPYO_ASSIGN(const double length, fault_length(scenario, a));
    longest = std::max(longest, length);
    if (a.name == "fault") fault = length;
  }
  const double end = before + longest + after;
  double done = 0;
  for (const PublishArm& a : scenario.arms) {
    if (options.progress) options.progress(a.name, done++ / static_cast<double>(scenario.arms.size()));
    SUPYO_ASSIGN(Arm arm, run_publish_arm(env, scenario, {.arm = a, .directory = env::join_path(options.directory, a.name), .samples_s = end}, options));
    if (a.name == "fault") r.fault = std::move(arm);
    else if (a.name == "control") r.control = std::move(arm);
    else r.arms.push_back(std::move(arm));
  }
  r.phases = {{"undisturbed", 0, before, false}, {"fault", before, before + fault, true}, {"after", before + fault, end, false}};
  SUPYO_TRY(end_data(env, options));
  SUPYO_TRY(evaluate_publish(scenario, r));
  return r;
}

}  // namespace supyo::scenario
