#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/bench.h"
#include "cli/context.h"
#include "cli/rows.h"
#include "data/types/builder.h"
#include "engine/job/connectors.h"

namespace supyo::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Ran {
  int status = -1;
  std::string out, error;
};

/// Runs the whole program with these arguments, in this process.
Ran run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "supyo");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Ran ran;
  ran.status = run_command_line(static_cast<int>(argv.size()), argv.data());
  ran.out = ::testing::internal::GetCapturedStdout();
  ran.error = ::testing::internal::GetCapturedStderr();
  return ran;
}

class InFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("supyo_cli_test_" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
    return path(name);
  }
  std::string read(const std::string& name) const {
    std::ifstream in(path(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::filesystem::path folder_;
};

TEST(Usage, HelpVersionAndMistakes) {
  EXPECT_THAT(run({"--version"}).out, testing::StartsWith("supyo " SUPYO_VERSION "\nlibrdkafka 2."));
  EXPECT_THAT(run({"--licenses"}).out, HasSubstr("Apache License"));
  EXPECT_EQ(run({}).status, kUsage);
  for (const char* command : {"run", "sql", "explain", "late", "job", "log", "gen", "consume", "watch", "diagnose", "broker", "slo", "lab", "bench", "stack", "submit"}) {
    const Ran help = run({command, "--help"});
    EXPECT_EQ(help.status, kFine) << command;
    EXPECT_THAT(help.out, HasSubstr("supyo ")) << command;
  }
  const Ran unknown = run({"sqll"});
  EXPECT_EQ(unknown.status, kUsage);
  EXPECT_THAT(unknown.error, HasSubstr("SUPYO-1001"));
  EXPECT_THAT(unknown.error, HasSubstr("did you mean sql?"));
  EXPECT_THAT(run({"run", "x.sql", "--stat=y"}).error, HasSubstr("did you mean --state?"));
  EXPECT_THAT(run({"completion", "bash"}).out, HasSubstr("--replay"));
  EXPECT_EQ(run({"run"}).status, kUsage);
  EXPECT_EQ(run({"run", "x.sql", "--nonsense"}).status, kUsage);
  EXPECT_EQ(run({"sql", "--format", "xml", "-e", "SELECT 1"}).status, kUsage);
  EXPECT_EQ(run({"run", "/nonexistent/x.sql"}).status, kFailed);
  EXPECT_THAT(run({"run", "/nonexistent/x.sql"}).error, HasSubstr("SUPYO-1005"));
}

TEST(Sql, OneShot) {
  const Ran table = run({"sql", "-e", "SELECT 1 + 1 AS two, 'a' AS letter, CAST(NULL AS STRING) AS nothing"});
  EXPECT_EQ(table.status, kFine) << table.error;
  EXPECT_THAT(table.out, StartsWith("two | letter | nothing\n----+--------+--------\n  2 | a      | NULL\n1 row in"));
  EXPECT_EQ(run({"sql", "--format", "csv", "-e", "SELECT 1 AS a, 'x,\"y\"' AS b"}).out, "a,b\n1,\"x,\"\"y\"\"\"\n");
  EXPECT_EQ(run({"sql", "--format", "json", "-e", "SELECT 1 AS a, 'x\"' AS b, TRUE AS c"}).out, "{\"a\":1,\"b\":\"x\\\"\",\"c\":true}\n");
  EXPECT_EQ(run({"sql", "--format", "changelog", "-e", "SELECT 1 AS a"}).out, "{\"op\":\"+I\",\"a\":1}\n");
}

TEST(Sql, ErrorsPointAtThePlace) {
  const Ran bad = run({"sql", "-e", "SELECT a FORM t"});
  EXPECT_EQ(bad.status, kFailed);
  EXPECT_THAT(bad.error, HasSubstr("SUPYO-2001"));
  EXPECT_THAT(bad.error, HasSubstr("         ^^^^"));
  EXPECT_THAT(bad.error, HasSubstr("did you mean FROM?"));
}

TEST(Sql, UpdatesAreShownAsWhatIsLeft) {
  const std::string query = "SELECT k, SUM(n) AS total FROM (VALUES ('a', 1), ('b', 2), ('a', 3)) AS t (k, n) GROUP BY k";
  const Ran json = run({"sql", "--format", "json", "-e", query});
  EXPECT_EQ(json.status, kFine) << json.error;
  EXPECT_THAT(json.out, HasSubstr("{\"k\":\"a\",\"total\":4}"));
  EXPECT_THAT(json.out, HasSubstr("{\"k\":\"b\",\"total\":2}"));
  EXPECT_EQ(std::ranges::count(json.out, '\n'), 2);
  EXPECT_THAT(run({"sql", "--format", "changelog", "-e", "SET 'supyo.batch.rows' = '1'; " + query}).out, HasSubstr("{\"op\":\"-U\",\"k\":\"a\",\"total\":1}"));
}

TEST_F(InFolder, RunsAFile) {
  write("in.csv", "a,1\nb,2\na,3\n");
  const std::string file = write("count.sql",
                                 "CREATE TABLE events (name STRING, n BIGINT) WITH ('connector'='filesystem', 'path'='${DIR}/in.csv', 'format'='csv');\n"
                                 "CREATE TABLE counts (name STRING, total BIGINT) WITH ('connector'='print');\n"
                                 "INSERT INTO counts SELECT name, SUM(n) FROM events GROUP BY name;\n");
  const Ran ran = run({"run", file, "--var", "DIR=" + folder_.string()});
  EXPECT_EQ(ran.status, kFine) << ran.error;
  EXPECT_THAT(ran.out, HasSubstr("[a, 4]"));
  EXPECT_THAT(ran.error, HasSubstr("finished: 3 rows in"));
  const Ran json = run({"run", file, "--var", "DIR=" + folder_.string(), "--json"});
  EXPECT_THAT(json.out, HasSubstr("{\"result\":\"FINISHED\""));
  const Ran undefined = run({"run", file});
  EXPECT_EQ(undefined.status, kFailed);
  EXPECT_THAT(undefined.error, HasSubstr("--var DIR=VALUE"));
  const Ran plan = run({"explain", file, "--var", "DIR=" + folder_.string()});
  EXPECT_EQ(plan.status, kFine) << plan.error;
  EXPECT_THAT(plan.out, HasSubstr("events"));
}

TEST(Sql, AQueryThatFailsShowsNoEmptyResult) {
  const Ran ran = run({"sql", "-e", "SELECT 1 / 0"});
  EXPECT_EQ(ran.status, kFailed);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.error, HasSubstr("division by zero"));
}

TEST(Usage, AWordThatIsNoCommandIsNamed) {
  const Ran far = run({"frobnicate", "--data", "x"});
  EXPECT_EQ(far.status, kUsage);
  EXPECT_THAT(far.error, HasSubstr("there is no command frobnicate"));
  EXPECT_THAT(far.error, HasSubstr("supyo --help"));
  EXPECT_THAT(run({"brokr", "--data", "x"}).error, HasSubstr("did you mean broker?"));
  EXPECT_THAT(run({"broker", "--data", "x", "--config", "foo=1"}).error, HasSubstr("--settings lists them"));
}

TEST(Usage, NobodyAnswersIsNoGoodNews) {
  EXPECT_EQ(run({"watch", "--bootstrap", "127.0.0.1:1", "--every", "200ms", "--for", "1s", "--plain"}).status, kFailed);
  EXPECT_EQ(run({"diagnose", "--bootstrap", "127.0.0.1:1", "--for", "1s"}).status, kFailed);
}

TEST(Reference, ConnectorsInDocsAreCurrent) {
  const std::string path = std::string(SUPYO_SOURCE_DIR) + "/docs/reference/connectors.md";
  const std::string now = catalog::connector_reference(job::connector_registry());
  if (std::getenv("SUPYO_UPDATE") != nullptr) std::ofstream(path) << now;
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), now) << "renew it: SUPYO_UPDATE=1 and this test";
}

