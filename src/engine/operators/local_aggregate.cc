#include "engine/operators/local_aggregate.h"

#include <numeric>

#include "engine/operators/accumulators.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/window_rows.h"

namespace supyo::operators {
namespace {

using Spec = LocalAggregateSpec;

/// Held at most: more than this no longer lies in the processor's cache.
constexpr std::size_t kMostGroups = 8192;
/// Adaptive: where two groups had fewer rows than this, finding them did not pay, and is left for so many times the rows that told so.
constexpr std::uint64_t kLeastRowsOfTwo = 3, kPause = 16;

class LocalAggregate final : public dataflow::Operator {
 public:
  explicit LocalAggregate(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        keys_(spec_->input, spec_->keys),
        accumulators_(spec_->aggregates, kPartialHeader + (spec_->origins ? sizeof(Origin) : 0)),
        alone_(spec_->aggregates, kPartialHeader),
        table_({.kind = state::TableSpec::Kind::kKeyed, .name = "held", .fixed_width = accumulators_.width()}),
        out_(output_schema(*spec_)) {
    if (spec_->window) windows_.emplace(std::shared_ptr<const WindowAggregateSpec>(spec_, &*spec_->window), shares_slices(*spec_->window));
  }

  std::string_view name() const override { return "LocalAggregate"; }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    if (pause_ > 0) return pass(*batch, ctx, out);
    SUPYO_TRY(find_groups(*batch, ctx));
    if (groups_.empty()) return ok();
    count_rows(*batch);
    SUPYO_TRY(accumulators_.update(*batch, rows_, slots_, signs_, table_));
    if (held_rows_ == 0) since_us_ = ctx.now_us();
    held_rows_ += rows_.size();
    const bool holds_on = windows_ || (spec_->hold && held_rows_ < spec_->hold->rows);
    return holds_on && groups_.size() < kMostGroups ? ok() : flush(out);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext&, dataflow::Collector& out) override { return w.us >= first_fires_ || w.us == kTimeMax ? flush(out) : ok(); }
  Status on_barrier(dataflow::Barrier, dataflow::OperatorContext&, dataflow::Collector& out) override { return flush(out); }
  bool keeps_back() const override { return !windows_ && held_rows_ > 0; }
  Status on_timer(TimeUs, dataflow::OperatorContext&, dataflow::Collector& out) override { return flush(out); }
  TimeUs next_timer_us(const dataflow::OperatorContext&) const override {
    return held_rows_ > 0 && spec_->hold && spec_->hold->latency_us > 0 ? since_us_ + spec_->hold->latency_us : kTimeMax;
  }

 private:
  /// Fills rows_ and slots_: one entry for each row, and window (or slice) that takes it.
  Status find_groups(const Batch& batch, dataflow::OperatorContext& ctx) {
    if (windows_) {
      windows_->take(batch, ctx.watermark_us());
      if (!windows_->late().empty()) SUPYO_TRY(windows_->late().flush(batch, ctx));
      rows_.assign(windows_->rows().begin(), windows_->rows().end());
      first_fires_ = std::min(first_fires_, windows_->first_fires());
    } else {
      rows_.resize(batch.rows);
      std::iota(rows_.begin(), rows_.end(), 0U);
      keys_.start(batch);
      for (const std::uint32_t row : rows_) keys_.add(row);
    }
    if (windows_) {
      windows_->find_or_insert(table_, slots_, inserted_);
    } else {
      slots_.resize(rows_.size());
      inserted_.resize(rows_.size());
      table_.find_or_insert(keys_.hashes(), keys_.views(), {}, slots_, inserted_);
    }
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (inserted_[i] != 0) groups_.push_back(slots_[i]);
    return ok();
  }

  void count_rows(const Batch& batch) {
    take_signs(batch, rows_);
    for (std::size_t i = 0; i < rows_.size(); ++i) table_.as<std::int64_t>(slots_[i]) += signs_.empty() ? 1 : signs_[i];
    if (!spec_->origins) return;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      auto& origin = table_.as<Origin>(slots_[i], kPartialHeader);
      if (inserted_[i] != 0) origin = Origin{};
      if (!batch.origins.empty()) origin.merge(batch.origins[rows_[i]]);
    }
  }

  /// Each row is a group. Nothing is held meanwhile.
  Status pass(const Batch& batch, dataflow::OperatorContext& ctx, dataflow::Collector& out) {
    if (windows_) {
      windows_->take_numbers(batch, ctx.watermark_us());
      if (!windows_->late().empty()) SUPYO_TRY(windows_->late().flush(batch, ctx));
      rows_.assign(windows_->rows().begin(), windows_->rows().end());
    } else {
      rows_.resize(batch.rows);
      std::iota(rows_.begin(), rows_.end(), 0U);
    }
    pause_ -= std::min<std::uint64_t>(pause_, batch.rows);
    const std::span<const std::uint32_t> rows(rows_);
    for (std::size_t from = 0; from < rows.size(); from += Batch::kMaxRows) SUPYO_TRY(pass(batch, from, rows.subspan(from, std::min(Batch::kMaxRows, rows.size() - from)), out));
    return ok();
  }

