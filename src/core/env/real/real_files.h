#pragma once
#include "core/env/env.h"

namespace supyo::env {

/// Files over POSIX. Linux only where it says so: renameat2, open file description locks.
class RealFiles final : public Files {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::unique_ptr<InputStream>> open_stream(const std::string& path) override;
  Result<std::unique_ptr<MappedFile>> map(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<bool> is_directory(const std::string& path) override;
  Status create_directories(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Status remove(const std::string& path) override;
  Status remove_all(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status rename_no_replace(const std::string& from, const std::string& to) override;
  Status link(const std::string& from, const std::string& to) override;
  Status sync_directory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
};

/// The error of a failed system call: "opening a/b: No such file or directory" with the code that fits `error_number`.
Error system_error(int error_number, std::string_view what, std::string_view path);

/// Reads a pipe or a terminal; owns `fd`. `name` is for messages.
std::unique_ptr<InputStream> input_stream_of(int fd, std::string name);

}  // namespace supyo::env
