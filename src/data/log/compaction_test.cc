// Compaction against what Kafka promises: the last record of each key stays at its offset, whatever crashes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/env/sim/sim_env.h"
#include "data/log/kafka_test_util.h"
#include "data/log/partition_writer.h"
#include "data/log/segment.h"

namespace supyo::log {
namespace {

using namespace testing_util;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t kDeleteRetentionMs = 10'000;

TopicConfig compacted() {
  return {.segment_bytes = 4096, .cleanup_delete = false, .cleanup_compact = true, .min_cleanable_dirty_ratio = 0, .delete_retention_ms = kDeleteRetentionMs};
}

std::vector<std::string> brief(const std::vector<Seen>& all) {
  std::vector<std::string> v;
  for (const Seen& s : all) v.push_back(fmt::format("{}:{}={}", s.offset, s.key, s.value));
  return v;
}

class CompactionTest : public testing::Test {
 protected:
  void open(TopicConfig config) {
    writer_.reset();
    topic_ = open_or_create_topic(sim_.env(), "log", "t", config).value();
    auto w = PartitionWriter::open(sim_.env(), topic_, PartitionId(0));
    ASSERT_TRUE(w) << w.error().to_string();
    writer_ = std::move(*w);
  }
  void put(const std::vector<Rec>& records, Producer p = {}, KafkaCompression codec = KafkaCompression::kNone) {
    ASSERT_EQ(writer_->append_kafka(make_batch(records, p, codec)).value().outcome, KafkaOutcome::kAppended);
  }
  void end(std::int64_t producer, bool commit) { ASSERT_TRUE(writer_->end_transaction(producer, 0, {.commit = commit, .coordinator_epoch = 1})); }
  std::optional<CompactionStats> seal_and_compact() {
    EXPECT_TRUE(writer_->roll());
    EXPECT_TRUE(writer_->flush());
    auto done = writer_->compact();
    EXPECT_TRUE(done) << done.error().to_string();
    return done ? *done : std::nullopt;
  }
  std::vector<std::string> rows(Isolation isolation = Isolation::kReadCommitted) {
    auto reader = KafkaReader::open(sim_.files(), topic_, PartitionId(0)).value();
    const auto fetched = brief(fetch_all(reader, writer_->log_start(), isolation));
    EXPECT_EQ(brief(read_rows(sim_.files(), topic_, isolation)), fetched);
    return fetched;
  }
  void wait(std::int64_t ms) { sim_.clock().advance_to(sim_.clock().now_us() + ms * kMillisecond); }

