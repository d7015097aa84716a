#include <gtest/gtest.h>

#include <map>
#include <set>

#include "connect/generator/nexmark_events.h"
#include "data/types/batch.h"
#include "data/types/value.h"

namespace supyo::connect::nexmark {
namespace {

std::string text_of(EventMaker& maker, FieldId field, TimeUs base_us = 0) {
  ColumnBuilder column(fields()[static_cast<std::size_t>(field)].type);
  maker.append(field, base_us, column);
  std::string out;
  append_text_of(*column.finish(), 0, out);
  return out;
}
std::int64_t number_of(EventMaker& maker, FieldId field) { return std::stoll(text_of(maker, field)); }

TEST(Nexmark, KindsComeInTheirProportions) {
  EventMaker maker({});
  std::map<std::string, int> kinds;
  for (std::uint64_t i = 0; i < 50'000; ++i) {
    maker.begin(i);
    ++kinds[text_of(maker, FieldId::kEventType)];
  }
  EXPECT_EQ(kinds["0"], 1000);
  EXPECT_EQ(kinds["1"], 3000);
  EXPECT_EQ(kinds["2"], 46'000);
}

TEST(Nexmark, AnEventDependsOnItsNumberAndSeedOnly) {
  EventMaker one({}), same({}), other({.seed = 2});
  int different = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    one.begin(499 - i);
    const std::string url = text_of(one, FieldId::kBidUrl), extra = text_of(one, FieldId::kBidExtra);
    same.begin(499 - i);
    EXPECT_EQ(text_of(same, FieldId::kBidExtra), extra);
    EXPECT_EQ(text_of(same, FieldId::kBidUrl), url);
    other.begin(499 - i);
    different += text_of(other, FieldId::kBidExtra) != extra ? 1 : 0;
  }
  EXPECT_GT(different, 400);
}

TEST(Nexmark, FieldsOfOtherKindsAreNull) {
  EventMaker maker({});
  maker.begin(0);   // its id is 2: an auction
  EXPECT_EQ(text_of(maker, FieldId::kEventType), "1");
  EXPECT_EQ(text_of(maker, FieldId::kBidPrice), "NULL");
  EXPECT_EQ(text_of(maker, FieldId::kPersonName), "NULL");
  EXPECT_EQ(number_of(maker, FieldId::kAuctionId), 1001);
}

TEST(Nexmark, HotKeysAndPricesAreAsPublished) {
  EventMaker maker({});
  std::map<std::int64_t, int> auctions;
  int hot_bidders = 0, bids = 0, hot_channels = 0;
  double logarithms = 0;
  for (std::uint64_t i = 400'000; i < 450'000; ++i) {
    maker.begin(i);
    if (text_of(maker, FieldId::kEventType) != "2") continue;
    ++bids;
    ++auctions[number_of(maker, FieldId::kBidAuction)];
    hot_bidders += number_of(maker, FieldId::kBidBidder) % 100 == 1 ? 1 : 0;
    hot_channels += text_of(maker, FieldId::kBidChannel).starts_with("channel-") ? 0 : 1;
    logarithms += std::log10(static_cast<double>(number_of(maker, FieldId::kBidPrice)));
  }
  int hot = 0;
  for (const auto& [auction, n] : auctions) hot += auction % 100 == 0 ? n : 0;
  EXPECT_NEAR(static_cast<double>(hot) / bids, 0.505, 0.02);           // half of the bids, and one in a hundred of the others
  EXPECT_NEAR(static_cast<double>(hot_bidders) / bids, 0.7525, 0.02);  // three quarters
  EXPECT_NEAR(static_cast<double>(hot_channels) / bids, 0.5, 0.02);
  EXPECT_NEAR(logarithms / bids, 5.0, 0.05);                           // 10^2 to 10^8, even in the logarithm
}

TEST(Nexmark, IdsAreGivenInOrderAndTimesRise) {
  EventMaker maker({.rate = 3});
  std::set<std::int64_t> people, auctions;
  std::string last;
  for (std::uint64_t i = 0; i < 5'000; ++i) {
    maker.begin(i);
    const std::string kind = text_of(maker, FieldId::kEventType);
    if (kind == "0") people.insert(number_of(maker, FieldId::kPersonId));
    if (kind == "1") auctions.insert(number_of(maker, FieldId::kAuctionId));
    if (kind != "2") continue;
    EXPECT_LE(number_of(maker, FieldId::kBidAuction), *auctions.rbegin() + 10);
    const std::string time = text_of(maker, FieldId::kBidTime, 1'767'225'600'000'000);
    EXPECT_LE(last, time);
    last = time;
  }
  EXPECT_EQ(people.size(), 100U);
  EXPECT_EQ(*people.rbegin() - *people.begin(), 99);
  EXPECT_EQ(static_cast<std::int64_t>(auctions.size()), *auctions.rbegin() - *auctions.begin() + 1);
  EXPECT_EQ(EventMaker({.rate = 3}).offset_us(3'000'000'000), 1'000'000'000LL * kSecond);
}

TEST(Nexmark, TextsHaveTheirLengths) {
  EventMaker maker({});
  double bytes = 0;
  int auctions = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    maker.begin(i);
    if (text_of(maker, FieldId::kEventType) != "1") continue;
    ++auctions;
    const std::size_t item = text_of(maker, FieldId::kAuctionItem).size(), description = text_of(maker, FieldId::kAuctionDescription).size();
    EXPECT_LT(item, 20U);
    EXPECT_LT(description, 100U);
    bytes += static_cast<double>(48 + item + description + text_of(maker, FieldId::kAuctionExtra).size());
  }
  EXPECT_NEAR(bytes / auctions, 500, 10);
}

}  // namespace
}  // namespace supyo::connect::nexmark
