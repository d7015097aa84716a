#include "judge/diagnosis/finding.h"

#include <algorithm>
#include <tuple>

namespace supyo::diagnosis {

std::string_view cause_name(Cause cause) {
  switch (cause) {
    case Cause::kLossHappened: return "loss-happened";
    case Cause::kLossComing: return "loss-coming";
    case Cause::kNoConsumers: return "no-consumers";
    case Cause::kProcessingBottleneck: return "processing-bottleneck";
    case Cause::kExternalCall: return "external-call";
    case Cause::kAtCapacity: return "at-capacity";
    case Cause::kPartitionSkew: return "partition-skew";
    case Cause::kSlowMember: return "slow-member";
    case Cause::kIdleMembers: return "idle-members";
    case Cause::kRebalanceChurn: return "rebalance-churn";
    case Cause::kEagerAssignor: return "eager-assignor";
    case Cause::kPollEviction: return "poll-eviction";
    case Cause::kDeadStaticMember: return "dead-static-member";
    case Cause::kOversizedGroup: return "oversized-group";
    case Cause::kTooManyPartitions: return "too-many-partitions";
    case Cause::kCheckpointSawTooth: return "checkpoint-saw-tooth";
    case Cause::kFrozenOffsets: return "frozen-offsets";
    case Cause::kStuck: return "stuck";
    case Cause::kHiddenLag: return "hidden-lag";
    case Cause::kRetentionCannotWork: return "retention-cannot-work";
    case Cause::kOrphanInternalTopic: return "orphan-internal-topic";
    case Cause::kStuckCompaction: return "stuck-compaction";
    case Cause::kDurabilityRisk: return "durability-risk";
    case Cause::kDiskForecast: return "disk-forecast";
    case Cause::kCheckpointsFail: return "checkpoints-fail";
    case Cause::kEngineRestarts: return "engine-restarts";
    case Cause::kSinkBackpressure: return "sink-backpressure";
    case Cause::kWatermarkStalled: return "watermark-stalled";
    case Cause::kNotEnoughData: return "not-enough-data";
    case Cause::kUnknownGroup: return "unknown-group";
  }
  return "?";
}

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::kInfo: return "info";
    case Severity::kTicket: return "ticket";
    case Severity::kIncident: return "incident";
  }
  return "?";
}

void rank(std::vector<Finding>& findings) {
  std::ranges::sort(findings, [](const Finding& a, const Finding& b) { return std::tie(b.severity, b.weight, a.subject) < std::tie(a.severity, a.weight, b.subject); });
}

Severity worst(const std::vector<Finding>& findings) {
  Severity all = Severity::kInfo;
  for (const Finding& f : findings) all = std::max(all, f.severity);
  return all;
}

}  // namespace supyo::diagnosis
