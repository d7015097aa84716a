#include "lab/scenario/stream/detection_lab.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/duration.h"
#include "judge/slo/decision.h"
#include "lab/scenario/reckoning.h"
#include "lab/scenario/stream/stream_arm.h"
#include "lab/scenario/stream/stream_lab.h"
#include "lab/scenario/stream/stream_promise.h"

namespace supyo::scenario {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kOffered = 0.02;
constexpr std::size_t kSameEpisode = 60;                             // seconds
constexpr std::string_view kSayers[] = {"judge", "lag", "burrow"};   // whose words are compared

std::string measure_of(std::string prefix, std::string label) {
  std::ranges::replace(label, '-', '_');
  return prefix + "_" + label;
}

/// What one run comes to: values of a trial, absent where there is none.
using Values = std::map<std::string, double>;

void add_comparison(const std::string& sayer, const Comparison& c, Values& values) {
  values[sayer + "_missed"] = c.missed;
  values[sayer + "_unsaid"] = c.unsaid;
  values[sayer + "_false"] = c.false_calls;
  if (c.delays.empty()) return;
  double sum = 0;
  for (const double d : c.delays) sum += d;
  values[sayer + "_delays"] = static_cast<double>(c.delays.size());
  values[sayer + "_delay_sum"] = sum;
  values[sayer + "_delay_max"] = *std::ranges::max_element(c.delays);
}

/// Whether what was drawn took place, by the producer, the log and the fault points.
bool seen(const DrawnRun& drawn, const Arm& a, std::string_view label) {
  const StreamPhase& p = drawn.scenario.phases[1];
  if (p.faults.empty()) return label == "healthy";
  const double from = static_cast<double>(drawn.scenario.phases[0].length_us) / 1e6, length = static_cast<double>(p.length_us) / 1e6;
  return std::ranges::all_of(p.faults, [&](const StreamFault& f) {
    switch (f.kind) {
      case StreamFault::Kind::kPoint: return a.counts.at("point_hits") > 0;
      case StreamFault::Kind::kKill: return a.counts.at("kills") == drawn.kills;
      case StreamFault::Kind::kSilence: return a.counts.at("silenced") > 0;
      case StreamFault::Kind::kDelay: return a.counts.at("delayed") > 0;
      case StreamFault::Kind::kRate: {
        const double came = value_at(a, "acked", from + length) - value_at(a, "acked", from), ordered = drawn.rate_in_fault * length;
        return std::abs(came - ordered) <= 3 + 2 * drawn.rate + 0.05 * ordered;   // what was on its way comes too
      }
      case StreamFault::Kind::kRepeat: return a.counts.at("copied") > 0;
    }
    return false;
  });
}

Values values_of(const DrawnRun& drawn, std::string_view label, const Arm& a, std::uint64_t run, std::size_t within) {
  Values v{{"run", static_cast<double>(run)}, {"label", static_cast<double>(drawn.label)}, {"rate", drawn.rate}, {"partitions", static_cast<double>(drawn.scenario.inputs[0].partitions)}};
  const auto states = [&](std::string_view column, auto holds) {
    std::vector<bool> out(a.t_s.size());
    if (const slo::Column* c = a.column(column))
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = holds(c->values[i]);
    return out;
  };
  const auto is_on = [](double x) { return x > 0; };
  const std::vector<bool> broken = states("slo_broken", is_on);
  const std::vector<bool> said[] = {states("state", [](double x) { return x == static_cast<double>(slo::State::kIncident); }), states("lag_alarm", is_on), states("burrow", is_on)};
  for (std::size_t i = 0; i < std::size(kSayers); ++i) {
    const Comparison c = compare(broken, said[i], within);
    add_comparison(std::string(kSayers[i]), c, v);
    v["episodes"] = c.episodes;
  }
  v["broken_s"] = static_cast<double>(std::ranges::count(broken, true));
  v["incident_s"] = static_cast<double>(std::ranges::count(said[0], true));
  if (const auto first = std::ranges::find(broken, true); first != broken.end()) v["broken_at"] = a.t_s[static_cast<std::size_t>(first - broken.begin())];
  const double baseline = static_cast<double>(drawn.scenario.phases[0].length_us) / 1e6, begin = a.t_s.empty() ? 0 : a.t_s.front();
  const double ordered = drawn.rate * (baseline - begin), came = value_at(a, "offered", baseline) - value_at(a, "offered", begin);
  v["offered"] = std::abs(came - ordered) <= 2 ? 1 : came / ordered;
  v["seen"] = seen(drawn, a, label) ? 1 : 0;
  for (const char* name : {"sent", "acked", "failed", "unknown"}) v[name] = a.counts.at(name);
  v["never_seen"] = a.counts.contains("lost") ? a.counts.at("lost") : 0;
  v["drained"] = a.drained ? 1 : 0;
  return v;
}

class Evaluation {
 public:
  Evaluation(const DetectionScenario& s, LabResult& r) : s_(s), r_(r) {}

