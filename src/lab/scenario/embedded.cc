#include <mutex>
#include <optional>

#include "data/log/partition_writer.h"
#include "data/log/topic.h"
#include "engine/job/engine.h"
#include "lab/scenario/bench.h"
#include "lab/scenario/table_ids.h"

namespace supyo::scenario {
namespace {

class EmbeddedPipeline final : public PipelineUnderTest {
 public:
  explicit EmbeddedPipeline(const ArmSetup& setup) : env_(setup.env), setup_(setup) {}
  ~EmbeddedPipeline() override {
    // A job that still runs is stopped and waited for before what it points at goes.
    if (thread_ != nullptr && runner_ != nullptr) runner_->stop();
    thread_.reset();
  }

  Status begin() {
    variables_ = {{"DATA", setup_.directory}};
    log::TopicConfig config;
    // The lab reads its input once: what is ten minutes old can go, so that the log stays small.
    config.segment_bytes = 16 << 20;
    config.retention_ms = 10 * 60 * 1000;
    SUPYO_ASSIGN(const log::Topic topic, log::open_or_create_topic(env_, env::join_path(setup_.directory, "log"), setup_.topic_name, config));
    SUPYO_ASSIGN(writer_, log::PartitionWriter::open(env_, topic, PartitionId{0}));
    job::EngineOptions options;
    options.base_directory = setup_.directory;
    options.state_dir = env::join_path(setup_.directory, "state");
    options.settings = setup_.settings;
    options.observer = &setup_.observer;
    options.faults = &setup_.faults;
    options.costs = {setup_.journal_sync_us, setup_.sink_commit_us};
    options.seed = setup_.seed;
    SUPYO_ASSIGN(engine_, job::Engine::create(env_, std::move(options)));
    SUPYO_ASSIGN(const plan::Job job, engine_->load(setup_.sql, variables_));
    SUPYO_ASSIGN(runner_, engine_->start(job));
    if (setup_.stepped) return ok();
    if (env_.threads == nullptr) return fail(ErrorCode::kNotAllowed, "a lab in real time needs threads");
    thread_ = env_.threads->start("lab-job", [this] {
      auto result = runner_->run();
      const std::lock_guard lock(mutex_);
      if (!result) error_ = result.error();
      ended_ = true;
    });
    return ok();
  }

  Status append(std::span<const workload::GeneratedRecord> records) override {
    batch_.clear();
    for (const workload::GeneratedRecord& r : records) batch_.add(r.due_us, std::string_view(r.key), std::string_view(r.value));
    SUPYO_TRY(writer_->append(batch_));
    return writer_->flush();
  }

  Result<Step> step() override {
    if (setup_.stepped) {
      SUPYO_ASSIGN(const dataflow::Poll poll, runner_->step());
      if (poll.progress == dataflow::Progress::kDone) return Step{Step::State::kDone};
      if (poll.progress == dataflow::Progress::kMore) return Step{Step::State::kMore};
      return Step{Step::State::kWaiting, poll.until_us};
    }
    const std::lock_guard lock(mutex_);
    if (error_) return fail(*error_);
    return Step{ended_ ? Step::State::kDone : Step::State::kWaiting};
  }

  void drain() override { runner_->drain(); }

  Result<std::uint64_t> readable_rows() override {
    const std::string location = table_location();
    // The version hint changes with every commit; only then is the metadata read again.
    auto hint = env_.files.read_all(env::join_path(location, "metadata/version-hint.text"));
    if (!hint) return rows_;
    if (*hint == hint_) return rows_;
    SUPYO_ASSIGN(rows_, table_rows(env_.files, location));
    hint_ = *hint;
    return rows_;
  }

  Result<Applied> applied() override { return read_ids(env_.files, table_location(), setup_.result_id); }

  Status retain() override {
    SUPYO_TRY(writer_->retain());
    return ok();
  }

 private:
  std::string table_location() const { return scenario::table_location(env::join_path(setup_.directory, "warehouse"), setup_.result_table); }

  env::Env env_;
  ArmSetup setup_;
  std::map<std::string, std::string> variables_;
  log::RecordBatch batch_;
  std::unique_ptr<log::PartitionWriter> writer_;
  std::unique_ptr<job::Engine> engine_;
  std::unique_ptr<runtime::JobRunner> runner_;
  std::mutex mutex_;
  bool ended_ = false;
  std::optional<Error> error_;
  std::unique_ptr<env::Thread> thread_;
  std::string hint_;
  std::uint64_t rows_ = 0;
};

class EmbeddedBench final : public Bench {
 public:
  Result<std::unique_ptr<PipelineUnderTest>> start(const ArmSetup& setup) override {
    auto p = std::make_unique<EmbeddedPipeline>(setup);
    SUPYO_TRY(p->begin());
    return p;
  }
  std::map<std::string, std::string> versions() const override {
    return {{"supyo", SUPYO_VERSION}, {"compiler", __VERSION__}, {"log", "embedded"}, {"engine", "embedded"}, {"table", "Iceberg v2, path-based catalog"}};
  }
};

}  // namespace

std::unique_ptr<Bench> make_embedded_bench() { return std::make_unique<EmbeddedBench>(); }

}  // namespace supyo::scenario
