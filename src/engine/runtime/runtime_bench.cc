// What the runtime itself costs a row: a source that has its rows in memory -> (exchange) -> a sink that drops them; whole-process CPU.
#include <benchmark/benchmark.h>

#include <ctime>

#include "core/base/hash.h"
#include "core/env/real/real_env.h"
#include "engine/runtime/job_runner.h"
#include "testkit/fake_operators.h"
#include "testkit/topology.h"

namespace supyo::runtime {
namespace {

constexpr std::size_t kRowsInBatch = 1024;

class MemorySource final : public dataflow::Source {
 public:
  MemorySource(BatchPtr batch, std::size_t batches, std::uint32_t splits) : batch_(std::move(batch)), batches_(batches), splits_(splits) {}
  std::string_view name() const override { return "memory"; }
  bool bounded() const override { return true; }
  Result<std::vector<dataflow::Split>> splits() override {
    std::vector<dataflow::Split> out;
    for (std::uint32_t i = 0; i < splits_; ++i) out.push_back({.id = std::to_string(i), .position = {}});
    return out;
  }
  Result<std::unique_ptr<dataflow::SourceReader>> open(std::vector<dataflow::Split> splits, const env::Env&) override {
    return std::make_unique<Reader>(batch_, batches_, std::move(splits));
  }

 private:
  class Reader final : public dataflow::SourceReader {
   public:
    Reader(BatchPtr batch, std::size_t batches, std::vector<dataflow::Split> splits) : batch_(std::move(batch)), left_(batches), splits_(std::move(splits)) {}
    Result<dataflow::Poll> poll(std::size_t, dataflow::SourceOutput& out) override {
      if (left_ == 0) return dataflow::Poll::done();
      --left_;
      dataflow::SourceBatch b{.split = 0, .batch = batch_, .produce_us = std::vector<TimeUs>(batch_->rows, 1)};
      SUPYO_TRY(out.emit(std::move(b)));
      return dataflow::Poll::more();
    }
    std::vector<dataflow::SplitPosition> positions() const override {
      std::vector<dataflow::SplitPosition> out;
      for (const auto& s : splits_) out.push_back({.split_id = s.id, .position = std::to_string(left_)});
      return out;
    }

   private:
    BatchPtr batch_;
    std::size_t left_;
    std::vector<dataflow::Split> splits_;
  };
  BatchPtr batch_;
  std::size_t batches_;
  std::uint32_t splits_;
};

class DroppingSink final : public dataflow::Sink {
 public:
  std::string_view name() const override { return "drop"; }
  DeliveryGuarantee guarantee() const override { return DeliveryGuarantee::kNone; }
  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen&) override {
    class Committer final : public dataflow::SinkCommitter {
      Result<dataflow::PolledCommit> poll_commit(Epoch, const std::vector<dataflow::CommitHandle>&) override {
        return dataflow::PolledCommit{.outcome = dataflow::CommitOutcome::kVisibleNow};
      }
    };
    return std::make_unique<Committer>();
  }
  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen&, std::uint32_t) override {
    class Writer final : public dataflow::SinkWriter {
      Status write(const BatchPtr&, Epoch) override { return ok(); }
      Status begin_prepare(Epoch) override { return ok(); }
      Result<dataflow::PolledPrepare> poll_prepare(Epoch) override { return dataflow::PolledPrepare{.done = true, .handle = {}}; }
    };
    return std::make_unique<Writer>();
  }
};

void run_job(benchmark::State& state) {
  const auto shards = static_cast<std::uint32_t>(state.range(0));
  const bool origins = state.range(1) != 0;
  std::vector<testkit::TestRow> rows;
  for (std::size_t i = 0; i < kRowsInBatch; ++i) rows.push_back({.key = static_cast<std::int64_t>(hash_u64(i) % 1000), .value = 1, .time = static_cast<TimeUs>(i), .produced = 1});
  const BatchPtr batch = testkit::batch_of(rows);
  constexpr std::size_t kBatches = 4000;
  env::RealEnv real;
  std::size_t done = 0;
  const std::clock_t before = std::clock();
  for (auto _ : state) {
    testkit::Topology t;
    dataflow::WatermarkSpec w;
    w.column = 2;
    w.edge = true;
    const auto source = t.source(std::make_shared<MemorySource>(batch, kBatches, shards), w);
    const auto probe = t.op("probe", testkit::factory_of<testkit::Probe>(testkit::Probe::Hooks{}));
    const auto sink = t.sink(std::make_shared<DroppingSink>());
    t.hash(source, probe).forward(probe, sink);
    t.graph().origins = origins;
    JobConfig c;
    c.parallelism = shards;
    auto runner = JobRunner::create(real.env(), t.take(), c);
    const auto result = (*runner)->run();
    if (!result) state.SkipWithError(result.error().to_string().c_str());
    done += kBatches * kRowsInBatch * shards;
  }
  const double cpu_s = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  state.counters["rows_per_cpu_s"] = static_cast<double>(done) / cpu_s;
  state.counters["ns_a_row"] = cpu_s * 1e9 / static_cast<double>(done);
}
BENCHMARK(run_job)->ArgNames({"shards", "origins"})->Args({1, 0})->Args({1, 1})->Args({2, 1})->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace supyo::runtime
