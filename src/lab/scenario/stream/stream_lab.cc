#include "lab/scenario/stream/stream_lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>

#include "core/base/duration.h"
#include "core/env/sim/sim_env.h"
#include "judge/slo/decision.h"
#include "judge/slo/openslo.h"
#include "lab/scenario/intervals.h"
#include "lab/scenario/lab_files.h"
#include "lab/scenario/reckoning.h"
#include "lab/scenario/stream/flink_arm.h"
#include "lab/scenario/stream/flink_cluster.h"
#include "lab/scenario/stream/stream_arm.h"
#include "lab/scenario/stream/stream_promise.h"
#include "lab/scenario/trial/cluster.h"

namespace supyo::scenario {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr TimeUs kStart = 1'767'225'600 * kSecond;   // 2026-01-01, as the other labs' workloads
constexpr double kSettle = 10;                       // seconds after the fault's start in which what was on its way still comes

std::string fault_text(const StreamScenario& s, const StreamFault& f) {
  switch (f.kind) {
    case StreamFault::Kind::kSilence: return fmt::format("partition {} of {} gets nothing", *f.partition, f.topic);
    case StreamFault::Kind::kDelay:
      return fmt::format("{:g} % of {}{} comes {}", s.value(f.share, kNumber).value_or(0) * 100, f.topic, f.partition ? fmt::format(", partition {},", *f.partition) : "",
                         f.delay.empty() ? "all at once when the phase ends" : format_duration(s.duration(f.delay).value_or(0)) + " later");
    case StreamFault::Kind::kPoint: return fmt::format("{}: {}{}", f.point, format_duration(s.duration(f.delay).value_or(0)), f.fails ? ", then it fails" : "");
    case StreamFault::Kind::kRepeat:
      return fmt::format("{:g} % of {} is sent again, spans of {}, at an age of {} ({})", s.value(f.share, kNumber).value_or(0) * 100, f.topic, f.span, f.delay,
                         f.spread == StreamFault::Spread::kConstant ? "always" : f.spread == StreamFault::Spread::kUniform ? "the mean, evenly from 0 to twice that" : "the mean, exponential");
    case StreamFault::Kind::kRate: return fmt::format("{} comes at {:g} records/s", f.topic, s.value(f.rate, kRate).value_or(0));
    case StreamFault::Kind::kKill: {
      const DurationUs stop = s.duration(f.stop).value_or(0);
      return fmt::format("the job is {} {:g} times and started again {} later", stop > 0 ? fmt::format("stopped for {}", format_duration(stop)) : "killed", s.value(f.times, kNumber).value_or(0), format_duration(s.duration(f.detect).value_or(0)));
    }
  }
  return "?";
}

void describe(const StreamScenario& s, const RunOptions& options, LabResult& r) {
  r.kind = "stream";
  describe_declaration(s, r);
  r.repeat = options.repeat;
  double t = 0;
  for (const StreamPhase& p : s.phases) {
    const double length = static_cast<double>(p.length_us) / 1e6;
    r.phases.push_back({p.name, t, t + length, !p.faults.empty()});
    t += length;
  }
  auto& c = r.config;
  c["pipeline"] = s.pipeline;
  if (!s.objectives.empty()) c["objectives"] = s.objectives;
  if (!s.capacity.empty()) c["capacity of the job"] = fmt::format("{:g} records/s", s.value(s.capacity, kRate).value_or(0));
  for (const auto& [name, value] : s.variables) c["variable " + name] = value;
  for (const auto& [name, value] : s.settings) c[name] = value.starts_with("$") ? s.knobs.find(value.substr(1))->second.text : value;
  for (const StreamInput& i : s.inputs)
    c["input " + i.topic] = fmt::format("{}, {} over {} partitions, disorder below {}, duplicates {}, late {}, linger {}, seed {}", i.domain, i.rate, i.partitions, i.disorder, i.duplicates, i.late,
                                        format_duration(s.linger_us), s.seed);
  for (const StreamResult& x : s.results)
    c["result " + x.topic] = fmt::format("{} of {}, {}", x.id.empty() ? fmt::format("windows of {}", x.size) : fmt::format("each {} once", x.id), x.input, x.uncommitted ? "read_uncommitted" : "read_committed");
  if (!s.promise.within.empty()) c["promise to readers"] = fmt::format("{} within {} over {}", s.promise.share, s.promise.within, s.promise.window);
  if (!s.promise.fresh.empty()) c["promise of freshness"] = fmt::format("never older than {}", s.promise.fresh);
  if (!s.promise.complete.empty()) c["promise of completeness"] = fmt::format("{} of what came, over {}", s.promise.complete, s.promise.window);
  c["lag alarm"] = fmt::format("lag_committed > {} * its maximum in {} for {}", s.lag_factor, s.phases[0].name, s.lag_hold);
  std::string faults;
  for (const StreamFault& f : s.phases[s.fault_phase()].faults) faults += (faults.empty() ? "" : "; ") + fault_text(s, f);
  c["fault"] = fmt::format("{}, phase {}", faults, s.phases[s.fault_phase()].name);
  if (!options.cluster) {
    c["declared cost of a durable epoch record"] = format_duration(options.journal_sync_us);
    c["declared cost of a commit"] = format_duration(options.sink_commit_us);
  }
  for (const auto& [arm, spec] : s.arms) {
    std::string text = spec.inject ? "" : "no fault";
    for (const auto& values : {spec.knobs, spec.variables})
      for (const auto& [k, v] : values) text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", k, v);
    c["arm " + arm] = text;
  }
}

class Evaluation {
 public:
  Evaluation(const StreamScenario& s, LabResult& r) : s_(s), r_(r), fault_(*r.fault_phase()) {}

