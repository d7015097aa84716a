#include "sql/expr/aggregate_factory.h"

#include <algorithm>
#include <array>

#include "sql/expr/aggregates.h"

namespace supyo::expr {

namespace {

// Result types: Flink's LogicalTypeMerging.findSumAggType and findAvgAggType. SUM and AVG of integers keep the type of their argument,
// SUM(DECIMAL(p, s)) is DECIMAL(38, s), AVG(DECIMAL(p, s)) is DECIMAL(38, max(6, s)).
constexpr std::array<AggregateHelp, 21> kHelp = {{
    {"APPROX_COUNT_DISTINCT", "APPROX_COUNT_DISTINCT(any) -> BIGINT", "Number of different values; here exact, as COUNT(DISTINCT any)."},
    {"ARRAY_AGG", "ARRAY_AGG([DISTINCT] any) -> ARRAY", "All values, NULLs too, in the order in which they came; null when there is none."},
    {"AVG", "AVG([DISTINCT] numeric) -> numeric", "Mean of the values that are not null; of integers an integer, cut towards zero."},
    {"COLLECT", "COLLECT([DISTINCT] any) -> MULTISET", "All values that are not null."},
    {"COUNT", "COUNT(*), COUNT([DISTINCT] any) -> BIGINT", "Number of rows, or of values that are not null."},
    {"FIRST_VALUE", "FIRST_VALUE(any) -> any", "The first value that is not null: in time in OVER, as the rows come in GROUP BY."},
    {"JSON_ARRAYAGG", "JSON_ARRAYAGG(any [{ABSENT | NULL} ON NULL]) -> STRING", "All values as a JSON array, in the order in which they came."},
    {"JSON_OBJECTAGG", "JSON_OBJECTAGG([KEY] STRING VALUE any [{NULL | ABSENT} ON NULL]) -> STRING", "Keys and values as a JSON object; no key may stand twice."},
    {"LAST_VALUE", "LAST_VALUE(any) -> any", "The last value that is not null: in time in OVER, as the rows come in GROUP BY."},
    {"LISTAGG", "LISTAGG([DISTINCT] text [, separator]) -> STRING", "The texts that are not null as one, in the order in which they come, with the separator (a constant, else a comma) between them."},
    {"MAX", "MAX(any) -> any", "The greatest value that is not null."},
    {"MIN", "MIN(any) -> any", "The least value that is not null."},
    {"PERCENTILE", "PERCENTILE(numeric, percentage [, times]) -> DOUBLE, or ARRAY<DOUBLE> of an array of percentages",
     "The value below which that part (0 to 1, a constant) of the values that are not null lies, on the line between the two nearest; each counted `times` times."},
    {"SINGLE_VALUE", "SINGLE_VALUE(any) -> any", "The value of a group of one row; an error when there is a second."},
    {"STDDEV", "STDDEV([DISTINCT] numeric) -> numeric", "As STDDEV_SAMP."},
    {"STDDEV_POP", "STDDEV_POP([DISTINCT] numeric) -> numeric", "The root of VAR_POP."},
    {"STDDEV_SAMP", "STDDEV_SAMP([DISTINCT] numeric) -> numeric", "The root of VAR_SAMP."},
    {"SUM", "SUM([DISTINCT] numeric) -> numeric", "Sum of the values that are not null; null when there is none. Integers wrap."},
    {"VARIANCE", "VARIANCE([DISTINCT] numeric) -> numeric", "As VAR_SAMP."},
    {"VAR_POP", "VAR_POP([DISTINCT] numeric) -> numeric", "Mean square distance from the mean, in the type of AVG: of integers computed in integers."},
    {"VAR_SAMP", "VAR_SAMP([DISTINCT] numeric) -> numeric", "The same of a sample: divided by one less; null of a single value."},
}};
constexpr std::array<std::string_view, 21> kNames = {"APPROX_COUNT_DISTINCT", "ARRAY_AGG", "AVG", "COLLECT", "COUNT", "FIRST_VALUE", "JSON_ARRAYAGG", "JSON_OBJECTAGG", "LAST_VALUE", "LISTAGG", "MAX", "MIN", "PERCENTILE", "SINGLE_VALUE", "STDDEV", "STDDEV_POP", "STDDEV_SAMP", "SUM",
                                                   "VARIANCE", "VAR_POP", "VAR_SAMP"};

std::unexpected<Error> does_not_take(std::string_view name, std::span<const Type> args) {
  std::string list;
  for (const Type& t : args) list += (list.empty() ? "" : ", ") + t.as_nullable().to_string();
  for (const AggregateHelp& h : kHelp) {
    if (h.name == name) return fail(ErrorCode::kTypeMismatch, fmt::format("{} does not take ({})", name, list), fmt::format("it is {}", h.signature));
  }
  return fail(ErrorCode::kTypeMismatch, fmt::format("{} does not take ({})", name, list), "leave DISTINCT out");
}

}  // namespace

std::span<const std::string_view> aggregate_names() { return kNames; }
std::span<const AggregateHelp> aggregate_help() { return kHelp; }

Result<ResolvedAggregate> make_aggregate(std::string_view name, std::span<const Type> args, bool distinct, bool retracting) {
  if (name == "COUNT" && args.empty() && !distinct) return ResolvedAggregate{make_count_rows(), {}};
  if (name == "LISTAGG") {
    if (args.empty() || args.size() > 2 || !std::ranges::all_of(args, &Type::is_text)) return does_not_take(name, args);
    return ResolvedAggregate{make_list(distinct, retracting), {args.begin(), args.end()}};
  }
  if (name == "PERCENTILE") {
    if (args.size() < 2 || args.size() > 3 || !args[0].is_numeric() || (args.size() > 2 && !args[2].is_integer())) return does_not_take(name, args);
    const bool many = args[1].id == TypeId::kArray;
    if (!(many ? args[1].children()[0] : args[1]).is_numeric()) return does_not_take(name, args);
    if (distinct) return fail(ErrorCode::kUnsupported, "PERCENTILE(DISTINCT ..) is not supported", "make the values distinct in a subquery first");
    std::vector<Type> types = {Type::double_(), many ? Type::array(Type::double_()) : Type::double_()};
    if (args.size() > 2) types.push_back(Type::big_int());
    return ResolvedAggregate{make_percentile(many), std::move(types)};
  }
  if (AggregatePtr collected = std::ranges::any_of(args, [](const Type& t) { return t.id == TypeId::kNull; }) ? nullptr : make_collected(name, args)) {
    if (distinct && (args.size() != 1 || args[0].is_nested())) return does_not_take(fmt::format("{}(DISTINCT ..)", name), args);
    if (distinct) collected = make_distinct(std::move(collected), args[0]);
    return ResolvedAggregate{std::move(collected), {args.begin(), args.end()}};
  }
  if (name == "APPROX_COUNT_DISTINCT") return does_not_take(name, args);   // one value: COUNT(DISTINCT x), which the planner makes of it
  if (args.size() != 1 || args[0].id == TypeId::kNull || (args[0].is_nested() && (name != "COUNT" || distinct))) return does_not_take(name, args);
  const Type& arg = args[0];
  AggregatePtr made;
  if (name == "COUNT") made = make_count_values();
  if (name == "MIN" || name == "MAX") made = make_extreme(name == "MAX", arg, retracting);
  if (name == "FIRST_VALUE" || name == "LAST_VALUE") {
    if (distinct) return fail(ErrorCode::kUnsupported, fmt::format("{}(DISTINCT ..) is not supported", name), "leave DISTINCT out: the first and the last value are the same without it");
    made = make_edge_value(name == "LAST_VALUE", arg, retracting);
  }
  if (name == "SINGLE_VALUE") return ResolvedAggregate{make_single_value(arg), {arg}};
  if ((name.starts_with("STDDEV") || name.starts_with("VAR")) && arg.is_numeric()) return fail(ErrorCode::kUnsupported, fmt::format("{} cannot stand here", name), "use it in SELECT or HAVING");
  if (name == "SUM" || name == "AVG") {
    if (!arg.is_numeric()) return does_not_take(name, args);
    made = name == "SUM" ? make_sum(arg) : make_average(arg);
  }
  if (!made) return does_not_take(name, args);
  // The least and the greatest of a set are those of the rows.
  if (distinct && name != "MIN" && name != "MAX") made = make_distinct(std::move(made), arg);
  return ResolvedAggregate{std::move(made), {arg}};
}

}  // namespace supyo::expr
