#pragma once
#include <string>

#include "core/env/env.h"
#include "engine/runtime/job_stats.h"

namespace supyo::runtime {

inline constexpr std::string_view kControlDirectory = "control";
inline constexpr std::string_view kStatusFile = "status.json";
inline constexpr std::string_view kRequestSuffix = ".request";

/// The running job's side of control.h. Coordinator's thread. Trouble with these files never harms the job: it is passed over.
class ControlServer {
 public:
  ControlServer(const env::Env& env, std::string state_dir);

  struct Requests {
    bool stop = false;
    bool drain = false;
    bool savepoint = false;
  };
  /// What was asked since the last call; looks at most a few times a second.
  Requests poll();
  /// The savepoint that was asked for is taken: tells the client.
  void savepoint_taken();
  bool wants_status() const;
  /// Replaces status.json; not durable, it is only for looking at.
  void publish(const JobStats& stats, bool now);

 private:
  env::Env env_;
  std::string dir_;
  bool virtual_time() const { return env_.threads == nullptr; }

  std::uint64_t polls_ = 0;
  TimeUs next_look_us_ = 0;
  TimeUs next_status_us_ = 0;
};

}  // namespace supyo::runtime
