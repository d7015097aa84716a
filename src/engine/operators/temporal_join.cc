#include "engine/operators/temporal_join.h"

#include <algorithm>
#include <array>

#include "data/types/changelog.h"
#include "engine/operators/eval_context.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/join_schema.h"
#include "engine/operators/keyed_row.h"
#include "engine/operators/late_rows.h"

namespace supyo::operators {
namespace {

using Spec = TemporalJoinSpec;
using state::kNoSlot;
using state::Slot;

/// State: `rows`, left rows that wait ([origin], then RowCodec bytes); `changes`, versions that do not hold yet (Version, then KeyedRow of the key and the row);
/// `versions`, what holds of a key (Version, then the row).
class TemporalJoin final : public dataflow::Operator {
 public:
  explicit TemporalJoin(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        left_codec_(spec_->left.types()),
        right_codec_(spec_->right.types()),
        left_keys_(spec_->left, spec_->left_keys),
        right_keys_(spec_->right, spec_->right_keys),
        late_(spec_->label),
        waiting_(spec_->left),
        out_(output_schema(*spec_)),
        candidates_(output_schema(*spec_)),
        late_rows_(late_columns(output_schema(*spec_))) {
    const std::size_t left = spec_->left.size(), right = spec_->right.size();
    waiting_columns_ = builder_columns(waiting_, 0, left);
    out_columns_ = {builder_columns(out_, 0, left), builder_columns(out_, left, right)};
    candidate_columns_ = {builder_columns(candidates_, 0, left), builder_columns(candidates_, left, right)};
    late_columns_ = {builder_columns(late_rows_, 0, left), builder_columns(late_rows_, left, right)};
  }

  std::string_view name() const override { return "TemporalJoin"; }
  state::StateSpec state() const override {
    using Kind = state::TableSpec::Kind;
    return {.tables = {{.kind = Kind::kOrdered, .name = "rows"}, {.kind = Kind::kOrdered, .name = "changes"},
                       {.kind = Kind::kKeyed, .name = "versions", .fixed_width = sizeof(Version)}}};
  }

  Status process(const BatchPtr& batch, std::size_t input, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    SUPYO_TRY(input == 0 ? take_rows(*batch, ctx) : take_changes(*batch, ctx));
    return late_.empty() ? ok() : late_.flush(*late_rows_.finish(), ctx);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    eval_ = eval_context(ctx, spec_->zone);
    state::KeyedTable& versions = ctx.state().keyed(2);
    changes_.clear();
    bytes_.clear();
    ctx.state().ordered(1).pop_until(w.us, [&](TimeUs time, std::uint64_t hash, std::string_view blob) {
      changes_.push_back({time, hash, bytes_.size(), blob.size()});
      bytes_.append(blob);
    });
    next_change_ = 0;
    Status status = ok();
    // All rows of a batch read the versions that hold at their own time, so a batch ends where the next version begins to hold.
    ctx.state().ordered(0).pop_until(w.us, [&](TimeUs time, std::uint64_t, std::string_view blob) {
      if (!status) return;
      if (next_change_ < changes_.size() && changes_[next_change_].time <= time) {
        status = release(versions, out);
        if (status) status = apply(versions, time);
      }
      if (status) status = decode_waiting(blob);
      if (status && waiting_.full()) status = release(versions, out);
    });
    SUPYO_TRY(std::move(status));
    SUPYO_TRY(release(versions, out));
    SUPYO_TRY(apply(versions, w.us));
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

 private:
  struct Version {
    TimeUs time = 0;             // its own, which may be before it began to hold
    std::uint64_t removed = 0;   // what is deleted stays known by its time, until a younger version comes
    Origin origin;
  };
  struct DueChange {
    TimeUs time = 0;         // from when on it holds
    std::uint64_t hash = 0;
    std::size_t from = 0, size = 0;   // in bytes_
  };
  using Columns = std::array<std::vector<ColumnBuilder*>, 2>;

  Status take_rows(const Batch& batch, dataflow::OperatorContext& ctx) {
    if (!only_inserts(batch)) return fail(ErrorCode::kUnsupported, "a temporal join of an updating stream is not supported");
    const Column& time = *batch.columns[spec_->left_time];
    const TimeUs combined = ctx.watermark_us();
    left_keys_.start(batch);
    for (std::uint32_t row = 0; row < batch.rows; ++row) {
      const TimeUs edge = edge_watermark(batch, row, combined);
      if (time.is_null(row)) [[unlikely]] {
        add_late(batch, 0, {.row = row, .watermark_us = edge, .reason = LateRows::Reason::kNullTime});
        continue;
      }
      const TimeUs t = time.value<std::int64_t>(row);
      if (t <= edge || t <= combined) [[unlikely]] {
        add_late(batch, 0, {.row = row, .watermark_us = edge, .time_us = t, .reason = t <= edge ? LateRows::Reason::kLate : LateRows::Reason::kIdleReturn});
        continue;
      }
      blob_.clear();
      if (spec_->origins) append_bytes(batch.origins.empty() ? Origin{} : batch.origins[row], blob_);
      left_codec_.encode(batch.columns, row, blob_);
      ctx.state().ordered(0).insert(t, left_keys_.hash(row), blob_);
    }
    return ok();
  }

  Status take_changes(const Batch& batch, dataflow::OperatorContext& ctx) {
    const Column& time = *batch.columns[spec_->right_time];
    const TimeUs combined = ctx.watermark_us();
    right_keys_.start_with_all(batch);
    const auto views = right_keys_.views();
    for (std::uint32_t row = 0; row < batch.rows; ++row) {
      if (batch.kind(row) == RowKind::kUpdateBefore || has_null(batch, spec_->right_keys, row)) continue;
      const TimeUs edge = edge_watermark(batch, row, combined);
      if (time.is_null(row)) [[unlikely]] {
        add_late(batch, 1, {.row = row, .watermark_us = edge, .reason = LateRows::Reason::kNullTime});
        continue;
      }
      const TimeUs t = time.value<std::int64_t>(row);
      blob_.clear();
      append_bytes(Version{.time = t, .removed = batch.kind(row) == RowKind::kDelete ? 1U : 0U, .origin = batch.origins.empty() ? Origin{} : batch.origins[row]}, blob_);
      KeyedRow::encode(views[row], right_codec_, batch.columns, row, encoded_);
      blob_.append(encoded_);
      ctx.state().ordered(1).insert(std::max({t, after(edge), after(combined)}), right_keys_.hash(row), blob_);
    }
    return ok();
  }

  static TimeUs after(TimeUs watermark) { return watermark == kTimeMin || watermark == kTimeMax ? watermark : watermark + kWindowGrain; }
  template <class T>
  static void append_bytes(const T& v, std::string& out) {
    static_assert(std::is_trivially_copyable_v<T>);
    out.append(reinterpret_cast<const char*>(&v), sizeof v);
  }

  /// Versions that hold from `until` on or before.
  Status apply(state::KeyedTable& versions, TimeUs until) {
    for (; next_change_ < changes_.size() && changes_[next_change_].time <= until; ++next_change_) {
      const DueChange& due = changes_[next_change_];
      const std::string_view blob = std::string_view(bytes_).substr(due.from, due.size);
      Version change;
      if (blob.size() < sizeof change) return damaged();
      std::memcpy(&change, blob.data(), sizeof change);
      const std::string_view keyed = blob.substr(sizeof change);
      const std::string_view key = KeyedRow::key(keyed);
      Slot slot = versions.find(due.hash, key);
      if (slot != kNoSlot && versions.as<Version>(slot).time > change.time) continue;   // a younger one is there
      if (slot == kNoSlot) slot = versions.find_or_insert(due.hash, key);
      versions.as<Version>(slot) = change;
      versions.set_blob(slot, change.removed != 0 ? std::string_view() : KeyedRow::row(keyed));
    }
    return ok();
  }

  Status decode_waiting(std::string_view blob) {
    Origin origin;
    if (spec_->origins) {
      if (blob.size() < sizeof origin) return damaged();
      std::memcpy(&origin, blob.data(), sizeof origin);
      blob.remove_prefix(sizeof origin);
    }
    if (!left_codec_.decode(blob, waiting_columns_)) return damaged();
    if (spec_->origins) waiting_.end_row(RowKind::kInsert, origin);
    else waiting_.end_row();
    return ok();
  }

  /// Joins the gathered rows with what holds now.
  Status release(state::KeyedTable& versions, dataflow::Collector& out) {
    if (waiting_.rows() == 0) return ok();
    const BatchPtr batch = waiting_.finish();
    left_keys_.start_with_all(*batch);
    const auto views = left_keys_.views();
    matched_.assign(batch->rows, 0);
    rows_.clear();
    for (std::uint32_t row = 0; row < batch->rows; ++row) {
      const Slot slot = has_null(*batch, spec_->left_keys, row) ? kNoSlot : versions.find(left_keys_.hash(row), views[row]);
      if (slot == kNoSlot || version(versions, slot).removed != 0) continue;
      append_left(*batch, row, candidate_columns_);
      if (!right_codec_.decode(versions.blob(slot), candidate_columns_[1])) return damaged();
      end_row(candidates_, *batch, row, &version(versions, slot).origin);
      rows_.push_back(row);
    }
    if (candidates_.rows() > 0) {
      BatchPtr pairs = candidates_.finish();
      if (spec_->condition) {
        SUPYO_TRY(expr::select_true(*spec_->condition, *pairs, eval_, selection_));
        for (const std::uint32_t i : selection_) matched_[rows_[i]] = 1;
        if (selection_.size() < pairs->rows) pairs = selection_.empty() ? nullptr : supyo::take(*pairs, selection_);
      } else {
        for (const std::uint32_t row : rows_) matched_[row] = 1;
      }
      if (pairs && out_.rows() > 0) SUPYO_TRY(out.emit(out_.finish()));
      if (pairs) SUPYO_TRY(out.emit(std::move(pairs)));
    }
    for (std::uint32_t row = 0; spec_->keep_left && row < batch->rows; ++row) {
      if (matched_[row] != 0) continue;
      append_left(*batch, row, out_columns_);
      for (ColumnBuilder* c : out_columns_[1]) c->append_null();
      end_row(out_, *batch, row, nullptr);
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
    }
    return ok();
  }

  static const Version& version(const state::KeyedTable& versions, Slot slot) { return *reinterpret_cast<const Version*>(versions.fixed(slot)); }
  static void append_left(const Batch& batch, std::size_t row, const Columns& to) {
    for (std::size_t c = 0; c < to[0].size(); ++c) to[0][c]->append_from(*batch.columns[c], row);
  }
  void end_row(BatchBuilder& to, const Batch& batch, std::size_t row, const Origin* other) {
    if (!spec_->origins) return to.end_row();
    Origin o = batch.origins.empty() ? Origin{} : batch.origins[row];
    if (other != nullptr) o.merge(*other);
    to.end_row(RowKind::kInsert, o);
  }
  static Status damaged() { return fail(ErrorCode::kDamaged, "state of TemporalJoin: a row does not decode"); }

  void add_late(const Batch& batch, std::size_t input, LateRows::Entry entry) {
    const std::uint32_t row = std::exchange(entry.row, static_cast<std::uint32_t>(late_rows_.rows()));
    for (std::size_t c = 0; c < late_columns_[input].size(); ++c) late_columns_[input][c]->append_from(*batch.columns[c], row);
    for (ColumnBuilder* c : late_columns_[1 - input]) c->append_null();
    end_row(late_rows_, batch, row, nullptr);
    late_.add(entry);
  }

  std::shared_ptr<const Spec> spec_;
  RowCodec left_codec_, right_codec_;
  GroupKeys left_keys_, right_keys_;
  // Scratch of one call.
  LateRows late_;
  BatchBuilder waiting_, out_, candidates_, late_rows_;
  std::vector<ColumnBuilder*> waiting_columns_;
  Columns out_columns_, candidate_columns_, late_columns_;
  expr::EvalContext eval_;
  std::vector<DueChange> changes_;
  std::size_t next_change_ = 0;
  std::vector<std::uint32_t> selection_, rows_;
  std::vector<std::uint8_t> matched_;
  std::string blob_, bytes_, encoded_;
};

}  // namespace

Schema output_schema(const TemporalJoinSpec& spec) { return joined_schema(spec.left, spec.right, spec.keep_left, false); }

dataflow::OperatorFactory make_temporal_join(TemporalJoinSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<TemporalJoin>(shared); };
}

}  // namespace supyo::operators
