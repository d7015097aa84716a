#include "engine/operators/window_aggregate.h"

#include <algorithm>

#include "engine/operators/accumulators.h"
#include "engine/operators/session_aggregate.h"
#include "engine/operators/window_rows.h"

namespace supyo::operators {
namespace {

using Spec = WindowAggregateSpec;

/// Bytes before the accumulators: rows in the group (retracting input only), then the group's origin (when a judge listens).
constexpr std::uint32_t kOriginBytes = sizeof(Origin);
constexpr std::uint32_t kPause = 15;
constexpr std::size_t kAhead = 8;                // groups of those that fire, on their way into the cache
constexpr std::size_t kFiredAtOnce = 1U << 15;   // groups: a list of all of them would be memory too

std::uint32_t header_bytes(const Spec& s) { return (s.retracting ? 8U : 0U) + (s.origins ? kOriginBytes : 0U); }

/// Rows of a batch may go together first, and then into each of their windows: whatever the batches, the result is the same.
bool gathers(const Spec& s) {
  static constexpr std::string_view kMerge[] = {"COUNT", "SUM", "AVG", "MIN", "MAX"};
  return std::ranges::all_of(s.aggregates, [](const expr::AggregateCall& c) {
    return !c.distinct && !c.aggregate->needs_blob() && !c.aggregate->result().is_floating() && std::ranges::find(kMerge, c.aggregate->name()) != std::end(kMerge);
  });
}

class WindowAggregate final : public dataflow::Operator {
 public:
  explicit WindowAggregate(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        windows_(spec_),
        distinct_(spec_->aggregates, spec_->input, true),
        accumulators_(spec_->aggregates, header_bytes(*spec_), &distinct_),
        steps_({.name = "steps", .fixed_width = accumulators_.width()}),
        gathers_(windows_.has_steps() && gathers(*spec_)),
        out_(output_schema(*spec_)) {}

  std::string_view name() const override { return "WindowAggregate"; }
  state::StateSpec state() const override {
    state::StateSpec spec{.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "windows", .fixed_width = accumulators_.width(), .timed = true}}};
    if (distinct_.any()) spec.tables.push_back(DistinctValues::table());
    return spec;
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    state::KeyedTable& table = ctx.state().keyed(0);
    if (gathers_ && pause_ > 0) --pause_;
    else if (gathers_ && windows_.take_steps(*batch, ctx.watermark_us())) return take_steps(*batch, table);
    if (spec_->partials) windows_.take_partials(*batch, ctx.watermark_us()); else windows_.take(*batch, ctx.watermark_us());
    SUPYO_TRY(flush_late(*batch, ctx));
    rows_ = windows_.rows();
    if (rows_.empty()) return ok();
    if (distinct_.any()) distinct_.start(ctx.state().keyed(1), ctx.now_us());
    windows_.find_or_insert(table, slots_, inserted_);
    if (spec_->partials) return fold_partials(*batch, table);
    return fold_rows(*batch, table);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    state::KeyedTable& table = ctx.state().keyed(0);
    if (distinct_.any()) distinct_.start(ctx.state().keyed(1), ctx.now_us());
    for (due_.clear(), table.due(w.us, due_, kFiredAtOnce); !due_.empty(); due_.clear(), table.due(w.us, due_, kFiredAtOnce)) {
      for (std::size_t i = 0; i < due_.size(); ++i) {
        const state::Slot slot = due_[i];
        if (i + kAhead < due_.size()) table.prefetch_record(due_[i + kAhead]), table.prefetch(table.hash(due_[i + kAhead]));
        if (!spec_->retracting || table.as<std::int64_t>(slot) > 0) SUPYO_TRY(fire(table, slot));
        if (distinct_.any()) distinct_.drop(table.hash(slot), table.key(slot));
        windows_.forget(table, slot);
        table.erase(slot);
        if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
      }
    }
    if (out_.rows() > 0) return out.emit(out_.finish());
    return ok();
  }

