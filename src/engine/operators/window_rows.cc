#include "engine/operators/window_rows.h"

namespace supyo::operators {
namespace {

/// Whose clocks the windows are cut by.
Zone zone_of(const WindowAggregateSpec& s) {
  if (s.given) return {};
  const Type& time = s.partials ? s.partials->time_type : s.input[s.time_column].type;
  return time.id == TypeId::kTimestampLtz ? s.zone : Zone();
}

/// The first window of the row that came last: neighbours mostly have the same.
struct LastWindow {
  DurationUs length_us = 0;      ///< of the local times [from, to) that it holds for: a tumbling window, a step
  std::int64_t number = 0;
  TimeUs from = 0, to = 0, fires = 0;
  std::uint64_t mix = 0;

  void seek(const WindowBounds& bounds, TimeUs local) {
    if (local >= from && local < to) return;
    number = bounds.windows_of(local).first;
    to = bounds.end(number);
    from = to - length_us;
    fires = bounds.fires(to);
    mix = WindowRows::mix_of(number);
  }
};

}  // namespace

WindowRows::WindowRows(std::shared_ptr<const WindowAggregateSpec> spec, bool sliced)
    : spec_(std::move(spec)), bounds_(spec_->window, zone_of(*spec_)), keys_(spec_->input, spec_->keys), late_(spec_->label), sliced_(sliced) {}

void WindowRows::clear(std::size_t rows) {
  rows_.clear();
  times_.clear();
  hashes_.clear();
  numbers_.clear();
  first_fires_ = kTimeMax;
  rows_.reserve(rows);
  times_.reserve(rows);
  hashes_.reserve(rows);
}

void WindowRows::start(const Batch& batch) {
  clear(batch.rows);
  if (!keyed_) return;
  keys_.start(batch);
  recent_.start(batch, spec_->keys, !spec_->given);
}

void WindowRows::assign_slices(const Batch& batch, TimeUs combined) {
  start(batch);
  const Column& time = *batch.columns[spec_->time_column];
  const auto values = time.values<std::int64_t>();
  LastWindow w{.length_us = spec_->window.slide_us};   // the first of a row's
  std::int64_t step = INT64_MIN, number = 0;           // of which the next three are
  TimeUs ends = 0;
  std::uint64_t mixed = 0;
  for (std::uint32_t row = 0; row < batch.rows; ++row) {
    if (time.is_null(row)) [[unlikely]] {
      late_.add({.row = row, .watermark_us = combined, .reason = LateRows::Reason::kNullTime});
      continue;
    }
    const TimeUs edge = edge_watermark(batch, row, combined);
    w.seek(bounds_, bounds_.local(values[row]));
    const bool late = edge >= w.fires || combined >= w.fires;
    if (late || step != w.number) {
      const WindowBounds::Range range = bounds_.windows_of(bounds_.local(values[row]));
      WindowBounds::Slice slice{.first = range.first, .last = range.first + range.count - 1};
      for (; late && slice.first <= slice.last; ++slice.first) {
        const TimeUs fires = bounds_.fires(bounds_.end(slice.first));
        if (edge < fires && combined < fires) break;
        add_late(row, values[row], slice.first, edge, fires);
      }
      step = late ? INT64_MIN : w.number;
      if (slice.first > slice.last) continue;
      number = bounds_.slice_number(slice);
      first_fires_ = std::min(first_fires_, bounds_.fires(bounds_.end(slice.first)));
      ends = bounds_.fires(bounds_.end(slice.last));
      mixed = mix_of(number);
    }
    add(row, number, ends, mixed);
  }
}

void WindowRows::assign(const Batch& batch, TimeUs combined) {
  start(batch);
  const Column& time = *batch.columns[spec_->time_column];
  const auto values = time.values<std::int64_t>();
  LastWindow w{.length_us = spec_->window.size_us};
  const bool one_window = spec_->window.kind == WindowSpec::Kind::kTumble;
  for (std::uint32_t row = 0; row < batch.rows; ++row) {
    if (time.is_null(row)) [[unlikely]] {
      late_.add({.row = row, .watermark_us = combined, .reason = LateRows::Reason::kNullTime});
      continue;
    }
    const TimeUs t = values[row];
    const TimeUs edge = edge_watermark(batch, row, combined);
    if (one_window) {
      w.seek(bounds_, bounds_.local(t));
      if (edge >= w.fires || combined >= w.fires) [[unlikely]] add_late(row, t, w.number, edge, w.fires);
      else add(row, w.number, w.fires, w.mix);
      continue;
    }
    const WindowBounds::Range range = bounds_.windows_of(bounds_.local(t));
    for (std::int64_t n = range.first; n < range.first + range.count; ++n) {
      const TimeUs fires = bounds_.fires(bounds_.end(n));
      if (edge >= fires || combined >= fires) add_late(row, t, n, edge, fires);
      else add(row, n, fires, mix_of(n));
    }
  }
}

void WindowRows::take_given(const Batch& batch, TimeUs combined) {
  start(batch);
  const auto starts = batch.columns[spec_->given->start_column]->values<std::int64_t>();
  const auto ends = batch.columns[spec_->given->end_column]->values<std::int64_t>();
  for (std::uint32_t row = 0; row < batch.rows; ++row) {
    const TimeUs fires = spec_->given->zone.passed(ends[row] - kWindowGrain);
    const TimeUs edge = edge_watermark(batch, row, combined);
    if (edge < fires && combined < fires) [[likely]] {
      add(row, 0, fires, 0);
      continue;
    }
    late_.add({.row = row, .watermark_us = edge, .time_us = fires, .window_start_us = starts[row], .window_end_us = ends[row],
               .reason = edge < fires ? LateRows::Reason::kIdleReturn : LateRows::Reason::kLate});
  }
}

void WindowRows::take_partials(const Batch& batch, TimeUs combined) {
  if (sliced_) return take_partial_slices(batch, combined);
  start(batch);
  const WindowAggregateSpec::Partials& from = *spec_->partials;
  for (std::uint32_t row = 0; row < batch.rows; ++row) {
    const std::int64_t number = spec_->given ? 0 : batch.columns[from.window_column]->value<std::int64_t>(row);
    const TimeUs end = spec_->given ? batch.columns[spec_->given->end_column]->value<std::int64_t>(row) : bounds_.end(number);
    const TimeUs fires = spec_->given ? spec_->given->zone.passed(end - kWindowGrain) : bounds_.fires(end);
    if (combined < fires) [[likely]] {
      add(row, number, fires, spec_->given ? 0 : mix_of(number));
      continue;
    }
    const TimeUs start = spec_->given ? batch.columns[spec_->given->start_column]->value<std::int64_t>(row) : bounds_.start(number);
    const std::int64_t count = partial_rows(batch.columns[from.column]->text(row));
    for (std::int64_t i = 0; i < count; ++i)
      late_.add({.row = row, .watermark_us = combined, .time_us = fires, .window_start_us = start, .window_end_us = end, .reason = LateRows::Reason::kIdleReturn});
  }
}

void WindowRows::take_partial_slices(const Batch& batch, TimeUs combined) {
  start(batch);
  const auto numbers = batch.columns[spec_->partials->window_column]->values<std::int64_t>();
  const Column& partials = *batch.columns[spec_->partials->column];
  std::int64_t of = INT64_MIN, number = 0;   // the slice as it came, and without the windows that have fired
  WindowBounds::Slice all, open;
  TimeUs ends = 0;
  std::uint64_t mixed = 0;
  for (std::uint32_t row = 0; row < batch.rows; ++row) {
    if (numbers[row] != of) {
      of = numbers[row];
      all = open = bounds_.slice(of);
      while (open.first <= open.last && combined >= bounds_.fires(bounds_.end(open.first))) ++open.first;
      if (open.first <= open.last) number = bounds_.slice_number(open), ends = bounds_.fires(bounds_.end(open.last)), mixed = mix_of(number);
    }
    for (std::int64_t n = all.first; n < open.first; ++n) {
      const TimeUs end = bounds_.end(n);
      for (std::int64_t i = partial_rows(partials.text(row)); i > 0; --i)
        late_.add({.row = row, .watermark_us = combined, .time_us = bounds_.fires(end), .window_start_us = bounds_.start(n), .window_end_us = end, .reason = LateRows::Reason::kIdleReturn});
    }
    if (open.first <= open.last) add(row, number, ends, mixed);
  }
}

void WindowRows::add_late(std::uint32_t row, TimeUs t, std::int64_t number, TimeUs edge, TimeUs fires) {
  // The partition's own watermark lets the row in, but the window has fired: the partition had been left out as idle.
  const bool idle_return = edge < fires;
  late_.add({.row = row, .watermark_us = edge, .time_us = t, .window_start_us = bounds_.start(number), .window_end_us = bounds_.end(number),
             .reason = idle_return ? LateRows::Reason::kIdleReturn : LateRows::Reason::kLate});
}

}  // namespace supyo::operators
