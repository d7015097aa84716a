#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "judge/slo/judge.h"
#include "judge/slo/test_promtool.h"
#include "judge/slo/rules.h"

/// The judge in the process and the rules it writes, over the same traces: the same alerts at the same times, within one evaluation.
namespace supyo::slo {
namespace {

constexpr TimeUs kStart = 1'700'000'000 / 3600 * 3600 * kSecond;

/// What promtool's series are made of, and what the judge said, at each evaluation.
struct Trace {
  DurationUs step_us = 0;
  std::string events, bad, unfinished, unfinished_bad, judged;
  std::vector<std::string> names;              ///< of the alerts, as selectors of ALERTS
  std::vector<std::vector<bool>> firing;       ///< by alert and evaluation, as the judge has it
  std::vector<bool> blind;                     ///< evaluations at which Prometheus had no scrape
};

enum class Kind { kSteady, kSpikes, kStalls, kGaps, kMixed };

/// One random history of a job under one objective: each tick some records come, some of them too old, and all before are made visible unless the sink stalls.
class History {
 public:
  History(const Objective& o, Kind kind, std::uint64_t seed, DurationUs step, std::size_t evaluations)
      : objective_(o), kind_(kind), random_(seed), step_(step), evaluations_(evaluations), judge_({.items = {o}, .targets = {}, .file = {}}, {.sample_us = std::min(step, 5 * kSecond), .unknown_after_us = 30 * kDay}) {}

  Trace play() {
    Trace out;
    out.step_us = step_;
    out.names = {"alertname=\"SupyoObjectiveBroken\"", "alertname=\"SupyoObjectiveAtRisk\""};
    for (const BurnAlert& a : objective_.alerts) out.names.push_back(fmt::format("alertname=\"SupyoErrorBudgetBurn\",burn=\"{}\"", a.name));
    out.firing.resize(out.names.size());
    judge_.started({.source_splits = 1}, kStart);
    plan();
    const DurationUs tick = step_ / 3;
    for (std::size_t k = 0; k < evaluations_; ++k) {
      const TimeUs now = kStart + static_cast<TimeUs>(k) * step_;
      judge_.advance(now);
      note(k, out);
      for (int i = 0; i < 3; ++i) this->tick(k, now + i * tick + 1);
    }
    return out;
  }

 private:
  struct Phase {
    std::size_t from, to;
    double bad;
    bool stall, quiet, blind;
  };
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  void plan() {
    static constexpr double kShares[] = {0.0005, 0.002, 0.01, 0.03, 0.08, 0.3, 1.0};
    base_ = kind_ == Kind::kSteady ? kShares[below(7)] : 0;
    const std::size_t phases = kind_ == Kind::kSteady ? 0 : 2 + below(4);
    for (std::size_t i = 0; i < phases; ++i) {
      const std::size_t from = evaluations_ / 10 + below(evaluations_ * 8 / 10), length = 2 + below(evaluations_ / 8);
      const Kind kind = kind_ == Kind::kMixed ? static_cast<Kind>(1 + below(3)) : kind_;
      const bool blind = kind == Kind::kGaps && below(2) == 0;
      phases_.push_back({from, from + length, kind == Kind::kSpikes ? kShares[3 + below(4)] : kShares[below(3)], kind == Kind::kStalls, kind == Kind::kGaps && !blind, blind});
    }
  }

  void tick(std::size_t k, TimeUs now) {
    double bad = base_;
    bool stall = false, quiet = false;
    for (const Phase& p : phases_) {
      if (k < p.from || k >= p.to) continue;
      bad = std::max(bad, p.bad);
      stall |= p.stall;
      quiet |= p.quiet;
    }
    if (!quiet) {
      std::vector<TimeUs> times;
      for (std::size_t i = 60 + below(40); i > 0; --i) times.push_back(now - (static_cast<double>(below(1'000'000)) < bad * 1e6 ? objective_.threshold_us + kSecond : 0));
      judge_.taken({.epoch = Epoch{epoch_}, .event_us = times, .produce_us = times, .now_us = now});
    }
    if (stall) return;
    judge_.epoch_cut(Epoch{epoch_}, now, now);
    judge_.epoch_final(Epoch{epoch_}, now);
    judge_.epoch_visible(Epoch{epoch_}, now);
    ++epoch_;
  }

