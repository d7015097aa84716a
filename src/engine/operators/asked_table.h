#pragma once
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/hash.h"
#include "data/types/row_codec.h"
#include "engine/dataflow/lookup.h"
#include "engine/operators/group_keys.h"

namespace supyo::operators {

/// What is known of a table that is asked by key: the rows for a batch, and what the cache keeps of those of earlier ones. One shard.
class AskedTable {
 public:
  AskedTable(std::vector<std::size_t> left_keys, const Schema& right, std::vector<std::size_t> right_keys, dataflow::LookupCache cache, std::unique_ptr<dataflow::Lookup> lookup);

  /// Asks for those of the batch's keys (`keys`: of each row, encoded) that are not known, all at once. What find() gave before is gone.
  Status prepare(const Batch& batch, std::span<const std::string_view> keys, TimeUs now_us);
  /// Numbers of the rows with a key of the batch, in the order in which they came.
  std::span<const std::uint32_t> find(std::string_view key) const {
    const auto it = known_.find(key);
    return it == known_.end() ? std::span<const std::uint32_t>() : std::span<const std::uint32_t>(it->second.rows);
  }
  bool decode(std::uint32_t row, std::span<ColumnBuilder* const> out) const { return codec_.decode(rows_[row], out); }

 private:
  struct Known {
    std::vector<std::uint32_t> rows;
    TimeUs asked_us = 0, used_us = 0;
    std::uint64_t question = 0;               // in which it was asked for
    std::list<std::string>::iterator place;   // in by_use_
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return hash_bytes(s); }
  };
  using Map = std::unordered_map<std::string, Known, Hash, std::equal_to<>>;

  bool is_stale(const Known& k, TimeUs now_us) const {
    return (cache_.after_write_us && now_us - k.asked_us >= *cache_.after_write_us) || (cache_.after_access_us && now_us - k.used_us >= *cache_.after_access_us);
  }
  void forget(Map::iterator it);
  void forget_what_is_not_kept();
  Status ask(const Batch& batch, std::span<const std::string_view> keys, std::span<const std::uint32_t> rows);

  std::vector<std::size_t> left_keys_, right_keys_;
  Schema right_;
  dataflow::LookupCache cache_;
  std::unique_ptr<dataflow::Lookup> lookup_;
  RowCodec codec_;
  GroupKeys found_keys_;
  Map known_;
  std::list<std::string> by_use_;          // keys, the one used last in front
  std::vector<std::string> rows_;          // encoded
  std::vector<std::uint32_t> free_;        // of rows_
  std::uint64_t questions_ = 0;
};

}  // namespace supyo::operators
