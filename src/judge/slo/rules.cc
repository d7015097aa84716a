#include "judge/slo/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace supyo::slo {
namespace {

constexpr DurationUs kNowView = kMinute;
constexpr DurationUs kLongWindow = 6 * kHour;   // windows above it are evaluated once a minute: they read days of samples

/// A YAML scalar in single quotes.
std::string yaml(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c;
    if (c == '\'') out += c;
  }
  return out + "'";
}

std::string selector(const Objective& o, const RuleOptions& options) {
  std::string s = fmt::format("{{objective=\"{}\",service=\"{}\"", o.name, o.service);
  if (!options.matchers.empty()) s += "," + options.matchers;
  return s + "}";
}

std::string ratio_name(DurationUs window) { return "objective:supyo_slo_errors:ratio" + duration_text(window); }

/// What a recorded ratio is found by: the labels that the rule gave it.
std::string recorded(const Objective& o, DurationUs window) { return fmt::format("{}{{objective=\"{}\",service=\"{}\"}}", ratio_name(window), o.name, o.service); }

/// What a counter grew by, as the judge counts it: the difference of two samples that lie the window apart. increase() guesses what was before a range's first scrape and after its last (a range of a minute that
/// does not begin with a scrape holds 45 s of scrapes every 15 s, and nothing of scrapes every minute). What is younger than the window grew since its first sample; increase()
/// has its place where the counter began anew, and where the guess is nothing beside the window.
std::string grown(const std::string& counter, DurationUs window) {
  const std::string w = duration_text(window), increase = fmt::format("increase({}[{}])", counter, w);
  return window > kLongWindow ? increase : fmt::format("({0} - {0} offset {1} >= 0 or {0} - min_over_time({0}[{1}])) and resets({0}[{1}]) == 0 or {2}", counter, w, increase);
}

/// Bad and all are summed first and divided once. What no reader can see yet counts at its age. Without events there is no value.
std::string ratio(const Objective& o, DurationUs window, const RuleOptions& options) {
  const std::string s = selector(o, options);
  return fmt::format("(sum({1}) + sum(supyo_slo_unfinished_bad_events{0})) / (sum({2}) + sum(supyo_slo_unfinished_events{0}) > 0)", s, grown("supyo_slo_bad_events_total" + s, window),
                     grown("supyo_slo_events_total" + s, window));
}

std::string labels(const Objective& o) { return fmt::format("objective: {}, service: {}", yaml(o.name), yaml(o.service)); }

