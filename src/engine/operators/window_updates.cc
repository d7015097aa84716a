#include "engine/operators/window_updates.h"

#include <algorithm>

#include "core/base/hash.h"
#include "engine/operators/accumulators.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/late_rows.h"
#include "engine/operators/window_bounds.h"

namespace supyo::operators {
namespace {

using Spec = WindowAggregateSpec;
using state::Slot;

/// Before the accumulators of a window.
struct Header {
  std::int64_t rows = 0;       // in the group: retracted ones are gone
  std::uint8_t complete = 0;   // the watermark has passed its end
  std::uint8_t changed = 0;    // since it fired last; waits for a timer
  std::uint8_t unused[6] = {};
};
constexpr std::uint32_t kOriginAt = sizeof(Header);

class WindowUpdates final : public dataflow::Operator {
 public:
  WindowUpdates(std::shared_ptr<const Spec> spec, WindowEmit emit)
      : spec_(std::move(spec)),
        emit_(emit),
        bounds_(spec_->window, spec_->input[spec_->time_column].type.id == TypeId::kTimestampLtz ? spec_->zone : Zone()),
        keys_(spec_->input, spec_->keys),
        accumulators_(spec_->aggregates, static_cast<std::uint32_t>(sizeof(Header) + (spec_->origins ? sizeof(Origin) : 0))),
        late_(spec_->label),
        values_(values_schema()),
        codec_(values_schema().types()),
        out_(output_schema(*spec_)) {}

  std::string_view name() const override { return "WindowAggregate"; }
  /// windows: accumulators, until the lateness is over. waiting: those that are not complete, until they are. given: what a window's last firing gave.
  state::StateSpec state() const override {
    using Kind = state::TableSpec::Kind;
    return {.tables = {{.kind = Kind::kKeyed, .name = "windows", .fixed_width = accumulators_.width(), .timed = true},
                       {.kind = Kind::kKeyed, .name = "waiting", .timed = true},
                       {.kind = Kind::kKeyed, .name = "given"}}};
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    assign(*batch, ctx.watermark_us());
    if (!late_.empty()) SUPYO_TRY(late_.flush(*batch, ctx));
    if (rows_.empty()) return ok();
    state::KeyedTable& table = ctx.state().keyed(0);
    slots_.resize(rows_.size());
    inserted_.resize(rows_.size());
    table.find_or_insert(hashes_, keys_.views(), times_, slots_, inserted_);
    signs_.clear();
    if (!batch->kinds.empty())
      for (const std::uint32_t row : rows_) signs_.push_back(is_retraction(batch->kinds[row]) ? -1 : 1);
    count(*batch, ctx);
    SUPYO_TRY(accumulators_.update(*batch, rows_, slots_, signs_, table));
    return fire_changed(ctx, out);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    state::KeyedTable& table = ctx.state().keyed(0);
    state::KeyedTable& waiting = ctx.state().keyed(1);
    due_.clear();
    waiting.due(w.us, due_);
    fired_.clear();
    for (const Slot slot : due_) {
      const Slot window = table.find(waiting.hash(slot), waiting.key(slot));
      waiting.erase(slot);
      if (window == state::kNoSlot) continue;
      header(table, window).complete = 1;
      header(table, window).changed = 0;
      table.touch(window);
      fired_.push_back(window);
    }
    SUPYO_TRY(fire(fired_, ctx, out));
    due_.clear();
    table.due(w.us, due_);
    state::KeyedTable& given = ctx.state().keyed(2);
    for (const Slot slot : due_) {
      if (header(table, slot).changed != 0) SUPYO_TRY(fire({&slot, 1}, ctx, out));
      if (const Slot last = given.find(table.hash(slot), table.key(slot)); last != state::kNoSlot) given.erase(last);
      table.erase(slot);
    }
    return flush(out);
  }

