#include "sql/expr/kernel.h"

#include <algorithm>
#include <limits>

namespace supyo::expr {

BufferPtr new_validity(std::size_t rows, bool valid) {
  const std::size_t bytes = (rows + 7) / 8;
  auto bits = std::make_shared<Buffer>(bytes);
  if (bytes > 0) std::memset(bits->data(), valid ? 0xff : 0, bytes);
  return bits;
}

ColumnPtr null_column(const Type& type, std::size_t rows) {
  const Type nullable = type.as_nullable();
  if (type.id == TypeId::kNull) return std::make_shared<Column>(nullable, rows, nullptr, nullptr);
  const auto zeroed = [](std::size_t bytes) {
    auto buffer = std::make_shared<Buffer>(bytes);
    if (bytes > 0) std::memset(buffer->data(), 0, bytes);
    return buffer;
  };
  BufferPtr validity = new_validity(rows, false);
  if (type.is_variable()) {
    return std::make_shared<Column>(nullable, rows, std::move(validity), zeroed(1), zeroed((rows + 1) * sizeof(std::int32_t)));
  }
  return std::make_shared<Column>(nullable, rows, std::move(validity), zeroed(rows * static_cast<std::size_t>(type.width())));
}

ColumnPtr repeated(const Value& value, std::size_t rows) {
  if (value.is_null()) return null_column(value.type, rows);
  const ColumnPtr one = constant_column(value, 1);
  if (rows == 1) return one;
  if (!value.type.is_variable()) {
    return with_representation(value.type.id, [&]<class T>(std::type_identity<T>) -> ColumnPtr {
      FixedOutput<T> out(rows);
      std::fill_n(out.data(), rows, one->value<T>(0));
      return out.finish(value.type);
    });
  }
  const std::string_view text = one->text(0);
  auto data = std::make_shared<Buffer>(rows * text.size());
  auto offsets = std::make_shared<Buffer>((rows + 1) * sizeof(std::int32_t));
  auto* o = reinterpret_cast<std::int32_t*>(offsets->data());
  for (std::size_t i = 0; i < rows; ++i) {
    o[i] = static_cast<std::int32_t>(i * text.size());
    if (!text.empty()) std::memcpy(data->data() + i * text.size(), text.data(), text.size());
  }
  o[rows] = static_cast<std::int32_t>(rows * text.size());
  return std::make_shared<Column>(value.type, rows, nullptr, std::move(data), std::move(offsets));
}

BufferPtr merged_validity(std::span<const ColumnPtr> args, std::size_t rows) {
  BufferPtr merged;
  bool owned = false;
  const std::size_t bytes = (rows + 7) / 8;
  for (const ColumnPtr& arg : args) {
    if (arg->type().id == TypeId::kNull) return new_validity(rows, false);
    if (!arg->has_nulls()) continue;
    if (!merged) {
      merged = arg->validity();
      continue;
    }
    if (!owned) {
      auto copy = std::make_shared<Buffer>(bytes);
      std::memcpy(copy->data(), merged->data(), bytes);
      merged = std::move(copy);
      owned = true;
    }
    for (std::size_t i = 0; i < bytes; ++i) merged->data()[i] &= arg->validity()->data()[i];
  }
  if (merged && !owned) {
    // Outputs may clear more bits (a function that gives null): never in an argument's own bitmap.
    auto copy = std::make_shared<Buffer>(bytes);
    std::memcpy(copy->data(), merged->data(), bytes);
    return copy;
  }
  return merged;
}

TextOutput::TextOutput(std::size_t rows) : rows_(rows), offsets_(std::make_shared<Buffer>((rows + 1) * sizeof(std::int32_t))) {
  offsets()[0] = 0;
  bytes_.reserve(rows * 8);
}

void TextOutput::end_null() {
  bytes_.resize(row_start());
  if (!validity_) validity_ = new_validity(rows_, true);
  clear_bit(*validity_, row_);
  end_row();
}

Result<ColumnPtr> TextOutput::finish(const Type& type) {
  SUPYO_CHECK_EQ(row_, rows_);
  if (bytes_.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    return arithmetic_error("the texts of one batch exceed 2 GiB");
  }
  auto data = std::make_shared<Buffer>(bytes_.size());
  if (!bytes_.empty()) std::memcpy(data->data(), bytes_.data(), bytes_.size());
  return std::make_shared<Column>(type, rows_, std::move(validity_), std::move(data), std::move(offsets_));
}

}  // namespace supyo::expr
