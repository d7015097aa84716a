#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/result.h"
#include "data/types/batch.h"

namespace supyo::dataflow {

/// By what a table is asked: numbers of columns of its schema, and the types of the values asked with (of the same family as the columns').
struct LookupKeys {
  std::vector<std::size_t> columns;
  std::vector<Type> types;
};

/// Asks an outside system for rows by key. One thread; find() waits for the answer: a batch's keys are asked for together, so that it waits once a batch and not once a row.
class Lookup {
 public:
  virtual ~Lookup() = default;
  /// How many keys may be asked for at once.
  virtual std::size_t most_keys() const = 0;
  /// All rows with one of the keys, in batches: `keys` has LookupKeys' columns, without nulls, each key once, at least one. The rows have the columns that were asked for when the lookup was made.
  /// Errors: kOutsideUnavailable after the retries that the table's options allow; kMalformedRecord: a value that does not fit its column.
  virtual Result<std::vector<BatchPtr>> find(const Batch& keys) = 0;
};
using LookupFactory = std::function<Result<std::unique_ptr<Lookup>>()>;

/// How long what was found is remembered, a shard. Nothing is remembered where max_keys is 0.
struct LookupCache {
  std::size_t max_keys = 0;                        ///< the one used longest ago goes first
  std::optional<DurationUs> after_write_us = {};   ///< asked again so long after it was asked for
  std::optional<DurationUs> after_access_us = {};  ///< or so long after it was used last
  bool missing_keys = true;                        ///< that nothing was found is remembered, too
};

}  // namespace supyo::dataflow
