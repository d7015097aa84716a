#include <gtest/gtest.h>

#include <random>

#include "data/formats/format.h"
#include "data/types/nested.h"
#include "data/types/value.h"

namespace supyo::formats {
namespace {

Schema schema() {
  return Schema({{"id", Type::big_int()},
                 {"n", Type::integer()},
                 {"price", Type::decimal(10, 2)},
                 {"x", Type::double_()},
                 {"name", Type::string()},
                 {"ok", Type::boolean()},
                 {"ts", Type::timestamp(3)},
                 {"d", Type::date()},
                 {"raw", Type::bytes()},
                 {"at", Type::timestamp_ltz(3)}});
}
const std::vector<std::size_t> kAll = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

struct Decoded {
  BatchPtr batch;
  std::vector<BadRecord> bad;
  std::vector<std::uint32_t> good;
};

Decoded decode(const FormatOptions& options, const std::vector<std::string>& lines, std::vector<std::size_t> columns = kAll, const Schema& s = schema()) {
  auto decoder = make_decoder(options, s, columns);
  EXPECT_TRUE(decoder) << decoder.error().to_string();
  std::vector<Field> fields;
  for (const auto c : columns) fields.push_back(s[c]);
  BatchBuilder out{Schema(fields)};
  Decoded d;
  std::vector<RecordView> views(lines.begin(), lines.end());
  EXPECT_TRUE((*decoder)->decode(views, out, &d.good, d.bad));
  d.batch = out.finish();
  return d;
}

std::string row_text(const Batch& b, std::size_t row) {
  std::string s;
  for (const auto& c : b.columns) {
    if (!s.empty()) s += "|";
    append_text_of(*c, row, s);
  }
  return s;
}

const std::string kGood =
    R"({"id": 1, "n": -7, "price": 12.5, "x": 1e3, "name": "a\"b\u00e9\n", "ok": true, "ts": "2013-01-01 05:15:00.123", "d": "2013-02-28", "raw": "AQI=", "at": "2013-01-01 05:15:00Z", "extra": {"y": [1, 2]}})";

TEST(Json, DecodesEveryTypeAndSkipsWhatIsNotRead) {
  const auto d = decode({"json", {}}, {kGood});
  ASSERT_TRUE(d.bad.empty()) << d.bad[0].field << d.bad[0].reason;
  EXPECT_EQ(row_text(*d.batch, 0).substr(0, 25), "1|-7|12.50|1000.0|a\"b\xc3\xa9\n|");
  EXPECT_EQ(d.batch->columns[8]->text(0), std::string_view("\x01\x02", 2));
  const auto few = decode({"json", {}}, {kGood}, {4, 0});
  EXPECT_EQ(row_text(*few.batch, 0), "a\"b\xc3\xa9\n|1");
}

TEST(Json, TakesFieldsInAnyOrderMissingNullAndTwice) {
  const auto d = decode({"json", {}}, {R"({"n":1,"id":2})", R"({"id":3,"n":4})", R"({"n":null})", R"({"id":5,"n":1,"n":6})", R"({})"}, {0, 1});
  ASSERT_TRUE(d.bad.empty());
  const std::vector<std::string> want = {"2|1", "3|4", "NULL|NULL", "5|6", "NULL|NULL"};
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_EQ(row_text(*d.batch, i), want[i]);
}

TEST(Json, ABadRecordLeavesNoTraceAndNamesTheField) {
  const std::vector<std::string> lines = {R"({"id":1,"n":2})", R"({"id":2,"n":"x"})", R"({"id":3,"n":)", "", R"([1])", R"({"id":4,"n":99999999999})", R"({"id":5,"n":1.5})",
                                          R"({"id":6,"n":3} trailing)", R"({"id":7,"n":"8"})", R"({"id":8,"n":[1]})", "{\"id\":9,\"n\":\"\xff\"}"};
  const auto d = decode({"json", {}}, lines, {0, 1});
  ASSERT_EQ(d.batch->rows, 2U);
  EXPECT_EQ(row_text(*d.batch, 0), "1|2");
  EXPECT_EQ(row_text(*d.batch, 1), "7|8");
  EXPECT_EQ(d.good, (std::vector<std::uint32_t>{0, 8}));
  ASSERT_EQ(d.bad.size(), 9U);
  EXPECT_EQ(d.bad[0].field, "n");
  EXPECT_EQ(d.bad[0].reason, "not an integer");
  EXPECT_EQ(d.bad[1].field, "");
  EXPECT_EQ(d.bad[4].reason, "number out of range");
}

