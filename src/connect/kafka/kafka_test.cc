#include "connect/kafka/kafka.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "connect/kafka/client.h"
#include "connect/kafka/epoch_sender.h"
#include "connect/stream/stream_options.h"
#include "core/env/real/real_env.h"
#include "data/types/value.h"

// Against the brokers that librdkafka carries for tests: the protocol is real, what they do with it is simple (transactions take nothing back).
// What a real broker does with kills, transactions and retention: tests/kafka/run.py.
namespace supyo::connect {
namespace {

using dataflow::CommitHandle;
using dataflow::CommitOutcome;
using dataflow::Progress;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::int16_t kEndTxn = 26;

struct Collected : dataflow::SourceOutput {
  Status emit(dataflow::SourceBatch b) override {
    for (std::size_t row = 0; row < b.batch->rows; ++row) {
      std::string text;
      for (const auto& c : b.batch->columns) text += (text.empty() ? "" : "|") + value_at(*c, row).to_string();
      if (b.batch->kind(row) != RowKind::kInsert) text = fmt::format("{} {}", row_kind_text(b.batch->kind(row)), text);
      rows.push_back(text);
      positions.push_back(b.position_of(row));
    }
    return ok();
  }
  Status dead(dataflow::DeadRecord r) override {
    dead_records.push_back(r.position + ": " + r.reason);
    return ok();
  }
  void quiet(std::uint32_t) override { ++quiet_calls; }
  std::vector<std::string> rows, positions, dead_records;
  int quiet_calls = 0;
};

class KafkaTest : public testing::Test {
 protected:
  void SetUp() override {
    char why[256];
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof why));
    cluster_ = rd_kafka_mock_cluster_new(handle_.get(), 1);
    producer_ = client();
  }
  void TearDown() override {
    producer_.reset();
    rd_kafka_mock_cluster_destroy(cluster_);
  }

