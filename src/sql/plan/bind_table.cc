#include "sql/plan/bind_table.h"

#include <algorithm>
#include <set>

#include "sql/catalog/proc_time.h"
#include "sql/syntax/printer.h"

// CREATE TABLE.
namespace supyo::plan {
namespace {

using catalog::ColumnDefinition;
using catalog::TableDefinition;
using syntax::Span;
using What = syntax::LikeOption::What;
using Mode = syntax::LikeOption::Mode;

/// What the new table takes from the one it is LIKE, by Flink's rules: everything, with the new options winning, unless said otherwise.
struct LikeRules {
  std::map<What, Mode> modes;
  Mode mode(What w) const {
    if (const auto it = modes.find(w); it != modes.end()) return it->second;
    if (const auto it = modes.find(What::kAll); it != modes.end()) return it->second;
    return w == What::kOptions ? Mode::kOverwriting : Mode::kIncluding;
  }
  bool takes(What w) const { return mode(w) != Mode::kExcluding; }
};

std::vector<std::string> names_of(const TableDefinition& t) {
  std::vector<std::string> names;
  for (const ColumnDefinition& c : t.columns) names.push_back(c.name);
  return names;
}

class TableBinder {
 public:
  TableBinder(BindContext& context, const syntax::CreateTable& create, const catalog::ObjectPath& path) : ctx_(context), create_(create) {
    table_.path = path;
    table_.temporary = create.temporary;
    table_.comment = create.comment;
  }

  Result<TableDefinition> bind(const Schema* query_schema) {
    if (create_.like) SUPYO_TRY(like(*create_.like));
    SUPYO_ASSIGN(const catalog::Options options, bind_options(create_.options));
    for (const auto& [key, value] : options) {
      // The descriptors of before Flink 1.11, which published files still have.
      constexpr std::pair<std::string_view, std::string_view> kOld[] = {{"connector.type", "connector"}, {"connector.path", "path"}, {"format.type", "format"}};
      const auto old = std::ranges::find(kOld, std::string_view(key), &std::pair<std::string_view, std::string_view>::first);
      table_.options.insert_or_assign(old == std::end(kOld) ? key : std::string(old->second), value);
    }
    SUPYO_TRY(columns());
    if (query_schema != nullptr) SUPYO_TRY(query_columns(*query_schema));
    if (gives_rows_whole()) std::erase_if(table_.columns, [](const ColumnDefinition& c) { return c.nested; });
    if (table_.columns.empty())
      return fail_at(create_.name.span, ErrorCode::kInvalidQuery, fmt::format("table `{}` has no columns", create_.name.last()), "list them: CREATE TABLE t (id BIGINT, ..) WITH (..)");
    SUPYO_TRY(primary_key());
    SUPYO_TRY(computed_columns());
    SUPYO_TRY(watermark());
    SUPYO_TRY(distribution());
    SUPYO_TRY(partitions());
    SUPYO_TRY(check_options());
    return std::move(table_);
  }

 private:
  /// Behind those that are declared, which keep their places and types where the query has them, too.
  Status query_columns(const Schema& query) {
    std::vector<Field> fields = query.fields();
    if (!create_.as_columns.empty()) {
      fields.clear();
      for (const syntax::Identifier& name : create_.as_columns) {
        const auto i = query.find(name.text);
        if (!i) return fail_at(name.span, ErrorCode::kUnknownColumn, fmt::format("the query has no column `{}`", name.text), "a list of names says the order of the query's columns");
        fields.push_back(query[*i]);
      }
      if (fields.size() != query.size()) return fail_at(create_.name.span, ErrorCode::kInvalidQuery, fmt::format("{} names for the {} columns of the query", fields.size(), query.size()), "name each of them once, or leave the list out");
    }
    for (const Field& f : fields) {
      const auto declared = std::ranges::find(table_.columns, f.name, &ColumnDefinition::name);
      if (declared != table_.columns.end() && (declared->kind == ColumnDefinition::Kind::kComputed || declared->is_virtual))
        return fail_at(create_.name.span, ErrorCode::kInvalidQuery, fmt::format("`{}` is computed or VIRTUAL, and a column of the query", f.name), "rename one of them");
      if (declared != table_.columns.end() && create_.as_columns.empty()) continue;
      if (declared != table_.columns.end()) return fail_at(create_.name.span, ErrorCode::kAlreadyExists, fmt::format("column `{}` is named twice", f.name), "name each column once");
      table_.columns.push_back({.name = f.name, .type = f.type, .expression_sql = {}, .metadata_key = {}, .comment = {}});
      add_fields(f.name, f.type);
    }
    return ok();
  }

