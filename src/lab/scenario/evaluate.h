#pragma once
#include "lab/scenario/result.h"
#include "lab/scenario/scenario.h"

namespace supyo::scenario {

/// Works out everything that follows from what was recorded: the measures, the alarms, the guards and the verdict. Pure: the same data give the same
/// verdict, whoever asks. INVALID when a guard fails; else CONFIRMED when the verdict formula holds and every prediction does; else REFUTED.
/// Errors: a formula that names what nothing measured (kBadConfigFile).
Status evaluate(const Scenario& scenario, LabResult& result);

/// The alarm of the raw lag rule, sample by sample, and the Burrow status (0 OK, 1 WARNING, 2 STOP, 3 STALL, 4 REWIND), for the report's strips.
std::vector<bool> raw_alarm_strip(const LabResult& result);

}  // namespace supyo::scenario
