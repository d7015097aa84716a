#include "connect/file/file_walk.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstring>

#include "core/base/bytes.h"
#include "core/base/hash.h"

namespace supyo::connect {
namespace {

Status list_files(env::Files& files, const std::string& path, std::vector<std::string>& out) {
  SUPYO_ASSIGN(const bool directory, files.is_directory(path));
  if (!directory) {
    out.push_back(path);
    return ok();
  }
  SUPYO_ASSIGN(const auto names, files.list(path));
  for (const std::string& name : names)
    if (!name.empty() && name.front() != '.' && name.front() != '_') SUPYO_TRY(list_files(files, env::join_path(path, name), out));
  return ok();
}

bool comes_before(const std::string& a, const std::string& b) { return strverscmp(a.c_str(), b.c_str()) < 0; }

}  // namespace

FileWalk::FileWalk(env::Files& files, std::string path, const std::string& wanted)
    : files_(files), path_(std::move(path)), wanted_(wanted.empty() ? nullptr : std::make_unique<re2::RE2>(wanted)) {}
FileWalk::~FileWalk() = default;

Result<std::optional<std::string>> FileWalk::next() {
  if (waiting_.empty()) SUPYO_TRY(look());
  if (waiting_.empty()) return std::nullopt;
  position_.file = std::move(waiting_.back());
  position_.at = 0;
  position_.begun->insert(hash_bytes(position_.file));
  waiting_.pop_back();
  return position_.file;
}

Status FileWalk::look() {
  std::vector<std::string> there;
  SUPYO_TRY(list_files(files_, path_, there));
  if (wanted_) std::erase_if(there, [&](const std::string& file) { return !re2::RE2::FullMatch(file, *wanted_); });
  std::set<std::uint64_t> begun;
  for (std::string& file : there) {
    const std::uint64_t hash = hash_bytes(file);
    if (position_.begun ? position_.begun->contains(hash) : file <= position_.file) begun.insert(hash);
    else waiting_.push_back(std::move(file));
  }
  position_.begun = std::move(begun);
  std::ranges::sort(waiting_, [](const std::string& a, const std::string& b) { return comes_before(b, a); });
  return ok();
}

std::string encode_position(const FilePosition& p) {
  std::string out;
  ByteWriter w(out);
  w.text(p.file);
  w.u64(p.at);
  if (!p.begun) return out;
  w.u64(p.begun->size());
  for (const std::uint64_t hash : *p.begun) w.u64(hash);
  return out;
}

Result<FilePosition> decode_position(std::string_view text, const std::string& table) {
  FilePosition p;
  if (text.empty()) return p;
  ByteReader r(text);
  p.file = std::string(r.text());
  p.at = r.u64();
  if (r.done()) {
    p.begun.reset();
  } else {
    const std::uint64_t n = r.u64();
    for (std::uint64_t i = 0; i < n && !r.failed(); ++i) p.begun->insert(r.u64());
  }
  if (r.failed()) return fail(ErrorCode::kDamaged, "the position of file source '" + table + "' is unreadable");
  return p;
}

}  // namespace supyo::connect
