#include <algorithm>
#include <unordered_set>

#include "sql/expr/nested_rows.h"
#include "sql/expr/registration.h"

// ARRAY_*. Arrays are lists of encoded values: equal values have equal bytes, so most of it never looks into them.
namespace supyo::expr {
namespace {

using nested::Item;
using nested::Items;
using Args = std::span<const ColumnPtr>;

const Type& element_of(const Type& array) { return array.children()[0]; }
Items elements(const Column& array, std::size_t row) {
  Items items;
  nested::read_array(array.type(), array.text(row), items);
  return items;
}

/// A value as it lies in an array of its type: a column's may be -0.0, or another NaN. `own` keeps its bytes.
Item canonical(const Type& type, const Item& item, std::string& own) {
  if (item.null || !type.is_floating()) return item;
  own.clear();
  nested::write_array(type, {&item, 1}, own);
  return {false, std::string_view(own).substr(2)};
}

/// What was seen already; NULL is one value.
class Seen {
 public:
  bool add(const Item& item) { return item.null ? !std::exchange(null_, true) : set_.insert(item.bytes).second; }
  bool has(const Item& item) const { return item.null ? null_ : set_.contains(item.bytes); }
  void add_all(const Items& items) {
    for (const Item& i : items) add(i);
  }

 private:
  std::unordered_set<std::string_view> set_;
  bool null_ = false;
};

/// An array from the elements of all arguments' arrays: f(items of each argument) gives it. Null where an argument is.
template <class F>
Result<ColumnPtr> from_arrays(Args args, const Type& result, std::size_t rows, F&& f) {
  std::vector<Items> in(args.size());
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    for (std::size_t i = 0; i < args.size(); ++i) {
      if (args[i]->is_null(row)) return false;
      in[i] = elements(*args[i], row);
    }
    nested::write_array(element_of(result), f(in), out);
    return true;
  });
}

Items without_repeats(const Items& items, const auto& keep) {
  Seen seen;
  Items out;
  for (const Item& i : items)
    if (keep(i) && seen.add(i)) out.push_back(i);
  return out;
}

Result<ColumnPtr> concat(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return from_arrays(args, result, rows, [](const std::vector<Items>& in) {
    Items out;
    for (const Items& items : in) out.insert(out.end(), items.begin(), items.end());
    return out;
  });
}

Result<ColumnPtr> distinct(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return from_arrays(args, result, rows, [](const std::vector<Items>& in) { return without_repeats(in[0], [](const Item&) { return true; }); });
}

Result<ColumnPtr> reverse(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return from_arrays(args, result, rows, [](const std::vector<Items>& in) { return Items(in[0].rbegin(), in[0].rend()); });
}

Result<ColumnPtr> union_of(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return from_arrays(args, result, rows, [](const std::vector<Items>& in) {
    Items all = in[0];
    all.insert(all.end(), in[1].begin(), in[1].end());
    return without_repeats(all, [](const Item&) { return true; });
  });
}

/// A second array that is null has nothing.
Result<ColumnPtr> except(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    if (args[0]->is_null(row)) return false;
    Seen other;
    const Items taken = args[1]->is_null(row) ? Items{} : elements(*args[1], row);
    other.add_all(taken);
    nested::write_array(element_of(result), without_repeats(elements(*args[0], row), [&](const Item& i) { return !other.has(i); }), out);
    return true;
  });
}

Result<ColumnPtr> intersect(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return from_arrays(args, result, rows, [](const std::vector<Items>& in) {
    Seen other;
    other.add_all(in[1]);
    return without_repeats(in[0], [&](const Item& i) { return other.has(i); });
  });
}

template <bool kFront>
Result<ColumnPtr> append(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    if (args[0]->is_null(row)) return false;
    Items items = elements(*args[0], row);
    items.insert(kFront ? items.begin() : items.end(), nested::item_at(*args[1], row));
    nested::write_array(element_of(result), items, out);
    return true;
  });
}

