#include <algorithm>
#include <utility>

#include "judge/slo/judge_impl.h"

namespace supyo::slo {
namespace {

constexpr DurationUs kWaited = kMinute;            // by so much a clock that went back is waited for
constexpr DurationUs kSettled = 10 * kSecond;      // so long it has to stay back, before it is believed: a thread that was stopped brings an old time, too
constexpr DurationUs kJump = 5 * kSecond;          // by so much a clock may be set forward without a word
constexpr DurationUs kAhead = 5 * kSecond;         // clocks of producers differ by as much without anything being wrong

}  // namespace

/// Ages are differences to this clock, so nothing can be said of them until it is where it was: what was good is not known to be any more, what was broken stays so.
void Judge::Impl::clock_went_back(TimeUs now) {
  const TimeUs last = next_sample_us - options.sample_us;
  if (clock_back && now >= back_at_us) {
    if (last - now < kWaited || now - back_at_us < kSettled) return;
    const std::string by = show_duration((last - now) / kSecond * kSecond);
    forward = {};
    ahead_us = INT64_MIN;
    begin_anew(now, fmt::format("the clock stays {} back: judging begins anew by it, what was counted in the time that comes again is forgotten", by));
    return;
  }
  back_at_us = now;
  if (std::exchange(clock_back, true)) return;
  const std::string what = fmt::format("the clock went back by {}: nothing can be judged until it has settled", show_duration((last - now) / kSecond * kSecond));
  note(last, what);
  for (ObjectiveStatus& s : status) s.judged = s.judged && s.breached;
  if (state == State::kIncident) {
    reasons.push_back(what);
    return;
  }
  if (state != State::kUnknown) note(last, fmt::format("state {} -> {}", state_name(state), state_name(State::kUnknown)));
  state = State::kUnknown;
  state_since_us = state_cause_us = last;
  reasons = {what};
}

/// A jump against a clock that nobody sets is no time that passed: ages by it say nothing until it is known who is right. `now` is never read after the other clock, so a thread that was
/// stopped between the two makes the difference smaller only, and the largest counts.
bool Judge::Impl::clock_went_forward(TimeUs now) {
  if (!options.steady_us) return false;
  const DurationUs ahead = now - options.steady_us();
  const DurationUs by = ahead_us == INT64_MIN ? 0 : ahead - ahead_us;
  ahead_us = std::max(ahead_us, ahead);
  if (by <= kJump) return false;
  const TimeUs before = now - by;
  forward = {before, by + (forward_at_us == kTimeMin ? 0 : forward.by_us)};
  forward_at_us = now;
  note(before, fmt::format("the clock went forward by {}: nothing can be judged until it has settled", show_duration((by + kSecond / 2) / kSecond * kSecond)));
  // The job's own times go with it: their differences to what comes were lived through.
  const auto with_it = [by](TimeUs& t) { if (t != kTimeMin) t += by; };
  for (auto& [epoch, info] : epochs) {
    with_it(info.cut_us);
    with_it(info.final_us);
  }
  for (Split& s : splits) with_it(s.polled_us);
  for (TimeUs* t : {&last_word_us, &last_taken_us, &last_cut_us, &last_visible_us, &lost_us, &upstream_known_us, &upstream_done_us, &state_cause_us}) with_it(*t);
  delay = {};
  next_sample_us = (now / options.sample_us + 1) * options.sample_us;
  judge_objectives(now);
  update_state(now);
  return true;
}

void Judge::Impl::note_delay(std::span<const TimeUs> produce_us, TimeUs now) {
  if (produce_us.empty() || produce_us.front() <= forward.before_us) return;
  delay.sum_us += now - produce_us.front();
  ++delay.takes;
}

/// Since it went forward: do records come as much older as it went, so that those who stamp them did not go with it?
void Judge::Impl::compare_delays(TimeUs now) {
  const Delay last = std::exchange(delay, {});
  if (forward_at_us == kTimeMin) {
    if (last.takes > 0) usual_delay_us = last.mean();
    return;
  }
  if (last.takes > 0) ahead_of_producers = last.mean() >= usual_delay_us + forward.by_us / 2;
  if (ahead_of_producers || (last.takes == 0 && now - forward_at_us < kSettled)) return;
  begin_anew(now, fmt::format("the clock went forward by {}: judging begins anew by it", show_duration((forward.by_us + kSecond / 2) / kSecond * kSecond)));
}

/// The clock stays where it is: judging goes on by it. What was counted, sampled and sketched in the time that comes again is forgotten; records under way are kept at the age that they
/// have by the new clock. An INCIDENT is left as ever: after a minute without its cause.
void Judge::Impl::begin_anew(TimeUs now, std::string why) {
  forward_at_us = kTimeMin;
  ahead_of_producers = false;
  const auto upto = [now](TimeUs& t) { t = std::min(t, now); };
  for (SlotCounter& c : counters) c.forget_after(now);
  slices.assign(slices.size(), {});
  records.taken_by(now);
  results.taken_by(now);
  for (auto& [epoch, info] : epochs) {
    upto(info.cut_us);
    upto(info.final_us);
  }
  for (Split& s : splits) {
    upto(s.newest_visible_us);
    s.quiet_at_us = kTimeMin;
    upto(s.polled_us);
    s.ends.clear();
    s.burrow = {};
  }
  for (TimeUs& t : newest_result_us) upto(t);
  for (auto& [_, w] : writers) upto(w.taken_us);
  for (TimeUs* t : {&last_word_us, &last_taken_us, &last_cut_us, &last_visible_us, &lost_us, &upstream_known_us, &upstream_done_us, &state_since_us, &state_cause_us}) upto(*t);
  for (auto& of_objective : alerts)
    for (Ongoing& o : of_objective) o = {};
  raw_above = sink_slow = spike = {};
  failures.clear();
  for (RollingSketch* s : {&e2e, &pipe, &stream_lag, &checkpoints}) s->forget();
  waterfalls.clear();
  open_waterfall = {};
  series.forget_after(now);
  for (TimelineEvent& e : timeline) upto(e.t);
  for (Moment& m : moments) upto(m.t);
  for (ObjectiveStatus& s : status) upto(s.breached_since_us);
  started_us = now;
  next_sample_us = (now / options.sample_us + 1) * options.sample_us;
  clock_back = false;
  stepped = true;
  note(now, why);
  anew = std::move(why);
}

/// After a step: which of the two is right, this clock or those that stamped the records? Where most are ahead of it their ages say nothing.
void Judge::Impl::compare_clocks(std::span<const TimeUs> produce_us, TimeUs now) {
  const auto ahead = static_cast<std::uint64_t>(std::ranges::count_if(produce_us, [now](TimeUs t) { return t > now + kAhead; }));
  stamped.bad += ahead;
  stamped.good += produce_us.size() - ahead;
}

}  // namespace supyo::slo
