#include "connect/generator/nexmark_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/hash.h"

namespace supyo::connect::nexmark {
namespace {

constexpr std::int64_t kFirstId = 1000;            // of people and of auctions
constexpr std::int64_t kFirstCategory = 10, kCategories = 5;
constexpr std::int64_t kHotBatch = 100;            // the hot auction, seller, bidder is the first (bidder: second) of the last hundred
constexpr std::int64_t kLead = 10;                 // ids that do not exist yet are used, too
constexpr std::int64_t kActivePeople = 1000, kAuctionsInFlight = 100;
constexpr std::uint64_t kFirstEvent = 2;           // number of the first event among ids: where the generator for Flink begins
constexpr int kShortestWord = 3;
constexpr std::size_t kLetters = 1 << 20;
constexpr std::string_view kHotChannels[] = {"Google", "Facebook", "Baidu", "Apple"};
constexpr std::string_view kStates[] = {"AZ", "CA", "ID", "OR", "WA", "WY"};
constexpr std::string_view kCities[] = {"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"};
constexpr std::string_view kFirstNames[] = {"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"};
constexpr std::string_view kLastNames[] = {"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"};

/// What is drawn for an event. Words take further numbers from their own on.
enum What : unsigned {
  kHotAuction, kAuction, kHotBidder, kBidder, kPrice, kChannelIsHot, kChannel, kBidSize, kBidPiece,
  kHotSeller, kSeller, kCategory, kInitialBid, kReserve, kLength, kAuctionSize, kAuctionPiece,
  kFirstName, kLastName, kCity, kState, kPersonSize, kPersonPiece, kCard,
  kEmail = 64, kHost = 128, kItem = 192, kDescription = 256,
};

std::uint64_t mix(std::uint64_t seed, std::uint64_t a, std::uint64_t b) { return hash_combine(hash_combine(seed, a), b); }
std::int64_t scaled(std::uint64_t r, std::int64_t n) { return static_cast<std::int64_t>(static_cast<unsigned __int128>(r) * static_cast<std::uint64_t>(n) >> 64); }

/// 3 to length_most - 1 characters, of which one in 13 is `special`; blanks at its ends are cut.
template <class Draw>
void append_letters(int length_most, char special, const Draw& draw, std::string& out) {
  const std::size_t begin = out.size();
  const auto length = static_cast<unsigned>(kShortestWord + scaled(draw(0), length_most - kShortestWord));
  for (unsigned i = 1; i <= length; ++i) {
    const std::uint64_t r = draw(i);
    out.push_back(scaled(r, 13) == 0 ? special : static_cast<char>('a' + scaled(r * 0x9e3779b97f4a7c15ULL, 26)));
  }
  while (out.size() > begin && out.back() == ' ') out.pop_back();
  const std::size_t first = out.find_first_not_of(' ', begin);
  out.erase(begin, (first == std::string::npos ? out.size() : first) - begin);
}

std::string url(std::uint64_t seed, std::uint64_t number) {
  std::string out = "https://www.nexmark.com/";
  for (std::uint64_t part = 0; part < 3; ++part) {
    append_letters(5, '_', [&](unsigned i) { return mix(seed, number, part * 16 + i); }, out);
    out.push_back('/');
  }
  return out + "item.htm?query=1";
}

/// The bits of a number in reverse order.
std::uint32_t reversed(std::uint32_t v) {
  std::uint32_t out = 0;
  for (int i = 0; i < 32; ++i, v >>= 1) out = out << 1 | (v & 1);
  return out;
}

constexpr std::uint64_t kUrlSalt = 0x75726c73, kLetterSalt = 0x6c657474;

}  // namespace

std::span<const FieldSpec> fields() {
  static const Type n = Type::big_int(), s = Type::string(), t = Type::timestamp(3);
  static const FieldSpec all[] = {
      {FieldId::kEventType, "event_type", Type::integer()},
      {FieldId::kPersonId, "person.id", n}, {FieldId::kPersonName, "person.name", s}, {FieldId::kPersonEmail, "person.emailAddress", s}, {FieldId::kPersonCard, "person.creditCard", s},
      {FieldId::kPersonCity, "person.city", s}, {FieldId::kPersonState, "person.state", s}, {FieldId::kPersonTime, "person.dateTime", t}, {FieldId::kPersonExtra, "person.extra", s},
      {FieldId::kAuctionId, "auction.id", n}, {FieldId::kAuctionItem, "auction.itemName", s}, {FieldId::kAuctionDescription, "auction.description", s},
      {FieldId::kAuctionInitialBid, "auction.initialBid", n}, {FieldId::kAuctionReserve, "auction.reserve", n}, {FieldId::kAuctionTime, "auction.dateTime", t}, {FieldId::kAuctionExpires, "auction.expires", t},
      {FieldId::kAuctionSeller, "auction.seller", n}, {FieldId::kAuctionCategory, "auction.category", n}, {FieldId::kAuctionExtra, "auction.extra", s},
      {FieldId::kBidAuction, "bid.auction", n}, {FieldId::kBidBidder, "bid.bidder", n}, {FieldId::kBidPrice, "bid.price", n}, {FieldId::kBidChannel, "bid.channel", s}, {FieldId::kBidUrl, "bid.url", s},
      {FieldId::kBidTime, "bid.dateTime", t}, {FieldId::kBidExtra, "bid.extra", s},
  };
  return all;
}

std::string_view name_of(FieldId id) { return fields()[static_cast<std::size_t>(id)].name; }

EventMaker::EventMaker(const EventOptions& options) : o_(options), total_(options.person_proportion + options.auction_proportion + options.bid_proportion) {
  letters_.reserve(kLetters);
  for (std::uint64_t i = 0; i < kLetters; ++i) letters_.push_back(static_cast<char>('a' + scaled(mix(o_.seed, kLetterSalt, i), 26)));
  for (std::size_t i = 0; i < hot_urls_.size(); ++i) hot_urls_[i] = url(o_.seed ^ kUrlSalt, urls_.size() + i);
  for (std::size_t i = 0; i < urls_.size(); ++i) {
    urls_[i] = url(o_.seed ^ kUrlSalt, i);
    const auto id = static_cast<std::int32_t>(reversed(static_cast<std::uint32_t>(i)));
    if (scaled(mix(o_.seed, kUrlSalt, i), 10) > 0) urls_[i] += fmt::format("&channel_id={}", std::abs(static_cast<std::int64_t>(id)));
  }
}

void EventMaker::begin(std::uint64_t number) {
  number_ = number;
  salt_ = hash_combine(o_.seed, number);
  const auto id = static_cast<std::int64_t>(number + kFirstEvent);
  epoch_ = id / total_;
  place_ = id % total_;
  kind_ = place_ < o_.person_proportion ? Kind::kPerson : place_ < o_.person_proportion + o_.auction_proportion ? Kind::kAuction : Kind::kBid;
}

std::uint64_t EventMaker::draw(unsigned what) const { return hash_combine(salt_, what); }
std::int64_t EventMaker::below(unsigned what, std::int64_t n) const { return scaled(draw(what), n); }

std::int64_t EventMaker::last_person() const { return epoch_ * o_.person_proportion + std::min(place_, o_.person_proportion - 1); }

std::int64_t EventMaker::last_auction() const {
  if (kind_ == Kind::kPerson) return epoch_ * o_.auction_proportion - 1;   // the last one of the round before
  return epoch_ * o_.auction_proportion + (kind_ == Kind::kBid ? o_.auction_proportion - 1 : place_ - o_.person_proportion);
}

std::int64_t EventMaker::any_person(unsigned what) const {
  const std::int64_t people = last_person() + 1, active = std::min(people, kActivePeople);
  return people - active + below(what, active + kLead);
}

/// Most are small: the logarithm is even.
std::int64_t EventMaker::price(unsigned what) const { return std::llround(std::pow(10.0, static_cast<double>(draw(what) >> 11) * 0x1p-53 * 6.0) * 100.0); }

void EventMaker::append(FieldId field, TimeUs base_us, ColumnBuilder& out) {
  if (field == FieldId::kEventType) return out.append(static_cast<std::int32_t>(kind_));
  const Kind of = field <= FieldId::kPersonExtra ? Kind::kPerson : field <= FieldId::kAuctionExtra ? Kind::kAuction : Kind::kBid;
  if (of != kind_) return out.append_null();
  if (field == FieldId::kPersonTime || field == FieldId::kAuctionTime || field == FieldId::kBidTime) return out.append(base_us + offset_us(number_));
  if (of == Kind::kPerson) return append_person(field, out);
  if (of == Kind::kAuction) return append_auction(field, base_us, out);
  append_bid(field, out);
}

void EventMaker::append_word(unsigned what, int length_most, std::string& out) const {
  append_letters(length_most, ' ', [&](unsigned i) { return draw(what + i); }, out);
}

/// Fills what an event has `so_far` up to `wanted` bytes, a fifth more or less; nothing when it has more.
std::string_view EventMaker::extra(unsigned what, std::int64_t so_far, int wanted) const {
  if (so_far > wanted) return {};
  const auto left = static_cast<std::int64_t>(wanted) - so_far;
  const std::int64_t delta = std::llround(static_cast<double>(left) * 0.2);
  const std::int64_t size = left - delta + (delta == 0 ? 0 : below(what, 2 * delta));
  return std::string_view(letters_).substr(static_cast<std::size_t>(below(what + 1, static_cast<std::int64_t>(letters_.size()) - size)), static_cast<std::size_t>(size));
}

std::string EventMaker::person_text(FieldId field) const {
  const auto one_of = [&](What what, const auto& list) { return std::string(list[static_cast<std::size_t>(below(what, std::ssize(list)))]); };
  std::string text;
  switch (field) {
    case FieldId::kPersonName: return one_of(kFirstName, kFirstNames) + " " + one_of(kLastName, kLastNames);
    case FieldId::kPersonCity: return one_of(kCity, kCities);
    case FieldId::kPersonState: return one_of(kState, kStates);
    case FieldId::kPersonEmail:
      append_word(kEmail, 7, text);
      text.push_back('@');
      append_word(kHost, 5, text);
      return text + ".com";
    default: {
      const std::uint64_t r = draw(kCard);
      return fmt::format("{:04} {:04} {:04} {:04}", r % 10'000, (r >> 16) % 10'000, (r >> 32) % 10'000, (r >> 48) % 10'000);
    }
  }
}

void EventMaker::append_person(FieldId field, ColumnBuilder& out) {
  if (field == FieldId::kPersonId) return out.append(last_person() + kFirstId);
  if (field != FieldId::kPersonExtra) return out.append_text(person_text(field));
  std::size_t size = 8;
  for (const FieldId f : {FieldId::kPersonName, FieldId::kPersonEmail, FieldId::kPersonCard, FieldId::kPersonCity, FieldId::kPersonState}) size += person_text(f).size();
  out.append_text(extra(kPersonSize, static_cast<std::int64_t>(size), o_.person_bytes));
}

std::string EventMaker::auction_text(FieldId field) const {
  std::string text;
  if (field == FieldId::kAuctionItem) append_word(kItem, 20, text);
  else append_word(kDescription, 100, text);
  return text;
}

void EventMaker::append_auction(FieldId field, TimeUs base_us, ColumnBuilder& out) {
  switch (field) {
    case FieldId::kAuctionId: return out.append(last_auction() + kFirstId);
    case FieldId::kAuctionSeller: return out.append(kFirstId + (below(kHotSeller, o_.hot_seller_ratio) > 0 ? last_person() / kHotBatch * kHotBatch : any_person(kSeller)));
    case FieldId::kAuctionCategory: return out.append(kFirstCategory + below(kCategory, kCategories));
    case FieldId::kAuctionInitialBid: return out.append(price(kInitialBid));
    case FieldId::kAuctionReserve: return out.append(price(kInitialBid) + price(kReserve));
    case FieldId::kAuctionExpires: {
      // On average until so many further auctions have begun.
      const auto ahead = static_cast<std::uint64_t>(kAuctionsInFlight * total_ / o_.auction_proportion);
      const DurationUs now = offset_us(number_);
      const std::int64_t most_ms = std::max<std::int64_t>(2 * (offset_us(number_ + ahead) - now) / kMillisecond, 1);
      return out.append(base_us + now + (1 + below(kLength, most_ms)) * kMillisecond);
    }
    case FieldId::kAuctionItem:
    case FieldId::kAuctionDescription: return out.append_text(auction_text(field));
    default: {
      const std::size_t size = 8 + auction_text(FieldId::kAuctionItem).size() + auction_text(FieldId::kAuctionDescription).size() + 5 * 8;
      return out.append_text(extra(kAuctionSize, static_cast<std::int64_t>(size), o_.auction_bytes));
    }
  }
}

void EventMaker::append_bid(FieldId field, ColumnBuilder& out) {
  switch (field) {
    case FieldId::kBidAuction: {
      const std::int64_t last = last_auction();
      if (below(kHotAuction, o_.hot_auction_ratio) > 0) return out.append(kFirstId + last / kHotBatch * kHotBatch);
      const std::int64_t least = std::max<std::int64_t>(last - kAuctionsInFlight, 0);
      return out.append(kFirstId + least + below(kAuction, last - least + 1 + kLead));
    }
    // The generator for Flink adds the first id twice, so bidders are people a thousand ids on.
    case FieldId::kBidBidder: return out.append(2 * kFirstId + (below(kHotBidder, o_.hot_bidder_ratio) > 0 ? last_person() / kHotBatch * kHotBatch + 1 : any_person(kBidder)));
    case FieldId::kBidPrice: return out.append(price(kPrice));
    case FieldId::kBidChannel:
    case FieldId::kBidUrl: {
      const bool channel = field == FieldId::kBidChannel;
      if (below(kChannelIsHot, 2) > 0) {
        const auto i = static_cast<std::size_t>(below(kChannel, std::ssize(kHotChannels)));
        return out.append_text(channel ? kHotChannels[i] : std::string_view(hot_urls_[i]));
      }
      const auto i = static_cast<std::size_t>(below(kChannel, std::ssize(urls_)));
      if (!channel) return out.append_text(urls_[i]);
      text_ = "channel-";
      text_ += fmt::format_int(i).c_str();
      return out.append_text(text_);
    }
    default: return out.append_text(extra(kBidSize, 4 * 8, o_.bid_bytes));
  }
}

}  // namespace supyo::connect::nexmark
