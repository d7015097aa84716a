#include <gtest/gtest.h>

#include <map>
#include <random>

#include "data/formats/avro_schema.h"
#include "data/formats/format.h"
#include "data/formats/schema_registry.h"
#include "data/types/nested.h"
#include "data/types/value.h"

namespace supyo::formats {
namespace {

/// Schemas by their number, in memory.
class Registry final : public SchemaRegistry {
 public:
  Result<std::vector<std::string>> schema(std::int32_t id) override {
    if (!answers) return fail(ErrorCode::kOutsideUnavailable, "nobody answers");
    const auto it = schemas.find(id);
    if (it == schemas.end()) return fail(ErrorCode::kMalformedRecord, "there is no such schema");
    return it->second;
  }
  Result<std::int32_t> number_of(const std::string& subject, const std::string& schema) override {
    if (!answers) return fail(ErrorCode::kOutsideUnavailable, "nobody answers");
    subjects.push_back(subject);
    schemas[7] = {schema};
    return 7;
  }
  std::map<std::int32_t, std::vector<std::string>> schemas;
  std::vector<std::string> subjects;
  bool answers = true;
};

struct Decoded {
  std::vector<std::string> rows;
  std::vector<std::string> bad;
};

FormatOptions confluent(std::shared_ptr<Registry> registry, std::string name = "avro-confluent") { return {.name = std::move(name), .options = {{"subject", "t-value"}}, .registry = std::move(registry)}; }

std::string row_text(const Batch& b, std::size_t row) {
  std::string s = b.kind(row) == RowKind::kInsert ? "+I" : b.kind(row) == RowKind::kUpdateBefore ? "-U" : b.kind(row) == RowKind::kUpdateAfter ? "+U" : "-D";
  for (const auto& c : b.columns) {
    s += "|";
    append_text_of(*c, row, s);
  }
  return s;
}

Decoded decode(const FormatOptions& options, const Schema& s, const std::vector<std::string>& records, std::vector<std::size_t> columns = {}) {
  if (columns.empty())
    for (std::size_t c = 0; c < s.size(); ++c) columns.push_back(c);
  auto decoder = make_decoder(options, s, columns);
  EXPECT_TRUE(decoder) << decoder.error().to_string();
  Schema read;
  for (const std::size_t c : columns) read.add(s[c].name, s[c].type);
  BatchBuilder out{read};
  const std::vector<RecordView> views(records.begin(), records.end());
  std::vector<BadRecord> bad;
  std::vector<std::uint32_t> good;
  EXPECT_TRUE((*decoder)->decode(views, out, &good, bad));
  Decoded d;
  const BatchPtr batch = out.finish();
  EXPECT_EQ(good.size(), batch == nullptr ? 0 : batch->rows);
  for (std::size_t row = 0; batch != nullptr && row < batch->rows; ++row) d.rows.push_back(row_text(*batch, row));
  for (const BadRecord& b : bad) d.bad.push_back(b.field + ": " + b.reason);
  return d;
}

std::string bytes_of(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return out;
}
std::string record(std::string_view hex, int id = 1) { return bytes_of("00000000") + static_cast<char>(id) + bytes_of(hex); }

Type address() { return Type::row({"city", "zip"}, {Type::string(), Type::integer()}); }

TEST(AvroConfluent, ReadsWhatAnotherSchemaWrote) {
  auto registry = std::make_shared<Registry>();
  // Fields in another order and of other types, one that no column wants (it holds itself), an enum, a union of three, a fixed, microseconds.
  registry->schemas[1] = {R"({"type": "record", "name": "Order", "namespace": "org.example", "fields": [
    {"name": "parent", "type": ["null", "Order"], "default": null},
    {"name": "price", "type": {"type": "fixed", "name": "Price", "size": 3, "logicalType": "decimal", "precision": 6, "scale": 3}},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "n", "type": ["string", "int", "null"]},
    {"name": "address", "type": ["null", {"type": "record", "name": "Address", "fields": [{"name": "zip", "type": "int"}, {"name": "street", "type": "string"}, {"name": "city", "type": "string"}]}]},
    {"name": "tags", "type": {"type": "array", "items": "string"}},
    {"name": "sizes", "type": {"type": "map", "values": "long"}},
    {"name": "id", "type": "int"}]})"};
  const Schema s({{"id", Type::big_int().not_null()}, {"price", Type::decimal(10, 2)}, {"state", Type::string()}, {"at", Type::timestamp_ltz(3)}, {"n", Type::integer()}, {"address", address()},
                  {"tags", Type::array(Type::string())}, {"sizes", Type::map(Type::string(), Type::big_int())}, {"later", Type::double_()}});
  const std::string good = std::string("00") + "0030c7" "02" "d00f" "020e" "02" "02" "0278" "0673656f" "04" "0261" "0262" "00" "01" "06" "024102" "00" "54";
  const auto d = decode(confluent(registry), s, {record(good), record("00" "ffffff" "00" "00" "04" "00" "00" "00" "01"), record(good.substr(0, good.size() - 2)), record(good, 2), "\x01" + record(good).substr(1), "abc"});
  ASSERT_EQ(d.rows.size(), 2U) << (d.bad.empty() ? "" : d.bad[0]);
  EXPECT_EQ(d.rows[0], "+I|42|12.49|PAID|1970-01-01 00:00:00.001|7|(seo, 1)|[a, b]|{A=1}|NULL");
  EXPECT_EQ(d.rows[1], "+I|-1|0.00|NEW|1970-01-01 00:00:00.000|NULL|NULL|[]|{}|NULL") << "-0.001 rounds to 0.00";
  ASSERT_EQ(d.bad.size(), 4U);
  EXPECT_EQ(d.bad[0], "id: the record ends too early: written with another schema?");
  EXPECT_EQ(d.bad[1], ": there is no such schema");
  EXPECT_EQ(decode(confluent(registry), s, {record(good)}, {7, 0}).rows, std::vector<std::string>{"+I|{A=1}|42"}) << "only some columns";
}