Result<ColumnPtr> remove(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  std::string own;
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    if (args[0]->is_null(row)) return false;
    Items items = elements(*args[0], row);
    std::erase(items, canonical(element_of(result), nested::item_at(*args[1], row), own));
    nested::write_array(element_of(result), items, out);
    return true;
  });
}

Result<ColumnPtr> contains(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<std::uint8_t> out(rows);
  std::string own;
  for (std::size_t row = 0; row < rows; ++row) {
    if (args[0]->is_null(row)) {
      out.set_null(row);
      continue;
    }
    const Items items = elements(*args[0], row);
    out.set(row, std::ranges::find(items, canonical(args[1]->type(), nested::item_at(*args[1], row), own)) != items.end());
  }
  return out.finish(result);
}

Result<ColumnPtr> position(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  FixedOutput<std::int32_t> out(rows);
  std::string own;
  for (std::size_t row = 0; row < rows; ++row) {
    if (args[0]->is_null(row) || args[1]->is_null(row)) {
      out.set_null(row);
      continue;
    }
    const Items items = elements(*args[0], row);
    const auto at = std::ranges::find(items, canonical(args[1]->type(), nested::item_at(*args[1], row), own));
    out.set(row, at == items.end() ? 0 : static_cast<std::int32_t>(at - items.begin()) + 1);
  }
  return out.finish(result);
}

/// Places count from 1, negative ones from the end; both ends are in. An end of 0 is the first place.
Result<ColumnPtr> slice(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    for (const ColumnPtr& a : args)
      if (a->is_null(row)) return false;
    const Items items = elements(*args[0], row);
    const auto n = static_cast<std::int64_t>(items.size());
    const auto place = [n](std::int64_t at) { return at < 0 ? at + n + 1 : at; };
    const std::int64_t from = std::max<std::int64_t>(place(args[1]->value<std::int32_t>(row)), 1);
    const std::int64_t end = args.size() > 2 ? place(args[2]->value<std::int32_t>(row)) : n;
    const std::int64_t to = std::min(end == 0 ? 1 : end, n);
    if (from > to) nested::write_array(element_of(result), {}, out);
    else nested::write_array(element_of(result), std::span(items).subspan(static_cast<std::size_t>(from - 1), static_cast<std::size_t>(to - from + 1)), out);
    return true;
  });
}

/// [, ascending (true) [, nulls first (as ascending)]]
Result<ColumnPtr> sort(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  const auto flag = [&](std::size_t arg, std::size_t row, bool otherwise) { return args.size() > arg ? args[arg]->value<std::uint8_t>(row) != 0 : otherwise; };
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    for (const ColumnPtr& a : args)
      if (a->is_null(row)) return false;
    const bool ascending = flag(1, row, true);
    const bool nulls_first = flag(2, row, ascending);
    Items items = elements(*args[0], row);
    std::ranges::stable_sort(items, [&](const Item& a, const Item& b) {
      if (a.null || b.null) return a.null != b.null && a.null == nulls_first;
      const int order = nested::compare(element_of(result), a, b);
      return ascending ? order < 0 : order > 0;
    });
    nested::write_array(element_of(result), items, out);
    return true;
  });
}

template <bool kGreatest>
Result<ColumnPtr> extreme(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  ColumnBuilder out(result, rows);
  for (std::size_t row = 0; row < rows; ++row) {
    Item best;
    if (!args[0]->is_null(row)) {
      for (const Item& i : elements(*args[0], row)) {
        if (i.null) continue;
        const int order = best.null ? 0 : nested::compare(result, i, best);
        if (best.null || (kGreatest ? order > 0 : order < 0)) best = i;
      }
    }
    nested::append_item(out, best);
  }
  return out.finish();
}

