#include <algorithm>

#include "sql/plan/select_columns.h"

// FROM t MATCH_RECOGNIZE (..), with Flink's rules for what a pattern may be.
//
// Conditions and measures are bound over columns that no row has: those of each variable, and of all rows together. What they come down to is a list of references,
// each a value that the operator reads off the rows of a match, and an expression over them.
namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;
using syntax::Span;

/// From here on a column is a reference while an expression is being bound.
constexpr std::size_t kReferenceBase = kAggregateBase;
constexpr std::string_view kOrderHint = "ORDER BY the table's WATERMARK column, passed on unchanged: WATERMARK FOR ts AS ts - INTERVAL '5' SECOND";

class MatchBinder {
 public:
  MatchBinder(BindContext& context, LogicalPtr input, const syntax::MatchRecognize& match, const Span& span) : ctx_(context), input_(std::move(input)), match_(match), span_(span) {
    for (std::size_t i = 0; i < input_->columns.size(); ++i) {
      exprs_.push_back(column_of(*input_, i));
      names_.push_back(input_->columns[i].name);
    }
  }

  Result<LogicalPtr> bind() {
    SUPYO_TRY(keys());
    SUPYO_TRY(order());
    SUPYO_TRY(pattern());
    SUPYO_TRY(skip());
    SUPYO_TRY(within());
    make_scope();
    for (const syntax::MatchDefinition& d : match_.defines) SUPYO_TRY(define(d));
    return measures();
  }

 private:
  Status keys() {
    const Scope scope = Scope::of(input_);
    for (const auto& e : match_.partition_by) {
      SUPYO_ASSIGN(const ExprPtr key, ExprBinder(ctx_.functions, scope).bind(*e));
      if (key->kind != Expr::Kind::kColumn) return unsupported(e->span, "an expression in PARTITION BY of MATCH_RECOGNIZE", "compute it in a query below: (SELECT *, .. AS k FROM t) MATCH_RECOGNIZE (PARTITION BY k ..)");
      out_.match.partition.push_back(key->column);
    }
    return ok();
  }

  Status order() {
    if (match_.order_by.empty()) return fail_at(span_, ErrorCode::kNoTimeAttribute, "MATCH_RECOGNIZE needs ORDER BY a time attribute", std::string(kOrderHint));
    const Scope scope = Scope::of(input_);
    for (std::size_t i = 0; i < match_.order_by.size(); ++i) {
      const syntax::OrderItem& item = match_.order_by[i];
      SUPYO_ASSIGN(const ExprPtr by, ExprBinder(ctx_.functions, scope).bind(*item.expr));
      if (item.descending || item.nulls_first == false) return unsupported(item.expr->span, "MATCH_RECOGNIZE .. ORDER BY .. DESC or NULLS LAST", "streams flow upwards in time: leave it out");
      if (i > 0) {
        if (by->kind != Expr::Kind::kColumn) return unsupported(item.expr->span, "an expression in ORDER BY of MATCH_RECOGNIZE", "compute it in a query below");
        SUPYO_TRY(check_order(by->type, item.expr->span));
        out_.match.order.push_back(by->column);
        continue;
      }
      const bool proc = (by->kind == Expr::Kind::kCall && by->function->name == "PROCTIME") || (by->kind == Expr::Kind::kColumn && input_->columns[by->column].proc_time);
      if (!proc && (by->kind != Expr::Kind::kColumn || !input_->columns[by->column].row_time))
        return fail_at(item.expr->span, ErrorCode::kNoTimeAttribute, "MATCH_RECOGNIZE is not ordered by a time attribute", std::string(kOrderHint));
      out_.processing = proc;
      out_.match.time_column = add(by);
    }
    out_.position = span_.position();
    return ok();
  }

