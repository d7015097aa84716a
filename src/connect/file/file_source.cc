#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <optional>

#include "connect/file/compressed_file.h"
#include "connect/file/file.h"
#include "connect/file/file_options.h"
#include "connect/file/file_reader.h"
#include "data/formats/format.h"
#include "data/formats/parquet.h"

namespace supyo::connect {
namespace {

using dataflow::Poll;

constexpr std::size_t kBlock = 1U << 20;
constexpr std::size_t kLongestRecord = 64U << 20;
constexpr std::string_view kStdin = "/dev/stdin";

class FileReader final : public dataflow::SourceReader {
 public:
  FileReader(const FileSourceConfig& config, dataflow::Split split, const env::Env& env, std::unique_ptr<formats::Decoder> decoder)
      : config_(config), split_(std::move(split)), env_(env), walk_(env.files, config.path, config.wanted), decoder_(std::move(decoder)), builder_(output_schema(config)) {}

  Status start() {
    SUPYO_ASSIGN(FilePosition from, decode_position(split_.position, config_.table));
    file_ = from.file;
    resume_at_ = from.at;
    walk_.resume(std::move(from));
    block_offset_ = 0;
    if (config_.path == kStdin) {
      SUPYO_ASSIGN(stream_, env_.files.open_stream(config_.path));
      file_ = config_.path;
      return ok();
    }
    if (!file_.empty()) return open_file(file_, std::exchange(resume_at_, 0));
    return ok();
  }

  Result<Poll> poll(std::size_t budget, dataflow::SourceOutput& out) override {
    if (finished_) return Poll::done();
    if (next_record_ == records_.size()) {
      SUPYO_ASSIGN(const Poll p, fill(out));
      if (next_record_ == records_.size()) return p;
    }
    SUPYO_TRY(emit(std::min({budget, records_.size() - next_record_, Batch::kMaxRows / formats::rows_of_record(config_.format)}), out));
    return Poll::more();
  }

  std::vector<dataflow::SplitPosition> positions() const override {
    FilePosition p = walk_.position();
    p.file = file_;
    p.at = next_record_ < records_.size() ? offset_of(records_[next_record_]) : consumed_;
    return {{split_.id, encode_position(p)}};
  }

 private:
  static Schema output_schema(const FileSourceConfig& c) {
    std::vector<Field> fields;
    for (const std::size_t i : c.record_columns()) fields.push_back(c.layout.schema[c.layout.data[i]]);
    return Schema(std::move(fields));
  }

  std::uint64_t offset_of(std::string_view record) const {
    return block_offset_ + static_cast<std::uint64_t>(record.data() - block_.data());
  }

  Status open_file(const std::string& path, std::uint64_t offset) {
    auto file = env_.files.open(path, env::OpenMode::kRead);
    if (!file) return fail(ErrorCode::kFileNotFound, "cannot read " + path + ": " + file.error().message, "the job resumes inside this file: put it back, or start with a new state directory");
    SUPYO_ASSIGN(keys_, config_.keys_of(path));
    SUPYO_ASSIGN(const bool compressed, is_compressed(path));
    open_.reset();
    unpacked_.reset();
    if (compressed) {
      unpacked_ = open_compressed(std::move(*file), path);
      SUPYO_TRY(skip(offset));
    } else {
      open_ = std::move(*file);
    }
    file_ = path;
    block_offset_ = consumed_ = offset;
    block_.clear();
    at_start_ = offset == 0;
    return ok();
  }

  // There is no way into the middle of compressed data but through all that is before.
  Status skip(std::uint64_t bytes) {
    std::string passed(kBlock, '\0');
    while (bytes > 0) {
      SUPYO_ASSIGN(const auto read, unpacked_->read(std::span<char>(passed.data(), std::min<std::uint64_t>(bytes, passed.size()))));
      bytes -= read.bytes;
      if (read.ended) break;
    }
    return ok();
  }

