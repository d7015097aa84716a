#include "lab/scenario/declaration.h"

#include <cmath>

namespace supyo::scenario {

Result<DurationUs> Declaration::duration(std::string_view expression) const {
  SUPYO_ASSIGN(const double v, value(expression, kSeconds));
  return static_cast<DurationUs>(std::llround(v * 1e6));
}

Result<std::uint64_t> Declaration::count(std::string_view expression, Unit unit) const {
  SUPYO_ASSIGN(const double v, value(expression, unit));
  return static_cast<std::uint64_t>(std::llround(v));
}

void describe_declaration(const Declaration& declared, LabResult& result) {
  result.lab = declared.lab;
  result.title = declared.title;
  result.hypothesis = declared.hypothesis;
  result.seed = declared.seed;
  result.expected = declared.expect;
  result.plots = declared.plots;
  result.tiles = declared.tiles;
  for (const auto& [name, k] : declared.knobs) result.config["knob " + name] = k.text;
}

}  // namespace supyo::scenario
