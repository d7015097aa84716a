#include "cli/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "engine/runtime/job_runner.h"

namespace supyo::cli {
namespace {

// A signal handler gets no argument of ours: these two are the process's only globals.
std::atomic<bool> stop_flag{false};
std::atomic<runtime::JobRunner*> running{nullptr};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<runtime::JobRunner*>::is_always_lock_free);

void on_signal(int number) {
  if (stop_flag.exchange(true)) ::_exit(128 + number);
  if (runtime::JobRunner* runner = running.load()) runner->stop();
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() { return stop_flag.load(); }
void clear_stop_request() { stop_flag.store(false); }

StopsOnSignal::StopsOnSignal(runtime::JobRunner& runner) {
  running.store(&runner);
  if (stop_flag.load()) runner.stop();
}
StopsOnSignal::~StopsOnSignal() { running.store(nullptr); }

}  // namespace supyo::cli
