#include "engine/operators/window_aggregate.h"

#include "core/base/hash.h"
#include "engine/operators/accumulators.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/late_rows.h"
#include "engine/operators/session_aggregate.h"
#include "engine/operators/window_bounds.h"

namespace supyo::operators {
namespace {

using Spec = WindowAggregateSpec;

/// Bytes before the accumulators: rows in the group (retracting input only), then the group's origin (when a judge listens).
constexpr std::uint32_t kOriginBytes = sizeof(Origin);

std::uint32_t header_bytes(const Spec& s) { return (s.retracting ? 8U : 0U) + (s.origins ? kOriginBytes : 0U); }

Zone zone_of(const Spec& s) { return !s.given && s.input[s.time_column].type.id == TypeId::kTimestampLtz ? s.zone : Zone(); }

class WindowAggregate final : public dataflow::Operator {
 public:
  explicit WindowAggregate(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        bounds_(spec_->window, zone_of(*spec_)),
        keys_(spec_->input, spec_->keys),
        distinct_(spec_->aggregates, spec_->input, true),
        accumulators_(spec_->aggregates, header_bytes(*spec_), &distinct_),
        late_(spec_->label),
        out_(output_schema(*spec_)) {}

  std::string_view name() const override { return "WindowAggregate"; }
  state::StateSpec state() const override {
    state::StateSpec spec{.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "windows", .fixed_width = accumulators_.width(), .timed = true}}};
    if (distinct_.any()) spec.tables.push_back(DistinctValues::table());
    return spec;
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    if (spec_->given) take_given(*batch, ctx.watermark_us()); else assign(*batch, ctx.watermark_us());
    if (!late_.empty()) SUPYO_TRY(late_.flush(*batch, ctx));
    if (rows_.empty()) return ok();
    state::KeyedTable& table = ctx.state().keyed(0);
    if (distinct_.any()) distinct_.start(ctx.state().keyed(1), ctx.now_us());
    slots_.resize(rows_.size());
    inserted_.resize(rows_.size());
    table.find_or_insert(hashes_, keys_.views(), times_, slots_, inserted_);
    signs_.clear();
    if (!batch->kinds.empty()) {
      for (const std::uint32_t row : rows_) signs_.push_back(is_retraction(batch->kinds[row]) ? -1 : 1);
    }
    if (spec_->retracting) count_rows(table);
    if (spec_->origins) merge_origins(*batch, table);
    return accumulators_.update(*batch, rows_, slots_, signs_, table);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    state::KeyedTable& table = ctx.state().keyed(0);
    if (distinct_.any()) distinct_.start(ctx.state().keyed(1), ctx.now_us());
    due_.clear();
    table.due(w.us, due_);
    for (const state::Slot slot : due_) {
      if (!spec_->retracting || table.as<std::int64_t>(slot) > 0) SUPYO_TRY(fire(table, slot));
      if (distinct_.any()) distinct_.drop(table.hash(slot), table.key(slot));
      table.erase(slot);
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
    }
    if (out_.rows() > 0) return out.emit(out_.finish());
    return ok();
  }

 private:
  /// Fills rows_, times_, hashes_ and the keys: one entry for each row and window that takes it; the late ones go to late_.
  void assign(const Batch& batch, TimeUs combined) {
    rows_.clear();
    times_.clear();
    hashes_.clear();
    rows_.reserve(batch.rows);
    times_.reserve(batch.rows);
    hashes_.reserve(batch.rows);
    keys_.start(batch);
    const Column& time = *batch.columns[spec_->time_column];
    const auto values = time.values<std::int64_t>();
    WindowBounds::Range range;
    TimeUs from = 0;  // `range` holds for local times in [from, to)
    TimeUs to = 0;
    const bool one_window = spec_->window.kind == WindowSpec::Kind::kTumble;
    std::uint64_t mix = 0;
    TimeUs fires = 0;
    for (std::uint32_t row = 0; row < batch.rows; ++row) {
      if (time.is_null(row)) [[unlikely]] {
        late_.add({.row = row, .watermark_us = combined, .reason = LateRows::Reason::kNullTime});
        continue;
      }
      const TimeUs t = values[row];
      const TimeUs edge = edge_watermark(batch, row, combined);
      if (one_window) {
        const TimeUs local = bounds_.local(t);
        if (local < from || local >= to) {
          range = bounds_.windows_of(local);
          to = bounds_.end(range.first);
          from = to - spec_->window.size_us;
          fires = bounds_.fires(to);
          mix = window_mix(range.first);
        }
        if (edge >= fires || combined >= fires) [[unlikely]] add_late(row, t, range.first, edge, fires);
        else add(row, range.first, fires, mix);
        continue;
      }
      range = bounds_.windows_of(bounds_.local(t));
      for (std::int64_t n = range.first; n < range.first + range.count; ++n) {
        fires = bounds_.fires(bounds_.end(n));
        if (edge >= fires || combined >= fires) add_late(row, t, n, edge, fires);
        else add(row, n, fires, window_mix(n));
      }
    }
  }

  /// As assign(), for rows that have their window.
  void take_given(const Batch& batch, TimeUs combined) {
    rows_.clear();
    times_.clear();
    hashes_.clear();
    keys_.start(batch);
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

  /// The windows of one key share its hash, which must keep its high bits because they name the shard; the low 16 scatter them in the table.
  static std::uint64_t window_mix(std::int64_t number) { return hash_u64(static_cast<std::uint64_t>(number)) & 0xffff; }

  void add(std::uint32_t row, std::int64_t number, TimeUs fires, std::uint64_t mix) {
    rows_.push_back(row);
    times_.push_back(fires);
    hashes_.push_back(keys_.hash(row) ^ mix);
    keys_.add(number, row);
  }

  void add_late(std::uint32_t row, TimeUs t, std::int64_t number, TimeUs edge, TimeUs fires) {
    // The partition's own watermark lets the row in, but the window has fired: the partition had been left out as idle.
    const bool idle_return = edge < fires;
    late_.add({.row = row, .watermark_us = edge, .time_us = t, .window_start_us = bounds_.start(number), .window_end_us = bounds_.end(number),
               .reason = idle_return ? LateRows::Reason::kIdleReturn : LateRows::Reason::kLate});
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
    if (!keys_.decode(GroupKeys::without_prefix(table.key(slot)), targets.first(keys))) {
      return fail(ErrorCode::kDamaged, "state of " + spec_->label + ": a key does not decode");
    }
    SUPYO_TRY(accumulators_.append_values(table, slot, targets.subspan(keys, calls)));
    const TimeUs fires = table.time(slot);
    const TimeUs end = spec_->given ? fires + kWindowGrain : bounds_.end(GroupKeys::prefix_of(table.key(slot)));
    for (std::size_t p = 0; p < spec_->properties.size(); ++p) {
      ColumnBuilder& column = *targets_[keys + calls + p];
      switch (spec_->properties[p]) {
        case Spec::Property::kStart: column.append(bounds_.start_of_end(end)); break;
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
  WindowBounds bounds_;
  GroupKeys keys_;
  DistinctValues distinct_;
  Accumulators accumulators_;
  // Scratch of one call; empty or meaningless between calls.
  LateRows late_;
  BatchBuilder out_;
  std::vector<ColumnBuilder*> targets_;
  std::vector<std::uint32_t> rows_;
  std::vector<TimeUs> times_;
  std::vector<std::uint64_t> hashes_;
  std::vector<state::Slot> slots_;
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
      type = spec.input[spec.time_column].type.not_null();
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
