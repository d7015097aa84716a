#include <fmt/format.h>

#include "sql/syntax/diagnostic.h"
#include "sql/syntax/parser_impl.h"

namespace supyo::syntax {

Statement Parser::statement() {
  const Level level(*this);
  const std::size_t start = here();
  Statement result;
  result.node = statement_node();
  result.span = span_from(start);
  return result;
}

Statement::Node Parser::statement_node() {
  if (starts_query() || is_symbol("(")) return SelectStatement{query()};
  if (is_word("CREATE")) return create();
  if (is_word("REPLACE") && is_word("TABLE", 1)) {
    expect("REPLACE TABLE");
    CreateTable table = create_table(false);
    table.replace = CreateTable::Replace::kReplace;
    if (!table.as_query) fail_expected("AS and a query");
    return table;
  }
  if (accept("INSERT")) return insert();
  if (is_word("EXECUTE") || (is_word("STATEMENT") && is_word("SET", 1))) {
    accept("EXECUTE");
    if (is_word("STATEMENT")) return statement_set();
    if (is_word("PLAN")) fail_unsupported("EXECUTE PLAN", "run the SQL file itself");
    if (accept("INSERT")) return insert();
    if (starts_query()) return SelectStatement{query()};
    fail_expected("STATEMENT SET, INSERT or a query");
    return StatementSet{};
  }
  if (is_word("BEGIN") && is_word("STATEMENT", 1)) return begin_statement_set();
  if (is_word("USE")) return use();
  if (is_word("LOAD") || is_word("UNLOAD")) return module();
  if (is_word("DROP")) return drop();
  if (is_word("ALTER")) return alter();
  if (is_word("SHOW")) return show();
  if (is_word("DESCRIBE") || is_word("DESC")) return describe();
  if (is_word("EXPLAIN")) return explain();
  if (is_word("SET")) return set_option();
  if (is_word("RESET")) return reset_option();
  if (is_word("STOP")) return stop_job();
  if (refuse_known_statement()) return SetOption{};
  for (const std::string_view word : {"SELECT", "WITH", "VALUES", "CREATE", "INSERT", "EXECUTE", "BEGIN", "USE", "DROP", "ALTER", "SHOW",
                                      "DESCRIBE", "DESC", "EXPLAIN", "SET", "RESET", "STOP"})
    accept(word);  // none is there: they are the candidates for did-you-mean
  fail_expected("a statement such as SELECT, CREATE TABLE or INSERT INTO");
  return SetOption{};
}

/// Statements that Flink has and Supyo has not.
bool Parser::refuse_known_statement() {
  struct Refused {
    std::string_view word, hint;
  };
  static constexpr Refused kRefused[] = {
      {"DELETE", "tables are streams: INSERT INTO another table what should stay"},
      {"UPDATE", "tables are streams: INSERT INTO another table what should be there"},
      {"TRUNCATE", "DROP TABLE and create it again"},
      {"ANALYZE", "Supyo plans without statistics"},
      {"CALL", "there are no stored procedures"},
      {"ADD", "there are no jars: functions and connectors are built in"},
      {"REMOVE", "there are no jars: functions and connectors are built in"},
      {"COMPILE", "run the SQL file itself"},
      {"MERGE", "use INSERT INTO with a PRIMARY KEY on the target: rows are upserted"}};
  for (const Refused& refused : kRefused) {
    if (!is_word(refused.word)) continue;
    fail_unsupported(refused.word, std::string(refused.hint));
    return true;
  }
  return false;
}

// ---- INSERT and statement sets

Insert Parser::insert() {
  Insert result;
  result.overwrite = accept("OVERWRITE");
  if (result.overwrite) {
    accept("TABLE");
  } else {
    expect("INTO");
  }
  result.target = name("the table to insert into");
  result.hints = hints();
  if (accept("PARTITION")) result.partition = partition_values();
  if (is_symbol("(") && !starts_query()) result.columns = identifier_list("a column name");
  if (!starts_query()) {
    fail_expected("SELECT, VALUES or WITH");
    return result;
  }
  result.query = query();
  return result;
}

/// (a = 1, b = 'x')
std::vector<PartitionValue> Parser::partition_values() {
  std::vector<PartitionValue> values;
  expect_symbol("(");
  do {
    PartitionValue value;
    value.column = identifier("a partition column");
    expect_symbol("=");
    value.value = expression();
    values.push_back(std::move(value));
  } while (accept_symbol(","));
  expect_symbol(")");
  return values;
}

void Parser::set_entry(StatementSet& set) {
  const std::size_t start = here();
  StatementSetEntry entry;
  accept("EXECUTE");
  expect("INSERT");
  entry.insert = insert();
  entry.span = span_from(start);
  if (!accept_symbol(";")) fail_expected("';' after the INSERT");
  set.inserts.push_back(std::move(entry));
}

/// [EXECUTE] STATEMENT SET BEGIN insert; insert; END
StatementSet Parser::statement_set() {
  StatementSet result;
  expect("STATEMENT SET");
  expect("BEGIN");
  while (!is_word("END") && !error_) set_entry(result);
  if (result.inserts.empty()) fail_expected("INSERT INTO");
  expect("END");
  return result;
}

/// BEGIN STATEMENT SET; insert; insert; END
StatementSet Parser::begin_statement_set() {
  StatementSet result;
  expect("BEGIN STATEMENT SET");
  expect_symbol(";");
  while (!is_word("END") && !error_) set_entry(result);
  if (result.inserts.empty()) fail_expected("INSERT INTO");
  expect("END");
  return result;
}

// ---- USE, DROP, ALTER

/// LOAD MODULE name [WITH (..)], UNLOAD MODULE name
Statement::Node Parser::module() {
  Modules result{.action = is_word("LOAD") ? Modules::Action::kLoad : Modules::Action::kUnload, .names = {}};
  take();
  expect("MODULE");
  result.names.push_back(identifier("a module name"));
  if (result.action == Modules::Action::kLoad && accept("WITH")) option_list();
  return result;
}

Statement::Node Parser::use() {
  take();
  if (accept("CATALOG")) return UseCatalog{identifier("a catalog name")};
  if (is_word("MODULES") && !is_kind(TokenKind::kEnd, 1) && !is_symbol(";", 1) && !is_symbol(".", 1)) {
    take();
    Modules modules;
    do {
      modules.names.push_back(identifier("a module name"));
    } while (accept_symbol(","));
    return modules;
  }
  return UseDatabase{name("a database name")};
}

Statement::Node Parser::drop() {
  take();
  Drop result;
  result.temporary = accept("TEMPORARY");
  if (accept("TABLE")) {
    result.kind = Drop::Kind::kTable;
  } else if (accept("VIEW")) {
    result.kind = Drop::Kind::kView;
  } else if (!result.temporary && accept("DATABASE")) {
    result.kind = Drop::Kind::kDatabase;
  } else if (!result.temporary && accept("CATALOG")) {
    result.kind = Drop::Kind::kCatalog;
  } else if (is_word("FUNCTION") || (result.temporary && is_word("SYSTEM"))) {
    result.kind = Drop::Kind::kFunction;
    result.system = accept("SYSTEM");
    expect("FUNCTION");
  } else {
    fail_expected("TABLE, VIEW, DATABASE, CATALOG or FUNCTION");
  }
  if (is_word("IF")) {
    expect("IF EXISTS");
    result.if_exists = true;
  }
  result.name = name("a name");
  if (result.kind == Drop::Kind::kDatabase && !accept("RESTRICT")) result.cascade = accept("CASCADE");
  return result;
}

Statement::Node Parser::alter() {
  take();
  Alter result;
  if (accept("VIEW")) {
    result.kind = Alter::Kind::kView;
  } else if (accept("DATABASE")) {
    result.kind = Alter::Kind::kDatabase;
  } else if (accept("CATALOG")) {
    result.kind = Alter::Kind::kCatalog;
  } else if (is_word("FUNCTION") || is_word("MODEL")) {
    fail_unsupported(fmt::format("ALTER {}", peek().text), "DROP it and CREATE it again");
  } else if (!accept("TABLE")) {
    fail_expected("TABLE, VIEW, DATABASE or CATALOG");
  }
  if (is_word("IF")) {
    expect("IF EXISTS");
    result.if_exists = true;
  }
  result.name = name("a name");
  alter_action(result);
  return result;
}

// ---- SHOW, DESCRIBE, EXPLAIN, SET, STOP

Statement::Node Parser::show() {
  using Kind = Show::Kind;
  struct Entry {
    std::string_view words;
    Kind kind;
  };
  static constexpr Entry kEntries[] = {{"TABLES", Kind::kTables},
                                       {"VIEWS", Kind::kViews},
                                       {"USER FUNCTIONS", Kind::kUserFunctions},
                                       {"FUNCTIONS", Kind::kFunctions},
                                       {"CATALOGS", Kind::kCatalogs},
                                       {"DATABASES", Kind::kDatabases},
                                       {"JOBS", Kind::kJobs},
                                       {"CURRENT CATALOG", Kind::kCurrentCatalog},
                                       {"CURRENT DATABASE", Kind::kCurrentDatabase},
                                       {"CREATE TABLE", Kind::kCreateTable},
                                       {"CREATE VIEW", Kind::kCreateView},
                                       {"CREATE CATALOG", Kind::kCreateCatalog},
                                       {"COLUMNS", Kind::kColumns},
                                       {"MODULES", Kind::kModules},
                                       {"FULL MODULES", Kind::kFullModules},
                                       {"JARS", Kind::kJars},
                                       {"MODELS", Kind::kModels},
                                       {"PARTITIONS", Kind::kPartitions}};
  take();
  Show result;
  bool known = false;
  for (const Entry& entry : kEntries) {
    if (known || !accept(entry.words)) continue;
    result.kind = entry.kind;
    known = true;
  }
  if (!known) {
    for (const std::string_view word : {"FULL", "PROCEDURES", "MATERIALIZED"}) {
      if (is_word(word)) fail_unsupported(fmt::format("SHOW {}", word), "SHOW TABLES, VIEWS, FUNCTIONS, CATALOGS, DATABASES and JOBS are");
    }
    fail_expected("TABLES, VIEWS, FUNCTIONS, CATALOGS, DATABASES, JOBS, COLUMNS, CURRENT .. or CREATE ..");
  }
  show_name(result);
  return result;
}

void Parser::show_name(Show& show) {
  using Kind = Show::Kind;
  const bool named = show.kind == Kind::kCreateTable || show.kind == Kind::kCreateView || show.kind == Kind::kCreateCatalog;
  if (named || show.kind == Kind::kPartitions) {
    show.name = name("a name");
    if (show.kind == Kind::kPartitions && accept("PARTITION")) show.partition = partition_values();
  } else if (show.kind == Kind::kColumns) {
    if (!accept("IN")) expect("FROM");
    show.name = name("a table name");
  } else if (accept("FROM") || accept("IN")) {
    show.name = name("a database or catalog name");
  }
  if (is_word("NOT") && is_word("LIKE", 1)) show.not_like = accept("NOT");
  if (accept("LIKE")) show.like = string_literal("a pattern as a string");
}

Statement::Node Parser::describe() {
  take();
  const auto names_what = [&] { return !is_kind(TokenKind::kEnd, 1) && !is_symbol(";", 1) && !is_symbol(".", 1); };
  for (const std::string_view word : {"JOB", "DATABASE", "FUNCTION", "MODEL"})
    if (is_word(word) && names_what()) fail_unsupported(fmt::format("DESCRIBE {}", word), "DESCRIBE takes a table, a view or CATALOG and its name; SHOW JOBS is there too");
  Describe result;
  result.catalog = is_word("CATALOG") && names_what() && accept("CATALOG");
  result.extended = accept("EXTENDED");
  result.name = name("a table name");
  return result;
}

Statement::Node Parser::explain() {
  take();
  Explain result;
  if (!accept("PLAN FOR")) {
    bool more = true;
    while (more && !error_) {
      if (accept("CHANGELOG_MODE")) {
        result.changelog_mode = true;
      } else if (accept("ESTIMATED_COST")) {
        result.estimated_cost = true;
      } else if (accept("JSON_EXECUTION_PLAN")) {
        result.json = true;
      } else if (accept("PLAN_ADVICE")) {
        result.plan_advice = true;
      } else {
        break;
      }
      more = accept_symbol(",");
      if (more && (starts_query() || is_word("INSERT"))) fail_expected("another detail after ','");
    }
  }
  const bool explainable = starts_query() || is_word("INSERT") || is_word("EXECUTE") || is_word("STATEMENT") || is_word("BEGIN");
  if (!explainable) {
    for (const std::string_view word : {"SELECT", "INSERT", "WITH", "VALUES"}) accept(word);
    fail_expected("PLAN FOR, CHANGELOG_MODE, ESTIMATED_COST, JSON_EXECUTION_PLAN, a query or an INSERT");
    return result;
  }
  result.statement = Box<Statement>(statement());
  return result;
}

Statement::Node Parser::set_option() {
  take();
  SetOption result;
  if (at_end() || is_symbol(";")) return result;
  result.entry = option_entry();
  return result;
}

Statement::Node Parser::reset_option() {
  take();
  ResetOption result;
  if (at_end() || is_symbol(";")) return result;
  result.key_span = peek().span;
  result.key = string_literal("a setting as a string");
  return result;
}

Statement::Node Parser::stop_job() {
  take();
  expect("JOB");
  StopJob result;
  result.job = string_literal("the job's id as a string");
  while (accept("WITH")) {
    if (accept("SAVEPOINT")) {
      result.savepoint = true;
    } else {
      expect("DRAIN");
      result.drain = true;
    }
  }
  return result;
}

}  // namespace supyo::syntax