TEST_F(InFolder, ASelectSaysWhatItCouldNotRead) {
  write("in.csv", "a,1\nb,two\na,3\n");
  const std::string query = "CREATE TABLE i (name STRING, n BIGINT) WITH ('connector'='filesystem', 'path'='" + path("in.csv") + "', 'format'='csv'); SELECT n FROM i";
  const Ran ran = run({"sql", "--format", "csv", "-e", query});
  EXPECT_EQ(ran.status, kFine) << ran.error;
  EXPECT_EQ(ran.out, "n\n1\n3\n");
  EXPECT_THAT(ran.error, HasSubstr("1 record could not be read"));
}

TEST_F(InFolder, AFinishedJobDoesNothingAgain) {
  write("in.csv", "a,1\nb,2\n");
  const std::string file = write("copy.sql",
                                 "CREATE TABLE i (name STRING, n BIGINT) WITH ('connector'='filesystem', 'path'='${DIR}/in.csv', 'format'='csv');\n"
                                 "CREATE TABLE o (name STRING, n BIGINT) WITH ('connector'='print');\n"
                                 "INSERT INTO o SELECT * FROM i;\n");
  const std::vector<std::string> command{"run", file, "--var", "DIR=" + folder_.string(), "--state", path("state")};
  EXPECT_EQ(run(command).status, kFine);
  const Ran again = run(command);
  EXPECT_EQ(again.status, kFine) << again.error;
  EXPECT_EQ(again.out, "");
  EXPECT_THAT(again.error, HasSubstr("had finished before"));
  const Ran status = run({"job", "status", path("state")});
  EXPECT_EQ(status.status, kFine) << status.error;
  EXPECT_THAT(status.out, HasSubstr("FINISHED"));
  const Ran stop = run({"job", "stop", path("state")});
  EXPECT_EQ(stop.status, kFailed);
  EXPECT_THAT(stop.error, HasSubstr("SUPYO-3006"));
}

