#include "connect/file/file_walk.h"

#include <algorithm>

#include "core/base/bytes.h"

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

}  // namespace

Result<std::optional<std::string>> FileWalk::after(const std::string& last) {
  auto next = std::upper_bound(known_.begin(), known_.end(), last);
  if (next == known_.end()) {   // look again
    known_.clear();
    SUPYO_TRY(list_files(files_, path_, known_));
    std::ranges::sort(known_);   // "a-b/1" stands before "a/1"
    next = std::upper_bound(known_.begin(), known_.end(), last);
    if (next == known_.end()) return std::nullopt;
  }
  return *next;
}

std::string encode_position(const FilePosition& p) {
  std::string out;
  ByteWriter w(out);
  w.text(p.file);
  w.u64(p.at);
  return out;
}

Result<FilePosition> decode_position(std::string_view text, const std::string& table) {
  FilePosition p;
  if (text.empty()) return p;
  ByteReader r(text);
  p.file = std::string(r.text());
  p.at = r.u64();
  if (r.failed()) return fail(ErrorCode::kDamaged, "the position of file source '" + table + "' is unreadable");
  return p;
}

}  // namespace supyo::connect
