#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::scenario {

/// The store of a consumer process, and its diary: a file that is only appended to, a line each:
///   "T 1"    it has taken a record from its client        "A 17"  it has applied record 17 (the line is the application)
///   "C 18"    the cluster has confirmed that everything below 18 is committed
/// What was written when a process is killed stays; a line that has no end does not count.
class CommitJournal {
 public:
  /// Errors: kAlreadyExistsOnDisk, kIo.
  static Result<CommitJournal> create(env::Files& files, const std::string& path);
  Status taken(std::uint64_t records) { return line('T', records); }
  Status applied(std::uint64_t id) { return line('A', id); }
  Status committed(std::uint64_t next) { return line('C', next); }
  /// What was applied outlives the machine.
  Status sync() { return file_->sync(); }

 private:
  explicit CommitJournal(std::unique_ptr<env::File> file) : file_(std::move(file)) {}
  Status line(char kind, std::uint64_t value);
  std::unique_ptr<env::File> file_;
  std::uint64_t size_ = 0;
};

/// One life of a consumer process, as its journal tells it.
struct Life {
  std::vector<std::uint64_t> applied;           ///< in order
  std::uint64_t taken = 0;
  std::optional<std::uint64_t> committed;
  /// Reads more of the journal; keeps what has no end for the next call. kMalformedRecord.
  Status read(std::string_view more);

 private:
  std::string rest_;
};

/// What one end of a life cost.
struct LifeEnd {
  std::uint64_t lost = 0;          ///< acknowledged records before the next life's first one that nobody ever applied
  std::uint64_t repeated = 0;      ///< records that the next life applied again
  std::uint64_t in_flight = 0;     ///< taken and not applied when it ended
  std::uint64_t uncommitted = 0;   ///< applied by then, in any life, and no commit of it was confirmed
};
/// Of each life but the last. `acked[id]`: the producer was told that the record is in the topic. Ids rise in the topic's order (one partition).
std::vector<LifeEnd> count_ends(const std::vector<Life>& lives, const std::vector<bool>& acked);

}  // namespace supyo::scenario
