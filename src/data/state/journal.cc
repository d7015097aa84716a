#include "data/state/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "core/base/check.h"
#include "core/base/fault_point.h"
#include "data/state/change_index.h"
#include "data/state/journal_format.h"
#include "data/state/snapshot_builder.h"
#include "data/state/snapshot_format.h"
#include "data/state/side_by_side.h"
#include "data/state/stored_entries.h"

namespace supyo::state {
namespace {

constexpr std::size_t kMaxSpares = 2;

Status ensure_directory(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const bool there, files.is_directory(path));
  if (!there) SUPYO_TRY(files.create_directories(path));
  return files.sync_directory(env::parent_path(path));
}

Error damaged(const std::string& path, std::uint64_t offset, std::string_view why) {
  return {.code = ErrorCode::kDamaged,
          .message = fmt::format("{} at offset {}: {}", path, offset, why),
          .hint = "restore the state directory from a copy: what stands behind the damage was acknowledged and would be lost"};
}

}  // namespace

/// What stored() gives out: kept until the first append, and while a table is not read to its end.
struct Journal::Restorable {
  std::shared_ptr<const SnapshotReader> snapshot;
  std::vector<std::unique_ptr<env::MappedFile>> maps;   // parallel to segments_ while recovering
  std::vector<SegmentHeader> headers;                   // the same
  ChangeIndex changes;                                  // points into the maps
};

Journal::Journal(const env::Env& env, std::string dir, std::string job_id, JournalOptions options)
    : env_(env),
      dir_(env::join_path(dir, "journal")),
      snapshot_dir_(env::join_path(dir, "snapshots")),
      job_id_(std::move(job_id)),
      options_(options) {
  SUPYO_CHECK_LE(job_id_.size(), kMaxJobIdBytes);
}

Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(const env::Env& env, std::string dir, std::string job_id, JournalOptions options) {
  std::unique_ptr<Journal> journal(new Journal(env, std::move(dir), std::move(job_id), options));
  SUPYO_TRY(journal->recover());
  return journal;
}

// --- recovery

Status Journal::recover() {
  env::Files& files = env_.files;
  SUPYO_TRY(ensure_directory(files, dir_));
  SUPYO_TRY(ensure_directory(files, snapshot_dir_));
  restorable_ = std::make_shared<Restorable>();
  read_ = restorable_;
  SUPYO_TRY(read_segments());
  SUPYO_ASSIGN(const bool has_snapshot, read_snapshot());
  if (segments_.empty() && has_snapshot) {
    return fail(ErrorCode::kDamaged, fmt::format("{}: no journal segment is there, but a snapshot of epoch {} is", dir_, recovered_.snapshot.value),
                "restore the state directory from a copy");
  }
  if (!segments_.empty()) {
    SUPYO_TRY(read_records());
    // After a mere kill the tail may stand in the page cache only: it counts as final from here on, so make it so.
    SUPYO_ASSIGN(const auto last, files.open(segments_.back().path, env::OpenMode::kReadWrite));
    SUPYO_TRY(last->sync());
  }
  SUPYO_TRY(files.sync_directory(dir_));
  SUPYO_TRY(files.sync_directory(snapshot_dir_));
  appended_ = final_;
  last_appended_ = last_final_ = recovered_.last;
  // Always a new segment: what a crash left behind the last good record is never written over, and its header says where that record ends.
  SUPYO_TRY(find_spares());
  SUPYO_TRY(roll(0));
  restorable_->headers.clear();
  return tidy_up();
}

