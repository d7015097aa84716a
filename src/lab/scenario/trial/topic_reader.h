#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::scenario {

/// Gives every record's value of partition 0, from its start to the end that it has now, read_committed, in order. False: the end was not reached in `limit_us`.
/// Errors: those of GroupConsumer and KafkaAdmin, and what `each` says.
Result<bool> read_topic(const env::Env& env, const std::string& servers, const std::string& topic, DurationUs limit_us, const std::function<Status(std::string_view value)>& each);

/// Records of a topic that were numbered in the order in which they were sent, as they lie there.
struct OrderCheck {
  std::uint64_t records = 0;
  std::uint64_t repeated = 0;      ///< records whose id was there before
  std::uint64_t inversions = 0;    ///< first occurrences that come after a higher one
  void add(std::uint64_t id);
  bool has(std::uint64_t id) const { return id < seen_.size() && seen_[id]; }

 private:
  std::vector<bool> seen_;
  std::uint64_t highest_ = 0;
};

}  // namespace supyo::scenario
