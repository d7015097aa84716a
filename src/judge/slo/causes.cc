#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "judge/slo/judge_impl.h"

/// Why readers wait: the stages of the waterfall, each against what it usually takes, and records that are stuck in one of them.
namespace supyo::slo {
namespace {

constexpr std::size_t kMoments = 2'000;
constexpr DurationUs kAgain = kMinute;          // a lasting incident is remembered so often
constexpr double kLeastShare = 0.05;            // of the whole weight: less is no cause

enum Stage : std::size_t { kSource, kLog, kProcessing, kWatermark, kEpoch, kCommit, kStages };
struct StageRule {
  std::string_view rule, where, next_step;
};
constexpr std::array<StageRule, kStages> kRules = {{
    {"source-late", "before the log (event to produce)", "the producers are late: look at them, the pipeline cannot make it up"},
    {"log-wait", "in the log, unread", "the job reads slower than records come: look for the busiest operator, raise the parallelism"},
    {"processing-wait", "for the epoch to close", "shorten execution.checkpointing.interval, or find the operator that holds the barrier back"},
    {"watermark-wait", "for the watermark", "a source gives no newer rows: look at its producer and the slowest partition, or set an idle timeout"},
    {"epoch-slow", "for the epoch's durable record", "inspect the write path of the state directory: disk, state size, snapshots"},
    {"commit-slow", "for the sink's commit", "inspect the sink: is its system slow or down? raise its parallelism or separate the store"},
}};

struct Waiting {
  std::uint64_t records = 0;
  double record_seconds = 0;
  DurationUs oldest_us = 0;
};

double seconds(double us) { return us / static_cast<double>(kSecond); }

std::array<std::int64_t, kStages> stages_of(const Waterfall& w) { return {w.source_us, w.log_us, w.interval_us, w.watermark_us, w.epoch_us, w.commit_us}; }

std::string show(double s) { return s < 0.0005 ? "0 s" : show_duration(static_cast<DurationUs>(s < 10 ? std::round(s * 100) * 10'000 : std::round(s) * kSecond)); }

/// Which stage the records are in that are taken and not visible.
std::array<Waiting, kStages> waiting_by_stage(const PendingRecords& records, Epoch last_final, Epoch last_visible, TimeUs now) {
  std::array<Waiting, kStages> out{};
  records.for_each([&](const PendingRecords::Chunk& c) {
    const Stage stage = c.first_cut_us == kTimeMin ? kProcessing : c.epoch <= last_visible ? kWatermark : c.epoch <= last_final ? kCommit : kEpoch;
    Waiting& w = out[stage];
    const DurationUs age = std::max<DurationUs>(now - c.mean_taken_us(), 0);
    w.records += c.records;
    w.record_seconds += static_cast<double>(c.records) * seconds(static_cast<double>(age));
    w.oldest_us = std::max(w.oldest_us, age);
  });
  return out;
}

}  // namespace

/// The stages beyond what is usual: the mean before anything was wrong, within the last hour.
void Judge::Impl::stage_causes(TimeUs now, std::vector<Cause>& out) const {
  const TimeUs wrong_since = spike.since_us != kTimeMin ? spike.since_us : state == State::kOk ? now : state_since_us;
  Waterfall minute, usual;
  for (const auto& [t, w] : waterfalls) {
    if (t > now - kMinute) minute += w;
    else if (t <= wrong_since - kMinute) usual += w;
  }
  if (usual.records == 0 && state == State::kUnknown && spike.since_us == kTimeMin) return;   // nobody is known to wait, and nothing to be longer than
  const auto took = stages_of(minute), before = stages_of(usual);
  const auto waits = waiting_by_stage(records, last_final, last_visible, now);
  const double n = std::max(static_cast<double>(minute.records), 1.0);
  for (std::size_t i = 0; i < kStages; ++i) {
    const double mean = seconds(static_cast<double>(took[i])) / n;
    const double usually = usual.records == 0 ? 0 : seconds(static_cast<double>(before[i])) / static_cast<double>(usual.records);
    const double beyond = std::max(mean - usually, 0.0) * n + std::max(waits[i].record_seconds - usually * static_cast<double>(waits[i].records), 0.0);
    Cause c{.rule = std::string(kRules[i].rule), .weight = beyond, .numbers = {}, .evidence = {}, .next_step = std::string(kRules[i].next_step)};
    c.numbers = {{"waiting", static_cast<double>(waits[i].records)}, {"oldest_s", seconds(static_cast<double>(waits[i].oldest_us))},
                 {"mean_s", minute.records == 0 ? std::numeric_limits<double>::quiet_NaN() : mean}, {"usual_s", usual.records == 0 ? std::numeric_limits<double>::quiet_NaN() : usually}};
    if (waits[i].records > 0) c.evidence = fmt::format("{} records wait {} now, the oldest for {}", waits[i].records, kRules[i].where, show(seconds(static_cast<double>(waits[i].oldest_us))));
    if (minute.records > 0) {
      if (!c.evidence.empty()) c.evidence += "; ";
      c.evidence += fmt::format("in the last minute a record waited {} {} on average", show(mean), kRules[i].where);
      if (usual.records > 0) c.evidence += fmt::format(", {} usually", show(usually));
    }
    if (i == kWatermark && last_taken_us != kTimeMin && now - last_taken_us >= 10 * kSecond) {
      const double quiet = seconds(static_cast<double>(now - last_taken_us));
      c.numbers.emplace_back("quiet_s", quiet);
      c.evidence += fmt::format("; no record has come for {}", show(quiet));
    }
    out.push_back(std::move(c));
  }
}

std::vector<Cause> Judge::Impl::causes(TimeUs now) const {
  std::vector<Cause> all, out;
  stage_causes(now, all);
  double sum = 0;
  for (const Cause& c : all) sum += c.weight;
  for (Cause& c : all)
    if (c.weight > kLeastShare * sum) out.push_back(std::move(c));
  const auto count = [&](std::string_view rule, std::uint64_t n, double weight, std::string evidence, std::string_view next) {
    if (n > 0) out.push_back({.rule = std::string(rule), .weight = weight, .numbers = {{"records", static_cast<double>(n)}}, .evidence = std::move(evidence), .next_step = std::string(next)});
  };
  constexpr double kFirst = 1e18;   // what is gone, and a job that does not run, come before what is slow
  if (silent(now)) {
    const double quiet = seconds(static_cast<double>(now - last_word_us));
    out.push_back({.rule = "job-silent", .weight = kFirst, .numbers = {{"silent_s", quiet}}, .evidence = fmt::format("no word from the job for {}", show(quiet)),
                   .next_step = "look whether the process lives and what it waits for; start it again on its state directory"});
  }
  if (lost_us != kTimeMin && now - lost_us < 10 * kMinute)
    count("records-lost", totals.lost, kFirst / 10, fmt::format("{} records were deleted before they were read", totals.lost), "raise the topic's retention now, then find out why the job was behind");
  count("epochs-fail", failures.size(), kFirst / 100, fmt::format("{} epochs failed in the last 10 min", failures.size()), "read the job's last error; inspect the write path, the sink's system, the state");
  // What is bad for good rather than late: it matters where an objective counts it.
  bool counts_bad = false;
  for (std::size_t i = 0; i < status.size(); ++i) {
    const Measure m = objectives.items[i].measure;
    counts_bad = counts_bad || ((m == Measure::kProcessingSuccess || m == Measure::kCompleteness || m == Measure::kLateEventRate) && status[i].judged && 2 * status[i].budget_left < 1);
  }
  if (counts_bad) {
    count("undecodable", totals.dead, static_cast<double>(totals.dead), fmt::format("{} records could not be decoded since the start", totals.dead), "look at `T$dead` for the reason and tell the producer");
    count("dropped-late", totals.dropped_late, static_cast<double>(totals.dropped_late), fmt::format("{} rows came too late for their window since the start", totals.dropped_late),
          "look at `T$late`; widen the watermark's bound, or allow lateness");
  }
  std::ranges::stable_sort(out, std::greater{}, &Cause::weight);
  return out;
}

/// After each sample: what people will want to look back at.
void Judge::Impl::remember(TimeUs now) {
  const bool wrong = state == State::kIncident || state == State::kAtRisk;
  const bool changed = moments.empty() || moments.back().state != state;
  if (!changed && !wrong) return;
  std::vector<Cause> found = wrong || silent(now) ? causes(now) : std::vector<Cause>();
  const auto first = [](const std::vector<Cause>& c) { return c.empty() ? std::string_view() : std::string_view(c.front().rule); };
  if (!changed && first(found) == first(moments.back().causes) && now - moments.back().t < kAgain) return;
  moments.push_back({.t = now, .state = state, .reasons = reasons, .causes = std::move(found)});
  if (moments.size() > kMoments) moments.pop_front();
}

}  // namespace supyo::slo