  Status like(const syntax::LikeClause& clause) {
    QueryBinder names(ctx_);
    SUPYO_ASSIGN(const catalog::ObjectPath path, names.resolve(clause.table));
    SUPYO_ASSIGN(const catalog::Catalog::Object object, at(ctx_.catalog.find(path), clause.table.span));
    const auto* base = std::get_if<TableDefinition>(&object);
    if (base == nullptr) return fail_at(clause.table.span, ErrorCode::kInvalidQuery, fmt::format("`{}` is a view", path.name), "LIKE copies a table");
    LikeRules rules;
    for (const syntax::LikeOption& o : clause.options) rules.modes[o.what] = o.mode;
    for (const ColumnDefinition& c : base->columns) {
      using Kind = ColumnDefinition::Kind;
      if (c.kind == Kind::kComputed && !rules.takes(What::kGenerated)) continue;
      if (c.kind == Kind::kMetadata && !rules.takes(What::kMetadata)) continue;
      table_.columns.push_back(c);
    }
    if (rules.takes(What::kOptions)) table_.options = base->options;
    if (rules.takes(What::kConstraints)) table_.primary_key = base->primary_key;
    if (rules.takes(What::kPartitions)) table_.partition_keys = base->partition_keys;
    if (rules.takes(What::kDistribution)) table_.distribution = base->distribution;
    if (rules.takes(What::kWatermarks)) table_.watermark = base->watermark;
    return ok();
  }

  /// Whether `c` stands in the place of a column that LIKE brought: OVERWRITING GENERATED, OVERWRITING METADATA.
  bool overwrites(const ColumnDefinition& other, const syntax::ColumnDefinition& c) const {
    using Kind = syntax::ColumnDefinition::Kind;
    const auto first = std::ranges::find_if(create_.columns, [&](const auto& o) { return o.name.text == c.name.text; });
    if (!create_.like || &*first != &c) return false;   // declared twice here
    const bool computed = c.kind == Kind::kComputed && other.kind == ColumnDefinition::Kind::kComputed;
    const bool metadata = c.kind == Kind::kMetadata && other.kind == ColumnDefinition::Kind::kMetadata;
    const auto says = [&](What what) {
      return std::ranges::any_of(create_.like->options, [&](const syntax::LikeOption& o) { return o.mode == Mode::kOverwriting && (o.what == what || o.what == What::kAll); });
    };
    return (computed && says(What::kGenerated)) || (metadata && says(What::kMetadata));
  }

  Status columns() {
    for (const syntax::ColumnDefinition& c : create_.columns) {
      ColumnDefinition column{.name = c.name.text, .type = {}, .expression_sql = {}, .metadata_key = {}, .is_virtual = c.is_virtual, .comment = c.comment};
      const auto other = std::ranges::find(table_.columns, c.name.text, &ColumnDefinition::name);
      if (other != table_.columns.end() && !overwrites(*other, c))
        return fail_at(c.name.span, ErrorCode::kAlreadyExists, fmt::format("column `{}` is declared twice", c.name.text), "rename one of them");
      using Kind = syntax::ColumnDefinition::Kind;
      switch (c.kind) {
        case Kind::kPhysical: column.kind = ColumnDefinition::Kind::kPhysical; break;
        case Kind::kComputed:
          column.kind = ColumnDefinition::Kind::kComputed;
          column.expression_sql = syntax::print(*c.computed);
          break;
        case Kind::kMetadata:
          column.kind = ColumnDefinition::Kind::kMetadata;
          column.metadata_key = c.metadata_key.value_or(c.name.text);
          break;
      }
      if (c.type) {
        SUPYO_ASSIGN(column.type, bind_type(*c.type));
        const bool own = table_.temporary || !ctx_.catalog.is_external(table_.path.catalog);
        if (column.type.is_nested() && !own) return unsupported(c.type->span, fmt::format("the type {} in the catalog `{}`", column.type.to_string(), table_.path.catalog), "use columns of plain types there");
      }
      const Type type = column.type;
      if (other == table_.columns.end()) table_.columns.push_back(std::move(column));
      else *other = std::move(column);
      if (c.kind == Kind::kPhysical) add_fields(c.name.text, type);
    }
    return ok();
  }

