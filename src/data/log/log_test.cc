#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/env/sim/sim_env.h"
#include "data/log/groups.h"
#include "data/log/partition_reader.h"
#include "data/log/partition_writer.h"
#include "data/log/segment.h"

namespace supyo::log {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

RecordBatch batch_of(const std::vector<std::string>& values, TimeUs timestamp_us = 0) {
  RecordBatch b;
  for (const auto& v : values) b.add(timestamp_us, v);
  return b;
}

class LogTest : public testing::Test {
 protected:
  Topic topic(TopicConfig config = {}) { return open_or_create_topic(sim_.env(), "log", "t", config).value(); }
  std::unique_ptr<PartitionWriter> writer(const Topic& t) {
    auto w = PartitionWriter::open(sim_.env(), t, PartitionId(0));
    EXPECT_TRUE(w) << (w ? "" : w.error().to_string());
    return w ? std::move(*w) : nullptr;
  }
  std::vector<std::string> read(const Topic& t, Isolation isolation = Isolation::kReadCommitted, Offset from = Offset(-1)) {
    auto reader = PartitionReader::open(sim_.files(), t, PartitionId(0), {.isolation = isolation}).value();
    if (from.value >= 0) EXPECT_TRUE(reader.seek(from));
    return drain(reader);
  }
  static std::vector<std::string> drain(PartitionReader& reader) {
    std::vector<std::string> values;
    while (true) {
      auto frame = reader.next();
      if (!frame) {
        values.push_back(frame.error().to_string());
        return values;
      }
      if (*frame == nullptr) return values;
      for (std::size_t i = (*frame)->first(); i < (*frame)->count(); ++i) values.emplace_back((*frame)->value(i));
    }
  }
  std::string segment_file(std::int64_t base) { return "log/t/0/" + segment_name(Offset(base)); }
  void flip(const std::string& path, std::uint64_t position) {
    auto file = sim_.files().open(path, env::OpenMode::kReadWrite).value();
    char c = 0;
    ASSERT_EQ(file->read_at(position, {&c, 1}).value(), 1U);
    c = static_cast<char>(c ^ 0x40);
    ASSERT_TRUE(file->write_at(position, {&c, 1}));
    ASSERT_TRUE(file->sync());
  }

  env::SimEnv sim_{1};
};

TEST(Frame, KeepsKeysNullsAndHeaders) {
  RecordBatch b;
  b.add(10, "plain");
  b.add(20, "k1", "v1");
  b.add(15, std::nullopt, "v2", "h");
  b.add(5, "k2", std::nullopt);
  b.values() += "in place";
  b.end_record(7);
  std::string bytes;
  encode_frame(b, {{77, PartitionId(3)}, Offset(100), Offset(90), 123, {}}, bytes);
  EXPECT_EQ(bytes.size() % 8, 0U);
  const auto p = parse_frame(bytes, {77, PartitionId(3)}, Offset(100));
  ASSERT_EQ(p.status, FrameStatus::kFrame);
  const FrameView& f = p.view;
  EXPECT_EQ(f.header().max_timestamp_us, 20);
  EXPECT_THAT(f.timestamps(), ElementsAre(10, 20, 15, 5, 7));
  EXPECT_EQ(f.value(0), "plain");
  EXPECT_EQ(f.key(0), std::nullopt);
  EXPECT_EQ(f.key(1), "k1");
  EXPECT_EQ(f.value(2), "v2");
  EXPECT_EQ(f.key(2), std::nullopt);
  EXPECT_EQ(f.headers(2), "h");
  EXPECT_EQ(f.headers(3), "");
  EXPECT_TRUE(f.value_is_null(3));
  EXPECT_EQ(f.key(3), "k2");
  EXPECT_EQ(f.value(4), "in place");
  EXPECT_EQ(f.key(4), std::nullopt);
  EXPECT_FALSE(f.value_is_null(4));
  EXPECT_EQ(f.end_offset(), Offset(105));
}

TEST(Frame, EveryFlippedBitIsSeen) {
  RecordBatch b;
  b.add(10, "key", "value");
  std::string bytes;
  encode_frame(b, {{77, PartitionId(3)}, Offset(100), Offset(90), 123, {}}, bytes);
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string bad = bytes;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    EXPECT_NE(parse_frame(bad, {77, PartitionId(3)}, Offset(100)).status, FrameStatus::kFrame) << i;
  }
  EXPECT_NE(parse_frame(bytes, {78, PartitionId(3)}, Offset(100)).status, FrameStatus::kFrame);
  EXPECT_NE(parse_frame(bytes, {77, PartitionId(2)}, Offset(100)).status, FrameStatus::kFrame);
  EXPECT_NE(parse_frame(bytes, {77, PartitionId(3)}, Offset(101)).status, FrameStatus::kFrame);
}

