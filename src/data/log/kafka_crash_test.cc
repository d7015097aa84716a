// Every crash point of every short history of Kafka producers: nothing acknowledged is lost, and the partition remembers of its producers exactly what it
// still holds of their batches: no duplicate gets in, no next batch is refused, no transaction is forgotten or left hanging.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/env/sim/sim_env.h"
#include "data/log/kafka_test_util.h"
#include "data/log/partition_writer.h"

namespace supyo::log {
namespace {

using namespace testing_util;

constexpr std::int64_t kIdempotent = 1;
constexpr std::int64_t kTransactional = 2;

struct Event {
  char op = 0;            ///< 'K' idempotent batch, 'T' transactional batch, 'X' end of the transaction
  std::int32_t sequence = 0;
  bool commit = false;
};

std::string value_of(std::size_t offset) { return std::string(1100 + offset % 7 * 40, static_cast<char>('a' + offset % 26)); }

std::string batch_of(const Event& e, std::size_t offset) {
  return make_batch({{"k", value_of(offset)}}, {.id = e.op == 'K' ? kIdempotent : kTransactional, .epoch = 0, .sequence = e.sequence, .transactional = e.op == 'T'});
}

/// One offset an event; all of it follows from the list.
struct History {
  std::vector<Event> events;
  std::int64_t acknowledged = 0;

  std::int32_t next_sequence(char op) const {
    return static_cast<std::int32_t>(std::count_if(events.begin(), events.end(), [&](const Event& e) { return e.op == op; }));
  }
  std::int64_t stable() const {
    std::int64_t open = -1;
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (events[i].op == 'T' && open < 0) open = static_cast<std::int64_t>(i);
      if (events[i].op == 'X') open = -1;
    }
    return open < 0 ? static_cast<std::int64_t>(events.size()) : open;
  }
  std::vector<std::int64_t> rows(bool committed) const {
    std::vector<std::int64_t> all;
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (events[i].op == 'X' || (committed && static_cast<std::int64_t>(i) >= stable())) continue;
      const auto end = std::find_if(events.begin() + static_cast<std::ptrdiff_t>(i), events.end(), [](const Event& e) { return e.op == 'X'; });
      if (!committed || events[i].op == 'K' || end->commit) all.push_back(static_cast<std::int64_t>(i));
    }
    return all;
  }
};

Status apply(char op, PartitionWriter& w, History& h) {
  switch (op) {
    case 'K':
    case 'T': {
      const Event e{op, h.next_sequence(op)};
      h.events.push_back(e);   // from here on it may be there
      SUPYO_ASSIGN(const KafkaAppend done, w.append_kafka(batch_of(e, h.events.size() - 1)));
      EXPECT_EQ(done.outcome, KafkaOutcome::kAppended) << done.why;
      return ok();
    }
    case 'X': {
      h.events.push_back({op, 0, h.events.size() % 2 == 0});
      SUPYO_ASSIGN(const KafkaAppend done, w.end_transaction(kTransactional, 0, {.commit = h.events.back().commit}));
      EXPECT_EQ(done.outcome, KafkaOutcome::kAppended);
      return ok();
    }
    case 'R':
      SUPYO_TRY(w.roll());
      h.acknowledged = std::max(h.acknowledged, w.synced_end().value);
      return ok();
    default:
      SUPYO_TRY(w.flush());
      h.acknowledged = w.synced_end().value;
      return ok();
  }
}

std::string verify(env::SimEnv& sim, const Topic& topic, History h) {
  auto reopened = PartitionWriter::open(sim.env(), topic, PartitionId(0));
  if (!reopened) return "refused: " + reopened.error().to_string();
  PartitionWriter& w = **reopened;
  const std::int64_t end = w.next_offset().value;
  if (end < h.acknowledged) return fmt::format("lost: ends at {}, acknowledged up to {}", end, h.acknowledged);
  if (end > static_cast<std::int64_t>(h.events.size())) return fmt::format("ends at {} of {}", end, h.events.size());
  h.events.resize(static_cast<std::size_t>(end));
  if (w.committed_end().value != h.stable()) return fmt::format("stable up to {}, should be {}", w.committed_end().value, h.stable());
  for (const bool committed : {false, true}) {
    const auto rows = read_rows(sim.files(), topic, committed ? Isolation::kReadCommitted : Isolation::kReadUncommitted);
    const auto expected = h.rows(committed);
    if (rows.size() != expected.size()) return fmt::format("{} rows, should be {}", rows.size(), expected.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i].offset != expected[i] || rows[i].value != value_of(static_cast<std::size_t>(expected[i]))) return fmt::format("a wrong record at {}", rows[i].offset);
  }
  for (std::size_t i = 0; i < h.events.size(); ++i) {
    if (h.events[i].op == 'X') continue;
    const auto again = w.append_kafka(batch_of(h.events[i], i));
    if (!again || again->outcome != KafkaOutcome::kDuplicate || again->base.value != static_cast<std::int64_t>(i)) return fmt::format("the batch at {} got in twice", i);
  }
  for (const char op : {'K', 'T'})
    if (const auto next = apply(op, w, h); !next) return "the next batch: " + next.error().to_string();
  return {};
}

std::uint64_t explore(const std::string& alphabet, std::size_t length) {
  std::uint64_t crashes = 0;
  std::vector<std::string> histories{""};
  for (std::size_t l = 0; l < length; ++l) {
    std::vector<std::string> longer;
    for (const std::string& s : histories)
      for (const char op : alphabet) longer.push_back(s + op);
    for (const std::string& s : longer) {
      for (std::uint64_t point = 1;; ++point) {
        bool completed = false;
        env::ExhaustiveChoices all;
        do {
          env::SimEnv sim(1);
          const Topic topic = create_topic(sim.env(), "log", "t", {.segment_bytes = 1 << 20}).value();
          auto writer = PartitionWriter::open(sim.env(), topic, PartitionId(0)).value();
          History h;
          for (std::size_t i = 0; i + 1 < s.size(); ++i) EXPECT_TRUE(apply(s[i], *writer, h)) << s;
          sim.files().set_fault_hook(env::fail_nth(point, env::SimFault::kPowerOff));
          completed = apply(s.back(), *writer, h).has_value();
          sim.files().set_fault_hook(nullptr);
          sim.files().crash(&all);
          ++crashes;
          const std::string problem = verify(sim, topic, h);
          if (!problem.empty()) {
            ADD_FAILURE() << "history " << s << ", file operation " << point << " of the last: " << problem;
            return crashes;
          }
        } while (all.next_round());
        if (completed) break;
      }
    }
    histories = std::move(longer);
  }
  return crashes;
}

TEST(KafkaCrash, EveryPointOfEveryShortHistory) {
  const std::uint64_t crashes = explore("KTXSR", 3) + explore("TXS", 4);
  RecordProperty("crashes", std::to_string(crashes));
  EXPECT_GT(crashes, 2'000U);
}

}  // namespace
}  // namespace supyo::log
