#include <algorithm>
#include <numeric>

#include "data/types/builder.h"
#include "data/types/row_codec.h"
#include "sql/plan/rules.h"

// A GROUP BY with DISTINCT as two: by the keys and a bucket of the value, then by the keys. Source: Flink's SplitAggregateRule.
namespace supyo::plan {
namespace {

using expr::ExprPtr;

/// HASH_BUCKET(any, n): 0 .. n - 1. Not for SQL.
Result<ColumnPtr> hash_bucket(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const expr::EvalContext&) {
  std::vector<std::uint64_t> hashes(rows);
  const std::vector<ColumnPtr> values = {args[0]};
  hash_rows(values, rows, hashes);
  ColumnBuilder out(result, rows);
  for (std::size_t i = 0; i < rows; ++i) out.append(static_cast<std::int32_t>(hashes[i] % static_cast<std::uint64_t>(args[1]->value<std::int32_t>(i))));
  return out.finish();
}
const expr::Function kHashBucket{.name = "HASH_BUCKET", .kernel = hash_bucket, .signature = {}, .help = {}};

/// The one column whose different values are wanted, where all calls can be put together from parts.
std::optional<std::size_t> distinct_column(const LogicalNode& input, const LogicalAggregate& a) {
  for (const std::size_t k : a.keys)
    if (input.columns[k].window >= 0 || input.columns[k].attached) return std::nullopt;
  std::optional<std::size_t> column;
  for (const LogicalCall& c : a.calls) {
    static constexpr std::string_view kSplit[] = {"COUNT", "SUM", "MIN", "MAX"};
    if (std::ranges::find(kSplit, c.function) == std::end(kSplit)) return std::nullopt;
    if (!c.distinct) continue;
    if (c.args.size() != 1 || (column && *column != c.args[0])) return std::nullopt;
    column = c.args[0];
  }
  return column;
}

std::vector<std::size_t> first(std::size_t n) {
  std::vector<std::size_t> out(n);
  std::iota(out.begin(), out.end(), std::size_t{0});
  return out;
}

Result<LogicalPtr> split(const LogicalPtr& node, std::size_t value, const expr::FunctionRegistry& functions, std::int64_t buckets) {
  const LogicalAggregate& a = *node->as<LogicalAggregate>();
  const LogicalNode& input = *node->input();
  const std::size_t width = input.columns.size(), keys = a.keys.size();
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < width; ++i) {
    exprs.push_back(column_of(input, i));
    names.push_back(input.columns[i].name);
  }
  exprs.push_back(expr::call(&kHashBucket, {column_of(input, value), expr::literal({.type = Type::integer().not_null(), .data = buckets})}, Type::integer().not_null()));
  names.emplace_back("$bucket");

  LogicalAggregate partial = a, whole = a;
  partial.split = DistinctSplit::kPartial;
  partial.keys.push_back(width);
  whole.split = DistinctSplit::kFinal;
  whole.keys = first(keys);
  for (std::size_t i = 0; i < a.calls.size(); ++i) {
    LogicalCall& c = whole.calls[i];
    const bool counts = c.function == "COUNT";
    c = {.function = counts ? "SUM" : c.function, .args = {keys + 1 + i}, .name = c.name, .type = counts ? Type::big_int() : c.type, .position = c.position};
  }
  const LogicalPtr parts = make_aggregate(make_project(node->input(), std::move(exprs), std::move(names)), std::move(partial));
  const LogicalPtr together = make_aggregate(parts, std::move(whole));
  std::vector<ExprPtr> out;
  std::vector<std::string> out_names;
  for (std::size_t i = 0; i < node->columns.size(); ++i) {
    out.push_back(column_of(*together, i));
    out_names.push_back(node->columns[i].name);
    if (i < keys || a.calls[i - keys].function != "COUNT") continue;
    // Of nothing there is no sum.
    const Type number = Type::big_int().not_null();
    SUPYO_ASSIGN(const expr::ResolvedCall either, functions.resolve("COALESCE", std::vector<Type>{out.back()->type, number}));
    out.back() = expr::call(either.function, {out.back(), expr::literal({.type = number, .data = std::int64_t{0}})}, number);
  }
  return make_project(together, std::move(out), std::move(out_names));
}

}  // namespace

Result<LogicalPtr> split_distinct(const LogicalPtr& node, const expr::FunctionRegistry& functions, std::int64_t buckets) {
  std::vector<LogicalPtr> inputs;
  for (const LogicalPtr& input : node->inputs) {
    SUPYO_ASSIGN(LogicalPtr done, split_distinct(input, functions, buckets));
    inputs.push_back(std::move(done));
  }
  LogicalPtr n = with_inputs(*node, std::move(inputs));
  const auto* a = n->as<LogicalAggregate>();
  if (a == nullptr) return n;
  const auto value = distinct_column(*n->input(), *a);
  return value ? split(n, *value, functions, buckets) : Result<LogicalPtr>(n);
}

}  // namespace supyo::plan
