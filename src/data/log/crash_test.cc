// Every crash point of every short history: what was acknowledged is there afterwards, and nothing else is.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "core/env/sim/sim_env.h"
#include "data/log/partition_reader.h"
#include "data/log/partition_writer.h"

namespace supyo::log {
namespace {

/// The record that belongs at `offset`. Different ones are of different lengths, and four of them lie on two pages.
std::string value_of(std::int64_t offset) { return std::string(1100 + static_cast<std::size_t>(offset % 7) * 40, static_cast<char>('a' + offset % 26)); }

RecordBatch record(std::int64_t offset) {
  RecordBatch b;
  b.add(offset, value_of(offset));
  return b;
}

/// The same as a row in columns: its value is the second one.
ColumnarBatch row(std::int64_t offset) {
  ColumnarBatch b{.timestamps = {offset}, .head = "the head", .parts = "column 1" + value_of(offset), .part_bytes = {8}};
  b.parts.resize((b.parts.size() + 7) / 8 * 8, '\0');
  b.part_bytes.push_back(static_cast<std::uint32_t>(b.parts.size() - 8));
  return b;
}

constexpr std::uint64_t kWriter = 7;

/// What the outside may rely on, updated only when a call returned success; `maybe` bounds are what a call under way may have reached.
struct Promise {
  std::int64_t appended = 0;       ///< every record that was ever handed over
  std::int64_t acknowledged = 0;   ///< sync() returned
  std::int64_t published = 0;      ///< publish() returned: another process may have read it
  std::int64_t committed = 0;      ///< commit_epoch() returned
  std::int64_t log_start = 0;
  std::int64_t log_start_maybe = 0;
  std::int64_t epoch = 1;
};

Status apply(char op, PartitionWriter& w, Promise& p) {
  switch (op) {
    case 'A':   // append
    case 'E':   // append, staged for an epoch
    case 'K': { // the same, in columns
      const Transaction t = op == 'A' ? Transaction{} : Transaction{kWriter, Epoch(p.epoch)};
      SUPYO_ASSIGN(const Offset at, op == 'K' ? w.append(row(w.next_offset().value), t) : w.append(record(w.next_offset().value), t));
      EXPECT_EQ(at.value, p.appended);
      p.appended = w.next_offset().value;
      return ok();
    }
    case 'R':   // roll
      SUPYO_TRY(w.roll());
      p.acknowledged = std::max(p.acknowledged, w.synced_end().value);
      return ok();
    case 'S':   // sync
      SUPYO_TRY(w.sync());
      p.acknowledged = w.synced_end().value;
      return ok();
    case 'P':   // publish
      SUPYO_TRY(w.publish());
      p.published = w.synced_end().value;
      return ok();
    case 'D': { // delete all that is committed
      const Offset to = w.committed_end();
      p.log_start_maybe = std::max(p.log_start_maybe, to.value);
      SUPYO_TRY(w.delete_before(to));
      p.log_start = std::max(p.log_start, to.value);
      return ok();
    }
    case 'C': { // prepare and commit an epoch
      SUPYO_TRY(w.sync());
      p.acknowledged = w.synced_end().value;
      SUPYO_TRY(w.commit_epoch({kWriter, Epoch(p.epoch)}, w.next_offset()));
      p.committed = w.next_offset().value;
      ++p.epoch;
      return ok();
    }
    default: ADD_FAILURE(); return ok();
  }
}

struct Machine {
  env::SimEnv sim{1};
  Topic topic;
  std::unique_ptr<PartitionWriter> writer;

