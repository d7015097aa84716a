#include "cli/verdict.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

#include "cli/context.h"
#include "judge/slo/feasibility.h"
#include "judge/slo/openslo.h"

namespace supyo::cli {
namespace {

std::string share(double value) { return slo::show_share(std::floor(value * 1e5) / 1e5); }

/// Names of the objectives that the timeline says were broken.
std::set<std::string> broken_once(const slo::Judge& judge) {
  std::set<std::string> names;
  for (const slo::TimelineEvent& event : judge.timeline()) {
    for (const slo::Objective& objective : judge.declared().items) {
      if (event.what == fmt::format("objective {} broken", objective.name)) names.insert(objective.name);
    }
  }
  return names;
}

}  // namespace

Verdict verdict_of(const slo::Judge& judge) {
  Verdict verdict;
  const std::set<std::string> broken = broken_once(judge);
  const std::vector<slo::ObjectiveStatus> statuses = judge.objectives();
  const bool decides = std::ranges::any_of(judge.declared().items, [](const slo::Objective& o) { return o.role == slo::Role::kDeciding; });
  bool breached = false, undecided = false;
  std::string advice;
  std::string rows;
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const slo::Objective& objective = judge.declared().items[i];
    const slo::ObjectiveStatus& status = statuses[i];
    const bool bad = status.breached || broken.contains(objective.name);
    const bool deciding = objective.role == slo::Role::kDeciding;
    breached |= bad && deciding;
    // Where none decides, what is not known of the others is not met either.
    undecided |= !status.judged && !bad && (deciding || !decides);
    if (bad && !deciding) advice += (advice.empty() ? "; advising ones are broken: " : ", ") + objective.name;
    const std::string_view word = bad ? "BROKEN" : status.judged ? "MET" : "UNKNOWN";
    const double good = 1 - status.window.bad_share();
    verdict.text += fmt::format("  {:<8} {:<24} {}\n", word, objective.name, objective.sentence());
    verdict.text += status.window.total() == 0 ? fmt::format("{:35}nothing was counted in its window\n", "")
                                                : fmt::format("{:35}{} of {} good at the end, {} asked{}{}\n", "", share(good), grouped(status.window.total()),
                                                              share(objective.target), bad && !status.breached ? "; broken earlier in the run" : "", deciding ? "" : " (advising)");
    rows += fmt::format("{}{{\"name\":{},\"verdict\":\"{}\",\"deciding\":{},\"good\":{},\"bad\":{},\"target\":{},\"budget_left\":{:.6g}}}", i > 0 ? "," : "",
                        json_string(objective.name), word, deciding, status.window.good, status.window.bad, objective.target, status.budget_left);
  }
  verdict.exit_status = breached ? kBreached : undecided ? kUndecided : kFine;
  const std::string_view word = breached ? "BREACHED" : undecided ? "UNDECIDED" : "MET";
  verdict.text = fmt::format("objectives: {}{}{}\n", word, undecided && !breached ? ", too little was seen to say" : "", advice) + verdict.text;
  verdict.json = fmt::format("{{\"verdict\":\"{}\",\"state\":\"{}\",\"objectives\":[{}]}}", word, slo::state_name(judge.decision().state), rows);
  return verdict;
}

Verdict nothing_judged(std::string_view why) {
  return {fmt::format("objectives: UNDECIDED, {}\n", why), R"({"verdict":"UNDECIDED","state":"UNKNOWN","objectives":[]})", kUndecided};
}

Result<slo::Objectives> load_objectives(const std::string& text, const std::string& file) {
  SUPYO_ASSIGN(slo::Objectives objectives, slo::parse_openslo(text, file));
  SUPYO_TRY(slo::check_consistent(objectives));
  return objectives;
}

}  // namespace supyo::cli