  Status pattern() {
    for (const syntax::PatternElement& e : match_.pattern) {
      const std::string& name = e.variable.text;
      if (variable(name)) return unsupported(e.variable.span, fmt::format("`{}` twice in a PATTERN", name), "give the second one a name and a condition of its own");
      if (e.most && (e.least > *e.most || *e.most == 0))
        return fail_at(e.variable.span, ErrorCode::kInvalidQuery, fmt::format("`{}` cannot take between {} and {} rows", name, e.least, *e.most), "write {2,3}, {2,} or {2}");
      const bool optional = e.least == 0 && e.most == 1;
      if (optional && e.reluctant) return unsupported(e.variable.span, "a variable that is optional and reluctant", "leave the second question mark out");
      if (e.least == 0 && e.most && *e.most > 1) return unsupported(e.variable.span, "{0,n} in a PATTERN", "write two queries, one without the variable, or use *");
      MatchVariable& v = out_.match.variables.emplace_back();
      v.name = name;
      v.least = e.least;
      v.most = e.most;
      v.greedy = e.quantified && !e.reluctant && !optional && e.most != e.least;
      const std::size_t n = out_.match.variables.size();
      if (e.least == 0 && n > 1 && out_.match.variables[n - 2].greedy)
        return unsupported(e.variable.span, "an optional variable behind a greedy one", "make the one before reluctant: A+? B?");
    }
    if (std::ranges::all_of(out_.match.variables, [](const MatchVariable& v) { return v.least == 0; }))
      return unsupported(match_.pattern.front().variable.span, "a PATTERN that no row fulfils, too,", "let at least one variable take a row");
    if (out_.match.variables.back().greedy)
      return unsupported(match_.pattern.back().variable.span, "a greedy quantifier at the end of a PATTERN", "make it reluctant (A+?), or end with a variable that takes one row");
    return ok();
  }

  Status skip() {
    using Skip = syntax::MatchRecognize::Skip;
    switch (match_.skip) {
      case Skip::kDefault:   // as Flink, not as the standard
      case Skip::kToNextRow: out_.match.skip = Match::Skip::kToNextRow; return ok();
      case Skip::kPastLastRow: out_.match.skip = Match::Skip::kPastLastRow; return ok();
      case Skip::kToFirst: out_.match.skip = Match::Skip::kToFirst; break;
      case Skip::kToLast: out_.match.skip = Match::Skip::kToLast; break;
    }
    const auto v = variable(match_.skip_to->text);
    if (!v) return no_variable(*match_.skip_to);
    out_.match.skip_to = *v;
    return ok();
  }

  Status within() {
    if (!match_.within) return ok();
    const auto* literal = match_.within->as<syntax::IntervalLiteral>();
    if (literal == nullptr) return fail_at(match_.within->span, ErrorCode::kTypeMismatch, "WITHIN needs an INTERVAL", "write WITHIN INTERVAL '1' HOUR");
    SUPYO_ASSIGN(const ExprPtr bound, bind_interval(*literal, match_.within->span));
    if (bound->type.id != TypeId::kIntervalDay) return unsupported(match_.within->span, "WITHIN in months or years", "months differ in length: use days, e.g. INTERVAL '30' DAY");
    const std::int64_t us = std::get<std::int64_t>(bound->literal.data);
    if (us <= 0) return fail_at(match_.within->span, ErrorCode::kInvalidQuery, "WITHIN must be longer than nothing", "write WITHIN INTERVAL '1' HOUR");
    out_.match.within_us = us;
    return ok();
  }

  // ---- expressions over the rows of a match

  std::optional<std::size_t> variable(const std::string& name) const {
    for (std::size_t i = 0; i < out_.match.variables.size(); ++i)
      if (out_.match.variables[i].name == name) return i;
    return std::nullopt;
  }
  std::unexpected<Error> no_variable(const syntax::Identifier& name) const {
    std::vector<std::string> names;
    for (const MatchVariable& v : out_.match.variables) names.push_back(v.name);
    return fail_at(name.span, ErrorCode::kUnknownColumn, fmt::format("PATTERN has no variable `{}`", name.text), did_you_mean(name.text, names, fmt::format("it has: {}", fmt::join(names, ", "))));
  }

  /// The columns of each variable, and, where none is named, of all rows.
  void make_scope() {
    width_ = input_->columns.size();
    std::vector<ColumnInfo> columns;
    const std::size_t variables = out_.match.variables.size();
    for (std::size_t v = 0; v <= variables; ++v) {
      Relation r{.alias = v < variables ? out_.match.variables[v].name : "", .path = {}, .first = columns.size(), .columns = {}, .merged = std::vector<bool>(width_, v < variables)};
      for (const ColumnInfo& c : input_->columns) {
        r.columns.push_back(c.name);
        columns.push_back({.name = c.name, .type = c.type.as_nullable()});
      }
      scope_.relations.push_back(std::move(r));
    }
    scope_.node = make_values({.rows = {}}, std::move(columns));
  }

