#include "engine/operators/distinct_values.h"

#include "core/base/bytes.h"

namespace supyo::operators {

DistinctValues::DistinctValues(std::span<const expr::AggregateCall> calls, const Schema& input) {
  for (const expr::AggregateCall& c : calls) {
    const bool here = c.distinct && c.args.size() == 1 && c.aggregate->without_distinct() != nullptr;
    any_ |= here;
    columns_.push_back(here ? c.args[0] : 0);
    codecs_.emplace_back();
    if (here) codecs_.back().emplace(std::vector<Type>{input[c.args[0]].type});
  }
}

bool DistinctValues::take(std::size_t call, const Batch& batch, std::size_t row, std::uint64_t group_hash, std::string_view group, bool goes) {
  const ColumnPtr& value = batch.columns[columns_[call]];
  if (value->is_null(row)) return false;
  key_.clear();
  ByteWriter w(key_);
  w.varint(call);
  w.text(group);
  codecs_[call]->encode({&value, 1}, row, key_);
  const state::Slot slot = table_->find_or_insert(group_hash, key_);
  auto& count = table_->as<std::int64_t>(slot);
  table_->touch(slot);
  count += goes ? -1 : 1;
  const bool changed = count == (goes ? 0 : 1);
  if (count == 0) table_->erase(slot);
  return changed;
}

}  // namespace supyo::operators
