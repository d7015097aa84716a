#include <algorithm>
#include <map>

#include "core/base/duration.h"
#include "sql/catalog/option_traits.h"
#include "sql/expr/slices.h"
#include "sql/plan/build_physical.h"
#include "sql/plan/logical.h"

// EXPLAIN in its three forms.
namespace supyo::plan {
namespace {

std::vector<std::string> names_of(const Schema& s) {
  std::vector<std::string> names;
  for (const Field& f : s.fields()) names.push_back(f.name);
  return names;
}

std::string pick(const std::vector<std::string>& names, const std::vector<std::size_t>& columns) {
  std::vector<std::string> out;
  for (const std::size_t c : columns) out.push_back(names[c]);
  return fmt::format("{}", fmt::join(out, ", "));
}

std::string window_text(const WindowSpec& w, const std::string& time) {
  std::string text;
  switch (w.kind) {
    case WindowSpec::Kind::kTumble: text = fmt::format("TUMBLE(time_col=[{}], size=[{}]", time, format_duration(w.size_us)); break;
    case WindowSpec::Kind::kHop: text = fmt::format("HOP(time_col=[{}], slide=[{}], size=[{}]", time, format_duration(w.slide_us), format_duration(w.size_us)); break;
    case WindowSpec::Kind::kCumulate: text = fmt::format("CUMULATE(time_col=[{}], step=[{}], max_size=[{}]", time, format_duration(w.slide_us), format_duration(w.size_us)); break;
    case WindowSpec::Kind::kSession: text = fmt::format("SESSION(time_col=[{}], gap=[{}]", time, format_duration(w.gap_us)); break;
  }
  if (w.offset_us != 0) text += fmt::format(", offset=[{}]", w.offset_us < 0 ? "-" + format_duration(-w.offset_us) : format_duration(w.offset_us));
  return text + ")";
}

std::string signed_text(DurationUs us) { return us < 0 ? "-" + format_duration(-us) : format_duration(us); }

std::string is_past(DurationUs us) { return us == 0 ? "has reached them" : fmt::format("is {} past them", format_duration(us)); }

std::string calls_text(const std::vector<expr::AggregateCall>& calls, const std::vector<std::string>& in) {
  std::vector<std::string> out;
  for (const auto& c : calls) {
    std::string text = fmt::format("{}({}{})", c.aggregate->name(), c.distinct ? "DISTINCT " : "", c.args.empty() ? "*" : pick(in, c.args));
    if (c.filter != SIZE_MAX) text += fmt::format(" FILTER {}", in[c.filter]);
    out.push_back(fmt::format("{} AS {}", text, c.name));
  }
  return fmt::format("{}", fmt::join(out, ", "));
}

std::string rows_text(const Limit& l) {
  std::string text = l.count == UINT64_MAX ? "fetch=[all]" : fmt::format("fetch=[{}]", l.count);
  return l.offset == 0 ? text : fmt::format("offset=[{}], {}", l.offset, text);
}

std::string order_text(const std::vector<Sort::Key>& order, const std::vector<std::string>& in) {
  std::vector<std::string> keys;
  for (const Sort::Key& k : order) keys.push_back(fmt::format("{} {}{}", in[k.column], k.descending ? "DESC" : "ASC", k.nulls_first == k.descending ? (k.nulls_first ? " NULLS FIRST" : " NULLS LAST") : ""));
  return fmt::format("{}", fmt::join(keys, ", "));
}

std::string frame_text(const OverFrame& f) {
  const std::string from = !f.preceding ? "UNBOUNDED PRECEDING" : *f.preceding == 0 ? "CURRENT ROW" : fmt::format("{} PRECEDING", f.rows ? std::to_string(*f.preceding) : format_duration(*f.preceding));
  return fmt::format("{} BETWEEN {} AND CURRENT ROW", f.rows ? "ROWS" : "RANGE", from);
}

std::string kept_for(DurationUs ttl_us) { return ttl_us == 0 ? "for ever" : fmt::format("until {} after the last write", format_duration(ttl_us)); }

std::string over_state(const OverFrame& f, DurationUs ttl_us) {
  const std::string waiting = "rows waiting for the watermark, and ";
  if (!f.preceding) return waiting + fmt::format("one accumulator per key, {}", kept_for(ttl_us));
  if (f.rows) return waiting + fmt::format("one accumulator and the last {} row{} per key, {}", *f.preceding + 1, *f.preceding == 0 ? "" : "s", kept_for(ttl_us));
  return waiting + fmt::format("the rows of the last {} with one accumulator per key; freed when the watermark is past them", format_duration(*f.preceding));
}

std::string_view function_text(OverFunction f) {
  switch (f) {
    case OverFunction::kAggregate: return "";
    case OverFunction::kRowNumber: return "ROW_NUMBER";
    case OverFunction::kRank: return "RANK";
    case OverFunction::kDenseRank: return "DENSE_RANK";
    case OverFunction::kPercentRank: return "PERCENT_RANK";
    case OverFunction::kCumeDist: return "CUME_DIST";
    case OverFunction::kNtile: return "NTILE";
    case OverFunction::kLag: return "LAG";
    case OverFunction::kLead: return "LEAD";
  }
  return "";
}

struct Describe {
  const PhysicalNode& node;
  std::vector<std::string> in;   ///< column names of the first input
  std::vector<std::string> out;
  std::vector<std::string> pair;   ///< joins: of both inputs
  std::vector<std::string> below = {};   ///< the second level of an aggregation: of the first one's input

