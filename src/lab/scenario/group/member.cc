#include "lab/scenario/group/member.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>

#include "connect/kafka/group_consumer.h"
#include "lab/scenario/group/member_journal.h"
#include "lab/scenario/trial/commit_worker.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kPoll = 20 * kMillisecond;
constexpr DurationUs kNotice = 20 * kMillisecond;   // how long an end may go unnoticed
constexpr std::string_view kLate = "_MAX_POLL_EXCEEDED";

/// "_MAX_POLL_EXCEEDED: Application maximum poll interval (8000ms) exceeded by 469ms"; 0 when the client words it otherwise.
std::uint64_t late_by_ms(std::string_view text) {
  constexpr std::string_view kWords = "exceeded by ";
  std::uint64_t ms = 0;
  if (const std::size_t at = text.find(kWords); at != std::string_view::npos) std::from_chars(text.data() + at + kWords.size(), text.data() + text.size(), ms);
  return ms;
}

class Member {
 public:
  Member(const env::Env& env, const GroupMember& options, const std::function<bool()>& stopped, MemberJournal journal) : env_(env), o_(options), stopped_(stopped), journal_(std::move(journal)) {}

  Status open() {
    const auto ms = [](DurationUs us) { return fmt::format("{}", us / kMillisecond); };
    SUPYO_ASSIGN(consumer_, connect::GroupConsumer::open({.servers = o_.servers, .topic = o_.topic, .group = o_.group, .client_id = o_.client_id, .static_id = o_.static_id,
                                                          .properties = {{"max.poll.interval.ms", ms(o_.poll_us)}, {"session.timeout.ms", ms(o_.session_us)}, {"heartbeat.interval.ms", ms(o_.heartbeat_us)},
                                                                         {"partition.assignment.strategy", o_.assignor}},
                                                          .stopped = stopped_}));
    return ok();
  }

  Status run() {
    while (!stopped_()) {
      SUPYO_TRY(take());
      for (const Record& r : batch_) {
        if (stopped_()) break;
        SUPYO_TRY(handle(r));
      }
      SUPYO_TRY(commit());
    }
    return ok();
  }

 private:
  struct Record {
    std::uint64_t id = 0;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    bool slow = false;
  };

  Status take() {
    batch_.clear();
    while (batch_.size() < o_.batch && !stopped_()) {
      SUPYO_ASSIGN(const auto got, consumer_->poll(kPoll));
      last_poll_us_ = env_.clock.monotonic_us();
      SUPYO_TRY(events());   // they came before the record, which may be of what was assigned in this very poll
      if (got) {
        const std::string_view value = got->value.value_or("");
        SUPYO_ASSIGN(const std::uint64_t id, id_of_value(value));
        const std::size_t space = value.find(' ');
        batch_.push_back({id, got->partition, got->offset, space != std::string_view::npos && value.substr(space + 1).starts_with(kSlowWord)});
      }
      if (!got && !batch_.empty()) break;
    }
    return ok();
  }

  Status events() {
    using Kind = connect::GroupEvent::Kind;
    for (const connect::GroupEvent& e : consumer_->events()) {
      const TimeUs now = env_.clock.monotonic_us();
      if (e.kind == Kind::kAssigned) SUPYO_TRY(journal_.assigned(now, e.partitions));
      if (e.kind == Kind::kRevoked || e.kind == Kind::kLost) {
        SUPYO_TRY(journal_.revoked(now, e.partitions));
        // What was taken of them and not begun is somebody else's.
        std::erase_if(batch_, [&](const Record& r) { return std::ranges::find(e.partitions, r.partition) != e.partitions.end(); });
      }
      if (e.kind == Kind::kError && e.text.starts_with(kLate)) SUPYO_TRY(journal_.late(now, late_by_ms(e.text)));
    }
    return ok();
  }

  Status handle(const Record& r) {
    DurationUs takes = o_.handler_us;
    if (r.slow && first_come()) {
      SUPYO_TRY(journal_.slow(last_poll_us_, r.partition, r.offset));
      takes = o_.slow_us;
    }
    const TimeUs until = env_.clock.monotonic_us() + takes;
    for (TimeUs now = until - takes; now < until && !stopped_(); now = env_.clock.monotonic_us()) env_.threads->idle(std::min(kNotice, until - now));
    if (stopped_()) return ok();   // not handled
    SUPYO_TRY(journal_.done(env_.clock.monotonic_us(), r.partition, r.offset, r.id));
    handled_[r.partition] = r.offset + 1;
    return ok();
  }

  /// Whether this member is one of those that the record is slow for.
  bool first_come() {
    for (std::uint64_t i = 1; i <= o_.slow_times; ++i)
      if (env_.files.open(fmt::format("{}-{}", o_.slow_mark, i), env::OpenMode::kCreateNew)) return true;
    return false;
  }

  Status commit() {
    for (const auto& [partition, next] : handled_) {
      const Status done = consumer_->commit(partition, next, true);
      SUPYO_TRY(done ? journal_.committed(partition, next) : journal_.refused(env_.clock.monotonic_us(), partition, next));
    }
    handled_.clear();
    return ok();
  }

  env::Env env_;
  const GroupMember& o_;
  const std::function<bool()>& stopped_;
  MemberJournal journal_;
  std::unique_ptr<connect::GroupConsumer> consumer_;
  std::vector<Record> batch_;
  std::map<std::int32_t, std::int64_t> handled_;   // of this batch: the next offset
  TimeUs last_poll_us_ = 0;
};

}  // namespace

Status run_group_member(const env::Env& env, const GroupMember& options, const std::function<bool()>& stopped) {
  SUPYO_ASSIGN(auto journal, MemberJournal::create(env.files, options.journal));
  Member member(env, options, stopped, std::move(journal));
  SUPYO_TRY(member.open());
  return member.run();
}

}  // namespace supyo::scenario