TEST_F(LogTest, AppendsGoOnWhileTwoSyncsAreUnderWay) {
  const Topic t = topic();
  auto w = writer(t);
  ASSERT_TRUE(w->append(batch_of({"a"})));
  const auto first = w->begin_sync(0);
  ASSERT_TRUE(w->append(batch_of({"b"})));
  const auto second = w->begin_sync(1);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->file, second->file);   // a failed write is told once per handle
  ASSERT_TRUE(w->append(batch_of({"c"})));
  EXPECT_EQ(w->synced_end(), Offset(0));
  ASSERT_TRUE(w->finish_sync(*first, first->file->sync()));
  EXPECT_EQ(w->synced_end(), Offset(1));
  ASSERT_TRUE(w->publish());
  EXPECT_THAT(read(t), ElementsAre("a"));
  ASSERT_TRUE(w->finish_sync(*second, second->file->sync()));
  EXPECT_EQ(w->synced_end(), Offset(2));
  ASSERT_TRUE(w->publish());
  EXPECT_THAT(read(t), ElementsAre("a", "b"));
  w.reset();
  sim_.files().crash();
  w = writer(t);
  ASSERT_TRUE(w);
  EXPECT_GE(w->next_offset(), Offset(2));
}

TEST_F(LogTest, ASegmentThatBeginsDuringASyncIsAheadOfIt) {
  const Topic t = topic();
  auto w = writer(t);
  ASSERT_TRUE(w->append(batch_of({"a"})));
  const auto begun = w->begin_sync(1);
  ASSERT_TRUE(begun);
  ASSERT_TRUE(w->append(batch_of({"b"})));
  ASSERT_TRUE(w->roll());
  EXPECT_EQ(w->synced_end(), Offset(2));
  ASSERT_TRUE(w->finish_sync(*begun, begun->file->sync()));
  EXPECT_EQ(w->synced_end(), Offset(2));
  ASSERT_TRUE(w->append(batch_of({"c"})));
  const auto next = w->begin_sync(1);
  ASSERT_TRUE(next);
  ASSERT_TRUE(w->finish_sync(*next, next->file->sync()));
  ASSERT_TRUE(w->publish());
  EXPECT_THAT(read(t), ElementsAre("a", "b", "c"));
}

TEST_F(LogTest, ASyncThatFailedBesideTheWriterClosesIt) {
  auto w = writer(topic());
  ASSERT_TRUE(w->append(batch_of({"a"})));
  const auto first = w->begin_sync(0);
  const auto second = w->begin_sync(1);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(w->finish_sync(*first, fail(ErrorCode::kSyncFailed, "no")));
  EXPECT_EQ(w->finish_sync(*second, ok()).error().code, ErrorCode::kLogClosed);   // whatever the later one says
  EXPECT_EQ(w->synced_end(), Offset(0));
  EXPECT_EQ(w->append(batch_of({"b"})).error().code, ErrorCode::kLogClosed);
}

