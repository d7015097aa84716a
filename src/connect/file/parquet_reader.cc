#include <algorithm>

#include "connect/file/file_reader.h"
#include "data/formats/parquet.h"

namespace supyo::connect {

using dataflow::Poll;

std::vector<std::size_t> FileSourceConfig::record_columns() const {
  std::vector<std::size_t> out;
  for (const std::size_t c : columns)
    if (const auto at = std::ranges::find(layout.data, c); at != layout.data.end()) out.push_back(static_cast<std::size_t>(at - layout.data.begin()));
  return out;
}

Result<std::vector<Value>> FileSourceConfig::keys_of(const std::string& file) const {
  if (!layout.partitioned()) return std::vector<Value>{};
  return layout.values(std::string_view(file).substr(file == path ? 0 : path.size() + 1));
}

BatchPtr FileSourceConfig::with_keys(BatchPtr read, const std::vector<Value>& keys) const {
  if (!read || !layout.partitioned()) return read;
  auto batch = std::make_shared<Batch>(*read);
  batch->columns.clear();
  std::size_t next = 0;
  for (const std::size_t c : columns) {
    const auto key = std::ranges::find(layout.keys, c);
    if (key == layout.keys.end()) batch->columns.push_back(read->columns[next++]);
    else batch->columns.push_back(constant_column(keys[static_cast<std::size_t>(key - layout.keys.begin())], batch->rows));
  }
  return batch;
}

namespace {

class ParquetFileReader final : public dataflow::SourceReader {
 public:
  ParquetFileReader(const FileSourceConfig& config, dataflow::Split split, const env::Env& env) : config_(config), split_(std::move(split)), env_(env), walk_(env.files, config.path, config.wanted) {
    for (const std::size_t c : config_.record_columns()) {
      const Field& f = config_.layout.schema[config_.layout.data[c]];
      // A null where none may be makes a row dead, not the file unreadable.
      fields_.push_back({.name = f.name, .type = f.type.as_nullable()});
    }
  }

  Status start() {
    SUPYO_ASSIGN(FilePosition from, decode_position(split_.position, config_.table));
    walk_.resume(from);
    return from.file.empty() ? ok() : open(from.file, from.at);
  }

  Result<Poll> poll(std::size_t, dataflow::SourceOutput& out) override {
    if (!reader_) {
      SUPYO_ASSIGN(const auto next, walk_.next());
      if (!next && config_.monitor_us == 0) return Poll::done();
      if (!next) {
        out.quiet(0);
        return Poll::waiting_until(env_.clock.now_us() + config_.monitor_us);
      }
      SUPYO_TRY(open(*next, 0));
    }
    SUPYO_ASSIGN(BatchPtr batch, reader_->next());
    if (!batch) {
      reader_.reset();
      mapped_.reset();
      return Poll::more();
    }
    walk_.at(walk_.position().at + batch->rows);
    const std::size_t rows = batch->rows;
    SUPYO_TRY(out.emit({.split = 0, .batch = config_.with_keys(std::move(batch), keys_), .produce_us = std::vector<TimeUs>(rows, env_.clock.now_us())}));
    return Poll::more();
  }

  std::vector<dataflow::SplitPosition> positions() const override { return {{split_.id, encode_position(walk_.position())}}; }

 private:
  Status open(const std::string& file, std::uint64_t row) {
    SUPYO_ASSIGN(keys_, config_.keys_of(file));
    SUPYO_ASSIGN(mapped_, env_.files.map(file));
    SUPYO_ASSIGN(reader_, formats::make_parquet_reader(mapped_->bytes(), file, fields_, static_cast<std::int64_t>(row)));
    return ok();
  }

  FileSourceConfig config_;
  dataflow::Split split_;
  env::Env env_;
  FileWalk walk_;
  std::vector<formats::ParquetField> fields_;
  std::vector<Value> keys_;                       // of the current file
  std::unique_ptr<env::MappedFile> mapped_;       // outlives reader_
  std::unique_ptr<formats::ParquetReader> reader_;
};

}  // namespace

Result<std::unique_ptr<dataflow::SourceReader>> open_parquet_reader(const FileSourceConfig& config, dataflow::Split split, const env::Env& env) {
  auto reader = std::make_unique<ParquetFileReader>(config, std::move(split), env);
  SUPYO_TRY(reader->start());
  return reader;
}

}  // namespace supyo::connect
