#include <algorithm>
#include <array>

#include "sql/plan/select_columns.h"
#include "sql/syntax/printer.h"

// Windows: the table functions TUMBLE, HOP, CUMULATE and SESSION in FROM, and the older functions of that name in GROUP BY, which become the same.
namespace supyo::plan {
namespace {

using expr::ExprPtr;
using syntax::Span;

struct WindowShape {
  std::string_view name;
  WindowSpec::Kind kind;
  std::array<std::string_view, 3> intervals;   ///< after DATA and TIMECOL; the last one may be left out
};
constexpr WindowShape kShapes[] = {
    {"TUMBLE", WindowSpec::Kind::kTumble, {"SIZE", "OFFSET", ""}},
    {"HOP", WindowSpec::Kind::kHop, {"SLIDE", "SIZE", "OFFSET"}},
    {"CUMULATE", WindowSpec::Kind::kCumulate, {"STEP", "SIZE", "OFFSET"}},
    {"SESSION", WindowSpec::Kind::kSession, {"GAP", "", ""}},
};

bool has_step(WindowSpec::Kind kind) { return kind == WindowSpec::Kind::kHop || kind == WindowSpec::Kind::kCumulate; }

struct WindowArguments {
  const syntax::Expr* data = nullptr;
  const syntax::Expr* time = nullptr;
  std::map<std::string_view, const syntax::Expr*> intervals;
};

Result<WindowArguments> arguments_of(const syntax::FunctionCall& call, const WindowShape& shape, const Span& span) {
  std::vector<std::string_view> order = {"DATA", "TIMECOL"};
  for (const std::string_view name : shape.intervals)
    if (!name.empty()) order.push_back(name);
  std::map<std::string_view, const syntax::Expr*> given;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    const syntax::FunctionArgument& a = call.arguments[i];
    if (!a.name) {
      if (i >= order.size())
        return fail_at(a.value->span, ErrorCode::kInvalidQuery, fmt::format("{} takes at most {} arguments", shape.name, order.size()),
                       fmt::format("its arguments are {}", fmt::join(order, ", ")));
      given[order[i]] = a.value.get();
      continue;
    }
    std::string upper = a.name->text;
    for (char& c : upper)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    const auto it = std::ranges::find(order, upper);
    if (it == order.end())
      return fail_at(a.name->span, ErrorCode::kInvalidQuery, fmt::format("{} has no argument {}", shape.name, a.name->text),
                     fmt::format("its arguments are {}", fmt::join(order, ", ")));
    given[*it] = a.value.get();
  }
  WindowArguments out;
  for (const std::string_view name : order) {
    const bool there = given.contains(name);
    if (!there && name != "OFFSET")
      return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} needs the argument {}", shape.name, name),
                     fmt::format("write TABLE({}(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR{}))", shape.name, has_step(shape.kind) ? ", INTERVAL '1' DAY" : ""));
    if (!there) continue;
    if (name == "DATA") out.data = given[name];
    else if (name == "TIMECOL") out.time = given[name];
    else out.intervals[name] = given[name];
  }
  return out;
}

Result<DurationUs> interval_argument(const syntax::Expr& e, std::string_view name, bool positive) {
  const auto* literal = e.as<syntax::IntervalLiteral>();
  if (literal == nullptr)
    return fail_at(e.span, ErrorCode::kTypeMismatch, fmt::format("the window's {} must be an INTERVAL", name), "write INTERVAL '10' MINUTE");
  SUPYO_ASSIGN(const ExprPtr bound, bind_interval(*literal, e.span));
  if (bound->type.id != TypeId::kIntervalDay)
    return unsupported(e.span, fmt::format("a window {} in months or years", name), "months differ in length: use days, e.g. INTERVAL '30' DAY");
  const DurationUs us = std::get<std::int64_t>(bound->literal.data);
  if (us % kMillisecond != 0 || (positive && us <= 0))
    return fail_at(e.span, ErrorCode::kInvalidQuery, fmt::format("the window's {} must be {}whole milliseconds", name, positive ? "positive and in " : "in "),
                   "write INTERVAL '10' MINUTE");
  return us;
}

Result<WindowSpec> window_spec(const WindowShape& shape, const WindowArguments& arguments) {
  WindowSpec spec;
  spec.kind = shape.kind;
  for (const auto& [name, e] : arguments.intervals) {
    SUPYO_ASSIGN(const DurationUs us, interval_argument(*e, name, name != "OFFSET"));
    if (name == "SIZE") spec.size_us = us;
    else if (name == "SLIDE" || name == "STEP") spec.slide_us = us;
    else if (name == "GAP") spec.gap_us = us;
    else spec.offset_us = us;
  }
  if (spec.kind == WindowSpec::Kind::kHop && spec.size_us % spec.slide_us != 0)
    return fail_at(arguments.intervals.at("SIZE")->span, ErrorCode::kInvalidQuery, "the size of HOP must be a multiple of its slide",
                   "e.g. a slide of 5 minutes and a size of 10 minutes (HOP takes the slide first)");
  if (spec.kind == WindowSpec::Kind::kCumulate && spec.size_us % spec.slide_us != 0)
    return fail_at(arguments.intervals.at("SIZE")->span, ErrorCode::kInvalidQuery, "the size of CUMULATE must be a multiple of its step",
                   "e.g. a step of 10 minutes and a size of 1 hour (CUMULATE takes the step first)");
  return spec;
}

