#include "data/state/snapshot_format.h"

#include <fmt/format.h>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/crc32c.h"
#include "data/state/side_by_side.h"

namespace supyo::state {
namespace {

constexpr std::string_view kMagic = "SUPYOSNP";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kHeaderBytes = 128;
constexpr std::uint64_t kBlockHeaderBytes = 16;
constexpr std::uint64_t kTrailerBytes = 32;
constexpr std::uint32_t kBlockMagic = 0x4b4c4253;    // "SBLK"
constexpr std::uint32_t kTrailerMagic = 0x444e4553;  // "SEND"
constexpr std::size_t kBlockTarget = 64 * 1024;
constexpr std::uint64_t kSyncEvery = 1 << 20;

enum BlockKind : std::uint32_t { kSections = 1, kEntries = 2, kIndex = 3 };

std::string encode_header(const SnapshotHeader& header) {
  std::string out(kMagic);
  ByteWriter w(out);
  w.u32(kVersion);
  w.u32(0);
  w.i64(header.epoch.value);
  w.u64(header.position.segment);
  w.u64(header.position.offset);
  w.u32(header.position.chain);
  w.text(header.job_id);
  out.resize(kHeaderBytes - 4, '\0');
  w.u32(crc32c(out));
  return out;
}

/// The checksum of a block covers its place, its kind and its body.
std::uint32_t block_crc(std::uint64_t offset, std::uint32_t kind, std::string_view body) {
  std::string place;
  ByteWriter w(place);
  w.u64(offset);
  w.u32(kind);
  return crc32c(body, crc32c(place));
}

/// Whether `bytes` are exactly `count` entries, so that cursors need no checks of their own.
bool reads_as(std::string_view bytes, std::uint32_t count) {
  ByteReader r(bytes);
  for (std::uint32_t i = 0; i < count && !r.failed(); ++i) {
    r.u64();
    r.text();
    r.text();
  }
  return !r.failed() && r.done();
}

}  // namespace

// --- writing

Result<SnapshotWriter> SnapshotWriter::create(env::Files& files, const std::string& path, const SnapshotHeader& header,
                                              const std::vector<Section>& sections) {
  SUPYO_ASSIGN(auto file, files.open(path, env::OpenMode::kCreateOrOpen));
  SUPYO_TRY(file->truncate(0));
  SnapshotWriter writer(std::move(file));
  const std::string head = encode_header(header);
  SUPYO_TRY(writer.file_->write_at(0, head));
  writer.offset_ = head.size();
  std::string body;
  ByteWriter w(body);
  w.varint(sections.size());
  for (const Section& s : sections) {
    w.u16(s.id);
    w.text(s.bytes);
  }
  SUPYO_TRY(writer.write_block(kSections, body));
  return writer;
}

Status SnapshotWriter::write_block(std::uint32_t kind, std::string_view body) {
  std::string out;
  ByteWriter w(out);
  w.u32(kBlockMagic);
  w.u32(kind);
  w.u32(static_cast<std::uint32_t>(body.size()));
  w.u32(block_crc(offset_, kind, body));
  out.append(body);
  SUPYO_TRY(file_->write_at(offset_, out));
  offset_ += out.size();
  return ok();
}

Status SnapshotWriter::flush_block() {
  if (current_.entries == 0) return ok();
  current_.offset = offset_;
  blocks_.push_back(current_);
  SUPYO_TRY(write_block(kEntries, block_));
  block_.clear();
  current_ = {};
  // A little at a time: one sync of the whole file would keep the disk from the journal, whose sync every result waits for.
  if (offset_ - synced_ < kSyncEvery) return ok();
  synced_ = offset_;
  return file_->sync();
}

Status SnapshotWriter::add(const SnapshotEntry& e) {
  const bool other_table = current_.entries > 0 && (e.operator_id != current_.operator_id || e.table != current_.table);
  if (other_table || block_.size() >= kBlockTarget) SUPYO_TRY(flush_block());
  if (current_.entries == 0) current_ = {.operator_id = e.operator_id, .table = e.table, .first_hash = e.hash};
  ByteWriter w(block_);
  w.u64(e.hash);
  w.text(e.key);
  w.text(e.value);
  current_.last_hash = e.hash;
  ++current_.entries;
  ++entries_;
  return ok();
}

Result<std::uint64_t> SnapshotWriter::finish() {
  SUPYO_TRY(flush_block());
  std::string body;
  ByteWriter w(body);
  w.varint(blocks_.size());
  for (const Block& b : blocks_) {
    w.u64(b.offset);
    w.u32(b.operator_id);
    w.u16(b.table);
    w.u32(b.entries);
    w.u64(b.first_hash);
    w.u64(b.last_hash);
  }
  const std::uint64_t index = offset_;
  SUPYO_TRY(write_block(kIndex, body));
  std::string trailer;
  ByteWriter t(trailer);
  t.u64(index);
  t.u64(entries_);
  t.u64(offset_ + kTrailerBytes);
  t.u32(kTrailerMagic);
  t.u32(crc32c(trailer));
  SUPYO_TRY(file_->write_at(offset_, trailer));
  offset_ += trailer.size();
  SUPYO_TRY(file_->sync());
  return offset_;
}

// --- reading

Error SnapshotReader::damaged(std::uint64_t offset, std::string_view why) const {
  return {.code = ErrorCode::kDamaged, .message = fmt::format("{} at offset {}: {}", path_, offset, why)};
}

Result<std::shared_ptr<const SnapshotReader>> SnapshotReader::open(env::Files& files, const std::string& path, std::string_view job_id, Check check, env::Threads* threads) {
  std::shared_ptr<SnapshotReader> reader(new SnapshotReader);
  reader->path_ = path;
  SUPYO_ASSIGN(reader->map_, files.map(path));
  SUPYO_TRY(reader->check_ends(job_id));
  if (check == Check::kWhole) SUPYO_TRY(reader->check_blocks(threads));
  return reader;
}

Result<std::string_view> SnapshotReader::block_at(std::uint64_t offset, std::uint32_t kind) const {
  const std::string_view file = map_->bytes();
  if (offset > file.size() || file.size() - offset < kBlockHeaderBytes) return fail(damaged(offset, "a block is cut off"));
  ByteReader r(file.substr(offset, kBlockHeaderBytes));
  if (r.u32() != kBlockMagic || r.u32() != kind) return fail(damaged(offset, "no block begins here"));
  const std::uint64_t length = r.u32();
  const std::uint32_t crc = r.u32();
  if (length > file.size() - offset - kBlockHeaderBytes) return fail(damaged(offset, "a block is cut off"));
  const std::string_view body = file.substr(offset + kBlockHeaderBytes, length);
  if (block_crc(offset, kind, body) != crc) return fail(damaged(offset, "a block does not match its checksum"));
  return body;
}

Status SnapshotReader::check_ends(std::string_view job_id) {
  const std::string_view file = map_->bytes();
  if (file.size() < kHeaderBytes + kTrailerBytes || !file.starts_with(kMagic)) return fail(damaged(0, "not a snapshot"));
  if (crc32c(file.substr(0, kHeaderBytes - 4)) != ByteReader(file.substr(kHeaderBytes - 4)).u32()) {
    return fail(damaged(0, "the header does not match its checksum"));
  }
  ByteReader h(file.substr(kMagic.size(), kHeaderBytes - kMagic.size()));
  const std::uint32_t version = h.u32();
  if (version != kVersion) {
    return fail(ErrorCode::kFormatVersion, fmt::format("{}: snapshot format {} is not known here", path_, version), "use the Supyo that wrote it");
  }
  h.u32();
  header_.epoch = Epoch(h.i64());
  header_.position.segment = h.u64();
  header_.position.offset = h.u64();
  header_.position.chain = h.u32();
  header_.job_id = h.text();
  if (header_.job_id != job_id) {
    return fail(ErrorCode::kStateOfOtherJob, fmt::format("{} belongs to job {}, not to job {}", path_, header_.job_id, job_id),
                "put back this job's own snapshots, or start with a new state directory");
  }

  const std::uint64_t trailer_at = file.size() - kTrailerBytes;
  ByteReader t(file.substr(trailer_at));
  index_at_ = t.u64();
  entries_ = t.u64();
  if (t.u64() != file.size() || t.u32() != kTrailerMagic || t.u32() != crc32c(file.substr(trailer_at, kTrailerBytes - 4))) {
    return fail(damaged(trailer_at, "the trailer does not match its checksum"));
  }
  return ok();
}

Status SnapshotReader::check_blocks(env::Threads* threads) {
  SUPYO_ASSIGN(const std::string_view sections, block_at(kHeaderBytes, kSections));
  ByteReader s(sections);
  const std::uint64_t section_count = s.varint();
  for (std::uint64_t i = 0; i < section_count && !s.failed(); ++i) {
    const std::uint16_t id = s.u16();
    sections_.push_back({.id = id, .bytes = std::string(s.text())});
  }

  SUPYO_ASSIGN(const std::string_view index, block_at(index_at_, kIndex));
  ByteReader r(index);
  const std::uint64_t block_count = r.varint();
  std::uint64_t total = 0;
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t i = 0; i < block_count && !r.failed(); ++i) {
    SnapshotBlock b;
    const std::uint64_t offset = r.u64();
    b.operator_id = r.u32();
    b.table = r.u16();
    b.count = r.u32();
    b.first_hash = r.u64();
    b.last_hash = r.u64();
    const auto table = [](const SnapshotBlock& x) { return std::pair(x.operator_id, x.table); };
    const bool first_of_table = blocks_.empty() || table(blocks_.back()) < table(b);
    if (b.first_hash > b.last_hash || (!first_of_table && (table(blocks_.back()) != table(b) || blocks_.back().last_hash > b.first_hash)))
      return fail(damaged(index_at_, "the index is not in order"));
    total += b.count;
    blocks_.push_back(b);
    offsets.push_back(offset);
  }
  if (s.failed() || r.failed() || total != entries_) return fail(damaged(index_at_, "the index does not read"));
  const SideBySide side_by_side(threads, file_bytes());
  std::vector<Status> checked(side_by_side.parts());
  side_by_side.run([&](std::size_t part) {
    for (std::size_t i = offsets.size() * part / checked.size(); checked[part] && i < offsets.size() * (part + 1) / checked.size(); ++i) {
      auto entries = block_at(offsets[i], kEntries);
      if (entries && !reads_as(*entries, blocks_[i].count)) entries = fail(damaged(offsets[i], "a block's entries do not read"));
      if (entries) blocks_[i].entries = *entries;
      else checked[part] = fail(std::move(entries).error());
    }
  });
  for (Status& c : checked) SUPYO_TRY(std::move(c));
  return ok();
}

