#include "sql/plan/bind_as_of.h"

#include <algorithm>

#include "sql/catalog/option_traits.h"
#include "sql/plan/rules.h"

// FOR SYSTEM_TIME AS OF: joins with a table as it was.
namespace supyo::plan {

using expr::ExprPtr;

std::unexpected<Error> key_is_not_named(const LogicalJoin& join, const LogicalNode& right) {
  std::vector<std::string> names;
  for (const std::size_t c : join.as_of->key) names.push_back(right.columns[c].name);
  return fail_at(join.position, ErrorCode::kInvalidQuery, fmt::format("the condition of a temporal join must equate all of the table's primary key ({})", fmt::join(names, ", ")),
                 fmt::format("add to ON: o.{0} = r.{0}", names.front()));
}

namespace {

/// What a view of the last row of each key is made from: all rows of the key, each of which is a version. Absent where the view is another one.
struct History {
  LogicalPtr node;   ///< the view's columns
  std::vector<std::size_t> key;
  std::size_t time = 0;
};

std::optional<History> history_of(const LogicalPtr& view) {
  std::vector<LogicalPtr> projects;   // downwards
  LogicalPtr at = bound_ranks(view);
  for (; at->as<LogicalProject>(); at = at->input()) projects.push_back(at);
  const auto* rank = at->as<LogicalRank>();
  if (rank == nullptr || rank->limit != std::uint64_t{1} || rank->order.size() != 1 || !rank->order.front().descending) return std::nullopt;
  const LogicalPtr rows = at->input();
  const std::size_t time = rank->order.front().column;
  if (!rows->columns[time].row_time) return std::nullopt;
  std::vector<ExprPtr> columns;
  for (std::size_t i = 0; i < rows->columns.size(); ++i) columns.push_back(column_of(*rows, i));
  if (rank->with_number) columns.push_back(expr::literal({.type = Type::big_int().not_null(), .data = std::int64_t{1}}));
  for (auto p = projects.rbegin(); p != projects.rend(); ++p) {
    std::vector<ExprPtr> above;
    for (const ExprPtr& e : (*p)->as<LogicalProject>()->exprs) above.push_back(substitute(e, columns));
    columns = std::move(above);
  }
  const auto place_of = [&](std::size_t column) {
    const auto it = std::ranges::find_if(columns, [&](const ExprPtr& e) { return e->kind == expr::Expr::Kind::kColumn && e->column == column; });
    return static_cast<std::size_t>(it - columns.begin());
  };
  History out{.node = nullptr, .key = {}, .time = place_of(time)};
  for (const std::size_t c : rank->partition) out.key.push_back(place_of(c));
  if (out.key.empty() || out.time == columns.size() || std::ranges::find(out.key, columns.size()) != out.key.end()) return std::nullopt;
  std::vector<std::string> names;
  for (const ColumnInfo& c : view->columns) names.push_back(c.name);
  out.node = make_project(rows, std::move(columns), std::move(names));
  return out;
}

}  // namespace

/// A table that is asked by key; or one that has an end, and is read where it lies.
Status QueryBinder::can_be_looked_up(const syntax::TableRef& ref) {
  const auto& table = *ref.as<syntax::TableByName>();
  const std::string hint = "name a table of connector 'jdbc', which is asked by key, or of 'filesystem' without 'source.monitor-interval', which is read when the job starts; or join by event time: FOR SYSTEM_TIME AS OF o.ts";
  const bool is_common = table.name.parts.size() == 1 && std::ranges::any_of(common_tables_, [&](const auto& c) { return c.first == table.name.last(); });
  if (is_common) return unsupported(table.name.span, fmt::format("a join by processing time with `{}`, which is a query", table.name.last()), hint);
  SUPYO_ASSIGN(const catalog::ObjectPath path, resolve(table.name));
  const auto found = ctx_.catalog.find(path);
  if (!found) return ok();   // from() says so
  const auto* declared = std::get_if<catalog::TableDefinition>(&*found);
  if (declared == nullptr) return unsupported(table.name.span, fmt::format("a join by processing time with `{}`, which is a view", path.name), hint);
  if (catalog::is_asked_by_key(*declared)) {
    for (const auto& [name, span] : hints_.retried)
      if (name == table.name.last() || (ref.alias && name == ref.alias->text))
        return fail_at(span, ErrorCode::kUnsupported, fmt::format("LOOKUP: rows of `{}` that are missing are asked for once", path.name), "leave the four options of the retry out; a row that comes later is found by later rows");
    return ok();
  }
  if (declared->connector() != "filesystem" || declared->options.contains("source.monitor-interval"))
    return unsupported(table.name.span, fmt::format("a join by processing time with `{}` (connector '{}')", path.name, declared->connector()), hint);
  return ok();
}

Result<Scope> QueryBinder::versioned(const syntax::TableRef& ref, const Scope& left, LogicalJoin& join) {
  const auto& table = *ref.as<syntax::TableByName>();
  if (join.kind != LogicalJoin::Kind::kInner && join.kind != LogicalJoin::Kind::kLeft)
    return unsupported(ref.span, "a RIGHT or FULL temporal join", "an inner or LEFT JOIN with the table FOR SYSTEM_TIME AS OF is there");
  const syntax::Expr& time = *table.system_time;
  SUPYO_ASSIGN(const ExprPtr as_of, ExprBinder(ctx_.functions, left).bind(time));
  const bool is_column = as_of->kind == expr::Expr::Kind::kColumn;
  if (as_of->kind == expr::Expr::Kind::kCall && as_of->function->name == "PROCTIME")
    return fail_at(time.span, ErrorCode::kNoTimeAttribute, "FOR SYSTEM_TIME AS OF names a time attribute of the left table, and PROCTIME() is none",
                   "give the left table the column: FROM (SELECT *, PROCTIME() AS p FROM o) AS o JOIN t FOR SYSTEM_TIME AS OF o.p");
  if (is_column && left.node->columns[as_of->column].proc_time) {
    SUPYO_TRY(can_be_looked_up(ref));
    join.lookup = true;
    syntax::TableRef plain = ref;
    std::get<syntax::TableByName>(plain.node).system_time = {};
    return from(plain);
  }
  if (!is_column || !left.node->columns[as_of->column].row_time)
    return fail_at(time.span, ErrorCode::kNoTimeAttribute, "FOR SYSTEM_TIME AS OF needs a time attribute of the left table", "use its WATERMARK column, passed on unchanged");
  const bool is_common = table.name.parts.size() == 1 && std::ranges::any_of(common_tables_, [&](const auto& c) { return c.first == table.name.last(); });
  SUPYO_ASSIGN(const catalog::ObjectPath path, resolve(table.name));
  const auto found = ctx_.catalog.find(path);
  syntax::TableRef plain = ref;
  std::get<syntax::TableByName>(plain.node).system_time = {};
  SUPYO_ASSIGN(Scope right, from(plain));
  if (is_common || !std::holds_alternative<catalog::TableDefinition>(*found)) {
    const auto history = history_of(right.node);
    if (!history)
      return unsupported(table.name.span, "FOR SYSTEM_TIME AS OF on a view that is not the last row of each key",
                         "name a table with PRIMARY KEY (..) NOT ENFORCED and a WATERMARK, or a view SELECT k, v, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS n FROM t) WHERE n = 1");
    right.node = history->node;
    join.as_of = AsOf{.left_time = as_of->column, .right_time = history->time, .key = history->key, .inserts_only = true};
    return right;
  }
  const auto& declared = std::get<catalog::TableDefinition>(*found);
  if (declared.primary_key.empty())
    return fail_at(table.name.span, ErrorCode::kInvalidQuery, fmt::format("`{}` has no versions: it has no primary key", path.name), "declare PRIMARY KEY (..) NOT ENFORCED");
  AsOf out{.left_time = as_of->column, .right_time = SIZE_MAX, .key = {}, .inserts_only = false};
  // Column aliases rename, but keep the order of the declaration.
  for (const std::string& name : declared.primary_key) {
    const auto at = std::ranges::find(declared.columns, name, &catalog::ColumnDefinition::name);
    out.key.push_back(static_cast<std::size_t>(at - declared.columns.begin()));
  }
  for (std::size_t i = 0; i < right.node->columns.size(); ++i)
    if (right.node->columns[i].row_time) out.right_time = i;
  if (out.right_time == SIZE_MAX)
    return fail_at(table.name.span, ErrorCode::kNoTimeAttribute, fmt::format("`{}` has no versions in event time: it has no WATERMARK", path.name), "declare WATERMARK FOR ts AS ts on the time of the change");
  join.as_of = std::move(out);
  return right;
}

}  // namespace supyo::plan
