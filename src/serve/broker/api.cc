#include "serve/broker/api.h"

#include <algorithm>
#include <array>

namespace supyo::broker {
namespace {

constexpr std::int16_t kNo = kNeverFlexible;

// Upper ends stay below what would need topic ids (Fetch 13, Produce 13), KIP-890's second part (Produce 12, EndTxn 4..), or share groups.
// Produce tells 0: librdkafka before 2.11 takes the absence of old versions for the absence of compression (KAFKA-18659).
constexpr std::array kApis = {
    ApiVersions{Api::kProduce, 3, 11, 9, 0},
    ApiVersions{Api::kFetch, 4, 12, 12, 4},
    ApiVersions{Api::kListOffsets, 1, 7, 6, 1},
    ApiVersions{Api::kMetadata, 0, 12, 9, 0},
    ApiVersions{Api::kOffsetCommit, 2, 9, 8, 2},
    ApiVersions{Api::kOffsetFetch, 1, 9, 6, 1},
    ApiVersions{Api::kFindCoordinator, 0, 4, 3, 0},
    ApiVersions{Api::kJoinGroup, 2, 9, 6, 2},
    ApiVersions{Api::kHeartbeat, 0, 4, 4, 0},
    ApiVersions{Api::kLeaveGroup, 0, 5, 4, 0},
    ApiVersions{Api::kSyncGroup, 0, 5, 4, 0},
    ApiVersions{Api::kDescribeGroups, 0, 5, 5, 0},
    ApiVersions{Api::kListGroups, 0, 5, 3, 0},
    ApiVersions{Api::kSaslHandshake, 0, 1, kNo, 0},
    ApiVersions{Api::kApiVersions, 0, 4, 3, 0},
    ApiVersions{Api::kCreateTopics, 2, 7, 5, 2},
    ApiVersions{Api::kDeleteTopics, 1, 6, 4, 1},
    ApiVersions{Api::kDeleteRecords, 0, 2, 2, 0},
    ApiVersions{Api::kInitProducerId, 0, 4, 2, 0},
    ApiVersions{Api::kOffsetForLeaderEpoch, 2, 4, 4, 2},
    ApiVersions{Api::kAddPartitionsToTxn, 0, 3, 3, 0},
    ApiVersions{Api::kAddOffsetsToTxn, 0, 3, 3, 0},
    ApiVersions{Api::kEndTxn, 0, 3, 3, 0},
    ApiVersions{Api::kTxnOffsetCommit, 0, 3, 3, 0},
    ApiVersions{Api::kDescribeConfigs, 1, 4, 4, 1},
    ApiVersions{Api::kAlterConfigs, 0, 2, 2, 0},
    ApiVersions{Api::kDescribeLogDirs, 1, 4, 2, 1},
    ApiVersions{Api::kCreatePartitions, 0, 3, 2, 0},
    ApiVersions{Api::kDeleteGroups, 0, 2, 2, 0},
    ApiVersions{Api::kIncrementalAlterConfigs, 0, 1, 1, 0},
    ApiVersions{Api::kOffsetDelete, 0, 0, kNo, 0},
    ApiVersions{Api::kDescribeCluster, 0, 1, 0, 0},
    ApiVersions{Api::kDescribeProducers, 0, 0, 0, 0},
    ApiVersions{Api::kDescribeTransactions, 0, 0, 0, 0},
    ApiVersions{Api::kListTransactions, 0, 1, 0, 0},
};

}  // namespace

std::span<const ApiVersions> supported_apis() { return kApis; }

const ApiVersions* find_api(std::int16_t api) {
  const auto* found = std::ranges::find_if(kApis, [api](const ApiVersions& a) { return static_cast<std::int16_t>(a.api) == api; });
  return found == kApis.end() ? nullptr : found;
}

std::string_view api_name(Api api) {
  switch (api) {
    case Api::kProduce: return "Produce";
    case Api::kFetch: return "Fetch";
    case Api::kListOffsets: return "ListOffsets";
    case Api::kMetadata: return "Metadata";
    case Api::kOffsetCommit: return "OffsetCommit";
    case Api::kOffsetFetch: return "OffsetFetch";
    case Api::kFindCoordinator: return "FindCoordinator";
    case Api::kJoinGroup: return "JoinGroup";
    case Api::kHeartbeat: return "Heartbeat";
    case Api::kLeaveGroup: return "LeaveGroup";
    case Api::kSyncGroup: return "SyncGroup";
    case Api::kDescribeGroups: return "DescribeGroups";
    case Api::kListGroups: return "ListGroups";
    case Api::kSaslHandshake: return "SaslHandshake";
    case Api::kApiVersions: return "ApiVersions";
    case Api::kCreateTopics: return "CreateTopics";
    case Api::kDeleteTopics: return "DeleteTopics";
    case Api::kDeleteRecords: return "DeleteRecords";
    case Api::kInitProducerId: return "InitProducerId";
    case Api::kOffsetForLeaderEpoch: return "OffsetForLeaderEpoch";
    case Api::kAddPartitionsToTxn: return "AddPartitionsToTxn";
    case Api::kAddOffsetsToTxn: return "AddOffsetsToTxn";
    case Api::kEndTxn: return "EndTxn";
    case Api::kTxnOffsetCommit: return "TxnOffsetCommit";
    case Api::kDescribeConfigs: return "DescribeConfigs";
    case Api::kAlterConfigs: return "AlterConfigs";
    case Api::kDescribeLogDirs: return "DescribeLogDirs";
    case Api::kCreatePartitions: return "CreatePartitions";
    case Api::kDeleteGroups: return "DeleteGroups";
    case Api::kIncrementalAlterConfigs: return "IncrementalAlterConfigs";
    case Api::kOffsetDelete: return "OffsetDelete";
    case Api::kDescribeCluster: return "DescribeCluster";
    case Api::kDescribeProducers: return "DescribeProducers";
    case Api::kDescribeTransactions: return "DescribeTransactions";
    case Api::kListTransactions: return "ListTransactions";
  }
  return "unknown";
}

}  // namespace supyo::broker