  std::string operator()(const Scan& s) const {
    std::string text = fmt::format("TableSourceScan(table=[{}], fields=[{}]", s.table.path.to_string(), fmt::join(out, ", "));
    std::vector<std::string> not_null;
    for (std::size_t i = 0; i < s.not_null.size(); ++i)
      if (s.not_null[i]) not_null.push_back(out[i]);
    if (s.computed_row_time) text += fmt::format(", rowtime=[{} AS {}]", out.back(), s.computed_row_time->to_string(out));
    if (s.row_time) {
      text += s.computed_watermark ? fmt::format(", watermark=[{}]", s.computed_watermark->to_string(out))
                                   : fmt::format(", watermark=[{}{}]", out[s.row_time->column], s.row_time->bound_us == 0 ? "" : " - " + format_duration(s.row_time->bound_us));
      if (s.row_time->idle_timeout_us > 0) text += fmt::format(", idle-timeout=[{}]", format_duration(s.row_time->idle_timeout_us));
    }
    if (!not_null.empty()) text += fmt::format(", not-null=[{}]", fmt::join(not_null, ", "));
    return text + ")";
  }
  std::string operator()(const ChangelogNormalize& n) const { return fmt::format("ChangelogNormalize(key=[{}])", pick(in, n.keys)); }
  std::string operator()(const UpsertMaterialize& m) const { return fmt::format("SinkMaterializer(key=[{}])", pick(in, m.keys)); }
  std::string operator()(const Calc& c) const {
    std::vector<std::string> items;
    for (std::size_t i = 0; i < c.projections.size(); ++i) {
      const std::string text = c.projections[i]->to_string(in);
      items.push_back(text == out[i] ? text : fmt::format("{} AS {}", text, out[i]));
    }
    std::string text = fmt::format("Calc(select=[{}]", fmt::join(items, ", "));
    if (c.filter) text += fmt::format(", where=[{}]", c.filter->to_string(in));
    return text + ")";
  }
  std::string operator()(const Expand& e) const {
    std::vector<std::string> rows;
    for (const auto& row : e.rows) {
      std::vector<std::string> items;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string text = row[i]->to_string(in);
        items.push_back(text == out[i] ? text : fmt::format("{} AS {}", text, out[i]));
      }
      rows.push_back(fmt::format("{{{}}}", fmt::join(items, ", ")));
    }
    return fmt::format("Expand(projects=[{}])", fmt::join(rows, ", "));
  }
  std::string operator()(const Unnest& u) const {
    return fmt::format("Correlate(unnest=[{}], joinType=[{}]{})", in[u.column], u.keep ? "LEFT" : "INNER", u.with_ordinality ? ", with ordinality" : "");
  }
  std::string operator()(const ProcTime& p) const { return fmt::format("ProcTimeAssigner(proctime=[{}])", in[p.column]); }
  std::string operator()(const WindowAssign& w) const {
    std::string window = window_text(w.window, in[w.time_column]);
    if (!w.partition.empty()) window.insert(window.size() - 1, fmt::format(", partition keys=[{}]", pick(in, w.partition)));
    return fmt::format("WindowTableFunction(window=[{}])", window);
  }
  static std::string_view phase_text(AggregatePhase p) { return p == AggregatePhase::kLocal ? "Local" : p == AggregatePhase::kGlobal ? "Global" : ""; }
  std::string operator()(const WindowAggregate& w) const {
    const std::vector<std::string>& of = w.phase == AggregatePhase::kGlobal ? below : in;
    const std::string window = w.given ? fmt::format("win_start=[{}], win_end=[{}]", in[w.given->start_column], in[w.given->end_column]) : window_text(w.window, of[w.time_column]);
    std::string text = fmt::format("{}WindowAggregate(groupBy=[{}], window=[{}], select=[{}]", phase_text(w.phase), pick(in, w.keys), window, calls_text(w.calls, of));
    if (!w.given && w.phase != AggregatePhase::kLocal)
      text += fmt::format(", windowColumns=[{}]", fmt::join(out.begin() + static_cast<std::ptrdiff_t>(w.keys.size() + w.calls.size()), out.end(), ", "));
    if (w.emit) text += fmt::format(", emit=[late {}{}]", format_duration(w.emit->lateness_us), w.emit->early_us ? fmt::format(", early delay {}", format_duration(*w.emit->early_us)) : "");
    return text + ")";
  }
  std::string operator()(const GroupAggregate& g) const {
    const std::string_view phase = phase_text(g.phase);
    if (g.calls.empty()) return fmt::format("{}GroupAggregate(distinct=[{}])", phase, pick(in, g.keys));
    const std::string_view split = g.split == DistinctSplit::kNone ? "" : g.split == DistinctSplit::kPartial ? "partialFinalType=[PARTIAL], " : "partialFinalType=[FINAL], ";
    return fmt::format("{}GroupAggregate(groupBy=[{}], {}select=[{}])", phase, pick(in, g.keys), split, calls_text(g.calls, g.phase == AggregatePhase::kGlobal ? below : in));
  }
  std::string operator()(const Over& o) const {
    std::vector<std::string> items;
    for (const OverCall& c : o.calls) {
      std::string text = fmt::format("LAG({}, {}", in[c.argument], c.offset);
      if (!c.default_value.is_null()) text += ", " + c.default_value.to_string();
      items.push_back(fmt::format("{}) AS {}", text, c.name));
    }
    return fmt::format("OverAggregate(partitionBy=[{}], orderBy=[{} ASC], select=[{}])", pick(in, o.keys), in[o.time_column], fmt::join(items, ", "));
  }
  std::string operator()(const OverAggregate& o) const {
    return fmt::format("OverAggregate(partitionBy=[{}], orderBy=[{} ASC], window=[{}], select=[{}])", pick(in, o.keys), in[o.time_column], frame_text(o.frame), calls_text(o.calls, in));
  }
  template <class T>
  static const char* kind_of(const T& j) {
    if constexpr (requires { j.rows; }) {
      if (j.rows != JoinRows::kPairs) return j.rows == JoinRows::kSemi ? "LeftSemiJoin" : "LeftAntiJoin";
    }
    if constexpr (!requires { j.keep_right; }) return j.keep_left ? "LeftOuterJoin" : "InnerJoin";
    else return j.keep_left && j.keep_right ? "FullOuterJoin" : j.keep_left ? "LeftOuterJoin" : j.keep_right ? "RightOuterJoin" : "InnerJoin";
  }
  template <class T>
  std::string where_of(const T& j) const {
    std::vector<std::string> where;
    for (std::size_t i = 0; i < j.left_keys.size(); ++i) where.push_back(fmt::format("({} = {})", pair[j.left_keys[i]], pair[in.size() + j.right_keys[i]]));
    if (j.condition) where.push_back(j.condition->to_string(pair));
    return where.empty() ? "true" : fmt::format("{}", fmt::join(where, " AND "));
  }
  std::string operator()(const Join& j) const {
    return fmt::format("Join(joinType=[{}], where=[{}], select=[{}])", kind_of(j), where_of(j), fmt::join(out, ", "));
  }
  std::string operator()(const IntervalJoin& j) const {
    return fmt::format("IntervalJoin(joinType=[{}], windowBounds=[isRowTime=true, leftLowerBound={}, leftUpperBound={}, leftTimeIndex={}, rightTimeIndex={}], where=[{}], select=[{}])",
                       kind_of(j), signed_text(j.lower_us), signed_text(j.upper_us), j.left_time, j.right_time, where_of(j), fmt::join(out, ", "));
  }
  std::string operator()(const WindowJoin& j) const {
    const auto side = [&](std::size_t first, std::size_t start, std::size_t end) {
      std::string text = window_text(j.window, "");
      return text.replace(text.find("time_col=[]"), 11, fmt::format("win_start=[{}], win_end=[{}]", pair[first + start], pair[first + end]));
    };
    return fmt::format("WindowJoin(leftWindow=[{}], rightWindow=[{}], joinType=[{}], where=[{}], select=[{}])", side(0, j.left_start, j.left_end), side(in.size(), j.right_start, j.right_end),
                       kind_of(j), where_of(j), fmt::join(out, ", "));
  }
  std::string operator()(const TemporalJoin& j) const {
    return fmt::format("TemporalJoin(joinType=[{}], where=[{}], asOf=[{}], versions=[{}], select=[{}])", kind_of(j), where_of(j), pair[j.left_time], pair[in.size() + j.right_time], fmt::join(out, ", "));
  }
  std::string operator()(const LookupJoin& j) const {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < j.left_keys.size(); ++i) keys.push_back(fmt::format("{}={}", out[in.size() + j.right_keys[i]], out[j.left_keys[i]]));
    std::string text = fmt::format("LookupJoin(table=[{}], joinType=[{}], lookup=[{}]", j.table.path.to_string(), kind_of(j), fmt::join(keys, ", "));
    if (j.filter) {
      const Schema schema = j.table.schema();
      std::vector<std::string> read;
      for (const std::size_t c : j.columns) read.push_back(schema[c].name);
      text += fmt::format(", filter=[{}]", j.filter->to_string(read));
    }
    if (j.condition) text += fmt::format(", where=[{}]", j.condition->to_string(out));
    return text + fmt::format(", select=[{}])", fmt::join(out, ", "));
  }
  std::string operator()(const Union&) const { return fmt::format("Union(all=[true], union=[{}])", fmt::join(out, ", ")); }
  std::string operator()(const SetOperation& s) const {
    return fmt::format("{}(all=[{}], select=[{}])", s.intersect ? "Intersect" : "Except", s.all, fmt::join(out, ", "));
  }
  std::string operator()(const Values& v) const { return fmt::format("Values(rows=[{}], fields=[{}])", v.rows.size(), fmt::join(out, ", ")); }
  std::string operator()(const Limit& l) const { return fmt::format("Limit({})", rows_text(l)); }
  std::string operator()(const Sort& s) const {
    std::string text = fmt::format("Sort(orderBy=[{}]", order_text(s.keys, in));
    if (s.count || s.offset > 0) text += ", " + rows_text({s.offset, s.count.value_or(UINT64_MAX)});
    return text + ")";
  }
  std::string operator()(const TopN& t) const {
    if (t.keeps_first() && t.limit == 1) return fmt::format("Deduplicate(keep=[FirstRow], key=[{}], order=[PROCTIME])", pick(in, t.partition));
    return fmt::format("Rank(rankType=[ROW_NUMBER], rankRange=[rankStart=1, rankEnd={}], partitionBy=[{}], orderBy=[{}], select=[{}])", t.limit, pick(in, t.partition),
                       t.order.empty() ? (t.last_first ? "PROCTIME DESC" : t.input_retracts ? "as they come" : "PROCTIME ASC") : order_text(t.order, in), fmt::join(out, ", "));
  }
  std::string operator()(const OverTable& o) const {
    std::vector<std::string> items;
    for (const OverTable::Call& c : o.calls) {
      std::string text = c.function == OverFunction::kAggregate ? calls_text({c.aggregate}, in) : std::string(function_text(c.function));
      if (c.function == OverFunction::kNtile) text += fmt::format("({})", c.number);
      else if (c.function == OverFunction::kLag || c.function == OverFunction::kLead)
        text += fmt::format("({}, {}{})", in[c.column], c.number, c.default_column == SIZE_MAX ? "" : ", " + in[c.default_column]);
      else if (c.function != OverFunction::kAggregate) text += "()";
      items.push_back(c.function == OverFunction::kAggregate ? text : fmt::format("{} AS {}", text, c.name));
    }
    return fmt::format("OverAggregate(partitionBy=[{}], orderBy=[{}], window=[{}], select=[{}])", pick(in, o.partition), order_text(o.order, in), frame_text(o.frame), fmt::join(items, ", "));
  }
  std::string operator()(const Match& m) const {
    std::vector<std::string> pattern, define;
    for (const MatchVariable& v : m.variables) {
      std::string many = v.least == 1 && v.most == 1 ? "" : !v.most ? fmt::format("{{{},}}", v.least) : fmt::format("{{{},{}}}", v.least, *v.most);
      if (!many.empty() && !v.greedy && v.least != v.most.value_or(-1) && !(v.least == 0 && v.most == 1)) many += "?";
      pattern.push_back(v.name + many);
      if (v.condition) define.push_back(fmt::format("{} AS {}", v.name, v.condition->to_string(reference_names(m, v.references))));
    }
    static constexpr std::string_view kSkip[] = {"PAST LAST ROW", "TO NEXT ROW", "TO FIRST ", "TO LAST "};
    std::string skip(kSkip[static_cast<std::size_t>(m.skip)]);
    if (m.skip == Match::Skip::kToFirst || m.skip == Match::Skip::kToLast) skip += m.variables[m.skip_to].name;
    return fmt::format("Match(partitionBy=[{}], orderBy=[{} ASC], measures=[{}], rowsPerMatch=[ONE ROW PER MATCH], after=[SKIP {}], pattern=[{}]{}, define=[{}])", pick(in, m.partition),
                       in[m.time_column], fmt::join(reference_names(m, m.references), ", "), skip, fmt::join(pattern, " "),
                       m.within_us ? fmt::format(", within=[{}]", format_duration(*m.within_us)) : "", fmt::join(define, ", "));
  }
  std::vector<std::string> reference_names(const Match& m, const std::vector<MatchReference>& references) const {
    std::vector<std::string> names;
    for (const MatchReference& r : references) {
      const std::string of = r.variable == SIZE_MAX ? "" : m.variables[r.variable].name + ".";
      switch (r.kind) {
        case MatchReference::Kind::kFirst: names.push_back(fmt::format("FIRST({}{}, {})", of, in[r.column], r.offset)); break;
        case MatchReference::Kind::kLast: names.push_back(fmt::format("LAST({}{}, {})", of, in[r.column], r.offset)); break;
        case MatchReference::Kind::kAggregate: names.push_back(fmt::format("{}({}{})", r.aggregate.aggregate->name(), of, r.aggregate.args.empty() ? "*" : in[r.aggregate.args.front()])); break;
        case MatchReference::Kind::kTime: names.emplace_back("MATCH_ROWTIME()"); break;
      }
    }
    return names;
  }
  std::string operator()(const WindowRank& t) const {
    return fmt::format("WindowRank(window=[win_start=[{}], win_end=[{}]], rankType=[ROW_NUMBER], rankRange=[rankStart=1, rankEnd={}], partitionBy=[{}], orderBy=[{}], select=[{}])",
                       in[t.start_column], in[t.end_column], t.limit, pick(in, t.partition), order_text(t.order, in), fmt::join(out, ", "));
  }
  std::string operator()(const Sink& s) const {
    return fmt::format("Sink(table=[{}], fields=[{}]{})", s.table ? s.table->path.to_string() : "console", fmt::join(names_of(s.schema), ", "), s.materialized ? ", upsertMaterialize=[true]" : "");
  }
};