std::string kinds_text(const Batch& b) {
  std::string s;
  for (std::size_t i = 0; i < b.rows; ++i) s += fmt::format("{}{}({})", i == 0 ? "" : " ", row_kind_text(b.kind(i)), row_text(b, i));
  return s;
}

TEST(Debezium, ARecordIsOneRowOrTheTwoOfAnUpdate) {
  const FormatOptions options{.name = "debezium-json", .options = {}};
  const std::vector<std::string> lines = {R"({"before":null,"after":{"id":1,"n":2},"op":"c"})", R"({"op" : "u" , "after" : {"n":3,"id":1} , "before" : {"id":1,"n":2} , "x" : [{"op":"d"}]})", "", R"({"before":{"id":1,"n":3},"op":"d"})",
                                          R"({"before":{"id":1},"after":{"id":1,"n":"?"},"op":"u"})", R"({"after":{"id":9,"n":4},"op":"r"})"};
  const auto d = decode(options, lines, {1, 0});
  EXPECT_EQ(kinds_text(*d.batch), "+I(2|1) -U(2|1) +U(3|1) -D(3|1) +I(4|9)");
  EXPECT_EQ(d.good, (std::vector<std::uint32_t>{0, 1, 1, 3, 5}));
  ASSERT_EQ(d.bad.size(), 1U);   // whole: nothing of the row as it was
  EXPECT_EQ(d.bad[0].index, 4U);
  EXPECT_EQ(d.bad[0].field, "n");
}

TEST(Debezium, EveryTruncationOfARecordIsRefused) {
  const std::string whole = R"({"schema":{"a":1},"payload":{"before":{"id":1,"n":2},"after":{"id":1,"n":3},"source":{"ts_ms":5,"db":"x"},"op":"u","ts_ms":7}})";
  const FormatOptions options{.name = "debezium-json", .options = {{"schema-include", "true"}}};
  EXPECT_EQ(decode(options, {whole}, {0, 1}).good.size(), 2U);
  for (std::size_t n = 1; n < whole.size(); ++n) {
    const auto d = decode(options, {whole.substr(0, n), whole}, {0, 1});
    EXPECT_EQ(d.bad.size(), 1U) << n;
    EXPECT_EQ(d.good, (std::vector<std::uint32_t>{1, 1})) << n;
  }
}

TEST(Debezium, MetadataAndZeroColumns) {
  Schema s({{"id", Type::big_int()}, {"at", Type::timestamp_ltz(3)}, {"t", Type::string()}, {"all", Type::map(Type::string(), Type::string())}, {"s", Type::string()}});
  const FormatOptions options{.name = "debezium-json", .options = {{"schema-include", "true"}}, .metadata = {{1, "source.timestamp"}, {2, "source.table"}, {3, "source.properties"}, {4, "schema"}}};
  const std::string record = R"({"payload":{"after":{"id":1},"source":{"table":"a\"b","ts_ms":1500,"snapshot":null},"op":"c"},"schema":{"x": 1} })";
  const auto d = decode(options, {record}, {4, 2, 0, 1, 3}, s);
  EXPECT_EQ(kinds_text(*d.batch), R"(+I({"x": 1}|a"b|1|1970-01-01 00:00:01.500|{snapshot=NULL, table=a"b, ts_ms=1500}))");
  EXPECT_EQ(decode(options, {record, record}, {}, s).good.size(), 2U);
}

TEST(Debezium, WhatIsWrittenIsRead) {
  const Schema s({{"id", Type::big_int()}, {"n", Type::integer()}});
  const FormatOptions options{.name = "debezium-json", .options = {}};
  const auto first = decode(options, {R"({"before":{"id":1,"n":2},"after":{"id":1,"n":null},"op":"u"})"}, {0, 1}, s);
  const auto encoder = make_encoder(options, s);
  ASSERT_TRUE(encoder);
  std::vector<std::string> lines(2);
  for (std::size_t i = 0; i < 2; ++i) (*encoder)->encode(*first.batch, i, lines[i]);
  EXPECT_EQ(lines[0], R"({"before":{"id":1,"n":2},"after":null,"op":"d"})");
  EXPECT_EQ(lines[1], R"({"before":null,"after":{"id":1,"n":null},"op":"c"})");
  EXPECT_EQ(kinds_text(*decode(options, lines, {0, 1}, s).batch), "-D(1|2) +I(1|NULL)");
  EXPECT_FALSE(make_encoder({.name = "debezium-json", .options = {{"schema-include", "true"}}}, s));
}

