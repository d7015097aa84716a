#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "data/types/batch.h"
#include "data/types/builder.h"
#include "data/types/changelog.h"
#include "data/types/row_codec.h"
#include "data/types/testing.h"
#include "data/types/type.h"

namespace supyo {
namespace {

using namespace testing_types;

TEST(Type, FlinksSpelling) {
  EXPECT_EQ(Type::big_int().to_string(), "BIGINT");
  EXPECT_EQ(Type::integer().to_string(), "INT");
  EXPECT_EQ(Type::decimal(10, 2).not_null().to_string(), "DECIMAL(10, 2) NOT NULL");
  EXPECT_EQ(Type::string().to_string(), "STRING");
  EXPECT_EQ(Type::string(20).to_string(), "VARCHAR(20)");
  EXPECT_EQ(Type::char_(3).to_string(), "CHAR(3)");
  EXPECT_EQ(Type::bytes().to_string(), "BYTES");
  EXPECT_EQ(Type::bytes(8).to_string(), "VARBINARY(8)");
  EXPECT_EQ(Type::timestamp(3).to_string(), "TIMESTAMP(3)");
  EXPECT_EQ(Type::timestamp_ltz().to_string(), "TIMESTAMP_LTZ(6)");
  EXPECT_EQ(Type::time().to_string(), "TIME(0)");
  EXPECT_EQ(Type::null().to_string(), "NULL");
}

TEST(Type, Widths) {
  EXPECT_EQ(Type::null().width(), 0);
  for (const Type& t : {Type::boolean(), Type::tiny_int()}) EXPECT_EQ(t.width(), 1);
  EXPECT_EQ(Type::small_int().width(), 2);
  for (const Type& t : {Type::integer(), Type::float_(), Type::date()}) EXPECT_EQ(t.width(), 4) << t.to_string();
  for (const Type& t : {Type::big_int(), Type::double_(), Type::time(), Type::timestamp(), Type::timestamp_ltz(), Type::interval_month(), Type::interval_day()}) {
    EXPECT_EQ(t.width(), 8) << t.to_string();
  }
  EXPECT_EQ(Type::decimal(5, 2).width(), 16);
  for (const TypeId id : {TypeId::kString, TypeId::kBytes, TypeId::kArray, TypeId::kMap, TypeId::kMultiset, TypeId::kRow}) EXPECT_EQ(Type{.id = id}.width(), 0);
}

TEST(Schema, PrintsAndFinds) {
  Schema schema;
  schema.add("a", Type::big_int());
  schema.add("od`d", Type::string().not_null());
  EXPECT_EQ(schema.to_string(), "(`a` BIGINT, `od``d` STRING NOT NULL)");
  EXPECT_EQ(schema.find("od`d"), 1U);
  EXPECT_EQ(schema.find("A"), std::nullopt);
}

TEST(ColumnBuilder, GivesBackEveryTypeWithAndWithoutNulls) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Draw draw(seed);
    for (const Type& type : all_types()) {
      ColumnBuilder builder(type, 1 + draw.below(20));
      // Twice: after finish() the builder starts anew.
      for (int round = 0; round < 2; ++round) {
        const auto values = random_values(type, draw.below(300), draw.below(4), draw);
        bool nulls = false;
        for (const Value& v : values) nulls |= v.is_null(), append_value(builder, v);
        const ColumnPtr column = builder.finish();
        ASSERT_EQ(values_of(*column), values) << type.to_string() << " seed " << seed;
        EXPECT_EQ(column->has_nulls(), nulls && type.id != TypeId::kNull);
      }
    }
  }
}

TEST(ColumnBuilder, AlignsBuffersAndZeroesNulls) {
  ColumnBuilder builder(Type::big_int(), 8);
  builder.append(std::int64_t{-1});
  builder.append_null();
  const ColumnPtr c = builder.finish();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(c->data()->data()) % 64, 0U);
  EXPECT_EQ(c->values<std::int64_t>()[1], 0);
}

TEST(ColumnBuilder, AppendFromCopiesAnyRow) {
  Draw draw(7);
  for (const Type& type : all_types()) {
    const auto values = random_values(type, 100, 3, draw);
    const ColumnPtr column = column_of(type, values);
    ColumnBuilder builder(type, 8);
    for (std::size_t i = values.size(); i-- > 0;) builder.append_from(*column, i);
    const ColumnPtr back = builder.finish();
    EXPECT_EQ(values_of(*back), std::vector<Value>(values.rbegin(), values.rend())) << type.to_string();
  }
}