std::string state_of(const PhysicalNode& n) {
  if (n.as<ChangelogNormalize>()) return n.kept_us() == 0 ? "the last row of every key, until it is deleted" : fmt::format("the last row of every key, until it is deleted or {} after the last write", format_duration(n.kept_us()));
  if (n.is_local()) return {};
  if (const auto* w = n.as<WindowAggregate>(); w != nullptr && w->window.kind == WindowSpec::Kind::kSession)
    return "one accumulator per open session and key; freed when the watermark passes the session's end";
  if (const auto* w = n.as<WindowAssign>(); w != nullptr && w->window.kind == WindowSpec::Kind::kSession)
    return "the rows of open sessions; freed when the watermark passes the session's end";
  if (const auto* r = n.as<WindowRank>())
    return fmt::format("the first {} per open window and key; freed when the watermark passes the window's end", r->limit == 1 ? "row" : fmt::format("{} rows", r->limit));
  if (n.as<SetOperation>()) return fmt::format("every distinct row of both inputs, {}", kept_for(n.kept_us()));
  if (const auto* w = n.as<WindowAggregate>(); w != nullptr && w->emit)
    return fmt::format("one accumulator and the last result per window and key; freed when the watermark is {} past the window's end", format_duration(w->emit->lateness_us));
  if (const auto* w = n.as<WindowAggregate>(); w != nullptr && !w->given && expr::shares_slices(w->window, w->calls))
    return fmt::format("one accumulator per slice of {} and key, which up to {} windows share; freed when the watermark passes the end of the last of them", format_duration(w->window.slide_us), w->window.size_us / w->window.slide_us);
  if (n.as<WindowAggregate>()) return "one accumulator per open window and key; freed when the watermark passes the window's end";
  if (const auto* g = n.as<GroupAggregate>()) {
    const bool values = n.kept_us() == 0 && std::ranges::any_of(g->calls, [](const auto& c) { return c.distinct || c.aggregate->extreme_of_all() != 0; });
    if (g->calls.empty() && n.kept_us() == 0) return "every distinct row seen";
    return fmt::format("{}, {}", g->calls.empty() ? "every distinct row seen" : values ? "one accumulator per key, and every value of DISTINCT, MIN and MAX" : "one accumulator per key", kept_for(n.kept_us()));
  }
  if (const auto* o = n.as<Over>()) {
    std::int64_t rows = 0;
    for (const OverCall& c : o->calls) rows = std::max(rows, c.offset);
    return fmt::format("rows waiting for the watermark, and the last {} row{} per key{}", rows, rows == 1 ? "" : "s", n.kept_us() == 0 ? "" : ", " + kept_for(n.kept_us()));
  }
  if (const auto* o = n.as<OverAggregate>()) return over_state(o->frame, n.kept_us());
  if (const auto* m = n.as<Match>()) {
    const std::string runs = "rows waiting for the watermark, and the rows of open matches of every key";
    return m->within_us ? runs + fmt::format("; freed when the watermark is {} past a match's first row", format_duration(*m->within_us)) : runs;
  }
  if (n.as<OverTable>()) return fmt::format("all rows with their results, {}", n.kept_us() == 0 ? "for ever" : fmt::format("those of a key until {} after its last change", format_duration(n.kept_us())));
  if (n.as<UpsertMaterialize>()) return fmt::format("all rows of every key, {}", kept_for(n.kept_us()));
  if (const auto* j = n.as<IntervalJoin>())
    return fmt::format("left rows until the watermark {}, right rows until it {}", is_past(j->left_kept_us()), is_past(j->right_kept_us()));
  if (n.as<WindowJoin>()) return "rows of both inputs in open windows; freed when the watermark passes the window's end";
  if (n.as<TemporalJoin>()) return "left rows and right versions until the watermark has reached them; the version of every key that holds, for ever";
  if (const auto* j = n.as<LookupJoin>()) return !catalog::is_asked_by_key(j->table) ? "none; the table's rows in memory, read when the job starts" : "none; rows that were found in memory, as the table's lookup.* options say";
  if (const auto* j = n.as<Join>()) {
    const auto side = [&](std::size_t s, std::string_view name) {
      return j->ends[s] ? fmt::format("{} rows until the watermark {}", name, is_past(std::max<DurationUs>(0, j->ends[s]->after_us))) : fmt::format("all {} rows, {}", name, kept_for(n.kept_us(s)));
    };
    if (j->ends[0] || j->ends[1]) return fmt::format("{}; {}", side(0, "left"), side(1, "right"));
    if (n.kept_us(0) == n.kept_us(1)) return fmt::format("all rows of both inputs, {}", kept_for(n.kept_us()));
    return fmt::format("all left rows, {}; all right rows, {}", kept_for(n.kept_us(0)), kept_for(n.kept_us(1)));
  }
  if (const auto* t = n.as<TopN>()) return fmt::format("{}, {}", t->input_retracts ? "all rows" : fmt::format("the first {} per key", t->limit == 1 ? "row" : fmt::format("{} rows", t->limit)), kept_for(n.kept_us()));
  if (n.as<Limit>()) return "how many rows have passed";
  if (n.as<Sort>()) return "all rows, until the input ends";
  if (const auto* s = n.as<Scan>()) return s->row_time ? "position and watermark per split" : "position per split";
  return {};
}

