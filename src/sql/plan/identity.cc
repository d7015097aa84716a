#include "core/base/hash.h"
#include "sql/catalog/option_traits.h"
#include "sql/plan/build_physical.h"

// What a node means, as text and as a hash: equal subplans are shared, and state is found again after a restart.
namespace supyo::plan {
namespace {

using expr::Expr;

std::string list(const std::vector<std::size_t>& v) { return fmt::format("[{}]", fmt::join(v, ",")); }

std::string literal_text(const Value& v) {
  // The length keeps 'a,b' and 'a' apart from what follows.
  const std::string text = v.is_null() ? "NULL" : v.to_string();
  return fmt::format("{}:{}:{}", v.type.to_string(), text.size(), text);
}

std::string calls_text(const std::vector<expr::AggregateCall>& calls) {
  std::string text;
  for (const auto& c : calls) {
    text += fmt::format("{}{}:{}{}", c.distinct ? "distinct " : "", c.aggregate->name(), c.aggregate->result().to_string(), list(c.args));
    if (c.filter != SIZE_MAX) text += fmt::format("?{}", c.filter);
    text += fmt::format("/{};", c.aggregate->width());
  }
  return text;
}

std::string window_text(const WindowSpec& w) {
  return fmt::format("window({},{},{},{},{})", static_cast<int>(w.kind), w.size_us, w.slide_us, w.offset_us, w.gap_us);
}

std::string table_text(const catalog::TableDefinition& t) {
  std::string text = t.path.to_string();
  for (const auto& [key, value] : t.options)
    if (!catalog::is_secret(key)) text += fmt::format(";{}:{}={}:{}", key.size(), key, value.size(), value);
  return text;
}

std::string_view rows_text(JoinRows rows) { return rows == JoinRows::kPairs ? "" : rows == JoinRows::kSemi ? " semi" : " anti"; }

struct Meaning {
  const PhysicalNode& node;
  std::string operator()(const Scan& s) const {
    std::string text = fmt::format("scan {} {}", table_text(s.table), node.output.to_string());
    for (const bool b : s.not_null) text += b ? '!' : '?';
    if (s.upsert) text += "upsert";
    if (s.changelog) text += "changelog";
    if (s.computed_row_time) text += meaning_of(*s.computed_row_time);
    if (s.computed_watermark) text += "watermark " + meaning_of(*s.computed_watermark);
    if (s.row_time) text += fmt::format("watermark {} {}", s.row_time->column, s.row_time->bound_us);
    return text;
  }
  std::string operator()(const ChangelogNormalize& n) const { return fmt::format("normalize {}", list(n.keys)); }
  std::string operator()(const UpsertMaterialize& m) const { return fmt::format("materialize {} {}", list(m.keys), m.row_key ? list(*m.row_key) : "whole"); }
  std::string operator()(const Calc& c) const {
    std::string text = "calc ";
    if (c.filter) text += meaning_of(*c.filter);
    for (const auto& p : c.projections) text += "|" + meaning_of(*p);
    return text;
  }
  std::string operator()(const Expand& e) const {
    std::string text = "expand ";
    for (const auto& row : e.rows) {
      text += "/";
      for (const auto& p : row) text += "|" + meaning_of(*p);
    }
    return text;
  }
  std::string operator()(const Unnest& u) const { return fmt::format("unnest {} {} {} {}", u.column, u.with_column, u.with_ordinality, u.keep); }
  std::string operator()(const ProcTime& p) const { return fmt::format("proctime {} {} {}", p.column, p.tick_us, p.phase_us); }
  std::string operator()(const WindowAssign& w) const { return fmt::format("assign {} {} {}", window_text(w.window), w.time_column, list(w.partition)); }
  std::string operator()(const WindowAggregate& w) const {
    std::string text = fmt::format("windowagg {} {} {} {}", window_text(w.window), w.time_column, list(w.keys), calls_text(w.calls));
    for (const WindowColumn c : w.window_columns) text += std::to_string(static_cast<int>(c));
    if (w.emit) text += fmt::format(" emit {} {} {}", w.emit->lateness_us, w.emit->early_us.value_or(-1), w.emit->late_us);
    // State in which the values of DISTINCT lay with their window is another operator's.
    if ((w.given || w.window.kind != WindowSpec::Kind::kSession) && std::ranges::any_of(w.calls, &expr::AggregateCall::distinct)) text += " values apart";
    if (w.given) text += fmt::format(" given {} {} {}", w.given->start_column, w.given->end_column, w.given->local);
    return text;
  }
  std::string operator()(const GroupAggregate& g) const {
    // State in which the values of DISTINCT lay with their group is another operator's.
    const bool values = std::ranges::any_of(g.calls, &expr::AggregateCall::distinct);
    // ..and so is state in which those of MIN and MAX did.
    const bool extremes = std::ranges::any_of(g.calls, [](const expr::AggregateCall& c) { return c.aggregate->extreme_of_all() != 0; });
    return fmt::format("group {} {} {}{}{}", list(g.keys), calls_text(g.calls), g.input_retracts, values ? " values apart" : "", extremes ? " extremes apart" : "");
  }
  std::string operator()(const Over& o) const {
    std::string text = fmt::format("over {} {}", list(o.keys), o.time_column);
    for (const OverCall& c : o.calls) text += fmt::format(" lag {} {} {} {}", c.argument, c.offset, literal_text(c.default_value), c.type.to_string());
    return text;
  }
  std::string operator()(const OverAggregate& o) const {
    return fmt::format("overagg {} {} {} {} {}", list(o.keys), o.time_column, o.frame.rows, o.frame.preceding.value_or(-1), calls_text(o.calls));
  }
  std::string operator()(const Join& j) const {
    return fmt::format("join {} {} {} {} {}{}", list(j.left_keys), list(j.right_keys), j.keep_left, j.keep_right, j.condition ? meaning_of(*j.condition) : "", rows_text(j.rows));
  }
  std::string operator()(const IntervalJoin& j) const {
    return fmt::format("interval join {} {} {} {} {} {} {} {} {}", list(j.left_keys), list(j.right_keys), j.left_time, j.right_time, j.lower_us, j.upper_us, j.keep_left, j.keep_right,
                       j.condition ? meaning_of(*j.condition) : "");
  }
  std::string operator()(const WindowJoin& j) const {
    return fmt::format("window join {} {} {} {} {} {} {} {} {} {} {}{}", list(j.left_keys), list(j.right_keys), j.left_start, j.left_end, j.right_start, j.right_end, window_text(j.window),
                       j.local_zone, j.keep_left, j.keep_right, j.condition ? meaning_of(*j.condition) : "", rows_text(j.rows));
  }
  std::string operator()(const TemporalJoin& j) const {
    return fmt::format("temporal join {} {} {} {} {} {}", list(j.left_keys), list(j.right_keys), j.left_time, j.right_time, j.keep_left, j.condition ? meaning_of(*j.condition) : "");
  }
  std::string operator()(const LookupJoin& j) const {
    std::string text = fmt::format("lookup join {} {} {} {} {} {} {}", table_text(j.table), list(j.columns), list(j.left_keys), list(j.right_keys), j.keep_left,
                                   j.filter ? meaning_of(*j.filter) : "", j.condition ? meaning_of(*j.condition) : "");
    for (const auto& p : j.projections) text += "|" + meaning_of(*p);
    return text;
  }
  std::string operator()(const Union&) const { return "union"; }
  std::string operator()(const SetOperation& s) const { return fmt::format("set {} {}", s.intersect, s.all); }
  std::string operator()(const Values& v) const {
    std::string text = "values";
    for (const auto& row : v.rows) {
      text += "(";
      for (const auto& e : row) text += meaning_of(*e) + ",";
      text += ")";
    }
    return text;
  }
  std::string operator()(const Limit& l) const { return fmt::format("limit {} {}", l.offset, l.count); }
  std::string operator()(const Sort& s) const {
    std::string text = fmt::format("sort {} {}", s.offset, s.count.value_or(UINT64_MAX));
    for (const Sort::Key& k : s.keys) text += fmt::format(" {}{}{}", k.column, k.descending ? "d" : "a", k.nulls_first ? "f" : "l");
    return text;
  }
  std::string operator()(const TopN& t) const {
    std::string text = fmt::format("rank {} {} {} {}", list(t.partition), t.limit, t.with_number, t.input_retracts);
    for (const Sort::Key& k : t.order) text += fmt::format(" {}{}{}", k.column, k.descending ? "d" : "a", k.nulls_first ? "f" : "l");
    if (t.last_first) text += " last first";
    return text;
  }
  static std::string references_text(const std::vector<MatchReference>& references) {
    std::string text;
    for (const MatchReference& r : references) {
      text += fmt::format(" {}({},{},{})", static_cast<int>(r.kind), r.variable, r.column, r.offset);
      if (r.kind == MatchReference::Kind::kAggregate) text += calls_text({r.aggregate});
    }
    return text;
  }
  std::string operator()(const Match& m) const {
    std::string text = fmt::format("match {} {} {} {} {} {}", list(m.partition), m.time_column, list(m.order), static_cast<int>(m.skip), m.skip_to, m.within_us.value_or(-1));
    for (const MatchVariable& v : m.variables)
      text += fmt::format(" {{{},{},{}:{}{}}}", v.least, v.most.value_or(-1), v.greedy, v.condition ? meaning_of(*v.condition) : "", references_text(v.references));
    // State in which the runs had no sums is another operator's.
    const auto sums = [](const std::vector<MatchReference>& r) { return std::ranges::any_of(r, [](const MatchReference& e) { return e.kind == MatchReference::Kind::kAggregate; }); };
    if (sums(m.references) || std::ranges::any_of(m.variables, [&](const MatchVariable& v) { return sums(v.references); })) text += " sums";
    return text + references_text(m.references);
  }
  std::string operator()(const OverTable& o) const {
    std::string text = fmt::format("overtable {} {} {}", list(o.partition), o.frame.rows, o.frame.preceding.value_or(-1));
    for (const Sort::Key& k : o.order) text += fmt::format(" {}{}{}", k.column, k.descending ? "d" : "a", k.nulls_first ? "f" : "l");
    for (const OverTable::Call& c : o.calls) {
      text += fmt::format(" {}({},{},{})", static_cast<int>(c.function), c.column, c.default_column, c.number);
      if (c.function == OverFunction::kAggregate) text += calls_text({c.aggregate});
    }
    return text;
  }
  std::string operator()(const WindowRank& t) const {
    std::string text = fmt::format("windowrank {} {} {} {} {}", t.end_column, t.local, list(t.partition), t.limit, t.with_number);
    for (const Sort::Key& k : t.order) text += fmt::format(" {}{}{}", k.column, k.descending ? "d" : "a", k.nulls_first ? "f" : "l");
    return text;
  }
  std::string operator()(const Sink& s) const {
    return fmt::format("sink {} {}", s.table ? s.table->path.to_string() : "console", s.schema.to_string());
  }
};

}  // namespace

std::string meaning_of(const Expr& e) {
  std::string text;
  switch (e.kind) {
    case Expr::Kind::kColumn: text = fmt::format("${}", e.column); break;
    case Expr::Kind::kLiteral: return literal_text({.type = e.type, .data = e.literal.data});
    case Expr::Kind::kCall: text = e.function->name; break;
    case Expr::Kind::kCast: text = e.try_cast ? "try_cast" : "cast"; break;
    case Expr::Kind::kCase: text = "case"; break;
  }
  text += ":" + e.type.to_string();
  if (e.args.empty()) return text;
  text += "(";
  for (const auto& a : e.args) text += meaning_of(*a) + ",";
  return text + ")";
}

std::string meaning_of(const PhysicalNode& node, const std::vector<PhysicalNode>& nodes) {
  std::string text = std::visit(Meaning{node}, node.op);
  if (!node.as<Sink>()) {
    for (const Field& f : node.output.fields()) text += " " + f.type.to_string();
    // Late rows carry the names of an operator's input, so two plans that differ in names only are not one.
    for (const Field& f : node.output.fields()) text += "`" + f.name;
  }
  // State with times lies in another way.
  for (std::size_t i = 0; i < 2; ++i)
    if (node.keeps_without_end() && node.kept_us(i) > 0) text += fmt::format(" ttl{}", i);
  for (const NodeIndex i : node.inputs) text += " <" + nodes[i].uid;
  return text;
}

std::string identity_of(std::string_view meaning) { return fmt::format("{:016x}", hash_bytes(meaning)); }

}  // namespace supyo::plan
