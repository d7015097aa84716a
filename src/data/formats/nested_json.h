#pragma once
#include <simdjson.h>

#include <functional>
#include <string>
#include <vector>

#include "data/formats/cell.h"
#include "data/formats/codecs.h"
#include "data/types/nested.h"

// ARRAY, MAP, MULTISET and ROW in JSON: arrays, and objects. As Flink's json format: keys of maps are texts, a field of a ROW that is not there is null.
namespace supyo::formats {

/// Reads a plain value into a cell; the reason when it is none of that type.
using ReadPlainJson = std::function<const char*(simdjson::ondemand::value&, const Type&, Cell&)>;
/// Appends the encoding of a value of a nested type to `out`; `null` says that it is null instead. The reason when it does not fit, else null.
const char* nested_from_json(simdjson::ondemand::value& value, const Type& type, const JsonOptions& options, const ReadPlainJson& plain, std::string& out, bool& null);

/// Writes a plain value that is not null, from the first row of a column.
using WritePlainJson = std::function<void(const Column&, std::string&)>;
/// False: there is a NULL key of a MAP, which the options do not allow; it is left out.
bool append_nested_json(const Type& type, const nested::Item& item, const JsonOptions& options, const WritePlainJson& plain, std::string& out);
void append_json_string(std::string_view s, std::string& out);

/// Columns that are fields of ROWs which are read whole, too: those are read, and the fields taken out of them.
class FieldsOfRows {
 public:
  explicit FieldsOfRows(const std::vector<Field>& columns);
  bool has(std::size_t column) const { return from_[column].row != SIZE_MAX; }
  bool any() const { return any_; }
  /// After the others were read.
  void fill(std::vector<Cell>& cells) const;

 private:
  struct From {
    std::size_t row = SIZE_MAX;          ///< the column that has the field
    std::vector<std::size_t> steps;      ///< fields on the way to it
  };
  std::vector<Type> types_;
  std::vector<From> from_;
  bool any_ = false;
};

}  // namespace supyo::formats
