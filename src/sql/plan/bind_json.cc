#include "sql/plan/bind_expr.h"
#include "sql/expr/json_path.h"

// JSON_VALUE and the like: what their clauses say becomes a constant argument. See sql/expr/functions_json.cc.
namespace supyo::plan {
namespace {

using expr::ExprPtr;
using syntax::JsonClauses;
using syntax::Span;
using Otherwise = JsonClauses::Otherwise;

std::string_view word_of(Otherwise o, std::string_view unsaid) {
  switch (o) {
    case Otherwise::kUnsaid: return unsaid;
    case Otherwise::kNull: return "NULL";
    case Otherwise::kError: return "ERROR";
    case Otherwise::kDefault: return "DEFAULT";
    case Otherwise::kTrue: return "TRUE";
    case Otherwise::kFalse: return "FALSE";
    case Otherwise::kUnknown: return "UNKNOWN";
    case Otherwise::kEmptyArray: return "ARRAY";
    case Otherwise::kEmptyObject: return "OBJECT";
  }
  return unsaid;
}

bool is_one_of(Otherwise o, std::initializer_list<Otherwise> allowed) { return o == Otherwise::kUnsaid || std::ranges::find(allowed, o) != allowed.end(); }

}  // namespace

Result<ExprPtr> ExprBinder::json_call(const syntax::FunctionCall& f, const Span& span) {
  const std::string name = f.upper_name();
  const JsonClauses& clauses = *f.json;
  std::vector<const syntax::Expr*> parts;
  for (const syntax::FunctionArgument& a : f.arguments) parts.push_back(a.value.get());
  if (name == "JSON_OBJECT" || name == "JSON_ARRAY") {
    const bool object = name == "JSON_OBJECT";
    // What another of these gives is JSON, and not a text that happens to be.
    std::string how(1, clauses.absent_on_null.value_or(!object) ? 'A' : 'N');
    std::vector<ExprPtr> args = {nullptr};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto* inner = parts[i]->as<syntax::FunctionCall>();
      const bool raw = inner != nullptr && (inner->upper_name() == "JSON_OBJECT" || inner->upper_name() == "JSON_ARRAY" || inner->upper_name() == "JSON");
      inside_json_ = raw;
      auto bound = bind(*parts[i]);
      inside_json_ = false;
      if (!bound) return bound;
      args.push_back(*std::move(bound));
      if (!object || i % 2 == 1) how += raw ? 'R' : 'V';
    }
    args[0] = text_literal(how);
    return call(name, std::move(args), span);
  }
  if (parts.size() != 2) return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} takes a text and a path", name), fmt::format("write {}(x, '$.a')", name));
  SUPYO_ASSIGN(std::vector<ExprPtr> args, bind_all(parts));
  if (const auto* path = parts[1]->as<syntax::StringLiteral>()) SUPYO_TRY(at(expr::JsonPath::parse(path->value), parts[1]->span));
  const auto not_there = [&](std::string_view what) { return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} of {} is not that", what, name), "SHOW FUNCTIONS and the reference say what may stand there"); };
  if (name == "JSON_EXISTS") {
    if (clauses.returning || clauses.on_empty != Otherwise::kUnsaid || clauses.wrapper != JsonClauses::Wrapper::kUnsaid ||
        !is_one_of(clauses.on_error, {Otherwise::kTrue, Otherwise::kFalse, Otherwise::kUnknown, Otherwise::kError}))
      return not_there("a clause");
    args.push_back(text_literal(word_of(clauses.on_error, "FALSE")));
    return call(name, std::move(args), span);
  }
  Type returning = Type::string();
  if (clauses.returning) {
    SUPYO_ASSIGN(returning, bind_type(*clauses.returning));
  }
  const bool value = name == "JSON_VALUE";
  const bool fits = value ? returning.id == TypeId::kString || returning.id == TypeId::kBoolean || returning.id == TypeId::kInteger || returning.id == TypeId::kDouble
                          : returning.id == TypeId::kString || (returning.id == TypeId::kArray && returning.children()[0].id == TypeId::kString);
  if (!fits)
    return fail_at(clauses.returning->span, ErrorCode::kTypeMismatch, fmt::format("{} cannot return {}", name, returning.to_string()), value ? "STRING, BOOLEAN, INTEGER or DOUBLE, and CAST around it" : "STRING or ARRAY<STRING>");
  std::string how = fmt::format("{} {}", word_of(clauses.on_empty, "NULL"), word_of(clauses.on_error, "NULL"));
  if (value) {
    for (const Otherwise o : {clauses.on_empty, clauses.on_error})
      if (!is_one_of(o, {Otherwise::kNull, Otherwise::kError, Otherwise::kDefault})) return not_there("ON EMPTY or ON ERROR");
    if (clauses.wrapper != JsonClauses::Wrapper::kUnsaid) return not_there("WRAPPER");
    args.push_back(text_literal(how));
    for (const syntax::ExprPtr* e : {&clauses.empty_default, &clauses.error_default}) {
      ExprPtr otherwise = expr::literal({.type = returning.as_nullable(), .data = {}});
      if (*e) {
        SUPYO_ASSIGN(otherwise, bind(**e));
        if (otherwise->type.id != returning.id && !expr::can_coerce(otherwise->type, returning.as_nullable()) && !(returning.is_text() && expr::can_cast(otherwise->type, returning)))
          return fail_at((*e)->span, ErrorCode::kTypeMismatch, fmt::format("the default is {}, and {} returns {}", otherwise->type.to_string(), name, returning.to_string()), "make them equal with CAST");
        otherwise = coerced(std::move(otherwise), returning);
      }
      args.push_back(std::move(otherwise));
    }
  } else {
    for (const Otherwise o : {clauses.on_empty, clauses.on_error})
      if (!is_one_of(o, {Otherwise::kNull, Otherwise::kError, Otherwise::kEmptyArray, Otherwise::kEmptyObject}) || (o == Otherwise::kEmptyObject && returning.id == TypeId::kArray)) return not_there("ON EMPTY or ON ERROR");
    static constexpr std::string_view kWrappers[] = {"WITHOUT", "WITHOUT", "CONDITIONAL", "UNCONDITIONAL"};
    args.push_back(text_literal(fmt::format("{} {}", how, kWrappers[static_cast<std::size_t>(clauses.wrapper)])));
  }
  SUPYO_ASSIGN(const ExprPtr bound, call(name, std::move(args), span));
  return expr::call(bound->function, bound->args, returning.as_nullable());
}

}  // namespace supyo::plan