TEST(AvroConfluent, FieldsOfRecordsAreReadWithoutTheRest) {
  auto registry = std::make_shared<Registry>();
  registry->schemas[1] = {R"({"type": "record", "name": "A", "fields": [{"name": "address", "type": ["null", {"type": "record", "name": "B", "fields": [{"name": "zip", "type": "int"}, {"name": "city", "type": "string"}]}]}]})"};
  Schema s({{"address", address()}});
  s.add("address.zip", Type::integer(), true);
  s.add("address.city", Type::string(), true);
  EXPECT_TRUE(decode(confluent(registry), s, {record("020e0473656f")}, {1}).rows.empty()) << "a text that is cut";
  EXPECT_EQ(decode(confluent(registry), s, {record("020e0673656f"), record("00")}, {1, 2}).rows, (std::vector<std::string>{"+I|7|seo", "+I|NULL|NULL"}));
  EXPECT_EQ(decode(confluent(registry), s, {record("020e0673656f"), record("00")}, {1, 0}).rows, (std::vector<std::string>{"+I|7|(seo, 7)", "+I|NULL|NULL"})) << "beside the whole of it";
}

TEST(AvroConfluent, WhatDoesNotFitIsABadRecordWithItsReason) {
  auto registry = std::make_shared<Registry>();
  registry->schemas[1] = {R"({"type": "record", "name": "A", "fields": [{"name": "v", "type": ["null", "string"]}]})"};
  registry->schemas[2] = {R"({"type": "record", "name": "A", "fields": [{"name": "v", "type": "Nowhere"}]})"};
  registry->schemas[3] = {R"({"type": "array", "items": "int"})"};
  registry->schemas[4] = {R"({"type": "array", "items": "null"})", R"({"type": "record", "name": "A", "fields": [{"name": "w", "type": {"type": "array", "items": "null"}}]})"};
  const auto reason = [&](const Type& type, const std::string& bytes) {
    const Decoded d = decode(confluent(registry), Schema({{"v", type}}), {bytes});
    return d.bad.empty() ? d.rows[0] : d.bad[0];
  };
  EXPECT_EQ(reason(Type::integer(), record("020261")), "v: it is written as string, which is no INT");
  EXPECT_EQ(reason(Type::integer(), record("00")), "+I|NULL") << "null is null in any type";
  EXPECT_EQ(reason(Type::string().not_null(), record("00")), "v: null in a column that is NOT NULL");
  EXPECT_EQ(reason(Type::string(), record("06")), "v: neither null nor a value: written with another schema?");
  EXPECT_EQ(reason(Type::string(), record("00", 2)), ": schema 2 of the registry is no Avro schema: there is no type 'Nowhere'");
  EXPECT_EQ(reason(Type::string(), record("00", 3)), ": the record is written as array, which has no fields");
  EXPECT_EQ(reason(Type::integer().not_null(), record("00", 4)), ": the schema that it was written with has no field 'v'");
  EXPECT_EQ(reason(Type::integer(), record("feffffffffffffffff01", 4)), "w: the record ends too early: written with another schema?") << "a number of elements that cannot be";
}