/// Column `time` of the input as the time attribute of a window; `span` is where it is named.
Status check_time(const LogicalNode& input, std::size_t time, const Span& span) {
  const ColumnInfo& info = input.columns[time];
  if (info.proc_time || info.row_time) return ok();
  return fail_at(span, ErrorCode::kNoTimeAttribute, fmt::format("`{}` ({}) is not a time attribute", info.name, info.type.to_string()),
                 "a window needs the table's WATERMARK column, passed on unchanged: WATERMARK FOR ts AS ts - INTERVAL '5' SECOND; or a column p AS PROCTIME()");
}

const WindowShape* shape_of(std::string_view name) {
  const auto it = std::ranges::find(kShapes, name, &WindowShape::name);
  return it == std::end(kShapes) ? nullptr : &*it;
}

/// TUMBLE_START and the like: the window's function and which of its columns.
struct Auxiliary {
  const WindowShape* shape = nullptr;
  WindowColumn column = WindowColumn::kStart;
  bool processing = false;
};
std::optional<Auxiliary> auxiliary_of(std::string_view name) {
  const std::size_t underscore = name.find('_');
  if (underscore == std::string_view::npos) return std::nullopt;
  const WindowShape* shape = shape_of(name.substr(0, underscore));
  const std::string_view part = name.substr(underscore + 1);
  if (shape == nullptr || shape->kind == WindowSpec::Kind::kCumulate) return std::nullopt;
  if (part == "START") return Auxiliary{shape, WindowColumn::kStart};
  if (part == "END") return Auxiliary{shape, WindowColumn::kEnd};
  if (part == "ROWTIME") return Auxiliary{shape, WindowColumn::kTime};
  if (part == "PROCTIME") return Auxiliary{shape, WindowColumn::kTime, true};
  return std::nullopt;
}

/// TUMBLE(PROCTIME(), ..): as if the rows below had such a column.
ExprPtr as_column(LogicalPtr& node, const ExprPtr& e) {
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < node->columns.size(); ++i) {
    exprs.push_back(column_of(*node, i));
    names.push_back(node->columns[i].name);
  }
  exprs.push_back(e);
  names.emplace_back("$proctime");
  node = make_project(node, std::move(exprs), std::move(names));
  return column_of(*node, node->columns.size() - 1);
}

}  // namespace

Result<LogicalPtr> QueryBinder::table_argument(const syntax::Expr& e, std::vector<std::size_t>* partition) {
  if (const auto* query = e.as<syntax::ScalarQuery>()) return bind(*query->query);
  const auto* argument = e.as<syntax::TableArgument>();
  if (argument == nullptr)
    return fail_at(e.span, ErrorCode::kInvalidQuery, "the first argument of a window function is a table", "write TABLE t, or a query in parentheses");
  if ((!argument->partition_by.empty() && partition == nullptr) || !argument->order_by.empty())
    return unsupported(e.span, "PARTITION BY of a table argument", "only SESSION takes it; TUMBLE, HOP and CUMULATE need none");
  Scope scope;
  if (argument->table) {
    SUPYO_ASSIGN(scope, named({*argument->table, {}, {}}, argument->table->span));
  } else {
    SUPYO_ASSIGN(LogicalPtr node, bind(*argument->query));
    scope = Scope::of(std::move(node));
  }
  for (const auto& key : argument->partition_by) {
    SUPYO_ASSIGN(const ExprPtr column, ExprBinder(ctx_.functions, scope).bind(*key));
    if (column->kind != expr::Expr::Kind::kColumn) return unsupported(key->span, "PARTITION BY an expression", "compute it in a query: TABLE(SESSION((SELECT .., f(x) AS k FROM t) PARTITION BY k, ..))");
    partition->push_back(column->column);
  }
  return scope.node;
}

Result<LogicalPtr> QueryBinder::window_function(const syntax::FunctionCall& call, const Span& span) {
  const std::string name = call.upper_name();
  const WindowShape* shape = shape_of(name);
  if (shape == nullptr) return unsupported(call.name.span, fmt::format("the table function {}", name), "the table functions are TUMBLE, HOP, CUMULATE and SESSION");
  SUPYO_ASSIGN(const WindowArguments arguments, arguments_of(call, *shape, span));
  LogicalWindow window{.window = {}, .time_column = 0, .id = 0, .partition = {}, .of_group = false, .position = call.name.span.position(), .processing = false};
  SUPYO_ASSIGN(LogicalPtr input, table_argument(*arguments.data, shape->kind == WindowSpec::Kind::kSession ? &window.partition : nullptr));
  const auto* descriptor = arguments.time->as<syntax::Descriptor>();
  if (descriptor == nullptr || descriptor->columns.size() != 1)
    return fail_at(arguments.time->span, ErrorCode::kInvalidQuery, "the time column is given as DESCRIPTOR(column)", "write DESCRIPTOR(ts)");
  const syntax::Identifier& column = descriptor->columns.front();
  const Scope scope = Scope::of(input);
  SUPYO_ASSIGN(const std::size_t time, ExprBinder(ctx_.functions, scope).column({column.span, {column}}));
  SUPYO_TRY(check_time(*input, time, column.span));
  SUPYO_ASSIGN(window.window, window_spec(*shape, arguments));
  window.time_column = time;
  window.processing = input->columns[time].proc_time;
  window.id = ctx_.next_window++;
  return make_window(std::move(input), std::move(window));
}

