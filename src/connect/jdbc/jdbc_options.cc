#include "connect/jdbc/jdbc_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "connect/jdbc/jdbc.h"
#include "core/env/env.h"

namespace supyo::connect {
namespace jdbc {
namespace {

constexpr std::string_view kPostgresUrl = "jdbc:postgresql:", kSqliteUrl = "jdbc:sqlite:";
constexpr std::string_view kForms = "'jdbc:postgresql://host:port/database' and 'jdbc:sqlite:path/of/file.db' are there";

/// Parameters of the driver's URL by libpq's names; "" = has no meaning here and changes no result. Nothing that names a file, a class or a command is on the list.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kParameters = {{
    {"user", "user"}, {"password", "password"}, {"sslmode", "sslmode"}, {"ApplicationName", "application_name"}, {"connectTimeout", "connect_timeout"},
    {"currentSchema", "options"}, {"reWriteBatchedInserts", ""}, {"stringtype", ""}, {"tcpKeepAlive", ""}, {"prepareThreshold", ""},
}};

Result<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto digit = [&](std::size_t at) { return at < text.size() ? std::string_view("0123456789abcdef").find(static_cast<char>(text[at] | 0x20)) : std::string_view::npos; };
    const std::size_t high = digit(i + 1), low = digit(i + 2);
    if (high == std::string_view::npos || low == std::string_view::npos || high * 16 + low == 0) return fail(ErrorCode::kBadOptionValue, "'url' has a % that is followed by no character's number", "write %25 for a %");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

Status add_parameter(std::string_view text, Where& out) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const auto* it = std::ranges::find(kParameters, name, &std::pair<std::string_view, std::string_view>::first);
  if (it == kParameters.end()) {
    std::string known;
    for (const auto& [p, keyword] : kParameters) known += (known.empty() ? "" : ", ") + std::string(p);
    return fail(ErrorCode::kUnsupported, fmt::format("'url' has the parameter '{}', which is not supported", name), "there are: " + known);
  }
  SUPYO_ASSIGN(std::string value, percent_decoded(equals == std::string_view::npos ? std::string_view() : text.substr(equals + 1)));
  if (it->second.empty()) return ok();
  if (name == "currentSchema") {
    std::string escaped;
    for (const char c : value) {
      if (c == ' ' || c == '\\') escaped += '\\';
      escaped += c;
    }
    value = "-c search_path=" + escaped;
  }
  out.connection.emplace_back(it->second, std::move(value));
  return ok();
}

/// [//host[:port]/]database[?name=value&..]
Status read_postgres_url(std::string_view rest, Where& out) {
  const std::size_t question = rest.find('?');
  std::string_view parameters = question == std::string_view::npos ? std::string_view() : rest.substr(question + 1);
  rest = rest.substr(0, question);
  std::string_view host = "localhost", port = "5432", database = rest;
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    const std::size_t slash = rest.find('/');
    std::string_view authority = rest.substr(0, slash);
    database = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (authority.contains('@')) return fail(ErrorCode::kBadOptionValue, "'url' has a user before its host", "give 'username' and 'password' as options");
    if (authority.contains(',')) return fail(ErrorCode::kUnsupported, "several hosts in 'url' are not supported", "name one");
    const std::size_t colon = authority.starts_with('[') ? authority.find(':', authority.find(']')) : authority.rfind(':');
    if (colon != std::string_view::npos) port = authority.substr(colon + 1), authority = authority.substr(0, colon);
    if (authority.starts_with('[') && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
    if (!authority.empty()) host = authority;
  }
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) return fail(ErrorCode::kBadOptionValue, fmt::format("'url' has the port '{}'", port), std::string(kForms));
  out.connection = {{"host", std::string(host)}, {"port", std::string(port)}};
  SUPYO_ASSIGN(std::string name, percent_decoded(database));
  if (!name.empty()) out.connection.emplace_back("dbname", std::move(name));
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find('&'), parameters.size());
    if (end > 0) SUPYO_TRY(add_parameter(parameters.substr(0, end), out));
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
  }
  return ok();
}

std::string value_of(const Where& w, std::string_view keyword) {
  for (const auto& [k, v] : w.connection)
    if (k == keyword) return v;
  return {};
}

/// A secret itself, or the environment's variable of '${env:NAME}'. The value is in no message.
Result<std::string> secret_of(std::string_view option, const std::string& value) {
  constexpr std::string_view kEnvironment = "${env:";
  if (!value.starts_with("${") || !value.ends_with("}")) return value;
  const std::string name = value.starts_with(kEnvironment) ? value.substr(kEnvironment.size(), value.size() - kEnvironment.size() - 1) : "";
  if (name.empty()) return fail(ErrorCode::kUnsupported, fmt::format("'{}' refers to something other than the environment", option), "write ${env:NAME}");
  const char* found = std::getenv(name.c_str());   // NOLINT: nothing here writes the environment
  if (found == nullptr) return fail(ErrorCode::kMissingOption, fmt::format("'{}' is ${{env:{}}}, and there is no such variable", option, name), fmt::format("export {}=..", name));
  return std::string(found);
}

