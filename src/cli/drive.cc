#include "cli/drive.h"

#include <fmt/format.h>

#include <atomic>

#include "cli/signals.h"
#include "judge/slo/judge.h"
#include "sql/syntax/parser.h"

namespace supyo::cli {
namespace {

constexpr DurationUs kSilent = 2 * kSecond;         // short work shows no progress
constexpr DurationUs kRefresh = 500 * kMillisecond;

/// One line on the terminal, overwritten in place: what, how far, how fast.
class Progress {
 public:
  Progress(const env::Clock& clock, bool on) : clock_(clock), on_(on), begin_us_(clock.monotonic_us()) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(const runtime::JobRunner& runner) {
    const TimeUs now = clock_.monotonic_us();
    if (!on_ || now - begin_us_ < kSilent || now - shown_us_ < kRefresh) return;
    const runtime::JobStats stats = runner.stats();
    const double seconds = static_cast<double>(now - rate_since_us_) / kSecond;
    const double rate = seconds > 0 && rate_since_us_ > 0 ? static_cast<double>(stats.rows_in - rate_rows_) / seconds : 0;
    std::string line = fmt::format("\r\x1b[K{}: {} rows in, {} out, {} rows/s, {}", job_state_text(stats.state), grouped(stats.rows_in),
                                   grouped(stats.rows_out), grouped(static_cast<std::uint64_t>(rate)), human_duration(now - begin_us_));
    if (stats.watermark_us != kTimeMin && stats.watermark_us != kTimeMax) line += fmt::format(", watermark {}", format_timestamp(stats.watermark_us, 0));
    write_error(line);
    shown_us_ = now;
    if (now - rate_since_us_ > 2 * kSecond) {
      rate_since_us_ = now;
      rate_rows_ = stats.rows_in;
    }
  }
  void clear() {
    if (shown_us_ > 0) write_error("\r\x1b[K");
    shown_us_ = 0;
  }

 private:
  const env::Clock& clock_;
  bool on_;
  TimeUs begin_us_;
  TimeUs shown_us_ = 0;
  TimeUs rate_since_us_ = 0;
  std::uint64_t rate_rows_ = 0;
};

/// Beside the job's own threads: looks at the clock for --for, the progress line and the judge.
void watch(const Context& context, runtime::JobRunner& runner, const DriveOptions& options, const std::atomic<bool>& ended) {
  Progress progress(context.env.clock, options.progress);
  const TimeUs begin = context.env.clock.monotonic_us();
  TimeUs judged = begin;
  while (!ended.load()) {
    context.env.threads->idle(20 * kMillisecond);
    const TimeUs now = context.env.clock.monotonic_us();
    if (options.for_us > 0 && now - begin >= options.for_us) runner.stop();
    progress.update(runner);
    if (options.tick) options.tick();
    if (options.judge != nullptr && now - judged >= kSecond) {
      options.judge->advance(context.env.clock.now_us());
      judged = now;
    }
  }
}

Result<runtime::JobResult> drive_virtual(const Context& context, runtime::JobRunner& runner, const DriveOptions& options) {
  Progress progress(context.env.clock, options.progress);
  const TimeUs begin = context.env.clock.monotonic_us();
  std::uint32_t rounds = 0;
  auto result = runner.run_stepped([&](TimeUs until) {
    // Nothing will come any more by itself: only a signal can end such a job.
    if (until == kTimeMax) {
      context.env.threads->idle(10 * kMillisecond);
    } else {
      options.clock->advance_to(until);
    }
    if (++rounds % 64 != 0 && until != kTimeMax) return;
    if (options.for_us > 0 && context.env.clock.monotonic_us() - begin >= options.for_us) runner.stop();
    progress.update(runner);
  });
  if (options.judge != nullptr) options.judge->ended(options.clock->now_us());
  return result;
}

}  // namespace

Result<runtime::JobResult> drive(const Context& context, runtime::JobRunner& runner, const DriveOptions& options) {
  const StopsOnSignal stops(runner);
  if (options.clock != nullptr) return drive_virtual(context, runner, options);
  std::atomic<bool> ended{false};
  const auto watcher = context.env.threads->start("watch", [&] { watch(context, runner, options, ended); });
  auto result = runner.run();
  ended.store(true);
  watcher->join();
  if (options.judge != nullptr) options.judge->ended(context.env.clock.now_us());
  return result;
}

Result<std::map<std::string, std::string>> parse_assignments(const std::vector<std::string>& arguments, std::string_view option) {
  std::map<std::string, std::string> values;
  for (const std::string& argument : arguments) {
    const std::size_t at = argument.find('=');
    if (at == std::string::npos || at == 0)
      return fail(ErrorCode::kUsage, fmt::format("{} takes NAME=VALUE, not '{}'", option, argument), fmt::format("{} NAME=VALUE", option));
    values[argument.substr(0, at)] = argument.substr(at + 1);
  }
  return values;
}

std::optional<Script> read_script(const Context& context, const std::string& path, const std::vector<std::string>& variables, int& result) {
  const auto failed = [&](const Error& error, std::string_view text = {}) {
    result = report(error, text, path);
    return std::nullopt;
  };
  const auto values = parse_assignments(variables, "--var");
  if (!values) return failed(values.error());
  const auto raw = read_text(context, path);
  if (!raw) return failed(raw.error());
  auto text = syntax::substitute_variables(*raw, {values->begin(), values->end()});
  if (!text) return failed(text.error(), *raw);
  return Script{path == "-" ? "standard input" : path, std::move(*text)};
}

connect::PrintTarget print_target() {
  return [](std::string_view lines, bool error) { error ? write_error(lines) : write_out(lines); };
}

}  // namespace supyo::cli
