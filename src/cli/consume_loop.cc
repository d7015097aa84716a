#include "cli/consume_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace supyo::cli {
namespace {

using connect::GroupEvent;

constexpr DurationUs kPoll = 100 * kMillisecond;
constexpr DurationUs kAnswerPoll = 20 * kMillisecond;
constexpr int kAnswerPolls = 30;                   // a broker that does not answer keeps nobody from going
constexpr DurationUs kSlice = 50 * kMillisecond;   // of a long sleep: how long a stop may go unnoticed

}  // namespace

// --- the results

Result<std::unique_ptr<ResultFile>> ResultFile::open(env::Files& files, const std::string& path, bool positions, const std::string& source) {
  std::unique_ptr<ResultFile> result(new ResultFile(files, path, source));
  SUPYO_ASSIGN(result->file_, files.open(path, env::OpenMode::kCreateOrOpen));
  SUPYO_ASSIGN(result->size_, result->file_->size());
  if (positions) SUPYO_TRY(result->read_positions());
  SUPYO_TRY(result->cut_torn_line());
  return result;
}

/// "source bytes\n", then "partition offset\n" for each.
Status ResultFile::read_positions() {
  const auto text = files_.read_all(path_ + ".position");
  const auto bad = [&](const std::string& what) { return fail(ErrorCode::kBadOptionValue, fmt::format("{}: {}", path_, what), "--commit txn keeps the position beside the results: give it a file of its own"); };
  if (!text && text.error().code != ErrorCode::kNotFoundOnDisk) return fail(text.error());
  if (!text && size_ > 0) return bad("it has records, and no position is kept beside it");
  if (!text) return write_positions();   // before the first record: a kill ahead of the first commit leaves a file that can be told from somebody else's
  std::string_view rest = *text;
  const auto number = [&](auto& value, char end) {
    const auto [at, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    const bool good = error == std::errc() && at != rest.data() + rest.size() && *at == end;
    if (good) rest.remove_prefix(static_cast<std::size_t>(at - rest.data()) + 1);
    return good;
  };
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos || rest.substr(0, end) != source_) return bad(fmt::format("the position beside it is of {}", rest.substr(0, end)));
  rest.remove_prefix(end + 1);
  std::uint64_t counts = 0;
  if (!number(counts, '\n') || counts > size_) return bad("the position beside it does not fit");
  while (!rest.empty()) {
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    if (!number(partition, ' ') || !number(offset, '\n')) return bad("the position beside it cannot be read");
    positions_[partition] = offset;
  }
  if (counts < size_) SUPYO_TRY(file_->truncate(counts));
  size_ = counts;
  return ok();
}

Status ResultFile::cut_torn_line() {
  std::string chunk(64 << 10, '\0');
  for (std::uint64_t end = size_; end > 0;) {
    const std::uint64_t from = end > chunk.size() ? end - chunk.size() : 0;
    SUPYO_ASSIGN(const std::size_t n, file_->read_at(from, std::span(chunk).first(static_cast<std::size_t>(end - from))));
    if (const std::size_t at = std::string_view(chunk).substr(0, n).rfind('\n'); at != std::string_view::npos) {
      if (from + at + 1 == size_) return ok();
      size_ = from + at + 1;
      return file_->truncate(size_);
    }
    end = from;
  }
  if (size_ == 0) return ok();
  size_ = 0;
  return file_->truncate(0);
}

Status ResultFile::append(std::string_view value) {
  line_.assign(value);
  line_ += '\n';
  SUPYO_TRY(file_->write_at(size_, line_));
  size_ += line_.size();
  dirty_ = true;
  return ok();
}

Status ResultFile::sync() {
  if (!dirty_) return ok();
  SUPYO_TRY(file_->sync());
  dirty_ = false;
  return ok();
}

Status ResultFile::commit() {
  if (!dirty_) return ok();
  SUPYO_TRY(sync());
  return write_positions();
}

Status ResultFile::write_positions() {
  std::string text = fmt::format("{}\n{}\n", source_, size_);
  for (const auto& [partition, offset] : positions_) text += fmt::format("{} {}\n", partition, offset);
  return files_.write_atomically(path_ + ".position", text);
}

// --- the loop

ConsumeLoop::ConsumeLoop(const env::Env& env, connect::GroupConsumer& consumer, ConsumeOptions options, Hooks hooks, ResultFile* out)
    : env_(env), consumer_(consumer), options_(std::move(options)), hooks_(std::move(hooks)), out_(out), taken_(std::max<std::size_t>(options_.batch, 1)) {}

