#pragma once
// Bytes of the epoch journal. The format is described in docs/format/journal.md; this is its only reader and writer.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "data/state/journal.h"

namespace supyo::state {

inline constexpr std::uint64_t kSegmentHeaderBytes = 128;
inline constexpr std::uint64_t kRecordHeaderBytes = 48;
inline constexpr std::uint64_t kMaxRecordBytes = 1ULL << 31;
inline constexpr std::size_t kMaxJobIdBytes = 48;

/// The first bytes of a segment file. It names the end of the segment before it, so that the segments are one chain.
struct SegmentHeader {
  std::uint64_t segment = 0;
  JournalPosition previous;   ///< end of the last record before this segment; segment 0 for the first
  std::string job_id;
  std::uint32_t chain = 0;    ///< CRC of the header: where the chain of this segment's records begins
};
std::string encode_segment_header(const SegmentHeader& header);   ///< `chain` is ignored
/// `path` is for messages. Errors: kDamaged, kFormatVersion, kStateOfOtherJob.
Result<SegmentHeader> decode_segment_header(std::string_view file, const std::string& path, std::string_view job_id);

/// One record in a segment; views into it.
struct RecordView {
  Epoch epoch;
  std::string_view body;
  std::uint64_t durable = 0;  ///< everything below this offset had been synced when the record was written
  std::uint64_t end = 0;      ///< offset behind the record
  std::uint32_t chain = 0;    ///< CRC of the record
};

/// Replaces `out` by the encoding of `record` as it stands at `offset` of `segment`, behind a record (or header) with CRC `chain`.
/// Returns its own CRC.
std::uint32_t encode_record(const EpochRecord& record, std::uint64_t segment, std::uint64_t offset, std::uint64_t durable, std::uint32_t chain,
                            std::string& out);
/// The record at `offset`, when there is a whole one of this segment; `chain` absent = behind whatever it says it is behind.
std::optional<RecordView> record_at(std::string_view file, std::uint64_t segment, std::uint64_t offset, std::optional<std::uint32_t> chain);

/// After the good records end at `offset`: whether a record that had been acknowledged beyond it still stands there, which makes the bytes at
/// `offset` damage rather than the torn end of a write.
bool acknowledged_beyond(std::string_view file, std::uint64_t segment, std::uint64_t offset);

/// Bytes at `offset` of a record that was begun there and is not whole; 0 when none was.
std::uint64_t torn_bytes(std::string_view file, std::uint64_t segment, std::uint64_t offset);

/// One change; views into the record's body.
struct ChangeView {
  std::uint32_t operator_id = 0;
  std::uint16_t table = 0;
  bool deleted = false;
  std::uint64_t hash = 0;
  std::string_view key;
  std::string_view value;
};
/// Where one change that was decoded stands in its record's body, behind its hash.
struct ChangeRef {
  std::uint64_t hash = 0;
  const char* at = nullptr;
};
/// Without operator and table, which stand once for many.
ChangeView change_at(const ChangeRef& change);
/// Appends the body's sections and visits its changes in order of writing, a few hundred at once; kDamaged (without file and offset: the caller knows them) when it does not read.
Status decode_body(std::string_view body, std::vector<Section>& sections, const std::function<void(Journal::StoredTable, std::span<const ChangeRef>)>& visit);

/// -1, 0, 1 by operator, table, hash, key.
template <class A, class B>
int compare_keys(const A& a, const B& b) {
  if (a.operator_id != b.operator_id) return a.operator_id < b.operator_id ? -1 : 1;
  if (a.table != b.table) return a.table < b.table ? -1 : 1;
  if (a.hash != b.hash) return a.hash < b.hash ? -1 : 1;
  return a.key.compare(b.key);
}

// Names of files: a prefix and twenty digits, so that the order of names is the order of numbers.
std::string numbered_name(std::string_view prefix, std::uint64_t number);
std::optional<std::uint64_t> number_of_name(std::string_view prefix, std::string_view name);
inline constexpr std::string_view kSegmentPrefix = "segment-";
inline constexpr std::string_view kSparePrefix = "spare-";
inline constexpr std::string_view kSnapshotPrefix = "snapshot-";

}  // namespace supyo::state
