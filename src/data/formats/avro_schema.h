#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "data/types/type.h"

namespace supyo::formats::avro {

enum class Kind : std::uint8_t { kNull, kBoolean, kInt, kLong, kFloat, kDouble, kBytes, kString, kFixed, kEnum, kRecord, kArray, kMap, kUnion };
/// What a number or bytes stand for. "local-timestamp-.." is as "timestamp-..": a table's type says which it is.
enum class Logical : std::uint8_t { kNone, kDecimal, kDate, kTimeMillis, kTimeMicros, kTimestampMillis, kTimestampMicros };

/// One type of a schema; a record may be part of itself.
struct Node {
  struct Field {
    std::string name;
    const Node* type = nullptr;
    bool has_default = false;
  };
  Kind kind = Kind::kNull;
  Logical logical = Logical::kNone;
  int scale = 0;                        ///< kDecimal
  std::size_t size = 0;                 ///< kFixed
  std::string name = {};                ///< kFixed, kEnum, kRecord: with its namespace
  std::vector<std::string> symbols = {};   ///< kEnum
  std::vector<Field> fields = {};          ///< kRecord
  std::vector<const Node*> branches = {};  ///< kUnion; [0] of kArray and kMap
};
/// "int", "timestamp-millis", "record org.example.Order": as errors name it.
std::string to_string(const Node& node);

/// A parsed schema (specification 1.11, "Schema Declaration"). Immutable.
class Schema {
 public:
  /// `texts`: the schema comes last, behind those whose named types it refers to. kBadOptionValue: no schema, and why.
  static Result<Schema> parse(std::span<const std::string> texts);
  const Node& root() const { return *root_; }

 private:
  friend class Parser;
  std::vector<std::unique_ptr<Node>> nodes_;
  const Node* root_ = nullptr;
};

/// The schema of a table's rows, as Flink derives it: a record org.apache.flink.avro.generated.record; a column that may be null is the union [null, type], its default null.
/// `legacy`: TIMESTAMP is timestamp-millis; else TIMESTAMP is local-timestamp-.., TIMESTAMP_LTZ timestamp-...
std::string schema_of(const supyo::Schema& table, bool legacy);
/// Whether Avro takes it as the name of a field.
bool is_name(std::string_view name);

}  // namespace supyo::formats::avro
