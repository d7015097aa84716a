#pragma once
#include "core/env/processes.h"

namespace supyo::env {

/// Programs of the machine: posix_spawn, process groups, /proc (Linux).
class RealProcesses final : public Processes {
 public:
  Result<std::unique_ptr<Process>> start(const Program& program) override;
  Result<std::string> find(std::string_view name) const override;
  Result<std::string> own_program() const override;
  std::optional<ProcessUsage> look(const ProcessIdentity& process) const override;
  Result<bool> signal(const ProcessIdentity& process, ProcessSignal signal) override;
  DurationUs own_cpu_us() const override;
};

}  // namespace supyo::env
