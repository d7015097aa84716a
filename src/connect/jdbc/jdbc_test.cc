#include <gmock/gmock.h>

#include "connect/jdbc/jdbc_options.h"
#include "connect/jdbc/statements.h"
#include "connect/jdbc/testing.h"

namespace supyo::connect {
namespace {

using dataflow::CommitOutcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using SqliteTable = JdbcTest;

const std::vector<Column> kPair = {{"k", Type::big_int().not_null()}, {"v", Type::string()}};

TEST_F(SqliteTable, EveryTypeComesBackAsItWasWritten) {
  sqlite("CREATE TABLE t (k INTEGER PRIMARY KEY, b BOOLEAN, i TINYINT, s SMALLINT, n INT, f REAL, d DOUBLE, m TEXT, c VARCHAR(5), y BLOB, da DATE, ti TIME, ts TIMESTAMP)");
  const auto t = table({{"k", Type::big_int().not_null()}, {"b", Type::boolean()}, {"i", Type::tiny_int()}, {"s", Type::small_int()}, {"n", Type::integer()}, {"f", Type::float_()},
                        {"d", Type::double_()}, {"m", Type::decimal(38, 10)}, {"c", Type::string(5)}, {"y", Type::bytes()}, {"da", Type::date()}, {"ti", Type::time(3)}, {"ts", Type::timestamp(6)}},
                       {"k"});
  const Schema s = t.schema();
  const auto whole = [&](std::size_t c, std::int64_t v) { return Value{s[c].type, v}; };
  const auto row = [&](std::int64_t k, std::int64_t sign) -> Row {
    return {RowKind::kInsert,
            {number(k), {s[1].type, sign > 0}, whole(2, sign * 127), whole(3, sign * 32767), whole(4, sign * 2147483647LL), {s[5].type, 1.5 * static_cast<double>(sign)}, {s[6].type, 0.1},
             {s[7].type, *parse_decimal("1234567890123456789012345678.0123456789", 38, 10)}, text(sign > 0 ? "a'\"b" : ""), {s[9].type, std::string("\0\xff\x01", 3)}, whole(10, sign * 15000),
             whole(11, 3'600'001'000), whole(12, sign * 1'600'000'000'123'456)}};
  };
  Row nulls{RowKind::kInsert, {number(3)}};
  for (std::size_t c = 1; c < s.size(); ++c) nulls.values.push_back({s[c].type, {}});
  ASSERT_TRUE(write(t, {{1, {row(1, 1), row(2, -1), nulls}}}));
  std::vector<std::size_t> all;
  for (std::size_t c = 0; c < s.size(); ++c) all.push_back(c);
  const auto out = read(t, all);
  ASSERT_TRUE(out) << out.error().to_string();
  EXPECT_THAT(out->bad, ElementsAre());
  EXPECT_THAT(out->rows, ElementsAre("1|true|127|32767|2147483647|1.5|0.1|1234567890123456789012345678.0123456789|a'\"b|x'00ff01'|2011-01-26|01:00:00.001|2020-09-13 12:26:40.123456|",
                                     "2|false|-127|-32767|-2147483647|-1.5|0.1|1234567890123456789012345678.0123456789||x'00ff01'|1928-12-07|01:00:00.001|1919-04-20 11:33:19.876544|",
                                     "3|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|"));
}

TEST_F(SqliteTable, WithAKeyRowsAreInsertedUpdatedAndDeleted) {
  sqlite("CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (7, 'other'), (1, 'old')");
  const auto t = table(kPair, {"k"});
  using K = RowKind;
  const auto done = write(t, {{1, {{K::kInsert, {number(1), text("a")}}, {K::kInsert, {number(2), text("b")}}, {K::kUpdateBefore, {number(1), text("a")}}, {K::kUpdateAfter, {number(1), text("c")}}}},
                              {2, {{K::kDelete, {number(2), text("b")}}, {K::kInsert, {number(3), text("d")}}, {K::kDelete, {number(3), text("d")}}}},
                              {3, {}}});
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_THAT(sqlite("SELECT * FROM t ORDER BY k"), ElementsAre("1|c|", "7|other|"));
  EXPECT_THAT(sqlite("SELECT name FROM sqlite_master"), ElementsAre("t|")) << "no table for epochs";
}

TEST_F(SqliteTable, WithoutAKeyAnEpochIsWrittenOnce) {
  sqlite("CREATE TABLE t (k INTEGER, v TEXT)");
  const auto t = table(kPair);
  const std::vector<Row> rows = {{RowKind::kInsert, {number(1), text("a")}}, {RowKind::kInsert, {number(1), text("a")}}};
  ASSERT_EQ(write(t, {{1, rows}, {2, {{RowKind::kInsert, {number(2), text("b")}}}}}).value(), CommitOutcome::kVisibleNow);
  // Killed after the commit, before the job knew: the last final epoch is committed again.
  ASSERT_EQ(write(t, {{2, rows}, {3, rows}}, 2).value(), CommitOutcome::kVisibleNow);
  EXPECT_THAT(sqlite("SELECT k, count(*) FROM t GROUP BY k ORDER BY k"), ElementsAre("1|4|", "2|1|"));
  EXPECT_THAT(sqlite("SELECT * FROM supyo_epochs"), ElementsAre("job-1|t|3|"));
  EXPECT_EQ(write(t, {{3, rows}}, 3).value(), CommitOutcome::kWasVisible);
  const auto older = write(t, {{2, rows}}, 1);
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().code, ErrorCode::kStateOfOtherJob) << "a state directory that is an older copy";
}

TEST_F(SqliteTable, AtLeastOnceNeedsNoTableForEpochs) {
  sqlite("CREATE TABLE t (k INTEGER, v TEXT)");
  const auto t = table(kPair, {}, {{"sink.delivery-guarantee", "at-least-once"}});
  ASSERT_TRUE(write(t, {{1, {{RowKind::kInsert, {number(1), text("a")}}}}}));
  ASSERT_TRUE(write(t, {{1, {{RowKind::kInsert, {number(1), text("a")}}}}}));
  EXPECT_THAT(sqlite("SELECT * FROM t"), ElementsAre("1|a|", "1|a|"));
  EXPECT_THAT(sqlite("SELECT name FROM sqlite_master"), ElementsAre("t|"));
}

TEST_F(SqliteTable, ARowThatTheTableRefusesTakesItsWholeEpochBack) {
  sqlite("CREATE TABLE t (k INTEGER, v TEXT NOT NULL)");
  const auto t = table(kPair);
  std::vector<Row> rows;
  for (std::int64_t i = 0; i < 500; ++i) rows.push_back({RowKind::kInsert, {number(i), text("x")}});
  rows.push_back({RowKind::kInsert, {number(500), {Type::string(), {}}}});
  const auto done = write(t, {{1, rows}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kJobFailed);
  EXPECT_THAT(done.error().message, HasSubstr("NOT NULL constraint failed: t.v"));
  EXPECT_THAT(sqlite("SELECT count(*) FROM t"), ElementsAre("0|"));
}

TEST_F(SqliteTable, PagesGoOnAfterTheLastKey) {
  sqlite("CREATE TABLE t (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (a, b)); INSERT INTO t VALUES ('x', 1, 'p'), ('x', 2, 'q'), ('y', 1, 'r'), ('y', -3, 's'), ('', 0, 't')");
  const auto t = table({{"a", Type::string().not_null()}, {"b", Type::integer().not_null()}, {"v", Type::string()}}, {"a", "b"}, {{"scan.fetch-size", "2"}});
  const auto first = read(t, {2}, {}, 1);
  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_THAT(first->rows, ElementsAre("t|", "p|"));
  sqlite("INSERT INTO t VALUES ('x', 0, 'before'), ('x', 9, 'after')");
  const auto rest = read(t, {2}, position_);
  ASSERT_TRUE(rest) << rest.error().to_string();
  EXPECT_THAT(rest->rows, ElementsAre("q|", "after|", "s|", "r|"));
  EXPECT_EQ(position_, "end");
  EXPECT_THAT(read(t, {2}, position_)->rows, ElementsAre());
  const auto lost = read(t, {2}, "rows:4");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kStateOfOtherJob);
}

TEST_F(SqliteTable, WithoutAKeyItIsReadByRowid) {
  sqlite("CREATE TABLE t (k INTEGER, v TEXT); INSERT INTO t VALUES (3, 'c'), (1, 'a'), (3, 'c')");
  const auto t = table(kPair, {}, {{"scan.fetch-size", "1"}});
  EXPECT_THAT(read(t, {1, 0})->rows, ElementsAre("c|3|", "a|1|", "c|3|"));
}

TEST_F(SqliteTable, RangesAreReadOnTheirOwnAndNothingOutsideOfThem) {
  sqlite("CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE n(i) AS (SELECT -5 UNION ALL SELECT i + 1 FROM n WHERE i < 20) INSERT INTO t SELECT i, 'v' || i FROM n");
  const auto t = table(kPair, {"k"}, {{"scan.partition.column", "k"}, {"scan.partition.num", "3"}, {"scan.partition.lower-bound", "0"}, {"scan.partition.upper-bound", "10"}});
  const auto source = make_jdbc_source({t, {0}, dir_}, env());
  const auto splits = (*source)->splits();
  ASSERT_TRUE(splits) << splits.error().to_string();
  ASSERT_EQ(splits->size(), 3U);
  const auto out = read(t, {0});
  EXPECT_THAT(out->rows, ElementsAre("0|", "1|", "2|", "3|", "4|", "5|", "6|", "7|", "8|", "9|", "10|"));
  const auto half = table(kPair, {"k"}, {{"scan.partition.column", "k"}});
  EXPECT_EQ(make_jdbc_source({half, {0}, dir_}, env()).error().code, ErrorCode::kMissingOption);
}

TEST_F(SqliteTable, AValueThatDoesNotFitMakesADeadRecord) {
  sqlite("CREATE TABLE t (k INTEGER PRIMARY KEY, n NUMERIC, ts NUMERIC); INSERT INTO t VALUES (1, 5, '2020-01-01 00:00:00'), (2, 'many', '2020-01-01 00:00:00'), (3, 300, NULL), (4, 7, 'noon')");
  const auto t = table({{"k", Type::big_int().not_null()}, {"n", Type::tiny_int()}, {"ts", Type::timestamp(0)}}, {"k"});
  const auto out = read(t, {0, 1, 2});
  ASSERT_TRUE(out) << out.error().to_string();
  EXPECT_THAT(out->rows, ElementsAre("1|5|2020-01-01 00:00:00|"));
  ASSERT_EQ(out->bad.size(), 3U);
  EXPECT_THAT(out->bad[0], HasSubstr("t.db: k = 2 n not an integer many"));
  EXPECT_THAT(out->bad[1], HasSubstr("k = 3 n number out of range 300"));
  EXPECT_THAT(out->bad[2], HasSubstr("k = 4 ts not a timestamp noon"));
}

class Lookup : public JdbcTest {
 protected:
  std::vector<std::string> find(const catalog::TableDefinition& t, const std::vector<std::size_t>& by, const std::vector<Column>& as, const std::vector<Row>& keys) {
    Schema schema;
    dataflow::LookupKeys k{.columns = by, .types = {}};
    for (const Column& c : as) {
      schema.add(c.name, c.type);
      k.types.push_back(c.type);
    }
    const auto lookup = make_jdbc_lookup({t, {0, 1, 2}, dir_}, k, env());
    EXPECT_TRUE(lookup) << lookup.error().to_string();
    const auto found = (*lookup)->find(*batch_of(schema, keys));
    EXPECT_TRUE(found) << found.error().to_string();
    Output out;
    for (const BatchPtr& b : *found) EXPECT_TRUE(out.emit({.split = 0, .batch = b, .produce_us = {}}));
    std::ranges::sort(out.rows);
    return out.rows;
  }
};

TEST_F(Lookup, FindsAllRowsOfAllKeysOnce) {
  sqlite("CREATE TABLE t (a INTEGER, b TEXT, v REAL); INSERT INTO t VALUES (1, 'x', 0.5), (1, 'y', 1.5), (2, 'x', 2.5), (3, 'x', 3.5)");
  const auto t = table({{"a", Type::integer()}, {"b", Type::string()}, {"v", Type::double_()}});
  const auto row = [&](std::int64_t a) -> Row { return {RowKind::kInsert, {number(a)}}; };
  EXPECT_THAT(find(t, {0}, {{"a", Type::big_int()}}, {row(1), row(9), row(3)}), ElementsAre("1|x|0.5|", "1|y|1.5|", "3|x|3.5|"));
  EXPECT_THAT(find(t, {1, 0}, {{"b", Type::string()}, {"a", Type::big_int()}}, {{RowKind::kInsert, {text("x"), number(1)}}, {RowKind::kInsert, {text("y"), number(2)}}, {RowKind::kInsert, {text("x"), number(2)}}}),
              ElementsAre("1|x|0.5|", "2|x|2.5|"));
}

TEST_F(Lookup, TheCacheIsAsTheOptionsSay) {
  const auto none = jdbc_lookup_cache({});
  EXPECT_EQ(none->max_keys, 0U);
  const auto partial = jdbc_lookup_cache({{"lookup.cache", "PARTIAL"}, {"lookup.partial-cache.max-rows", "10"}, {"lookup.partial-cache.expire-after-access", "1 min"}, {"lookup.partial-cache.cache-missing-key", "false"}});
  EXPECT_EQ(partial->max_keys, 10U);
  EXPECT_EQ(partial->after_access_us, kMinute);
  EXPECT_FALSE(partial->after_write_us);
  EXPECT_FALSE(partial->missing_keys);
  const auto old = jdbc_lookup_cache({{"lookup.cache.max-rows", "5"}, {"lookup.cache.ttl", "10s"}});
  EXPECT_EQ(old->max_keys, 5U);
  EXPECT_EQ(old->after_write_us, 10 * kSecond);
  EXPECT_TRUE(old->missing_keys);
}

TEST_F(SqliteTable, WhatIsNotThereIsSaidAtTheStart) {
  const auto code = [&](const catalog::TableDefinition& t) {
    const auto written = write(t, {{1, {}}});
    const auto out = read(t, {0});
    EXPECT_FALSE(written);
    EXPECT_FALSE(out);
    EXPECT_EQ(written ? ErrorCode::kInternal : written.error().code, out ? ErrorCode::kUsage : out.error().code);
    return out ? ErrorCode::kUsage : out.error().code;
  };
  EXPECT_EQ(code(table(kPair, {"k"})), ErrorCode::kFileNotFound);
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/t.db")) << "no empty database is left behind";
  sqlite("CREATE TABLE t (k INTEGER, v TEXT, w TEXT)");
  EXPECT_EQ(code(table(kPair, {}, {{"table-name", "u"}})), ErrorCode::kUnknownTable);
  EXPECT_EQ(code(table({{"nope", Type::string()}})), ErrorCode::kUnknownColumn);
  EXPECT_EQ(code(table({{"v", Type::big_int()}})), ErrorCode::kTypeMismatch);
  const auto keyed = write(table(kPair, {"k"}), {{1, {}}});
  ASSERT_FALSE(keyed);
  EXPECT_EQ(keyed.error().code, ErrorCode::kInvalidQuery) << "no such key there: " << keyed.error().to_string();
}

TEST_F(SqliteTable, TypesThatNoDatabaseHasAreRefused) {
  for (const Type& type : {Type::array(Type::integer()), Type::timestamp_ltz(3), Type::interval_day(), Type::row({"a"}, {Type::integer()})}) {
    const auto made = make_jdbc_source({table({{"k", type}}), {0}, dir_}, env());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::kUnsupported) << type.to_string();
  }
}

