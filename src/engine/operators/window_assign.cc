#include "engine/operators/window_assign.h"

#include "data/types/builder.h"
#include "engine/operators/late_rows.h"
#include "engine/operators/window_bounds.h"

namespace supyo::operators {
namespace {

using Spec = WindowAssignSpec;

class WindowAssign final : public dataflow::Operator {
 public:
  explicit WindowAssign(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)),
        time_type_(spec_->input[spec_->time_column].type),
        bounds_(spec_->window, time_type_.id == TypeId::kTimestampLtz ? spec_->zone : Zone()),
        late_(spec_->label) {}

  std::string_view name() const override { return "WindowTableFunction"; }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    const Column& time = *batch->columns[spec_->time_column];
    rows_.clear();
    numbers_.clear();
    for (std::uint32_t row = 0; row < batch->rows; ++row) {
      if (time.is_null(row)) {
        late_.add({.row = row, .watermark_us = ctx.watermark_us(), .reason = LateRows::Reason::kNullTime});
        continue;
      }
      const WindowBounds::Range range = bounds_.windows_of(bounds_.local(time.value<std::int64_t>(row)));
      for (std::int64_t n = 0; n < range.count; ++n) {
        rows_.push_back(row);
        numbers_.push_back(range.first + n);
      }
    }
    if (!late_.empty()) SUPYO_TRY(late_.flush(*batch, ctx));
    for (std::size_t from = 0; from < rows_.size(); from += Batch::kMaxRows) {
      SUPYO_TRY(out.emit(build(*batch, from, std::min(Batch::kMaxRows, rows_.size() - from))));
    }
    return ok();
  }

 private:
  BatchPtr build(const Batch& batch, std::size_t from, std::size_t count) const {
    const bool whole = count == batch.rows && rows_.size() == batch.rows;  // TUMBLE without nulls: every row once, in order
    auto result = std::make_shared<Batch>(whole ? batch : *take(batch, std::span(rows_).subspan(from, count)));
    ColumnBuilder start(Type::timestamp(3).not_null(), count);
    ColumnBuilder end(Type::timestamp(3).not_null(), count);
    Type time_type = time_type_.not_null();
    time_type.precision = 3;
    ColumnBuilder time(time_type, count);
    for (std::size_t i = from; i < from + count; ++i) {
      const TimeUs e = bounds_.end(numbers_[i]);
      start.append(bounds_.start_of_end(e));
      end.append(e);
      time.append(bounds_.fires(e));
    }
    for (ColumnBuilder* b : {&start, &end, &time}) result->columns.push_back(b->finish());
    return result;
  }

  std::shared_ptr<const Spec> spec_;
  Type time_type_;
  WindowBounds bounds_;
  LateRows late_;
  std::vector<std::uint32_t> rows_;      // scratch
  std::vector<std::int64_t> numbers_;
};

}  // namespace

Schema output_schema(const WindowAssignSpec& spec) {
  Schema s = spec.input;
  Type time = spec.input[spec.time_column].type.not_null();
  time.precision = 3;
  s.add("window_start", Type::timestamp(3).not_null());
  s.add("window_end", Type::timestamp(3).not_null());
  s.add("window_time", time);
  return s;
}

dataflow::OperatorFactory make_window_assign(WindowAssignSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> {
    if (shared->window.kind == WindowSpec::Kind::kSession) {
      return fail(ErrorCode::kUnsupported, "SESSION windows without an aggregation are not supported", "group by window_start, window_end");
    }
    return std::make_unique<WindowAssign>(shared);
  };
}

}  // namespace supyo::operators
