#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// Which of Kafka's requests this broker answers, in which versions (kafka.apache.org/protocol; KIP-896 for the oldest that clients of 4.x still speak).
namespace supyo::broker {

enum class Api : std::int16_t {
  kProduce = 0, kFetch = 1, kListOffsets = 2, kMetadata = 3, kOffsetCommit = 8, kOffsetFetch = 9, kFindCoordinator = 10, kJoinGroup = 11, kHeartbeat = 12,
  kLeaveGroup = 13, kSyncGroup = 14, kDescribeGroups = 15, kListGroups = 16, kSaslHandshake = 17, kApiVersions = 18, kCreateTopics = 19, kDeleteTopics = 20,
  kDeleteRecords = 21, kInitProducerId = 22, kOffsetForLeaderEpoch = 23, kAddPartitionsToTxn = 24, kAddOffsetsToTxn = 25, kEndTxn = 26,
  kTxnOffsetCommit = 28, kDescribeConfigs = 32, kAlterConfigs = 33, kDescribeLogDirs = 35, kCreatePartitions = 37, kDeleteGroups = 42,
  kIncrementalAlterConfigs = 44, kOffsetDelete = 47, kDescribeCluster = 60, kDescribeProducers = 61, kDescribeTransactions = 65, kListTransactions = 66,
};

struct ApiVersions {
  Api api;
  std::int16_t oldest;
  std::int16_t newest;
  std::int16_t flexible;     ///< first version with compact fields and tags
  std::int16_t advertised;   ///< oldest version told to clients
};
inline constexpr std::int16_t kNeverFlexible = 1000;

/// All that is answered, by number.
std::span<const ApiVersions> supported_apis();
/// Null when this broker does not answer it at all.
const ApiVersions* find_api(std::int16_t api);

/// Kafka's name of a request: "Produce".
std::string_view api_name(Api api);

/// Kafka's error codes, by the names of the protocol page.
enum class Code : std::int16_t {
  kUnknownServerError = -1, kNone = 0, kOffsetOutOfRange = 1, kCorruptMessage = 2, kUnknownTopicOrPartition = 3, kLeaderNotAvailable = 5,
  kNotLeaderOrFollower = 6, kRequestTimedOut = 7, kMessageTooLarge = 10, kOffsetMetadataTooLarge = 12, kCoordinatorNotAvailable = 15, kNotCoordinator = 16,
  kInvalidTopic = 17, kRecordListTooLarge = 18, kNotEnoughReplicas = 19, kInvalidRequiredAcks = 21, kIllegalGeneration = 22, kInconsistentGroupProtocol = 23,
  kInvalidGroupId = 24, kUnknownMemberId = 25, kInvalidSessionTimeout = 26, kRebalanceInProgress = 27, kInvalidCommitOffsetSize = 28, kInvalidTimestamp = 32,
  kUnsupportedSaslMechanism = 33, kUnsupportedVersion = 35, kTopicAlreadyExists = 36, kInvalidPartitions = 37, kInvalidReplicationFactor = 38,
  kInvalidReplicaAssignment = 39, kInvalidConfig = 40, kInvalidRequest = 42, kUnsupportedForMessageFormat = 43, kPolicyViolation = 44,
  kOutOfOrderSequence = 45, kDuplicateSequence = 46, kInvalidProducerEpoch = 47, kInvalidTxnState = 48, kInvalidProducerIdMapping = 49,
  kInvalidTransactionTimeout = 50, kConcurrentTransactions = 51, kTransactionalIdAuthorizationFailed = 53, kOperationNotAttempted = 55, kStorageError = 56,
  kUnknownProducerId = 59, kNonEmptyGroup = 68, kGroupIdNotFound = 69, kFetchSessionIdNotFound = 70, kFencedLeaderEpoch = 74, kUnknownLeaderEpoch = 75,
  kMemberIdRequired = 79, kGroupMaxSizeReached = 81, kFencedInstanceId = 82, kUnstableOffsetCommit = 88, kGroupSubscribedToTopic = 86, kInvalidRecord = 87,
  kTransactionCoordinatorFenced = 52, kUnsupportedCompressionType = 76, kProducerFenced = 90, kUnknownTopicId = 100,
  kTransactionalIdNotFound = 105,
};

}  // namespace supyo::broker
