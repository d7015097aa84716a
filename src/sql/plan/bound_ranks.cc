#include <algorithm>

#include "sql/plan/rules.h"

namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;

struct Bound {
  std::uint64_t limit = 0;
  bool says_all = false;   ///< the condition holds for exactly the first `limit` rows
};

/// What a condition says of the number in column `number`, when it names the last one that passes.
std::optional<Bound> bound_of(const Expr& e, std::size_t number) {
  if (e.kind != Expr::Kind::kCall || e.args.size() != 2) return std::nullopt;
  const bool column_first = e.args[0]->kind == Expr::Kind::kColumn && e.args[0]->column == number;
  const bool column_last = e.args[1]->kind == Expr::Kind::kColumn && e.args[1]->column == number;
  const Expr& other = *e.args[column_first ? 1 : 0];
  if (column_first == column_last || other.kind != Expr::Kind::kLiteral || !std::holds_alternative<std::int64_t>(other.literal.data)) return std::nullopt;
  const std::int64_t n = std::get<std::int64_t>(other.literal.data);
  const std::string& name = e.function->name;
  if (name == "=") return n < 1 ? std::nullopt : std::optional(Bound{static_cast<std::uint64_t>(n), n == 1});
  const std::int64_t last = name == (column_first ? "<=" : ">=") ? n : name == (column_first ? "<" : ">") ? n - 1 : 0;
  return last < 1 ? std::nullopt : std::optional(Bound{static_cast<std::uint64_t>(last), true});
}

}  // namespace

LogicalPtr bound_ranks(const LogicalPtr& node) {
  std::vector<LogicalPtr> inputs;
  for (const LogicalPtr& input : node->inputs) inputs.push_back(bound_ranks(input));
  const LogicalPtr made = with_inputs(*node, std::move(inputs));
  const auto* filter = made->as<LogicalFilter>();
  if (filter == nullptr) return made;
  std::vector<LogicalPtr> between;   // downwards
  LogicalPtr below = made->input();
  for (; below->as<LogicalProject>() || below->as<LogicalFilter>(); below = below->input()) between.push_back(below);
  const auto* rank = below->as<LogicalRank>();
  if (rank == nullptr) return made;
  LogicalRank bounded = *rank;
  std::vector<ExprPtr> conjuncts, kept;
  split_conjuncts(filter->predicate, conjuncts);
  for (const ExprPtr& conjunct : conjuncts) {
    ExprPtr e = conjunct;
    for (const LogicalPtr& n : between)
      if (const auto* p = n->as<LogicalProject>()) e = substitute(e, p->exprs);
    const auto bound = bound_of(*expr::fold_constants(e), below->input()->columns.size());
    if (bound) bounded.limit = std::min(bounded.limit.value_or(UINT64_MAX), bound->limit);
    if (!bound || !bound->says_all) kept.push_back(conjunct);
  }
  if (!bounded.limit) return made;
  LogicalPtr out = make_rank(below->input(), std::move(bounded));
  for (auto n = between.rbegin(); n != between.rend(); ++n) out = with_inputs(**n, {out});
  // One after the other: simplify() makes one of them.
  for (const ExprPtr& e : kept) out = make_filter(out, {e, filter->position});
  return out;
}

}  // namespace supyo::plan
