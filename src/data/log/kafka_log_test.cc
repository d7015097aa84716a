// Kafka clients' batches in a partition: appended, fetched, recovered; producers and transactions against a simple model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/env/sim/sim_env.h"
#include "data/log/kafka_test_util.h"
#include "data/log/partition_writer.h"
#include "data/log/producer_snapshot.h"

namespace supyo::log {
namespace {

using namespace testing_util;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class KafkaLogTest : public testing::Test {
 protected:
  Topic topic(TopicConfig config = {}) { return open_or_create_topic(sim_.env(), "log", "t", config).value(); }
  std::unique_ptr<PartitionWriter> writer(const Topic& t) { return PartitionWriter::open(sim_.env(), t, PartitionId(0)).value(); }
  KafkaReader reader(const Topic& t) { return KafkaReader::open(sim_.files(), t, PartitionId(0)).value(); }
  env::SimEnv sim_{1};
};

std::vector<std::string> values(const std::vector<Seen>& all) {
  std::vector<std::string> v;
  for (const Seen& s : all) v.push_back(s.value);
  return v;
}

TEST_F(KafkaLogTest, BatchesAreFetchedAsTheyCame) {
  const Topic t = topic();
  auto w = writer(t);
  std::string one = make_batch({{"a", "1"}, {"b", "2"}}, {}, KafkaCompression::kZstd);
  std::string two = make_batch({{std::nullopt, "3"}});
  EXPECT_EQ(w->append_kafka(one, 5).value().base, Offset(0));
  const auto done = w->append_kafka(two, 5).value();
  EXPECT_EQ(done.base, Offset(2));
  EXPECT_EQ(done.last, Offset(2));
  auto r = reader(t);
  std::string bytes;
  EXPECT_EQ(r.fetch(Offset(0), {}, bytes).value().high_watermark, Offset(0));
  EXPECT_EQ(r.fetch(Offset(1), {}, bytes).error().code, ErrorCode::kOffsetOutOfRange);
  ASSERT_TRUE(w->flush());
  const auto fetched = r.fetch(Offset(0), {}, bytes).value();
  EXPECT_EQ(fetched.next, Offset(3));
  EXPECT_EQ(fetched.last_stable, Offset(3));
  patch_kafka_batch(one.data(), 0, 5);
  patch_kafka_batch(two.data(), 2, 5);
  EXPECT_EQ(bytes, one + two);
  // From within a batch: the whole one. A bound below the first batch: that one alone.
  bytes.clear();
  EXPECT_EQ(r.fetch(Offset(1), {.max_bytes = 1}, bytes).value().next, Offset(2));
  EXPECT_EQ(bytes, one);
  bytes.clear();
  EXPECT_EQ(r.fetch(Offset(1), {.max_bytes = 1, .at_least_one = false}, bytes).value().next, Offset(1));
  EXPECT_EQ(bytes, "");
  EXPECT_EQ(r.fetch(Offset(2), {}, bytes).value().next, Offset(3));
  EXPECT_EQ(bytes, two);
}

TEST_F(KafkaLogTest, RowsOfJobsAndOfClientsAreReadByBoth) {
  const Topic t = topic({.segment_bytes = 4096});
  auto w = writer(t);
  RecordBatch rows;
  rows.add(5'000'999, "k", "row", encode_kafka_headers({{"h", "1"}}));
  rows.add(4'000'000, "k2", std::nullopt);
  rows.add(-1, "before 1970");
  ASSERT_TRUE(w->append(rows));
  ASSERT_TRUE(w->append_kafka(make_batch({{"a", "client", 7}, {std::nullopt, std::nullopt, 9}}, {}, KafkaCompression::kLz4)));
  ASSERT_TRUE(w->append(rows));
  ASSERT_TRUE(w->flush());
  auto r = reader(t);
  const std::vector<Seen> expected{{0, "k", "row", 5000}, {1, "k2", "-", 4000}, {2, "-", "before 1970", -1}, {3, "a", "client", 7},
                                   {4, "-", "-", 9},      {5, "k", "row", 5000}, {6, "k2", "-", 4000},      {7, "-", "before 1970", -1}};
  for (const Isolation isolation : {Isolation::kReadCommitted, Isolation::kReadUncommitted}) {
    EXPECT_EQ(fetch_all(r, Offset(0), isolation), expected);
    EXPECT_EQ(fetch_all(r, Offset(0), isolation, 1), expected);
    auto rows_seen = read_rows(sim_.files(), t, isolation);
    rows_seen[2].timestamp_ms = rows_seen[7].timestamp_ms = -1;   // -1 us, cut to ms here towards 0
    EXPECT_EQ(rows_seen, expected);
  }
  auto at = PartitionReader::open(sim_.files(), t, PartitionId(0)).value();
  ASSERT_TRUE(at.seek(Offset(4)));
  const FrameView* f = at.next().value();
  EXPECT_EQ(f->first(), 1U);
  EXPECT_EQ(f->offset(1), Offset(4));
  EXPECT_EQ(r.find_time(8, Isolation::kReadCommitted).value()->offset, Offset(0));
  EXPECT_EQ(r.find_time(5000, Isolation::kReadCommitted).value()->timestamp_ms, 5000);
  EXPECT_EQ(r.find_time(5001, Isolation::kReadCommitted).value(), std::nullopt);
}

TEST_F(KafkaLogTest, WhatKafkaRefusesIsRefused) {
  Topic t = topic({.max_message_bytes = 1000, .timestamp_before_max_ms = 1000, .timestamp_after_max_ms = 1000});
  auto w = writer(t);
  const std::int64_t now = sim_.clock().now_us() / kMillisecond;
  const auto outcome = [&](std::string batch) { return w->append_kafka(batch).value().outcome; };
  EXPECT_EQ(outcome(make_batch({{"k", "v", now}})), KafkaOutcome::kAppended);
  EXPECT_EQ(outcome(make_batch({{"k", "v", now - 1001}})), KafkaOutcome::kInvalidTimestamp);
  EXPECT_EQ(outcome(make_batch({{"k", "v", now + 1001}})), KafkaOutcome::kInvalidTimestamp);
  EXPECT_EQ(outcome(make_batch({{"k", std::string(1000, 'x'), now}})), KafkaOutcome::kTooLarge);
  EXPECT_EQ(outcome(make_batch({{"k", "v", now}}) + "x"), KafkaOutcome::kInvalidRecord);
  EXPECT_EQ(outcome(""), KafkaOutcome::kCorrupt);
  std::string bad = make_batch({{"k", "v", now}});
  bad.back() = 'z';
  EXPECT_EQ(outcome(bad), KafkaOutcome::kCorrupt);
  std::string old = make_batch({{"k", "v", now}});
  old[16] = 0;
  EXPECT_EQ(outcome(old), KafkaOutcome::kUnsupportedMagic);
  EXPECT_EQ(outcome(encode_kafka_marker(1, 0, {}, now)), KafkaOutcome::kInvalidRecord);
  EXPECT_EQ(outcome(make_batch({{"k", "v", now}}, {.id = 4, .epoch = 0, .sequence = -1})), KafkaOutcome::kInvalidRecord);
  std::string stamped = make_batch({{"k", "v", now}});
  stamp_kafka_append_time(stamped, now);
  EXPECT_EQ(outcome(stamped), KafkaOutcome::kInvalidTimestamp);
  EXPECT_EQ(w->next_offset(), Offset(1));
  TopicConfig c = t.config;
  c.cleanup_compact = true;
  c.log_append_time = true;
  w->set_config(c);
  EXPECT_EQ(outcome(make_batch({{std::nullopt, "v", now}})), KafkaOutcome::kInvalidRecord);
  EXPECT_EQ(w->append_kafka(make_batch({{"k", "v", 1}})).value().log_append_time_ms, now);
  ASSERT_TRUE(w->flush());
  EXPECT_EQ(read_rows(sim_.files(), t, Isolation::kReadCommitted).back().timestamp_ms, now);
}

TEST_F(KafkaLogTest, SequencesAreCheckedAndDuplicatesAnswered) {
  const Topic t = topic();
  auto w = writer(t);
  const auto send = [&](std::int16_t epoch, std::int32_t sequence, std::size_t n = 1) {
    return w->append_kafka(make_batch(std::vector<Rec>(n, {"k", "v"}), {.id = 9, .epoch = epoch, .sequence = sequence})).value();
  };
  EXPECT_EQ(send(0, 0, 3).base, Offset(0));
  EXPECT_EQ(send(0, 4).outcome, KafkaOutcome::kOutOfOrderSequence);
  EXPECT_EQ(send(0, 3, 2).base, Offset(3));
  const auto again = send(0, 0, 3);
  EXPECT_EQ(again.outcome, KafkaOutcome::kDuplicate);
  EXPECT_EQ(again.base, Offset(0));
  EXPECT_EQ(again.last, Offset(2));
  EXPECT_EQ(send(0, 0, 2).outcome, KafkaOutcome::kOutOfOrderSequence);   // not the same batch
  for (int i = 0; i < 4; ++i) EXPECT_EQ(send(0, 5 + i).outcome, KafkaOutcome::kAppended);
  EXPECT_EQ(send(0, 0, 3).outcome, KafkaOutcome::kOutOfOrderSequence);   // older than the last five
  EXPECT_EQ(send(0, 3, 2).outcome, KafkaOutcome::kDuplicate);
  EXPECT_EQ(send(1, 5).outcome, KafkaOutcome::kOutOfOrderSequence);      // a new epoch begins at 0
  EXPECT_EQ(send(1, 0).outcome, KafkaOutcome::kAppended);
  EXPECT_EQ(send(0, 9).outcome, KafkaOutcome::kFencedEpoch);
  ASSERT_TRUE(w->flush());
  w.reset();
  w = writer(t);
  EXPECT_EQ(send(1, 0).outcome, KafkaOutcome::kDuplicate);
  EXPECT_EQ(send(0, 9).outcome, KafkaOutcome::kFencedEpoch);
  EXPECT_EQ(w->expire_producers(sim_.clock().now_us() + 1), 1U);
  EXPECT_EQ(send(1, 77).outcome, KafkaOutcome::kAppended);               // unknown: may begin anywhere
}

TEST_F(KafkaLogTest, TheLastStableOffsetWaitsForTransactions) {
  const Topic t = topic();
  auto w = writer(t);
  const Producer a{.id = 1, .epoch = 0, .sequence = 0, .transactional = true};
  const Producer b{.id = 2, .epoch = 0, .sequence = 0, .transactional = true};
  ASSERT_TRUE(w->append_kafka(make_batch({{"", "a0"}}, a)));
  ASSERT_TRUE(w->append_kafka(make_batch({{"", "b0"}}, b)));
  ASSERT_TRUE(w->append_kafka(make_batch({{"", "plain"}})));
  ASSERT_TRUE(w->flush());
  EXPECT_EQ(w->committed_end(), Offset(0));
  EXPECT_EQ(w->append(RecordBatch(), {7, Epoch(1)}).error().code, ErrorCode::kSinkOfOtherJob);
  EXPECT_EQ(w->append_kafka(make_batch({{"", "x"}}, {.id = 1, .epoch = 0, .sequence = 1})).value().outcome, KafkaOutcome::kInvalidTransaction);
  ASSERT_TRUE(w->end_transaction(1, 0, {.commit = true, .coordinator_epoch = 3}));
  ASSERT_TRUE(w->publish());
  EXPECT_EQ(w->committed_end(), Offset(0));   // its marker is not durable yet
  ASSERT_TRUE(w->flush());
  EXPECT_EQ(w->committed_end(), Offset(1));   // b is open
  EXPECT_THAT(values(read_rows(sim_.files(), t, Isolation::kReadCommitted)), ElementsAre("a0"));
  EXPECT_THAT(values(read_rows(sim_.files(), t, Isolation::kReadUncommitted)), ElementsAre("a0", "b0", "plain"));
  EXPECT_EQ(w->end_transaction(2, 0, {.commit = false, .coordinator_epoch = 3}).value().base, Offset(4));
  ASSERT_TRUE(w->flush());
  EXPECT_EQ(w->committed_end(), Offset(5));
  EXPECT_THAT(values(read_rows(sim_.files(), t, Isolation::kReadCommitted)), ElementsAre("a0", "plain"));
  auto r = reader(t);
  std::string bytes;
  EXPECT_THAT(r.fetch(Offset(0), {.isolation = Isolation::kReadCommitted}, bytes).value().aborted, ElementsAre(AbortedTransaction{2, Offset(1)}));
  EXPECT_THAT(values(fetch_all(r, Offset(0), Isolation::kReadCommitted)), ElementsAre("a0", "plain"));
  EXPECT_EQ(w->end_transaction(2, 0, {.commit = true, .coordinator_epoch = 2}).value().outcome, KafkaOutcome::kFencedCoordinator);
  EXPECT_EQ(w->append_kafka(make_batch({{"", "b1"}}, {.id = 2, .epoch = 1, .sequence = 0, .transactional = true})).value().outcome, KafkaOutcome::kAppended);
  EXPECT_EQ(w->end_transaction(2, 0, {.commit = true, .coordinator_epoch = 3}).value().outcome, KafkaOutcome::kFencedEpoch);
}

TEST_F(KafkaLogTest, AFetchNeverGivesOutWhatAJobTookBack) {
  const Topic t = topic();
  auto w = writer(t);
  RecordBatch b;
  b.add(1, "kept");
  ASSERT_TRUE(w->append(b));
  b.clear();
  b.add(1, "taken back");
  ASSERT_TRUE(w->append(b, {7, Epoch(1)}));
  ASSERT_TRUE(w->flush());
  auto r = reader(t);
  std::string bytes;
  EXPECT_EQ(r.fetch(Offset(0), {.max_bytes = 1}, bytes).value().next, Offset(1));   // the next one is read, and waits
  bytes.clear();
  EXPECT_EQ(r.fetch(Offset(1), {.max_bytes = 1, .at_least_one = false}, bytes).value().next, Offset(1));
  EXPECT_EQ(w->append_kafka(make_batch({{"k", "v"}})).error().code, ErrorCode::kSinkOfOtherJob);
  ASSERT_TRUE(w->abandon_after({7, Epoch(0)}));
  ASSERT_TRUE(w->append_kafka(make_batch({{"k", "instead"}})));
  ASSERT_TRUE(w->flush());
  EXPECT_THAT(values(fetch_all(r, Offset(1), Isolation::kReadUncommitted)), ElementsAre("instead"));
}

TEST_F(KafkaLogTest, ARepairThatCutsAMarkerReopensItsTransaction) {
  const Topic t = topic();
  auto w = writer(t);
  ASSERT_TRUE(w->append_kafka(make_batch({{"k", "plain"}})));
  ASSERT_TRUE(w->append_kafka(make_batch({{"k", "in doubt"}}, {.id = 1, .epoch = 0, .sequence = 0, .transactional = true})));
  ASSERT_TRUE(w->end_transaction(1, 0, {.commit = true}));
  ASSERT_TRUE(w->flush());
  EXPECT_EQ(w->committed_end(), Offset(3));
  const std::uint64_t end = w->segments().back().bytes;
  w.reset();
  auto file = sim_.files().open("log/t/0/00000000000000000000.seg", env::OpenMode::kReadWrite).value();
  ASSERT_TRUE(file->write_at(end - 30, "damaged"));
  EXPECT_EQ(PartitionWriter::open(sim_.env(), t, PartitionId(0)).error().code, ErrorCode::kDamaged);
  ASSERT_TRUE(repair_partition(sim_.env(), t, PartitionId(0)));
  w = writer(t);
  EXPECT_EQ(w->next_offset(), Offset(2));
  EXPECT_EQ(w->committed_end(), Offset(1));
  EXPECT_THAT(values(read_rows(sim_.files(), t, Isolation::kReadCommitted)), ElementsAre("plain"));
  w.reset();
  EXPECT_EQ(repair_partition(sim_.env(), t, PartitionId(0), {.abandon_staged = true}).value().transactions_aborted, 1U);
  EXPECT_EQ(writer(t)->committed_end(), Offset(3));
  EXPECT_THAT(values(read_rows(sim_.files(), t, Isolation::kReadCommitted)), ElementsAre("plain"));
}

TEST_F(KafkaLogTest, AReaderLooksAtEachHeadOnce) {
  const Topic t = topic();
  auto w = writer(t);
  constexpr std::int32_t kTransactions = 400;
  for (std::int32_t i = 0; i < kTransactions; ++i) {
    ASSERT_TRUE(w->append_kafka(make_batch({{"k", "plain"}})));
    ASSERT_TRUE(w->append_kafka(make_batch({{"k", "t"}}, {.id = 1, .epoch = 0, .sequence = i, .transactional = true})));
    ASSERT_TRUE(w->end_transaction(1, 0, {.commit = i % 2 == 0}));
  }
  ASSERT_TRUE(w->flush());
  std::uint64_t reads = 0;
  sim_.files().set_fault_hook([&](const env::FileOperation& op) -> std::optional<env::SimFault> {
    reads += op.kind == env::FileOperationKind::kRead;
    return std::nullopt;
  });
  EXPECT_EQ(read_rows(sim_.files(), t, Isolation::kReadCommitted).size(), kTransactions * 3U / 2);
  EXPECT_LT(reads, 6U * kTransactions);   // three frames each
}

/// What was appended, in order; everything else follows from it.
struct Event {
  std::int64_t base = 0;
  std::vector<std::string> values;
  Producer producer;
  bool marker = false;
  bool commit = false;
};

struct Model {
  std::vector<Event> events;
  std::int64_t end() const { return events.empty() ? 0 : events.back().base + (events.back().marker ? 1 : static_cast<std::int64_t>(events.back().values.size())); }
  void cut(std::int64_t at) {
    while (!events.empty() && events.back().base >= at) events.pop_back();
  }
  /// The marker that ends event i's transaction; null when it is open.
  const Event* ended_by(std::size_t i) const {
    for (std::size_t j = i + 1; j < events.size(); ++j)
      if (events[j].marker && events[j].producer.id == events[i].producer.id) return &events[j];
    return nullptr;
  }
  bool open(std::int64_t producer) const {
    for (std::size_t i = 0; i < events.size(); ++i)
      if (!events[i].marker && events[i].producer.transactional && events[i].producer.id == producer && ended_by(i) == nullptr) return true;
    return false;
  }
  std::int64_t stable() const {
    for (std::size_t i = 0; i < events.size(); ++i)
      if (!events[i].marker && events[i].producer.transactional && ended_by(i) == nullptr) return events[i].base;
    return end();
  }
  std::vector<std::string> rows(bool committed) const {
    std::vector<std::string> all;
    const std::int64_t to = committed ? stable() : end();
    for (std::size_t i = 0; i < events.size(); ++i) {
      const Event& e = events[i];
      if (e.marker || e.base >= to) continue;
      if (committed && e.producer.transactional && !ended_by(i)->commit) continue;
      for (std::size_t r = 0; r < e.values.size(); ++r) all.push_back(fmt::format("{}:{}", e.base + static_cast<std::int64_t>(r), e.values[r]));
    }
    return all;
  }
  std::vector<const Event*> of(std::int64_t producer) const {
    std::vector<const Event*> all;
    for (const Event& e : events)
      if (!e.marker && e.producer.id == producer) all.push_back(&e);
    return all;
  }
  std::int32_t next_sequence(std::int64_t producer) const {
    const auto all = of(producer);
    return all.empty() ? 0 : all.back()->producer.sequence + static_cast<std::int32_t>(all.back()->values.size());
  }
};

std::vector<std::string> named(const std::vector<Seen>& all) {
  std::vector<std::string> v;
  for (const Seen& s : all) v.push_back(fmt::format("{}:{}", s.offset, s.value));
  return v;
}

/// One life of a partition with random clients, restarts and power failures.
class Life {
 public:
  explicit Life(std::uint64_t seed) : sim_(seed), random_(seed * 77) {
    topic_ = create_topic(sim_.env(), "log", "t", {.segment_bytes = 4096}).value();
    open();
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) step();
  }

