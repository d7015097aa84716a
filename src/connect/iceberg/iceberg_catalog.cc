#include "connect/iceberg/iceberg.h"
#include "connect/iceberg/iceberg_options.h"
#include "data/iceberg/table.h"

namespace supyo::connect {
namespace {

// Properties that the session shows (and takes back) as WITH options; bookkeeping and other tools' properties stay in the table.
bool is_option(std::string_view key) {
  if (key.starts_with("supyo.last-epoch.")) return false;
  return key.starts_with("write.") || key.starts_with("commit.") || key.starts_with("history.") || key.starts_with("supyo.");
}

class IcebergCatalog final : public catalog::ExternalCatalog {
 public:
  IcebergCatalog(std::string name, std::string warehouse, std::string directory, const env::Env& env)
      : name_(std::move(name)), warehouse_(std::move(warehouse)), directory_(std::move(directory)), env_(env) {}

  Result<std::vector<std::string>> databases() override { return directories(directory_); }

  Status create_database(const std::string& name, bool if_not_exists) override {
    SUPYO_TRY(check_iceberg_name(name));
    const std::string path = env::join_path(directory_, name);
    SUPYO_ASSIGN(const bool there, env_.files.exists(path));
    if (there && !if_not_exists) return fail(ErrorCode::kAlreadyExists, fmt::format("database `{}` exists already in catalog `{}`", name, name_), "write IF NOT EXISTS");
    if (there) return ok();
    SUPYO_TRY(env_.files.create_directories(path));
    return env_.files.sync_directory(directory_);
  }

  Status drop_database(const std::string& name, bool if_exists) override {
    SUPYO_TRY(check_iceberg_name(name));
    const std::string path = env::join_path(directory_, name);
    SUPYO_ASSIGN(const bool there, env_.files.exists(path));
    if (!there) return if_exists ? ok() : unknown_database(name);
    SUPYO_ASSIGN(const auto kept, tables(name));
    if (!kept.empty()) return fail(ErrorCode::kNotAllowed, fmt::format("database `{}` still holds {} tables", name, kept.size()), "DROP DATABASE .. CASCADE");
    return env_.files.remove_all(path);
  }

  Result<std::vector<std::string>> tables(const std::string& database) override {
    SUPYO_TRY(check_iceberg_name(database));
    const std::string path = env::join_path(directory_, database);
    SUPYO_ASSIGN(const bool there, env_.files.exists(path));
    if (!there) return fail(unknown_database(database).error());
    SUPYO_ASSIGN(const auto names, directories(path));
    std::vector<std::string> out;
    for (const std::string& name : names) {
      SUPYO_ASSIGN(const bool table, env_.files.exists(env::join_path(path, name + "/metadata")));
      if (table) out.push_back(name);
    }
    return out;
  }

  Result<catalog::TableDefinition> table(const catalog::ObjectPath& path) override {
    SUPYO_ASSIGN(const std::string location, location_of(path));
    SUPYO_ASSIGN(const iceberg::LoadedTable loaded, iceberg::load_table(env_.files, location));
    const iceberg::TableMetadata& m = loaded.metadata;
    catalog::TableDefinition out;
    out.path = path;
    for (const iceberg::SchemaField& f : m.schema().fields) {
      const auto type = iceberg::sql_type(f);
      if (!type) continue;  // a type SQL does not have here: the other columns can still be read
      catalog::ColumnDefinition column;
      column.name = f.name;
      column.type = *type;
      column.comment = f.doc;
      out.columns.push_back(std::move(column));
    }
    for (const std::int32_t id : m.schema().identifier_field_ids)
      if (const auto* key = m.schema().find(id)) out.primary_key.push_back(key->name);
    for (const iceberg::PartitionField& f : m.spec().fields)
      if (const auto* source = m.schema().find(f.source_id); source != nullptr && f.transform == "identity") out.partition_keys.push_back(source->name);
    for (const auto& [key, value] : m.properties)
      if (is_option(key)) out.options[key] = value;
    if (const auto it = m.properties.find("comment"); it != m.properties.end()) out.comment = it->second;
    out.options["connector"] = "iceberg";
    out.options["catalog-name"] = name_;
    out.options["catalog-type"] = "hadoop";
    out.options["warehouse"] = warehouse_;
    out.options["catalog-database"] = path.database;
    out.options["catalog-table"] = path.name;
    return out;
  }

