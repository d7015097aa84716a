#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "core/base/strong.h"

namespace supyo::diagnosis {

/// A member of a group as the coordinator tells it. `partitions`: those assigned to it, as positions in whatever list of partitions the caller has.
struct MemberLook {
  std::string id, client_id, host, instance_id;
  std::vector<std::uint32_t> partitions = {};
};

/// A group at one look.
struct GroupLook {
  TimeUs at = 0;
  std::string state = {};       ///< "Stable", "Empty", "PreparingRebalance", ..
  std::string assignor = {};    ///< "range", "cooperative-sticky", ..; empty: none, or not told
  std::vector<MemberLook> members = {};
};

/// Why a member left, as a broker's log or a client tells it; the admin API does not.
enum class LeaveReason : std::uint8_t { kUnknown, kPollTimeout, kSessionTimeout, kLeft };
struct LeaveEvent {
  TimeUs at = 0;
  std::string member;           ///< member id or client id
  LeaveReason reason = LeaveReason::kUnknown;
};

/// Who came and went in a group: the last look, and changes of the last while. Plain memory, one thread.
class GroupTrail {
 public:
  static constexpr DurationUs kRemembered = 30 * kMinute;
  static constexpr std::size_t kChangesMost = 256;

  struct Change {
    TimeUs at = 0;
    int joined = 0, left = 0;
    std::vector<std::string> rejoined = {};   ///< client ids (with host) that left and came back under a new member id since the look before
  };
  void observe(const GroupLook& look);
  bool empty() const { return looks_ == 0; }
  const GroupLook& last() const { return last_; }
  TimeUs first_at() const { return first_at_; }
  const std::deque<Change>& changes() const { return changes_; }
  /// Looks in which the group was rebalancing, of the last while; and looks at all in that time.
  int rebalancing_looks() const;
  int looks() const { return static_cast<int>(states_.size()); }
  /// How often a client (its id and host) came under another member id within the time remembered; the most of any.
  int most_rejoins() const;
  /// Different clients that came so.
  int clients_rejoined() const { return static_cast<int>(rejoins_.size()); }

 private:
  void forget(TimeUs before);

  GroupLook last_;
  TimeUs first_at_ = 0;
  std::uint64_t looks_ = 0;
  std::deque<Change> changes_;
  std::map<std::string, std::string> last_id_;   ///< client and host -> member id, of members that were seen
  std::map<std::string, int> rejoins_;
  struct State {
    TimeUs at = 0;
    bool rebalancing = false;
  };
  std::deque<State> states_;
};

/// "orders-app-7", "orders-app-12-consumer-3f0c..": the part that a fleet of instances shares ("orders-app").
/// Empty when nothing of it is shared, as of "consumer-billing-2", Java's own, or a hash.
std::string client_family(const std::string& client_id);

}  // namespace supyo::diagnosis
