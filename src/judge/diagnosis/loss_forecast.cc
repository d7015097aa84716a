#include "judge/diagnosis/loss_forecast.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/check.h"

namespace supyo::diagnosis {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr DurationUs kShortWindow = 10 * kMinute;   // rates for a loss that is near; for one that is far, as long a time as it is away
constexpr DurationUs kLongWindow = 6 * kHour;
constexpr double kFarAway = 30.0 * kDay;            // beyond that there is no forecast
constexpr double kRegimeSlack = 0.05;               // of the append rate: less of a difference is none
constexpr double kRateNoise = 0.02;                 // no rate is known better
constexpr int kStrides = 256;                       // the backlog is walked in no more steps
constexpr double kSegmentSpread = 0.15;             // by how much the lengths of full segments differ
constexpr double kLatticeMost = 4096;               // so many segments from the log start, nobody knows where a border lies
constexpr std::size_t kStepsForRate = 3;
constexpr double kStartRateNoise = 0.25;
constexpr DurationUs kCommitPatience = 30 * kSecond;

double ms(std::int64_t n) { return static_cast<double>(n) * kMillisecond; }

/// Timestamps by offset and back: linear between marks, and beyond the end of the log by the rate at which it grows.
class Timeline {
 public:
  Timeline(const LossQuestion& q) {
    const OffsetSample& last = q.trail.last();
    for (const TimeMark& m : q.marks)
      if (marks_.empty() || (m.offset > marks_.back().offset && m.timestamp >= marks_.back().timestamp)) marks_.push_back(m);
    if (marks_.empty())
      for (const OffsetSample& s : q.trail.samples())
        if (marks_.empty() || s.end > marks_.back().offset) marks_.push_back({s.end, s.at});
    while (!marks_.empty() && marks_.back().offset >= last.end) marks_.pop_back();
    const TimeUs newest = std::max(q.trail.end_changed_at(), marks_.empty() ? kTimeMin : marks_.back().timestamp);
    marks_.push_back({last.end, newest});
    now_ = static_cast<double>(last.at);
  }

  bool covers(std::int64_t offset) const { return marks_.front().offset <= offset; }
  enum class Bound : std::uint8_t { kLow, kMid, kHigh };
  /// Of the record at `offset`; `append`: records a microsecond. Never beyond the end when nothing comes.
  double timestamp(double offset, Bound bound, double append) const {
    const auto next = std::ranges::upper_bound(marks_, offset, {}, [](const TimeMark& m) { return static_cast<double>(m.offset); });
    if (next == marks_.begin()) return bound == Bound::kLow ? -kNever : static_cast<double>(next->timestamp);
    const TimeMark& before = *(next - 1);
    if (next == marks_.end()) return append > 0 ? std::max(static_cast<double>(before.timestamp), now_ + (offset - static_cast<double>(before.offset)) / append) : kNever;
    if (bound == Bound::kLow) return static_cast<double>(before.timestamp);
    if (bound == Bound::kHigh) return static_cast<double>(next->timestamp);
    const double share = (offset - static_cast<double>(before.offset)) / static_cast<double>(next->offset - before.offset);
    return static_cast<double>(before.timestamp) + share * static_cast<double>(next->timestamp - before.timestamp);
  }
  /// The offset that is reached at `timestamp`.
  double offset_at(double timestamp, double append) const {
    const auto next = std::ranges::upper_bound(marks_, timestamp, {}, [](const TimeMark& m) { return static_cast<double>(m.timestamp); });
    if (next == marks_.begin()) return static_cast<double>(next->offset);
    const TimeMark& before = *(next - 1);
    if (next == marks_.end()) return append > 0 ? static_cast<double>(before.offset) + std::max(0.0, timestamp - now_) * append : kNever;
    const double span = static_cast<double>(next->timestamp - before.timestamp);
    return static_cast<double>(before.offset) + (timestamp - static_cast<double>(before.timestamp)) / span * static_cast<double>(next->offset - before.offset);
  }