TEST_F(LogTest, RecordsAreReadableOncePublished) {
  const Topic t = topic();
  EXPECT_THAT(read(t), IsEmpty());
  auto w = writer(t);
  EXPECT_EQ(w->append(batch_of({"a", "b"})).value(), Offset(0));
  EXPECT_EQ(w->append(batch_of({"c"})).value(), Offset(2));
  EXPECT_THAT(read(t), IsEmpty());
  ASSERT_TRUE(w->sync());
  EXPECT_THAT(read(t), IsEmpty());
  ASSERT_TRUE(w->publish());
  EXPECT_THAT(read(t), ElementsAre("a", "b", "c"));
  EXPECT_THAT(read(t, Isolation::kReadCommitted, Offset(1)), ElementsAre("b", "c"));
}

TEST_F(LogTest, AReaderFollowsTheWriterAcrossSegments) {
  const Topic t = topic({.segment_bytes = 4096});
  auto w = writer(t);
  auto reader = PartitionReader::open(sim_.files(), t, PartitionId(0)).value();
  std::vector<std::string> written;
  std::vector<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const std::string value = std::string(static_cast<std::size_t>(i) * 7 % 300, 'x') + std::to_string(i);
    written.push_back(value);
    ASSERT_TRUE(w->append(batch_of({value})));
    if (i % 3 == 0) ASSERT_TRUE(w->flush());
    if (i % 5 == 0)
      for (auto& v : drain(reader)) seen.push_back(v);
  }
  ASSERT_TRUE(w->flush());
  for (auto& v : drain(reader)) seen.push_back(v);
  EXPECT_EQ(seen, written);
  EXPECT_GT(w->segments().size(), 5U);
  w.reset();
  w = writer(t);
  EXPECT_EQ(w->next_offset(), Offset(200));
  EXPECT_EQ(read(t), written);
}

TEST_F(LogTest, AfterAPowerLossAReaderWaitsWhereItWas) {
  const Topic t = topic();
  auto w = writer(t);
  ASSERT_TRUE(w->append(batch_of({"a", "b"})));
  ASSERT_TRUE(w->flush());
  EXPECT_THAT(read(t), ElementsAre("a", "b"));
  w.reset();
  env::ExhaustiveChoices lose_the_mark;   // the second outcome of the mark's page: dropped
  lose_the_mark.choose(3);
  ASSERT_TRUE(lose_the_mark.next_round());
  sim_.files().crash(&lose_the_mark);
  auto reader = PartitionReader::open(sim_.files(), t, PartitionId(0)).value();
  ASSERT_EQ(reader.ends().value().end, Offset(0));
  ASSERT_TRUE(reader.seek(Offset(2)));
  EXPECT_EQ(reader.seek(Offset(3)).error().code, ErrorCode::kOffsetOutOfRange);
  EXPECT_THAT(drain(reader), IsEmpty());
  w = writer(t);
  ASSERT_TRUE(w->append(batch_of({"c"})));
  ASSERT_TRUE(w->flush());
  EXPECT_THAT(drain(reader), ElementsAre("c"));
}

TEST_F(LogTest, AFrameLargerThanTheChunkIsReadWhole) {
  const Topic t = topic();
  auto w = writer(t);
  const std::string big(300'000, 'b');
  ASSERT_TRUE(w->append(batch_of({"a"})));
  ASSERT_TRUE(w->append(batch_of({big})));
  ASSERT_TRUE(w->flush());
  auto reader = PartitionReader::open(sim_.files(), t, PartitionId(0), {.chunk_bytes = 4096}).value();
  EXPECT_THAT(drain(reader), ElementsAre("a", big));
}

TEST_F(LogTest, OneWriterAPartition) {
  const Topic t = topic();
  auto w = writer(t);
  auto second = PartitionWriter::open(sim_.env(), t, PartitionId(0));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kStateLocked);
  EXPECT_FALSE(second.error().hint.empty());
}

