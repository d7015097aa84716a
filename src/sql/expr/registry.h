#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "data/types/builder.h"
#include "data/types/type.h"
#include "sql/expr/expr.h"

namespace supyo::expr {

/// A call that resolve() found: cast each argument to `arg_types[i]`, then call `function`; the call has type `result`.
struct ResolvedCall {
  const Function* function = nullptr;
  std::vector<Type> arg_types;
  Type result;
};

/// One aggregate over a group: accumulator = `width` bytes in place (zeroed = empty group) and optionally entries in a blob.
/// Vectorised: `update` folds the rows of a batch into the accumulators of their groups.
class Aggregate {
 public:
  virtual ~Aggregate() = default;
  virtual std::string_view name() const = 0;          ///< "COUNT", "SUM", ...
  /// Nullable as the argument; a group without values gives null whatever this says (FILTER, no rows): the binder knows those cases.
  virtual Type result() const = 0;
  /// Bytes in place, multiple of 8, 8-aligned.
  virtual std::uint32_t width() const = 0;
  /// True when the in-place bytes are not enough (MIN over retractions, text, DISTINCT): then `blob` is used too.
  virtual bool needs_blob() const { return false; }
  /// Row i (of rows named by `rows`) goes into acc[i] with `sign` +1 or -1 (retraction); no signs at all = all +1. `args` are the argument columns of the batch
  /// (none for COUNT(*)). `blobs[i]` is the group's blob for this aggregate; only when needs_blob().
  virtual Status update(std::span<const ColumnPtr> args, std::span<const std::uint32_t> rows, std::span<std::byte* const> acc,
                        std::span<const std::int8_t> signs, std::span<std::string* const> blobs) const = 0;
  /// Appends the current value of a group to `out`.
  virtual Status value(const std::byte* acc, std::string_view blob, ColumnBuilder& out) const = 0;
  /// Of a DISTINCT aggregate: what it is for values that the caller has made distinct. Else null.
  virtual std::shared_ptr<const Aggregate> without_distinct() const { return nullptr; }
  /// Of MIN (-1) and MAX (1) over rows that go again, which an operator may keep by its own means: the aggregate needs all values. Else 0.
  virtual int extreme_of_all() const { return 0; }
  /// Puts another group's rows into a group, as if they came after its own (sessions that grow together). `blob` and `other_blob` only when needs_blob().
  /// Errors: kUnsupported, of an aggregate that cannot.
  virtual Status merge(std::byte* acc, std::string* blob, const std::byte* other, std::string_view other_blob) const;
};
using AggregatePtr = std::shared_ptr<const Aggregate>;

struct ResolvedAggregate {
  AggregatePtr aggregate;
  std::vector<Type> arg_types;   ///< cast the arguments to these
};

/// All functions, by Flink's names. One instance a process-wide engine, immutable after construction, shared by reference.
class FunctionRegistry {
 public:
  FunctionRegistry();
  ~FunctionRegistry();
  FunctionRegistry(const FunctionRegistry&) = delete;
  FunctionRegistry& operator=(const FunctionRegistry&) = delete;

  bool is_scalar(std::string_view name) const;
  bool is_aggregate(std::string_view name) const;
  /// Errors: kUnknownFunction (with did-you-mean), kTypeMismatch (listing the signatures).
  Result<ResolvedCall> resolve(std::string_view name, std::span<const Type> args) const;
  /// `retracting`: the input has -U/-D rows. DISTINCT gives its own aggregate.
  Result<ResolvedAggregate> resolve_aggregate(std::string_view name, std::span<const Type> args, bool distinct, bool retracting) const;
  /// A further name of a function, for a session. False when the name is taken.
  bool add_alias(std::string_view name, std::string_view function);
  /// False when it is none of those.
  bool remove_alias(std::string_view name);
  /// Sorted; for SHOW FUNCTIONS and docs/reference/functions.md.
  std::vector<const Function*> functions() const;
  std::vector<std::string> names() const;
  std::vector<std::string> user_names() const;   ///< those of add_alias()

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// docs/reference/functions.md, from the registrations.
std::string functions_reference(const FunctionRegistry& registry);

/// One aggregate call of a plan node: arguments are columns of the node's input (computed by a Calc below it).
struct AggregateCall {
  AggregatePtr aggregate;
  std::vector<std::size_t> args;
  std::size_t filter = SIZE_MAX;   ///< FILTER (WHERE ..): BOOLEAN column of the input, SIZE_MAX = none
  std::string name;                ///< output column
  bool distinct = false;           ///< the aggregate was resolved for DISTINCT arguments
};

}  // namespace supyo::expr
