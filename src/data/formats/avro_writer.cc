#include "data/formats/avro_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "data/types/value.h"

namespace supyo::formats::avro {
namespace {

void number(std::int64_t v, std::string& out) { ByteWriter(out).varint((static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63)); }
void sized(std::string_view bytes, std::string& out) {
  number(static_cast<std::int64_t>(bytes.size()), out);
  out.append(bytes);
}

bool micros(const Node& node) { return node.logical == Logical::kTimeMicros || node.logical == Logical::kTimestampMicros; }

bool fits(const Node& node, const Type& type) {
  const bool none = node.logical == Logical::kNone;
  switch (node.kind) {
    case Kind::kBoolean: return type.id == TypeId::kBoolean;
    case Kind::kInt:
      if (type.id == TypeId::kDate) return none || node.logical == Logical::kDate;
      if (type.id == TypeId::kTime) return none || node.logical == Logical::kTimeMillis;
      return none && type.is_integer() && type.id != TypeId::kBigInt;
    case Kind::kLong:
      if (type.id == TypeId::kTime) return node.logical == Logical::kTimeMicros;
      if (type.is_timestamp()) return type.precision <= 3 ? none || node.logical == Logical::kTimestampMillis || micros(node) : micros(node);
      return none && type.is_integer();
    case Kind::kFloat: return type.id == TypeId::kFloat;
    case Kind::kDouble: return type.is_floating();
    case Kind::kString: return type.id == TypeId::kString;
    case Kind::kEnum: return type.id == TypeId::kString;
    case Kind::kBytes:
    case Kind::kFixed: return type.id == TypeId::kDecimal ? node.logical == Logical::kDecimal && node.scale == type.scale : type.id == TypeId::kBytes && none;
    case Kind::kArray: return type.id == TypeId::kArray;
    case Kind::kMap: return type.id == TypeId::kMap || type.id == TypeId::kMultiset;
    case Kind::kRecord: return type.id == TypeId::kRow;
    default: return false;
  }
}

/// Two's complement, the highest byte first, as few bytes as hold it (as Java's BigInteger writes it).
std::string decimal_bytes(Int128 v) {
  int bytes = 1;
  while (bytes < 16 && (v >> (8 * bytes - 1)) != 0 && (v >> (8 * bytes - 1)) != -1) ++bytes;
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(v >> (8 * i)));
  return out;
}

}  // namespace

Result<std::vector<Writer::Step>> Writer::compile_fields(const Node& record, std::span<const std::string> names, std::span<const Type> types, const std::string& name) {
  std::vector<Step> steps;
  for (const Node::Field& f : record.fields) {
    const auto at = static_cast<std::size_t>(std::ranges::find(names, f.name) - names.begin());
    if (at == names.size()) return fail(ErrorCode::kTypeMismatch, fmt::format("the Avro schema has the field '{}', and there is no such column", name + f.name), "every field of the schema must be a column");
    SUPYO_ASSIGN(Step step, compile(*f.type, types[at], name + f.name));
    step.source = at;
    steps.push_back(std::move(step));
  }
  for (const std::string& column : names)
    if (std::ranges::find(record.fields, column, &Node::Field::name) == record.fields.end())
      return fail(ErrorCode::kTypeMismatch, fmt::format("the Avro schema has no field '{}'", name + column), "every column must be a field of the schema, by its very name");
  return steps;
}

Result<Writer::Step> Writer::compile(const Node& node, const Type& type, const std::string& name) {
  Step step{.node = &node, .type = type};
  if (node.kind == Kind::kUnion) {
    step.node = nullptr;
    for (std::size_t b = 0; b < node.branches.size(); ++b) {
      const Node& branch = *node.branches[b];
      if (branch.kind == Kind::kNull) step.null_branch = static_cast<int>(b);
      if (step.node != nullptr || !fits(branch, type)) continue;
      step.node = &branch;
      step.branch = static_cast<int>(b);
    }
  }
  if (step.node == nullptr || !fits(*step.node, type))
    return fail(ErrorCode::kTypeMismatch, fmt::format("the Avro schema has '{}' as {}, and the column is {}", name, to_string(node), type.as_nullable().to_string()));
  if (step.node->kind == Kind::kArray || step.node->kind == Kind::kMap) {
    const Type inside = type.id == TypeId::kMultiset ? nested::count_type() : type.children()[type.id == TypeId::kMap ? 1 : 0];
    SUPYO_ASSIGN(Step child, compile(*step.node->branches[0], inside, name + "[]"));
    step.children.push_back(std::move(child));
  } else if (step.node->kind == Kind::kRecord) {
    SUPYO_ASSIGN(step.children, compile_fields(*step.node, type.field_names(), type.children(), name + "."));
  }
  return step;
}

