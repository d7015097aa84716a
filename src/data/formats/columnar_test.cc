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

std::vector<std::string_view> columns_in(const ColumnarBlock& block) {
  std::vector<std::string_view> columns;
  std::size_t from = 0;
  for (const std::uint32_t n : block.bytes) columns.push_back(std::string_view(block.columns).substr(std::exchange(from, from + n), n));
  return columns;
}

/// The same in version 1: with the columns' sizes behind the first 16 bytes, and the columns behind the names.
std::string version_1(const ColumnarBlock& block) {
  std::string sizes(reinterpret_cast<const char*>(block.bytes.data()), 4 * block.bytes.size());
  sizes.resize((sizes.size() + 7) / 8 * 8, '\0');
  std::string out = block.head.substr(0, 16) + sizes + block.head.substr(16) + block.columns;
  out[4] = 1;
  return out;
}

TEST(Columnar, WhatIsWrittenIsReadWhateverTheColumns) {
  Random random(5);
  const Schema schema = wide();
  for (int round = 0; round < 200; ++round) {
    const BatchPtr batch = rows(random, schema, round % 10 == 0 ? Batch::kMaxRows : 1 + random() % 60);
    const ColumnarBlock block = encode_columns(*batch, schema);
    Schema wanted;
    std::vector<std::size_t> source;
    for (std::size_t c = 0; c < schema.size(); ++c)
      if (random() % 2 == 0) source.push_back(c);
    std::shuffle(source.begin(), source.end(), random);
    for (const std::size_t c : source) wanted.add(schema[c].name, schema[c].type);
    ColumnarDecoder decoder(wanted);
    std::vector<bool> selected(schema.size());
    decoder.select(block.head, selected);
    auto columns = columns_in(block);
    for (std::size_t c = 0; c < schema.size(); ++c) {
      EXPECT_EQ(selected[c], std::find(source.begin(), source.end(), c) != source.end());
      if (!selected[c]) columns[c] = {};
    }
    for (const auto& read : {decoder.decode(block.head, columns, batch->rows), ColumnarDecoder(wanted).decode(version_1(block), {}, batch->rows)}) {
      ASSERT_TRUE(read) << read.error().to_string();
      for (std::size_t c = 0; c < source.size(); ++c)
        for (std::size_t r = 0; r < batch->rows; ++r) expect_same(*batch->columns[source[c]], *(*read)->columns[c], r, wanted[c].name);
    }
    EXPECT_EQ(columns_of(block.head)->size(), schema.size());
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
  const ColumnarBlock block = encode_columns(*b.finish(), schema);
  EXPECT_LT(block.head.size() + block.columns.size(), 4096U * (1 + 1 + 4) + 512);   // JSON: 80 bytes a row
}

TEST(Columnar, ColumnsComeAndGoByName) {
  const Schema old({{"a", Type::integer()}, {"b", Type::string()}});
  BatchBuilder b(old);
  b.column(0).append(std::int32_t{7});
  b.column(1).append_text("x");
  b.end_row();
  const ColumnarBlock block = encode_columns(*b.finish(), old);
  const auto columns = columns_in(block);
  ColumnarDecoder decoder(Schema({{"new", Type::decimal(10, 2)}, {"b", Type::string()}}));
  const auto read = decoder.decode(block.head, columns, 1);
  ASSERT_TRUE(read);
  EXPECT_TRUE((*read)->columns[0]->is_null(0));
  EXPECT_EQ((*read)->columns[1]->text(0), "x");
  const auto wrong = ColumnarDecoder(Schema({{"a", Type::big_int()}})).decode(block.head, columns, 1);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kTypeMismatch);
  EXPECT_EQ(wrong.error().message, "column 'a' is declared BIGINT and was written as INT");
  EXPECT_FALSE(ColumnarDecoder(old).decode(block.head, columns, 2));
  EXPECT_FALSE(ColumnarDecoder(old).decode(block.head, std::span(columns).first(1), 1));
  std::vector<bool> none(2);
  ColumnarDecoder(Schema({{"a", Type::big_int()}})).select(block.head, none);   // decode() says why
  EXPECT_EQ(none, std::vector<bool>(2));
}

/// As a Supyo of version 1 wrote it: id BIGINT, name STRING, price DECIMAL(10, 2).
TEST(Columnar, ABlockOfVersion1) {
  constexpr std::string_view kHex =
      "5355504301000300030000001800000018000000380000001800000000000000050000026964090000046e616d65080a0205707269636500020002000000000007000000000000000000010025010000"
      "03010100000000000000000000000000050000000000000005000d0000000000736576656e74687265652068756e647265640000000000000200010000000000000000000000000096e1000000000000";
  std::string block;
  for (std::size_t i = 0; i < kHex.size(); i += 2) block.push_back(static_cast<char>(std::stoi(std::string(kHex.substr(i, 2)), nullptr, 16)));
  const auto read = ColumnarDecoder(columns_of(block).value()).decode(block, {}, 3);
  ASSERT_TRUE(read) << read.error().to_string();
  const auto& c = (*read)->columns;
  EXPECT_EQ(c[0]->integer(2), 300);
  EXPECT_EQ(c[1]->text(0), "seven");
  EXPECT_TRUE(c[1]->is_null(1));
  EXPECT_EQ(c[1]->text(2), "three hundred");
  EXPECT_EQ(c[2]->value<Int128>(1), 225);
}

// Any change of a block's bytes gives an error or some rows, and never a read outside of it (the sanitizers watch).
TEST(Columnar, DamagedBytesAreRefusedOrHarmless) {
  Random random(11);
  const Schema schema = wide();
  std::size_t refused = 0;
  for (int round = 0; round < 4000; ++round) {
    const BatchPtr batch = rows(random, schema, 1 + random() % 20);
    // Every other one of version 1, whose columns stand in the block; of version 2 the head is hit, or the columns.
    ColumnarBlock written = encode_columns(*batch, schema);
    const bool first = round % 2 == 0;
    std::string block = first ? version_1(written) : random() % 2 == 0 ? written.head : written.columns;
    const bool columns_hit = !first && block.size() == written.columns.size() && block == written.columns;
    for (auto n = random() % 3; n <= 3; ++n) block[random() % (random() % 2 == 0 ? block.size() : std::min<std::size_t>(block.size(), 300))] = static_cast<char>(random());
    if (random() % 8 == 0) block.resize(random() % block.size());
    if (columns_hit) {
      block.resize(written.columns.size());   // how long each is, the log knows
      written.columns = block;
    } else if (!first) {
      written.head = block;
    }
    std::vector<std::string> bytes;   // each on its own, so that a read outside of it is seen
    for (const std::string_view column : columns_in(written)) bytes.emplace_back(column);
    const std::vector<std::string_view> columns(bytes.begin(), bytes.end());
    const std::string exact(first ? block : written.head);
    ColumnarDecoder decoder(schema);
    std::vector<bool> selected(schema.size());
    decoder.select(exact, selected);
    const auto read = decoder.decode(exact, columns, batch->rows);
    if (!read) {
      ++refused;
      continue;
    }
    for (const auto& column : (*read)->columns) {
      std::size_t texts = 0;
      for (std::size_t r = 0; r < (*read)->rows; ++r)
        if (!column->is_null(r) && column->type().is_variable())
          for (const char byte : column->text(r)) texts += byte != 0 ? 1 : 0;
      ASSERT_LE(texts, std::size_t{256} << 20);
    }
  }
  EXPECT_GT(refused, 500U);
}

}  // namespace
}  // namespace supyo::formats
