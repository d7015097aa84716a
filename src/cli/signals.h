#pragma once
#include <functional>

#include "core/base/result.h"

namespace supyo::runtime {
class JobRunner;
}

namespace supyo::cli {

/// Ctrl-C and SIGTERM. The first asks what runs to stop (and ends the wait of whoever asks stop_requested()); the second ends the process at
/// once: nothing that was acknowledged is lost by that. Installed once, at start.
void install_signal_handlers();
bool stop_requested();
/// Forgets an earlier Ctrl-C: the shell goes on after a statement was stopped.
void clear_stop_request();

/// While it lives, a signal stops this job with a final epoch.
class StopsOnSignal {
 public:
  explicit StopsOnSignal(runtime::JobRunner& runner);
  ~StopsOnSignal();
  StopsOnSignal(const StopsOnSignal&) = delete;
  StopsOnSignal& operator=(const StopsOnSignal&) = delete;
};

}  // namespace supyo::cli
