#include "judge/diagnosis/client_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace supyo::diagnosis {
namespace {

std::string line(std::string_view group, std::string_view client, int at_ms, double busy, double cpu, int timeouts = 0) {
  return fmt::format(R"({{"group":"{}","client_id":"{}","at_ms":{},"busy_share":{},"cpu_share":{},"records_per_s":40,"poll_timeouts":{}}})", group, client, at_ms, busy, cpu, timeouts) + "\n";
}

TEST(ClientLog, TellsTheMeanOfEachClientSinceThen) {
  ClientLog log;
  const std::string text = line("g", "a", 1000, 0, 0, 1) + line("g", "a", 2000, 1, 0.9) + line("g", "a", 3000, 0.5, 0.3, 2) + line("g", "b", 3000, 0.2, 0) + line("other", "a", 3000, 1, 1);
  log.read(text.substr(0, 150));   // within a line
  log.read(text.substr(150));
  const auto all = log.statistics("g", 2 * kSecond);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].client_id, "a");
  EXPECT_DOUBLE_EQ(all[0].busy_share, 0.75);
  EXPECT_DOUBLE_EQ(all[0].cpu_share, (0.9 + 0.15) / 1.5);   // of the busy time
  EXPECT_EQ(all[0].poll_timeouts, 2);
  EXPECT_DOUBLE_EQ(all[1].records_per_s, 40);
  EXPECT_TRUE(log.statistics("g", 4 * kSecond).empty());
  EXPECT_TRUE(log.statistics("nobody", 0).empty());
}

TEST(ClientLog, PassesOverWhatItDoesNotUnderstand) {
  ClientLog log;
  for (const char* bad : {"\n", "x\n", "[1]\n", "{}\n", "{\"group\":1,\"client_id\":\"a\"}\n", "{\"group\":\"g\",\"client_id\":\"a\",\"at_ms\":-5,\"busy_share\":0,\"cpu_share\":0,\"records_per_s\":0}\n",
                          "{\"group\":\"g\",\"client_id\":\"a\",\"at_ms\":5,\"busy_share\":\"much\",\"cpu_share\":0,\"records_per_s\":0}\n", "\xff\xfe{\n"})
    log.read(bad);
  log.read(line("g", "a", 1, 7, 0) + line("g", std::string(600, 'n'), 1, 1, 0));
  log.read(std::string(100'000, '{'));
  log.read("\n" + line("g", "fine", 1, 1, 0));
  const auto all = log.statistics("g", 0);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].client_id, "fine");
}

}  // namespace
}  // namespace supyo::diagnosis