  void note(std::size_t k, Trace& out) const {
    const ObjectiveStatus s = judge_.objectives()[0];
    bool blind = false;
    for (const Phase& p : phases_) blind |= p.blind && k >= p.from && k < p.to;
    out.blind.push_back(blind);
    const auto put = [&](std::string& series, std::uint64_t v) { series += (series.empty() ? "" : " ") + (blind ? "_" : std::to_string(v)); };
    put(out.events, s.finished.total());
    put(out.bad, s.finished.bad);
    put(out.unfinished, s.unfinished.total());
    put(out.unfinished_bad, s.unfinished.bad);
    put(out.judged, s.judged ? 1 : 0);
    out.firing[0].push_back(s.breached);
    out.firing[1].push_back(s.judged && s.now.total() > 0 && static_cast<double>(s.now.bad) > (1 - objective_.target) * static_cast<double>(s.now.total()));
    for (std::size_t i = 0; i < objective_.alerts.size(); ++i) out.firing[2 + i].push_back(std::ranges::count(s.alerts, objective_.alerts[i].name) > 0);
  }

  const Objective& objective_;
  Kind kind_;
  std::mt19937_64 random_;
  DurationUs step_;
  std::size_t evaluations_;
  Judge judge_;
  double base_ = 0;
  std::vector<Phase> phases_;
  std::int64_t epoch_ = 1;
};

/// A unit test that wants of Prometheus what the judge said, except within one evaluation of a change, and where Prometheus had no scrape now or at a window's begin.
struct Wanted {
  std::string text;
  std::size_t asked = 0, firing = 0, changes = 0;
};
Wanted wanted(const Objective& o, const Trace& t, std::string_view name) {
  Wanted out;
  const std::string labels = fmt::format("{{objective=\"{}\",service=\"{}\"}}", o.name, o.service);
  out.text = fmt::format("rule_files: [rules.yml]\nevaluation_interval: {0}\ntests:\n- name: {1}\n  interval: {0}\n  input_series:\n", duration_text(t.step_us), name);
  for (const auto& [series, values] : {std::pair{"events_total", &t.events}, {"bad_events_total", &t.bad}, {"unfinished_events", &t.unfinished}, {"unfinished_bad_events", &t.unfinished_bad}, {"judged", &t.judged}})
    out.text += fmt::format("  - {{series: 'supyo_slo_{}{}', values: '{}'}}\n", series, labels, *values);
  out.text += "  promql_expr_test:\n";
  // What Prometheus did not see when a window began is missing in its increase until the next scrape.
  std::vector<bool> unsure = t.blind;
  for (std::size_t k = 0; k < unsure.size(); ++k) {
    for (const DurationUs w : rule_windows(o)) {
      const auto back = static_cast<std::size_t>(w / t.step_us);
      unsure[k] = unsure[k] || (k >= back && t.blind[k - back]);
    }
  }
  for (std::size_t a = 0; a < t.names.size(); ++a) {
    const std::vector<bool>& firing = t.firing[a];
    for (std::size_t k = 1; k + 1 < firing.size(); ++k) {
      out.changes += firing[k] != firing[k - 1] ? 1 : 0;
      bool steady = true, edge = k % 16 == 0;
      // An alert may be one evaluation late or early; after a blind time Prometheus needs one to catch up.
      for (std::size_t n = k - 1; n <= k + 1; ++n) steady = steady && firing[n] == firing[k] && !unsure[n];
      for (std::size_t n = k < 4 ? 0 : k - 4; n < std::min(firing.size(), k + 5); ++n) edge = edge || firing[n] != firing[k];
      if (!steady || !edge) continue;
      ++out.asked;
      out.firing += firing[k] ? 1 : 0;
      out.text += fmt::format("  - {{expr: 'count(ALERTS{{{},alertstate=\"firing\"}}) or vector(0)', eval_time: {}, exp_samples: [{{labels: '{{}}', value: {}}}]}}\n", t.names[a],
                              duration_text(static_cast<DurationUs>(k) * t.step_us), firing[k] ? 1 : 0);
    }
  }
  return out;
}

/// 95 % under 5 s over ten minutes, or 99.9 % under 30 s over 30 days with its four burn pairs.
Objective traced(bool month) {
  Objective o;
  o.name = month ? "month" : "ten-minutes";
  o.service = "traced";
  o.clock = LatencyClock::kProduce;
  o.target = month ? 0.999 : 0.95;
  o.threshold_us = (month ? 30 : 5) * kSecond;
  o.window_us = month ? 30 * kDay : 10 * kMinute;
  o.alerts = default_alerts(o);
  return o;
}

/// What tests/slo/traces.py gives to a real server: a trace, and what the judge said of it.
std::string as_json(const Objective& o, const Trace& t) {
  const auto bits = [](const std::vector<bool>& v) {
    std::string text;
    for (const bool b : v) text += b ? '1' : '0';
    return text;
  };
  std::string alerts, windows;
  for (std::size_t i = 0; i < t.names.size(); ++i) {
    const std::string burn = i < 2 ? "" : o.alerts[i - 2].name, alert = i == 0 ? "SupyoObjectiveBroken" : i == 1 ? "SupyoObjectiveAtRisk" : "SupyoErrorBudgetBurn";
    alerts += fmt::format("{}{{\"alert\":\"{}\",\"burn\":\"{}\",\"firing\":\"{}\"}}", i == 0 ? "" : ",", alert, burn, bits(t.firing[i]));
  }
  for (const DurationUs w : rule_windows(o)) windows += fmt::format("{}{}", windows.empty() ? "" : ",", w / kSecond);
  return fmt::format(R"({{"objective":"{}","service":"{}","target":{},"start":{},"step":{},"windows":[{}],"series":{{"events_total":"{}","bad_events_total":"{}","unfinished_events":"{}","unfinished_bad_events":"{}","judged":"{}"}},"blind":"{}","alerts":[{}]}})",
                     o.name, o.service, o.target, kStart / kSecond, t.step_us / kSecond, windows, t.events, t.bad, t.unfinished, t.unfinished_bad, t.judged, bits(t.blind), alerts);
}

Trace trace_of(const Objective& o, bool month, std::uint64_t seed) {
  return History(o, static_cast<Kind>(seed % 5), seed, month ? kMinute : 15 * kSecond, month ? 480 : 160).play();
}

TEST(Agreement, RulesAndJudgeAgreeOverTwentyTraces) {
  if (!Promtool::is_there()) GTEST_SKIP() << "no promtool: apt-get install -y --no-install-recommends prometheus";
  std::size_t asked = 0, firing = 0, changes = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const bool month = seed % 2 == 0;
    const Objective o = traced(month);
    const Promtool promtool("agreement");
    promtool.write("rules.yml", prometheus_rules({.items = {o}, .targets = {}, .file = {}}));
    const Wanted want = wanted(o, trace_of(o, month, seed), fmt::format("seed-{}", seed));
    promtool.write("trace.yml", want.text);
    const auto said = promtool.run("test rules trace.yml");
    EXPECT_TRUE(said.good) << "seed " << seed << "\n" << said.text.substr(0, 2000);
    asked += want.asked;
    firing += want.firing;
    changes += want.changes;
  }
  // A test that finds nothing to compare proves nothing.
  EXPECT_GT(asked, 1500U);
  EXPECT_GT(firing, 300U);
  EXPECT_GT(changes, 40U);
}

/// For tests/slo/traces.py, which gives the directory: each trace under an objective of its own, and the rules of all of them. A scrape each 15 s in all of them: a server evaluates its rules somewhere between two
/// scrapes, and needs two of them within the shortest window.
TEST(Agreement, TracesForARealServer) {
  const char* directory = std::getenv("SUPYO_TRACES");
  if (directory == nullptr) GTEST_SKIP() << "SUPYO_TRACES names no directory: tests/slo/traces.py does";
  Objectives all;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const bool month = seed % 2 == 0;
    Objective o = traced(month);
    o.name = fmt::format("trace-{}", seed);
    std::ofstream(fmt::format("{}/{}.json", directory, o.name)) << as_json(o, History(o, static_cast<Kind>(seed % 5), seed, 15 * kSecond, month ? 1920 : 160).play());
    all.items.push_back(o);
  }
  std::ofstream(fmt::format("{}/rules.yml", directory)) << prometheus_rules(all);
}