  /// With a delay, changed windows fire together: the first change starts the clock. After a restart it starts again.
  TimeUs next_timer_us(const dataflow::OperatorContext&) const override { return started_ ? timer_ : kTimeMin; }
  Status on_timer(TimeUs now_us, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    state::KeyedTable& table = ctx.state().keyed(0);
    if (!started_) {
      started_ = true;
      bool any = false;
      table.for_each([&](Slot slot) { any |= header(table, slot).changed != 0; });
      if (any) timer_ = now_us;
      if (timer_ > now_us) return ok();
    }
    timer_ = kTimeMax;
    fired_.clear();
    table.for_each([&](Slot slot) { if (header(table, slot).changed != 0) fired_.push_back(slot); });
    std::ranges::sort(fired_, [&](Slot a, Slot b) { return std::pair(table.time(a), table.key(a)) < std::pair(table.time(b), table.key(b)); });
    for (const Slot slot : fired_) {
      header(table, slot).changed = 0;
      table.touch(slot);
    }
    SUPYO_TRY(fire(fired_, ctx, out));
    return flush(out);
  }

 private:
  Schema values_schema() const {
    Schema s;
    for (const expr::AggregateCall& c : spec_->aggregates) s.add(c.name, c.aggregate->result());
    return s;
  }
  static Header& header(state::KeyedTable& table, Slot slot) { return table.as<Header>(slot); }

  void assign(const Batch& batch, TimeUs combined) {
    rows_.clear();
    times_.clear();
    hashes_.clear();
    keys_.start(batch);
    const Column& time = *batch.columns[spec_->time_column];
    for (std::uint32_t row = 0; row < batch.rows; ++row) {
      if (time.is_null(row)) {
        late_.add({.row = row, .watermark_us = combined, .reason = LateRows::Reason::kNullTime});
        continue;
      }
      const TimeUs t = time.value<std::int64_t>(row);
      const TimeUs edge = edge_watermark(batch, row, combined);
      const WindowBounds::Range range = bounds_.windows_of(bounds_.local(t));
      for (std::int64_t n = range.first; n < range.first + range.count; ++n) {
        const TimeUs over = bounds_.fires(bounds_.end(n)) + emit_.lateness_us;
        if (edge >= over || combined >= over) {
          late_.add({.row = row, .watermark_us = edge, .time_us = t, .window_start_us = bounds_.start(n), .window_end_us = bounds_.end(n),
                     .reason = edge < over ? LateRows::Reason::kIdleReturn : LateRows::Reason::kLate});
          continue;
        }
        rows_.push_back(row);
        times_.push_back(over);
        hashes_.push_back(keys_.hash(row) ^ (hash_u64(static_cast<std::uint64_t>(n)) & 0xffff));   // the high bits name the shard
        keys_.add(n, row);
      }
    }
  }

  /// New windows, rows and origins; changed windows, once each, to fired_.
  void count(const Batch& batch, dataflow::OperatorContext& ctx) {
    state::KeyedTable& table = ctx.state().keyed(0);
    fired_.clear();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      Header& h = header(table, slots_[i]);
      const TimeUs fires = times_[i] - emit_.lateness_us;
      if (inserted_[i] != 0) {
        h = {};
        h.complete = fires <= ctx.watermark_us() ? 1 : 0;
        if (h.complete == 0) ctx.state().keyed(1).find_or_insert(hashes_[i], table.key(slots_[i]), fires);
        if (spec_->origins) table.as<Origin>(slots_[i], kOriginAt) = Origin{};
      }
      h.rows += signs_.empty() ? 1 : signs_[i];
      if (spec_->origins && !batch.origins.empty()) table.as<Origin>(slots_[i], kOriginAt).merge(batch.origins[rows_[i]]);
      if (h.changed != 0 || (h.complete == 0 && !emit_.early_us)) continue;
      h.changed = 1;
      fired_.push_back(slots_[i]);
    }
  }

  /// Of the windows in fired_: now, or when the timer says so.
  Status fire_changed(dataflow::OperatorContext& ctx, dataflow::Collector& out) {
    state::KeyedTable& table = ctx.state().keyed(0);
    std::erase_if(fired_, [&](Slot slot) {
      Header& h = header(table, slot);
      const DurationUs delay = h.complete != 0 ? emit_.late_us : *emit_.early_us;
      if (delay > 0) {
        timer_ = std::min(timer_, ctx.now_us() + delay);
        return true;
      }
      h.changed = 0;
      return false;
    });
    SUPYO_TRY(fire(fired_, ctx, out));
    return flush(out);
  }

  Status fire(std::span<const Slot> slots, dataflow::OperatorContext& ctx, dataflow::Collector& out) {
    for (std::size_t from = 0; from < slots.size(); from += Batch::kMaxRows) SUPYO_TRY(fire_some(slots.subspan(from, std::min(Batch::kMaxRows, slots.size() - from)), ctx, out));
    return ok();
  }

