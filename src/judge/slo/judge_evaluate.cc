#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "judge/slo/judge_impl.h"

namespace supyo::slo {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr DurationUs kClockSlack = 5 * kSecond;  // by so much a clock may be set back without a word
constexpr DurationUs kLossShown = 10 * kMinute;  // how long a loss keeps the state at INCIDENT; it stays counted for good

double seconds(DurationUs us) { return us < 0 ? kNaN : static_cast<double>(us) / static_cast<double>(kSecond); }

bool over_budget(const Counts& c, double target) { return c.total() > 0 && static_cast<double>(c.bad) > (1 - target) * static_cast<double>(c.total()); }

// UNKNOWN stands between AT RISK and INCIDENT: it hides what is good, never what is bad.
int rank(State s) {
  switch (s) {
    case State::kOk: return 0;
    case State::kAtRisk: return 1;
    case State::kUnknown: return 2;
    case State::kIncident: return 3;
  }
  return 3;
}

std::string_view what_to_inspect(Measure m) {
  switch (m) {
    case Measure::kEndToEndLatency:
    case Measure::kFreshness: return "see in which stage readers wait (the waterfall), and what is said there";
    case Measure::kProcessingSuccess:
    case Measure::kCompleteness: return "see which records are not visible in time: lost, dropped late, undecodable (`supyo late`, the dead table) or overdue";
    case Measure::kStreamLag: return "the job takes records in late: look at the producers' delay first, then for the busiest operator, or raise the parallelism";
    case Measure::kLateEventRate: return "records come behind the watermark: look at the producers' clocks and delays, or allow more disorder in the WATERMARK";
    case Measure::kWindowLateRate: return "windows close before their records come: allow more disorder in the WATERMARK; `supyo late` shows what was dropped";
    case Measure::kDuplicateRate: return "find who writes twice: producers without idempotence, a restart above a sink in no transaction, a deduplication that forgets too soon";
    case Measure::kCheckpointDuration: return "inspect the write path or the state: the disk of the state directory, the state's size, the sink's prepare";
  }
  return "";
}

std::string describe(const Objective& o, const Counts& counts, DurationUs window, std::uint64_t unfinished_bad) {
  std::string text = fmt::format("{}: {:.2f} % of {} {} in the last {}, {} needed", o.name, 100 * (1 - counts.bad_share()), counts.total(),
                                 o.measure == Measure::kFreshness ? (o.slice_us == kSecond ? "samples fresh" : "slices fresh") : "records good", show_duration(window), show_share(o.target));
  if (unfinished_bad > 0) text += fmt::format("; {} not visible yet and already over {}", unfinished_bad, show_duration(o.threshold_us));
  return text;
}

}  // namespace

void Judge::Impl::advance(TimeUs now) {
  if (!running) return;
  if (now < next_sample_us - options.sample_us - kClockSlack) return clock_went_back(now);
  if (std::exchange(clock_back, false)) ahead_us = INT64_MIN;
  if (next_sample_us <= now && clock_went_forward(now)) return;
  // A long silence is evaluated in bounded work: beyond a day in one step, the samples in between are left out.
  constexpr std::int64_t kMostSamples = 86'400;
  if (now - next_sample_us > kMostSamples * options.sample_us) next_sample_us = now / options.sample_us * options.sample_us;
  while (next_sample_us <= now) {
    const TimeUs at = std::exchange(next_sample_us, next_sample_us + options.sample_us);
    sample(at);
  }
}

void Judge::Impl::sample(TimeUs now) {
  sample_freshness(now);
  e2e.close(now);
  pipe.close(now);
  stream_lag.close(now);
  checkpoints.close(now);
  if (open_waterfall.records > 0) {
    waterfalls.emplace_back(now, open_waterfall);
    open_waterfall = {};
    while (waterfalls.front().first <= now - kHour) waterfalls.pop_front();
  }
  while (!failures.empty() && failures.front() <= now - 10 * kMinute) failures.pop_front();
  if (stamped.total() > 0) behind_producers = 2 * stamped.bad > stamped.total();
  stamped = {};
  compare_delays(now);
  judge_objectives(now);
  update_state(now);
  update_tickets(now);
  record(now);
  remember(now);
}

