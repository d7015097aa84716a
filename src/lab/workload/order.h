#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lab/workload/sender.h"
#include "lab/workload/window_truth.h"

namespace supyo::workload {

/// Districts that orders, dispatches and users belong to; the first are busier than the last.
std::string_view region_name(std::uint32_t region);
std::uint32_t draw_region(Draws& draws);

struct Order : SentEvent {
  std::uint64_t user = 0;
  std::uint32_t region = 0;     ///< where it is delivered to
  std::int64_t amount = 0;      ///< won
};

/// Orders as they are placed: {"event_id":1,"order_id":1,"user_id":12,"region":"Mapo","amount":18900,"event_time":..,"ingest_time":..}; key: the order.
/// Truth: orders and amount of each region and minute, without what came when the minute was over.
class OrderGenerator final : public Sender<Order> {
 public:
  explicit OrderGenerator(const GeneratorOptions& options) : Sender(options) {}
  std::string truth() const override;

 private:
  void make(Order& order) override;
  void write(const Order& order, GeneratedRecord& record) const override;
  void arrived(const Order& order) override;

  EdgeWatermark watermark_;
  std::map<std::pair<TimeUs, std::uint32_t>, std::pair<std::int64_t, std::int64_t>> minutes_;   // (minute, region) -> orders, amount
};

struct User {
  std::uint32_t region = 0;
  std::uint32_t grade = 0;
};
struct UserChange : SentEvent {
  std::uint64_t user = 0;
  bool created = false;
  User before, after;
};

/// The changes of a table of users, as Debezium's JSON has them (op c and u, before, after, ts_ms): users are created when they are first drawn, then they move or change their grade.
/// The rows have user_id, region, grade, changed (the event time). Key: the user. Truth: the last version of every user.
class UserGenerator final : public Sender<UserChange> {
 public:
  explicit UserGenerator(const GeneratorOptions& options) : Sender(options), users_(options.keys), there_(options.keys) {}
  std::string truth() const override;

 private:
  void make(UserChange& change) override;
  void write(const UserChange& change, GeneratedRecord& record) const override;
  void arrived(const UserChange& change) override;

  std::vector<User> users_;
  std::vector<bool> there_;
  std::map<std::uint64_t, UserChange> last_;
};

}  // namespace supyo::workload
