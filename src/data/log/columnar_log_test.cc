// Frames of rows in columns: each column has a checksum of its own, and a reader that wants some reads and checks those alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "core/base/crc32c.h"
#include "core/env/sim/sim_env.h"
#include "data/log/inspect.h"
#include "data/log/partition_reader.h"
#include "data/log/partition_writer.h"
#include "data/log/segment.h"

namespace supyo::log {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t kFront = sizeof(FrameHeader) + 8 + 2 * 8 + 3 * 8 + 8;   // of two rows in three columns

/// Two rows at `time`; the columns are full of a, b and c, with `bytes` each.
ColumnarBatch rows(TimeUs time, std::uint32_t bytes) {
  ColumnarBatch b{.timestamps = {time, time + 1}, .head = "HEAD\1\2\3\4", .parts = {}, .part_bytes = {bytes, bytes, bytes}};
  for (const char c : {'a', 'b', 'c'}) b.parts.append(bytes, c);
  return b;
}

class ColumnarLog : public testing::Test {
 protected:
  ColumnarLog() { start(); }
  void start() {
    sim_ = std::make_unique<env::SimEnv>(1);
    topic_ = open_or_create_topic(sim_->env(), "log", "t", {}).value();
  }
  void write(const std::vector<std::uint32_t>& sizes, bool publish = true) {
    auto w = PartitionWriter::open(sim_->env(), topic_, PartitionId(0)).value();
    for (const std::uint32_t bytes : sizes) ASSERT_TRUE(w->append(rows(w->next_offset().value, bytes)));
    ASSERT_TRUE(publish ? w->flush() : w->sync());
  }
  /// What a reader of the columns `wanted` sees of each frame: time of the first row, first letter and size of each column.
  std::string read(const std::vector<std::size_t>& wanted, Offset from = Offset(0)) {
    ReadOptions options{.columnar = true};
    options.chunk_bytes = 4096;
    options.wanted = [&](std::string_view head, std::vector<bool>& parts) {
      EXPECT_EQ(head, "HEAD\1\2\3\4");
      for (const std::size_t p : wanted) parts.at(p) = true;
    };
    auto reader = PartitionReader::open(sim_->files(), topic_, PartitionId(0), options).value();
    EXPECT_TRUE(reader.seek(from));
    std::string seen;
    while (true) {
      const auto frame = reader.next();
      if (!frame) return seen + frame.error().to_string();
      if (*frame == nullptr) return seen;
      seen += std::to_string((*frame)->timestamps()[(*frame)->first()]);
      for (const std::string_view part : (*frame)->parts()) {
        EXPECT_EQ(part.find_first_not_of(part.substr(0, 1)), std::string_view::npos);
        seen += part.empty() ? "-" : fmt::format("{}{}", part[0], part.size());
      }
      seen += " ";
    }
  }
  void flip(std::uint64_t position) {
    auto file = sim_->files().open(kFile, env::OpenMode::kReadWrite).value();
    char c = 0;
    ASSERT_EQ(file->read_at(position, {&c, 1}).value(), 1U);
    c = static_cast<char>(c ^ 0x40);
    ASSERT_TRUE(file->write_at(position, {&c, 1}));
    ASSERT_TRUE(file->sync());
  }

