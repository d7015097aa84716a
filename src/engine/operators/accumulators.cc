#include "engine/operators/accumulators.h"

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace supyo::operators {

Accumulators::Accumulators(std::vector<expr::AggregateCall> calls, std::uint32_t header_bytes, DistinctValues* distinct, ExtremeValues* extremes)
    : calls_(std::move(calls)), distinct_(distinct), extremes_(extremes), first_(header_bytes), width_(header_bytes) {
  SUPYO_CHECK_EQ(header_bytes % 8, 0U);
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    expr::AggregateCall& c = calls_[i];
    if (distinct_ != nullptr && distinct_->has(i)) c.aggregate = c.aggregate->without_distinct();
    offsets_.push_back(width_);
    const bool apart = extremes_ != nullptr && extremes_->has(i);
    width_ += apart ? 0 : c.aggregate->width();
    blob_index_.push_back(!apart && c.aggregate->needs_blob() ? blobs_++ : SIZE_MAX);
  }
}

void Accumulators::unpack_blobs(std::span<const state::Slot> slots, const state::KeyedTable& table) {
  open_slots_.clear();
  for (const state::Slot slot : slots) {
    if (slot >= group_of_slot_.size()) group_of_slot_.resize(slot + 1, 0);
    if (group_of_slot_[slot] != 0) continue;
    open_slots_.push_back(slot);
    group_of_slot_[slot] = static_cast<std::uint32_t>(open_slots_.size());
    if (open_blobs_.size() < open_slots_.size()) open_blobs_.emplace_back(blobs_);
    ByteReader in(table.blob(slot));
    for (std::string& b : open_blobs_[open_slots_.size() - 1]) b = in.done() ? std::string_view{} : in.text();
  }
}

void Accumulators::pack_blobs(state::KeyedTable& table) {
  std::string packed;
  for (std::size_t g = 0; g < open_slots_.size(); ++g) {
    packed.clear();
    ByteWriter out(packed);
    for (const std::string& b : open_blobs_[g]) out.text(b);
    table.set_blob(open_slots_[g], packed);
    group_of_slot_[open_slots_[g]] = 0;
  }
}

Status Accumulators::update(const Batch& batch, std::span<const std::uint32_t> rows, std::span<const state::Slot> slots,
                            std::span<const std::int8_t> signs, state::KeyedTable& table) {
  open(slots, table);
  SUPYO_TRY(fold(batch, rows, slots, signs, table));
  close(table);
  return ok();
}

Status Accumulators::fold(const Batch& batch, std::span<const std::uint32_t> rows, std::span<const state::Slot> slots, std::span<const std::int8_t> signs,
                          state::KeyedTable& table) {
  if (rows.empty()) return ok();
  base_.resize(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) base_[i] = table.fixed(slots[i]);
  row_slots_ = slots;
  for (std::size_t call = 0; call < calls_.size(); ++call) SUPYO_TRY(update_one(call, batch, rows, signs, &table));
  return ok();
}

Status Accumulators::alone(const Batch& batch, std::span<const std::uint32_t> rows, std::span<const std::int8_t> signs, std::span<std::byte> out) {
  SUPYO_CHECK(blobs_ == 0 && distinct_ == nullptr && extremes_ == nullptr && out.size() == rows.size() * width_);
  base_.resize(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    base_[i] = out.data() + i * width_;
    std::fill(base_[i] + first_, base_[i] + width_, std::byte{0});
  }
  for (std::size_t call = 0; call < calls_.size(); ++call) SUPYO_TRY(update_one(call, batch, rows, signs, nullptr));
  return ok();
}

Status Accumulators::update_one(std::size_t call, const Batch& batch, std::span<const std::uint32_t> rows, std::span<const std::int8_t> signs, const state::KeyedTable* table) {
  const expr::AggregateCall& c = calls_[call];
  if (extremes_ != nullptr && extremes_->has(call)) {
    const Column* asked = c.filter == SIZE_MAX ? nullptr : batch.columns[c.filter].get();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (asked != nullptr && (asked->is_null(rows[i]) || asked->value<std::uint8_t>(rows[i]) == 0)) continue;
      extremes_->take(call, batch, rows[i], table->hash(row_slots_[i]), table->key(row_slots_[i]), !signs.empty() && signs[i] < 0);
    }
    return ok();
  }
  args_.clear();
  for (const std::size_t a : c.args) args_.push_back(batch.columns[a]);
  const std::size_t blob = blob_index_[call];
  blob_of_row_.clear();
  const bool gated = distinct_ != nullptr && distinct_->has(call);
  if (c.filter == SIZE_MAX && !gated) {
    acc_.resize(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) acc_[i] = base_[i] + offsets_[call];
    if (blob != SIZE_MAX) {
      for (std::size_t i = 0; i < rows.size(); ++i) blob_of_row_.push_back(&open_blobs_[group_of_slot_[row_slots_[i]] - 1][blob]);
    }
    return c.aggregate->update(args_, rows, acc_, signs, blob_of_row_);
  }
  const Column* filter = c.filter == SIZE_MAX ? nullptr : batch.columns[c.filter].get();
  acc_.clear();
  kept_.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (filter != nullptr && (filter->is_null(rows[i]) || filter->value<std::uint8_t>(rows[i]) == 0)) continue;
    kept_.rows.push_back(rows[i]);
    if (table != nullptr) kept_.slots.push_back(row_slots_[i]);
    kept_.numbers.push_back(static_cast<std::uint32_t>(i));
    if (!signs.empty()) kept_.signs.push_back(signs[i]);
  }
  if (gated) distinct_->take(call, batch, *table, kept_);
  for (const std::uint32_t i : kept_.numbers) {
    acc_.push_back(base_[i] + offsets_[call]);
    if (blob != SIZE_MAX) blob_of_row_.push_back(&open_blobs_[group_of_slot_[row_slots_[i]] - 1][blob]);
  }
  return c.aggregate->update(args_, kept_.rows, acc_, kept_.signs, blob_of_row_);
}

