#include "data/state/snapshot_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/check.h"
#include "core/base/fault_point.h"

namespace supyo::state {

SnapshotBuilder::SnapshotBuilder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SnapshotBuilder::~SnapshotBuilder() = default;
Epoch SnapshotBuilder::epoch() const { return impl_->plan.epoch; }
bool SnapshotBuilder::done() const { return impl_->phase == Impl::Phase::kDone; }
Result<bool> SnapshotBuilder::poll(std::size_t budget_bytes) { return impl_->poll(budget_bytes); }

Result<bool> SnapshotBuilder::Impl::poll(std::size_t budget_bytes) {
  switch (phase) {
    case Phase::kRead:
      SUPYO_TRY(read(budget_bytes));
      if (at == plan.until) SUPYO_TRY(begin_writing());
      break;
    case Phase::kWrite:
      SUPYO_TRY(write(budget_bytes));
      if (!entries && tables.empty()) SUPYO_TRY(publish());
      break;
    case Phase::kDone: break;
  }
  return phase == Phase::kDone;
}

/// Collects the changes of the records in (from, until].
Status SnapshotBuilder::Impl::read(std::size_t budget_bytes) {
  const auto damaged = [&](const std::string& path, std::uint64_t offset) {
    return fail(ErrorCode::kDamaged, fmt::format("{} at offset {}: an acknowledged epoch does not match its checksum", path, offset),
                "stop the job and restore the state directory from a copy");
  };
  for (std::size_t done = 0; at != plan.until && done < budget_bytes;) {
    if (next_segment == plan.segments.size()) return damaged(plan.directory, 0);
    const Plan::Segment& segment = plan.segments[next_segment];
    if (maps.size() == next_segment) {
      SUPYO_ASSIGN(auto map, files.map(segment.path));
      SUPYO_ASSIGN(const SegmentHeader header, decode_segment_header(map->bytes(), segment.path, plan.job_id));
      maps.push_back(std::move(map));
      if (segment.number != at.segment) {
        if (header.segment != segment.number || header.previous != at) return damaged(segment.path, 0);
        at = {.segment = segment.number, .offset = kSegmentHeaderBytes, .chain = header.chain};
      }
    }
    const auto record = record_at(maps.back()->bytes(), segment.number, at.offset, at.chain);
    if (!record) {
      ++next_segment;   // the segment's end, or damage: the next header does not fit then
      if (segment.number == plan.until.segment) return damaged(segment.path, at.offset);
      continue;
    }
    sections.clear();
    const auto collect = [&](Journal::StoredTable table, std::span<const ChangeRef> some) { changes.front().add(table, some); };
    if (!decode_body(record->body, sections, collect)) return damaged(segment.path, at.offset);
    done += record->end - at.offset;
    at = {.segment = segment.number, .offset = record->end, .chain = record->chain};
  }
  return ok();
}

Status SnapshotBuilder::Impl::begin_writing() {
  index = ChangeIndex(changes, {});
  changes.clear();
  if (!plan.base.empty()) {
    SUPYO_ASSIGN(base, SnapshotReader::open(files, plan.base, plan.job_id));
  }
  SUPYO_ASSIGN(auto created, SnapshotWriter::create(files, path() + ".tmp", {.epoch = plan.epoch, .position = plan.until, .job_id = plan.job_id}, sections));
  writer.emplace(std::move(created));
  tables = tables_of(base.get(), index);
  std::ranges::reverse(tables);
  phase = Phase::kWrite;
  return ok();
}

Status SnapshotBuilder::Impl::write(std::size_t budget_bytes) {
  std::vector<SnapshotEntry> read;
  for (std::size_t done = 0; done < budget_bytes;) {
    if (!entries) {
      if (tables.empty()) return ok();
      entries.emplace(nullptr, base.get(), index, tables.back(), 0U, 1U);
      tables.pop_back();
      range = 0;
    }
    if (range == entries->ranges()) {
      entries.reset();
      continue;
    }
    done += entries->read(range++, read).bytes;
    for (const SnapshotEntry& e : read) SUPYO_TRY(writer->add(e));
  }
  return ok();
}

Status SnapshotBuilder::Impl::publish() {
  SUPYO_ASSIGN(file_bytes, writer->finish());
  SUPYO_TRY(files.rename(path() + ".tmp", path()));
  SUPYO_TRY(files.sync_directory(plan.directory));
  phase = Phase::kDone;
  entries.reset();
  index = {};
  writer.reset();
  maps.clear();
  base.reset();
  SUPYO_REACHED("snapshot.published");
  return ok();
}

}  // namespace supyo::state
