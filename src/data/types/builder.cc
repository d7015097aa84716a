#include "data/types/builder.h"

#include <algorithm>

namespace supyo {

ColumnBuilder::ColumnBuilder(Type type, std::size_t expected_rows)
    : type_(type), width_(type.width()), expected_rows_(std::max<std::size_t>(expected_rows, 8)) {}

void ColumnBuilder::grow() {
  const std::size_t rows = capacity_ == 0 ? expected_rows_ : capacity_ * 2;
  if (type_.is_variable()) {
    const std::size_t bytes = (rows + 1) * sizeof(std::int32_t);
    if (offsets_ == nullptr) {
      offsets_ = std::make_shared<Buffer>(bytes);
      *reinterpret_cast<std::int32_t*>(offsets_->data()) = 0;
    } else {
      offsets_->resize(bytes);
    }
    ends_ = reinterpret_cast<std::int32_t*>(offsets_->data()) + 1;
    if (data_ == nullptr) grow_text(0);
  } else if (width_ > 0) {
    const std::size_t bytes = rows * static_cast<std::size_t>(width_);
    if (data_ == nullptr) data_ = std::make_shared<Buffer>(bytes);
    else data_->resize(bytes);
    values_ = data_->data();
  }
  if (validity_ != nullptr) {
    const std::size_t old = validity_->size();
    validity_->resize((rows + 7) / 8);
    bits_ = reinterpret_cast<std::uint8_t*>(validity_->data());
    std::memset(bits_ + old, 0, validity_->size() - old);
  }
  capacity_ = rows;
}

void ColumnBuilder::grow_text(std::size_t bytes) {
  SUPYO_CHECK_LE(text_size_ + bytes, static_cast<std::size_t>(kMaxLength));
  const std::size_t capacity = std::max({text_capacity_ * 2, text_size_ + bytes, expected_text_});
  if (data_ == nullptr) data_ = std::make_shared<Buffer>(capacity);
  else data_->resize(capacity);
  values_ = data_->data();
  text_capacity_ = capacity;
}

void ColumnBuilder::start_validity() {
  validity_ = std::make_shared<Buffer>((capacity_ + 7) / 8);
  bits_ = reinterpret_cast<std::uint8_t*>(validity_->data());
  std::memset(bits_, 0, validity_->size());
  std::memset(bits_, 0xff, length_ / 8);
  if ((length_ & 7) != 0) bits_[length_ / 8] = static_cast<std::uint8_t>((1U << (length_ & 7)) - 1);
}

void ColumnBuilder::append_null() {
  if (length_ == capacity_) grow();
  if (type_.id == TypeId::kNull) {
    ++length_;
    return;
  }
  if (validity_ == nullptr) start_validity();
  // The slot of a null row is zero: equal columns have equal bytes, and no kernel reads uninitialised memory.
  if (type_.is_variable()) ends_[length_] = static_cast<std::int32_t>(text_size_);
  else std::memset(values_ + length_ * static_cast<std::size_t>(width_), 0, static_cast<std::size_t>(width_));
  ++length_;
}

void ColumnBuilder::append_integer(std::int64_t v) {
  SUPYO_CHECK(!type_.is_floating());
  switch (width_) {
    case 1: append(static_cast<std::int8_t>(v)); break;
    case 2: append(static_cast<std::int16_t>(v)); break;
    case 4: append(static_cast<std::int32_t>(v)); break;
    case 8: append(v); break;
    default: SUPYO_CHECK(false);
  }
}

void ColumnBuilder::append_from(const Column& column, std::size_t row) {
  if (column.is_null(row)) return append_null();
  switch (width_) {
    case 0: append_text(column.text(row)); break;
    case 1: append(column.value<std::uint8_t>(row)); break;
    case 2: append(column.value<std::uint16_t>(row)); break;
    case 4: append(column.value<std::uint32_t>(row)); break;
    case 8: append(column.value<std::uint64_t>(row)); break;
    default: append(column.value<unsigned __int128>(row));
  }
}

ColumnPtr ColumnBuilder::finish() {
  if (capacity_ == 0 && type_.id != TypeId::kNull) grow();   // an empty column has its buffers, as in Arrow
  if (data_ != nullptr) data_->resize(type_.is_variable() ? text_size_ : length_ * static_cast<std::size_t>(width_));
  if (offsets_ != nullptr) offsets_->resize((length_ + 1) * sizeof(std::int32_t));
  if (validity_ != nullptr) validity_->resize((length_ + 7) / 8);
  auto column = std::make_shared<Column>(type_, length_, std::move(validity_), std::move(data_), std::move(offsets_));
  expected_rows_ = std::max<std::size_t>(length_, 8);
  expected_text_ = std::max<std::size_t>(text_size_ + text_size_ / 8, 64);
  length_ = capacity_ = text_size_ = text_capacity_ = 0;
  values_ = nullptr;
  ends_ = nullptr;
  bits_ = nullptr;
  validity_ = data_ = offsets_ = nullptr;
  return column;
}

BatchBuilder::BatchBuilder(const Schema& schema, std::size_t expected_rows) {
  columns_.reserve(schema.size());
  for (const Field& f : schema.fields()) columns_.emplace_back(f.type, expected_rows);
}

void BatchBuilder::add_kind(RowKind kind) {
  if (kinds_.empty()) kinds_.assign(rows_, RowKind::kInsert);
  kinds_.push_back(kind);
}

BatchPtr BatchBuilder::finish() {
  if (rows_ == 0) return nullptr;
  auto batch = std::make_shared<Batch>();
  batch->rows = rows_;
  batch->columns.reserve(columns_.size());
  for (ColumnBuilder& c : columns_) {
    SUPYO_CHECK_EQ(c.length(), rows_);
    batch->columns.push_back(c.finish());
  }
  SUPYO_CHECK(origins_.empty() || origins_.size() == rows_);
  batch->kinds = std::exchange(kinds_, {});
  batch->origins = std::exchange(origins_, {});
  rows_ = 0;
  return batch;
}

}  // namespace supyo