  Result<ExprPtr> bind_over(const syntax::Expr& e, std::vector<MatchReference>& references, bool measure) {
    ExprBinder binder(ctx_.functions, scope_, [&](const syntax::FunctionCall& call, const Span& span) { return special(call, span, references, measure); });
    SUPYO_ASSIGN(const ExprPtr bound, binder.bind(e));
    return expr::fold_constants(settled(bound, references));
  }

  /// A bare column is that of the last row.
  ExprPtr settled(const ExprPtr& e, std::vector<MatchReference>& references) {
    if (e->kind == Expr::Kind::kColumn) {
      if (e->column >= kReferenceBase) return expr::column(e->column - kReferenceBase, e->type);
      return expr::column(look(e->column, MatchReference::Kind::kLast, 0, e->type, references), e->type);
    }
    if (e->args.empty()) return e;
    auto copy = std::make_shared<Expr>(*e);
    for (ExprPtr& a : copy->args) a = settled(a, references);
    return copy;
  }

  std::size_t look(std::size_t scope_column, MatchReference::Kind kind, std::int64_t offset, const Type& type, std::vector<MatchReference>& references) const {
    const std::size_t v = scope_column / width_;
    return look_at(v == out_.match.variables.size() ? SIZE_MAX : v, scope_column % width_, kind, offset, type, references);
  }
  static std::size_t look_at(std::size_t v, std::size_t column, MatchReference::Kind kind, std::int64_t offset, const Type& type, std::vector<MatchReference>& references) {
    for (std::size_t i = 0; i < references.size(); ++i) {
      const MatchReference& r = references[i];
      if (r.kind == kind && r.variable == v && r.column == column && r.offset == offset) return i;
    }
    references.push_back({.kind = kind, .variable = v, .column = column, .offset = offset, .aggregate = {}, .name = fmt::format("$r{}", references.size()), .type = type.as_nullable()});
    return references.size() - 1;
  }

  static ExprPtr reference(std::size_t i, const std::vector<MatchReference>& references) { return expr::column(kReferenceBase + i, references[i].type); }

  std::optional<Result<ExprPtr>> special(const syntax::FunctionCall& call, const Span& span, std::vector<MatchReference>& references, bool measure) {
    const std::string name = call.upper_name();
    if (name == "FIRST" || name == "LAST") return look_call(call, span, name == "FIRST", references);
    if (name == "MATCH_ROWTIME") return time_call(call, span, references, measure);
    if (name == "MATCH_PROCTIME") return ExprBinder(ctx_.functions, scope_).call("PROCTIME", {}, span);
    if (name == "PREV" || name == "NEXT") return Result<ExprPtr>(unsupported(span, fmt::format("{} in MATCH_RECOGNIZE", name), "count the rows of a variable: LAST(A.x, 1) is the one before its last"));
    if (name == "CLASSIFIER" || name == "MATCH_NUMBER") return Result<ExprPtr>(unsupported(span, fmt::format("{} in MATCH_RECOGNIZE", name), "COUNT(A.x) says how many rows a variable has"));
    if (call.over) return Result<ExprPtr>(fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} OVER cannot stand here", name), "compute it in a query around MATCH_RECOGNIZE"));
    if (ctx_.functions.is_aggregate(name)) return aggregate(call, span, references);
    return std::nullopt;
  }

