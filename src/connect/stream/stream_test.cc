#include "connect/stream/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "connect/stream/stream_options.h"
#include "connect/stream/stream_test_util.h"
#include "core/env/sim/sim_env.h"
#include "data/formats/columnar.h"
#include "data/log/groups.h"
#include "data/log/kafka_reader.h"
#include "data/log/partition_reader.h"
#include "data/log/partition_writer.h"
#include "data/types/value.h"

namespace supyo::connect {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

TEST_F(StreamTest, ReadsValuesMetadataAndPositions) {
  put(PartitionId(0), {R"({"id":1,"name":"a"})", "nonsense", R"({"id":2,"name":"b"})"});
  put(PartitionId(0), {R"({"id":3,"name":"c"})"}, 7'001'500);
  Collected out;
  auto r = reader(table(), {2, 1, 0});
  EXPECT_EQ(drain(*r, out), Progress::kBlockedOnInput);
  EXPECT_THAT(out.rows, ElementsAre("a|1970-01-01 00:00:05.000|1", "b|1970-01-01 00:00:05.000|2", "c|1970-01-01 00:00:07.001|3"));
  EXPECT_THAT(out.positions, ElementsAre("t/0@0", "t/0@2", "t/0@3"));
  EXPECT_THAT(out.produce, ElementsAre(5 * kSecond, 5 * kSecond, 7'001'500));
  EXPECT_THAT(out.dead_records, ElementsAre("t/0@1: "));
  EXPECT_THAT(out.quiet_splits, testing::Contains(0U));
}

TEST_F(StreamTest, GoesOnFromItsPositionWhateverTheBatchSize) {
  std::vector<std::string> values;
  for (int i = 0; i < 20; ++i) values.push_back(fmt::format(R"({{"id":{},"name":"x"}})", i));
  put(PartitionId(0), values, 0, 2);
  put(PartitionId(1), values, 0, 2);
  Collected all;
  drain(*reader(table(), {0}), all, 7);
  ASSERT_EQ(all.rows.size(), 40U);
  for (std::size_t polls = 0; polls < 8; ++polls) {
    Collected out;
    auto first = reader(table(), {0});
    for (std::size_t i = 0; i < polls; ++i) ASSERT_TRUE(first->poll(7, out));
    const auto positions = first->positions();
    first.reset();
    drain(*reader(table(), {0}, positions), out, 3);
    EXPECT_THAT(out.rows, testing::UnorderedElementsAreArray(all.rows)) << polls;
  }
}

TEST_F(StreamTest, StartupAndBoundedModes) {
  put(PartitionId(0), {R"({"id":1})", R"({"id":2})"}, 1 * kSecond);
  put(PartitionId(0), {R"({"id":3})", R"({"id":4})"}, 2 * kSecond);
  const auto read = [&](catalog::Options options) {
    Collected out;
    auto r = reader(table(std::move(options)), {0});
    drain(*r, out);
    return out.rows;
  };
  EXPECT_THAT(read({}), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(read({{"scan.startup.mode", "latest-offset"}}), IsEmpty());
  EXPECT_THAT(read({{"scan.startup.mode", "timestamp"}, {"scan.startup.timestamp-millis", "1500"}}), ElementsAre("3", "4"));
  EXPECT_THAT(read({{"scan.startup.mode", "specific-offsets"}, {"scan.startup.specific-offsets", "partition:0,offset:3"}}), ElementsAre("4"));
  EXPECT_THAT(read({{"scan.bounded.mode", "timestamp"}, {"scan.bounded.timestamp-millis", "2000"}}), ElementsAre("1", "2"));
  EXPECT_THAT(read({{"scan.bounded.mode", "specific-offsets"}, {"scan.bounded.specific-offsets", "partition:0,offset:3"}}), ElementsAre("1", "2", "3"));
  ASSERT_TRUE(log::commit_group(sim_.files(), "data/log", "g", {{{"t", PartitionId(0)}, Offset(1)}}));
  EXPECT_THAT(read({{"properties.group.id", "g"}}), ElementsAre("2", "3", "4"));
  EXPECT_THAT(read({{"properties.group.id", "new"}, {"properties.auto.offset.reset", "latest"}}), IsEmpty());
}

TEST_F(StreamTest, ABoundedReadStopsWhereTheLogEndedWhenItStarted) {
  put(PartitionId(0), {R"({"id":1})", R"({"id":2})"});
  Collected out;
  auto r = reader(table({{"scan.bounded.mode", "latest-offset"}}), {0});
  ASSERT_TRUE(r->poll(1, out));
  const auto positions = r->positions();
  put(PartitionId(0), {R"({"id":3})"});
  EXPECT_EQ(drain(*r, out), Progress::kDone);
  EXPECT_THAT(out.rows, ElementsAre("1", "2"));
  Collected again;
  EXPECT_EQ(drain(*reader(table({{"scan.bounded.mode", "latest-offset"}}), {0}, positions), again), Progress::kDone);
  EXPECT_THAT(again.rows, ElementsAre("2"));
}

/// A Kafka batch with gaps, as compaction leaves them: `values` at the given offsets from the batch's base on.
std::string kafka_batch(const std::vector<std::pair<std::int32_t, std::string>>& values, std::int32_t sequence = -1) {
  log::KafkaBatchBuilder b;
  const bool transactional = sequence >= 0;
  b.begin({.attributes = static_cast<std::int16_t>(transactional ? log::KafkaBatchHeader::kTransactional : 0), .base_timestamp_ms = 5000, .max_timestamp_ms = 5000,
           .producer_id = transactional ? 1 : -1, .producer_epoch = static_cast<std::int16_t>(transactional ? 0 : -1), .base_sequence = sequence});
  for (const auto& [delta, value] : values) b.add(delta, 5000, "k", value);
  std::string out;
  EXPECT_TRUE(b.finish(out));
  return out;
}

TEST_F(StreamTest, ReadsWhatKafkaClientsWrote) {
  put(PartitionId(0), {R"({"id":0})"});
  {
    const auto topic = log::open_topic(sim_.files(), "data/log", "t").value();
    auto w = log::PartitionWriter::open(sim_.env(), topic, PartitionId(0)).value();
    ASSERT_TRUE(w->append_kafka(kafka_batch({{0, R"({"id":1})"}, {1, R"({"id":2})"}})));
    ASSERT_TRUE(w->append_kafka(kafka_batch({{0, R"({"id":100})"}, {1, R"({"id":101})"}}, 0)));
    ASSERT_TRUE(w->end_transaction(1, 0, {.commit = false}));
    ASSERT_TRUE(w->append_kafka(kafka_batch({{0, R"({"id":3})"}}, 2)));
    ASSERT_TRUE(w->end_transaction(1, 0, {.commit = true}));
    ASSERT_TRUE(w->append_kafka(kafka_batch({{0, R"({"id":102})"}}, 3)));
    ASSERT_TRUE(w->end_transaction(1, 0, {.commit = false}));
    ASSERT_TRUE(w->flush());
  }
  const auto bounded = table({{"scan.bounded.mode", "latest-offset"}});
  for (const std::size_t budget : {1U, 2U, 100U}) {
    Collected out;
    auto r = reader(bounded, {2, 0});
    EXPECT_EQ(drain(*r, out, budget), Progress::kDone);   // the log ends with an aborted transaction: no row says so
    EXPECT_THAT(out.rows, ElementsAre("NULL|0", "NULL|1", "NULL|2", "NULL|3"));
    EXPECT_THAT(out.positions, ElementsAre("t/0@0", "t/0@1", "t/0@2", "t/0@6"));
    EXPECT_EQ(r->lags()[0].fetched, 0U);
  }
  for (std::size_t polls = 0; polls < 6; ++polls) {   // stopped anywhere, and on from there
    Collected out;
    auto first = reader(bounded, {0});
    for (std::size_t i = 0; i < polls; ++i) ASSERT_TRUE(first->poll(1, out));
    const auto positions = first->positions();
    first.reset();
    EXPECT_EQ(drain(*reader(bounded, {0}, positions), out, 1), Progress::kDone);
    EXPECT_THAT(out.rows, ElementsAre("0", "1", "2", "3")) << polls;
  }
  Collected dirty;
  drain(*reader(table({{"properties.isolation.level", "read_uncommitted"}}), {0}), dirty);
  EXPECT_THAT(dirty.rows, ElementsAre("0", "1", "2", "100", "101", "3", "102"));
}

TEST_F(StreamTest, LagsAreCountedFromWhatWasReadAndWhatWasAcknowledged) {
  put(PartitionId(0), {R"({"id":1})", R"({"id":2})", R"({"id":3})"});
  Collected out;
  auto r = reader(table({{"properties.group.id", "g"}}), {0});
  ASSERT_TRUE(r->poll(2, out));
  ASSERT_EQ(r->lags().size(), 1U);
  EXPECT_EQ(r->lags()[0].committed, 3U);
  EXPECT_EQ(r->lags()[0].fetched, 1U);
  ASSERT_TRUE(r->committed(Epoch(1), r->positions()));
  EXPECT_EQ(r->lags()[0].committed, 1U);
  EXPECT_EQ(log::read_group(sim_.files(), "data/log", "g").value().at({"t", PartitionId(0)}), Offset(2));
}

TEST_F(StreamTest, TheOffsetsOfTheLastEpochBeforeASilenceAreCommitted) {
  put(PartitionId(0), {R"({"id":1})", R"({"id":2})", R"({"id":3})"});
  Collected out;
  auto r = reader(table({{"properties.group.id", "g"}}), {0});
  const auto committed = [&] { return log::read_group(sim_.files(), "data/log", "g").value().at({"t", PartitionId(0)}); };
  for (const std::int64_t epoch : {1, 2}) {
    ASSERT_TRUE(r->poll(1, out));
    ASSERT_TRUE(r->committed(Epoch(epoch), r->positions()));
    EXPECT_EQ(committed(), Offset(1)) << "at most once a second";
  }
  drain(*r, out);
  EXPECT_EQ(committed(), Offset(1));
  sim_.clock().advance_to(sim_.clock().now_us() + kSecond);
  drain(*r, out);
  EXPECT_EQ(committed(), Offset(2)) << "nothing comes, so no epoch will";
  ASSERT_TRUE(r->committed(Epoch(3), r->positions()));
  EXPECT_EQ(committed(), Offset(2));
  r.reset();
  EXPECT_EQ(committed(), Offset(3)) << "a job that ends leaves nothing behind";
}

TEST_F(StreamTest, OptionsAreChecked) {
  const auto code = [&](catalog::Options o, std::vector<std::size_t> columns = {0}) {
    auto made = make_stream_source({.table = table(std::move(o)), .columns = std::move(columns), .base_directory = ""}, sim_.env());
    if (!made) return made.error().code;
    auto splits = (*made)->splits();
    return splits ? ErrorCode::kInternal : splits.error().code;
  };
  EXPECT_EQ(code({{"properties.bootstrap.servers", "embedded:"}}), ErrorCode::kBadOptionValue);
  EXPECT_EQ(code({{"scan.startup.mode", "timestamp"}}), ErrorCode::kMissingOption);
  EXPECT_EQ(code({{"scan.startup.mode", "specific-offsets"}, {"scan.startup.specific-offsets", "0:4"}}), ErrorCode::kBadOptionValue);
  EXPECT_EQ(code({}), ErrorCode::kUnknownTable);   // no such topic, when the job starts
  auto wrong = table();
  wrong.columns[1].type = Type::string();
  EXPECT_EQ(make_stream_source({.table = wrong, .columns = {1}, .base_directory = ""}, sim_.env()).error().code, ErrorCode::kTypeMismatch);
  wrong.columns[1].metadata_key = "time";
  EXPECT_THAT(make_stream_source({.table = wrong, .columns = {1}, .base_directory = ""}, sim_.env()).error().hint, HasSubstr("timestamp"));
}

/// Records, and rows in columns: what the log holds makes no difference to epochs.
class StreamFormats : public StreamTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { format_ = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Of, StreamFormats, testing::Values("json", "columnar"), [](const auto& info) { return std::string(info.param); });

TEST_P(StreamFormats, EpochsAreVisibleOnceCommitted) {
  auto j = job(table(), "job-a").value();
  ASSERT_TRUE(j.writers[0]->write(rows(table(), 1, 2), Epoch(1)));
  const auto handles = prepare(j, Epoch(1));
  ASSERT_TRUE(j.writers[0]->write(rows(table(), 3, 1), Epoch(2)));
  EXPECT_THAT(visible(), IsEmpty());
  EXPECT_EQ(j.committer->poll_commit(Epoch(1), handles)->outcome, CommitOutcome::kVisibleNow);
  EXPECT_THAT(visible(), ElementsAre("1", "2"));
  EXPECT_EQ(j.committer->poll_commit(Epoch(1), handles)->outcome, CommitOutcome::kWasVisible);
  const auto second = prepare(j, Epoch(2));
  EXPECT_EQ(j.committer->poll_commit(Epoch(2), second)->outcome, CommitOutcome::kVisibleNow);
  EXPECT_THAT(visible(), ElementsAre("1", "2", "3"));
  Collected out;
  drain(*reader(table(), {1}), out);
  EXPECT_THAT(out.rows, ElementsAre("1970-01-01 00:00:01.000", "1970-01-01 00:00:02.000", "1970-01-01 00:00:03.000"));
}

TEST_P(StreamFormats, RowsThatComeBetweenTheCutAndItsPreparationBelongToTheNextEpoch) {
  auto j = job(table(), "job-a").value();
  ASSERT_TRUE(j.writers[0]->write(rows(table(), 1, 2), Epoch(1)));
  ASSERT_TRUE(j.writers[0]->begin_prepare(Epoch(1)));
  ASSERT_TRUE(j.writers[0]->write(rows(table(), 100, 4000), Epoch(2)));   // more than a frame: a single shard appends at once
  ASSERT_TRUE(j.writers[0]->write(rows(table(), 5000, 4000), Epoch(2)));
  const auto prepared = j.writers[0]->poll_prepare(Epoch(1)).value();
  ASSERT_TRUE(j.committer->poll_commit(Epoch(1), {prepared.handle}));
  EXPECT_THAT(visible(), ElementsAre("1", "2"));
}

TEST_P(StreamFormats, AtLeastOnceIsThereAtOnceAndAgainAfterAFailure) {
  const auto t = table({{"sink.delivery-guarantee", "at-least-once"}});
  auto j = job(t, "job-a").value();
  EXPECT_EQ(j.sink->guarantee(), DeliveryGuarantee::kAtLeastOnce);
  ASSERT_TRUE(j.writers[0]->write(rows(t, 1, 2), Epoch(1)));
  EXPECT_THAT(visible(), ElementsAre("1", "2"));   // before any epoch
  EXPECT_TRUE(prepare(j, Epoch(1)).empty());
  ASSERT_TRUE(j.committer->poll_commit(Epoch(1), {}));
  ASSERT_TRUE(j.writers[0]->write(rows(t, 3, 1), Epoch(2)));
  j = {};
  j = job(t, "job-a", 1, Epoch(1)).value();
  ASSERT_TRUE(j.committer->abandon_after(Epoch(1)));
  ASSERT_TRUE(j.writers[0]->write(rows(t, 3, 2), Epoch(2)));
  EXPECT_THAT(visible(), ElementsAre("1", "2", "3", "3", "4"));
}

TEST_P(StreamFormats, ACrashAnywhereInAnEpochKeepsItOnce) {
  // Epoch 1 is final in the journal in every round; what of epoch 2 was written must go, whatever the disk kept.
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    env::SimEnv sim(seed);
    const auto run = [&](Epoch last, const std::vector<CommitHandle>& handles, bool fresh) -> std::vector<CommitHandle> {
      const auto t = table();
      auto sink = make_stream_sink({.table = t, .schema = t.persisted_schema(), .base_directory = "data"}, sim.env()).value();
      const dataflow::SinkOpen open{.env = sim.env(), .faults = faults_, .job = {"job-a", "t"}, .shards = 2, .last_final = last};
      auto committer = sink->open_committer(open);
      EXPECT_TRUE(committer) << committer.error().to_string();
      auto w0 = sink->open_writer(open, 0).value();
      auto w1 = sink->open_writer(open, 1).value();
      if (!fresh) {
        const auto committed = (*committer)->poll_commit(last, handles);
        EXPECT_TRUE(committed) << committed.error().to_string();
        EXPECT_TRUE((*committer)->abandon_after(last));
      }
      const Epoch e(last.value + 1);
      EXPECT_TRUE(w0->write(rows(t, 10 * e.value, 2), e));
      EXPECT_TRUE(w1->write(rows(t, 10 * e.value + 2, 2), e));
      EXPECT_TRUE(w0->begin_prepare(e));
      EXPECT_TRUE(w0->write(rows(t, 10 * e.value + 10, 1), Epoch(e.value + 1)));   // shard 0 is past the barrier already
      EXPECT_TRUE(w1->begin_prepare(e));
      auto h0 = w0->poll_prepare(e).value();
      if (!fresh && seed % 3 == 0) return {};
      auto h1 = w1->poll_prepare(e).value();
      if (seed % 2 == 0 && !fresh) EXPECT_TRUE((*committer)->poll_commit(e, {h0.handle, h1.handle}));
      return {h0.handle, h1.handle};
    };
    const auto first = run(Epoch(0), {}, true);
    if (seed % 5 == 0) sim.files().kill_process();
    else sim.files().crash();
    const auto second = run(Epoch(1), first, false);
    sim.files().crash();
    if (second.empty()) run(Epoch(1), first, false);
    else run(Epoch(2), second, false);
    sim.files().crash();
    const std::string seen = ids(sim);
    std::string expected = "10 11 12 13 ";
    if (!second.empty() || seen.size() > 12) expected += "20 21 22 23 ";
    if (seen.size() > 24) expected += "30 31 32 33 ";
    EXPECT_EQ(seen, expected) << seed;
  }
}

/// One attempt of a job that writes epochs 1 to 3 from two shards; `final_epoch` and `handles` stand for its journal.
struct Attempts {
  env::SimEnv sim;
  FaultPoints faults;
  catalog::TableDefinition table;
  Epoch final_epoch{0};
  std::vector<CommitHandle> handles;