void set(Where& w, std::string_view keyword, const std::string& value) {
  std::erase_if(w.connection, [&](const auto& kv) { return kv.first == keyword; });
  w.connection.emplace_back(keyword, value);
}

}  // namespace

std::string quoted(std::string_view identifier) {
  std::string out = "\"";
  for (const char c : identifier) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string quoted_list(const Schema& columns) {
  std::string out;
  for (const Field& f : columns.fields()) out += (out.empty() ? "" : ", ") + quoted(f.name);
  return out;
}

std::string Where::text() const {
  const std::string in = dialect == Dialect::kSqlite ? "sqlite:" + path : fmt::format("postgresql://{}:{}/{}", value_of(*this, "host"), value_of(*this, "port"), value_of(*this, "dbname"));
  return fmt::format("table '{}' of {}", table, in);
}

std::string Where::quoted_table() const {
  const std::size_t dot = dialect == Dialect::kPostgres ? table.find('.') : std::string::npos;
  return dot == std::string::npos ? quoted(table) : quoted(std::string_view(table).substr(0, dot)) + "." + quoted(std::string_view(table).substr(dot + 1));
}

Result<Where> where_of(const catalog::TableDefinition& table, const std::string& base_directory) {
  const catalog::ConnectorDescriptor d = jdbc_descriptor();
  const auto context = fmt::format("table '{}'", table.path.name);
  Where out;
  out.name = table.path.name;
  out.table = catalog::option_text(table.options, d, "table-name");
  out.patience_us = std::max<DurationUs>(catalog::option_duration(table.options, d, "connection.max-retry-timeout"), kSecond);
  const std::string url = catalog::option_text(table.options, d, "url");
  if (url.empty() || out.table.empty()) return fail(ErrorCode::kMissingOption, fmt::format("{} needs the options 'url' and 'table-name'", context));
  if (url.starts_with(kSqliteUrl)) {
    const std::string path = url.substr(kSqliteUrl.size());
    // SQLite's own ways to say more in a name, and databases that nobody else would see.
    if (path.empty() || path.starts_with(":") || path.starts_with("file:") || path.contains('?')) return fail(ErrorCode::kBadOptionValue, fmt::format("{}: 'url' names no file", context), "jdbc:sqlite:path/of/file.db");
    out.dialect = Dialect::kSqlite;
    out.path = path.starts_with('/') ? path : env::join_path(base_directory, path);
    if (table.options.contains("username") || table.options.contains("password")) return fail(ErrorCode::kUnknownOption, fmt::format("{}: SQLite has no users", context), "leave 'username' and 'password' out");
    return out;
  }
  if (!url.starts_with(kPostgresUrl)) return fail(ErrorCode::kUnsupported, fmt::format("{}: there is no database behind '{}'", context, url.substr(0, url.find(':', 5))), std::string(kForms));
  out.dialect = Dialect::kPostgres;
  if (const Status read = read_postgres_url(std::string_view(url).substr(kPostgresUrl.size()), out); !read) return fail(Error(read.error()).with_context(context));
  for (const auto& [option, keyword] : {std::pair{"username", "user"}, std::pair{"password", "password"}})
    if (const auto it = table.options.find(option); it != table.options.end()) {
      auto value = secret_of(option, it->second);
      if (!value) return fail(std::move(value).error().with_context(context));
      set(out, keyword, *value);
    }
  if (value_of(out, "user").empty()) return fail(ErrorCode::kMissingOption, fmt::format("{} needs the option 'username'", context), "PostgreSQL lets nobody in without a name");
  if (value_of(out, "dbname").empty()) set(out, "dbname", value_of(out, "user"));   // as the driver has it
  return out;
}

Status check_types(const Where& where, const Schema& schema) {
  for (const Field& f : schema.fields()) {
    if (f.nested) return fail(ErrorCode::kUnsupported, fmt::format("table '{}': a connector of databases has no ROWs, and '{}' is a field of one", where.name, f.name), "use plain columns");
    if (f.type.id != TypeId::kNull && f.type.id <= TypeId::kTimestamp) continue;
    const std::string hint = f.type.is_nested()                      ? "use plain columns; JSON text in a STRING column holds structures"
                             : f.type.id == TypeId::kTimestampLtz ? "declare TIMESTAMP(6), and CAST where you read or write it"
                                                                  : "use a column of a plain type";
    return fail(ErrorCode::kUnsupported, fmt::format("table '{}': connector 'jdbc' does not have the type {} of column '{}'", where.name, f.type.as_nullable().to_string(), f.name), hint);
  }
  return ok();
}

}  // namespace jdbc