  /// Formats that cannot read a field of a ROW alone.
  bool gives_rows_whole() const {
    return std::ranges::any_of(table_.options, [](const auto& o) { return (o.first == "format" || o.first == "value.format") && (o.second == "csv" || o.second == "parquet"); });
  }

  /// The fields of a ROW are columns beside it, null where the ROW is, so that reading one does not read the others.
  void add_fields(const std::string& path, const Type& row) {
    if (row.id != TypeId::kRow) return;
    for (std::size_t i = 0; i < row.children().size(); ++i) {
      const std::string& field = row.field_names()[i];
      if (field.find('.') != std::string::npos) continue;   // found by way of the whole ROW
      const Type& own = row.children()[i];
      const Type type = own.as_nullable(own.nullable || row.nullable);
      table_.columns.push_back({.name = path + "." + field, .type = type, .expression_sql = {}, .metadata_key = {}, .comment = {}, .nested = true});
      add_fields(path + "." + field, type);
    }
  }

  Result<ColumnDefinition*> find(const syntax::Identifier& name) {
    const auto it = std::ranges::find(table_.columns, name.text, &ColumnDefinition::name);
    if (it == table_.columns.end()) {
      const auto names = names_of(table_);
      return fail_at(name.span, ErrorCode::kUnknownColumn, fmt::format("there is no column `{}`", name.text),
                     did_you_mean(name.text, names, fmt::format("the columns are: {}", fmt::join(names, ", "))));
    }
    return &*it;
  }

  Status primary_key() {
    if (!create_.primary_key) return ok();
    const auto& key = *create_.primary_key;
    if (key.enforced)
      return fail_at(key.span, ErrorCode::kUnsupported, "an enforced PRIMARY KEY is not supported", "write PRIMARY KEY (..) NOT ENFORCED: Supyo does not own the data");
    table_.primary_key.clear();
    for (const syntax::Identifier& name : key.columns) {
      SUPYO_ASSIGN(ColumnDefinition * column, find(name));
      if (column->kind != ColumnDefinition::Kind::kPhysical)
        return fail_at(name.span, ErrorCode::kInvalidQuery, fmt::format("`{}` is computed and cannot be in the PRIMARY KEY", name.text), "use physical columns");
      if (std::ranges::find(table_.primary_key, name.text) != table_.primary_key.end())
        return fail_at(name.span, ErrorCode::kInvalidQuery, fmt::format("`{}` stands twice in the PRIMARY KEY", name.text), "name each column once");
      column->type = column->type.not_null();   // a key column is never null, as in Flink
      table_.primary_key.push_back(name.text);
    }
    return ok();
  }

  /// Types of computed columns, which also finds the errors in them while their text is still at hand.
  Status computed_columns() {
    std::vector<ColumnInfo> infos;
    for (const ColumnDefinition& c : table_.columns)
      if (c.kind != ColumnDefinition::Kind::kComputed) infos.push_back({.name = c.name, .type = c.type});
    const Scope scope = Scope::of(make_values({}, std::move(infos)), table_.path.name);
    for (const syntax::ColumnDefinition& c : create_.columns) {
      if (c.kind != syntax::ColumnDefinition::Kind::kComputed) continue;
      SUPYO_ASSIGN(const expr::ExprPtr bound, ExprBinder(ctx_.functions, scope).bind(*c.computed));
      if (bound->type.id == TypeId::kNull)
        return fail_at(c.computed->span, ErrorCode::kTypeMismatch, fmt::format("the type of `{}` is not known", c.name.text), "cast it: CAST(NULL AS INT)");
      SUPYO_ASSIGN(ColumnDefinition * column, find(c.name));
      column->type = bound->type;
    }
    return ok();
  }

