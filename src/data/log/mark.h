#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/frame.h"

namespace supyo::log {

/// What a partition's writer tells its readers, and itself after a restart. Published after the data it speaks of was synced, never before.
struct Mark {
  std::uint64_t sequence = 0;        ///< grows with every publication
  Offset log_start;                  ///< first readable record; older ones were deleted by retention
  Offset durable_end;                ///< "high watermark": below it a bad checksum is damage, above it "not yet"
  Offset committed_end;              ///< below it every record is final: read_committed stops here
  Offset segment_base;               ///< segment that holds the last durable record
  std::uint64_t segment_position = 0;///< where that segment's durable frames end
  std::uint64_t truncations = 0;     ///< grows when staged records are taken back
  Offset truncated_to;               ///< where the latest of them cut: readers of uncommitted rows go back there
  Transaction last_commit;           ///< newest epoch committed, and by whom
  bool operator==(const Mark&) const = default;
};

/// The file `mark` of a partition: three slots, each with its own checksum; the readable one with the highest sequence counts. One writer, any number of
/// readers. The slot that was last synced is not written again before a newer one was: a torn page or a failed write never takes a durable mark back.
class MarkFile {
 public:
  /// Opens an existing file. kNotFoundOnDisk; kDamaged when neither slot is good.
  static Result<MarkFile> open(env::Files& files, const std::string& directory, const LogIdentity& log, env::OpenMode mode);
  /// Creates the file (or overwrites one that never became whole) with `first` in it, durable but for its directory entry.
  static Result<MarkFile> create(env::Files& files, const std::string& directory, const LogIdentity& log, const Mark& first);

  /// Reads what is there now. Cheap enough to poll.
  Result<Mark> read() const;
  /// Writes a slot: other processes see it at once; durable after sync().
  Status write(Mark mark);
  Status sync();

 private:
  MarkFile(std::unique_ptr<env::File> file, std::string path, LogIdentity log) : file_(std::move(file)), path_(std::move(path)), log_(log) {}
  std::unique_ptr<env::File> file_;
  std::string path_;
  LogIdentity log_;
  struct Found {
    Mark mark;
    std::uint64_t slot = 0;
  };
  Result<Found> find() const;

  std::uint64_t sequence_ = 0;
  std::uint64_t last_slot_ = 0;      ///< holds the newest mark
  std::uint64_t durable_slot_ = 0;   ///< holds the newest synced mark
};

}  // namespace supyo::log
