#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "lab/scenario/declaration.h"
#include "lab/scenario/expression.h"
#include "lab/scenario/result.h"
#include "lab/scenario/scenario.h"

/// What the kinds of labs work out alike, once their measures are there. Pure: from the result and the file, and from nothing else.
namespace supyo::scenario {

/// The measures as formulas see them, and the words that a knob may be (all, on, off).
Expression::Lookup lookup_in(const LabResult& result);
/// The first of a name stays.
void add_measure(LabResult& result, std::string name, double value, std::string unit);
/// Takes away what an earlier reckoning left, and adds the knobs.
void begin_reckoning(const Declaration& declared, LabResult& result);
/// A knob as an arm sets it: the measure ARM_knob.
Status add_knob_of_arm(const Declaration& declared, const std::string& arm, const std::string& knob, const std::string& text, LabResult& result);
/// Puts the predictions beside the measures. kBadConfigFile: of something that nothing measures, or in another unit.
Status apply_predictions(const std::vector<Prediction>& predict, std::string_view file, LabResult& result);

/// Whether a guard holds, and why.
using Checked = std::pair<bool, std::string>;
/// The rest, once everything is measured: what the file derives, its predictions, its guards by `check`, and the verdict with its reason: INVALID when a guard fails, CONFIRMED when the rest holds, else REFUTED.
Status judge(const Declaration& declared, LabResult& result, const std::function<Checked(Guard)>& check);

/// Fault, control and all others.
std::vector<const Arm*> arms_of(const LabResult& result);
/// The value of a column at the last sample not after `t_s`; NaN when there is none.
double value_at(const Arm& arm, std::string_view column, double t_s);
/// G1: how fast a column grew from its first sample in [from, to] to its last there, beside the rate that is declared.
Checked offered_rate(const Arm& arm, std::string_view column, double from_s, double to_s, double declared);
/// G3, of every arm.
Checked ledger_balances(const LabResult& result);
/// G5.
Checked recorded(const LabResult& result);

}  // namespace supyo::scenario
