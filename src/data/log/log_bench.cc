// Appending to and reading from a log on the real disk (page cache), beside what nothing can beat: copying and checksumming the same bytes.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "core/base/crc32c.h"
#include "core/env/real/real_env.h"
#include "data/log/kafka_reader.h"
#include "data/log/partition_reader.h"
#include "data/log/partition_writer.h"

namespace supyo::log {
namespace {

constexpr std::size_t kRows = 2'000'000;
constexpr std::size_t kFrameBytes = 128 << 10;

std::string bid(std::size_t i) {
  return fmt::format(R"({{"auction":{},"bidder":{},"price":{},"channel":"channel-{}","url":"https://example.org/{}","date_time":"2024-01-01 00:00:00.{:03}","extra":"x"}})",
                     1000 + i % 997, 2000 + i % 4999, i % 100'000, i % 10, i % 1000, i % 1000);
}

/// One log, written once and shared by the benchmarks of a process.
struct Written {
  env::RealEnv real;
  std::string directory = "log_bench.tmp";
  Topic topic;
  std::uint64_t value_bytes = 0;

  Written() {
    (void)real.env().files.remove_all(directory);
    topic = create_topic(real.env(), directory, "bids", {}).value();
    auto writer = PartitionWriter::open(real.env(), topic, PartitionId(0)).value();
    RecordBatch b;
    for (std::size_t i = 0; i < kRows; ++i) {
      const std::string value = bid(i);
      value_bytes += value.size();
      b.add(static_cast<TimeUs>(i), value);
      if (b.bytes() < kFrameBytes && i + 1 < kRows) continue;
      (void)writer->append(b).value();
      b.clear();
    }
    (void)writer->flush();
  }
  ~Written() { (void)real.env().files.remove_all(directory); }
};
Written& written() {
  static Written w;
  return w;
}

void report(benchmark::State& state, std::uint64_t rows, std::uint64_t bytes) {
  state.SetItemsProcessed(static_cast<std::int64_t>(rows));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

void read_log(benchmark::State& state) {
  Written& w = written();
  std::uint64_t rows = 0;
  std::uint64_t sum = 0;
  for (auto _ : state) {
    auto reader = PartitionReader::open(w.real.env().files, w.topic, PartitionId(0), {.chunk_bytes = static_cast<std::size_t>(state.range(0)) << 10}).value();
    while (const FrameView* f = reader.next().value()) {
      for (std::size_t i = 0; i < f->count(); ++i) sum += f->value(i).size();
      rows += f->count();
    }
  }
  benchmark::DoNotOptimize(sum);
  report(state, rows, static_cast<std::uint64_t>(state.iterations()) * w.value_bytes);
}
BENCHMARK(read_log)->Arg(64)->Arg(256)->Arg(1024)->Unit(benchmark::kMillisecond);

void crc_alone(benchmark::State& state) {
  const std::string bytes(kFrameBytes, 'x');
  std::uint32_t crc = 0;
  for (auto _ : state) crc += crc32c(bytes);
  benchmark::DoNotOptimize(crc);
  report(state, 0, static_cast<std::uint64_t>(state.iterations()) * bytes.size());
}
BENCHMARK(crc_alone);

void memcpy_alone(benchmark::State& state) {
  const std::string from(64 << 20, 'x');
  std::string to(kFrameBytes, ' ');
  std::size_t at = 0;
  for (auto _ : state) {
    std::memcpy(to.data(), from.data() + at, to.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
    at = (at + to.size()) % from.size();
  }
  report(state, 0, static_cast<std::uint64_t>(state.iterations()) * to.size());
}
BENCHMARK(memcpy_alone);

/// Encoding and writing frames, without syncs.
void append_log(benchmark::State& state) {
  Written& w = written();
  const Topic topic = open_or_create_topic(w.real.env(), w.directory, "appended", {.retention_bytes = 256 << 20}).value();
  auto writer = PartitionWriter::open(w.real.env(), topic, PartitionId(0)).value();
  const std::string value = bid(7);
  RecordBatch b;
  std::uint64_t rows = 0;
  for (auto _ : state) {
    b.clear();
    while (b.bytes() < kFrameBytes) b.add(0, value);
    (void)writer->append(b).value();
    rows += b.records();
    if (rows % 4096 == 0) {
      state.PauseTiming();
      (void)writer->flush();
      (void)writer->retain();
      state.ResumeTiming();
    }
  }
  report(state, rows, rows * value.size());
}
BENCHMARK(append_log);

std::string kafka_batch(std::size_t records, std::size_t bytes, KafkaCompression codec) {
  KafkaBatchBuilder b;
  b.begin({.attributes = static_cast<std::int16_t>(codec), .base_timestamp_ms = 1});
  std::string value;
  for (std::size_t i = 0; value.size() < bytes; ++i) value += bid(i * 7919);
  value.resize(bytes);
  for (std::size_t i = 0; i < records; ++i) b.add(static_cast<std::int32_t>(i), 1, std::nullopt, value);
  std::string out;
  (void)b.finish(out);
  return out;
}

/// A client's batch of 16 records of 1 KiB: checked, stored, without syncs. The second argument is the compression.
void append_kafka(benchmark::State& state) {
  Written& w = written();
  const Topic topic = open_or_create_topic(w.real.env(), w.directory, "produced", {.retention_bytes = 256 << 20}).value();
  auto writer = PartitionWriter::open(w.real.env(), topic, PartitionId(0)).value();
  const std::string batch = kafka_batch(16, 1024, static_cast<KafkaCompression>(state.range(0)));
  std::uint64_t batches = 0;
  for (auto _ : state) {
    (void)writer->append_kafka(batch).value();
    if (++batches % 4096 != 0) continue;
    state.PauseTiming();
    (void)writer->flush();
    (void)writer->retain();
    state.ResumeTiming();
  }
  report(state, batches * 16, batches * 16 * 1024);
}
BENCHMARK(append_kafka)->Arg(0)->Arg(3)->Arg(4);

/// The same batches handed out again, in answers of 1 MiB.
void fetch_kafka(benchmark::State& state) {
  Written& w = written();
  const Topic topic = open_or_create_topic(w.real.env(), w.directory, "fetched", {}).value();
  auto writer = PartitionWriter::open(w.real.env(), topic, PartitionId(0)).value();
  const std::string batch = kafka_batch(16, 1024, KafkaCompression::kNone);
  while (writer->next_offset().value < 100'000) (void)writer->append_kafka(batch).value();
  (void)writer->flush();
  const Isolation isolation = state.range(0) == 0 ? Isolation::kReadUncommitted : Isolation::kReadCommitted;
  std::uint64_t records = 0;
  std::string answer;
  for (auto _ : state) {
    auto reader = KafkaReader::open(w.real.env().files, topic, PartitionId(0)).value();
    for (Offset at; at < writer->next_offset();) {
      answer.clear();
      at = reader.fetch(at, {.isolation = isolation}, answer).value().next;
    }
    records += static_cast<std::uint64_t>(writer->next_offset().value);
  }
  report(state, records, records * 1024);
}
BENCHMARK(fetch_kafka)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

/// What clients wrote, as rows for a job.
void read_kafka_rows(benchmark::State& state) {
  Written& w = written();
  const Topic topic = open_or_create_topic(w.real.env(), w.directory, "rows", {}).value();
  auto writer = PartitionWriter::open(w.real.env(), topic, PartitionId(0)).value();
  const std::string batch = kafka_batch(100, 160, static_cast<KafkaCompression>(state.range(0)));
  while (writer->next_offset().value < 500'000) (void)writer->append_kafka(batch).value();
  (void)writer->flush();
  std::uint64_t rows = 0;
  std::uint64_t sum = 0;
  for (auto _ : state) {
    auto reader = PartitionReader::open(w.real.env().files, topic, PartitionId(0)).value();
    while (const FrameView* f = reader.next().value()) {
      for (std::size_t i = 0; i < f->count(); ++i) sum += f->value(i).size();
      rows += f->count();
    }
  }
  benchmark::DoNotOptimize(sum);
  report(state, rows, rows * 160);
}
BENCHMARK(read_kafka_rows)->Arg(0)->Arg(3)->Unit(benchmark::kMillisecond);

/// What an epoch costs the sink: append, sync, mark, and the synced commit mark.
void epoch(benchmark::State& state) {
  Written& w = written();
  const Topic topic = open_or_create_topic(w.real.env(), w.directory, "epochs", {}).value();
  auto writer = PartitionWriter::open(w.real.env(), topic, PartitionId(0)).value();
  const std::string value = bid(7);
  RecordBatch b;
  for (int i = 0; i < 1000; ++i) b.add(0, value);
  std::int64_t e = 0;
  for (auto _ : state) {
    const Transaction t{7, Epoch(++e)};
    (void)writer->append(b, t).value();
    (void)writer->flush();
    (void)writer->commit_epoch(t, writer->next_offset()).value();
  }
  report(state, static_cast<std::uint64_t>(state.iterations()) * b.records(), 0);
}
BENCHMARK(epoch)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace supyo::log
