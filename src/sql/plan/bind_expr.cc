#include "sql/plan/bind_expr.h"

#include <algorithm>

#include "sql/syntax/diagnostic.h"
#include "sql/syntax/printer.h"

namespace supyo::plan {
namespace {

using expr::ExprPtr;
using syntax::BinaryOp;
using syntax::Span;

std::string_view operator_name(BinaryOp op) {
  switch (op) {
    case BinaryOp::kOr: return "OR";
    case BinaryOp::kAnd: return "AND";
    case BinaryOp::kEqual: return "=";
    case BinaryOp::kNotEqual: return "<>";
    case BinaryOp::kLess: return "<";
    case BinaryOp::kLessOrEqual: return "<=";
    case BinaryOp::kGreater: return ">";
    case BinaryOp::kGreaterOrEqual: return ">=";
    case BinaryOp::kIsDistinctFrom: return "IS DISTINCT FROM";
    case BinaryOp::kIsNotDistinctFrom: return "IS NOT DISTINCT FROM";
    case BinaryOp::kConcat: return "||";
    case BinaryOp::kPlus: return "+";
    case BinaryOp::kMinus: return "-";
    case BinaryOp::kMultiply: return "*";
    case BinaryOp::kDivide: return "/";
    case BinaryOp::kModulo: return "%";
  }
  return "?";
}

constexpr std::string_view kLegacyWindows[] = {"TUMBLE", "HOP", "SESSION", "CUMULATE", "TUMBLE_START", "TUMBLE_END", "TUMBLE_ROWTIME", "TUMBLE_PROCTIME",
                                               "HOP_START", "HOP_END", "HOP_ROWTIME", "HOP_PROCTIME", "SESSION_START", "SESSION_END", "SESSION_ROWTIME", "SESSION_PROCTIME"};

}  // namespace

std::unexpected<Error> fail_at(const SourcePosition& position, ErrorCode code, std::string message, std::string hint) {
  return std::unexpected(Error{code, std::move(message), std::move(hint), position});
}
std::unexpected<Error> fail_at(const Span& span, ErrorCode code, std::string message, std::string hint) {
  return fail_at(span.position(), code, std::move(message), std::move(hint));
}
Status check_order(const Type& type, const syntax::Span& span) {
  if (!type.is_nested()) return ok();
  return unsupported(span, fmt::format("ORDER BY a value of type {}", type.as_nullable().to_string()), "order by a part of it: an element a[1], a field r.f, CARDINALITY(a)");
}

std::unexpected<Error> unsupported(const Span& span, std::string_view construct, std::string hint) {
  return fail_at(span, ErrorCode::kUnsupported, fmt::format("{} is not supported", construct), std::move(hint));
}
Error placed(Error error, const Span& span) {
  if (!error.position) error.position = span.position();
  return error;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names, std::string otherwise) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view nearest = syntax::nearest_word(word, views);
  return nearest.empty() ? std::move(otherwise) : fmt::format("did you mean `{}`?", nearest);
}

bool Relation::is_called(std::span<const std::string> qualifier) const {
  if (qualifier.size() == 1 && qualifier[0] == alias) return true;
  return qualifier.size() <= path.size() && std::equal(qualifier.rbegin(), qualifier.rend(), path.rbegin());
}

Scope Scope::of(LogicalPtr node, std::string alias, std::vector<std::string> path) {
  Relation r{.alias = std::move(alias), .path = std::move(path), .first = 0, .columns = {}, .merged = {}};
  for (const ColumnInfo& c : node->columns) {
    r.columns.push_back(c.name);
    r.merged.push_back(c.hidden);
  }
  return {.node = std::move(node), .relations = {std::move(r)}, .common = {}};
}

std::vector<std::string> Scope::aliases() const {
  std::vector<std::string> all;
  for (const Relation& r : relations)
    if (!r.alias.empty()) all.push_back(r.alias);
  return all;
}

std::string Scope::hint_for(const std::string& name, std::string otherwise) const {
  const std::vector<std::string> names = aliases();
  if (names.empty()) return otherwise;
  return names.size() == 1 ? fmt::format("did you mean `{}`?", names.front()) : did_you_mean(name, names, fmt::format("FROM has: {}", fmt::join(names, ", ")));
}

ExprPtr coerced(ExprPtr e, const Type& to) {
  if (e->type.same_kind(to)) return e;
  const bool nullable = e->type.nullable;
  return expr::cast(std::move(e), to.as_nullable(nullable));
}

