#include <gtest/gtest.h>

#include "data/iceberg/avro.h"
#include "data/iceberg/manifest.h"
#include "data/iceberg/values.h"

namespace supyo::iceberg {
namespace {

const std::string kSync = "0123456789abcdef";

TableMetadata sample_table(const std::vector<std::string>& partitions) {
  Schema columns;
  columns.add("id", Type::big_int().not_null());
  columns.add("k", Type::integer());
  columns.add("s", Type::string());
  columns.add("amount", Type::decimal(10, 2));
  columns.add("ts", Type::timestamp(3));
  columns.add("day", Type::date());
  columns.add("b", Type::boolean());
  auto schema = make_schema(columns, {"id"});
  EXPECT_TRUE(schema);
  auto spec = make_partition_spec(*schema, partitions);
  EXPECT_TRUE(spec) << spec.error().to_string();
  return new_table_metadata("7b6a2e0c-0000-4000-8000-000000000001", "/wh/db/t", *schema, *spec, {{"a", "b"}}, 1'700'000'000'000);
}

DataFile sample_file(std::vector<Value> partition) {
  DataFile f;
  f.path = "/wh/db/t/data/x.parquet";
  f.partition = std::move(partition);
  f.records = 17;
  f.bytes = 4096;
  f.column_sizes = {{1, 100}, {2, 200}};
  f.value_counts = {{1, 17}, {2, 17}};
  f.null_counts = {{1, 0}, {2, 3}};
  f.lower_bounds = {{1, std::string("\0\1\2\3\4\5\6\7", 8)}};
  f.upper_bounds = {{1, std::string(8, '\xff')}};
  f.split_offsets = {4, 1000};
  f.sort_order_id = 0;
  return f;
}

ManifestFile listed(std::string path, std::int64_t sequence, std::int64_t snapshot) {
  ManifestFile m;
  m.path = std::move(path);
  m.sequence_number = sequence;
  m.added_snapshot_id = snapshot;
  return m;
}

TEST(IcebergSchema, TypesMapBothWays) {
  const TableMetadata t = sample_table({});
  EXPECT_EQ(t.schema().find("ts")->type, "timestamp");
  EXPECT_EQ(t.schema().find("amount")->type, "decimal(10, 2)");
  EXPECT_EQ(*sql_type(*t.schema().find("amount")), Type::decimal(10, 2));
  EXPECT_EQ(*sql_type(*t.schema().find("id")), Type::big_int().not_null());
  EXPECT_EQ(*sql_type({.id = 1, .name = "f", .type = "fixed[16]"}), (Type{.id = TypeId::kBytes, .fixed_length = true, .precision = 16}));
  EXPECT_EQ(sql_type({.id = 1, .name = "f", .type = "uuid"}).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(sql_type({.id = 1, .name = "f", .type = "decimal(99, 2)"}).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(iceberg_type(Type::interval_day()).error().code, ErrorCode::kUnsupported);
}

TEST(IcebergMetadata, RoundTripKeepsWhatItDoesNotKnow) {
  TableMetadata t = sample_table({"k", "day"});
  t.snapshots.push_back({.id = 5, .parent_id = {}, .sequence_number = 1, .timestamp_ms = 2, .manifest_list = "/l", .summary = {{"operation", "append"}}, .schema_id = 0});
  t.current_snapshot_id = 5;
  t.snapshot_log.push_back({2, 5});
  t.metadata_log.push_back({1, "/m"});
  t.other_json = R"({"statistics":[{"x":1}],"refs":{"keep":{"snapshot-id":5,"type":"tag"}},"default-sort-order-id":0,"sort-orders":[]})";
  const auto back = parse_metadata(metadata_json(t), "m");
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->schemas, t.schemas);
  EXPECT_EQ(back->specs, t.specs);
  EXPECT_EQ(back->snapshots, t.snapshots);
  EXPECT_EQ(back->snapshot_log, t.snapshot_log);
  EXPECT_EQ(back->metadata_log, t.metadata_log);
  EXPECT_EQ(back->properties, t.properties);
  EXPECT_FALSE(back->only_main_ref);
  EXPECT_NE(back->other_json.find("statistics"), std::string::npos);
  EXPECT_NE(back->other_json.find("keep"), std::string::npos);
}

TEST(IcebergMetadata, BadTextIsANumberedError) {
  EXPECT_EQ(parse_metadata("nonsense", "m").error().code, ErrorCode::kDamaged);
  EXPECT_EQ(parse_metadata("{}", "m").error().code, ErrorCode::kDamaged);
  EXPECT_EQ(parse_metadata(R"({"format-version":3})", "m").error().code, ErrorCode::kFormatVersion);
  std::string text = metadata_json(sample_table({}));
  EXPECT_EQ(parse_metadata(text.replace(text.find("\"current-schema-id\":0"), 21, "\"current-schema-id\":7"), "m").error().code, ErrorCode::kDamaged);
}

TEST(IcebergValues, SingleValuesAndBounds) {
  EXPECT_EQ(single_value_bytes({Type::integer(), std::int64_t{34}}), std::string("\x22\0\0\0", 4));
  EXPECT_EQ(single_value_bytes({Type::decimal(9, 2), Int128{1420}}), std::string("\x05\x8c", 2));   // the spec's own example: 14.20
  EXPECT_EQ(single_value_bytes({Type::decimal(9, 2), Int128{-1}}), "\xff");
  EXPECT_EQ(single_value_bytes({Type::decimal(9, 2), Int128{128}}), std::string("\0\x80", 2));
  for (const Int128 v : {Int128{0}, Int128{-129}, Int128{1} << 100, -(Int128{1} << 100)})
    EXPECT_EQ(std::get<Int128>(value_from_bytes(Type::decimal(38, 0), single_value_bytes({Type::decimal(38, 0), v}))->data), v);
  const Value text{Type::string(), std::string("abcdefghijklmnopqrstuvwxyz")};
  EXPECT_EQ(*lower_bound_bytes(text), "abcdefghijklmnop");
  EXPECT_EQ(*upper_bound_bytes(text), "abcdefghijklmnoq");
  const std::string korean = "가나다라마바사아자차카타파하가나다라";
  const auto upper = upper_bound_bytes({Type::string(), korean});
  EXPECT_GT(*upper, korean);
  EXPECT_LT(*lower_bound_bytes({Type::string(), korean}), korean);
  EXPECT_EQ(*upper_bound_bytes({Type::string(), std::string(16, 'a') + "b"}), std::string(15, 'a') + "b");
  EXPECT_EQ(upper_bound_bytes({Type::bytes(), std::string(20, '\xff')}), std::nullopt);
  EXPECT_EQ(*upper_bound_bytes({Type::string(), std::string("short")}), "short");
}

TEST(IcebergValues, PartitionPaths) {
  const TableMetadata t = sample_table({"k", "s", "day"});
  EXPECT_EQ(partition_path(t.spec(), {{Type::integer(), std::int64_t{3}}, {Type::string(), std::string("a/b c=d")}, {Type::date(), std::int64_t{15706}}}),
            "k=3/s=a%2Fb+c%3Dd/day=2013-01-01");
  EXPECT_EQ(partition_path(t.spec(), {{Type::integer(), {}}, {Type::string(), std::string()}, {Type::date(), {}}}), "k=null/s=/day=null");
}

TEST(IcebergManifest, RoundTripWithEveryPartitionType) {
  const TableMetadata t = sample_table({"k", "s", "amount", "ts", "day", "b"});
  const std::vector<Value> values{{Type::integer(), std::int64_t{-3}},          {Type::string(), std::string("x")},
                                  {Type::decimal(10, 2), Int128{-12345}},       {Type::timestamp(6), std::int64_t{1'700'000'000'123'456}},
                                  {Type::date(), std::int64_t{-1}},             {Type::boolean(), true}};
  std::vector<Value> nulls;
  for (const Value& v : values) nulls.push_back({v.type, {}});
  std::vector<ManifestEntry> entries;
  entries.push_back({.status = EntryStatus::kAdded, .snapshot_id = 9, .sequence_number = {}, .file_sequence_number = {}, .file = sample_file(values)});
  entries.push_back({.status = EntryStatus::kExisting, .snapshot_id = 8, .sequence_number = 4, .file_sequence_number = 4, .file = sample_file(nulls)});
  const auto bytes = encode_manifest(entries, t.schema(), t.spec(), kSync);
  ASSERT_TRUE(bytes) << bytes.error().to_string();
  const auto back = decode_manifest(*bytes, listed("m", 12, 9), t);
  ASSERT_TRUE(back) << back.error().to_string();
  entries[0].sequence_number = entries[0].file_sequence_number = 12;   // inherited
  EXPECT_EQ(*back, entries);
  const auto summary = summarize_manifest(entries, t.schema(), t.spec());
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->added_files, 1);
  EXPECT_EQ(summary->existing_rows, 17);
  EXPECT_TRUE(summary->partitions[0].contains_null);
  EXPECT_EQ(*summary->partitions[1].lower, "x");
}

TEST(IcebergManifest, ListRoundTrip) {
  std::vector<ManifestFile> list(3);
  for (std::size_t i = 0; i < list.size(); ++i) {
    list[i].path = fmt::format("/m{}", i);
    list[i].length = 1000 + static_cast<std::int64_t>(i);
    list[i].sequence_number = static_cast<std::int64_t>(i);
    list[i].added_files = 2;
    list[i].added_rows = 1'000'000'000'000;
    list[i].partitions.push_back({.contains_null = i == 1, .contains_nan = {}, .lower = "a", .upper = std::string("\0b", 2)});
  }
  list[2].deletes = true;
  const auto back = decode_manifest_list(encode_manifest_list(list, {.id = 7, .parent_id = 6, .sequence_number = 3, .manifest_list = {}, .summary = {}, .schema_id = {}}, kSync), "l");
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(*back, list);
}

// Any cut and any flipped byte gives entries or a numbered error, never a crash or endless work.
TEST(IcebergManifest, DamageIsAnError) {
  const TableMetadata t = sample_table({"k"});
  const std::vector<ManifestEntry> entries(5, {EntryStatus::kAdded, {}, {}, {}, sample_file({{Type::integer(), std::int64_t{1}}})});
  const std::string good = *encode_manifest(entries, t.schema(), t.spec(), kSync);
  for (std::size_t cut = 0; cut < good.size(); cut += 3) {
    const auto back = decode_manifest(std::string_view(good).substr(0, cut), listed("m", 0, 0), t);
    if (back) EXPECT_TRUE(back->empty()) << cut;   // a file that ends after its header holds no records
    else EXPECT_EQ(back.error().code, ErrorCode::kDamaged);
  }
  for (std::size_t at = 0; at < good.size(); at += 7)
    for (const char flip : {'\x01', '\x80'}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      (void)decode_manifest(bad, listed("m", 0, 0), t);
      (void)decode_manifest_list(bad, "m");
    }
}

}  // namespace
}  // namespace supyo::iceberg
