#include "sql/plan/show.h"

#include <algorithm>

#include "sql/catalog/option_traits.h"
#include "sql/plan/bind_table.h"

namespace supyo::plan {
namespace {

using syntax::Span;

std::string create_catalog_text(const catalog::CatalogInfo& info) {
  std::vector<std::string> options;
  for (const auto& [key, value] : info.options) options.push_back(fmt::format("  '{}' = '{}'", key, value));
  return fmt::format("CREATE CATALOG {} WITH (\n{}\n)", catalog::quoted(info.name), fmt::join(options, ",\n"));
}

Result<catalog::Catalog::Object> object_of(BindContext& ctx, const syntax::Name& name) {
  SUPYO_ASSIGN(const catalog::ObjectPath path, QueryBinder(ctx).resolve(name));
  if (path.name.find('$') != std::string::npos && ctx.options.system_table)
    if (auto table = ctx.options.system_table(path)) return *std::move(table);
  return at(ctx.catalog.find(path), name.span);
}

/// Catalog and database of SHOW TABLES [FROM name].
Result<std::pair<std::string, std::string>> place_of(BindContext& ctx, const syntax::Show& s) {
  std::pair<std::string, std::string> place{ctx.catalog.current_catalog(), ctx.catalog.current_database()};
  if (!s.name) return place;
  const auto& parts = s.name->parts;
  if (parts.size() > 2) return fail_at(s.name->span, ErrorCode::kInvalidQuery, "a database name has one or two parts", "write catalog.database or database");
  if (parts.size() == 2) place.first = parts[0].text;
  place.second = parts.back().text;
  return place;
}

Listing describe_listing(const std::vector<catalog::DescribedColumn>& columns) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& c : columns) rows.push_back({c.name, c.type, c.nullable ? "TRUE" : "FALSE", c.key, c.extras, c.watermark});
  return text_listing({"name", "type", "null", "key", "extras", "watermark"}, rows);
}

Listing describe(const catalog::Catalog::Object& object) {
  if (const auto* table = std::get_if<catalog::TableDefinition>(&object)) return describe_listing(catalog::describe(*table));
  std::vector<catalog::DescribedColumn> columns;
  for (const Field& f : std::get<catalog::ViewDefinition>(object).schema.fields())
    columns.push_back({.name = f.name, .type = f.type.as_nullable().to_string(), .nullable = f.type.nullable, .key = {}, .extras = {}, .watermark = {}});
  return describe_listing(columns);
}

catalog::TableDefinition without_secrets(catalog::TableDefinition table) {
  for (auto& [key, value] : table.options)
    if (catalog::is_secret(key)) value = "******";
  return table;
}

Result<Listing> show_create(BindContext& ctx, const syntax::Show& s, const Span& span) {
  if (!s.name) return fail_at(span, ErrorCode::kInvalidQuery, "SHOW CREATE needs a name", "write SHOW CREATE TABLE t");
  if (s.kind == syntax::Show::Kind::kCreateCatalog) {
    SUPYO_ASSIGN(const catalog::CatalogInfo info, at(ctx.catalog.catalog_info(s.name->last()), s.name->span));
    return text_listing({"result"}, {{create_catalog_text(info)}});
  }
  SUPYO_ASSIGN(const catalog::Catalog::Object object, object_of(ctx, *s.name));
  const bool view = std::holds_alternative<catalog::ViewDefinition>(object);
  if (view != (s.kind == syntax::Show::Kind::kCreateView))
    return fail_at(s.name->span, ErrorCode::kInvalidQuery, fmt::format("`{}` is a {}", s.name->last(), view ? "view" : "table"),
                   fmt::format("SHOW CREATE {} {}", view ? "VIEW" : "TABLE", s.name->last()));
  const std::string text = view ? catalog::show_create_view(std::get<catalog::ViewDefinition>(object)) : catalog::show_create_table(without_secrets(std::get<catalog::TableDefinition>(object)));
  return text_listing({"result"}, {{text}});
}