  Status run() {
    begin_reckoning(s_, r_);
    add("fault_seconds", fault_.to_s - fault_.from_s, "s");
    arm_measures(r_.fault, "");
    arm_measures(r_.control, "control_");
    for (const Arm& a : r_.arms) arm_measures(a, a.name + "_");
    for (const auto& [arm, spec] : s_.arms) {
      for (const auto& [knob, text] : spec.knobs) SUPYO_TRY(add_knob_of_arm(s_, arm, knob, text, r_));
    }
    return judge(s_, r_, [this](Guard g) { return check(g); });
  }

 private:
  void add(std::string name, double value, std::string unit) { add_measure(r_, std::move(name), value, std::move(unit)); }

  static std::string unit_of(std::string_view count) {
    for (const char* plain : {"windows", "window_updates", "window_largest", "epochs", "restarts", "kills", "point_hits"}) if (count.starts_with(plain)) return "";
    static constexpr std::pair<const char*, const char*> kUnits[] = {{"result_delay", "s"}, {"delay_", "s"}, {"wait_", "s"}, {"run_", "s"}, {"checkpoint_time", "s"}, {"oldest_", "s"}, {"youngest_", "s"}, {"runs_", ""}, {"bursts_", ""}, {"missed_", ""},
        {"alarms_", ""}, {"false_alarms_", ""}, {"wrong_share", "share"}, {"leak_share", "share"}, {"duplicate_rate", "share"}, {"raw_duplicate_rate", "share"}, {"bloom_loss", "share"}, {"bloom_duplicate_rate", "share"},
        {"bloom_bytes", "B"}, {"replay_equal", "share"}, {"replay_rows", ""}};
    for (const auto& [begin, unit] : kUnits) if (count.starts_with(begin)) return unit;
    return "records";
  }

  /// Largest of a column between two times; NaN when nothing is known.
  static double most(const Arm& a, std::string_view column, double from, double to) {
    const slo::Column* c = a.column(column);
    double v = kNaN;
    for (std::size_t i = 0; c != nullptr && i < a.t_s.size(); ++i)
      if (a.t_s[i] > from && a.t_s[i] <= to && !(c->values[i] <= v)) v = c->values[i];
    return v;
  }