 private:
  std::vector<TimeMark> marks_;
  double now_ = 0;
};

using Bound = Timeline::Bound;

/// One assumption about rates and borders, of which a loss time follows.
struct Assumption {
  Bound bound = Bound::kMid;
  double append = 0, read = 0;   // records a microsecond
};

struct Found {
  double at = kNever;
  LossCause cause = LossCause::kNone;
  bool not_written_yet = false;   // the record that will be lost
};

class Forecaster {
 public:
  explicit Forecaster(const LossQuestion& q)
      : q_(q), last_(q.trail.last()), timeline_(q), now_(static_cast<double>(last_.at)), end_(static_cast<double>(last_.end)), committed_(static_cast<double>(last_.committed)) {
    const Retention& r = q.retention;
    by_time_ = r.known && r.deletes && r.retention_ms >= 0;
    const bool limited = r.known && r.deletes && r.retention_bytes >= 0;
    if (const auto bytes = q.trail.bytes_per_offset(); bytes && r.known) {
      segment_ = std::max(1.0, static_cast<double>(r.segment_bytes) / *bytes);
      if (limited) kept_ = static_cast<double>(r.retention_bytes) / *bytes;
      refine_segment();
    } else if (!q.trail.start_steps().empty()) {
      for (const StartStep& s : q.trail.start_steps()) segment_ = std::min(segment_, static_cast<double>(s.to - s.from));
      if (limited && !by_time_) kept_ = kept_by_steps();   // else nobody knows which of the limits the log start followed
    }
    by_size_ = limited && kept_ < kNever;
  }

  /// The end of the segment that holds the first unread record, as expected.
  std::int64_t segment_end(double append) const {
    const double border = first_border({.bound = Bound::kMid, .append = append});
    return border < kNever ? static_cast<std::int64_t>(border) : -1;
  }
  bool by_time() const { return by_time_ && timeline_.covers(last_.committed); }
  bool by_size() const { return by_size_; }
  /// The settings may delete, and what would be needed to say when is not known.
  bool in_the_dark() const { return (by_time_ && !by_time()) || (q_.retention.known && q_.retention.deletes && q_.retention.retention_bytes >= 0 && !by_size_); }

  Found loss(const Assumption& a) const {
    if (!by_time() && !by_size_) return {};
    double border = first_border(a);
    double begin = committed_;
    const double stride = std::max(0.0, (end_ - committed_) / kStrides);
    while (begin < end_) {
      if (const Found f = gone(begin, border, a); f.at < read_at(begin, border, a)) return passed(f, a);
      if (a.read <= 0) return {};
      begin = border;
      border = next_border(border, a, stride);
    }
    return beyond_the_end(a, begin);
  }

