#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/types/row_codec.h"
#include "engine/dataflow/operator.h"
#include "testkit/rows.h"

namespace supyo::testkit {

/// Emits (k, how many rows of k came so far, ts) for every row: what is emitted for a key is 1, 2, .. n whatever the order, so that a lost or
/// repeated row shows at once.
class CountPerKey final : public dataflow::Operator {
 public:
  std::string_view name() const override { return "CountPerKey"; }
  state::StateSpec state() const override {
    return {.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "counts", .fixed_width = sizeof(std::int64_t), .timed = false}}};
  }
  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    state::KeyedTable& counts = ctx.state().keyed(0);
    std::vector<std::uint64_t> hashes(batch->rows);
    const std::vector<ColumnPtr> keys{batch->columns[0]};
    hash_rows(keys, batch->rows, hashes);
    BatchBuilder b(test_schema(), batch->rows);
    for (std::size_t row = 0; row < batch->rows; ++row) {
      const std::int64_t k = batch->columns[0]->integer(row);
      const state::Slot slot = counts.find_or_insert(hashes[row], std::string_view(reinterpret_cast<const char*>(&k), sizeof k));
      const std::int64_t n = ++counts.as<std::int64_t>(slot);
      counts.touch(slot);
      b.column(0).append_integer(k);
      b.column(1).append_integer(n);
      b.column(2).append_from(*batch->columns[2], row);
      if (batch->origins.empty()) b.end_row();
      else b.end_row(RowKind::kInsert, batch->origins[row]);
    }
    return out.emit(b.finish());
  }
};

/// Holds rows until the watermark passes them and gives them in order of time; a row at or behind the watermark that its own split had before
/// it is late. What a window does, without the window.
class SortByTime final : public dataflow::Operator {
 public:
  std::string_view name() const override { return "SortByTime"; }
  state::StateSpec state() const override {
    return {.tables = {{.kind = state::TableSpec::Kind::kOrdered, .name = "rows", .fixed_width = 0, .timed = false}}};
  }
  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    std::vector<std::uint64_t> hashes(batch->rows);
    const std::vector<ColumnPtr> keys{batch->columns[0]};
    hash_rows(keys, batch->rows, hashes);
    std::string bytes;
    BatchBuilder late(dataflow::late_schema(test_schema()), 4);
    for (std::size_t row = 0; row < batch->rows; ++row) {
      const TimeUs t = batch->columns[2]->integer(row);
      const TimeUs edge = batch->edge_watermarks.empty() ? ctx.watermark_us() : batch->edge_watermarks[row];
      if (t <= edge) {
        for (std::size_t c = 0; c < 3; ++c) late.column(c).append_from(*batch->columns[c], row);
        late.column(3).append_integer(edge);
        late.column(4).append_integer((edge - t) / kMillisecond);
        late.column(5).append_null();
        late.column(6).append_null();
        late.column(7).append_text(name());
        late.column(8).append_text("LATE");
        late.end_row();
        continue;
      }
      bytes.clear();
      codec_.encode(batch->columns, row, bytes);
      ctx.state().ordered(0).insert(t, hashes[row], bytes);
    }
    return late.rows() > 0 ? ctx.emit_late(late.finish()) : ok();
  }
  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    BatchBuilder b(test_schema());
    Status status;
    ctx.state().ordered(0).pop_until(w.us, [&](TimeUs, std::uint64_t, std::string_view blob) {
      ColumnBuilder* const columns[] = {&b.column(0), &b.column(1), &b.column(2)};
      if (!codec_.decode(blob, columns)) status = fail(ErrorCode::kDamaged, "a held row does not decode");
      b.end_row();
      if (b.full() && status) status = out.emit(b.finish());
    });
    SUPYO_TRY(std::move(status));
    return b.rows() > 0 ? out.emit(b.finish()) : ok();
  }

 private:
  RowCodec codec_{{Type::big_int().not_null(), Type::big_int(), Type::timestamp(3)}};
};

/// Calls what it is given; passes rows on. For probes and injected failures.
class Probe final : public dataflow::Operator {
 public:
  struct Hooks {
    std::function<Status(const Batch& batch, dataflow::OperatorContext& ctx)> rows;
    std::function<Status(TimeUs watermark_us)> watermark;
    std::function<Status(Epoch epoch)> barrier;
  };
  explicit Probe(Hooks hooks) : hooks_(std::move(hooks)) {}
  std::string_view name() const override { return "Probe"; }
  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    if (hooks_.rows) SUPYO_TRY(hooks_.rows(*batch, ctx));
    return out.emit(batch);
  }
  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext&, dataflow::Collector&) override { return hooks_.watermark ? hooks_.watermark(w.us) : ok(); }
  Status on_barrier(dataflow::Barrier b, dataflow::OperatorContext&, dataflow::Collector&) override { return hooks_.barrier ? hooks_.barrier(b.epoch) : ok(); }

 private:
  Hooks hooks_;
};

template <class Op, class... Args>
dataflow::OperatorFactory factory_of(Args... args) {
  return [args...](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<Op>(args...); };
}

}  // namespace supyo::testkit