 private:
  void open() {
    writer_.reset();
    auto w = PartitionWriter::open(sim_.env(), topic_, PartitionId(0));
    ASSERT_TRUE(w) << w.error().to_string();
    writer_ = std::move(*w);
  }

  std::string batch(const Event& e) {
    std::vector<Rec> records;
    for (const std::string& v : e.values) records.push_back({"k", v});
    return make_batch(records, e.producer, static_cast<KafkaCompression>(random_.below(5)));
  }

  void step() {
    switch (random_.below(12)) {
      case 0: case 1: case 2: case 3: case 4: produce(); break;
      case 5: repeat(); break;
      case 6: case 7: end_transaction(); break;
      case 8: skip_ahead(); break;
      case 9: flush(); break;
      case 10:
        if (random_.below(3) == 0) crash();
        break;
      default:
        if (random_.below(4) == 0) open();
        break;
    }
  }

  void produce() {
    const auto id = static_cast<std::int64_t>(random_.below(4)) - 1;   // -1: no producer; 0: idempotent; 1, 2: transactional
    Event e{.base = model_.end(), .values = {}, .producer = {}};
    for (std::uint64_t n = 1 + random_.below(3); n > 0; --n) e.values.push_back(fmt::format("v{}", counter_++) + std::string(random_.below(400), 'x'));
    if (id >= 0) e.producer = {.id = id, .epoch = 0, .sequence = model_.next_sequence(id), .transactional = id > 0};
    const auto done = writer_->append_kafka(batch(e)).value();
    ASSERT_EQ(done.outcome, KafkaOutcome::kAppended) << done.why;
    ASSERT_EQ(done.base.value, e.base);
    model_.events.push_back(std::move(e));
  }

