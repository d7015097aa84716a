#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string_view>

#include "tests/sql/corpus.h"

// Every tests/sql/**/*.test under every regime (those of errors/ under two). Run one alone with --gtest_filter='*name.test*'; --plan-times prints what planning them costs.
namespace supyo::sqltest {
namespace {

const std::vector<Regime>& regimes() {
  static const std::map<std::string, std::string> two_levels = {{"table.optimizer.agg-phase-strategy", "TWO_PHASE"}, {"table.exec.mini-batch.enabled", "true"}, {"table.exec.mini-batch.size", "5"},
                                                                {"table.exec.mini-batch.allow-latency", "20ms"}, {"table.optimizer.distinct-agg.split.enabled", "true"},
                                                                {"table.optimizer.distinct-agg.split.bucket-num", "3"}};
  static const std::vector<Regime> all = {
      {.name = "plain"},
      {.name = "batch1", .batch_rows = 1},
      {.name = "batch7_parallel3", .batch_rows = 7, .parallelism = 3},
      {.name = "parallel3", .parallelism = 3},
      {.name = "no_rules", .rules = false},
      {.name = "reprint", .reprint = true},
      {.name = "tiny_epochs", .batch_rows = 1, .parallelism = 3, .tiny_epochs = true},
      {.name = "kill", .batch_rows = 2, .kill = true, .seed = 7},
      {.name = "kill_parallel3", .batch_rows = 2, .parallelism = 3, .tiny_epochs = true, .kill = true, .seed = 11},
      {.name = "two_levels_parallel2", .batch_rows = 3, .parallelism = 2, .settings = two_levels},
      {.name = "two_levels_kill", .batch_rows = 2, .parallelism = 3, .tiny_epochs = true, .kill = true, .seed = 13, .settings = two_levels},
      {.name = "spill", .batch_rows = 7, .spill = true},
      {.name = "spill_kill_parallel3", .batch_rows = 2, .parallelism = 3, .tiny_epochs = true, .kill = true, .spill = true, .seed = 13},
  };
  return all;
}

class CorpusFile : public ::testing::Test {
 public:
  CorpusFile(std::string file, std::string text) : file_(std::move(file)), text_(std::move(text)) {}
  void TestBody() override {
    const auto blocks = parse_corpus(text_);
    ASSERT_TRUE(blocks) << file_ << ": " << blocks.error().message;
    const bool planned_only = file_.starts_with("errors/");
    for (const Regime& r : regimes()) {
      if (planned_only && r.name != "plain" && r.name != "no_rules") continue;
      const Status done = run_corpus(*blocks, r);
      EXPECT_TRUE(done) << file_ << " " << done.error().to_string();
    }
  }

 private:
  std::string file_;
  std::string text_;
};

// The runner itself must bite.
TEST(Corpus, NoticesWrongRowsAndMissingErrors) {
  const auto bad = [](std::string_view text) {
    const auto blocks = parse_corpus(text);
    return blocks && !run_corpus(*blocks, Regime{.name = "plain"});
  };
  EXPECT_FALSE(bad("query\nSELECT 1 + 1\n----\n2\n"));
  EXPECT_TRUE(bad("query\nSELECT 1 + 1\n----\n3\n"));
  EXPECT_TRUE(bad("query\nSELECT 1 + 1\n----\n2\n2\n"));
  EXPECT_TRUE(bad("query ordered\nSELECT * FROM (VALUES (1), (2)) ORDER BY 1\n----\n2\n1\n"));
  EXPECT_TRUE(bad("error\nSELECT 1 + 1\n----\n2001 1:1\n"));
  EXPECT_TRUE(bad("error\nSELECT x\n----\n2003 1:9\n"));
  EXPECT_FALSE(bad("error\nSELECT x\n----\n2003 1:8\n"));
  EXPECT_FALSE(parse_corpus("qeury\nSELECT 1\n"));
}

/// The slowest to plan of the whole corpus, and of all of them together.
int print_plan_times() {
  struct Timed {
    DurationUs cpu_us = 0;
    std::string where;
  };
  std::vector<Timed> all;
  for (const auto& [file, text] : corpus_files()) {
    const auto blocks = parse_corpus(text);
    const auto times = blocks ? plan_times(*blocks, 3) : Result<std::vector<PlanTime>>(fail(blocks.error()));
    if (!times) {
      fmt::print(stderr, "{}: {}\n", file, times.error().to_string());
      return 1;
    }
    for (const PlanTime& t : *times) all.push_back({.cpu_us = t.cpu_us, .where = fmt::format("{}:{}", file, t.line)});
  }
  std::ranges::sort(all, std::ranges::greater{}, &Timed::cpu_us);
  if (all.empty()) return 1;
  for (std::size_t i = 0; i < std::min<std::size_t>(all.size(), 20); ++i) fmt::print("{:8.2f} ms  {}\n", static_cast<double>(all[i].cpu_us) / 1e3, all[i].where);
  fmt::print("{} statements; median {:.2f} ms, 99 of 100 below {:.2f} ms\n", all.size(), static_cast<double>(all[all.size() / 2].cpu_us) / 1e3, static_cast<double>(all[all.size() / 100].cpu_us) / 1e3);
  return 0;
}

}  // namespace
}  // namespace supyo::sqltest

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--plan-times") return supyo::sqltest::print_plan_times();
  ::testing::InitGoogleTest(&argc, argv);
  for (const auto& [file, text] : supyo::sqltest::corpus_files())
    ::testing::RegisterTest("Sql", file.c_str(), nullptr, nullptr, __FILE__, __LINE__, [file, text]() -> ::testing::Test* { return new supyo::sqltest::CorpusFile(file, text); });
  return RUN_ALL_TESTS();
}
