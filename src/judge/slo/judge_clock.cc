#include <algorithm>
#include <utility>

#include "judge/slo/judge_impl.h"

namespace supyo::slo {
namespace {

constexpr DurationUs kWaited = kMinute;            // by so much a clock that went back is waited for
constexpr DurationUs kSettled = 10 * kSecond;      // so long it has to stay back, before it is believed: a thread that was stopped brings an old time, too
constexpr DurationUs kAhead = 5 * kSecond;         // clocks of producers differ by as much without anything being wrong

}  // namespace

/// Ages are differences to this clock, so nothing can be said of them until it is where it was: what was good is not known to be any more, what was broken stays so.
void Judge::Impl::clock_went_back(TimeUs now) {
  const TimeUs last = next_sample_us - options.sample_us;
  if (clock_back && now >= back_at_us) {
    if (last - now >= kWaited && now - back_at_us >= kSettled) begin_anew(now);
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

/// The clock stays where it is: judging goes on by it. What was counted, sampled and sketched in the time that comes again is forgotten; records under way are kept at the age that they
/// have by the new clock. An INCIDENT is left as ever: after a minute without its cause.
void Judge::Impl::begin_anew(TimeUs now) {
  const TimeUs last = next_sample_us - options.sample_us;
  const auto upto = [now](TimeUs& t) { t = std::min(t, now); };
  for (SlotCounter& c : counters) c.forget_after(now);
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
  note(now, fmt::format("the clock stays {} back: judging begins anew by it, what was counted in the time that comes again is forgotten", show_duration((last - now) / kSecond * kSecond)));
}

/// After a step: which of the two is right, this clock or those that stamped the records? Where most are ahead of it their ages say nothing.
void Judge::Impl::compare_clocks(std::span<const TimeUs> produce_us, TimeUs now) {
  const auto ahead = static_cast<std::uint64_t>(std::ranges::count_if(produce_us, [now](TimeUs t) { return t > now + kAhead; }));
  stamped.bad += ahead;
  stamped.good += produce_us.size() - ahead;
}

}  // namespace supyo::slo
