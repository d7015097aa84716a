#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>

#include "connect/jdbc/session.h"
#include "data/formats/cell.h"
#include "data/types/value.h"

namespace supyo::connect::jdbc {
namespace {

struct Close {
  void operator()(sqlite3* db) const { (void)sqlite3_close_v2(db); }
  void operator()(sqlite3_stmt* s) const { (void)sqlite3_finalize(s); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Close>;

/// How SQLite stores what is put into a column declared like this ("Determination Of Column Affinity" in its manual).
enum class Affinity : std::uint8_t { kInteger, kText, kBlob, kReal, kNumeric };
Affinity affinity_of(std::string declared) {
  for (char& c : declared)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  const auto has = [&](std::string_view part) { return declared.contains(part); };
  if (has("INT")) return Affinity::kInteger;
  if (has("CHAR") || has("CLOB") || has("TEXT")) return Affinity::kText;
  if (declared.empty() || has("BLOB")) return Affinity::kBlob;
  if (has("REAL") || has("FLOA") || has("DOUB")) return Affinity::kReal;
  return Affinity::kNumeric;
}

/// Whether values of `type` come back as they were put there. What is only read is judged value by value.
bool fits(const Type& type, Affinity a, bool written) {
  if (a == Affinity::kBlob) return true;
  if (type.id == TypeId::kString) return a == Affinity::kText || (a == Affinity::kNumeric && !written);   // "007" would become 7
  if (type.id == TypeId::kBytes) return true;
  if (type.id == TypeId::kDecimal) return a != Affinity::kInteger;
  if (type.id == TypeId::kDate || type.id == TypeId::kTime || type.id == TypeId::kTimestamp) return a == Affinity::kText || a == Affinity::kNumeric;
  if (type.is_floating()) return a == Affinity::kReal || a == Affinity::kNumeric || !written;
  return a != Affinity::kText && (a != Affinity::kReal || !written);
}

class SqliteSession final : public Session {
 public:
  explicit SqliteSession(const Where& where) : where_(where) {}

  Status open() {
    sqlite3* db = nullptr;
    const int rc = sqlite3_open_v2(where_.path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    db_.reset(db);
    if (rc == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_CANTOPEN)
      return fail(ErrorCode::kFileNotFound, fmt::format("{}: the file cannot be opened", where_.text()), "make the database and its table first: sqlite3 file.db 'CREATE TABLE ..'");
    if (rc != SQLITE_OK) return broken(rc, "opening the file");
    (void)sqlite3_busy_timeout(db_.get(), static_cast<int>(std::min<DurationUs>(where_.patience_us / kMillisecond, 3'600'000)));
    // A column that is not there is an error and not a text in quotes.
    (void)sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    return run("PRAGMA synchronous = FULL");   // a transaction that is told final must be on the disk
  }

  Status run(const std::string& sql) override {
    const int rc = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (rc != SQLITE_OK) return broken(rc, "");
    return ok();
  }

  Status write(const std::string& sql, const Parameters& parameters) override {
    SUPYO_ASSIGN(sqlite3_stmt* s, bound(sql, parameters));
    const int rc = sqlite3_step(s);
    (void)sqlite3_reset(s);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) return broken(rc, "");
    return ok();
  }

  Result<Answer> query(const std::string& sql, const Parameters& parameters, const Schema& result) override {
    SUPYO_ASSIGN(sqlite3_stmt* s, bound(sql, parameters));
    Answer out;
    BatchBuilder rows(result);
    std::size_t count = 0;
    int rc = SQLITE_OK;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
      for (std::size_t c = 0; c < result.size(); ++c) {
        if (const char* why = append(s, static_cast<int>(c), rows.column(c))) {
          rows.column(c).append_null();
          out.bad.push_back({count, c, why, text_of(s, static_cast<int>(c))});
        }
      }
      rows.end_row();
      ++count;
      if (rows.full()) out.rows.push_back(rows.finish());
    }
    (void)sqlite3_reset(s);
    if (rc != SQLITE_DONE) return fail(broken(rc, "").error());
    if (rows.rows() > 0) out.rows.push_back(rows.finish());
    return out;
  }

  Status check(const std::string& sql, const Schema& result, bool written) override {
    SUPYO_ASSIGN(sqlite3_stmt* s, prepared(sql));
    for (std::size_t c = 0; c < result.size(); ++c) {
      const char* declared = sqlite3_column_decltype(s, static_cast<int>(c));
      if (!fits(result[c].type, affinity_of(declared == nullptr ? "" : declared), written))
        return fail(ErrorCode::kTypeMismatch, fmt::format("{}: column '{}' is {} there and {} here", where_.text(), result[c].name, declared, result[c].type.as_nullable().to_string()),
                    "SQLite would change the values; declare the column there as INTEGER, REAL, TEXT (also for times and DECIMAL) or BLOB");
    }
    return ok();
  }

 private:
  std::unexpected<Error> broken(int rc, std::string_view doing) const {
    const std::string said = db_ ? sqlite3_errmsg(db_.get()) : sqlite3_errstr(rc);
    const std::string message = fmt::format("{}: {}{}{}", where_.text(), doing, doing.empty() ? "" : ": ", said);
    switch (rc & 0xff) {
      case SQLITE_BUSY:
      case SQLITE_LOCKED: return fail(ErrorCode::kOutsideUnavailable, message, "another process holds the file; 'connection.max-retry-timeout' says how long it is waited for");
      case SQLITE_READONLY:
      case SQLITE_PERM:
      case SQLITE_AUTH: return fail(ErrorCode::kNotAllowed, message, "the file and its directory must be writable for this user");
      case SQLITE_FULL: return fail(ErrorCode::kDiskFull, message);
      case SQLITE_IOERR: return fail(ErrorCode::kIo, message);
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB: return fail(ErrorCode::kDamaged, message, "see what sqlite3 says: PRAGMA integrity_check");
      case SQLITE_CONSTRAINT: return fail(ErrorCode::kJobFailed, message, "the table refuses a row: drop what the query should not write (WHERE), declare the PRIMARY KEY here too, or loosen the constraint");
      default: break;
    }
    if (said.starts_with("no such table")) return fail(ErrorCode::kUnknownTable, message, "create it in the database; 'table-name' is its name there");
    if (said.starts_with("no such column") || said.contains("has no column named")) return fail(ErrorCode::kUnknownColumn, message, "columns have the same names here and there");
    if (said.contains("ON CONFLICT clause does not match"))
      return fail(ErrorCode::kInvalidQuery, message, "the table there needs a PRIMARY KEY or UNIQUE over exactly the columns of the PRIMARY KEY here");
    return fail(ErrorCode::kJobFailed, message);
  }

  Result<sqlite3_stmt*> prepared(const std::string& sql) {
    const auto it = statements_.find(sql);
    if (it != statements_.end()) return it->second.get();
    sqlite3_stmt* s = nullptr;
    const int rc = sqlite3_prepare_v3(db_.get(), sql.c_str(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &s, nullptr);
    if (rc != SQLITE_OK) return broken(rc, "");
    return statements_.emplace(sql, Statement(s)).first->second.get();
  }

  Result<sqlite3_stmt*> bound(const std::string& sql, const Parameters& parameters) {
    SUPYO_ASSIGN(sqlite3_stmt* s, prepared(sql));
    for (std::size_t place = 0; place < parameters.size(); ++place) {
      const int rc = bind(s, static_cast<int>(place) + 1, parameters.column(place), parameters.row(place));
      if (rc != SQLITE_OK) return broken(rc, "");
    }
    return s;
  }

  static int bind(sqlite3_stmt* s, int place, const Column& column, std::size_t row) {
    if (column.is_null(row)) return sqlite3_bind_null(s, place);
    switch (column.type().id) {
      case TypeId::kFloat: return sqlite3_bind_double(s, place, static_cast<double>(column.value<float>(row)));
      case TypeId::kDouble: return sqlite3_bind_double(s, place, column.value<double>(row));
      case TypeId::kString: {
        const std::string_view t = column.text(row);
        return sqlite3_bind_text64(s, place, t.empty() ? "" : t.data(), t.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
      }
      case TypeId::kBytes: {
        const std::string_view t = column.text(row);
        return sqlite3_bind_blob64(s, place, t.empty() ? "" : t.data(), t.size(), SQLITE_TRANSIENT);
      }
      case TypeId::kDecimal:
      case TypeId::kDate:
      case TypeId::kTime:
      case TypeId::kTimestamp: {
        std::string text;
        append_text_of(column, row, text);
        return sqlite3_bind_text64(s, place, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
      }
      default: return sqlite3_bind_int64(s, place, column.integer(row));
    }
  }

  static std::string_view text_at(sqlite3_stmt* s, int c) {
    const auto* p = reinterpret_cast<const char*>(sqlite3_column_text(s, c));
    return {p == nullptr ? "" : p, static_cast<std::size_t>(sqlite3_column_bytes(s, c))};
  }
  static std::string text_of(sqlite3_stmt* s, int c) { return std::string(text_at(s, c).substr(0, 200)); }

  /// Appends the value, or says why it does not fit.
  const char* append(sqlite3_stmt* s, int c, ColumnBuilder& out) {
    const int stored = sqlite3_column_type(s, c);
    const Type& type = out.type();
    if (stored == SQLITE_NULL) return out.append_null(), nullptr;
    if (type.is_variable()) {
      if (type.id == TypeId::kString && stored == SQLITE_BLOB) return "a BLOB";
      out.append_text(text_at(s, c));
      return nullptr;
    }
    const char* why = nullptr;
    cell_.null = false;
    if (type.is_floating() && (stored == SQLITE_FLOAT || stored == SQLITE_INTEGER)) {
      cell_.number = sqlite3_column_double(s, c);
    } else if (stored == SQLITE_INTEGER && (type.is_integer() || type.id == TypeId::kBoolean)) {
      const std::int64_t v = sqlite3_column_int64(s, c);
      if (type.id == TypeId::kBoolean) {
        if (v != 0 && v != 1) return "neither 0 nor 1";
        cell_.integer = v;
      } else {
        why = formats::cell_from_integer(v, type, cell_);
      }
    } else if (stored == SQLITE_BLOB || (stored != SQLITE_TEXT && type.id != TypeId::kDecimal)) {
      return stored == SQLITE_BLOB ? "a BLOB" : "a number of another kind";
    } else {
      why = formats::cell_from_text(text_at(s, c), type, formats::TimestampStyle::kSql, cell_);
    }
    if (why == nullptr) formats::append_cell(out, cell_);
    return why;
  }

  const Where where_;
  std::unique_ptr<sqlite3, Close> db_;
  std::map<std::string, Statement> statements_;   // gone before the database is
  formats::Cell cell_;
};

}  // namespace

Result<std::unique_ptr<Session>> open_sqlite(const Where& where) {
  auto session = std::make_unique<SqliteSession>(where);
  SUPYO_TRY(session->open());
  return std::unique_ptr<Session>(std::move(session));
}

Result<std::unique_ptr<Session>> open_session(const Where& where) { return where.dialect == Dialect::kSqlite ? open_sqlite(where) : open_postgres(where); }

}  // namespace supyo::connect::jdbc
