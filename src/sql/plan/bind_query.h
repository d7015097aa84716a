#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sql/catalog/catalog.h"
#include "sql/plan/bind_expr.h"
#include "sql/plan/logical.h"
#include "sql/plan/planner.h"
#include "sql/syntax/ast.h"

namespace supyo::plan {

/// What binding needs of the session. Numbers are given out per planner, so that statements bound apart can become one plan.
struct BindContext {
  catalog::Catalog& catalog;
  const expr::FunctionRegistry& functions;
  config::Settings& settings;
  const PlannerOptions& options;
  std::size_t next_scan = 0;
  int next_window = 0;
};

/// Where ORDER BY is allowed: only at the top of a query to the console, whose result is finite.
enum class OrderAllowed : std::uint8_t { kNo, kTopOfConsoleQuery };

/// A query in an expression, beside the query around it. Expressions are over (the columns of the query around it, the columns of `node`).
struct Subquery {
  LogicalPtr node;
  std::vector<expr::ExprPtr> correlated;   ///< conjuncts of its WHERE that read the query around it; of one that aggregates equations only
  std::vector<expr::ExprPtr> items;        ///< what it selects
  bool distinct = false;                   ///< its items are to be made distinct where their number counts: as a value and in LATERAL, not under IN or EXISTS
  bool one_row_a_key = false;              ///< it aggregates all that is left of its rows: at most one row for each row around it
  bool always_one_row = false;             ///< ..exactly one, HAVING does not take it away
  std::vector<expr::ExprPtr> when_empty;   ///< of the two above: what each item is of no rows, literals; none where one of them is no literal
  std::vector<std::string> names;          ///< of its items
  std::vector<Sort::Key> order;            ///< by which items; those behind `visible` are there for it alone
  std::size_t visible = 0;

  /// `e` as outer expression = inner expression, columns of the query around it being those below `width`.
  static std::optional<std::pair<expr::ExprPtr, expr::ExprPtr>> equation(const expr::Expr& e, std::size_t width);
};
/// The same to be joined: `node` with `keys` that are to be equal to `outer`, and items, all of them over `node` (but `outer` and `only_outer`).
struct KeyedSubquery {
  LogicalPtr node;
  std::vector<expr::ExprPtr> keys;
  std::vector<expr::ExprPtr> outer;
  std::vector<expr::ExprPtr> only_outer;   ///< conditions
  std::vector<expr::ExprPtr> items;
  std::vector<bool> null_safe;             ///< by key: null is equal to null
};

/// `sub` with what it asks of `outer` as keys.
KeyedSubquery keyed(const Subquery& sub, const LogicalPtr& outer);
/// The different rows of `node`.
LogicalPtr distinct(LogicalPtr node, const SourcePosition& position);
/// Every row of `node` with TRUE behind it: after a left join it tells rows that met one.
LogicalPtr marked(const LogicalPtr& node);

/// Two relations of one name would make `name.column` mean the first; Flink refuses them, too.
Status differently_named(const Scope& left, const Scope& right, const syntax::Span& span);

/// Binds one query in one naming context: the catalog and database in which its names are resolved, and the WITH tables in sight.
class QueryBinder {
 public:
  explicit QueryBinder(BindContext& context);
  QueryBinder(BindContext& context, std::string catalog, std::string database, int depth);

  Result<LogicalPtr> bind(const syntax::Query& query, OrderAllowed order = OrderAllowed::kNo);
  Result<catalog::ObjectPath> resolve(const syntax::Name& name) const;
  /// All declared columns of a table, computed ones too.
  Result<LogicalPtr> scan(const catalog::TableDefinition& table, const syntax::Span& span);

 private:
  Result<LogicalPtr> body(const syntax::QueryBody& body);
  Result<LogicalPtr> values(const syntax::Values& values, const syntax::Span& span);
  Result<LogicalPtr> set_operation(const syntax::SetOperation& op, const syntax::Span& span);
  Result<LogicalPtr> order_and_limit(const syntax::Query& query, OrderAllowed order);
  Result<std::vector<std::size_t>> order_columns(LogicalPtr& input, const syntax::Query& query);

