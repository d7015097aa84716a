#include "engine/operators/late_rows.h"

#include "data/types/builder.h"

namespace supyo::operators {

namespace {

std::string_view reason_text(LateRows::Reason r) {
  switch (r) {
    case LateRows::Reason::kLate: return "LATE";
    case LateRows::Reason::kIdleReturn: return "IDLE_RETURN";
    case LateRows::Reason::kNullTime: return "NULL_TIME";
  }
  return "";
}

}  // namespace

BatchPtr LateRows::build(const Batch& batch, std::span<const Entry> part) const {
  std::vector<std::uint32_t> selection;
  selection.reserve(part.size());
  ColumnBuilder watermark(Type::timestamp(3).not_null(), part.size());
  ColumnBuilder lateness(Type::big_int().not_null(), part.size());
  ColumnBuilder start(Type::timestamp(3), part.size());
  ColumnBuilder end(Type::timestamp(3), part.size());
  ColumnBuilder label(Type::string().not_null(), part.size());
  ColumnBuilder reason(Type::string().not_null(), part.size());
  for (const Entry& e : part) {
    selection.push_back(e.row);
    watermark.append(e.watermark_us);
    // A drained or missing watermark has no distance to a row.
    const bool measurable = e.reason != Reason::kNullTime && e.watermark_us != kTimeMax && e.watermark_us != kTimeMin;
    lateness.append(measurable ? (e.watermark_us - e.time_us) / kMillisecond : std::int64_t{0});
    if (e.window_end_us == kTimeMin) {
      start.append_null();
      end.append_null();
    } else {
      start.append(e.window_start_us);
      end.append(e.window_end_us);
    }
    label.append_text(label_);
    reason.append_text(reason_text(e.reason));
  }
  auto out = std::make_shared<Batch>(*take(batch, selection));
  for (ColumnBuilder* b : {&watermark, &lateness, &start, &end, &label, &reason}) out->columns.push_back(b->finish());
  out->edge_watermarks.clear();
  return out;
}

std::optional<TimeUs> LateRows::time_to_come(const Batch& batch, const Column& time, std::uint32_t row, TimeUs combined_us) {
  if (time.is_null(row)) [[unlikely]] {
    add({.row = row, .watermark_us = combined_us, .reason = Reason::kNullTime});
    return std::nullopt;
  }
  const TimeUs t = time.value<std::int64_t>(row), edge = edge_watermark(batch, row, combined_us);
  if (t > edge && t > combined_us) return t;
  add({.row = row, .watermark_us = edge, .time_us = t, .reason = t <= edge ? Reason::kLate : Reason::kIdleReturn});
  return std::nullopt;
}

Status LateRows::flush(const Batch& batch, dataflow::OperatorContext& ctx) {
  const std::span<const Entry> all(entries_);
  for (std::size_t from = 0; from < all.size(); from += Batch::kMaxRows) {
    SUPYO_TRY(ctx.emit_late(build(batch, all.subspan(from, std::min(Batch::kMaxRows, all.size() - from)))));
  }
  entries_.clear();
  return ok();
}

}  // namespace supyo::operators