TEST(Agreement, PlantedFaultsAreFound) {
  if (!Promtool::is_there()) GTEST_SKIP() << "no promtool: apt-get install -y --no-install-recommends prometheus";
  // Rules that forget what no reader can see yet miss stalls; a wrong window or threshold changes when alerts come and go.
  const std::vector<std::tuple<std::string, std::string, std::uint64_t>> faults{
      {" + sum(supyo_slo_unfinished_bad_events", " + 0 * sum(supyo_slo_unfinished_bad_events", 7}, {"10m", "5m", 11}, {"> (1 - 0.95)", "> (1 - 0.85)", 11}};
  for (const auto& [from, to, seed] : faults) {
    const Objective o = traced(false);
    std::string rules = prometheus_rules({.items = {o}, .targets = {}, .file = {}});
    for (std::size_t at = rules.find(from); at != std::string::npos; at = rules.find(from, at + to.size())) rules.replace(at, from.size(), to);
    const Promtool promtool("planted");
    promtool.write("rules.yml", rules);
    promtool.write("trace.yml", wanted(o, trace_of(o, false, seed), "planted").text);
    EXPECT_FALSE(promtool.run("test rules trace.yml").good) << from;
  }
}

/// The judge's four pairs as Sloth has them: one alert for both pages, one for both tickets.
Trace as_sloth(const Objective& o, const Trace& t) {
  Trace out = t;
  out.names = {"alertname=\"Sloth\",sloth_severity=\"page\"", "alertname=\"Sloth\",sloth_severity=\"ticket\""};
  out.firing.assign(2, std::vector<bool>(t.blind.size()));
  for (std::size_t i = 0; i < o.alerts.size(); ++i) {
    std::vector<bool>& either = out.firing[o.alerts[i].severity == "page" ? 0 : 1];
    for (std::size_t k = 0; k < either.size(); ++k) either[k] = either[k] || t.firing[2 + i][k];
  }
  return out;
}

