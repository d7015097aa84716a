#include "lab/workload/ledger.h"

#include <gtest/gtest.h>

#include "core/env/sim/sim_env.h"
#include "lab/workload/generator.h"

namespace supyo::workload {
namespace {

TEST(Ledger, CountsAndNamesEveryRecordOnce) {
  env::SimEnv sim(1);
  ASSERT_TRUE(sim.files().create_directories("d"));
  auto ledger = Ledger::open(sim.files(), "d/ledger");
  ASSERT_TRUE(ledger) << ledger.error().to_string();
  const std::vector<std::uint64_t> acknowledged{3, 1, 2, 7, 7}, failed{8}, unknown{9, 10};
  ASSERT_TRUE((*ledger)->record(Outcome::kAcknowledged, 0, acknowledged));
  ASSERT_TRUE((*ledger)->record(Outcome::kFailed, 1, failed, "DISK_FULL"));
  ASSERT_TRUE((*ledger)->record(Outcome::kUnknown, 1, unknown, "SYNC_FAILED"));
  ASSERT_TRUE((*ledger)->record(Outcome::kUnknown, 1, {}, "SYNC_FAILED"));
  const Ledger::Counts counts = (*ledger)->counts();
  EXPECT_EQ(counts.acknowledged, 5U);
  EXPECT_EQ(counts.failed, 1U);
  EXPECT_EQ(counts.unknown, 2U);
  EXPECT_EQ(counts.why.at("DISK_FULL"), 1U);
  EXPECT_EQ(*sim.files().read_all("d/ledger"),
            "{\"partition\":0,\"outcome\":\"acknowledged\",\"count\":5,\"ids\":[[1,3],[7,7]]}\n"
            "{\"partition\":1,\"outcome\":\"failed\",\"count\":1,\"ids\":[[8,8]],\"why\":\"DISK_FULL\"}\n"
            "{\"partition\":1,\"outcome\":\"unknown\",\"count\":2,\"ids\":[[9,10]],\"why\":\"SYNC_FAILED\"}\n");
  EXPECT_TRUE((*Ledger::open(sim.files(), ""))->record(Outcome::kFailed, 0, failed, "DISK_FULL"));
}

TEST(Payload, HasItsLengthAndIsTheSameAgain) {
  auto plain = make_generator("product", {.count = 50}).value(), large = make_generator("product", {.count = 50, .payload_bytes = 1000}).value();
  GeneratedRecord a, b;
  std::string last;
  while (plain->next(a)) {
    ASSERT_TRUE(large->next(b));
    EXPECT_EQ(b.value.size(), a.value.size() + 1000 + 13);
    EXPECT_TRUE(b.value.starts_with(a.value.substr(0, a.value.size() - 1) + ",\"payload\":\""));
    EXPECT_NE(b.value.substr(a.value.size()), last);
    last = b.value.substr(a.value.size());
  }
  std::string again = a.value;
  append_payload(again, 1, 50, 1000);
  EXPECT_EQ(again, b.value);
  EXPECT_EQ(make_generator("product", {.payload_bytes = 1'000'001}).error().code, ErrorCode::kBadOptionValue);
}

TEST(Rate, ChangesWithoutLosingARecordOrGoingBack) {
  auto generator = make_generator("product", {.tps = 10, .start_us = kSecond}).value();
  GeneratedRecord r;
  std::vector<TimeUs> due;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(generator->next(r));
    due.push_back(r.due_us);
  }
  generator->set_rate(1000, due.back() + 5 * kSecond);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(generator->next(r));
    EXPECT_EQ(r.id, 11U + static_cast<std::uint64_t>(i));
    EXPECT_GE(r.due_us, due.back());
    due.push_back(r.due_us);
  }
  EXPECT_EQ(due[12] - due[11], kMillisecond);
  EXPECT_NEAR(static_cast<double>(due.back() - due[11]), 1e6, 2e4);
  generator->set_rate(1, 0);   // a time that is past already
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(generator->next(r));
    EXPECT_GE(r.due_us, due.back());
    due.push_back(r.due_us);
  }
  EXPECT_EQ(due.back() - due[due.size() - 2], kSecond);
}

}  // namespace
}  // namespace supyo::workload
