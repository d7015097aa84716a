#pragma once
#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "data/types/batch.h"
#include "data/types/builder.h"

namespace supyo::operators {

/// Rows of one side of a window join as they came, in their batches: most windows are complete before the next epoch, so that their rows need not go into the state at all.
class WaitingRows {
 public:
  struct Row {
    TimeUs fires = 0;
    std::uint64_t hash = 0;           // of the join key
    const Batch* batch = nullptr;
    std::uint32_t row = 0;
    std::uint32_t null_key = 0;       // has no partner
  };

  bool empty() const { return rows_.empty(); }
  std::span<const Row> rows() const { return rows_; }
  /// There are so many that the state is the better place. Batches count whole, as long as any row waits.
  bool too_many() const { return held_ > kMostRows || batches_.size() > kMostBatches; }
  void add(const BatchPtr& batch, const Row& row) {
    if (batches_.empty() || batches_.back() != batch) batches_.push_back(batch), held_ += batch->rows;
    rows_.push_back(row);
  }
  /// Moves those whose window is complete into `due`: by time, then in order of arrival. Their batches live until forget_unused().
  void take_due(TimeUs watermark_us, std::vector<Row>& due) {
    due.clear();
    std::erase_if(rows_, [&](const Row& r) {
      if (r.fires <= watermark_us) due.push_back(r);
      return r.fires <= watermark_us;
    });
    std::ranges::stable_sort(due, {}, &Row::fires);
  }
  void forget_unused() {
    if (rows_.empty()) clear();
  }
  void clear() { rows_.clear(), batches_.clear(), held_ = 0; }

 private:
  static constexpr std::size_t kMostRows = 1U << 16, kMostBatches = 1024;
  std::vector<BatchPtr> batches_;
  std::size_t held_ = 0;
  std::vector<Row> rows_;             // in order of arrival
};

/// The values are the same, and not null. Of columns of one type that is not a floating one.
inline bool same_value(const Column& a, std::size_t i, const Column& b, std::size_t j) {
  if (a.is_null(i) || b.is_null(j)) return false;
  if (a.type().is_variable()) return a.text(i) == b.text(j);
  const auto width = static_cast<std::size_t>(a.type().width());
  if (width == 8) return a.value<std::int64_t>(i) == b.value<std::int64_t>(j);
  return std::memcmp(a.data()->data() + i * width, b.data()->data() + j * width, width) == 0;
}

/// Positions in a list of rows by the hash of their key. Scratch of one call.
class RowsByHash {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  void build(std::span<const WaitingRows::Row> rows) {
    heads_.assign(std::bit_ceil(rows.size() * 2 + 1), kNone);
    next_.resize(rows.size());
    for (std::size_t i = rows.size(); i-- > 0;) {   // so that a list is in order of arrival
      if (rows[i].null_key != 0) continue;
      std::uint32_t& head = heads_[place(rows[i].hash)];
      next_[i] = std::exchange(head, static_cast<std::uint32_t>(i));
    }
  }
  /// The first that may have this hash; kNone: there is none.
  std::uint32_t first(std::uint64_t hash) const { return heads_[place(hash)]; }
  std::uint32_t next(std::uint32_t at) const { return next_[at]; }

 private:
  std::size_t place(std::uint64_t hash) const { return (hash ^ hash >> 32) & (heads_.size() - 1); }
  std::vector<std::uint32_t> heads_, next_;
};

}  // namespace supyo::operators
