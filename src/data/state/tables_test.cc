#include "data/state/tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "data/state/place_hash.h"
#include "data/state/stored_changes.h"

namespace supyo::state {
namespace {

template <class Table>
std::vector<Change> changes_of(Table& table) {
  EncodedChanges encoded;
  table.take_changes(encoded);
  return to_list(encoded);
}

std::string key_text(std::uint64_t n) { return (n % 3 == 0 ? "a rather long key, number " : "k") + std::to_string(n); }

// Every operation beside a std::map, with changes taken now and then and replayed into a second table: both must equal the map.
TEST(KeyedTable, EqualsAMapUnderRandomOperationsAndRestores) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    const TableSpec spec{.name = "t", .fixed_width = 12};
    KeyedTable table(spec);
    std::map<std::string, std::pair<std::int64_t, std::string>> truth;
    std::map<std::string, Change> journal;
    const auto cut = [&] {
      std::vector<Change> changes = changes_of(table);
      for (auto& c : changes) {
        if (c.deleted) journal.erase(c.key);
        else journal[c.key] = c;
      }
    };
    for (int step = 0; step < 4000; ++step) {
      const std::string k = key_text(random() % 300);
      const std::uint64_t h = hash_bytes(k);
      switch (random() % 4) {
        case 0:
        case 1: {
          const Slot s = table.find_or_insert(h, k);
          table.as<std::int64_t>(s) += 7;
          table.touch(s);
          truth[k].first += 7;
          break;
        }
        case 2: {
          const Slot s = table.find_or_insert(h, k);
          table.set_blob(s, k + "!" + std::to_string(step));
          truth[k].second = k + "!" + std::to_string(step);
          break;
        }
        default:
          if (const Slot s = table.find(h, k); s != kNoSlot) table.erase(s);
          truth.erase(k);
      }
      if (random() % 50 == 0) cut();
    }
    cut();
    KeyedTable restored(spec);
    for (const auto& [k, c] : journal) ASSERT_TRUE(restored.restore(c.hash, c.key, c.value));
    for (KeyedTable* t : {&table, &restored}) {
      ASSERT_EQ(t->size(), truth.size());
      for (const auto& [k, v] : truth) {
        const Slot s = t->find(hash_bytes(k), k);
        ASSERT_NE(s, kNoSlot) << k;
        EXPECT_EQ(t->as<std::int64_t>(s), v.first);
        EXPECT_EQ(t->blob(s), v.second);
        EXPECT_EQ(t->key(s), k);
      }
    }
  }
}

TEST(KeyedTable, DueGivesTimeThenInsertionOrderAlsoAfterARestore) {
  const TableSpec spec{.name = "w", .fixed_width = 8, .timed = true};
  KeyedTable table(spec);
  for (const auto& [k, t] : std::vector<std::pair<std::string, TimeUs>>{{"z", 10}, {"a", 20}, {"m", 10}, {"b", 5}})
    table.find_or_insert(hash_bytes(k), k, t);
  std::vector<Change> changes = changes_of(table);
  KeyedTable restored(spec);
  for (auto it = changes.rbegin(); it != changes.rend(); ++it) ASSERT_TRUE(restored.restore(it->hash, it->key, it->value));
  for (KeyedTable* t : {&table, &restored}) {
    EXPECT_EQ(t->next_due(), 5);
    std::vector<Slot> due;
    t->due(10, due);
    std::string order;
    for (const Slot s : due) order += t->key(s);
    EXPECT_EQ(order, "bzm");
    for (const Slot s : due) t->erase(s);
    EXPECT_EQ(t->next_due(), 20);
    std::vector<Change> gone = changes_of(*t);
    EXPECT_EQ(gone.size(), 3U);
  }
}

TEST(KeyedTable, AKeyBornAndErasedWithinAnEpochLeavesNoTrace) {
  KeyedTable table({.name = "t", .fixed_width = 8});
  table.erase(table.find_or_insert(1, "x"));
  std::vector<Change> changes = changes_of(table);
  EXPECT_TRUE(changes.empty());
}

