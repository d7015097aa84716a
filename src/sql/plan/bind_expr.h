#pragma once
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "sql/expr/registry.h"
#include "sql/plan/logical.h"
#include "sql/syntax/ast.h"

/// From an expression as written to a typed one over the columns of a relation.
namespace supyo::plan {

/// A relation of FROM under the name by which its columns can be called.
struct Relation {
  std::string alias;                 ///< AS name, or the table's last name; empty = none
  std::vector<std::string> path;     ///< catalog, database, table when there is no alias
  std::size_t first = 0;             ///< its columns in the scope's node, and their own names
  std::vector<std::string> columns;
  std::vector<bool> merged;          ///< columns of USING that the other side stands for: neither in * nor found without the relation's name; may be empty
  bool is_called(std::span<const std::string> qualifier) const;
  bool is_merged(std::size_t i) const { return i < merged.size() && merged[i]; }
};

/// What names mean at some place of a query: the relations of FROM, or nothing (VALUES).
struct Scope {
  LogicalPtr node;                   ///< null: no columns
  std::vector<Relation> relations;
  std::vector<std::size_t> common;   ///< columns of USING: * gives them first

  /// One relation over all columns of `node`.
  static Scope of(LogicalPtr node, std::string alias = {}, std::vector<std::string> path = {});
  std::vector<std::string> aliases() const;
  /// What was meant by a name that no relation has; `otherwise` when none has a name.
  std::string hint_for(const std::string& name, std::string otherwise) const;
};

std::unexpected<Error> fail_at(const SourcePosition& position, ErrorCode code, std::string message, std::string hint = {});
std::unexpected<Error> fail_at(const syntax::Span& span, ErrorCode code, std::string message, std::string hint = {});
/// ARRAYs, MAPs and ROWs have no order.
Status check_order(const Type& type, const syntax::Span& span);
std::unexpected<Error> unsupported(const syntax::Span& span, std::string_view construct, std::string hint);
/// `error` with `span` as its position when it has none.
Error placed(Error error, const syntax::Span& span);
template <class T>
Result<T> at(Result<T> r, const syntax::Span& span) {
  if (!r) return std::unexpected(placed(std::move(r).error(), span));
  return r;
}

/// "did you mean `x`?", or `otherwise` when no name is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& names, std::string otherwise);

Result<Type> bind_type(const syntax::TypeName& type);

inline constexpr std::size_t kOuterBase = std::size_t{1} << 34;

class ExprBinder {
 public:
  /// Sees every call first: aggregates and OVER, which mean something only in some places. Nothing = an ordinary function.
  using CallHook = std::function<std::optional<Result<expr::ExprPtr>>(const syntax::FunctionCall&, const syntax::Span&)>;

  ExprBinder(const expr::FunctionRegistry& functions, const Scope& scope, CallHook hook = {})
      : functions_(functions), scope_(scope), hook_(std::move(hook)) {}

  /// Columns of the query around this one, for names that are no columns here: they are numbered from kOuterBase. Null: none.
  void set_outer(const Scope* outer) { outer_ = outer; }
  /// What (SELECT ..), IN (SELECT ..), EXISTS and a comparison with ALL or ANY become as values; without it there are none here.
  using QueryHook = std::function<Result<expr::ExprPtr>(const syntax::Expr&)>;
  void set_queries(QueryHook hook) { queries_ = std::move(hook); }
  /// Names that stand for expressions where no column is called so.
  void set_aliases(std::map<std::string, expr::ExprPtr> aliases) { aliases_ = std::move(aliases); }

  Result<expr::ExprPtr> bind(const syntax::Expr& e);
  /// A predicate: BOOLEAN, else kTypeMismatch naming `clause`.
  Result<expr::ExprPtr> bind_predicate(const syntax::Expr& e, std::string_view clause);
  /// Resolves a function and casts the arguments as it wants them.
  Result<expr::ExprPtr> call(std::string_view name, std::vector<expr::ExprPtr> args, const syntax::Span& span);
  /// A field of a ROW.
  Result<expr::ExprPtr> field(expr::ExprPtr row, const syntax::Identifier& name);
  /// Column number of a (qualified) name. Errors: kUnknownColumn, kAmbiguousColumn.
  Result<std::size_t> column(const syntax::Name& name) const;
  /// Every column that was bound, and where.
  const std::vector<std::pair<std::size_t, syntax::Span>>& references() const { return references_; }

