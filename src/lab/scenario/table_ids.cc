#include "lab/scenario/table_ids.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "data/formats/parquet.h"
#include "data/iceberg/table.h"

namespace supyo::scenario {

std::string table_location(const std::string& warehouse, const std::string& table) {
  std::string path = table.substr(table.find('.') + 1);
  std::ranges::replace(path, '.', '/');
  return env::join_path(warehouse, path);
}

Result<std::uint64_t> table_rows(env::Files& files, const std::string& location) {
  SUPYO_ASSIGN(const iceberg::LoadedTable table, iceberg::load_table(files, location));
  const iceberg::Snapshot* snapshot = table.metadata.current_snapshot();
  std::uint64_t rows = 0;
  if (snapshot == nullptr) return rows;
  const auto total = snapshot->summary.find("total-records");
  if (total != snapshot->summary.end()) std::from_chars(total->second.data(), total->second.data() + total->second.size(), rows);
  return rows;
}

Status read_new_rows(env::Files& files, const iceberg::TableMetadata& table, const iceberg::Snapshot& snapshot, const std::vector<std::string>& columns, std::set<std::string>& known,
                     const std::function<void(std::span<const std::int64_t>)>& take) {
  std::vector<formats::ParquetField> want;
  for (const std::string& column : columns) {
    const iceberg::SchemaField* f = table.schema().find(column);
    if (f == nullptr) return fail(ErrorCode::kUnknownColumn, fmt::format("{} has no column '{}'", table.location, column), "the scenario's result: {table, id}");
    SUPYO_ASSIGN(const Type type, iceberg::sql_type(*f));
    want.push_back({column, type, f->id});
  }
  SUPYO_ASSIGN(const auto planned, iceberg::plan_files(files, table, snapshot));
  std::vector<std::int64_t> row_values(columns.size());
  for (const iceberg::PlannedFile& p : planned) {
    if (!known.insert(p.file.path).second) continue;
    SUPYO_ASSIGN(const std::string path, iceberg::local_path(p.file.path));
    SUPYO_ASSIGN(const auto bytes, files.map(path));
    SUPYO_ASSIGN(const auto reader, formats::make_parquet_reader(bytes->bytes(), path, want));
    while (true) {
      SUPYO_ASSIGN(const BatchPtr batch, reader->next());
      if (batch == nullptr) break;
      for (std::size_t row = 0; row < batch->rows; ++row) {
        for (std::size_t c = 0; c < columns.size(); ++c) row_values[c] = batch->columns[c]->is_null(row) ? 0 : batch->columns[c]->integer(row);
        take(row_values);
      }
    }
  }
  return ok();
}

Result<Applied> read_ids(env::Files& files, const std::string& location, const std::string& column) {
  SUPYO_ASSIGN(const iceberg::LoadedTable table, iceberg::load_table(files, location));
  Applied out;
  const iceberg::Snapshot* snapshot = table.metadata.current_snapshot();
  if (snapshot == nullptr) return out;
  std::vector<bool> seen;
  std::set<std::string> known;
  SUPYO_TRY(read_new_rows(files, table.metadata, *snapshot, {column}, known, [&](std::span<const std::int64_t> row) {
    const auto id = static_cast<std::size_t>(std::max<std::int64_t>(row[0], 0));
    if (id >= seen.size()) seen.resize(std::max(id + 1, seen.size() * 2));
    out.distinct += seen[id] ? 0 : 1;
    seen[id] = true;
    ++out.rows;
  }));
  return out;
}

}  // namespace supyo::scenario