  env::SimEnv sim_{1};
  Topic topic_;
  std::unique_ptr<PartitionWriter> writer_;
};

TEST_F(CompactionTest, TheLastRecordOfEachKeyStays) {
  open(compacted());
  for (const KafkaCompression codec : {KafkaCompression::kNone, KafkaCompression::kZstd}) {
    put({{"a", "1"}, {"b", "1"}, {"c", "1"}}, {}, codec);
    put({{"a", "2"}, {"d", "1"}}, {}, codec);
  }
  put({{"b", "3"}});
  const auto stats = seal_and_compact().value();
  EXPECT_EQ(stats.records_kept, 4U);
  EXPECT_EQ(stats.records_dropped, 7U);
  EXPECT_THAT(rows(), ElementsAre("7:c=1", "8:a=2", "9:d=1", "10:b=3"));
  EXPECT_EQ(writer_->next_offset(), Offset(11));
  EXPECT_FALSE(seal_and_compact());   // nothing is dirty
  put({{"c", "4"}});
  ASSERT_TRUE(writer_->flush());
  EXPECT_THAT(rows(), ElementsAre("7:c=1", "8:a=2", "9:d=1", "10:b=3", "11:c=4"));   // never the active segment
  seal_and_compact();
  EXPECT_THAT(rows(), ElementsAre("8:a=2", "9:d=1", "10:b=3", "11:c=4"));
  open(compacted());
  EXPECT_THAT(rows(), ElementsAre("8:a=2", "9:d=1", "10:b=3", "11:c=4"));
  EXPECT_FALSE(seal_and_compact());   // how far it was is remembered
}

TEST_F(CompactionTest, RowsOfJobsAreCompactedToo) {
  open(compacted());
  RecordBatch b;
  b.add(5'000'999, "a", "1");
  b.add(5'000'999, "b", "1", "opaque");
  b.add(5'000'999, "a", "2");
  ASSERT_TRUE(writer_->append(b, {7, Epoch(1)}));
  ASSERT_TRUE(writer_->sync());
  ASSERT_TRUE(writer_->commit_epoch({7, Epoch(1)}, Offset(3)));
  seal_and_compact();
  EXPECT_THAT(rows(), ElementsAre("1:b=1", "2:a=2"));
  auto reader = PartitionReader::open(sim_.files(), topic_, PartitionId(0)).value();
  const FrameView* f = reader.next().value();
  EXPECT_EQ(f->timestamps()[0], 5'000'000);   // Kafka's milliseconds from now on
  EXPECT_EQ(decode_kafka_headers(f->headers(0))[0].value, "opaque");
}

TEST_F(CompactionTest, TombstonesStayForAWhile) {
  open(compacted());
  put({{"a", "1"}, {"b", "1"}});
  put({{"a", std::nullopt}});
  seal_and_compact();
  EXPECT_THAT(rows(), ElementsAre("1:b=1", "2:a=-"));
  wait(kDeleteRetentionMs - 1);
  put({{"x", "1"}});
  seal_and_compact();
  EXPECT_THAT(rows(), ElementsAre("1:b=1", "2:a=-", "3:x=1"));
  wait(1);
  put({{"x", "2"}});
  seal_and_compact();
  EXPECT_THAT(rows(), ElementsAre("1:b=1", "4:x=2"));
}

TEST_F(CompactionTest, AbortedRecordsGoAndMarkersFollow) {
  open(compacted());
  put({{"a", "1"}});
  put({{"a", "aborted"}, {"b", "aborted"}}, {.id = 1, .epoch = 0, .sequence = 0, .transactional = true});
  end(1, false);
  put({{"c", "1"}}, {.id = 1, .epoch = 0, .sequence = 2, .transactional = true});
  end(1, true);
  seal_and_compact();
  EXPECT_THAT(rows(), ElementsAre("0:a=1", "4:c=1"));
  EXPECT_THAT(rows(Isolation::kReadUncommitted), ElementsAre("0:a=1", "4:c=1"));
  const auto markers = [&] {
    auto reader = KafkaReader::open(sim_.files(), topic_, PartitionId(0)).value();
    std::string bytes;
    (void)reader.fetch(Offset(0), {}, bytes).value();
    std::vector<std::int64_t> at;
    for (std::string_view left = bytes; !left.empty();) {
      KafkaBatchHeader h;
      EXPECT_EQ(check_kafka_batch(left, h), KafkaBatchProblem::kNone);
      if (h.control()) at.push_back(h.base_offset);
      left.remove_prefix(h.bytes());
    }
    return at;
  };
  EXPECT_THAT(markers(), ElementsAre(3, 5));
  for (int pass = 0; pass < 2; ++pass) {   // the first finds the abort marker without records, the second its time over
    put({{"x", "1"}});
    seal_and_compact();
    wait(kDeleteRetentionMs);
  }
  put({{"x", "2"}});
  seal_and_compact();
  EXPECT_THAT(markers(), ElementsAre(5));   // its transaction still has a record
  EXPECT_THAT(rows(), ElementsAre("0:a=1", "4:c=1", "8:x=2"));
  put({{"c", "2"}});
  for (int pass = 0; pass < 3; ++pass) {
    put({{"x", std::to_string(3 + pass)}});
    seal_and_compact();
    wait(kDeleteRetentionMs);
  }
  EXPECT_THAT(markers(), IsEmpty());
}

TEST_F(CompactionTest, WaitsForRatioLagAndOpenTransactions) {
  TopicConfig c = compacted();
  c.min_cleanable_dirty_ratio = 0.5;
  c.min_compaction_lag_ms = 1000;
  open(c);
  const auto now_ms = [&] { return sim_.clock().now_us() / kMillisecond; };
  put({{"a", std::string(1000, 'x'), now_ms()}, {"a", "2", now_ms()}});
  EXPECT_FALSE(seal_and_compact());   // too young
  wait(1001);
  EXPECT_TRUE(seal_and_compact());
  put({{"b", std::string(500, 'y'), now_ms()}});
  wait(1001);
  put({{"c", std::string(3000, 'z'), now_ms()}});
  EXPECT_TRUE(writer_->roll());
  wait(1001);
  EXPECT_TRUE(seal_and_compact());
  put({{"d", "small", now_ms()}});
  wait(1001);
  EXPECT_FALSE(seal_and_compact());   // less than half is new
  put({{"a", "open", now_ms()}}, {.id = 1, .epoch = 0, .sequence = 0, .transactional = true});
  put({{"a", std::string(3500, 'w'), now_ms()}});
  put({{"a", std::string(3500, 'w'), now_ms()}});
  wait(1001);
  EXPECT_FALSE(seal_and_compact());
  end(1, true);
  wait(1001);
  EXPECT_TRUE(seal_and_compact());
}

TEST_F(CompactionTest, NothingBelongsToTopicsThatOnlyDelete) {
  TopicConfig c = compacted();
  open(c);
  put({{"a", "1"}, {"a", "2"}});
  c.cleanup_compact = false;
  c.cleanup_delete = true;
  writer_->set_config(c);
  EXPECT_FALSE(seal_and_compact());
  c = compacted();
  c.retention_ms = 1;
  writer_->set_config(c);
  wait(1000);
  EXPECT_EQ(writer_->retain().value().segments_deleted, 0U);   // compact alone deletes nothing by age
  c.cleanup_delete = true;
  writer_->set_config(c);
  EXPECT_GT(writer_->retain().value().segments_deleted, 0U);
}

TEST_F(CompactionTest, RetentionMayOvertakeARun) {
  TopicConfig c = compacted();
  open(c);
  for (int i = 0; i < 20; ++i) put({{"a", std::string(1000, 'x')}, {fmt::format("k{}", i), "v"}});
  ASSERT_TRUE(writer_->roll());
  ASSERT_TRUE(writer_->flush());
  const auto plan = writer_->plan_compaction().value().value();
  const auto result = run_compaction(sim_.files(), plan).value();
  ASSERT_TRUE(writer_->delete_before(Offset(20)));
  put({{"late", "v"}});
  ASSERT_TRUE(writer_->install_compaction(result));
  ASSERT_TRUE(writer_->flush());
  const auto all = rows();
  EXPECT_EQ(all.back(), "40:late=v");
  const auto before = all.size();
  open(c);
  EXPECT_EQ(rows().size(), before);
  for (const std::string& name : sim_.files().list("log/t/0").value()) EXPECT_FALSE(name.ends_with(".cleaned")) << name;
}

TEST_F(CompactionTest, DeletedSegmentsKeepTheirBytesForADelay) {
  TopicConfig c{.segment_bytes = 4096, .retention_bytes = 4096, .file_delete_delay_ms = 500};
  open(c);
  for (int i = 0; i < 20; ++i) put({{"a", std::string(1000, 'x')}});
  ASSERT_TRUE(writer_->flush());
  const auto deleted = [&] {
    std::size_t n = 0;
    for (const std::string& name : sim_.files().list("log/t/0").value()) n += name.ends_with(".deleted");
    return n;
  };
  const auto gone = writer_->retain().value().segments_deleted;
  EXPECT_GT(gone, 0U);
  EXPECT_EQ(deleted(), gone);
  wait(499);
  ASSERT_TRUE(writer_->retain());
  EXPECT_EQ(deleted(), gone);
  wait(1);
  ASSERT_TRUE(writer_->retain());
  EXPECT_EQ(deleted(), 0U);
  for (int i = 0; i < 20; ++i) put({{"a", std::string(1000, 'x')}});
  ASSERT_TRUE(writer_->flush());
  ASSERT_TRUE(writer_->retain());
  EXPECT_GT(deleted(), 0U);
  open(c);
  EXPECT_EQ(deleted(), 0U);   // an opening does not wait
}

/// Every committed record that was ever written, and what compaction may have made of it.
struct Expected {
  struct Record {
    std::int64_t offset = 0;
    std::string key;
    std::string value;
    std::size_t batch = 0;
  };
  std::vector<Record> records;
  std::map<std::size_t, std::int64_t> horizon;   ///< of batches with tombstones, set by the first run that kept one