  Result<Scope> from(const syntax::TableRef& ref);
  /// FROM a, b: every pair, which WHERE then chooses from.
  Result<Scope> from(const std::vector<syntax::TableRefPtr>& refs);
  Result<Scope> join(const syntax::Join& join, const syntax::Span& span);
  /// `left` with the elements of one of its arrays; `left` without a node: of a constant one. `condition`: ON, or null.
  /// `left` with what a query gives that may name its columns: LATERAL (SELECT ..). `condition`: ON, or null.
  Result<Scope> lateral(const Scope& left, const syntax::TableRef& ref, LogicalJoin::Kind kind, const syntax::Expr* condition);
  Result<Scope> unnest(Scope left, const syntax::TableRef& ref, LogicalJoin::Kind kind, const syntax::Expr* condition);
  /// The right side of FOR SYSTEM_TIME AS OF, and what makes it one.
  Status can_be_looked_up(const syntax::TableRef& ref);
  Result<Scope> versioned(const syntax::TableRef& ref, const Scope& left, LogicalJoin& join);
  Result<Scope> named(const syntax::TableByName& table, const syntax::Span& span);
  Result<LogicalPtr> object(const catalog::ObjectPath& path, const syntax::Name& name, const std::vector<syntax::Hint>& hints);
  Result<LogicalPtr> view(const catalog::ViewDefinition& view, const syntax::Span& span);
  Result<LogicalPtr> match(const syntax::MatchRecognize& match, const syntax::Span& span);
  Result<LogicalPtr> window_function(const syntax::FunctionCall& call, const syntax::Span& span);
  /// `partition`: where the columns of PARTITION BY go; null: none is taken.
  Result<LogicalPtr> table_argument(const syntax::Expr& e, std::vector<std::size_t>* partition);
  /// `ordered`: with its ORDER BY, which is not applied, whatever its LIMIT.
  Result<Subquery> subquery(const syntax::Query& query, const Scope& outer, bool ordered = false);

  /// STATE_TTL of the SELECT that is being bound, by the name of a table in its FROM.
  struct Ttl {
    std::string table;
    DurationUs ttl_us = 0;
    syntax::Span span;
  };
  /// What the hints of the SELECT that is being bound say of tables in its FROM.
  struct Hints {
    std::vector<Ttl> ttls;
    std::vector<std::pair<std::string, syntax::Span>> retried;   // LOOKUP asks again for rows that are missing: of these tables
  };
  std::optional<DurationUs> ttl_of(const Scope& side) const;

  BindContext& ctx_;
  Hints hints_;
  std::string catalog_;
  std::string database_;
  int depth_;
  std::vector<std::pair<std::string, LogicalPtr>> common_tables_;

  friend class SelectBinder;
};

/// Binds one SELECT block; the QueryBinder makes it and throws it away.
class SelectBinder {
 public:
  SelectBinder(QueryBinder& queries, const syntax::Select& select) : queries_(queries), select_(select) {}
  Result<LogicalPtr> bind();
  /// As bind(), with the keys of ORDER BY that SELECT does not give as further columns behind `visible()`. Not for SELECT DISTINCT.
  Result<LogicalPtr> bind_with_keys(const std::vector<syntax::OrderItem>& order_by);
  /// As a subquery: what WHERE asks of the query around it becomes a condition on pairs.
  Result<Subquery> bind_subquery(const Scope& outer, const std::vector<syntax::OrderItem>& order_by);
  std::size_t visible() const { return visible_; }
  const std::vector<std::size_t>& key_columns() const { return key_columns_; }

 private:
  struct Item {
    expr::ExprPtr expr;
    std::string name;
  };
  struct AggregateSlot {
    LogicalCall call;
    std::vector<expr::ExprPtr> args;
    expr::ExprPtr filter;
  };
  struct OverSlot {
    std::vector<expr::ExprPtr> keys;
    expr::ExprPtr order;
    expr::ExprPtr argument;
    OverCall call;                                                ///< of an aggregate only the type
    std::optional<AggregateSlot> aggregate;                       ///< in place of `argument` and `call`, with `frame`
    OverFrame frame;
    std::vector<std::pair<expr::ExprPtr, Sort::Key>> ranked_by;   ///< ROW_NUMBER: its order, in place of `order`, `argument` and `call`
    std::optional<OverFunction> table;                            ///< computed over rows that come and go, in the order `ranked_by`, which may be none
    expr::ExprPtr otherwise;                                      ///< LAG and LEAD there: the default
    syntax::Span span;
  };

