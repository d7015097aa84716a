#include "data/log/compaction.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "data/log/segment.h"
#include "data/log/transaction_scan.h"

namespace supyo::log {
namespace {

constexpr std::size_t kKeyOverhead = 64;   // of a map's entry, roughly
constexpr std::size_t kWriteChunk = 1 << 20;

/// The newest offset of every key in the dirty part.
class KeyMap {
 public:
  void put(std::string_view key, Offset at) {
    const auto [entry, fresh] = newest_.try_emplace(std::string(key), at);
    if (fresh) bytes_ += key.size() + kKeyOverhead;
    entry->second = at;
  }
  bool supersedes(std::string_view key, Offset at) {
    lookup_.assign(key);
    const auto found = newest_.find(lookup_);
    return found != newest_.end() && at < found->second;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::unordered_map<std::string, Offset> newest_;
  std::string lookup_;
  std::size_t bytes_ = 0;
};

/// A segment file being written under another name.
class SegmentWriter {
 public:
  static Result<SegmentWriter> create(env::Files& files, std::string path, const LogIdentity& log, Offset base) {
    SUPYO_ASSIGN(auto file, files.open(path, env::OpenMode::kCreateOrOpen));
    SUPYO_TRY(file->truncate(0));
    SegmentWriter w(std::move(file), std::move(path), log, base);
    w.out_ = encode_segment_header(log, base);
    return w;
  }

  /// Offsets up to `to` that hold no record any more.
  void gap_to(Offset to) {
    while (info.end < to) {
      const auto count = static_cast<std::uint32_t>(std::min<std::int64_t>(to.value - info.end.value, INT32_MAX));
      encode_gap_frame(count, {log_, info.end, info.end, 0, {}}, out_);
      info.end.value += count;
    }
  }
  /// The buffer to append a frame to whose head is like `h`; then added().
  std::string& out() { return out_; }
  Status added(const FrameHeader& h, TimeUs max_timestamp_us) {
    info.end = Offset(h.base_offset + h.count);
    if (info.first_timestamp_us == kTimeMax) info.first_timestamp_us = max_timestamp_us;
    info.max_timestamp_us = std::max(info.max_timestamp_us, max_timestamp_us);
    return out_.size() >= kWriteChunk ? write() : ok();
  }
  Status finish() {
    SUPYO_TRY(write());
    info.bytes = position_;
    return file_->sync();
  }

  SegmentInfo info;
  const std::string& path() const { return path_; }

 private:
  SegmentWriter(std::unique_ptr<env::File> file, std::string path, const LogIdentity& log, Offset base)
      : info{.base = base, .end = base}, file_(std::move(file)), path_(std::move(path)), log_(log) {}
  Status write() {
    SUPYO_TRY(file_->write_at(position_, out_));
    position_ += out_.size();
    out_.clear();
    return ok();
  }

  std::unique_ptr<env::File> file_;
  std::string path_;
  LogIdentity log_;
  std::string out_;
  std::uint64_t position_ = 0;
};

class Compaction {
 public:
  Compaction(env::Files& files, const CompactionPlan& plan)
      : files_(files), plan_(plan), directory_(plan.topic.partition_directory(plan.partition)), log_(plan.topic.identity(plan.partition)),
        now_ms_(plan.now_us / kMillisecond), transactions_(files, directory_, log_) {}

  Result<CompactionResult> run() {
    result_.cleaned_to = plan_.dirty_from;
    std::size_t segments = 0;
    for (; segments < plan_.segments.size(); ++segments) {
      const SegmentInfo& s = plan_.segments[segments];
      if (s.end <= plan_.dirty_from) continue;
      if (keys_.bytes() > plan_.key_bytes_max) break;   // the rest is for the next run
      SUPYO_TRY(note_keys(s));
      result_.cleaned_to = s.end;
    }
    transactions_.forget();
    // Small neighbours become one segment, as large as the topic's segments are.
    for (std::size_t from = 0; from < segments;) {
      std::size_t to = from + 1;
      std::uint64_t bytes = plan_.segments[from].bytes;
      while (to < segments && bytes + plan_.segments[to].bytes <= static_cast<std::uint64_t>(plan_.topic.config.segment_bytes)) bytes += plan_.segments[to++].bytes;
      SUPYO_TRY(clean({plan_.segments.begin() + static_cast<std::ptrdiff_t>(from), plan_.segments.begin() + static_cast<std::ptrdiff_t>(to)}));
      from = to;
    }
    return std::move(result_);
  }

