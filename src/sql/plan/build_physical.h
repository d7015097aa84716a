#pragma once
#include <string>
#include <vector>

#include "core/base/result.h"
#include "sql/catalog/connector.h"
#include "sql/expr/registry.h"
#include "sql/plan/logical.h"
#include "sql/plan/physical.h"
#include "sql/plan/rules.h"

namespace supyo::plan {

/// Of aggregations.
struct AggregateOptions {
  enum class Levels : std::uint8_t { kAuto, kOne, kTwo } levels = Levels::kAuto;
  std::int64_t parallelism = 1;
  std::optional<MiniBatch> mini_batch = {};
};

/// What the session says.
struct PhysicalOptions {
  bool rules = true;                      ///< plans are simplified
  DurationUs ttl_us = 0;                  ///< how long what has no end by itself is kept where no hint says otherwise; 0 = for ever
  std::optional<WindowEmit> emit = {};    ///< windows are given out more than once (`table.exec.emit.*`)
  AggregateOptions aggregates = {};
  enum class Materialize : std::uint8_t { kAuto, kNone, kForce } materialize = Materialize::kAuto;   ///< `table.exec.sink.upsert-materialize`
  bool drop_nulls = false;                ///< `table.exec.sink.not-null-enforcer` = DROP
  bool duplicate_changes = false;         ///< `table.exec.source.cdc-events-duplicate`
  bool same_when_taken_back = false;      ///< `table.optimizer.non-deterministic-update.strategy` = TRY_RESOLVE
};

/// Turns bound sinks into one physical plan: picks operators, shares equal subplans and scans, derives changelog modes, keys and identities.
/// `reads`: which columns the queries need of each scan (NOT NULL is checked on those).
/// Errors: kSinkCannotTake, kUnsupported, each with the position of the clause that asks for it.
Result<PhysicalPlan> build_physical(const std::vector<LogicalPtr>& sinks, const ColumnsRead& reads, const expr::FunctionRegistry& functions,
                                    const catalog::ConnectorRegistry& connectors, const PhysicalOptions& options);

/// Canonical text of an expression over column numbers: equal for equal meaning, whatever the columns are called.
std::string meaning_of(const expr::Expr& e);
/// What the node computes, over inputs named by their uids: equal for equal results.
std::string meaning_of(const PhysicalNode& node, const std::vector<PhysicalNode>& nodes);
/// A short stable hash of a meaning.
std::string identity_of(std::string_view meaning);
/// Sets name and state of every node, and the plan's fingerprint; uids are there.
void identify(PhysicalPlan& plan);
/// The node's name as EXPLAIN prints it.
std::string describe_node(const PhysicalNode& node, const std::vector<PhysicalNode>& nodes);

/// Which nodes must send -U, and what each emits then. Errors: kSinkCannotTake.
struct SinkWish {
  NodeIndex node = 0;
  ChangelogMode accepts = ChangelogMode::kAppend;
  std::string connector;
  SourcePosition position;
  bool unchecked = false;                 ///< who writes the query answers for the order of a key's rows
};
Status settle_changelog(PhysicalPlan& plan, const std::vector<SinkWish>& wishes);
/// Refuses what is of the clock over rows that are updated where someone takes rows back whole. After settle_changelog(). Errors: kUnsupported.
Status check_taken_back(const PhysicalPlan& plan, const std::vector<SinkWish>& wishes);
/// Kinds of row that a node emits when every update brings its -U.
Changes changes_of(const PhysicalNode& node, const std::vector<PhysicalNode>& nodes);
/// Whether the upsert key is that primary key, in any order.
bool is_key(const std::optional<std::vector<std::size_t>>& upsert_key, const std::vector<std::size_t>& primary_key);
std::optional<std::vector<std::size_t>> upsert_key_of(const PhysicalNode& node, const std::vector<PhysicalNode>& nodes);

/// Puts a local level below the aggregations that gain by it. What a node means, its uid and its state stay as they are, so that a job can go on with another choice.
void split_aggregates(PhysicalPlan& plan, const AggregateOptions& options);

/// Scans whose rows' edge watermarks are read by an operator above.
void mark_edges(PhysicalPlan& plan);

}  // namespace supyo::plan
