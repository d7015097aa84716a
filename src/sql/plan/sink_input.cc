#include "sql/plan/sink_input.h"

#include <algorithm>

#include "sql/plan/lookup.h"

namespace supyo::plan {

Result<Calc> without_nulls(const expr::FunctionRegistry& functions, const Schema& input, const std::vector<std::size_t>& columns) {
  Calc calc;
  for (std::size_t i = 0; i < input.size(); ++i) calc.projections.push_back(expr::column(i, input[i].type));
  for (const std::size_t c : columns) {
    SUPYO_ASSIGN(const expr::ResolvedCall there, functions.resolve("IS NOT NULL", std::vector<Type>{input[c].type}));
    SUPYO_ASSIGN(calc.filter, both(functions, calc.filter, expr::call(there.function, {expr::column(c, input[c].type)}, there.result)));
  }
  return calc;
}

bool tells_rows_of(const std::optional<std::vector<std::size_t>>& upsert_key, const std::vector<std::size_t>& primary_key) {
  return upsert_key && !primary_key.empty() && std::ranges::all_of(*upsert_key, [&](std::size_t c) { return std::ranges::find(primary_key, c) != primary_key.end(); });
}

bool needs_materialize(PhysicalOptions::Materialize wanted, const PhysicalNode& input, const std::vector<std::size_t>& primary_key, ChangelogMode accepts) {
  using Materialize = PhysicalOptions::Materialize;
  if (wanted == Materialize::kNone || primary_key.empty() || accepts != ChangelogMode::kUpsert) return false;
  return wanted == Materialize::kForce || (!input.changes.append_only() && !tells_rows_of(input.upsert_key, primary_key));
}

DeliveryGuarantee guarantee_of(const catalog::TableDefinition& table, const catalog::ConnectorDescriptor& c) {
  const auto it = table.options.find("sink.delivery-guarantee");
  if (it == table.options.end()) return c.guarantee;
  const DeliveryGuarantee asked = it->second == "exactly-once"  ? DeliveryGuarantee::kExactlyOnce
                                  : it->second == "at-least-once" ? DeliveryGuarantee::kAtLeastOnce
                                                                  : DeliveryGuarantee::kNone;
  return std::max(asked, c.guarantee);   // never more than the connector can do
}

}  // namespace supyo::plan
