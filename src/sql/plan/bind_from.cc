#include <algorithm>

#include "core/base/duration.h"
#include "sql/plan/bind_query.h"
#include "sql/plan/bind_as_of.h"
#include "sql/plan/join_in_time.h"
#include "sql/syntax/parser.h"
#include "sql/syntax/printer.h"

// FROM: tables, views, derived tables.
namespace supyo::plan {
namespace {

using expr::ExprPtr;
using syntax::Span;

LogicalJoin::Kind join_kind(const syntax::Join& j) {
  using Kind = syntax::Join::Kind;
  switch (j.kind) {
    case Kind::kInner:
    case Kind::kCross: return LogicalJoin::Kind::kInner;
    case Kind::kLeft: return LogicalJoin::Kind::kLeft;
    case Kind::kRight: return LogicalJoin::Kind::kRight;
    case Kind::kFull: return LogicalJoin::Kind::kFull;
  }
  return LogicalJoin::Kind::kInner;
}

/// Both sides' relations over the columns of the joined node.
Scope side_by_side(const Scope& left, const Scope& right, LogicalPtr node) {
  Scope scope{.node = std::move(node), .relations = left.relations, .common = left.common};
  const std::size_t width = left.node->columns.size();
  for (Relation r : right.relations) {
    r.first += width;
    scope.relations.push_back(std::move(r));
  }
  for (const std::size_t c : right.common) scope.common.push_back(width + c);
  return scope;
}

/// Names that both sides have: what a NATURAL JOIN equates.
std::vector<syntax::Identifier> shared_names(const Scope& left, const Scope& right, const Span& span) {
  const auto visible = [](const Scope& scope) {
    std::vector<std::string> names;
    for (const Relation& r : scope.relations)
      for (std::size_t i = 0; i < r.columns.size(); ++i)
        if (!r.is_merged(i)) names.push_back(r.columns[i]);
    return names;
  };
  const std::vector<std::string> there = visible(right);
  std::vector<syntax::Identifier> out;
  for (const std::string& name : visible(left))
    if (std::ranges::find(there, name) != there.end() && std::ranges::find(out, name, &syntax::Identifier::text) == out.end()) out.push_back({span, name});
  return out;
}

/// The column is found under its relation's name only.
void hide(Scope& scope, std::size_t column) {
  for (Relation& r : scope.relations) {
    if (column < r.first || column >= r.first + r.columns.size()) continue;
    r.merged.resize(r.columns.size());
    r.merged[column - r.first] = true;
  }
}

}  // namespace

bool can_be_row_time(const Type& type) { return type.is_timestamp() && type.precision <= 3; }

Result<Scope> QueryBinder::from(const syntax::TableRef& ref) {
  if (const auto* j = ref.as<syntax::Join>()) return join(*j, ref.span);
  Scope scope;
  if (const auto* t = ref.as<syntax::TableByName>()) {
    SUPYO_ASSIGN(scope, named(*t, ref.span));
  } else if (const auto* d = ref.as<syntax::DerivedTable>()) {
    SUPYO_ASSIGN(LogicalPtr node, bind(*d->query));
    scope = Scope::of(std::move(node));
  } else if (const auto* f = ref.as<syntax::TableFunction>()) {
    SUPYO_ASSIGN(LogicalPtr node, window_function(f->call, ref.span));
    scope = Scope::of(std::move(node));
  } else if (const auto* m = ref.as<syntax::MatchRecognize>()) {
    SUPYO_ASSIGN(LogicalPtr node, match(*m, ref.span));
    scope = Scope::of(std::move(node));
  } else {
    return unnest({}, ref, LogicalJoin::Kind::kInner, nullptr);
  }
  if (ref.alias) scope = Scope::of(scope.node, ref.alias->text);
  if (!ref.column_aliases.empty()) {
    std::vector<ExprPtr> exprs;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < scope.node->columns.size(); ++i)
      if (!scope.node->columns[i].hidden) exprs.push_back(column_of(*scope.node, i));
    if (ref.column_aliases.size() != exprs.size())
      return fail_at(ref.span, ErrorCode::kInvalidQuery, fmt::format("{} column aliases for {} columns", ref.column_aliases.size(), exprs.size()),
                     "name all columns, or none");
    for (const syntax::Identifier& alias : ref.column_aliases) names.push_back(alias.text);
    scope = Scope::of(make_project(scope.node, std::move(exprs), std::move(names)), scope.relations.front().alias);
  }
  return scope;
}

