#include "data/iceberg/table.h"

#include <charconv>

#include "core/base/hash.h"

namespace supyo::iceberg {
namespace {

constexpr std::string_view kMetadataSuffix = ".metadata.json";
constexpr int kReadAttempts = 5;

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t v = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc{} || at != text.data() + text.size() || v < 0) return std::nullopt;
  return v;
}

// N of "v<N>.metadata.json".
std::optional<std::int64_t> version_of(std::string_view name) {
  if (!name.starts_with('v') || !name.ends_with(kMetadataSuffix)) return std::nullopt;
  return parse_number(name.substr(1, name.size() - 1 - kMetadataSuffix.size()));
}

// The number in front of "<number>-<uuid>.metadata.json": how catalogs that keep the pointer elsewhere name their files.
std::optional<std::int64_t> catalog_version_of(std::string_view name) {
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos || !name.ends_with(kMetadataSuffix)) return std::nullopt;
  return parse_number(name.substr(0, dash));
}

struct Found {
  std::int64_t version = 0;
  std::string file;
  bool path_based = true;
};

std::string version_file(std::int64_t version) { return fmt::format("v{}{}", version, kMetadataSuffix); }

// The hint names a version that existed once; newer ones are found by looking, since the hint may be lost in a crash. nullopt: list instead.
Result<std::optional<Found>> follow_hint(env::Files& files, const std::string& directory) {
  auto hint = files.read_all(env::join_path(directory, "version-hint.text"));
  if (!hint) return std::optional<Found>{};
  while (!hint->empty() && (hint->back() == '\n' || hint->back() == ' ' || hint->back() == '\r')) hint->pop_back();
  const auto number = parse_number(*hint);
  if (!number) return std::optional<Found>{};
  std::int64_t version = *number;
  SUPYO_ASSIGN(const bool hinted, files.exists(env::join_path(directory, version_file(version))));
  if (!hinted) return std::optional<Found>{};
  while (true) {
    SUPYO_ASSIGN(const bool newer, files.exists(env::join_path(directory, version_file(version + 1))));
    if (!newer) return std::optional(Found{version, version_file(version)});
    ++version;
  }
}

Result<std::optional<Found>> newest_listed(env::Files& files, const std::string& directory) {
  SUPYO_ASSIGN(const auto names, files.list(directory));
  std::optional<Found> best;
  for (const std::string& name : names) {
    const auto path_version = version_of(name);
    const auto version = path_version ? path_version : catalog_version_of(name);
    if (!version) continue;
    const bool better = !best || (path_version.has_value() != best->path_based ? path_version.has_value() : *version > best->version);
    if (better) best = Found{*version, name, path_version.has_value()};
  }
  return best;
}

Result<std::optional<Found>> find_newest(env::Files& files, const std::string& directory) {
  SUPYO_ASSIGN(const bool there, files.exists(directory));
  if (!there) return std::optional<Found>{};
  SUPYO_ASSIGN(auto hinted, follow_hint(files, directory));
  if (hinted) return hinted;
  return newest_listed(files, directory);
}

}  // namespace

