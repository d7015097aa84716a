#include "sql/plan/planner.h"

#include <algorithm>

#include "sql/plan/bind_query.h"
#include "sql/plan/bind_table.h"
#include "sql/plan/build_physical.h"
#include "sql/plan/rules.h"
#include "sql/plan/show.h"
#include "sql/syntax/printer.h"

namespace supyo::plan {

struct Planner::Impl {
  PlannerOptions planner_options;
  BindContext ctx;

  expr::FunctionRegistry& functions;   // CREATE FUNCTION names some

  Impl(catalog::Catalog& catalog, expr::FunctionRegistry& f, config::Settings& settings, PlannerOptions o)
      : planner_options(std::move(o)), ctx{catalog, f, settings, planner_options}, functions(f) {}

  Result<Outcome> run(const syntax::Statement& s) {
    return std::visit([&](const auto& node) -> Result<Outcome> { return run(node, s.span); }, s.node);
  }

  // ---- CREATE

  Result<Outcome> run(const syntax::CreateTable& c, const syntax::Span& span) {
    QueryBinder names(ctx);
    SUPYO_ASSIGN(const catalog::ObjectPath path, names.resolve(c.name));
    using Replace = syntax::CreateTable::Replace;
    if (!c.as_columns.empty() && !c.as_query) return fail_at(c.as_columns.front().span, ErrorCode::kSyntax, "columns without types", "write a type behind each name");
    if (c.replace == Replace::kReplace && !ctx.catalog.exists(path)) SUPYO_TRY(at(ctx.catalog.find(path), c.name.span));
    if (c.if_not_exists && ctx.catalog.exists(path)) {
      if (c.as_query) return unsupported(span, "CREATE TABLE IF NOT EXISTS .. AS of a table that exists", "INSERT INTO it");
      return Done{fmt::format("table `{}` exists already", path.name)};
    }
    LogicalPtr query;
    std::optional<Schema> schema;
    if (c.as_query) {
      SUPYO_ASSIGN(query, names.bind(*c.as_query));
      schema = schema_of(*query);
    }
    SUPYO_ASSIGN(catalog::TableDefinition table, bind_create_table(ctx, c, path, schema ? &*schema : nullptr));
    if (query) {
      SUPYO_ASSIGN(query, by_name(ctx, std::move(query), table, c.name.span));
    }
    if (c.replace != Replace::kNo) SUPYO_TRY(at(ctx.catalog.drop_table(path, true, false), c.name.span));
    SUPYO_TRY(at(ctx.catalog.create_table(std::move(table), c.if_not_exists), c.name.span));
    if (!query) return Done{fmt::format("table `{}` created", path.name)};
    SUPYO_ASSIGN(catalog::Catalog::Object made, at(ctx.catalog.find(path), c.name.span));
    SUPYO_ASSIGN(LogicalPtr sink, make_table_sink(ctx, std::move(query), std::get<catalog::TableDefinition>(std::move(made)), c.name.span));
    return Job{{std::move(sink)}, false};
  }

  Result<Outcome> run(const syntax::CreateView& c, const syntax::Span&) {
    SUPYO_ASSIGN(catalog::ViewDefinition view, view_of(c));
    const std::string name = view.path.name;
    SUPYO_ASSIGN(const bool created, at(ctx.catalog.create_view(std::move(view), c.if_not_exists), c.name.span));
    return Done{fmt::format("view `{}` {}", name, created ? "created" : "exists already")};
  }

  Result<catalog::ViewDefinition> view_of(const syntax::CreateView& c) {
    QueryBinder queries(ctx);
    SUPYO_ASSIGN(const catalog::ObjectPath path, queries.resolve(c.name));
    SUPYO_ASSIGN(const LogicalPtr query, queries.bind(*c.query));
    if (!c.columns.empty() && c.columns.size() != query->columns.size())
      return fail_at(c.columns.front().span, ErrorCode::kInvalidQuery, fmt::format("{} column names for {} columns", c.columns.size(), query->columns.size()), "name all columns, or none");
    Schema schema;
    for (std::size_t i = 0; i < query->columns.size(); ++i) {
      const std::string& name = c.columns.empty() ? query->columns[i].name : c.columns[i].text;
      if (schema.find(name)) return fail_at(c.name.span, ErrorCode::kAmbiguousColumn, fmt::format("the view has two columns `{}`", name), "rename one of them with AS");
      schema.add(name, query->columns[i].type);
    }
    return catalog::ViewDefinition{.path = path, .query_sql = syntax::print(*c.query), .schema = std::move(schema), .comment = c.comment, .temporary = c.temporary,
                                   .made_in_catalog = ctx.catalog.current_catalog(), .made_in_database = ctx.catalog.current_database()};
  }

