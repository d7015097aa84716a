#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "core/base/bytes.h"
#include "core/base/hash.h"
#include "data/state/stored_changes.h"
#include "data/state/tables.h"

namespace supyo::state {
namespace {

const TableSpec kTimed{.name = "w", .fixed_width = 8, .timed = true};

std::vector<Change> changes_of(KeyedTable& table) {
  EncodedChanges out;
  table.take_changes(out);
  return to_list(out);
}

std::string value_of(TimeUs time, std::uint64_t order) {
  std::string out;
  ByteWriter w(out);
  w.i64(time);
  w.u64(order);
  w.u64(0);
  return out;
}

std::string due_of(KeyedTable& table, TimeUs until, std::size_t most = SIZE_MAX) {
  std::vector<Slot> due;
  table.due(until, due, most);
  std::string out;
  for (const Slot s : due) out += std::string(table.key(s)) + " ";
  return out;
}

/// What a timed table has to be: by time, then by order of insertion, over erasures, epochs and restores.
struct Model {
  std::map<std::string, std::pair<TimeUs, std::uint64_t>> entries;
  std::uint64_t next = 0;
  std::string due(TimeUs until, std::size_t most) const {
    std::set<std::tuple<TimeUs, std::uint64_t, std::string>> sorted;
    for (const auto& [key, at] : entries)
      if (at.first <= until) sorted.emplace(at.first, at.second, key);
    std::string out;
    for (const auto& [time, order, key] : sorted)
      if (most-- > 0) out += key + " ";
      else break;
    return out;
  }
  TimeUs next_due() const {
    TimeUs first = kTimeMax;
    for (const auto& [key, at] : entries) first = std::min(first, at.first);
    return first;
  }
};

TEST(TimedTable, DueEqualsAModelOverErasuresEpochsAndRestores) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    std::mt19937_64 random(seed);
    auto table = std::make_unique<KeyedTable>(kTimed);
    Model model;
    std::map<std::string, Change> stored;
    const auto cut = [&] {
      for (Change& c : changes_of(*table)) {
        if (c.deleted) stored.erase(c.key); else stored[c.key] = c;
      }
    };
    for (int step = 0; step < 12'000; ++step) {
      const std::string key = std::to_string(random() % 300);
      const auto time = static_cast<TimeUs>(random() % 4 * 10);   // few: an entry comes back into the bucket that it left
      const Slot at = table->find(hash_bytes(key), key);
      ASSERT_EQ(at == kNoSlot, !model.entries.contains(key));
      if (at == kNoSlot) {
        const Slot slot = table->find_or_insert(hash_bytes(key), key, time);
        ASSERT_EQ(table->time(slot), time);
        model.entries[key] = {time, model.next++};
      } else if (random() % 3 != 0) {
        table->erase(at);
        model.entries.erase(key);
      } else {
        table->touch(at);
      }
      if (step % 97 == 0) {
        const std::size_t most = random() % 2 == 0 ? SIZE_MAX : random() % 20;
        const auto until = static_cast<TimeUs>(random() % 40);
        ASSERT_EQ(due_of(*table, until, most), model.due(until, most)) << "seed " << seed << " step " << step;
        ASSERT_EQ(table->next_due(), model.next_due());
      }
      if (random() % 300 == 0) cut();
      if (random() % 2000 != 0) continue;
      cut();
      auto again = std::make_unique<KeyedTable>(kTimed);
      std::vector<Change> all;
      for (const auto& [k, c] : stored) all.push_back(c);
      if (random() % 2 == 0) {
        ASSERT_TRUE(again->restore(stored_changes(all)));
      } else {
        std::ranges::shuffle(all, random);
        for (const Change& c : all) ASSERT_TRUE(again->restore(c.hash, c.key, c.value));
      }
      table = std::move(again);
    }
    ASSERT_EQ(due_of(*table, kTimeMax), model.due(kTimeMax, SIZE_MAX));
  }
}

TEST(TimedTable, FiresInPartsWhenWhatCameIsErased) {
  KeyedTable table(kTimed);
  for (int i = 0; i < 100; ++i) table.find_or_insert(hash_u64(static_cast<std::uint64_t>(i)), std::to_string(i), i % 3);
  std::string in_parts;
  const std::string at_once = due_of(table, 1);
  for (std::vector<Slot> due;; due.clear()) {
    table.due(1, due, 7);
    if (due.empty()) break;
    ASSERT_LE(due.size(), 7U);
    for (const Slot s : due) {
      in_parts += std::string(table.key(s)) + " ";
      table.erase(s);
    }
  }
  EXPECT_EQ(in_parts, at_once);
  EXPECT_EQ(table.next_due(), 2);
}