  void repeat() {
    const auto all = model_.of(static_cast<std::int64_t>(random_.below(3)));
    if (all.empty()) return;
    const std::size_t back = random_.below(std::min<std::size_t>(all.size(), 5));
    const Event& e = *all[all.size() - 1 - back];
    const auto done = writer_->append_kafka(batch(e)).value();
    ASSERT_EQ(done.outcome, KafkaOutcome::kDuplicate);
    ASSERT_EQ(done.base.value, e.base);
  }

  void skip_ahead() {
    const auto id = static_cast<std::int64_t>(random_.below(3));
    if (model_.of(id).empty()) return;
    const Event e{.base = 0, .values = {"never"}, .producer = {.id = id, .epoch = 0, .sequence = model_.next_sequence(id) + 1, .transactional = id > 0}};
    ASSERT_EQ(writer_->append_kafka(batch(e)).value().outcome, KafkaOutcome::kOutOfOrderSequence);
  }

  void end_transaction() {
    const auto id = static_cast<std::int64_t>(1 + random_.below(2));
    if (!model_.open(id)) return;
    Event e{.base = model_.end(), .values = {}, .producer = {.id = id, .epoch = 0}, .marker = true, .commit = random_.below(2) == 0};
    const auto done = writer_->end_transaction(id, 0, {.commit = e.commit, .coordinator_epoch = 1}).value();
    ASSERT_EQ(done.base.value, e.base);
    model_.events.push_back(std::move(e));
  }

