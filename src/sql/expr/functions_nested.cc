#include "sql/expr/nested_rows.h"
#include "sql/expr/registration.h"

// ARRAY[..], MAP[..], ROW(..), what takes them apart, and CARDINALITY and ELEMENT.
namespace supyo::expr {
namespace {

using nested::Item;
using nested::Items;

// ---- constructors

Result<ColumnPtr> array_of(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  Items items(args.size());
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    for (std::size_t i = 0; i < args.size(); ++i) items[i] = nested::item_at(*args[i], row);
    nested::write_array(result.children()[0], items, out);
    return true;
  });
}

Result<ColumnPtr> map_of(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  Items keys(args.size() / 2), values(args.size() / 2);
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      keys[i] = nested::item_at(*args[2 * i], row);
      values[i] = nested::item_at(*args[2 * i + 1], row);
    }
    nested::write_map(result.children()[0], result.children()[1], keys, values, out);
    return true;
  });
}

Result<ColumnPtr> row_of(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  Items items(args.size());
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    for (std::size_t i = 0; i < args.size(); ++i) items[i] = nested::item_at(*args[i], row);
    nested::write_row(result, items, out);
    return true;
  });
}

std::optional<Typing> array_binder(std::span<const Type> args) {
  const auto t = common_of(args);
  if (!t) return std::nullopt;
  return Typing{std::vector<Type>(args.size(), *t), Type::array(*t).not_null()};
}

std::optional<Typing> map_binder(std::span<const Type> args) {
  if (args.size() % 2 != 0) return std::nullopt;
  const auto key = common_of(args, 0, 2);
  const auto value = common_of(args, 1, 2);
  if (!key || !value) return std::nullopt;
  Typing typing{{}, Type::map(*key, *value).not_null()};
  for (std::size_t i = 0; i < args.size(); ++i) typing.args.push_back(i % 2 == 0 ? *key : *value);
  return typing;
}

std::optional<Typing> row_binder(std::span<const Type> args) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i].id == TypeId::kNull) return std::nullopt;
    names.push_back(fmt::format("EXPR${}", i));
  }
  if (args.empty()) return std::nullopt;
  std::vector<Type> types(args.begin(), args.end());
  return Typing{types, Type::row(std::move(names), types).not_null()};
}

// ---- access

/// a[i] from 1, m[k]: null for what is not there.
Result<ColumnPtr> item(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  const Type& type = args[0]->type();
  ColumnBuilder out(result.as_nullable(), rows);
  Items keys, values;
  for (std::size_t row = 0; row < rows; ++row) {
    if (args[0]->is_null(row) || args[1]->is_null(row)) {
      out.append_null();
      continue;
    }
    if (type.id == TypeId::kArray) {
      nested::read_array(type, args[0]->text(row), values);
      const std::int64_t i = args[1]->value<std::int32_t>(row);
      nested::append_item(out, i >= 1 && i <= static_cast<std::int64_t>(values.size()) ? values[static_cast<std::size_t>(i - 1)] : Item{});
      continue;
    }
    nested::read_map(type, args[0]->text(row), keys, values);
    const Item wanted = nested::item_at(*args[1], row);
    const auto at = std::ranges::find_if(keys, [&](const Item& key) { return nested::equal(type.children()[0], key, wanted); });
    nested::append_item(out, at == keys.end() ? Item{} : values[static_cast<std::size_t>(at - keys.begin())]);
  }
  return out.finish();
}

std::optional<Typing> item_binder(std::span<const Type> args) {
  if (args.size() != 2) return std::nullopt;
  if (args[0].id == TypeId::kArray) {
    if (!can_coerce(args[1], Type::integer()) && !args[1].is_integer()) return std::nullopt;
    return Typing{{args[0], Type::integer().as_nullable(args[1].nullable)}, args[0].children()[0].as_nullable()};
  }
  if (args[0].id != TypeId::kMap) return std::nullopt;
  const Type& key = args[0].children()[0];
  if (args[1].id != key.id && !can_coerce(args[1], key.as_nullable())) return std::nullopt;
  // A text key is compared as it is: cut to the map's length it would find another.
  const Type wanted = key.is_text() ? args[1] : key.as_nullable(args[1].nullable || args[1].id == TypeId::kNull);
  return Typing{{args[0], wanted}, args[0].children()[1].as_nullable()};
}

