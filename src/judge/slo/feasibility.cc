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

DurationUs largest_epoch(const Objective& latency, const PipelineTiming& timing) {
  const double room = static_cast<double>(latency.threshold_us - timing.watermark_bound_us) / (1 + latency.target);
  return static_cast<DurationUs>(std::floor(room)) - timing.commit_us;
}

namespace {
/// An epoch as long as its own objective allows makes records too old for the latency objective, whatever the interval.
void contradict_checkpoint(const Objective& o, const Objectives& all, const PipelineTiming& timing, Feasibility& out) {
  for (const Objective& latency : all.items) {
    if (latency.measure != Measure::kEndToEndLatency || latency.reference != Reference::kRecord) continue;
    const DurationUs most = largest_epoch(latency, timing);
    if (o.threshold_us <= most) continue;
    const PipelineTiming at_limit{.interval_us = 0, .epoch_us = o.threshold_us, .commit_us = timing.commit_us, .watermark_bound_us = timing.watermark_bound_us};
    out.findings.push_back({Feasibility::Finding::Kind::kWarning, o.name,
                            fmt::format("epochs of {}, which it allows, and {} under {} cannot both hold: with them p{:g} is at least {}; {}", show_duration(o.threshold_us), latency.name,
                                        show_duration(latency.threshold_us), latency.target * 100, show_duration(predicted_latency(at_limit, latency.target)),
                                        most > 0 ? fmt::format("{} allows epochs up to {}", latency.name, show_duration(most / kMillisecond * kMillisecond)) : "no epoch is short enough")});
  }
}
}  // namespace

std::optional<Sizing> size_for(const Objectives& objectives, const PipelineTiming& timing, const Load& load) {
  Sizing s;
  const Objective* overdue = nullptr;   // the objective that says how late a record may be at all
  for (const Objective& o : objectives.items) {
    if (o.role != Role::kDeciding || !o.has_threshold()) continue;
    const DurationUs breaks = o.threshold_us + static_cast<DurationUs>((1 - o.target) * static_cast<double>(o.window_us));
    if (s.first.empty() || breaks < s.tolerated_us) {
      s.first = o.name;
      s.tolerated_us = breaks;
    }
    const bool success = o.measure == Measure::kProcessingSuccess;
    const bool latency = o.measure == Measure::kEndToEndLatency;
    if ((success || latency) && (overdue == nullptr || (success && overdue->measure != Measure::kProcessingSuccess))) overdue = &o;
  }
  if (s.first.empty()) return std::nullopt;
  s.retention_us = s.tolerated_us + load.repair_us;
  if (overdue != nullptr) s.stall_us = std::max<DurationUs>(0, overdue->threshold_us - predicted_latency(timing, 1));
  const double partitions = std::max(1.0, static_cast<double>(load.partitions));
  if (load.records_per_s > 0) {
    s.queue_records = std::ceil(load.records_per_s * static_cast<double>(s.stall_us) / kSecond);
    if (load.record_bytes > 0) s.retention_bytes = std::ceil(load.records_per_s * load.record_bytes * static_cast<double>(s.retention_us) / kSecond / partitions);
    if (load.member_records_per_s > 0) s.fewest_members = static_cast<std::uint32_t>(std::min(1e9, std::ceil(load.records_per_s / load.member_records_per_s)));
  }
  if (load.partitions > 0) s.most_members = load.partitions;
  return s;
}

Feasibility check_feasibility(const Objectives& objectives, const PipelineTiming& declared) {
  const PipelineTiming timing = declared.readable_as_written ? PipelineTiming{.interval_us = 0, .watermark_bound_us = declared.watermark_bound_us, .readable_as_written = true} : declared;
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
    if (o.measure == Measure::kCheckpointDuration && !timing.readable_as_written) contradict_checkpoint(o, objectives, timing, out);
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
      if (a.short_window_us > a.long_window_us) return invalid(all, a.position, fmt::format("alert '{}' of {}: the short window is longer than the long one", a.name, o.name), "supyo.dev/shortWindow below lookbackWindow");
      if (a.severity == "page" && o.role == Role::kAdvising) {
        return invalid(all, a.position, fmt::format("alert '{}' pages for {}, which only advises", a.name, o.name), "severity: ticket, or role: deciding where readers experience it");
      }
    }
    for (const Objective& p : all.items) {
      if (o.measure == Measure::kDuplicateRate && p.measure == o.measure && p.identity != o.identity)
        return invalid(all, p.position, fmt::format("{} and {} have different identities", o.name, p.name), "one identity a file: what tells one event from another");
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
