#include <gtest/gtest.h>

#include <fmt/ranges.h>
#include <random>

#include "data/formats/codecs.h"
#include "data/formats/json_fast.h"
#include "data/types/value.h"

namespace supyo::formats {
namespace {

using Random = std::mt19937_64;

/// Every type, a ROW in a ROW, and a column that no record has.
Schema wide() {
  Schema s({{"id", Type::big_int()},
            {"n", Type::integer()},
            {"s", Type::small_int()},
            {"price", Type::decimal(10, 2)},
            {"x", Type::double_()},
            {"f", Type::float_()},
            {"name", Type::string()},
            {"ok", Type::boolean()},
            {"ts", Type::timestamp(3)},
            {"d", Type::date()},
            {"at", Type::timestamp_ltz(3)},
            {"a name that is longer than sixteen bytes", Type::string()},
            {"missing", Type::big_int()}});
  s.add("p.name", Type::string(), true);
  s.add("p.in.n", Type::big_int(), true);
  return s;
}

std::string one_of(Random& random, std::initializer_list<const char*> texts) { return *(texts.begin() + random() % texts.size()); }

std::string space(Random& random) { return random() % 40 != 0 ? "" : one_of(random, {" ", "  ", "\t", "\n", "\r\n", "\v"}); }

std::string text(Random& random) {
  return one_of(random, {"\"\"", "\"abc\"", "\"https://shop.example/item.htm?query=12&channel_id=77777777\"", "\"\xed\x95\x9c\xea\xb8\x80\"", R"("a\"b\\c\/\b\f\n\r\t")", R"("\u00e9\ud55c\u0041")",
                         R"("\ud83d\ude00")", R"("\ud83d")", R"("\u12")", R"("\x")", "\"\xff\"", "\"a\x01z\"", "\"a", "\"1\"", "\"true\"", "\"2013-01-01 05:15:00.123\"", "\"2013-01-01 05:15:00\"",
                         "\"2013-02-29\"", "\"2013-01-01 05:15:00Z\"", "\"2013-01-01T05:15:00\"", "\"12.345\"", "\"\xe0\x80\x80\"", "\"0123456789012345678901234567890\\\\\"", "\"\\u0000\""});
}
std::string number(Random& random) {
  if (random() % 2 == 0) return std::to_string(static_cast<std::int64_t>(random()) >> random() % 64);
  return one_of(random, {"0", "-0", "-", "01", "1.", ".5", "0.5", "-12.50", "12.345", "1e3", "1E+3", "1e", "1e400", "1e-400", "99999999999999999999", "9223372036854775807", "9223372036854775808",
                         "-9223372036854775808", "123456789012345678", "1234567890123456789", "12345678", "1234567", "32767", "32768", "2147483648", "+1", "1x", "12345678.0", "0.1", "3.4028236e38", "NaN", "1 2"});
}
std::string value(Random& random, int depth = 0) {
  const auto kind = random() % 16;
  if (kind < 6) return number(random);
  if (kind < 11) return text(random);
  if (kind < 13) return one_of(random, {"null", "true", "false", "nul", "truee", "False", "nullx", ""});
  if (depth > 2) return "[]";
  if (kind == 13) return "[" + space(random) + value(random, depth + 1) + space(random) + one_of(random, {",", ", ", ",,", ""}) + value(random, depth + 1) + one_of(random, {"]", "]", "}", ""});
  if (kind == 14) return "{\"k\":" + value(random, depth + 1) + one_of(random, {"}", "}", "]", ""});
  return one_of(random, {"[]", "{}", "[[[[]]]]", "{\"a\":{\"b\":{}}}", "{\"a\"}", "[1,]"});
}
std::string good_value(Random& random, const Type& type) {
  switch (type.id) {
    case TypeId::kBigInt: return std::to_string(static_cast<std::int64_t>(random()) >> random() % 64);
    case TypeId::kInteger: return std::to_string(static_cast<std::int32_t>(random()) >> random() % 32);
    case TypeId::kSmallInt: return std::to_string(random() % 32768);
    case TypeId::kDecimal: return std::to_string(random() % 100000) + one_of(random, {"", ".5", ".25", ".999"});
    case TypeId::kDouble:
    case TypeId::kFloat: return fmt::format("{}", static_cast<double>(random() % 1000000) / 7);
    case TypeId::kBoolean: return one_of(random, {"true", "false"});
    case TypeId::kString: return "\"" + std::string(random() % 70, 'x') + "\"";
    case TypeId::kTimestamp: return fmt::format("\"2026-01-{:02} 10:{:02}:00.{:03}\"", random() % 28 + 1, random() % 60, random() % 1000);
    case TypeId::kTimestampLtz: return fmt::format("\"2026-01-{:02} 10:{:02}:00Z\"", random() % 28 + 1, random() % 60);
    default: return fmt::format("\"2026-01-{:02}\"", random() % 28 + 1);
  }
}

std::string record(Random& random, const Schema& schema) {
  const bool wild = random() % 2 == 0;
  const auto any = [&](const Type& type) { return wild && random() % 6 == 0 ? value(random) : random() % 20 == 0 ? "null" : good_value(random, type); };
  std::vector<std::string> fields;
  for (std::size_t c = 0; c + 3 < schema.size(); ++c)
    if (random() % 20 != 0) fields.push_back(space(random) + "\"" + schema[c].name + "\"" + space(random) + ":" + space(random) + any(schema[c].type) + space(random));
  if (random() % 3 != 0)
    fields.push_back("\"p\":" + (random() % 8 == 0 ? value(random) : "{\"name\":" + any(Type::string()) + ",\"in\":" + (random() % 4 == 0 ? value(random) : "{\"n\":" + any(Type::big_int()) + "}") + "}"));
  if (random() % 4 == 0) fields.push_back("\"extra\":" + value(random));
  if (wild && random() % 8 == 0) fields.push_back(one_of(random, {"\"id\":1", "\"id\":null", "\"n\\u0061me\":\"y\"", "\"p\":null", "\"\":1", "\"\xff\":1", "\"\xed\x95\x9c\":1", "id:1", ""}));
  if (random() % 5 == 0) std::shuffle(fields.begin(), fields.end(), random);
  std::string out = space(random) + "{" + fmt::format("{}", fmt::join(fields, ",")) + "}" + space(random);
  if (wild && random() % 10 == 0) out += one_of(random, {"}", "{}", "x", ",", "\"", "\v"});
  if (wild && random() % 10 == 0 && !out.empty()) out[random() % out.size()] = static_cast<char>(random());
  if (wild && random() % 20 == 0) out.resize(random() % (out.size() + 1));
  return out;
}

struct Decoded {
  std::vector<std::string> rows;
  std::vector<std::uint32_t> good;
  std::vector<std::string> bad;
  bool operator==(const Decoded&) const = default;
};

Decoded decode(JsonOptions options, bool fast, const Schema& schema, const std::vector<std::size_t>& columns, const std::vector<std::string>& records) {
  options.fast_path = fast;
  const auto decoder = make_json_decoder(options, schema, columns);
  Schema wanted;
  for (const std::size_t c : columns) wanted.add(schema[c].name, schema[c].type);
  BatchBuilder out(wanted);
  Decoded d;
  std::vector<BadRecord> bad;
  EXPECT_TRUE(decoder->decode(std::vector<RecordView>(records.begin(), records.end()), out, &d.good, bad));
  for (const BadRecord& b : bad) d.bad.push_back(fmt::format("{} {} {}", b.index, b.field, b.reason));
  const BatchPtr batch = out.finish();
  for (std::size_t r = 0; batch && r < batch->rows; ++r) {
    std::string row;
    for (const auto& c : batch->columns) append_text_of(*c, r, row), row += "|";
    d.rows.push_back(row);
  }
  return d;
}

// The differential test: whatever the bytes, the fast path gives the general decoder's rows and complaints.
TEST(JsonFast, GivesWhatTheGeneralDecoderGives) {
  Random random(20260101);
  const Schema schema = wide();
  std::size_t good = 0, bad = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::size_t> columns;
    for (std::size_t c = 0; c < schema.size(); ++c)
      if (round % 3 == 0 || random() % 2 == 0) columns.push_back(c);
    std::shuffle(columns.begin(), columns.end(), random);
    std::vector<std::string> records;
    for (int i = 0; i < 150; ++i) records.push_back(record(random, schema));
    JsonOptions options;
    options.fail_on_missing_field = random() % 4 == 0;
    options.ignore_parse_errors = random() % 4 == 0;
    options.timestamps = random() % 8 == 0 ? TimestampStyle::kIso8601 : TimestampStyle::kSql;
    const Decoded want = decode(options, false, schema, columns, records);
    const Decoded got = decode(options, true, schema, columns, records);
    if (got != want) {
      for (const std::string& r : records)
        ASSERT_EQ(decode(options, true, schema, columns, {r}).rows, decode(options, false, schema, columns, {r}).rows) << r;
      ASSERT_EQ(got.rows, want.rows);
      ASSERT_EQ(got.good, want.good);
      ASSERT_EQ(got.bad, want.bad);
    }
    good += want.rows.size();
    bad += want.bad.size();
  }
  EXPECT_GT(good, 15'000U);
  EXPECT_GT(bad, 5'000U);
}

JsonFastPath path_over(const Schema& schema) {
  JsonFastPath fast({}, schema.fields());
  std::unordered_map<std::string, int> names;
  for (std::size_t c = 0; c < schema.size(); ++c) names.emplace(schema[c].name, static_cast<int>(c));
  fast.add_level(names, {});
  return fast;
}

// The other way round: what producers write is read by it, not left to the general decoder.
TEST(JsonFast, ReadsWhatProducersWrite) {
  const Schema schema({{"id", Type::big_int()}, {"name", Type::string()}, {"ts", Type::timestamp(3)}, {"x", Type::double_()}, {"price", Type::decimal(10, 2)}, {"ok", Type::boolean()}});
  JsonFastPath fast = path_over(schema);
  BatchBuilder out(schema);
  for (const std::string text : {R"({"id":12,"name":"Ann","ts":"2026-01-01 00:00:00.123","x":1.5,"price":2.25,"ok":true})", R"({"id": -7, "name": "b", "ts": "2026-01-01 00:00:01", "x": 1e3, "price": 3, "ok": false})",
                                 R"({"ok":null,"name":"\"\ud55c\"","other":{"a":[1,{"b":"\n"}]},"id":0})", R"({})", " { \"name\" : \"\xed\x95\x9c\" } \r"}) {
    const std::string record = text + std::string(JsonFastPath::kReadPast, '1');
    ASSERT_TRUE(fast.read(std::string_view(record).substr(0, text.size()), record.data())) << text;
    fast.flush(out);
  }
  const BatchPtr batch = out.finish();
  std::string all;
  for (std::size_t r = 0; r < batch->rows; ++r)
    for (const auto& c : batch->columns) append_text_of(*c, r, all), all += "|";
  EXPECT_EQ(all, "12|Ann|2026-01-01 00:00:00.123|1.5|2.25|true|-7|b|2026-01-01 00:00:01.000|1000.0|3.00|false|0|\"\xed\x95\x9c\"|NULL|NULL|NULL|NULL|"
                 "NULL|NULL|NULL|NULL|NULL|NULL|NULL|\xed\x95\x9c|NULL|NULL|NULL|NULL|");
}

// What stands behind a record is not part of it.
TEST(JsonFast, ARecordEndsWhereItEnds) {
  const Schema schema({{"id", Type::big_int()}, {"name", Type::string()}});
  const std::string text = R"({"id":12,"name":"Ann"})";
  const std::string record = text + text + std::string(JsonFastPath::kReadPast, '}');
  for (std::size_t n = 0; n < record.size() - JsonFastPath::kReadPast; ++n) {
    JsonFastPath fast = path_over(schema);
    EXPECT_EQ(fast.read(std::string_view(record).substr(0, n), record.data()), n == text.size()) << n;
  }
}

// However often it comes.
TEST(JsonFast, RefusesAKeyThatIsNotText) {
  const Schema schema({{"id", Type::big_int()}});
  JsonFastPath fast = path_over(schema);
  const std::string text = "{\"id\":1,\"\xff\":2}";
  const std::string record = text + std::string(JsonFastPath::kReadPast, ' ');
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(fast.read(std::string_view(record).substr(0, text.size()), record.data()));
}

}  // namespace
}  // namespace supyo::formats
