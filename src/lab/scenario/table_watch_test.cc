#include "lab/scenario/table_watch.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/env/real/real_env.h"
#include "engine/job/engine.h"
#include "judge/slo/judge.h"
#include "judge/slo/openslo.h"
#include "lab/scenario/flink_bench.h"
#include "lab/scenario/scenario.h"
#include "lab/scenario/table_ids.h"
#include "sql/syntax/split.h"

namespace supyo::scenario {
namespace {

constexpr TimeUs kDay = 1'767'225'600 * kSecond;   // 2026-01-01 00:00:00

/// Somebody else's table: Supyo's engine writes it here, one snapshot a statement, and the watch reads it as it would Flink's.
class Table : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "supyo_table_watch_" + env::new_uuid(real_.env().random);
    const auto text = real_.env().files.read_all(SUPYO_SOURCE_DIR "/examples/product/slo.yaml");
    ASSERT_TRUE(text);
    auto objectives = slo::parse_openslo(*text, "slo.yaml");
    ASSERT_TRUE(objectives);
    judge_ = std::make_unique<slo::Judge>(*objectives, slo::JudgeOptions{});
    judge_->started({.holds_until_watermark = true, .source_splits = 1}, now());
    watch_ = std::make_unique<TableWatch>(real_.env(), TableWatch::Options{location(), "event_id", "event_time", *judge_, [this]() -> Result<std::vector<FlinkCluster::Checkpoint>> { return checkpoints_; }});
  }
  void TearDown() override { (void)real_.env().files.remove_all(directory_); }

  TimeUs now() { return real_.env().clock.now_us(); }
  std::string location() const { return table_location(directory_ + "/warehouse", "lake.shop.changes"); }

  void run(const std::string& sql) {
    job::EngineOptions options;
    options.base_directory = directory_;
    options.state_dir = directory_ + "/state-" + std::to_string(jobs_++);
    auto engine = job::Engine::create(real_.env(), std::move(options));
    ASSERT_TRUE(engine);
    const auto job = (*engine)->load("CREATE CATALOG lake WITH ('type' = 'iceberg', 'catalog-type' = 'hadoop', 'warehouse' = '${DATA}/warehouse');\nCREATE DATABASE IF NOT EXISTS lake.shop;\n"
                                    "CREATE TABLE IF NOT EXISTS lake.shop.changes (event_id BIGINT, event_time TIMESTAMP(3));\n" + sql, {{"DATA", directory_}});
    ASSERT_TRUE(job) << job.error().to_string();
    auto runner = (*engine)->start(*job);
    ASSERT_TRUE(runner) << runner.error().to_string();
    const auto result = (*runner)->run();
    ASSERT_TRUE(result) << result.error().to_string();
  }
  /// Rows of ids `from` to `to`, whose events are 100 ms apart.
  void commit(int from, int to) {
    std::string rows;
    for (int id = from; id <= to; ++id) rows += fmt::format("{}({}, TIMESTAMP '2026-01-01 00:00:{:02}.{}00')", rows.empty() ? "" : ", ", id, id / 10, id % 10);
    run("INSERT INTO lake.shop.changes VALUES " + rows + ";");
  }
  void acknowledge(int from, int to) {
    std::vector<workload::GeneratedRecord> records;
    for (int id = from; id <= to; ++id) records.push_back({.due_us = now(), .event_us = kDay + id * 100 * kMillisecond, .id = static_cast<std::uint64_t>(id), .key = "", .value = ""});
    watch_->acknowledged(records);
  }

  env::RealEnv real_;
  std::string directory_;
  int jobs_ = 0;
  std::vector<FlinkCluster::Checkpoint> checkpoints_;
  std::unique_ptr<slo::Judge> judge_;
  std::unique_ptr<TableWatch> watch_;
};