  Status create_table(const catalog::TableDefinition& table, bool if_not_exists) override {
    if (table.watermark) return refuse(table, "a watermark");
    for (const auto& column : table.columns)
      if (column.kind != catalog::ColumnDefinition::Kind::kPhysical) return refuse(table, "computed and metadata columns");
    if (const auto it = table.options.find("connector"); it != table.options.end() && it->second != "iceberg")
      return fail(ErrorCode::kUnsupported, fmt::format("a table with 'connector' = '{}' in Iceberg catalog `{}`", it->second, name_), "make it in default_catalog");
    SUPYO_ASSIGN(const std::string location, location_of(table.path));
    SUPYO_ASSIGN(const iceberg::TableMetadata metadata, iceberg_new_table(table, location, env_));
    Status made = iceberg::create_table(env_, metadata);
    if (!made && made.error().code == ErrorCode::kAlreadyExists && if_not_exists) return ok();
    return made;
  }

  Status drop_table(const catalog::ObjectPath& path, bool if_exists) override {
    SUPYO_ASSIGN(const std::string location, location_of(path));
    SUPYO_ASSIGN(const std::string directory, iceberg::local_path(location));
    SUPYO_ASSIGN(const bool there, env_.files.exists(env::join_path(directory, "metadata")));
    if (!there) return if_exists ? ok() : Status(fail(ErrorCode::kUnknownTable, fmt::format("there is no table {}", path.to_string()), "SHOW TABLES lists what is there"));
    SUPYO_TRY(env_.files.remove_all(directory));
    return env_.files.sync_directory(env::parent_path(directory));
  }

 private:
  Status refuse(const catalog::TableDefinition& table, std::string_view what) const {
    return fail(ErrorCode::kUnsupported, fmt::format("table {}: an Iceberg catalog cannot keep {}", table.path.to_string(), what),
                "declare them on a CREATE TEMPORARY TABLE with 'connector' = 'iceberg' over the same warehouse");
  }
  Status unknown_database(const std::string& name) const {
    return fail(ErrorCode::kUnknownTable, fmt::format("there is no database `{}` in catalog `{}`", name, name_), "CREATE DATABASE makes one");
  }

  Result<std::string> location_of(const catalog::ObjectPath& path) const {
    SUPYO_TRY(check_iceberg_name(path.database));
    SUPYO_TRY(check_iceberg_name(path.name));
    return warehouse_ + "/" + path.database + "/" + path.name;
  }

  Result<std::vector<std::string>> directories(const std::string& path) {
    std::vector<std::string> out;
    SUPYO_ASSIGN(const bool there, env_.files.exists(path));
    if (!there) return out;
    SUPYO_ASSIGN(const auto names, env_.files.list(path));
    for (const std::string& name : names) {
      if (name.starts_with('.')) continue;
      SUPYO_ASSIGN(const bool directory, env_.files.is_directory(env::join_path(path, name)));
      if (directory) out.push_back(name);
    }
    return out;
  }

  std::string name_;
  std::string warehouse_;   // as written into metadata
  std::string directory_;   // the same as a path
  env::Env env_;
};

}  // namespace

catalog::ExternalCatalogFactory iceberg_catalog_factory(const env::Env& env) {
  return [env](const std::string& name, const catalog::Options& options, const std::string& base_directory) -> Result<std::unique_ptr<catalog::ExternalCatalog>> {
    for (const auto& [key, value] : options)
      if (key != "type" && key != "catalog-type" && key != "catalog-impl" && key != "warehouse" && key != "property-version" && key != "default-database")
        return fail(ErrorCode::kUnknownOption, fmt::format("an Iceberg catalog has no option '{}'", key), "it takes 'type', 'catalog-type' and 'warehouse'");
    SUPYO_ASSIGN(std::string warehouse, iceberg_warehouse(options, base_directory));
    SUPYO_ASSIGN(std::string directory, iceberg::local_path(warehouse));
    SUPYO_TRY(env.files.create_directories(directory));
    return std::make_unique<IcebergCatalog>(name, std::move(warehouse), std::move(directory), env);
  };
}

}  // namespace supyo::connect
