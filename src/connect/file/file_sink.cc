#include <algorithm>
#include <map>
#include <set>

#include "connect/file/file.h"
#include "connect/file/file_options.h"
#include "connect/file/partitions.h"
#include "core/base/bytes.h"
#include "core/base/hash.h"
#include "data/formats/format.h"
#include "data/formats/parquet.h"

namespace supyo::connect {
namespace {

using dataflow::CommitHandle;

constexpr std::size_t kWriteBuffer = 256U << 10;
constexpr std::size_t kOpenFilesMax = 512;   // of a writer: with more partitions than that, the one that waited longest is completed

struct FileSinkConfig {
  std::string directory;
  std::string table;
  formats::FormatOptions format;
  std::optional<formats::ParquetWriteOptions> parquet;   // where the format is Parquet
  std::vector<formats::ParquetField> fields;
  PartitionLayout layout;
  std::optional<PartitionCommit> commit;
  std::uint64_t roll_bytes = 0;
  DurationUs roll_us = 0;
};

// A part of a commit handle: a file that is complete (to be renamed), or still open with its durable length; or the writer's watermark.
struct PartFile {
  enum class Kind : std::uint8_t { kOpen = 0, kComplete = 1, kWatermark = 2 };
  Kind kind = Kind::kOpen;
  std::string name;           // final name, relative to the table's directory
  std::uint64_t length = 0;   // kWatermark: its microseconds
};

std::string encode(const std::vector<PartFile>& parts) {
  std::string out;
  ByteWriter w(out);
  for (const PartFile& p : parts) {
    w.u8(static_cast<std::uint8_t>(p.kind));
    w.text(p.name);
    w.u64(p.length);
  }
  return out;
}

Result<std::vector<PartFile>> decode(std::string_view handle) {
  std::vector<PartFile> parts;
  ByteReader r(handle);
  while (!r.done()) {
    PartFile p;
    p.kind = static_cast<PartFile::Kind>(r.u8());
    p.name = std::string(r.text());
    p.length = r.u64();
    if (r.failed() || p.kind > PartFile::Kind::kWatermark) return fail(ErrorCode::kDamaged, "a file sink's commit handle is unreadable");
    parts.push_back(std::move(p));
  }
  return parts;
}

std::string folder_of(const std::string& name) { return name.substr(0, name.rfind('/') == std::string::npos ? 0 : name.rfind('/')); }
std::string hidden(const std::string& name) {
  const std::string folder = folder_of(name);
  return folder.empty() ? "." + name + ".inprogress" : folder + "/." + name.substr(folder.size() + 1) + ".inprogress";
}
std::string name_prefix(const dataflow::JobIdentity& job) {
  return fmt::format("part-{}-{:04x}-", job.job_id.substr(0, 8), hash_bytes(job.sink_id) & 0xffff);
}

// A directory whose own entry is not synced takes every committed file with it when the power goes.
Status create_durably(env::Files& files, const std::string& directory) {
  SUPYO_ASSIGN(const bool there, files.exists(directory));
  const std::string parent = env::parent_path(directory);
  if (!there) {
    if (parent != directory) SUPYO_TRY(create_durably(files, parent));
    SUPYO_TRY(files.create_directories(directory));
  }
  return files.sync_directory(parent);  // also when it was there: whoever made it may not have lived to do it
}

/// Folders of a partitioned table: as deep as it has partition columns.
Status list_folders(env::Files& files, const std::string& directory, std::size_t depth, const std::string& folder, std::vector<std::string>& out) {
  if (depth == 0) {
    out.push_back(folder);
    return ok();
  }
  SUPYO_ASSIGN(const auto names, files.list(env::join_path(directory, folder)));
  for (const std::string& name : names) {
    if (name.find('=') == std::string::npos) continue;
    const std::string below = folder.empty() ? name : folder + "/" + name;
    SUPYO_ASSIGN(const bool is_folder, files.is_directory(env::join_path(directory, below)));
    if (is_folder) SUPYO_TRY(list_folders(files, directory, depth - 1, below, out));
  }
  return ok();
}

class FileWriter final : public dataflow::SinkWriter {
 public:
  FileWriter(const FileSinkConfig& config, const dataflow::SinkOpen& open, std::uint32_t shard, std::unique_ptr<formats::Encoder> encoder)
      : config_(config), env_(open.env), prefix_(name_prefix(open.job) + fmt::format("{}-", shard)), encoder_(std::move(encoder)) {}

