#include "engine/operators/top_n.h"

#include <algorithm>
#include <set>

#include "data/types/value.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/keyed_row.h"
#include "engine/operators/order_bytes.h"
#include "engine/operators/short_bytes.h"
#include "engine/operators/slot_list.h"

namespace supyo::operators {
namespace {

using state::kNoSlot;
using state::Slot;

/// In state: KeyedRow of the partition's key and the row -> how often the row is there, and when it came. In memory beside it: the rows of a partition in order.
class TopN final : public dataflow::Operator {
 public:
  explicit TopN(std::shared_ptr<const TopNSpec> spec)
      : spec_(std::move(spec)), few_(!spec_->input_retracts && spec_->limit <= kFew), codec_(spec_->input.types()), keys_(spec_->input, spec_->partition), index_({.name = "index"}), out_(output_schema(*spec_)),
        columns_(builder_columns(out_, 0, spec_->input.size())) {}

  std::string_view name() const override { return "Rank"; }
  state::StateSpec state() const override {
    return {.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "rows", .fixed_width = static_cast<std::uint32_t>(sizeof(Kept)), .ttl_us = spec_->ttl_us, .shared_hashes = true}}};
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    SUPYO_TRY(attach(ctx.state().keyed(0)));
    table_->expire(ctx.now_us(), [this](Slot slot) { end(slot); });
    keys_.start_with_all(*batch);
    const auto views = keys_.views();
    at_.resize(batch->rows);
    fresh_.resize(batch->rows);
    index_.find_or_insert(keys_.hashes(), views, {}, at_, fresh_);
    for (std::size_t row = 0; row < batch->rows; ++row) {
      if (is_retraction(batch->kind(row))) remove(at_[row], *batch, row, keys_.hash(row), views[row]);
      else add(at_[row], *batch, row, keys_.hash(row), views[row]);
    }
    for (const Open& o : open_) SUPYO_TRY(close(o, *batch, out));
    open_.clear();
    before_.clear();
    for (const Slot at : at_) forget_empty(at);
    forget_gone();
    index_.forget_changes();
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

 private:
  struct Kept {
    std::uint64_t count = 0;
    std::uint64_t born = 0;
  };
  struct Before {
    const TopN* top = nullptr;
    bool operator()(Slot a, Slot b) const {
      const int order = top->order_[a].view().compare(top->order_[b].view());
      return order != 0 ? order < 0 : top->born(a) != top->born(b) ? top->born(a) < top->born(b) : a < b;
    }
  };
  /// A row, `copies` times.
  struct Place {
    Slot slot = kNoSlot;
    std::uint64_t copies = 0;
  };
  static constexpr std::uint64_t kFew = 256;         // rows of a partition that are kept as a list
  static constexpr std::uint32_t kClosed = 0xffffffffU;
  using Many = std::set<Slot, Before>;
  /// Its rows in order: a list where the limit bounds them, which takes a fraction of a set's memory; else a set.
  struct Partition {
    SlotList few;
    std::unique_ptr<Many> many;
    std::uint64_t total = 0;        // of the rows' counts
    std::uint32_t open = kClosed;   // in open_, when the batch changes it
    bool listed = false;            // in index_
    bool empty() const { return many ? many->empty() : few.empty(); }
    Slot last() const { return many ? *many->rbegin() : few.back(); }
  };
  /// A partition that the batch changes.
  struct Open {
    Slot at = kNoSlot;
    std::size_t from = 0, to = 0;   // in before_: its first rows as they were
    Origin cause;                   // the origins of what changes it
  };

  Status attach(state::KeyedTable& table) {
    if (table_ != nullptr) return ok();
    table_ = &table;
    std::vector<Slot> slots;
    table.for_each([&](Slot slot) { slots.push_back(slot); });
    BatchBuilder rows(spec_->input);
    const auto columns = builder_columns(rows, 0, spec_->input.size());
    for (std::size_t from = 0; from < slots.size(); from += Batch::kMaxRows) {
      const std::size_t to = std::min(slots.size(), from + Batch::kMaxRows);
      for (std::size_t i = from; i < to; ++i) {
        if (!codec_.decode(KeyedRow::row(table.key(slots[i])), columns)) return damaged();
        rows.end_row();
      }
      const BatchPtr batch = rows.finish();
      for (std::size_t i = from; i < to; ++i) {
        const Slot slot = slots[i];
        const Kept kept = table.as<Kept>(slot);
        Partition& p = partition_at(index_.find_or_insert(table.hash(slot), KeyedRow::key(table.key(slot))));
        order_of(*batch, i - from, kept.born);
        link(p, slot);
        p.total += kept.count;
        next_born_ = std::max(next_born_, kept.born + 1);
      }
      table.relax();
    }
    index_.forget_changes();
    return ok();
  }

