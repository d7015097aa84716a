#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/base/result.h"
#include "core/env/env.h"
#include "lab/scenario/result.h"
#include "lab/scenario/stream/stream_scenario.h"
#include "lab/workload/generator.h"

namespace supyo::scenario {

/// When what an oracle reckons happened.
struct StreamSpan {
  TimeUs start_us = 0;                      ///< of the run
  TimeUs fault_us = 0, fault_end_us = 0;
};

/// Knows what one result must be, beyond ids and windows, from what was sent and from nothing that the engine has. One thread.
class StreamOracle {
 public:
  virtual ~StreamOracle() = default;
  /// A record that the log took, copies too.
  virtual void sent(const std::string& topic, const workload::GeneratedRecord& record, TimeUs now) = 0;
  /// A row that readers of the result have from `now` on.
  virtual void seen(const nlohmann::json& row, std::string_view text, TimeUs now) = 0;
  /// After the end. Counts carry the result's topic ("-" written "_") at their end.
  virtual void reckon(const StreamSpan& span, Arm& arm, std::vector<Trial>& trials) const = 0;
};

/// The oracle that a result asks for; null: none.
Result<std::unique_ptr<StreamOracle>> make_stream_oracle(const StreamScenario& scenario, const StreamResult& result);

/// A filter that forgets in two steps: what is put in is known for one to two generations. It says "known" of some things that it never saw, and what was taken for a copy is lost.
class BloomFilter {
 public:
  /// `bits` of each of its two halves.
  BloomFilter(std::uint64_t bits, std::uint32_t hashes, DurationUs generation_us) : hashes_(hashes), generation_us_(generation_us), now_(bits), before_(bits) {}
  /// Whether it takes `id` for known; knows it afterwards.
  bool known(std::uint64_t id, TimeUs now);
  std::uint64_t bytes() const { return (now_.size() + before_.size()) / 8; }

 private:
  std::uint32_t hashes_;
  DurationUs generation_us_;
  TimeUs turned_us_ = kTimeMin;
  std::vector<bool> now_, before_;
};

/// Copies of records, by their age: how many passed as new, and what a filter of bits would have made of the same input.
/// Counts: copies, leaked, missing, young_copies and old_copies (younger than `horizon`, older than `horizon` and `cleanup`), leaked_young, leaked_old, oldest_held, youngest_leaked (seconds), raw_duplicate_rate
/// (of what was sent), duplicate_rate (of what readers got), leak_share (of the copies); of the filter bloom_lost, bloom_leaked, bloom_loss (share of good records), bloom_duplicate_rate, bloom_bytes. Trials: age,
/// leak_share and copies of each fortieth of the ages up to twice the horizon.
class CopyOracle final : public StreamOracle {
 public:
  struct Options {
    DurationUs horizon_us = 0;              ///< how long a record is known
    DurationUs cleanup_us = 0;              ///< and how much longer it may be
    std::uint64_t bloom_bits = 0;           ///< 0: no filter
    std::uint32_t bloom_hashes = 4;
  };
  CopyOracle(const StreamResult& result, Options options);
  void sent(const std::string& topic, const workload::GeneratedRecord& record, TimeUs now) override;
  void seen(const nlohmann::json& row, std::string_view text, TimeUs now) override;
  void reckon(const StreamSpan& span, Arm& arm, std::vector<Trial>& trials) const override;

 private:
  struct Record {
    TimeUs first_us = 0, again_us = 0;      ///< sent; 0: never
    std::uint32_t sent = 0, seen = 0;
  };
  Record& at(std::uint64_t id);
  void ages(Arm& arm, std::vector<Trial>& trials, const std::string& end) const;

