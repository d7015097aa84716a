#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sql/syntax/ast_type.h"
#include "sql/syntax/box.h"
#include "sql/syntax/span.h"

/// Expressions as the user wrote them. Plain data: copyable, comparable (positions ignored), bound to nothing.
namespace supyo::syntax {

struct Expr;
struct Query;
using ExprPtr = Box<Expr>;    ///< empty only where a comment says so
using QueryPtr = Box<Query>;

// ---- literals
struct NullLiteral { bool operator==(const NullLiteral&) const = default; };
struct BooleanLiteral { bool value = false; bool operator==(const BooleanLiteral&) const = default; };
/// Digits as written, never signed: "12" is kInteger, "1.50" is kDecimal, "1e3" is kApproximate.
struct NumberLiteral {
  enum class Kind { kInteger, kDecimal, kApproximate };
  Kind kind = Kind::kInteger;
  std::string text;
  bool operator==(const NumberLiteral&) const = default;
};
struct StringLiteral { std::string value; bool operator==(const StringLiteral&) const = default; };
/// X'0aff': the bytes.
struct BinaryLiteral { std::string bytes; bool operator==(const BinaryLiteral&) const = default; };
/// DATE '..', TIME '..', TIMESTAMP '..'; the text is not checked here.
struct TemporalLiteral {
  enum class Kind { kDate, kTime, kTimestamp };
  Kind kind = Kind::kDate;
  std::string text;
  bool operator==(const TemporalLiteral&) const = default;
};
/// INTERVAL [-] '1:30' HOUR[(p)] [TO MINUTE]; the text is not checked here and may itself start with a sign.
struct IntervalLiteral {
  bool negative = false;
  std::string text;
  TimeUnit from = TimeUnit::kSecond;
  TimeUnit to = TimeUnit::kSecond;  ///< equals `from` without TO
  std::optional<int> precision;     ///< of the leading field
  std::optional<int> fraction;      ///< fractional second digits: SECOND(p, f), TO SECOND(f)
  bool operator==(const IntervalLiteral&) const = default;
};

// ---- names
/// a, t.a, t.row.field, db.t.a: which part is what is the binder's to find.
struct ColumnRef { Name name; bool operator==(const ColumnRef&) const = default; };
/// `*` or `t.*`: a select item, or the argument of COUNT(*).
struct Star { std::optional<Name> qualifier; bool operator==(const Star&) const = default; };

// ---- operators
enum class UnaryOp { kNot, kMinus, kPlus };
enum class BinaryOp {
  kOr, kAnd,
  kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kIsDistinctFrom, kIsNotDistinctFrom,
  kConcat, kPlus, kMinus, kMultiply, kDivide, kModulo
};
struct Unary { UnaryOp op; ExprPtr operand; bool operator==(const Unary&) const = default; };
struct Binary { BinaryOp op; ExprPtr left; ExprPtr right; bool operator==(const Binary&) const = default; };
/// operand IS [NOT] NULL | TRUE | FALSE | UNKNOWN | JSON [VALUE | OBJECT | ARRAY | SCALAR]
struct IsTest {
  enum class Kind { kNull, kTrue, kFalse, kUnknown, kJson, kJsonObject, kJsonArray, kJsonScalar };
  ExprPtr operand;
  Kind kind = Kind::kNull;
  bool negated = false;
  bool operator==(const IsTest&) const = default;
};
struct Between {
  ExprPtr operand, low, high;
  bool negated = false;
  bool symmetric = false;
  bool operator==(const Between&) const = default;
};
/// operand [NOT] LIKE pattern [ESCAPE escape], or SIMILAR TO.
struct Like {
  ExprPtr operand, pattern;
  ExprPtr escape;  ///< may be empty
  bool similar = false;
  bool negated = false;
  bool operator==(const Like&) const = default;
};
struct InList {
  ExprPtr operand;
  std::vector<ExprPtr> items;  ///< at least one
  bool negated = false;
  bool operator==(const InList&) const = default;
};
struct InQuery { ExprPtr operand; QueryPtr query; bool negated = false; bool operator==(const InQuery&) const = default; };
struct Exists { QueryPtr query; bool operator==(const Exists&) const = default; };
/// left op ALL|ANY (query); SOME is ANY.
struct QuantifiedComparison {
  ExprPtr left;
  BinaryOp op = BinaryOp::kEqual;
  bool all = false;
  QueryPtr query;
  bool operator==(const QuantifiedComparison&) const = default;
};
struct ScalarQuery { QueryPtr query; bool operator==(const ScalarQuery&) const = default; };

// ---- special forms
struct CaseWhen { ExprPtr when, then; bool operator==(const CaseWhen&) const = default; };
struct Case {
  ExprPtr operand;      ///< empty for the searched form
  std::vector<CaseWhen> branches;
  ExprPtr otherwise;    ///< may be empty: NULL
  bool operator==(const Case&) const = default;
};
struct Cast { ExprPtr operand; TypeName type; bool try_cast = false; bool operator==(const Cast&) const = default; };
struct Extract { TimeUnit unit; ExprPtr operand; bool operator==(const Extract&) const = default; };
/// FLOOR(x TO unit), CEIL(x TO unit). Without TO they are ordinary function calls.
struct RoundToUnit { bool ceil = false; ExprPtr operand; TimeUnit unit; bool operator==(const RoundToUnit&) const = default; };
/// TIMESTAMPADD(unit, amount, time) and TIMESTAMPDIFF(unit, from, to).
struct TimestampArithmetic {
  bool diff = false;
  TimeUnit unit = TimeUnit::kSecond;
  ExprPtr first, second;
  bool operator==(const TimestampArithmetic&) const = default;
};
/// (to - from) DAY TO SECOND: the time between as an INTERVAL.
struct TimeDifference {
  ExprPtr to, from;
  TimeUnit first = TimeUnit::kDay, last = TimeUnit::kSecond;
  bool operator==(const TimeDifference&) const = default;
};
/// TRIM([BOTH|LEADING|TRAILING] [characters] FROM operand); TRIM(x) is BOTH with empty characters (a space).
struct Trim {
  enum class Side { kBoth, kLeading, kTrailing };
  Side side = Side::kBoth;
  ExprPtr characters;  ///< may be empty
  ExprPtr operand;
  bool operator==(const Trim&) const = default;
};
/// ROW(a, b) or (a, b).
struct RowValue { std::vector<ExprPtr> items; bool operator==(const RowValue&) const = default; };
struct ArrayValue { std::vector<ExprPtr> items; bool operator==(const ArrayValue&) const = default; };
/// MAP[k1, v1, k2, v2]: `items` alternates.
struct MapValue { std::vector<ExprPtr> items; bool operator==(const MapValue&) const = default; };
struct Subscript { ExprPtr base, index; bool operator==(const Subscript&) const = default; };
/// (expr).field and a[1].field; a plain dotted name is a ColumnRef.
struct FieldAccess { ExprPtr base; Identifier field; bool operator==(const FieldAccess&) const = default; };

// ---- windows (OVER)
struct OrderItem {
  ExprPtr expr;
  bool descending = false;
  std::optional<bool> nulls_first;  ///< NULLS FIRST | LAST when written
  bool operator==(const OrderItem&) const = default;
};
struct FrameBound {
  enum class Kind { kUnboundedPreceding, kPreceding, kCurrentRow, kFollowing, kUnboundedFollowing };
  Kind kind = Kind::kCurrentRow;
  ExprPtr offset;  ///< of kPreceding and kFollowing
  bool operator==(const FrameBound&) const = default;
};
/// ROWS|RANGE BETWEEN start AND end; `ROWS n PRECEDING` has the end CURRENT ROW.
struct WindowFrame {
  Span span;
  bool rows = true;  ///< else RANGE
  FrameBound start;
  FrameBound end;
  bool operator==(const WindowFrame&) const = default;
};
/// `OVER (...)`, `OVER w` (only `base`), and an entry of the WINDOW clause.
struct WindowDefinition {
  Span span;
  std::optional<Identifier> base;
  std::vector<ExprPtr> partition_by;
  std::vector<OrderItem> order_by;
  std::optional<WindowFrame> frame;
  bool operator==(const WindowDefinition&) const = default;
};

// ---- calls
struct FunctionArgument {
  std::optional<Identifier> name;  ///< of `name => value`
  ExprPtr value;
  bool operator==(const FunctionArgument&) const = default;
};
/// What the JSON functions say behind their arguments.
struct JsonClauses {
  enum class Otherwise { kUnsaid, kNull, kError, kDefault, kTrue, kFalse, kUnknown, kEmptyArray, kEmptyObject };
  enum class Wrapper { kUnsaid, kWithout, kConditional, kUnconditional };
  std::optional<TypeName> returning;
  Wrapper wrapper = Wrapper::kUnsaid;
  Otherwise on_empty = Otherwise::kUnsaid, on_error = Otherwise::kUnsaid;
  ExprPtr empty_default, error_default;    ///< of kDefault
  std::optional<bool> absent_on_null;      ///< ABSENT ON NULL (true) or NULL ON NULL (false) when written
  bool operator==(const JsonClauses&) const = default;
};
/// Any call: scalar, aggregate, window table function. SUBSTRING(x FROM n FOR m), POSITION(a IN b) and
/// OVERLAY(a PLACING b FROM c FOR d) arrive here with their arguments in that order; CURRENT_TIMESTAMP and its like with none.
struct FunctionCall {
  Name name;                             ///< as written; functions are found ignoring case
  std::vector<FunctionArgument> arguments;  ///< COUNT(*) has one Star
  bool distinct = false;
  ExprPtr filter;                        ///< FILTER (WHERE ..); may be empty
  std::vector<OrderItem> within_group;   ///< WITHIN GROUP (ORDER BY ..)
  std::optional<bool> ignore_nulls;      ///< IGNORE NULLS (true) or RESPECT NULLS (false) when written
  std::optional<WindowDefinition> over;
  std::optional<JsonClauses> json;       ///< of JSON_VALUE and the like: always. JSON_OBJECT's arguments are key, value, key, value, ..
  bool operator==(const FunctionCall&) const = default;

