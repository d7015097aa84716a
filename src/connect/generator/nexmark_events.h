#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/duration.h"
#include "data/types/builder.h"
#include "data/types/type.h"

/// The events of Nexmark, each from a seed and its number alone. Pure: no clock, no state that a restart would have to bring back.
namespace supyo::connect::nexmark {

enum class FieldId : std::uint8_t {
  kEventType,
  kPersonId, kPersonName, kPersonEmail, kPersonCard, kPersonCity, kPersonState, kPersonTime, kPersonExtra,
  kAuctionId, kAuctionItem, kAuctionDescription, kAuctionInitialBid, kAuctionReserve, kAuctionTime, kAuctionExpires, kAuctionSeller, kAuctionCategory, kAuctionExtra,
  kBidAuction, kBidBidder, kBidPrice, kBidChannel, kBidUrl, kBidTime, kBidExtra,
};
struct FieldSpec {
  FieldId id;
  std::string_view name;   ///< as the column is called: "bid.price"
  Type type;
};
std::span<const FieldSpec> fields();   ///< in order of FieldId
std::string_view name_of(FieldId id);

inline constexpr std::size_t kExtraMost = 64 << 10;

struct EventOptions {
  std::uint64_t seed = 1;
  std::int64_t rate = 10'000;   ///< events a second of event time
  std::int64_t person_proportion = 1, auction_proportion = 3, bid_proportion = 46;
  std::int64_t hot_auction_ratio = 2, hot_bidder_ratio = 4, hot_seller_ratio = 4;
  int person_bytes = 200, auction_bytes = 500, bid_bytes = 100;
};

/// Makes one event after another, and of it the fields that are asked for. One thread.
class EventMaker {
 public:
  explicit EventMaker(const EventOptions& options);

  /// Event `number`, from 0.
  void begin(std::uint64_t number);
  /// A field of it; null in events of another kind. `base_us`: time of event 0.
  void append(FieldId field, TimeUs base_us, ColumnBuilder& out);
  /// Time of an event since event 0, in whole milliseconds.
  DurationUs offset_us(std::uint64_t number) const { return static_cast<DurationUs>(static_cast<unsigned __int128>(number) * 1000 / static_cast<std::uint64_t>(o_.rate)) * kMillisecond; }

 private:
  enum class Kind : std::uint8_t { kPerson, kAuction, kBid };

  /// A number for this event and `what`; what is drawn for one field does not depend on which others are asked for.
  std::uint64_t draw(unsigned what) const;
  std::int64_t below(unsigned what, std::int64_t n) const;   ///< 0 .. n - 1
  std::int64_t last_person() const;                          ///< number of the newest person and auction at this event
  std::int64_t last_auction() const;
  std::int64_t any_person(unsigned what) const;
  std::int64_t price(unsigned what) const;
  void append_person(FieldId field, ColumnBuilder& out);
  void append_auction(FieldId field, TimeUs base_us, ColumnBuilder& out);
  void append_bid(FieldId field, ColumnBuilder& out);
  void append_word(unsigned what, int length_most, std::string& out) const;
  std::string_view extra(unsigned what, std::int64_t so_far, int wanted) const;
  std::string person_text(FieldId field) const;
  std::string auction_text(FieldId field) const;

  EventOptions o_;
  std::int64_t total_;
  std::uint64_t number_ = 0;
  std::uint64_t salt_ = 0;       ///< of this event
  std::int64_t epoch_ = 0, place_ = 0;
  Kind kind_ = Kind::kBid;
  std::string letters_;          ///< of which `extra` takes a piece
  std::array<std::string, 4> hot_urls_;
  std::array<std::string, 10'000> urls_;
  std::string text_;
};

}  // namespace supyo::connect::nexmark