catalog::ConnectorDescriptor jdbc_descriptor() {
  using K = catalog::OptionSpec::Kind;
  catalog::ConnectorDescriptor d;
  d.name = "jdbc";
  d.options = {
      {.key = "url", .required = true, .help = "'jdbc:postgresql://host:port/database' or 'jdbc:sqlite:path/of/file.db' (which Flink lacks)"},
      {.key = "table-name", .required = true, .help = "the table there; in PostgreSQL also 'schema.table'"},
      {.key = "username", .help = "PostgreSQL: who logs in"},
      {.key = "password", .help = "PostgreSQL: with what; write ${env:NAME} rather than the secret itself"},
      {.key = "driver", .help = "accepted for Flink's sake: no Java driver is used"},
      {.key = "connection.max-retry-timeout", .kind = K::kDuration, .default_value = "60s", .help = "how long an answer of the database is waited for (SQLite: a lock that others hold)"},
      {.key = "scan.fetch-size", .kind = K::kInteger, .default_value = "0", .help = "rows of a page when the table is read; 0: 4096"},
      {.key = "scan.auto-commit", .kind = K::kBoolean, .default_value = "true", .help = "accepted for Flink's sake"},
      {.key = "scan.partition.column", .help = "a column of an integer type: the table is read in parallel, by its ranges"},
      {.key = "scan.partition.num", .kind = K::kInteger, .help = "how many ranges"},
      {.key = "scan.partition.lower-bound", .kind = K::kInteger, .help = "smallest value that is read"},
      {.key = "scan.partition.upper-bound", .kind = K::kInteger, .help = "largest value that is read"},
      {.key = "lookup.cache", .kind = K::kEnum, .default_value = "NONE", .allowed = {"NONE", "PARTIAL"}, .help = "whether rows that were looked up are remembered"},
      {.key = "lookup.partial-cache.max-rows", .kind = K::kInteger, .default_value = "100000", .help = "how many keys are remembered, a shard (Flink: no bound unless one is given)"},
      {.key = "lookup.partial-cache.expire-after-write", .kind = K::kDuration, .help = "a key is asked for again so long after it was asked for"},
      {.key = "lookup.partial-cache.expire-after-access", .kind = K::kDuration, .help = "a key is forgotten so long after it was used last"},
      {.key = "lookup.partial-cache.cache-missing-key", .kind = K::kBoolean, .default_value = "true", .help = "that there is no row is remembered, too"},
      {.key = "lookup.cache.max-rows", .kind = K::kInteger, .help = "older name of lookup.partial-cache.max-rows; turns the cache on"},
      {.key = "lookup.cache.ttl", .kind = K::kDuration, .help = "older name of lookup.partial-cache.expire-after-write; turns the cache on"},
      {.key = "lookup.cache.caching-missing-key", .kind = K::kBoolean, .help = "older name of lookup.partial-cache.cache-missing-key"},
      {.key = "lookup.max-retries", .kind = K::kInteger, .default_value = "3", .help = "how often a question that failed is asked again"},
      {.key = "sink.buffer-flush.max-rows", .kind = K::kInteger, .default_value = "100", .help = "rows of one statement; they become visible with their epoch, all at once"},
      {.key = "sink.buffer-flush.interval", .kind = K::kDuration, .default_value = "1s", .help = "accepted for Flink's sake: rows are written when their epoch is final (execution.checkpointing.interval)"},
      {.key = "sink.max-retries", .kind = K::kInteger, .default_value = "3", .help = "how often an epoch that could not be written is tried again"},
      {.key = "sink.parallelism", .kind = K::kInteger, .help = "accepted for Flink's sake; the job's parallelism holds"},
      {.key = "sink.delivery-guarantee", .kind = K::kEnum, .default_value = "exactly-once", .allowed = {"exactly-once", "at-least-once"},
       .help = "without a primary key: exactly-once notes each epoch in the table supyo_epochs; at-least-once needs no such table (Flink has no such option)"},
  };
  d.source = true;
  d.sink = true;
  d.accepts = ChangelogMode::kUpsert;
  d.guarantee = DeliveryGuarantee::kEffectivelyOnce;   // without a primary key even exactly once
  d.help = "tables of PostgreSQL and SQLite: read to their end, looked up by key (FOR SYSTEM_TIME AS OF), and written; with PRIMARY KEY rows are inserted, updated and deleted by it";
  return d;
}

}  // namespace supyo::connect