  /// The name's last part in upper case: "COUNT".
  std::string upper_name() const;
};
/// `TABLE t` or `(query)` as an argument of a table function, with PARTITION BY / ORDER BY of its rows.
struct TableArgument {
  std::optional<Name> table;  ///< either this
  QueryPtr query;             ///< or this
  std::vector<ExprPtr> partition_by;
  std::vector<OrderItem> order_by;
  bool operator==(const TableArgument&) const = default;
};
/// DESCRIPTOR(a, b)
struct Descriptor { std::vector<Identifier> columns; bool operator==(const Descriptor&) const = default; };
/// DEFAULT, as the value of a named argument.
struct DefaultValue { bool operator==(const DefaultValue&) const = default; };

struct Expr {
  using Node =
      std::variant<NullLiteral, BooleanLiteral, NumberLiteral, StringLiteral, BinaryLiteral, TemporalLiteral, IntervalLiteral,
                   ColumnRef, Star, Unary, Binary, IsTest, Between, Like, InList, InQuery, Exists, QuantifiedComparison,
                   ScalarQuery, Case, Cast, Extract, RoundToUnit, TimestampArithmetic, TimeDifference, Trim, RowValue, ArrayValue, MapValue,
                   Subscript, FieldAccess, FunctionCall, TableArgument, Descriptor, DefaultValue>;
  Span span;
  Node node;
  bool operator==(const Expr&) const = default;

  template <class T>
  const T* as() const { return std::get_if<T>(&node); }
};

}  // namespace supyo::syntax
