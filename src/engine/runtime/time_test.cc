#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/env/sim/sim_env.h"
#include "engine/runtime/job_runner.h"
#include "testkit/fake_operators.h"
#include "testkit/fake_sink.h"
#include "testkit/fake_source.h"
#include "testkit/topology.h"

namespace supyo::runtime {
namespace {

using dataflow::WatermarkSpec;
using testkit::FakeSink;
using testkit::FakeTable;
using testkit::Probe;
using testkit::Script;
using testkit::ScriptedSource;
using testkit::TestRow;
using testkit::Topology;

std::vector<TestRow> rows_at(std::vector<TimeUs> times) {
  std::vector<TestRow> out;
  for (const TimeUs t : times) out.push_back({.key = t % 7, .value = 0, .time = t, .produced = t});
  return out;
}

WatermarkSpec watermark_of(DurationUs bound, DurationUs idle = 0) {
  WatermarkSpec w;
  w.column = 2;
  w.bound_us = bound;
  w.idle_timeout_us = idle;
  w.edge = true;
  return w;
}

/// source -> probe (behind an exchange when there are several shards) -> table; the probe keeps the watermarks and rows that it saw.
struct ProbedJob {
  ProbedJob(bool bounded, WatermarkSpec w) : script(bounded), watermark(w) {}

  dataflow::JobGraph graph() {
    Topology t;
    Probe::Hooks hooks;
    hooks.watermark = [this](TimeUs us) {
      watermarks.push_back(us);
      return ok();
    };
    hooks.rows = [this](const Batch& b, dataflow::OperatorContext&) {
      for (std::size_t i = 0; i < b.rows; ++i) edges.emplace_back(b.columns[2]->integer(i), b.edge_watermarks[i]);
      if (!b.origins.empty())
        for (const Origin& o : b.origins) produced.push_back(o.produce_max);
      return ok();
    };
    const auto source = t.source(std::make_shared<ScriptedSource>(script, 5), watermark);
    t.source_node(source).replay = replay;
    const auto probe = t.op("probe", testkit::factory_of<Probe>(hooks));
    const auto sink = t.sink(std::make_shared<FakeSink>(table, "out"));
    t.single(source, probe).forward(probe, sink);
    t.graph().origins = true;
    return t.take();
  }
  std::unique_ptr<JobRunner> create(env::SimEnv& sim, std::uint32_t shards, DurationUs interval = 10 * kMillisecond) {
    JobConfig c;
    c.parallelism = shards;
    c.state_dir = "state";
    c.checkpoint_interval_us = interval;
    c.batch_rows = batch_rows;
    c.queue_batches = 2;
    c.control = false;
    c.journal.segment_bytes = 16U << 10;
    c.observer = observer;
    auto runner = JobRunner::create(sim.env(), graph(), c);
    EXPECT_TRUE(runner) << runner.error().to_string();
    return std::move(*runner);
  }
  static void steps(env::SimEnv& sim, JobRunner& runner, int n, DurationUs tick = kMillisecond) {
    for (int i = 0; i < n; ++i) {
      const auto p = runner.step();
      ASSERT_TRUE(p) << p.error().to_string();
      sim.clock().advance_to(sim.clock().now_us() + tick);
    }
  }