TEST_F(Table, WhatTheTableShowsIsVisibleAndTheRestWaits) {
  acknowledge(1, 20);
  ASSERT_TRUE(watch_->look());
  EXPECT_EQ(judge_->totals().finished, 0U);
  commit(1, 12);
  ASSERT_TRUE(watch_->look());
  EXPECT_EQ(watch_->rows(), 12U);
  EXPECT_EQ(watch_->unseen(), 8U);
  EXPECT_EQ(judge_->totals().finished, 12U);
  EXPECT_EQ(judge_->totals().unfinished, 8U);
  EXPECT_GE(watch_->stamp_age_s(), 0);
  ASSERT_TRUE(watch_->look());   // nothing new
  EXPECT_EQ(watch_->rows(), 12U);
  // The table may have what the brokers' answer is still on its way for.
  commit(13, 24);
  EXPECT_TRUE(watch_->look());
  EXPECT_EQ(judge_->totals().finished, 20U);
  acknowledge(21, 24);
  commit(25, 25);
  acknowledge(25, 25);
  EXPECT_TRUE(watch_->look());
  EXPECT_EQ(judge_->totals().finished, 25U);
  EXPECT_EQ(watch_->unseen(), 0U);
}

TEST_F(Table, WhatIsNotInTheOrderOfAWatermarkIsAnError) {
  acknowledge(1, 20);
  commit(1, 5);
  ASSERT_TRUE(watch_->look());
  commit(7, 9);   // 6 is not there
  const Status s = watch_->look();
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error().code, ErrorCode::kJobFailed);
  EXPECT_NE(s.error().message.find("lacks 1 records"), std::string::npos) << s.error().message;
}

TEST_F(Table, ACheckpointsTimesAreTheJobManagers) {
  acknowledge(1, 10);
  const TimeUs triggered = now() - 5 * kSecond;
  checkpoints_ = {{.id = 8, .triggered_us = now()}, {.id = 7, .triggered_us = triggered, .completed_us = triggered + 250 * kMillisecond}, {.id = 6, .triggered_us = triggered - kSecond}};
  watch_->began(checkpoints_);
  commit(1, 10);
  ASSERT_TRUE(watch_->look());
  EXPECT_EQ(judge_->totals().epochs, 1U);   // 6 failed, 8 is under way
  judge_->advance(now() + 2 * kSecond);
  const slo::Series series = judge_->series();
  const auto& columns = series.columns();
  const auto duration = std::ranges::find(columns, "epoch_duration", &slo::Column::name);
  ASSERT_NE(duration, columns.end());
  EXPECT_DOUBLE_EQ(duration->values.back(), 0.25);
  watch_->failed();
  EXPECT_EQ(judge_->totals().epochs_failed, 1U);
}

/// Their statements differ in where things are, and in nothing that makes the result.
TEST(LagBlindSinkOnFlink, RunsTheSameStatements) {
  env::RealEnv real;
  auto s = load_scenario(real.env().files, SUPYO_SOURCE_DIR "/scenarios/lag-blind-sink.yaml");
  ASSERT_TRUE(s) << s.error().to_string();
  const auto flink = load_on_flink(real.env().files, SUPYO_SOURCE_DIR "/scenarios/lag-blind-sink-refuted.yaml");   // what it extends says it
  ASSERT_TRUE(flink) << flink.error().to_string();
  EXPECT_LT(flink->scale, 0.25);   // not what a file that does not say gets
  const auto statements = [&](const std::string& path) {
    const std::string text = real.env().files.read_all(std::string(SUPYO_SOURCE_DIR "/") + path).value();
    std::vector<std::string> out;
    for (const syntax::StatementText& s : syntax::split_statements(text).value())
      if (s.first_word != "SET") out.emplace_back(s.text.substr(0, s.text.find(" WITH (")));   // the scenario's settings are given beside the text
    return out;
  };
  EXPECT_EQ(statements(s->pipeline), statements(flink->pipeline));
  EXPECT_EQ(statements(s->pipeline).size(), 5U);
  EXPECT_EQ(load_on_flink(real.env().files, SUPYO_SOURCE_DIR "/scenarios/worker-kill.yaml").error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace supyo::scenario