SnapshotCursor::SnapshotCursor(std::span<const SnapshotBlock> blocks, std::uint32_t shard, std::uint32_t shards)
    : blocks_(blocks), shard_(shard), shards_(shards) {
  next();
}

bool SnapshotCursor::open_block() {
  while (!blocks_.empty()) {
    const SnapshotBlock& b = blocks_.front();
    blocks_ = blocks_.subspan(1);
    // shard_of() grows with the hash, so a block whose ends lie on one side of the shard has nothing of it.
    if (shards_ > 1 && (shard_of(b.first_hash, shards_) > shard_ || shard_of(b.last_hash, shards_) < shard_)) continue;
    rest_ = b.entries;
    left_ = b.count;
    entry_.operator_id = b.operator_id;
    entry_.table = b.table;
    bytes_read_ += rest_.size();
    return true;
  }
  return false;
}

void SnapshotCursor::next() {
  for (;;) {
    if (left_ == 0 && !open_block()) {
      valid_ = false;
      return;
    }
    --left_;
    ByteReader r(rest_);
    entry_.hash = r.u64();
    entry_.key = r.text();
    entry_.value = r.text();
    SUPYO_CHECK(!r.failed());  // open() walked every block
    rest_ = rest_.substr(rest_.size() - r.remaining());
    if (shards_ == 1 || shard_of(entry_.hash, shards_) == shard_) {
      valid_ = true;
      return;
    }
  }
}

