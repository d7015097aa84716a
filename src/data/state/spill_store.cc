#include "data/state/spill_store.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cstring>

#include "core/env/env.h"

namespace supyo::state {
namespace {

constexpr std::size_t kLeastBuffer = std::size_t{64} << 10;   // what RocksDB rounds a smaller one up to
constexpr std::size_t kLargestBuffer = std::size_t{32} << 20;

Error error_of(const rocksdb::Status& s, std::string_view what, const std::string& directory) {
  const std::string message = fmt::format("{} the scratch of the rocksdb state backend in {}: {}", what, directory, s.ToString());
  if (s.IsNoSpace()) return {ErrorCode::kDiskFull, message, "make room there, name another disk with 'state.backend.rocksdb.localdir', or raise 'state.backend.rocksdb.memory.fixed-per-slot'"};
  if (s.IsCorruption() || s.IsNotFound()) return {ErrorCode::kDamaged, message, "look at the disk; the job's state itself is in its journal and goes on from the last final epoch when it is started again"};
  return {ErrorCode::kIo, message, "look at the disk, or name another with 'state.backend.rocksdb.localdir'; the job goes on from its last final epoch when it is started again"};
}

/// Slots in their order: what was written together is read together.
struct Key {
  char bytes[8];
  Key(std::uint32_t table, std::uint32_t slot) {
    for (int i = 0; i < 4; ++i) {
      bytes[i] = static_cast<char>(table >> (24 - 8 * i));
      bytes[4 + i] = static_cast<char>(slot >> (24 - 8 * i));
    }
  }
  operator rocksdb::Slice() const { return {bytes, sizeof bytes}; }   // NOLINT(google-explicit-constructor)
};

/// Files that nobody reads after a crash need not be on the disk: RocksDB would wait for each that it writes.
class UnsyncedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
  rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return rocksdb::IOStatus::OK(); }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return rocksdb::IOStatus::OK(); }
};
class UnsyncedDirectory final : public rocksdb::FSDirectory {
 public:
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return rocksdb::IOStatus::OK(); }
};
class UnsyncedFiles final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "UnsyncedFiles"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options, std::unique_ptr<rocksdb::FSWritableFile>* out, rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    rocksdb::IOStatus s = target()->NewWritableFile(path, options, &file, debug);
    if (s.ok()) *out = std::make_unique<UnsyncedFile>(std::move(file));
    return s;
  }
  rocksdb::IOStatus NewDirectory(const std::string&, const rocksdb::IOOptions&, std::unique_ptr<rocksdb::FSDirectory>* out, rocksdb::IODebugContext*) override {
    *out = std::make_unique<UnsyncedDirectory>();
    return rocksdb::IOStatus::OK();
  }
};
rocksdb::Env* unsynced() {
  static const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(std::make_shared<UnsyncedFiles>(rocksdb::FileSystem::Default()));
  return env.get();
}

rocksdb::Options options_of(std::size_t memory_bytes) {
  rocksdb::Options o;
  o.env = unsynced();
  o.create_if_missing = true;
  o.write_buffer_size = std::clamp(memory_bytes / 4, kLeastBuffer, kLargestBuffer);   // two of them: one fills while the other is written
  o.max_write_buffer_number = 2;
  o.target_file_size_base = std::max<std::uint64_t>(o.write_buffer_size, 8U << 20);
  o.max_bytes_for_level_base = o.target_file_size_base * 8;
  o.level_compaction_dynamic_level_bytes = true;
  o.compression = rocksdb::kLZ4Compression;
  o.max_background_jobs = 2;
  o.info_log_level = rocksdb::FATAL_LEVEL;
  o.keep_log_file_num = 1;
  o.stats_dump_period_sec = 0;
  o.stats_persist_period_sec = 0;
  o.avoid_flush_during_shutdown = true;
  o.max_open_files = 512;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(std::max(memory_bytes / 2, kLeastBuffer), 0);
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return o;
}

