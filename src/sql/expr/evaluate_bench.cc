#include <benchmark/benchmark.h>

#include "data/types/builder.h"
#include "sql/expr/expr.h"
#include "sql/expr/registry.h"

namespace supyo::expr {
namespace {

// Nanoseconds a row of common expressions over a batch of 4,096 rows, beside the same as a plain loop.

constexpr std::size_t kRows = 4096;

BatchPtr input() {
  BatchBuilder b(Schema({{"a", Type::big_int()}, {"b", Type::big_int()}, {"kind", Type::string()}, {"d", Type::decimal(10, 2)}}), kRows);
  for (std::size_t i = 0; i < kRows; ++i) {
    b.column(0).append(static_cast<std::int64_t>(i * 7919 % 1000));
    b.column(1).append(static_cast<std::int64_t>(i));
    b.column(2).append_text(i % 3 == 0 ? "price" : "stock");
    b.column(3).append(static_cast<Int128>(i) * 100);
    b.end_row();
  }
  return b.finish();
}

ExprPtr bound(const FunctionRegistry& registry, const char* name, std::vector<ExprPtr> args) {
  std::vector<Type> types;
  for (const ExprPtr& a : args) types.push_back(a->type);
  const auto r = registry.resolve(name, types);
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (!args[i]->type.same_kind(r->arg_types[i])) args[i] = cast(args[i], r->arg_types[i]);
  }
  return fold_constants(call(r->function, std::move(args), r->result));
}

ExprPtr number(std::int64_t v) { return literal({.type = Type::integer().not_null(), .data = v}); }
ExprPtr text(std::string v) { return literal({.type = Type::char_(static_cast<int>(v.size())).not_null(), .data = std::move(v)}); }
ExprPtr a() { return column(0, Type::big_int()); }
ExprPtr b() { return column(1, Type::big_int()); }
ExprPtr kind() { return column(2, Type::string()); }
ExprPtr d() { return column(3, Type::decimal(10, 2)); }

void run(benchmark::State& bench, const ExprPtr& e) {
  const BatchPtr batch = input();
  for (auto _ : bench) benchmark::DoNotOptimize(evaluate(*e, *batch, {}));
  bench.SetItemsProcessed(bench.iterations() * static_cast<std::int64_t>(kRows));
}

void arithmetic(benchmark::State& bench) {
  const FunctionRegistry r;
  run(bench, bound(r, "+", {bound(r, "*", {a(), number(3)}), b()}));
}
void arithmetic_plain(benchmark::State& bench) {
  const BatchPtr batch = input();
  for (auto _ : bench) {
    std::vector<std::int64_t> out(kRows);
    const auto x = batch->columns[0]->values<std::int64_t>();
    const auto y = batch->columns[1]->values<std::int64_t>();
    for (std::size_t i = 0; i < kRows; ++i) out[i] = x[i] * 3 + y[i];
    benchmark::DoNotOptimize(out.data());
  }
  bench.SetItemsProcessed(bench.iterations() * static_cast<std::int64_t>(kRows));
}
void predicate(benchmark::State& bench) {
  const FunctionRegistry r;
  run(bench, bound(r, "AND", {bound(r, ">", {a(), number(100)}), bound(r, "=", {kind(), text("price")})}));
}
void like(benchmark::State& bench) {
  const FunctionRegistry r;
  run(bench, bound(r, "LIKE", {kind(), text("pri%")}));
}
void decimal_product(benchmark::State& bench) {
  const FunctionRegistry r;
  run(bench, bound(r, "*", {d(), d()}));
}
void upper(benchmark::State& bench) {
  const FunctionRegistry r;
  run(bench, bound(r, "UPPER", {kind()}));
}
void case_of(benchmark::State& bench) {
  const FunctionRegistry r;
  run(bench, case_when({bound(r, "=", {kind(), text("price")}), a(), b()}, Type::big_int()));
}

BENCHMARK(arithmetic);
BENCHMARK(arithmetic_plain);
BENCHMARK(predicate);
BENCHMARK(like);
BENCHMARK(decimal_product);
BENCHMARK(upper);
BENCHMARK(case_of);

}  // namespace
}  // namespace supyo::expr
