#include "data/iceberg/commit.h"

#include <charconv>
#include <set>

#include "core/base/fault_point.h"
#include "core/base/hash.h"
#include "data/iceberg/expire.h"
#include "data/iceberg/values.h"

namespace supyo::iceberg {
namespace {

constexpr int kMaxAttempts = 50;
constexpr int kEpochDigits = 10;

std::string last_epoch_key(const Writer& writer) { return fmt::format("supyo.last-epoch.{}.{}", writer.sink_id, writer.job_id); }

std::optional<std::int64_t> number(const std::map<std::string, std::string>& map, const std::string& key) {
  const auto it = map.find(key);
  if (it == map.end()) return std::nullopt;
  std::int64_t v = 0;
  const char* end = it->second.data() + it->second.size();
  const auto [at, error] = std::from_chars(it->second.data(), end, v);
  return error == std::errc{} && at == end ? std::optional(v) : std::nullopt;
}

bool has(const std::map<std::string, std::string>& map, const char* key, const std::string& value) {
  const auto it = map.find(key);
  return it != map.end() && it->second == value;
}

// The same for every attempt at an epoch, so that a commit can be recognised by its snapshot too.
std::int64_t derived_snapshot_id(const Writer& writer, Epoch epoch, const TableMetadata& table) {
  std::uint64_t h = hash_combine(hash_bytes(table.uuid), hash_bytes(writer.job_id));
  h = hash_combine(hash_combine(h, hash_bytes(writer.sink_id)), static_cast<std::uint64_t>(epoch.value));
  auto id = static_cast<std::int64_t>(h & 0x7fffffffffffffffULL);
  while (id == 0 || table.find_snapshot(id) != nullptr) id = (id + 1) & 0x7fffffffffffffffLL;
  return id;
}

struct Totals {
  std::int64_t files = 0;
  std::int64_t records = 0;
  std::int64_t bytes = 0;
};

Totals totals_of(const std::vector<NewFiles>& groups) {
  Totals t;
  for (const NewFiles& group : groups)
    for (const DataFile& f : group.files) {
      ++t.files;
      t.records += f.records;
      t.bytes += f.bytes;
    }
  return t;
}

std::map<std::string, std::string> make_summary(const Writer& writer, Epoch epoch, const std::vector<NewFiles>& groups, const TableMetadata& table) {
  const Totals added = totals_of(groups);
  std::set<std::string> partitions;
  for (const NewFiles& group : groups)
    for (const DataFile& f : group.files) partitions.insert(fmt::format("{}/{}", group.spec_id, partition_path(*table.find_spec(group.spec_id), f.partition)));
  std::map<std::string, std::string> out{{"operation", "append"},
                                         {"engine-name", "supyo"},
                                         {"engine-version", SUPYO_VERSION},
                                         {kJobKey, writer.job_id},
                                         {kSinkKey, writer.sink_id},
                                         {kEpochKey, std::to_string(epoch.value)},
                                         {"added-data-files", std::to_string(added.files)},
                                         {"added-records", std::to_string(added.records)},
                                         {"added-files-size", std::to_string(added.bytes)},
                                         {"changed-partition-count", std::to_string(partitions.size())}};
  // A total whose start is unknown stays unknown.
  const Snapshot* parent = table.current_snapshot();
  const auto total = [&](const std::string& key, std::int64_t add) {
    const auto before = parent ? number(parent->summary, key) : std::optional<std::int64_t>(0);
    if (before) out[key] = std::to_string(*before + add);
  };
  total("total-data-files", added.files);
  total("total-records", added.records);
  total("total-files-size", added.bytes);
  total("total-delete-files", 0);
  total("total-position-deletes", 0);
  total("total-equality-deletes", 0);
  return out;
}

// Manifests are merged in levels: `fan_in` manifests of about the same number of files become one of the next level, so that a file's entry
// is rewritten once a level (three times for a million files) and a commit reads at most fan_in small files.
int level_of(const ManifestFile& m, std::int64_t fan_in) {
  std::int64_t n = m.added_files + m.existing_files;
  int level = 0;
  while (n >= fan_in) {
    n /= fan_in;
    ++level;
  }
  return level;
}

std::vector<std::size_t> choose_merge(const std::vector<ManifestFile>& manifests, std::int64_t fan_in, std::int64_t target_bytes) {
  std::map<std::pair<int, std::int32_t>, std::vector<std::size_t>> by_level;
  for (std::size_t i = 0; i < manifests.size(); ++i) {
    const ManifestFile& m = manifests[i];
    if (m.deletes || m.length >= target_bytes / 2) continue;
    by_level[{level_of(m, fan_in), m.spec_id}].push_back(i);
  }
  for (const auto& [level, members] : by_level) {
    if (static_cast<std::int64_t>(members.size()) < fan_in) continue;
    std::vector<std::size_t> chosen;
    std::int64_t bytes = 0;
    for (const std::size_t i : members) {
      if (chosen.size() >= 2 && bytes + manifests[i].length > target_bytes) break;
      bytes += manifests[i].length;
      chosen.push_back(i);
    }
    return chosen;
  }
  return {};
}

}  // namespace

/// A commit under way: what was written for it so far.
struct TableCommitter::Draft {
  std::int64_t snapshot_id = 0;
  std::vector<ManifestFile> manifests;       // of the new files: kept when the commit is rebased
  std::vector<std::string> attempt_files;    // manifest list and merged manifests: of no use after a conflict
  std::vector<ManifestFile> all_manifests;   // of the new snapshot
  std::vector<std::string> merged_away;      // manifests of the parent that the new snapshot no longer names
  std::vector<Snapshot> expired;
  std::vector<std::string> old_metadata;
  int attempt = 0;
};

std::string file_tag(const Writer& writer) { return fmt::format("-{:08x}-{}-", static_cast<std::uint32_t>(hash_bytes(writer.sink_id)), writer.job_id); }

std::optional<Epoch> epoch_of_file(std::string_view name, std::string_view tag) {
  const std::size_t at = name.find(tag);
  if (at == std::string_view::npos || at < kEpochDigits) return std::nullopt;
  const std::string_view digits = name.substr(at - kEpochDigits, kEpochDigits);
  std::int64_t v = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), v);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return Epoch{v};
}

