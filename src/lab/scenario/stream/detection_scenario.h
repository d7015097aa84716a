#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "lab/scenario/declaration.h"
#include "lab/scenario/stream/stream_scenario.h"

namespace supyo::scenario {

/// `kind: detection`: many runs of Supyo's own engine in virtual time, each with a trouble, or none, that the seed draws, and the judge beside what readers had by reading. Texts are expressions over the knobs.
struct DetectionScenario : Declaration {
  std::string runs;                           ///< so many
  std::string rate;                           ///< so many records a second at most, a sixth of it at least
  std::string within;                         ///< a breach is to be said so soon
  std::string lenience;                       ///< the judge's thresholds over what readers were promised: above 1 it is deaf (planted)
  bool inject = true;                         ///< off: troubles are drawn, and nothing is done (planted)
  std::vector<std::string> labels;            ///< of kTroubles
};

/// The last three are none: readers have what they were promised, though lag may not look like it.
inline constexpr std::string_view kTroubles[] = {"slow-commit", "failing-checkpoints", "killed-worker", "silent-partition", "late-records", "healthy", "quiet-night", "lag-only"};

/// A run as it is drawn: of the seed, its number and nothing else.
struct DrawnRun {
  std::size_t label = 0;                      ///< index in DetectionScenario::labels
  StreamScenario scenario;                    ///< phases "baseline", the label, "recovery"; no arms
  double rate = 0, rate_in_fault = 0;         ///< records a second
  double kills = 0;                           ///< ordered
};
/// Errors: kBadConfigFile.
Result<DrawnRun> draw_run(const DetectionScenario& scenario, std::uint64_t run);

/// As parse_scenario and load_scenario, with `extends`. Errors: kBadConfigFile with line and column.
Result<DetectionScenario> parse_detection_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr);
Result<DetectionScenario> load_detection_scenario(env::Files& files, const std::string& path);

}  // namespace supyo::scenario
