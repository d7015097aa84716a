#include "engine/operators/calc.h"

#include <algorithm>
#include <utility>

#include "engine/operators/eval_context.h"

namespace supyo::operators {
namespace {

class Calc final : public dataflow::Operator {
 public:
  explicit Calc(std::shared_ptr<const CalcSpec> spec) : spec_(std::move(spec)) {
    for (const expr::ExprPtr& p : spec_->projections) {
      for (const std::size_t c : expr::columns_read(*p)) read_.push_back(c);
    }
    std::ranges::sort(read_);
    read_.erase(std::unique(read_.begin(), read_.end()), read_.end());
  }

  std::string_view name() const override { return "Calc"; }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    expr::EvalContext eval = eval_context(ctx, spec_->zone);
    if (!spec_->filter) return project(*batch, eval, out);
    eval.first_row = std::exchange(asked_, asked_ + batch->rows);
    SUPYO_TRY(expr::select_true(*spec_->filter, *batch, eval, selection_));
    if (selection_.empty()) return ok();
    if (selection_.size() == batch->rows) return project(*batch, eval, out);
    return project(selected(*batch), eval, out);
  }

 private:
  /// The selected rows of the columns that the projections read; the others stay null pointers.
  Batch selected(const Batch& in) const {
    Batch part;
    part.rows = selection_.size();
    part.columns.resize(in.columns.size());
    for (const std::size_t c : read_) part.columns[c] = take(*in.columns[c], selection_);
    const auto pick = [&](const auto& from, auto& to) {
      if (from.empty()) return;
      to.reserve(selection_.size());
      for (const std::uint32_t row : selection_) to.push_back(from[row]);
    };
    pick(in.kinds, part.kinds);
    pick(in.origins, part.origins);
    pick(in.edge_watermarks, part.edge_watermarks);
    return part;
  }

  Status project(const Batch& in, expr::EvalContext eval, dataflow::Collector& out) {
    eval.first_row = std::exchange(projected_, projected_ + in.rows);
    auto result = std::make_shared<Batch>();
    result->rows = in.rows;
    result->columns.reserve(spec_->projections.size());
    for (const expr::ExprPtr& p : spec_->projections) {
      SUPYO_ASSIGN(ColumnPtr column, expr::evaluate(*p, in, eval));
      result->columns.push_back(std::move(column));
    }
    result->kinds = in.kinds;
    result->origins = in.origins;
    result->edge_watermarks = in.edge_watermarks;
    return out.emit(std::move(result));
  }

  std::shared_ptr<const CalcSpec> spec_;
  std::vector<std::size_t> read_;
  std::vector<std::uint32_t> selection_;  // scratch
  std::uint64_t asked_ = 0, projected_ = 0;   // rows so far, of the condition and of the projections
};

}  // namespace

dataflow::OperatorFactory make_calc(CalcSpec spec) {
  auto shared = std::make_shared<const CalcSpec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<Calc>(shared); };
}

}  // namespace supyo::operators
