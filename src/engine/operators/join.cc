#include "engine/operators/join.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/base/check.h"
#include "engine/operators/ending_rows.h"
#include "engine/operators/eval_context.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/join_schema.h"
#include "engine/operators/keyed_row.h"
#include "engine/operators/row_lists.h"

namespace supyo::operators {
namespace {

using Spec = JoinSpec;
using state::kNoSlot;
using state::Slot;

/// One side's rows. In state: KeyedRow of the join key and the row -> how often the row is there, how many rows of the other side it is joined with (outer
/// and semi joins count that), its origin. In memory beside it: which rows have a join key, as a list in order of arrival (after a restart: in order of the state);
/// and which rows end when. Rows that end are in the batches that they came in, and in the state only when an epoch needs them there, or the batches are small.
class Side {
 public:
  struct Kept {
    std::int32_t count = 0;
    std::int32_t partners = 0;
  };

  Side(const Schema& schema, const std::vector<std::size_t>& keys, bool keep, bool origins, DurationUs ttl_us, std::optional<RowEnds> end)
      : keys_of_batch(schema, keys), keep(keep), schema_(schema), codec_(schema.types()), key_columns_(keys), origins_(origins), ttl_us_(ttl_us), row_ends_(end) {
    SUPYO_CHECK(!row_ends_ || (ttl_us_ == 0 && !keep));
    std::vector<Type> types;
    for (const std::size_t c : keys) types.push_back(schema[c].type);
    if (row_ends_) held_.emplace(*row_ends_, keys, std::move(types));
  }

  GroupKeys keys_of_batch;
  const bool keep;   ///< rows without a partner are part of the result

  state::TableSpec table_spec(std::string name) const {
    return {.kind = state::TableSpec::Kind::kKeyed, .name = std::move(name), .fixed_width = static_cast<std::uint32_t>(sizeof(Kept) + (origins_ ? sizeof(Origin) : 0)), .ttl_us = ttl_us_, .shared_hashes = true};
  }

  /// The end of a call.
  void settle() { rows_.settle(); }

  /// The first time after a start: finds what was restored.
  void attach(state::KeyedTable& table) {
    if (table_ != nullptr) return;
    table_ = &table;
    table.for_each([&](Slot slot) { rows_.add(slot, table.hash(slot), KeyedRow::key(table.key(slot))); });
    if (row_ends_) find_ends();
  }

  bool has_end() const { return row_ends_.has_value(); }
  /// Rows that find no partner from here on go, and nobody is told.
  void end_until(TimeUs watermark_us) {
    held_->end_until(watermark_us);
    for (; !ending_.empty() && ending_.begin()->first <= RowEnds::second_of(watermark_us); ending_.erase(ending_.begin())) {
      for (std::span<const Slot> rest = ending_.begin()->second; !rest.empty();) {
        const auto slots = rest.first(std::min(rest.size(), kErased));
        rest = rest.subspan(slots.size());
        erase(slots);
      }
    }
    relieve();
  }
  /// What is too much to be held goes into the state.
  void relieve() {
    while (held_->crowded()) store_oldest();
    settle();
  }
  /// For an epoch: the state has all rows.
  void store_held() {
    while (!held_->empty()) store_oldest();
    settle();
  }
  /// A batch is held as it came, once keys_of_batch has started with it: its rows with a key, none: all.
  bool holds(const Batch& batch) const { return held_ && batch.rows >= EndingRows::kFewest; }
  void hold(const BatchPtr& batch, std::span<const std::uint32_t> with_key) { held_->add(batch, with_key, keys_of_batch.hashes()); }
  std::vector<EndingRows::Match> held_matches;   ///< of the batch that is being joined, by its row

  /// Rows whose time is over go, and nobody is told: what they were joined with stays joined.
  void expire(TimeUs now_us) {
    table_->expire(now_us, [this](Slot slot) { rows_.remove(slot, table_->hash(slot), KeyedRow::key(table_->key(slot))); });
  }

  bool has_null_key(const Batch& batch, std::size_t row) const {
    return has_null(batch, key_columns_, row);
  }
  bool may_have_null_keys(const Batch& batch) const {
    return std::ranges::any_of(key_columns_, [&](std::size_t c) { return batch.columns[c]->has_nulls() || batch.columns[c]->type().id == TypeId::kNull; });
  }
  /// False: no row has a key with this hash.
  bool may_have(std::uint64_t hash) const { return (held_ && !held_->empty()) || rows_.may_have(hash); }

