#include "lab/scenario/group/member_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace supyo::scenario {

Result<MemberJournal> MemberJournal::create(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(auto file, files.open(path, env::OpenMode::kCreateNew));
  return MemberJournal(std::move(file));
}

Status MemberJournal::line(const std::string& text) {
  SUPYO_TRY(file_->write_at(size_, text));
  size_ += text.size();
  return ok();
}

Status MemberJournal::list(char kind, TimeUs at, const std::vector<std::int32_t>& partitions) { return line(fmt::format("{} {}{}{}\n", kind, at, partitions.empty() ? "" : " ", fmt::join(partitions, " "))); }
Status MemberJournal::slow(TimeUs last_poll, std::int32_t partition, std::int64_t offset) { return line(fmt::format("S {} {} {}\n", last_poll, partition, offset)); }
Status MemberJournal::done(TimeUs at, std::int32_t partition, std::int64_t offset, std::uint64_t id) { return line(fmt::format("D {} {} {} {}\n", at, partition, offset, id)); }
Status MemberJournal::committed(std::int32_t partition, std::int64_t next) { return line(fmt::format("C {} {}\n", partition, next)); }
Status MemberJournal::refused(TimeUs at, std::int32_t partition, std::int64_t next) { return line(fmt::format("F {} {} {}\n", at, partition, next)); }
Status MemberJournal::late(TimeUs at, std::uint64_t by_ms) { return line(fmt::format("X {} {}\n", at, by_ms)); }

namespace {

/// One line: its letter and its numbers.
struct Line {
  char kind = 0;
  std::vector<std::int64_t> numbers;
};

std::optional<Line> parse_line(std::string_view text) {
  if (text.empty()) return std::nullopt;
  Line line{.kind = text[0], .numbers = {}};
  for (text.remove_prefix(1); !text.empty();) {
    if (text[0] != ' ') return std::nullopt;
    std::int64_t n = 0;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), n);
    if (error != std::errc()) return std::nullopt;
    line.numbers.push_back(n);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  const std::size_t n = line.numbers.size();
  const bool fits = line.kind == '+' || line.kind == '-' ? n >= 1 : line.kind == 'S' || line.kind == 'F' ? n == 3 : line.kind == 'D' ? n == 4 : (line.kind == 'C' || line.kind == 'X') && n == 2;
  return fits ? std::optional(line) : std::nullopt;
}

class StoryReader {
 public:
  void take(const Line& l) {
    const auto& n = l.numbers;
    const auto partition = [&](std::size_t i) { return static_cast<std::int32_t>(n[i]); };
    switch (l.kind) {
      case '+':
      case '-': {
        MemberStory::Ownership o{.at = n[0], .assigned = l.kind == '+', .partitions = {}};
        for (std::size_t i = 1; i < n.size(); ++i) {
          o.partitions.push_back(partition(i));
          open_[partition(i)].clear();   // whoever has it next begins where it was committed
        }
        story_.ownership.push_back(std::move(o));
        break;
      }
      case 'S': story_.slow.push_back({.last_poll = n[0], .partition = partition(1), .offset = n[2]}); break;
      case 'D':
        story_.handled.push_back(static_cast<std::uint64_t>(n[3]));
        open_[partition(1)].insert(n[2]);
        ++unconfirmed_;
        if (!story_.slow.empty() && story_.slow.back().done == 0 && story_.slow.back().partition == partition(1) && story_.slow.back().offset == n[2]) story_.slow.back().done = n[0];
        break;
      case 'C': {
        auto& open = open_[partition(0)];
        const auto end = open.lower_bound(n[1]);
        for (auto it = open.begin(); it != end; ++it) --unconfirmed_;
        open.erase(open.begin(), end);
        break;
      }
      case 'F':
        ++story_.refused;   // while it keeps the partition, a later commit may be of these, too
        break;
      default: story_.late.push_back({.at = n[0], .by = n[1] * kMillisecond});
    }
  }
  MemberStory finish() {
    story_.uncommitted = unconfirmed_;
    return std::move(story_);
  }

 private:
  MemberStory story_;
  std::map<std::int32_t, std::set<std::int64_t>> open_;   // handled, and neither committed nor given up
  std::uint64_t unconfirmed_ = 0;
};

}  // namespace

Result<MemberStory> read_member_story(std::string_view text) {
  StoryReader reader;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; text.remove_prefix(end + 1), end = text.find('\n')) {
    const auto line = parse_line(text.substr(0, end));
    if (!line) return fail(ErrorCode::kMalformedRecord, fmt::format("'{}' is no line of a member's journal", text.substr(0, end)));
    reader.take(*line);
  }
  return reader.finish();
}

HandledCount count_handled(const std::vector<MemberStory>& members, const std::vector<bool>& acked) {
  std::vector<bool> seen(acked.size());
  HandledCount c;
  for (const MemberStory& m : members)
    for (const std::uint64_t id : m.handled) {
      if (id >= seen.size()) seen.resize(id + 1);
      ++(seen[id] ? c.repeated : c.distinct);
      seen[id] = true;
    }
  for (std::size_t id = 0; id < acked.size(); ++id) c.lost += acked[id] && !seen[id] ? 1 : 0;
  return c;
}

DurationUs longest_stall(const std::vector<MemberStory>& members) {
  DurationUs longest = 0;
  for (const MemberStory& m : members) {
    if (!m.slow.empty()) continue;
    std::set<std::int32_t> owned;
    TimeUs since = 0;   // 0: it has some, or has not had any yet
    for (const auto& o : m.ownership) {
      for (const std::int32_t p : o.partitions) {
        if (o.assigned) owned.insert(p);
        else owned.erase(p);
      }
      if (!owned.empty() && since != 0) longest = std::max(longest, o.at - since);
      if (!owned.empty()) since = 0;
      else if (!o.assigned && since == 0) since = o.at;
    }
  }
  return longest;
}

std::vector<DurationUs> unowned_times(const std::vector<MemberStory>& members, std::size_t member, TimeUs from) {
  std::set<std::int32_t> owned;
  for (const auto& o : members[member].ownership) {
    if (o.at > from) break;
    for (const std::int32_t p : o.partitions) {
      if (o.assigned) owned.insert(p);
      else owned.erase(p);
    }
  }
  std::vector<DurationUs> times;
  for (const std::int32_t p : owned) {
    TimeUs first = kTimeMax;
    for (std::size_t m = 0; m < members.size(); ++m)
      for (const auto& o : members[m].ownership)
        if (m != member && o.assigned && o.at > from && std::ranges::find(o.partitions, p) != o.partitions.end()) first = std::min(first, o.at);
    if (first != kTimeMax) times.push_back(first - from);
  }
  return times;
}

}  // namespace supyo::scenario
