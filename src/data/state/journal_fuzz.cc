// Any bytes as a segment, an epoch's body and a snapshot: read or refused, never a crash.
#include "data/state/journal_format.h"
#include "data/state/snapshot_format.h"
#include "data/state/stored_entries.h"
#include "core/env/sim/sim_env.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace supyo;
  using namespace supyo::state;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(decode_segment_header(bytes, "fuzz", "job").has_value());
  for (std::uint64_t at = 0; const auto record = record_at(bytes, 1, at, std::nullopt); at = record->end) {}
  static_cast<void>(acknowledged_beyond(bytes, 1, 0));
  std::vector<Section> sections;
  std::vector<ChangeList> changes(1);
  static_cast<void>(decode_body(bytes, sections, [&](Journal::StoredTable table, std::span<const ChangeRef> some) { changes.front().add(table, some); }).has_value());
  const ChangeIndex index(changes, {});

  env::SimEnv sim(1);
  if (!sim.files().write_atomically("snapshot", bytes)) return 0;
  if (const auto reader = SnapshotReader::open(sim.files(), "snapshot", "job")) {
    std::vector<SnapshotEntry> read;
    for (const Journal::StoredTable& table : tables_of(reader->get(), index)) {
      const StoredEntries entries(nullptr, reader->get(), index, table, 0, 1);
      for (std::size_t range = 0; range < entries.ranges(); ++range) entries.read(range, read);
    }
  }
  return 0;
}