 private:
  Result<expr::ExprPtr> bind_node(const syntax::Expr& e);
  template <class Visit>
  void each_reading(const syntax::Name& name, const Visit& visit) const;
  Result<std::optional<std::size_t>> nested_field(const syntax::Name& name) const;
  Result<expr::ExprPtr> column_reference(const syntax::Name& name, const syntax::Span& span);
  Result<expr::ExprPtr> found_column(const syntax::Name& name, const syntax::Span& span);
  Result<expr::ExprPtr> json_call(const syntax::FunctionCall& f, const syntax::Span& span);
  Result<expr::ExprPtr> subscript(const syntax::Subscript& s, const syntax::Span& span);
  Result<std::optional<expr::ExprPtr>> nested_value(const syntax::Expr& e);
  Result<expr::ExprPtr> binary(const syntax::Binary& b, const syntax::Span& span);
  Result<expr::ExprPtr> compare_rows(const syntax::RowValue& left, const syntax::RowValue& right, bool equal, const syntax::Span& span);
  Result<expr::ExprPtr> unary(const syntax::Unary& u, const syntax::Span& span);
  Result<expr::ExprPtr> is_test(const syntax::IsTest& t, const syntax::Span& span);
  Result<expr::ExprPtr> between(const syntax::Between& b, const syntax::Span& span);
  Result<expr::ExprPtr> like(const syntax::Like& l, const syntax::Span& span);
  Result<expr::ExprPtr> in_list(const syntax::InList& l, const syntax::Span& span);
  Result<expr::ExprPtr> case_of(const syntax::Case& c, const syntax::Span& span);
  Result<expr::ExprPtr> cast_of(const syntax::Cast& c, const syntax::Span& span);
  Result<expr::ExprPtr> trim(const syntax::Trim& t, const syntax::Span& span);
  Result<expr::ExprPtr> time_difference(const syntax::TimeDifference& d, const syntax::Span& span);
  Result<expr::ExprPtr> overlaps(std::vector<expr::ExprPtr> times, const syntax::Span& span);
  Result<expr::ExprPtr> function(const syntax::FunctionCall& f, const syntax::Span& span);
  Result<expr::ExprPtr> negated(Result<expr::ExprPtr> e, bool negate, const syntax::Span& span);
  Result<std::vector<expr::ExprPtr>> bind_all(const std::vector<const syntax::Expr*>& list);

  const expr::FunctionRegistry& functions_;
  const Scope& scope_;
  const Scope* outer_ = nullptr;
  bool inside_json_ = false;   ///< the argument of JSON_OBJECT or JSON_ARRAY is being bound: JSON(..) may stand there
  CallHook hook_;
  QueryHook queries_;
  std::map<std::string, expr::ExprPtr> aliases_;
  std::vector<std::pair<std::size_t, syntax::Span>> references_;
};

/// A literal as a value; `negative` puts a minus before a number, so that the least BIGINT can be written.
Result<expr::ExprPtr> bind_number(const syntax::NumberLiteral& n, bool negative, const syntax::Span& span);
Result<expr::ExprPtr> bind_temporal(const syntax::TemporalLiteral& t, const syntax::Span& span);
/// INTERVAL_DAY in microseconds, INTERVAL_MONTH in months. Errors: kInvalidLiteral.
Result<expr::ExprPtr> bind_interval(const syntax::IntervalLiteral& i, const syntax::Span& span);
expr::ExprPtr text_literal(std::string_view text);

/// `e` as `to`, by a cast only where the types differ in more than nullability.
expr::ExprPtr coerced(expr::ExprPtr e, const Type& to);

}  // namespace supyo::plan