  Status write(const BatchPtr& batch, Epoch epoch) override {
    if (config_.parquet) return write_columns(*batch, epoch);
    if (!config_.layout.partitioned()) {
      for (std::size_t row = 0; row < batch->rows; ++row) SUPYO_TRY(write_row(*batch, row, {}, epoch));
      return ok();
    }
    Batch data = project(*batch, config_.layout.data);
    data.kinds = batch->kinds;
    for (std::size_t row = 0; row < batch->rows; ++row) SUPYO_TRY(write_row(data, row, config_.layout.folder(*batch, row), epoch));
    return ok();
  }

  void watermark(TimeUs us) override { watermark_ = us; }

  Status closing() override {
    closing_ = true;
    return ok();
  }

  Status begin_prepare(Epoch) override {
    const TimeUs now = env_.clock.monotonic_us();
    for (auto it = files_.begin(); it != files_.end();) {
      OpenFile& f = it->second;
      const auto next = std::next(it);
      // A Parquet file is readable, and durable, only as a whole: each epoch has its own, as in Flink.
      if (closing_ || f.parquet || f.length + f.buffer.size() >= config_.roll_bytes || now - f.opened_us >= config_.roll_us || is_final(it->first, f, now)) {
        SUPYO_TRY(complete(it));
      } else {
        SUPYO_TRY(flush(f));
        SUPYO_TRY(f.file->sync());
        parts_.push_back({.kind = PartFile::Kind::kOpen, .name = f.name, .length = f.length});
      }
      it = next;
    }
    for (const std::string& folder : changed_) SUPYO_TRY(env_.files.sync_directory(env::join_path(config_.directory, folder)));
    changed_.clear();
    if (config_.commit) parts_.push_back({.kind = PartFile::Kind::kWatermark, .name = {}, .length = static_cast<std::uint64_t>(watermark_)});
    handle_ = encode(parts_);
    parts_.clear();
    return ok();
  }

  Result<dataflow::PolledPrepare> poll_prepare(Epoch) override { return dataflow::PolledPrepare{.done = true, .handle = std::move(handle_), .poll = dataflow::Poll::more()}; }

 private:
  struct OpenFile {
    std::unique_ptr<env::File> file;
    std::string name, buffer;
    std::uint64_t length = 0;
    TimeUs opened_us = 0;
    std::uint64_t used = 0;
    std::unique_ptr<formats::ParquetWriter> parquet = nullptr;   // writes to `buffer`
  };
  using Files = std::map<std::string, OpenFile>;   // by folder; "": the table's own

  /// Makes the folder's file the current one.
  Result<OpenFile*> file_of(const std::string& folder, Epoch epoch) {
    if (current_ == files_.end() || current_->first != folder) {
      current_ = files_.find(folder);
      if (current_ == files_.end()) SUPYO_TRY(start_file(folder, epoch));
      current_->second.used = ++uses_;
    }
    return &current_->second;
  }

