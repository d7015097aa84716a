#include <dlfcn.h>
#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "connect/jdbc/session.h"
#include "data/formats/cell.h"
#include "data/types/value.h"

namespace supyo::connect::jdbc {
namespace {

// What is used of libpq.
#define SUPYO_PQ_ALL(EACH) \
  EACH(PQclear) EACH(PQconnectdbParams) EACH(PQconnectionNeedsPassword) EACH(PQdescribePrepared) EACH(PQerrorMessage) EACH(PQexec) \
  EACH(PQexecPrepared) EACH(PQfinish) EACH(PQftype) EACH(PQgetisnull) EACH(PQgetlength) EACH(PQgetvalue) EACH(PQnfields) EACH(PQntuples) \
  EACH(PQprepare) EACH(PQresultErrorField) EACH(PQresultStatus) EACH(PQstatus)

/// libpq, loaded when the first table of PostgreSQL is opened: with it come some twenty libraries for logins, which others need not wait for.
struct Libpq {
#define SUPYO_PQ_MEMBER(name) decltype(&::name) name = nullptr;
  SUPYO_PQ_ALL(SUPYO_PQ_MEMBER)
#undef SUPYO_PQ_MEMBER
  std::string failure;   // why it is not there

  Libpq() {
    void* library = ::dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);   // stays
    if (library == nullptr) {
      failure = ::dlerror();   // NOLINT: right after the call, under the lock of the first use
      return;
    }
#define SUPYO_PQ_LOAD(name)                                                     \
  name = reinterpret_cast<decltype(name)>(::dlsym(library, #name));             \
  if (name == nullptr) failure = "it has no " #name;
    SUPYO_PQ_ALL(SUPYO_PQ_LOAD)
#undef SUPYO_PQ_LOAD
  }
};
const Libpq& pq() {
  static const Libpq library;
  return library;
}

struct Close {
  void operator()(PGconn* c) const { pq().PQfinish(c); }
  void operator()(PGresult* r) const { pq().PQclear(r); }
};
using Reply = std::unique_ptr<PGresult, Close>;

/// Types of columns, by the numbers that PostgreSQL gives its own ones (pg_type.dat).
namespace oid {
constexpr Oid kBool = 16, kBytea = 17, kInt8 = 20, kInt2 = 21, kInt4 = 23, kFloat4 = 700, kFloat8 = 701, kDate = 1082, kTime = 1083, kTimestamp = 1114, kTimestamptz = 1184, kNumeric = 1700;
}

/// Whether a column of that type can be read as `type`, and takes its values. A text stands for anything: uuid, jsonb, an enum.
bool fits(const Type& type, Oid there) {
  const bool integer = there == oid::kInt2 || there == oid::kInt4 || there == oid::kInt8;
  switch (type.id) {
    case TypeId::kBoolean: return there == oid::kBool;
    case TypeId::kTinyInt:
    case TypeId::kSmallInt:
    case TypeId::kInteger:
    case TypeId::kBigInt: return integer;
    case TypeId::kFloat:
    case TypeId::kDouble: return there == oid::kFloat4 || there == oid::kFloat8 || there == oid::kNumeric;
    case TypeId::kDecimal: return there == oid::kNumeric || integer;
    case TypeId::kBytes: return there == oid::kBytea;
    case TypeId::kDate: return there == oid::kDate;
    case TypeId::kTime: return there == oid::kTime;
    case TypeId::kTimestamp: return there == oid::kTimestamp || there == oid::kTimestamptz;
    default: return true;
  }
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> all) { return std::ranges::find(all, text) != all.end(); }
bool has_one_of(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(parts, [&](std::string_view p) { return text.contains(p); });
}

/// "\\x0aff" as bytes; false when it is not that.
bool from_hex(std::string_view text, std::string& out) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return false;
  out.clear();
  for (std::size_t i = 2; i < text.size(); i += 2) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const std::size_t high = kDigits.find(text[i]), low = kDigits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return false;
    out += static_cast<char>(high * 16 + low);
  }
  return true;
}

class PostgresSession final : public Session {
 public:
  explicit PostgresSession(const Where& where) : where_(where) {}

