#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <optional>

#include "connect/jdbc/epoch_writer.h"
#include "connect/jdbc/jdbc.h"

namespace supyo::connect {
namespace {

using namespace jdbc;   // the room's own
using dataflow::CommitOutcome;
using dataflow::Poll;

constexpr DurationUs kPollInterval = kMillisecond;
constexpr DurationUs kIdle = 500;   // between looks at whether there is something to do

/// The thread that speaks to the database. One a sink; methods from any thread; the destructor waits for the call that runs.
class Worker {
 public:
  Worker(std::shared_ptr<const SinkConfig> config, dataflow::JobIdentity job, Epoch last_final, const env::Env& env)
      : config_(std::move(config)), writer_(*config_, std::move(job)), last_final_(last_final), env_(env) {
    thread_ = env_.threads->start("jdbc-sink", [this] { run(); });
  }
  ~Worker() {
    stop_.store(true, std::memory_order_relaxed);
    thread_.reset();   // joins
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Whether epochs may become final: the table is there and as it was declared.
  Result<bool> ready() {
    const std::lock_guard lock(mutex_);
    if (error_) return fail(*error_);
    return ready_;
  }
  /// Starts to write the epoch, or asks how it goes.
  Result<CommitOutcome> write(Epoch e, const std::vector<dataflow::CommitHandle>& handles) {
    const std::lock_guard lock(mutex_);
    if (error_) return fail(*error_);
    if (!job_) {
      job_ = {e, handles};
      return CommitOutcome::kPending;
    }
    if (!outcome_) return CommitOutcome::kPending;
    job_.reset();
    return *std::exchange(outcome_, std::nullopt);
  }

 private:
  void run() {
    if (Status done = work(); !done) {
      const std::lock_guard lock(mutex_);
      error_ = std::move(done).error();
    }
  }
  Status work() {
    SUPYO_TRY(again([&] { return writer_.open(last_final_); }));
    for (bool first = true; !stopped(); first = false) {
      const std::pair<Epoch, std::vector<dataflow::CommitHandle>>* job = nullptr;
      {
        const std::lock_guard lock(mutex_);
        if (first) ready_ = true;
        if (job_ && !outcome_) job = &*job_;   // stays until outcome_ is taken
      }
      if (job == nullptr) {
        env_.threads->idle(kIdle);
        continue;
      }
      CommitOutcome outcome = CommitOutcome::kUnknown;
      SUPYO_TRY(again([&]() -> Status {
        SUPYO_ASSIGN(outcome, writer_.write(job->first, job->second));
        return ok();
      }));
      const std::lock_guard lock(mutex_);
      if (outcome != CommitOutcome::kUnknown) outcome_ = outcome;
    }
    return ok();
  }
  /// As often as 'sink.max-retries' allows, with a pause that grows by a second each time, as Flink's. What became of an attempt that failed is looked at by the next one.
  template <class Attempt>
  Status again(Attempt attempt) {
    for (std::int64_t tried = 0;; ++tried) {
      Status done = attempt();
      if (done || !may_be_tried_again(done.error()) || tried >= config_->retries) return done;
      const TimeUs until = env_.clock.monotonic_us() + (tried + 1) * kSecond;
      while (env_.clock.monotonic_us() < until) {
        if (stopped()) return ok();
        env_.threads->idle(10 * kMillisecond);
      }
    }
  }
  bool stopped() const { return stop_.load(std::memory_order_relaxed); }

  std::shared_ptr<const SinkConfig> config_;
  EpochWriter writer_;   // of the thread
  Epoch last_final_;
  env::Env env_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::optional<std::pair<Epoch, std::vector<dataflow::CommitHandle>>> job_;   // asked for, or being written
  std::optional<CommitOutcome> outcome_;
  std::optional<Error> error_;
  bool ready_ = false;
  std::unique_ptr<env::Thread> thread_;   // last: joined before anything else goes
};

class Writer final : public dataflow::SinkWriter {
 public:
  Writer(std::shared_ptr<const SinkConfig> config, std::shared_ptr<Worker> worker, const env::Env& env) : config_(std::move(config)), worker_(std::move(worker)), env_(env), rows_(*config_) {}
  Status write(const BatchPtr& batch, Epoch) override {
    rows_.add(*batch);
    return ok();
  }
  Status begin_prepare(Epoch) override {
    prepared_ = rows_.take();
    return ok();
  }
  Result<dataflow::PolledPrepare> poll_prepare(Epoch) override {
    SUPYO_ASSIGN(const bool ready, worker_->ready());
    if (!ready) return dataflow::PolledPrepare{.done = false, .handle = {}, .poll = Poll::waiting_until(env_.clock.now_us() + kPollInterval)};
    return dataflow::PolledPrepare{.done = true, .handle = std::exchange(prepared_, {}), .poll = Poll::more()};
  }

