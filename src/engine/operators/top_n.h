#pragma once
#include <cstdint>
#include <vector>

#include "engine/operators/sort.h"

namespace supyo::operators {

/// The first rows of every partition by an order, kept right as rows come and go: Flink's Rank for ROW_NUMBER() .. <= N. Rows that are equal in the order stand
/// as they came. Emits the net change of a batch. Output: the input's columns, then the row's number (BIGINT, from 1) when it is asked for.
///
/// With numbers, or one row a partition: +I, updates, and -D when a place is empty again. Else: -D for a row that left, +I for one that came in.
/// A retraction of a row that is not there is ignored. Without partition columns there is one partition (run it on one shard).
struct TopNSpec {
  Schema input;
  std::vector<std::size_t> partition;
  std::vector<SortSpec::Key> order;
  std::uint64_t limit = 1;
  bool with_number = false;
  bool update_before = true;
  bool input_retracts = false;   ///< all rows are kept, since any may come up; else the first `limit` of a partition
  DurationUs ttl_us = 0;        ///< how long by the clock what is kept lives after it was last written; 0 = for ever
  bool last_first = false;       ///< with no `order`: the row that came last stands first
};
Schema output_schema(const TopNSpec& spec);
dataflow::OperatorFactory make_top_n(TopNSpec spec);

}  // namespace supyo::operators