TEST_F(SqliteTable, UrlsAreTakenApartAndKeepTheirSecrets) {
  const auto where = [&](const std::string& url, catalog::Options more = {}) {
    more.insert_or_assign("url", url);
    return jdbc::where_of(table(kPair, {}, more), "/base");
  };
  EXPECT_EQ(where("jdbc:sqlite:a/b.db")->path, "/base/a/b.db");
  EXPECT_EQ(where("jdbc:sqlite:/x.db")->path, "/x.db");
  const auto pg = where("jdbc:postgresql://[::1]:15432/my%20app?user=u&password=p%26w&currentSchema=s&reWriteBatchedInserts=true", {{"table-name", "sales.orders"}, {"password", "real"}});
  ASSERT_TRUE(pg) << pg.error().to_string();
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(pg->connection, (Pairs{{"host", "::1"}, {"port", "15432"}, {"dbname", "my app"}, {"user", "u"}, {"options", "-c search_path=s"}, {"password", "real"}}));
  EXPECT_EQ(pg->text(), "table 'sales.orders' of postgresql://::1:15432/my app");
  EXPECT_EQ(pg->quoted_table(), "\"sales\".\"orders\"");
  EXPECT_EQ(where("jdbc:postgresql:app", {{"username", "u"}})->text(), "table 't' of postgresql://localhost:5432/app");
  ASSERT_EQ(setenv("SUPYO_JDBC_TEST", "of the environment", 1), 0);
  EXPECT_EQ(where("jdbc:postgresql://h/d?user=u", {{"password", "${env:SUPYO_JDBC_TEST}"}})->connection.back().second, "of the environment");
  EXPECT_EQ(where("jdbc:postgresql://h/d?user=u", {{"password", "${env:SUPYO_NOWHERE}"}}).error().code, ErrorCode::kMissingOption);
  EXPECT_EQ(where("jdbc:postgresql://h/d?user=u", {{"password", "${file:/etc/passwd}"}}).error().code, ErrorCode::kUnsupported);
  for (const auto& [url, code] : std::vector<std::pair<std::string, ErrorCode>>{{"jdbc:mysql://h/d?password=hush", ErrorCode::kUnsupported},
                                                                                {"jdbc:sqlite::memory:", ErrorCode::kBadOptionValue},
                                                                                {"jdbc:sqlite:a.db?mode=ro", ErrorCode::kBadOptionValue},
                                                                                {"jdbc:postgresql://u:hush@h/d", ErrorCode::kBadOptionValue},
                                                                                {"jdbc:postgresql://h:x/d", ErrorCode::kBadOptionValue},
                                                                                {"jdbc:postgresql://h/d", ErrorCode::kMissingOption},
                                                                                {"jdbc:postgresql://h/d?user=u&password=hush&sslfactory=Evil", ErrorCode::kUnsupported},
                                                                                {"jdbc:postgresql://h/d?user=u%0", ErrorCode::kBadOptionValue}}) {
    const auto made = where(url);
    ASSERT_FALSE(made) << url;
    EXPECT_EQ(made.error().code, code) << url << ": " << made.error().to_string();
    EXPECT_THAT(made.error().to_string(), Not(HasSubstr("hush")));
  }
}

