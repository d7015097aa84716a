#include <fmt/format.h>

#include <algorithm>

#include "connect/stream/keyed_records.h"
#include "connect/stream/record_headers.h"
#include "connect/stream/stream.h"
#include "connect/stream/stream_options.h"
#include "core/base/bytes.h"
#include "data/formats/columnar.h"
#include "data/log/groups.h"

namespace supyo::connect {
namespace {

using dataflow::Poll;

constexpr std::size_t kColumnarChunk = 40 << 10;        // a full frame up to its columns: 8 bytes a row, and names
constexpr DurationUs kPollInterval = kMillisecond;      // how often the end of a log is looked at
constexpr DurationUs kGroupCommitInterval = kSecond;    // group offsets are for monitoring: two syncs an epoch would be waste

/// A split's position: the next offset, and where a bounded read stops (fixed when the job first started; none: unbounded).
struct Position {
  Offset next;
  std::optional<Offset> stop;
};

std::string encode(const Position& p) {
  std::string out;
  ByteWriter w(out);
  w.i64(p.next.value);
  if (p.stop) w.i64(p.stop->value);
  return out;
}

Result<Position> decode(std::string_view bytes, const std::string& split) {
  ByteReader r(bytes);
  Position p{Offset(r.i64()), std::nullopt};
  if (!r.done()) p.stop = Offset(r.i64());
  if (r.failed() || !r.done()) return fail(ErrorCode::kDamaged, fmt::format("the position of split '{}' is unreadable", split));
  return p;
}

/// Offsets of a batch's rows, as runs of consecutive ones: rows [row, ...) have offsets from `offset` on.
struct OffsetRun {
  std::size_t row;
  Offset offset;
};
using OffsetRuns = std::vector<OffsetRun>;

Offset offset_of(const OffsetRuns& runs, std::size_t row) {
  const auto after = std::upper_bound(runs.begin(), runs.end(), row, [](std::size_t r, const OffsetRun& run) { return r < run.row; });
  const OffsetRun& run = *(after - 1);
  return Offset(run.offset.value + static_cast<std::int64_t>(row - run.row));
}

struct SplitState {
  std::string id;
  PartitionId partition;
  log::PartitionReader reader;
  const log::FrameView* frame = nullptr;   // being decoded; null when used up
  BatchPtr rows = nullptr;                 // of a columnar frame
  std::size_t next_in_frame = 0;
  Position position;
  Offset acknowledged;
  bool done() const { return position.stop && position.next >= *position.stop; }
};

class StreamReader final : public dataflow::SourceReader {
 public:
  StreamReader(const StreamSourceConfig& config, const env::Env& env, std::unique_ptr<formats::Decoder> decoder, const Schema& decoded)
      : config_(config), env_(env), decoder_(std::move(decoder)), columns_(decoded), builder_(decoded, Batch::kMaxRows) {}

  ~StreamReader() override {
    if (!uncommitted_.empty()) (void)commit_group();
  }

  Status start(const log::Topic& topic, const std::vector<dataflow::Split>& splits) {
    if (config_.reads_keys()) {
      SUPYO_ASSIGN(KeyedRecords keyed, KeyedRecords::make(config_));
      keyed_.emplace(std::move(keyed));
    }
    for (const dataflow::Split& split : splits) {
      const PartitionId partition(std::atoi(split.id.substr(split.id.rfind('/') + 1).c_str()));
      log::ReadOptions options{.isolation = config_.isolation, .columnar = config_.columnar};
      if (config_.columnar) {
        options.chunk_bytes = kColumnarChunk;
        options.wanted = [this](std::string_view head, std::vector<bool>& columns) { columns_.select(head, columns); };
      }
      SUPYO_ASSIGN(auto reader, log::PartitionReader::open(env_.files, topic, partition, std::move(options)));
      SplitState s{.id = split.id, .partition = partition, .reader = std::move(reader), .position = {}, .acknowledged = {}};
      if (split.position.empty()) {
        SUPYO_ASSIGN(s.position.next, resolve(config_.start, s, Offset(0)));
        if (config_.stop.kind != StreamBound::Kind::kNone) {
          SUPYO_ASSIGN(s.position.stop, resolve(config_.stop, s, std::nullopt));
        }
      } else {
        SUPYO_ASSIGN(s.position, decode(split.position, split.id));
      }
      if (!s.done()) SUPYO_TRY(s.reader.seek(s.position.next));
      s.acknowledged = s.position.next;
      splits_.push_back(std::move(s));
    }
    return ok();
  }

