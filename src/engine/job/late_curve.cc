#include "engine/job/late_curve.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/job/computed_source.h"
#include "engine/job/connectors.h"

namespace supyo::job {
namespace {

constexpr std::size_t kLongestSeconds = 7 * 86400;

// Counts of a non-negative distance in seconds, rounded so that "needs more than b" is exact for whole seconds of b.
class Histogram {
 public:
  Histogram() : counts_(kLongestSeconds + 2, 0) {}
  void add(std::size_t seconds) { ++counts_[std::min(seconds, kLongestSeconds + 1)]; }
  // Number of entries with a value of at least `seconds`.
  void accumulate() {
    for (std::size_t i = counts_.size() - 1; i-- > 0;) counts_[i] += counts_[i + 1];
  }
  std::uint64_t at_least(std::size_t seconds) const { return counts_[std::min(seconds, kLongestSeconds + 1)]; }

 private:
  std::vector<std::uint64_t> counts_;
};

std::size_t ceil_seconds(DurationUs us) { return static_cast<std::size_t>((us + kSecond - 1) / kSecond); }

class Counter final : public dataflow::SourceOutput {
 public:
  Counter(const plan::Scan& scan, const WindowSpec* window, std::size_t splits) : scan_(scan), window_(window), highest_(splits, kTimeMin) {}

  Status emit(dataflow::SourceBatch b) override {
    if (!b.batch) return ok();
    const Column& times = *b.batch->columns[scan_.row_time->column];
    for (std::size_t r = 0; r < b.batch->rows; ++r) {
      if (null_row(*b.batch, r)) {
        ++dead_;
        continue;
      }
      count(times.value<TimeUs>(r), highest_[b.split]);
    }
    return ok();
  }
  Status dead(dataflow::DeadRecord) override {
    ++dead_;
    return ok();
  }
  void quiet(std::uint32_t) override {}

  void finish() {
    behind.accumulate();
    late.accumulate();
  }

  Histogram behind;        // smallest bound in seconds with which the row is not behind
  Histogram late;          // smallest bound with which the (row, window) pair is not late
  std::uint64_t rows = 0;
  std::uint64_t pairs = 0;
  std::uint64_t dead_count() const { return dead_; }

 private:
  bool null_row(const Batch& b, std::size_t r) const {
    for (std::size_t c = 0; c < b.columns.size(); ++c)
      if (b.columns[c]->is_null(r) && (c == scan_.row_time->column || (c < scan_.not_null.size() && scan_.not_null[c]))) return true;
    return false;
  }

  void count(TimeUs t, TimeUs& highest) {
    ++rows;
    // behind(b) <=> highest - t > b <=> b < highest - t: the row stops being behind at b = ceil(highest - t).
    behind.add(highest == kTimeMin || highest <= t ? 0 : ceil_seconds(highest - t));
    if (window_ != nullptr) count_windows(t, highest);
    highest = std::max(highest, t);
  }

  void count_windows(TimeUs t, TimeUs highest) {
    const DurationUs slide = window_->kind == WindowSpec::Kind::kTumble ? window_->size_us : window_->slide_us;
    const TimeUs shifted = t - window_->offset_us;
    const TimeUs last_start = shifted - ((shifted % slide) + slide) % slide + window_->offset_us;
    for (TimeUs start = last_start; start > t - window_->size_us; start -= slide) {
      ++pairs;
      // late(b) <=> end - 1 ms <= highest - b <=> b <= highest - end + 1 ms: late for every whole second up to the floor, so it needs one more.
      const DurationUs reach = highest == kTimeMin ? -1 : highest - (start + window_->size_us) + kWindowGrain;
      late.add(reach < 0 ? 0 : static_cast<std::size_t>(reach / kSecond) + 1);
    }
  }

