#include "sql/catalog/catalog.h"

#include <algorithm>
#include <utility>

#include "sql/syntax/diagnostic.h"

namespace supyo::catalog {
namespace {

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names, std::string otherwise) {
  std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view nearest = syntax::nearest_word(word, views);
  return nearest.empty() ? otherwise : fmt::format("did you mean `{}`?", nearest);
}

template <class Map>
std::vector<std::string> keys_of(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

constexpr std::string_view kInMemory = "generic_in_memory";

void change(Options& options, const Options& set, std::span<const std::string> reset) {
  for (const auto& [key, value] : set) options.insert_or_assign(key, value);
  for (const std::string& key : reset) options.erase(key);
}

bool is_view(const Catalog::Object& o) { return std::holds_alternative<ViewDefinition>(o); }

}  // namespace

Catalog::Catalog(const ConnectorRegistry& connectors, std::map<std::string, ExternalCatalogFactory> factories, std::string base_directory)
    : connectors_(connectors), factories_(std::move(factories)), base_directory_(std::move(base_directory)) {
  catalogs_[std::string(kDefaultCatalog)].databases[std::string(kDefaultDatabase)];
}

Result<const Catalog::Entry*> Catalog::entry(const std::string& name) const {
  const auto it = catalogs_.find(name);
  if (it == catalogs_.end())
    return fail(ErrorCode::kUnknownTable, fmt::format("catalog `{}` does not exist", name),
                did_you_mean(name, catalogs(), "make it with CREATE CATALOG; SHOW CATALOGS lists what is there"));
  return &it->second;
}

Result<Catalog::Entry*> Catalog::entry(const std::string& name) {
  SUPYO_ASSIGN(const Entry* found, std::as_const(*this).entry(name));
  return const_cast<Entry*>(found);
}

Status Catalog::use_catalog(const std::string& name) {
  SUPYO_ASSIGN(const Entry* e, std::as_const(*this).entry(name));
  std::string database(kDefaultDatabase);
  if (name != kDefaultCatalog) {
    const auto it = e->options.find("default-database");
    database = it == e->options.end() ? "default" : it->second;
  }
  current_catalog_ = name;
  current_database_ = database;
  return ok();
}

Result<ObjectPath> Catalog::database_path(std::span<const std::string> parts) const {
  if (parts.size() == 1) return ObjectPath{current_catalog_, parts[0], {}};
  if (parts.size() == 2) return ObjectPath{parts[0], parts[1], {}};
  return fail(ErrorCode::kInvalidQuery, "a database name has one or two parts", "write catalog.database or database");
}

Status Catalog::use_database(std::span<const std::string> parts) {
  SUPYO_ASSIGN(const ObjectPath path, database_path(parts));
  SUPYO_TRY(check_database(path.catalog, path.database));
  current_catalog_ = path.catalog;
  current_database_ = path.database;
  return ok();
}

Status Catalog::create_catalog(const std::string& name, const Options& options, bool if_not_exists) {
  if (catalogs_.contains(name)) {
    if (if_not_exists) return ok();
    return fail(ErrorCode::kAlreadyExists, fmt::format("catalog `{}` exists already", name), "choose another name, or CREATE CATALOG IF NOT EXISTS");
  }
  const auto type = options.find("type");
  auto known = keys_of(factories_);
  known.emplace_back(kInMemory);
  const std::string types = fmt::format("known types: {}", fmt::join(known, ", "));
  if (type == options.end()) return fail(ErrorCode::kMissingOption, "CREATE CATALOG needs the option 'type'", types);
  if (type->second == kInMemory) {
    for (const auto& [key, value] : options)
      if (key != "type" && key != "default-database") return fail(ErrorCode::kUnknownOption, fmt::format("a catalog in memory has no option '{}'", key), "it has: type, default-database");
    const auto database = options.find("default-database");
    Entry made{.options = options, .databases = {}, .external = nullptr};
    made.databases[database == options.end() ? "default" : database->second];
    catalogs_.emplace(name, std::move(made));
    return ok();
  }
  const auto factory = factories_.find(type->second);
  if (factory == factories_.end())
    return fail(ErrorCode::kBadOptionValue, fmt::format("catalog type '{}' is not known", type->second), did_you_mean(type->second, known, types));
  Entry made;
  made.options = options;
  SUPYO_ASSIGN(made.external, factory->second(name, options, base_directory_));
  catalogs_.emplace(name, std::move(made));
  return ok();
}

Status Catalog::drop_catalog(const std::string& name, bool if_exists) {
  const auto it = catalogs_.find(name);
  if (it == catalogs_.end() && if_exists) return ok();
  SUPYO_TRY(entry(name));
  if (name == current_catalog_ || name == kDefaultCatalog)
    return fail(ErrorCode::kInvalidQuery, fmt::format("catalog `{}` is in use and cannot be dropped", name), "USE CATALOG another one first");
  std::erase_if(temporary_, [&](const auto& kv) { return kv.first.catalog == name; });
  catalogs_.erase(it);
  return ok();
}

std::vector<std::string> Catalog::catalogs() const { return keys_of(catalogs_); }

Result<CatalogInfo> Catalog::catalog_info(const std::string& name) const {
  SUPYO_ASSIGN(const Entry* e, entry(name));
  return CatalogInfo{name, e->options};
}

bool Catalog::is_external(const std::string& catalog) const {
  const auto it = catalogs_.find(catalog);
  return it != catalogs_.end() && it->second.external != nullptr;
}

Status Catalog::alter_catalog(const std::string& name, const Options& set, std::span<const std::string> reset) {
  SUPYO_ASSIGN(Entry* e, entry(name));
  if (e->external || name == kDefaultCatalog) return fail(ErrorCode::kUnsupported, fmt::format("the options of catalog `{}` cannot be changed", name), "DROP CATALOG and create it again");
  if (set.contains("type") || std::ranges::find(reset, "type") != reset.end()) return fail(ErrorCode::kBadOptionValue, "a catalog's type cannot be changed", "create another catalog");
  change(e->options, set, reset);
  return ok();
}

Status Catalog::alter_database(std::span<const std::string> parts, const Options& set, std::span<const std::string> reset) {
  SUPYO_ASSIGN(const ObjectPath path, database_path(parts));
  SUPYO_TRY(check_database(path.catalog, path.database));
  SUPYO_ASSIGN(Entry* e, entry(path.catalog));
  if (e->external) return fail(ErrorCode::kUnsupported, fmt::format("catalog `{}` keeps no options of databases", path.catalog), "options belong to its tables");
  change(e->databases[path.database].options, set, reset);
  return ok();
}

Status Catalog::create_database(std::span<const std::string> parts, bool if_not_exists, const Options& options) {
  SUPYO_ASSIGN(const ObjectPath path, database_path(parts));
  SUPYO_ASSIGN(Entry* e, entry(path.catalog));
  if (e->external && !options.empty()) return fail(ErrorCode::kUnsupported, fmt::format("catalog `{}` keeps no options of databases", path.catalog), "leave WITH out");
  if (e->external) return e->external->create_database(path.database, if_not_exists);
  if (!e->databases.try_emplace(path.database, Database{.options = options, .objects = {}}).second && !if_not_exists)
    return fail(ErrorCode::kAlreadyExists, fmt::format("database `{}`.`{}` exists already", path.catalog, path.database),
                "choose another name, or CREATE DATABASE IF NOT EXISTS");
  return ok();
}

Status Catalog::drop_database(std::span<const std::string> parts, bool if_exists, bool cascade) {
  SUPYO_ASSIGN(const ObjectPath path, database_path(parts));
  SUPYO_ASSIGN(Entry* e, entry(path.catalog));
  if (auto there = check_database(path.catalog, path.database); !there) return if_exists ? ok() : there;
  if (path.catalog == current_catalog_ && path.database == current_database_)
    return fail(ErrorCode::kInvalidQuery, fmt::format("database `{}` is in use and cannot be dropped", path.database), "USE another one first");
  SUPYO_ASSIGN(const std::vector<std::string> names, tables(path.catalog, path.database));
  if (!names.empty() && !cascade)
    return fail(ErrorCode::kInvalidQuery, fmt::format("database `{}` is not empty: it has `{}`", path.database, names.front()),
                "drop its tables first, or DROP DATABASE .. CASCADE");
  std::erase_if(temporary_, [&](const auto& kv) { return kv.first.catalog == path.catalog && kv.first.database == path.database; });
  if (!e->external) {
    e->databases.erase(path.database);
    return ok();
  }
  SUPYO_ASSIGN(const std::vector<std::string> kept, e->external->tables(path.database));
  for (const std::string& name : kept) SUPYO_TRY(e->external->drop_table({path.catalog, path.database, name}, true));
  return e->external->drop_database(path.database, if_exists);
}

Result<std::vector<std::string>> Catalog::databases(const std::string& catalog) const {
  SUPYO_ASSIGN(const Entry* e, entry(catalog));
  if (e->external) return e->external->databases();
  return keys_of(e->databases);
}

Status Catalog::check_database(const std::string& catalog, const std::string& database) const {
  SUPYO_ASSIGN(const std::vector<std::string> names, databases(catalog));
  if (std::ranges::find(names, database) != names.end()) return ok();
  return fail(ErrorCode::kUnknownTable, fmt::format("database `{}` does not exist in catalog `{}`", database, catalog),
              did_you_mean(database, names, "make it with CREATE DATABASE; SHOW DATABASES lists what is there"));
}

Result<ObjectPath> Catalog::resolve(std::span<const std::string> parts) const {
  switch (parts.size()) {
    case 1: return ObjectPath{current_catalog_, current_database_, parts[0]};
    case 2: return ObjectPath{current_catalog_, parts[0], parts[1]};
    case 3: return ObjectPath{parts[0], parts[1], parts[2]};
    default: return fail(ErrorCode::kInvalidQuery, "a table name has one to three parts", "write catalog.database.table, database.table or table");
  }
}

Result<Catalog::Object> Catalog::find(const ObjectPath& path) const {
  if (const auto it = temporary_.find(path); it != temporary_.end()) return it->second;
  SUPYO_ASSIGN(const Entry* e, entry(path.catalog));
  SUPYO_TRY(check_database(path.catalog, path.database));
  if (!e->external) {
    const auto& objects = e->databases.at(path.database).objects;
    if (const auto it = objects.find(path.name); it != objects.end()) return it->second;
  } else {
    auto table = e->external->table(path);
    if (table) return Object(*std::move(table));
    if (table.error().code != ErrorCode::kUnknownTable) return fail(std::move(table).error());
  }
  SUPYO_ASSIGN(const std::vector<std::string> names, tables(path.catalog, path.database));
  return fail(ErrorCode::kUnknownTable, fmt::format("table or view `{}` does not exist in `{}`.`{}`", path.name, path.catalog, path.database),
              did_you_mean(path.name, names, names.empty() ? "make it with CREATE TABLE" : fmt::format("there are: {}", fmt::join(names, ", "))));
}

bool Catalog::exists(const ObjectPath& path) const { return find(path).has_value(); }

Result<bool> Catalog::create(Object object, const ObjectPath& path, bool temporary, bool if_not_exists) {
  SUPYO_TRY(entry(path.catalog));
  SUPYO_TRY(check_database(path.catalog, path.database));
  // A temporary object may hide a permanent one, but not another temporary one.
  const bool taken = temporary ? temporary_.contains(path) : exists(path);
  if (taken) {
    if (if_not_exists) return false;
    return fail(ErrorCode::kAlreadyExists, fmt::format("`{}` exists already in `{}`.`{}`", path.name, path.catalog, path.database),
                "drop it first, or write IF NOT EXISTS");
  }
  if (temporary) {
    temporary_.emplace(path, std::move(object));
    return true;
  }
  SUPYO_ASSIGN(Entry* e, entry(path.catalog));
  if (!e->external) {
    e->databases[path.database].objects.emplace(path.name, std::move(object));
    return true;
  }
  if (is_view(object))
    return fail(ErrorCode::kUnsupported, fmt::format("catalog `{}` keeps no views", path.catalog), "CREATE TEMPORARY VIEW, or make it in default_catalog");
  SUPYO_TRY(e->external->create_table(std::get<TableDefinition>(object), if_not_exists));
  return true;
}

Result<bool> Catalog::create_table(TableDefinition table, bool if_not_exists) {
  const ObjectPath path = table.path;
  const bool temporary = table.temporary;
  return create(std::move(table), path, temporary, if_not_exists);
}

Result<bool> Catalog::create_view(ViewDefinition view, bool if_not_exists) {
  const ObjectPath path = view.path;
  const bool temporary = view.temporary;
  return create(std::move(view), path, temporary, if_not_exists);
}

Status Catalog::drop(const ObjectPath& path, bool if_exists, bool temporary, bool view) {
  const char* what = view ? "view" : "table";
  const auto hidden = temporary_.find(path);
  if (temporary || hidden != temporary_.end()) {
    if (hidden == temporary_.end()) {
      if (if_exists) return ok();
      return fail(ErrorCode::kUnknownTable, fmt::format("temporary {} `{}` does not exist", what, path.name), "SHOW TABLES lists what is there");
    }
    if (is_view(hidden->second) != view)
      return fail(ErrorCode::kInvalidQuery, fmt::format("`{}` is a {}", path.name, view ? "table" : "view"), fmt::format("DROP {}", view ? "TABLE" : "VIEW"));
    if (!temporary)
      return fail(ErrorCode::kInvalidQuery, fmt::format("a temporary {} hides `{}`", what, path.name),
                  fmt::format("drop it first: DROP TEMPORARY {}", view ? "VIEW" : "TABLE"));
    temporary_.erase(hidden);
    return ok();
  }
  auto found = find(path);
  if (!found) return if_exists && found.error().code == ErrorCode::kUnknownTable ? ok() : Status(fail(std::move(found).error()));
  if (is_view(*found) != view)
    return fail(ErrorCode::kInvalidQuery, fmt::format("`{}` is a {}", path.name, view ? "table" : "view"), fmt::format("DROP {}", view ? "TABLE" : "VIEW"));
  SUPYO_ASSIGN(Entry* e, entry(path.catalog));
  if (e->external) return e->external->drop_table(path, if_exists);
  e->databases[path.database].objects.erase(path.name);
  return ok();
}

Status Catalog::drop_table(const ObjectPath& path, bool if_exists, bool temporary) { return drop(path, if_exists, temporary, false); }
Status Catalog::drop_view(const ObjectPath& path, bool if_exists, bool temporary) { return drop(path, if_exists, temporary, true); }

Status Catalog::rename_table(const ObjectPath& from, const std::string& to) {
  SUPYO_ASSIGN(Object object, find(from));
  ObjectPath path = from;
  path.name = to;
  if (exists(path)) return fail(ErrorCode::kAlreadyExists, fmt::format("`{}` exists already", to), "choose another name");
  const auto place = [&](Object& o) { std::visit([&](auto& d) { d.path = path; }, o); };
  if (const auto it = temporary_.find(from); it != temporary_.end()) {
    place(object);
    temporary_.erase(it);
    temporary_.emplace(path, std::move(object));
    return ok();
  }
  SUPYO_ASSIGN(Entry* e, entry(from.catalog));
  if (e->external)
    return fail(ErrorCode::kUnsupported, fmt::format("catalog `{}` cannot rename tables", from.catalog), "make a new table and INSERT INTO it");
  place(object);
  auto& objects = e->databases[from.database].objects;
  objects.erase(from.name);
  objects.emplace(to, std::move(object));
  return ok();
}

Status Catalog::set_table_options(const ObjectPath& path, const Options& set, std::span<const std::string> reset) {
  SUPYO_ASSIGN(Object object, find(path));
  auto* table = std::get_if<TableDefinition>(&object);
  if (table == nullptr) return fail(ErrorCode::kInvalidQuery, fmt::format("`{}` is a view and has no options", path.name), "ALTER the table below it");
  change(table->options, set, reset);
  return replace(std::move(object));
}

Status Catalog::replace(Object object) {
  const ObjectPath path = std::visit([](const auto& o) { return o.path; }, object);
  if (const auto it = temporary_.find(path); it != temporary_.end()) {
    it->second = std::move(object);
    return ok();
  }
  SUPYO_ASSIGN(Entry* e, entry(path.catalog));
  if (e->external)
    return fail(ErrorCode::kUnsupported, fmt::format("catalog `{}` cannot change tables", path.catalog), "make a new table and INSERT INTO it; other options can be given by a hint: /*+ OPTIONS('key'='value') */");
  e->databases[path.database].objects[path.name] = std::move(object);
  return ok();
}

Result<std::vector<std::string>> Catalog::tables(const std::string& catalog, const std::string& database) const {
  SUPYO_ASSIGN(const Entry* e, entry(catalog));
  SUPYO_TRY(check_database(catalog, database));
  std::vector<std::string> names;
  if (e->external) {
    SUPYO_ASSIGN(names, e->external->tables(database));
  } else {
    names = keys_of(e->databases.at(database).objects);
  }
  for (const auto& [path, object] : temporary_)
    if (path.catalog == catalog && path.database == database) names.push_back(path.name);
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

Result<std::vector<std::string>> Catalog::views(const std::string& catalog, const std::string& database) const {
  SUPYO_ASSIGN(const std::vector<std::string> names, tables(catalog, database));
  std::vector<std::string> out;
  for (const std::string& name : names) {
    const ObjectPath path{catalog, database, name};
    const auto hidden = temporary_.find(path);
    if (hidden != temporary_.end()) {
      if (is_view(hidden->second)) out.push_back(name);
      continue;
    }
    SUPYO_ASSIGN(const Entry* e, entry(catalog));
    if (!e->external && is_view(e->databases.at(database).objects.at(name))) out.push_back(name);
  }
  return out;
}

}  // namespace supyo::catalog
