#pragma once
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/base/result.h"
#include "data/types/batch.h"
#include "data/types/value.h"
#include "sql/expr/expr.h"

/// What kernels are made of: readers over argument columns, outputs that build a column, and map_rows(), which turns a function of one row
/// into a kernel. A kernel of three lines is the rule; docs/how-to/add-a-function.md shows one.
namespace supyo::expr {

/// All rows null, of any type.
ColumnPtr null_column(const Type& type, std::size_t rows);
/// `rows` times the same value (as constant_column, by copying bytes).
ColumnPtr repeated(const Value& value, std::size_t rows);
/// A validity bitmap of `rows` bits, all set or all clear.
BufferPtr new_validity(std::size_t rows, bool valid);
inline void clear_bit(Buffer& bits, std::size_t row) {
  bits.data()[row >> 3] &= ~(std::byte{1} << (row & 7));
}
/// Bit set = no argument is null in that row; null pointer = no argument has a null.
BufferPtr merged_validity(std::span<const ColumnPtr> args, std::size_t rows);
inline bool bit_is_set(const Buffer* bits, std::size_t row) {
  return bits == nullptr || ((bits->data()[row >> 3] >> (row & 7)) & std::byte{1}) != std::byte{0};
}

/// Row values of one argument column.
template <class T>
struct Reader {
  explicit Reader(const Column& column) : data(reinterpret_cast<const T*>(column.data()->data())) {}
  T operator[](std::size_t row) const { return data[row]; }
  const T* data;
};
template <>
struct Reader<std::string_view> {
  explicit Reader(const Column& column)
      : offsets(reinterpret_cast<const std::int32_t*>(column.offsets()->data())), data(reinterpret_cast<const char*>(column.data()->data())) {}
  std::string_view operator[](std::size_t row) const {
    return {data + offsets[row], static_cast<std::size_t>(offsets[row + 1] - offsets[row])};
  }
  const std::int32_t* offsets;
  const char* data;
};

/// A fixed-width column under construction; rows may be written in any order.
template <class T>
class FixedOutput {
 public:
  explicit FixedOutput(std::size_t rows, BufferPtr validity = nullptr)
      : rows_(rows), data_(std::make_shared<Buffer>(rows * sizeof(T))), validity_(std::move(validity)) {}
  T* data() { return reinterpret_cast<T*>(data_->data()); }
  void set(std::size_t row, T value) { data()[row] = value; }
  void set_null(std::size_t row) {
    if (!validity_) validity_ = new_validity(rows_, true);
    clear_bit(*validity_, row);
    data()[row] = T{};
  }
  ColumnPtr finish(const Type& type) { return std::make_shared<Column>(type, rows_, std::move(validity_), std::move(data_)); }

 private:
  std::size_t rows_;
  BufferPtr data_;
  BufferPtr validity_;
};

/// A text column under construction, row after row: append to bytes(), then end_row() or end_null().
class TextOutput {
 public:
  explicit TextOutput(std::size_t rows);
  std::string& bytes() { return bytes_; }
  /// Where the row under construction starts in bytes().
  std::size_t row_start() const { return static_cast<std::size_t>(offsets()[row_]); }
  void end_row() { offsets()[++row_] = static_cast<std::int32_t>(bytes_.size()); }
  void end_null();
  /// Errors: kArithmetic when the rows together exceed 2 GiB.
  Result<ColumnPtr> finish(const Type& type);

