#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "connect/jdbc/jdbc_options.h"
#include "data/types/batch.h"

namespace supyo::connect::jdbc {

/// What a statement's places are filled with: the cells of rows [from, from + count) of `rows`, row by row, `columns` of each.
struct Parameters {
  const Batch* rows = nullptr;
  std::span<const std::size_t> columns = {};
  std::size_t from = 0;
  std::size_t count = 0;

  std::size_t size() const { return count * columns.size(); }
  const Column& column(std::size_t place) const { return *rows->columns[columns[place % columns.size()]]; }
  std::size_t row(std::size_t place) const { return from + place / columns.size(); }
};

/// A value of a row that does not fit its column: null stands in its place.
struct BadValue {
  std::size_t row = 0;      ///< of all rows of the answer
  std::size_t column = 0;
  std::string reason;
  std::string text;         ///< at most 200 bytes of it
};
struct Answer {
  std::vector<BatchPtr> rows;
  std::vector<BadValue> bad;   ///< in the order of rows
};

/// A connection to a database. Its calls wait for the answer, at most Where::patience_us. One thread at a time. What a call prepares is kept for the same text.
class Session {
 public:
  virtual ~Session() = default;
  /// A statement without places and rows: BEGIN, CREATE TABLE ..
  virtual Status run(const std::string& sql) = 0;
  virtual Status write(const std::string& sql, const Parameters& parameters) = 0;
  /// Rows, as the columns of `result`.
  virtual Result<Answer> query(const std::string& sql, const Parameters& parameters, const Schema& result) = 0;
  /// Whether columns of `result` can be what `sql` (a SELECT) gives; `written`: and can be stored there. kTypeMismatch, kUnknownTable, kUnknownColumn.
  virtual Status check(const std::string& sql, const Schema& result, bool written) = 0;
};

/// Errors: as jdbc.h says.
Result<std::unique_ptr<Session>> open_session(const Where& where);
Result<std::unique_ptr<Session>> open_sqlite(const Where& where);
Result<std::unique_ptr<Session>> open_postgres(const Where& where);

/// Whether the same call may succeed later, with a new session.
inline bool may_be_tried_again(const Error& e) { return e.code == ErrorCode::kOutsideUnavailable; }

}  // namespace supyo::connect::jdbc
