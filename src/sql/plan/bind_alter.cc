#include <algorithm>

#include "sql/catalog/catalog.h"
#include "sql/plan/bind_table.h"
#include "sql/syntax/parser.h"
#include "sql/syntax/printer.h"

// ALTER TABLE: the statement that makes the table is changed, and bound as any other.
namespace supyo::plan {
namespace {

using syntax::Alter;
using syntax::Identifier;

class TableChange {
 public:
  TableChange(syntax::CreateTable table, const std::string& name) : table_(std::move(table)), name_(name) {}

  syntax::CreateTable take() { return std::move(table_); }

  Status operator()(const Alter::Define& d) {
    for (const Alter::PlacedColumn& placed : d.columns) SUPYO_TRY(place(placed, d.modify));
    if (!d.watermarks.empty()) {
      if (d.modify == table_.watermarks.empty()) return clash(d.watermarks.front().span, d.modify, "WATERMARK");
      table_.watermarks = d.watermarks;
    }
    if (d.primary_key) {
      if (d.modify != table_.primary_key.has_value()) return clash(d.primary_key->span, d.modify, "PRIMARY KEY");
      table_.primary_key = d.primary_key;
    }
    if (d.distribution) {
      if (d.modify != table_.distribution.has_value()) return clash(d.distribution->span, d.modify, "DISTRIBUTION");
      table_.distribution = d.distribution;
    }
    return ok();
  }
  Status operator()(const Alter::DropColumns& d) {
    for (const Identifier& name : d.columns) {
      SUPYO_ASSIGN(const auto at, find(name));
      SUPYO_TRY(check_free(name, "dropped"));
      table_.columns.erase(table_.columns.begin() + at);
    }
    return ok();
  }
  Status operator()(const Alter::RenameColumn& r) {
    SUPYO_ASSIGN(const auto at, find(r.from));
    if (std::ranges::find(table_.columns, r.to.text, &name_of) != table_.columns.end())
      return fail_at(r.to.span, ErrorCode::kAlreadyExists, fmt::format("`{}` has a column `{}` already", name_, r.to.text), "choose another name");
    if (is_partition(r.from)) return fail_at(r.from.span, ErrorCode::kInvalidQuery, fmt::format("`{}` is a partition column and cannot be renamed", r.from.text), "make a new table");
    table_.columns[static_cast<std::size_t>(at)].name = r.to;
    if (table_.primary_key)
      for (Identifier& k : table_.primary_key->columns)
        if (k.text == r.from.text) k = r.to;
    return ok();
  }
  Status operator()(const Alter::DropPrimaryKey&) { return drop(table_.primary_key, "PRIMARY KEY"); }
  Status operator()(const Alter::DropDistribution&) { return drop(table_.distribution, "DISTRIBUTION"); }
  Status operator()(const Alter::DropWatermark&) {
    std::optional<bool> there = table_.watermarks.empty() ? std::nullopt : std::optional(true);
    SUPYO_TRY(drop(there, "WATERMARK"));
    table_.watermarks.clear();
    return ok();
  }
  template <class Other>
  Status operator()(const Other&) { return fail(ErrorCode::kInternal, "not a change of a table's parts"); }

 private:
  static const std::string& name_of(const syntax::ColumnDefinition& c) { return c.name.text; }

  Result<std::ptrdiff_t> find(const Identifier& name) const {
    const auto it = std::ranges::find(table_.columns, name.text, &name_of);
    if (it != table_.columns.end()) return it - table_.columns.begin();
    std::vector<std::string> names;
    for (const auto& c : table_.columns) names.push_back(c.name.text);
    return fail_at(name.span, ErrorCode::kUnknownColumn, fmt::format("`{}` has no column `{}`", name_, name.text), did_you_mean(name.text, names, fmt::format("the columns are: {}", fmt::join(names, ", "))));
  }
  bool is_partition(const Identifier& name) const { return std::ranges::find(table_.partitioned_by, name.text, &Identifier::text) != table_.partitioned_by.end(); }

  Status check_free(const Identifier& name, std::string_view what) const {
    const bool in_key = table_.primary_key && std::ranges::find(table_.primary_key->columns, name.text, &Identifier::text) != table_.primary_key->columns.end();
    if (!in_key && !is_partition(name)) return ok();
    return fail_at(name.span, ErrorCode::kInvalidQuery, fmt::format("`{}` is in the {} and cannot be {}", name.text, in_key ? "PRIMARY KEY" : "PARTITIONED BY", what), in_key ? "ALTER TABLE .. DROP PRIMARY KEY first" : "make a new table");
  }

