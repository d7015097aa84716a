#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "data/state/spill_space.h"
#include "data/state/spill_store.h"
#include "data/state/stored_changes.h"
#include "data/state/tables.h"

namespace supyo::state {
namespace {

constexpr std::size_t kTiny = 4096;

class Spill : public ::testing::Test {
 protected:
  std::string directory_ = ::testing::TempDir() + "supyo-spill-" + std::to_string(::getpid()) + "/" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
  void TearDown() override { std::filesystem::remove_all(std::filesystem::path(directory_).parent_path()); }
};

std::string key_text(std::uint64_t n) { return (n % 3 == 0 ? "a rather long key, number " : "k") + std::to_string(n); }
std::uint64_t hash_of(const TableSpec& spec, const std::string& key) { return spec.shared_hashes ? hash_bytes(key) % 7 : hash_bytes(key); }

void expect_equal(const std::vector<Change>& a, const std::vector<Change>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].hash, b[i].hash);
    EXPECT_EQ(a[i].key, b[i].key);
    EXPECT_EQ(a[i].value, b[i].value);
    EXPECT_EQ(a[i].deleted, b[i].deleted);
  }
}
std::vector<Change> changes_of(KeyedTable& table) {
  EncodedChanges encoded;
  table.take_changes(encoded);
  return to_list(encoded);
}
std::vector<std::string> contents(KeyedTable& table, bool slots = true) {
  std::vector<std::string> out;
  table.for_each([&](Slot s) {
    out.push_back((slots ? std::to_string(s) : "") + "/" + std::to_string(table.hash(s)) + "/" + std::string(table.key(s)) + "/" + std::to_string(table.as<std::int64_t>(s)) + "/" +
                  std::string(table.blob(s)) + "/" + std::to_string(table.time(s)));
  });
  return out;
}

/// The same operations on a table in memory and on one that may hold a few kilobytes: they may differ in nothing that can be seen, slots and the order of changes included.
void compare(const TableSpec& spec, unsigned seed, const std::string& directory) {
  std::mt19937_64 random(seed);
  SpillSpace space(directory, kTiny);
  KeyedTable truth(spec), spilled(spec, &space);
  const auto both = [&](auto what) {
    const auto a = what(truth);
    const auto b = what(spilled);
    ASSERT_EQ(a, b);
  };
  TimeUs now = 0;
  for (int step = 0; step < 2000 && !::testing::Test::HasFailure(); ++step) {
    const std::string key = key_text(random() % 500);
    const std::uint64_t hash = hash_of(spec, key);
    const auto time = static_cast<TimeUs>(random() % 40);
    const std::string blob(random() % 200 == 0 ? 40000 : random() % 60, static_cast<char>('a' + step % 26));
    switch (random() % 12) {
      case 0: case 1: case 2:
        both([&](KeyedTable& t) {
          const Slot s = t.find_or_insert(hash, key, time);
          t.as<std::int64_t>(s) += step;
          t.touch(s);
          return s;
        });
        break;
      case 3: case 4:
        both([&](KeyedTable& t) {
          const Slot s = t.find_or_insert(hash, key, time);
          t.set_blob(s, blob);
          return s;
        });
        break;
      case 5: case 6:
        both([&](KeyedTable& t) {
          const Slot s = t.find(hash, key);
          return s == kNoSlot ? std::string() : std::to_string(t.as<std::int64_t>(s)) + std::string(t.blob(s));
        });
        break;
      case 7:
        both([&](KeyedTable& t) {
          const Slot s = t.find(hash, key);
          if (s != kNoSlot) t.erase(s);
          return t.size();
        });
        break;
      case 8: {
        std::vector<std::string> text;
        for (int i = 0; i < 50; ++i) text.push_back(key_text(random() % 500));
        std::vector<std::uint64_t> hashes;
        for (const std::string& t : text) hashes.push_back(hash_of(spec, t));
        const std::vector<std::string_view> keys(text.begin(), text.end());
        const std::vector<TimeUs> times(text.size(), time);
        std::vector<std::uint8_t> inserted(text.size());
        const bool insert = random() % 2 == 0;
        both([&](KeyedTable& t) {
          std::vector<Slot> slots(text.size());
          if (insert) t.find_or_insert(hashes, keys, spec.timed ? std::span(times) : std::span<const TimeUs>(), slots, inserted);
          else t.find(hashes, keys, slots);
          return slots;
        });
        break;
      }
      case 9:
        if (random() % 4 == 0) both([](KeyedTable& t) { return contents(t); });
        break;
      case 10:
        now += static_cast<TimeUs>(random() % 5);
        both([&](KeyedTable& t) {
          std::vector<std::string> gone;
          t.expire(now, [&](Slot s) { gone.emplace_back(t.key(s)); });
          if (!spec.timed) return gone;
          std::vector<Slot> due;
          gone.push_back(std::to_string(t.next_due()));
          t.due(static_cast<TimeUs>(step / 100), due);
          for (const Slot s : due) {
            gone.emplace_back(t.key(s));
            t.erase(s);
          }
          return gone;
        });
        break;
      default:
        if (random() % 8 == 0) {
          truth.forget_changes();
          spilled.forget_changes();
        } else if (random() % 2 == 0) {
          expect_equal(changes_of(truth), changes_of(spilled));
        }
    }
    if (random() % 3 == 0) {
      space.make_room();
      ASSERT_LE(spilled.record_bytes(), kTiny);
    }
  }
  both([](KeyedTable& t) { return contents(t); });
  EXPECT_TRUE(std::filesystem::exists(directory)) << "nothing was ever spilled";
}

