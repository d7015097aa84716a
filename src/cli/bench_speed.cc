#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "cli/bench.h"
#include "cli/drive.h"
#include "cli/signals.h"
#include "cli/verdict.h"
#include "core/base/hash.h"
#include "core/env/processes.h"
#include "data/log/partition_writer.h"
#include "data/log/topic.h"
#include "data/types/value.h"
#include "engine/job/engine.h"

namespace supyo::cli {
namespace {

constexpr int kRuns = 3;
constexpr double kPassthroughBar = 3e6, kTumbleBar = 4e6;

// A judge that listens makes rows carry their origins; what it judges does not matter here.
constexpr std::string_view kObjectives = R"(apiVersion: openslo/v1
kind: SLO
metadata:
  name: end-to-end-latency
  annotations: {supyo.dev/clock: event, supyo.dev/reference: record, supyo.dev/role: deciding}
spec:
  service: bench
  indicator:
    metadata: {name: end-to-end-latency}
    spec:
      thresholdMetric:
        metricSource: {type: supyo, spec: {measure: end_to_end_latency}}
  timeWindow:
    - {duration: 10m, isRolling: true}
  budgetingMethod: Occurrences
  objectives:
    - {op: lt, value: 5, target: 0.95}
)";

constexpr std::string_view kColumns = "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, date_time TIMESTAMP(3), extra STRING";

std::string bids_table(const std::string& directory) {
  return fmt::format(
      "CREATE TABLE bids ({}, WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND) WITH ('connector'='kafka', 'topic'='bids', "
      "'properties.bootstrap.servers'='embedded:{}/log', 'scan.startup.mode'='earliest-offset', 'scan.bounded.mode'='latest-offset', 'format'='json');\n",
      kColumns, directory);
}

std::string passthrough_sql(const std::string& directory) {
  return bids_table(directory) + fmt::format("CREATE TABLE nowhere ({}) WITH ('connector'='blackhole');\nINSERT INTO nowhere SELECT * FROM bids;\n", kColumns);
}

std::string tumble_sql(const std::string& directory) {
  return bids_table(directory) +
         "CREATE TABLE nowhere (auction BIGINT, s TIMESTAMP(3), n BIGINT) WITH ('connector'='blackhole');\n"
         "INSERT INTO nowhere SELECT auction, window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) "
         "GROUP BY auction, window_start, window_end;\n";
}

constexpr std::string_view kDuckQuery =
    "SELECT sum(n) FROM (SELECT auction, time_bucket(INTERVAL 10 SECOND, date_time) AS s, count(*) AS n FROM "
    "read_json('bids.json', format = 'newline_delimited', columns = {auction: 'BIGINT', date_time: 'TIMESTAMP'}) GROUP BY ALL)";

class Speed {
 public:
  Speed(const Context& context, const SpeedOptions& options, std::string directory) : context_(context), options_(options), directory_(std::move(directory)) {}

  Result<std::vector<SpeedLine>> measure() {
    std::vector<SpeedLine> lines;
    SUPYO_TRY(write_bids());
    if (options_.passthrough) {
      SUPYO_ASSIGN(const DurationUs cpu, job_cpu("passthrough", passthrough_sql(directory_)));
      lines.push_back(line("passthrough", "all 7 fields, to blackhole", cpu, kPassthroughBar));
    }
    if (options_.tumble) {
      SUPYO_ASSIGN(const DurationUs cpu, job_cpu("tumble", tumble_sql(directory_)));
      lines.push_back(line("tumble", "count per key in windows of 10 s", cpu, kTumbleBar));
    }
    SUPYO_ASSIGN(const DurationUs bare, bare_cpu());
    lines.push_back(line("simdjson", "baseline: a bare loop over the 7 fields", bare, 0));
    if (!options_.tumble) return lines;
    SUPYO_ASSIGN(SpeedLine duck, duckdb());
    lines.push_back(std::move(duck));
    return lines;
  }

 private:
  using Runs = std::array<DurationUs, kRuns>;
  static DurationUs median(Runs runs) {
    std::ranges::sort(runs);
    return std::max<DurationUs>(1, runs[kRuns / 2]);
  }
  SpeedLine line(std::string name, std::string what, DurationUs cpu, double bar) const {
    return {std::move(name), std::move(what), static_cast<double>(options_.rows) * kSecond / static_cast<double>(cpu), cpu, bar};
  }
  Status say(std::string_view what) const {
    if (stop_requested()) return fail(ErrorCode::kCancelled, "stopped: nothing is left behind");
    if (options_.progress) write_error(fmt::format("\r\x1b[K{}{}", what, what.empty() ? "" : " .."));
    return ok();
  }

