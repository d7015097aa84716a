#include <algorithm>
#include <charconv>

#include "sql/plan/select_columns.h"
#include "sql/syntax/printer.h"

// One SELECT block: FROM, WHERE, GROUP BY, HAVING, OVER, DISTINCT, the select list.
//
// Items are bound over the columns of FROM. An aggregate or OVER call inside them becomes a column with a number beyond every real one; once all
// are known, the operators are stacked and the numbers replaced by the columns where their results are.
namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;
using syntax::Span;

/// Columns that are plain keep their names, the others are numbered.
std::vector<std::string> names_for(const std::vector<ExprPtr>& exprs, const LogicalNode& input) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < exprs.size(); ++i)
    names.push_back(exprs[i]->kind == Expr::Kind::kColumn ? input.columns[exprs[i]->column].name : fmt::format("$f{}", i));
  return names;
}

LogicalPtr one_row_of_nothing() { return make_values({.rows = {{}}}, {}); }

}  // namespace

ExprBinder SelectBinder::binder(bool aggregates, bool over) {
  ExprBinder::CallHook hook;
  hook = [this, special = aggregates || over, over](const syntax::FunctionCall& call, const Span& span) -> std::optional<Result<ExprPtr>> {
    if (call.upper_name() == "CURRENT_DATABASE" && call.arguments.empty()) return Result<ExprPtr>(coerced(text_literal(queries_.ctx_.catalog.current_database()), Type::string().not_null()));
    return special ? special_call(call, span, over) : std::nullopt;
  };
  ExprBinder b(queries_.ctx_.functions, scope_, std::move(hook));
  b.set_queries([this, aggregates](const syntax::Expr& query) -> Result<ExprPtr> {
    const std::size_t before = scope_.node->columns.size();
    SUPYO_ASSIGN(ExprPtr value, query_value(query));
    if (aggregates) values_.emplace_back(before, scope_.node);
    return value;
  });
  return b;
}

std::optional<Result<ExprPtr>> SelectBinder::special_call(const syntax::FunctionCall& call, const Span& span, bool over_allowed) {
  const std::string name = call.upper_name();
  if (is_variance(name) && (!call.over || over_allowed)) return variance_call(call, span);
  if (name == "APPROX_COUNT_DISTINCT" && !call.distinct && call.arguments.size() == 1 && !call.arguments[0].value->as<syntax::Star>()) {   // the exact number is as good as one about right
    syntax::FunctionCall exact = call;
    exact.name.parts = {syntax::Identifier{call.name.span, "COUNT"}};
    exact.distinct = true;
    return special_call(exact, span, over_allowed);
  }
  if (call.over) {
    if (!over_allowed) return Result<ExprPtr>(fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} OVER cannot stand here", name), "compute it in a subquery first"));
    return over_call(call, span);
  }
  if (name == "LAG" || name == "LEAD" || name == "ROW_NUMBER" || name == "RANK" || name == "DENSE_RANK" || name == "PERCENT_RANK" || name == "CUME_DIST" || name == "NTILE")
    return Result<ExprPtr>(fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} needs OVER (..)", name), fmt::format("write {}(..) OVER (PARTITION BY k ORDER BY ts)", name)));
  if (name == "GROUPING" || name == "GROUPING_ID" || name == "GROUP_ID") return grouping_call(call, span);
  if (queries_.ctx_.functions.is_aggregate(name)) return aggregate_call(call, span);
  return window_property(call, span);
}

