#pragma once
#include <cstdint>
#include <vector>

#include "engine/dataflow/operator.h"

namespace supyo::operators {

/// ORDER BY [LIMIT] of a bounded input for a one-shot query: keeps the rows in memory (not in state: a restart begins anew) and emits them
/// as inserts when the input has ended. Takes retractions. Equal rows keep their order of arrival. Run it on one shard.
struct SortSpec {
  struct Key {
    std::size_t column = 0;
    bool descending = false;
    bool nulls_first = true;   ///< Flink: nulls are the least: first ascending, last descending
  };
  Schema input;
  std::vector<Key> keys;       ///< none: order of arrival
  std::uint64_t offset = 0;
  std::uint64_t limit = UINT64_MAX;
};
dataflow::OperatorFactory make_sort(SortSpec spec);

}  // namespace supyo::operators
