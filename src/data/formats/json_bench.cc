#include <benchmark/benchmark.h>
#include <simdjson.h>

#include "data/formats/format.h"
#include "core/base/hash.h"

namespace supyo::formats {
namespace {

// 7-field bids, as the speed bar names them.
struct Bids {
  std::string block;
  std::vector<RecordView> records;
  Schema schema{{{"auction", Type::big_int()}, {"bidder", Type::big_int()}, {"price", Type::big_int()}, {"channel", Type::string()},
                 {"url", Type::string()}, {"date_time", Type::timestamp(3)}, {"extra", Type::string()}}};
  explicit Bids(std::size_t n) {
    std::vector<std::size_t> ends;
    for (std::size_t i = 0; i < n; ++i) {
      const auto r = hash_u64(i);
      block += fmt::format(R"({{"auction":{},"bidder":{},"price":{},"channel":"Google","url":"https://shop.example/item.htm?query={}","date_time":"2026-01-01 00:{:02}:{:02}.{:03}","extra":"{:016x}"}})",
                           1000 + r % 10000, 2000 + r % 50000, r % 1000000, r % 100, i / 60000 % 60, i / 1000 % 60, i % 1000, r);
      block += "\n";
      ends.push_back(block.size());
    }
    block.reserve(block.size() + 64);
    std::size_t from = 0;
    for (const auto e : ends) records.emplace_back(block.data() + from, e - from - 1), from = e;
  }
};

void decode_columns(benchmark::State& state, const std::vector<std::size_t>& columns) {
  const Bids bids(100000);
  auto decoder = *make_decoder({"json", {}}, bids.schema, columns);
  std::vector<Field> fields;
  for (const auto c : columns) fields.push_back(bids.schema[c]);
  BatchBuilder out{Schema(fields)};
  std::vector<BadRecord> bad;
  for (auto _ : state) {
    for (std::size_t i = 0; i < bids.records.size(); i += 1000) {
      (void)decoder->decode(std::span(bids.records).subspan(i, 1000), out, nullptr, bad);
      benchmark::DoNotOptimize(out.finish());
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(bids.records.size()));
  if (!bad.empty()) state.SkipWithError(bad[0].reason.c_str());
}

void BM_JsonAllColumns(benchmark::State& state) { decode_columns(state, {0, 1, 2, 3, 4, 5, 6}); }
void BM_JsonTwoColumns(benchmark::State& state) { decode_columns(state, {0, 5}); }

// Baseline: what simdjson itself takes to touch the same seven fields, without columns.
void BM_BareSimdjson(benchmark::State& state) {
  const Bids bids(100000);
  simdjson::ondemand::parser parser;
  for (auto _ : state) {
    std::int64_t sum = 0;
    for (const auto r : bids.records) {
      simdjson::ondemand::document doc;
      if (parser.iterate(r.data(), r.size(), r.size() + 64).get(doc)) state.SkipWithError("parse");
      sum += doc["auction"].get_int64().value() + doc["bidder"].get_int64().value() + doc["price"].get_int64().value();
      sum += static_cast<std::int64_t>(doc["channel"].get_string().value().size() + doc["url"].get_string().value().size() +
                                       doc["date_time"].get_string().value().size() + doc["extra"].get_string().value().size());
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(bids.records.size()));
}

BENCHMARK(BM_JsonAllColumns);
BENCHMARK(BM_JsonTwoColumns);
BENCHMARK(BM_BareSimdjson);

}  // namespace
}  // namespace supyo::formats
