#include "engine/operators/over_aggregate.h"

#include <algorithm>
#include <limits>

#include "core/base/bytes.h"
#include "engine/operators/accumulators.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/keyed_row.h"
#include "engine/operators/late_rows.h"

namespace supyo::operators {
namespace {

using state::Slot;
using Spec = OverAggregateSpec;

/// In a group before the accumulators: with a bound how many rows came (ROWS) or are in the frame (RANGE), else 0; then the group's origin, when a judge listens.
constexpr std::uint32_t kCountBytes = 8;
constexpr std::size_t kWaiting = 0, kGroups = 1, kFrame = 2;

std::uint32_t header_bytes(const Spec& s) { return kCountBytes + (s.origins ? static_cast<std::uint32_t>(sizeof(Origin)) : 0U); }

std::vector<std::size_t> columns_of(const std::vector<expr::AggregateCall>& calls) {
  std::vector<std::size_t> out;
  for (const expr::AggregateCall& c : calls) {
    out.insert(out.end(), c.args.begin(), c.args.end());
    if (c.filter != SIZE_MAX) out.push_back(c.filter);
  }
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

Schema part_of(const Schema& schema, const std::vector<std::size_t>& columns) {
  Schema out;
  for (const std::size_t c : columns) out.add(schema[c].name, schema[c].type);
  return out;
}

TimeUs before(TimeUs t, DurationUs by) { return t < kTimeMin + by ? kTimeMin : t - by; }

/// Rows in the order in which they go into, or out of, the frames: those of one step are of different keys, or of one key and, under RANGE, of one time.
struct Movement {
  std::vector<BatchPtr> parts;
  std::vector<Slot> slots;            // of all rows, part after part
  std::vector<std::uint32_t> steps;
  std::vector<std::uint32_t> order;   // rows by step
  void clear() {
    parts.clear();
    slots.clear();
    steps.clear();
  }
  void sort(std::uint32_t count, std::vector<std::uint32_t>& starts) {
    starts.assign(count + 1, 0);
    for (const std::uint32_t s : steps) ++starts[s + 1];
    for (std::size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
    order.resize(steps.size());
    for (std::uint32_t row = 0; row < steps.size(); ++row) order[starts[steps[row]]++] = row;
    // That moved every start to the next one.
    for (std::size_t i = starts.size() - 1; i > 0; --i) starts[i] = starts[i - 1];
    starts[0] = 0;
  }
};

/// A waiting row is [origin] then its RowCodec bytes. What leaves a frame again is kept as the columns that the calls read: under RANGE by time, with its key
/// (KeyedRow); under ROWS in a ring a key, (place, key) -> columns, where a row takes the place of the one that it pushes out.
class OverAggregate final : public dataflow::Operator {
 public:
  explicit OverAggregate(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        codec_(spec_->input.types()),
        keys_(spec_->input, spec_->keys),
        ring_keys_(spec_->input, spec_->keys),
        accumulators_(spec_->calls, header_bytes(*spec_)),
        arguments_(columns_of(spec_->calls)),
        argument_codec_(part_of(spec_->input, arguments_).types()),
        late_(spec_->label),
        waiting_(spec_->input, Batch::kMaxRows),
        leaving_(part_of(spec_->input, arguments_)),
        leaving_columns_(builder_columns(leaving_, 0, arguments_.size())) {
    waiting_columns_ = builder_columns(waiting_, 0, spec_->input.size());
    for (std::size_t i = 0; i < accumulators_.size(); ++i) results_.emplace_back(accumulators_.type(i));
    for (ColumnBuilder& b : results_) result_columns_.push_back(&b);
  }

  std::string_view name() const override { return "OverAggregate"; }
  state::StateSpec state() const override {
    using Kind = state::TableSpec::Kind;
    state::StateSpec out{.tables = {{.kind = Kind::kOrdered, .name = "waiting"}, {.kind = Kind::kKeyed, .name = "groups", .fixed_width = accumulators_.width(), .ttl_us = ends_by_clock() ? spec_->ttl_us : 0}}};
    if (bounded_time()) out.tables.push_back({.kind = Kind::kOrdered, .name = "frame"});
    if (bounded_rows()) out.tables.push_back({.kind = Kind::kKeyed, .name = "frame", .shared_hashes = true});
    return out;
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    state::OrderedTable& table = ctx.state().ordered(kWaiting);
    const TimeUs combined = ctx.watermark_us();
    const Column& time = *batch->columns[spec_->time_column];
    keys_.start(*batch);
    if (ends_by_clock()) keys_.keep(ctx.state().keyed(kGroups), *batch, ctx.now_us(), [&](Slot slot) { forget(ctx.state(), slot); });
    for (std::uint32_t row = 0; row < batch->rows; ++row) {
      if (batch->kind(row) != RowKind::kInsert) [[unlikely]]
        return fail(ErrorCode::kUnsupported, "OVER over an updating input is not supported", "aggregate or deduplicate after OVER");
      const auto t = late_.time_to_come(*batch, time, row, combined);
      if (!t) continue;
      bytes_.clear();
      if (spec_->origins) {
        const Origin o = batch->origins.empty() ? Origin{} : batch->origins[row];
        bytes_.append(reinterpret_cast<const char*>(&o), sizeof o);
      }
      codec_.encode(batch->columns, row, bytes_);
      table.insert(*t, keys_.hash(row), bytes_);
    }
    return late_.empty() ? ok() : late_.flush(*batch, ctx);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    Status status = ok();
    if (ends_by_clock()) ctx.state().keyed(kGroups).expire(ctx.now_us(), [&](Slot slot) { forget(ctx.state(), slot); });
    TimeUs last = kTimeMin;
    ctx.state().ordered(kWaiting).pop_until(w.us, [&](TimeUs time, std::uint64_t, std::string_view blob) {
      if (!status) return;
      if (waiting_.full()) {
        in_.parts.push_back(waiting_.finish());
        // Rows of one time are summed up together, however many they are.
        if (spec_->frame.rows || time != last) status = release(ctx.state(), out);
        if (!status) return;
      }
      last = time;
      status = decode_waiting(blob);
    });
    SUPYO_TRY(std::move(status));
    if (waiting_.rows() > 0) in_.parts.push_back(waiting_.finish());
    if (!in_.parts.empty()) SUPYO_TRY(release(ctx.state(), out));
    return bounded_time() ? expire(w.us, ctx.state()) : ok();
  }

 private:
  bool bounded_time() const { return !spec_->frame.rows && spec_->frame.preceding; }
  bool ends_by_clock() const { return spec_->ttl_us > 0 && !bounded_time(); }
  /// The rows of a group that goes.
  void forget(state::OperatorState& state, Slot group) {
    if (!bounded_rows()) return;
    const state::KeyedTable& groups = state.keyed(kGroups);
    state::KeyedTable& ring = state.keyed(kFrame);
    const std::uint64_t rows = std::min(groups.as<std::uint64_t>(group), static_cast<std::uint64_t>(*spec_->frame.preceding) + 1);
    for (std::uint64_t place = 0; place < rows; ++place) {
      const Slot slot = ring.find(groups.hash(group), GroupKeys::with_prefix(static_cast<std::int64_t>(place), groups.key(group)));
      if (slot != state::kNoSlot) ring.erase(slot);
    }
  }
  bool bounded_rows() const { return spec_->frame.rows && spec_->frame.preceding; }

  Status decode_waiting(std::string_view blob) {
    Origin origin;
    if (spec_->origins) {
      if (blob.size() < sizeof origin) return damaged("a waiting row");
      std::memcpy(&origin, blob.data(), sizeof origin);
      blob.remove_prefix(sizeof origin);
    }
    if (!codec_.decode(blob, waiting_columns_)) return damaged("a waiting row");
    if (spec_->origins) waiting_.end_row(RowKind::kInsert, origin); else waiting_.end_row();
    return ok();
  }

  /// Emits the rows of in_.parts, which are in order, with their results.
  Status release(state::OperatorState& state, dataflow::Collector& out) {
    state::KeyedTable& groups = state.keyed(kGroups);
    for (const BatchPtr& part : in_.parts) {
      find_groups(*part, groups);
      SUPYO_TRY(bounded_rows() ? push_rows(*part, groups, state.keyed(kFrame)) : bounded_time() ? push_times(*part, groups, state.ordered(kFrame)) : step(*part));
    }
    take_leaving();
    SUPYO_TRY(fold(groups));
    SUPYO_TRY(emit(out));
    finish(groups);
    return ok();
  }

  void find_groups(const Batch& part, state::KeyedTable& groups) {
    keys_.start_with_all(part);
    const std::size_t first = in_.slots.size();
    in_.slots.resize(first + part.rows);
    slots_ = std::span(in_.slots).subspan(first);
    inserted_.resize(part.rows);
    groups.find_or_insert(keys_.hashes(), keys_.views(), {}, slots_, inserted_);
    for (std::size_t row = 0; row < part.rows; ++row) {
      groups.touch(slots_[row]);
      if (spec_->origins && inserted_[row] != 0) groups.as<Origin>(slots_[row], kCountBytes) = Origin{};
      if (slots_[row] >= steps_of_.size()) steps_of_.resize(slots_[row] + 1), time_of_.resize(slots_[row] + 1);
    }
  }

  /// The step in which a row goes in.
  std::uint32_t next_step(Slot slot, TimeUs time) {
    std::uint32_t& next = steps_of_[slot];
    if (spec_->frame.rows || next == 0 || time_of_[slot] != time) ++next;
    time_of_[slot] = time;
    count_ = std::max(count_, next + 1);
    return next - 1;
  }

  Status step(const Batch& part) {
    const auto times = part.columns[spec_->time_column]->values<std::int64_t>();
    for (std::size_t row = 0; row < part.rows; ++row) in_.steps.push_back(next_step(slots_[row], times[row]));
    return ok();
  }

  Status push_rows(const Batch& part, state::KeyedTable& groups, state::KeyedTable& ring) {
    const std::uint64_t size = static_cast<std::uint64_t>(*spec_->frame.preceding) + 1;
    ring_keys_.start(part);
    for (std::size_t row = 0; row < part.rows; ++row) ring_keys_.add(static_cast<std::int64_t>(groups.as<std::uint64_t>(slots_[row])++ % size), row);
    ring_slots_.resize(part.rows);
    ring.find_or_insert(ring_keys_.hashes(), ring_keys_.views(), {}, ring_slots_, inserted_);
    SUPYO_TRY(step(part));
    pick_arguments(part);
    for (std::size_t row = 0; row < part.rows; ++row) {
      if (inserted_[row] == 0) SUPYO_TRY(leave(ring.blob(ring_slots_[row]), slots_[row], in_.steps[in_.steps.size() - part.rows + row]));
      bytes_.clear();
      argument_codec_.encode(picked_, row, bytes_);
      ring.set_blob(ring_slots_[row], bytes_);
    }
    return ok();
  }

  Status push_times(const Batch& part, state::KeyedTable& groups, state::OrderedTable& frame) {
    const auto times = part.columns[spec_->time_column]->values<std::int64_t>();
    const auto keys = keys_.views();
    pick_arguments(part);
    for (std::size_t row = 0; row < part.rows; ++row) {
      if (row == 0 || times[row] != times[row - 1]) SUPYO_TRY(leave_until(before(times[row], *spec_->frame.preceding + 1), groups, frame));
      in_.steps.push_back(next_step(slots_[row], times[row]));
      KeyedRow::encode(keys[row], argument_codec_, picked_, row, bytes_);
      frame.insert(times[row], keys_.hash(row), bytes_);
    }
    return ok();
  }

  /// Takes what is no later than `until` out of the frames, each in the next step of its group.
  Status leave_until(TimeUs until, state::KeyedTable& groups, state::OrderedTable& frame) {
    if (frame.next_due() > until) return ok();
    Status status = ok();
    frame.pop_until(until, [&](TimeUs, std::uint64_t hash, std::string_view blob) {
      if (!status) return;
      const Slot slot = groups.find(hash, KeyedRow::key(blob));
      if (slot == state::kNoSlot) {
        status = damaged("a row of a frame");
        return;
      }
      if (slot >= steps_of_.size()) steps_of_.resize(slot + 1), time_of_.resize(slot + 1);
      groups.touch(slot);
      status = leave(KeyedRow::row(blob), slot, steps_of_[slot]);
    });
    return status;
  }

  Status leave(std::string_view arguments, Slot slot, std::uint32_t step) {
    if (!argument_codec_.decode(arguments, leaving_columns_)) return damaged("a row of a frame");
    leaving_.end_row();
    out_.slots.push_back(slot);
    out_.steps.push_back(step);
    count_ = std::max(count_, step + 1);
    if (leaving_.full()) take_leaving();
    return ok();
  }

  /// What was decoded becomes a batch in which the calls find their columns where the input has them.
  void take_leaving() {
    if (leaving_.rows() == 0) return;
    const BatchPtr built = leaving_.finish();
    auto part = std::make_shared<Batch>();
    part->rows = built->rows;
    part->columns.resize(spec_->input.size());
    for (std::size_t i = 0; i < arguments_.size(); ++i) part->columns[arguments_[i]] = built->columns[i];
    out_.parts.push_back(std::move(part));
  }

  void pick_arguments(const Batch& part) {
    picked_.clear();
    for (const std::size_t c : arguments_) picked_.push_back(part.columns[c]);
  }

  /// Step by step: rows leave, rows come in, and the results of those that came in are appended.
  Status fold(state::KeyedTable& groups) {
    in_.sort(count_, in_starts_);
    out_.sort(count_, out_starts_);
    row_slots_ = in_.slots;
    row_slots_.insert(row_slots_.end(), out_.slots.begin(), out_.slots.end());
    accumulators_.open(row_slots_, groups);
    for (std::uint32_t s = 0; s < count_; ++s) {
      SUPYO_TRY(move(out_, out_starts_[s], out_starts_[s + 1], true, groups));
      SUPYO_TRY(move(in_, in_starts_[s], in_starts_[s + 1], false, groups));
      for (std::uint32_t i = in_starts_[s]; i < in_starts_[s + 1]; ++i) {
        const Slot slot = in_.slots[in_.order[i]];
        SUPYO_TRY(accumulators_.append_open(groups, slot, result_columns_));
        if (spec_->origins) origins_.push_back(groups.as<Origin>(slot, kCountBytes));
      }
    }
    accumulators_.close(groups);
    return ok();
  }

  Status move(const Movement& m, std::size_t from, std::size_t to, bool leaves, state::KeyedTable& groups) {
    std::size_t part = 0, first = 0;
    while (from < to) {
      while (m.order[from] >= first + m.parts[part]->rows) first += m.parts[part++]->rows;
      const Batch& batch = *m.parts[part];
      rows_.clear();
      row_slots_.clear();
      for (; from < to && m.order[from] < first + batch.rows; ++from) {
        const auto row = static_cast<std::uint32_t>(m.order[from] - first);
        rows_.push_back(row);
        row_slots_.push_back(m.slots[m.order[from]]);
        if (!leaves && spec_->origins && !batch.origins.empty()) groups.as<Origin>(row_slots_.back(), kCountBytes).merge(batch.origins[row]);
      }
      signs_.assign(leaves ? rows_.size() : 0, -1);
      SUPYO_TRY(accumulators_.fold(batch, rows_, row_slots_, signs_, groups));
      if (bounded_time()) count_rows(leaves, groups);
    }
    return ok();
  }

  /// A frame that is empty begins anew, so that what is left of a sum of doubles does not depend on when its key was dropped.
  void count_rows(bool leave, state::KeyedTable& groups) {
    for (const Slot slot : row_slots_) {
      auto& count = groups.as<std::uint64_t>(slot);
      count += leave ? std::uint64_t{0} - 1 : 1;
      if (count == 0) accumulators_.reset_open(slot, groups);
    }
  }

  Status emit(dataflow::Collector& out) {
    std::vector<ColumnPtr> results;
    for (ColumnBuilder& b : results_) results.push_back(b.finish());
    place_.resize(in_.order.size());
    for (std::uint32_t i = 0; i < in_.order.size(); ++i) place_[in_.order[i]] = i;
    const bool in_place = in_.parts.size() == 1 && std::ranges::is_sorted(in_.order);
    std::size_t first = 0;
    for (const BatchPtr& part : in_.parts) {
      auto batch = std::make_shared<Batch>(*part);
      const auto places = std::span(place_).subspan(first, part->rows);
      for (const ColumnPtr& c : results) batch->columns.push_back(in_place ? c : take(*c, places));
      if (spec_->origins)
        for (std::size_t row = 0; row < part->rows; ++row) batch->origins[row] = origins_[places[row]];
      first += part->rows;
      SUPYO_TRY(out.emit(std::move(batch)));
    }
    return ok();
  }

  /// Forgets the scratch, and the groups without rows.
  void finish(state::KeyedTable& groups) {
    for (const Slot slot : in_.slots) steps_of_[slot] = 0;
    if (bounded_time()) {
      std::ranges::sort(out_.slots);
      out_.slots.erase(std::ranges::unique(out_.slots).begin(), out_.slots.end());
      for (const Slot slot : out_.slots)
        if (groups.as<std::uint64_t>(slot) == 0) groups.erase(slot);
    }
    in_.clear();
    out_.clear();
    origins_.clear();
    count_ = 0;
  }

  /// Rows that are in no frame of a row to come: those that are later than the watermark.
  Status expire(TimeUs watermark, state::OperatorState& state) {
    state::KeyedTable& groups = state.keyed(kGroups);
    SUPYO_TRY(leave_until(before(watermark, *spec_->frame.preceding), groups, state.ordered(kFrame)));
    take_leaving();
    if (out_.slots.empty()) return ok();
    SUPYO_TRY(fold(groups));
    finish(groups);
    return ok();
  }

  Status damaged(std::string_view what) const { return fail(ErrorCode::kDamaged, fmt::format("state of {}: {} does not decode", spec_->label, what)); }

  std::shared_ptr<const Spec> spec_;
  RowCodec codec_;
  GroupKeys keys_, ring_keys_;
  Accumulators accumulators_;
  std::vector<std::size_t> arguments_;   // input columns that the calls read
  RowCodec argument_codec_;
  // Scratch of one call.
  LateRows late_;
  BatchBuilder waiting_, leaving_;
  std::vector<ColumnBuilder*> waiting_columns_, leaving_columns_, result_columns_;
  std::vector<ColumnBuilder> results_;
  Movement in_, out_;
  std::span<Slot> slots_;                // of the part at hand, in in_.slots
  std::uint32_t count_ = 0;              // of steps
  std::vector<std::uint32_t> in_starts_, out_starts_, steps_of_, place_, rows_;
  std::vector<TimeUs> time_of_;          // by slot: of the last row, while steps_of_ is not 0
  std::vector<Slot> ring_slots_, row_slots_;
  std::vector<std::uint8_t> inserted_;
  std::vector<std::int8_t> signs_;
  std::vector<ColumnPtr> picked_;
  std::vector<Origin> origins_;
  std::string bytes_;
};

}  // namespace

Schema output_schema(const OverAggregateSpec& spec) {
  Schema s = spec.input;
  for (const expr::AggregateCall& c : spec.calls) s.add(c.name, c.aggregate->result());
  return s;
}

dataflow::OperatorFactory make_over_aggregate(OverAggregateSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<OverAggregate>(shared); };
}

}  // namespace supyo::operators
