#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo::env {

/// Wall time and a monotonic time, both in microseconds. In simulation both are virtual and move together.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimeUs now_us() const = 0;            ///< wall clock, microseconds since the epoch (UTC)
  virtual TimeUs monotonic_us() const = 0;      ///< never goes back; for durations
};

/// An open file. Not thread-safe, except `read_at` which may be called from several threads. Closed by its destructor.
class File {
 public:
  virtual ~File() = default;
  /// Reads up to `out.size()` bytes at `offset`; fewer only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) const = 0;
  /// Writes all of `bytes` at `offset` or fails (kDiskFull, kIo); a failed write may have written a prefix.
  virtual Status write_at(std::uint64_t offset, std::string_view bytes) = 0;
  virtual Result<std::uint64_t> size() const = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  /// Reserves space so that later writes below `size` cannot run out of disk and change no metadata.
  virtual Status allocate(std::uint64_t size) = 0;
  /// Makes the data (and the size) durable: fdatasync. After a failure the file's durable contents are unknown: never retry.
  virtual Status sync() = 0;
};

/// Bytes that arrive: standard input, a pipe. Never blocks. One thread.
class InputStream {
 public:
  virtual ~InputStream() = default;
  struct Read {
    std::size_t bytes = 0;
    bool ended = false;     ///< nothing will come any more; with neither bytes nor end: nothing has come yet
  };
  virtual Result<Read> read(std::span<char> out) = 0;
};

enum class OpenMode {
  kRead,           ///< must exist
  kReadWrite,      ///< must exist
  kCreateNew,      ///< must not exist (kAlreadyExistsOnDisk)
  kCreateOrOpen,   ///< created when absent, contents kept
};

/// Read-only view of a whole file's bytes up to the size it had when mapped. Unmapped by its destructor.
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  virtual std::string_view bytes() const = 0;
};

/// An exclusive advisory lock on a path, held until destroyed (and released by the system when the process dies).
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// The file system. Paths are '/'-separated. Errors: kNotFoundOnDisk, kAlreadyExistsOnDisk, kDiskFull, kIo; messages name the path.
/// A created, renamed, linked or removed entry is durable only after sync_directory() of its directory. Thread-safe.
class Files {
 public:
  virtual ~Files() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  /// A pipe or terminal, for reading as it comes ("/dev/stdin"). Plain files work too.
  virtual Result<std::unique_ptr<InputStream>> open_stream(const std::string& path);
  virtual Result<std::unique_ptr<MappedFile>> map(const std::string& path) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<bool> is_directory(const std::string& path) = 0;
  virtual Status create_directories(const std::string& path) = 0;
  /// Names (not paths) of the entries, sorted.
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  virtual Status remove(const std::string& path) = 0;                 ///< file or empty directory
  virtual Status remove_all(const std::string& path) = 0;             ///< recursive; fine when absent
  virtual Status rename(const std::string& from, const std::string& to) = 0;             ///< replaces `to`
  virtual Status rename_no_replace(const std::string& from, const std::string& to) = 0;  ///< kAlreadyExistsOnDisk when `to` exists
  virtual Status link(const std::string& from, const std::string& to) = 0;               ///< hard link; never replaces
  virtual Status sync_directory(const std::string& path) = 0;
  /// kStateLocked when another process (or another holder in this one) has it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;

  /// Whole-file helpers, written once on top of the above.
  Result<std::string> read_all(const std::string& path);
  /// Durable and atomic: temporary file beside it, sync, rename, sync of the directory.
  Status write_atomically(const std::string& path, std::string_view bytes);
};

/// Random numbers. Real: seeded by the system; sim: by the run's seed. Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next_u64() = 0;
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next_u64() % n; }
};

/// A thread that the environment started; joined by its destructor.
class Thread {
 public:
  virtual ~Thread() = default;
  virtual void join() = 0;
};

/// Threads and waiting for real time. The simulation has none: its executor polls tasks in one thread.
class Threads {
 public:
  virtual ~Threads() = default;
  virtual std::unique_ptr<Thread> start(std::string name, std::function<void()> body) = 0;
  /// Blocks the calling thread for at most `us`. Only loops that found nothing to do call it, never code on a row's path.
  virtual void idle(DurationUs us) = 0;
};

class Net;         // core/env/net.h
class Processes;   // core/env/processes.h

/// Everything that is not deterministic, in one bundle that is handed down by constructors. `threads`, `net` and `processes` are null in simulation.
struct Env {
  Clock& clock;
  Files& files;
  Random& random;
  Threads* threads = nullptr;
  Net* net = nullptr;
  Processes* processes = nullptr;
};

/// "a" + "b" -> "a/b"
std::string join_path(std::string_view a, std::string_view b);
/// "a/b/c" -> "a/b"; "c" -> "."
std::string parent_path(std::string_view path);
/// "a/b/c" -> "c"
std::string base_name(std::string_view path);
/// A random version-4 UUID as text.
std::string new_uuid(Random& random);

}  // namespace supyo::env
