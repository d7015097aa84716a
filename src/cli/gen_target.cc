#include "cli/gen_target.h"

#include <fmt/format.h>

#include <map>
#include <tuple>
#include <vector>

#include "connect/kafka/record_producer.h"
#include "core/base/hash.h"
#include "data/log/partition_writer.h"
#include "data/log/topic.h"

namespace supyo::cli {
namespace {

class StandardOutput final : public GenTarget {
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

class PlainFile final : public GenTarget {
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

/// Records of one key go to one partition, spread by the key's hash. One partition is one writer's: while this lives, nobody else writes to the topic.
class EmbeddedTopic final : public GenTarget {
 public:
  static Result<std::unique_ptr<GenTarget>> open(const env::Env& env, const std::string& directory, const std::string& name, workload::Ledger* ledger) {
    auto target = std::make_unique<EmbeddedTopic>();
    target->ledger_ = ledger;
    SUPYO_ASSIGN(const log::Topic topic, log::open_or_create_topic(env, directory, name, {}));
    for (std::int32_t p = 0; p < topic.config.partitions; ++p) {
      SUPYO_ASSIGN(auto writer, log::PartitionWriter::open(env, topic, PartitionId(p)));
      target->partitions_.push_back({.number = p, .writer = std::move(writer)});
    }
    return target;
  }
  Status add(const workload::GeneratedRecord& record) override {
    Partition& p = partitions_[shard_of(hash_bytes(record.key), static_cast<std::uint32_t>(partitions_.size()))];
    p.batch.add(record.due_us, record.key, record.value);
    if (ledger_ != nullptr) p.batch_ids.push_back(record.id);
    return p.batch.records() < kBatchRecords && p.batch.bytes() < kBatchBytes ? ok() : append(p);
  }
  /// Goes through all partitions, whatever happens in one: the first error is returned.
  Status flush() override {
    Status first = ok();
    for (Partition& p : partitions_)
      for (const Status& done : {append(p), sync(p)})
        if (!done && first) first = done;
    return first;
  }

 private:
  static constexpr std::size_t kBatchRecords = 1000, kBatchBytes = 1 << 20;
  struct Partition {
    std::int32_t number = 0;
    std::unique_ptr<log::PartitionWriter> writer;
    log::RecordBatch batch = {};
    std::vector<std::uint64_t> batch_ids = {}, appended_ids = {};   ///< not handed over yet; in the log, not acknowledged
  };

  Status note(workload::Outcome outcome, const Partition& p, std::vector<std::uint64_t>& ids, std::string_view why = {}) {
    const Status done = ledger_ == nullptr ? ok() : ledger_->record(outcome, p.number, ids, why);
    ids.clear();
    return done;
  }
  Status append(Partition& p) {
    if (p.batch.empty()) return ok();
    const auto appended = p.writer->append(p.batch);
    p.batch.clear();
    if (!appended) {
      // By the writer's contract nothing of it was appended.
      SUPYO_TRY(note(workload::Outcome::kFailed, p, p.batch_ids, error_name(appended.error().code)));
      return fail(appended.error());
    }
    p.appended_ids.insert(p.appended_ids.end(), p.batch_ids.begin(), p.batch_ids.end());
    p.batch_ids.clear();
    return ok();
  }
  Status sync(Partition& p) {
    const Status done = p.writer->flush();
    if (done) return note(workload::Outcome::kAcknowledged, p, p.appended_ids);
    SUPYO_TRY(note(workload::Outcome::kUnknown, p, p.appended_ids, error_name(done.error().code)));
    return done;
  }

