// Rows into and out of Parquet, in files as large as an epoch makes them.
#include <benchmark/benchmark.h>

#include "data/formats/parquet.h"
#include "data/types/builder.h"

namespace supyo::formats {
namespace {

std::vector<ParquetField> fields() {
  return {{"event_id", Type::big_int(), 1},  {"product_id", Type::string(), 2}, {"kind", Type::string(), 3},    {"old_value", Type::string(), 4},
          {"new_value", Type::string(), 5},  {"price", Type::big_int(), 6},     {"stock", Type::big_int(), 7},  {"event_time", Type::timestamp(3), 8},
          {"ingest_time", Type::timestamp(3), 9}};
}

BatchPtr rows(std::int64_t from, std::int64_t count) {
  Schema schema;
  for (const auto& f : fields()) schema.add(f.name, f.type);
  BatchBuilder b(schema);
  for (std::int64_t i = from; i < from + count; ++i) {
    b.column(0).append(i);
    b.column(1).append_text(fmt::format("product-{}", i * 7919 % 10'000));
    b.column(2).append_text(i % 3 == 0 ? "price" : "stock");
    b.column(3).append_text(std::to_string(i * 31 % 100'000));
    b.column(4).append_text(std::to_string(i * 37 % 100'000));
    if (i % 3 == 0) b.column(5).append(i * 37 % 100'000);
    else b.column(5).append_null();
    b.column(6).append(i % 500);
    b.column(7).append(1'700'000'000'000'000 + i * 500);
    b.column(8).append(1'700'000'000'000'000 + i * 501);
    b.end_row();
  }
  return b.finish();
}

std::string write(const std::vector<BatchPtr>& batches) {
  std::string bytes;
  auto writer = make_parquet_writer(fields(), {}, [&](std::string_view b) { bytes.append(b); return ok(); });
  for (const auto& b : batches) (void)(*writer)->write(*b);
  (void)(*writer)->finish();
  return bytes;
}

std::vector<BatchPtr> batches_of(std::int64_t total) {
  std::vector<BatchPtr> out;
  for (std::int64_t at = 0; at < total; at += 4096) out.push_back(rows(at, std::min<std::int64_t>(4096, total - at)));
  return out;
}

void write_file(benchmark::State& state) {
  const auto batches = batches_of(state.range(0));
  std::size_t size = 0;
  for (auto _ : state) size = write(batches).size();
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["file_bytes"] = static_cast<double>(size);
}
BENCHMARK(write_file)->Arg(10)->Arg(200)->Arg(5'000)->Arg(200'000)->Unit(benchmark::kMicrosecond);

void read_file(benchmark::State& state) {
  const std::string bytes = write(batches_of(state.range(0)));
  for (auto _ : state) {
    auto reader = make_parquet_reader(bytes, "mem", fields());
    std::size_t n = 0;
    for (auto batch = (*reader)->next(); batch && *batch; batch = (*reader)->next()) n += (*batch)->rows;
    if (n != static_cast<std::size_t>(state.range(0))) state.SkipWithError("rows are missing");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(read_file)->Arg(200)->Arg(200'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace supyo::formats
