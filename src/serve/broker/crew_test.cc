#include "serve/broker/crew.h"

#include <gtest/gtest.h>

#include <atomic>

#include "core/env/real/real_env.h"

namespace supyo::broker {
namespace {

void each_once(env::Threads* threads) {
  Crew crew(threads);
  for (std::size_t count : {0U, 1U, 2U, 3U, 100U, 5U}) {
    std::vector<std::atomic<int>> done(count);
    crew.run(count, [&](std::size_t i) { ++done.at(i); });
    for (const auto& d : done) EXPECT_EQ(d, 1);
  }
}

TEST(Crew, DoesEachTaskOnceWithAndWithoutThreads) {
  each_once(nullptr);
  env::RealEnv real;
  each_once(real.env().threads);
}

TEST(Crew, WaitsForTheSlowestAndWorksSideBySide) {
  env::RealEnv real;
  Crew crew(real.env().threads);
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> here{0}, done{0};
    // Each waits until the others are here: one after another they would wait for ever.
    crew.run(Crew::kThreads, [&](std::size_t) {
      ++here;
      while (here < static_cast<int>(Crew::kThreads)) real.env().threads->idle(10);
      ++done;
    });
    EXPECT_EQ(done, static_cast<int>(Crew::kThreads));
  }
}

}  // namespace
}  // namespace supyo::broker