  struct Operand {
    std::size_t variable = SIZE_MAX;
    ExprPtr value;   ///< over the input
  };
  /// What FIRST, LAST or an aggregate reads: of the rows of one variable.
  Result<Operand> operand(const syntax::Expr& e) {
    ExprBinder inner(ctx_.functions, scope_, [&](const syntax::FunctionCall& call, const Span& span) -> std::optional<Result<ExprPtr>> {
      const std::string name = call.upper_name();
      if (name != "FIRST" && name != "LAST" && !ctx_.functions.is_aggregate(name)) return std::nullopt;
      return Result<ExprPtr>(unsupported(span, fmt::format("{} inside of another function over the rows of a match", name), "read the values one by one: LAST(A.x) - LAST(A.x, 1)"));
    });
    SUPYO_ASSIGN(const ExprPtr bound, inner.bind(e));
    Operand out;
    const std::vector<std::size_t> columns = expr::columns_read(*bound);
    for (const std::size_t c : columns)
      if (c / width_ != columns.front() / width_) return unsupported(e.span, "a value of rows of two variables", "read each on its own: LAST(A.x) + LAST(B.x)");
    if (!columns.empty() && columns.front() / width_ < out_.match.variables.size()) out.variable = columns.front() / width_;
    std::vector<std::size_t> map(scope_.node->columns.size());
    for (std::size_t i = 0; i < map.size(); ++i) map[i] = i % width_;
    out.value = expr::remap_columns(bound, map);
    return out;
  }