TEST(AvroConfluent, ARegistryThatDoesNotAnswerLosesNoRecord) {
  auto registry = std::make_shared<Registry>();
  registry->answers = false;
  const Schema s({{"v", Type::string()}});
  auto decoder = make_decoder(confluent(registry), s, std::vector<std::size_t>{0});
  BatchBuilder out{s};
  std::vector<BadRecord> bad;
  const std::string bytes = record("00");
  const std::vector<RecordView> views = {bytes};
  const Status status = (*decoder)->decode(views, out, nullptr, bad);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kOutsideUnavailable);
  EXPECT_TRUE(bad.empty());
  BatchBuilder row{s};
  row.column(0).append_null();
  row.end_row();
  auto encoder = make_encoder(confluent(registry), s);
  std::string to;
  (*encoder)->encode(*row.finish(), 0, to);
  EXPECT_FALSE((*encoder)->status());
}

TEST(AvroConfluent, WritesByTheSchemaThatItRegisters) {
  auto registry = std::make_shared<Registry>();
  const Schema s({{"id", Type::big_int().not_null()}, {"address", address()}, {"tags", Type::array(Type::string().not_null())}, {"bag", Type::multiset(Type::string())}, {"at", Type::timestamp(3)}, {"m", Type::decimal(5, 1)}});
  const FormatOptions options = confluent(registry);
  std::string row_bytes, tags, bag;
  const std::vector<nested::Item> fields = {{false, "seo"}, {}}, words = {{false, "a"}, {false, "b"}}, counts = {{false, std::string_view("\2\0\0\0", 4)}}, word = {{false, "a"}};
  nested::write_row(address(), fields, row_bytes);
  nested::write_array(Type::string().not_null(), words, tags);
  nested::write_map(Type::string(), nested::count_type(), word, counts, bag);
  BatchBuilder b{s};
  b.column(0).append_integer(-42);
  nested::append_item(b.column(1), {false, row_bytes});
  nested::append_item(b.column(2), {false, tags});
  nested::append_item(b.column(3), {false, bag});
  b.column(4).append_integer(-1);
  b.column(5).append(*parse_decimal("-12.8", 5, 1));
  b.end_row();
  const BatchPtr batch = b.finish();
  auto encoder = make_encoder(options, s);
  ASSERT_TRUE(encoder) << encoder.error().to_string();
  std::string out;
  (*encoder)->encode(*batch, 0, out);
  ASSERT_TRUE((*encoder)->status());
  EXPECT_EQ(registry->subjects, std::vector<std::string>{"t-value"});
  EXPECT_EQ(out.substr(0, 5), bytes_of("0000000007"));
  const auto d = decode(options, s, {out});
  ASSERT_EQ(d.rows.size(), 1U) << d.bad[0];
  EXPECT_EQ(d.rows[0], "+I|-42|(seo, NULL)|[a, b]|{a=2}|1969-12-31 23:59:59.999|-12.8");
}

