#include "connect/iceberg/iceberg.h"

#include <gtest/gtest.h>

#include "core/env/sim/sim_env.h"
#include "data/iceberg/commit.h"
#include "data/types/builder.h"
#include "data/types/value.h"

namespace supyo::connect {
namespace {

constexpr const char* kWarehouse = "/wh";

catalog::TableDefinition definition(std::vector<std::string> partition_keys = {}) {
  catalog::TableDefinition t;
  t.path = {"lake", "db", "t"};
  for (const auto& [name, type] : std::vector<std::pair<std::string, Type>>{{"id", Type::big_int()}, {"k", Type::string()}, {"ts", Type::timestamp(3)}}) {
    catalog::ColumnDefinition c;
    c.name = name;
    c.type = type;
    t.columns.push_back(std::move(c));
  }
  t.partition_keys = std::move(partition_keys);
  return t;
}

BatchPtr rows(std::int64_t from, std::int64_t count) {
  BatchBuilder b(definition().schema());
  for (std::int64_t i = from; i < from + count; ++i) {
    b.column(0).append(i);
    if (i % 5 == 4) b.column(1).append_null();
    else b.column(1).append_text(fmt::format("k{}", i % 3));
    b.column(2).append(i * 1000);
    b.end_row();
  }
  return b.finish();
}

class Output final : public dataflow::SourceOutput {
 public:
  Status emit(dataflow::SourceBatch b) override {
    EXPECT_EQ(b.produce_us.size(), b.batch->rows);
    for (std::size_t r = 0; r < b.batch->rows; ++r) {
      std::string text;
      for (const auto& c : b.batch->columns) append_text_of(*c, r, text), text += "|";
      seen.push_back(text);
    }
    return ok();
  }
  Status dead(dataflow::DeadRecord) override { return ok(); }
  void quiet(std::uint32_t) override {}
  std::vector<std::string> seen;
};

class IcebergConnector : public testing::Test {
 protected:
  IcebergConnector() {
    auto made = iceberg_catalog_factory(sim_.env())("lake", {{"type", "iceberg"}, {"catalog-type", "hadoop"}, {"warehouse", kWarehouse}}, "/");
    EXPECT_TRUE(made) << made.error().to_string();
    catalog_ = std::move(*made);
    EXPECT_TRUE(catalog_->create_database("db", false));
  }

  void SetUp() override {
#ifdef SUPYO_NO_PARQUET
    GTEST_SKIP() << "built without the Parquet module";
#endif
  }

  // A job: its sink, opened, with a writer per shard.
  struct Job {
    std::shared_ptr<dataflow::Sink> sink;
    std::unique_ptr<dataflow::SinkCommitter> committer;
    std::vector<std::unique_ptr<dataflow::SinkWriter>> writers;
  };
  Job start(const std::string& job_id = "job-1", std::uint32_t shards = 2, Epoch last = Epoch{0}) {
    const auto table = catalog_->table({"lake", "db", "t"});
    EXPECT_TRUE(table) << table.error().to_string();
    auto sink = make_iceberg_sink({*table, definition().schema(), ChangelogMode::kAppend, "/"}, sim_.env());
    EXPECT_TRUE(sink) << sink.error().to_string();
    Job job{*sink, nullptr, {}};
    const dataflow::SinkOpen open{.env = sim_.env(), .faults = faults_, .job = {job_id, "lake.db.t"}, .shards = shards, .last_final = last};
    auto committer = job.sink->open_committer(open);
    EXPECT_TRUE(committer) << committer.error().to_string();
    job.committer = std::move(*committer);
    for (std::uint32_t s = 0; s < shards; ++s) job.writers.push_back(std::move(*job.sink->open_writer(open, s)));
    return job;
  }