  Status run(const std::function<BatchPtr(std::int64_t, std::int64_t)>& rows) {
    SUPYO_ASSIGN(auto sink, make_stream_sink({.table = table, .schema = table.persisted_schema(), .base_directory = "data"}, sim.env()));
    const dataflow::SinkOpen open{.env = sim.env(), .faults = faults, .job = {"job-a", "t"}, .shards = 2, .last_final = final_epoch};
    SUPYO_ASSIGN(auto committer, sink->open_committer(open));
    if (final_epoch.value > 0) SUPYO_TRY(committer->poll_commit(final_epoch, handles));
    SUPYO_TRY(committer->abandon_after(final_epoch));
    std::vector<std::unique_ptr<dataflow::SinkWriter>> writers;
    for (std::uint32_t s = 0; s < 2; ++s) {
      SUPYO_ASSIGN(auto w, sink->open_writer(open, s));
      writers.push_back(std::move(w));
    }
    for (Epoch e(final_epoch.value + 1); e.value <= 3; ++e.value) {
      std::vector<CommitHandle> prepared;
      for (std::size_t s = 0; s < 2; ++s) SUPYO_TRY(writers[s]->write(rows(10 * e.value + 2 * static_cast<std::int64_t>(s), 2), e));
      for (auto& w : writers) SUPYO_TRY(w->begin_prepare(e));
      for (auto& w : writers) {
        SUPYO_ASSIGN(auto p, w->poll_prepare(e));
        prepared.push_back(std::move(p.handle));
      }
      final_epoch = e;
      handles = prepared;
      SUPYO_TRY(committer->poll_commit(e, handles));
    }
    return ok();
  }
};

TEST_P(StreamFormats, EveryFailingFileOperationLeavesEveryRowOnce) {
  for (const env::SimFault fault : {env::SimFault::kIo, env::SimFault::kDiskFull, env::SimFault::kPowerOff}) {
    for (const bool power_loss : {false, true}) {
      bool failed = true;
      for (std::uint64_t n = 1; failed; ++n) {
        Attempts job{.sim = env::SimEnv(n), .faults = {}, .table = table(), .final_epoch = Epoch(0), .handles = {}};
        const auto make_rows = [&](std::int64_t from, std::int64_t count) { return rows(job.table, from, count); };
        job.sim.files().set_fault_hook(env::fail_nth(n, fault));
        failed = !job.run(make_rows);
        job.sim.files().set_fault_hook(nullptr);
        if (power_loss || fault == env::SimFault::kPowerOff) job.sim.files().crash();
        else job.sim.files().kill_process();
        const Status second = job.run(make_rows);
        ASSERT_TRUE(second) << "operation " << n << ": " << second.error().to_string();
        ASSERT_EQ(ids(job.sim), "10 11 12 13 20 21 22 23 30 31 32 33 ") << "operation " << n;
      }
    }
  }
}

TEST_F(StreamTest, AnotherJobsPreparedEpochIsRefused) {
  {
    auto a = job(table(), "job-a").value();
    ASSERT_TRUE(a.writers[0]->write(rows(table(), 1, 2), Epoch(1)));
    prepare(a, Epoch(1));
    const auto locked = job(table(), "job-b");
    EXPECT_EQ(locked.error().code, ErrorCode::kStateLocked);
  }
  const auto refused = job(table(), "job-b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kSinkOfOtherJob);
  EXPECT_FALSE(refused.error().hint.empty());
}

TEST_F(StreamTest, EqualKeysShareAPartition) {
  auto t = table({{"sink.partitions", "4"}, {"key.fields", "name"}, {"key.format", "raw"}});
  auto j = job(t, "job-a", 2).value();
  for (std::int64_t i = 0; i < 50; ++i)
    for (auto& w : j.writers) ASSERT_TRUE(w->write(rows(t, i % 10, 1), Epoch(1)));
  ASSERT_TRUE(j.committer->poll_commit(Epoch(1), prepare(j, Epoch(1))));
  const auto topic = log::open_topic(sim_.files(), "data/log", "t").value();
  std::map<std::string, std::set<int>> where;
  std::size_t total = 0;
  for (int p = 0; p < 4; ++p) {
    auto r = log::PartitionReader::open(sim_.files(), topic, PartitionId(p)).value();
    while (const auto* f = r.next().value())
      for (std::size_t i = 0; i < f->count(); ++i, ++total) where[std::string(f->key(i).value())].insert(p);
  }
  EXPECT_EQ(total, 100U);
  EXPECT_EQ(where.size(), 10U);
  for (const auto& [key, partitions] : where) EXPECT_EQ(partitions.size(), 1U) << key;
}

TEST_F(StreamTest, AFaultPointDelaysTheCommitWithoutBlocking) {
  faults_.arm([](std::string_view point, TimeUs) { return point == "stream.commit.before" ? FaultDecision{.delay_us = 2 * kSecond} : FaultDecision{}; });
  auto j = job(table(), "job-a").value();
  ASSERT_TRUE(j.writers[0]->write(rows(table(), 1, 2), Epoch(1)));
  const auto handles = prepare(j, Epoch(1));
  const TimeUs start = sim_.clock().now_us();
  const auto waiting = j.committer->poll_commit(Epoch(1), handles).value();
  EXPECT_EQ(waiting.outcome, CommitOutcome::kPending);
  EXPECT_EQ(waiting.poll.until_us, start + 2 * kSecond);
  sim_.clock().advance_to(start + 2 * kSecond);
  EXPECT_EQ(j.committer->poll_commit(Epoch(1), handles)->outcome, CommitOutcome::kVisibleNow);
}

TEST_F(StreamTest, LoginsAreTakenFromJaas) {
  const auto properties = [&](catalog::Options o) { return stream_source_config({.table = table(std::move(o)), .columns = {0}, .base_directory = "data"}); };
  const auto login = [&](const std::string& jaas) {
    const auto c = properties({{"properties.sasl.jaas.config", jaas}});
    if (!c) return std::string(c.error().message);
    EXPECT_FALSE(c->properties.contains("sasl.jaas.config"));
    return c->properties.at("sasl.username") + " / " + c->properties.at("sasl.password");
  };
  EXPECT_EQ(login(R"(org.apache.kafka.common.security.plain.PlainLoginModule required username="ann" password="a b\"c;=";)"), "ann / a b\"c;=");
  EXPECT_EQ(login("org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram.ScramLoginModule required\n  username='ann'\n  password = secret ;"), "ann / secret");
  EXPECT_THAT(login("com.sun.security.auth.module.JndiLoginModule required username=\"a\" password=\"b\";"), HasSubstr("JndiLoginModule"));
  EXPECT_THAT(login("org.apache.kafka.common.security.plain.PlainLoginModule required username=\"a\" password=\"hush\""), AllOf(HasSubstr("';'"), Not(HasSubstr("hush"))));
  EXPECT_THAT(login("org.apache.kafka.common.security.plain.PlainLoginModule required username=\"a\" password=\"hush;"), HasSubstr("';'"));
  EXPECT_THAT(login("org.apache.kafka.common.security.plain.PlainLoginModule required password=\"b\";"), HasSubstr("user name"));
  EXPECT_THAT(login("org.apache.kafka.common.security.plain.PlainLoginModule required username=\"a\" password=\"b\" tokenauth=\"true\";"), HasSubstr("tokenauth"));
  EXPECT_THAT(login(""), HasSubstr("login module ''"));
  EXPECT_EQ(properties({{"properties.sasl.jaas.config", "x"}, {"properties.sasl.username", "ann"}}).error().code, ErrorCode::kBadOptionValue);
}

TEST_F(StreamTest, WhatOnlyBrokersHaveIsRefused) {
  put(PartitionId(0), {R"({"id":1})"});
  const auto refused = [&](const catalog::Options& more) {
    const auto made = make_stream_source({.table = table(more), .columns = {0}, .base_directory = "data"}, sim_.env());
    return made ? ErrorCode::kInternal : made.error().code;
  };
  EXPECT_EQ(refused({{"topic", "t;u"}}), ErrorCode::kUnsupported);
  EXPECT_EQ(refused({{"topic", ""}, {"topic-pattern", "t.*"}}), ErrorCode::kUnsupported);
  EXPECT_EQ(refused({{"topic", ""}}), ErrorCode::kMissingOption);
  EXPECT_EQ(refused({{"topic-pattern", "t.*"}}), ErrorCode::kMissingOption);   // one of the two
  EXPECT_EQ(refused({{"key.fields", "name"}, {"value.fields-include", "EXCEPT_KEY"}}), ErrorCode::kInternal) << "keys are read here, too: no error";
  EXPECT_EQ(refused({{"key.fields", "nobody"}}), ErrorCode::kUnknownColumn);
  // Formats by part: the value's options begin with 'value.' then.
  catalog::TableDefinition t = table({{"value.format", "json"}, {"value.json.ignore-parse-errors", "true"}});
  t.options.erase("format");
  const auto config = stream_source_config({.table = t, .columns = {0}, .base_directory = "data"});
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->format.name, "json");
  EXPECT_EQ(config->format.options.size(), 1U);
}

}  // namespace
}  // namespace supyo::connect
