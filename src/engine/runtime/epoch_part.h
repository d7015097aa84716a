#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "data/state/journal.h"
#include "engine/dataflow/sink.h"

namespace supyo::runtime {

/// Where a restart goes on with one split of one source.
struct SplitState {
  std::string source;              ///< uid of the source's node
  std::string split;
  std::string position;
  TimeUs watermark_us = kTimeMin;
  bool idle = false;
  std::uint64_t skip_rows = 0;     ///< rows after `position` that the epoch covers already (replay holds back parts of what was read)
  std::uint64_t skip_dead = 0;     ///< dead records likewise
  bool operator==(const SplitState&) const = default;
};
struct NodeWatermark {
  std::uint32_t node = 0;
  TimeUs watermark_us = kTimeMin;
  bool operator==(const NodeWatermark&) const = default;
};
struct SinkHandles {
  std::string sink_id;
  std::vector<dataflow::CommitHandle> handles;   ///< one a shard that wrote something
  bool operator==(const SinkHandles&) const = default;
};

/// What an epoch's record holds besides state changes. Whole, not a difference.
struct EpochMeta {
  bool finished = false;           ///< the job ended with this epoch
  TimeUs now_us = 0;               ///< the clock at the cut: a virtual clock goes on from here
  std::vector<SplitState> splits;
  std::vector<NodeWatermark> watermarks;
  std::vector<SinkHandles> sinks;
  std::string observer;            ///< VisibilityObserver::save()
  bool operator==(const EpochMeta&) const = default;
};
/// As the sections of a journal record, and back. Layout: docs/format/epoch.md. Errors: kDamaged, kFormatVersion.
std::vector<state::Section> encode(const EpochMeta& meta);
Result<EpochMeta> decode_epoch_meta(const std::vector<state::Section>& sections);

/// One shard's share of an epoch, handed to the coordinator when all its tasks have passed the barrier and all its sinks are prepared.
struct EpochPart {
  Epoch epoch;
  std::uint32_t shard = 0;
  std::uint64_t activity = 0;      ///< the shard's activity count when the barrier went in
  std::vector<SplitState> splits;
  std::vector<NodeWatermark> watermarks;
  std::vector<state::TableChanges> tables;
  std::vector<std::pair<std::uint32_t, dataflow::CommitHandle>> handles;   ///< plan node of the sink, what to commit
  std::uint64_t state_bytes = 0;
  std::uint64_t state_entries = 0;
};

}  // namespace supyo::runtime
