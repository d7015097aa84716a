#include "lab/scenario/group/cause_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/env/processes.h"
#include "core/env/sim/sim_env.h"
#include "lab/scenario/group/group_watch.h"
#include "lab/scenario/group/member.h"
#include "lab/scenario/trial/cluster.h"
#include "lab/scenario/trial/numbered_producer.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kTurn = 2 * kMillisecond;
constexpr DurationUs kReady = 90 * kSecond;
constexpr DurationUs kWarm = 3 * kSecond;           // so that each group has committed something
constexpr DurationUs kSettle = 10 * kSecond;
constexpr DurationUs kSample = kSecond;
constexpr std::size_t kTail = 1000;
constexpr DurationUs kVisit = 5 * kSecond, kAway = 2 * kSecond;   // of a member that comes and goes
constexpr double kTroubled = 0.6;                   // of the looks: then who came and went stays, so that the last look sees who is there

double uniform(env::Random& random, double low, double high) { return low + (high - low) * static_cast<double>(random.below(1'000'001)) / 1e6; }

CauseSpec draw(std::string_view label, double strain, env::Random& random) {
  CauseSpec s;
  s.members = 2 + random.below(2);
  s.partitions = 2 * s.members;
  s.rate = uniform(random, 40, 80);
  double each = s.rate * uniform(random, 2, 3) / static_cast<double>(s.members);   // what a member can handle a second
  double first = 0;                                                               // 0: as much as the others
  const double strained = s.rate / (strain * uniform(random, 0.9, 1.2));
  if (label == "external-call") each = strained / static_cast<double>(s.members);
  if (label == "processing-bottleneck") {   // one member: computing takes a whole CPU
    s.members = 1;
    s.partitions = 2 + random.below(2);
    s.compute = true;
    each = strained;
  }
  if (label == "partition-skew") {
    s.hot = uniform(random, 0.6, 0.75);
    each = s.hot * strained;
  }
  using Trouble = CauseSpec::Trouble;
  static const std::map<std::string_view, Trouble> kTroubles{{"no-consumers", Trouble::kLeave}, {"stuck", Trouble::kHang}, {"rebalance-churn", Trouble::kChurn}, {"oversized-group", Trouble::kShare}};
  if (const auto trouble = kTroubles.find(label); trouble != kTroubles.end()) s.trouble = trouble->second;
  if (label == "too-many-partitions") s.partitions = 100 + random.below(50);
  if (label == "slow-member") first = strained / static_cast<double>(s.members) * uniform(random, 0.5, 0.9);
  s.handler_us = static_cast<DurationUs>(1e6 / each);
  s.first_handler_us = first > 0 ? static_cast<DurationUs>(1e6 / first) : s.handler_us;
  return s;
}

/// One run: its process, its producer, and what was seen of it.
class Run {
 public:
  Run(const env::Env& env, const CauseSpec& spec, std::string name, std::string directory, std::uint64_t seed) : env_(env), spec_(spec), name_(std::move(name)), directory_(std::move(directory)), random_(seed) {}

  const CauseSpec& spec() const { return spec_; }
  const std::string& name() const { return name_; }
  const NumberedProducer& producer() const { return *producer_; }
  NumberedProducer& producer() { return *producer_; }

