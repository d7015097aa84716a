#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "data/types/batch.h"

namespace supyo {

/// Builds a Column row by row. Append exactly one value (of the type's representation) or null a row.
/// Buffers are taken at the first row and sized by the column built before, so that small batches stay small.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(Type type, std::size_t expected_rows = Batch::kMaxRows);

  const Type& type() const { return type_; }
  std::size_t length() const { return length_; }
  template <class T>
  void append(T v) {
    SUPYO_CHECK_EQ(static_cast<int>(sizeof(T)), width_);
    if (length_ == capacity_) [[unlikely]] grow();
    std::memcpy(values_ + length_ * sizeof(T), &v, sizeof(T));
    mark_valid();
  }
  /// An integer or temporal value given as int64, stored in the type's width (must fit).
  void append_integer(std::int64_t v);
  void append_text(std::string_view v) {
    SUPYO_CHECK(type_.is_variable());
    if (length_ == capacity_) [[unlikely]] grow();
    if (v.size() > text_capacity_ - text_size_) [[unlikely]] grow_text(v.size());
    if (!v.empty()) std::memcpy(values_ + text_size_, v.data(), v.size());
    text_size_ += v.size();
    ends_[length_] = static_cast<std::int32_t>(text_size_);
    mark_valid();
  }
  void append_null();
  /// Row `row` of another column of the same representation.
  void append_from(const Column& column, std::size_t row);
  /// Takes what was built; the builder is empty and usable again.
  ColumnPtr finish();

 private:
  void grow();                          ///< room for more rows
  void grow_text(std::size_t bytes);    ///< room for `bytes` more of text
  void start_validity();                ///< the first null: all rows so far were valid
  void mark_valid() {
    if (bits_ != nullptr) bits_[length_ >> 3] = static_cast<std::uint8_t>(bits_[length_ >> 3] | 1U << (length_ & 7));
    ++length_;
  }

  Type type_;
  int width_;
  std::size_t expected_rows_;
  std::size_t expected_text_ = 256;
  std::size_t length_ = 0;
  std::size_t capacity_ = 0;        ///< rows that the buffers hold
  std::size_t text_size_ = 0;
  std::size_t text_capacity_ = 0;
  BufferPtr validity_;
  BufferPtr data_;
  BufferPtr offsets_;
  // Into the buffers above, so that an append follows one pointer.
  std::byte* values_ = nullptr;
  std::int32_t* ends_ = nullptr;    ///< offsets_ + 1: where each row's text ends
  std::uint8_t* bits_ = nullptr;    ///< null until the first null row
};

/// Builds a Batch row by row over a schema: append to every column(i), then end_row(). `full()` at Batch::kMaxRows.
class BatchBuilder {
 public:
  explicit BatchBuilder(const Schema& schema, std::size_t expected_rows = 1024);
  ColumnBuilder& column(std::size_t i) { return columns_[i]; }
  void end_row(RowKind kind = RowKind::kInsert) {
    if (kind != RowKind::kInsert || !kinds_.empty()) [[unlikely]] add_kind(kind);
    ++rows_;
  }
  /// With an origin for this row; give one for every row of a batch or for none.
  void end_row(RowKind kind, const Origin& origin) {
    origins_.push_back(origin);
    end_row(kind);
  }
  std::size_t rows() const { return rows_; }
  bool full() const { return rows_ >= Batch::kMaxRows; }
  /// Null when no row was added. The builder is empty and usable again.
  BatchPtr finish();

 private:
  void add_kind(RowKind kind);

  std::vector<ColumnBuilder> columns_;
  std::vector<RowKind> kinds_;   ///< empty until a row is not an insert
  std::vector<Origin> origins_;
  std::size_t rows_ = 0;
};

}  // namespace supyo