 private:
  /// Segments are closed a batch before they are full, and records differ: moves of the log start are whole segments, and tell their real length.
  void refine_segment() {
    double records = 0, segments = 0;
    for (const StartStep& s : q_.trail.start_steps()) {
      const double moved = static_cast<double>(s.to - s.from), count = std::round(moved / segment_);
      if (count < 1 || std::abs(moved / segment_ - count) > kSegmentSpread * count) continue;
      records += moved;
      segments += count;
    }
    if (segments > 0) segment_ = records / segments;
  }
  /// Sizes are not told, but a pass leaves the limit and what came since the pass before it, or less than a segment more where passes are rare.
  double kept_by_steps() const {
    const double between = q_.trail.append_rate(kShortWindow).value_or(Rate{}).mid * static_cast<double>(q_.retention.check_interval_ms) / 1000;
    double kept = kNever;
    for (const StartStep& s : q_.trail.start_steps()) kept = std::min(kept, static_cast<double>(s.end - s.to));
    return std::max(1.0, kept - std::min(segment_, between) / static_cast<double>(q_.trail.start_steps().size() + 1));
  }
  double full_segment(const Assumption& a, double from) const {
    const double by_age = timeline_.offset_at(timeline_.timestamp(from, Bound::kMid, a.append) + ms(q_.retention.segment_ms), a.append) - from;
    return std::max(1.0, std::min(segment_, by_age));
  }
  double next_border(double border, const Assumption& a, double stride) const {
    if (a.bound != Bound::kMid) return border + std::max(1.0, stride);
    const double segment = full_segment(a, border);
    return border + (segment < kNever ? segment * std::max(1.0, std::floor(stride / segment)) : std::max(1.0, stride));
  }
  /// The end of the segment that holds the first unread record: expected, or of the stretch that a bound looks at first.
  double first_border(const Assumption& a) const {
    if (a.bound != Bound::kMid) return committed_ + 1;
    const double start = static_cast<double>(last_.log_start);
    double border = start, segment = full_segment(a, start);
    if (segment == kNever) return std::max(committed_ + 1, end_);   // nothing closes the segment that is written
    if ((committed_ - start) / segment > kLatticeMost) return committed_ + segment / 2;
    while (border <= committed_) border += (segment = full_segment(a, border));
    return border;
  }

  /// When a pass may delete the segment, as the assumption has its end: low, right behind `begin`; high, a full segment behind it; else `border`.
  Found gone(double begin, double border, const Assumption& a) const {
    const double upto = a.bound == Bound::kLow ? begin + 1 : a.bound == Bound::kHigh ? begin + full_segment(a, begin) : border;
    Found f;
    if (by_time()) {
      // Without appends for as long as retention.ms the segment that is written goes too: its newest record decides.
      const bool idle = a.append * ms(q_.retention.retention_ms) < 1;
      const double newest = idle ? std::min(upto, end_) : upto;
      f = {timeline_.timestamp(newest - 1, a.bound, a.append) + ms(q_.retention.retention_ms), LossCause::kTimeExpiry};
    }
    if (by_size_) {
      // A limit that was guessed from moves of the log start may be a segment less.
      const double sure = a.bound == Bound::kLow && !q_.trail.bytes_per_offset() ? std::max(0.0, kept_ - segment_) : kept_;
      const double missing = sure - (end_ - upto);
      const double at = missing <= 0 ? now_ : a.append > 0 ? now_ + missing / a.append : kNever;
      if (at < f.at) f = {at, LossCause::kSizeExpiry};
    }
    return f;
  }
  /// When the group has read what the assumption asks about.
  double read_at(double begin, double border, const Assumption& a) const {
    if (a.read <= 0) return kNever;
    return now_ + ((a.bound == Bound::kHigh ? begin + 1 : border) - committed_) / a.read;
  }

  /// Records that are not written yet: all is linear, so that the meeting is known at once.
  Found beyond_the_end(const Assumption& a, double begin) const {
    if (a.append <= a.read || a.append <= 0) return {};
    const double by_time = by_time_ ? ms(q_.retention.retention_ms) : kNever;
    const double by_size = by_size_ ? kept_ / a.append : kNever;
    double keeps = std::min(by_time, by_size);
    if (keeps == kNever) return {};
    if (a.bound == Bound::kHigh) keeps += full_segment(a, end_) / a.append;
    const LossCause cause = by_time <= by_size ? LossCause::kTimeExpiry : LossCause::kSizeExpiry;
    if (a.read <= 0) return passed({now_ + std::max(0.0, begin - end_) / a.append + keeps, cause, true}, a);
    const double meets = (keeps + committed_ / a.read - end_ / a.append) / (1 / a.read - 1 / a.append);
    double at = now_ + (std::max(meets, begin) - end_) / a.append + keeps;
    // Whole segments go: when the first that is not read by then is complete, half of one later in the mean.
    if (a.bound == Bound::kMid && full_segment(a, end_) < kNever) at += full_segment(a, end_) / 2 / a.append;
    return passed({at, cause, true}, a);
  }

