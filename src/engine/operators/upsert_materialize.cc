#include "engine/operators/upsert_materialize.h"

#include <algorithm>

#include "core/base/bytes.h"
#include "engine/operators/group_keys.h"

namespace supyo::operators {
namespace {

using Spec = UpsertMaterializeSpec;

std::vector<Type> types_of(const Schema& input, const std::vector<std::size_t>& columns) {
  std::vector<Type> out;
  for (const std::size_t c : columns) out.push_back(input[c].type);
  return out;
}

/// In state: key -> its rows, each what tells it apart (nothing: the row itself) and the row.
class UpsertMaterialize final : public dataflow::Operator {
 public:
  explicit UpsertMaterialize(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)), keys_(spec_->input, spec_->keys), codec_(spec_->input.types()), id_codec_(types_of(spec_->input, spec_->row_key.value_or(std::vector<std::size_t>{}))),
        out_(spec_->input), out_columns_(builder_columns(out_, 0, spec_->input.size())) {}

  std::string_view name() const override { return "SinkMaterializer"; }
  state::StateSpec state() const override { return {.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "rows", .ttl_us = spec_->ttl_us}}}; }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    state::KeyedTable& table = ctx.state().keyed(0);
    table.expire(ctx.now_us());
    keys_.start_with_all(*batch);
    const auto views = keys_.views();
    for (std::size_t row = 0; row < batch->rows; ++row) {
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
      const bool goes = is_retraction(batch->kind(row));
      const state::Slot slot = goes ? table.find(keys_.hash(row), views[row]) : table.find_or_insert(keys_.hash(row), views[row]);
      if (slot == state::kNoSlot) continue;
      describe(*batch, row);
      read(table.blob(slot));
      const auto at = std::ranges::find_if(rows_, [&](const Row& r) { return spec_->row_key ? r.id == id_ : r.bytes == bytes_; });
      if (goes) SUPYO_TRY(leave(*batch, row, at, slot, table)); else come(*batch, row, at, slot, table);
    }
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

 private:
  struct Row {
    std::string_view id, bytes;
  };

  void describe(const Batch& batch, std::size_t row) {
    bytes_.clear();
    codec_.encode(batch.columns, row, bytes_);
    id_.clear();
    if (!spec_->row_key) return;
    picked_.clear();
    for (const std::size_t c : *spec_->row_key) picked_.push_back(batch.columns[c]);
    id_codec_.encode(picked_, row, id_);
  }

  void read(std::string_view blob) {
    kept_ = blob;
    rows_.clear();
    for (ByteReader in(kept_); !in.done() && !in.failed();) {
      const std::string_view id = in.text();
      rows_.push_back({id, in.text()});
    }
  }

  void write(state::Slot slot, state::KeyedTable& table) {
    blob_.clear();
    ByteWriter out(blob_);
    for (const Row& r : rows_) out.text(r.id), out.text(r.bytes);
    table.set_blob(slot, blob_);
  }

  void come(const Batch& batch, std::size_t row, std::vector<Row>::iterator at, state::Slot slot, state::KeyedTable& table) {
    const RowKind kind = rows_.empty() ? RowKind::kInsert : RowKind::kUpdateAfter;
    if (spec_->row_key && at != rows_.end()) *at = {id_, bytes_}; else rows_.push_back({id_, bytes_});
    write(slot, table);
    give(batch, row, kind);
  }

  Status leave(const Batch& batch, std::size_t row, std::vector<Row>::iterator at, state::Slot slot, state::KeyedTable& table) {
    if (at == rows_.end()) return ok();
    const bool was_last = at + 1 == rows_.end();
    rows_.erase(at);
    if (rows_.empty()) {
      table.erase(slot);
      give(batch, row, RowKind::kDelete);
      return ok();
    }
    write(slot, table);
    if (!was_last) return ok();
    if (!codec_.decode(rows_.back().bytes, out_columns_)) return fail(ErrorCode::kDamaged, "state of SinkMaterializer: a row does not decode");
    end_row(batch, row, RowKind::kUpdateAfter);
    return ok();
  }

  void give(const Batch& batch, std::size_t row, RowKind kind) {
    for (std::size_t c = 0; c < batch.columns.size(); ++c) out_.column(c).append_from(*batch.columns[c], row);
    end_row(batch, row, kind);
  }
  void end_row(const Batch& batch, std::size_t row, RowKind kind) {
    if (batch.origins.empty()) out_.end_row(kind); else out_.end_row(kind, batch.origins[row]);
  }

  std::shared_ptr<const Spec> spec_;
  GroupKeys keys_;
  RowCodec codec_, id_codec_;
  // Scratch of one call.
  BatchBuilder out_;
  std::vector<ColumnBuilder*> out_columns_;
  std::vector<Row> rows_;        // of the key at hand, in kept_
  std::vector<ColumnPtr> picked_;
  std::string kept_, bytes_, id_, blob_;
};

}  // namespace

dataflow::OperatorFactory make_upsert_materialize(UpsertMaterializeSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<UpsertMaterialize>(shared); };
}

}  // namespace supyo::operators
