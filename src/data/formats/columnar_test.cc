#include "data/formats/columnar.h"

#include <gtest/gtest.h>

#include <random>

#include "data/types/builder.h"
#include "data/types/value.h"

namespace supyo::formats {
namespace {

using Random = std::mt19937_64;

Schema wide() {
  return Schema({{"flag", Type::boolean()},
                 {"tiny", Type::tiny_int()},
                 {"small", Type::small_int()},
                 {"n", Type::integer()},
                 {"id", Type::big_int()},
                 {"f", Type::float_()},
                 {"x", Type::double_()},
                 {"price", Type::decimal(38, 2)},
                 {"name", Type::string()},
                 {"raw", Type::bytes()},
                 {"d", Type::date()},
                 {"t", Type::time(3)},
                 {"ts", Type::timestamp(3)},
                 {"at", Type::timestamp_ltz(6)}});
}

std::string text(Random& random, std::uint64_t kind) {
  if (kind % 3 == 0) return "channel-" + std::to_string(random() % 5);
  if (kind % 3 == 1) return std::string(random() % 40, static_cast<char>('a' + random() % 26));
  return random() % 100 == 0 ? std::string(300 + random() % 70000, 'z') : "";
}

/// Rows of every size of numbers, with nulls in some columns, in all rows of others.
BatchPtr rows(Random& random, const Schema& schema, std::size_t n) {
  BatchBuilder b(schema);
  std::vector<std::uint64_t> kind(schema.size()), nulls(schema.size());
  for (auto& k : kind) k = random();
  for (auto& p : nulls) p = random() % 4;   // 0: none, 1: all, else some
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t c = 0; c < schema.size(); ++c) {
      ColumnBuilder& to = b.column(c);
      if (nulls[c] == 1 || (nulls[c] > 1 && random() % 3 == 0)) {
        to.append_null();
        continue;
      }
      const auto number = static_cast<std::int64_t>(kind[c] % 7 == 0 ? 42 : random() >> kind[c] % 64) * (kind[c] % 2 == 0 ? 1 : -1);
      switch (schema[c].type.id) {
        case TypeId::kString:
        case TypeId::kBytes: to.append_text(text(random, kind[c])); break;
        case TypeId::kFloat: to.append(static_cast<float>(number) / 3); break;
        case TypeId::kDouble: to.append(static_cast<double>(number) / 3); break;
        case TypeId::kDecimal: to.append(static_cast<Int128>(number) * (kind[c] % 5 == 0 ? 1'000'000'000'000 : 1)); break;
        case TypeId::kBoolean: to.append(static_cast<std::uint8_t>(number & 1)); break;
        case TypeId::kTinyInt: to.append(static_cast<std::int8_t>(number)); break;
        case TypeId::kSmallInt: to.append(static_cast<std::int16_t>(number)); break;
        case TypeId::kInteger:
        case TypeId::kDate: to.append(static_cast<std::int32_t>(number)); break;
        default: to.append(number);
      }
    }
    b.end_row();
  }
  return b.finish();
}

void expect_same(const Column& a, const Column& b, std::size_t row, std::string_view name) {
  ASSERT_EQ(a.is_null(row), b.is_null(row)) << name << " " << row;
  if (a.type().is_variable()) {
    if (!a.is_null(row)) ASSERT_EQ(a.text(row), b.text(row)) << name << " " << row;
    return;
  }
  const auto width = static_cast<std::size_t>(a.type().width());   // null rows too: they are zero
  ASSERT_EQ(std::memcmp(a.data()->data() + row * width, b.data()->data() + row * width, width), 0) << name << " " << row;
}

