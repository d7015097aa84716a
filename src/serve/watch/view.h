#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/base/strong.h"
#include "judge/diagnosis/loss_ledger.h"

/// Looking at topics and consumer groups that somebody else runs.
namespace supyo::watch {

struct PartitionView {
  std::int32_t id = 0;
  std::int64_t log_start = 0;          ///< first offset that can still be read
  std::int64_t end = 0;                ///< high watermark
  std::int64_t bytes = -1;             ///< of its segment files; -1: not told
  double rate = 0;                     ///< records a second that came, by the tracker
};

struct TopicView {
  std::string name;
  std::vector<PartitionView> partitions = {};
};

/// A group's place in one partition.
struct GroupPartitionView {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t committed = 0;          ///< next offset to read
  std::int64_t log_start = 0, end = 0; ///< of the partition
  // By the tracker:
  double rate = 0;                     ///< records a second by which `committed` moves
  std::uint64_t lost = 0;              ///< see Tracker
  std::optional<double> loss_in_s = {};   ///< at these rates the log start reaches the group in so long

  std::int64_t lag() const { return end > committed ? end - committed : 0; }
  /// How far the log start is behind the group; negative: that many offsets are gone and were not read.
  std::int64_t headroom() const { return committed - log_start; }
  std::int64_t gone() const { return log_start > committed ? log_start - committed : 0; }
};

struct GroupView {
  std::string name;
  std::string state = {};              ///< as Kafka names it: "Stable", "Empty"; empty: not told
  int members = -1;                    ///< -1: not told
  std::int64_t generation = -1;        ///< -1: not told
  std::vector<GroupPartitionView> partitions = {};
};

/// What was seen at one look.
struct View {
  std::string source;                  ///< "127.0.0.1:9092", or the log's directory
  bool embedded = false;               ///< Supyo's own log, and no Kafka behind it
  bool reachable = false;
  std::string problem = {};            ///< why not
  TimeUs at_us = 0;                    ///< wall clock
  DurationUs took_us = 0;
  std::vector<TopicView> topics = {};
  std::vector<GroupView> groups = {};
};

/// Makes of successive looks what no single one shows: rates, forecasts, and what a group lost. Plain memory; one thread.
///
/// Lost records are counted as judge/diagnosis does from outside (LossLedger); a consumer that counts its own jumps (`supyo consume`) knows exactly.
class Tracker {
 public:
  /// Fills in what the tracker knows. `now` is monotonic and does not go back.
  void observe(View& view, TimeUs now);

 private:
  struct Sample {
    TimeUs at = 0;
    std::int64_t moved = 0;            ///< committed, or the end of the log
    std::int64_t log_start = 0;
  };
  struct History {
    std::deque<Sample> samples = {};
    diagnosis::LossLedger ledger = {};
    bool seen = false;
  };
  using Key = std::tuple<std::string, std::string, std::int32_t>;   ///< group (empty: the topic itself), topic, partition
  History& note(const Key& key, Sample sample);

  std::map<Key, History> histories_;
};

}  // namespace supyo::watch
