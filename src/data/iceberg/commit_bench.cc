// What a commit costs, and that it stays so: ten thousand epochs into one table on the real file system, manifests merging and snapshots expiring.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <numeric>

#include "core/env/real/real_env.h"
#include "data/iceberg/commit.h"

namespace supyo::iceberg {
namespace {

DataFile data_file(const std::string& location, std::int64_t epoch, int n) {
  DataFile f;
  f.path = fmt::format("{}/data/{:010}-0badcafe-0b54c1f0-0000-4000-8000-000000000001-00000000-{:03}-0.parquet", location, epoch, n);
  f.records = 2000;
  f.bytes = 40'000;
  for (std::int32_t c = 1; c <= 11; ++c) {
    f.column_sizes.emplace_back(c, 4000);
    f.value_counts.emplace_back(c, 2000);
    f.null_counts.emplace_back(c, 0);
    f.lower_bounds.emplace_back(c, "0123456789abcdef");
    f.upper_bounds.emplace_back(c, "0123456789abcdef");
  }
  return f;
}

void commits(benchmark::State& state) {
  const auto epochs = state.range(0);
  env::RealEnv real;
  env::Env& env = real.env();
  for (auto _ : state) {
    const std::string root = std::filesystem::temp_directory_path() / fmt::format("supyo-commit-bench-{:x}", env.random.next_u64());
    const std::string location = root + "/db/t";
    Schema columns;
    for (int c = 0; c < 11; ++c) columns.add(fmt::format("column_{}", c), Type::string());
    if (!create_table(env, new_table_metadata(env::new_uuid(env.random), location, *make_schema(columns, {}), {}, streaming_defaults(), env.clock.now_us() / 1000)))
      return state.SkipWithError("cannot create the table");
    TableCommitter committer(env, location, {.job_id = "0b54c1f0-0000-4000-8000-000000000001", .sink_id = "lake.db.t"});
    std::vector<std::int64_t> took;
    for (std::int64_t e = 1; e <= epochs; ++e) {
      const std::vector<NewFiles> files{{.spec_id = 0, .files = {data_file(location, e, 0)}}};
      const TimeUs before = env.clock.monotonic_us();
      if (!committer.append(Epoch{e}, files)) return state.SkipWithError("a commit failed");
      took.push_back(env.clock.monotonic_us() - before);
    }
    const auto mean = [](auto from, auto to) { return static_cast<double>(std::accumulate(from, to, std::int64_t{0})) / static_cast<double>(to - from); };
    const std::ptrdiff_t part = std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(took.size()) / 10);
    state.counters["first_tenth_us"] = mean(took.begin(), took.begin() + part);
    state.counters["last_tenth_us"] = mean(took.end() - part, took.end());
    std::sort(took.begin(), took.end());
    state.counters["p50_us"] = static_cast<double>(took[took.size() / 2]);
    state.counters["p99_us"] = static_cast<double>(took[took.size() * 99 / 100]);
    state.counters["max_us"] = static_cast<double>(took.back());
    const TimeUs before = env.clock.monotonic_us();
    const auto table = load_table(env.files, location);
    const auto planned = plan_files(env.files, table->metadata, *table->metadata.current_snapshot());
    state.counters["plan_ms"] = static_cast<double>(env.clock.monotonic_us() - before) / 1000;
    if (!planned || static_cast<std::int64_t>(planned->size()) != epochs) return state.SkipWithError("files are missing");
    std::filesystem::remove_all(root);
  }
}
BENCHMARK(commits)->Arg(1000)->Arg(10000)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace supyo::iceberg