  Status write_columns(const Batch& batch, Epoch epoch) {
    std::map<std::string, std::vector<std::uint32_t>> rows;   // of each folder
    for (std::uint32_t row = 0; config_.layout.partitioned() && row < batch.rows; ++row) rows[config_.layout.folder(batch, row)].push_back(row);
    const Batch data = project(batch, config_.layout.data);
    if (!config_.layout.partitioned()) return append({}, data, epoch);
    for (const auto& [folder, of_folder] : rows) SUPYO_TRY(append(folder, *take(data, of_folder), epoch));
    return ok();
  }
  Status append(const std::string& folder, const Batch& rows, Epoch epoch) {
    SUPYO_ASSIGN(OpenFile* const f, file_of(folder, epoch));
    if (!f->parquet) {
      SUPYO_ASSIGN(f->parquet, formats::make_parquet_writer(config_.fields, *config_.parquet, [f](std::string_view bytes) {
        f->buffer.append(bytes);
        return f->buffer.size() < kWriteBuffer ? ok() : flush(*f);
      }));
    }
    SUPYO_TRY(f->parquet->write(rows));
    return static_cast<std::uint64_t>(f->parquet->estimated_bytes()) >= config_.roll_bytes ? complete(current_) : ok();
  }

  Status write_row(const Batch& batch, std::size_t row, const std::string& folder, Epoch epoch) {
    SUPYO_ASSIGN(OpenFile* const file, file_of(folder, epoch));
    OpenFile& f = *file;
    encoder_->encode(batch, row, f.buffer);
    f.buffer.push_back('\n');
    SUPYO_TRY(encoder_->status());
    if (f.buffer.size() < kWriteBuffer) return ok();
    SUPYO_TRY(flush(f));
    return f.length >= config_.roll_bytes ? complete(current_) : ok();
  }

  /// Whether readers are about to be told that the partition is complete.
  bool is_final(const std::string& folder, const OpenFile& f, TimeUs now) const {
    if (!config_.commit) return false;
    return config_.commit->by_partition_time ? watermark_ > config_.commit->due_watermark(folder) : now - f.opened_us >= config_.commit->delay_us;
  }

  Status start_file(const std::string& folder, Epoch epoch) {
    if (files_.size() >= kOpenFilesMax) SUPYO_TRY(complete(std::ranges::min_element(files_, {}, [](const auto& f) { return f.second.used; })));
    const std::string extension = config_.format.name == "raw" ? "txt" : formats::is_changelog(config_.format.name) ? "json" : config_.format.name;
    const std::string base = fmt::format("{}{}{}.{}", prefix_, epoch.value, counter_ == 0 || last_epoch_ != epoch.value ? "" : fmt::format("-{}", counter_), extension);
    counter_ = last_epoch_ == epoch.value ? counter_ + 1 : 1;
    last_epoch_ = epoch.value;
    OpenFile f;
    f.name = folder.empty() ? base : folder + "/" + base;
    if (!folder.empty()) SUPYO_TRY(env_.files.create_directories(env::join_path(config_.directory, folder)));
    const std::string path = env::join_path(config_.directory, hidden(f.name));
    SUPYO_TRY(env_.files.remove_all(path));  // left by an attempt that never became final
    SUPYO_ASSIGN(f.file, env_.files.open(path, env::OpenMode::kCreateNew));
    // The folders above it, too: whoever made them may not have lived to sync them.
    for (std::string at = folder;; at = folder_of(at)) {
      changed_.insert(at);
      if (at.empty()) break;
    }
    f.opened_us = env_.clock.monotonic_us();
    if (std::string header = encoder_ ? encoder_->header() : std::string(); !header.empty()) f.buffer = header + "\n";
    current_ = files_.emplace(folder, std::move(f)).first;
    return ok();
  }

  static Status flush(OpenFile& f) {
    SUPYO_TRY(f.file->write_at(f.length, f.buffer));
    f.length += f.buffer.size();
    f.buffer.clear();
    return ok();
  }

  Status complete(Files::iterator at) {
    OpenFile& f = at->second;
    if (f.parquet) SUPYO_TRY(f.parquet->finish());
    SUPYO_TRY(flush(f));
    SUPYO_TRY(f.file->sync());
    parts_.push_back({.kind = PartFile::Kind::kComplete, .name = f.name, .length = f.length});
    if (current_ == at) current_ = files_.end();
    files_.erase(at);
    return ok();
  }

