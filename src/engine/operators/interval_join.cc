#include "engine/operators/interval_join.h"

#include <algorithm>
#include <array>

#include "engine/operators/eval_context.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/join_schema.h"
#include "engine/operators/keyed_row.h"
#include "engine/operators/late_rows.h"
#include "engine/operators/row_lists.h"

namespace supyo::operators {
namespace {

using Spec = IntervalJoinSpec;
using state::kNoSlot;
using state::Slot;

/// One side's rows. In state: KeyedRow of the join key and the row -> Kept and its origin, due when the row can meet nothing any more. In memory beside it: the
/// rows of a join key as a list by time (ties: in order of arrival; after a restart: in order of the state).
class TimedSide {
 public:
  struct Kept {
    TimeUs time = 0;
    TimeUs edge = kTimeMin;     ///< the watermark that it met; matters for rows behind it
    std::int32_t count = 0;     ///< of equal rows
    std::uint32_t matched = 0;
  };

  TimedSide(const Schema& schema, const std::vector<std::size_t>& keys, std::size_t time_column, DurationUs after, DurationUs grain, bool keep, bool origins)
      : keys_of_batch(schema, keys), time_column(time_column), after(after), keep(keep), codec_(schema.types()), key_columns_(keys), origins_(origins), grain_(keep ? 1 : grain) {}

  GroupKeys keys_of_batch;
  const std::size_t time_column;
  const DurationUs after;   ///< a row at t meets rows up to t + after
  const bool keep;          ///< rows without a partner are part of the result

  state::TableSpec table_spec(std::string name) const {
    return {.kind = state::TableSpec::Kind::kKeyed, .name = std::move(name), .fixed_width = static_cast<std::uint32_t>(sizeof(Kept) + (origins_ ? sizeof(Origin) : 0)),
            .timed = true, .shared_hashes = true};
  }

  /// The first time after a start: finds what was restored.
  void attach(state::KeyedTable& table) {
    if (table_ != nullptr) return;
    table_ = &table;
    std::vector<std::pair<TimeUs, Slot>> slots;
    table.for_each([&](Slot slot) { slots.emplace_back(kept(slot).time, slot); });
    std::ranges::sort(slots);
    for (const auto& [time, slot] : slots) {
      link(slot);
      table.relax();
    }
    settle();
  }
  /// The end of a call.
  void settle() { rows_.settle(); }

  bool has_null_key(const Batch& batch, std::size_t row) const {
    return has_null(batch, key_columns_, row);
  }

  /// Keeps the row; its slot.
  Slot add(const Batch& batch, std::size_t row, std::uint64_t hash, std::string_view key, TimeUs time, TimeUs edge) {
    if (edge >= time) [[unlikely]] {   // behind its watermark: apart from equal rows that met another one
      late_key_.assign(key);
      late_key_.append(reinterpret_cast<const char*>(&edge), sizeof edge);
      key = late_key_;
    }
    KeyedRow::encode(key, codec_, batch.columns, row, encoded_);
    const Slot slot = table_->find_or_insert(hash, encoded_, due(time));
    Kept& k = kept(slot);
    if (k.count++ == 0) {
      k.time = time;
      k.edge = edge;
      link(slot);
      if (origins_) origin(slot) = Origin{};
    }
    if (origins_ && !batch.origins.empty()) origin(slot).merge(batch.origins[row]);
    table_->touch(slot);
    return slot;
  }

  /// Appends the key's rows with times in [from, to] to `out`, by time.
  void find(std::uint64_t hash, std::string_view key, TimeUs from, TimeUs to, std::vector<Slot>& out) {
    const Slot head = rows_.first(hash, key);
    if (head == kNoSlot) return;
    if (kept(head).time >= from) {
      for (Slot slot = head; slot != kNoSlot && kept(slot).time <= to; slot = rows_.next(slot)) out.push_back(slot);
      return;
    }
    const std::size_t first = out.size();
    for (Slot slot = rows_.last(hash, key); slot != kNoSlot && kept(slot).time >= from; slot = rows_.before(slot))
      if (kept(slot).time <= to) out.push_back(slot);
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
  }

