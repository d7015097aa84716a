#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fault_point.h"
#include "core/env/env.h"
#include "data/types/batch.h"
#include "engine/dataflow/event.h"

namespace supyo::dataflow {

/// One independently ordered part of a source: a log partition, a file directory, a generator's range.
/// `position` is opaque to the runtime; empty = from the source's configured start.
struct Split {
  std::string id;        ///< stable across restarts: "orders/0"
  std::string position;
};

/// One batch from one split. `columns` are the columns that the plan reads, in its order. `event_us` holds the row times (the runtime
/// computes watermarks, edge watermarks, origins and lateness from them: connectors cannot get those wrong because they do not have them).
struct SourceBatch {
  std::uint32_t split = 0;          ///< index into the reader's splits
  BatchPtr batch;                   ///< without origins and edge watermarks; null when all records were dead
  std::vector<TimeUs> produce_us;   ///< one a row: when it was given to the log (or read, for sources that have no log)
  /// Optional, for a row that turns out dead after decoding (null in NOT NULL): where it was read, and its text. Own what they use: they
  /// may be called after poll() returned, until the batch is dropped. Absent: the split's id, and the row's columns as text.
  std::function<std::string(std::size_t row)> position_of = {};
  std::function<std::string(std::size_t row)> raw_of = {};
};

/// One record that could not become a row. Goes to `T$dead`.
struct DeadRecord {
  std::uint32_t split = 0;
  std::string position;    ///< human-readable: "orders/0@1041", "flights.csv:840"
  std::string field;       ///< column, empty when the record as a whole did not parse
  std::string reason;
  std::string raw;         ///< at most 64 KiB of the record
  TimeUs produce_us = 0;
  std::uint64_t lost = 0;  ///< it stands for so many records that are gone: passed over, never read
};

/// Schema of `T$dead`: `source` (the table), `position`, `field`, `reason`, `raw` STRING, `dead_time` TIMESTAMP(3) (when it was met).
Schema dead_schema();

/// Where a reader puts what it read. Valid during the call.
class SourceOutput {
 public:
  virtual ~SourceOutput() = default;
  virtual Status emit(SourceBatch batch) = 0;
  virtual Status dead(DeadRecord record) = 0;
  /// The split's end was polled just now and nothing is unread: freshness may count the source as current (slo.md 1).
  virtual void quiet(std::uint32_t split) = 0;
  /// Nobody answers for the split: what it holds is not known, so it is neither quiet nor idle, and its lag is not told until it gives something or is quiet.
  virtual void unreachable(std::uint32_t) {}
};

struct SplitPosition {
  std::string split_id;
  std::string position;   ///< position after the last emitted row: where a restart goes on
};

struct SplitLag {
  std::uint32_t split = 0;
  std::uint64_t committed = 0;  ///< records after the acknowledged position
  std::uint64_t fetched = 0;    ///< records after the read position
};

/// Reads the splits that one shard owns. One thread. Never blocks: returns what to wait for.
class SourceReader {
 public:
  virtual ~SourceReader() = default;
  /// Reads about `budget_rows` rows from one or more of its splits. kDone when all its (bounded) splits ended.
  /// Reading on from a position gives the same rows and dead records in the same order (in batches of any size).
  virtual Result<Poll> poll(std::size_t budget_rows, SourceOutput& out) = 0;
  /// Positions of all its splits, now (called between polls, at a barrier).
  virtual std::vector<SplitPosition> positions() const = 0;
  /// Epoch `e`, which covered these positions, is final: upstream may be told (monitoring only).
  virtual Status committed(Epoch e, const std::vector<SplitPosition>& positions) { (void)e, (void)positions; return ok(); }
  /// For the judge; called about once a second. Empty when the source has no log.
  virtual std::vector<SplitLag> lags() { return {}; }
};

/// A source of a running job: finds its splits, makes readers.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::string_view name() const = 0;
  /// All splits, in a stable order. Called at start (and by discovery later).
  virtual Result<std::vector<Split>> splits() = 0;
  virtual bool bounded() const = 0;
  /// A reader for `splits` (with the positions to go on from).
  virtual Result<std::unique_ptr<SourceReader>> open(std::vector<Split> splits, const env::Env& env) = 0;
};

}  // namespace supyo::dataflow
