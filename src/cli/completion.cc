#include "cli/completion.h"

#include <algorithm>
#include <array>

#include "sql/syntax/printer.h"

namespace supyo::cli {
namespace {

constexpr auto kKeywords = std::to_array<std::string_view>({
    "ALTER", "AND", "AS", "ASC", "BETWEEN", "BIGINT", "BOOLEAN", "BY", "CASE", "CAST", "CATALOG", "COMMENT", "CREATE", "CROSS JOIN", "CUMULATE", "DATE", "DECIMAL", "DESC", "DESCRIBE",
    "DESCRIPTOR", "DISTINCT", "DOUBLE", "DROP", "ELSE", "END", "EXCEPT", "EXISTS", "EXPLAIN", "FALSE", "FETCH", "FILTER", "FLOAT", "FOR SYSTEM_TIME AS OF", "FROM", "FULL JOIN", "FUNCTION",
    "GROUP BY", "HAVING", "HOP", "IF EXISTS", "IF NOT EXISTS", "IN", "INNER JOIN", "INSERT INTO", "INT", "INTERSECT", "INTERVAL", "IS", "JOIN", "LEFT JOIN", "LIKE", "LIMIT", "METADATA", "NOT",
    "NOT ENFORCED", "NULL", "ON", "OR", "ORDER BY", "OVER", "PARTITION BY", "PARTITIONED BY", "PRIMARY KEY", "QUALIFY", "RANGE", "RESET", "RIGHT JOIN", "ROW", "ROWS", "SELECT", "SESSION", "SET",
    "SHOW CATALOGS", "SHOW CREATE TABLE", "SHOW FUNCTIONS", "SHOW JOBS", "SHOW TABLES", "SHOW VIEWS", "STRING", "TABLE", "TEMPORARY", "THEN", "TIMESTAMP", "TIMESTAMP_LTZ", "TRUE", "TRY_CAST",
    "TUMBLE", "UNION ALL", "USE", "VALUES", "VARCHAR", "VIEW", "WATERMARK FOR", "WHEN", "WHERE", "WITH"});
/// After these a table's name stands.
constexpr auto kBeforeTable = std::to_array<std::string_view>({"FROM", "JOIN", "INTO", "TABLE", "VIEW", "DESCRIBE", "DESC", "EXISTS", "UPDATE"});

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || static_cast<unsigned char>(c) >= 0x80; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
std::string uppered(std::string_view s) {
  std::string out(s);
  std::ranges::transform(out, out.begin(), upper);
  return out;
}
bool starts_alike(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::ranges::equal(text.substr(0, prefix.size()), prefix, {}, upper, upper);
}

struct Words {
  std::vector<std::string> all;   ///< names without backticks, and "." and "," and "(" and the like as they are
  bool open = false;              ///< ends within a string, a comment or backticks
};

Words words_of(std::string_view text) {
  Words words;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\'' || c == '`') {
      const std::size_t end = text.find(c, i + 1);
      words.open = end == std::string_view::npos;
      if (words.open) return words;
      if (c == '`') words.all.emplace_back(text.substr(i + 1, end - i - 1));
      i = end + 1;
    } else if (text.substr(i).starts_with("--") || text.substr(i).starts_with("/*")) {
      const bool line = c == '-';
      const std::size_t end = text.find(line ? "\n" : "*/", i + 2);
      words.open = end == std::string_view::npos;
      if (words.open) return words;
      i = end + (line ? 1 : 2);
    } else if (is_word(c)) {
      std::size_t end = i;
      while (end < text.size() && is_word(text[end])) ++end;
      words.all.emplace_back(text.substr(i, end - i));
      i = end;
    } else {
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r') words.all.emplace_back(1, c);
      ++i;
    }
  }
  return words;
}

/// The table that `name` stands for: itself, or what it is the alias of. Empty: none.
std::string table_of(const std::string& name, const std::vector<std::string>& words, const std::vector<std::string>& tables) {
  if (std::ranges::find(tables, name) != tables.end()) return name;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] != name) continue;
    const std::size_t before = uppered(words[i - 1]) == "AS" && i >= 2 ? i - 2 : i - 1;
    if (std::ranges::find(tables, words[before]) != tables.end()) return words[before];
  }
  return {};
}

/// "person.name" -> person.name, each part quoted where it needs that.
std::string quoted_path(std::string_view path) {
  std::string out;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('.', at), path.size());
    if (!out.empty()) out += '.';
    out += syntax::quote_identifier(path.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

}  // namespace

Completion complete(std::string_view text, std::string_view rest, const KnownNames& names) {
  Completion done{.begin = text.size(), .candidates = {}};
  Words before = words_of(text);
  if (before.open) return done;
  while (done.begin > 0 && is_word(text[done.begin - 1])) --done.begin;
  const std::string_view prefix = text.substr(done.begin);
  if (!prefix.empty()) before.all.pop_back();
  const auto offer = [&](std::string candidate, std::string_view name) {
    if (starts_alike(name, prefix)) done.candidates.push_back(std::move(candidate));
  };
  const std::vector<std::string> tables = names.tables();
  std::vector<std::string> statement = before.all;
  for (std::string& w : words_of(rest).all) statement.push_back(std::move(w));

  if (before.all.size() >= 2 && before.all.back() == ".") {
    const std::string table = table_of(before.all[before.all.size() - 2], statement, tables);
    if (!table.empty())
      for (const std::string& column : names.columns(table)) offer(quoted_path(column), column);
  } else if (!before.all.empty() && std::ranges::find(kBeforeTable, uppered(before.all.back())) != kBeforeTable.end()) {
    for (const std::string& table : tables) offer(syntax::quote_identifier(table), table);
    if (uppered(before.all.back()) == "FROM") offer("TABLE(", "TABLE(");   // of a window
  } else {
    for (const std::string& table : tables) {
      if (std::ranges::find(statement, table) == statement.end()) continue;
      for (const std::string& column : names.columns(table)) offer(quoted_path(column), column);
    }
    // Where a statement begins, and with nothing typed, functions would only be noise.
    if (!prefix.empty() && !before.all.empty())
      for (const std::string& function : names.functions()) offer(function + "(", function);
    const bool small = std::ranges::any_of(prefix, [](char c) { return c >= 'a' && c <= 'z'; }) && std::ranges::none_of(prefix, [](char c) { return c >= 'A' && c <= 'Z'; });
    for (const std::string_view keyword : kKeywords) {
      std::string written(keyword);
      if (small) std::ranges::transform(written, written.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      offer(std::move(written), keyword);
    }
  }
  std::ranges::sort(done.candidates);
  const auto twice = std::ranges::unique(done.candidates);
  done.candidates.erase(twice.begin(), twice.end());
  return done;
}

}  // namespace supyo::cli
