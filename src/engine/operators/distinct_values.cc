#include "engine/operators/distinct_values.h"

#include <algorithm>

#include "core/base/bytes.h"

namespace supyo::operators {

DistinctValues::DistinctValues(std::span<const expr::AggregateCall> calls, const Schema& input, bool droppable) : droppable_(droppable) {
  for (const expr::AggregateCall& c : calls) {
    const bool here = c.distinct && c.args.size() == 1 && c.aggregate->without_distinct() != nullptr;
    any_ |= here;
    columns_.push_back(here ? c.args[0] : 0);
    codecs_.emplace_back();
    if (here) codecs_.back().emplace(std::vector<Type>{input[c.args[0]].type});
  }
}

void DistinctValues::start(state::KeyedTable& table, TimeUs now_us) {
  table.expire(now_us);
  if (table_ == &table) return;
  table_ = &table;
  if (!droppable_) return;
  table.for_each([&](state::Slot slot) {
    ByteReader in(table.key(slot));
    in.varint();
    lists_.add(slot, table.hash(slot), in.text());
  });
  lists_.settle();
}

void DistinctValues::drop(std::uint64_t group_hash, std::string_view group) {
  for (state::Slot slot = lists_.first(group_hash, group); slot != state::kNoSlot;) {
    const state::Slot next = lists_.next(slot);
    lists_.remove(slot, group_hash, group);
    table_->erase(slot);
    slot = next;
  }
  lists_.settle();
}

void DistinctValues::take(std::size_t call, const Batch& batch, const state::KeyedTable& groups, Rows& rows) {
  const ColumnPtr& value = batch.columns[columns_[call]];
  const bool all_come = rows.signs.empty();
  const auto keep = [&](std::size_t to, std::size_t from) {
    rows.rows[to] = rows.rows[from];
    rows.slots[to] = rows.slots[from];
    rows.numbers[to] = rows.numbers[from];
    if (!all_come) rows.signs[to] = rows.signs[from];
  };
  const auto cut = [&](std::size_t n) {
    rows.rows.resize(n);
    rows.slots.resize(n);
    rows.numbers.resize(n);
    if (!all_come) rows.signs.resize(n);
  };
  std::size_t kept = 0;
  bytes_.clear();
  ends_.clear();
  hashes_.clear();
  ByteWriter w(bytes_);
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    if (value->is_null(rows.rows[i])) continue;
    w.varint(call);
    w.text(groups.key(rows.slots[i]));
    codecs_[call]->encode({&value, 1}, rows.rows[i], bytes_);
    ends_.push_back(bytes_.size());
    hashes_.push_back(groups.hash(rows.slots[i]));
    keep(kept++, i);
  }
  cut(kept);
  keys_.clear();
  for (std::size_t i = 0, from = 0; i < kept; from = ends_[i++]) keys_.push_back(std::string_view(bytes_).substr(from, ends_[i] - from));
  slots_.resize(kept);
  inserted_.resize(kept);
  table_->find_or_insert(hashes_, keys_, {}, slots_, inserted_);
  bool some_end = false;
  std::size_t out = 0;
  for (std::size_t i = 0; i < kept; ++i) {
    if (droppable_ && inserted_[i] != 0) lists_.add(slots_[i], hashes_[i], groups.key(rows.slots[i]));
    auto& count = table_->as<std::int64_t>(slots_[i]);
    const bool goes = !all_come && rows.signs[i] < 0;
    count += goes ? -1 : 1;
    some_end |= count == 0;
    if (count == (goes ? 0 : 1)) keep(out++, i);
  }
  cut(out);
  if (droppable_) lists_.settle();
  if (!some_end) return;
  // A value may go and come back within the batch: it ends only when it is gone at the end.
  std::ranges::sort(slots_);
  slots_.erase(std::ranges::unique(slots_).begin(), slots_.end());
  for (const state::Slot slot : slots_) {
    if (table_->as<std::int64_t>(slot) != 0) continue;
    if (droppable_) {
      ByteReader in(table_->key(slot));
      in.varint();
      lists_.remove(slot, table_->hash(slot), in.text());
    }
    table_->erase(slot);
  }
  if (droppable_) lists_.settle();
}

}  // namespace supyo::operators
