#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/operators/sort.h"
#include "sql/expr/registry.h"

namespace supyo::operators {

/// OVER (PARTITION BY partition ORDER BY order) over rows that come and go, by any columns: every row with its results, kept right. Output: the input's columns, then
/// one column a call. All calls share partition, order and frame.
///
/// Rows stand in the order; those that are equal in it as they came. A batch shows its net change: -D for a row that went, +I for one that came, and an update for a
/// row whose results are others now; of a partition all -D come first. A retraction of a row that is not there is ignored.
/// Kept: every row, with its results. What is computed again is what stands at or behind the first change of a partition, as far as frames reach.
struct OverTableSpec {
  struct Call {
    enum class Kind : std::uint8_t { kAggregate, kRowNumber, kRank, kDenseRank, kPercentRank, kCumeDist, kNtile, kLag, kLead } kind = Kind::kAggregate;
    expr::AggregateCall aggregate;           ///< kAggregate: rows only go into it
    std::size_t column = 0;                  ///< kLag, kLead: the value
    std::size_t default_column = SIZE_MAX;   ///< ..and what stands for it where there is no such row; SIZE_MAX = NULL
    std::int64_t number = 1;                 ///< kLag, kLead: how many rows away; kNtile: how many buckets
    std::string name;
    Type type;
  };
  Schema input;
  std::vector<std::size_t> partition;
  std::vector<SortSpec::Key> order;          ///< none: all rows of a partition are equal
  bool rows = false;                         ///< frames of aggregates end at the row itself; else at the last one that is equal to it
  std::optional<std::uint64_t> preceding;    ///< with `rows`: how many before it they begin; none: at the first
  std::vector<Call> calls;
  bool update_before = true;
  DurationUs ttl_us = 0;                     ///< how long by the clock the rows of a partition live after one of them came or went last; 0 = for ever
};
Schema output_schema(const OverTableSpec& spec);
dataflow::OperatorFactory make_over_table(OverTableSpec spec);

}  // namespace supyo::operators