  // Reads until there is at least one whole record, the current file ends, or nothing more has come.
  Result<Poll> fill(dataflow::SourceOutput& out) {
    records_.clear();
    next_record_ = 0;
    if (stream_) return fill_from_stream(out);
    if (!open_ && !unpacked_) {
      SUPYO_ASSIGN(const bool more, next_file());
      if (!more) return wait_for_files(out);
    }
    SUPYO_ASSIGN(const bool ended, read_block([&](std::span<char> into) -> Result<env::InputStream::Read> {
      if (unpacked_) return unpacked_->read(into);
      SUPYO_ASSIGN(const std::size_t n, open_->read_at(block_offset_ + static_cast<std::uint64_t>(into.data() - block_.data()), into));
      return env::InputStream::Read{.bytes = n, .ended = n < into.size()};
    }));
    if (ended) {
      open_.reset();
      unpacked_.reset();
    }
    return Poll::more();
  }

  Result<Poll> fill_from_stream(dataflow::SourceOutput& out) {
    bool nothing = false;
    SUPYO_ASSIGN(const bool ended, read_block([&](std::span<char> into) -> Result<env::InputStream::Read> {
      SUPYO_ASSIGN(auto r, stream_->read(into));
      nothing = r.bytes == 0 && !r.ended;
      return r;
    }));
    if (ended) {
      stream_.reset();
      finished_ = records_.empty();
      done_after_records_ = true;
      return finished_ ? Poll::done() : Poll::more();
    }
    if (nothing) {
      out.quiet(0);
      return Poll::waiting_until(env_.clock.now_us() + kMillisecond);
    }
    return Poll::more();
  }

  // Keeps the unfinished tail of the block, appends what `read` gives, splits. True when the input ended.
  template <class Read>
  Result<bool> read_block(Read&& read) {
    const auto used = static_cast<std::size_t>(consumed_ - block_offset_);
    block_.erase(0, used);
    block_offset_ = consumed_;
    const std::size_t have = block_.size();
    if (have > kLongestRecord)
      return fail(ErrorCode::kMalformedRecord, fmt::format("{}: no end of a record within {} MiB from byte {}", file_, kLongestRecord >> 20, block_offset_),
                  "is this a text file of the declared format?");
    block_.resize_and_overwrite(have + std::max(kBlock, have), [](char*, std::size_t size) { return size; });   // read() writes them: no zeros before
    SUPYO_ASSIGN(const env::InputStream::Read got, read(std::span<char>(block_.data() + have, block_.size() - have)));
    block_.resize(have + got.bytes);
    if (resume_at_ > block_offset_ && stream_) {  // bytes that an earlier run has processed
      const std::uint64_t skip = std::min<std::uint64_t>(resume_at_ - block_offset_, block_.size());
      consumed_ = block_offset_ + skip;
      at_start_ = false;
      return got.ended;
    }
    std::string_view text = block_;
    std::size_t bom = 0;
    if (at_start_ && text.starts_with("\xef\xbb\xbf")) bom = 3;
    const std::size_t end = formats::split_records(config_.format, text.substr(bom), got.ended, records_) + bom;
    consumed_ = block_offset_ + end;
    if (at_start_ && !records_.empty()) {
      at_start_ = false;
      if (config_.header) records_.erase(records_.begin());
    }
    return got.ended;
  }

  // False when there is none (yet).
  Result<bool> next_file() {
    SUPYO_ASSIGN(const auto next, walk_.next());
    if (!next) return false;
    SUPYO_TRY(open_file(*next, 0));
    return true;
  }

  Poll wait_for_files(dataflow::SourceOutput& out) {
    if (config_.monitor_us == 0) {
      finished_ = true;
      return Poll::done();
    }
    out.quiet(0);
    return Poll::waiting_until(env_.clock.now_us() + config_.monitor_us);
  }

  Status emit(std::size_t count, dataflow::SourceOutput& out) {
    const std::span<const formats::RecordView> records(records_.data() + next_record_, count);
    good_.clear();
    bad_.clear();
    SUPYO_TRY(decoder_->decode(records, builder_, &good_, bad_));
    const TimeUs now = env_.clock.now_us();
    for (const formats::BadRecord& b : bad_) {
      const std::string_view record = records[b.index];
      SUPYO_TRY(out.dead({.split = 0, .position = fmt::format("{}:{}", env::base_name(file_), offset_of(record)), .field = b.field, .reason = b.reason,
                          .raw = std::string(record.substr(0, 65536)), .produce_us = now}));
    }
    next_record_ += count;
    if (next_record_ == records_.size() && done_after_records_) finished_ = true;
    BatchPtr batch = config_.with_keys(builder_.finish(), keys_);
    if (!batch) return ok();
    std::vector<TimeUs> produce(batch->rows, now);
    return out.emit({.split = 0, .batch = std::move(batch), .produce_us = std::move(produce)});
  }