  Status run() {
    begin_reckoning(s_, r_);
    add("runs", static_cast<double>(r_.trials.size()));
    sums("", [](const Trial&) { return true; });
    for (std::size_t i = 0; i < s_.labels.size(); ++i) sums(s_.labels[i], [i](const Trial& t) { return t.values.at("label") == static_cast<double>(i); });
    return judge(s_, r_, [this](Guard g) { return check(g); });
  }

 private:
  void add(std::string name, double value, const char* unit = "") { add_measure(r_, std::move(name), value, unit); }

  /// Over the runs of a label, or over all where it has no name.
  template <class Of>
  void sums(const std::string& label, Of of) {
    const auto name = [&](const std::string& measure) { return label.empty() ? measure : measure_of(measure, label); };
    const auto value = [](const Trial& t, const std::string& key, double otherwise) {
      const auto it = t.values.find(key);
      return it == t.values.end() ? otherwise : it->second;
    };
    const auto sum = [&](const std::string& key) {
      double n = 0;
      for (const Trial& t : r_.trials) n += of(t) ? value(t, key, 0) : 0;
      return n;
    };
    double breached = 0, runs = 0;
    for (const Trial& t : r_.trials) {
      if (!of(t)) continue;
      runs += 1;
      breached += value(t, "broken_s", 0) > 0 ? 1 : 0;
    }
    if (!label.empty()) add(name("runs"), runs);
    add(name("breached_runs"), breached);
    add(name("episodes"), sum("episodes"));
    for (const std::string_view sayer : kSayers) {
      const std::string who(sayer), prefix = sayer == "judge" ? "" : who + "_";
      double most = -std::numeric_limits<double>::infinity();
      for (const Trial& t : r_.trials) most = of(t) ? std::max(most, value(t, who + "_delay_max", most)) : most;
      add(name(prefix + "missed"), sum(who + "_missed"));
      add(name(prefix + "unsaid"), sum(who + "_unsaid"));
      add(name(sayer == "judge" && label.empty() ? "false_incidents" : prefix + "false"), sum(who + "_false"));
      add(name(prefix + "delay_mean"), sum(who + "_delay_sum") / sum(who + "_delays"), "s");
      add(name(prefix + "delay_max"), std::isinf(most) ? kNaN : most, "s");
    }
  }

  template <class F>
  Checked each_run(F holds, std::string all_hold) const {
    for (const Trial& t : r_.trials)
      if (auto why = holds(t); !why.empty()) return {false, fmt::format("run {:.0f} ({}): {}", t.values.at("run"), t.group, why)};
    return {true, std::move(all_hold)};
  }

  Checked check(Guard g) const {
    switch (g) {
      case Guard::kOfferedRate:
        return each_run([](const Trial& t) { return std::abs(t.values.at("offered") - 1) <= kOffered ? std::string() : fmt::format("{:.3f} of the drawn rate was offered before the trouble", t.values.at("offered")); }, "every run was offered its rate within 2 %");
      case Guard::kFaultSeen: return each_run([](const Trial& t) { return std::string(t.values.at("seen") > 0 ? "" : "what was drawn did not take place"); }, "what was drawn took place in every run, by the producer, the log and the fault points");
      case Guard::kLedgerBalances:
        return each_run([](const Trial& t) {
          const auto& v = t.values;
          return v.at("acked") + v.at("failed") + v.at("unknown") == v.at("sent") && v.at("never_seen") == 0 ? std::string() : fmt::format("{:.0f} sent, {:.0f} acknowledged, {:.0f} never in the results", v.at("sent"), v.at("acked"), v.at("never_seen"));
        }, "sent = acknowledged + failed + unknown in every run, and nothing was lost");
      case Guard::kControlClean:
        return each_run([](const Trial& t) { return (t.group != "healthy" && t.group != "quiet-night" && t.group != "lag-only") || t.values.at("broken_s") == 0 ? std::string() : fmt::format("readers lacked what they were promised for {:.0f} s", t.values.at("broken_s")); },
                        "in no healthy run, quiet night or run with trouble for lag alone did readers lack anything");
      case Guard::kRecorded: return recorded(r_);
      case Guard::kDrained: return each_run([](const Trial& t) { return std::string(t.values.at("drained") > 0 ? "" : "the job did not reach the end of its input"); }, "every job reached the end of its input and committed it");
    }
    return {false, "?"};
  }

