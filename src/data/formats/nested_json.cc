#include "data/formats/nested_json.h"

#include <algorithm>
#include <cstring>
#include <deque>

namespace supyo::formats {
namespace {

namespace sj = simdjson;
using nested::Item;
using nested::Items;

/// One value of a nested type, under construction.
class Reader {
 public:
  Reader(const Type& type, const JsonOptions& options, const ReadPlainJson& plain) : type_(type), options_(options), plain_(plain) {}

  const char* read(sj::ondemand::value& value, std::string& out) {
    if (type_.id == TypeId::kArray) return array(value, out);
    if (type_.id == TypeId::kRow) return row(value, out);
    return map(value, out);
  }

 private:
  const char* item(sj::ondemand::value& value, const Type& type, Item& to) {
    to = {};
    if (type.is_nested()) {
      bool null = false;
      std::string bytes;
      if (const char* why = nested_from_json(value, type, options_, plain_, bytes, null)) return why;
      if (!null) to = {false, own_.emplace_back(std::move(bytes))};
      return nullptr;
    }
    Cell cell;
    if (const char* why = plain_(value, type, cell)) return why;
    if (!cell.null) to = {false, own_.emplace_back(cell_bytes(cell, type))};
    return nullptr;
  }

  const char* array(sj::ondemand::value& value, std::string& out) {
    sj::ondemand::array array;
    if (value.get_array().get(array)) return "not an array where an ARRAY is declared";
    Items items;
    for (auto e : array) {
      sj::ondemand::value element;
      if (std::move(e).get(element)) return "malformed value";
      if (const char* why = item(element, type_.children()[0], items.emplace_back())) return why;
    }
    nested::write_array(type_.children()[0], items, out);
    return nullptr;
  }

  const char* map(sj::ondemand::value& value, std::string& out) {
    sj::ondemand::object object;
    if (value.get_object().get(object)) return "not an object where a MAP or MULTISET is declared";
    const Type counts = nested::count_type();
    const Type& of_values = type_.id == TypeId::kMap ? type_.children()[1] : counts;
    Items keys, values;
    for (auto f : object) {
      sj::ondemand::field field;
      std::string_view key;
      if (std::move(f).get(field) || field.unescaped_key().get(key)) return "malformed value";
      keys.push_back({false, own_.emplace_back(key)});
      if (const char* why = item(field.value(), of_values, values.emplace_back())) return why;
    }
    nested::write_map(type_.children()[0], of_values, keys, values, out);
    return nullptr;
  }

  const char* row(sj::ondemand::value& value, std::string& out) {
    sj::ondemand::object object;
    if (value.get_object().get(object)) return "not an object where a ROW is declared";
    const std::vector<std::string>& names = type_.field_names();
    Items fields(names.size());
    std::vector<bool> seen(names.size());
    for (auto f : object) {
      sj::ondemand::field field;
      std::string_view key;
      if (std::move(f).get(field) || field.unescaped_key().get(key)) return "malformed value";
      const auto at = static_cast<std::size_t>(std::ranges::find(names, key) - names.begin());
      if (at == names.size()) continue;
      seen[at] = true;
      if (const char* why = item(field.value(), type_.children()[at], fields[at])) {
        if (!options_.ignore_parse_errors) return why;
        fields[at] = {};
      }
    }
    if (options_.fail_on_missing_field && std::ranges::find(seen, false) != seen.end()) return "missing field";
    nested::write_row(type_, fields, out);
    return nullptr;
  }

  const Type& type_;
  const JsonOptions& options_;
  const ReadPlainJson& plain_;
  std::deque<std::string> own_;   // what the items point at
};

}  // namespace

const char* nested_from_json(sj::ondemand::value& value, const Type& type, const JsonOptions& options, const ReadPlainJson& plain, std::string& out, bool& null) {
  sj::ondemand::json_type kind;
  if (value.type().get(kind)) return "malformed value";
  null = kind == sj::ondemand::json_type::null;
  if (null) return value.is_null().error() ? "malformed value" : nullptr;
  return Reader(type, options, plain).read(value, out);
}

void append_json_string(std::string_view s, std::string& out) {
  out.push_back('"');
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (u >= 0x20) {
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(u));
    }
  }
  out.push_back('"');
}

