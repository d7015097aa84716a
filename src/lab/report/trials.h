#pragma once
#include <string>

#include "lab/scenario/result.h"

/// The parts of a page about many like experiments (kind "trials"): tables, and clouds of points.
namespace supyo::report {

/// What each consumer's ends, or each arm's producer, came to. Empty when there are neither trials nor outcomes.
std::string trials_section(const scenario::LabResult& result);

/// A figure with one mark a trial of the arm "fault", by two of its values; groups differ by shape and colour.
std::string points_figure(const scenario::LabResult& result, const scenario::Plot& plot);

}  // namespace supyo::report