  void flush() {
    ASSERT_TRUE(writer_->flush());
    acknowledged_ = model_.end();
    check();
  }

  void crash() {
    sim_.files().crash();
    open();
    ASSERT_GE(writer_->next_offset().value, acknowledged_);
    model_.cut(writer_->next_offset().value);
    ASSERT_EQ(writer_->next_offset().value, model_.end());
    acknowledged_ = model_.end();
    check();
  }

  void check() {
    ASSERT_EQ(writer_->committed_end().value, model_.stable());
    auto reader = KafkaReader::open(sim_.files(), topic_, PartitionId(0)).value();
    const Offset from(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(model_.stable()) + 1)));
    for (const bool committed : {false, true}) {
      const Isolation isolation = committed ? Isolation::kReadCommitted : Isolation::kReadUncommitted;
      const auto expected = model_.rows(committed);
      ASSERT_EQ(named(fetch_all(reader, Offset(0), isolation, 1 + random_.below(3000))), expected);
      ASSERT_EQ(named(read_rows(sim_.files(), topic_, isolation)), expected);
      std::vector<std::string> later;
      for (const std::string& row : expected)
        if (std::stoll(row) >= from.value) later.push_back(row);
      ASSERT_EQ(named(fetch_all(reader, from, isolation, 1 + random_.below(3000))), later);
      ASSERT_EQ(named(read_rows(sim_.files(), topic_, isolation, from)), later);
    }
  }

  env::SimEnv sim_;
  env::SeededRandom random_;
  Topic topic_;
  std::unique_ptr<PartitionWriter> writer_;
  Model model_;
  std::int64_t acknowledged_ = 0;
  int counter_ = 0;
};

