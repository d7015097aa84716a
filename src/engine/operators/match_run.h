#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "engine/operators/java_queue.h"
#include "engine/operators/match_recognize.h"

/// What MATCH_RECOGNIZE's operator knows of a match that is open, and how it reads values off its rows.
namespace supyo::operators {

constexpr std::uint64_t kNoMatchRow = UINT64_MAX;

/// What has gone into the aggregates of a run: a row goes in when the run takes it, so that a long run costs no more a row than a short one.
struct MatchSums {
  std::vector<std::uint64_t> fixed;    // 8-aligned
  std::vector<std::string> blobs;
};

/// All aggregates that conditions and results read.
class MatchFolds {
 public:
  /// The number of the reference's aggregate.
  std::size_t add(const MatchRecognizeSpec::Reference& r) {
    const expr::Aggregate& a = *r.aggregate.aggregate;
    folds_.push_back({.variable = r.variable, .call = r.aggregate, .at = words_, .blob = a.needs_blob() ? blobs_++ : SIZE_MAX});
    words_ += a.width() / 8;
    return folds_.size() - 1;
  }
  bool any() const { return !folds_.empty(); }

  /// Row `row` of `batch` is the variable's.
  Status take(MatchSums& sums, std::size_t variable, const Batch& batch, std::uint32_t row) {
    sums.fixed.resize(words_);
    sums.blobs.resize(blobs_);
    for (const Fold& f : folds_) {
      if (f.variable != SIZE_MAX && f.variable != variable) continue;
      args_.clear();
      for (const std::size_t c : f.call.args) args_.push_back(batch.columns[c]);
      std::byte* acc = reinterpret_cast<std::byte*>(sums.fixed.data() + f.at);
      std::string* blob = f.blob == SIZE_MAX ? nullptr : &sums.blobs[f.blob];
      SUPYO_TRY(f.call.aggregate->update(args_, {&row, 1}, {&acc, 1}, {}, {&blob, f.blob == SIZE_MAX ? 0U : 1U}));
    }
    return ok();
  }
  Status append(const MatchSums& sums, std::size_t fold, ColumnBuilder& out) const {
    const Fold& f = folds_[fold];
    static constexpr std::uint64_t kNothing[8] = {};
    const bool empty = sums.fixed.size() < words_ || sums.blobs.size() < blobs_;
    SUPYO_CHECK(!empty || f.call.aggregate->width() <= sizeof kNothing);
    const auto* acc = reinterpret_cast<const std::byte*>(empty ? kNothing : sums.fixed.data() + f.at);
    return f.call.aggregate->value(acc, empty || f.blob == SIZE_MAX ? std::string_view{} : std::string_view(sums.blobs[f.blob]), out);
  }
  void encode(const MatchSums& sums, ByteWriter& out) const {
    if (!any()) return;
    out.text({reinterpret_cast<const char*>(sums.fixed.data()), sums.fixed.size() * 8});
    for (std::size_t b = 0; b < blobs_; ++b) out.text(b < sums.blobs.size() ? std::string_view(sums.blobs[b]) : std::string_view{});
  }
  /// False on damage.
  bool decode(MatchSums& sums, ByteReader& in) const {
    if (!any()) return true;
    const std::string_view fixed = in.text();
    if (in.failed() || (!fixed.empty() && fixed.size() != words_ * 8)) return false;
    sums.fixed.resize(fixed.size() / 8);
    if (!fixed.empty()) std::memcpy(sums.fixed.data(), fixed.data(), fixed.size());
    for (std::size_t b = 0; b < blobs_; ++b) sums.blobs.emplace_back(in.text());
    return !in.failed();
  }