  Status open() {
    std::vector<const char*> names, values;
    const auto add = [&](const char* name, const char* value) {
      names.push_back(name);
      values.push_back(value);
    };
    const std::string patience_ms = std::to_string(where_.patience_us / kMillisecond);
    add("connect_timeout", "10");
    add("tcp_user_timeout", patience_ms.c_str());
    add("keepalives_idle", "10");
    add("client_encoding", "UTF8");
    add("fallback_application_name", "supyo");
    for (const auto& [k, v] : where_.connection) add(k.c_str(), v.c_str());   // a later one holds
    add(nullptr, nullptr);
    connection_.reset(pq().PQconnectdbParams(names.data(), values.data(), 0));
    if (pq().PQstatus(connection_.get()) != CONNECTION_OK) return refused();
    // Texts of values do not depend on how the server or the user is set up.
    return run("SET datestyle = 'ISO'; SET timezone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET standard_conforming_strings = on");
  }

  Status run(const std::string& sql) override { return judged(Reply(pq().PQexec(connection_.get(), sql.c_str()))); }

  Status write(const std::string& sql, const Parameters& parameters) override {
    SUPYO_ASSIGN(const Reply reply, executed(sql, parameters));
    return ok();
  }

  Result<Answer> query(const std::string& sql, const Parameters& parameters, const Schema& result) override {
    SUPYO_ASSIGN(const Reply reply, executed(sql, parameters));
    if (pq().PQnfields(reply.get()) < static_cast<int>(result.size())) return fail(ErrorCode::kInternal, fmt::format("{}: an answer of {} columns", where_.text(), pq().PQnfields(reply.get())));
    Answer out;
    BatchBuilder rows(result);
    for (int r = 0; r < pq().PQntuples(reply.get()); ++r) {
      for (int c = 0; c < static_cast<int>(result.size()); ++c) {
        ColumnBuilder& column = rows.column(static_cast<std::size_t>(c));
        if (pq().PQgetisnull(reply.get(), r, c) != 0) {
          column.append_null();
          continue;
        }
        const std::string_view text(pq().PQgetvalue(reply.get(), r, c), static_cast<std::size_t>(pq().PQgetlength(reply.get(), r, c)));
        if (const char* why = append(text, pq().PQftype(reply.get(), c), column)) {
          column.append_null();
          out.bad.push_back({static_cast<std::size_t>(r), static_cast<std::size_t>(c), why, std::string(text.substr(0, 200))});
        }
      }
      rows.end_row();
      if (rows.full()) out.rows.push_back(rows.finish());
    }
    if (rows.rows() > 0) out.rows.push_back(rows.finish());
    return out;
  }

  Status check(const std::string& sql, const Schema& result, bool) override {
    SUPYO_ASSIGN(const std::string name, prepared(sql));
    const Reply reply(pq().PQdescribePrepared(connection_.get(), name.c_str()));
    SUPYO_TRY(judged(reply));
    for (std::size_t c = 0; c < result.size(); ++c) {
      const Oid there = pq().PQftype(reply.get(), static_cast<int>(c));
      if (!fits(result[c].type, there))
        return fail(ErrorCode::kTypeMismatch, fmt::format("{}: column '{}' is {} there and {} here", where_.text(), result[c].name, type_name(there), result[c].type.as_nullable().to_string()),
                    "declare the column as it is there (STRING takes everything), or make a view there that casts it");
    }
    return ok();
  }

 private:
  std::string type_name(Oid type) {
    const Reply reply(pq().PQexec(connection_.get(), fmt::format("SELECT format_type({}, NULL)", type).c_str()));
    return pq().PQresultStatus(reply.get()) == PGRES_TUPLES_OK && pq().PQntuples(reply.get()) == 1 ? pq().PQgetvalue(reply.get(), 0, 0) : fmt::format("type {}", type);
  }