Result<SelectBinder::AggregateSlot> SelectBinder::bind_aggregate(const syntax::FunctionCall& call, const Span& span, ExprBinder& inner, bool retracting, bool may_be_empty) {
  const std::string name = call.upper_name();
  if (!call.within_group.empty()) return unsupported(span, "WITHIN GROUP", "leave the order out");
  if (name == "LISTAGG" && call.arguments.size() == 2 && !call.arguments[1].value->as<syntax::StringLiteral>())
    return fail_at(call.arguments[1].value->span, ErrorCode::kInvalidQuery, "the separator of LISTAGG is a text constant", "write LISTAGG(x, ';')");
  if (call.ignore_nulls) return unsupported(span, "IGNORE NULLS / RESPECT NULLS", "filter the nulls: FILTER (WHERE x IS NOT NULL)");
  AggregateSlot slot;
  std::vector<Type> types;
  for (const syntax::FunctionArgument& a : call.arguments) {
    if (a.value->as<syntax::Star>() && call.arguments.size() == 1 && name == "COUNT") break;
    SUPYO_ASSIGN(ExprPtr arg, inner.bind(*a.value));
    types.push_back(arg->type);
    slot.args.push_back(std::move(arg));
  }
  if (call.json) {   // what becomes of NULLs
    slot.args.push_back(text_literal(call.json->absent_on_null.value_or(name == "JSON_ARRAYAGG") ? "A" : "N"));
    types.push_back(slot.args.back()->type);
  }
  if (name == "COUNT" && call.arguments.empty())
    return fail_at(span, ErrorCode::kInvalidQuery, "COUNT needs an argument", "write COUNT(*)");
  SUPYO_ASSIGN(const expr::ResolvedAggregate resolved, at(queries_.ctx_.functions.resolve_aggregate(name, types, call.distinct, retracting), span));
  for (std::size_t i = 0; i < slot.args.size(); ++i) slot.args[i] = coerced(slot.args[i], resolved.arg_types[i]);
  if (name == "PERCENTILE") {
    slot.args[1] = expr::fold_constants(slot.args[1]);
    const auto* one = slot.args[1]->kind == expr::Expr::Kind::kLiteral ? std::get_if<double>(&slot.args[1]->literal.data) : nullptr;
    if (!expr::columns_read(*slot.args[1]).empty() || (one != nullptr && !(*one >= 0 && *one <= 1)))
      return fail_at(call.arguments[1].value->span, ErrorCode::kInvalidQuery, "the percentage of PERCENTILE is a constant from 0 to 1, or an array of such", "write the median as PERCENTILE(x, 0.5)");
  }
  if (call.filter) {
    SUPYO_ASSIGN(slot.filter, inner.bind_predicate(*call.filter, "FILTER"));
  }
  slot.call = {.function = name, .args = {}, .distinct = call.distinct, .name = {}, .type = resolved.aggregate->result(), .position = span.position()};
  if (name != "COUNT" && (call.filter || may_be_empty)) slot.call.type = slot.call.type.as_nullable();
  return slot;
}

bool SelectBinder::same_aggregate(const AggregateSlot& a, const AggregateSlot& b) {
  const bool same_filter = (!a.filter && !b.filter) || (a.filter && b.filter && same_expr(*a.filter, *b.filter));
  return a.call.function == b.call.function && a.call.distinct == b.call.distinct && same_filter && same_exprs(a.args, b.args);
}

Result<ExprPtr> SelectBinder::aggregate_call(const syntax::FunctionCall& call, const Span& span) {
  ExprBinder inner = binder(false, false);
  SUPYO_ASSIGN(AggregateSlot slot, bind_aggregate(call, span, inner, false, !select_.has_group_by));
  // The same call twice is computed once.
  for (std::size_t i = 0; i < aggregates_.size(); ++i)
    if (same_aggregate(aggregates_[i], slot)) return expr::column(kAggregateBase + i, aggregates_[i].call.type);
  aggregates_.push_back(std::move(slot));
  return expr::column(kAggregateBase + aggregates_.size() - 1, aggregates_.back().call.type);
}

Result<syntax::WindowDefinition> SelectBinder::window_of(const syntax::WindowDefinition& written) const { return window_of(written, select_.windows); }