  /// One more of the row; its slot.
  Slot add(const Batch& batch, std::size_t row, std::uint64_t hash, std::string_view key) {
    KeyedRow::encode(key, codec_, batch.columns, row, encoded_);
    const Slot slot = table_->find_or_insert(hash, encoded_);
    Kept& k = kept(slot);
    if (k.count++ == 0) {
      rows_.add(slot, hash, key);
      if (row_ends_) note_end(slot, batch, row);
      if (origins_) origin(slot) = Origin{};
    }
    if (origins_ && !batch.origins.empty()) origin(slot).merge(batch.origins[row]);
    table_->touch(slot);
    return slot;
  }
  /// Rows that all come, in order; `hashes` and `keys` are theirs, `slots` by number of the row in the batch.
  void add(const Batch& batch, std::span<const std::uint32_t> rows, std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::span<Slot> slots) {
    bytes_.clear();
    ends_.clear();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      KeyedRow::append(keys[i], codec_, batch.columns, rows[i], bytes_);
      ends_.push_back(bytes_.size());
    }
    whole_.clear();
    for (std::size_t i = 0, from = 0; i < rows.size(); from = ends_[i++]) whole_.push_back(std::string_view(bytes_).substr(from, ends_[i] - from));
    found_.resize(rows.size());
    fresh_.resize(rows.size());
    table_->find_or_insert(hashes, whole_, {}, found_, fresh_);
    new_slots_.clear();
    new_hashes_.clear();
    new_keys_.clear();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const Slot slot = slots[rows[i]] = found_[i];
      if (kept(slot).count++ == 0) {
        new_slots_.push_back(slot);
        new_hashes_.push_back(hashes[i]);
        new_keys_.push_back(keys[i]);
        if (row_ends_) note_end(slot, batch, rows[i]);
        if (origins_) origin(slot) = Origin{};
      }
      if (origins_ && !batch.origins.empty()) origin(slot).merge(batch.origins[rows[i]]);
    }
    rows_.add(new_slots_, new_hashes_, new_keys_);
  }
  /// One less; false when there is none.
  bool remove(const Batch& batch, std::size_t row, std::uint64_t hash, std::string_view key) {
    SUPYO_CHECK(!row_ends_);   // inserts only
    KeyedRow::encode(key, codec_, batch.columns, row, encoded_);
    const Slot slot = table_->find(hash, encoded_);
    if (slot == kNoSlot) return false;
    if (--kept(slot).count > 0) {
      table_->touch(slot);
    } else {
      rows_.remove(slot, hash, key);
      table_->erase(slot);
    }
    return true;
  }

  /// Where the rows of each key begin; those that are held are held_matches. Valid until rows of this side come or go.
  void first(std::span<const std::uint32_t> askers, std::span<const std::uint64_t> hashes, std::span<const std::string_view> keys, std::span<Slot> out) {
    held_matches.clear();
    if (held_) held_->find(askers, hashes, keys, held_matches);
    rows_.first(hashes, keys, out);
    for (const Slot s : out)
      if (s != kNoSlot) table_->prefetch_slot(s);
    for (const Slot s : out)
      if (s != kNoSlot) table_->prefetch_record(s);
  }
  bool ends() const { return ttl_us_ != 0; }
  Slot next(Slot slot) const { return rows_.next(slot); }

  Kept& kept(Slot slot) { return table_->as<Kept>(slot); }
  Origin& origin(Slot slot) { return table_->as<Origin>(slot, sizeof(Kept)); }
  void touch(Slot slot) { table_->touch(slot); }
  bool decode(Slot slot, std::span<ColumnBuilder* const> out) const {
    return codec_.decode(KeyedRow::row(table_->key(slot)), out);
  }

 private:
  static constexpr std::size_t kErased = 256;   // at once: so many records wait for their turn in the cache

  void erase(std::span<const Slot> slots) {
    for (const Slot slot : slots) table_->prefetch_slot(slot);
    for (const Slot slot : slots) table_->prefetch_record(slot);
    new_hashes_.clear();
    new_keys_.clear();
    for (const Slot slot : slots) {
      new_hashes_.push_back(table_->hash(slot));
      new_keys_.push_back(KeyedRow::key(table_->key(slot)));
    }
    rows_.remove(slots, new_hashes_, new_keys_);
    table_->erase(slots);
    table_->relax();
  }

