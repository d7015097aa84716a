#include "engine/operators/over_table.h"

#include <algorithm>

#include "core/base/bytes.h"
#include "engine/operators/accumulators.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/keyed_row.h"
#include "engine/operators/order_bytes.h"

namespace supyo::operators {
namespace {

using state::kNoSlot;
using state::Slot;
using Call = OverTableSpec::Call;

std::vector<expr::AggregateCall> aggregates_of(const OverTableSpec& spec) {
  std::vector<expr::AggregateCall> out;
  for (const Call& c : spec.calls)
    if (c.kind == Call::Kind::kAggregate) out.push_back(c.aggregate);
  return out;
}

std::vector<Type> types_of(const std::vector<Call>& calls) {
  std::vector<Type> out;
  for (const Call& c : calls) out.push_back(c.type);
  return out;
}

/// How far a change reaches.
struct Reach {
  std::uint64_t back = 0;       // rows before the first change that see it
  std::uint64_t ahead = 0;      // rows behind the last change that see it, unless
  bool to_the_end = false;      // all behind it do
  bool everywhere = false;      // all rows of the partition do
};

Reach reach_of(const OverTableSpec& spec) {
  Reach out;
  for (const Call& c : spec.calls) {
    const auto away = static_cast<std::uint64_t>(c.number);
    switch (c.kind) {
      case Call::Kind::kLag: out.ahead = std::max(out.ahead, away); break;
      case Call::Kind::kLead: out.back = std::max(out.back, away); break;
      case Call::Kind::kPercentRank:
      case Call::Kind::kCumeDist:
      case Call::Kind::kNtile: out.everywhere = true; break;
      case Call::Kind::kAggregate:
        if (spec.preceding) out.ahead = std::max(out.ahead, *spec.preceding);
        else out.to_the_end = true;
        break;
      default: out.to_the_end = true;
    }
  }
  if (spec.order.empty()) out.everywhere = true;
  return out;
}

/// In state: KeyedRow of the partition's key and the row -> how often the row is there, when it came, and the results that each copy was emitted with. In memory
/// beside it: the rows of a partition in order, and under an unbounded frame what had gone into the aggregates when the frame of a row was complete.
class OverTable final : public dataflow::Operator {
 public:
  explicit OverTable(std::shared_ptr<const OverTableSpec> spec)
      : spec_(std::move(spec)), reach_(reach_of(*spec_)), codec_(spec_->input.types()), result_codec_(types_of(spec_->calls)), keys_(spec_->input, spec_->partition), index_({.name = "index"}),
        accumulators_(aggregates_of(*spec_), 0), scratch_({.name = "scratch", .fixed_width = accumulators_.width()}), out_(output_schema(*spec_)),
        out_columns_(builder_columns(out_, 0, spec_->input.size())), out_results_(builder_columns(out_, spec_->input.size(), spec_->calls.size())), rows_(spec_->input),
        rows_columns_(builder_columns(rows_, 0, spec_->input.size())) {
    for (const Call& c : spec_->calls) results_.emplace_back(c.type);
    for (std::size_t i = 0; i < spec_->calls.size(); ++i)
      if (spec_->calls[i].kind == Call::Kind::kAggregate) aggregate_results_.push_back(&results_[i]);
    frame_ = scratch_.find_or_insert(0, "");
    // A prefix is a copy of the bytes in place.
    keeps_prefixes_ = accumulators_.size() > 0 && !spec_->preceding && !accumulators_.has_blobs();
  }