TableCommitter::TableCommitter(const env::Env& env, std::string location, Writer writer)
    : env_(env), location_(std::move(location)), writer_(std::move(writer)), tag_(iceberg::file_tag(writer_)), nonce_(fmt::format("{:08x}", static_cast<std::uint32_t>(env.random.next_u64()))) {}

std::string TableCommitter::file_name(Epoch epoch) { return fmt::format("{:010}{}{}-{}", epoch.value, tag_, nonce_, next_file_++); }

std::string TableCommitter::metadata_uri(const std::string& name) const { return table_->metadata.location + "/metadata/" + name; }

std::string TableCommitter::sync_marker() {
  const std::uint64_t parts[2] = {env_.random.next_u64(), env_.random.next_u64()};
  return {reinterpret_cast<const char*>(parts), sizeof parts};
}

Result<const LoadedTable*> TableCommitter::table() {
  if (!table_) {
    SUPYO_ASSIGN(LoadedTable loaded, load_table(env_.files, location_));
    if (!loaded.path_based)
      return fail(ErrorCode::kUnsupported, fmt::format("table {} is committed through another catalog", location_), "Supyo writes tables of path-based (hadoop) catalogs only");
    if (uuid_.empty()) {
      uuid_ = loaded.metadata.uuid;
      last_seen_sequence_ = loaded.metadata.last_sequence_number;
    }
    if (uuid_ != loaded.metadata.uuid)
      return fail(ErrorCode::kOutsideConflict, fmt::format("table {} was dropped and created again while it was written", location_), "restart the job with a new state directory");
    table_ = std::move(loaded);
  }
  return &*table_;
}

std::optional<Epoch> TableCommitter::committed_epoch() const {
  std::optional<Epoch> last;
  if (const auto v = number(table_->metadata.properties, last_epoch_key(writer_))) last = Epoch{*v};
  // The ancestors as well: another tool may have lost the property.
  for (const Snapshot& s : table_->metadata.snapshots) {
    if (!has(s.summary, kJobKey, writer_.job_id) || !has(s.summary, kSinkKey, writer_.sink_id)) continue;
    const auto v = number(s.summary, kEpochKey);
    if (v && (!last || *v > last->value)) last = Epoch{*v};
  }
  return last;
}

Result<Epoch> TableCommitter::last_committed() {
  table_.reset();
  manifests_.reset();
  SUPYO_TRY(table());
  return committed_epoch().value_or(Epoch{0});
}