Result<ExprPtr> ExprBinder::bind(const syntax::Expr& e) { return at(bind_node(e), e.span); }

Result<ExprPtr> ExprBinder::bind_predicate(const syntax::Expr& e, std::string_view clause) {
  SUPYO_ASSIGN(ExprPtr bound, bind(e));
  if (bound->type.id == TypeId::kNull) return coerced(bound, Type::boolean());
  if (bound->type.id != TypeId::kBoolean)
    return fail_at(e.span, ErrorCode::kTypeMismatch, fmt::format("{} needs a BOOLEAN, but this is {}", clause, bound->type.to_string()),
                   "compare it with something, e.g. `x` > 0");
  return bound;
}

Result<ExprPtr> ExprBinder::call(std::string_view name, std::vector<ExprPtr> args, const Span& span) {
  std::vector<Type> types;
  for (const ExprPtr& a : args) types.push_back(a->type);
  SUPYO_ASSIGN(const expr::ResolvedCall resolved, at(functions_.resolve(name, types), span));
  for (std::size_t i = 0; i < args.size(); ++i) args[i] = coerced(args[i], resolved.arg_types[i]);
  return expr::call(resolved.function, std::move(args), resolved.result);
}

namespace {

/// Of `columns` those that are fields of the ROW `name`.
std::vector<std::string> fields_below(const std::string& name, const std::vector<std::string>& columns) {
  std::vector<std::string> fields;
  std::ranges::copy_if(columns, std::back_inserter(fields), [&](const std::string& c) { return c.size() > name.size() + 1 && c.starts_with(name) && c[name.size()] == '.'; });
  return fields;
}

}  // namespace

Result<std::size_t> ExprBinder::column(const syntax::Name& name) const {
  const auto& parts = name.parts;
  if (!scope_.node || scope_.node->columns.empty())
    return fail_at(name.span, ErrorCode::kUnknownColumn, fmt::format("there is no column `{}`: nothing to read from", name.to_string()),
                   "add FROM, or put a text in single quotes: 'text'");
  std::vector<std::string> qualifier;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) qualifier.push_back(parts[i].text);
  const std::string& wanted = parts.back().text;
  std::vector<std::string> names;
  std::optional<std::size_t> found;
  bool called = false;
  for (const Relation& r : scope_.relations) {
    if (!qualifier.empty() && !r.is_called(qualifier)) continue;
    called = true;
    for (std::size_t i = 0; i < r.columns.size(); ++i) {
      if (qualifier.empty() && r.is_merged(i)) continue;
      names.push_back(r.columns[i]);
      if (r.columns[i] != wanted) continue;
      if (found)
        return fail_at(parts.back().span, ErrorCode::kAmbiguousColumn, fmt::format("`{}` names more than one column", wanted),
                       scope_.relations.size() > 1 && qualifier.empty() ? fmt::format("say of which table: {}", fmt::join(scope_.aliases(), ", ")) : "rename one of them with AS");
      found = r.first + i;
    }
  }
  if (found) return *found;
  if (parts.size() > 1) {
    SUPYO_ASSIGN(const auto field, nested_field(name));
    if (field) return *field;
  }
  if (!called) {
    for (const Relation& r : scope_.relations) {
      const auto column = std::ranges::find(r.columns, parts[0].text);
      if (column != r.columns.end() && scope_.node->columns[r.first + static_cast<std::size_t>(column - r.columns.begin())].type.id != TypeId::kRow)
        return fail_at(name.span, ErrorCode::kUnknownColumn, fmt::format("`{}` is not a ROW: there is no field `{}`", parts[0].text, name.to_string()), fmt::format("declare it: `{}` ROW<`{}` ..>", parts[0].text, parts[1].text));
      if (const auto fields = fields_below(parts[0].text, r.columns); !fields.empty())
        return fail_at(name.span, ErrorCode::kUnknownColumn, fmt::format("there is no field `{}`", name.to_string()), did_you_mean(name.to_string(), fields, fmt::format("the fields are: {}", fmt::join(fields, ", "))));
    }
    return fail_at(parts[0].span, ErrorCode::kUnknownTable, fmt::format("`{}` is not in FROM", fmt::join(qualifier, ".")),
                   scope_.hint_for(qualifier.back(), "leave the qualifier out"));
  }
  return fail_at(parts.back().span, ErrorCode::kUnknownColumn, fmt::format("there is no column `{}`", wanted),
                 did_you_mean(wanted, names, fmt::format("the columns are: {}", fmt::join(names, ", "))));
}

