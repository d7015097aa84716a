#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace supyo::state {

class KeyedTable;
class SpillStore;

/// What a table throws when a record cannot be brought back, or does not go: there is no other way to tell it through fixed(), and no operator can go on with half its state.
/// Who calls an operator, or restores a table, catches it.
struct SpillFailure {
  Error error;
};

/// How much memory the tables of one shard may take for their records, and where the rest goes: a SpillStore that is made when the first record has to go. One thread; outlives its tables.
class SpillSpace {
 public:
  /// `directory` is the shard's alone. A fifth of the memory is RocksDB's.
  SpillSpace(std::string directory, std::size_t memory_bytes);
  ~SpillSpace();

  /// Empties the directory in which those of all shards are made, before any of them is: a killed run may have left something. Errors: kIo.
  static Status clear(const std::string& directory);

  std::size_t limit() const { return limit_; }
  /// Of the records of all tables.
  std::size_t used() const;
  /// Takes records out of the tables that are not pinned until all are within the limit. Throws SpillFailure.
  void make_room();

  // For tables.
  std::uint32_t add(KeyedTable& table);
  void remove(KeyedTable& table);
  /// `record` may be forgotten then. Throws SpillFailure.
  void put(std::uint32_t table, std::uint32_t slot, std::string_view record);
  /// Valid until the next get(). Throws SpillFailure.
  std::string_view get(std::uint32_t table, std::uint32_t slot);

 private:
  SpillStore& store();

  std::string directory_;
  std::size_t store_bytes_;
  std::size_t limit_;
  std::vector<KeyedTable*> tables_;
  std::uint32_t next_table_ = 0;
  std::unique_ptr<SpillStore> store_;
};

}  // namespace supyo::state
