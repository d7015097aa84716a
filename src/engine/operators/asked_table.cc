#include "engine/operators/asked_table.h"

#include <algorithm>

#include "engine/operators/join_schema.h"

namespace supyo::operators {

AskedTable::AskedTable(std::vector<std::size_t> left_keys, const Schema& right, std::vector<std::size_t> right_keys, dataflow::LookupCache cache, std::unique_ptr<dataflow::Lookup> lookup)
    : left_keys_(std::move(left_keys)), right_keys_(std::move(right_keys)), right_(right), cache_(cache), lookup_(std::move(lookup)), codec_(right.types()), found_keys_(right_, right_keys_) {}

void AskedTable::forget(Map::iterator it) {
  for (const std::uint32_t row : it->second.rows) {
    rows_[row] = {};
    free_.push_back(row);
  }
  by_use_.erase(it->second.place);
  known_.erase(it);
}

void AskedTable::forget_what_is_not_kept() {
  while (known_.size() > cache_.max_keys) forget(known_.find(by_use_.back()));
}

Status AskedTable::prepare(const Batch& batch, std::span<const std::string_view> keys, TimeUs now_us) {
  forget_what_is_not_kept();
  std::vector<std::uint32_t> first_rows;   // of keys that are asked for
  for (std::uint32_t row = 0; row < batch.rows; ++row) {
    if (has_null(batch, left_keys_, row)) continue;
    auto it = known_.find(keys[row]);
    if (it != known_.end() && it->second.asked_us != now_us) {
      // What was asked for in this batch stays as it is, so that its rows all see the same.
      if (is_stale(it->second, now_us) || (it->second.rows.empty() && !cache_.missing_keys)) {
        forget(it);
        it = known_.end();
      } else {
        it->second.used_us = now_us;
        by_use_.splice(by_use_.begin(), by_use_, it->second.place);
      }
    }
    if (it != known_.end()) continue;
    by_use_.emplace_front(keys[row]);
    known_.emplace(std::string(keys[row]), Known{.rows = {}, .asked_us = now_us, .used_us = now_us, .place = by_use_.begin()});
    first_rows.push_back(row);
  }
  const std::size_t most = lookup_->most_keys();
  for (std::size_t from = 0; from < first_rows.size(); from += most)
    SUPYO_TRY(ask(batch, keys, std::span(first_rows).subspan(from, std::min(most, first_rows.size() - from))));
  return ok();
}

Status AskedTable::ask(const Batch& batch, std::span<const std::string_view> keys, std::span<const std::uint32_t> rows) {
  ++questions_;
  for (const std::uint32_t row : rows) known_.find(keys[row])->second.question = questions_;
  const BatchPtr asked = take(project(batch, left_keys_), rows);
  SUPYO_ASSIGN(const std::vector<BatchPtr> found, lookup_->find(*asked));
  for (const BatchPtr& part : found) {
    found_keys_.start_with_all(*part);
    const auto views = found_keys_.views();
    for (std::size_t row = 0; row < part->rows; ++row) {
      if (has_null(*part, right_keys_, row)) continue;
      const auto it = known_.find(views[row]);
      if (it == known_.end() || it->second.question != questions_) continue;   // equal for the database only: other letters, blanks at the end
      if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(rows_.size()));
        rows_.emplace_back();
      }
      const std::uint32_t number = free_.back();
      free_.pop_back();
      codec_.encode(part->columns, row, rows_[number]);
      it->second.rows.push_back(number);
    }
  }
  return ok();
}

}  // namespace supyo::operators