  Status place(const Alter::PlacedColumn& placed, bool modify) {
    const Identifier& name = placed.column.name;
    const bool there = std::ranges::find(table_.columns, name.text, &name_of) != table_.columns.end();
    if (there && !modify) return fail_at(name.span, ErrorCode::kAlreadyExists, fmt::format("`{}` has a column `{}` already", name_, name.text), "ALTER TABLE .. MODIFY changes it");
    auto to = static_cast<std::ptrdiff_t>(table_.columns.size());
    if (modify) {
      SUPYO_ASSIGN(to, find(name));
      table_.columns.erase(table_.columns.begin() + to);
    }
    if (placed.first) to = 0;
    if (placed.after) {
      SUPYO_ASSIGN(to, find(*placed.after));
      ++to;
    }
    table_.columns.insert(table_.columns.begin() + to, placed.column);
    return ok();
  }

  template <class T>
  Status drop(std::optional<T>& part, std::string_view what) {
    if (!part) return fail(ErrorCode::kInvalidQuery, fmt::format("`{}` has no {}", name_, what), "there is nothing to drop");
    part.reset();
    return ok();
  }
  Status clash(const syntax::Span& span, bool modify, std::string_view what) const {
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("`{}` has {} {}", name_, modify ? "no" : "already a", what), modify ? "ALTER TABLE .. ADD makes one" : "ALTER TABLE .. MODIFY changes it");
  }

  syntax::CreateTable table_;
  const std::string& name_;
};

}  // namespace

Result<std::vector<std::optional<std::string>>> partition_of(const catalog::TableDefinition& table, const std::vector<syntax::PartitionValue>& spec, const syntax::Span& span) {
  if (table.partition_keys.empty()) return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("`{}` has no partitions", table.path.name), "PARTITIONED BY (..) in CREATE TABLE");
  std::vector<std::optional<std::string>> values(table.partition_keys.size());
  for (const syntax::PartitionValue& v : spec) {
    const auto key = std::ranges::find(table.partition_keys, v.column.text);
    if (key == table.partition_keys.end())
      return fail_at(v.column.span, ErrorCode::kUnknownColumn, fmt::format("`{}` is not partitioned by `{}`", table.path.name, v.column.text), fmt::format("its partition columns are: {}", fmt::join(table.partition_keys, ", ")));
    const auto* text = v.value->as<syntax::StringLiteral>();
    values[static_cast<std::size_t>(key - table.partition_keys.begin())] = text != nullptr ? text->value : syntax::print(*v.value);
  }
  return values;
}

Result<catalog::TableDefinition> alter_partitions(catalog::TableDefinition table, const Alter::Partitions& change, const syntax::Span& span) {
  for (const auto& spec : change.specs) {
    SUPYO_ASSIGN(const auto values, partition_of(table, spec, span));
    std::vector<std::string> wanted;
    for (const auto& v : values) {
      if (!v) return fail_at(span, ErrorCode::kInvalidQuery, "a partition has a value for each partition column", fmt::format("the partition columns are: {}", fmt::join(table.partition_keys, ", ")));
      wanted.push_back(*v);
    }
    const auto there = std::ranges::find(table.partitions, wanted);
    if ((there != table.partitions.end()) != change.add) {
      if (change.add) table.partitions.push_back(std::move(wanted));
      else table.partitions.erase(there);
    } else if (!change.if_) {
      return fail_at(span, change.add ? ErrorCode::kAlreadyExists : ErrorCode::kInvalidQuery, fmt::format("`{}` has {} partition", table.path.name, change.add ? "that" : "no such"),
                     change.add ? "ADD IF NOT EXISTS takes what is there" : "DROP IF EXISTS takes it that there is none");
    }
  }
  return table;
}

Result<catalog::TableDefinition> bind_alter_table(BindContext& ctx, const catalog::TableDefinition& table, const Alter& alter) {
  if (const auto* p = std::get_if<Alter::Partitions>(&alter.action)) return alter_partitions(table, *p, alter.name.span);
  SUPYO_ASSIGN(const syntax::Statement made, syntax::parse_statement(catalog::show_create_table(table)));
  TableChange change(*made.as<syntax::CreateTable>(), table.path.name);
  SUPYO_TRY(std::visit(change, alter.action));
  auto bound = bind_create_table(ctx, change.take(), table.path, nullptr);
  if (bound) bound->partitions = table.partitions;
  if (bound) return bound;
  // Its place would be one in the text that was made up here.
  Error error = std::move(bound).error().with_context(fmt::format("what is left of `{}`", table.path.name));
  if (error.code == ErrorCode::kUnknownColumn) error.hint = "what is computed of a column is dropped, or modified, before it";
  error.position = alter.name.span.position();
  return std::unexpected(std::move(error));
}

}  // namespace supyo::plan
