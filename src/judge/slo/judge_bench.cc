#include <benchmark/benchmark.h>

#include "judge/slo/analytic_pipeline_test.h"
#include "judge/slo/judge.h"

namespace supyo::slo {
namespace {

/// What the judge costs a job: batches of 4,096 rows, an epoch every 400,000 rows (4 million rows a second at 100 ms). 0: rows are visible with their epoch, 1: and held until the watermark, 2: as they are written.
void judge_rows(benchmark::State& state) {
  const bool hold = state.range(0) == 1, as_written = state.range(0) == 2;
  Judge judge(document_000(), {});
  TimeUs now = 1'700'000'000 * kSecond;
  judge.started({.holds_until_watermark = hold, .source_splits = 1, .writers = as_written ? 1U : 0U}, now);
  std::vector<TimeUs> event(4096), produce(4096);
  std::int64_t epoch = 1, rows = 0, batches = 0;
  for (auto _ : state) {
    now += 1024;
    for (std::size_t i = 0; i < event.size(); ++i) {
      produce[i] = now;
      event[i] = now - static_cast<TimeUs>((i * 2654435761U) % 1'000'000);
    }
    judge.taken({.epoch = Epoch{epoch}, .event_us = event, .produce_us = produce, .now_us = now});
    if (as_written) judge.written(0, now, kTimeMin, now);
    rows += 4096;
    if (++batches % 98 != 0) continue;
    judge.epoch_cut(Epoch{epoch}, now - kSecond, now);
    judge.epoch_final(Epoch{epoch}, now + 1);
    judge.epoch_visible(Epoch{epoch}, now + 2);
    benchmark::DoNotOptimize(judge.save(Epoch{epoch}));
    ++epoch;
  }
  state.SetItemsProcessed(rows);
}
BENCHMARK(judge_rows)->Arg(0)->Arg(1)->Arg(2);

}  // namespace
}  // namespace supyo::slo
