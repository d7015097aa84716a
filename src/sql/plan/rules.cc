#include "sql/plan/rules.h"

#include <algorithm>

#include "core/base/check.h"

namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;

void count_columns(const Expr& e, std::vector<int>& uses) {
  if (e.kind == Expr::Kind::kColumn) ++uses[e.column];
  for (const ExprPtr& a : e.args) count_columns(*a, uses);
}

bool is_plain(const Expr& e) { return e.kind == Expr::Kind::kColumn || e.kind == Expr::Kind::kLiteral; }

bool is_identity(const LogicalNode& project) {
  const auto& exprs = project.as<LogicalProject>()->exprs;
  const LogicalNode& in = *project.input();
  if (exprs.size() != in.columns.size()) return false;
  for (std::size_t i = 0; i < exprs.size(); ++i)
    if (exprs[i]->kind != Expr::Kind::kColumn || exprs[i]->column != i || project.columns[i].name != in.columns[i].name) return false;
  return true;
}

std::vector<std::string> names_of(const LogicalNode& node) {
  std::vector<std::string> names;
  for (const ColumnInfo& c : node.columns) names.push_back(c.name);
  return names;
}

/// Project over project becomes one, unless that would compute something dear twice or draw something random again.
LogicalPtr merge_projects(const LogicalPtr& node) {
  const auto& outer = node->as<LogicalProject>()->exprs;
  const LogicalPtr& below = node->input();
  const auto* inner = below->as<LogicalProject>();
  if (inner == nullptr) return is_identity(*node) ? below : node;
  std::vector<int> uses(inner->exprs.size(), 0);
  for (const ExprPtr& e : outer) count_columns(*e, uses);
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const Expr& e = *inner->exprs[i];
    if (is_plain(e)) continue;
    if (uses[i] > 1 || !is_deterministic(e)) return node;
  }
  std::vector<ExprPtr> merged;
  for (const ExprPtr& e : outer) merged.push_back(substitute(e, inner->exprs));
  return merge_projects(make_project(below->input(), std::move(merged), names_of(*node)));
}

LogicalPtr place_filter(const LogicalPtr& input, const LogicalFilter& filter, const expr::Function* conjunction);
LogicalPtr place_join(const LogicalPtr& join, const std::vector<ExprPtr>& where, const SourcePosition& position);

/// The filter below a projection, over what the projection computes.
LogicalPtr filter_below_project(const LogicalPtr& project, const LogicalFilter& filter, const expr::Function* conjunction) {
  const auto& exprs = project->as<LogicalProject>()->exprs;
  LogicalFilter lowered{substitute(filter.predicate, exprs), filter.position};
  return make_project(place_filter(project->input(), lowered, conjunction), exprs, names_of(*project));
}

bool can_pass(const LogicalNode& project, const Expr& predicate) {
  const auto& exprs = project.as<LogicalProject>()->exprs;
  for (const std::size_t c : expr::columns_read(predicate))
    if (!is_deterministic(*exprs[c])) return false;
  return true;
}

const expr::Function* find_and(const Expr& e) {
  if (e.kind == Expr::Kind::kCall && e.function->name == "AND") return e.function;
  for (const ExprPtr& a : e.args)
    if (const auto* f = find_and(*a)) return f;
  return nullptr;
}

LogicalPtr place_filter(const LogicalPtr& input, const LogicalFilter& filter, const expr::Function* conjunction) {
  if (is_true(*filter.predicate)) return input;
  if (input->as<LogicalProject>() && is_deterministic(*filter.predicate) && can_pass(*input, *filter.predicate))
    return filter_below_project(input, filter, conjunction);
  if (input->as<LogicalJoin>()) {
    std::vector<ExprPtr> conjuncts;
    split_conjuncts(filter.predicate, conjuncts);
    return place_join(input, conjuncts, filter.position);
  }
  if (input->as<LogicalUnion>()) {
    std::vector<LogicalPtr> inputs;
    for (const LogicalPtr& i : input->inputs) inputs.push_back(place_filter(i, filter, conjunction));
    return make_union(std::move(inputs));
  }
  if (const auto* lower = input->as<LogicalFilter>()) {
    // The registry's AND is at hand only if one of the predicates has it; else two filters stay, which a Calc evaluates one by one.
    const expr::Function* f = find_and(*filter.predicate);
    if (f == nullptr) f = find_and(*lower->predicate);
    if (f == nullptr) f = conjunction;
    if (f != nullptr) {
      const Type type = Type::boolean().as_nullable(filter.predicate->type.nullable || lower->predicate->type.nullable);
      return make_filter(input->input(), {expr::call(f, {lower->predicate, filter.predicate}, type), filter.position});
    }
  }
  return make_filter(input, filter);
}