  /// Classes of others cannot run here. What some of them do is built in.
  Result<Outcome> run(const syntax::CreateFunction& c, const syntax::Span&) {
    constexpr std::pair<std::string_view, std::string_view> kKnown[] = {{"com.github.nexmark.flink.udf.CountChar", "SUPYO_COUNT_CHAR"}};
    const auto known = std::ranges::find(kKnown, std::string_view(c.class_name), &std::pair<std::string_view, std::string_view>::first);
    if (known == std::end(kKnown))
      return fail_at(c.class_span, ErrorCode::kUnsupported, fmt::format("the class '{}' cannot run here", c.class_name), "write it with built-in functions: SHOW FUNCTIONS lists them");
    if (c.name.parts.size() > 1) return unsupported(c.name.span, "a function with a qualified name", "write the name alone");
    if (!functions.add_alias(c.name.last(), known->second) && !c.if_not_exists)
      return fail_at(c.name.span, ErrorCode::kAlreadyExists, fmt::format("there is a function {} already", c.name.last()), "IF NOT EXISTS takes what is there");
    return Done{fmt::format("function {} created", c.name.last())};
  }

  Result<Outcome> run(const syntax::CreateCatalog& c, const syntax::Span&) {
    SUPYO_ASSIGN(const catalog::Options options, bind_options(c.options));
    SUPYO_TRY(at(ctx.catalog.create_catalog(c.name.text, options, c.if_not_exists), c.name.span));
    return Done{fmt::format("catalog `{}` created", c.name.text)};
  }

  Result<Outcome> run(const syntax::CreateDatabase& c, const syntax::Span&) {
    SUPYO_ASSIGN(const catalog::Options options, bind_options(c.options));
    SUPYO_TRY(at(ctx.catalog.create_database(parts_of(c.name), c.if_not_exists, options), c.name.span));
    return Done{fmt::format("database `{}` created", c.name.last())};
  }

  // ---- USE, DROP, ALTER

