#pragma once
#include <string>
#include <utility>
#include <vector>

#include "lab/scenario/result.h"

namespace supyo::report {

/// One self-contained page over many labs: each with its verdict, the one that its file announces, and why, and a link to its own page, NAME/report.html beside this one. Below, for labs in which
/// readers were promised something: when the promise was broken, beside when a lag alarm called. `labs`: names, as their folders are called, with their results.
std::string render_index(const std::vector<std::pair<std::string, scenario::LabResult>>& labs);

}  // namespace supyo::report
