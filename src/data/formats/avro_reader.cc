#include "data/formats/avro_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <deque>
#include <map>

#include "data/types/nested.h"

// Avro's binary encoding (specification 1.11, "Binary Encoding" and "Schema Resolution"). Beyond what a reader of Flink takes: an enum is its symbol, a long fits INT where its value does,
// times and decimals are read in the unit and scale that they were written in.
namespace supyo::formats::avro {
namespace {

constexpr const char* kTooShort = "the record ends too early: written with another schema?";
constexpr const char* kNoBranch = "neither null nor a value: written with another schema?";
constexpr const char* kNullInNotNull = "null in a column that is NOT NULL";
constexpr std::size_t kEmptyMost = 1'000'000;   // elements that take no bytes
constexpr int kDepth = 200;

std::int64_t number(ByteReader& in) {
  const std::uint64_t v = in.varint();
  return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
}
std::string_view sized(ByteReader& in) {
  const std::int64_t n = number(in);
  return in.bytes(n < 0 ? UINT64_MAX : static_cast<std::uint64_t>(n));
}

/// Calls `one` for each element of an array or a map: blocks with their count, a negative one with the bytes behind it.
template <class F>
const char* each_element(ByteReader& in, F&& one) {
  std::size_t left = in.remaining() + kEmptyMost;
  while (true) {
    std::int64_t n = number(in);
    if (n < 0) {
      number(in);
      n = n == INT64_MIN ? INT64_MAX : -n;
    }
    if (in.failed()) return kTooShort;
    if (n == 0) return nullptr;
    if (static_cast<std::uint64_t>(n) > left) return kTooShort;
    left -= static_cast<std::size_t>(n);
    for (; n > 0; --n) {
      if (const char* why = one()) return why;
      if (in.failed()) return kTooShort;
    }
  }
}

const char* skip(const Node& node, ByteReader& in, int depth = 0) {
  if (depth > kDepth) return "nested too deeply";
  switch (node.kind) {
    case Kind::kNull: return nullptr;
    case Kind::kBoolean: in.u8(); return nullptr;
    case Kind::kInt:
    case Kind::kLong:
    case Kind::kEnum: in.varint(); return nullptr;
    case Kind::kFloat: in.u32(); return nullptr;
    case Kind::kDouble: in.u64(); return nullptr;
    case Kind::kBytes:
    case Kind::kString: sized(in); return nullptr;
    case Kind::kFixed: in.bytes(node.size); return nullptr;
    case Kind::kRecord:
      for (const Node::Field& f : node.fields)
        if (const char* why = skip(*f.type, in, depth + 1)) return why;
      return nullptr;
    case Kind::kArray: return each_element(in, [&] { return skip(*node.branches[0], in, depth + 1); });
    case Kind::kMap:
      return each_element(in, [&] {
        sized(in);
        return skip(*node.branches[0], in, depth + 1);
      });
    case Kind::kUnion: break;
  }
  const std::int64_t branch = number(in);
  if (in.failed()) return kTooShort;
  if (branch < 0 || static_cast<std::size_t>(branch) >= node.branches.size()) return kNoBranch;
  return skip(*node.branches[static_cast<std::size_t>(branch)], in, depth + 1);
}

bool fits(const Node& node, const Type& type) {
  const bool whole = node.kind == Kind::kInt || node.kind == Kind::kLong;
  switch (type.id) {
    case TypeId::kBoolean: return node.kind == Kind::kBoolean;
    case TypeId::kTinyInt:
    case TypeId::kSmallInt:
    case TypeId::kInteger:
    case TypeId::kBigInt: return whole;
    case TypeId::kFloat: return whole || node.kind == Kind::kFloat;
    case TypeId::kDouble: return whole || node.kind == Kind::kFloat || node.kind == Kind::kDouble;
    case TypeId::kString: return node.kind == Kind::kString || node.kind == Kind::kEnum || (node.kind == Kind::kBytes && node.logical == Logical::kNone);
    case TypeId::kBytes: return node.kind == Kind::kString || node.kind == Kind::kBytes || node.kind == Kind::kFixed;
    case TypeId::kDecimal: return node.kind == Kind::kBytes || node.kind == Kind::kFixed;
    case TypeId::kDate: return node.kind == Kind::kInt && (node.logical == Logical::kNone || node.logical == Logical::kDate);
    case TypeId::kTime: return whole && (node.logical == Logical::kNone || node.logical == Logical::kTimeMillis || node.logical == Logical::kTimeMicros);
    case TypeId::kTimestamp:
    case TypeId::kTimestampLtz: return node.kind == Kind::kLong && (node.logical == Logical::kNone || node.logical == Logical::kTimestampMillis || node.logical == Logical::kTimestampMicros);
    default: return false;
  }
}

/// Two's complement, the highest byte first.
const char* read_decimal(std::string_view bytes, int from_scale, const Type& type, Int128& out) {
  while (bytes.size() > sizeof(Int128) && (bytes[0] == 0 || bytes[0] == '\xff') && ((bytes[0] ^ bytes[1]) & 0x80) == 0) bytes.remove_prefix(1);   // of a wide fixed: signs
  if (bytes.size() > sizeof(Int128)) return "number out of range";
  Int128 v = !bytes.empty() && (static_cast<unsigned char>(bytes[0]) & 0x80) != 0 ? -1 : 0;
  for (const char b : bytes) v = static_cast<Int128>(static_cast<unsigned __int128>(v) << 8 | static_cast<unsigned char>(b));
  for (; from_scale > type.scale; --from_scale) {
    const auto digit = static_cast<int>(v % 10);
    v /= 10;
    if (from_scale == type.scale + 1 && (digit >= 5 || digit <= -5)) v += digit > 0 ? 1 : -1;   // half up, as a CAST
  }
  Int128 limit = 1;
  for (int i = 0; i < type.precision - (type.scale - from_scale); ++i) limit *= 10;
  if (v >= limit || v <= -limit) return "number out of range";
  for (; from_scale < type.scale; ++from_scale) v *= 10;
  out = v;
  return nullptr;
}

/// How many of our microseconds one of what was written is.
std::int64_t unit_us(const Node& node, const Type& type) {
  if (node.logical == Logical::kTimeMicros || node.logical == Logical::kTimestampMicros) return 1;
  if (node.logical == Logical::kTimeMillis || node.logical == Logical::kTimestampMillis || type.id == TypeId::kTime) return kMillisecond;
  return type.precision <= 3 ? kMillisecond : 1;
}

}  // namespace

struct Reader::Level {
  std::map<std::string, int> columns = {};
  std::map<std::string, Level> rows = {};

