#pragma once
#include <algorithm>
#include <bit>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "data/types/batch.h"
#include "data/types/row_codec.h"
#include "engine/operators/row_ends.h"

namespace supyo::operators {

/// Rows that end, in the batches that they came in: none is copied, and a batch goes when all of its rows have ended, with no look at any of them. Batches go in the order in which they came; where one
/// stands in the way for long (crowded()), its rows that are left are the caller's to keep. Rows are found by their join key: a few looks go over the hashes of all, more of them make an index.
class EndingRows {
 public:
  /// Row `asker` of those that were looked for has the key of this row.
  struct Match {
    std::uint32_t asker = 0, row = 0;
    const Batch* batch = nullptr;
  };

  EndingRows(RowEnds ends, std::vector<std::size_t> key_columns, std::vector<Type> key_types) : row_ends_(ends), key_columns_(std::move(key_columns)), key_codec_(std::move(key_types)) {}

  /// Of fewer rows than that a batch is not worth it to be kept whole.
  static constexpr std::size_t kFewest = 16;
  /// `with_key`: the rows that have one, in order, some at least; empty: all. `hashes` are of all.
  void add(const BatchPtr& batch, std::span<const std::uint32_t> with_key, std::span<const std::uint64_t> hashes) {
    Piece& p = pieces_.emplace_back();
    p.batch = batch;
    for (const std::size_t c : key_columns_) p.keys.push_back(batch->columns[c]);
    p.with_key.assign(with_key.begin(), with_key.end());
    p.hashes.assign(hashes.begin(), hashes.end());
    rows_ += batch->rows;
    each_second(*batch, [&](std::int64_t second, std::size_t n) {
      p.last = std::max(p.last, second);
      if (second <= now_) ended_ += n;
      else ends_[second] += n;
    });
  }

  void end_until(TimeUs watermark_us) {
    now_ = RowEnds::second_of(watermark_us);
    for (; !ends_.empty() && ends_.begin()->first <= now_; ends_.erase(ends_.begin())) ended_ += ends_.begin()->second;
    while (!pieces_.empty() && pieces_.front().last <= now_) pop_front();
  }

  bool empty() const { return pieces_.empty(); }
  /// The oldest batch keeps many away from their end, or there are too many at all.
  bool crowded() const { return rows_ > kMost || (pieces_.size() > 8 && ended_ * 4 > rows_ * 3); }
  const Batch& front() const { return *pieces_.front().batch; }
  /// Its rows that have a key and have not ended.
  void live_rows_of_front(std::vector<std::uint32_t>& out) const {
    out.clear();
    const Piece& p = pieces_.front();
    p.each_row([&](std::uint32_t row) {
      if (row_ends_.second(*p.batch, row) > now_) out.push_back(row);
    });
  }
  void pop_front() {
    const Piece& p = pieces_.front();
    rows_ -= p.batch->rows;
    if (p.last <= now_) {
      ended_ -= p.batch->rows;
    } else {
      each_second(*p.batch, [&](std::int64_t second, std::size_t n) {
        if (second <= now_) ended_ -= n;
        else if (const auto at = ends_.find(second); (at->second -= n) == 0) ends_.erase(at);
      });
    }
    pieces_.pop_front();
    ++first_;
  }

  /// Appends the rows with these keys to `out`, for each asker in order of arrival. Ended rows that are still there are among them. The batches live until rows end or are taken.
  void find(std::span<const std::uint32_t> askers, std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::vector<Match>& out) {
    if (pieces_.empty()) return;
    scans_ += askers.size();
    if (scans_ > kScans) index();
    for (const std::uint64_t h : hashes)
      if (!heads_.empty()) __builtin_prefetch(&heads_[place(h)]);
    for (std::size_t i = 0; i < askers.size(); ++i) {
      const auto from = static_cast<std::ptrdiff_t>(out.size());
      for (std::uint64_t id = heads_.empty() ? 0 : heads_[place(hashes[i])]; id >> kRowBits >= first_; ) {
        const Piece& p = pieces_[(id >> kRowBits) - first_];
        const auto row = static_cast<std::uint32_t>(id & (Batch::kMaxRows - 1));
        if (p.hashes[row] == hashes[i]) take_if_equal(p, row, askers[i], keys[i], out);
        id = p.older[row];
      }
      std::reverse(out.begin() + from, out.end());
      for (std::uint64_t n = std::max(indexed_, first_); n < first_ + pieces_.size(); ++n) scan(pieces_[n - first_], askers[i], hashes[i], keys[i], out);
    }
  }

