#pragma once
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "judge/slo/judge.h"
#include "judge/slo/seen.h"

namespace supyo::slo {

/// The judge's insides, shared by judge.cc (what the job reports), judge_evaluate.cc (each sample) and judge_state.cc (save and restore).
/// All calls hold Judge::mutex_.
struct Judge::Impl {
  Impl(const Objectives& declared, JudgeOptions opt);

  struct EpochInfo {
    TimeUs cut_us = kTimeMin;
    TimeUs final_us = kTimeMin;
    TimeUs watermark_us = kTimeMin;
    bool restored = false;                ///< it became durable in a process that is gone: nobody knows when
    // Counted when the epoch becomes visible, so that a restart that takes records again counts nothing twice.
    std::uint64_t taken = 0, behind = 0, dead = 0, dropped_late = 0;
    std::map<std::uint32_t, std::uint64_t> taken_by_split;
    std::map<std::uint32_t, std::uint64_t> shown_by_split;   ///< of them, what readers had before the epoch (PipelineShape::writers)
    std::map<std::uint32_t, std::uint64_t> shown_by_sink;    ///< rows of results, likewise
    std::vector<Counts> stream_lag;             ///< by objective; empty where none asks
    std::vector<std::uint64_t> identities;      ///< of the rows that the sinks were given
    std::uint64_t unchecked_identities = 0;     ///< of an epoch that was open when the process ended: counted, not compared
  };
  struct Split {
    TimeUs newest_visible_us = kTimeMin;  ///< an event ahead of time counts as of when it was seen
    TimeUs quiet_at_us = kTimeMin;
    TimeUs polled_us = kTimeMin;
    std::uint64_t committed_lag = 0, fetch_lag = 0;
    std::uint64_t committed_offset = 0;   ///< records acknowledged upstream since the start
    std::uint64_t read = 0;               ///< records taken, of those that count
    std::deque<std::pair<TimeUs, std::uint64_t>> ends;   ///< when asked, how many records the log had on the same count: their ages are known from then on
    std::uint64_t shown_before = 0;       ///< of the next records, so many were read before a restart, and readers had them then
    BurrowPartition burrow;
  };
  struct Ongoing {                        ///< hysteresis and hold times
    TimeUs since_us = kTimeMin;           ///< kTimeMin: not now
  };

  // judge.cc
  void finish_records(Epoch epoch, const EpochInfo& info, TimeUs now);
  void finish_rows(const PendingRecords::Chunk& chunk, const PendingRecords::Rows& rows, const EpochInfo& info, TimeUs now);
  void take_back(Epoch last_final);
  void finish_restored();
  std::uint64_t taken_after(Epoch epoch, std::uint32_t split) const;
  std::uint64_t shown_after(Epoch epoch, std::uint32_t split) const;
  void finish_results(Epoch epoch, TimeUs now);
  void count_finished(const PendingRecords::Chunk& chunk, const PendingRecords::Rows& rows, Reference reference, TimeUs now);
  void count_stream_lag(EpochInfo& info, const Taken& t);
  void count_lost(std::uint64_t n, TimeUs now);
  void count_tally(const EpochInfo& tally, TimeUs now);
  Split& split(std::uint32_t i);
  // judge_clock.cc
  void clock_went_back(TimeUs now);
  bool clock_went_forward(TimeUs now);
  void begin_anew(TimeUs now, std::string why);
  void note_delay(std::span<const TimeUs> produce_us, TimeUs now);
  void compare_delays(TimeUs now);
  void compare_clocks(std::span<const TimeUs> produce_us, TimeUs now);
  // judge_evaluate.cc
  void advance(TimeUs now);
  void sample(TimeUs now);
  void sample_freshness(TimeUs now);
  TimeUs nothing_left_since() const;
  void judge_objectives(TimeUs now);
  ObjectiveStatus status_of(std::size_t i, TimeUs now);
  Counts unfinished(std::size_t i, TimeUs now) const;
  Counts unread(DurationUs threshold, TimeUs now) const;
  DurationUs result_age(TimeUs now) const;
  Counts counted(std::size_t i, DurationUs window, TimeUs now);
  bool fires(std::size_t i, std::size_t alert, const ObjectiveStatus& s, TimeUs now);
  void update_state(TimeUs now);
  std::string oldest_split(const Objective& o) const;
  State target_state(TimeUs now, std::vector<std::string>& reasons);
  std::string burn_text(std::size_t i, const BurnAlert& a, const ObjectiveStatus& s, TimeUs now);
  void update_tickets(TimeUs now);
  void record(TimeUs now);
  // causes.cc
  std::vector<Cause> causes(TimeUs now) const;
  void stage_causes(TimeUs now, std::vector<Cause>& out) const;
  void remember(TimeUs now);
  bool silent(TimeUs now) const;
  double lag_committed(TimeUs now) const;
  double lag_fetched(TimeUs now) const;
  BurrowStatus burrow(TimeUs now) const;
  void note(TimeUs t, std::string what) { timeline.push_back({t, std::move(what)}); }

