#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/base/hash.h"
#include "data/state/stored_changes.h"
#include "data/state/tables.h"

namespace supyo::state {
namespace {

// A keyed table of `n` keys, larger than any cache for the larger n. Nanoseconds an entry, and bytes an entry beyond key and value.

constexpr std::size_t kBatch = 4096;

struct Keys {
  Keys(std::size_t n, std::size_t bytes) : text(n * bytes, 'x') {
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint64_t number = hash_u64(i);
      std::memcpy(text.data() + i * bytes + 1, &number, sizeof number);
      views.push_back(std::string_view(text).substr(i * bytes, bytes));
      hashes.push_back(hash_combine(7, number));
    }
  }
  std::string text;
  std::vector<std::string_view> views;
  std::vector<std::uint64_t> hashes;
};

TableSpec spec_of(std::size_t bytes) { return {.name = "bench", .fixed_width = 8, .shared_hashes = bytes > 16}; }

void fill(KeyedTable& table, const Keys& keys) {
  std::vector<Slot> slots(kBatch);
  std::vector<std::uint8_t> inserted(kBatch);
  for (std::size_t from = 0; from < keys.views.size(); from += kBatch) {
    const std::size_t n = std::min(kBatch, keys.views.size() - from);
    table.find_or_insert(std::span(keys.hashes).subspan(from, n), std::span(keys.views).subspan(from, n), {}, std::span(slots).first(n), std::span(inserted).first(n));
  }
}

void insert(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0)), bytes = static_cast<std::size_t>(state.range(1));
  const Keys keys(n, bytes);
  double overhead = 0;
  for (auto _ : state) {
    KeyedTable table(spec_of(bytes));
    fill(table, keys);
    overhead = static_cast<double>(table.memory_bytes()) / static_cast<double>(n) - static_cast<double>(bytes) - 8;
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["overhead_bytes"] = overhead;
}

void probe(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0)), bytes = static_cast<std::size_t>(state.range(1));
  const Keys keys(n, bytes);
  KeyedTable table(spec_of(bytes));
  fill(table, keys);
  std::vector<Slot> slots(kBatch);
  std::vector<std::uint8_t> inserted(kBatch);
  std::vector<std::string_view> some(kBatch);
  std::vector<std::uint64_t> hashes(kBatch);
  std::uint64_t random = 1;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      random = hash_u64(random + 1);
      some[i] = keys.views[random % n];
      hashes[i] = keys.hashes[random % n];
    }
    table.find_or_insert(hashes, some, {}, slots, inserted);
    for (const Slot s : slots) ++table.as<std::int64_t>(s);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatch));
}

/// `n` int64 keys with values of `bytes` come back: all at once, or (`piecewise`) range by range as the job works.
void restore(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const bool piecewise = state.range(2) != 0;
  const Keys keys(n, 9);
  const std::string value(static_cast<std::size_t>(state.range(1)), 'v');
  TableChanges changes;
  for (std::size_t i = 0; i < n; ++i) {
    changes.encoded.begin_value(keys.hashes[i], keys.views[i], value.size());
    changes.encoded.bytes += value;
  }
  const auto stored = stored_changes(std::move(changes));
  for (auto _ : state) {
    KeyedTable table(spec_of(9));
    if (!table.restore(stored)) state.SkipWithError("does not restore");
    if (piecewise) table.load(SIZE_MAX - 1);
    table.for_each([](Slot) {});
    benchmark::DoNotOptimize(table.size());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(restore)->Args({10'000'000, 100, 0})->Args({10'000'000, 100, 1})->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(insert)->Args({10'000, 9})->Args({2'000'000, 9})->Args({1'000'000, 200});
BENCHMARK(probe)->Args({10'000, 9})->Args({2'000'000, 9})->Args({1'000'000, 200});

}  // namespace
}  // namespace supyo::state
