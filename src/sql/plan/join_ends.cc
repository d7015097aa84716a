#include "sql/plan/join_ends.h"

#include <algorithm>

#include "sql/plan/bind_query.h"
#include "sql/plan/join_in_time.h"

namespace supyo::plan {
namespace {

using expr::Expr;
using expr::ExprPtr;

class Ends {
 public:
  explicit Ends(PhysicalPlan& plan) : plan_(plan) {}

  void find(PhysicalNode& node) {
    auto* join = std::get_if<Join>(&node.op);
    if (join == nullptr || join->condition == nullptr || join->rows != JoinRows::kPairs || join->keep_left || join->keep_right) return;
    const std::size_t width = plan_.nodes[node.inputs[0]].output.size();
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      const NodeIndex own = node.inputs[side], other = node.inputs[1 - side];
      if (!plan_.nodes[own].changes.append_only() || node.kept_us(side) != 0 || may_be_idle(other)) continue;
      look(*join, join->condition, width, side, own, other);
    }
  }

 private:
  /// Takes what the conjuncts of `e` say of the rows of `side`; the earliest end counts.
  void look(Join& join, const ExprPtr& e, std::size_t width, std::size_t side, NodeIndex own, NodeIndex other) const {
    if (e->kind != Expr::Kind::kCall) return;
    if (e->function->name == "AND") {
      for (const ExprPtr& arg : e->args) look(join, arg, width, side, own, other);
      return;
    }
    const auto counts = [&](std::size_t column) {
      const bool mine = (column >= width) == (side == 1);
      const std::size_t at = column >= width ? column - width : column;
      return mine ? can_be_row_time(plan_.nodes[own].output[at].type) : is_after_watermark(other, at);
    };
    const auto bound = time_bound_of(e, width, counts);
    if (!bound) return;
    // The partner's time, which lies behind the watermark, is at most: left - lower, right + upper.
    const auto after = side == 0 ? bound->lower : bound->upper;
    if (!after) return;
    const Join::End end{.column = side == 0 ? bound->left : bound->right, .after_us = side == 0 ? -*after : *after};
    auto& found = join.ends[side];
    if (!found || (found->column == end.column && found->after_us > end.after_us)) found = end;
  }

  /// Whether every row that is yet to come has a later time in that column than the watermark: it is the end of a window that is given out once, by the watermark.
  bool is_after_watermark(NodeIndex at, std::size_t column) const {
    const PhysicalNode& n = plan_.nodes[at];
    if (const auto* calc = n.as<Calc>()) {
      const Expr* e = calc->projections[column].get();
      while (e->kind == Expr::Kind::kCast && e->args[0]->type.id == e->type.id && e->args[0]->type.precision <= e->type.precision) e = e->args[0].get();
      return e->kind == Expr::Kind::kColumn && can_be_row_time(n.output[column].type) && is_after_watermark(n.inputs.front(), e->column);
    }
    const auto* w = n.as<WindowAggregate>();
    if (w == nullptr || w->emit || w->given || w->phase == AggregatePhase::kLocal) return false;
    const std::size_t first = w->keys.size() + w->calls.size();
    if (column < first || w->window_columns[column - first] == WindowColumn::kStart) return false;
    // Of a time in a zone (and so of processing time) the window's end is a local time, which is not the watermark's.
    const PhysicalNode& rows = w->phase == AggregatePhase::kGlobal ? plan_.nodes[n.inputs.front()] : n;
    return plan_.nodes[rows.inputs.front()].output[w->time_column].type.id == TypeId::kTimestamp;
  }

  /// A partition that comes back from being idle may be behind the watermark of the others.
  bool may_be_idle(NodeIndex at) const {
    const auto* s = plan_.nodes[at].as<Scan>();
    if (s != nullptr && s->row_time && s->row_time->idle_timeout_us > 0) return true;
    return std::ranges::any_of(plan_.nodes[at].inputs, [&](NodeIndex in) { return may_be_idle(in); });
  }

  PhysicalPlan& plan_;
};

}  // namespace

void find_join_ends(PhysicalPlan& plan) {
  Ends ends(plan);
  for (PhysicalNode& node : plan.nodes) ends.find(node);
}

}  // namespace supyo::plan
