#include <re2/re2.h>

#include "sql/expr/nested_rows.h"
#include "sql/expr/registration.h"
#include "sql/expr/utf8.h"

namespace supyo::expr {
namespace {

using Args = std::span<const ColumnPtr>;
using Text = std::string_view;

// ---- LIKE

/// A LIKE pattern taken apart. Matching walks the text once and falls back to the last % on a mismatch.
class LikePattern {
 public:
  static Result<LikePattern> parse(Text pattern, Text escape) {
    LikePattern p;
    if (utf8_length(escape) > 1) return fail(ErrorCode::kArithmetic, fmt::format("LIKE: '{}' is not an escape character", escape), "ESCAPE takes one character");
    for (std::size_t i = 0; i < pattern.size();) {
      const std::size_t size = utf8_offset(pattern.substr(i), 1);
      Text c = pattern.substr(i, size);
      i += size;
      if (!escape.empty() && c == escape) {
        const std::size_t next = utf8_offset(pattern.substr(i), 1);
        c = pattern.substr(i, next);
        if (c != "%" && c != "_" && c != escape) {
          return fail(ErrorCode::kArithmetic, fmt::format("LIKE: invalid escape sequence in '{}'", pattern), "the escape character stands before %, _ or itself");
        }
        i += next;
      } else if (c == "%") {
        if (p.tokens_.empty() || p.tokens_.back().kind != Kind::kRun) p.tokens_.push_back({Kind::kRun, {}});
        continue;
      } else if (c == "_") {
        p.tokens_.push_back({Kind::kOne, {}});
        continue;
      }
      if (p.tokens_.empty() || p.tokens_.back().kind != Kind::kText) p.tokens_.push_back({Kind::kText, {}});
      p.tokens_.back().text += c;
    }
    return p;
  }

  bool matches(Text s) const {
    std::size_t token = 0;
    std::size_t at = 0;
    std::size_t run = SIZE_MAX;  // the last % seen, and where its run may end next
    std::size_t run_at = 0;
    while (true) {
      if (token == tokens_.size()) {
        if (at == s.size()) return true;
      } else if (tokens_[token].kind == Kind::kRun) {
        if (token + 1 == tokens_.size()) return true;
        run = token++;
        run_at = at;
        if (!skip_to_text(s, token, run_at)) return false;
        at = run_at;
        continue;
      } else if (const std::size_t n = matched(tokens_[token], s, at); n != 0) {
        at += n;
        ++token;
        continue;
      }
      if (run == SIZE_MAX || run_at >= s.size()) return false;
      run_at += utf8_offset(s.substr(run_at), 1);
      token = run + 1;
      if (!skip_to_text(s, token, run_at)) return false;
      at = run_at;
    }
  }

 private:
  enum class Kind : std::uint8_t { kText, kOne, kRun };
  struct Token {
    Kind kind;
    std::string text;
  };
  /// After a %, a text can only begin where it is found.
  bool skip_to_text(Text s, std::size_t token, std::size_t& at) const {
    if (tokens_[token].kind != Kind::kText) return true;
    at = s.find(tokens_[token].text, at);
    return at != Text::npos;
  }
  static std::size_t matched(const Token& t, Text s, std::size_t at) {
    if (t.kind == Kind::kText) return s.substr(at).starts_with(t.text) ? t.text.size() : 0;
    return at < s.size() ? utf8_offset(s.substr(at), 1) : 0;
  }
  std::vector<Token> tokens_;
};

Result<ColumnPtr> like(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  std::string last_pattern;
  std::string last_escape;
  std::optional<LikePattern> compiled;
  const auto match = [&](Text s, Text pattern, Text escape) -> Result<std::uint8_t> {
    // Patterns are nearly always constants: one is parsed as often as it changes.
    if (!compiled || pattern != last_pattern || escape != last_escape) {
      SUPYO_ASSIGN(compiled, LikePattern::parse(pattern, escape));
      last_pattern = pattern;
      last_escape = escape;
    }
    return compiled->matches(s);
  };
  if (args.size() == 3) return map_rows<Text, Text, Text>(args, result, rows, match);
  return map_rows<Text, Text>(args, result, rows, [&](Text s, Text pattern) { return match(s, pattern, {}); });
}

// ---- regular expressions: RE2's syntax, which is Java's without backreferences and look-around. As in Flink an invalid one gives null.

class CachedRegex {
 public:
  /// Null when the expression is invalid.
  const RE2* get(Text expression) {
    if (!regex_ || expression != text_) {
      text_ = expression;
      RE2::Options options(RE2::Quiet);
      regex_ = std::make_unique<RE2>(text_, options);
    }
    return regex_->ok() ? regex_.get() : nullptr;
  }

