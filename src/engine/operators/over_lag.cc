#include "engine/operators/over_lag.h"

#include <algorithm>

#include "core/base/bytes.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/late_rows.h"

namespace supyo::operators {
namespace {

using Spec = OverLagSpec;

/// A waiting row is [origin] then its RowCodec bytes. A partition's history is its last rows, newest first, each with its length before it:
/// [origin], then of each LAG call the value's RowCodec bytes, each with its length.
class OverLag final : public dataflow::Operator {
 public:
  explicit OverLag(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        codec_(spec_->input.types()),
        keys_(spec_->input, spec_->keys),
        late_(spec_->label),
        waiting_(spec_->input, Batch::kMaxRows) {
    for (const Spec::Lag& lag : spec_->lags) {
      const Type& type = spec_->input[lag.column].type;
      value_codecs_.emplace_back(std::vector<Type>{type});
      lagged_.emplace_back(type.as_nullable());
      reach_ = std::max(reach_, lag.offset);
    }
    for (std::size_t i = 0; i < spec_->input.size(); ++i) waiting_columns_.push_back(&waiting_.column(i));
  }

  std::string_view name() const override { return "OverAggregate"; }
  state::StateSpec state() const override {
    return {.tables = {{.kind = state::TableSpec::Kind::kOrdered, .name = "waiting"}, {.kind = state::TableSpec::Kind::kKeyed, .name = "history", .ttl_us = spec_->ttl_us}}};
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    state::OrderedTable& table = ctx.state().ordered(0);
    const TimeUs combined = ctx.watermark_us();
    const Column& time = *batch->columns[spec_->time_column];
    keys_.start(*batch);
    if (spec_->ttl_us > 0) keys_.keep(ctx.state().keyed(1), *batch, ctx.now_us());
    for (std::uint32_t row = 0; row < batch->rows; ++row) {
      if (batch->kind(row) != RowKind::kInsert) [[unlikely]] {
        return fail(ErrorCode::kUnsupported, "LAG over an updating input is not supported", "aggregate or deduplicate after LAG");
      }
      const auto t = late_.time_to_come(*batch, time, row, combined);
      if (!t) continue;
      row_.clear();
      if (spec_->origins) append_origin(batch->origins.empty() ? Origin{} : batch->origins[row], row_);
      codec_.encode(batch->columns, row, row_);
      table.insert(*t, keys_.hash(row), row_);
    }
    return late_.empty() ? ok() : late_.flush(*batch, ctx);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    Status status = ok();
    state::KeyedTable& history = ctx.state().keyed(1);
    history.expire(ctx.now_us());
    ctx.state().ordered(0).pop_until(w.us, [&](TimeUs, std::uint64_t, std::string_view blob) {
      if (!status) return;
      status = decode_waiting(blob);
      if (status && waiting_.full()) status = release(history, out);
    });
    SUPYO_TRY(std::move(status));
    return waiting_.rows() > 0 ? release(history, out) : ok();
  }

 private:
  static void append_origin(const Origin& o, std::string& out) { out.append(reinterpret_cast<const char*>(&o), sizeof o); }
  static Origin read_origin(ByteReader& in) {
    Origin o;
    const std::string_view bytes = in.bytes(sizeof o);
    if (bytes.size() == sizeof o) std::memcpy(&o, bytes.data(), sizeof o);
    return o;
  }

  Status decode_waiting(std::string_view blob) {
    ByteReader in(blob);
    Origin origin;
    if (spec_->origins) origin = read_origin(in);
    if (in.failed() || !codec_.decode(in.bytes(in.remaining()), waiting_columns_)) {
      return fail(ErrorCode::kDamaged, "state of " + spec_->label + ": a waiting row does not decode");
    }
    if (spec_->origins) waiting_.end_row(RowKind::kInsert, origin); else waiting_.end_row();
    return ok();
  }

  /// Emits the gathered rows, which are in order, with their LAG values.
  Status release(state::KeyedTable& history, dataflow::Collector& out) {
    auto batch = std::make_shared<Batch>(*waiting_.finish());
    keys_.start_with_all(*batch);
    slots_.resize(batch->rows);
    inserted_.resize(batch->rows);
    history.find_or_insert(keys_.hashes(), keys_.views(), {}, slots_, inserted_);
    for (std::size_t row = 0; row < batch->rows; ++row) SUPYO_TRY(look_back(*batch, row, history));
    for (ColumnBuilder& b : lagged_) batch->columns.push_back(b.finish());
    return out.emit(std::move(batch));
  }

  Status look_back(Batch& batch, std::size_t row, state::KeyedTable& history) {
    const state::Slot slot = slots_[row];
    const std::string_view blob = history.blob(slot);
    entries_.clear();
    for (ByteReader in(blob); !in.done() && !in.failed();) entries_.push_back(in.text());
    // History keeps what a row itself brought, not what it looked at.
    const Origin own = batch.origins.empty() ? Origin{} : batch.origins[row];
    for (std::size_t call = 0; call < spec_->lags.size(); ++call) {
      const Spec::Lag& lag = spec_->lags[call];
      if (lag.offset == 0) {
        lagged_[call].append_from(*batch.columns[lag.column], row);
        continue;
      }
      if (lag.offset > entries_.size()) {
        append_value(lagged_[call], lag.default_value);
        continue;
      }
      SUPYO_TRY(append_lagged(entries_[lag.offset - 1], call, batch, row));
    }
    entry_.clear();
    if (spec_->origins) append_origin(own, entry_);
    for (std::size_t call = 0; call < spec_->lags.size(); ++call) {
      value_.clear();
      value_codecs_[call].encode({&batch.columns[spec_->lags[call].column], 1}, row, value_);
      ByteWriter(entry_).text(value_);
    }
    blob_.clear();
    ByteWriter writer(blob_);
    writer.text(entry_);
    for (std::size_t i = 0; i < entries_.size() && i + 1 < reach_; ++i) writer.text(entries_[i]);
    history.set_blob(slot, blob_);
    return ok();
  }

  /// The value that call number `call` finds in an entry; the row's origin takes in that of the row it looked at.
  Status append_lagged(std::string_view entry, std::size_t call, Batch& batch, std::size_t row) {
    ByteReader in(entry);
    if (spec_->origins) {
      const Origin origin = read_origin(in);
      if (!batch.origins.empty()) batch.origins[row].merge(origin);
    }
    for (std::size_t i = 0; i < call; ++i) in.text();
    ColumnBuilder* const target = &lagged_[call];
    if (in.failed() || !value_codecs_[call].decode(in.text(), {&target, 1})) {
      return fail(ErrorCode::kDamaged, "state of " + spec_->label + ": a history does not decode");
    }
    return ok();
  }

  std::shared_ptr<const Spec> spec_;
  RowCodec codec_;
  std::vector<RowCodec> value_codecs_;
  std::uint32_t reach_ = 0;  ///< rows that a history keeps
  GroupKeys keys_;
  // Scratch of one call.
  LateRows late_;
  BatchBuilder waiting_;
  std::vector<ColumnBuilder*> waiting_columns_;
  std::vector<ColumnBuilder> lagged_;
  std::vector<state::Slot> slots_;
  std::vector<std::uint8_t> inserted_;
  std::vector<std::string_view> entries_;
  std::string row_;
  std::string entry_;
  std::string value_;
  std::string blob_;
};

}  // namespace

Schema output_schema(const OverLagSpec& spec) {
  Schema s = spec.input;
  for (const OverLagSpec::Lag& lag : spec.lags) s.add(lag.name, spec.input[lag.column].type.as_nullable());
  return s;
}

dataflow::OperatorFactory make_over_lag(OverLagSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> {
    return std::make_unique<OverLag>(shared);
  };
}

}  // namespace supyo::operators
