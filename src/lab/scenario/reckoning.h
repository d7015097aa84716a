#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "lab/scenario/expression.h"
#include "lab/scenario/result.h"
#include "lab/scenario/scenario.h"

/// What the kinds of labs work out alike, once their measures are there. Pure: from the result and the file, and from nothing else.
namespace supyo::scenario {

/// The measures as formulas see them.
Expression::Lookup lookup_in(const LabResult& result);
/// The first of a name stays.
void add_measure(LabResult& result, std::string name, double value, std::string unit);
/// Measures that the file derives from others, in its order.
Status add_derived(const std::vector<std::pair<std::string, Expression>>& derive, LabResult& result);
/// Puts the predictions beside the measures. kBadConfigFile: of something that nothing measures, or in another unit.
Status apply_predictions(const std::vector<Prediction>& predict, std::string_view file, LabResult& result);
/// The verdict and why, from guards, predictions and formula: INVALID when a guard fails, CONFIRMED when the rest holds, else REFUTED.
Status decide_verdict(const Expression& formula, LabResult& result);

}  // namespace supyo::scenario
