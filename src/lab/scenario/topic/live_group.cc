#include "lab/scenario/topic/live_group.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace supyo::scenario {
namespace {

constexpr DurationUs kWait = 10 * kMillisecond;      ///< how long a turn may take
constexpr DurationUs kCatchUp = 200 * kMillisecond;  ///< a handler that was held up makes good at most this much of its time
constexpr std::size_t kNotesMax = 20;                ///< of one group

connect::GroupReset client_reset(Reset r) {
  switch (r) {
    case Reset::kEarliest: return connect::GroupReset::kEarliest;
    case Reset::kLatest: return connect::GroupReset::kLatest;
    case Reset::kError: return connect::GroupReset::kError;
  }
  return connect::GroupReset::kError;
}

}  // namespace

LiveGroup::LiveGroup(const env::Env& env, Options options) : env_(env), options_(std::move(options)), rate_(options_.rate) {}

void LiveGroup::start() {
  thread_ = env_.threads->start("lab-" + options_.name, [this] { run(); });
}

void LiveGroup::finish() {
  finished_.store(true);
  thread_.reset();
}

void LiveGroup::run() {
  while (!finished_.load()) {
    const Status done = turn();
    if (done) continue;
    close();
    const std::lock_guard lock(mutex_);
    status_ = done;
    return;
  }
  close();
}

Status LiveGroup::open() {
  const auto kib = [](double bytes) { return std::to_string(std::max<std::int64_t>(1, std::llround(bytes / 1024))); };
  SUPYO_ASSIGN(consumer_, connect::GroupConsumer::open({.servers = options_.servers, .topic = options_.topic, .group = options_.group, .client_id = "supyo-lab-" + options_.name,
                                                        .reset = client_reset(options_.reset), .read_committed = false,
                                                        .client_settings = {{"queued.max.messages.kbytes", kib(options_.prefetch_bytes)},
                                                                            {"fetch.message.max.bytes", std::to_string(std::max<std::int64_t>(1024, std::llround(options_.fetch_bytes)))}}}));
  next_due_us_ = now();
  next_commit_us_ = now() + options_.commit_us;
  const std::lock_guard lock(mutex_);
  settings_ = consumer_->settings();
  return ok();
}

void LiveGroup::close() {
  if (!consumer_) return;
  if (assigned_.load() && !stopped_by_error()) {
    if (const Status done = consumer_->commit(0, handled_.load(), true); done) committed_.store(handled_.load());
  }
  take_events();
  consumer_.reset();
  assigned_.store(false);
}

Status LiveGroup::turn() {
  if (stopped_.load() || stopped_by_error()) {
    close();
    env_.threads->idle(kWait);
    return ok();
  }
  if (!consumer_) SUPYO_TRY(open());
  const double rate = rate_.load();
  const TimeUs before = now();
  if (std::isfinite(rate) && next_due_us_ > before) {
    env_.threads->idle(std::min(kWait, next_due_us_ - before));
  } else {
    auto record = consumer_->poll(kWait);
    take_events();
    if (!record && record.error().code == ErrorCode::kOffsetOutOfRange) {
      errors_.fetch_add(1);
      note("stopped with an error, its position is gone");
      return ok();
    }
    if (!record) return fail(std::move(record.error()));
    if (*record) take(**record);
    const TimeUs after = now();
    // One that waited for records does not work faster afterwards.
    if (!*record || !std::isfinite(rate)) next_due_us_ = std::max(next_due_us_, after);
    else next_due_us_ = std::max<TimeUs>(next_due_us_ + std::llround(1e6 / rate), after - kCatchUp);
  }
  fetched_.store(std::max(consumer_->fetch_position(0), handled_.load()));
  if (now() < next_commit_us_ || !assigned_.load()) return ok();
  next_commit_us_ = now() + options_.commit_us;
  return consumer_->commit(0, handled_.load(), false);
}

void LiveGroup::take(const connect::GroupRecord& record) {
  const std::int64_t next = handled_.load();
  if (record.offset > next) gaps_.fetch_add(static_cast<std::uint64_t>(record.offset - next));
  std::uint64_t number = 0;
  const std::string_view value = record.value.value_or("");
  const auto parsed = std::from_chars(value.data(), value.data() + std::min<std::size_t>(16, value.size()), number, 16);
  if (parsed.ec == std::errc()) {
    if (got_.size() <= number) got_.resize(static_cast<std::size_t>(number) * 2 + 1024);
    if (got_[number]) duplicates_.fetch_add(1);
    got_[number] = true;
  }
  handled_.store(record.offset + 1);
  applied_.fetch_add(1);
}

void LiveGroup::take_events() {
  using Kind = connect::GroupEvent::Kind;
  for (const connect::GroupEvent& e : consumer_->events()) {
    switch (e.kind) {
      case Kind::kAssigned: assigned_.store(true); break;
      case Kind::kRevoked: assigned_.store(false); break;
      case Kind::kLost:
        assigned_.store(false);
        note("its partition was taken away");
        break;
      case Kind::kPositionGone: {
        note(e.to < 0 ? fmt::format("position {} is gone", e.from) : fmt::format("position {} is gone, it goes on at {}", e.from, e.to));
        const std::lock_guard lock(mutex_);
        gone_.push_back({e.from, e.to});
        break;
      }
      case Kind::kCommitted: {
        committed_.store(e.to);
        const std::lock_guard lock(mutex_);
        burrow_.committed(env_.clock.now_us(), static_cast<std::uint64_t>(e.to));
        break;
      }
      case Kind::kCommitFailed: note("a commit failed: " + e.text); break;
      case Kind::kError: note(e.text); break;
    }
  }
}

void LiveGroup::note(std::string text) {
  const std::lock_guard lock(mutex_);
  if (++noted_ <= kNotesMax) notes_.push_back(options_.name + ": " + std::move(text));
}

void LiveGroup::set_end(std::int64_t end) {
  const std::lock_guard lock(mutex_);
  burrow_.end(env_.clock.now_us(), static_cast<std::uint64_t>(end));
}

slo::BurrowStatus LiveGroup::burrow(TimeUs now) const {
  const std::lock_guard lock(mutex_);
  return burrow_.status(now);
}
std::vector<LiveGroup::Gone> LiveGroup::gone() const {
  const std::lock_guard lock(mutex_);
  return gone_;
}
std::vector<std::string> LiveGroup::take_notes() {
  const std::lock_guard lock(mutex_);
  return std::exchange(notes_, {});
}
Status LiveGroup::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}
std::vector<std::pair<std::string, std::string>> LiveGroup::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

}  // namespace supyo::scenario