/// `named`: the windows that it may be based on.
Result<syntax::WindowDefinition> SelectBinder::window_of(const syntax::WindowDefinition& written, std::span<const syntax::NamedWindow> named) {
  if (!written.base) return written;
  const auto it = std::ranges::find_if(named, [&](const syntax::NamedWindow& w) { return w.name.text == written.base->text; });
  if (it == named.end())
    return fail_at(written.base->span, ErrorCode::kInvalidQuery, fmt::format("there is no window `{}`", written.base->text), "declare it: WINDOW w AS (PARTITION BY .. ORDER BY ..)");
  SUPYO_ASSIGN(syntax::WindowDefinition out, window_of(it->window, named.first(static_cast<std::size_t>(it - named.begin()))));
  const bool twice = (!written.order_by.empty() && !out.order_by.empty()) || (written.frame && out.frame);
  if (!written.partition_by.empty() || twice)
    return fail_at(written.span, ErrorCode::kInvalidQuery, fmt::format("a window that is based on `{}` adds only what that one leaves out: ORDER BY, ROWS or RANGE", it->name.text), "write the whole definition in OVER (..)");
  if (!written.order_by.empty()) out.order_by = written.order_by;
  if (written.frame) out.frame = written.frame;
  out.span = written.span;
  return out;
}

Result<ExprPtr> SelectBinder::over_call(const syntax::FunctionCall& call, const Span& span) {
  const std::string name = call.upper_name();
  if (name == "ROW_NUMBER") return row_number(call, span);
  if (name == "LAG" || name == "LEAD") return over_look(call, span, name == "LEAD");
  static constexpr std::pair<std::string_view, OverFunction> kRanks[] = {{"RANK", OverFunction::kRank}, {"DENSE_RANK", OverFunction::kDenseRank}, {"PERCENT_RANK", OverFunction::kPercentRank},
                                                                         {"CUME_DIST", OverFunction::kCumeDist}, {"NTILE", OverFunction::kNtile}};
  for (const auto& [rank, function] : kRanks)
    if (name == rank) return over_rank(call, span, function);
  if (queries_.ctx_.functions.is_aggregate(name)) return over_aggregate(call, span);
  return unsupported(span, fmt::format("{} OVER", name), "OVER takes aggregates such as SUM and COUNT, FIRST_VALUE, LAST_VALUE, LAG, LEAD, ROW_NUMBER, RANK, DENSE_RANK, PERCENT_RANK, CUME_DIST and NTILE");
}

Result<ExprPtr> SelectBinder::row_number(const syntax::FunctionCall& call, const Span& span) {
  if (!call.arguments.empty() || call.distinct || call.filter) return fail_at(span, ErrorCode::kInvalidQuery, "ROW_NUMBER takes no arguments", "write ROW_NUMBER() OVER (PARTITION BY k ORDER BY v)");
  SUPYO_ASSIGN(const syntax::WindowDefinition window, window_of(*call.over));
  if (window.frame) return unsupported(window.frame->span, "a frame of ROW_NUMBER", "leave ROWS / RANGE out");
  if (window.order_by.empty()) return fail_at(window.span, ErrorCode::kInvalidQuery, "ROW_NUMBER needs an order", "write ROW_NUMBER() OVER (PARTITION BY k ORDER BY v)");
  ExprBinder inner = select_.has_group_by ? binder(true, false) : binder(false, false);
  OverSlot slot;
  slot.span = span;
  slot.call.type = Type::big_int().not_null();
  for (const auto& e : window.partition_by) {
    SUPYO_ASSIGN(ExprPtr key, inner.bind(*e));
    slot.keys.push_back(std::move(key));
  }
  for (const syntax::OrderItem& item : window.order_by) {
    SUPYO_ASSIGN(ExprPtr by, inner.bind(*item.expr));
    SUPYO_TRY(check_order(by->type, item.expr->span));
    const bool proc = (by->kind == Expr::Kind::kColumn && by->column < kAggregateBase && scope_.node->columns[by->column].proc_time) || (by->kind == Expr::Kind::kCall && by->function->name == "PROCTIME");
    if (proc && window.order_by.size() > 1)
      return unsupported(item.expr->span, "ROW_NUMBER by processing time and something else", "ORDER BY the processing time alone, upwards, numbers rows as they come; else order by columns of the rows");
    slot.ranked_by.push_back({std::move(by), {.column = 0, .descending = item.descending, .nulls_first = item.nulls_first.value_or(!item.descending)}});
  }
  references_.insert(references_.end(), inner.references().begin(), inner.references().end());
  const auto same = [&](const OverSlot& o) {
    return !o.aggregate && !o.argument && o.table == slot.table && std::ranges::equal(o.keys, slot.keys, [](const ExprPtr& a, const ExprPtr& b) { return same_expr(*a, *b); }) &&
           std::ranges::equal(o.ranked_by, slot.ranked_by, [](const auto& a, const auto& b) { return same_expr(*a.first, *b.first) && a.second == b.second; });
  };
  const auto known = std::ranges::find_if(overs_, same);
  if (known != overs_.end()) return expr::column(kOverBase + static_cast<std::size_t>(known - overs_.begin()), slot.call.type);
  overs_.push_back(std::move(slot));
  return expr::column(kOverBase + overs_.size() - 1, overs_.back().call.type);
}

