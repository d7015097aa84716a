#pragma once
#include "sql/plan/build_physical.h"

/// What stands between a query and the table that it is written to.
namespace supyo::plan {

/// The columns of the input, of rows that have a value in all of `columns`.
Result<Calc> without_nulls(const expr::FunctionRegistry& functions, const Schema& input, const std::vector<std::size_t>& columns);

/// Whether the rows of a key must be kept before a sink by that key, because others than its last one may be taken back, or in another order. Source: Flink's
/// FlinkChangelogModeInferenceProgram.analyzeUpsertMaterializeStrategy.
bool needs_materialize(PhysicalOptions::Materialize wanted, const PhysicalNode& input, const std::vector<std::size_t>& primary_key, ChangelogMode accepts);

/// Rows with one upsert key are rows of one key of the sink.
bool tells_rows_of(const std::optional<std::vector<std::size_t>>& upsert_key, const std::vector<std::size_t>& primary_key);

DeliveryGuarantee guarantee_of(const catalog::TableDefinition& table, const catalog::ConnectorDescriptor& c);

}  // namespace supyo::plan