  /// These, the first of which is rows_[from], as one batch.
  Status pass(const Batch& batch, std::size_t from, std::span<const std::uint32_t> rows, dataflow::Collector& out) {
    const bool all = rows.size() == batch.rows && std::ranges::adjacent_find(rows, std::ranges::greater_equal()) == rows.end();
    take_signs(batch, rows);
    auto passed = std::make_shared<Batch>();
    passed->rows = rows.size();
    for (const std::size_t k : spec_->keys) passed->columns.push_back(all ? batch.columns[k] : take(*batch.columns[k], rows));
    if (windows_ && !spec_->window->given) {
      ColumnBuilder numbers(Type::big_int().not_null(), rows.size());
      for (const std::int64_t n : windows_->numbers().subspan(from, rows.size())) numbers.append(n);
      passed->columns.push_back(numbers.finish());
    }
    const std::size_t width = alone_.width();
    auto partials = std::make_shared<Buffer>(rows.size() * width), ends = std::make_shared<Buffer>((rows.size() + 1) * sizeof(std::int32_t));
    SUPYO_TRY(alone_.alone(batch, rows, signs_, {partials->data(), rows.size() * width}));
    for (std::size_t i = 0; i <= rows.size(); ++i) {
      const auto at = static_cast<std::int32_t>(i * width);
      std::memcpy(ends->data() + i * sizeof at, &at, sizeof at);
      const std::int64_t count = signs_.empty() || i == rows.size() ? 1 : signs_[i];
      if (i < rows.size()) std::memcpy(partials->data() + at, &count, sizeof count);
    }
    passed->columns.push_back(std::make_shared<Column>(Type::bytes().not_null(), rows.size(), nullptr, std::move(partials), std::move(ends)));
    if (spec_->origins)
      for (const std::uint32_t row : rows) passed->origins.push_back(batch.origins.empty() ? Origin{} : batch.origins[row]);
    return out.emit(std::move(passed));
  }

  void take_signs(const Batch& batch, std::span<const std::uint32_t> rows) {
    signs_.clear();
    if (batch.kinds.empty()) return;
    for (const std::uint32_t row : rows) signs_.push_back(is_retraction(batch.kinds[row]) ? -1 : 1);
  }

  Status flush(dataflow::Collector& out) {
    const std::size_t keys = spec_->keys.size();
    std::vector<ColumnBuilder*> targets = builder_columns(out_, 0, keys);
    const bool numbered = windows_ && !spec_->window->given;
    for (const state::Slot slot : groups_) {
      const std::string_view key = table_.key(slot);
      SUPYO_CHECK(keys_.decode(windows_ ? GroupKeys::without_prefix(key) : key, targets));
      if (numbered) out_.column(keys).append(GroupKeys::prefix_of(key));
      partial_.assign(reinterpret_cast<const char*>(table_.fixed(slot)), kPartialHeader);
      accumulators_.append_partial(table_, slot, partial_);
      out_.column(keys + (numbered ? 1 : 0)).append_text(partial_);
      if (spec_->origins) out_.end_row(RowKind::kInsert, table_.as<Origin>(slot, kPartialHeader)); else out_.end_row();
      if (windows_) windows_->forget(table_, slot);
      table_.erase(slot);
      if (out_.full()) SUPYO_TRY(out.emit(out_.finish()));
    }
    if (spec_->adaptive && !accumulators_.has_blobs() && groups_.size() * kLeastRowsOfTwo > held_rows_ * 2) pause_ = held_rows_ * kPause;
    groups_.clear();
    table_.forget_changes();
    held_rows_ = 0;
    first_fires_ = kTimeMax;
    return out_.rows() > 0 ? out.emit(out_.finish()) : ok();
  }

  std::shared_ptr<const Spec> spec_;
  GroupKeys keys_;
  Accumulators accumulators_, alone_;      // alone_: a partial as it goes over
  std::optional<WindowRows> windows_;
  // Held between two barriers.
  state::KeyedTable table_;
  std::vector<state::Slot> groups_;        // in order of their first rows
  std::uint64_t held_rows_ = 0;
  TimeUs since_us_ = 0;
  TimeUs first_fires_ = kTimeMax;          // of the windows that are held
  std::uint64_t pause_ = 0;                // rows that pass as they come
  // Scratch of one call.
  BatchBuilder out_;
  std::vector<std::uint32_t> rows_;
  std::vector<state::Slot> slots_;
  std::vector<std::uint8_t> inserted_;
  std::vector<std::int8_t> signs_;
  std::string partial_;
};

}  // namespace

Schema output_schema(const LocalAggregateSpec& spec) {
  Schema s;
  for (const std::size_t k : spec.keys) s.add(spec.input[k].name, spec.input[k].type);
  if (spec.window && !spec.window->given) s.add("$window", Type::big_int().not_null());
  s.add("$partial", Type::bytes().not_null());
  return s;
}

dataflow::OperatorFactory make_local_aggregate(LocalAggregateSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<LocalAggregate>(shared); };
}

}  // namespace supyo::operators
