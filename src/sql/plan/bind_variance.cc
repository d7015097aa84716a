#include <algorithm>
#include <array>

#include "sql/plan/bind_query.h"

// VAR_POP and its like, in GROUP BY and OVER, as Flink's planner has them: expressions over SUM(x * x), SUM(x) and COUNT(x), in the types that those have. So they are
// computed in integers over integers, and a retraction is a subtraction. Source: Calcite's AggregateReduceFunctionsRule.
namespace supyo::plan {
namespace {

using expr::ExprPtr;
using syntax::BinaryOp;
using syntax::Expr;
using syntax::FunctionCall;
using syntax::Span;

constexpr std::array<std::string_view, 6> kVariances = {"STDDEV", "STDDEV_POP", "STDDEV_SAMP", "VARIANCE", "VAR_POP", "VAR_SAMP"};

syntax::ExprPtr node(const Span& span, Expr::Node n) { return syntax::ExprPtr(Expr{span, std::move(n)}); }
syntax::ExprPtr binary(const Span& span, BinaryOp op, syntax::ExprPtr a, syntax::ExprPtr b) { return node(span, syntax::Binary{op, std::move(a), std::move(b)}); }

/// `call` of another aggregate: with its DISTINCT, FILTER and OVER.
syntax::ExprPtr aggregate(const FunctionCall& call, const Span& span, std::string_view name, syntax::ExprPtr argument) {
  FunctionCall out = call;
  out.name.parts = {{call.name.span, std::string(name)}};
  out.arguments.front().value = std::move(argument);
  return node(span, std::move(out));
}

}  // namespace

bool SelectBinder::is_variance(std::string_view name) { return std::ranges::find(kVariances, name) != kVariances.end(); }

Result<ExprPtr> SelectBinder::variance_call(const FunctionCall& call, const Span& span) {
  const std::string name = call.upper_name();
  ExprBinder inner = call.over && select_.has_group_by ? binder(true, false) : binder(false, false);
  std::vector<Type> types;
  for (const syntax::FunctionArgument& a : call.arguments) {
    SUPYO_ASSIGN(const ExprPtr bound, inner.bind(*a.value));
    types.push_back(bound->type);
  }
  if (types.size() != 1 || !types.front().is_numeric()) {
    auto refused = at(queries_.ctx_.functions.resolve_aggregate(name, types, call.distinct, false), span);
    return std::unexpected(std::move(refused).error());
  }
  SUPYO_ASSIGN(const expr::ResolvedAggregate mean, at(queries_.ctx_.functions.resolve_aggregate("AVG", types, false, false), span));
  const Type result = mean.aggregate->result().as_nullable();
  syntax::ExprPtr x = call.arguments.front().value;
  if (types.front().id == TypeId::kDecimal) {
    syntax::TypeName wide;
    wide.span = span;
    wide.keyword = syntax::TypeKeyword::kDecimal;
    wide.precision = result.precision;
    wide.scale = result.scale;
    x = node(span, syntax::Cast{std::move(x), std::move(wide), false});
  }
  const syntax::ExprPtr count = aggregate(call, span, "COUNT", x), sum = aggregate(call, span, "SUM", x);
  syntax::ExprPtr divisor = count;
  if (!name.ends_with("_POP")) {
    const auto one = [&] { return node(span, syntax::NumberLiteral{.kind = syntax::NumberLiteral::Kind::kInteger, .text = "1"}); };
    syntax::Case of_one;
    of_one.branches.push_back({binary(span, BinaryOp::kEqual, count, one()), node(span, syntax::NullLiteral{})});
    of_one.otherwise = binary(span, BinaryOp::kMinus, count, one());
    divisor = node(span, std::move(of_one));
  }
  const syntax::ExprPtr squares = aggregate(call, span, "SUM", binary(span, BinaryOp::kMultiply, x, x));
  syntax::ExprPtr text = binary(span, BinaryOp::kDivide, binary(span, BinaryOp::kMinus, squares, binary(span, BinaryOp::kDivide, binary(span, BinaryOp::kMultiply, sum, sum), count)), divisor);
  if (name.starts_with("STDDEV")) {
    FunctionCall root;
    root.name = {span, {{span, "POWER"}}};
    root.arguments.resize(2);
    root.arguments[0].value = std::move(text);
    root.arguments[1].value = node(span, syntax::NumberLiteral{.kind = syntax::NumberLiteral::Kind::kDecimal, .text = "0.5"});
    text = node(span, std::move(root));
  }
  SUPYO_ASSIGN(const ExprPtr value, binder(true, call.over.has_value()).bind(*text));
  return value->type.same_kind(result) ? value : expr::cast(value, result, false);
}

}  // namespace supyo::plan