  std::string_view name() const override { return "OverAggregate"; }
  state::StateSpec state() const override {
    using Kind = state::TableSpec::Kind;
    state::StateSpec out{.tables = {{.kind = Kind::kKeyed, .name = "rows", .fixed_width = static_cast<std::uint32_t>(sizeof(Kept)), .shared_hashes = true}}};
    if (spec_->ttl_us > 0) out.tables.push_back({.kind = Kind::kKeyed, .name = "partitions", .ttl_us = spec_->ttl_us});
    return out;
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    SUPYO_TRY(attach(ctx.state().keyed(0)));
    keys_.start_with_all(*batch);
    const auto views = keys_.views();
    if (spec_->ttl_us > 0) keep_partitions(ctx.state().keyed(1), views, ctx.now_us());
    for (std::size_t row = 0; row < batch->rows; ++row) take(*batch, row, keys_.hash(row), views[row]);
    for (const Slot at : open_) SUPYO_TRY(close(at, batch->origins.empty(), out));
    open_.clear();
    index_.forget_changes();
    scratch_.forget_changes();
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

 private:
  struct Kept {
    std::uint64_t count = 0;
    std::uint64_t born = 0;
  };
  struct Partition {
    std::vector<Slot> rows;         // in order; of one that is there n times, n times
    std::vector<Slot> touched;      // by the batch
    bool open = false;
    bool has_prefixes = false;
    Origin cause;
  };
  /// What memory keeps of a row.
  struct Row {
    std::string order;              // bytes that compare as the order says
    std::uint64_t shown = 0;        // copies that were emitted
    std::uint64_t touch = 0;        // number of the batch in which it was touched last
  };

  // ---- rows

  Status attach(state::KeyedTable& table) {
    ++batch_;
    if (table_ != nullptr) return ok();
    table_ = &table;
    std::vector<Slot> slots;
    table.for_each([&](Slot slot) { slots.push_back(slot); });
    for (std::size_t from = 0; from < slots.size(); from += Batch::kMaxRows) {
      const std::size_t to = std::min(slots.size(), from + Batch::kMaxRows);
      for (std::size_t i = from; i < to; ++i) SUPYO_TRY(decode(slots[i], rows_columns_));
      for (std::size_t i = from; i < to; ++i) rows_.end_row();
      const BatchPtr batch = rows_.finish();
      for (std::size_t i = from; i < to; ++i) {
        const Slot slot = slots[i];
        const Kept kept = table.as<Kept>(slot);
        Row& row = row_at(slot);
        order_of(*batch, i - from, row.order);
        row.shown = kept.count;
        Partition& p = partition_at(index_.find_or_insert(table.hash(slot), KeyedRow::key(table.key(slot))));
        p.rows.insert(p.rows.end(), kept.count, slot);
        next_born_ = std::max(next_born_, kept.born + 1);
      }
      table.relax();
    }
    for (Partition& p : partitions_) std::ranges::sort(p.rows, [&](Slot a, Slot b) { return before(a, b); });
    return ok();
  }

  /// Forgets the partitions whose time is over; those of the keys go on.
  void keep_partitions(state::KeyedTable& used, std::span<const std::string_view> keys, TimeUs now_us) {
    used.expire(now_us, [&](Slot gone) {
      const Slot at = index_.find(used.hash(gone), used.key(gone));
      if (at == kNoSlot) return;
      Partition& p = partitions_[at];
      p.rows.erase(std::ranges::unique(p.rows).begin(), p.rows.end());
      for (const Slot slot : p.rows) {
        row_of_[slot] = {};
        table_->erase(slot);
      }
      p = {};
      index_.erase(at);
    });
    for (std::size_t row = 0; row < keys.size(); ++row) used.touch(used.find_or_insert(keys_.hash(row), keys[row]));
  }

  Partition& partition_at(Slot at) {
    if (at >= partitions_.size()) partitions_.resize(at + 1);
    return partitions_[at];
  }
  Row& row_at(Slot slot) {
    if (slot >= row_of_.size()) row_of_.resize(std::max<std::size_t>(slot + 1, row_of_.size() * 2));
    return row_of_[slot];
  }

  void take(const Batch& batch, std::size_t row, std::uint64_t hash, std::string_view key) {
    KeyedRow::encode(key, codec_, batch.columns, row, bytes_);
    const bool leaves = is_retraction(batch.kind(row));
    const Slot slot = leaves ? table_->find(hash, bytes_) : table_->find_or_insert(hash, bytes_);
    if (slot == kNoSlot || (leaves && table_->as<Kept>(slot).count == 0)) return;
    Row& kept_row = row_at(slot);
    Kept& kept = table_->as<Kept>(slot);
    const Slot at = index_.find_or_insert(hash, key);
    Partition& p = partition_at(at);
    if (!p.open) {
      p.open = true;
      p.cause = {};
      open_.push_back(at);
    }
    if (!batch.origins.empty()) p.cause.merge(batch.origins[row]);
    if (kept_row.touch != batch_) {
      kept_row.touch = batch_;
      p.touched.push_back(slot);
    }
    if (leaves) {
      --kept.count;
    } else if (kept.count++ == 0 && kept_row.shown == 0) {
      kept.born = next_born_++;
      order_of(batch, row, kept_row.order);
    }
    table_->touch(slot);
  }

  void order_of(const Batch& batch, std::size_t row, std::string& out) const {
    out.clear();
    for (const SortSpec::Key& k : spec_->order) append_ordered(*batch.columns[k.column], row, k, out);
  }

  bool before(Slot a, Slot b) const {
    const int order = row_of_[a].order.compare(row_of_[b].order);
    return order != 0 ? order < 0 : table_->as<Kept>(a).born < table_->as<Kept>(b).born;
  }
  bool equal(Slot a, Slot b) const { return row_of_[a].order == row_of_[b].order; }

  Status decode(Slot slot, std::span<ColumnBuilder* const> into) const {
    if (codec_.decode(KeyedRow::row(table_->key(slot)), into)) return ok();
    return fail(ErrorCode::kDamaged, "state of OverAggregate: a row does not decode");
  }

  // ---- a partition that the batch has touched

  Status close(Slot at, bool without_origins, dataflow::Collector& out) {
    Partition& p = partitions_[at];
    p.open = false;
    with_origin_ = !without_origins;
    std::erase_if(p.touched, [&](Slot s) { return table_->as<Kept>(s).count == row_of_[s].shown && row_of_[s].shown > 0; });
    const auto [from, to] = merge(p);
    for (const Slot slot : p.touched) SUPYO_TRY(take_back(p, slot, out));
    if (from < p.rows.size()) SUPYO_TRY(compute(p, from, to, out));
    for (const Slot slot : p.touched) settle(slot);
    p.touched = {};
    if (p.rows.empty()) {
      p = {};
      index_.erase(at);
    }
    return ok();
  }

  void settle(Slot slot) {
    const std::uint64_t count = table_->as<Kept>(slot).count;
    row_of_[slot].shown = count;
    if (count > 0) return;
    row_of_[slot] = {};
    table_->erase(slot);
  }

  /// Puts the rows into order as they are now: from where to where results may be others.
  std::pair<std::size_t, std::size_t> merge(Partition& p) {
    if (p.touched.empty()) return {p.rows.size(), p.rows.size()};
    std::ranges::sort(p.touched, [&](Slot a, Slot b) { return before(a, b); });
    const auto first = std::ranges::lower_bound(p.rows, p.touched.front(), [&](Slot a, Slot b) { return before(a, b); });
    const auto from = static_cast<std::size_t>(first - p.rows.begin());
    merged_.assign(first, p.rows.end());
    p.rows.resize(from);
    std::size_t last = from;
    auto next = merged_.begin();
    for (const Slot slot : p.touched) {
      while (next != merged_.end() && *next != slot && before(*next, slot)) p.rows.push_back(*next++);
      while (next != merged_.end() && *next == slot) ++next;
      p.rows.insert(p.rows.end(), table_->as<Kept>(slot).count, slot);
      last = p.rows.size();
    }
    p.rows.insert(p.rows.end(), next, merged_.end());
    return affected(p, from, last);
  }

  std::pair<std::size_t, std::size_t> affected(const Partition& p, std::size_t from, std::size_t last) const {
    const std::size_t size = p.rows.size();
    if (size == 0 || reach_.everywhere) return {0, size};
    const std::size_t to = reach_.to_the_end || size - last < reach_.ahead ? size : last + reach_.ahead;
    // Equal rows have equal frames: those before the change, too.
    if (!spec_->rows)
      while (from > 0 && equal(p.rows[from - 1], p.touched.front())) --from;
    from -= std::min(from, static_cast<std::size_t>(reach_.back));
    // Frames are complete before it, and so are copies of a row.
    while (from > 0 && from < size && (p.rows[from - 1] == p.rows[from] || (!spec_->rows && equal(p.rows[from - 1], p.rows[from])))) --from;
    return {from, to};
  }

  Status take_back(const Partition& p, Slot slot, dataflow::Collector& out) {
    const std::uint64_t count = table_->as<Kept>(slot).count;
    if (count >= row_of_[slot].shown) return ok();
    ByteReader in(table_->blob(slot));
    kept_results_.clear();
    for (std::uint64_t copy = 0; copy < row_of_[slot].shown; ++copy) {
      const std::string_view old = in.text();
      if (copy < count) ByteWriter(kept_results_).text(old);
      else SUPYO_TRY(emit(p, slot, old, RowKind::kDelete, out));
    }
    if (in.failed()) return fail(ErrorCode::kDamaged, "state of OverAggregate: results do not decode");
    table_->set_blob(slot, kept_results_);
    row_of_[slot].shown = count;
    return ok();
  }

  Status emit(const Partition& p, Slot slot, std::string_view results, RowKind kind, dataflow::Collector& out) {
    SUPYO_TRY(decode(slot, out_columns_));
    if (!result_codec_.decode(results, out_results_)) return fail(ErrorCode::kDamaged, "state of OverAggregate: results do not decode");
    if (with_origin_) out_.end_row(kind, p.cause);
    else out_.end_row(kind);
    // An update's two rows stay in one batch.
    return kind != RowKind::kUpdateBefore && out_.rows() + 2 > Batch::kMaxRows ? out.emit(out_.finish()) : ok();
  }

  /// Computes the results of rows [from, to), and emits those that are others than they were.
  Status compute(Partition& p, std::size_t from, std::size_t to, dataflow::Collector& out) {
    // Rows that a frame, a LAG or a LEAD reads, or that went into the aggregates before and left no prefix.
    std::size_t first = from - std::min<std::size_t>(from, std::max(reach_.ahead, spec_->preceding.value_or(0)));
    if (accumulators_.size() > 0 && !spec_->preceding && !(keeps_prefixes_ && p.has_prefixes)) first = 0;
    std::size_t last = std::min<std::size_t>(p.rows.size(), to + reach_.back);
    if (!spec_->rows)
      while (last < p.rows.size() && equal(p.rows[last], p.rows[last - 1])) ++last;
    for (std::size_t i = first; i < last; ++i) {
      SUPYO_TRY(decode(p.rows[i], rows_columns_));
      rows_.end_row();
    }
    const BatchPtr rows = rows_.finish();
    for (std::size_t c = 0; c < spec_->calls.size(); ++c)
      if (spec_->calls[c].kind != Call::Kind::kAggregate) number(p, *rows, spec_->calls[c], first, from, to, results_[c]);
    if (accumulators_.size() > 0) SUPYO_TRY(spec_->preceding ? frames(*rows, first, from, to) : running(p, *rows, first, from, to));
    columns_.clear();
    for (ColumnBuilder& b : results_) columns_.push_back(b.finish());
    return show(p, from, to, out);
  }

  /// Aggregates of the last rows before each.
  Status frames(const Batch& rows, std::size_t first, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      begin_frame();
      const std::size_t begin = i - std::min<std::size_t>(i, *spec_->preceding);
      SUPYO_TRY(fold(rows, begin - first, i + 1 - first));
      SUPYO_TRY(accumulators_.append_values(scratch_, frame_, aggregate_results_));
    }
    return ok();
  }