 private:
  /// Late are here only rows of which no more than their keys is known.
  Status flush_late(const Batch& batch, dataflow::OperatorContext& ctx) {
    if (windows_.late().empty()) return ok();
    if (!spec_->partials) return windows_.late().flush(batch, ctx);
    const WindowAggregateSpec::Partials& from = *spec_->partials;
    Batch rows;
    rows.rows = batch.rows;
    for (std::size_t c = 0; c < from.rows.size(); ++c) {
      const auto key = std::ranges::find(from.row_keys, c);
      if (key != from.row_keys.end()) {
        rows.columns.push_back(batch.columns[static_cast<std::size_t>(key - from.row_keys.begin())]);
        continue;
      }
      ColumnBuilder nothing(from.rows[c].type.as_nullable(true), batch.rows);
      for (std::size_t r = 0; r < batch.rows; ++r) nothing.append_null();
      rows.columns.push_back(nothing.finish());
    }
    rows.origins = batch.origins;
    return windows_.late().flush(rows, ctx);
  }

  /// rows_ into slots_.
  Status fold_rows(const Batch& batch, state::KeyedTable& table) {
    signs_.clear();
    if (!batch.kinds.empty()) {
      for (const std::uint32_t row : rows_) signs_.push_back(is_retraction(batch.kinds[row]) ? -1 : 1);
    }
    if (spec_->retracting) count_rows(table);
    if (spec_->origins) merge_origins(batch, table);
    return accumulators_.update(batch, rows_, slots_, signs_, table);
  }

  /// A row that is in five windows is one update, of its key in the step of time that all five have, and each of those groups five: many rows of a batch have few keys.
  Status take_steps(const Batch& batch, state::KeyedTable& table) {
    rows_ = windows_.rows();
    windows_.find_or_insert(steps_, slots_, inserted_);
    SUPYO_TRY(fold_rows(batch, steps_));
    first_rows_.clear();
    for (std::uint32_t row = 0; row < batch.rows; ++row)
      if (inserted_[row] != 0) first_rows_.push_back(row);
    if (first_rows_.size() * 2 > batch.rows) pause_ = kPause;
    windows_.spread(batch, first_rows_);
    rows_ = windows_.rows();
    windows_.find_or_insert(table, group_slots_, inserted_);
    const std::size_t origin_at = spec_->retracting ? 8 : 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const state::Slot into = group_slots_[i], from = slots_[rows_[i]];
      if (spec_->retracting) table.as<std::int64_t>(into) += steps_.as<std::int64_t>(from);
      if (spec_->origins) {
        auto& origin = table.as<Origin>(into, origin_at);
        if (inserted_[i] != 0) origin = Origin{};
        origin.merge(steps_.as<Origin>(from, origin_at));
      }
      SUPYO_TRY(accumulators_.merge(into, table, steps_.fixed(from)));
    }
    for (const std::uint32_t row : first_rows_) windows_.forget_step(steps_, slots_[row]), steps_.erase(slots_[row]);
    steps_.forget_changes();
    return ok();
  }

  Status fold_partials(const Batch& batch, state::KeyedTable& table) {
    const Column& partials = *batch.columns[spec_->partials->column];
    if (spec_->retracting)
      for (std::size_t i = 0; i < rows_.size(); ++i) table.as<std::int64_t>(slots_[i]) += partial_rows(partials.text(rows_[i]));
    if (spec_->origins) merge_origins(batch, table);
    return accumulators_.fold_partials(partials, kPartialHeader, rows_, slots_, table);
  }

  void count_rows(state::KeyedTable& table) {
    for (std::size_t i = 0; i < slots_.size(); ++i) table.as<std::int64_t>(slots_[i]) += signs_.empty() ? 1 : signs_[i];
  }

