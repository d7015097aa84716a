#include "engine/operators/window_aggregate.h"

#include <algorithm>

#include "engine/operators/accumulators.h"
#include "engine/operators/session_aggregate.h"
#include "engine/operators/window_slices.h"
#include "sql/expr/slices.h"

namespace supyo::operators {
namespace {

using Spec = WindowAggregateSpec;

/// Bytes before the accumulators: rows in the group (retracting input only), then the group's origin (when a judge listens).
constexpr std::uint32_t kOriginBytes = sizeof(Origin);
constexpr std::size_t kAhead = 8;                // groups of those that fire, on their way into the cache
constexpr std::size_t kFiredAtOnce = 1U << 15;   // groups: a list of all of them would be memory too

std::uint32_t header_bytes(const Spec& s) { return (s.retracting ? 8U : 0U) + (s.origins ? kOriginBytes : 0U); }

/// A row is in one slice, whatever number of windows that overlap it is in; windows put their slices together when they fire. Table 1 is the slices then, and table 0 only what an older version kept by window.
class WindowAggregate final : public dataflow::Operator {
 public:
  explicit WindowAggregate(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        sliced_(shares_slices(*spec_)),
        windows_(spec_, sliced_),
        distinct_(spec_->aggregates, spec_->input, true),
        accumulators_(spec_->aggregates, header_bytes(*spec_), &distinct_),
        slices_(windows_.bounds()),
        out_(output_schema(*spec_)),
        merged_(accumulators_.width()) {}

  std::string_view name() const override { return "WindowAggregate"; }
  state::StateSpec state() const override {
    state::StateSpec spec{.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "windows", .fixed_width = accumulators_.width(), .timed = true}}};
    if (sliced_) spec.tables.push_back({.kind = state::TableSpec::Kind::kKeyed, .name = "slices", .fixed_width = accumulators_.width(), .timed = true});
    if (distinct_.any()) spec.tables.push_back(DistinctValues::table());
    return spec;
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    state::KeyedTable& table = ctx.state().keyed(sliced_ ? 1 : 0);
    if (spec_->partials) windows_.take_partials(*batch, ctx.watermark_us()); else windows_.take(*batch, ctx.watermark_us());
    SUPYO_TRY(flush_late(*batch, ctx));
    rows_ = windows_.rows();
    if (rows_.empty()) return ok();
    if (distinct_.any()) distinct_.start(ctx.state().keyed(1), ctx.now_us());
    windows_.find_or_insert(table, slots_, inserted_);
    if (sliced_) note_new(table);
    if (spec_->partials) return fold_partials(*batch, table);
    return fold_rows(*batch, table);
  }

  Status on_restored(dataflow::OperatorContext& ctx) override {
    if (!sliced_) return ok();
    fired_us_ = ctx.watermark_us();
    state::KeyedTable& windows = ctx.state().keyed(0);
    state::KeyedTable& slices = ctx.state().keyed(1);
    due_.clear(), slices.due(kTimeMax, due_);
    slices_.add(slices, due_);
    // A group of one window is one of a slice that only this window has.
    due_.clear(), windows.due(kTimeMax, due_);
    slots_.clear();
    for (const state::Slot old : due_) {
      const std::int64_t window = GroupKeys::prefix_of(windows.key(old)), slice = windows_.bounds().slice_number({.first = window, .last = window});
      const state::Slot slot = slices.find_or_insert(WindowRows::key_hash(windows, old) ^ WindowRows::mix_of(slice), GroupKeys::with_prefix(slice, GroupKeys::without_prefix(windows.key(old))), windows.time(old));
      std::copy_n(windows.fixed(old), accumulators_.width(), slices.fixed(slot));
      slots_.push_back(slot);
      windows.erase(old);
    }
    slices_.add(slices, slots_);
    return ok();
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    if (sliced_) return fire_slices(w.us, ctx.state().keyed(1), out);
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

  void note_new(const state::KeyedTable& table) {
    new_.clear();
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (inserted_[i] != 0) new_.push_back(slots_[i]);
    if (!new_.empty()) slices_.add(table, new_);
  }

  Status fire_slices(TimeUs watermark_us, state::KeyedTable& table, dataflow::Collector& out) {
    const WindowBounds& bounds = windows_.bounds();
    while (!slices_.empty()) {
      const std::int64_t window = std::max(next_window_, slices_.first_window());
      const TimeUs end = bounds.end(window), fires = bounds.fires(end);
      if (fires > watermark_us) break;
      if (fires > fired_us_) {
        SUPYO_TRY(slices_.each_of(window, table, [&](state::Slot first) -> Status {
          SUPYO_TRY(fire_key(window, end, fires, table, first));
          return out_.full() ? out.emit(out_.finish()) : ok();
        }));
      }
      slices_.drop(window, table, [&](state::Slot slot) { windows_.forget(table, slot), table.erase(slot); });
      next_window_ = window + 1;
    }
    fired_us_ = watermark_us;
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

  Status fire_key(std::int64_t window, TimeUs end, TimeUs fires, const state::KeyedTable& table, state::Slot first) {
    const std::byte* group = table.fixed(first);
    for (state::Slot s = slices_.next(window, table, first); s != state::kNoSlot; s = slices_.next(window, table, s)) {
      if (group != merged_.data()) group = std::copy_n(group, merged_.size(), merged_.data()) - merged_.size();
      const std::byte* const other = table.fixed(s);
      if (spec_->retracting) add_to<std::int64_t>(0, [&](std::int64_t& rows) { rows += read<std::int64_t>(other, 0); });
      if (spec_->origins) add_to<Origin>(origin_at(), [&](Origin& origin) { origin.merge(read<Origin>(other, origin_at())); });
      SUPYO_TRY(accumulators_.merge(merged_.data(), other));
    }
    if (spec_->retracting && read<std::int64_t>(group, 0) <= 0) return ok();
    SUPYO_TRY(append_key(table.key(first)));
    SUPYO_TRY(accumulators_.append_values(group, calls()));
    end_row(group, end, fires);
    return ok();
  }
  template <class T>
  static T read(const std::byte* group, std::size_t at) {
    T v;
    std::memcpy(&v, group + at, sizeof v);
    return v;
  }
  template <class T, class Do>
  void add_to(std::size_t at, const Do& act) {
    T v = read<T>(merged_.data(), at);
    act(v);
    std::memcpy(merged_.data() + at, &v, sizeof v);
  }
  std::size_t origin_at() const { return spec_->retracting ? 8 : 0; }

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
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      auto& origin = table.as<Origin>(slots_[i], origin_at());
      if (inserted_[i] != 0) origin = Origin{};
      if (!batch.origins.empty()) origin.merge(batch.origins[rows_[i]]);
    }
  }

