#pragma once
#include <string>

#include "judge/slo/judge.h"

namespace supyo::cli {

/// How a judged run ended: text for people, JSON, and the exit status (0 met, 3 breached, 4 too little was seen).
struct Verdict {
  std::string text;
  std::string json;   ///< one object
  int exit_status = 0;
};

/// An objective counts as breached when it was broken at any moment of the run. Only deciding objectives decide.
Verdict verdict_of(const slo::Judge& judge);

/// Nothing ran, so nothing is known: never a green light.
Verdict nothing_judged(std::string_view why);

/// Reads an objectives file and refuses contradictions. Errors: those of parse_openslo and check_consistent.
Result<slo::Objectives> load_objectives(const std::string& text, const std::string& file);

}  // namespace supyo::cli
