#include "lab/stack/fetch.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <charconv>
#include <map>

#include "core/env/processes.h"
#include "lab/stack/embedded.h"

namespace supyo::stack {
namespace {

constexpr int kJavaVersionLeast = 17;
constexpr DurationUs kFetchLimit = 20 * kMinute;
constexpr std::string_view kCopyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

Result<std::string> sha256_of(env::Files& files, const std::string& path) {
  SUPYO_ASSIGN(const auto mapped, files.map(path));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(mapped->bytes().data(), mapped->bytes().size(), digest, &size, EVP_sha256(), nullptr) != 1) return fail(ErrorCode::kInternal, "OpenSSL has no SHA-256");
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::map<std::string, std::string> parse_sums(std::string_view sums) {
  std::map<std::string, std::string> by_name;
  while (!sums.empty()) {
    const std::string_view line = sums.substr(0, sums.find('\n'));
    sums.remove_prefix(std::min(sums.size(), line.size() + 1));
    const std::size_t blank = line.find("  ");
    if (blank != std::string_view::npos) by_name[std::string(line.substr(blank + 2))] = std::string(line.substr(0, blank));
  }
  return by_name;
}

/// 17 of `openjdk version "17.0.15" 2025-04-15`; 0 when it says something else.
int java_version(std::string_view text) {
  const std::size_t quote = text.find("version \"");
  int version = 0;
  if (quote != std::string_view::npos) std::from_chars(text.data() + quote + 9, text.data() + text.size(), version);
  return version;
}

Status fetch(const env::Env& env, const std::string& target, const UpHooks& hooks) {
  SUPYO_ASSIGN(const std::string maven, find_program(env, "mvn", "maven"));
  if (hooks.say) hooks.say(fmt::format("fetching Kafka {} with Maven (about 130 MB, once)", kKafkaVersion));
  const std::string work = fmt::format("{}.new-{}", target, env::new_uuid(env.random).substr(0, 8));
  SUPYO_TRY(env.files.create_directories(work));
  const auto finish = [&]() -> Status {
    SUPYO_TRY(env.files.write_atomically(env::join_path(work, "pom.xml"), embedded::k_deploy_kafka_pom_xml));
    SUPYO_ASSIGN(const env::Finished run, env::run_program(env, {.arguments = {maven, "-B", "-q", "-f", env::join_path(work, "pom.xml"), std::string(kCopyDependencies), "-DincludeScope=runtime",
                                                                              "-DoutputDirectory=" + env::join_path(work, "lib")}, .working_directory = work}, kFetchLimit, hooks.stopped));
    if (run.exit.status != 0)
      return fail(ErrorCode::kOutsideUnavailable, fmt::format("mvn ended with status {}:\n{}", run.exit.status, end_of(run.output)), "check the network and Maven's settings, then try again");
    SUPYO_TRY(check_sums(env.files, env::join_path(work, "lib"), embedded::k_deploy_kafka_SHA256SUMS));
    return env.files.rename(env::join_path(work, "lib"), target);
  };
  const Status done = finish();
  (void)env.files.remove_all(work);
  return done;
}

}  // namespace

Result<std::string> find_program(const env::Env& env, const std::string& name, std::string_view package) {
  auto program = env.processes->find(name);
  if (!program) return fail(ErrorCode::kProgramMissing, fmt::format("there is no {} in PATH, which is needed to fetch what is missing", name), fmt::format("Debian, as root: apt-get install -y --no-install-recommends {}", package));
  return program;
}

std::string end_of(const std::string& output) {
  constexpr std::size_t kMost = 1500;
  return output.size() <= kMost ? output : output.substr(output.find('\n', output.size() - kMost) + 1);
}

Status check_sums(env::Files& files, const std::string& directory, std::string_view sums) {
  auto expected = parse_sums(sums);
  SUPYO_ASSIGN(const std::vector<std::string> names, files.list(directory));
  for (const std::string& name : names) {
    const std::string path = env::join_path(directory, name);
    const auto pinned = expected.find(name);
    if (pinned == expected.end()) return fail(ErrorCode::kDamaged, fmt::format("{} is not one of the pinned files", path), fmt::format("remove {} and try again", directory));
    SUPYO_ASSIGN(const std::string found, sha256_of(files, path));
    if (found != pinned->second)
      return fail(ErrorCode::kDamaged, fmt::format("{} has the checksum {}, not the pinned {}", path, found, pinned->second), fmt::format("remove {} and try again", directory));
    expected.erase(pinned);
  }
  if (!expected.empty()) return fail(ErrorCode::kNotFoundOnDisk, fmt::format("there is no {} in {}", expected.begin()->first, directory), fmt::format("remove {} and try again", directory));
  return ok();
}

Result<std::string> find_java(const env::Env& env, std::string_view java_home, const UpHooks& hooks) {
  constexpr std::string_view kInstall = "Debian, as root: apt-get install -y --no-install-recommends openjdk-17-jre-headless; or set JAVA_HOME";
  const auto java = env.processes->find(java_home.empty() ? "java" : env::join_path(java_home, "bin/java"));
  if (!java) return fail(ErrorCode::kProgramMissing, fmt::format("Kafka and Flink need Java: {}", java.error().message), std::string(kInstall));
  SUPYO_ASSIGN(const env::Finished said, env::run_program(env, {.arguments = {*java, "-version"}}, kMinute, hooks.stopped));
  if (const int version = java_version(said.output); version < kJavaVersionLeast)
    return fail(ErrorCode::kProgramMissing, fmt::format("Java {} or newer is needed; {} says: {}", kJavaVersionLeast, *java, said.output.substr(0, said.output.find('\n'))), std::string(kInstall));
  return *java;
}

Result<std::string> kafka_jars(const env::Env& env, const std::string& downloads, const UpHooks& hooks) {
  const std::string directory = env::join_path(downloads, fmt::format("kafka-{}", kKafkaVersion));
  SUPYO_ASSIGN(const bool there, env.files.is_directory(directory));
  if (!there) {
    SUPYO_TRY(env.files.create_directories(downloads));
    SUPYO_TRY(fetch(env, directory, hooks));
  } else {
    SUPYO_TRY(check_sums(env.files, directory, embedded::k_deploy_kafka_SHA256SUMS));
  }
  return directory;
}

}  // namespace supyo::stack
