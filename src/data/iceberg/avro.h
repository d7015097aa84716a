#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/check.h"
#include "core/base/result.h"

/// As much of Avro 1.11 as Iceberg's manifests need: object container files, read with any schema, written by hand-made encoders.
namespace supyo::iceberg {

/// A parsed Avro schema. Unions are resolved while decoding, so a value is null or the branch's value.
struct AvroSchema {
  enum class Kind { kNull, kBoolean, kInt, kLong, kFloat, kDouble, kBytes, kString, kFixed, kRecord, kArray, kMap, kUnion, kEnum };
  struct Field {
    std::string name;
    std::int32_t field_id = -1;            ///< Iceberg's "field-id" attribute
    std::shared_ptr<const AvroSchema> type;
  };
  Kind kind = Kind::kNull;
  std::string logical_type;
  std::size_t fixed_size = 0;
  std::vector<Field> fields;                                  ///< kRecord
  std::vector<std::shared_ptr<const AvroSchema>> branches;    ///< kUnion; [0] of kArray and kMap

  /// Position of the field with this id, else with this name; -1 when there is none.
  int field(std::int32_t field_id, std::string_view name) const;
};

/// A decoded value: null, bool, int and long, float and double, string and bytes and fixed, array or record (fields in schema order).
/// A map is an array of (key, value) arrays.
struct AvroValue {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<AvroValue>> data;

  bool is_null() const { return std::holds_alternative<std::monostate>(data); }
  std::int64_t integer(std::int64_t fallback = 0) const;
  std::string_view text() const;
  const std::vector<AvroValue>& items() const;
};

struct AvroFile {
  std::map<std::string, std::string> metadata;
  std::shared_ptr<const AvroSchema> schema;
  std::vector<AvroValue> records;
};

/// Reads a whole container file with codec null or deflate. Errors: kDamaged (with `name` and the offset), kUnsupported (another codec).
Result<AvroFile> read_avro(std::string_view bytes, const std::string& name);

/// Appends values in Avro's binary encoding.
class AvroEncoder {
 public:
  explicit AvroEncoder(std::string& out) : out_(out) {}
  void integer(std::int64_t v);                       ///< int and long
  void boolean(bool v) { out_.push_back(v ? '\1' : '\0'); }
  void float_(float v);
  void double_(double v);
  void bytes(std::string_view v) { integer(static_cast<std::int64_t>(v.size())); out_.append(v); }
  void raw(std::string_view v) { out_.append(v); }
  /// The branch of a ["null", X] union.
  void branch(bool present) { integer(present ? 1 : 0); }
  /// Opens an array of `n` items; close with end_array(). Nothing else than end_array() follows when n is 0.
  void begin_array(std::size_t n) { if (n > 0) integer(static_cast<std::int64_t>(n)); }
  void end_array() { integer(0); }

 private:
  std::string& out_;
};

/// A container file with one block. `sync_marker` is 16 bytes.
std::string avro_container(const std::vector<std::pair<std::string, std::string>>& metadata, std::string_view schema_json, std::size_t records,
                           std::string_view encoded, std::string_view sync_marker);

}  // namespace supyo::iceberg
