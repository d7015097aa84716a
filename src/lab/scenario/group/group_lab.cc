#include "lab/scenario/group/group_lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/env/env.h"
#include "lab/scenario/child_broker.h"
#include "lab/scenario/group/group_arm.h"
#include "lab/scenario/group/group_watch.h"
#include "lab/scenario/reckoning.h"
#include "lab/scenario/trial/cluster.h"
#include "lab/scenario/trial/declared.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kTurn = 2 * kMillisecond;
constexpr DurationUs kReady = 60 * kSecond;        // for all members to be in their groups
constexpr double kBlind_s = 0.4;                   // the longest time in which an eviction may not have been looked for: beyond it the run says nothing of its time
constexpr double kStandingSlack_s = 0.25;          // a member that stands stands by so much less than it may stay away from polling
constexpr std::string_view kCounts[] = {"evictions", "late", "pingpong", "pingpong_clients", "faulted", "unowned", "refused"};

class Evaluation {
 public:
  Evaluation(const GroupScenario& s, LabResult& r) : s_(s), r_(r) {}

  Status run() {
    begin_reckoning(s_, r_);
    SUPYO_TRY(setting("rate", s_.rate, kRate));
    SUPYO_TRY(setting("partitions", s_.partitions, kNumber));
    SUPYO_TRY(setting("members", s_.members, kNumber));
    SUPYO_TRY(setting("batch", s_.batch, kRecords));
    for (const auto& [name, text] : {std::pair{"handler", &s_.handler}, {"poll", &s_.poll}, {"session", &s_.session}, {"heartbeat", &s_.heartbeat}, {"look", &s_.look}}) SUPYO_TRY(setting(name, *text, kSeconds));
    for (const GroupArm& a : s_.arms) SUPYO_TRY(arm(a));
    return judge(s_, r_, [this](Guard g) { return check(g); });
  }

 private:
  Status setting(const char* name, const std::string& text, Unit unit) {
    SUPYO_ASSIGN(const double v, s_.value(text, unit));
    add_measure(r_, name, v, unit_name(unit));
    return ok();
  }

  Status arm(const GroupArm& spec) {
    const Arm* a = r_.arm(spec.name);
    if (a == nullptr) return fail(ErrorCode::kBadConfigFile, fmt::format("{}: the arm '{}' was not run", s_.file, spec.name));
    const std::string prefix = spec.name == "fault" ? "" : spec.name + "_";
    for (const auto& [name, v] : a->counts) {
      if (name.ends_with("_s")) add_measure(r_, prefix + name.substr(0, name.size() - 2), v, "s");
      else add_measure(r_, prefix + name, v, std::ranges::find(kCounts, name) == std::end(kCounts) ? "records" : "");
    }
    if (a->counts.contains("leave_low_s")) add_measure(r_, prefix + "leave", (a->counts.at("leave_low_s") + a->counts.at("leave_high_s")) / 2, "s");
    return ok();
  }

  Checked check(Guard g) const {
    switch (g) {
      case Guard::kOfferedRate: return each([&](const GroupArm&, const Arm& a) { return offered_rate(a, "offered", 0, r_.phases.front().to_s, r_.measure("rate")->value); });
      case Guard::kFaultSeen: return each([&](const GroupArm& spec, const Arm& a) { return fault_seen(spec, a); });
      case Guard::kLedgerBalances: return ledger_balances(r_);
      case Guard::kControlClean: {
        const auto& c = r_.control.counts;
        const double bad = c.at("failed") + c.at("unknown") + c.at("repeated") + c.at("lost") + c.at("evictions");
        return {bad == 0, fmt::format("without a fault {:.0f} members were evicted, {:.0f} records repeated, {:.0f} lost, {:.0f} not acknowledged", c.at("evictions"), c.at("repeated"), c.at("lost"), c.at("failed") + c.at("unknown"))};
      }
      case Guard::kRecorded: return recorded(r_);
      case Guard::kDrained: return each([](const GroupArm&, const Arm& a) -> Checked { return {a.drained, a.drained ? "handled and committed to its end" : "the group did not commit to the end of its topic"}; });
    }
    return {false, "?"};
  }