TEST_F(InFolder, ServesWhileItRuns) {
  const std::string file = write("gen.sql",
                                 "CREATE TABLE g (n BIGINT) WITH ('connector'='datagen', 'rows-per-second'='100');\n"
                                 "CREATE TABLE b (n BIGINT) WITH ('connector'='blackhole');\n"
                                 "INSERT INTO b SELECT n FROM g;\n");
  const Ran ran = run({"run", file, "--for", "300ms", "--serve", "0"});
  EXPECT_EQ(ran.status, kFine) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("serving http://127.0.0.1:"));
  EXPECT_THAT(ran.error, HasSubstr("stopped:"));
  const Ran refused = run({"run", file, "--serve", "0.0.0.0:8081"});
  EXPECT_EQ(refused.status, kFailed);
  EXPECT_THAT(refused.error, HasSubstr("SUPYO-1009"));
  EXPECT_EQ(run({"job", "status", path("nothing")}).status, kFailed);
}

TEST_F(InFolder, GeneratesTheSameBytesForTheSameSeed) {
  EXPECT_EQ(run({"gen", "product", "--count", "50", "--seed", "3", "--to", path("a.json"), "--truth", path("truth.json")}).status, kFine);
  EXPECT_EQ(run({"gen", "product", "--count", "50", "--seed", "3", "--to", path("b.json")}).status, kFine);
  EXPECT_EQ(read("a.json"), read("b.json"));
  EXPECT_EQ(std::ranges::count(read("a.json"), '\n'), 50);
  EXPECT_FALSE(read("truth.json").empty());
  EXPECT_EQ(run({"gen", "product", "--count", "5", "--to", "embedded:" + path("log/events")}).status, kFine);
  EXPECT_EQ(std::ranges::count(run({"log", "cat", path("log/events")}).out, '\n'), 5);
  EXPECT_EQ(run({"gen", "product", "--to", path("c.json")}).status, kUsage);
  EXPECT_EQ(run({"gen", "weather", "--count", "1"}).status, kFailed);
}

