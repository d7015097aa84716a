#include "sql/expr/json_path.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "sql/expr/json_filter.h"

namespace supyo::expr {
namespace {

using Kind = Json::Kind;

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && static_cast<unsigned char>(s.front()) <= ' ') s.remove_prefix(1);
  while (!s.empty() && static_cast<unsigned char>(s.back()) <= ' ') s.remove_suffix(1);
  return s;
}

constexpr std::string_view kFunctions[] = {"length", "size", "sum", "min", "max", "avg", "stddev", "first", "last", "index", "keys"};
constexpr int kFiltersMax = 50;   // inside each other

}  // namespace

/// Reads a path from the front of a text, and the filters in it.
class JsonPathParser {
 public:
  JsonPathParser(std::string_view whole, std::string_view rest) : whole_(whole), s_(rest) {}

  std::string_view rest() const { return s_; }

  /// Behind $ or @. In a filter the path ends where no step follows.
  Status steps(JsonPath& path, bool in_filter) {
    while (!s_.empty()) {
      if (!path.steps_.empty() && path.steps_.back().kind == Step::Kind::kFunction) return in_filter ? ok() : bad("a function ends the path");
      if (s_.starts_with("..")) {
        path.steps_.push_back({.kind = Step::Kind::kDeep});
        s_.remove_prefix(s_.size() > 2 && s_[2] == '[' ? 2 : 1);
        if (s_.front() == '.' && s_.size() == 1) return bad("'..' needs a name behind it");
      }
      if (s_.front() == '.') SUPYO_TRY(name(path, in_filter));
      else if (s_.front() == '[') SUPYO_TRY(brackets(path));
      else if (in_filter) return ok();
      else return bad("'.' or '[' must follow");
    }
    return ok();
  }

 private:
  using Step = JsonPath::Step;
  using FilterPtr = std::shared_ptr<const JsonFilter>;

  std::unexpected<Error> bad(std::string_view why) const {
    return fail(ErrorCode::kInvalidQuery, fmt::format("'{}' is no JSON path that is supported: {}", whole_, why), "write '$.a.b', '$[''a''][0]', '$.a[*].b', '$.a[?(@.b > 1)]', with lax or strict before it");
  }
  bool take(std::string_view text) {
    if (!s_.starts_with(text)) return false;
    s_.remove_prefix(text.size());
    return true;
  }
  void blanks() {
    while (!s_.empty() && static_cast<unsigned char>(s_.front()) <= ' ') s_.remove_prefix(1);
  }
  static bool number(std::string_view t, long& to) {
    t = trimmed(t);
    return !t.empty() && std::from_chars(t.data(), t.data() + t.size(), to) == std::from_chars_result{t.data() + t.size(), std::errc{}};
  }

  /// Behind a '.': a name, *, or a function.
  Status name(JsonPath& path, bool in_filter) {
    s_.remove_prefix(1);
    if (s_.starts_with('[')) return ok();   // $.['a b'], as Flink's documentation writes it
    std::size_t end = std::min(s_.find_first_of(in_filter ? ".[ )=!<>&|~,\t\n" : ".["), s_.size());
    if (in_filter && s_.substr(end).starts_with(')') && s_.substr(0, end).ends_with('(')) ++end;   // @.a.length()
    const std::string_view word = s_.substr(0, end);
    s_.remove_prefix(end);
    if (word.empty()) return bad("a name is missing");
    if (word == "*") {
      path.steps_.push_back({.kind = Step::Kind::kAll});
    } else if (word.ends_with(')')) {
      const std::size_t open = std::min(word.find('('), word.size());
      Step step{.kind = Step::Kind::kFunction, .names = {std::string(word.substr(0, open))}};
      const std::string_view argument = open + 2 > word.size() ? "" : trimmed(word.substr(open + 1, word.size() - open - 2));
      if (std::ranges::find(kFunctions, step.names.front()) == std::end(kFunctions)) return bad(fmt::format("of functions there are {}", fmt::join(kFunctions, ", ")));
      if ((step.names.front() == "index") != !argument.empty() || (!argument.empty() && !number(argument, step.indexes.emplace_back()))) return bad("index(n) has a number, other functions have nothing");
      path.steps_.push_back(std::move(step));
    } else {
      path.steps_.push_back({.kind = Step::Kind::kNames, .names = {std::string(word)}});
    }
    return ok();
  }

