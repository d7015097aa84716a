#include "judge/diagnosis/broker_log.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace supyo::diagnosis {
namespace {

constexpr DurationUs kSameEvent = 5 * kSecond;   // brokers tell of one departure in two lines
constexpr std::size_t kLineMost = 64 << 10;

/// What stands between `before` and the first of `ends` after it; empty when there is none such.
std::string_view between(std::string_view text, std::string_view before, std::string_view ends) {
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = at + before.size(), end = text.find_first_of(ends, begin);
  const std::string_view found = text.substr(begin, end == std::string_view::npos ? std::string_view::npos : end - begin);
  return found.size() <= BrokerLog::kNameMost ? found : std::string_view{};
}

/// "[2024-05-06 07:08:09,123] INFO ..": Kafka's own layout. The broker's local time is taken for UTC, as it is in containers.
std::optional<TimeUs> date_of(std::string_view line) {
  if (line.size() < 25 || line[0] != '[' || line[5] != '-' || line[11] != ' ' || line[14] != ':') return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t length) {
    int v = -1;
    std::from_chars(line.data() + at, line.data() + at + length, v);
    return v;
  };
  const int year = number(1, 4), month = number(6, 2), day = number(9, 2), hour = number(12, 2), minute = number(15, 2), second = number(18, 2), milli = number(21, 3);
  if (year < 1970 || month < 1 || month > 12 || day < 1 || hour < 0 || minute < 0 || second < 0 || milli < 0) return std::nullopt;
  // Days from the civil date (proleptic Gregorian), with the year beginning in March.
  const int y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400, of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t days = static_cast<std::int64_t>(era) * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
  return ((days * 24 + hour) * 60 + minute) * kMinute + second * kSecond + milli * kMillisecond;
}

/// Brokers before 4.0 (GroupCoordinator) say "group NAME in state", "in group NAME has failed", "has left group NAME through"; later ones begin with "[GroupId NAME]".
std::string_view group_of(std::string_view line) {
  for (const std::string_view before : {"[GroupId ", "[Group "})
    if (const auto g = between(line, before, "]"); !g.empty()) return g;
  for (const auto& [before, after] : {std::pair<std::string_view, std::string_view>{"rebalance group ", " in state"}, {" in group ", " has failed"}, {" in group ", " has left"}, {"has left group ", " through"}}) {
    const std::size_t at = line.find(before);
    if (at == std::string_view::npos) continue;
    const std::size_t begin = at + before.size(), end = line.find(after, begin);
    if (end != std::string_view::npos && end > begin && end - begin <= BrokerLog::kNameMost) return line.substr(begin, end - begin);
  }
  return {};
}

std::string_view member_of(std::string_view line) {
  for (const auto& [before, ends] : {std::pair<std::string_view, std::string_view>{"memberId=", ",)"}, {"emoving member ", " )"}, {"ember ", " "}})
    if (const auto m = between(line, before, ends); !m.empty()) return m;
  return {};
}

}  // namespace

void BrokerLog::read(std::string_view text) {
  rest_ += text;
  std::size_t begin = 0;
  for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
    line(std::string_view(rest_).substr(begin, end - begin));
    begin = end + 1;
  }
  rest_.erase(0, begin);
  if (rest_.size() > kLineMost) rest_.clear();
}

void BrokerLog::line(std::string_view text) {
  if (const auto at = date_of(text)) at_ = *at;
  if (text.find("uncleanable") != std::string_view::npos && text.find("arking") != std::string_view::npos) {
    // "Marking its partition (NAME-3) as uncleanable", "Marking partition NAME-3 in DIR as uncleanable"; behind the last hyphen is the partition's number.
    const std::string_view bracketed = between(text, "partition (", ")"), partition = bracketed.empty() ? between(text, "partition ", " ") : bracketed;
    const std::size_t hyphen = partition.rfind('-');
    if (hyphen != std::string_view::npos && uncleanable_.size() < kMost) ++uncleanable_[std::string(partition.substr(0, hyphen))];
    return;
  }
  LeaveReason reason = LeaveReason::kUnknown;
  if (text.find("poll timeout has expired") != std::string_view::npos) reason = LeaveReason::kPollTimeout;
  else if (text.find("heartbeat expiration") != std::string_view::npos || text.find("has failed, removing") != std::string_view::npos || text.find("session expired") != std::string_view::npos) reason = LeaveReason::kSessionTimeout;
  else if (text.find("LeaveGroup") != std::string_view::npos) reason = LeaveReason::kLeft;
  else return;
  const std::string_view group = group_of(text), member = member_of(text);
  if (group.empty()) return;
  for (auto earlier = leaves_.rbegin(); earlier != leaves_.rend() && at_ - earlier->event.at <= kSameEvent; ++earlier) {
    if (earlier->group != group || earlier->event.member != member) continue;
    if (earlier->event.reason == LeaveReason::kLeft) earlier->event.reason = reason;   // the other line tells more
    return;
  }
  leaves_.push_back({std::string(group), {.at = at_, .member = std::string(member), .reason = reason}});
  if (leaves_.size() > kMost) leaves_.pop_front();
}

std::vector<LeaveEvent> BrokerLog::leaves(const std::string& group, TimeUs since) const {
  std::vector<LeaveEvent> all;
  for (const Leave& l : leaves_)
    if (l.group == group && l.event.at >= since) all.push_back(l.event);
  return all;
}

}  // namespace supyo::diagnosis
