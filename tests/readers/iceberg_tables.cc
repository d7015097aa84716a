// The C++ half of iceberg_readers.py: writes tables through the connector, and prints the rows of a table that somebody else wrote.
//   supyo_iceberg_tables write DIR      makes warehouse DIR with the tables of the test
//   supyo_iceberg_tables read TABLEDIR  prints each row as columns joined by '|'
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>

#include "connect/iceberg/iceberg.h"
#include "core/env/real/real_env.h"
#include "data/types/builder.h"
#include "data/types/value.h"

namespace supyo {
namespace {

std::vector<Field> all_columns() {
  return {{"id", Type::big_int().not_null()}, {"b", Type::boolean()},         {"small", Type::small_int()},  {"i", Type::integer()},
          {"f", Type::float_()},              {"d", Type::double_()},         {"dec9", Type::decimal(9, 2)}, {"dec18", Type::decimal(18, 4)},
          {"dec38", Type::decimal(38, 10)},   {"s", Type::string()},          {"bin", Type::bytes()},        {"dt", Type::date()},
          {"tm", Type::time(6)},              {"ts", Type::timestamp(6)},     {"tz", Type::timestamp_ltz(6)}, {"k", Type::string()},
          {"p", Type::integer()}};
}

// Row i, the same formulas as expected_row() in iceberg_readers.py.
void append_row(BatchBuilder& out, std::int64_t i) {
  const auto& fields = all_columns();
  for (std::size_t c = 0; c < fields.size(); ++c) {
    ColumnBuilder& column = out.column(c);
    const Type& type = fields[c].type;
    if (type.nullable && (i + static_cast<std::int64_t>(c)) % 11 == 0) {
      column.append_null();
      continue;
    }
    const std::string& name = fields[c].name;
    if (name == "b") append_value(column, {type, i % 2 == 0});
    else if (name == "small") append_value(column, {type, i % 1000 - 500});
    else if (name == "f" || name == "d") append_value(column, {type, static_cast<double>(i) / 4 - 10});
    else if (name == "dec9") append_value(column, {type, Int128{i * 7 - 300}});
    else if (name == "dec18") append_value(column, {type, Int128{i} * 10'000'000'019 - 5});
    else if (name == "dec38") append_value(column, {type, (Int128{i} - 20) * 10'000'000'000'000'000 * 1'000'000'000'007});
    else if (name == "s") append_value(column, {type, fmt::format("row {} 가나다 \"quoted\"\n", i)});
    else if (name == "bin") append_value(column, {type, std::string("\0\xff", 2) + std::to_string(i)});
    else if (name == "dt") append_value(column, {type, 15'000 + i});
    else if (name == "tm") append_value(column, {type, i * 1'000'003 % 86'400'000'000});
    else if (name == "ts" || name == "tz") append_value(column, {type, 1'356'998'400'000'000 + i * 3'600'000'001});
    else if (name == "k") append_value(column, {type, fmt::format("key/{} &", i % 3)});
    else if (name == "p") append_value(column, {type, i % 4});
    else append_value(column, {type, i});
  }
  out.end_row();
}

struct TableToWrite {
  std::string name;
  std::vector<std::string> partition_keys;
  catalog::Options options;
  std::int64_t epochs = 1;
  std::int64_t rows_per_epoch = 100;
};

Status write_table(const env::Env& env, catalog::ExternalCatalog& catalog, const TableToWrite& t) {
  catalog::TableDefinition definition;
  definition.path = {"lake", "db", t.name};
  for (const Field& f : all_columns()) {
    catalog::ColumnDefinition column;
    column.name = f.name;
    column.type = f.type;
    definition.columns.push_back(std::move(column));
  }
  definition.partition_keys = t.partition_keys;
  definition.options = t.options;
  SUPYO_TRY(catalog.create_table(definition, false));
  SUPYO_ASSIGN(const auto table, catalog.table(definition.path));
  const Schema schema(all_columns());
  SUPYO_ASSIGN(const auto sink, connect::make_iceberg_sink({table, schema, ChangelogMode::kAppend, "/"}, env));
  const FaultPoints faults;
  const dataflow::SinkOpen open{.env = env, .faults = faults, .job = {"0b54c1f0-0000-4000-8000-000000000001", "lake.db." + t.name}, .shards = 1, .last_final = Epoch{0}};
  SUPYO_ASSIGN(const auto committer, sink->open_committer(open));
  SUPYO_ASSIGN(const auto writer, sink->open_writer(open, 0));
  std::int64_t next = 0;
  for (std::int64_t e = 1; e <= t.epochs; ++e) {
    BatchBuilder rows(schema);
    for (std::int64_t i = 0; i < t.rows_per_epoch; ++i) append_row(rows, next++);
    SUPYO_TRY(writer->write(rows.finish(), Epoch{e}));
    SUPYO_TRY(writer->begin_prepare(Epoch{e}));
    SUPYO_ASSIGN(const auto prepared, writer->poll_prepare(Epoch{e}));
    SUPYO_TRY(committer->poll_commit(Epoch{e}, {prepared.handle}));
  }
  return ok();
}

Status write_all(const env::Env& env, const std::string& warehouse) {
  SUPYO_ASSIGN(const auto catalog, connect::iceberg_catalog_factory(env)("lake", {{"warehouse", warehouse}}, "/"));
  SUPYO_TRY(catalog->create_database("db", true));
  SUPYO_TRY(write_table(env, *catalog, {.name = "plain", .partition_keys = {}, .options = {}, .epochs = 3, .rows_per_epoch = 1000}));
  SUPYO_TRY(write_table(env, *catalog, {.name = "empty", .partition_keys = {}, .options = {}, .epochs = 0}));
  SUPYO_TRY(write_table(env, *catalog, {.name = "parted", .partition_keys = {"k", "p", "dec9", "dt", "ts", "b"}, .options = {{"write.parquet.compression-codec", "snappy"}}, .epochs = 2, .rows_per_epoch = 60}));
  return write_table(env, *catalog, {.name = "many", .partition_keys = {"p"},
                                     .options = {{"supyo.history.max-snapshots", "10"}, {"commit.manifest.min-count-to-merge", "5"}, {"write.metadata.previous-versions-max", "5"}},
                                     .epochs = 150, .rows_per_epoch = 8});
}

class Printer final : public dataflow::SourceOutput {
 public:
  Status emit(dataflow::SourceBatch b) override {
    for (std::size_t r = 0; r < b.batch->rows; ++r) {
      std::string line;
      for (const auto& c : b.batch->columns) {
        if (!line.empty()) line += '|';
        append_text_of(*c, r, line);
      }
      fmt::print("{}\n", line);
    }
    return ok();
  }
  Status dead(dataflow::DeadRecord) override { return ok(); }
  void quiet(std::uint32_t) override {}
};

Status read_table(const env::Env& env, const std::string& directory) {
  const std::string warehouse = env::parent_path(env::parent_path(directory));
  SUPYO_ASSIGN(const auto catalog, connect::iceberg_catalog_factory(env)("lake", {{"warehouse", warehouse}}, "/"));
  SUPYO_ASSIGN(const auto table, catalog->table({"lake", env::base_name(env::parent_path(directory)), env::base_name(directory)}));
  fmt::print("{}\n", table.schema().to_string());
  std::vector<std::size_t> columns(table.schema().size());
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i] = i;
  SUPYO_ASSIGN(const auto source, connect::make_iceberg_source({table, columns, "/"}, env));
  SUPYO_ASSIGN(const auto splits, source->splits());
  SUPYO_ASSIGN(const auto reader, source->open(splits, env));
  Printer out;
  while (true) {
    SUPYO_ASSIGN(const auto p, reader->poll(100'000, out));
    if (p.progress == dataflow::Progress::kDone) return ok();
  }
}

}  // namespace
}  // namespace supyo

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  supyo::env::RealEnv real;
  const std::string command = argv[1];
  const supyo::Status done = command == "write" ? supyo::write_all(real.env(), argv[2]) : supyo::read_table(real.env(), argv[2]);
  if (!done) fmt::print(stderr, "{}\n", done.error().to_string());
  return done ? 0 : 1;
}