  void add(std::string_view name, bool nested, int column) {
    Level* level = this;
    for (std::size_t dot = nested ? name.find('.') : std::string_view::npos; dot != std::string_view::npos; dot = name.find('.')) {
      level = &level->rows[std::string(name.substr(0, dot))];
      name.remove_prefix(dot + 1);
    }
    level->columns.emplace(name, column);
  }
  /// A column that cannot be null, of those in it; empty: none.
  std::string not_null(const std::vector<Field>& of) const {
    for (const auto& [name, column] : columns)
      if (!of[static_cast<std::size_t>(column)].type.nullable) return name;
    for (const auto& [name, row] : rows)
      if (const std::string inside = row.not_null(of); !inside.empty()) return name + "." + inside;
    return {};
  }
};

Reader::Step Reader::refuse(std::string why) { return {.what = Step::Do::kRefuse, .refused = std::move(why)}; }

Reader::Step Reader::value_step(const Node& node, const Type& type) {
  const auto no_such = [&] { return refuse(fmt::format("it is written as {}, which is no {}", to_string(node), type.as_nullable().to_string())); };
  Step step{.what = Step::Do::kValue, .node = &node, .type = type};
  if (node.kind == Kind::kNull) {
    step.what = Step::Do::kNull;
    return step;
  }
  if (node.kind == Kind::kUnion) {
    step.what = Step::Do::kUnion;
    for (const Node* branch : node.branches) step.children.push_back(value_step(*branch, type));
    return step;
  }
  if (!type.is_nested()) return fits(node, type) ? step : no_such();
  step.what = Step::Do::kNested;
  if (type.id == TypeId::kArray && node.kind == Kind::kArray) {
    step.children.push_back(value_step(*node.branches[0], type.children()[0]));
    return step;
  }
  if ((type.id == TypeId::kMap || type.id == TypeId::kMultiset) && node.kind == Kind::kMap) {
    step.children.push_back(value_step(*node.branches[0], type.id == TypeId::kMap ? type.children()[1] : nested::count_type()));
    return step;
  }
  if (type.id != TypeId::kRow || node.kind != Kind::kRecord) return no_such();
  const std::vector<std::string>& names = type.field_names();
  std::vector<bool> found(names.size());
  for (const Node::Field& f : node.fields) {
    const auto at = static_cast<std::size_t>(std::ranges::find(names, f.name) - names.begin());
    step.children.push_back(at == names.size() ? Step{.node = f.type} : value_step(*f.type, type.children()[at]));
    if (at == names.size()) continue;
    step.children.back().target = static_cast<int>(at);
    found[at] = true;
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!found[i] && !type.children()[i].nullable) return refuse(fmt::format("the schema that it was written with has no field '{}'", names[i]));
  return step;
}

Reader::Step Reader::row_step(const Node& node, const Level& level, const std::vector<Field>& columns, const std::string& name) {
  Step step{.what = Step::Do::kRow, .node = &node};
  if (node.kind == Kind::kUnion) {
    step.what = Step::Do::kUnion;
    for (const Node* branch : node.branches) step.children.push_back(branch->kind == Kind::kNull ? Step{.what = Step::Do::kNull, .node = branch} : row_step(*branch, level, columns, name));
    return step;
  }
  if (node.kind != Kind::kRecord) return refuse(name.empty() ? fmt::format("the record is written as {}, which has no fields", to_string(node)) : fmt::format("it is written as {}, which is no ROW", to_string(node)));
  const auto in_record = [&](const std::string& field) { return std::ranges::find(node.fields, field, &Node::Field::name) != node.fields.end(); };
  for (const auto& [field, column] : level.columns)
    if (!columns[static_cast<std::size_t>(column)].type.nullable && !in_record(field)) return refuse(fmt::format("the schema that it was written with has no field '{}'", name + field));
  for (const auto& [field, row] : level.rows)
    if (const std::string inside = row.not_null(columns); !inside.empty() && !in_record(field)) return refuse(fmt::format("the schema that it was written with has no field '{}'", name + field));
  for (const Node::Field& f : node.fields) {
    if (const auto column = level.columns.find(f.name); column != level.columns.end()) {
      step.children.push_back(value_step(*f.type, columns[static_cast<std::size_t>(column->second)].type));
      step.children.back().target = column->second;
    } else if (const auto row = level.rows.find(f.name); row != level.rows.end()) {
      step.children.push_back(row_step(*f.type, row->second, columns, name + f.name + "."));
    } else {
      step.children.push_back({.node = f.type});
    }
  }
  return step;
}

Reader::Reader(std::shared_ptr<const Schema> written, const std::vector<Field>& columns, std::span<const std::size_t> which, std::span<const std::string_view> rows) : written_(std::move(written)) {
  Level level;
  for (const std::size_t c : which) level.add(columns[c].name, columns[c].nested, static_cast<int>(c));
  for (const std::string_view row : rows) level.rows[std::string(row)];
  root_ = row_step(written_->root(), level, columns, "");
}

const char* Reader::read(std::string_view record, std::vector<Cell>& cells, std::string& field) {
  for (Cell& c : cells) c.null = true;
  ByteReader in(record);
  const std::string* at = nullptr;
  const char* why = enter(root_, in, cells, at);
  if (why == nullptr && in.failed()) why = kTooShort;
  if (why == nullptr && !in.done()) {
    why = "the record goes on behind its last field: written with another schema?";
    at = nullptr;
  }
  field = why != nullptr && at != nullptr ? *at : std::string();
  return why;
}

/// `field`: the one that is read, for the reason.
const char* Reader::enter(Step& step, ByteReader& in, std::vector<Cell>& cells, const std::string*& field) {
  if (step.what == Step::Do::kRefuse) return step.refused.c_str();
  if (step.what == Step::Do::kNull) return nullptr;
  if (step.what == Step::Do::kUnion) {
    for (Step& child : step.children) child.there = false;
    const std::int64_t branch = number(in);
    if (in.failed()) return kTooShort;
    return branch < 0 || static_cast<std::size_t>(branch) >= step.children.size() ? kNoBranch : enter(step.children[static_cast<std::size_t>(branch)], in, cells, field);
  }
  step.there = true;
  for (std::size_t i = 0; i < step.children.size(); ++i) {
    Step& child = step.children[i];
    field = &step.node->fields[i].name;
    const char* why = child.what == Step::Do::kSkip ? skip(*child.node, in) : child.target < 0 ? enter(child, in, cells, field) : value(child, in, cells[static_cast<std::size_t>(child.target)]);
    if (in.failed()) return kTooShort;
    if (why != nullptr) return why;
  }
  return nullptr;
}

bool Reader::has_row(std::string_view field) const {
  const Step* root = &root_;
  if (root->what == Step::Do::kUnion) {
    const auto entered = std::ranges::find(root->children, true, &Step::there);
    if (entered == root->children.end()) return false;
    root = &*entered;
  }
  for (std::size_t i = 0; root->what == Step::Do::kRow && i < root->children.size(); ++i) {
    const Step& step = root->children[i];
    if (root->node->fields[i].name == field) return step.there || std::ranges::any_of(step.children, &Step::there);
  }
  return false;
}

const char* Reader::value(const Step& step, ByteReader& in, Cell& cell) {
  switch (step.what) {
    case Step::Do::kRefuse: return step.refused.c_str();
    case Step::Do::kNull:
      cell.null = true;
      return step.type.nullable ? nullptr : kNullInNotNull;
    case Step::Do::kUnion: {
      const std::int64_t branch = number(in);
      if (in.failed()) return kTooShort;
      return branch < 0 || static_cast<std::size_t>(branch) >= step.children.size() ? kNoBranch : value(step.children[static_cast<std::size_t>(branch)], in, cell);
    }
    case Step::Do::kNested:
      cell.null = false;
      cell.owned.clear();
      if (const char* why = nested(step, in, cell.owned)) return why;
      cell.text = cell.owned;
      return nullptr;
    default:
      cell.null = false;
      return plain(step, in, cell);
  }
}

const char* Reader::plain(const Step& step, ByteReader& in, Cell& cell) {
  const Node& node = *step.node;
  const Type& type = step.type;
  std::string_view bytes;
  switch (node.kind) {
    case Kind::kBoolean: {
      const std::uint8_t v = in.u8();
      cell.integer = v;
      return v > 1 ? "not a boolean" : nullptr;
    }
    case Kind::kFloat: cell.number = static_cast<double>(std::bit_cast<float>(in.u32())); return nullptr;
    case Kind::kDouble: cell.number = std::bit_cast<double>(in.u64()); return nullptr;
    case Kind::kFixed: bytes = in.bytes(node.size); break;
    case Kind::kBytes:
    case Kind::kString: bytes = sized(in); break;
    case Kind::kEnum: {
      const std::int64_t v = number(in);
      if (v < 0 || static_cast<std::size_t>(v) >= node.symbols.size()) return "no symbol of the enum";
      cell.text = node.symbols[static_cast<std::size_t>(v)];
      return nullptr;
    }
    default: {
      const std::int64_t v = number(in);
      if ((node.kind == Kind::kInt || type.id == TypeId::kDate) && (v < INT32_MIN || v > INT32_MAX)) return "number out of range";
      if (type.is_integer()) return cell_from_integer(v, type, cell);
      if (type.is_floating()) {
        cell.number = static_cast<double>(v);
        return nullptr;
      }
      const std::int64_t unit = type.id == TypeId::kDate ? 1 : unit_us(node, type);
      if (v < INT64_MIN / unit || v > INT64_MAX / unit) return "number out of range";
      cell.integer = v * unit;
      return type.id == TypeId::kTime && (cell.integer < 0 || cell.integer >= kDay) ? "not a time" : nullptr;
    }
  }
  if (type.id == TypeId::kDecimal) return read_decimal(bytes, node.logical == Logical::kDecimal ? node.scale : type.scale, type, cell.decimal);
  cell.text = bytes;
  return nullptr;
}

const char* Reader::nested(const Step& step, ByteReader& in, std::string& out) {
  std::deque<std::string> own;   // what the items point at
  const auto item = [&](const Step& of, nested::Item& to) -> const char* {
    Cell cell;
    if (const char* why = value(of, in, cell)) return why;
    if (!cell.null) to = {false, own.emplace_back(cell_bytes(cell, of.type))};
    return nullptr;
  };
  nested::Items keys, items;
  if (step.type.id == TypeId::kRow) {
    items.resize(step.type.field_names().size());
    for (const Step& child : step.children) {
      const char* why = child.what == Step::Do::kSkip ? skip(*child.node, in) : item(child, items[static_cast<std::size_t>(child.target)]);
      if (in.failed()) return kTooShort;
      if (why != nullptr) return why;
    }
    nested::write_row(step.type, items, out);
    return nullptr;
  }
  const bool map = step.type.id != TypeId::kArray;
  const char* why = each_element(in, [&] {
    if (map) keys.push_back({false, sized(in)});
    return item(step.children[0], items.emplace_back());
  });
  if (why != nullptr) return why;
  if (map) nested::write_map(step.type.children()[0], step.children[0].type, keys, items, out);
  else nested::write_array(step.type.children()[0], items, out);
  return nullptr;
}

}  // namespace supyo::formats::avro
