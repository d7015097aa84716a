#include "sql/plan/planner_testing.h"

namespace supyo::plan {
namespace {

using Code = ErrorCode;

struct Bad {
  std::string_view sql;
  Code code;
  int line;
  int column;
  std::string_view says;   ///< part of message or hint
};

/// Runs and, for a job, plans.
Error error_of(std::string_view sql) {
  TestSession session;
  const auto ready = session.run(kTables);
  if (!ready) return Error{Code::kInternal, "setup: " + ready.error().to_string()};
  auto plan = session.plan(sql);
  if (!plan && plan.error().message != "not a job") return plan.error();
  return Error{Code::kInternal, "no error"};
}

void expect_all(std::span<const Bad> cases) {
  for (const Bad& bad : cases) {
    SCOPED_TRACE(bad.sql);
    const Error e = error_of(bad.sql);
    EXPECT_EQ(error_name(e.code), error_name(bad.code)) << e.to_string();
    ASSERT_TRUE(e.position.has_value()) << e.to_string();
    EXPECT_EQ(e.position->line, bad.line) << e.to_string();
    EXPECT_EQ(e.position->column, bad.column) << e.to_string();
    EXPECT_THAT(e.message + " / " + e.hint, ::testing::HasSubstr(bad.says));
    EXPECT_FALSE(e.hint.empty()) << e.to_string();
  }
}

TEST(Errors, Names) {
  const Bad cases[] = {
      {"SELECT * FROM bidz", Code::kUnknownTable, 1, 15, "did you mean `bids`?"},
      {"SELECT * FROM nowhere.bids", Code::kUnknownTable, 1, 15, "database `nowhere`"},
      {"SELECT * FROM nocat.db.bids", Code::kUnknownTable, 1, 15, "catalog `nocat`"},
      {"SELECT prise FROM bids", Code::kUnknownColumn, 1, 8, "did you mean `price`?"},
      {"SELECT price FROM bids\nWHERE chanel = 'x'", Code::kUnknownColumn, 2, 7, "did you mean `channel`?"},
      {"SELECT b.price FROM bids AS a", Code::kUnknownTable, 1, 8, "did you mean `a`?"},
      {"SELECT bids.price FROM bids AS a", Code::kUnknownTable, 1, 8, "`bids` is not in FROM"},
      {"SELECT x.* FROM bids", Code::kUnknownTable, 1, 8, "`x` is not in FROM"},
      {"SELECT price", Code::kUnknownColumn, 1, 8, "add FROM"},
      {"SELECT *", Code::kInvalidQuery, 1, 8, "add FROM"},
      {"SELECT PRICE FROM bids", Code::kUnknownColumn, 1, 8, "did you mean `price`?"},
      {"SELECT COALESC(price, 1) FROM bids", Code::kUnknownFunction, 1, 8, "COALESCE"},
      {"SELECT a FROM (SELECT price AS a, bidder AS a FROM bids) WHERE b = 1", Code::kUnknownColumn, 1, 64, "a, a0"},
      {"INSERT INTO nothing SELECT 1", Code::kUnknownTable, 1, 13, "nothing"},
      {"SELECT * FROM `bids$late`", Code::kUnknownTable, 1, 15, "--state"},
      {"USE nowhere", Code::kUnknownTable, 1, 5, "nowhere"},
      {"USE CATALOG nowhere", Code::kUnknownTable, 1, 13, "nowhere"},
      {"DESCRIBE nothing", Code::kUnknownTable, 1, 10, "nothing"},
      {"DROP TABLE nothing", Code::kUnknownTable, 1, 12, "nothing"},
      {"SHOW CREATE TABLE nothing", Code::kUnknownTable, 1, 19, "nothing"},
  };
  expect_all(cases);
}

TEST(Errors, Types) {
  const Bad cases[] = {
      {"SELECT price FROM bids WHERE price", Code::kTypeMismatch, 1, 30, "WHERE needs a BOOLEAN"},
      {"SELECT price FROM bids WHERE price > 1 AND channel", Code::kTypeMismatch, 1, 30, "AND"},
      {"SELECT price + flag FROM (SELECT 1 AS price, TRUE AS flag)", Code::kTypeMismatch, 1, 8, "+"},
      {"SELECT CAST(flag AS DATE) FROM plain", Code::kTypeMismatch, 1, 8, "cannot cast BOOLEAN to DATE"},
      {"SELECT CASE WHEN id THEN 1 END FROM plain", Code::kTypeMismatch, 1, 18, "WHEN needs a BOOLEAN"},
      {"SELECT CASE WHEN flag THEN 1 ELSE TRUE END FROM plain", Code::kTypeMismatch, 1, 35, "BOOLEAN"},
      {"SELECT CASE WHEN flag THEN NULL END FROM plain", Code::kTypeMismatch, 1, 8, "CAST(NULL AS INT)"},
      {"INSERT INTO printed SELECT channel, price FROM bids", Code::kTypeMismatch, 1, 28, "`channel` STRING, `printed` wants `k` BIGINT"},
      {"INSERT INTO printed SELECT price FROM bids", Code::kTypeMismatch, 1, 21, "the query gives 1 columns, `printed` takes 2"},
      {"INSERT INTO printed (k) SELECT price, bidder FROM bids", Code::kTypeMismatch, 1, 25, "takes 1"},
      {"INSERT INTO printed (k, kk) SELECT price, bidder FROM bids", Code::kUnknownColumn, 1, 25, "no column `kk`"},
      {"INSERT INTO printed (k, k) SELECT price, bidder FROM bids", Code::kInvalidQuery, 1, 25, "named twice"},
      {"INSERT INTO keyed (n) SELECT price FROM bids", Code::kTypeMismatch, 1, 13, "`k` of `keyed` is NOT NULL"},
      {"INSERT INTO printed VALUES (1, 2), (3)", Code::kInvalidQuery, 1, 37, "1 values, the first has 2"},
      {"INSERT INTO printed VALUES (1, TRUE)", Code::kTypeMismatch, 1, 32, "BOOLEAN"},
      {"SELECT id FROM plain UNION ALL SELECT flag FROM plain", Code::kTypeMismatch, 1, 32, "`id` INT on the left and `flag` BOOLEAN"},
      {"SELECT id FROM plain EXCEPT SELECT flag FROM plain", Code::kTypeMismatch, 1, 29, "column 1 of EXCEPT"},
      {"SELECT id FROM plain UNION ALL SELECT id, name FROM plain", Code::kTypeMismatch, 1, 32, "1 and 2 columns"},
      {"SELECT SUM(name) FROM plain", Code::kTypeMismatch, 1, 8, "SUM"},
      {"SELECT id FROM plain HAVING id", Code::kTypeMismatch, 1, 29, "HAVING needs a BOOLEAN"},
      {"SELECT DATE '2013-13-01'", Code::kInvalidLiteral, 1, 8, "DATE '2013-01-31'"},
      {"SELECT TIMESTAMP 'yesterday'", Code::kInvalidLiteral, 1, 8, "is not a TIMESTAMP"},
      {"SELECT INTERVAL '1:75x' HOUR TO MINUTE", Code::kInvalidLiteral, 1, 8, "HOUR TO MINUTE"},
      {"SELECT 123456789012345678901234567890123456789", Code::kInvalidLiteral, 1, 8, "38 digits"},
      {"SELECT 1e999", Code::kInvalidLiteral, 1, 8, "DOUBLE"},
  };
  expect_all(cases);
}

TEST(Errors, Grouping) {
  const Bad cases[] = {
      {"SELECT price FROM bids WHERE COUNT(*) > 1", Code::kInvalidQuery, 1, 30, "COUNT cannot stand here"},
      {"SELECT bidder, price, COUNT(*) FROM bids GROUP BY bidder", Code::kInvalidQuery, 1, 16, "`price` is neither in GROUP BY"},
      {"SELECT bidder + price FROM bids GROUP BY bidder", Code::kInvalidQuery, 1, 17, "`price` is neither"},
      {"SELECT * FROM bids GROUP BY bidder", Code::kInvalidQuery, 1, 8, "`auction` is neither"},
      {"SELECT price * 2 AS p, COUNT(*) FROM bids GROUP BY p", Code::kUnknownColumn, 1, 52, "alias of SELECT"},
      {"SELECT COUNT(*) FROM bids GROUP BY COUNT(*)", Code::kInvalidQuery, 1, 36, "COUNT cannot stand here"},
      {"SELECT SUM(COUNT(*)) FROM bids", Code::kInvalidQuery, 1, 12, "COUNT cannot stand here"},
      {"SELECT COUNT() FROM bids", Code::kInvalidQuery, 1, 8, "COUNT(*)"},
      {"SELECT bidder FROM bids GROUP BY bidder HAVING price > 1", Code::kInvalidQuery, 1, 48, "`price` is neither"},
      {"SELECT * FROM (SELECT ROW_NUMBER() OVER (PARTITION BY bidder) AS n FROM bids) WHERE n <= 2", Code::kInvalidQuery, 1, 41, "ROW_NUMBER needs an order"},
      {"SELECT RANK(price) OVER (PARTITION BY bidder ORDER BY price) FROM bids", Code::kInvalidQuery, 1, 8, "RANK takes no arguments"},
      {"SELECT RANK() OVER (PARTITION BY bidder) FROM bids", Code::kInvalidQuery, 1, 20, "RANK needs an order"},
      {"SELECT RANK() OVER (ORDER BY ts ROWS 1 PRECEDING) FROM bids", Code::kUnsupported, 1, 33, "a frame of RANK"},
      {"SELECT NTILE(0) OVER (ORDER BY price) FROM bids", Code::kTypeMismatch, 1, 14, "from 1 on"},
      {"SELECT LEAD(price, bidder) OVER (ORDER BY ts) FROM bids", Code::kTypeMismatch, 1, 20, "whole number"},
      {"SELECT SUM(price) OVER (ORDER BY price RANGE INTERVAL '1' DAY PRECEDING) FROM bids", Code::kUnsupported, 1, 40, "RANGE with a bound"},
      {"SELECT SUM(channel) OVER (PARTITION BY bidder ORDER BY ts) FROM bids", Code::kTypeMismatch, 1, 8, "SUM does not take"},
      {"SELECT SUM(price) OVER (ORDER BY ts ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) FROM bids", Code::kUnsupported, 1, 37, "does not end at the current row"},
      {"SELECT SUM(price) OVER (ORDER BY ts ROWS INTERVAL '1' SECOND PRECEDING) FROM bids", Code::kTypeMismatch, 1, 42, "whole number of rows"},
      {"SELECT SUM(price) OVER (ORDER BY ts RANGE 5 PRECEDING) FROM bids", Code::kTypeMismatch, 1, 43, "must be an INTERVAL"},
      {"SELECT SUM(price) OVER (ORDER BY ts RANGE INTERVAL '1' MONTH PRECEDING) FROM bids", Code::kUnsupported, 1, 43, "months differ"},
      {"SELECT SUM(price) OVER (ORDER BY ts) FROM bids WHERE COUNT(*) OVER (ORDER BY ts) > 1", Code::kInvalidQuery, 1, 54, "OVER cannot stand here"},
      {"SELECT LAG(price) FROM bids", Code::kInvalidQuery, 1, 8, "LAG needs OVER"},
      {"SELECT LAG(price) OVER (PARTITION BY bidder) FROM bids", Code::kInvalidQuery, 1, 24, "LAG needs an order"},
      {"SELECT LAG(price, bidder) OVER (PARTITION BY bidder ORDER BY ts) FROM bids", Code::kTypeMismatch, 1, 19, "whole number"},
      {"SELECT price FROM bids WHERE LAG(price) OVER (PARTITION BY bidder ORDER BY ts) > 1", Code::kInvalidQuery, 1, 30, "OVER cannot stand here"},
      {"SELECT LAG(price) OVER w FROM bids", Code::kInvalidQuery, 1, 24, "there is no window `w`"},
  };
  expect_all(cases);
}

TEST(Errors, Windows) {
  const Bad cases[] = {
      {"SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE plain, DESCRIPTOR(id), INTERVAL '1' HOUR)) GROUP BY window_start, window_end", Code::kNoTimeAttribute, 1, 73,
       "`id` (INT) is not a time attribute"},
      {"SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(tz), INTERVAL '1' HOUR)) GROUP BY window_start, window_end", Code::kUnknownColumn, 1, 58, "tz"},
      {"SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), 10)) GROUP BY window_start, window_end", Code::kTypeMismatch, 1, 63, "INTERVAL '10' MINUTE"},
      {"SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' MONTH)) GROUP BY window_start, window_end", Code::kUnsupported, 1, 63, "months"},
      {"SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '0' SECOND)) GROUP BY window_start, window_end", Code::kInvalidQuery, 1, 63, "positive"},
      {"SELECT COUNT(*) FROM TABLE(HOP(TABLE bids, DESCRIPTOR(ts), INTERVAL '4' MINUTE, INTERVAL '10' MINUTE)) GROUP BY window_start, window_end", Code::kInvalidQuery, 1, 81,
       "multiple of its slide"},
      {"SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts))) GROUP BY window_start, window_end", Code::kInvalidQuery, 1, 22, "needs the argument SIZE"},
      {"SELECT COUNT(*) FROM TABLE(TUMBLE(DATA => TABLE bids, TIMECOLL => DESCRIPTOR(ts), SIZE => INTERVAL '1' HOUR)) GROUP BY window_start, window_end", Code::kInvalidQuery, 1, 55,
       "TIMECOLL"},
      {"SELECT COUNT(*) FROM TABLE(SESSION(TABLE bids PARTITION BY bidder + 1, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_start, window_end", Code::kUnsupported, 1, 60,
       "PARTITION BY an expression"},
      {"SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE bids PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_start, window_end", Code::kUnsupported, 1, 35, "only SESSION"},
      {"SELECT COUNT(*) FROM TABLE(CUMULATE(TABLE bids, DESCRIPTOR(ts), INTERVAL '4' MINUTE, INTERVAL '10' MINUTE)) GROUP BY window_start, window_end", Code::kInvalidQuery, 1, 86,
       "multiple of its step"},
      {"SELECT COUNT(*) FROM TABLE(SESSION(TABLE bids, DESCRIPTOR(ts))) GROUP BY window_start, window_end", Code::kInvalidQuery, 1, 22, "needs the argument GAP"},
      {"SELECT COUNT(*) FROM bids GROUP BY TUMBLE(price, INTERVAL '1' HOUR)", Code::kNoTimeAttribute, 1, 43, "not a time attribute"},
      {"SELECT COUNT(*) FROM bids GROUP BY HOP(ts, INTERVAL '1' HOUR)", Code::kInvalidQuery, 1, 36, "takes 3 arguments, not 2"},
      {"SELECT COUNT(*) FROM bids GROUP BY TUMBLE(ts, INTERVAL '1' HOUR), TUMBLE(ts, INTERVAL '2' HOUR)", Code::kInvalidQuery, 1, 67, "one window"},
      {"SELECT TUMBLE_END(ts, INTERVAL '1' HOUR) FROM bids GROUP BY bidder", Code::kInvalidQuery, 1, 8, "does not name the window"},
      {"SELECT TUMBLE_PROCTIME(ts, INTERVAL '1' HOUR) FROM bids GROUP BY TUMBLE(ts, INTERVAL '1' HOUR)", Code::kInvalidQuery, 1, 8, "TUMBLE_PROCTIME is of processing time"},
      {"SELECT HOP_START(ts, INTERVAL '1' HOUR) FROM bids GROUP BY TUMBLE(ts, INTERVAL '1' HOUR)", Code::kInvalidQuery, 1, 8, "repeat the arguments of GROUP BY HOP"},
      {"SELECT TUMBLE(ts, INTERVAL '1' HOUR) FROM bids GROUP BY TUMBLE(ts, INTERVAL '1' HOUR)", Code::kInvalidQuery, 1, 8, "TUMBLE_START"},
      {"SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' HOUR)) WHERE window_start > TIMESTAMP '2020-01-01 00:00:00' OR price > 1 GROUP BY window_start, window_end",
       Code::kUnsupported, 1, 89, "HAVING"},
      // After a window the old time column is a plain value, as in Flink.
      {"SELECT COUNT(*) FROM TABLE(TUMBLE((SELECT * FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' HOUR))), DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY bidder",
       Code::kNoTimeAttribute, 1, 124, "time attribute"},
  };
  expect_all(cases);
}

TEST(Errors, NotThereYet) {
  const Bad cases[] = {
      {"SELECT (SELECT MAX(id), 1 FROM plain) FROM bids", Code::kInvalidQuery, 1, 8, "has one column, this one has 2"},
      {"INSERT INTO printed SELECT auction, price FROM bids ORDER BY price", Code::kUnsupported, 1, 62, "ORDER BY inside a stream"},
      {"INSERT OVERWRITE appended SELECT auction, price FROM bids", Code::kUnsupported, 1, 18, "INSERT OVERWRITE"},
      {"SELECT * FROM bids FOR SYSTEM_TIME AS OF ts", Code::kUnsupported, 1, 15, "SYSTEM_TIME"},
      {"SELECT * FROM bids /*+ LOOKUP('table'='x') */", Code::kUnsupported, 1, 24, "hint LOOKUP"},
      {"CREATE TABLE t (a TIMESTAMP(9)) WITH ('connector' = 'stored')", Code::kUnsupported, 1, 19, "precision 6"},
  };
  expect_all(cases);
}

TEST(Errors, Tables) {
  const Bad cases[] = {
      {"CREATE TABLE bids (a INT) WITH ('connector' = 'stored')", Code::kAlreadyExists, 1, 14, "IF NOT EXISTS"},
      {"CREATE TABLE t (a INT, a STRING) WITH ('connector' = 'stored')", Code::kAlreadyExists, 1, 24, "declared twice"},
      {"CREATE TABLE t (a INT) WITH ('connector' = 'kafak')", Code::kUnknownConnector, 1, 44, "did you mean 'kafka'?"},
      {"CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topik' = 'x')", Code::kUnknownOption, 1, 53, "did you mean 'topic'?"},
      {"CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'format' = 'jsn')", Code::kBadOptionValue, 1, 64, "did you mean 'json'?"},
      {"CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'scan.startup.mode' = 'now')", Code::kBadOptionValue, 1, 75, "earliest-offset, latest-offset"},
      {"CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = 'fast')", Code::kBadOptionValue, 1, 75, "a whole number"},
      {"CREATE TABLE t (a INT) WITH ('connector' = 'stored', 'connector' = 'kafka')", Code::kInvalidQuery, 1, 54, "given twice"},
      {"CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'format' = 'json');\nSELECT * FROM t", Code::kMissingOption, 2, 15, "'topic'"},
      {"CREATE TABLE t (a INT);\nSELECT * FROM t", Code::kMissingOption, 2, 15, "'connector'"},
      {"CREATE TABLE t (a INT, b AS a + x) WITH ('connector' = 'stored')", Code::kUnknownColumn, 1, 33, "`x`"},
      {"CREATE TABLE t (a INT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector' = 'stored')", Code::kUnknownColumn, 1, 37, "`b`"},
      {"CREATE TABLE t (a INT, PRIMARY KEY (a)) WITH ('connector' = 'stored')", Code::kUnsupported, 1, 24, "NOT ENFORCED"},
      {"CREATE TABLE t (a INT, WATERMARK FOR b AS b) WITH ('connector' = 'stored')", Code::kUnknownColumn, 1, 38, "`b`"},
      {"CREATE TABLE t (a INT, WATERMARK FOR a AS a) WITH ('connector' = 'stored')", Code::kTypeMismatch, 1, 38, "TIMESTAMP(3)"},
      {"CREATE TABLE t (a TIMESTAMP(6), WATERMARK FOR a AS a) WITH ('connector' = 'stored')", Code::kTypeMismatch, 1, 47, "TIMESTAMP(3)"},
      {"CREATE TABLE t (a TIMESTAMP(3), WATERMARK FOR a AS CAST(a AS TIMESTAMP_LTZ(3))) WITH ('connector' = 'stored')", Code::kTypeMismatch, 1, 52, "a - INTERVAL"},
      {"CREATE TABLE t (a TIMESTAMP(3), WATERMARK FOR a AS CASE WHEN RAND() > 0.5 THEN a END) WITH ('connector' = 'stored')", Code::kInvalidQuery, 1, 52, "does not follow from the row"},
      {"CREATE TABLE t (a DECIMAL(40, 2)) WITH ('connector' = 'stored')", Code::kTypeMismatch, 1, 19, "between 1 and 38"},
      {"CREATE TABLE t (a INT) PARTITIONED BY (b) WITH ('connector' = 'stored')", Code::kUnknownColumn, 1, 40, "`b`"},
      {"CREATE TABLE t (m INT METADATA FROM 'ofset') WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'json');\nSELECT * FROM t", Code::kUnknownColumn, 2, 15, "`offset`"},
      {"CREATE TABLE t LIKE nothing", Code::kUnknownTable, 1, 21, "nothing"},
      {"CREATE CATALOG c WITH ('type' = 'x')", Code::kBadOptionValue, 1, 16, "catalog type 'x'"},
      {"CREATE FUNCTION f AS 'a.b.C'", Code::kUnsupported, 1, 22, "the class 'a.b.C'"},
      {"CREATE FUNCTION upper AS 'com.github.nexmark.flink.udf.CountChar'", Code::kAlreadyExists, 1, 17, "IF NOT EXISTS"},
      {"CREATE VIEW v AS SELECT prise FROM bids", Code::kUnknownColumn, 1, 25, "price"},
      {"CREATE VIEW v (a, b) AS SELECT price FROM bids", Code::kInvalidQuery, 1, 16, "2 column names for 1"},
      {"CREATE VIEW v AS SELECT price FROM bids;\nINSERT INTO v VALUES (1)", Code::kInvalidQuery, 2, 13, "is a view"},
      {"CREATE VIEW v AS SELECT price FROM bids;\nDROP TABLE v", Code::kInvalidQuery, 2, 12, "DROP VIEW"},
      {"CREATE VIEW v AS SELECT id FROM plain;\nDROP TABLE plain;\nSELECT * FROM v", Code::kUnknownTable, 3, 15, "in view `v`"},
      {"DROP DATABASE default_database", Code::kInvalidQuery, 1, 15, "in use"},
      {"SET 'execution.checkpointing.intervall' = '1s'", Code::kUnknownOption, 1, 5, "execution.checkpointing.interval"},
      {"SET 'execution.checkpointing.interval' = 'soon'", Code::kBadOptionValue, 1, 42, "soon"},
  };
  expect_all(cases);
}

TEST(Errors, FieldsOfRows) {
  const std::string table = "CREATE TABLE t (id INT, p ROW<a INT, q ROW<b INT, c STRING>>) WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'json', 'properties.bootstrap.servers' = 'embedded:x');\n";
  const std::vector<std::pair<std::string, Bad>> cases = {
      {"SELECT p.x FROM t", {"", Code::kUnknownColumn, 2, 10, "the fields are: a, q"}},
      {"SELECT id.x FROM t", {"", Code::kUnknownColumn, 2, 8, "`id` is not a ROW"}},
      {"SELECT p.a FROM t JOIN t AS u ON t.id = u.id", {"", Code::kAmbiguousColumn, 2, 8, "t, u"}},
      {"INSERT INTO t SELECT id, id, id, 'x' FROM plain", {"", Code::kTypeMismatch, 2, 15, "the query gives 4 columns, `t` takes 2"}},
      {"CREATE TABLE u (p ROW<a INT, a INT>) WITH ('connector' = 'datagen')", {"", Code::kAlreadyExists, 2, 30, "declared twice"}},
  };
  for (auto [sql, bad] : cases) {
    const std::string text = table + sql;
    bad.sql = text;
    expect_all({&bad, 1});
  }
}

TEST(Errors, Sinks) {
  const Bad cases[] = {
      {"INSERT INTO appended SELECT auction, COUNT(*) FROM bids GROUP BY auction", Code::kSinkCannotTake, 1, 13, "takes only inserts [I], but GroupAggregate(groupBy=[auction]"},
      {"CREATE TABLE nk (k BIGINT, n BIGINT) WITH ('connector' = 'keyed');\nINSERT INTO nk SELECT bidder, COUNT(*) FROM bids GROUP BY bidder", Code::kSinkCannotTake, 2, 13, "PRIMARY KEY"},
      {"CREATE TABLE g (a INT) WITH ('connector' = 'datagen');\nINSERT INTO g SELECT id FROM plain", Code::kSinkCannotTake, 2, 13, "'datagen' only reads"},
      {"SELECT * FROM printed", Code::kInvalidQuery, 1, 15, "'print' only writes"},
  };
  expect_all(cases);
}

std::string repeated(std::string_view piece, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += piece;
  return out;
}

// As deep as the parser lets through, and a little deeper: the planner's own recursion must hold.
TEST(Errors, AsDeepAsMayBe) {
  for (const int deep : {20, 60, 90, 180, 240, 490, 990, 1010}) {
    const std::string cases[] = {
        "SELECT price" + repeated(" + 1", deep) + " FROM bids",
        "SELECT price FROM bids WHERE TRUE" + repeated(" AND price > 1", deep),
        "SELECT channel" + repeated(" || 'a'", deep) + " FROM bids",
        "SELECT " + repeated("CASE WHEN price > 1 THEN ", deep) + "1" + repeated(" END", deep) + " FROM bids",
        "SELECT " + repeated("ABS(", deep) + "price" + repeated(")", deep) + " FROM bids",
        "SELECT " + repeated("NOT ", deep) + "price > 1 FROM bids",
        "SELECT * FROM " + repeated("(SELECT * FROM ", deep) + "bids" + repeated(")", deep),
        "SELECT 1" + repeated(" UNION ALL SELECT 1", deep),
        "SELECT 1" + repeated(" EXCEPT SELECT 1", deep),
        "SELECT price IN (1" + repeated(", 1", deep * 20) + ") FROM bids",
        "SELECT CASE" + repeated(" WHEN price > 1 THEN 1", deep) + " END FROM bids",
    };
    for (const std::string& sql : cases) {
      SCOPED_TRACE(sql.substr(0, 60));
      const Error e = error_of(sql);
      if (e.message == "no error") continue;
      EXPECT_NE(e.code, Code::kInternal) << e.to_string();
      EXPECT_TRUE(e.position && !e.hint.empty()) << e.to_string();
    }
  }
}

}  // namespace
}  // namespace supyo::plan
