#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "lab/stack/stack.h"
#include "lab/stack/supervisor.h"

namespace supyo::stack {

/// Version of Flink that deploy/flink pins.
inline constexpr std::string_view kFlinkVersion = "2.1.3";

/// What a JVM of Flink is started with besides its class path: Java's own packages that Flink looks into, as its scripts say.
std::vector<std::string> flink_jvm_arguments();

/// A TaskManager's memory. Flink's scripts work it out; without them every part must be given. Bytes.
struct FlinkMemory {
  std::int64_t framework_heap = 128 << 20, task_heap = 640 << 20, direct = 256 << 20, managed = 64 << 20, metaspace = 256 << 20;
  std::string configuration() const;              ///< lines of config.yaml
  std::vector<std::string> jvm_arguments() const;
};

/// Directory of Flink: lib/ (with its Kafka connector), gateway/ and plugins/, below `downloads`. Fetched with pip and Maven, which know where this machine looks, when it is not there; the pinned checksums
/// are checked each time. Errors: kProgramMissing (python3, mvn, tar), kOutsideUnavailable (one of them failed: the end of what it said), kDamaged.
Result<std::string> flink_home(const env::Env& env, const std::string& downloads, const UpHooks& hooks);

/// A session cluster: JobManager (REST API and page 18081, metrics 9250), a TaskManager of four slots (metrics 9251) and an SQL gateway (18083). Ports without offset. Not 8081, Flink's own: that is `supyo run --serve`.
/// Checkpoints and savepoints go into the JobManager's directory.
std::vector<Service> flink_services(const StackOptions& options, const std::string& java, const std::string& home, const std::string& stack_directory);

}  // namespace supyo::stack
