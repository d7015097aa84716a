// The source's own cost: JSON bids from an embedded log to batches, beside reading the log and decoding the same records alone.
#include <benchmark/benchmark.h>

#include <string>

#include "connect/stream/stream.h"
#include "connect/stream/stream_options.h"
#include "core/env/real/real_env.h"
#include "data/log/partition_reader.h"
#include "data/log/partition_writer.h"

namespace supyo::connect {
namespace {

constexpr std::size_t kRows = 1'000'000;

std::string bid(std::size_t i) {
  return fmt::format(R"({{"auction":{},"bidder":{},"price":{},"channel":"channel-{}","url":"https://example.org/{}","date_time":"2024-01-01 00:00:{:02}.{:03}","extra":"x"}})",
                     1000 + i % 997, 2000 + i % 4999, i % 100'000, i % 10, i % 1000, i / 1000 % 60, i % 1000);
}

catalog::TableDefinition bids_table(const std::string& directory) {
  const auto column = [](std::string name, Type type) {
    catalog::ColumnDefinition c;
    c.name = std::move(name);
    c.type = type;
    return c;
  };
  catalog::TableDefinition t;
  t.path = {"default_catalog", "default_database", "bids"};
  t.columns = {column("auction", Type::big_int()), column("bidder", Type::big_int()), column("price", Type::big_int()), column("channel", Type::string()),
               column("url", Type::string()), column("date_time", Type::timestamp(3)), column("extra", Type::string())};
  t.options = {{"connector", "kafka"}, {"topic", "bids"}, {"properties.bootstrap.servers", "embedded:" + directory}, {"format", "json"}, {"scan.bounded.mode", "latest-offset"}};
  return t;
}

struct Written {
  env::RealEnv real;
  std::string directory = "stream_bench.tmp";
  log::Topic topic;
  std::string joined;
  std::vector<std::string_view> records;

  Written() {
    (void)real.env().files.remove_all(directory);
    topic = log::create_topic(real.env(), directory, "bids", {}).value();
    auto writer = log::PartitionWriter::open(real.env(), topic, PartitionId(0)).value();
    log::RecordBatch b;
    std::vector<std::size_t> ends;
    for (std::size_t i = 0; i < kRows; ++i) {
      const std::string value = bid(i);
      b.add(static_cast<TimeUs>(i), value);
      joined += value;
      ends.push_back(joined.size());
      if (b.bytes() < (128 << 10) && i + 1 < kRows) continue;
      (void)writer->append(b).value();
      b.clear();
    }
    (void)writer->flush();
    joined.reserve(joined.size() + 64);
    for (std::size_t i = 0; i < kRows; ++i) records.emplace_back(joined.data() + (i == 0 ? 0 : ends[i - 1]), ends[i] - (i == 0 ? 0 : ends[i - 1]));
  }
  ~Written() { (void)real.env().files.remove_all(directory); }
};
Written& written() {
  static Written w;
  return w;
}

struct Nowhere : dataflow::SourceOutput {
  Status emit(dataflow::SourceBatch b) override {
    rows += b.batch->rows;
    return ok();
  }
  Status dead(dataflow::DeadRecord) override { return ok(); }
  void quiet(std::uint32_t) override {}
  std::uint64_t rows = 0;
};

void source_all_columns(benchmark::State& state) {
  Written& w = written();
  Nowhere out;
  for (auto _ : state) {
    auto source = make_stream_source({.table = bids_table(w.directory), .columns = {0, 1, 2, 3, 4, 5, 6}, .base_directory = ""}, w.real.env()).value();
    auto reader = source->open(source->splits().value(), w.real.env()).value();
    while (reader->poll(static_cast<std::size_t>(state.range(0)), out)->progress != dataflow::Progress::kDone) {}
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(out.rows));
}
BENCHMARK(source_all_columns)->Arg(1024)->Arg(4096)->Unit(benchmark::kMillisecond);

void decode_alone(benchmark::State& state) {
  Written& w = written();
  const std::vector<std::size_t> columns{0, 1, 2, 3, 4, 5, 6};
  const Schema schema = bids_table("").schema();
  auto decoder = formats::make_decoder({.name = "json", .options = {}}, schema, columns).value();
  BatchBuilder builder(schema, 1024);
  std::vector<formats::BadRecord> bad;
  std::uint64_t rows = 0;
  for (auto _ : state)
    for (std::size_t i = 0; i < kRows; i += 1024) {
      (void)decoder->decode(std::span(w.records).subspan(i, std::min<std::size_t>(1024, kRows - i)), builder, nullptr, bad);
      rows += builder.finish()->rows;
    }
  state.SetItemsProcessed(static_cast<std::int64_t>(rows));
}
BENCHMARK(decode_alone)->Unit(benchmark::kMillisecond);

void read_alone(benchmark::State& state) {
  Written& w = written();
  std::uint64_t rows = 0;
  for (auto _ : state) {
    auto reader = log::PartitionReader::open(w.real.env().files, w.topic, PartitionId(0)).value();
    while (const log::FrameView* f = reader.next().value()) rows += f->count();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(rows));
}
BENCHMARK(read_alone)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace supyo::connect