 private:
  std::shared_ptr<const SinkConfig> config_;
  std::shared_ptr<Worker> worker_;
  env::Env env_;
  StagedRows rows_;
  std::string prepared_;
};

class Committer final : public dataflow::SinkCommitter {
 public:
  Committer(std::shared_ptr<Worker> worker, const dataflow::SinkOpen& open) : worker_(std::move(worker)), env_(open.env), faults_(open.faults) {}
  Result<dataflow::PolledCommit> poll_commit(Epoch e, const std::vector<dataflow::CommitHandle>& handles) override {
    const TimeUs now = env_.clock.now_us();
    const std::optional<TimeUs> until = gate_.wait_until(faults_, "jdbc.commit.before", now);
    if (!until) return fail(ErrorCode::kOutsideUnavailable, fmt::format("the commit of epoch {} failed by a fault point", e.value));
    if (now < *until) return dataflow::PolledCommit{.outcome = CommitOutcome::kPending, .poll = Poll::waiting_until(*until)};
    SUPYO_ASSIGN(const CommitOutcome outcome, worker_->write(e, handles));
    if (outcome != CommitOutcome::kPending) gate_.reset();
    return dataflow::PolledCommit{.outcome = outcome, .poll = Poll::waiting_until(now + kPollInterval)};
  }

 private:
  std::shared_ptr<Worker> worker_;
  env::Env env_;
  const FaultPoints& faults_;
  FaultGate gate_;
};

class JdbcSink final : public dataflow::Sink {
 public:
  JdbcSink(SinkConfig config, DeliveryGuarantee guarantee) : config_(std::make_shared<const SinkConfig>(std::move(config))), guarantee_(guarantee) {}
  std::string_view name() const override { return config_->where.name; }
  DeliveryGuarantee guarantee() const override { return guarantee_; }

  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen& open) override {
    if (open.env.threads == nullptr) return fail(ErrorCode::kUnsupported, fmt::format("table '{}': databases do not live in virtual time", config_->where.name));
    auto worker = std::make_shared<Worker>(config_, open.job, open.last_final, open.env);
    worker_ = worker;
    return std::make_unique<Committer>(std::move(worker), open);
  }
  Result<std::unique_ptr<dataflow::SinkWriter>> open_writer(const dataflow::SinkOpen& open, std::uint32_t) override {
    auto worker = worker_.lock();
    if (!worker) return fail(ErrorCode::kInternal, fmt::format("sink '{}': a writer was opened without a committer", config_->where.name));
    return std::make_unique<Writer>(config_, std::move(worker), open.env);
  }

 private:
  std::shared_ptr<const SinkConfig> config_;
  DeliveryGuarantee guarantee_;
  std::weak_ptr<Worker> worker_;   // owned by the committer and the writers: gone when the job's attempt ends
};

}  // namespace

Result<std::shared_ptr<dataflow::Sink>> make_jdbc_sink(const catalog::SinkRequest& request, const env::Env& env) {
  (void)env;
  const catalog::ConnectorDescriptor d = jdbc_descriptor();
  SinkConfig c;
  SUPYO_ASSIGN(c.where, where_of(request.table, request.base_directory));
  c.schema = request.schema;
  SUPYO_TRY(check_types(c.where, c.schema));
  for (const std::string& k : request.table.primary_key)
    if (const auto i = c.schema.find(k)) c.key.push_back(*i);
  const auto number = [&](std::string_view key, std::int64_t least, std::int64_t most) -> Result<std::int64_t> {
    const std::int64_t n = catalog::option_integer(request.table.options, d, key);
    if (n < least || n > most) return fail(ErrorCode::kBadOptionValue, fmt::format("table '{}': '{}' is {}", request.table.path.name, key, n), fmt::format("{} to {}", least, most));
    return n;
  };
  SUPYO_ASSIGN(c.retries, number("sink.max-retries", 0, 1000));
  SUPYO_ASSIGN(const std::int64_t rows, number("sink.buffer-flush.max-rows", 0, 1'000'000));
  c.rows_at_once = rows == 0 ? 100 : static_cast<std::size_t>(rows);   // 0: as Flink has it, no bound
  const bool asked_for_less = catalog::option_text(request.table.options, d, "sink.delivery-guarantee") == "at-least-once";
  c.marks_epochs = c.key.empty() && !asked_for_less;
  const DeliveryGuarantee guarantee = asked_for_less ? DeliveryGuarantee::kAtLeastOnce : c.key.empty() ? DeliveryGuarantee::kExactlyOnce : DeliveryGuarantee::kEffectivelyOnce;
  return std::make_shared<JdbcSink>(std::move(c), guarantee);
}

}  // namespace supyo::connect
