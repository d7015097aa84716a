#include "lab/workload/order.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "data/types/value.h"
#include "lab/workload/json_text.h"

namespace supyo::workload {
namespace {

constexpr std::string_view kRegions[] = {"Gangnam", "Mapo", "Songpa", "Jongno", "Seongdong", "Yongsan", "Gwanak", "Nowon"};
constexpr std::string_view kGrades[] = {"WELCOME", "SILVER", "GOLD", "VIP"};

void append_user(std::uint64_t user, const User& u, std::string& out) {
  out += "{\"user_id\":";
  append_number(static_cast<std::int64_t>(user), out);
  out += ",\"region\":\"";
  out += kRegions[u.region];
  out += "\",\"grade\":\"";
  out += kGrades[u.grade];
  out += '"';
}

}  // namespace

std::string_view region_name(std::uint32_t region) { return kRegions[region]; }

// The smaller of two draws: the first region has 15 times as many as the last.
std::uint32_t draw_region(Draws& draws) {
  const std::uint64_t a = draws.below(std::size(kRegions)), b = draws.below(std::size(kRegions));
  return static_cast<std::uint32_t>(std::min(a, b));
}

void OrderGenerator::make(Order& o) {
  o.user = 1 + draws_.below(options_.keys);
  o.region = draw_region(draws_);
  o.amount = static_cast<std::int64_t>(80 + draws_.below(720)) * 100;
}

void OrderGenerator::write(const Order& o, GeneratedRecord& record) const {
  const auto id = static_cast<std::int64_t>(o.event_id);
  append_number(id, record.key);
  std::string& out = record.value;
  out += "{\"event_id\":";
  append_number(id, out);
  out += ",\"order_id\":";
  append_number(id, out);
  out += ",\"user_id\":";
  append_number(static_cast<std::int64_t>(o.user), out);
  out += ",\"region\":\"";
  out += kRegions[o.region];
  out += "\",\"amount\":";
  append_number(o.amount, out);
  append_times(o.event_us, o.ingest_us, out);
}

void OrderGenerator::arrived(const Order& o) {
  const TimeUs watermark = watermark_.arrive(o.event_us, *truth_bound_us_), minute = window_start(o.event_us, kMinute);
  if (window_is_over(minute + kMinute, watermark)) return;
  auto& [orders, amount] = minutes_[{minute, o.region}];
  ++orders;
  amount += o.amount;
}

std::string OrderGenerator::truth() const {
  std::string out;
  for (const auto& [key, sums] : minutes_) {
    out += R"({"window_start":")";
    append_result_time(key.first, out);
    fmt::format_to(std::back_inserter(out), R"(","region":"{}","orders":{},"amount":{}}})", kRegions[key.second], sums.first, sums.second);
    out += '\n';
  }
  return out;
}

void UserGenerator::make(UserChange& c) {
  const std::uint64_t i = draws_.below(options_.keys);
  User& u = users_[i];
  c.user = i + 1;
  c.created = !there_[i];
  c.before = u;
  if (c.created) {
    u = {draw_region(draws_), static_cast<std::uint32_t>(draws_.below(std::size(kGrades)))};
  } else if (draws_.chance(0.7)) {
    u.region = (u.region + 1 + static_cast<std::uint32_t>(draws_.below(std::size(kRegions) - 1))) % std::size(kRegions);
  } else {
    u.grade = (u.grade + 1 + static_cast<std::uint32_t>(draws_.below(std::size(kGrades) - 1))) % std::size(kGrades);
  }
  there_[i] = true;
  c.after = u;
}

void UserGenerator::write(const UserChange& c, GeneratedRecord& record) const {
  append_number(static_cast<std::int64_t>(c.user), record.key);
  std::string& out = record.value;
  out += "{\"before\":";
  if (c.created) {
    out += "null";
  } else {
    append_user(c.user, c.before, out);
    out += '}';
  }
  out += ",\"after\":";
  append_user(c.user, c.after, out);
  out += ",\"changed\":\"";
  append_time(c.event_us, out);
  out += "\"},\"op\":\"";
  out += c.created ? 'c' : 'u';
  out += "\",\"ts_ms\":";
  append_number(c.ingest_us / kMillisecond, out);
  out += '}';
}

void UserGenerator::arrived(const UserChange& c) {
  UserChange& last = last_[c.user];
  if (c.event_id >= last.event_id) last = c;
}

std::string UserGenerator::truth() const {
  std::string out;
  for (const auto& [user, c] : last_) {
    append_user(user, c.after, out);
    out += ",\"changed\":\"";
    append_time(c.event_us, out);
    out += "\"}\n";
  }
  return out;
}

}  // namespace supyo::workload
