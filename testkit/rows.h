#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "data/types/builder.h"

namespace supyo::testkit {

/// What the fake sources give: a key, a value, a row time.
struct TestRow {
  std::int64_t key = 0;
  std::int64_t value = 0;
  std::optional<TimeUs> time;   ///< absent: null
  TimeUs produced = 0;
};

/// (k BIGINT NOT NULL, v BIGINT, ts TIMESTAMP(3))
inline Schema test_schema() {
  Schema s;
  s.add("k", Type::big_int().not_null());
  s.add("v", Type::big_int());
  s.add("ts", Type::timestamp(3));
  return s;
}

inline BatchPtr batch_of(const std::vector<TestRow>& rows) {
  BatchBuilder b(test_schema(), rows.size());
  for (const TestRow& r : rows) {
    b.column(0).append_integer(r.key);
    b.column(1).append_integer(r.value);
    if (r.time) b.column(2).append_integer(*r.time);
    else b.column(2).append_null();
    b.end_row();
  }
  return b.finish();
}

/// One line a row: "+I 3,17,1000", nulls as "-".
inline std::vector<std::string> lines_of(const Batch& batch) {
  std::vector<std::string> out;
  for (std::size_t row = 0; row < batch.rows; ++row) {
    std::string line(row_kind_text(batch.kind(row)));
    for (std::size_t c = 0; c < batch.columns.size(); ++c) {
      const Column& column = *batch.columns[c];
      line += c == 0 ? ' ' : ',';
      if (column.is_null(row)) line += '-';
      else if (column.type().is_variable()) line += column.text(row);
      else line += std::to_string(column.integer(row));
    }
    out.push_back(std::move(line));
  }
  return out;
}

inline std::vector<std::string> sorted(std::vector<std::string> lines) {
  std::ranges::sort(lines);
  return lines;
}

}  // namespace supyo::testkit
