#include "engine/operators/session_aggregate.h"

#include <algorithm>

#include "core/base/bytes.h"
#include "engine/operators/accumulators.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/late_rows.h"
#include "engine/operators/recent_slots.h"

namespace supyo::operators {
namespace {

using state::kNoSlot;
using state::Slot;

struct Spec : WindowAggregateSpec {
  bool rows = false;   ///< a session gives out its rows, not its aggregates
};

/// Before the accumulators. Then the session's origin, when a judge listens; or, where rows are given out, Kept.
struct Header {
  TimeUs start = 0;
  TimeUs end = 0;
  std::int64_t rows = 0;      // less those taken back
  std::int64_t sessions = 0;  // of the key; only in its session 0
};

/// Rows that began as one session are numbered under the time of its first row: no two open sessions of a key have that in common. The blob has what joined it.
struct Kept {
  TimeUs id = 0;
  std::uint64_t count = 0;
};

std::uint32_t header_bytes(const Spec& s) { return static_cast<std::uint32_t>(sizeof(Header) + (s.rows ? sizeof(Kept) : s.origins ? sizeof(Origin) : 0)); }
Schema schema_of(const Spec& s) {
  if (s.rows) return output_schema(WindowAssignSpec{.input = s.input, .window = s.window, .time_column = s.time_column});
  return output_schema(static_cast<const WindowAggregateSpec&>(s));
}

std::vector<Type> key_types(const Spec& s) {
  std::vector<Type> out;
  for (const std::size_t k : s.keys) out.push_back(s.input[k].type);
  return out;
}

/// In state: (number, key) -> header, accumulators; and, where rows are given out, (key, Kept::id, number) -> [origin] RowCodec bytes.
/// The sessions of a key are numbered from 0 without holes; nearly always there is one. An entry's time is at most the time at which it fires: it is looked at again
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
        late_(spec_->label),
        out_(schema_of(*spec_)),
        targets_(builder_columns(out_, 0, schema_of(*spec_).size())) {}

  std::string_view name() const override { return spec_->rows ? "WindowTableFunction" : "WindowAggregate"; }
  state::StateSpec state() const override {
    using Kind = state::TableSpec::Kind;
    state::StateSpec out{.tables = {{.kind = Kind::kKeyed, .name = "sessions", .fixed_width = accumulators_.width(), .timed = true}}};
    if (spec_->rows) out.tables.push_back({.kind = Kind::kKeyed, .name = "rows", .shared_hashes = true});
    return out;
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
    return late_.empty() ? ok() : late_.flush(*batch, ctx);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    attach(ctx.state());
    due_.clear();
    table_->due(w.us, due_);
    std::ranges::sort(due_);
    due_.erase(std::ranges::unique(due_).begin(), due_.end());
    std::erase_if(due_, [&](Slot slot) {
      const TimeUs fires = header(slot).end - kWindowGrain;
      if (fires <= w.us) return false;
      move_to(slot, table_->hash(slot), std::string(table_->key(slot)), fires);
      return true;
    });
    std::ranges::sort(due_, [&](Slot a, Slot b) {
      const Header& x = header(a);
      const Header& y = header(b);
      if (x.end != y.end) return x.end < y.end;
      if (x.start != y.start) return x.start < y.start;
      return key_of(a) < key_of(b);
    });
    for (const Slot slot : due_) {
      if (header(slot).rows > 0) SUPYO_TRY(spec_->rows ? fire_rows(slot, out) : fire(slot));
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
    }
    if (out_.rows() > 0) SUPYO_TRY(out.emit(out_.finish()));
    return remove_due();
  }

 private:
  struct Candidate {
    std::uint32_t row = 0;
    TimeUs time = 0;
    TimeUs edge = 0;
    Slot first = kNoSlot;    // the key's session 0; not asked for where no session of this row alone would be open
    bool inserted = false;   // for this row
  };
  void attach(state::OperatorState& state) {
    table_ = &state.keyed(0);
    if (spec_->rows) row_table_ = &state.keyed(1);
  }
  Header& header(Slot slot) { return table_->as<Header>(slot); }
  std::string_view key_of(Slot slot) const { return GroupKeys::without_prefix(table_->key(slot)); }

