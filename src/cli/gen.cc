#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/signals.h"
#include "core/base/duration.h"
#include "core/base/hash.h"
#include "data/log/partition_writer.h"
#include "data/log/topic.h"
#include "data/types/value.h"
#include "lab/workload/generator.h"

/// supyo gen DOMAIN: the event generator of the labs, by hand.
namespace supyo::cli {
namespace {

struct GenOptions {
  std::string domain, to = "-", disorder = "0s", truth, bound, start;
  workload::GeneratorOptions generator;
  bool live = false;
  bool json = false;
};

/// Where records go.
class Target {
 public:
  virtual ~Target() = default;
  virtual Status add(const workload::GeneratedRecord& record) = 0;
  /// What was added is there for readers when it returns.
  virtual Status flush() = 0;
};

class StandardOutput final : public Target {
 public:
  Status add(const workload::GeneratedRecord& record) override {
    lines_ += record.value;
    lines_ += '\n';
    return lines_.size() < kBlock ? ok() : flush();
  }
  Status flush() override {
    write_out(lines_);
    lines_.clear();
    return ok();
  }

 private:
  static constexpr std::size_t kBlock = 64 << 10;
  std::string lines_;
};

class PlainFile final : public Target {
 public:
  explicit PlainFile(std::unique_ptr<env::File> file) : file_(std::move(file)) {}
  Status add(const workload::GeneratedRecord& record) override {
    lines_ += record.value;
    lines_ += '\n';
    return lines_.size() < kBlock ? ok() : write();
  }
  Status flush() override {
    SUPYO_TRY(write());
    return file_->sync();
  }

 private:
  static constexpr std::size_t kBlock = 1 << 20;
  Status write() {
    SUPYO_TRY(file_->write_at(written_, lines_));
    written_ += lines_.size();
    lines_.clear();
    return ok();
  }
  std::unique_ptr<env::File> file_;
  std::uint64_t written_ = 0;
  std::string lines_;
};

/// Records of one key go to one partition, spread by the key's hash.
class EmbeddedTopic final : public Target {
 public:
  static Result<std::unique_ptr<Target>> open(const env::Env& env, const std::string& directory, const std::string& name) {
    auto target = std::make_unique<EmbeddedTopic>();
    SUPYO_ASSIGN(const log::Topic topic, log::open_or_create_topic(env, directory, name, {}));
    for (std::int32_t p = 0; p < topic.config.partitions; ++p) {
      SUPYO_ASSIGN(auto writer, log::PartitionWriter::open(env, topic, PartitionId(p)));
      target->writers_.push_back(std::move(writer));
    }
    target->batches_.resize(target->writers_.size());
    return target;
  }
  Status add(const workload::GeneratedRecord& record) override {
    const std::uint32_t p = shard_of(hash_bytes(record.key), static_cast<std::uint32_t>(writers_.size()));
    batches_[p].add(record.due_us, record.key, record.value);
    return batches_[p].records() < kBatch ? ok() : append(p);
  }
  Status flush() override {
    for (std::size_t p = 0; p < writers_.size(); ++p) {
      SUPYO_TRY(append(p));
      SUPYO_TRY(writers_[p]->flush());
    }
    return ok();
  }

 private:
  static constexpr std::size_t kBatch = 1000;
  Status append(std::size_t p) {
    if (batches_[p].empty()) return ok();
    SUPYO_TRY(writers_[p]->append(batches_[p]));
    batches_[p].clear();
    return ok();
  }
  std::vector<std::unique_ptr<log::PartitionWriter>> writers_;
  std::vector<log::RecordBatch> batches_;
};

Result<std::unique_ptr<Target>> open_target(Context& context, const std::string& to) {
  if (to == "-") return std::make_unique<StandardOutput>();
  if (to.starts_with("kafka://"))
    return fail(ErrorCode::kUnsupported, "a Kafka cluster is not a target yet", "--to embedded:DIR/topic, a file, or - and pipe it into a client of the cluster");
  if (to.starts_with("embedded:")) {
    const std::string path = to.substr(9);
    if (path.find('/') == std::string::npos || path.back() == '/')
      return fail(ErrorCode::kUsage, fmt::format("'{}' names no topic", to), "--to embedded:DIR/topic, for example embedded:/tmp/log/events");
    return EmbeddedTopic::open(context.env, env::parent_path(path), env::base_name(path));
  }
  SUPYO_ASSIGN(auto file, context.env.files.open(to, env::OpenMode::kCreateOrOpen));
  SUPYO_TRY(file->truncate(0));
  return std::make_unique<PlainFile>(std::move(file));
}

class Generation {
 public:
  Generation(Context& context, const GenOptions& options) : context_(context), options_(options) {}