bool SelectBinder::is_group_window(const syntax::Expr& e) {
  const auto* call = e.as<syntax::FunctionCall>();
  const WindowShape* shape = call == nullptr ? nullptr : shape_of(call->upper_name());
  return shape != nullptr && shape->kind != WindowSpec::Kind::kCumulate;
}

/// TUMBLE(ts, size), HOP(ts, slide, size), SESSION(ts, gap): the table function over what FROM and WHERE give, grouped by its start and end.
Status SelectBinder::group_window(const syntax::FunctionCall& call, const Span& span) {
  const WindowShape& shape = *shape_of(call.upper_name());
  if (group_window_ != nullptr) return fail_at(span, ErrorCode::kInvalidQuery, "a GROUP BY has one window", "take the other window in a query around this one, over TUMBLE_ROWTIME");
  std::vector<std::string_view> order;
  for (const std::string_view name : shape.intervals)
    if (!name.empty() && name != "OFFSET") order.push_back(name);
  if (call.arguments.size() != order.size() + 1)
    return fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} in GROUP BY takes {} arguments, not {}", shape.name, order.size() + 1, call.arguments.size()),
                   fmt::format("write {}(ts, {}); an offset takes the table function: TABLE({}(TABLE t, ..))", shape.name, order.size() == 1 ? "INTERVAL '1' HOUR" : "INTERVAL '5' MINUTE, INTERVAL '1' HOUR", shape.name));
  WindowArguments arguments;
  arguments.time = call.arguments[0].value.get();
  for (std::size_t i = 0; i < order.size(); ++i) arguments.intervals[order[i]] = call.arguments[i + 1].value.get();
  ExprBinder b = binder(false, false);
  SUPYO_ASSIGN(ExprPtr time, b.bind(*arguments.time));
  if (time->kind == expr::Expr::Kind::kCall && time->function->name == "PROCTIME") time = as_column(scope_.node, time);
  if (time->kind != expr::Expr::Kind::kColumn)
    return fail_at(arguments.time->span, ErrorCode::kNoTimeAttribute, fmt::format("`{}` is not a time attribute", syntax::print(*arguments.time)), "a window needs the table's WATERMARK column, as it is");
  SUPYO_TRY(check_time(*scope_.node, time->column, arguments.time->span));
  LogicalWindow window{.window = {}, .time_column = time->column, .id = queries_.ctx_.next_window++, .partition = {}, .of_group = true, .position = span.position(), .processing = scope_.node->columns[time->column].proc_time};
  SUPYO_ASSIGN(window.window, window_spec(shape, arguments));
  group_window_ = &call;
  scope_.node = make_window(scope_.node, std::move(window));
  const std::size_t first = scope_.node->columns.size() - 3;
  place(group_exprs_, column_of(*scope_.node, first));
  place(group_exprs_, column_of(*scope_.node, first + 1));
  return ok();
}

std::optional<Result<ExprPtr>> SelectBinder::window_property(const syntax::FunctionCall& call, const Span& span) {
  const std::string name = call.upper_name();
  const auto property = auxiliary_of(name);
  if (!property) {
    if (shape_of(name) == nullptr) return std::nullopt;
    return Result<ExprPtr>(fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} cannot stand here", name), fmt::format("it stands in GROUP BY, and {}_START(..) in SELECT", name)));
  }
  const bool fits = group_window_ != nullptr && group_window_->upper_name() == property->shape->name && group_window_->arguments == call.arguments;
  if (!fits)
    return Result<ExprPtr>(fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} does not name the window of GROUP BY", name),
                                   fmt::format("repeat the arguments of GROUP BY {}(..)", property->shape->name)));
  const bool of_clock = scope_.node->columns.back().proc_time;
  if (property->column == WindowColumn::kTime && property->processing != of_clock)
    return Result<ExprPtr>(fail_at(span, ErrorCode::kInvalidQuery, fmt::format("{} is of {} time, the window is of {} time", name, of_clock ? "event" : "processing", of_clock ? "processing" : "event"),
                                   fmt::format("write {}_{}(..)", property->shape->name, of_clock ? "PROCTIME" : "ROWTIME")));
  // The window's columns came last when GROUP BY was bound, and nothing has come behind them.
  const std::size_t column = scope_.node->columns.size() - 3 + static_cast<std::size_t>(property->column);
  const ExprPtr e = column_of(*scope_.node, column);
  place(group_exprs_, e);
  return Result<ExprPtr>(e);
}

}  // namespace supyo::plan
