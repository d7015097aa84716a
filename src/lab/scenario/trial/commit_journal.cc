#include "lab/scenario/trial/commit_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace supyo::scenario {

Result<CommitJournal> CommitJournal::create(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(auto file, files.open(path, env::OpenMode::kCreateNew));
  return CommitJournal(std::move(file));
}

Status CommitJournal::line(char kind, std::uint64_t value) {
  const std::string text = fmt::format("{} {}\n", kind, value);
  SUPYO_TRY(file_->write_at(size_, text));
  size_ += text.size();
  return ok();
}

Status Life::read(std::string_view more) {
  rest_ += more;
  std::size_t at = 0;
  for (std::size_t end = rest_.find('\n'); end != std::string::npos; at = end + 1, end = rest_.find('\n', at)) {
    const std::string_view line = std::string_view(rest_).substr(at, end - at);
    std::uint64_t value = 0;
    const auto [last, error] = line.size() < 3 ? std::from_chars_result{line.data(), std::errc::invalid_argument} : std::from_chars(line.data() + 2, line.data() + line.size(), value);
    if (error != std::errc() || last != line.data() + line.size()) return fail(ErrorCode::kMalformedRecord, fmt::format("'{}' is no line of a journal", line));
    switch (line[0]) {
      case 'T': taken += value; break;
      case 'A': applied.push_back(value); break;
      case 'C': committed = value; break;
      default: return fail(ErrorCode::kMalformedRecord, fmt::format("'{}' is no line of a journal", line));
    }
  }
  rest_.erase(0, at);
  return ok();
}

std::vector<LifeEnd> count_ends(const std::vector<Life>& lives, const std::vector<bool>& acked) {
  std::vector<LifeEnd> ends(lives.empty() ? 0 : lives.size() - 1);
  std::vector<bool> seen(acked.size());
  const auto mark = [&](const Life& life) {
    std::uint64_t again = 0;
    for (const std::uint64_t id : life.applied) {
      if (id >= seen.size()) seen.resize(id + 1);
      again += seen[id] ? 1 : 0;
      seen[id] = true;
    }
    return again;
  };
  std::uint64_t committed = 0;
  for (std::size_t k = 0; k < lives.size(); ++k) {
    const std::uint64_t again = mark(lives[k]);
    if (k > 0) ends[k - 1].repeated = again;
    if (k >= ends.size()) continue;
    const Life& life = lives[k];
    ends[k].in_flight = life.taken - std::min<std::uint64_t>(life.taken, life.applied.size());
    // Of all lives so far: one that was short leaves behind what the one before it left.
    committed = std::max(committed, life.committed.value_or(0));
    if (committed < seen.size()) ends[k].uncommitted = static_cast<std::uint64_t>(std::count(seen.begin() + static_cast<std::ptrdiff_t>(committed), seen.end(), true));
  }
  if (ends.empty()) return ends;
  // A hole belongs to the end after which somebody began beyond it.
  std::size_t k = 0;
  for (std::uint64_t id = 0; id < acked.size(); ++id) {
    if (!acked[id] || seen[id]) continue;
    while (k + 1 < ends.size() && (lives[k + 1].applied.empty() || *std::ranges::min_element(lives[k + 1].applied) <= id)) ++k;
    ++ends[k].lost;
  }
  return ends;
}

}  // namespace supyo::scenario