TEST(KeyedTable, TheBatchProbeEqualsSingleProbes) {
  KeyedTable table({.name = "t", .fixed_width = 8});
  std::vector<std::string> text;
  for (std::uint64_t i = 0; i < 5000; ++i) text.push_back(key_text(hash_u64(i) % 700));
  std::vector<std::uint64_t> hashes;
  std::vector<std::string_view> keys;
  for (const auto& t : text) hashes.push_back(hash_bytes(t)), keys.push_back(t);
  std::vector<Slot> slots(text.size());
  std::vector<std::uint8_t> inserted(text.size());
  table.find_or_insert(hashes, keys, {}, slots, inserted);
  std::map<std::string, Slot> seen;
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_EQ(inserted[i], seen.contains(text[i]) ? 0 : 1);
    if (inserted[i]) seen[text[i]] = slots[i];
    EXPECT_EQ(slots[i], seen[text[i]]);
  }
  EXPECT_EQ(table.size(), seen.size());
}

// Entries end in order of their last write, also those that came back in another order; what is written again lives on, and an end is a change of the epoch.
TEST(KeyedTable, EntriesWithATtlEndAfterTheirLastWriteAlsoAfterARestore) {
  const TableSpec spec{.name = "ttl", .fixed_width = 8, .ttl_us = 10};
  KeyedTable table(spec);
  std::map<std::string, TimeUs> truth;
  std::map<std::string, Change> journal;
  std::mt19937_64 random(3);
  std::unique_ptr<KeyedTable> restored;
  KeyedTable* t = &table;
  for (TimeUs now = 1; now < 2000; ++now) {
    std::vector<std::string> gone;
    t->expire(now, [&](Slot s) { gone.emplace_back(t->key(s)); });
    std::vector<std::string> want;
    for (auto it = truth.begin(); it != truth.end();) {
      if (it->second + 10 <= now) want.push_back(it->first), it = truth.erase(it);
      else ++it;
    }
    std::ranges::sort(gone);
    ASSERT_EQ(gone, want) << now;
    for (int i = 0; i < 5; ++i) {
      const std::string k = key_text(random() % 40);
      if (const Slot found = t->find(hash_bytes(k), k); random() % 4 == 0 && found != kNoSlot) {
        t->erase(found);
        truth.erase(k);
      } else if (random() % 3 != 0) {
        t->touch(t->find_or_insert(hash_bytes(k), k));
        truth[k] = now;
      } else {
        ASSERT_EQ(found != kNoSlot, truth.contains(k));   // a look is no write
      }
    }
    if (now % 50 != 0) continue;
    for (auto& c : changes_of(*t)) {
      if (c.deleted) journal.erase(c.key);
      else journal[c.key] = c;
    }
    auto again = std::make_unique<KeyedTable>(spec);
    for (const auto& [k, c] : journal) ASSERT_TRUE(again->restore(c.hash, c.key, c.value));
    restored = std::move(again);
    t = restored.get();
    ASSERT_EQ(t->size(), truth.size());
  }
}

// As after a start: the same table as one by one, also where times, orders of insertion and blobs come back.
TEST(KeyedTable, RestoringStoredEntriesEqualsOneByOne) {
  for (const TableSpec& spec : {TableSpec{.name = "plain", .fixed_width = 8}, TableSpec{.name = "timed", .fixed_width = 8, .timed = true}, TableSpec{.name = "ttl", .fixed_width = 8, .ttl_us = 100},
                                TableSpec{.name = "shared", .fixed_width = 8, .shared_hashes = true}}) {
    KeyedTable table(spec);
    for (std::uint64_t i = 0; i < 3000; ++i) {
      const std::string k = key_text(i);
      table.expire(static_cast<TimeUs>(i / 100));
      const Slot s = table.find_or_insert(spec.shared_hashes ? i % 7 : hash_bytes(k), k, static_cast<TimeUs>(i % 11));
      table.as<std::uint64_t>(s) = i;
      if (i % 2 == 0) table.set_blob(s, "blob of " + k);
    }
    const std::vector<Change> changes = changes_of(table);
    KeyedTable bulk(spec), single(spec);
    ASSERT_TRUE(bulk.restore(stored_changes(changes)));
    for (const Change& c : changes) ASSERT_TRUE(single.restore(c.hash, c.key, c.value));
    EXPECT_EQ(bulk.loading(), !spec.timed && spec.ttl_us == 0);
    ASSERT_EQ(bulk.size(), 3000U);
    for (const Change& c : changes) {
      const Slot b = bulk.find(c.hash, c.key), s = single.find(c.hash, c.key);
      ASSERT_NE(b, kNoSlot);
      EXPECT_EQ(bulk.as<std::uint64_t>(b), single.as<std::uint64_t>(s));
      EXPECT_EQ(bulk.blob(b), single.blob(s));
      EXPECT_EQ(bulk.time(b), single.time(s));
      EXPECT_EQ(bulk.hash(b), c.hash);
    }
    EXPECT_EQ(bulk.find(1, "never there"), kNoSlot);
    if (spec.timed) {
      std::vector<Slot> due;
      bulk.due(4, due);
      std::vector<std::uint64_t> order;
      for (const Slot s : due) order.push_back(bulk.as<std::uint64_t>(s));
      due.clear();
      single.due(4, due);
      std::vector<std::uint64_t> want;
      for (const Slot s : due) want.push_back(single.as<std::uint64_t>(s));
      EXPECT_EQ(order, want);
    }
    bulk.erase(bulk.find(changes[5].hash, changes[5].key));
    EXPECT_EQ(changes_of(bulk).size(), 1U) << "an entry that came back is persisted: its end is told";
    EXPECT_EQ(bulk.memory_bytes() / bulk.size() < 300, true);
  }
}

