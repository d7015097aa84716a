#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connect/stream/stream_options.h"
#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo::connect {

/// One record as a group member gets it. Views are valid until the next poll().
struct GroupRecord {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  TimeUs timestamp_us = 0;
  std::optional<std::string_view> key = {}, value = {};   ///< absent is not the same as empty
};

/// What happened to a member besides records, in the order in which the member met it.
struct GroupEvent {
  enum class Kind : std::uint8_t {
    kAssigned, kRevoked, kLost,   ///< partitions came; went; went without a chance to commit
    kPositionGone,                ///< the position was not in the log: `from` is the one it wanted, `to` where it goes on (-1: it does not, reset = error)
    kCommitted, kCommitFailed,    ///< `to`: the offset, of the one partition
    kError,                       ///< something that the client goes on from by itself, or that poll() says too: `text`
  } kind = Kind::kError;
  std::vector<std::int32_t> partitions = {};
  std::int64_t from = -1, to = -1;
  std::string text = {};
};

enum class GroupReset : std::uint8_t { kEarliest, kLatest, kError };

struct GroupConsumerOptions {
  std::string servers, topic, group;
  std::string client_id = {}, static_id = {};
  GroupReset reset = GroupReset::kEarliest;
  bool auto_commit = false;           ///< the client's own, as librdkafka does by default: what was handed over counts as done
  bool read_committed = true;
  /// By Java's names, as 'properties.*' of a source; besides session.timeout.ms, heartbeat.interval.ms, max.poll.interval.ms, auto.commit.interval.ms,
  /// group.protocol and partition.assignment.strategy (range, roundrobin, cooperative-sticky). Others: kUnknownOption.
  ClientProperties properties = {};
  std::vector<std::pair<std::string, std::string>> client_settings = {};   ///< librdkafka's own names, over all else, for labs that must set what Java's names do not reach
  std::function<bool()> stopped = {};   ///< asked ten times a second while commit() waits: once it says true, only two more seconds
};

/// A member of a consumer group, outside of any job: `supyo consume` and labs. One thread polls it; the client has threads of its own.
///
/// A reset is librdkafka's own, in its own time: it happens in the background when a fetch is refused, while records before it still wait in the client's queue, and
/// the application is told nothing. kPositionGone is therefore put together of two things: what the client wrote to its log (the position that was refused), and
/// the next record or end of the partition that comes out of the queue at another offset than expected. A gap without a refused fetch is none: transactions and
/// compaction leave such.
class GroupConsumer {
 public:
  /// Joins when polled. Errors: kUnknownTable, kOutsideUnavailable, kBadOptionValue, kUnknownOption.
  static Result<std::unique_ptr<GroupConsumer>> open(const GroupConsumerOptions& options);
  /// Leaves the group (a static member does not: the broker keeps its place). Does not commit.
  virtual ~GroupConsumer() = default;

  /// The next record, waiting up to `wait_us` for it; null when there is none in that time or something else came. Errors: kOffsetOutOfRange with reset = error, once
  /// (also for a group without a committed position); kOutsideUnavailable for what the client cannot go on from.
  virtual Result<std::optional<GroupRecord>> poll(DurationUs wait_us) = 0;
  /// Events since the last call.
  virtual std::vector<GroupEvent> events() = 0;
  /// Commits `offset` (the next to read) of a partition; waits for the answer when `wait` says so, else it comes as an event. Errors: kOutsideUnavailable, also when nobody
  /// answered and it was told to stop: then the broker may have taken it or not.
  virtual Status commit(std::int32_t partition, std::int64_t offset, bool wait) = 0;
  /// The next offset that the client would fetch from the broker (what it keeps in its queue lies before it), as it said up to a second ago; -1: not assigned or not known yet.
  virtual std::int64_t fetch_position(std::int32_t partition) const = 0;
  /// The settings in effect, those that matter, in order of name.
  virtual std::vector<std::pair<std::string, std::string>> settings() const = 0;
};

}  // namespace supyo::connect