bool ConsumeLoop::ended() const { return hooks_.stopped() || (options_.max > 0 && totals_.handled >= options_.max); }

Status ConsumeLoop::run() {
  committed_us_ = env_.clock.monotonic_us();
  while (!ended()) {
    if (options_.commit == CommitOrder::kJava) SUPYO_TRY(commit_handled(false));
    const Status took = take();
    take_events();
    for (std::size_t i = 0; i < taken_count_; ++i) note_taken(taken_[i]);
    if (options_.commit == CommitOrder::kBefore) SUPYO_TRY(commit_taken());
    for (handled_of_taken_ = 0; handled_of_taken_ < taken_count_ && !ended(); ++handled_of_taken_) {
      const std::uint64_t before = totals_.handled + totals_.skipped;
      SUPYO_TRY(handle(taken_[handled_of_taken_]));
      if (totals_.handled + totals_.skipped == before) break;   // stopped in the middle of it
    }
    if (options_.commit == CommitOrder::kAfter || options_.commit == CommitOrder::kTxn) SUPYO_TRY(commit_handled(false));
    hooks_.tick();
    if (!took) {
      (void)finish();   // the error is what counts
      return took;
    }
  }
  return finish();
}

/// As many records as are there, up to a batch; waits for the first.
Status ConsumeLoop::take() {
  taken_count_ = handled_of_taken_ = 0;
  std::size_t wanted = taken_.size();
  if (options_.max > 0) wanted = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, options_.max - totals_.handled));
  while (taken_count_ < wanted) {
    SUPYO_ASSIGN(const auto record, consumer_.poll(taken_count_ == 0 ? kPoll : 0));
    if (!record) return ok();
    Taken& t = taken_[taken_count_++];
    t.partition = record->partition;
    t.offset = record->offset;
    totals_.bytes += (record->value ? record->value->size() : 0) + (record->key ? record->key->size() : 0);
    if (out_ != nullptr) t.value.assign(record->value.value_or(std::string_view()));
  }
  return ok();
}

void ConsumeLoop::take_events() {
  for (const GroupEvent& event : consumer_.events()) {
    note_event(event);
    // Ours were told when they failed.
    const bool told = event.kind == GroupEvent::Kind::kCommitted || (event.kind == GroupEvent::Kind::kCommitFailed && !events_tell_commits());
    if (hooks_.event && !told) hooks_.event(event);
  }
}

void ConsumeLoop::note_event(const GroupEvent& event) {
  using Kind = GroupEvent::Kind;
  switch (event.kind) {
    case Kind::kAssigned:
    case Kind::kRevoked:
    case Kind::kLost:
      totals_.rebalances += event.kind == Kind::kAssigned ? 1 : 0;
      for (const std::int32_t partition : event.partitions) {
        ConsumedPartition& p = partitions_[partition];
        p.owned = event.kind == Kind::kAssigned;
        p.position = p.committed = -1;   // somebody else may have moved it meanwhile
        expected_.erase(partition);
        jumps_.erase(partition);
      }
      return;
    case Kind::kPositionGone: {
      ++totals_.resets;
      if (event.partitions.empty() || event.from < 0 || event.to <= event.from) return;
      const auto lost = static_cast<std::uint64_t>(event.to - event.from);
      const std::int32_t partition = event.partitions.front();
      partitions_[partition].lost += lost;
      totals_.lost += lost;
      jumps_[partition].push_back({event.from, event.to});
      return;
    }
    case Kind::kCommitFailed:
    case Kind::kCommitted: {
      if (!events_tell_commits()) return;
      const bool done = event.kind == Kind::kCommitted;
      --unanswered_;
      ++(done ? totals_.commits : totals_.failed_commits);
      for (const std::int32_t partition : event.partitions)
        if (!done) partitions_[partition].committed = -1;   // the next one says it again
      return;
    }
    case Kind::kError: return;
  }
}

/// An offset that did not come is a gap unless a jump explains it.
void ConsumeLoop::note_taken(const Taken& taken) {
  ConsumedPartition& p = partitions_[taken.partition];
  const auto [at, first] = expected_.try_emplace(taken.partition, taken.offset);
  std::int64_t missing = taken.offset - at->second;
  if (missing < 0) {
    ++p.again;
    ++totals_.again;
  } else if (missing > 0) {
    auto& jumps = jumps_[taken.partition];
    for (const Jump& j : jumps) missing -= std::max<std::int64_t>(0, std::min(j.to, taken.offset) - std::max(j.from, at->second));
    std::erase_if(jumps, [&](const Jump& j) { return j.to <= taken.offset; });
    if (missing > 0) {
      p.gaps += static_cast<std::uint64_t>(missing);
      totals_.gaps += static_cast<std::uint64_t>(missing);
    }
  }
  at->second = std::max(at->second, taken.offset + 1);
}