  /// The oldest batch that is held: what has not ended goes into the state. Not while a batch is being joined.
  void store_oldest() {
    held_->live_rows_of_front(live_);
    const Batch& batch = held_->front();
    keys_of_batch.start(batch);
    live_hashes_.clear();
    for (const std::uint32_t row : live_) {
      keys_of_batch.add(row);
      live_hashes_.push_back(keys_of_batch.hash(row));
    }
    live_slots_.resize(batch.rows);
    add(batch, live_, live_hashes_, keys_of_batch.views(), live_slots_);
    held_->pop_front();
    table_->relax();
  }

  /// By the second in which it can go for sure.
  void note_end(Slot slot, const Batch& batch, std::size_t row) { ending_[row_ends_->second(batch, row)].push_back(slot); }
  /// Of what was restored.
  void find_ends() {
    BatchBuilder rows(schema_);
    std::vector<ColumnBuilder*> columns = builder_columns(rows, 0, schema_.size());
    std::vector<Slot> slots;
    const auto note = [&] {
      const BatchPtr batch = rows.finish();
      for (std::size_t r = 0; r < slots.size(); ++r) note_end(slots[r], *batch, r);
      slots.clear();
    };
    table_->for_each([&](Slot slot) {
      if (!decode(slot, columns)) return;   // whoever meets it says so
      rows.end_row();
      slots.push_back(slot);
      if (rows.full()) note();
    });
    if (!slots.empty()) note();
  }

  const Schema schema_;
  RowCodec codec_;
  std::vector<std::size_t> key_columns_;
  bool origins_;
  DurationUs ttl_us_;
  std::optional<RowEnds> row_ends_;
  std::optional<EndingRows> held_;
  state::KeyedTable* table_ = nullptr;
  RowLists rows_;               // of each join key
  std::map<std::int64_t, std::vector<Slot>> ending_;   // by second
  std::string encoded_;
  // Scratch of one call.
  std::string bytes_;
  std::vector<std::size_t> ends_;
  std::vector<std::string_view> whole_, new_keys_;
  std::vector<std::uint64_t> new_hashes_;
  std::vector<Slot> found_, new_slots_;
  std::vector<std::uint8_t> fresh_;
  std::vector<std::uint32_t> live_;             // of a batch that goes into the state; the two below are parallel, but for live_slots_
  std::vector<std::uint64_t> live_hashes_;
  std::vector<Slot> live_slots_;
};

