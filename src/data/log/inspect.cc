#include "data/log/inspect.h"

#include <fmt/format.h>

#include "data/log/partition_reader.h"
#include "data/log/segment.h"

namespace supyo::log {
namespace {

Status check_directory(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const bool there, files.is_directory(path));
  if (there) return ok();
  return fail(ErrorCode::kFileNotFound, fmt::format("{}: no such directory", path), "name the directory of an embedded log: the DIR of 'embedded:DIR'");
}

Result<PartitionSummary> summarize_partition(env::Files& files, const Topic& topic, PartitionId p) {
  PartitionSummary s{.partition = p, .mark = {}};
  const std::string directory = topic.partition_directory(p);
  SUPYO_ASSIGN(const bool there, files.exists(directory));
  if (!there) return s;
  if (const auto mark = MarkFile::open(files, directory, topic.identity(p), env::OpenMode::kRead)) {
    SUPYO_ASSIGN(s.mark, mark->read());
  } else if (mark.error().code != ErrorCode::kNotFoundOnDisk) {
    return fail(mark.error());
  }
  SUPYO_ASSIGN(const auto bases, list_segments(files, directory));
  s.segments = bases.size();
  for (const Offset base : bases) {
    const auto file = files.open(env::join_path(directory, segment_name(base)), env::OpenMode::kRead);
    if (!file) continue;   // retention took it meanwhile
    SUPYO_ASSIGN(const std::uint64_t size, (*file)->size());
    s.bytes += size;
  }
  return s;
}

}  // namespace

Result<LogSummary> summarize(env::Files& files, const std::string& log_directory) {
  SUPYO_TRY(check_directory(files, log_directory));
  LogSummary all;
  SUPYO_ASSIGN(const auto names, list_topics(files, log_directory));
  for (const std::string& name : names) {
    SUPYO_ASSIGN(Topic topic, open_topic(files, log_directory, name));
    TopicSummary t{.topic = topic, .partitions = {}};
    for (std::int32_t p = 0; p < topic.config.partitions; ++p) {
      SUPYO_ASSIGN(auto summary, summarize_partition(files, topic, PartitionId(p)));
      t.partitions.push_back(summary);
    }
    all.topics.push_back(std::move(t));
  }
  SUPYO_ASSIGN(const auto groups, list_groups(files, log_directory));
  for (const std::string& group : groups) {
    SUPYO_ASSIGN(auto offsets, read_group(files, log_directory, group));
    all.groups.push_back({group, std::move(offsets)});
  }
  return all;
}

Result<std::vector<PartitionCheck>> verify(env::Files& files, const std::string& log_directory, const std::string& topic) {
  SUPYO_TRY(check_directory(files, log_directory));
  std::vector<std::string> names{topic};
  if (topic.empty()) {
    SUPYO_ASSIGN(names, list_topics(files, log_directory));
  }
  std::vector<PartitionCheck> checks;
  for (const std::string& name : names) {
    SUPYO_ASSIGN(const Topic t, open_topic(files, log_directory, name));
    for (std::int32_t p = 0; p < t.config.partitions; ++p) {
      SUPYO_ASSIGN(PartitionReport report, examine_partition(files, t, PartitionId(p), Depth::kAll));
      // Above the mark a live writer's half-written frame looks like damage: it is whole a moment later.
      for (int again = 0; again < 3 && report.damage && report.mark && report.damage->offset >= report.mark->durable_end; ++again) {
        SUPYO_ASSIGN(report, examine_partition(files, t, PartitionId(p), Depth::kAll));
      }
      checks.push_back({name, PartitionId(p), std::move(report)});
    }
  }
  return checks;
}

}  // namespace supyo::log
