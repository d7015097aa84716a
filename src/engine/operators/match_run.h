#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/operators/accumulators.h"
#include "engine/operators/java_queue.h"
#include "engine/operators/match_recognize.h"

/// What MATCH_RECOGNIZE's operator knows of a match that is open, and how it reads values off its rows.
namespace supyo::operators {

constexpr std::uint64_t kNoMatchRow = UINT64_MAX;

/// Rows that stand behind one another, from row `start` on: how many of each variable, up to the one at hand.
struct MatchRun {
  std::uint64_t start = kNoMatchRow;   // none: it has not begun
  std::uint64_t end = kNoMatchRow;     // of a match
  std::vector<std::uint32_t> counts;
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
  MatchReader(const MatchRecognizeSpec& spec, const std::vector<MatchRecognizeSpec::Reference>& references) : spec_(&spec), references_(&references) {
    for (const MatchRecognizeSpec::Reference& r : references) {
      if (r.kind != MatchRecognizeSpec::Reference::Kind::kAggregate) {
        folds_.push_back(nullptr);
        continue;
      }
      folds_.push_back(std::make_unique<Fold>(Accumulators({r.aggregate}, 0)));
    }
  }

  Status append(const MatchPartition& p, const MatchRun& run, std::uint64_t end, std::span<const BatchPtr> batches, std::span<ColumnBuilder* const> out) {
    for (std::size_t i = 0; i < references_->size(); ++i) {
      const MatchRecognizeSpec::Reference& r = (*references_)[i];
      std::uint64_t from = run.start, count = end + 1 - run.start;
      if (r.variable != SIZE_MAX) {
        for (std::size_t v = 0; v < std::min(r.variable, run.counts.size()); ++v) from += run.counts[v];
        count = r.variable < run.counts.size() ? run.counts[r.variable] : 0;
      }
      if (r.kind == MatchRecognizeSpec::Reference::Kind::kAggregate) {
        SUPYO_TRY(fold(*folds_[i], p, from, count, batches, out[i]));
        continue;
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
  struct Fold {
    explicit Fold(Accumulators a) : accumulators(std::move(a)), table({.name = "scratch", .fixed_width = accumulators.width()}), slot(table.find_or_insert(0, "")) {}
    Accumulators accumulators;
    state::KeyedTable table;
    state::Slot slot;
  };

  Status fold(Fold& f, const MatchPartition& p, std::uint64_t from, std::uint64_t count, std::span<const BatchPtr> batches, ColumnBuilder* out) {
    std::fill_n(f.table.fixed(f.slot), f.accumulators.width(), std::byte{0});
    if (f.accumulators.has_blobs()) f.table.set_blob(f.slot, {});
    for (std::uint64_t i = from; i < from + count;) {
      const std::uint32_t batch = p.row(i).batch;
      rows_.clear();
      for (; i < from + count && p.row(i).batch == batch; ++i) rows_.push_back(p.row(i).row);
      slots_.assign(rows_.size(), f.slot);
      SUPYO_TRY(f.accumulators.update(*batches[batch], rows_, slots_, {}, f.table));
    }
    f.table.forget_changes();
    return f.accumulators.append_values(f.table, f.slot, {&out, 1});
  }

  const MatchRecognizeSpec* spec_;
  const std::vector<MatchRecognizeSpec::Reference>* references_;
  std::vector<std::unique_ptr<Fold>> folds_;
  std::vector<std::uint32_t> rows_;
  std::vector<state::Slot> slots_;
};

}  // namespace supyo::operators
