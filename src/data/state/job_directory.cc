#include "data/state/job_directory.h"

#include <fmt/format.h>

#include <algorithm>

namespace supyo::state {
namespace {

constexpr std::string_view kJobFile = "job.json";
constexpr std::string_view kLockFile = "LOCK";
constexpr int kFormatVersion = 1;

/// A plan's fingerprint may be any text; in the file it stands as it is when it is plain, else in hexadecimal.
std::string plain(const std::string& text) {
  const auto is_plain = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.' || c == ':'; };
  if (std::ranges::all_of(text, is_plain)) return text;
  std::string out = "x";
  for (const char c : text) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string encode(const JobFile& job) {
  return fmt::format("{{\n  \"format_version\": {},\n  \"job_id\": \"{}\",\n  \"plan\": \"{}\"\n}}\n", kFormatVersion, job.job_id, job.fingerprint);
}

/// The value of `"name": value` up to the end of its line, quotes and comma taken off. encode() writes one a line.
std::string field(std::string_view text, std::string_view name) {
  const std::string wanted = fmt::format("\"{}\": ", name);
  const std::size_t at = text.find(wanted);
  if (at == std::string_view::npos) return {};
  std::string_view value = text.substr(at + wanted.size());
  value = value.substr(0, value.find('\n'));
  while (value.ends_with(',') || value.ends_with('"')) value.remove_suffix(1);
  if (value.starts_with('"')) value.remove_prefix(1);
  return std::string(value);
}

/// Creates a directory and those above it, every new entry durable.
Status create_durably(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const bool there, files.exists(path));
  const std::string parent = env::parent_path(path);
  if (!there && parent != path && parent != ".") SUPYO_TRY(create_durably(files, parent));
  if (there) return ok();
  SUPYO_TRY(files.create_directories(path));
  return files.sync_directory(parent);
}

std::string short_name(const std::string& fingerprint) { return fingerprint.size() <= 16 ? fingerprint : fingerprint.substr(0, 16) + "..."; }

}  // namespace

Result<JobFile> read_job_file(env::Files& files, const std::string& dir) {
  const std::string path = env::join_path(dir, kJobFile);
  SUPYO_ASSIGN(const std::string text, files.read_all(path));
  const std::string version = field(text, "format_version");
  JobFile job{.job_id = field(text, "job_id"), .fingerprint = field(text, "plan")};
  if (version.empty() || job.job_id.empty()) {
    return fail(ErrorCode::kDamaged, fmt::format("{}: not a job file", path), "restore the state directory from a copy, or start with a new one");
  }
  if (version != std::to_string(kFormatVersion)) {
    return fail(ErrorCode::kFormatVersion, fmt::format("{}: state format {} is not known here", path, version), "use the Supyo that wrote it");
  }
  return job;
}

Result<JobDirectory> JobDirectory::open(const env::Env& env, const std::string& path, const std::string& fingerprint) {
  env::Files& files = env.files;
  SUPYO_TRY(create_durably(files, path));
  JobDirectory job;
  job.path_ = path;
  SUPYO_ASSIGN(job.lock_, files.lock(env::join_path(path, kLockFile)));
  const auto found = read_job_file(files, path);
  if (found) {
    job.job_id_ = found->job_id;
    job.fingerprint_ = found->fingerprint;
    if (job.fingerprint_ == plain(fingerprint)) return job;
    return fail(ErrorCode::kStateOfOtherJob,
                fmt::format("{} holds the state of a job with another plan ({}, this one is {})", path, short_name(job.fingerprint_), short_name(plain(fingerprint))),
                "run the statements that made it, or give this job another state directory (--state)");
  }
  if (found.error().code != ErrorCode::kNotFoundOnDisk) return fail(found.error());
  SUPYO_ASSIGN(const std::vector<std::string> names, files.list(path));
  for (const std::string& name : names) {
    // A crash during the birth of a job leaves no more than these.
    if (name == kLockFile || name == std::string(kJobFile) + ".tmp") continue;
    return fail(ErrorCode::kStateOfOtherJob, fmt::format("{} is not empty and no job's state directory (it holds '{}' but no {})", path, name, kJobFile),
                "name a directory that does not exist yet, or an empty one");
  }
  const JobFile born{.job_id = env::new_uuid(env.random), .fingerprint = plain(fingerprint)};
  // A killed run may have made the directory and not its entry durable.
  SUPYO_TRY(files.sync_directory(env::parent_path(path)));
  SUPYO_TRY(files.write_atomically(env::join_path(path, kJobFile), encode(born)));
  job.job_id_ = born.job_id;
  job.fingerprint_ = born.fingerprint;
  job.created_ = true;
  return job;
}

}  // namespace supyo::state
