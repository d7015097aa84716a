#include "lab/scenario/table_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "data/iceberg/table.h"
#include "lab/scenario/table_ids.h"

namespace supyo::scenario {

void TableWatch::acknowledged(std::span<const workload::GeneratedRecord> records) {
  std::vector<TimeUs> event, produce;
  for (const workload::GeneratedRecord& r : records) {
    event.push_back(r.event_us);
    produce.push_back(r.due_us);
    unseen_.emplace_back(r.event_us, r.id);
  }
  options_.observer.taken({.epoch = Epoch{epoch_}, .split = 0, .event_us = event, .produce_us = produce, .now_us = env_.clock.now_us()});
}

void TableWatch::began(std::span<const FlinkCluster::Checkpoint> checkpoints) {
  std::vector<std::int64_t> ids;
  for (const FlinkCluster::Checkpoint& c : checkpoints)
    if (c.id > newest_id_) ids.push_back(c.id);
  std::ranges::sort(ids);
  for (const std::int64_t id : ids) cuts_.push_back({epoch_++, newest_id_ = id});
}

void TableWatch::failed() { options_.observer.epoch_failed(Epoch{epoch_}, env_.clock.now_us()); }

Status TableWatch::look() {
  // The hint changes with every commit; only then is the metadata read again.
  const auto hint = env_.files.read_all(env::join_path(options_.location, "metadata/version-hint.text"));
  if (!hint || *hint == hint_) return ok();
  const TimeUs at = env_.clock.now_us();
  hint_ = *hint;
  SUPYO_ASSIGN(const iceberg::LoadedTable table, iceberg::load_table(env_.files, options_.location));
  const iceberg::Snapshot* snapshot = table.metadata.current_snapshot();
  if (snapshot == nullptr) return ok();
  const std::uint64_t before = rows_;
  SUPYO_TRY(read_new_rows(env_.files, table.metadata, *snapshot, {options_.id_column, options_.time_column}, known_files_, [this](std::span<const std::int64_t> row) {
    ++rows_;
    early_.insert(row[0]);
    newest_us_ = std::max(newest_us_, row[1]);
  }));
  stamp_age_s_ = static_cast<double>(at - snapshot->timestamp_ms * kMillisecond) / 1e6;
  if (rows_ == before) return ok();
  const TimeUs watermark = newest_us_ + kMillisecond - 1;
  SUPYO_TRY(check_watermark(watermark));
  return tell_visible(*snapshot, watermark, at);
}

/// The judge is told a watermark, and takes everything up to it for visible.
Status TableWatch::check_watermark(TimeUs upto) {
  std::uint64_t above = 0, absent = 0;
  std::erase_if(unseen_, [&](const auto& record) {
    const bool there = early_.erase(static_cast<std::int64_t>(record.second)) > 0;
    if (there != (record.first <= upto)) ++(there ? above : absent);
    return there;
  });
  if (above + absent == 0) return ok();
  return fail(ErrorCode::kJobFailed, fmt::format("{} lacks {} records from before its newest event and has {} from after it", options_.location, absent, above), "its latencies cannot be told; --keep keeps the table");
}

Status TableWatch::tell_visible(const iceberg::Snapshot& snapshot, TimeUs watermark, TimeUs at) {
  std::int64_t upto = std::numeric_limits<std::int64_t>::max();   // what a job that ends commits at last is of no checkpoint
  if (const auto it = snapshot.summary.find("flink.max-committed-checkpoint-id"); it != snapshot.summary.end()) std::from_chars(it->second.data(), it->second.data() + it->second.size(), upto);
  SUPYO_ASSIGN(const auto checkpoints, options_.checkpoints());
  began(checkpoints);
  bool told = false;
  for (; !cuts_.empty() && cuts_.front().checkpoint <= upto; cuts_.pop_front()) {
    const auto of = std::ranges::find(checkpoints, cuts_.front().checkpoint, &FlinkCluster::Checkpoint::id);
    if (of == checkpoints.end() || of->completed_us == 0) continue;   // it failed: what it had is in a later one
    options_.observer.epoch_cut(Epoch{cuts_.front().epoch}, watermark, of->triggered_us);
    options_.observer.epoch_final(Epoch{cuts_.front().epoch}, of->completed_us);
    told = true;
  }
  // All that was acknowledged until now may be in it, whatever checkpoint it came with: the watermark says what is.
  const Epoch shown{epoch_++};
  if (!told) options_.observer.epoch_cut(shown, watermark, at);
  options_.observer.epoch_visible(shown, at);
  return ok();
}

}  // namespace supyo::scenario
