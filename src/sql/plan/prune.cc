#include <algorithm>

#include "core/base/check.h"
#include "sql/plan/rules.h"

namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;

constexpr std::size_t kGone = SIZE_MAX;

/// A rebuilt node, and where each of the old columns is in it (kGone when it was dropped).
struct Pruned {
  LogicalPtr node;
  std::vector<std::size_t> map;
};
using Needed = std::vector<bool>;

ExprPtr remapped(const ExprPtr& e, const std::vector<std::size_t>& map) { return expr::remap_columns(e, map); }

void need(Needed& needed, const Expr& e) {
  for (const std::size_t c : expr::columns_read(e)) needed[c] = true;
}

class Pruner {
 public:
  explicit Pruner(const std::vector<std::string>& also_read) : also_read_(also_read) {}

  Pruned run(const LogicalPtr& node, Needed needed) {
    if (!needed.empty() && std::ranges::none_of(needed, [](bool b) { return b; })) needed[cheapest(*node)] = true;  // rows need a column
    return std::visit([&](const auto& op) { return prune(node, op, needed); }, node->op);
  }

 private:
  /// Position of the column that costs least to carry.
  static std::size_t cheapest(const LogicalNode& node) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < node.columns.size(); ++i) {
      const auto cost = [&](std::size_t k) { return node.columns[k].type.width() == 0 ? 1000 : node.columns[k].type.width(); };
      if (cost(i) < cost(best)) best = i;
    }
    return best;
  }
  static std::vector<std::size_t> identity(std::size_t n) {
    std::vector<std::size_t> map(n);
    for (std::size_t i = 0; i < n; ++i) map[i] = i;
    return map;
  }

  Pruned prune(const LogicalPtr&, const LogicalScan& scan, Needed needed) {
    const Schema schema = scan.table.schema();
    if (scan.row_time) needed[scan.row_time->column] = true;
    if (scan.computed_row_time) need(needed, *scan.computed_row_time);
    if (scan.computed_watermark) need(needed, *scan.computed_watermark);
    Pruned out;
    out.map.assign(needed.size(), kGone);
    LogicalScan kept = scan;
    kept.columns.clear();
    for (std::size_t i = 0; i < scan.columns.size(); ++i) {
      if (!needed[i] && std::ranges::find(also_read_, schema[scan.columns[i]].name) == also_read_.end()) continue;
      out.map[i] = kept.columns.size();
      kept.columns.push_back(scan.columns[i]);
    }
    if (scan.computed_row_time) {
      kept.computed_row_time = remapped(scan.computed_row_time, out.map);
      out.map[scan.columns.size()] = kept.columns.size();
    }
    if (scan.computed_watermark) kept.computed_watermark = remapped(scan.computed_watermark, out.map);
    if (kept.row_time) kept.row_time->column = out.map[scan.row_time->column];
    out.node = make_scan(std::move(kept));
    return out;
  }

  Pruned prune(const LogicalPtr& node, const LogicalFilter& filter, Needed needed) {
    need(needed, *filter.predicate);
    Pruned in = run(node->input(), std::move(needed));
    return {make_filter(in.node, {remapped(filter.predicate, in.map), filter.position}), in.map};
  }

  Pruned prune(const LogicalPtr& node, const LogicalProject& project, const Needed& needed) {
    Needed below(node->input()->columns.size(), false);
    for (std::size_t i = 0; i < project.exprs.size(); ++i)
      if (needed[i]) need(below, *project.exprs[i]);
    Pruned in = run(node->input(), std::move(below));
    Pruned out;
    out.map.assign(needed.size(), kGone);
    std::vector<ExprPtr> exprs;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < project.exprs.size(); ++i) {
      if (!needed[i]) continue;
      out.map[i] = exprs.size();
      exprs.push_back(remapped(project.exprs[i], in.map));
      names.push_back(node->columns[i].name);
    }
    out.node = make_project(in.node, std::move(exprs), std::move(names));
    return out;
  }

  Pruned prune(const LogicalPtr& node, const LogicalExpand& expand, const Needed& needed) {
    Needed below(node->input()->columns.size(), false);
    for (const auto& row : expand.rows)
      for (std::size_t i = 0; i < row.size(); ++i)
        if (needed[i]) need(below, *row[i]);
    Pruned in = run(node->input(), std::move(below));
    Pruned out;
    out.map.assign(needed.size(), kGone);
    LogicalExpand kept;
    kept.rows.resize(expand.rows.size());
    std::vector<std::string> names;
    for (std::size_t i = 0; i < needed.size(); ++i) {
      if (!needed[i]) continue;
      out.map[i] = names.size();
      names.push_back(node->columns[i].name);
      for (std::size_t r = 0; r < kept.rows.size(); ++r) kept.rows[r].push_back(remapped(expand.rows[r][i], in.map));
    }
    out.node = make_expand(in.node, std::move(kept), std::move(names));
    return out;
  }

  Pruned prune(const LogicalPtr& node, const LogicalWindow& window, Needed needed) {
    const std::size_t width = node->input()->columns.size();
    needed.resize(width);
    needed[window.time_column] = true;
    for (const std::size_t c : window.partition) needed[c] = true;
    Pruned in = run(node->input(), std::move(needed));
    LogicalWindow moved = window;
    moved.time_column = in.map[window.time_column];
    for (std::size_t& c : moved.partition) c = in.map[c];
    const std::size_t kept = in.node->columns.size();
    for (std::size_t i = 0; i < 3; ++i) in.map.push_back(kept + i);
    return {make_window(in.node, moved), in.map};
  }

  Pruned prune(const LogicalPtr& node, const LogicalAggregate& aggregate, const Needed& needed) {
    Needed below(node->input()->columns.size(), false);
    for (const std::size_t k : aggregate.keys) below[k] = true;
    Pruned out;
    out.map.assign(needed.size(), kGone);
    LogicalAggregate kept = aggregate;
    kept.calls.clear();
    const std::size_t keys = aggregate.keys.size();
    for (std::size_t i = 0; i < keys; ++i) out.map[i] = i;
    for (std::size_t i = 0; i < aggregate.calls.size(); ++i) {
      // An aggregation without keys stays one: its only row comes from a call.
      const bool last_one = keys == 0 && i + 1 == aggregate.calls.size() && kept.calls.empty();
      if (!needed[keys + i] && !last_one) continue;
      out.map[keys + i] = keys + kept.calls.size();
      kept.calls.push_back(aggregate.calls[i]);
      for (const std::size_t a : aggregate.calls[i].args) below[a] = true;
      if (aggregate.calls[i].filter != SIZE_MAX) below[aggregate.calls[i].filter] = true;
    }
    Pruned in = run(node->input(), std::move(below));
    for (std::size_t& k : kept.keys) k = in.map[k];
    for (LogicalCall& call : kept.calls) {
      for (std::size_t& a : call.args) a = in.map[a];
      if (call.filter != SIZE_MAX) call.filter = in.map[call.filter];
    }
    out.node = make_aggregate(in.node, std::move(kept));
    return out;
  }

  Pruned prune(const LogicalPtr& node, const LogicalOver& over, Needed needed) {
    const std::size_t width = node->input()->columns.size();
    LogicalOver kept = over;
    kept.calls.clear();
    std::vector<std::size_t> results;
    Needed below(needed.begin(), needed.begin() + static_cast<std::ptrdiff_t>(width));
    below[over.time_column] = true;
    for (const std::size_t k : over.keys) below[k] = true;
    for (std::size_t i = 0; i < over.calls.size(); ++i) {
      if (!needed[width + i]) {
        results.push_back(kGone);
        continue;
      }
      results.push_back(kept.calls.size());
      kept.calls.push_back(over.calls[i]);
      below[over.calls[i].argument] = true;
    }
    Pruned in = run(node->input(), std::move(below));
    kept.time_column = in.map[over.time_column];
    for (std::size_t& k : kept.keys) k = in.map[k];
    for (OverCall& call : kept.calls) call.argument = in.map[call.argument];
    const std::size_t base = in.node->columns.size();
    for (const std::size_t r : results) in.map.push_back(r == kGone ? kGone : base + r);
    return {make_over(in.node, std::move(kept)), in.map};
  }

  Pruned prune(const LogicalPtr& node, const LogicalOverAggregate& over, Needed needed) {
    const std::size_t width = node->input()->columns.size();
    LogicalOverAggregate kept = over;
    kept.calls.clear();
    std::vector<std::size_t> results;
    Needed below(needed.begin(), needed.begin() + static_cast<std::ptrdiff_t>(width));
    below[over.time_column] = true;
    for (const std::size_t k : over.keys) below[k] = true;
    for (std::size_t i = 0; i < over.calls.size(); ++i) {
      results.push_back(needed[width + i] ? kept.calls.size() : kGone);
      if (!needed[width + i]) continue;
      kept.calls.push_back(over.calls[i]);
      for (const std::size_t a : over.calls[i].args) below[a] = true;
      if (over.calls[i].filter != SIZE_MAX) below[over.calls[i].filter] = true;
    }
    Pruned in = run(node->input(), std::move(below));
    kept.time_column = in.map[over.time_column];
    for (std::size_t& k : kept.keys) k = in.map[k];
    for (LogicalCall& call : kept.calls) {
      for (std::size_t& a : call.args) a = in.map[a];
      if (call.filter != SIZE_MAX) call.filter = in.map[call.filter];
    }
    const std::size_t base = in.node->columns.size();
    for (const std::size_t r : results) in.map.push_back(r == kGone ? kGone : base + r);
    return {make_over_aggregate(in.node, std::move(kept)), in.map};
  }

  Pruned prune(const LogicalPtr& node, const LogicalOverTable& over, const Needed& needed) {
    const std::size_t width = node->input()->columns.size();
    LogicalOverTable kept = over;
    kept.calls.clear();
    std::vector<std::size_t> results;
    Needed below(needed.begin(), needed.begin() + static_cast<std::ptrdiff_t>(width));
    for (const std::size_t c : over.partition) below[c] = true;
    for (const Sort::Key& k : over.order) below[k.column] = true;
    for (std::size_t i = 0; i < over.calls.size(); ++i) {
      const LogicalOverCall& call = over.calls[i];
      results.push_back(needed[width + i] ? kept.calls.size() : kGone);
      if (!needed[width + i]) continue;
      kept.calls.push_back(call);
      for (const std::size_t a : call.aggregate.args) below[a] = true;
      if (call.aggregate.filter != SIZE_MAX) below[call.aggregate.filter] = true;
      if (call.looks()) below[call.column] = true;
      if (call.default_column != SIZE_MAX) below[call.default_column] = true;
    }
    Pruned in = only(node->input(), below);
    const auto move = [&](std::size_t& c) { c = c == SIZE_MAX ? c : in.map[c]; };
    for (std::size_t& c : kept.partition) move(c);
    for (Sort::Key& k : kept.order) move(k.column);
    for (LogicalOverCall& call : kept.calls) {
      for (std::size_t& a : call.aggregate.args) move(a);
      move(call.aggregate.filter);
      move(call.default_column);
      if (call.looks()) move(call.column);
    }
    const std::size_t base = in.node->columns.size();
    for (const std::size_t r : results) in.map.push_back(r == kGone ? kGone : base + r);
    return {make_over_table(in.node, std::move(kept)), in.map};
  }

  Pruned prune(const LogicalPtr& node, const LogicalMatch& match, const Needed& needed) {
    LogicalMatch kept = match;
    Needed below(node->input()->columns.size(), false);
    const auto read = [&](const MatchReference& r) {
      if (r.kind == MatchReference::Kind::kFirst || r.kind == MatchReference::Kind::kLast) below[r.column] = true;
      for (const std::size_t a : r.aggregate.args) below[a] = true;
    };
    const std::size_t keys = match.match.partition.size();
    Pruned out;
    for (std::size_t i = 0; i < keys; ++i) out.map.push_back(i);
    kept.match.references.clear();
    for (std::size_t i = 0; i < match.match.references.size(); ++i) {
      out.map.push_back(needed[keys + i] ? keys + kept.match.references.size() : kGone);
      if (!needed[keys + i]) continue;
      kept.match.references.push_back(match.match.references[i]);
      read(match.match.references[i]);
    }
    for (const MatchVariable& v : match.match.variables)
      for (const MatchReference& r : v.references) read(r);
    for (const std::size_t c : match.match.partition) below[c] = true;
    for (const std::size_t c : match.match.order) below[c] = true;
    below[match.match.time_column] = true;
    const Pruned in = only(node->input(), below);
    const auto move = [&](std::vector<MatchReference>& references) {
      for (MatchReference& r : references) {
        if (r.kind == MatchReference::Kind::kFirst || r.kind == MatchReference::Kind::kLast) r.column = in.map[r.column];
        for (std::size_t& a : r.aggregate.args) a = in.map[a];
      }
    };
    move(kept.match.references);
    for (MatchVariable& v : kept.match.variables) move(v.references);
    for (std::size_t& c : kept.match.partition) c = in.map[c];
    for (std::size_t& c : kept.match.order) c = in.map[c];
    kept.match.time_column = in.map[kept.match.time_column];
    out.node = make_match(in.node, std::move(kept));
    return out;
  }

  /// As run(), without what only the nodes below need: a join and a rank keep whole rows.
  Pruned only(const LogicalPtr& node, const Needed& needed) {
    Pruned in = run(node, needed);
    std::vector<std::size_t> kept;
    std::vector<std::size_t> map(needed.size(), kGone);
    for (std::size_t i = 0; i < needed.size(); ++i) {
      if (!needed[i]) continue;
      map[i] = kept.size();
      kept.push_back(in.map[i]);
    }
    if (kept.empty() || kept == identity(in.node->columns.size())) return in;   // rows need a column
    return {make_selection(in.node, kept), std::move(map)};
  }

  Pruned prune(const LogicalPtr& node, const LogicalJoin& join, Needed needed) {
    const auto width = static_cast<std::ptrdiff_t>(node->inputs[0]->columns.size());
    needed.resize(node->inputs[0]->columns.size() + node->inputs[1]->columns.size());   // a semi join reads what it does not give
    for (const ExprPtr& e : join.condition) need(needed, *e);
    if (join.as_of) {
      needed[join.as_of->left_time] = needed[node->inputs[0]->columns.size() + join.as_of->right_time] = true;
      for (const std::size_t c : join.as_of->key) needed[node->inputs[0]->columns.size() + c] = true;
    }
    const Pruned left = only(node->inputs[0], Needed(needed.begin(), needed.begin() + width));
    const Pruned right = only(node->inputs[1], Needed(needed.begin() + width, needed.end()));
    Pruned out;
    out.map = left.map;
    for (const std::size_t c : right.map) out.map.push_back(c == kGone ? kGone : left.node->columns.size() + c);
    LogicalJoin kept = join;
    for (ExprPtr& e : kept.condition) e = remapped(e, out.map);
    if (kept.as_of) {
      kept.as_of->left_time = left.map[kept.as_of->left_time];
      kept.as_of->right_time = right.map[kept.as_of->right_time];
      for (std::size_t& c : kept.as_of->key) c = right.map[c];
    }
    if (join.only_left()) out.map.resize(node->inputs[0]->columns.size());
    out.node = make_join(left.node, right.node, std::move(kept));
    return out;
  }

  Pruned prune(const LogicalPtr& node, const LogicalUnion&, const Needed& needed) {
    std::vector<std::size_t> columns;
    Pruned out;
    out.map.assign(needed.size(), kGone);
    for (std::size_t i = 0; i < needed.size(); ++i) {
      if (!needed[i]) continue;
      out.map[i] = columns.size();
      columns.push_back(i);
    }
    std::vector<LogicalPtr> inputs;
    for (const LogicalPtr& input : node->inputs) {
      Pruned in = run(input, needed);
      std::vector<std::size_t> kept;
      for (const std::size_t c : columns) kept.push_back(in.map[c]);
      inputs.push_back(kept == identity(in.node->columns.size()) ? in.node : make_selection(in.node, kept));
    }
    out.node = make_union(std::move(inputs));
    return out;
  }

  /// Rows are compared whole.
  Pruned prune(const LogicalPtr& node, const LogicalSetOperation& op, const Needed& needed) {
    const Needed all(needed.size(), true);
    LogicalPtr left = only(node->inputs[0], all).node;
    LogicalPtr right = only(node->inputs[1], all).node;
    return {make_set_operation(std::move(left), std::move(right), op), identity(needed.size())};
  }

  Pruned prune(const LogicalPtr& node, const LogicalValues& values, const Needed& needed) {
    Pruned out;
    out.map.assign(needed.size(), kGone);
    LogicalValues kept;
    kept.rows.resize(values.rows.size());
    std::vector<ColumnInfo> columns;
    for (std::size_t i = 0; i < needed.size(); ++i) {
      if (!needed[i]) continue;
      out.map[i] = columns.size();
      columns.push_back(node->columns[i]);
      for (std::size_t r = 0; r < values.rows.size(); ++r) kept.rows[r].push_back(values.rows[r][i]);
    }
    out.node = make_values(std::move(kept), std::move(columns));
    return out;
  }

  Pruned prune(const LogicalPtr& node, const LogicalSort& sort, Needed needed) {
    for (const Sort::Key& k : sort.keys) needed[k.column] = true;
    Pruned in = run(node->input(), std::move(needed));
    LogicalSort kept = sort;
    for (Sort::Key& k : kept.keys) k.column = in.map[k.column];
    return {make_sort(in.node, std::move(kept)), in.map};
  }

  Pruned prune(const LogicalPtr& node, const LogicalRank& rank, Needed needed) {
    const std::size_t width = node->input()->columns.size();
    LogicalRank kept = rank;
    kept.with_number = rank.with_number && needed[width];
    needed.resize(width);
    for (const std::size_t c : rank.partition) needed[c] = true;
    for (const Sort::Key& k : rank.order) needed[k.column] = true;
    Pruned in = only(node->input(), needed);
    for (std::size_t& c : kept.partition) c = in.map[c];
    for (Sort::Key& k : kept.order) k.column = in.map[k.column];
    if (rank.with_number) in.map.push_back(kept.with_number ? in.node->columns.size() : kGone);
    return {make_rank(in.node, std::move(kept)), in.map};
  }

  Pruned prune(const LogicalPtr& node, const LogicalUnnest& unnest, const Needed& needed) {
    const std::size_t width = node->input()->columns.size();
    const std::size_t all = node->columns.size();
    Needed below(width, false);
    const auto place = [&](std::size_t i) { return !unnest.with_column && i > unnest.column ? i - 1 : i; };   // of an input column in the output
    for (std::size_t i = 0; i < width; ++i) below[i] = i == unnest.column ? false : needed[place(i)];
    const bool with_column = unnest.with_column && needed[unnest.column];
    below[unnest.column] = true;
    Pruned in = run(node->input(), below);
    LogicalUnnest kept = unnest;
    kept.column = in.map[unnest.column];
    kept.with_column = with_column;
    Pruned out;
    out.map.assign(all, kGone);
    for (std::size_t i = 0; i < width; ++i) {
      if (in.map[i] == kGone || (i == unnest.column && !with_column)) continue;
      out.map[place(i)] = !with_column && in.map[i] > kept.column ? in.map[i] - 1 : in.map[i];
    }
    const std::size_t inputs = in.node->columns.size() - (with_column ? 0 : 1);
    const std::size_t first = width - (unnest.with_column ? 0 : 1);
    for (std::size_t i = first; i < all; ++i) out.map[i] = inputs + i - first;
    out.node = make_unnest(in.node, std::move(kept));
    return out;
  }

  Pruned prune(const LogicalPtr& node, const LogicalSink& sink, const Needed&) {
    const std::size_t width = node->input()->columns.size();
    Pruned in = run(node->input(), Needed(width, true));
    LogicalPtr input = in.map == identity(in.node->columns.size()) ? in.node : make_selection(in.node, in.map);
    return {make_sink(std::move(input), sink), {}};
  }

  const std::vector<std::string>& also_read_;
};

}  // namespace

LogicalPtr prune(const LogicalPtr& sink, const std::vector<std::string>& also_read) { return Pruner(also_read).run(sink, {}).node; }

void collect_reads(const LogicalPtr& node, ColumnsRead& out) {
  if (const auto* scan = node->as<LogicalScan>()) {
    auto& columns = out[scan->id];
    columns.insert(columns.end(), scan->columns.begin(), scan->columns.end());
    std::ranges::sort(columns);
    columns.erase(std::ranges::unique(columns).begin(), columns.end());
  }
  for (const LogicalPtr& input : node->inputs) collect_reads(input, out);
}

}  // namespace supyo::plan