  void match(Slot slot) {
    if (std::exchange(kept(slot).matched, 1) == 0) table_->touch(slot);
  }
  void drop(Slot slot) {
    rows_.remove(slot, table_->hash(slot), key_of(slot));
    table_->erase(slot);
  }

  Kept& kept(Slot slot) { return table_->as<Kept>(slot); }
  Origin& origin(Slot slot) { return table_->as<Origin>(slot, sizeof(Kept)); }
  bool decode(Slot slot, std::span<ColumnBuilder* const> out) const { return codec_.decode(KeyedRow::row(table_->key(slot)), out); }

 private:
  /// Rows that only wait to be forgotten go some at a time: an entry of the table's time index costs as much as a row. Those that may stand alone go at once.
  TimeUs due(TimeUs time) const {
    const TimeUs exact = time + after;
    const DurationUs beyond = (exact % grain_ + grain_) % grain_;
    return beyond == 0 ? exact : exact + grain_ - beyond;
  }

  std::string_view key_of(Slot slot) {
    std::string_view key = KeyedRow::key(table_->key(slot));
    if (kept(slot).edge >= kept(slot).time) key.remove_suffix(sizeof(TimeUs));
    return key;
  }

  /// Rows come nearly in order of time.
  void link(Slot slot) {
    const TimeUs time = kept(slot).time;
    rows_.add(slot, table_->hash(slot), key_of(slot), [&](Slot other) { return kept(other).time > time; });
  }