  Status brackets(JsonPath& path) {
    s_.remove_prefix(1);
    blanks();
    Step step;
    if (s_.starts_with('\'') || s_.starts_with('"')) {
      while (s_.starts_with('\'') || s_.starts_with('"')) {
        SUPYO_ASSIGN(step.names.emplace_back(), quoted());
        blanks();
        if (!take(",")) break;
        blanks();
      }
    } else if (take("*")) {
      step.kind = Step::Kind::kAll;
    } else if (take("?(")) {
      step.kind = Step::Kind::kFilter;
      step.behind_deep = !path.steps_.empty() && path.steps_.back().kind == Step::Kind::kDeep;
      SUPYO_ASSIGN(step.filter, filter());
      if (!take(")")) return bad("')' is missing behind the filter");
    } else {
      SUPYO_TRY(places(step));
    }
    blanks();
    if (!take("]")) return bad("']' is missing");
    path.steps_.push_back(std::move(step));
    return ok();
  }

  Result<std::string> quoted() {
    const char quote = s_.front();
    std::string out;
    std::size_t i = 1;
    for (; i < s_.size() && s_[i] != quote; ++i) out += s_[i] == '\\' && i + 1 < s_.size() ? s_[++i] : s_[i];
    if (i >= s_.size()) return bad("a quote is not closed");
    s_.remove_prefix(i + 1);
    return out;
  }

  /// [1], [0, 2], [1:3]
  Status places(Step& step) {
    const std::size_t end = s_.find(']');
    if (end == std::string_view::npos) return bad("']' is missing");
    std::string_view inside = s_.substr(0, end);
    s_.remove_prefix(end);
    if (const std::size_t colon = inside.find(':'); colon != std::string_view::npos) {
      step.kind = Step::Kind::kSlice;
      step.indexes = {0, 0};
      const std::string_view from = trimmed(inside.substr(0, colon)), to = trimmed(inside.substr(colon + 1));
      step.open_end = to.empty();
      if ((!from.empty() && !number(from, step.indexes[0])) || (!to.empty() && !number(to, step.indexes[1]))) return bad("a slice is [from:to]");
      return ok();
    }
    step.kind = Step::Kind::kIndexes;
    while (true) {
      const std::size_t comma = inside.find(',');
      if (!number(inside.substr(0, comma), step.indexes.emplace_back())) return bad("in [..] stand names in quotes, numbers, [from:to], * or ?(..); the last element is [-1]");
      if (comma == std::string_view::npos) return ok();
      inside.remove_prefix(comma + 1);
    }
  }

  // ---- filters: or, and, not, comparisons