/// Every way to read `name` as [relation.]row.field: the relations that are meant, and the field's own name.
template <class Visit>
void ExprBinder::each_reading(const syntax::Name& name, const Visit& visit) const {
  std::vector<std::string> parts, qualifier;
  for (const auto& p : name.parts) parts.push_back(p.text);
  for (auto first = parts.begin(); first != parts.end(); qualifier.push_back(*first++)) {
    const std::string field = fmt::format("{}", fmt::join(first, parts.end(), "."));
    for (const Relation& r : scope_.relations)
      if (qualifier.empty() || r.is_called(qualifier)) visit(r, field);
  }
}

Result<std::optional<std::size_t>> ExprBinder::nested_field(const syntax::Name& name) const {
  std::vector<std::size_t> found;
  each_reading(name, [&](const Relation& r, const std::string& field) {
    for (std::size_t i = 0; i < r.columns.size(); ++i)
      if (r.columns[i] == field) found.push_back(r.first + i);
  });
  if (found.size() > 1) return fail_at(name.span, ErrorCode::kAmbiguousColumn, fmt::format("`{}` names more than one field", name.to_string()), fmt::format("say of which table: {}", fmt::join(scope_.aliases(), ", ")));
  return found.empty() ? std::nullopt : std::optional(found.front());
}

Result<std::vector<ExprPtr>> ExprBinder::bind_all(const std::vector<const syntax::Expr*>& list) {
  std::vector<ExprPtr> out;
  for (const syntax::Expr* e : list) {
    SUPYO_ASSIGN(ExprPtr bound, bind(*e));
    out.push_back(std::move(bound));
  }
  return out;
}

Result<ExprPtr> ExprBinder::negated(Result<ExprPtr> e, bool negate, const Span& span) {
  if (!e || !negate) return e;
  return call("NOT", {*std::move(e)}, span);
}

Result<ExprPtr> ExprBinder::binary(const syntax::Binary& b, const Span& span) {
  if (const auto *l = b.left->as<syntax::RowValue>(), *r = b.right->as<syntax::RowValue>(); l != nullptr && r != nullptr && (b.op == BinaryOp::kEqual || b.op == BinaryOp::kNotEqual))
    return compare_rows(*l, *r, b.op == BinaryOp::kEqual, span);
  SUPYO_ASSIGN(std::vector<ExprPtr> sides, bind_all({b.left.get(), b.right.get()}));
  return call(operator_name(b.op), std::move(sides), span);
}

Result<ExprPtr> ExprBinder::unary(const syntax::Unary& u, const Span& span) {
  if (u.op == syntax::UnaryOp::kMinus) {
    if (const auto* n = u.operand->as<syntax::NumberLiteral>()) return bind_number(*n, true, span);
  }
  SUPYO_ASSIGN(ExprPtr operand, bind(*u.operand));
  if (u.op == syntax::UnaryOp::kNot) return call("NOT", {std::move(operand)}, span);
  return call(u.op == syntax::UnaryOp::kMinus ? "-" : "+", {std::move(operand)}, span);
}

Result<ExprPtr> ExprBinder::is_test(const syntax::IsTest& t, const Span& span) {
  using Kind = syntax::IsTest::Kind;
  SUPYO_ASSIGN(ExprPtr operand, bind(*t.operand));
  const std::string is = t.negated ? "IS NOT " : "IS ";
  switch (t.kind) {
    case Kind::kNull: return call(is + "NULL", {std::move(operand)}, span);
    case Kind::kTrue: return call(is + "TRUE", {std::move(operand)}, span);
    case Kind::kFalse: return call(is + "FALSE", {std::move(operand)}, span);
    case Kind::kUnknown: return call(is + "UNKNOWN", {std::move(operand)}, span);
    case Kind::kJson: return negated(call("IS JSON VALUE", {std::move(operand)}, span), t.negated, span);
    case Kind::kJsonObject: return negated(call("IS JSON OBJECT", {std::move(operand)}, span), t.negated, span);
    case Kind::kJsonArray: return negated(call("IS JSON ARRAY", {std::move(operand)}, span), t.negated, span);
    case Kind::kJsonScalar: return negated(call("IS JSON SCALAR", {std::move(operand)}, span), t.negated, span);
  }
  return unsupported(span, is, "write IS NULL");
}

