#pragma once
#include <atomic>
#include <charconv>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/hash.h"
#include "engine/dataflow/source.h"
#include "testkit/rows.h"

namespace supyo::testkit {

/// What a scripted source's splits hold, and how much of it may be read yet. Outlives sources and readers; the limits may be moved by another
/// thread while a job reads.
class Script {
 public:
  struct Item {
    TestRow row;
    bool dead = false;   ///< could not be decoded
  };
  struct Part {
    std::string id;
    std::vector<Item> items;
    std::atomic<std::size_t> limit{SIZE_MAX};        ///< items from here on are not there yet
    std::atomic<bool> unreachable{false};            ///< nobody answers for it
    std::atomic<std::int64_t> acknowledged{0};       ///< last position that the job acknowledged
    std::atomic<std::size_t> read{0};
  };

  explicit Script(bool bounded) : bounded_(bounded) {}
  Part& add(std::string id, const std::vector<TestRow>& rows) {
    Part& p = parts_.emplace_back();
    p.id = std::move(id);
    for (const TestRow& r : rows) p.items.push_back({.row = r});
    return p;
  }
  bool bounded() const { return bounded_; }
  std::deque<Part>& parts() { return parts_; }
  std::atomic<bool> outside_is_down{false};          ///< poll answers kBlockedOnOutside
  std::atomic<int> failures_to_come{0};              ///< poll fails with kOutsideUnavailable so many times

 private:
  bool bounded_;
  std::deque<Part> parts_;
};

/// Reads a script in batches of sizes that a seed draws.
class ScriptedSource final : public dataflow::Source {
 public:
  ScriptedSource(Script& script, std::uint64_t seed) : script_(script), seed_(seed) {}
  std::string_view name() const override { return "scripted"; }
  bool bounded() const override { return script_.bounded(); }
  Result<std::vector<dataflow::Split>> splits() override {
    std::vector<dataflow::Split> out;
    for (const auto& p : script_.parts()) out.push_back({.id = p.id, .position = {}});
    return out;
  }
  Result<std::unique_ptr<dataflow::SourceReader>> open(std::vector<dataflow::Split> splits, const env::Env& env) override {
    return std::make_unique<Reader>(script_, std::move(splits), env, seed_);
  }

 private:
  class Reader final : public dataflow::SourceReader {
   public:
    Reader(Script& script, std::vector<dataflow::Split> splits, const env::Env& env, std::uint64_t seed) : script_(script), env_(env), random_(seed + 1) {
      for (auto& s : splits) {
        for (auto& p : script.parts())
          if (p.id == s.id) mine_.push_back({&p, s.position.empty() ? 0 : std::stoull(s.position)});
        random_ = hash_combine(random_, hash_bytes(s.id));
      }
    }

    Result<dataflow::Poll> poll(std::size_t budget, dataflow::SourceOutput& out) override {
      if (script_.outside_is_down) return dataflow::Poll::blocked_on_outside();
      if (script_.failures_to_come > 0) {
        --script_.failures_to_come;
        return fail(ErrorCode::kOutsideUnavailable, "the scripted source is away");
      }
      random_ = hash_u64(random_ + 0x9e3779b97f4a7c15ULL);
      bool any = false;
      bool ended = true;
      for (std::size_t i = 0; i < mine_.size(); ++i) {
        const std::size_t at = (random_ + i) % mine_.size();
        Mine& m = mine_[at];
        const std::size_t end = std::min(m.part->limit.load(), m.part->items.size());
        ended &= script_.bounded() && m.next == m.part->items.size();
        if (m.part->unreachable) {
          out.unreachable(static_cast<std::uint32_t>(at));
          ended = false;
          continue;
        }
        if (m.next >= end) {
          out.quiet(static_cast<std::uint32_t>(at));
          continue;
        }
        if (any) continue;
        any = true;
        SUPYO_TRY(give(m, static_cast<std::uint32_t>(at), std::min(end - m.next, 1 + (random_ >> 20) % std::max<std::size_t>(budget, 1)), out));
      }
      if (any) return dataflow::Poll::more();
      return ended ? dataflow::Poll::done() : dataflow::Poll::blocked_on_input();
    }

    std::vector<dataflow::SplitPosition> positions() const override {
      std::vector<dataflow::SplitPosition> out;
      for (const Mine& m : mine_) out.push_back({.split_id = m.part->id, .position = std::to_string(m.next)});
      return out;
    }
    Status committed(Epoch, const std::vector<dataflow::SplitPosition>& positions) override {
      for (const auto& p : positions)
        for (const Mine& m : mine_)
          if (m.part->id == p.split_id) m.part->acknowledged = std::stoll(p.position);
      return ok();
    }
    std::vector<dataflow::SplitLag> lags() override {
      std::vector<dataflow::SplitLag> out;
      for (std::size_t i = 0; i < mine_.size(); ++i) {
        const std::size_t end = std::min(mine_[i].part->limit.load(), mine_[i].part->items.size());
        out.push_back({.split = static_cast<std::uint32_t>(i), .committed = end - static_cast<std::size_t>(mine_[i].part->acknowledged.load()), .fetched = end - mine_[i].next});
      }
      return out;
    }

   private:
    struct Mine {
      Script::Part* part;
      std::size_t next;
    };

    static Status give(Mine& m, std::uint32_t split, std::size_t count, dataflow::SourceOutput& out) {
      std::vector<TestRow> rows;
      dataflow::SourceBatch batch{.split = split, .batch = nullptr, .produce_us = {}};
      for (std::size_t i = 0; i < count; ++i, ++m.next) {
        const Script::Item& item = m.part->items[m.next];
        if (item.dead) {
          SUPYO_TRY(out.dead({.split = split, .position = m.part->id + "@" + std::to_string(m.next), .field = "v", .reason = "MALFORMED_RECORD", .raw = "?", .produce_us = item.row.produced}));
          continue;
        }
        rows.push_back(item.row);
        batch.produce_us.push_back(item.row.produced);
      }
      m.part->read = m.next;
      if (rows.empty()) return ok();
      batch.batch = batch_of(rows);
      return out.emit(std::move(batch));
    }

    Script& script_;
    env::Env env_;
    std::uint64_t random_;
    std::vector<Mine> mine_;
  };

  Script& script_;
  std::uint64_t seed_;
};

}  // namespace supyo::testkit