std::string exchange_text(const Distribution& d, const std::vector<std::string>& in) {
  if (d.kind == Distribution::Kind::kSingle) return "Exchange(distribution=[single])";
  return fmt::format("Exchange(distribution=[hash[{}]])", pick(in, d.keys));
}

class TreePrinter {
 public:
  TreePrinter(const PhysicalPlan& plan, bool full) : plan_(plan), full_(full) {
    for (const PhysicalNode& n : plan.nodes)
      for (const NodeIndex i : n.inputs) ++uses_[i];
  }

  std::string print() {
    std::string out;
    for (const NodeIndex sink : plan_.sinks()) {
      if (!out.empty()) out += "\n";
      node(sink, 0, out);
    }
    return out;
  }

 private:
  static void line(std::size_t depth, const std::string& text, std::string& out) {
    if (depth > 0) out += std::string((depth - 1) * 3, ' ') + "+- ";
    out += text + "\n";
  }

  void node(NodeIndex i, std::size_t depth, std::string& out) {
    const PhysicalNode& n = plan_.nodes[i];
    std::string text = n.name;
    // The changelog mode stands inside the parentheses, where Flink has it.
    if (!full_ || !n.as<Sink>()) text.insert(text.size() - 1, fmt::format(", changelogMode=[{}]", bare(n)));
    else text.insert(text.size() - 1, fmt::format(", changelogMode=[{}], guarantee=[{}]", bare(n), delivery_guarantee_text(n.as<Sink>()->guarantee)));
    const bool shared = uses_[i] > 1;
    if (shared) {
      const auto [it, fresh] = shared_.try_emplace(i, shared_.size() + 1);
      if (!fresh) return line(depth, fmt::format("Reused(reference_id=[{}])", it->second), out);
      text += fmt::format("(reuse_id=[{}])", it->second);
    }
    line(depth, text, out);
    if (full_ && n.stateful) out += std::string(depth * 3, ' ') + (depth == 0 ? "" : "") + "   state: " + n.state + "\n";
    if (full_ && !n.late_tables.empty()) {
      std::vector<std::string> tables;
      for (const auto& t : n.late_tables) tables.push_back(t.name + "$late");
      out += std::string(depth * 3, ' ') + "   late rows: " + fmt::format("{}", fmt::join(tables, ", ")) + "\n";
    }
    const bool exchange = n.distribution.kind != Distribution::Kind::kForward;
    for (std::size_t input = 0; input < n.inputs.size(); ++input) {
      const NodeIndex in = n.inputs[input];
      if (exchange) line(depth + 1, exchange_text(n.distribution_of(input), names_of(plan_.nodes[in].output)), out);
      node(in, depth + (exchange ? 2 : 1), out);
    }
  }