/// ARRAY_JOIN(array of texts, between [, in place of null]): nulls are left out without the third.
Result<ColumnPtr> join(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    for (const ColumnPtr& a : args)
      if (a->is_null(row)) return false;
    bool first = true;
    for (const Item& i : elements(*args[0], row)) {
      if (i.null && args.size() < 3) continue;
      if (!first) out += args[1]->text(row);
      first = false;
      out += i.null ? args[2]->text(row) : i.bytes;
    }
    return true;
  });
}

/// SPLIT(text, delimiter): an empty delimiter splits into characters.
Result<ColumnPtr> split(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  Items parts;
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    if (args[0]->is_null(row) || args[1]->is_null(row)) return false;
    std::string_view text = args[0]->text(row);
    const std::string_view by = args[1]->text(row);
    parts.clear();
    if (by.empty()) {
      while (!text.empty()) {
        std::size_t n = 1;
        while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80) ++n;
        parts.push_back({false, text.substr(0, n)});
        text.remove_prefix(n);
      }
    } else {
      for (std::size_t at = text.find(by); at != std::string_view::npos; at = text.find(by)) {
        parts.push_back({false, text.substr(0, at)});
        text.remove_prefix(at + by.size());
      }
      parts.push_back({false, text});
    }
    nested::write_array(element_of(result), parts, out);
    return true;
  });
}

// ---- types

bool is_array(const Type& t) { return t.id == TypeId::kArray; }

/// One array of any type, then these.
Binder array_and(std::vector<Type> more, std::size_t optional = 0) {
  return [more = std::move(more), optional](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() + optional < more.size() + 1 || args.size() > more.size() + 1 || !is_array(args[0])) return std::nullopt;
    Typing typing{{args[0]}, args[0].as_nullable(any_nullable(args))};
    for (std::size_t i = 1; i < args.size(); ++i) {
      if (!can_coerce(args[i], more[i - 1])) return std::nullopt;
      typing.args.push_back(more[i - 1].as_nullable(args[i].nullable));
    }
    return typing;
  };
}

/// Arrays of one common type.
Binder arrays(std::size_t least, std::size_t most) {
  return [=](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() < least || args.size() > most || !std::ranges::any_of(args, is_array)) return std::nullopt;
    const auto t = common_of(args);
    if (!t) return std::nullopt;
    return Typing{std::vector<Type>(args.size(), *t), t->as_nullable(any_nullable(args))};
  };
}

/// An array and a value that becomes one of its elements: the array's element type may grow.
std::optional<Typing> append_binder(std::span<const Type> args) {
  if (args.size() != 2 || !is_array(args[0])) return std::nullopt;
  const auto t = common_type(element_of(args[0]), args[1]);
  if (!t) return std::nullopt;
  const Type array = Type::array(*t).as_nullable(args[0].nullable);
  return Typing{{array, *t}, array};
}

/// An array and a value to find in it.
Binder search_binder(const Type* result) {
  const std::optional<Type> fixed = result == nullptr ? std::nullopt : std::optional(*result);
  return [fixed](std::span<const Type> args) -> std::optional<Typing> {
    if (args.size() != 2 || !is_array(args[0])) return std::nullopt;
    const auto t = common_type(element_of(args[0]), args[1]);
    if (!t) return std::nullopt;
    const bool nullable = any_nullable(args);
    if (!fixed) return Typing{{args[0], element_of(args[0]).as_nullable()}, args[0]};
    return Typing{{Type::array(*t).as_nullable(args[0].nullable), t->as_nullable()}, fixed->as_nullable(nullable)};
  };
}

std::optional<Typing> extreme_binder(std::span<const Type> args) {
  if (args.size() != 1 || !is_array(args[0]) || element_of(args[0]).is_nested()) return std::nullopt;
  return Typing{{args[0]}, element_of(args[0]).as_nullable()};
}

Binder sortable(Binder inner) {
  return [inner = std::move(inner)](std::span<const Type> args) -> std::optional<Typing> {
    if (args.empty() || !is_array(args[0]) || element_of(args[0]).is_nested()) return std::nullopt;
    return inner(args);
  };
}

