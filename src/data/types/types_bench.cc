// The row path of this room: building columns, selecting rows, encoding and hashing keys. Items are rows.
#include <benchmark/benchmark.h>

#include <cstring>

#include "core/base/hash.h"
#include "data/types/builder.h"
#include "data/types/row_codec.h"

namespace supyo {
namespace {

constexpr std::size_t kRows = 1024;

Schema bid_schema() {
  Schema s;
  s.add("auction", Type::big_int());
  s.add("bidder", Type::big_int());
  s.add("price", Type::big_int());
  s.add("channel", Type::string());
  s.add("url", Type::string());
  s.add("at", Type::timestamp(3));
  s.add("extra", Type::string());
  return s;
}

void fill(BatchBuilder& b, std::size_t rows) {
  static constexpr std::string_view kUrl = "https://www.nexmark.com/item.htm?query=1&channel_id=1234567";
  for (std::size_t i = 0; i < rows; ++i) {
    const auto v = static_cast<std::int64_t>(hash_u64(i) >> 20);
    b.column(0).append(v);
    b.column(1).append(v + 1);
    b.column(2).append(v + 2);
    b.column(3).append_text("channel-9");
    b.column(4).append_text(kUrl);
    b.column(5).append(v + 5);
    b.column(6).append_text("extra");
    b.end_row();
  }
}

BatchPtr bids() {
  BatchBuilder b(bid_schema());
  fill(b, kRows);
  return b.finish();
}

void BuildSevenColumns(benchmark::State& state) {
  BatchBuilder b(bid_schema());
  for (auto _ : state) {
    fill(b, kRows);
    benchmark::DoNotOptimize(b.finish());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(kRows) * state.iterations());
}
BENCHMARK(BuildSevenColumns);

// Baseline: the same bytes copied as one block.
void CopySevenColumns(benchmark::State& state) {
  const BatchPtr batch = bids();
  for (auto _ : state) {
    for (const ColumnPtr& c : batch->columns) {
      Buffer copy(c->data()->size());
      std::memcpy(copy.data(), c->data()->data(), copy.size());
      benchmark::DoNotOptimize(copy.data());
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(kRows) * state.iterations());
}
BENCHMARK(CopySevenColumns);

void TakeEveryOtherRow(benchmark::State& state) {
  const BatchPtr batch = bids();
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < kRows; i += 2) rows.push_back(i);
  for (auto _ : state) benchmark::DoNotOptimize(take(*batch, rows));
  state.SetItemsProcessed(static_cast<std::int64_t>(rows.size()) * state.iterations());
}
BENCHMARK(TakeEveryOtherRow);

void EncodeKey(benchmark::State& state) {
  const BatchPtr batch = bids();
  const ColumnPtr keys[] = {batch->columns[0], batch->columns[3]};
  const RowCodec codec({keys[0]->type(), keys[1]->type()});
  std::string out;
  for (auto _ : state) {
    out.clear();
    for (std::size_t i = 0; i < kRows; ++i) codec.encode(keys, i, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(kRows) * state.iterations());
}
BENCHMARK(EncodeKey);

void HashKey(benchmark::State& state) {
  const BatchPtr batch = bids();
  const ColumnPtr keys[] = {batch->columns[0], batch->columns[3]};
  std::vector<std::uint64_t> out(kRows);
  for (auto _ : state) {
    hash_rows(std::span(keys, static_cast<std::size_t>(state.range(0))), kRows, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(kRows) * state.iterations());
}
BENCHMARK(HashKey)->Arg(1)->Arg(2);

}  // namespace
}  // namespace supyo