  /// The first arm that does not hold, else all of them.
  template <class F>
  Checked each(F holds) const {
    std::string all;
    for (const GroupArm& spec : s_.arms) {
      auto [good, why] = holds(spec, *r_.arm(spec.name));
      if (!good) return {false, fmt::format("{}: {}", spec.name, why)};
      if (!why.empty()) all += fmt::format("{}{}: {}", all.empty() ? "" : "; ", spec.name, why);
    }
    return {true, std::move(all)};
  }

  /// A handler that took longer than members may stay away (by the member's own diary), or a process that stood longer than its session (by the system); and somebody looked at the group when its member went.
  Checked fault_seen(const GroupArm& spec, const Arm& a) const {
    if (spec.slow.empty() && spec.stop.empty()) return {true, ""};
    const auto count = [&](const char* name) { return a.counts.contains(name) ? a.counts.at(name) : 0; };
    const double length = count("fault_s"), most = r_.measure(spec.slow.empty() ? "session" : "poll")->value, times = spec.slow.empty() ? 1 : s_.value(spec.times, kNumber).value_or(0);
    // One that stood as long as members may stay away from polling leaves for two reasons, and nobody can tell for which.
    if (spec.slow.empty() && length + kStandingSlack_s >= r_.measure("poll")->value)
      return {false, fmt::format("it stood for {:.2f} s, no less than max.poll.interval ({:g} s): its session is not all that ended", length, r_.measure("poll")->value)};
    if (count("faulted") < times || length <= most) return {false, fmt::format("{:.0f} of {:.0f} times, for {:.2f} s: nothing that {:g} s forbid", count("faulted"), times, length, most)};
    const double blind = count("leave_high_s") - count("leave_low_s");
    if (blind > kBlind_s) return {false, fmt::format("nobody looked at the group for {:.2f} s when its member went", blind)};
    return {true, fmt::format("{:.0f} times, for {:.2f} s at most", count("faulted"), length)};
  }

  const GroupScenario& s_;
  LabResult& r_;
};

std::string fault_text(const GroupScenario& s, const GroupArm& a) {
  if (!a.stop.empty()) return fmt::format("SIGSTOP of a member for {:g} s", s.value(a.stop, kSeconds).value_or(0));
  if (a.slow.empty()) return "none";
  return fmt::format("a record that keeps the first {:g} members that come to it for {:g} s", s.value(a.times, kNumber).value_or(0), s.value(a.slow, kSeconds).value_or(0));
}

void describe(const GroupScenario& s, const RunOptions& options, LabResult& r) {
  describe_declared(s, r);
  r.repeat = options.repeat;
  describe_cluster(options, r);
  const auto seconds = [&](const std::string& text) { return s.value(text, kSeconds).value_or(0); };
  r.config["topic"] = fmt::format("{:g} partitions", s.value(s.partitions, kNumber).value_or(0));
  r.config["members"] = fmt::format("{:g}, each a process; batches of {:g} records, {:g} ms each, committed after the batch", s.value(s.members, kNumber).value_or(0), s.value(s.batch, kRecords).value_or(0), 1e3 * seconds(s.handler));
  r.config["client max.poll.interval.ms"] = fmt::format("{:g}", 1e3 * seconds(s.poll));
  r.config["client session.timeout.ms"] = fmt::format("{:g}", 1e3 * seconds(s.session));
  r.config["client heartbeat.interval.ms"] = fmt::format("{:g}", 1e3 * seconds(s.heartbeat));
  for (const GroupArm& a : s.arms) {
    if (a.name == "fault") r.config["fault"] = fault_text(s, a);
    r.config["arm " + a.name] = fmt::format("{}; {}, assignor {}", fault_text(s, a), a.is_static ? "static members" : "members without group.instance.id", a.assignor);
  }
}

class LabRun {
 public:
  LabRun(const env::Env& env, const GroupScenario& s, const RunOptions& options, LabResult& r) : env_(env), s_(s), options_(options), r_(r) {}

