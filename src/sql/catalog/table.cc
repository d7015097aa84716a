#include "sql/catalog/table.h"

#include <algorithm>

#include "sql/catalog/catalog.h"
#include "sql/catalog/proc_time.h"

namespace supyo::catalog {
namespace {

std::string quoted_list(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) out.push_back(quoted(name));
  return fmt::format("{}", fmt::join(out, ", "));
}

std::string text_literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

std::string path_text(const ObjectPath& p) { return quoted(p.catalog) + "." + quoted(p.database) + "." + quoted(p.name); }

std::string extras(const ColumnDefinition& c) {
  using Kind = ColumnDefinition::Kind;
  if (c.kind == Kind::kComputed) return "AS " + c.expression_sql;
  if (c.kind != Kind::kMetadata) return {};
  std::string text = "METADATA";
  if (!c.metadata_key.empty() && c.metadata_key != c.name) text += " FROM " + text_literal(c.metadata_key);
  if (c.is_virtual) text += " VIRTUAL";
  return text;
}

}  // namespace

Schema TableDefinition::schema() const {
  Schema schema;
  for (const ColumnDefinition& c : columns)
    if (c.kind != ColumnDefinition::Kind::kComputed) schema.add(c.name, c.type, c.nested);
  return schema;
}

Schema TableDefinition::persisted_schema() const {
  Schema schema;
  for (const ColumnDefinition& c : columns) {
    if (c.nested) continue;
    if (c.kind == ColumnDefinition::Kind::kPhysical || (c.kind == ColumnDefinition::Kind::kMetadata && !c.is_virtual)) schema.add(c.name, c.type);
  }
  return schema;
}

std::string quoted(std::string_view text) {
  std::string out = "`";
  for (const char c : text) {
    if (c == '`') out += '`';
    out += c;
  }
  return out + "`";
}

std::string show_create_table(const TableDefinition& table) {
  std::vector<std::string> lines;
  for (const ColumnDefinition& c : table.columns) {
    if (c.nested) continue;
    std::string line = "  " + quoted(c.name);
    if (c.kind != ColumnDefinition::Kind::kComputed) line += " " + c.type.to_string();
    if (const std::string more = extras(c); !more.empty()) line += " " + more;
    if (!c.comment.empty()) line += " COMMENT " + text_literal(c.comment);
    lines.push_back(std::move(line));
  }
  if (table.watermark)
    lines.push_back(fmt::format("  WATERMARK FOR {} AS {}", quoted(table.watermark->column), table.watermark->expression_sql));
  if (!table.primary_key.empty()) lines.push_back(fmt::format("  PRIMARY KEY ({}) NOT ENFORCED", quoted_list(table.primary_key)));
  std::string out = fmt::format("CREATE {}TABLE {} (\n{}\n)", table.temporary ? "TEMPORARY " : "", path_text(table.path), fmt::join(lines, ",\n"));
  if (!table.comment.empty()) out += "\nCOMMENT " + text_literal(table.comment);
  if (table.distribution) {
    out += "\nDISTRIBUTED";
    if (!table.distribution->keys.empty()) out += fmt::format(" BY {}({})", table.distribution->kind, quoted_list(table.distribution->keys));
    if (table.distribution->buckets) out += fmt::format(" INTO {} BUCKETS", *table.distribution->buckets);
  }
  if (!table.partition_keys.empty()) out += fmt::format("\nPARTITIONED BY ({})", quoted_list(table.partition_keys));
  if (!table.options.empty()) {
    std::vector<std::string> options;
    for (const auto& [key, value] : table.options) options.push_back(fmt::format("  {} = {}", text_literal(key), text_literal(value)));
    out += fmt::format("\nWITH (\n{}\n)", fmt::join(options, ",\n"));
  }
  return out;
}

std::string show_create_view(const ViewDefinition& view) {
  std::vector<std::string> names;
  for (const Field& f : view.schema.fields()) names.push_back(f.name);
  return fmt::format("CREATE {}VIEW {} ({})\nAS {}", view.temporary ? "TEMPORARY " : "", path_text(view.path), quoted_list(names), view.query_sql);
}

bool is_proc_time(const ColumnDefinition& c) {
  return c.kind == ColumnDefinition::Kind::kComputed && std::ranges::equal(c.expression_sql, std::string_view("PROCTIME()"), [](char a, char b) { return a == b || a == b + ('a' - 'A'); });
}

std::vector<DescribedColumn> describe(const TableDefinition& table) {
  std::vector<DescribedColumn> out;
  for (const ColumnDefinition& c : table.columns) {
    if (c.nested) continue;
    DescribedColumn d{.name = c.name, .type = c.type.as_nullable().to_string(), .nullable = c.type.nullable, .key = {}, .extras = extras(c), .watermark = {}};
    if (std::ranges::find(table.primary_key, c.name) != table.primary_key.end()) d.key = fmt::format("PRI({})", fmt::join(table.primary_key, ", "));
    if (table.watermark && table.watermark->column == c.name) {
      d.type += " *ROWTIME*";
      d.watermark = table.watermark->expression_sql;
    }
    if (is_proc_time(c)) d.type += " *PROCTIME*";
    out.push_back(std::move(d));
  }
  return out;
}

}  // namespace supyo::catalog