TEST(BatchBuilder, KindsAppearWithTheFirstThatIsNoInsert) {
  Schema schema;
  schema.add("a", Type::big_int());
  BatchBuilder builder(schema, 4);
  EXPECT_EQ(builder.finish(), nullptr);
  for (const std::int64_t v : {1, 2, 3}) {
    builder.column(0).append(v);
    builder.end_row();
  }
  EXPECT_TRUE(builder.finish()->kinds.empty());
  for (const RowKind k : {RowKind::kInsert, RowKind::kInsert, RowKind::kDelete, RowKind::kInsert}) {
    builder.column(0).append_null();
    builder.end_row(k, Origin{.event_max = 5, .produce_max = 6, .produce_min = 6});
  }
  const BatchPtr batch = builder.finish();
  EXPECT_EQ(batch->kinds, (std::vector<RowKind>{RowKind::kInsert, RowKind::kInsert, RowKind::kDelete, RowKind::kInsert}));
  EXPECT_EQ(batch->origins.size(), 4U);
  EXPECT_EQ(row_kind_text(batch->kind(2)), "-D");
}

TEST(BatchBuilderDeathTest, AColumnWithoutItsRow) {
  Schema schema;
  schema.add("a", Type::big_int());
  BatchBuilder builder(schema, 4);
  builder.end_row();
  EXPECT_DEATH(builder.finish(), "0 vs 1");
}

Batch random_batch(std::size_t rows, Draw& draw) {
  Batch batch;
  batch.rows = rows;
  for (const Type& type : all_types()) batch.columns.push_back(column_of(type, random_values(type, rows, draw.below(4), draw)));
  const bool kinds = draw.one_in(2);
  for (std::size_t i = 0; i < rows; ++i) {
    if (kinds) batch.kinds.push_back(static_cast<RowKind>(draw.below(4)));
    batch.origins.push_back({.event_max = static_cast<TimeUs>(draw.below(1000)), .produce_max = static_cast<TimeUs>(i), .produce_min = 1});
    batch.edge_watermarks.push_back(static_cast<TimeUs>(draw.below(1000)));
  }
  return batch;
}

void expect_rows(const Batch& got, const Batch& from, const std::vector<std::uint32_t>& rows, std::uint64_t seed) {
  ASSERT_EQ(got.rows, rows.size());
  ASSERT_EQ(got.kinds.empty(), from.kinds.empty());
  for (std::size_t c = 0; c < from.columns.size(); ++c) {
    ASSERT_EQ(got.columns[c]->length(), rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ASSERT_EQ(value_at(*got.columns[c], i), value_at(*from.columns[c], rows[i])) << "seed " << seed << " column " << c << " row " << i;
    }
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(got.kind(i), from.kind(rows[i]));
    EXPECT_EQ(got.origins[i].event_max, from.origins[rows[i]].event_max);
    EXPECT_EQ(got.edge_watermarks[i], from.edge_watermarks[rows[i]]);
  }
}

TEST(Take, AnySelectionOfAnyBatch) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Draw draw(seed);
    const Batch batch = random_batch(1 + draw.below(200), draw);
    std::vector<std::uint32_t> rows(draw.below(150));
    for (auto& r : rows) r = static_cast<std::uint32_t>(draw.below(batch.rows));
    expect_rows(*take(batch, rows), batch, rows, seed);
    std::vector<std::uint32_t> sorted;
    for (std::uint32_t r = 0; r < batch.rows; ++r) if (!draw.one_in(3)) sorted.push_back(r);
    expect_rows(*take(batch, sorted), batch, sorted, seed);
  }
}

TEST(Slice, AnyRangeOfAnyBatchAndOfASlice) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Draw draw(seed);
    const Batch batch = random_batch(1 + draw.below(200), draw);
    const std::size_t from = draw.below(batch.rows);
    const std::size_t count = 1 + draw.below(batch.rows - from);
    std::vector<std::uint32_t> rows(count);
    std::iota(rows.begin(), rows.end(), static_cast<std::uint32_t>(from));
    const BatchPtr once = slice(batch, from, count);
    expect_rows(*once, batch, rows, seed);
    expect_rows(*take(batch, rows), batch, rows, seed);
    const BatchPtr front = slice(*once, 0, (count + 1) / 2);
    rows.resize((count + 1) / 2);
    expect_rows(*front, batch, rows, seed);
  }
}