  Status watermark() {
    if (create_.watermarks.empty()) return ok();
    if (create_.watermarks.size() > 1)
      return fail_at(create_.watermarks[1].span, ErrorCode::kInvalidQuery, "a table has one WATERMARK", "remove the others");
    const syntax::WatermarkDefinition& w = create_.watermarks.front();
    if (w.column.parts.size() > 1) return unsupported(w.column.span, "a watermark on a nested field", "compute a column from it: ts AS rec.ts, WATERMARK FOR ts AS ..");
    SUPYO_ASSIGN(const ColumnDefinition* column, find(w.column.parts.front()));
    if (catalog::is_proc_time(*column))
      return fail_at(w.column.span, ErrorCode::kInvalidQuery, fmt::format("`{}` is processing time, which has no watermark", column->name), "leave WATERMARK out; or name the column that has the time of the event");
    if (!can_be_row_time(column->type))
      return fail_at(w.column.span, ErrorCode::kTypeMismatch, fmt::format("`{}` is {}, which cannot be event time", column->name, column->type.to_string()),
                     "declare it TIMESTAMP(3) or TIMESTAMP_LTZ(3), or compute one: ts AS TO_TIMESTAMP_LTZ(ms, 3)");
    std::vector<ColumnInfo> infos;
    for (const ColumnDefinition& c : table_.columns) infos.push_back({.name = c.name, .type = c.type});
    SUPYO_TRY(bind_watermark(*w.expr, column->name, column->type, Scope::of(make_values({}, std::move(infos)), table_.path.name), ctx_.functions));
    table_.watermark = catalog::WatermarkDefinition{column->name, syntax::print(*w.expr)};
    return ok();
  }

  Status distribution() {
    if (!create_.distribution) return ok();
    const syntax::Distribution& d = *create_.distribution;
    using Kind = syntax::Distribution::Kind;
    catalog::TableDistribution made{.kind = d.kind == Kind::kHash ? "HASH" : d.kind == Kind::kRange ? "RANGE" : "", .keys = {}, .buckets = d.buckets};
    if (d.buckets && *d.buckets < 1) return fail_at(d.span, ErrorCode::kInvalidQuery, "a distributed table has at least one bucket", "INTO 4 BUCKETS");
    for (const syntax::Identifier& name : d.columns) {
      SUPYO_ASSIGN(const ColumnDefinition* column, find(name));
      if (column->kind != ColumnDefinition::Kind::kPhysical) return fail_at(name.span, ErrorCode::kInvalidQuery, fmt::format("`{}` is no physical column", name.text), "rows are distributed by physical columns");
      made.keys.push_back(name.text);
    }
    table_.distribution = std::move(made);
    return ok();
  }

  Status partitions() {
    if (!create_.partitioned_by.empty()) table_.partition_keys.clear();
    for (const syntax::Identifier& name : create_.partitioned_by) {
      SUPYO_TRY(find(name));
      if (std::ranges::find(table_.partition_keys, name.text) != table_.partition_keys.end())
        return fail_at(name.span, ErrorCode::kInvalidQuery, fmt::format("`{}` stands twice in PARTITIONED BY", name.text), "name each column once");
      table_.partition_keys.push_back(name.text);
    }
    return ok();
  }

  Status check_options() {
    // Tables of external catalogs answer to that catalog.
    if (!table_.temporary && ctx_.catalog.is_external(table_.path.catalog)) return ok();
    auto problem = catalog::find_option_problem(table_.options, ctx_.catalog.connectors(), false);
    if (!problem) return ok();
    for (const syntax::OptionEntry& o : create_.options)
      if (o.key == problem->key) return std::unexpected(placed(std::move(problem->error), problem->at_value ? o.value_span : o.key_span));
    return std::unexpected(placed(std::move(problem->error), create_.name.span));
  }

  BindContext& ctx_;
  const syntax::CreateTable& create_;
  TableDefinition table_;
};

}  // namespace

Result<TableDefinition> bind_create_table(BindContext& context, const syntax::CreateTable& create, const catalog::ObjectPath& path, const Schema* query_schema) {
  return TableBinder(context, create, path).bind(query_schema);
}

Result<catalog::Options> bind_options(const std::vector<syntax::OptionEntry>& entries) {
  catalog::Options out;
  for (const syntax::OptionEntry& o : entries)
    if (!out.emplace(o.key, o.value).second)
      return fail_at(o.key_span, ErrorCode::kInvalidQuery, fmt::format("the option '{}' is given twice", o.key), "remove one of them");
  return out;
}

std::vector<std::string> parts_of(const syntax::Name& name) {
  std::vector<std::string> parts;
  for (const auto& p : name.parts) parts.push_back(p.text);
  return parts;
}

}  // namespace supyo::plan
