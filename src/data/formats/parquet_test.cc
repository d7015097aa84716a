#include "data/formats/parquet.h"

#include <gtest/gtest.h>

#include "data/types/builder.h"

namespace supyo::formats {
namespace {

#ifdef SUPYO_NO_PARQUET

TEST(Parquet, WithoutTheModuleTheErrorSaysWhatToDo) {
  const auto reader = make_parquet_reader("", "mem", {});
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::kModuleMissing);
  EXPECT_NE(reader.error().hint.find("SUPYO_PARQUET"), std::string::npos);
}

#else

std::vector<ParquetField> all_types() {
  return {{"b", Type::boolean(), 1},       {"ti", Type::tiny_int(), 2},   {"i", Type::integer(), 3},        {"l", Type::big_int().not_null(), 4},
          {"f", Type::float_(), 5},        {"d", Type::double_(), 6},     {"dec9", Type::decimal(9, 2), 7}, {"dec38", Type::decimal(38, 10), 8},
          {"s", Type::string(), 9},        {"by", Type::bytes(), 10},     {"dt", Type::date(), 11},         {"t", Type::time(6), 12},
          {"ts", Type::timestamp(6), 13},  {"tz", Type::timestamp_ltz(6), 14}};
}

Value sample(const Type& type, std::int64_t n) {
  switch (type.id) {
    case TypeId::kBoolean: return {type, n % 2 == 0};
    case TypeId::kFloat:
    case TypeId::kDouble: return {type, static_cast<double>(n) * 0.5};
    case TypeId::kDecimal: return {type, type.precision > 18 ? Int128{n - 50} * 1'000'000'000'000'000'000 * 1'000 : Int128{n - 50}};
    case TypeId::kString:
    case TypeId::kBytes: return {type, fmt::format("text-{:05}", n)};
    case TypeId::kTinyInt: return {type, n % 100};
    default: return {type, n * 1'000'003};
  }
}

BatchPtr make_batch(const std::vector<ParquetField>& fields, std::int64_t from, std::size_t rows) {
  Schema schema;
  for (const auto& f : fields) schema.add(f.name, f.type);
  BatchBuilder builder(schema);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < fields.size(); ++c) {
      const std::int64_t n = from + static_cast<std::int64_t>(r);
      const bool null = fields[c].type.nullable && (n + static_cast<std::int64_t>(c)) % 7 == 3;
      append_value(builder.column(c), null ? Value{fields[c].type, {}} : sample(fields[c].type, n));
    }
    builder.end_row();
  }
  return builder.finish();
}

struct Written {
  std::string bytes;
  ParquetFileMetrics metrics;
};

Written write_file(const std::vector<ParquetField>& fields, std::size_t batches, std::size_t rows, ParquetWriteOptions options = {}) {
  Written out;
  auto writer = make_parquet_writer(fields, options, [&](std::string_view b) { out.bytes.append(b); return ok(); });
  EXPECT_TRUE(writer) << writer.error().to_string();
  for (std::size_t i = 0; i < batches; ++i) {
    const auto status = (*writer)->write(*make_batch(fields, static_cast<std::int64_t>(i * rows), rows));
    EXPECT_TRUE(status) << status.error().to_string();
  }
  auto metrics = (*writer)->finish();
  EXPECT_TRUE(metrics) << metrics.error().to_string();
  out.metrics = *metrics;
  return out;
}

TEST(Parquet, EveryTypeComesBackEqual) {
  const auto fields = all_types();
  const Written file = write_file(fields, 3, 4000, {.codec = "zstd", .row_group_rows = 5000});
  EXPECT_EQ(file.metrics.rows, 12000);
  EXPECT_EQ(file.metrics.file_bytes, static_cast<std::int64_t>(file.bytes.size()));
  EXPECT_EQ(file.metrics.split_offsets.size(), 3U);
  for (const std::int64_t first : {0, 1, 4999, 5000, 11999}) {
    auto reader = make_parquet_reader(file.bytes, "mem", fields, first);
    ASSERT_TRUE(reader) << reader.error().to_string();
    std::int64_t n = first;
    while (true) {
      auto batch = (*reader)->next();
      ASSERT_TRUE(batch) << batch.error().to_string();
      if (!*batch) break;
      ASSERT_LE((*batch)->rows, Batch::kMaxRows);
      const auto expected = make_batch(fields, n, (*batch)->rows);
      for (std::size_t c = 0; c < fields.size(); ++c)
        for (std::size_t r = 0; r < (*batch)->rows; ++r)
          ASSERT_EQ(value_at(*(*batch)->columns[c], r), value_at(*expected->columns[c], r)) << fields[c].name << " row " << n;
      n += static_cast<std::int64_t>((*batch)->rows);
    }
    EXPECT_EQ(n, 12000);
  }
}

