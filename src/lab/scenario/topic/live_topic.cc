#include "lab/scenario/topic/live_topic.h"

#include <fmt/format.h>

#include <utility>

namespace supyo::scenario {
namespace {

constexpr DurationUs kProbeInterval = 100 * kMillisecond;
constexpr DurationUs kReportsMost = 30 * kSecond;
constexpr std::size_t kProbeFailuresMost = 20;   ///< in a row: the cluster is gone

}  // namespace

TemporaryTopic::~TemporaryTopic() {
  if (!created_) return;
  // Nobody is there to hear of a failure; what is left has a name that says whose it was.
  for (const std::string& group : groups_) (void)admin_.delete_group(group);
  (void)admin_.delete_topic(name_);
}

Status TemporaryTopic::create(const std::map<std::string, std::string>& config) {
  constexpr int kBrokerDefault = -1;
  SUPYO_TRY(admin_.create_topic(name_, 1, kBrokerDefault, config));
  created_ = true;
  return ok();
}

LiveProducer::LiveProducer(const env::Env& env, std::string servers, std::string topic, double rate, std::size_t record_bytes, DurationUs linger_us)
    : env_(env), servers_(std::move(servers)), topic_(std::move(topic)), rate_(rate), linger_us_(linger_us), value_(std::max<std::size_t>(16, record_bytes), 'x') {}

Status LiveProducer::open() {
  SUPYO_ASSIGN(producer_, connect::RecordProducer::open({.servers = servers_, .topic = topic_}));
  return ok();
}

void LiveProducer::start(TimeUs start_us) {
  start_us_ = start_us;
  thread_ = env_.threads->start("lab-producer", [this] { run(); });
}

void LiveProducer::finish() {
  finished_.store(true);
  thread_.reset();
}

void LiveProducer::run() {
  Status done = ok();
  while (done && !finished_.load()) {
    done = turn();
    env_.threads->idle(linger_us_);
  }
  const TimeUs limit = env_.clock.monotonic_us() + kReportsMost;
  while (producer_->in_flight() > 0 && env_.clock.monotonic_us() < limit) take_reports(100 * kMillisecond);
  if (producer_->in_flight() > 0) {
    producer_->give_up();
    while (producer_->in_flight() > 0) take_reports(kSecond);
  }
  producer_.reset();
  const std::lock_guard lock(mutex_);
  status_ = done;
}

Status LiveProducer::turn() {
  const auto due = static_cast<std::uint64_t>(static_cast<double>(env_.clock.monotonic_us() - start_us_) / 1e6 * rate_);
  while (sent_.load() < due) {
    const std::uint64_t number = sent_.load();
    fmt::format_to_n(value_.data(), 16, "{:016x}", number);
    const TimeUs given = env_.clock.monotonic_us();
    SUPYO_ASSIGN(const bool taken, producer_->send(number, std::nullopt, value_, env_.clock.now_us()));
    if (!taken) break;   // its queue is full: the rate falls, and the guard on it says so
    ledger_.push_back(Outcome::kOpen);
    given_us_.push_back(given);
    sent_.fetch_add(1);
  }
  take_reports(0);
  return ok();
}

void LiveProducer::take_reports(DurationUs wait_us) {
  using Reported = connect::RecordReport::Outcome;
  const auto reports = producer_->reports(wait_us);
  const TimeUs now = env_.clock.monotonic_us();
  const std::lock_guard lock(mutex_);
  for (const connect::RecordReport& r : reports) {
    const Outcome o = r.outcome == Reported::kAcknowledged ? Outcome::kAcknowledged : r.outcome == Reported::kFailed ? Outcome::kFailed : Outcome::kUnknown;
    ledger_[r.id] = o;
    counts_[static_cast<std::size_t>(o)].fetch_add(1);
    if (o == Outcome::kAcknowledged) latencies_us_.push_back(now - given_us_[r.id]);
    else ++errors_[r.why];
  }
}

std::vector<DurationUs> LiveProducer::take_latencies() {
  const std::lock_guard lock(mutex_);
  return std::exchange(latencies_us_, {});
}

std::map<std::string, std::uint64_t> LiveProducer::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

Status LiveProducer::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

Status LiveProbe::open(const std::string& servers) {
  SUPYO_ASSIGN(admin_, connect::KafkaAdmin::open(servers));
  return look();
}

void LiveProbe::start() {
  thread_ = env_.threads->start("lab-probe", [this] {
    std::size_t failures = 0;
    while (!finished_.load()) {
      const TimeUs next = env_.clock.monotonic_us() + kProbeInterval;
      const Status done = look();
      failures = done ? 0 : failures + 1;
      if (failures >= kProbeFailuresMost) {
        const std::lock_guard lock(mutex_);
        status_ = done;
        return;
      }
      env_.threads->idle(std::max<DurationUs>(kMillisecond, next - env_.clock.monotonic_us()));
    }
  });
}

void LiveProbe::finish() {
  finished_.store(true);
  thread_.reset();
}

Status LiveProbe::look() {
  SUPYO_ASSIGN(const auto ends, admin_->ends(topic_));
  const std::lock_guard lock(mutex_);
  looks_.push_back({env_.clock.monotonic_us(), ends[0].start, ends[0].end});
  return ok();
}

LiveProbe::Look LiveProbe::last() const {
  const std::lock_guard lock(mutex_);
  return looks_.empty() ? Look{} : looks_.back();
}
std::vector<LiveProbe::Look> LiveProbe::looks() const {
  const std::lock_guard lock(mutex_);
  return looks_;
}
Status LiveProbe::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace supyo::scenario
