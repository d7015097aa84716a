#include "engine/operators/window_rank.h"

#include "core/base/bytes.h"
#include "data/types/changelog.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/late_rows.h"
#include "engine/operators/order_bytes.h"

namespace supyo::operators {
namespace {

using state::Slot;
using Spec = WindowRankSpec;

/// In state: partition -> its first rows, in order. Of each: the bytes it is ordered by, [origin] and its RowCodec bytes, each part with its length before it.
class WindowRank final : public dataflow::Operator {
 public:
  explicit WindowRank(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        codec_(spec_->input.types()),
        keys_(spec_->input, spec_->partition),
        late_(spec_->label),
        out_(output_schema(*spec_)),
        columns_(builder_columns(out_, 0, spec_->input.size())) {}

  std::string_view name() const override { return "WindowRank"; }
  state::StateSpec state() const override {
    return {.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "windows", .fixed_width = static_cast<std::uint32_t>(sizeof(Kept)), .timed = true}}};
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    SUPYO_TRY(pick(*batch, ctx));
    if (rows_.empty()) return ok();
    state::KeyedTable& table = ctx.state().keyed(0);
    slots_.resize(rows_.size());
    inserted_.resize(rows_.size());
    table.find_or_insert(hashes_, keys_.views(), times_, slots_, inserted_);
    for (std::size_t i = 0; i < rows_.size(); ++i) add(*batch, rows_[i], slots_[i], table);
    return ok();
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    state::KeyedTable& table = ctx.state().keyed(0);
    due_.clear();
    table.due(w.us, due_);
    for (const Slot slot : due_) {
      SUPYO_TRY(fire(table, slot, out));
      table.erase(slot);
    }
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

 private:
  struct Kept {
    std::uint64_t rows = 0;
    std::uint64_t last = 0;   // where the last one begins in the blob
  };

  /// Fills rows_, times_, hashes_ and the keys; the late rows go to T$late.
  Status pick(const Batch& batch, dataflow::OperatorContext& ctx) {
    rows_.clear();
    times_.clear();
    hashes_.clear();
    keys_.start(batch);
    const TimeUs combined = ctx.watermark_us();
    const auto starts = batch.columns[spec_->start_column]->values<std::int64_t>();
    const auto ends = batch.columns[spec_->end_column]->values<std::int64_t>();
    for (std::uint32_t row = 0; row < batch.rows; ++row) {
      if (batch.kind(row) != RowKind::kInsert) [[unlikely]]
        return fail(ErrorCode::kUnsupported, "a Top-N of a window over an updating input is not supported", "rank before the rows are changed");
      const TimeUs fires = spec_->zone.passed(ends[row] - kWindowGrain);
      const TimeUs edge = edge_watermark(batch, row, combined);
      if (edge >= fires || combined >= fires) [[unlikely]] {
        late_.add({.row = row, .watermark_us = edge, .time_us = fires, .window_start_us = starts[row], .window_end_us = ends[row],
                   .reason = edge >= fires ? LateRows::Reason::kLate : LateRows::Reason::kIdleReturn});
        continue;
      }
      rows_.push_back(row);
      times_.push_back(fires);
      hashes_.push_back(keys_.hash(row));
      keys_.add(row);
    }
    return late_.empty() ? ok() : late_.flush(batch, ctx);
  }

  void add(const Batch& batch, std::uint32_t row, Slot slot, state::KeyedTable& table) {
    ordered_.clear();
    for (const SortSpec::Key& k : spec_->order) append_ordered(*batch.columns[k.column], row, k, ordered_);
    const Kept kept = table.as<Kept>(slot);
    const std::string_view blob = table.blob(slot);
    const bool full = kept.rows >= spec_->limit;
    if (full && ordered_ >= ByteReader(blob.substr(kept.last)).text()) return;
    row_.clear();
    if (spec_->origins) {
      const Origin o = batch.origins.empty() ? Origin{} : batch.origins[row];
      row_.append(reinterpret_cast<const char*>(&o), sizeof o);
    }
    codec_.encode(batch.columns, row, row_);
    blob_.clear();
    ByteWriter writer(blob_);
    Kept now{.rows = 0, .last = 0};
    const auto put = [&](std::string_view order, std::string_view bytes) {
      now.last = blob_.size();
      ++now.rows;
      writer.text(order);
      writer.text(bytes);
    };
    bool placed = false;
    for (ByteReader in(blob); !in.done() && !in.failed() && now.rows < spec_->limit;) {
      const std::string_view order = in.text();
      const std::string_view bytes = in.text();
      if (!placed && ordered_ < order) {
        placed = true;
        put(ordered_, row_);
        if (now.rows == spec_->limit) break;
      }
      put(order, bytes);
    }
    if (!placed) put(ordered_, row_);
    table.set_blob(slot, blob_);
    table.as<Kept>(slot) = now;
  }

  Status fire(const state::KeyedTable& table, Slot slot, dataflow::Collector& out) {
    const TimeUs end = table.time(slot) + kWindowGrain;
    std::int64_t number = 0;
    for (ByteReader in(table.blob(slot)); !in.done();) {
      in.text();
      std::string_view bytes = in.text();
      Origin origin;
      if (spec_->origins && bytes.size() >= sizeof origin) {
        std::memcpy(&origin, bytes.data(), sizeof origin);
        bytes.remove_prefix(sizeof origin);
      }
      if (in.failed() || !codec_.decode(bytes, columns_)) return fail(ErrorCode::kDamaged, fmt::format("state of {}: a row does not decode", spec_->label));
      if (spec_->with_number) out_.column(columns_.size()).append(++number);
      // The result is complete no earlier than its window's end.
      origin.event_max = std::max(origin.event_max, end);
      if (spec_->origins) out_.end_row(RowKind::kInsert, origin); else out_.end_row();
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
    }
    return ok();
  }

  std::shared_ptr<const Spec> spec_;
  RowCodec codec_;
  GroupKeys keys_;
  // Scratch of one call.
  LateRows late_;
  BatchBuilder out_;
  std::vector<ColumnBuilder*> columns_;
  std::vector<std::uint32_t> rows_;
  std::vector<TimeUs> times_;
  std::vector<std::uint64_t> hashes_;
  std::vector<Slot> slots_, due_;
  std::vector<std::uint8_t> inserted_;
  std::string ordered_, row_, blob_;
};

}  // namespace

Schema output_schema(const WindowRankSpec& spec) { return numbered(spec.input, spec.with_number); }

dataflow::OperatorFactory make_window_rank(WindowRankSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<WindowRank>(shared); };
}

}  // namespace supyo::operators
