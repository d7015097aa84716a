#include <algorithm>

#include "sql/plan/select_columns.h"

// GROUP BY: its keys, and GROUPING SETS, ROLLUP and CUBE, which group every row once for each of their sets: an Expand below the aggregation gives the row once a set, with
// the keys that are not in it null, and the set's number as a further key.
namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;
using syntax::GroupItem;
using syntax::Span;
using Sets = std::vector<std::vector<std::size_t>>;

constexpr std::size_t kMaxSets = 4096;

ExprPtr number(std::int64_t n) { return expr::literal({.type = Type::big_int().not_null(), .data = n}); }

/// Every set of `a` with every set of `b`.
Sets pairs(const Sets& a, const Sets& b) {
  Sets out;
  for (const auto& x : a)
    for (const auto& y : b) {
      out.push_back(x);
      out.back().insert(out.back().end(), y.begin(), y.end());
    }
  return out;
}

}  // namespace

Result<std::vector<std::size_t>> SelectBinder::bind_group_keys(const GroupItem& item, bool nested) {
  std::vector<std::size_t> keys;
  for (const auto& e : item.expressions) {
    if (is_group_window(*e)) {
      if (nested) return unsupported(e->span, "a window inside GROUPING SETS, ROLLUP or CUBE", "group by it beside them: GROUP BY TUMBLE(..), ROLLUP (..)");
      SUPYO_TRY(group_window(*e->as<syntax::FunctionCall>(), e->span));
      keys.insert(keys.end(), {group_exprs_.size() - 2, group_exprs_.size() - 1});
      continue;
    }
    ExprBinder b = binder(false, false);
    auto bound = b.bind(*e);
    if (!bound && bound.error().code == ErrorCode::kUnknownColumn) {
      const auto* c = e->as<syntax::ColumnRef>();
      const bool alias = c != nullptr && std::ranges::any_of(select_.items, [&](const syntax::SelectItem& i) { return i.alias && i.alias->text == c->name.last(); });
      Error error = std::move(bound).error();
      if (alias) error.hint = fmt::format("`{}` is an alias of SELECT: GROUP BY needs the expression itself", c->name.last());
      return std::unexpected(std::move(error));
    }
    SUPYO_ASSIGN(ExprPtr key, std::move(bound));
    if (key->type.id == TypeId::kNull) return fail_at(e->span, ErrorCode::kInvalidQuery, "GROUP BY NULL has no type", "leave it out");
    keys.push_back(place(group_exprs_, key));
  }
  return keys;
}

Result<SelectBinder::GroupingSets> SelectBinder::bind_group_item(const GroupItem& item, bool nested) {
  using Kind = GroupItem::Kind;
  if (item.kind == Kind::kExpressions) {
    SUPYO_ASSIGN(std::vector<std::size_t> keys, bind_group_keys(item, nested));
    return Sets{std::move(keys)};
  }
  Sets out;
  if (item.kind == Kind::kGroupingSets) {
    for (const GroupItem& part : item.items) {
      SUPYO_ASSIGN(const Sets sets, bind_group_item(part, true));
      out.insert(out.end(), sets.begin(), sets.end());
    }
    return out;
  }
  std::vector<std::vector<std::size_t>> parts;
  for (const GroupItem& part : item.items) {
    if (part.kind != Kind::kExpressions)
      return fail_at(part.span, ErrorCode::kInvalidQuery, "ROLLUP and CUBE take expressions, alone or in parentheses", "GROUPING SETS takes ROLLUP and CUBE: GROUPING SETS (ROLLUP (a, b), (c))");
    SUPYO_ASSIGN(std::vector<std::size_t> keys, bind_group_keys(part, true));
    parts.push_back(std::move(keys));
  }
  if (item.kind == Kind::kRollup) {
    for (std::size_t n = parts.size() + 1; n-- > 0;) {
      out.emplace_back();
      for (std::size_t i = 0; i < n; ++i) out.back().insert(out.back().end(), parts[i].begin(), parts[i].end());
    }
    return out;
  }
  if (parts.size() > 12) return unsupported(item.span, "CUBE of more than 12 parts", "name the sets that are wanted: GROUPING SETS (..)");
  out = {{}};
  for (const auto& part : parts) out = pairs(out, {part, {}});
  return out;
}

Status SelectBinder::bind_group_by() {
  Sets sets = {{}};
  for (const GroupItem& item : select_.group_by) {
    SUPYO_ASSIGN(const Sets more, bind_group_item(item, false));
    if (sets.size() * more.size() > kMaxSets)
      return unsupported(item.span, fmt::format("GROUP BY of more than {} grouping sets", kMaxSets), "name the sets that are wanted: GROUPING SETS (..)");
    sets = pairs(sets, more);
  }
  for (auto& set : sets) {
    std::ranges::sort(set);
    set.erase(std::ranges::unique(set).begin(), set.end());
  }
  if (select_.group_distinct) {
    std::ranges::sort(sets);
    sets.erase(std::ranges::unique(sets).begin(), sets.end());
  }
  written_keys_ = group_exprs_.size();
  if (sets.size() > 1 || sets.front().size() < written_keys_) sets_ = std::move(sets);
  return ok();
}

