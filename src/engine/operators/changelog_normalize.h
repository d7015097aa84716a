#pragma once
#include <string>
#include <vector>

#include "engine/dataflow/operator.h"

namespace supyo::operators {

/// Turns the rows of an upsert source (the last row of a key wins; a delete holds nothing but its key) into a changelog that any operator can take:
/// +I for a new key, -U +U (without `update_before` only +U) for a changed row, -D with the whole last row. A row that changes nothing, and a delete of
/// a key that is not there, vanish. Keeps the last row of every key. As Flink's ChangelogNormalize.
struct ChangelogNormalizeSpec {
  Schema input;
  std::vector<std::size_t> keys;   ///< columns of the primary key; rows of a key come to one shard, in order
  bool update_before = true;       ///< the consumer needs -U rows
  DurationUs ttl_us = 0;          ///< how long by the clock what is kept lives after it was last written; 0 = for ever
};
dataflow::OperatorFactory make_changelog_normalize(ChangelogNormalizeSpec spec);

}  // namespace supyo::operators
