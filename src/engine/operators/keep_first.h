#pragma once
#include <cstdint>
#include <vector>

#include "engine/dataflow/operator.h"

namespace supyo::operators {

/// The first rows of every partition in the order in which they come: Flink's Deduplicate(keep=[FirstRow]) by processing time, and ROW_NUMBER() .. <= N by it. A row that passes stays as
/// it is, with the watermark that it met, and is never taken back: only how many have passed is kept of a partition. The input inserts only. Output: the input's columns, then the row's
/// number (BIGINT, from 1) when it is asked for. Without partition columns there is one partition (run it on one shard).
struct KeepFirstSpec {
  Schema input;
  std::vector<std::size_t> partition;
  std::uint64_t limit = 1;
  bool with_number = false;
  DurationUs ttl_us = 0;   ///< a partition begins anew so long after its last row that passed, by the clock; 0 = never
};
dataflow::OperatorFactory make_keep_first(KeepFirstSpec spec);

}  // namespace supyo::operators
