#include "lab/scenario/expression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace supyo::scenario {
namespace {

const std::map<std::string, Quantity, std::less<>> kMeasures{
    {"t_slo", {800, kSeconds, false}}, {"t_lag", {INFINITY, kSeconds, false}}, {"interval", {3, kSeconds, false}}, {"epoch_duration", {0.02, kSeconds, false}},
    {"commit_delay", {2, kSeconds, false}}, {"tps", {2000, kRate, false}}, {"lag", {6040, kRecords, false}}, {"unknown", {NAN, kSeconds, false}}};

std::optional<Quantity> find(std::string_view name) {
  const auto it = kMeasures.find(name);
  return it == kMeasures.end() ? std::nullopt : std::optional(it->second);
}

bool decide(std::string_view text) {
  auto e = Expression::parse(text);
  EXPECT_TRUE(e) << text << ": " << (e ? "" : e.error().to_string());
  auto r = e->decide(find);
  EXPECT_TRUE(r) << text << ": " << (r ? "" : r.error().to_string());
  return r.value_or(false);
}

TEST(Expression, DecidesTheLabsVerdict) {
  EXPECT_TRUE(decide("t_slo < inf and (t_lag == inf or t_lag - t_slo >= 60s) and lag <= 10% * lag + tps * interval"));
  EXPECT_FALSE(decide("t_slo < inf and t_lag < inf"));
  EXPECT_TRUE(decide("not t_slo == 0 and t_slo > 10m and abs(0 - t_slo) == 800s"));
  EXPECT_TRUE(decide("lag / tps > 3s"));
  EXPECT_TRUE(decide("1 < 2 or lag < 0"));
}

TEST(Expression, ComputesThePrediction) {
  const auto e = Expression::parse("1s + 0.95 * max(interval, epoch_duration + commit_delay) + epoch_duration + commit_delay");
  const auto q = e->evaluate(find);
  ASSERT_TRUE(q);
  EXPECT_NEAR(q->value, 5.87, 1e-9);
  EXPECT_EQ(q->unit, kSeconds);
  EXPECT_NEAR(Expression::parse("10% * -(2 - 4) * 3 + 1")->evaluate(find)->value, 1.6, 1e-12);
  EXPECT_NEAR(Expression::parse("1 - exp(0 - interval / commit_delay)")->evaluate(find)->value, 1 - std::exp(-1.5), 1e-12);
  EXPECT_NEAR(Expression::parse("exp(ln(2)) * interval")->evaluate(find)->value, 6, 1e-12);
  EXPECT_EQ(e->names(), (std::vector<std::string>{"interval", "epoch_duration", "commit_delay"}));
}

TEST(Expression, NotANumberIsNeverTrue) {
  for (const char* op : {"<", "<=", ">", ">=", "==", "!="}) EXPECT_FALSE(decide(fmt::format("unknown {} 1s", op))) << op;
}

TEST(Expression, MistakesSayWhere) {
  struct Case {
    std::string text;
    int column;
    const char* part;
  };
  for (const Case& c : {Case{"t_slo <", 8, "missing"}, {"t_slo < 5 5", 11, "not expected"}, {"(t_slo", 7, "')'"}, {"5 parsecs", 3, "not expected"}, {"5q", 2, "not a unit"},
                        {"t_slo @ 2", 7, "not expected"}, {"", 1, "missing"}, {"max 3", 5, "parentheses"}, {"abs(1, 2)", 1, "one argument"}, {"exp()", 5, "not expected"}, {"ln(1, 2)", 1, "one argument"}, {std::string(500, '('), 101, "deeply"}}) {
    const auto e = Expression::parse(c.text);
    ASSERT_FALSE(e) << c.text;
    EXPECT_EQ(e.error().position->column, c.column) << e.error().to_string();
    EXPECT_NE(e.error().message.find(c.part), std::string::npos) << e.error().to_string();
  }
  for (const Case& c : {Case{"lag + t_slo", 5, "do not go together"}, {"exp(lag) > 1", 1, "plain number"}, {"nothing > 1", 1, "nothing measured"}, {"tps * lag < lag", 11, "do not go together"}, {"1 and 2", 3, "truth"}, {"(1 < 2) + 1", 9, "truth"}}) {
    const auto q = Expression::parse(c.text)->evaluate(find);
    ASSERT_FALSE(q) << c.text;
    if (c.part == std::string_view("truth")) continue;
    EXPECT_EQ(q.error().position->column, c.column) << q.error().to_string();
    EXPECT_NE(q.error().message.find(c.part), std::string::npos) << q.error().to_string();
  }
  EXPECT_FALSE(Expression::parse("1 + 1")->decide(find));
}

}  // namespace
}  // namespace supyo::scenario
