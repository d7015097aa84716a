#include "sql/plan/shared_scans.h"

#include <algorithm>

namespace supyo::plan {
namespace {

std::string key_of(const LogicalScan& s) {
  std::string key = s.table.path.to_string();
  for (const auto& [k, v] : s.table.options) key += fmt::format("\n{}={}", k, v);
  // After ALTER or a re-creation between statements the same path is another table.
  return key + s.table.schema().to_string() + (s.computed_row_time ? "computed" : "");
}

void merge(std::vector<std::size_t>& into, const std::vector<std::size_t>& more) {
  into.insert(into.end(), more.begin(), more.end());
  std::ranges::sort(into);
  into.erase(std::ranges::unique(into).begin(), into.end());
}

/// Rows that replace each other by key are told apart by all of it, whatever the query reads.
void read_key(LogicalScan& s) {
  const Schema schema = s.table.schema();
  std::vector<std::size_t> keys;
  for (const std::string& name : s.table.primary_key) keys.push_back(*schema.find(name));
  const std::vector<std::size_t> before = s.columns;
  merge(s.columns, keys);
  if (!s.row_time) return;
  if (s.computed_watermark) s.computed_watermark = expr::remap_columns(s.computed_watermark, SharedScans::places(before, s.columns));
  if (s.computed_row_time) {
    s.computed_row_time = expr::remap_columns(s.computed_row_time, SharedScans::places(before, s.columns));
    s.row_time->column = s.columns.size();
  } else {
    s.row_time->column = SharedScans::places({before[s.row_time->column]}, s.columns).front();
  }
}

}  // namespace

std::vector<std::size_t> SharedScans::places(const std::vector<std::size_t>& of, const std::vector<std::size_t>& in) {
  std::vector<std::size_t> map;
  for (const std::size_t c : of) map.push_back(static_cast<std::size_t>(std::ranges::find(in, c) - in.begin()));
  return map;
}

const SharedScans::Shared& SharedScans::of(const LogicalScan& scan) const { return scans_.at(key_of(scan)); }

bool SharedScans::is_upsert(const LogicalScan& scan) const {
  const catalog::ConnectorDescriptor* c = connectors_.find(scan.table.connector());
  return c != nullptr && c->produces == ChangelogMode::kUpsert;
}

void SharedScans::gather(const LogicalPtr& node) {
  for (const LogicalPtr& input : node->inputs) gather(input);
  const auto* found = node->as<LogicalScan>();
  if (found == nullptr) return;
  LogicalScan with_key = *found;
  if (is_by_key(*found)) read_key(with_key);
  const LogicalScan* s = &with_key;
  auto [it, fresh] = scans_.try_emplace(key_of(*s), Shared{*s, {}});
  Shared& shared = it->second;
  const auto read = reads_.find(s->id);
  if (read != reads_.end()) merge(shared.read, read->second);
  if (fresh) return;
  const std::vector<std::size_t> before = shared.scan.columns;
  const std::optional<std::size_t> row_time_column = shared.scan.row_time && !shared.scan.computed_row_time
                                                         ? std::optional(before[shared.scan.row_time->column]) : std::nullopt;
  merge(shared.scan.columns, s->columns);
  if (shared.scan.computed_watermark) shared.scan.computed_watermark = expr::remap_columns(shared.scan.computed_watermark, places(before, shared.scan.columns));
  if (shared.scan.computed_row_time) {
    shared.scan.computed_row_time = expr::remap_columns(shared.scan.computed_row_time, places(before, shared.scan.columns));
    shared.scan.row_time->column = shared.scan.columns.size();
  } else if (row_time_column) {
    shared.scan.row_time->column = static_cast<std::size_t>(std::ranges::find(shared.scan.columns, *row_time_column) - shared.scan.columns.begin());
  }
}

std::unexpected<Error> SharedScans::no_key(const LogicalScan& scan) const {
  const std::string wants = is_upsert(scan) ? fmt::format("connector '{}'", scan.table.connector()) : "'table.exec.source.cdc-events-duplicate'";
  return fail(ErrorCode::kInvalidQuery, fmt::format("table `{}`: {} needs a primary key to read by", scan.table.path.name, wants), "PRIMARY KEY (..) NOT ENFORCED");
}

std::vector<std::size_t> SharedScans::keys_of(const LogicalScan& scan) {
  const Schema schema = scan.table.schema();
  std::vector<std::size_t> keys;
  for (const std::string& name : scan.table.primary_key) keys.push_back(places({*schema.find(name)}, scan.columns).front());
  return keys;
}

PhysicalNode SharedScans::node_of(const Shared& shared, const std::vector<std::size_t>& keys) const {
  const LogicalScan& all = shared.scan;
  PhysicalNode node;
  Scan op{.table = all.table, .columns = all.columns, .computed_row_time = all.computed_row_time, .computed_watermark = all.computed_watermark, .row_time = all.row_time, .not_null = {}, .upsert = is_upsert(all), .changelog = is_changelog(all)};
  const Schema schema = all.table.schema();
  for (const std::size_t c : all.columns) {
    node.output.add(schema[c].name, schema[c].type);
    op.not_null.push_back(!schema[c].type.nullable && std::ranges::find(shared.read, c) != shared.read.end());
  }
  if (all.computed_row_time) {
    node.output.add(all.table.watermark->column, all.computed_row_time->type);
    op.not_null.push_back(false);
  }
  if (op.row_time) op.not_null[op.row_time->column] = true;
  for (const std::size_t k : keys) op.not_null[k] = true;
  node.op = std::move(op);
  return node;
}

}  // namespace supyo::plan