  const StreamResult& result_;
  Options options_;
  std::vector<Record> records_;             // by id
  std::unique_ptr<BloomFilter> bloom_;
  std::uint64_t sent_ = 0, distinct_ = 0, seen_ = 0, bloom_lost_ = 0, bloom_leaked_ = 0;
};

/// Records that are given a row of a table: which version of it was the one of the record's time, and which one the readers got, at first and in the end.
/// Counts, of records of the fault: joined (whose row the table had by then), missing, wrong, replaced (given out again), wrong_share with wrong_share_low and wrong_share_high (95 % interval of the mean over the keys),
/// wrong_share_at_last, wait_p50, wait_p95 (seconds from the record's event until it is visible first).
class VersionOracle final : public StreamOracle {
 public:
  /// Records of the first `settle_us` of the fault are left out.
  VersionOracle(const StreamResult& result, DurationUs settle_us) : result_(result), settle_us_(settle_us) {}
  void sent(const std::string& topic, const workload::GeneratedRecord& record, TimeUs now) override;
  void seen(const nlohmann::json& row, std::string_view text, TimeUs now) override;
  void reckon(const StreamSpan& span, Arm& arm, std::vector<Trial>& trials) const override;

 private:
  struct Record {
    TimeUs event_us = 0, visible_us = 0;
    std::string key;
    TimeUs first = kTimeMin, last = kTimeMin;   ///< versions, by the time of their change; kTimeMin: none
    std::uint32_t seen = 0;
  };
  TimeUs truth(const Record& record) const;

  const StreamResult& result_;
  DurationUs settle_us_;
  std::map<std::uint64_t, Record> records_;
  std::map<std::string, std::set<TimeUs>> versions_;
};

/// Alarms about bursts of errors: when each burst was told of, and what was told of that was none.
/// Counts: bursts, missed, alarms, false_alarms, delay_mean, delay_low, delay_high (95 % interval of the mean), delay_max (seconds from a burst's begin until readers have the alarm; of bursts in the fault, and
/// delay_mean_before and so on of those before). Trials: at and delay of each burst.
class AlarmOracle final : public StreamOracle {
 public:
  /// `seed` and how often there is a burst are the generator's.
  AlarmOracle(const StreamResult& result, std::uint64_t seed, DurationUs size_us, DurationUs bursts_us = 15 * kMinute) : result_(result), seed_(seed), size_us_(size_us), bursts_us_(bursts_us) {}
  void sent(const std::string&, const workload::GeneratedRecord& record, TimeUs) override { newest_us_ = std::max(newest_us_, record.event_us); }
  void seen(const nlohmann::json& row, std::string_view text, TimeUs now) override;
  void reckon(const StreamSpan& span, Arm& arm, std::vector<Trial>& trials) const override;

 private:
  struct Alarm {
    TimeUs from_us = 0, visible_us = 0;
  };
  const StreamResult& result_;
  std::uint64_t seed_;
  DurationUs size_us_, bursts_us_;
  TimeUs newest_us_ = kTimeMin;
  std::vector<Alarm> alarms_;
};

/// Counts by window that are given out with every record, by who knows no watermark and so never knows that a window is complete: what came after readers took a value must be marked in it.
/// Counts: windows, changed (had another value in the end than when readers took it), unmarked (changed, and not marked in the end), marked_in_vain (marked, and not changed), wrong (not what was sent).
class MarkOracle final : public StreamOracle {
 public:
  MarkOracle(const StreamResult& result, DurationUs size_us, DurationUs final_after_us) : result_(result), size_us_(size_us), final_after_us_(final_after_us) {}
  void sent(const std::string& topic, const workload::GeneratedRecord& record, TimeUs now) override;
  void seen(const nlohmann::json& row, std::string_view text, TimeUs now) override;
  void reckon(const StreamSpan& span, Arm& arm, std::vector<Trial>& trials) const override;

 private:
  struct Window {
    std::int64_t sent = 0, taken = 0, last = 0;   ///< taken: what readers had when they took it for final
    bool marked = false;
  };
  const StreamResult& result_;
  DurationUs size_us_, final_after_us_;
  std::map<std::pair<TimeUs, std::string>, Window> windows_;   // by start and key
};

}  // namespace supyo::scenario