  Result<Outcome> run(const syntax::UseCatalog& u, const syntax::Span&) {
    SUPYO_TRY(at(ctx.catalog.use_catalog(u.name.text), u.name.span));
    return Done{fmt::format("using catalog `{}`", u.name.text)};
  }
  Result<Outcome> run(const syntax::UseDatabase& u, const syntax::Span&) {
    SUPYO_TRY(at(ctx.catalog.use_database(parts_of(u.name)), u.name.span));
    return Done{fmt::format("using database `{}`", u.name.last())};
  }
  /// There is one module, core, whose functions are Supyo's own.
  Result<Outcome> run(const syntax::Modules& m, const syntax::Span&) {
    using Action = syntax::Modules::Action;
    for (std::size_t i = 0; i < m.names.size(); ++i) {
      const syntax::Identifier& name = m.names[i];
      if (name.text != "core")
        return fail_at(name.span, ErrorCode::kUnsupported, fmt::format("there is no module `{}`", name.text), "the only module is core; SHOW FUNCTIONS lists what it has");
      if (i > 0) return fail_at(name.span, ErrorCode::kInvalidQuery, "the module `core` is named twice", "USE MODULES core");
      if (m.action == Action::kLoad) return fail_at(name.span, ErrorCode::kAlreadyExists, "the module `core` is loaded already", "leave the statement out");
      if (m.action == Action::kUnload) return unsupported(name.span, "UNLOAD MODULE core", "leave it out: all functions are core's");
    }
    return Done{"using module `core`"};
  }
  Result<Outcome> run(const syntax::Drop& d, const syntax::Span&) {
    using Kind = syntax::Drop::Kind;
    if (d.kind == Kind::kFunction) {
      if (d.name.parts.size() > 1) return unsupported(d.name.span, "a function with a qualified name", "write the name alone");
      if (!functions.remove_alias(d.name.last()) && !d.if_exists)
        return fail_at(d.name.span, ErrorCode::kUnknownFunction, fmt::format("there is no function {} that was created", d.name.last()), "built-in functions stay; IF EXISTS takes it that there is none");
    } else if (d.kind == Kind::kCatalog) {
      SUPYO_TRY(at(ctx.catalog.drop_catalog(d.name.last(), d.if_exists), d.name.span));
    } else if (d.kind == Kind::kDatabase) {
      SUPYO_TRY(at(ctx.catalog.drop_database(parts_of(d.name), d.if_exists, d.cascade), d.name.span));
    } else {
      QueryBinder names(ctx);
      SUPYO_ASSIGN(const catalog::ObjectPath path, names.resolve(d.name));
      const Status dropped = d.kind == Kind::kTable ? ctx.catalog.drop_table(path, d.if_exists, d.temporary) : ctx.catalog.drop_view(path, d.if_exists, d.temporary);
      SUPYO_TRY(at(dropped, d.name.span));
    }
    return Done{fmt::format("`{}` dropped", d.name.last())};
  }
  Result<Outcome> run(const syntax::Alter& a, const syntax::Span& span) {
    if (a.kind == syntax::Alter::Kind::kDatabase || a.kind == syntax::Alter::Kind::kCatalog) return alter_place(a, span);
    QueryBinder names(ctx);
    SUPYO_ASSIGN(const catalog::ObjectPath path, names.resolve(a.name));
    if (a.if_exists && !ctx.catalog.exists(path)) return Done{fmt::format("`{}` does not exist", path.name)};
    if (const auto* rename = std::get_if<syntax::Alter::Rename>(&a.action)) {
      SUPYO_ASSIGN(const catalog::ObjectPath to, names.resolve(rename->to));
      if (to.catalog != path.catalog || to.database != path.database)
        return unsupported(rename->to.span, "renaming into another database", "make a new table there");
      SUPYO_TRY(at(ctx.catalog.rename_table(path, to.name), a.name.span));
      return Done{fmt::format("`{}` renamed to `{}`", path.name, to.name)};
    }
    const Done done{fmt::format("`{}` altered", path.name)};
    if (std::holds_alternative<syntax::Alter::SetOptions>(a.action) || std::holds_alternative<syntax::Alter::ResetOptions>(a.action)) {
      SUPYO_ASSIGN(const OptionChange change, option_change(a));
      SUPYO_TRY(at(ctx.catalog.set_table_options(path, change.set, change.reset), a.name.span));
      return done;
    }
    SUPYO_ASSIGN(catalog::Catalog::Object object, at(ctx.catalog.find(path), a.name.span));
    if (std::holds_alternative<catalog::ViewDefinition>(object) != (a.kind == syntax::Alter::Kind::kView))
      return fail_at(a.name.span, ErrorCode::kInvalidQuery, fmt::format("`{}` is a {}", path.name, a.kind == syntax::Alter::Kind::kView ? "table" : "view"), "ALTER it as what it is");
    if (const auto* as = std::get_if<syntax::Alter::NewQuery>(&a.action)) {
      const auto& old = std::get<catalog::ViewDefinition>(object);
      syntax::CreateView view{.temporary = old.temporary, .if_not_exists = false, .name = a.name, .columns = {}, .comment = old.comment, .query = as->query};
      SUPYO_ASSIGN(object, view_of(view));
    } else {
      SUPYO_ASSIGN(object, bind_alter_table(ctx, std::get<catalog::TableDefinition>(object), a));
    }
    SUPYO_TRY(at(ctx.catalog.replace(std::move(object)), a.name.span));
    return done;
  }
  struct OptionChange {
    catalog::Options set;
    std::vector<std::string> reset;
  };
  static Result<OptionChange> option_change(const syntax::Alter& a) {
    OptionChange change;
    if (const auto* s = std::get_if<syntax::Alter::SetOptions>(&a.action)) {
      SUPYO_ASSIGN(change.set, bind_options(s->options));
    } else {
      change.reset = std::get<syntax::Alter::ResetOptions>(a.action).keys;
    }
    return change;
  }
  Result<Outcome> alter_place(const syntax::Alter& a, const syntax::Span& span) {
    if (std::holds_alternative<syntax::Alter::Rename>(a.action)) return unsupported(span, "renaming a catalog or database", "create another one");
    SUPYO_ASSIGN(const OptionChange change, option_change(a));
    const bool database = a.kind == syntax::Alter::Kind::kDatabase;
    SUPYO_TRY(at(database ? ctx.catalog.alter_database(parts_of(a.name), change.set, change.reset) : ctx.catalog.alter_catalog(a.name.last(), change.set, change.reset), a.name.span));
    return Done{fmt::format("`{}` altered", a.name.last())};
  }