  static constexpr const char* kFile = "log/t/0/00000000000000000000.seg";
  std::unique_ptr<env::SimEnv> sim_;
  Topic topic_;
};

TEST_F(ColumnarLog, ColumnsThatAreWantedAreRead) {
  write({16, 8000, 100'000, 8, 0, 2000});   // within what is buffered, across its end, and far beyond
  EXPECT_EQ(read({0, 1, 2}), "0a16b16c16 2a8000b8000c8000 4a100000b100000c100000 6a8b8c8 8--- 10a2000b2000c2000 ");
  EXPECT_EQ(read({1}), "0-b16- 2-b8000- 4-b100000- 6-b8- 8--- 10-b2000- ");
  EXPECT_EQ(read({}, Offset(5)), "5--- 6--- 8--- 10--- ");
}

// Any flipped bit: whoever reads the whole frame sees it, and a reader of one column unless it lies in another one.
TEST_F(ColumnarLog, EveryFlippedBitIsSeenByThoseWhoReadIt) {
  for (const std::uint32_t bytes : {8U, 5000U}) {   // buffered as a whole; read column by column
    std::string good;
    ASSERT_TRUE(encode_columnar_frame(rows(5, bytes), {{77, PartitionId(3)}, Offset(100), Offset(90), 123, {}}, good));
    ASSERT_EQ(good.size(), kFront + 3 * bytes);
    const auto whole = parse_frame(good, {77, PartitionId(3)}, Offset(100));
    ASSERT_EQ(whole.status, FrameStatus::kFrame);
    EXPECT_EQ(whole.view.parts()[2], std::string(bytes, 'c'));
    for (std::size_t i = 0; i < good.size() * 8; i += i < kFront * 8 ? 1 : bytes / 8 * 3) {
      std::string bad = good;
      bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
      EXPECT_NE(parse_frame(bad, {77, PartitionId(3)}, Offset(100)).status, FrameStatus::kFrame) << i;
      EXPECT_EQ(parse_frame(std::string_view(bad).substr(0, kFront), {77, PartitionId(3)}, Offset(100), FrameExtent::kFront).status == FrameStatus::kFrame, i >= kFront * 8) << i;
    }
  }
}

TEST_F(ColumnarLog, ADamagedColumnIsSeenByItsReadersAndByVerify) {
  for (const std::uint32_t bytes : {64U, 50'000U}) {
    start();
    write({8, bytes, 8});
    const std::uint64_t second = kSegmentHeaderBytes + kFront + 3 * 8;
    flip(second + kFront + 2 * bytes - 1);   // the last byte of column 1
    EXPECT_EQ(read({0, 2}), fmt::format("0a8-c8 2a{0}-c{0} 4a8-c8 ", bytes));
    const std::string refused = read({1});
    EXPECT_THAT(refused, HasSubstr("0-b8- SUPYO-6003"));
    EXPECT_THAT(refused, HasSubstr(fmt::format("byte {}", second)));
    EXPECT_THAT(refused, HasSubstr("offset 2"));
    const auto checks = verify(sim_->files(), "log", "").value();
    ASSERT_EQ(checks.size(), 1U);
    ASSERT_TRUE(checks[0].report.damage);
    EXPECT_EQ(checks[0].report.damage->position, second);
    EXPECT_EQ(PartitionWriter::open(sim_->env(), topic_, PartitionId(0)).error().code, ErrorCode::kDamaged);
  }
}

// The front alone reached the disk, or some columns: nothing was acknowledged, so it is a torn tail.
TEST_F(ColumnarLog, AFrameThatIsNotAllThereIsATornTail) {
  for (const std::uint64_t missing : {8U, 6000U, 11'000U}) {
    start();
    write({8});
    {
      auto w = PartitionWriter::open(sim_->env(), topic_, PartitionId(0)).value();
      ASSERT_TRUE(w->append(rows(2, 4000)));
      ASSERT_TRUE(w->roll());   // cut to its end; the mark still says 2
    }
    auto file = sim_->files().open(kFile, env::OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->truncate(file->size().value() - missing));
    ASSERT_TRUE(sim_->files().remove("log/t/0/00000000000000000004.seg"));
    auto w = PartitionWriter::open(sim_->env(), topic_, PartitionId(0));
    ASSERT_TRUE(w) << w.error().to_string();
    EXPECT_EQ((*w)->next_offset(), Offset(2));
    EXPECT_GT((*w)->recovery().torn_bytes, 0U);
    ASSERT_TRUE((*w)->append(rows(7, 16)));
    ASSERT_TRUE((*w)->flush());
    EXPECT_EQ(read({2}), "0--c8 7--c16 ");
  }
}

// Logs from before columns had checksums: one for the whole frame.
TEST_F(ColumnarLog, FramesOfTheFirstVersionAreReadWhole) {
  write({});
  const std::string block = "a block of version 1....";
  const TimeUs times[2] = {5, 6};
  const std::uint64_t length = block.size();
  FrameHeader h{.magic = kFrameMagic, .length = static_cast<std::uint32_t>(sizeof h + sizeof times + 8 + block.size()), .kind = 4, .log_id = topic_.identity(PartitionId(0)).log_id, .count = 2, .max_timestamp_us = 6};
  std::string frame(reinterpret_cast<const char*>(&h), sizeof h);
  frame.append(reinterpret_cast<const char*>(times), sizeof times).append(reinterpret_cast<const char*>(&length), 8).append(block);
  const std::uint32_t crc = crc32c(std::string_view(frame).substr(8));
  std::memcpy(frame.data() + 4, &crc, sizeof crc);
  auto file = sim_->files().open(kFile, env::OpenMode::kReadWrite).value();
  ASSERT_TRUE(file->write_at(kSegmentHeaderBytes, frame));
  write({8});
  ReadOptions options{.columnar = true};
  options.wanted = [](std::string_view, std::vector<bool>&) {};
  auto reader = PartitionReader::open(sim_->files(), topic_, PartitionId(0), options).value();
  const FrameView* first = reader.next().value();
  ASSERT_NE(first, nullptr);
  EXPECT_TRUE(first->columnar());
  EXPECT_EQ(first->head(), block);
  EXPECT_THAT(first->timestamps(), ElementsAre(5, 6));
  EXPECT_TRUE(first->parts().empty());
  EXPECT_EQ(reader.next().value()->parts().size(), 3U);
  for (std::size_t i = 0; i < frame.size() * 8; ++i) {
    std::string bad = frame;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    EXPECT_NE(parse_frame(bad, topic_.identity(PartitionId(0)), Offset(0)).status, FrameStatus::kFrame) << i;
  }
}

}  // namespace
}  // namespace supyo::log