  Status fire_some(std::span<const Slot> slots, dataflow::OperatorContext& ctx, dataflow::Collector& out) {
    if (slots.empty()) return ok();
    state::KeyedTable& table = ctx.state().keyed(0);
    state::KeyedTable& given = ctx.state().keyed(2);
    const std::vector<ColumnBuilder*> values = builder_columns(values_, 0, spec_->aggregates.size());
    for (const Slot slot : slots) {
      SUPYO_TRY(accumulators_.append_values(table, slot, values));
      values_.end_row();
    }
    const BatchPtr now = values_.finish();
    for (std::size_t i = 0; i < slots.size(); ++i) {
      encoded_.clear();
      codec_.encode(now->columns, i, encoded_);
      const bool empty = header(table, slots[i]).rows <= 0;
      if (out_.rows() + 2 > Batch::kMaxRows) SUPYO_TRY(out.emit(out_.finish()));
      const Slot last = given.find(table.hash(slots[i]), table.key(slots[i]));
      if (last != state::kNoSlot) {
        if (!empty && given.blob(last) == encoded_) continue;
        SUPYO_TRY(put(table, slots[i], given.blob(last), empty ? RowKind::kDelete : RowKind::kUpdateBefore));
      }
      if (empty) {
        if (last != state::kNoSlot) given.erase(last);
        continue;
      }
      SUPYO_TRY(put(table, slots[i], encoded_, last != state::kNoSlot ? RowKind::kUpdateAfter : RowKind::kInsert));
      given.set_blob(last != state::kNoSlot ? last : given.find_or_insert(table.hash(slots[i]), table.key(slots[i])), encoded_);
    }
    return ok();
  }

  Status put(state::KeyedTable& table, Slot slot, std::string_view values, RowKind kind) {
    const std::size_t keys = spec_->keys.size();
    const std::size_t calls = accumulators_.size();
    const std::vector<ColumnBuilder*> targets = builder_columns(out_, 0, keys + calls + spec_->properties.size());
    const std::span<ColumnBuilder* const> all(targets);
    if (!keys_.decode(GroupKeys::without_prefix(table.key(slot)), all.first(keys)) || !codec_.decode(values, all.subspan(keys, calls)))
      return fail(ErrorCode::kDamaged, "state of " + spec_->label + ": a window does not decode");
    const TimeUs end = bounds_.end(GroupKeys::prefix_of(table.key(slot)));
    for (std::size_t p = 0; p < spec_->properties.size(); ++p) {
      ColumnBuilder& column = *targets[keys + calls + p];
      switch (spec_->properties[p]) {
        case Spec::Property::kStart: column.append(bounds_.start_of_end(end)); break;
        case Spec::Property::kEnd: column.append(end); break;
        case Spec::Property::kTime: column.append(bounds_.fires(end)); break;
      }
    }
    if (!spec_->origins) {
      out_.end_row(kind);
      return ok();
    }
    out_.end_row(kind, table.as<Origin>(slot, kOriginAt));
    return ok();
  }

  Status flush(dataflow::Collector& out) { return out_.rows() > 0 ? out.emit(out_.finish()) : ok(); }

  std::shared_ptr<const Spec> spec_;
  WindowEmit emit_;
  WindowBounds bounds_;
  GroupKeys keys_;
  Accumulators accumulators_;
  LateRows late_;
  BatchBuilder values_;
  RowCodec codec_;
  BatchBuilder out_;
  bool started_ = false;       // windows that had changed before a restart are known
  TimeUs timer_ = kTimeMax;    // when those that wait fire
  // Scratch of one call.
  std::vector<std::uint32_t> rows_;
  std::vector<TimeUs> times_;
  std::vector<std::uint64_t> hashes_;
  std::vector<Slot> slots_;
  std::vector<std::uint8_t> inserted_;
  std::vector<std::int8_t> signs_;
  std::vector<Slot> due_;
  std::vector<Slot> fired_;
  std::string encoded_;
};

}  // namespace

dataflow::OperatorFactory make_window_updates(WindowAggregateSpec spec, WindowEmit emit) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared, emit](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<WindowUpdates>(shared, emit); };
}

}  // namespace supyo::operators