  /// The same lines into the embedded log and into bids.json. Not part of any figure.
  Status write_bids() {
    SUPYO_TRY(say(fmt::format("writing {} bids", grouped(options_.rows))));
    SUPYO_ASSIGN(const log::Topic topic, log::create_topic(context_.env, env::join_path(directory_, "log"), "bids", {}));
    SUPYO_ASSIGN(const auto writer, log::PartitionWriter::open(context_.env, topic, PartitionId(0)));
    SUPYO_ASSIGN(const auto file, context_.env.files.open(env::join_path(directory_, "bids.json"), env::OpenMode::kCreateNew));
    constexpr std::uint64_t kBatch = 1000, kBatchesInBlock = 20;
    const TimeUs now = context_.env.clock.now_us();
    log::RecordBatch batch;
    std::string line, block;
    std::uint64_t written = 0;
    for (std::uint64_t row = 0; row < options_.rows;) {
      for (const std::uint64_t end = std::min(row + kBatch, options_.rows); row < end; ++row) {
        line.clear();
        append_bid(line, row);
        batch.add(now, line);
        block.append(line).push_back('\n');
      }
      SUPYO_TRY(writer->append(batch));
      batch.clear();
      if (row < options_.rows && row % (kBatch * kBatchesInBlock) != 0) continue;
      if (stop_requested()) return fail(ErrorCode::kCancelled, "stopped: nothing is left behind");
      SUPYO_TRY(file->write_at(written, block));
      written += block.size();
      block.clear();
    }
    return writer->flush();
  }

  Result<DurationUs> job_cpu(std::string_view name, const std::string& sql) {
    Runs runs;
    for (int i = 0; i < kRuns; ++i) {
      SUPYO_TRY(say(fmt::format("{}: run {} of {}", name, i + 1, kRuns)));
      const DurationUs before = context_.env.processes->own_cpu_us();
      SUPYO_TRY(run_job(sql));
      runs[static_cast<std::size_t>(i)] = context_.env.processes->own_cpu_us() - before;
    }
    return median(runs);
  }

  /// From SQL text to the last epoch: planning counts too.
  Status run_job(const std::string& sql) {
    SUPYO_ASSIGN(slo::Objectives objectives, load_objectives(std::string(kObjectives), "the bench's objectives"));
    slo::Judge judge(std::move(objectives), {});
    job::EngineOptions engine_options;
    engine_options.base_directory = directory_;
    engine_options.settings = {{"execution.checkpointing.interval", "100ms"}, {"parallelism.default", "1"}};
    engine_options.observer = &judge;
    SUPYO_ASSIGN(const auto engine, job::Engine::create(context_.env, std::move(engine_options)));
    SUPYO_ASSIGN(const auto job, engine->load(sql, {}));
    SUPYO_ASSIGN(const auto runner, engine->start(job));
    SUPYO_ASSIGN(const auto result, drive(context_, *runner, {.judge = &judge}));
    SUPYO_TRY(say(""));
    if (result.state != runtime::JobState::kFinished || runner->stats().rows_in != options_.rows)
      return fail(ErrorCode::kInternal, fmt::format("the job read {} of {} rows", runner->stats().rows_in, options_.rows), "this is a bug: please report it");
    return ok();
  }

  /// The file in blocks of whole lines; only the loop itself is counted, not the reading.
  Result<DurationUs> bare_cpu() {
    SUPYO_ASSIGN(const auto file, context_.env.files.open(env::join_path(directory_, "bids.json"), env::OpenMode::kRead));
    constexpr std::size_t kBlock = 4 << 20;
    std::string block(kBlock + kBarePadding, '\0');
    Runs runs{};
    for (int i = 0; i < kRuns; ++i) {
      SUPYO_TRY(say(fmt::format("simdjson alone: run {} of {}", i + 1, kRuns)));
      for (std::uint64_t at = 0;;) {
        SUPYO_ASSIGN(const std::size_t n, file->read_at(at, std::span(block).first(kBlock)));
        if (n == 0) break;
        const std::string_view lines(block.data(), std::string_view(block.data(), n).rfind('\n') + 1);
        const DurationUs before = context_.env.processes->own_cpu_us();
        SUPYO_TRY(bare_json_loop(lines));
        runs[static_cast<std::size_t>(i)] += context_.env.processes->own_cpu_us() - before;
        at += lines.size();
      }
    }
    return median(runs);
  }

