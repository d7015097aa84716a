#pragma once
#include <deque>
#include <optional>
#include <queue>
#include <vector>

#include "core/base/hash.h"
#include "lab/workload/generator.h"

namespace supyo::workload {

/// What every domain's event has.
struct SentEvent {
  std::uint64_t event_id = 0;   ///< from 1
  TimeUs event_us = 0;          ///< whole milliseconds
  TimeUs ingest_us = 0;         ///< whole milliseconds; when the producer sends it
};

/// splitmix64 (Steele, Lea, Flood 2014): one addition and a mix, the same everywhere.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(hash_u64(seed + kStep)) {}
  std::uint64_t random() { return hash_u64(state_ += kStep); }
  std::uint64_t below(std::uint64_t n) { return random() % n; }
  bool chance(double share) { return share > 0 && static_cast<double>(random() >> 11) * 0x1.0p-53 < share; }

 private:
  static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ULL;
  std::uint64_t state_;
};

/// Makes events in event order, delays each by at most `disorder` (or more, where late), repeats some, and gives them out in the order of sending. A domain says what happens
/// (make), how it is written (write), and what its pipeline must make of it (arrived).
template <class Event>
class Sender : public Generator {
 public:
  bool next(GeneratedRecord& record) final {
    const std::optional<Event> e = next_event();
    if (!e) return false;
    if (truth_bound_us_) arrived(*e);
    record.due_us = e->ingest_us;
    record.event_us = e->event_us;
    record.id = e->event_id;
    record.key.clear();
    record.value.clear();
    write(*e, record);
    if (options_.payload_bytes > 0) append_payload(record.value, options_.seed, e->event_id, options_.payload_bytes);
    return true;
  }
  void set_rate(double tps, TimeUs from_us) final {
    // Never before what was made: event times only go forward.
    rate_since_us_ = made_ == 0 ? from_us : std::max(from_us, event_time(made_ - 1) + kMillisecond);
    rate_since_ = made_;
    options_.tps = tps;
  }
  void track_truth(DurationUs bound_us) final { truth_bound_us_ = bound_us; }

  /// As next(), before it is written.
  std::optional<Event> next_event() {
    if (!again_.empty()) {
      Event e = again_.front();
      again_.pop_front();
      e.ingest_us = last_sent_us_;
      return e;
    }
    // An event may be sent once no later one can still be sent before it: none is sent before it happened.
    while ((options_.count == 0 || made_ < options_.count) && (waiting_.empty() || to_millis(event_time(made_)) <= waiting_.top().ingest_us)) make_one();
    if (waiting_.empty()) return std::nullopt;
    Event e = waiting_.top();
    waiting_.pop();
    last_sent_us_ = e.ingest_us;
    ++sent_;
    if (options_.resend) {
      recent_.push_back(e);
      if (recent_.size() > kResendRecords) recent_.pop_front();
      if (sent_ % kResendEvery == 0) again_ = recent_;
    }
    return e;
  }

 protected:
  explicit Sender(const GeneratorOptions& options) : options_(options), draws_(options.seed), rate_since_us_(options.start_us) {}
  /// Fills in what is the domain's; number and time are there.
  virtual void make(Event& event) = 0;
  virtual void write(const Event& event, GeneratedRecord& record) const = 0;
  virtual void arrived(const Event& event) = 0;

  GeneratorOptions options_;
  Draws draws_;
  std::optional<DurationUs> truth_bound_us_;

 private:
  // A producer that restarts without knowing what was acknowledged sends its last records again.
  static constexpr std::uint64_t kResendEvery = 10'000;
  static constexpr std::size_t kResendRecords = 100;

  struct Later {
    bool operator()(const Event& a, const Event& b) const { return a.ingest_us != b.ingest_us ? a.ingest_us > b.ingest_us : a.event_id > b.event_id; }
  };
  static TimeUs to_millis(TimeUs t) { return t / kMillisecond * kMillisecond; }
  TimeUs event_time(std::uint64_t i) const { return rate_since_us_ + static_cast<TimeUs>(static_cast<double>(i - rate_since_) * 1e6 / options_.tps); }
  DurationUs delay() {
    if (draws_.chance(options_.late)) {
      const DurationUs most = 5 * options_.disorder_us + 10 * kSecond;
      return options_.disorder_us + kMillisecond + static_cast<DurationUs>(draws_.below(static_cast<std::uint64_t>(most)));
    }
    return options_.disorder_us == 0 ? 0 : static_cast<DurationUs>(draws_.below(static_cast<std::uint64_t>(options_.disorder_us)));
  }
  void make_one() {
    Event e;
    e.event_us = to_millis(event_time(made_));
    e.event_id = ++made_;
    make(e);
    e.ingest_us = to_millis(e.event_us + delay());
    if (draws_.chance(options_.duplicates)) {
      Event copy = e;
      const DurationUs room = options_.disorder_us - (e.ingest_us - e.event_us);
      if (room > 0) copy.ingest_us = to_millis(e.ingest_us + static_cast<DurationUs>(draws_.below(static_cast<std::uint64_t>(room))));
      waiting_.push(copy);
    }
    waiting_.push(e);
  }

  TimeUs rate_since_us_;            ///< event time of event `rate_since_`; those after it follow at options_.tps
  std::uint64_t rate_since_ = 0;
  std::uint64_t made_ = 0, sent_ = 0;
  std::priority_queue<Event, std::vector<Event>, Later> waiting_;
  std::deque<Event> recent_, again_;
  TimeUs last_sent_us_ = kTimeMin;
};

}  // namespace supyo::workload
