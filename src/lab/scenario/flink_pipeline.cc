#include "lab/scenario/flink_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <optional>

#include "connect/kafka/admin.h"
#include "connect/kafka/kafka.h"
#include "judge/slo/lag_rules.h"
#include "lab/scenario/group/group_watch.h"
#include "lab/scenario/own_columns.h"
#include "lab/scenario/replica/real_client.h"
#include "lab/scenario/stream/flink_cluster.h"
#include "lab/scenario/stream/flink_watch.h"
#include "lab/scenario/table_ids.h"
#include "lab/scenario/table_watch.h"

namespace supyo::scenario {
namespace {

using Outcome = connect::RecordReport::Outcome;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr DurationUs kTurn = 5 * kMillisecond, kLook = 200 * kMillisecond;
constexpr DurationUs kSubmit = 3 * kMinute, kComesUp = 3 * kMinute, kAcknowledge = 30 * kSecond, kQuiet = 3 * kSecond;

/// A point where the embedded pipeline can be hurt, and the file by which SlowStore does the same to a table of Flink's.
struct StorePoint {
  std::string_view point, file;
  DurationUs delay_us = 0;
};

/// One Flink for both arms, each with a job and a slot of its own.
struct SharedFlink {
  std::mutex mutex;
  std::unique_ptr<FlinkCluster> cluster;
};

class FlinkPipeline final : public PipelineUnderTest, public OwnColumns {
 public:
  FlinkPipeline(const ArmSetup& setup, const RunOptions& options, std::shared_ptr<SharedFlink> flink)
      : env_(setup.env), setup_(setup), options_(options), flink_(std::move(flink)), prefix_(lab_topic_name(setup.env, env::base_name(setup.directory)) + "-") {}
  /// However it ended, nothing of it stays on the cluster.
  ~FlinkPipeline() override {
    watch_.reset();
    groups_.reset();
    producer_.reset();
    flink_.reset();
    if (!admin_) return;
    (void)admin_->delete_topic(topic());
    (void)admin_->delete_group(group());
  }
  FlinkPipeline(const FlinkPipeline&) = delete;
  FlinkPipeline& operator=(const FlinkPipeline&) = delete;

  Status begin() {
    const std::string& servers = options_.cluster->servers;
    SUPYO_TRY(env_.files.create_directories(env::join_path(setup_.directory, "slow")));
    SUPYO_ASSIGN(admin_, connect::KafkaAdmin::open(servers));
    SUPYO_TRY(admin_->create_topic(topic(), 1, -1, {}));
    {
      const std::lock_guard lock(flink_->mutex);
      SUPYO_ASSIGN(job_, flink_->cluster->submit(setup_.sql, {{"SERVERS", servers}, {"PREFIX", prefix_}, {"DATA", setup_.directory}}, setup_.settings, kSubmit));
    }
    watch_ = std::make_unique<FlinkWatch>(env_, *flink_->cluster, job_, kLook);
    SUPYO_ASSIGN(groups_, GroupWatch::start(env_, {.servers = servers, .groups = {{group(), {topic(), 1}}}, .every_us = kLook}));
    for (const TimeUs limit = now() + kComesUp; watch_->seen().state != "RUNNING" || watch_->seen().completed == 0; env_.threads->idle(kTurn)) {
      SUPYO_TRY(options_.go_on());
      if (now() > limit) return fail(ErrorCode::kJobFailed, fmt::format("Flink's job is {} after {} s, with {} checkpoints", watch_->seen().state, kComesUp / kSecond, watch_->seen().completed), "--keep keeps Flink's logs");
    }
    SUPYO_ASSIGN(producer_, open_producer(env_, {.servers = servers, .topic = topic()}));
    table_ = std::make_unique<TableWatch>(env_, TableWatch::Options{location(), setup_.result_id, "event_time", setup_.observer, [this]() -> Result<std::vector<FlinkCluster::Checkpoint>> {
      SUPYO_ASSIGN(const auto job, flink_->cluster->look(job_));   // the watch may be behind
      return job.checkpoints;
    }});
    // From outside a record is taken once the brokers have it; rows leave when the watermark passes them.
    failed_ = watch_->seen().failed;
    setup_.observer.started({.holds_until_watermark = true, .source_splits = 1}, now());
    return ok();
  }

  Status append(std::span<const workload::GeneratedRecord> records) override {
    const TimeUs limit = env_.clock.monotonic_us() + kAcknowledge;
    std::size_t missing = 0;
    const auto take_reports = [&](DurationUs wait) {
      for (const auto& report : producer_->reports(wait)) missing += report.outcome == Outcome::kAcknowledged ? 0 : 1;
    };
    for (const workload::GeneratedRecord& r : records) {
      for (bool taken = false; !taken;) {
        SUPYO_ASSIGN(taken, producer_->send(sent_, r.key, r.value, r.due_us));
        if (!taken) take_reports(kTurn);
      }
      ++sent_;
    }
    while (producer_->in_flight() > 0 && env_.clock.monotonic_us() < limit) take_reports(kTurn);
    if (producer_->in_flight() > 0) {
      producer_->give_up();
      take_reports(0);
    }
    if (missing > 0) return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} of {} records were not acknowledged", missing, records.size()));
    table_->acknowledged(records);
    return ok();
  }

