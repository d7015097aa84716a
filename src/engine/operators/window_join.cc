#include "engine/operators/window_join.h"

#include <algorithm>
#include <array>

#include "data/types/changelog.h"
#include "engine/operators/eval_context.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/join_schema.h"
#include "engine/operators/keyed_row.h"
#include "engine/operators/late_rows.h"
#include "engine/operators/row_lists.h"

namespace supyo::operators {
namespace {

using Spec = WindowJoinSpec;
using state::kNoSlot;
using state::Slot;

struct Kept {
  std::int32_t count = 0;          // of equal rows
  std::uint32_t null_key = 0;      // has no partner
};

/// What both sides need to know of their rows. In state: KeyedRow of the join key and the row -> Kept and its origin, due at the window's end.
struct Side {
  Side(const Schema& schema, const std::vector<std::size_t>& keys, std::size_t start_column, std::size_t end_column, bool keep)
      : codec(schema.types()), keys(schema, keys), start_column(start_column), end_column(end_column), keep(keep) {}
  RowCodec codec;
  GroupKeys keys;
  std::size_t start_column, end_column;
  bool keep;                       // rows without a partner are part of the result
  std::vector<Slot> due;           // scratch: by time, then in order of arrival
  std::size_t from = 0, to = 0;    // the window that is being joined: a part of `due`
  std::vector<std::uint8_t> matched;   // by position in it
};

class WindowJoin final : public dataflow::Operator {
 public:
  explicit WindowJoin(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        sides_{Side(spec_->left, spec_->left_keys, spec_->left_start, spec_->left_end, spec_->keep_left || spec_->rows == Spec::Rows::kAnti),
               Side(spec_->right, spec_->right_keys, spec_->right_start, spec_->right_end, spec_->keep_right)},
        zone_(spec_->local_zone ? spec_->zone : Zone()),
        late_(spec_->label),
        out_(output_schema(*spec_)),
        candidates_(pairs_of(*spec_)),
        late_rows_(late_columns(pairs_of(*spec_))) {
    const std::size_t left = spec_->left.size(), right = spec_->right.size();
    out_columns_ = {builder_columns(out_, 0, left), builder_columns(out_, left, pairs() ? right : 0)};
    candidate_columns_ = {builder_columns(candidates_, 0, left), builder_columns(candidates_, left, right)};
    late_columns_ = {builder_columns(late_rows_, 0, left), builder_columns(late_rows_, left, right)};
  }

  static Schema pairs_of(const Spec& s) { return joined_schema(s.left, s.right, s.keep_left, s.keep_right); }

  std::string_view name() const override { return "WindowJoin"; }
  state::StateSpec state() const override { return {.tables = {table_spec("left"), table_spec("right")}}; }

  Status process(const BatchPtr& batch, std::size_t input, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    if (!only_inserts(*batch)) return fail(ErrorCode::kUnsupported, "a window join over an updating input is not supported");
    Side& side = sides_[input];
    state::KeyedTable& table = ctx.state().keyed(input);
    side.keys.start_with_all(*batch);
    const auto views = side.keys.views();
    const TimeUs combined = ctx.watermark_us();
    const Column& end = *batch->columns[side.end_column];
    encoded_.clear(), ends_.clear(), taken_.clear(), hashes_.clear(), times_.clear();
    for (std::uint32_t row = 0; row < batch->rows; ++row) {
      const TimeUs edge = edge_watermark(*batch, row, combined);
      if (end.is_null(row)) [[unlikely]] {
        add_late(*batch, input, {.row = row, .watermark_us = edge, .reason = LateRows::Reason::kNullTime});
        continue;
      }
      const TimeUs fires = zone_.passed(end.value<std::int64_t>(row) - kWindowGrain);
      if (edge >= fires || combined >= fires) [[unlikely]] {
        const Column& start = *batch->columns[side.start_column];
        add_late(*batch, input, {.row = row, .watermark_us = edge, .time_us = fires, .window_start_us = start.is_null(row) ? kTimeMin : start.value<std::int64_t>(row),
                                 .window_end_us = end.value<std::int64_t>(row), .reason = edge >= fires ? LateRows::Reason::kLate : LateRows::Reason::kIdleReturn});
        continue;
      }
      const bool null_key = has_null(*batch, side.keys.columns(), row);
      if (null_key && !side.keep) continue;
      KeyedRow::append(views[row], side.codec, batch->columns, row, encoded_);
      ends_.push_back(encoded_.size());
      taken_.push_back({.row = row, .null_key = null_key ? 1U : 0U});
      hashes_.push_back(side.keys.hash(row));
      times_.push_back(fires);
    }
    keep(*batch, table);
    return late_.empty() ? ok() : late_.flush(*late_rows_.finish(), ctx);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    eval_ = eval_context(ctx, spec_->zone);
    for (std::size_t s = 0; s < 2; ++s) {
      tables_[s] = &ctx.state().keyed(s);
      sides_[s].due.clear();
      sides_[s].from = sides_[s].to = 0;
      tables_[s]->due(w.us, sides_[s].due);
    }
    while (sides_[0].from < sides_[0].due.size() || sides_[1].from < sides_[1].due.size()) {
      const TimeUs time = std::min(next_time(0), next_time(1));
      for (std::size_t s = 0; s < 2; ++s) {
        Side& side = sides_[s];
        while (side.to < side.due.size() && tables_[s]->time(side.due[side.to]) == time) ++side.to;
        side.matched.assign(side.to - side.from, 0);
      }
      SUPYO_TRY(join_window(out));
      for (std::size_t s = 0; s < 2; ++s) {
        for (; sides_[s].from < sides_[s].to; ++sides_[s].from) tables_[s]->erase(sides_[s].due[sides_[s].from]);
      }
    }
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

 private:
  struct Pair {
    std::uint32_t left = 0, right = 0;  // positions
  };
  using Columns = std::array<std::vector<ColumnBuilder*>, 2>;

  state::TableSpec table_spec(std::string name) const {
    return {.kind = state::TableSpec::Kind::kKeyed, .name = std::move(name), .fixed_width = static_cast<std::uint32_t>(sizeof(Kept) + (spec_->origins ? sizeof(Origin) : 0)),
            .timed = true, .shared_hashes = true};
  }
  /// The rows of taken_, looked up at once.
  void keep(const Batch& batch, state::KeyedTable& table) {
    const std::size_t n = taken_.size();
    views_.resize(n);
    slots_.resize(n);
    inserted_.resize(n);
    for (std::size_t i = 0, from = 0; i < n; from = ends_[i++]) views_[i] = std::string_view(encoded_).substr(from, ends_[i] - from);
    table.find_or_insert(hashes_, views_, times_, slots_, inserted_);
    for (std::size_t i = 0; i < n; ++i) {
      Kept& k = table.as<Kept>(slots_[i]);
      k.null_key = taken_[i].null_key;
      if (spec_->origins) {
        auto& origin = table.as<Origin>(slots_[i], sizeof(Kept));
        if (k.count == 0) origin = Origin{};
        if (!batch.origins.empty()) origin.merge(batch.origins[taken_[i].row]);
      }
      ++k.count;
    }
  }
  bool pairs() const { return spec_->rows == Spec::Rows::kPairs; }
  TimeUs next_time(std::size_t s) const { return sides_[s].from < sides_[s].due.size() ? tables_[s]->time(sides_[s].due[sides_[s].from]) : kTimeMax; }
  Slot slot(std::size_t s, std::uint32_t position) const { return sides_[s].due[sides_[s].from + position]; }
  const Kept& kept(std::size_t s, std::uint32_t position) const { return tables_[s]->as<Kept>(slot(s, position)); }

  Status join_window(dataflow::Collector& out) {
    Side& left = sides_[0];
    Side& right = sides_[1];
    const auto lefts = static_cast<std::uint32_t>(left.to - left.from), rights = static_cast<std::uint32_t>(right.to - right.from);
    if (lefts > 0 && rights > 0) {
      each_right_with_key(rights, [&](Slot r, std::uint64_t hash, std::string_view key) { right_rows_.add(r, hash, key); });
      for (std::uint32_t l = 0; l < lefts; ++l) {
        if (kept(0, l).null_key != 0) continue;
        for (Slot r = right_rows_.first(tables_[0]->hash(slot(0, l)), KeyedRow::key(tables_[0]->key(slot(0, l)))); r != kNoSlot; r = right_rows_.next(r)) SUPYO_TRY(candidate({l, r}, out));
      }
      SUPYO_TRY(flush_candidates(out));
      each_right_with_key(rights, [&](Slot r, std::uint64_t hash, std::string_view key) { right_rows_.remove(r, hash, key); });
      right_rows_.settle();
    }
    const bool semi = spec_->rows == Spec::Rows::kSemi;
    for (std::uint32_t l = 0; l < lefts && (left.keep || semi); ++l)
      if ((left.matched[l] != 0) == semi) SUPYO_TRY(emit_alone(0, l, out));
    if (!right.keep) return ok();
    for (std::uint32_t r = 0; r < rights; ++r)
      if (right.matched[r] == 0) SUPYO_TRY(emit_alone(1, r, out));
    return ok();
  }

  template <class Do>
  void each_right_with_key(std::uint32_t rights, const Do& act) {
    for (std::uint32_t r = 0; r < rights; ++r)
      if (kept(1, r).null_key == 0) act(r, tables_[1]->hash(slot(1, r)), KeyedRow::key(tables_[1]->key(slot(1, r))));
  }

  /// Once for each of the equal rows that it stands for; a semi or anti join only asks whether there is one.
  Status candidate(const Pair& p, dataflow::Collector& out) {
    if (!pairs() && (spec_->condition == nullptr || sides_[0].matched[p.left] != 0)) {
      sides_[0].matched[p.left] = 1;
      return ok();
    }
    const std::int64_t copies = pairs() ? std::int64_t{kept(0, p.left).count} * kept(1, p.right).count : 1;
    for (std::int64_t i = 0; i < copies; ++i) {
      if (!sides_[0].codec.decode(KeyedRow::row(tables_[0]->key(slot(0, p.left))), candidate_columns_[0])) return damaged();
      if (!sides_[1].codec.decode(KeyedRow::row(tables_[1]->key(slot(1, p.right))), candidate_columns_[1])) return damaged();
      if (spec_->origins) {
        Origin o = origin(0, p.left);
        o.merge(origin(1, p.right));
        candidates_.end_row(RowKind::kInsert, o);
      } else {
        candidates_.end_row();
      }
      pairs_.push_back(p);
      if (candidates_.full()) SUPYO_TRY(flush_candidates(out));
    }
    return ok();
  }

  /// What holds of the condition; the pairs of a semi or anti join are not part of the result.
  Status flush_candidates(dataflow::Collector& out) {
    if (candidates_.rows() == 0) return ok();
    BatchPtr batch = candidates_.finish();
    if (spec_->condition) {
      SUPYO_TRY(expr::select_true(*spec_->condition, *batch, eval_, selection_));
      for (const std::uint32_t i : selection_) note(pairs_[i]);
    } else {
      for (const Pair& p : pairs_) note(p);
    }
    pairs_.clear();
    if (!pairs() || (spec_->condition && selection_.empty())) return ok();
    return out.emit(!spec_->condition || selection_.size() == batch->rows ? std::move(batch) : supyo::take(*batch, selection_));
  }
  void note(const Pair& p) { sides_[0].matched[p.left] = sides_[1].matched[p.right] = 1; }

  Status emit_alone(std::size_t s, std::uint32_t position, dataflow::Collector& out) {
    for (std::int32_t i = 0; i < kept(s, position).count; ++i) {
      if (!sides_[s].codec.decode(KeyedRow::row(tables_[s]->key(slot(s, position))), out_columns_[s])) return damaged();
      for (ColumnBuilder* c : out_columns_[1 - s]) c->append_null();
      if (spec_->origins) out_.end_row(RowKind::kInsert, origin(s, position));
      else out_.end_row();
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
    }
    return ok();
  }

  /// A result is complete no earlier than its window's end.
  Origin origin(std::size_t s, std::uint32_t position) const {
    Origin o = tables_[s]->as<Origin>(slot(s, position), sizeof(Kept));
    o.event_max = std::max(o.event_max, tables_[s]->time(slot(s, position)) + kWindowGrain);
    return o;
  }
  static Status damaged() { return fail(ErrorCode::kDamaged, "state of WindowJoin: a row does not decode"); }

  void add_late(const Batch& batch, std::size_t input, LateRows::Entry entry) {
    const std::uint32_t row = std::exchange(entry.row, static_cast<std::uint32_t>(late_rows_.rows()));
    for (std::size_t c = 0; c < late_columns_[input].size(); ++c) late_columns_[input][c]->append_from(*batch.columns[c], row);
    for (ColumnBuilder* c : late_columns_[1 - input]) c->append_null();
    if (spec_->origins) late_rows_.end_row(RowKind::kInsert, batch.origins.empty() ? Origin{} : batch.origins[row]);
    else late_rows_.end_row();
    late_.add(entry);
  }

  std::shared_ptr<const Spec> spec_;
  std::array<Side, 2> sides_;
  Zone zone_;
  // Scratch of one call.
  LateRows late_;
  RowLists right_rows_;                // of the window that is being joined, by their number in it
  BatchBuilder out_, candidates_, late_rows_;
  Columns out_columns_, candidate_columns_, late_columns_;
  std::array<state::KeyedTable*, 2> tables_{};
  expr::EvalContext eval_;
  std::vector<std::uint32_t> selection_;
  std::vector<Pair> pairs_;            // one per row of candidates_
  struct Taken {
    std::uint32_t row = 0;
    std::uint32_t null_key = 0;
  };
  std::vector<Taken> taken_;           // of a batch, with what follows
  std::string encoded_;                // one behind the other
  std::vector<std::size_t> ends_;
  std::vector<std::uint64_t> hashes_;
  std::vector<TimeUs> times_;
  std::vector<std::string_view> views_;
  std::vector<Slot> slots_;
  std::vector<std::uint8_t> inserted_;
};

}  // namespace

Schema output_schema(const WindowJoinSpec& spec) { return spec.rows == WindowJoinSpec::Rows::kPairs ? WindowJoin::pairs_of(spec) : spec.left; }

dataflow::OperatorFactory make_window_join(WindowJoinSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<WindowJoin>(shared); };
}

}  // namespace supyo::operators