  Status operator()() {
    std::unique_ptr<ChildBroker> broker;
    std::string servers = options_.cluster ? options_.cluster->servers : "";
    if (!options_.cluster) {
      SUPYO_ASSIGN(broker, ChildBroker::start(env_, env::join_path(options_.directory, "broker"), own_broker_settings()));
      servers = broker->address();
    }
    const Status done = arms(servers);
    for (const auto& a : runs_)
      if (options_.cluster) remove_topic(servers, a->unique());
    return done;
  }

 private:
  Status arms(const std::string& servers) {
    SUPYO_ASSIGN(const std::uint64_t partitions, s_.count(s_.partitions));
    GroupWatch::Options watched{.servers = servers, .groups = {}};
    SUPYO_ASSIGN(watched.every_us, s_.duration(s_.look));
    const std::string lab = fmt::format("supyo-lab-{}", env::new_uuid(env_.random).substr(0, 8));
    for (const GroupArm& a : s_.arms) {
      SUPYO_ASSIGN(auto run, GroupArmRun::prepare(env_, s_, a, servers, fmt::format("{}-{}", lab, a.name), env::join_path(options_.directory, a.name)));
      watched.groups[run->unique()] = {run->unique(), static_cast<int>(partitions)};
      runs_.push_back(std::move(run));
    }
    SUPYO_ASSIGN(const auto watch, GroupWatch::start(env_, std::move(watched)));
    for (const auto& run : runs_) SUPYO_TRY(run->start_members());
    const TimeUs until = env_.clock.monotonic_us() + kReady;
    while (!std::ranges::all_of(runs_, [&](const auto& run) { return run->ready(*watch); })) {
      if (env_.clock.monotonic_us() > until) return fail(ErrorCode::kJobFailed, fmt::format("the members are not all in their groups after {} s", kReady / kSecond), "is the machine too busy, or does the broker answer?");
      SUPYO_TRY(pause());
    }
    SUPYO_TRY(turns(*watch));
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      SUPYO_ASSIGN(Arm arm, runs_[i]->finish(*watch));
      const std::string& name = s_.arms[i].name;
      (name == "fault" ? r_.fault : name == "control" ? r_.control : r_.arms.emplace_back()) = std::move(arm);
    }
    return ok();
  }

  Status turns(const GroupWatch& watch) {
    const TimeUs begin = env_.clock.monotonic_us();
    for (bool all = false; !all;) {
      std::size_t over = 0;
      for (const auto& run : runs_) {
        SUPYO_ASSIGN(const bool done, run->turn(watch, begin));
        over += done ? 1 : 0;
      }
      all = over == runs_.size();
      if (options_.progress) options_.progress("all", static_cast<double>(over) / static_cast<double>(runs_.size()));
      SUPYO_TRY(pause());
    }
    return ok();
  }

  Status pause() const {
    SUPYO_TRY(options_.go_on());
    env_.threads->idle(kTurn);
    return ok();
  }

  env::Env env_;
  const GroupScenario& s_;
  const RunOptions& options_;
  LabResult& r_;
  std::vector<std::unique_ptr<GroupArmRun>> runs_;
};

}  // namespace

Status evaluate_group(const GroupScenario& scenario, LabResult& result) {
  if (result.fault_phase() == nullptr || result.fault.t_s.empty()) return fail(ErrorCode::kBadConfigFile, fmt::format("{}: nothing was recorded that could be judged", scenario.file));
  return Evaluation(scenario, result).run();
}

Result<LabResult> run_group_scenario(const env::Env& env, const GroupScenario& scenario, const RunOptions& options) {
  LabResult r;
  describe(scenario, options, r);
  SUPYO_TRY(begin_data(env, options));
  SUPYO_TRY(LabRun(env, scenario, options, r)());
  SUPYO_ASSIGN(const double before, scenario.value(scenario.before, kSeconds));
  const double end = r.fault.t_s.back();
  const auto& c = r.fault.counts;
  const double to = std::min(end, before + (c.contains("fault_s") ? c.at("fault_s") : 0));
  r.phases = {{"undisturbed", 0, before, false}, {"fault", before, to, true}, {"after", to, end, false}};
  SUPYO_TRY(end_data(env, options));
  SUPYO_TRY(evaluate_group(scenario, r));
  return r;
}

}  // namespace supyo::scenario