  Status start(const std::string& servers, bool statistics) {
    SUPYO_TRY(make_topic(servers, name_, static_cast<int>(spec_.partitions)));
    SUPYO_ASSIGN(client_, connect::RecordProducer::open({.servers = servers, .topic = name_}));
    producer_.emplace(env_, *client_, NumberedProducer::Options{.rate = spec_.rate, .record_size = 100, .linger_us = 20 * kMillisecond,
                                                                .key = [this](std::uint64_t id) { return spec_.hot > 0 && uniform(random_, 0, 1) < spec_.hot ? std::string("hot") : fmt::format("{}", id); }});
    SUPYO_ASSIGN(const std::string program, env_.processes->own_program());
    const auto number = [](auto n) { return fmt::format("{}", n); };
    const std::string work = env::join_path(directory_, name_ + ".work");
    env::Program p{.arguments = {program, "lab-member", "--servers", servers, "--topic", name_, "--group", name_, "--client", "orders-" + name_ + "-c", "--count", number(spec_.members), "--batch", "10", "--commit-us", "1000000", "--handler-us", number(spec_.handler_us),
                                 "--first-handler-us", number(spec_.first_handler_us)},
                   .error = env::ProgramOutput::to_file(log())};
    if (statistics) {
      p.arguments.insert(p.arguments.end(), {"--statistics", work});
      for (std::uint64_t i = 0; i < spec_.members; ++i) works_.push_back(spec_.members == 1 ? work : fmt::format("{}-{}", work, i));
    }
    if (spec_.compute) p.arguments.emplace_back("--compute");
    if (spec_.trouble == CauseSpec::Trouble::kHang) p.arguments.insert(p.arguments.end(), {"--slow-us", number(kHour), "--slow-times", "64", "--slow-mark", env::join_path(directory_, name_ + ".slow")});
    SUPYO_ASSIGN(process_, env_.processes->start(p));
    visitor_ = {.arguments = {program, "lab-member", "--servers", servers, "--topic", name_, "--group", name_, "--client", (spec_.trouble == CauseSpec::Trouble::kShare ? "billing-" : "orders-") + name_ + "-extra", "--handler-us", number(spec_.handler_us)},
                .error = env::ProgramOutput::to_file(log() + ".visitor")};
    return ok();
  }

  /// The looks begin at `now` and go on until `until`: from here on it has its trouble.
  Status strike(TimeUs now, TimeUs until) {
    struck_ = true;
    calm_us_ = now + static_cast<DurationUs>(kTroubled * static_cast<double>(until - now));
    next_visit_us_ = now;
    return spec_.trouble == CauseSpec::Trouble::kLeave ? end() : ok();
  }
  Status turn(TimeUs now) {
    using Trouble = CauseSpec::Trouble;
    if (struck_ && spec_.trouble == Trouble::kHang) producer_->mark_next(std::string(kSlowWord));
    if (struck_ && (spec_.trouble == Trouble::kChurn || spec_.trouble == Trouble::kShare)) SUPYO_TRY(visit(now));
    return producer_->turn(now);
  }

  const std::vector<std::string>& works() const { return works_; }
  bool ready(const GroupWatch& watch) const {
    const auto seen = watch.seen(name_);
    std::size_t assigned = 0;
    for (const auto& [client, partitions] : seen.members) assigned += partitions;
    return seen.state == "Stable" && seen.members.size() == spec_.members && assigned == spec_.partitions;
  }
  Status lives() {
    SUPYO_ASSIGN(const auto ended, process_->poll());
    if (!ended || (struck_ && spec_.trouble == CauseSpec::Trouble::kLeave)) return ok();
    const auto text = env_.files.read_all(log());
    return fail(ErrorCode::kJobFailed, fmt::format("the members of {} ended by themselves, with status {}: {}", name_, ended->status, text ? text->substr(text->size() > kTail ? text->size() - kTail : 0) : ""));
  }
  /// Of one look, however long ago that was: end and commits go together.
  double came(const GroupWatch& watch) const { return static_cast<double>(watch.seen(name_).end); }
  double behind(const GroupWatch& watch) const {
    const auto seen = watch.seen(name_);
    return static_cast<double>(seen.end - seen.committed);
  }
  Status end() {
    if (guest_) SUPYO_TRY(guest_->signal(env::ProcessSignal::kTerminate));
    return ended_ ? ok() : (ended_ = true, process_->signal(env::ProcessSignal::kTerminate));
  }

  double offered_before = 0, came_before = 0, behind_before = 0, offered_after = 0, came_after = 0, behind_after = 0, changes_before = 0, changes_after = 0;

