#include "engine/operators/session_aggregate.h"

#include <algorithm>

#include "core/base/bytes.h"
#include "engine/operators/accumulators.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/late_rows.h"
#include "engine/operators/recent_slots.h"
#include "engine/operators/session_timers.h"

namespace supyo::operators {
namespace {

using state::kNoSlot;
using state::Slot;

struct Spec : WindowAggregateSpec {
  bool rows = false;   ///< a session gives out its rows, not its aggregates
};

/// Twelve bytes behind the accumulators, so that a session of a BIGINT with its count is a record of 32: whole milliseconds, 49 bits of start, 46 of length, and one bit.
struct Span {
  TimeUs start = 0;
  TimeUs end = 0;
  bool several = false;   // of session 0: its key has others
};
constexpr std::uint32_t kSpanBytes = 12;
constexpr std::int64_t kStarts = std::int64_t{1} << 48, kLengths = std::int64_t{1} << 46;   // milliseconds

bool fits(const Span& s) {
  const std::int64_t start = floor_divide(s.start, kWindowGrain);
  return start >= -kStarts && start < kStarts && (s.end - s.start) / kWindowGrain < kLengths;
}

void write_span(const Span& s, std::byte* at) {
  const auto start = static_cast<std::uint64_t>(s.start / kWindowGrain + kStarts), length = static_cast<std::uint64_t>((s.end - s.start) / kWindowGrain);
  const std::uint64_t first = start << 15 | length >> 31;
  const std::uint32_t second = static_cast<std::uint32_t>(length & 0x7fffffffU) | (s.several ? 0x80000000U : 0U);
  std::memcpy(at, &first, sizeof first);
  std::memcpy(at + sizeof first, &second, sizeof second);
}

Span read_span(const std::byte* at) {
  std::uint64_t first = 0;
  std::uint32_t second = 0;
  std::memcpy(&first, at, sizeof first);
  std::memcpy(&second, at + sizeof first, sizeof second);
  const TimeUs start = (static_cast<std::int64_t>(first >> 15) - kStarts) * kWindowGrain;
  const std::uint64_t length = (first & 0x7fffU) << 31 | (second & 0x7fffffffU);
  return {.start = start, .end = start + static_cast<std::int64_t>(length) * kWindowGrain, .several = (second & 0x80000000U) != 0};
}

/// Rows that began as one session are numbered under the time of its first row: no two open sessions of a key have that in common. The blob has what joined it.
struct Kept {
  TimeUs id = 0;
  std::uint64_t count = 0;
};

/// Before the accumulators: the rows, less those taken back (of input that takes rows back only); then Kept, where rows are given out, or the session's origin, when a judge listens.
std::uint32_t count_bytes(const Spec& s) { return s.retracting ? static_cast<std::uint32_t>(sizeof(std::int64_t)) : 0; }
std::uint32_t header_bytes(const Spec& s) { return count_bytes(s) + static_cast<std::uint32_t>(s.rows ? sizeof(Kept) : s.origins ? sizeof(Origin) : 0); }

/// What an older version kept: this, then Kept or the origin, then the accumulators.
struct OldHeader {
  TimeUs start = 0;
  TimeUs end = 0;
  std::int64_t rows = 0;
  std::int64_t sessions = 0;   // of the key; only in its session 0
};

Schema schema_of(const Spec& s) {
  if (s.rows) return output_schema(WindowAssignSpec{.input = s.input, .window = s.window, .time_column = s.time_column});
  return output_schema(static_cast<const WindowAggregateSpec&>(s));
}

std::vector<Type> key_types(const Spec& s) {
  std::vector<Type> out;
  for (const std::size_t k : s.keys) out.push_back(s.input[k].type);
  return out;
}

/// In state: (number, key) -> header, accumulators, Span; and, where rows are given out, (key, Kept::id, number) -> [origin] RowCodec bytes. The first table has what an older version kept, until the job goes on.
/// The sessions of a key are numbered from 0 without holes; nearly always there is one. A session's timer is at most the time at which it fires: it is looked at again
/// when it is due, so that a row that prolongs a session need not move it.
class SessionAggregate final : public dataflow::Operator {
 public:
  explicit SessionAggregate(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        zone_(spec_->input[spec_->time_column].type.id == TypeId::kTimestampLtz ? spec_->zone : Zone()),
        keys_(spec_->input, spec_->keys),
        key_codec_(key_types(*spec_)),
        row_codec_(spec_->input.types()),
        accumulators_(spec_->aggregates, header_bytes(*spec_)),
        timers_(spec_->window.gap_us),
        late_(spec_->label),
        out_(schema_of(*spec_)),
        targets_(builder_columns(out_, 0, schema_of(*spec_).size())) {}

  std::string_view name() const override { return spec_->rows ? "WindowTableFunction" : "WindowAggregate"; }
  state::StateSpec state() const override {
    using Kind = state::TableSpec::Kind;
    const auto old_width = static_cast<std::uint32_t>(sizeof(OldHeader)) + accumulators_.width() - count_bytes(*spec_);
    state::StateSpec out{.tables = {{.kind = Kind::kKeyed, .name = "sessions", .fixed_width = old_width, .timed = true}}};
    if (spec_->rows) out.tables.push_back({.kind = Kind::kKeyed, .name = "rows", .shared_hashes = true});
    out.tables.push_back({.kind = Kind::kKeyed, .name = "spans", .fixed_width = span_at() + kSpanBytes});
    return out;
  }

  Status on_restored(dataflow::OperatorContext& ctx) override {
    attach(ctx.state());
    state::KeyedTable& old = ctx.state().keyed(0);
    due_.clear(), old.due(kTimeMax, due_);
    for (const Slot from : due_) {
      const OldHeader h = old.as<OldHeader>(from);
      const Span span{.start = h.start, .end = h.end, .several = h.sessions > 1};
      if (!fits(span)) return too_far();
      const Slot to = table_->find_or_insert(old.hash(from), old.key(from));
      if (spec_->retracting) rows(to) = h.rows;
      std::copy_n(old.fixed(from) + sizeof(OldHeader), accumulators_.width() - count_bytes(*spec_), table_->fixed(to) + count_bytes(*spec_));
      set_span(to, span);
      if (!old.blob(from).empty()) table_->set_blob(to, old.blob(from));
      old.erase(from);
    }
    timers_.start_again(ctx.watermark_us());
    set_timers();
    return ok();
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    if (spec_->rows && std::ranges::any_of(batch->kinds, [](RowKind k) { return k != RowKind::kInsert; }))
      return fail(ErrorCode::kUnsupported, "SESSION without an aggregation over an updating input is not supported", "group by window_start, window_end");
    batch_ = batch.get();
    attach(ctx.state());
    combined_ = ctx.watermark_us();
    open_first_sessions();
    for (const Candidate& c : candidates_) SUPYO_TRY(assign(c));
    SUPYO_TRY(flush());
    // Of sessions that were joined the timers are still there.
    if (timers_.size() > 2 * table_->size() + kFewTimers) set_timers();
    return late_.empty() ? ok() : late_.flush(*batch, ctx);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    attach(ctx.state());
    timers_.start(w.us);
    while (timers_.take(due_)) {
      sort_due();
      for (const Due& d : order_) {
        if (!spec_->retracting || rows(d.slot) > 0) SUPYO_TRY(spec_->rows ? fire_rows(d.slot, out) : fire(d.slot));
        if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
      }
      SUPYO_TRY(remove_due());
    }
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

 private:
  static constexpr std::size_t kAhead = 8, kFewTimers = 1024;
  struct Due {
    TimeUs end = 0;
    Slot slot = kNoSlot;
  };
  struct Candidate {
    std::uint32_t row = 0;
    TimeUs time = 0;
    TimeUs edge = 0;
    Slot first = kNoSlot;    // the key's session 0; not asked for where no session of this row alone would be open
    bool inserted = false;   // for this row
  };
  void attach(state::OperatorState& state) {
    table_ = &state.keyed(spec_->rows ? 2 : 1);
    if (spec_->rows) row_table_ = &state.keyed(1);
  }
  std::uint32_t span_at() const { return accumulators_.width(); }
  Span span(Slot slot) const { return read_span(table_->fixed(slot) + span_at()); }
  void set_span(Slot slot, const Span& s) { write_span(s, table_->fixed(slot) + span_at()); }
  void set_several(Slot first, bool several) {
    Span s = span(first);
    if (s.several == several) return;
    s.several = several;
    set_span(first, s);
    table_->touch(first);
  }
  std::int64_t& rows(Slot slot) { return table_->as<std::int64_t>(slot); }
  Kept& kept(Slot slot) { return table_->as<Kept>(slot, count_bytes(*spec_)); }
  Origin& origin(Slot slot) { return table_->as<Origin>(slot, count_bytes(*spec_)); }
  static TimeUs fires(const Span& s) { return s.end - kWindowGrain; }
  /// How many sessions a key has, by its session 0.
  template <class Key>
  std::int64_t sessions_of(Slot first, std::uint64_t hash, Key&& key) {
    if (first == kNoSlot || !span(first).several) return first == kNoSlot ? 0 : 1;
    std::int64_t n = 2;
    while (table_->find(hash, key(n)) != kNoSlot) ++n;
    return n;
  }

  void set_timers() {
    timers_.clear();
    table_->for_each([this](Slot slot) { timers_.put(slot, fires(span(slot))); });
  }

  /// Of due_ those that fire now, into order_; the others wait on.
  void sort_due() {
    order_.clear();
    for (std::size_t i = 0; i < due_.size(); ++i) {
      if (i + kAhead < due_.size()) table_->prefetch_record(due_[i + kAhead]);
      const Slot slot = due_[i];
      const Span s = span(slot);
      if (timers_.due(fires(s))) order_.push_back({.end = s.end, .slot = slot});
      else timers_.put(slot, fires(s));
    }
    std::ranges::sort(order_, [&](const Due& a, const Due& b) {
      if (a.end != b.end) return a.end < b.end;
      const TimeUs x = span(a.slot).start, y = span(b.slot).start;
      return x != y ? x < y : key_of(a.slot) < key_of(b.slot);
    });
  }
  std::string_view key_of(Slot slot) const { return GroupKeys::without_prefix(table_->key(slot)); }

  /// One probe for all rows: the first session of each row's key, made for those that surely are in one.
  void open_first_sessions() {
    candidates_.clear();
    hashes_.clear();
    keys_.start(*batch_);
    key_columns_.clear();
    for (const std::size_t k : spec_->keys) key_columns_.push_back(batch_->columns[k]);
    const Column& time = *batch_->columns[spec_->time_column];
    asked_.clear();
    recent_.start(*batch_, spec_->keys, true);
    for (std::uint32_t row = 0; row < batch_->rows; ++row) {
      if (time.is_null(row)) [[unlikely]] {
        late_.add({.row = row, .watermark_us = combined_, .reason = LateRows::Reason::kNullTime});
        continue;
      }
      const TimeUs t = floor_divide(time.value<std::int64_t>(row), kWindowGrain) * kWindowGrain;
      const TimeUs edge = edge_watermark(*batch_, row, combined_);
      const TimeUs fires = t + spec_->window.gap_us - kWindowGrain;
      const bool behind = edge >= fires || combined_ >= fires;
      candidates_.push_back({.row = row, .time = t, .edge = edge});
      if (behind) continue;
      asked_.push_back(static_cast<std::uint32_t>(candidates_.size() - 1));
      if (!recent_.add(keys_.hash(row), 0, row)) continue;
      hashes_.push_back(keys_.hash(row));
      keys_.add(0, row);
    }
    recent_.find_or_insert(*table_, hashes_, keys_.views(), {}, slots_, made_);
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      candidates_[asked_[i]].first = slots_[i];
      candidates_[asked_[i]].inserted = made_[i] != 0;
    }
  }

  void erase(Slot slot) {
    recent_.forget(*table_, slot);
    timers_.forget(slot);
    table_->erase(slot);
  }

  /// Finds the session of a row, and joins those that it connects.
  Status assign(const Candidate& c) {
    Slot first = c.first;
    if (c.inserted) {
      SUPYO_TRY(begin(first, c));
      return take(c, first);
    }
    const bool behind = first == kNoSlot;
    if (behind) first = table_->find(keys_.hash(c.row), numbered(0, c.row));
    Slot mine = kNoSlot;
    const bool several = first != kNoSlot && span(first).several;
    std::int64_t n = 0;
    for (Slot slot = first; slot != kNoSlot; slot = several ? table_->find(keys_.hash(c.row), numbered(n, c.row)) : kNoSlot) {
      if (!touches(span(slot), c)) {
        ++n;
        continue;
      }
      if (mine == kNoSlot) {
        mine = slot;
        SUPYO_TRY(extend(mine, c.time, c.time + spec_->window.gap_us));
        ++n;
        continue;
      }
      SUPYO_TRY(flush());
      SUPYO_TRY(join(mine, slot));
      const auto key = [&](std::int64_t number) { return numbered(number, c.row); };
      remove(first, n, sessions_of(first, keys_.hash(c.row), key) - 1, keys_.hash(c.row), key);
    }
    if (mine != kNoSlot) return take(c, mine);
    if (behind) {
      add_late(c);
      return ok();
    }
    // What the key has is closed to this row, or too far.
    mine = table_->find_or_insert(keys_.hash(c.row), numbered(n, c.row));
    SUPYO_TRY(begin(mine, c));
    if (n > 0) set_several(first, true);
    return take(c, mine);
  }

  bool touches(const Span& s, const Candidate& c) const {
    return fires(s) > c.edge && fires(s) > combined_ && c.time <= s.end && c.time + spec_->window.gap_us >= s.start;
  }

  Status begin(Slot slot, const Candidate& c) {
    const Span s{.start = c.time, .end = c.time + spec_->window.gap_us};
    if (!fits(s)) return too_far();
    set_span(slot, s);
    timers_.put(slot, fires(s));
    if (spec_->rows) kept(slot) = Kept{.id = c.time, .count = 0};
    else if (spec_->origins) origin(slot) = Origin{};
    return ok();
  }
  Status extend(Slot slot, TimeUs start, TimeUs end) {
    Span s = span(slot);
    if (start >= s.start && end <= s.end) return ok();
    s.start = std::min(s.start, start);
    s.end = std::max(s.end, end);
    if (!fits(s)) return too_far();
    set_span(slot, s);
    return ok();
  }

  /// The row goes into the session, with the others of its batch.
  Status take(const Candidate& c, Slot slot) {
    const bool back = is_retraction(batch_->kind(c.row));
    rows_.push_back(c.row);
    row_slots_.push_back(slot);
    if (!batch_->kinds.empty()) signs_.push_back(back ? -1 : 1);
    if (spec_->retracting) rows(slot) += back ? -1 : 1;
    if (!spec_->rows && spec_->origins && !batch_->origins.empty()) origin(slot).merge(batch_->origins[c.row]);
    table_->touch(slot);
    return ok();
  }
  Status flush() {
    if (spec_->rows) {
      keep_rows();
    } else {
      SUPYO_TRY(accumulators_.update(*batch_, rows_, row_slots_, signs_, *table_));
    }
    rows_.clear();
    row_slots_.clear();
    signs_.clear();
    return ok();
  }

  Status join(Slot into, Slot from) {
    const Span s = span(from);
    SUPYO_TRY(extend(into, s.start, s.end));
    if (spec_->retracting) rows(into) += rows(from);
    if (spec_->rows) {
      join_rows(into, from);
      return ok();
    }
    if (spec_->origins) origin(into).merge(origin(from));
    table_->touch(into);
    return accumulators_.merge(into, from, *table_);
  }

  /// Takes session `n` of the key away; the key's last one takes its number.
  template <class Key>
  void remove(Slot first, std::int64_t n, std::int64_t last, std::uint64_t hash, Key&& key) {
    const Slot from = last == 0 ? first : table_->find(hash, key(last));
    if (n == last) {
      erase(from);
    } else {
      erase(n == 0 ? first : table_->find(hash, key(n)));
      const Slot to = move_to(from, hash, std::string(key(n)));
      if (n == 0) first = to;
    }
    if (last > 0) set_several(first, last > 1);
  }

  /// The session under another key.
  Slot move_to(Slot from, std::uint64_t hash, const std::string& key) {
    fixed_.assign(table_->fixed(from), table_->fixed(from) + span_at() + kSpanBytes);
    blob_ = table_->blob(from);
    erase(from);
    const Slot to = table_->find_or_insert(hash, key);
    std::ranges::copy(fixed_, table_->fixed(to));
    if (!blob_.empty()) table_->set_blob(to, blob_);
    timers_.put(to, fires(span(to)));
    return to;
  }

  Status remove_due() {
    // The highest numbers of a key first, so that what takes a number stays.
    many_.clear();
    for (std::size_t i = 0; i < order_.size(); ++i) {
      if (i + kAhead < order_.size()) table_->prefetch(table_->hash(order_[i + kAhead].slot));
      const Slot slot = order_[i].slot;
      if (number_of(slot) == 0 && !span(slot).several) erase(slot);
      else many_.push_back({std::string(key_of(slot)), table_->hash(slot), number_of(slot)});
    }
    std::ranges::sort(many_, [](const Numbered& a, const Numbered& b) { return a.key != b.key ? a.key < b.key : a.number > b.number; });
    std::int64_t left = 0;
    for (std::size_t i = 0; i < many_.size(); ++i) {
      const Numbered& m = many_[i];
      const auto key = [&](std::int64_t n) { return numbered(n, m.key); };
      const Slot first = table_->find(m.hash, key(0));
      if (first == kNoSlot) return damaged();
      left = i > 0 && many_[i - 1].key == m.key ? left - 1 : sessions_of(first, m.hash, key);
      remove(first, m.number, left - 1, m.hash, key);
    }
    return ok();
  }

  struct Numbered {
    std::string key;
    std::uint64_t hash = 0;
    std::int64_t number = 0;
  };
  std::int64_t number_of(Slot slot) const { return static_cast<std::int64_t>(ByteReader(table_->key(slot)).varint() >> 1); }
  /// Valid until the next call.
  std::string_view numbered(std::int64_t number, std::size_t row) {
    numbered(number, std::string_view());
    key_codec_.encode(key_columns_, row, bytes_);
    return bytes_;
  }
  std::string_view numbered(std::int64_t number, std::string_view key) {
    bytes_.clear();
    ByteWriter(bytes_).varint(static_cast<std::uint64_t>(number) << 1);   // as GroupKeys::add() has it
    bytes_.append(key);
    return bytes_;
  }

  void add_late(const Candidate& c) {
    const TimeUs end = c.time + spec_->window.gap_us;
    const bool idle_return = c.edge < end - kWindowGrain;
    late_.add({.row = c.row, .watermark_us = c.edge, .time_us = c.time, .window_start_us = zone_.to_local(c.time), .window_end_us = zone_.to_local(end),
               .reason = idle_return ? LateRows::Reason::kIdleReturn : LateRows::Reason::kLate});
  }

  Status fire(Slot slot) {
    const std::size_t keys = spec_->keys.size();
    const std::size_t calls = accumulators_.size();
    const std::span<ColumnBuilder* const> targets(targets_);
    if (!keys_.decode(key_of(slot), targets.first(keys))) return damaged();
    SUPYO_TRY(accumulators_.append_values(*table_, slot, targets.subspan(keys, calls)));
    const Span s = span(slot);
    for (std::size_t p = 0; p < spec_->properties.size(); ++p) {
      ColumnBuilder& column = *targets_[keys + calls + p];
      switch (spec_->properties[p]) {
        case Spec::Property::kStart: column.append(zone_.to_local(s.start)); break;
        case Spec::Property::kEnd: column.append(zone_.to_local(s.end)); break;
        case Spec::Property::kTime: column.append(fires(s)); break;
      }
    }
    if (!spec_->origins) {
      out_.end_row();
      return ok();
    }
    Origin result = origin(slot);
    // The result is complete no earlier than its window's end.
    result.event_max = std::max(result.event_max, s.end);
    out_.end_row(RowKind::kInsert, result);
    return ok();
  }

  // ---- rows that are given out

  std::string_view row_key(std::string_view key, TimeUs id, std::uint64_t number) {
    row_key_.clear();
    ByteWriter out(row_key_);
    out.text(key);
    out.i64(id);
    out.u64(number);
    return row_key_;
  }

  void keep_rows() {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      Kept& k = kept(row_slots_[i]);
      const Slot at = row_table_->find_or_insert(table_->hash(row_slots_[i]), row_key(key_of(row_slots_[i]), k.id, k.count++));
      row_.clear();
      if (spec_->origins) {
        const Origin o = batch_->origins.empty() ? Origin{} : batch_->origins[rows_[i]];
        row_.append(reinterpret_cast<const char*>(&o), sizeof o);
      }
      row_codec_.encode(batch_->columns, rows_[i], row_);
      row_table_->set_blob(at, row_);
    }
  }

