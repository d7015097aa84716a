#include "engine/job/newest_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/env/real/real_env.h"
#include "data/types/builder.h"
#include "testkit/fake_sink.h"

namespace supyo::job {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr RowKind kI = RowKind::kInsert, kB = RowKind::kUpdateBefore, kA = RowKind::kUpdateAfter, kD = RowKind::kDelete;

class NewestRowsTest : public testing::Test {
 protected:
  void open(std::optional<std::vector<std::size_t>> key, Epoch last_final = Epoch(0)) {
    if (!sink_) sink_ = newest_.watch(std::make_shared<testkit::FakeSink>(table_, "counts"), "counts", schema_, std::move(key), Zone());
    const dataflow::SinkOpen open{.env = real_.env(), .faults = faults_, .job = {"j", "s"}, .shards = 1, .last_final = last_final};
    committer_ = std::move(*sink_->open_committer(open));
    writer_ = std::move(*sink_->open_writer(open, 0));
  }
  void write(std::int64_t epoch, const std::vector<std::tuple<RowKind, std::optional<std::string>, std::int64_t>>& rows) {
    BatchBuilder b(schema_);
    for (const auto& [kind, name, n] : rows) {
      if (name) b.column(0).append_text(*name);
      else b.column(0).append_null();
      b.column(1).append(n);
      b.end_row(kind);
    }
    ASSERT_TRUE(writer_->write(b.finish(), Epoch(epoch)));
  }
  /// "+I a 1", newest first.
  std::vector<std::string> look(std::int64_t visible) {
    const auto tables = newest_.look(Epoch(visible));
    EXPECT_EQ(tables.size(), 1u);
    std::vector<std::string> lines;
    for (const auto& row : tables[0].rows) {
      std::string& line = lines.emplace_back(row_kind_text(row.kind));
      for (const auto& c : row.cells) line += " " + c.value_or("NULL");
    }
    written_ = tables[0].written;
    left_out_ = tables[0].left_out;
    return lines;
  }

  Schema schema_{{{"name", Type::string()}, {"n", Type::big_int()}}};
  env::RealEnv real_;
  FaultPoints faults_;
  testkit::FakeTable table_;
  NewestRows newest_{3};
  std::shared_ptr<dataflow::Sink> sink_;
  std::unique_ptr<dataflow::SinkCommitter> committer_;
  std::unique_ptr<dataflow::SinkWriter> writer_;
  std::uint64_t written_ = 0, left_out_ = 0;
};

TEST_F(NewestRowsTest, OnlyWhatReadersCanSee) {
  open(std::nullopt);
  write(1, {{kI, "a", 1}, {kI, std::nullopt, 2}});
  write(2, {{kI, "c", 3}, {kI, "d", 4}});
  EXPECT_THAT(look(0), IsEmpty());
  EXPECT_THAT(look(1), ElementsAre("+I NULL 2", "+I a 1"));
  EXPECT_THAT(look(2), ElementsAre("+I d 4", "+I c 3", "+I NULL 2"));
  EXPECT_EQ(written_, 4u);
}

TEST_F(NewestRowsTest, RowsOfAKeyReplaceEachOther) {
  open(std::vector<std::size_t>{0});
  write(1, {{kI, "a", 1}, {kI, "b", 1}, {kB, "a", 1}, {kA, "a", 2}});
  EXPECT_THAT(look(1), ElementsAre("+U a 2", "+I b 1"));
  write(2, {{kD, "b", 1}, {kI, "c", 9}});
  EXPECT_THAT(look(2), ElementsAre("+I c 9", "+U a 2"));
}

TEST_F(NewestRowsTest, ARestartTakesBackWhatNoEpochCovers) {
  open(std::nullopt);
  write(1, {{kI, "a", 1}});
  write(2, {{kI, "b", 2}});
  open(std::nullopt, Epoch(1));
  write(2, {{kI, "b", 2}});
  EXPECT_THAT(look(2), ElementsAre("+I b 2", "+I a 1"));
}

TEST_F(NewestRowsTest, NobodyLooksAndMemoryStaysBounded) {
  open(std::nullopt);
  for (std::int64_t i = 0; i < 40'000; ++i) write(1 + i / 100, {{kI, "a", i}});
  EXPECT_THAT(look(1'000), ElementsAre("+I a 39999", "+I a 39998", "+I a 39997"));
  EXPECT_EQ(written_, 40'000u);
  EXPECT_EQ(left_out_, 40'000u - NewestRows::kWaitingRows);
}

TEST_F(NewestRowsTest, LongTextIsCutBetweenCharacters) {
  open(std::nullopt);
  std::string text(NewestRows::kCellBytes - 1, 'x');
  write(1, {{kI, text + "한국", 1}});
  EXPECT_THAT(look(1), ElementsAre("+I " + text + "… 1"));
}

}  // namespace
}  // namespace supyo::job