  static std::string line_of(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    std::ranges::replace(text, '\n', ' ');
    return text;
  }

  /// Nobody answered, or somebody said no.
  Status refused() const {
    const std::string said = line_of(pq().PQerrorMessage(connection_.get()));
    const std::string message = fmt::format("{}: {}", where_.text(), said);
    if (pq().PQconnectionNeedsPassword(connection_.get()) != 0) return fail(ErrorCode::kNotAllowed, message, "give the option 'password'");
    if (has_one_of(said, {"database system is", "too many", "connection slots"}) || !said.contains("FATAL"))
      return fail(ErrorCode::kOutsideUnavailable, message, "see that the server runs and that host and port of 'url' are right");
    return fail(ErrorCode::kNotAllowed, message, "see 'username', 'password' and the database in 'url', and the server's pg_hba.conf");
  }

  Status judged(const Reply& reply) const {
    const ExecStatusType status = pq().PQresultStatus(reply.get());
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return ok();
    const auto field = [&](int which) {
      const char* text = pq().PQresultErrorField(reply.get(), which);
      return std::string(text == nullptr ? "" : text);
    };
    const std::string state = field(PG_DIAG_SQLSTATE), detail = field(PG_DIAG_MESSAGE_DETAIL);
    std::string said = field(PG_DIAG_MESSAGE_PRIMARY);
    if (said.empty()) said = line_of(pq().PQerrorMessage(connection_.get()));
    if (!detail.empty()) said += " (" + line_of(detail) + ")";
    const std::string message = fmt::format("{}: {}", where_.text(), said);
    const std::string_view kind = std::string_view(state).substr(0, std::min<std::size_t>(2, state.size()));
    if (pq().PQstatus(connection_.get()) != CONNECTION_OK || is_one_of(kind, {"", "08", "40", "57"}) || is_one_of(state, {"55P03", "53300"}))
      return fail(ErrorCode::kOutsideUnavailable, message, "see that the server runs");
    if (is_one_of(state, {"42P01", "3F000"})) return fail(ErrorCode::kUnknownTable, message, "create it in the database; 'table-name' is its name there, 'schema.table' where it is in no schema of the search path");
    if (state == "42703") return fail(ErrorCode::kUnknownColumn, message, "columns have the same names here and there, upper and lower case included");
    if (state == "42501" || kind == "28") return fail(ErrorCode::kNotAllowed, message, "GRANT it to the user of 'username'");
    if (state == "42P10") return fail(ErrorCode::kInvalidQuery, message, "the table there needs a PRIMARY KEY or UNIQUE over exactly the columns of the PRIMARY KEY here");
    if (kind == "23") return fail(ErrorCode::kJobFailed, message, "the table refuses a row: drop what the query should not write (WHERE), declare the PRIMARY KEY here too, or loosen the constraint");
    if (kind == "22") return fail(ErrorCode::kValueOutOfRange, message, "a value does not fit its column there");
    if (state == "53100") return fail(ErrorCode::kDiskFull, message);
    return fail(ErrorCode::kJobFailed, fmt::format("{} (SQLSTATE {})", message, state));
  }

  Result<std::string> prepared(const std::string& sql) {
    const auto it = statements_.find(sql);
    if (it != statements_.end()) return it->second;
    std::string name = fmt::format("supyo_{}", statements_.size());
    SUPYO_TRY(judged(Reply(pq().PQprepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr))));
    statements_.emplace(sql, name);
    return name;
  }

