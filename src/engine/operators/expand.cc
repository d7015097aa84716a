#include "engine/operators/expand.h"

#include "engine/operators/eval_context.h"

namespace supyo::operators {
namespace {

class Expand final : public dataflow::Operator {
 public:
  explicit Expand(std::shared_ptr<const ExpandSpec> spec) : spec_(std::move(spec)) {}
  std::string_view name() const override { return "Expand"; }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    const expr::EvalContext eval = eval_context(ctx, spec_->zone);
    for (const auto& projections : spec_->rows) {
      auto result = std::make_shared<Batch>();
      result->rows = batch->rows;
      result->columns.reserve(projections.size());
      for (const expr::ExprPtr& p : projections) {
        SUPYO_ASSIGN(ColumnPtr column, expr::evaluate(*p, *batch, eval));
        result->columns.push_back(std::move(column));
      }
      result->kinds = batch->kinds;
      result->origins = batch->origins;
      result->edge_watermarks = batch->edge_watermarks;
      SUPYO_TRY(out.emit(std::move(result)));
    }
    return ok();
  }

 private:
  std::shared_ptr<const ExpandSpec> spec_;
};

}  // namespace

dataflow::OperatorFactory make_expand(ExpandSpec spec) {
  auto shared = std::make_shared<const ExpandSpec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<Expand>(shared); };
}

}  // namespace supyo::operators