void Judge::Impl::judge_objectives(TimeUs now) {
  if (forward_at_us != kTimeMin) {
    for (ObjectiveStatus& s : status) s.judged = s.judged && s.breached;
    return;
  }
  for (std::size_t i = 0; i < status.size(); ++i) {
    const bool was = status[i].breached;
    const TimeUs since = status[i].breached_since_us;
    status[i] = status_of(i, now);
    status[i].breached_since_us = was ? since : now;
    if (status[i].breached != was) note(now, fmt::format("objective {} {}", objectives.items[i].name, status[i].breached ? "broken" : "met again"));
    if (status[i].judged) anew.clear();
  }
}

void Judge::Impl::sample_freshness(TimeUs now) {
  DurationUs worst = -1;
  TimeUs newest = kTimeMin;
  unanswered = false;
  split_ages_us.clear();
  fresh_s = fresh_naive_s = -1;
  if (forward_at_us != kTimeMin) return;
  for (std::uint32_t i = 0; i < splits.size(); ++i) {
    const Split& s = splits[i];
    newest = std::max(newest, s.newest_visible_us);
    TimeUs as_of = std::max(s.newest_visible_us, started_us);
    // Proved quiet: the end was polled and nothing is on its way, so what is visible is all there is, as of that poll.
    if (s.quiet_at_us != kTimeMin && records.records_of(i) == 0) as_of = std::max(as_of, s.quiet_at_us);
    split_ages_us.push_back(now - as_of);
    worst = std::max(worst, now - as_of);
    if (s.polled_us != kTimeMin && now - s.polled_us > options.unknown_after_us) unanswered = true;
  }
  if (options.results_of_another && worst >= 0) {
    // Which partition gets no results, and which stands, the results do not tell: the newest of all of them counts.
    split_ages_us.clear();
    worst = now - std::max({newest, started_us, nothing_left_since()});
    if (worst > options.unknown_after_us && (upstream_known_us == kTimeMin || now - upstream_known_us > options.unknown_after_us)) unanswered = true;
  }
  fresh_s = worst < 0 || unanswered ? -1 : static_cast<double>(worst) / static_cast<double>(kSecond);
  fresh_naive_s = newest == kTimeMin ? -1 : static_cast<double>(now - newest) / static_cast<double>(kSecond);
  if (fresh_s < 0) {
    split_ages_us.clear();
    return;
  }
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const Objective& o = objectives.items[i];
    if (o.measure != Measure::kFreshness) continue;
    const bool good = (o.reference == Reference::kRecord ? worst : result_age(now)) < o.bound_us();
    // The sample belongs to the slot that ends now, and to the slice; a slice counts as one when it ends.
    Counts& slice = slices[i];
    slice += {good ? 1U : 0U, good ? 0U : 1U};
    if (now % o.slice_us != 0) continue;
    const bool all = !over_budget(slice, o.slice_target);
    counters[i].add(now - 1, {all ? 1U : 0U, all ? 0U : 1U});
    slice = {};
  }
}

/// As of when everything was read and finished; kTimeMin: it is not, or that cannot be known.
TimeUs Judge::Impl::nothing_left_since() const {
  if (splits.empty() || records.records() > 0) return kTimeMin;
  const TimeUs quiet = std::ranges::min(splits, {}, &Split::quiet_at_us).quiet_at_us;
  return options.results_of_another ? std::min(quiet, upstream_done_us) : quiet;
}

/// Of the newest result that readers have, of the sink that is furthest behind. Where nothing is left to read or to finish it is as new as can be.
DurationUs Judge::Impl::result_age(TimeUs now) const {
  TimeUs as_of = std::max(started_us, nothing_left_since());
  if (!newest_result_us.empty()) as_of = std::max(as_of, *std::ranges::min_element(newest_result_us));
  return now - as_of;
}