TEST_F(InFolder, ChecksObjectives) {
  const std::string file = std::string(SUPYO_SOURCE_DIR) + "/examples/product/slo.yaml";
  const Ran good = run({"slo", "check", file, "--interval", "3s", "--bound", "1s"});
  EXPECT_EQ(good.status, kFine) << good.error << good.out;
  EXPECT_EQ(run({"slo", "check", file, "--interval", "1h"}).status, kFailed);
  // The numbers of both documents together: X-5.
  const std::string orders = std::string(SUPYO_SOURCE_DIR) + "/examples/orders/slo.yaml";
  const Ran both = run({"slo", "check", file, orders, "--interval", "3s", "--bound", "1s", "--rate", "2000", "--record-bytes", "1024", "--partitions", "6", "--member-rate", "500", "--repair", "1h"});
  EXPECT_EQ(both.status, kFine) << both.error;
  EXPECT_THAT(both.out, HasSubstr("epochs of 10 s, which it allows, and end-to-end-latency under 5 s cannot both hold: with them p95 is at least 20.5 s; end-to-end-latency allows epochs up to 2.051 s"));
  EXPECT_THAT(both.out, HasSubstr("largest execution.checkpointing.interval that the latency objectives allow: 4.2"));
  EXPECT_THAT(both.out, HasSubstr("smallest retention.ms: 60 min 31 s with 1 h to repair; retention.bytes of a partition: 1,23"));
  EXPECT_THAT(both.out, HasSubstr("most members of the consumer group: 6 (one a partition; more are idle); fewest for this rate: 4"));
  EXPECT_THAT(both.out, HasSubstr("26 s of records, the longest stall that leaves them in time: 52,000 records"));
  EXPECT_EQ(run({"slo", "check", file, orders, "--epoch", "10s"}).status, kFailed);
  EXPECT_EQ(run({"slo", "check", file, "--rate", "2000", "--partitions", "2", "--member-rate", "500"}).status, kFailed) << "four members, two partitions";
  EXPECT_THAT(run({"slo", "check", file, file}).error, HasSubstr("in another file too"));
  const Ran exported = run({"slo", "export", file, orders});
  const std::string again = write("exported.yaml", exported.out);
  EXPECT_EQ(run({"slo", "export", again}).out, exported.out);
  EXPECT_EQ(run({"slo", "rules", file, "--match", "job=\"x\"", "--output", path("rules.yml"), "--tests", path("rules_test.yml")}).status, kFine);
  EXPECT_THAT(read("rules.yml"), HasSubstr("service=\"product-pipeline\",job=\"x\"}[1h]"));
  EXPECT_THAT(read("rules_test.yml"), HasSubstr("rule_files: ['rules.yml']"));
  EXPECT_EQ(run({"slo", "rules", file, "--match", "job"}).status, kUsage);
  EXPECT_EQ(run({"slo", "rules", file, "--tests", path("t.yml")}).status, kUsage);
  EXPECT_EQ(run({"slo", "dashboards", "--output", path("boards/here")}).status, kFine);
  EXPECT_THAT(read("boards/here/end-to-end.json"), HasSubstr("supyo_e2e_latency_seconds"));
  const Ran broken = run({"slo", "check", write("bad.yaml", "apiVersion: openslo/v1\nkind: SLO\nmetadata: [\n")});
  EXPECT_EQ(broken.status, kFailed);
  EXPECT_THAT(broken.error, HasSubstr("SUPYO-1006"));
}