TEST_F(Spill, EqualsATableInMemoryWhateverIsDone) {
  for (unsigned seed = 1; seed <= 3; ++seed)
    for (const TableSpec& spec : {TableSpec{.name = "plain", .fixed_width = 8}, TableSpec{.name = "timed", .fixed_width = 8, .timed = true}, TableSpec{.name = "ttl", .fixed_width = 8, .ttl_us = 30},
                                  TableSpec{.name = "shared", .fixed_width = 8, .shared_hashes = true}, TableSpec{.name = "both", .fixed_width = 8, .timed = true, .shared_hashes = true}}) {
      SCOPED_TRACE(spec.name + " " + std::to_string(seed));
      compare(spec, seed, directory_);
      ASSERT_FALSE(::testing::Test::HasFailure());
      ASSERT_FALSE(std::filesystem::exists(directory_)) << "scratch that stays";
    }
}

// What one backend gave to the journal the other takes back, in bulk and one by one, and from there on they are equal.
TEST_F(Spill, WhatEitherGaveTheOtherTakesBack) {
  for (const TableSpec& spec : {TableSpec{.name = "plain", .fixed_width = 8}, TableSpec{.name = "timed", .fixed_width = 8, .timed = true}, TableSpec{.name = "ttl", .fixed_width = 8, .ttl_us = 100},
                                TableSpec{.name = "shared", .fixed_width = 8, .shared_hashes = true}}) {
    SCOPED_TRACE(spec.name);
    SpillSpace first(directory_ + "-first", kTiny);
    std::vector<Change> changes;
    {
      OperatorState state({.tables = {spec}}, &first);
      for (std::uint64_t i = 0; i < 3000; ++i) {
        ASSERT_TRUE(state.call([&]() -> Status {
          KeyedTable& t = state.keyed(0);
          const std::string k = key_text(i);
          t.expire(static_cast<TimeUs>(i / 100));
          const Slot s = t.find_or_insert(hash_of(spec, k), k, static_cast<TimeUs>(i % 11));
          t.as<std::uint64_t>(s) = i;
          if (i % 2 == 0) t.set_blob(s, "blob of " + k);
          return ok();
        }));
        ASSERT_LE(state.keyed(0).record_bytes(), kTiny);
      }
      EncodedChanges encoded;
      state.take_changes(0, encoded);
      changes = to_list(encoded);
      ASSERT_EQ(changes.size(), 3000U);
    }
    SpillSpace second(directory_ + "-second", kTiny);
    OperatorState memory({.tables = {spec}}), lazy({.tables = {spec}}, &second), single({.tables = {spec}}, &second);
    for (OperatorState* s : {&memory, &lazy}) ASSERT_TRUE(s->restore(0, stored_changes(changes)));
    for (const Change& c : changes) ASSERT_TRUE(single.call([&] { return single.keyed(0).restore(c.hash, c.key, c.value); }));
    // Some are asked for before all are back.
    for (std::uint64_t i = 0; i < 3000; i += 100)
      for (OperatorState* s : {&memory, &lazy, &single})
        ASSERT_TRUE(s->call([&]() -> Status {
          KeyedTable& t = s->keyed(0);
          const Slot slot = t.find(hash_of(spec, key_text(i)), key_text(i));
          EXPECT_NE(slot, kNoSlot);
          if (slot != kNoSlot) EXPECT_EQ(t.as<std::uint64_t>(slot), i);
          return ok();
        }));
    EXPECT_LE(second.used(), kTiny);
    const auto sorted = [](OperatorState& s) {
      auto all = contents(s.keyed(0), false);
      std::ranges::sort(all);
      return all;
    };
    EXPECT_EQ(sorted(memory), sorted(lazy));
    EXPECT_EQ(sorted(memory), sorted(single));
    EXPECT_LE(second.used(), kTiny);
    if (spec.timed) {
      std::vector<std::string> orders;
      for (OperatorState* s : {&memory, &lazy, &single}) {
        std::vector<Slot> due;
        s->keyed(0).due(7, due);
        std::string& order = orders.emplace_back();
        for (const Slot slot : due) order += std::string(s->keyed(0).key(slot)) + " ";
      }
      EXPECT_EQ(orders[0], orders[1]);
      EXPECT_EQ(orders[0], orders[2]);
    }
  }
}

