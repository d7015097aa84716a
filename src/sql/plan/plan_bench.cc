#include <benchmark/benchmark.h>

#include <cstdlib>

#include "sql/plan/planner.h"
#include "sql/syntax/parser.h"

// Text to physical plan: a window aggregation of 50 CASE sums over nested queries. The budget for any query is 10 ms.
namespace supyo::plan {
namespace {

void plan_wide_window(benchmark::State& state) {
  catalog::ConnectorRegistry connectors;
  connectors.add({.name = "stored", .options = {}, .source = true, .sink = true, .metadata = {}, .help = {}});
  catalog::Catalog catalog(connectors, {}, "/");
  expr::FunctionRegistry functions;
  config::Settings settings;
  Planner planner(catalog, functions, settings);
  const auto table = syntax::parse_statement(
      "CREATE TABLE bids (bidder BIGINT, price BIGINT, channel STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '4' SECOND) WITH ('connector' = 'stored')");
  if (!planner.execute(*table)) std::abort();
  std::string sql = "SELECT ";
  for (int i = 0; i < 50; ++i) sql += fmt::format("{}SUM(CASE WHEN price > {} THEN price ELSE 0 END)", i == 0 ? "" : ", ", i);
  sql += " FROM (SELECT * FROM (SELECT * FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' HOUR)) WHERE price > 0) WHERE channel = 'a') "
         "GROUP BY window_start, window_end, bidder";
  for (auto _ : state) {
    const auto statement = syntax::parse_statement(sql);
    const auto outcome = planner.execute(*statement);
    const auto plan = planner.plan(std::get<Job>(*outcome));
    if (!plan) std::abort();
    benchmark::DoNotOptimize(plan->fingerprint);
  }
}
BENCHMARK(plan_wide_window)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace supyo::plan