/// Opens the newest segment and, following what each says about the one before it, all older ones that are there.
Status Journal::read_segments() {
  SUPYO_ASSIGN(const std::vector<std::string> names, env_.files.list(dir_));
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : names) {
    if (const auto n = number_of_name(kSegmentPrefix, name)) numbers.push_back(*n);
  }
  if (numbers.empty()) return ok();
  std::uint64_t wanted = last_mapped_ = numbers.back();
  while (wanted != 0 && std::ranges::binary_search(numbers, wanted)) {
    const std::string path = env::join_path(dir_, numbered_name(kSegmentPrefix, wanted));
    SUPYO_ASSIGN(auto map, env_.files.map(path));
    // The name was given only after the header was durable: one that does not read is damage, never a torn write.
    SUPYO_ASSIGN(SegmentHeader header, decode_segment_header(map->bytes(), path, job_id_));
    if (header.segment != wanted) return fail(damaged(path, 0, fmt::format("the header is that of segment {}", header.segment)));
    if (header.previous.segment >= wanted) return fail(damaged(path, 0, "the segment before it is said to be a later one"));
    wanted = header.previous.segment;
    segments_.insert(segments_.begin(), {.number = header.segment, .path = path, .end = kSegmentHeaderBytes});
    // A segment ends where the next one says; the last one's end is found by reading it.
    if (segments_.size() > 1) segments_.front().end = restorable_->headers.front().previous.offset;
    restorable_->maps.insert(restorable_->maps.begin(), std::move(map));
    restorable_->headers.insert(restorable_->headers.begin(), std::move(header));
  }
  return ok();
}

/// Picks the newest snapshot that reads; false when there is none.
Result<bool> Journal::read_snapshot() {
  SUPYO_ASSIGN(const std::vector<std::string> names, env_.files.list(snapshot_dir_));
  bool any = false;
  std::vector<std::pair<Snapshot, std::shared_ptr<const SnapshotReader>>> good;   // newest first
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (!number_of_name(kSnapshotPrefix, *name)) continue;
    any = true;
    const std::string path = env::join_path(snapshot_dir_, *name);
    // The older one stands by, and is read as a whole when it is needed.
    auto reader = SnapshotReader::open(env_.files, path, job_id_, good.empty() ? SnapshotReader::Check::kWhole : SnapshotReader::Check::kEnds, env_.threads);
    if (!reader) {
      if (reader.error().code != ErrorCode::kDamaged) return fail(reader.error());
      recovered_.notes.push_back(fmt::format("passed over a damaged snapshot: {}", reader.error().message));
      SUPYO_REACHED("snapshot.passed_over");
      continue;
    }
    const SnapshotHeader& h = (*reader)->header();
    good.emplace_back(Snapshot{.epoch = h.epoch, .path = path, .position = h.position, .bytes = (*reader)->file_bytes()}, std::move(*reader));
    if (good.size() == 2) break;
  }
  if (good.empty()) {
    if (any && (segments_.empty() || restorable_->headers.front().previous.segment != 0)) {
      return fail(ErrorCode::kDamaged, fmt::format("{}: no snapshot is readable, and the journal does not reach back to the first epoch ({})",
                                                   snapshot_dir_, recovered_.notes.back()),
                  "restore the state directory from a copy");
    }
    return false;
  }
  for (auto it = good.rbegin(); it != good.rend(); ++it) snapshots_.push_back(it->first);
  restorable_->snapshot = good.front().second;
  const SnapshotReader& reader = *restorable_->snapshot;
  recovered_.snapshot = recovered_.last = reader.header().epoch;
  recovered_.snapshot_entries = reader.entries();
  recovered_.sections = reader.sections();
  final_ = reader.header().position;
  return true;
}

/// The records of one segment behind the snapshot.
struct Journal::SegmentRead {
  std::uint64_t begin = 0, end = 0;
  std::uint32_t chain = 0;            // of what stands before `end`
  Epoch first, last;
  std::uint64_t records = 0;
  std::vector<Section> sections;      // of the last
  std::optional<Error> error;         // of what stands at `end`
};