// A table whose entries still come is like one that has them all: whatever is done to it, on each of three shards, and however far the loading has come.
TEST(KeyedTable, WhatStillComesIsThereWhenItIsLookedFor) {
  for (const std::uint32_t shards : {1U, 3U}) {
    std::mt19937_64 random(shards);
    std::vector<Change> stored;
    std::map<std::string, std::string> truth;
    for (std::uint64_t i = 0; i < 20000; ++i) {
      const std::string k = key_text(random() % 15000);
      const bool deleted = i % 3 == 0;
      stored.push_back({.hash = hash_bytes(k), .key = k, .value = deleted ? "" : "fixed..." + std::to_string(i), .deleted = deleted});
      if (deleted) truth.erase(k);
      else truth[k] = std::to_string(i);
    }
    std::vector<std::unique_ptr<KeyedTable>> tables;
    for (std::uint32_t s = 0; s < shards; ++s) {
      tables.push_back(std::make_unique<KeyedTable>(TableSpec{.name = "t", .fixed_width = 8}));
      ASSERT_TRUE(tables.back()->restore(stored_changes(stored, s, shards)));
      EXPECT_EQ(tables.back()->memory_bytes() < 1000, true) << "nothing has come yet";
    }
    std::map<std::string, std::string> changed;   // "" is the end of an entry
    for (int step = 0; step < 4000; ++step) {
      const std::string k = key_text(random() % 16000);
      const std::uint64_t hash = hash_bytes(k);
      KeyedTable& t = *tables[shard_of(hash, shards)];
      const Slot slot = t.find(hash, k);
      const auto want = truth.find(k);
      ASSERT_EQ(slot != kNoSlot, want != truth.end());
      if (slot != kNoSlot) ASSERT_EQ(t.blob(slot), want->second);
      if (slot != kNoSlot && random() % 2 == 0) {
        t.erase(slot);
        truth.erase(k);
        changed[k] = "";
      } else {
        t.set_blob(t.find_or_insert(hash, k), "step " + std::to_string(step));
        changed[k] = truth[k] = "step " + std::to_string(step);
      }
      if (step % 100 == 0) t.load(1000);
    }
    std::map<std::string, std::string> all, told;
    for (const auto& t : tables) {
      t->for_each([&](Slot s) { all[std::string(t->key(s))] = t->blob(s); });
      EXPECT_FALSE(t->loading());
      for (const Change& c : changes_of(*t)) told[c.key] = c.deleted ? "" : c.value.substr(8);
    }
    EXPECT_EQ(all, truth);
    EXPECT_EQ(tables[0]->size(), static_cast<std::size_t>(std::ranges::count_if(truth, [&](const auto& e) { return shard_of(hash_bytes(e.first), shards) == 0; })));
    std::erase_if(changed, [&](const auto& c) { return c.second.empty() && !told.contains(c.first); });   // came and went between two cuts
    EXPECT_EQ(told, changed);
  }
}

TEST(KeyedTable, RefusesAShortValue) {
  KeyedTable table({.name = "t", .fixed_width = 8});
  EXPECT_EQ(table.restore(1, "k", "abc").error().code, ErrorCode::kDamaged);
  EXPECT_EQ(table.restore(stored_changes({{.hash = 1, .key = "k", .value = "abc"}})).error().code, ErrorCode::kDamaged);
}

