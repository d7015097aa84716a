#include <benchmark/benchmark.h>

#include "data/types/builder.h"
#include "engine/operators/accumulators.h"
#include "engine/operators/operator_bench.h"

namespace supyo::operators {
namespace {

// MAX over rows that go again, one group with so many values, in batches of 64 changes: nanoseconds a change. With the values in the group's blob, and with one entry a value.

constexpr std::size_t kChanges = 64;

Schema schema() { return Schema({{"v", Type::big_int()}}); }

BatchPtr batch_of(std::uint64_t& seed, std::size_t rows) {
  BatchBuilder b(schema(), rows);
  for (std::size_t i = 0; i < rows; ++i) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    b.column(0).append(static_cast<std::int64_t>(seed >> 20));
    b.end_row();
  }
  return b.finish();
}

void changes_of_max(benchmark::State& bench, bool apart) {
  const expr::FunctionRegistry registry;
  const Type type = Type::big_int();
  const std::vector<expr::AggregateCall> calls = {{.aggregate = registry.resolve_aggregate("MAX", std::vector<Type>{type}, false, true)->aggregate, .args = {0}, .name = "m"}};
  ExtremeValues extremes(calls, schema());
  Accumulators accumulators(calls, 8, nullptr, apart ? &extremes : nullptr);
  state::OperatorState state({.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "groups", .fixed_width = accumulators.width()}, ExtremeValues::table()}});
  extremes.start(state.keyed(1));
  state::KeyedTable& groups = state.keyed(0);
  const std::vector<state::Slot> slots(kChanges, groups.find_or_insert(7, "group"));
  std::vector<std::uint32_t> rows(kChanges);
  for (std::uint32_t i = 0; i < kChanges; ++i) rows[i] = i;
  const std::vector<std::int8_t> come(kChanges, 1), go(kChanges, -1);
  std::uint64_t seed = 1;
  std::vector<BatchPtr> there;
  for (std::int64_t n = 0; n < bench.range(0); n += static_cast<std::int64_t>(kChanges)) {
    there.push_back(batch_of(seed, kChanges));
    if (!accumulators.update(*there.back(), rows, slots, come, groups)) bench.SkipWithError("update failed");
  }
  std::size_t at = 0;
  ColumnBuilder out(type);
  ColumnBuilder* const target = &out;
  for (auto _ : bench) {
    BatchPtr& old = there[at++ % there.size()];
    BatchPtr fresh = batch_of(seed, kChanges);
    if (!accumulators.update(*old, rows, slots, go, groups) || !accumulators.update(*fresh, rows, slots, come, groups) || !accumulators.append_values(groups, slots[0], {&target, 1})) bench.SkipWithError("update failed");
    old = std::move(fresh);
    state.forget_changes();
  }
  const auto changes = static_cast<double>(2 * kChanges) * static_cast<double>(bench.iterations());
  bench.counters["ns/change"] = benchmark::Counter(changes / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(changes_of_max, blob, false)->Arg(64)->Arg(4096)->Arg(262'144);
BENCHMARK_CAPTURE(changes_of_max, entries, true)->Arg(64)->Arg(4096)->Arg(262'144);

}  // namespace
}  // namespace supyo::operators
