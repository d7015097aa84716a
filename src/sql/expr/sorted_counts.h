#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "data/types/builder.h"

namespace supyo::expr {

/// Appends the value in bytes whose memcmp order is the values' order: big-endian with the sign flipped; texts as they are.
/// -0.0 is 0.0, all NaN are one and the greatest.
void append_ordered_key(const Column& column, std::size_t row, std::string& out);
/// The inverse.
void append_ordered_value(const Type& type, std::string_view key, ColumnBuilder& out);
/// Bytes of an ordered key; 0 = as long as the value (text, bytes).
std::size_t ordered_key_size(const Type& type);

/// A sorted multiset kept in a blob: keys (memcmp order) with counts. Counts may be below zero while retractions run ahead of their
/// inserts; such a key does not count as present. Keys of fixed size are found by bisection, others by a walk.
class SortedCounts {
 public:
  /// `key_size` 0 = variable. The blob outlives this view.
  SortedCounts(std::string& blob, std::size_t key_size) : blob_(blob), key_size_(key_size) {}
  /// Adds `by` to the count of `key` and returns the count after it; a key at 0 is removed.
  std::int64_t add(std::string_view key, std::int64_t by);
  /// The least or greatest key with a count above zero; false when there is none.
  static bool extreme(std::string_view blob, std::size_t key_size, bool greatest, std::string_view& key);
  /// Every key with its count, in order.
  static void for_each(std::string_view blob, std::size_t key_size, const std::function<void(std::string_view key, std::int64_t count)>& visit);

 private:
  std::string& blob_;
  std::size_t key_size_;
};

}  // namespace supyo::expr
