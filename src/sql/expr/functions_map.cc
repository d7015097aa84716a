#include <re2/re2.h>

#include "sql/expr/nested_rows.h"
#include "sql/expr/registration.h"

// MAP_*, STR_TO_MAP.
namespace supyo::expr {
namespace {

using nested::Item;
using nested::Items;
using Args = std::span<const ColumnPtr>;

template <bool kKeys>
Result<ColumnPtr> side(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  Items keys, values;
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    if (args[0]->is_null(row)) return false;
    nested::read_map(args[0]->type(), args[0]->text(row), keys, values);
    nested::write_array(result.children()[0], kKeys ? keys : values, out);
    return true;
  });
}

Result<ColumnPtr> entries(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  Items keys, values;
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    if (args[0]->is_null(row)) return false;
    nested::read_map(args[0]->type(), args[0]->text(row), keys, values);
    std::vector<std::string> encoded(keys.size());
    Items items;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Item pair[] = {keys[i], values[i]};
      nested::write_row(result.children()[0], pair, encoded[i]);
      items.push_back({false, encoded[i]});
    }
    nested::write_array(result.children()[0], items, out);
    return true;
  });
}

Result<ColumnPtr> from_arrays(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  Items keys, values;
  return each_row(result, rows, [&](std::size_t row, std::string& out) -> Result<bool> {
    if (args[0]->is_null(row) || args[1]->is_null(row)) return false;
    nested::read_array(args[0]->type(), args[0]->text(row), keys);
    nested::read_array(args[1]->type(), args[1]->text(row), values);
    if (keys.size() != values.size()) return arithmetic_error(fmt::format("MAP_FROM_ARRAYS: {} keys and {} values", keys.size(), values.size()));
    nested::write_map(result.children()[0], result.children()[1], keys, values, out);
    return true;
  });
}

Result<ColumnPtr> from_entries(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  Items all, pair, keys, values;
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    if (args[0]->is_null(row)) return false;
    const Type& entry = args[0]->type().children()[0];
    nested::read_array(args[0]->type(), args[0]->text(row), all);
    keys.clear();
    values.clear();
    for (const Item& item : all) {
      if (item.null) return false;   // as Flink: no entry, no map
      nested::read_row(entry, item.bytes, pair);
      keys.push_back(pair[0]);
      values.push_back(pair[1]);
    }
    nested::write_map(result.children()[0], result.children()[1], keys, values, out);
    return true;
  });
}

Result<ColumnPtr> union_of(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  Items keys, values;
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    Items all_keys, all_values;
    for (const ColumnPtr& a : args) {
      if (a->is_null(row)) return false;
      nested::read_map(a->type(), a->text(row), keys, values);
      all_keys.insert(all_keys.end(), keys.begin(), keys.end());
      all_values.insert(all_values.end(), values.begin(), values.end());
    }
    nested::write_map(result.children()[0], result.children()[1], all_keys, all_values, out);
    return true;
  });
}

// ---- STR_TO_MAP

/// As Java's String.split(): by a regular expression, empty parts at the end left out.
Result<std::vector<std::string_view>> parts_of(std::string_view text, std::string_view by, std::size_t most) {
  std::vector<std::string_view> parts;
  const re2::RE2 pattern(by, re2::RE2::Quiet);
  if (!pattern.ok()) return arithmetic_error(fmt::format("STR_TO_MAP: '{}' is no regular expression: {}", by, pattern.error()));
  std::string_view rest = text;
  re2::StringPiece found;
  std::size_t from = 0;
  while (parts.size() + 1 < most && pattern.Match(text, from, text.size(), re2::RE2::UNANCHORED, &found, 1)) {
    const auto at = static_cast<std::size_t>(found.data() - text.data());
    if (found.empty()) {
      if (at >= text.size()) break;
      if (at == from) {   // an empty match splits behind the character
        from = at + 1;
        if (from >= text.size()) break;
        parts.push_back(text.substr(at, 1));
        rest = text.substr(from);
        continue;
      }
    }
    parts.push_back(text.substr(static_cast<std::size_t>(rest.data() - text.data()), at - static_cast<std::size_t>(rest.data() - text.data())));
    from = at + found.size();
    rest = text.substr(from);
  }
  parts.push_back(rest);
  while (most == SIZE_MAX && parts.size() > 1 && parts.back().empty()) parts.pop_back();
  return parts;
}

