#include "engine/operators/group_aggregate.h"

#include "engine/operators/accumulators.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/window_rows.h"

namespace supyo::operators {
namespace {

using Spec = GroupAggregateSpec;

/// Before the accumulators: input rows in the group, then its origin (when a judge listens).
constexpr std::size_t kCountBytes = sizeof(std::int64_t);
std::uint32_t header_bytes(const Spec& s) { return kCountBytes + (s.origins ? static_cast<std::uint32_t>(sizeof(Origin)) : 0U); }

std::vector<Type> value_types(const Spec& s) {
  std::vector<Type> types;
  for (const expr::AggregateCall& c : s.aggregates) types.push_back(c.aggregate->result());
  return types;
}

class GroupAggregate final : public dataflow::Operator {
 public:
  explicit GroupAggregate(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        keys_(spec_->input, spec_->keys),
        distinct_(spec_->aggregates, spec_->input),
        extremes_(spec_->ttl_us == 0 ? std::span<const expr::AggregateCall>(spec_->aggregates) : std::span<const expr::AggregateCall>(), spec_->input),   // values that end on their own stay with their group
        accumulators_(spec_->aggregates, header_bytes(*spec_), &distinct_, &extremes_),
        values_(value_types(*spec_)),
        out_(output_schema(*spec_)) {
    for (const Type& t : values_.types()) {
      before_.emplace_back(t);
      after_.emplace_back(t);
    }
  }

  std::string_view name() const override { return "GroupAggregate"; }
  state::StateSpec state() const override {
    state::StateSpec spec{.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "groups", .fixed_width = accumulators_.width(), .ttl_us = spec_->ttl_us}}};
    if (distinct_.any()) spec.tables.push_back(DistinctValues::table(spec_->ttl_us));
    if (extremes_.any()) spec.tables.push_back(ExtremeValues::table());
    return spec;
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    state::KeyedTable& table = ctx.state().keyed(0);
    table.expire(ctx.now_us());
    start_values(ctx.state(), ctx.now_us());
    keys_.start_with_all(*batch);
    slots_.resize(batch->rows);
    inserted_.resize(batch->rows);
    table.find_or_insert(keys_.hashes(), keys_.views(), {}, slots_, inserted_);
    SUPYO_TRY(open_groups(*batch, table));
    SUPYO_TRY(spec_->partials ? accumulators_.fold_partials(*batch->columns.back(), kPartialHeader, kept_, kept_slots_, table) : accumulators_.update(*batch, kept_, kept_slots_, signs_, table));
    return close_groups(*batch, table, out);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    if (!spec_->final_only || w.us != kTimeMax) return ok();
    start_values(ctx.state(), ctx.now_us());
    return emit_final(ctx.state().keyed(0), out);
  }

 private:
  void start_values(state::OperatorState& state, TimeUs now_us) {
    std::size_t table = 1;
    if (distinct_.any()) distinct_.start(state.keyed(table++), now_us);
    if (extremes_.any()) extremes_.start(state.keyed(table));
  }

  /// A group that the batch touches: its row before the batch, and where its key stands in the batch.
  struct Group {
    state::Slot slot = 0;
    std::uint32_t row = 0;
    std::int64_t count_before = 0;
    std::uint32_t value_before = 0;  ///< row of before_, when count_before > 0
  };

  /// Notes every touched group as it was, counts its rows, and picks the rows that go into the accumulators.
  Status open_groups(const Batch& batch, state::KeyedTable& table) {
    groups_.clear();
    kept_.clear();
    kept_slots_.clear();
    signs_.clear();
    std::uint32_t noted = 0;
    for (std::uint32_t row = 0; row < batch.rows; ++row) {
      const state::Slot slot = slots_[row];
      if (slot >= open_.size()) open_.resize(slot + 1, 0);
      auto& count = table.as<std::int64_t>(slot);
      if (open_[slot] == 0) {
        open_[slot] = 1;
        Group g{.slot = slot, .row = row, .count_before = count, .value_before = noted};
        if (inserted_[row] != 0 && spec_->origins) table.as<Origin>(slot, kCountBytes) = Origin{};
        if (count > 0 && !spec_->final_only) {
          SUPYO_TRY(accumulators_.append_values(table, slot, pointers(before_)));
          ++noted;
        }
        groups_.push_back(g);
      }
      const bool takes_back = is_retraction(batch.kind(row));
      if (takes_back && count == 0) continue;
      if (spec_->partials) count = std::max<std::int64_t>(0, count + partial_rows(batch.columns.back()->text(row)));
      else count += takes_back ? -1 : 1;
      kept_.push_back(row);
      kept_slots_.push_back(slot);
      if (!batch.kinds.empty()) signs_.push_back(takes_back ? -1 : 1);
      if (spec_->origins && !batch.origins.empty()) table.as<Origin>(slot, kCountBytes).merge(batch.origins[row]);
    }
    return ok();
  }