OverlayCursor::OverlayCursor(std::span<const SnapshotBlock> blocks, std::span<const ChangeView> changes, std::uint32_t shard, std::uint32_t shards)
    : old_(blocks, shard, shards), changes_(changes), shard_(shard), shards_(shards) {
  settle();
}

void OverlayCursor::settle() {
  for (;;) {
    while (at_ < changes_.size() && !mine(changes_[at_])) ++at_;
    const SnapshotEntry* old = old_.get();
    const ChangeView* change = at_ < changes_.size() ? &changes_[at_] : nullptr;
    const int order = change == nullptr ? (old == nullptr ? 0 : -1) : old == nullptr ? 1 : compare_keys(*old, *change);
    if (change == nullptr && old == nullptr) {
      current_ = nullptr;
      return;
    }
    from_old_ = order < 0;
    if (from_old_) {
      current_ = old;
      return;
    }
    if (order == 0) old_.next();   // overwritten or deleted
    if (change->deleted) {
      ++at_;
      continue;
    }
    changed_ = {.operator_id = change->operator_id, .table = change->table, .hash = change->hash, .key = change->key, .value = change->value};
    change_bytes_ += change->key.size() + change->value.size();
    current_ = &changed_;
    return;
  }
}

void OverlayCursor::next() {
  if (from_old_) old_.next();
  else ++at_;
  settle();
}

}  // namespace supyo::state
