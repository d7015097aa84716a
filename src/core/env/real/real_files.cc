#include "core/env/real/real_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace supyo::env {
namespace {

/// A file descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { if (fd_ >= 0) ::close(fd_); }
  Fd(Fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  Fd& operator=(Fd&&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int open_retrying(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

std::unexpected<Error> failed(std::string_view what, std::string_view path, int error_number = errno) {
  return fail(system_error(error_number, what, path));
}

/// Asks poll() before it reads, and leaves the descriptor's flags alone: they are shared with whoever gave us standard input.
class RealInputStream final : public InputStream {
 public:
  RealInputStream(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<Read> read(std::span<char> out) override {
    pollfd p{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&p, 1, 0);
    if (ready < 0 && errno != EINTR) return failed("waiting for", path_);
    if (ready <= 0) return Read{};
    const ssize_t n = ::read(fd_.get(), out.data(), out.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return Read{};
    if (n < 0) return failed("reading", path_);
    return Read{.bytes = static_cast<std::size_t>(n), .ended = n == 0};
  }

 private:
  Fd fd_;
  std::string path_;
};

class RealFile final : public File {
 public:
  RealFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("reading", path_);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("writing", path_);
      offset += static_cast<std::uint64_t>(n);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return ok();
  }

  Result<std::uint64_t> size() const override {
    struct stat st {};
    if (::fstat(fd_.get(), &st) != 0) return failed("reading the size of", path_);
    return static_cast<std::uint64_t>(st.st_size);
  }

  Status truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return failed("truncating", path_);
    return ok();
  }

  Status allocate(std::uint64_t size) override {
    if (size == 0) return ok();
    int rc = 0;
    do {
      rc = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(size));
    } while (rc == EINTR);
    if (rc != 0) return failed("reserving space for", path_, rc);
    return ok();
  }

  Status sync() override {
    if (::fdatasync(fd_.get()) != 0) {
      Error e = system_error(errno, "syncing", path_);
      if (e.code != ErrorCode::kDiskFull) e.code = ErrorCode::kSyncFailed;
      return fail(std::move(e));
    }
    return ok();
  }

 private:
  Fd fd_;
  std::string path_;
};

class RealMappedFile final : public MappedFile {
 public:
  RealMappedFile(void* address, std::size_t size) : address_(address), size_(size) {}
  ~RealMappedFile() override { if (size_ > 0) ::munmap(address_, size_); }
  RealMappedFile(const RealMappedFile&) = delete;
  RealMappedFile& operator=(const RealMappedFile&) = delete;
  std::string_view bytes() const override { return {static_cast<const char*>(address_), size_}; }

 private:
  void* address_;
  std::size_t size_;
};

class RealFileLock final : public FileLock {
 public:
  explicit RealFileLock(Fd fd) : fd_(std::move(fd)) {}

 private:
  Fd fd_;
};

std::string holder_of(int fd) {
  char text[32] = {};
  const ssize_t n = ::pread(fd, text, sizeof text - 1, 0);
  if (n <= 0) return "another process";
  const std::string_view pid(text, static_cast<std::size_t>(n));
  return "process " + std::string(pid.substr(0, pid.find('\n')));
}

}  // namespace

Error system_error(int error_number, std::string_view what, std::string_view path) {
  Error e;
  e.message = fmt::format("{} {}: {}", what, path, std::generic_category().message(error_number));
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      e.code = ErrorCode::kNotFoundOnDisk;
      break;
    case EEXIST:
      e.code = ErrorCode::kAlreadyExistsOnDisk;
      break;
    case ENOSPC:
    case EDQUOT:
      e.code = ErrorCode::kDiskFull;
      e.hint = "free space on that file system, then start again: nothing acknowledged is lost";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      e.code = ErrorCode::kIo;
      e.hint = "check the owner and the permissions of that path";
      break;
    case EMFILE:
    case ENFILE:
      e.code = ErrorCode::kIo;
      e.hint = "raise the limit of open files (ulimit -n)";
      break;
    default:
      e.code = ErrorCode::kIo;
  }
  return e;
}

Result<std::unique_ptr<File>> RealFiles::open(const std::string& path, OpenMode mode) {
  int flags = O_RDONLY;
  switch (mode) {
    case OpenMode::kRead: break;
    case OpenMode::kReadWrite: flags = O_RDWR; break;
    case OpenMode::kCreateNew: flags = O_RDWR | O_CREAT | O_EXCL; break;
    case OpenMode::kCreateOrOpen: flags = O_RDWR | O_CREAT; break;
  }
  Fd fd(open_retrying(path, flags));
  if (fd.get() < 0) return failed("opening", path);
  return std::make_unique<RealFile>(std::move(fd), path);
}

std::unique_ptr<InputStream> input_stream_of(int fd, std::string name) { return std::make_unique<RealInputStream>(Fd(fd), std::move(name)); }

Result<std::unique_ptr<InputStream>> RealFiles::open_stream(const std::string& path) {
  Fd fd(open_retrying(path, O_RDONLY));
  if (fd.get() < 0) return failed("opening", path);
  return std::make_unique<RealInputStream>(std::move(fd), path);
}

Result<std::unique_ptr<MappedFile>> RealFiles::map(const std::string& path) {
  const Fd fd(open_retrying(path, O_RDONLY));
  if (fd.get() < 0) return failed("opening", path);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return failed("reading the size of", path);
  const auto size = static_cast<std::size_t>(st.st_size);
  if (size == 0) return std::make_unique<RealMappedFile>(nullptr, 0);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (address == MAP_FAILED) return failed("mapping", path);
  return std::make_unique<RealMappedFile>(address, size);
}

Result<bool> RealFiles::exists(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return failed("looking for", path);
}

Result<bool> RealFiles::is_directory(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) == 0) return S_ISDIR(st.st_mode);
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return failed("looking for", path);
}