  kafka::Owned<rd_kafka_t> client() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char why[256];
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster_), why, sizeof why);
    return kafka::Owned<rd_kafka_t>(rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why));
  }
  void create(const std::string& topic, int partitions) { ASSERT_EQ(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1), RD_KAFKA_RESP_ERR_NO_ERROR); }
  void put(const std::string& topic, std::int32_t partition, std::optional<std::string_view> value, std::optional<std::string_view> key = std::nullopt, std::int64_t timestamp_ms = 5000) {
    const kafka::Owned<rd_kafka_topic_t> t(rd_kafka_topic_new(producer_.get(), topic.c_str(), nullptr));
    ASSERT_EQ(kafka::produce(producer_.get(), t.get(), {.partition = partition, .key = key, .value = value, .timestamp_ms = timestamp_ms}), RD_KAFKA_RESP_ERR_NO_ERROR);
    ASSERT_EQ(rd_kafka_flush(producer_.get(), 10'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  catalog::TableDefinition table(const std::string& topic, catalog::Options more = {}) {
    catalog::TableDefinition t;
    t.path = {"default_catalog", "default_database", "events"};
    t.columns = {{.name = "id", .type = Type::big_int(), .expression_sql = {}, .metadata_key = {}, .comment = {}},
                 {.name = "name", .type = Type::string(), .expression_sql = {}, .metadata_key = {}, .comment = {}},
                 {.kind = catalog::ColumnDefinition::Kind::kMetadata, .name = "ts", .type = Type::timestamp_ltz(3), .expression_sql = {}, .metadata_key = "timestamp", .comment = {}}};
    t.options = {{"connector", "kafka"}, {"topic", topic}, {"properties.bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster_)}, {"format", "json"}, {"scan.startup.mode", "earliest-offset"}};
    for (auto& [k, v] : more) t.options[k] = v;
    return t;
  }
  static catalog::Options bounded() { return {{"scan.bounded.mode", "latest-offset"}}; }

  Result<std::unique_ptr<dataflow::SourceReader>> reader(const catalog::TableDefinition& t, std::vector<std::size_t> columns, const std::vector<dataflow::SplitPosition>& from = {}) {
    SUPYO_ASSIGN(source_, make_kafka_source({.table = t, .columns = std::move(columns), .base_directory = {}}, real_.env()));
    SUPYO_ASSIGN(auto splits, source_->splits());
    for (auto& s : splits)
      for (const auto& p : from)
        if (p.split_id == s.id) s.position = p.position;
    return source_->open(splits, real_.env());
  }
  /// Polls until the reader is done, or `enough` says so.
  Status drain(dataflow::SourceReader& r, Collected& out, const std::function<bool()>& enough = [] { return false; }) {
    while (!enough()) {
      SUPYO_ASSIGN(const auto p, r.poll(100, out));
      if (p.progress == Progress::kDone) return ok();
      if (p.progress != Progress::kMore) real_.env().threads->idle(kMillisecond);
    }
    return ok();
  }
  std::vector<std::string> all_of(const std::string& topic) {
    Collected out;
    auto r = reader(table(topic, bounded()), {0});
    EXPECT_TRUE(r) << (r ? "" : r.error().to_string());
    if (r) EXPECT_TRUE(drain(**r, out));
    return out.rows;
  }

  // Sink side.
  struct Job {
    std::shared_ptr<dataflow::Sink> sink;
    std::unique_ptr<dataflow::SinkCommitter> committer;
    std::unique_ptr<dataflow::SinkWriter> writer;
  };
  Result<Job> job(const catalog::TableDefinition& t, Epoch last_final = {}) {
    Job j;
    SUPYO_ASSIGN(j.sink, make_kafka_sink({.table = t, .schema = t.persisted_schema(), .base_directory = {}}, real_.env()));
    const dataflow::SinkOpen open{.env = real_.env(), .faults = faults_, .job = {"job-1", "events"}, .shards = 1, .last_final = last_final};
    SUPYO_ASSIGN(j.committer, j.sink->open_committer(open));
    SUPYO_ASSIGN(j.writer, j.sink->open_writer(open, 0));
    return j;
  }
  BatchPtr rows(const catalog::TableDefinition& t, std::int64_t from, std::int64_t count) {
    BatchBuilder b(t.persisted_schema());
    for (std::int64_t i = from; i < from + count; ++i) {
      b.column(0).append_integer(i);
      b.column(1).append_text("n" + std::to_string(i));
      b.column(2).append_integer(i * kSecond);
      b.end_row();
    }
    return b.finish();
  }
  Result<CommitHandle> prepare(Job& j, Epoch e) {
    SUPYO_TRY(j.writer->begin_prepare(e));
    while (true) {
      SUPYO_ASSIGN(auto p, j.writer->poll_prepare(e));
      if (p.done) return p.handle;
      real_.env().threads->idle(kMillisecond);
    }
  }
  Result<CommitOutcome> commit(Job& j, Epoch e, const CommitHandle& handle) {
    while (true) {
      SUPYO_ASSIGN(auto p, j.committer->poll_commit(e, {handle}));
      if (p.outcome != CommitOutcome::kPending) return p.outcome;
      real_.env().threads->idle(kMillisecond);
    }
  }

  /// What a broker would have noted of a committed epoch: the mock takes offsets in transactions, but does not keep them.
  void broker_notes(const std::string& topic, Epoch e) {
    kafka::Listener listener("test");
    const ClientProperties none;
    auto c = kafka::make_client({.producer = false, .table = "test", .servers = rd_kafka_mock_cluster_bootstraps(cluster_), .properties = none, .fixed = {{"group.id", "supyo-epochs-job-1-events"}}, .listener = &listener});
    ASSERT_TRUE(c);
    const kafka::PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_t* p = rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), 0);
    p->offset = static_cast<std::int64_t>(e.value);
    p->metadata = rd_kafka_mem_malloc(nullptr, 5);
    std::copy_n("job-1", 5, static_cast<char*>(p->metadata));
    p->metadata_size = 5;
    ASSERT_EQ(rd_kafka_commit(c->get(), list.get(), 0), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  env::RealEnv real_;
  FaultPoints faults_;
  kafka::Owned<rd_kafka_t> handle_, producer_;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  std::shared_ptr<dataflow::Source> source_;
};

TEST_F(KafkaTest, ReadsToTheEndAndGoesOnFromAPosition) {
  create("t", 2);
  for (int i = 0; i < 20; ++i) put("t", i % 2, fmt::format(R"({{"id":{},"name":"n{}"}})", i, i));
  Collected all;
  auto r = reader(table("t", bounded()), {1, 0, 2});
  ASSERT_TRUE(r) << r.error().to_string();
  ASSERT_TRUE(drain(**r, all));
  ASSERT_EQ(all.rows.size(), 20U);
  EXPECT_EQ(std::ranges::count(all.rows, "n7|7|1970-01-01 00:00:05.000Z") + std::ranges::count(all.rows, "n7|7|1970-01-01 00:00:05.000"), 1);
  EXPECT_EQ(std::ranges::count(all.positions, "t/1@9"), 1);

  Collected first;
  auto half = reader(table("t"), {0});
  ASSERT_TRUE(half);
  while (first.rows.size() < 5) {
    const auto p = (*half)->poll(5, first);
    ASSERT_TRUE(p) << p.error().to_string();
    if (p->progress != Progress::kMore) real_.env().threads->idle(kMillisecond);
  }
  Collected rest;
  auto again = reader(table("t"), {0}, (*half)->positions());
  ASSERT_TRUE(again);
  ASSERT_TRUE(drain(**again, rest, [&] { return first.rows.size() + rest.rows.size() >= 20; }));
  std::vector<std::string> both = first.rows;
  both.insert(both.end(), rest.rows.begin(), rest.rows.end());
  std::ranges::sort(both, {}, [](const std::string& s) { return std::stoi(s); });
  std::vector<std::string> want;
  for (int i = 0; i < 20; ++i) want.push_back(std::to_string(i));
  EXPECT_EQ(both, want);
  Collected none;
  ASSERT_TRUE(drain(**again, none, [&] { return none.quiet_calls > 0; }));   // the end is told, so that freshness counts
  EXPECT_THAT(none.rows, IsEmpty());
}

TEST_F(KafkaTest, BadRecordsAndTombstonesAreDeadNotSilent) {
  create("t", 1);
  put("t", 0, R"({"id":1})");
  put("t", 0, "{oops");
  put("t", 0, std::nullopt, "key");
  put("t", 0, R"({"id":2})");
  Collected out;
  auto r = reader(table("t", bounded()), {0});
  ASSERT_TRUE(r);
  ASSERT_TRUE(drain(**r, out));
  EXPECT_THAT(out.rows, ElementsAre("1", "2"));
  EXPECT_THAT(out.positions, ElementsAre("t/0@0", "t/0@3"));
  ASSERT_EQ(out.dead_records.size(), 2U);
  EXPECT_THAT(out.dead_records, testing::UnorderedElementsAre(HasSubstr("t/0@1"), HasSubstr("t/0@2: the record has no value")));
}

TEST_F(KafkaTest, ColumnsOfTheKey) {
  create("t", 1);
  put("t", 0, R"({"id":1})", R"({"name":"a"})");
  put("t", 0, R"({"id":2})", "not json");
  put("t", 0, "not json", R"({"name":"c"})");
  put("t", 0, R"({"id":4})", R"({"name":"d"})");
  catalog::Options o = bounded();
  o["key.fields"] = "name";
  o["key.format"] = "json";
  o["value.fields-include"] = "EXCEPT_KEY";
  Collected out;
  auto r = reader(table("t", o), {0, 1});
  ASSERT_TRUE(r) << r.error().to_string();
  ASSERT_TRUE(drain(**r, out));
  EXPECT_THAT(out.rows, ElementsAre("1|a", "4|d"));
  EXPECT_EQ(out.dead_records.size(), 2U);
}

TEST_F(KafkaTest, AnUpsertTopicGivesUpdatesAndDeletesInOrder) {
  create("t", 1);
  put("t", 0, R"({"id":1,"name":"a"})", R"({"id":1})");
  put("t", 0, std::nullopt, R"({"id":1})");
  put("t", 0, R"({"id":1,"name":"b"})", R"({"id":1})");
  put("t", 0, R"({"id":2,"name":"c"})");                       // no key
  put("t", 0, "not json", R"({"id":3})");
  put("t", 0, std::nullopt, "not json");
  put("t", 0, std::nullopt, R"({"id":9})");
  for (const std::string include : {"ALL", "EXCEPT_KEY"}) {
    auto t = table("t", bounded());
    t.options["connector"] = "upsert-kafka";
    t.options["key.format"] = "json";
    t.options["value.fields-include"] = include;
    t.options.erase("scan.startup.mode");
    t.primary_key = {"id"};
    auto source = make_upsert_kafka_source({.table = t, .columns = {0, 1, 2}, .base_directory = {}}, real_.env());
    ASSERT_TRUE(source) << source.error().to_string();
    auto r = (*source)->open((*source)->splits().value(), real_.env());
    ASSERT_TRUE(r) << r.error().to_string();
    Collected out;
    ASSERT_TRUE(drain(**r, out));
    const std::string at = "1970-01-01 00:00:05.000";
    EXPECT_THAT(out.rows, ElementsAre(HasSubstr("+U 1|a|" + at), HasSubstr("-D 1|NULL|" + at), HasSubstr("+U 1|b|"), HasSubstr("-D 9|NULL|"))) << include;
    EXPECT_THAT(out.positions, ElementsAre("t/0@0", "t/0@1", "t/0@2", "t/0@6"));
    EXPECT_THAT(out.dead_records, ElementsAre(HasSubstr("t/0@3: the record has no key"), HasSubstr("t/0@4"), HasSubstr("t/0@5")));
  }
}

TEST_F(KafkaTest, NoTopicAndNoGroupAreErrors) {
  create("t", 1);
  if (rd_kafka_version() >= 0x020c0000) {   // the mock brokers of older ones create topics, whatever the client says
    const auto no_topic = reader(table("nowhere"), {0});
    ASSERT_FALSE(no_topic);
    EXPECT_EQ(no_topic.error().code, ErrorCode::kUnknownTable);
  }
  const auto no_group = reader(table("t", {{"scan.startup.mode", "group-offsets"}}), {0});
  ASSERT_FALSE(no_group);
  EXPECT_EQ(no_group.error().code, ErrorCode::kMissingOption);
  const auto no_offset = reader(table("t", {{"scan.startup.mode", "group-offsets"}, {"properties.group.id", "g"}}), {0});
  ASSERT_FALSE(no_offset);
  EXPECT_EQ(no_offset.error().code, ErrorCode::kOffsetOutOfRange);
  const auto bad = reader(table("t", {{"properties.fetch.min.bytes", "many"}}), {0});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kBadOptionValue);
}

TEST_F(KafkaTest, NothingDangerousIsAllowed) {
  for (const ClientProperty& p : client_property_list())
    for (const std::string_view word : {"location", "path", "cmd", "plugin", "verification", "identification", "oauth", "callback", "jaas", "keystore", "truststore"})
      if (p.name != "sasl.jaas.config") EXPECT_THAT(std::string(p.name), Not(HasSubstr(std::string(word))));   // read here, and never given to a client: StreamTest.LoginsAreTakenFromJaas
  EXPECT_EQ(std::ranges::find(client_property_list(), "sasl.jaas.config", &ClientProperty::name)->client, "");
  // Every declared property is one that the client knows.
  for (const ClientProperty& p : client_property_list()) {
    if (p.client.empty()) continue;
    std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(), rd_kafka_conf_destroy);
    char why[256];
    EXPECT_NE(rd_kafka_conf_set(conf.get(), std::string(p.client).c_str(), "1", why, sizeof why), RD_KAFKA_CONF_UNKNOWN) << p.client;
  }
}

TEST_F(KafkaTest, AnEpochIsCommittedOnceWhoeverAsksHowOften) {
  create("out", 1);
  const auto t = table("out");
  CommitHandle first;
  {
    auto j = job(t);
    ASSERT_TRUE(j) << j.error().to_string();
    ASSERT_TRUE(j->writer->write(rows(t, 0, 3), Epoch(1)));
    const auto h = prepare(*j, Epoch(1));
    ASSERT_TRUE(h) << h.error().to_string();
    first = *h;
    EXPECT_THAT(all_of("out"), IsEmpty());   // nothing leaves before the epoch is final
    const auto done = commit(*j, Epoch(1), first);
    ASSERT_TRUE(done) << done.error().to_string();
    EXPECT_EQ(*done, CommitOutcome::kVisibleNow);
    EXPECT_THAT(all_of("out"), ElementsAre("0", "1", "2"));
  }
  // The process died before it learned that: the same handle again.
  broker_notes("out", Epoch(1));
  auto again = job(t, Epoch(1));
  ASSERT_TRUE(again);
  const auto looked = commit(*again, Epoch(1), first);
  ASSERT_TRUE(looked) << looked.error().to_string();
  EXPECT_EQ(*looked, CommitOutcome::kWasVisible);
  EXPECT_THAT(all_of("out"), ElementsAre("0", "1", "2"));
  ASSERT_TRUE(again->committer->abandon_after(Epoch(1)));
  ASSERT_TRUE(again->writer->write(rows(t, 3, 2), Epoch(2)));
  const auto second = prepare(*again, Epoch(2));
  ASSERT_TRUE(second);
  EXPECT_EQ(commit(*again, Epoch(2), *second).value(), CommitOutcome::kVisibleNow);
  EXPECT_THAT(all_of("out"), ElementsAre("0", "1", "2", "3", "4"));
}

TEST_F(KafkaTest, AnEpochThatWasNotSentIsSentAfterACrash) {
  create("out", 1);
  const auto t = table("out");
  CommitHandle staged;
  {
    auto j = job(t);
    ASSERT_TRUE(j);
    ASSERT_TRUE(j->writer->write(rows(t, 0, 3), Epoch(1)));
    staged = prepare(*j, Epoch(1)).value();
  }
  broker_notes("out", Epoch(0));
  auto again = job(t, Epoch(1));
  ASSERT_TRUE(again);
  EXPECT_EQ(commit(*again, Epoch(1), staged).value(), CommitOutcome::kVisibleNow);
  EXPECT_THAT(all_of("out"), ElementsAre("0", "1", "2"));
}

TEST_F(KafkaTest, ForgottenNumberIsNotTakenForAnAbsentEpoch) {
  create("out", 1);
  const auto t = table("out");
  CommitHandle staged;
  kafka::StagedRecords::begin(staged, 0);
  auto j = job(t, Epoch(7));   // a job of 7 epochs whose number the brokers do not have
  ASSERT_TRUE(j);
  const auto unknown = commit(*j, Epoch(7), staged);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kOutsideUnknown);
  EXPECT_THAT(all_of("out"), IsEmpty());
}