  /// Aggregates of all rows up to each, or up to the last that is equal to it.
  Status running(Partition& p, const Batch& rows, std::size_t first, std::size_t from, std::size_t to) {
    begin_frame();
    std::size_t at = first;
    if (keeps_prefixes_) {
      if (p.has_prefixes && from > 0) std::copy_n(prefixes_.data() + p.rows[from - 1] * std::size_t{accumulators_.width()}, accumulators_.width(), scratch_.fixed(frame_));
      if (p.has_prefixes) at = from;
      p.has_prefixes = true;
    }
    while (at < to) {
      std::size_t end = at + 1;
      if (!spec_->rows)
        while (end < p.rows.size() && equal(p.rows[end], p.rows[at])) ++end;
      SUPYO_TRY(fold(rows, at - first, end - first));
      for (; at < end; ++at) {
        if (keeps_prefixes_) keep_prefix(p.rows[at]);
        if (at >= from && at < to) SUPYO_TRY(accumulators_.append_values(scratch_, frame_, aggregate_results_));
      }
    }
    return ok();
  }

  void begin_frame() {
    std::fill_n(scratch_.fixed(frame_), accumulators_.width(), std::byte{0});
    if (accumulators_.has_blobs()) scratch_.set_blob(frame_, {});
  }
  void keep_prefix(Slot slot) {
    const std::size_t width = accumulators_.width();
    if ((slot + 1) * width > prefixes_.size()) prefixes_.resize(std::max((slot + 1) * width, prefixes_.size() * 2));
    std::copy_n(scratch_.fixed(frame_), width, prefixes_.data() + slot * width);
  }
  Status fold(const Batch& rows, std::size_t from, std::size_t to) {
    picked_.clear();
    for (std::size_t i = from; i < to; ++i) picked_.push_back(static_cast<std::uint32_t>(i));
    slots_.assign(picked_.size(), frame_);
    return accumulators_.update(rows, picked_, slots_, {}, scratch_);
  }

