#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connect/stream/stream.h"
#include "connect/stream/stream_options.h"
#include "core/env/sim/sim_env.h"
#include "data/formats/columnar.h"
#include "data/log/partition_reader.h"
#include "data/log/partition_writer.h"
#include "data/types/builder.h"
#include "data/types/value.h"

namespace supyo::connect {

using dataflow::CommitHandle;
using dataflow::CommitOutcome;
using dataflow::Progress;

struct Collected : dataflow::SourceOutput {
  Status emit(dataflow::SourceBatch b) override {
    for (std::size_t row = 0; row < b.batch->rows; ++row) {
      std::string text;
      for (const auto& c : b.batch->columns) text += (text.empty() ? "" : "|") + value_at(*c, row).to_string();
      rows.push_back(text);
      positions.push_back(b.position_of(row));
      produce.push_back(b.produce_us[row]);
    }
    return ok();
  }
  Status dead(dataflow::DeadRecord r) override {
    dead_records.push_back(r.position + ": " + r.field);
    return ok();
  }
  void quiet(std::uint32_t split) override { quiet_splits.push_back(split); }

  std::vector<std::string> rows;
  std::vector<std::string> positions;
  std::vector<TimeUs> produce;
  std::vector<std::string> dead_records;
  std::vector<std::uint32_t> quiet_splits;
};

class StreamTest : public testing::Test {
 protected:
  catalog::TableDefinition table(catalog::Options more = {}) {
    catalog::TableDefinition t;
    t.path = {"default_catalog", "default_database", "events"};
    t.columns = {{.name = "id", .type = Type::big_int(), .expression_sql = {}, .metadata_key = {}, .comment = {}},
                 {.kind = catalog::ColumnDefinition::Kind::kMetadata, .name = "ts", .type = Type::timestamp_ltz(3), .expression_sql = {}, .metadata_key = "timestamp", .comment = {}},
                 {.name = "name", .type = Type::string(), .expression_sql = {}, .metadata_key = {}, .comment = {}}};
    t.options = {{"connector", "kafka"}, {"topic", "t"}, {"properties.bootstrap.servers", "embedded:log"}, {"format", format_}};
    for (auto& [k, v] : more) t.options[k] = v;
    return t;
  }
  void put(PartitionId p, const std::vector<std::string>& values, TimeUs timestamp = 5 * kSecond, std::int32_t partitions = 1) {
    const auto topic = log::open_or_create_topic(sim_.env(), "data/log", "t", {.partitions = partitions}).value();
    auto w = log::PartitionWriter::open(sim_.env(), topic, p).value();
    log::RecordBatch b;
    for (const auto& v : values) b.add(timestamp, v);
    ASSERT_TRUE(w->append(b));
    ASSERT_TRUE(w->flush());
  }
  std::unique_ptr<dataflow::SourceReader> reader(const catalog::TableDefinition& t, std::vector<std::size_t> columns, std::vector<dataflow::SplitPosition> from = {}) {
    auto made = make_stream_source({.table = t, .columns = std::move(columns), .base_directory = "data"}, sim_.env());
    EXPECT_TRUE(made) << (made ? "" : made.error().to_string());
    source_ = *made;
    auto splits = source_->splits().value();
    for (auto& s : splits)
      for (const auto& p : from)
        if (p.split_id == s.id) s.position = p.position;
    auto r = source_->open(splits, sim_.env());
    EXPECT_TRUE(r) << (r ? "" : r.error().to_string());
    return std::move(*r);
  }
  static Progress drain(dataflow::SourceReader& r, Collected& out, std::size_t budget = 100) {
    while (true) {
      const auto p = r.poll(budget, out);
      EXPECT_TRUE(p) << (p ? "" : p.error().to_string());
      if (!p || p->progress != Progress::kMore) return p ? p->progress : Progress::kDone;
    }
  }

  // Sink side.
  struct Job {
    std::shared_ptr<dataflow::Sink> sink;
    std::unique_ptr<dataflow::SinkCommitter> committer;
    std::vector<std::unique_ptr<dataflow::SinkWriter>> writers;
  };
  Result<Job> job(const catalog::TableDefinition& t, const std::string& id, std::uint32_t shards = 1, Epoch last_final = {}) {
    Job j;
    SUPYO_ASSIGN(j.sink, make_stream_sink({.table = t, .schema = t.persisted_schema(), .base_directory = "data"}, sim_.env()));
    const dataflow::SinkOpen open{.env = sim_.env(), .faults = faults_, .job = {id, "t"}, .shards = shards, .last_final = last_final};
    SUPYO_ASSIGN(j.committer, j.sink->open_committer(open));
    for (std::uint32_t s = 0; s < shards; ++s) {
      SUPYO_ASSIGN(auto w, j.sink->open_writer(open, s));
      j.writers.push_back(std::move(w));
    }
    return j;
  }
  BatchPtr rows(const catalog::TableDefinition& t, std::int64_t from, std::int64_t count) {
    BatchBuilder b(t.persisted_schema());
    for (std::int64_t i = from; i < from + count; ++i) {
      b.column(0).append_integer(i);
      b.column(1).append_integer(i * kSecond);
      b.column(2).append_text("n" + std::to_string(i));
      b.end_row();
    }
    return b.finish();
  }
  static std::vector<CommitHandle> prepare(Job& j, Epoch e) {
    std::vector<CommitHandle> handles;
    for (auto& w : j.writers) EXPECT_TRUE(w->begin_prepare(e));
    for (auto& w : j.writers) {
      auto p = w->poll_prepare(e);
      EXPECT_TRUE(p && p->done) << (p ? "" : p.error().to_string());
      if (!p->handle.empty()) handles.push_back(p->handle);
    }
    return handles;
  }
  std::vector<std::string> visible() {
    Collected out;
    auto r = reader(table({{"scan.bounded.mode", "latest-offset"}}), {0});
    EXPECT_EQ(drain(*r, out), Progress::kDone);
    return out.rows;
  }

  /// What readers of partition 0 see of column `id`.
  static std::string ids(env::SimEnv& sim) {
    const auto topic = log::open_topic(sim.files(), "data/log", "t").value();
    auto log_reader = log::PartitionReader::open(sim.files(), topic, PartitionId(0), {.columnar = true}).value();
    formats::ColumnarDecoder columns(Schema({{"id", Type::big_int()}}));
    std::string seen;
    while (const auto* f = log_reader.next().value()) {
      const BatchPtr rows = f->columnar() ? columns.decode(f->head(), f->parts(), f->count()).value() : nullptr;
      for (std::size_t i = 0; i < f->count(); ++i) seen += (rows ? std::to_string(rows->columns[0]->integer(i)) : std::string(f->value(i).substr(6, 2))) + " ";
    }
    return seen;
  }

  std::string format_ = "json";
  env::SimEnv sim_{1};
  FaultPoints faults_;
  std::shared_ptr<dataflow::Source> source_;
};

}  // namespace supyo::connect