/// Any thread.
Journal::SegmentRead Journal::read_segment(std::size_t i, bool middle, ChangeList& changes) const {
  const Segment& s = segments_[i];
  const std::string_view file = restorable_->maps[i]->bytes();
  const std::uint64_t sealed_end = i + 1 == segments_.size() ? file.size() : restorable_->headers[i + 1].previous.offset;
  SegmentRead read;
  read.begin = read.end = middle ? final_.offset : kSegmentHeaderBytes;
  read.chain = middle ? final_.chain : restorable_->headers[i].chain;
  while (read.end < sealed_end) {
    const auto record = record_at(file, s.number, read.end, read.chain);
    if (!record) break;
    if (read.records > 0 && record->epoch <= read.last) {
      read.error = damaged(s.path, read.end, fmt::format("epoch {} follows epoch {}", record->epoch.value, read.last.value));
      break;
    }
    read.sections.clear();
    const auto collect = [&](StoredTable table, std::span<const ChangeRef> some) { changes.add(table, some); };
    if (const Status decoded = decode_body(record->body, read.sections, collect); !decoded) {
      read.error = damaged(s.path, read.end, decoded.error().message);
      break;
    }
    if (read.records++ == 0) read.first = record->epoch;
    read.last = record->epoch;
    read.end = record->end;
    read.chain = record->chain;
  }
  return read;
}

/// Each segment's header says what its first record stands behind, so that they are read side by side: each part takes segments that follow one another.
std::vector<Journal::SegmentRead> Journal::read_segments_from(std::size_t first) {
  std::vector<std::uint64_t> bytes_until = {0};   // of the i-th from `first` on
  for (std::size_t i = first; i < segments_.size(); ++i) bytes_until.push_back(bytes_until.back() + restorable_->maps[i]->bytes().size());
  const SideBySide threads(env_.threads, bytes_until.back());
  std::vector<ChangeList> changes(threads.parts());
  std::vector<SegmentRead> reads(segments_.size() - first);
  threads.run([&](std::size_t part) {
    for (std::size_t i = 0; i < reads.size(); ++i)
      if (bytes_until[i] * threads.parts() / (bytes_until.back() + 1) == part)
        reads[i] = read_segment(first + i, segments_[first + i].number == final_.segment, changes[part]);
  });
  restorable_->changes = ChangeIndex(changes, threads);
  return reads;
}

/// Reads every record behind the snapshot (or from the beginning), checks that each segment ends where the next one says.
Status Journal::read_records() {
  const std::vector<SegmentHeader>& headers = restorable_->headers;
  std::size_t first = 0;
  if (final_.segment != 0) {
    while (first < segments_.size() && segments_[first].number < final_.segment) ++first;
  }
  const bool inside = first < segments_.size() && segments_[first].number == final_.segment;
  if (!inside && (first == segments_.size() || headers[first].previous != final_)) {
    return fail(damaged(segments_.back().path, 0,
                        fmt::format("the journal does not go on from epoch {} (segment {}, offset {}): a segment is missing", recovered_.last.value,
                                    final_.segment, final_.offset)));
  }
  std::vector<SegmentRead> reads = read_segments_from(first);
  for (std::size_t i = first; i < segments_.size(); ++i) {
    Segment& s = segments_[i];
    SegmentRead& read = reads[i - first];
    if (read.records > 0) {
      if (read.first <= recovered_.last) return fail(damaged(s.path, read.begin, fmt::format("epoch {} follows epoch {}", read.first.value, recovered_.last.value)));
      recovered_.last = read.last;
      recovered_.sections = std::move(read.sections);
      recovered_.journal_epochs += read.records;
      uncovered_bytes_ += read.end - read.begin;
      final_ = {.segment = s.number, .offset = read.end, .chain = read.chain};
    }
    if (read.error) return fail(std::move(*read.error));
    if (i + 1 < segments_.size()) {
      if (headers[i + 1].previous != final_) return fail(damaged(s.path, read.end, "an acknowledged epoch does not match its checksum"));
      continue;
    }
    const std::string_view file = restorable_->maps[i]->bytes();
    if (acknowledged_beyond(file, s.number, read.end)) return fail(damaged(s.path, read.end, "an acknowledged epoch does not match its checksum"));
    // Unwritten bytes are zero in a fresh file, but old records in a recycled one: only a record that was begun for this place is a torn one.
    if (const std::uint64_t torn = torn_bytes(file, s.number, read.end); torn > 0) {
      recovered_.torn_bytes = torn;
      recovered_.notes.push_back(fmt::format("cut off {} bytes of an epoch that was never acknowledged: {} at offset {}", torn, s.path, read.end));
      SUPYO_REACHED("recover.torn_tail");
    }
    s.end = read.end;
  }
  return ok();
}

