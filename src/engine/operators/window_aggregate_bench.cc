#include "engine/operators/window_aggregate.h"

#include <benchmark/benchmark.h>

#include <unordered_map>

#include "data/types/builder.h"
#include "engine/operators/operator_bench.h"

namespace supyo::operators {
namespace {

// COUNT(*) in 10 s TUMBLE windows per key: nanoseconds a row, beside a plain hand-written loop over the same columns.

constexpr std::size_t kBatches = 256;
constexpr std::size_t kRows = 4096;

std::uint64_t next_random(std::uint64_t& x) {
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return x;
}

Schema schema_of(bool text_key) { return Schema({{"ts", Type::timestamp(3)}, {"k", text_key ? Type::string() : Type::big_int()}}); }

std::vector<BatchPtr> input(bool text_key, std::size_t keys, bool origins) {
  std::uint64_t seed = 88172645463325252ULL;
  std::vector<BatchPtr> out;
  TimeUs t = 0;
  for (std::size_t b = 0; b < kBatches; ++b) {
    BatchBuilder builder(schema_of(text_key), kRows);
    std::vector<TimeUs> edges;
    for (std::size_t r = 0; r < kRows; ++r) {
      t += 50;  // 20,000 rows a second of event time
      builder.column(0).append(t - static_cast<TimeUs>(next_random(seed) % 1'000'000));
      const std::uint64_t key = next_random(seed) % keys;
      if (text_key) builder.column(1).append_text(fmt::format("key{}", key)); else builder.column(1).append(static_cast<std::int64_t>(key));
      if (origins) builder.end_row(RowKind::kInsert, Origin{t, t, t}); else builder.end_row();
      edges.push_back(t - 2'000'000);
    }
    auto batch = std::make_shared<Batch>(*builder.finish());
    batch->edge_watermarks = std::move(edges);
    out.push_back(std::move(batch));
  }
  return out;
}

void tumbling_count(benchmark::State& bench, bool text_key, bool origins) {
  const auto batches = input(text_key, static_cast<std::size_t>(bench.range(0)), origins);
  const expr::FunctionRegistry registry;
  WindowAggregateSpec spec;
  spec.input = schema_of(text_key);
  spec.window = {.kind = WindowSpec::Kind::kTumble, .size_us = 10 * kSecond};
  spec.keys = {1};
  spec.aggregates = {{.aggregate = registry.resolve_aggregate("COUNT", {}, false, false)->aggregate, .args = {}, .name = "n"}};
  spec.properties = {WindowAggregateSpec::Property::kEnd};
  spec.origins = origins;
  std::size_t emitted = 0;
  for (auto _ : bench) {
    auto op = *make_window_aggregate(spec)(0, 1);
    BenchContext ctx(*op);
    for (const BatchPtr& b : batches) {
      if (!op->process(b, 0, ctx, ctx)) bench.SkipWithError("process failed");
      const TimeUs w = b->edge_watermarks.back();
      ctx.watermark = w;
      if (!op->on_watermark({w}, ctx, ctx)) bench.SkipWithError("on_watermark failed");
    }
    emitted += ctx.emitted;
  }
  benchmark::DoNotOptimize(emitted);
  const auto rows = static_cast<double>(kBatches * kRows) * static_cast<double>(bench.iterations());
  bench.counters["ns/row"] = benchmark::Counter(rows / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  bench.counters["rows/s"] = benchmark::Counter(rows, benchmark::Counter::kIsRate);
}

void plain_loop(benchmark::State& bench) {
  const auto batches = input(false, static_cast<std::size_t>(bench.range(0)), false);
  for (auto _ : bench) {
    std::unordered_map<std::int64_t, std::unordered_map<std::int64_t, std::int64_t>> windows;
    for (const BatchPtr& b : batches) {
      const auto times = b->columns[0]->values<std::int64_t>();
      const auto keys = b->columns[1]->values<std::int64_t>();
      for (std::size_t r = 0; r < b->rows; ++r) ++windows[times[r] / (10 * kSecond)][keys[r]];
    }
    benchmark::DoNotOptimize(windows.size());
  }
  const auto rows = static_cast<double>(kBatches * kRows) * static_cast<double>(bench.iterations());
  bench.counters["ns/row"] = benchmark::Counter(rows / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(tumbling_count, int64_key, false, false)->Arg(100)->Arg(10'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(tumbling_count, text_key, true, false)->Arg(100)->Arg(10'000);
BENCHMARK_CAPTURE(tumbling_count, int64_key_origins, false, true)->Arg(100)->Arg(10'000);
BENCHMARK(plain_loop)->Arg(100)->Arg(10'000)->Arg(1'000'000);

}  // namespace
}  // namespace supyo::operators