  workload::Ledger* ledger_ = nullptr;
  std::vector<Partition> partitions_;
};

/// Records of one key go to one partition, as Java's clients choose it. A record that the cluster refuses is in the ledger, and no error here: the next one may be
/// taken. Without a ledger it is an error.
class KafkaTopic final : public GenTarget {
 public:
  static Result<std::unique_ptr<GenTarget>> open(const std::string& url, const connect::ClientProperties& properties, workload::Ledger* ledger) {
    const std::string_view rest = std::string_view(url).substr(std::string_view("kafka://").size());
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == rest.size() || rest.find('/', slash + 1) != std::string_view::npos)
      return fail(ErrorCode::kUsage, fmt::format("'{}' names no topic of a cluster", url), "--to kafka://host:port/topic, for example kafka://127.0.0.1:9092/events");
    auto target = std::make_unique<KafkaTopic>();
    target->ledger_ = ledger;
    SUPYO_ASSIGN(target->producer_, connect::RecordProducer::open({.servers = std::string(rest.substr(0, slash)), .topic = std::string(rest.substr(slash + 1)), .create_topic = true, .properties = properties}));
    return target;
  }
  Status add(const workload::GeneratedRecord& record) override {
    while (true) {
      SUPYO_ASSIGN(const bool taken, producer_->send(record.id, record.key, record.value, record.due_us));
      if (taken) break;
      SUPYO_TRY(take(kWait));   // its queue is full: the cluster decides how fast it goes
    }
    return ++unasked_ % kAskEvery == 0 ? take(0) : ok();
  }
  /// Live generators call this often; it takes what has come. The end waits for all, in finish().
  Status flush() override { return take(0); }
  /// Waits as long as answers come; what is not answered then is given up, and has its outcome by that.
  Status finish() override {
    DurationUs silent = 0;
    while (const std::size_t before = producer_->in_flight()) {
      if (silent >= kSilenceMax) producer_->give_up();
      SUPYO_TRY(take(kWait));
      silent = producer_->in_flight() < before ? 0 : silent + kWait;
    }
    return ok();
  }

 private:
  static constexpr DurationUs kWait = 100 * kMillisecond, kSilenceMax = 5 * kSecond;
  static constexpr std::uint64_t kAskEvery = 256;

  Status take(DurationUs wait_us) {
    std::map<std::tuple<workload::Outcome, std::int32_t, std::string>, std::vector<std::uint64_t>> by_outcome;
    for (connect::RecordReport& r : producer_->reports(wait_us)) {
      using From = connect::RecordReport::Outcome;
      const auto outcome = r.outcome == From::kAcknowledged ? workload::Outcome::kAcknowledged : r.outcome == From::kFailed ? workload::Outcome::kFailed : workload::Outcome::kUnknown;
      if (ledger_ == nullptr && outcome != workload::Outcome::kAcknowledged)
        return fail(ErrorCode::kOutsideUnavailable, fmt::format("the cluster did not take record {}: {}", r.id, r.why), "with --ledger FILE such records are counted, and the generator goes on");
      by_outcome[{outcome, r.partition, std::move(r.why)}].push_back(r.id);
    }
    if (ledger_ == nullptr) return ok();
    for (const auto& [key, ids] : by_outcome) SUPYO_TRY(ledger_->record(std::get<0>(key), std::get<1>(key), ids, std::get<2>(key)));
    return ok();
  }

  workload::Ledger* ledger_ = nullptr;
  std::unique_ptr<connect::RecordProducer> producer_;
  std::uint64_t unasked_ = 0;
};

}  // namespace

Result<std::unique_ptr<GenTarget>> open_gen_target(const Context& context, const std::string& to, workload::Ledger* ledger, const connect::ClientProperties& properties) {
  if (to.starts_with("kafka://")) return KafkaTopic::open(to, properties, ledger);
  if (!properties.empty()) return fail(ErrorCode::kUsage, fmt::format("'{}' is no Kafka cluster, so --property means nothing", to), "--to kafka://host:port/topic");
  if (to.starts_with("embedded:")) {
    const std::string path = to.substr(9);
    if (path.find('/') == std::string::npos || path.back() == '/')
      return fail(ErrorCode::kUsage, fmt::format("'{}' names no topic", to), "--to embedded:DIR/topic, for example embedded:/tmp/log/events");
    return EmbeddedTopic::open(context.env, env::parent_path(path), env::base_name(path), ledger);
  }
  if (ledger != nullptr) return fail(ErrorCode::kUsage, fmt::format("'{}' acknowledges nothing, so there is nothing to keep a ledger of", to), "--to embedded:DIR/topic");
  if (to == "-") return std::make_unique<StandardOutput>();
  SUPYO_ASSIGN(auto file, context.env.files.open(to, env::OpenMode::kCreateOrOpen));
  SUPYO_TRY(file->truncate(0));
  return std::make_unique<PlainFile>(std::move(file));
}

}  // namespace supyo::cli