  Status fire(const state::KeyedTable& table, state::Slot slot) {
    SUPYO_TRY(append_key(table.key(slot)));
    SUPYO_TRY(accumulators_.append_values(table, slot, calls()));
    const TimeUs fires = table.time(slot);
    end_row(table.fixed(slot), spec_->given ? fires + kWindowGrain : windows_.bounds().end(GroupKeys::prefix_of(table.key(slot))), fires);
    return ok();
  }

  // A row of the result: keys, then the values of the calls, then the rest.
  Status append_key(std::string_view key) {
    if (targets_.empty()) targets_ = builder_columns(out_, 0, spec_->keys.size() + accumulators_.size() + spec_->properties.size());
    if (windows_.codec().decode(GroupKeys::without_prefix(key), std::span(targets_).first(spec_->keys.size()))) return ok();
    return fail(ErrorCode::kDamaged, "state of " + spec_->label + ": a key does not decode");
  }
  std::span<ColumnBuilder* const> calls() const { return std::span(targets_).subspan(spec_->keys.size(), accumulators_.size()); }
  void end_row(const std::byte* group, TimeUs end, TimeUs fires) {
    for (std::size_t p = 0; p < spec_->properties.size(); ++p) {
      ColumnBuilder& column = *targets_[spec_->keys.size() + accumulators_.size() + p];
      switch (spec_->properties[p]) {
        case Spec::Property::kStart: column.append(windows_.bounds().start_of_end(end)); break;
        case Spec::Property::kEnd: column.append(end); break;
        case Spec::Property::kTime: column.append(fires); break;
      }
    }
    if (!spec_->origins) return out_.end_row();
    // The result is complete no earlier than its window's end.
    auto origin = read<Origin>(group, origin_at());
    origin.event_max = std::max(origin.event_max, fires + kWindowGrain);
    out_.end_row(RowKind::kInsert, origin);
  }

  std::shared_ptr<const Spec> spec_;
  bool sliced_;
  WindowRows windows_;
  DistinctValues distinct_;
  Accumulators accumulators_;
  WindowSlices slices_;
  TimeUs fired_us_ = kTimeMin;            // the watermark up to which windows of slices have fired
  std::int64_t next_window_ = INT64_MIN;
  // Scratch of one call; empty or meaningless between calls.
  BatchBuilder out_;
  std::vector<ColumnBuilder*> targets_;
  std::span<const std::uint32_t> rows_;   // of windows_
  std::vector<std::byte> merged_;         // a group of a window
  std::vector<state::Slot> slots_, new_;
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

bool shares_slices(const WindowAggregateSpec& spec) { return !spec.given && expr::shares_slices(spec.window, spec.aggregates); }

dataflow::OperatorFactory make_window_aggregate(WindowAggregateSpec spec) {
  if (!spec.given && spec.window.kind == WindowSpec::Kind::kSession) return make_session_aggregate(std::move(spec));
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> {
    SUPYO_TRY(check(*shared));
    return std::make_unique<WindowAggregate>(shared);
  };
}

}  // namespace supyo::operators