  void arm_measures(const Arm& a, const std::string& prefix) {
    for (const auto& [name, v] : a.counts) add(prefix + name, v, unit_of(name));
    const auto put = [&](const char* name, double v, const char* unit) { add(prefix + name, v, unit); };
    const double from = fault_.from_s, to = fault_.to_s, half = (from + to) / 2;
    const auto grown = [&](const char* column, double since) { return value_at(a, column, to) - value_at(a, column, since); };
    put("lag_committed_max", most(a, "lag_committed", from, to), "records");
    put("lag_committed_end", value_at(a, "lag_committed", to), "records");
    put("lag_fetched_max", most(a, "lag_fetched", from, to), "records");
    put("baseline_fetched_max", most(a, "lag_fetched", 0, from), "records");
    put("freshness_max", most(a, "freshness", from, to), "s");
    put("freshness_baseline", most(a, "freshness", from / 2, from), "s");
    put("freshness_growth", grown("freshness", half) / (to - half), "");
    put("e2e_p95_max", most(a, "e2e_p95", from, to), "s");
    put("e2e_p95_baseline", most(a, "e2e_p95", from / 2, from), "s");
    put("input_in_fault", grown("acked", from), "records");
    put("fired_in_fault", grown("fired", from + kSettle), "");
    put("epochs_in_fault", grown("epochs", from), "");
    put("epochs_failed_in_fault", grown("epochs_failed", from), "");
    put("state_bytes_max", most(a, "state_bytes", from, to), "B");
    put("restarts_in_fault", grown("restarts", from), "");
    put("repeated_in_fault", grown("repeated", from), "records");
    const auto count = [&](const char* name) { const auto it = a.counts.find(name); return it == a.counts.end() ? kNaN : it->second; };
    put("late_rate", count("late") / count("taken"), "share");
    stalls(a, prefix);
    alarms(a, prefix);
    kills(a, prefix);
  }

  void stalls(const Arm& a, const std::string& prefix) {
    const slo::Column* fired = a.column("fired");
    const slo::Column* committed = a.column("committed");
    double since = fault_.from_s, longest = 0, resumed = kInf, moved = fault_.from_s, still = 0;
    for (std::size_t i = 1; i < a.t_s.size(); ++i) {
      if (a.t_s[i] <= fault_.from_s || a.t_s[i] > fault_.to_s) continue;
      // What was on its way when the fault began is no sign of life.
      if (fired->values[i] > fired->values[i - 1] && a.t_s[i] > fault_.from_s + kSettle) {
        longest = std::max(longest, a.t_s[i] - since);
        resumed = std::min(resumed, a.t_s[i] - fault_.from_s);
        since = a.t_s[i];
      }
      if (committed->values[i] > committed->values[i - 1]) moved = a.t_s[i];
      still = std::max(still, a.t_s[i] - moved);
    }
    longest = std::max(longest, fault_.to_s - since);
    add(prefix + "stall_max", longest, "s");
    add(prefix + "resumed_after", resumed, "s");
    add(prefix + "committed_still", still, "s");
  }
  /// Second by second of the fault: what readers had, beside what the lag alarms said.
  void alarms(const Arm& a, const std::string& prefix) {
    const slo::Column *broken = a.column("slo_broken"), *raw = a.column("lag_alarm"), *burrow = a.column("burrow"), *state = a.column("state");
    double slo_bad = 0, incident = 0, t_incident = kInf, raw_on = 0, burrow_on = 0, blind = 0, wrong = 0, t_slo = kInf, t_lag = kInf, t_burrow = kInf;
    for (std::size_t i = 0; i < a.t_s.size() && broken != nullptr; ++i) {
      if (a.t_s[i] <= fault_.from_s || a.t_s[i] > fault_.to_s) continue;
      const double t = a.t_s[i] - fault_.from_s;
      const bool bad = broken->values[i] == 1, alarm = raw != nullptr && raw->values[i] == 1, b = burrow != nullptr && burrow->values[i] > 0;
      if (bad) slo_bad += 1, t_slo = std::min(t_slo, t);
      if (alarm) raw_on += 1, t_lag = std::min(t_lag, t);
      if (b) burrow_on += 1, t_burrow = std::min(t_burrow, t);
      if (state != nullptr && state->values[i] == static_cast<double>(slo::State::kIncident)) incident += 1, t_incident = std::min(t_incident, t);
      blind += bad && !alarm && !b ? 1 : 0;
      wrong += alarm && !bad ? 1 : 0;
    }
    if (burrow == nullptr) burrow_on = t_burrow = kNaN;   // on Flink nobody asked
    if (state == nullptr) incident = t_incident = kNaN;
    for (const auto& [name, v] : {std::pair{"slo_bad_s", slo_bad}, {"lag_alarm_s", raw_on}, {"burrow_bad_s", burrow_on}, {"blind_s", blind}, {"false_alarm_s", wrong}, {"t_slo", t_slo}, {"t_lag", t_lag}, {"t_burrow", t_burrow}, {"incident_s", incident}, {"t_incident", t_incident}})
      add(prefix + name, v, "s");
  }

