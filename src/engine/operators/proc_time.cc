#include "engine/operators/proc_time.h"

#include <algorithm>

#include "data/types/builder.h"
#include "data/types/changelog.h"
#include "engine/operators/window_bounds.h"

namespace supyo::operators {
namespace {

class ProcTime final : public dataflow::Operator {
 public:
  explicit ProcTime(const ProcTimeSpec& spec) : spec_(spec) {}

  std::string_view name() const override { return "ProcTimeAssigner"; }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    TimeUs stamp = floor_divide(ctx.now_us(), kWindowGrain) * kWindowGrain;
    if (ctx.watermark_us() != kTimeMin) stamp = std::max(stamp, ctx.watermark_us() + kWindowGrain);
    auto result = std::make_shared<Batch>(*batch);
    ColumnBuilder time(batch->columns[spec_.column]->type(), batch->rows);
    for (std::size_t i = 0; i < batch->rows; ++i) time.append(stamp);
    result->columns[spec_.column] = time.finish();
    // They are of event time, which says nothing here.
    result->edge_watermarks.clear();
    return out.emit(std::move(result));
  }

  bool makes_time() const override { return true; }
  /// Rows from now on are at now or later.
  TimeUs made_watermark(const dataflow::OperatorContext& ctx) const override { return floor_divide(ctx.now_us(), kWindowGrain) * kWindowGrain - kWindowGrain; }
  TimeUs next_timer_us(const dataflow::OperatorContext& ctx) const override {
    const TimeUs watermark = ctx.watermark_us();
    if (watermark == kTimeMin || watermark == kTimeMax) return watermark;
    return (floor_divide(watermark + kWindowGrain - spec_.phase_us, spec_.tick_us) + 1) * spec_.tick_us + spec_.phase_us;
  }

 private:
  ProcTimeSpec spec_;
};

}  // namespace

dataflow::OperatorFactory make_proc_time(ProcTimeSpec spec) {
  return [spec](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<ProcTime>(spec); };
}

}  // namespace supyo::operators
