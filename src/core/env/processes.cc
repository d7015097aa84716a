#include "core/env/processes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/check.h"

namespace supyo::env {

std::string ProcessIdentity::to_string() const { return fmt::format("{} {} {}", pid, start_ticks, boot); }

Result<ProcessIdentity> ProcessIdentity::parse(std::string_view text) {
  ProcessIdentity identity;
  const char* const end = text.data() + text.size();
  const auto pid = std::from_chars(text.data(), end, identity.pid);
  const bool first = pid.ec == std::errc() && identity.pid > 1 && pid.ptr != end && *pid.ptr == ' ';
  const auto ticks = first ? std::from_chars(pid.ptr + 1, end, identity.start_ticks) : pid;
  if (!first || ticks.ec != std::errc() || ticks.ptr == end || *ticks.ptr != ' ')
    return fail(ErrorCode::kMalformedRecord, fmt::format("'{}' names no process", text.substr(0, 80)), "a process is written as: pid, start time, boot id");
  identity.boot = std::string(ticks.ptr + 1, end);
  while (identity.boot.ends_with('\n')) identity.boot.pop_back();
  return identity;
}

Result<Finished> run_program(const Env& env, Program program, DurationUs limit_us, const std::function<bool()>& stopped) {
  SUPYO_CHECK(env.processes != nullptr && env.threads != nullptr);
  program.out = ProgramOutput::to_pipe();
  program.error = ProgramOutput::to_pipe();
  SUPYO_ASSIGN(const std::unique_ptr<Process> process, env.processes->start(program));
  Finished finished;
  const TimeUs begin = env.clock.monotonic_us();
  std::string chunk(64 << 10, '\0');
  while (true) {
    // Asked before the pipe is read: what an ended program wrote is all there.
    SUPYO_ASSIGN(const std::optional<ProcessExit> exit, process->poll());
    InputStream::Read read;
    do {
      SUPYO_ASSIGN(read, process->output()->read(chunk));
      finished.output.append(chunk, 0, std::min(read.bytes, kOutputMax - finished.output.size()));
    } while (read.bytes > 0);
    if (exit) {
      finished.exit = *exit;
      return finished;
    }
    if (stopped && stopped()) return fail(ErrorCode::kCancelled, fmt::format("stopped while {} ran", base_name(program.arguments[0])));
    if (env.clock.monotonic_us() - begin > limit_us)
      return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} did not end within {} s and was killed", base_name(program.arguments[0]), limit_us / kSecond));
    env.threads->idle(2 * kMillisecond);
  }
}

}  // namespace supyo::env
