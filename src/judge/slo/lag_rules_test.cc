#include "judge/slo/lag_rules.h"

#include <gtest/gtest.h>

#include <functional>

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

// What the real Burrow 1.2.1 says in the same cases: tests/watch/monitors.py, and its source (core/internal/evaluator, core/internal/storage).
struct BurrowCase {
  const char* name;
  DurationUs every;                                 // between commits
  std::vector<std::uint64_t> commits;               // offsets, the first at second 1000
  std::function<std::uint64_t(TimeUs)> end;         // of the log; told every second, from the beginning
  DurationUs after;                                 // the last commit: when it is asked
  BurrowStatus want;
};

TEST(Burrow, SaysWhatTheRealOneSays) {
  const auto steps = [](std::uint64_t from, std::int64_t by, std::size_t n) {
    std::vector<std::uint64_t> c;
    for (std::size_t i = 0; i < n; ++i) c.push_back(from + static_cast<std::uint64_t>(by) * i);
    return c;
  };
  const auto grows = [](std::uint64_t from, std::uint64_t by) { return [from, by](TimeUs t) { return from + by * static_cast<std::uint64_t>(t / kSecond); }; };
  const auto stands = [](std::uint64_t at) { return [at](TimeUs) { return at; }; };
  auto back = steps(5000, 10, 10);
  back[4] = 5000;
  using enum BurrowStatus;
  for (const BurrowCase& c : {
           BurrowCase{"caught up now", kSecond, steps(5000, 10, 10), stands(5090), kHour, kOk},
           {"a lag that grows, of a group that commits less often than ends are asked for", 12 * kSecond, steps(1000, 10, 10), grows(5000, 10), kSecond, kWarning},
           {"and one that stays the same", 10 * kSecond, steps(1000, 100, 10), grows(5000, 10), kSecond, kWarning},
           {"two such commits are enough", 12 * kSecond, steps(1000, 10, 2), grows(5000, 10), kSecond, kWarning},
           {"a lag that grows as fast, of a group that commits every two seconds: against the end that was known it fell", 2 * kSecond, steps(1000, 1, 10), grows(5000, 10), kSecond, kOk},
           {"commits of one offset", 2 * kSecond, steps(1000, 0, 10), grows(5000, 10), kSecond, kStall},
           {"no commit for longer than the ten took", 2 * kSecond, steps(1000, 10, 10), grows(5000, 10), 19 * kSecond, kStop},
           {"not for longer yet", 2 * kSecond, steps(1000, 10, 10), grows(5000, 10), 18 * kSecond, kOk},
           {"one commit, long ago", kSecond, {1000}, stands(5000), 2 * kSecond, kStop},
           {"one commit, just now", kSecond, {1000}, stands(5000), 0, kStall},
           {"stopped, and the end was reached a while ago", kSecond, steps(15000 - 90, 10, 10), grows(5000, 10), 89 * kSecond, kOk},
           {"stopped, and it was longer ago", kSecond, steps(15000 - 90, 10, 10), grows(5000, 10), 150 * kSecond, kStop},
           {"back and on", 2 * kSecond, back, stands(9000), kSecond, kRewind},
           {"back, but at the end meanwhile", 2 * kSecond, {9000, 8000, 8010, 8020}, stands(9000), kSecond, kOk},
       }) {
    BurrowPartition p;
    TimeUs t = 900 * kSecond, next = 1000 * kSecond;
    std::size_t done = 0;
    TimeUs last = 0;
    for (; done < c.commits.size() || t <= last + c.after; t += kSecond) {
      p.end(t, c.end(t));
      if (done < c.commits.size() && t >= next) p.committed(last = t, c.commits[done++]), next += c.every;
    }
    EXPECT_EQ(burrow_status_name(p.status(last + c.after)), burrow_status_name(c.want)) << c.name;
  }
}

TEST(Burrow, KnowsNothingOfCommitsBeforeTheFirstEnd) {
  BurrowPartition p;
  p.committed(0, 10);
  EXPECT_EQ(p.status(kHour), BurrowStatus::kOk);
  p.end(kSecond, 100);
  EXPECT_EQ(p.status(kHour), BurrowStatus::kOk) << "the real one passes them over as well";
  p.committed(2 * kSecond, 10);
  EXPECT_EQ(p.status(kHour), BurrowStatus::kStop);
}

}  // namespace
}  // namespace supyo::slo
