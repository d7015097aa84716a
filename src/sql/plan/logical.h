#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "data/types/changelog.h"
#include "data/types/type.h"
#include "sql/catalog/table.h"
#include "sql/expr/expr.h"
#include "sql/plan/physical.h"

/// The bound query: relational operators over named, typed columns. Immutable and shared; a node is made only by the make_* functions below,
/// which derive its columns and their properties from its inputs, so that a rule cannot get them wrong.
namespace supyo::plan {

struct LogicalNode;
using LogicalPtr = std::shared_ptr<const LogicalNode>;

/// The window that a row lies in: such a row comes before the watermark has passed the window's end, or is late.
struct AttachedWindow {
  WindowSpec window;
  bool local_zone = false;      ///< over TIMESTAMP_LTZ: its bounds are printed in the session's zone
  bool processing = false;      ///< of processing time
  bool operator==(const AttachedWindow&) const = default;
};

struct ColumnInfo {
  std::string name;
  Type type;
  bool row_time = false;        ///< the event time attribute: windows and OVER may be built on it
  bool proc_time = false;       ///< a processing time attribute: PROCTIME(), or the time of a window of one. What works by it stamps the rows itself (ProcTime)
  int window = -1;              ///< id of the LogicalWindow that made it; -1 = none
  WindowColumn window_column = WindowColumn::kStart;
  bool hidden = false;          ///< a field of a table's ROW as a column of its own: found by its name, but not in *
  std::optional<AttachedWindow> attached = {};   ///< it is window_column of that window, also after the window's aggregation or join
};

struct LogicalScan {
  catalog::TableDefinition table;
  std::vector<std::size_t> columns;      ///< of table.schema(), ascending
  expr::ExprPtr computed_row_time;       ///< over `columns`; the last output column when set
  expr::ExprPtr computed_watermark;      ///< over `columns`, as in Scan; no column
  std::optional<RowTime> row_time;
  std::size_t id = 0;                    ///< the same before and after pruning
};
struct LogicalFilter {
  expr::ExprPtr predicate;
  SourcePosition position;
};
struct LogicalProject {
  std::vector<expr::ExprPtr> exprs;
};
/// GROUPING SETS: each row once for every list, which says what its columns are.
struct LogicalExpand {
  std::vector<std::vector<expr::ExprPtr>> rows;
};
struct LogicalWindow {
  WindowSpec window;
  std::size_t time_column = 0;
  int id = 0;
  std::vector<std::size_t> partition = {};   ///< SESSION: whose sessions they are
  bool of_group = false;                     ///< SESSION in GROUP BY: of all its other keys, in place of `partition`
  SourcePosition position = {};
  bool processing = false;                   ///< time_column is a processing time attribute
};
struct LogicalCall {
  std::string function;
  std::vector<std::size_t> args;
  std::size_t filter = SIZE_MAX;
  bool distinct = false;
  std::string name;
  Type type;
  SourcePosition position;
};
struct LogicalAggregate {
  std::vector<std::size_t> keys;
  std::vector<LogicalCall> calls;
  SourcePosition position;
  std::optional<DurationUs> ttl_us = {};     ///< STATE_TTL
  DistinctSplit split = DistinctSplit::kNone;
};
struct LogicalOver {
  std::vector<std::size_t> keys;
  std::size_t time_column = 0;
  std::vector<OverCall> calls;
  SourcePosition position = {};
  bool processing = false;                   ///< time_column is a processing time attribute
};
/// Columns: the input's, then one a call.
struct LogicalOverAggregate {
  std::vector<std::size_t> keys;
  std::size_t time_column = 0;
  OverFrame frame;
  std::vector<LogicalCall> calls;            ///< RANK and DENSE_RANK too, whose argument is the time
  SourcePosition position;
  bool processing = false;                   ///< time_column is a processing time attribute
};
/// A call of LogicalOverTable: as OverTable::Call.
struct LogicalOverCall {
  OverFunction function = OverFunction::kAggregate;
  LogicalCall aggregate;
  std::size_t column = 0;
  std::size_t default_column = SIZE_MAX;
  std::int64_t number = 1;
  std::string name;
  Type type;
  bool looks() const { return function == OverFunction::kLag || function == OverFunction::kLead; }
};
/// OVER by any columns, or of rows that are updated. Columns: the input's, then one a call. Time attributes do not pass.
struct LogicalOverTable {
  std::vector<std::size_t> partition;
  std::vector<Sort::Key> order;
  OverFrame frame;
  std::vector<LogicalOverCall> calls;
  SourcePosition position;
};
struct LogicalMatch {
  Match match;
  SourcePosition position;
  bool processing = false;                   ///< the time is a processing time attribute
};
/// (left's row time) - (right's row time) within [lower_us, upper_us].
struct TimeBounds {
  std::size_t left_time = 0, right_time = 0;   ///< columns of either side
  DurationUs lower_us = 0, upper_us = 0;
};
/// Both rows lie in the same window, which they name in these columns of either side.
struct SameWindow {
  std::size_t left_start = 0, left_end = 0, right_start = 0, right_end = 0;
  AttachedWindow window;
};
/// FOR SYSTEM_TIME AS OF: each left row meets the version that the right table had at the row's time.
struct AsOf {
  std::size_t left_time = 0, right_time = 0;
  std::vector<std::size_t> key;   ///< the right table's primary key
  bool inserts_only = false;      ///< the right side is the history of a view of last rows
};
/// Columns: the left input's, then the right one's; of a semi or anti join (left rows that have a partner, or have none) the left one's only. Time attributes pass
/// a join in time, but no regular join: there a row may come at any time, once its partner is there.
struct LogicalJoin {
  enum class Kind : std::uint8_t { kInner, kLeft, kRight, kFull, kSemi, kAnti } kind = Kind::kInner;
  std::vector<expr::ExprPtr> condition;   ///< conjuncts over both inputs' columns; none: every pair
  SourcePosition position;
  std::optional<TimeBounds> bounds = {};   ///< set by make_join() from the condition: an interval join
  std::optional<SameWindow> same_window = {};   ///< so, too: a window join
  std::optional<AsOf> as_of = {};               ///< as written: a temporal join. The left input's time attributes pass it
  std::array<std::optional<DurationUs>, 2> ttl_us = {};   ///< STATE_TTL of either side
  bool lookup = false;                          ///< as written, with a processing time: the right side is a table that is read once. So do they here
  bool of_left_time() const { return as_of || lookup; }
  bool is_in_time() const { return bounds || same_window; }
  bool only_left() const { return kind == Kind::kSemi || kind == Kind::kAnti; }
  /// Rows that meet nothing are part of the result.
  bool keeps_left() const { return kind == Kind::kLeft || kind == Kind::kFull || kind == Kind::kAnti; }
  bool keeps_right() const { return kind == Kind::kRight || kind == Kind::kFull; }
};
struct LogicalUnion {};
/// INTERSECT [ALL], EXCEPT [ALL] of two inputs whose columns have equal types but for nullability; names are the first's. Time attributes do not pass.
struct LogicalSetOperation {
  bool intersect = true;
  bool all = false;
};
struct LogicalValues {
  std::vector<std::vector<expr::ExprPtr>> rows;
};
/// ORDER BY, OFFSET, LIMIT.
struct LogicalSort {
  std::vector<Sort::Key> keys;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> count;
  SourcePosition position;
  bool at_end = false;   ///< of a whole query to the console: sorted once, when the input has ended
};
/// ROW_NUMBER() OVER (..). Columns: the input's, then the number when it is wanted. Time attributes do not pass, as with a join, but window_time where the rank
/// is one of a window (window_of_keys), and all of them where the order is processing time upwards.
struct LogicalRank {
  std::vector<std::size_t> partition;
  std::vector<Sort::Key> order;
  std::optional<std::uint64_t> limit;   ///< set by bound_ranks(); no plan without it
  bool with_number = true;
  std::string name;                     ///< of the number
  SourcePosition position;
};
/// Each row once for every element of the array, map or multiset in `column`. Columns: the input's (without `column` unless with_column), then the element's (of a ROW
/// its fields, of a MAP key and value), then its place. A NULL element that is a ROW is left out, as in Flink.
struct LogicalUnnest {
  std::size_t column = 0;
  bool with_column = true;
  bool with_ordinality = false;
  bool keep = false;                    ///< LEFT JOIN: a row without elements once, filled with nulls
  std::vector<std::string> names;       ///< of what is added
};
struct LogicalSink {
  std::optional<catalog::TableDefinition> table;   ///< absent: the console
  Schema schema;
  std::vector<std::size_t> check_not_null;
  bool overwrite = false;
  SourcePosition position;
};

struct LogicalNode {
  std::variant<LogicalScan, LogicalFilter, LogicalProject, LogicalExpand, LogicalWindow, LogicalAggregate, LogicalOver, LogicalOverAggregate, LogicalOverTable, LogicalMatch, LogicalJoin, LogicalUnion, LogicalSetOperation, LogicalValues, LogicalSort,
               LogicalRank, LogicalUnnest, LogicalSink>
      op;
  std::vector<LogicalPtr> inputs;
  std::vector<ColumnInfo> columns;
  /// Tables whose rows come through here with their edge watermarks.
  std::vector<catalog::ObjectPath> late_tables;