  /// STATE_TTL('table' = 'time', ..).
  Result<QueryBinder::Hints> hints() const;
  Status from();
  /// Filters, and joins what is asked of subqueries. `outer`: the query around this one, whose columns WHERE may name.
  Status where(const Scope* outer);
  Status join_subquery(const syntax::Expr& test);
  /// Subqueries as values: further columns of what FROM gives (bind_query_value.cc).
  Result<expr::ExprPtr> query_value(const syntax::Expr& e);
  Result<expr::ExprPtr> scalar_value(const Subquery& sub, const syntax::Span& span);
  Result<expr::ExprPtr> exists_value(const syntax::Exists& exists, const syntax::Span& span);
  Result<expr::ExprPtr> in_value(const syntax::Expr& operand, const syntax::Query& query, bool negated, const syntax::Span& span);
  Result<expr::ExprPtr> could_be_equal(const KeyedSubquery& q, const std::vector<expr::ExprPtr>& operands, const syntax::Span& span);
  Result<expr::ExprPtr> quantified_value(const syntax::QuantifiedComparison& c, const syntax::Span& span);
  Result<std::size_t> attach(const KeyedSubquery& q, LogicalPtr right, std::size_t first_key, std::vector<expr::ExprPtr> condition, const syntax::Span& span);
  Result<expr::ExprPtr> is_met(const KeyedSubquery& q, LogicalPtr right, std::size_t first_key, std::vector<expr::ExprPtr> condition, const syntax::Span& span);
  /// Of a subquery that aggregates: what it asks of the query around it becomes keys of its groups.
  Status group_by_correlation();
  /// What SELECT and HAVING ask of subqueries is the same for all rows of a group: it becomes keys.
  Status group_by_values();
  Status aggregated_subquery(Subquery& out);
  Result<LogicalPtr> finish();
  Status bind_items();
  Status bind_keys();
  Status expand_star(const syntax::Star& star, const syntax::Span& span);
  Status bind_group_by();
  /// Sets of keys (places in group_exprs_), in any order.
  using GroupingSets = std::vector<std::vector<std::size_t>>;
  Result<GroupingSets> bind_group_item(const syntax::GroupItem& item, bool nested);
  Result<std::vector<std::size_t>> bind_group_keys(const syntax::GroupItem& item, bool nested);
  Result<expr::ExprPtr> grouping_call(const syntax::FunctionCall& call, const syntax::Span& span);
  /// What GROUPING, GROUPING_ID or GROUP_ID gives for one grouping set.
  std::int64_t grouping_value(std::size_t call, std::size_t set) const;
  expr::ExprPtr grouping_value(std::size_t call) const;
  bool is_grouped_by(std::size_t set, std::size_t key) const;
  LogicalPtr expand(LogicalPtr below) const;
  static bool is_group_window(const syntax::Expr& e);
  Status group_window(const syntax::FunctionCall& call, const syntax::Span& span);
  std::optional<Result<expr::ExprPtr>> window_property(const syntax::FunctionCall& call, const syntax::Span& span);
  Status group();
  Status over();
  void number_rows();
  /// `table`: what it is when the window is not ordered by a time attribute, or must be in any case (`only_table`).
  Status over_window(OverSlot& slot, const syntax::WindowDefinition& window, ExprBinder& inner, OverFunction table, bool only_table);
  bool is_time(const expr::Expr& e) const;
  Status order_as_table(OverSlot& slot);
  Status over_table(const std::vector<std::size_t>& slots, std::vector<expr::ExprPtr>& results);
  static bool same_window(const OverSlot& a, const OverSlot& b);
  Status rank(std::size_t slot, std::vector<expr::ExprPtr>& results);
  Status over_group(const std::vector<std::size_t>& slots, std::vector<expr::ExprPtr>& results);
  std::optional<Result<expr::ExprPtr>> special_call(const syntax::FunctionCall& call, const syntax::Span& span, bool over_allowed);
  static bool is_variance(std::string_view name);
  Result<expr::ExprPtr> variance_call(const syntax::FunctionCall& call, const syntax::Span& span);
  Result<expr::ExprPtr> aggregate_call(const syntax::FunctionCall& call, const syntax::Span& span);
  /// An aggregate's arguments and filter, bound by `inner`. `retracting`: rows leave it again. `may_be_empty`: it may see no row at all.
  Result<AggregateSlot> bind_aggregate(const syntax::FunctionCall& call, const syntax::Span& span, ExprBinder& inner, bool retracting, bool may_be_empty);
  static bool same_aggregate(const AggregateSlot& a, const AggregateSlot& b);
  Result<expr::ExprPtr> over_call(const syntax::FunctionCall& call, const syntax::Span& span);
  Result<expr::ExprPtr> over_aggregate(const syntax::FunctionCall& call, const syntax::Span& span);
  Result<expr::ExprPtr> row_number(const syntax::FunctionCall& call, const syntax::Span& span);
  /// RANK, DENSE_RANK, PERCENT_RANK, CUME_DIST, NTILE.
  Result<expr::ExprPtr> over_rank(const syntax::FunctionCall& call, const syntax::Span& span, OverFunction function);
  Result<expr::ExprPtr> over_look(const syntax::FunctionCall& call, const syntax::Span& span, bool ahead);
  Status look_default(OverSlot& slot, const syntax::FunctionCall& call, ExprBinder& inner);
  std::string name_of_over(std::size_t slot) const;
  Result<syntax::WindowDefinition> window_of(const syntax::WindowDefinition& written) const;
  static Result<syntax::WindowDefinition> window_of(const syntax::WindowDefinition& written, std::span<const syntax::NamedWindow> named);
  Result<expr::ExprPtr> grouped(const expr::ExprPtr& e) const;
  expr::ExprPtr with_over(const expr::ExprPtr& e, const std::vector<expr::ExprPtr>& results) const;
  ExprBinder binder(bool aggregates, bool over);

