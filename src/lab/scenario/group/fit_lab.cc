#include "lab/scenario/group/fit_lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "connect/kafka/record_producer.h"
#include "core/env/processes.h"
#include "lab/scenario/child_broker.h"
#include "lab/scenario/group/cause_runs.h"
#include "lab/scenario/group/group_watch.h"
#include "lab/scenario/reckoning.h"
#include "lab/scenario/trial/cluster.h"
#include "lab/scenario/trial/commit_worker.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kTurn = 5 * kMillisecond;
constexpr DurationUs kReady = 60 * kSecond;
constexpr DurationUs kSend = 60 * kSecond;         // for a backlog to be acknowledged
constexpr double kKnee = 0.9;
constexpr double kGrew = 0.06, kCalm = 0.05;       // by so much of what came, what is not committed grows at least where there is a trouble, and at most where there is none
constexpr double kChanges = 4;
constexpr double kOffered = 0.02;
constexpr double kBacklog = 10;                    // times what the window takes, for the time before it

double not_measured() { return std::numeric_limits<double>::quiet_NaN(); }

std::string measure_name(std::string_view prefix, std::string label) {
  std::ranges::replace(label, '-', '_');
  return fmt::format("{}_{}", prefix, label);
}

class Evaluation {
 public:
  Evaluation(const FitScenario& s, LabResult& r) : s_(s), r_(r) {}

  Status run() {
    begin_reckoning(s_, r_);
    SUPYO_ASSIGN(const double partitions, s_.value(s_.partitions, kNumber));
    add_measure(r_, "partitions", partitions, "");
    sweep(partitions);
    for (const char* name : {"join_misses", "pinned_misses"}) add_measure(r_, name, r_.fault.counts.contains(name) ? r_.fault.counts.at(name) : not_measured(), "records");
    causes();
    return judge(s_, r_, [this](Guard g) { return check(g); });
  }

 private:
  void sweep(double partitions) {
    double most = 0, wrong = 0, knee = not_measured();
    for (const Trial& t : r_.trials) {
      if (t.group != "sweep") continue;
      const double members = t.values.at("members");
      add_measure(r_, fmt::format("throughput_{:.0f}", members), t.values.at("throughput"), "records/s");
      most = std::max(most, t.values.at("throughput"));
      wrong += t.values.at("idle") == std::max(0.0, members - partitions) ? 0 : 1;
    }
    for (const Trial& t : r_.trials)
      if (t.group == "sweep" && t.values.at("throughput") >= kKnee * most && !(knee <= t.values.at("members"))) knee = t.values.at("members");
    add_measure(r_, "throughput_max", most, "records/s");
    add_measure(r_, "knee", knee, "");
    add_measure(r_, "idle_wrong", wrong, "");
  }

  void causes() {
    double runs = 0, right = 0;
    for (std::size_t label = 0; label < s_.labels.size(); ++label) {
      double of_it = 0, named = 0;
      for (const Trial& t : r_.trials) {
        if (t.arm != "causes" || t.values.at("label") != static_cast<double>(label)) continue;
        of_it += 1;
        named += t.values.at("named") == static_cast<double>(label) ? 1 : 0;
      }
      add_measure(r_, measure_name("runs", s_.labels[label]), of_it, "");
      add_measure(r_, measure_name("right", s_.labels[label]), named, "");
      runs += of_it;
      right += named;
    }
    add_measure(r_, "runs", runs, "");
    add_measure(r_, "right", right, "");
    add_measure(r_, "accuracy", runs > 0 ? right / runs : not_measured(), "share");
  }

  template <class F>
  Checked each_run(F holds, std::string all_hold) const {
    for (const Trial& t : r_.trials)
      if (t.arm == "causes")
        if (auto why = holds(t); !why.empty()) return {false, fmt::format("run {:.0f} ({}): {}", t.values.at("run"), t.group, why)};
    return {true, std::move(all_hold)};
  }

  /// Empty: the trouble is there.
  static std::string trouble_missing(const Trial& t) {
    if (t.group == kHealthy) return {};
    if (t.group == "rebalance-churn" || t.group == "oversized-group") return t.values.at("changes") >= kChanges ? std::string() : fmt::format("members came or went {:.0f} times only", t.values.at("changes"));
    if (t.group == "too-many-partitions") return t.values.at("each") < 1 ? std::string() : fmt::format("each partition has {:.2f} records a second", t.values.at("each"));
    return t.values.at("grew") >= kGrew ? std::string() : fmt::format("what is not committed grew by {:.3f} of what came: there is no trouble", t.values.at("grew"));
  }

