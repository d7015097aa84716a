#pragma once
#include <algorithm>

#include "data/types/batch.h"

namespace supyo::operators {

/// The left columns, then the right ones; those of a side that may be absent can be null.
inline Schema joined_schema(const Schema& left, const Schema& right, bool keep_left, bool keep_right) {
  Schema s;
  for (const Field& f : left.fields()) s.add(f.name, keep_right ? f.type.as_nullable() : f.type);
  for (const Field& f : right.fields()) s.add(f.name, keep_left ? f.type.as_nullable() : f.type);
  return s;
}

/// Columns of both sides as late_schema() takes them: a late row has those of its own side.
inline Schema late_columns(const Schema& joined) {
  Schema s;
  for (const Field& f : joined.fields()) s.add(f.name, f.type.as_nullable());
  return s;
}

/// Null is equal to nothing: such a row has no partner.
inline bool has_null(const Batch& batch, const std::vector<std::size_t>& columns, std::size_t row) {
  return std::ranges::any_of(columns, [&](std::size_t c) { return batch.columns[c]->is_null(row); });
}

inline bool only_inserts(const Batch& batch) {
  return std::ranges::all_of(batch.kinds, [](RowKind k) { return k == RowKind::kInsert; });
}

}  // namespace supyo::operators