namespace {

bool is_lateral(const syntax::TableRef& ref) {
  const auto* d = ref.as<syntax::DerivedTable>();
  return d != nullptr && d->lateral;
}

}  // namespace

Status differently_named(const Scope& left, const Scope& right, const Span& span) {
  for (const Relation& r : right.relations) {
    if (r.alias.empty() || std::ranges::none_of(left.relations, [&r](const Relation& l) { return l.alias == r.alias; })) continue;
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("`{}` stands twice in FROM", r.alias), "give one of them another name: FROM t AS a JOIN t AS b");
  }
  return ok();
}

/// Of a side of a join that is one table: what two were joined to has no name.
std::optional<DurationUs> QueryBinder::ttl_of(const Scope& side) const {
  std::optional<DurationUs> out;
  for (const Ttl& t : hints_.ttls)
    if (side.relations.size() == 1 && side.relations.front().alias == t.table) out = t.ttl_us;
  return out;
}

Result<Scope> QueryBinder::from(const std::vector<syntax::TableRefPtr>& refs) {
  SUPYO_ASSIGN(Scope all, from(*refs.front()));
  for (std::size_t i = 1; i < refs.size(); ++i) {
    if (refs[i]->as<syntax::Unnest>() != nullptr) {
      SUPYO_ASSIGN(all, unnest(std::move(all), *refs[i], LogicalJoin::Kind::kInner, nullptr));
      continue;
    }
    if (is_lateral(*refs[i])) {
      SUPYO_ASSIGN(all, lateral(all, *refs[i], LogicalJoin::Kind::kInner, nullptr));
      continue;
    }
    SUPYO_ASSIGN(const Scope next, from(*refs[i]));
    SUPYO_TRY(differently_named(all, next, refs[i]->span));
    all = side_by_side(all, next, make_join(all.node, next.node, {.kind = LogicalJoin::Kind::kInner, .condition = {}, .position = refs[i]->span.position(), .ttl_us = {ttl_of(all), ttl_of(next)}}));
  }
  return all;
}

Result<Scope> QueryBinder::join(const syntax::Join& join, const Span& span) {
  SUPYO_ASSIGN(const Scope left, from(*join.left));
  LogicalJoin out{.kind = join_kind(join), .condition = {}, .position = join.right->span.position()};
  if (join.right->as<syntax::Unnest>() != nullptr) {
    if (!join.columns.empty()) return unsupported(join.right->span, "USING with UNNEST", "its elements belong to their row: leave it out");
    return unnest(left, *join.right, out.kind, join.on ? &*join.on : nullptr);
  }
  if (is_lateral(*join.right)) {
    if (!join.columns.empty() || join.natural) return unsupported(join.right->span, "USING with LATERAL", "write what is to be equal into its WHERE");
    return lateral(left, *join.right, out.kind, join.on ? &*join.on : nullptr);
  }
  const auto* table = join.right->as<syntax::TableByName>();
  SUPYO_ASSIGN(const Scope right, table != nullptr && table->system_time ? versioned(*join.right, left, out) : from(*join.right));
  SUPYO_TRY(differently_named(left, right, join.right->span));
  // The condition sees the rows as they are, before an outer join fills in nulls.
  Scope scope = side_by_side(left, right, make_join(left.node, right.node, {}));
  ExprBinder binder(ctx_.functions, scope);
  if (join.on) {
    SUPYO_ASSIGN(const ExprPtr on, binder.bind_predicate(*join.on, "ON"));
    split_conjuncts(on, out.condition);
  }
  const std::size_t width = left.node->columns.size();
  const std::vector<syntax::Identifier> common = join.natural ? shared_names(left, right, span) : join.columns;
  const bool full = out.kind == LogicalJoin::Kind::kFull;
  Relation merged;                     // FULL: the columns of which either side can be the one that is there
  std::vector<ExprPtr> of_either;
  for (const syntax::Identifier& name : common) {
    if (std::ranges::count(common, name.text, &syntax::Identifier::text) > 1)
      return fail_at(name.span, ErrorCode::kInvalidQuery, fmt::format("`{}` stands twice in USING", name.text), "name each column once");
    SUPYO_ASSIGN(const std::size_t l, ExprBinder(ctx_.functions, left).column({name.span, {name}}));
    SUPYO_ASSIGN(const std::size_t r, ExprBinder(ctx_.functions, right).column({name.span, {name}}));
    SUPYO_ASSIGN(const ExprPtr equal, binder.call("=", {column_of(*scope.node, l), column_of(*scope.node, width + r)}, name.span));
    out.condition.push_back(equal);
    if (full) {
      hide(scope, l);
      hide(scope, width + r);
      SUPYO_ASSIGN(ExprPtr either, binder.call("COALESCE", {expr::column(l, left.node->columns[l].type.as_nullable()), expr::column(width + r, right.node->columns[r].type.as_nullable())}, name.span));
      of_either.push_back(std::move(either));
      merged.columns.push_back(name.text);
      continue;
    }
    const bool right_stands = out.kind == LogicalJoin::Kind::kRight;
    hide(scope, right_stands ? l : width + r);
    const std::size_t stands = right_stands ? width + r : l;
    if (std::ranges::find(scope.common, stands) == scope.common.end()) scope.common.push_back(stands);
  }
  if (out.as_of && !covers_key(out, *left.node, *right.node)) return key_is_not_named(out, *right.node);
  out.ttl_us = {ttl_of(left), ttl_of(right)};
  scope.node = make_join(left.node, right.node, std::move(out));
  if (merged.columns.empty()) return scope;
  merged.first = scope.node->columns.size();
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < merged.first; ++i) {
    exprs.push_back(column_of(*scope.node, i));
    names.push_back(scope.node->columns[i].name);
  }
  for (std::size_t i = 0; i < of_either.size(); ++i) {
    exprs.push_back(of_either[i]);
    names.push_back(merged.columns[i]);
    scope.common.push_back(merged.first + i);
  }
  scope.node = make_project(scope.node, std::move(exprs), std::move(names));
  scope.relations.push_back(std::move(merged));
  return scope;
}

