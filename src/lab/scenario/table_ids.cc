#include "lab/scenario/table_ids.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "data/formats/parquet.h"
#include "data/iceberg/table.h"

namespace supyo::scenario {

Result<std::uint64_t> table_rows(env::Files& files, const std::string& location) {
  SUPYO_ASSIGN(const iceberg::LoadedTable table, iceberg::load_table(files, location));
  const iceberg::Snapshot* snapshot = table.metadata.current_snapshot();
  std::uint64_t rows = 0;
  if (snapshot == nullptr) return rows;
  const auto total = snapshot->summary.find("total-records");
  if (total != snapshot->summary.end()) std::from_chars(total->second.data(), total->second.data() + total->second.size(), rows);
  return rows;
}

Result<Applied> read_ids(env::Files& files, const std::string& location, const std::string& column) {
  SUPYO_ASSIGN(const iceberg::LoadedTable table, iceberg::load_table(files, location));
  Applied out;
  const iceberg::Snapshot* snapshot = table.metadata.current_snapshot();
  if (snapshot == nullptr) return out;
  std::vector<formats::ParquetField> want;
  for (const iceberg::TableSchema& s : table.metadata.schemas) {
    const iceberg::SchemaField* f = s.schema_id == table.metadata.current_schema_id ? s.find(column) : nullptr;
    if (f == nullptr) continue;
    SUPYO_ASSIGN(const Type type, iceberg::sql_type(*f));
    want.push_back({column, type, f->id});
  }
  if (want.size() != 1) return fail(ErrorCode::kUnknownColumn, fmt::format("{} has no column '{}'", location, column), "the scenario's result: {table, id}");
  SUPYO_ASSIGN(const auto planned, iceberg::plan_files(files, table.metadata, *snapshot));
  std::vector<bool> seen;
  for (const iceberg::PlannedFile& p : planned) {
    SUPYO_ASSIGN(const std::string path, iceberg::local_path(p.file.path));
    SUPYO_ASSIGN(const auto bytes, files.map(path));
    SUPYO_ASSIGN(const auto reader, formats::make_parquet_reader(bytes->bytes(), path, want));
    while (true) {
      SUPYO_ASSIGN(const BatchPtr batch, reader->next());
      if (batch == nullptr) break;
      const Column& ids = *batch->columns.front();
      for (std::size_t row = 0; row < batch->rows; ++row) {
        const auto id = static_cast<std::size_t>(std::max<std::int64_t>(ids.is_null(row) ? 0 : ids.integer(row), 0));
        if (id >= seen.size()) seen.resize(std::max(id + 1, seen.size() * 2));
        out.distinct += seen[id] ? 0 : 1;
        seen[id] = true;
        ++out.rows;
      }
    }
  }
  return out;
}

}  // namespace supyo::scenario
