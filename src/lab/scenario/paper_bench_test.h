#pragma once
#include <algorithm>
#include <deque>
#include <set>
#include <vector>

#include "core/base/duration.h"
#include "lab/scenario/bench.h"

namespace supyo::scenario {

/// For tests only: a pipeline on paper, so that the lab's own rules can be tested without an engine. Epochs, watermark, commit and lags as the
/// contracts say; faults that a real pipeline must not have can be planted.
struct PaperBench final : Bench {
  PaperBench() = default;
  explicit PaperBench(bool PaperBench::*planted) { this->*planted = true; }
  bool loses_records = false;
  bool never_drains = false;
  bool rejects_some = false;

  struct Pipeline final : PipelineUnderTest {
    Pipeline(const ArmSetup& s, const PaperBench& b) : setup(s), bench(b), interval(parse_duration(s.settings.at("execution.checkpointing.interval")).value()) {
      setup.observer.started({.holds_until_watermark = true, .source_splits = 1}, now());
      cut_at = now() + interval;
      lags_at = now();
    }
    TimeUs now() const { return setup.env.clock.now_us(); }

    Status append(std::span<const workload::GeneratedRecord> records) override {
      if (bench.rejects_some && ++calls % 1000 == 0) return fail(ErrorCode::kIo, "planted");
      std::vector<TimeUs> event, produce;
      for (const auto& r : records) {
        event.push_back(r.event_us);
        produce.push_back(r.due_us);
        newest = std::max(newest, r.event_us);
        if (bench.loses_records && r.id % 50'000 == 0) continue;
        waiting.push_back({epoch, r.event_us, r.id});
      }
      setup.observer.taken({.epoch = Epoch{epoch}, .split = 0, .event_us = event, .produce_us = produce, .now_us = now()});
      since_cut += records.size();
      unacknowledged += records.size();
      return ok();
    }
    Result<Step> step() override {
      const TimeUs t = now();
      if (t >= lags_at) {
        setup.observer.lags(0, unacknowledged, 0, true, t);
        lags_at = t + kSecond;
      }
      if (final_at != kTimeMax && t >= final_at) {
        setup.observer.epoch_final(Epoch{epoch - 1}, t);
        final_at = kTimeMax;
        unacknowledged = since_cut;
        const FaultDecision d = setup.faults.at("iceberg.commit.before", t);
        visible_at = t + setup.sink_commit_us + d.delay_us;
      }
      if (visible_at != kTimeMax && t >= visible_at) {
        setup.observer.epoch_visible(Epoch{epoch - 1}, t);
        std::erase_if(waiting, [&](const Row& r) {
          if (r.epoch >= epoch || r.event > watermark) return false;
          ids.insert(r.id);
          ++rows;
          return true;
        });
        visible_at = kTimeMax;
        if (draining && last) return Step{Step::State::kDone};
      }
      if (final_at == kTimeMax && visible_at == kTimeMax && (t >= cut_at || draining) && !bench_stuck()) {
        watermark = draining ? kTimeMax : newest - kSecond;
        setup.observer.epoch_cut(Epoch{epoch}, watermark, t);
        ++epoch;
        since_cut = 0;
        final_at = t + setup.journal_sync_us;
        cut_at = t + interval;
        last = draining;
      }
      return Step{Step::State::kWaiting, std::min({lags_at, final_at, visible_at, final_at == kTimeMax && visible_at == kTimeMax ? cut_at : kTimeMax})};
    }
    bool bench_stuck() const { return bench.never_drains && draining; }
    void drain() override { draining = true; }
    Result<std::uint64_t> readable_rows() override { return rows; }
    Result<Applied> applied() override { return Applied{rows, ids.size()}; }
    Status retain() override { return ok(); }

    struct Row {
      std::int64_t epoch;
      TimeUs event;
      std::uint64_t id;
    };
    ArmSetup setup;
    const PaperBench& bench;
    DurationUs interval;
    std::deque<Row> waiting;
    std::set<std::uint64_t> ids;
    std::uint64_t rows = 0, unacknowledged = 0, since_cut = 0, calls = 0;
    std::int64_t epoch = 1;
    TimeUs newest = kTimeMin, watermark = kTimeMin, cut_at = 0, final_at = kTimeMax, visible_at = kTimeMax, lags_at = 0;
    bool draining = false, last = false;
  };

  Result<std::unique_ptr<PipelineUnderTest>> start(const ArmSetup& setup) override { return std::make_unique<Pipeline>(setup, *this); }
  std::map<std::string, std::string> versions() const override { return {{"paper", "1"}}; }
};

}  // namespace supyo::scenario