  Result<Poll> poll(std::size_t budget, dataflow::SourceOutput& out) override {
    bool all_done = true;
    for (std::size_t tried = 0; tried < splits_.size(); ++tried) {
      const std::size_t i = (turn_ + tried) % splits_.size();
      if (splits_[i].done()) continue;
      all_done = false;
      const std::size_t room = std::min(budget, Batch::kMaxRows / formats::rows_of_record(config_.format));
      SUPYO_ASSIGN(const bool read, config_.columnar ? read_columns(i, room, out) : keyed_ ? read_keyed(i, room, out) : read_split(i, room, out));
      if (!read && !splits_[i].done()) continue;
      turn_ = i + 1;
      return Poll::more();
    }
    if (all_done) return Poll::done();
    SUPYO_TRY(commit_when_due());   // no epoch comes while nothing comes: the last one would look unread for ever
    return env_.threads == nullptr ? Poll::blocked_on_input() : Poll::waiting_until(env_.clock.now_us() + kPollInterval);
  }

  std::vector<dataflow::SplitPosition> positions() const override {
    std::vector<dataflow::SplitPosition> all;
    for (const SplitState& s : splits_) all.push_back({s.id, encode(s.position)});
    return all;
  }

  Status committed(Epoch, const std::vector<dataflow::SplitPosition>& positions) override {
    for (const auto& p : positions)
      for (SplitState& s : splits_) {
        if (s.id != p.split_id) continue;
        SUPYO_ASSIGN(const Position at, decode(p.position, p.split_id));
        s.acknowledged = at.next;
        if (!config_.group.empty()) uncommitted_[{config_.where.topic, s.partition}] = at.next;
      }
    return commit_when_due();
  }

