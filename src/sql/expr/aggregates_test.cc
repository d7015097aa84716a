#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "data/types/builder.h"
#include "sql/expr/registry.h"
#include "sql/expr/sorted_counts.h"

namespace supyo::expr {
namespace {

class AggregatesTest : public ::testing::Test {
 protected:
  /// One group over a column of texts in the type's printed form ("NULL" = null); '-' in `signs` takes the row back. Rows from `split` on go into a group of their
  /// own, which is then put into the first.
  std::string of(const std::string& name, const Type& type, const std::vector<std::string>& values, const std::string& signs = {}, bool distinct = false,
                 std::size_t split = SIZE_MAX) {
    const std::vector<Type> args = {type};
    const auto resolved = registry_.resolve_aggregate(name, args, distinct, !signs.empty());
    if (!resolved) return resolved.error().to_string();
    ColumnBuilder b(Type::string(), values.size());
    for (const std::string& v : values) {
      if (v == "NULL") b.append_null(); else b.append_text(v);
    }
    Batch batch;
    batch.rows = values.size();
    batch.columns = {b.finish()};
    const ColumnPtr column_of_type = *evaluate(*cast(column(0, Type::string()), type), batch, {});
    std::vector<std::uint64_t> memory((resolved->aggregate->width() + 7) / 8, 0), other_memory = memory;
    auto* acc = reinterpret_cast<std::byte*>(memory.data());
    auto* other = reinterpret_cast<std::byte*>(other_memory.data());
    std::string blob, other_blob;
    std::vector<std::uint32_t> rows;
    std::vector<std::byte*> accs(values.size(), acc);
    std::vector<std::string*> blobs(resolved->aggregate->needs_blob() ? values.size() : 0, &blob);
    std::vector<std::int8_t> sign;
    for (std::size_t i = 0; i < values.size(); ++i) rows.push_back(static_cast<std::uint32_t>(i));
    for (const char c : signs) sign.push_back(c == '-' ? -1 : 1);
    for (std::size_t i = split; i < values.size(); ++i) {
      accs[i] = other;
      if (!blobs.empty()) blobs[i] = &other_blob;
    }
    const Status s = resolved->aggregate->update(std::vector<ColumnPtr>{column_of_type}, rows, accs, sign, blobs);
    EXPECT_TRUE(s);
    if (split < values.size()) EXPECT_TRUE(resolved->aggregate->merge(acc, &blob, other, other_blob));
    ColumnBuilder out(resolved->aggregate->result(), 1);
    EXPECT_TRUE(resolved->aggregate->value(acc, blob, out));
    return value_at(*out.finish(), 0).to_string() + " " + resolved->aggregate->result().as_nullable().to_string();
  }
  FunctionRegistry registry_;
};

TEST_F(AggregatesTest, ResultTypesAreFlinks) {
  EXPECT_EQ(of("SUM", Type::integer(), {"1", "2"}), "3 INT");
  EXPECT_EQ(of("SUM", Type::tiny_int(), {"100", "100"}), "-56 TINYINT");
  EXPECT_EQ(of("AVG", Type::integer(), {"1", "2", "NULL"}), "1 INT");
  EXPECT_EQ(of("AVG", Type::integer(), {"-1", "-2"}), "-1 INT");
  EXPECT_EQ(of("SUM", Type::decimal(5, 2), {"1.10", "2.25"}), "3.35 DECIMAL(38, 2)");
  EXPECT_EQ(of("AVG", Type::decimal(5, 2), {"1.00", "1.00", "0.00"}), "0.666667 DECIMAL(38, 6)");
  EXPECT_EQ(of("AVG", Type::double_(), {"1", "2"}), "1.5 DOUBLE");
  EXPECT_EQ(of("SUM", Type::float_(), {"1.5", "2"}), "3.5 FLOAT");
  EXPECT_EQ(of("MAX", Type::timestamp(3), {"2024-01-01 00:00:00", "2024-01-02 00:00:00"}), "2024-01-02 00:00:00.000 TIMESTAMP(3)");
  EXPECT_EQ(of("COUNT", Type::string(), {"a", "NULL", "b"}), "2 BIGINT");
}

TEST_F(AggregatesTest, NothingIsNullAndCountsZero) {
  for (const char* name : {"SUM", "AVG", "MIN", "MAX"}) EXPECT_EQ(of(name, Type::big_int(), {"NULL"}), "NULL BIGINT") << name;
  EXPECT_EQ(of("COUNT", Type::big_int(), {"NULL"}), "0 BIGINT");
  EXPECT_EQ(of("SUM", Type::big_int(), {"5", "5"}, "+-"), "NULL BIGINT");
}

TEST_F(AggregatesTest, DecimalOverflowIsNull) {
  const std::string nines(38, '9');
  EXPECT_EQ(of("SUM", Type::decimal(38, 0), {nines, "1"}), "NULL DECIMAL(38, 0)");
  EXPECT_EQ(of("SUM", Type::decimal(38, 0), {nines, "0"}), nines + " DECIMAL(38, 0)");
}

TEST_F(AggregatesTest, ExtremesTakeRetractionsOfEveryType) {
  EXPECT_EQ(of("MAX", Type::string(), {"a", "zebra", "m", "zebra"}, "+++-"), "m STRING");
  EXPECT_EQ(of("MIN", Type::double_(), {"-1.5", "2.5", "-1.5", "-0.5"}, "++-+"), "-0.5 DOUBLE");
  EXPECT_EQ(of("MIN", Type::decimal(9, 2), {"-10.00", "-2.00", "-10.00"}, "++-"), "-2.00 DECIMAL(9, 2)");
  EXPECT_EQ(of("MAX", Type::tiny_int(), {"-1", "-128", "127", "127"}, "+++-"), "-1 TINYINT");
  EXPECT_EQ(of("MIN", Type::boolean(), {"true", "false"}, "++"), "false BOOLEAN");
  // The retraction may come before its insert.
  EXPECT_EQ(of("MAX", Type::integer(), {"9", "3", "9"}, "-++"), "3 INT");
}

TEST_F(AggregatesTest, ListsKeepTheOrderOfTheRows) {
  EXPECT_EQ(of("LISTAGG", Type::string(), {"b", "NULL", "", "a", "b"}), "b,,a,b STRING");
  EXPECT_EQ(of("LISTAGG", Type::string(), {"NULL"}), "NULL STRING");
  EXPECT_EQ(of("LISTAGG", Type::string(), {"a", "b", "a", "c", "a"}, "+++--"), "b,a STRING");   // c never came
  EXPECT_EQ(of("LISTAGG", Type::string(), {"a", "a"}, "+-"), "NULL STRING");
  EXPECT_EQ(of("LISTAGG", Type::string(), {"b", "a", "b", "NULL"}, {}, true), "b,a STRING");
  EXPECT_EQ(of("LISTAGG", Type::string(), {"b", "a", "b", "b", "b"}, "+++--", true), "a STRING");
  for (const std::size_t split : {0U, 1U, 3U}) {
    EXPECT_EQ(of("LISTAGG", Type::string(), {"b", "a", "b"}, {}, false, split), "b,a,b STRING");
    EXPECT_EQ(of("LISTAGG", Type::string(), {"b", "a", "b"}, {}, true, split), "b,a STRING");
  }
}

TEST_F(AggregatesTest, ASingleValueHasNoSecond) {
  EXPECT_EQ(of("SINGLE_VALUE", Type::integer(), {"5"}), "5 INT");
  EXPECT_EQ(of("SINGLE_VALUE", Type::integer(), {"NULL"}), "NULL INT");
  EXPECT_EQ(of("SINGLE_VALUE", Type::string(), {"a", "a", "b"}, "+-+"), "b STRING");
  EXPECT_EQ(of("SINGLE_VALUE", Type::integer(), {"5", "5"}, "+-"), "NULL INT");
  const auto resolved = registry_.resolve_aggregate("SINGLE_VALUE", std::vector<Type>{Type::big_int()}, false, false);
  ColumnBuilder b(Type::big_int(), 2);
  for (const std::int64_t v : {1, 1}) b.append(v);
  std::uint64_t memory[2] = {};
  std::string blob;
  const std::uint32_t rows[] = {0, 1};
  std::byte* const accs[] = {reinterpret_cast<std::byte*>(memory), reinterpret_cast<std::byte*>(memory)};
  std::string* const blobs[] = {&blob, &blob};
  const Status second = resolved->aggregate->update(std::vector<ColumnPtr>{b.finish()}, rows, accs, {}, blobs);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kArithmetic);
}

TEST_F(AggregatesTest, DistinctCountsAValueOnce) {
  EXPECT_EQ(of("COUNT", Type::string(), {"a", "b", "a", "NULL"}, {}, true), "2 BIGINT");
  EXPECT_EQ(of("SUM", Type::integer(), {"5", "5", "3", "5"}, "+++-", true), "8 INT");
  EXPECT_EQ(of("SUM", Type::integer(), {"5", "5", "3", "5", "5"}, "+++--", true), "3 INT");
}

TEST_F(AggregatesTest, FirstAndLastSkipNulls) {
  EXPECT_EQ(of("FIRST_VALUE", Type::integer(), {"NULL", "3", "1"}), "3 INT");
  EXPECT_EQ(of("LAST_VALUE", Type::string(), {"a", "", "NULL"}), " STRING");
  EXPECT_EQ(of("LAST_VALUE", Type::double_(), {"NULL"}), "NULL DOUBLE");
  // What is taken back is the first that equals it.
  EXPECT_EQ(of("FIRST_VALUE", Type::string(), {"a", "bb", "a", "a"}, "+++-"), "bb STRING");
  EXPECT_EQ(of("LAST_VALUE", Type::string(), {"a", "bb", "bb", "c", "c"}, "++++-"), "bb STRING");
  EXPECT_EQ(of("LAST_VALUE", Type::big_int(), {"7", "8", "8"}, "++-"), "7 BIGINT");
}

TEST_F(AggregatesTest, TwoGroupsAddUpToOne) {
  const std::vector<std::string> numbers = {"3", "NULL", "-7", "3", "12", "3", "-7", "NULL"};
  const std::vector<std::string> texts = {"pear", "NULL", "", "apple", "pear", "zoo", "apple", "NULL"};
  for (const char* name : {"COUNT", "SUM", "AVG", "MIN", "MAX", "FIRST_VALUE", "LAST_VALUE"}) {
    for (const std::size_t split : {0UL, 1UL, 3UL, 5UL, 7UL}) {
      for (const Type& type : {Type::big_int(), Type::tiny_int(), Type::double_(), Type::decimal(20, 2), Type::string()}) {
        const bool text = type.id == TypeId::kString;
        const std::string called = name;
        if (text && (called == "SUM" || called == "AVG")) continue;
        const auto& values = text ? texts : numbers;
        const bool edge = called.ends_with("_VALUE");
        EXPECT_EQ(of(name, type, values, {}, false, split), of(name, type, values)) << name << split << type.to_string();
        if (edge) continue;
        EXPECT_EQ(of(name, type, values, "++++++-+", false, split), of(name, type, values, "++++++-+")) << name << split << type.to_string();
        EXPECT_EQ(of(name, type, values, {}, true, split), of(name, type, values, {}, true)) << name << split << type.to_string();
      }
    }
  }
  EXPECT_EQ(of("SUM", Type::decimal(38, 0), {std::string(38, '9'), "1"}, {}, false, 1), "NULL DECIMAL(38, 0)");
}

TEST_F(AggregatesTest, WrongArgumentsSayWhatFits) {
  const std::vector<Type> text = {Type::string()};
  const auto r = registry_.resolve_aggregate("SUM", text, false, false);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, ErrorCode::kTypeMismatch);
  EXPECT_THAT(r.error().hint, ::testing::HasSubstr("numeric"));
  EXPECT_EQ(registry_.resolve_aggregate("SUMM", text, false, false).error().hint, "did you mean SUM?");
}

