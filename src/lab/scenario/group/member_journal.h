#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::scenario {

/// What a member tells of itself: a file that is only appended to, a line each (times: monotonic microseconds of this machine, the same for all its processes):
///   "+ T P P .."    partitions were assigned to it          "- T P P .." they were revoked, or lost
///   "S T P O"       it begins with a record that takes long; T is when its last poll came back
///   "D T P O ID"    it has handled offset O of partition P, record ID
///   "C P O"         the coordinator has confirmed its commit of O (the next to read)      "F T P O" it has refused it
///   "X T MS"        its client says that it came too late to poll and had left the group, and by how much the interval was exceeded when it did
class MemberJournal {
 public:
  /// Errors: kAlreadyExistsOnDisk, kIo.
  static Result<MemberJournal> create(env::Files& files, const std::string& path);
  Status assigned(TimeUs at, const std::vector<std::int32_t>& partitions) { return list('+', at, partitions); }
  Status revoked(TimeUs at, const std::vector<std::int32_t>& partitions) { return list('-', at, partitions); }
  Status slow(TimeUs last_poll, std::int32_t partition, std::int64_t offset);
  Status done(TimeUs at, std::int32_t partition, std::int64_t offset, std::uint64_t id);
  Status committed(std::int32_t partition, std::int64_t next);
  Status refused(TimeUs at, std::int32_t partition, std::int64_t next);
  Status late(TimeUs at, std::uint64_t by_ms);

 private:
  explicit MemberJournal(std::unique_ptr<env::File> file) : file_(std::move(file)) {}
  Status list(char kind, TimeUs at, const std::vector<std::int32_t>& partitions);
  Status line(const std::string& text);
  std::unique_ptr<env::File> file_;
  std::uint64_t size_ = 0;
};

/// A member's journal, read back.
struct MemberStory {
  struct Ownership {
    TimeUs at = 0;
    bool assigned = false;
    std::vector<std::int32_t> partitions;
  };
  struct Slow {
    TimeUs last_poll = 0, done = 0;              ///< done: 0 when it was never finished
    std::int32_t partition = 0;
    std::int64_t offset = 0;
  };
  std::vector<Ownership> ownership;
  std::vector<Slow> slow;
  std::vector<std::uint64_t> handled;            ///< ids, in order
  std::uint64_t uncommitted = 0;                 ///< handled, and the commit that covers it was never confirmed
  std::uint64_t refused = 0;                     ///< commits
  struct Late {
    TimeUs at = 0;
    DurationUs by = 0;
  };
  std::vector<Late> late;
};
/// A last line without an end is left out. kMalformedRecord.
Result<MemberStory> read_member_story(std::string_view text);

/// How often records were handled, over all members. `acked[id]`: the producer was told that the record is in the topic.
struct HandledCount {
  std::uint64_t distinct = 0, repeated = 0, lost = 0;   ///< lost: acknowledged and never handled
};
HandledCount count_handled(const std::vector<MemberStory>& members, const std::vector<bool>& acked);

/// The longest time that a member which no record kept had no partition at all, after its first ones.
DurationUs longest_stall(const std::vector<MemberStory>& members);

/// Of each partition that a member owned at `from`: how long until somebody else was given it. Those that nobody was given are left out.
std::vector<DurationUs> unowned_times(const std::vector<MemberStory>& members, std::size_t member, TimeUs from);

}  // namespace supyo::scenario