/// Records that the log had and that are not read: those that it had `threshold` ago are at least so old.
Counts Judge::Impl::unread(DurationUs threshold, TimeUs now) const {
  Counts c;
  for (const Split& s : splits) {
    if (s.ends.empty()) continue;
    const std::uint64_t known = s.read + s.shown_before;   // readers had what a restart reads again
    const auto beyond = [known](std::uint64_t end) { return end > known ? end - known : 0; };
    std::uint64_t old = 0;
    for (const auto& [t, end] : s.ends)
      if (t <= now - threshold) old = beyond(end);
    const std::uint64_t all = beyond(s.ends.back().second);
    c += {all - std::min(all, old), std::min(all, old)};
  }
  return c;
}

Counts Judge::Impl::unfinished(std::size_t i, TimeUs now) const {
  const Objective& o = objectives.items[i];
  Counts c;
  switch (o.measure) {
    case Measure::kEndToEndLatency:
    case Measure::kProcessingSuccess: {
      const PendingRecords& p = o.reference == Reference::kRecord ? records : results;
      c.bad = p.at_or_before(now - o.bound_us(), o.clock == LatencyClock::kProduce, forward);
      c.good = p.records() - c.bad;
      if (o.reference == Reference::kRecord) c += unread(o.bound_us(), now);
      break;
    }
    case Measure::kStreamLag:
      for (const auto& [epoch, info] : epochs) {
        if (i < info.stream_lag.size()) c += info.stream_lag[i];
      }
      break;
    case Measure::kCheckpointDuration:
      // An epoch that has taken too long already is bad; one that still may be in time is not counted yet.
      for (const auto& [epoch, info] : epochs) c.bad += info.cut_us != kTimeMin && info.final_us == kTimeMin && now - info.cut_us >= o.bound_us() ? 1 : 0;
      break;
    default: break;
  }
  return c;
}

Counts Judge::Impl::counted(std::size_t i, DurationUs window, TimeUs now) { return counters[i].window(window, now); }

ObjectiveStatus Judge::Impl::status_of(std::size_t i, TimeUs now) {
  const Objective& o = objectives.items[i];
  const Counts aged = unfinished(i, now);
  ObjectiveStatus s;
  s.name = o.name;
  s.unfinished = aged;
  s.finished = exported[i].before + counters[i].lifetime();
  s.finished -= exported[i].restored;
  s.window = counted(i, o.window_us, now) + aged;
  s.now = counted(i, options.now_view_us, now) + aged;
  s.judged = now - started_us >= std::min(o.window_us, options.warm_up_us) && s.window.total() > 0;
  s.breached = s.judged && over_budget(s.window, o.target);
  s.budget_left = 1 - s.window.bad_share() / (1 - o.target);
  for (std::size_t k = 0; k < o.alerts.size(); ++k) {
    if (fires(i, k, s, now)) s.alerts.push_back(o.alerts[k].name);
  }
  return s;
}

std::string Judge::Impl::burn_text(std::size_t i, const BurnAlert& a, const ObjectiveStatus& s, TimeUs now) {
  const auto burn = [&](DurationUs w) { return fmt::format("{:.1f} times as fast as it may over {}", (counted(i, w, now) + s.unfinished).bad_share() / (1 - objectives.items[i].target), show_duration(w)); };
  return fmt::format("the error budget is spent {} and {} (alert at {:g}); {:.0f} % of it left", burn(a.long_window_us), burn(a.short_window_us), a.threshold, 100 * std::max(0.0, s.budget_left));
}

bool Judge::Impl::fires(std::size_t i, std::size_t alert, const ObjectiveStatus& s, TimeUs now) {
  const BurnAlert& a = objectives.items[i].alerts[alert];
  const auto burn = [&](DurationUs w) { return (counted(i, w, now) + s.unfinished).bad_share() / (1 - objectives.items[i].target); };
  TimeUs& since = alerts[i][alert].since_us;
  if (!s.judged || burn(a.long_window_us) < a.threshold || burn(a.short_window_us) < a.threshold) {
    since = kTimeMin;
    return false;
  }
  if (since == kTimeMin) since = now;
  return now - since >= a.hold_us;
}

