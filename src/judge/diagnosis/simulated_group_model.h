#pragma once
#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "judge/diagnosis/causes.h"

namespace supyo::diagnosis {

/// A consumer group that reads, second by second: members with a speed, assignment, rebalances that stop what their protocol stops, commits. It knows nothing of the diagnosis; what
/// can be seen from outside (offsets, members) is looked at now and then, with what clients tell where they do.
class SimulatedGroup {
 public:
  struct Member {
    std::string id, client_id, host, instance_id = {};
    double speed = 0;                 ///< records a second
    double cpu_share = 0.9;
    bool hangs = false, away = false; ///< away: the process is down
    std::string topic = {};           ///< reads only this topic (of several applications in one group); empty: all
    double did = 0, read_rate = 0;    ///< this second; of the last minute
    double busy = 0;
  };
  struct Partition {
    std::string topic;
    std::int32_t id = 0;
    double append = 0, end = 0, position = 0, committed = 0, log_start = 0;
    int owner = -1;
    bool moved = false;
  };

  explicit SimulatedGroup(std::uint64_t seed) : dice_(seed) {}
  
  double uniform(double a, double b) { return std::uniform_real_distribution<double>(a, b)(dice_); }
  int between(int a, int b) { return std::uniform_int_distribution<int>(a, b)(dice_); }

  std::vector<Member> members;
  std::vector<Partition> partitions;
  std::string assignor = "range";
  double commit_every_s = 5;
  double rebalance_s = 6;
  bool commits_at_once = false;       ///< all partitions in the same second, as at a checkpoint
  bool commits = true;
  double static_timeout_s = 1e9;      ///< a static member that is away keeps its partitions for so long
  TimeUs now = 1'700'000'000LL * kSecond;

  void begin() {
    for (Partition& p : partitions) p.end = p.position = p.committed = uniform(0, 1e6);
    assign();
  }
  void leave(int m) {
    members[static_cast<std::size_t>(m)].away = true;
    if (members[static_cast<std::size_t>(m)].instance_id.empty()) rebalance();
  }
  /// Comes back under a new member id.
  void join(int m) {
    Member& member = members[static_cast<std::size_t>(m)];
    member.away = false;
    member.id = fmt::format("{}-{:08x}", member.client_id, dice_());
    rebalance();
  }
  void rebalance() {
    const std::vector<Partition> before = partitions;
    assign();
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      partitions[i].moved = assignor != "cooperative-sticky" || partitions[i].owner != before[i].owner;
      if (partitions[i].moved && partitions[i].owner != before[i].owner) partitions[i].position = partitions[i].committed;
    }
    rebalancing_until_ = now + static_cast<DurationUs>(rebalance_s * kSecond);
  }

  /// One second.
  void step() {
    now += kSecond;
    ++second_;
    const bool stopped = now < rebalancing_until_;
    for (Member& m : members) m.did = 0;
    for (Partition& p : partitions) p.end += std::poisson_distribution<int>(p.append)(dice_);
    for (std::size_t m = 0; m < members.size(); ++m) {
      Member& member = members[m];
      if (member.hangs || member.away) {
        member.busy *= 0.95;
        member.read_rate *= 0.95;
        continue;
      }
      double budget = member.speed * uniform(0.9, 1.1);
      std::vector<Partition*> mine;
      for (Partition& p : partitions)
        if (p.owner == static_cast<int>(m) && !(stopped && p.moved)) mine.push_back(&p);
      // Fair between its partitions, what one does not need the others get.
      std::ranges::sort(mine, {}, [](const Partition* p) { return p->end - p->position; });
      for (std::size_t i = 0; i < mine.size(); ++i) {
        const double take = std::min(budget / static_cast<double>(mine.size() - i), mine[i]->end - mine[i]->position);
        mine[i]->position += take;
        budget -= take;
        member.did += take;
      }
      member.busy = 0.95 * member.busy + 0.05 * std::min(1.0, member.did / member.speed);
      member.read_rate = 0.95 * member.read_rate + 0.05 * member.did;
    }
    for (std::size_t i = 0; commits && i < partitions.size(); ++i) {
      Partition& p = partitions[i];
      const double phase = commits_at_once ? 0 : static_cast<double>(p.owner);
      const bool alive = p.owner >= 0 && !members[static_cast<std::size_t>(p.owner)].hangs && !members[static_cast<std::size_t>(p.owner)].away;
      if (alive && std::fmod(static_cast<double>(second_) + phase, commit_every_s) < 1) p.committed = std::floor(p.position);
    }
  }

  GroupLook look() const {
    GroupLook l{.at = now, .state = now < rebalancing_until_ ? "PreparingRebalance" : "Stable", .assignor = assignor};
    for (std::size_t m = 0; m < members.size(); ++m) {
      if (members[m].away && members[m].instance_id.empty()) continue;
      MemberLook member{.id = members[m].id, .client_id = members[m].client_id, .host = members[m].host, .instance_id = members[m].instance_id};
      for (std::size_t p = 0; p < partitions.size(); ++p)
        if (partitions[p].owner == static_cast<int>(m)) member.partitions.push_back(static_cast<std::uint32_t>(p));
      l.members.push_back(std::move(member));
    }
    if (l.members.empty()) l.state = "Empty";
    return l;
  }
  OffsetSample sample(std::size_t p) const {
    const Partition& q = partitions[p];
    return {.at = now, .log_start = static_cast<std::int64_t>(q.log_start), .end = static_cast<std::int64_t>(q.end), .committed = static_cast<std::int64_t>(q.committed)};
  }
  std::vector<ClientStatistics> statistics() {
    std::vector<ClientStatistics> all;
    for (const Member& m : members)
      if (!m.away) all.push_back({.client_id = m.client_id, .busy_share = std::min(1.0, m.busy * uniform(0.97, 1.03)), .cpu_share = std::clamp(m.cpu_share + uniform(-0.05, 0.05), 0.0, 1.0), .records_per_s = m.read_rate});
    return all;
  }

 private:
  void assign() {
    std::vector<int> here;
    for (std::size_t m = 0; m < members.size(); ++m)
      if (!members[m].away || !members[m].instance_id.empty()) here.push_back(static_cast<int>(m));
    std::size_t next = 0;
    std::vector<std::size_t> held(members.size());
    const std::size_t most = here.empty() ? 0 : (partitions.size() + here.size() - 1) / here.size();
    for (Partition& p : partitions) {
      std::vector<int> able;
      for (const int m : here)
        if (members[static_cast<std::size_t>(m)].topic.empty() || members[static_cast<std::size_t>(m)].topic == p.topic) able.push_back(m);
      const bool keep = assignor == "cooperative-sticky" && std::ranges::find(able, p.owner) != able.end() && held[static_cast<std::size_t>(p.owner)] < most;
      if (!keep && assignor == "cooperative-sticky" && !able.empty()) p.owner = *std::ranges::min_element(able, {}, [&](int m) { return held[static_cast<std::size_t>(m)]; });
      else if (!keep) p.owner = able.empty() ? -1 : able[next++ % able.size()];
      if (p.owner >= 0) ++held[static_cast<std::size_t>(p.owner)];
    }
  }

  std::mt19937_64 dice_;
  std::uint64_t second_ = 0;
  TimeUs rebalancing_until_ = 0;
};

}  // namespace supyo::diagnosis