  Found passed(Found f, const Assumption& a) const {
    f.at = std::max(f.at, now_);
    if (f.at == kNever) return f;
    const double every = ms(q_.retention.check_interval_ms);
    if (a.bound == Bound::kHigh) f.at += every;
    if (a.bound != Bound::kMid || every <= 0) return f;
    std::optional<double> pass;
    if (q_.pass_at) pass = static_cast<double>(*q_.pass_at);
    if (!pass && !q_.trail.start_steps().empty()) {
      // The step that was seen between the two closest looks tells best.
      const auto& best = *std::ranges::min_element(q_.trail.start_steps(), {}, [](const StartStep& s) { return s.by - s.after; });
      if (static_cast<double>(best.by - best.after) < every) pass = static_cast<double>(best.after + best.by) / 2;
    }
    f.at = pass ? *pass + std::ceil((f.at - *pass) / every) * every : f.at + every / 2;
    return f;
  }

  const LossQuestion& q_;
  const OffsetSample last_;
  const Timeline timeline_;
  double now_, end_, committed_;
  double segment_ = kNever, kept_ = kNever;   // offsets in a full segment; offsets that retention.bytes keeps
  bool by_time_ = false, by_size_ = false;
};

struct Pace {
  Rate append, growth;   // a second
  bool stopped = false;
};

/// True when the group has committed nothing for much longer than it ever did, with records to read.
bool stands_still(const Trail& trail) {
  const DurationUs usual = std::max(trail.longest_commit_gap(), kCommitPatience);
  return trail.last().committed < trail.last().end && trail.last().at - trail.committed_changed_at() >= std::min(3 * usual, std::max(usual + kMinute, usual * 3 / 2));
}

std::optional<Pace> pace_of(const Trail& trail, DurationUs window) {
  const auto append = trail.append_rate(window), growth = trail.lag_growth(window);
  if (!append || !growth) return std::nullopt;
  Pace p{.append = *append, .growth = *growth, .stopped = stands_still(trail)};
  p.append.low = std::max(0.0, std::min(p.append.low, p.append.mid * (1 - kRateNoise)));
  p.append.high = std::max(p.append.high, p.append.mid * (1 + kRateNoise));
  p.growth.low = std::min(p.growth.low, p.growth.mid - kRateNoise * p.append.mid);
  p.growth.high = std::max(p.growth.high, p.growth.mid + kRateNoise * p.append.mid);
  return p;
}

/// What was measured over a longer time still holds: it is what the last minutes say, as exactly as they can say it.
bool same_regime(const Pace& now, const Pace& longer) {
  const double slack = kRegimeSlack * now.append.mid;
  const auto holds = [slack](const Rate& a, const Rate& b) { return b.mid >= a.low - slack && b.mid <= a.high + slack; };
  return now.stopped == longer.stopped && holds(now.append, longer.append) && holds(now.growth, longer.growth);
}
/// The longer time's rates, and the bounds of both.
Pace steadier(const Pace& now, const Pace& longer) {
  const auto widen = [](const Rate& a, const Rate& b) { return Rate{.low = std::min(a.low, b.low), .mid = b.mid, .high = std::max(a.high, b.high)}; };
  return {.append = widen(now.append, longer.append), .growth = widen(now.growth, longer.growth), .stopped = now.stopped};
}

Assumption assume(const Pace& p, Bound bound, bool stopped) {
  const auto pick = [bound](const Rate& r, bool upwards) { return bound == Bound::kMid ? r.mid : (bound == Bound::kLow) == upwards ? r.high : r.low; };
  const double append = pick(p.append, true), growth = pick(p.growth, true);
  const bool still = stopped || (p.stopped && bound != Bound::kHigh);
  return {.bound = bound, .append = append / kSecond, .read = still ? 0 : std::max(0.0, append - growth) / kSecond};
}

struct Estimated {
  std::optional<LossEstimate> when = {};
  LossCause cause = LossCause::kNone;
  bool not_written_yet = false;
};

std::optional<TimeUs> near(const Found& f, TimeUs now) {
  if (f.at - static_cast<double>(now) > kFarAway) return std::nullopt;
  return static_cast<TimeUs>(f.at);
}

Estimated estimate(const Forecaster& forecaster, const Pace& pace, bool stopped, TimeUs now) {
  const Found low = forecaster.loss(assume(pace, Bound::kLow, stopped));
  const Found mid = forecaster.loss(assume(pace, Bound::kMid, stopped));
  const Found high = forecaster.loss(assume(pace, Bound::kHigh, stopped));
  Estimated e{.when = {}, .cause = mid.cause != LossCause::kNone ? mid.cause : low.cause};
  LossEstimate when;
  when.mid = near(mid, now);
  const auto soonest = near(low, now);
  if (!soonest && !when.mid) return {};
  when.low = soonest ? (when.mid ? std::min(*soonest, *when.mid) : *soonest) : *when.mid;
  when.high = near(high, now);
  if (when.high && when.mid) when.high = std::max(*when.high, *when.mid);
  e.when = when;
  e.not_written_yet = mid.not_written_yet;
  return e;
}

/// By the log start's own moves, where the settings say nothing of them.
Estimated by_start_moves(const Trail& trail, const Pace& pace, bool stopped) {
  const auto& steps = trail.start_steps();
  if (steps.size() < kStepsForRate) return {};
  const double time = static_cast<double>(steps.back().by - steps.front().by) / kSecond;
  const double moved = static_cast<double>(steps.back().to - steps.front().to);
  if (time <= 0) return {};
  const double rate = moved / time, step = moved / static_cast<double>(steps.size() - 1);
  const double headroom = static_cast<double>(trail.last().committed - trail.last().log_start);
  const auto meets = [&](Bound bound, double distance, double start_rate) -> std::optional<TimeUs> {
    const double closing = start_rate - assume(pace, bound, stopped).read * kSecond;
    if (closing <= 0) return std::nullopt;
    const double at = static_cast<double>(trail.last().at) + std::max(0.0, distance) / closing * kSecond;
    return near({at, LossCause::kLogStartMoves}, trail.last().at);
  };
  const auto low = meets(Bound::kLow, headroom - step, rate * (1 + kStartRateNoise)), mid = meets(Bound::kMid, headroom, rate);
  if (!low && !mid) return {};
  return {LossEstimate{.low = low ? std::min(*low, mid.value_or(*low)) : *mid, .mid = mid, .high = meets(Bound::kHigh, headroom + step, rate * (1 - kStartRateNoise))}, LossCause::kLogStartMoves};
}

/// Records younger than retention.ms, and less than retention.bytes of them, cannot have been deleted by these limits.
bool start_moves_unexplained(const LossQuestion& q, const Forecaster& forecaster) {
  const Retention& r = q.retention;
  if (!r.known || !r.deletes || (r.retention_ms < 0 && r.retention_bytes < 0)) return true;
  return forecaster.in_the_dark() && !forecaster.by_time() && !forecaster.by_size();
}

std::string what_is_missing(const LossQuestion& q) {
  if (!q.retention.known) return "the topic's settings could not be read, and the log start has not moved often enough to tell its rate";
  if (q.retention.retention_bytes >= 0 && !q.trail.bytes_per_offset()) return "retention.bytes is set, and the size of the partition is not told";
  return "the timestamp of the first unread record is not known";
}

}  // namespace