std::optional<Typing> join_binder(std::span<const Type> args) {
  if (args.size() < 2 || args.size() > 3 || !is_array(args[0]) || !element_of(args[0]).is_text()) return std::nullopt;
  for (const Type& a : args.subspan(1))
    if (!can_coerce(a, Type::string())) return std::nullopt;
  Typing typing{{args.begin(), args.end()}, Type::string().as_nullable(any_nullable(args))};
  for (Type& t : typing.args)
    if (t.id == TypeId::kNull) t = Type::string();
  return typing;
}

}  // namespace

void register_array(Registrar& r) {
  const Type boolean = Type::boolean(), integer = Type::integer();
  const auto add = [&r](const char* name, Kernel kernel, const char* signature, const char* help, Binder binder) {
    r.add({.name = name, .kernel = kernel, .signature = fmt::format("{}{}", name, signature), .help = help}, std::move(binder));
  };
  add("ARRAY_APPEND", append<false>, "(ARRAY, any) -> ARRAY", "The array with the value behind it.", append_binder);
  add("ARRAY_PREPEND", append<true>, "(ARRAY, any) -> ARRAY", "The array with the value before it.", append_binder);
  add("ARRAY_CONCAT", concat, "(ARRAY, ..) -> ARRAY", "The arrays one after another; null when one is null.", arrays(1, SIZE_MAX));
  add("ARRAY_CONTAINS", contains, "(ARRAY, any) -> BOOLEAN", "Whether the value is in the array; NULL is a value.", search_binder(&boolean));
  add("ARRAY_DISTINCT", distinct, "(ARRAY) -> ARRAY", "Each value once, where it is first.", array_and({}));
  add("ARRAY_EXCEPT", except, "(ARRAY, ARRAY) -> ARRAY", "What is in the first array and not in the second, each once.", arrays(2, 2));
  add("ARRAY_INTERSECT", intersect, "(ARRAY, ARRAY) -> ARRAY", "What is in both arrays, each once.", arrays(2, 2));
  add("ARRAY_JOIN", join, "(ARRAY<STRING>, STRING [, STRING]) -> STRING", "The texts with the second argument between them; nulls are left out, or become the third.", join_binder);
  add("ARRAY_MAX", extreme<true>, "(ARRAY) -> any", "The greatest element that is not null; null when there is none.", extreme_binder);
  add("ARRAY_MIN", extreme<false>, "(ARRAY) -> any", "The least element that is not null; null when there is none.", extreme_binder);
  add("ARRAY_POSITION", position, "(ARRAY, any) -> INT", "Where the value is first, from 1; 0: nowhere.", search_binder(&integer));
  add("ARRAY_REMOVE", remove, "(ARRAY, any) -> ARRAY", "The array without elements that equal the value; NULL is a value.", search_binder(nullptr));
  add("ARRAY_REVERSE", reverse, "(ARRAY) -> ARRAY", "The elements from last to first.", array_and({}));
  add("ARRAY_SLICE", slice, "(ARRAY, INT [, INT]) -> ARRAY", "The elements from the first place to the second (both in, from 1; negative: from the end).", array_and({integer, integer}, 1));
  add("ARRAY_SORT", sort, "(ARRAY [, BOOLEAN [, BOOLEAN]]) -> ARRAY", "In order: ascending unless the second is false; nulls first as the third says, else when ascending.", sortable(array_and({boolean, boolean}, 2)));
  add("ARRAY_UNION", union_of, "(ARRAY, ARRAY) -> ARRAY", "What is in either array, each once.", arrays(2, 2));
  add("SPLIT", split, "(STRING, STRING) -> ARRAY<STRING>", "The parts of the text between delimiters; characters when the delimiter is empty.", takes({Type::string(), Type::string()}, Type::array(Type::string())));
}

}  // namespace supyo::expr