Status TableCommitter::refuse_other_job() const {
  if (table_->metadata.property(kSharedWritersKey, false)) return ok();
  for (const Snapshot& s : table_->metadata.snapshots) {
    if (s.sequence_number <= last_seen_sequence_) continue;
    if (!has(s.summary, kSinkKey, writer_.sink_id) || has(s.summary, kJobKey, writer_.job_id)) continue;
    return fail(ErrorCode::kSinkOfOtherJob,
                fmt::format("another job ({}) is writing table {} through the same sink `{}` at this time", s.summary.at(kJobKey), location_, writer_.sink_id),
                fmt::format("stop one of the two; if both are meant to append, give the table the property '{}'='true'", kSharedWritersKey));
  }
  return ok();
}

Result<AppendOutcome> TableCommitter::append(Epoch epoch, const std::vector<NewFiles>& files) {
  SUPYO_TRY(table());
  Draft draft;
  for (; draft.attempt < kMaxAttempts; ++draft.attempt) {
    if (const auto last = committed_epoch(); last && *last >= epoch) return confirm();
    SUPYO_TRY(refuse_other_job());
    if (draft.snapshot_id == 0) {
      draft.snapshot_id = derived_snapshot_id(writer_, epoch, table_->metadata);
      SUPYO_TRY(write_manifests(epoch, files, draft));
    }
    auto next = next_metadata(epoch, files, draft);
    std::uint64_t text_hash = 0;
    const Status published = next ? publish(*next, text_hash) : Status(fail(next.error()));
    if (published) {
      table_->text_hash = text_hash;
      table_->version += 1;
      table_->metadata_file = metadata_uri(fmt::format("v{}.metadata.json", table_->version));
      if (table_->metadata.current_snapshot_id) merged_away_[*table_->metadata.current_snapshot_id] = std::move(draft.merged_away);
      table_->metadata = *std::move(next);
      manifests_ = std::move(draft.all_manifests);
      last_seen_sequence_ = table_->metadata.last_sequence_number;
      clean_up(draft);
      return AppendOutcome::kAppended;
    }
    table_.reset();  // whatever happened, what is known of the table is old
    manifests_.reset();
    // What to build on is gone: others moved the table on and expired it, or made it anew.
    const bool outdated = published.error().code == ErrorCode::kNotFoundOnDisk && draft.attempt == 0;
    if (!outdated && published.error().code != ErrorCode::kAlreadyExistsOnDisk) return fail(published.error());
    SUPYO_REACHED("iceberg.commit.conflict");
    discard(draft.attempt_files);
    draft.attempt_files.clear();
    draft.merged_away.clear();
    SUPYO_TRY(table());
  }
  return fail(ErrorCode::kOutsideConflict, fmt::format("table {}: {} commits in a row lost against other writers", location_, kMaxAttempts));
}

// The epoch was found committed. It may have been by a process that died before the directory was synced.
Result<AppendOutcome> TableCommitter::confirm() {
  SUPYO_REACHED("iceberg.commit.was_there");
  SUPYO_ASSIGN(const std::string directory, local_path(table_->metadata.location + "/metadata"));
  SUPYO_TRY(env_.files.sync_directory(directory));
  SUPYO_TRY(write_version_hint(env_.files, location_, table_->version));
  return AppendOutcome::kWasThere;
}

Result<ManifestFile> TableCommitter::write_manifest(std::vector<ManifestEntry> entries, const PartitionSpec& spec, const std::string& name, std::vector<std::string>& written) {
  const TableSchema& schema = table_->metadata.schema();
  SUPYO_ASSIGN(const std::string bytes, encode_manifest(entries, schema, spec, sync_marker()));
  SUPYO_ASSIGN(ManifestFile manifest, summarize_manifest(entries, schema, spec));
  manifest.path = metadata_uri(name);
  manifest.length = static_cast<std::int64_t>(bytes.size());
  SUPYO_ASSIGN(const std::string path, local_path(manifest.path));
  written.push_back(manifest.path);
  SUPYO_TRY(write_durable(env_.files, path, bytes));
  return manifest;
}

Status TableCommitter::write_manifests(Epoch epoch, const std::vector<NewFiles>& files, Draft& draft) {
  std::vector<std::string> written;
  for (const NewFiles& group : files) {
    const PartitionSpec* spec = table_->metadata.find_spec(group.spec_id);
    if (spec == nullptr) return fail(ErrorCode::kDamaged, fmt::format("table {} has no partition spec {}", location_, group.spec_id));
    std::vector<ManifestEntry> entries;
    for (const DataFile& f : group.files)
      entries.push_back({.status = EntryStatus::kAdded, .snapshot_id = draft.snapshot_id, .sequence_number = {}, .file_sequence_number = {}, .file = f});
    SUPYO_ASSIGN(ManifestFile manifest, write_manifest(std::move(entries), *spec, file_name(epoch) + "-m0.avro", written));
    draft.manifests.push_back(std::move(manifest));
  }
  return ok();
}

