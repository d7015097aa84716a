#include "engine/operators/unnest.h"

#include "data/types/nested.h"

namespace supyo::operators {
namespace {

using nested::Item;
using nested::Items;
using Spec = UnnestSpec;

class Unnest final : public dataflow::Operator {
 public:
  explicit Unnest(std::shared_ptr<const Spec> spec) : spec_(std::move(spec)), type_(spec_->input[spec_->column].type) {
    const std::size_t first = spec_->input.size() - (spec_->with_column ? 0 : 1);
    for (std::size_t i = first; i < spec_->output.size(); ++i) added_.emplace_back(spec_->output[i].type);
    values_ = added_.size() - (spec_->with_ordinality ? 1 : 0);
  }

  std::string_view name() const override { return "Correlate"; }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext&, dataflow::Collector& out) override {
    const Column& column = *batch->columns[spec_->column];
    for (std::uint32_t row = 0; row < batch->rows; ++row) {
      bool any = false;
      if (!column.is_null(row)) {
        read(column.text(row));
        for (std::size_t i = 0; i < first_.size(); ++i) {
          if (is_row() && first_[i].null) continue;
          any = true;
          for (std::int32_t n = type_.id == TypeId::kMultiset ? nested::value_of<std::int32_t>(second_[i]) : 1; n > 0; --n) {
            add(i);
            rows_.push_back(row);
            if (rows_.size() == Batch::kMaxRows) SUPYO_TRY(flush(*batch, out));
          }
        }
      }
      if (any || !spec_->keep) continue;
      for (ColumnBuilder& b : added_) b.append_null();
      rows_.push_back(row);
      if (rows_.size() == Batch::kMaxRows) SUPYO_TRY(flush(*batch, out));
    }
    return flush(*batch, out);
  }

 private:
  bool is_row() const { return type_.id != TypeId::kMap && type_.children()[0].id == TypeId::kRow; }

  void read(std::string_view value) {
    place_ = 0;
    if (type_.id == TypeId::kArray) nested::read_array(type_, value, first_);
    else nested::read_map(type_, value, first_, second_);
  }

  /// Element i of the value that was read.
  void add(std::size_t i) {
    if (is_row()) {
      nested::read_row(type_.children()[0], first_[i].bytes, fields_);
      for (std::size_t f = 0; f < values_; ++f) nested::append_item(added_[f], fields_[f]);
    } else {
      nested::append_item(added_[0], first_[i]);
      if (type_.id == TypeId::kMap) nested::append_item(added_[1], second_[i]);
    }
    if (spec_->with_ordinality) added_.back().append(++place_);
  }

  Status flush(const Batch& batch, dataflow::Collector& out) {
    if (rows_.empty()) return ok();
    Batch input = batch;   // the columns are shared
    if (!spec_->with_column) input.columns.erase(input.columns.begin() + static_cast<std::ptrdiff_t>(spec_->column));
    auto result = std::make_shared<Batch>(*take(input, rows_));
    for (ColumnBuilder& b : added_) result->columns.push_back(b.finish());
    rows_.clear();
    return out.emit(std::move(result));
  }

  std::shared_ptr<const Spec> spec_;
  Type type_;
  std::vector<ColumnBuilder> added_;
  std::size_t values_ = 0;               // of added_, without the place
  Items first_, second_, fields_;        // scratch
  std::vector<std::uint32_t> rows_;
  std::int32_t place_ = 0;
};

}  // namespace

dataflow::OperatorFactory make_unnest(UnnestSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<Unnest>(shared); };
}

}  // namespace supyo::operators
