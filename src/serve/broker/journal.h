#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/env/env.h"

namespace supyo::broker {

/// An append-only file of checked entries: length (4), CRC-32C (4), bytes; little-endian. Rewritten as a whole when it has grown. One thread.
class Journal {
 public:
  /// Reads `path` entry by entry, then goes on behind the last whole one. What a crash tore off the end is cut and counted; an entry that does not check with
  /// whole ones behind it is kDamaged.
  static Result<std::unique_ptr<Journal>> open(env::Files& files, std::string path, const std::function<bool(std::string_view)>& entry);

  /// In the file; durable after sync(). kDiskFull, kIo: nothing was appended.
  Status append(std::string_view entry);
  Status sync();
  bool dirty() const { return dirty_; }
  std::uint64_t bytes() const { return end_; }
  std::uint64_t torn_bytes() const { return torn_bytes_; }
  /// Replaces all entries, atomically and durably, by what `write` appends through its argument.
  Status rewrite(const std::function<void(const std::function<void(std::string_view)>&)>& write);

 private:
  Journal(env::Files& files, std::string path) : files_(files), path_(std::move(path)) {}
  env::Files& files_;
  std::string path_;
  std::unique_ptr<env::File> file_;
  std::uint64_t end_ = 0, torn_bytes_ = 0;
  bool dirty_ = false;
};

}  // namespace supyo::broker
