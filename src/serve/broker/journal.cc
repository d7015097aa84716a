#include "serve/broker/journal.h"

#include <fmt/format.h>

#include "core/base/bytes.h"
#include "core/base/crc32c.h"

namespace supyo::broker {
namespace {

constexpr std::size_t kHead = 8;
constexpr std::uint32_t kEntryBytesMax = 64U << 20;

void encode(std::string_view entry, std::string& out) {
  ByteWriter w(out);
  w.u32(static_cast<std::uint32_t>(entry.size()));
  w.u32(crc32c(entry, static_cast<std::uint32_t>(entry.size())));   // seeded with the length: zeros are no entry
  out.append(entry);
}

/// The entry at the start of `bytes`, or null.
std::optional<std::string_view> whole_entry(std::string_view bytes) {
  ByteReader r(bytes);
  const std::uint32_t length = r.u32();
  const std::uint32_t crc = r.u32();
  if (r.failed() || length == 0 || length > kEntryBytesMax || length > r.remaining()) return std::nullopt;
  const std::string_view entry = r.bytes(length);
  return crc32c(entry, length) == crc ? std::optional(entry) : std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(env::Files& files, std::string path, const std::function<bool(std::string_view)>& entry) {
  std::unique_ptr<Journal> journal(new Journal(files, std::move(path)));
  SUPYO_ASSIGN(const bool there, files.exists(journal->path_));
  if (!there) SUPYO_TRY(files.write_atomically(journal->path_, ""));
  SUPYO_ASSIGN(const std::string bytes, files.read_all(journal->path_));
  const auto damaged = [&](std::uint64_t at) {
    return fail(ErrorCode::kDamaged, fmt::format("{}: an entry does not check (offset {})", journal->path_, at), "restore the file from a backup; without it open transactions are unknown");
  };
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto whole = whole_entry(std::string_view(bytes).substr(at));
    if (!whole) break;
    if (!entry(*whole)) return damaged(at);
    at += kHead + whole->size();
  }
  for (std::size_t behind = at + 1; behind + kHead < bytes.size(); ++behind)
    if (whole_entry(std::string_view(bytes).substr(behind))) return damaged(at);
  journal->torn_bytes_ = bytes.size() - at;
  journal->end_ = at;
  SUPYO_ASSIGN(journal->file_, files.open(journal->path_, env::OpenMode::kReadWrite));
  if (journal->torn_bytes_ > 0) SUPYO_TRY(journal->file_->truncate(at));
  SUPYO_TRY(journal->file_->sync());   // what only the page cache held becomes durable before anybody builds on it
  return journal;
}

Status Journal::append(std::string_view entry) {
  std::string bytes;
  encode(entry, bytes);
  SUPYO_TRY(file_->write_at(end_, bytes));
  end_ += bytes.size();
  dirty_ = true;
  return ok();
}

Status Journal::sync() {
  if (!dirty_) return ok();
  SUPYO_TRY(file_->sync());
  dirty_ = false;
  return ok();
}

Status Journal::rewrite(const std::function<void(const std::function<void(std::string_view)>&)>& write) {
  std::string bytes;
  write([&bytes](std::string_view entry) { encode(entry, bytes); });
  file_.reset();
  SUPYO_TRY(files_.write_atomically(path_, bytes));
  SUPYO_ASSIGN(file_, files_.open(path_, env::OpenMode::kReadWrite));
  end_ = bytes.size();
  dirty_ = false;
  return ok();
}

}  // namespace supyo::broker