  Script script;
  WatermarkSpec watermark;
  FakeTable table;
  std::size_t batch_rows = 3;
  std::optional<std::size_t> replay;
  VisibilityObserver* observer = nullptr;
  std::vector<TimeUs> watermarks;
  std::vector<std::pair<TimeUs, TimeUs>> edges;
  std::vector<TimeUs> produced;
};

TEST(Time, EdgeWatermarkIsTheSplitsOwnJustBeforeTheRow) {
  ProbedJob job(true, watermark_of(10));
  job.script.add("a", rows_at({100, 90, 150, 120, 139, 141}));
  env::SimEnv sim(1);
  const auto runner = job.create(sim, 1);
  ASSERT_TRUE(runner->run_stepped([&](TimeUs t) { sim.clock().advance_to(t); }));
  EXPECT_EQ(job.edges, (std::vector<std::pair<TimeUs, TimeUs>>{{100, kTimeMin}, {90, 90}, {150, 90}, {120, 140}, {139, 140}, {141, 140}}));
  EXPECT_EQ(runner->stats().behind, 2U);
}

/// Passes rows; its watermark is the clock's, every 10 ms.
class ClockOperator final : public dataflow::Operator {
 public:
  std::string_view name() const override { return "Clock"; }
  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext&, dataflow::Collector& out) override { return out.emit(batch); }
  bool makes_time() const override { return true; }
  TimeUs made_watermark(const dataflow::OperatorContext& ctx) const override { return ctx.now_us() - 1; }
  TimeUs next_timer_us(const dataflow::OperatorContext& ctx) const override { return ctx.watermark_us() >= kTimeMax - kSecond ? kTimeMax : std::max<TimeUs>(ctx.watermark_us(), 0) + 10 * kMillisecond; }
};

TEST(Time, AnOperatorThatMakesTimeSendsTheClocksWatermarkInPlaceOfItsInputs) {
  for (const std::uint32_t shards : {1U, 2U}) {
    for (const bool bounded : {false, true}) {
      Script script(bounded);
      script.add("a", rows_at({100, 7 * kDay * 365 * 100}));
      FakeTable table;
      std::vector<TimeUs> watermarks;
      Probe::Hooks hooks;
      hooks.watermark = [&](TimeUs us) {
        watermarks.push_back(us);
        return ok();
      };
      Topology t;
      const auto source = t.source(std::make_shared<ScriptedSource>(script, 5), watermark_of(0, 50 * kMillisecond));
      const auto clock = t.op("clock", testkit::factory_of<ClockOperator>());
      const auto probe = t.op("probe", testkit::factory_of<Probe>(hooks));
      const auto sink = t.sink(std::make_shared<FakeSink>(table, "out"));
      t.hash(source, clock).single(clock, probe).forward(probe, sink);
      t.graph().by_the_clock = true;
      env::SimEnv sim(shards);
      JobConfig c;
      c.parallelism = shards;
      c.state_dir = "state";
      c.control = false;
      auto runner = JobRunner::create(sim.env(), t.take(), c);
      ASSERT_TRUE(runner) << runner.error().to_string();
      const TimeUs begin = sim.clock().now_us();
      if (bounded) {
        ASSERT_TRUE((*runner)->run_stepped([&](TimeUs to) { sim.clock().advance_to(to); }));
        EXPECT_EQ(watermarks.back(), kTimeMax) << "the end of the input is the end of time";
        continue;
      }
      ProbedJob::steps(sim, **runner, 300);
      ASSERT_GT(watermarks.size(), 10U);
      EXPECT_TRUE(std::ranges::is_sorted(watermarks));
      EXPECT_GE(watermarks.front(), begin - 1) << "nothing of the rows' own time";
      EXPECT_GE(watermarks.back(), begin + 200 * kMillisecond) << "it goes on while the input is idle";
      EXPECT_LE(watermarks.back(), sim.clock().now_us());
    }
  }
}

TEST(Time, CombinedWatermarkIsTheLowestOfAllSplitsOnAllShards) {
  for (const std::uint32_t shards : {1U, 2U, 3U}) {
    ProbedJob job(false, watermark_of(0));
    job.script.add("a", rows_at({100, 200, 300}));
    job.script.add("b", rows_at({50}));
    job.script.add("c", rows_at({400}));
    env::SimEnv sim(shards);
    const auto runner = job.create(sim, shards);
    ProbedJob::steps(sim, *runner, 100);
    ASSERT_FALSE(job.watermarks.empty());
    EXPECT_EQ(job.watermarks.back(), 50) << shards;
    EXPECT_TRUE(std::ranges::is_sorted(job.watermarks));
  }
}

TEST(Time, SilentSplitHoldsTheWatermarkUntilItsIdleTimeoutAndItsReturnDoesNotTakeItBack) {
  for (const std::uint32_t shards : {1U, 2U}) {
    ProbedJob job(false, watermark_of(0, 200 * kMillisecond));
    job.script.add("a", rows_at({100, 200, 300, 400, 500}));
    Script::Part& b = job.script.add("b", rows_at({50, 60}));
    b.limit = 1;
    env::SimEnv sim(shards);
    const auto runner = job.create(sim, shards);
    for (auto& p : job.script.parts())
      if (p.id == "a") p.limit = 4;
    ProbedJob::steps(sim, *runner, 100);
    EXPECT_EQ(job.watermarks.back(), 50);
    // Both are silent now; `a` gets a row in time, `b` does not.
    job.script.parts()[0].limit = 5;
    ProbedJob::steps(sim, *runner, 150);
    EXPECT_EQ(job.watermarks.back(), 500) << "b is idle";
    b.limit = 2;
    ProbedJob::steps(sim, *runner, 100);
    EXPECT_EQ(job.watermarks.back(), 500) << "never back";
    EXPECT_TRUE(std::ranges::is_sorted(job.watermarks));
    EXPECT_EQ(job.edges.back(), (std::pair<TimeUs, TimeUs>{60, 50}));
  }
}

TEST(Time, IdleSplitKeepsTheEndOfTheOthersFromFiringEverything) {
  ProbedJob job(true, watermark_of(0, 20 * kMillisecond));
  job.script.add("a", rows_at({100}));
  Script::Part& b = job.script.add("b", rows_at({50, 60}));
  b.limit = 1;
  env::SimEnv sim(1);
  const auto runner = job.create(sim, 2);
  ProbedJob::steps(sim, *runner, 300);
  EXPECT_LE(job.watermarks.back(), 100);
  b.limit = 2;
  ASSERT_TRUE(runner->run_stepped([&](TimeUs t) { sim.clock().advance_to(t); }));
  EXPECT_EQ(job.watermarks.back(), kTimeMax);
  EXPECT_EQ(job.table.size(), 3U);
}

TEST(Time, SplitThatCannotBeAskedIsNotIdle) {
  ProbedJob job(false, watermark_of(0, 50 * kMillisecond));
  job.script.add("a", rows_at({100}));
  env::SimEnv sim(1);
  const auto runner = job.create(sim, 1);
  ProbedJob::steps(sim, *runner, 20);
  job.script.outside_is_down = true;
  ProbedJob::steps(sim, *runner, 500);
  const auto cut = runner->stats().epochs.last_final;
  ProbedJob::steps(sim, *runner, 500);
  EXPECT_EQ(runner->stats().epochs.last_final, cut);  // becoming idle would be something that happened
  job.script.outside_is_down = false;
  ProbedJob::steps(sim, *runner, 200);
  EXPECT_GT(runner->stats().epochs.last_final, cut);
}

TEST(Time, WatermarkDoesNotGoBackAcrossAKill) {
  ProbedJob job(false, watermark_of(0, 100 * kMillisecond));
  job.script.add("a", rows_at({100, 900}));
  Script::Part& b = job.script.add("b", rows_at({50, 60, 950}));
  b.limit = 1;
  env::SimEnv sim(1);
  auto runner = job.create(sim, 2);
  job.script.parts()[0].limit = 1;
  ProbedJob::steps(sim, *runner, 90);
  job.script.parts()[0].limit = 2;
  ProbedJob::steps(sim, *runner, 60);
  ASSERT_EQ(job.watermarks.back(), 900);
  const auto seen = job.watermarks.size();
  sim.files().kill_process();
  runner.reset();
  b.limit = 2;
  runner = job.create(sim, 1);
  ProbedJob::steps(sim, *runner, 50);
  for (std::size_t i = seen; i < job.watermarks.size(); ++i) EXPECT_GE(job.watermarks[i], 900);
  EXPECT_EQ(job.edges.back(), (std::pair<TimeUs, TimeUs>{60, 50}));  // the split's own, as before the kill
}

TEST(Time, AnInputThatHadEndedBeforeAKillHoldsNothingBackAfterIt) {
  // first -> between -+-> last -> table. The first input is at its end in the epoch that the job goes on from.
  //        second ----+
  Script first(true), second(true);
  first.add("a", rows_at({100, 200}));
  second.add("b", rows_at({100, 300, 500, 900})).limit = 2;
  FakeTable table;
  env::SimEnv sim(1);
  const auto create = [&] {
    Topology t;
    const auto a = t.source(std::make_shared<ScriptedSource>(first, 5), watermark_of(0));
    const auto between = t.op("between", testkit::factory_of<testkit::SortByTime>());
    const auto b = t.source(std::make_shared<ScriptedSource>(second, 7), watermark_of(0));
    const auto last = t.op("last", testkit::factory_of<testkit::SortByTime>());
    const auto sink = t.sink(std::make_shared<FakeSink>(table, "out"));
    t.hash(a, between).hash(between, last).hash(b, last).forward(last, sink);
    JobConfig c;
    c.state_dir = "state";
    c.checkpoint_interval_us = 10 * kMillisecond;
    c.control = false;
    auto runner = JobRunner::create(sim.env(), t.take(), c);
    EXPECT_TRUE(runner) << runner.error().to_string();
    return std::move(*runner);
  };
  auto runner = create();
  ProbedJob::steps(sim, *runner, 100);
  ASSERT_LT(table.rows().size(), 6U);
  sim.files().kill_process();
  runner.reset();
  second.parts()[0].limit = 4;
  runner = create();
  ASSERT_TRUE(runner->run_stepped([&](TimeUs t) { sim.clock().advance_to(t); }));
  EXPECT_EQ(table.rows().size(), 6U);
}

TEST(Time, EndOfBoundedInputTakesTheWatermarkToItsEnd) {
  ProbedJob job(true, watermark_of(0));
  job.script.add("a", rows_at({100}));
  env::SimEnv sim(1);
  const auto runner = job.create(sim, 3);
  ASSERT_TRUE(runner->run_stepped([&](TimeUs t) { sim.clock().advance_to(t); }));
  EXPECT_EQ(job.watermarks.back(), kTimeMax);
}

TEST(Time, StopDoesNotTakeTheWatermarkToItsEnd) {
  ProbedJob job(false, watermark_of(0));
  job.script.add("a", rows_at({100}));
  env::SimEnv sim(1);
  const auto runner = job.create(sim, 1);
  ProbedJob::steps(sim, *runner, 30);
  runner->stop();
  ASSERT_TRUE(runner->run_stepped([&](TimeUs t) { sim.clock().advance_to(t); }));
  EXPECT_EQ(job.watermarks.back(), 100);
}

// ---- replay ----------------------------------------------------------------------------------------------------------------------

std::vector<TestRow> replayed() {
  std::vector<TestRow> rows;
  for (const TimeUs t : {5, 5, 9, 7, 20}) rows.push_back({.key = t, .value = 0, .time = env::SimEnv::kStart + t * kMinute, .produced = 0});
  rows.insert(rows.begin() + 3, TestRow{.key = 99, .value = 0, .time = {}, .produced = 0});
  return rows;
}

TEST(Replay, RowsAreReleasedAtTheirTimeWhichIsTheirProduceTime) {
  ProbedJob job(true, watermark_of(kMinute));
  job.replay = 2;
  job.script.add("a", replayed());
  env::SimEnv sim(1);
  const auto runner = job.create(sim, 1, kHour);
  std::vector<TimeUs> moments;
  ASSERT_TRUE(runner->run_stepped([&](TimeUs t) {
    sim.clock().advance_to(t);
    moments.push_back((t - env::SimEnv::kStart) / kMinute);
  }));
  const TimeUs s = env::SimEnv::kStart;
  // The row of minute 7 stands behind that of minute 9 and goes with it; the one without a time is dead.
  EXPECT_EQ(job.produced, (std::vector<TimeUs>{s + 5 * kMinute, s + 5 * kMinute, s + 9 * kMinute, s + 9 * kMinute, s + 20 * kMinute}));
  ASSERT_GE(moments.size(), 3U);
  EXPECT_EQ(std::set<TimeUs>(moments.begin(), moments.end()), (std::set<TimeUs>{5, 9, 20}));
  EXPECT_EQ(runner->stats().dead, 1U);
  EXPECT_EQ(sim.clock().now_us(), s + 20 * kMinute);
}

TEST(Replay, KilledInTheMiddleOfAHeldBatchGivesEachRowOnce) {
  for (int kill_at = 1; kill_at < 60; ++kill_at) {
    ProbedJob job(true, watermark_of(kMinute));
    job.replay = 2;
    job.batch_rows = 100;
    std::vector<TestRow> rows;
    for (int i = 0; i < 30; ++i) rows.push_back({.key = i, .value = 0, .time = env::SimEnv::kStart + i * kMinute, .produced = 0});
    for (auto& item : job.script.add("a", rows).items) item.dead = item.row.key % 10 == 3;
    env::SimEnv sim(1);
    auto runner = job.create(sim, 1, kMinute);
    bool more = true;
    for (int i = 0; i < kill_at && more; ++i) {
      const auto p = runner->step();
      ASSERT_TRUE(p);
      more = p->progress != dataflow::Progress::kDone;
      if (p->progress == dataflow::Progress::kWaitingUntil) sim.clock().advance_to(p->until_us);
    }
    sim.files().kill_process();
    runner.reset();
    job.batch_rows = 7;
    runner = job.create(sim, 2, kMinute);
    const auto result = runner->run_stepped([&](TimeUs t) { sim.clock().advance_to(t); });
    ASSERT_TRUE(result) << result.error().to_string();
    std::multiset<std::string> got;
    for (const auto& line : job.table.rows()) got.insert(line.substr(0, line.find(',')));
    std::multiset<std::string> want;
    for (int i = 0; i < 30; ++i)
      if (i % 10 != 3) want.insert("+I " + std::to_string(i));
    EXPECT_EQ(got, want) << "killed at step " << kill_at;
  }
}

TEST(Replay, NeedsTheSteppedDrive) {
  ProbedJob job(true, watermark_of(kMinute));
  job.replay = 2;
  job.script.add("a", replayed());
  env::RealEnv real;
  JobConfig c;
  const auto runner = JobRunner::create(real.env(), job.graph(), c);
  ASSERT_TRUE(runner);
  EXPECT_EQ((*runner)->run().error().code, ErrorCode::kUsage);
}

// ---- what the judge is told ------------------------------------------------------------------------------------------------------

class Listener final : public VisibilityObserver {
 public:
  void started(const PipelineShape& shape, TimeUs) override { splits = shape.source_splits, writers = shape.writers; say("started"); }
  void taken(const Taken& t) override {
    taken_at[t.now_us] += t.event_us.size();
    rows[t.epoch.value] += t.event_us.size();
    dead += t.dead;
    behind += t.behind;
    EXPECT_EQ(t.event_us.size(), t.produce_us.size());
  }
  void dropped_late(Epoch, std::uint64_t n, TimeUs) override { late += n; }
  void sink_rows(Epoch e, std::string_view, std::span<const TimeUs> events, std::span<const TimeUs>, TimeUs) override { out[e.value] += events.size(); }
  void written(std::uint32_t writer, TimeUs taken_us, TimeUs, TimeUs) override {
    EXPECT_GE(taken_us, told[writer]);
    told[writer] = taken_us;
    std::size_t came = 0, went = 0;
    for (const auto& [t, n] : taken_at) came += t < taken_us ? n : 0;
    for (const auto& [e, n] : out) went += n;
    EXPECT_GE(went, came) << "told of rows that are not there yet";
  }
  void epoch_cut(Epoch e, TimeUs watermark, TimeUs) override { say("cut " + std::to_string(e.value)); cut_watermark = watermark; }
  void epoch_final(Epoch e, TimeUs) override { say("final " + std::to_string(e.value)); }
  void epoch_visible(Epoch e, TimeUs now) override { say("visible " + std::to_string(e.value)); visible_at[e.value] = now; }
  void epoch_failed(Epoch e, TimeUs) override { say("failed " + std::to_string(e.value)); }
  void lags(std::uint32_t split, std::uint64_t committed, std::uint64_t fetched, bool is_quiet, TimeUs now) override {
    lag[split] = {committed, fetched};
    quiet[split] = is_quiet;
    asked_at[split] = now;
  }
  std::string save(Epoch last) override { return "counters " + std::to_string(++saves) + " after " + std::to_string(last.value); }
  void restore(std::string_view bytes) override { say("restore " + std::string(bytes)); }
  void say(std::string s) { story.push_back(std::move(s)); }

