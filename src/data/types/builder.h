#pragma once
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "data/types/batch.h"

namespace supyo {

/// Builds a Column row by row. Append exactly one value (of the type's representation) or null a row.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(Type type, std::size_t expected_rows = Batch::kMaxRows);

  const Type& type() const { return type_; }
  std::size_t length() const { return length_; }
  template <class T>
  void append(T v) {
    SUPYO_CHECK_EQ(static_cast<int>(sizeof(T)), width_);
    grow(length_ + 1);
    reinterpret_cast<T*>(data_->data())[length_] = v;
    mark_valid();
  }
  /// An integer or temporal value given as int64, stored in the type's width (must fit).
  void append_integer(std::int64_t v);
  void append_text(std::string_view v);
  void append_null();
  /// Row `row` of another column of the same representation.
  void append_from(const Column& column, std::size_t row);
  /// Takes what was built; the builder is empty and usable again.
  ColumnPtr finish();

 private:
  void grow(std::size_t rows);
  void mark_valid() {
    if (validity_) set_bit(length_);
    ++length_;
  }
  void set_bit(std::size_t row);
  void reset();

  Type type_;
  int width_;
  std::size_t expected_rows_;
  std::size_t length_ = 0;
  std::size_t data_size_ = 0;
  BufferPtr validity_;
  BufferPtr data_;
  BufferPtr offsets_;
};

/// Builds a Batch row by row over a schema: append to every column(i), then end_row(). `full()` at Batch::kMaxRows.
class BatchBuilder {
 public:
  explicit BatchBuilder(const Schema& schema, std::size_t expected_rows = 1024);
  ColumnBuilder& column(std::size_t i) { return columns_[i]; }
  void end_row(RowKind kind = RowKind::kInsert);
  /// With an origin for this row; give one for every row of a batch or for none.
  void end_row(RowKind kind, const Origin& origin);
  std::size_t rows() const { return rows_; }
  bool full() const { return rows_ >= Batch::kMaxRows; }
  /// Null when no row was added. The builder is empty and usable again.
  BatchPtr finish();

 private:
  std::vector<ColumnBuilder> columns_;
  std::vector<RowKind> kinds_;
  std::vector<Origin> origins_;
  bool only_inserts_ = true;
  std::size_t rows_ = 0;
};

}  // namespace supyo