class Writer {
 public:
  void group(std::string_view name, bool slow) {
    out_ += fmt::format("- name: {}\n", name);
    if (slow) out_ += "  interval: 1m\n";
    out_ += "  rules:\n";
  }
  void record(const Objective& o, std::string_view name, std::string_view expr) {
    out_ += fmt::format("  - record: {}\n    expr: {}\n    labels: {{{}}}\n", name, yaml(expr), labels(o));
  }
  void alert(std::string_view name, std::string_view expr, DurationUs hold, std::string_view label_text, std::string_view summary, std::string_view description, std::string_view next) {
    out_ += fmt::format("  - alert: {}\n    expr: {}\n", name, yaml(expr));
    if (hold > 0) out_ += fmt::format("    for: {}\n", duration_text(hold));
    out_ += fmt::format("    labels: {{{}}}\n    annotations:\n      summary: {}\n      description: {}\n      next_step: {}\n", label_text, yaml(summary), yaml(description), yaml(next));
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string_view severity(const Objective& o) { return o.role == Role::kDeciding ? "page" : "ticket"; }

std::string alert_labels(const Objective& o, const BurnAlert& a) {
  std::string out = fmt::format("{}, severity: {}, burn: {}", labels(o), a.severity, yaml(a.name));
  if (!a.targets.empty()) out += fmt::format(", notify: {}", yaml(fmt::format("{}", fmt::join(a.targets, ","))));
  return out;
}

std::string broken_text(const Objective& o, std::string_view share) { return fmt::format("Asked: {}. Bad: {}.", o.sentence(), share); }
std::string risk_text(const Objective& o, std::string_view share) { return fmt::format("Asked: {}. Bad in the last minute: {}.", o.sentence(), share); }
std::string unknown_text(const Objective& o) { return fmt::format("Asked: {}. There is no data to judge it by.", o.sentence()); }
std::string burn_text(const Objective& o, const BurnAlert& a, std::string_view burn) {
  return fmt::format("Asked: {}. Over {} the budget burns {} times too fast ({} alerts; {} too).", o.sentence(), show_duration(a.long_window_us), burn, a.threshold, show_duration(a.short_window_us));
}

constexpr std::string_view kNextBurn = "see which records spend the budget: the dashboard Error budgets";
constexpr std::string_view kNextBroken = "see what is slow: supyo diagnose, or the dashboard End to end; consumer lag may look normal";
constexpr std::string_view kNextUnknown = "is the job running, and does Prometheus reach its /metrics? Until then nobody knows whether readers are hurt";

void objective_rules(Writer& out, const Objective& o, const RuleOptions& options) {
  const std::string judged = fmt::format(" and on() (sum(supyo_slo_judged{}) > 0)", selector(o, options));
  const std::string group = fmt::format("supyo-slo-{}{}", o.service.empty() ? "" : o.service + "-", o.name);
  const std::vector<DurationUs> windows = rule_windows(o);
  for (const bool slow : {false, true}) {
    const auto here = [&](DurationUs w) { return (w > kLongWindow) == slow; };
    if (std::none_of(windows.begin(), windows.end(), here)) continue;
    out.group(slow ? group + "-long" : group, slow);
    for (const DurationUs w : windows) if (here(w)) out.record(o, ratio_name(w), ratio(o, w, options));
    if (here(o.window_us)) {
      out.record(o, "objective:supyo_slo_budget_left:ratio", fmt::format("1 - {} / (1 - {})", recorded(o, o.window_us), o.target));
      out.alert("SupyoObjectiveBroken", fmt::format("{} > (1 - {}){}", recorded(o, o.window_us), o.target, judged), 0, fmt::format("{}, severity: {}", labels(o), severity(o)),
                fmt::format("{} is broken", o.name), broken_text(o, "{{ $value | humanizePercentage }}"), kNextBroken);
    }
    for (const BurnAlert& a : o.alerts) {
      if (!here(a.long_window_us)) continue;
      const std::string expr = fmt::format("{0} / (1 - {4}) >= {2} and {1} / (1 - {4}) >= {2}{3}", recorded(o, a.long_window_us), recorded(o, a.short_window_us), a.threshold, judged, o.target);
      out.alert("SupyoErrorBudgetBurn", expr, a.hold_us, alert_labels(o, a), fmt::format("{} burns its error budget", o.name),
                burn_text(o, a, "{{ $value | printf \"%.1f\" }}"), kNextBurn);
    }
    if (slow) continue;
    if (o.role == Role::kDeciding)
      out.alert("SupyoObjectiveAtRisk", fmt::format("{} > (1 - {}){}", recorded(o, kNowView), o.target, judged), 0, fmt::format("{}, severity: warning", labels(o)),
                fmt::format("{} is at risk", o.name), risk_text(o, "{{ $value | humanizePercentage }}"), kNextBroken);
    out.alert("SupyoObjectiveUnknown", fmt::format("absent(sum(supyo_slo_judged{0})) or sum(supyo_slo_judged{0}) == 0", selector(o, options)), 2 * kMinute,
              fmt::format("{}, severity: {}", labels(o), severity(o)), fmt::format("nobody knows whether {} is met", o.name), unknown_text(o), kNextUnknown);
  }
}

/// The decisions that belong to no objective, as Judge takes them.
void pipeline_rules(Writer& out, const RuleOptions& options) {
  const std::string s = options.matchers.empty() ? "" : "{" + options.matchers + "}";
  out.group("supyo-pipeline", false);
  out.alert("SupyoRecordsLost", fmt::format("increase(supyo_lost_records_total{}[10m]) > 0", s), 0, "severity: page", "records were lost",
            "{{ $value | printf \"%.0f\" }} records in the last ten minutes are gone: deleted before they were read.", "raise the retention, or bring the reader back: supyo diagnose names the partition");
  out.alert("SupyoCheckpointFailures", fmt::format("increase(supyo_epochs_failed_total{}[10m]) >= 2", s), 0, "severity: ticket", "epochs fail",
            "{{ $value | printf \"%.0f\" }} epochs failed in the last ten minutes.", "inspect the write path or the state");
  out.alert("SupyoSinkBottleneck", fmt::format("supyo_epoch_commit_seconds{0} >= 0.5 and 2 * supyo_epoch_commit_seconds{0} * rate(supyo_epochs_completed_total{0}[2m]) >= 1", s), 2 * kMinute, "severity: ticket",
            "the sink is the bottleneck", "Making an epoch visible takes {{ $value | humanizeDuration }}, half of an epoch or more.", "raise the sink's parallelism or separate the store");
}

}  // namespace

std::vector<DurationUs> rule_windows(const Objective& o) {
  std::set<DurationUs> all{o.window_us, kNowView};
  for (const BurnAlert& a : o.alerts) all.insert({a.long_window_us, a.short_window_us});
  return {all.begin(), all.end()};
}

Status check_matchers(std::string_view text) {
  const auto bad = [&] { return fail(ErrorCode::kUsage, fmt::format("'{}' are no label matchers", text), "write them as in PromQL, equalities only: job=\"supyo\",cluster=\"a\""); };
  std::size_t at = 0;
  const auto name_char = [&] { return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '_'); };
  while (at < text.size()) {
    const std::size_t begin = at;
    if (std::isdigit(static_cast<unsigned char>(text[at])) != 0) return bad();
    while (name_char()) ++at;
    if (at == begin) return bad();
    if (!text.substr(at).starts_with("=\"")) return bad();
    ++at;
    for (++at; at < text.size() && text[at] != '"'; ++at) at += text[at] == '\\' ? 1 : 0;
    if (at >= text.size()) return bad();
    if (++at == text.size()) return ok();
    if (text[at++] != ',' || at == text.size()) return bad();
  }
  return ok();
}