Result<Writer> Writer::make(std::shared_ptr<const Schema> schema, const supyo::Schema& table) {
  Writer writer;
  const Node& root = schema->root();
  if (root.kind != Kind::kRecord) return fail(ErrorCode::kTypeMismatch, fmt::format("the Avro schema is {}, and a row is a record", to_string(root)));
  std::vector<std::string> names;
  for (const Field& f : table.fields()) names.push_back(f.name);
  SUPYO_ASSIGN(writer.fields_, compile_fields(root, names, table.types(), ""));
  writer.schema_ = std::move(schema);
  return writer;
}

const char* Writer::write(const Batch& batch, std::size_t row, std::string& out, std::string& field) const {
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (const char* why = put(fields_[i], nested::item_at(*batch.columns[fields_[i].source], row), out)) {
      field = schema_->root().fields[i].name;
      return why;
    }
  }
  return nullptr;
}

const char* Writer::put(const Step& step, const nested::Item& item, std::string& out) {
  if (item.null) {
    if (step.null_branch < 0) return "NULL, and the Avro schema has no null there";
    number(step.null_branch, out);
    return nullptr;
  }
  if (step.branch >= 0) number(step.branch, out);
  return put_value(step, item, out);
}

const char* Writer::put_value(const Step& step, const nested::Item& item, std::string& out) {
  const Node& node = *step.node;
  const Type& type = step.type;
  switch (node.kind) {
    case Kind::kBoolean: out.push_back(nested::integer_of(type, item) != 0 ? '\1' : '\0'); return nullptr;
    case Kind::kInt:
    case Kind::kLong: {
      // Towards the past, also before 1970.
      const std::int64_t v = nested::integer_of(type, item), unit = (type.is_timestamp() || type.id == TypeId::kTime) && !micros(node) ? kMillisecond : 1;
      number(v / unit - (v % unit < 0 ? 1 : 0), out);
      return nullptr;
    }
    case Kind::kFloat: ByteWriter(out).u32(std::bit_cast<std::uint32_t>(nested::value_of<float>(item))); return nullptr;
    case Kind::kDouble: ByteWriter(out).u64(std::bit_cast<std::uint64_t>(type.id == TypeId::kFloat ? static_cast<double>(nested::value_of<float>(item)) : nested::value_of<double>(item))); return nullptr;
    case Kind::kEnum: {
      const auto at = std::ranges::find(node.symbols, item.bytes);
      if (at == node.symbols.end()) return "no symbol of the enum in the Avro schema";
      number(at - node.symbols.begin(), out);
      return nullptr;
    }
    case Kind::kString: sized(item.bytes, out); return nullptr;
    case Kind::kBytes: sized(type.id == TypeId::kDecimal ? decimal_bytes(nested::value_of<Int128>(item)) : item.bytes, out); return nullptr;
    case Kind::kFixed: {
      std::string bytes(item.bytes);
      if (type.id == TypeId::kDecimal) {
        bytes = decimal_bytes(nested::value_of<Int128>(item));
        if (bytes.size() < node.size) bytes.insert(0, node.size - bytes.size(), (bytes[0] & 0x80) != 0 ? '\xff' : '\0');
      }
      if (bytes.size() != node.size) return "not as many bytes as the fixed of the Avro schema has";
      out += bytes;
      return nullptr;
    }
    default: break;
  }
  nested::Items keys, items;
  if (type.id == TypeId::kRow) {
    nested::read_row(type, item.bytes, items);
    for (const Step& child : step.children)
      if (const char* why = put(child, items[child.source], out)) return why;
    return nullptr;
  }
  if (type.id == TypeId::kArray) nested::read_array(type, item.bytes, items);
  else nested::read_map(type, item.bytes, keys, items);
  if (!items.empty()) number(static_cast<std::int64_t>(items.size()), out);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!keys.empty()) {
      if (keys[i].null) return "a NULL key of a MAP, which Avro does not have";
      sized(keys[i].bytes, out);
    }
    if (const char* why = put(step.children[0], items[i], out)) return why;
  }
  number(0, out);
  return nullptr;
}

}  // namespace supyo::formats::avro