  Result<std::vector<dataflow::CommitHandle>> prepare(Job& job, std::int64_t epoch) {
    std::vector<dataflow::CommitHandle> handles;
    for (auto& w : job.writers) SUPYO_TRY(w->begin_prepare(Epoch{epoch}));
    for (auto& w : job.writers) {
      while (true) {
        SUPYO_ASSIGN(auto p, w->poll_prepare(Epoch{epoch}));
        if (p.done) {
          handles.push_back(std::move(p.handle));
          break;
        }
        sim_.clock().advance_to(p.poll.until_us);
      }
    }
    return handles;
  }

  Result<dataflow::CommitOutcome> commit(Job& job, std::int64_t epoch, const std::vector<dataflow::CommitHandle>& handles) {
    while (true) {
      SUPYO_ASSIGN(const auto p, job.committer->poll_commit(Epoch{epoch}, handles));
      if (p.outcome != dataflow::CommitOutcome::kPending) return p.outcome;
      sim_.clock().advance_to(p.poll.until_us);
    }
  }

  std::vector<std::string> read(std::vector<std::size_t> columns = {0, 1, 2}) {
    const auto table = catalog_->table({"lake", "db", "t"});
    auto source = make_iceberg_source({*table, std::move(columns), "/"}, sim_.env());
    EXPECT_TRUE(source) << source.error().to_string();
    auto splits = (*source)->splits();
    EXPECT_TRUE(splits) << splits.error().to_string();
    auto reader = (*source)->open(*splits, sim_.env());
    EXPECT_TRUE(reader) << reader.error().to_string();
    Output out;
    while (true) {
      const auto p = (*reader)->poll(1000, out);
      EXPECT_TRUE(p) << p.error().to_string();
      if (!p || p->progress == dataflow::Progress::kDone) break;
    }
    return out.seen;
  }