 private:
  /// Calls `each(cursor)` for every frame of a segment, each checked.
  template <class Each>
  Status walk(const SegmentInfo& segment, Each each) {
    SUPYO_ASSIGN(SegmentCursor cursor, SegmentCursor::open(files_, directory_, log_, segment.base));
    while (cursor.expected() < segment.end) {
      SUPYO_ASSIGN(const auto found, cursor.next());
      if (found != SegmentCursor::Found::kFrame)
        return fail(damage_error({cursor.path(), cursor.position(), cursor.expected(), "the frame does not check"}));
      SUPYO_TRY(each(cursor));
    }
    return ok();
  }

  Result<bool> is_aborted(const KafkaBatchHeader& b) {
    if (!b.transactional()) return false;
    SUPYO_ASSIGN(const auto aborted, transactions_.aborted(b.producer_id, Offset(b.base_offset), Offset(INT64_MAX)));
    if (aborted) return *aborted;
    return fail(ErrorCode::kDamaged, fmt::format("{}: the marker of the transaction at offset {} is missing", directory_, b.base_offset));
  }

  Status note_keys(const SegmentInfo& segment) {
    return walk(segment, [&](SegmentCursor& cursor) -> Status {
      FrameView& frame = cursor.frame();
      if (frame.kind() == FrameKind::kGap) return ok();
      if (frame.kind() == FrameKind::kKafka) {
        KafkaBatchHeader b;
        (void)parse_kafka_header(frame.batch(), b);
        if (b.control()) return ok();
        SUPYO_ASSIGN(const bool aborted, is_aborted(b));
        if (aborted) return ok();
        SUPYO_TRY(columns_.decode(frame));
      }
      for (std::size_t i = 0; i < frame.count(); ++i)
        if (const auto key = frame.key(i)) keys_.put(*key, frame.offset(i));
      return ok();
    });
  }

  Status clean(std::vector<SegmentInfo> group) {
    const Offset base = group.front().base;
    SUPYO_ASSIGN(SegmentWriter writer, SegmentWriter::create(files_, env::join_path(directory_, segment_name(base) + ".cleaned"), log_, base));
    changed_ = group.size() > 1;
    for (const SegmentInfo& segment : group) {
      result_.stats.bytes_before += segment.bytes;
      SUPYO_TRY(walk(segment, [&](SegmentCursor& cursor) { return clean_frame(cursor, writer); }));
    }
    writer.gap_to(group.back().end);
    SUPYO_TRY(writer.finish());
    result_.stats.bytes_after += writer.info.bytes;
    if (!changed_) return files_.remove(writer.path());
    result_.segments.push_back({writer.path(), writer.info, std::move(group)});
    return ok();
  }

  Status clean_frame(SegmentCursor& cursor, SegmentWriter& writer) {
    FrameView& frame = cursor.frame();
    if (frame.kind() == FrameKind::kGap) return ok();
    if (frame.columnar()) return copy(cursor, writer);   // from before the topic was compacted: rows without keys stay
    KafkaBatchHeader b{.base_offset = frame.header().base_offset, .last_offset_delta = static_cast<std::int32_t>(frame.header().count - 1)};
    if (frame.kind() == FrameKind::kRecords) {
      b.base_timestamp_ms = kafka_time_ms(frame.timestamps()[0]);
      return clean_records(cursor, frame, b, writer);
    }
    (void)parse_kafka_header(frame.batch(), b);
    if (b.control()) return clean_marker(cursor, b, writer);
    if (b.transactional()) traversed_.insert(b.producer_id);
    SUPYO_TRY(columns_.decode(frame));
    SUPYO_ASSIGN(const bool aborted, is_aborted(b));
    if (!aborted) return clean_records(cursor, frame, b, writer);
    result_.stats.records_dropped += frame.count();
    changed_ = true;
    return ok();
  }