  void kills(const Arm& a, const std::string& prefix) {
    const auto of_trials = [&](const char* name) {
      std::vector<double> out;
      for (const Trial& t : r_.trials)
        if (const auto it = t.values.find(name); t.arm == a.name && it != t.values.end()) out.push_back(it->second);
      return out;
    };
    const std::vector<double> repeated = of_trials("repeated");
    if (std::ranges::none_of(s_.phases[s_.fault_phase()].faults, [](const StreamFault& f) { return f.kind == StreamFault::Kind::kKill; })) return;
    double back = 0;
    for (const Trial& t : r_.trials)
      if (const auto it = t.values.find("back_after"); t.arm == a.name) back = std::max(back, it == t.values.end() ? kInf : it->second);
    add(prefix + "back_after_max", back, "s");
    const MeanInterval i = mean_interval(repeated);
    add(prefix + "repeated_mean", i.mean, "records");
    add(prefix + "repeated_low", i.low, "records");
    add(prefix + "repeated_high", i.high, "records");
    for (const char* name : {"detected_after", "running_after", "checkpoint_after"})
      if (const std::vector<double> times = of_trials(name); !times.empty()) add(fmt::format("{}{}_mean", prefix, name), mean_interval(times).mean, "s");
  }

  Checked check(Guard g) const {
    switch (g) {
      case Guard::kOfferedRate: {
        double declared = 0;
        for (const StreamInput& i : s_.inputs) declared += s_.value(i.rate, kRate).value_or(0) * (1 + s_.value(i.duplicates, kNumber).value_or(0));
        return offered_rate(r_.fault, "offered", std::max(r_.fault.t_s.front(), fault_.from_s - 60), fault_.from_s, declared);
      }
      case Guard::kFaultSeen: {
        for (const StreamFault& f : s_.phases[s_.fault_phase()].faults) {
          const Checked seen = fault_seen(f);
          if (!seen.first) return seen;
          if (&f == &s_.phases[s_.fault_phase()].faults.back()) return seen;
        }
        return {false, "there is no fault"};
      }
      case Guard::kLedgerBalances: return ledger_balances(r_);
      case Guard::kControlClean: {
        const auto at = [&](const char* name) { const auto it = r_.control.counts.find(name); return it == r_.control.counts.end() ? 0 : it->second; };
        if (at("lost") != 0 || at("repeated") != 0) return {false, fmt::format("without the fault {:.0f} records were lost and {:.0f} repeated", at("lost"), at("repeated"))};
        // By the oracles: copies that passed, rows that are not there, alarms about nothing.
        for (const auto& [name, v] : r_.control.counts)
          for (const char* kind : {"missing_", "leaked_", "false_alarms_"})
            if (name.starts_with(kind) && v != 0) return {false, fmt::format("without the fault {} is {:.0f}", name, v)};
        const double broken = most(r_.control, "slo_broken", fault_.from_s / 2, r_.phases.back().to_s);
        return {!(broken > 0), broken > 0 ? "without the fault readers did not get what they were promised" : "without the fault nothing was lost or repeated, and readers got what they were promised"};
      }
      case Guard::kRecorded: return recorded(r_);
      case Guard::kDrained:
        for (const Arm* a : arms_of(r_)) if (!a->drained) return {false, fmt::format("the job of the arm {} did not reach the end", a->name)};
        return {true, "every job reached the end of its input and committed it"};
    }
    return {false, "?"};
  }

