#include "lab/scenario/group/group_watch.h"

#include <algorithm>
#include <set>

namespace supyo::scenario {
namespace {

constexpr DurationUs kOffsetsEvery = kSecond / 4;
constexpr DurationUs kPause = 5 * kMillisecond;
constexpr DurationUs kTimeout = 2 * kSecond;

}  // namespace

Result<std::unique_ptr<GroupWatch>> GroupWatch::start(const env::Env& env, Options options) {
  std::unique_ptr<GroupWatch> watch(new GroupWatch(env, std::move(options)));
  for (const auto& [name, topic] : watch->options_.groups) watch->groups_[name] = {};
  SUPYO_ASSIGN(watch->survey_, connect::KafkaSurvey::open(watch->options_.servers, kTimeout, [w = watch.get()] { return w->ended_.load(); }));
  watch->thread_ = env.threads->start("group-watch", [w = watch.get()] { w->work(); });
  return watch;
}

GroupWatch::~GroupWatch() {
  ended_ = true;
  if (thread_) thread_->join();
}

GroupWatch::Seen GroupWatch::seen(const std::string& group) const {
  const std::lock_guard lock(mutex_);
  return groups_.at(group).seen;
}

std::vector<GroupWatch::Change> GroupWatch::changes(const std::string& group) const {
  const std::lock_guard lock(mutex_);
  return groups_.at(group).changes;
}

void GroupWatch::work() {
  TimeUs offsets_us = 0;
  while (!ended_) {
    const TimeUs begin = env_.clock.monotonic_us();
    look();
    if (begin >= offsets_us) {
      look_at_offsets();
      offsets_us = begin + kOffsetsEvery;
    }
    const TimeUs next = begin + options_.every_us;
    while (!ended_ && env_.clock.monotonic_us() < next) env_.threads->idle(kPause);
  }
}

void GroupWatch::look() {
  std::vector<std::string> names;
  for (const auto& [name, topic] : options_.groups) names.push_back(name);
  const TimeUs asked = env_.clock.monotonic_us();
  const auto told = survey_->groups(names);
  const TimeUs answered = env_.clock.monotonic_us();
  if (!told) return;   // the next look spans more time, and says so
  const std::lock_guard lock(mutex_);
  for (const auto& g : *told) {
    Followed& f = groups_[g.name];
    std::map<std::string, std::size_t> members;
    for (const auto& m : g.members) members[m.client_id] = m.assigned.size();
    for (const auto& [client, assigned] : f.seen.members)
      if (!members.contains(client)) f.changes.push_back({.client = client, .came = false, .after_us = f.looked_us, .by_us = answered});
    for (const auto& [client, assigned] : members)
      if (!f.seen.members.contains(client)) f.changes.push_back({.client = client, .came = true, .after_us = f.looked_us, .by_us = answered});
    f.seen.members = std::move(members);
    f.seen.state = g.state;
    f.looked_us = asked;
  }
}

void GroupWatch::look_at_offsets() {
  std::vector<std::string> names;
  std::set<connect::KafkaSurvey::Place> each;   // groups may read the same topic
  for (const auto& [name, topic] : options_.groups) {
    names.push_back(name);
    for (std::int32_t p = 0; p < topic.second; ++p) each.emplace(topic.first, p);
  }
  const std::vector<connect::KafkaSurvey::Place> places(each.begin(), each.end());
  const TimeUs asked = env_.clock.monotonic_us();
  const auto committed = survey_->committed(names);
  const auto ends = survey_->ends(places);   // after the commits: what is caught up then, was
  if (!committed || !ends) return;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, topic] : options_.groups) {
    const auto offsets = committed->find(name);
    if (offsets == committed->end()) continue;
    Seen& seen = groups_[name].seen;
    seen.committed = seen.end = 0;
    seen.ends.clear();
    seen.caught_up = true;
    seen.offsets_us = asked;
    for (std::int32_t p = 0; p < topic.second; ++p) {
      const auto end = ends->find({topic.first, p});
      const auto at = offsets->second.find({topic.first, p});
      const std::int64_t done = at == offsets->second.end() ? 0 : at->second, all = end == ends->end() ? -1 : end->second.end;
      seen.committed += done;
      seen.end += std::max<std::int64_t>(0, all);
      seen.ends.push_back(std::max<std::int64_t>(0, all));
      seen.caught_up = seen.caught_up && done == all;
    }
  }
}

}  // namespace supyo::scenario