TEST_F(InFolder, ResultsThatAreThereTwiceAreCounted) {
  const std::string objectives = write("slo.yaml", R"(apiVersion: openslo/v1
kind: SLO
metadata: {name: twice, annotations: {supyo.dev/identity: "shop,id"}}
spec:
  indicator: {metadata: {name: twice}, spec: {ratioMetric: {bad: {metricSource: {type: supyo, spec: {measure: duplicate_rate}}}, total: {metricSource: {type: supyo, spec: {measure: duplicate_rate}}}}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{target: 0.99}]
)");
  // Replayed, so that the judge samples hours in no time; what comes last counts, too.
  write("in.csv", "a,1,2026-01-01 00:00:00\nb,1,2026-01-01 01:00:00\na,1,2026-01-01 02:00:00\na,2,2026-01-01 03:00:00\na,1,2026-01-01 04:00:00\nc,9,2026-01-01 08:00:00\n");
  const std::string job = write("job.sql", "SET 'execution.checkpointing.interval' = '10 min';\n"
                                           "CREATE TABLE i (shop STRING, id BIGINT, t TIMESTAMP(3)) WITH ('connector'='filesystem', 'path'='" + path("in.csv") + "', 'format'='csv');\n"
                                           "CREATE TABLE o (shop STRING, id BIGINT, t TIMESTAMP(3)) WITH ('connector'='filesystem', 'path'='" + path("out") + "', 'format'='csv');\n"
                                           "CREATE TABLE other (id BIGINT) WITH ('connector'='blackhole');\n"
                                           "INSERT INTO o SELECT * FROM i;\nINSERT INTO other SELECT id FROM i;\n");
  const Ran ran = run({"run", job, "--slo", objectives, "--json", "--replay", "t"});
  EXPECT_THAT(ran.out, HasSubstr("\"name\":\"twice\",\"verdict\":\"BROKEN\",\"deciding\":false,\"good\":4,\"bad\":2")) << ran.error;
}

TEST_F(InFolder, TheSameResultInTwoTablesIsThereOnceInEach) {
  const std::string objectives = write("slo.yaml", R"(apiVersion: openslo/v1
kind: SLO
metadata: {name: twice, annotations: {supyo.dev/identity: "id"}}
spec:
  indicator: {metadata: {name: twice}, spec: {ratioMetric: {bad: {metricSource: {type: supyo, spec: {measure: duplicate_rate}}}, total: {metricSource: {type: supyo, spec: {measure: duplicate_rate}}}}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{target: 0.99}]
)");
  write("in.csv", "1,2026-01-01 00:00:00\n2,2026-01-01 01:00:00\n3,2026-01-01 02:00:00\n4,2026-01-01 03:00:00\n9,2026-01-01 08:00:00\n");
  const std::string job = write("job.sql", "SET 'execution.checkpointing.interval' = '10 min';\n"
                                           "CREATE TABLE i (id BIGINT, t TIMESTAMP(3)) WITH ('connector'='filesystem', 'path'='" + path("in.csv") + "', 'format'='csv');\n"
                                           "CREATE TABLE o (id BIGINT) WITH ('connector'='blackhole');\nCREATE TABLE other (id BIGINT) WITH ('connector'='blackhole');\n"
                                           "INSERT INTO o SELECT id FROM i;\nINSERT INTO other SELECT id FROM i;\n");
  const Ran ran = run({"run", job, "--slo", objectives, "--json", "--replay", "t"});
  EXPECT_THAT(ran.out, HasSubstr("\"name\":\"twice\",\"verdict\":\"MET\",\"deciding\":false,\"good\":10,\"bad\":0")) << ran.error;
}

TEST_F(InFolder, LabsAreRunByNameOrAllOfThem) {
  EXPECT_THAT(run({"lab", "run"}).error, HasSubstr("which lab?"));
  EXPECT_EQ(run({"lab", "run"}).status, kUsage);
  EXPECT_EQ(run({"lab", "run", "retention-cliff", "--all"}).status, kUsage);
  EXPECT_THAT(run({"lab", "run", "retention-cliff", "--root", "nowhere"}).error, HasSubstr("there is no lab retention-cliff"));   // not: --root is not known
}

TEST_F(InFolder, AJobIsJudgedThatBeganWithoutObjectives) {
  const std::string objectives = write("slo.yaml", R"(apiVersion: openslo/v1
kind: SLO
metadata: {name: results, annotations: {supyo.dev/reference: completion}}
spec:
  indicator: {metadata: {name: results}, spec: {thresholdMetric: {metricSource: {type: supyo, spec: {measure: end_to_end_latency}}}}}
  timeWindow: [{duration: 10m, isRolling: true}]
  objectives: [{op: lt, value: 5, target: 0.95}]
)");
  const std::string job = write("job.sql", "SET 'execution.checkpointing.interval' = '20 ms';\n"
                                           "CREATE TABLE i (id BIGINT, t AS TO_TIMESTAMP_LTZ(id, 3), WATERMARK FOR t AS t) WITH ('connector'='datagen', 'rows-per-second'='1000',"
                                           " 'fields.id.kind'='sequence', 'fields.id.start'='1', 'fields.id.end'='1000000000');\n"
                                           "CREATE TABLE o (w TIMESTAMP_LTZ(3), n BIGINT) WITH ('connector'='blackhole');\n"
                                           "INSERT INTO o SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE i, DESCRIPTOR(t), INTERVAL '1' DAY)) GROUP BY window_start, window_end;\n");
  const auto once = [&](const std::string& state, bool judged) {
    std::vector<std::string> command{"run", job, "--state", path(state), "--for", "300ms"};
    if (judged) command.insert(command.end(), {"--slo", objectives});
    return run(command);
  };
  EXPECT_EQ(once("first", false).status, kFine);
  const Ran judged = once("first", true);
  EXPECT_NE(judged.status, kFailed) << judged.error;
  EXPECT_THAT(judged.error, HasSubstr("begun without --slo"));
  EXPECT_THAT(once("second", true).error, Not(HasSubstr("begun without --slo")));
  EXPECT_EQ(once("second", false).status, kFine) << "its rows still carry their times";
}

TEST(Rows, TablesStayWithinTheirWidths) {
  Schema schema;
  schema.add("name", Type::string());
  schema.add("n", Type::big_int());
  ::testing::internal::CaptureStdout();
  RowPrinter printer(RowFormat::kTable, schema, true);
  printer.add_row({Value{Type::string(), std::string("한글")}, Value{Type::big_int(), std::int64_t{5}}});
  printer.add_row({Value{Type::string(), std::string("a\x1b[31m")}, Value{Type::big_int(), {}}});
  printer.add_row({Value{Type::string(), std::string(100, 'x')}, Value{Type::big_int(), std::int64_t{-12}}});
  printer.finish(-1);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "name" + std::string(44, ' ') + " |    n\n" + std::string(48, '-') + "-+-----\n한글" + std::string(44, ' ') + " |    5\na?[31m" + std::string(42, ' ') + " | NULL\n" +
                std::string(47, 'x') + "… |  -12\n");
}

TEST(Rows, RetractionsTakeEqualRowsBack) {
  Schema schema;
  schema.add("n", Type::big_int());
  ::testing::internal::CaptureStdout();
  RowPrinter printer(RowFormat::kCsv, schema, false);
  for (std::int64_t i = 0; i < 5000; ++i) {
    Batch batch;
    ColumnBuilder column(Type::big_int());
    append_value(column, Value{Type::big_int(), i});
    append_value(column, Value{Type::big_int(), i});
    batch.rows = 2;
    batch.columns = {column.finish()};
    batch.kinds = {RowKind::kInsert, i < 4998 ? RowKind::kDelete : RowKind::kInsert};
    EXPECT_TRUE(printer.add(batch));
  }
  printer.finish(-1);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "n\n4998\n4998\n4999\n4999\n");
}

