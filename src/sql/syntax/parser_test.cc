#include "sql/syntax/parser.h"
#include "sql/syntax/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sql/syntax/diagnostic.h"
#include "sql/syntax/keywords.h"
#include "sql/syntax/printer.h"

namespace supyo::syntax {
namespace {

using ::testing::HasSubstr;

std::string canonical(std::string_view expression) {
  const auto parsed = parse_expression(expression);
  return parsed ? print(*parsed) : parsed.error().to_string();
}

// What the parentheses say must be what the parser understood without them.
TEST(Precedence, IsCalcites) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"a or b and not c = d", "a or (b and (not (c = d)))"},
      {"a = b is null", "(a = b) is null"},
      {"not a is null", "not (a is null)"},
      {"not a in (1)", "not (a in (1))"},
      {"a = b = c", "(a = b) = c"},
      {"a + b * c - d", "(a + (b * c)) - d"},
      {"a || b + c", "(a || b) + c"},
      {"a + b || c", "a + (b || c)"},
      {"-a * b", "(-a) * b"},
      {"-a[1]", "-(a[1])"},
      {"a between b - 1 and c + 1 and d", "(a between (b - 1) and (c + 1)) and d"},
      {"a like b || 'x' and c", "(a like (b || 'x')) and c"},
      {"a is distinct from b + 1 or c", "(a is distinct from (b + 1)) or c"},
      {"a < b and b > c or d <> e", "((a < b) and (b > c)) or (d <> e)"},
      {"x in (1, 2) = true", "(x in (1, 2)) = true"},
      {"ts - interval '1' hour < now()", "(ts - (interval '1' hour)) < now()"}};
  for (const auto& [bare, explicit_form] : cases) {
    EXPECT_EQ(parse_expression(bare).value(), parse_expression(explicit_form).value()) << bare << "\n" << canonical(bare) << "\n" << canonical(explicit_form);
  }
  EXPECT_NE(parse_expression("a - (b - c)").value(), parse_expression("a - b - c").value());
  EXPECT_NE(parse_expression("(a or b) and c").value(), parse_expression("a or b and c").value());
}

TEST(Printer, IsCanonical) {
  EXPECT_EQ(canonical("Not( a  AND(b) )"), "NOT (a AND b)");
  EXPECT_EQ(canonical("((a + b)) * c"), "(a + b) * c");
  EXPECT_EQ(canonical("- - 1"), "- -1");
  EXPECT_EQ(canonical("`a b`.`c``d`"), "`a b`.`c``d`");
  EXPECT_EQ(canonical("count( distinct a ) filter(where b)"), "count(DISTINCT a) FILTER (WHERE b)");
  EXPECT_EQ(canonical("timestamp '2024-01-01 00:00:00'"), "TIMESTAMP '2024-01-01 00:00:00'");
  EXPECT_EQ(canonical("cast(a as integer array)"), "CAST(a AS ARRAY<INT>)");
  EXPECT_EQ(quote_identifier("order"), "`order`");
  EXPECT_EQ(quote_identifier("timestamp"), "`timestamp`");
  EXPECT_EQ(quote_identifier("price_2"), "price_2");
  EXPECT_EQ(quote_identifier("T$late"), "`T$late`");
  EXPECT_EQ(quote_string("it's"), "'it''s'");
}

TEST(Tree, KeepsPositionsOfTheWholeFile) {
  const std::string_view text = "-- first\nCREATE TABLE t (a INT);\n\n  SELECT 한글 +\n b FROM t;";
  const auto script = parse_script(text).value();
  ASSERT_EQ(script.size(), 2u);
  EXPECT_EQ(script[0].span.line, 2);
  EXPECT_EQ(text.substr(script[0].span.begin, script[0].span.end - script[0].span.begin), "CREATE TABLE t (a INT)");
  const Statement& second = script[1];
  EXPECT_EQ(second.span.line, 4);
  EXPECT_EQ(second.span.column, 3);
  EXPECT_EQ(second.span.end_line, 5);
  const auto& select = std::get<Select>(second.as<SelectStatement>()->query->body.node);
  const auto* sum = select.items[0].expr->as<Binary>();
  ASSERT_NE(sum, nullptr);
  EXPECT_EQ(sum->left->span.column, 10);
  EXPECT_EQ(sum->left->span.position().length, 2);  // characters, not bytes
  EXPECT_EQ(sum->right->span.line, 5);
  EXPECT_EQ(sum->right->span.column, 2);
}