  static std::string bare(const PhysicalNode& n) {
    std::string text = n.changes.to_string();
    return text.substr(1, text.size() - 2);
  }

  const PhysicalPlan& plan_;
  bool full_;
  std::map<NodeIndex, int> uses_;
  std::map<NodeIndex, std::size_t> shared_;
};

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += std::string("\\") + c;
    else if (static_cast<unsigned char>(c) < 0x20) out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else out += c;
  }
  return out + "\"";
}

}  // namespace

std::string describe_node(const PhysicalNode& node, const std::vector<PhysicalNode>& nodes) {
  Describe d{node, {}, names_of(node.output), {}};
  if (!node.inputs.empty()) d.in = names_of(nodes[node.inputs.front()].output);
  const auto* g = node.as<GroupAggregate>();
  const auto* w = node.as<WindowAggregate>();
  if ((g != nullptr ? g->phase : w != nullptr ? w->phase : AggregatePhase::kWhole) == AggregatePhase::kGlobal) d.below = names_of(nodes[nodes[node.inputs.front()].inputs.front()].output);
  if (node.is_join()) {
    d.pair = d.in;
    for (const Field& f : nodes[node.inputs[1]].output.fields()) d.pair.push_back(f.name);
    make_unique(d.pair);
  }
  return std::visit(d, node.op);
}

