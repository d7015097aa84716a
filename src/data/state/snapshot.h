#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/state/journal.h"

namespace supyo::state {

/// One live entry of a snapshot.
struct SnapshotEntry {
  std::uint32_t operator_id = 0;
  std::uint16_t table = 0;
  std::uint64_t hash = 0;
  std::string_view key;
  std::string_view value;
};

/// Builds the next snapshot from the last one and the journal after it: it reads files only, never live tables, and never writes one that it reads.
///
/// poll() until it is done; in a background thread, or in slices on the simulation's one thread. Then hand it to Journal::end_snapshot.
class SnapshotBuilder {
 public:
  ~SnapshotBuilder();
  /// Does about `budget_bytes` of reading and writing. True when the snapshot is published: durable under its name.
  /// After an error the half-written file is of no harm (it has no name); give the builder to Journal::end_snapshot and begin again later.
  Result<bool> poll(std::size_t budget_bytes);
  Epoch epoch() const;
  bool done() const;

 private:
  friend class Journal;
  struct Plan;
  struct Impl;
  explicit SnapshotBuilder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace supyo::state