// A table that holds an address keeps it through a call, whatever other tables need.
TEST_F(Spill, NothingGoesDuringACall) {
  SpillSpace space(directory_, kTiny);
  OperatorState mine({.tables = {{.name = "mine", .fixed_width = 8}}}, &space), other({.tables = {{.name = "other", .fixed_width = 8}}}, &space);
  ASSERT_TRUE(mine.call([&]() -> Status {
    KeyedTable& t = mine.keyed(0);
    const Slot s = t.find_or_insert(1, "held");
    auto& held = t.as<std::int64_t>(s);
    for (std::uint64_t i = 0; i < 1000; ++i) SUPYO_TRY(other.call([&]() -> Status {
      other.keyed(0).find_or_insert(hash_u64(i), key_text(i));
      return ok();
    }));
    held = 42;
    EXPECT_EQ(&held, &t.as<std::int64_t>(s));
    EXPECT_GT(t.record_bytes(), 0U);
    return ok();
  }));
  ASSERT_TRUE(mine.call([&]() -> Status {
    EXPECT_EQ(mine.keyed(0).as<std::int64_t>(mine.keyed(0).find(1, "held")), 42);
    return ok();
  }));
  EXPECT_LE(space.used(), kTiny);
}

/// Bytes that do not compress.
std::string noise(std::uint64_t seed, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) {
    seed = hash_u64(seed + 1);
    out.append(reinterpret_cast<const char*>(&seed), sizeof seed);
  }
  return out;
}
Status keep(OperatorState& state, std::uint64_t i) {
  return state.call([&]() -> Status {
    KeyedTable& t = state.keyed(0);
    t.set_blob(t.find_or_insert(hash_u64(i), key_text(i)), noise(i, 500));
    return ok();
  });
}

// A disk that does not do what it should ends the call with an error that says so; never zeros, never an old value.
TEST_F(Spill, ADiskThatDoesNotWriteIsAnErrorOfTheCall) {
  std::filesystem::create_directories(std::filesystem::path(directory_).parent_path());
  std::ofstream(directory_) << "a file where a directory should be";
  SpillSpace space(directory_ + "/below", kTiny);
  OperatorState state({.tables = {{.name = "t"}}}, &space);
  Status s = ok();
  for (std::uint64_t i = 0; i < 100 && s; ++i) s = keep(state, i);
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error().code, ErrorCode::kIo) << s.error().to_string();
  EXPECT_NE(s.error().message.find("scratch"), std::string::npos);
}

TEST_F(Spill, ADiskThatReadsNoiseIsAnErrorOfTheCall) {
  SpillSpace space(directory_, 256 << 10);
  OperatorState state({.tables = {{.name = "t"}}}, &space);
  const std::uint64_t n = 20000;
  for (std::uint64_t i = 0; i < n; ++i) ASSERT_TRUE(keep(state, i));
  std::size_t broken = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    if (entry.path().extension() != ".sst") continue;
    const std::size_t size = std::filesystem::file_size(entry.path());
    std::fstream(entry.path(), std::ios::in | std::ios::out | std::ios::binary) << noise(1, size);
    ++broken;
  }
  ASSERT_GT(broken, 0U);
  Status s = ok();
  for (std::uint64_t i = 0; i < n && s; ++i)
    s = state.call([&]() -> Status {
      KeyedTable& t = state.keyed(0);
      const Slot slot = t.find(hash_u64(i), key_text(i));
      EXPECT_EQ(t.blob(slot), noise(i, 500));
      return ok();
    });
  ASSERT_FALSE(s) << "noise was read as records";
  EXPECT_EQ(s.error().code, ErrorCode::kDamaged) << s.error().to_string();
}

TEST_F(Spill, AStoreBeginsEmptyWhateverAKilledRunLeft) {
  {
    auto store = SpillStore::create(directory_, 1 << 20);
    ASSERT_TRUE(store);
    (*store)->put(1, 2, "here");
    ASSERT_TRUE((*store)->write());
    EXPECT_EQ((*store)->get(1, 2).value(), "here");
    std::filesystem::copy(directory_, directory_ + "-left", std::filesystem::copy_options::recursive);
  }
  EXPECT_FALSE(std::filesystem::exists(directory_));
  auto store = SpillStore::create(directory_ + "-left", 1 << 20);
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->get(1, 2).error().code, ErrorCode::kDamaged);
}

}  // namespace
}  // namespace supyo::state