/// As in files of a table that counted over all its times, or for very long.
TEST(TimedTable, OrdersThatLieFarApartAreKept) {
  KeyedTable table(kTimed);
  const std::vector<std::pair<std::string, std::uint64_t>> entries{{"c", std::uint64_t{1} << 60}, {"a", 7}, {"d", (std::uint64_t{1} << 60) + 1}, {"b", 9}};
  std::vector<Change> stored;
  for (const auto& [key, order] : entries) stored.push_back({.hash = hash_bytes(key), .key = key, .value = value_of(5, order)});
  stored.push_back({.hash = hash_bytes("x"), .key = "x", .value = value_of(6, std::uint64_t{1} << 60)});
  ASSERT_TRUE(table.restore(stored_changes(stored)));
  EXPECT_EQ(due_of(table, 6), "a b c d x ");
  table.find_or_insert(hash_bytes("0"), "0", 5);
  EXPECT_EQ(due_of(table, 5), "a b c d 0 ");
  // All of that bucket has new numbers, which the next epoch must hold; the other bucket's are as they were.
  std::map<std::string, Change> written;
  for (const Change& c : changes_of(table)) written[c.key] = c;
  EXPECT_EQ(written.size(), 5U);
  EXPECT_FALSE(written.contains("x"));
  KeyedTable again(kTimed);
  std::vector<Change> all;
  for (const auto& [key, c] : written) all.push_back(c);
  ASSERT_TRUE(again.restore(stored_changes(all)));
  EXPECT_EQ(due_of(again, 5), "a b c d 0 ");
}

TEST(TimedTable, OfTwoShardsEqualOrdersGoByHash) {
  KeyedTable table(kTimed);
  ASSERT_TRUE(table.restore(stored_changes({{.hash = 9, .key = "b", .value = value_of(5, 1)}, {.hash = 3, .key = "c", .value = value_of(5, 1)}, {.hash = 5, .key = "a", .value = value_of(5, 0)}})));
  EXPECT_EQ(due_of(table, 5), "a c b ");
  const Slot c = table.find(3, "c");
  table.erase(c);
  ASSERT_EQ(table.find_or_insert(3, "c", 5), c) << "the slot is taken again";
  EXPECT_EQ(due_of(table, 5), "a b c ");
}

/// Sizes of a byte, and beyond; each way from one to the other.
TEST(TimedTable, RecordsOfEverySizeKeepKeyTimeAndBlob) {
  for (const std::size_t key_size : {0U, 1U, 20U, 254U, 255U, 256U, 40'000U}) {
    KeyedTable table(kTimed);
    const std::string key(key_size, 'k');
    const Slot slot = table.find_or_insert(11, key, 77);
    table.as<std::int64_t>(slot) = 42;
    std::string before;
    for (const std::size_t size : {3U, 254U, 255U, 2U, 70'000U, 256U, 254U, 0U, 255U}) {
      const std::string blob(size, static_cast<char>('a' + size % 20));
      table.set_blob(slot, blob);
      ASSERT_EQ(table.blob(slot), blob);
      ASSERT_EQ(table.key(slot), key);
      ASSERT_EQ(table.time(slot), 77);
      ASSERT_EQ(table.as<std::int64_t>(slot), 42);
      ASSERT_EQ(table.find(11, key), slot);
    }
    table.set_blob(slot, std::string(300, 'x'));
    table.set_blob(slot, table.blob(slot).substr(200));   // a part of itself, and of the other form
    ASSERT_EQ(table.blob(slot), std::string(100, 'x'));
    KeyedTable again(kTimed);
    ASSERT_TRUE(again.restore(stored_changes(changes_of(table))));
    const Slot back = again.find(11, key);
    ASSERT_NE(back, kNoSlot);
    EXPECT_EQ(again.blob(back), std::string(100, 'x'));
    EXPECT_EQ(again.time(back), 77);
  }
}

/// Number of the window, int64 key, count: what bench/memory measures of a whole process.
TEST(TimedTable, AWindowsGroupTakes64Bytes) {
  constexpr std::size_t kGroups = 250'000;   // as a million: the tables that double are nearly full, their buckets half
  KeyedTable table(kTimed);
  std::string key(14, 'k');
  for (std::uint64_t i = 0; i < kGroups; ++i) {
    std::memcpy(key.data() + 6, &i, sizeof i);
    table.find_or_insert(hash_u64(i), key, 10);
    if (i % 10'000 == 0) table.forget_changes();
  }
  table.forget_changes();
  EXPECT_LE(static_cast<double>(table.record_bytes()) / kGroups, 32.0);
  EXPECT_LE(static_cast<double>(table.memory_bytes() - table.reserved_bytes() + table.record_bytes()) / kGroups, 64.0) << "but for the last block's unused end";
}

}  // namespace
}  // namespace supyo::state