bool append_nested_json(const Type& type, const Item& item, const JsonOptions& options, const WritePlainJson& plain, std::string& out) {
  if (item.null) {
    out += "null";
    return true;
  }
  if (!type.is_nested()) {
    ColumnBuilder one(type, 1);
    nested::append_item(one, item);
    plain(*one.finish(), out);
    return true;
  }
  Items items, values;
  bool first = true, good = true;
  const auto comma = [&] {
    if (!std::exchange(first, false)) out += ',';
  };
  if (type.id == TypeId::kArray) {
    nested::read_array(type, item.bytes, items);
    out += '[';
    for (const Item& i : items) {
      comma();
      good &= append_nested_json(type.children()[0], i, options, plain, out);
    }
    out += ']';
    return good;
  }
  out += '{';
  if (type.id == TypeId::kRow) {
    nested::read_row(type, item.bytes, items);
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i].null && options.ignore_null_fields) continue;
      comma();
      append_json_string(type.field_names()[i], out);
      out += ':';
      good &= append_nested_json(type.children()[i], items[i], options, plain, out);
    }
  } else {
    nested::read_map(type, item.bytes, items, values);
    const Type of_values = type.id == TypeId::kMap ? type.children()[1] : nested::count_type();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const bool null = items[i].null;
      good &= !null || options.null_keys != JsonOptions::NullKeys::kFail;
      if (null && options.null_keys != JsonOptions::NullKeys::kLiteral) continue;
      comma();
      std::string key = null ? options.null_key : "";
      if (!null) nested::append_text(type.children()[0], items[i], {}, key);   // texts as they are; others only where a shell prints them
      append_json_string(key, out);
      out += ':';
      good &= append_nested_json(of_values, values[i], options, plain, out);
    }
  }
  out += '}';
  return good;
}

FieldsOfRows::FieldsOfRows(const std::vector<Field>& columns) : from_(columns.size()) {
  for (const Field& f : columns) types_.push_back(f.type);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (!columns[c].nested) continue;
    for (std::size_t r = 0; r < columns.size(); ++r) {
      const std::string& row = columns[r].name;
      // The outermost ROW that is read: the shortest name.
      if (columns[r].type.id != TypeId::kRow || !columns[c].name.starts_with(row + ".")) continue;
      if (from_[c].row != SIZE_MAX && columns[from_[c].row].name.size() <= row.size()) continue;
      std::vector<std::size_t> steps;
      const Type* type = &columns[r].type;
      for (std::size_t at = row.size(); at < columns[c].name.size();) {
        const std::size_t end = std::min(columns[c].name.find('.', at + 1), columns[c].name.size());
        const auto& names = type->field_names();
        const auto field = std::ranges::find(names, std::string_view(columns[c].name).substr(at + 1, end - at - 1)) - names.begin();
        steps.push_back(static_cast<std::size_t>(field));
        type = &type->children()[static_cast<std::size_t>(field)];
        at = end;
      }
      from_[c] = {r, std::move(steps)};
      any_ = true;
    }
  }
}

void FieldsOfRows::fill(std::vector<Cell>& cells) const {
  for (std::size_t c = 0; c < from_.size(); ++c) {
    if (!has(c)) continue;
    Item item{cells[from_[c].row].null, cells[from_[c].row].text};
    const Type* type = &types_[from_[c].row];
    for (const std::size_t step : from_[c].steps) {
      if (!item.null) item = nested::field_of(*type, item.bytes, step);
      type = &type->children()[step];
    }
    Cell& cell = cells[c];
    cell.null = item.null;
    if (item.null) continue;
    if (type->id == TypeId::kFloat) cell.number = static_cast<double>(nested::value_of<float>(item));
    else if (type->id == TypeId::kDouble) cell.number = nested::value_of<double>(item);
    else if (type->id == TypeId::kDecimal) cell.decimal = nested::value_of<Int128>(item);
    else if (type->width() == 0) cell.text = item.bytes;
    else cell.integer = nested::integer_of(*type, item);
  }
}

}  // namespace supyo::formats