TEST(SortedCountsTest, KeepsOrderAndCounts) {
  std::mt19937 random(3);
  for (const bool fixed : {true, false}) {
    const Type type = fixed ? Type::big_int() : Type::string();
    std::string blob;
    SortedCounts counts(blob, ordered_key_size(type));
    std::map<std::string, std::int64_t> reference;
    for (int i = 0; i < 3000; ++i) {
      ColumnBuilder b(type, 1);
      const auto v = static_cast<std::int64_t>(random() % 60) - 30;
      if (fixed) b.append(v); else b.append_text(std::string(static_cast<std::size_t>(v + 30) / 7, 'x') + std::to_string(v));
      std::string key;
      append_ordered_key(*b.finish(), 0, key);
      const std::int64_t by = random() % 2 == 0 ? 1 : -1;
      auto& expected = reference[key];
      expected += by;
      EXPECT_EQ(counts.add(key, by), expected);
      if (expected == 0) reference.erase(key);
      std::string least;
      std::string greatest;
      for (const auto& [k, n] : reference) {
        if (n <= 0) continue;
        if (least.empty()) least = k;
        greatest = k;
      }
      std::string_view found;
      EXPECT_EQ(SortedCounts::extreme(blob, ordered_key_size(type), false, found) ? std::string(found) : "", least);
      EXPECT_EQ(SortedCounts::extreme(blob, ordered_key_size(type), true, found) ? std::string(found) : "", greatest);
    }
  }
}

}  // namespace
}  // namespace supyo::expr
