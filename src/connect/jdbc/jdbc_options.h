#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "sql/catalog/connector.h"

namespace supyo::connect::jdbc {

enum class Dialect : std::uint8_t { kSqlite, kPostgres };

/// Where a table is, as its options say.
struct Where {
  Dialect dialect = Dialect::kSqlite;
  std::string path;                                             ///< of SQLite's file
  std::vector<std::pair<std::string, std::string>> connection;  ///< of libpq: keyword, value. Holds the password
  std::string table;                                            ///< as written: "orders", "sales.orders"
  std::string name;                                             ///< of the table in SQL's catalog: for messages
  DurationUs patience_us = 60 * kSecond;                        ///< 'connection.max-retry-timeout': for one answer of the database

  /// "table 'orders' of postgresql://127.0.0.1:5432/app": for messages, without secrets.
  std::string text() const;
  std::string quoted_table() const;   ///< "sales"."orders"
};

/// Errors: kMissingOption, kBadOptionValue (the URL; never with its password), kUnsupported (another database, a parameter that is not on the list).
Result<Where> where_of(const catalog::TableDefinition& table, const std::string& base_directory);
/// Refuses types that the database's dialect does not have: kUnsupported.
Status check_types(const Where& where, const Schema& schema);

/// "a" with quotes inside doubled.
std::string quoted(std::string_view identifier);
/// "a", "b"
std::string quoted_list(const Schema& columns);

}  // namespace supyo::connect::jdbc
