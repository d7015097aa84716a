#include "serve/broker/broker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/env/sim/sim_env.h"

namespace supyo::broker {
namespace {

/// Keeps what the broker says.
class Answers final : public Outbox {
 public:
  void send(std::uint64_t, std::uint64_t sequence, std::string bytes) override { by_sequence[sequence] = std::move(bytes); }
  void skip(std::uint64_t, std::uint64_t sequence) override { by_sequence[sequence] = ""; }
  void close(std::uint64_t) override { ++closed; }
  std::map<std::uint64_t, std::string> by_sequence;
  int closed = 0;
};

/// A broker on a simulated machine.
class Machine {
 public:
  explicit Machine(std::uint64_t seed = 1) : sim(seed) {}
  bool start(BrokerConfig config = {}) {
    auto opened = Broker::open(sim.env(), "data", config, {"127.0.0.1", 9092}, answers);
    if (!opened) error = opened.error();
    broker = opened ? std::move(*opened) : nullptr;
    return broker != nullptr;
  }
  template <class Request>
  std::uint64_t ask(Api api, std::int16_t version, Request request) {
    const bool flexible = version >= find_api(static_cast<std::int16_t>(api))->flexible;
    std::string bytes;
    Encoder e(bytes, version, flexible);
    e.field(static_cast<std::int16_t>(api));
    e.field(version);
    e.field(std::int32_t{77});
    Encoder(bytes, version, false).field(std::string_view("test"));
    e.tags();
    request.describe(e);
    broker->handle(1, ++sequence, "127.0.0.1", bytes);
    return sequence;
  }
  bool answered(std::uint64_t request) const { return answers.by_sequence.contains(request); }
  template <class Response>
  Response answer(std::uint64_t request, Api api, std::int16_t version) {
    Response response;
    const bool flexible = version >= find_api(static_cast<std::int16_t>(api))->flexible;
    const std::string& bytes = answers.by_sequence.at(request);
    Decoder d(std::string_view(bytes).substr(4), version, flexible);
    std::int32_t correlation = 0;
    d.field(correlation);
    EXPECT_EQ(correlation, 77);
    if (api != Api::kApiVersions) d.tags();
    response.describe(d);
    EXPECT_FALSE(d.failed());
    EXPECT_EQ(d.remaining(), 0U);
    return response;
  }
  template <class Response, class Request>
  std::optional<Response> call(Api api, std::int16_t version, Request request) {
    const std::uint64_t id = ask(api, version, std::move(request));
    const Status turned = broker->end_turn();
    if (!turned) error = turned.error();
    if (!answered(id)) return std::nullopt;
    return answer<Response>(id, api, version);
  }
  void create(const std::string& topic, std::int32_t partitions = 1) {
    CreateTopicsRequest r;
    r.topics.push_back({.name = topic, .partitions = partitions, .replication = 1, .assignments = {}, .configs = {}});
    const auto done = call<CreateTopicsResponse>(Api::kCreateTopics, 7, r);
    EXPECT_TRUE(done && done->topics[0].code == Code::kNone);
  }
  /// A batch of one record.
  static std::string batch(const std::string& value, std::int64_t producer = -1, std::int16_t epoch = -1, std::int32_t sequence = -1, bool transactional = false) {
    log::KafkaBatchHeader head;
    head.producer_id = producer;
    head.producer_epoch = epoch;
    head.base_sequence = sequence;
    head.base_timestamp_ms = 1'700'000'000'000;
    if (transactional) head.attributes |= log::KafkaBatchHeader::kTransactional;
    log::KafkaBatchBuilder builder;
    builder.begin(head);
    builder.add(0, head.base_timestamp_ms, std::nullopt, value);
    std::string out;
    EXPECT_TRUE(builder.finish(out));
    return out;
  }
  static ProduceRequest produce(const std::string& topic, const std::string& records, std::optional<std::string> transaction = {}) {
    ProduceRequest r;
    r.transactional_id = std::move(transaction);
    r.acks = -1;
    r.topics.push_back({topic, {{0, records}}});
    return r;
  }
  Code send(const std::string& topic, const std::string& records, std::optional<std::string> transaction = {}) {
    const auto done = call<ProduceResponse>(Api::kProduce, 9, produce(topic, records, std::move(transaction)));
    return done ? done->topics[0].partitions[0].code : Code::kRequestTimedOut;
  }
  static FetchRequest fetch(const std::string& topic, std::int64_t offset, std::int8_t isolation = 0, std::int32_t wait_ms = 0) {
    FetchRequest r;
    r.max_wait_ms = wait_ms;
    r.min_bytes = 1;
    r.isolation = isolation;
    r.topics.push_back({topic, {{.offset = offset, .max_bytes = 1 << 20}}});
    return r;
  }
  /// The values that a client would hand to its application.
  std::vector<std::string> values(const std::string& topic, std::int8_t isolation = 1) {
    std::vector<std::string> out;
    const auto got = call<FetchResponse>(Api::kFetch, 12, fetch(topic, 0, isolation));
    if (!got) return out;
    const FetchResponse::Partition& p = got->topics[0].partitions[0];
    std::set<std::int64_t> aborted;
    std::string_view left = p.records;
    log::KafkaBatchHeader head;
    std::string scratch;
    for (; !left.empty() && log::check_kafka_batch(left, head) == log::KafkaBatchProblem::kNone; left.remove_prefix(head.bytes())) {
      if (p.aborted)
        for (const auto& a : *p.aborted)
          if (a.producer == head.producer_id && a.first_offset <= head.base_offset) aborted.insert(a.producer);
      if (head.control()) {
        if (const auto marker = log::parse_kafka_marker(left, head); marker && !marker->commit) aborted.erase(head.producer_id);
        continue;
      }
      if (head.transactional() && aborted.contains(head.producer_id)) continue;
      auto records = log::KafkaRecords::open(left, head, scratch);
      log::KafkaRecord record;
      while (records && records->next(record).value_or(false)) out.emplace_back(record.value.value_or(""));
    }
    EXPECT_TRUE(left.empty());
    return out;
  }
  std::pair<std::int64_t, std::int64_t> stable_and_high(const std::string& topic) {
    const auto got = call<FetchResponse>(Api::kFetch, 12, fetch(topic, 0));
    return {got->topics[0].partitions[0].last_stable, got->topics[0].partitions[0].high_watermark};
  }
  InitProducerIdResponse init(const std::string& id) {
    InitProducerIdRequest r;
    r.transactional_id = id;
    r.timeout_ms = 60'000;
    return call<InitProducerIdResponse>(Api::kInitProducerId, 4, r).value_or(InitProducerIdResponse{.code = Code::kRequestTimedOut});
  }
  Code add(const std::string& id, const InitProducerIdResponse& p, const std::string& topic) {
    AddPartitionsToTxnRequest r{.transactional_id = id, .producer = p.producer, .epoch = p.epoch, .topics = {{topic, {0}}}};
    const auto done = call<AddPartitionsToTxnResponse>(Api::kAddPartitionsToTxn, 3, r);
    return done ? done->topics[0].partitions[0].code : Code::kRequestTimedOut;
  }
  Code end(const std::string& id, const InitProducerIdResponse& p, bool commit) {
    const auto done = call<CodeResponse>(Api::kEndTxn, 3, EndTxnRequest{.transactional_id = id, .producer = p.producer, .epoch = p.epoch, .committed = commit});
    return done ? done->code : Code::kRequestTimedOut;
  }

