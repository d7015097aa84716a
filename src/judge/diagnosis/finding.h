#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace supyo::diagnosis {

/// What a diagnosis can say. The names (`cause_name`) are stable: tests, JSON and the docs use them.
enum class Cause : std::uint8_t {
  // what has happened to readers, or will
  kLossHappened, kLossComing,
  // why a group is behind
  kNoConsumers, kProcessingBottleneck, kExternalCall, kAtCapacity, kPartitionSkew, kSlowMember, kIdleMembers, kRebalanceChurn, kEagerAssignor, kPollEviction, kDeadStaticMember,
  kOversizedGroup, kTooManyPartitions, kCheckpointSawTooth, kFrozenOffsets, kStuck, kHiddenLag,
  // what is wrong with topics and brokers
  kRetentionCannotWork, kOrphanInternalTopic, kStuckCompaction, kDurabilityRisk, kDiskForecast,
  // of a stream processor
  kCheckpointsFail, kEngineRestarts, kSinkBackpressure, kWatermarkStalled,
  // nothing that can be said
  kNotEnoughData, kUnknownGroup,
};
/// "partition-skew", "rebalance-churn", ..
std::string_view cause_name(Cause cause);

/// How much it matters. kInfo: nothing to do; kTicket: inspect it in working hours; kIncident: readers lose or wait now.
enum class Severity : std::uint8_t { kInfo, kTicket, kIncident };
std::string_view severity_name(Severity severity);   ///< "info", "ticket", "incident"

/// A number that a finding rests on.
struct Number {
  std::string name;
  double value = 0;
  std::string unit = {};   ///< "records", "records/s", "s", "share", "bytes", ..; empty: a count
};

struct Finding {
  Cause cause = Cause::kNotEnoughData;
  Severity severity = Severity::kInfo;
  double weight = 0;                 ///< 0..100: how surely this is it, and how much of the trouble it explains; the order of findings of one severity
  std::string subject;               ///< "group orders", "topic clicks", "clicks/3", "broker 2"
  std::string what;                  ///< one sentence
  std::vector<Number> numbers = {};
  std::string next;                  ///< what to do
};

/// Incidents first, then by weight.
void rank(std::vector<Finding>& findings);
/// The worst; kInfo of none.
Severity worst(const std::vector<Finding>& findings);

}  // namespace supyo::diagnosis