bool Judge::Impl::silent(TimeUs now) const { return now - last_word_us > options.unknown_after_us; }

/// A stalled split must not hide behind lively ones: it is named.
std::string Judge::Impl::oldest_split(const Objective& o) const {
  if (o.measure != Measure::kFreshness || o.reference != Reference::kRecord || split_ages_us.size() < 2) return {};
  const auto oldest = std::ranges::max_element(split_ages_us);
  if (*oldest < o.bound_us()) return {};
  const auto over = std::ranges::count_if(split_ages_us, [&](DurationUs age) { return age >= o.bound_us(); });
  return fmt::format("; {} of {} source splits now over {}, the oldest is number {} with {}", over, split_ages_us.size(), show_duration(o.threshold_us), oldest - split_ages_us.begin(), show_duration(*oldest / kSecond * kSecond));
}

State Judge::Impl::target_state(TimeUs now, std::vector<std::string>& why) {
  bool incident = false, judged = false;
  std::vector<std::string> risks;
  for (std::size_t i = 0; i < status.size(); ++i) {
    const Objective& o = objectives.items[i];
    const ObjectiveStatus& s = status[i];
    if (o.role != Role::kDeciding) continue;
    judged = judged || s.judged;
    bool paged = false;
    for (const std::string& alert : s.alerts) {
      const auto a = std::find_if(o.alerts.begin(), o.alerts.end(), [&](const BurnAlert& x) { return x.name == alert; });
      if (a == o.alerts.end() || a->severity != "page") continue;
      paged = true;
      why.push_back(fmt::format("{}: {}", o.name, burn_text(i, *a, s, now)));
    }
    if (s.breached) why.push_back(describe(o, s.window, o.window_us, s.unfinished.bad) + oldest_split(o));
    incident = incident || s.breached || paged;
    if (s.judged && over_budget(s.now, o.target)) risks.push_back(describe(o, s.now, options.now_view_us, s.unfinished.bad));
  }
  if (lost_us != kTimeMin && now - lost_us < kLossShown) {
    incident = true;
    why.push_back(fmt::format("{} records lost", totals.lost));
  }
  if (silent(now)) {
    why.push_back(fmt::format("no word from the job for {}", show_duration((now - last_word_us) / kSecond * kSecond)));
    return incident ? State::kIncident : State::kUnknown;
  }
  if (incident) return State::kIncident;
  if (behind_producers) {
    why.push_back("the clock went back, and records come from its future: their ages say nothing until clocks agree");
    return State::kUnknown;
  }
  if (forward_at_us != kTimeMin) {
    why.push_back(fmt::format("the clock went forward by {}{}", show_duration((forward.by_us + kSecond / 2) / kSecond * kSecond),
                              ahead_of_producers ? ", and records come as much older than before: their ages say nothing until clocks agree; see which clock is wrong, this machine's first" : ": nothing can be judged until it has settled"));
    return State::kUnknown;
  }
  if (unanswered) {
    why.push_back(options.results_of_another ? "whether the pipeline that writes these results has finished its input, or what there is of them, is not known: nobody answers"
                                             : "what the sources hold is not known: nobody answers for some of them");
    return State::kUnknown;
  }
  if (!judged) {
    const bool decides = std::ranges::any_of(objectives.items, [](const Objective& o) { return o.role == Role::kDeciding; });
    why.push_back(decides ? (anew.empty() ? "not enough seen yet to judge" : anew + "; not enough seen yet to judge") : "no objective decides: all are advising, and open tickets only");
    return State::kUnknown;
  }
  if (!risks.empty()) {
    why = std::move(risks);
    return State::kAtRisk;
  }
  return State::kOk;
}