void identify(PhysicalPlan& plan) {
  std::string all;
  for (PhysicalNode& n : plan.nodes) {
    n.name = describe_node(n, plan.nodes);
    n.state = state_of(n);
    n.stateful = !n.state.empty();
    if (n.as<Sink>()) all += n.uid;
  }
  plan.fingerprint = identity_of(all);
}

std::string explain_text(const PhysicalPlan& plan) { return TreePrinter(plan, true).print(); }
std::string explain_changelog(const PhysicalPlan& plan) { return TreePrinter(plan, false).print(); }

std::string explain_advice(const PhysicalPlan& plan) {
  std::string out;
  std::size_t count = 0;
  for (const PhysicalNode& n : plan.nodes) {
    if (!n.keeps_without_end() || n.kept_us() != 0) continue;
    out += fmt::format("advice[{}]: {} keeps its state for ever ({}). Where keys do not come again after some time, SET 'table.exec.state.ttl' to it, or say it in a STATE_TTL hint.\n", ++count, n.name.substr(0, n.name.find('(')), state_of(n));
  }
  return count > 0 ? out : "No available advice.\n";
}

std::string explain_json(const PhysicalPlan& plan) {
  std::string out = "{\n  \"nodes\" : [";
  for (NodeIndex i = 0; i < plan.nodes.size(); ++i) {
    const PhysicalNode& n = plan.nodes[i];
    std::vector<std::string> predecessors;
    for (const NodeIndex in : n.inputs) {
      const char* strategy = n.distribution.kind == Distribution::Kind::kHash ? "HASH" : n.distribution.kind == Distribution::Kind::kSingle ? "GLOBAL" : "FORWARD";
      predecessors.push_back(fmt::format("{{\"id\" : {}, \"ship_strategy\" : \"{}\"}}", in + 1, strategy));
    }
    const std::string type = n.name.substr(0, n.name.find('('));
    out += fmt::format("{}\n    {{\"id\" : {}, \"uid\" : \"{}\", \"type\" : {}, \"contents\" : {}, \"changelogMode\" : {}, \"state\" : {}", i == 0 ? "" : ",", i + 1, n.uid,
                       json_text(type), json_text(n.name), json_text(n.changes.to_string()), json_text(n.state));
    if (const auto* s = n.as<Sink>()) out += fmt::format(", \"guarantee\" : {}", json_text(delivery_guarantee_text(s->guarantee)));
    if (n.max_parallelism != 0) out += fmt::format(", \"maxParallelism\" : {}", n.max_parallelism);
    out += fmt::format(", \"predecessors\" : [{}]}}", fmt::join(predecessors, ", "));
  }
  return out + fmt::format("\n  ],\n  \"fingerprint\" : \"{}\"\n}}\n", plan.fingerprint);
}

}  // namespace supyo::plan