  Result<env::Finished> run_outside(std::vector<std::string> arguments) const {
    return env::run_program(context_.env, {.arguments = std::move(arguments), .working_directory = directory_}, 10 * kMinute, stop_requested);
  }

  /// How DuckDB is started on this machine with a statement; empty when it is not here.
  std::vector<std::string> duckdb_command(const std::string& statement) const {
    const auto works = [&](std::vector<std::string> arguments) {
      const auto done = run_outside(std::move(arguments));
      return done && done->exit.status == 0;
    };
    if (works({"duckdb", "-c", "SELECT 1"})) return {"duckdb", "-c", statement};
    std::vector<std::string> pythons;
    if (const char* given = std::getenv("SUPYO_PYTHON")) pythons.emplace_back(given);
    pythons.push_back(env::join_path(context_.working_directory, "build/venv/bin/python"));
    if (const auto own = context_.env.processes->own_program()) pythons.push_back(env::join_path(env::parent_path(env::parent_path(*own)), "venv/bin/python"));
    pythons.emplace_back("python3");
    for (const std::string& python : pythons)
      if (works({python, "-c", "import duckdb"})) return {python, "-c", "import sys, duckdb; duckdb.connect().execute(sys.argv[1]).fetchall()", statement};
    return {};
  }

  /// DuckDB's batch of the same count, less what starting it takes.
  Result<SpeedLine> duckdb() {
    SpeedLine line{.name = "duckdb", .what = "baseline: DuckDB's batch of tumble, 1 thread"};
    SUPYO_TRY(say("looking for DuckDB"));
    const auto start_command = duckdb_command("SELECT 1"), command = duckdb_command(fmt::format("SET threads = 1; {}", kDuckQuery));
    SUPYO_TRY(say(""));
    if (command.empty()) {
      line.note = "not found: `pip install duckdb`, or set SUPYO_PYTHON to a Python that has it";
      return line;
    }
    Runs starts, runs;
    for (std::size_t i = 0; i < kRuns; ++i) {
      SUPYO_TRY(say(fmt::format("DuckDB: run {} of {}", i + 1, kRuns)));
      SUPYO_ASSIGN(const env::Finished start, run_outside(start_command));
      SUPYO_ASSIGN(const env::Finished run, run_outside(command));
      if (run.exit.status != 0) {
        line.note = "failed: " + run.output.substr(0, run.output.find('\n'));
        return line;
      }
      starts[i] = start.exit.cpu_us;
      runs[i] = run.exit.cpu_us;
    }
    line.cpu_us = std::max<DurationUs>(1, median(runs) - median(starts));
    line.rate = static_cast<double>(options_.rows) * kSecond / static_cast<double>(line.cpu_us);
    return line;
  }

  const Context& context_;
  const SpeedOptions& options_;
  std::string directory_;
};

}  // namespace

void append_bid(std::string& out, std::uint64_t row) {
  const std::uint64_t r = hash_u64(row);
  const TimeUs at = 1'767'225'600'000'000 + static_cast<TimeUs>(row / 10) * kMillisecond;  // from 2026-01-01, ten a millisecond
  fmt::format_to(std::back_inserter(out),
                 R"({{"auction":{},"bidder":{},"price":{},"channel":"Google","url":"https://shop.example/item.htm?query={}","date_time":"{}","extra":"{:016x}"}})",
                 1000 + r % 10'000, 2000 + r % 50'000, r % 1'000'000, r % 100, format_timestamp(at, 3), r);
}

Result<std::vector<SpeedLine>> measure_speed(const Context& context, const SpeedOptions& options) {
  SUPYO_ASSIGN(const ScratchDirectory scratch, ScratchDirectory::create(context));
  auto lines = Speed(context, options, scratch.path()).measure();
  if (options.progress) write_error("\r\x1b[K");
  return lines;
}

}  // namespace supyo::cli
