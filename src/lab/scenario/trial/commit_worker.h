#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/env/env.h"
#include "lab/scenario/trial/declared.h"

namespace supyo::scenario {

/// A consumer process of the lab commit-order: takes batches from its group's client, applies each record to its journal, and commits in the given order.
struct CommitWorker {
  std::string servers, topic, group;
  std::string member;                ///< static: a new life takes the dead one's place at once instead of waiting for the session's end
  CommitOrder order = CommitOrder::kBefore;
  std::string journal;               ///< a new file
  std::string output;                ///< kTransaction: the topic that it writes to, "ID LIFE" a record; the journal is then a diary only
  std::uint64_t life = 0;
  std::uint64_t batch = 100;
  double handler = 1'000;            ///< records a second
  DurationUs interval_us = kSecond;
};

/// Runs until `stopped` says so; then what was taken is handled and committed. Errors: those of GroupConsumer, TransactionProducer and the journal.
Status run_commit_worker(const env::Env& env, const CommitWorker& worker, const std::function<bool()>& stopped);

/// A record's value: its id, a word for its handler, and as much more as makes it `size` bytes.
std::string numbered_value(std::uint64_t id, std::size_t size, std::string_view word = {});
/// The id of a value, and of "ID LIFE" both. kMalformedRecord.
Result<std::uint64_t> id_of_value(std::string_view value, std::uint64_t* life = nullptr);

}  // namespace supyo::scenario
