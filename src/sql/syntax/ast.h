#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sql/syntax/ast_query.h"

/// The syntax tree of a script, whole: ast_type.h (type names), ast_expr.h (expressions), ast_query.h (queries), and the
/// statements here. Plain data: copyable, comparable with `==` (positions never count), bound to no catalog and no types.
/// Every node that an error can point at has a Span into the text that was parsed.
namespace supyo::syntax {

// ---- CREATE
struct ColumnDefinition {
  enum class Kind { kPhysical, kComputed, kMetadata };
  Span span;
  Identifier name;
  Kind kind = Kind::kPhysical;
  std::optional<TypeName> type;             ///< none for a computed column
  ExprPtr computed;                         ///< of a computed column
  std::optional<std::string> metadata_key;  ///< METADATA FROM 'key'; without it the column's own name is the key
  bool is_virtual = false;                  ///< METADATA .. VIRTUAL
  std::string comment;
  bool operator==(const ColumnDefinition&) const = default;
};
/// WATERMARK FOR column AS expression
struct WatermarkDefinition { Span span; Name column; ExprPtr expr; bool operator==(const WatermarkDefinition&) const = default; };
struct PrimaryKeyDefinition {
  Span span;
  std::optional<Identifier> constraint;
  std::vector<Identifier> columns;
  bool enforced = false;  ///< ENFORCED or nothing written; Flink, and the binder, want NOT ENFORCED
  bool operator==(const PrimaryKeyDefinition&) const = default;
};
struct LikeOption {
  enum class Mode { kIncluding, kExcluding, kOverwriting };
  enum class What { kAll, kConstraints, kDistribution, kGenerated, kMetadata, kOptions, kPartitions, kWatermarks };
  Mode mode = Mode::kIncluding;
  What what = What::kAll;
  bool operator==(const LikeOption&) const = default;
};
struct LikeClause { Name table; std::vector<LikeOption> options; bool operator==(const LikeClause&) const = default; };
/// DISTRIBUTED BY [HASH|RANGE] (a, b) INTO n BUCKETS; DISTRIBUTED INTO n BUCKETS
struct Distribution {
  enum class Kind { kUnknown, kHash, kRange };
  Span span;
  Kind kind = Kind::kUnknown;
  std::vector<Identifier> columns;   ///< none: the connector chooses
  std::optional<int> buckets;
  bool operator==(const Distribution&) const = default;
};
struct CreateTable {
  enum class Replace { kNo, kCreateOrReplace, kReplace };   ///< CREATE OR REPLACE TABLE, REPLACE TABLE: with AS only
  Replace replace = Replace::kNo;
  bool temporary = false;
  bool if_not_exists = false;
  Name name;
  std::vector<ColumnDefinition> columns;
  std::vector<WatermarkDefinition> watermarks;     ///< Flink allows one; the binder says so
  std::optional<PrimaryKeyDefinition> primary_key;  ///< `id INT PRIMARY KEY NOT ENFORCED` arrives here too
  std::string comment;
  std::optional<Distribution> distribution;
  std::vector<Identifier> partitioned_by;
  std::vector<OptionEntry> options;
  std::optional<LikeClause> like;
  std::vector<Identifier> as_columns;  ///< CREATE TABLE t (b, a) AS SELECT: the query's columns in that order
  QueryPtr as_query;  ///< CREATE TABLE .. AS SELECT; may be empty
  bool operator==(const CreateTable&) const = default;
};
struct CreateView {
  bool temporary = false;
  bool if_not_exists = false;
  Name name;
  std::vector<Identifier> columns;
  std::string comment;
  QueryPtr query;
  bool operator==(const CreateView&) const = default;
};
/// CREATE [TEMPORARY [SYSTEM]] FUNCTION name AS 'class' [LANGUAGE l] [USING JAR 'path', ..]: what follows the class loads it, which nobody does here.
struct CreateFunction {
  bool temporary = false;
  bool system = false;
  bool if_not_exists = false;
  Name name;
  std::string class_name;
  Span class_span;
  bool operator==(const CreateFunction&) const = default;
};
struct CreateCatalog {
  bool if_not_exists = false;
  Identifier name;
  std::string comment;
  std::vector<OptionEntry> options;
  bool operator==(const CreateCatalog&) const = default;
};
struct CreateDatabase {
  bool if_not_exists = false;
  Name name;
  std::string comment;
  std::vector<OptionEntry> options;
  bool operator==(const CreateDatabase&) const = default;
};

// ---- USE, DROP, ALTER
struct PartitionValue { Identifier column; ExprPtr value; bool operator==(const PartitionValue&) const = default; };
struct UseCatalog { Identifier name; bool operator==(const UseCatalog&) const = default; };
struct UseDatabase { Name name; bool operator==(const UseDatabase&) const = default; };
/// USE MODULES a, b; LOAD MODULE a; UNLOAD MODULE a
struct Modules {
  enum class Action { kUse, kLoad, kUnload };
  Action action = Action::kUse;
  std::vector<Identifier> names;
  bool operator==(const Modules&) const = default;
};
struct Drop {
  enum class Kind { kTable, kView, kDatabase, kCatalog, kFunction };
  Kind kind = Kind::kTable;
  bool temporary = false;
  bool system = false;   ///< DROP TEMPORARY SYSTEM FUNCTION
  bool if_exists = false;
  Name name;
  bool cascade = false;  ///< DROP DATABASE .. CASCADE
  bool operator==(const Drop&) const = default;
};
/// ALTER TABLE|VIEW|DATABASE|CATALOG name SET (..) | RESET (..) | RENAME TO ..; of a table ADD, MODIFY, DROP, RENAME of what it is made of; of a view AS query.
struct Alter {
  enum class Kind { kTable, kView, kDatabase, kCatalog };
  struct SetOptions { std::vector<OptionEntry> options; bool operator==(const SetOptions&) const = default; };
  struct ResetOptions { std::vector<std::string> keys; bool operator==(const ResetOptions&) const = default; };
  struct Rename { Name to; bool operator==(const Rename&) const = default; };
  struct PlacedColumn {
    ColumnDefinition column;
    bool first = false;
    std::optional<Identifier> after;
    bool operator==(const PlacedColumn&) const = default;
  };
  /// ADD and MODIFY: columns, a watermark, a primary key.
  struct Define {
    bool modify = false;
    std::vector<PlacedColumn> columns;
    std::vector<WatermarkDefinition> watermarks;
    std::optional<PrimaryKeyDefinition> primary_key;
    std::optional<Distribution> distribution;
    bool operator==(const Define&) const = default;
  };
  struct DropColumns { std::vector<Identifier> columns; bool operator==(const DropColumns&) const = default; };
  struct DropPrimaryKey { bool operator==(const DropPrimaryKey&) const = default; };
  struct DropWatermark { bool operator==(const DropWatermark&) const = default; };
  struct DropDistribution { bool operator==(const DropDistribution&) const = default; };
  /// ADD [IF NOT EXISTS] PARTITION (a = 1) [WITH (..)] .., DROP [IF EXISTS] PARTITION (a = 1), ..
  struct Partitions {
    bool add = false;
    bool if_ = false;                              ///< IF NOT EXISTS, IF EXISTS
    std::vector<std::vector<PartitionValue>> specs;
    bool operator==(const Partitions&) const = default;
  };
  struct RenameColumn { Identifier from, to; bool operator==(const RenameColumn&) const = default; };
  struct NewQuery { QueryPtr query; bool operator==(const NewQuery&) const = default; };
  Kind kind = Kind::kTable;
  bool if_exists = false;
  Name name;
  std::variant<SetOptions, ResetOptions, Rename, Define, DropColumns, DropPrimaryKey, DropWatermark, DropDistribution, Partitions, RenameColumn, NewQuery> action;
  bool operator==(const Alter&) const = default;
};

// ---- SHOW, DESCRIBE, EXPLAIN, SET
struct Show {
  enum class Kind {
    kTables, kViews, kFunctions, kCatalogs, kDatabases, kJobs, kCurrentCatalog, kCurrentDatabase, kCreateTable,
    kCreateView, kCreateCatalog, kColumns, kModules, kFullModules, kJars, kUserFunctions, kModels, kPartitions
  };
  Kind kind = Kind::kTables;
  std::optional<Name> name;           ///< of SHOW CREATE .. and SHOW COLUMNS FROM; the database of SHOW TABLES FROM
  std::optional<std::string> like;    ///< [NOT] LIKE 'pattern'
  bool not_like = false;
  std::vector<PartitionValue> partition;  ///< of SHOW PARTITIONS t PARTITION (a = 1)
  bool operator==(const Show&) const = default;
};
struct Describe { Name name; bool catalog = false; bool extended = false; bool operator==(const Describe&) const = default; };
struct Statement;
/// EXPLAIN [PLAN FOR] statement, or EXPLAIN detail, detail statement.
struct Explain {
  bool changelog_mode = false;
  bool estimated_cost = false;
  bool json = false;         ///< JSON_EXECUTION_PLAN
  bool plan_advice = false;
  Box<Statement> statement;  ///< a SelectStatement, Insert or StatementSet
  bool operator==(const Explain&) const = default;
};
/// SET 'key' = 'value'; SET alone lists (no entry).
struct SetOption { std::optional<OptionEntry> entry; bool operator==(const SetOption&) const = default; };
/// RESET 'key'; RESET alone resets all.
struct ResetOption { std::optional<std::string> key; Span key_span; bool operator==(const ResetOption&) const = default; };

// ---- doing things
struct Insert {
  bool overwrite = false;
  Name target;
  std::vector<Hint> hints;
  std::vector<PartitionValue> partition;  ///< PARTITION (a = 1): static
  std::vector<Identifier> columns;        ///< may be empty: all, in order
  QueryPtr query;                         ///< VALUES is a query too
  bool operator==(const Insert&) const = default;
};
struct StatementSetEntry { Span span; Insert insert; bool operator==(const StatementSetEntry&) const = default; };
/// EXECUTE STATEMENT SET BEGIN ..; END and BEGIN STATEMENT SET; ..; END: one job with several sinks.
struct StatementSet { std::vector<StatementSetEntry> inserts; bool operator==(const StatementSet&) const = default; };
/// A query on its own: its rows go to the console.
struct SelectStatement { QueryPtr query; bool operator==(const SelectStatement&) const = default; };
/// STOP JOB 'id' [WITH SAVEPOINT] [WITH DRAIN]
struct StopJob { std::string job; bool savepoint = false; bool drain = false; bool operator==(const StopJob&) const = default; };

struct Statement {
  using Node = std::variant<CreateTable, CreateView, CreateFunction, CreateCatalog, CreateDatabase, UseCatalog, UseDatabase, Modules, Drop, Alter, Show,
                            Describe, Explain, SetOption, ResetOption, Insert, StatementSet, SelectStatement, StopJob>;
  Span span;  ///< without the final `;`: text.substr(span.begin, span.end - span.begin) is the statement as written
  Node node;
  bool operator==(const Statement&) const = default;

  template <class T>
  const T* as() const { return std::get_if<T>(&node); }
};

}  // namespace supyo::syntax
