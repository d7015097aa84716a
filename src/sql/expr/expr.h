#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/types/batch.h"
#include "data/types/type.h"
#include "data/types/value.h"
#include "data/types/zone.h"

namespace supyo::expr {

/// What a kernel may know besides its arguments. One a batch.
struct EvalContext {
  TimeUs now_us = 0;                     ///< processing time of the batch: PROCTIME(), NOW(), CURRENT_TIMESTAMP
  TimeUs watermark_us = kTimeMin;        ///< CURRENT_WATERMARK
  Zone zone = {};                             ///< table.local-time-zone (default UTC)
  env::Random* random = nullptr;         ///< UUID(), RAND(); without one these fail
  std::uint64_t salt = 0;                ///< of the job: the same as long as its state lives
  std::uint64_t first_row = 0;           ///< rows that the operator has evaluated before: where RAND(1) goes on
};

/// A vectorised scalar function: all argument columns have `rows` rows and exactly the types it was resolved for.
/// Null handling is the kernel's (most are strict: null in, null out). Run-time failures (division by zero, overflow) are kArithmetic.
using Kernel = Result<ColumnPtr> (*)(std::span<const ColumnPtr> args, const Type& result, std::size_t rows, const EvalContext& ctx);

struct Expr;

/// One overload of a scalar function, registered once.
struct Function {
  std::string name;            ///< upper case; operators as "+", "=", "AND", "LIKE"
  Kernel kernel = nullptr;
  bool deterministic = true;   ///< false for NOW(), UUID(): never folded. A row that takes back computes it anew, as in Flink
  std::string signature;       ///< for SHOW FUNCTIONS and the reference: "SUBSTRING(STRING, INT [, INT]) -> STRING"
  std::string help;            ///< one line
  bool reads_context = false;  ///< depends on the session (time zone, clock): never folded at planning
  /// The result type where it depends on the value of a constant argument (ROUND's digits); null = as resolved. Applied by call().
  Type (*refine)(std::span<const std::shared_ptr<const Expr>> args, const Type& result) = nullptr;
};

/// A bound expression over the columns of one input. Immutable, shared.
struct Expr {
  enum class Kind : std::uint8_t { kColumn, kLiteral, kCall, kCast, kCase };
  Kind kind = Kind::kLiteral;
  Type type;
  std::size_t column = 0;                 ///< kColumn: index into the input batch
  Value literal;                          ///< kLiteral
  const Function* function = nullptr;     ///< kCall; owned by the registry, which outlives every plan
  bool try_cast = false;                  ///< kCast: a value that does not fit becomes null instead of an error
  std::vector<std::shared_ptr<const Expr>> args;  ///< kCall; kCast: 1; kCase: when1, then1, .., else (searched form; same THEN types)

  /// SQL-like text with `names` for columns: EXPLAIN.
  std::string to_string(std::span<const std::string> names) const;
};
using ExprPtr = std::shared_ptr<const Expr>;

ExprPtr column(std::size_t index, Type type);
ExprPtr literal(Value value);
ExprPtr cast(ExprPtr e, Type to, bool try_cast = false);
ExprPtr call(const Function* f, std::vector<ExprPtr> args, Type result);
ExprPtr case_when(std::vector<ExprPtr> whens_thens_else, Type result);

/// Whether CAST / an implicit coercion from one type to another exists (Flink's tables).
bool can_cast(const Type& from, const Type& to);
bool can_coerce(const Type& from, const Type& to);
/// The type that both sides of a comparison, CASE branch, UNION column or COALESCE take; error kTypeMismatch.
Result<Type> common_type(const Type& a, const Type& b);

/// Evaluates over all rows of `input`.
Result<ColumnPtr> evaluate(const Expr& e, const Batch& input, const EvalContext& ctx);
/// Rows for which `predicate` (BOOLEAN) is true (not false, not null), ascending, into `selection`.
Status select_true(const Expr& predicate, const Batch& input, const EvalContext& ctx, std::vector<std::uint32_t>& selection);
/// Replaces deterministic calls over literals by their value. An arithmetic error is left for run time.
ExprPtr fold_constants(const ExprPtr& e);
/// Columns that the expression reads, ascending, unique.
std::vector<std::size_t> columns_read(const Expr& e);
/// The same expression over an input whose column i is now at mapping[i].
ExprPtr remap_columns(const ExprPtr& e, std::span<const std::size_t> mapping);

}  // namespace supyo::expr
