#include "engine/job/system_tables.h"

#include "core/base/bytes.h"

namespace supyo::job {
namespace {

constexpr std::uint8_t kVersion = 1;

std::string encode(const Schema& schema) {
  std::string out;
  ByteWriter w(out);
  w.u8(kVersion);
  w.varint(schema.size());
  for (const Field& f : schema.fields()) {
    w.text(f.name);
    w.u8(static_cast<std::uint8_t>(f.type.id));
    w.u8(static_cast<std::uint8_t>((f.type.nullable ? 1 : 0) | (f.type.fixed_length ? 2 : 0)));
    w.u32(static_cast<std::uint32_t>(f.type.precision));
    w.u32(static_cast<std::uint32_t>(f.type.scale));
  }
  return out;
}

std::optional<Schema> decode(std::string_view bytes) {
  ByteReader r(bytes);
  if (r.u8() != kVersion) return std::nullopt;
  const std::uint64_t n = r.varint();
  Schema schema;
  for (std::uint64_t i = 0; i < n && !r.failed(); ++i) {
    std::string name(r.text());
    Type t;
    t.id = static_cast<TypeId>(r.u8());
    const std::uint8_t flags = r.u8();
    t.nullable = (flags & 1) != 0;
    t.fixed_length = (flags & 2) != 0;
    t.precision = static_cast<int>(r.u32());
    t.scale = static_cast<int>(r.u32());
    schema.add(std::move(name), t);
  }
  if (r.failed()) return std::nullopt;
  return schema;
}

// Path as a legal topic name: "flights$late" -> "flights.late"; only letters, digits, '_', '-' and '.' stay.
std::string topic_of(const catalog::ObjectPath& path) {
  std::string text = path.catalog == "default_catalog" && path.database == "default_database" ? path.name : path.to_string();
  for (char& c : text)
    if (c == '$') c = '.';
    else if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' && c != '.') c = '_';
  return text;
}

}  // namespace

std::string SystemTables::directory() const { return env::join_path(state_dir_, "system"); }

catalog::TableDefinition SystemTables::definition(const catalog::ObjectPath& base, const std::string& suffix, const Schema& schema) const {
  catalog::TableDefinition t;
  t.path = base;
  t.path.name += suffix;
  t.temporary = true;
  for (const Field& f : schema.fields()) {
    catalog::ColumnDefinition c;
    c.name = f.name;
    c.type = f.type;
    t.columns.push_back(std::move(c));
  }
  t.options = {{"connector", "kafka"},
               {"properties.bootstrap.servers", "embedded:" + directory()},
               {"topic", topic_of(t.path)},
               {"scan.startup.mode", "earliest-offset"},
               {"scan.bounded.mode", "latest-offset"},
               {"format", "json"}};
  return t;
}

Status SystemTables::write() {
  if (declared_.empty()) return ok();
  SUPYO_TRY(env_.files.create_directories(directory()));
  for (const catalog::TableDefinition& t : declared_) SUPYO_TRY(env_.files.write_atomically(env::join_path(directory(), topic_of(t.path) + ".schema"), encode(t.schema())));
  declared_.clear();
  return ok();
}

std::optional<catalog::TableDefinition> SystemTables::find(const catalog::ObjectPath& path) const {
  if (!available()) return std::nullopt;
  const auto bytes = env_.files.read_all(env::join_path(directory(), topic_of(path) + ".schema"));
  if (!bytes) return std::nullopt;
  const auto schema = decode(*bytes);
  if (!schema) return std::nullopt;
  return definition(path, "", *schema);
}

}  // namespace supyo::job