Result<ExprPtr> SelectBinder::grouping_call(const syntax::FunctionCall& call, const Span& span) {
  const std::string name = call.upper_name();
  if (!select_.has_group_by) return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} needs GROUP BY", name), "it tells the sets of GROUP BY GROUPING SETS, ROLLUP or CUBE apart");
  if (call.distinct || call.filter) return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} is not an aggregate: DISTINCT and FILTER do not fit", name), "leave them out");
  GroupingCall bound{.keys = {}, .is_group_id = name == "GROUP_ID"};
  if (bound.is_group_id != call.arguments.empty())
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} takes {}", name, bound.is_group_id ? "no arguments" : "keys of GROUP BY"), bound.is_group_id ? "write GROUP_ID()" : fmt::format("write {}(a, b)", name));
  if (call.arguments.size() > 62) return unsupported(span, fmt::format("{} of more than 62 keys", name), "split it");
  for (const syntax::FunctionArgument& a : call.arguments) {
    ExprBinder b = binder(false, false);
    SUPYO_ASSIGN(const ExprPtr key, b.bind(*a.value));
    const auto it = std::ranges::find_if(group_exprs_, [&](const ExprPtr& g) { return same_expr(*g, *key); });
    if (it == group_exprs_.end()) return fail_at(a.value->span, ErrorCode::kInvalidQuery, fmt::format("{} takes keys of GROUP BY, this is none", name), "repeat the key as it stands in GROUP BY");
    bound.keys.push_back(static_cast<std::size_t>(it - group_exprs_.begin()));
  }
  const auto known = std::ranges::find(grouping_calls_, bound);
  const auto place = static_cast<std::size_t>(known - grouping_calls_.begin());
  if (known == grouping_calls_.end()) grouping_calls_.push_back(std::move(bound));
  return expr::column(kGroupingBase + place, Type::big_int().not_null());
}

bool SelectBinder::is_grouped_by(std::size_t set, std::size_t key) const {
  return key >= written_keys_ || std::ranges::binary_search(sets_[set], key);
}

std::int64_t SelectBinder::grouping_value(std::size_t call, std::size_t set) const {
  const GroupingCall& c = grouping_calls_[call];
  if (c.is_group_id) return std::count(sets_.begin(), sets_.begin() + static_cast<std::ptrdiff_t>(set), sets_[set]);
  std::int64_t bits = 0;
  for (const std::size_t k : c.keys) bits = bits * 2 + (is_grouped_by(set, k) ? 0 : 1);
  return bits;
}

/// The same by the set's number, which is the key behind the others.
ExprPtr SelectBinder::grouping_value(std::size_t call) const {
  if (sets_.empty()) return number(0);
  const auto equal = queries_.ctx_.functions.resolve("=", std::vector<Type>{Type::big_int().not_null(), Type::big_int().not_null()});
  SUPYO_CHECK(equal.has_value());
  std::vector<ExprPtr> parts;
  for (std::size_t s = 0; s + 1 < sets_.size(); ++s) {
    parts.push_back(expr::call(equal->function, {expr::column(group_exprs_.size(), Type::big_int().not_null()), number(static_cast<std::int64_t>(s))}, equal->result));
    parts.push_back(number(grouping_value(call, s)));
  }
  parts.push_back(number(grouping_value(call, sets_.size() - 1)));
  return parts.size() == 1 ? parts.front() : expr::case_when(std::move(parts), Type::big_int().not_null());
}

/// `below`: the keys, then what is aggregated.
LogicalPtr SelectBinder::expand(LogicalPtr below) const {
  LogicalExpand op;
  std::vector<std::string> names;
  for (const ColumnInfo& c : below->columns) names.push_back(c.name);
  names.push_back("$e");
  for (std::size_t s = 0; s < sets_.size(); ++s) {
    std::vector<ExprPtr>& row = op.rows.emplace_back();
    for (std::size_t i = 0; i < below->columns.size(); ++i) {
      const Type& type = below->columns[i].type;
      row.push_back(i >= group_exprs_.size() || is_grouped_by(s, i) ? column_of(*below, i) : expr::literal({.type = type.as_nullable(), .data = {}}));
    }
    row.push_back(number(static_cast<std::int64_t>(s)));
  }
  return make_expand(std::move(below), std::move(op), std::move(names));
}

Result<ExprPtr> SelectBinder::grouped(const ExprPtr& e) const {
  for (std::size_t i = 0; i < group_exprs_.size(); ++i) {
    if (!same_expr(*group_exprs_[i], *e)) continue;
    bool everywhere = true;
    for (std::size_t s = 0; s < sets_.size(); ++s) everywhere &= is_grouped_by(s, i);
    return expr::column(i, everywhere ? e->type : e->type.as_nullable());
  }
  if (e->kind == Expr::Kind::kColumn) {
    if (e->column >= kOverBase) return e;
    if (e->column >= kGroupingBase) return grouping_value(e->column - kGroupingBase);
    if (e->column >= kAggregateBase) return expr::column(group_exprs_.size() + (sets_.empty() ? 0 : 1) + e->column - kAggregateBase, e->type);
    const auto it = std::ranges::find(references_, e->column, &std::pair<std::size_t, Span>::first);
    return fail_at(it == references_.end() ? Span{} : it->second, ErrorCode::kInvalidQuery,
                   fmt::format("`{}` is neither in GROUP BY nor inside an aggregate", scope_.node->columns[e->column].name), "group by it, or take MIN or MAX of it");
  }
  if (e->args.empty()) return e;
  auto copy = std::make_shared<Expr>(*e);
  for (ExprPtr& a : copy->args) {
    const bool was_there = !a->type.nullable;
    SUPYO_ASSIGN(a, grouped(a));
    if (was_there && a->type.nullable) copy->type.nullable = true;   // a key that is null in some of the sets
  }
  return copy;
}

}  // namespace supyo::plan
