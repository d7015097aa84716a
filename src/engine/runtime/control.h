#pragma once
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::runtime {

/// What another process can ask of the job that runs on a state directory. The protocol is files, so that it needs no port and no rights
/// but those of the directory: a request is a file `control/NAME.request`, which the job's coordinator looks for a few times a second and
/// removes when it acts on it; `status.json` is replaced atomically about once a second and when the job ends.
enum class ControlRequest { kStop, kDrain, kSavepoint };

/// Client side. Errors: kJobNotRunning (nobody holds the directory's lock; the message names the directory), kNotFoundOnDisk, kIo.
Status request_control(const env::Env& env, const std::string& state_dir, ControlRequest request);
/// As above, then waits until the job did it: ended (stop, drain) or has a visible epoch that began after the request (savepoint).
/// Real environments only. kOutsideUnknown when `timeout_us` passes first.
Status request_control_and_wait(const env::Env& env, const std::string& state_dir, ControlRequest request, DurationUs timeout_us);
/// The job's last status (JobStats as JSON), also of a job that has ended. Errors: kNotFoundOnDisk when no job ever ran there.
Result<std::string> read_status(const env::Env& env, const std::string& state_dir);
/// Whether a process holds the directory now.
Result<bool> is_running(const env::Env& env, const std::string& state_dir);

}  // namespace supyo::runtime
