#include "lab/scenario/group/member.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>

#include "connect/kafka/group_consumer.h"
#include "lab/scenario/group/member_journal.h"
#include "lab/scenario/group/work_meter.h"
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
  Member(const env::Env& env, const GroupMember& options, const std::function<bool()>& stopped, std::optional<MemberJournal> journal, WorkMeter meter)
      : env_(env), o_(options), stopped_(stopped), journal_(std::move(journal)), meter_(std::move(meter)) {}

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
        SUPYO_TRY(meter_.tell());
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
      SUPYO_TRY(meter_.tell());
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
      if (e.kind == Kind::kAssigned && journal_) SUPYO_TRY(journal_->assigned(now, e.partitions));
      if (e.kind == Kind::kRevoked || e.kind == Kind::kLost) {
        if (journal_) SUPYO_TRY(journal_->revoked(now, e.partitions));
        // What was taken of them and not begun is somebody else's.
        for (const std::int32_t p : e.partitions) handled_.erase(p);
        std::erase_if(batch_, [&](const Record& r) { return std::ranges::find(e.partitions, r.partition) != e.partitions.end(); });
      }
      if (e.kind != Kind::kError || !e.text.starts_with(kLate)) continue;
      meter_.late();
      if (journal_) SUPYO_TRY(journal_->late(now, late_by_ms(e.text)));
    }
    return ok();
  }

  Status handle(const Record& r) {
    DurationUs takes = o_.handler_us;
    if (r.slow && first_come()) {
      if (journal_) SUPYO_TRY(journal_->slow(last_poll_us_, r.partition, r.offset));
      takes = o_.slow_us;
    }
    meter_.begin();
    if (o_.compute) compute(takes);
    else wait(takes);
    meter_.end();
    if (stopped_()) return ok();   // not handled
    if (journal_) SUPYO_TRY(journal_->done(env_.clock.monotonic_us(), r.partition, r.offset, r.id));
    handled_[r.partition] = r.offset + 1;
    return ok();
  }

  /// As for somebody else's answer.
  void wait(DurationUs takes) {
    const TimeUs until = env_.clock.monotonic_us() + takes;
    for (TimeUs now = until - takes; now < until && !stopped_(); now = env_.clock.monotonic_us()) env_.threads->idle(std::min(kNotice, until - now));
  }

  /// So much CPU time, however long a CPU has to be waited for.
  void compute(DurationUs takes) {
    constexpr int kRounds = 20'000;
    const DurationUs until = meter_.cpu_us(false) + takes;
    while (meter_.cpu_us(false) < until && !stopped_())
      for (int i = 0; i < kRounds; ++i) worked_ = (worked_ ^ (worked_ >> 29)) * 0x9e3779b97f4a7c15ULL + 1;
  }

  /// Whether this member is one of those that the record is slow for.
  bool first_come() {
    for (std::uint64_t i = 1; i <= o_.slow_times; ++i)
      if (env_.files.open(fmt::format("{}-{}", o_.slow_mark, i), env::OpenMode::kCreateNew)) return true;
    return false;
  }

  Status commit() {
    const TimeUs now = env_.clock.monotonic_us();
    if (now < commit_at_us_) return ok();
    commit_at_us_ = now + o_.commit_us;
    for (const auto& [partition, next] : handled_) {
      const Status done = consumer_->commit(partition, next, true);
      if (journal_) SUPYO_TRY(done ? journal_->committed(partition, next) : journal_->refused(env_.clock.monotonic_us(), partition, next));
    }
    handled_.clear();
    return ok();
  }

  env::Env env_;
  const GroupMember& o_;
  const std::function<bool()>& stopped_;
  std::optional<MemberJournal> journal_;
  WorkMeter meter_;
  std::unique_ptr<connect::GroupConsumer> consumer_;
  std::vector<Record> batch_;
  std::map<std::int32_t, std::int64_t> handled_;   // of this batch: the next offset
  TimeUs last_poll_us_ = 0, commit_at_us_ = 0;
  volatile std::uint64_t worked_ = 1;   // so that nobody finds out that it is for nothing
};

}  // namespace

Status run_group_member(const env::Env& env, const GroupMember& options, const std::function<bool()>& stopped) {
  std::optional<MemberJournal> journal;
  if (!options.journal.empty()) { SUPYO_ASSIGN(journal, MemberJournal::create(env.files, options.journal)); }
  SUPYO_ASSIGN(auto meter, WorkMeter::start(env, options.statistics, options.group, options.client_id));
  Member member(env, options, stopped, std::move(journal), std::move(meter));
  SUPYO_TRY(member.open());
  return member.run();
}

}  // namespace supyo::scenario