 private:
  struct Piece {
    BatchPtr batch;
    std::vector<ColumnPtr> keys;
    std::vector<std::uint32_t> with_key;    // rows; empty: all
    std::vector<std::uint64_t> hashes;      // of the keys, by row
    std::vector<std::uint64_t> older;       // once it is in the index: the row before in the list of its place
    std::int64_t last = INT64_MIN;          // the second in which all have ended

    template <class Do>
    void each_row(const Do& act) const {
      if (with_key.empty())
        for (std::uint32_t row = 0; row < batch->rows; ++row) act(row);
      for (const std::uint32_t row : with_key) act(row);
    }
  };
  static constexpr unsigned kRowBits = 12;
  static_assert(Batch::kMaxRows == 1U << kRowBits);
  static constexpr std::size_t kMost = 1U << 20;
  static constexpr std::size_t kScans = 16;   // going over the hashes so often costs what the index does

  /// `act` sees runs of rows that end in one second.
  template <class Do>
  void each_second(const Batch& batch, const Do& act) const {
    std::int64_t second = row_ends_.second(batch, 0);
    std::size_t run = 0;
    for (std::size_t row = 0; row < batch.rows; ++row) {
      const std::int64_t s = row_ends_.second(batch, row);
      if (s != second) act(std::exchange(second, s), std::exchange(run, 0));
      ++run;
    }
    act(second, run);
  }

  std::size_t place(std::uint64_t hash) const { return (hash ^ hash >> 32) & (heads_.size() - 1); }

  /// Lists by hash that lead from a row to the one before it; what they lead to beyond the oldest batch is gone, so that nothing is ever taken out.
  void index() {
    scans_ = 0;
    if (rows_ > heads_.size()) {
      heads_.assign(std::bit_ceil(rows_ * 2), 0);
      indexed_ = 0;
    }
    for (indexed_ = std::max(indexed_, first_); indexed_ < first_ + pieces_.size(); ++indexed_) {
      Piece& p = pieces_[indexed_ - first_];
      p.older.assign(p.batch->rows, 0);
      p.each_row([&](std::uint32_t row) { p.older[row] = std::exchange(heads_[place(p.hashes[row])], indexed_ << kRowBits | row); });
    }
  }

  void scan(const Piece& p, std::uint32_t asker, std::uint64_t hash, std::string_view key, std::vector<Match>& out) {
    constexpr std::size_t kBlock = 16;
    const std::size_t n = p.hashes.size();
    for (std::size_t from = 0; from < n; from += kBlock) {
      const std::size_t to = std::min(from + kBlock, n);
      std::uint64_t same = 0;
      for (std::size_t row = from; row < to; ++row) same |= p.hashes[row] == hash ? 1U : 0U;
      for (std::size_t row = from; same != 0 && row < to; ++row)
        if (p.hashes[row] == hash) take_if_equal(p, static_cast<std::uint32_t>(row), asker, key, out);
    }
  }

  void take_if_equal(const Piece& p, std::uint32_t row, std::uint32_t asker, std::string_view key, std::vector<Match>& out) {
    encoded_.clear();
    key_codec_.encode(p.keys, row, encoded_);
    if (encoded_ == key) out.push_back({.asker = asker, .row = row, .batch = p.batch.get()});
  }

  RowEnds row_ends_;
  std::vector<std::size_t> key_columns_;
  RowCodec key_codec_;
  std::deque<Piece> pieces_;
  std::uint64_t first_ = 1;                       // number of the oldest piece; a row is (number of its piece, row)
  std::size_t rows_ = 0, ended_ = 0;              // in all pieces; those of them that only wait for others
  std::map<std::int64_t, std::size_t> ends_;      // how many of the others end in each second
  std::int64_t now_ = INT64_MIN;
  std::vector<std::uint64_t> heads_;              // the newest row of each place; 0: none
  std::uint64_t indexed_ = 0;                     // pieces before it are in the index
  std::size_t scans_ = 0;                         // looks since
  std::string encoded_;                           // scratch
};

}  // namespace supyo::operators
