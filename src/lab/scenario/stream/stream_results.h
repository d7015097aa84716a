#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/partition_reader.h"
#include "judge/slo/series.h"
#include "lab/scenario/stream/stream_oracle.h"
#include "lab/scenario/stream/stream_scenario.h"
#include "lab/workload/generator.h"

namespace supyo::scenario {

/// Reads a topic as an application would: every partition, by polling.
class StreamRowReader {
 public:
  virtual ~StreamRowReader() = default;
  /// Calls `take` with every new record's value, if it has one; how many records there were.
  virtual Result<std::uint64_t> poll(const std::function<void(std::string_view value)>& take) = 0;
};

/// Of the embedded log. The topic may not be there yet.
class StreamTopicReader final : public StreamRowReader {
 public:
  StreamTopicReader(env::Files& files, std::string log_directory, std::string topic, bool uncommitted) : files_(&files), directory_(std::move(log_directory)), topic_(std::move(topic)), uncommitted_(uncommitted) {}
  Result<std::uint64_t> poll(const std::function<void(std::string_view value)>& take) override;

 private:
  env::Files* files_;
  std::string directory_, topic_;
  bool uncommitted_;
  std::vector<log::PartitionReader> readers_;
};

/// Each change of the input is to be in the result once.
class IdTruth {
 public:
  void sent(const workload::GeneratedRecord& record, TimeUs now);
  void seen(std::uint64_t id, TimeUs now);

  struct Change {
    TimeUs event_us = 0, sent_us = 0;    ///< sent 0: never
    TimeUs visible_us = 0;               ///< first; 0: never
    std::uint32_t copies = 0, applied = 0;
  };
  const std::vector<Change>& changes() const { return changes_; }
  std::uint64_t distinct() const { return distinct_; }
  std::uint64_t applied() const { return applied_; }
  std::uint64_t repeated() const { return repeated_; }   ///< beyond the first of each id
  std::uint64_t seen_ids() const { return seen_ids_; }
  std::uint64_t lost() const;                            ///< sent, never seen
  TimeUs newest_event_us() const { return newest_us_; }

 private:
  std::vector<Change> changes_;          // by id
  std::uint64_t distinct_ = 0, applied_ = 0, repeated_ = 0, seen_ids_ = 0;
  TimeUs newest_us_ = kTimeMin;
};

/// Each window is to hold as many records as were sent of its time. Knows windows from workload/window_truth.h and from nothing that the engine has.
class WindowTruth {
 public:
  WindowTruth(DurationUs size_us, std::string key) : size_us_(size_us), key_(std::move(key)) {}
  void sent(const workload::GeneratedRecord& record);
  void seen(TimeUs start_us, std::string key, std::int64_t value, TimeUs now);
  /// A record that the job says was too late for its window.
  void aside(TimeUs start_us, std::string key);

  struct Window {
    std::int64_t truth = 0, value = 0, first = 0, aside = 0;   ///< first: what was given out first
    std::uint32_t firings = 0;
    TimeUs first_us = 0;
  };
  const std::map<std::pair<TimeUs, std::string>, Window>& windows() const { return windows_; }
  const std::string& key() const { return key_; }
  DurationUs size_us() const { return size_us_; }
  std::uint64_t fired() const { return fired_; }          ///< windows (of all keys) that were given out at least once
  std::uint64_t updates() const { return updates_; }      ///< firings after the first
  std::int64_t missing() const { return missing_; }       ///< records sent by now that are not in the counts that readers have
  TimeUs newest_end_us() const { return newest_end_us_; } ///< of what was given out; kTimeMin before the first

 private:
  DurationUs size_us_;
  std::string key_;
  std::map<std::pair<TimeUs, std::string>, Window> windows_;
  std::map<TimeUs, TimeUs> starts_;                       // fired: start -> when first
  std::uint64_t fired_ = 0, updates_ = 0;
  std::int64_t missing_ = 0;
  TimeUs newest_end_us_ = kTimeMin;
};

/// What was sent beside what readers find. One thread.
class StreamTruth {
 public:
  using OpenReader = std::function<Result<std::unique_ptr<StreamRowReader>>(const StreamResult& result)>;
  /// `open_reader` is asked once for each result.
  static Result<StreamTruth> open(const StreamScenario& scenario, const OpenReader& open_reader);
  void sent(const std::string& topic, const workload::GeneratedRecord& record, TimeUs now);
  /// Reads what is there. Errors: of the log.
  Status poll(TimeUs now);
  /// After the end: rows of the `$late` tables of a job of ours.
  Status read_late(env::Files& files, const std::string& state_directory);

  struct Reading {
    const StreamResult* spec = nullptr;
    std::unique_ptr<StreamRowReader> reader;
    std::unique_ptr<IdTruth> ids;
    std::unique_ptr<WindowTruth> windows;
    std::unique_ptr<StreamOracle> oracle = nullptr;   ///< instead of the others
    std::multiset<std::string> rows = {};             ///< of an oracle's result, when the job is to be run again
  };
  const std::vector<Reading>& results() const { return results_; }
  std::uint64_t rows() const { return rows_; }            ///< read from all results
  std::uint64_t late_rows() const { return late_rows_; }  ///< read from all `$late` tables
  /// Newest event time (of windows: the newest end) that a reader has; kTimeMin: nothing yet.
  TimeUs newest_us() const;

 private:
  void take(Reading& r, std::string_view value, TimeUs now);
  bool keep_rows_ = false;
  std::vector<Reading> results_;
  std::uint64_t rows_ = 0, late_rows_ = 0;
};

/// How the readers of one result fared, second by second, after the run: e2e_p50, e2e_p95 and e2e_p99 over the last ten seconds (what is not visible yet enters at its age), and
/// the share of the last `window` that was not visible within `within`. Both include what is not finished, so a stall is not a blind spot.
struct ReaderSeries {
  std::vector<double> p50_s, p95_s, p99_s, bad_share;
};
ReaderSeries reader_series(const IdTruth& ids, TimeUs start_us, std::size_t seconds, DurationUs within_us, DurationUs window_us);

}  // namespace supyo::scenario