Result<Scope> QueryBinder::named(const syntax::TableByName& table, const Span& span) {
  if (table.system_time)
    return unsupported(span, "FOR SYSTEM_TIME AS OF outside of a join", "join with it: FROM orders AS o JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.currency = r.currency");
  if (table.name.parts.size() == 1) {
    for (auto it = common_tables_.rbegin(); it != common_tables_.rend(); ++it) {
      if (it->first != table.name.last()) continue;
      return Scope::of(it->second, it->first);
    }
  }
  SUPYO_ASSIGN(const catalog::ObjectPath path, resolve(table.name));
  SUPYO_ASSIGN(LogicalPtr node, object(path, table.name, table.hints));
  return Scope::of(std::move(node), path.name, {path.catalog, path.database, path.name});
}

Result<LogicalPtr> QueryBinder::object(const catalog::ObjectPath& path, const syntax::Name& name, const std::vector<syntax::Hint>& hints) {
  if (path.name.find('$') != std::string::npos && ctx_.options.system_table) {
    if (auto table = ctx_.options.system_table(path)) return scan(*table, name.span);
    return fail_at(name.span, ErrorCode::kUnknownTable, fmt::format("there is no system table `{}`", path.name),
                   "`T$late` and `T$dead` exist once a job with --state reads table T; name that directory with --state");
  }
  auto found = ctx_.catalog.find(path);
  if (!found) {
    Error e = placed(std::move(found).error(), name.span);
    std::vector<std::string> ctes;
    for (const auto& [n, node] : common_tables_) ctes.push_back(n);
    e.hint = did_you_mean(path.name, ctes, e.hint);
    if (path.name.ends_with("$late") || path.name.ends_with("$dead"))
      e.hint = "system tables are read with supyo sql --state DIR, the state directory of the job";
    return std::unexpected(std::move(e));
  }
  if (const auto* v = std::get_if<catalog::ViewDefinition>(&*found)) {
    if (!hints.empty()) return unsupported(hints.front().span, "a hint on a view", "put it on the table inside the view");
    return view(*v, name.span);
  }
  auto& table = std::get<catalog::TableDefinition>(*found);
  for (const syntax::Hint& hint : hints) {
    if (hint.name != "OPTIONS")
      return unsupported(hint.span, fmt::format("the hint {}", hint.name), "only OPTIONS is there: /*+ OPTIONS('key'='value') */");
    for (const syntax::OptionEntry& o : hint.options) table.options.insert_or_assign(o.key, o.value);
  }
  if (ctx_.options.bounded) {
    if (table.connector() == "kafka" || table.connector() == "upsert-kafka") table.options.try_emplace("scan.bounded.mode", "latest-offset");
    if (table.connector() == "filesystem") table.options.erase("source.monitor-interval");
  }
  return scan(table, name.span);
}

