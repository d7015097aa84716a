#include <fmt/format.h>

#include "sql/syntax/parser_impl.h"

/// CREATE TABLE, VIEW, CATALOG, DATABASE.
namespace supyo::syntax {

Statement::Node Parser::create() {
  take();
  const bool replace = is_word("OR") && is_word("REPLACE", 1) && accept("OR REPLACE");
  if (replace && !is_word("TABLE")) fail_unsupported(fmt::format("CREATE OR REPLACE {}", peek().text), "DROP .. IF EXISTS first, then CREATE; CREATE OR REPLACE TABLE .. AS SELECT is there");
  const bool temporary = accept("TEMPORARY");
  if (accept("TABLE")) {
    CreateTable table = create_table(temporary);
    if (replace) table.replace = CreateTable::Replace::kCreateOrReplace;
    if (replace && !table.as_query) fail_unsupported("CREATE OR REPLACE TABLE without AS SELECT", "DROP TABLE IF EXISTS first, then CREATE");
    return table;
  }
  if (accept("VIEW")) return create_view(temporary);
  if (is_word("FUNCTION") || (temporary && is_word("SYSTEM") && is_word("FUNCTION", 1))) return create_function(temporary);
  if (is_word("MODEL")) fail_unsupported("CREATE MODEL", "the built-in functions are listed by SHOW FUNCTIONS");
  if (!temporary && accept("CATALOG")) {
    CreateCatalog result;
    result.if_not_exists = if_not_exists();
    result.name = identifier("a catalog name");
    result.comment = comment_clause();
    if (accept("WITH")) result.options = option_list();
    return result;
  }
  if (!temporary && accept("DATABASE")) {
    CreateDatabase result;
    result.if_not_exists = if_not_exists();
    result.name = name("a database name");
    result.comment = comment_clause();
    if (accept("WITH")) result.options = option_list();
    return result;
  }
  fail_expected(temporary ? "TABLE or VIEW" : "TABLE, VIEW, CATALOG or DATABASE");
  return CreateTable{};
}

bool Parser::if_not_exists() {
  if (!is_word("IF")) return false;
  expect("IF NOT EXISTS");
  return true;
}

std::string Parser::comment_clause() { return accept("COMMENT") ? string_literal("the comment as a string") : std::string(); }

CreateTable Parser::create_table(bool temporary) {
  CreateTable table;
  table.temporary = temporary;
  table.if_not_exists = if_not_exists();
  table.name = name("a table name");
  if (!bare_columns(table) && accept_symbol("(")) {
    do {
      table_element(table);
    } while (accept_symbol(","));
    if (!accept_symbol(")")) fail_expected("',' or ')' after a column");
  }
  table.comment = comment_clause();
  if (accept("DISTRIBUTED")) table.distribution = distribution();
  if (accept("PARTITIONED BY")) table.partitioned_by = identifier_list("a partition column");
  if (accept("WITH")) table.options = option_list();
  if (accept("LIKE")) table.like = like_clause();
  if (accept("AS")) table.as_query = query();
  return table;
}

/// Behind DISTRIBUTED, or DISTRIBUTION.
Distribution Parser::distribution() {
  const std::size_t start = here();
  Distribution result;
  if (accept("BY")) {
    result.kind = accept("HASH") ? Distribution::Kind::kHash : accept("RANGE") ? Distribution::Kind::kRange : Distribution::Kind::kUnknown;
    result.columns = identifier_list("a column name");
    if (!is_word("INTO")) {
      result.span = span_from(start);
      return result;
    }
  }
  expect("INTO");
  result.buckets = small_integer("the number of buckets");
  expect("BUCKETS");
  result.span = span_from(start);
  return result;
}

/// (b, a): the names alone, of CREATE TABLE AS.
bool Parser::bare_columns(CreateTable& table) {
  if (!is_symbol("(") || !(is_symbol(",", 2) || is_symbol(")", 2))) return false;
  // What follows a list of names is AS, sooner or later: else a type is missing.
  std::size_t ahead = 0;
  while (!is_kind(TokenKind::kEnd, ahead) && !is_symbol(";", ahead) && !is_word("AS", ahead)) ++ahead;
  if (!is_word("AS", ahead)) return false;
  table.as_columns = identifier_list("a column name");
  return true;
}

void Parser::table_element(CreateTable& table) {
  if (is_word("WATERMARK") && is_word("FOR", 1)) {
    const std::size_t start = here();
    take();
    take();
    WatermarkDefinition watermark;
    watermark.column = name("the column that carries the time");
    expect("AS");
    watermark.expr = expression();
    watermark.span = span_from(start);
    table.watermarks.push_back(std::move(watermark));
    return;
  }
  if (is_word("CONSTRAINT")) {
    take();
    Identifier constraint = identifier("a constraint name");
    if (!is_word("PRIMARY")) fail_expected("PRIMARY KEY");
    return primary_key(table, std::move(constraint), std::nullopt);
  }
  if (is_word("PRIMARY") && is_word("KEY", 1)) return primary_key(table, std::nullopt, std::nullopt);
  if (is_word("UNIQUE") && is_symbol("(", 1)) return fail_unsupported("UNIQUE", "declare PRIMARY KEY (..) NOT ENFORCED");
  table.columns.push_back(column_definition(table));
}

ColumnDefinition Parser::column_definition(CreateTable& table) {
  const std::size_t start = here();
  ColumnDefinition column;
  column.name = identifier("a column name, WATERMARK FOR or PRIMARY KEY");
  if (accept("AS")) {
    column.kind = ColumnDefinition::Kind::kComputed;
    column.computed = expression();
    column.comment = comment_clause();
    column.span = span_from(start);
    return column;
  }
  column.type = type();
  if (accept("METADATA")) {
    column.kind = ColumnDefinition::Kind::kMetadata;
    if (accept("FROM")) column.metadata_key = string_literal("the metadata key as a string");
    column.is_virtual = accept("VIRTUAL");
  } else {
    column_constraints(table, column);
  }
  column.comment = comment_clause();
  if (is_word("DEFAULT")) fail_unsupported("DEFAULT of a column", "give the value in INSERT INTO .. SELECT");
  column.span = span_from(start);
  return column;
}

void Parser::column_constraints(CreateTable& table, ColumnDefinition& column) {
  std::optional<Identifier> constraint;
  if (accept("CONSTRAINT")) constraint = identifier("a constraint name");
  if (is_word("PRIMARY")) {
    primary_key(table, std::move(constraint), column.name);
  } else if (constraint) {
    fail_expected("PRIMARY KEY");
  }
}

void Parser::primary_key(CreateTable& table, std::optional<Identifier> constraint, std::optional<Identifier> column) {
  const std::size_t start = here();
  if (table.primary_key) return fail_at(peek().span, ErrorCode::kSyntax, "a table has one primary key, and this is the second", "name all its columns in one PRIMARY KEY (a, b) NOT ENFORCED");
  expect("PRIMARY KEY");
  PrimaryKeyDefinition key;
  key.constraint = std::move(constraint);
  if (column) {
    key.columns.push_back(std::move(*column));
  } else {
    key.columns = identifier_list("a key column");
  }
  key.enforced = !accept("NOT ENFORCED");
  if (key.enforced) accept("ENFORCED");
  key.span = span_from(start);
  table.primary_key = std::move(key);
}

LikeClause Parser::like_clause() {
  using Mode = LikeOption::Mode;
  using What = LikeOption::What;
  static constexpr std::pair<std::string_view, What> kWhat[] = {
      {"ALL", What::kAll},           {"CONSTRAINTS", What::kConstraints}, {"DISTRIBUTION", What::kDistribution},
      {"GENERATED", What::kGenerated}, {"METADATA", What::kMetadata},     {"OPTIONS", What::kOptions},
      {"PARTITIONS", What::kPartitions}, {"WATERMARKS", What::kWatermarks}};
  LikeClause clause;
  clause.table = name("the table to take the definition from");
  if (!accept_symbol("(")) return clause;
  while (!is_symbol(")") && !at_end()) {
    LikeOption option;
    if (accept("EXCLUDING")) {
      option.mode = Mode::kExcluding;
    } else if (accept("OVERWRITING")) {
      option.mode = Mode::kOverwriting;
    } else {
      expect("INCLUDING");
    }
    bool known = false;
    for (const auto& [word, what] : kWhat) {
      if (known || !accept(word)) continue;
      option.what = what;
      known = true;
    }
    if (!known) fail_expected("ALL, CONSTRAINTS, DISTRIBUTION, GENERATED, METADATA, OPTIONS, PARTITIONS or WATERMARKS");
    clause.options.push_back(option);
    accept_symbol(",");
  }
  expect_symbol(")");
  return clause;
}

CreateView Parser::create_view(bool temporary) {
  CreateView view;
  view.temporary = temporary;
  view.if_not_exists = if_not_exists();
  view.name = name("a view name");
  if (is_symbol("(")) view.columns = identifier_list("a column name");
  view.comment = comment_clause();
  expect("AS");
  view.query = query();
  return view;
}

CreateFunction Parser::create_function(bool temporary) {
  CreateFunction function;
  function.temporary = temporary;
  function.system = accept("SYSTEM");
  expect("FUNCTION");
  function.if_not_exists = if_not_exists();
  function.name = name("a function name");
  expect("AS");
  function.class_span = peek().span;
  function.class_name = string_literal("the function's class as a string");
  if (accept("LANGUAGE")) take();
  if (accept("USING")) {
    do {
      accept("JAR");
      string_literal("the path of a JAR as a string");
    } while (accept_symbol(","));
  }
  return function;
}

std::vector<OptionEntry> Parser::option_list() {
  std::vector<OptionEntry> options;
  expect_symbol("(");
  // Flink takes an empty list, and no comma after the last entry.
  if (accept_symbol(")")) return options;
  do {
    options.push_back(option_entry());
  } while (accept_symbol(","));
  if (!accept_symbol(")")) fail_expected("',' or ')' after an option");
  return options;
}

OptionEntry Parser::option_entry() {
  OptionEntry entry;
  entry.key_span = peek().span;
  entry.key = string_literal("an option as 'key' = 'value'");
  if (!accept_symbol("=")) fail_expected("'=' and the option's value");
  entry.value_span = peek().span;
  if (is_kind(TokenKind::kInteger) || is_kind(TokenKind::kDecimal) || is_word("TRUE") || is_word("FALSE")) {
    fail_at(peek().span, ErrorCode::kSyntax, fmt::format("the value of '{}' must be a string", entry.key),
            fmt::format("write '{}' = '{}'", entry.key, peek().text));
    return entry;
  }
  entry.value = string_literal("the option's value as a string");
  return entry;
}

}  // namespace supyo::syntax
