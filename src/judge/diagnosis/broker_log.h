#pragma once
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "judge/diagnosis/group_trail.h"

namespace supyo::diagnosis {

/// What a Kafka broker's log (server.log, log-cleaner.log) says of groups and topics and the admin API does not: why members left, and partitions that the cleaner gave up. Text from
/// outside: lines that are not understood are passed over, names are bounded, and only the last `kMost` events are kept. Plain memory, one thread.
class BrokerLog {
 public:
  static constexpr std::size_t kMost = 4096, kNameMost = 512;

  /// Any piece of a log, also one that begins or ends within a line. Lines without a date take that of the line before.
  void read(std::string_view text);
  /// Of a group, at or after `since`.
  std::vector<LeaveEvent> leaves(const std::string& group, TimeUs since) const;
  /// By topic.
  const std::map<std::string, int>& uncleanable() const { return uncleanable_; }

 private:
  void line(std::string_view text);
  struct Leave {
    std::string group;
    LeaveEvent event;
  };
  std::string rest_;
  TimeUs at_ = 0;
  std::deque<Leave> leaves_;
  std::map<std::string, int> uncleanable_;
};

}  // namespace supyo::diagnosis