  /// What does not go into an accumulator. `rows` begins with row `first` of the partition.
  void number(const Partition& p, const Batch& rows, const Call& call, std::size_t first, std::size_t from, std::size_t to, ColumnBuilder& result) const {
    if (from >= to) return;
    const std::size_t size = p.rows.size();
    std::size_t peers = from, dense = 0;   // where the row's equals begin, and how many different ones stand before it
    while (peers > 0 && equal(p.rows[peers - 1], p.rows[from])) --peers;
    if (call.kind == Call::Kind::kDenseRank)
      for (std::size_t i = 1; i <= peers; ++i) dense += i == peers || !equal(p.rows[i], p.rows[i - 1]) ? 1 : 0;
    std::size_t end = peers;               // ..and where they end
    for (std::size_t i = from; i < to; ++i) {
      if (i > from && !equal(p.rows[i], p.rows[i - 1])) peers = i, ++dense;
      switch (call.kind) {
        case Call::Kind::kRowNumber: result.append(static_cast<std::int64_t>(i + 1)); break;
        case Call::Kind::kRank: result.append(static_cast<std::int64_t>(peers + 1)); break;
        case Call::Kind::kDenseRank: result.append(static_cast<std::int64_t>(dense + 1)); break;
        case Call::Kind::kPercentRank: result.append(size == 1 ? 0.0 : static_cast<double>(peers) / static_cast<double>(size - 1)); break;
        case Call::Kind::kCumeDist:
          end = std::max(end, i + 1);
          while (end < size && equal(p.rows[end], p.rows[i])) ++end;
          result.append(static_cast<double>(end) / static_cast<double>(size));
          break;
        case Call::Kind::kNtile: result.append(bucket(i, size, static_cast<std::size_t>(call.number))); break;
        default: look(rows, call, i, first, size, result);
      }
    }
  }

