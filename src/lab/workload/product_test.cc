#include "lab/workload/product.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace supyo::workload {
namespace {

std::vector<ProductChange> all(const GeneratorOptions& o) {
  ProductGenerator g(o);
  std::vector<ProductChange> out;
  while (auto c = g.next_event()) out.push_back(*c);
  return out;
}

TEST(Product, TheSameSeedGivesTheSameBytesAndAnotherDoesNot) {
  const auto bytes = [](std::uint64_t seed) {
    auto g = make_generator("product", {.seed = seed, .count = 2000, .duplicates = 0.1, .disorder_us = kSecond, .late = 0.05, .resend = true}).value();
    std::string out;
    GeneratedRecord r;
    while (g->next(r)) out += r.value + "\n";
    return out;
  };
  EXPECT_EQ(bytes(1), bytes(1));
  EXPECT_NE(bytes(1), bytes(2));
  EXPECT_TRUE(bytes(1).starts_with("{\"event_id\":")) << bytes(1).substr(0, 200);
}

TEST(Product, RecordsReadAsTheyAreDeclared) {
  ProductChange c;
  c.event_id = 12;
  c.kind = ChangeKind::kStatus;
  c.product = 345;
  c.old_value = 0;
  c.new_value = 1;
  c.price = 12'900;
  c.stock = 7;
  c.event_us = 1'767'225'599'999'000;
  c.ingest_us = -1000;
  std::string json;
  append_json(c, json);
  EXPECT_EQ(json, R"({"event_id":12,"kind":"status","product_id":"P-000345","old_value":"ON_SALE","new_value":"SOLD_OUT","price":12900,"stock":7,"event_time":"2025-12-31 23:59:59.999","ingest_time":"1969-12-31 23:59:59.999"})");
}

TEST(Product, RateOrderAndDisorderAreAsAsked) {
  const auto changes = all({.tps = 1000, .count = 20'000, .disorder_us = kSecond});
  ASSERT_EQ(changes.size(), 20'000U);
  TimeUs last = 0, newest = kTimeMin;
  std::set<std::pair<std::uint32_t, TimeUs>> seen;
  bool disordered = false;
  for (const ProductChange& c : changes) {
    ASSERT_GE(c.ingest_us, last);
    last = c.ingest_us;
    ASSERT_GE(c.ingest_us, c.event_us);
    ASSERT_LT(c.ingest_us - c.event_us, kSecond);
    disordered = disordered || c.event_us < newest;
    newest = std::max(newest, c.event_us);
    ASSERT_LT(newest - c.event_us, kSecond);
    ASSERT_TRUE(seen.emplace(c.product, c.event_us).second) << "two changes of a product in one millisecond";
  }
  EXPECT_TRUE(disordered);
  EXPECT_NEAR(static_cast<double>(last - changes.front().ingest_us) / 1e6, 20, 1.1);
}

TEST(Product, OldValuesAreTheNewValuesOfTheChangeBefore) {
  auto changes = all({.tps = 5000, .count = 30'000, .disorder_us = 300 * kMillisecond, .keys = 50});
  std::sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) { return a.event_id < b.event_id; });
  std::map<std::pair<std::uint32_t, ChangeKind>, std::int64_t> value;
  std::set<ChangeKind> kinds;
  for (const ProductChange& c : changes) {
    kinds.insert(c.kind);
    const auto it = value.find({c.product, c.kind});
    if (it != value.end()) { ASSERT_EQ(c.old_value, it->second); }
    value[{c.product, c.kind}] = c.new_value;
    if (c.kind == ChangeKind::kPrice) { ASSERT_EQ(c.price, c.new_value); }
    if (c.kind == ChangeKind::kStock) { ASSERT_EQ(c.stock, c.new_value); }
  }
  EXPECT_EQ(kinds.size(), 4U);
}

TEST(Product, DuplicatesLateAndResendHaveTheSharesAskedFor) {
  const GeneratorOptions o{.tps = 1000, .count = 30'000, .duplicates = 0.02, .disorder_us = kSecond, .late = 0.01};
  const auto changes = all(o);
  std::map<std::uint64_t, int> times;
  std::uint64_t late = 0;
  for (const ProductChange& c : changes) {
    ++times[c.event_id];
    late += c.ingest_us - c.event_us > o.disorder_us ? 1 : 0;
  }
  EXPECT_EQ(times.size(), 30'000U);
  EXPECT_NEAR(static_cast<double>(changes.size() - times.size()), 600, 100);
  EXPECT_NEAR(static_cast<double>(late), 300, 70);
  EXPECT_EQ(all({.count = 30'000, .resend = true}).size(), 30'300U);
}

TEST(Product, TruthIsTheRowBeforeInEventTime) {
  const auto change = [](std::uint64_t id, TimeUs event_ms, std::int64_t price) {
    ProductChange c;
    c.event_id = id;
    c.product = 7;
    c.price = price;
    c.stock = price / 10;
    c.event_us = event_ms * kMillisecond;
    return c;
  };
  ProductTruth t(kSecond);
  t.arrive(change(1, 1000, 10));
  t.arrive(change(3, 3000, 30));
  t.arrive(change(2, 2001, 20));   // behind, still above the watermark of 2,000 ms
  t.arrive(change(2, 2001, 20));   // its copy: the row before it is itself
  t.arrive(change(9, 2000, 90));   // at the watermark: late
  EXPECT_EQ(t.late(), 1U);
  EXPECT_EQ(t.json_lines(),
            R"({"product_id":"P-000007","event_time":"1970-01-01 00:00:01.000","event_id":1,"price":10,"stock":1,"previous_price":null,"previous_stock":null}
{"product_id":"P-000007","event_time":"1970-01-01 00:00:02.001","event_id":2,"price":20,"stock":2,"previous_price":10,"previous_stock":1}
{"product_id":"P-000007","event_time":"1970-01-01 00:00:02.001","event_id":2,"price":20,"stock":2,"previous_price":20,"previous_stock":2}
{"product_id":"P-000007","event_time":"1970-01-01 00:00:03.000","event_id":3,"price":30,"stock":3,"previous_price":20,"previous_stock":2}
)");
}

TEST(Product, OptionsOutOfBoundsAreRefused) {
  EXPECT_EQ(make_generator("nothing", {}).error().code, ErrorCode::kUnknownOption);
  for (const GeneratorOptions& o : {GeneratorOptions{.tps = 0}, GeneratorOptions{.tps = -1}, GeneratorOptions{.duplicates = 2}, GeneratorOptions{.disorder_us = -1},
                                    GeneratorOptions{.late = -0.1}, GeneratorOptions{.keys = 0}}) {
    EXPECT_EQ(make_generator("product", o).error().code, ErrorCode::kBadOptionValue);
  }
}

}  // namespace
}  // namespace supyo::workload