TEST(KafkaLogModel, RandomLives) {
  for (std::uint64_t seed = 1; seed <= 40 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Life(seed).run(150);
  }
}

TEST_F(KafkaLogTest, ProducersOutliveTheirRecords) {
  const Topic t = topic({.segment_bytes = 4096});
  auto w = writer(t);
  const std::string big(1000, 'x');
  ASSERT_TRUE(w->append_kafka(make_batch({{"k", big}}, {.id = 5, .epoch = 2, .sequence = 0})));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(w->append_kafka(make_batch({{"k", big}})));
  ASSERT_TRUE(w->flush());
  EXPECT_GT(list_producer_snapshots(sim_.files(), "log/t/0").value().size(), 0U);
  ASSERT_TRUE(w->delete_before(Offset(15)));
  w.reset();
  w = writer(t);
  EXPECT_EQ(w->append_kafka(make_batch({{"k", "v"}}, {.id = 5, .epoch = 1, .sequence = 0})).value().outcome, KafkaOutcome::kFencedEpoch);
  EXPECT_EQ(w->append_kafka(make_batch({{"k", big}}, {.id = 5, .epoch = 2, .sequence = 0})).value().outcome, KafkaOutcome::kDuplicate);
}

TEST_F(KafkaLogTest, ADamagedSnapshotIsPassedOver) {
  const Topic t = topic({.segment_bytes = 4096});
  auto w = writer(t);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(w->append_kafka(make_batch({{"k", std::string(1000, 'x')}}, {.id = 5, .epoch = 0, .sequence = i})));
  ASSERT_TRUE(w->flush());
  w.reset();
  for (const Offset at : list_producer_snapshots(sim_.files(), "log/t/0").value()) {
    auto file = sim_.files().open("log/t/0/" + producer_snapshot_name(at), env::OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write_at(12, "damaged"));
  }
  w = writer(t);
  EXPECT_EQ(w->append_kafka(make_batch({{"k", std::string(1000, 'x')}}, {.id = 5, .epoch = 0, .sequence = 19})).value().outcome, KafkaOutcome::kDuplicate);
}

}  // namespace
}  // namespace supyo::log