Result<ExprPtr> ExprBinder::between(const syntax::Between& b, const Span& span) {
  SUPYO_ASSIGN(std::vector<ExprPtr> args, bind_all({b.operand.get(), b.low.get(), b.high.get()}));
  // As two comparisons, each side with its own common type (the standard's meaning).
  SUPYO_ASSIGN(ExprPtr low, call(">=", {args[0], args[1]}, span));
  SUPYO_ASSIGN(ExprPtr high, call("<=", {args[0], args[2]}, span));
  SUPYO_ASSIGN(ExprPtr inside, call("AND", {std::move(low), std::move(high)}, span));
  if (b.symmetric) {
    SUPYO_ASSIGN(ExprPtr below, call("<=", {args[0], args[1]}, span));
    SUPYO_ASSIGN(ExprPtr above, call(">=", {args[0], args[2]}, span));
    SUPYO_ASSIGN(ExprPtr turned, call("AND", {std::move(above), std::move(below)}, span));
    SUPYO_ASSIGN(inside, call("OR", {std::move(inside), std::move(turned)}, span));
  }
  return negated(std::move(inside), b.negated, span);
}

Result<ExprPtr> ExprBinder::like(const syntax::Like& l, const Span& span) {
  std::vector<const syntax::Expr*> parts = {l.operand.get(), l.pattern.get()};
  if (l.escape) parts.push_back(l.escape.get());
  SUPYO_ASSIGN(std::vector<ExprPtr> args, bind_all(parts));
  return negated(call(l.similar ? "SIMILAR TO" : "LIKE", std::move(args), span), l.negated, span);
}

Result<ExprPtr> ExprBinder::in_list(const syntax::InList& l, const Span& span) {
  std::vector<const syntax::Expr*> parts = {l.operand.get()};
  for (const auto& item : l.items) parts.push_back(item.get());
  SUPYO_ASSIGN(std::vector<ExprPtr> args, bind_all(parts));
  return negated(call("IN", std::move(args), span), l.negated, span);
}

Result<ExprPtr> ExprBinder::case_of(const syntax::Case& c, const Span& span) {
  ExprPtr operand;
  if (c.operand) {
    SUPYO_ASSIGN(operand, bind(*c.operand));
  }
  std::vector<ExprPtr> parts;
  Type type = Type::null();
  bool nullable = !c.otherwise;
  const auto branch = [&](const syntax::Expr& e) -> Status {
    SUPYO_ASSIGN(ExprPtr value, bind(e));
    SUPYO_ASSIGN(type, at(expr::common_type(type, value->type), e.span));
    nullable |= value->type.nullable;
    parts.push_back(std::move(value));
    return ok();
  };
  for (const syntax::CaseWhen& w : c.branches) {
    if (operand) {
      SUPYO_ASSIGN(ExprPtr value, bind(*w.when));
      SUPYO_ASSIGN(ExprPtr when, call("=", {operand, std::move(value)}, w.when->span));
      parts.push_back(std::move(when));
    } else {
      SUPYO_ASSIGN(ExprPtr when, bind_predicate(*w.when, "WHEN"));
      parts.push_back(std::move(when));
    }
    SUPYO_TRY(branch(*w.then));
  }
  if (c.otherwise) {
    SUPYO_TRY(branch(*c.otherwise));
  } else {
    parts.push_back(expr::literal({.type = Type::null(), .data = {}}));
  }
  if (type.id == TypeId::kNull)
    return fail_at(span, ErrorCode::kTypeMismatch, "CASE has only NULL results, so its type is not known", "cast one of them: CAST(NULL AS INT)");
  type.nullable = nullable;
  for (std::size_t i = 1; i < parts.size(); i += 2) parts[i] = coerced(parts[i], type);
  parts.back() = coerced(parts.back(), type);
  return expr::case_when(std::move(parts), type);
}

Result<ExprPtr> ExprBinder::cast_of(const syntax::Cast& c, const Span& span) {
  SUPYO_ASSIGN(ExprPtr operand, bind(*c.operand));
  SUPYO_ASSIGN(const Type to, bind_type(c.type));
  if (!expr::can_cast(operand->type, to))
    return fail_at(span, ErrorCode::kTypeMismatch, fmt::format("cannot cast {} to {}", operand->type.to_string(), to.to_string()),
                   "cast by way of STRING or a number, or use a conversion function");
  const bool nullable = operand->type.nullable || c.try_cast;
  if (operand->type.same_kind(to)) return operand;
  return expr::cast(std::move(operand), to.as_nullable(nullable), c.try_cast);
}