TEST(Tree, CreateTable) {
  const auto statement = parse_statement(
      "CREATE TEMPORARY TABLE IF NOT EXISTS c.d.t (id BIGINT PRIMARY KEY NOT ENFORCED, p AS PROCTIME(), o BIGINT METADATA FROM 'offset' VIRTUAL, "
      "WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) PARTITIONED BY (id) WITH ('connector' = 'kafka')").value();
  const auto* table = statement.as<CreateTable>();
  ASSERT_NE(table, nullptr);
  EXPECT_TRUE(table->temporary && table->if_not_exists);
  EXPECT_EQ(table->name.to_string(), "c.d.t");
  ASSERT_EQ(table->columns.size(), 3u);
  EXPECT_EQ(table->columns[0].type->keyword, TypeKeyword::kBigInt);
  EXPECT_EQ(table->columns[1].kind, ColumnDefinition::Kind::kComputed);
  EXPECT_EQ(table->columns[2].kind, ColumnDefinition::Kind::kMetadata);
  EXPECT_EQ(table->columns[2].metadata_key, "offset");
  EXPECT_TRUE(table->columns[2].is_virtual);
  ASSERT_TRUE(table->primary_key);
  EXPECT_EQ(table->primary_key->columns[0].text, "id");
  EXPECT_FALSE(table->primary_key->enforced);
  ASSERT_EQ(table->watermarks.size(), 1u);
  EXPECT_EQ(print(*table->watermarks[0].expr), "ts - INTERVAL '5' SECOND");
  EXPECT_EQ(table->options[0].key, "connector");
  EXPECT_EQ(table->options[0].value, "kafka");
}

TEST(Tree, WindowTableFunction) {
  const auto statement = parse_statement(
      "SELECT * FROM TABLE(HOP(DATA => TABLE db.bid, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '5' MINUTE, SIZE => INTERVAL '1:30' HOUR TO MINUTE)) AS w").value();
  const auto& select = std::get<Select>(statement.as<SelectStatement>()->query->body.node);
  const TableRef& ref = *select.from[0];
  EXPECT_EQ(ref.alias->text, "w");
  const FunctionCall& call = ref.as<TableFunction>()->call;
  EXPECT_EQ(call.upper_name(), "HOP");
  ASSERT_EQ(call.arguments.size(), 4u);
  EXPECT_EQ(call.arguments[0].name->text, "DATA");
  EXPECT_EQ(call.arguments[0].value->as<TableArgument>()->table->to_string(), "db.bid");
  EXPECT_EQ(call.arguments[1].value->as<Descriptor>()->columns[0].text, "ts");
  const auto* size = call.arguments[3].value->as<IntervalLiteral>();
  EXPECT_EQ(size->text, "1:30");
  EXPECT_EQ(size->to, TimeUnit::kMinute);
}

struct BadText {
  std::string_view text;
  int line, column;
  std::string_view message, hint;
};