  /// The first buckets have one row more where rows do not divide evenly.
  static std::int64_t bucket(std::size_t i, std::size_t size, std::size_t buckets) {
    const std::size_t small = size / buckets, larger = size % buckets;
    const std::size_t in_larger = larger * (small + 1);
    return static_cast<std::int64_t>(i < in_larger ? i / (small + 1) + 1 : larger + (i - in_larger) / small + 1);
  }

  static void look(const Batch& rows, const Call& call, std::size_t i, std::size_t first, std::size_t size, ColumnBuilder& result) {
    const auto away = static_cast<std::size_t>(call.number);
    const bool there = call.kind == Call::Kind::kLag ? away <= i : away < size - i;
    if (there) result.append_from(*rows.columns[call.column], (call.kind == Call::Kind::kLag ? i - away : i + away) - first);
    else if (call.default_column != SIZE_MAX) result.append_from(*rows.columns[call.default_column], i - first);
    else result.append_null();
  }

  /// Compares what was computed of rows [from, to) with what they were emitted with.
  Status show(const Partition& p, std::size_t from, std::size_t to, dataflow::Collector& out) {
    for (std::size_t i = from; i < to;) {
      const Slot slot = p.rows[i];
      // Copies of a row stand together; those outside of what was computed stay as they are.
      std::size_t copy = 0;
      while (i > copy && p.rows[i - copy - 1] == slot) ++copy;
      ByteReader in(table_->blob(slot));
      old_.clear();
      for (std::uint64_t k = 0; k < row_of_[slot].shown; ++k) old_.emplace_back(in.text());
      if (in.failed()) return fail(ErrorCode::kDamaged, "state of OverAggregate: results do not decode");
      kept_results_.clear();
      ByteWriter writer(kept_results_);
      bool changed = false;
      for (std::size_t k = 0; k < copy; ++k) writer.text(old_[k]);
      for (; i < to && p.rows[i] == slot; ++i, ++copy) {
        bytes_.clear();
        result_codec_.encode(columns_, i - from, bytes_);
        writer.text(bytes_);
        const bool fresh = copy >= old_.size();
        if (!fresh && old_[copy] == bytes_) continue;
        changed = true;
        if (!fresh && spec_->update_before) SUPYO_TRY(emit(p, slot, old_[copy], RowKind::kUpdateBefore, out));
        SUPYO_TRY(emit(p, slot, bytes_, fresh ? RowKind::kInsert : RowKind::kUpdateAfter, out));
      }
      for (; copy < old_.size(); ++copy) writer.text(old_[copy]);
      if (changed) table_->set_blob(slot, kept_results_);
    }
    return ok();
  }