  // ---- rows

  Partition& partition_at(Slot at) {
    if (at >= partitions_.size()) partitions_.resize(std::max<std::size_t>(at + 1, partitions_.size() * 2));
    Partition& p = partitions_[at];
    p.listed = true;
    return p;
  }
  /// The row's time is over: it goes, and nobody is told.
  void end(Slot slot) {
    const Slot at = index_.find(table_->hash(slot), KeyedRow::key(table_->key(slot)));
    Partition& p = partitions_[at];
    unlink(p, slot);
    p.total -= table_->as<Kept>(slot).count;
    order_[slot].clear();
    forget_empty(at);
  }
  /// Of a partition that the batch asked for.
  void forget_empty(Slot at) {
    Partition& p = partitions_[at];
    if (!p.listed || !p.empty()) return;
    p = {};
    index_.erase(at);
  }

  /// The partition will change by the row: noted as it was when the batch has not changed it yet.
  void open(Partition& p, Slot at, const Batch& batch, std::size_t row) {
    if (p.open == kClosed) {
      p.open = static_cast<std::uint32_t>(open_.size());
      const std::size_t from = before_.size();
      first_rows(p, before_);
      open_.push_back({.at = at, .from = from, .to = before_.size(), .cause = {}});
    }
    if (!batch.origins.empty()) open_[p.open].cause.merge(batch.origins[row]);
  }

  void add(Slot at, const Batch& batch, std::size_t row, std::uint64_t hash, std::string_view key) {
    Partition& p = partition_at(at);
    order_of(batch, row, next_born_);
    const bool full = !spec_->input_retracts && p.total >= spec_->limit;
    // A row that comes behind all that count is not even kept.
    if (full && ordered_ >= order_[p.last()].view()) return;
    open(p, at, batch, row);
    KeyedRow::encode(key, codec_, batch.columns, row, encoded_);
    const Slot slot = table_->find_or_insert(hash, encoded_);
    Kept& kept = table_->as<Kept>(slot);
    const bool there = kept.count++ > 0;
    if (there && spec_->last_first) unlink(p, slot);   // it stands first again
    if (!there || spec_->last_first) {
      kept.born = next_born_++;
      link(p, slot);
    }
    table_->touch(slot);
    ++p.total;
    if (full) take_one(p, p.last());
  }

  void remove(Slot at, const Batch& batch, std::size_t row, std::uint64_t hash, std::string_view key) {
    Partition& p = partition_at(at);
    KeyedRow::encode(key, codec_, batch.columns, row, encoded_);
    const Slot slot = table_->find(hash, encoded_);
    if (slot == kNoSlot || table_->as<Kept>(slot).count == 0) return;
    open(p, at, batch, row);
    take_one(p, slot);
  }

  void take_one(Partition& p, Slot slot) {
    --p.total;
    table_->touch(slot);
    if (--table_->as<Kept>(slot).count > 0) return;
    unlink(p, slot);
    gone_.push_back(slot);   // what the batch emits may still show it
  }

  void order_of(const Batch& batch, std::size_t row, std::uint64_t born) {
    ordered_.clear();
    if (spec_->last_first) return append_big_endian(~born, ordered_);
    for (const SortSpec::Key& k : spec_->order) append_ordered(*batch.columns[k.column], row, k, ordered_);
  }
  /// The row, whose order_of() was taken, into its place.
  void link(Partition& p, Slot slot) {
    if (slot >= order_.size()) order_.resize(std::max<std::size_t>(slot + 1, order_.size() * 2));
    order_[slot].assign(ordered_);
    if (!few_) {
      if (!p.many) p.many = std::make_unique<Many>(Before{this});
      p.many->insert(slot);
      return;
    }
    p.few.insert(place_of(p, slot), slot);
  }
  void unlink(Partition& p, Slot slot) {
    if (few_) p.few.erase(place_of(p, slot));
    else p.many->erase(slot);
  }
  std::size_t place_of(const Partition& p, Slot slot) const {
    const auto slots = p.few.slots();
    return static_cast<std::size_t>(std::ranges::lower_bound(slots, slot, Before{this}) - slots.begin());
  }
  std::uint64_t born(Slot slot) const { return table_->as<Kept>(slot).born; }

  void forget_gone() {
    std::ranges::sort(gone_);
    gone_.erase(std::ranges::unique(gone_).begin(), gone_.end());
    for (const Slot slot : gone_) {
      if (table_->as<Kept>(slot).count > 0) continue;   // it came back
      order_[slot].clear();
      table_->erase(slot);
    }
    gone_.clear();
  }

  // ---- results

