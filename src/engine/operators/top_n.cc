#include "engine/operators/top_n.h"

#include <algorithm>
#include <set>

#include "data/types/value.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/keyed_row.h"
#include "engine/operators/order_bytes.h"

namespace supyo::operators {
namespace {

using state::kNoSlot;
using state::Slot;

/// In state: KeyedRow of the partition's key and the row -> how often the row is there, and when it came. In memory beside it: the rows of a partition in order.
class TopN final : public dataflow::Operator {
 public:
  explicit TopN(std::shared_ptr<const TopNSpec> spec)
      : spec_(std::move(spec)), codec_(spec_->input.types()), keys_(spec_->input, spec_->partition), index_({.name = "index"}), out_(output_schema(*spec_)),
        columns_(builder_columns(out_, 0, spec_->input.size())) {}

  std::string_view name() const override { return "Rank"; }
  state::StateSpec state() const override {
    return {.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "rows", .fixed_width = static_cast<std::uint32_t>(sizeof(Kept)), .shared_hashes = true}}};
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    SUPYO_TRY(attach(ctx.state().keyed(0)));
    keys_.start(*batch);
    for (std::size_t row = 0; row < batch->rows; ++row) keys_.add(row);
    const auto views = keys_.views();
    for (std::size_t row = 0; row < batch->rows; ++row) {
      const Slot at = open(*batch, row, keys_.hash(row), views[row]);
      if (is_retraction(batch->kind(row))) remove(partitions_[at], *batch, row, keys_.hash(row), views[row]);
      else add(partitions_[at], *batch, row, keys_.hash(row), views[row]);
    }
    for (const Slot at : open_) SUPYO_TRY(close(at, *batch, out));
    open_.clear();
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
      const int order = top->order_[a].compare(top->order_[b]);
      return order != 0 ? order < 0 : top->born(a) != top->born(b) ? top->born(a) < top->born(b) : a < b;
    }
  };
  /// A row, `copies` times.
  struct Place {
    Slot slot = kNoSlot;
    std::uint64_t copies = 0;
  };
  struct Partition {
    std::set<Slot, Before> rows;
    std::uint64_t total = 0;        // of the rows' counts
    bool open = false;              // the batch touches it
    std::vector<Place> before;      // then: its first rows as they were
    Origin cause;                   // and the origins of what touched it
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
        order_of(*batch, i - from);
        link(p, slot);
        p.total += kept.count;
        next_born_ = std::max(next_born_, kept.born + 1);
      }
    }
    index_.forget_changes();
    return ok();
  }

  // ---- rows

  Partition& partition_at(Slot at) {
    while (partitions_.size() <= at) partitions_.push_back({.rows = std::set<Slot, Before>(Before{this}), .total = 0, .open = false, .before = {}, .cause = {}});
    return partitions_[at];
  }

  /// The row's partition, noted as it was when the batch has not touched it yet.
  Slot open(const Batch& batch, std::size_t row, std::uint64_t hash, std::string_view key) {
    const Slot at = index_.find_or_insert(hash, key);
    Partition& p = partition_at(at);
    if (!p.open) {
      p.open = true;
      p.cause = {};
      p.before = first_rows(p);
      open_.push_back(at);
    }
    if (!batch.origins.empty()) p.cause.merge(batch.origins[row]);
    return at;
  }

  void add(Partition& p, const Batch& batch, std::size_t row, std::uint64_t hash, std::string_view key) {
    order_of(batch, row);
    const bool full = !spec_->input_retracts && p.total >= spec_->limit;
    // A row that comes behind all that count is not even kept.
    if (full && ordered_ >= order_[*p.rows.rbegin()]) return;
    KeyedRow::encode(key, codec_, batch.columns, row, encoded_);
    const Slot slot = table_->find_or_insert(hash, encoded_);
    Kept& kept = table_->as<Kept>(slot);
    if (kept.count++ == 0) {
      kept.born = next_born_++;
      link(p, slot);
    }
    table_->touch(slot);
    ++p.total;
    if (full) take_one(p, *p.rows.rbegin());
  }

  void remove(Partition& p, const Batch& batch, std::size_t row, std::uint64_t hash, std::string_view key) {
    KeyedRow::encode(key, codec_, batch.columns, row, encoded_);
    const Slot slot = table_->find(hash, encoded_);
    if (slot != kNoSlot && table_->as<Kept>(slot).count > 0) take_one(p, slot);
  }

  void take_one(Partition& p, Slot slot) {
    --p.total;
    table_->touch(slot);
    if (--table_->as<Kept>(slot).count > 0) return;
    p.rows.erase(slot);
    gone_.push_back(slot);   // what the batch emits may still show it
  }

  void order_of(const Batch& batch, std::size_t row) {
    ordered_.clear();
    for (const SortSpec::Key& k : spec_->order) append_ordered(*batch.columns[k.column], row, k, ordered_);
  }
  /// The row, whose order_of() was taken, into its place.
  void link(Partition& p, Slot slot) {
    if (slot >= order_.size()) order_.resize(std::max<std::size_t>(slot + 1, order_.size() * 2));
    order_[slot] = ordered_;
    p.rows.insert(slot);
  }
  std::uint64_t born(Slot slot) const { return table_->as<Kept>(slot).born; }

  void forget_gone() {
    std::ranges::sort(gone_);
    gone_.erase(std::ranges::unique(gone_).begin(), gone_.end());
    for (const Slot slot : gone_) {
      if (table_->as<Kept>(slot).count > 0) continue;   // it came back
      order_[slot] = {};
      table_->erase(slot);
    }
    gone_.clear();
  }

  // ---- results

  std::vector<Place> first_rows(const Partition& p) const {
    std::vector<Place> out;
    std::uint64_t left = spec_->limit;
    for (auto it = p.rows.begin(); it != p.rows.end() && left > 0; ++it) {
      const std::uint64_t copies = std::min(left, table_->as<Kept>(*it).count);
      out.push_back({*it, copies});
      left -= copies;
    }
    return out;
  }

  /// Emits what changed in the partition's first rows.
  Status close(Slot at, const Batch& batch, dataflow::Collector& out) {
    Partition& p = partitions_[at];
    p.open = false;
    const std::vector<Place> after = first_rows(p);
    const bool places = spec_->with_number || spec_->limit == 1;
    SUPYO_TRY(places ? emit_places(p.before, after, batch, p.cause, out) : emit_rows(p.before, after, batch, p.cause, out));
    p.before = {};
    if (p.rows.empty()) {
      p.total = 0;
      index_.erase(at);
    }
    return ok();
  }

  Status emit_places(const std::vector<Place>& before, const std::vector<Place>& after, const Batch& batch, const Origin& cause, dataflow::Collector& out) {
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

  Status emit_rows(const std::vector<Place>& before, const std::vector<Place>& after, const Batch& batch, const Origin& cause, dataflow::Collector& out) {
    const auto beyond = [&](const std::vector<Place>& rows, std::vector<Place> others, RowKind kind) -> Status {
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
  RowCodec codec_;
  GroupKeys keys_;
  state::KeyedTable* table_ = nullptr;
  state::KeyedTable index_;              // partition key -> slot, the place in partitions_; never part of an epoch
  std::vector<Partition> partitions_;
  std::vector<std::string> order_;       // by slot of the row: bytes that compare as the order says
  std::uint64_t next_born_ = 0;
  // Scratch of one call.
  BatchBuilder out_;
  std::vector<ColumnBuilder*> columns_;
  std::vector<Slot> open_, gone_;
  std::string encoded_, ordered_;
};

}  // namespace

Schema output_schema(const TopNSpec& spec) { return numbered(spec.input, spec.with_number); }

dataflow::OperatorFactory make_top_n(TopNSpec spec) {
  auto shared = std::make_shared<const TopNSpec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<TopN>(shared); };
}

}  // namespace supyo::operators
