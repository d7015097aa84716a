#include "data/formats/avro_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

namespace supyo::formats::avro {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::pair<std::string_view, Kind>, 8> kPlain = {{{"null", Kind::kNull}, {"boolean", Kind::kBoolean}, {"int", Kind::kInt}, {"long", Kind::kLong},
                                                                      {"float", Kind::kFloat}, {"double", Kind::kDouble}, {"bytes", Kind::kBytes}, {"string", Kind::kString}}};
constexpr std::array<std::string_view, 14> kKindNames = {"null", "boolean", "int", "long", "float", "double", "bytes", "string", "fixed", "enum", "record", "array", "map", "union"};
constexpr std::array<std::string_view, 7> kLogicalNames = {"", "decimal", "date", "time-millis", "time-micros", "timestamp-millis", "timestamp-micros"};

std::unexpected<Error> bad(std::string what) { return fail(ErrorCode::kBadOptionValue, "no Avro schema: " + what); }

/// A logical type that does not fit what it is on is ignored, as the specification wants it.
Logical logical_of(std::string_view name, Kind kind) {
  if (name.starts_with("local-")) name.remove_prefix(6);
  const auto at = std::ranges::find(kLogicalNames, name);
  if (name.empty() || at == kLogicalNames.end()) return Logical::kNone;
  const auto logical = static_cast<Logical>(at - kLogicalNames.begin());
  const bool fits = logical == Logical::kDecimal ? kind == Kind::kBytes || kind == Kind::kFixed : logical == Logical::kDate || logical == Logical::kTimeMillis ? kind == Kind::kInt : kind == Kind::kLong;
  return fits ? logical : Logical::kNone;
}

}  // namespace

class Parser {
 public:
  explicit Parser(Schema& out) : out_(out) {}

  Result<const Node*> type(const Json& json, const std::string& space, int depth) {
    if (depth > kDepth) return bad("nested too deeply");
    if (json.is_string()) return named(json.get<std::string>(), space);
    if (json.is_array()) return union_of(json, space, depth);
    if (!json.is_object() || !json.contains("type")) return bad("a type is a name, a list of types or an object with \"type\"");
    const Json& of = json["type"];
    if (!of.is_string()) return type(of, space, depth + 1);
    const std::string kind = of.get<std::string>();
    if (kind == "record" || kind == "error") return record(json, space, depth);
    if (kind == "array" || kind == "map") {
      const char* inside = kind == "array" ? "items" : "values";
      if (!json.contains(inside)) return bad(fmt::format("an {} without \"{}\"", kind, inside));
      Node& node = make(kind == "array" ? Kind::kArray : Kind::kMap);
      SUPYO_ASSIGN(const Node* child, type(json[inside], space, depth + 1));
      node.branches.push_back(child);
      return &node;
    }
    if (kind == "enum") {
      SUPYO_ASSIGN(Node* node, define(json, space, Kind::kEnum));
      if (!json.contains("symbols") || !json["symbols"].is_array()) return bad("an enum without \"symbols\"");
      for (const Json& s : json["symbols"]) {
        if (!s.is_string()) return bad("a symbol that is no text");
        node->symbols.push_back(s.get<std::string>());
      }
      return node;
    }
    if (kind == "fixed") {
      SUPYO_ASSIGN(Node* node, define(json, space, Kind::kFixed));
      if (!json.contains("size") || !json["size"].is_number_unsigned()) return bad("a fixed without \"size\"");
      node->size = json["size"].get<std::size_t>();
      return with_logical(*node, json);
    }
    const auto plain = std::ranges::find(kPlain, kind, &std::pair<std::string_view, Kind>::first);
    if (plain == kPlain.end()) return named(kind, space);
    return with_logical(make(plain->second), json);
  }

 private:
  static constexpr int kDepth = 100;

  Node& make(Kind kind) {
    out_.nodes_.push_back(std::make_unique<Node>(Node{.kind = kind}));
    return *out_.nodes_.back();
  }

  static Result<const Node*> with_logical(Node& node, const Json& json) {
    const auto text = [&](const char* key) { return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string(); };
    node.logical = logical_of(text("logicalType"), node.kind);
    if (node.logical == Logical::kDecimal && json.contains("scale")) {
      if (!json["scale"].is_number_integer()) return bad("a \"scale\" that is no number");
      const auto scale = json["scale"].get<std::int64_t>();
      if (scale < 0 || scale > kMaxDecimalPrecision) return bad("a \"scale\" out of range");
      node.scale = static_cast<int>(scale);
    }
    return &node;
  }

  Result<const Node*> named(const std::string& name, const std::string& space) {
    const auto plain = std::ranges::find(kPlain, name, &std::pair<std::string_view, Kind>::first);
    if (plain != kPlain.end()) return &make(plain->second);
    for (const std::string& full : {name.find('.') == std::string::npos && !space.empty() ? space + "." + name : name, name})
      if (const auto it = names_.find(full); it != names_.end()) return it->second;
    return bad(fmt::format("there is no type '{}'", name));
  }

  Result<Node*> define(const Json& json, const std::string& space, Kind kind) {
    if (!json.contains("name") || !json["name"].is_string()) return bad(fmt::format("a {} without \"name\"", kKindNames[static_cast<std::size_t>(kind)]));
    Node& node = make(kind);
    node.name = json["name"].get<std::string>();
    const std::string own = json.contains("namespace") && json["namespace"].is_string() ? json["namespace"].get<std::string>() : space;
    if (node.name.find('.') == std::string::npos && !own.empty()) node.name = own + "." + node.name;
    if (!names_.emplace(node.name, &node).second) return bad(fmt::format("the type '{}' is declared twice", node.name));
    return &node;
  }

