#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/env/env.h"
#include "core/env/real/real_env.h"
#include "judge/slo/judge.h"
#include "lab/scenario/bench.h"
#include "lab/scenario/result.h"
#include "lab/scenario/runner.h"
#include "lab/scenario/scenario.h"

namespace supyo::scenario {

/// Runs one arm of a scenario and records it. `scale` shortens phases and windows (real clock).
class ArmRun {
 public:
  struct Setup {
    const env::Env& env;                  ///< what the arm sees: virtual or real clock
    env::VirtualClock* clock = nullptr;   ///< null: real time
    const Scenario& scenario;             ///< knobs as this arm has them
    const slo::Objectives& objectives;    ///< windows already scaled
    const std::string& sql;
    std::string name;
    double scale = 1;
    const RunOptions& options;
    Bench& bench;
  };
  explicit ArmRun(Setup setup);
  ~ArmRun();
  Result<Arm> run();

 private:
  Status begin();
  Status play();
  Status feed();
  Status sample();
  Status drain();
  void wait(const Step& step, TimeUs next_feed);
  Result<Arm> collect();
  double seconds(TimeUs t) const { return static_cast<double>(t - start_us_) / 1e6; }

  Setup setup_;
  std::atomic<TimeUs> start_us_{kTimeMax};   // read by a job's thread, too, at a fault point
  TimeUs end_us_ = 0, next_feed_us_ = 0, next_sample_us_ = 0;
  FaultPoints faults_;
  std::unique_ptr<slo::Judge> judge_;
  std::unique_ptr<workload::Generator> generator_;
  std::unique_ptr<PipelineUnderTest> pipeline_;
  workload::GeneratedRecord next_;
  bool more_ = false, fed_out_ = false, done_ = false;
  std::vector<workload::GeneratedRecord> batch_;
  std::vector<bool> acked_ids_;
  std::uint64_t sent_ = 0, acked_ = 0, failed_ = 0, unknown_ = 0, acked_distinct_ = 0, readable_ = 0;
  std::vector<double> sample_t_, offered_, table_rows_;
  std::map<std::string, std::vector<double>> sampled_;   // the pipeline's own columns
  std::vector<TimeUs> phase_ends_;
  std::vector<Judgement> judgements_;
};

}  // namespace supyo::scenario
