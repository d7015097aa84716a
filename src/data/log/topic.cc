#include "data/log/topic.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "core/base/crc32c.h"

namespace supyo::log {
namespace {

constexpr std::string_view kFirstLine = "supyo log topic 2";
constexpr std::string_view kFirstLineOf1 = "supyo log topic 1";   // had four of the settings
constexpr std::string_view kDeletedPrefix = "__deleted.";

/// Kafka's rule: 1 to 249 of [A-Za-z0-9._-], not "." or "..". Names that start with "__" are our own.
Status check_name(const std::string& name) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'; };
  if (name.empty() || name.size() > 249 || name == "." || name == ".." || name.starts_with("__") || !std::all_of(name.begin(), name.end(), good))
    return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is not a topic name", name), "1 to 249 letters, digits, '.', '_' or '-', not starting with '__'");
  return ok();
}

/// A TopicConfig that a program filled in, by the rules for one that a client sends.
Status check_config(const TopicConfig& c) {
  if (c.partitions < 1 || c.partitions > 10'000) return fail(ErrorCode::kBadOptionValue, fmt::format("{} partitions: 1 to 10000 are possible", c.partitions));
  if (!c.cleanup_delete && !c.cleanup_compact) return fail(ErrorCode::kBadOptionValue, "cleanup.policy: delete, compact, or both");
  TopicConfig scratch;
  for (const TopicSetting& s : topic_settings()) SUPYO_TRY(set_topic_setting(scratch, s.key, *topic_setting(c, s.key)));
  return ok();
}

std::string manifest_path(const std::string& topic_directory) { return env::join_path(topic_directory, "topic"); }

std::string encode_manifest(const Topic& t) {
  std::string body = fmt::format("{}\nlog.id={:016x}\npartitions={}\n", kFirstLine, t.log_id, t.config.partitions);
  for (const TopicSetting& s : topic_settings()) body += fmt::format("{}={}\n", s.key, *topic_setting(t.config, s.key));
  return body + fmt::format("crc32c={:08x}\n", crc32c(body));
}

template <class T>
bool parse_number(std::string_view text, T& value, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

bool decode_line(std::string_view line, Topic& t) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view key = line.substr(0, equals);
  const std::string_view value = line.substr(equals + 1);
  if (key == "log.id") return parse_number(value, t.log_id, 16);
  if (key == "partitions") return parse_number(value, t.config.partitions);
  return set_topic_setting(t.config, key, value).has_value();
}

Status decode_manifest(std::string_view text, const std::string& path, Topic& t) {
  if (!text.starts_with("supyo log topic ")) return fail(ErrorCode::kFormatVersion, fmt::format("{}: not the manifest of a Supyo log topic", path));
  const std::string_view first = text.substr(0, text.find('\n'));
  if (first != kFirstLine && first != kFirstLineOf1) return fail(ErrorCode::kFormatVersion, fmt::format("{}: written by a newer Supyo ({})", path, first), "open it with that version");
  std::uint32_t crc = 0;
  const std::size_t body = text.rfind("crc32c=");
  bool good = body != std::string_view::npos && text.ends_with('\n') && parse_number(text.substr(body + 7, text.size() - body - 8), crc, 16) && crc32c(text.substr(0, body)) == crc;
  for (std::size_t at = first.size() + 1; good && at < body;) {
    const std::size_t end = text.find('\n', at);
    good = end < body && decode_line(text.substr(at, end - at), t);
    at = end + 1;
  }
  if (!good || t.log_id == 0) return fail(ErrorCode::kDamaged, fmt::format("{}: the manifest does not check (offset 0)", path), "restore the file from a backup");
  return check_config(t.config);
}

/// Reads the manifest under the topic's lock, lets `change` at it, and puts it in place.
template <class Change>
Result<Topic> rewrite_manifest(const env::Env& env, const std::string& log_directory, const std::string& name, Change change) {
  SUPYO_ASSIGN(const Topic found, open_topic(env.files, log_directory, name));
  SUPYO_ASSIGN(const auto lock, env.files.lock(manifest_path(found.directory) + ".lock"));
  SUPYO_ASSIGN(Topic topic, open_topic(env.files, log_directory, name));
  SUPYO_TRY(change(topic.config));
  SUPYO_TRY(check_config(topic.config));
  SUPYO_TRY(env.files.write_atomically(manifest_path(topic.directory), encode_manifest(topic)));
  return topic;
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

Result<Topic> alter_topic_config(const env::Env& env, const std::string& log_directory, const std::string& name, const TopicChanges& changes) {
  return rewrite_manifest(env, log_directory, name, [&](TopicConfig& c) -> Status {
    for (const auto& [key, value] : changes) {
      const std::optional<std::string> to = value ? value : topic_setting(TopicConfig{}, key);
      SUPYO_TRY(set_topic_setting(c, key, to.value_or("")));
    }
    return ok();
  });
}

Result<Topic> add_partitions(const env::Env& env, const std::string& log_directory, const std::string& name, std::int32_t partitions) {
  return rewrite_manifest(env, log_directory, name, [&](TopicConfig& c) -> Status {
    if (partitions <= c.partitions)
      return fail(ErrorCode::kBadOptionValue, fmt::format("topic '{}' has {} partitions: it cannot be changed to {}", name, c.partitions, partitions), "partitions can only be added");
    c.partitions = partitions;
    return ok();
  });
}

Status delete_topic(const env::Env& env, const std::string& log_directory, const std::string& name) {
  SUPYO_ASSIGN(const Topic topic, open_topic(env.files, log_directory, name));
  const std::string gone = env::join_path(log_directory, fmt::format("{}{}.{:016x}", kDeletedPrefix, name, topic.log_id));
  {
    std::vector<std::unique_ptr<env::FileLock>> locks;
    SUPYO_ASSIGN(locks.emplace_back(), env.files.lock(manifest_path(topic.directory) + ".lock"));
    for (std::int32_t p = 0; p < topic.config.partitions; ++p) {
      const std::string directory = topic.partition_directory(PartitionId(p));
      SUPYO_ASSIGN(const bool there, env.files.exists(directory));
      if (!there) continue;
      auto locked = env.files.lock(env::join_path(directory, "lock"));
      if (!locked && locked.error().code == ErrorCode::kStateLocked) {
        Error e = locked.error().with_context(fmt::format("deleting topic '{}'", name));
        e.hint = "a job or a broker writes to it: stop that first";
        return fail(std::move(e));
      }
      SUPYO_ASSIGN(locks.emplace_back(), std::move(locked));
    }
    // One step, so that no reader and no crash sees half a topic under its name.
    SUPYO_TRY(env.files.rename_no_replace(topic.directory, gone));
    SUPYO_TRY(env.files.sync_directory(log_directory));
  }
  return env.files.remove_all(gone);
}

Status sweep_deleted_topics(env::Files& files, const std::string& log_directory) {
  auto names = files.list(log_directory);
  if (!names && names.error().code == ErrorCode::kNotFoundOnDisk) return ok();
  if (!names) return fail(std::move(names).error());
  for (const std::string& name : *names)
    if (name.starts_with(kDeletedPrefix)) SUPYO_TRY(files.remove_all(env::join_path(log_directory, name)));
  return ok();
}

Result<std::vector<std::string>> list_topics(env::Files& files, const std::string& log_directory) {
  std::vector<std::string> topics;
  auto names = files.list(log_directory);
  if (!names && names.error().code == ErrorCode::kNotFoundOnDisk) return topics;
  if (!names) return fail(std::move(names).error());
  for (const std::string& name : *names) {
    if (name.starts_with("__")) continue;   // our own
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
