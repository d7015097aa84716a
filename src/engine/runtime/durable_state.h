#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/env/env.h"
#include "data/state/job_directory.h"
#include "data/state/journal.h"
#include "data/state/snapshot.h"
#include "engine/runtime/epoch_part.h"

namespace supyo::runtime {

/// What a job keeps: its directory (locked while this lives), the epoch journal and the snapshots. Coordinator's thread; a snapshot is built
/// in a thread of its own where the environment has threads, else in slices of poll().
class DurableState {
 public:
  /// Errors: as JobDirectory::open and Journal::open.
  static Result<std::unique_ptr<DurableState>> open(const env::Env& env, const std::string& dir, const std::string& fingerprint, const state::JournalOptions& options);
  ~DurableState();

  /// Reads the journal again: for a restart inside the process. Errors: as Journal::open.
  Status reopen();

  const std::string& job_id() const { return directory_.job_id(); }
  const std::string& path() const { return directory_.path(); }
  Epoch last() const { return journal_->recovered().last; }        ///< as of the last (re)open; 0 = nothing yet
  const EpochMeta& meta() const { return meta_; }                  ///< of that epoch
  const std::vector<std::string>& notes() const { return journal_->recovered().notes; }
  /// What the tables held. Until end_restore().
  const state::Journal& stored() const { return *journal_; }
  void end_restore() { journal_->end_restore(); }

  /// Makes the epoch final: when this returns, its record is durable. Errors: kDiskFull (before anything changed), kSyncFailed, kIo.
  Status append(const state::EpochRecord& record);
  /// What the observer knew after epoch `last` became final: meta().observer after a reopen that finds `last` the newest one. Losing it costs only that knowledge.
  Status note_observer(Epoch last, std::string_view bytes);
  std::uint64_t last_bytes() const { return last_bytes_; }

  /// Goes on with a snapshot, or begins one that is due (`now`: even when it is not). True when there is more to do at once.
  Result<bool> poll_snapshot(bool now);

 private:
  DurableState(const env::Env& env, state::JobDirectory directory, const state::JournalOptions& options);
  void abandon_snapshot();
  void read_observer();
  struct Background;

  env::Env env_;
  state::JobDirectory directory_;
  state::JournalOptions options_;
  std::unique_ptr<state::Journal> journal_;
  EpochMeta meta_;
  std::unique_ptr<state::SnapshotBuilder> builder_;
  std::unique_ptr<Background> background_;
  std::uint64_t last_bytes_ = 0;
  std::uint64_t retry_at_bytes_ = 0;   // after a snapshot failed: not before the journal has doubled
};

}  // namespace supyo::runtime
