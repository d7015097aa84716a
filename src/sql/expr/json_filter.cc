#include "sql/expr/json_filter.h"

#include <algorithm>
#include <charconv>

namespace supyo::expr {
namespace {

using Kind = Json::Kind;
using Op = JsonFilter::Op;

/// Of a side; nothing where its path leads nowhere.
std::optional<Json> value_of(const JsonFilter::Side& side, const Json& element, const Json& document) {
  if (!side.path) return side.constant;
  const JsonPath::Found found = side.path->find(side.from_document ? document : element, document);
  if (found.missing) return std::nullopt;
  const Json* v = found.value();
  return v == nullptr ? Json{} : *v;
}

/// Less than 0, 0, or more; nothing where a text is no number.
std::optional<int> compare_numbers(std::string_view a, std::string_view b) {
  const auto whole = [](std::string_view t, std::int64_t& v) { return std::from_chars(t.data(), t.data() + t.size(), v) == std::from_chars_result{t.data() + t.size(), std::errc{}}; };
  const auto real = [](std::string_view t, double& v) { return std::from_chars(t.data(), t.data() + t.size(), v) == std::from_chars_result{t.data() + t.size(), std::errc{}}; };
  std::int64_t i = 0, j = 0;
  if (whole(a, i) && whole(b, j)) return i < j ? -1 : i > j ? 1 : 0;
  double x = 0, y = 0;
  if (!real(a, x) || !real(b, y)) return std::nullopt;
  return x < y ? -1 : x > y ? 1 : 0;
}

/// The left side's type says how: 2 equals '2' and '2' equals 2, but '2.0' does not equal 2.
bool equal(const Json& a, const Json& b) {
  const bool plain_b = b.kind == Kind::kNumber || b.kind == Kind::kString;
  if (a.kind == Kind::kNumber) return plain_b && compare_numbers(a.text, b.text) == 0;
  if (a.kind == Kind::kString) return plain_b && a.text == b.text;
  if (a.kind != b.kind) return false;
  if (a.is_scalar()) return a.text == b.text;
  std::string x, y;
  append_json(a, x);
  append_json(b, y);
  return x == y;
}

bool in(const Json& a, const Json& list) {
  return list.kind == Kind::kArray && std::ranges::any_of(list.members, [&](const JsonMember& m) { return equal(a, m.value); });
}

bool ordered(Op op, const Json& a, const Json& b) {
  std::optional<int> order;
  if (a.kind == Kind::kNumber && b.kind == Kind::kNumber) order = compare_numbers(a.text, b.text);
  if (a.kind == Kind::kString && b.kind == Kind::kString) order = a.text.compare(b.text);
  if (!order) return false;
  switch (op) {
    case Op::kLess: return *order < 0;
    case Op::kLessEqual: return *order <= 0;
    case Op::kGreater: return *order > 0;
    default: return *order >= 0;
  }
}

bool compare(const JsonFilter& f, const std::optional<Json>& a, const std::optional<Json>& b) {
  const bool both = a && b;
  switch (f.op) {
    case Op::kEqual: return both && equal(*a, *b);
    case Op::kSame: return both && a->kind == b->kind && equal(*a, *b);
    case Op::kNotEqual: return !both || !equal(*a, *b);
    case Op::kNotSame: return !both || a->kind != b->kind || !equal(*a, *b);
    case Op::kMatches: return a && (a->kind == Kind::kString || a->kind == Kind::kNumber) && re2::RE2::FullMatch(a->text, *f.pattern);
    case Op::kIn: return both && in(*a, *b);
    case Op::kContains: return both && (in(*b, *a) || (a->kind == Kind::kString && b->kind == Kind::kString && a->text.contains(b->text)));
    case Op::kNotIn: return !both || !in(*a, *b);
    default: return both && ordered(f.op, *a, *b);
  }
}

}  // namespace

bool JsonFilter::holds(const Json& element, const Json& document) const {
  const auto part = [&](const auto& p) { return p->holds(element, document); };
  switch (kind) {
    case Kind::kOr: return std::ranges::any_of(parts, part);
    case Kind::kAnd: return std::ranges::all_of(parts, part);
    case Kind::kNot: return !part(parts.front());
    case Kind::kThere: return value_of(left, element, document).has_value();
    case Kind::kCompare: return compare(*this, value_of(left, element, document), value_of(right, element, document));
  }
  return false;
}

}  // namespace supyo::expr