Status RealFiles::create_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return failed("creating the directory", path, error.value());
  return ok();
}

Result<std::vector<std::string>> RealFiles::list(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator it(path, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) names.push_back(it->path().filename().string());
  if (error) return failed("listing", path, error.value());
  std::ranges::sort(names);
  return names;
}

Status RealFiles::remove(const std::string& path) {
  if (::remove(path.c_str()) != 0) return failed("removing", path);
  return ok();
}

Status RealFiles::remove_all(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return failed("removing", path, error.value());
  return ok();
}

Status RealFiles::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed(fmt::format("renaming {} to", from), to);
  return ok();
}

Status RealFiles::rename_no_replace(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return ok();
  if (errno != EINVAL && errno != ENOSYS) return failed(fmt::format("renaming {} to", from), to);
  // A file system without the flag: a hard link never replaces either.
  SUPYO_TRY(link(from, to));
  return remove(from);
}

Status RealFiles::link(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) != 0) return failed(fmt::format("linking {} to", from), to);
  return ok();
}

Status RealFiles::sync_directory(const std::string& path) {
  const Fd fd(open_retrying(path, O_RDONLY | O_DIRECTORY));
  if (fd.get() < 0) return failed("opening the directory", path);
  if (::fsync(fd.get()) != 0) {
    Error e = system_error(errno, "syncing the directory", path);
    e.code = ErrorCode::kSyncFailed;
    return fail(std::move(e));
  }
  return ok();
}

Result<std::unique_ptr<FileLock>> RealFiles::lock(const std::string& path) {
  Fd fd(open_retrying(path, O_RDWR | O_CREAT));
  if (fd.get() < 0) return failed("opening the lock file", path);
  // A lock of the open file description: it also excludes a second holder in this process, and the system drops it when the process dies.
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  if (::fcntl(fd.get(), F_OFD_SETLK, &range) != 0) {
    if (errno != EAGAIN && errno != EACCES) return failed("locking", path);
    return fail(ErrorCode::kStateLocked, fmt::format("{} works on {}", holder_of(fd.get()), parent_path(path)),
                "stop it first, or give this job another directory");
  }
  // The holder's pid is only for the message above: failing to write it is no reason to refuse the lock.
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) == 0) static_cast<void>(!::pwrite(fd.get(), pid.data(), pid.size(), 0));
  return std::make_unique<RealFileLock>(std::move(fd));
}

}  // namespace supyo::env
