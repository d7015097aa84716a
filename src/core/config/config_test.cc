#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "core/config/settings.h"

namespace supyo::config {
namespace {

TEST(Settings, DefaultsBoundsAndSimulatedValuesAreThemselvesValid) {
  std::set<std::string_view> names;
  for (const SettingSpec* s : all_settings()) {
    EXPECT_TRUE(names.insert(s->name).second) << s->name;
    EXPECT_FALSE(s->help.empty()) << s->name;
    Settings settings;
    for (const std::string_view text : {s->default_text, s->low, s->high}) {
      if (!text.empty()) EXPECT_TRUE(settings.set(s->name, text)) << s->name << " " << text;
    }
    for (std::uint64_t draw = 0; draw < 5; ++draw) {
      if (!s->default_text.empty()) EXPECT_TRUE(settings.set(s->name, simulated_text(*s, draw))) << s->name;
    }
  }
}

TEST(Settings, TypedValues) {
  Settings s;
  EXPECT_EQ(s.get(kCheckpointInterval), 100 * kMillisecond);
  EXPECT_EQ(s.get(kParallelism), 1);
  EXPECT_EQ(s.get(kRuntimeMode), "streaming");
  EXPECT_EQ(s.set("execution.checkpointing.interval", "3 min").value(), SetOutcome::kSet);
  EXPECT_EQ(s.get(kCheckpointInterval), 3 * kMinute);
  ASSERT_TRUE(s.set("execution.checkpointing.interval", "250"));
  EXPECT_EQ(s.get(kCheckpointInterval), 250 * kMillisecond);
  ASSERT_TRUE(s.set("restart-strategy", "None"));
  EXPECT_EQ(s.get(kRestartStrategy), "none");
  ASSERT_TRUE(s.set("supyo.snapshot.after", "64 kb"));
  EXPECT_EQ(s.get(kSnapshotAfter), 65536);
  EXPECT_EQ(s.set("table.dml-sync", "true").value(), SetOutcome::kNoEffect);
  EXPECT_EQ(s.text("parallelism.default").value(), "1");
  EXPECT_EQ(s.changed().size(), 3U);
  ASSERT_TRUE(s.reset("restart-strategy"));
  EXPECT_EQ(s.get(kRestartStrategy), "exponential-delay");
  ASSERT_TRUE(s.reset());
  EXPECT_TRUE(s.changed().empty());
}

TEST(Settings, RefusalsSayWhatToDo) {
  Settings s;
  const auto unknown = s.set("execution.checkpoint.interval", "1s");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kUnknownOption);
  EXPECT_EQ(unknown.error().hint, "did you mean 'execution.checkpointing.interval'?");
  EXPECT_EQ(s.set("zzz", "1").error().hint, "docs/reference/settings.md lists all settings");
  for (const auto& [name, text] : std::vector<std::pair<const char*, const char*>>{{"parallelism.default", "0"},
                                                                                 {"parallelism.default", "1000"},
                                                                                 {"parallelism.default", "two"},
                                                                                 {"parallelism.default", ""},
                                                                                 {"execution.checkpointing.interval", "0"},
                                                                                 {"execution.checkpointing.interval", "5 parsecs"},
                                                                                 {"execution.runtime-mode", "quick"},
                                                                                 {"supyo.snapshot.after", "12 bits"}}) {
    const auto r = s.set(name, text);
    ASSERT_FALSE(r) << name << " " << text;
    EXPECT_EQ(r.error().code, ErrorCode::kBadOptionValue);
    EXPECT_NE(r.error().message.find(name), std::string::npos);
    EXPECT_TRUE(r.error().hint.starts_with("expected "));
  }
  EXPECT_TRUE(s.changed().empty());
}

TEST(Settings, FlinkSettingsThatChangeNoResultAreTaken) {
  Settings s;
  // Settings of the planner that have no effect: their values are checked.
  EXPECT_EQ(s.set("table.optimizer.agg-phase-strategy", "TWO_PHASE").value(), SetOutcome::kSet);
  EXPECT_EQ(s.set("table.optimizer.agg-phase-strategy", "THREE_PHASE").error().code, ErrorCode::kBadOptionValue);
  EXPECT_EQ(s.set("table.optimizer.distinct-agg.split.enabled", "true").value(), SetOutcome::kSet);
  EXPECT_EQ(s.set("table.optimizer.distinct-agg.split.enabled", "maybe").error().code, ErrorCode::kBadOptionValue);
  EXPECT_EQ(s.set("table.exec.mini-batch.allow-latency", "5 s").value(), SetOutcome::kSet);
  EXPECT_EQ(s.set("table.exec.mini-batch.allow-latency", "soon").error().code, ErrorCode::kBadOptionValue);
  EXPECT_EQ(s.set("table.exec.mini-batch.size", "5000").value(), SetOutcome::kSet);
  EXPECT_EQ(s.set("table.exec.mini-batch.sizes", "5000").error().code, ErrorCode::kUnknownOption);
  EXPECT_TRUE(s.reset("table.exec.mini-batch.size").has_value());
  EXPECT_EQ(s.set("sql-client.execution.result-mode", "tableau").value(), SetOutcome::kNoEffect);
  EXPECT_EQ(s.set("execution.checkpointing.mode", "EXACTLY_ONCE").value(), SetOutcome::kNoEffect);
  EXPECT_TRUE(s.reset("sql-client.verbose"));
}

TEST(Nearest, WithinAThirdOfTheLetters) {
  const std::vector<std::string> known = {"connector", "topic", "format"};
  EXPECT_EQ(nearest("conector", known), "connector");
  EXPECT_EQ(nearest("fromat", known), "format");
  EXPECT_EQ(nearest("bootstrap", known), "");
}

TEST(Sizes, Parse) {
  EXPECT_EQ(parse_size("512").value(), 512);
  EXPECT_EQ(parse_size("4 MB").value(), 4 << 20);
  for (const char* s : {"", "mb", "-1kb", "1 zb", "99999999999tb"}) EXPECT_EQ(parse_size(s).error().code, ErrorCode::kBadOptionValue) << s;
}

TEST(Reference, TheFileInDocsIsCurrent) {
  const std::string path = std::string(SUPYO_SOURCE_DIR) + "/docs/reference/settings.md";
  if (std::getenv("SUPYO_UPDATE") != nullptr) std::ofstream(path) << settings_reference();
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), settings_reference()) << "renew it: SUPYO_UPDATE=1 and this test";
}

}  // namespace
}  // namespace supyo::config
