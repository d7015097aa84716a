#include "connect/generator/nexmark.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "connect/generator/nexmark_events.h"
#include "connect/generator/one_split_source.h"
#include "core/base/bytes.h"
#include "data/types/builder.h"

namespace supyo::connect {
namespace {

using dataflow::Poll;
using nexmark::EventMaker;
using nexmark::FieldId;

struct NexmarkConfig {
  std::string table;
  std::vector<std::pair<FieldId, Type>> fields;
  nexmark::EventOptions events;
  std::optional<std::uint64_t> count;       // absent: unbounded
  std::optional<TimeUs> base_us;            // absent: when the job first starts
  bool paced = false;
  bool keep_alive = false;
  bool bounded() const { return count.has_value() && !keep_alive; }
};

class NexmarkReader final : public dataflow::SourceReader {
 public:
  NexmarkReader(const NexmarkConfig& config, dataflow::Split split, const env::Env& env) : config_(config), split_(std::move(split)), env_(env), maker_(config_.events) {
    Schema schema;
    for (const auto& [id, type] : config_.fields) schema.add(std::string(nexmark::name_of(id)), type);
    builder_.emplace(schema);
  }

  Status start() {
    if (split_.position.empty()) {
      base_us_ = config_.base_us.value_or(env_.clock.now_us() / kMillisecond * kMillisecond);
    } else {
      ByteReader r(split_.position);
      base_us_ = r.i64();
      next_ = r.u64();
      if (r.failed()) return fail(ErrorCode::kDamaged, "the position of nexmark source '" + config_.table + "' is unreadable");
    }
    // Paced: an event is due when as much time has passed here as in the events, also after a restart.
    began_us_ = env_.clock.now_us() - maker_.offset_us(next_);
    return ok();
  }

  Result<Poll> poll(std::size_t budget, dataflow::SourceOutput& out) override {
    if (config_.count && next_ >= *config_.count) return ended();
    const TimeUs now = env_.clock.now_us();
    std::uint64_t until = next_ + std::min(budget, Batch::kMaxRows);
    if (config_.count) until = std::min(until, *config_.count);
    const std::uint64_t from = next_;
    for (; next_ < until; ++next_) {
      if (config_.paced && began_us_ + maker_.offset_us(next_) > now) break;
      maker_.begin(next_);
      for (std::size_t c = 0; c < config_.fields.size(); ++c) maker_.append(config_.fields[c].first, base_us_, builder_->column(c));
      builder_->end_row();
    }
    if (next_ == from) return Poll::waiting_until(began_us_ + maker_.offset_us(next_));
    SUPYO_TRY(out.emit({.split = 0, .batch = builder_->finish(), .produce_us = std::vector<TimeUs>(next_ - from, now)}));
    return config_.count && next_ >= *config_.count ? ended() : Poll::more();
  }

  std::vector<dataflow::SplitPosition> positions() const override {
    std::string position;
    ByteWriter w(position);
    w.i64(base_us_);
    w.u64(next_);
    return {{split_.id, position}};
  }

 private:
  Poll ended() const { return config_.keep_alive ? Poll::waiting_until(env_.clock.now_us() + kSecond) : Poll::done(); }

