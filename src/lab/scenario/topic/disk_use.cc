#include "lab/scenario/topic/disk_use.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace supyo::scenario {
namespace {

struct Segment {
  std::int64_t base = 0;
  double bytes = 0;
  bool reserves = false;   // its file is longer than what is in it
};

}  // namespace

DiskUse PartitionOnDisk::look(std::int64_t end) {
  DiskUse use;
  if (data_.empty()) return use;
  if (directory_.empty()) {
    for (const std::string& candidate : {fmt::format("{}/{}-{}", data_, topic_, partition_), fmt::format("{}/{}/{}", data_, topic_, partition_)})
      if (files_->is_directory(candidate).value_or(false)) directory_ = candidate;
    if (directory_.empty()) return use;
  }
  const auto names = files_->list(directory_);
  if (!names) return use;
  std::vector<Segment> segments;
  for (const std::string& name : *names) {
    const bool kafka = name.ends_with(".log"), ours = name.ends_with(".seg"), doomed = name.ends_with(".log.deleted") || name.ends_with(".seg.deleted");
    if (!kafka && !ours && !doomed) continue;
    const auto file = files_->open(env::join_path(directory_, name), env::OpenMode::kRead);
    const auto bytes = file ? (*file)->size() : Result<std::uint64_t>(0);
    if (!file || !bytes) continue;
    if (doomed) {
      use.disk_bytes += static_cast<double>(*bytes);
      continue;
    }
    Segment s{.bytes = static_cast<double>(*bytes), .reserves = ours};
    if (std::from_chars(name.data(), name.data() + name.size(), s.base).ec == std::errc()) segments.push_back(s);
  }
  std::ranges::sort(segments, {}, &Segment::base);
  if (segments.empty()) return use;
  double sealed = 0;
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) sealed += segments[i].bytes;
  const Segment& active = segments.back();
  const auto records = static_cast<double>(active.base - segments.front().base);
  if (records > 0) record_bytes_ = sealed / records;
  else if (!active.reserves && end > active.base) record_bytes_ = active.bytes / static_cast<double>(end - active.base);
  use.record_bytes = record_bytes_;
  const double in_active = active.reserves ? record_bytes_ * static_cast<double>(std::max<std::int64_t>(0, end - active.base)) : active.bytes;
  use.log_bytes = sealed + in_active;
  use.disk_bytes += sealed + active.bytes;
  return use;
}

}  // namespace supyo::scenario