namespace {

/// Unit tests for promtool: samples every 15 s, 100 events a second.
class TestWriter {
 public:
  explicit TestWriter(const RuleOptions& options) : options_(options) {}

  void all_is_well(const Objective& o) {
    begin(o, "all is well", "0+0x80", "1x80");
    for (const char* name : {"SupyoObjectiveBroken", "SupyoErrorBudgetBurn", "SupyoObjectiveAtRisk", "SupyoObjectiveUnknown"}) expect(name, "20m");
  }
  void everything_is_bad(const Objective& o) {
    DurationUs hold = 0;
    for (const BurnAlert& a : o.alerts) hold = std::max(hold, a.hold_us);
    const DurationUs when = 20 * kMinute + hold;
    begin(o, "everything is bad", fmt::format("0+1500x{}", steps(when)), fmt::format("1x{}", steps(when)));
    const std::string at = duration_text(when);
    expect("SupyoObjectiveBroken", at);
    alert(fmt::format("{}, severity: {}", labels(o), severity(o)), fmt::format("{} is broken", o.name), broken_text(o, "100%"), kNextBroken);
    if (o.role == Role::kDeciding) {
      expect("SupyoObjectiveAtRisk", at);
      alert(fmt::format("{}, severity: warning", labels(o)), fmt::format("{} is at risk", o.name), risk_text(o, "100%"), kNextBroken);
    }
    if (!o.alerts.empty()) expect("SupyoErrorBudgetBurn", at);
    for (const BurnAlert& a : o.alerts)
      alert(alert_labels(o, a), fmt::format("{} burns its error budget", o.name), burn_text(o, a, fmt::format("{:.1f}", 1 / (1 - o.target))), kNextBurn);
    expect("SupyoObjectiveUnknown", at);
  }
  /// Bad for ten minutes, then good until the short windows of the fast pairs are clean again (of slower ones it would take hours).
  void it_is_over(const Objective& o) {
    std::vector<const BurnAlert*> fast;
    DurationUs clean = 0;
    for (const BurnAlert& a : o.alerts) {
      if (a.short_window_us > kHour) continue;
      fast.push_back(&a);
      clean = std::max(clean, a.short_window_us + 5 * kMinute);
    }
    if (fast.empty()) return;
    const std::int64_t bad = steps(10 * kMinute), good = steps(clean);
    begin(o, "bad for ten minutes, then over", fmt::format("0+1500x{} {}x{}", bad, 1500 * bad, good), fmt::format("1x{}", bad + good), false);
    out_ += "  promql_expr_test:\n";
    for (const BurnAlert* alert : fast) {
      const BurnAlert& a = *alert;
      const std::string firing = fmt::format("count(ALERTS{{alertname=\"SupyoErrorBudgetBurn\",alertstate=\"firing\",objective=\"{}\",burn=\"{}\"}}) or vector(0)", o.name, a.name);
      for (const auto& [when, fires] : {std::pair{10 * kMinute, a.hold_us < 5 * kMinute}, {10 * kMinute + clean, false}})
        out_ += fmt::format("  - expr: {}\n    eval_time: {}\n    exp_samples: [{{labels: '{{}}', value: {}}}]\n", yaml(firing), duration_text(when), fires ? 1 : 0);
    }
  }
  void nobody_says(const Objective& o) {
    for (const bool gone : {true, false}) {
      out_ += fmt::format("- name: {}\n  interval: 15s\n", yaml(fmt::format("{}: {}", o.name, gone ? "no series" : "not judged")));
      out_ += gone ? "  input_series: []\n" : fmt::format("  input_series: [{{series: {}, values: 0+0x80}}]\n", yaml("supyo_slo_judged" + series_labels(o)));
      out_ += "  alert_rule_test:\n";
      expect("SupyoObjectiveBroken", "10m");
      expect("SupyoObjectiveUnknown", "10m");
      // Of one objective's rules only: the others' series are missing here as well.
      for (const Objective& other : *all_)
        alert(fmt::format("{}, severity: {}", labels(other), severity(other)), fmt::format("nobody knows whether {} is met", other.name), unknown_text(other), kNextUnknown);
    }
  }
  std::string take(const std::vector<Objective>& all, std::string_view rule_file) {
    all_ = &all;
    for (const Objective& o : all) {
      all_is_well(o);
      everything_is_bad(o);
      it_is_over(o);
      nobody_says(o);
    }
    return fmt::format("# Written by `supyo slo rules --tests`: promtool test rules THIS_FILE\nrule_files: [{}]\nevaluation_interval: 15s\ntests:\n", yaml(rule_file)) + std::move(out_);
  }

