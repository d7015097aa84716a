#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "lab/scenario/declaration.h"

namespace supyo::scenario {

/// `kind: fit`: how far more members help a group, and why it is behind when they do not. Texts are expressions over the knobs.
struct FitScenario : Declaration {
  // The same backlog, read by groups of more and more members.
  std::string partitions, handler;            ///< time for a record, waited for
  std::string window;                         ///< that throughput is taken over
  std::vector<std::uint64_t> members;
  // The same keys, written to two topics that are to be joined partition by partition.
  std::string keys;
  std::string table, stream;                  ///< partitioners: "murmur2" (Java's), "crc32" (librdkafka's own default)
  // Groups with one trouble each, whose name is hidden from the diagnosis.
  std::string runs, at_once, watch;           ///< so many, so many side by side, looked at for so long
  std::string strain;                         ///< load over what a strained group can handle
  std::vector<std::string> labels;            ///< of kFitLabels
  bool statistics = true;                     ///< members tell of their work
};

inline constexpr std::string_view kHealthy = "healthy";
inline constexpr std::string_view kFitLabels[] = {kHealthy, "processing-bottleneck", "external-call", "partition-skew", "slow-member", "no-consumers", "stuck", "rebalance-churn", "oversized-group", "too-many-partitions"};

/// As parse_scenario and load_scenario, with `extends`. Errors: kBadConfigFile with line and column.
Result<FitScenario> parse_fit_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr);
Result<FitScenario> load_fit_scenario(env::Files& files, const std::string& path);

}  // namespace supyo::scenario
