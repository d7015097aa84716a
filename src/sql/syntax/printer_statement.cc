#include <fmt/format.h>

#include "sql/syntax/printer.h"
#include "sql/syntax/sql_text.h"

namespace supyo::syntax {

std::string_view to_string(TypeKeyword type) {
  switch (type) {
    case TypeKeyword::kBoolean: return "BOOLEAN";
    case TypeKeyword::kTinyInt: return "TINYINT";
    case TypeKeyword::kSmallInt: return "SMALLINT";
    case TypeKeyword::kInt: return "INT";
    case TypeKeyword::kBigInt: return "BIGINT";
    case TypeKeyword::kFloat: return "FLOAT";
    case TypeKeyword::kDouble: return "DOUBLE";
    case TypeKeyword::kDecimal: return "DECIMAL";
    case TypeKeyword::kChar: return "CHAR";
    case TypeKeyword::kVarChar: return "VARCHAR";
    case TypeKeyword::kString: return "STRING";
    case TypeKeyword::kBinary: return "BINARY";
    case TypeKeyword::kVarBinary: return "VARBINARY";
    case TypeKeyword::kBytes: return "BYTES";
    case TypeKeyword::kDate: return "DATE";
    case TypeKeyword::kTime: return "TIME";
    case TypeKeyword::kTimestamp: return "TIMESTAMP";
    case TypeKeyword::kTimestampLtz: return "TIMESTAMP_LTZ";
    case TypeKeyword::kIntervalYearMonth:
    case TypeKeyword::kIntervalDayTime: return "INTERVAL";
    case TypeKeyword::kArray: return "ARRAY";
    case TypeKeyword::kMap: return "MAP";
    case TypeKeyword::kMultiset: return "MULTISET";
    case TypeKeyword::kRow: return "ROW";
  }
  return "INT";
}

std::string print(const Statement& statement) {
  SqlText out;
  out.statement(statement);
  return out.take();
}
std::string print(const Query& query) {
  SqlText out;
  out.query(query);
  return out.take();
}
std::string print(const Expr& expr) {
  SqlText out;
  out.expr(expr);
  return out.take();
}
std::string print(const TypeName& type) {
  SqlText out;
  out.type(type);
  return out.take();
}
std::string print(const Name& name) {
  SqlText out;
  out.name(name);
  return out.take();
}

void SqlText::statement(const Statement& statement) {
  std::visit([&](const auto& n) { node(n); }, statement.node);
}

void SqlText::type(const TypeName& type) {
  text(to_string(type.keyword));
  const bool interval = type.keyword == TypeKeyword::kIntervalYearMonth || type.keyword == TypeKeyword::kIntervalDayTime;
  if (interval) {
    out_ += fmt::format(" {}", to_string(type.interval_from));
    if (type.precision) out_ += fmt::format("({})", *type.precision);
    if (type.interval_to != type.interval_from) out_ += fmt::format(" TO {}", to_string(type.interval_to));
    if (type.scale) out_ += fmt::format("({})", *type.scale);
  } else if (type.precision) {
    out_ += type.scale ? fmt::format("({}, {})", *type.precision, *type.scale) : fmt::format("({})", *type.precision);
  }
  if (!type.arguments.empty()) {
    text("<");
    list(type.arguments, [&](const TypeName& argument) { this->type(argument); });
    text(">");
  }
  if (type.keyword == TypeKeyword::kRow) {
    text("(");
    list(type.fields, [&](const TypeField& field) {
      identifier(field.name);
      text(" ");
      this->type(field.type);
      if (field.comment.empty()) return;
      text(" ");
      string(field.comment);
    });
    text(")");
  }
  if (type.not_null) text(" NOT NULL");
}

// ---- CREATE

void SqlText::create(bool temporary, std::string_view what, bool if_not_exists) {
  out_ += fmt::format("CREATE {}{} {}", temporary ? "TEMPORARY " : "", what, if_not_exists ? "IF NOT EXISTS " : "");
}
void SqlText::comment(std::string_view comment) {
  if (comment.empty()) return;
  text(" COMMENT ");
  string(comment);
}
void SqlText::option(const OptionEntry& entry) {
  string(entry.key);
  text(" = ");
  string(entry.value);
}
void SqlText::options(const std::vector<OptionEntry>& entries) {
  text("(");
  list(entries, [&](const OptionEntry& entry) { option(entry); });
  text(")");
}

void SqlText::column(const ColumnDefinition& column) {
  identifier(column.name);
  if (column.kind == ColumnDefinition::Kind::kComputed) {
    text(" AS ");
    expr(*column.computed);
  } else {
    text(" ");
    type(*column.type);
  }
  if (column.kind == ColumnDefinition::Kind::kMetadata) {
    text(" METADATA");
    if (column.metadata_key) {
      text(" FROM ");
      string(*column.metadata_key);
    }
    if (column.is_virtual) text(" VIRTUAL");
  }
  comment(column.comment);
}
void SqlText::watermark(const WatermarkDefinition& definition) {
  text("WATERMARK FOR ");
  name(definition.column);
  text(" AS ");
  expr(*definition.expr);
}
void SqlText::primary_key(const PrimaryKeyDefinition& key) {
  if (key.constraint) {
    text("CONSTRAINT ");
    identifier(*key.constraint);
    text(" ");
  }
  text("PRIMARY KEY ");
  identifiers(key.columns);
  text(key.enforced ? " ENFORCED" : " NOT ENFORCED");
}
void SqlText::like_clause(const LikeClause& like) {
  static constexpr std::string_view kModes[] = {"INCLUDING", "EXCLUDING", "OVERWRITING"};
  static constexpr std::string_view kWhat[] = {"ALL", "CONSTRAINTS", "DISTRIBUTION", "GENERATED", "METADATA", "OPTIONS", "PARTITIONS", "WATERMARKS"};
  text(" LIKE ");
  name(like.table);
  if (like.options.empty()) return;
  text(" (");
  std::string_view space;
  for (const LikeOption& option : like.options) {
    out_ += fmt::format("{}{} {}", space, kModes[static_cast<std::size_t>(option.mode)], kWhat[static_cast<std::size_t>(option.what)]);
    space = " ";
  }
  text(")");
}
void SqlText::distribution(std::string_view word, const Distribution& d) {
  text(word);
  if (!d.columns.empty()) {
    text(d.kind == Distribution::Kind::kHash ? " BY HASH " : d.kind == Distribution::Kind::kRange ? " BY RANGE " : " BY ");
    identifiers(d.columns);
  }
  if (d.buckets) out_ += fmt::format(" INTO {} BUCKETS", *d.buckets);
}
void SqlText::node(const CreateTable& n) {
  if (n.replace == CreateTable::Replace::kNo) create(n.temporary, "TABLE", n.if_not_exists);
  else text(n.replace == CreateTable::Replace::kReplace ? "REPLACE TABLE " : "CREATE OR REPLACE TABLE ");
  name(n.name);
  if (!n.as_columns.empty()) {
    text(" ");
    identifiers(n.as_columns);
  }
  if (!n.columns.empty() || !n.watermarks.empty() || n.primary_key) {
    text(" (");
    std::string_view comma;
    const auto part = [&] {
      text(comma);
      comma = ", ";
    };
    for (const ColumnDefinition& definition : n.columns) {
      part();
      column(definition);
    }
    for (const WatermarkDefinition& definition : n.watermarks) {
      part();
      watermark(definition);
    }
    if (n.primary_key) {
      part();
      primary_key(*n.primary_key);
    }
    text(")");
  }
  comment(n.comment);
  if (n.distribution) distribution(" DISTRIBUTED", *n.distribution);
  if (!n.partitioned_by.empty()) {
    text(" PARTITIONED BY ");
    identifiers(n.partitioned_by);
  }
  if (!n.options.empty()) {
    text(" WITH ");
    options(n.options);
  }
  if (n.like) like_clause(*n.like);
  if (n.as_query) {
    text(" AS ");
    query(*n.as_query);
  }
}
void SqlText::node(const CreateView& n) {
  create(n.temporary, "VIEW", n.if_not_exists);
  name(n.name);
  if (!n.columns.empty()) {
    text(" ");
    identifiers(n.columns);
  }
  comment(n.comment);
  text(" AS ");
  query(*n.query);
}
void SqlText::node(const CreateFunction& n) {
  create(n.temporary, n.system ? "SYSTEM FUNCTION" : "FUNCTION", n.if_not_exists);
  name(n.name);
  text(" AS ");
  string(n.class_name);
}
void SqlText::node(const CreateCatalog& n) {
  create(false, "CATALOG", n.if_not_exists);
  identifier(n.name);
  comment(n.comment);
  if (n.options.empty()) return;
  text(" WITH ");
  options(n.options);
}
void SqlText::node(const CreateDatabase& n) {
  create(false, "DATABASE", n.if_not_exists);
  name(n.name);
  comment(n.comment);
  if (n.options.empty()) return;
  text(" WITH ");
  options(n.options);
}

// ---- USE, DROP, ALTER

void SqlText::node(const UseCatalog& n) {
  text("USE CATALOG ");
  identifier(n.name);
}
void SqlText::node(const UseDatabase& n) {
  text("USE ");
  name(n.name);
}
void SqlText::partition_values(const std::vector<PartitionValue>& values) {
  text("(");
  list(values, [&](const PartitionValue& value) {
    identifier(value.column);
    text(" = ");
    expr(*value.value);
  });
  text(")");
}
void SqlText::node(const Modules& n) {
  text(n.action == Modules::Action::kUse ? "USE MODULES " : n.action == Modules::Action::kLoad ? "LOAD MODULE " : "UNLOAD MODULE ");
  list(n.names, [&](const Identifier& id) { identifier(id); });
}
void SqlText::node(const Drop& n) {
  static constexpr std::string_view kKinds[] = {"TABLE", "VIEW", "DATABASE", "CATALOG", "FUNCTION"};
  out_ += fmt::format("DROP {}{} {}", n.system ? "TEMPORARY SYSTEM " : n.temporary ? "TEMPORARY " : "", kKinds[static_cast<std::size_t>(n.kind)], n.if_exists ? "IF EXISTS " : "");
  name(n.name);
  if (n.cascade) text(" CASCADE");
}
void SqlText::node(const Alter& n) {
  static constexpr std::string_view kKinds[] = {"TABLE", "VIEW", "DATABASE", "CATALOG"};
  out_ += fmt::format("ALTER {} {}", kKinds[static_cast<std::size_t>(n.kind)], n.if_exists ? "IF EXISTS " : "");
  name(n.name);
  if (const auto* set = std::get_if<Alter::SetOptions>(&n.action)) {
    text(" SET ");
    options(set->options);
  } else if (const auto* reset = std::get_if<Alter::ResetOptions>(&n.action)) {
    text(" RESET (");
    list(reset->keys, [&](const std::string& key) { string(key); });
    text(")");
  } else if (const auto* rename = std::get_if<Alter::Rename>(&n.action)) {
    text(" RENAME TO ");
    name(rename->to);
  } else if (const auto* of_view = std::get_if<Alter::NewQuery>(&n.action)) {
    text(" AS ");
    query(*of_view->query);
  } else if (const auto* column = std::get_if<Alter::RenameColumn>(&n.action)) {
    text(" RENAME ");
    identifier(column->from);
    text(" TO ");
    identifier(column->to);
  } else if (const auto* drop = std::get_if<Alter::DropColumns>(&n.action)) {
    text(" DROP ");
    identifiers(drop->columns);
  } else if (std::holds_alternative<Alter::DropPrimaryKey>(n.action)) {
    text(" DROP PRIMARY KEY");
  } else if (std::holds_alternative<Alter::DropWatermark>(n.action)) {
    text(" DROP WATERMARK");
  } else if (std::holds_alternative<Alter::DropDistribution>(n.action)) {
    text(" DROP DISTRIBUTION");
  } else if (const auto* p = std::get_if<Alter::Partitions>(&n.action)) {
    text(p->add ? " ADD" : " DROP");
    if (p->if_) text(p->add ? " IF NOT EXISTS" : " IF EXISTS");
    for (std::size_t i = 0; i < p->specs.size(); ++i) {
      text(i > 0 && !p->add ? ", PARTITION " : " PARTITION ");
      partition_values(p->specs[i]);
    }
  } else {
    define(std::get<Alter::Define>(n.action));
  }
}
void SqlText::define(const Alter::Define& d) {
  if (d.distribution) return distribution(d.modify ? " MODIFY DISTRIBUTION" : " ADD DISTRIBUTION", *d.distribution);
  text(d.modify ? " MODIFY (" : " ADD (");
  std::string_view comma;
  const auto part = [&] {
    text(comma);
    comma = ", ";
  };
  for (const Alter::PlacedColumn& placed : d.columns) {
    part();
    column(placed.column);
    if (placed.first) text(" FIRST");
    if (!placed.after) continue;
    text(" AFTER ");
    identifier(*placed.after);
  }
  for (const WatermarkDefinition& definition : d.watermarks) {
    part();
    watermark(definition);
  }
  if (d.primary_key) {
    part();
    primary_key(*d.primary_key);
  }
  text(")");
}

// ---- SHOW and the rest

void SqlText::node(const Show& n) {
  static constexpr std::string_view kKinds[] = {"TABLES", "VIEWS", "FUNCTIONS", "CATALOGS", "DATABASES", "JOBS", "CURRENT CATALOG",
                                                "CURRENT DATABASE", "CREATE TABLE", "CREATE VIEW", "CREATE CATALOG", "COLUMNS", "MODULES", "FULL MODULES", "JARS", "USER FUNCTIONS", "MODELS", "PARTITIONS"};
  out_ += fmt::format("SHOW {}", kKinds[static_cast<std::size_t>(n.kind)]);
  using Kind = Show::Kind;
  if (n.name) {
    text(n.kind == Kind::kCreateTable || n.kind == Kind::kCreateView || n.kind == Kind::kCreateCatalog || n.kind == Kind::kPartitions ? " " : " FROM ");
    name(*n.name);
  }
  if (!n.partition.empty()) {
    text(" PARTITION ");
    partition_values(n.partition);
  }
  if (!n.like) return;
  text(n.not_like ? " NOT LIKE " : " LIKE ");
  string(*n.like);
}
void SqlText::node(const Describe& n) {
  text(n.catalog ? "DESCRIBE CATALOG " : "DESCRIBE ");
  if (n.extended) text("EXTENDED ");
  name(n.name);
}
void SqlText::node(const Explain& n) {
  text("EXPLAIN ");
  std::vector<std::string_view> details;
  if (n.changelog_mode) details.emplace_back("CHANGELOG_MODE");
  if (n.estimated_cost) details.emplace_back("ESTIMATED_COST");
  if (n.json) details.emplace_back("JSON_EXECUTION_PLAN");
  if (n.plan_advice) details.emplace_back("PLAN_ADVICE");
  if (details.empty()) details.emplace_back("PLAN FOR");
  list(details, [&](std::string_view detail) { text(detail); });
  text(" ");
  statement(*n.statement);
}
void SqlText::node(const SetOption& n) {
  text("SET");
  if (!n.entry) return;
  text(" ");
  option(*n.entry);
}
void SqlText::node(const ResetOption& n) {
  text("RESET");
  if (!n.key) return;
  text(" ");
  string(*n.key);
}
void SqlText::node(const Insert& n) {
  text(n.overwrite ? "INSERT OVERWRITE " : "INSERT INTO ");
  name(n.target);
  text(" ");
  if (!n.hints.empty()) {
    hints(n.hints);
    text(" ");
  }
  if (!n.partition.empty()) {
    text("PARTITION ");
    partition_values(n.partition);
    text(" ");
  }
  if (!n.columns.empty()) {
    identifiers(n.columns);
    text(" ");
  }
  query(*n.query);
}
void SqlText::node(const StatementSet& n) {
  text("EXECUTE STATEMENT SET BEGIN ");
  for (const StatementSetEntry& entry : n.inserts) {
    node(entry.insert);
    text("; ");
  }
  text("END");
}
void SqlText::node(const SelectStatement& n) { query(*n.query); }
void SqlText::node(const StopJob& n) {
  text("STOP JOB ");
  string(n.job);
  if (n.savepoint) text(" WITH SAVEPOINT");
  if (n.drain) text(" WITH DRAIN");
}

}  // namespace supyo::syntax
