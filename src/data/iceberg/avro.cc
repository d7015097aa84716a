#include "data/iceberg/avro.h"

#include <zlib.h>

#include <nlohmann/json.hpp>

namespace supyo::iceberg {
namespace {

using Json = nlohmann::json;
using Kind = AvroSchema::Kind;
using SchemaPtr = std::shared_ptr<const AvroSchema>;

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxBlockBytes = std::size_t{1} << 30;

// ---- schema ------------------------------------------------------------------------------------------------------------------------

struct SchemaParser {
  std::map<std::string, SchemaPtr> named;

  SchemaPtr parse(const Json& j, int depth) {
    if (depth > kMaxDepth) throw std::runtime_error("schema is nested too deeply");
    if (j.is_string()) return by_name(j.get<std::string>());
    if (j.is_array()) return parse_union(j, depth);
    const Json& type = j.at("type");
    if (!type.is_string()) return parse(type, depth + 1);
    return parse_object(j, type.get<std::string>(), depth);
  }

  SchemaPtr by_name(const std::string& name) {
    static const std::map<std::string, Kind, std::less<>> kPrimitive = {
        {"null", Kind::kNull},   {"boolean", Kind::kBoolean}, {"int", Kind::kInt},       {"long", Kind::kLong},
        {"float", Kind::kFloat}, {"double", Kind::kDouble},   {"bytes", Kind::kBytes},   {"string", Kind::kString}};
    if (const auto it = kPrimitive.find(name); it != kPrimitive.end()) {
      auto schema = std::make_shared<AvroSchema>();
      schema->kind = it->second;
      return schema;
    }
    const auto it = named.find(name);
    if (it == named.end()) throw std::runtime_error("unknown type " + name);
    return it->second;
  }

  SchemaPtr parse_union(const Json& j, int depth) {
    auto schema = std::make_shared<AvroSchema>();
    schema->kind = Kind::kUnion;
    for (const Json& branch : j) schema->branches.push_back(parse(branch, depth + 1));
    return schema;
  }

  SchemaPtr parse_object(const Json& j, const std::string& type, int depth) {
    auto schema = std::make_shared<AvroSchema>();
    if (type == "record") {
      schema->kind = Kind::kRecord;
      for (const Json& f : j.at("fields")) schema->fields.push_back({f.at("name"), f.value("field-id", -1), parse(f.at("type"), depth + 1)});
    } else if (type == "array") {
      schema->kind = Kind::kArray;
      schema->branches.push_back(parse(j.at("items"), depth + 1));
    } else if (type == "map") {
      schema->kind = Kind::kMap;
      schema->branches.push_back(parse(j.at("values"), depth + 1));
    } else if (type == "fixed") {
      schema->kind = Kind::kFixed;
      schema->fixed_size = j.at("size");
    } else if (type == "enum") {
      schema->kind = Kind::kEnum;
    } else {
      *schema = *by_name(type);
    }
    schema->logical_type = j.value("logicalType", "");
    if (j.contains("name")) named[j["name"].get<std::string>()] = schema;
    return schema;
  }
};

// ---- data --------------------------------------------------------------------------------------------------------------------------

// Reads within `in`; once something does not fit, `failed` stays true and zeros come back.
struct Decoder {
  std::string_view in;
  std::size_t at = 0;
  bool failed = false;

  std::string_view take(std::size_t n) {
    if (n > in.size() - at) {
      failed = true;
      at = in.size();
      return {};
    }
    const std::string_view out = in.substr(at, n);
    at += n;
    return out;
  }

  std::int64_t integer() {
    std::uint64_t raw = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at >= in.size()) break;
      const auto b = static_cast<unsigned char>(in[at++]);
      raw |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      if ((b & 0x80) == 0) return static_cast<std::int64_t>(raw >> 1) ^ -static_cast<std::int64_t>(raw & 1);
    }
    failed = true;
    return 0;
  }

  std::string_view sized() {
    const std::int64_t n = integer();
    if (n < 0) failed = true;
    return failed ? std::string_view{} : take(static_cast<std::size_t>(n));
  }

