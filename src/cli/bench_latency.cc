#include <fmt/format.h>

#include <algorithm>

#include "cli/bench.h"
#include "cli/signals.h"
#include "core/env/processes.h"
#include "data/log/partition_reader.h"
#include "data/types/value.h"

namespace supyo::cli {
namespace {

constexpr DurationUs kWarmUp = 3 * kSecond;   // caches, the first segments, the first snapshot
constexpr DurationUs kStartLimit = 20 * kSecond;
constexpr DurationUs kPoll = 500;             // how often this reader asks
constexpr std::uint64_t kEvery = 20;          // one row in so many is timed: the reader shall not take the processor from what it measures

std::string table(const std::string& directory, std::string_view name, std::string_view topic, std::string_view options) {
  return fmt::format(
      "CREATE TABLE {} (event_id BIGINT, product_id STRING, price BIGINT, ingest_time TIMESTAMP(3)) WITH ('connector'='kafka', 'topic'='{}', "
      "'properties.bootstrap.servers'='embedded:{}/log', 'format'='json', {});\n",
      name, topic, directory, options);
}

/// When the row was due: the time that the generator wrote into it.
Result<TimeUs> due_of(std::string_view row) {
  constexpr std::string_view kField = "\"ingest_time\":\"";
  const std::size_t at = row.find(kField);
  if (at == std::string_view::npos) return fail(ErrorCode::kInternal, fmt::format("a copied row has no ingest_time: {}", row), "this is a bug: please report it");
  const std::string_view rest = row.substr(at + kField.size());
  return parse_timestamp(rest.substr(0, rest.find('"')));
}

class LatencyBench {
 public:
  LatencyBench(const Context& context, const LatencyOptions& options, std::string directory)
      : env_(context.env), options_(options), directory_(std::move(directory)) {}

  Result<LatencyRun> run() {
    SUPYO_TRY(start());
    SUPYO_ASSIGN(std::vector<DurationUs> latencies, read_for(options_.for_us));
    for (const auto& process : {job_.get(), generator_.get()}) SUPYO_TRY(process->signal(env::ProcessSignal::kInterrupt));
    const double wanted = options_.rate * (static_cast<double>(options_.for_us) / kSecond);
    if (static_cast<double>(latencies.size() * kEvery) < 0.9 * wanted)
      return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} of {:.0f} rows arrived: the job does not keep up, so there is no latency to state", latencies.size() * kEvery, wanted),
                  "give a lower --rate, or a longer --epoch");
    std::ranges::sort(latencies);
    const auto at = [&](std::size_t percent) { return static_cast<double>(latencies[std::min(latencies.size() - 1, latencies.size() * percent / 100)]) / kMillisecond; };
    return LatencyRun{.p50_ms = at(50), .p95_ms = at(95), .p99_ms = at(99), .max_ms = static_cast<double>(latencies.back()) / kMillisecond};
  }

 private:
  Status start() {
    SUPYO_ASSIGN(const std::string supyo, env_.processes->own_program());
    SUPYO_TRY(env_.files.create_directories(directory_));
    const std::string sql = fmt::format("SET 'execution.checkpointing.interval' = '{}';\n", options_.epoch) +
                            table(directory_, "i", "in", "'scan.startup.mode'='earliest-offset'") +
                            table(directory_, "o", "out", "'sink.delivery-guarantee'='exactly-once', 'sink.transactional-id-prefix'='latency'") +
                            "INSERT INTO o SELECT * FROM i;\n";
    SUPYO_TRY(env_.files.write_atomically(env::join_path(directory_, "copy.sql"), sql));
    SUPYO_ASSIGN(generator_, launch({supyo, "gen", "product", "--live", "--tps", std::to_string(options_.rate), "--to", fmt::format("embedded:{}/log/in", directory_)}));
    SUPYO_TRY(wait_for_topic("in", *generator_));
    SUPYO_ASSIGN(job_, launch({supyo, "run", env::join_path(directory_, "copy.sql"), "--state", env::join_path(directory_, "state")}));
    return wait_for_topic("out", *job_);
  }