  /// Appends them to `out`.
  void first_rows(const Partition& p, std::vector<Place>& out) const {
    std::uint64_t left = spec_->limit;
    const auto take = [&](const auto& slots) {
      for (auto it = slots.begin(); it != slots.end() && left > 0; ++it) {
        const std::uint64_t copies = std::min(left, table_->as<Kept>(*it).count);
        out.push_back({*it, copies});
        left -= copies;
      }
    };
    if (p.many) take(*p.many);
    else take(p.few.slots());
  }

  /// Emits what changed in the partition's first rows.
  Status close(const Open& o, const Batch& batch, dataflow::Collector& out) {
    Partition& p = partitions_[o.at];
    p.open = kClosed;
    after_.clear();
    first_rows(p, after_);
    const auto before = std::span<const Place>(before_).subspan(o.from, o.to - o.from);
    const bool places = spec_->with_number || spec_->limit == 1;
    return places ? emit_places(before, after_, batch, o.cause, out) : emit_rows(before, after_, batch, o.cause, out);
  }

  Status emit_places(std::span<const Place> before, std::span<const Place> after, const Batch& batch, const Origin& cause, dataflow::Collector& out) {
    std::size_t b = 0, a = 0;
    std::uint64_t b_used = 0, a_used = 0;
    for (std::uint64_t number = 1; b < before.size() || a < after.size(); ++number) {
      const Slot was = b < before.size() ? before[b].slot : kNoSlot;
      const Slot is = a < after.size() ? after[a].slot : kNoSlot;
      if (was != is) {
        if (was != kNoSlot && (is == kNoSlot || spec_->update_before)) SUPYO_TRY(emit(was, number, is == kNoSlot ? RowKind::kDelete : RowKind::kUpdateBefore, batch, cause, out));
        if (is != kNoSlot) SUPYO_TRY(emit(is, number, was == kNoSlot ? RowKind::kInsert : RowKind::kUpdateAfter, batch, cause, out));
      }
      if (was != kNoSlot && ++b_used == before[b].copies) ++b, b_used = 0;
      if (is != kNoSlot && ++a_used == after[a].copies) ++a, a_used = 0;
    }
    return ok();
  }

  Status emit_rows(std::span<const Place> before, std::span<const Place> after, const Batch& batch, const Origin& cause, dataflow::Collector& out) {
    const auto beyond = [&](std::span<const Place> rows, std::span<const Place> in_order, RowKind kind) -> Status {
      std::vector<Place> others(in_order.begin(), in_order.end());
      std::ranges::sort(others, {}, &Place::slot);
      for (const Place& p : rows) {
        const auto other = std::ranges::lower_bound(others, p.slot, {}, &Place::slot);
        const std::uint64_t there = other == others.end() || other->slot != p.slot ? 0 : other->copies;
        for (std::uint64_t i = there; i < p.copies; ++i) SUPYO_TRY(emit(p.slot, 0, kind, batch, cause, out));
      }
      return ok();
    };
    SUPYO_TRY(beyond(before, after, RowKind::kDelete));
    return beyond(after, before, RowKind::kInsert);
  }

  Status emit(Slot slot, std::uint64_t number, RowKind kind, const Batch& batch, const Origin& cause, dataflow::Collector& out) {
    if (!codec_.decode(KeyedRow::row(table_->key(slot)), columns_)) return damaged();
    if (spec_->with_number) out_.column(columns_.size()).append(static_cast<std::int64_t>(number));
    if (batch.origins.empty()) out_.end_row(kind);
    else out_.end_row(kind, cause);
    // An update's two rows stay in one batch.
    return kind != RowKind::kUpdateBefore && out_.rows() + 2 > Batch::kMaxRows ? out.emit(out_.finish()) : ok();
  }

  static Status damaged() { return fail(ErrorCode::kDamaged, "state of Rank: a row does not decode"); }

  std::shared_ptr<const TopNSpec> spec_;
  bool few_;
  RowCodec codec_;
  GroupKeys keys_;
  state::KeyedTable* table_ = nullptr;
  state::KeyedTable index_;              // partition key -> slot, the place in partitions_; never part of an epoch
  state::BlockVector<Partition> partitions_;
  state::BlockVector<ShortBytes> order_; // by slot of the row: bytes that compare as the order says
  std::uint64_t next_born_ = 0;
  // Scratch of one call.
  BatchBuilder out_;
  std::vector<ColumnBuilder*> columns_;
  std::vector<Open> open_;
  std::vector<Place> before_, after_;
  std::vector<Slot> gone_, at_;
  std::vector<std::uint8_t> fresh_;
  std::string encoded_, ordered_;
};

}  // namespace

Schema output_schema(const TopNSpec& spec) { return numbered(spec.input, spec.with_number); }

dataflow::OperatorFactory make_top_n(TopNSpec spec) {
  auto shared = std::make_shared<const TopNSpec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<TopN>(shared); };
}

}  // namespace supyo::operators
