#pragma once
#include <algorithm>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/state/tables.h"
#include "data/types/row_codec.h"

namespace supyo::operators {

/// Encodes the group keys of a batch's rows: RowCodec bytes, optionally after a number (the window's). No allocation a row.
class GroupKeys {
 public:
  GroupKeys(const Schema& input, std::vector<std::size_t> columns) : columns_(std::move(columns)), codec_(types_of(input, columns_)) {}

  /// Takes the key columns of `batch` and their hashes, which also decide the shard.
  void start(const Batch& batch) {
    keys_.clear();
    for (const std::size_t c : columns_) keys_.push_back(batch.columns[c]);
    hashes_.resize(batch.rows);
    hash_rows(keys_, batch.rows, hashes_);
    shape_ = shape_of_keys();
    restart();
  }
  /// Of the same batch, without the keys that were added.
  void restart() {
    size_ = 0;
    ends_.clear();
    prefix_size_ = 0;
  }
  std::uint64_t hash(std::size_t row) const { return hashes_[row]; }
  std::span<const std::uint64_t> hashes() const { return hashes_; }

  /// Encodes the key of `row`, after `prefix` (a zigzag varint) when given.
  void add(std::size_t row) {
    append(row);
    ends_.push_back(static_cast<std::uint32_t>(size_));
  }
  void add(std::int64_t prefix, std::size_t row) {
    if (prefix_size_ == 0 || prefix != prefix_) set_prefix(prefix);
    char* p = room(sizeof prefix_bytes_);
    std::memcpy(p, prefix_bytes_, sizeof prefix_bytes_);
    size_ += prefix_size_;
    add(row);
  }
  /// start(), and every row added.
  void start_with_all(const Batch& batch) {
    start(batch);
    for (std::size_t row = 0; row < batch.rows; ++row) add(row);
  }
  /// The keys added since start(); valid until the next add().
  std::span<const std::string_view> views() {
    views_.resize(ends_.size());
    std::size_t from = 0;
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      views_[i] = {bytes_.data() + from, ends_[i] - from};
      from = ends_[i];
    }
    return views_;
  }
  /// Before anything is done with a table that has a TTL: what expired is gone, and the keys of the batch are in use. After start(); adds all keys.
  void keep(state::KeyedTable& table, const Batch& batch, TimeUs now_us, const std::function<void(state::Slot)>& gone = {}) {
    table.expire(now_us, gone);
    for (std::size_t row = 0; row < batch.rows; ++row) add(row);
    const auto all = views();
    for (std::size_t row = 0; row < batch.rows; ++row)
      if (const state::Slot slot = table.find(hashes_[row], all[row]); slot != state::kNoSlot) table.touch(slot);
  }
  /// Appends the key's values to the builders; false on damage.
  bool decode(std::string_view key, std::span<ColumnBuilder* const> out) const { return codec_.decode(key, out); }
  /// The prefix that add(prefix, row) put before the key.
  static std::int64_t prefix_of(std::string_view key) {
    std::uint64_t v = 0;
    for (std::size_t n = 0; n < key.size(); ++n) {
      const auto byte = static_cast<unsigned char>(key[n]);
      v |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * n);
      if ((byte & 0x80) == 0) break;
    }
    return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
  }
  static std::string with_prefix(std::int64_t prefix, std::string_view key) {
    std::string out;
    for (auto v = (static_cast<std::uint64_t>(prefix) << 1) ^ static_cast<std::uint64_t>(prefix >> 63);; v >>= 7) {
      out += static_cast<char>(v >= 0x80 ? v | 0x80 : v);
      if (v < 0x80) return out.append(key);
    }
  }
  /// The key without it.
  static std::string_view without_prefix(std::string_view key) {
    std::size_t n = 0;
    while (n < key.size() && (static_cast<unsigned char>(key[n]) & 0x80) != 0) ++n;
    return key.substr(std::min(n + 1, key.size()));
  }
  const std::vector<std::size_t>& columns() const { return columns_; }

 private:
  static std::vector<Type> types_of(const Schema& input, const std::vector<std::size_t>& columns) {
    std::vector<Type> types;
    for (const std::size_t c : columns) types.push_back(input[c].type);
    return types;
  }
  enum class Shape : std::uint8_t { kGeneral, kEightBytes, kFourBytes, kText };
  /// One column without nulls is the common case: what RowCodec writes, without its loop and its checks.
  Shape shape_of_keys() const {
    if (keys_.size() != 1 || keys_[0]->has_nulls()) return Shape::kGeneral;
    const Type& t = keys_[0]->type();
    if (t.is_floating() || t.id == TypeId::kNull) return Shape::kGeneral;
    if (t.is_variable()) return Shape::kText;
    return t.width() == 8 ? Shape::kEightBytes : (t.width() == 4 ? Shape::kFourBytes : Shape::kGeneral);
  }

  /// Where `n` bytes can be written at the end; never null, also for the key of no columns.
  char* room(std::size_t n) {
    if (bytes_.size() - size_ <= n) [[unlikely]] bytes_.resize(std::max(bytes_.size() * 2, size_ + n + 4096));
    return bytes_.data() + size_;
  }

  template <std::size_t kWidth>
  void append_fixed(std::size_t row) {
    char* p = room(1 + kWidth);
    p[0] = 0;
    std::memcpy(p + 1, keys_[0]->data()->data() + row * kWidth, kWidth);
    size_ += 1 + kWidth;
  }

  void append(std::size_t row) {
    if (shape_ == Shape::kEightBytes) return append_fixed<8>(row);
    if (shape_ == Shape::kFourBytes) return append_fixed<4>(row);
    if (shape_ == Shape::kText) {
      const std::string_view text = keys_[0]->text(row);
      if (text.size() < 0x80) {
        char* p = room(2 + 0x80);
        p[0] = 0;
        p[1] = static_cast<char>(text.size());
        std::copy(text.begin(), text.end(), p + 2);  // not memcpy: an empty text may have no address
        size_ += 2 + text.size();
        return;
      }
    }
    encoded_.clear();
    codec_.encode(keys_, row, encoded_);
    std::memcpy(room(encoded_.size()), encoded_.data(), encoded_.size());
    size_ += encoded_.size();
  }

  void set_prefix(std::int64_t prefix) {
    prefix_ = prefix;
    prefix_size_ = 0;
    auto v = (static_cast<std::uint64_t>(prefix) << 1) ^ static_cast<std::uint64_t>(prefix >> 63);
    for (; v >= 0x80; v >>= 7) prefix_bytes_[prefix_size_++] = static_cast<char>(v | 0x80);
    prefix_bytes_[prefix_size_++] = static_cast<char>(v);
  }

  std::vector<std::size_t> columns_;
  RowCodec codec_;
  std::vector<ColumnPtr> keys_;
  std::vector<std::uint64_t> hashes_;
  Shape shape_ = Shape::kGeneral;
  std::vector<char> bytes_;
  std::size_t size_ = 0;          // of bytes_ in use
  std::vector<std::uint32_t> ends_;
  std::int64_t prefix_ = 0;
  std::size_t prefix_size_ = 0;
  char prefix_bytes_[16] = {};
  std::string encoded_;
  std::vector<std::string_view> views_;
};

/// Columns [from, from + count) of a builder, for decode() and append_values().
inline std::vector<ColumnBuilder*> builder_columns(BatchBuilder& builder, std::size_t from, std::size_t count) {
  std::vector<ColumnBuilder*> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(&builder.column(from + i));
  return out;
}

}  // namespace supyo::operators
