#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "lab/scenario/declaration.h"
#include "lab/scenario/replica/model_client.h"
#include "lab/scenario/replica/replica_cluster.h"

/// Labs about a replicated partition (`kind: replica`): what acknowledged records survive when brokers stop, die and come back.
namespace supyo::scenario {

/// "0", "1", "all", as files and Kafka's clients write it; and back from a knob's value, where all is infinity (kBadConfigFile).
std::string_view acks_name(Acks a);
Result<Acks> acks_of(double value);

/// One thing that is done to brokers. Who they are is settled when the fault begins: the leader of that moment, and its followers.
struct ReplicaStep {
  enum class Kind : std::uint8_t { kStop, kContinue, kKill, kStart, kCut, kHeal } kind = Kind::kStop;
  enum class Who : std::uint8_t { kLeader, kFollowers, kFirstFollower, kSecondFollower };
  std::string at;                    ///< an expression: since the fault began
  std::vector<Who> who;
};
std::string_view step_name(ReplicaStep::Kind k);
std::string_view who_name(ReplicaStep::Who w);

/// Further arms: other knobs, another fault, more trials.
struct ReplicaArmSpec {
  std::string fault;                 ///< of `faults`; empty: the file's
  std::string trials;                ///< an expression; empty: the file's
  bool model_only = false;           ///< real brokers cannot be made to do it
  std::map<std::string, std::string> knobs;
};

struct ReplicaScenario : Declaration {
  std::map<std::string, std::string> cluster, workload, phases;   ///< expressions over the knobs, by field
  std::string trials;
  std::map<std::string, std::vector<ReplicaStep>> faults;         ///< "none" is always there
  std::string fault;                                              ///< of the arm "fault"
  std::map<std::string, ReplicaArmSpec> arms;                     ///< "control" must be among them
  std::map<std::string, std::string> real;                        ///< knobs for real brokers
};

/// One arm with every expression worked out.
struct ReplicaPlan {
  struct Step {
    DurationUs at_us = 0;
    ReplicaStep::Kind kind = ReplicaStep::Kind::kStop;
    std::vector<ReplicaStep::Who> who = {};
  };
  std::string arm = {};
  ReplicaSettings cluster = {};
  ModelProducerOptions producer = {};
  std::int64_t record_bytes = 100;
  DurationUs baseline_us = 0, fault_us = 0, recovery_us = 0;
  std::vector<Step> steps = {};           ///< in order of time
  int trials = 1;
  std::uint64_t seed = 1;
  bool kills_leader() const;
};

Result<ReplicaScenario> parse_replica_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr);
Result<ReplicaScenario> load_replica_scenario(env::Files& files, const std::string& path);
/// What an arm sets a knob to: a value, or another knob's.
std::string arm_knob_text(const ReplicaScenario& scenario, const std::string& text);
/// The plan of "fault" or of one of `arms`.
Result<ReplicaPlan> plan_of(const ReplicaScenario& scenario, const std::string& arm);

}  // namespace supyo::scenario
