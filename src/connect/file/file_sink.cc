#include "connect/file/file.h"
#include "connect/file/file_options.h"
#include "core/base/bytes.h"
#include "core/base/hash.h"
#include "data/formats/format.h"

namespace supyo::connect {
namespace {

using dataflow::CommitHandle;

constexpr std::size_t kWriteBuffer = 256U << 10;

struct FileSinkConfig {
  std::string directory;
  std::string table;
  formats::FormatOptions format;
  Schema schema;
  std::uint64_t roll_bytes = 0;
  DurationUs roll_us = 0;
};

// A part of a commit handle: a file that is complete (to be renamed), or still open with its durable length.
struct PartFile {
  bool complete = false;
  std::string name;           // final name, without the directory
  std::uint64_t length = 0;
};

std::string encode(const std::vector<PartFile>& parts) {
  std::string out;
  ByteWriter w(out);
  for (const PartFile& p : parts) {
    w.u8(p.complete ? 1 : 0);
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
    p.complete = r.u8() != 0;
    p.name = std::string(r.text());
    p.length = r.u64();
    if (r.failed()) return fail(ErrorCode::kDamaged, "a file sink's commit handle is unreadable");
    parts.push_back(std::move(p));
  }
  return parts;
}

std::string hidden(const std::string& name) { return "." + name + ".inprogress"; }
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

class FileWriter final : public dataflow::SinkWriter {
 public:
  FileWriter(const FileSinkConfig& config, const dataflow::SinkOpen& open, std::uint32_t shard, std::unique_ptr<formats::Encoder> encoder)
      : config_(config), env_(open.env), prefix_(name_prefix(open.job) + fmt::format("{}-", shard)), encoder_(std::move(encoder)) {}

  Status write(const BatchPtr& batch, Epoch epoch) override {
    for (std::size_t row = 0; row < batch->rows; ++row) {
      if (!file_) SUPYO_TRY(start_file(epoch));
      encoder_->encode(*batch, row, buffer_);
      buffer_.push_back('\n');
      if (buffer_.size() >= kWriteBuffer) {
        SUPYO_TRY(flush());
        if (length_ >= config_.roll_bytes) SUPYO_TRY(complete_file());
      }
    }
    return ok();
  }

  Status closing() override {
    closing_ = true;
    return ok();
  }

  Status begin_prepare(Epoch) override {
    if (file_ && (closing_ || length_ + buffer_.size() >= config_.roll_bytes || env_.clock.monotonic_us() - opened_us_ >= config_.roll_us)) SUPYO_TRY(complete_file());
    if (file_) {
      SUPYO_TRY(flush());
      SUPYO_TRY(file_->sync());
      parts_.push_back({.complete = false, .name = name_, .length = length_});
    }
    if (created_) {
      SUPYO_TRY(env_.files.sync_directory(config_.directory));
      created_ = false;
    }
    handle_ = encode(parts_);
    parts_.clear();
    return ok();
  }

  Result<dataflow::PolledPrepare> poll_prepare(Epoch) override { return dataflow::PolledPrepare{.done = true, .handle = std::move(handle_), .poll = dataflow::Poll::more()}; }

 private:
  Status start_file(Epoch epoch) {
    const std::string extension = config_.format.name == "raw" ? "txt" : config_.format.name;
    name_ = fmt::format("{}{}{}.{}", prefix_, epoch.value, counter_ == 0 || last_epoch_ != epoch.value ? "" : fmt::format("-{}", counter_), extension);
    counter_ = last_epoch_ == epoch.value ? counter_ + 1 : 1;
    last_epoch_ = epoch.value;
    const std::string path = env::join_path(config_.directory, hidden(name_));
    SUPYO_TRY(env_.files.remove_all(path));  // left by an attempt that never became final
    SUPYO_ASSIGN(file_, env_.files.open(path, env::OpenMode::kCreateNew));
    created_ = true;
    length_ = 0;
    opened_us_ = env_.clock.monotonic_us();
    buffer_.clear();
    if (std::string header = encoder_->header(); !header.empty()) buffer_ = header + "\n";
    return ok();
  }

  Status flush() {
    SUPYO_TRY(file_->write_at(length_, buffer_));
    length_ += buffer_.size();
    buffer_.clear();
    return ok();
  }

  Status complete_file() {
    SUPYO_TRY(flush());
    SUPYO_TRY(file_->sync());
    file_.reset();
    parts_.push_back({.complete = true, .name = name_, .length = length_});
    return ok();
  }

