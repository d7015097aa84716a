#include "connect/iceberg/iceberg_writer.h"

#include <set>

#include "connect/iceberg/data_files.h"
#include "data/iceberg/values.h"
#include "data/types/row_codec.h"

namespace supyo::connect {
namespace {

constexpr std::size_t kWriteBuffer = 256U << 10;

// A data file being written. Parquet gives many small pieces: they are gathered. The file is created with its first bytes.
class OpenFile {
 public:
  static Result<std::unique_ptr<OpenFile>> create(const IcebergTarget& target, env::Files& files, std::string uri, std::vector<Value> partition) {
    auto self = std::make_unique<OpenFile>();
    self->uri_ = std::move(uri);
    self->partition_ = std::move(partition);
    SUPYO_ASSIGN(const std::string path, iceberg::local_path(self->uri_));
    SUPYO_ASSIGN(self->file_, files.open(path, env::OpenMode::kCreateNew));
    SUPYO_ASSIGN(self->parquet_, formats::make_parquet_writer(target.fields, target.parquet, [out = self.get()](std::string_view bytes) { return out->append(bytes); }));
    return self;
  }

  Status write(const Batch& batch) { return parquet_->write(batch); }
  std::int64_t estimated_bytes() const { return parquet_->estimated_bytes(); }

  /// Complete and durable but for its directory entry.
  Result<iceberg::DataFile> finish() {
    SUPYO_ASSIGN(const auto metrics, parquet_->finish());
    SUPYO_TRY(flush());
    SUPYO_TRY(file_->sync());
    return data_file_of(uri_, partition_, metrics);
  }

 private:
  Status append(std::string_view bytes) {
    buffer_.append(bytes);
    return buffer_.size() < kWriteBuffer ? ok() : flush();
  }
  Status flush() {
    SUPYO_TRY(file_->write_at(length_, buffer_));
    length_ += buffer_.size();
    buffer_.clear();
    return ok();
  }

  std::string uri_;
  std::vector<Value> partition_;
  std::unique_ptr<env::File> file_;
  std::unique_ptr<formats::ParquetWriter> parquet_;
  std::string buffer_;
  std::uint64_t length_ = 0;
};

class IcebergWriter final : public dataflow::SinkWriter {
 public:
  IcebergWriter(const IcebergTarget& target, const dataflow::SinkOpen& open, std::uint32_t shard)
      : target_(target), env_(open.env), faults_(open.faults), shard_(shard), tag_(iceberg::file_tag({open.job.job_id, open.job.sink_id})),
        nonce_(fmt::format("{:08x}", static_cast<std::uint32_t>(open.env.random.next_u64()))), codec_(target.partition_types) {}

  Status write(const BatchPtr& batch, Epoch epoch) override {
    for (const RowKind kind : batch->kinds)
      if (kind != RowKind::kInsert)
        return fail(ErrorCode::kSinkCannotTake, fmt::format("Iceberg table {} takes +I rows only, not {}", target_.location, row_kind_text(kind)));
    if (target_.partition_columns.empty()) return write_to("", *batch, 0, epoch);
    return write_partitioned(*batch, epoch);
  }

  Status begin_prepare(Epoch e) override {
    closing_ = std::move(open_);
    open_.clear();
    preparing_ = std::move(done_);
    done_.clear();
    gate_.reset();
    (void)e;
    return ok();
  }

