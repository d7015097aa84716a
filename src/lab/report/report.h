#pragma once
#include <string>

#include "lab/scenario/result.h"

namespace supyo::report {

/// One self-contained HTML page of a lab's outcome: no script, no network, every chart drawn as SVG. Reads in light and dark, wide and narrow, on paper,
/// and without colour. Everything on it comes from `result`; all text is escaped.
std::string render_html(const scenario::LabResult& result);

/// The outcome in a few lines for the console.
std::string render_text(const scenario::LabResult& result);

}  // namespace supyo::report