TEST(Errors, NameThePlaceAndTheRemedy) {
  const BadText cases[] = {
      {"SELCT 1", 1, 1, "expected a statement", "SELECT"},
      {"SELECT a FORM t", 1, 10, "expected FROM, but found FORM", "did you mean FROM?"},
      {"SELECT a FROM t WERE a = 1", 1, 17, "expected WHERE, but found WERE", "WHERE"},
      {"SELECT a\nFROM t\nGRUOP BY a", 3, 1, "expected GROUP", "GROUP"},
      {"SELECT a FROM t ODER BY a", 1, 17, "expected ORDER", "ORDER"},
      {"SELECT a FROM t x JION u ON TRUE", 1, 19, "", "JOIN"},
      {"SELECT a,", 1, 10, "expected an expression, but found the end", ""},
      {"SELECT FROM t", 1, 8, "before FROM", ""},
      {"SELECT order FROM t", 1, 8, "the keyword order", "`order`"},
      {"SELECT (1 + 2 FROM t", 1, 15, "')'", ""},
      {"SELECT a FROM t;\nSELECT 'abc", 2, 8, "never closed", "'"},
      {"SELECT `abc FROM t", 1, 8, "never closed", "`"},
      {"SELECT 1 /* open", 1, 10, "never closed", "*/"},
      {"SELECT \"a\" FROM t", 1, 8, "double quotes", "backticks"},
      {"SELECT \xe2\x80\x98""a\xe2\x80\x99", 1, 8, "curly", "straight"},
      {"SELECT 12abc", 1, 8, "neither a number nor a name", "backticks"},
      {"SELECT '\xff'", 1, 9, "not UTF-8", ""},
      {"SELECT a ! b", 1, 10, "unexpected character '!'", ""},
      {"SELECT X'0g'", 1, 8, "hexadecimal", ""},
      {"SELECT INTERVAL 5.5 MINUTE", 1, 17, "a string", ""},
      {"SELECT INTERVAL '5' MINTUE", 1, 21, "time unit", "MINUTE"},
      {"SELECT INTERVAL '5' MINUTE TO DAY", 1, 31, "larger unit", ""},
      {"SELECT CAST(a AS BIGNT)", 1, 18, "data type", "BIGINT"},
      {"SELECT CAST(a AS TIMESTAMP WITH TIME ZONE)", 1, 28, "WITH TIME ZONE", "TIMESTAMP_LTZ"},
      {"SELECT CASE WHEN a THEN 1", 1, 26, "WHEN, ELSE or END", ""},
      {"SELECT CASE END", 1, 13, "", ""},
      {"SELECT a BETWEEN 1 OR 2", 1, 20, "expected AND", ""},
      {"SELECT a FROM t JOIN u", 1, 23, "ON or USING", ""},
      {"SELECT MAP['a']", 1, 8, "pairs", ""},
      {"SELECT a FROM t LIMIT", 1, 22, "an expression", ""},
      {"CREATE TABEL t (a INT)", 1, 8, "TABLE, VIEW", "TABLE"},
      {"CREATE TABLE t (a INT b INT)", 1, 23, "',' or ')'", ""},
      {"CREATE TABLE t (a INT) WITH ('k' = 5)", 1, 36, "must be a string", "'k' = '5'"},
      {"CREATE TABLE t (a INT) WITH (k = 'v')", 1, 30, "'key' = 'value'", ""},
      {"CREATE TABLE t (a INT PRIMARY KEY NOT ENFORCED, PRIMARY KEY (a) NOT ENFORCED)", 1, 49, "second", ""},
      {"CREATE TABLE IF EXISTS t (a INT)", 1, 17, "NOT EXISTS", ""},
      {"INSERT t SELECT 1", 1, 8, "INTO", ""},
      {"TABLE", 1, 6, "a table name", ""},
      {"INSERT INTO t", 1, 14, "SELECT, VALUES or WITH", ""},
      {"SET execution.runtime-mode = two words", 1, 34, "found words", ""},
      {"SHOW TABELS", 1, 6, "TABLES", "TABLES"},
      {"EXPLAIN SELCT 1", 1, 9, "", "SELECT"},
      {"EXECUTE STATEMENT SET BEGIN END", 1, 29, "INSERT", ""},
      {"EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1 END", 1, 52, "';'", ""},
      {"SELECT 1 SELECT 2", 1, 10, "';'", ""},
      {"SELECT a FROM t /*+ OPTIONS('a'='b' */", 1, 37, "", ""}};
  for (const BadText& bad : cases) {
    const auto result = parse_script(bad.text);
    ASSERT_FALSE(result) << bad.text;
    const Error& error = result.error();
    EXPECT_TRUE(error.code == ErrorCode::kSyntax || error.code == ErrorCode::kUnsupported) << bad.text;
    ASSERT_TRUE(error.position) << bad.text;
    EXPECT_EQ(error.position->line, bad.line) << bad.text << "\n" << render_diagnostic(bad.text, error);
    EXPECT_EQ(error.position->column, bad.column) << bad.text << "\n" << render_diagnostic(bad.text, error);
    EXPECT_THAT(error.message, HasSubstr(std::string(bad.message))) << bad.text;
    EXPECT_THAT(error.hint, HasSubstr(std::string(bad.hint))) << bad.text;
  }
}

TEST(Errors, WhatFlinkHasAndSupyoHasNotIsNamed) {
  for (const auto& [text, name] : {std::pair("DELETE FROM t", "DELETE"), std::pair("UPDATE t SET a = 1", "UPDATE"), std::pair("ADD JAR 'x'", "ADD"),
                                   std::pair("CREATE MODEL m", "MODEL"),
                                   std::pair("ANALYZE TABLE t COMPUTE STATISTICS", "ANALYZE"),
                                   std::pair("CREATE OR REPLACE TABLE t (a INT)", "REPLACE")}) {
    const auto result = parse_script(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, ErrorCode::kUnsupported) << text;
    EXPECT_THAT(result.error().message, HasSubstr(name)) << text;
    EXPECT_FALSE(result.error().hint.empty()) << text;
  }
}