  template <class T>
  double floating() {
    T v{};
    const std::string_view raw = take(sizeof v);
    if (!failed) std::memcpy(&v, raw.data(), sizeof v);
    return static_cast<double>(v);
  }

  AvroValue value(const AvroSchema& schema) {
    switch (schema.kind) {
      case Kind::kNull: return {};
      case Kind::kBoolean: return {take(1) == std::string_view("\1", 1)};
      case Kind::kInt:
      case Kind::kLong:
      case Kind::kEnum: return {integer()};
      case Kind::kFloat: return {floating<float>()};
      case Kind::kDouble: return {floating<double>()};
      case Kind::kBytes:
      case Kind::kString: return {std::string(sized())};
      case Kind::kFixed: return {std::string(take(schema.fixed_size))};
      case Kind::kRecord: return record(schema);
      case Kind::kArray:
      case Kind::kMap: return list(schema);
      case Kind::kUnion: break;
    }
    const std::int64_t branch = integer();
    if (branch < 0 || static_cast<std::size_t>(branch) >= schema.branches.size()) {
      failed = true;
      return {};
    }
    return value(*schema.branches[static_cast<std::size_t>(branch)]);
  }

  AvroValue record(const AvroSchema& schema) {
    std::vector<AvroValue> out;
    out.reserve(schema.fields.size());
    for (const auto& f : schema.fields) out.push_back(value(*f.type));
    return {std::move(out)};
  }

  AvroValue list(const AvroSchema& schema) {
    std::vector<AvroValue> out;
    while (!failed) {
      std::int64_t n = integer();
      if (n == 0) break;
      if (n < 0) {
        n = -n;
        integer();  // bytes of the block: only for skipping
      }
      // An item of no bytes (null) would let a short file ask for any number of them.
      if (n < 0 || static_cast<std::uint64_t>(n) > in.size()) failed = true;
      for (std::int64_t i = 0; i < n && !failed; ++i) {
        if (schema.kind == Kind::kArray) {
          out.push_back(value(*schema.branches[0]));
          continue;
        }
        std::vector<AvroValue> pair;
        pair.push_back({std::string(sized())});
        pair.push_back(value(*schema.branches[0]));
        out.push_back({std::move(pair)});
      }
    }
    return {std::move(out)};
  }
};

Result<std::string> inflated(std::string_view in, const std::string& name) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return fail(ErrorCode::kInternal, "zlib does not start");
  std::string out;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  int code = Z_OK;
  while (code == Z_OK && out.size() < kMaxBlockBytes) {
    const std::size_t had = out.size();
    out.resize(std::max<std::size_t>(had * 2, in.size() * 4 + 1024));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + had);
    stream.avail_out = static_cast<uInt>(out.size() - had);
    code = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (code == Z_OK && stream.avail_in == 0 && stream.avail_out > 0) break;  // truncated
  }
  inflateEnd(&stream);
  if (code != Z_STREAM_END) return fail(ErrorCode::kDamaged, fmt::format("{}: a compressed block does not inflate", name));
  return out;
}

Error damaged(const std::string& name, std::size_t at, std::string_view why) {
  return {ErrorCode::kDamaged, fmt::format("{}: {} at offset {}", name, why, at)};
}

constexpr std::string_view kMagic{"Obj\1", 4};

Status read_header(Decoder& in, AvroFile& file, const std::string& name) {
  if (in.take(kMagic.size()) != kMagic) return fail(damaged(name, 0, "not an Avro file"));
  AvroSchema map;
  map.kind = Kind::kMap;
  auto bytes = std::make_shared<AvroSchema>();
  bytes->kind = Kind::kBytes;
  map.branches.push_back(bytes);
  const AvroValue header = in.value(map);
  if (in.failed) return fail(damaged(name, in.at, "broken header"));
  for (const AvroValue& pair : header.items()) file.metadata.emplace(pair.items()[0].text(), pair.items()[1].text());
  const Json json = Json::parse(file.metadata["avro.schema"], nullptr, false);
  if (json.is_discarded()) return fail(damaged(name, 0, "the schema is not JSON"));
  try {
    SchemaParser parser;
    file.schema = parser.parse(json, 0);
  } catch (const std::exception& e) {
    return fail(damaged(name, 0, fmt::format("bad schema ({})", e.what())));
  }
  return ok();
}

}  // namespace