Result<std::vector<ManifestFile>> TableCommitter::merge(std::vector<ManifestFile> manifests, Epoch epoch, const Snapshot& snapshot, Draft& draft) {
  const TableMetadata& table = table_->metadata;
  if (!table.property("commit.manifest-merge.enabled", true)) return manifests;
  const std::int64_t fan_in = std::max<std::int64_t>(2, table.property("commit.manifest.min-count-to-merge", std::int64_t{100}));
  const std::vector<std::size_t> chosen = choose_merge(manifests, fan_in, table.property("commit.manifest.target-size-bytes", std::int64_t{8} << 20));
  if (chosen.size() < 2) return manifests;
  SUPYO_REACHED("iceberg.manifest.merge");
  std::vector<ManifestEntry> entries;
  std::int64_t min_sequence = snapshot.sequence_number;
  for (const std::size_t i : chosen) {
    SUPYO_ASSIGN(auto read, read_manifest(env_.files, manifests[i], table));
    for (ManifestEntry& entry : read) {
      if (entry.status == EntryStatus::kDeleted) continue;
      entry.status = EntryStatus::kExisting;
      min_sequence = std::min(min_sequence, entry.sequence_number.value_or(0));
      entries.push_back(std::move(entry));
    }
  }
  const PartitionSpec* spec = table.find_spec(manifests[chosen.front()].spec_id);
  SUPYO_ASSIGN(ManifestFile merged, write_manifest(std::move(entries), *spec, file_name(epoch) + "-m1.avro", draft.attempt_files));
  merged.sequence_number = snapshot.sequence_number;
  merged.min_sequence_number = min_sequence;
  merged.added_snapshot_id = snapshot.id;
  std::vector<ManifestFile> out;
  std::size_t next = 0;
  for (std::size_t i = 0; i < manifests.size(); ++i) {
    if (next < chosen.size() && chosen[next] == i) {
      ++next;
      draft.merged_away.push_back(std::move(manifests[i].path));
    } else {
      out.push_back(std::move(manifests[i]));
    }
  }
  out.push_back(std::move(merged));
  return out;
}

Result<TableMetadata> TableCommitter::next_metadata(Epoch epoch, const std::vector<NewFiles>& files, Draft& draft) {
  const TableMetadata& now = table_->metadata;
  Snapshot snapshot;
  snapshot.id = draft.snapshot_id;
  snapshot.parent_id = now.current_snapshot_id;
  snapshot.sequence_number = now.last_sequence_number + 1;
  // Virtual clocks and other machines' clocks: a table's time never goes back.
  snapshot.timestamp_ms = std::max(env_.clock.now_us() / kMillisecond, now.last_updated_ms);
  snapshot.schema_id = now.current_schema_id;
  snapshot.summary = make_summary(writer_, epoch, files, now);
  std::vector<ManifestFile> manifests;
  if (const Snapshot* parent = now.current_snapshot()) {
    if (manifests_) {
      manifests = *manifests_;
    } else {
      SUPYO_ASSIGN(manifests, read_manifest_list(env_.files, *parent));
    }
    SUPYO_ASSIGN(manifests, merge(std::move(manifests), epoch, snapshot, draft));
  }
  for (ManifestFile m : draft.manifests) {
    m.sequence_number = m.min_sequence_number = snapshot.sequence_number;
    m.added_snapshot_id = snapshot.id;
    manifests.insert(manifests.begin(), std::move(m));
  }
  snapshot.manifest_list = metadata_uri(fmt::format("snap-{}-{}-{}.avro", snapshot.id, draft.attempt, file_name(epoch)));
  SUPYO_ASSIGN(const std::string list_path, local_path(snapshot.manifest_list));
  draft.attempt_files.push_back(snapshot.manifest_list);
  SUPYO_TRY(write_durable(env_.files, list_path, encode_manifest_list(manifests, snapshot, sync_marker())));
  draft.all_manifests = std::move(manifests);
  snapshot.json = snapshot_json(snapshot);

  TableMetadata next = now;
  next.last_sequence_number = snapshot.sequence_number;
  next.last_updated_ms = snapshot.timestamp_ms;
  next.current_snapshot_id = snapshot.id;
  next.snapshot_log.push_back({snapshot.timestamp_ms, snapshot.id});
  next.snapshots.push_back(std::move(snapshot));
  next.metadata_log.push_back({now.last_updated_ms, table_->metadata_file});
  next.properties[last_epoch_key(writer_)] = std::to_string(epoch.value);
  draft.expired = expire_snapshots(next, next.last_updated_ms);
  draft.old_metadata = trim_metadata_log(next);
  return next;
}