  Checked check(Guard g) const {
    switch (g) {
      case Guard::kOfferedRate:
        return each_run([](const Trial& t) { return std::abs(t.values.at("offered") - 1) <= kOffered ? std::string() : fmt::format("{:.3f} of the declared rate was offered", t.values.at("offered")); }, "every run was offered its rate within 2 %");
      case Guard::kFaultSeen:
        return each_run([](const Trial& t) { return trouble_missing(t); }, "every group with a trouble has it, by the lab's own look at its offsets and members");
      case Guard::kLedgerBalances: return ledger_balances(r_);
      case Guard::kControlClean:
        return each_run([](const Trial& t) { return t.group != kHealthy || t.values.at("grew") <= kCalm ? std::string() : fmt::format("it is said to be healthy, and what is not committed grew by {:.3f} of what came", t.values.at("grew")); },
                        "no healthy group fell behind");
      case Guard::kRecorded: return recorded(r_);
      case Guard::kDrained: return {r_.fault.drained && r_.control.drained, "whether every record was reported"};
    }
    return {false, "?"};
  }

  const FitScenario& s_;
  LabResult& r_;
};

class LabRun {
 public:
  LabRun(const env::Env& env, const FitScenario& s, const RunOptions& options, LabResult& r) : env_(env), s_(s), options_(options), r_(r) {}

  Status operator()() {
    std::unique_ptr<ChildBroker> broker;
    servers_ = options_.cluster ? options_.cluster->servers : "";
    if (!options_.cluster) {
      SUPYO_ASSIGN(broker, ChildBroker::start(env_, env::join_path(options_.directory, "broker"), own_broker_settings()));
      servers_ = broker->address();
    }
    SUPYO_TRY(run_causes(env_, s_, servers_, options_, r_));
    for (Arm* a : {&r_.fault, &r_.control}) a->drained = a->counts["sent"] == a->counts["acked"];
    const std::string topic = fmt::format("supyo-lab-{}", env::new_uuid(env_.random).substr(0, 8));
    const Status done = measured(topic);
    if (options_.cluster)
      for (const char* suffix : {"", "-table", "-stream", "-pinned"}) remove_topic(servers_, topic + suffix);
    return done;
  }

 private:
  Status measured(const std::string& topic) {
    SUPYO_TRY(sweep(topic));
    SUPYO_ASSIGN(const auto table, partitions_of_keys(topic + "-table", s_.table));
    SUPYO_ASSIGN(const auto stream, partitions_of_keys(topic + "-stream", s_.stream));
    SUPYO_ASSIGN(const auto pinned, partitions_of_keys(topic + "-pinned", s_.table));
    double misses = 0, pinned_misses = 0;
    for (std::size_t i = 0; i < table.size(); ++i) {
      misses += stream[i] != table[i] ? 1 : 0;
      pinned_misses += pinned[i] != table[i] ? 1 : 0;
    }
    r_.fault.counts["join_misses"] = misses;
    r_.fault.counts["pinned_misses"] = pinned_misses;
    return ok();
  }