  Result<Reply> executed(const std::string& sql, const Parameters& parameters) {
    texts_.clear();
    ends_.clear();
    for (std::size_t place = 0; place < parameters.size(); ++place) {
      const Column& column = parameters.column(place);
      const std::size_t row = parameters.row(place);
      if (!column.is_null(row)) {
        const std::size_t from = texts_.size();
        put_text(column, row);
        if (column.type().is_text() && std::string_view(texts_).substr(from).contains('\0'))
          return fail(ErrorCode::kValueOutOfRange, fmt::format("{}: a text holds the character NUL, which PostgreSQL does not have", where_.text()), "take it out: REPLACE, or store BYTES");
        texts_ += '\0';
      }
      ends_.push_back(texts_.size());
    }
    values_.clear();
    std::size_t from = 0;
    for (const std::size_t end : ends_) {
      values_.push_back(end == from ? nullptr : texts_.data() + from);
      from = end;
    }
    const int count = static_cast<int>(values_.size());
    Reply reply;
    if (sql.starts_with("FETCH ")) {
      reply.reset(pq().PQexec(connection_.get(), sql.c_str()));
    } else {
      SUPYO_ASSIGN(const std::string name, prepared(sql));
      reply.reset(pq().PQexecPrepared(connection_.get(), name.c_str(), count, values_.data(), nullptr, nullptr, 0));
    }
    SUPYO_TRY(judged(reply));
    return reply;
  }

  void put_text(const Column& column, std::size_t row) {
    switch (column.type().id) {
      case TypeId::kFloat:
      case TypeId::kDouble: {
        const double v = column.type().id == TypeId::kFloat ? static_cast<double>(column.value<float>(row)) : column.value<double>(row);
        if (std::isnan(v)) texts_ += "NaN";
        else if (std::isinf(v)) texts_ += v > 0 ? "Infinity" : "-Infinity";
        else if (column.type().id == TypeId::kFloat) texts_ += fmt::format("{}", column.value<float>(row));
        else formats::append_double(v, texts_);
        return;
      }
      case TypeId::kBytes:
        texts_ += "\\x";
        for (const char c : column.text(row)) texts_ += fmt::format("{:02x}", static_cast<unsigned char>(c));
        return;
      default: append_text_of(column, row, texts_);
    }
  }

  /// Appends the value, or says why it does not fit.
  const char* append(std::string_view text, Oid there, ColumnBuilder& out) {
    const Type& type = out.type();
    cell_.null = false;
    const char* why = nullptr;
    if (type.id == TypeId::kBoolean) {
      cell_.integer = text == "t";
    } else if (type.id == TypeId::kBytes) {
      if (!from_hex(text, cell_.owned)) why = "not bytes";
      cell_.text = cell_.owned;
    } else if (type.is_floating() && is_one_of(text, {"NaN", "Infinity", "-Infinity"})) {
      cell_.number = text == "NaN" ? std::nan("") : text == "Infinity" ? HUGE_VAL : -HUGE_VAL;
    } else {
      if (there == oid::kTimestamptz && type.is_timestamp() && text.ends_with("+00")) text.remove_suffix(3);   // the session's zone is UTC
      why = formats::cell_from_text(text, type, formats::TimestampStyle::kSql, cell_);
    }
    if (why == nullptr) formats::append_cell(out, cell_);
    return why;
  }

  const Where where_;
  std::unique_ptr<PGconn, Close> connection_;
  std::map<std::string, std::string> statements_;   // text -> name
  formats::Cell cell_;
  // Scratch of one call.
  std::string texts_;
  std::vector<std::size_t> ends_;
  std::vector<const char*> values_;
};

}  // namespace

Result<std::unique_ptr<Session>> open_postgres(const Where& where) {
  if (!pq().failure.empty()) return fail(ErrorCode::kModuleMissing, fmt::format("{}: PostgreSQL's client library cannot be loaded: {}", where.text(), pq().failure), "Debian, as root: apt-get install -y --no-install-recommends libpq5");
  auto session = std::make_unique<PostgresSession>(where);
  SUPYO_TRY(session->open());
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace supyo::connect::jdbc