  const Objectives& objectives;
  JudgeOptions options;
  PipelineShape shape;
  bool running = false;
  bool clock_back = false;                ///< the clock is behind what was sampled last,
  TimeUs back_at_us = kTimeMin;           ///< since it was then, by itself
  bool stepped = false;                   ///< it went back, and judging goes on by it: since then it is compared with the clocks of producers
  Counts stamped;                         ///< since the last sample: good are stamped before now, bad after
  bool behind_producers = false;
  DurationUs ahead_us = INT64_MIN;        ///< by how much this clock is ahead of JudgeOptions::steady_us, the most that was seen since it was last set
  ClockStep forward;                      ///< how the clock was set forward last
  TimeUs forward_at_us = kTimeMin;        ///< ..when, by itself, until it is known whether it agrees with those that stamp the records: so long no age counts
  bool ahead_of_producers = false;        ///< it does not: records come as much older as it went
  std::string anew;                       ///< why judging began anew, until something is judged
  struct Delay {
    DurationUs sum_us = 0;
    std::int64_t takes = 0;
    DurationUs mean() const { return takes == 0 ? -1 : sum_us / takes; }
  };
  Delay delay;                            ///< from produced to taken, of the first record of each take since the last sample
  DurationUs usual_delay_us = 0;          ///< ..in the newest sample that had any
  bool unanswered = false;                ///< of some source it has not been known for unknown_after_us what it holds
  bool wants_results = false;             ///< some objective's reference is `completion`
  DurationUs unread_reach_us = 0;         ///< the longest threshold that records may pass before they are read
  std::vector<TimeUs> newest_result_us;   ///< visible, by sink
  std::vector<std::uint64_t> results_before;   ///< by sink: of its next rows, so many were written before a restart, and readers had them then
  TimeUs started_us = kTimeMin;
  TimeUs next_sample_us = kTimeMin;
  TimeUs upstream_known_us = kTimeMin;    ///< when the pipeline elsewhere was last known to have finished all, or not
  TimeUs upstream_done_us = kTimeMin;     ///< ..and had; kTimeMin: not, or not known
  TimeUs last_word_us = kTimeMin, last_taken_us = kTimeMin;
  TimeUs restored_us = kTimeMin;          ///< of the last word that what was restored knows of; until started()

  std::vector<SlotCounter> counters;      ///< one an objective
  std::vector<Counts> slices;             ///< ..samples of the time slice begun
  struct Exported {
    Counts before;                        ///< what was exported when the counters were last restored
    Counts restored;                      ///< their lifetime just then
  };
  std::vector<Exported> exported;         ///< one an objective
  std::vector<std::vector<Ongoing>> alerts;   ///< by objective and alert: since when its condition holds
  bool lags_wanted = false;               ///< some objective is about stream lag
  SeenIdentities seen;
  PendingRecords records, results;
  std::map<std::string, std::uint32_t, std::less<>> sinks;
  std::map<Epoch, EpochInfo> epochs;      ///< not visible yet
  struct Written {
    TimeUs taken_us = kTimeMin, watermark_us = kTimeMin;
  };
  std::map<std::uint32_t, Written> writers;   ///< what each has written so far
  std::uint64_t late_debt = 0;            ///< dropped-late records whose finish still counts as good
  Epoch last_cut, last_final, last_visible;
  TimeUs last_cut_us = kTimeMin, last_visible_us = kTimeMin;
  DurationUs epoch_duration_us = -1, commit_delay_us = -1, interval_us = -1;
  std::vector<Split> splits;
  Totals totals;
  std::uint64_t sample_in = 0, sample_out = 0;

  std::vector<ObjectiveStatus> status;
  State state = State::kUnknown;
  TimeUs state_since_us = 0, state_cause_us = kTimeMin;
  std::vector<std::string> reasons;
  std::vector<Ticket> tickets;
  TimeUs lost_us = kTimeMin;
  Ongoing raw_above, sink_slow, spike;
  std::deque<TimeUs> failures;            ///< failed epochs of the last ten minutes
  double fresh_s = -1, fresh_naive_s = -1;
  std::vector<DurationUs> split_ages_us;  ///< of the newest sample; empty while not known

  RollingSketch e2e, pipe, stream_lag, checkpoints;
  LatencySketch scratch_e2e, scratch_pipe;
  std::deque<std::pair<TimeUs, Waterfall>> waterfalls;
  Waterfall open_waterfall;
  Series series;
  std::vector<TimelineEvent> timeline;
  std::deque<Moment> moments;
};

}  // namespace supyo::slo