Result<std::pair<std::string, std::vector<std::string>>> names_of(BindContext& ctx, const syntax::Show& s, const Span& span) {
  using Kind = syntax::Show::Kind;
  std::pair<std::string, std::vector<std::string>> out;
  switch (s.kind) {
    case Kind::kCatalogs: return std::pair{std::string("catalog name"), ctx.catalog.catalogs()};
    case Kind::kModules: return std::pair{std::string("module name"), std::vector{std::string("core")}};
    case Kind::kJars: return std::pair{std::string("jars"), std::vector<std::string>()};
    case Kind::kModels: return std::pair{std::string("model name"), std::vector<std::string>()};
    case Kind::kUserFunctions: return std::pair{std::string("function name"), ctx.functions.user_names()};
    case Kind::kFunctions: return std::pair{std::string("function name"), ctx.functions.names()};
    case Kind::kCurrentCatalog: return std::pair{std::string("current catalog name"), std::vector{ctx.catalog.current_catalog()}};
    case Kind::kCurrentDatabase: return std::pair{std::string("current database name"), std::vector{ctx.catalog.current_database()}};
    case Kind::kDatabases: {
      out.first = "database name";
      SUPYO_ASSIGN(out.second, at(ctx.catalog.databases(s.name ? s.name->last() : ctx.catalog.current_catalog()), s.name ? s.name->span : span));
      return out;
    }
    case Kind::kTables:
    case Kind::kViews: {
      SUPYO_ASSIGN(const auto place, place_of(ctx, s));
      const bool views = s.kind == Kind::kViews;
      out.first = views ? "view name" : "table name";
      SUPYO_ASSIGN(out.second, at(views ? ctx.catalog.views(place.first, place.second) : ctx.catalog.tables(place.first, place.second), s.name ? s.name->span : span));
      return out;
    }
    default: return fail(ErrorCode::kInternal, "SHOW of an unknown kind");
  }
}

}  // namespace

Listing text_listing(const std::vector<std::string>& columns, const std::vector<std::vector<std::string>>& rows) {
  Listing out;
  for (const std::string& c : columns) out.schema.add(c, Type::string());
  for (const auto& row : rows) {
    std::vector<Value> values;
    for (const std::string& v : row) values.push_back({.type = Type::string(), .data = v});
    out.rows.push_back(std::move(values));
  }
  return out;
}

bool like_matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '%') {
    for (std::size_t i = 0; i <= text.size(); ++i)
      if (like_matches(pattern.substr(1), text.substr(i))) return true;
    return false;
  }
  if (text.empty() || (pattern.front() != '_' && pattern.front() != text.front())) return false;
  return like_matches(pattern.substr(1), text.substr(1));
}

namespace {

Result<Listing> show_partitions(BindContext& ctx, const syntax::Show& s) {
  SUPYO_ASSIGN(const catalog::Catalog::Object object, object_of(ctx, *s.name));
  const auto* table = std::get_if<catalog::TableDefinition>(&object);
  if (table == nullptr) return fail_at(s.name->span, ErrorCode::kInvalidQuery, fmt::format("`{}` is a view", s.name->last()), "tables have partitions");
  SUPYO_ASSIGN(const auto wanted, partition_of(*table, s.partition, s.name->span));
  std::vector<std::vector<std::string>> rows;
  for (const std::vector<std::string>& values : table->partitions) {
    std::vector<std::string> parts;
    bool fits = true;
    for (std::size_t i = 0; i < values.size(); ++i) {
      parts.push_back(table->partition_keys[i] + "=" + values[i]);
      fits = fits && (!wanted[i] || *wanted[i] == values[i]);
    }
    if (fits) rows.push_back({fmt::format("{}", fmt::join(parts, "/"))});
  }
  return text_listing({"partition name"}, rows);
}

}  // namespace

Result<Listing> show(BindContext& ctx, const syntax::Show& s, const Span& span) {
  using Kind = syntax::Show::Kind;
  if (s.kind == Kind::kCreateTable || s.kind == Kind::kCreateView || s.kind == Kind::kCreateCatalog) return show_create(ctx, s, span);
  if (s.kind == Kind::kFullModules) return text_listing({"module name", "used"}, {{"core", "true"}});
  if (s.kind == Kind::kPartitions) return show_partitions(ctx, s);
  if (s.kind == Kind::kColumns) {
    SUPYO_ASSIGN(const catalog::Catalog::Object object, object_of(ctx, *s.name));
    Listing out = describe(object);
    if (s.like) std::erase_if(out.rows, [&](const auto& row) { return like_matches(*s.like, std::get<std::string>(row[0].data)) == s.not_like; });
    return out;
  }
  SUPYO_ASSIGN(auto names, names_of(ctx, s, span));
  if (s.like) std::erase_if(names.second, [&](const std::string& n) { return like_matches(*s.like, n) == s.not_like; });
  std::vector<std::vector<std::string>> rows;
  for (std::string& n : names.second) rows.push_back({std::move(n)});
  return text_listing({names.first}, rows);
}

Result<Listing> describe_object(BindContext& ctx, const syntax::Describe& d) {
  if (d.catalog) {
    SUPYO_ASSIGN(const catalog::CatalogInfo info, at(ctx.catalog.catalog_info(d.name.last()), d.name.span));
    const auto type = info.options.find("type");
    std::vector<std::vector<std::string>> rows = {{"name", info.name}, {"type", type == info.options.end() ? "generic_in_memory" : type->second}, {"comment", ""}};
    for (const auto& [key, value] : info.options)
      if (d.extended && key != "type") rows.push_back({"option:" + key, value});
    return text_listing({"info name", "info value"}, rows);
  }
  SUPYO_ASSIGN(const catalog::Catalog::Object object, object_of(ctx, d.name));
  return describe(object);
}

}  // namespace supyo::plan
