#pragma once
// The job that most tests of this room run: two splits in disorder -> rows held until the watermark -> counts per key -> a table, with the
// late and the dead rows in tables of their own. What must come out is computed from the script alone.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "core/env/sim/sim_env.h"
#include "engine/runtime/job_runner.h"
#include "testkit/fake_operators.h"
#include "testkit/fake_sink.h"
#include "testkit/fake_source.h"
#include "testkit/topology.h"

namespace supyo::runtime {

class TestJob {
 public:
  static constexpr DurationUs kBound = 40 * kMillisecond;

  explicit TestJob(std::uint64_t seed, bool bounded = true, std::size_t rows = 300, std::size_t splits = 3) : script(bounded) {
    std::uint64_t r = seed;
    const auto draw = [&r](std::uint64_t n) { return (r = hash_u64(r + 0x9e3779b97f4a7c15ULL)) % n; };
    for (std::size_t s = 0; s < splits; ++s) {
      std::vector<testkit::TestRow> items;
      for (std::size_t i = 0; i < rows / splits; ++i) {
        const auto t = static_cast<TimeUs>(i * 5 * kMillisecond) - static_cast<TimeUs>(draw(16) == 0 ? draw(100) * kMillisecond : draw(30) * kMillisecond);
        items.push_back({.key = static_cast<std::int64_t>(draw(11)), .value = static_cast<std::int64_t>(i), .time = t, .produced = t + kSecond});
        if (draw(40) == 0) items.back().time.reset();
      }
      auto& part = script.add("split/" + std::to_string(s), items);
      for (auto& item : part.items) item.dead = draw(50) == 0;
    }
  }

  dataflow::JobGraph graph(std::uint64_t seed) {
    testkit::Topology t;
    dataflow::WatermarkSpec watermark;
    watermark.column = 2;
    watermark.bound_us = kBound;
    watermark.edge = true;
    const auto source = t.source(std::make_shared<testkit::ScriptedSource>(script, seed), watermark, std::make_shared<testkit::FakeSink>(dead, "t$dead"));
    const auto sort = t.op("sort", testkit::factory_of<testkit::SortByTime>(), std::make_shared<testkit::FakeSink>(late, "t$late"));
    const auto count = t.op("count", testkit::factory_of<testkit::CountPerKey>());
    const auto sink = t.sink(std::make_shared<testkit::FakeSink>(table, "out"));
    t.hash(source, sort).hash(sort, count).forward(count, sink);
    t.graph().origins = true;
    return t.take();
  }

  JobConfig config(std::uint64_t seed) const {
    JobConfig c;
    c.state_dir = "state";
    c.checkpoint_interval_us = 20 * kMillisecond;
    c.batch_rows = 7;
    c.queue_batches = 2;
    c.seed = seed;
    c.journal = {.segment_bytes = 8U << 10, .snapshot_after_bytes = 4U << 10, .snapshot_after_segments = 3};
    c.control = false;
    return c;
  }

  Result<std::unique_ptr<JobRunner>> create(env::SimEnv& sim, const JobConfig& c) { return JobRunner::create(sim.env(), graph(c.seed), c); }

  /// One step; false when the job ended. The clock moves a little at each, and to where the job waits.
  Result<bool> step(env::SimEnv& sim, JobRunner& runner) {
    SUPYO_ASSIGN(const dataflow::Poll p, runner.step());
    if (p.progress == dataflow::Progress::kDone) return false;
    const TimeUs now = sim.clock().now_us();
    if (tick) tick(now);
    sim.clock().advance_to(p.progress == dataflow::Progress::kWaitingUntil ? std::max(now, std::min(p.until_us, now + 5 * kMillisecond)) : now + kMillisecond);
    return true;
  }

  Result<JobResult> run(env::SimEnv& sim, const JobConfig& c, std::uint64_t* trace = nullptr) {
    SUPYO_ASSIGN(const auto runner, create(sim, c));
    for (;;) {
      SUPYO_ASSIGN(const bool more, step(sim, *runner));
      if (!more) break;
    }
    if (trace != nullptr) *trace = runner->trace_hash();
    return runner->result();
  }

  /// Rows come one by one in virtual time, one a split and 10 ms.
  void trickle(env::SimEnv& sim) {
    for (auto& p : script.parts()) p.limit = 0;
    tick = [this, begin = sim.clock().now_us()](TimeUs now) {
      for (auto& p : script.parts()) p.limit = static_cast<std::size_t>((now - begin) / (10 * kMillisecond));
    };
  }

  std::vector<std::string> expected() const { return reference(false); }
  std::vector<std::string> expected_late() const { return reference(true); }
  std::size_t expected_dead() {
    std::size_t n = 0;
    for (auto& p : script.parts())
      for (auto& item : p.items) n += item.dead || !item.row.time ? 1U : 0U;
    return n;
  }

  mutable testkit::Script script;
  testkit::FakeTable table;
  testkit::FakeTable late;
  testkit::FakeTable dead;
  std::function<void(TimeUs now_us)> tick;

 private:
  std::vector<std::string> reference(bool of_late) const {
    std::vector<std::string> out;
    std::map<std::int64_t, std::multimap<TimeUs, int>> kept;
    for (auto& p : script.parts()) {
      TimeUs watermark = kTimeMin;
      for (const auto& item : p.items) {
        if (item.dead || !item.row.time) continue;
        const TimeUs t = *item.row.time;
        if (t > watermark) {
          kept[item.row.key].emplace(t, 0);
        } else if (of_late) {
          out.push_back(fmt::format("+I {},{},{},{},{},-,-,SortByTime,LATE", item.row.key, item.row.value, t, watermark, (watermark - t) / kMillisecond));
        }
        watermark = std::max(watermark, t - kBound);
      }
    }
    // The nth row of a key in order of time is counted n: rows of one key and time are alike here but for the value, which is not in the result.
    if (!of_late)
      for (const auto& [key, times] : kept) {
        int n = 0;
        for (const auto& [t, unused] : times) out.push_back(fmt::format("+I {},{},{}", key, ++n, t));
      }
    return testkit::sorted(std::move(out));
  }
};

}  // namespace supyo::runtime
