#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace supyo::state {

/// Records that do not fit into memory, by (table, slot), in RocksDB. Scratch: nothing of it outlives the object, so there is no write-ahead log, and a store begins empty whatever a killed run left.
/// On the machine's real disk always, in simulation too. One thread calls it (RocksDB has its own behind it).
class SpillStore {
 public:
  /// `directory` and those above it are created; what lies in it is removed. `memory_bytes`: about what RocksDB may take for its buffers and its cache; it needs some hundred kilobytes.
  /// Errors: kIo, kDiskFull.
  static Result<std::unique_ptr<SpillStore>> create(const std::string& directory, std::size_t memory_bytes);
  /// Removes what a killed run left of stores in and below the directory; fine when there is none. Errors: kIo.
  static Status remove(const std::string& directory);
  ~SpillStore();
  SpillStore(const SpillStore&) = delete;
  SpillStore& operator=(const SpillStore&) = delete;

  /// In the store with the next write(), which the caller calls before any get().
  void put(std::uint32_t table, std::uint32_t slot, std::string_view record);
  /// Errors: kDiskFull, kIo; the store is of no use then.
  Status write();
  std::size_t unwritten_bytes() const;
  /// What was put there last; the view holds until the next call. Errors: kIo, kDamaged (also when it is not there).
  Result<std::string_view> get(std::uint32_t table, std::uint32_t slot);

 private:
  struct Impl;
  explicit SpillStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace supyo::state
