#pragma once
#include <deque>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sql/expr/registry.h"

/// How a file of functions puts them into the registry: one add() an overload.
namespace supyo::expr {

/// The types that an overload takes and gives for a call with certain argument types.
struct Typing {
  std::vector<Type> args;
  Type result;
};
/// Nothing = this overload does not fit.
using Binder = std::function<std::optional<Typing>(std::span<const Type>)>;

struct Overload {
  Function function;
  Binder bind;
};

class Registrar {
 public:
  void add(Function function, Binder bind) { overloads_.push_back({std::move(function), std::move(bind)}); }
  std::deque<Overload>& overloads() { return overloads_; }

 private:
  std::deque<Overload> overloads_;  // a deque: expressions point at its functions
};

struct Shape {
  std::size_t optional = 0;    ///< that many of the last parameters may be left out
  bool variadic = false;       ///< the last parameter may be repeated
  bool always_nullable = false;///< the result may be null with no null argument
  bool never_null = false;     ///< the result is not null whatever the arguments
};
/// Fits when every argument can be coerced to its parameter. Texts and bytes keep their own length, timestamps and decimals their own
/// precision. The result is nullable when an argument is.
Binder takes(std::vector<Type> parameters, Type result, Shape shape = {});

/// DECIMAL(p, s) that an exact number is seen as: INT is DECIMAL(10, 0). Source: Flink's LogicalTypeMerging.
Type as_decimal(const Type& t);
/// DECIMAL(p, s) with the scale given up where p exceeds 38, but not below 6 digits. Source: LogicalTypeMerging.adjustPrecisionScale.
Type adjusted_decimal(int precision, int scale);
/// The common type of args[first], args[first + step], ..; none where they have none, or are all NULL.
std::optional<Type> common_of(std::span<const Type> args, std::size_t first = 0, std::size_t step = 1);
/// The type both sides of a comparison are brought to: common_type(), or the other side's type for a text against a number or a time.
std::optional<Type> comparison_type(const Type& a, const Type& b);
/// The value of a constant argument; nothing for others and for null.
std::optional<std::int64_t> constant_integer(const ExprPtr& e);
std::optional<std::string> constant_text(const ExprPtr& e);
bool any_nullable(std::span<const Type> types);

/// One a file of functions; the registry's constructor calls them all.
void register_arithmetic(Registrar& r);
void register_comparison(Registrar& r);
void register_logic(Registrar& r);
void register_conditional(Registrar& r);
void register_math(Registrar& r);
void register_string(Registrar& r);
void register_pattern(Registrar& r);
void register_digest(Registrar& r);
void register_charset(Registrar& r);
void register_format(Registrar& r);
void register_temporal(Registrar& r);
void register_clock(Registrar& r);
void register_random(Registrar& r);
void register_nested(Registrar& r);
void register_array(Registrar& r);
void register_map(Registrar& r);
void register_json(Registrar& r);

}  // namespace supyo::expr
