#include <fmt/format.h>

#include "sql/syntax/parser_impl.h"

/// What ALTER does.
namespace supyo::syntax {

void Parser::alter_action(Alter& alter) {
  const bool table = alter.kind == Alter::Kind::kTable;
  const std::size_t at = is_word("IF", 1) ? (is_word("NOT", 2) ? 4 : 3) : 1;   // ADD IF NOT EXISTS PARTITION
  if (table && (is_word("ADD") || is_word("MODIFY")) && is_word("DISTRIBUTION", 1) && !is_kind(TokenKind::kQuoted, 1)) {
    Alter::Define define{.modify = is_word("MODIFY"), .columns = {}, .watermarks = {}, .primary_key = {}, .distribution = {}};
    take();
    take();
    define.distribution = distribution();
    alter.action = std::move(define);
  } else if (table && is_word("DROP") && is_word("DISTRIBUTION", 1) && !is_kind(TokenKind::kQuoted, 1)) {
    expect("DROP DISTRIBUTION");
    alter.action = Alter::DropDistribution{};
  } else if (table && (is_word("ADD") || is_word("DROP")) && is_word("PARTITION", at)) {
    alter.action = partitions();
  } else if (accept("SET")) {
    alter.action = Alter::SetOptions{option_list()};
  } else if (accept("RESET")) {
    Alter::ResetOptions reset;
    expect_symbol("(");
    do {
      reset.keys.push_back(string_literal("an option key as a string"));
    } while (accept_symbol(","));
    expect_symbol(")");
    alter.action = std::move(reset);
  } else if (accept("RENAME TO")) {
    alter.action = Alter::Rename{name("the new name")};
  } else if (table && accept("RENAME")) {
    Alter::RenameColumn rename{.from = identifier("a column name"), .to = {}};
    expect("TO");
    rename.to = identifier("the column's new name");
    alter.action = std::move(rename);
  } else if (table && accept("ADD")) {
    alter.action = define_parts(false);
  } else if (table && accept("MODIFY")) {
    alter.action = define_parts(true);
  } else if (table && accept("DROP")) {
    drop_parts(alter);
  } else if (alter.kind == Alter::Kind::kView && accept("AS")) {
    alter.action = Alter::NewQuery{query()};
  } else if (alter.kind == Alter::Kind::kCatalog && is_word("COMMENT")) {
    fail_unsupported("a catalog's COMMENT", "leave it out");
  } else {
    fail_expected(table ? "ADD, MODIFY, DROP, RENAME, SET or RESET" : alter.kind == Alter::Kind::kView ? "RENAME TO or AS" : "SET or RESET");
  }
}

/// ADD PARTITION (a = 1) WITH (..) PARTITION (a = 2); DROP PARTITION (a = 1), PARTITION (a = 2)
Alter::Partitions Parser::partitions() {
  Alter::Partitions result{.add = is_word("ADD"), .if_ = is_word("IF", 1), .specs = {}};
  take();
  if (result.if_) expect(result.add ? "IF NOT EXISTS" : "IF EXISTS");
  do {
    expect("PARTITION");
    result.specs.push_back(partition_values());
    if (result.add && accept("WITH")) option_list();   // Flink keeps them for catalogs of others
  } while (!error_ && (accept_symbol(",") || is_word("PARTITION")));
  return result;
}

/// One part, or several in parentheses.
Alter::Define Parser::define_parts(bool modify) {
  Alter::Define define{.modify = modify, .columns = {}, .watermarks = {}, .primary_key = {}, .distribution = {}};
  CreateTable parts;
  accept("COLUMN");
  if (accept_symbol("(")) {
    do {
      placed_part(define, parts);
    } while (accept_symbol(","));
    if (!accept_symbol(")")) fail_expected("',' or ')'");
  } else {
    placed_part(define, parts);
  }
  define.watermarks = std::move(parts.watermarks);
  define.primary_key = std::move(parts.primary_key);
  return define;
}

void Parser::placed_part(Alter::Define& define, CreateTable& parts) {
  table_element(parts);
  if (parts.columns.empty()) return;
  Alter::PlacedColumn placed{.column = std::move(parts.columns.back()), .first = false, .after = {}};
  parts.columns.clear();
  if (accept("FIRST")) placed.first = true;
  else if (accept("AFTER")) placed.after = identifier("a column name");
  define.columns.push_back(std::move(placed));
}

void Parser::drop_parts(Alter& alter) {
  if (is_word("PRIMARY") && is_word("KEY", 1)) {
    expect("PRIMARY KEY");
    alter.action = Alter::DropPrimaryKey{};
  } else if (accept("CONSTRAINT")) {
    identifier("the constraint's name");
    alter.action = Alter::DropPrimaryKey{};
  } else if (accept("WATERMARK")) {
    alter.action = Alter::DropWatermark{};
  } else {
    Alter::DropColumns drop;
    accept("COLUMN");
    if (is_symbol("(")) drop.columns = identifier_list("a column name");
    else drop.columns.push_back(identifier("a column name"));
    alter.action = std::move(drop);
  }
}

}  // namespace supyo::syntax