Status SelectBinder::expand_star(const syntax::Star& star, const Span& span) {
  if (select_.from.empty()) return fail_at(span, ErrorCode::kInvalidQuery, "* without FROM", "add FROM");
  const auto add = [&](const Relation& r, std::size_t i) {
    if (!scope_.node->columns[r.first + i].hidden) items_.push_back({column_of(*scope_.node, r.first + i), r.columns[i]});
  };
  const auto is_common = [&](std::size_t column) { return std::ranges::find(scope_.common, column) != scope_.common.end(); };
  if (!star.qualifier) {
    for (const std::size_t column : scope_.common)
      for (const Relation& r : scope_.relations)
        if (column >= r.first && column < r.first + r.columns.size() && !r.is_merged(column - r.first)) add(r, column - r.first);
    for (const Relation& r : scope_.relations)
      for (std::size_t i = 0; i < r.columns.size(); ++i)
        if (!r.is_merged(i) && !is_common(r.first + i)) add(r, i);
    return ok();
  }
  std::vector<std::string> parts;
  for (const auto& p : star.qualifier->parts) parts.push_back(p.text);
  const auto r = std::ranges::find_if(scope_.relations, [&](const Relation& relation) { return relation.is_called(parts); });
  if (r == scope_.relations.end()) {
    // All fields of a ROW, each as if it were named alone.
    ExprBinder b = binder(false, false);
    const auto row = b.bind({span, syntax::ColumnRef{*star.qualifier}});
    if (row && (*row)->type.id == TypeId::kRow) {
      for (const std::string& field : (*row)->type.field_names()) {
        syntax::Name name = *star.qualifier;
        name.parts.push_back({span, field});
        SUPYO_ASSIGN(ExprPtr value, b.bind({span, syntax::ColumnRef{std::move(name)}}));
        items_.push_back({std::move(value), field});
      }
      references_.insert(references_.end(), b.references().begin(), b.references().end());
      return ok();
    }
    return fail_at(star.qualifier->span, ErrorCode::kUnknownTable, fmt::format("`{}` is not in FROM", star.qualifier->to_string()),
                   scope_.hint_for(parts.back(), "write * alone"));
  }
  for (std::size_t i = 0; i < r->columns.size(); ++i) add(*r, i);
  return ok();
}

