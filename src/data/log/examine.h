#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/mark.h"
#include "data/log/topic.h"

namespace supyo::log {

/// A segment's place in the partition.
struct SegmentInfo {
  Offset base;
  Offset end;                        ///< offset behind its last record
  std::uint64_t bytes = 0;           ///< file bytes used, the segment's header included
  TimeUs first_timestamp_us = kTimeMax;
  TimeUs max_timestamp_us = kTimeMin;
};

/// Records of one epoch that are durable (or about to be) and not committed.
struct StagedEpoch {
  Transaction transaction;
  Offset begin;
  Offset end;
};

/// A place where bytes that had been durable no longer check.
struct Damage {
  std::string path;
  std::uint64_t position = 0;        ///< in the file
  Offset offset;                     ///< first record that is lost
  std::string why;
};

/// What lies in a partition's directory, and what is wrong with it.
struct PartitionReport {
  std::optional<Mark> mark;               ///< null: never opened by a writer, or unreadable (then damage says so)
  std::vector<SegmentInfo> segments;      ///< the unbroken chain
  std::vector<StagedEpoch> staged;
  Offset end;                             ///< behind the last good record
  std::uint64_t frames = 0;
  std::optional<Offset> first_kafka;      ///< segment that holds the first Kafka batch
  std::uint64_t torn_bytes = 0;           ///< written behind `end` and never acknowledged: what a crash leaves
  std::optional<Damage> damage;
  std::vector<std::string> leftovers;     ///< names of files that a crash left and nobody needs
};

enum class Depth : std::uint8_t {
  kLast,   ///< checksums of the last segment, heads of the others: what opening does
  kAll,    ///< every checksum
};

/// Looks at a partition without changing anything.
///
/// The rules (architecture 7): an invalid frame below the durable mark is damage; so is one with a whole frame behind it that was written when the
/// invalid one was already durable (its `synced_offset` says so); any other invalid frame at the end is a torn tail. With a live writer, only
/// what lies below the mark is certain.
Result<PartitionReport> examine_partition(env::Files& files, const Topic& topic, PartitionId partition, Depth depth);

/// kDamaged, naming file and offset and what to do.
Error damage_error(const Damage& damage);

}  // namespace supyo::log