Result<ExprPtr> ExprBinder::trim(const syntax::Trim& t, const Span& span) {
  std::vector<const syntax::Expr*> parts = {t.operand.get()};
  if (t.characters) parts.push_back(t.characters.get());
  SUPYO_ASSIGN(std::vector<ExprPtr> args, bind_all(parts));
  using Side = syntax::Trim::Side;
  const std::string_view name = t.side == Side::kBoth ? "TRIM" : t.side == Side::kLeading ? "LTRIM" : "RTRIM";
  return call(name, std::move(args), span);
}

Result<ExprPtr> ExprBinder::function(const syntax::FunctionCall& f, const Span& span) {
  if (hook_) {
    if (auto special = hook_(f, span)) return *std::move(special);
  }
  const std::string name = f.upper_name();
  if (f.over) return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} OVER cannot stand here", name), "compute it in a subquery first");
  if (std::ranges::find(kLegacyWindows, name) != std::end(kLegacyWindows) && !functions_.is_scalar(name))
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("the window function {} cannot stand here", name),
                   "TUMBLE(ts, INTERVAL '1' HOUR) stands in GROUP BY; TUMBLE_START(..), TUMBLE_END(..) and TUMBLE_ROWTIME(..) in SELECT and HAVING beside it");
  if (functions_.is_aggregate(name) && !functions_.is_scalar(name))
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("the aggregate {} cannot stand here", name), "use it in SELECT or HAVING of a grouped query");
  if (f.distinct || f.filter || !f.within_group.empty() || f.ignore_nulls)
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} is not an aggregate: DISTINCT, FILTER and the like do not fit", name), "leave them out");
  if (name == "JSON" && !std::exchange(inside_json_, false))
    return fail_at(span, ErrorCode::kInvalidQuery, "JSON(..) cannot stand here", "it is an argument of JSON_ARRAY, or a value of JSON_OBJECT");
  if (f.json && functions_.is_scalar(name)) return json_call(f, span);
  if (f.name.parts.size() > 1) return unsupported(span, "a function with a qualified name", "write the name alone: functions are built in");
  std::vector<const syntax::Expr*> parts;
  for (const syntax::FunctionArgument& a : f.arguments) {
    if (a.name) return unsupported(a.name->span, "a named argument of a scalar function", "give the arguments by position");
    parts.push_back(a.value.get());
  }
  SUPYO_ASSIGN(std::vector<ExprPtr> args, bind_all(parts));
  if (name == "OVERLAPS" && args.size() == 4) return overlaps(std::move(args), span);
  return call(name, std::move(args), span);
}

/// Days and shorter are a length of time; years and months are counted whole, as TIMESTAMPDIFF counts them.
Result<ExprPtr> ExprBinder::time_difference(const syntax::TimeDifference& d, const Span& span) {
  SUPYO_ASSIGN(std::vector<ExprPtr> args, bind_all({d.to.get(), d.from.get()}));
  if (d.first > syntax::TimeUnit::kMonth || (args[0]->type.id != args[1]->type.id)) return call("-", std::move(args), span);
  SUPYO_ASSIGN(ExprPtr months, call("TIMESTAMPDIFF", {text_literal("MONTH"), args[1], args[0]}, span));
  return call("*", {std::move(months), expr::literal({.type = Type::interval_month().not_null(), .data = std::int64_t{1}})}, span);
}

/// Two spans of time, each of a start and an end (or its length, an INTERVAL), in either order; their ends are part of them.
Result<ExprPtr> ExprBinder::overlaps(std::vector<ExprPtr> t, const Span& span) {
  for (const std::size_t end : {1U, 3U}) {
    if (t[end]->type.id != TypeId::kIntervalDay && t[end]->type.id != TypeId::kIntervalMonth) continue;
    SUPYO_ASSIGN(t[end], call("+", {t[end - 1], t[end]}, span));
  }
  for (const ExprPtr& e : t)
    if (!e->type.is_timestamp() && e->type.id != TypeId::kDate && e->type.id != TypeId::kTime) return fail_at(span, ErrorCode::kTypeMismatch, fmt::format("OVERLAPS does not take {}", e->type.to_string()), "it compares dates or times: (start, end) OVERLAPS (start, end); an end may be an INTERVAL");
  ExprPtr low[2], high[2];
  for (const std::size_t i : {0U, 1U}) {
    SUPYO_ASSIGN(low[i], call("LEAST", {t[2 * i], t[2 * i + 1]}, span));
    SUPYO_ASSIGN(high[i], call("GREATEST", {t[2 * i], t[2 * i + 1]}, span));
  }
  SUPYO_ASSIGN(ExprPtr before, call(">=", {high[0], low[1]}, span));
  SUPYO_ASSIGN(ExprPtr behind, call(">=", {high[1], low[0]}, span));
  return call("AND", {std::move(before), std::move(behind)}, span);
}