 private:
  struct Fold {
    std::size_t variable = SIZE_MAX;
    expr::AggregateCall call;
    std::size_t at = 0;       // word of MatchSums::fixed
    std::size_t blob = SIZE_MAX;
  };
  std::vector<Fold> folds_;
  std::size_t words_ = 0, blobs_ = 0;
  std::vector<ColumnPtr> args_;
};

/// Rows that stand behind one another, from row `start` on: how many of each variable, up to the one at hand.
struct MatchRun {
  std::uint64_t start = kNoMatchRow;   // none: it has not begun
  std::uint64_t end = kNoMatchRow;     // of a match
  std::vector<std::uint32_t> counts;
  MatchSums sums;
  std::size_t variable() const { return counts.empty() ? 0 : counts.size() - 1; }
  std::uint32_t count() const { return counts.empty() ? 0 : counts.back(); }
};
struct EarlierRun {
  bool operator()(const MatchRun& a, const MatchRun& b) const { return a.start < b.start; }
};
using MatchRuns = JavaQueue<MatchRun, EarlierRun>;

/// Where a row lies: in what was kept, or in the part at hand.
struct MatchRow {
  std::uint32_t batch = 0;
  std::uint32_t row = 0;
};

struct MatchPartition {
  state::Slot slot = 0;
  std::uint64_t first = 0;        // number of rows.front()
  std::vector<MatchRow> rows;
  MatchRuns open, found;
  std::optional<TimeUs> timer;
  std::uint64_t last() const { return first + rows.size() - 1; }
  const MatchRow& row(std::uint64_t number) const { return rows[number - first]; }
};

inline std::vector<std::size_t> kept_columns(const MatchRecognizeSpec& s) {
  std::vector<std::size_t> out = s.partition;
  out.push_back(s.time_column);
  const auto read = [&](const std::vector<MatchRecognizeSpec::Reference>& references) {
    for (const MatchRecognizeSpec::Reference& r : references) {
      if (r.kind == MatchRecognizeSpec::Reference::Kind::kAggregate) out.insert(out.end(), r.aggregate.args.begin(), r.aggregate.args.end());
      else if (r.kind != MatchRecognizeSpec::Reference::Kind::kTime) out.push_back(r.column);
    }
  };
  read(s.references);
  for (const MatchRecognizeSpec::Variable& v : s.variables) read(v.references);
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

inline Schema part_of(const Schema& schema, const std::vector<std::size_t>& columns) {
  Schema out;
  for (const std::size_t c : columns) out.add(schema[c].name, schema[c].type);
  return out;
}

/// The condition over the row in question alone, where it reads nothing else; null: it does.
inline expr::ExprPtr of_row_alone(const MatchRecognizeSpec::Variable& v, std::size_t number) {
  std::vector<std::size_t> columns;
  for (const MatchRecognizeSpec::Reference& r : v.references) {
    if (r.kind != MatchRecognizeSpec::Reference::Kind::kLast || r.offset > 0 || (r.variable != number && r.variable != SIZE_MAX)) return nullptr;
    columns.push_back(r.column);
  }
  return v.condition ? expr::remap_columns(v.condition, columns) : nullptr;
}

/// Reads references off a run.
class MatchReader {
 public:
  MatchReader(const MatchRecognizeSpec& spec, const std::vector<MatchRecognizeSpec::Reference>& references, MatchFolds& folds) : spec_(&spec), references_(&references), folds_(&folds) {
    for (const MatchRecognizeSpec::Reference& r : references) numbers_.push_back(r.kind == MatchRecognizeSpec::Reference::Kind::kAggregate ? folds.add(r) : SIZE_MAX);
  }

  Status append(const MatchPartition& p, const MatchRun& run, std::uint64_t end, std::span<const BatchPtr> batches, std::span<ColumnBuilder* const> out) const {
    for (std::size_t i = 0; i < references_->size(); ++i) {
      const MatchRecognizeSpec::Reference& r = (*references_)[i];
      if (r.kind == MatchRecognizeSpec::Reference::Kind::kAggregate) {
        SUPYO_TRY(folds_->append(run.sums, numbers_[i], *out[i]));
        continue;
      }
      std::uint64_t from = run.start, count = end + 1 - run.start;
      if (r.variable != SIZE_MAX) {
        for (std::size_t v = 0; v < std::min(r.variable, run.counts.size()); ++v) from += run.counts[v];
        count = r.variable < run.counts.size() ? run.counts[r.variable] : 0;
      }
      const bool first = r.kind == MatchRecognizeSpec::Reference::Kind::kFirst, time = r.kind == MatchRecognizeSpec::Reference::Kind::kTime;
      if (!time && r.offset >= count) {
        out[i]->append_null();
        continue;
      }
      const MatchRow at = p.row(time ? end : first ? from + r.offset : from + count - 1 - r.offset);
      out[i]->append_from(*batches[at.batch]->columns[time ? spec_->time_column : r.column], at.row);
    }
    return ok();
  }

 private:
  const MatchRecognizeSpec* spec_;
  const std::vector<MatchRecognizeSpec::Reference>* references_;
  const MatchFolds* folds_;
  std::vector<std::size_t> numbers_;   // of the aggregates
};

}  // namespace supyo::operators