 private:
  std::string text_;
  std::unique_ptr<RE2> regex_;
};

re2::StringPiece piece(Text s) { return {s.data(), s.size()}; }

Result<ColumnPtr> regexp(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  CachedRegex cache;
  return map_rows<Text, Text>(args, result, rows, [&](Text s, Text expression) -> std::optional<std::uint8_t> {
    if (expression.empty()) return std::uint8_t{0};   // as Flink: an empty expression fits nothing
    const RE2* re = cache.get(expression);
    if (re == nullptr) return std::nullopt;
    return RE2::PartialMatch(piece(s), *re);
  });
}

Result<ColumnPtr> regexp_extract(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  CachedRegex cache;
  const auto extract = [&](std::string& out, Text s, Text expression, std::int32_t group) {
    const RE2* re = cache.get(expression);
    if (re == nullptr || group < 0 || group > re->NumberOfCapturingGroups()) return false;
    std::vector<re2::StringPiece> groups(static_cast<std::size_t>(group) + 1);
    if (!re->Match(piece(s), 0, s.size(), RE2::UNANCHORED, groups.data(), group + 1) || groups.back().data() == nullptr) return false;
    out.append(groups.back().data(), groups.back().size());
    return true;
  };
  if (args.size() == 3) return map_text<Text, Text, std::int32_t>(args, result, rows, extract);
  return map_text<Text, Text>(args, result, rows, [&](std::string& out, Text s, Text e) { return extract(out, s, e, 0); });
}

/// Visits the matches from left to right, never overlapping, as Java's Matcher.find.
template <class Visit>
void each_match(const RE2& re, Text s, Visit visit) {
  for (std::size_t at = 0; at <= s.size();) {
    re2::StringPiece found;
    if (!re.Match(piece(s), at, s.size(), RE2::UNANCHORED, &found, 1)) return;
    const auto start = static_cast<std::size_t>(found.data() - s.data());
    if (!visit(start, found.size())) return;
    at = start + found.size();
    if (found.size() == 0) at += at < s.size() ? utf8_offset(s.substr(at), 1) : 1;
  }
}

Result<ColumnPtr> regexp_replace(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  CachedRegex cache;
  return map_text<Text, Text, Text>(args, result, rows, [&](std::string& out, Text s, Text expression, Text with) {
    const RE2* re = cache.get(expression);
    if (re == nullptr) return false;
    std::size_t from = 0;
    each_match(*re, s, [&](std::size_t start, std::size_t size) {
      out += s.substr(from, start - from);
      out += with;
      from = start + size;
      return true;
    });
    out += s.substr(from);
    return true;
  });
}

Result<ColumnPtr> regexp_count(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  CachedRegex cache;
  return map_rows<Text, Text>(args, result, rows, [&](Text s, Text expression) -> std::optional<std::int32_t> {
    const RE2* re = cache.get(expression);
    if (re == nullptr) return std::nullopt;
    std::int32_t n = 0;
    each_match(*re, s, [&](std::size_t, std::size_t) { return ++n > 0; });
    return n;
  });
}

Result<ColumnPtr> regexp_instr(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  CachedRegex cache;
  return map_rows<Text, Text>(args, result, rows, [&](Text s, Text expression) -> std::optional<std::int32_t> {
    const RE2* re = cache.get(expression);
    if (re == nullptr) return std::nullopt;
    std::int32_t position = 0;
    each_match(*re, s, [&](std::size_t start, std::size_t) {
      position = static_cast<std::int32_t>(utf8_length(s.substr(0, start))) + 1;
      return false;
    });
    return position;
  });
}

/// The group (else the first) of every match; null where that took no part.
Result<ColumnPtr> regexp_extract_all(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  CachedRegex cache;
  const Type& element = result.children()[0];
  return each_row(result, rows, [&](std::size_t row, std::string& out) {
    if (args[0]->is_null(row) || args[1]->is_null(row) || (args.size() > 2 && args[2]->is_null(row))) return false;
    const std::int32_t group = args.size() > 2 ? args[2]->value<std::int32_t>(row) : 1;
    const RE2* re = cache.get(args[1]->text(row));
    if (re == nullptr || group < 0 || group > re->NumberOfCapturingGroups()) return false;
    const Text s = args[0]->text(row);
    std::vector<re2::StringPiece> groups(static_cast<std::size_t>(group) + 1);
    nested::Items items;
    each_match(*re, s, [&](std::size_t start, std::size_t) {
      re->Match(piece(s), start, s.size(), RE2::UNANCHORED, groups.data(), group + 1);
      const re2::StringPiece& found = groups.back();
      items.push_back(found.data() == nullptr ? nested::Item{} : nested::Item{false, Text(found.data(), found.size())});
      return true;
    });
    nested::write_array(element, items, out);
    return true;
  });
}

/// SQL's SIMILAR TO pattern as a regular expression: % and _ as in LIKE, the operators | * + ? {} () [] kept.
std::string similar_to_regex(Text pattern) {
  std::string out;
  for (const char c : pattern) {
    if (c == '%') out += "(?s:.*)";
    else if (c == '_') out += "(?s:.)";
    else if (c == '.' || c == '\\' || c == '$') (out += '\\') += c;
    else out += c;
  }
  return out;
}

Result<ColumnPtr> similar_to(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  CachedRegex cache;
  return map_rows<Text, Text>(args, result, rows, [&](Text s, Text pattern) -> Result<std::uint8_t> {
    const RE2* re = cache.get(similar_to_regex(pattern));
    if (re == nullptr) return fail(ErrorCode::kArithmetic, fmt::format("SIMILAR TO: invalid pattern '{}'", pattern));
    return RE2::FullMatch(piece(s), *re);
  });
}

/// Whether the whole text fits a fixed expression; not null, and so not of a null.
template <const char* const& kExpression>
Result<ColumnPtr> is_all(Args args, const Type& result, std::size_t rows, const EvalContext&) {
  static const RE2 expression(kExpression);
  FixedOutput<std::uint8_t> out(rows);
  for (std::size_t i = 0; i < rows; ++i) out.set(i, !args[0]->is_null(i) && RE2::FullMatch(piece(args[0]->text(i)), expression));
  return out.finish(result);
}
constexpr const char* kLetters = "\\p{L}+";
constexpr const char* kDigits = "\\p{Nd}+";
constexpr const char* kNumber = "[\\x00- ]*[+-]?(NaN|Infinity|([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?|\\p{Nd}+)[\\x00- ]*";   // what Java's Double.parseDouble() takes

}  // namespace

void register_pattern(Registrar& r) {
  const Type s = Type::string();
  const Type i = Type::integer();
  const Type b = Type::boolean();
  r.add({.name = "LIKE", .kernel = like, .signature = "STRING LIKE pattern [ESCAPE character] -> BOOLEAN", .help = "Whether the text fits: % is any text, _ any character."},
        takes({s, s, s}, b, {.optional = 1}));
  r.add({.name = "SIMILAR TO", .kernel = similar_to, .signature = "STRING SIMILAR TO pattern -> BOOLEAN", .help = "Whether the text fits the SQL regular expression."},
        takes({s, s}, b));
  r.add({.name = "IS_ALPHA", .kernel = is_all<kLetters>, .signature = "IS_ALPHA(STRING) -> BOOLEAN", .help = "Whether all characters are letters; FALSE of an empty text and of null."}, takes({s}, b, {.never_null = true}));
  r.add({.name = "IS_DIGIT", .kernel = is_all<kDigits>, .signature = "IS_DIGIT(STRING) -> BOOLEAN", .help = "Whether all characters are digits; FALSE of an empty text and of null."}, takes({s}, b, {.never_null = true}));
  r.add({.name = "IS_DECIMAL", .kernel = is_all<kNumber>, .signature = "IS_DECIMAL(STRING) -> BOOLEAN", .help = "Whether the text is a number; FALSE of null."}, takes({s}, b, {.never_null = true}));
  const Shape nullable{.always_nullable = true};
  r.add({.name = "REGEXP", .kernel = regexp, .signature = "REGEXP(STRING, regex) -> BOOLEAN", .help = "Whether a part of the text fits the regular expression."},
        takes({s, s}, b, nullable));
  r.add({.name = "REGEXP_EXTRACT", .kernel = regexp_extract, .signature = "REGEXP_EXTRACT(STRING, regex [, group]) -> STRING",
         .help = "The part (or the group of it) that fits the regular expression; null when none does."},
        takes({s, s, i}, s, {.optional = 1, .always_nullable = true}));
  r.add({.name = "REGEXP_EXTRACT_ALL", .kernel = regexp_extract_all, .signature = "REGEXP_EXTRACT_ALL(STRING, regex [, group]) -> ARRAY<STRING>",
         .help = "The group, else the first one, of every part that fits; 0 is the whole part."},
        takes({s, s, i}, Type::array(s), {.optional = 1, .always_nullable = true}));
  r.add({.name = "REGEXP_SUBSTR", .kernel = regexp_extract, .signature = "REGEXP_SUBSTR(STRING, regex) -> STRING", .help = "The first part that fits; null when none does."},
        takes({s, s}, s, nullable));
  r.add({.name = "REGEXP_REPLACE", .kernel = regexp_replace, .signature = "REGEXP_REPLACE(STRING, regex, STRING) -> STRING", .help = "Every part that fits replaced."},
        takes({s, s, s}, s, nullable));
  r.add({.name = "REGEXP_COUNT", .kernel = regexp_count, .signature = "REGEXP_COUNT(STRING, regex) -> INT", .help = "How many parts fit."}, takes({s, s}, i, nullable));
  r.add({.name = "REGEXP_INSTR", .kernel = regexp_instr, .signature = "REGEXP_INSTR(STRING, regex) -> INT", .help = "Where the first part that fits begins, from 1; 0 when none does."},
        takes({s, s}, i, nullable));
}

}  // namespace supyo::expr