  NexmarkConfig config_;
  dataflow::Split split_;
  env::Env env_;
  EventMaker maker_;
  std::optional<BatchBuilder> builder_;
  TimeUs base_us_ = 0, began_us_ = 0;
  std::uint64_t next_ = 0;
};

std::string known_columns() {
  std::vector<std::string_view> names;
  for (const nexmark::FieldSpec& f : nexmark::fields()) names.push_back(f.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<FieldId> field_of(const Field& column) {
  const auto fields = nexmark::fields();
  const auto it = std::ranges::find(fields, std::string_view(column.name), &nexmark::FieldSpec::name);
  if (it == fields.end()) return fail(ErrorCode::kUnknownColumn, fmt::format("nexmark has no column '{}'", column.name), fmt::format("its events have: {}", known_columns()));
  if (column.type.id != it->type.id)
    return fail(ErrorCode::kTypeMismatch, fmt::format("column '{}' of nexmark is {}, not {}", column.name, it->type.to_string(), column.type.to_string()), "declare it so");
  if (!column.type.nullable && it->id != FieldId::kEventType)
    return fail(ErrorCode::kTypeMismatch, fmt::format("column '{}' of nexmark is null in events of another kind", column.name), "leave NOT NULL out");
  return it->id;
}

}  // namespace

catalog::ConnectorDescriptor nexmark_descriptor() {
  using K = catalog::OptionSpec::Kind;
  catalog::ConnectorDescriptor d;
  d.name = "nexmark";
  d.options = {
      {.key = "events.num", .kind = K::kInteger, .default_value = "0", .help = "how many events; 0 is without end"},
      {.key = "stop-at", .kind = K::kInteger, .default_value = "-1", .help = "end after so many events, if there are not fewer; -1: do not"},
      {.key = "keep-alive", .kind = K::kBoolean, .default_value = "false", .help = "do not end after the last event"},
      {.key = "first-event.rate", .kind = K::kInteger, .default_value = "10000", .help = "events a second of event time"},
      {.key = "next-event.rate", .kind = K::kInteger, .default_value = "10000", .help = "accepted; as in Flink's generator the first rate holds throughout"},
      {.key = "max-emit-speed", .kind = K::kBoolean, .default_value = "true", .help = "true: as fast as they are taken; false: each when it is due by its time"},
      {.key = "rate.limited", .kind = K::kBoolean, .default_value = "false", .help = "true is as max-emit-speed = false"},
      {.key = "rate.shape", .kind = K::kEnum, .default_value = "SQUARE", .allowed = {"SQUARE", "SINE"}, .help = "accepted; the rate is constant"},
      {.key = "rate.period", .kind = K::kDuration, .default_value = "600 s", .help = "accepted; the rate is constant"},
      {.key = "person.proportion", .kind = K::kInteger, .default_value = "1", .help = "of the events, beside the other two proportions"},
      {.key = "auction.proportion", .kind = K::kInteger, .default_value = "3", .help = "as before"},
      {.key = "bid.proportion", .kind = K::kInteger, .default_value = "46", .help = "as before"},
      {.key = "person.avg-size", .kind = K::kBytes, .default_value = "200b", .help = "of a person, `extra` filling it up"},
      {.key = "auction.avg-size", .kind = K::kBytes, .default_value = "500b", .help = "of an auction"},
      {.key = "bid.avg-size", .kind = K::kBytes, .default_value = "100b", .help = "of a bid"},
      {.key = "bid.hot-ratio.auctions", .kind = K::kInteger, .default_value = "2", .help = "all bids but one in so many are for the hot auction"},
      {.key = "bid.hot-ratio.bidders", .kind = K::kInteger, .default_value = "4", .help = "all but one in so many are by the hot bidder"},
      {.key = "auction.hot-ratio.sellers", .kind = K::kInteger, .default_value = "4", .help = "all auctions but one in so many are by the hot seller"},
      {.key = "supyo.seed", .kind = K::kInteger, .default_value = "1", .help = "equal seeds make equal events (Flink has no such option)"},
      {.key = "supyo.base-time", .kind = K::kInteger, .help = "time of the first event in ms since 1970; when the job starts, unless given (Flink has no such option)"},
  };
  d.source = true;
  d.rows = true;
  d.help = "people, auctions and bids of the Nexmark benchmark";
  return d;
}

Result<std::shared_ptr<dataflow::Source>> make_nexmark_source(const catalog::SourceRequest& request, const env::Env&) {
  const auto descriptor = nexmark_descriptor();
  const catalog::Options& options = request.table.options;
  NexmarkConfig c;
  c.table = request.table.path.name;
  const auto number = [&](std::string_view key, std::int64_t least, std::int64_t most) -> Result<std::int64_t> {
    const std::int64_t v = catalog::option_integer(options, descriptor, key);
    if (v < least || v > most) return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' = {} must be {} to {}", key, v, least, most));
    return v;
  };
  constexpr std::int64_t kMost = 1'000'000'000;
  const auto size = [&](std::string_view key) -> Result<int> {
    const std::int64_t v = catalog::option_integer(options, descriptor, key);
    if (v < 0 || v > static_cast<std::int64_t>(nexmark::kExtraMost)) return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' must be at most {} bytes", key, nexmark::kExtraMost));
    return static_cast<int>(v);
  };
  nexmark::EventOptions& e = c.events;
  SUPYO_ASSIGN(e.rate, number("first-event.rate", 1, kMost));
  SUPYO_TRY(number("next-event.rate", 1, kMost));
  SUPYO_ASSIGN(e.person_proportion, number("person.proportion", 0, kMost));
  SUPYO_ASSIGN(e.auction_proportion, number("auction.proportion", 0, kMost));
  SUPYO_ASSIGN(e.bid_proportion, number("bid.proportion", 0, kMost));
  if (e.person_proportion < 1 || e.auction_proportion < 1)
    return fail(ErrorCode::kBadOptionValue, "'person.proportion' and 'auction.proportion' must be at least 1: auctions have sellers, and bids have auctions");
  SUPYO_ASSIGN(e.hot_auction_ratio, number("bid.hot-ratio.auctions", 1, kMost));
  SUPYO_ASSIGN(e.hot_bidder_ratio, number("bid.hot-ratio.bidders", 1, kMost));
  SUPYO_ASSIGN(e.hot_seller_ratio, number("auction.hot-ratio.sellers", 1, kMost));
  SUPYO_ASSIGN(e.person_bytes, size("person.avg-size"));
  SUPYO_ASSIGN(e.auction_bytes, size("auction.avg-size"));
  SUPYO_ASSIGN(e.bid_bytes, size("bid.avg-size"));
  e.seed = static_cast<std::uint64_t>(catalog::option_integer(options, descriptor, "supyo.seed"));
  SUPYO_ASSIGN(const std::int64_t events, number("events.num", 0, std::int64_t{1} << 53));
  const std::int64_t stop_at = catalog::option_integer(options, descriptor, "stop-at");
  if (events > 0) c.count = static_cast<std::uint64_t>(events);
  if (stop_at >= 0) c.count = std::min(c.count.value_or(static_cast<std::uint64_t>(stop_at)), static_cast<std::uint64_t>(stop_at));
  c.keep_alive = catalog::option_boolean(options, descriptor, "keep-alive");
  c.paced = !catalog::option_boolean(options, descriptor, "max-emit-speed") || catalog::option_boolean(options, descriptor, "rate.limited");
  if (options.contains("supyo.base-time")) {
    SUPYO_ASSIGN(const std::int64_t base_ms, number("supyo.base-time", 0, std::int64_t{1} << 45));
    c.base_us = base_ms * kMillisecond;
  }
  const Schema schema = request.table.schema();
  std::vector<FieldId> ids;
  for (const Field& f : schema.fields()) {
    if (f.type.id == TypeId::kRow) {   // the planner makes it of its fields
      ids.emplace_back();
      continue;
    }
    SUPYO_ASSIGN(const FieldId id, field_of(f));
    ids.push_back(id);
  }
  for (const std::size_t i : request.columns) c.fields.emplace_back(ids[i], schema[i].type);
  return std::make_shared<OneSplitSource<NexmarkConfig, NexmarkReader>>(std::move(c));
}

}  // namespace supyo::connect
