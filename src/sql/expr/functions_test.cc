#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include "data/types/builder.h"
#include "data/types/nested.h"
#include "sql/expr/expr.h"
#include "sql/expr/registry.h"

namespace supyo::expr {
namespace {

Value text(std::string v) { return {.type = Type::string().not_null(), .data = std::move(v)}; }
Value integer(std::int64_t v) { return {.type = Type::integer().not_null(), .data = v}; }
Value big(std::int64_t v) { return {.type = Type::big_int().not_null(), .data = v}; }
Value real(double v) { return {.type = Type::double_().not_null(), .data = v}; }
Value decimal(const std::string& s, int p, int scale) { return {.type = Type::decimal(p, scale).not_null(), .data = *parse_decimal(s, p, scale)}; }
Value time_of(const std::string& s) { return {.type = Type::timestamp(3).not_null(), .data = *parse_timestamp(s)}; }
Value instant(const std::string& s) { return {.type = Type::timestamp_ltz(3).not_null(), .data = *parse_timestamp(s)}; }
Value date(const std::string& s) { return {.type = Type::date().not_null(), .data = std::int64_t{*parse_date(s)}}; }
Value days(std::int64_t n) { return {.type = Type::interval_day().not_null(), .data = n * kDay}; }
Value months(std::int64_t n) { return {.type = Type::interval_month().not_null(), .data = n}; }
Value null_text() { return {.type = Type::string(), .data = {}}; }

class FunctionsTest : public ::testing::Test {
 protected:
  Result<ExprPtr> bind(const std::string& name, std::vector<ExprPtr> args) {
    std::vector<Type> types;
    for (const ExprPtr& a : args) types.push_back(a->type);
    SUPYO_ASSIGN(const ResolvedCall r, registry_.resolve(name, types));
    for (std::size_t i = 0; i < args.size(); ++i) {
      if (!args[i]->type.same_kind(r.arg_types[i])) args[i] = cast(args[i], r.arg_types[i]);
    }
    return call(r.function, std::move(args), r.result);
  }
  std::string of(const std::string& name, const std::vector<Value>& args, EvalContext ctx = {}) {
    std::vector<ExprPtr> exprs;
    for (const Value& v : args) exprs.push_back(literal(v));
    const auto e = bind(name, exprs);
    if (!e) return e.error().to_string();
    Batch one;
    one.rows = 1;
    const auto c = evaluate(**e, one, ctx);
    if (!c) return std::string(error_name(c.error().code));
    return value_at(**c, 0).to_string();
  }
  FunctionRegistry registry_;
};

TEST_F(FunctionsTest, Printf) {
  EXPECT_EQ(of("PRINTF", {text("%d %s %5.2f"), integer(1), text("a"), real(2.5)}), "1 a  2.50");
  EXPECT_EQ(of("PRINTF", {text("%2$s %1$s %<s"), text("a"), text("b")}), "b a a");
  EXPECT_EQ(of("PRINTF", {text("%,d|%+05d|%(d|% d"), integer(1234567), integer(42), integer(-5), integer(5)}), "1,234,567|+0042|(5)| 5");
  EXPECT_EQ(of("PRINTF", {text("%x|%x|%#X|%o"), integer(-1), big(-1), integer(255), integer(8)}), "ffffffff|ffffffffffffffff|0XFF|10");
  EXPECT_EQ(of("PRINTF", {text("%-6s|%.2s|%S|%%"), text("ab"), text("éab"), text("abc")}), "ab    |éa|ABC|%");
  EXPECT_EQ(of("PRINTF", {text("%e %g %g"), real(1234.5), real(0.00012345), real(1e10)}), "1.234500e+03 0.000123450 1.00000e+10");
  EXPECT_EQ(of("PRINTF", {text("%.3f %.0f %.1f %f"), real(2.0005), real(0.5), real(-99.95), real(1e-9)}), "2.001 1 -100.0 0.000000");
  EXPECT_EQ(of("PRINTF", {text("%s %d %b %c"), null_text(), null_text(), null_text(), integer(0x1f600)}), "null null false 😀");
  EXPECT_EQ(of("PRINTF", {text("%s %s"), date("2020-01-01"), time_of("2020-01-01 00:00:01.500")}), "18262 2020-01-01T00:00:01.500");
  for (const char* wrong : {"%d", "%q", "%", "%.2d", "%-s", "%s %s", "%++d", "%05s"}) EXPECT_EQ(of("PRINTF", {text(wrong), text("x")}), "NULL") << wrong;
  EXPECT_EQ(of("PRINTF", {text("%tY"), integer(1)}), "UNSUPPORTED");
}

TEST_F(FunctionsTest, Charsets) {
  const auto bytes = [](std::string v) { return Value{.type = Type::bytes().not_null(), .data = std::move(v)}; };
  EXPECT_EQ(of("DECODE", {bytes("a\xc3\xa9"), text("UTF-8")}), "aé");
  EXPECT_EQ(of("DECODE", {bytes("a\xe9"), text("utf-8")}), "a\ufffd");
  EXPECT_EQ(of("DECODE", {bytes("a\xe9"), text("ISO-8859-1")}), "aé");
  EXPECT_EQ(of("DECODE", {bytes("a\xe9"), text("US-ASCII")}), "a\ufffd");
  EXPECT_EQ(of("DECODE", {bytes(std::string("\xff\xfe\x61\x00", 4)), text("UTF-16")}), "a");
  EXPECT_EQ(of("DECODE", {bytes(std::string("\xd8\x3d\xde\x00\xd8\x00\x00", 7)), text("UTF-16")}), "😀\ufffd\ufffd");
  EXPECT_EQ(of("DECODE", {bytes("a"), text("nope")}), "ARITHMETIC");
  for (const char* charset : {"UTF-8", "UTF-16", "UTF-16BE", "UTF-16LE"}) {
    const auto encoded = *bind("ENCODE", {literal(text("aé😀")), literal(text(charset))});
    Batch one;
    one.rows = 1;
    EXPECT_EQ(of("DECODE", {bytes(std::string((*evaluate(*encoded, one, {}))->text(0))), text(charset)}), "aé😀") << charset;
  }
}

TEST_F(FunctionsTest, OneOfSeveralAndTypes) {
  EXPECT_EQ(of("ELT", {integer(2), text("a"), text("bcd")}), "bcd");
  EXPECT_EQ(of("ELT", {integer(0), text("a")}), "NULL");
  EXPECT_EQ(of("ELT", {integer(2), text("a")}), "NULL");
  EXPECT_EQ(of("TYPEOF", {integer(1)}), "INT NOT NULL");
  EXPECT_EQ(of("TYPEOF", {null_text()}), "STRING");
  EXPECT_EQ(of("TYPEOF", {null_text(), {.type = Type::boolean().not_null(), .data = true}}), "VARCHAR(2147483647)");
  EXPECT_EQ(of("REGEXP_EXTRACT_ALL", {text("100-200, 300-400"), text("(\\d+)-(\\d+)")}), "[100, 300]");
  EXPECT_EQ(of("REGEXP_EXTRACT_ALL", {text("100-200, 300-400"), text("(\\d+)-(\\d+)"), integer(0)}), "[100-200, 300-400]");
  EXPECT_EQ(of("REGEXP_EXTRACT_ALL", {text("ab"), text("a|(b)")}), "[NULL, b]");
  EXPECT_EQ(of("REGEXP_EXTRACT_ALL", {text("ab"), text(""), integer(0)}), "[, , ]");
  EXPECT_EQ(of("REGEXP_EXTRACT_ALL", {text("ab"), text("b")}), "NULL");
  EXPECT_EQ(of("REGEXP_EXTRACT_ALL", {text("ab"), text("(a)"), integer(-1)}), "NULL");
}

TEST_F(FunctionsTest, Text) {
  EXPECT_EQ(of("UPPER", {text("straße é жук")}), "STRASSE É ЖУК");
  EXPECT_EQ(of("UPPER", {text("žňęÿµ ώς ђѕ ﬁn ế ｚ")}), "ŽŇĘŸΜ ΏΣ ЂЅ FIN Ế Ｚ");
  EXPECT_EQ(of("LOWER", {text("ŽŇĘŸ ΏΣ ЂЅ İI Ế Ｚ")}), "žňęÿ ώσ ђѕ i\u0307i ế ｚ");
  EXPECT_EQ(of("LOCATE", {text("b"), text("ab"), integer(-3)}), "2");
  EXPECT_EQ(of("REPLACE", {text("é1"), text(""), text("-")}), "-é-1-");
  EXPECT_EQ(of("SPLIT_INDEX", {text(""), text(","), integer(0)}), "NULL");
  EXPECT_EQ(of("REGEXP", {text("abc"), text("")}), "false");
  EXPECT_EQ(of("LOWER", {text("ABC ÄÖ")}), "abc äö");
  EXPECT_EQ(of("CHAR_LENGTH", {text("héé")}), "3");
  EXPECT_EQ(of("SUBSTRING", {text("héllo"), integer(2), integer(3)}), "éll");
  EXPECT_EQ(of("SUBSTRING", {text("hello"), integer(-3)}), "llo");
  EXPECT_EQ(of("SUBSTRING", {text("hello"), integer(0), integer(2)}), "he");
  EXPECT_EQ(of("SUBSTRING", {text("hello"), integer(9)}), "");
  EXPECT_EQ(of("CONCAT", {text("a"), text("b"), null_text()}), "NULL");
  EXPECT_EQ(of("CONCAT_WS", {text("-"), text("a"), null_text(), text("b")}), "a-b");
  EXPECT_EQ(of("||", {text("a"), text("b")}), "ab");
  EXPECT_EQ(of("REPLACE", {text("aXbXc"), text("X"), text("--")}), "a--b--c");
  EXPECT_EQ(of("POSITION", {text("lo"), text("hello")}), "4");
  EXPECT_EQ(of("LOCATE", {text("l"), text("hello"), integer(4)}), "4");
  EXPECT_EQ(of("INSTR", {text("hello"), text("z")}), "0");
  EXPECT_EQ(of("LPAD", {text("hi"), integer(5), text("ab")}), "abahi");
  EXPECT_EQ(of("RPAD", {text("hello"), integer(2), text("ab")}), "he");
  EXPECT_EQ(of("REPEAT", {text("ab"), integer(3)}), "ababab");
  EXPECT_EQ(of("REPEAT", {text("ab"), integer(2147483647)}), "ARITHMETIC");
  EXPECT_EQ(of("REVERSE", {text("aéb")}), "béa");
  EXPECT_EQ(of("LEFT", {text("hello"), integer(2)}), "he");
  EXPECT_EQ(of("RIGHT", {text("hello"), integer(2)}), "lo");
  EXPECT_EQ(of("TRIM", {text("  x ")}), "x");
  EXPECT_EQ(of("TRIM", {text("xxaxx"), text("x")}), "a");
  EXPECT_EQ(of("LTRIM", {text("xxaxx"), text("x")}), "axx");
  EXPECT_EQ(of("RTRIM", {text("axyyx"), text("xy")}), "a");
  EXPECT_EQ(of("SPLIT_INDEX", {text("a,b,c"), text(","), integer(2)}), "c");
  EXPECT_EQ(of("SPLIT_INDEX", {text("a,b,c"), text(","), integer(3)}), "NULL");
  EXPECT_EQ(of("SPLIT_INDEX", {text(""), text(","), integer(0)}), "NULL");
  EXPECT_EQ(of("SPLIT_INDEX", {text(",a"), text(","), integer(0)}), "");
  EXPECT_EQ(of("SUPYO_COUNT_CHAR", {text("abcabc"), text("cd")}), "2");
  EXPECT_EQ(of("SUPYO_COUNT_CHAR", {text("abc"), text("")}), "0");
  EXPECT_EQ(of("OVERLAY", {text("xxxxxtest"), text("xxxx"), integer(6)}), "xxxxxxxxx");
  EXPECT_EQ(of("INITCAP", {text("hello WORLD")}), "Hello World");
  EXPECT_EQ(of("ASCII", {text("A")}), "65");
  EXPECT_EQ(of("CHR", {big(97)}), "a");
  EXPECT_EQ(of("STARTSWITH", {text("hello"), text("he")}), "true");
  EXPECT_EQ(of("ENDSWITH", {text("hello"), text("he")}), "false");
}

TEST_F(FunctionsTest, Patterns) {
  const auto like = [&](const std::string& s, const std::string& p) { return of("LIKE", {text(s), text(p)}); };
  EXPECT_EQ(like("hello", "h%o"), "true");
  EXPECT_EQ(like("hello", "h_llo"), "true");
  EXPECT_EQ(like("héllo", "h_llo"), "true");
  EXPECT_EQ(like("hello", "%l%l%"), "true");
  EXPECT_EQ(like("hello", "%l%l%l%"), "false");
  EXPECT_EQ(like("aab", "%ab"), "true");
  EXPECT_EQ(like("ababac", "%ab_c"), "true");
  EXPECT_EQ(like("", "%"), "true");
  EXPECT_EQ(like("", "_"), "false");
  EXPECT_EQ(like("abc", "abc%"), "true");
  EXPECT_EQ(like("abc", "ab"), "false");
  EXPECT_EQ(like("mississippi", "%iss_pp%i"), "true");
  EXPECT_EQ(of("LIKE", {text("50%"), text("50!%"), text("!")}), "true");
  EXPECT_EQ(of("LIKE", {text("500"), text("50!%"), text("!")}), "false");
  EXPECT_EQ(of("LIKE", {text("500"), text("50!0"), text("!")}), "ARITHMETIC");
  EXPECT_EQ(of("REGEXP_EXTRACT", {text("foothebar"), text("foo(.*?)(bar)"), integer(2)}), "bar");
  EXPECT_EQ(of("REGEXP_EXTRACT", {text("foothebar"), text("zzz")}), "NULL");
  EXPECT_EQ(of("REGEXP_REPLACE", {text("foobar"), text("oo|ar"), text("$1")}), "f$1b$1");
  EXPECT_EQ(of("REGEXP_REPLACE", {text("foobar"), text("(("), text("")}), "NULL");
  EXPECT_EQ(of("REGEXP_COUNT", {text("abcabc"), text("b.")}), "2");
  EXPECT_EQ(of("REGEXP", {text("abc"), text("^b")}), "false");
  EXPECT_EQ(of("SIMILAR TO", {text("abc"), text("(a|x)_c%")}), "true");
}

TEST_F(FunctionsTest, LikeEqualsItsRegularExpression) {
  std::mt19937 random(7);
  for (int i = 0; i < 4000; ++i) {
    std::string s;
    std::string pattern;
    for (auto n = random() % 9; n > 0; --n) s += static_cast<char>('a' + random() % 2);
    std::string regex = "^";
    for (auto n = random() % 7; n > 0; --n) {
      const auto k = random() % 5;
      const char c = static_cast<char>('a' + random() % 2);
      pattern += k == 0 ? '%' : (k == 1 ? '_' : c);
      regex += k == 0 ? std::string(".*") : (k == 1 ? std::string(".") : std::string(1, c));
    }
    EXPECT_EQ(of("LIKE", {text(s), text(pattern)}), of("REGEXP", {text(s), text(regex + "$")})) << s << " LIKE " << pattern;
  }
}

TEST_F(FunctionsTest, Digests) {
  EXPECT_EQ(of("MD5", {text("abc")}), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(of("SHA256", {text("abc")}), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(of("SHA2", {text("abc"), integer(224)}), of("SHA224", {text("abc")}));
  EXPECT_EQ(of("SHA2", {text("abc"), integer(1)}), "ARITHMETIC");
  EXPECT_EQ(of("TO_BASE64", {text("hello world")}), "aGVsbG8gd29ybGQ=");
  EXPECT_EQ(of("FROM_BASE64", {text("aGVsbG8gd29ybGQ=")}), "hello world");
  EXPECT_EQ(of("HEX", {big(255)}), "FF");
  EXPECT_EQ(of("URL_ENCODE", {text("a b&é~/*.-_")}), "a+b%26%C3%A9%7E%2F*.-_");
  EXPECT_EQ(of("URL_DECODE", {text("a+b%26%C3%a9")}), "a b&é");
  for (const char* bad : {"%", "%4", "%zz", "x%C3", "%ff"}) EXPECT_EQ(of("URL_DECODE", {text(bad)}), "NULL") << bad;
  EXPECT_EQ(of("TRANSLATE", {text("www.apache.org"), text("wapcheorg"), text(" APCHEcom")}), "   .APACHE.com");
  EXPECT_EQ(of("TRANSLATE", {text("añb"), text("ñba"), text("nB")}), "nB");
  EXPECT_EQ(of("TRANSLATE", {text("abc"), null_text(), text("x")}), "abc");
  EXPECT_EQ(of("TRANSLATE", {text("abc"), text("b"), null_text()}), "ac");
}

TEST_F(FunctionsTest, Numbers) {
  EXPECT_EQ(of("ABS", {integer(-5)}), "5");
  EXPECT_EQ(of("ABS", {decimal("-5.20", 5, 2)}), "5.20");
  EXPECT_EQ(of("CEIL", {decimal("5.20", 5, 2)}), "6");
  EXPECT_EQ(of("FLOOR", {decimal("-5.20", 5, 2)}), "-6");
  EXPECT_EQ(of("FLOOR", {real(-1.5)}), "-2.0");
  EXPECT_EQ(of("ROUND", {real(2.675), integer(2)}), "2.68");
  EXPECT_EQ(of("ROUND", {real(-2.5)}), "-3.0");
  EXPECT_EQ(of("ROUND", {integer(1250), integer(-2)}), "1300");
  EXPECT_EQ(of("ROUND", {decimal("1.255", 6, 3), integer(2)}), "1.26");
  EXPECT_EQ(of("ROUND", {decimal("9.99", 3, 2), integer(1)}), "10.0");
  EXPECT_EQ(of("ROUND", {decimal("1299.99", 6, 2), integer(-2)}), "1300");
  EXPECT_EQ(of("TRUNCATE", {decimal("-1.259", 6, 3), integer(2)}), "-1.25");
  EXPECT_EQ(of("ROUND", {decimal("9.99", 3, 2)}), "10");
  EXPECT_EQ(of("TRUNCATE", {real(42.324), integer(2)}), "42.32");
  EXPECT_EQ(of("TRUNCATE", {integer(-1299), integer(-2)}), "-1200");
  EXPECT_EQ(of("POWER", {integer(2), integer(10)}), "1024.0");
  EXPECT_EQ(of("SQRT", {integer(16)}), "4.0");
  EXPECT_EQ(of("LOG", {integer(2), integer(8)}), "3.0");
  EXPECT_EQ(of("SIGN", {decimal("-5.20", 5, 2)}), "-1.00");
  EXPECT_EQ(of("MOD", {integer(7), integer(0)}), "ARITHMETIC");
  EXPECT_EQ(of("PI", {}), "3.141592653589793");
}

TEST_F(FunctionsTest, Times) {
  const Value t = time_of("2024-02-29 13:45:56.789");
  EXPECT_EQ(of("EXTRACT", {text("YEAR"), t}), "2024");
  EXPECT_EQ(of("EXTRACT", {text("DOW"), t}), "5");
  EXPECT_EQ(of("EXTRACT", {text("DOY"), t}), "60");
  EXPECT_EQ(of("EXTRACT", {text("WEEK"), date("2021-01-03")}), "53");
  EXPECT_EQ(of("EXTRACT", {text("ISOYEAR"), date("2021-01-03")}), "2020");
  EXPECT_EQ(of("EXTRACT", {text("fortnight"), t}), "ARITHMETIC");
  EXPECT_EQ(of("QUARTER", {date("1994-09-27")}), "3");
  EXPECT_EQ(of("HOUR", {instant("2024-02-29 23:45:56")}, {.zone = Zone::fixed(9 * kHour)}), "8");
  EXPECT_EQ(of("FLOOR", {t, text("HOUR")}), "2024-02-29 13:00:00.000");
  EXPECT_EQ(of("FLOOR", {t, text("MONTH")}), "2024-02-01 00:00:00.000");
  EXPECT_EQ(of("CEIL", {t, text("YEAR")}), "2025-01-01 00:00:00.000");
  EXPECT_EQ(of("FLOOR", {time_of("1969-12-31 23:59:59.5"), text("SECOND")}), "1969-12-31 23:59:59.000");
  EXPECT_EQ(of("FLOOR", {t, text("WEEK")}), "2024-02-25 00:00:00.000");
  EXPECT_EQ(of("TIMESTAMPADD", {text("MONTH"), integer(12), t}), "2025-02-28 13:45:56.789");
  EXPECT_EQ(of("TIMESTAMPADD", {text("HOUR"), integer(5), date("2003-01-02")}), "2003-01-02 05:00:00.000");
  EXPECT_EQ(of("TIMESTAMPADD", {text("WEEK"), integer(1), date("2003-01-02")}), "2003-01-09");
  EXPECT_EQ(of("TIMESTAMPDIFF", {text("DAY"), time_of("2003-01-02 10:00:00"), time_of("2003-01-03 10:00:00")}), "1");
  EXPECT_EQ(of("TIMESTAMPDIFF", {text("MONTH"), time_of("2024-01-31 00:00:00"), time_of("2024-02-29 00:00:00")}), "1");
  EXPECT_EQ(of("TIMESTAMPDIFF", {text("MONTH"), time_of("2024-01-30 12:00:00"), time_of("2024-02-29 11:00:00")}), "0");
  EXPECT_EQ(of("TIMESTAMPDIFF", {text("MONTH"), time_of("2024-02-29 00:00:00"), time_of("2024-01-31 00:00:00")}), "-1");
  EXPECT_EQ(of("EXTRACT", {text("MILLISECOND"), time_of("2024-02-29 10:11:12.345")}), "345");
  EXPECT_EQ(of("+", {t, days(1)}), "2024-03-01 13:45:56.789");
  EXPECT_EQ(of("-", {t, months(12)}), "2023-02-28 13:45:56.789");
  EXPECT_EQ(of("+", {months(1), date("2024-01-31")}), "2024-02-29");
  EXPECT_EQ(of("*", {days(2), integer(3)}), of("+", {days(3), days(3)}));
}

TEST_F(FunctionsTest, TimesAsText) {
  const Value t = time_of("2024-02-29 13:45:56.789");
  EXPECT_EQ(of("DATE_FORMAT", {t, text("yyyy-MM-dd'T'HH:mm:ss.SSS")}), "2024-02-29T13:45:56.789");
  EXPECT_EQ(of("DATE_FORMAT", {t, text("EEE d MMM yy hh:mm a")}), "Thu 29 Feb 24 01:45 PM");
  EXPECT_EQ(of("DATE_FORMAT", {t, text("yyyyyy DDDD SSSSSSSSS S")}), "002024 0060 789000000 7");
  EXPECT_EQ(of("DATE_FORMAT", {text("2024-02-29 13:45:56"), text("yyyyMMdd")}), "20240229");
  EXPECT_EQ(of("DATE_FORMAT", {t, text("yyyy-zz")}), "ARITHMETIC");
  EXPECT_EQ(of("TO_TIMESTAMP", {text("2024-02-29 13:45:56.7899")}), "2024-02-29 13:45:56.789");
  EXPECT_EQ(of("TO_TIMESTAMP", {text("29/02/2024 1:45 PM"), text("dd/MM/yyyy h:mm a")}), "2024-02-29 13:45:00.000");
  EXPECT_EQ(of("TO_TIMESTAMP", {text("20240229134556"), text("yyyyMMddHHmmss")}), "2024-02-29 13:45:56.000");
  EXPECT_EQ(of("TO_TIMESTAMP", {text("2023-02-29 00:00:00"), text("yyyy-MM-dd HH:mm:ss")}), "NULL");
  EXPECT_EQ(of("TO_TIMESTAMP", {text("soon")}), "NULL");
  EXPECT_EQ(of("TO_DATE", {text("2024-02-29")}), "2024-02-29");
  EXPECT_EQ(of("TO_TIMESTAMP_LTZ", {big(1000), integer(0)}), "1970-01-01 00:16:40.000");
  EXPECT_EQ(of("TO_TIMESTAMP_LTZ", {big(1000), integer(3)}), "1970-01-01 00:00:01.000");
  EXPECT_EQ(of("TO_TIMESTAMP_LTZ", {text("1970-01-01 09:00:00")}, {.zone = Zone::fixed(9 * kHour)}), "1970-01-01 09:00:00.000");
  EXPECT_EQ(of("TO_TIMESTAMP_LTZ", {big(INT64_MAX), integer(3)}), "NULL");
  EXPECT_EQ(of("TO_TIMESTAMP_LTZ", {big(253402300799), integer(0)}), "9999-12-31 23:59:59.000");
  EXPECT_EQ(of("FROM_UNIXTIME", {big(INT64_MIN)}), "NULL");
  EXPECT_EQ(of("FROM_UNIXTIME", {big(44)}, {.zone = Zone::fixed(9 * kHour)}), "1970-01-01 09:00:44");
  EXPECT_EQ(of("UNIX_TIMESTAMP", {text("1970-01-01 09:00:44")}, {.zone = Zone::fixed(9 * kHour)}), "44");
  EXPECT_EQ(of("CURRENT_DATE", {}, {.now_us = 16 * kHour, .zone = Zone::fixed(9 * kHour)}), "1970-01-02");
  EXPECT_EQ(of("NOW", {}, {.now_us = 1234567}), "1970-01-01 00:00:01.234");
  EXPECT_EQ(of("CURRENT_WATERMARK", {t}), "NULL");
}

TEST_F(FunctionsTest, NothingThatReadsTheSessionIsFolded) {
  const auto hour = bind("HOUR", {literal(instant("2024-01-01 00:00:00"))});
  EXPECT_EQ(fold_constants(*hour)->kind, Expr::Kind::kCall);
  const auto now = bind("NOW", {});
  EXPECT_EQ(fold_constants(*now)->kind, Expr::Kind::kCall);
  const auto upper = bind("UPPER", {literal(text("a"))});
  EXPECT_EQ(fold_constants(*upper)->kind, Expr::Kind::kLiteral);
}

TEST_F(FunctionsTest, ReferenceIsCurrent) {
  const std::string path = std::string(SUPYO_SOURCE_DIR) + "/docs/reference/functions.md";
  if (std::getenv("SUPYO_UPDATE") != nullptr) std::ofstream(path) << functions_reference(registry_);
  std::ostringstream current;
  current << std::ifstream(path).rdbuf();
  EXPECT_EQ(current.str(), functions_reference(registry_)) << "renew it: SUPYO_UPDATE=1 and this test";
}

// ---- every function: what a batch gives equals what its rows give one by one

const std::vector<Type>& sample_types() {
  static const std::vector<Type> types = {Type::boolean(),     Type::tiny_int(),   Type::integer(), Type::big_int(),      Type::float_(),       Type::double_(),
                                          Type::decimal(9, 2), Type::string(),     Type::date(),    Type::timestamp(3),   Type::timestamp_ltz(3), Type::time(0),
                                          Type::interval_day(), Type::interval_month(), Type::small_int(), Type::bytes()};
  return types;
}

const std::vector<Type>& nested_types() {
  static const std::vector<Type> types = {Type::array(Type::integer()), Type::array(Type::string()), Type::map(Type::string(), Type::integer()),
                                          Type::row({"a", "b"}, {Type::integer(), Type::string()}), Type::array(Type::row({"k", "v"}, {Type::string(), Type::integer()}))};
  return types;
}

/// The ends of a type's range; false where it has none worth trying.
bool append_extreme(ColumnBuilder& b, bool least) {
  switch (b.type().id) {
    case TypeId::kTinyInt: b.append(static_cast<std::int8_t>(least ? INT8_MIN : INT8_MAX)); return true;
    case TypeId::kSmallInt: b.append(static_cast<std::int16_t>(least ? INT16_MIN : INT16_MAX)); return true;
    case TypeId::kInteger: b.append(least ? INT32_MIN : INT32_MAX); return true;
    case TypeId::kBigInt: b.append(least ? INT64_MIN : INT64_MAX); return true;
    case TypeId::kFloat: b.append(least ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::max()); return true;
    case TypeId::kDouble: b.append(least ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::max()); return true;
    case TypeId::kDecimal: b.append(static_cast<Int128>(least ? -999'999'999 : 999'999'999)); return true;
    case TypeId::kDate: b.append(static_cast<std::int32_t>(least ? -719'528 : 2'932'896)); return true;  // 0000-01-01 and 9999-12-31
    case TypeId::kTimestamp:
    case TypeId::kTimestampLtz: b.append(least ? std::int64_t{-719'528} * kDay : std::int64_t{2'932'896} * kDay); return true;
    case TypeId::kIntervalDay:
    case TypeId::kIntervalMonth: b.append(least ? INT64_MIN + 1 : INT64_MAX); return true;
    default: return false;
  }
}

ColumnPtr random_column(const Type& type, std::size_t rows, std::mt19937& random);

/// Arrays and maps of up to three, or all of one.
ColumnPtr random_nested(const Type& type, std::size_t rows, std::mt19937& random) {
  ColumnBuilder b(type, rows);
  const bool single = random() % 2 == 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t n = type.id == TypeId::kRow || single ? 1 : random() % 4;
    std::vector<ColumnPtr> children;
    std::vector<nested::Items> items(type.children().size());
    for (std::size_t c = 0; c < items.size(); ++c) {
      children.push_back(random_column(type.children()[c], n, random));
      for (std::size_t k = 0; k < n; ++k) items[c].push_back(nested::item_at(*children[c], k));
    }
    std::string bytes;
    if (type.id == TypeId::kArray) nested::write_array(type.children()[0], items[0], bytes);
    else if (type.id == TypeId::kMap) nested::write_map(type.children()[0], type.children()[1], items[0], items[1], bytes);
    else nested::write_row(type, nested::Items{items[0][0], items[1][0]}, bytes);
    if (random() % 5 == 0) b.append_null(); else b.append_text(bytes);
  }
  return b.finish();
}

ColumnPtr random_column(const Type& type, std::size_t rows, std::mt19937& random) {
  if (type.is_nested()) return random_nested(type, rows, random);
  static const std::vector<std::string> texts = {"", "a", "HOUR", "hello world", "2024-02-29 13:45:56", "yyyy-MM-dd", "héllo%", "-12.5", "true", "a,b,c", "MONTH"};
  ColumnBuilder b(type, rows);
  // A constant unit, character set or pattern in some columns, so that functions that want one also succeed.
  const bool constant = random() % 2 == 0;
  static const std::vector<std::string> wanted = {"MONTH", "MONTH", "UTF-16", "yyyy-MM-dd"};
  const std::string chosen = random() % 4 < 3 ? wanted[random() % wanted.size()] : texts[random() % texts.size()];
  const bool with_nulls = random() % 3 != 0;
  const bool extremes = !constant && random() % 2 == 0;
  for (std::size_t i = 0; i < rows; ++i) {
    if (with_nulls && random() % 4 == 0) { b.append_null(); continue; }
    const auto small = static_cast<std::int64_t>(random() % 21) - 10;
    if (extremes && random() % 6 == 0 && append_extreme(b, random() % 2 == 0)) continue;
    switch (type.id) {
      case TypeId::kBoolean: b.append(static_cast<std::uint8_t>(random() % 2)); break;
      case TypeId::kFloat: b.append(static_cast<float>(small) / 4); break;
      case TypeId::kDouble: b.append(static_cast<double>(small) / 4); break;
      case TypeId::kDecimal: b.append(static_cast<Int128>(small) * 37); break;
      case TypeId::kBytes:
      case TypeId::kString: b.append_text(constant ? chosen : texts[random() % texts.size()]); break;
      case TypeId::kTimestamp:
      case TypeId::kTimestampLtz: b.append(small * 97 * kHour + static_cast<std::int64_t>(random() % 1000) * kMillisecond); break;
      case TypeId::kTime: b.append(static_cast<std::int64_t>(random() % 86'400) * kSecond); break;
      case TypeId::kInteger: b.append_integer(constant ? 256 : small); break;
      default: b.append_integer(small);
    }
  }
  return b.finish();
}

TEST_F(FunctionsTest, EveryKernelEqualsItsRowsOneByOne) {
  const std::set<std::string> kRandom = {"RAND", "RAND_INTEGER", "UUID"};
  std::mt19937 random(20240229);
  std::set<std::string> tried;
  std::size_t checked = 0;
  for (const Function* f : registry_.functions()) {
    if (f->name == "FIELD") continue;   // the binder makes it, for a field that is there
    if (kRandom.contains(f->name)) continue;   // functions_random_test.cc
    int found = 0;
    for (int attempt = 0; attempt < 6000 && found < 45; ++attempt) {
      std::vector<Type> types;
      const auto bias = random() % 5;  // to texts: none, a text first, mostly texts; mostly arrays and the like; all of one type
      for (auto n = random() % 4; n > 0; --n) {
        const bool text_now = (bias == 1 && types.empty()) || (bias == 2 && random() % 3 > 0);
        if (bias == 4 && !types.empty()) types.push_back(types.front());
        else if (bias == 3 && (types.empty() || random() % 2 == 0)) types.push_back(nested_types()[random() % nested_types().size()]);
        else if (bias == 3 && random() % 2 == 0) types.push_back(Type::string());
        else types.push_back(text_now ? Type::string() : sample_types()[random() % sample_types().size()]);
      }
      if (!registry_.resolve(f->name, types)) continue;
      ++found;
      constexpr std::size_t kRows = 21;
      Batch batch;
      batch.rows = kRows;
      std::vector<ExprPtr> columns;
      for (std::size_t i = 0; i < types.size(); ++i) {
        batch.columns.push_back(random_column(types[i], kRows, random));
        columns.push_back(column(i, types[i]));
      }
      const auto e = bind(f->name, columns);
      ASSERT_TRUE(e);
      const EvalContext ctx{.now_us = 1'700'000'000'123'456, .watermark_us = kHour, .zone = Zone::fixed(9 * kHour)};
      const auto whole = evaluate(**e, batch, ctx);
      bool any_error = false;
      for (std::uint32_t row = 0; row < kRows; ++row) {
        const BatchPtr single = slice(batch, row, 1);
        const auto one = evaluate(**e, *single, ctx);
        any_error = any_error || !one;
        if (!whole || !one) continue;
        ASSERT_EQ((*whole)->length(), kRows);
        EXPECT_EQ(value_at(**whole, row).to_string(), value_at(**one, 0).to_string()) << (*e)->to_string({}) << " row " << row;
      }
      EXPECT_EQ(any_error, !whole.has_value()) << (*e)->to_string({});
      if (whole) {
        EXPECT_EQ((*whole)->type().id, (*e)->type.id) << f->name;
        tried.insert(f->name);
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 1000U);
  std::set<std::string> missed;
  for (const Function* f : registry_.functions()) {
    if (!tried.contains(f->name) && f->name != "FIELD" && f->name != "JSON" && !kRandom.contains(f->name)) missed.insert(f->name);
  }
  EXPECT_THAT(missed, ::testing::IsEmpty()) << "functions that no random call reached";
}

}  // namespace
}  // namespace supyo::expr
