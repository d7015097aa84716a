#include "judge/diagnosis/group_trail.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace supyo::diagnosis {
namespace {

std::string client_key(const MemberLook& m) { return m.client_id + "\n" + m.host; }

bool varies(std::string_view part) {
  if (part.empty()) return true;
  const auto digits = std::ranges::count_if(part, [](unsigned char c) { return std::isdigit(c) != 0; });
  const bool hex = std::ranges::all_of(part, [](unsigned char c) { return std::isxdigit(c) != 0; });
  return digits == static_cast<std::ptrdiff_t>(part.size()) || (hex && part.size() >= 4 && digits > 0) || (digits > 0 && digits * 2 >= static_cast<std::ptrdiff_t>(part.size()));
}

}  // namespace

std::string client_family(const std::string& client_id) {
  std::string family;
  std::size_t begin = 0;
  while (begin <= client_id.size()) {
    const std::size_t end = std::min(client_id.find_first_of("-_.#@:/", begin), client_id.size());
    const std::string_view part(client_id.data() + begin, end - begin);
    if (varies(part) || part == "consumer" || part == "producer" || part == "StreamThread") break;
    if (!family.empty()) family += '-';
    family += part;
    begin = end + 1;
  }
  return family;
}

void GroupTrail::observe(const GroupLook& look) {
  if (looks_++ == 0) first_at_ = look.at;
  std::set<std::string> before, now;
  for (const MemberLook& m : last_.members) before.insert(m.id);
  for (const MemberLook& m : look.members) now.insert(m.id);
  Change change{.at = look.at};
  for (const MemberLook& m : look.members) {
    change.joined += before.contains(m.id) ? 0 : 1;
    std::string& id = last_id_[client_key(m)];
    // Several members of one client id and host cannot be told apart: then nobody is said to have come back.
    const bool alone = std::ranges::count_if(look.members, [&](const MemberLook& other) { return client_key(other) == client_key(m); }) == 1;
    if (looks_ > 1 && alone && !id.empty() && id != m.id) {
      change.rejoined.push_back(client_key(m));
      ++rejoins_[client_key(m)];
    }
    id = m.id;
  }
  for (const MemberLook& m : last_.members) change.left += now.contains(m.id) ? 0 : 1;
  if (looks_ > 1 && change.joined + change.left > 0) changes_.push_back(std::move(change));
  states_.push_back({look.at, look.state.find("ebalanc") != std::string::npos || look.state == "Reconciling" || look.state == "Assigning"});
  last_ = look;
  forget(look.at - kRemembered);
}

void GroupTrail::forget(TimeUs before) {
  while (!changes_.empty() && (changes_.front().at < before || changes_.size() > kChangesMost)) {
    for (const std::string& client : changes_.front().rejoined)
      if (const auto at = rejoins_.find(client); at != rejoins_.end() && --at->second <= 0) rejoins_.erase(at);
    changes_.pop_front();
  }
  while (!states_.empty() && states_.front().at < before) states_.pop_front();
  if (last_id_.size() > 4 * last_.members.size() + kChangesMost) {   // client ids that are new with each start do not fill the memory
    last_id_.clear();
    for (const MemberLook& m : last_.members) last_id_[client_key(m)] = m.id;
  }
}

int GroupTrail::rebalancing_looks() const {
  return static_cast<int>(std::ranges::count_if(states_, [](const State& s) { return s.rebalancing; }));
}

int GroupTrail::most_rejoins() const {
  int most = 0;
  for (const auto& [client, count] : rejoins_) most = std::max(most, count);
  return most;
}

}  // namespace supyo::diagnosis