  /// One probe for all rows: the first session of each row's key, made for those that surely are in one.
  void open_first_sessions() {
    candidates_.clear();
    hashes_.clear();
    times_.clear();
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
      const TimeUs t = time.value<std::int64_t>(row);
      const TimeUs edge = edge_watermark(*batch_, row, combined_);
      const TimeUs fires = t + spec_->window.gap_us - kWindowGrain;
      const bool behind = edge >= fires || combined_ >= fires;
      candidates_.push_back({.row = row, .time = t, .edge = edge});
      if (behind) continue;
      asked_.push_back(static_cast<std::uint32_t>(candidates_.size() - 1));
      if (!recent_.add(keys_.hash(row), 0, row)) continue;
      hashes_.push_back(keys_.hash(row));
      times_.push_back(fires);
      keys_.add(0, row);
    }
    recent_.find_or_insert(*table_, hashes_, keys_.views(), times_, slots_, made_);
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      candidates_[asked_[i]].first = slots_[i];
      candidates_[asked_[i]].inserted = made_[i] != 0;
    }
  }

  void erase(Slot slot) {
    recent_.forget(*table_, slot);
    table_->erase(slot);
  }

  /// Finds the session of a row, and joins those that it connects.
  Status assign(const Candidate& c) {
    Slot first = c.first;
    if (c.inserted) {
      begin(first, c);
      header(first).sessions = 1;
      return take(c, first);
    }
    const bool behind = first == kNoSlot;
    if (behind) first = table_->find(keys_.hash(c.row), numbered(0, c.row));
    Slot mine = kNoSlot;
    std::int64_t sessions = first == kNoSlot ? 0 : header(first).sessions;
    for (std::int64_t n = 0; n < sessions;) {
      const Slot slot = n == 0 ? first : table_->find(keys_.hash(c.row), numbered(n, c.row));
      if (slot == kNoSlot) return damaged();
      if (!touches(header(slot), c)) {
        ++n;
        continue;
      }
      if (mine == kNoSlot) {
        mine = slot;
        extend(mine, c.time, c.time + spec_->window.gap_us);
        ++n;
        continue;
      }
      SUPYO_TRY(flush());
      SUPYO_TRY(join(mine, slot));
      remove(first, n, c.row);
      --sessions;
    }
    if (mine != kNoSlot) return take(c, mine);
    if (behind) {
      add_late(c);
      return ok();
    }
    // What the key has is closed to this row, or too far.
    mine = table_->find_or_insert(keys_.hash(c.row), numbered(sessions, c.row), c.time + spec_->window.gap_us - kWindowGrain);
    header(first).sessions = sessions + 1;
    table_->touch(first);
    begin(mine, c);
    return take(c, mine);
  }

  bool touches(const Header& h, const Candidate& c) const {
    const TimeUs fires = h.end - kWindowGrain;
    return fires > c.edge && fires > combined_ && c.time <= h.end && c.time + spec_->window.gap_us >= h.start;
  }

  void begin(Slot slot, const Candidate& c) {
    header(slot) = {.start = c.time, .end = c.time + spec_->window.gap_us, .rows = 0, .sessions = 0};
    if (spec_->rows) table_->as<Kept>(slot, sizeof(Header)) = Kept{.id = c.time, .count = 0};
    else if (spec_->origins) table_->as<Origin>(slot, sizeof(Header)) = Origin{};
  }
  void extend(Slot slot, TimeUs start, TimeUs end) {
    Header& h = header(slot);
    h.start = std::min(h.start, start);
    h.end = std::max(h.end, end);
  }

  /// The row goes into the session, with the others of its batch.
  Status take(const Candidate& c, Slot slot) {
    const bool back = is_retraction(batch_->kind(c.row));
    rows_.push_back(c.row);
    row_slots_.push_back(slot);
    if (!batch_->kinds.empty()) signs_.push_back(back ? -1 : 1);
    header(slot).rows += back ? -1 : 1;
    if (!spec_->rows && spec_->origins && !batch_->origins.empty()) table_->as<Origin>(slot, sizeof(Header)).merge(batch_->origins[c.row]);
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
    const Header h = header(from);
    extend(into, h.start, h.end);
    header(into).rows += h.rows;
    if (spec_->rows) {
      join_rows(into, from);
      return ok();
    }
    if (spec_->origins) table_->as<Origin>(into, sizeof(Header)).merge(table_->as<Origin>(from, sizeof(Header)));
    table_->touch(into);
    return accumulators_.merge(into, from, *table_);
  }

  /// Takes session `n` of the key away; the key's last one takes its number.
  void remove(Slot first, std::int64_t n, std::size_t row) { remove(first, n, keys_.hash(row), [&](std::int64_t number) { return numbered(number, row); }); }
  template <class Key>
  void remove(Slot first, std::int64_t n, std::uint64_t hash, Key&& key) {
    const std::int64_t last = header(first).sessions - 1;
    const Slot from = last == 0 ? first : table_->find(hash, key(last));
    if (n == last) {
      erase(from);
    } else {
      erase(n == 0 ? first : table_->find(hash, key(n)));
      const Slot to = move_to(from, hash, std::string(key(n)), header(from).end - kWindowGrain);
      if (n == 0) first = to;
    }
    if (last == 0) return;
    header(first).sessions = last;
    table_->touch(first);
  }

  /// The session under another key or time.
  Slot move_to(Slot from, std::uint64_t hash, const std::string& key, TimeUs time) {
    fixed_.assign(table_->fixed(from), table_->fixed(from) + accumulators_.width());
    blob_ = table_->blob(from);
    erase(from);
    const Slot to = table_->find_or_insert(hash, key, time);
    std::ranges::copy(fixed_, table_->fixed(to));
    if (!blob_.empty()) table_->set_blob(to, blob_);
    table_->touch(to);
    return to;
  }

  Status remove_due() {
    // The highest numbers of a key first, so that what takes a number stays.
    many_.clear();
    for (const Slot slot : due_) {
      if (number_of(slot) == 0 && header(slot).sessions == 1) erase(slot);
      else many_.push_back({std::string(key_of(slot)), table_->hash(slot), number_of(slot)});
    }
    std::ranges::sort(many_, [](const Numbered& a, const Numbered& b) { return a.key != b.key ? a.key < b.key : a.number > b.number; });
    for (const Numbered& m : many_) {
      const auto key = [&](std::int64_t n) { return numbered(n, m.key); };
      const Slot first = table_->find(m.hash, key(0));
      if (first == kNoSlot) return damaged();
      remove(first, m.number, m.hash, key);
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
    const Header& h = header(slot);
    for (std::size_t p = 0; p < spec_->properties.size(); ++p) {
      ColumnBuilder& column = *targets_[keys + calls + p];
      switch (spec_->properties[p]) {
        case Spec::Property::kStart: column.append(zone_.to_local(h.start)); break;
        case Spec::Property::kEnd: column.append(zone_.to_local(h.end)); break;
        case Spec::Property::kTime: column.append(h.end - kWindowGrain); break;
      }
    }
    if (!spec_->origins) {
      out_.end_row();
      return ok();
    }
    Origin origin = table_->as<Origin>(slot, sizeof(Header));
    // The result is complete no earlier than its window's end.
    origin.event_max = std::max(origin.event_max, h.end);
    out_.end_row(RowKind::kInsert, origin);
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
      Kept& kept = table_->as<Kept>(row_slots_[i], sizeof(Header));
      const Slot at = row_table_->find_or_insert(table_->hash(row_slots_[i]), row_key(key_of(row_slots_[i]), kept.id, kept.count++));
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
    const Kept kept = table_->as<Kept>(from, sizeof(Header));
    blob_ = table_->blob(into);
    ByteWriter out(blob_);
    out.i64(kept.id);
    out.u64(kept.count);
    blob_.append(table_->blob(from));
    table_->set_blob(into, blob_);
  }

  Status fire_rows(Slot slot, dataflow::Collector& out) {
    const Kept kept = table_->as<Kept>(slot, sizeof(Header));
    SUPYO_TRY(give_out(slot, kept, out));
    for (ByteReader in(table_->blob(slot)); !in.done();) {
      const Kept joined{.id = in.i64(), .count = in.u64()};
      if (in.failed()) return damaged();
      SUPYO_TRY(give_out(slot, joined, out));
    }
    return ok();
  }

  Status give_out(Slot slot, const Kept& kept, dataflow::Collector& out) {
    const std::size_t width = spec_->input.size();
    const Header h = header(slot);
    for (std::uint64_t n = 0; n < kept.count; ++n) {
      const Slot at = row_table_->find(table_->hash(slot), row_key(key_of(slot), kept.id, n));
      if (at == kNoSlot) return damaged();
      std::string_view row = row_table_->blob(at);
      Origin origin;
      if (spec_->origins && row.size() >= sizeof origin) {
        std::memcpy(&origin, row.data(), sizeof origin);
        row.remove_prefix(sizeof origin);
      }
      if (!row_codec_.decode(row, std::span(targets_).first(width))) return damaged();
      targets_[width]->append(zone_.to_local(h.start));
      targets_[width + 1]->append(zone_.to_local(h.end));
      targets_[width + 2]->append(h.end - kWindowGrain);
      // A row is complete with its window, no earlier than that ends.
      origin.event_max = std::max(origin.event_max, h.end);
      if (spec_->origins) out_.end_row(RowKind::kInsert, origin); else out_.end_row();
      row_table_->erase(at);
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
    }
    return ok();
  }

  Status damaged() const { return fail(ErrorCode::kDamaged, fmt::format("state of {}: a session does not decode", spec_->label)); }

  std::shared_ptr<const Spec> spec_;
  Zone zone_;
  GroupKeys keys_;
  RowCodec key_codec_, row_codec_;
  Accumulators accumulators_;
  RecentSlots recent_;             // of sessions 0
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
  std::vector<TimeUs> times_;
  std::vector<Slot> slots_, row_slots_, due_;
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
