#include "serve/broker/pace.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <utility>

namespace supyo::broker {
namespace {

/// A disk on which every sync takes as long, and a client with `in_flight` requests on their way, who sends the next one `think` after an answer.
struct Loop {
  TimeUs sync_us = 0, think_us = 0;
  std::size_t in_flight = 0;
  FlushPace pace;

  struct Run {
    std::size_t answered = 0, flushes = 0;
  };
  Run run(TimeUs until) {
    std::multimap<TimeUs, char> events;   // 'r' a request comes, 'e' a flush ends, 'd' it is time to begin one
    for (std::size_t i = 0; i < in_flight; ++i) events.emplace(static_cast<TimeUs>(10 * i), 'r');
    std::deque<std::size_t> flushes;
    std::size_t waiting = 0;
    Run done;
    while (!events.empty() && events.begin()->first < until) {
      const auto [now, what] = *events.begin();
      events.erase(events.begin());
      if (what == 'r') ++waiting;
      if (what == 'e') {
        pace.ended(now, flushes.front(), waiting);
        for (std::size_t i = 0; i < flushes.front(); ++i) events.emplace(now + think_us + static_cast<TimeUs>(10 * i), 'r');
        done.answered += flushes.front();
        flushes.pop_front();
      }
      if (waiting == 0) continue;
      const TimeUs due = pace.due(waiting, waiting * 16'000);
      if (due > now) {
        if (due != kTimeMax) events.emplace(due, 'd');
        continue;
      }
      pace.began(now, waiting);
      flushes.push_back(std::exchange(waiting, 0));
      events.emplace(now + sync_us, 'e');
      ++done.flushes;
    }
    return done;
  }
};

TEST(FlushPace, OneSyncCoversWhatAClientHasOnItsWay) {
  for (const std::size_t in_flight : {1U, 2U, 5U, 40U}) {
    Loop loop{.sync_us = 2'000, .think_us = 200, .in_flight = in_flight, .pace = {}};
    const Loop::Run done = loop.run(kSecond);
    EXPECT_GT(done.answered, in_flight * 350) << in_flight;   // a round takes sync, think, and what it takes to send them
    EXPECT_GT(done.answered * 10, done.flushes * in_flight * 9) << in_flight;
  }
}

TEST(FlushPace, WaitsForNobodyWhoDoesNotCome) {
  FlushPace pace;
  EXPECT_LE(pace.due(1, 100), 0);   // nothing is known yet
  pace.began(0, 1);
  pace.ended(800, 5, 1);
  EXPECT_EQ(pace.due(1, 100), 800 + 400);
  EXPECT_LE(pace.due(6, 100), 800);
  EXPECT_LE(pace.due(1, FlushPace::kMuch), 800);
  TimeUs now = 1'200;
  unsigned waited = 0;
  for (int i = 0; i < 320; ++i, now += 2'000) {   // always one, where two were answered
    waited += pace.due(1, 100) > now ? 1 : 0;
    pace.began(now + 900, 1);
    pace.ended(now + 2'000, 2, 0);
  }
  EXPECT_GE(waited, 8U);
  EXPECT_LE(waited, FlushPace::kPatience + 320 / FlushPace::kAskAgain);
  for (int i = 0; i < 64; ++i, now += 2'000) {    // they come again
    pace.began(now + 900, 2);
    pace.ended(now + 2'000, 2, 0);
  }
  EXPECT_GT(pace.due(1, 100), now);
  now += 1'000'000;
  pace.began(now, 2);
  pace.ended(now + 100'000, 1, 0);
  EXPECT_EQ(pace.due(0, 100), now + 100'000 + FlushPace::kLongestWait);
}

TEST(FlushPace, ASecondFlushBeginsWhenTheFirstTakesLongOrMuchIsThere) {
  FlushPace pace;
  pace.began(0, 1);
  pace.ended(1'000, 1, 0);
  pace.began(2'000, 1);
  EXPECT_EQ(pace.due(3, 3'000), 2'000 + pace.usual());
  EXPECT_LE(pace.due(3, FlushPace::kMuch), 2'000);
  pace.began(4'000, 3);
  EXPECT_EQ(pace.due(3, FlushPace::kMuch), kTimeMax);
  pace.ended(5'000, 1, 1);
  EXPECT_EQ(pace.due(3, 3'000), 4'000 + pace.usual());
}

}  // namespace
}  // namespace supyo::broker