Status Accumulators::append_values(const state::KeyedTable& table, state::Slot slot, std::span<ColumnBuilder* const> out) const {
  const std::byte* base = table.fixed(slot);
  ByteReader in(blobs_ > 0 ? table.blob(slot) : std::string_view{});
  for (std::size_t call = 0; call < calls_.size(); ++call) {
    if (extremes_ != nullptr && extremes_->has(call)) {
      extremes_->append(call, table.hash(slot), table.key(slot), *out[call]);
      continue;
    }
    const bool has_blob = blob_index_[call] != SIZE_MAX && !in.done();
    SUPYO_TRY(calls_[call].aggregate->value(base + offsets_[call], has_blob ? in.text() : std::string_view{}, *out[call]));
  }
  return ok();
}

Status Accumulators::merge(state::Slot into, state::Slot from, state::KeyedTable& table) {
  const state::Slot both[] = {into, from};
  open(both, table);
  for (std::size_t call = 0; call < calls_.size(); ++call) {
    const std::size_t blob = blob_index_[call];
    std::string* mine = blob == SIZE_MAX ? nullptr : &open_blobs_[group_of_slot_[into] - 1][blob];
    const std::string_view other = blob == SIZE_MAX ? std::string_view{} : open_blobs_[group_of_slot_[from] - 1][blob];
    SUPYO_TRY(calls_[call].aggregate->merge(table.fixed(into) + offsets_[call], mine, table.fixed(from) + offsets_[call], other));
  }
  close(table);
  return ok();
}

Status Accumulators::fold_partials(const Column& partials, std::size_t skip, std::span<const std::uint32_t> rows, std::span<const state::Slot> slots, state::KeyedTable& table) {
  if (blobs_ == 0) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::string_view partial = partials.text(rows[i]).substr(skip);
      SUPYO_CHECK(partial.size() >= width_ - first_);
      std::byte* const into = table.fixed(slots[i]);
      const auto* from = reinterpret_cast<const std::byte*>(partial.data());
      for (std::size_t call = 0; call < calls_.size(); ++call) SUPYO_TRY(calls_[call].aggregate->merge(into + offsets_[call], nullptr, from + (offsets_[call] - first_), {}));
    }
    return ok();
  }
  open(slots, table);
  std::vector<std::string_view> others(blobs_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string_view partial = partials.text(rows[i]).substr(skip);
    SUPYO_CHECK(partial.size() >= width_ - first_);
    ByteReader in(partial.substr(width_ - first_));
    for (std::string_view& other : others) other = in.done() ? std::string_view{} : in.text();
    const auto* fixed = reinterpret_cast<const std::byte*>(partial.data());
    for (std::size_t call = 0; call < calls_.size(); ++call) {
      const std::size_t blob = blob_index_[call];
      std::string* mine = blob == SIZE_MAX ? nullptr : &open_blobs_[group_of_slot_[slots[i]] - 1][blob];
      SUPYO_TRY(calls_[call].aggregate->merge(table.fixed(slots[i]) + offsets_[call], mine, fixed + (offsets_[call] - first_), blob == SIZE_MAX ? std::string_view{} : others[blob]));
    }
  }
  close(table);
  return ok();
}

Status Accumulators::append_open(const state::KeyedTable& table, state::Slot slot, std::span<ColumnBuilder* const> out) const {
  const std::byte* base = table.fixed(slot);
  for (std::size_t call = 0; call < calls_.size(); ++call) {
    const std::size_t blob = blob_index_[call];
    SUPYO_TRY(calls_[call].aggregate->value(base + offsets_[call], blob != SIZE_MAX ? std::string_view(open_blobs_[group_of_slot_[slot] - 1][blob]) : std::string_view{}, *out[call]));
  }
  return ok();
}

}  // namespace supyo::operators