TEST_F(LogTest, ATornTailIsCutAndCounted) {
  const Topic t = topic();
  auto w = writer(t);
  ASSERT_TRUE(w->append(batch_of({"a"})));
  ASSERT_TRUE(w->flush());
  const std::uint64_t end = w->segments().back().bytes;
  ASSERT_TRUE(w->append(batch_of({"lost"})));
  const std::uint64_t torn = w->segments().back().bytes;
  w.reset();
  auto file = sim_.files().open(segment_file(0), env::OpenMode::kReadWrite).value();
  ASSERT_TRUE(file->truncate(torn - 9));
  w = writer(t);
  EXPECT_GT(w->recovery().torn_bytes, 0U);
  EXPECT_LE(w->recovery().torn_bytes, torn - 9 - end);
  EXPECT_EQ(w->next_offset(), Offset(1));
  ASSERT_TRUE(w->append(batch_of({"b"})));
  ASSERT_TRUE(w->flush());
  EXPECT_THAT(read(t), ElementsAre("a", "b"));
}

TEST_F(LogTest, DamageBelowTheMarkIsRefusedWithFileAndOffsetAndRepairedOnDemand) {
  const Topic t = topic();
  auto w = writer(t);
  for (const char* v : {"a", "b", "c"}) ASSERT_TRUE(w->append(batch_of({v})));
  ASSERT_TRUE(w->flush());
  w.reset();
  const std::uint64_t second = kSegmentHeaderBytes + 96;   // 80 of header, 12 of columns, 1 of value, padding
  flip(segment_file(0), second + 85);
  auto opened = PartitionWriter::open(sim_.env(), t, PartitionId(0));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kDamaged);
  EXPECT_THAT(opened.error().message, HasSubstr(segment_file(0)));
  EXPECT_THAT(opened.error().message, HasSubstr(fmt::format("byte {}", second)));
  EXPECT_THAT(opened.error().message, HasSubstr("offset 1"));
  const auto seen = read(t);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0], "a");
  EXPECT_THAT(seen[1], HasSubstr("6003"));
  const Repair repair = repair_partition(sim_.env(), t, PartitionId(0)).value();
  EXPECT_TRUE(repair.damage);
  EXPECT_EQ(repair.end, Offset(1));
  w = writer(t);
  ASSERT_TRUE(w->append(batch_of({"new"})));
  ASSERT_TRUE(w->flush());
  EXPECT_THAT(read(t), ElementsAre("a", "new"));
}

TEST_F(LogTest, DamageAboveAnOldMarkIsSeenByWhatFollowsIt) {
  const Topic t = topic();
  auto w = writer(t);
  for (const char* v : {"a", "b", "c"}) {
    ASSERT_TRUE(w->append(batch_of({v})));
    ASSERT_TRUE(w->sync());   // acknowledged, and the mark still says 0
  }
  w.reset();
  flip(segment_file(0), kSegmentHeaderBytes + 96 + 85);
  auto opened = PartitionWriter::open(sim_.env(), t, PartitionId(0));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kDamaged);
  EXPECT_THAT(opened.error().message, HasSubstr("offset 1"));
}

TEST_F(LogTest, ALostMarkIsRefusedAndRebuilt) {
  const Topic t = topic({.segment_bytes = 4096});
  auto w = writer(t);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(w->append(batch_of({std::string(100, 'x')})));
  ASSERT_TRUE(w->flush());
  w.reset();
  ASSERT_TRUE(sim_.files().remove("log/t/0/mark"));
  EXPECT_EQ(PartitionWriter::open(sim_.env(), t, PartitionId(0)).error().code, ErrorCode::kDamaged);
  EXPECT_TRUE(repair_partition(sim_.env(), t, PartitionId(0)));
  EXPECT_EQ(read(t).size(), 100U);
  EXPECT_EQ(writer(t)->next_offset(), Offset(100));
}

TEST_F(LogTest, AMissingSegmentIsDamage) {
  const Topic t = topic({.segment_bytes = 4096});
  auto w = writer(t);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(w->append(batch_of({std::string(100, 'x')})));
  ASSERT_TRUE(w->flush());
  const Offset middle = w->segments()[1].base;
  w.reset();
  ASSERT_TRUE(sim_.files().remove(segment_file(middle.value)));
  auto opened = PartitionWriter::open(sim_.env(), t, PartitionId(0));
  EXPECT_EQ(opened.error().code, ErrorCode::kDamaged);
  EXPECT_THAT(opened.error().message, HasSubstr(fmt::format("offset {}", middle.value)));
  EXPECT_EQ(repair_partition(sim_.env(), t, PartitionId(0)).value().end, middle);
  EXPECT_EQ(writer(t)->next_offset(), middle);
}