  /// A run over everything below `to`.
  void compact(std::int64_t to, std::int64_t now_ms) {
    std::map<std::string, std::int64_t> last;
    for (const Record& r : records)
      if (r.offset < to) last[r.key] = r.offset;
    std::vector<Record> kept;
    std::map<std::size_t, std::int64_t> set;
    for (const Record& r : records) {
      if (r.offset < to && last[r.key] != r.offset) continue;
      if (r.offset < to && r.value == "-") {
        if (const auto h = horizon.find(r.batch); h != horizon.end() && now_ms >= h->second) continue;
        if (!horizon.contains(r.batch)) set[r.batch] = now_ms + kDeleteRetentionMs;
      }
      kept.push_back(r);
    }
    horizon.merge(set);
    records = std::move(kept);
  }
  std::vector<std::string> rows() const {
    std::vector<std::string> v;
    for (const Record& r : records) v.push_back(fmt::format("{}:{}={}", r.offset, r.key, r.value));
    return v;
  }
};

class CompactionLife : public CompactionTest {
 protected:
  void live(std::uint64_t seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    random_ = std::make_unique<env::SeededRandom>(seed);
    std::map<std::int64_t, std::vector<Expected::Record>> open_rows;
    std::map<std::int64_t, std::int32_t> sequence;
    auto follower = PartitionReader::open(sim_.files(), topic_, PartitionId(0)).value();
    std::map<std::string, std::string> followed;
    const auto follow = [&] {
      while (const FrameView* f = follower.next().value())
        for (std::size_t i = f->first(); i < f->count(); ++i) followed[std::string(f->key(i).value())] = f->value_is_null(i) ? "-" : std::string(f->value(i));
    };
    for (int step = 0; step < 120 && !HasFailure(); ++step) {
      const std::uint64_t what = random_->below(20);
      wait(static_cast<std::int64_t>(random_->below(1500)));
      if (what < 12) {
        const auto id = static_cast<std::int64_t>(random_->below(3));   // 0: no producer
        std::vector<Rec> records;
        std::vector<Expected::Record> expected;
        ++batch_;
        for (std::uint64_t n = 1 + random_->below(4); n > 0; --n) {
          Rec r{fmt::format("k{}", random_->below(12)), fmt::format("v{}", ++counter_) + std::string(random_->below(300), 'x')};
          if (random_->below(5) == 0) r.value.reset();
          expected.push_back({writer_->next_offset().value + static_cast<std::int64_t>(records.size()), *r.key, r.value.value_or("-"), batch_});
          records.push_back(r);
        }
        if (id == 0 && random_->below(3) == 0 && open_rows.empty()) {
          RecordBatch b;
          for (const Rec& r : records) b.add(r.timestamp_ms * kMillisecond, r.key, r.value);
          ASSERT_TRUE(writer_->append(b));
        } else {
          put(records, id == 0 ? Producer{} : Producer{.id = id, .epoch = 0, .sequence = sequence[id], .transactional = true}, static_cast<KafkaCompression>(random_->below(5)));
          if (id != 0) sequence[id] += static_cast<std::int32_t>(records.size());
        }
        auto& to = id == 0 ? expected_.records : open_rows[id];
        to.insert(to.end(), expected.begin(), expected.end());
      } else if (what < 16) {
        if (open_rows.empty()) continue;
        const auto it = std::next(open_rows.begin(), static_cast<std::ptrdiff_t>(random_->below(open_rows.size())));
        const bool commit = random_->below(2) == 0;
        end(it->first, commit);
        if (commit) expected_.records.insert(expected_.records.end(), it->second.begin(), it->second.end());
        open_rows.erase(it);
        std::ranges::sort(expected_.records, {}, &Expected::Record::offset);
      } else if (what < 19) {
        ASSERT_TRUE(writer_->roll());
        ASSERT_TRUE(writer_->flush());
        if (random_->below(2) == 0) follow();
        const std::int64_t now_ms = sim_.clock().now_us() / kMillisecond;
        const auto plan = writer_->plan_compaction().value();
        if (!plan) continue;
        const auto result = run_compaction(sim_.files(), *plan).value();
        ASSERT_TRUE(writer_->install_compaction(result));
        expected_.compact(plan->segments.back().end.value, now_ms);
        check(open_rows);
      } else {
        ASSERT_TRUE(writer_->flush());
        const ProducerStates before = writer_->producers();
        open(topic_.config);
        ASSERT_EQ(writer_->producers(), before);
        check(open_rows);
      }
    }
    while (!open_rows.empty()) {
      end(open_rows.begin()->first, false);
      open_rows.erase(open_rows.begin());
    }
    ASSERT_TRUE(writer_->flush());
    follow();
    // Who followed all the time knows the same as who reads now; a deletion may have passed it by when it slept longer than delete.retention.ms.
    std::map<std::string, std::string> now;
    for (const auto& r : expected_.records) now[r.key] = r.value;
    for (const auto& [key, value] : now) EXPECT_EQ(followed[key], value);
  }

