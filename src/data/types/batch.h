#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/check.h"
#include "core/base/strong.h"
#include "data/types/type.h"

namespace supyo {

/// 64-byte aligned bytes. Written by one owner, then shared read-only.
class Buffer {
 public:
  explicit Buffer(std::size_t size);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  /// Grows to at least `size`, keeping the contents (amortised doubling); new bytes are uninitialised.
  void resize(std::size_t size);

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};
using BufferPtr = std::shared_ptr<Buffer>;

/// One column of a batch, in Arrow's memory layout: validity bitmap (bit set = not null, absent when no row is null), data, and for
/// strings int32 offsets (length + 1 of them) into the data. Immutable once shared.
class Column {
 public:
  Column(Type type, std::size_t length, BufferPtr validity, BufferPtr data, BufferPtr offsets = nullptr)
      : type_(type), length_(length), validity_(std::move(validity)), data_(std::move(data)), offsets_(std::move(offsets)) {}

  const Type& type() const { return type_; }
  std::size_t length() const { return length_; }
  bool has_nulls() const { return validity_ != nullptr; }
  bool is_null(std::size_t row) const {
    if (type_.id == TypeId::kNull) return true;
    return validity_ && !(static_cast<std::uint8_t>(validity_->data()[row >> 3]) >> (row & 7) & 1);
  }
  /// Fixed-width values; T must have the type's width.
  template <class T>
  std::span<const T> values() const { return {reinterpret_cast<const T*>(data_->data()), length_}; }
  template <class T>
  T value(std::size_t row) const { return values<T>()[row]; }
  std::string_view text(std::size_t row) const {
    const auto* o = reinterpret_cast<const std::int32_t*>(offsets_->data());
    return {reinterpret_cast<const char*>(data_->data()) + o[row], static_cast<std::size_t>(o[row + 1] - o[row])};
  }
  /// Any integer-like or temporal type widened to int64. Not for FLOAT, DOUBLE, DECIMAL, strings.
  std::int64_t integer(std::size_t row) const;

  const BufferPtr& validity() const { return validity_; }
  const BufferPtr& data() const { return data_; }
  const BufferPtr& offsets() const { return offsets_; }
  /// The same buffers under another type of the same representation (nullability, timestamp precision, string length).
  std::shared_ptr<const Column> with_type(Type type) const { return std::make_shared<Column>(type, length_, validity_, data_, offsets_); }

 private:
  Type type_;
  std::size_t length_;
  BufferPtr validity_;
  BufferPtr data_;
  BufferPtr offsets_;
};
using ColumnPtr = std::shared_ptr<const Column>;

/// Changelog kinds, as in Flink.
enum class RowKind : std::uint8_t { kInsert = 0, kUpdateBefore = 1, kUpdateAfter = 2, kDelete = 3 };
inline bool is_retraction(RowKind k) { return k == RowKind::kUpdateBefore || k == RowKind::kDelete; }
std::string_view row_kind_text(RowKind k);  ///< "+I" "-U" "+U" "-D"

/// Where a row comes from in time: maxima over the source records that contributed to it, and the minimum of their produce times.
/// Survives aggregates and joins; never undone by a retraction.
struct Origin {
  TimeUs event_max = kTimeMin;
  TimeUs produce_max = kTimeMin;
  TimeUs produce_min = kTimeMax;
  void merge(const Origin& o) {
    if (o.event_max > event_max) event_max = o.event_max;
    if (o.produce_max > produce_max) produce_max = o.produce_max;
    if (o.produce_min < produce_min) produce_min = o.produce_min;
  }
};

/// 1 to kMaxRows rows in columns. Immutable once sent, shared by pointer. An operator may see an empty batch never: they are not sent.
struct Batch {
  static constexpr std::size_t kMaxRows = 4096;

  std::size_t rows = 0;
  std::vector<ColumnPtr> columns;
  /// One a row; empty when all rows are inserts.
  std::vector<RowKind> kinds;
  /// One a row; empty where no judge listens.
  std::vector<Origin> origins;
  /// One a row: the watermark of the row's source partition just before the row. Empty where no window reads it, and for rows born in an operator.
  std::vector<TimeUs> edge_watermarks;

  RowKind kind(std::size_t row) const { return kinds.empty() ? RowKind::kInsert : kinds[row]; }
};
using BatchPtr = std::shared_ptr<const Batch>;

/// The rows of `batch` named by `selection` (row numbers, any order, repeats allowed), with their kinds, origins and edge watermarks.
BatchPtr take(const Batch& batch, std::span<const std::uint32_t> selection);
ColumnPtr take(const Column& column, std::span<const std::uint32_t> selection);
/// The columns at `positions`, of all rows; without kinds, origins and edge watermarks.
Batch project(const Batch& batch, std::span<const std::size_t> positions);
/// Rows [from, from + count).
BatchPtr slice(const Batch& batch, std::size_t from, std::size_t count);

}  // namespace supyo