  /// The fault by what it did, and not asked of who ordered it: the log's ends, the records' own times, the committed positions, the rows that readers got.
  Checked fault_seen(const StreamFault& f) const {
    const Arm& a = r_.fault;
    switch (f.kind) {
      case StreamFault::Kind::kSilence: {
        if (f.topic != s_.inputs[0].topic) return {false, "only partitions of the first input are looked at"};
        const auto grown = [&](std::int32_t p) { return value_at(a, fmt::format("end_{}", p), fault_.to_s) - value_at(a, fmt::format("end_{}", p), fault_.from_s + 1); };
        double others = 0;
        for (std::int32_t p = 0; p < s_.inputs[0].partitions; ++p) others += p == *f.partition ? 0 : grown(p);
        return {grown(*f.partition) == 0 && others > 0, fmt::format("partition {} grew by {:.0f} records in the fault, the others by {:.0f}", *f.partition, grown(*f.partition), others)};
      }
      case StreamFault::Kind::kDelay: {
        const double delayed = a.counts.at("delayed"), normal = r_.control.counts.at("delayed");
        return {delayed > normal && normal == 0, fmt::format("{:.0f} records came later than they were due, {:.0f} in the control arm", delayed, normal)};
      }
      case StreamFault::Kind::kRepeat: {
        // By the log: it has more records than changes were made.
        const auto grown = [&](const Arm& arm) { return value_at(arm, "acked", fault_.to_s) - value_at(arm, "acked", fault_.from_s); };
        return {a.counts.at("copied") > 0 && grown(a) > grown(r_.control), fmt::format("the log grew by {:.0f} records in the fault, by {:.0f} in the control arm", grown(a), grown(r_.control))};
      }
      case StreamFault::Kind::kRate: {
        const double rate = (value_at(a, "acked", fault_.to_s) - value_at(a, "acked", fault_.from_s)) / (fault_.to_s - fault_.from_s), wanted = s_.value(f.rate, kRate).value_or(0);
        const double before = (value_at(a, "acked", fault_.from_s) - value_at(a, "acked", 1)) / (fault_.from_s - 1);
        return {std::abs(rate / wanted - 1) < 0.05 && std::abs(rate / before - 1) > 0.05, fmt::format("{:.1f} records/s came before the fault, {:.1f} in it, {:.1f} ordered", before, rate, wanted)};
      }
      case StreamFault::Kind::kPoint: {
        // From outside: how much less was committed in the fault than in as long a time before it, as the log has it.
        const double hits = a.counts.at("point_hits"), span = std::min(fault_.from_s, fault_.to_s - fault_.from_s) / 2;
        const double before = value_at(a, "committed", fault_.from_s) - value_at(a, "committed", fault_.from_s - span), during = value_at(a, "committed", fault_.to_s) - value_at(a, "committed", fault_.to_s - span);
        return {hits > 0 && during < before, fmt::format("the point was passed {:.0f} times; {:.0f} records committed in the {:.0f} s before the fault, {:.0f} in its last {:.0f} s", hits, before, span, during, span)};
      }
      case StreamFault::Kind::kKill: {
        const auto away = std::ranges::count(a.column("running")->values, 0.0);
        const auto wanted = s_.value(f.times, kNumber);
        return {wanted && *wanted > 0 && a.counts.at("kills") == *wanted, fmt::format("the job died {:.0f} times and was away at {} samples", a.counts.at("kills"), away)};
      }
    }
    return {false, "?"};
  }

  const StreamScenario& s_;
  LabResult& r_;
  const PhaseSpan fault_;
};

Result<std::string> read_declared(env::Files& files, const std::string& root, const std::string& path) {
  auto text = files.read_all(env::join_path(root, path));
  if (text || text.error().code != ErrorCode::kNotFoundOnDisk) return text;
  return fail(ErrorCode::kFileNotFound, fmt::format("the scenario's file {} is not there", env::join_path(root, path)), "run it from the directory that holds scenarios/ and examples/, or give --root DIR");
}

}  // namespace

Result<StreamArmResult> run_stream_once(const env::Env& env, const StreamScenario& s, const slo::Objectives& objectives, const std::string& name, const RunOptions& options) {
  SUPYO_ASSIGN(const std::string sql, read_declared(env.files, options.root, s.pipeline));
  env::VirtualClock clock(kStart);
  UnsyncedFiles files(env.files);
  env::SeededRandom random(s.seed);
  const env::Env virtual_env{clock, files, random, nullptr};
  SUPYO_ASSIGN(StreamArmResult arm, run_stream_arm(virtual_env, clock, s, objectives, sql, name, options));
  if (!options.keep) SUPYO_TRY(env.files.remove_all(env::join_path(options.directory, name)));   // one arm's logs at a time are enough
  return arm;
}

namespace {

/// `at_once` arms side by side, each on a thread of its own.
template <class RunOne>
Result<LabResult> run_arms(const env::Env& env, const StreamScenario& scenario, LabResult r, std::size_t at_once, RunOne run_one_arm) {
  std::vector<std::string> names{"fault"};
  for (const auto& [name, spec] : scenario.arms) names.push_back(name);
  std::vector<std::optional<Result<StreamArmResult>>> done(names.size());
  for (std::size_t i = 0; i < names.size(); i += at_once) {
    std::vector<std::unique_ptr<env::Thread>> beside;
    for (std::size_t j = i + 1; j < std::min(i + at_once, names.size()); ++j) beside.push_back(env.threads->start("lab-arm", [&, j] { done[j].emplace(run_one_arm(names[j])); }));
    done[i].emplace(run_one_arm(names[i]));
    for (const auto& thread : beside) thread->join();
    for (std::size_t j = i; j < std::min(i + at_once, names.size()); ++j) {
      SUPYO_ASSIGN(StreamArmResult one, std::move(*done[j]));
      std::ranges::move(one.trials, std::back_inserter(r.trials));
      (names[j] == "fault" ? r.fault : names[j] == "control" ? r.control : r.arms.emplace_back()) = std::move(one.arm);
    }
  }
  SUPYO_TRY(evaluate_stream(scenario, r));
  return r;
}

}  // namespace

