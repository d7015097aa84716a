#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "data/formats/avro_schema.h"
#include "data/types/nested.h"

namespace supyo::formats::avro {

/// Writes rows in Avro's binary encoding, by a schema. One thread.
class Writer {
 public:
  /// Errors: kTypeMismatch: the schema is not of such rows (a field without a column, a column without a field, another type), and why.
  static Result<Writer> make(std::shared_ptr<const Schema> schema, const supyo::Schema& table);
  /// Appends row `row`. The reason when the schema cannot hold a value (NULL where it has no null, a text that is no symbol), with the column's name in `field`; else null.
  const char* write(const Batch& batch, std::size_t row, std::string& out, std::string& field) const;

 private:
  struct Step {
    const Node* node = nullptr;        ///< not a union
    Type type = {};
    int null_branch = -1, branch = -1; ///< in its union; -1: it is in none
    std::size_t source = 0;            ///< the column, or field of the ROW
    std::vector<Step> children = {};   ///< one a field of the record; [0] of arrays and maps
  };
  static Result<Step> compile(const Node& node, const Type& type, const std::string& name);
  static Result<std::vector<Step>> compile_fields(const Node& record, std::span<const std::string> names, std::span<const Type> types, const std::string& name);
  static const char* put(const Step& step, const nested::Item& item, std::string& out);
  static const char* put_value(const Step& step, const nested::Item& item, std::string& out);

  std::shared_ptr<const Schema> schema_;
  std::vector<Step> fields_;
};

}  // namespace supyo::formats::avro