  FileSourceConfig config_;
  std::vector<Value> keys_;                     // of the current file
  dataflow::Split split_;
  env::Env env_;
  FileWalk walk_;
  std::unique_ptr<formats::Decoder> decoder_;
  BatchBuilder builder_;
  std::unique_ptr<env::File> open_;             // or
  std::unique_ptr<env::InputStream> unpacked_;  // of a compressed file: offsets are those of its contents
  std::unique_ptr<env::InputStream> stream_;
  std::string file_;                            // current or last file
  std::uint64_t resume_at_ = 0;
  std::string block_;                           // bytes of the file from block_offset_
  std::uint64_t block_offset_ = 0;
  std::uint64_t consumed_ = 0;                  // end of the last whole record in the block
  std::vector<formats::RecordView> records_;    // views into block_
  std::size_t next_record_ = 0;
  std::vector<std::uint32_t> good_;
  std::vector<formats::BadRecord> bad_;
  bool at_start_ = true;
  bool done_after_records_ = false;
  bool finished_ = false;
};

class FileSource final : public dataflow::Source {
 public:
  explicit FileSource(FileSourceConfig config) : config_(std::move(config)) {}
  std::string_view name() const override { return config_.table; }
  Result<std::vector<dataflow::Split>> splits() override { return std::vector<dataflow::Split>{{config_.table, ""}}; }
  bool bounded() const override { return config_.monitor_us == 0; }
  Result<std::unique_ptr<dataflow::SourceReader>> open(std::vector<dataflow::Split> splits, const env::Env& env) override {
    if (formats::is_parquet(config_.format.name)) return open_parquet_reader(config_, std::move(splits.at(0)), env);
    SUPYO_ASSIGN(auto decoder, formats::make_decoder(config_.format, config_.layout.data_schema(), config_.record_columns()));
    auto reader = std::make_unique<FileReader>(config_, std::move(splits.at(0)), env, std::move(decoder));
    SUPYO_TRY(reader->start());
    return reader;
  }

