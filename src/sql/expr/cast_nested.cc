#include "sql/expr/cast.h"
#include "sql/expr/nested_rows.h"

namespace supyo::expr {
namespace {

using nested::Item;
using nested::Items;

/// What is in the values of a column, in columns of its own: of ROWs one a field, with a row for every row; of others the elements (or keys, and values) of
/// all rows one after another, `counts[row]` of each.
struct Flat {
  std::vector<ColumnPtr> children;
  std::vector<std::size_t> counts;
};

Flat flattened(const Column& column) {
  const Type& type = column.type();
  std::vector<ColumnBuilder> builders;
  for (const Type& t : type.children()) builders.emplace_back(t.as_nullable(), column.length());
  if (type.id == TypeId::kMultiset) builders.emplace_back(nested::count_type(), column.length());
  Flat flat;
  Items first, second;
  for (std::size_t row = 0; row < column.length(); ++row) {
    first.clear();
    second.clear();
    const bool null = column.is_null(row);
    if (type.id == TypeId::kRow) {
      if (null) first.resize(builders.size());
      else nested::read_row(type, column.text(row), first);
      for (std::size_t i = 0; i < builders.size(); ++i) nested::append_item(builders[i], first[i]);
      flat.counts.push_back(1);
      continue;
    }
    if (!null && type.id == TypeId::kArray) nested::read_array(type, column.text(row), first);
    else if (!null) nested::read_map(type, column.text(row), first, second);
    for (const Item& item : first) nested::append_item(builders[0], item);
    for (const Item& item : second) nested::append_item(builders[1], item);
    flat.counts.push_back(first.size());
  }
  for (ColumnBuilder& b : builders) flat.children.push_back(b.finish());
  return flat;
}

Result<ColumnPtr> unflattened(const Flat& flat, const Column& shape, const Type& to) {
  std::size_t next = 0;
  Items first, second;
  return each_row(to, shape.length(), [&](std::size_t row, std::string& out) {
    const std::size_t from = std::exchange(next, next + flat.counts[row]);
    if (shape.is_null(row)) return false;
    first.clear();
    second.clear();
    if (to.id == TypeId::kRow) {
      for (const ColumnPtr& c : flat.children) first.push_back(nested::item_at(*c, row));
      nested::write_row(to, first, out);
      return true;
    }
    for (std::size_t i = from; i < next; ++i) {
      first.push_back(nested::item_at(*flat.children[0], i));
      if (flat.children.size() > 1) second.push_back(nested::item_at(*flat.children[1], i));
    }
    if (to.id == TypeId::kArray) nested::write_array(to.children()[0], first, out);
    else nested::write_map(to.children()[0], to.id == TypeId::kMap ? to.children()[1] : nested::count_type(), first, second, out);
    return true;
  });
}

/// The same bytes: names and nullability are not in them.
bool same_encoding(const Type& a, const Type& b) {
  if (!a.is_nested() || a.id != b.id) return a.same_kind(b);
  if (a.children().size() != b.children().size()) return false;
  for (std::size_t i = 0; i < a.children().size(); ++i)
    if (!same_encoding(a.children()[i], b.children()[i])) return false;
  return true;
}

}  // namespace

Result<ColumnPtr> cast_nested(const ColumnPtr& column, const Type& to, bool try_cast, const EvalContext& ctx) {
  if (same_encoding(column->type(), to)) return column->with_type(to);
  Flat flat = flattened(*column);
  for (std::size_t i = 0; i < to.children().size(); ++i) {
    auto cast = cast_column(flat.children[i], to.children()[i].as_nullable(), false, ctx);
    if (!cast && try_cast) {
      // Something in some row does not fit: the rows in which it is are null as a whole.
      ColumnBuilder out(to, column->length());
      for (std::uint32_t row = 0; row < column->length(); ++row) {
        const ColumnPtr one = take(*column, {&row, 1});
        const auto alone = column->length() == 1 ? Result<ColumnPtr>(null_column(to, 1)) : cast_nested(one, to, true, ctx);
        if (!alone) return alone;
        out.append_from(**alone, 0);
      }
      return out.finish();
    }
    if (!cast) return cast;
    flat.children[i] = *std::move(cast);
  }
  return unflattened(flat, *column, to);
}

}  // namespace supyo::expr
