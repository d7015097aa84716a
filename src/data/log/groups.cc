#include "data/log/groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/bytes.h"
#include "core/base/crc32c.h"
#include "data/log/topic.h"

namespace supyo::log {
namespace {

constexpr std::uint32_t kGroupMagic = 0x47505553;  // "SUPG"
constexpr std::uint32_t kGroupVersion = 1;

Result<std::string> group_path(const std::string& log_directory, const std::string& group) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'; };
  if (group.empty() || group.size() > 200 || !std::all_of(group.begin(), group.end(), good))
    return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is not a group name", group), "1 to 200 letters, digits, '.', '_' or '-'");
  return env::join_path(env::join_path(log_directory, "__groups"), group + ".offsets");
}

}  // namespace

Result<std::vector<std::string>> list_groups(env::Files& files, const std::string& log_directory) {
  constexpr std::string_view kSuffix = ".offsets";
  std::vector<std::string> groups;
  auto names = files.list(env::join_path(log_directory, "__groups"));
  if (!names && names.error().code == ErrorCode::kNotFoundOnDisk) return groups;
  if (!names) return fail(std::move(names).error());
  for (const std::string& name : *names)
    if (name.ends_with(kSuffix)) groups.push_back(name.substr(0, name.size() - kSuffix.size()));
  return groups;
}

Result<GroupOffsets> read_group(env::Files& files, const std::string& log_directory, const std::string& group) {
  SUPYO_ASSIGN(const std::string path, group_path(log_directory, group));
  auto bytes = files.read_all(path);
  GroupOffsets offsets;
  if (!bytes && bytes.error().code == ErrorCode::kNotFoundOnDisk) return offsets;
  if (!bytes) return fail(std::move(bytes).error());
  ByteReader r(*bytes);
  const std::uint32_t magic = r.u32();
  const std::uint32_t crc = r.u32();
  const bool whole = !r.failed() && magic == kGroupMagic && crc32c(std::string_view(*bytes).substr(8)) == crc;
  if (whole && r.u32() > kGroupVersion) return fail(ErrorCode::kFormatVersion, fmt::format("{}: written by a newer Supyo", path));
  const std::uint64_t count = whole ? r.varint() : 0;
  for (std::uint64_t i = 0; i < count && !r.failed(); ++i) {
    std::string topic(r.text());
    const PartitionId partition(static_cast<std::int32_t>(r.u32()));
    offsets[{std::move(topic), partition}] = Offset(r.i64());
  }
  if (!whole || r.failed()) return fail(ErrorCode::kDamaged, fmt::format("{}: the group's offsets do not check (offset 0)", path), "remove the file: the group then starts as a new one");
  return offsets;
}

Status commit_group(env::Files& files, const std::string& log_directory, const std::string& group, const GroupOffsets& offsets) {
  SUPYO_ASSIGN(const std::string path, group_path(log_directory, group));
  SUPYO_ASSIGN(const bool there, files.exists(env::parent_path(path)));
  if (!there) SUPYO_TRY(create_directories_durably(files, env::parent_path(path)));
  SUPYO_ASSIGN(const auto lock, files.lock(path + ".lock"));
  SUPYO_ASSIGN(GroupOffsets all, read_group(files, log_directory, group));
  for (const auto& [key, offset] : offsets) all[key] = offset;
  std::string body;
  ByteWriter w(body);
  w.u32(kGroupVersion);
  w.varint(all.size());
  for (const auto& [key, offset] : all) {
    w.text(key.first);
    w.u32(static_cast<std::uint32_t>(key.second.value));
    w.i64(offset.value);
  }
  std::string bytes;
  ByteWriter head(bytes);
  head.u32(kGroupMagic);
  head.u32(crc32c(body));
  return files.write_atomically(path, bytes + body);
}

}  // namespace supyo::log