Status SelectBinder::bind_items() {
  std::optional<Span> around;   // where a column of the query around this one is named
  for (std::size_t i = 0; i < select_.items.size(); ++i) {
    const syntax::SelectItem& item = select_.items[i];
    if (const auto* star = item.expr->as<syntax::Star>()) {
      const std::size_t first = items_.size();
      SUPYO_TRY(expand_star(*star, item.span));
      for (std::size_t k = first; k < items_.size(); ++k)
        if (items_[k].expr->kind == Expr::Kind::kColumn) references_.emplace_back(items_[k].expr->column, item.span);
      continue;
    }
    ExprBinder b = binder(true, true);
    b.set_outer(outer_);
    SUPYO_ASSIGN(ExprPtr e, b.bind(*item.expr));
    references_.insert(references_.end(), b.references().begin(), b.references().end());
    const auto read = expr::columns_read(*e);
    if (!around && !read.empty() && read.back() >= kOuterBase) around = item.span;
    std::string name = fmt::format("EXPR${}", i);
    if (item.alias) name = item.alias->text;
    else if (const auto* c = item.expr->as<syntax::ColumnRef>()) name = c->name.last();
    items_.push_back({std::move(e), std::move(name)});
  }
  visible_ = items_.size();
  if (order_by_ != nullptr) SUPYO_TRY(bind_keys());
  if (select_.having) {
    ExprBinder b = binder(true, false);
    SUPYO_ASSIGN(having_, b.bind_predicate(*select_.having, "HAVING"));
    references_.insert(references_.end(), b.references().begin(), b.references().end());
  }
  if (select_.qualify) {
    ExprBinder b = binder(true, true);
    std::map<std::string, ExprPtr> aliases;
    for (std::size_t i = 0; i < visible_; ++i) aliases.emplace(items_[i].name, items_[i].expr);
    b.set_aliases(std::move(aliases));
    SUPYO_ASSIGN(qualify_, b.bind_predicate(*select_.qualify, "QUALIFY"));
    if (overs_.empty()) return fail_at(select_.qualify->span, ErrorCode::kInvalidQuery, "QUALIFY is a condition on a function OVER a window, and there is none", "use WHERE or HAVING");
    references_.insert(references_.end(), b.references().begin(), b.references().end());
  }
  grouped_ = select_.has_group_by || !aggregates_.empty() || having_;
  if (around && (grouped_ || !overs_.empty() || qualify_))
    return unsupported(*around, "a column of the query around it in what a subquery aggregates or ranks", "compute it in the query around it");
  if (grouped_) SUPYO_TRY(group_by_values());
  if (grouped_ && !correlated_.empty()) SUPYO_TRY(group_by_correlation());
  if (grouped_) SUPYO_TRY(group());
  return ok();
}

Status SelectBinder::bind_keys() {
  for (const syntax::OrderItem& order : *order_by_) {
    if (order.expr->as<syntax::NumberLiteral>()) {
      SUPYO_ASSIGN(const std::size_t position, order_position(*order.expr, visible_));
      key_columns_.push_back(position);
      continue;
    }
    // A name of the select list goes before a column of FROM.
    const auto* c = order.expr->as<syntax::ColumnRef>();
    const auto named = std::ranges::find_if(items_, [&](const Item& i) { return c != nullptr && c->name.parts.size() == 1 && i.name == c->name.last(); });
    if (named != items_.end() && named < items_.begin() + static_cast<std::ptrdiff_t>(visible_)) {
      key_columns_.push_back(static_cast<std::size_t>(named - items_.begin()));
      continue;
    }
    ExprBinder b = binder(true, true);
    SUPYO_ASSIGN(ExprPtr e, b.bind(*order.expr));
    references_.insert(references_.end(), b.references().begin(), b.references().end());
    const auto same = std::ranges::find_if(items_, [&](const Item& i) { return same_expr(*i.expr, *e); });
    key_columns_.push_back(static_cast<std::size_t>(same - items_.begin()));
    if (same == items_.end()) items_.push_back({std::move(e), "$order"});
  }
  return ok();
}

Result<LogicalPtr> SelectBinder::bind_with_keys(const std::vector<syntax::OrderItem>& order_by) {
  order_by_ = &order_by;
  return bind();
}

