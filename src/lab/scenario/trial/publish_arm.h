#pragma once
#include <string>

#include "core/env/env.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/trial/declared.h"

namespace supyo::scenario {

struct PublishArmRequest {
  PublishArm arm;
  std::string directory;             ///< for a broker of its own
  double samples_s = 0;              ///< columns go on until then, so that all arms' are equally long
};

/// One arm, on a broker of its own (embedded) or on the cluster. Columns, sampled ten times a second: offered, acked, failed, unknown, refused, waiting (taken by the
/// client and not reported), silence_s (since the last acknowledgement). Counts: evaluate_publish() names them; those of the fault as its probe saw it: stopped_s, stood (1: the broker was
/// seen standing at both ends of the stop and used no CPU in it), resets.
Result<Arm> run_publish_arm(const env::Env& env, const PublishScenario& scenario, const PublishArmRequest& request, const RunOptions& options);

}  // namespace supyo::scenario
