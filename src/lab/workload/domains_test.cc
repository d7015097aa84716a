#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "lab/workload/generator.h"
#include "lab/workload/request.h"

namespace supyo::workload {
namespace {

using Json = nlohmann::json;

struct Sent {
  GeneratedRecord record;
  Json value;
};

std::vector<Sent> sent(Generator& g) {
  std::vector<Sent> out;
  GeneratedRecord r;
  while (g.next(r)) out.push_back({r, Json::parse(r.value)});
  return out;
}

std::vector<Json> lines(const std::string& text) {
  std::vector<Json> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(Json::parse(line));
  return out;
}

GeneratorOptions untidy(std::uint64_t seed) { return {.seed = seed, .tps = 10, .count = 10'000, .duplicates = 0.01, .disorder_us = 4 * kSecond, .late = 0.02, .resend = true, .keys = 300}; }

TEST(Domains, TheSameSeedGivesTheSameBytesInSendingOrder) {
  for (const std::string_view domain : domains()) {
    const auto bytes = [&](std::uint64_t seed) {
      auto g = make_generator(domain, untidy(seed)).value();
      std::string out;
      TimeUs last = 0;
      GeneratedRecord r;
      while (g->next(r)) {
        EXPECT_GE(r.due_us, last) << domain;
        EXPECT_GE(r.due_us, r.event_us) << domain;
        EXPECT_FALSE(r.key.empty()) << domain;
        last = r.due_us;
        out += r.value + "\n";
      }
      return out;
    };
    const std::string one = bytes(1);
    EXPECT_EQ(one, bytes(1)) << domain;
    EXPECT_NE(one, bytes(2)) << domain;
  }
}

/// The windows of `size` and `slide` of every record that its own partition's watermark leaves it.
template <class Visit>
void windows_of(const std::vector<Sent>& records, DurationUs size, DurationUs slide, DurationUs bound, Visit visit) {
  TimeUs newest = kTimeMin;
  for (const Sent& s : records) {
    const TimeUs t = s.record.event_us;
    for (TimeUs start = t / slide * slide; start + size > t; start -= slide)
      if (newest == kTimeMin || start + size - kMillisecond > newest - bound) visit(start, s.value);
    newest = std::max(newest, t);
  }
}

TEST(Domains, OrdersAreCountedByRegionAndMinuteUnlessTheyAreLate) {
  auto g = make_generator("order", untidy(3)).value();
  g->track_truth(2 * kSecond);   // less than the disorder: there are late ones
  const auto records = sent(*g);
  std::map<std::pair<TimeUs, std::string>, std::pair<int, std::int64_t>> want;
  int counted = 0;
  windows_of(records, kMinute, kMinute, 2 * kSecond, [&](TimeUs start, const Json& v) {
    auto& [n, amount] = want[{start, v["region"]}];
    ++n, ++counted;
    amount += v["amount"].get<std::int64_t>();
  });
  EXPECT_LT(counted, static_cast<int>(records.size()));
  std::multiset<std::pair<int, std::int64_t>> found, expected;
  for (const Json& row : lines(g->truth())) found.emplace(row["orders"], row["amount"]);
  for (const auto& [key, sums] : want) expected.insert(sums);
  EXPECT_EQ(found, expected);
  EXPECT_GT(found.size(), 80U);
}

TEST(Domains, AUserChangesFromWhatItWas) {
  auto g = make_generator("user", {.count = 5'000, .keys = 100}).value();
  g->track_truth(0);
  std::map<int, Json> now;
  for (const Sent& s : sent(*g)) {
    const Json& after = s.value["after"];
    const int user = after["user_id"];
    EXPECT_EQ(s.value["op"], now.contains(user) ? "u" : "c");
    if (now.contains(user)) {
      Json before = now[user];
      before.erase("changed");
      EXPECT_EQ(s.value["before"], before);
      EXPECT_TRUE(before["region"] != after["region"] || before["grade"] != after["grade"]);
    } else {
      EXPECT_TRUE(s.value["before"].is_null());
    }
    now[user] = after;
  }
  EXPECT_EQ(now.size(), 100U);
  std::map<int, Json> truth;
  for (const Json& row : lines(g->truth())) truth[row["user_id"]] = row;
  EXPECT_EQ(truth, now);
}

TEST(Domains, GoodEventsShareAnOrderAndCopiesDoNotCount) {
  auto g = make_generator("dispatch", untidy(5)).value();
  g->track_truth(0);
  std::map<int, Json> events;
  std::map<int, std::set<int>> of_order;
  std::size_t copies = 0;
  for (const Sent& s : sent(*g)) {
    const int id = s.value["event_id"];
    const auto [at, fresh] = events.try_emplace(id, s.value);
    copies += fresh ? 0 : 1;
    if (!fresh) { EXPECT_EQ(at->second["event_time"], s.value["event_time"]); }
    of_order[s.value["order_id"]].insert(id);
    EXPECT_EQ(s.value["rider_id"].is_null(), s.value["kind"] == "CANCELLED");
  }
  EXPECT_GT(copies, 100U);
  EXPECT_EQ(events.size(), 10'000U);
  EXPECT_LT(of_order.size(), 7'500U) << "the literal key drops good events";
  std::set<int> truth;
  for (const Json& row : lines(g->truth())) EXPECT_TRUE(truth.insert(row["event_id"].get<int>()).second);
  EXPECT_EQ(truth.size(), events.size());
}

TEST(Domains, AlarmsAreTheWindowsOfABurst) {
  RequestGenerator g(untidy(7));
  g.track_truth(4 * kSecond);
  const auto records = sent(g);
  std::map<TimeUs, std::pair<int, int>> windows;
  windows_of(records, 5 * kMinute, kMinute, 4 * kSecond, [&](TimeUs start, const Json& v) {
    ++windows[start].first;
    windows[start].second += v["status"] == 500 ? 1 : 0;
  });
  std::multiset<std::pair<int, int>> expected, found;
  for (const auto& [start, counts] : windows)
    if (counts.first >= 20 && counts.second * 20 >= counts.first) expected.insert(counts);
  for (const Json& row : lines(g.truth())) found.emplace(row["calls"], row["errors"]);
  EXPECT_EQ(found, expected);
  EXPECT_GE(found.size(), 4U);
  EXPECT_LT(found.size(), windows.size());
  const auto bursts = request_bursts(7, untidy(7).start_us, records.back().record.event_us + kSecond);
  std::size_t in_burst = 0;
  for (const Sent& s : records) in_burst += std::ranges::any_of(bursts, [&](const RequestBurst& b) { return s.record.event_us >= b.from_us && s.record.event_us < b.end_us; }) ? 1 : 0;
  EXPECT_GT(in_burst, records.size() / 12);   // two minutes of fifteen at least
  EXPECT_LT(in_burst, records.size() / 3);
}

TEST(Domains, BurstsBeginEvenlySpread) {
  const TimeUs start = untidy(1).start_us;
  for (const std::uint64_t seed : {1U, 2U, 77U}) {
    const auto bursts = request_bursts(seed, start, start + 12 * kHour);
    ASSERT_EQ(bursts.size(), 48U);
    double wait = 0;   // until the next whole ten minutes, as a batch has it
    for (std::size_t k = 0; k < bursts.size(); ++k) {
      EXPECT_EQ((bursts[k].from_us - start) / (15 * kMinute), (bursts[k].end_us - start) / (15 * kMinute)) << "within its quarter of an hour";
      EXPECT_GE(bursts[k].end_us - bursts[k].from_us, 2 * kMinute);
      wait += static_cast<double>(10 * kMinute - (bursts[k].from_us - start) % (10 * kMinute)) / 1e6 / 48;
    }
    EXPECT_NEAR(wait, 300, 9) << "3 %";
  }
  // The same in less time.
  const auto slow = request_bursts(1, start, start + 12 * kHour), fast = request_bursts(1, start, start + 72 * kMinute, 90 * kSecond);
  ASSERT_EQ(fast.size(), slow.size());
  for (std::size_t k = 0; k < fast.size(); ++k) {
    EXPECT_EQ((fast[k].from_us - start) / (90 * kSecond), (fast[k].end_us - start) / (90 * kSecond));
    EXPECT_NEAR(static_cast<double>(fast[k].from_us - start), static_cast<double>(slow[k].from_us - start) / 10, 1e3);
  }
  EXPECT_FALSE(make_generator("request", {.bursts_us = kSecond}));
}

}  // namespace
}  // namespace supyo::workload
