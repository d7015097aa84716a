#include "data/types/nested.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>

#include "data/types/row_codec.h"
#include "data/types/testing.h"

namespace supyo::nested {
namespace {

using testing_types::Draw;

/// A random type, nested up to `depth` levels.
Type random_type(Draw& draw, int depth) {
  const auto plain = testing_types::all_types();
  const auto nullable = [&](Type t) { return t.as_nullable(!draw.one_in(4)); };
  if (depth > 0) {
    switch (draw.below(6)) {
      case 0: return nullable(Type::array(random_type(draw, depth - 1)));
      case 1: return nullable(Type::map(random_type(draw, depth - 1), random_type(draw, depth - 1)));
      case 2: return nullable(Type::multiset(random_type(draw, depth - 1)));
      case 3: return nullable(Type::row({"a", "b", "c"}, {random_type(draw, depth - 1), random_type(draw, 0), random_type(draw, depth - 1)}));
      default: break;
    }
  }
  return nullable(plain[draw.below(plain.size() - 1)]);   // but the type of NULL
}

/// Owns what its items point at.
struct Owned {
  std::deque<std::string> texts;
  Item keep(std::string s) { return {false, texts.emplace_back(std::move(s))}; }
};

Item random_item(const Type& type, Draw& draw, Owned& own);

Items random_items(const Type& type, std::size_t n, Draw& draw, Owned& own) {
  Items items;
  for (std::size_t i = 0; i < n; ++i) items.push_back(type.nullable && draw.one_in(4) ? Item{} : random_item(type, draw, own));
  return items;
}

Item random_item(const Type& type, Draw& draw, Owned& own) {
  std::string out;
  const std::size_t n = draw.below(12);
  switch (type.id) {
    case TypeId::kArray: write_array(type.children()[0], random_items(type.children()[0], n, draw, own), out); return own.keep(out);
    case TypeId::kMap:
      write_map(type.children()[0], type.children()[1], random_items(type.children()[0], n, draw, own), random_items(type.children()[1], n, draw, own), out);
      return own.keep(out);
    case TypeId::kMultiset: write_map(type.children()[0], count_type(), random_items(type.children()[0], n, draw, own), random_items(count_type(), n, draw, own), out); return own.keep(out);
    case TypeId::kRow: {
      Items fields;
      for (const Type& t : type.children()) fields.push_back(random_items(t, 1, draw, own).front());
      write_row(type, fields, out);
      return own.keep(out);
    }
    default: {
      const ColumnPtr one = testing_types::column_of(type, {testing_types::random_value(type, draw)});
      return own.keep(std::string(item_at(*one, 0).bytes));
    }
  }
}

template <class T>
Item fixed(Owned& own, T v) {
  return own.keep(std::string(reinterpret_cast<const char*>(&v), sizeof v));
}
Item text(std::string_view s) { return {false, s}; }

/// Writes what was read: the same bytes, for values of any type. Through a column and the codec of state, too.
TEST(Nested, ReadsBackWhatWasWritten) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Draw draw(seed);
    Owned own;
    const Type type = random_type(draw, 3);
    if (!type.is_nested()) continue;
    SCOPED_TRACE(fmt::format("seed {} type {}", seed, type.to_string()));
    ColumnBuilder builder(type);
    std::vector<Item> items;
    for (int i = 0; i < 20; ++i) {
      items.push_back(random_item(type, draw, own));
      append_item(builder, items.back());
      Items a, b;
      std::string again;
      const std::string_view bytes = items.back().bytes;
      if (type.id == TypeId::kArray) {
        read_array(type, bytes, a);
        write_array(type.children()[0], a, again);
      } else if (type.id == TypeId::kRow) {
        read_row(type, bytes, a);
        write_row(type, a, again);
        for (std::size_t f = 0; f < a.size(); ++f) EXPECT_EQ(field_of(type, bytes, f), a[f]);
      } else {
        read_map(type, bytes, a, b);
        write_map(type.children()[0], type.id == TypeId::kMap ? type.children()[1] : count_type(), a, b, again);
      }
      EXPECT_EQ(again, bytes);
      EXPECT_EQ(size_of(type, bytes), a.size());
      EXPECT_TRUE(equal(type, items.back(), items.back()));
    }
    const ColumnPtr column = builder.finish();
    const RowCodec codec({type});
    const std::vector<ColumnPtr> columns = {column};
    for (std::size_t row = 0; row < items.size(); ++row) {
      std::string state;
      codec.encode(columns, row, state);
      ColumnBuilder back(type, 8);
      ColumnBuilder* const out[] = {&back};
      ASSERT_TRUE(codec.decode(state, out));
      EXPECT_EQ(item_at(*back.finish(), 0), items[row]);
      EXPECT_EQ(value_at(*column, row), (Value{type, std::string(items[row].bytes)}));
    }
  }
}

