// SQL into an Iceberg table and back, by the whole engine on a simulated machine that dies at random moments.
// SUPYO_SEEDS=500 runs that many of the crash test's seeds.
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/env/sim/sim_env.h"
#include "data/iceberg/table.h"
#include "data/types/value.h"
#include "engine/job/engine.h"
#include "sql/syntax/parser.h"

namespace supyo::job {
namespace {

constexpr const char* kPipeline = R"(
SET 'execution.checkpointing.interval' = '100ms';
CREATE CATALOG lake WITH ('type' = 'iceberg', 'catalog-type' = 'hadoop', 'warehouse' = 'warehouse');
CREATE DATABASE IF NOT EXISTS lake.db;
CREATE TABLE IF NOT EXISTS lake.db.t (id BIGINT, parity STRING, at TIMESTAMP(3), amount DECIMAL(12, 2)) PARTITIONED BY (parity);
CREATE TABLE numbers (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000', 'number-of-rows' = '500',
  'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '500');
INSERT INTO lake.db.t
SELECT id, CASE WHEN MOD(id, 2) = 0 THEN 'even' WHEN MOD(id, 7) = 0 THEN CAST(NULL AS STRING) ELSE 'odd' END, TIMESTAMP '2020-01-01 00:00:00', CAST(id AS DECIMAL(12, 2))
FROM numbers;
)";

Result<std::unique_ptr<Engine>> make_engine(env::SimEnv& sim, std::string state_dir, std::uint64_t seed) {
  return Engine::create(sim.env(), {.base_directory = "/job", .state_dir = std::move(state_dir), .seed = seed});
}

Status run(env::SimEnv& sim, std::uint64_t seed) {
  SUPYO_ASSIGN(const auto engine, make_engine(sim, "/job/state", seed));
  SUPYO_ASSIGN(const plan::Job job, engine->load(kPipeline, {}));
  SUPYO_ASSIGN(const auto runner, engine->start(job));
  SUPYO_TRY(runner->run_stepped([&](TimeUs t) { sim.clock().advance_to(t == kTimeMax ? sim.clock().now_us() + kSecond : t); }));
  return ok();
}

Result<std::vector<std::string>> select(env::SimEnv& sim, std::string_view query) {
  SUPYO_ASSIGN(const auto engine, make_engine(sim, "", 1));
  const std::string text = "CREATE CATALOG lake WITH ('type' = 'iceberg', 'catalog-type' = 'hadoop', 'warehouse' = 'file:///job/warehouse'); " + std::string(query);
  SUPYO_ASSIGN(const auto statements, syntax::parse_script(text));
  plan::Job job;
  for (const syntax::Statement& statement : statements) {
    SUPYO_ASSIGN(plan::Outcome outcome, engine->execute(statement));
    if (auto* bound = std::get_if<plan::Job>(&outcome)) job = std::move(*bound);
  }
  std::vector<std::string> rows;
  SUPYO_ASSIGN(const auto runner, engine->start(job, [&](const BatchPtr& batch) {
    for (std::size_t r = 0; r < batch->rows; ++r) {
      std::string line;
      for (const auto& c : batch->columns) append_text_of(*c, r, line), line += "|";
      rows.push_back(line);
    }
    return ok();
  }));
  SUPYO_TRY(runner->run_stepped([&](TimeUs t) { sim.clock().advance_to(t == kTimeMax ? sim.clock().now_us() + kSecond : t); }));
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<std::string> expected() {
  std::vector<std::string> rows;
  for (int id = 1; id <= 500; ++id)
    rows.push_back(fmt::format("{}|{}|2020-01-01 00:00:00.000000|{}.00|", id, id % 2 == 0 ? "even" : id % 7 == 0 ? "NULL" : "odd", id));
  std::sort(rows.begin(), rows.end());
  return rows;
}

TEST(IcebergSql, RowsGoInAndComeBack) {
  env::SimEnv sim(1);
  const auto done = run(sim, 1);
  ASSERT_TRUE(done) << done.error().to_string();
  const auto rows = select(sim, "SELECT * FROM lake.db.t");
  ASSERT_TRUE(rows) << rows.error().to_string();
  EXPECT_EQ(*rows, expected());
  const auto some = select(sim, "SELECT amount, id FROM lake.db.t WHERE parity = 'odd' AND id < 6");
  ASSERT_TRUE(some) << some.error().to_string();
  EXPECT_EQ(*some, (std::vector<std::string>{"1.00|1|", "3.00|3|", "5.00|5|"}));
  EXPECT_GE(iceberg::load_table(sim.files(), "/job/warehouse/db/t")->metadata.snapshots.size(), 4U);
}

TEST(IcebergSql, CrashesLoseAndRepeatNothing) {
  const auto want = expected();
  const char* more = std::getenv("SUPYO_SEEDS");
  const std::uint64_t seeds = more != nullptr ? std::stoull(more) : 12;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    env::SimEnv sim(seed);
    env::SeededRandom chaos(seed * 7919);
    Status done;
    int crashes = 0;
    do {
      const bool calm = ++crashes > 6;
      sim.files().set_fault_hook(calm ? env::FaultHook{} : env::fail_nth(1 + chaos.below(300), env::SimFault::kPowerOff));
      done = run(sim, seed);
      if (!done) {
        sim.files().set_fault_hook(nullptr);
        sim.files().crash();
        ASSERT_FALSE(calm) << "seed " << seed << ": " << done.error().to_string();
      }
    } while (!done);
    sim.files().set_fault_hook(nullptr);
    sim.files().crash();   // what was reported done is done
    const auto rows = select(sim, "SELECT * FROM lake.db.t");
    ASSERT_TRUE(rows) << "seed " << seed << ": " << rows.error().to_string();
    ASSERT_EQ(*rows, want) << "seed " << seed << " after " << crashes - 1 << " crashes";
  }
}

}  // namespace
}  // namespace supyo::job