 private:
  static std::int64_t steps(DurationUs d) { return d / (15 * kSecond); }

  /// The matchers are equalities, so they are labels of the test's series, too.
  std::string series_labels(const Objective& o) const { return selector(o, options_); }

  void begin(const Objective& o, std::string_view what, std::string_view bad, std::string_view judged, bool alerts = true) {
    out_ += fmt::format("- name: {}\n  interval: 15s\n  input_series:\n", yaml(fmt::format("{}: {}", o.name, what)));
    const auto series = [&](const Objective& of, std::string_view name, std::string_view values) {
      out_ += fmt::format("  - {{series: {}, values: {}}}\n", yaml(fmt::format("supyo_slo_{}{}", name, series_labels(of))), values);
    };
    for (const Objective& other : *all_) {
      // The other objectives are judged and have no events, so that only this one has alerts.
      series(other, "judged", other.name == o.name ? judged : "1x2000");
      if (other.name != o.name) continue;
      series(o, "events_total", "0+1500x2000");
      series(o, "bad_events_total", bad);
      series(o, "unfinished_events", "0+0x2000");
      series(o, "unfinished_bad_events", "0+0x2000");
    }
    if (alerts) out_ += "  alert_rule_test:\n";
  }
  void expect(std::string_view alert, std::string_view when) { out_ += fmt::format("  - alertname: {}\n    eval_time: {}\n    exp_alerts:\n", alert, when); }
  void alert(std::string_view label_text, std::string_view summary, std::string_view description, std::string_view next) {
    out_ += fmt::format("    - exp_labels: {{{}}}\n      exp_annotations: {{summary: {}, description: {}, next_step: {}}}\n", label_text, yaml(summary), yaml(description), yaml(next));
  }

  const RuleOptions& options_;
  const std::vector<Objective>* all_ = nullptr;
  std::string out_;
};

}  // namespace

std::string prometheus_rule_tests(const Objectives& objectives, std::string_view rule_file, const RuleOptions& options) {
  return TestWriter(options).take(objectives.items, rule_file);
}

std::string prometheus_rules(const Objectives& objectives, const RuleOptions& options) {
  Writer out;
  for (const Objective& o : objectives.items) objective_rules(out, o, options);
  pipeline_rules(out, options);
  DurationUs longest = 0;
  for (const Objective& o : objectives.items) longest = std::max(longest, rule_windows(o).back());
  return fmt::format("# Written by `supyo slo rules`. Bad and all events are summed and divided once; the longest window is {0}, so Prometheus has to keep that much\n"
                     "# (--storage.tsdb.retention.time={1} or more).\ngroups:\n",
                     show_duration(longest), duration_text(longest)) +
         out.take();
}

}  // namespace supyo::slo