  FileSinkConfig config_;
  env::Env env_;
  std::string prefix_;
  std::unique_ptr<formats::Encoder> encoder_;
  std::unique_ptr<env::File> file_;
  std::string name_;
  std::string buffer_;
  std::uint64_t length_ = 0;
  TimeUs opened_us_ = 0;
  std::int64_t last_epoch_ = -1;
  int counter_ = 0;
  bool closing_ = false;
  bool created_ = false;
  std::vector<PartFile> parts_;
  CommitHandle handle_;
};

class FileCommitter final : public dataflow::SinkCommitter {
 public:
  FileCommitter(const FileSinkConfig& config, const dataflow::SinkOpen& open)
      : directory_(config.directory), files_(open.env.files), job_(open.job), recovering_(open.last_final) {}

  Result<dataflow::PolledCommit> poll_commit(Epoch e, const std::vector<CommitHandle>& handles) override {
    // The first commit after a restart is the last final epoch's: files that it left open have no writer any more and are completed at
    // the length that the epoch made durable.
    const bool recovery = e == recovering_ && e.value > 0;
    recovering_ = Epoch{};
    bool renamed = false;
    for (const CommitHandle& h : handles) {
      SUPYO_ASSIGN(const auto parts, decode(h));
      for (const PartFile& p : parts) {
        if (!p.complete && !recovery) continue;
        SUPYO_ASSIGN(const bool did, publish(p));
        renamed = renamed || did;
      }
    }
    if (renamed) SUPYO_TRY(files_.sync_directory(directory_));
    return dataflow::PolledCommit{.outcome = renamed || !recovery ? dataflow::CommitOutcome::kVisibleNow : dataflow::CommitOutcome::kWasVisible,
                                  .poll = dataflow::Poll::more()};
  }

  Status abandon_after(Epoch) override {
    SUPYO_ASSIGN(const auto names, files_.list(directory_));
    const std::string ours = "." + name_prefix(job_);
    for (const std::string& name : names)
      if (name.starts_with(ours)) SUPYO_TRY(files_.remove(env::join_path(directory_, name)));
    return ok();
  }

 private:
  Result<bool> publish(const PartFile& p) {
    const std::string from = env::join_path(directory_, hidden(p.name));
    SUPYO_ASSIGN(const bool there, files_.exists(from));
    if (!there) return false;  // renamed by an earlier attempt
    if (!p.complete) {
      SUPYO_ASSIGN(const auto file, files_.open(from, env::OpenMode::kReadWrite));
      SUPYO_TRY(file->truncate(p.length));
      SUPYO_TRY(file->sync());
    }
    SUPYO_TRY(files_.rename(from, env::join_path(directory_, p.name)));
    return true;
  }

  std::string directory_;
  env::Files& files_;
  dataflow::JobIdentity job_;
  Epoch recovering_;
};

class FileSink final : public dataflow::Sink {
 public:
  explicit FileSink(FileSinkConfig config) : config_(std::move(config)) {}
  std::string_view name() const override { return config_.table; }
  DeliveryGuarantee guarantee() const override { return DeliveryGuarantee::kExactlyOnce; }
  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen& open) override {
    SUPYO_TRY(create_durably(open.env.files, config_.directory));
    return std::make_unique<FileCommitter>(config_, open);
  }
  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen& open, std::uint32_t shard) override {
    SUPYO_ASSIGN(auto encoder, formats::make_encoder(config_.format, config_.schema));
    return std::make_unique<FileWriter>(config_, open, shard, std::move(encoder));
  }

 private:
  FileSinkConfig config_;
};

}  // namespace

Result<std::shared_ptr<dataflow::Sink>> make_file_sink(const catalog::SinkRequest& request, const env::Env& env) {
  FileSinkConfig c;
  SUPYO_ASSIGN(c.directory, file_path(request.table, request.base_directory));
  if (!request.table.partition_keys.empty())
    return fail(ErrorCode::kUnsupported, "PARTITIONED BY on the filesystem connector", "write to an iceberg table, or to one table per partition");
  SUPYO_ASSIGN(const bool there, env.files.exists(c.directory));
  if (there) {
    SUPYO_ASSIGN(const bool directory, env.files.is_directory(c.directory));
    if (!directory) return fail(ErrorCode::kBadOptionValue, "'path' " + c.directory + " is a file; a sink writes into a directory", "name a directory that may be created");
  }
  c.table = request.table.path.name;
  c.format = formats::format_of(request.table.options);
  c.schema = request.schema;
  const auto descriptor = file_descriptor();
  c.roll_bytes = static_cast<std::uint64_t>(catalog::option_integer(request.table.options, descriptor, "sink.rolling-policy.file-size"));
  c.roll_us = catalog::option_duration(request.table.options, descriptor, "sink.rolling-policy.rollover-interval");
  SUPYO_ASSIGN(auto encoder, formats::make_encoder(c.format, c.schema));
  (void)encoder;
  return std::make_shared<FileSink>(std::move(c));
}

}  // namespace supyo::connect