  void merge_origins(const Batch& batch, state::KeyedTable& table) {
    const std::size_t at = spec_->retracting ? 8 : 0;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      auto& origin = table.as<Origin>(slots_[i], at);
      if (inserted_[i] != 0) origin = Origin{};
      if (!batch.origins.empty()) origin.merge(batch.origins[rows_[i]]);
    }
  }

  Status fire(const state::KeyedTable& table, state::Slot slot) {
    const std::size_t keys = spec_->keys.size();
    const std::size_t calls = accumulators_.size();
    if (targets_.empty()) targets_ = builder_columns(out_, 0, keys + calls + spec_->properties.size());
    const std::span<ColumnBuilder* const> targets(targets_);
    if (!windows_.codec().decode(GroupKeys::without_prefix(table.key(slot)), targets.first(keys))) {
      return fail(ErrorCode::kDamaged, "state of " + spec_->label + ": a key does not decode");
    }
    SUPYO_TRY(accumulators_.append_values(table, slot, targets.subspan(keys, calls)));
    const TimeUs fires = table.time(slot);
    const TimeUs end = spec_->given ? fires + kWindowGrain : windows_.bounds().end(GroupKeys::prefix_of(table.key(slot)));
    for (std::size_t p = 0; p < spec_->properties.size(); ++p) {
      ColumnBuilder& column = *targets_[keys + calls + p];
      switch (spec_->properties[p]) {
        case Spec::Property::kStart: column.append(windows_.bounds().start_of_end(end)); break;
        case Spec::Property::kEnd: column.append(end); break;
        case Spec::Property::kTime: column.append(fires); break;
      }
    }
    if (!spec_->origins) {
      out_.end_row();
      return ok();
    }
    Origin origin;
    std::memcpy(&origin, table.fixed(slot) + (spec_->retracting ? 8 : 0), sizeof origin);
    // The result is complete no earlier than its window's end.
    origin.event_max = std::max(origin.event_max, fires + kWindowGrain);
    out_.end_row(RowKind::kInsert, origin);
    return ok();
  }

  std::shared_ptr<const Spec> spec_;
  WindowRows windows_;
  DistinctValues distinct_;
  Accumulators accumulators_;
  state::KeyedTable steps_;               // groups of one batch, by the first of their windows; never part of an epoch
  bool gathers_;
  std::uint32_t pause_ = 0;               // batches that are not gathered, since the last one that was had nearly as many keys as rows
  // Scratch of one call; empty or meaningless between calls.
  BatchBuilder out_;
  std::vector<ColumnBuilder*> targets_;
  std::span<const std::uint32_t> rows_;   // of windows_
  std::vector<std::uint32_t> first_rows_;
  std::vector<state::Slot> slots_, group_slots_;
  std::vector<std::uint8_t> inserted_;
  std::vector<std::int8_t> signs_;
  std::vector<state::Slot> due_;
};

Status check(const Spec& s) {
  if (s.given) return ok();
  const bool steps = s.window.kind != WindowSpec::Kind::kTumble;
  if (s.window.size_us <= 0 || (steps && s.window.slide_us <= 0)) {
    return fail(ErrorCode::kInvalidQuery, "the size and the slide of a window must be positive");
  }
  if (s.window.kind == WindowSpec::Kind::kCumulate && s.window.size_us % s.window.slide_us != 0) {
    return fail(ErrorCode::kInvalidQuery, "the size of a CUMULATE window must be a multiple of its step");
  }
  return ok();
}

}  // namespace

Schema output_schema(const WindowAggregateSpec& spec) {
  static constexpr std::string_view kNames[] = {"window_start", "window_end", "window_time"};
  Schema s;
  for (const std::size_t k : spec.keys) s.add(spec.input[k].name, spec.input[k].type);
  for (const expr::AggregateCall& c : spec.aggregates) s.add(c.name, c.aggregate->result());
  for (std::size_t p = 0; p < spec.properties.size(); ++p) {
    Type type = Type::timestamp(3).not_null();
    if (spec.properties[p] == Spec::Property::kTime) {
      type = (spec.partials ? spec.partials->time_type : spec.input[spec.time_column].type).not_null();
      type.precision = 3;
    }
    s.add(p < spec.property_names.size() ? spec.property_names[p] : std::string(kNames[static_cast<std::size_t>(spec.properties[p])]), type);
  }
  return s;
}

dataflow::OperatorFactory make_window_aggregate(WindowAggregateSpec spec) {
  if (!spec.given && spec.window.kind == WindowSpec::Kind::kSession) return make_session_aggregate(std::move(spec));
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> {
    SUPYO_TRY(check(*shared));
    return std::make_unique<WindowAggregate>(shared);
  };
}

}  // namespace supyo::operators