TEST(Json, EveryTruncationOfARecordIsRefused) {
  for (std::size_t n = 0; n < kGood.size(); ++n) EXPECT_EQ(decode({"json", {}}, {kGood.substr(0, n)}, {0}).batch, nullptr) << n;
}

TEST(Json, FieldsOfRowsAreColumns) {
  Schema s;
  s.add("id", Type::big_int());
  s.add("p.name", Type::string(), true);
  s.add("p.at.city", Type::string(), true);
  s.add("p.age", Type::integer(), true);
  s.add("a.b", Type::integer());   // no ROW: a name with a dot
  const std::vector<std::size_t> all = {0, 1, 2, 3, 4};
  const std::vector<std::string> lines = {R"({"id":1,"p":{"name":"Ann","at":{"city":"Seoul","zip":[{}]},"age":30},"a.b":7,"a":{"b":8}})", R"({"p":{"age":41,"at":null,"name":"Bob"},"id":2})", R"({"id":3,"p":null})",
                                          R"({"id":4,"p":{"at":{}}})", R"({"id":5,"p":[]})", R"({"id":6,"p":{"age":"x"}})", R"({"id":7,"p":{"at":"x"}})", R"({"id":8,"p":{"name":"Cid")"};
  const auto d = decode({"json", {}}, lines, all, s);
  ASSERT_EQ(d.good, (std::vector<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(row_text(*d.batch, 0), "1|Ann|Seoul|30|7");
  EXPECT_EQ(row_text(*d.batch, 1), "2|Bob|NULL|41|NULL");
  EXPECT_EQ(row_text(*d.batch, 2), "3|NULL|NULL|NULL|NULL");
  EXPECT_EQ(row_text(*d.batch, 3), "4|NULL|NULL|NULL|NULL");
  ASSERT_EQ(d.bad.size(), 4U);
  EXPECT_EQ(d.bad[0].field, "p");
  EXPECT_EQ(d.bad[1].field, "p.age");
  EXPECT_EQ(d.bad[2].field, "p.at");
  // A ROW that is null lacks nothing; one without the field does.
  const auto strict = decode({"json", {{"fail-on-missing-field", "true"}}}, {R"({"id":3,"p":null})", R"({"id":4,"p":{"at":{}}})", R"({"id":4,"p":{"at":{"city":null}}})"}, {0, 2}, s);
  EXPECT_EQ(strict.good, (std::vector<std::uint32_t>{0, 2}));
  ASSERT_EQ(strict.bad.size(), 1U);
  EXPECT_EQ(strict.bad[0].field, "p.at.city");
  // With ignore-parse-errors what does not fit is null.
  const auto lenient = decode({"json", {{"ignore-parse-errors", "true"}}}, {lines[4], lines[6]}, all, s);
  EXPECT_EQ(lenient.good.size(), 2U);
  EXPECT_EQ(row_text(*lenient.batch, 0), "5|NULL|NULL|NULL|NULL");
  EXPECT_FALSE(make_decoder({"csv", {}}, s, all));
}

TEST(Json, OptionsAsFlinkNamesThem) {
  EXPECT_EQ(decode({"json", {{"fail-on-missing-field", "true"}}}, {R"({"id":1})"}, {0, 1}).bad.at(0).reason, "missing field");
  const auto ignored = decode({"json", {{"ignore-parse-errors", "true"}}}, {R"({"id":"q","n":1})", "garbage"}, {0, 1});
  EXPECT_TRUE(ignored.bad.empty());
  EXPECT_EQ(row_text(*ignored.batch, 0), "NULL|1");
  EXPECT_TRUE(decode({"json", {{"timestamp-format.standard", "ISO-8601"}}}, {R"({"ts":"2013-01-01T05:15:00"})"}, {6}).bad.empty());
  EXPECT_FALSE(decode({"json", {}}, {R"({"ts":"2013-01-01T05:15:00"})"}, {6}).bad.empty());
  EXPECT_EQ(make_decoder({"json", {{"fail", "true"}}}, schema(), kAll).error().code, ErrorCode::kUnknownOption);
  EXPECT_EQ(make_decoder({"json", {{"ignore-parse-errors", "yes"}}}, schema(), kAll).error().code, ErrorCode::kBadOptionValue);
  EXPECT_EQ(make_decoder({"xml", {}}, schema(), kAll).error().code, ErrorCode::kUnknownOption);
}

TEST(Formats, EncodeThenDecodeGivesTheSameRows) {
  std::mt19937_64 random(7);
  for (const std::string name : {"json", "csv"}) {
    BatchBuilder b(schema());
    for (int i = 0; i < 300; ++i) {
      const auto null_or = [&](std::size_t c, auto&& append) { random() % 5 == 0 ? b.column(c).append_null() : append(b.column(c)); };
      null_or(0, [&](auto& c) { c.append(static_cast<std::int64_t>(random())); });
      null_or(1, [&](auto& c) { c.append(static_cast<std::int32_t>(random())); });
      null_or(2, [&](auto& c) { c.append(static_cast<Int128>(random() % 20000) - 10000); });
      null_or(3, [&](auto& c) { c.append(static_cast<double>(random() % 100000) / 7); });
      null_or(4, [&](auto& c) { c.append_text("t\"x,\n" + std::to_string(random() % 9)); });
      null_or(5, [&](auto& c) { c.append(static_cast<std::uint8_t>(random() % 2)); });
      null_or(6, [&](auto& c) { c.append(static_cast<std::int64_t>(random() % 4000000000000) * 1000); });
      null_or(7, [&](auto& c) { c.append(static_cast<std::int32_t>(random() % 30000)); });
      null_or(8, [&](auto& c) { c.append_text(std::string("\x00\x01\xff", random() % 4)); });
      null_or(9, [&](auto& c) { c.append(static_cast<std::int64_t>(random() % 4000000000000) * 1000); });
      b.end_row();
    }
    const auto batch = b.finish();
    const FormatOptions options{name, name == "csv" ? std::vector<std::pair<std::string, std::string>>{{"null-literal", "\\N"}} : std::vector<std::pair<std::string, std::string>>{}};
    const auto encoder = make_encoder(options, schema());
    ASSERT_TRUE(encoder);
    std::string block;
    for (std::size_t r = 0; r < batch->rows; ++r) (*encoder)->encode(*batch, r, block), block += "\n";
    std::vector<RecordView> records;
    ASSERT_EQ(split_records(options, block, false, records), block.size());
    const auto d = decode(options, {records.begin(), records.end()});
    ASSERT_TRUE(d.bad.empty()) << name << d.bad[0].field << ": " << d.bad[0].reason;
    for (std::size_t r = 0; r < batch->rows; ++r) ASSERT_EQ(row_text(*d.batch, r), row_text(*batch, r)) << name;
  }
}

TEST(Csv, CountsFieldsAndUnquotes) {
  const Schema s({{"a", Type::integer()}, {"b", Type::string()}});
  const auto d = decode({"csv", {}}, {"1,x", R"(2,"a,""b""")", "3", "4,y,z", "x,y", R"(5,"open)", "6,"}, {0, 1}, s);
  ASSERT_EQ(d.batch->rows, 3U);
  EXPECT_EQ(row_text(*d.batch, 1), "2|a,\"b\"");
  EXPECT_EQ(row_text(*d.batch, 2), "6|");
  EXPECT_EQ(d.bad.size(), 4U);
  EXPECT_EQ(d.bad[2].field, "a");
}

TEST(Csv, SplitsOutsideQuotesAndKeepsTheRest) {
  std::vector<RecordView> out;
  const std::string block = "1,\"a\nb\"\r\n2,c\n3,par";
  EXPECT_EQ(split_records({"csv", {}}, block, false, out), 13U);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0], "1,\"a\nb\"");
  out.clear();
  split_records({"csv", {}}, block, true, out);
  EXPECT_EQ(out.back(), "3,par");
}

TEST(Raw, IsOneTextColumn) {
  EXPECT_EQ(row_text(*decode({"raw", {}}, {"{anything"}, {0}, Schema({{"v", Type::string()}})).batch, 0), "{anything");
  EXPECT_EQ(make_decoder({"raw", {}}, schema(), kAll).error().code, ErrorCode::kTypeMismatch);
}

/// The bytes that are said in hexadecimal digits.
std::string bytes_of(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

std::string hex_of(std::string_view bytes) {
  std::string out;
  for (const char b : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(b));
  return out;
}

Schema avro_schema() {
  return Schema({{"id", Type::big_int().not_null()}, {"n", Type::small_int()}, {"price", Type::decimal(10, 2)}, {"x", Type::double_()}, {"f", Type::float_().not_null()}, {"name", Type::string()},
                 {"ok", Type::boolean().not_null()}, {"ts", Type::timestamp(3).not_null()}, {"d", Type::date()}, {"raw", Type::bytes().not_null()}, {"t", Type::time(3)}});
}
const std::vector<std::size_t> kAllOfAvro = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
// By the specification: 64 = 8001; [null, int] 1 and -7; 12.50 = 1250 in two bytes; 1.5 as double, 0.5 as float; "foo"; true; 1 ms before 1970; day 2; two bytes; 1 s after midnight.
const std::string kAvroRow = "8001" "020d" "020404e2" "02000000000000f83f" "0000003f" "0206666f6f" "01" "01" "0204" "04ff00" "02d00f";
const std::string kAvroNulls = "01" "00" "00" "00" "00000000" "00" "00" "00" "00" "00" "00";

TEST(Avro, RecordsAreThoseOfTheSpecification) {
  const auto d = decode({"avro", {}}, {bytes_of(kAvroRow), bytes_of(kAvroNulls)}, kAllOfAvro, avro_schema());
  ASSERT_TRUE(d.bad.empty()) << d.bad[0].field << d.bad[0].reason;
  EXPECT_EQ(row_text(*d.batch, 0), "64|-7|12.50|1.5|0.5|foo|true|1969-12-31 23:59:59.999|1970-01-03|x'ff00'|00:00:01.000");
  for (const std::size_t c : {1U, 2U, 3U, 5U, 8U, 10U}) EXPECT_TRUE(d.batch->columns[c]->is_null(1)) << c;
  const auto encoder = make_encoder({"avro", {}}, avro_schema());
  ASSERT_TRUE(encoder);
  for (const auto& [row, hex] : {std::pair(0U, kAvroRow), std::pair(1U, kAvroNulls)}) {
    std::string out;
    (*encoder)->encode(*d.batch, row, out);
    EXPECT_EQ(hex_of(out), hex);
  }
  EXPECT_EQ(row_text(*decode({"avro", {}}, {bytes_of(kAvroRow)}, {5, 0}, avro_schema()).batch, 0), "foo|64") << "only some columns";
}

TEST(Avro, DecimalsAndTimesKeepTheirValueAtTheEnds) {
  const Schema s({{"m", Type::decimal(38, 0)}, {"i", Type::tiny_int()}, {"ts", Type::timestamp_ltz(6)}});
  const FormatOptions options{"avro", {{"timestamp_mapping.legacy", "false"}}};
  const auto encoder = make_encoder(options, s);
  ASSERT_TRUE(encoder);
  std::vector<std::string> records;
  BatchBuilder b(s);
  const std::vector<std::string> decimals = {"0", "-1", "127", "128", "-128", "-129", "99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"};
  for (const std::string& m : decimals) {
    b.column(0).append(*parse_decimal(m, 38, 0));
    b.column(1).append_integer(m[0] == '-' ? -128 : 127);
    b.column(2).append_integer(m[0] == '-' ? -1'999'999 : 1'000'001);
    b.end_row();
  }
  const BatchPtr batch = b.finish();
  for (std::size_t row = 0; row < batch->rows; ++row) (*encoder)->encode(*batch, row, records.emplace_back());
  EXPECT_EQ(hex_of(records[3]), "02040080" "02fe01" "0282897a") << "128 needs a second byte for its sign";
  const auto d = decode(options, records, {0, 1, 2}, s);
  ASSERT_TRUE(d.bad.empty());
  for (std::size_t row = 0; row < decimals.size(); ++row) EXPECT_EQ(row_text(*d.batch, row), row_text(*batch, row));
}

TEST(Avro, WhatIsNoSuchRecordIsABadOne) {
  const std::string good = bytes_of(kAvroRow);
  std::vector<std::string> records;
  for (std::size_t cut = 0; cut < good.size(); ++cut) records.push_back(good.substr(0, cut));
  records.push_back(good + '\0');
  records.push_back(bytes_of("80017f"));                                                   // a branch that is none
  records.push_back(bytes_of("8001" "02ffff07"));                                          // beyond SMALLINT
  records.push_back(bytes_of("8001" "00" "0222" "ffffffffffffffffffffffffffffffffff"));   // 17 bytes of decimal
  records.push_back(bytes_of("ffffffffffffffffffffff"));                                   // a number without end
  records.push_back(good);
  const auto d = decode({"avro", {}}, records, kAllOfAvro, avro_schema());
  EXPECT_EQ(d.bad.size(), records.size() - 1);
  ASSERT_TRUE(d.batch);
  EXPECT_EQ(d.batch->rows, 1U);
  EXPECT_EQ(d.bad[good.size() + 1].field, "n");
}

TEST(Json, ANullKeyOfAMapIsWhatTheOptionsSay) {
  const Type type = Type::map(Type::string(), Type::integer());
  const std::vector<nested::Item> keys = {{}, {false, "a"}}, values = {{false, std::string_view("\1\0\0\0", 4)}, {false, std::string_view("\2\0\0\0", 4)}};
  std::string map;
  nested::write_map(type.children()[0], type.children()[1], keys, values, map);
  ColumnBuilder column(type, 1);
  nested::append_item(column, {false, map});
  Batch batch;
  batch.rows = 1;
  batch.columns = {column.finish()};
  const auto written = [&](std::vector<std::pair<std::string, std::string>> options) -> std::string {
    const auto encoder = make_encoder({"json", std::move(options)}, Schema({{"m", type}}));
    if (!encoder) return std::string(error_name(encoder.error().code));
    std::string out;
    (*encoder)->encode(batch, 0, out);
    const Status status = (*encoder)->status();
    return status ? out : std::string(error_name(status.error().code));
  };
  EXPECT_EQ(written({}), error_name(ErrorCode::kNullInNotNull));
  EXPECT_EQ(written({{"map-null-key.mode", "DROP"}}), R"({"m":{"a":2}})");
  EXPECT_EQ(written({{"map-null-key.mode", "LITERAL"}}), R"({"m":{"null":1,"a":2}})");
  EXPECT_EQ(written({{"map-null-key.mode", "LITERAL"}, {"map-null-key.literal", "\"x\""}}), R"({"m":{"\"x\"":1,"a":2}})");
  EXPECT_EQ(written({{"map-null-key.mode", "drop it"}}), error_name(ErrorCode::kBadOptionValue));
}

TEST(Avro, TypesThatItLacksAreRefused) {
  const auto code = [](const Type& type, std::vector<std::pair<std::string, std::string>> options = {}) {
    const auto made = make_encoder({"avro", std::move(options)}, Schema({{"c", type}}));
    return made ? ErrorCode::kInternal : made.error().code;
  };
  EXPECT_EQ(code(Type::timestamp(6)), ErrorCode::kUnsupported);
  EXPECT_EQ(code(Type::timestamp_ltz(3)), ErrorCode::kUnsupported);
  EXPECT_EQ(code(Type::timestamp_ltz(6), {{"timestamp_mapping.legacy", "false"}}), ErrorCode::kInternal);
  EXPECT_EQ(code(Type::time(6), {{"timestamp_mapping.legacy", "false"}}), ErrorCode::kUnsupported);
  EXPECT_EQ(code(Type::array(Type::timestamp_ltz(3))), ErrorCode::kUnsupported);
  EXPECT_EQ(code(Type::map(Type::integer(), Type::integer())), ErrorCode::kUnsupported);
  EXPECT_EQ(code(Type::map(Type::string(), Type::array(Type::integer()))), ErrorCode::kInternal);
  EXPECT_EQ(code(Type::integer(), {{"encoding", "json"}}), ErrorCode::kBadOptionValue);
}

}  // namespace
}  // namespace supyo::formats
