#pragma once
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
    bytes_.clear();
    ends_.clear();
    fast_ = keys_.size() == 1 && !keys_[0]->has_nulls() && !keys_[0]->type().is_floating() && keys_[0]->type().id != TypeId::kNull;
  }
  std::uint64_t hash(std::size_t row) const { return hashes_[row]; }
  std::span<const std::uint64_t> hashes() const { return hashes_; }

  /// Encodes the key of `row`, after `prefix` (a zigzag varint) when given.
  void add(std::size_t row) {
    append(row);
    ends_.push_back(bytes_.size());
  }
  void add(std::int64_t prefix, std::size_t row) {
    auto v = (static_cast<std::uint64_t>(prefix) << 1) ^ static_cast<std::uint64_t>(prefix >> 63);
    char text[10];
    std::size_t n = 0;
    for (; v >= 0x80; v >>= 7) text[n++] = static_cast<char>(v | 0x80);
    text[n++] = static_cast<char>(v);
    bytes_.append(text, n);
    append(row);
    ends_.push_back(bytes_.size());
  }
  /// The keys added since start(); valid until the next add().
  std::span<const std::string_view> views() {
    views_.resize(ends_.size());
    std::size_t from = 0;
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      views_[i] = std::string_view(bytes_).substr(from, ends_[i] - from);
      from = ends_[i];
    }
    return views_;
  }
  /// Appends the key's values to the builders; false on damage.
  bool decode(std::string_view key, std::span<ColumnBuilder* const> out) const { return codec_.decode(key, out); }
  /// What add(prefix, row) put before the key.
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
  /// One column without nulls, the common case: what RowCodec writes, without its loop.
  void append(std::size_t row) {
    if (!fast_) return codec_.encode(keys_, row, bytes_);
    const Column& c = *keys_[0];
    if (c.type().is_variable()) {
      const std::string_view text = c.text(row);
      if (text.size() < 0x80) {
        const char head[2] = {0, static_cast<char>(text.size())};
        bytes_.append(head, 2).append(text);
        return;
      }
    } else if (c.type().width() == 8) {
      char head[9] = {};
      std::memcpy(head + 1, c.data()->data() + row * 8, 8);
      bytes_.append(head, sizeof head);
      return;
    }
    codec_.encode(keys_, row, bytes_);
  }

  std::vector<std::size_t> columns_;
  RowCodec codec_;
  std::vector<ColumnPtr> keys_;
  std::vector<std::uint64_t> hashes_;
  bool fast_ = false;
  std::string bytes_;
  std::vector<std::size_t> ends_;
  std::vector<std::string_view> views_;
};

/// Columns [from, from + count) of a builder, for decode() and append_values().
inline std::vector<ColumnBuilder*> builder_columns(BatchBuilder& builder, std::size_t from, std::size_t count) {
  std::vector<ColumnBuilder*> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(&builder.column(from + i));
  return out;
}

}  // namespace supyo::operators
