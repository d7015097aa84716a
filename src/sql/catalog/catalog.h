#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "sql/catalog/connector.h"
#include "sql/catalog/table.h"

namespace supyo::catalog {

inline constexpr std::string_view kDefaultCatalog = "default_catalog";
inline constexpr std::string_view kDefaultDatabase = "default_database";

/// A view: its query as text, and the session's place when it was made (its names are resolved there, whatever is in USE later).
struct ViewDefinition {
  ObjectPath path;
  std::string query_sql;
  Schema schema;                 ///< of the query at creation, under the view's column names
  std::string comment;
  bool temporary = false;
  std::string made_in_catalog;
  std::string made_in_database;
};

struct CatalogInfo {
  std::string name;
  Options options;               ///< empty for the built-in one
};

/// What a session knows by name: catalogs, databases, tables, views, and where USE stands. In memory, except for what external catalogs keep.
///
/// Temporary tables and views hide permanent ones of the same path, in external catalogs too. Errors carry no source position: the binder adds it.
/// One thread.
class Catalog {
 public:
  using Object = std::variant<TableDefinition, ViewDefinition>;

  /// `factories`: by the 'type' option of CREATE CATALOG. `connectors` must outlive the catalog.
  Catalog(const ConnectorRegistry& connectors, std::map<std::string, ExternalCatalogFactory> factories, std::string base_directory);

  const ConnectorRegistry& connectors() const { return connectors_; }
  const std::string& base_directory() const { return base_directory_; }
  const std::string& current_catalog() const { return current_catalog_; }
  const std::string& current_database() const { return current_database_; }
  Status use_catalog(const std::string& name);
  /// 1 part: of the current catalog; 2: catalog.database.
  Status use_database(std::span<const std::string> parts);

  Status create_catalog(const std::string& name, const Options& options, bool if_not_exists);
  Status drop_catalog(const std::string& name, bool if_exists);
  std::vector<std::string> catalogs() const;
  Result<CatalogInfo> catalog_info(const std::string& name) const;

  /// Whether the catalog's tables live outside: they answer to it.
  bool is_external(const std::string& catalog) const;
  /// Of a catalog in memory. Errors: kUnsupported.
  Status alter_catalog(const std::string& name, const Options& set, std::span<const std::string> reset);

  /// Options are kept, and mean nothing here. Errors: kUnsupported where an external catalog gets some.
  Status create_database(std::span<const std::string> parts, bool if_not_exists, const Options& options = {});
  Status alter_database(std::span<const std::string> parts, const Options& set, std::span<const std::string> reset);
  /// RESTRICT refuses a database that still has tables.
  Status drop_database(std::span<const std::string> parts, bool if_exists, bool cascade);
  Result<std::vector<std::string>> databases(const std::string& catalog) const;

  /// Completes a name of 1 to 3 parts from the current catalog and database. Does not look whether the object exists.
  Result<ObjectPath> resolve(std::span<const std::string> parts) const;
  /// Errors: kUnknownTable, with the nearest name as the hint.
  Result<Object> find(const ObjectPath& path) const;
  bool exists(const ObjectPath& path) const;

  /// False (and nothing done) when it exists and `if_not_exists`. Errors: kAlreadyExists, kUnknownTable (no such database).
  Result<bool> create_table(TableDefinition table, bool if_not_exists);
  Result<bool> create_view(ViewDefinition view, bool if_not_exists);
  Status drop_table(const ObjectPath& path, bool if_exists, bool temporary);
  Status drop_view(const ObjectPath& path, bool if_exists, bool temporary);
  Status rename_table(const ObjectPath& from, const std::string& to);
  /// Puts a new definition in the place of the table or view of that path. Errors: kUnsupported in an external catalog.
  Status replace(Object object);
  Status set_table_options(const ObjectPath& path, const Options& set, std::span<const std::string> reset);

  /// Sorted names, views included, as SHOW TABLES lists them.
  Result<std::vector<std::string>> tables(const std::string& catalog, const std::string& database) const;
  Result<std::vector<std::string>> views(const std::string& catalog, const std::string& database) const;

 private:
  struct Database {
    Options options;
    std::map<std::string, Object> objects;
  };
  struct Entry {
    Options options;
    std::map<std::string, Database> databases;       // of a catalog in memory
    std::unique_ptr<ExternalCatalog> external;       // null for those in memory
  };
  Result<const Entry*> entry(const std::string& name) const;
  Result<Entry*> entry(const std::string& name);
  Status check_database(const std::string& catalog, const std::string& database) const;
  Result<bool> create(Object object, const ObjectPath& path, bool temporary, bool if_not_exists);
  Status drop(const ObjectPath& path, bool if_exists, bool temporary, bool view);
  Result<ObjectPath> database_path(std::span<const std::string> parts) const;

  const ConnectorRegistry& connectors_;
  std::map<std::string, ExternalCatalogFactory> factories_;
  std::string base_directory_;
  std::map<std::string, Entry> catalogs_;
  std::map<ObjectPath, Object> temporary_;
  std::string current_catalog_{kDefaultCatalog};
  std::string current_database_{kDefaultDatabase};
};

/// `text` in backticks, as SHOW CREATE prints every identifier.
std::string quoted(std::string_view text);
/// Statement that makes the object again.
std::string show_create_table(const TableDefinition& table);
std::string show_create_view(const ViewDefinition& view);

/// One line of DESCRIBE: name, type, null, key, extras, watermark, as Flink's columns are.
struct DescribedColumn {
  std::string name;
  std::string type;
  bool nullable = true;
  std::string key;         ///< "PRI(a, b)" for columns of the primary key
  std::string extras;      ///< "AS `a` + 1", "METADATA FROM 'timestamp' VIRTUAL"
  std::string watermark;   ///< the expression, at the row-time column
};
std::vector<DescribedColumn> describe(const TableDefinition& table);

}  // namespace supyo::catalog