/// Takes over the spares of an earlier run.
Status Journal::find_spares() {
  SUPYO_ASSIGN(const std::vector<std::string> names, env_.files.list(dir_));
  for (const std::string& name : names) {
    if (!number_of_name(kSparePrefix, name) || spares_.size() == kMaxSpares) continue;
    const std::string path = env::join_path(dir_, name);
    SUPYO_ASSIGN(const auto file, env_.files.open(path, env::OpenMode::kRead));
    SUPYO_ASSIGN(const std::uint64_t size, file->size());
    if (size == options_.segment_bytes) spares_.push_back(path);
  }
  return ok();
}

/// Segments that belong to no chain any more become spares or go; so do half-made files. Nothing here is needed for being right.
Status Journal::tidy_up() {
  SUPYO_ASSIGN(const std::vector<std::string> names, env_.files.list(dir_));
  std::vector<std::string> retired;
  for (const std::string& name : names) {
    const std::string path = env::join_path(dir_, name);
    const bool in_use = std::ranges::any_of(segments_, [&](const Segment& s) { return s.path == path; });
    if (number_of_name(kSegmentPrefix, name) && !in_use) retired.push_back(path);
    const bool spare = std::ranges::find(spares_, path) != spares_.end();
    if (number_of_name(kSparePrefix, name) && !spare) SUPYO_TRY(env_.files.remove(path));
  }
  SUPYO_TRY(retire(retired));
  SUPYO_ASSIGN(const std::vector<std::string> snapshots, env_.files.list(snapshot_dir_));
  for (const std::string& name : snapshots) {
    if (name.ends_with(".tmp")) SUPYO_TRY(env_.files.remove(env::join_path(snapshot_dir_, name)));
  }
  return ok();
}

/// Makes spares of segment files (those of the usual size, a few), removes the others, oldest first.
Status Journal::retire(const std::vector<std::string>& paths) {
  env::Files& files = env_.files;
  std::vector<std::string> fresh;
  for (const std::string& path : paths) {
    SUPYO_ASSIGN(const auto file, files.open(path, env::OpenMode::kRead));
    SUPYO_ASSIGN(const std::uint64_t size, file->size());
    const std::string number = env::base_name(path).substr(kSegmentPrefix.size());
    const bool read = !read_.expired() && number_of_name(kSegmentPrefix, env::base_name(path)).value_or(0) <= last_mapped_;
    if (read || size != options_.segment_bytes || spares_.size() + fresh.size() >= kMaxSpares) {
      if (read) SUPYO_REACHED("journal.removed_while_read");
      SUPYO_TRY(files.remove(path));
      continue;
    }
    const std::string spare = env::join_path(dir_, std::string(kSparePrefix) + number);
    SUPYO_TRY(files.rename(path, spare));
    fresh.push_back(spare);
    SUPYO_REACHED("journal.recycled");
  }
  // A file may be written anew only once its old name is gone for good: a crash must not bring the name back over other contents.
  SUPYO_TRY(files.sync_directory(dir_));
  spares_.insert(spares_.end(), fresh.begin(), fresh.end());
  return ok();
}

std::vector<Journal::StoredTable> Journal::stored_tables() const {
  SUPYO_CHECK(restorable_ != nullptr);   // before the first append
  return tables_of(restorable_->snapshot.get(), restorable_->changes);
}

std::shared_ptr<const StoredEntries> Journal::stored(const StoredTable& table, std::uint32_t shard, std::uint32_t shards) const {
  SUPYO_CHECK(restorable_ != nullptr);   // before the first append
  SUPYO_CHECK_LT(shard, shards);
  return std::make_shared<StoredEntries>(restorable_, restorable_->snapshot.get(), restorable_->changes, table, shard, shards);
}

