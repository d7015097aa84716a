#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::scenario {

/// How a member's thread spends its time, told a line a second as judge/diagnosis/client_log.h reads them. One thread: the one that it is of.
class WorkMeter {
 public:
  /// The file is new. Without it (empty path) nothing is told. Errors: kAlreadyExistsOnDisk, kIo.
  static Result<WorkMeter> start(const env::Env& env, const std::string& path, std::string group, std::string client);

  void begin();                           ///< of a handler
  void end();
  void late() { ++late_; }                ///< its client had left for the poll timeout
  Status tell();                          ///< when a second is over
  /// The CPU time of this thread; with `waiting`, also the time that it wanted a CPU and had none. As the kernel counts them (schedstat: steps of a tick); wall time where it does not.
  DurationUs cpu_us(bool waiting) const;

 private:
  WorkMeter(const env::Env& env, std::string group, std::string client) : env_(env), group_(std::move(group)), client_(std::move(client)) {}

  env::Env env_;
  std::string group_, client_;
  std::unique_ptr<env::File> scheduler_, file_;   // the thread's counters; what is told
  std::uint64_t size_ = 0;
  TimeUs since_us_ = 0, begun_us_ = 0;
  DurationUs begun_cpu_us_ = 0, busy_us_ = 0, busy_cpu_us_ = 0;
  std::uint64_t records_ = 0, late_ = 0;
};

}  // namespace supyo::scenario