  template <class T>
  const T* as() const { return std::get_if<T>(&op); }
  const LogicalPtr& input() const { return inputs.front(); }
};

LogicalPtr make_scan(LogicalScan scan);
LogicalPtr make_filter(LogicalPtr input, LogicalFilter filter);
LogicalPtr make_project(LogicalPtr input, std::vector<expr::ExprPtr> exprs, std::vector<std::string> names);
/// A column that is the same of the input in every list keeps its properties.
LogicalPtr make_expand(LogicalPtr input, LogicalExpand expand, std::vector<std::string> names);
/// Chosen columns of `input`, with their names.
LogicalPtr make_selection(LogicalPtr input, const std::vector<std::size_t>& columns);
LogicalPtr make_window(LogicalPtr input, LogicalWindow window);
LogicalPtr make_aggregate(LogicalPtr input, LogicalAggregate aggregate);
LogicalPtr make_over(LogicalPtr input, LogicalOver over);
LogicalPtr make_over_aggregate(LogicalPtr input, LogicalOverAggregate over);
LogicalPtr make_over_table(LogicalPtr input, LogicalOverTable over);
LogicalPtr make_match(LogicalPtr input, LogicalMatch match);
LogicalPtr make_join(LogicalPtr left, LogicalPtr right, LogicalJoin join);
/// The inputs' columns have equal types but for nullability; names are the first's.
LogicalPtr make_union(std::vector<LogicalPtr> inputs);
LogicalPtr make_set_operation(LogicalPtr left, LogicalPtr right, LogicalSetOperation op);
LogicalPtr make_values(LogicalValues values, std::vector<ColumnInfo> columns);
LogicalPtr make_sort(LogicalPtr input, LogicalSort sort);
LogicalPtr make_rank(LogicalPtr input, LogicalRank rank);
LogicalPtr make_unnest(LogicalPtr input, LogicalUnnest unnest);
/// What UNNEST makes of one element.
std::vector<Type> element_types(const Type& collection);
LogicalPtr make_sink(LogicalPtr input, LogicalSink sink);
/// The same operator over other inputs with the same columns.
LogicalPtr with_inputs(const LogicalNode& node, std::vector<LogicalPtr> inputs);

/// Where keys have the start and the end of one window, so that the window's end completes what is done by them: the two columns.
struct WindowOfKeys {
  std::size_t start = 0;
  std::size_t end = 0;
};
std::optional<WindowOfKeys> window_of_keys(const LogicalNode& input, const std::vector<std::size_t>& keys);
/// The same for GROUP BY: of the window function below, or of rows that came when their window was over. Rows that only name a window may be late for it.
std::optional<WindowOfKeys> window_of_group(const LogicalNode& input, const std::vector<std::size_t>& keys);

expr::ExprPtr column_of(const LogicalNode& node, std::size_t i);
Schema schema_of(const LogicalNode& node);

/// Structural equality of bound expressions.
bool same_expr(const expr::Expr& a, const expr::Expr& b);
bool is_deterministic(const expr::Expr& e);
/// The literal TRUE.
bool is_true(const expr::Expr& e);
/// `e` with each column replaced by exprs[column].
expr::ExprPtr substitute(const expr::ExprPtr& e, const std::vector<expr::ExprPtr>& exprs);
/// Conjuncts of a predicate; what every branch of an OR asks for is one of them.
void split_conjuncts(const expr::ExprPtr& e, std::vector<expr::ExprPtr>& out);

/// Names made unique as Calcite does: a, a0, a1.
void make_unique(std::vector<std::string>& names);

}  // namespace supyo::plan