  Result<FilterPtr> filter() {
    if (++depth_ > kFiltersMax) return bad("the filter is nested too deeply");
    SUPYO_ASSIGN(FilterPtr all, joined(JsonFilter::Kind::kOr, "||", [this] { return joined(JsonFilter::Kind::kAnd, "&&", [this] { return operand(); }); }));
    --depth_;
    return all;
  }
  template <class Inner>
  Result<FilterPtr> joined(JsonFilter::Kind kind, std::string_view word, Inner inner) {
    JsonFilter all;
    all.kind = kind;
    do {
      SUPYO_ASSIGN(FilterPtr part, inner());
      all.parts.push_back(std::move(part));
      blanks();
    } while (take(word));
    return all.parts.size() == 1 ? all.parts.front() : std::make_shared<const JsonFilter>(std::move(all));
  }
  Result<FilterPtr> operand() {
    blanks();
    if (s_.starts_with('!') && !s_.starts_with("!=")) {
      s_.remove_prefix(1);
      if (++depth_ > kFiltersMax) return bad("the filter is nested too deeply");
      JsonFilter f;
      f.kind = JsonFilter::Kind::kNot;
      SUPYO_ASSIGN(FilterPtr part, operand());
      --depth_;
      f.parts.push_back(std::move(part));
      return std::make_shared<const JsonFilter>(std::move(f));
    }
    if (take("(")) {
      SUPYO_ASSIGN(FilterPtr inside, filter());
      if (!take(")")) return bad("')' is missing in the filter");
      return inside;
    }
    return comparison();
  }
  Result<FilterPtr> comparison() {
    using Op = JsonFilter::Op;
    static constexpr std::pair<std::string_view, Op> kOps[] = {{"===", Op::kSame}, {"!==", Op::kNotSame}, {"==", Op::kEqual}, {"!=", Op::kNotEqual}, {"<=", Op::kLessEqual},
                                                               {">=", Op::kGreaterEqual}, {"=~", Op::kMatches}, {"<", Op::kLess}, {">", Op::kGreater}, {"in ", Op::kIn}, {"nin ", Op::kNotIn}, {"contains ", Op::kContains}};
    JsonFilter f;
    SUPYO_ASSIGN(f.left, side());
    blanks();
    const auto* op = std::ranges::find_if(kOps, [this](const auto& o) { return s_.starts_with(o.first); });
    if (op == std::end(kOps)) {
      if (!f.left.path || !(s_.empty() || s_.starts_with(')') || s_.starts_with("&&") || s_.starts_with("||"))) return bad("in a filter stand ==, ===, !=, !==, <, <=, >, >=, =~, in, nin, contains, &&, || and !");
      return std::make_shared<const JsonFilter>(std::move(f));
    }
    s_.remove_prefix(op->first.size());
    f.kind = JsonFilter::Kind::kCompare;
    f.op = op->second;
    blanks();
    if (f.op == Op::kMatches) {
      SUPYO_TRY(pattern(f));
    } else {
      SUPYO_ASSIGN(f.right, side());
    }
    return std::make_shared<const JsonFilter>(std::move(f));
  }
  /// /regular expression/i
  Status pattern(JsonFilter& f) {
    std::string text;
    std::size_t i = 1;
    if (!s_.starts_with('/')) return bad("behind =~ stands /a regular expression/");
    for (; i < s_.size() && s_[i] != '/'; ++i) {
      if (s_[i] == '\\' && i + 1 < s_.size() && s_[i + 1] == '/') ++i;
      text += s_[i];
    }
    if (i >= s_.size()) return bad("'/' is missing behind the regular expression");
    s_.remove_prefix(i + 1);
    re2::RE2::Options options(re2::RE2::Quiet);
    options.set_case_sensitive(!take("i"));
    f.pattern = std::make_shared<const re2::RE2>(text, options);
    return f.pattern->ok() ? ok() : Status(bad(f.pattern->error()));
  }
  Result<JsonFilter::Side> side() {
    JsonFilter::Side out;
    if (s_.starts_with('@') || s_.starts_with('$')) {
      out.from_document = s_.front() == '$';
      s_.remove_prefix(1);
      JsonPath path;
      SUPYO_TRY(steps(path, true));
      out.path = std::make_shared<const JsonPath>(std::move(path));
      return out;
    }
    if (s_.starts_with('\'') || s_.starts_with('"')) {
      out.constant.kind = Kind::kString;
      SUPYO_ASSIGN(out.constant.text, quoted());
      return out;
    }
    if (take("[")) return list();
    const std::string_view word = s_.substr(0, s_.find_first_of(" )=!<>&|,]\t\n"));
    auto constant = parse_json(word);
    if (word.empty() || !constant || !constant->is_scalar()) return bad("in a filter stand @.., $.., numbers, texts in quotes, true, false and null");
    s_.remove_prefix(word.size());
    out.constant = *std::move(constant);
    return out;
  }
  Result<JsonFilter::Side> list() {
    JsonFilter::Side out;
    out.constant.kind = Kind::kArray;
    for (blanks(); !take("]"); blanks()) {
      if (++depth_ > kFiltersMax) return bad("the filter is nested too deeply");
      SUPYO_ASSIGN(JsonFilter::Side one, side());
      --depth_;
      if (one.path) return bad("a list in a filter holds constants");
      out.constant.members.emplace_back(std::string(), std::move(one.constant));
      blanks();
      if (!take(",") && !s_.starts_with(']')) return bad("',' or ']' is missing in a list");
    }
    return out;
  }

  std::string_view whole_, s_;
  int depth_ = 0;
};

Result<JsonPath> JsonPath::parse(std::string_view text) {
  JsonPath path;
  std::string_view s = trimmed(text);
  for (const std::string_view mode : {"lax", "strict"}) {
    if (s.size() <= mode.size() || static_cast<unsigned char>(s[mode.size()]) > ' ') continue;
    if (!std::ranges::equal(s.substr(0, mode.size()), mode, [](char a, char b) { return a == b || a + 32 == b; })) continue;
    path.lax_ = mode == "lax";
    s = trimmed(s.substr(mode.size()));
    break;
  }
  if (s.empty()) return fail(ErrorCode::kInvalidQuery, fmt::format("'{}' is no JSON path that is supported: it is empty", text), "write '$.a.b'");
  std::string with_root;
  if (s.front() != '$') {   // the root may be left out
    with_root = (s.front() == '[' ? "$" : "$.") + std::string(s);
    s = with_root;
  }
  JsonPathParser parser(text, s.substr(1));
  SUPYO_TRY(parser.steps(path, false));
  return path;
}