  const plan::Scan& scan_;
  const WindowSpec* window_;
  std::vector<TimeUs> highest_;
  std::uint64_t dead_ = 0;
};

double rate(std::uint64_t part, std::uint64_t whole) { return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole); }

LateCurve::Point point_at(const Counter& c, DurationUs bound) {
  // A row is counted when the bound that it needs is above `bound`.
  const std::size_t more = static_cast<std::size_t>(bound / kSecond) + 1;
  return {bound, rate(c.behind.at_least(more), c.rows), rate(c.late.at_least(more), c.pairs)};
}

std::optional<DurationUs> needed(const Histogram& h, std::uint64_t whole, double target) {
  if (whole == 0) return std::nullopt;
  for (std::size_t s = 0; s <= kLongestSeconds; ++s)
    if (rate(h.at_least(s + 1), whole) < target) return static_cast<DurationUs>(s) * kSecond;
  return std::nullopt;
}

std::string window_text(const WindowSpec& w) {
  if (w.kind == WindowSpec::Kind::kTumble) return "TUMBLE " + format_duration(w.size_us);
  return fmt::format("HOP {} every {}", format_duration(w.size_us), format_duration(w.slide_us));
}

}  // namespace

Result<LateCurve> late_curve(const env::Env& env, Engine& engine, const plan::Job& job, const std::string& base_directory, const LateCurveOptions& options) {
  SUPYO_ASSIGN(const plan::PhysicalPlan physical, engine.plan(job));
  const plan::Scan* scan = nullptr;
  const plan::PhysicalNode* node = nullptr;
  const WindowSpec* window = nullptr;
  for (const plan::PhysicalNode& n : physical.nodes) {
    if (const auto* s = n.as<plan::Scan>(); s != nullptr && s->row_time) {
      if (scan != nullptr) return fail(ErrorCode::kInvalidQuery, "more than one table of this file has a WATERMARK", "ask for one pipeline at a time");
      scan = s;
      node = &n;
    }
    if (const auto* w = n.as<plan::WindowAggregate>()) window = &w->window;
  }
  if (scan == nullptr) return fail(ErrorCode::kNoTimeAttribute, "no table that this file reads has a WATERMARK", "declare WATERMARK FOR column AS column - INTERVAL '..'");
  const auto it = connectors().find(scan->table.connector());
  if (it == connectors().end() || !it->second.source) return fail(ErrorCode::kUnknownConnector, "table '" + scan->table.path.name + "' cannot be read");
  SUPYO_ASSIGN(auto source, it->second.source({scan->table, scan->columns, base_directory}, {env, {}}));
  if (scan->computed_watermark) return fail(ErrorCode::kUnsupported, "the WATERMARK of '" + scan->table.path.name + "' is not one length of time behind its column", "other bounds can be tried of WATERMARK FOR t AS t - INTERVAL '..'");
  if (scan->computed_row_time) {
    SUPYO_ASSIGN(const Zone zone, Zone::parse(engine.settings().get(config::kLocalTimeZone)));
    source = with_computed_columns(std::move(source), {scan->computed_row_time}, zone);
  }
  if (!source->bounded()) return fail(ErrorCode::kUnsupported, "table '" + scan->table.path.name + "' never ends", "give it a bound ('scan.bounded.mode'), or read a recorded file");
  SUPYO_ASSIGN(auto splits, source->splits());
  Counter counter(*scan, window, splits.size());
  SUPYO_ASSIGN(auto reader, source->open(std::move(splits), env));
  while (true) {
    SUPYO_ASSIGN(const dataflow::Poll p, reader->poll(Batch::kMaxRows, counter));
    if (p.progress == dataflow::Progress::kDone) break;
  }
  counter.finish();

  LateCurve curve;
  curve.table = scan->table.path.name;
  curve.row_time = node->output[scan->row_time->column].name;
  if (window != nullptr) curve.window = window_text(*window);
  curve.rows = counter.rows;
  curve.dead = counter.dead_count();
  curve.declared_bound_us = scan->row_time->bound_us;
  curve.declared = point_at(counter, curve.declared_bound_us);
  const double ratio = static_cast<double>(options.to_us) / static_cast<double>(options.from_us);
  for (std::size_t i = 0; i < options.points; ++i) {
    const double at = options.points == 1 ? 0 : static_cast<double>(i) / static_cast<double>(options.points - 1);
    const auto bound = static_cast<DurationUs>(std::llround(static_cast<double>(options.from_us) * std::pow(ratio, at) / kMinute)) * kMinute;
    if (curve.points.empty() || curve.points.back().bound_us != bound) curve.points.push_back(point_at(counter, bound));
  }
  curve.behind_needs_us = needed(counter.behind, counter.rows, options.target);
  if (window != nullptr) curve.window_needs_us = needed(counter.late, counter.pairs, options.target);
  return curve;
}

}  // namespace supyo::job
