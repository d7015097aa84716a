#include "judge/diagnosis/loss_ledger.h"

#include <gtest/gtest.h>

#include <random>

namespace supyo::diagnosis {
namespace {

class LossLedgerTest : public ::testing::Test {
 protected:
  bool see(std::int64_t committed, std::int64_t log_start, std::int64_t end, DurationUs after = kSecond) {
    now_ += after;
    return ledger_.observe({.at = now_, .log_start = log_start, .end = end, .committed = committed});
  }
  LossLedger ledger_;
  TimeUs now_ = 0;
};

TEST_F(LossLedgerTest, AGroupThatWasStoppedAndComesBackAtTheLogStartLostExactlyWhatLiesBetween) {
  for (int i = 0; i < 20; ++i) see(1000 * i, 0, 1000 * i + 500);
  for (int i = 0; i < 3600; i += 15) see(19'000, 250 * i, 250 * i + 2'000'000, 15 * kSecond);
  const std::int64_t start = 250 * 3585;
  EXPECT_EQ(ledger_.count().lost, 0);
  EXPECT_EQ(ledger_.exposed(), start - 19'000) << "the part that is not settled";
  EXPECT_TRUE(see(start + 4000, start, start + 2'000'000, 15 * kSecond));
  EXPECT_EQ(ledger_.count().lost, start - 19'000);
  EXPECT_EQ(ledger_.count().least, start - 19'000);
  EXPECT_TRUE(ledger_.count().exact());
  EXPECT_EQ(ledger_.count().passed_over, 0);
  EXPECT_EQ(ledger_.exposed(), 0) << "a gauge is back at zero, the count stays";
}

TEST_F(LossLedgerTest, AGroupThatComesBackAtTheEndPassesOverTheRestToo) {
  see(100, 0, 1000);
  see(100, 400, 2000, kMinute);
  EXPECT_TRUE(see(2100, 400, 2100));
  EXPECT_EQ(ledger_.count().lost, 300);
  EXPECT_EQ(ledger_.count().passed_over, 1700);
}

TEST_F(LossLedgerTest, OneThatReadsFasterThanTheLogStartMovesLosesNothing) {
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(see(i * 1000, std::max(0, i - 1) * 1000, i * 1000 + 1000));
  EXPECT_EQ(ledger_.count().lost, 0);
}

TEST_F(LossLedgerTest, ABurstOfReadingNearTheEndIsNoJump) {
  for (int i = 0; i < 20; ++i) see(100 * i, 0, 100 * i + 50'000);
  EXPECT_FALSE(see(40'000, 5'000, 52'000)) << "it read fast and is far above the log start";
  EXPECT_EQ(ledger_.count().lost, 0);
}

/// A reader that handles what it fetched, jumps when it asks for what is gone, and counts: the ledger, which sees it from outside at every look, stays within what it handles between two looks.
TEST_F(LossLedgerTest, AgreesWithAReaderThatCountsItsOwnJumps) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random(seed);
    ledger_ = {};
    const std::int64_t append = 1000 + static_cast<std::int64_t>(random() % 3000), read = append / (4 + static_cast<std::int64_t>(random() % 4)), kept = 20'000 + static_cast<std::int64_t>(random() % 50'000), segment = kept / 8;
    std::int64_t position = 0, start = 0, end = 0, truth = 0;
    int jumps = 0;
    for (int i = 0; i < 600; ++i) {
      end += append;
      if (i > 0 && position < start) {
        truth += start - position;
        position = start;
        ++jumps;
      }
      position = std::min(position + read, end);
      while (end - start - segment >= kept) start += segment;
      see(position, start, end);
    }
    ASSERT_GT(jumps, 0) << "seed " << seed;
    const std::int64_t open = ledger_.exposed();
    EXPECT_NEAR(static_cast<double>(ledger_.count().lost), static_cast<double>(truth), static_cast<double>(read * (jumps + 1))) << "seed " << seed << ", " << jumps << " jumps, " << open << " open";
    EXPECT_LE(ledger_.count().least, truth) << "seed " << seed;
  }
}

}  // namespace
}  // namespace supyo::diagnosis