  RowCodec codec_;
  std::vector<std::size_t> key_columns_;
  bool origins_;
  DurationUs grain_;
  state::KeyedTable* table_ = nullptr;
  RowLists rows_;                  // of each join key, by time
  std::string encoded_, late_key_;
};

class IntervalJoin final : public dataflow::Operator {
 public:
  explicit IntervalJoin(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        sides_{TimedSide(spec_->left, spec_->left_keys, spec_->left_time, -spec_->lower_us, grain_of(*spec_), spec_->keep_left, spec_->origins),
               TimedSide(spec_->right, spec_->right_keys, spec_->right_time, spec_->upper_us, grain_of(*spec_), spec_->keep_right, spec_->origins)},
        late_(spec_->label),
        out_(output_schema(*spec_)),
        candidates_(output_schema(*spec_)),
        late_rows_(late_columns(output_schema(*spec_))) {
    const std::size_t left = spec_->left.size(), right = spec_->right.size();
    out_columns_ = {builder_columns(out_, 0, left), builder_columns(out_, left, right)};
    candidate_columns_ = {builder_columns(candidates_, 0, left), builder_columns(candidates_, left, right)};
    late_columns_ = {builder_columns(late_rows_, 0, left), builder_columns(late_rows_, left, right)};
  }

  static DurationUs grain_of(const Spec& s) { return std::max<DurationUs>(kMillisecond, (s.upper_us - s.lower_us) / 64); }

  std::string_view name() const override { return "IntervalJoin"; }
  state::StateSpec state() const override { return {.tables = {sides_[0].table_spec("left"), sides_[1].table_spec("right")}}; }

  TimeUs output_watermark(TimeUs w) const override {
    if (w == kTimeMax || w == kTimeMin) return w;
    return w - std::max({sides_[0].after, sides_[1].after, DurationUs{0}});
  }

  Status process(const BatchPtr& batch, std::size_t input, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    attach(ctx);
    if (!only_inserts(*batch)) return fail(ErrorCode::kUnsupported, "an interval join over an updating input is not supported");
    eval_ = eval_context(ctx, spec_->zone);
    GroupKeys& keys = sides_[input].keys_of_batch;
    keys.start_with_all(*batch);
    const auto views = keys.views();
    matched_.assign(batch->rows, 0);
    alone_.clear();
    for (std::uint32_t row = 0; row < batch->rows; ++row) SUPYO_TRY(take({*batch, row, input, keys.hash(row), views[row]}, ctx, out));
    SUPYO_TRY(flush_candidates(input, out));
    for (const std::uint32_t row : alone_)
      if (matched_[row] == 0) SUPYO_TRY(emit_alone(*batch, row, input, out));
    sides_[input].settle();
    if (out_.rows() > 0) SUPYO_TRY(out.emit(out_.finish()));
    return flush_late(ctx);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    attach(ctx);
    for (std::size_t s = 0; s < 2; ++s) {
      due_.clear();
      ctx.state().keyed(s).due(w.us, due_);
      for (const Slot slot : due_) {
        if (sides_[s].keep && sides_[s].kept(slot).matched == 0) SUPYO_TRY(emit_kept_alone(slot, s, out));
        sides_[s].drop(slot);
      }
      sides_[s].settle();
    }
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

 private:
  struct Row {
    const Batch& batch;
    std::uint32_t row = 0;
    std::size_t input = 0;
    std::uint64_t hash = 0;
    std::string_view key;
  };
  struct Pair {
    std::uint32_t row = 0;
    Slot own = kNoSlot, other = kNoSlot;
  };
  using Columns = std::array<std::vector<ColumnBuilder*>, 2>;

  void attach(dataflow::OperatorContext& ctx) {
    for (std::size_t s = 0; s < 2; ++s) sides_[s].attach(ctx.state().keyed(s));
  }

  Status take(const Row& r, dataflow::OperatorContext& ctx, dataflow::Collector& out) {
    TimedSide& own = sides_[r.input];
    TimedSide& other = sides_[1 - r.input];
    const Column& time = *r.batch.columns[own.time_column];
    const TimeUs combined = ctx.watermark_us();
    const TimeUs edge = edge_watermark(r.batch, r.row, combined);
    if (time.is_null(r.row)) [[unlikely]] {
      if (own.keep) alone_.push_back(r.row);
      else add_late(r, {.row = 0, .watermark_us = edge, .reason = LateRows::Reason::kNullTime});
      return ok();
    }
    if (own.has_null_key(r.batch, r.row)) {
      if (own.keep) alone_.push_back(r.row);
      return ok();
    }
    const TimeUs t = time.value<std::int64_t>(r.row);
    const TimeUs over = t + std::max<DurationUs>(0, own.after + other.after);   // what it can meet is kept until then
    if (!own.keep && (edge >= over || combined >= over)) [[unlikely]] {
      add_late(r, {.row = 0, .watermark_us = edge, .time_us = t, .reason = edge >= over ? LateRows::Reason::kLate : LateRows::Reason::kIdleReturn});
      return ok();
    }
    Pair pair{.row = r.row};
    if (combined < t + own.after) pair.own = own.add(r.batch, r.row, r.hash, r.key, t, edge);
    else if (own.keep) alone_.push_back(r.row);
    matches_.clear();
    other.find(r.hash, r.key, t - other.after, t + own.after, matches_);
    for (const Slot match : matches_) {
      const TimedSide::Kept& k = other.kept(match);
      if (edge >= k.time + other.after || k.edge >= t + own.after) continue;
      pair.other = match;
      for (std::int32_t i = 0; i < k.count; ++i) {
        append_own(r.batch, r.row, r.input, candidate_columns_);
        if (!other.decode(match, candidate_columns_[1 - r.input])) return damaged();
        end_row(candidates_, r.batch, r.row, spec_->origins ? &other.origin(match) : nullptr);
        pairs_.push_back(pair);
        if (candidates_.full()) SUPYO_TRY(flush_candidates(r.input, out));
      }
    }
    return ok();
  }

  Status flush_candidates(std::size_t input, dataflow::Collector& out) {
    if (candidates_.rows() == 0) return ok();
    BatchPtr batch = candidates_.finish();
    if (spec_->condition) {
      SUPYO_TRY(expr::select_true(*spec_->condition, *batch, eval_, selection_));
      for (const std::uint32_t i : selection_) note(pairs_[i], input);
      pairs_.clear();
      if (selection_.empty()) return ok();
      return out.emit(selection_.size() == batch->rows ? std::move(batch) : supyo::take(*batch, selection_));
    }
    for (const Pair& p : pairs_) note(p, input);
    pairs_.clear();
    return out.emit(std::move(batch));
  }
  void note(const Pair& p, std::size_t input) {
    matched_[p.row] = 1;
    if (sides_[input].keep && p.own != kNoSlot) sides_[input].match(p.own);
    if (sides_[1 - input].keep) sides_[1 - input].match(p.other);
  }

  Status emit_alone(const Batch& batch, std::size_t row, std::size_t input, dataflow::Collector& out) {
    append_own(batch, row, input, out_columns_);
    for (ColumnBuilder* c : out_columns_[1 - input]) c->append_null();
    end_row(out_, batch, row, nullptr);
    return out_.full() ? out.emit(out_.finish()) : ok();
  }
  Status emit_kept_alone(Slot slot, std::size_t side, dataflow::Collector& out) {
    const TimedSide::Kept k = sides_[side].kept(slot);
    for (std::int32_t i = 0; i < k.count; ++i) {
      if (!sides_[side].decode(slot, out_columns_[side])) return damaged();
      for (ColumnBuilder* c : out_columns_[1 - side]) c->append_null();
      if (spec_->origins) {
        // That it has no partner is known no earlier than when none can come.
        Origin o = sides_[side].origin(slot);
        o.event_max = std::max(o.event_max, k.time + sides_[side].after);
        out_.end_row(RowKind::kInsert, o);
      } else {
        out_.end_row();
      }
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
    }
    return ok();
  }

  void add_late(const Row& r, LateRows::Entry entry) {
    entry.row = static_cast<std::uint32_t>(late_rows_.rows());
    append_own(r.batch, r.row, r.input, late_columns_);
    for (ColumnBuilder* c : late_columns_[1 - r.input]) c->append_null();
    end_row(late_rows_, r.batch, r.row, nullptr);
    late_.add(entry);
  }
  Status flush_late(dataflow::OperatorContext& ctx) {
    if (late_.empty()) return ok();
    return late_.flush(*late_rows_.finish(), ctx);
  }

  static void append_own(const Batch& batch, std::size_t row, std::size_t input, const Columns& to) {
    for (std::size_t c = 0; c < to[input].size(); ++c) to[input][c]->append_from(*batch.columns[c], row);
  }
  static Status damaged() { return fail(ErrorCode::kDamaged, "state of IntervalJoin: a row does not decode"); }

  void end_row(BatchBuilder& to, const Batch& batch, std::size_t row, const Origin* other) {
    if (!spec_->origins) return to.end_row();
    Origin o = batch.origins.empty() ? Origin{} : batch.origins[row];
    if (other != nullptr) o.merge(*other);
    to.end_row(RowKind::kInsert, o);
  }

  std::shared_ptr<const Spec> spec_;
  std::array<TimedSide, 2> sides_;
  // Scratch of one call.
  LateRows late_;
  BatchBuilder out_, candidates_, late_rows_;
  Columns out_columns_, candidate_columns_, late_columns_;
  expr::EvalContext eval_;
  std::vector<std::uint32_t> selection_;
  std::vector<Slot> matches_, due_;
  std::vector<Pair> pairs_;              // one per row of candidates_
  std::vector<std::uint8_t> matched_;    // by row of the batch
  std::vector<std::uint32_t> alone_;     // rows of the batch that are not kept: part of the result if nothing matches
};

}  // namespace

Schema output_schema(const IntervalJoinSpec& spec) { return joined_schema(spec.left, spec.right, spec.keep_left, spec.keep_right); }

dataflow::OperatorFactory make_interval_join(IntervalJoinSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<IntervalJoin>(shared); };
}

}  // namespace supyo::operators
