#include "engine/operators/changelog_normalize.h"

#include "engine/operators/group_keys.h"

namespace supyo::operators {
namespace {

using Spec = ChangelogNormalizeSpec;

class ChangelogNormalize final : public dataflow::Operator {
 public:
  explicit ChangelogNormalize(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)), codec_(spec_->input.types()), keys_(spec_->input, spec_->keys), out_(spec_->input), columns_(builder_columns(out_, 0, spec_->input.size())) {}

  std::string_view name() const override { return "ChangelogNormalize"; }
  state::StateSpec state() const override { return {.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "rows", .ttl_us = spec_->ttl_us}}}; }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    state::KeyedTable& table = ctx.state().keyed(0);
    table.expire(ctx.now_us());
    keys_.start_with_all(*batch);
    slots_.resize(batch->rows);
    inserted_.resize(batch->rows);
    table.find_or_insert(keys_.hashes(), keys_.views(), {}, slots_, inserted_);
    emptied_.clear();
    for (std::size_t row = 0; row < batch->rows; ++row) {
      if (out_.rows() + 2 > Batch::kMaxRows) SUPYO_TRY(flush(out));
      SUPYO_TRY(take(*batch, row, slots_[row], table));
    }
    // A key may go and come back within the batch: its slot is given up only when it is gone at the end.
    std::ranges::sort(emptied_);
    emptied_.erase(std::ranges::unique(emptied_).begin(), emptied_.end());
    for (const state::Slot slot : emptied_)
      if (table.blob(slot).empty()) table.erase(slot);
    return out_.rows() > 0 ? flush(out) : ok();
  }

 private:
  /// An empty blob: the key is not there (a kept row has at least its null bits).
  Status take(const Batch& batch, std::size_t row, state::Slot slot, state::KeyedTable& table) {
    const std::string_view kept = table.blob(slot);
    if (is_retraction(batch.kind(row))) {
      emptied_.push_back(slot);
      if (kept.empty()) return ok();
      SUPYO_TRY(append(kept, RowKind::kDelete, batch, row));
      table.set_blob(slot, {});
      return ok();
    }
    row_.clear();
    codec_.encode(batch.columns, row, row_);
    if (row_ == kept) return ok();
    if (kept.empty()) {
      append_from(batch, row, RowKind::kInsert);
    } else {
      if (spec_->update_before) SUPYO_TRY(append(kept, RowKind::kUpdateBefore, batch, row));
      append_from(batch, row, RowKind::kUpdateAfter);
    }
    table.set_blob(slot, row_);
    return ok();
  }

  Status append(std::string_view kept, RowKind kind, const Batch& batch, std::size_t row) {
    if (!codec_.decode(kept, columns_)) return fail(ErrorCode::kDamaged, "state of ChangelogNormalize: a row does not decode");
    end_row(kind, batch, row);
    return ok();
  }

  void append_from(const Batch& batch, std::size_t row, RowKind kind) {
    for (std::size_t c = 0; c < columns_.size(); ++c) columns_[c]->append_from(*batch.columns[c], row);
    end_row(kind, batch, row);
  }

  Status flush(dataflow::Collector& out) {
    BatchPtr batch = out_.finish();
    if (!edges_.empty()) {
      auto with_edges = std::make_shared<Batch>(*batch);
      with_edges->edge_watermarks = std::exchange(edges_, {});
      batch = std::move(with_edges);
    }
    return out.emit(std::move(batch));
  }

  /// A change is as old as the row that brought it, whatever it takes back, and met its watermark.
  void end_row(RowKind kind, const Batch& batch, std::size_t row) {
    if (!batch.edge_watermarks.empty()) edges_.push_back(batch.edge_watermarks[row]);
    if (batch.origins.empty()) out_.end_row(kind);
    else out_.end_row(kind, batch.origins[row]);
  }

  std::shared_ptr<const Spec> spec_;
  RowCodec codec_;
  GroupKeys keys_;
  // Scratch of one call.
  BatchBuilder out_;
  std::vector<ColumnBuilder*> columns_;
  std::vector<state::Slot> slots_, emptied_;
  std::vector<std::uint8_t> inserted_;
  std::vector<TimeUs> edges_;
  std::string row_;
};

}  // namespace

dataflow::OperatorFactory make_changelog_normalize(ChangelogNormalizeSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<ChangelogNormalize>(shared); };
}

}  // namespace supyo::operators