Status SelectBinder::group() {
  // Below the aggregation one projection computes keys, arguments and filters.
  std::vector<ExprPtr> inputs = group_exprs_, arguments;
  const bool sets = !sets_.empty();
  const auto argument = [&](const ExprPtr& e) { return sets ? inputs.size() + place(arguments, e) : place(inputs, e); };   // keys are nulled, arguments are not
  LogicalAggregate aggregate;
  aggregate.position = select_.items.front().span.position();
  if (!select_.group_by.empty()) aggregate.position = select_.group_by.front().span.position();
  else if (!aggregates_.empty()) aggregate.position = aggregates_.front().call.position;
  for (std::size_t i = 0; i < group_exprs_.size(); ++i) aggregate.keys.push_back(i);
  for (std::size_t i = 0; i < aggregates_.size(); ++i) {
    LogicalCall call = aggregates_[i].call;
    for (const ExprPtr& a : aggregates_[i].args) call.args.push_back(argument(a));
    if (aggregates_[i].filter) call.filter = argument(aggregates_[i].filter);
    call.name = fmt::format("$a{}", i);
    aggregate.calls.push_back(std::move(call));
  }
  for (Item& item : items_) {
    SUPYO_ASSIGN(item.expr, grouped(item.expr));
    // An aggregate that is an item of its own gives its column the item's name.
    const std::size_t first = group_exprs_.size() + (sets ? 1 : 0);
    if (item.expr->kind == Expr::Kind::kColumn && item.expr->column >= first && item.expr->column < kOverBase)
      aggregate.calls[item.expr->column - first].name = item.name;
  }
  if (having_) {
    SUPYO_ASSIGN(having_, grouped(having_));
  }
  if (qualify_) {
    SUPYO_ASSIGN(qualify_, grouped(qualify_));
  }
  for (OverSlot& o : overs_) {
    std::vector<ExprPtr*> parts = {&o.argument, &o.order, &o.otherwise};
    if (o.aggregate) {
      parts.push_back(&o.aggregate->filter);
      for (ExprPtr& a : o.aggregate->args) parts.push_back(&a);
    }
    for (ExprPtr* e : parts) {
      if (*e == nullptr) continue;
      SUPYO_ASSIGN(*e, grouped(*e));
    }
    for (auto& [by, key] : o.ranked_by) {
      SUPYO_ASSIGN(by, grouped(by));
    }
    for (ExprPtr& k : o.keys) {
      SUPYO_ASSIGN(k, grouped(k));
    }
  }
  inputs.insert(inputs.end(), arguments.begin(), arguments.end());
  if (sets) aggregate.keys.push_back(inputs.size());
  if (inputs.empty() && !scope_.node->columns.empty()) inputs.push_back(column_of(*scope_.node, 0));  // COUNT(*) alone: rows need a column
  auto names = names_for(inputs, *scope_.node);
  LogicalPtr below = make_project(scope_.node, std::move(inputs), std::move(names));
  aggregate.ttl_us = ttl_us_;
  scope_.node = make_aggregate(sets ? expand(std::move(below)) : std::move(below), std::move(aggregate));
  if (having_) scope_.node = make_filter(scope_.node, {having_, select_.having->span.position()});
  return ok();
}

ExprPtr SelectBinder::with_over(const ExprPtr& e, const std::vector<ExprPtr>& results) const {
  if (e->kind == Expr::Kind::kColumn) return e->column >= kOverBase ? results[e->column - kOverBase] : e;
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Expr>(*e);
  for (ExprPtr& a : copy->args) a = with_over(a, results);
  return copy;
}

std::string SelectBinder::name_of_over(std::size_t slot) const {
  for (const Item& item : items_)
    if (item.expr->kind == Expr::Kind::kColumn && item.expr->column == kOverBase + slot) return item.name;
  return fmt::format("$w{}", slot);
}

Status SelectBinder::rank(std::size_t slot, std::vector<ExprPtr>& results) {
  const LogicalPtr input = scope_.node;
  std::vector<ExprPtr> exprs;
  for (std::size_t i = 0; i < input->columns.size(); ++i) exprs.push_back(column_of(*input, i));
  LogicalRank node;
  for (const ExprPtr& k : overs_[slot].keys) node.partition.push_back(place(exprs, k));
  for (const auto& [by, key] : overs_[slot].ranked_by) node.order.push_back({.column = place(exprs, by), .descending = key.descending, .nulls_first = key.nulls_first});
  node.name = name_of_over(slot);
  node.position = overs_[slot].span.position();
  std::vector<std::string> names = names_for(exprs, *input);
  const std::size_t width = exprs.size();
  results[slot] = expr::column(width, overs_[slot].call.type);
  scope_.node = make_rank(width == input->columns.size() ? input : make_project(input, std::move(exprs), std::move(names)), std::move(node));
  return ok();
}

