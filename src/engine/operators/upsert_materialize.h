#pragma once
#include <optional>
#include <vector>

#include "engine/dataflow/operator.h"

namespace supyo::operators {

/// Before a sink by key whose rows are not told apart by that key: of every key all rows that are there, in the order in which they came, so that the sink has the last of them.
/// Output: the input's columns; +I or +U with a row that comes, +U with the one before it when the last one goes, -D when none is left. A row that goes and is not the last
/// one changes nothing; one that is not there is ignored. Source: Flink's SinkUpsertMaterializer.
struct UpsertMaterializeSpec {
  Schema input;
  std::vector<std::size_t> keys;                          ///< of the sink; the input is partitioned by them
  std::optional<std::vector<std::size_t>> row_key = {};   ///< columns that tell rows apart: a row that comes again takes its place; none: rows are what they are
  DurationUs ttl_us = 0;                                  ///< how long by the clock the rows of a key live after it was last written; 0 = for ever
};
dataflow::OperatorFactory make_upsert_materialize(UpsertMaterializeSpec spec);

}  // namespace supyo::operators