  Status run() {
    workload::GeneratorOptions generator_options = options_.generator;
    SUPYO_ASSIGN(generator_options.disorder_us, parse_duration(options_.disorder));
    if (options_.live) {
      generator_options.start_us = context_.env.clock.now_us();
    } else if (!options_.start.empty()) {
      SUPYO_ASSIGN(generator_options.start_us, parse_timestamp(options_.start));
    }
    if (!options_.live && generator_options.count == 0 && options_.to != "-")
      return fail(ErrorCode::kUsage, "without --count this never ends, as fast as the disk takes it", "--count N, or --live: one record when it is due, until Ctrl-C");
    SUPYO_ASSIGN(auto generator, workload::make_generator(options_.domain, generator_options));
    if (!options_.truth.empty()) {
      DurationUs bound = generator_options.disorder_us;
      if (!options_.bound.empty()) {
        SUPYO_ASSIGN(bound, parse_duration(options_.bound));
      }
      generator->track_truth(bound);
    }
    SUPYO_ASSIGN(auto target, open_target(context_, options_.to));
    SUPYO_TRY(pump(*generator, *target));
    if (options_.truth.empty()) return ok();
    return context_.env.files.write_atomically(options_.truth, generator->truth());
  }

  std::uint64_t records() const { return records_; }

 private:
  Status pump(workload::Generator& generator, Target& target) {
    workload::GeneratedRecord record;
    const TimeUs begin = context_.env.clock.monotonic_us();
    TimeUs shown = begin;
    while (!stop_requested() && generator.next(record)) {
      if (options_.live) SUPYO_TRY(wait_until(record.due_us, target));
      if (stop_requested()) break;
      SUPYO_TRY(target.add(record));
      if (++records_ % 4096 == 0) progress(begin, shown);
    }
    if (shown != begin) write_error("\r\x1b[K");
    return target.flush();
  }

  /// Readers see what is due before we sleep. At high rates one flush covers what becomes due in a few milliseconds: a sync a record would keep the disk
  /// from everybody who commits on it.
  Status wait_until(TimeUs due, Target& target) {
    const env::Clock& clock = context_.env.clock;
    if (clock.now_us() >= due) return ok();
    wait_for(flushed_us_ + kFlushInterval);
    if (stop_requested()) return ok();
    SUPYO_TRY(target.flush());
    flushed_us_ = clock.now_us();
    wait_for(due);
    return ok();
  }

  void wait_for(TimeUs when) const {
    while (!stop_requested()) {
      const DurationUs left = when - context_.env.clock.now_us();
      if (left <= 0) return;
      context_.env.threads->idle(std::min<DurationUs>(left, 50 * kMillisecond));
    }
  }

  void progress(TimeUs begin, TimeUs& shown) const {
    const TimeUs now = context_.env.clock.monotonic_us();
    if (!context_.error_is_terminal || options_.json || now - begin < 2 * kSecond || now - shown < kSecond / 2) return;
    shown = now;
    const double rate = static_cast<double>(records_) / (static_cast<double>(now - begin) / kSecond);
    std::string line = fmt::format("\r\x1b[K{} records, {}/s", grouped(records_), grouped(static_cast<std::uint64_t>(rate)));
    const std::uint64_t count = options_.generator.count;
    if (count > records_ && !options_.live) line += fmt::format(", {} left", human_duration(static_cast<DurationUs>(static_cast<double>(count - records_) / rate * kSecond)));
    write_error(line);
  }

  Context& context_;
  const GenOptions& options_;
  static constexpr DurationUs kFlushInterval = 5 * kMillisecond;
  TimeUs flushed_us_ = 0;
  std::uint64_t records_ = 0;
};

int run_gen(Context& context, const GenOptions& options) {
  Generation generation(context, options);
  const Status done = generation.run();
  if (!done) return report(done.error());
  if (options.to == "-") return kFine;
  if (options.json) write_out(fmt::format("{{\"records\":{},\"to\":{}}}\n", generation.records(), json_string(options.to)));
  else write_error(fmt::format("{} records to {}\n", grouped(generation.records()), options.to));
  return kFine;
}

}  // namespace

void add_gen(CLI::App& app, Context& context, int& result) {
  auto options = std::make_shared<GenOptions>();
  CLI::App* sub = app.add_subcommand("gen", "generate events: the same seed gives the same bytes");
  sub->add_option("DOMAIN", options->domain, "what happens: product")->required();
  sub->add_option("--tps", options->generator.tps, "events a second, in event time");
  sub->add_option("--count", options->generator.count, "so many events; without it no end");
  sub->add_option("--seed", options->generator.seed, "seed");
  sub->add_option("--keys", options->generator.keys, "how many products");
  sub->add_option("--duplicates", options->generator.duplicates, "share of events that are sent twice, 0 to 1");
  sub->add_option("--disorder", options->disorder, "events are sent up to so long after they happened");
  sub->add_option("--late", options->generator.late, "share of events that are sent later than that, 0 to 1");
  sub->add_flag("--resend", options->generator.resend, "the producer restarts now and then and sends its last events again");
  sub->add_option("--start", options->start, "event time of the first event: '2026-01-01 00:00:00'");
  sub->add_flag("--live", options->live, "from now on, each event when it is due, until --count or Ctrl-C");
  sub->add_option("--to", options->to, "- (standard output), a file, or embedded:DIR/topic");
  sub->add_option("--truth", options->truth, "write the results that the example pipeline must give to this file");
  sub->add_option("--bound", options->bound, "watermark bound of that pipeline; by default --disorder");
  sub->add_flag("--json", options->json, "what was done as one JSON document");
  sub->footer("Example:\n  supyo gen product --count 3 --seed 7\n  supyo gen product --tps 2000 --count 10000 --disorder 1s --to embedded:/tmp/supyo-log/events");
  sub->callback([options, &context, &result] { result = run_gen(context, *options); });
}

}  // namespace supyo::cli
