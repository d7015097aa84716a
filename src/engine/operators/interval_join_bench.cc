#include "engine/operators/interval_join.h"

#include <benchmark/benchmark.h>

#include "data/types/builder.h"
#include "engine/operators/operator_bench.h"

namespace supyo::operators {
namespace {

// Two streams of 10,000 rows a second of event time each, joined on a key within `seconds`; about one partner a row. Nanoseconds a row (of both sides), and bytes a
// kept row, its 24 bytes of payload included.

constexpr std::size_t kBatches = 128;
constexpr std::size_t kRows = 4096;
constexpr DurationUs kStep = 100;   // between rows of a side

Schema schema() { return Schema({{"k", Type::big_int().not_null()}, {"v", Type::big_int().not_null()}, {"ts", Type::timestamp(3).not_null()}}); }

std::vector<BatchPtr> input(std::uint64_t seed, std::size_t keys) {
  std::vector<BatchPtr> out;
  TimeUs t = 0;
  for (std::size_t b = 0; b < kBatches; ++b) {
    BatchBuilder builder(schema(), kRows);
    std::vector<TimeUs> edges;
    for (std::size_t r = 0; r < kRows; ++r) {
      seed ^= seed << 13;
      seed ^= seed >> 7;
      seed ^= seed << 17;
      t += kStep;
      builder.column(0).append(static_cast<std::int64_t>(seed % keys));
      builder.column(1).append(static_cast<std::int64_t>(r));
      builder.column(2).append(t / kMillisecond * kMillisecond);
      builder.end_row();
      edges.push_back(t - 2 * kSecond);
    }
    auto batch = std::make_shared<Batch>(*builder.finish());
    batch->edge_watermarks = std::move(edges);
    out.push_back(std::move(batch));
  }
  return out;
}

void join(benchmark::State& bench) {
  const DurationUs reach = bench.range(0) * kSecond;
  const auto keys = static_cast<std::size_t>(2 * reach / kStep);   // one partner on average
  const bool keep = bench.range(1) != 0;
  const std::vector<BatchPtr> sides[2] = {input(88172645463325252ULL, keys), input(1234567891011ULL, keys)};
  const dataflow::OperatorFactory factory = make_interval_join({.left = schema(), .right = schema(), .left_keys = {0}, .right_keys = {0}, .left_time = 2, .right_time = 2,
                                                                .lower_us = -reach, .upper_us = reach, .keep_left = keep, .keep_right = keep, .condition = nullptr});
  double bytes = 0;
  std::size_t rows = 0;
  for (auto _ : bench) {
    const auto op = *factory(0, 1);
    BenchContext ctx(*op);
    for (std::size_t b = 0; b < kBatches; ++b) {
      for (std::size_t s = 0; s < 2; ++s) SUPYO_CHECK(op->process(sides[s][b], s, ctx, ctx));
      ctx.watermark = sides[0][b]->edge_watermarks.back();
      SUPYO_CHECK(op->on_watermark({ctx.watermark}, ctx, ctx));
    }
    bytes = static_cast<double>(ctx.state().memory_bytes()) / static_cast<double>(ctx.state().entries());
    rows += 2 * kBatches * kRows;
    benchmark::DoNotOptimize(ctx.emitted);
  }
  bench.SetItemsProcessed(static_cast<std::int64_t>(rows));
  bench.counters["bytes_a_row"] = bytes;
}
BENCHMARK(join)->Args({1, 0})->Args({10, 0})->Args({10, 1})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace supyo::operators
