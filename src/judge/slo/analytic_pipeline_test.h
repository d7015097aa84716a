#pragma once
#include <algorithm>
#include <functional>
#include <vector>

#include "judge/slo/judge.h"

namespace supyo::slo {

/// For tests only: what a job with interval I, epoch duration D, commit delay C(t) and watermark bound B reports to the judge, computed on paper:
/// one record every 1/tps seconds, event time = produce time = when it is taken.
struct AnalyticPipeline {
  std::int64_t tps = 200;
  DurationUs interval_us = 3 * kSecond;
  DurationUs epoch_us = 20 * kMillisecond;
  DurationUs bound_us = kSecond;
  std::function<DurationUs(TimeUs)> commit_delay_us = [](TimeUs) { return DurationUs{0}; };
  std::function<DurationUs(TimeUs)> set_back_us = [](TimeUs) { return DurationUs{0}; };   ///< by how much the clock is behind time

  mutable TimeUs steady_us = 0;   ///< time that nobody sets

  void run(Judge& judge, TimeUs from, TimeUs until) const {
    steady_us = from;
    judge.started({.holds_until_watermark = true, .source_splits = 1}, from);
    std::int64_t epoch = 1;
    std::vector<TimeUs> batch;
    TimeUs cut_at = from + interval_us;
    TimeUs final_at = kTimeMax, visible_at = kTimeMax;
    TimeUs newest = kTimeMin;
    std::uint64_t unacknowledged = 0, in_epoch = 0;
    bool visible = true;
    const DurationUs step = kSecond / tps;
    const auto clock = [&](TimeUs t) { return t - set_back_us(t); };
    for (TimeUs t = from; t < until; t += step) {
      steady_us = t;
      batch.assign(1, clock(t));
      newest = clock(t);
      judge.taken({.epoch = Epoch{epoch}, .split = 0, .event_us = batch, .produce_us = batch, .now_us = clock(t)});
      ++unacknowledged;
      ++in_epoch;
      if (t >= final_at) {
        judge.epoch_final(Epoch{epoch - 1}, clock(t) - (t - final_at));
        visible_at = final_at + commit_delay_us(final_at);
        final_at = kTimeMax;
        unacknowledged = in_epoch;
      }
      if (t >= visible_at) {
        judge.epoch_visible(Epoch{epoch - 1}, clock(t) - (t - visible_at));
        visible_at = kTimeMax;
        visible = true;
      }
      if (t >= cut_at && visible) {
        judge.epoch_cut(Epoch{epoch}, newest - bound_us, clock(t));
        final_at = t + epoch_us;
        cut_at = t + interval_us;
        ++epoch;
        visible = false;
        in_epoch = 0;
      }
      if (t % kSecond == 0) judge.lags(0, unacknowledged, 0, true, clock(t));
    }
    steady_us = until;
    judge.advance(clock(until));
  }
};

/// Document 000's three objectives, as the example ships them.
inline Objectives document_000() {
  Objectives o;
  Objective latency;
  latency.name = "end-to-end-latency";
  latency.threshold_us = 5 * kSecond;
  latency.target = 0.95;
  Objective fresh;
  fresh.name = "freshness";
  fresh.measure = Measure::kFreshness;
  fresh.threshold_us = 30 * kSecond;
  fresh.target = 0.99;
  Objective success;
  success.name = "processing-success";
  success.measure = Measure::kProcessingSuccess;
  success.clock = LatencyClock::kProduce;
  success.threshold_us = 30 * kSecond;
  success.target = 0.999;
  o.items = {latency, fresh, success};
  return o;
}

}  // namespace supyo::slo