std::string_view loss_cause_name(LossCause cause) {
  switch (cause) {
    case LossCause::kNone: return "none";
    case LossCause::kTimeExpiry: return "retention.ms";
    case LossCause::kSizeExpiry: return "retention.bytes";
    case LossCause::kLogStartMoves: return "log start moves";
  }
  return "?";
}

std::string_view loss_state_name(LossState state) {
  switch (state) {
    case LossState::kUnknown: return "unknown";
    case LossState::kNone: return "none";
    case LossState::kComing: return "coming";
    case LossState::kExposed: return "exposed";
  }
  return "?";
}

bool LossForecast::warns(TimeUs now, DurationUs horizon) const {
  return state == LossState::kExposed || (moving && moving->low - now <= horizon);
}

LossForecast forecast_loss(const LossQuestion& q) {
  LossForecast f;
  f.exact_offsets = !q.retention.compacts;
  if (q.trail.empty() || q.trail.last().committed < 0) {
    f.why = "the group has committed nothing in this partition";
    return f;
  }
  const OffsetSample& last = q.trail.last();
  if (last.committed < last.log_start) {
    f.state = LossState::kExposed;
    f.exposed = last.log_start - last.committed;
    return f;
  }
  auto pace = pace_of(q.trail, kShortWindow);
  if (!pace) {
    f.why = "too few looks yet to know the rates";
    return f;
  }
  const Forecaster forecaster(q);
  const bool unexplained = start_moves_unexplained(q, forecaster);
  const auto both = [&](const Pace& p, bool stopped) { return unexplained ? by_start_moves(q.trail, p, stopped) : estimate(forecaster, p, stopped, last.at); };
  Estimated moving = both(*pace, false);
  bool falls_behind = pace->stopped || pace->growth.low > 0;
  // The further away the loss, the longer the time that its rates are taken over, as long as it was the same in all of it.
  for (DurationUs window = 2 * kShortWindow; window <= kLongWindow && window < 2 * q.trail.span(); window *= 2) {
    if (const TimeUs soon = moving.when ? moving.when->mid.value_or(kTimeMax) : kTimeMax; soon - last.at < 2 * window) break;
    const auto longer = pace_of(q.trail, window);
    if (!longer || !same_regime(*pace, *longer)) break;
    falls_behind = falls_behind || longer->growth.low > 0;
    pace = steadier(*pace, *longer);
    moving = both(*pace, false);
  }
  const Estimated stopped = both(*pace, true);
  f.append_rate = pace->append.mid;
  f.read_rate = pace->stopped ? 0 : std::max(0.0, pace->append.mid - pace->growth.mid);
  f.segment_end = forecaster.segment_end(pace->append.mid / kSecond);
  f.moving = moving.when;
  f.stopped = stopped.when;
  f.cause = moving.cause;
  f.stopped_cause = stopped.cause;
  // What is lost of records that are not written yet is lost by a group that falls behind; a lag that only wavers reaches everything at last, and means nothing.
  const bool comes = moving.when && moving.when->mid && (!moving.not_written_yet || falls_behind);
  const bool nothing_deletes = q.retention.known && (!q.retention.deletes || (q.retention.retention_ms < 0 && q.retention.retention_bytes < 0));
  const bool too_few_moves = unexplained && !nothing_deletes && q.trail.start_steps().size() < kStepsForRate;
  f.state = comes ? LossState::kComing : LossState::kNone;
  if (too_few_moves || (!unexplained && forecaster.in_the_dark())) {
    f.state = LossState::kUnknown;
    f.why = what_is_missing(q);
  }
  return f;
}

const LossForecast* limiting(const std::vector<LossForecast>& forecasts) {
  const auto rank = [](const LossForecast& f) -> std::pair<int, TimeUs> {
    switch (f.state) {
      case LossState::kExposed: return {0, -f.exposed};
      case LossState::kComing: return {1, f.moving->low};
      case LossState::kUnknown: return {2, 0};
      case LossState::kNone: return {3, f.stopped ? f.stopped->low : kTimeMax};
    }
    return {4, 0};
  };
  const auto soonest = std::ranges::min_element(forecasts, {}, rank);
  return soonest == forecasts.end() ? nullptr : &*soonest;
}

}  // namespace supyo::diagnosis
