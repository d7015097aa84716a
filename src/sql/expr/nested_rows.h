#pragma once
#include <string>

#include "data/types/nested.h"
#include "sql/expr/kernel.h"

namespace supyo::expr {

/// A column of a type that is laid out as text, row after row: f(row, out) appends the row's bytes to `out` and returns bool (false = null) or Result<bool>.
template <class F>
Result<ColumnPtr> each_row(const Type& result, std::size_t rows, F&& f) {
  TextOutput out(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    bool present = false;
    if constexpr (std::is_same_v<std::invoke_result_t<F, std::size_t, std::string&>, bool>) {
      present = f(row, out.bytes());
    } else {
      SUPYO_ASSIGN(present, f(row, out.bytes()));
    }
    if (present) out.end_row(); else out.end_null();
  }
  return out.finish(result);
}

/// Casts what is in a nested column; both types are nested and can_cast() holds.
Result<ColumnPtr> cast_nested(const ColumnPtr& column, const Type& to, bool try_cast, const EvalContext& ctx);

}  // namespace supyo::expr