  void join_rows(Slot into, Slot from) {
    const Kept k = kept(from);
    blob_ = table_->blob(into);
    ByteWriter out(blob_);
    out.i64(k.id);
    out.u64(k.count);
    blob_.append(table_->blob(from));
    table_->set_blob(into, blob_);
  }

  Status fire_rows(Slot slot, dataflow::Collector& out) {
    SUPYO_TRY(give_out(slot, kept(slot), out));
    for (ByteReader in(table_->blob(slot)); !in.done();) {
      const Kept joined{.id = in.i64(), .count = in.u64()};
      if (in.failed()) return damaged();
      SUPYO_TRY(give_out(slot, joined, out));
    }
    return ok();
  }

  Status give_out(Slot slot, Kept k, dataflow::Collector& out) {
    const std::size_t width = spec_->input.size();
    const Span s = span(slot);
    for (std::uint64_t n = 0; n < k.count; ++n) {
      const Slot at = row_table_->find(table_->hash(slot), row_key(key_of(slot), k.id, n));
      if (at == kNoSlot) return damaged();
      std::string_view row = row_table_->blob(at);
      Origin origin;
      if (spec_->origins && row.size() >= sizeof origin) {
        std::memcpy(&origin, row.data(), sizeof origin);
        row.remove_prefix(sizeof origin);
      }
      if (!row_codec_.decode(row, std::span(targets_).first(width))) return damaged();
      targets_[width]->append(zone_.to_local(s.start));
      targets_[width + 1]->append(zone_.to_local(s.end));
      targets_[width + 2]->append(fires(s));
      // A row is complete with its window, no earlier than that ends.
      origin.event_max = std::max(origin.event_max, s.end);
      if (spec_->origins) out_.end_row(RowKind::kInsert, origin); else out_.end_row();
      row_table_->erase(at);
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
    }
    return ok();
  }

