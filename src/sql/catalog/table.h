#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/strong.h"
#include "data/types/type.h"

namespace supyo::catalog {

/// catalog.database.name. Defaults as Flink's: default_catalog.default_database.
struct ObjectPath {
  std::string catalog;
  std::string database;
  std::string name;
  auto operator<=>(const ObjectPath&) const = default;
  std::string to_string() const { return catalog + "." + database + "." + name; }
};

/// Options of WITH (..), sorted by key.
using Options = std::map<std::string, std::string>;

/// A column of a table as declared.
struct ColumnDefinition {
  enum class Kind { kPhysical, kComputed, kMetadata } kind = Kind::kPhysical;
  std::string name;
  Type type;
  std::string expression_sql;   ///< kComputed: text of the expression (bound by the planner)
  std::string metadata_key;     ///< kMetadata: FROM 'key' or the column's own name
  bool is_virtual = false;      ///< kMetadata VIRTUAL: not written
  std::string comment;
  bool nested = false;          ///< one field of a column `person ROW<id BIGINT, ..>`, which stands before it: "person.id". Read alone, never written
};

/// WATERMARK FOR `column` AS <expression>; the planner reduces it to column - bound, where it can.
struct WatermarkDefinition {
  std::string column;
  std::string expression_sql;
};

/// DISTRIBUTED BY HASH (keys) INTO n BUCKETS. What a connector would do with it; none does.
struct TableDistribution {
  std::string kind;                 ///< "HASH", "RANGE", or empty: the connector's own
  std::vector<std::string> keys;    ///< none: the connector's own
  std::optional<int> buckets;
};

struct TableDefinition {
  ObjectPath path;
  std::vector<ColumnDefinition> columns;
  std::optional<WatermarkDefinition> watermark;
  std::vector<std::string> primary_key;
  std::vector<std::string> partition_keys;
  std::vector<std::vector<std::string>> partitions;   ///< of ALTER TABLE .. ADD PARTITION: values of the keys. A list for SHOW PARTITIONS; what is read is what is there
  std::optional<TableDistribution> distribution;
  Options options;
  std::string comment;
  bool temporary = false;

  /// Physical and metadata columns, in declared order: what a connector can deliver.
  Schema schema() const;
  /// Physical columns (but fields of ROWs) and metadata columns that are not VIRTUAL: what a sink writes.
  Schema persisted_schema() const;
  std::string connector() const {
    const auto it = options.find("connector");
    return it == options.end() ? std::string() : it->second;
  }
};

}  // namespace supyo::catalog
