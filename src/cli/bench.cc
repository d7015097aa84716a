#include "cli/bench.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "core/base/duration.h"

/// supyo bench NAME: how fast this machine runs the hot paths, beside baselines on the same bytes.
namespace supyo::cli {
namespace {

constexpr DurationUs kTrustedCpu = 200 * kMillisecond;   // shorter runs measure the start, not the rows
constexpr double kLatencyBarMs = 50;
constexpr std::uint32_t kLatencyBarRate = 50'000;

struct BenchOptions {
  std::string name = "all", run_for;
  SpeedOptions speed;
  LatencyOptions latency;
  bool json = false;
};

/// Held to its bar: true or false; nothing when it has none, or too few rows ran to say.
std::optional<bool> is_met(const SpeedLine& line, const std::vector<SpeedLine>& all) {
  if (line.bar == 0 || line.cpu_us < kTrustedCpu) return std::nullopt;
  if (line.rate < line.bar) return false;
  const auto duck = std::ranges::find(all, "duckdb", &SpeedLine::name);
  return line.name != "tumble" || duck == all.end() || line.rate > duck->rate;
}

std::string verdict_text(const SpeedLine& line, const std::vector<SpeedLine>& all) {
  if (line.bar == 0) return {};
  const auto met = is_met(line, all);
  return fmt::format("at least {:.0f} M{}: {}", line.bar / 1e6, line.name == "tumble" ? " and DuckDB's" : "", !met ? "too few rows to say" : *met ? "met" : "MISSED");
}

int print_speed(const BenchOptions& options, const std::vector<SpeedLine>& lines) {
  if (options.json) {
    std::string results;
    for (const SpeedLine& line : lines) {
      const auto met = is_met(line, lines);
      results += fmt::format(R"({}{{"name":"{}","rows_per_cpu_second":{},"cpu_s":{:.6f},"bar":{},"met":{}{}}})", results.empty() ? "" : ",", line.name,
                             line.rate == 0 ? "null" : fmt::format("{:.0f}", line.rate), static_cast<double>(line.cpu_us) / kSecond,
                             line.bar == 0 ? "null" : fmt::format("{:.0f}", line.bar), !met ? "null" : *met ? "true" : "false",
                             line.note.empty() ? "" : ",\"note\":" + json_string(line.note));
    }
    write_out(fmt::format("{{\"rows\":{},\"results\":[{}]}}\n", options.speed.rows, results));
    return kFine;
  }
  std::string text = fmt::format(
      "{} bids of 7 JSON fields from the embedded log, parallelism 1, 100 ms epochs, with a judge; median of 3\n\n"
      "{:<12} {:<44} {:>17}  held to\n",
      grouped(options.speed.rows), "", "", "rows / CPU-second");
  for (const SpeedLine& line : lines)
    text += fmt::format("{:<12} {:<44} {:>17}  {}\n", line.name, line.what, line.rate == 0 ? "-" : grouped(static_cast<std::uint64_t>(line.rate)),
                        line.note.empty() ? verdict_text(line, lines) : line.note);
  write_out(text);
  return kFine;
}

int print_latency(const BenchOptions& options, const std::vector<LatencyRun>& runs) {
  const LatencyOptions& o = options.latency;
  std::vector<double> p99;
  for (const LatencyRun& run : runs) p99.push_back(run.p99_ms);
  std::ranges::sort(p99);
  const double median = p99[p99.size() / 2];
  const bool held = o.rate >= kLatencyBarRate;
  if (options.json) {
    std::string each;
    for (const LatencyRun& run : runs)
      each += fmt::format(R"({}{{"p50":{:.1f},"p95":{:.1f},"p99":{:.1f},"max":{:.1f}}})", each.empty() ? "" : ",", run.p50_ms, run.p95_ms, run.p99_ms, run.max_ms);
    write_out(fmt::format("{{\"rate\":{},\"epoch\":\"{}\",\"seconds\":{:.1f},\"runs\":[{}],\"median_p99_ms\":{:.1f},\"bar_ms\":{}}}\n", o.rate, o.epoch,
                          static_cast<double>(o.for_us) / kSecond, each, median, held ? fmt::format("{}", kLatencyBarMs) : "null"));
    return kFine;
  }
  std::string text = fmt::format("{} rows/s through an exactly-once job, {} epochs, embedded log to embedded log, as another process reads what is committed\n\n", grouped(o.rate), o.epoch);
  for (const LatencyRun& run : runs) text += fmt::format("p50 {:6.1f} ms   p95 {:6.1f} ms   p99 {:6.1f} ms   max {:6.1f} ms\n", run.p50_ms, run.p95_ms, run.p99_ms, run.max_ms);
  text += fmt::format("\nmedian p99 {:.1f} ms", median);
  if (held) text += fmt::format(", held to at most {} ms: {}", kLatencyBarMs, median <= kLatencyBarMs ? "met" : "MISSED");
  write_out(text + "\n");
  return kFine;
}

int run_bench(const Context& context, BenchOptions options) {
  options.speed.passthrough = options.name == "all" || options.name == "passthrough";
  options.speed.tumble = options.name == "all" || options.name == "tumble";
  options.speed.progress = context.error_is_terminal && !options.json;
  if (options.speed.passthrough || options.speed.tumble) {
    const auto lines = measure_speed(context, options.speed);
    return lines ? print_speed(options, *lines) : report(lines.error());
  }
  const auto run_for = parse_duration(options.run_for);
  if (!run_for) return report(run_for.error());
  options.latency.for_us = *run_for;
  if (const auto epoch = parse_duration(options.latency.epoch); !epoch) return report(epoch.error());
  if (options.latency.for_us < kSecond) return report(Error{ErrorCode::kUsage, "--for is at least one second", "supyo bench latency --for 60s"});
  const auto runs = measure_latency(context, options.latency);
  return runs ? print_latency(options, *runs) : report(runs.error());
}

}  // namespace

Result<ScratchDirectory> ScratchDirectory::create(const Context& context) {
  const char* set = std::getenv("TMPDIR");
  std::string path = env::join_path(set == nullptr || *set == '\0' ? "/tmp" : set, "supyo-bench-" + env::new_uuid(context.env.random));
  if (!path.starts_with('/')) path = env::join_path(context.working_directory, path);
  SUPYO_TRY(context.env.files.create_directories(path));
  return ScratchDirectory(context.env.files, std::move(path));
}

ScratchDirectory::~ScratchDirectory() {
  if (!path_.empty()) (void)files_->remove_all(path_);
}

void add_bench(CLI::App& app, Context& context, int& result) {
  auto options = std::make_shared<BenchOptions>();
  options->run_for = "60s";
  CLI::App* sub = app.add_subcommand("bench", "how fast the hot paths run here, beside baselines in the same run");
  sub->add_option("NAME", options->name,
                  "passthrough, tumble: rows per CPU-second of the whole process, with simdjson alone and DuckDB on the same bytes; all: both (default); "
                  "latency: how long until another process reads a row that an exactly-once job copies")
      ->check(CLI::IsMember({"all", "passthrough", "tumble", "latency"}));
  sub->add_option("--rows", options->speed.rows, "how many bids (all, passthrough, tumble)")->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}));
  sub->add_option("--rate", options->latency.rate, "rows a second (latency)")->check(CLI::Range(100U, 10'000'000U));
  sub->add_option("--epoch", options->latency.epoch, "how often the job commits (latency)");
  sub->add_option("--for", options->run_for, "how long a run takes (latency)");
  sub->add_option("--runs", options->latency.runs, "how many runs (latency)")->check(CLI::Range(1, 100));
  sub->add_flag("--json", options->json, "one JSON document");
  sub->footer("Works in a directory of its own below TMPDIR (about 400 bytes a row) and removes it.\n\nExample:\n  supyo bench tumble --rows 500000\n  supyo bench latency --for 10s --runs 1");
  sub->callback([options, &context, &result] { result = run_bench(context, *options); });
}

}  // namespace supyo::cli