void Judge::Impl::update_state(TimeUs now) {
  std::vector<std::string> why;
  const State target = target_state(now, why);
  const bool worse_or_same = rank(target) >= rank(state);
  if (worse_or_same) state_cause_us = now;
  // A better state only after its cause was away for clear_after; UNKNOWN ends as soon as there is something to say.
  const bool better = !worse_or_same && (state == State::kUnknown || now - state_cause_us >= options.clear_after_us);
  if (worse_or_same || better) {
    if (target != state) {
      note(now, fmt::format("state {} -> {}", state_name(state), state_name(target)));
      state_since_us = now;
      state_cause_us = now;
    }
    state = target;
    reasons = std::move(why);
  }
  // The moment the reader first feels it: the last minute alone is over the latency objective's budget.
  bool spiking = false;
  for (std::size_t i = 0; i < status.size(); ++i) {
    const Objective& o = objectives.items[i];
    spiking = spiking || (o.measure == Measure::kEndToEndLatency && status[i].judged && over_budget(status[i].now, o.target));
  }
  if (spiking && spike.since_us == kTimeMin) note(now, "end-to-end latency of the last minute above its threshold");
  spike.since_us = spiking ? (spike.since_us == kTimeMin ? now : spike.since_us) : kTimeMin;
}

void Judge::Impl::update_tickets(TimeUs now) {
  const std::vector<Ticket> before = std::exchange(tickets, {});
  // The sink is the bottleneck when making an epoch visible takes half of what one epoch lasts, or more, for two minutes.
  const DurationUs committing = last_final > last_visible && last_visible_us != kTimeMin ? std::max(commit_delay_us, now - last_visible_us - std::max<DurationUs>(interval_us, 0)) : commit_delay_us;
  const bool slow = interval_us > 0 && committing >= 500 * kMillisecond && 2 * committing >= interval_us;
  if (!slow) sink_slow.since_us = kTimeMin;
  else if (sink_slow.since_us == kTimeMin) sink_slow.since_us = now;
  if (slow && now - sink_slow.since_us >= 2 * kMinute) {
    tickets.push_back({"sink-bottleneck",
                       fmt::format("the sink's commit takes {} of an epoch of {}, for {}", show_duration(committing / kMillisecond * kMillisecond),
                                   show_duration(interval_us / kMillisecond * kMillisecond), show_duration((now - sink_slow.since_us) / kSecond * kSecond)),
                       "raise the sink's parallelism or separate the store"});
  }
  if (failures.size() >= 2) {
    tickets.push_back({"checkpoint-failures", fmt::format("{} epochs failed in the last 10 min", failures.size()), "inspect the write path or the state"});
  }
  for (std::size_t i = 0; i < status.size(); ++i) {
    const Objective& o = objectives.items[i];
    if (o.role == Role::kAdvising && status[i].breached) tickets.push_back({o.name, describe(o, status[i].window, o.window_us, 0), std::string(what_to_inspect(o.measure))});
    for (const BurnAlert& a : o.alerts)
      if (std::ranges::find(status[i].alerts, a.name) != status[i].alerts.end()) tickets.push_back({o.name, fmt::format("burn alert {}: {}", a.name, burn_text(i, a, status[i], now)), std::string(what_to_inspect(o.measure))});
  }
  for (const Ticket& t : tickets)
    if (std::ranges::none_of(before, [&](const Ticket& b) { return b.rule == t.rule; })) note(now, fmt::format("ticket {}: {}; {}", t.rule, t.evidence, t.next_step));
}

double Judge::Impl::lag_committed(TimeUs now) const {
  double sum = 0;
  for (const Split& s : splits) {
    if (s.polled_us == kTimeMin || now - s.polled_us > options.unknown_after_us) return kNaN;
    sum += static_cast<double>(s.committed_lag);
  }
  return splits.empty() ? kNaN : sum;
}

double Judge::Impl::lag_fetched(TimeUs now) const {
  double sum = 0;
  for (const Split& s : splits) {
    if (s.polled_us == kTimeMin || now - s.polled_us > options.unknown_after_us) return kNaN;
    sum += static_cast<double>(s.fetch_lag);
  }
  return splits.empty() ? kNaN : sum;
}

BurrowStatus Judge::Impl::burrow(TimeUs now) const {
  BurrowStatus worst = BurrowStatus::kOk;
  for (const Split& s : splits) worst = std::max(worst, s.burrow.status(now));
  return worst;
}

