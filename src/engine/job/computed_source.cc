#include "engine/job/computed_source.h"

namespace supyo::job {
namespace {

class ComputingOutput final : public dataflow::SourceOutput {
 public:
  ComputingOutput(dataflow::SourceOutput& out, const expr::Expr& e, TimeUs now_us) : out_(out), expr_(e), now_us_(now_us) {}
  Status emit(dataflow::SourceBatch b) override {
    if (b.batch) {
      SUPYO_ASSIGN(auto column, expr::evaluate(expr_, *b.batch, {.now_us = now_us_}));
      auto batch = std::make_shared<Batch>(*b.batch);
      batch->columns.push_back(std::move(column));
      b.batch = std::move(batch);
    }
    return out_.emit(std::move(b));
  }
  Status dead(dataflow::DeadRecord record) override { return out_.dead(std::move(record)); }
  void quiet(std::uint32_t split) override { out_.quiet(split); }

 private:
  dataflow::SourceOutput& out_;
  const expr::Expr& expr_;
  TimeUs now_us_;
};

class ComputedReader final : public dataflow::SourceReader {
 public:
  ComputedReader(std::unique_ptr<dataflow::SourceReader> inner, expr::ExprPtr e, const env::Clock& clock) : inner_(std::move(inner)), expr_(std::move(e)), clock_(clock) {}
  Result<dataflow::Poll> poll(std::size_t budget, dataflow::SourceOutput& out) override {
    ComputingOutput computing(out, *expr_, clock_.now_us());
    return inner_->poll(budget, computing);
  }
  std::vector<dataflow::SplitPosition> positions() const override { return inner_->positions(); }
  Status committed(Epoch e, const std::vector<dataflow::SplitPosition>& p) override { return inner_->committed(e, p); }
  std::vector<dataflow::SplitLag> lags() override { return inner_->lags(); }

 private:
  std::unique_ptr<dataflow::SourceReader> inner_;
  expr::ExprPtr expr_;
  const env::Clock& clock_;
};

class ComputedSource final : public dataflow::Source {
 public:
  ComputedSource(std::shared_ptr<dataflow::Source> inner, expr::ExprPtr e) : inner_(std::move(inner)), expr_(std::move(e)) {}
  std::string_view name() const override { return inner_->name(); }
  Result<std::vector<dataflow::Split>> splits() override { return inner_->splits(); }
  bool bounded() const override { return inner_->bounded(); }
  Result<std::unique_ptr<dataflow::SourceReader>> open(std::vector<dataflow::Split> splits, const env::Env& env) override {
    SUPYO_ASSIGN(auto inner, inner_->open(std::move(splits), env));
    return std::make_unique<ComputedReader>(std::move(inner), expr_, env.clock);
  }

 private:
  std::shared_ptr<dataflow::Source> inner_;
  expr::ExprPtr expr_;
};

}  // namespace

std::shared_ptr<dataflow::Source> with_computed_column(std::shared_ptr<dataflow::Source> source, expr::ExprPtr row_time) {
  return std::make_shared<ComputedSource>(std::move(source), std::move(row_time));
}

}  // namespace supyo::job