  const DetectionScenario& s_;
  LabResult& r_;
};

void describe(const DetectionScenario& s, const RunOptions& options, LabResult& r) {
  r.kind = "trials";
  describe_declaration(s, r);
  r.repeat = options.repeat;
  r.versions = {{"supyo", SUPYO_VERSION}, {"compiler", __VERSION__}, {"log", "embedded"}, {"engine", "embedded"}};
  auto& c = r.config;
  c["runs"] = fmt::format("{:g}, each with one of {}", s.value(s.runs, kNumber).value_or(0), fmt::join(s.labels, ", "));
  c["rates"] = fmt::format("{:g} to {:g} records a second", s.value(s.rate, kRate).value_or(0) / 6, s.value(s.rate, kRate).value_or(0));
  c["promise to readers"] = "95% within 6s over 60s (row by row); never older than 150s, and 99% of what came over 120s (by minute)";
  c["objectives of the judge"] = s.lenience == "1" ? "what readers were promised" : fmt::format("times {} as long as promised", s.lenience);
  c["while a killed job is away"] = "its group's lag is asked of the log, once a second";
  c["lag alarm"] = "lag_committed > 2 * its maximum in the baseline for 60s";
  c["declared cost of a durable epoch record"] = format_duration(options.journal_sync_us);
  c["declared cost of a commit"] = format_duration(options.sink_commit_us);
}

}  // namespace

Comparison compare(const std::vector<bool>& was_so, const std::vector<bool>& said, std::size_t within) {
  Comparison out;
  const std::size_t n = was_so.size();
  const auto any = [n](const std::vector<bool>& v, std::size_t from, std::size_t to) {   // [from, to]
    for (std::size_t i = from; i <= to && i < n; ++i)
      if (v[i]) return i;
    return n;
  };
  const auto before = [within](std::size_t i) { return i < within ? 0 : i - within; };
  for (std::size_t start = any(was_so, 0, n); start < n;) {
    std::size_t end = start, next = start;
    while (next < n && next - end <= kSameEpisode) end = next, next = any(was_so, next + 1, n);
    ++out.episodes;
    const std::size_t heard = any(said, before(start), end + within);
    out.missed += heard >= n || heard > start + within ? 1 : 0;
    out.unsaid += heard >= n ? 1 : 0;
    if (heard < n) out.delays.push_back(static_cast<double>(heard) - static_cast<double>(start));
    start = next;
  }
  for (std::size_t i = 0; i < n; ++i)
    if (said[i] && (i == 0 || !said[i - 1]) && any(was_so, before(i), i + within) >= n) ++out.false_calls;
  return out;
}

Status evaluate_detection(const DetectionScenario& scenario, LabResult& result) {
  if (result.trials.empty()) return fail(ErrorCode::kBadConfigFile, fmt::format("{}: nothing was recorded that could be judged", scenario.file));
  return Evaluation(scenario, result).run();
}

Result<LabResult> run_detection_scenario(const env::Env& env, const DetectionScenario& scenario, const RunOptions& options) {
  if (options.real_clock || options.cluster) return fail(ErrorCode::kUnsupported, fmt::format("{} runs in virtual time on the embedded log only", scenario.lab), "--clock virtual, without --on real");
  SUPYO_ASSIGN(const std::uint64_t runs, scenario.count(scenario.runs));
  SUPYO_ASSIGN(const DurationUs within, scenario.duration(scenario.within));
  SUPYO_ASSIGN(const double lenience, scenario.value(scenario.lenience, kNumber));
  LabResult r;
  describe(scenario, options, r);
  SUPYO_TRY(begin_data(env, options));
  bool breach_shown = false, calm_shown = false;
  for (std::uint64_t run = 0; run < runs; ++run) {
    SUPYO_ASSIGN(const DrawnRun drawn, draw_run(scenario, run));
    const std::string& label = scenario.labels[drawn.label];
    SUPYO_ASSIGN(const slo::Objectives objectives, promised_objectives(drawn.scenario, lenience));
    RunOptions one = options;
    one.progress = nullptr;
    auto result = run_stream_once(env, drawn.scenario, objectives, fmt::format("run-{}", run), one);
    if (!result) return fail(result.error().with_context(fmt::format("run {} ({})", run, label)));
    Arm& arm = result->arm;
    r.trials.push_back({"control", label, static_cast<double>(drawn.scenario.phases[0].length_us) / 1e6, values_of(drawn, label, arm, run, static_cast<std::size_t>(within / kSecond))});
    if (options.progress) options.progress(fmt::format("{} of {} runs, {}", run + 1, runs, label), static_cast<double>(run + 1) / static_cast<double>(runs));
    // The page shows the first run with a broken promise, and the first without.
    const bool breached = r.trials.back().values.at("broken_s") > 0;
    if (breached) r.trials.back().arm = "fault";
    if (run == 0 || (breached && !std::exchange(breach_shown, true))) {
      r.fault = arm;
      r.fault.name = "fault";
      r.phases.clear();
      double t = 0;
      for (const StreamPhase& p : drawn.scenario.phases) {
        const double length = static_cast<double>(p.length_us) / 1e6;
        r.phases.push_back({p.name, t, t + length, &p == &drawn.scenario.phases[1]});
        t += length;
      }
    }
    if (run == 0 || (!breached && !std::exchange(calm_shown, true))) {
      r.control = std::move(arm);
      r.control.name = "control";
    }
  }
  SUPYO_TRY(end_data(env, options));
  SUPYO_TRY(evaluate_detection(scenario, r));
  return r;
}

}  // namespace supyo::scenario