int AvroSchema::field(std::int32_t field_id, std::string_view name) const {
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (fields[i].field_id == field_id) return static_cast<int>(i);
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (fields[i].name == name) return static_cast<int>(i);
  return -1;
}

std::int64_t AvroValue::integer(std::int64_t fallback) const {
  if (const auto* v = std::get_if<std::int64_t>(&data)) return *v;
  if (const auto* b = std::get_if<bool>(&data)) return *b ? 1 : 0;
  return fallback;
}

std::string_view AvroValue::text() const {
  const auto* v = std::get_if<std::string>(&data);
  return v ? std::string_view(*v) : std::string_view{};
}

const std::vector<AvroValue>& AvroValue::items() const {
  static const std::vector<AvroValue> kNone;
  const auto* v = std::get_if<std::vector<AvroValue>>(&data);
  return v ? *v : kNone;
}

Result<AvroFile> read_avro(std::string_view bytes, const std::string& name) {
  AvroFile file;
  Decoder in{bytes};
  SUPYO_TRY(read_header(in, file, name));
  const std::string codec = file.metadata.contains("avro.codec") ? file.metadata["avro.codec"] : "null";
  if (codec != "null" && codec != "deflate") return fail(ErrorCode::kUnsupported, fmt::format("{} is compressed with {}", name, codec), "Supyo reads null and deflate");
  const std::string_view sync = in.take(16);
  while (!in.failed && in.at < bytes.size()) {
    const std::size_t start = in.at;
    const std::int64_t count = in.integer();
    const std::string_view block = in.sized();
    if (in.failed || count < 0 || in.take(16) != sync) return fail(damaged(name, start, "broken block"));
    std::string inflated_block;
    if (codec == "deflate") {
      SUPYO_ASSIGN(inflated_block, inflated(block, name));
    }
    Decoder records{codec == "deflate" ? std::string_view(inflated_block) : block};
    for (std::int64_t i = 0; i < count; ++i) {
      file.records.push_back(records.value(*file.schema));
      if (records.failed) return fail(damaged(name, start, "a record does not fit its schema"));
    }
  }
  if (in.failed) return fail(damaged(name, in.at, "truncated"));
  return file;
}

void AvroEncoder::integer(std::int64_t v) {
  auto raw = (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
  while (raw >= 0x80) {
    out_.push_back(static_cast<char>(raw | 0x80));
    raw >>= 7;
  }
  out_.push_back(static_cast<char>(raw));
}

void AvroEncoder::float_(float v) { out_.append(reinterpret_cast<const char*>(&v), sizeof v); }
void AvroEncoder::double_(double v) { out_.append(reinterpret_cast<const char*>(&v), sizeof v); }

std::string avro_container(const std::vector<std::pair<std::string, std::string>>& metadata, std::string_view schema_json, std::size_t records,
                           std::string_view encoded, std::string_view sync_marker) {
  SUPYO_CHECK_EQ(sync_marker.size(), 16U);
  std::string out(kMagic);
  AvroEncoder encoder(out);
  encoder.begin_array(metadata.size() + 2);
  encoder.bytes("avro.schema");
  encoder.bytes(schema_json);
  encoder.bytes("avro.codec");
  encoder.bytes("null");
  for (const auto& [key, value] : metadata) {
    encoder.bytes(key);
    encoder.bytes(value);
  }
  encoder.end_array();
  out += sync_marker;
  if (records > 0) {
    encoder.integer(static_cast<std::int64_t>(records));
    encoder.bytes(encoded);
    out += sync_marker;
  }
  return out;
}

}  // namespace supyo::iceberg
