#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fault_point.h"
#include "core/env/env.h"
#include "data/types/batch.h"
#include "data/types/changelog.h"
#include "engine/dataflow/event.h"

namespace supyo::dataflow {

/// Who writes: a sink stores this with its commits so that a restart (or a stranger) finds out what is already there.
struct JobIdentity {
  std::string job_id;    ///< UUID born with the state directory
  std::string sink_id;   ///< stable name of the sink within the job: "lake.db.t"
};

/// What prepare hands over. With it (and the epoch's staged bytes, which it may contain) the commit can be finished after a crash.
using CommitHandle = std::string;

enum class CommitOutcome : std::uint8_t {
  kPending,      ///< poll again
  kVisibleNow,   ///< this call made it visible
  kWasVisible,   ///< an earlier attempt already had
  kUnknown,      ///< the outside system did not answer clearly: look again; never treated as failed
};
struct PolledCommit {
  CommitOutcome outcome = CommitOutcome::kPending;
  Poll poll = Poll::more();      ///< with kPending: what to wait for
};
struct PolledPrepare {
  bool done = false;
  CommitHandle handle;           ///< when done; empty = this shard wrote nothing in the epoch
  Poll poll = Poll::more();      ///< when not done: what to wait for
};

/// One shard's writer. Rows written after begin_prepare(e) belong to e + 1, also while e is still being prepared. One thread, never blocks.
class SinkWriter {
 public:
  virtual ~SinkWriter() = default;
  virtual Status write(const BatchPtr& batch, Epoch epoch) = 0;
  /// The watermark of the rows so far; told before each begin_prepare, kTimeMax when the input has ended.
  virtual void watermark(TimeUs us) { (void)us; }
  /// The job ends after the next barrier (input exhausted, stop or drain): nothing will be written after it, so close what is open.
  virtual Status closing() { return ok(); }
  /// The cut: what was written so far is epoch `e`.
  virtual Status begin_prepare(Epoch e) = 0;
  /// Polled until done: everything of `e` is durable in the outside system but invisible, or is inside the handle.
  virtual Result<PolledPrepare> poll_prepare(Epoch e) = 0;
};

/// Makes epochs visible. One a job and sink, on the coordinator; epochs come in order, e + 1 only after e was committed.
class SinkCommitter {
 public:
  virtual ~SinkCommitter() = default;
  /// Starts or continues the commit of the handles of all shards. Idempotent; called again after a crash with the journal's handles.
  virtual Result<PolledCommit> poll_commit(Epoch e, const std::vector<CommitHandle>& handles) = 0;
  /// After recovery: everything of this job beyond epoch `last` is not wanted; remove what was prepared for it.
  virtual Status abandon_after(Epoch last) { (void)last; return ok(); }
};

struct SinkOpen {
  const env::Env& env;
  const FaultPoints& faults;
  JobIdentity job;
  std::uint32_t shards = 1;
  Epoch last_final;              ///< last epoch in the journal; 0 for a new job
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual std::string_view name() const = 0;
  virtual DeliveryGuarantee guarantee() const = 0;
  /// Readers have a row when write() has returned, or as soon as the outside system has it, and do not wait for its epoch.
  virtual bool readable_as_written() const { return false; }
  virtual Result<std::unique_ptr<SinkCommitter>> open_committer(const SinkOpen& open) = 0;   ///< called first; kSinkOfOtherJob
  virtual Result<std::unique_ptr<SinkWriter>> open_writer(const SinkOpen& open, std::uint32_t shard) = 0;
};

}  // namespace supyo::dataflow
