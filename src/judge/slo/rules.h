#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "judge/slo/objective.h"

namespace supyo::slo {

struct RuleOptions {
  std::string matchers;      ///< more label matchers for every series, as PromQL writes them: `job="supyo",cluster="a"`; equalities, checked by check_matchers()
};

/// kUsage unless `matchers` is a list of label matchers (name, =, quoted text), or empty.
Status check_matchers(std::string_view matchers);

/// Recording and alerting rules for the series that a judged job exports (docs/reference/metrics.md, "Objectives"), as a Prometheus rule file.
///
/// For each objective and each window that it or an alert looks at: the share of bad events, bad and all summed over every job that exports the objective
/// and divided once, events that no reader can see yet at their age included, as Judge counts them. Alerts, with the labels `objective`, `service`,
/// `severity` and, where the file names targets, `notify`:
///   SupyoObjectiveBroken    over its own window        page (deciding) or ticket (advising)
///   SupyoErrorBudgetBurn    a burn-rate pair           by the pair; label `burn` is its name
///   SupyoObjectiveAtRisk    over the last minute       warning; deciding objectives only
///   SupyoObjectiveUnknown   nobody says how it stands  page or ticket: missing data is never good
/// and once: SupyoRecordsLost (page), SupyoCheckpointFailures (ticket), SupyoSinkBottleneck (ticket).
std::string prometheus_rules(const Objectives& objectives, const RuleOptions& options = {});

/// Unit tests of these rules for `promtool test rules`, which finds the rules in `rule_file` (relative to where the tests lie).
std::string prometheus_rule_tests(const Objectives& objectives, std::string_view rule_file, const RuleOptions& options = {});

/// Every window that the rules of `o` look at, ascending.
std::vector<DurationUs> rule_windows(const Objective& o);

}  // namespace supyo::slo
