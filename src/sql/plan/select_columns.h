#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "sql/plan/bind_query.h"

/// What the two files that bind a SELECT share.
namespace supyo::plan {

/// While a SELECT is being bound an aggregate or OVER call is a column with a number from here on.
inline constexpr std::size_t kAggregateBase = std::size_t{1} << 32;
inline constexpr std::size_t kGroupingBase = kAggregateBase + (std::size_t{1} << 31);   ///< a call of GROUPING and the like
inline constexpr std::size_t kOverBase = std::size_t{1} << 33;

/// Adds `e` to `list` unless it is there; its place.
inline std::size_t place(std::vector<expr::ExprPtr>& list, const expr::ExprPtr& e) {
  for (std::size_t i = 0; i < list.size(); ++i)
    if (same_expr(*list[i], *e)) return i;
  list.push_back(e);
  return list.size() - 1;
}

inline bool same_exprs(const std::vector<expr::ExprPtr>& a, const std::vector<expr::ExprPtr>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!same_expr(*a[i], *b[i])) return false;
  return true;
}

}  // namespace supyo::plan