  void check(const std::map<std::int64_t, std::vector<Expected::Record>>& open_rows) {
    std::int64_t stable = writer_->next_offset().value;
    for (const auto& [id, records] : open_rows) stable = std::min(stable, records.front().offset);
    ASSERT_EQ(writer_->committed_end().value, stable);
    std::vector<std::string> expected;
    for (const std::string& row : expected_.rows())
      if (std::stoll(row) < stable) expected.push_back(row);
    ASSERT_EQ(rows(), expected);
  }

  std::unique_ptr<env::SeededRandom> random_;
  Expected expected_;
  std::size_t batch_ = 0;
  int counter_ = 0;
};

TEST_F(CompactionLife, RandomLives) {
  for (std::uint64_t seed = 1; seed <= 20 && !HasFailure(); ++seed) {
    expected_ = {};
    writer_.reset();
    if (seed > 1) ASSERT_TRUE(delete_topic(sim_.env(), "log", "t"));
    open(compacted());
    live(seed);
  }
}

/// The nth file operation of a compaction fails, for every n; then the machine crashes, and forgets by the seed what was not synced.
TEST(CompactionCrash, NoRecordAndNoProducerIsLostAtAnyPoint) {
  struct Way {
    env::SimFault fault;
    std::uint64_t seed;
  };
  for (const auto& [fault, seed] : {Way{env::SimFault::kPowerOff, 1}, Way{env::SimFault::kPowerOff, 2}, Way{env::SimFault::kPowerOff, 3}, Way{env::SimFault::kPowerOff, 4}, Way{env::SimFault::kIo, 5}}) {
    for (std::uint64_t n = 1;; ++n) {
      env::SimEnv sim(n * 10 + seed);
      TopicConfig config = compacted();
      config.file_delete_delay_ms = n % 2 == 0 ? 0 : 1000;
      const Topic topic = create_topic(sim.env(), "log", "t", config).value();
      auto w = PartitionWriter::open(sim.env(), topic, PartitionId(0)).value();
      std::map<std::string, std::string> last;
      for (int i = 0; i < 18; ++i) {
        const std::string key = fmt::format("k{}", i % 7);
        const bool transactional = i % 3 == 0;
        const bool commit = i % 2 == 0;
        const Producer p = transactional ? Producer{.id = 1, .epoch = 0, .sequence = i / 3, .transactional = true} : Producer{};
        ASSERT_TRUE(w->append_kafka(make_batch({{key, fmt::format("v{}", i) + std::string(static_cast<std::size_t>(300 * (i % 4)), 'x')}}, p)));
        if (transactional) ASSERT_TRUE(w->end_transaction(1, 0, {.commit = commit}));
        if (i % 4 == 3) ASSERT_TRUE(w->roll());   // small segments: several become one
        if (!transactional || commit) last[key] = fmt::format("v{}", i);
      }
      ASSERT_TRUE(w->roll());
      ASSERT_TRUE(w->flush());
      const ProducerStates producers = w->producers();
      const Offset end = w->next_offset();
      sim.files().set_fault_hook(env::fail_nth(n, fault));
      const bool done = w->compact().has_value();
      sim.files().set_fault_hook(nullptr);
      const auto check = [&](const char* when) {
        std::map<std::string, std::string> seen;
        for (const Seen& s : read_rows(sim.files(), topic, Isolation::kReadCommitted)) seen[s.key] = s.value.substr(0, s.value.find('x'));
        EXPECT_EQ(seen, last) << when << ", operation " << n;
      };
      if (fault == env::SimFault::kIo) check("in the same life");   // without power there is nothing to read
      sim.files().crash();
      (void)read_rows(sim.files(), topic, Isolation::kReadCommitted);   // the mark may be an old one until the next opening; nothing is damage
      w.reset();
      auto reopened = PartitionWriter::open(sim.env(), topic, PartitionId(0));
      ASSERT_TRUE(reopened) << n << ": " << reopened.error().to_string();
      w = std::move(*reopened);
      EXPECT_EQ(w->next_offset(), end);
      EXPECT_EQ(w->producers(), producers) << n;
      check("afterwards");
      ASSERT_TRUE(w->compact()) << n;
      check("after another run");
      for (const std::string& name : sim.files().list("log/t/0").value()) EXPECT_FALSE(name.ends_with(".cleaned")) << name;
      EXPECT_FALSE(examine_partition(sim.files(), topic, PartitionId(0), Depth::kAll).value().damage);
      if (done || testing::Test::HasFailure()) break;
    }
  }
}

}  // namespace
}  // namespace supyo::log
