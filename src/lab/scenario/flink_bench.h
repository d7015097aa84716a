#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "lab/scenario/bench.h"
#include "lab/scenario/runner.h"

namespace supyo::scenario {

/// A scenario as a real Flink runs it between Kafka and Iceberg (`real: flink` of its file): the same pipeline in a text of its own, with ${SERVERS}, ${PREFIX} and ${DATA}.
struct OnFlink {
  std::string pipeline;
  double scale = 0.25;               ///< of phases and windows
};
/// Errors: kUnsupported when the file has no such part; those of load_scenario.
Result<OnFlink> load_on_flink(env::Files& files, const std::string& path);

/// A job of a real Flink between a topic of a real Kafka (options.cluster, options.flink) and an Iceberg table in the arm's directory; both arms on one Flink, which ends with the last of its pipelines. Real time only.
std::unique_ptr<Bench> make_flink_bench(const env::Env& env, const RunOptions& options);

}  // namespace supyo::scenario