Status TableCommitter::publish(const TableMetadata& next, std::uint64_t& text_hash) {
  SUPYO_ASSIGN(const std::string directory, local_path(next.location + "/metadata"));
  // A table that was dropped and made again counts its versions from 1: the number alone does not tell.
  SUPYO_ASSIGN(const std::string base, env_.files.read_all(env::join_path(directory, fmt::format("v{}.metadata.json", table_->version))));
  if (hash_bytes(base) != table_->text_hash) return fail(ErrorCode::kNotFoundOnDisk, fmt::format("version {} of table {} was replaced", table_->version, location_));
  const std::string text = metadata_json(next);
  text_hash = hash_bytes(text);
  const std::string temporary = env::join_path(directory, fmt::format(".{}.tmp", file_name(Epoch{0})));
  SUPYO_TRY(write_durable(env_.files, temporary, text));
  // The new version must not outlive a crash without the manifests that it names.
  SUPYO_TRY(env_.files.sync_directory(directory));
  const Status renamed = env_.files.rename_no_replace(temporary, env::join_path(directory, fmt::format("v{}.metadata.json", table_->version + 1)));
  if (!renamed) {
    (void)env_.files.remove(temporary);
    return renamed;
  }
  return env_.files.sync_directory(directory);
}

// After the commit: the hint, and what nobody needs any more. A failure here costs only space, or readers of the hint one commit.
void TableCommitter::clean_up(const Draft& draft) {
  (void)write_version_hint(env_.files, location_, table_->version);
  discard(unreferenced_files(env_.files, draft.expired, table_->metadata, merged_away_));
  for (const Snapshot& s : draft.expired) merged_away_.erase(s.id);
  discard(draft.old_metadata);
}

void TableCommitter::discard(const std::vector<std::string>& uris) {
  for (const std::string& uri : uris)
    if (const auto path = local_path(uri)) (void)env_.files.remove(*path);
}

Status TableCommitter::remove_leftovers(Epoch last_wanted) {
  table_.reset();
  manifests_.reset();
  SUPYO_TRY(table());
  const Epoch committed = committed_epoch().value_or(Epoch{0});
  SUPYO_ASSIGN(const std::string root, local_path(table_->metadata.location));
  const std::string directory = env::join_path(root, "metadata");
  SUPYO_ASSIGN(const auto names, env_.files.list(directory));
  for (const std::string& name : names) {
    const auto epoch = epoch_of_file(name, tag_);
    if (!epoch) continue;
    if (name.ends_with(".tmp") || *epoch > committed) SUPYO_TRY(env_.files.remove(env::join_path(directory, name)));
  }
  const std::string data = env::join_path(root, "data");
  SUPYO_ASSIGN(const bool has_data, env_.files.exists(data));
  return has_data ? remove_unfinished_data(data, last_wanted) : ok();
}

Status TableCommitter::remove_unfinished_data(const std::string& directory, Epoch last_wanted) {
  SUPYO_ASSIGN(const auto names, env_.files.list(directory));
  for (const std::string& name : names) {
    const std::string path = env::join_path(directory, name);
    if (name.ends_with(".parquet")) {
      const auto epoch = epoch_of_file(name, tag_);
      if (!epoch || *epoch <= last_wanted) continue;
      SUPYO_REACHED("iceberg.data.orphan_removed");
      SUPYO_TRY(env_.files.remove(path));
    } else if (name.find('=') != std::string::npos) {
      SUPYO_TRY(remove_unfinished_data(path, last_wanted));
    }
  }
  return ok();
}

std::map<std::string, std::string> streaming_defaults() {
  return {{"write.format.default", "parquet"},
          {"write.parquet.compression-codec", "zstd"},
          {"write.metadata.delete-after-commit.enabled", "true"},
          {"write.metadata.previous-versions-max", "100"},
          {kMaxSnapshotsKey, "100"}};
}

}  // namespace supyo::iceberg