namespace {

/// A ROW of a connector that gives fields only: it is null where all of them are.
Result<ExprPtr> row_of_fields(const expr::FunctionRegistry& functions, const LogicalNode& scan, const Type& row, const std::string& path, const std::vector<std::string>& names, const Span& span) {
  const Scope scope = Scope::of(make_values({}, {}));
  ExprBinder binder(functions, scope);
  std::vector<ExprPtr> fields;
  ExprPtr all_null;
  for (std::size_t i = 0; i < row.children().size(); ++i) {
    const std::string name = path + "." + row.field_names()[i];
    const auto at = std::ranges::find(names, name);
    if (at == names.end()) return unsupported(span, fmt::format("a dot in the name of a field of `{}`", path), "rename the field");
    ExprPtr field;
    if (row.children()[i].id == TypeId::kRow) {
      SUPYO_ASSIGN(field, row_of_fields(functions, scan, row.children()[i], name, names, span));
    } else {
      field = column_of(scan, static_cast<std::size_t>(at - names.begin()));
    }
    SUPYO_ASSIGN(ExprPtr null, binder.call("IS NULL", {field}, span));
    if (!all_null) {
      all_null = std::move(null);
    } else {
      SUPYO_ASSIGN(all_null, binder.call("AND", {std::move(all_null), std::move(null)}, span));
    }
    fields.push_back(std::move(field));
  }
  SUPYO_ASSIGN(ExprPtr whole, binder.call("ROW", std::move(fields), span));
  return expr::case_when({std::move(all_null), expr::literal({.type = row.as_nullable(), .data = {}}), expr::cast(std::move(whole), row.as_nullable())}, row.as_nullable());
}

/// What a connector without a format can give: nothing nested, or with ROWs also ARRAYs and MAPs (nexmark says itself which columns it has).
bool gives(const catalog::ConnectorDescriptor& connector, const Type& type) {
  if (!type.is_nested() || connector.needs_format) return true;
  return type.id != TypeId::kMultiset && connector.rows && std::ranges::all_of(type.children(), [&](const Type& t) { return gives(connector, t); });
}

}  // namespace

