#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::scenario {

/// What a Kafka broker has of a partition on its disk, read while it does not run.
struct BrokerLog {
  std::int64_t end = 0;            ///< after its last whole batch
  std::int32_t last_epoch = -1;    ///< of the leader that wrote that batch
};

/// `directory`: of the partition, DATA/TOPIC-PARTITION. Reads the headers of the batches of the last segment (format v2: https://kafka.apache.org/documentation/#recordbatch); a batch that was half written ends it,
/// as it does when the broker starts again. Errors: kOutsideUnavailable (no segment is there), those of Files.
Result<BrokerLog> read_broker_log(env::Files& files, const std::string& directory);

/// The leader epochs of a partition and the offset at which each begins, from `leader-epoch-checkpoint` beside its segments. Errors: kMalformedRecord, those of Files.
Result<std::vector<std::pair<std::int32_t, std::int64_t>>> read_leader_epochs(env::Files& files, const std::string& directory);

}  // namespace supyo::scenario