 private:
  /// One member more, which leaves again; another application's is away no longer than a restart takes, and both stay for the last looks.
  Status visit(TimeUs now) {
    if (now < next_visit_us_ || (guest_ && now > calm_us_)) return ok();
    if (!guest_) {
      SUPYO_ASSIGN(guest_, env_.processes->start(visitor_));
      leaves_ = false;
      next_visit_us_ = now + kVisit;
      return ok();
    }
    if (!std::exchange(leaves_, true)) SUPYO_TRY(guest_->signal(env::ProcessSignal::kTerminate));
    SUPYO_ASSIGN(const auto left, guest_->poll());   // it says good-bye to its group first
    if (!left) return ok();
    guest_.reset();
    next_visit_us_ = now + kAway;
    return ok();
  }

  std::string log() const { return env::join_path(directory_, name_ + ".log"); }
  env::Env env_;
  CauseSpec spec_;
  std::string name_, directory_;
  env::SeededRandom random_;
  std::unique_ptr<connect::RecordProducer> client_;
  std::optional<NumberedProducer> producer_;
  std::unique_ptr<env::Process> process_, guest_;
  env::Program visitor_;
  std::vector<std::string> works_;
  TimeUs calm_us_ = 0, next_visit_us_ = 0;
  bool struck_ = false, ended_ = false, leaves_ = false;
};

class Batches {
 public:
  Batches(const env::Env& env, const FitScenario& s, const std::string& servers, const RunOptions& options, LabResult& result) : env_(env), s_(s), servers_(servers), options_(options), r_(result) {}

  Status run(const std::vector<CauseSpec>& specs) {
    SUPYO_ASSIGN(watch_us_, s_.duration(s_.watch));
    SUPYO_ASSIGN(const std::uint64_t at_once, s_.count(s_.at_once));
    r_.fault.name = "fault";
    r_.control.name = std::string("control");
    for (Arm* a : {&r_.fault, &r_.control}) {
      for (const char* count : {"sent", "acked", "failed", "unknown"}) a->counts[count] = 0;
      for (const char* column : {"offered", "behind"}) a->columns.push_back({column, "records", {}});
    }
    begin_us_ = env_.clock.monotonic_us();
    for (std::size_t i = 0; i < specs.size(); i += at_once) {
      if (options_.progress) options_.progress("causes", static_cast<double>(i) / static_cast<double>(specs.size()));
      runs_.clear();
      for (std::size_t k = i; k < std::min<std::size_t>(specs.size(), i + at_once); ++k)
        runs_.push_back(std::make_unique<Run>(env_, specs[k], fmt::format("g{}-{}", env::new_uuid(env_.random).substr(0, 8), k), options_.directory, s_.seed * 1000 + k));
      const Status done = batch(i);
      for (const auto& r : runs_)
        if (options_.cluster) remove_topic(servers_, r->name());
      SUPYO_TRY(done);
    }
    return ok();
  }

 private:
  Status batch(std::size_t first) {
    GroupWatch::Options watched{.servers = servers_, .groups = {}, .every_us = kSecond / 2};
    for (const auto& r : runs_) {
      SUPYO_TRY(r->start(servers_, s_.statistics));
      watched.groups[r->name()] = {r->name(), static_cast<int>(r->spec().partitions)};
    }
    SUPYO_ASSIGN(const auto watch, GroupWatch::start(env_, std::move(watched)));
    const TimeUs until = env_.clock.monotonic_us() + kReady;
    while (!std::ranges::all_of(runs_, [&](const auto& r) { return r->ready(*watch); })) {
      if (env_.clock.monotonic_us() > until) return fail(ErrorCode::kJobFailed, fmt::format("the members are not all in their groups after {} s", kReady / kSecond), "fewer at_once; or is the machine too busy?");
      SUPYO_TRY(pause());
    }
    const TimeUs warm = env_.clock.monotonic_us() + kWarm;
    while (env_.clock.monotonic_us() < warm) SUPYO_TRY(turn(*watch));
    const TimeUs from = env_.clock.monotonic_us();
    for (const auto& r : runs_) {
      r->changes_before = static_cast<double>(watch->changes(r->name()).size());
      SUPYO_TRY(r->strike(from, from + watch_us_));
    }
    for (const auto& r : runs_) r->offered_before = static_cast<double>(r->producer().counts().offered), r->came_before = r->came(*watch), r->behind_before = r->behind(*watch);
    SUPYO_ASSIGN(const auto causes, diagnosis(*watch, first));
    const double took = static_cast<double>(env_.clock.monotonic_us() - from) / kSecond;
    for (const auto& r : runs_) r->changes_after = static_cast<double>(watch->changes(r->name()).size());
    for (const auto& r : runs_) r->offered_after = static_cast<double>(r->producer().counts().offered), r->came_after = r->came(*watch), r->behind_after = r->behind(*watch);
    SUPYO_TRY(settle());
    for (std::size_t i = 0; i < runs_.size(); ++i) count(*runs_[i], first + i, causes, took);
    return ok();
  }

