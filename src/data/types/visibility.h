#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/strong.h"

namespace supyo {

/// Through this a running job tells the judge what its readers can see. Implemented by judge/slo, called by engine/runtime.
///
/// Called from shard threads and from the coordinator: implementations are thread-safe. Called once a batch or an epoch, never once a row.
/// Record-level accounting: a record is *taken* into the epoch whose cut will cover it. It is *visible* at the first visible epoch that covers it
/// and, where the plan holds rows back until the watermark (`holds_until_watermark`), whose watermark at the cut has reached its event time.
/// Where all sinks are in no transaction (`writers` > 0) readers do not wait for epochs: there it is visible when every writer has `written` what was taken up to then.
class VisibilityObserver {
 public:
  virtual ~VisibilityObserver() = default;

  struct PipelineShape {
    bool holds_until_watermark = false;  ///< OVER and windows: rows leave when the watermark passes them
    std::uint32_t source_splits = 0;
    std::uint32_t writers = 0;           ///< of sinks whose rows are readable as they are written; 0: some sink's are not, and records are visible with their epoch
  };
  virtual void started(const PipelineShape& shape, TimeUs now_us) = 0;

  /// Rows that source split `split` gave into the epoch being filled, `epoch`. `behind` counts rows behind their split's watermark.
  struct Taken {
    Epoch epoch;
    std::uint32_t split = 0;
    std::span<const TimeUs> event_us;
    std::span<const TimeUs> produce_us;
    std::uint64_t behind = 0;
    std::uint64_t dead = 0;        ///< records that could not be decoded (not in the spans)
    TimeUs now_us = 0;
    std::uint64_t lost = 0;        ///< records that the source passed over because they are gone; told again after a restart that meets them again
  };
  virtual void taken(const Taken& t) = 0;

  /// Rows that were dropped as too late, from any operator of epoch `epoch`.
  virtual void dropped_late(Epoch epoch, std::uint64_t rows, TimeUs now_us) = 0;
  /// Rows written to sink `sink` in `epoch`: their completion times (see slo.md: later of newest contributing record and window end).
  virtual void sink_rows(Epoch epoch, std::string_view sink, std::span<const TimeUs> completion_event_us,
                         std::span<const TimeUs> completion_produce_us, TimeUs now_us) = 0;
  /// Writer `writer` has written what follows from all records that were taken at or before `taken_us` and that the watermark, `watermark_us` there, does not hold back.
  /// Only where PipelineShape::writers > 0.
  virtual void written(std::uint32_t writer, TimeUs taken_us, TimeUs watermark_us, TimeUs now_us) = 0;
  /// Hashes of the identities (job::EngineOptions::identity) of rows inserted at a sink in `epoch`. Not called where no identity is declared.
  virtual void sink_identities(Epoch epoch, std::span<const std::uint64_t> hashes) { (void)epoch, (void)hashes; }
  /// The epoch's barrier went in at the sources. `watermark_us` is the combined watermark at the cut.
  virtual void epoch_cut(Epoch epoch, TimeUs watermark_us, TimeUs now_us) = 0;
  /// The epoch's record is durable (positions may be acknowledged upstream).
  virtual void epoch_final(Epoch epoch, TimeUs now_us) = 0;
  /// All sinks made the epoch visible to readers.
  virtual void epoch_visible(Epoch epoch, TimeUs now_us) = 0;
  virtual void epoch_failed(Epoch epoch, TimeUs now_us) = 0;

  /// Source-side lags in records, sampled by the coordinator about once a second: end of the log minus the position acknowledged
  /// upstream (committed) and minus the position read (fetched). `quiet`: the end was polled just now and nothing is unread.
  virtual void lags(std::uint32_t split, std::uint64_t committed_lag, std::uint64_t fetch_lag, bool quiet, TimeUs now_us) = 0;

  /// The observer's own counters, as a restart after epoch `last` goes on with them. Kept inside that epoch's record: called when all sinks have prepared it. Where writers > 0 also about once a second
  /// in between, with `last` the newest final epoch, as readers see more than it meanwhile. restore() before started().
  virtual std::string save(Epoch last) = 0;
  virtual void restore(std::string_view bytes) = 0;
};

}  // namespace supyo
