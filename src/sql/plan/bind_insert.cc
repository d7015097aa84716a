#include <algorithm>

#include "sql/plan/bind_table.h"

// INSERT INTO: columns of the query against columns of the table.
namespace supyo::plan {
namespace {

using catalog::TableDefinition;
using expr::ExprPtr;
using syntax::Span;

/// Where column i of a query is written, as near as that can be told.
Span column_span(const syntax::Query& query, std::size_t i) {
  if (const auto* s = query.body.as<syntax::Select>()) {
    const bool stars = std::ranges::any_of(s->items, [](const syntax::SelectItem& item) { return item.expr->as<syntax::Star>() != nullptr; });
    if (!stars && i < s->items.size()) return s->items[i].span;
  }
  if (const auto* v = query.body.as<syntax::Values>(); v != nullptr && i < v->rows.front().size()) return v->rows.front()[i]->span;
  return query.span;
}

std::vector<std::string> names_of(const Schema& schema) {
  std::vector<std::string> names;
  for (const Field& f : schema.fields()) names.push_back(f.name);
  return names;
}

Result<TableDefinition> target_of(BindContext& ctx, const syntax::Insert& insert) {
  QueryBinder names(ctx);
  SUPYO_ASSIGN(const catalog::ObjectPath path, names.resolve(insert.target));
  SUPYO_ASSIGN(catalog::Catalog::Object object, at(ctx.catalog.find(path), insert.target.span));
  auto* table = std::get_if<TableDefinition>(&object);
  if (table == nullptr)
    return fail_at(insert.target.span, ErrorCode::kInvalidQuery, fmt::format("`{}` is a view and cannot be written", path.name), "INSERT INTO the table below it");
  for (const syntax::Hint& hint : insert.hints) {
    if (hint.name != "OPTIONS") return unsupported(hint.span, fmt::format("the hint {}", hint.name), "only OPTIONS is there");
    for (const syntax::OptionEntry& o : hint.options) table->options.insert_or_assign(o.key, o.value);
  }
  return std::move(*table);
}

Status check_sink(BindContext& ctx, const TableDefinition& table, const Span& span) {
  const auto& registry = ctx.catalog.connectors();
  const catalog::ConnectorDescriptor* connector = registry.find(table.connector());
  const bool own = table.temporary || !ctx.catalog.is_external(table.path.catalog);
  if (own || connector == nullptr) {
    if (auto problem = catalog::find_option_problem(table.options, registry, true))
      return std::unexpected(placed(problem->error.with_context(fmt::format("table `{}`", table.path.name)), span));
  }
  if (!connector->needs_format && !connector->rows)
    for (const catalog::ColumnDefinition& c : table.columns)
      if (c.type.is_nested()) return unsupported(span, fmt::format("column `{}` of type {} in a table of connector '{}'", c.name, c.type.as_nullable().to_string(), connector->name), "tables with 'format' = 'json' can have it");
  if (table.distribution)
    return fail_at(span, ErrorCode::kSinkCannotTake, fmt::format("table `{}` is distributed into buckets, which connector '{}' does not do", table.path.name, connector->name),
                   "ALTER TABLE .. DROP DISTRIBUTION: rows are spread by key where the query needs it");
  if (!connector->sink)
    return fail_at(span, ErrorCode::kSinkCannotTake, fmt::format("table `{}` cannot be written: '{}' only reads", table.path.name, connector->name),
                   "write to a table of another connector, such as 'filesystem', 'kafka', 'iceberg' or 'print'");
  return ok();
}

/// Per column of the table: the column of the query, or a constant (static partition), or nothing.
struct Mapping {
  std::vector<std::size_t> query_column;   ///< SIZE_MAX = none
  std::vector<ExprPtr> constant;
};

Result<std::size_t> find_column(const Schema& schema, const syntax::Identifier& name, const TableDefinition& table) {
  if (const auto i = schema.find(name.text)) return *i;
  const auto names = names_of(schema);
  const bool computed = std::ranges::any_of(table.columns, [&](const catalog::ColumnDefinition& c) { return c.name == name.text; });
  if (computed)
    return fail_at(name.span, ErrorCode::kInvalidQuery, fmt::format("`{}` of `{}` is computed or VIRTUAL and cannot be written", name.text, table.path.name), "leave it out");
  return fail_at(name.span, ErrorCode::kUnknownColumn, fmt::format("`{}` has no column `{}`", table.path.name, name.text),
                 did_you_mean(name.text, names, fmt::format("the columns are: {}", fmt::join(names, ", "))));
}

Result<Mapping> mapping_of(BindContext& ctx, const syntax::Insert& insert, const TableDefinition& table, const Schema& schema, std::size_t given) {
  Mapping m{std::vector<std::size_t>(schema.size(), SIZE_MAX), std::vector<ExprPtr>(schema.size())};
  const Scope nothing;
  for (const syntax::PartitionValue& p : insert.partition) {
    SUPYO_ASSIGN(const std::size_t i, find_column(schema, p.column, table));
    SUPYO_ASSIGN(m.constant[i], ExprBinder(ctx.functions, nothing).bind(*p.value));
  }
  std::vector<std::size_t> targets;
  if (!insert.columns.empty()) {
    for (const syntax::Identifier& name : insert.columns) {
      SUPYO_ASSIGN(const std::size_t i, find_column(schema, name, table));
      if (std::ranges::find(targets, i) != targets.end())
        return fail_at(name.span, ErrorCode::kInvalidQuery, fmt::format("column `{}` is named twice", name.text), "remove one of them");
      targets.push_back(i);
    }
  } else {
    for (std::size_t i = 0; i < schema.size(); ++i)
      if (!m.constant[i]) targets.push_back(i);
  }
  if (targets.size() != given) {
    std::vector<std::string> wanted;
    for (const std::size_t t : targets) wanted.push_back(schema[t].name);
    return fail_at(insert.query->span, ErrorCode::kTypeMismatch, fmt::format("the query gives {} columns, `{}` takes {}", given, table.path.name, targets.size()),
                   fmt::format("it takes: {}", fmt::join(wanted, ", ")));
  }
  for (std::size_t i = 0; i < targets.size(); ++i) m.query_column[targets[i]] = i;
  return m;
}

}  // namespace

Result<LogicalPtr> make_table_sink(BindContext& ctx, LogicalPtr query, TableDefinition table, const Span& span) {
  SUPYO_TRY(check_sink(ctx, table, span));
  LogicalSink sink{.table = std::nullopt, .schema = table.persisted_schema(), .check_not_null = {}, .overwrite = false, .position = span.position()};
  for (std::size_t i = 0; i < sink.schema.size(); ++i)
    if (!sink.schema[i].type.nullable && query->columns[i].type.nullable) sink.check_not_null.push_back(i);
  sink.table = std::move(table);
  return make_sink(std::move(query), std::move(sink));
}

Result<LogicalPtr> by_name(BindContext&, LogicalPtr query, const TableDefinition& table, const Span& span) {
  const Schema schema = table.persisted_schema();
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (const Field& to : schema.fields()) {
    const auto from = std::ranges::find(query->columns, to.name, &ColumnInfo::name);
    ExprPtr e = from == query->columns.end() ? expr::literal({.type = Type::null(), .data = {}}) : column_of(*query, static_cast<std::size_t>(from - query->columns.begin()));
    if (from == query->columns.end() && !to.type.nullable)
      return fail_at(span, ErrorCode::kTypeMismatch, fmt::format("column `{}` is NOT NULL and gets no value", to.name), "declare it without NOT NULL, or give it a value in the query");
    if (e->type.id != TypeId::kNull && !e->type.same_kind(to.type) && !expr::can_coerce(e->type, to.type))
      return fail_at(span, ErrorCode::kTypeMismatch, fmt::format("the query gives `{}` {}, the table wants {}", to.name, e->type.to_string(), to.type.to_string()), "CAST it in the query");
    exprs.push_back(coerced(std::move(e), to.type));
    names.push_back(to.name);
  }
  return make_project(std::move(query), std::move(exprs), std::move(names));
}

Result<LogicalPtr> bind_insert(BindContext& ctx, const syntax::Insert& insert) {
  if (insert.overwrite) return unsupported(insert.target.span, "INSERT OVERWRITE", "INSERT INTO appends; drop and make the table again to start afresh");
  SUPYO_ASSIGN(TableDefinition table, target_of(ctx, insert));
  const Schema schema = table.persisted_schema();
  QueryBinder queries(ctx);
  SUPYO_ASSIGN(const LogicalPtr query, queries.bind(*insert.query));
  SUPYO_ASSIGN(const Mapping mapping, mapping_of(ctx, insert, table, schema, query->columns.size()));
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const Field& to = schema[i];
    const std::size_t from = mapping.query_column[i];
    ExprPtr e = from != SIZE_MAX ? column_of(*query, from) : mapping.constant[i];
    if (!e) {
      if (!to.type.nullable)
        return fail_at(insert.target.span, ErrorCode::kTypeMismatch, fmt::format("column `{}` of `{}` is NOT NULL and gets no value", to.name, table.path.name),
                       "add it to the column list and the query");
      e = expr::literal({.type = Type::null(), .data = {}});
    }
    if (e->type.id != TypeId::kNull && !e->type.same_kind(to.type) && !expr::can_coerce(e->type, to.type)) {
      const std::string name = from == SIZE_MAX ? "the partition value" : fmt::format("`{}`", query->columns[from].name);
      return fail_at(from == SIZE_MAX ? insert.target.span : column_span(*insert.query, from), ErrorCode::kTypeMismatch,
                     fmt::format("column {}: the query gives {} {}, `{}` wants `{}` {}", i + 1, name, e->type.to_string(), table.path.name, to.name, to.type.to_string()),
                     fmt::format("write CAST(.. AS {})", to.type.as_nullable().to_string()));
    }
    exprs.push_back(coerced(std::move(e), to.type));
    names.push_back(to.name);
  }
  LogicalPtr shaped = make_project(query, std::move(exprs), std::move(names));
  return make_table_sink(ctx, std::move(shaped), std::move(table), insert.target.span);
}

}  // namespace supyo::plan