 private:
  std::int32_t* offsets() const { return reinterpret_cast<std::int32_t*>(offsets_->data()); }
  std::size_t rows_;
  std::size_t row_ = 0;
  std::string bytes_;
  BufferPtr offsets_;
  BufferPtr validity_;
};

namespace kernel_detail {
template <class T>
struct Unwrap { using type = T; static constexpr int kKind = 0; };
template <class T>
struct Unwrap<std::optional<T>> { using type = T; static constexpr int kKind = 1; };
template <class T>
struct Unwrap<Result<T>> { using type = T; static constexpr int kKind = 2; };
template <class T>
struct Unwrap<Result<std::optional<T>>> { using type = T; static constexpr int kKind = 3; };

template <class... A, std::size_t... I>
std::tuple<Reader<A>...> readers(std::span<const ColumnPtr> args, std::index_sequence<I...>) {
  return {Reader<A>(*args[I])...};
}
}  // namespace kernel_detail

/// A strict kernel: rows with a null argument give null, for the others `f(args...)` gives a fixed-width value T, std::optional<T> (empty =
/// null), Result<T> or Result<std::optional<T>> (an error fails the statement). A plain T may also be computed under nulls: `f` must then be total.
template <class... A, class F>
Result<ColumnPtr> map_rows(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, F&& f) {
  using Returned = std::invoke_result_t<F, A...>;
  using Traits = kernel_detail::Unwrap<Returned>;
  using T = typename Traits::type;
  const auto in = kernel_detail::readers<A...>(args, std::index_sequence_for<A...>{});
  const BufferPtr valid = merged_validity(args.first(sizeof...(A)), rows);
  const auto at = [&](std::size_t row) { return std::apply([&](const auto&... r) { return f(r[row]...); }, in); };
  FixedOutput<T> out(rows, valid);
  if constexpr (Traits::kKind == 0) {
    T* data = out.data();
    for (std::size_t i = 0; i < rows; ++i) data[i] = at(i);
  } else {
    for (std::size_t i = 0; i < rows; ++i) {
      if (!bit_is_set(valid.get(), i)) { out.set_null(i); continue; }
      auto value = at(i);
      if constexpr (Traits::kKind >= 2) {
        if (!value) [[unlikely]] return std::unexpected(std::move(value).error());
      }
      if constexpr (Traits::kKind == 1) {
        if (value) out.set(i, *value); else out.set_null(i);
      } else if constexpr (Traits::kKind == 2) {
        out.set(i, *value);
      } else {
        if (*value) out.set(i, **value); else out.set_null(i);
      }
    }
  }
  return out.finish(result);
}

/// As map_rows() for text results: `f(out, args...)` appends the row's text to `out`; it returns void, bool (false = null) or Result<bool>.
template <class... A, class F>
Result<ColumnPtr> map_text(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, F&& f) {
  using Returned = std::invoke_result_t<F, std::string&, A...>;
  const auto in = kernel_detail::readers<A...>(args, std::index_sequence_for<A...>{});
  const BufferPtr valid = merged_validity(args.first(sizeof...(A)), rows);
  TextOutput out(rows);
  const auto at = [&](std::size_t row) { return std::apply([&](const auto&... r) { return f(out.bytes(), r[row]...); }, in); };
  for (std::size_t i = 0; i < rows; ++i) {
    if (!bit_is_set(valid.get(), i)) { out.end_null(); continue; }
    bool present = true;
    if constexpr (std::is_void_v<Returned>) {
      at(i);
    } else if constexpr (std::is_same_v<Returned, bool>) {
      present = at(i);
    } else {
      SUPYO_ASSIGN(present, at(i));
    }
    if (present) out.end_row(); else out.end_null();
  }
  return out.finish(result);
}

/// Calls f(std::type_identity<T>{}) with the representation of a fixed-width type (BOOLEAN is std::uint8_t).
template <class F>
decltype(auto) with_representation(TypeId id, F&& f) {
  switch (id) {
    case TypeId::kBoolean: return f(std::type_identity<std::uint8_t>{});
    case TypeId::kTinyInt: return f(std::type_identity<std::int8_t>{});
    case TypeId::kSmallInt: return f(std::type_identity<std::int16_t>{});
    case TypeId::kInteger:
    case TypeId::kDate: return f(std::type_identity<std::int32_t>{});
    case TypeId::kFloat: return f(std::type_identity<float>{});
    case TypeId::kDouble: return f(std::type_identity<double>{});
    case TypeId::kDecimal: return f(std::type_identity<Int128>{});
    default: return f(std::type_identity<std::int64_t>{});
  }
}

/// Errors of kernels, worded alike.
inline std::unexpected<Error> arithmetic_error(std::string message) {
  return fail(ErrorCode::kArithmetic, std::move(message), "guard the expression with CASE or IF, or use TRY_CAST for conversions");
}

}  // namespace supyo::expr
