#pragma once
#include "core/env/sim/sim_env.h"
#include "engine/dataflow/operator.h"

namespace supyo::operators {

/// What a benchmark gives to one operator in place of a runtime. Counts what comes out.
class BenchContext final : public dataflow::OperatorContext, public dataflow::Collector {
 public:
  explicit BenchContext(const dataflow::Operator& op) : state_(op.state()) {}
  state::OperatorState& state() override { return state_; }
  TimeUs now_us() const override { return 0; }
  TimeUs watermark_us() const override { return watermark; }
  Epoch epoch() const override { return Epoch(1); }
  env::Random& random() const override { return random_; }
  std::uint64_t job_salt() const override { return 1; }
  Status emit_late(BatchPtr) override { return ok(); }
  Status emit(BatchPtr b) override {
    emitted += b->rows;
    return ok();
  }
  TimeUs watermark = kTimeMin;
  std::size_t emitted = 0;

 private:
  state::OperatorState state_;
  mutable env::SeededRandom random_{1};
};

}  // namespace supyo::operators
