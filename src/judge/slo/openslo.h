#pragma once
#include <string>
#include <string_view>

#include "judge/slo/objective.h"

namespace supyo::slo {

/// Reads objectives in OpenSLO v1 (https://github.com/openslo/openslo, `apiVersion: openslo/v1`): `kind: SLO` documents, and the `kind: AlertPolicy`
/// documents that they name. What OpenSLO has no field for is an annotation:
///   supyo.dev/clock: event | produce          supyo.dev/reference: record | completion          supyo.dev/role: deciding | advising
/// The indicator's metric source has `type: supyo` and `spec: {measure: NAME}` with the names of `Measure`.
/// `file` is for messages only. Errors: kBadConfigFile (text that is not YAML or does not fit the schema) and kObjectiveInvalid (a value that makes
/// no sense: target outside 0..1, an alert that can never fire), each with line and column.
Result<Objectives> parse_openslo(std::string_view text, std::string_view file);

/// The same objectives as OpenSLO v1 text; parse_openslo() reads it back to equal objectives.
std::string print_openslo(const Objectives& objectives);

}  // namespace supyo::slo