Status SelectBinder::over() {
  number_rows();
  std::vector<ExprPtr> results(overs_.size());
  std::vector<bool> done(overs_.size(), false);
  for (std::size_t i = 0; i < overs_.size(); ++i) {
    if (done[i]) continue;
    if (!overs_[i].ranked_by.empty() && !overs_[i].table) {
      SUPYO_TRY(rank(i, results));
      continue;
    }
    std::vector<std::size_t> slots;
    for (std::size_t k = i; k < overs_.size(); ++k) {
      if (!same_window(overs_[i], overs_[k])) continue;
      slots.push_back(k);
      done[k] = true;
    }
    SUPYO_TRY(overs_[i].table ? over_table(slots, results) : over_group(slots, results));
  }
  for (Item& item : items_) item.expr = with_over(item.expr, results);
  if (qualify_) qualify_ = with_over(qualify_, results);
  return ok();
}

Result<LogicalPtr> SelectBinder::bind() {
  SUPYO_TRY(from());
  SUPYO_TRY(where(nullptr));
  SUPYO_TRY(bind_group_by());
  SUPYO_TRY(bind_items());
  return finish();
}

Status SelectBinder::from() {
  if (select_.from.empty()) {
    scope_.node = one_row_of_nothing();
    return ok();
  }
  // What stands in FROM has hints of its own.
  SUPYO_ASSIGN(auto hints, this->hints());
  std::swap(queries_.hints_, hints);
  auto scope = queries_.from(select_.from);
  std::swap(queries_.hints_, hints);
  if (!scope) return std::unexpected(std::move(scope).error());
  scope_ = std::move(*scope);
  for (const QueryBinder::Ttl& t : hints.ttls) {
    const std::vector<std::string> names = scope_.aliases();
    if (std::ranges::find(names, t.table) == names.end())
      return fail_at(t.span, ErrorCode::kInvalidQuery, fmt::format("STATE_TTL: `{}` is no table of this FROM", t.table), did_you_mean(t.table, names, "name a table by its alias, or by its name when it has none"));
  }
  if (scope_.relations.size() == 1 && !hints.ttls.empty()) ttl_us_ = hints.ttls.back().ttl_us;
  return ok();
}

constexpr std::array<std::string_view, 5> kJoinHints = {"BROADCAST", "SHUFFLE_HASH", "SHUFFLE_MERGE", "NEST_LOOP", "MULTI_JOIN"};

namespace {

/// LOOKUP says how a table is asked again, or by several at a time. What is said is checked; that a row which is missing be asked for again, says something only of tables that are asked by key
/// (can_be_looked_up() refuses it there): of one that was read when the job began the answer stays the same.
Status check_lookup_hint(const syntax::Hint& hint) {
  static constexpr std::array<std::string_view, 9> kKeys = {"table", "async", "output-mode", "capacity", "timeout", "retry-predicate", "retry-strategy", "fixed-delay", "max-attempts"};
  const auto wrong = [](const syntax::OptionEntry& o, std::string_view wanted) {
    return fail_at(o.value_span, ErrorCode::kBadOptionValue, fmt::format("LOOKUP: '{}' = '{}' is not possible", o.key, o.value), fmt::format("it is {}", wanted));
  };
  const auto value = [&](std::string_view key) {
    const auto it = std::ranges::find(hint.options, key, &syntax::OptionEntry::key);
    return it == hint.options.end() ? std::string_view() : std::string_view(it->value);
  };
  for (const syntax::OptionEntry& o : hint.options) {
    if (std::ranges::find(kKeys, o.key) == kKeys.end())
      return fail_at(o.key_span, ErrorCode::kUnknownOption, fmt::format("LOOKUP has no option '{}'", o.key), fmt::format("it has: {}", fmt::join(kKeys, ", ")));
    if (o.key == "async" && o.value != "true" && o.value != "false") return wrong(o, "true or false");
    if (o.key == "output-mode" && o.value != "ordered" && o.value != "allow_unordered") return wrong(o, "ordered or allow_unordered");
    if (o.key == "retry-predicate" && o.value != "lookup_miss") return wrong(o, "lookup_miss");
    if (o.key == "retry-strategy" && o.value != "fixed_delay") return wrong(o, "fixed_delay");
    if (o.key == "timeout" || o.key == "fixed-delay") {
      SUPYO_ASSIGN(const DurationUs duration, at(parse_duration(o.value), o.value_span));
      if (duration <= 0) return wrong(o, "a time above zero, such as 10 s");
    }
    if (o.key == "capacity" || o.key == "max-attempts") {
      int n = 0;
      const auto end = std::from_chars(o.value.data(), o.value.data() + o.value.size(), n);
      if (end.ec != std::errc() || end.ptr != o.value.data() + o.value.size() || n <= 0) return wrong(o, "a whole number above zero");
    }
  }
  if (value("table").empty()) return fail_at(hint.span, ErrorCode::kInvalidQuery, "LOOKUP names no table", "write /*+ LOOKUP('table' = 'products', 'async' = 'true') */");
  const bool any_retry = !value("retry-predicate").empty() || !value("retry-strategy").empty() || !value("fixed-delay").empty() || !value("max-attempts").empty();
  const bool all_retry = !value("retry-predicate").empty() && !value("retry-strategy").empty() && !value("fixed-delay").empty() && !value("max-attempts").empty();
  if (any_retry != all_retry)
    return fail_at(hint.span, ErrorCode::kInvalidQuery, "LOOKUP: a retry is said in part only", "give all of 'retry-predicate', 'retry-strategy', 'fixed-delay' and 'max-attempts', or none");
  return ok();
}

}  // namespace