class Join final : public dataflow::Operator {
 public:
  explicit Join(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        sides_{Side(spec_->left, spec_->left_keys, spec_->keep_left || !pairs(), spec_->origins, spec_->left_ttl_us, spec_->ends[0]), Side(spec_->right, spec_->right_keys, spec_->keep_right, spec_->origins, spec_->right_ttl_us, spec_->ends[1])},
        out_(output_schema(*spec_)),
        candidates_(pairs_of(*spec_)) {
    const std::size_t left = spec_->left.size(), right = spec_->right.size();
    out_columns_ = {builder_columns(out_, 0, left), builder_columns(out_, left, pairs() ? right : 0)};
    candidate_columns_ = {builder_columns(candidates_, 0, left), builder_columns(candidates_, left, right)};
  }

  static Schema pairs_of(const Spec& s) { return joined_schema(s.left, s.right, s.keep_left, s.keep_right); }

  std::string_view name() const override { return "Join"; }
  state::StateSpec state() const override { return {.tables = {sides_[0].table_spec("left"), sides_[1].table_spec("right")}}; }

  Status process(const BatchPtr& batch, std::size_t input, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    for (std::size_t s = 0; s < 2; ++s) sides_[s].attach(ctx.state().keyed(s));
    for (Side& s : sides_) s.expire(ctx.now_us());
    eval_ = eval_context(ctx, spec_->zone);
    next_held_ = 0;
    if (sides_[input].holds(*batch)) return join_held(batch, input, out);
    GroupKeys& keys = sides_[input].keys_of_batch;
    keys.start_with_all(*batch);
    const auto views = keys.views();
    find_first(*batch, input, keys.hashes(), views);
    const bool inner = pairs() && !spec_->keep_left && !spec_->keep_right;
    for (std::size_t row = 0; row < batch->rows; ++row) {
      const Row r{.batch = *batch, .row = row, .input = input, .hash = keys.hash(row), .key = views[row], .kind = batch->kind(row), .has_key = has_key_[row] != 0};
      SUPYO_TRY(inner ? take_inner(r, out) : take_outer(r, out));
    }
    sides_[input].settle();
    if (inner) return flush_inner(out);
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    for (std::size_t s = 0; s < 2; ++s) {
      if (!sides_[s].has_end()) continue;
      sides_[s].attach(ctx.state().keyed(s));
      sides_[s].end_until(w.us);
    }
    return ok();
  }

  Status on_barrier(dataflow::Barrier, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    for (Side& s : sides_)
      if (s.has_end() && ctx.keeps_changes()) s.store_held();
    return ok();
  }

 private:
  struct Row {
    const Batch& batch;
    std::size_t row = 0, input = 0;
    std::uint64_t hash = 0;
    std::string_view key;
    RowKind kind = RowKind::kInsert;
    bool has_key = true;
    bool retracts() const { return is_retraction(kind); }
  };
  using Columns = std::array<std::vector<ColumnBuilder*>, 2>;
  bool pairs() const { return spec_->rows == Spec::Rows::kPairs; }
  bool semi() const { return spec_->rows == Spec::Rows::kSemi; }

  /// What is looked up for all rows at once: where the other side's partners begin, and, when all rows come, their own places.
  void find_first(const Batch& batch, std::size_t input, std::span<const std::uint64_t> hashes, std::span<const std::string_view> views) {
    Side& own = sides_[input];
    has_key_.resize(batch.rows);
    first_.assign(batch.rows, kNoSlot);
    slots_.assign(batch.rows, kNoSlot);
    rows_.clear();
    row_hashes_.clear();
    row_keys_.clear();
    for (std::uint32_t row = 0; row < batch.rows; ++row) {
      has_key_[row] = own.has_null_key(batch, row) ? 0 : 1;
      if (has_key_[row] == 0) continue;
      rows_.push_back(row);
      row_hashes_.push_back(hashes[row]);
      row_keys_.push_back(views[row]);
    }
    found_.resize(rows_.size());
    sides_[1 - input].first(rows_, row_hashes_, row_keys_, found_);
    for (std::size_t i = 0; i < rows_.size(); ++i) first_[rows_[i]] = found_[i];
    all_come_ = batch.kinds.empty();
    if (all_come_) own.add(batch, rows_, row_hashes_, row_keys_, slots_);
  }

  /// The row goes into the state, or out of it; false when it was never there. One whose time was over is still taken back from what it was joined with.
  bool keep(const Row& r, Slot& slot) {
    Side& own = sides_[r.input];
    if (r.retracts()) return own.remove(r.batch, r.row, r.hash, r.key) || own.ends();
    slot = all_come_ ? slots_[r.row] : own.add(r.batch, r.row, r.hash, r.key);
    return true;
  }

  // ---- inner: the candidates are the result, once the condition has been asked

  Status take_inner(const Row& r, dataflow::Collector& out) {
    Slot mine = kNoSlot;
    if (!r.has_key || !keep(r, mine)) return ok();
    return meet(r, first_[r.row], out);
  }

  /// Rows that are held as they came: only those that may have a partner are looked at one by one.
  Status join_held(const BatchPtr& batch, std::size_t input, dataflow::Collector& out) {
    Side& own = sides_[input];
    Side& other = sides_[1 - input];
    GroupKeys& keys = own.keys_of_batch;
    keys.start(*batch);
    const bool nulls = own.may_have_null_keys(*batch);
    rows_.clear();
    with_key_.clear();
    row_hashes_.clear();
    for (std::uint32_t row = 0; row < batch->rows; ++row) {
      if (nulls && own.has_null_key(*batch, row)) continue;
      if (nulls) with_key_.push_back(row);
      if (!other.may_have(keys.hash(row))) continue;
      rows_.push_back(row);
      row_hashes_.push_back(keys.hash(row));
      keys.add(row);
    }
    if (!nulls || !with_key_.empty()) own.hold(batch, with_key_);
    if (!rows_.empty()) {
      const auto views = keys.views();
      found_.resize(rows_.size());
      other.first(rows_, row_hashes_, views, found_);
      for (std::size_t i = 0; i < rows_.size(); ++i)
        SUPYO_TRY(meet({.batch = *batch, .row = rows_[i], .input = input, .hash = row_hashes_[i], .key = views[i]}, found_[i], out));
      SUPYO_TRY(flush_inner(out));
    }
    own.relieve();
    return ok();
  }

  Status meet(const Row& r, Slot first, dataflow::Collector& out) {
    Side& other = sides_[1 - r.input];
    for (Slot slot = first; slot != kNoSlot; slot = other.next(slot)) {
      for (std::int32_t i = 0; i < other.kept(slot).count; ++i) {
        SUPYO_TRY(append_pair(r, slot, candidate_columns_));
        end_row(candidates_, r, slot, r.kind);
        if (candidates_.full()) SUPYO_TRY(flush_inner(out));
      }
    }
    for (; next_held_ < other.held_matches.size() && other.held_matches[next_held_].asker <= r.row; ++next_held_) {
      if (other.held_matches[next_held_].asker < r.row) continue;   // of a row that was taken back and never there
      append_held_pair(r, other.held_matches[next_held_]);
      if (candidates_.full()) SUPYO_TRY(flush_inner(out));
    }
    return ok();
  }

  void append_held_pair(const Row& r, const EndingRows::Match& m) {
    append_own(r, candidate_columns_);
    for (std::size_t c = 0; c < candidate_columns_[1 - r.input].size(); ++c) candidate_columns_[1 - r.input][c]->append_from(*m.batch->columns[c], m.row);
    if (!spec_->origins) return candidates_.end_row(r.kind);
    Origin o = r.batch.origins.empty() ? Origin{} : r.batch.origins[r.row];
    if (!m.batch->origins.empty()) o.merge(m.batch->origins[m.row]);
    candidates_.end_row(r.kind, o);
  }

  Status flush_inner(dataflow::Collector& out) {
    if (candidates_.rows() == 0) return ok();
    BatchPtr batch = candidates_.finish();
    if (!spec_->condition) return out.emit(std::move(batch));
    SUPYO_TRY(expr::select_true(*spec_->condition, *batch, eval_, selection_));
    if (selection_.empty()) return ok();
    return out.emit(selection_.size() == batch->rows ? std::move(batch) : supyo::take(*batch, selection_));
  }

  // ---- outer: row by row, since each changes what stands alone

  Status take_outer(const Row& r, dataflow::Collector& out) {
    Side& own = sides_[r.input];
    matches_.clear();
    Slot slot = kNoSlot;
    if (r.has_key) {
      if (!keep(r, slot)) return ok();
      SUPYO_TRY(find_matches(r));
    }
    if (matches_.empty()) return own.keep && !semi() ? emit_alone(r, r.retracts() ? RowKind::kDelete : RowKind::kInsert, out) : ok();
    return r.retracts() ? part(r, out) : pair(r, slot, out);
  }

  Status pair(const Row& r, Slot slot, dataflow::Collector& out) {
    Side& own = sides_[r.input];
    Side& other = sides_[1 - r.input];
    std::int32_t partners = 0;
    for (const Slot match : matches_) {
      const std::int32_t count = other.kept(match).count;
      partners += count;
      if (other.keep) {
        if (other.kept(match).partners == 0)
          for (std::int32_t i = 0; i < count; ++i) SUPYO_TRY(emit_other_alone(r, match, semi() ? RowKind::kInsert : RowKind::kDelete, out));
        ++other.kept(match).partners;
        other.touch(match);
      }
      for (std::int32_t i = 0; pairs() && i < count; ++i) SUPYO_TRY(emit_pair(r, match, RowKind::kInsert, out));
    }
    if (own.keep) own.kept(slot).partners = partners;
    return own.keep && semi() ? emit_alone(r, RowKind::kInsert, out) : ok();
  }

  Status part(const Row& r, dataflow::Collector& out) {
    Side& other = sides_[1 - r.input];
    for (const Slot match : matches_) {
      const std::int32_t count = other.kept(match).count;
      for (std::int32_t i = 0; pairs() && i < count; ++i) SUPYO_TRY(emit_pair(r, match, RowKind::kDelete, out));
      if (!other.keep) continue;
      // Where rows end unseen a row may not know of all its partners.
      std::int32_t& partners = other.kept(match).partners;
      if (partners == 0 && other.ends()) continue;
      if (--partners == 0)
        for (std::int32_t i = 0; i < count; ++i) SUPYO_TRY(emit_other_alone(r, match, semi() ? RowKind::kDelete : RowKind::kInsert, out));
      other.touch(match);
    }
    return sides_[r.input].keep && semi() ? emit_alone(r, RowKind::kDelete, out) : ok();
  }

  Status find_matches(const Row& r) {
    Side& other = sides_[1 - r.input];
    for (Slot slot = first_[r.row]; slot != kNoSlot; slot = other.next(slot)) matches_.push_back(slot);
    if (!spec_->condition) return ok();
    std::size_t kept = 0;
    for (std::size_t from = 0; from < matches_.size();) {
      const std::size_t to = std::min(matches_.size(), from + Batch::kMaxRows);
      for (std::size_t i = from; i < to; ++i) {
        SUPYO_TRY(append_pair(r, matches_[i], candidate_columns_));
        candidates_.end_row();
      }
      const BatchPtr batch = candidates_.finish();
      SUPYO_TRY(expr::select_true(*spec_->condition, *batch, eval_, selection_));
      for (const std::uint32_t i : selection_) matches_[kept++] = matches_[from + i];
      from = to;
    }
    matches_.resize(kept);
    return ok();
  }

  Status emit_pair(const Row& r, Slot other, RowKind kind, dataflow::Collector& out) {
    SUPYO_TRY(append_pair(r, other, out_columns_));
    end_row(out_, r, other, kind);
    return flush_full(out);
  }
  Status emit_alone(const Row& r, RowKind kind, dataflow::Collector& out) {
    append_own(r, out_columns_);
    for (ColumnBuilder* c : out_columns_[1 - r.input]) c->append_null();
    end_row(out_, r, kNoSlot, kind);
    return flush_full(out);
  }
  Status emit_other_alone(const Row& r, Slot other, RowKind kind, dataflow::Collector& out) {
    for (ColumnBuilder* c : out_columns_[r.input]) c->append_null();
    if (!sides_[1 - r.input].decode(other, out_columns_[1 - r.input])) return damaged();
    end_row(out_, r, other, kind);
    return flush_full(out);
  }
  Status flush_full(dataflow::Collector& out) { return out_.full() ? out.emit(out_.finish()) : ok(); }

  void append_own(const Row& r, const Columns& to) const {
    for (std::size_t c = 0; c < to[r.input].size(); ++c) to[r.input][c]->append_from(*r.batch.columns[c], r.row);
  }
  Status append_pair(const Row& r, Slot other, const Columns& to) const {
    append_own(r, to);
    return sides_[1 - r.input].decode(other, to[1 - r.input]) ? ok() : damaged();
  }
  static Status damaged() { return fail(ErrorCode::kDamaged, "state of Join: a row does not decode"); }

  void end_row(BatchBuilder& to, const Row& r, Slot other, RowKind kind) {
    if (!spec_->origins) return to.end_row(kind);
    Origin o = r.batch.origins.empty() ? Origin{} : r.batch.origins[r.row];
    if (other != kNoSlot) o.merge(sides_[1 - r.input].origin(other));
    to.end_row(kind, o);
  }

  std::shared_ptr<const Spec> spec_;
  std::array<Side, 2> sides_;
  // Scratch of one call.
  BatchBuilder out_, candidates_;
  Columns out_columns_, candidate_columns_;
  expr::EvalContext eval_;
  std::vector<std::uint32_t> selection_;
  std::vector<Slot> matches_;
  std::vector<std::uint8_t> has_key_;             // by row, as the two below
  std::vector<Slot> first_, slots_;
  bool all_come_ = false;
  std::size_t next_held_ = 0;                     // of the other side's held_matches
  std::vector<std::uint32_t> rows_, with_key_;    // that are looked up; of a batch that is held: all with a key, unless that is all rows. The three below are parallel to rows_
  std::vector<std::uint64_t> row_hashes_;
  std::vector<std::string_view> row_keys_;
  std::vector<Slot> found_;
};

}  // namespace

Schema output_schema(const JoinSpec& spec) { return spec.rows == JoinSpec::Rows::kPairs ? Join::pairs_of(spec) : spec.left; }

dataflow::OperatorFactory make_join(JoinSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<Join>(shared); };
}

}  // namespace supyo::operators
