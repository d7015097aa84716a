#include "engine/operators/limit.h"

namespace supyo::operators {
namespace {

class Limit final : public dataflow::Operator {
 public:
  explicit Limit(LimitSpec spec) : spec_(spec) {}
  std::string_view name() const override { return "Limit"; }
  state::StateSpec state() const override {
    return {.tables = {{.kind = state::TableSpec::Kind::kKeyed, .name = "seen", .fixed_width = sizeof(std::uint64_t)}}};
  }
  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    for (const RowKind k : batch->kinds) {
      if (k != RowKind::kInsert) {
        return fail(ErrorCode::kUnsupported, "LIMIT over an updating result needs ORDER BY", "add ORDER BY, or limit the table that is read");
      }
    }
    state::KeyedTable& table = ctx.state().keyed(0);
    const state::Slot slot = table.find_or_insert(0, "");
    auto& seen = table.as<std::uint64_t>(slot);
    const std::uint64_t end = spec_.limit > UINT64_MAX - spec_.offset ? UINT64_MAX : spec_.offset + spec_.limit;
    if (seen >= end) return full(ctx);
    const std::uint64_t from = seen < spec_.offset ? std::min<std::uint64_t>(spec_.offset - seen, batch->rows) : 0;
    const std::uint64_t count = std::min<std::uint64_t>(batch->rows - from, end - seen - from);
    seen += from + count;
    table.touch(slot);
    const bool now_full = seen >= end;
    if (count > 0) SUPYO_TRY(out.emit(count == batch->rows ? batch : slice(*batch, from, count)));
    return now_full ? full(ctx) : ok();
  }

 private:
  Status full(dataflow::OperatorContext& ctx) const {
    if (spec_.ends_job) ctx.finish_job();
    return ok();
  }
  LimitSpec spec_;
};

class Union final : public dataflow::Operator {
 public:
  std::string_view name() const override { return "Union"; }
  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext&, dataflow::Collector& out) override { return out.emit(batch); }
};

}  // namespace

dataflow::OperatorFactory make_limit(LimitSpec spec) {
  return [spec](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<Limit>(spec); };
}

dataflow::OperatorFactory make_union() {
  return [](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<Union>(); };
}

}  // namespace supyo::operators
