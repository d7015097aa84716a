// Any bytes as a segment, an epoch's body and a snapshot: read or refused, never a crash.
#include "data/state/journal_format.h"
#include "data/state/snapshot_format.h"
#include "core/env/sim/sim_env.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace supyo;
  using namespace supyo::state;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(decode_segment_header(bytes, "fuzz", "job").has_value());
  for (std::uint64_t at = 0; const auto record = record_at(bytes, 1, at, std::nullopt); at = record->end) {}
  static_cast<void>(acknowledged_beyond(bytes, 1, 0));
  std::vector<Section> sections;
  std::vector<ChangeView> changes;
  static_cast<void>(decode_body(bytes, &sections, &changes).has_value());
  keep_last_writes(changes);

  env::SimEnv sim(1);
  if (!sim.files().write_atomically("snapshot", bytes)) return 0;
  if (const auto reader = SnapshotReader::open(sim.files(), "snapshot", "job")) {
    for (OverlayCursor c((*reader)->blocks(), changes, 0, 1); c.get() != nullptr; c.next()) {}
  }
  return 0;
}
