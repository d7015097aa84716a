#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "data/types/changelog.h"
#include "data/types/type.h"
#include "data/types/value.h"
#include "sql/catalog/table.h"
#include "sql/expr/expr.h"
#include "sql/expr/registry.h"

namespace supyo::plan {

/// The physical plan: what engine/job turns into a JobGraph, one node an operator, source or sink. Plain immutable data.
/// Nodes are in topological order (inputs first) and form a DAG: equal subplans are one node with several consumers.

using NodeIndex = std::size_t;

/// How the rows of a node's inputs must be spread over the shards.
struct Distribution {
  enum class Kind : std::uint8_t {
    kForward,  ///< as they are: fused with the input
    kHash,     ///< rows with equal `keys` on one shard
    kSingle,   ///< all on shard 0
  } kind = Kind::kForward;
  std::vector<std::size_t> keys;  ///< kHash: columns of the input
  bool operator==(const Distribution&) const = default;
};

/// Which kinds of row a node emits: EXPLAIN CHANGELOG_MODE's [I,UB,UA,D].
struct Changes {
  bool update = false;         ///< +U
  bool update_before = false;  ///< -U; only with `update`
  bool remove = false;         ///< -D
  bool operator==(const Changes&) const = default;
  bool append_only() const { return !update && !remove; }
  ChangelogMode mode() const {
    if (append_only()) return ChangelogMode::kAppend;
    return update && !update_before ? ChangelogMode::kUpsert : ChangelogMode::kRetract;
  }
  std::string to_string() const;  ///< "[I,UB,UA]"
};

/// The row-time column of a scan. The runtime computes watermarks and edge watermarks from it.
struct RowTime {
  std::size_t column = 0;             ///< index into the scan's output
  DurationUs bound_us = 0;            ///< watermark = largest row time - bound; 0 below a computed watermark
  DurationUs idle_timeout_us = 0;     ///< 0 = a split is never declared idle
  bool edge = false;                  ///< an operator above reads edge watermarks (a window or OVER)
  bool operator==(const RowTime&) const = default;
};

/// Reads a table. Output: the columns read, then the computed row time when there is one.
struct Scan {
  catalog::TableDefinition table;       ///< options with those of an OPTIONS hint; a metadata column has the connector's own type here
  std::vector<std::size_t> columns;     ///< indices into table.schema(), ascending
  /// Row time that is a computed column (`ts AS TO_TIMESTAMP_LTZ(ms, 3)`): an expression over `columns`, evaluated batch by batch as part of
  /// the source, before watermarks; it is the last output column. Null otherwise.
  expr::ExprPtr computed_row_time;
  /// A watermark that is not so much behind the row time (`WATERMARK FOR ts AS CASE ..`): an expression over `columns`, the watermark that follows
  /// from each row, null for none. No output column. Null where row_time says it all.
  expr::ExprPtr computed_watermark;
  std::optional<RowTime> row_time;      ///< set when the table has a WATERMARK
  /// Per output column: a null makes the record dead (kNullInNotNull). Declared NOT NULL and read by the query, or the row time.
  std::vector<bool> not_null;
  bool upsert = false;                  ///< the connector's rows replace each other by the primary key; a ChangelogNormalize follows
  bool changelog = false;               ///< the records say what is done to a row
};

/// Makes a changelog that any operator takes out of rows that replace each other by key. Output: the input's columns.
struct ChangelogNormalize {
  std::vector<std::size_t> keys;
  bool emit_update_before = true;       ///< as GroupAggregate's
};

/// Of every key of the sink above all rows that are there; gives the last one of them, as an update by key. Output: the input's columns.
struct UpsertMaterialize {
  std::vector<std::size_t> keys;
  std::optional<std::vector<std::size_t>> row_key;   ///< what tells the input's rows apart; none: the whole row
};

/// Filter, then projection, in one pass. Edge watermarks and origins go with the rows.
struct Calc {
  expr::ExprPtr filter;                      ///< BOOLEAN over the input; null = all rows
  std::vector<expr::ExprPtr> projections;    ///< one per output column, over the input
};

/// GROUPING SETS: each row once for every list, one expression an output column, over the input. Edge watermarks and origins go with the rows.
struct Expand {
  std::vector<std::vector<expr::ExprPtr>> rows;
};

/// Processing time: each row gets the clock's time in `column`, and the clock is the watermark from here on. Below what works by processing time; a row counts once,
/// in the time at which it passed here last.
struct ProcTime {
  std::size_t column = 0;                    ///< TIMESTAMP_LTZ(3)
  /// The watermark moves at least at these times: at multiples of tick_us since phase_us, in the session's zone.
  DurationUs tick_us = 0;
  DurationUs phase_us = 0;
};

/// An aggregation is done where its groups are, or in two levels: first in the shard that has the rows, then where the groups are (two_levels.cc).
/// kLocal: output is the keys, of windows that are not given their number, and what has gone into the group, as bytes. kGlobal: takes that; its keys are the first columns, its
/// calls are over the input of the level below.
enum class AggregatePhase : std::uint8_t { kWhole, kLocal, kGlobal };
/// Of an aggregation with DISTINCT that is done by buckets of the value first.
enum class DistinctSplit : std::uint8_t { kNone, kPartial, kFinal };
/// `table.exec.mini-batch`: what the first level gathers at most, of an aggregation without windows.
struct MiniBatch {
  std::uint64_t rows = 0;
  DurationUs latency_us = 0;                   ///< by the clock; 0 = as long as the epoch
};

enum class WindowColumn : std::uint8_t { kStart, kEnd, kTime };  ///< window_start, window_end TIMESTAMP(3); window_time = end - 1 ms

/// A window table function that no aggregation follows: one output row per row and window. Output: the input's columns, window_start,
/// window_end TIMESTAMP(3), window_time (the type of the time column). Rows are not held back; late rows pass too (Flink does the same).
/// SESSION: rows wait until the watermark passes their session's end, and late rows go to `T$late`.
struct WindowAssign {
  WindowSpec window;
  std::size_t time_column = 0;
  std::vector<std::size_t> partition = {};     ///< SESSION: whose sessions they are
};

/// Aggregates per window and key; a window is emitted once, when the watermark passes its end. Output: keys, calls, window_columns.
struct WindowAggregate {
  WindowSpec window;
  std::size_t time_column = 0;                 ///< row time, or window_time of an earlier window (those rows are never late)
  std::vector<std::size_t> keys;
  std::vector<expr::AggregateCall> calls;
  std::vector<WindowColumn> window_columns;
  /// Rows that have `window` already, in these columns, which are among the keys; `time_column` is not used then.
  struct Given {
    std::size_t start_column = 0, end_column = 0;
    bool local = false;                        ///< they are in the session's zone
  };
  std::optional<Given> given = {};
  std::optional<WindowEmit> emit = {};         ///< the window is given out more than once: its rows are updates
  AggregatePhase phase = AggregatePhase::kWhole;
};

/// Aggregates per key without bound. Emits +I for a new group, then updates; -D when a retraction empties the group. The operator counts
/// the rows of a group itself (`input_retracts`). Without calls it is DISTINCT: one +I per key, no updates. Output: keys, calls.
struct GroupAggregate {
  std::vector<std::size_t> keys;               ///< empty: one group, no row before the first input row (Flink's streaming rule)
  std::vector<expr::AggregateCall> calls;
  bool input_retracts = false;
  DistinctSplit split = DistinctSplit::kNone;
  bool emit_update_before = true;              ///< false: consumers key by the upsert key, -U is left out
  AggregatePhase phase = AggregatePhase::kWhole;
  std::optional<MiniBatch> mini_batch = {};    ///< kLocal; none: the rows of a batch
};

struct OverCall {
  enum class Kind : std::uint8_t { kLag } kind = Kind::kLag;
  std::size_t argument = 0;                    ///< input column
  std::int64_t offset = 1;                     ///< rows back, >= 0
  Value default_value;                         ///< null, or of the call's type
  Type type;
  std::string name;
};

/// OVER (PARTITION BY keys ORDER BY row time): rows wait for the watermark and leave in time order (arrival order on ties).
/// A row behind its edge watermark is late: to `T$late`. Output: the input's columns, then one per call.
struct Over {
  std::vector<std::size_t> keys;
  std::size_t time_column = 0;
  std::vector<OverCall> calls;
};

/// From how far before a row to the row itself its OVER aggregates look.
struct OverFrame {
  bool rows = false;                           ///< counts rows; else time, and rows of equal time are in each other's frames
  std::optional<std::int64_t> preceding;       ///< rows, or microseconds; none: UNBOUNDED
  bool operator==(const OverFrame&) const = default;
};

/// Aggregates OVER (PARTITION BY keys ORDER BY row time frame). Rows wait and are late as with Over. Output: the input's columns, then one per call.
struct OverAggregate {
  std::vector<std::size_t> keys;
  std::size_t time_column = 0;
  OverFrame frame;
  std::vector<expr::AggregateCall> calls;      ///< resolved for retractions when the frame has a bound
};

/// A function OVER a window, where rows come and go.
enum class OverFunction : std::uint8_t { kAggregate, kRowNumber, kRank, kDenseRank, kPercentRank, kCumeDist, kNtile, kLag, kLead };

/// A value that a condition or a measure of MATCH_RECOGNIZE reads off the rows of a match.
struct MatchReference {
  enum class Kind : std::uint8_t { kFirst, kLast, kAggregate, kTime } kind = Kind::kLast;   ///< kTime: the last row's
  std::size_t variable = SIZE_MAX;                ///< whose rows; SIZE_MAX: all
  std::size_t column = 0;                         ///< kFirst, kLast: of the input
  std::int64_t offset = 0;                        ///< rows behind the first, before the last
  expr::AggregateCall aggregate;                  ///< kAggregate: rows only go into it
  std::string name;
  Type type;
};
struct MatchVariable {
  std::string name;
  std::int64_t least = 1;
  std::optional<std::int64_t> most = 1;           ///< none: any number
  bool greedy = false;
  expr::ExprPtr condition;                        ///< over `references`; null: every row
  std::vector<MatchReference> references;
};

/// MATCH_RECOGNIZE: rows that stand behind one another, in the order of a time, as a pattern says. Rows wait for the watermark and are late as with Over. Inserts only.
/// Output: the partition's columns, then one per reference.
struct Match {
  enum class Skip : std::uint8_t { kPastLastRow, kToNextRow, kToFirst, kToLast };
  std::vector<std::size_t> partition;
  std::size_t time_column = 0;
  std::vector<std::size_t> order;                 ///< of rows of one time, upwards
  std::vector<MatchVariable> variables;           ///< in the pattern's order
  std::vector<MatchReference> references;
  Skip skip = Skip::kToNextRow;
  std::size_t skip_to = 0;                        ///< kToFirst, kToLast: a variable
  std::optional<DurationUs> within_us;
};

/// What a join gives: pairs (left columns, then right ones), or the left rows that have a partner, or have none.
enum class JoinRows : std::uint8_t { kPairs, kSemi, kAnti };

/// Joins its two inputs on equal keys and a condition; keeps both for ever, but for rows that have an end (join_ends.cc).
struct Join {
  /// A row of a side finds no partner any more once the watermark is so far past the time in its column.
  struct End {
    std::size_t column = 0;
    DurationUs after_us = 0;
  };
  std::vector<std::size_t> left_keys, right_keys;   ///< of equal types, pairwise; none: on one shard, everything with everything
  bool keep_left = false, keep_right = false;       ///< LEFT, RIGHT, FULL: rows without a partner, filled with nulls
  expr::ExprPtr condition;                          ///< over left then right columns; null: none
  JoinRows rows = JoinRows::kPairs;
  std::array<std::optional<End>, 2> ends = {};      ///< of left and right rows; none: for ever
};

/// Joins two inputs of inserts on equal keys, a condition, and row times that lie near each other: left - right within [lower_us, upper_us]. A row is kept
/// until the watermark has passed all that it can be joined with; then an outer join gives it with nulls, if it had no partner. Inserts only; both row times
/// stay time attributes, and the watermark of the output is held back by what a row may wait.
struct IntervalJoin {
  std::vector<std::size_t> left_keys, right_keys;
  std::size_t left_time = 0, right_time = 0;
  DurationUs lower_us = 0, upper_us = 0;
  bool keep_left = false, keep_right = false;
  expr::ExprPtr condition;
  DurationUs left_kept_us() const { return std::max<DurationUs>(0, -lower_us); }    ///< after a row's time, in event time
  DurationUs right_kept_us() const { return std::max<DurationUs>(0, upper_us); }
};

/// Joins two inputs of inserts within the same window, once the watermark has passed its end; nothing is kept of it then. window_start and window_end are among
/// the keys. Inserts only.
struct WindowJoin {
  std::vector<std::size_t> left_keys, right_keys;
  std::size_t left_start = 0, left_end = 0, right_start = 0, right_end = 0;
  WindowSpec window;
  bool local_zone = false;                          ///< the windows' time is TIMESTAMP_LTZ
  bool keep_left = false, keep_right = false;
  expr::ExprPtr condition;
  JoinRows rows = JoinRows::kPairs;
};

/// Joins each row of an append-only input (left) with the version that a table (right, a changelog) had of the key at the row's time. Rows wait for the watermark;
/// of every key the version that holds is kept. Inserts only.
struct TemporalJoin {
  std::vector<std::size_t> left_keys, right_keys;   ///< the right ones are the table's primary key
  std::size_t left_time = 0, right_time = 0;
  bool keep_left = false;
  expr::ExprPtr condition;
};

/// Joins each row with those of a table that is read whole when the job starts, and again when it starts after a failure. Not partitioned: every shard asks the whole
/// table. Output: the input's columns, then `right`. Of a row that is taken back the partners are taken back.
struct LookupJoin {
  catalog::TableDefinition table;
  std::vector<std::size_t> columns;                 ///< that are read of it, as Scan's
  std::vector<bool> not_null;                       ///< so, too: a null there is an error
  expr::ExprPtr filter;                             ///< over them; null: all rows
  std::vector<expr::ExprPtr> projections;           ///< over them: the columns of `right`
  Schema right;
  std::vector<std::size_t> left_keys, right_keys;   ///< of equal types, pairwise; at least one
  bool keep_left = false;
  expr::ExprPtr condition;                          ///< over left then right columns; null: none
};

/// UNION ALL: rows of all inputs (same types) as they come.
struct Union {};

/// INTERSECT [ALL], EXCEPT [ALL]: each row as often as its counts on both sides say. Output: the inputs' columns.
struct SetOperation {
  bool intersect = true;
  bool all = false;
};

/// Constant rows; a bounded source. Expressions over no columns, evaluated once at start on a batch of one row.
struct Values {
  std::vector<std::vector<expr::ExprPtr>> rows;
};

/// The first rows that come, of an append-only input, over all shards. Ends the job when it is full and nothing else is to be done.
struct Limit {
  std::uint64_t offset = 0;
  std::uint64_t count = 0;
};

/// Holds everything until the input ends, applies retractions, sorts (stable; no keys: order of arrival), cuts, emits inserts.
/// Only in one-shot console queries over bounded input.
struct Sort {
  struct Key {
    std::size_t column = 0;
    bool descending = false;
    bool nulls_first = true;
    bool operator==(const Key&) const = default;
  };
  std::vector<Key> keys;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> count;
};

/// ROW_NUMBER() OVER (PARTITION BY .. ORDER BY ..) <= limit: the first rows of every partition, as rows come and go. Output: the input's columns, then the
/// number when it is asked for.
struct TopN {
  std::vector<std::size_t> partition;
  std::vector<Sort::Key> order;                      ///< none: as they come (by processing time)
  bool last_first = false;                           ///< ..the last one first; else what is in stays, and inserts only
  std::uint64_t limit = 1;
  bool with_number = false;
  bool input_retracts = false;
  bool emit_update_before = true;                    ///< as GroupAggregate's
  bool keeps_first() const { return order.empty() && !last_first && !input_retracts; }   ///< rows pass as they are, and stay
  bool has_places() const { return with_number || limit == 1; }   ///< a row is told by its partition and its place: it is updated
};

/// OVER (PARTITION BY partition ORDER BY order) by any columns, of rows that come and go: all rows are kept, with their results, which are kept right. Nothing waits and
/// nothing is late. Output: the input's columns, then one per call.
struct OverTable {
  struct Call {
    OverFunction function = OverFunction::kAggregate;
    expr::AggregateCall aggregate;                   ///< kAggregate: rows only go into it
    std::size_t column = 0;                          ///< kLag, kLead
    std::size_t default_column = SIZE_MAX;           ///< kLag, kLead: what stands for a row that is not there; SIZE_MAX = NULL
    std::int64_t number = 1;                         ///< kLag, kLead: rows away; kNtile: buckets
    std::string name;
    Type type;
  };
  std::vector<std::size_t> partition;
  std::vector<Sort::Key> order;                      ///< none: all rows of a partition are equal in it
  OverFrame frame;                                   ///< of the aggregates; RANGE has no bound
  std::vector<Call> calls;
  bool emit_update_before = true;                    ///< as GroupAggregate's
};

/// TopN of each window and key, emitted once, when the watermark passes the window's end. Output as TopN's.
struct WindowRank {
  std::size_t start_column = 0, end_column = 0;      ///< window_start and window_end
  bool local = false;                                ///< they are in the session's zone
  std::vector<std::size_t> partition;                ///< with both
  std::vector<Sort::Key> order;
  std::uint64_t limit = 1;
  bool with_number = false;
};

/// UNNEST: each row once for every element of `column`. Output: the input's columns (without `column` unless with_column), what is in the element, its place (from 1).
struct Unnest {
  std::size_t column = 0;
  bool with_column = true;
  bool with_ordinality = false;
  bool keep = false;                                 ///< a row without elements once, with nulls
};

/// Writes to a table, or to the caller (console) when `table` is absent. Its schema is the node's input schema: the persisted columns of
/// the table, by position, with the table's names and types (implicit casts are in the Calc below).
struct Sink {
  std::optional<catalog::TableDefinition> table;
  Schema schema;
  ChangelogMode mode = ChangelogMode::kAppend;       ///< what really arrives
  DeliveryGuarantee guarantee = DeliveryGuarantee::kNone;
  std::vector<std::size_t> primary_key;              ///< columns of `schema`
  /// Columns declared NOT NULL whose query column may be null: a null there is kNullInNotNull and fails the job (Flink's
  /// table.exec.sink.not-null-enforcer = ERROR).
  std::vector<std::size_t> check_not_null;
  bool overwrite = false;
  bool materialized = false;                         ///< an UpsertMaterialize is below
};

struct PhysicalNode {
  std::variant<Scan, ChangelogNormalize, UpsertMaterialize, Calc, Expand, ProcTime, WindowAssign, WindowAggregate, GroupAggregate, Over, OverAggregate, Join, IntervalJoin, WindowJoin, TemporalJoin, LookupJoin, Union, SetOperation, Values, Limit, Sort, TopN, OverTable, Match, WindowRank, Unnest, Sink> op;
  std::vector<NodeIndex> inputs;
  Distribution distribution;                  ///< of every input
  std::optional<Distribution> right_distribution = {};   ///< Join: of its second input
  const Distribution& distribution_of(std::size_t input) const { return input == 1 && right_distribution ? *right_distribution : distribution; }
  Schema output;                              ///< names are unique; empty for a Sink
  Changes changes;                            ///< of the output; of the input for a Sink
  /// Columns that identify a row for updates; empty list = at most one row; absent = none known (a changed row is taken back whole).
  std::optional<std::vector<std::size_t>> upsert_key;
  /// What would be kept for ever is kept so long, by the clock, after it was last written: of each input of a Join, else the first. Absent: as the session says; 0 = for ever.
  std::array<std::optional<DurationUs>, 2> ttl_us = {};
  DurationUs kept_us(std::size_t input = 0) const { return ttl_us[input].value_or(0); }
  /// Whether it keeps anything for which that is asked.
  bool keeps_without_end() const {
    if (const auto* o = as<OverAggregate>()) return o->frame.rows || !o->frame.preceding;   // the rows of a RANGE end by the watermark
    return as<Join>() || as<GroupAggregate>() || as<TopN>() || as<SetOperation>() || as<ChangelogNormalize>() || as<Over>() || as<OverTable>() || as<UpsertMaterialize>();
  }
  std::uint32_t max_parallelism = 0;          ///< 0 = as the job, 1 = shard 0 only
  /// Stable over restarts and over edits elsewhere in the file: hash of what the operator means and of all below it. Unique in the plan.
  std::string uid;
  std::string name;                           ///< one line, as EXPLAIN prints it
  /// WindowAggregate, WindowRank, OVER, joins in time: the tables whose rows can be late here. Their late rows go to `T$late` of the first (schema late_schema(input); of a
  /// join: of the columns of both inputs, the other side's null).
  std::vector<catalog::ObjectPath> late_tables;
  bool is_join() const { return inputs.size() == 2 && (as<Join>() || as<IntervalJoin>() || as<WindowJoin>() || as<TemporalJoin>()); }
  /// The first of an aggregation's two levels.
  bool is_local() const {
    const auto* g = as<GroupAggregate>();
    const auto* w = as<WindowAggregate>();
    return (g != nullptr && g->phase == AggregatePhase::kLocal) || (w != nullptr && w->phase == AggregatePhase::kLocal);
  }
  bool stateful = false;
  std::string state;                          ///< what is kept, for EXPLAIN: "one accumulator per window and key"

  template <class T>
  const T* as() const { return std::get_if<T>(&op); }
};

struct PhysicalPlan {
  std::vector<PhysicalNode> nodes;
  bool holds_until_watermark = false;         ///< an OVER or a window keeps rows back
  /// Over what the plan computes and what its state looks like (schemas, expressions, keys, windows, table paths and options): a state
  /// directory that was written by a plan with another fingerprint is refused. Independent of settings that only change speed.
  std::string fingerprint;

  std::vector<NodeIndex> sinks() const;
  std::vector<NodeIndex> scans() const;
};

/// EXPLAIN: the tree of every sink with operators, changelog modes, state per operator and what each sink guarantees.
std::string explain_text(const PhysicalPlan& plan);
/// EXPLAIN CHANGELOG_MODE: the tree with only the modes, as Flink prints them.
std::string explain_changelog(const PhysicalPlan& plan);
/// What could be done about the plan: EXPLAIN PLAN_ADVICE. Now: state that grows for ever.
std::string explain_advice(const PhysicalPlan& plan);
/// EXPLAIN JSON_EXECUTION_PLAN: {"nodes":[{"id","type","contents","parallelism","predecessors":[..]}],..}
std::string explain_json(const PhysicalPlan& plan);

}  // namespace supyo::plan