  std::shared_ptr<const OverTableSpec> spec_;
  Reach reach_;
  RowCodec codec_, result_codec_;
  GroupKeys keys_;
  state::KeyedTable* table_ = nullptr;
  state::KeyedTable index_;               // partition key -> slot, the place in partitions_; never part of an epoch
  std::vector<Partition> partitions_;
  std::vector<Row> row_of_;               // by slot of the row
  bool keeps_prefixes_ = false;
  std::vector<std::byte> prefixes_;       // so, too: accumulators after the row's frame
  std::uint64_t next_born_ = 0, batch_ = 0;
  // Scratch of one call.
  Accumulators accumulators_;
  state::KeyedTable scratch_;             // one frame
  Slot frame_ = kNoSlot;
  BatchBuilder out_;
  std::vector<ColumnBuilder*> out_columns_, out_results_;
  BatchBuilder rows_;
  std::vector<ColumnBuilder*> rows_columns_, aggregate_results_;
  std::vector<ColumnBuilder> results_;
  std::vector<ColumnPtr> columns_;
  std::vector<Slot> open_, merged_, slots_;
  std::vector<std::uint32_t> picked_;
  std::vector<std::string> old_;
  bool with_origin_ = false;
  std::string bytes_, kept_results_;
};

}  // namespace

Schema output_schema(const OverTableSpec& spec) {
  Schema s = spec.input;
  for (const Call& c : spec.calls) s.add(c.name, c.type);
  return s;
}

dataflow::OperatorFactory make_over_table(OverTableSpec spec) {
  auto shared = std::make_shared<const OverTableSpec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<OverTable>(shared); };
}

}  // namespace supyo::operators
