#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/segment.h"

namespace supyo::log {

/// How transactions end, found by hopping ahead from head to head: a reader needs to know before it hands out a transaction's records, and its marker lies
/// behind them. Every head is looked at once by a reader that goes forward. No index of its own, so nothing that could disagree with the log.
class TransactionScan {
 public:
  TransactionScan(env::Files& files, std::string directory, LogIdentity log) : files_(&files), directory_(std::move(directory)), log_(log) {}

  /// Whether the transaction that `producer` had open at `at` was aborted; null when no marker of it lies below `end`.
  Result<std::optional<bool>> aborted(std::int64_t producer, Offset at, Offset end);
  /// Offsets were taken back: nothing that was seen counts.
  void forget();

 private:
  struct Marker {
    Offset at;
    bool commit = false;
  };
  Result<bool> step(Offset end);
  void prune();

  env::Files* files_;
  std::string directory_;
  LogIdentity log_;
  std::optional<SegmentCursor> cursor_;
  Offset from_;      ///< markers in [from_, to_) are known
  Offset to_;
  std::map<std::int64_t, std::deque<Marker>> markers_;
  std::size_t count_ = 0;          ///< of all markers
  std::size_t pruned_count_ = 0;   ///< what prune() left
};

}  // namespace supyo::log
