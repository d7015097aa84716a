#include "judge/slo/lag_rules.h"

#include <gtest/gtest.h>

namespace supyo::slo {
namespace {

TEST(RetentionPercent, AsItsAuthorsWriteIt) {
  EXPECT_DOUBLE_EQ(retention_percent({.log_start = 1000, .end = 2000, .committed = 1200}), 80) << "their example";
  EXPECT_DOUBLE_EQ(retention_percent({.log_start = 1000, .end = 2000, .committed = 2000}), 0);
  EXPECT_DOUBLE_EQ(retention_percent({.log_start = 1000, .end = 2000, .committed = 500}), 150);
  EXPECT_DOUBLE_EQ(retention_percent({.log_start = 5, .end = 5, .committed = 0}), 0) << "nothing is kept";
  EXPECT_EQ(retention_percent_level(79.9), AlarmLevel::kOk);
  EXPECT_EQ(retention_percent_level(80), AlarmLevel::kWarning);
  EXPECT_EQ(retention_percent_level(100), AlarmLevel::kCritical);
}

TEST(RetentionPercent, IsBlindToTimeAndRingsForANewTopic) {
  // A topic whose limits are far away: nothing is ever deleted, and a group that reads from the beginning is "critical".
  EXPECT_EQ(retention_percent_level(retention_percent({.log_start = 0, .end = 1'000'000, .committed = 0})), AlarmLevel::kCritical);
  // Half an hour before a loss or a year: the same number.
  EXPECT_EQ(retention_percent_level(retention_percent({.log_start = 0, .end = 100, .committed = 30})), AlarmLevel::kOk);
}

TEST(MessagesLost, IsAGaugeAndForgets) {
  MessagesLostGauge rule;
  EXPECT_EQ(rule.observe(0, {.log_start = 0, .end = 1000, .committed = 900}), AlarmLevel::kOk);
  EXPECT_EQ(MessagesLostGauge::messages_lost({.log_start = 500, .end = 1000, .committed = 100}), 400);
  EXPECT_EQ(rule.observe(kSecond, {.log_start = 500, .end = 1000, .committed = 100}), AlarmLevel::kCritical);
  EXPECT_EQ(rule.observe(2 * kSecond, {.log_start = 500, .end = 1000, .committed = 900}), AlarmLevel::kOk) << "400 records are lost, and the alarm is off";
}

TEST(MessagesLost, TheRatioWarnsAfterFiveMinutes) {
  MessagesLostGauge rule;
  const Standing near{.log_start = 0, .end = 1000, .committed = 100};
  EXPECT_EQ(rule.observe(0, near), AlarmLevel::kOk);
  EXPECT_EQ(rule.observe(5 * kMinute - 1, near), AlarmLevel::kOk);
  EXPECT_EQ(rule.observe(5 * kMinute, near), AlarmLevel::kWarning);
  EXPECT_EQ(rule.observe(6 * kMinute, {.log_start = 0, .end = 1000, .committed = 500}), AlarmLevel::kOk);
  EXPECT_EQ(rule.observe(7 * kMinute, near), AlarmLevel::kOk) << "it begins to hold again";
}

}  // namespace
}  // namespace supyo::slo
