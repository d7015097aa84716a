#include "engine/operators/sort.h"

#include <algorithm>
#include <unordered_map>

#include "data/types/row_codec.h"
#include "data/types/value.h"

namespace supyo::operators {
namespace {

int compare_values(const Column& a, std::size_t row_a, const Column& b, std::size_t row_b) {
  const auto order = [](auto x, auto y) { return x < y ? -1 : (y < x ? 1 : 0); };
  switch (a.type().id) {
    case TypeId::kFloat: return order(a.value<float>(row_a), b.value<float>(row_b));
    case TypeId::kDouble: return order(a.value<double>(row_a), b.value<double>(row_b));
    case TypeId::kDecimal: return order(a.value<Int128>(row_a), b.value<Int128>(row_b));
    case TypeId::kString:
    case TypeId::kBytes: return order(a.text(row_a), b.text(row_b));
    default: return order(a.integer(row_a), b.integer(row_b));
  }
}

class Sort final : public dataflow::Operator {
 public:
  explicit Sort(std::shared_ptr<const SortSpec> spec) : spec_(std::move(spec)) {}
  std::string_view name() const override { return "Sort"; }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext&, dataflow::Collector&) override {
    batches_.push_back(batch);
    return ok();
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext&, dataflow::Collector& out) override {
    if (w.us != kTimeMax) return ok();
    std::vector<Position> rows = surviving_rows();
    std::stable_sort(rows.begin(), rows.end(), [&](const Position& a, const Position& b) { return before(a, b); });
    const std::size_t from = static_cast<std::size_t>(std::min<std::uint64_t>(spec_->offset, rows.size()));
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(spec_->limit, rows.size() - from));
    BatchBuilder builder(spec_->input);
    for (std::size_t i = from; i < from + count; ++i) {
      const Batch& b = *batches_[rows[i].batch];
      for (std::size_t c = 0; c < b.columns.size(); ++c) builder.column(c).append_from(*b.columns[c], rows[i].row);
      if (b.origins.empty()) builder.end_row(); else builder.end_row(RowKind::kInsert, b.origins[rows[i].row]);
      if (builder.full()) SUPYO_TRY(out.emit(builder.finish()));
    }
    batches_.clear();
    return builder.rows() > 0 ? out.emit(builder.finish()) : ok();
  }

 private:
  struct Position {
    std::uint32_t batch = 0;
    std::uint32_t row = 0;
  };

  /// Rows that were inserted and not taken back, in order of arrival.
  std::vector<Position> surviving_rows() const {
    const RowCodec codec(spec_->input.types());
    std::vector<Position> rows;
    std::vector<std::uint8_t> gone;
    std::unordered_map<std::string, std::vector<std::size_t>> live;  // only filled when something is taken back
    const bool updating = std::ranges::any_of(batches_, [](const BatchPtr& b) { return !b->kinds.empty(); });
    std::string key;
    for (std::uint32_t b = 0; b < batches_.size(); ++b) {
      for (std::uint32_t r = 0; r < batches_[b]->rows; ++r) {
        if (updating) {
          key.clear();
          codec.encode(batches_[b]->columns, r, key);
          auto& same = live[key];
          if (is_retraction(batches_[b]->kind(r))) {
            if (same.empty()) continue;
            gone[same.back()] = 1;
            same.pop_back();
            continue;
          }
          same.push_back(rows.size());
        }
        rows.push_back({b, r});
        gone.push_back(0);
      }
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (gone[i] == 0) rows[kept++] = rows[i];
    }
    rows.resize(kept);
    return rows;
  }

  bool before(const Position& a, const Position& b) const {
    for (const SortSpec::Key& key : spec_->keys) {
      const Column& ca = *batches_[a.batch]->columns[key.column];
      const Column& cb = *batches_[b.batch]->columns[key.column];
      const bool na = ca.is_null(a.row);
      const bool nb = cb.is_null(b.row);
      if (na != nb) return na == key.nulls_first;
      if (na) continue;
      const int order = compare_values(ca, a.row, cb, b.row);
      if (order != 0) return key.descending ? order > 0 : order < 0;
    }
    return false;
  }

  std::shared_ptr<const SortSpec> spec_;
  std::vector<BatchPtr> batches_;
};

}  // namespace

dataflow::OperatorFactory make_sort(SortSpec spec) {
  auto shared = std::make_shared<const SortSpec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<Sort>(shared); };
}

}  // namespace supyo::operators
