#include "lab/scenario/trial/commit_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "connect/kafka/group_consumer.h"
#include "connect/kafka/transaction_producer.h"
#include "lab/scenario/trial/commit_journal.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kPoll = 20 * kMillisecond;
constexpr DurationUs kCredit = 10 * kMillisecond;   // of a handler that was late: it catches up no more than this

class Worker {
 public:
  Worker(const env::Env& env, const CommitWorker& options, const std::function<bool()>& stopped, CommitJournal journal) : env_(env), o_(options), stopped_(stopped), journal_(std::move(journal)) {}

  Status open() {
    // The transactions of the life before are ended first: then the group's position is what they made it.
    if (o_.order == CommitOrder::kTransaction) {
      SUPYO_ASSIGN(producer_, connect::TransactionProducer::open({.servers = o_.servers, .topic = o_.output, .transactional_id = o_.group}));
    }
    connect::GroupConsumerOptions options{.servers = o_.servers, .topic = o_.topic, .group = o_.group, .static_id = o_.member, .auto_commit = o_.order == CommitOrder::kAuto};
    if (options.auto_commit) options.client_settings.emplace_back("auto.commit.interval.ms", fmt::format("{}", o_.interval_us / kMillisecond));
    SUPYO_ASSIGN(consumer_, connect::GroupConsumer::open(options));
    last_commit_us_ = env_.clock.monotonic_us();
    return ok();
  }

  Status run() {
    while (!stopped_()) {
      SUPYO_TRY(take());
      if (!batch_.empty()) SUPYO_TRY(handle());
    }
    if ((o_.order == CommitOrder::kAfter || o_.order == CommitOrder::kJava) && handled_) SUPYO_TRY(commit(*handled_, true));
    return ok();   // kAuto: the client commits when it is closed
  }

 private:
  struct Record {
    std::uint64_t id = 0;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    TimeUs timestamp_us = 0;
  };

  Status take() {
    batch_.clear();
    if (o_.order == CommitOrder::kJava && handled_ && due()) SUPYO_TRY(commit(*handled_, false));
    while (batch_.size() < o_.batch && !stopped_()) {
      SUPYO_ASSIGN(const auto got, consumer_->poll(kPoll));
      (void)consumer_->events();
      if (!got) {
        if (batch_.empty()) continue;
        break;
      }
      SUPYO_ASSIGN(const std::uint64_t id, id_of_value(got->value.value_or("")));
      batch_.push_back({id, got->partition, got->offset, got->timestamp_us});
      SUPYO_TRY(journal_.taken(1));
    }
    return ok();
  }

  Status handle() {
    if (o_.order == CommitOrder::kBefore) SUPYO_TRY(commit(batch_.back(), true));
    if (producer_) SUPYO_TRY(producer_->begin());
    for (const Record& r : batch_) {
      pace();
      if (producer_) SUPYO_TRY(producer_->send(std::nullopt, fmt::format("{} {}", r.id, o_.life), r.timestamp_us));
      SUPYO_TRY(journal_.applied(r.id));
      handled_ = r;
      if (o_.order == CommitOrder::kAfter && due()) {
        SUPYO_TRY(journal_.sync());
        SUPYO_TRY(commit(r, true));
      }
    }
    SUPYO_TRY(journal_.sync());
    if (!producer_) return ok();
    SUPYO_TRY(producer_->commit(o_.group, o_.topic, batch_.back().partition, batch_.back().offset + 1));
    return journal_.committed(batch_.back().id + 1);
  }

  bool due() const { return env_.clock.monotonic_us() - last_commit_us_ >= o_.interval_us; }

  Status commit(const Record& last, bool wait) {
    last_commit_us_ = env_.clock.monotonic_us();
    SUPYO_TRY(consumer_->commit(last.partition, last.offset + 1, wait));
    return wait ? journal_.committed(last.id + 1) : ok();   // otherwise nobody knows yet
  }

  void pace() {
    const TimeUs now = env_.clock.monotonic_us();
    next_us_ = std::max(next_us_, now - kCredit) + static_cast<DurationUs>(1e6 / o_.handler);
    if (next_us_ > now) env_.threads->idle(next_us_ - now);
  }

  env::Env env_;
  const CommitWorker& o_;
  const std::function<bool()>& stopped_;
  CommitJournal journal_;
  std::unique_ptr<connect::TransactionProducer> producer_;
  std::unique_ptr<connect::GroupConsumer> consumer_;
  std::vector<Record> batch_;
  std::optional<Record> handled_;   // the last one
  TimeUs last_commit_us_ = 0, next_us_ = 0;
};

}  // namespace

std::string numbered_value(std::uint64_t id, std::size_t size, std::string_view word) {
  std::string text = word.empty() ? fmt::format("{} ", id) : fmt::format("{} {} ", id, word);
  if (text.size() < size) text.append(size - text.size(), 'x');
  return text;
}

Result<std::uint64_t> id_of_value(std::string_view value, std::uint64_t* life) {
  std::uint64_t id = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), id);
  if (error == std::errc() && life != nullptr) error = end == value.data() + value.size() ? std::errc::invalid_argument : std::from_chars(end + 1, value.data() + value.size(), *life).ec;
  if (error != std::errc()) return fail(ErrorCode::kMalformedRecord, fmt::format("'{}' is no record of this lab", value.substr(0, 40)));
  return id;
}

Status run_commit_worker(const env::Env& env, const CommitWorker& options, const std::function<bool()>& stopped) {
  SUPYO_ASSIGN(auto journal, CommitJournal::create(env.files, options.journal));
  Worker worker(env, options, stopped, std::move(journal));
  SUPYO_TRY(worker.open());
  return worker.run();
}

}  // namespace supyo::scenario