void Judge::Impl::record(TimeUs now) {
  // Unfinished records enter at their age. Display only: of very many, every k-th stands for k.
  scratch_e2e.clear();
  scratch_pipe.clear();
  TimeUs oldest = kTimeMax;
  const std::size_t step = 1 + static_cast<std::size_t>(records.records() / 200'000);
  records.for_each([&](const PendingRecords::Chunk& c) {
    const PendingRecords::Rows r = c.rows();
    for (std::size_t i = 0; i < r.event_us.size(); i += step) {
      const std::uint64_t n = std::uint64_t{r.count_at(i)} * std::min(step, r.event_us.size() - i);
      const DurationUs set = forward.of(r.produce_us[i]);
      scratch_e2e.add(now - r.event_us[i] - set, n);
      scratch_pipe.add(now - r.produce_us[i] - set, n);
      oldest = std::min(oldest, r.produce_us[i] + set);
    }
  });
  const std::vector<double> qs{0.5, 0.95, 0.99};
  const auto e = e2e.window(0).quantiles(qs, &scratch_e2e);
  const auto p = pipe.window(0).quantiles(qs, &scratch_pipe);
  const auto w = e2e.window(1).quantiles({0.95}, &scratch_e2e);
  const double committed = lag_committed(now);
  if (std::isnan(committed) || committed <= options.raw_lag.threshold) raw_above.since_us = kTimeMin;
  else if (raw_above.since_us == kTimeMin) raw_above.since_us = now;
  std::vector<double> v{seconds(e[0]), seconds(e[1]), seconds(e[2]), seconds(w[0]), seconds(p[0]), seconds(p[1]), seconds(p[2]),
                        fresh_s < 0 ? kNaN : fresh_s, fresh_naive_s < 0 ? kNaN : fresh_naive_s, seconds(epoch_duration_us), seconds(commit_delay_us),
                        last_visible_us == kTimeMin ? kNaN : seconds(now - last_visible_us),
                        oldest == kTimeMax ? 0.0 : seconds(std::max<DurationUs>(now - oldest, 0)),
                        committed, lag_fetched(now), static_cast<double>(records.records()), static_cast<double>(sample_in), static_cast<double>(sample_out),
                        static_cast<double>(burrow(now)), static_cast<double>(state)};
  for (const ObjectiveStatus& s : status) {
    v.push_back(s.window.total() == 0 ? kNaN : s.window.bad_share());
    v.push_back(s.now.total() == 0 ? kNaN : s.now.bad_share());
    v.push_back(s.judged ? (s.breached ? 1.0 : 0.0) : kNaN);
  }
  // After a restore inside the process the samples since the cut are evaluated again, and recorded once.
  if (series.times().empty() || now > series.times().back()) series.add(now, v);
  sample_in = sample_out = 0;
}

Decision Judge::decision() const {
  const std::lock_guard lock(mutex_);
  const Impl& d = *impl_;
  const TimeUs now = d.next_sample_us == kTimeMin ? 0 : d.next_sample_us - d.options.sample_us;
  Decision out;
  out.state = d.state;
  out.since_us = d.state_since_us;
  out.reasons = d.reasons;
  out.tickets = d.tickets;
  out.lag_committed = d.lag_committed(now);
  out.lag_fetched = d.lag_fetched(now);
  out.raw_alarm = d.raw_above.since_us != kTimeMin && now - d.raw_above.since_us >= d.options.raw_lag.hold_us;
  out.burrow = d.burrow(now);
  if (out.state == State::kIncident && !out.raw_alarm && out.burrow == BurrowStatus::kOk && !std::isnan(out.lag_committed)) {
    out.reasons.push_back(fmt::format("lag says nothing: {:.0f} records committed lag, {:.0f} fetched lag, Burrow {}; it does not decide", out.lag_committed,
                                      out.lag_fetched, burrow_status_name(out.burrow)));
  }
  return out;
}

}  // namespace supyo::slo