rocksdb::Status create_directories(const std::string& path) {
  rocksdb::Env* const env = rocksdb::Env::Default();
  if (env->FileExists(path).ok()) return rocksdb::Status::OK();
  if (const std::string parent = env::parent_path(path); parent != path && parent != "." && !parent.empty())
    if (rocksdb::Status s = create_directories(parent); !s.ok()) return s;
  return env->CreateDirIfMissing(path);
}

rocksdb::Status remove_all(const std::string& path) {
  rocksdb::Env* const env = rocksdb::Env::Default();
  std::vector<std::string> names;
  if (rocksdb::Status s = env->GetChildren(path, &names); !s.ok()) return s;
  for (const std::string& name : names) {
    const std::string child = env::join_path(path, name);
    bool directory = false;
    rocksdb::Status s = env->IsDirectory(child, &directory);
    if (s.ok()) s = directory ? remove_all(child) : env->DeleteFile(child);
    if (!s.ok()) return s;
  }
  return env->DeleteDir(path);
}

}  // namespace

struct SpillStore::Impl {
  std::string directory;
  rocksdb::WriteOptions write;
  rocksdb::WriteBatch batch;
  rocksdb::PinnableSlice found;
  std::unique_ptr<rocksdb::DB> db;
};

SpillStore::SpillStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<SpillStore>> SpillStore::create(const std::string& directory, std::size_t memory_bytes) {
  SUPYO_TRY(remove(directory));
  auto impl = std::make_unique<Impl>();
  impl->directory = directory;
  impl->write.disableWAL = true;
  if (const rocksdb::Status s = create_directories(directory); !s.ok()) return fail(error_of(s, "cannot create", directory));
  rocksdb::DB* db = nullptr;
  if (const rocksdb::Status s = rocksdb::DB::Open(options_of(memory_bytes), directory, &db); !s.ok()) return fail(error_of(s, "cannot create", directory));
  impl->db.reset(db);
  return std::unique_ptr<SpillStore>(new SpillStore(std::move(impl)));
}

Status SpillStore::remove(const std::string& directory) {
  if (!rocksdb::Env::Default()->FileExists(directory).ok()) return ok();
  if (const rocksdb::Status s = remove_all(directory); !s.ok()) return fail(error_of(s, "cannot remove", directory));
  return ok();
}

SpillStore::~SpillStore() {
  impl_->found.Reset();
  const rocksdb::Status closed = impl_->db->Close();   // what it says is of no interest: all of it goes
  impl_->db.reset();
  const Status removed = remove(impl_->directory);
  const rocksdb::Status last = rocksdb::Env::Default()->DeleteDir(env::parent_path(impl_->directory));   // refused while another shard's is in it
  (void)closed, (void)removed, (void)last;
}

void SpillStore::put(std::uint32_t table, std::uint32_t slot, std::string_view record) {
  const rocksdb::Status s = impl_->batch.Put(Key(table, slot), rocksdb::Slice(record.data(), record.size()));
  (void)s;   // of a batch without a limit: always fine
}

std::size_t SpillStore::unwritten_bytes() const { return impl_->batch.Count() == 0 ? 0 : impl_->batch.GetDataSize(); }

Status SpillStore::write() {
  if (impl_->batch.Count() == 0) return ok();
  const rocksdb::Status s = impl_->db->Write(impl_->write, &impl_->batch);
  impl_->batch.Clear();
  if (!s.ok()) return fail(error_of(s, "cannot write to", impl_->directory));
  return ok();
}

Result<std::string_view> SpillStore::get(std::uint32_t table, std::uint32_t slot) {
  impl_->found.Reset();
  const rocksdb::Status s = impl_->db->Get({}, impl_->db->DefaultColumnFamily(), Key(table, slot), &impl_->found);
  if (!s.ok()) return fail(error_of(s, "cannot read", impl_->directory));
  return std::string_view(impl_->found.data(), impl_->found.size());
}

}  // namespace supyo::state
