#include <fmt/format.h>

#include "sql/syntax/diagnostic.h"
#include "sql/syntax/parser.h"

namespace supyo::syntax {
namespace {

/// One-based line and column (in characters) of a byte offset.
SourcePosition position_at(std::string_view text, std::size_t offset, std::size_t length) {
  SourcePosition position{1, 1, static_cast<int>(length)};
  for (std::size_t i = 0; i < offset; ++i) {
    if (text[i] == '\n') {
      ++position.line;
      position.column = 1;
    } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
      ++position.column;
    }
  }
  return position;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

/// End of the comment that starts at `at`, or `at` itself when none does.
std::size_t skip_comment(std::string_view text, std::size_t at) {
  if (text.substr(at, 2) == "--") return std::min(text.find('\n', at), text.size());
  if (text.substr(at, 2) == "/*" && text.substr(at, 3) != "/*+") {
    const std::size_t end = text.find("*/", at + 2);
    return end == std::string_view::npos ? text.size() : end + 2;
  }
  return at;
}

}  // namespace

Result<std::string> substitute_variables(std::string_view text, const std::map<std::string, std::string, std::less<>>& variables) {
  std::string out;
  out.reserve(text.size());
  char quote = '\0';  // inside '..' or `..`, where -- and /* mean nothing
  for (std::size_t at = 0; at < text.size();) {
    if (quote == '\0') {
      if (const std::size_t end = skip_comment(text, at); end != at) {
        out.append(text.substr(at, end - at));
        at = end;
        continue;
      }
    }
    const char c = text[at];
    if (c == '\'' || c == '`') {
      if (quote == '\0') {
        quote = c;
      } else if (quote == c) {
        quote = '\0';
      }
    }
    if (text.substr(at, 2) != "${") {
      out.push_back(c);
      ++at;
      continue;
    }
    const std::size_t end = text.find('}', at);
    const std::string_view name = end == std::string_view::npos ? std::string_view{} : text.substr(at + 2, end - at - 2);
    if (name.starts_with("env:") || name.starts_with("file:")) {
      out.append(text.substr(at, end + 1 - at));
      at = end + 1;
      continue;
    }
    if (!is_name(name))
      return fail(Error{ErrorCode::kSyntax, "'${' starts a variable, but no name and '}' follow", "write ${NAME}", position_at(text, at, 2)});
    const auto found = variables.find(name);
    if (found == variables.end()) {
      std::vector<std::string_view> known;
      for (const auto& [key, value] : variables) known.push_back(key);
      const std::string_view meant = nearest_word(name, known);
      return fail(Error{ErrorCode::kSyntax, fmt::format("the variable ${{{}}} has no value", name),
                        meant.empty() ? fmt::format("give it with --var {}=VALUE", name) : fmt::format("did you mean ${{{}}}?", meant),
                        position_at(text, at, end + 1 - at)});
    }
    out.append(found->second);
    at = end + 1;
  }
  return out;
}

}  // namespace supyo::syntax
