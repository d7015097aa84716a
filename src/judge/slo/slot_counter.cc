#include "judge/slo/slot_counter.h"

#include <algorithm>

namespace supyo::slo {
namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0); }
std::size_t slot_of(std::int64_t index, std::int64_t size) { return static_cast<std::size_t>(((index % size) + size) % size); }

}  // namespace

void SlotCounter::Ring::advance(std::int64_t index) {
  if (slots.empty()) {
    slots.resize(static_cast<std::size_t>(size));
    newest = oldest = index;
    return;
  }
  if (index <= newest) return;
  if (index - newest >= size) {
    std::fill(slots.begin(), slots.end(), Counts{});
  } else {
    for (std::int64_t i = newest + 1; i <= index; ++i) slots[slot_of(i, size)] = {};
  }
  newest = index;
}

Counts* SlotCounter::Ring::at(std::int64_t index) {
  if (slots.empty() || index > newest || index <= newest - size) return nullptr;
  return &slots[slot_of(index, size)];
}

Counts SlotCounter::Ring::sum(std::int64_t from, std::int64_t to) const {
  Counts c;
  if (slots.empty()) return c;
  from = std::max(from, newest - size + 1);
  to = std::min(to, newest + 1);
  for (std::int64_t i = from; i < to; ++i) c += slots[slot_of(i, size)];
  return c;
}

void SlotCounter::advance(TimeUs t) {
  seconds_.advance(floor_div(t, kSecond));
  const std::int64_t minute = floor_div(t, kMinute);
  if (!minutes_.slots.empty() && minute > minutes_.newest) {
    // The running sums take the minutes that close now before their slots are used again.
    for (MinuteSum& s : sums_) {
      const std::int64_t from = s.upto - s.minutes + 1;
      if (minute - minutes_.newest >= kMinutes) {
        s.sum = {};
      } else {
        s.sum += minutes_.sum(s.upto + 1, minute);
        s.sum -= minutes_.sum(from, minute - s.minutes);
      }
      s.upto = minute - 1;
    }
  }
  minutes_.advance(minute);
}

void SlotCounter::add(TimeUs t, Counts c) {
  advance(t);
  lifetime_ += c;
  if (Counts* slot = seconds_.at(floor_div(t, kSecond))) *slot += c;
  const std::int64_t minute = floor_div(t, kMinute);
  if (Counts* slot = minutes_.at(minute)) {
    *slot += c;
    for (MinuteSum& s : sums_) if (minute <= s.upto && minute > s.upto - s.minutes) s.sum += c;
  }
}

void SlotCounter::forget_after(TimeUs t) {
  seconds_ = {{}, INT64_MIN, INT64_MIN, kSeconds + 1};
  sums_.clear();   // made again when they are asked for
  const std::int64_t minute = floor_div(t, kMinute);
  if (minutes_.slots.empty() || minute >= minutes_.newest) return;
  for (std::int64_t i = std::max(minute + 1, minutes_.newest - kMinutes + 1); i <= minutes_.newest; ++i) minutes_.slots[slot_of(i, kMinutes)] = {};
  minutes_.newest = minute;
  minutes_.oldest = std::min(minutes_.oldest, minute);
}

Counts SlotCounter::window(DurationUs window_us, TimeUs now) {
  if (window_us <= kSecondsReach) {
    const std::int64_t end = floor_div(now, kSecond);
    return seconds_.sum(end - window_us / kSecond, end);
  }
  advance(now);
  const std::int64_t minute = floor_div(now, kMinute);
  // The window is the minute begun and as many closed ones as fit before it; the ring keeps one slot for the begun one.
  const std::int64_t closed = std::min(window_us / kMinute, kMinutes - 1);
  auto it = std::find_if(sums_.begin(), sums_.end(), [&](const MinuteSum& s) { return s.minutes == closed; });
  if (it == sums_.end()) {
    sums_.push_back({closed, minutes_.newest - 1, minutes_.sum(minutes_.newest - closed, minutes_.newest)});
    it = sums_.end() - 1;
  }
  if (minute < minutes_.newest) return minutes_.sum(minute - closed, minute + 1);  // a look back: rare, so summed
  return it->sum + minutes_.sum(minute, minute + 1);
}

namespace {
void save_slot(ByteWriter& out, std::int64_t gap, const Counts& c) {
  out.varint(static_cast<std::uint64_t>(gap));
  out.varint(c.good);
  out.varint(c.bad);
}
}  // namespace

void SlotCounter::save(ByteWriter& out, DurationUs seconds_reach_us) const {
  out.varint(lifetime_.good);
  out.varint(lifetime_.bad);
  const auto save_ring = [&](const Ring& ring, std::int64_t reach) {
    out.i64(ring.slots.empty() ? INT64_MIN : ring.newest);
    std::string body;
    ByteWriter w(body);
    std::uint64_t n = 0;
    if (!ring.slots.empty()) {
      for (std::int64_t back = 0; back < std::min({reach, ring.size, ring.newest - ring.oldest + 1}); ++back) {
        const Counts& c = ring.slots[slot_of(ring.newest - back, ring.size)];
        if (c.total() == 0) continue;
        save_slot(w, back, c);
        ++n;
      }
    }
    out.varint(n);
    out.text(body);
  };
  save_ring(seconds_, seconds_reach_us / kSecond + 1);
  save_ring(minutes_, kMinutes);
}

bool SlotCounter::restore(ByteReader& in) {
  *this = SlotCounter{};
  lifetime_.good = in.varint();
  lifetime_.bad = in.varint();
  for (Ring* ring : {&seconds_, &minutes_}) {
    const std::int64_t newest = in.i64();
    const std::uint64_t n = in.varint();
    ByteReader body(in.text());
    if (in.failed()) return false;
    if (newest == INT64_MIN) continue;
    ring->advance(newest);
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::uint64_t back = body.varint();
      Counts c;
      c.good = body.varint();
      c.bad = body.varint();
      if (body.failed() || back >= static_cast<std::uint64_t>(ring->size)) return false;
      ring->oldest = std::min(ring->oldest, newest - static_cast<std::int64_t>(back));
      *ring->at(newest - static_cast<std::int64_t>(back)) = c;
    }
  }
  return !in.failed();
}

}  // namespace supyo::slo
