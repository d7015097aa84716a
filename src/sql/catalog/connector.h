#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "data/types/changelog.h"
#include "data/types/value.h"
#include "sql/catalog/table.h"

namespace supyo::catalog {

/// One option of a connector or format, declared once: checked at planning, listed in docs/reference/connectors.md.
struct OptionSpec {
  enum class Kind { kText, kInteger, kDouble, kBoolean, kDuration, kBytes, kEnum };
  std::string key;               ///< "scan.startup.mode"; "properties.*" and "fields.*" match by prefix
  Kind kind = Kind::kText;
  bool required = false;
  std::string default_value = {};
  std::vector<std::string> allowed = {};   ///< kEnum
  std::string help = {};
};

/// What a connector is and can do. Registered once by name.
struct ConnectorDescriptor {
  std::string name;
  std::vector<OptionSpec> options;
  bool source = false;
  bool sink = false;
  bool rows = false;                               ///< a table may have columns of ROW, ARRAY and MAP; with a format that is the format's to say
  bool needs_format = false;                       ///< takes 'format' = json | csv | raw and the format's own options
  ChangelogMode produces = ChangelogMode::kAppend; ///< as a source; kUpsert: the last row of a key wins, and a delete brings only its primary key
  ChangelogMode accepts = ChangelogMode::kAppend;  ///< strongest changelog that the sink takes
  DeliveryGuarantee guarantee = DeliveryGuarantee::kAtLeastOnce;   ///< as a sink; EXPLAIN prints it
  std::map<std::string, Type> metadata;            ///< METADATA columns it can deliver
  std::string help;
};

/// Connectors by name. Immutable after start.
class ConnectorRegistry {
 public:
  void add(ConnectorDescriptor d) { by_name_.insert_or_assign(d.name, std::move(d)); }
  const ConnectorDescriptor* find(std::string_view name) const {
    const auto it = by_name_.find(std::string(name));
    return it == by_name_.end() ? nullptr : &it->second;
  }
  const std::map<std::string, ConnectorDescriptor>& all() const { return by_name_; }

  /// A format and its options under their full keys ("json.ignore-parse-errors").
  void add_format(std::string name, std::vector<OptionSpec> options) { formats_.insert_or_assign(std::move(name), std::move(options)); }
  const std::map<std::string, std::vector<OptionSpec>>& formats() const { return formats_; }
  /// Formats whose records say what is done to a row: a table of one is a changelog, as a source and as a sink, whatever its connector says.
  void add_changelog_format(std::string name) { changelog_formats_.insert(std::move(name)); }
  bool is_changelog(const Options& table) const {
    const auto it = table.contains("format") ? table.find("format") : table.find("value.format");
    return it != table.end() && changelog_formats_.contains(it->second);
  }

 private:
  std::map<std::string, std::vector<OptionSpec>> formats_;
  std::set<std::string> changelog_formats_;
  std::map<std::string, ConnectorDescriptor> by_name_;
};

/// docs/reference/connectors.md, from the declarations.
std::string connector_reference(const ConnectorRegistry& registry);

/// Checks a table's options against its connector's (and format's) declarations: kUnknownOption with did-you-mean, kMissingOption, kBadOptionValue.
Status check_options(const Options& options, const ConnectorDescriptor& connector, const std::vector<OptionSpec>& format_options);
/// What is wrong with a table's options, and at which key: for a position in the user's text.
struct OptionProblem {
  std::string key;        ///< empty: the table as a whole (a missing option)
  bool at_value = false;  ///< the value rather than the key
  Error error;
};
/// As check_options, over the registry's connector and format of `options`; also kUnknownConnector. `complete` = required options must be there.
std::optional<OptionProblem> find_option_problem(const Options& options, const ConnectorRegistry& registry, bool complete);
/// Options that any table may have, whatever its connector: scan.watermark.idle-timeout and its like.
const std::vector<OptionSpec>& common_table_options();
/// Typed access to checked options; the default when absent.
std::string option_text(const Options& o, const ConnectorDescriptor& c, std::string_view key);
std::int64_t option_integer(const Options& o, const ConnectorDescriptor& c, std::string_view key);
bool option_boolean(const Options& o, const ConnectorDescriptor& c, std::string_view key);
DurationUs option_duration(const Options& o, const ConnectorDescriptor& c, std::string_view key);

/// What a connector's factory gets to make a source: the table, and the columns that the plan reads (indices into table.schema()),
/// in the order in which batches must deliver them.
struct SourceRequest {
  TableDefinition table;
  std::vector<std::size_t> columns;
  std::string base_directory;      ///< relative paths in options are relative to this
};
/// And a sink: batches have exactly the schema of the table's persisted columns.
struct SinkRequest {
  TableDefinition table;
  Schema schema;
  ChangelogMode mode = ChangelogMode::kAppend;
  std::string base_directory;
};

/// Tables that live outside Supyo (an Iceberg warehouse): CREATE CATALOG makes one. Not thread-safe.
class ExternalCatalog {
 public:
  virtual ~ExternalCatalog() = default;
  virtual Result<std::vector<std::string>> databases() = 0;
  virtual Status create_database(const std::string& name, bool if_not_exists) = 0;
  virtual Status drop_database(const std::string& name, bool if_exists) = 0;
  virtual Result<std::vector<std::string>> tables(const std::string& database) = 0;
  /// kUnknownTable when absent. The definition's options carry 'connector' = 'iceberg' and what the connector needs to find it.
  virtual Result<TableDefinition> table(const ObjectPath& path) = 0;
  virtual Status create_table(const TableDefinition& table, bool if_not_exists) = 0;
  virtual Status drop_table(const ObjectPath& path, bool if_exists) = 0;
};
/// Makes the catalog of CREATE CATALOG name WITH (options); chosen by 'type'.
using ExternalCatalogFactory = std::function<Result<std::unique_ptr<ExternalCatalog>>(const std::string& name, const Options& options, const std::string& base_directory)>;

}  // namespace supyo::catalog
