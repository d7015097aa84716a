#pragma once
// For the tests of this room: a job that writes random epochs, and what its state directory must give back after whatever happened.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/hash.h"
#include "core/env/sim/sim_env.h"
#include "data/state/journal.h"
#include "data/state/snapshot.h"
#include "data/state/stored_changes.h"

namespace supyo::state::testing_journal {

using EntryKey = std::tuple<std::uint32_t, std::uint16_t, std::uint64_t, std::string>;
using State = std::map<EntryKey, std::string>;

inline EpochRecord random_record(Epoch epoch, std::size_t changes, std::size_t value_bytes, env::Random& random) {
  EpochRecord record{.epoch = epoch, .sections = {{.id = 1, .bytes = "epoch " + std::to_string(epoch.value)}, {.id = 9, .bytes = {}}}, .tables = {}};
  for (std::size_t i = 0; i < changes; ++i) {
    TableChanges& t = record.tables.emplace_back();
    t.operator_id = static_cast<std::uint32_t>(random.below(2));
    t.table = static_cast<std::uint16_t>(random.below(2));
    const std::string key = "key " + std::to_string(random.below(40));
    const bool deleted = random.below(4) == 0;
    t.changes.push_back({.hash = hash_bytes(key), .key = key, .value = deleted ? std::string() : std::string(random.below(value_bytes + 1), static_cast<char>('a' + random.below(26))), .deleted = deleted});
  }
  return record;
}

inline void apply(State& state, const EpochRecord& record) {
  for (const TableChanges& t : record.tables) {
    for (const Change& c : t.changes) {
      const EntryKey key{t.operator_id, t.table, c.hash, c.key};
      if (c.deleted) state.erase(key);
      else state[key] = c.value;
    }
  }
}

/// A journal with everything that may legally come back from it.
struct Job {
  static constexpr const char* kDir = "state/job";
  static constexpr const char* kId = "5f3a1b6e-0000-4000-8000-000000000001";

  env::Env env;
  JournalOptions options;
  std::unique_ptr<Journal> journal = nullptr;
  std::unique_ptr<SnapshotBuilder> builder = nullptr;
  std::map<std::int64_t, State> history = {{0, {}}};   // state after every epoch that was ever appended and not disowned since
  std::int64_t acknowledged = 0;
  std::int64_t appended = 0;

  Status open() {
    builder.reset();
    journal.reset();
    SUPYO_ASSIGN(journal, Journal::open(env, kDir, kId, options));
    return ok();
  }

  Status append(std::size_t changes, std::size_t value_bytes) {
    const EpochRecord record = random_record(Epoch(appended + 1 + static_cast<std::int64_t>(env.random.below(2))), changes, value_bytes, env.random);
    State next = history.at(appended);
    apply(next, record);
    // It may be found again even when the call fails: a prefix that holds all of it may have been written.
    history[record.epoch.value] = std::move(next);
    SUPYO_TRY(journal->append(record));
    appended = record.epoch.value;
    return ok();
  }

  Status sync() {
    SUPYO_TRY(journal->sync());
    acknowledged = appended;
    return ok();
  }

  /// Builds a snapshot up to, and with `publish` with, its publication.
  Status snapshot(bool publish) {
    if (!builder) builder = journal->begin_snapshot();
    if (!builder) return ok();
    // Of the polls of so small a snapshot the first reads, the second writes and publishes.
    SUPYO_ASSIGN(bool done, builder->poll(1 << 20));
    while (publish && !done) {
      SUPYO_ASSIGN(done, builder->poll(1 << 20));
    }
    return ok();
  }
  Status end_snapshot() {
    if (!builder) return ok();
    const auto b = std::move(builder);
    return journal->end_snapshot(*b);
  }

  /// After a crash or a restart: opens and checks that nothing acknowledged is lost and nothing else appears; goes on from there.
  void check_recovery() {
    const Status opened = open();
    ASSERT_TRUE(opened) << opened.error().to_string();
    const Recovered& r = journal->recovered();
    ASSERT_GE(r.last.value, acknowledged);
    ASSERT_TRUE(history.contains(r.last.value)) << "epoch " << r.last.value << " never was";
    if (r.last.value > 0) {
      ASSERT_EQ(r.sections.size(), 2U);
      EXPECT_EQ(r.sections[0].bytes, "epoch " + std::to_string(r.last.value));
    }
    for (const std::uint32_t shards : {1U, 3U}) {
      State restored;
      for (std::uint32_t shard = 0; shard < shards; ++shard) {
        EntryKey before;
        bool first = true;
        for_each_stored(*journal, shard, shards, [&](const SnapshotEntry& e, bool where_it_is_looked_for) {
          EXPECT_EQ(shard_of(e.hash, shards), shard);
          EXPECT_TRUE(where_it_is_looked_for);
          EntryKey k{e.operator_id, e.table, e.hash, std::string(e.key)};
          EXPECT_TRUE(first || before < k) << "in order, once each";
          before = k;
          first = false;
          EXPECT_TRUE(restored.emplace(std::move(k), std::string(e.value)).second);
        });
      }
      ASSERT_EQ(restored, history.at(r.last.value)) << "state of epoch " << r.last.value << " on " << shards << " shards";
    }
    appended = acknowledged = r.last.value;   // what came back is final, the rest is gone for good
    history.erase(history.upper_bound(appended), history.end());
  }
};

}  // namespace supyo::state::testing_journal