  /// Sends records with the keys 0, 1, .. of one partitioner; where each of them lies, as the brokers acknowledged it.
  Result<std::vector<std::int32_t>> send(const std::string& topic, std::size_t records, std::vector<std::pair<std::string, std::string>> settings) {
    SUPYO_ASSIGN(const auto producer, connect::RecordProducer::open({.servers = servers_, .topic = topic, .client_settings = std::move(settings)}));
    std::vector<std::int32_t> where(records, -1);
    const TimeUs until = env_.clock.monotonic_us() + kSend;
    for (std::size_t next = 0; next < records || producer->in_flight() > 0;) {
      for (const auto& report : producer->reports(next < records ? 0 : kTurn)) {
        if (report.outcome != connect::RecordReport::Outcome::kAcknowledged) return fail(ErrorCode::kOutsideUnavailable, fmt::format("a record of {} was not acknowledged: {}", topic, report.why));
        where[report.id] = report.partition;
      }
      if (env_.clock.monotonic_us() > until) return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} of {} records were not acknowledged in {} s", producer->in_flight(), records, kSend / kSecond));
      if (next == records) continue;
      SUPYO_ASSIGN(const bool taken, producer->send(next, fmt::format("{}", next), numbered_value(next, 50), env_.clock.now_us()));
      if (taken) ++next;
      else SUPYO_TRY(pause());
    }
    return where;
  }

  Result<std::vector<std::int32_t>> partitions_of_keys(const std::string& topic, const std::string& partitioner) {
    SUPYO_ASSIGN(const std::uint64_t partitions, s_.count(s_.partitions));
    SUPYO_ASSIGN(const std::uint64_t keys, s_.count(s_.keys));
    SUPYO_TRY(make_topic(servers_, topic, static_cast<int>(partitions)));
    return send(topic, keys, {{"partitioner", partitioner == "crc32" ? "consistent_random" : "murmur2_random"}});
  }

  /// All groups read the same backlog at the same time: they wait rather than work.
  Status sweep(const std::string& topic) {
    SUPYO_ASSIGN(const std::uint64_t partitions, s_.count(s_.partitions));
    SUPYO_ASSIGN(const DurationUs handler, s_.duration(s_.handler));
    SUPYO_ASSIGN(const DurationUs window, s_.duration(s_.window));
    SUPYO_TRY(make_topic(servers_, topic, static_cast<int>(partitions)));
    SUPYO_ASSIGN([[maybe_unused]] const auto where, send(topic, static_cast<std::size_t>(kBacklog * static_cast<double>(partitions) * static_cast<double>(window) / static_cast<double>(handler)), {}));
    SUPYO_ASSIGN(const std::string program, env_.processes->own_program());
    std::vector<std::unique_ptr<env::Process>> processes;
    GroupWatch::Options watched{.servers = servers_, .groups = {}, .every_us = kSecond / 4};
    const auto group = [&](std::uint64_t members) { return fmt::format("{}-{}", topic, members); };
    for (const std::uint64_t m : s_.members) {
      const auto number = [](auto n) { return fmt::format("{}", n); };
      SUPYO_ASSIGN(auto process, env_.processes->start({.arguments = {program, "lab-member", "--servers", servers_, "--topic", topic, "--group", group(m), "--client", "c", "--count", number(m), "--batch", "10", "--commit-us", "1000000", "--handler-us", number(handler)},
                                                        .error = env::ProgramOutput::to_file(env::join_path(options_.directory, fmt::format("sweep-{}.log", m)))}));
      processes.push_back(std::move(process));
      watched.groups[group(m)] = {topic, static_cast<int>(partitions)};
    }
    SUPYO_ASSIGN(const auto watch, GroupWatch::start(env_, std::move(watched)));
    const auto ready = [&](std::uint64_t m) {
      const auto seen = watch->seen(group(m));
      return seen.state == "Stable" && seen.members.size() == m && seen.committed > 0;
    };
    const TimeUs until = env_.clock.monotonic_us() + kReady;
    while (!std::ranges::all_of(s_.members, ready)) {
      if (env_.clock.monotonic_us() > until) return fail(ErrorCode::kJobFailed, fmt::format("the members are not all in their groups after {} s", kReady / kSecond), "is the machine too busy?");
      SUPYO_TRY(pause());
    }
    std::vector<GroupWatch::Seen> before;
    for (const std::uint64_t m : s_.members) before.push_back(watch->seen(group(m)));
    const TimeUs end = env_.clock.monotonic_us() + window;
    while (env_.clock.monotonic_us() < end) SUPYO_TRY(pause());
    for (std::size_t i = 0; i < s_.members.size(); ++i) {
      const auto after = watch->seen(group(s_.members[i]));
      const auto idle = std::ranges::count_if(after.members, [](const auto& member) { return member.second == 0; });
      if (after.caught_up) return fail(ErrorCode::kJobFailed, fmt::format("{} members handled the whole backlog before the time was over", s_.members[i]), "a longer handler time");
      const double took = static_cast<double>(after.offsets_us - before[i].offsets_us) / kSecond;
      r_.trials.push_back({"fault", "sweep", 0, {{"members", static_cast<double>(s_.members[i])}, {"throughput", static_cast<double>(after.committed - before[i].committed) / took}, {"idle", static_cast<double>(idle)}}});
    }
    return ok();
  }

  Status pause() const {
    SUPYO_TRY(options_.go_on());
    env_.threads->idle(kTurn);
    return ok();
  }

  env::Env env_;
  const FitScenario& s_;
  const RunOptions& options_;
  LabResult& r_;
  std::string servers_;
};

void describe(const FitScenario& s, const RunOptions& options, LabResult& r) {
  r.kind = "trials";
  r.clock = "real";
  describe_declaration(s, r);
  r.repeat = options.repeat;
  describe_cluster(options, r);
  const auto number = [&](const std::string& text, Unit unit) { return s.value(text, unit).value_or(0); };
  r.config["sweep"] = fmt::format("{:g} partitions, {} members, {:g} ms waited for each record, {:g} s", number(s.partitions, kNumber), fmt::join(s.members, ", "), 1e3 * number(s.handler, kSeconds), number(s.window, kSeconds));
  r.config["join"] = fmt::format("{:g} keys, table {}, stream {}", number(s.keys, kNumber), s.table, s.stream);
  r.config["causes"] = fmt::format("{:g} runs, {:g} at a time, looked at for {:g} s by supyo diagnose, {}: {}", number(s.runs, kNumber), number(s.at_once, kNumber), number(s.watch, kSeconds),
                                   s.statistics ? "with what members tell of their work" : "without what members could tell of their work", fmt::join(s.labels, ", "));
}

}  // namespace

Status evaluate_fit(const FitScenario& scenario, LabResult& result) {
  if (result.trials.empty()) return fail(ErrorCode::kBadConfigFile, fmt::format("{}: nothing was recorded that could be judged", scenario.file));
  return Evaluation(scenario, result).run();
}

Result<LabResult> run_fit_scenario(const env::Env& env, const FitScenario& scenario, const RunOptions& options) {
  LabResult r;
  describe(scenario, options, r);
  SUPYO_TRY(begin_data(env, options));
  SUPYO_TRY(LabRun(env, scenario, options, r)());
  const double end = r.fault.t_s.empty() ? 0 : r.fault.t_s.back();
  r.phases = {{"causes", 0, end, true}};
  SUPYO_TRY(end_data(env, options));
  SUPYO_TRY(evaluate_fit(scenario, r));
  return r;
}

}  // namespace supyo::scenario
