#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/base/hash.h"
#include "core/env/real/real_env.h"
#include "core/obs/log.h"
#include "core/obs/metrics.h"
#include "core/obs/sketch.h"

namespace supyo::obs {
namespace {

TEST(Registry, WritesTheTextFormat) {
  Registry registry;
  registry.counter("supyo_rows_total", "Rows read.", {{"source", "a\"b\\c\nd"}}).add(3);
  registry.counter("supyo_rows_total", "Rows read.", {{"source", "plain"}}).add();
  registry.gauge("supyo_lag_seconds", "Lag.\nSecond line \\.").set(0.25);
  registry.gauge_of("supyo_answer", "Computed.", [] { return HUGE_VAL; });
  Histogram& h = registry.histogram("supyo_latency_seconds", "Latency.", {0.1, 1}, {{"q", "x"}});
  for (const double v : {0.05, 0.1, 0.5, 7.0}) h.observe(v);
  EXPECT_EQ(registry.prometheus_text(),
            "# HELP supyo_answer Computed.\n# TYPE supyo_answer gauge\nsupyo_answer +Inf\n"
            "# HELP supyo_lag_seconds Lag.\\nSecond line \\\\.\n# TYPE supyo_lag_seconds gauge\nsupyo_lag_seconds 0.25\n"
            "# HELP supyo_latency_seconds Latency.\n# TYPE supyo_latency_seconds histogram\n"
            "supyo_latency_seconds_bucket{q=\"x\",le=\"0.1\"} 2\nsupyo_latency_seconds_bucket{q=\"x\",le=\"1\"} 3\n"
            "supyo_latency_seconds_bucket{q=\"x\",le=\"+Inf\"} 4\nsupyo_latency_seconds_sum{q=\"x\"} 7.65\nsupyo_latency_seconds_count{q=\"x\"} 4\n"
            "# HELP supyo_rows_total Rows read.\n# TYPE supyo_rows_total counter\n"
            "supyo_rows_total{source=\"a\\\"b\\\\c\\nd\"} 3\nsupyo_rows_total{source=\"plain\"} 1\n");
}

TEST(Registry, TheSameSeriesForTheSameLabelsInAnyOrder) {
  Registry registry;
  Counter& a = registry.counter("supyo_x_total", "X.", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(&a, &registry.counter("supyo_x_total", "X.", {{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(&a, &registry.counter("supyo_x_total", "X.", {{"b", "1"}, {"a", "1"}}));
}

TEST(Registry, BoundsItsSeries) {
  Registry registry;
  for (std::size_t i = 0; i < Registry::kMaxSeries + 100; ++i) registry.counter("supyo_x_total", "X.", {{"key", std::to_string(i)}}).add();
  const std::string text = registry.prometheus_text();
  EXPECT_EQ(std::ranges::count(text, '\n'), static_cast<std::ptrdiff_t>(Registry::kMaxSeries + 1 + 2));
  EXPECT_NE(text.find("supyo_x_total{key=\"other\"} 100\n"), std::string::npos);
}

TEST(RegistryDeathTest, RefusesNamesThatPrometheusWouldMark) {
  Registry registry;
  EXPECT_DEATH(registry.counter("supyo_rows", "No _total."), "");
  EXPECT_DEATH(registry.gauge("rows", "No prefix."), "");
  EXPECT_DEATH(registry.gauge("supyo_x", "X.", {{"le", "1"}}), "");
}

TEST(Registry, CountsFromManyThreads) {
  Registry registry;
  env::RealEnv real;
  {
    std::vector<std::unique_ptr<env::Thread>> threads;
    for (int t = 0; t < 4; ++t) {
      threads.push_back(real.env().threads->start("t", [&] {
        Counter& c = registry.counter("supyo_x_total", "X.");
        Histogram& h = registry.histogram("supyo_h", "H.", {1});
        for (int i = 0; i < 10000; ++i) c.add(), h.observe(0.5);
      }));
    }
  }
  EXPECT_EQ(registry.counter("supyo_x_total", "X.").value(), 40000U);
  EXPECT_EQ(registry.histogram("supyo_h", "H.", {1}).counts()[0], 40000U);
}

/// Values over many decades from a seed.
std::vector<double> draw_values(std::uint64_t seed, std::size_t n) {
  std::vector<double> out;
  for (std::size_t i = 0; i < n; ++i) {
    const double u = static_cast<double>(hash_u64(seed * 1'000'003 + i) >> 11) * 0x1p-53;
    out.push_back(i % 17 == 0 ? 0.0 : std::pow(10.0, u * 9) * (1 + 1e-3 * static_cast<double>(seed % 7)));
  }
  return out;
}

TEST(Sketch, QuantilesStayWithinTheRelativeError) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const double error = seed % 2 == 0 ? 0.01 : 0.03;
    std::vector<double> values = draw_values(seed, 1 + seed * 53);
    Sketch s(error);
    for (const double v : values) s.add(v);
    std::ranges::sort(values);
    for (const double q : {0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0}) {
      const double exact = values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
      EXPECT_NEAR(s.quantile(q), exact, exact * error * 1.000001) << "seed " << seed << " q " << q;
    }
    EXPECT_EQ(s.min(), values.front());
    EXPECT_EQ(s.max(), values.back());
    for (const double threshold : {0.0, 10.0, 12345.0, 1e8}) {
      const auto at_most = [&](double t) { return static_cast<std::uint64_t>(std::ranges::upper_bound(values, t) - values.begin()); };
      EXPECT_GE(s.count_at_most(threshold), at_most(threshold * (1 - 2.1 * error))) << seed;
      EXPECT_LE(s.count_at_most(threshold), at_most(threshold * (1 + 2.1 * error))) << seed;
    }
  }
}

TEST(Sketch, MergingEqualsAddingAndSurvivesItsEncoding) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<double> values = draw_values(seed, 400);
    Sketch whole, left, right;
    for (std::size_t i = 0; i < values.size(); ++i) whole.add(values[i]), (hash_u64(seed + i) % 3 == 0 ? left : right).add(values[i]);
    left.merge(right);
    for (const double q : {0.0, 0.3, 0.5, 0.99, 1.0}) EXPECT_EQ(left.quantile(q), whole.quantile(q));
    EXPECT_EQ(left.count(), whole.count());
    EXPECT_NEAR(left.sum(), whole.sum(), 1e-9 * whole.sum());
    const auto back = Sketch::decode(left.encode());
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, left);
    const std::string bytes = left.encode();
    for (std::size_t n = 0; n < bytes.size(); n += 7) EXPECT_EQ(Sketch::decode(std::string_view(bytes).substr(0, n)).error().code, ErrorCode::kDamaged);
  }
}

TEST(Sketch, KeepsTheHighEndWhenBinsRunOut) {
  Sketch s(0.01);
  s.add(1e280);
  for (int e = -280; e < 200; e += 10) s.add(std::pow(10.0, e));
  s.add(1e290);
  EXPECT_NEAR(s.quantile(1.0), 1e290, 1e288);
  EXPECT_EQ(s.count(), 50U);
}

TEST(Log, LinesAndJsonKeepHostileTextOnOneLine) {
  env::VirtualClock clock(1'357'017'300'123'456);
  std::vector<std::string> lines;
  const Logger logger(clock, [&](const LogEvent& e) { lines.push_back(log_line(e)), lines.push_back(log_json(e)); });
  logger.debug("x", "not written");
  logger.warning("runtime", "sink is slow", {{"sink", "t"}, {"delay", "6 s"}, {"epoch", 7}, {"text", std::string("a\n\x1b[31m\"")}});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "2013-01-01T05:15:00.123Z warning runtime: sink is slow sink=t delay=\"6 s\" epoch=7 text=\"a\\n\\u001b[31m\\\"\"");
  EXPECT_EQ(lines[1],
            "{\"time\":\"2013-01-01T05:15:00.123Z\",\"level\":\"warning\",\"room\":\"runtime\",\"message\":\"sink is slow\",\"sink\":\"t\","
            "\"delay\":\"6 s\",\"epoch\":\"7\",\"text\":\"a\\n\\u001b[31m\\\"\"}");
}

}  // namespace
}  // namespace supyo::obs