  explicit Machine(std::uint64_t zero_ahead) {
    topic = create_topic(sim.env(), "log", "t", {.segment_bytes = 1 << 20}).value();
    writer = PartitionWriter::open(sim.env(), topic, PartitionId(0)).value();
    writer->set_zero_ahead(zero_ahead);
  }
};

std::string verify(Machine& m, const Promise& p, bool read_back_appends) {
  auto reopened = PartitionWriter::open(m.sim.env(), m.topic, PartitionId(0));
  if (!reopened) return "refused: " + reopened.error().to_string();
  PartitionWriter& w = **reopened;
  const std::int64_t end = w.next_offset().value;
  const std::int64_t start = w.log_start().value;
  if (end < p.acknowledged) return fmt::format("lost: ends at {}, acknowledged up to {}", end, p.acknowledged);
  if (end > p.appended) return fmt::format("ends at {}, appended up to {}", end, p.appended);
  if (start < p.log_start || start > p.log_start_maybe) return fmt::format("starts at {}, should be {} to {}", start, p.log_start, p.log_start_maybe);
  if (w.committed_end().value < p.committed) return fmt::format("committed up to {}, was {}", w.committed_end().value, p.committed);
  for (int round = 0; round < (read_back_appends ? 2 : 1); ++round) {
    ReadOptions options{.isolation = Isolation::kReadUncommitted, .columnar = true};
    if (round > 0) options.wanted = [](std::string_view, std::vector<bool>& wanted) { wanted.at(1) = true; };
    auto reader = PartitionReader::open(m.sim.files(), m.topic, PartitionId(0), std::move(options));
    if (!reader) return "no reader: " + reader.error().to_string();
    std::int64_t at = start;
    while (true) {
      const auto frame = reader->next();
      if (!frame) return "unreadable: " + frame.error().to_string();
      if (*frame == nullptr) break;
      for (std::size_t i = (*frame)->first(); i < (*frame)->count(); ++i, ++at)
        if ((*frame)->offset(i).value != at || ((*frame)->columnar() ? (*frame)->parts()[1].substr(0, value_of(at).size()) : (*frame)->value(i)) != value_of(at)) return fmt::format("a record that was never written at {}", at);
    }
    if (at != w.next_offset().value) return fmt::format("readable up to {} of {}", at, w.next_offset().value);
    if (round == 0) {   // and life goes on
      const Transaction t = w.staged().empty() ? Transaction{} : w.staged().back().transaction;
      if (const auto more = w.append(record(w.next_offset().value), t); !more) return "append: " + more.error().to_string();
      if (const auto flushed = w.flush(); !flushed) return "flush: " + flushed.error().to_string();
    }
  }
  return {};
}

/// All histories of up to `length` operations from `alphabet`; power fails before every file operation of the last one, and after it; every outcome for
/// every unsynced page, size and directory entry.
std::uint64_t explore(const std::string& alphabet, std::size_t length, std::uint64_t zero_ahead = 0) {
  std::uint64_t crashes = 0;
  std::vector<std::string> histories{""};
  for (std::size_t l = 0; l < length; ++l) {
    std::vector<std::string> longer;
    for (const std::string& h : histories)
      for (const char op : alphabet) longer.push_back(h + op);
    for (const std::string& h : longer) {
      for (std::uint64_t point = 1;; ++point) {
        bool completed = false;
        env::ExhaustiveChoices all;
        do {
          Machine m(zero_ahead);
          Promise p;
          for (std::size_t i = 0; i + 1 < h.size(); ++i) EXPECT_TRUE(apply(h[i], *m.writer, p)) << h;
          m.sim.files().set_fault_hook(env::fail_nth(point, env::SimFault::kPowerOff));
          completed = apply(h.back(), *m.writer, p).has_value();
          if (!completed && (h.back() == 'A' || h.back() == 'E' || h.back() == 'K')) ++p.appended;   // it may have reached the disk
          m.sim.files().set_fault_hook(nullptr);
          m.sim.files().crash(&all);
          ++crashes;
          const std::string problem = verify(m, p, crashes % 8 == 0);
          if (!problem.empty()) {
            ADD_FAILURE() << "history " << h << ", file operation " << point << " of the last: " << problem;
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

TEST(LogCrash, EveryPointOfEveryShortHistory) {
  const std::uint64_t crashes = explore("ARSPD", 4);
  RecordProperty("crashes", std::to_string(crashes));
  EXPECT_GT(crashes, 10'000U);
}

TEST(LogCrash, EveryPointOfEveryShortHistoryOfEpochs) {
  const std::uint64_t crashes = explore("ERCS", 4);
  EXPECT_GT(crashes, 3'000U);
}

TEST(LogCrash, EveryPointOfEveryShortHistoryOfRowsInColumns) {
  const std::uint64_t crashes = explore("KRC", 3);
  EXPECT_GT(crashes, 200U);
}

/// Two records or three, then zeros up to the next page.
TEST(LogCrash, EveryPointOfEveryShortHistoryWithZerosAhead) {
  const std::uint64_t crashes = explore("ARSP", 3, 6000) + explore("ECS", 3, 6000);
  EXPECT_GT(crashes, 1'000U);
}

/// A longer life with small segments in which the nth file operation fails, for every n, then the machine crashes.
TEST(LogCrash, EveryFailingOperationOfALife) {
  for (const env::SimFault fault : {env::SimFault::kIo, env::SimFault::kDiskFull, env::SimFault::kPowerOff}) {
    for (std::uint64_t n = 1;; ++n) {
      env::SimEnv sim(n);
      const Topic topic = create_topic(sim.env(), "log", "t", {.segment_bytes = 8192, .retention_bytes = 12000}).value();
      Promise p;
      bool failed = false;
      sim.files().set_fault_hook(env::fail_nth(n, fault));
      {
        auto opened = PartitionWriter::open(sim.env(), topic, PartitionId(0));
        failed = !opened;
        for (int i = 0; opened && i < 24; ++i) {
          PartitionWriter& w = **opened;
          const bool staged = i % 8 >= 4;
          const auto at = w.append(record(w.next_offset().value), staged ? Transaction{kWriter, Epoch(i / 8 + 1)} : Transaction{});
          p.appended = std::max(p.appended, w.next_offset().value + (at ? 0 : 1));
          failed = failed || !at;
          if (i % 2 == 1) {
            const auto flushed = w.flush();
            if (flushed) p.acknowledged = w.synced_end().value;
            failed = failed || !flushed;
          }
          if (i % 8 == 7) {
            const auto committed = w.sync() ? w.commit_epoch({kWriter, Epoch(i / 8 + 1)}, w.next_offset()) : fail(ErrorCode::kLogClosed, "");
            if (committed) p.committed = p.acknowledged = w.synced_end().value;
            failed = failed || !committed;
            if (!committed && w.append(record(0), {kWriter, Epoch(9)})) p.appended = w.next_offset().value;
          }
          p.log_start_maybe = std::max(p.log_start_maybe, w.committed_end().value);
          if (i % 5 == 4) failed = failed || !w.retain();
          if (failed) break;
        }
      }
      sim.files().set_fault_hook(nullptr);
      sim.files().crash();
      auto reopened = PartitionWriter::open(sim.env(), topic, PartitionId(0));
      ASSERT_TRUE(reopened) << "operation " << n << ": " << reopened.error().to_string();
      EXPECT_GE((*reopened)->next_offset().value, p.acknowledged) << n;
      EXPECT_LE((*reopened)->next_offset().value, p.appended) << n;
      EXPECT_GE((*reopened)->committed_end().value, p.committed) << n;
      EXPECT_LE((*reopened)->log_start().value, p.log_start_maybe) << n;
      if (!failed) break;
    }
  }
}

}  // namespace
}  // namespace supyo::log