TEST(AvroConfluent, ASchemaThatIsGivenIsWrittenBy) {
  const Schema s({{"id", Type::integer()}, {"state", Type::string()}, {"at", Type::timestamp_ltz(6)}});
  const auto made = [&](std::string schema) {
    FormatOptions options = confluent(std::make_shared<Registry>());
    options.options.emplace_back("schema", std::move(schema));
    return make_encoder(options, s);
  };
  const auto error = [&](std::string schema) {
    const auto encoder = made(std::move(schema));
    return encoder ? std::string("none") : encoder.error().message;
  };
  const std::string fields = R"({"type":"record","name":"Mine","fields":[{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"state","type":[{"type":"enum","name":"E","symbols":["A","B"]},"null"]},{"name":"id","type":"long"}]})";
  auto encoder = made(fields);
  ASSERT_TRUE(encoder) << encoder.error().to_string();
  BatchBuilder b{s};
  for (const char* state : {"B", "C"}) {
    b.column(0).append_integer(3);
    b.column(1).append_text(state);
    b.column(2).append_integer(5);
    b.end_row();
  }
  const BatchPtr batch = b.finish();
  std::string out;
  (*encoder)->encode(*batch, 0, out);
  EXPECT_EQ(out.substr(5), bytes_of("0a" "0002" "06"));
  EXPECT_TRUE((*encoder)->status());
  (*encoder)->encode(*batch, 1, out);
  ASSERT_FALSE((*encoder)->status()) << "C is no symbol";
  EXPECT_EQ((*encoder)->status().error().message, "column 'state' cannot be written: no symbol of the enum in the Avro schema");
  EXPECT_EQ(error("{"), "no Avro schema: it is not JSON");
  EXPECT_EQ(error(R"({"type":"record","name":"M","fields":[{"name":"id","type":"int"}]})"), "the Avro schema has no field 'state'");
  EXPECT_EQ(error(R"({"type":"record","name":"M","fields":[{"name":"other","type":"int"}]})"), "the Avro schema has the field 'other', and there is no such column");
  EXPECT_EQ(error(R"({"type":"record","name":"M","fields":[{"name":"id","type":"string"},{"name":"state","type":"string"},{"name":"at","type":"long"}]})"), "the Avro schema has 'id' as string, and the column is INT");
  EXPECT_NE(error("").find("cannot write column 'at' of type TIMESTAMP_LTZ(6)"), std::string::npos) << "what Flink's own schema does not have";
}

TEST(AvroConfluent, DebeziumsRecordsAreChanges) {
  auto registry = std::make_shared<Registry>();
  registry->schemas[1] = {R"({"type": "record", "name": "Envelope", "fields": [
    {"name": "before", "type": ["null", {"type": "record", "name": "Value", "fields": [{"name": "id", "type": "int"}, {"name": "name", "type": ["null", "string"]}]}], "default": null},
    {"name": "after", "type": ["null", "Value"], "default": null},
    {"name": "op", "type": "string"}, {"name": "ts_ms", "type": ["null", "long"]}]})"};
  const Schema s({{"id", Type::integer().not_null()}, {"name", Type::string()}});
  const FormatOptions options = confluent(registry, "debezium-avro-confluent");
  const auto e = decode(options, s, {record("00" "02" "02" "0202" "61" "0263" "00"), record("02" "02" "0202" "61" "02" "02" "0202" "62" "0275" "00"), record("02" "02" "00" "00" "0264" "00"), "", record("00" "00" "0275" "00"), record("0000" "0278" "00")});
  EXPECT_EQ(e.rows, (std::vector<std::string>{"+I|1|a", "-U|1|a", "+U|1|b", "-D|1|NULL"}));
  ASSERT_EQ(e.bad.size(), 2U);
  EXPECT_NE(e.bad[0].find("'after'"), std::string::npos);
  EXPECT_NE(e.bad[1].find("'op'"), std::string::npos);
  // What is written is read again.
  auto encoder = make_encoder(options, s);
  ASSERT_TRUE(encoder) << encoder.error().to_string();
  BatchBuilder b{s};
  for (const RowKind kind : {RowKind::kInsert, RowKind::kUpdateBefore, RowKind::kUpdateAfter, RowKind::kDelete}) {
    b.column(0).append_integer(9);
    b.column(1).append_text("x");
    b.end_row(kind);
  }
  const BatchPtr batch = b.finish();
  std::vector<std::string> written(4);
  for (std::size_t row = 0; row < 4; ++row) (*encoder)->encode(*batch, row, written[row]);
  EXPECT_EQ(decode(options, s, written).rows, (std::vector<std::string>{"+I|9|x", "-D|9|x", "+I|9|x", "-D|9|x"}));
}

