#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "data/formats/avro_schema.h"
#include "data/formats/cell.h"

namespace supyo::formats::avro {

/// Reads Avro's binary encoding, written with one schema, into columns: fields are found by their names, what no column wants is skipped, a column without a field is null. One thread.
class Reader {
 public:
  /// `which` of `columns` are read; names of nested ones are the way into records. `rows`: records at the root that has_row() is asked for.
  /// What of `written` does not fit a column makes every record a bad one, with the reason.
  Reader(std::shared_ptr<const Schema> written, const std::vector<Field>& columns, std::span<const std::size_t> which, std::span<const std::string_view> rows = {});

  /// Fills the cells of the columns that it reads, one a column; their texts point into the record or into the cell. The reason when it is no such record, else null; `field`: where.
  const char* read(std::string_view record, std::vector<Cell>& cells, std::string& field);
  /// Whether the last record had a row, and not null, at a field of the root ("before").
  bool has_row(std::string_view field) const;

 private:
  /// What is done with one type as it was written.
  struct Step {
    enum class Do : std::uint8_t { kSkip, kValue, kNested, kRow, kUnion, kNull, kRefuse };
    Do what = Do::kSkip;
    const Node* node = nullptr;
    Type type = {};                    ///< as it is read
    int target = -1;                   ///< in a record: the cell, or the field of the ROW
    std::vector<Step> children = {};   ///< one a field or branch; [0] of arrays and maps
    std::string refused = {};          ///< kRefuse
    bool there = false;                ///< kRow: the last record had it
  };
  /// Columns and rows of them, by name.
  struct Level;

  static Step refuse(std::string why);
  static Step value_step(const Node& node, const Type& type);
  Step row_step(const Node& node, const Level& level, const std::vector<Field>& columns, const std::string& name);
  static const char* enter(Step& step, ByteReader& in, std::vector<Cell>& cells, const std::string*& field);
  static const char* value(const Step& step, ByteReader& in, Cell& cell);
  static const char* plain(const Step& step, ByteReader& in, Cell& cell);
  static const char* nested(const Step& step, ByteReader& in, std::string& out);

  std::shared_ptr<const Schema> written_;
  Step root_;
};

}  // namespace supyo::formats::avro