  /// Markers of transactions whose records were met in this run stay; the others go when their time has come.
  Status clean_marker(const SegmentCursor& cursor, KafkaBatchHeader b, SegmentWriter& writer) {
    if (traversed_.erase(b.producer_id) > 0) return copy(cursor, writer);
    if (b.has_delete_horizon() && b.base_timestamp_ms <= now_ms_) {
      changed_ = true;
      return ok();
    }
    if (b.has_delete_horizon()) return copy(cursor, writer);
    std::string scratch;
    const FrameView& frame = cursor.frame();
    SUPYO_ASSIGN(KafkaRecords records, KafkaRecords::open(frame.batch(), b, scratch));
    set_horizon(b);
    builder_.begin(b);
    KafkaRecord r;
    while (true) {
      SUPYO_ASSIGN(const bool more, records.next(r));
      if (!more) break;
      builder_.add(r.offset_delta, r.timestamp_ms, r.key, r.value, r.headers);
    }
    return write(cursor, b, writer);
  }

  void set_horizon(KafkaBatchHeader& b) {
    b.attributes = static_cast<std::int16_t>(b.attributes | KafkaBatchHeader::kDeleteHorizon);
    const std::int64_t wait = plan_.topic.config.delete_retention_ms;
    b.base_timestamp_ms = wait > INT64_MAX - now_ms_ ? INT64_MAX : now_ms_ + wait;
  }

  bool keeps(const FrameView& frame, std::size_t i, const KafkaBatchHeader& b) {
    const auto key = frame.key(i);
    if (!key || keys_.supersedes(*key, frame.offset(i))) return false;
    return !frame.value_is_null(i) || !b.has_delete_horizon() || now_ms_ < b.base_timestamp_ms;
  }

  Status clean_records(const SegmentCursor& cursor, const FrameView& frame, KafkaBatchHeader b, SegmentWriter& writer) {
    kept_.clear();
    bool tombstones = false;
    for (std::size_t i = 0; i < frame.count(); ++i) {
      if (!keeps(frame, i, b)) continue;
      kept_.push_back(i);
      tombstones = tombstones || frame.value_is_null(i);
    }
    result_.stats.records_kept += kept_.size();
    result_.stats.records_dropped += frame.count() - kept_.size();
    if (kept_.empty()) {
      changed_ = true;
      return ok();
    }
    const bool new_horizon = tombstones && !b.has_delete_horizon();
    if (kept_.size() == frame.count() && !new_horizon) return copy(cursor, writer);
    if (new_horizon) set_horizon(b);
    builder_.begin(b);
    for (const std::size_t i : kept_) {
      const auto value = frame.value_is_null(i) ? std::nullopt : std::optional(frame.value(i));
      builder_.add(static_cast<std::int32_t>(frame.offset(i).value - b.base_offset), kafka_time_ms(frame.timestamps()[i]), frame.key(i), value, frame.headers(i));
    }
    return write(cursor, b, writer);
  }

  Status copy(const SegmentCursor& cursor, SegmentWriter& writer) {
    const FrameHeader& h = cursor.frame().header();
    writer.gap_to(Offset(h.base_offset));
    writer.out().append(cursor.frame_bytes());
    return writer.added(h, h.max_timestamp_us);
  }

  /// What the builder holds, in the place of the cursor's frame.
  Status write(const SegmentCursor& cursor, const KafkaBatchHeader& like, SegmentWriter& writer) {
    changed_ = true;
    batch_.clear();
    SUPYO_TRY(builder_.finish(batch_, like.last_offset_delta));
    KafkaBatchHeader b;
    (void)parse_kafka_header(batch_, b);
    const FrameHeader& h = cursor.frame().header();
    writer.gap_to(Offset(h.base_offset));
    encode_kafka_frame(batch_, b, b.leader_epoch, {log_, Offset(h.base_offset), Offset(h.synced_offset), h.append_us, {}}, writer.out());
    return writer.added(h, b.max_timestamp_ms >= 0 ? kafka_time_us(b.max_timestamp_ms) : h.append_us);
  }

  env::Files& files_;
  const CompactionPlan& plan_;
  std::string directory_;
  LogIdentity log_;
  std::int64_t now_ms_;
  TransactionScan transactions_;
  KeyMap keys_;
  KafkaColumns columns_;
  KafkaBatchBuilder builder_;
  std::string batch_;
  std::vector<std::size_t> kept_;
  std::set<std::int64_t> traversed_;   ///< producers with records since their last marker, in this run
  bool changed_ = false;
  CompactionResult result_;
};

}  // namespace

Result<CompactionResult> run_compaction(env::Files& files, const CompactionPlan& plan) { return Compaction(files, plan).run(); }

}  // namespace supyo::log