TEST(Statements, AreOfTheDialect) {
  using jdbc::Dialect;
  Schema s;
  s.add("k", Type::big_int());
  s.add("a\"b", Type::string());
  s.add("d", Type::decimal(10, 2));
  jdbc::Where where;
  where.table = "s.t";
  const jdbc::Statements lite(where, s, {0});
  where.dialect = Dialect::kPostgres;
  const jdbc::Statements pg(where, s, {0, 1});
  const jdbc::Statements by_text(where, s, {1});
  EXPECT_EQ(lite.put(2), "INSERT INTO \"s.t\" (\"k\", \"a\"\"b\", \"d\") VALUES (?1, ?2, ?3), (?4, ?5, ?6) ON CONFLICT (\"k\") DO UPDATE SET \"a\"\"b\" = excluded.\"a\"\"b\", \"d\" = excluded.\"d\"");
  EXPECT_EQ(lite.delete_by_key(3), "DELETE FROM \"s.t\" WHERE \"k\" IN (?1, ?2, ?3)");
  EXPECT_EQ(pg.put(1), "INSERT INTO \"s\".\"t\" (\"k\", \"a\"\"b\", \"d\") VALUES ($1, $2, $3) ON CONFLICT (\"k\", \"a\"\"b\") DO UPDATE SET \"d\" = excluded.\"d\"");
  EXPECT_EQ(pg.delete_by_key(2), "DELETE FROM \"s\".\"t\" WHERE (\"k\", \"a\"\"b\") IN (VALUES ($1::bigint, $2::text), ($3::bigint, $4::text))");
  EXPECT_EQ(by_text.select_by_key(s, 2), "SELECT \"k\", \"a\"\"b\", \"d\" FROM \"s\".\"t\" WHERE \"a\"\"b\" IN ($1, $2)");
  std::vector<std::pair<std::size_t, std::size_t>> parts;
  ASSERT_TRUE(jdbc::in_parts(100, 40, [&](std::size_t from, std::size_t count) { parts.emplace_back(from, count); return ok(); }));
  EXPECT_THAT(parts, ElementsAre(std::pair(0, 32), std::pair(32, 32), std::pair(64, 32), std::pair(96, 4)));
}

}  // namespace
}  // namespace supyo::connect
