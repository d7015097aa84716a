#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "judge/diagnosis/evidence.h"

namespace supyo::diagnosis {

/// What members tell of their own work, one JSON object a line, as they come:
///   {"group":"g","client_id":"c","at_ms":1718000000000,"busy_share":0.97,"cpu_share":0.05,"records_per_s":41.2,"poll_timeouts":0}
/// Shares and rates are of the time since the member's line before. Text from outside: what is not understood is passed over, names are bounded, and only the last `kMost` are kept. Plain memory, one thread.
class ClientLog {
 public:
  static constexpr std::size_t kMost = 65536, kNameMost = 512, kLineMost = 4096;

  /// Any piece of a log, also one that begins or ends within a line.
  void read(std::string_view text);
  /// Of a group's clients, the mean of what each told at or after `since`; poll timeouts are added up.
  std::vector<ClientStatistics> statistics(const std::string& group, TimeUs since) const;

 private:
  void line(std::string_view text);
  struct Told {
    std::string group;
    TimeUs at = 0;
    ClientStatistics statistics;
  };
  std::string rest_;
  std::deque<Told> told_;
};

}  // namespace supyo::diagnosis
