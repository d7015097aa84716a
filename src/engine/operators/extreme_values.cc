#include "engine/operators/extreme_values.h"

#include "core/base/bytes.h"
#include "sql/expr/sorted_counts.h"

namespace supyo::operators {

ExtremeValues::ExtremeValues(std::span<const expr::AggregateCall> calls, const Schema& input) : index_({.name = "index"}) {
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const expr::AggregateCall& c = calls[i];
    const int side = c.args.size() == 1 ? c.aggregate->extreme_of_all() : 0;
    sides_.push_back(side);
    columns_.push_back(side != 0 ? c.args[0] : 0);
    types_.push_back(side != 0 ? input[c.args[0]].type : Type());
    owners_.push_back(i);
    for (std::size_t k = 0; k < i && side != 0 && owners_[i] == i; ++k)
      if (sides_[k] != 0 && columns_[k] == c.args[0] && calls[k].filter == c.filter) owners_[i] = k;
    any_ |= side != 0;
  }
}

/// What a call's entries of a group begin with.
void ExtremeValues::prefix(std::size_t call, std::string_view group, std::string& out) const {
  out.clear();
  ByteWriter w(out);
  w.varint(call);
  w.text(group);
}

void ExtremeValues::start(state::KeyedTable& table) {
  if (table_ == &table) return;
  table_ = &table;
  table.for_each([&](Slot slot) {
    if (table.as<std::int64_t>(slot) <= 0) return;
    ByteReader in(table.key(slot));
    const auto call = static_cast<std::size_t>(in.varint());
    prefix(call, in.text(), key_);
    link(index_hash(table.hash(slot), call), key_, slot);
  });
  index_.forget_changes();
}

void ExtremeValues::link(std::uint64_t hash, std::string_view prefix, Slot slot) {
  const Slot at = index_.find_or_insert(hash, prefix);
  if (at >= values_.size()) values_.resize(std::max<std::size_t>(at + 1, values_.size() * 2));
  Values& v = values_[at];
  if (v.many == nullptr && v.only == state::kNoSlot) {
    v.only = slot;
    return;
  }
  if (v.many == nullptr) {
    v.many = std::make_unique<std::set<Slot, Before>>(Before{table_});
    v.many->insert(v.only);
  }
  v.many->insert(slot);
}

void ExtremeValues::unlink(std::uint64_t hash, std::string_view prefix, Slot slot) {
  const Slot at = index_.find(hash, prefix);
  if (at == state::kNoSlot) return;
  Values& v = values_[at];
  if (v.many != nullptr) v.many->erase(slot);
  if (v.many != nullptr && v.many->size() > 1) return;
  if (v.many != nullptr) {
    v.only = *v.many->begin();
    v.many.reset();
    return;
  }
  v.only = state::kNoSlot;
  index_.erase(at);
}

void ExtremeValues::take(std::size_t call, const Batch& batch, std::size_t row, std::uint64_t group_hash, std::string_view group, bool goes) {
  const Column& value = *batch.columns[columns_[call]];
  if (owners_[call] != call || value.is_null(row)) return;
  prefix(call, group, key_);
  const std::size_t size = key_.size();
  expr::append_ordered_key(value, row, key_);
  const Slot slot = table_->find_or_insert(group_hash, key_);
  auto& count = table_->as<std::int64_t>(slot);
  const bool was = count > 0;
  count += goes ? -1 : 1;
  const bool is = count > 0;
  table_->touch(slot);
  const std::string_view of = std::string_view(key_).substr(0, size);
  if (!was && is) link(index_hash(group_hash, call), of, slot);
  if (was && !is) unlink(index_hash(group_hash, call), of, slot);
  if (count == 0) table_->erase(slot);
  index_.forget_changes();
}

void ExtremeValues::append(std::size_t call, std::uint64_t group_hash, std::string_view group, ColumnBuilder& out) const {
  prefix(owners_[call], group, asked_);
  const Slot at = index_.find(index_hash(group_hash, owners_[call]), asked_);
  if (at == state::kNoSlot) return out.append_null();
  const Values& v = values_[at];
  const Slot slot = v.many == nullptr ? v.only : sides_[call] > 0 ? *v.many->rbegin() : *v.many->begin();
  expr::append_ordered_value(types_[call], table_->key(slot).substr(asked_.size()), out);
}

}  // namespace supyo::operators