  // ---- SHOW, DESCRIBE, SET

  Result<Outcome> run(const syntax::Show& s, const syntax::Span& span) {
    if (s.kind == syntax::Show::Kind::kJobs) return ShowJobs{};
    SUPYO_ASSIGN(Listing rows, show(ctx, s, span));
    return rows;
  }
  Result<Outcome> run(const syntax::Describe& d, const syntax::Span&) {
    SUPYO_ASSIGN(Listing rows, describe_object(ctx, d));
    return rows;
  }
  Result<Outcome> run(const syntax::SetOption& s, const syntax::Span&) {
    if (!s.entry) {
      std::vector<std::vector<std::string>> rows;
      for (const auto& [key, value] : ctx.settings.changed()) rows.push_back({key, value});
      return text_listing({"key", "value"}, rows);
    }
    if (s.entry->key == config::kLocalTimeZone.name) SUPYO_TRY(at(Zone::parse(s.entry->value), s.entry->value_span));
    auto set = ctx.settings.set(s.entry->key, s.entry->value);
    if (!set) {
      const bool bad_value = set.error().code == ErrorCode::kBadOptionValue;
      return std::unexpected(placed(std::move(set).error(), bad_value ? s.entry->value_span : s.entry->key_span));
    }
    return Done{*set == config::SetOutcome::kSet ? fmt::format("'{}' = '{}'", s.entry->key, s.entry->value)
                                                 : fmt::format("'{}' has no effect here", s.entry->key)};
  }
  Result<Outcome> run(const syntax::ResetOption& r, const syntax::Span&) {
    SUPYO_TRY(at(ctx.settings.reset(r.key.value_or("")), r.key_span));
    return Done{r.key ? fmt::format("'{}' reset", *r.key) : std::string("all settings reset")};
  }

  // ---- queries

  Result<Outcome> run(const syntax::Insert& i, const syntax::Span&) {
    SUPYO_ASSIGN(LogicalPtr sink, bind_insert(ctx, i));
    return Job{{std::move(sink)}, false};
  }
  Result<Outcome> run(const syntax::StatementSet& set, const syntax::Span&) {
    Job job;
    for (const syntax::StatementSetEntry& e : set.inserts) {
      SUPYO_ASSIGN(LogicalPtr sink, bind_insert(ctx, e.insert));
      job.sinks.push_back(std::move(sink));
    }
    return job;
  }
  Result<Outcome> run(const syntax::SelectStatement& s, const syntax::Span& span) {
    QueryBinder queries(ctx);
    SUPYO_ASSIGN(LogicalPtr query, queries.bind(*s.query, OrderAllowed::kTopOfConsoleQuery));
    LogicalSink sink{.table = std::nullopt, .schema = schema_of(*query), .check_not_null = {}, .overwrite = false, .position = span.position()};
    return Job{{make_sink(std::move(query), std::move(sink))}, true};
  }
  Result<Outcome> run(const syntax::Explain& e, const syntax::Span&) {
    if (!e.statement->as<syntax::Insert>() && !e.statement->as<syntax::StatementSet>() && !e.statement->as<syntax::SelectStatement>())
      return fail_at(e.statement->span, ErrorCode::kInvalidQuery, "EXPLAIN takes a query, an INSERT or a STATEMENT SET", "other statements have no plan");
    SUPYO_ASSIGN(const Outcome bound, run(*e.statement));
    SUPYO_ASSIGN(const PhysicalPlan plan, physical(std::get<Job>(bound)));
    std::string text = e.json ? explain_json(plan) : e.changelog_mode ? explain_changelog(plan) : explain_text(plan);
    if (e.estimated_cost && !e.json) text += "Cost: not estimated. Plans are chosen by rules, never by the size of tables.\n";
    if (e.plan_advice && !e.json) text += explain_advice(plan);
    return text_listing({"result"}, {{std::move(text)}});
  }
  Result<Outcome> run(const syntax::StopJob& s, const syntax::Span&) { return s; }

