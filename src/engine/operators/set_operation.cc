#include "engine/operators/set_operation.h"

#include <algorithm>
#include <numeric>

#include "engine/operators/group_keys.h"

namespace supyo::operators {
namespace {

using state::Slot;
using Spec = SetOperationSpec;

std::vector<std::size_t> all_columns(const Schema& s) {
  std::vector<std::size_t> out(s.size());
  std::iota(out.begin(), out.end(), std::size_t{0});
  return out;
}

class SetOperation final : public dataflow::Operator {
 public:
  explicit SetOperation(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)), rows_(spec_->input, all_columns(spec_->input)), out_(spec_->input), columns_(builder_columns(out_, 0, spec_->input.size())) {}

  std::string_view name() const override { return spec_->intersect ? "Intersect" : "Except"; }
  state::StateSpec state() const override {
    return {.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "rows", .fixed_width = static_cast<std::uint32_t>(sizeof(Sides)), .ttl_us = spec_->ttl_us}}};
  }

  Status process(const BatchPtr& batch, std::size_t input, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    state::KeyedTable& table = ctx.state().keyed(0);
    table.expire(ctx.now_us());
    rows_.start_with_all(*batch);
    slots_.resize(batch->rows);
    inserted_.resize(batch->rows);
    table.find_or_insert(rows_.hashes(), rows_.views(), {}, slots_, inserted_);
    for (std::size_t row = 0; row < batch->rows; ++row) {
      const Slot slot = slots_[row];
      Sides& sides = table.as<Sides>(slot);
      Change& change = change_of(slot, sides);
      if (!batch->origins.empty()) change.cause.merge(batch->origins[row]);
      sides.count[input] += is_retraction(batch->kind(row)) ? -1 : 1;
      table.touch(slot);
    }
    for (const Change& c : changes_) SUPYO_TRY(close(c, !batch->origins.empty(), table, out));
    for (const Change& c : changes_) place_[c.slot] = 0;
    changes_.clear();
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

 private:
  struct Sides {
    std::int64_t count[2] = {};   // may be below zero while a row's end comes before its beginning
  };
  struct Change {
    Slot slot = state::kNoSlot;
    std::int64_t before = 0;
    Origin cause;
  };

  std::int64_t result(const Sides& s) const {
    const std::int64_t left = std::max<std::int64_t>(s.count[0], 0), right = std::max<std::int64_t>(s.count[1], 0);
    if (spec_->all) return spec_->intersect ? std::min(left, right) : std::max<std::int64_t>(left - right, 0);
    return left > 0 && (right > 0) == spec_->intersect ? 1 : 0;
  }

  /// What the batch does to a row, noted as the row was before.
  Change& change_of(Slot slot, const Sides& sides) {
    if (slot >= place_.size()) place_.resize(slot + 1);
    if (place_[slot] == 0) {
      changes_.push_back({.slot = slot, .before = result(sides), .cause = {}});
      place_[slot] = static_cast<std::uint32_t>(changes_.size());
    }
    return changes_[place_[slot] - 1];
  }

  Status close(const Change& c, bool origins, state::KeyedTable& table, dataflow::Collector& out) {
    const Sides sides = table.as<Sides>(c.slot);
    const std::int64_t by = result(sides) - c.before;
    for (std::int64_t i = 0; i < std::abs(by); ++i) {
      if (!rows_.decode(table.key(c.slot), columns_)) return fail(ErrorCode::kDamaged, fmt::format("state of {}: a row does not decode", name()));
      const RowKind kind = by > 0 ? RowKind::kInsert : RowKind::kDelete;
      if (origins) out_.end_row(kind, c.cause); else out_.end_row(kind);
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
    }
    if (sides.count[0] == 0 && sides.count[1] == 0) table.erase(c.slot);
    return ok();
  }

  std::shared_ptr<const Spec> spec_;
  GroupKeys rows_;
  // Scratch of one call.
  BatchBuilder out_;
  std::vector<ColumnBuilder*> columns_;
  std::vector<Slot> slots_;
  std::vector<std::uint8_t> inserted_;
  std::vector<Change> changes_;
  std::vector<std::uint32_t> place_;   // by slot: of its change, from 1
};

}  // namespace

dataflow::OperatorFactory make_set_operation(SetOperationSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<SetOperation>(shared); };
}

}  // namespace supyo::operators
