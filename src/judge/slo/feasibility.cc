#include "judge/slo/feasibility.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace supyo::slo {
namespace {

std::unexpected<Error> invalid(const Objectives& all, SourcePosition at, std::string message, std::string hint) {
  Error e{ErrorCode::kObjectiveInvalid, all.file.empty() ? std::move(message) : fmt::format("{}: {}", all.file, message), std::move(hint)};
  if (at.line > 0) e.position = at;
  return std::unexpected<Error>(std::move(e));
}

}  // namespace

bool Feasibility::feasible() const {
  return std::none_of(findings.begin(), findings.end(), [](const Finding& f) { return f.kind == Finding::Kind::kImpossible; });
}

DurationUs predicted_latency(const PipelineTiming& t, double quantile) {
  const DurationUs in_effect = std::max(t.interval_us, t.epoch_us + t.commit_us);
  return t.watermark_bound_us + static_cast<DurationUs>(std::llround(quantile * static_cast<double>(in_effect))) + t.epoch_us + t.commit_us;
}

Feasibility check_feasibility(const Objectives& objectives, const PipelineTiming& timing) {
  Feasibility out;
  bool any_impossible = false;
  for (const Objective& o : objectives.items) {
    if (o.measure != Measure::kEndToEndLatency) continue;
    const DurationUs fixed = timing.watermark_bound_us + timing.epoch_us + timing.commit_us;
    const DurationUs room = o.threshold_us - fixed;
    const DurationUs expected = predicted_latency(timing, o.target);
    const std::string sum = fmt::format("p{:g} = {} bound + {:g} x {} interval + {} epoch + {} commit = {}", o.target * 100, show_duration(timing.watermark_bound_us), o.target,
                                        show_duration(std::max(timing.interval_us, timing.epoch_us + timing.commit_us)), show_duration(timing.epoch_us),
                                        show_duration(timing.commit_us), show_duration(expected));
    const auto largest = static_cast<DurationUs>(std::floor(static_cast<double>(room) / o.target + 1e-6));
    // An interval shorter than D + C changes nothing: the next epoch is not cut before the last one is visible.
    if (room <= 0 || largest < timing.epoch_us + timing.commit_us) {
      any_impossible = true;
      out.findings.push_back({Feasibility::Finding::Kind::kImpossible, o.name,
                              fmt::format("{}: no commit interval meets {}", sum, show_duration(o.threshold_us))});
      continue;
    }
    out.largest_interval_us = std::min(out.largest_interval_us.value_or(largest), largest);
    out.findings.push_back({expected < o.threshold_us ? Feasibility::Finding::Kind::kFine : Feasibility::Finding::Kind::kImpossible, o.name,
                            fmt::format("{}, {} {}; largest interval {}", sum, expected < o.threshold_us ? "below" : "not below", show_duration(o.threshold_us),
                                        show_duration(largest / kMillisecond * kMillisecond))});
  }
  if (any_impossible) out.largest_interval_us.reset();
  for (const Objective& o : objectives.items) {
    if (o.measure == Measure::kCheckpointDuration && out.largest_interval_us && o.threshold_us > *out.largest_interval_us) {
      out.findings.push_back({Feasibility::Finding::Kind::kWarning, o.name,
                              fmt::format("epochs may last {} here, but the latency objective breaks long before", show_duration(o.threshold_us))});
    }
    if (o.measure == Measure::kFreshness && predicted_latency(timing, 1.0) >= o.threshold_us) {
      out.findings.push_back({Feasibility::Finding::Kind::kImpossible, o.name,
                              fmt::format("just before a commit the newest visible event is {} old, not below {}", show_duration(predicted_latency(timing, 1.0)), show_duration(o.threshold_us))});
    }
  }
  return out;
}

Status check_consistent(const Objectives& all) {
  for (const Objective& o : all.items) {
    for (const BurnAlert& a : o.alerts) {
      const double most = 1 / (1 - o.target);
      if (a.threshold > most + 1e-9) {
        return invalid(all, a.position, fmt::format("alert '{}' of {} can never fire: the budget burns at most {:.3g} times too fast, it waits for {:g}", a.name, o.name, most, a.threshold),
                       fmt::format("a threshold up to {:.3g}", most));
      }
      if (a.threshold <= 0) return invalid(all, a.position, fmt::format("alert '{}' of {} fires always", a.name, o.name), "a threshold above zero");
      if (a.short_window_us > a.long_window_us) return invalid(all, a.position, fmt::format("alert '{}' of {}: the short window is longer than the long one", a.name, o.name), "alertAfter below lookbackWindow");
    }
    for (const Objective& p : all.items) {
      if (&o == &p || o.measure != p.measure || o.clock != p.clock || o.reference != p.reference || o.window_us != p.window_us) continue;
      if (o.threshold_us <= p.threshold_us && o.target >= p.target && (o.threshold_us != p.threshold_us || o.target != p.target || &o < &p)) {
        return invalid(all, p.position, fmt::format("objective {} says nothing: {} is at least as strict in everything", p.name, o.name), "take one of them away, or give them different windows");
      }
    }
  }
  const Objective* latency = all.find(Measure::kEndToEndLatency);
  const Objective* fresh = all.find(Measure::kFreshness);
  if (latency != nullptr && fresh != nullptr && latency->clock == LatencyClock::kEvent && fresh->threshold_us < latency->threshold_us) {
    return invalid(all, fresh->position, fmt::format("{} asks for {} and {} allows records {} to become visible: they contradict each other", fresh->name, show_duration(fresh->threshold_us),
                                                     latency->name, show_duration(latency->threshold_us)), "a freshness bound above the latency threshold");
  }
  return ok();
}

}  // namespace supyo::slo
