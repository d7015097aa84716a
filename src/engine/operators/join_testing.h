#pragma once
#include <optional>
#include <vector>

#include "data/types/builder.h"

/// Rows of one key and one value, for tests of joins.
namespace supyo::operators {

struct In {
  std::optional<std::int64_t> key;
  std::int64_t value = 0;
  RowKind kind = RowKind::kInsert;
  bool operator==(const In& o) const { return key == o.key && value == o.value; }
};

inline Schema key_value_schema(const char* key, const char* value) { return Schema({{key, Type::big_int()}, {value, Type::big_int().not_null()}}); }

inline BatchPtr batch_of(const std::vector<In>& rows) {
  BatchBuilder b(key_value_schema("k", "v"));
  for (const In& r : rows) {
    if (r.key) b.column(0).append(*r.key);
    else b.column(0).append_null();
    b.column(1).append(r.value);
    b.end_row(r.kind);
  }
  return b.finish();
}

}  // namespace supyo::operators
