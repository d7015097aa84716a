#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/mark.h"
#include "data/log/segment.h"
#include "data/log/topic.h"
#include "data/log/transaction_scan.h"

namespace supyo::log {

enum class Isolation : std::uint8_t {
  kReadCommitted,    ///< stops at the committed end
  kReadUncommitted,  ///< stops at the durable end: staged rows too, which may be taken back
};

struct ReadOptions {
  Isolation isolation = Isolation::kReadCommitted;
  std::size_t chunk_bytes = SegmentCursor::kDefaultChunk;
  bool columnar = false;   ///< the caller knows rows in columns (FrameView::columnar()), too; else they are an error
  PartsWanted wanted = {};   ///< which of their parts it reads: no others are read from the file and checked; empty: all
};

/// Reads a partition from any process, while its writer works. One thread; never blocks: at the end it says so, and is asked again.
class PartitionReader {
 public:
  /// Stands at the log start. A partition that no writer opened yet is empty.
  static Result<PartitionReader> open(env::Files& files, const Topic& topic, PartitionId partition, ReadOptions options = {});

  /// The next record to read. kOffsetOutOfRange when it lies below the log start or beyond what was ever written. Beyond the published end it waits there:
  /// after a power loss the mark may be older than what this reader had read, until the partition's writer opens it again.
  Status seek(Offset offset);
  /// Offset of the first record whose timestamp is `timestamp_us` or later; the end when there is none.
  Result<Offset> offset_for_time(TimeUs timestamp_us);

  /// The next frame with records, whole and checked; those from frame->first() on are the unread ones. Null when there is nothing more now: everything
  /// below position() was read then. What Kafka clients wrote looks like what jobs wrote: control batches do not appear, nor, with read_committed,
  /// batches of aborted transactions; offsets may have gaps.
  /// The frame's bytes are valid until the next call. Errors: kUnsupported (rows in columns, see ReadOptions), kDamaged (file and offset), kOffsetOutOfRange (retention overtook this reader), kIo.
  Result<const FrameView*> next();

  /// Where the next frame is looked for.
  Offset position() const { return position_; }
  struct Ends {
    Offset log_start;
    Offset end;        ///< by this reader's isolation
    Offset durable;
  };
  /// As published now. Leaves the last frame valid.
  Result<Ends> ends();

 private:
  friend class KafkaReader;
  struct Timed {
    Offset offset;
    TimeUs timestamp_us = 0;
  };
  Result<std::optional<Timed>> find_time(TimeUs timestamp_us, Offset end);
  Result<const FrameView*> next_frame();
  Result<bool> is_hidden(const FrameView& frame);
  PartitionReader(env::Files& files, const Topic& topic, PartitionId partition, ReadOptions options);
  Status refresh();
  Offset limit_of(const Mark& m) const { return options_.isolation == Isolation::kReadCommitted ? m.committed_end : m.durable_end; }
  Offset limit() const { return limit_of(mark_); }
  Status enter_segment();
  Result<bool> is_written(Offset offset) const;
  std::unexpected<Error> overtaken() const;

  env::Files* files_;
  Topic topic_;
  std::string directory_;
  LogIdentity log_;
  ReadOptions options_;
  std::unique_ptr<MarkFile> mark_file_;   ///< null until the partition was first opened by a writer
  Mark mark_;
  std::optional<SegmentCursor> cursor_;
  KafkaColumns columns_;                  ///< of the frame that next() gave
  TransactionScan transactions_;
  Offset position_;
};

}  // namespace supyo::log