TEST(Text, JsonStringsAreAlwaysValid) {
  EXPECT_EQ(json_string("a\"\\\n\x01 한\xff"), "\"a\\\"\\\\\\n\\u0001 한\\ufffd\"");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(12), "12");
  EXPECT_EQ(human_duration(320 * kSecond), "5 min 20 s");
  EXPECT_EQ(human_duration(0), "0 s");
}

TEST_F(InFolder, BenchMeasuresBesideItsBaselinesAndLeavesNothing) {
  ::setenv("TMPDIR", folder_.c_str(), 1);
  const Ran table = run({"bench", "--rows", "3000"});
  ::unsetenv("TMPDIR");
  EXPECT_EQ(table.status, kFine) << table.error;
  EXPECT_THAT(table.out, StartsWith("3,000 bids of 7 JSON fields"));
  for (const char* line : {"\npassthrough ", "\ntumble ", "\nsimdjson ", "\nduckdb ", "at least 3 M: too few rows to say", "at least 4 M and DuckDB's"}) EXPECT_THAT(table.out, HasSubstr(line));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  const Ran json = run({"bench", "passthrough", "--rows", "2000", "--json"});
  EXPECT_THAT(json.out, StartsWith("{\"rows\":2000,\"results\":[{\"name\":\"passthrough\",\"rows_per_cpu_second\":"));
  EXPECT_THAT(json.out, testing::Not(HasSubstr("tumble")));
  EXPECT_EQ(run({"bench", "nonsense"}).status, kUsage);
  EXPECT_EQ(run({"bench", "--rows", "0"}).status, kUsage);
  EXPECT_EQ(run({"bench", "latency", "--for", "soon"}).status, kFailed);
}

