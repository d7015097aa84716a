#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "lab/scenario/expression.h"
#include "lab/scenario/result.h"
#include "lab/scenario/scenario.h"

namespace supyo::scenario {

/// What the files of all labs but those about pipelines declare alike.
struct Declaration {
  std::string lab, title, hypothesis, file;
  Verdict expect = Verdict::kConfirmed;
  std::map<std::string, Knob, std::less<>> knobs;
  std::uint64_t seed = 1;
  /// Measures worked out from others, in the file's order: a name and its formula.
  std::vector<std::pair<std::string, Expression>> derive;
  std::vector<Guard> guards;
  std::vector<Prediction> predict;
  std::optional<Expression> verdict;
  std::vector<Plot> plots;
  std::vector<Tile> tiles;

  /// An expression's value over the knobs, in the unit asked for (0 and infinity fit any). Errors: kBadConfigFile.
  Result<double> value(std::string_view expression, Unit unit) const { return value_over(knobs, expression, unit); }
  Result<DurationUs> duration(std::string_view expression) const;
  /// A whole number: of records, or a plain one.
  Result<std::uint64_t> count(std::string_view expression, Unit unit = kNumber) const;
};

/// A lab with a producer that sends at a fixed rate. Texts are expressions over the knobs.
struct PacedDeclaration : Declaration {
  std::string rate, record_size;               ///< records a second, bytes
  DurationUs linger_us = 10 * kMillisecond;    ///< it sends what is due this often
};

inline Status set_knob(Declaration& declared, std::string_view assignment) { return set_knob(declared.knobs, declared.lab, assignment); }

/// Fills in what a result says of the file: names, seed, plots, knobs.
void describe_declaration(const Declaration& declared, LabResult& result);

}  // namespace supyo::scenario
