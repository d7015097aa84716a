#pragma once
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>
#include <vector>

#include "connect/jdbc/jdbc.h"
#include "core/env/real/real_env.h"
#include "data/types/value.h"

namespace supyo::connect {

/// Rows as "a|b|", dead records as "where field reason".
class Output final : public dataflow::SourceOutput {
 public:
  Status emit(dataflow::SourceBatch b) override {
    ++batches;
    for (std::size_t r = 0; r < b.batch->rows; ++r) {
      std::string text;
      for (const auto& c : b.batch->columns) {
        if (c->is_null(r)) text += "NULL";
        else append_text_of(*c, r, text);
        text += "|";
      }
      rows.push_back(text);
    }
    return ok();
  }
  Status dead(dataflow::DeadRecord d) override {
    bad.push_back(d.position + " " + d.field + " " + d.reason + " " + d.raw);
    return ok();
  }
  void quiet(std::uint32_t) override {}
  std::vector<std::string> rows, bad;
  std::size_t batches = 0;
};

struct Column {
  std::string name;
  Type type;
};

/// A table of connector 'jdbc' and what is done with it.
class JdbcTest : public testing::Test {
 protected:
  JdbcTest() : dir_((std::filesystem::temp_directory_path() / ("supyo-jdbc-" + std::to_string(real_.env().random.next_u64()))).string()) { std::filesystem::create_directories(dir_); }
  ~JdbcTest() override { std::filesystem::remove_all(dir_); }

  env::Env& env() { return real_.env(); }

  /// Speaks to the file as nobody of the connector does: rows as "a|b|".
  std::vector<std::string> sqlite(const std::string& sql) {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open((dir_ + "/t.db").c_str(), &db), SQLITE_OK);
    std::vector<std::string> rows;
    char* error = nullptr;
    const auto take = [](void* to, int count, char** values, char**) {
      std::string text;
      for (int i = 0; i < count; ++i) text += std::string(values[i] == nullptr ? "NULL" : values[i]) + "|";
      static_cast<std::vector<std::string>*>(to)->push_back(text);
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), take, &rows, &error), SQLITE_OK) << (error == nullptr ? "" : error);
    sqlite3_free(error);
    sqlite3_close(db);
    return rows;
  }

  catalog::TableDefinition table(const std::vector<Column>& columns, const std::vector<std::string>& key = {}, const catalog::Options& more = {}) {
    catalog::TableDefinition t;
    t.path = {"c", "d", "t"};
    for (const Column& c : columns) {
      catalog::ColumnDefinition d;
      d.name = c.name;
      d.type = c.type;
      t.columns.push_back(d);
    }
    t.primary_key = key;
    t.options = {{"connector", "jdbc"}, {"url", "jdbc:sqlite:t.db"}, {"table-name", "t"}};
    for (const auto& [k, v] : more) t.options.insert_or_assign(k, v);
    return t;
  }

  /// Reads all splits, from `from` (a position of the first one) on.
  Result<Output> read(const catalog::TableDefinition& t, std::vector<std::size_t> columns, const std::string& from = {}, std::size_t polls = SIZE_MAX) {
    SUPYO_ASSIGN(const auto source, make_jdbc_source({t, std::move(columns), dir_}, env()));
    SUPYO_ASSIGN(auto splits, source->splits());
    splits[0].position = from;
    SUPYO_ASSIGN(const auto reader, source->open(splits, env()));
    Output out;
    for (; polls > 0; --polls) {
      SUPYO_ASSIGN(const dataflow::Poll poll, reader->poll(100, out));
      if (poll.progress == dataflow::Progress::kDone) break;
    }
    position_ = reader->positions()[0].position;
    return out;
  }

  struct Row {
    RowKind kind;
    std::vector<Value> values;
  };
  static Value number(std::int64_t v) { return {.type = Type::big_int(), .data = v}; }
  static Value text(const std::string& v) { return {.type = Type::string(), .data = v}; }

  static BatchPtr batch_of(const Schema& schema, const std::vector<Row>& rows) {
    BatchBuilder b(schema);
    for (const Row& r : rows) {
      for (std::size_t c = 0; c < schema.size(); ++c) append_value(b.column(c), r.values[c]);
      b.end_row(r.kind);
    }
    return b.finish();
  }

  /// Writes epochs one after the other, as a job that starts with `last_final` does. Gives how the last one ended.
  Result<dataflow::CommitOutcome> write(const catalog::TableDefinition& t, const std::vector<std::pair<std::int64_t, std::vector<Row>>>& epochs, std::int64_t last_final = 0) {
    const Schema schema = t.persisted_schema();
    SUPYO_ASSIGN(const auto sink, make_jdbc_sink({t, schema, ChangelogMode::kUpsert, dir_}, env()));
    const FaultPoints faults;
    const dataflow::SinkOpen open{.env = env(), .faults = faults, .job = {"job-1", "t"}, .shards = 1, .last_final = Epoch(last_final)};
    SUPYO_ASSIGN(const auto committer, sink->open_committer(open));
    SUPYO_ASSIGN(const auto writer, sink->open_writer(open, 0));
    dataflow::CommitOutcome outcome = dataflow::CommitOutcome::kPending;
    for (const auto& [number, rows] : epochs) {
      if (!rows.empty()) SUPYO_TRY(writer->write(batch_of(schema, rows), Epoch(number)));
      SUPYO_TRY(writer->begin_prepare(Epoch(number)));
      dataflow::CommitHandle handle;
      for (bool done = false; !done; env().threads->idle(100)) {
        SUPYO_ASSIGN(const auto prepared, writer->poll_prepare(Epoch(number)));
        if ((done = prepared.done)) handle = prepared.handle;
      }
      for (outcome = dataflow::CommitOutcome::kPending; outcome == dataflow::CommitOutcome::kPending; env().threads->idle(100)) {
        SUPYO_ASSIGN(const auto committed, committer->poll_commit(Epoch(number), {handle}));
        outcome = committed.outcome;
      }
    }
    return outcome;
  }

  env::RealEnv real_;
  std::string dir_;
  std::string position_;
};

}  // namespace supyo::connect
