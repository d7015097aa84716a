#include "engine/job/computed_source.h"

namespace supyo::job {
namespace {

struct Computed {
  std::vector<expr::ExprPtr> columns;
  Zone zone;
};

class ComputingOutput final : public dataflow::SourceOutput {
 public:
  ComputingOutput(dataflow::SourceOutput& out, const Computed& computed, TimeUs now_us) : out_(out), computed_(computed), now_us_(now_us) {}
  Status emit(dataflow::SourceBatch b) override {
    if (b.batch) {
      auto batch = std::make_shared<Batch>(*b.batch);
      for (const expr::ExprPtr& e : computed_.columns) {
        SUPYO_ASSIGN(auto column, expr::evaluate(*e, *b.batch, {.now_us = now_us_, .zone = computed_.zone}));
        batch->columns.push_back(std::move(column));
      }
      b.batch = std::move(batch);
    }
    return out_.emit(std::move(b));
  }
  Status dead(dataflow::DeadRecord record) override { return out_.dead(std::move(record)); }
  void quiet(std::uint32_t split) override { out_.quiet(split); }

 private:
  dataflow::SourceOutput& out_;
  const Computed& computed_;
  TimeUs now_us_;
};

class ComputedReader final : public dataflow::SourceReader {
 public:
  ComputedReader(std::unique_ptr<dataflow::SourceReader> inner, Computed computed, const env::Clock& clock) : inner_(std::move(inner)), computed_(std::move(computed)), clock_(clock) {}
  Result<dataflow::Poll> poll(std::size_t budget, dataflow::SourceOutput& out) override {
    ComputingOutput computing(out, computed_, clock_.now_us());
    return inner_->poll(budget, computing);
  }
  std::vector<dataflow::SplitPosition> positions() const override { return inner_->positions(); }
  Status committed(Epoch e, const std::vector<dataflow::SplitPosition>& p) override { return inner_->committed(e, p); }
  std::vector<dataflow::SplitLag> lags() override { return inner_->lags(); }

 private:
  std::unique_ptr<dataflow::SourceReader> inner_;
  Computed computed_;
  const env::Clock& clock_;
};

class ComputedSource final : public dataflow::Source {
 public:
  ComputedSource(std::shared_ptr<dataflow::Source> inner, Computed computed) : inner_(std::move(inner)), computed_(std::move(computed)) {}
  std::string_view name() const override { return inner_->name(); }
  Result<std::vector<dataflow::Split>> splits() override { return inner_->splits(); }
  bool bounded() const override { return inner_->bounded(); }
  Result<std::unique_ptr<dataflow::SourceReader>> open(std::vector<dataflow::Split> splits, const env::Env& env) override {
    SUPYO_ASSIGN(auto inner, inner_->open(std::move(splits), env));
    return std::make_unique<ComputedReader>(std::move(inner), computed_, env.clock);
  }

 private:
  std::shared_ptr<dataflow::Source> inner_;
  Computed computed_;
};

}  // namespace

std::shared_ptr<dataflow::Source> with_computed_columns(std::shared_ptr<dataflow::Source> source, std::vector<expr::ExprPtr> columns, const Zone& zone) {
  return std::make_shared<ComputedSource>(std::move(source), Computed{std::move(columns), zone});
}

}  // namespace supyo::job