TEST(Parquet, MetricsAreThoseOfTheRows) {
  const std::vector<ParquetField> fields{{"i", Type::integer(), 3}, {"s", Type::string(), 9}, {"d", Type::decimal(20, 2), 4}};
  const Written file = write_file(fields, 1, 70);
  const auto& i = file.metrics.columns[0];
  EXPECT_EQ(i.field_id, 3);
  EXPECT_EQ(i.values, 70);
  EXPECT_EQ(i.nulls, 10);
  EXPECT_GT(i.compressed_bytes, 0);
  EXPECT_EQ(std::get<std::int64_t>(i.lower->data), 0);
  EXPECT_EQ(std::get<std::int64_t>(i.upper->data), 69 * 1'000'003);
  EXPECT_EQ(std::get<std::string>(file.metrics.columns[1].upper->data), "text-00069");
  EXPECT_TRUE(std::get<Int128>(file.metrics.columns[2].lower->data) < 0);
  EXPECT_TRUE(std::get<Int128>(file.metrics.columns[2].upper->data) > 0);
}

TEST(Parquet, ProjectionByIdSurvivesRenamesAndMissingColumns) {
  const Written file = write_file(all_types(), 1, 10);
  const std::vector<ParquetField> asked{{"renamed", Type::double_(), 5}, {"later", Type::string(), 99}, {"wide", Type::big_int(), 3}};
  auto reader = make_parquet_reader(file.bytes, "mem", asked);
  ASSERT_TRUE(reader) << reader.error().to_string();
  const auto batch = (*reader)->next();
  ASSERT_TRUE(batch) << batch.error().to_string();
  EXPECT_EQ(value_at(*(*batch)->columns[0], 1), (Value{Type::double_(), 0.5}));
  EXPECT_TRUE((*batch)->columns[1]->is_null(1));
  EXPECT_EQ(value_at(*(*batch)->columns[2], 2), (Value{Type::big_int(), std::int64_t{2'000'006}}));
}

TEST(Parquet, NoColumnsStillCountRows) {
  const Written file = write_file(all_types(), 3, 4000);
  auto reader = make_parquet_reader(file.bytes, "mem", {});
  ASSERT_TRUE(reader);
  std::size_t rows = 0;
  for (auto batch = (*reader)->next(); batch && *batch; batch = (*reader)->next()) rows += (*batch)->rows;
  EXPECT_EQ(rows, 12000U);
}

TEST(Parquet, RefusesWhatDoesNotFit) {
  const Written file = write_file(all_types(), 1, 10);
  EXPECT_EQ(make_parquet_reader(file.bytes, "mem", {{"s", Type::integer(), 9}}).error().code, ErrorCode::kTypeMismatch);
  auto narrow = make_parquet_reader(file.bytes, "mem", {{"i", Type::tiny_int(), 3}});
  ASSERT_TRUE(narrow);
  EXPECT_EQ((*narrow)->next().error().code, ErrorCode::kValueOutOfRange);
  auto strict = make_parquet_reader(file.bytes, "mem", {{"i", Type::integer().not_null(), 3}});
  ASSERT_TRUE(strict);
  EXPECT_EQ((*strict)->next().error().code, ErrorCode::kNullInNotNull);
  EXPECT_EQ(make_parquet_writer({{"x", Type::interval_day(), 1}}, {}, [](std::string_view) { return ok(); }).error().code, ErrorCode::kUnsupported);
}

TEST(Parquet, DamageIsAnErrorNeverACrash) {
  const std::string good = write_file(all_types(), 1, 200).bytes;
  for (std::size_t cut = 0; cut < good.size(); cut += 97)
    EXPECT_EQ(make_parquet_reader(std::string_view(good).substr(0, cut), "cut", all_types()).error().code, ErrorCode::kDamaged);
}

TEST(Parquet, AnErrorOfTheOutputComesBack) {
  int calls = 0;
  auto writer = make_parquet_writer(all_types(), {}, [&](std::string_view) -> Status {
    if (++calls > 3) return fail(ErrorCode::kDiskFull, "no space");
    return ok();
  });
  ASSERT_TRUE(writer);
  auto status = (*writer)->write(*make_batch(all_types(), 0, 100));
  if (status) EXPECT_EQ((*writer)->finish().error().code, ErrorCode::kDiskFull);
  else EXPECT_EQ(status.error().code, ErrorCode::kDiskFull);
}

TEST(Parquet, AWriterThatIsDroppedWritesNothingMore) {
  int calls = 0;
  auto writer = make_parquet_writer(all_types(), {}, [&](std::string_view) { ++calls; return ok(); });
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->write(*make_batch(all_types(), 0, 100)));
  const int before = calls;
  writer->reset();
  EXPECT_EQ(calls, before);
}

#endif  // SUPYO_NO_PARQUET

}  // namespace
}  // namespace supyo::formats