TEST(Take, DropsTheBitmapWhenNoNullIsLeft) {
  const ColumnPtr c = column_of(Type::integer(), {Value{Type::integer(), std::int64_t{1}}, Value{Type::integer(), {}}});
  const std::uint32_t first[] = {0, 0};
  EXPECT_FALSE(take(*c, first)->has_nulls());
}

TEST(RowCodec, RoundTripsRandomRowsAndRefusesDamage) {
  const std::vector<Type> types = all_types();
  const RowCodec codec(types);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Draw draw(seed);
    const Batch batch = random_batch(50, draw);
    std::vector<ColumnBuilder> builders;
    for (const Type& t : types) builders.emplace_back(t, 8);
    std::vector<ColumnBuilder*> out;
    for (ColumnBuilder& b : builders) out.push_back(&b);
    for (std::size_t row = 0; row < batch.rows; ++row) {
      std::string bytes;
      codec.encode(batch.columns, row, bytes);
      ASSERT_TRUE(codec.decode(bytes, out));
    }
    for (std::size_t c = 0; c < types.size(); ++c) EXPECT_EQ(values_of(*builders[c].finish()), values_of(*batch.columns[c])) << "seed " << seed;
    std::string bytes;
    codec.encode(batch.columns, 0, bytes);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      std::vector<ColumnBuilder> scratch;
      for (const Type& t : types) scratch.emplace_back(t, 8);
      std::vector<ColumnBuilder*> cut;
      for (ColumnBuilder& b : scratch) cut.push_back(&b);
      EXPECT_FALSE(codec.decode(std::string_view(bytes).substr(0, n), cut)) << n;
    }
  }
}

TEST(RowCodec, OneEncodingForEqualFloats) {
  const RowCodec codec({Type::double_()});
  const auto encoded = [&](double v) {
    std::string out;
    const ColumnPtr c = constant_column({Type::double_(), v}, 1);
    codec.encode(std::span(&c, 1), 0, out);
    return out;
  };
  EXPECT_EQ(encoded(0.0), encoded(-0.0));
  EXPECT_EQ(encoded(std::nan("1")), encoded(-std::nan("2")));
  EXPECT_NE(encoded(1.0), encoded(-1.0));
}

TEST(HashRows, DependsOnValuesAndNotOnTheBatch) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Draw draw(seed);
    const Batch batch = random_batch(100, draw);
    std::vector<std::uint64_t> whole(batch.rows);
    hash_rows(batch.columns, batch.rows, whole);
    const std::uint32_t odd[] = {99, 3, 3, 50};
    const BatchPtr some = take(batch, odd);
    std::vector<std::uint64_t> part(4);
    hash_rows(some->columns, 4, part);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(part[i], whole[odd[i]]);
  }
}

TEST(HashRows, SpreadsNeighboursAndTellsColumnsApart) {
  ColumnBuilder a(Type::integer(), 3000);
  ColumnBuilder b(Type::big_int(), 3000);
  for (std::int32_t i = 0; i < 3000; ++i) a.append(i), b.append(std::int64_t{i});
  const ColumnPtr columns[] = {a.finish(), b.finish()};
  std::vector<std::uint64_t> narrow(3000), wide(3000);
  hash_rows(std::span(columns, 1), 3000, narrow);
  hash_rows(std::span(columns + 1, 1), 3000, wide);
  EXPECT_EQ(narrow, wide) << "INT and BIGINT of the same value";
  int shard_of_three[3] = {};
  for (const std::uint64_t h : narrow) ++shard_of_three[shard_of(h, 3)];
  for (const int n : shard_of_three) EXPECT_NEAR(n, 1000, 150);
}

TEST(Changelog, Texts) {
  EXPECT_EQ(changelog_mode_text(ChangelogMode::kRetract), "[I,UB,UA,D]");
  EXPECT_EQ(delivery_guarantee_text(DeliveryGuarantee::kExactlyOnce), "exactly once");
}

}  // namespace
}  // namespace supyo
