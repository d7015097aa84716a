#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/net.h"

namespace supyo::connect {

/// What a broker has on its disks: sizes of partitions, how far a replica's log end is from the high watermark (of a leader: records that no consumer sees yet), the disk.
struct LogDirs {
  struct Partition {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t bytes = 0, lag = 0;
  };
  struct Directory {
    std::string path;
    std::int64_t total_bytes = -1, usable_bytes = -1;   ///< -1: not told (before Kafka 3.3)
    std::vector<Partition> partitions = {};
  };
  std::vector<Directory> directories = {};
};

/// Asks the broker at `address` (DescribeLogDirs, version 4 and, where that is refused, 1). librdkafka has no such call; so it is plain text only, and needs an address, not a name.
/// Errors: kOutsideUnavailable (no answer in time), kNotAllowed (access list: Describe on the cluster), kMalformedRecord (an answer that is none).
Result<LogDirs> describe_log_dirs(const env::Env& env, const env::NetAddress& address, DurationUs timeout_us);

/// The answer's bytes behind its length, of that version. For tests and the fuzzer.
Result<LogDirs> parse_log_dirs(std::string_view bytes, int version);

}  // namespace supyo::connect