  std::vector<dataflow::SplitLag> lags() override {
    std::vector<dataflow::SplitLag> all;
    for (std::size_t i = 0; i < splits_.size(); ++i) {
      const auto ends = splits_[i].reader.ends();
      if (!ends) continue;   // the next poll reports it
      const auto behind = [&](Offset o) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, ends->end.value - o.value)); };
      all.push_back({static_cast<std::uint32_t>(i), behind(splits_[i].acknowledged), behind(splits_[i].position.next)});
    }
    return all;
  }

 private:
  Status commit_when_due() {
    if (uncommitted_.empty()) return ok();
    const TimeUs now = env_.clock.monotonic_us();
    if (now < next_group_commit_us_) return ok();
    next_group_commit_us_ = now + kGroupCommitInterval;
    return commit_group();
  }

  Status commit_group() {
    Status done = log::commit_group(env_.files, config_.where.log_directory, config_.group, uncommitted_);
    if (!done && done.error().code == ErrorCode::kStateLocked) return ok();   // another member is at it: next time
    if (done) uncommitted_.clear();
    return done;
  }

  Result<Offset> resolve(const StreamBound& b, SplitState& s, std::optional<Offset> fallback) {
    SUPYO_ASSIGN(const auto ends, s.reader.ends());
    switch (b.kind) {
      case StreamBound::Kind::kEarliest: return ends.log_start;
      case StreamBound::Kind::kLatest: return ends.end;
      case StreamBound::Kind::kTimestamp: return s.reader.offset_for_time(b.timestamp_us);
      case StreamBound::Kind::kSpecific: {
        const auto it = b.offsets.find(s.partition);
        if (it == b.offsets.end()) return fallback ? ends.log_start : ends.end;   // of start and of stop
        return it->second;
      }
      case StreamBound::Kind::kGroup: break;
      case StreamBound::Kind::kNone: return ends.log_start;
    }
    if (config_.group.empty()) return ends.log_start;
    SUPYO_ASSIGN(const auto offsets, log::read_group(env_.files, config_.where.log_directory, config_.group));
    if (const auto it = offsets.find({config_.where.topic, s.partition}); it != offsets.end()) return it->second;
    if (config_.start_without_group_offset.kind != StreamBound::Kind::kNone && fallback) return resolve(config_.start_without_group_offset, s, fallback);
    return fail(ErrorCode::kOffsetOutOfRange, fmt::format("group '{}' has no offset for {}", config_.group, s.id),
                "set 'properties.auto.offset.reset' to earliest or latest, or another scan mode");
  }

  /// Reads up to `budget` records of one split into one batch, from as many frames as it takes. False when it has nothing now.
  Result<bool> read_split(std::size_t i, std::size_t budget, dataflow::SourceOutput& out) {
    SplitState& s = splits_[i];
    auto runs = std::make_shared<OffsetRuns>();
    std::vector<TimeUs> produce;
    headers_.clear();
    std::size_t records = 0;
    bool at_end = false;
    while (records < budget && !s.done()) {
      if (s.frame == nullptr) {
        SUPYO_ASSIGN(s.frame, s.reader.next());
        at_end = s.frame == nullptr;
        if (at_end) {
          // Markers and aborted records behind the last row count as read: a bounded read may end with them.
          s.position.next = s.reader.position();
          break;
        }
        s.next_in_frame = s.frame->first();
      }
      SUPYO_ASSIGN(const std::size_t taken, decode_some(i, budget - records, produce, *runs, out));
      records += taken;
    }
    if (BatchPtr decoded = builder_.finish()) SUPYO_TRY(emit(i, decoded, std::move(produce), std::move(runs), out));
    if (at_end) out.quiet(static_cast<std::uint32_t>(i));
    return records > 0;
  }

  /// The split's next frame; false, and quiet, where there is none.
  Result<bool> take_frame(std::size_t i, dataflow::SourceOutput& out) {
    SplitState& s = splits_[i];
    SUPYO_ASSIGN(s.frame, s.reader.next());
    if (s.frame == nullptr) {
      s.position.next = s.reader.position();
      out.quiet(static_cast<std::uint32_t>(i));
      return false;
    }
    s.next_in_frame = s.frame->first();
    return true;
  }

  /// The same of rows in columns: of one frame, whose columns are taken as they are.
  Result<bool> read_columns(std::size_t i, std::size_t budget, dataflow::SourceOutput& out) {
    SplitState& s = splits_[i];
    if (s.frame == nullptr) {
      SUPYO_ASSIGN(const bool more, take_frame(i, out));
      if (!more) return false;
      const log::FrameView& f = *s.frame;
      if (!f.columnar()) {
        const Offset at = f.offset(f.first());
        s.frame = nullptr;
        return fail(ErrorCode::kTypeMismatch, fmt::format("{}@{}: a record, where table '{}' has rows in columns", s.id, at.value, config_.table), "declare the format that the topic was written with");
      }
      auto rows = columns_.decode(f.head(), f.parts(), f.count());
      if (!rows) return fail(rows.error().with_context(fmt::format("{}@{}", s.id, f.header().base_offset)));
      s.rows = std::move(*rows);
    }
    const log::FrameView& f = *s.frame;
    const std::size_t from = s.next_in_frame;
    const std::size_t last = std::max(from, s.position.stop ? f.records_below(*s.position.stop) : f.count());
    const std::size_t n = std::min(last - from, budget);
    if (n > 0) {
      const auto times = f.timestamps().subspan(from, n);
      auto runs = std::make_shared<OffsetRuns>(1, OffsetRun{0, f.offset(from)});
      const BatchPtr rows = n == s.rows->rows ? s.rows : slice(*s.rows, from, n);
      SUPYO_TRY(emit(i, rows, std::vector<TimeUs>(times.begin(), times.end()), std::move(runs), out));
    }
    advance(s, n, last);
    return n > 0;
  }

  /// The same of records whose keys are read: of one frame.
  Result<bool> read_keyed(std::size_t i, std::size_t budget, dataflow::SourceOutput& out) {
    SplitState& s = splits_[i];
    if (s.frame == nullptr) {
      SUPYO_ASSIGN(const bool more, take_frame(i, out));
      if (!more) return false;
    }
    const log::FrameView& f = *s.frame;
    const std::size_t last = std::max(s.next_in_frame, s.position.stop ? f.records_below(*s.position.stop) : f.count());
    const std::size_t n = std::min(last - s.next_in_frame, budget);
    for (std::size_t from = s.next_in_frame, end = from + n; from < end;) {
      // Runs of records with a value, and of those without one.
      records_.clear();
      std::size_t r = from;
      for (; r < end && f.value_is_null(r) == f.value_is_null(from); ++r)
        records_.push_back({.key = f.key(r), .value = f.value_is_null(r) ? std::nullopt : std::optional(f.value(r))});
      SUPYO_TRY(give_keyed(i, from, out));
      from = r;
    }
    advance(s, n, last);
    return n > 0;
  }

  /// Records_ are those of the frame from number `from` on.
  Status give_keyed(std::size_t i, std::size_t from, dataflow::SourceOutput& out) {
    const SplitState& s = splits_[i];
    const log::FrameView& f = *s.frame;
    const auto dead = [&](const formats::BadRecord& b) {
      const std::size_t r = from + b.index;
      return out.dead({.split = static_cast<std::uint32_t>(i), .position = fmt::format("{}@{}", s.id, f.offset(r).value), .field = b.field, .reason = b.reason,
                       .raw = f.value_is_null(r) ? std::string() : std::string(f.value(r).substr(0, 65536)), .produce_us = f.timestamps()[r]});
    };
    if (!config_.upsert && !records_.front().value) {
      if (formats::is_changelog(config_.format.name)) return ok();   // what stands behind a deleted row, for compaction
      for (std::size_t k = 0; k < records_.size(); ++k) SUPYO_TRY(dead({.index = k, .field = {}, .reason = "the record has no value (a tombstone)"}));
      return ok();
    }
    SUPYO_ASSIGN(KeyedRecords::Rows rows, keyed_->decode(records_));
    for (const formats::BadRecord& b : rows.bad) SUPYO_TRY(dead(b));
    if (rows.batch == nullptr) return ok();
    auto runs = std::make_shared<OffsetRuns>();
    std::vector<TimeUs> produce;
    headers_.clear();
    for (const std::uint32_t g : rows.of) {
      note(f, from + g, produce, *runs);
    }
    for (const MetadataColumn& m : config_.metadata) rows.batch->columns[m.position] = metadata_column(m, s, produce, *runs);
    return give(i, std::move(rows.batch), std::move(produce), std::move(runs), out);
  }

  /// Record `r` of the frame is the next row.
  void note(const log::FrameView& f, std::size_t r, std::vector<TimeUs>& produce, OffsetRuns& runs) {
    const Offset offset = f.offset(r);
    if (runs.empty() || offset_of_next(runs, produce.size()) != offset) runs.push_back({produce.size(), offset});
    produce.push_back(f.timestamps()[r]);
    if (config_.with_headers()) headers_.emplace_back(f.headers(r));
  }

  Result<std::size_t> decode_some(std::size_t i, std::size_t room, std::vector<TimeUs>& produce, OffsetRuns& runs, dataflow::SourceOutput& out) {
    SplitState& s = splits_[i];
    const log::FrameView& f = *s.frame;
    const std::size_t from = s.next_in_frame;
    const std::size_t last = std::max(from, s.position.stop ? f.records_below(*s.position.stop) : f.count());
    const std::size_t n = std::min(last - from, room);
    views_.clear();
    for (std::size_t r = 0; r < n; ++r) views_.push_back(f.value(from + r));
    good_.clear();
    bad_.clear();
    SUPYO_TRY(decoder_->decode(views_, builder_, &good_, bad_));
    for (const formats::BadRecord& b : bad_) {
      const std::size_t r = from + b.index;
      SUPYO_TRY(out.dead({.split = static_cast<std::uint32_t>(i), .position = fmt::format("{}@{}", s.id, f.offset(r).value), .field = b.field, .reason = b.reason,
                          .raw = std::string(f.value(r).substr(0, 65536)), .produce_us = f.timestamps()[r]}));
    }
    for (const std::uint32_t g : good_) note(f, from + g, produce, runs);
    advance(s, n, last);
    return n;
  }

  /// `n` more records of the frame were read, of those below `last`.
  static void advance(SplitState& s, std::size_t n, std::size_t last) {
    s.next_in_frame += n;
    if (s.next_in_frame < last) {
      s.position.next = s.frame->offset(s.next_in_frame);
      return;
    }
    // Offsets may have gaps: what lies between the last row and the frame's end was read with it.
    const Offset end = s.frame->end_offset();
    s.position.next = s.position.stop ? std::min(end, *s.position.stop) : end;
    s.frame = nullptr;
    s.rows = nullptr;
  }

  static Offset offset_of_next(const OffsetRuns& runs, std::size_t row) {
    return Offset(runs.back().offset.value + static_cast<std::int64_t>(row - runs.back().row));
  }

  Status emit(std::size_t i, const BatchPtr& decoded, std::vector<TimeUs> produce, std::shared_ptr<const OffsetRuns> runs, dataflow::SourceOutput& out) {
    const SplitState& s = splits_[i];
    BatchPtr batch = decoded;
    if (!config_.metadata.empty()) {
      auto whole = std::make_shared<Batch>();
      whole->rows = decoded->rows;
      whole->kinds = decoded->kinds;
      whole->columns.resize(config_.width);
      for (std::size_t c = 0; c < decoded->columns.size(); ++c) whole->columns[config_.value_positions[c]] = decoded->columns[c];
      for (const MetadataColumn& m : config_.metadata) whole->columns[m.position] = metadata_column(m, s, produce, *runs);
      batch = std::move(whole);
    }
    return give(i, std::move(batch), std::move(produce), std::move(runs), out);
  }

  Status give(std::size_t i, BatchPtr batch, std::vector<TimeUs> produce, std::shared_ptr<const OffsetRuns> runs, dataflow::SourceOutput& out) {
    dataflow::SourceBatch b{.split = static_cast<std::uint32_t>(i), .batch = std::move(batch), .produce_us = std::move(produce)};
    b.position_of = [id = splits_[i].id, runs = std::move(runs)](std::size_t row) { return fmt::format("{}@{}", id, offset_of(*runs, row).value); };
    return out.emit(std::move(b));
  }

  ColumnPtr metadata_column(const MetadataColumn& m, const SplitState& s, const std::vector<TimeUs>& produce, const OffsetRuns& runs) const {
    ColumnBuilder column(m.type, produce.size());
    for (std::size_t row = 0; row < produce.size(); ++row) {
      switch (m.what) {
        case StreamMetadata::kTimestamp: column.append_integer(m.type.precision <= 3 ? produce[row] / kMillisecond * kMillisecond : produce[row]); break;
        case StreamMetadata::kPartition: column.append_integer(s.partition.value); break;
        case StreamMetadata::kOffset: column.append_integer(offset_of(runs, row).value); break;
        case StreamMetadata::kTopic: column.append_text(config_.where.topic); break;
        case StreamMetadata::kTimestampType: column.append_text("CreateTime"); break;
        case StreamMetadata::kHeaders: append_headers(headers_[row], column); break;
        case StreamMetadata::kLeaderEpoch: column.append_null(); break;   // refused by the options
      }
    }
    return column.finish();
  }

  const StreamSourceConfig config_;
  env::Env env_;
  std::unique_ptr<formats::Decoder> decoder_;   // null: rows in columns
  formats::ColumnarDecoder columns_;
  std::optional<KeyedRecords> keyed_;           // when keys are read
  BatchBuilder builder_;
  std::vector<SplitState> splits_;
  std::size_t turn_ = 0;
  TimeUs next_group_commit_us_ = 0;
  log::GroupOffsets uncommitted_;            // of durable epochs
  std::vector<formats::RecordView> views_;   // reused
  std::vector<std::uint32_t> good_;
  std::vector<formats::BadRecord> bad_;
  std::vector<KeyedRecords::Record> records_;
  std::vector<std::string> headers_;         // of the rows of the batch
};