  Result<std::unique_ptr<env::Process>> launch(std::vector<std::string> arguments) {
    const auto log = env::ProgramOutput::to_file(env::join_path(directory_, "log.txt"));
    return env_.processes->start({.arguments = std::move(arguments), .out = log, .error = log});
  }

  Status check(env::Process& process) {
    if (stop_requested()) return fail(ErrorCode::kCancelled, "stopped: nothing is left behind");
    SUPYO_ASSIGN(const auto exit, process.poll());
    if (!exit) return ok();
    const auto log = env_.files.read_all(env::join_path(directory_, "log.txt"));
    return fail(ErrorCode::kOutsideUnavailable, fmt::format("a process of the bench ended with status {}: {}", exit->status, log ? log->substr(0, 2000) : ""));
  }

  Status wait_for_topic(std::string_view name, env::Process& process) {
    const TimeUs begin = env_.clock.monotonic_us();
    while (true) {
      SUPYO_ASSIGN(const bool there, env_.files.exists(fmt::format("{}/log/{}/topic", directory_, name)));
      if (there) return ok();
      SUPYO_TRY(check(process));
      if (env_.clock.monotonic_us() - begin > kStartLimit) return fail(ErrorCode::kOutsideUnavailable, fmt::format("topic {} did not appear within {}", name, human_duration(kStartLimit)));
      env_.threads->idle(10 * kMillisecond);
    }
  }

  /// Latencies of one row in kEvery that became visible in `for_us` after the warm-up.
  Result<std::vector<DurationUs>> read_for(DurationUs for_us) {
    SUPYO_ASSIGN(const log::Topic topic, log::open_topic(env_.files, env::join_path(directory_, "log"), "out"));
    SUPYO_ASSIGN(auto reader, log::PartitionReader::open(env_.files, topic, PartitionId(0), {}));
    std::vector<DurationUs> latencies;
    std::uint64_t seen = 0;
    const TimeUs warm = env_.clock.monotonic_us() + kWarmUp, end = warm + for_us;
    while (env_.clock.monotonic_us() < end) {
      SUPYO_ASSIGN(const log::FrameView* frame, reader.next());
      if (frame == nullptr) {
        SUPYO_TRY(check(*job_));
        SUPYO_TRY(check(*generator_));
        env_.threads->idle(kPoll);
        continue;
      }
      const TimeUs now = env_.clock.now_us();
      const bool counts = env_.clock.monotonic_us() >= warm;
      for (std::size_t i = frame->first(); i < frame->count(); ++i) {
        if (seen++ % kEvery != 0 || !counts) continue;
        SUPYO_ASSIGN(const TimeUs due, due_of(frame->value(i)));
        latencies.push_back(now - due);
      }
    }
    return latencies;
  }

  env::Env env_;
  const LatencyOptions& options_;
  std::string directory_;
  std::unique_ptr<env::Process> generator_, job_;
};

}  // namespace

Result<std::vector<LatencyRun>> measure_latency(const Context& context, const LatencyOptions& options) {
  SUPYO_ASSIGN(const ScratchDirectory scratch, ScratchDirectory::create(context));
  std::vector<LatencyRun> runs;
  for (int i = 0; i < options.runs; ++i) {
    if (context.error_is_terminal) write_error(fmt::format("\r\x1b[Klatency: run {} of {} of {} ..", i + 1, options.runs, human_duration(options.for_us)));
    auto run = LatencyBench(context, options, env::join_path(scratch.path(), std::to_string(i))).run();
    if (context.error_is_terminal) write_error("\r\x1b[K");
    if (!run) return fail(run.error());
    runs.push_back(*run);
  }
  return runs;
}

}  // namespace supyo::cli