  Result<ExprPtr> look_call(const syntax::FunctionCall& call, const Span& span, bool first, std::vector<MatchReference>& references) {
    const std::string_view name = first ? "FIRST" : "LAST";
    if (call.arguments.empty() || call.arguments.size() > 2 || call.distinct || call.filter || call.over || call.ignore_nulls)
      return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} takes a value, and how many rows from the {} one", name, first ? "first" : "last"), fmt::format("write {}(A.x, 1)", name));
    std::int64_t offset = 0;
    if (call.arguments.size() == 2) {
      const syntax::Expr& e = *call.arguments[1].value;
      const auto* n = e.as<syntax::NumberLiteral>();
      if (n == nullptr || n->kind != syntax::NumberLiteral::Kind::kInteger || n->text.size() > 9)
        return fail_at(e.span, ErrorCode::kTypeMismatch, fmt::format("the rows that {} counts must be a whole number", name), fmt::format("write {}(A.x, 1)", name));
      offset = std::stoll(n->text);
    }
    SUPYO_ASSIGN(const Operand what, operand(*call.arguments[0].value));
    return reference(look_at(what.variable, add(what.value), first ? MatchReference::Kind::kFirst : MatchReference::Kind::kLast, offset, what.value->type, references), references);
  }

  Result<ExprPtr> time_call(const syntax::FunctionCall& call, const Span& span, std::vector<MatchReference>& references, bool measure) {
    if (!measure || call.arguments.size() > 1 || out_.processing)
      return fail_at(span, ErrorCode::kInvalidQuery, "MATCH_ROWTIME() is the time of a match's last row, for MEASURES of a match in event time", "write MEASURES MATCH_ROWTIME() AS t");
    const Type& type = exprs_[out_.match.time_column]->type;
    return reference(look_at(SIZE_MAX, out_.match.time_column, MatchReference::Kind::kTime, 0, type, references), references);
  }

  Result<ExprPtr> aggregate(const syntax::FunctionCall& call, const Span& span, std::vector<MatchReference>& references) {
    const std::string name = call.upper_name();
    if (call.distinct || call.filter || !call.within_group.empty() || call.ignore_nulls)
      return unsupported(span, "DISTINCT, FILTER, WITHIN GROUP or IGNORE NULLS in MATCH_RECOGNIZE", "leave it out, or put the condition into DEFINE");
    MatchReference r{.kind = MatchReference::Kind::kAggregate, .variable = SIZE_MAX, .column = 0, .offset = 0, .aggregate = {}, .name = fmt::format("$r{}", references.size()), .type = {}};
    std::vector<Type> types;
    std::vector<ExprPtr> values;
    for (const syntax::FunctionArgument& a : call.arguments) {
      if (const auto* star = a.value->as<syntax::Star>(); star != nullptr && call.arguments.size() == 1 && name == "COUNT") {
        if (!star->qualifier) break;
        const auto v = variable(star->qualifier->last());
        if (!v || star->qualifier->parts.size() > 1) return no_variable(star->qualifier->parts.back());
        r.variable = *v;
        break;
      }
      SUPYO_ASSIGN(const Operand what, operand(*a.value));
      if (!values.empty() && what.variable != r.variable) return unsupported(a.value->span, "a value of rows of two variables", "aggregate one variable");
      r.variable = what.variable;
      types.push_back(what.value->type);
      values.push_back(what.value);
    }
    if (call.arguments.empty()) return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} needs an argument", name), fmt::format("write {}(A.x)", name));
    SUPYO_ASSIGN(const expr::ResolvedAggregate resolved, at(ctx_.functions.resolve_aggregate(name, types, false, false), span));
    r.aggregate = {.aggregate = resolved.aggregate, .args = {}, .filter = SIZE_MAX, .name = r.name};
    for (std::size_t i = 0; i < values.size(); ++i) r.aggregate.args.push_back(add(coerced(values[i], resolved.arg_types[i])));
    r.type = name == "COUNT" ? resolved.aggregate->result() : resolved.aggregate->result().as_nullable();
    references.push_back(std::move(r));
    return reference(references.size() - 1, references);
  }

  std::size_t add(const ExprPtr& e) {
    const std::size_t i = place(exprs_, e);
    if (i == names_.size()) names_.push_back(fmt::format("$f{}", i));
    return i;
  }

  Status define(const syntax::MatchDefinition& d) {
    const auto v = variable(d.variable.text);
    if (!v) return no_variable(d.variable);
    MatchVariable& defined = out_.match.variables[*v];
    if (defined.condition) return fail_at(d.variable.span, ErrorCode::kInvalidQuery, fmt::format("`{}` is defined twice", d.variable.text), "join the conditions with AND");
    std::vector<MatchReference> references;
    SUPYO_ASSIGN(ExprPtr condition, bind_over(*d.condition, references, false));
    if (condition->type.id == TypeId::kNull) condition = coerced(condition, Type::boolean());
    if (condition->type.id != TypeId::kBoolean)
      return fail_at(d.condition->span, ErrorCode::kTypeMismatch, fmt::format("DEFINE needs a BOOLEAN, but this is {}", condition->type.to_string()), "compare it with something, e.g. A.x > 0");
    defined.condition = std::move(condition);
    defined.references = std::move(references);
    return ok();
  }

  Result<LogicalPtr> measures() {
    if (match_.measures.empty()) return fail_at(span_, ErrorCode::kInvalidQuery, "MATCH_RECOGNIZE without MEASURES has no result", "say what is to be known of a match: MEASURES FIRST(A.ts) AS began, LAST(A.ts) AS ended");
    std::vector<ExprPtr> exprs;
    std::vector<std::string> names;
    const std::size_t keys = out_.match.partition.size();
    for (std::size_t i = 0; i < keys; ++i) {
      const std::size_t c = out_.match.partition[i];
      exprs.push_back(expr::column(i, input_->columns[c].type));
      names.push_back(input_->columns[c].name);
    }
    std::vector<MatchReference>& references = out_.match.references;
    for (const syntax::SelectItem& m : match_.measures) {
      SUPYO_ASSIGN(const ExprPtr bound, bind_over(*m.expr, references, true));
      if (std::ranges::find(names, m.alias->text) != names.end())
        return fail_at(m.alias->span, ErrorCode::kInvalidQuery, fmt::format("`{}` is a result of MATCH_RECOGNIZE already", m.alias->text), "columns of PARTITION BY are results by themselves; give the measure another name");
      exprs.push_back(bound);
      names.push_back(m.alias->text);
    }
    std::vector<std::size_t> map(references.size());
    for (std::size_t i = 0; i < map.size(); ++i) map[i] = keys + i;
    for (std::size_t i = keys; i < exprs.size(); ++i) exprs[i] = expr::remap_columns(exprs[i], map);
    const LogicalPtr below = exprs_.size() == input_->columns.size() ? input_ : make_project(input_, exprs_, names_);
    return make_project(make_match(below, std::move(out_)), std::move(exprs), std::move(names));
  }

  BindContext& ctx_;
  LogicalPtr input_;
  const syntax::MatchRecognize& match_;
  Span span_;
  LogicalMatch out_;
  std::vector<ExprPtr> exprs_;       // columns below the match: the input's, and what is computed for it
  std::vector<std::string> names_;
  std::size_t width_ = 0;            // columns of the input
  Scope scope_;
};

}  // namespace

Result<LogicalPtr> QueryBinder::match(const syntax::MatchRecognize& match, const Span& span) {
  SUPYO_ASSIGN(const Scope input, from(*match.input));
  return MatchBinder(ctx_, input.node, match, span).bind();
}

}  // namespace supyo::plan
