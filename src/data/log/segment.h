#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/frame.h"

namespace supyo::log {

inline constexpr std::uint64_t kSegmentHeaderBytes = 64;

/// "00000000000000001041.seg": the offset of its first record, so that a listing is the index of segments.
std::string segment_name(Offset base);
/// Base offsets of a partition's segments, ascending.
Result<std::vector<Offset>> list_segments(env::Files& files, const std::string& directory);
std::string encode_segment_header(const LogIdentity& log, Offset base);
/// Whether `bytes` start with the header of this segment.
bool is_segment_header(std::string_view bytes, const LogIdentity& log, Offset base);

/// Bytes on an 8-byte boundary with Decoder::kPadding (64) readable bytes behind them, as the JSON decoder likes them.
class FrameBuffer {
 public:
  static constexpr std::size_t kPadding = 64;
  char* reserve(std::size_t bytes);   ///< contents are lost when it grows
  char* data() { return reinterpret_cast<char*>(words_.get()); }
  const char* data() const { return reinterpret_cast<const char*>(words_.get()); }
  std::size_t capacity() const { return capacity_; }

 private:
  std::unique_ptr<std::uint64_t[]> words_;
  std::size_t capacity_ = 0;
};

/// Walks the frames of one segment file in order, checking each, in large reads. One thread.
class SegmentCursor {
 public:
  static constexpr std::size_t kDefaultChunk = 256 << 10;

  /// kDamaged when the file does not start with this segment's header; kNotFoundOnDisk when retention took it.
  static Result<SegmentCursor> open(env::Files& files, const std::string& directory, const LogIdentity& log, Offset base, std::size_t chunk = kDefaultChunk);

  enum class Found : std::uint8_t {
    kFrame,     ///< frame() holds it; the cursor stands behind it
    kEnd,       ///< end of the file, or reserved space that was never written; asking again looks again
    kInvalid,   ///< the bytes at position() are no frame for expected(); the cursor stays
  };
  /// The next frame. `limit`: do not read the file beyond it (the published end), to not fetch bytes that are still being written.
  /// `wanted`: of rows in columns only these parts are read and checked; null: all of them.
  Result<Found> next(std::uint64_t limit = UINT64_MAX, const PartsWanted* wanted = nullptr);
  /// Hops to the frame that contains `offset` by heads alone (no checksums); the cursor then stands before it. False when the segment ends first.
  Result<bool> seek(Offset offset);
  /// The head at the cursor, without its checksum; null at the end or when it is invalid. Does not move.
  Result<std::optional<FrameHeader>> peek_header();
  /// The same, with the head of a Kafka batch.
  Result<std::optional<FrameHead>> peek_head();
  /// Behind the frame whose head peek_header() gave.
  void skip(const FrameHeader& header);

  /// Valid until the next call of next().
  const FrameView& frame() const { return frame_; }
  FrameView& frame() { return frame_; }
  /// Of frame(), as they lie in the file; not when only some parts were wanted. Valid as long as it.
  std::string_view frame_bytes() const {
    const auto end = static_cast<std::size_t>(position_ - buffer_from_);
    return {buffer_.data() + end - frame_.header().length, frame_.header().length};
  }
  std::uint64_t position() const { return position_; }
  Offset expected() const { return expected_; }
  Offset base() const { return base_; }
  const std::string& path() const { return path_; }
  Result<std::uint64_t> file_size() const { return file_->size(); }
  /// Reads file bytes at `from` (for a search behind damage).
  Result<std::size_t> read_at(std::uint64_t from, std::span<char> out) const { return file_->read_at(from, out); }
  const LogIdentity& log() const { return log_; }
  void forget_buffer() {
    buffered_ = 0;
    buffer_from_ = position_;
    heads_.clear();
  }

 private:
  SegmentCursor(std::unique_ptr<env::File> file, std::string path, LogIdentity log, Offset base, std::size_t chunk)
      : file_(std::move(file)), path_(std::move(path)), log_(log), base_(base), expected_(base), chunk_(chunk) {}
  Status fill(std::size_t want, std::uint64_t limit);
  Result<bool> load_parts(FrameView& frame, const PartsWanted& wanted, std::uint64_t limit);
  Result<std::string_view> head_bytes(bool fresh);
  std::string_view buffered();

  std::unique_ptr<env::File> file_;
  std::string path_;
  LogIdentity log_;
  Offset base_;
  Offset expected_;
  std::uint64_t position_ = kSegmentHeaderBytes;
  std::size_t chunk_;
  FrameBuffer buffer_;
  std::uint64_t buffer_from_ = kSegmentHeaderBytes;  ///< file position of the buffer's first byte
  std::size_t buffered_ = 0;
  std::string heads_;                 ///< file bytes from heads_from_ on, for hops over small frames: one read serves many heads
  std::uint64_t heads_from_ = 0;
  std::uint32_t last_hop_ = 0;        ///< length of the frame that was skipped last
  FrameBuffer parts_;                 ///< of frame_, those that are not in buffer_
  std::vector<bool> wanted_;
  FrameView frame_;
};

/// What stands behind an invalid place in a segment.
struct Aftermath {
  std::uint64_t last_written = 0;            ///< end of the last non-zero byte at or behind `from` (== from when there is none)
  std::optional<std::uint64_t> acknowledged; ///< position of a whole frame that proves that records at `at` had been durable
};
/// Searches the file behind `from`, where the frame of offset `at` should be. A whole frame there that was written when `at` was already durable
/// means damage; one that was not is an unsynced write that outlived an earlier one.
Result<Aftermath> search_behind(const SegmentCursor& segment, std::uint64_t from, Offset at);

}  // namespace supyo::log