  Result<std::map<std::string, std::string>> diagnosis(const GroupWatch& watch, std::size_t first) {
    const std::string out = env::join_path(options_.directory, fmt::format("diagnosis-{}.json", first));
    SUPYO_ASSIGN(const std::string program, env_.processes->own_program());
    env::Program p{.arguments = {program, "diagnose", "--bootstrap", servers_, "--for", fmt::format("{}ms", watch_us_ / kMillisecond), "--every", "2s", "--json"}, .out = env::ProgramOutput::to_file(out),
                   .error = env::ProgramOutput::to_file(out + ".log")};
    for (const auto& r : runs_) {
      p.arguments.insert(p.arguments.end(), {"--group", r->name()});
      for (const std::string& work : r->works()) p.arguments.insert(p.arguments.end(), {"--clients", work});
    }
    SUPYO_ASSIGN(const auto process, env_.processes->start(p));
    while (true) {
      SUPYO_ASSIGN(const auto ended, process->poll());
      if (ended) break;
      SUPYO_TRY(turn(watch));
    }
    const auto text = env_.files.read_all(out);
    auto causes = text ? named_causes(*text, s_.labels) : Result<std::map<std::string, std::string>>(std::unexpected(text.error()));
    if (causes) return causes;
    const auto said = env_.files.read_all(out + ".log");
    return fail(ErrorCode::kJobFailed, fmt::format("supyo diagnose gave no report: {}; it said: {}", causes.error().message, said ? said->substr(0, kTail) : ""));
  }

  Status turn(const GroupWatch& watch) {
    const TimeUs now = env_.clock.monotonic_us();
    for (const auto& r : runs_) {
      SUPYO_TRY(r->lives());
      SUPYO_TRY(r->turn(now));
    }
    if (now >= sample_us_) {
      sample_us_ = now + kSample;
      for (const bool healthy : {false, true}) {
        Arm& a = healthy ? r_.control : r_.fault;
        double offered = 0, behind = 0;
        for (const auto& r : runs_) {
          if ((s_.labels[r->spec().label] == kHealthy) != healthy) continue;
          offered += static_cast<double>(r->producer().counts().offered);
          behind += std::max(0.0, r->behind(watch));
        }
        a.t_s.push_back(static_cast<double>(now - begin_us_) / kSecond);
        a.columns[0].values.push_back(offered);
        a.columns[1].values.push_back(behind);
      }
    }
    return pause();
  }

  /// Every record is reported; then the members go.
  Status settle() {
    const TimeUs until = env_.clock.monotonic_us() + kSettle;
    while (env_.clock.monotonic_us() < until && !std::ranges::all_of(runs_, [](const auto& r) { return r->producer().settled(); })) {
      for (const auto& r : runs_) SUPYO_TRY(r->producer().turn(env_.clock.monotonic_us(), true));
      SUPYO_TRY(pause());
    }
    for (const auto& r : runs_) SUPYO_TRY(r->end());
    return ok();
  }