// The one that does not fit may come late.
TEST(KeyedTable, AnEntryThatDoesNotComeBackIsDamageForGood) {
  std::vector<Change> stored;
  for (std::uint64_t i = 0; i < 5000; ++i) stored.push_back({.hash = i << 50, .key = key_text(i), .value = i == 4500 ? "short" : "long enough"});
  KeyedTable table({.name = "t", .fixed_width = 8});
  ASSERT_TRUE(table.restore(stored_changes(std::move(stored))));
  EXPECT_NE(table.find(0, key_text(0)), kNoSlot);
  EXPECT_FALSE(table.damage());
  while (table.loading()) table.load(1);
  ASSERT_TRUE(table.damage());
  EXPECT_EQ(table.damage()->code, ErrorCode::kDamaged);
  EXPECT_EQ(table.size(), 4999U);
}

TEST(OrderedTable, PopsInTimeThenArrivalAndRestoresWhatIsLeft) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    OrderedTable table({.kind = TableSpec::Kind::kOrdered, .name = "o"});
    std::map<std::pair<TimeUs, int>, std::string> truth;
    std::map<std::pair<std::uint64_t, std::string>, std::string> journal;
    TimeUs popped = 0;
    for (int step = 0; step < 3000; ++step) {
      const TimeUs t = popped + 1 + static_cast<TimeUs>(random() % 50);
      truth[{t, step}] = "row" + std::to_string(step);
      table.insert(t, hash_u64(static_cast<std::uint64_t>(step)), "row" + std::to_string(step));
      if (random() % 20 == 0) {
        popped += static_cast<TimeUs>(random() % 30);
        std::vector<std::string> got;
        table.pop_until(popped, [&](TimeUs, std::uint64_t, std::string_view b) { got.emplace_back(b); });
        std::vector<std::string> want;
        while (!truth.empty() && truth.begin()->first.first <= popped) {
          want.push_back(truth.begin()->second);
          truth.erase(truth.begin());
        }
        ASSERT_EQ(got, want);
      }
      if (random() % 70 == 0) {
        std::vector<Change> changes = changes_of(table);
        for (auto& c : changes) {
          if (c.deleted) ASSERT_EQ(journal.erase({c.hash, c.key}), 1U);
          else journal[{c.hash, c.key}] = c.value;
        }
      }
    }
    std::vector<Change> changes = changes_of(table);
    for (auto& c : changes) {
      if (c.deleted) journal.erase({c.hash, c.key});
      else journal[{c.hash, c.key}] = c.value;
    }
    OrderedTable restored({.kind = TableSpec::Kind::kOrdered, .name = "o"});
    for (const auto& [k, v] : journal) ASSERT_TRUE(restored.restore(k.first, k.second, v));
    std::vector<std::string> got;
    restored.pop_until(kTimeMax, [&](TimeUs, std::uint64_t, std::string_view b) { got.emplace_back(b); });
    std::vector<std::string> want;
    for (const auto& [k, v] : truth) want.push_back(v);
    ASSERT_EQ(got, want);
  }
}

// Tables with shared hashes cost the same per key whatever they hold only if keys of every size lie apart, in the place's low bits (the group) and its high ones (the tag).
TEST(PlaceHash, KeysOfEverySizeLieApart) {
  constexpr std::size_t kKeys = 4096;
  for (std::size_t size = 2; size <= 70; ++size) {
    for (const std::size_t at : {std::size_t{0}, (size - 2) / 2, size - 2}) {
      std::set<std::uint64_t> places;
      std::vector<std::size_t> groups(kKeys / 8), tags(128);
      for (std::size_t i = 0; i < kKeys; ++i) {
        std::string key(size, 'k');
        key[at] = static_cast<char>(i & 255);
        key[at + 1] = static_cast<char>(i >> 8);
        const std::uint64_t place = place_hash(key);
        places.insert(place);
        ++groups[place % groups.size()];
        ++tags[place >> 57];
      }
      ASSERT_EQ(places.size(), kKeys) << "size " << size << " at " << at;
      ASSERT_LT(std::ranges::max(groups), 40U) << "size " << size << " at " << at << ": 8 on average";
      ASSERT_LT(std::ranges::max(tags), 120U) << "size " << size << " at " << at << ": 32 on average";
    }
  }
}

}  // namespace
}  // namespace supyo::state