TEST_F(KafkaTest, AnOlderCopyOfTheStateIsRefused) {
  create("out", 1);
  broker_notes("out", Epoch(9));
  auto j = job(table("out"), Epoch(5));
  ASSERT_TRUE(j);
  const auto h = prepare(*j, Epoch(6));
  ASSERT_FALSE(h);
  EXPECT_EQ(h.error().code, ErrorCode::kStateOfOtherJob);
}

TEST_F(KafkaTest, AFailedCommitIsLookedUpBeforeAnythingIsSentAgain) {
  for (const bool was_committed : {true, false}) {
    const std::string topic = was_committed ? "was-committed" : "was-not";
    create(topic, 1);
    const auto t = table(topic);
    auto j = job(t);
    ASSERT_TRUE(j);
    ASSERT_TRUE(j->writer->write(rows(t, 0, 1), Epoch(1)));
    const auto h = prepare(*j, Epoch(1));
    ASSERT_TRUE(h);
    broker_notes(topic, Epoch(was_committed ? 1 : 0));
    rd_kafka_mock_push_request_errors(cluster_, kEndTxn, 1, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);   // fatal to the producer: what became of it?
    const auto done = commit(*j, Epoch(1), *h);
    ASSERT_TRUE(done) << done.error().to_string();
    // A real broker takes the first attempt back where it had not committed it; the mock does not, so that the second one can be counted.
    EXPECT_EQ(all_of(topic).size(), was_committed ? 1U : 2U);
  }
}

