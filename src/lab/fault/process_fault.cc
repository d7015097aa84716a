#include "lab/fault/process_fault.h"

#include <fmt/format.h>

#include <array>

namespace supyo::fault {
namespace {

constexpr DurationUs kEffect = 5 * kSecond;
constexpr DurationUs kLook = kMillisecond;
constexpr std::size_t kPrintedMax = 64 << 10;   // of a server's output, the end

}  // namespace

bool ProcessFault::stopped() const {
  const auto usage = env_.processes->look(process_);
  return usage && usage->stopped;
}

Status ProcessFault::send(env::ProcessSignal signal) {
  SUPYO_ASSIGN(const bool there, env_.processes->signal(process_, signal));
  return there ? ok() : fail(ErrorCode::kJobNotRunning, fmt::format("process {} had ended before the fault", process_.pid));
}

template <class F>
Status ProcessFault::wait_for(F done, const char* what) {
  const TimeUs until = env_.clock.monotonic_us() + kEffect;
  while (!done()) {
    if (env_.clock.monotonic_us() > until) return fail(ErrorCode::kOutsideUnavailable, fmt::format("process {} {}", process_.pid, what));
    env_.threads->idle(kLook);
  }
  return ok();
}

Status ProcessFault::kill() {
  SUPYO_TRY(send(env::ProcessSignal::kKill));
  return wait_for([this] { return !runs(); }, "was killed and is still there");
}

Status ProcessFault::stop() {
  SUPYO_TRY(send(env::ProcessSignal::kStop));
  return wait_for([this] { return stopped() || !runs(); }, "was stopped and goes on");
}

Status ProcessFault::go_on() {
  SUPYO_TRY(send(env::ProcessSignal::kContinue));
  return wait_for([this] { return !stopped(); }, "shall go on and stands");
}

Result<Pause> Pause::begin(ProcessFault& fault) {
  SUPYO_TRY(fault.stop());
  return Pause(fault);
}

Status Pause::end() {
  ProcessFault* fault = std::exchange(fault_, nullptr);
  return fault == nullptr ? ok() : fault->go_on();
}

Status OwnServer::drain() {
  std::array<char, 4096> chunk{};
  while (process_ && process_->output() != nullptr) {
    SUPYO_ASSIGN(const auto got, process_->output()->read(chunk));
    printed_.append(chunk.data(), got.bytes);
    if (printed_.size() > kPrintedMax) printed_.erase(0, printed_.size() - kPrintedMax);
    if (got.bytes == 0) break;
  }
  return ok();
}

Result<std::string> OwnServer::start() {
  printed_.clear();
  env::Program program = options_.program;
  program.out = env::ProgramOutput::to_pipe();
  SUPYO_ASSIGN(process_, env_.processes->start(program));
  const TimeUs until = env_.clock.monotonic_us() + options_.limit_us;
  while (true) {
    SUPYO_ASSIGN(const auto ended, process_->poll());
    SUPYO_TRY(drain());
    for (std::size_t at = printed_.find(options_.ready); at != std::string::npos; at = printed_.find(options_.ready, at + 1)) {
      const std::size_t end = printed_.find('\n', at);
      if ((at == 0 || printed_[at - 1] == '\n') && end != std::string::npos) return printed_.substr(at, end - at);
    }
    if (ended) return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} ended with status {}: {}", program.arguments[0], ended->status, printed_));
    if (env_.clock.monotonic_us() > until) return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} is not ready in time: {}", program.arguments[0], printed_));
    env_.threads->idle(kLook);
  }
}

Result<bool> OwnServer::look() {
  SUPYO_TRY(drain());
  if (!process_) return false;
  SUPYO_ASSIGN(const auto ended, process_->poll());
  return !ended;
}

Status OwnServer::end() {
  if (!process_) return ok();
  SUPYO_TRY(process_->signal(env::ProcessSignal::kTerminate));
  const TimeUs until = env_.clock.monotonic_us() + kEffect;
  while (env_.clock.monotonic_us() < until) {
    SUPYO_ASSIGN(const bool runs, look());
    if (!runs) break;
    env_.threads->idle(kLook);
  }
  process_.reset();   // kills what did not listen
  return ok();
}

Result<env::ProcessIdentity> OwnServer::process() const {
  if (!process_) return fail(ErrorCode::kJobNotRunning, fmt::format("{} was not started", options_.program.arguments[0]));
  return process_->identity();
}

}  // namespace supyo::fault
