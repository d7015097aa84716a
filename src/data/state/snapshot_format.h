#pragma once
// Bytes of a snapshot file. The format is described in docs/format/snapshot.md; this is its only reader and writer.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/hash.h"
#include "core/base/result.h"
#include "core/env/env.h"
#include "data/state/journal.h"
#include "data/state/journal_format.h"
#include "data/state/snapshot.h"

namespace supyo::state {

struct SnapshotHeader {
  Epoch epoch;
  JournalPosition position;   ///< end of the epoch's record in the journal: recovery goes on from there
  std::string job_id;
};

/// Writes one snapshot file, entries in the order of compare_keys. The file has its name only after finish() and a rename.
class SnapshotWriter {
 public:
  static Result<SnapshotWriter> create(env::Files& files, const std::string& path, const SnapshotHeader& header, const std::vector<Section>& sections);
  Status add(const SnapshotEntry& entry);
  /// Index and trailer, then sync. Returns the size of the file.
  Result<std::uint64_t> finish();
  std::uint64_t bytes() const { return offset_ + block_.size(); }

 private:
  struct Block {
    std::uint64_t offset = 0;
    std::uint32_t operator_id = 0;
    std::uint16_t table = 0;
    std::uint32_t entries = 0;
    std::uint64_t first_hash = 0;
    std::uint64_t last_hash = 0;
  };
  explicit SnapshotWriter(std::unique_ptr<env::File> file) : file_(std::move(file)) {}
  Status write_block(std::uint32_t kind, std::string_view body);
  Status flush_block();

  std::unique_ptr<env::File> file_;
  std::uint64_t offset_ = 0;
  std::uint64_t synced_ = 0;
  std::uint64_t entries_ = 0;
  std::string block_;         // entries of the block being filled
  Block current_;
  std::vector<Block> blocks_;
};

/// A block of entries in a mapped snapshot: entries of one table, in order, that are known to read.
struct SnapshotBlock {
  std::string_view entries;
  std::uint32_t operator_id = 0;
  std::uint16_t table = 0;
  std::uint32_t count = 0;
  std::uint64_t first_hash = 0;
  std::uint64_t last_hash = 0;
};

/// A snapshot file, checked when it was opened. Immutable: any thread.
class SnapshotReader {
 public:
  enum class Check : std::uint8_t {
    kWhole,   ///< every block
    kEnds,    ///< header and trailer: of one that only stands by. It has no sections and no blocks here
  };
  /// Errors: kDamaged with file and offset, kFormatVersion, kStateOfOtherJob, kIo.
  /// With `threads` blocks are checked side by side.
  static Result<std::shared_ptr<const SnapshotReader>> open(env::Files& files, const std::string& path, std::string_view job_id, Check check = Check::kWhole, env::Threads* threads = nullptr);

  const SnapshotHeader& header() const { return header_; }
  const std::vector<Section>& sections() const { return sections_; }
  /// By operator, table, first hash.
  std::span<const SnapshotBlock> blocks() const { return blocks_; }
  std::uint64_t entries() const { return entries_; }
  std::uint64_t file_bytes() const { return map_->bytes().size(); }
  const std::string& path() const { return path_; }

 private:
  SnapshotReader() = default;
  Status check_ends(std::string_view job_id);
  Status check_blocks(env::Threads* threads);
  Result<std::string_view> block_at(std::uint64_t offset, std::uint32_t kind) const;
  Error damaged(std::uint64_t offset, std::string_view why) const;

  std::string path_;
  std::unique_ptr<env::MappedFile> map_;
  SnapshotHeader header_;
  std::vector<Section> sections_;
  std::vector<SnapshotBlock> blocks_;
  std::uint64_t index_at_ = 0;
  std::uint64_t entries_ = 0;
};

/// Walks the entries of blocks in order, skipping blocks that hold nothing of the wanted shard.
class SnapshotCursor {
 public:
  SnapshotCursor(std::span<const SnapshotBlock> blocks, std::uint32_t shard, std::uint32_t shards);
  /// Null at the end.
  const SnapshotEntry* get() const { return valid_ ? &entry_ : nullptr; }
  void next();
  std::size_t bytes_read() const { return bytes_read_; }

 private:
  bool open_block();
  std::span<const SnapshotBlock> blocks_;   // not opened yet
  std::uint32_t shard_;
  std::uint32_t shards_;
  std::uint32_t left_ = 0;
  std::string_view rest_;
  SnapshotEntry entry_;
  bool valid_ = false;
  std::size_t bytes_read_ = 0;
};

/// Walks blocks of a snapshot overlaid with later changes (sorted, one a key): every live entry of the shard once, in order.
class OverlayCursor {
 public:
  OverlayCursor(std::span<const SnapshotBlock> blocks, std::span<const ChangeView> changes, std::uint32_t shard, std::uint32_t shards);
  const SnapshotEntry* get() const { return current_; }
  void next();
  std::size_t bytes_read() const { return old_.bytes_read() + change_bytes_; }

 private:
  void settle();
  bool mine(const ChangeView& c) const { return shards_ == 1 || shard_of(c.hash, shards_) == shard_; }

  SnapshotCursor old_;
  std::span<const ChangeView> changes_;
  std::size_t at_ = 0;
  std::uint32_t shard_;
  std::uint32_t shards_;
  SnapshotEntry changed_;
  const SnapshotEntry* current_ = nullptr;
  bool from_old_ = false;
  std::size_t change_bytes_ = 0;
};

}  // namespace supyo::state