TEST_F(KafkaTest, AtLeastOnceIsDeliveredBeforeTheEpochIsFinal) {
  create("out", 1);
  const auto t = table("out", {{"sink.delivery-guarantee", "at-least-once"}});
  auto j = job(t);
  ASSERT_TRUE(j) << j.error().to_string();
  EXPECT_EQ(j->sink->guarantee(), DeliveryGuarantee::kAtLeastOnce);
  ASSERT_TRUE(j->writer->write(rows(t, 0, 100), Epoch(1)));
  const auto h = prepare(*j, Epoch(1));
  ASSERT_TRUE(h) << h.error().to_string();
  EXPECT_THAT(*h, Not(IsEmpty()));
  EXPECT_EQ(all_of("out").size(), 100U);
}

TEST_F(KafkaTest, UpsertsAreKeyedAndDeletesAreTombstones) {
  create("out", 1);
  auto t = table("out", {{"connector", "upsert-kafka"}, {"key.format", "json"}});
  t.primary_key = {"id"};
  Job j;
  auto sink = make_upsert_kafka_sink({.table = t, .schema = t.persisted_schema(), .mode = ChangelogMode::kUpsert, .base_directory = {}}, real_.env());
  ASSERT_TRUE(sink) << sink.error().to_string();
  const dataflow::SinkOpen open{.env = real_.env(), .faults = faults_, .job = {"job-1", "events"}, .shards = 1, .last_final = {}};
  j.sink = *sink;
  j.committer = j.sink->open_committer(open).value();
  j.writer = j.sink->open_writer(open, 0).value();
  BatchBuilder b(t.persisted_schema());
  const auto add = [&](RowKind kind, std::int64_t id) {
    b.column(0).append_integer(id);
    b.column(1).append_text("n");
    b.column(2).append_integer(0);
    b.end_row(kind);
  };
  add(RowKind::kInsert, 1);
  add(RowKind::kUpdateBefore, 1);
  add(RowKind::kUpdateAfter, 1);
  add(RowKind::kDelete, 1);
  add(RowKind::kInsert, 2);
  add(RowKind::kUpdateBefore, 2);   // what replaced it was filtered away
  ASSERT_TRUE(j.writer->write(b.finish(), Epoch(1)));
  ASSERT_TRUE(commit(j, Epoch(1), prepare(j, Epoch(1)).value()));
  Collected out;
  auto r = reader(table("out", bounded()), {0});
  ASSERT_TRUE(r);
  ASSERT_TRUE(drain(**r, out));
  EXPECT_THAT(out.rows, ElementsAre("1", "1", "2"));
  EXPECT_THAT(out.dead_records, ElementsAre(HasSubstr("out/0@2: the record has no value"), HasSubstr("out/0@4: the record has no value")));
}

TEST_F(KafkaTest, PinnedSettingsAreKnownToTheClient) {
  kafka::Listener listener("t");
  const ClientProperties none;
  for (const bool producer : {false, true}) {
    const auto made = kafka::make_client({.producer = producer, .table = "t", .servers = rd_kafka_mock_cluster_bootstraps(cluster_), .properties = none, .fixed = {{"group.id", "g"}}, .listener = &listener});
    EXPECT_TRUE(made) << made.error().to_string();
  }
  EXPECT_THAT(kafka_client_version(), HasSubstr("librdkafka 2."));
}

}  // namespace
}  // namespace supyo::connect