/// Null when there are no records, but rows in columns.
Result<std::unique_ptr<formats::Decoder>> record_decoder(const StreamSourceConfig& config) {
  if (config.columnar) return nullptr;
  return formats::make_decoder(config.format, config.value_schema, config.value_columns);
}

class StreamSource final : public dataflow::Source {
 public:
  StreamSource(StreamSourceConfig config, const env::Env& env) : config_(std::move(config)), env_(env) {}
  std::string_view name() const override { return config_.table; }
  bool bounded() const override { return config_.stop.kind != StreamBound::Kind::kNone; }

  Result<std::vector<dataflow::Split>> splits() override {
    SUPYO_ASSIGN(const log::Topic topic, log::open_topic(env_.files, config_.where.log_directory, config_.where.topic));
    std::vector<dataflow::Split> all;
    for (std::int32_t p = 0; p < topic.config.partitions; ++p) all.push_back({fmt::format("{}/{}", topic.name, p), ""});
    return all;
  }

  Result<std::unique_ptr<dataflow::SourceReader>> open(std::vector<dataflow::Split> splits, const env::Env& env) override {
    SUPYO_ASSIGN(const log::Topic topic, log::open_topic(env.files, config_.where.log_directory, config_.where.topic));
    SUPYO_ASSIGN(auto decoder, record_decoder(config_));
    Schema decoded;
    for (const std::size_t c : config_.value_columns) decoded.add(config_.value_schema[c].name, config_.value_schema[c].type);
    auto reader = std::make_unique<StreamReader>(config_, env, std::move(decoder), decoded);
    SUPYO_TRY(reader->start(topic, splits));
    return reader;
  }

 private:
  StreamSourceConfig config_;
  env::Env env_;
};

}  // namespace

Result<std::shared_ptr<dataflow::Source>> make_stream_source(const catalog::SourceRequest& request, const env::Env& env, bool upsert) {
  SUPYO_ASSIGN(StreamSourceConfig config, stream_source_config(request, upsert));
  SUPYO_ASSIGN(const auto decoder, record_decoder(config));   // checked before the job starts
  if (config.reads_keys()) SUPYO_TRY(KeyedRecords::make(config));
  return std::make_shared<StreamSource>(std::move(config), env);
}

}  // namespace supyo::connect
