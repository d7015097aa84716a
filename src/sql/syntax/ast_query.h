#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sql/syntax/ast_expr.h"

/// Queries as the user wrote them.
namespace supyo::syntax {

struct TableRef;
struct QueryBody;
using TableRefPtr = Box<TableRef>;
using QueryBodyPtr = Box<QueryBody>;

/// 'key' = 'value' in WITH, SET, OPTIONS and the like.
struct OptionEntry {
  Span key_span, value_span;
  std::string key, value;
  bool operator==(const OptionEntry&) const = default;
};
/// One hint of `/*+ NAME(..) */`: OPTIONS('k'='v') and STATE_TTL('a'='1d') fill `options`, others `arguments`.
struct Hint {
  Span span;
  std::string name;  ///< upper case
  std::vector<OptionEntry> options;
  std::vector<std::string> arguments;
  bool operator==(const Hint&) const = default;
};

// ---- FROM
struct TableByName {
  Name name;
  std::vector<Hint> hints;
  ExprPtr system_time;  ///< FOR SYSTEM_TIME AS OF; may be empty
  bool operator==(const TableByName&) const = default;
};
struct DerivedTable { QueryPtr query; bool lateral = false; bool operator==(const DerivedTable&) const = default; };
/// TABLE(f(..)), LATERAL TABLE(f(..)) and f(..): all the same call.
struct TableFunction { FunctionCall call; bool lateral = false; bool operator==(const TableFunction&) const = default; };
struct Unnest { std::vector<ExprPtr> arrays; bool with_ordinality = false; bool operator==(const Unnest&) const = default; };
struct Join {
  enum class Kind { kInner, kLeft, kRight, kFull, kCross };
  Kind kind = Kind::kInner;
  bool natural = false;
  TableRefPtr left, right;
  ExprPtr on;                     ///< may be empty
  std::vector<Identifier> columns;  ///< USING (..)
  bool operator==(const Join&) const = default;
};
struct SelectItem {
  Span span;
  ExprPtr expr;  ///< a Star for * and t.*
  std::optional<Identifier> alias;
  bool operator==(const SelectItem&) const = default;
};
/// A variable of PATTERN and how many rows it takes: A, A?, A*, A+, A{2}, A{2,}, A{,3}, A{2,3}; with another ? as few as possible.
struct PatternElement {
  Identifier variable;
  bool quantified = false;
  std::int64_t least = 1;
  std::optional<std::int64_t> most = 1;   ///< none: any number
  bool reluctant = false;
  bool operator==(const PatternElement&) const = default;
};
struct MatchDefinition { Identifier variable; ExprPtr condition; bool operator==(const MatchDefinition&) const = default; };
/// input MATCH_RECOGNIZE (..): one row a match. Patterns are variables one behind the other; the parser refuses the rest.
struct MatchRecognize {
  enum class Skip { kDefault, kPastLastRow, kToNextRow, kToFirst, kToLast };
  TableRefPtr input;
  std::vector<ExprPtr> partition_by;
  std::vector<OrderItem> order_by;
  std::vector<SelectItem> measures;      ///< each with its alias
  Skip skip = Skip::kDefault;
  std::optional<Identifier> skip_to;     ///< of kToFirst and kToLast
  std::vector<PatternElement> pattern;
  ExprPtr within;                        ///< may be empty
  std::vector<MatchDefinition> defines;
  bool operator==(const MatchRecognize&) const = default;
};
struct TableRef {
  using Node = std::variant<TableByName, DerivedTable, TableFunction, Unnest, Join, MatchRecognize>;
  Span span;
  Node node;
  std::optional<Identifier> alias;         ///< never on a Join
  std::vector<Identifier> column_aliases;  ///< AS t (a, b)
  bool operator==(const TableRef&) const = default;

  template <class T>
  const T* as() const { return std::get_if<T>(&node); }
};

// ---- SELECT
/// One entry of GROUP BY. kExpressions with one expression is the plain case, with none it is `()`, with more `(a, b)`.
/// ROLLUP, CUBE and GROUPING SETS hold `items`.
struct GroupItem {
  enum class Kind { kExpressions, kRollup, kCube, kGroupingSets };
  Span span;
  Kind kind = Kind::kExpressions;
  std::vector<ExprPtr> expressions;
  std::vector<GroupItem> items;
  bool operator==(const GroupItem&) const = default;
};
struct NamedWindow { Identifier name; WindowDefinition window; bool operator==(const NamedWindow&) const = default; };
struct Select {
  bool distinct = false;
  std::vector<Hint> hints;  ///< after SELECT
  std::vector<SelectItem> items;
  std::vector<TableRefPtr> from;  ///< comma-separated; empty for SELECT 1
  ExprPtr where;                  ///< may be empty
  bool has_group_by = false;
  std::vector<GroupItem> group_by;
  bool group_distinct = false;    ///< GROUP BY DISTINCT: a set that stands twice counts once
  ExprPtr having;                 ///< may be empty
  std::vector<NamedWindow> windows;
  ExprPtr qualify;                ///< may be empty
  bool operator==(const Select&) const = default;
};
/// VALUES (1, 'a'), (2, 'b'): rows of expressions.
struct Values { std::vector<std::vector<ExprPtr>> rows; bool operator==(const Values&) const = default; };
struct SetOperation {
  enum class Kind { kUnion, kIntersect, kExcept };
  Kind kind = Kind::kUnion;
  bool all = false;
  QueryBodyPtr left, right;
  bool operator==(const SetOperation&) const = default;
};
/// What a query is without its WITH, ORDER BY and LIMIT. A parenthesised query with any of these is a QueryPtr; plain
/// parentheses leave no trace.
struct QueryBody {
  using Node = std::variant<Select, Values, SetOperation, QueryPtr>;
  Span span;
  Node node;
  bool operator==(const QueryBody&) const = default;

  template <class T>
  const T* as() const { return std::get_if<T>(&node); }
};
struct CommonTable {
  Identifier name;
  std::vector<Identifier> columns;
  QueryPtr query;
  bool operator==(const CommonTable&) const = default;
};
struct Query {
  Span span;
  bool recursive = false;
  std::vector<CommonTable> with;
  QueryBody body;
  std::vector<OrderItem> order_by;
  ExprPtr offset;  ///< may be empty
  ExprPtr limit;   ///< LIMIT n or FETCH FIRST n ROWS ONLY; may be empty
  bool operator==(const Query&) const = default;
};

}  // namespace supyo::syntax