Result<ColumnPtr> str_to_map(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return each_row(result, rows, [&](std::size_t row, std::string& out) -> Result<bool> {
    for (const ColumnPtr& a : args)
      if (a->is_null(row)) return false;
    const std::string_view text = args[0]->text(row);
    Items keys, values;
    SUPYO_ASSIGN(const auto pairs, parts_of(text, args.size() > 1 ? args[1]->text(row) : ",", SIZE_MAX));
    for (const std::string_view pair : pairs) {
      if (text.empty()) break;
      SUPYO_ASSIGN(const auto sides, parts_of(pair, args.size() > 2 ? args[2]->text(row) : "=", 2));
      keys.push_back({false, sides[0]});
      values.push_back(sides.size() > 1 ? Item{false, sides[1]} : Item{});
    }
    nested::write_map(result.children()[0], result.children()[1], keys, values, out);
    return true;
  });
}

// ---- types

enum class Give : std::uint8_t { kKeys, kValues, kEntries };

Binder of_map(Give give) {
  return [give](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() != 1 || args[0].id != TypeId::kMap) return std::nullopt;
    const Type &key = args[0].children()[0], &value = args[0].children()[1];
    const Type element = give == Give::kKeys ? key : give == Give::kValues ? value : Type::row({"key", "value"}, {key, value}).not_null();
    return Typing{{args[0]}, Type::array(element).as_nullable(args[0].nullable)};
  };
}

std::optional<Typing> from_arrays_binder(std::span<const Type> args) {
  if (args.size() != 2 || args[0].id != TypeId::kArray || args[1].id != TypeId::kArray) return std::nullopt;
  return Typing{{args[0], args[1]}, Type::map(args[0].children()[0], args[1].children()[0]).as_nullable(any_nullable(args))};
}

std::optional<Typing> from_entries_binder(std::span<const Type> args) {
  if (args.size() != 1 || args[0].id != TypeId::kArray || args[0].children()[0].id != TypeId::kRow) return std::nullopt;
  const Type& entry = args[0].children()[0];
  if (entry.children().size() != 2) return std::nullopt;
  return Typing{{args[0]}, Type::map(entry.children()[0], entry.children()[1]).as_nullable(args[0].nullable || entry.nullable)};
}

std::optional<Typing> union_binder(std::span<const Type> args) {
  if (args.empty() || args[0].id != TypeId::kMap) return std::nullopt;
  const auto t = common_of(args);
  if (!t) return std::nullopt;
  return Typing{std::vector<Type>(args.size(), *t), t->as_nullable(any_nullable(args))};
}

}  // namespace

void register_map(Registrar& r) {
  const Type s = Type::string();
  r.add({.name = "MAP_KEYS", .kernel = side<true>, .signature = "MAP_KEYS(MAP) -> ARRAY", .help = "The keys, in their order."}, of_map(Give::kKeys));
  r.add({.name = "MAP_VALUES", .kernel = side<false>, .signature = "MAP_VALUES(MAP) -> ARRAY", .help = "The values, in the order of the keys."}, of_map(Give::kValues));
  r.add({.name = "MAP_ENTRIES", .kernel = entries, .signature = "MAP_ENTRIES(MAP) -> ARRAY<ROW<key, value>>", .help = "The entries, in the order of the keys."}, of_map(Give::kEntries));
  r.add({.name = "MAP_FROM_ARRAYS", .kernel = from_arrays, .signature = "MAP_FROM_ARRAYS(ARRAY, ARRAY) -> MAP", .help = "A map from an array of keys and one of values."}, from_arrays_binder);
  r.add({.name = "MAP_FROM_ENTRIES", .kernel = from_entries, .signature = "MAP_FROM_ENTRIES(ARRAY<ROW<key, value>>) -> MAP", .help = "A map of such entries; null when one of them is null."}, from_entries_binder);
  r.add({.name = "MAP_UNION", .kernel = union_of, .signature = "MAP_UNION(MAP, ..) -> MAP", .help = "The entries of all maps; of a key that several have the last one's."}, union_binder);
  r.add({.name = "STR_TO_MAP", .kernel = str_to_map, .signature = "STR_TO_MAP(STRING [, STRING, STRING]) -> MAP<STRING, STRING>",
         .help = "Splits into entries by the second argument (','), and those into key and value by the third ('='); both are regular expressions."},
        takes({s, s, s}, Type::map(s, s), {.optional = 2}));
}

}  // namespace supyo::expr
