#include "data/log/topic.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "core/base/crc32c.h"

namespace supyo::log {
namespace {

constexpr std::string_view kFirstLine = "supyo log topic 1";

/// Kafka's rule: 1 to 249 of [A-Za-z0-9._-], not "." or "..". Names that start with "__" are our own.
Status check_name(const std::string& name) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'; };
  if (name.empty() || name.size() > 249 || name == "." || name == ".." || name.starts_with("__") || !std::all_of(name.begin(), name.end(), good))
    return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is not a topic name", name), "1 to 249 letters, digits, '.', '_' or '-', not starting with '__'");
  return ok();
}

Status check_config(const TopicConfig& c) {
  if (c.partitions < 1 || c.partitions > 10'000) return fail(ErrorCode::kBadOptionValue, fmt::format("{} partitions: 1 to 10000 are possible", c.partitions));
  if (c.segment_bytes < 4096) return fail(ErrorCode::kBadOptionValue, fmt::format("segment.bytes = {}: at least 4096", c.segment_bytes));
  if (c.segment_ms < 1) return fail(ErrorCode::kBadOptionValue, fmt::format("segment.ms = {}: at least 1", c.segment_ms));
  if (c.retention_bytes < -1 || c.retention_ms < -1) return fail(ErrorCode::kBadOptionValue, "retention.bytes and retention.ms: -1 (no limit) or more");
  return ok();
}

std::string manifest_path(const std::string& topic_directory) { return env::join_path(topic_directory, "topic"); }

std::string encode_manifest(const Topic& t) {
  const std::string body = fmt::format("{}\nlog.id={:016x}\npartitions={}\nsegment.bytes={}\nsegment.ms={}\nretention.bytes={}\nretention.ms={}\n", kFirstLine, t.log_id,
                                       t.config.partitions, t.config.segment_bytes, t.config.segment_ms, t.config.retention_bytes, t.config.retention_ms);
  return body + fmt::format("crc32c={:08x}\n", crc32c(body));
}

template <class T>
bool take_number(std::string_view text, std::string_view key, T& value, int base = 10) {
  const std::string find = fmt::format("\n{}=", key);
  const std::size_t at = text.find(find);
  if (at == std::string_view::npos) return false;
  const char* from = text.data() + at + find.size();
  const auto [end, error] = std::from_chars(from, text.data() + text.size(), value, base);
  return error == std::errc() && end < text.data() + text.size() && *end == '\n';
}

Status decode_manifest(std::string_view text, const std::string& path, Topic& t) {
  if (!text.starts_with("supyo log topic ")) return fail(ErrorCode::kFormatVersion, fmt::format("{}: not the manifest of a Supyo log topic", path));
  if (!text.starts_with(kFirstLine) || text[kFirstLine.size()] != '\n')
    return fail(ErrorCode::kFormatVersion, fmt::format("{}: written by a newer Supyo ({})", path, text.substr(0, text.find('\n'))), "open it with that version");
  std::uint32_t crc = 0;
  const std::size_t body = text.rfind("crc32c=");
  const bool good = body != std::string_view::npos && take_number(text, "crc32c", crc, 16) && crc32c(text.substr(0, body)) == crc &&
                    take_number(text, "log.id", t.log_id, 16) && take_number(text, "partitions", t.config.partitions) &&
                    take_number(text, "segment.bytes", t.config.segment_bytes) && take_number(text, "segment.ms", t.config.segment_ms) &&
                    take_number(text, "retention.bytes", t.config.retention_bytes) && take_number(text, "retention.ms", t.config.retention_ms);
  if (!good) return fail(ErrorCode::kDamaged, fmt::format("{}: the manifest does not check (offset 0)", path), "restore the file from a backup");
  return check_config(t.config);
}

}  // namespace

std::string Topic::partition_directory(PartitionId p) const { return env::join_path(directory, std::to_string(p.value)); }

Result<Topic> open_topic(env::Files& files, const std::string& log_directory, const std::string& name) {
  SUPYO_TRY(check_name(name));
  Topic t{.directory = env::join_path(log_directory, name), .name = name, .log_id = 0, .config = {}};
  auto text = files.read_all(manifest_path(t.directory));
  if (!text && text.error().code == ErrorCode::kNotFoundOnDisk) {
    SUPYO_ASSIGN(const auto topics, list_topics(files, log_directory));
    return fail(ErrorCode::kUnknownTable, fmt::format("the log {} has no topic '{}'", log_directory, name),
                topics.empty() ? "it has no topics yet: write to it first (INSERT INTO, or `supyo gen --to embedded:DIR/TOPIC`)"
                               : fmt::format("it has: {}", fmt::join(topics, ", ")));
  }
  if (!text) return fail(std::move(text).error());
  SUPYO_TRY(decode_manifest(*text, manifest_path(t.directory), t));
  return t;
}

Result<Topic> create_topic(const env::Env& env, const std::string& log_directory, const std::string& name, const TopicConfig& config) {
  SUPYO_TRY(check_name(name));
  SUPYO_TRY(check_config(config));
  Topic t{.directory = env::join_path(log_directory, name), .name = name, .log_id = env.random.next_u64() | 1, .config = config};
  SUPYO_TRY(create_directories_durably(env.files, t.directory));
  // Whole before it has its name: the manifest is what makes a directory a topic, and the first of two creators wins.
  const std::string path = manifest_path(t.directory);
  const std::string temporary = fmt::format("{}.{:016x}.tmp", path, t.log_id);
  {
    SUPYO_ASSIGN(auto file, env.files.open(temporary, env::OpenMode::kCreateNew));
    SUPYO_TRY(file->write_at(0, encode_manifest(t)));
    SUPYO_TRY(file->sync());
  }
  if (auto renamed = env.files.rename_no_replace(temporary, path); !renamed) {
    SUPYO_TRY(env.files.remove(temporary));
    if (renamed.error().code == ErrorCode::kAlreadyExistsOnDisk)
      return fail(ErrorCode::kAlreadyExists, fmt::format("the topic '{}' exists already in {}", name, log_directory));
    return fail(std::move(renamed).error());
  }
  SUPYO_TRY(env.files.sync_directory(t.directory));
  return t;
}

Result<Topic> open_or_create_topic(const env::Env& env, const std::string& log_directory, const std::string& name, const TopicConfig& config) {
  auto opened = open_topic(env.files, log_directory, name);
  if (opened || opened.error().code != ErrorCode::kUnknownTable) return opened;
  auto created = create_topic(env, log_directory, name, config);
  if (!created && created.error().code == ErrorCode::kAlreadyExists) return open_topic(env.files, log_directory, name);
  return created;
}

Result<std::vector<std::string>> list_topics(env::Files& files, const std::string& log_directory) {
  std::vector<std::string> topics;
  auto names = files.list(log_directory);
  if (!names && names.error().code == ErrorCode::kNotFoundOnDisk) return topics;
  if (!names) return fail(std::move(names).error());
  for (const std::string& name : *names) {
    SUPYO_ASSIGN(const bool is_topic, files.exists(manifest_path(env::join_path(log_directory, name))));
    if (is_topic) topics.push_back(name);
  }
  return topics;
}

Status create_directories_durably(env::Files& files, const std::string& path) {
  if (path.empty() || path == "." || path == "/") return ok();
  SUPYO_ASSIGN(const bool there, files.exists(path));
  const std::string parent = env::parent_path(path);
  if (!there) {
    SUPYO_TRY(create_directories_durably(files, parent));
    SUPYO_TRY(files.create_directories(path));
  }
  // Synced also when it was there already: the process that made it may have died before it could.
  Status synced = files.sync_directory(parent);
  if (there && !synced && synced.error().code == ErrorCode::kIo) return ok();   // a parent that is not ours to open
  return synced;
}

}  // namespace supyo::log
