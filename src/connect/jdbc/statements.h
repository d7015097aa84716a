#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "connect/jdbc/jdbc_options.h"

namespace supyo::connect::jdbc {

/// Statements about one table. Places are filled row by row with the columns named. What is compared has the type of the column here (a text: that of the column there, which
/// may be a UUID), what is stored that of the column there.
class Statements {
 public:
  /// `keys`: columns of `schema` by which rows are told apart; may be none.
  Statements(Where where, Schema schema, std::vector<std::size_t> keys = {});

  /// SELECT columns FROM table [WHERE ..].
  std::string select(const Schema& columns, const std::string& rest) const;
  /// Rows with one of `count` keys: WHERE a IN (..), (a, b) IN (VALUES ..).
  std::string select_by_key(const Schema& columns, std::size_t count) const;
  std::string delete_by_key(std::size_t count) const;
  /// INSERT of `count` rows; with keys the row that is there becomes the new one.
  std::string put(std::size_t count) const;

  /// "$3::bigint" or "?3"; "$3" or "?3".
  std::string place(std::size_t number, const Type& type) const;
  std::string plain_place(std::size_t number) const;
  /// At most so many rows in one statement with `columns` places a row.
  static std::size_t most_rows(std::size_t columns) { return 32'000 / (columns == 0 ? 1 : columns); }

 private:
  std::string rows_of_places(std::size_t count, const std::vector<std::size_t>& columns, bool typed) const;
  std::string by_key(std::size_t count) const;

  Where where_;
  Schema schema_;
  std::vector<std::size_t> keys_, all_;
};

/// Calls `each(from, count)` for parts of `rows` rows: powers of two up to `most`, so that few statements serve all sizes. Stops at an error.
template <class Each>
Status in_parts(std::size_t rows, std::size_t most, Each each) {
  std::size_t part = 1;
  while (part * 2 <= most) part *= 2;
  for (std::size_t from = 0; from < rows; from += part) {
    while (part > rows - from) part /= 2;
    SUPYO_TRY(each(from, part));
  }
  return ok();
}

}  // namespace supyo::connect::jdbc