  Result<dataflow::PolledPrepare> poll_prepare(Epoch) override {
    if (closing_.empty() && preparing_.empty()) return dataflow::PolledPrepare{.done = true, .handle = {}, .poll = dataflow::Poll::more()};
    const TimeUs now = env_.clock.now_us();
    const std::optional<TimeUs> until = gate_.wait_until(faults_, "iceberg.write.before", now);
    if (!until) return fail(ErrorCode::kOutsideUnavailable, fmt::format("writing to {} was refused (injected fault)", target_.location), "the job restarts from its last epoch");
    if (now < *until) return dataflow::PolledPrepare{.done = false, .handle = {}, .poll = dataflow::Poll::waiting_until(*until)};
    for (auto& [key, file] : closing_) {
      SUPYO_ASSIGN(iceberg::DataFile described, file->finish());
      preparing_.push_back(std::move(described));
    }
    closing_.clear();
    SUPYO_TRY(sync_directories());
    std::sort(preparing_.begin(), preparing_.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    dataflow::PolledPrepare prepared{.done = true, .handle = encode_handle(target_.spec_id, preparing_), .poll = dataflow::Poll::more()};
    preparing_.clear();
    return prepared;
  }

 private:
  Status write_partitioned(const Batch& batch, Epoch epoch) {
    std::vector<ColumnPtr> keys;
    for (const std::size_t c : target_.partition_columns) keys.push_back(batch.columns[c]);
    std::map<std::string, std::vector<std::uint32_t>> rows_of;
    std::string key;
    for (std::size_t row = 0; row < batch.rows; ++row) {
      key.clear();
      codec_.encode(keys, row, key);
      // Neighbours mostly share their partition: one comparison, no allocation.
      if (rows_of.empty() || last_->first != key) last_ = rows_of.try_emplace(key).first;
      last_->second.push_back(static_cast<std::uint32_t>(row));
    }
    for (const auto& [partition, rows] : rows_of) {
      if (rows.size() == batch.rows) return write_to(partition, batch, rows.front(), epoch);
      const BatchPtr part = take(batch, rows);
      SUPYO_TRY(write_to(partition, *part, 0, epoch));
    }
    return ok();
  }

  // `row` is any row of the partition: its values name it.
  Status write_to(const std::string& partition, const Batch& batch, std::size_t row, Epoch epoch) {
    auto it = open_.find(partition);
    if (it == open_.end()) {
      SUPYO_ASSIGN(auto file, open_file(batch, row, epoch));
      it = open_.emplace(partition, std::move(file)).first;
    }
    SUPYO_TRY(it->second->write(batch));
    if (it->second->estimated_bytes() < target_.target_file_bytes) return ok();
    SUPYO_ASSIGN(iceberg::DataFile described, it->second->finish());
    done_.push_back(std::move(described));
    open_.erase(it);
    return ok();
  }

  Result<std::unique_ptr<OpenFile>> open_file(const Batch& batch, std::size_t row, Epoch epoch) {
    std::vector<Value> values;
    for (const std::size_t c : target_.partition_columns) {
      Value v = value_at(*batch.columns[c], row);
      v.type = target_.fields[c].type.as_nullable();
      values.push_back(std::move(v));
    }
    std::string below = "/data";
    if (!values.empty()) below += "/" + iceberg::partition_path(target_.spec, values);
    const std::string directory = target_.directory + below;
    if (touched_.insert(directory).second && !known_.contains(directory)) {
      SUPYO_TRY(env_.files.create_directories(directory));
      // The directories above may be new as well.
      for (std::string up = env::parent_path(directory); up.size() >= target_.directory.size(); up = env::parent_path(up)) touched_.insert(up);
      known_.insert(directory);
    }
    const std::string name = fmt::format("{:010}{}{}-{:03}-{}.parquet", epoch.value, tag_, nonce_, shard_, next_file_++);
    return OpenFile::create(target_, env_.files, target_.location + below + "/" + name, std::move(values));
  }

  Status sync_directories() {
    for (const std::string& directory : touched_) SUPYO_TRY(env_.files.sync_directory(directory));
    touched_.clear();
    return ok();
  }

  IcebergTarget target_;
  env::Env env_;
  const FaultPoints& faults_;
  std::uint32_t shard_;
  std::string tag_;
  std::string nonce_;
  RowCodec codec_;
  std::uint64_t next_file_ = 0;
  std::map<std::string, std::unique_ptr<OpenFile>> open_;      // by encoded partition
  std::map<std::string, std::unique_ptr<OpenFile>> closing_;   // of the epoch being prepared
  std::vector<iceberg::DataFile> done_;                        // rolled in the epoch being filled
  std::vector<iceberg::DataFile> preparing_;
  std::map<std::string, std::vector<std::uint32_t>>::iterator last_;
  std::set<std::string> touched_;                              // directories with new entries since the last sync
  std::set<std::string> known_;                                // directories that exist and were synced once
  FaultGate gate_;
};

}  // namespace

Result<std::unique_ptr<dataflow::SinkWriter>> make_iceberg_writer(const IcebergTarget& target, const dataflow::SinkOpen& open, std::uint32_t shard) {
  return std::make_unique<IcebergWriter>(target, open, shard);
}

}  // namespace supyo::connect
