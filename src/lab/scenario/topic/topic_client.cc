#include "lab/scenario/topic/topic_client.h"

#include <algorithm>
#include <cmath>

namespace supyo::scenario {

Result<TopicClient> TopicClient::open(env::Files& files, std::string log_directory, const log::Topic& topic, Options options, TimeUs now) {
  SUPYO_ASSIGN(auto reader, log::PartitionReader::open(files, topic, PartitionId(0)));
  return TopicClient(files, std::move(log_directory), topic, std::move(reader), std::move(options), now);
}

Status TopicClient::poll(TimeUs now) {
  const double elapsed = static_cast<double>(now - last_us_) / 1e6;
  last_us_ = now;
  SUPYO_ASSIGN(const auto ends, reader_.ends());
  burrow_.end(now, static_cast<std::uint64_t>(ends.end.value));
  if (stopped_) return ok();
  SUPYO_TRY(fetch(now));
  budget_ = std::isinf(options_.rate) ? options_.rate : budget_ + options_.rate * elapsed;
  handle();
  // A handler that waited for records does not work faster afterwards.
  if (!std::isinf(options_.rate)) budget_ = std::min(budget_, queue_.empty() ? 1.0 : budget_);
  if (now >= next_commit_us_) SUPYO_TRY(commit(now));
  return ok();
}

Status TopicClient::fetch(TimeUs now) {
  while (!failed_ && static_cast<double>(queued_) < options_.prefetch_records) {
    SUPYO_ASSIGN(const auto ends, reader_.ends());
    // A broker refuses a fetch below the log start, whatever files are still open.
    if (position_ < ends.log_start.value) {
      SUPYO_TRY(reset(now, ends));
      continue;
    }
    if (reader_.position() != Offset(position_)) SUPYO_TRY(reader_.seek(Offset(position_)));
    const std::int64_t from = position_;
    while (static_cast<double>(position_ - from) < options_.fetch_records) {
      SUPYO_ASSIGN(const log::FrameView* frame, reader_.next());
      if (frame == nullptr) break;
      position_ = frame->end_offset().value;
    }
    if (position_ == from) return ok();
    queue_.push_back({from, position_});
    queued_ += position_ - from;
  }
  return ok();
}

Status TopicClient::reset(TimeUs now, const log::PartitionReader::Ends& ends) {
  if (options_.reset == Reset::kError) {
    ++errors_;
    failed_ = true;
    return ok();
  }
  const std::int64_t to = options_.reset == Reset::kEarliest ? ends.log_start.value : ends.end.value;
  resets_.push_back({now, position_, to});
  position_ = to;
  return ok();
}

void TopicClient::handle() {
  while (!queue_.empty() && budget_ >= 1) {
    Range& r = queue_.front();
    const std::int64_t n = std::isinf(budget_) ? r.to - r.from : std::min(r.to - r.from, static_cast<std::int64_t>(budget_));
    take(r.from, r.from + n);
    r.from += n;
    queued_ -= n;
    budget_ -= static_cast<double>(n);
    if (r.from == r.to) queue_.pop_front();
  }
}

void TopicClient::take(std::int64_t from, std::int64_t to) {
  if (from > handled_) gaps_ += static_cast<std::uint64_t>(from - handled_);
  if (got_.size() < static_cast<std::size_t>(to)) got_.resize(static_cast<std::size_t>(to) * 2);
  for (std::int64_t o = from; o < to; ++o) got_[static_cast<std::size_t>(o)] = true;
  applied_ += static_cast<std::uint64_t>(to - from);
  handled_ = to;
}

Status TopicClient::commit(TimeUs now) {
  next_commit_us_ = now + options_.commit_us;
  committed_ = handled_;
  burrow_.committed(now, static_cast<std::uint64_t>(committed_));
  return log::commit_group(*files_, log_directory_, options_.group, {{{topic_, PartitionId(0)}, Offset(committed_)}});
}

std::uint64_t TopicClient::missing(std::int64_t end) const {
  std::uint64_t n = 0;
  for (std::int64_t o = 0; o < end; ++o) n += static_cast<std::size_t>(o) >= got_.size() || !got_[static_cast<std::size_t>(o)] ? 1 : 0;
  return n;
}

}  // namespace supyo::scenario