TEST(Diagnostic, PointsWithACaret) {
  const std::string_view text = "SELECT 1;\n\tSELECT 한글 FORM t\n";
  const Error error = parse_script(text).error();
  EXPECT_EQ(render_diagnostic(text, error, "a.sql"),
            "SUPYO-2001 SYNTAX: expected FROM, but found FORM\n"
            " --> a.sql:2:12\n"
            "  |\n"
            "2 |  SELECT 한글 FORM t\n"
            "  |              ^^^^\n"
            "  = hint: did you mean FROM?");
  EXPECT_THAT(render_diagnostic("", Error{ErrorCode::kIo, "m", "h"}), HasSubstr("SUPYO-6001"));
  const std::string long_line = "SELECT " + std::string(5000, 'a') + " FORM t";
  EXPECT_LT(render_diagnostic(long_line, parse_script(long_line).error()).size(), 600u);
  Error beyond{ErrorCode::kSyntax, "m", "", SourcePosition{99, 99, 5}};
  EXPECT_THAT(render_diagnostic("x", beyond), HasSubstr("^"));
  EXPECT_THAT(render_diagnostic("a\x1b[31mb FORM", Error{ErrorCode::kSyntax, "m", "", SourcePosition{1, 1, 1}}), HasSubstr("a?[31mb"));
}

TEST(Diagnostic, NearestWord) {
  EXPECT_EQ(nearest_word("form", {"FROM", "WHERE"}), "FROM");
  EXPECT_EQ(nearest_word("prcie", {"price", "stock"}), "price");
  EXPECT_EQ(nearest_word("zzz", {"price", "stock"}), "");
  EXPECT_EQ(nearest_word("t", {"u"}), "");
  EXPECT_EQ(nearest_word("ab", {"xy"}), "");
}

TEST(Variables, AreReplaced) {
  const std::map<std::string, std::string, std::less<>> variables{{"DIR", "/tmp/x"}, {"N", "5"}};
  EXPECT_EQ(substitute_variables("SET 'path' = '${DIR}/a'; SELECT ${N} -- ${UNKNOWN} it's\n, `${N}` /* ${X} */", variables).value(),
            "SET 'path' = '/tmp/x/a'; SELECT 5 -- ${UNKNOWN} it's\n, `5` /* ${X} */");
  EXPECT_EQ(substitute_variables("'${env:TOKEN}' '${file:/x}' $N '--${N}'", variables).value(), "'${env:TOKEN}' '${file:/x}' $N '--5'");
  const auto unknown = substitute_variables("SELECT\n  한 '${DRI}'", variables);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().position->line, 2);
  EXPECT_EQ(unknown.error().position->column, 6);
  EXPECT_THAT(unknown.error().hint, HasSubstr("${DIR}"));
  EXPECT_THAT(substitute_variables("${Q}", variables).error().hint, HasSubstr("--var Q="));
  EXPECT_FALSE(substitute_variables("${N", variables));
  EXPECT_FALSE(substitute_variables("${}", variables));
  EXPECT_FALSE(substitute_variables("${a b}", variables));
}

TEST(Shell, KnowsWhenAStatementIsUnfinished) {
  for (const std::string_view open : {"SELECT 1", "SELECT 'a;", "SELECT 1; SELECT", "SELECT `a", "SELECT 1 /* ;", "EXECUTE STATEMENT SET BEGIN",
                                      "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1;", "BEGIN STATEMENT SET; INSERT INTO a SELECT 1;",
                                      "STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN TRUE THEN 1 END;"})
    EXPECT_TRUE(needs_more_input(open)) << open;
  for (const std::string_view done : {"", "  ", "-- x", "SELECT 1;", "SELECT ';';", "SELECT 1; -- and", "SELECT \"x\"", "SELECT CASE WHEN TRUE THEN 1 END;",
                                      "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; END;", "BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END;"})
    EXPECT_FALSE(needs_more_input(done)) << done;
}

TEST(SplitStatements, BySemicolonsThatEndOne) {
  const auto texts = [](std::string_view script) {
    std::vector<std::string> out;
    for (const StatementText& s : split_statements(script).value()) out.push_back(s.first_word + "|" + std::string(s.text));
    return out;
  };
  EXPECT_EQ(texts("-- a; b\nset 'a;b' = 'x''; y';  ;INSERT INTO `t;u` /* ; */ SELECT 1;"),
            (std::vector<std::string>{"SET|set 'a;b' = 'x''; y'", "INSERT|INSERT INTO `t;u` /* ; */ SELECT 1"}));
  EXPECT_EQ(texts("EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END; SHOW JOBS"),
            (std::vector<std::string>{"EXECUTE|EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END", "SHOW|SHOW JOBS"}));
  EXPECT_EQ(texts("what we know nothing of: ?"), (std::vector<std::string>{"WHAT|what we know nothing of: ?"}));
  EXPECT_TRUE(texts(" ;; -- nothing").empty());
  EXPECT_EQ(split_statements("SELECT 'x").error().code, ErrorCode::kSyntax);
  EXPECT_EQ(split_statements("SET 'a' = '1';\n INSERT INTO t SELECT 1").value()[1].span.position().line, 2);
}

}  // namespace
}  // namespace supyo::syntax
