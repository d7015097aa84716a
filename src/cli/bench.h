#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"
#include "core/base/result.h"
#include "core/env/env.h"

/// What `supyo bench` runs: workloads with the baselines that they are compared with, in one run and on the same bytes.
namespace supyo::cli {

/// A directory of its own below TMPDIR, removed with everything in it.
class ScratchDirectory {
 public:
  static Result<ScratchDirectory> create(const Context& context);
  ScratchDirectory(ScratchDirectory&& other) noexcept : files_(other.files_), path_(std::exchange(other.path_, {})) {}
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory();
  const std::string& path() const { return path_; }

 private:
  ScratchDirectory(env::Files& files, std::string path) : files_(&files), path_(std::move(path)) {}
  env::Files* files_;
  std::string path_;
};

/// One line of the speed table. Rates are rows per CPU-second (user + system) of the whole process, medians of three runs.
struct SpeedLine {
  std::string name;              ///< "passthrough"
  std::string what;              ///< for people
  double rate = 0;               ///< 0: not measured
  DurationUs cpu_us = 0;         ///< of the median run
  double bar = 0;                ///< the rate that it is held to; 0: a baseline
  std::string note = {};         ///< why it was not measured
};

struct SpeedOptions {
  bool passthrough = false, tumble = false;
  std::uint64_t rows = 2'000'000;
  bool progress = false;         ///< a line on standard error that says what is being measured
};

/// The bids as the bench writes them: seven fields, one JSON object, no line break.
void append_bid(std::string& out, std::uint64_t row);

/// Generates the bids, runs the chosen workloads and their baselines. Errors: of the engine and the disk; kCancelled after Ctrl-C.
Result<std::vector<SpeedLine>> measure_speed(const Context& context, const SpeedOptions& options);

/// What touching the seven fields costs with simdjson alone. Bids one a line in `lines`, which has kBarePadding readable bytes behind it.
/// Returns a sum that no compiler can leave out; kMalformedRecord when a line is no bid.
Result<std::uint64_t> bare_json_loop(std::string_view lines);
inline constexpr std::size_t kBarePadding = 64;

struct LatencyOptions {
  std::uint32_t rate = 50'000;
  std::string epoch = "20ms";
  DurationUs for_us = 60 * kSecond;
  int runs = 3;
};
struct LatencyRun {
  double p50_ms = 0, p95_ms = 0, p99_ms = 0, max_ms = 0;
};
/// Three processes: a generator that writes each event when it is due, a job that copies them exactly once, and this one, which reads what is committed.
/// Latency of a row = the moment it is read here minus the moment it was due. Errors: kOutsideUnavailable when the job does not keep up; kCancelled.
Result<std::vector<LatencyRun>> measure_latency(const Context& context, const LatencyOptions& options);

}  // namespace supyo::cli