  Result<PhysicalPlan> physical(const Job& job) const {
    std::vector<LogicalPtr> sinks;
    ColumnsRead reads;
    for (const LogicalPtr& sink : job.sinks) {
      // Pruning is no mere rewriting: only columns that are read are decoded and checked for NOT NULL, so it decides which records are dead.
      const LogicalPtr pruned = prune(bound_ranks(planner_options.rules ? simplify(sink) : sink), planner_options.also_read);
      collect_reads(pruned, reads);
      sinks.push_back(planner_options.rules ? simplify(pruned) : pruned);
      if (!ctx.settings.get(config::kSplitDistinct)) continue;
      SUPYO_ASSIGN(sinks.back(), split_distinct(sinks.back(), ctx.functions, ctx.settings.get(config::kSplitBuckets)));
      if (planner_options.rules) sinks.back() = simplify(sinks.back());
    }
    SUPYO_ASSIGN(const std::optional<WindowEmit> emit, window_emit(ctx.settings));
    return build_physical(sinks, reads, ctx.functions, ctx.catalog.connectors(), {.rules = planner_options.rules, .ttl_us = ctx.settings.get(config::kStateTtl), .emit = emit, .aggregates = aggregate_options(ctx.settings),
                           .materialize = materialize(ctx.settings.get(config::kUpsertMaterialize)), .drop_nulls = ctx.settings.get(config::kNotNullEnforcer) == "drop",
                           .duplicate_changes = ctx.settings.get(config::kDuplicateChanges), .same_when_taken_back = ctx.settings.get(config::kNondeterministicUpdate) == "try_resolve"});
  }

  static PhysicalOptions::Materialize materialize(std::string_view text) {
    using Materialize = PhysicalOptions::Materialize;
    return text == "none" ? Materialize::kNone : text == "force" ? Materialize::kForce : Materialize::kAuto;
  }

  static AggregateOptions aggregate_options(const config::Settings& s) {
    using Levels = AggregateOptions::Levels;
    const std::string_view levels = s.get(config::kAggPhase);
    AggregateOptions o{.levels = levels == "one_phase" ? Levels::kOne : levels == "two_phase" ? Levels::kTwo : Levels::kAuto, .parallelism = s.get(config::kParallelism)};
    if (!s.get(config::kMiniBatch)) return o;
    const std::int64_t rows = s.get(config::kMiniBatchSize);
    o.mini_batch = {.rows = rows > 0 ? static_cast<std::uint64_t>(rows) : UINT64_MAX, .latency_us = s.get(config::kMiniBatchLatency)};
    return o;
  }

  /// As Flink's WindowEmitStrategy reads them.
  static Result<std::optional<WindowEmit>> window_emit(const config::Settings& s) {
    WindowEmit emit{.lateness_us = s.get(config::kEmitAllowLateness)};
    if (s.get(config::kEmitEarlyFire)) emit.early_us = s.get(config::kEmitEarlyFireDelay);
    if (s.get(config::kEmitLateFire)) {
      if (emit.lateness_us == 0)
        return fail(ErrorCode::kBadOptionValue, "'table.exec.emit.late-fire.enabled' without rows that may be late", "SET 'table.exec.emit.allow-lateness' to how late they may be, e.g. '5 min'");
      emit.late_us = s.get(config::kEmitLateFireDelay);
    }
    return emit.lateness_us > 0 || emit.early_us ? std::optional(emit) : std::nullopt;
  }
};

Planner::Planner(catalog::Catalog& catalog, expr::FunctionRegistry& functions, config::Settings& settings, PlannerOptions options)
    : impl_(std::make_unique<Impl>(catalog, functions, settings, std::move(options))) {}
Planner::~Planner() = default;

Result<Outcome> Planner::execute(const syntax::Statement& statement) {
  auto outcome = impl_->run(statement);
  // No error leaves without a place.
  if (!outcome) return std::unexpected(placed(std::move(outcome).error(), statement.span));
  return outcome;
}

Result<PhysicalPlan> Planner::plan(const Job& job) const { return impl_->physical(job); }

Schema Planner::console_schema(const Job& job) { return job.sinks.empty() ? Schema() : job.sinks.front()->as<LogicalSink>()->schema; }

}  // namespace supyo::plan
