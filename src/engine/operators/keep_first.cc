#include "engine/operators/keep_first.h"

#include "data/types/builder.h"
#include "engine/operators/group_keys.h"

namespace supyo::operators {
namespace {

using state::kNoSlot;
using state::Slot;

class KeepFirst final : public dataflow::Operator {
 public:
  explicit KeepFirst(std::shared_ptr<const KeepFirstSpec> spec) : spec_(std::move(spec)), keys_(spec_->input, spec_->partition) {}

  std::string_view name() const override { return "Deduplicate"; }
  state::StateSpec state() const override {
    return {.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "passed", .fixed_width = static_cast<std::uint32_t>(sizeof(std::uint64_t)), .ttl_us = spec_->ttl_us}}};
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    state::KeyedTable& table = ctx.state().keyed(0);
    table.expire(ctx.now_us());
    keys_.start_with_all(*batch);
    const auto views = keys_.views();
    // Looked up first: inserting would write, and keep alive, what is there already.
    slots_.resize(batch->rows);
    table.find(keys_.hashes(), views, slots_);
    passing_.clear();
    ColumnBuilder numbers(Type::big_int().not_null(), spec_->with_number ? batch->rows : 0);
    for (std::uint32_t row = 0; row < batch->rows; ++row) {
      const Slot slot = slots_[row] != kNoSlot ? slots_[row] : table.find_or_insert(keys_.hash(row), views[row]);
      auto& passed = table.as<std::uint64_t>(slot);
      if (passed >= spec_->limit) continue;
      ++passed;
      if (spec_->with_number) numbers.append(static_cast<std::int64_t>(passed));
      table.touch(slot);
      passing_.push_back(row);
    }
    if (passing_.empty()) return ok();
    BatchPtr result = passing_.size() == batch->rows ? batch : take(*batch, passing_);
    if (spec_->with_number) {
      auto numbered = std::make_shared<Batch>(*result);
      numbered->columns.push_back(numbers.finish());
      result = std::move(numbered);
    }
    return out.emit(std::move(result));
  }

 private:
  std::shared_ptr<const KeepFirstSpec> spec_;
  GroupKeys keys_;
  // Scratch of one call.
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> passing_;
};

}  // namespace

dataflow::OperatorFactory make_keep_first(KeepFirstSpec spec) {
  auto shared = std::make_shared<const KeepFirstSpec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<KeepFirst>(shared); };
}

}  // namespace supyo::operators