TEST(AvroConfluent, DamagedRecordsAreReadOrRefused) {
  auto registry = std::make_shared<Registry>();
  registry->schemas[1] = {R"({"type": "record", "name": "A", "fields": [{"name": "self", "type": ["null", "A"]}, {"name": "m", "type": {"type": "map", "values": {"type": "array", "items": ["null", "string"]}}},
    {"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "scale": 30}}, {"name": "skipped", "type": {"type": "array", "items": {"type": "map", "values": "bytes"}}}, {"name": "t", "type": "long"}]})"};
  const Schema s({{"m", Type::map(Type::string(), Type::array(Type::string()))}, {"d", Type::decimal(38, 2)}, {"t", Type::timestamp(3)}});
  const std::string good = record("00" "02" "0261" "04" "00" "020262" "00" "00" "0401ff" "02" "02" "0261" "0200" "00" "00" "02");
  ASSERT_EQ(decode(confluent(registry), s, {good}).rows.size(), 1U);
  std::mt19937 random(7);   // NOLINT: the same records each time
  std::vector<std::string> records;
  for (int i = 0; i < 5000; ++i) {
    std::string bytes = good;
    for (int n = 0; n < 1 + i % 4; ++n) bytes[5 + random() % (bytes.size() - 5)] = static_cast<char>(random());
    records.push_back(bytes.substr(0, 5 + random() % (bytes.size() - 4)));
  }
  for (std::size_t from = 0; from < records.size(); from += 1000) {
    const Decoded d = decode(confluent(registry), s, std::vector<std::string>(records.begin() + static_cast<std::ptrdiff_t>(from), records.begin() + static_cast<std::ptrdiff_t>(from) + 1000));
    EXPECT_EQ(d.rows.size() + d.bad.size(), 1000U);
    EXPECT_FALSE(d.bad.empty());
  }
  std::string deep = record("");
  for (int i = 0; i < 100'000; ++i) deep += '\2';   // an A in an A in an A
  EXPECT_EQ(decode(confluent(registry), s, {deep}).bad, std::vector<std::string>{"self: nested too deeply"});
}

TEST(AvroConfluent, WithoutARegistryItIsRefused) {
  const Schema s({{"id", Type::integer()}});
  const auto made = make_decoder({.name = "avro-confluent", .options = {}}, s, std::vector<std::size_t>{0});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kUnsupported);
}

TEST(AvroSchema, NamesComeWithTheirNamespace) {
  const std::vector<std::string> texts = {R"({"type":"enum","name":"Color","namespace":"a.b","symbols":["RED"]})",
                                          R"({"type":"record","name":"c.Car","fields":[{"name":"x","type":"a.b.Color"},{"name":"y","type":{"type":"record","name":"Wheel","fields":[]}},{"name":"z","type":["null","Wheel","c.Wheel"]}]})"};
  const auto schema = avro::Schema::parse(texts);
  ASSERT_TRUE(schema) << schema.error().to_string();
  EXPECT_EQ(to_string(*schema->root().fields[0].type), "enum a.b.Color");
  EXPECT_EQ(to_string(*schema->root().fields[2].type), "[null, record c.Wheel, record c.Wheel]");
  std::string deep = R"("int")";
  for (int i = 0; i < 200; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  EXPECT_FALSE(avro::Schema::parse(std::vector<std::string>{deep}));
}

}  // namespace
}  // namespace supyo::formats
