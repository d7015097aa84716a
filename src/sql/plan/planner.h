#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/config/settings.h"
#include "data/types/type.h"
#include "data/types/value.h"
#include "sql/catalog/catalog.h"
#include "sql/expr/registry.h"
#include "sql/plan/physical.h"
#include "sql/syntax/ast.h"

namespace supyo::plan {

struct LogicalNode;
using LogicalPtr = std::shared_ptr<const LogicalNode>;

struct PlannerOptions {
  /// Off: no rewriting but the pruning of columns, for tests; the same rows.
  bool rules = true;
  /// Topics, and directories that are watched, are read to where they end when the job starts (--bounded).
  bool bounded = false;
  /// Columns that every scan of a table that has them reads, whether or not the query does (--replay COLUMN, the judge's time columns).
  std::vector<std::string> also_read;
  /// The system table `T$late` or `T$dead` at that path, when the session can see it; asked only for names with a `$`.
  std::function<std::optional<catalog::TableDefinition>(const catalog::ObjectPath&)> system_table;
};

/// A statement that was carried out and has nothing to show.
struct Done {
  std::string message;          ///< "table `default_catalog`.`default_database`.`t` created"
};
/// Rows to show: SHOW, DESCRIBE, EXPLAIN, SET.
struct Listing {
  Schema schema;
  std::vector<std::vector<Value>> rows;
};
/// INSERT, STATEMENT SET, SELECT, CREATE TABLE AS: bound, not yet planned, so that several statements can become one job.
struct Job {
  std::vector<LogicalPtr> sinks;
  bool console = false;         ///< a SELECT: its one sink hands rows to the caller
  void append(Job other) {
    for (LogicalPtr& s : other.sinks) sinks.push_back(std::move(s));
    console |= other.console;
  }
};
struct ShowJobs {};
using Outcome = std::variant<Done, Listing, Job, ShowJobs, syntax::StopJob>;

/// Binds and plans the statements of one session: names through the catalog, functions through the registry, DDL carried out on the catalog.
/// One thread; the catalog, registry and settings outlive it, and the registry outlives every plan.
///
/// Every error has a position in the text that the statement was parsed from, and a hint.
class Planner {
 public:
  Planner(catalog::Catalog& catalog, expr::FunctionRegistry& functions, config::Settings& settings, PlannerOptions options = {});
  ~Planner();

  /// Errors: 1xxx for options, 2xxx for SQL.
  Result<Outcome> execute(const syntax::Statement& statement);
  /// The physical plan of a job. Errors: kSinkCannotTake, kUnsupported.
  Result<PhysicalPlan> plan(const Job& job) const;
  /// The columns of a console job's rows.
  static Schema console_schema(const Job& job);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace supyo::plan
