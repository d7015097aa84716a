#include <algorithm>

#include "data/log/partition_writer.h"
#include "data/log/segment.h"

namespace supyo::log {
namespace {

/// The mark of a partition that lost it: nothing says what was committed, so every whole record counts as such.
Result<PartitionReport> rebuild_mark(const env::Env& env, const Topic& topic, PartitionId partition) {
  const std::string directory = topic.partition_directory(partition);
  SUPYO_ASSIGN(const auto bases, list_segments(env.files, directory));
  Mark mark;
  if (!bases.empty()) mark.log_start = mark.durable_end = mark.committed_end = bases.front();
  SUPYO_ASSIGN(MarkFile file, MarkFile::create(env.files, directory, topic.identity(partition), mark));
  SUPYO_TRY(env.files.sync_directory(directory));
  SUPYO_ASSIGN(const PartitionReport found, examine_partition(env.files, topic, partition, Depth::kAll));
  mark.committed_end = mark.durable_end = found.end;
  if (!found.segments.empty()) {
    mark.segment_base = found.segments.back().base;
    mark.segment_position = found.segments.back().bytes;
  }
  SUPYO_TRY(file.write(mark));
  SUPYO_TRY(file.sync());
  return examine_partition(env.files, topic, partition, Depth::kAll);
}

}  // namespace

namespace {

Result<Repair> cut_damage(const env::Env& env, const Topic& topic, PartitionId partition) {
  const std::string directory = topic.partition_directory(partition);
  SUPYO_ASSIGN(const auto lock, env.files.lock(env::join_path(directory, "lock")));
  SUPYO_ASSIGN(PartitionReport found, examine_partition(env.files, topic, partition, Depth::kAll));
  Repair repair{.damage = found.damage, .bytes_cut = 0, .records_abandoned = 0, .transactions_aborted = 0, .end = found.end};
  if (found.damage && !found.mark) {
    SUPYO_ASSIGN(found, rebuild_mark(env, topic, partition));
    repair.end = found.end;
  }
  if (!found.damage) return repair;

  // Segments from the damage on go, newest first; the one that it lies in is cut there.
  SUPYO_ASSIGN(std::vector<Offset> bases, list_segments(env.files, directory));
  while (!bases.empty() && (found.segments.empty() || bases.back() > found.segments.back().base)) {
    const std::string path = env::join_path(directory, segment_name(bases.back()));
    SUPYO_ASSIGN(const auto file, env.files.open(path, env::OpenMode::kRead));
    SUPYO_ASSIGN(const std::uint64_t size, file->size());
    repair.bytes_cut += size;
    SUPYO_TRY(env.files.remove(path));
    SUPYO_TRY(env.files.sync_directory(directory));
    bases.pop_back();
  }
  Mark mark = *found.mark;
  mark.durable_end = std::min(mark.durable_end, found.end);
  mark.committed_end = std::min(mark.committed_end, found.end);
  ++mark.truncations;
  mark.truncated_to = found.end;
  if (bases.empty()) {
    mark.log_start = mark.durable_end = mark.committed_end = found.end;
  } else {
    const SegmentInfo& last = found.segments.back();
    SUPYO_ASSIGN(auto file, env.files.open(env::join_path(directory, segment_name(last.base)), env::OpenMode::kReadWrite));
    SUPYO_ASSIGN(const std::uint64_t size, file->size());
    repair.bytes_cut += size - last.bytes;
    SUPYO_TRY(file->truncate(last.bytes));
    SUPYO_TRY(file->sync());
    mark.segment_base = last.base;
    mark.segment_position = last.bytes;
  }
  SUPYO_ASSIGN(MarkFile file, MarkFile::open(env.files, directory, topic.identity(partition), env::OpenMode::kReadWrite));
  SUPYO_TRY(file.write(mark));
  SUPYO_TRY(file.sync());
  return repair;
}

}  // namespace

namespace {

Result<std::uint64_t> abort_open(PartitionWriter& writer) {
  std::vector<std::pair<std::int64_t, ProducerEntry>> open;
  for (const auto& p : writer.producers().producers())
    if (p.second.transaction_begin) open.push_back(p);
  for (const auto& [id, p] : open) SUPYO_TRY(writer.end_transaction(id, p.epoch, {.commit = false, .coordinator_epoch = p.coordinator_epoch}));
  SUPYO_TRY(writer.flush());
  return open.size();
}

}  // namespace

Result<Repair> repair_partition(const env::Env& env, const Topic& topic, PartitionId partition, RepairOptions options) {
  SUPYO_ASSIGN(const bool there, env.files.exists(topic.partition_directory(partition)));
  if (!there) return Repair{};
  SUPYO_ASSIGN(Repair repair, cut_damage(env, topic, partition));
  if (options.abandon_staged) {
    SUPYO_ASSIGN(const auto writer, PartitionWriter::open(env, topic, partition));
    SUPYO_ASSIGN(repair.records_abandoned, writer->abandon_all());
    SUPYO_ASSIGN(repair.transactions_aborted, abort_open(*writer));
    repair.end = writer->next_offset();
  }
  return repair;
}

}  // namespace supyo::log
