#include "sql/syntax/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "sql/syntax/token.h"

namespace supyo::syntax {
namespace {

/// Longest part of a source line that is shown, in characters.
constexpr std::size_t kMaxWidth = 160;

std::string_view line_of(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

/// The line as characters that are safe on a terminal: a tab is one space, control characters are '?'.
std::vector<std::string> characters_of(std::string_view line) {
  std::vector<std::string> characters;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '\r') continue;
    if ((byte & 0xc0) == 0x80 && !characters.empty()) {
      characters.back().push_back(c);
    } else if (byte == '\t') {
      characters.emplace_back(" ");
    } else if (byte < 0x20 || byte == 0x7f) {
      characters.emplace_back("?");
    } else {
      characters.emplace_back(1, c);
    }
  }
  return characters;
}

/// Wide characters (Hangul, Chinese, Japanese, full width) take two columns on a terminal.
std::size_t width_of(const std::string& character) {
  if (character.size() < 3) return 1;
  const auto first = static_cast<unsigned char>(character[0]);
  const auto second = static_cast<unsigned char>(character[1]);
  if (first == 0xe1) return second == 0x84 || second == 0x85 ? 2 : 1;
  return (first >= 0xe3 && first <= 0xed) || first >= 0xf0 ? 2 : (first == 0xef && second >= 0xbc && second <= 0xbd ? 2 : 1);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Transpositions count one: FORM is one slip away from FROM.
  std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) next[j] = std::min(next[j], before[j - 2] + 1);
    }
    before = std::exchange(row, std::exchange(next, std::move(before)));
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest_word(std::string_view word, const std::vector<std::string_view>& candidates) {
  constexpr std::size_t kMaxLength = 64;
  if (word.size() < 2 || word.size() > kMaxLength) return {};
  const std::string upper = to_upper(word);
  std::string_view best;
  std::size_t best_distance = word.size() <= 3 ? 2 : (word.size() <= 7 ? 3 : 4);  // must be below: 1, 2 or 3 slips
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kMaxLength || candidate.size() + 4 < upper.size() || upper.size() + 4 < candidate.size()) continue;
    const std::size_t distance = edit_distance(upper, to_upper(candidate));
    if (distance >= best_distance || distance * 2 > std::min(candidate.size(), upper.size())) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string render_diagnostic(std::string_view text, const Error& error, std::string_view name) {
  if (!error.position || error.position->line < 1) return error.to_string();
  const SourcePosition at = *error.position;
  std::string out = fmt::format("SUPYO-{} {}: {}\n", static_cast<int>(error.code), error_name(error.code), error.message);
  const std::string number = std::to_string(at.line);
  const std::string margin(number.size(), ' ');
  out += name.empty() ? fmt::format("{}--> line {}, column {}\n", margin, at.line, at.column)
                      : fmt::format("{}--> {}:{}:{}\n", margin, name, at.line, at.column);
  const std::vector<std::string> line = characters_of(line_of(text, at.line));
  const std::size_t column = std::min(static_cast<std::size_t>(std::max(at.column, 1)) - 1, line.size());
  // A very long line is shown around the place.
  const std::size_t from = column > kMaxWidth / 2 && line.size() > kMaxWidth ? column - kMaxWidth / 2 : 0;
  const std::size_t to = std::min(line.size(), from + kMaxWidth);
  std::string shown = from > 0 ? ".." : "";
  std::string caret(shown.size(), ' ');
  for (std::size_t i = from; i < to; ++i) {
    shown += line[i];
    if (i < column) caret.append(width_of(line[i]), ' ');
  }
  if (to < line.size()) shown += "..";
  std::size_t width = 0;
  const std::size_t last = std::min(to, column + static_cast<std::size_t>(std::max(at.length, 1)));
  for (std::size_t i = column; i < last; ++i) width += width_of(line[i]);
  caret.append(std::max<std::size_t>(width, 1), '^');
  out += fmt::format("{} |\n{} | {}\n{} | {}", margin, number, shown, margin, caret);
  if (!error.hint.empty()) out += fmt::format("\n{} = hint: {}", margin, error.hint);
  return out;
}

}  // namespace supyo::syntax