/// FIELD(row, number of the field): row.field.
Result<ColumnPtr> field(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  ColumnBuilder out(result, rows);
  for (std::size_t row = 0; row < rows; ++row) {
    if (args[0]->is_null(row)) out.append_null();
    else nested::append_item(out, nested::field_of(args[0]->type(), args[0]->text(row), static_cast<std::size_t>(args[1]->value<std::int32_t>(row))));
  }
  return out.finish();
}

Type field_type(std::span<const ExprPtr> args, const Type&) {
  const auto i = static_cast<std::size_t>(*constant_integer(args[1]));
  const Type& t = args[0]->type.children()[i];
  return t.as_nullable(t.nullable || args[0]->type.nullable);
}

std::optional<Typing> field_binder(std::span<const Type> args) {
  if (args.size() != 2 || args[0].id != TypeId::kRow || args[1].id != TypeId::kInteger) return std::nullopt;
  return Typing{{args[0], args[1]}, args[0].children()[0].as_nullable()};
}

// ---- size

/// Of a MULTISET the sum of the counts.
std::int32_t cardinality_of(const Type& type, std::string_view value, Items& keys, Items& counts) {
  if (type.id != TypeId::kMultiset) return static_cast<std::int32_t>(nested::size_of(type, value));
  nested::read_map(type, value, keys, counts);
  std::int32_t sum = 0;
  for (const Item& n : counts) sum += nested::value_of<std::int32_t>(n);
  return sum;
}

Result<ColumnPtr> cardinality(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<std::int32_t> out(rows);
  Items keys, counts;
  for (std::size_t row = 0; row < rows; ++row) {
    if (args[0]->is_null(row)) out.set_null(row);
    else out.set(row, cardinality_of(args[0]->type(), args[0]->text(row), keys, counts));
  }
  return out.finish(result);
}

std::optional<Typing> cardinality_binder(std::span<const Type> args) {
  if (args.size() != 1 || !args[0].is_nested() || args[0].id == TypeId::kRow) return std::nullopt;
  return Typing{{args[0]}, Type::integer().as_nullable(args[0].nullable)};
}

Result<ColumnPtr> element(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext&) {
  ColumnBuilder out(result, rows);
  Items items;
  for (std::size_t row = 0; row < rows; ++row) {
    items.clear();
    if (!args[0]->is_null(row)) nested::read_array(args[0]->type(), args[0]->text(row), items);
    if (items.size() > 1) return arithmetic_error(fmt::format("ELEMENT: the array has {} elements", items.size()));
    nested::append_item(out, items.empty() ? Item{} : items.front());
  }
  return out.finish();
}

std::optional<Typing> element_binder(std::span<const Type> args) {
  if (args.size() != 1 || args[0].id != TypeId::kArray) return std::nullopt;
  return Typing{{args[0]}, args[0].children()[0].as_nullable()};
}

}  // namespace

void register_nested(Registrar& r) {
  r.add({.name = "ARRAY", .kernel = array_of, .signature = "ARRAY[any, ..] -> ARRAY", .help = "An array of the values, in their common type."}, array_binder);
  r.add({.name = "MAP", .kernel = map_of, .signature = "MAP[key, value, ..] -> MAP", .help = "A map; of two values of a key the last."}, map_binder);
  r.add({.name = "ROW", .kernel = row_of, .signature = "ROW(any, ..) -> ROW", .help = "A row of the values; its fields are called EXPR$0, EXPR$1, .."}, row_binder);
  r.add({.name = "ITEM", .kernel = item, .signature = "ARRAY[INT] -> any; MAP[key] -> any", .help = "The element at a place, from 1; the value of a key. Null where there is none."}, item_binder);
  r.add({.name = "FIELD", .kernel = field, .signature = "ROW.name -> any", .help = "A field of a row; null of a row that is null.", .refine = field_type}, field_binder);
  r.add({.name = "CARDINALITY", .kernel = cardinality, .signature = "CARDINALITY(ARRAY | MAP | MULTISET) -> INT", .help = "The number of elements or entries."}, cardinality_binder);
  r.add({.name = "ELEMENT", .kernel = element, .signature = "ELEMENT(ARRAY) -> any", .help = "The only element; null of an empty array; more of them are an error."}, element_binder);
}

}  // namespace supyo::expr
