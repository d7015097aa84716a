#include "engine/job/cut_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/env/real/real_env.h"
#include "data/types/value.h"

namespace supyo::job {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// "+I a 1" of what is written, epoch by epoch.
class Recorder final : public dataflow::Sink {
 public:
  class Writer final : public dataflow::SinkWriter {
   public:
    explicit Writer(std::vector<std::string>& seen) : seen_(seen) {}
    Status write(const BatchPtr& batch, Epoch e) override {
      for (std::size_t r = 0; r < batch->rows; ++r) {
        std::string line = std::to_string(e.value) + " " + std::string(row_kind_text(batch->kind(r)));
        for (const ColumnPtr& c : batch->columns) {
          line += " ";
          append_text_of(*c, r, line);
        }
        seen_.push_back(line);
      }
      return ok();
    }
    Status begin_prepare(Epoch) override { return ok(); }
    Result<dataflow::PolledPrepare> poll_prepare(Epoch) override { return dataflow::PolledPrepare{.done = true, .handle = {}, .poll = dataflow::Poll::more()}; }

   private:
    std::vector<std::string>& seen_;
  };
  std::string_view name() const override { return "recorder"; }
  DeliveryGuarantee guarantee() const override { return DeliveryGuarantee::kNone; }
  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen&) override { return std::unique_ptr<dataflow::SinkCommitter>(); }
  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen&, std::uint32_t) override { return std::make_unique<Writer>(seen); }
  std::vector<std::string> seen;
};

class CutSinkTest : public testing::Test {
 protected:
  void open(ChangelogMode mode, std::optional<std::vector<std::size_t>> key) {
    sink_ = with_cut_consistency(recorder_, schema_, mode, std::move(key));
    const dataflow::SinkOpen open{.env = real_.env(), .faults = faults_, .job = {"j", "s"}, .shards = 1, .last_final = Epoch(0)};
    writer_ = std::move(*sink_->open_writer(open, 0));
  }
  void write(const std::vector<std::tuple<RowKind, const char*, std::int64_t>>& rows) {
    BatchBuilder b(schema_);
    for (const auto& [kind, name, n] : rows) {
      b.column(0).append_text(name);
      b.column(1).append(n);
      b.end_row(kind);
    }
    ASSERT_TRUE(writer_->write(b.finish(), Epoch(epoch_ + 1)));
  }
  std::vector<std::string> cut() {
    EXPECT_TRUE(writer_->begin_prepare(Epoch(++epoch_)));
    return std::exchange(recorder_->seen, {});
  }

  static constexpr RowKind kI = RowKind::kInsert, kB = RowKind::kUpdateBefore, kA = RowKind::kUpdateAfter, kD = RowKind::kDelete;
  Schema schema_{{{"name", Type::string()}, {"n", Type::big_int()}}};
  env::RealEnv real_;
  FaultPoints faults_;
  std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>();
  std::shared_ptr<dataflow::Sink> sink_;
  std::unique_ptr<dataflow::SinkWriter> writer_;
  std::int64_t epoch_ = 0;
};

TEST_F(CutSinkTest, WhatAnEpochChangedAndChangedBackIsNotSeen) {
  open(ChangelogMode::kRetract, std::vector<std::size_t>{0});
  write({{kI, "a", 1}, {kB, "a", 1}, {kA, "a", 2}, {kI, "b", 1}, {kD, "b", 1}});
  EXPECT_TRUE(recorder_->seen.empty());
  EXPECT_THAT(cut(), ElementsAre("1 +I a 2"));
  write({{kB, "a", 2}, {kA, "a", 3}});
  write({{kB, "a", 3}, {kA, "a", 2}});
  EXPECT_THAT(cut(), IsEmpty());
  write({{kA, "a", 5}, {kB, "a", 2}, {kB, "a", 5}, {kA, "a", 4}});   // from another shard the new row may come first
  EXPECT_THAT(cut(), ElementsAre("3 -U a 2", "3 +U a 4"));
  write({{kD, "a", 4}, {kI, "c", 1}});
  EXPECT_THAT(cut(), ElementsAre("4 -D a 4", "4 +I c 1"));
  EXPECT_THAT(cut(), IsEmpty());
}

TEST_F(CutSinkTest, RowsWithoutKeyAreCounted) {
  open(ChangelogMode::kRetract, std::nullopt);
  write({{kI, "a", 1}, {kI, "a", 1}, {kI, "a", 1}});
  EXPECT_THAT(cut(), ElementsAre("1 +I a 1", "1 +I a 1", "1 +I a 1"));
  write({{kD, "a", 1}, {kD, "a", 1}, {kI, "a", 2}});
  EXPECT_THAT(cut(), ElementsAre("2 -D a 1", "2 -D a 1", "2 +I a 2"));
}

TEST_F(CutSinkTest, OfUpsertsTheLastOfAKeyCounts) {
  open(ChangelogMode::kUpsert, std::vector<std::size_t>{0});
  write({{kI, "a", 1}, {kA, "a", 2}, {kI, "b", 1}, {kD, "b", 1}});
  EXPECT_THAT(cut(), ElementsAre("1 +I a 2"));
  write({{kA, "a", 3}, {kD, "a", 3}, {kI, "c", 1}});
  EXPECT_THAT(cut(), ElementsAre("2 -D a 3", "2 +I c 1"));
  write({{kD, "c", 1}, {kI, "c", 7}});
  EXPECT_THAT(cut(), ElementsAre("3 +U c 7"));
}

}  // namespace
}  // namespace supyo::job