  std::uint32_t splits = 0, writers = 0;
  std::map<TimeUs, std::size_t> taken_at;
  std::map<std::uint32_t, TimeUs> told;
  std::map<std::int64_t, std::size_t> rows;
  std::map<std::int64_t, std::size_t> out;
  std::map<std::int64_t, TimeUs> visible_at;
  std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> lag;
  std::map<std::uint32_t, bool> quiet;
  std::map<std::uint32_t, TimeUs> asked_at;
  std::uint64_t dead = 0;
  std::uint64_t behind = 0;
  std::uint64_t late = 0;
  int saves = 0;
  TimeUs cut_watermark = kTimeMin;
  std::vector<std::string> story;
};

TEST(Observer, HearsOfEveryRowAndEpochInOrder) {
  ProbedJob job(true, watermark_of(10));
  auto& part = job.script.add("a", rows_at({100, 90, 150, 120, 139, 141}));
  part.items[1].dead = true;
  job.script.add("b", rows_at({100, 160}));
  Listener listener;
  job.observer = &listener;
  env::SimEnv sim(1);
  const auto runner = job.create(sim, 2);
  ASSERT_TRUE(runner->run_stepped([&](TimeUs t) { sim.clock().advance_to(t); }));
  EXPECT_EQ(listener.splits, 2U);
  EXPECT_EQ(listener.dead, 1U);
  EXPECT_EQ(listener.behind, 2U);
  std::size_t taken = 0;
  std::size_t given = 0;
  for (const auto& [e, n] : listener.rows) taken += n;
  for (const auto& [e, n] : listener.out) given += n;
  EXPECT_EQ(taken, 7U);
  EXPECT_EQ(given, 7U);
  EXPECT_EQ(listener.rows, listener.out);  // nothing is held back here
  EXPECT_TRUE(listener.told.empty()) << "readers of this table wait for epochs";
  EXPECT_EQ(listener.cut_watermark, kTimeMax);
  EXPECT_EQ(listener.story, (std::vector<std::string>{"started", "cut 1", "final 1", "visible 1"}));
}

TEST(Observer, ASplitThatNobodyAnswersForIsNeitherQuietNorIdle) {
  ProbedJob job(false, watermark_of(0, 5 * kSecond));
  Script::Part& a = job.script.add("a", rows_at({100, 200, 300}));
  Script::Part& b = job.script.add("b", rows_at({50, 60}));
  a.limit = 1;
  b.limit = 1;
  Listener listener;
  job.observer = &listener;
  env::SimEnv sim(1);
  const auto runner = job.create(sim, 1);
  ProbedJob::steps(sim, *runner, 2500);
  EXPECT_TRUE(listener.quiet[0]);
  EXPECT_TRUE(listener.quiet[1]);
  b.unreachable = true;
  ProbedJob::steps(sim, *runner, 2);
  const TimeUs known = listener.asked_at[1];
  a.limit = 3;
  ProbedJob::steps(sim, *runner, 9000);
  EXPECT_EQ(listener.asked_at[1], known) << "what it holds is not known";
  EXPECT_GT(listener.asked_at[0], known);
  EXPECT_EQ(job.watermarks.back(), 50) << "it is not idle: nobody knows whether rows wait there";
  b.unreachable = false;
  b.limit = 2;
  ProbedJob::steps(sim, *runner, 2500);
  EXPECT_EQ(job.watermarks.back(), 60);
  EXPECT_GT(listener.asked_at[1], known);
  EXPECT_TRUE(listener.quiet[1]);
}

TEST(Observer, HearsWhatIsWrittenWhereReadersDoNotWaitForEpochs) {
  for (const std::uint32_t shards : {1U, 2U, 4U}) {
    ProbedJob job(false, watermark_of(10));
    for (int s = 0; s < 3; ++s) {
      std::vector<TimeUs> times(40);
      for (std::size_t i = 0; i < times.size(); ++i) times[i] = static_cast<TimeUs>(100 + 10 * i);
      job.script.add(std::string(1, static_cast<char>('a' + s)), rows_at(times));
    }
    job.table.as_written = true;
    Listener listener;
    job.observer = &listener;
    env::SimEnv sim(shards);
    const auto runner = job.create(sim, shards, kHour);
    ProbedJob::steps(sim, *runner, 400);
    EXPECT_EQ(listener.writers, 1U);   // the operator is single, and so is what follows
    EXPECT_EQ(listener.story, (std::vector<std::string>{"started"})) << "no epoch in all this time";
    std::size_t given = 0;
    for (const auto& [e, n] : listener.out) given += n;
    EXPECT_EQ(given, 120U);
    ASSERT_EQ(listener.told.size(), 1U);
    EXPECT_GT(listener.told.begin()->second, listener.taken_at.rbegin()->first - 1) << shards << " shards: of all rows";
  }
}

TEST(Observer, CountersComeBackAfterAKillAndTheLastEpochIsSeenVisible) {
  ProbedJob job(false, watermark_of(10));
  auto& part = job.script.add("a", rows_at({100, 110, 120}));
  Listener first;
  job.observer = &first;
  env::SimEnv sim(1);
  auto runner = job.create(sim, 1);
  bool stuck = true;
  job.table.on_commit = [&](Epoch, TimeUs) { return stuck ? FakeTable::Answer::kNotYet : FakeTable::Answer::kCommit; };
  ProbedJob::steps(sim, *runner, 100);
  EXPECT_EQ(first.story, (std::vector<std::string>{"started", "cut 1", "final 1"}));
  EXPECT_EQ(part.acknowledged, 3);  // finality acknowledges, whatever the readers see
  sim.files().kill_process();
  runner.reset();
  stuck = false;
  Listener second;
  job.observer = &second;
  runner = job.create(sim, 1);
  ProbedJob::steps(sim, *runner, 100);
  EXPECT_EQ(second.story, (std::vector<std::string>{"restore counters 1 after 1", "started", "final 1", "visible 1"}));
  EXPECT_EQ(job.table.size(), 3U);
}

/// Between two epochs readers of such sinks go on reading, and so what they had is kept in between.
TEST(Observer, WhatReadersHadIsKeptBetweenEpochsWhereTheyDoNotWaitForThem) {
  ProbedJob job(false, watermark_of(10));
  auto& part = job.script.add("a", rows_at({100, 110, 120}));
  job.table.as_written = true;
  env::SimEnv sim(1);
  const auto life = [&](DurationUs interval, DurationUs tick) {
    Listener listener;
    job.observer = &listener;
    auto runner = job.create(sim, 1, interval);
    ProbedJob::steps(sim, *runner, 400, tick);
    sim.files().kill_process();
    runner.reset();
    listener.say("saved " + std::to_string(listener.saves));
    return listener.story;
  };
  EXPECT_EQ(life(kHour, 10 * kMillisecond), (std::vector<std::string>{"started", "saved 1"})) << "nothing more came in these 4 s";
  EXPECT_EQ(life(kHour, kMillisecond), (std::vector<std::string>{"restore counters 1 after 0", "started", "saved 0"}));
  // With an epoch its record is what counts; where the next is long in coming, what was kept since.
  EXPECT_EQ(life(50 * kMillisecond, kMillisecond), (std::vector<std::string>{"restore counters 1 after 0", "started", "cut 1", "final 1", "visible 1", "saved 1"}));
  part.items.push_back(part.items.back());
  part.items.push_back(part.items.back());
  EXPECT_EQ(life(kHour, 10 * kMillisecond), (std::vector<std::string>{"restore counters 1 after 1", "started", "final 1", "visible 1", "saved 1"}));
  EXPECT_EQ(life(kHour, kMillisecond), (std::vector<std::string>{"restore counters 1 after 1", "started", "final 1", "visible 1", "saved 0"}));
  // Damaged, it is as if it were not there.
  ASSERT_TRUE(sim.env().files.write_atomically("state/observer", "what is this"));
  EXPECT_EQ(life(kHour, kMillisecond)[0], "restore counters 1 after 1");
}

TEST(Observer, DeclaredCostsDelayFinalityAndVisibility) {
  ProbedJob job(true, watermark_of(10));
  job.script.add("a", rows_at({100}));
  Listener listener;
  job.observer = &listener;
  env::SimEnv sim(1);
  JobConfig c;
  c.observer = &listener;
  c.costs = {.journal_sync_us = 3 * kMillisecond, .sink_commit_us = 4 * kMillisecond};
  const auto runner = JobRunner::create(sim.env(), job.graph(), c);
  ASSERT_TRUE(runner);
  ASSERT_TRUE((*runner)->run_stepped([&](TimeUs t) { sim.clock().advance_to(t); }));
  EXPECT_EQ(listener.visible_at[1], env::SimEnv::kStart + 7 * kMillisecond);
  EXPECT_EQ((*runner)->stats().epochs.last_duration_us, 3 * kMillisecond);
  EXPECT_EQ((*runner)->stats().epochs.last_commit_us, 4 * kMillisecond);
}

TEST(Observer, LagsAreSampledOnceASecond) {
  ProbedJob job(false, watermark_of(10));
  job.script.add("a", rows_at({100, 200, 300})).limit = 2;
  Listener listener;
  job.observer = &listener;
  env::SimEnv sim(1);
  const auto runner = job.create(sim, 1);
  ProbedJob::steps(sim, *runner, 2100);
  EXPECT_EQ(listener.lag[0], (std::pair<std::uint64_t, std::uint64_t>{0, 0}));
}

}  // namespace
}  // namespace supyo::runtime
