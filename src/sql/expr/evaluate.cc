#include <algorithm>

#include "sql/expr/cast.h"
#include "sql/expr/kernel.h"

namespace supyo::expr {

namespace {

/// Only the columns that `e` reads, only the rows of `selection`; other columns are null pointers.
Batch part_of(const Batch& input, const Expr& e, std::span<const std::uint32_t> selection) {
  Batch part;
  part.rows = selection.size();
  part.columns.resize(input.columns.size());
  for (const std::size_t c : columns_read(e)) part.columns[c] = take(*input.columns[c], selection);
  return part;
}

bool is_true(const Column& c, std::size_t row) { return !c.is_null(row) && c.value<std::uint8_t>(row) != 0; }

/// Where each row of the result comes from: a branch, and the row in the branch's part.
struct Pick {
  std::uint32_t branch = 0;
  std::uint32_t row = 0;
};

ColumnPtr gather(const std::vector<ColumnPtr>& branches, std::span<const Pick> picks, const Type& type) {
  ColumnBuilder out(type, picks.size());
  for (const Pick& p : picks) {
    const Column& from = *branches[p.branch];
    if (from.is_null(p.row)) out.append_null(); else out.append_from(from, p.row);
  }
  return out.finish();
}

/// A branch is evaluated for the rows that take it, so that a guarded division does not fail (as Flink's generated code).
Result<ColumnPtr> evaluate_case(const Expr& e, const Batch& input, const EvalContext& ctx) {
  std::vector<std::uint32_t> open(input.rows);
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = static_cast<std::uint32_t>(i);
  std::vector<Pick> picks(input.rows);
  std::vector<ColumnPtr> branches;
  const auto run_branch = [&](const Expr& then, std::span<const std::uint32_t> taken) -> Status {
    if (taken.empty()) return ok();
    for (std::size_t k = 0; k < taken.size(); ++k) {
      picks[taken[k]] = {static_cast<std::uint32_t>(branches.size()), static_cast<std::uint32_t>(k)};
    }
    SUPYO_ASSIGN(ColumnPtr values, evaluate(then, taken.size() == input.rows ? input : part_of(input, then, taken), ctx));
    branches.push_back(std::move(values));
    return ok();
  };
  for (std::size_t b = 0; b + 1 < e.args.size() && !open.empty(); b += 2) {
    SUPYO_ASSIGN(const ColumnPtr when, evaluate(*e.args[b], open.size() == input.rows ? input : part_of(input, *e.args[b], open), ctx));
    std::vector<std::uint32_t> taken;
    std::vector<std::uint32_t> rest;
    for (std::size_t k = 0; k < open.size(); ++k) (is_true(*when, k) ? taken : rest).push_back(open[k]);
    SUPYO_TRY(run_branch(*e.args[b + 1], taken));
    open = std::move(rest);
  }
  SUPYO_TRY(run_branch(*e.args.back(), open));
  if (branches.size() == 1 && branches[0]->type().id == e.type.id) return branches[0]->with_type(e.type);
  return gather(branches, picks, e.type);
}

/// AND and OR over the rows that the operands before have not decided; used when evaluating an operand over all rows failed.
Result<ColumnPtr> evaluate_guarded(const Expr& e, const Batch& input, const EvalContext& ctx) {
  const bool is_and = e.function->name == "AND";
  std::vector<std::uint32_t> open(input.rows);
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = static_cast<std::uint32_t>(i);
  FixedOutput<std::uint8_t> out(input.rows);
  std::vector<std::uint8_t> unknown(input.rows, 0);
  for (const ExprPtr& arg : e.args) {
    if (open.empty()) break;
    SUPYO_ASSIGN(const ColumnPtr part, evaluate(*arg, part_of(input, *arg, open), ctx));
    std::vector<std::uint32_t> rest;
    for (std::size_t k = 0; k < open.size(); ++k) {
      const std::uint32_t row = open[k];
      const bool null = part->is_null(k);
      if (!null && (part->value<std::uint8_t>(k) != 0) != is_and) {
        unknown[row] = 0;
        out.set(row, !is_and);
        continue;
      }
      unknown[row] |= null;
      out.set(row, is_and);
      rest.push_back(row);
    }
    open = std::move(rest);
  }
  for (std::size_t i = 0; i < input.rows; ++i) {
    if (unknown[i]) out.set_null(i);
  }
  return out.finish(e.type);
}

Result<ColumnPtr> evaluate_call(const Expr& e, const Batch& input, const EvalContext& ctx) {
  std::vector<ColumnPtr> args;
  args.reserve(e.args.size());
  for (const ExprPtr& a : e.args) {
    auto value = evaluate(*a, input, ctx);
    if (!value) {
      const bool guards = e.function->name == "AND" || e.function->name == "OR";
      if (guards && !args.empty()) return evaluate_guarded(e, input, ctx);
      return value;
    }
    args.push_back(*std::move(value));
  }
  return e.function->kernel(args, e.type, input.rows, ctx);
}

bool is_literal(const ExprPtr& e) { return e->kind == Expr::Kind::kLiteral; }

/// What the expression alone (not its arguments) needs to be folded.
bool can_fold(const Expr& e) {
  switch (e.kind) {
    case Expr::Kind::kCall: return e.function->deterministic && !e.function->reads_context;
    case Expr::Kind::kCast: return !cast_reads_zone(e.args[0]->type, e.type) && e.type.id != TypeId::kNull;
    case Expr::Kind::kCase: return true;
    default: return false;
  }
}

}  // namespace

Result<ColumnPtr> evaluate(const Expr& e, const Batch& input, const EvalContext& ctx) {
  switch (e.kind) {
    case Expr::Kind::kColumn:
      SUPYO_CHECK_LT(e.column, input.columns.size());
      return input.columns[e.column];
    case Expr::Kind::kLiteral: return e.literal.is_null() ? null_column(e.type, input.rows) : repeated(e.literal, input.rows);
    case Expr::Kind::kCall: return evaluate_call(e, input, ctx);
    case Expr::Kind::kCase: return evaluate_case(e, input, ctx);
    case Expr::Kind::kCast: {
      SUPYO_ASSIGN(const ColumnPtr value, evaluate(*e.args[0], input, ctx));
      return cast_column(value, e.type, e.try_cast, ctx);
    }
  }
  return fail(ErrorCode::kInternal, "unknown kind of expression");
}

Status select_true(const Expr& predicate, const Batch& input, const EvalContext& ctx, std::vector<std::uint32_t>& selection) {
  SUPYO_ASSIGN(const ColumnPtr value, evaluate(predicate, input, ctx));
  selection.clear();
  if (value->type().id == TypeId::kNull) return ok();
  selection.resize(input.rows);
  const auto truths = value->values<std::uint8_t>();
  std::size_t n = 0;
  if (!value->has_nulls()) {
    for (std::size_t i = 0; i < input.rows; ++i) {
      selection[n] = static_cast<std::uint32_t>(i);
      n += truths[i] != 0;
    }
  } else {
    for (std::size_t i = 0; i < input.rows; ++i) {
      selection[n] = static_cast<std::uint32_t>(i);
      n += is_true(*value, i);
    }
  }
  selection.resize(n);
  return ok();
}

ExprPtr fold_constants(const ExprPtr& e) {
  if (e->args.empty() && e->kind != Expr::Kind::kCall) return e;
  std::vector<ExprPtr> args;
  bool changed = false;
  for (const ExprPtr& a : e->args) {
    args.push_back(fold_constants(a));
    changed = changed || args.back() != a;
  }
  ExprPtr folded = e;
  if (changed) {
    auto copy = std::make_shared<Expr>(*e);
    copy->args = std::move(args);
    folded = copy;
  }
  if (!can_fold(*folded) || !std::ranges::all_of(folded->args, is_literal)) return folded;
  Batch one;
  one.rows = 1;
  const auto value = evaluate(*folded, one, EvalContext{});
  if (!value) return folded;  // the same error comes at run time, if a row ever gets there
  Value v = value_at(**value, 0);
  v.type = folded->type;
  auto constant = std::make_shared<Expr>();
  constant->kind = Expr::Kind::kLiteral;
  constant->type = folded->type;
  constant->literal = std::move(v);
  return constant;
}

}  // namespace supyo::expr
