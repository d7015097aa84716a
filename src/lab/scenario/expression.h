#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace supyo::scenario {

/// A unit as powers of second, record and byte: s = (1, 0, 0), records/s = (-1, 1, 0), bytes a record = (0, -1, 1), a plain number (0, 0, 0).
struct Unit {
  int seconds = 0;
  int records = 0;
  int bytes = 0;
  bool operator==(const Unit&) const = default;
};
inline constexpr Unit kNumber{};
inline constexpr Unit kSeconds{1, 0};
inline constexpr Unit kRecords{0, 1};
inline constexpr Unit kRate{-1, 1};
inline constexpr Unit kBytes{0, 0, 1};
inline constexpr Unit kRecordSize{0, -1, 1};
std::string unit_name(Unit u);
/// "s", "records", "records/s", "B", "B/record", "" or "share" and "state" (plain numbers).
Unit unit_named(std::string_view name);

/// A number with its unit, or a truth value.
struct Quantity {
  double value = 0;
  Unit unit;
  bool truth = false;
  static Quantity of(bool b) { return {b ? 1.0 : 0.0, {}, true}; }
};

/// The language of verdicts and predictions in scenario files:
///   numbers `2`, `0.95`, `10%`; durations `60s`, `3m`; rates `500rps`; sizes `64KiB`, `1GiB`; `inf`; names of measures; + - * /; < <= > >= == !=; and, or, not; max(a, b, ..), min(..), abs(x), and exp(x), ln(x) of plain numbers
/// Units are checked: adding or comparing seconds with records is an error (with the column), and so is a name that nothing measured.
/// `inf` and a bare 0 take any unit. Comparing with a quantity that is not a number (NaN) is false, whichever way.
class Expression {
 public:
  /// Errors: kBadConfigFile with the column in `text`.
  static Result<Expression> parse(std::string_view text);
  using Lookup = std::function<std::optional<Quantity>(std::string_view name)>;
  Result<Quantity> evaluate(const Lookup& lookup) const;
  /// Evaluates and wants a truth value.
  Result<bool> decide(const Lookup& lookup) const;
  /// Names used, each once.
  std::vector<std::string> names() const;
  const std::string& text() const { return text_; }

  struct Node;

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;
};

}  // namespace supyo::scenario
