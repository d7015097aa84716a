#pragma once
#include "core/env/env.h"

namespace supyo::scenario {

/// Real files whose syncs cost nothing: a virtual-time lab's data live as long as the lab, and what a sync costs is declared in virtual time.
/// Everything else goes to `files`, which outlives this.
class UnsyncedFiles final : public env::Files {
 public:
  explicit UnsyncedFiles(env::Files& files) : files_(files) {}
  Result<std::unique_ptr<env::File>> open(const std::string& path, env::OpenMode mode) override;
  Result<std::unique_ptr<env::MappedFile>> map(const std::string& path) override { return files_.map(path); }
  Result<bool> exists(const std::string& path) override { return files_.exists(path); }
  Result<bool> is_directory(const std::string& path) override { return files_.is_directory(path); }
  Status create_directories(const std::string& path) override { return files_.create_directories(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return files_.list(path); }
  Status remove(const std::string& path) override { return files_.remove(path); }
  Status remove_all(const std::string& path) override { return files_.remove_all(path); }
  Status rename(const std::string& from, const std::string& to) override { return files_.rename(from, to); }
  Status rename_no_replace(const std::string& from, const std::string& to) override { return files_.rename_no_replace(from, to); }
  Status link(const std::string& from, const std::string& to) override { return files_.link(from, to); }
  Status sync_directory(const std::string&) override { return ok(); }
  Result<std::unique_ptr<env::FileLock>> lock(const std::string& path) override { return files_.lock(path); }

 private:
  env::Files& files_;
};

}  // namespace supyo::scenario