Result<std::string> local_path(const std::string& uri) {
  std::string_view path = uri;
  if (path.starts_with("file:")) {
    path.remove_prefix(5);
    // file:///a (no host), file://localhost/a, file:/a
    if (path.starts_with("//localhost/")) path.remove_prefix(11);
    else if (path.starts_with("//")) path.remove_prefix(2);
  } else if (const std::size_t scheme = path.find("://"); scheme != std::string_view::npos) {
    return fail(ErrorCode::kUnsupported, fmt::format("{} is not on a file system", uri), "use a path or a file:// URI");
  }
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

Result<LoadedTable> load_table(env::Files& files, const std::string& location) {
  SUPYO_ASSIGN(const std::string root, local_path(location));
  const std::string directory = env::join_path(root, "metadata");
  for (int attempt = 0;; ++attempt) {
    SUPYO_ASSIGN(const auto found, find_newest(files, directory));
    if (!found) return fail(ErrorCode::kUnknownTable, fmt::format("there is no Iceberg table at {}", location), "check the warehouse path and the names of database and table");
    auto text = files.read_all(env::join_path(directory, found->file));
    // A writer may have replaced and removed this version since it was found.
    if (!text && text.error().code == ErrorCode::kNotFoundOnDisk && attempt < kReadAttempts) continue;
    if (!text) return fail(std::move(text).error());
    SUPYO_ASSIGN(TableMetadata metadata, parse_metadata(*text, env::join_path(directory, found->file)));
    LoadedTable table{.location = location, .version = found->version, .metadata_file = {}, .metadata = std::move(metadata), .text_hash = hash_bytes(*text), .path_based = found->path_based};
    table.metadata_file = table.metadata.location + "/metadata/" + found->file;
    return table;
  }
}

Status create_table(const env::Env& env, const TableMetadata& metadata) {
  SUPYO_ASSIGN(const std::string root, local_path(metadata.location));
  const std::string directory = env::join_path(root, "metadata");
  SUPYO_TRY(env.files.create_directories(directory));
  SUPYO_ASSIGN(const auto found, find_newest(env.files, directory));
  const auto exists = [&] { return fail(ErrorCode::kAlreadyExists, fmt::format("there is an Iceberg table at {} already", metadata.location), "use CREATE TABLE IF NOT EXISTS"); };
  if (found) return exists();
  const std::string temporary = env::join_path(directory, fmt::format(".v1-{}.tmp", env::new_uuid(env.random)));
  SUPYO_TRY(write_durable(env.files, temporary, metadata_json(metadata)));
  // The new directories must not vanish in a crash: sync upwards; which of them are new is not worth finding out.
  for (std::string at = directory;; at = env::parent_path(at))
    if (!env.files.sync_directory(at) || at == "/" || at == ".") break;
  const Status published = env.files.rename_no_replace(temporary, env::join_path(directory, version_file(1)));
  if (!published) {
    (void)env.files.remove(temporary);
    if (published.error().code == ErrorCode::kAlreadyExistsOnDisk) return exists();
    return published;
  }
  SUPYO_TRY(env.files.sync_directory(directory));
  return write_version_hint(env.files, metadata.location, 1);
}

Result<std::vector<ManifestFile>> read_manifest_list(env::Files& files, const Snapshot& snapshot) {
  SUPYO_ASSIGN(const std::string path, local_path(snapshot.manifest_list));
  SUPYO_ASSIGN(const std::string bytes, files.read_all(path));
  return decode_manifest_list(bytes, path);
}

Result<std::vector<ManifestEntry>> read_manifest(env::Files& files, const ManifestFile& manifest, const TableMetadata& metadata) {
  SUPYO_ASSIGN(const std::string path, local_path(manifest.path));
  SUPYO_ASSIGN(const std::string bytes, files.read_all(path));
  return decode_manifest(bytes, manifest, metadata);
}

Result<std::vector<PlannedFile>> plan_files(env::Files& files, const TableMetadata& metadata, const Snapshot& snapshot) {
  SUPYO_ASSIGN(const auto manifests, read_manifest_list(files, snapshot));
  std::vector<PlannedFile> planned;
  for (const ManifestFile& manifest : manifests) {
    if (manifest.added_files + manifest.existing_files == 0 && manifest.deleted_files > 0) continue;
    SUPYO_ASSIGN(auto entries, read_manifest(files, manifest, metadata));
    for (ManifestEntry& entry : entries) {
      if (entry.status == EntryStatus::kDeleted) continue;
      if (manifest.deletes || entry.file.content != FileContent::kData)
        return fail(ErrorCode::kUnsupported, fmt::format("table {} has delete files", metadata.location), "compact the table with the engine that wrote it (rewrite_data_files)");
      if (entry.file.format != "PARQUET")
        return fail(ErrorCode::kUnsupported, fmt::format("{} is an {} file; Supyo reads Parquet", entry.file.path, entry.file.format));
      planned.push_back({std::move(entry.file), manifest.spec_id, entry.sequence_number.value_or(0)});
    }
  }
  std::stable_sort(planned.begin(), planned.end(), [](const PlannedFile& a, const PlannedFile& b) {
    return a.sequence_number != b.sequence_number ? a.sequence_number < b.sequence_number : a.file.path < b.file.path;
  });
  return planned;
}

Status write_durable(env::Files& files, const std::string& path, std::string_view bytes) {
  SUPYO_ASSIGN(const auto file, files.open(path, env::OpenMode::kCreateNew));
  SUPYO_TRY(file->write_at(0, bytes));
  return file->sync();
}

Status write_version_hint(env::Files& files, const std::string& location, std::int64_t version) {
  SUPYO_ASSIGN(const std::string root, local_path(location));
  const std::string hint = env::join_path(root, "metadata/version-hint.text");
  const std::string temporary = env::join_path(root, fmt::format("metadata/.version-hint-{}.tmp", version));
  {
    SUPYO_ASSIGN(const auto file, files.open(temporary, env::OpenMode::kCreateOrOpen));
    SUPYO_TRY(file->truncate(0));
    SUPYO_TRY(file->write_at(0, std::to_string(version)));  // not synced: it is a hint, and every commit waits for it
  }
  return files.rename(temporary, hint);
}

}  // namespace supyo::iceberg
