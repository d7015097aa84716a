#pragma once
#include <cstdint>
#include <map>
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

/// A TaskManager's memory. Flink's scripts work it out; without them every part must be given. Bytes.
struct FlinkMemory {
  std::int64_t framework_heap = 128 << 20, task_heap = 640 << 20, direct = 256 << 20, managed = 64 << 20, metaspace = 256 << 20;
};

/// What config.yaml says of a session cluster on loopback, whoever starts it.
struct FlinkConfiguration {
  std::uint16_t rpc = 0, rest = 0, blob = 0;      ///< ports; blob 0: any
  int slots = 1;                                  ///< of each TaskManager
  FlinkMemory memory = {};
  std::string directory = {};                     ///< checkpoints/ and savepoints/ are in it
  std::string store = "file";                     ///< scheme of the file system that checkpoints go to
  std::string text() const;
};

/// How one JVM of Flink is started, without its distribution's scripts.
struct FlinkJvm {
  std::string java, home;                         ///< home as flink_home() gives it
  std::string configuration;                      ///< directory of config.yaml and log4j.properties
  std::vector<std::string> arguments = {};        ///< of this JVM alone
  std::vector<std::string> more_jars = {};        ///< directories of `home` whose jars it takes besides lib/ and gateway/
  std::vector<std::string> job_manager() const;
  std::vector<std::string> task_manager(const std::string& id, const FlinkMemory& memory) const;
  std::vector<std::string> sql_gateway(std::uint16_t port) const;
  std::map<std::string, std::string> environment() const;

 private:
  std::vector<std::string> command(const std::vector<std::string>& memory, const std::vector<std::string>& program) const;
};

/// Directory of Flink: lib/ (with its Kafka connector), gateway/ and plugins/, below `downloads`. Fetched with pip and Maven, which know where this machine looks, when it is not there; the pinned checksums
/// are checked each time. Errors: kProgramMissing (python3, mvn, tar), kOutsideUnavailable (one of them failed: the end of what it said), kDamaged.
Result<std::string> flink_home(const env::Env& env, const std::string& downloads, const UpHooks& hooks);

/// A session cluster: JobManager (REST API and page 18081, metrics 9250), a TaskManager of four slots (metrics 9251) and an SQL gateway (18083). Ports without offset. Not 8081, Flink's own: that is `supyo run --serve`.
/// Checkpoints and savepoints go into the JobManager's directory.
std::vector<Service> flink_services(const StackOptions& options, const std::string& java, const std::string& home, const std::string& stack_directory);

}  // namespace supyo::stack