  FileSinkConfig config_;
  env::Env env_;
  std::string prefix_;
  std::unique_ptr<formats::Encoder> encoder_;
  Files files_;
  Files::iterator current_ = files_.end();
  std::uint64_t uses_ = 0;
  std::int64_t last_epoch_ = -1;
  int counter_ = 0;
  bool closing_ = false;
  TimeUs watermark_ = kTimeMin;
  std::set<std::string> changed_;      // folders with something new since the last epoch
  std::vector<PartFile> parts_;
  CommitHandle handle_;
};

class FileCommitter final : public dataflow::SinkCommitter {
 public:
  FileCommitter(const FileSinkConfig& config, const dataflow::SinkOpen& open)
      : config_(config), directory_(config.directory), files_(open.env.files), clock_(open.env.clock), job_(open.job), recovering_(open.last_final) {}

  /// Partitions with files of an earlier run that nobody called complete.
  Status find_pending() {
    if (!config_.commit) return ok();
    SUPYO_ASSIGN(const auto all, folders());
    for (const std::string& folder : all) {
      SUPYO_ASSIGN(const auto names, files_.list(env::join_path(directory_, folder)));
      const bool done = std::ranges::find(names, config_.commit->success_file) != names.end();
      if (!done && std::ranges::any_of(names, [](const std::string& n) { return n.front() != '.'; })) pending_.emplace(folder, clock_.monotonic_us());
    }
    return ok();
  }

  Result<dataflow::PolledCommit> poll_commit(Epoch e, const std::vector<CommitHandle>& handles) override {
    // The first commit after a restart is the last final epoch's: files that it left open have no writer any more and are completed at
    // the length that the epoch made durable.
    const bool recovery = e == recovering_ && e.value > 0;
    recovering_ = Epoch{};
    bool renamed = false;
    TimeUs watermark = kTimeMax;
    std::vector<std::string> changed;
    for (const CommitHandle& h : handles) {
      SUPYO_ASSIGN(const auto parts, decode(h));
      for (const PartFile& p : parts) {
        if (p.kind == PartFile::Kind::kWatermark) watermark = std::min(watermark, static_cast<TimeUs>(p.length));
        if (p.kind == PartFile::Kind::kWatermark || (p.kind == PartFile::Kind::kOpen && !recovery)) continue;
        SUPYO_ASSIGN(const bool did, publish(p));
        renamed = renamed || did;
        const std::string folder = folder_of(p.name);
        if (did && std::ranges::find(changed, folder) == changed.end()) changed.push_back(folder);
        if (config_.commit) pending_.emplace(folder, clock_.monotonic_us());
      }
    }
    for (const std::string& folder : changed) SUPYO_TRY(files_.sync_directory(env::join_path(directory_, folder)));
    if (config_.commit && !handles.empty()) SUPYO_TRY(commit_partitions(watermark));
    return dataflow::PolledCommit{.outcome = renamed || !recovery ? dataflow::CommitOutcome::kVisibleNow : dataflow::CommitOutcome::kWasVisible,
                                  .poll = dataflow::Poll::more()};
  }

  Status abandon_after(Epoch) override {
    const std::string ours = "." + name_prefix(job_);
    SUPYO_ASSIGN(const auto all, folders());
    for (const std::string& folder : all) {
      const std::string directory = env::join_path(directory_, folder);
      SUPYO_ASSIGN(const auto names, files_.list(directory));
      for (const std::string& name : names)
        if (name.starts_with(ours)) SUPYO_TRY(files_.remove(env::join_path(directory, name)));
    }
    return ok();
  }

 private:
  Result<std::vector<std::string>> folders() {
    std::vector<std::string> all;
    SUPYO_TRY(list_folders(files_, directory_, config_.layout.keys.size(), "", all));
    return all;
  }