  Result<const Node*> record(const Json& json, const std::string& space, int depth) {
    SUPYO_ASSIGN(Node* node, define(json, space, Kind::kRecord));
    const std::size_t dot = node->name.rfind('.');
    const std::string inside = dot == std::string::npos ? std::string() : node->name.substr(0, dot);
    if (!json.contains("fields") || !json["fields"].is_array()) return bad(fmt::format("the record '{}' has no \"fields\"", node->name));
    for (const Json& f : json["fields"]) {
      if (!f.is_object() || !f.contains("name") || !f["name"].is_string() || !f.contains("type")) return bad(fmt::format("a field of the record '{}' has no \"name\" or no \"type\"", node->name));
      SUPYO_ASSIGN(const Node* of, type(f["type"], inside, depth + 1));
      node->fields.push_back({.name = f["name"].get<std::string>(), .type = of, .has_default = f.contains("default")});
    }
    return node;
  }

  Result<const Node*> union_of(const Json& json, const std::string& space, int depth) {
    Node& node = make(Kind::kUnion);
    for (const Json& branch : json) {
      SUPYO_ASSIGN(const Node* of, type(branch, space, depth + 1));
      if (of->kind == Kind::kUnion) return bad("a union in a union");
      node.branches.push_back(of);
    }
    return &node;
  }

  Schema& out_;
  std::map<std::string, const Node*> names_;
};

std::string to_string(const Node& node) {
  if (node.logical != Logical::kNone) return std::string(kLogicalNames[static_cast<std::size_t>(node.logical)]);
  if (node.kind == Kind::kUnion) {
    std::string all;
    for (const Node* b : node.branches) all += (all.empty() ? "[" : ", ") + to_string(*b);
    return all.empty() ? "[]" : all + "]";
  }
  const std::string_view kind = kKindNames[static_cast<std::size_t>(node.kind)];
  return node.name.empty() ? std::string(kind) : fmt::format("{} {}", kind, node.name);
}

Result<Schema> Schema::parse(std::span<const std::string> texts) {
  Schema schema;
  Parser parser(schema);
  for (const std::string& text : texts) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) return bad("it is not JSON");
    SUPYO_ASSIGN(schema.root_, parser.type(json, "", 0));
  }
  if (schema.root_ == nullptr) return bad("there is none");
  return schema;
}

namespace {

constexpr const char* kNamespace = "org.apache.flink.avro.generated";
constexpr const char* kRecord = "record";

Json type_json(const Type& type, const std::string& name, bool legacy);

Json record_json(std::span<const std::string> names, std::span<const Type> types, const std::string& name, bool legacy) {
  Json fields = Json::array();
  for (std::size_t i = 0; i < names.size(); ++i) {
    Json field = {{"name", names[i]}, {"type", type_json(types[i], name + "_" + names[i], legacy)}};
    if (types[i].nullable) field["default"] = nullptr;
    fields.push_back(std::move(field));
  }
  Json record = {{"type", "record"}, {"name", name}};
  if (name == kRecord) record["namespace"] = kNamespace;   // those inside have it from there
  record["fields"] = std::move(fields);
  return record;
}

Json not_null_json(const Type& type, const std::string& name, bool legacy) {
  const bool micros = type.precision > 3;
  switch (type.id) {
    case TypeId::kBoolean: return "boolean";
    case TypeId::kTinyInt:
    case TypeId::kSmallInt:
    case TypeId::kInteger: return "int";
    case TypeId::kBigInt: return "long";
    case TypeId::kFloat: return "float";
    case TypeId::kDouble: return "double";
    case TypeId::kString: return "string";
    case TypeId::kBytes: return "bytes";
    case TypeId::kDecimal: return {{"type", "bytes"}, {"logicalType", "decimal"}, {"precision", type.precision}, {"scale", type.scale}};
    case TypeId::kDate: return {{"type", "int"}, {"logicalType", "date"}};
    case TypeId::kTime: return {{"type", "int"}, {"logicalType", "time-millis"}};
    case TypeId::kTimestamp: return {{"type", "long"}, {"logicalType", fmt::format("{}timestamp-{}", legacy ? "" : "local-", micros ? "micros" : "millis")}};
    case TypeId::kTimestampLtz: return {{"type", "long"}, {"logicalType", micros ? "timestamp-micros" : "timestamp-millis"}};
    case TypeId::kArray: return {{"type", "array"}, {"items", type_json(type.children()[0], name, legacy)}};
    case TypeId::kMap: return {{"type", "map"}, {"values", type_json(type.children()[1], name, legacy)}};
    case TypeId::kMultiset: return {{"type", "map"}, {"values", type_json(Type::integer(), name, legacy)}};
    case TypeId::kRow: return record_json(type.field_names(), type.children(), name, legacy);
    default: return "null";
  }
}

Json type_json(const Type& type, const std::string& name, bool legacy) {
  Json plain = not_null_json(type, name, legacy);
  return type.nullable ? Json::array({"null", std::move(plain)}) : plain;
}

}  // namespace

std::string schema_of(const supyo::Schema& table, bool legacy) {
  std::vector<std::string> names;
  for (const Field& f : table.fields()) names.push_back(f.name);
  return record_json(names, table.types(), kRecord, legacy).dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name[0]) && std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace supyo::formats::avro
