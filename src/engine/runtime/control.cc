#include "engine/runtime/control.h"

#include <fmt/format.h>

#include "engine/runtime/control_server.h"

namespace supyo::runtime {
namespace {

constexpr DurationUs kLookEvery = 200 * kMillisecond;
constexpr DurationUs kStatusEvery = kSecond;
constexpr std::uint64_t kPollsPerLook = 1024;
constexpr std::uint64_t kPollsPerStatus = 65536;
constexpr DurationUs kClientNap = 20 * kMillisecond;
constexpr std::string_view kLock = "LOCK";   // JobDirectory's

std::string_view request_name(ControlRequest r) {
  switch (r) {
    case ControlRequest::kStop: return "stop";
    case ControlRequest::kDrain: return "drain";
    case ControlRequest::kSavepoint: return "savepoint";
  }
  return "";
}

Status not_running(const std::string& dir) {
  return fail(ErrorCode::kJobNotRunning, fmt::format("no job runs on {}", dir), "start it with supyo run --state " + dir);
}

std::string request_path(const std::string& dir, ControlRequest r) {
  return env::join_path(env::join_path(dir, kControlDirectory), fmt::format("{}{}", request_name(r), kRequestSuffix));
}

Status write_plain(env::Files& files, const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  {
    SUPYO_ASSIGN(const auto file, files.open(temporary, env::OpenMode::kCreateOrOpen));
    SUPYO_TRY(file->truncate(0));
    SUPYO_TRY(file->write_at(0, bytes));
  }
  return files.rename(temporary, path);
}

}  // namespace

// ---- the job's side --------------------------------------------------------------------------------------------------------------

ControlServer::ControlServer(const env::Env& env, std::string state_dir) : env_(env), dir_(std::move(state_dir)) {
  // Requests that an earlier run did not live to see are not for this one.
  (void)env_.files.remove_all(env::join_path(dir_, kControlDirectory));
  (void)env_.files.create_directories(env::join_path(dir_, kControlDirectory));
}

ControlServer::Requests ControlServer::poll() {
  Requests out;
  const TimeUs now = env_.clock.monotonic_us();
  // A virtual clock runs a year in seconds: there the pace is by polls, or the files would be most of the work.
  if (virtual_time() && ++polls_ % kPollsPerLook != 0) return out;
  if (now < next_look_us_) return out;
  next_look_us_ = now + kLookEvery;
  const auto names = env_.files.list(env::join_path(dir_, kControlDirectory));
  if (!names) return out;
  for (const std::string& name : *names) {
    const auto take = [&](ControlRequest r, bool& flag) {
      if (name == fmt::format("{}{}", request_name(r), kRequestSuffix) && env_.files.remove(request_path(dir_, r))) flag = true;
    };
    take(ControlRequest::kStop, out.stop);
    take(ControlRequest::kDrain, out.drain);
    take(ControlRequest::kSavepoint, out.savepoint);
  }
  return out;
}

void ControlServer::savepoint_taken() { (void)write_plain(env_.files, request_path(dir_, ControlRequest::kSavepoint) + ".done", {}); }

bool ControlServer::wants_status() const {
  if (virtual_time() && polls_ % kPollsPerStatus != 0) return false;
  return env_.clock.monotonic_us() >= next_status_us_;
}

void ControlServer::publish(const JobStats& stats, bool now) {
  if (!now && !wants_status()) return;
  next_status_us_ = env_.clock.monotonic_us() + kStatusEvery;
  (void)write_plain(env_.files, env::join_path(dir_, kStatusFile), to_json(stats) + "\n");
}

// ---- the client's side -----------------------------------------------------------------------------------------------------------

Result<bool> is_running(const env::Env& env, const std::string& state_dir) {
  SUPYO_ASSIGN(const bool exists, env.files.exists(env::join_path(state_dir, kLock)));
  if (!exists) return false;
  const auto lock = env.files.lock(env::join_path(state_dir, kLock));
  if (lock) return false;
  if (lock.error().code == ErrorCode::kStateLocked) return true;
  return fail(lock.error());
}

Status request_control(const env::Env& env, const std::string& state_dir, ControlRequest request) {
  SUPYO_ASSIGN(const bool running, is_running(env, state_dir));
  if (!running) return not_running(state_dir);
  return write_plain(env.files, request_path(state_dir, request), "");
}

Status request_control_and_wait(const env::Env& env, const std::string& state_dir, ControlRequest request, DurationUs timeout_us) {
  const std::string answer = request_path(state_dir, request) + ".done";
  if (const auto old = env.files.exists(answer); old && *old) SUPYO_TRY(env.files.remove(answer));
  SUPYO_TRY(request_control(env, state_dir, request));
  const TimeUs until = env.clock.monotonic_us() + timeout_us;
  for (;;) {
    SUPYO_ASSIGN(const bool running, is_running(env, state_dir));
    if (!running) {
      if (request == ControlRequest::kSavepoint) return not_running(state_dir);
      return ok();
    }
    if (request == ControlRequest::kSavepoint) {
      // The job removes the request when it acts on it, and answers when the epoch is visible.
      SUPYO_ASSIGN(const bool answered, env.files.exists(answer));
      if (answered) return env.files.remove(answer);
    }
    if (env.clock.monotonic_us() >= until)
      return fail(ErrorCode::kOutsideUnknown, fmt::format("the job on {} did not {} within the time given; it may still", state_dir, request_name(request)),
                  "look at supyo job status " + state_dir);
    env.threads->idle(kClientNap);
  }
}

Result<std::string> read_status(const env::Env& env, const std::string& state_dir) {
  return env.files.read_all(env::join_path(state_dir, kStatusFile));
}

}  // namespace supyo::runtime
