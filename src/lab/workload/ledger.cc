#include "lab/workload/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace supyo::workload {

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAcknowledged: return "acknowledged";
    case Outcome::kFailed: return "failed";
    case Outcome::kUnknown: return "unknown";
  }
  return "?";
}

std::string id_ranges(std::span<const std::uint64_t> ids) {
  std::vector<std::uint64_t> sorted(ids.begin(), ids.end());
  std::ranges::sort(sorted);
  std::string out = "[";
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t end = i + 1;
    while (end < sorted.size() && sorted[end] <= sorted[end - 1] + 1) ++end;
    fmt::format_to(std::back_inserter(out), "{}[{},{}]", i == 0 ? "" : ",", sorted[i], sorted[end - 1]);
    i = end;
  }
  return out + "]";
}

Result<std::unique_ptr<Ledger>> Ledger::open(env::Files& files, const std::string& path) {
  std::unique_ptr<Ledger> ledger(new Ledger());
  if (path.empty()) return ledger;
  SUPYO_ASSIGN(ledger->file_, files.open(path, env::OpenMode::kCreateOrOpen));
  SUPYO_TRY(ledger->file_->truncate(0));
  return ledger;
}

Status Ledger::record(Outcome outcome, std::int32_t partition, std::span<const std::uint64_t> ids, std::string_view why) {
  if (ids.empty()) return ok();
  const std::lock_guard lock(mutex_);
  (outcome == Outcome::kAcknowledged ? counts_.acknowledged : outcome == Outcome::kFailed ? counts_.failed : counts_.unknown) += ids.size();
  if (!why.empty()) counts_.why[std::string(why)] += ids.size();
  if (file_ == nullptr) return ok();
  const std::string line = fmt::format("{{\"partition\":{},\"outcome\":\"{}\",\"count\":{},\"ids\":{}{}}}\n", partition, outcome_name(outcome), ids.size(), id_ranges(ids),
                                       why.empty() ? "" : fmt::format(",\"why\":\"{}\"", why));
  SUPYO_TRY(file_->write_at(written_, line));
  written_ += line.size();
  return ok();
}

Ledger::Counts Ledger::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace supyo::workload