Status evaluate_stream(const StreamScenario& scenario, LabResult& result) { return Evaluation(scenario, result).run(); }

Result<LabResult> run_stream_scenario(const env::Env& env, const StreamScenario& scenario, const RunOptions& options) {
  if (options.real_clock) return fail(ErrorCode::kUnsupported, fmt::format("{} runs on the embedded log in virtual time only", scenario.lab), "--clock virtual");
  slo::Objectives declared;
  if (!scenario.objectives.empty()) {
    SUPYO_ASSIGN(const std::string text, read_declared(env.files, options.root, scenario.objectives));
    SUPYO_ASSIGN(declared, slo::parse_openslo(text, scenario.objectives));
  }
  LabResult r;
  describe(scenario, options, r);
  r.versions = {{"supyo", SUPYO_VERSION}, {"compiler", __VERSION__}, {"log", "embedded"}, {"engine", "embedded"}};
  SUPYO_TRY(begin_data(env, options));
  SUPYO_ASSIGN(LabResult result, run_arms(env, scenario, std::move(r), 1, [&](const std::string& name) -> Result<StreamArmResult> {
    SUPYO_ASSIGN(const StreamScenario s, scenario.arm(name));
    slo::Objectives objectives = declared;
    if (scenario.objectives.empty()) { SUPYO_ASSIGN(objectives, promised_objectives(s)); }
    return run_stream_once(env, s, objectives, name, options);
  }));
  SUPYO_TRY(end_data(env, options));
  return result;
}

Result<LabResult> run_real_stream_scenario(const env::Env& env, const StreamScenario& scenario, const RunOptions& options) {
  LabResult r;
  describe(scenario, options, r);
  r.clock = "real";
  describe_cluster(options, r);
  SUPYO_ASSIGN(const auto versions, FlinkCluster::versions(env.files, options.flink));
  r.versions.insert(versions.begin(), versions.end());
  SUPYO_ASSIGN(const std::string sql, read_declared(env.files, options.root, scenario.pipeline));
  std::mutex mutex;
  RunOptions shared = options;
  if (options.progress)
    shared.progress = [&](std::string_view arm, double share) {
      const std::lock_guard lock(mutex);
      options.progress(arm, share);
    };
  // Where nothing is done to Flink itself, its arms are jobs of one cluster, all at once. Else each has a cluster of its own, the fault its control beside it; where JVMs are killed and started all the time, two cores do not carry more.
  constexpr std::size_t kCalm = 6, kRestless = 3;
  const auto& faults = scenario.phases[scenario.fault_phase()].faults;
  const auto any = [&](StreamFault::Kind kind) { return std::ranges::any_of(faults, [kind](const StreamFault& f) { return f.kind == kind; }); };
  const bool kills = any(StreamFault::Kind::kKill), alone = kills || any(StreamFault::Kind::kPoint);
  std::unique_ptr<FlinkCluster> cluster;
  const std::size_t jobs = scenario.arms.size() + 1;
  SUPYO_TRY(begin_data(env, options));
  if (!alone) {
    SUPYO_ASSIGN(cluster, FlinkCluster::start(env, {.flink = options.flink, .directory = env::join_path(options.directory, "flink"), .slots = static_cast<int>(jobs)}));
  }
  SUPYO_ASSIGN(LabResult result, run_arms(env, scenario, std::move(r), !alone ? jobs : kills ? kRestless : kCalm, [&](const std::string& name) -> Result<StreamArmResult> {
    SUPYO_ASSIGN(const StreamScenario s, scenario.arm(name));
    return run_flink_arm(env, s, sql, name, shared, cluster.get());
  }));
  cluster.reset();   // before its files
  SUPYO_TRY(end_data(env, options));
  return result;
}

}  // namespace supyo::scenario
