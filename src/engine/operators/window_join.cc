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
#include "engine/operators/window_join_rows.h"

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
  WaitingRows waiting;             // not in the state yet: what an epoch ends with, and what is much, goes there
  std::vector<WaitingRows::Row> waited;   // scratch: as `due`
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
    waits_ = std::ranges::none_of(spec_->left_keys, [&](std::size_t c) { return spec_->left[c].type.is_floating(); });
    if (!spec_->condition) return;
    condition_reads_ = expr::columns_read(*spec_->condition);
    std::vector<std::size_t> places(left + right, 0);
    for (std::size_t i = 0; i < condition_reads_.size(); ++i) places[condition_reads_[i]] = i;
    condition_ = expr::remap_columns(spec_->condition, places);
  }

  static Schema pairs_of(const Spec& s) { return joined_schema(s.left, s.right, s.keep_left, s.keep_right); }

  std::string_view name() const override { return "WindowJoin"; }
  state::StateSpec state() const override { return {.tables = {table_spec("left"), table_spec("right")}}; }

  Status process(const BatchPtr& batch, std::size_t input, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    if (!only_inserts(*batch)) return fail(ErrorCode::kUnsupported, "a window join over an updating input is not supported");
    Side& side = sides_[input];
    side.keys.start(*batch);
    const TimeUs combined = ctx.watermark_us();
    const Column& end = *batch->columns[side.end_column];
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
      side.waiting.add(batch, {.fires = fires, .hash = side.keys.hash(row), .batch = batch.get(), .row = row, .null_key = null_key ? 1U : 0U});
    }
    if (!waits_ || side.waiting.too_many()) store_waiting(input, ctx.state().keyed(input));
    return late_.empty() ? ok() : late_.flush(*late_rows_.finish(), ctx);
  }

  Status on_barrier(dataflow::Barrier, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    for (std::size_t s = 0; s < 2; ++s) store_waiting(s, ctx.state().keyed(s));
    return ok();
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    eval_ = eval_context(ctx, spec_->zone);
    const bool stored = ctx.state().keyed(0).next_due() <= w.us || ctx.state().keyed(1).next_due() <= w.us;
    if (!stored) return join_waiting(w.us, out);
    for (std::size_t s = 0; s < 2; ++s) {
      store_waiting(s, ctx.state().keyed(s));
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
  /// Looks a batch's rows up at once.
  void store_waiting(std::size_t s, state::KeyedTable& table) {
    Side& side = sides_[s];
    for (auto rows = side.waiting.rows(); !rows.empty();) {
      const Batch& batch = *rows.front().batch;
      const auto n = static_cast<std::size_t>(std::ranges::find_if(rows, [&](const WaitingRows::Row& r) { return r.batch != &batch; }) - rows.begin());
      keep(s, batch, rows.first(n), table);
      rows = rows.subspan(n);
    }
    side.waiting.clear();
  }
  void keep(std::size_t s, const Batch& batch, std::span<const WaitingRows::Row> rows, state::KeyedTable& table) {
    Side& side = sides_[s];
    const std::size_t n = rows.size();
    side.keys.start(batch);
    for (const WaitingRows::Row& r : rows) side.keys.add(r.row);
    const auto keys = side.keys.views();
    encoded_.clear(), ends_.clear(), hashes_.clear(), times_.clear();
    for (std::size_t i = 0; i < n; ++i) {
      KeyedRow::append(keys[i], side.codec, batch.columns, rows[i].row, encoded_);
      ends_.push_back(encoded_.size());
      hashes_.push_back(rows[i].hash);
      times_.push_back(rows[i].fires);
    }
    views_.resize(n);
    slots_.resize(n);
    inserted_.resize(n);
    for (std::size_t i = 0, from = 0; i < n; from = ends_[i++]) views_[i] = std::string_view(encoded_).substr(from, ends_[i] - from);
    table.find_or_insert(hashes_, views_, times_, slots_, inserted_);
    for (std::size_t i = 0; i < n; ++i) {
      Kept& k = table.as<Kept>(slots_[i]);
      k.null_key = rows[i].null_key;
      if (spec_->origins) {
        auto& origin = table.as<Origin>(slots_[i], sizeof(Kept));
        if (k.count == 0) origin = Origin{};
        if (!batch.origins.empty()) origin.merge(batch.origins[rows[i].row]);
      }
      ++k.count;
    }
  }

  // ---- windows of which no row is in the state

  Status join_waiting(TimeUs watermark_us, dataflow::Collector& out) {
    std::array<std::span<const WaitingRows::Row>, 2> rest;
    for (std::size_t s = 0; s < 2; ++s) {
      sides_[s].waiting.take_due(watermark_us, sides_[s].waited);
      rest[s] = sides_[s].waited;
    }
    while (!rest[0].empty() || !rest[1].empty()) {
      const TimeUs time = std::min(rest[0].empty() ? kTimeMax : rest[0].front().fires, rest[1].empty() ? kTimeMax : rest[1].front().fires);
      for (std::size_t s = 0; s < 2; ++s) {
        const auto n = static_cast<std::size_t>(std::ranges::find_if(rest[s], [&](const WaitingRows::Row& r) { return r.fires != time; }) - rest[s].begin());
        rows_[s] = rest[s].first(n);
        rest[s] = rest[s].subspan(n);
        sides_[s].matched.assign(n, 0);
      }
      SUPYO_TRY(join_rows(out));
    }
    for (Side& side : sides_) side.waiting.forget_unused();
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

  /// One window: rows_.
  Status join_rows(dataflow::Collector& out) {
    Side& left = sides_[0];
    Side& right = sides_[1];
    if (!rows_[0].empty() && !rows_[1].empty()) {
      gather_right();
      by_hash_.build(rows_[1]);
      for (std::uint32_t l = 0; l < rows_[0].size(); ++l) {
        const WaitingRows::Row& row = rows_[0][l];
        if (row.null_key != 0) continue;
        if (!pairs_.empty() && rows_[0][pairs_.front().left].batch != row.batch) SUPYO_TRY(flush_pairs(out));
        for (std::uint32_t r = by_hash_.first(row.hash); r != RowsByHash::kNone; r = by_hash_.next(r)) {
          if (rows_[1][r].hash != row.hash || !same_key(row, rows_[1][r])) continue;
          if (!pairs() && (condition_ == nullptr || left.matched[l] != 0)) {
            left.matched[l] = 1;
            break;
          }
          pairs_.push_back({l, r});
          if (pairs_.size() == Batch::kMaxRows) SUPYO_TRY(flush_pairs(out));
        }
      }
      SUPYO_TRY(flush_pairs(out));
    }
    const bool semi = spec_->rows == Spec::Rows::kSemi;
    for (std::size_t l = 0; l < rows_[0].size() && (left.keep || semi); ++l)
      if ((left.matched[l] != 0) == semi) SUPYO_TRY(emit_alone(0, rows_[0][l], out));
    for (std::size_t r = 0; r < rows_[1].size() && right.keep; ++r)
      if (right.matched[r] == 0) SUPYO_TRY(emit_alone(1, rows_[1][r], out));
    return ok();
  }
  bool same_key(const WaitingRows::Row& l, const WaitingRows::Row& r) const {
    for (std::size_t k = 0; k < spec_->left_keys.size(); ++k)
      if (!same_value(*l.batch->columns[spec_->left_keys[k]], l.row, *r.batch->columns[spec_->right_keys[k]], r.row)) return false;
    return true;
  }
  /// Pairs are taken column by column, so the right side of a window is one batch.
  void gather_right() {
    const auto rows = rows_[1];
    if (std::ranges::all_of(rows, [&](const WaitingRows::Row& r) { return r.batch == rows.front().batch; })) return;
    std::vector<ColumnBuilder> columns;
    for (const Field& f : spec_->right.fields()) columns.emplace_back(f.type, rows.size());
    gathered_ = {};
    gathered_rows_.assign(rows.begin(), rows.end());
    for (std::uint32_t i = 0; i < rows.size(); ++i) {
      const Batch& from = *rows[i].batch;
      for (std::size_t c = 0; c < columns.size(); ++c) columns[c].append_from(*from.columns[c], rows[i].row);
      if (spec_->origins) gathered_.origins.push_back(from.origins.empty() ? Origin{} : from.origins[rows[i].row]);
      gathered_rows_[i].batch = &gathered_;
      gathered_rows_[i].row = i;
    }
    for (ColumnBuilder& c : columns) gathered_.columns.push_back(c.finish());
    gathered_.rows = rows.size();
    rows_[1] = gathered_rows_;
  }

  /// Of pairs_, all of whose left rows are of one batch: what holds of the condition.
  Status flush_pairs(dataflow::Collector& out) {
    if (pairs_.empty()) return ok();
    const std::array<const Batch*, 2> from = {rows_[0][pairs_.front().left].batch, rows_[1].front().batch};
    select_rows();
    const auto column = [&](std::size_t c) {
      const std::size_t s = c < spec_->left.size() ? 0 : 1;
      return supyo::take(*from[s]->columns[c - s * spec_->left.size()], taken_[s]);
    };
    if (condition_ != nullptr) {
      Batch read;
      read.rows = pairs_.size();
      for (const std::size_t c : condition_reads_) read.columns.push_back(column(c));
      SUPYO_TRY(expr::select_true(*condition_, read, eval_, selection_));
      for (std::size_t i = 0; i < selection_.size(); ++i) pairs_[i] = pairs_[selection_[i]];
      pairs_.resize(selection_.size());
      select_rows();
    }
    for (const Pair& p : pairs_) note(p);
    Status sent = ok();
    if (pairs() && !pairs_.empty()) {
      auto batch = std::make_shared<Batch>();
      batch->rows = pairs_.size();
      const Schema schema = pairs_of(*spec_);
      for (std::size_t c = 0; c < schema.size(); ++c) batch->columns.push_back(column(c)->with_type(schema[c].type));
      for (std::size_t i = 0; i < pairs_.size() && spec_->origins; ++i) {
        Origin o = origin(rows_[0][pairs_[i].left]);
        o.merge(origin(rows_[1][pairs_[i].right]));
        batch->origins.push_back(o);
      }
      sent = out.emit(std::move(batch));
    }
    pairs_.clear();
    return sent;
  }
  void select_rows() {
    for (std::vector<std::uint32_t>& t : taken_) t.clear();
    for (const Pair& p : pairs_) taken_[0].push_back(rows_[0][p.left].row), taken_[1].push_back(rows_[1][p.right].row);
  }
  static Origin origin(const WaitingRows::Row& r) {
    Origin o = r.batch->origins.empty() ? Origin{} : r.batch->origins[r.row];
    o.event_max = std::max(o.event_max, r.fires + kWindowGrain);
    return o;
  }
  Status emit_alone(std::size_t s, const WaitingRows::Row& r, dataflow::Collector& out) {
    for (std::size_t c = 0; c < out_columns_[s].size(); ++c) out_columns_[s][c]->append_from(*r.batch->columns[c], r.row);
    for (ColumnBuilder* c : out_columns_[1 - s]) c->append_null();
    if (spec_->origins) out_.end_row(RowKind::kInsert, origin(r));
    else out_.end_row();
    return out_.full() ? out.emit(out_.finish()) : ok();
  }

  // ---- windows with rows in the state

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
  bool waits_ = true;                  // rows may: their keys can be compared as they are
  std::vector<std::size_t> condition_reads_;
  expr::ExprPtr condition_;            // over these alone
  std::array<std::span<const WaitingRows::Row>, 2> rows_;   // of the window that is being joined
  RowsByHash by_hash_;
  Batch gathered_;
  std::vector<WaitingRows::Row> gathered_rows_;
  std::array<std::vector<std::uint32_t>, 2> taken_;   // of pairs_
  std::string encoded_;                // of a batch, one behind the other
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