/// Which side of a join an expression reads.
enum class Reads : std::uint8_t { kNothing, kLeft, kRight, kBoth };
Reads reads_of(const Expr& e, std::size_t width) {
  bool left = false, right = false;
  for (const std::size_t c : expr::columns_read(e)) (c < width ? left : right) = true;
  return left && right ? Reads::kBoth : left ? Reads::kLeft : right ? Reads::kRight : Reads::kNothing;
}

ExprPtr shifted(const ExprPtr& e, std::size_t columns, std::size_t by) {
  std::vector<std::size_t> map(columns);
  for (std::size_t i = 0; i < columns; ++i) map[i] = i < by ? 0 : i - by;
  return expr::remap_columns(e, map);
}

/// Conditions that read one side only are asked before the join, where that gives the same: WHERE of a side that is not filled with nulls,
/// ON of a side that is not kept whole. What WHERE asks of both sides of an inner join is part of its condition.
LogicalPtr place_join(const LogicalPtr& node, const std::vector<ExprPtr>& where, const SourcePosition& position) {
  const LogicalJoin& join = *node->as<LogicalJoin>();
  const std::size_t width = node->inputs[0]->columns.size(), all = width + node->inputs[1]->columns.size();
  LogicalPtr sides[2] = {node->inputs[0], node->inputs[1]};
  LogicalJoin kept = join;
  kept.condition.clear();
  std::vector<ExprPtr> above;
  const auto push = [&](const ExprPtr& e, bool right) { sides[right] = place_filter(sides[right], {right ? shifted(e, all, width) : e, position}, nullptr); };
  for (const ExprPtr& e : join.condition) {
    const Reads reads = is_deterministic(*e) ? reads_of(*e, width) : Reads::kBoth;
    if (reads == Reads::kLeft && !join.keeps_left()) push(e, false);
    // What is asked of a version is no condition on the table: the version that does not fulfil it hides the one before it all the same.
    else if (reads == Reads::kRight && !join.keeps_right() && !join.as_of) push(e, true);
    else kept.condition.push_back(e);
  }
  for (const ExprPtr& e : where) {
    const Reads reads = is_deterministic(*e) ? reads_of(*e, width) : Reads::kNothing;
    // Below an outer join the types of the filled side differ in nullability only.
    if (reads == Reads::kLeft && !join.keeps_right()) push(e, false);
    else if (reads == Reads::kRight && !join.keeps_left() && join.as_of) kept.condition.push_back(e);
    else if (reads == Reads::kRight && !join.keeps_left()) push(e, true);
    else if (reads == Reads::kBoth && join.kind == LogicalJoin::Kind::kInner) kept.condition.push_back(e);
    else above.push_back(e);
  }
  LogicalPtr out = make_join(sides[0], sides[1], std::move(kept));
  for (const ExprPtr& e : above) out = make_filter(out, {e, position});
  return out;
}

LogicalPtr fold(const LogicalPtr& node) {
  if (const auto* f = node->as<LogicalFilter>()) return make_filter(node->input(), {expr::fold_constants(f->predicate), f->position});
  if (const auto* p = node->as<LogicalProject>()) {
    std::vector<ExprPtr> exprs;
    for (const ExprPtr& e : p->exprs) exprs.push_back(expr::fold_constants(e));
    return make_project(node->input(), std::move(exprs), names_of(*node));
  }
  if (const auto* e = node->as<LogicalExpand>()) {
    LogicalExpand folded = *e;
    for (auto& row : folded.rows)
      for (ExprPtr& c : row) c = expr::fold_constants(c);
    return make_expand(node->input(), std::move(folded), names_of(*node));
  }
  if (const auto* j = node->as<LogicalJoin>()) {
    LogicalJoin folded = *j;
    for (ExprPtr& e : folded.condition) e = expr::fold_constants(e);
    std::erase_if(folded.condition, [](const ExprPtr& e) { return is_true(*e); });
    return make_join(node->inputs[0], node->inputs[1], std::move(folded));
  }
  return node;
}

}  // namespace

LogicalPtr simplify(const LogicalPtr& node) {
  std::vector<LogicalPtr> inputs;
  for (const LogicalPtr& input : node->inputs) inputs.push_back(simplify(input));
  LogicalPtr n = fold(with_inputs(*node, std::move(inputs)));
  if (const auto* f = n->as<LogicalFilter>()) {
    LogicalPtr lowered = place_filter(n->input(), *f, nullptr);
    return lowered->as<LogicalProject>() ? merge_projects(lowered) : lowered;
  }
  if (const auto* j = n->as<LogicalJoin>()) return place_join(n, {}, j->position);
  return n->as<LogicalProject>() ? merge_projects(n) : n;
}

}  // namespace supyo::plan
