#include "lab/scenario/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace supyo::scenario {

enum class Op : std::uint8_t { kConstant, kName, kAdd, kSub, kMul, kDiv, kNegate, kLess, kLessEqual, kGreater, kGreaterEqual, kEqual, kNotEqual, kAnd, kOr, kNot, kMax, kMin, kAbs, kExp, kLn };

struct Expression::Node {
  Op op = Op::kConstant;
  Quantity constant;
  bool any_unit = false;   ///< inf and a bare 0
  std::string name;
  int column = 0;
  std::vector<std::shared_ptr<const Node>> children;
};

namespace {

using NodePtr = std::shared_ptr<const Expression::Node>;
constexpr int kMostDepth = 100;

std::unexpected<Error> at_column(int column, std::string message, std::string hint = {}) {
  Error e{ErrorCode::kBadConfigFile, std::move(message), std::move(hint)};
  e.position = SourcePosition{1, column, 1};
  return std::unexpected<Error>(std::move(e));
}

bool is_name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; }

/// Recursive descent: or < and < not < comparison < sum < product < sign < atom.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}
  Result<NodePtr> parse() {
    SUPYO_ASSIGN(NodePtr n, any());
    skip();
    if (at_ < text_.size()) return at_column(column(), fmt::format("'{}' is not expected here", text_.substr(at_, 10)));
    return n;
  }

 private:
  int column() const { return static_cast<int>(at_) + 1; }
  void skip() { while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_; }
  bool symbol(std::string_view s) {
    skip();
    if (!text_.substr(at_).starts_with(s)) return false;
    at_ += s.size();
    return true;
  }
  bool word(std::string_view w) {
    skip();
    if (!text_.substr(at_).starts_with(w)) return false;
    if (at_ + w.size() < text_.size() && is_name_char(text_[at_ + w.size()])) return false;
    at_ += w.size();
    return true;
  }
  static NodePtr make(Op op, int column, std::vector<NodePtr> children) {
    auto n = std::make_shared<Expression::Node>();
    n->op = op;
    n->column = column;
    n->children = std::move(children);
    return n;
  }

  Result<NodePtr> any() {
    if (++depth_ > kMostDepth) return at_column(column(), "nested too deeply");
    SUPYO_ASSIGN(NodePtr left, all());
    for (int c = column(); word("or"); c = column()) {
      SUPYO_ASSIGN(NodePtr right, all());
      left = make(Op::kOr, c, {left, right});
    }
    --depth_;
    return left;
  }
  Result<NodePtr> all() {
    SUPYO_ASSIGN(NodePtr left, negation());
    for (int c = column(); word("and"); c = column()) {
      SUPYO_ASSIGN(NodePtr right, negation());
      left = make(Op::kAnd, c, {left, right});
    }
    return left;
  }
  Result<NodePtr> negation() {
    const int c = column();
    if (!word("not")) return comparison();
    if (++depth_ > kMostDepth) return at_column(c, "nested too deeply");
    SUPYO_ASSIGN(NodePtr n, negation());
    --depth_;
    return make(Op::kNot, c, {n});
  }
  Result<NodePtr> comparison() {
    SUPYO_ASSIGN(NodePtr left, sum());
    skip();
    const int c = column();
    for (const auto& [s, op] : {std::pair{"<=", Op::kLessEqual}, {">=", Op::kGreaterEqual}, {"==", Op::kEqual}, {"!=", Op::kNotEqual}, {"<", Op::kLess}, {">", Op::kGreater}}) {
      if (!symbol(s)) continue;
      SUPYO_ASSIGN(NodePtr right, sum());
      return make(op, c, {left, right});
    }
    return left;
  }
  Result<NodePtr> sum() {
    SUPYO_ASSIGN(NodePtr left, product());
    while (true) {
      skip();
      const int c = column();
      const bool plus = symbol("+");
      if (!plus && !symbol("-")) return left;
      SUPYO_ASSIGN(NodePtr right, product());
      left = make(plus ? Op::kAdd : Op::kSub, c, {left, right});
    }
  }
  Result<NodePtr> product() {
    SUPYO_ASSIGN(NodePtr left, sign());
    while (true) {
      skip();
      const int c = column();
      const bool times = symbol("*");
      if (!times && !symbol("/")) return left;
      SUPYO_ASSIGN(NodePtr right, sign());
      left = make(times ? Op::kMul : Op::kDiv, c, {left, right});
    }
  }
  Result<NodePtr> sign() {
    const int c = column();
    if (!symbol("-")) return atom();
    if (++depth_ > kMostDepth) return at_column(c, "nested too deeply");
    SUPYO_ASSIGN(NodePtr n, sign());
    --depth_;
    return make(Op::kNegate, c, {n});
  }
  Result<NodePtr> atom() {
    skip();
    const int c = column();
    if (at_ >= text_.size()) return at_column(c, "the formula ends here, a value is missing");
    if (symbol("(")) {
      SUPYO_ASSIGN(NodePtr n, any());
      if (!symbol(")")) return at_column(column(), "')' is missing");
      return n;
    }
    const char first = text_[at_];
    if ((first >= '0' && first <= '9') || first == '.') return number();
    if (!is_name_char(first)) return at_column(c, fmt::format("'{}' is not expected here", first));
    std::size_t end = at_;
    while (end < text_.size() && is_name_char(text_[end])) ++end;
    const std::string name(text_.substr(at_, end - at_));
    at_ = end;
    if (name == "inf") return constant(std::numeric_limits<double>::infinity(), {}, true, c);
    for (const auto& [f, op] : {std::pair{"max", Op::kMax}, {"min", Op::kMin}, {"abs", Op::kAbs}, {"exp", Op::kExp}, {"ln", Op::kLn}}) {
      if (name == f) return call(op, name, c);
    }
    auto n = std::make_shared<Expression::Node>();
    n->op = Op::kName;
    n->name = name;
    n->column = c;
    return n;
  }
  Result<NodePtr> call(Op op, const std::string& name, int c) {
    if (!symbol("(")) return at_column(column(), fmt::format("{} needs its arguments in parentheses", name));
    std::vector<NodePtr> args;
    do {
      SUPYO_ASSIGN(NodePtr a, any());
      args.push_back(std::move(a));
    } while (symbol(","));
    if (!symbol(")")) return at_column(column(), "')' is missing");
    if ((op == Op::kAbs || op == Op::kExp || op == Op::kLn) && args.size() != 1) return at_column(c, fmt::format("{} takes one argument", name));
    return make(op, c, std::move(args));
  }
  NodePtr constant(double v, Unit unit, bool any_unit, int c) {
    auto n = std::make_shared<Expression::Node>();
    n->constant = {v, unit, false};
    n->any_unit = any_unit;
    n->column = c;
    return n;
  }
  Result<NodePtr> number() {
    const int c = column();
    double v = 0;
    const char* end = text_.data() + text_.size();
    const auto [rest, error] = std::from_chars(text_.data() + at_, end, v);
    if (error != std::errc{}) return at_column(c, "not a number");
    at_ = static_cast<std::size_t>(rest - text_.data());
    if (at_ < text_.size() && text_[at_] == '%') {
      ++at_;
      return constant(v / 100, {}, false, c);
    }
    std::size_t stop = at_;
    while (stop < text_.size() && is_name_char(text_[stop])) ++stop;
    const std::string_view unit = text_.substr(at_, stop - at_);
    if (unit.empty()) return constant(v, {}, v == 0, c);
    struct Named {
      std::string_view name;
      double factor;
      Unit unit;
    };
    static constexpr Named kNamed[] = {{"us", 1e-6, kSeconds}, {"ms", 1e-3, kSeconds}, {"s", 1, kSeconds}, {"m", 60, kSeconds}, {"min", 60, kSeconds}, {"h", 3600, kSeconds},
                                       {"d", 86'400, kSeconds}, {"rps", 1, kRate}, {"records", 1, kRecords}, {"B", 1, kBytes}, {"KiB", 1024, kBytes}, {"MiB", 1 << 20, kBytes}, {"GiB", 1 << 30, kBytes}};
    for (const Named& known : kNamed) {
      if (unit != known.name) continue;
      at_ = stop;
      return constant(v * known.factor, known.unit, false, c);
    }
    return at_column(column(), fmt::format("'{}' is not a unit", unit), "units: us, ms, s, m, h, d, rps (records a second), records, B, KiB, MiB, GiB, %");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

/// A value under way: its unit may still be open (inf, 0).
struct Value {
  Quantity q;
  bool any_unit = false;
};

class Evaluator {
 public:
  explicit Evaluator(const Expression::Lookup& lookup) : lookup_(lookup) {}

  Result<Value> run(const Expression::Node& n) {
    if (n.op == Op::kConstant) return Value{n.constant, n.any_unit};
    if (n.op == Op::kName) {
      const auto q = lookup_(n.name);
      if (!q) return at_column(n.column, fmt::format("nothing measured is called '{}'", n.name));
      return Value{*q, false};
    }
    std::vector<Value> v;
    for (const auto& child : n.children) {
      SUPYO_ASSIGN(Value x, run(*child));
      v.push_back(x);
    }
    const bool logic = n.op == Op::kAnd || n.op == Op::kOr || n.op == Op::kNot;
    for (const Value& x : v) {
      if (x.q.truth != logic) return at_column(n.column, logic ? "and, or and not join comparisons, not numbers" : "a truth value is not a number");
    }
    switch (n.op) {
      case Op::kAnd: return Value{Quantity::of(v[0].q.value != 0 && v[1].q.value != 0)};
      case Op::kOr: return Value{Quantity::of(v[0].q.value != 0 || v[1].q.value != 0)};
      case Op::kNot: return Value{Quantity::of(v[0].q.value == 0)};
      case Op::kNegate: return Value{{-v[0].q.value, v[0].q.unit, false}, v[0].any_unit};
      case Op::kAbs: return Value{{std::abs(v[0].q.value), v[0].q.unit, false}, v[0].any_unit};
      case Op::kExp:
      case Op::kLn:
        if (!v[0].any_unit && !(v[0].q.unit == kNumber)) return at_column(n.column, fmt::format("'{}' is not a plain number", unit_name(v[0].q.unit)), "divide by something of the same unit");
        return Value{{n.op == Op::kExp ? std::exp(v[0].q.value) : std::log(v[0].q.value), kNumber, false}};
      case Op::kMul: return Value{{v[0].q.value * v[1].q.value, {v[0].q.unit.seconds + v[1].q.unit.seconds, v[0].q.unit.records + v[1].q.unit.records, v[0].q.unit.bytes + v[1].q.unit.bytes}, false}};
      case Op::kDiv: return Value{{v[0].q.value / v[1].q.value, {v[0].q.unit.seconds - v[1].q.unit.seconds, v[0].q.unit.records - v[1].q.unit.records, v[0].q.unit.bytes - v[1].q.unit.bytes}, false}};
      default: return same_unit(n, v);
    }
  }

 private:
  /// Sums, comparisons, max and min: all operands in one unit.
  Result<Value> same_unit(const Expression::Node& n, const std::vector<Value>& v) {
    Value out = v[0];
    for (const Value& x : v) {
      if (x.any_unit) continue;
      if (out.any_unit) { out.q.unit = x.q.unit; out.any_unit = false; }
      if (!(x.q.unit == out.q.unit)) return at_column(n.column, fmt::format("'{}' and '{}' do not go together", unit_name(out.q.unit), unit_name(x.q.unit)));
    }
    const double a = v[0].q.value;
    const double b = v.back().q.value;
    switch (n.op) {
      case Op::kAdd: out.q.value = a + b; return out;
      case Op::kSub: out.q.value = a - b; return out;
      case Op::kMax: for (const Value& x : v) out.q.value = std::max(out.q.value, x.q.value); return out;
      case Op::kMin: for (const Value& x : v) out.q.value = std::min(out.q.value, x.q.value); return out;
      case Op::kLess: return Value{Quantity::of(a < b)};
      case Op::kLessEqual: return Value{Quantity::of(a <= b)};
      case Op::kGreater: return Value{Quantity::of(a > b)};
      case Op::kGreaterEqual: return Value{Quantity::of(a >= b)};
      case Op::kEqual: return Value{Quantity::of(a == b)};
      case Op::kNotEqual: return Value{Quantity::of(!std::isnan(a) && !std::isnan(b) && a != b)};
      default: return at_column(n.column, "not a formula");
    }
  }

  const Expression::Lookup& lookup_;
};

void collect(const Expression::Node& n, std::vector<std::string>& out) {
  if (n.op == Op::kName && std::find(out.begin(), out.end(), n.name) == out.end()) out.push_back(n.name);
  for (const auto& c : n.children) collect(*c, out);
}

}  // namespace

std::string unit_name(Unit u) {
  if (u == kNumber) return "number";
  if (u == kSeconds) return "s";
  if (u == kRecords) return "records";
  if (u == kRate) return "records/s";
  if (u == kBytes) return "B";
  if (u == kRecordSize) return "B/record";
  return fmt::format("s^{} records^{} B^{}", u.seconds, u.records, u.bytes);
}

Unit unit_named(std::string_view name) {
  if (name == "s") return kSeconds;
  if (name == "records") return kRecords;
  if (name == "records/s") return kRate;
  if (name == "B") return kBytes;
  if (name == "B/record") return kRecordSize;
  return kNumber;
}

Result<Expression> Expression::parse(std::string_view text) {
  SUPYO_ASSIGN(NodePtr root, Parser(text).parse());
  Expression e;
  e.text_ = std::string(text);
  e.root_ = std::move(root);
  return e;
}

Result<Quantity> Expression::evaluate(const Lookup& lookup) const {
  auto v = Evaluator(lookup).run(*root_);
  if (!v) return fail(v.error().with_context(fmt::format("in '{}'", text_)));
  return v->q;
}

Result<bool> Expression::decide(const Lookup& lookup) const {
  SUPYO_ASSIGN(const Quantity q, evaluate(lookup));
  if (!q.truth) return fail(ErrorCode::kBadConfigFile, fmt::format("'{}' is a number, not a statement that is true or false", text_));
  return q.value != 0;
}

std::vector<std::string> Expression::names() const {
  std::vector<std::string> out;
  collect(*root_, out);
  return out;
}

}  // namespace supyo::scenario
