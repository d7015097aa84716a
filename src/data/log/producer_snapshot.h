#pragma once
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/frame.h"
#include "data/log/producer_state.h"

namespace supyo::log {

/// "00000000000000001041.producers": the producers as the records below that offset left them. Written when a segment is sealed, so that opening reads only
/// what came later. A snapshot that does not check, or lies beyond the log's end, is passed over: an older one and a longer scan say the same.
std::string producer_snapshot_name(Offset at);
/// Offsets of a partition's snapshots, ascending.
Result<std::vector<Offset>> list_producer_snapshots(env::Files& files, const std::string& directory);
Status write_producer_snapshot(env::Files& files, const std::string& directory, const LogIdentity& log, Offset at, const ProducerStates& states);
/// False when the snapshot does not check.
Result<bool> read_producer_snapshot(env::Files& files, const std::string& directory, const LogIdentity& log, Offset at, ProducerStates& states);

}  // namespace supyo::log
