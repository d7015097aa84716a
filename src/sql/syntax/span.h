#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace supyo::syntax {

/// Where a node stands in the text that was parsed: one-based line and column (in characters, not bytes) of its first
/// character, of the character after its last one, and the same as byte offsets.
/// Two spans always compare equal, so that `==` on the tree compares structure and ignores positions.
struct Span {
  int line = 0;
  int column = 0;
  int end_line = 0;
  int end_column = 0;
  std::size_t begin = 0;
  std::size_t end = 0;

  /// For Error::position. A node over several lines is marked by its first character only.
  SourcePosition position() const {
    const bool one_line = end_line == line && end_column > column;
    return {line, column, one_line ? end_column - column : 1};
  }
  /// From the start of `first` to the end of `last`.
  static Span join(const Span& first, const Span& last) {
    return {first.line, first.column, last.end_line, last.end_column, first.begin, last.end};
  }
  friend bool operator==(const Span&, const Span&) { return true; }
};

/// One identifier as the user meant it: backticks removed, case kept (identifiers are case-sensitive, as in Flink).
struct Identifier {
  Span span;
  std::string text;
  bool operator==(const Identifier&) const = default;
};

/// A dotted name of one to three parts (more where a column path goes into nested rows).
struct Name {
  Span span;
  std::vector<Identifier> parts;
  bool operator==(const Name&) const = default;

  const std::string& last() const { return parts.back().text; }
  /// "catalog.database.table", unquoted: for messages.
  std::string to_string() const {
    std::string text;
    for (const Identifier& part : parts) text += (text.empty() ? "" : ".") + part.text;
    return text;
  }
};

}  // namespace supyo::syntax
