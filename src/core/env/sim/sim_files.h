#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/env/env.h"
#include "core/env/sim/choices.h"

namespace supyo::env {

enum class FileOperationKind : std::uint8_t {
  kOpen, kRead, kWrite, kSize, kTruncate, kAllocate, kSync, kMap, kExists, kIsDirectory, kCreateDirectories, kList,
  kRemove, kRename, kLink, kSyncDirectory, kLock,
};

/// One call that is about to happen.
struct FileOperation {
  FileOperationKind kind;
  std::string_view path;
  std::uint64_t number;  ///< 1, 2, ... since the SimFiles was made
};

enum class SimFault : std::uint8_t {
  kIo,        ///< the call fails with kIo; a write leaves a prefix, a sync leaves its pages kept or dropped but clean
  kDiskFull,  ///< the call fails with kDiskFull; a write leaves a prefix
  kPowerOff,  ///< this call and all later ones fail (kIo) until crash(): the machine died here
};
using FaultHook = std::function<std::optional<SimFault>(const FileOperation&)>;

/// Files in memory that forget what was not synced when the machine crashes.
///
/// Per 4 KiB page written since the last sync, a crash keeps it, drops it or tears it; a change of size is kept or dropped; a created, renamed,
/// linked or removed entry is kept or dropped unless its directory was synced. Which, is the Choices' business. A rename is atomic.
/// A failed sync drops some pages for good and calls them clean, as Linux does: a later sync that succeeds does not bring them back.
/// One thread only. Handles and locks from before a crash are dead: they answer kIo and release nothing.
class SimFiles final : public Files {
 public:
  static constexpr std::uint64_t kPage = 4096;

  explicit SimFiles(Choices& choices);
  ~SimFiles() override;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::unique_ptr<MappedFile>> map(const std::string& path) override;  ///< a copy of the moment
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

  /// The machine loses power and starts again: what was not synced survives as `choices` say (the constructor's when null).
  void crash(Choices* choices = nullptr);
  /// The process dies (kill -9) and the machine lives on: files keep everything, locks are released, handles are dead.
  void kill_process();

  /// Asked before every operation; nullptr for none.
  void set_fault_hook(FaultHook hook) { hook_ = std::move(hook); }
  /// Bytes that all files together may occupy; writes and allocations beyond fail with kDiskFull.
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }

  std::uint64_t operations() const { return operations_; }
  std::uint64_t syncs() const { return syncs_; }
  std::uint64_t bytes_written() const { return bytes_written_; }
  std::uint64_t bytes_used() const;
  /// Pages written since their file's last sync, over all files.
  std::uint64_t dirty_pages() const;
  /// Hash over every operation so far (kind, path, bytes): equal for equal runs.
  std::uint64_t trace_hash() const { return trace_hash_; }

 private:
  struct Node;
  struct Assignment;
  struct PendingEntry;
  class Handle;
  class Lock;
  using NodePtr = std::shared_ptr<Node>;
  struct Place {
    NodePtr directory;
    std::string name;
    NodePtr node;  ///< null when there is no such entry
  };

  std::optional<SimFault> begin(FileOperationKind kind, std::string_view path, std::string_view bytes = {});
  Status begin_or_fail(FileOperationKind kind, const std::string& path, std::string_view bytes = {});
  NodePtr find(const std::string& path) const;
  Result<Place> place(const std::string& path) const;
  Status move_entry(const std::string& from, const std::string& to, bool replace);
  void change_entries(std::vector<Assignment> assignments);
  static void sync_node(Node& node);
  /// What the disk holds of a file if its unsynced pages meet the fates that `choices` say.
  static std::string settle(const Node& node, Choices& choices);
  /// The size that `node` can grow to.
  std::uint64_t room_for(const Node& node) const;
  void visit(const NodePtr& node, const std::function<void(Node&)>& f, std::set<const Node*>& seen) const;

  Choices& choices_;
  FaultHook hook_;
  NodePtr root_;
  std::vector<PendingEntry> pending_;
  std::set<const Node*> locked_;
  std::uint64_t generation_ = 0;  ///< handles of an earlier one are dead
  bool powered_off_ = false;
  std::uint64_t capacity_ = UINT64_MAX;
  std::uint64_t operations_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::uint64_t trace_hash_ = 0;
};

/// A hook that fails the nth (1, 2, ...) operation from now and none after it.
FaultHook fail_nth(std::uint64_t n, SimFault fault);

}  // namespace supyo::env