bool JsonPath::follow(const Step& step, const Json& from, const Json& document, std::vector<const Json*>& to) {
  const auto size = static_cast<long>(from.members.size());
  const std::size_t before = to.size();
  switch (step.kind) {
    case Step::Kind::kNames:
      if (from.kind != Kind::kObject) return false;
      for (const std::string& name : step.names)
        if (const Json* member = from.find(name)) to.push_back(member);
      return !step.definite() || to.size() > before;
    case Step::Kind::kIndexes:
      if (from.kind != Kind::kArray) return false;
      for (const long i : step.indexes)
        if (const long at = i < 0 ? i + size : i; at >= 0 && at < size) to.push_back(&from.members[static_cast<std::size_t>(at)].value);
      return !step.definite() || to.size() > before;
    case Step::Kind::kAll:
      for (const auto& [name, member] : from.members) to.push_back(&member);
      return true;
    case Step::Kind::kSlice: {
      if (from.kind != Kind::kArray) return false;
      const auto place = [size](long i) { return std::clamp(i < 0 ? i + size : i, 0L, size); };
      for (long i = place(step.indexes[0]); i < (step.open_end ? size : place(step.indexes[1])); ++i) to.push_back(&from.members[static_cast<std::size_t>(i)].value);
      return true;
    }
    case Step::Kind::kDeep:
      to.push_back(&from);
      for (const auto& [name, member] : from.members) follow(step, member, document, to);
      return true;
    case Step::Kind::kFilter:
      if (step.behind_deep && from.kind != Kind::kObject) return true;
      if (from.is_scalar()) return false;
      if (from.kind == Kind::kObject) {
        if (step.filter->holds(from, document)) to.push_back(&from);
        return true;
      }
      for (const auto& [name, member] : from.members)
        if (step.filter->holds(member, document)) to.push_back(&member);
      return true;
    case Step::Kind::kFunction: return true;
  }
  return true;
}

namespace {

Json number_of(double v) {
  std::string text = fmt::format("{}", v);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return {Kind::kNumber, std::move(text), {}};
}

/// sum(), avg() and the like, of the numbers among the elements.
std::optional<Json> aggregated(std::string_view function, const Json& of) {
  double sum = 0, squares = 0, least = INFINITY, most = -INFINITY, n = 0;
  for (const auto& [name, member] : of.members) {
    double v = 0;
    if (of.kind != Kind::kArray || member.kind != Kind::kNumber) continue;
    std::from_chars(member.text.data(), member.text.data() + member.text.size(), v);
    sum += v;
    squares += v * v;
    least = std::min(least, v);
    most = std::max(most, v);
    ++n;
  }
  if (n == 0) return std::nullopt;
  if (function == "sum") return number_of(sum);
  if (function == "min") return number_of(least);
  if (function == "max") return number_of(most);
  if (function == "avg") return number_of(sum / n);
  return number_of(std::sqrt(squares / n - (sum / n) * (sum / n)));
}

/// What a function at the path's end makes; nothing where it cannot.
std::optional<Json> call(std::string_view function, const std::vector<long>& arguments, const Json& of) {
  if (function == "length" || function == "size") return of.is_scalar() ? std::nullopt : std::optional(Json{Kind::kNumber, std::to_string(of.members.size()), {}});
  if (function == "keys") {
    if (of.kind != Kind::kObject) return std::nullopt;
    Json names{Kind::kArray, {}, {}};
    for (const auto& [name, member] : of.members) names.members.emplace_back(std::string(), Json{Kind::kString, name, {}});
    return names;
  }
  if (function == "first" || function == "last" || function == "index") {
    const auto size = static_cast<long>(of.members.size());
    long at = function == "first" ? 0 : function == "last" ? size - 1 : arguments.front();
    if (at < 0) at += size;
    if (of.kind != Kind::kArray || at < 0 || at >= size) return std::nullopt;
    return of.members[static_cast<std::size_t>(at)].value;
  }
  return aggregated(function, of);
}

}  // namespace

JsonPath::Found JsonPath::find(const Json& from, const Json& document) const {
  std::vector<const Json*> at = {&from};
  bool definite = true;   // so far
  for (const Step& step : steps_) {
    if (step.kind == Step::Kind::kFunction) {
      std::optional<Json> made = at.size() == 1 ? call(step.names.front(), step.indexes, *at[0]) : std::nullopt;
      if (made && made->kind == Kind::kNull) return {.part = nullptr, .made = {}};
      const bool missing = !made;
      return {.missing = missing, .made = std::move(made)};
    }
    std::vector<const Json*> next;
    for (const Json* one : at) {
      if (follow(step, *one, document, next) || !definite || lax_) continue;
      return {.missing = true, .made = {}};   // among many, those that do not have it are left out
    }
    definite &= step.definite();
    at = std::move(next);
  }
  if (definite) {
    if (at.empty()) return {.missing = true, .made = {}};
    return {.part = at[0]->kind == Kind::kNull ? nullptr : at[0], .made = {}};
  }
  Found found{.made = Json{Kind::kArray, {}, {}}};
  for (const Json* v : at) found.made->members.emplace_back(std::string(), *v);
  return found;
}

}  // namespace supyo::expr