 private:
  FileSourceConfig config_;
};

}  // namespace

Status check_lines(const formats::FormatOptions& format) {
  if (format.name != "avro") return ok();
  return fail(ErrorCode::kUnsupported, "format 'avro' in files is not supported: it is for topics", "use parquet, or json");
}

Result<std::string> file_path(const catalog::TableDefinition& table, const std::string& base_directory) {
  const auto it = table.options.find("path");
  if (it == table.options.end() || it->second.empty()) return fail(ErrorCode::kMissingOption, "table '" + table.path.name + "' needs the option 'path'");
  std::string path = it->second;
  if (path.starts_with("file://")) path.erase(0, 7);
  if (path == "-") path = kStdin;
  if (!path.starts_with('/') && !base_directory.empty()) path = env::join_path(base_directory, path);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

catalog::ConnectorDescriptor file_descriptor() {
  using K = catalog::OptionSpec::Kind;
  catalog::ConnectorDescriptor d;
  d.name = "filesystem";
  d.options = {
      {.key = "path", .required = true, .help = "file or directory (file:// is fine), read in the order of names, numbers in them as numbers; .gz, .gzip, .deflate and .zst are unpacked; /dev/stdin or - reads what is piped in"},
      {.key = "source.monitor-interval", .kind = K::kDuration, .help = "look for new files in the directory this often, whatever their names; a file must be whole when it appears. Without it the input is bounded"},
      {.key = "source.path.regex-pattern", .help = "only files whose whole path matches this regular expression: '.*/part-.*'. The path is absolute where 'path' is"},
      {.key = "sink.rolling-policy.file-size", .kind = K::kBytes, .default_value = "128MB", .help = "start a new file at this size"},
      {.key = "sink.rolling-policy.rollover-interval", .kind = K::kDuration, .default_value = "10 s", .help = "start a new file when the open one is this old; rows are readable then"},
      {.key = "sink.rolling-policy.inactivity-interval", .kind = K::kDuration, .default_value = "30 min", .help = "accepted; a file is closed by its age, whether rows come or not"},
      {.key = "sink.rolling-policy.check-interval", .kind = K::kDuration, .default_value = "1 min", .help = "accepted; the age is looked at with every checkpoint"},
      {.key = "sink.parallelism", .kind = K::kInteger, .help = "accepted; the job's parallelism counts"},
      {.key = "partition.default-name", .default_value = "__HIVE_DEFAULT_PARTITION__", .help = "folder of a NULL or empty partition value"},
      {.key = "sink.partition-commit.policy.kind", .kind = K::kEnum, .allowed = {"success-file"}, .help = "success-file: a partition that is complete gets an empty file that says so"},
      {.key = "sink.partition-commit.success-file.name", .default_value = "_SUCCESS", .help = "its name"},
      {.key = "sink.partition-commit.trigger", .kind = K::kEnum, .default_value = "process-time", .allowed = {"process-time", "partition-time"}, .help = "complete when the partition is old enough by the clock, or when the watermark passed its own time"},
      {.key = "sink.partition-commit.delay", .kind = K::kDuration, .default_value = "0 s", .help = "and so much later: '1 min' for partitions of a minute"},
      {.key = "sink.partition-commit.watermark-time-zone", .default_value = "UTC", .help = "zone of the partition's time when the watermark comes from a TIMESTAMP_LTZ column"},
      {.key = "partition.time-extractor.kind", .kind = K::kEnum, .default_value = "default", .allowed = {"default"}, .help = "default: by the pattern"},
      {.key = "partition.time-extractor.timestamp-formatter", .kind = K::kEnum, .default_value = "yyyy-MM-dd HH:mm:ss", .allowed = {"yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd"}, .help = "how that time is read: a date, or a date and a time of day"},
      {.key = "partition.time-extractor.timestamp-pattern", .help = "time of a partition from its values: '$dt $hour:00:00'; without it the first value. Where that is no time, the partition is complete with the end of the input"},
  };
  d.source = d.sink = d.needs_format = true;
  d.guarantee = DeliveryGuarantee::kExactlyOnce;
  d.help = "files of text or Parquet in a directory";
  return d;
}

Result<std::shared_ptr<dataflow::Source>> make_file_source(const catalog::SourceRequest& request, const env::Env& env) {
  FileSourceConfig c;
  SUPYO_ASSIGN(c.path, file_path(request.table, request.base_directory));
  c.table = request.table.path.name;
  c.format = formats::format_of(request.table.options);
  SUPYO_ASSIGN(c.layout, PartitionLayout::of(request.table, request.table.schema()));
  c.columns = request.columns;
  for (const auto& [key, value] : c.format.options) c.header = c.header || (key == "header" && value == "true");
  if (const auto it = request.table.options.find("source.path.regex-pattern"); it != request.table.options.end()) {
    const re2::RE2 pattern(it->second, re2::RE2::Quiet);
    if (!pattern.ok()) return fail(ErrorCode::kBadOptionValue, fmt::format("'source.path.regex-pattern' is no regular expression: {}", pattern.error()), "'.*/part-.*\\.csv'");
    c.wanted = it->second;
  }
  if (const auto it = request.table.options.find("source.monitor-interval"); it != request.table.options.end()) {
    SUPYO_ASSIGN(c.monitor_us, parse_duration(it->second));
  }
  if (c.path != kStdin) {
    SUPYO_ASSIGN(const bool there, env.files.exists(c.path));
    if (!there) return fail(ErrorCode::kFileNotFound, "table '" + c.table + "': there is no file or directory " + c.path, "check 'path'; relative paths start at the SQL file's folder");
  }
  // Options are checked before the job starts.
  if (formats::is_parquet(c.format.name)) {
    SUPYO_TRY(formats::parquet_options(c.format, c.layout.data_schema()));
    if (c.path == kStdin) return fail(ErrorCode::kUnsupported, "Parquet from standard input is not supported: its table of contents is at the end", "name a file or a directory");
  } else {
    SUPYO_TRY(check_lines(c.format));
    SUPYO_TRY(formats::make_decoder(c.format, c.layout.data_schema(), c.record_columns()));
  }
  return std::make_shared<FileSource>(std::move(c));
}

}  // namespace supyo::connect
