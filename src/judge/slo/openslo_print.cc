#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <set>

#include "judge/slo/openslo.h"

namespace supyo::slo {
namespace {

std::string quoted(const std::string& s) {
  YAML::Emitter e;
  e << YAML::DoubleQuoted << s;
  return e.c_str();
}

/// `text` as a comment-free header: apiVersion, kind, metadata with a name.
std::string header(std::string_view kind, const std::string& name) { return fmt::format("---\napiVersion: openslo/v1\nkind: {}\nmetadata:\n  name: {}\n", kind, name); }

std::string notes(const Notes& n, bool annotations) {
  std::string out;
  if (!n.labels.empty()) out += fmt::format("  labels: {}\n", n.labels);
  if (annotations && !n.annotations.empty()) out += fmt::format("  annotations: {}\n", n.annotations);
  return out;
}

/// Alerts are told apart by all that they say: two objectives that share one share its policy.
std::string key(const BurnAlert& a) {
  return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}", a.name, a.severity, a.threshold, a.long_window_us, a.short_window_us, a.hold_us, a.tells_end, fmt::join(a.targets, ","));
}

std::string print_policy(const BurnAlert& a, const std::string& name) {
  std::string out = header("AlertPolicy", name) + fmt::format("spec:\n  alertWhenNoData: true\n  alertWhenBreaching: true\n  alertWhenResolved: {}\n  conditions:\n    - kind: AlertCondition\n", a.tells_end);
  out += fmt::format("      metadata:\n        name: {}\n        annotations: {{supyo.dev/shortWindow: {}}}\n", quoted(a.name), duration_text(a.short_window_us));
  out += fmt::format("      spec:\n        severity: {}\n        condition: {{kind: burnrate, op: gte, threshold: {}, lookbackWindow: {}, alertAfter: {}}}\n", a.severity, a.threshold,
                     duration_text(a.long_window_us), a.hold_us == 0 ? "0m" : duration_text(a.hold_us));
  if (!a.targets.empty()) out += "  notificationTargets:\n";
  for (const std::string& target : a.targets) out += fmt::format("    - targetRef: {}\n", target);
  return out;
}

std::string print_slo(const Objective& o, const std::vector<std::string>& policies) {
  std::string out = header("SLO", o.name);
  if (!o.display_name.empty()) out += fmt::format("  displayName: {}\n", quoted(o.display_name));
  out += notes(o.notes, false);
  out += fmt::format("  annotations:\n    supyo.dev/clock: {}\n    supyo.dev/reference: {}\n    supyo.dev/role: {}\n", clock_name(o.clock), reference_name(o.reference), role_name(o.role));
  if (!o.identity.empty()) out += fmt::format("    supyo.dev/identity: {}\n", quoted(fmt::format("{}", fmt::join(o.identity, ","))));
  if (!o.notes.annotations.empty())
    for (const auto& note : YAML::Load(o.notes.annotations)) {
      YAML::Emitter value;
      value << YAML::Flow << YAML::DoubleQuoted << note.second;
      out += fmt::format("    {}: {}\n", quoted(note.first.Scalar()), value.c_str());
    }
  out += "spec:\n";
  if (!o.description.empty()) out += fmt::format("  description: {}\n", quoted(o.description));
  if (!o.service.empty()) out += fmt::format("  service: {}\n", quoted(o.service));
  const bool slices = o.measure == Measure::kFreshness;
  const bool ratio = !o.has_threshold() || o.measure == Measure::kProcessingSuccess;
  const std::string source = fmt::format("metricSource: {{metricSourceRef: supyo, type: supyo, spec: {{measure: {}}}}}", measure_name(o.measure));
  out += fmt::format("  indicator:\n    metadata: {{name: {}}}\n    spec:\n", o.name);
  out += ratio ? fmt::format("      ratioMetric:\n        counter: true\n        good: {{{}}}\n        total: {{{}}}\n", source, source) : fmt::format("      thresholdMetric:\n        {}\n", source);
  out += fmt::format("  timeWindow:\n    - {{duration: {}, isRolling: true}}\n", duration_text(o.window_us));
  out += fmt::format("  budgetingMethod: {}\n  objectives:\n    - ", slices ? "Timeslices" : "Occurrences");
  if (o.has_threshold()) out += fmt::format("op: {}\n      value: {}\n      ", o.at_most ? "lte" : "lt", static_cast<double>(o.threshold_us) / 1e6);
  out += fmt::format("target: {}\n", o.target);
  if (slices) out += fmt::format("      timeSliceTarget: {}\n      timeSliceWindow: {}\n", o.slice_target, duration_text(o.slice_us));
  out += policies.empty() ? "  alertPolicies: []\n" : "  alertPolicies:\n";
  for (const std::string& policy : policies) out += fmt::format("    - alertPolicyRef: {}\n", policy);
  return out;
}

}  // namespace

std::string print_openslo(const Objectives& objectives) {
  std::string out = header("DataSource", "supyo") + "spec:\n  type: supyo\n  connectionDetails: {}\n";
  std::set<std::string> used;
  std::map<std::string, ServiceDeclaration> services;
  for (const ServiceDeclaration& s : objectives.services) services.emplace(s.name, s);
  for (const Objective& o : objectives.items)
    if (!o.service.empty()) services.emplace(o.service, ServiceDeclaration{.name = o.service});
  for (const auto& [name, s] : services) {
    out += header("Service", name) + (s.display_name.empty() ? "" : fmt::format("  displayName: {}\n", quoted(s.display_name))) + notes(s.notes, true);
    out += s.description.empty() ? "spec: {}\n" : fmt::format("spec:\n  description: {}\n", quoted(s.description));
  }
  for (const NotificationTarget& t : objectives.targets) {
    out += header("AlertNotificationTarget", t.name) + fmt::format("spec:\n  target: {}\n", quoted(t.target));
    if (!t.description.empty()) out += fmt::format("  description: {}\n", quoted(t.description));
  }
  std::map<std::string, std::string> policies;  // alert -> name of its policy
  std::string slos;
  for (const Objective& o : objectives.items) {
    std::vector<std::string> names;
    for (const BurnAlert& a : o.alerts) {
      auto it = policies.find(key(a));
      if (it == policies.end()) {
        std::string name = a.name;
        std::transform(name.begin(), name.end(), name.begin(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 ? static_cast<char>(std::tolower(c)) : '-'; });
        while (!used.insert(name).second) name += "-2";
        it = policies.emplace(key(a), name).first;
        out += print_policy(a, name);
      }
      names.push_back(it->second);
    }
    slos += print_slo(o, names);
  }
  return out + slos;
}

}  // namespace supyo::slo
