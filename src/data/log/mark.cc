#include "data/log/mark.h"

#include <fmt/format.h>

#include <array>

#include "core/base/bytes.h"
#include "core/base/crc32c.h"

namespace supyo::log {
namespace {

constexpr std::uint32_t kMarkMagic = 0x4d505553;  // "SUPM"
constexpr std::uint32_t kMarkVersion = 1;
// A disk sector each, in one page: a torn page costs one slot, and a page that comes back old has all slots old.
constexpr std::uint64_t kSlot = 512;
constexpr std::uint64_t kSlots = 3;
constexpr std::size_t kFileBytes = kSlots * kSlot;

std::string encode(const Mark& m, const LogIdentity& log) {
  std::string body;
  ByteWriter w(body);
  w.u32(kMarkVersion);
  w.u64(log.log_id);
  w.u32(static_cast<std::uint32_t>(log.partition.value));
  w.u64(m.sequence);
  w.i64(m.log_start.value);
  w.i64(m.durable_end.value);
  w.i64(m.committed_end.value);
  w.i64(m.segment_base.value);
  w.u64(m.segment_position);
  w.u64(m.truncations);
  w.i64(m.truncated_to.value);
  w.u64(m.last_commit.writer);
  w.i64(m.last_commit.epoch.value);
  std::string slot;
  ByteWriter head(slot);
  head.u32(kMarkMagic);
  head.u32(crc32c(body));
  return slot + body;
}

constexpr std::size_t kBodyBytes = 4 + 8 + 4 + 10 * 8;

std::optional<Mark> decode(std::string_view slot, const LogIdentity& log) {
  ByteReader head(slot);
  const std::uint32_t magic = head.u32();
  const std::uint32_t crc = head.u32();
  const std::string_view body = head.bytes(kBodyBytes);
  if (head.failed() || magic != kMarkMagic || crc32c(body) != crc) return std::nullopt;
  ByteReader r(body);
  if (r.u32() != kMarkVersion || r.u64() != log.log_id || r.u32() != static_cast<std::uint32_t>(log.partition.value)) return std::nullopt;
  Mark m;
  m.sequence = r.u64();
  m.log_start = Offset(r.i64());
  m.durable_end = Offset(r.i64());
  m.committed_end = Offset(r.i64());
  m.segment_base = Offset(r.i64());
  m.segment_position = r.u64();
  m.truncations = r.u64();
  m.truncated_to = Offset(r.i64());
  m.last_commit.writer = r.u64();
  m.last_commit.epoch = Epoch(r.i64());
  return m;
}

}  // namespace

Result<MarkFile> MarkFile::open(env::Files& files, const std::string& directory, const LogIdentity& log, env::OpenMode mode) {
  const std::string path = env::join_path(directory, "mark");
  SUPYO_ASSIGN(auto file, files.open(path, mode));
  MarkFile m(std::move(file), path, log);
  if (mode == env::OpenMode::kReadWrite) SUPYO_TRY(m.file_->sync());   // what a killed writer left in the page cache counts as durable from here on
  SUPYO_ASSIGN(const Found found, m.find());
  m.sequence_ = found.mark.sequence;
  m.last_slot_ = m.durable_slot_ = found.slot;
  return m;
}

Result<MarkFile> MarkFile::create(env::Files& files, const std::string& directory, const LogIdentity& log, const Mark& first) {
  const std::string path = env::join_path(directory, "mark");
  SUPYO_ASSIGN(auto file, files.open(path, env::OpenMode::kCreateOrOpen));
  SUPYO_TRY(file->write_at(0, std::string(kFileBytes, '\0')));
  MarkFile m(std::move(file), path, log);
  SUPYO_TRY(m.write(first));
  SUPYO_TRY(m.sync());
  return m;
}

Result<MarkFile::Found> MarkFile::find() const {
  std::array<char, kFileBytes> bytes;
  // The writer touches one slot at a time, so a reader that races with it finds the others; further looks cover several racing writes.
  for (int attempt = 0; attempt < 3; ++attempt) {
    SUPYO_ASSIGN(const std::size_t n, file_->read_at(0, bytes));
    std::optional<Found> best;
    for (std::uint64_t slot = 0; (slot + 1) * kSlot <= n; ++slot) {
      const std::optional<Mark> m = decode({bytes.data() + slot * kSlot, kSlot}, log_);
      if (m && (!best || m->sequence > best->mark.sequence)) best = Found{*m, slot};
    }
    if (best) return *best;
  }
  return fail(ErrorCode::kDamaged, fmt::format("{}: no copy of the durable mark is readable (offset 0)", path_),
              "`supyo log verify` says what is left, `supyo log repair` rebuilds the mark from the records");
}

Result<Mark> MarkFile::read() const {
  SUPYO_ASSIGN(const Found found, find());
  return found.mark;
}

Status MarkFile::write(Mark mark) {
  std::uint64_t slot = (last_slot_ + 1) % kSlots;
  if (slot == durable_slot_) slot = (slot + 1) % kSlots;
  mark.sequence = sequence_ + 1;
  SUPYO_TRY(file_->write_at(slot * kSlot, encode(mark, log_)));
  ++sequence_;   // a write that failed may have torn its slot: the next one takes the same
  last_slot_ = slot;
  return ok();
}

Status MarkFile::sync() {
  SUPYO_TRY(file_->sync());
  durable_slot_ = last_slot_;
  return ok();
}

}  // namespace supyo::log