TEST_F(LogTest, AFailedSyncClosesTheWriterForGood) {
  const Topic t = topic();
  auto w = writer(t);
  ASSERT_TRUE(w->append(batch_of({"a"})));
  sim_.files().set_fault_hook([](const env::FileOperation& o) -> std::optional<env::SimFault> {
    if (o.kind == env::FileOperationKind::kSync) return env::SimFault::kIo;
    return std::nullopt;
  });
  EXPECT_EQ(w->sync().error().code, ErrorCode::kSyncFailed);
  sim_.files().set_fault_hook(nullptr);
  EXPECT_EQ(w->sync().error().code, ErrorCode::kLogClosed);
  EXPECT_EQ(w->append(batch_of({"b"})).error().code, ErrorCode::kLogClosed);
  EXPECT_EQ(w->publish().error().code, ErrorCode::kLogClosed);
}

TEST_F(LogTest, AFullDiskIsAnErrorAndNothingIsLost) {
  const Topic t = topic();
  auto w = writer(t);
  ASSERT_TRUE(w->append(batch_of({"a"})));
  ASSERT_TRUE(w->flush());
  sim_.files().set_capacity(sim_.files().bytes_used());
  const std::string big(200'000, 'x');
  EXPECT_EQ(w->append(batch_of({big})).error().code, ErrorCode::kDiskFull);
  sim_.files().set_capacity(UINT64_MAX);
  ASSERT_TRUE(w->append(batch_of({"b"})));
  ASSERT_TRUE(w->flush());
  EXPECT_THAT(read(t), ElementsAre("a", "b"));
  w.reset();
  EXPECT_EQ(writer(t)->next_offset(), Offset(2));
}

TEST_F(LogTest, EpochsBecomeVisibleWhenCommitted) {
  const Topic t = topic();
  auto w = writer(t);
  const Transaction e1{7, Epoch(1)};
  const Transaction e2{7, Epoch(2)};
  ASSERT_TRUE(w->append(batch_of({"a"}), e1));
  ASSERT_TRUE(w->flush());
  ASSERT_TRUE(w->append(batch_of({"b"}), e2));
  ASSERT_TRUE(w->flush());
  EXPECT_THAT(read(t), IsEmpty());
  EXPECT_THAT(read(t, Isolation::kReadUncommitted), ElementsAre("a", "b"));
  EXPECT_EQ(w->commit_epoch(e1, Offset(1)).value(), CommitResult::kVisibleNow);
  EXPECT_EQ(w->commit_epoch(e1, Offset(1)).value(), CommitResult::kWasVisible);
  EXPECT_THAT(read(t), ElementsAre("a"));
  EXPECT_EQ(w->append(batch_of({"other"}), {8, Epoch(1)}).error().code, ErrorCode::kSinkOfOtherJob);
  w.reset();
  w = writer(t);
  ASSERT_EQ(w->recovery().staged.size(), 1U);
  EXPECT_EQ(w->recovery().staged[0].transaction, e2);
  EXPECT_EQ(w->last_commit(), e1);
  EXPECT_EQ(w->commit_epoch(e2, Offset(2)).value(), CommitResult::kVisibleNow);
  EXPECT_THAT(read(t), ElementsAre("a", "b"));
  ASSERT_TRUE(w->append(batch_of({"other"}), {8, Epoch(1)}));
}

TEST_F(LogTest, AbandonedEpochsAreTakenBackAcrossSegments) {
  const Topic t = topic({.segment_bytes = 4096});
  auto w = writer(t);
  auto committed = PartitionReader::open(sim_.files(), t, PartitionId(0)).value();
  auto dirty = PartitionReader::open(sim_.files(), t, PartitionId(0), {.isolation = Isolation::kReadUncommitted}).value();
  ASSERT_TRUE(w->append(batch_of({"keep"}), {7, Epoch(1)}));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(w->append(batch_of({std::string(100, 'x')}), {7, Epoch(2)}));
  ASSERT_TRUE(w->flush());
  EXPECT_THAT(drain(committed), IsEmpty());
  EXPECT_EQ(drain(dirty).size(), 101U);
  w.reset();
  w = writer(t);
  EXPECT_EQ(w->commit_epoch({7, Epoch(1)}, Offset(1)).value(), CommitResult::kVisibleNow);
  EXPECT_THAT(drain(committed), ElementsAre("keep"));
  ASSERT_TRUE(w->abandon_after({7, Epoch(1)}));
  EXPECT_EQ(w->next_offset(), Offset(1));
  EXPECT_THAT(w->staged(), IsEmpty());
  ASSERT_TRUE(w->append(batch_of({std::string(100, 'y')}), {7, Epoch(2)}));
  ASSERT_TRUE(w->flush());
  EXPECT_EQ(w->commit_epoch({7, Epoch(2)}, Offset(2)).value(), CommitResult::kVisibleNow);
  EXPECT_THAT(drain(committed), ElementsAre(std::string(100, 'y')));   // never a buffered row of the abandoned epoch
  EXPECT_THAT(drain(dirty), ElementsAre(std::string(100, 'y')));
  EXPECT_THAT(read(t), ElementsAre("keep", std::string(100, 'y')));
}

TEST_F(LogTest, PreparedRowsThatAreGoneAreDamage) {
  const Topic t = topic();
  auto w = writer(t);
  ASSERT_TRUE(w->append(batch_of({"a"}), {7, Epoch(1)}));
  ASSERT_TRUE(w->flush());
  EXPECT_EQ(w->commit_epoch({7, Epoch(1)}, Offset(5)).error().code, ErrorCode::kDamaged);
}

TEST_F(LogTest, RetentionBySizeKeepsAtLeastTheLimit) {
  const Topic t = topic({.segment_bytes = 4096, .retention_bytes = 10'000});
  auto w = writer(t);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(w->append(batch_of({std::string(100, 'x')})));
  ASSERT_TRUE(w->flush());
  const std::uint64_t before = w->bytes();
  const auto done = w->retain().value();
  EXPECT_EQ(before - w->bytes(), done.bytes_deleted);
  EXPECT_GE(w->bytes(), 10'000U);
  EXPECT_LT(w->bytes(), 10'000U + 4096U);
  EXPECT_GT(w->log_start(), Offset(0));
  EXPECT_EQ(read(t).size(), static_cast<std::size_t>(200 - w->log_start().value));
  auto reader = PartitionReader::open(sim_.files(), t, PartitionId(0)).value();
  EXPECT_EQ(reader.seek(Offset(0)).error().code, ErrorCode::kOffsetOutOfRange);
  const Offset start = w->log_start();
  w.reset();
  EXPECT_EQ(writer(t)->log_start(), start);
}

TEST_F(LogTest, RetentionByTimeRollsWhenEverythingIsOld) {
  const Topic t = topic({.retention_ms = 1000});
  auto w = writer(t);
  const TimeUs now = sim_.clock().now_us();
  ASSERT_TRUE(w->append(batch_of({"old"}, now)));
  ASSERT_TRUE(w->flush());
  sim_.clock().advance_to(now + kSecond);
  EXPECT_EQ(w->retain().value().segments_deleted, 0U);
  sim_.clock().advance_to(now + kSecond + 1);
  EXPECT_EQ(w->retain().value().segments_deleted, 1U);
  EXPECT_EQ(w->log_start(), Offset(1));
  EXPECT_THAT(read(t), IsEmpty());
  w.reset();
  w = writer(t);
  EXPECT_EQ(w->next_offset(), Offset(1));
}

TEST_F(LogTest, RetentionNeverTakesWhatIsNotCommitted) {
  const Topic t = topic({.segment_bytes = 4096, .retention_bytes = 1});
  auto w = writer(t);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(w->append(batch_of({std::string(100, 'x')}), {7, Epoch(1)}));
  ASSERT_TRUE(w->flush());
  EXPECT_EQ(w->retain().value().segments_deleted, 0U);
  ASSERT_TRUE(w->commit_epoch({7, Epoch(1)}, Offset(100)));
  EXPECT_GT(w->retain().value().segments_deleted, 0U);
}

TEST_F(LogTest, ASlowReaderIsToldWhatRetentionTook) {
  const Topic t = topic({.segment_bytes = 4096});
  auto w = writer(t);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(w->append(batch_of({std::string(100, 'x')})));
  ASSERT_TRUE(w->flush());
  auto reader = PartitionReader::open(sim_.files(), t, PartitionId(0)).value();
  ASSERT_TRUE(w->delete_before(Offset(60)));
  EXPECT_EQ(reader.ends().value().log_start, Offset(60));
  EXPECT_EQ(reader.next().error().code, ErrorCode::kOffsetOutOfRange);
  ASSERT_TRUE(reader.seek(Offset(60)));
  EXPECT_EQ(drain(reader).size(), 40U);
}

TEST_F(LogTest, OffsetsAreFoundByTime) {
  const Topic t = topic({.segment_bytes = 4096});
  auto w = writer(t);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(w->append(batch_of({std::string(90, 'a'), std::string(90, 'b')}, i * 10)));
  ASSERT_TRUE(w->flush());
  auto reader = PartitionReader::open(sim_.files(), t, PartitionId(0)).value();
  EXPECT_EQ(reader.offset_for_time(-5).value(), Offset(0));
  EXPECT_EQ(reader.offset_for_time(500).value(), Offset(100));
  EXPECT_EQ(reader.offset_for_time(501).value(), Offset(102));
  EXPECT_EQ(reader.offset_for_time(991).value(), Offset(200));
}

TEST_F(LogTest, TopicsAreCreatedOnceAndNamedInErrors) {
  EXPECT_EQ(open_topic(sim_.files(), "log", "t").error().code, ErrorCode::kUnknownTable);
  const Topic t = topic({.partitions = 3});
  EXPECT_EQ(create_topic(sim_.env(), "log", "t", {}).error().code, ErrorCode::kAlreadyExists);
  const Topic again = open_topic(sim_.files(), "log", "t").value();
  EXPECT_EQ(again.log_id, t.log_id);
  EXPECT_EQ(again.config, t.config);
  EXPECT_THAT(open_topic(sim_.files(), "log", "u").error().hint, HasSubstr("t"));
  EXPECT_EQ(create_topic(sim_.env(), "log", "../x", {}).error().code, ErrorCode::kBadOptionValue);
  EXPECT_THAT(list_topics(sim_.files(), "log").value(), ElementsAre("t"));
  flip("log/t/topic", 40);
  EXPECT_EQ(open_topic(sim_.files(), "log", "t").error().code, ErrorCode::kDamaged);
}

TEST_F(LogTest, GroupsKeepTheirOffsets) {
  EXPECT_THAT(read_group(sim_.files(), "log", "g").value(), IsEmpty());
  ASSERT_TRUE(commit_group(sim_.files(), "log", "g", {{{"t", PartitionId(0)}, Offset(5)}, {{"t", PartitionId(1)}, Offset(6)}}));
  ASSERT_TRUE(commit_group(sim_.files(), "log", "g", {{{"t", PartitionId(1)}, Offset(9)}}));
  sim_.files().crash();
  const GroupOffsets offsets = read_group(sim_.files(), "log", "g").value();
  EXPECT_EQ(offsets.at({"t", PartitionId(0)}), Offset(5));
  EXPECT_EQ(offsets.at({"t", PartitionId(1)}), Offset(9));
  flip("log/__groups/g.offsets", 20);
  EXPECT_EQ(read_group(sim_.files(), "log", "g").error().code, ErrorCode::kDamaged);
  EXPECT_THAT(read_group(sim_.files(), "log", "../g").value(), IsEmpty());   // a name like any other: it never leaves the directory
  EXPECT_EQ(read_group(sim_.files(), "log", "").error().code, ErrorCode::kBadOptionValue);
}

}  // namespace
}  // namespace supyo::log