TEST(Nested, EqualValuesHaveEqualBytes) {
  Owned own;
  const Type numbers = Type::array(Type::double_());
  std::string a, b;
  write_array(numbers.children()[0], std::vector<Item>{fixed(own, -0.0), fixed(own, -std::nan("")), Item{}}, a);
  write_array(numbers.children()[0], std::vector<Item>{fixed(own, 0.0), fixed(own, std::nan("7")), Item{}}, b);
  EXPECT_EQ(a, b);
}

TEST(Nested, MapsAreSortedAndHaveEachKeyOnce) {
  Owned own;
  const std::int32_t one = 1, two = 2, large = 300;
  std::string a, b, again;
  const Type key = Type::integer(), value = Type::string();
  write_map(key, value, std::vector<Item>{fixed(own, large), Item{}, fixed(own, two), fixed(own, one)}, std::vector<Item>{text("k"), text("l"), Item{}, text("m")}, a);
  write_map(key, value, std::vector<Item>{fixed(own, two), fixed(own, one), fixed(own, two), Item{}, fixed(own, large)}, std::vector<Item>{text("old"), text("m"), Item{}, text("l"), text("k")}, b);
  EXPECT_EQ(a, b);
  std::string out;
  append_text(Type::map(key, value), text(a), {.as_cast = true}, out);
  EXPECT_EQ(out, "{NULL=l, 1=m, 2=NULL, 300=k}");
}

TEST(Nested, PrintsAsFlinkDoes) {
  Owned own;
  const Type row = Type::row({"n", "t"}, {Type::boolean(), Type::array(Type::string())});
  std::string names, value;
  write_array(Type::string(), std::vector<Item>{text("a"), Item{}}, names);
  write_row(row, std::vector<Item>{fixed(own, std::uint8_t{1}), text(names)}, value);
  std::string out;
  append_text(row, text(value), {.as_cast = true}, out);
  EXPECT_EQ(out, "(TRUE, [a, NULL])");
  out.clear();
  append_text(row, text(value), {}, out);
  EXPECT_EQ(out, "+I[true, [a, null]]");
  EXPECT_EQ(row.to_string(), "ROW<`n` BOOLEAN, `t` ARRAY<STRING>>");
  EXPECT_EQ(Type::map(Type::string().not_null(), Type::multiset(Type::integer())).not_null().to_string(), "MAP<STRING NOT NULL, MULTISET<INT>> NOT NULL");
}

TEST(Nested, TypesCompareByWhatTheyAreMadeOf) {
  EXPECT_EQ(Type::array(Type::integer()), Type::array(Type::integer()));
  EXPECT_NE(Type::array(Type::integer()), Type::array(Type::integer().not_null()));
  EXPECT_TRUE(Type::array(Type::integer()).same_kind(Type::array(Type::integer().not_null()).not_null()));
  EXPECT_FALSE(Type::array(Type::integer()).same_kind(Type::multiset(Type::integer())));
  EXPECT_FALSE(Type::row({"a"}, {Type::integer()}).same_kind(Type::row({"b"}, {Type::integer()})));
}

}  // namespace
}  // namespace supyo::nested