  Status too_far() const {
    return fail(ErrorCode::kValueOutOfRange, fmt::format("{}: a session begins more than 8900 years from 1970, or is longer than 2200 years", spec_->label), "leave out rows with such times: WHERE ts < TIMESTAMP '2200-01-01 00:00:00'");
  }
  Status damaged() const { return fail(ErrorCode::kDamaged, fmt::format("state of {}: a session does not decode", spec_->label)); }

  std::shared_ptr<const Spec> spec_;
  Zone zone_;
  GroupKeys keys_;
  RowCodec key_codec_, row_codec_;
  Accumulators accumulators_;
  RecentSlots recent_;             // of sessions 0
  SessionTimers timers_;           // of all
  // Scratch of one call.
  LateRows late_;
  BatchBuilder out_;
  std::vector<ColumnBuilder*> targets_;
  const Batch* batch_ = nullptr;
  state::KeyedTable* table_ = nullptr;
  state::KeyedTable* row_table_ = nullptr;
  TimeUs combined_ = kTimeMin;
  std::vector<Candidate> candidates_;
  std::vector<std::uint64_t> hashes_;
  std::vector<Slot> slots_, row_slots_, due_;
  std::vector<Due> order_;                // of due_
  std::vector<std::uint8_t> made_;
  std::vector<std::uint32_t> asked_;      // of candidates_
  std::vector<std::uint32_t> rows_;
  std::vector<std::int8_t> signs_;
  std::vector<Numbered> many_;
  std::vector<ColumnPtr> key_columns_;
  std::vector<std::byte> fixed_;
  std::string bytes_, blob_, row_, row_key_;
};

dataflow::OperatorFactory make_sessions(Spec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> {
    if (shared->window.gap_us <= 0) return fail(ErrorCode::kInvalidQuery, "the gap of a session must be positive");
    return std::make_unique<SessionAggregate>(shared);
  };
}

}  // namespace

dataflow::OperatorFactory make_session_aggregate(WindowAggregateSpec spec) { return make_sessions({std::move(spec), false}); }

dataflow::OperatorFactory make_session_assign(WindowAssignSpec spec, std::vector<std::size_t> partition, bool origins) {
  Spec s;
  s.input = std::move(spec.input);
  s.window = spec.window;
  s.time_column = spec.time_column;
  s.keys = std::move(partition);
  s.zone = spec.zone;
  s.label = std::move(spec.label);
  s.origins = origins;
  s.rows = true;
  return make_sessions(std::move(s));
}

}  // namespace supyo::operators
