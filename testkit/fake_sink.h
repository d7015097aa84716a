#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "engine/dataflow/sink.h"
#include "testkit/rows.h"

namespace supyo::testkit {

/// An outside table: it survives whatever happens to the job. Thread-safe.
class FakeTable {
 public:
  /// What the outside system does when it is asked to commit `epoch`; null = commits at once.
  enum class Answer { kCommit, kCommitButSayNothing, kNotYet, kUnknown, kFail };
  std::function<Answer(Epoch epoch, TimeUs now_us)> on_commit;
  std::function<bool(Epoch epoch)> prepared = nullptr;   ///< false: poll_prepare is not done yet
  std::function<Status(Epoch epoch)> on_write = nullptr;
  bool as_written = false;       ///< says that readers have rows as they are written
  bool forgets_epochs = false;   ///< planted bug: applies a handle again when it comes again

  std::vector<std::string> rows() const {
    const std::scoped_lock lock(mutex_);
    return rows_;
  }
  std::vector<Epoch> epochs() const {
    const std::scoped_lock lock(mutex_);
    return epochs_;
  }
  std::size_t size() const {
    const std::scoped_lock lock(mutex_);
    return rows_.size();
  }

  dataflow::CommitOutcome commit(Epoch e, const std::vector<dataflow::CommitHandle>& handles) {
    const std::scoped_lock lock(mutex_);
    if (e <= last_ && !forgets_epochs) return dataflow::CommitOutcome::kWasVisible;
    SUPYO_CHECK(e > last_ || forgets_epochs);
    last_ = e;
    epochs_.push_back(e);
    for (const auto& h : handles) {
      ByteReader r(h);
      while (!r.done()) rows_.emplace_back(r.text());
      SUPYO_CHECK(!r.failed());
    }
    return dataflow::CommitOutcome::kVisibleNow;
  }
  bool has(Epoch e) const {
    const std::scoped_lock lock(mutex_);
    return e <= last_ && !forgets_epochs;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> rows_;
  std::vector<Epoch> epochs_;
  Epoch last_;
};

/// Exactly once by staging: the rows of an epoch are in its handle, and the table knows the last epoch that it has.
class FakeSink final : public dataflow::Sink {
 public:
  FakeSink(FakeTable& table, std::string name) : table_(table), name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  DeliveryGuarantee guarantee() const override { return DeliveryGuarantee::kExactlyOnce; }
  bool readable_as_written() const override { return table_.as_written; }
  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen& open) override { return std::make_unique<Committer>(table_, open.env); }
  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen&, std::uint32_t) override { return std::make_unique<Writer>(table_); }

 private:
  class Writer final : public dataflow::SinkWriter {
   public:
    explicit Writer(FakeTable& table) : table_(table) {}
    Status write(const BatchPtr& batch, Epoch epoch) override {
      if (table_.on_write) SUPYO_TRY(table_.on_write(epoch));
      ByteWriter w(staged_[epoch.value]);
      for (const std::string& line : lines_of(*batch)) w.text(line);
      return ok();
    }
    Status begin_prepare(Epoch) override { return ok(); }
    Result<dataflow::PolledPrepare> poll_prepare(Epoch e) override {
      if (table_.prepared && !table_.prepared(e)) return dataflow::PolledPrepare{.done = false, .handle = {}, .poll = dataflow::Poll::blocked_on_outside()};
      dataflow::PolledPrepare out{.done = true, .handle = std::move(staged_[e.value])};
      staged_.erase(e.value);
      SUPYO_CHECK(staged_.empty() || staged_.begin()->first == e.value + 1);
      return out;
    }

   private:
    FakeTable& table_;
    std::map<std::int64_t, std::string> staged_;
  };

  class Committer final : public dataflow::SinkCommitter {
   public:
    Committer(FakeTable& table, const env::Env& env) : table_(table), env_(env) {}
    Result<dataflow::PolledCommit> poll_commit(Epoch e, const std::vector<dataflow::CommitHandle>& handles) override {
      using dataflow::CommitOutcome;
      const auto answer = table_.on_commit && !table_.has(e) ? table_.on_commit(e, env_.clock.now_us()) : FakeTable::Answer::kCommit;
      switch (answer) {
        case FakeTable::Answer::kCommit: return dataflow::PolledCommit{.outcome = table_.commit(e, handles)};
        case FakeTable::Answer::kCommitButSayNothing:
          table_.commit(e, handles);
          return dataflow::PolledCommit{.outcome = CommitOutcome::kUnknown};
        case FakeTable::Answer::kNotYet: return dataflow::PolledCommit{.outcome = CommitOutcome::kPending, .poll = dataflow::Poll::waiting_until(env_.clock.now_us() + kMillisecond)};
        case FakeTable::Answer::kUnknown: return dataflow::PolledCommit{.outcome = CommitOutcome::kUnknown};
        case FakeTable::Answer::kFail: break;
      }
      return fail(ErrorCode::kOutsideUnavailable, "the fake table is away");
    }

   private:
    FakeTable& table_;
    env::Env env_;
  };

  FakeTable& table_;
  std::string name_;
};

}  // namespace supyo::testkit