  std::optional<DurationUs> ttl_us_;   // STATE_TTL of the only table
  QueryBinder& queries_;
  const syntax::Select& select_;
  Scope scope_;
  const std::vector<syntax::OrderItem>* order_by_ = nullptr;
  std::size_t visible_ = 0;
  std::vector<std::size_t> key_columns_;
  std::vector<Item> items_;
  expr::ExprPtr having_, qualify_;
  bool grouped_ = false;
  std::vector<expr::ExprPtr> group_exprs_;
  GroupingSets sets_;                        ///< none or one of all keys: an ordinary GROUP BY
  std::size_t written_keys_ = 0;             ///< of group_exprs_; the others came with window properties and are in all sets
  struct GroupingCall {
    std::vector<std::size_t> keys;
    bool is_group_id = false;
    bool operator==(const GroupingCall&) const = default;
  };
  std::vector<GroupingCall> grouping_calls_;
  const syntax::FunctionCall* group_window_ = nullptr;   ///< TUMBLE(..) and the like in GROUP BY
  std::vector<AggregateSlot> aggregates_;
  std::vector<OverSlot> overs_;
  std::vector<std::pair<std::size_t, LogicalPtr>> values_;   ///< subqueries in SELECT and HAVING: how many columns there were before, and the node with theirs
  const Scope* outer_ = nullptr;             ///< the query around this one, of a subquery
  struct CorrelationKey {
    expr::ExprPtr outer;                     ///< an expression of the query around it
    std::size_t place = 0;                   ///< in group_exprs_, what is to be equal
    bool null_safe = false;
  };
  std::vector<CorrelationKey> correlation_;  ///< of a subquery that aggregates
  std::vector<expr::ExprPtr> only_outer_;    ///< ..and what it asks of that query alone
  std::vector<std::pair<expr::ExprPtr, syntax::Span>> correlated_;   ///< conjuncts of WHERE that read the query around it, whose columns begin at kOuterBase
  std::vector<std::pair<std::size_t, syntax::Span>> references_;   ///< columns of FROM used in items and HAVING, and where
};

/// LIMIT and OFFSET take a whole number.
Result<std::uint64_t> row_count(const syntax::Expr& e, std::string_view clause);
/// ORDER BY n: column n - 1 of `columns`.
Result<std::size_t> order_position(const syntax::Expr& e, std::size_t columns);

/// A WATERMARK: so far behind its column, or, where that does not say it, an expression over the table's columns (computed ones too).
struct BoundWatermark {
  DurationUs bound_us = 0;
  expr::ExprPtr computed;
};
/// Errors: kTypeMismatch (its type is not that of the column, `time`), kInvalidQuery (it reads the clock, or draws), and those of expressions.
Result<BoundWatermark> bind_watermark(const syntax::Expr& expression, const std::string& column, const Type& time, const Scope& columns, const expr::FunctionRegistry& functions);
/// Whether a column of that type can be the event time attribute.
bool can_be_row_time(const Type& type);

}  // namespace supyo::plan