void Journal::end_restore() { restorable_.reset(); }

// --- writing

std::unexpected<Error> Journal::close(Error error) {
  closed_ = Error{.code = ErrorCode::kLogClosed,
                  .message = fmt::format("the journal {} is closed since an earlier failure: {}", dir_, error.message),
                  .hint = "mend the cause, then start the job again: it goes on from its last final epoch"};
  return fail(std::move(error));
}

/// Begins the next segment: header durable under another name first, then the name, so that a named segment always has its header.
Status Journal::roll(std::uint64_t record_bytes) {
  if (active_ && durable_ < offset_) SUPYO_TRY(sync());
  env::Files& files = env_.files;
  const std::uint64_t number = segments_.empty() ? 1 : segments_.back().number + 1;
  const std::uint64_t bytes = std::max(options_.segment_bytes, kSegmentHeaderBytes + record_bytes);
  const bool recycled = bytes == options_.segment_bytes && !spares_.empty();
  const std::string path = env::join_path(dir_, numbered_name(kSegmentPrefix, number));
  std::string from = recycled ? spares_.back() : env::join_path(dir_, numbered_name(kSparePrefix, number));
  if (recycled) spares_.pop_back();
  // Until the rename nothing of the journal has changed: a failure (a full disk above all) leaves it as it was.
  SUPYO_ASSIGN(auto file, files.open(from, env::OpenMode::kCreateOrOpen));
  if (!recycled) {
    SUPYO_TRY(file->truncate(0));
    SUPYO_TRY(file->allocate(bytes));
  }
  const std::string header = encode_segment_header({.segment = number, .previous = final_, .job_id = job_id_});
  SUPYO_TRY(file->write_at(0, header));
  SUPYO_TRY(file->sync());
  SUPYO_ASSIGN(const SegmentHeader written, decode_segment_header(header, path, job_id_));
  if (const Status named = files.rename(from, path); !named) return close(named.error());
  if (const Status named = files.sync_directory(dir_); !named) return close(named.error());
  // A segment without records is in no chain once there is a newer one: starting again and again must not pile files up.
  std::vector<std::string> empty;
  if (!segments_.empty() && segments_.back().number != final_.segment) {
    empty.push_back(segments_.back().path);
    segments_.pop_back();
  }
  segments_.push_back({.number = number, .path = path, .end = kSegmentHeaderBytes});
  active_ = std::move(file);
  capacity_ = bytes;
  offset_ = durable_ = kSegmentHeaderBytes;
  chain_ = written.chain;
  // If this fails the file stays until the next start tidies up; the journal itself is whole.
  if (!empty.empty()) static_cast<void>(retire(empty).has_value());
  return ok();
}

Status Journal::append(const EpochRecord& record) {
  if (closed_) return fail(*closed_);
  SUPYO_CHECK_LT(last_appended_.value, record.epoch.value);
  restorable_.reset();
  const auto encode = [&] { return encode_record(record, segments_.back().number, offset_, durable_, chain_, buffer_); };
  std::uint32_t crc = encode();
  if (buffer_.size() > kMaxRecordBytes) {
    return fail(ErrorCode::kLogFull, fmt::format("epoch {} has {} bytes of changes; an epoch holds at most {}", record.epoch.value, buffer_.size(), kMaxRecordBytes),
                "close epochs more often (execution.checkpointing.interval, supyo.epoch.rows)");
  }
  if (capacity_ - offset_ < buffer_.size()) {
    SUPYO_TRY(roll(buffer_.size()));
    crc = encode();
  }
  if (Status written = active_->write_at(offset_, buffer_); !written) {
    // A full disk may have room again: the same place is written once more then. Anything else is not to be trusted.
    if (written.error().code == ErrorCode::kDiskFull) return written;
    return close(written.error());
  }
  offset_ += buffer_.size();
  uncovered_bytes_ += buffer_.size();
  chain_ = crc;
  appended_ = {.segment = segments_.back().number, .offset = offset_, .chain = crc};
  last_appended_ = record.epoch;
  return ok();
}

