#pragma once
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/env/sim/sim_env.h"
#include "data/state/stored_changes.h"
#include "engine/dataflow/operator.h"
#include "testkit/rows.h"

namespace supyo::testkit {

/// One operator on one shard, driven by hand: rows, watermarks and barriers in, lines out. Its state can be saved as an epoch would, and put
/// into other instances as a restart at another parallelism would.
class OperatorHarness final : private dataflow::OperatorContext, private dataflow::Collector {
 public:
  explicit OperatorHarness(const dataflow::OperatorFactory& factory, std::uint32_t shard = 0, std::uint32_t shards = 1) : shard_(shard), shards_(shards) {
    auto op = factory(shard, shards);
    EXPECT_TRUE(op) << op.error().to_string();
    op_ = *std::move(op);
    state_ = std::make_unique<state::OperatorState>(op_->state());
  }

  Status rows(const BatchPtr& batch, std::size_t input = 0) { return op_->process(batch, input, *this, *this); }
  Status watermark(TimeUs us) {
    SUPYO_CHECK(us >= watermark_us_);
    watermark_us_ = us;
    return op_->on_watermark({us}, *this, *this);
  }
  Status barrier() {
    SUPYO_TRY(op_->on_barrier({epoch_}, *this, *this));
    for (std::size_t t = 0; t < state_->tables(); ++t) {
      state::EncodedChanges changes;
      state_->take_changes(t, changes);
      for (state::Change& c : state::to_list(changes)) saved_.emplace_back(t, std::move(c));
    }
    epoch_ = Epoch(epoch_.value + 1);
    return ok();
  }
  Status clock(TimeUs now_us) {
    now_us_ = now_us;
    return op_->next_timer_us(*this) <= now_us ? op_->on_timer(now_us, *this, *this) : ok();
  }
  /// Takes what is this shard's of everything that `from` saved at its barriers.
  Status restore(const OperatorHarness& from) {
    std::vector<std::vector<state::Change>> tables(state_->tables());
    for (const auto& [table, change] : from.saved_) tables[table].push_back(change);
    for (std::size_t t = 0; t < tables.size(); ++t) SUPYO_TRY(state_->restore(t, state::stored_changes(std::move(tables[t]), shard_, shards_)));
    watermark_us_ = std::max(watermark_us_, from.watermark_us_);
    return ok();
  }

  /// What came out since the last call.
  std::vector<std::string> take_lines() { return std::exchange(lines_, {}); }
  std::vector<std::string> take_late() { return std::exchange(late_, {}); }
  std::vector<BatchPtr> take_batches() { return std::exchange(batches_, {}); }
  bool wants_to_finish() const { return finish_; }

 private:
  state::OperatorState& state() override { return *state_; }
  TimeUs now_us() const override { return now_us_; }
  TimeUs watermark_us() const override { return watermark_us_; }
  Epoch epoch() const override { return epoch_; }
  env::Random& random() const override { return random_; }
  std::uint64_t job_salt() const override { return 1; }
  Status emit_late(BatchPtr rows) override {
    for (std::string& l : lines_of(*rows)) late_.push_back(std::move(l));
    return ok();
  }
  void finish_job() override { finish_ = true; }
  Status emit(BatchPtr batch) override {
    SUPYO_CHECK(batch->rows > 0 && batch->rows <= Batch::kMaxRows);
    for (std::string& l : lines_of(*batch)) lines_.push_back(std::move(l));
    batches_.push_back(std::move(batch));
    return ok();
  }

  std::uint32_t shard_;
  std::uint32_t shards_;
  std::unique_ptr<dataflow::Operator> op_;
  std::unique_ptr<state::OperatorState> state_;
  std::vector<std::pair<std::size_t, state::Change>> saved_;
  TimeUs now_us_ = 0;
  TimeUs watermark_us_ = kTimeMin;
  mutable env::SeededRandom random_{1};
  Epoch epoch_{1};
  bool finish_ = false;
  std::vector<std::string> lines_;
  std::vector<std::string> late_;
  std::vector<BatchPtr> batches_;
};

}  // namespace supyo::testkit