  env::SimEnv sim;
  Answers answers;
  std::unique_ptr<Broker> broker;
  Error error;
  std::uint64_t sequence = 0;
};

TEST(Broker, AnswersAfterTheSyncAndOnlyThen) {
  Machine m;
  ASSERT_TRUE(m.start());
  m.create("t");
  m.send("t", Machine::batch("0"));   // the partition is open
  const std::string first = Machine::batch("a"), second = Machine::batch("b");
  const std::uint64_t syncs = m.sim.files().syncs();
  const std::uint64_t one = m.ask(Api::kProduce, 9, Machine::produce("t", first));
  const std::uint64_t two = m.ask(Api::kProduce, 9, Machine::produce("t", second));
  EXPECT_FALSE(m.answered(one));
  EXPECT_EQ(m.sim.files().syncs(), syncs);
  ASSERT_TRUE(m.broker->end_turn());
  EXPECT_TRUE(m.answered(one) && m.answered(two));
  EXPECT_EQ(m.sim.files().syncs(), syncs + 1);   // both with one
  EXPECT_EQ(m.answer<ProduceResponse>(two, Api::kProduce, 9).topics[0].partitions[0].base_offset, 2);
  m.broker.reset();
  m.sim.files().crash();
  ASSERT_TRUE(m.start()) << m.error.to_string();
  EXPECT_THAT(m.values("t"), testing::ElementsAre("0", "a", "b"));
}

TEST(Broker, ATopicIsMadeWhenAClientAsksForIt) {
  for (const bool enabled : {true, false}) {
    Machine m;
    BrokerConfig config;
    EXPECT_EQ(config.auto_create_topics, 1);   // Kafka's default
    config.auto_create_topics = enabled ? 1 : 0;
    config.partitions = 3;
    ASSERT_TRUE(m.start(config));
    const auto ask = [&](const std::string& name, bool allow) {
      MetadataRequest r;
      r.topics.emplace().push_back({.id = {}, .name = name});
      r.allow_auto_create = allow;
      return m.call<MetadataResponse>(Api::kMetadata, 9, r)->topics.at(0);
    };
    EXPECT_EQ(ask("t", false).code, Code::kUnknownTopicOrPartition);
    const auto made = ask("t", true);
    EXPECT_EQ(made.code, enabled ? Code::kNone : Code::kUnknownTopicOrPartition);
    EXPECT_EQ(made.partitions.size(), enabled ? 3U : 0U);
    EXPECT_EQ(ask("t", false).code, made.code);
    EXPECT_EQ(ask("__t", true).code, Code::kInvalidTopic);
  }
}

TEST(Broker, AFailedSyncAcknowledgesNothingAndIsFinal) {
  Machine m;
  ASSERT_TRUE(m.start());
  m.create("t");
  m.send("t", Machine::batch("before"));
  const std::string records = Machine::batch("a");
  const std::uint64_t id = m.ask(Api::kProduce, 9, Machine::produce("t", records));
  m.sim.files().set_fault_hook([](const env::FileOperation& o) { return o.kind == env::FileOperationKind::kSync ? std::optional(env::SimFault::kIo) : std::nullopt; });
  EXPECT_FALSE(m.broker->end_turn());
  EXPECT_FALSE(m.answered(id));
}

TEST(Broker, AFetchWaitsForRecordsOrForItsTime) {
  Machine m;
  ASSERT_TRUE(m.start());
  m.create("t");
  const std::uint64_t waiting = m.ask(Api::kFetch, 12, Machine::fetch("t", 0, 0, 500));
  ASSERT_TRUE(m.broker->end_turn());
  EXPECT_FALSE(m.answered(waiting));
  m.send("t", Machine::batch("a"));
  EXPECT_TRUE(m.answered(waiting));
  const std::uint64_t again = m.ask(Api::kFetch, 12, Machine::fetch("t", 1, 0, 500));
  m.sim.clock().advance_to(m.sim.clock().now_us() + 499 * kMillisecond);
  ASSERT_TRUE(m.broker->end_turn());
  EXPECT_FALSE(m.answered(again));
  EXPECT_EQ(m.broker->next_deadline(), m.sim.clock().monotonic_us() + kMillisecond);
  m.sim.clock().advance_to(m.broker->next_deadline());
  ASSERT_TRUE(m.broker->end_turn());
  EXPECT_TRUE(m.answered(again));
  const auto beyond = m.call<FetchResponse>(Api::kFetch, 12, Machine::fetch("t", 5));
  EXPECT_EQ(beyond->topics[0].partitions[0].code, Code::kOffsetOutOfRange);
}

TEST(Broker, TellsItsVersionsToEverybody) {
  Machine m;
  ASSERT_TRUE(m.start());
  std::string bytes;
  Encoder e(bytes, 0, false);
  e.field(std::int16_t{18});
  e.field(std::int16_t{99});   // a client from the future
  e.field(std::int32_t{77});
  bytes += "whatever it says there";
  m.broker->handle(1, ++m.sequence, "127.0.0.1", bytes);
  const auto answer = m.answer<ApiVersionsResponse>(m.sequence, Api::kApiVersions, 0);
  EXPECT_EQ(answer.code, Code::kUnsupportedVersion);
  EXPECT_EQ(answer.apis.size(), supported_apis().size());
}

TEST(Broker, IdempotentProducersAreTakenOnce) {
  Machine m;
  ASSERT_TRUE(m.start());
  m.create("t");
  InitProducerIdRequest r;
  const auto p = m.call<InitProducerIdResponse>(Api::kInitProducerId, 4, r);
  EXPECT_EQ(m.send("t", Machine::batch("a", p->producer, 0, 0)), Code::kNone);
  EXPECT_EQ(m.send("t", Machine::batch("a", p->producer, 0, 0)), Code::kNone);
  EXPECT_EQ(m.send("t", Machine::batch("c", p->producer, 0, 2)), Code::kOutOfOrderSequence);
  EXPECT_EQ(m.send("t", "no batch"), Code::kCorruptMessage);
  EXPECT_THAT(m.values("t"), testing::ElementsAre("a"));
  const auto q = m.call<InitProducerIdResponse>(Api::kInitProducerId, 4, r);
  EXPECT_NE(q->producer, p->producer);
}

TEST(Broker, TransactionsCommitAbortAndFence) {
  Machine m;
  ASSERT_TRUE(m.start());
  m.create("t");
  const auto p = m.init("x");
  EXPECT_EQ(m.send("t", Machine::batch("outside", p.producer, p.epoch, 0, true), "x"), Code::kInvalidTxnState);   // would hang for ever
  EXPECT_EQ(m.add("x", p, "t"), Code::kNone);
  EXPECT_EQ(m.send("t", Machine::batch("a", p.producer, p.epoch, 0, true), "x"), Code::kNone);
  EXPECT_THAT(m.values("t"), testing::IsEmpty());
  EXPECT_EQ(m.end("x", p, true), Code::kNone);
  EXPECT_EQ(m.end("x", p, true), Code::kNone);   // asked again
  EXPECT_EQ(m.end("x", p, false), Code::kInvalidTxnState);
  EXPECT_THAT(m.values("t"), testing::ElementsAre("a"));
  EXPECT_EQ(m.add("x", p, "t"), Code::kNone);
  EXPECT_EQ(m.send("t", Machine::batch("b", p.producer, p.epoch, 1, true), "x"), Code::kNone);
  EXPECT_EQ(m.init("x").code, Code::kConcurrentTransactions);   // the open one is being aborted
  const auto q = m.init("x");
  EXPECT_EQ(q.code, Code::kNone);
  EXPECT_EQ(q.producer, p.producer);
  EXPECT_GT(q.epoch, p.epoch);
  EXPECT_EQ(m.end("x", p, true), Code::kProducerFenced);
  EXPECT_EQ(m.send("t", Machine::batch("c", p.producer, p.epoch, 2, true), "x"), Code::kInvalidProducerEpoch);
  EXPECT_THAT(m.values("t"), testing::ElementsAre("a"));
  const auto [stable, high] = m.stable_and_high("t");
  EXPECT_EQ(stable, high);
}

TEST(Broker, TransactionsThatTakeTooLongAreAborted) {
  Machine m;
  ASSERT_TRUE(m.start());
  m.create("t");
  const auto p = m.init("x");
  m.add("x", p, "t");
  m.send("t", Machine::batch("a", p.producer, p.epoch, 0, true), "x");
  m.broker.reset();
  m.sim.files().crash();   // an open transaction outlives the broker; its time too
  ASSERT_TRUE(m.start());
  m.sim.clock().advance_to(m.sim.clock().now_us() + 71 * kSecond);
  ASSERT_TRUE(m.broker->end_turn());
  const auto [stable, high] = m.stable_and_high("t");
  EXPECT_EQ(stable, high);
  EXPECT_THAT(m.values("t"), testing::IsEmpty());
  EXPECT_EQ(m.end("x", p, true), Code::kProducerFenced);
}

/// A transaction with records and offsets, the power failing before each of its file operations in turn. Afterwards: answered means done, nothing is half done,
/// nothing hangs.
TEST(Broker, PowerLossAnywhereInATransaction) {
  bool completed = false;
  int committed = 0, lost = 0;
  for (std::uint64_t n = 1; !completed; ++n) {
    ASSERT_LT(n, 400U);
    Machine m(n);
    ASSERT_TRUE(m.start());
    m.create("t");
    const auto p = m.init("x");
    m.sim.files().set_fault_hook(env::fail_nth(n, env::SimFault::kPowerOff));
    bool acknowledged = m.add("x", p, "t") == Code::kNone && m.send("t", Machine::batch("a", p.producer, p.epoch, 0, true), "x") == Code::kNone;
    if (acknowledged) {
      acknowledged = m.call<CodeResponse>(Api::kAddOffsetsToTxn, 3, AddOffsetsToTxnRequest{.transactional_id = "x", .producer = p.producer, .epoch = p.epoch, .group = "g"}).has_value();
      TxnOffsetCommitRequest offsets{.transactional_id = "x", .group = "g", .producer = p.producer, .epoch = p.epoch, .member = "", .instance = std::nullopt, .topics = {}};
      offsets.topics.push_back({"t", {{.index = 0, .offset = 41, .metadata = std::nullopt}}});
      acknowledged = acknowledged && m.call<TxnOffsetCommitResponse>(Api::kTxnOffsetCommit, 3, offsets).has_value();
      acknowledged = acknowledged && m.end("x", p, true) == Code::kNone;
    }
    completed = acknowledged && m.error.message.empty();
    m.broker.reset();
    m.sim.files().set_fault_hook(nullptr);
    m.sim.files().crash();
    ASSERT_TRUE(m.start()) << n << " " << m.error.to_string();
    m.sim.clock().advance_to(m.sim.clock().now_us() + 71 * kSecond);
    ASSERT_TRUE(m.broker->end_turn());
    const auto [stable, high] = m.stable_and_high("t");
    ASSERT_EQ(stable, high) << n;
    const bool visible = m.values("t") == std::vector<std::string>{"a"};
    const log::GroupOffsets offsets = log::read_group(m.sim.files(), "data", "g").value();
    ASSERT_EQ(visible, !offsets.empty()) << n;
    if (acknowledged) ASSERT_TRUE(visible) << n;
    ++(visible ? committed : lost);
  }
  EXPECT_GT(committed, 1);   // decided before the power failed, completed after
  EXPECT_GT(lost, 1);
}

TEST(Broker, TransactionsSurviveAKillToo) {
  Machine m;
  ASSERT_TRUE(m.start());
  m.create("t");
  const auto p = m.init("x");
  m.add("x", p, "t");
  m.send("t", Machine::batch("a", p.producer, p.epoch, 0, true), "x");
  m.sim.files().kill_process();
  m.broker.reset();
  ASSERT_TRUE(m.start()) << m.error.to_string();
  EXPECT_EQ(m.send("t", Machine::batch("b", p.producer, p.epoch, 1, true), "x"), Code::kNone);   // it goes on
  EXPECT_EQ(m.end("x", p, true), Code::kNone);
  EXPECT_THAT(m.values("t"), testing::ElementsAre("a", "b"));
}

TEST(Broker, CompactionKeepsTheLastOfEachKey) {
  Machine m;
  BrokerConfig config;
  config.topic.cleanup_compact = true;
  config.topic.cleanup_delete = false;
  config.topic.segment_ms = 1;
  config.topic.min_cleanable_dirty_ratio = 0;
  config.first_task_ms = 1000;
  config.cleaner_backoff_ms = 1000;
  ASSERT_TRUE(m.start(config));
  m.create("t");
  log::KafkaBatchBuilder builder;
  std::vector<std::string> batches;
  for (int i = 0; i < 20; ++i) {
    log::KafkaBatchHeader head;
    head.base_timestamp_ms = 1'700'000'000'000 + i * 1000;   // a segment each
    builder.begin(head);
    builder.add(0, head.base_timestamp_ms, "k" + std::to_string(i % 2), std::to_string(i));
    ASSERT_TRUE(builder.finish(batches.emplace_back()));
    ASSERT_EQ(m.send("t", batches.back()), Code::kNone);
  }
  for (int i = 0; i < 5; ++i) {
    m.sim.clock().advance_to(m.sim.clock().now_us() + 2 * kSecond);
    ASSERT_TRUE(m.broker->end_turn());
  }
  const std::vector<std::string> left = m.values("t");
  EXPECT_LE(left.size(), 3U);   // the active segment is never compacted
  EXPECT_EQ(left.back(), "19");
}

TEST(Broker, CountsWhatComesAndGoesByTopicAndRequest) {
  Machine m;
  ASSERT_TRUE(m.start());
  m.create("t");
  ASSERT_EQ(m.send("t", Machine::batch("one")), Code::kNone);
  ASSERT_EQ(m.send("t", Machine::batch("two")), Code::kNone);
  ASSERT_EQ(m.values("t").size(), 2U);
  std::string text = m.broker->metrics().text();
  for (const char* line : {"supyo_broker_records_in_total{topic=\"t\"} 2\n", "supyo_broker_records_out_total{topic=\"t\"} 2\n", "supyo_broker_request_seconds_count{api=\"Produce\"} 2\n",
                           "supyo_broker_request_seconds_count{api=\"CreateTopics\"} 1\n", "supyo_broker_refused_requests_total 0\n"})
    EXPECT_THAT(text, testing::HasSubstr(line));
  BrokerMetrics many;
  for (int i = 0; i < 10'000; ++i) many.produced("t" + std::to_string(i), 1, 10);   // a client that makes up names
  EXPECT_THAT(many.text(), testing::HasSubstr("supyo_broker_records_in_total{topic=\"other\"} 9500\n"));
}

TEST(Broker, OneABroker) {
  Machine m;
  ASSERT_TRUE(m.start());
  Answers others;
  EXPECT_EQ(Broker::open(m.sim.env(), "data", {}, {}, others).error().code, ErrorCode::kStateLocked);
}

TEST(Broker, AnyBytesGetAnAnswerOrAClosedConnection) {
  Machine m;
  BrokerConfig config;
  config.group_delay_ms = 0;
  ASSERT_TRUE(m.start(config));
  m.create("t");
  env::SeededRandom random(20'26);
  std::uint64_t answered = 0;
  for (int i = 0; i < 20'000; ++i) {
    const ApiVersions& api = supported_apis()[random.below(supported_apis().size())];
    std::string bytes;
    Encoder e(bytes, 0, false);
    e.field(static_cast<std::int16_t>(api.api));
    e.field(static_cast<std::int16_t>(random.below(static_cast<std::uint64_t>(api.newest) + 2)));
    e.field(std::int32_t{1});
    e.field(std::int16_t{-1});
    const std::size_t length = random.below(60);
    for (std::size_t j = 0; j < length; ++j) {
      // Mostly small numbers: lengths and counts that nearly fit get further than noise.
      const std::uint64_t kind = random.below(4);
      bytes += kind == 0 ? 't' : static_cast<char>(kind == 1 ? random.below(256) : random.below(4));
    }
    const int closed = m.answers.closed;
    m.broker->handle(1, ++m.sequence, "127.0.0.1", bytes);
    ASSERT_TRUE(m.broker->end_turn());
    answered += m.answered(m.sequence) ? 1 : 0;
    if (!m.answered(m.sequence) && m.answers.closed == closed) m.broker->disconnected(1);   // it waits for something
    m.answers.by_sequence.clear();
  }
  EXPECT_GT(answered, 500U);   // it was not all refused at the door
}

}  // namespace
}  // namespace supyo::broker