Status Journal::sync() {
  if (closed_) return fail(*closed_);
  if (durable_ == offset_) return ok();
  if (const Status synced = active_->sync(); !synced) {
    Error e = synced.error();
    e.code = ErrorCode::kSyncFailed;
    return close(std::move(e));
  }
  durable_ = offset_;
  final_ = appended_;
  last_final_ = last_appended_;
  segments_.back().end = offset_;
  return ok();
}

// --- snapshots

bool Journal::snapshot_due() const {
  if (snapshotting_ || closed_) return false;
  const bool has = !snapshots_.empty();
  if (last_final_.value <= (has ? snapshots_.back().epoch.value : 0)) return false;
  const std::uint64_t least = std::max(options_.snapshot_after_bytes, has ? snapshots_.back().bytes / 2 : 0);
  if (uncovered_bytes_ >= least) return true;
  const std::uint64_t covered = has ? snapshots_.back().position.segment : 0;
  const auto uncovered = std::ranges::count_if(segments_, [&](const Segment& s) { return s.number > covered; });
  return static_cast<std::uint64_t>(uncovered) >= options_.snapshot_after_segments;
}

std::unique_ptr<SnapshotBuilder> Journal::begin_snapshot() {
  const bool has = !snapshots_.empty();
  if (snapshotting_ || closed_ || last_final_.value <= (has ? snapshots_.back().epoch.value : 0)) return nullptr;
  snapshotting_ = true;
  SnapshotBuilder::Plan plan;
  plan.job_id = job_id_;
  plan.directory = snapshot_dir_;
  plan.epoch = last_final_;
  plan.until = final_;
  if (has) {
    plan.base = snapshots_.back().path;
    plan.from = snapshots_.back().position;
  }
  for (const Segment& s : segments_) {
    if (s.number >= plan.from.segment && s.number <= plan.until.segment) plan.segments.push_back({.number = s.number, .path = s.path});
  }
  plan.uncovered_bytes = uncovered_bytes_;
  return std::unique_ptr<SnapshotBuilder>(new SnapshotBuilder(std::make_unique<SnapshotBuilder::Impl>(env_.files, std::move(plan))));
}

Status Journal::end_snapshot(const SnapshotBuilder& builder) {
  SUPYO_CHECK(snapshotting_);
  snapshotting_ = false;
  if (!builder.done()) return ok();
  const SnapshotBuilder::Impl& built = *builder.impl_;
  snapshots_.push_back({.epoch = built.plan.epoch, .path = built.path(), .position = built.plan.until, .bytes = built.file_bytes});
  uncovered_bytes_ -= std::min(uncovered_bytes_, built.plan.uncovered_bytes);
  return recycle();
}

/// Removes snapshots but for the newest two, and segments that the older of these covers: if the newer one should turn out damaged, the journal
/// still reaches back to the older.
Status Journal::recycle() {
  env::Files& files = env_.files;
  SUPYO_ASSIGN(const std::vector<std::string> names, files.list(snapshot_dir_));
  while (snapshots_.size() > 2) snapshots_.erase(snapshots_.begin());
  for (const std::string& name : names) {
    const std::string path = env::join_path(snapshot_dir_, name);
    const bool kept = std::ranges::any_of(snapshots_, [&](const Snapshot& s) { return s.path == path; });
    if (!kept && number_of_name(kSnapshotPrefix, name)) SUPYO_TRY(files.remove(path));
  }
  if (snapshots_.size() < 2) return ok();
  const JournalPosition covered = snapshots_.front().position;
  // The segment being written stays, and so does one that the older snapshot ends in the middle of.
  std::vector<std::string> retired;
  while (segments_.size() > 1) {
    const Segment& s = segments_.front();
    if (s.number > covered.segment || (s.number == covered.segment && s.end != covered.offset)) break;
    retired.push_back(s.path);
    segments_.erase(segments_.begin());
  }
  return retire(retired);
}

}  // namespace supyo::state