  /// Emits what changed, in the order in which the batch touched the groups, and forgets the groups that are empty now.
  Status close_groups(const Batch& batch, state::KeyedTable& table, dataflow::Collector& out) {
    std::vector<ColumnPtr> before;
    for (ColumnBuilder& b : before_) before.push_back(b.finish());
    std::vector<ColumnPtr> after;
    if (!spec_->final_only) {
      for (const Group& g : groups_) SUPYO_TRY(accumulators_.append_values(table, g.slot, pointers(after_)));
      for (ColumnBuilder& b : after_) after.push_back(b.finish());
    }
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const Group& g = groups_[i];
      open_[g.slot] = 0;
      const std::int64_t count = table.as<std::int64_t>(g.slot);
      if (!spec_->final_only) SUPYO_TRY(emit_change(batch, table, g, count, before, after, i, out));
      if (count == 0) table.erase(g.slot);
    }
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

  Status emit_change(const Batch& batch, const state::KeyedTable& table, const Group& g, std::int64_t count, const std::vector<ColumnPtr>& before,
                     const std::vector<ColumnPtr>& after, std::size_t after_row, dataflow::Collector& out) {
    if (g.count_before == 0 && count == 0) return ok();
    if (g.count_before > 0 && count > 0 && same(before, g.value_before, after, after_row)) return ok();
    if (out_.rows() + 2 > Batch::kMaxRows) SUPYO_TRY(out.emit(out_.finish()));
    if (g.count_before == 0) {
      append(batch, table, g, after, after_row, RowKind::kInsert);
    } else if (count == 0) {
      append(batch, table, g, before, g.value_before, RowKind::kDelete);
    } else {
      if (spec_->update_before) append(batch, table, g, before, g.value_before, RowKind::kUpdateBefore);
      append(batch, table, g, after, after_row, RowKind::kUpdateAfter);
    }
    return ok();
  }

  bool same(const std::vector<ColumnPtr>& a, std::size_t row_a, const std::vector<ColumnPtr>& b, std::size_t row_b) {
    encoded_a_.clear();
    encoded_b_.clear();
    values_.encode(a, row_a, encoded_a_);
    values_.encode(b, row_b, encoded_b_);
    return encoded_a_ == encoded_b_;
  }

  void append(const Batch& batch, const state::KeyedTable& table, const Group& g, const std::vector<ColumnPtr>& values, std::size_t row, RowKind kind) {
    std::size_t column = 0;
    for (const std::size_t k : spec_->keys) out_.column(column++).append_from(*batch.columns[k], g.row);
    for (const ColumnPtr& v : values) out_.column(column++).append_from(*v, row);
    end_row(table, g.slot, kind);
  }

  void end_row(const state::KeyedTable& table, state::Slot slot, RowKind kind) {
    if (!spec_->origins) return out_.end_row(kind);
    Origin origin;
    std::memcpy(&origin, table.fixed(slot) + kCountBytes, sizeof origin);
    out_.end_row(kind, origin);
  }

  Status emit_final(state::KeyedTable& table, dataflow::Collector& out) {
    std::vector<state::Slot> live;
    table.for_each([&](state::Slot s) { live.push_back(s); });
    if (spec_->row_when_empty && spec_->keys.empty() && live.empty()) live.push_back(table.find_or_insert(0, ""));
    const std::size_t keys = spec_->keys.size();
    std::vector<ColumnBuilder*> targets = builder_columns(out_, 0, keys + accumulators_.size());
    for (const state::Slot slot : live) {
      if (!keys_.decode(table.key(slot), std::span(targets).first(keys))) {
        return fail(ErrorCode::kDamaged, "state of GroupAggregate: a key does not decode");
      }
      SUPYO_TRY(accumulators_.append_values(table, slot, std::span(targets).subspan(keys)));
      end_row(table, slot, RowKind::kInsert);
      table.erase(slot);
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
    }
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

  static std::vector<ColumnBuilder*> pointers(std::vector<ColumnBuilder>& builders) {
    std::vector<ColumnBuilder*> out;
    for (ColumnBuilder& b : builders) out.push_back(&b);
    return out;
  }

  std::shared_ptr<const Spec> spec_;
  GroupKeys keys_;
  DistinctValues distinct_;
  ExtremeValues extremes_;
  Accumulators accumulators_;
  RowCodec values_;
  // Scratch of one call.
  BatchBuilder out_;
  std::vector<ColumnBuilder> before_;
  std::vector<ColumnBuilder> after_;
  std::vector<state::Slot> slots_;
  std::vector<std::uint8_t> inserted_;
  std::vector<std::uint8_t> open_;  // by slot
  std::vector<Group> groups_;
  std::vector<std::uint32_t> kept_;
  std::vector<state::Slot> kept_slots_;
  std::vector<std::int8_t> signs_;
  std::string encoded_a_;
  std::string encoded_b_;
};

}  // namespace

Schema output_schema(const GroupAggregateSpec& spec) {
  Schema s;
  for (const std::size_t k : spec.keys) s.add(spec.input[k].name, spec.input[k].type);
  for (const expr::AggregateCall& c : spec.aggregates) s.add(c.name, c.aggregate->result());
  return s;
}

dataflow::OperatorFactory make_group_aggregate(GroupAggregateSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t shard, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> {
    if (shard == 0 || !shared->row_when_empty) return std::make_unique<GroupAggregate>(shared);
    // Only one shard speaks for an empty input.
    auto quiet = std::make_shared<Spec>(*shared);
    quiet->row_when_empty = false;
    return std::make_unique<GroupAggregate>(std::move(quiet));
  };
}

}  // namespace supyo::operators