  Result<Step> step() override {
    if (drain_error_) return fail(*drain_error_);
    const FlinkCluster::Job job = watch_->seen();
    if (job.state == "FAILED" || job.state == "CANCELED" || job.restarts > 0)
      return fail(ErrorCode::kJobFailed, fmt::format("Flink's job is {}, with {} restarts", job.state, job.restarts), "--keep keeps Flink's logs");
    SUPYO_TRY(hurt());
    table_->began(job.checkpoints);
    for (; failed_ < job.failed; ++failed_) table_->failed();
    tell_lags();
    SUPYO_TRY(table_->look());
    if (job.state != "FINISHED") ended_us_ = now();
    else if (table_->unseen() == 0 || now() - ended_us_ > kQuiet) return Step{Step::State::kDone};
    return Step{Step::State::kWaiting, now() + kTurn};
  }

  void drain() override {
    const std::lock_guard lock(flink_->mutex);
    if (const Status s = flink_->cluster->stop_with_drain(job_); !s) drain_error_ = s.error();
  }

  Result<std::uint64_t> readable_rows() override { return table_->rows(); }
  Result<Applied> applied() override { return read_ids(env_.files, location(), setup_.result_id); }
  Status retain() override { return ok(); }
  std::vector<std::pair<std::string, double>> sampled() override {
    const auto pending = watch_->seen().pending;
    return {{"lag_fetched", pending ? static_cast<double>(*pending) : kNaN}, {"burrow", static_cast<double>(burrow_.status(now()))}, {"snapshot_stamp_age", table_->stamp_age_s()}};
  }

 private:
  TimeUs now() const { return env_.clock.now_us(); }   // event times are of this clock, too
  std::string topic() const { return prefix_ + setup_.topic_name; }
  std::string group() const { return prefix_ + "job"; }
  std::string location() const { return table_location(env::join_path(setup_.directory, "warehouse"), setup_.result_table); }

  /// The store beneath the table is as slow as the scenario's fault says.
  Status hurt() {
    for (StorePoint& p : points_) {
      const DurationUs delay = setup_.faults.at(p.point, now()).delay_us;
      if (delay == p.delay_us) continue;
      const std::string file = env::join_path(setup_.directory, fmt::format("slow/{}", p.file));
      SUPYO_TRY(delay > 0 ? env_.files.write_atomically(file, std::to_string(delay / kMillisecond)) : env_.files.remove(file));
      p.delay_us = delay;
    }
    return ok();
  }

  /// By the brokers. What they have counts as taken already, so nothing is unread here; what Flink has not fetched is a column of its own.
  void tell_lags() {
    if (now() < next_lags_us_) return;
    next_lags_us_ = now() + kLook;
    const GroupWatch::Seen seen = groups_->seen(group());
    const auto lag = static_cast<std::uint64_t>(std::max<std::int64_t>(0, seen.end - seen.committed));
    setup_.observer.lags(0, lag, 0, true, now());
    burrow_.end(now(), static_cast<std::uint64_t>(std::max<std::int64_t>(0, seen.end)));
    if (seen.committed == committed_) return;
    committed_ = seen.committed;
    burrow_.committed(now(), static_cast<std::uint64_t>(committed_));
  }

  env::Env env_;
  ArmSetup setup_;
  const RunOptions& options_;
  std::shared_ptr<SharedFlink> flink_;
  std::string prefix_, job_;
  std::unique_ptr<connect::KafkaAdmin> admin_;
  std::unique_ptr<FlinkWatch> watch_;
  std::unique_ptr<GroupWatch> groups_;
  std::unique_ptr<connect::RecordProducer> producer_;
  std::optional<Error> drain_error_;
  std::vector<StorePoint> points_ = {{"iceberg.commit.before", "commit"}, {"iceberg.write.before", "write"}};
  std::uint64_t sent_ = 0;
  std::unique_ptr<TableWatch> table_;
  std::int64_t failed_ = 0;
  TimeUs ended_us_ = 0, next_lags_us_ = 0;
  std::int64_t committed_ = 0;
  slo::BurrowPartition burrow_;
};

class FlinkBench final : public Bench {
 public:
  FlinkBench(const env::Env& env, const RunOptions& options) : env_(env), options_(options) {}

  Result<std::unique_ptr<PipelineUnderTest>> start(const ArmSetup& setup) override {
    if (setup.stepped || env_.threads == nullptr) return fail(ErrorCode::kNotAllowed, "a real Flink knows real time only");
    SUPYO_ASSIGN(auto flink, shared());
    auto p = std::make_unique<FlinkPipeline>(setup, options_, std::move(flink));
    SUPYO_TRY(p->begin());
    return p;
  }

  std::map<std::string, std::string> versions() const override {
    std::map<std::string, std::string> out = options_.cluster->versions;
    if (const auto flink = FlinkCluster::versions(env_.files, options_.flink, true)) out.insert(flink->begin(), flink->end());
    out.insert({{"supyo", SUPYO_VERSION}, {"client", connect::kafka_client_version()}, {"engine", "Flink, one cluster for both arms"}, {"table", "Iceberg v2, hadoop catalog, read with Supyo's own reader"}});
    return out;
  }

 private:
  Result<std::shared_ptr<SharedFlink>> shared() {
    const std::lock_guard lock(mutex_);
    if (auto there = flink_.lock()) return there;
    auto flink = std::make_shared<SharedFlink>();
    SUPYO_ASSIGN(flink->cluster, FlinkCluster::start(env_, {.flink = options_.flink, .directory = env::join_path(options_.directory, "flink"), .tables = true}));
    flink_ = flink;
    return flink;
  }

  env::Env env_;
  RunOptions options_;
  std::mutex mutex_;
  std::weak_ptr<SharedFlink> flink_;
};

}  // namespace

std::unique_ptr<Bench> make_flink_bench(const env::Env& env, const RunOptions& options) { return std::make_unique<FlinkBench>(env, options); }

}  // namespace supyo::scenario
