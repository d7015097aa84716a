#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "data/types/visibility.h"
#include "judge/slo/decision.h"
#include "judge/slo/lag_rules.h"
#include "judge/slo/latency_sketch.h"
#include "judge/slo/look.h"
#include "judge/slo/objective.h"
#include "judge/slo/pending.h"
#include "judge/slo/series.h"
#include "judge/slo/slot_counter.h"

namespace supyo::slo {

struct JudgeOptions {
  DurationUs sample_us = kSecond;           ///< how often freshness is sampled and everything is evaluated and recorded
  DurationUs warm_up_us = kMinute;          ///< no objective is judged before this much has been seen: UNKNOWN
  DurationUs unknown_after_us = 15 * kSecond;  ///< no word from the job for longer than this: UNKNOWN
  DurationUs clear_after_us = kMinute;      ///< hysteresis: a state is left for a better one after so long without its cause
  DurationUs now_view_us = kMinute;         ///< the short view beside each objective's own window
  bool results_of_another = false;          ///< what is read are the results of a pipeline elsewhere: that nothing comes is good only as far as upstream() tells
  std::function<TimeUs()> steady_us = {};   ///< time that nobody sets and that passes while the machine sleeps: tells a clock that is set forward from a stall; none: clocks are never set
  RawLagRule raw_lag{1e300, kMinute};       ///< threshold on committed lag, in records; the lab sets it from the baseline
};

/// Judges a running job by what the readers of its results experience.
///
/// Every number is exact under its threshold: at time t an objective over window W counts the records that became visible in [t - W, t) at their
/// latency, and the records that are taken and not yet visible at their age (percentiles over finished records alone go blind in a stall); so do those
/// that the log had and that are not even read, as far as lags() told of them. A record is finished at the first visible epoch that covers it and, where the plan holds rows, whose watermark at the cut reached its event time.
/// Thread-safe: the observer calls come from shard threads and the coordinator, the readers from anywhere. Time is only what the calls bring;
/// seconds that passed without a call are evaluated at the next one (`advance` brings a second without news).
class Judge final : public VisibilityObserver {
 public:
  Judge(Objectives objectives, JudgeOptions options);
  ~Judge() override;

  void started(const PipelineShape& shape, TimeUs now_us) override;
  void taken(const Taken& t) override;
  void dropped_late(Epoch epoch, std::uint64_t rows, TimeUs now_us) override;
  void sink_rows(Epoch epoch, std::string_view sink, std::span<const TimeUs> completion_event_us,
                 std::span<const TimeUs> completion_produce_us, TimeUs now_us) override;
  void written(std::uint32_t writer, TimeUs taken_us, TimeUs watermark_us, TimeUs now_us) override;
  void sink_identities(Epoch epoch, std::span<const std::uint64_t> hashes) override;
  void epoch_cut(Epoch epoch, TimeUs watermark_us, TimeUs now_us) override;
  void epoch_final(Epoch epoch, TimeUs now_us) override;
  void epoch_visible(Epoch epoch, TimeUs now_us) override;
  void epoch_failed(Epoch epoch, TimeUs now_us) override;
  void lags(std::uint32_t split, std::uint64_t committed_lag, std::uint64_t fetch_lag, bool quiet, TimeUs now_us) override;
  std::string save(Epoch last) override;
  /// Bytes that do not fit these objectives (the file was edited) are left aside: judging starts anew, and the timeline says so.
  void restore(std::string_view bytes) override;

  /// Records that are known to be gone (below the log's start), or found twice at the sink: from a ledger or a reader, not from the job itself.
  void count_lost(std::uint64_t records, TimeUs now_us);
  void count_duplicates(std::uint64_t records, TimeUs now_us);
  /// The job is gone, by who watches its process: what is in no durable epoch will be read again. lags() may come from outside meanwhile (with fetched = committed), so that
  /// readers who wait are not UNKNOWN. started() when it is back.
  void stopped(TimeUs now_us);
  /// Of the pipeline whose results are read (JudgeOptions::results_of_another): whether, when it was asked, it had committed all that was in its input; none: that was not to be known.
  void upstream(std::optional<bool> finished, TimeUs asked_us);
  /// Evaluates up to `now` though nothing was reported.
  void advance(TimeUs now_us);
  /// The job came to its end: what was counted since the last sample is judged, too. Nothing may be reported afterwards.
  void ended(TimeUs now_us);
  /// The threshold of the raw lag rule, once its baseline is known.
  void set_raw_lag_rule(RawLagRule rule);

  struct Totals {
    std::uint64_t taken = 0, dead = 0, behind = 0, dropped_late = 0, finished = 0, sink_rows = 0, lost = 0, duplicates = 0;
    std::uint64_t epochs = 0, epochs_failed = 0, restarts = 0, unfinished = 0;
  };
  Totals totals() const;
  Decision decision() const;
  std::vector<ObjectiveStatus> objectives() const;
  const Objectives& declared() const { return objectives_; }
  /// Copies of what was recorded so far.
  Series series() const;
  std::vector<TimelineEvent> timeline() const;
  /// Latency quantiles (by record) of what became visible in (from, to], at most an hour ago; -1 where nothing did.
  std::vector<DurationUs> latency_quantiles(TimeUs from_us, TimeUs to_us, const std::vector<double>& qs, LatencyClock clock = LatencyClock::kEvent) const;
  /// The same of stream lag (taken in less event; only where an objective asks for it), and of epochs from cut to durable.
  std::vector<DurationUs> stream_lag_quantiles(TimeUs from_us, TimeUs to_us, const std::vector<double>& qs) const;
  std::vector<DurationUs> checkpoint_quantiles(TimeUs from_us, TimeUs to_us, const std::vector<double>& qs) const;
  /// As of the last sample; empty while nobody knows.
  struct Freshness {
    std::optional<double> proved_s;  ///< of the worst split; one that was polled to its end with nothing unfinished is current
    std::vector<double> by_split_s;  ///< the same of each source split, by its number
    std::optional<double> naive_s;   ///< now less the newest visible event time of all
    double unfinished_age_s = 0;     ///< of the oldest unfinished record, by its produce time
  };
  Freshness freshness() const;
  Waterfall waterfall(TimeUs from_us, TimeUs to_us) const;
  /// What was recorded over a range, in steps: for people who look back. `range.to_us` above `from_us`, `step_us` above 0.
  Look look(const Range& range) const;
  /// Why readers wait, the worst first, as of the newest sample. While all is well it names what takes longer than usual.
  std::vector<Cause> causes() const;
  /// When judging began, and the newest sample; kTimeMin and 0 before.
  TimeUs started_us() const;
  TimeUs sampled_us() const;

 private:
  struct Impl;
  Objectives objectives_;
  mutable std::mutex mutex_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace supyo::slo