  void count(const Run& r, std::size_t number, const std::map<std::string, std::string>& causes, double took) {
    const std::string& label = s_.labels[r.spec().label];
    Arm& arm = label == kHealthy ? r_.control : r_.fault;
    const NumberedProducer::Counts& p = r.producer().counts();
    arm.counts["sent"] += static_cast<double>(p.offered);
    arm.counts["acked"] += static_cast<double>(p.acknowledged);
    arm.counts["failed"] += static_cast<double>(p.failed + p.refused);
    arm.counts["unknown"] += static_cast<double>(p.unknown);
    const auto named = causes.find(r.name());
    const std::string name = named == causes.end() ? "not known" : named->second;
    const auto index = std::ranges::find(s_.labels, name);
    const double offered = r.offered_after - r.offered_before, came = r.came_after - r.came_before, t = static_cast<double>(env_.clock.monotonic_us() - begin_us_) / kSecond;
    r_.trials.push_back({"causes", label, t, {{"run", static_cast<double>(number)}, {"label", static_cast<double>(r.spec().label)}, {"named", index == s_.labels.end() ? -1 : static_cast<double>(index - s_.labels.begin())},
                                              {"offered", offered / (r.spec().rate * took)}, {"grew", came > 0 ? (r.behind_after - r.behind_before) / came : 0},
                                              {"changes", r.changes_after - r.changes_before}, {"each", r.spec().rate / static_cast<double>(r.spec().partitions)}}});
    if (name != label) arm.timeline.emplace_back(t, fmt::format("run {}: {}, named {}", number, label, name));
  }

  Status pause() const {
    SUPYO_TRY(options_.go_on());
    env_.threads->idle(kTurn);
    return ok();
  }

  env::Env env_;
  const FitScenario& s_;
  const std::string& servers_;
  const RunOptions& options_;
  LabResult& r_;
  DurationUs watch_us_ = 0;
  TimeUs begin_us_ = 0, sample_us_ = 0;
  std::vector<std::unique_ptr<Run>> runs_;
};

}  // namespace

Result<std::vector<CauseSpec>> draw_causes(const FitScenario& s) {
  SUPYO_ASSIGN(const std::uint64_t runs, s.count(s.runs));
  SUPYO_ASSIGN(const double strain, s.value(s.strain, kNumber));
  env::SeededRandom random(s.seed);
  std::vector<std::size_t> labels(runs);
  for (std::size_t i = 0; i < runs; ++i) labels[i] = i % s.labels.size();
  for (std::size_t i = labels.size(); i > 1; --i) std::swap(labels[i - 1], labels[random.below(i)]);
  std::vector<CauseSpec> out;
  for (const std::size_t label : labels) {
    out.push_back(draw(s.labels[label], strain, random));
    out.back().label = label;
  }
  return out;
}

Result<std::map<std::string, std::string>> named_causes(std::string_view diagnosis, const std::vector<std::string>& labels) {
  const auto json = nlohmann::json::parse(diagnosis, nullptr, false);
  if (!json.is_object() || !json.contains("groups") || !json["groups"].is_array()) return fail(ErrorCode::kMalformedRecord, "this is no report of supyo diagnose --json");
  std::map<std::string, std::string> out;
  for (const auto& g : json["groups"]) {
    if (!g.is_object() || !g.contains("findings")) continue;
    std::string cause(kHealthy);
    if (const auto& all = g["findings"]; !all.empty()) {
      const auto& worst = all[0];   // ranked
      // Information is no trouble; but what could not be said is not health either.
      const std::string named = worst.value("cause", "");
      if (worst.value("severity", "") != "info" || named == "not-enough-data" || std::ranges::find(labels, named) != labels.end()) cause = named;
    }
    out[g.value("name", "")] = cause;
  }
  return out;
}

Status run_causes(const env::Env& env, const FitScenario& scenario, const std::string& servers, const RunOptions& options, LabResult& result) {
  SUPYO_ASSIGN(const auto specs, draw_causes(scenario));
  return Batches(env, scenario, servers, options, result).run(specs);
}

}  // namespace supyo::scenario
