// What an epoch, a snapshot and a recovery cost on the machine's own disk.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "core/base/hash.h"
#include "core/env/real/real_env.h"
#include "data/state/journal.h"
#include "data/state/snapshot.h"
#include "data/state/stored_changes.h"

namespace supyo::state {
namespace {

struct Scratch {
  Scratch() : dir("bench-journal-" + env::new_uuid(real.env().random)) { static_cast<void>(real.env().files.create_directories(dir)); }
  ~Scratch() { static_cast<void>(real.env().files.remove_all(dir)); }
  std::unique_ptr<Journal> open() { return Journal::open(real.env(), dir, "bench").value(); }
  env::RealEnv real;
  std::string dir;
};

EpochRecord record_of(std::int64_t epoch, std::int64_t entries, std::size_t value_bytes) {
  EpochRecord r{.epoch = Epoch(epoch), .sections = {{.id = 1, .bytes = std::string(200, 'p')}}, .tables = {{.operator_id = 1, .table = 0, .changes = {}}}};
  for (std::int64_t i = 0; i < entries; ++i) {
    std::string key = std::to_string(epoch * entries + i);
    r.tables[0].changes.push_back({.hash = hash_bytes(key), .key = std::move(key), .value = std::string(value_bytes, 'v')});
  }
  return r;
}

/// One epoch made final: `range` entries of 56 bytes each.
void AppendAndSync(benchmark::State& state) {
  Scratch scratch;
  const auto journal = scratch.open();
  std::int64_t epoch = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const EpochRecord r = record_of(++epoch, state.range(0), 32);
    state.ResumeTiming();
    if (!journal->append(r) || !journal->sync()) std::abort();
    state.PauseTiming();
    if (journal->snapshot_due()) {
      const auto builder = journal->begin_snapshot();
      while (!builder->poll(1 << 20).value()) {}
      if (!journal->end_snapshot(*builder)) std::abort();
    }
    state.ResumeTiming();
  }
}
BENCHMARK(AppendAndSync)->Arg(0)->Arg(10)->Arg(1000)->UseRealTime()->Unit(benchmark::kMicrosecond);

/// A snapshot of `range` entries of 100 bytes, then opening and visiting it.
void SnapshotAndRestore(benchmark::State& state) {
  Scratch scratch;
  const std::int64_t entries = state.range(0);
  {
    const auto journal = scratch.open();
    for (std::int64_t e = 1; e <= entries / 10000; ++e) {
      if (!journal->append(record_of(e, 10000, 76))) std::abort();
    }
    if (!journal->sync()) std::abort();
    const auto builder = journal->begin_snapshot();
    const auto begin = scratch.real.env().clock.monotonic_us();
    while (!builder->poll(1 << 20).value()) {}
    state.counters["build_ms"] = static_cast<double>(scratch.real.env().clock.monotonic_us() - begin) / 1000;
    if (!journal->end_snapshot(*builder)) std::abort();
  }
  for (auto _ : state) {
    const auto journal = scratch.open();
    std::uint64_t bytes = 0;
    for_each_stored(*journal, 0, 1, [&](const SnapshotEntry& e, bool) { bytes += e.key.size() + e.value.size(); });
    state.counters["MB"] = static_cast<double>(bytes) / 1e6;
  }
}
BENCHMARK(SnapshotAndRestore)->Arg(100'000)->Arg(2'000'000)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace supyo::state