Status ConsumeLoop::handle(const Taken& taken) {
  ConsumedPartition& p = partitions_[taken.partition];
  if (options_.commit == CommitOrder::kTxn) {
    const auto known = out_->positions().find(taken.partition);
    if (known != out_->positions().end() && taken.offset < known->second) {   // its result is in the file already
      ++totals_.skipped;
      p.position = std::max(p.position, taken.offset + 1);
      return ok();
    }
  }
  const TimeUs begin = env_.clock.monotonic_us();
  if (options_.sleep_us > 0 && !pause(options_.sleep_us)) return ok();
  if (out_ != nullptr) SUPYO_TRY(out_->append(taken.value));
  if (options_.commit == CommitOrder::kTxn) out_->reached(taken.partition, taken.offset + 1);
  totals_.handling_us += env_.clock.monotonic_us() - begin;
  p.position = taken.offset + 1;
  ++p.handled;
  ++totals_.handled;
  return ok();
}

/// False when it was stopped before the end.
bool ConsumeLoop::pause(DurationUs us) {
  const TimeUs end = env_.clock.monotonic_us() + us;
  for (TimeUs now = end - us; now < end; now = env_.clock.monotonic_us()) {
    env_.threads->idle(std::min(kSlice, end - now));
    hooks_.tick();
    if (hooks_.stopped()) return env_.clock.monotonic_us() >= end;
  }
  return true;
}

void ConsumeLoop::note_commit(std::int32_t partition, std::int64_t offset, const Status& done) {
  if (done) {
    partitions_[partition].committed = offset;
    if (events_tell_commits()) ++unanswered_;
    else ++totals_.commits;
    return;
  }
  // A rebalance came between: whoever has the partition now reads from the last commit that counted.
  if (hooks_.event) hooks_.event({.kind = GroupEvent::Kind::kCommitFailed, .partitions = {partition}, .to = offset, .text = done.error().to_string()});
  ++totals_.failed_commits;
}

Status ConsumeLoop::commit_taken() {
  std::map<std::int32_t, std::int64_t> ends;
  for (std::size_t i = 0; i < taken_count_; ++i) ends[taken_[i].partition] = taken_[i].offset + 1;
  for (const auto& [partition, offset] : ends) note_commit(partition, offset, consumer_.commit(partition, offset, true));
  return ok();
}

/// Commits what was handled, when the interval is over or `now`.
Status ConsumeLoop::commit_handled(bool now) {
  const TimeUs time = env_.clock.monotonic_us();
  if (!now && time - committed_us_ < options_.commit_interval_us) return ok();
  std::map<std::int32_t, std::int64_t> positions;
  for (const auto& [partition, p] : partitions_)
    if (p.owned && p.position >= 0 && p.position != p.committed) positions[partition] = p.position;
  committed_us_ = time;
  if (options_.commit == CommitOrder::kTxn) SUPYO_TRY(out_->commit());
  if (positions.empty()) return ok();
  if (options_.commit != CommitOrder::kTxn && out_ != nullptr) SUPYO_TRY(out_->sync());
  for (const auto& [partition, offset] : positions) note_commit(partition, offset, consumer_.commit(partition, offset, false));
  return ok();
}

/// At the end: what comes out of the client meanwhile is not handled, and not committed.
void ConsumeLoop::wait_for_commits() {
  for (int i = 0; i < kAnswerPolls && unanswered_ > 0; ++i) {
    if (!consumer_.poll(kAnswerPoll)) return;
    take_events();
  }
}

/// With kBefore, what was committed and not handled is taken back: this is a clean end and no crash.
Status ConsumeLoop::finish() {
  if (out_ != nullptr && options_.commit != CommitOrder::kTxn) SUPYO_TRY(out_->sync());
  if (options_.commit == CommitOrder::kAuto) return ok();   // the client commits when it closes
  if (options_.commit != CommitOrder::kBefore) {
    SUPYO_TRY(commit_handled(true));
    wait_for_commits();
    return ok();
  }
  std::map<std::int32_t, std::int64_t> left;
  for (std::size_t i = handled_of_taken_; i < taken_count_; ++i) left.try_emplace(taken_[i].partition, taken_[i].offset);
  for (const auto& [partition, offset] : left) note_commit(partition, offset, consumer_.commit(partition, offset, true));
  return ok();
}

}  // namespace supyo::cli
