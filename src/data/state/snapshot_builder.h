#pragma once
// What Journal and SnapshotBuilder know of each other.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/env/env.h"
#include "data/state/change_index.h"
#include "data/state/journal_format.h"
#include "data/state/snapshot.h"
#include "data/state/snapshot_format.h"
#include "data/state/stored_entries.h"

namespace supyo::state {

struct SnapshotBuilder::Plan {
  struct Segment {
    std::uint64_t number = 0;
    std::string path;
  };
  std::string job_id;
  std::string directory;
  std::string base;                  ///< snapshot to begin with; empty = none
  JournalPosition from;              ///< where that one ends
  JournalPosition until;             ///< end of the record of `epoch`
  Epoch epoch;
  std::vector<Segment> segments;     ///< those that hold (from, until]
  std::uint64_t uncovered_bytes = 0; ///< of journal when it was begun
};

struct SnapshotBuilder::Impl {
  enum class Phase : std::uint8_t { kRead, kWrite, kDone };

  Impl(env::Files& f, Plan p) : files(f), plan(std::move(p)), at(plan.from) {}
  std::string path() const { return env::join_path(plan.directory, numbered_name(kSnapshotPrefix, static_cast<std::uint64_t>(plan.epoch.value))); }
  Result<bool> poll(std::size_t budget_bytes);
  Status read(std::size_t budget_bytes);
  Status begin_writing();
  Status write(std::size_t budget_bytes);
  Status publish();

  env::Files& files;
  const Plan plan;
  Phase phase = Phase::kRead;
  JournalPosition at;                // read so far
  std::size_t next_segment = 0;
  std::vector<std::unique_ptr<env::MappedFile>> maps;
  std::vector<ChangeList> changes{1};
  std::vector<Section> sections;
  std::shared_ptr<const SnapshotReader> base;
  std::optional<SnapshotWriter> writer;
  ChangeIndex index;
  std::vector<Journal::StoredTable> tables;   // not written yet, the next one last
  std::optional<StoredEntries> entries;       // of the one being written
  std::size_t range = 0;                      // its next
  std::uint64_t file_bytes = 0;
};

}  // namespace supyo::state