  static std::vector<std::string> expected(std::int64_t count) {
    std::vector<std::string> out;
    const auto all = rows(0, count);
    for (std::size_t r = 0; r < all->rows; ++r) {
      std::string text;
      for (const auto& c : all->columns) append_text_of(*c->with_type(c->type().id == TypeId::kTimestamp ? Type::timestamp(6) : c->type()), r, text), text += "|";
      out.push_back(text);
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  static std::vector<std::string> sorted(std::vector<std::string> v) {
    std::sort(v.begin(), v.end());
    return v;
  }

  env::SimEnv sim_{1};
  FaultPoints faults_;
  std::unique_ptr<catalog::ExternalCatalog> catalog_;
};

TEST_F(IcebergConnector, CatalogKeepsDatabasesAndTables) {
  auto table = definition({"k"});
  table.options = {{"format-version", "2"}, {"write.parquet.compression-codec", "snappy"}};
  table.primary_key = {"id"};
  ASSERT_TRUE(catalog_->create_table(table, false));
  EXPECT_EQ(catalog_->create_table(table, false).error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(catalog_->create_table(table, true));
  EXPECT_EQ(*catalog_->databases(), std::vector<std::string>{"db"});
  EXPECT_EQ(*catalog_->tables("db"), std::vector<std::string>{"t"});
  const auto back = catalog_->table(table.path);
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->schema().to_string(), "(`id` BIGINT NOT NULL, `k` STRING, `ts` TIMESTAMP(6))");
  EXPECT_EQ(back->partition_keys, table.partition_keys);
  EXPECT_EQ(back->primary_key, table.primary_key);
  EXPECT_EQ(back->connector(), "iceberg");
  EXPECT_EQ(back->options.at("write.parquet.compression-codec"), "snappy");
  EXPECT_TRUE(catalog::check_options(back->options, iceberg_descriptor(), {}));
  EXPECT_EQ(catalog_->drop_database("db", false).error().code, ErrorCode::kNotAllowed);
  ASSERT_TRUE(catalog_->drop_table(table.path, false));
  EXPECT_EQ(catalog_->table(table.path).error().code, ErrorCode::kUnknownTable);
  EXPECT_TRUE(catalog_->drop_database("db", false));
}

TEST_F(IcebergConnector, RefusesWhatItCannotKeep) {
  auto table = definition();
  table.options = {{"write.upsert.enabled", "true"}};
  EXPECT_EQ(catalog_->create_table(table, false).error().code, ErrorCode::kUnsupported);
  table.options = {{"format-version", "3"}};
  EXPECT_EQ(catalog_->create_table(table, false).error().code, ErrorCode::kUnsupported);
  table.options = {};
  table.path.name = "../escape";
  EXPECT_EQ(catalog_->create_table(table, false).error().code, ErrorCode::kBadOptionValue);
  const auto make = iceberg_catalog_factory(sim_.env());
  EXPECT_EQ(make("c", {{"catalog-type", "rest"}, {"warehouse", "/w"}}, "/").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(make("c", {{"warehouse", "s3://b/w"}}, "/").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(make("c", {{"warehouse", "wh"}}, "relative").error().code, ErrorCode::kBadOptionValue);
  EXPECT_EQ(make("c", {{"warehous", "wh"}}, "/").error().code, ErrorCode::kUnknownOption);
  EXPECT_EQ(make("c", {}, "/").error().code, ErrorCode::kMissingOption);
}

TEST_F(IcebergConnector, EpochsBecomeSnapshotsAndReadBack) {
  ASSERT_TRUE(catalog_->create_table(definition({"k"}), false));
  Job job = start();
  for (std::int64_t e = 1; e <= 6; ++e) {
    if (e != 4) ASSERT_TRUE(job.writers[static_cast<std::size_t>(e % 2)]->write(rows((e - 1 - (e > 4)) * 10, 10), Epoch{e}));
    const auto handles = prepare(job, e);
    ASSERT_TRUE(handles) << handles.error().to_string();
    EXPECT_EQ(*commit(job, e, *handles), dataflow::CommitOutcome::kVisibleNow);
    if (e != 4) EXPECT_EQ(*commit(job, e, *handles), dataflow::CommitOutcome::kWasVisible);
  }
  EXPECT_EQ(sorted(read()), expected(50));
  EXPECT_EQ(read({1}).size(), 50U);
  EXPECT_EQ(read({}).size(), 50U);
  const auto loaded = iceberg::load_table(sim_.files(), "/wh/db/t");
  EXPECT_EQ(loaded->metadata.snapshots.size(), 5U) << "an epoch without rows makes no snapshot";
  EXPECT_EQ(loaded->metadata.current_snapshot()->summary.at("supyo.epoch"), "6");
  EXPECT_TRUE(*sim_.files().exists("/wh/db/t/data/k=null"));
}

TEST_F(IcebergConnector, CommitDelayIsWaitedOnTheClock) {
  ASSERT_TRUE(catalog_->create_table(definition(), false));
  int asked = 0;
  faults_.arm([&](std::string_view point, TimeUs) {
    ++asked;
    return FaultDecision{.delay_us = point == "iceberg.commit.before" ? 2 * kSecond : 3 * kSecond};
  });
  Job job = start();
  ASSERT_TRUE(job.writers[0]->write(rows(0, 10), Epoch{1}));
  const TimeUs started = sim_.clock().now_us();
  const auto handles = prepare(job, 1);
  EXPECT_EQ(sim_.clock().now_us() - started, 3 * kSecond);
  const auto pending = job.committer->poll_commit(Epoch{1}, *handles);
  EXPECT_EQ(pending->outcome, dataflow::CommitOutcome::kPending);
  EXPECT_EQ(pending->poll.until_us, started + 5 * kSecond);
  EXPECT_TRUE(read().empty());
  EXPECT_EQ(*commit(job, 1, *handles), dataflow::CommitOutcome::kVisibleNow);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(read().size(), 10U);
}

TEST_F(IcebergConnector, InjectedRefusalIsAnErrorAndTheRetryCommits) {
  ASSERT_TRUE(catalog_->create_table(definition(), false));
  Job job = start();
  ASSERT_TRUE(job.writers[0]->write(rows(0, 10), Epoch{1}));
  const auto handles = prepare(job, 1);
  faults_.arm([](std::string_view, TimeUs) { return FaultDecision{.fail = true}; });
  EXPECT_EQ(job.committer->poll_commit(Epoch{1}, *handles).error().code, ErrorCode::kOutsideUnavailable);
  faults_.arm(nullptr);
  EXPECT_EQ(*commit(job, 1, *handles), dataflow::CommitOutcome::kVisibleNow);
}

// Power fails at every file operation of an epoch. The journal of the real runtime is played by `final_handles`: an epoch is final when
// its handles were all handed over, and is then committed after the restart; otherwise it is abandoned and its rows come again.
TEST_F(IcebergConnector, RowsAreThereOnceWhateverDies) {
  for (std::uint64_t n = 1;; ++n) {
    ASSERT_LT(n, 1000U);
    sim_.files().set_fault_hook(nullptr);
    ASSERT_TRUE(catalog_->drop_table({"lake", "db", "t"}, true));
    ASSERT_TRUE(catalog_->create_table(definition({"k"}), false));
    std::optional<std::vector<dataflow::CommitHandle>> final_handles;
    bool died = true;
    {
      Job job = start();
      ASSERT_TRUE(job.writers[0]->write(rows(0, 10), Epoch{1}));
      ASSERT_TRUE(commit(job, 1, *prepare(job, 1)));
      sim_.files().set_fault_hook(env::fail_nth(n, env::SimFault::kPowerOff));
      const auto run = [&]() -> Status {
        SUPYO_TRY(job.writers[0]->write(rows(10, 10), Epoch{2}));
        SUPYO_TRY(job.writers[1]->write(rows(20, 10), Epoch{2}));
        SUPYO_ASSIGN(final_handles, prepare(job, 2));
        SUPYO_TRY(commit(job, 2, *final_handles));
        return ok();
      };
      died = !run();
    }
    sim_.files().set_fault_hook(nullptr);
    sim_.files().crash();
    Job job = start("job-1", 2, Epoch{final_handles ? 2 : 1});
    ASSERT_TRUE(job.committer->abandon_after(Epoch{final_handles ? 2 : 1}));
    if (!final_handles) {
      ASSERT_TRUE(job.writers[0]->write(rows(10, 20), Epoch{2}));
      final_handles = *prepare(job, 2);
    }
    const auto outcome = commit(job, 2, *final_handles);
    ASSERT_TRUE(outcome) << "n = " << n << ": " << outcome.error().to_string();
    if (!died) ASSERT_EQ(*outcome, dataflow::CommitOutcome::kWasVisible);
    ASSERT_EQ(sorted(read()), expected(30)) << "n = " << n;
    if (!died) break;
  }
}

TEST_F(IcebergConnector, ARestartedReaderGoesOnInItsSnapshot) {
  ASSERT_TRUE(catalog_->create_table(definition(), false));
  Job job = start("job-1", 1);
  for (std::int64_t e = 1; e <= 20; ++e) {
    ASSERT_TRUE(job.writers[0]->write(rows((e - 1) * 100, 100), Epoch{e}));
    ASSERT_TRUE(commit(job, e, *prepare(job, e)));
  }
  const auto table = catalog_->table({"lake", "db", "t"});
  auto source = *make_iceberg_source({*table, {0, 1, 2}, "/"}, sim_.env());
  auto splits = *source->splits();
  Output out;
  for (int round = 0; round < 100; ++round) {
    auto reader = *source->open(splits, sim_.env());
    const auto p = reader->poll(70, out);
    ASSERT_TRUE(p) << p.error().to_string();
    const auto positions = reader->positions();
    for (std::size_t i = 0; i < splits.size(); ++i) splits[i].position = positions[i].position;
    if (round == 3) {   // rows that come later are not part of this read
      ASSERT_TRUE(job.writers[0]->write(rows(9000, 10), Epoch{21}));
      ASSERT_TRUE(commit(job, 21, *prepare(job, 21)));
      source = *make_iceberg_source({*table, {0, 1, 2}, "/"}, sim_.env());
    }
    if (p->progress == dataflow::Progress::kDone) break;
  }
  EXPECT_EQ(sorted(out.seen), expected(2000));
}

TEST_F(IcebergConnector, InlineTablesAreMadeWhenTheJobStarts) {
  auto table = definition();
  table.path = {"default_catalog", "default_database", "mine"};
  table.options = {{"connector", "iceberg"}, {"catalog-name", "x"}, {"catalog-type", "hadoop"}, {"warehouse", "file:///wh"}, {"catalog-database", "db"}, {"catalog-table", "t"}};
  auto sink = make_iceberg_sink({table, table.schema(), ChangelogMode::kAppend, "/"}, sim_.env());
  ASSERT_TRUE(sink) << sink.error().to_string();
  EXPECT_EQ(catalog_->tables("db")->size(), 0U);
  const dataflow::SinkOpen open{.env = sim_.env(), .faults = faults_, .job = {"j", "s"}, .shards = 1, .last_final = Epoch{0}};
  auto committer = (*sink)->open_committer(open);
  ASSERT_TRUE(committer) << committer.error().to_string();
  auto writer = (*sink)->open_writer(open, 0);
  ASSERT_TRUE((*writer)->write(rows(0, 10), Epoch{1}));
  ASSERT_TRUE((*writer)->begin_prepare(Epoch{1}));
  const auto handle = (*writer)->poll_prepare(Epoch{1});
  ASSERT_TRUE(handle) << handle.error().to_string();
  ASSERT_TRUE((*committer)->poll_commit(Epoch{1}, {handle->handle}));
  EXPECT_EQ(read().size(), 10U);
  EXPECT_EQ(iceberg::load_table(sim_.files(), "/wh/db/t")->metadata.location, "file:///wh/db/t");
}

TEST_F(IcebergConnector, RowsThatDoNotFitAreRefused) {
  ASSERT_TRUE(catalog_->create_table(definition(), false));
  const auto table = *catalog_->table({"lake", "db", "t"});
  Schema other;
  other.add("id", Type::string());
  EXPECT_EQ(make_iceberg_sink({table, other, ChangelogMode::kAppend, "/"}, sim_.env()).error().code, ErrorCode::kTypeMismatch);
  Schema unknown;
  unknown.add("nope", Type::string());
  EXPECT_EQ(make_iceberg_sink({table, unknown, ChangelogMode::kAppend, "/"}, sim_.env()).error().code, ErrorCode::kUnknownColumn);
  Job job = start();
  auto changed = std::make_shared<Batch>(*rows(0, 2));
  changed->kinds = {RowKind::kInsert, RowKind::kDelete};
  EXPECT_EQ(job.writers[0]->write(changed, Epoch{1}).error().code, ErrorCode::kSinkCannotTake);
}

TEST_F(IcebergConnector, LargeEpochsRollFiles) {
  auto table = definition();
  table.options = {{"write.target-file-size-bytes", "65536"}};
  ASSERT_TRUE(catalog_->create_table(table, false));
  Job job = start("job-1", 1);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(job.writers[0]->write(rows(i * 4000, 4000), Epoch{1}));
  ASSERT_TRUE(commit(job, 1, *prepare(job, 1)));
  EXPECT_EQ(iceberg::load_table(sim_.files(), "/wh/db/t")->metadata.current_snapshot()->summary.at("added-data-files"), "3");
  EXPECT_EQ(read().size(), 20000U);
}

}  // namespace
}  // namespace supyo::connect