Result<QueryBinder::Hints> SelectBinder::hints() const {
  QueryBinder::Hints out;
  for (const syntax::Hint& hint : select_.hints) {
    // How to join is said to a batch planner; Flink's streaming one does not look at it either.
    if (std::ranges::find(kJoinHints, hint.name) != kJoinHints.end()) continue;
    if (hint.name == "LOOKUP") {
      SUPYO_TRY(check_lookup_hint(hint));
      for (const syntax::OptionEntry& retry : hint.options)
        if (retry.key == "retry-predicate") out.retried.emplace_back(std::ranges::find(hint.options, "table", &syntax::OptionEntry::key)->value, retry.key_span);
      continue;
    }
    if (hint.name != "STATE_TTL") return unsupported(hint.span, fmt::format("the hint {}", hint.name), "remove it: the result is the same");
    if (hint.options.empty())
      return fail_at(hint.span, ErrorCode::kInvalidQuery, "STATE_TTL names no table", "write /*+ STATE_TTL('orders' = '1d', 'users' = '0s') */");
    for (const syntax::OptionEntry& o : hint.options) {
      SUPYO_ASSIGN(const DurationUs ttl_us, at(parse_duration(o.value), o.value_span));
      if (ttl_us < 0) return fail_at(o.value_span, ErrorCode::kBadOptionValue, fmt::format("STATE_TTL: '{}' is no time to keep state for", o.value), "0s keeps it for ever");
      out.ttls.push_back({.table = o.key, .ttl_us = ttl_us, .span = o.key_span});
    }
  }
  return out;
}

/// What stands above the items: OVER, QUALIFY, the select list, DISTINCT.
Result<LogicalPtr> SelectBinder::finish() {
  if (!overs_.empty()) SUPYO_TRY(over());
  if (qualify_) scope_.node = make_filter(scope_.node, {qualify_, select_.qualify->span.position()});
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (Item& item : items_) {
    exprs.push_back(std::move(item.expr));
    names.push_back(std::move(item.name));
  }
  LogicalPtr out = make_project(scope_.node, std::move(exprs), std::move(names));
  if (!select_.distinct) return out;
  LogicalAggregate distinct;
  distinct.position = select_.items.front().span.position();
  distinct.ttl_us = ttl_us_;
  for (std::size_t i = 0; i < out->columns.size(); ++i) distinct.keys.push_back(i);
  return make_aggregate(std::move(out), std::move(distinct));
}

}  // namespace supyo::plan