Result<ExprPtr> ExprBinder::bind_node(const syntax::Expr& e) {
  const Span& span = e.span;
  if (const auto* c = e.as<syntax::ColumnRef>()) return column_reference(c->name, span);
  if (e.as<syntax::NullLiteral>()) return expr::literal({.type = Type::null(), .data = {}});
  if (const auto* b = e.as<syntax::BooleanLiteral>()) return expr::literal({.type = Type::boolean().not_null(), .data = b->value});
  if (const auto* n = e.as<syntax::NumberLiteral>()) return bind_number(*n, false, span);
  if (const auto* s = e.as<syntax::StringLiteral>()) return text_literal(s->value);
  if (const auto* b = e.as<syntax::BinaryLiteral>()) {
    Type type = Type::bytes(static_cast<int>(b->bytes.size())).not_null();
    type.fixed_length = true;
    return expr::literal({.type = type, .data = b->bytes});
  }
  if (const auto* t = e.as<syntax::TemporalLiteral>()) return bind_temporal(*t, span);
  if (const auto* i = e.as<syntax::IntervalLiteral>()) return bind_interval(*i, span);
  if (const auto* u = e.as<syntax::Unary>()) return unary(*u, span);
  if (const auto* b = e.as<syntax::Binary>()) return binary(*b, span);
  if (const auto* t = e.as<syntax::IsTest>()) return is_test(*t, span);
  if (const auto* b = e.as<syntax::Between>()) return between(*b, span);
  if (const auto* l = e.as<syntax::Like>()) return like(*l, span);
  if (const auto* l = e.as<syntax::InList>()) return in_list(*l, span);
  if (const auto* c = e.as<syntax::Case>()) return case_of(*c, span);
  if (const auto* c = e.as<syntax::Cast>()) return cast_of(*c, span);
  if (const auto* t = e.as<syntax::Trim>()) return trim(*t, span);
  if (const auto* f = e.as<syntax::FunctionCall>()) return function(*f, span);
  if (const auto* x = e.as<syntax::Extract>()) {
    SUPYO_ASSIGN(ExprPtr operand, bind(*x->operand));
    return call("EXTRACT", {text_literal(syntax::to_string(x->unit)), std::move(operand)}, span);
  }
  if (const auto* r = e.as<syntax::RoundToUnit>()) {
    SUPYO_ASSIGN(ExprPtr operand, bind(*r->operand));
    return call(r->ceil ? "CEIL" : "FLOOR", {std::move(operand), text_literal(syntax::to_string(r->unit))}, span);
  }
  if (const auto* t = e.as<syntax::TimestampArithmetic>()) {
    SUPYO_ASSIGN(std::vector<ExprPtr> args, bind_all({t->first.get(), t->second.get()}));
    args.insert(args.begin(), text_literal(syntax::to_string(t->unit)));
    return call(t->diff ? "TIMESTAMPDIFF" : "TIMESTAMPADD", std::move(args), span);
  }
  if (const auto* d = e.as<syntax::TimeDifference>()) return time_difference(*d, span);
  if (e.as<syntax::Star>()) return fail_at(span, ErrorCode::kInvalidQuery, "* cannot stand here", "name the columns");
  if (e.as<syntax::InQuery>() || e.as<syntax::Exists>() || e.as<syntax::ScalarQuery>() || e.as<syntax::QuantifiedComparison>()) {
    if (queries_) return queries_(e);
    return unsupported(span, "a subquery here", "subqueries stand in SELECT, WHERE and HAVING; write others as a join: FROM t JOIN (SELECT DISTINCT k FROM u) AS u ON t.k = u.k");
  }
  SUPYO_ASSIGN(const auto nested, nested_value(e));
  if (nested) return *nested;
  return unsupported(span, fmt::format("`{}` here", syntax::print(e)), "it belongs into the arguments of a table function");
}

}  // namespace supyo::plan
