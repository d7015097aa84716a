#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::state {

/// The state directory of one job: its lock and its identity, `job.json`. Held as long as the job runs.
///
/// The job id is a random UUID born with the directory: a new directory is a new job, whatever the pipeline is called.
class JobDirectory {
 public:
  /// Opens `path`, created when absent. `fingerprint` stands for the plan and its state layout (any text).
  /// Errors: kStateLocked (another process works there), kStateOfOtherJob (the directory belongs to a job with another plan, or holds files that are
  /// no job's state), kFormatVersion (written by a newer Supyo), kDamaged (job.json unreadable), kIo, kDiskFull.
  static Result<JobDirectory> open(const env::Env& env, const std::string& path, const std::string& fingerprint);

  const std::string& path() const { return path_; }
  const std::string& job_id() const { return job_id_; }
  const std::string& fingerprint() const { return fingerprint_; }
  bool created() const { return created_; }   ///< this open() made it: a new job

 private:
  JobDirectory() = default;
  std::unique_ptr<env::FileLock> lock_;
  std::string path_;
  std::string job_id_;
  std::string fingerprint_;
  bool created_ = false;
};

/// The identity of a state directory without locking it: for `supyo job status` and `supyo sql --state`.
struct JobFile {
  std::string job_id;
  std::string fingerprint;
};
/// Errors: kNotFoundOnDisk, kDamaged, kFormatVersion.
Result<JobFile> read_job_file(env::Files& files, const std::string& dir);

}  // namespace supyo::state