TEST(Columnar, WhatIsWrittenIsReadWhateverTheColumns) {
  Random random(5);
  const Schema schema = wide();
  for (int round = 0; round < 200; ++round) {
    const BatchPtr batch = rows(random, schema, round % 10 == 0 ? Batch::kMaxRows : 1 + random() % 60);
    std::string block;
    encode_columns(*batch, schema, block);
    Schema wanted;
    std::vector<std::size_t> source;
    for (std::size_t c = 0; c < schema.size(); ++c)
      if (random() % 2 == 0) source.push_back(c);
    std::shuffle(source.begin(), source.end(), random);
    for (const std::size_t c : source) wanted.add(schema[c].name, schema[c].type);
    const auto read = ColumnarDecoder(wanted).decode(block, batch->rows);
    ASSERT_TRUE(read) << read.error().to_string();
    for (std::size_t c = 0; c < source.size(); ++c)
      for (std::size_t r = 0; r < batch->rows; ++r) expect_same(*batch->columns[source[c]], *(*read)->columns[c], r, wanted[c].name);
    EXPECT_EQ(columns_of(block)->size(), schema.size());
  }
}

TEST(Columnar, NumbersAndRepeatedTextsAreSmall) {
  const Schema schema({{"id", Type::big_int()}, {"channel", Type::string()}, {"ts", Type::timestamp(3)}});
  BatchBuilder b(schema);
  for (std::int64_t i = 0; i < 4096; ++i) {
    b.column(0).append(1'000'000'000'000 + i % 200);
    b.column(1).append_text("channel-" + std::to_string(i % 9));
    b.column(2).append(1'767'225'577'000'000 + i * 1000);
    b.end_row();
  }
  std::string block;
  encode_columns(*b.finish(), schema, block);
  EXPECT_LT(block.size(), 4096U * (1 + 1 + 4) + 512);   // JSON: 80 bytes a row
}

TEST(Columnar, ColumnsComeAndGoByName) {
  const Schema old({{"a", Type::integer()}, {"b", Type::string()}});
  BatchBuilder b(old);
  b.column(0).append(std::int32_t{7});
  b.column(1).append_text("x");
  b.end_row();
  std::string block;
  encode_columns(*b.finish(), old, block);
  ColumnarDecoder decoder(Schema({{"new", Type::decimal(10, 2)}, {"b", Type::string()}}));
  const auto read = decoder.decode(block, 1);
  ASSERT_TRUE(read);
  EXPECT_TRUE((*read)->columns[0]->is_null(0));
  EXPECT_EQ((*read)->columns[1]->text(0), "x");
  const auto wrong = ColumnarDecoder(Schema({{"a", Type::big_int()}})).decode(block, 1);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kTypeMismatch);
  EXPECT_EQ(wrong.error().message, "column 'a' is declared BIGINT and was written as INT");
  EXPECT_FALSE(ColumnarDecoder(old).decode(block, 2));
}

// Any change of a block's bytes gives an error or some rows, and never a read outside of it (the sanitizers watch).
TEST(Columnar, DamagedBytesAreRefusedOrHarmless) {
  Random random(11);
  const Schema schema = wide();
  std::size_t refused = 0;
  for (int round = 0; round < 4000; ++round) {
    const BatchPtr batch = rows(random, schema, 1 + random() % 20);
    std::string block;
    encode_columns(*batch, schema, block);
    for (auto n = random() % 3; n <= 3; ++n) block[random() % (random() % 2 == 0 ? block.size() : std::min<std::size_t>(block.size(), 300))] = static_cast<char>(random());
    if (random() % 8 == 0) block.resize(random() % block.size());
    const std::string exact(block.data(), block.size());
    ColumnarDecoder decoder(schema);
    const auto read = decoder.decode(exact, batch->rows);
    if (!read) {
      ++refused;
      continue;
    }
    for (const auto& column : (*read)->columns) {
      std::size_t bytes = 0;
      for (std::size_t r = 0; r < (*read)->rows; ++r)
        if (!column->is_null(r) && column->type().is_variable())
          for (const char byte : column->text(r)) bytes += byte != 0 ? 1 : 0;
      ASSERT_LE(bytes, std::size_t{256} << 20);
    }
  }
  EXPECT_GT(refused, 500U);
}

}  // namespace
}  // namespace supyo::formats
