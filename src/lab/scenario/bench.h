#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "core/base/fault_point.h"
#include "core/base/result.h"
#include "core/env/env.h"
#include "data/types/visibility.h"
#include "lab/workload/generator.h"

namespace supyo::scenario {

/// What one arm of a lab runs: its files, its job, who watches it.
struct ArmSetup {
  const env::Env& env;
  std::string directory;                          ///< empty, of this arm alone
  std::string sql;                                ///< the pipeline's text
  std::map<std::string, std::string> settings;    ///< job settings
  std::string topic_name;                         ///< where the workload goes
  std::string result_table, result_id;
  VisibilityObserver& observer;
  const FaultPoints& faults;
  bool stepped = true;                            ///< virtual time, one thread; else real threads
  DurationUs journal_sync_us = 0, sink_commit_us = 0;   ///< declared costs of outside effects, stepped only
  std::uint64_t seed = 0;
};

/// What the table holds in the end, by the ids of the changes.
struct Applied {
  std::uint64_t rows = 0;
  std::uint64_t distinct = 0;
};

/// How a pipeline stands after a step.
struct Step {
  enum class State { kMore, kWaiting, kDone } state = State::kWaiting;
  TimeUs until_us = kTimeMax;    ///< kWaiting: nothing happens in it before, unless input comes
};

/// A running pipeline with its input log, as a lab sees it from outside. One thread.
class PipelineUnderTest {
 public:
  virtual ~PipelineUnderTest() = default;
  /// Gives records to the log; they are acknowledged when it returns well. An error says nothing about whether they are in the log.
  virtual Status append(std::span<const workload::GeneratedRecord> records) = 0;
  /// Stepped: one round of the job. Real: how it stands (kDone once it ended). An error is the job's failure.
  virtual Result<Step> step() = 0;
  /// No more input comes: fire what waits, commit, end.
  virtual void drain() = 0;
  /// Rows that a reader of the result table can see now, read from the table itself and not asked of the job.
  virtual Result<std::uint64_t> readable_rows() = 0;
  /// After the end: every id in the table.
  virtual Result<Applied> applied() = 0;
  /// Keeps the input log from growing for ever; called now and then.
  virtual Status retain() = 0;
};

/// Makes pipelines. The embedded one runs Supyo's own engine; tests have a paper one.
class Bench {
 public:
  virtual ~Bench() = default;
  virtual Result<std::unique_ptr<PipelineUnderTest>> start(const ArmSetup& setup) = 0;
  /// Names and versions of what the pipeline ran on, for the report.
  virtual std::map<std::string, std::string> versions() const = 0;
};

/// Supyo's engine over its embedded log and an Iceberg table in the arm's directory.
std::unique_ptr<Bench> make_embedded_bench();

}  // namespace supyo::scenario
