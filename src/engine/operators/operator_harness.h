#pragma once
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/env/sim/sim_env.h"
#include "data/state/stored_changes.h"
#include "data/types/value.h"
#include "engine/dataflow/operator.h"

/// Drives one operator without a runtime: feeds batches and watermarks, collects rows as text, cuts epochs and restores from them.
namespace supyo::operators {

class OperatorHarness final : public dataflow::OperatorContext, public dataflow::Collector {
 public:
  /// What a job would have on disk: (table, hash, key) -> value.
  using Stored = std::map<std::tuple<std::size_t, std::uint64_t, std::string>, std::string>;

  explicit OperatorHarness(const dataflow::OperatorFactory& factory) : operator_(*factory(0, 1)), state_(operator_->state()) {}

  void feed(const BatchPtr& batch, std::size_t input = 0) {
    const Status s = operator_->process(batch, input, *this, *this);
    ASSERT_TRUE(s) << s.error().to_string();
  }
  Status try_feed(const BatchPtr& batch) { return operator_->process(batch, 0, *this, *this); }
  void watermark(TimeUs us) {
    if (us <= watermark_us_) return;
    watermark_us_ = us;
    const Status s = operator_->on_watermark({us}, *this, *this);
    ASSERT_TRUE(s) << s.error().to_string();
  }
  /// The clock moves on; the operator is called when its timer is due.
  void clock(TimeUs now_us) {
    clock_us = now_us;
    if (operator_->next_timer_us(*this) > now_us) return;
    const Status s = operator_->on_timer(now_us, *this, *this);
    ASSERT_TRUE(s) << s.error().to_string();
  }
  void barrier() {
    const Status s = operator_->on_barrier({Epoch(1)}, *this, *this);
    ASSERT_TRUE(s) << s.error().to_string();
  }
  /// An epoch: what changed goes to `stored`.
  void cut(Stored& stored) {
    for (std::size_t t = 0; t < state_.tables(); ++t) {
      state::EncodedChanges changes;
      state_.take_changes(t, changes);
      for (const state::Change& c : state::to_list(changes)) {
        if (c.deleted) stored.erase({t, c.hash, c.key}); else stored[{t, c.hash, c.key}] = c.value;
      }
    }
  }
  void restore(const Stored& stored, TimeUs watermark_us) {
    std::vector<std::vector<state::Change>> tables(state_.tables());
    for (const auto& [where, value] : stored) tables[std::get<0>(where)].push_back({.hash = std::get<1>(where), .key = std::get<2>(where), .value = value});
    for (std::size_t t = 0; t < tables.size(); ++t) {
      const Status s = state_.restore(t, state::stored_changes(std::move(tables[t])));
      ASSERT_TRUE(s) << s.error().to_string();
    }
    watermark_us_ = watermark_us;
    const Status s = operator_->on_restored(*this);
    ASSERT_TRUE(s) << s.error().to_string();
  }

  std::vector<std::string> rows;        ///< "+I a|b"
  std::vector<std::string> late;
  std::vector<BatchPtr> batches;
  std::vector<Origin> origins;
  TimeUs clock_us = 0;
  const dataflow::Operator& op() const { return *operator_; }
  bool finished = false;                ///< the operator asked for the end of the job

  void finish_job() override { finished = true; }
  state::OperatorState& state() override { return state_; }
  TimeUs now_us() const override { return clock_us; }
  TimeUs watermark_us() const override { return watermark_us_; }
  Epoch epoch() const override { return Epoch(1); }
  env::Random& random() const override { return random_; }
  std::uint64_t job_salt() const override { return 1; }
  Status emit_late(BatchPtr b) override {
    print(*b, late);
    return ok();
  }
  Status emit(BatchPtr b) override {
    SUPYO_CHECK(b->rows > 0 && b->rows <= Batch::kMaxRows);
    for (const ColumnPtr& c : b->columns) SUPYO_CHECK_EQ(c->length(), b->rows);
    print(*b, rows);
    origins.insert(origins.end(), b->origins.begin(), b->origins.end());
    batches.push_back(std::move(b));
    return ok();
  }

  static std::string text_of(const Batch& b, std::size_t row) {
    std::string out(row_kind_text(b.kind(row)));
    for (std::size_t c = 0; c < b.columns.size(); ++c) {
      out += c == 0 ? ' ' : '|';
      append_text_of(*b.columns[c], row, out);
    }
    return out;
  }

 private:
  static void print(const Batch& b, std::vector<std::string>& out) {
    for (std::size_t r = 0; r < b.rows; ++r) out.push_back(text_of(b, r));
  }
  std::unique_ptr<dataflow::Operator> operator_;
  state::OperatorState state_;
  mutable env::SeededRandom random_{1};
  TimeUs watermark_us_ = kTimeMin;
};

}  // namespace supyo::operators
