#pragma once
#include <cstddef>
#include <vector>

#include "core/base/result.h"
#include "sql/plan/logical.h"

namespace supyo::plan {

/// Places in a stripped node that stand for columns of the window that was taken out.
inline constexpr std::size_t kStartMark = SIZE_MAX - 1;
inline constexpr std::size_t kEndMark = SIZE_MAX - 2;
inline constexpr std::size_t kTimeMark = SIZE_MAX - 3;
inline constexpr std::size_t kMixedMark = SIZE_MAX - 4;   ///< computed from window columns
inline bool is_mark(std::size_t c) { return c >= kMixedMark; }

/// A subtree without the window function at its bottom: what a window aggregation reads, since it assigns windows itself.
struct Stripped {
  LogicalPtr node;
  std::vector<std::size_t> map;   ///< old column -> new column or a mark
  std::size_t time_column = 0;    ///< of `node`
  WindowSpec window;
  std::vector<std::size_t> partition;   ///< of `node`; of LogicalWindow, as the next
  bool of_group = false;
  bool processing = false;
  bool asks_rows = false;               ///< a filter above SESSION asks of rows, which must not change whose sessions there are
  /// What filters ask of the window itself, all of it to hold: of a window's rows all pass or none, so it is asked of the window's result. Column i is the
  /// i-th WindowColumn.
  std::vector<expr::ExprPtr> window_filters;
  std::vector<Type> window_types;   ///< by WindowColumn
};

inline WindowColumn column_of_mark(std::size_t mark) {
  return mark == kStartMark ? WindowColumn::kStart : mark == kEndMark ? WindowColumn::kEnd : WindowColumn::kTime;
}

/// `node` without the LogicalWindow `id`, through filters and projections above it. Errors: kUnsupported, at `position` or at the filter.
Result<Stripped> strip_window(const LogicalPtr& node, int id, const SourcePosition& position);

/// SESSION below an aggregation by other columns than its own, or of chosen rows.
bool is_of_rows(const Stripped& s, const LogicalAggregate& a);
/// Whether a key is computed from the window's columns, or a call is over them.
bool reads_window(const Stripped& s, const LogicalAggregate& a);

}  // namespace supyo::plan
