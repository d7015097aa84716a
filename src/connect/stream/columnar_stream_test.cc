// Rows in columns through the embedded log: source and sink.
#include "connect/stream/stream_test_util.h"
#include "data/log/kafka_reader.h"
#include "data/log/segment.h"

namespace supyo::connect {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ColumnarStream : public StreamTest {
 protected:
  ColumnarStream() { format_ = "columnar"; }
  /// Three epochs: rows 1 to 3, 4 and 5, 6.
  void fill() {
    auto j = job(table(), "job-a").value();
    std::int64_t next = 1;
    for (std::int64_t e = 1; e <= 3; ++e) {
      ASSERT_TRUE(j.writers[0]->write(rows(table(), next, 4 - e), Epoch(e)));
      next += 4 - e;
      ASSERT_TRUE(j.committer->poll_commit(Epoch(e), prepare(j, Epoch(e))));
    }
  }
  /// The table with another first column, or with one more.
  catalog::TableDefinition with_column(std::size_t at, const std::string& name, Type type) {
    auto t = table();
    if (at == t.columns.size()) t.columns.push_back(t.columns[0]);
    t.columns[at].name = name;
    t.columns[at].type = type;
    return t;
  }
};

TEST_F(ColumnarStream, ReadsColumnsMetadataAndPositionsWhateverTheBatchSize) {
  fill();
  for (const std::size_t budget : {1U, 2U, 100U}) {
    Collected out;
    drain(*reader(table(), {2, 1, 0}), out, budget);
    EXPECT_THAT(out.rows, ElementsAre("n1|1970-01-01 00:00:01.000|1", "n2|1970-01-01 00:00:02.000|2", "n3|1970-01-01 00:00:03.000|3", "n4|1970-01-01 00:00:04.000|4",
                                      "n5|1970-01-01 00:00:05.000|5", "n6|1970-01-01 00:00:06.000|6"));
    EXPECT_THAT(out.positions, ElementsAre("t/0@0", "t/0@1", "t/0@2", "t/0@3", "t/0@4", "t/0@5"));
    EXPECT_EQ(out.produce[4], 5 * kSecond);
  }
  Collected none;   // a query may read no column at all
  drain(*reader(table(), {}), none);
  EXPECT_EQ(none.rows.size(), 6U);
}

TEST_F(ColumnarStream, GoesOnFromAnyPositionAndStopsAtAny) {
  fill();
  for (std::size_t polls = 0; polls < 7; ++polls) {
    Collected out;
    auto first = reader(table(), {0});
    for (std::size_t i = 0; i < polls; ++i) ASSERT_TRUE(first->poll(1, out));
    const auto positions = first->positions();
    first.reset();
    drain(*reader(table(), {0}, positions), out);
    EXPECT_THAT(out.rows, ElementsAre("1", "2", "3", "4", "5", "6")) << polls;
  }
  for (int from = 0; from < 6; ++from)
    for (int to = from; to < 6; ++to) {
      Collected out;
      auto r = reader(table({{"scan.startup.mode", "specific-offsets"}, {"scan.startup.specific-offsets", fmt::format("partition:0,offset:{}", from)},
                             {"scan.bounded.mode", "specific-offsets"}, {"scan.bounded.specific-offsets", fmt::format("partition:0,offset:{}", to)}}), {0});
      EXPECT_EQ(drain(*r, out), Progress::kDone);
      ASSERT_EQ(out.rows.size(), static_cast<std::size_t>(to - from));
      if (to > from) EXPECT_EQ(out.rows[0], std::to_string(from + 1));
    }
}

TEST_F(ColumnarStream, ColumnsAreFoundByNameAndMustHaveTheirType) {
  fill();
  Collected added;
  drain(*reader(with_column(3, "born_later", Type::date()), {3, 0}), added);
  EXPECT_EQ(added.rows[0], "NULL|1");
  Collected out;
  auto r = reader(with_column(0, "id", Type::integer()), {0});
  const auto refused = r->poll(100, out);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTypeMismatch);
  EXPECT_THAT(refused.error().message, HasSubstr("t/0@0: column 'id' is declared INT and was written as BIGINT"));
  auto other = reader(with_column(0, "id", Type::integer()), {2});   // not read: no matter
  EXPECT_TRUE(other->poll(100, out));
}

TEST_F(ColumnarStream, ColumnsThatAreNotReadAreNotChecked) {
  fill();
  auto file = sim_.files().open("data/log/t/0/" + log::segment_name(Offset(0)), env::OpenMode::kReadWrite).value();
  std::string bytes(file->size().value(), '\0');
  ASSERT_EQ(file->read_at(0, bytes).value(), bytes.size());
  const std::size_t names = bytes.find("n4n5");   // of the second epoch
  ASSERT_NE(names, std::string::npos);
  ASSERT_TRUE(file->write_at(names, "N"));
  Collected ids, all;
  drain(*reader(table(), {0}), ids);
  EXPECT_EQ(ids.rows.size(), 6U);
  auto r = reader(table(), {0, 2});
  ASSERT_TRUE(r->poll(100, all));
  EXPECT_THAT(all.rows, ElementsAre("1|n1", "2|n2", "3|n3"));
  const auto damaged = r->poll(100, all);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kDamaged);
  EXPECT_THAT(damaged.error().message, HasSubstr("offset 3"));
}

TEST_F(ColumnarStream, RecordsAndColumnsAreNotMistakenForEachOther) {
  fill();
  Collected out;
  EXPECT_EQ(reader(table({{"format", "json"}}), {0})->poll(100, out).error().code, ErrorCode::kUnsupported);
  const auto topic = log::open_topic(sim_.files(), "data/log", "t").value();
  auto clients = log::KafkaReader::open(sim_.files(), topic, PartitionId(0)).value();
  std::string bytes;
  EXPECT_EQ(clients.fetch(Offset(0), {}, bytes).error().code, ErrorCode::kUnsupported);
  put(PartitionId(0), {R"({"id":1})"});
  auto r = reader(table(), {0});
  while (true) {
    const auto p = r->poll(100, out);
    if (p) continue;
    EXPECT_EQ(p.error().code, ErrorCode::kTypeMismatch);
    EXPECT_THAT(p.error().message, HasSubstr("t/0@6"));
    break;
  }
  EXPECT_EQ(out.rows.size(), 6U);
}

TEST_F(ColumnarStream, WhatItCannotHoldIsRefused) {
  const auto code = [&](const catalog::TableDefinition& t) {
    const auto made = make_stream_sink({.table = t, .schema = t.persisted_schema(), .base_directory = "data"}, sim_.env());
    return made ? ErrorCode::kInternal : made.error().code;
  };
  EXPECT_EQ(code(with_column(0, "i", Type::interval_day())), ErrorCode::kUnsupported);
  EXPECT_EQ(code(table({{"columnar.x", "1"}})), ErrorCode::kUnknownOption);
  EXPECT_EQ(code(table({{"key.fields", "name"}, {"key.format", "columnar"}})), ErrorCode::kUnsupported);
  // A compacted topic goes by keys, and its rows would have none.
  ASSERT_TRUE(log::open_or_create_topic(sim_.env(), "data/log", "t", {.cleanup_compact = true}));
  auto j = job(table(), "job-a").value();
  ASSERT_TRUE(j.writers[0]->write(rows(table(), 1, 1), Epoch(1)));
  EXPECT_EQ(j.writers[0]->begin_prepare(Epoch(1)).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace supyo::connect