TEST_F(InFolder, SubmitSaysWhatFlinkCannotDoBeforeItIsAsked) {
  const auto submit = [&](const std::string& sql) { return run({"submit", write("job.sql", sql).c_str(), "--gateway", "http://127.0.0.1:1"}); };
  const Ran embedded = submit("CREATE TABLE t (a INT) WITH ('connector' = 'kafka',\n  'properties.bootstrap.servers' = 'embedded:/log');\nINSERT INTO t SELECT 1;");
  EXPECT_EQ(embedded.status, kFailed);
  EXPECT_THAT(embedded.error, AllOf(HasSubstr("job.sql:2:"), HasSubstr("supyo broker")));
  EXPECT_THAT(submit("SET 'a' = 'b';\nSELECT 1").error, AllOf(HasSubstr("job.sql:2:1"), HasSubstr("INSERT INTO")));
  EXPECT_THAT(submit("INSERT INTO t SELECT 'x").error, HasSubstr("job.sql:1:"));
  EXPECT_THAT(submit("-- nothing").error, HasSubstr("has no statement"));
  EXPECT_THAT(submit("INSERT INTO t SELECT 1").error, AllOf(HasSubstr("no Flink SQL gateway answers"), HasSubstr("supyo stack up flink")));
  EXPECT_EQ(run({"submit"}).status, kUsage);
  EXPECT_EQ(run({"submit", "cancel", "'; DROP"}).status, kUsage);
}

TEST_F(InFolder, GenNamesTargetsThatMakeNoSense) {
  for (const char* target : {"kafka://", "kafka://host:9092", "kafka:///t", "kafka://host:9092/", "kafka://h:1/a/b", "embedded:x", "embedded:x/"})
    EXPECT_EQ(run({"gen", "product", "--count", "1", "--to", target}).status, kUsage) << target;
  EXPECT_EQ(run({"gen", "product", "--count", "1", "--to", path("f"), "--property", "acks=1"}).status, kUsage);
  EXPECT_EQ(run({"gen", "product", "--count", "1", "--to", path("f"), "--ledger", path("l")}).status, kUsage);
  EXPECT_EQ(run({"gen", "product", "--serve", "0", "--to", path("f")}).status, kUsage);
}

TEST(Bench, BidsHaveSevenFields) {
  std::string bids;
  append_bid(bids, 0);
  EXPECT_EQ(bids, R"({"auction":1000,"bidder":2000,"price":0,"channel":"Google","url":"https://shop.example/item.htm?query=0","date_time":"2026-01-01 00:00:00.000","extra":"0000000000000000"})");
  bids += "\n";
  append_bid(bids, 36'000'010);
  EXPECT_THAT(bids, HasSubstr("\"date_time\":\"2026-01-01 01:00:00.001\""));
  bids.reserve(bids.size() + kBarePadding);
  const auto sum = bare_json_loop(bids);
  ASSERT_TRUE(sum) << sum.error().to_string();
  EXPECT_GT(*sum, 0U);
  std::string broken = "{\"auction\":1}";
  broken.reserve(broken.size() + kBarePadding);
  EXPECT_EQ(bare_json_loop(broken).error().code, ErrorCode::kMalformedRecord);
}

}  // namespace
}  // namespace supyo::cli