Result<LogicalPtr> QueryBinder::scan(const catalog::TableDefinition& declared, const Span& span) {
  catalog::TableDefinition table = declared;
  const auto& registry = ctx_.catalog.connectors();
  const catalog::ConnectorDescriptor* connector = registry.find(table.connector());
  // Tables of an external catalog carry what that catalog wrote; the user's options were checked when it made them.
  const bool own = table.temporary || table.path.catalog == catalog::kDefaultCatalog;
  if (own || connector == nullptr) {
    if (auto problem = catalog::find_option_problem(table.options, registry, true))
      return std::unexpected(placed(problem->error.with_context(fmt::format("table `{}`", table.path.name)), span));
  }
  if (!connector->source)
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("table `{}` cannot be read: '{}' only writes", table.path.name, connector->name),
                   "read from a table of another connector");
  // Metadata comes in the connector's own type and is cast to the declared one.
  std::vector<ExprPtr> physical;
  std::vector<std::string> physical_names;
  LogicalScan raw;
  raw.id = ctx_.next_scan++;
  std::vector<Type> declared_types;
  for (catalog::ColumnDefinition& c : table.columns) {
    using Kind = catalog::ColumnDefinition::Kind;
    if (c.kind == Kind::kComputed) continue;
    declared_types.push_back(c.type);
    physical_names.push_back(c.name);
    if (c.kind != Kind::kMetadata) {
      if (!gives(*connector, c.type)) return unsupported(span, fmt::format("column `{}` of type {} in a table of connector '{}'", c.name, c.type.as_nullable().to_string(), connector->name), "tables with 'format' = 'json' can have it");
      continue;
    }
    const std::string& key = c.metadata_key.empty() ? c.name : c.metadata_key;
    const auto it = connector->metadata.find(key);
    std::vector<std::string> keys;
    for (const auto& [k, t] : connector->metadata) keys.push_back(k);
    if (it == connector->metadata.end())
      return fail_at(span, ErrorCode::kUnknownColumn, fmt::format("'{}' has no metadata '{}' (column `{}` of `{}`)", connector->name, key, c.name, table.path.name),
                     did_you_mean(key, keys, keys.empty() ? "it has none" : fmt::format("it has: {}", fmt::join(keys, ", "))));
    if (!it->second.same_kind(c.type)) {
      if (!expr::can_cast(it->second, c.type))
        return fail_at(span, ErrorCode::kTypeMismatch, fmt::format("metadata '{}' is {}, column `{}` is {}", key, it->second.to_string(), c.name, c.type.to_string()),
                       fmt::format("declare the column as {}", it->second.to_string()));
      c.type = it->second;
    }
  }
  raw.table = table;
  for (std::size_t i = 0; i < declared_types.size(); ++i) raw.columns.push_back(i);
  const LogicalPtr bare = make_scan(raw);
  for (std::size_t i = 0; i < declared_types.size(); ++i) {
    if (declared_types[i].id == TypeId::kRow && connector->rows) {
      SUPYO_ASSIGN(ExprPtr row, row_of_fields(ctx_.functions, *bare, declared_types[i], physical_names[i], physical_names, span));
      physical.push_back(std::move(row));
    } else {
      physical.push_back(coerced(column_of(*bare, i), declared_types[i]));
    }
  }
  // Computed columns see the physical and metadata columns.
  const Scope scope = Scope::of(make_project(bare, physical, physical_names), table.path.name);
  std::vector<ExprPtr> outputs;
  std::vector<std::string> names;
  std::size_t next_physical = 0;
  for (const catalog::ColumnDefinition& c : table.columns) {
    names.push_back(c.name);
    if (c.kind != catalog::ColumnDefinition::Kind::kComputed) {
      outputs.push_back(physical[next_physical++]);
      continue;
    }
    auto inside = [&](Error e) {
      e.position = span.position();
      return std::unexpected(e.with_context(fmt::format("computed column `{}` of `{}`", c.name, table.path.name)));
    };
    auto parsed = syntax::parse_expression(c.expression_sql);
    if (!parsed) return inside(std::move(parsed).error());
    auto bound = ExprBinder(ctx_.functions, scope).bind(*parsed);
    if (!bound) return inside(std::move(bound).error());
    outputs.push_back(substitute(*bound, physical));
  }
  if (table.watermark) {
    const auto it = std::ranges::find(names, table.watermark->column);
    if (it == names.end())
      return fail_at(span, ErrorCode::kUnknownColumn, fmt::format("the watermark column `{}` of `{}` does not exist", table.watermark->column, table.path.name),
                     "WATERMARK FOR names a column of the table");
    ExprPtr& time = outputs[static_cast<std::size_t>(it - names.begin())];
    auto parsed = syntax::parse_expression(table.watermark->expression_sql);
    if (!parsed) return std::unexpected(placed(std::move(parsed).error(), span));
    RowTime row_time;
    const Scope all = Scope::of(make_project(bare, outputs, names), table.path.name);
    auto bound = bind_watermark(*parsed, table.watermark->column, time->type, all, ctx_.functions);
    if (!bound) {
      Error e = std::move(bound).error();
      e.position = span.position();
      return std::unexpected(std::move(e));
    }
    row_time.bound_us = bound->bound_us;
    if (bound->computed) raw.computed_watermark = substitute(bound->computed, outputs);
    const auto option = table.options.find("scan.watermark.idle-timeout");
    if (option != table.options.end()) {
      SUPYO_ASSIGN(row_time.idle_timeout_us, at(parse_duration(option->second), span));
    } else {
      row_time.idle_timeout_us = ctx_.settings.get(config::kIdleTimeout);
    }
    row_time.column = raw.columns.size();
    if (time->kind == expr::Expr::Kind::kColumn) {
      row_time.column = time->column;
    } else {
      raw.computed_row_time = time;
      time = expr::column(row_time.column, time->type);
    }
    raw.row_time = row_time;
  }
  auto node = std::make_shared<LogicalNode>(*make_project(make_scan(std::move(raw)), std::move(outputs), std::move(names)));
  for (std::size_t i = 0; i < table.columns.size(); ++i) node->columns[i].hidden = table.columns[i].nested;
  return node;
}

}  // namespace supyo::plan