  /// A partition that gets rows later, too, is called complete once more.
  Status commit_partitions(TimeUs watermark) {
    const TimeUs now = clock_.monotonic_us();
    for (auto it = pending_.begin(); it != pending_.end();) {
      const auto& [folder, since] = *it;
      const bool due = watermark == kTimeMax || (config_.commit->by_partition_time ? watermark > config_.commit->due_watermark(folder) : now - since >= config_.commit->delay_us);
      if (due) SUPYO_TRY(files_.write_atomically(env::join_path(env::join_path(directory_, folder), config_.commit->success_file), ""));
      it = due ? pending_.erase(it) : std::next(it);
    }
    return ok();
  }

  Result<bool> publish(const PartFile& p) {
    const std::string from = env::join_path(directory_, hidden(p.name));
    SUPYO_ASSIGN(const bool there, files_.exists(from));
    if (!there) return false;  // renamed by an earlier attempt
    if (p.kind == PartFile::Kind::kOpen) {
      SUPYO_ASSIGN(const auto file, files_.open(from, env::OpenMode::kReadWrite));
      SUPYO_TRY(file->truncate(p.length));
      SUPYO_TRY(file->sync());
    }
    SUPYO_TRY(files_.rename(from, env::join_path(directory_, p.name)));
    return true;
  }

  const FileSinkConfig config_;
  std::string directory_;
  env::Files& files_;
  env::Clock& clock_;
  dataflow::JobIdentity job_;
  Epoch recovering_;
  std::map<std::string, TimeUs> pending_;   // partitions with new files -> since when
};

class FileSink final : public dataflow::Sink {
 public:
  explicit FileSink(FileSinkConfig config) : config_(std::move(config)) {}
  std::string_view name() const override { return config_.table; }
  DeliveryGuarantee guarantee() const override { return DeliveryGuarantee::kExactlyOnce; }
  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen& open) override {
    SUPYO_TRY(create_durably(open.env.files, config_.directory));
    auto committer = std::make_unique<FileCommitter>(config_, open);
    SUPYO_TRY(committer->find_pending());
    return committer;
  }
  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen& open, std::uint32_t shard) override {
    std::unique_ptr<formats::Encoder> encoder;
    if (!config_.parquet) {
      SUPYO_ASSIGN(encoder, formats::make_encoder(config_.format, config_.layout.data_schema()));
    }
    return std::make_unique<FileWriter>(config_, open, shard, std::move(encoder));
  }

 private:
  FileSinkConfig config_;
};

}  // namespace

Result<std::shared_ptr<dataflow::Sink>> make_file_sink(const catalog::SinkRequest& request, const env::Env& env) {
  FileSinkConfig c;
  SUPYO_ASSIGN(c.directory, file_path(request.table, request.base_directory));
  SUPYO_ASSIGN(const bool there, env.files.exists(c.directory));
  if (there) {
    SUPYO_ASSIGN(const bool directory, env.files.is_directory(c.directory));
    if (!directory) return fail(ErrorCode::kBadOptionValue, "'path' " + c.directory + " is a file; a sink writes into a directory", "name a directory that may be created");
  }
  c.table = request.table.path.name;
  c.format = formats::format_of(request.table.options);
  const auto descriptor = file_descriptor();
  SUPYO_ASSIGN(c.layout, PartitionLayout::of(request.table, request.schema));
  SUPYO_ASSIGN(c.commit, PartitionCommit::of(request.table, c.layout, descriptor));
  c.roll_bytes = static_cast<std::uint64_t>(catalog::option_integer(request.table.options, descriptor, "sink.rolling-policy.file-size"));
  c.roll_us = catalog::option_duration(request.table.options, descriptor, "sink.rolling-policy.rollover-interval");
  if (formats::is_parquet(c.format.name)) {
    SUPYO_ASSIGN(c.parquet, formats::parquet_options(c.format, c.layout.data_schema()));
    for (const std::size_t i : c.layout.data) c.fields.push_back({.name = c.layout.schema[i].name, .type = c.layout.schema[i].type});
  } else {
    SUPYO_TRY(check_lines(c.format));
    SUPYO_TRY(formats::make_encoder(c.format, c.layout.data_schema()));
  }
  return std::make_shared<FileSink>(std::move(c));
}

}  // namespace supyo::connect