/// Sloth (github.com/slok/sloth; tests/slo/README.md says how to get it) over the same traces, where SUPYO_SLOTH names its binary.
TEST(Agreement, SlothsRulesAgreeWhereNothingIsUnderWay) {
  const char* sloth = std::getenv("SUPYO_SLOTH");
  if (sloth == nullptr || !Promtool::is_there()) GTEST_SKIP() << "SUPYO_SLOTH names no binary of Sloth";
  const Objective o = traced(true);
  const Promtool promtool("sloth");
  promtool.write("spec.yml", R"(version: prometheus/v1
service: traced
slos:
  - name: month
    objective: 99.9
    sli:
      events:
        error_query: sum(increase(supyo_slo_bad_events_total{objective="month",service="traced"}[{{.window}}]))
        total_query: sum(increase(supyo_slo_events_total{objective="month",service="traced"}[{{.window}}]))
    alerting:
      name: Sloth
      page_alert: {labels: {severity: page}}
      ticket_alert: {labels: {severity: ticket}}
)");
  const auto made = promtool.sh(std::string(sloth) + " generate -i spec.yml -o rules.yml");
  ASSERT_TRUE(made.good) << made.text;
  std::size_t agreed = 0, stalls_differ = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Trace trace = trace_of(o, true, seed);
    const bool stalls = trace.unfinished_bad.find_first_not_of("0 _") != std::string::npos;
    promtool.write("trace.yml", wanted(o, as_sloth(o, trace), fmt::format("seed-{}", seed)).text);
    const auto said = promtool.run("test rules trace.yml");
    if (!stalls) EXPECT_TRUE(said.good) << "seed " << seed << "\n" << said.text.substr(0, 1500);
    agreed += said.good ? 1 : 0;
    stalls_differ += stalls && !said.good ? 1 : 0;
  }
  std::printf("Sloth: the same alerts over %zu of 20 traces; other ones over %zu in which records were under way for long\n", agreed, stalls_differ);
}

}  // namespace
}  // namespace supyo::slo
