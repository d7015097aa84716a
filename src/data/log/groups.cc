#include "data/log/groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/bytes.h"
#include "core/base/crc32c.h"
#include "core/base/percent.h"
#include "data/log/topic.h"

namespace supyo::log {
namespace {

constexpr std::uint32_t kGroupMagic = 0x47505553;  // "SUPG"
constexpr std::uint32_t kGroupVersion = 2;
constexpr std::size_t kNameBytesMax = 255;       // Kafka's clients name groups as they like
constexpr std::size_t kFileNameBytesMax = 240;   // with the suffix and a temporary file's it stays a file name
constexpr std::string_view kSuffix = ".offsets";

bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'; }

Result<std::string> group_path(const std::string& log_directory, const std::string& group) {
  std::string name;
  for (const char c : group) {
    if (is_plain(c)) name += c;
    else append_percent(c, name);
  }
  if (group.empty() || group.size() > kNameBytesMax || name.size() > kFileNameBytesMax - kSuffix.size())
    return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is not a group name", group), "1 to 232 letters, digits, '.', '_' or '-'; each other byte counts as three");
  return env::join_path(env::join_path(log_directory, "__groups"), name + std::string(kSuffix));
}

}  // namespace

Result<std::vector<std::string>> list_groups(env::Files& files, const std::string& log_directory) {
  std::vector<std::string> groups;
  auto names = files.list(env::join_path(log_directory, "__groups"));
  if (!names && names.error().code == ErrorCode::kNotFoundOnDisk) return groups;
  if (!names) return fail(std::move(names).error());
  for (const std::string& name : *names)
    if (name.ends_with(kSuffix)) groups.push_back(percent_decoded(std::string_view(name).substr(0, name.size() - kSuffix.size())));
  std::ranges::sort(groups);
  return groups;
}

Result<GroupCommits> read_group_commits(env::Files& files, const std::string& log_directory, const std::string& group) {
  SUPYO_ASSIGN(const std::string path, group_path(log_directory, group));
  auto bytes = files.read_all(path);
  GroupCommits commits;
  if (!bytes && bytes.error().code == ErrorCode::kNotFoundOnDisk) return commits;
  if (!bytes) return fail(std::move(bytes).error());
  ByteReader r(*bytes);
  const std::uint32_t magic = r.u32();
  const std::uint32_t crc = r.u32();
  const bool whole = !r.failed() && magic == kGroupMagic && crc32c(std::string_view(*bytes).substr(8)) == crc;
  const std::uint32_t version = whole ? r.u32() : kGroupVersion;
  if (version > kGroupVersion) return fail(ErrorCode::kFormatVersion, fmt::format("{}: written by a newer Supyo", path));
  const std::uint64_t count = whole ? r.varint() : 0;
  for (std::uint64_t i = 0; i < count && !r.failed(); ++i) {
    std::string topic(r.text());
    const PartitionId partition(static_cast<std::int32_t>(r.u32()));
    GroupCommit& commit = commits[{std::move(topic), partition}];
    commit.offset = Offset(r.i64());
    if (version < 2) continue;
    commit.leader_epoch = static_cast<std::int32_t>(r.u32());
    commit.metadata = std::string(r.text());
    commit.committed_us = r.i64();
  }
  if (!whole || r.failed()) return fail(ErrorCode::kDamaged, fmt::format("{}: the group's offsets do not check (offset 0)", path), "remove the file: the group then starts as a new one");
  return commits;
}

Result<GroupOffsets> read_group(env::Files& files, const std::string& log_directory, const std::string& group) {
  SUPYO_ASSIGN(const GroupCommits commits, read_group_commits(files, log_directory, group));
  GroupOffsets offsets;
  for (const auto& [key, commit] : commits) offsets[key] = commit.offset;
  return offsets;
}

Status commit_group(env::Files& files, const std::string& log_directory, const std::string& group, const GroupOffsets& offsets) {
  GroupCommits commits;
  for (const auto& [key, offset] : offsets) commits[key].offset = offset;
  return change_group(files, log_directory, group, commits);
}

Status change_group(env::Files& files, const std::string& log_directory, const std::string& group, const GroupCommits& set, const std::vector<GroupKey>& forget) {
  SUPYO_ASSIGN(const std::string path, group_path(log_directory, group));
  SUPYO_ASSIGN(const bool there, files.exists(env::parent_path(path)));
  if (!there) SUPYO_TRY(create_directories_durably(files, env::parent_path(path)));
  SUPYO_ASSIGN(const auto lock, files.lock(path + ".lock"));
  SUPYO_ASSIGN(GroupCommits all, read_group_commits(files, log_directory, group));
  for (const GroupKey& key : forget) all.erase(key);
  for (const auto& [key, commit] : set) all[key] = commit;
  std::string body;
  ByteWriter w(body);
  w.u32(kGroupVersion);
  w.varint(all.size());
  for (const auto& [key, commit] : all) {
    w.text(key.first);
    w.u32(static_cast<std::uint32_t>(key.second.value));
    w.i64(commit.offset.value);
    w.u32(static_cast<std::uint32_t>(commit.leader_epoch));
    w.text(commit.metadata);
    w.i64(commit.committed_us);
  }
  std::string bytes;
  ByteWriter head(bytes);
  head.u32(kGroupMagic);
  head.u32(crc32c(body));
  return files.write_atomically(path, bytes + body);
}

Status delete_group(env::Files& files, const std::string& log_directory, const std::string& group) {
  SUPYO_ASSIGN(const std::string path, group_path(log_directory, group));
  SUPYO_ASSIGN(const bool there, files.exists(path));
  if (!there) return ok();
  {
    SUPYO_ASSIGN(const auto lock, files.lock(path + ".lock"));
    SUPYO_TRY(files.remove(path));
  }
  if (Status gone = files.remove(path + ".lock"); !gone && gone.error().code != ErrorCode::kNotFoundOnDisk) return gone;
  return files.sync_directory(env::parent_path(path));
}

}  // namespace supyo::log
