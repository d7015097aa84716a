#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "lab/scenario/declaration.h"

namespace supyo::scenario {

/// When a consumer commits what it has read.
enum class CommitOrder : std::uint8_t {
  kBefore,        ///< the batch, then it handles it
  kAfter,         ///< what it has handled, every interval
  kTransaction,   ///< what it wrote and the offsets are one transaction, a batch each
  kAuto,          ///< the client does, every interval, whatever was handed over: librdkafka's default
  kJava,          ///< what earlier polls gave, at the next poll once the interval is over: the Java client's default
};
std::string_view commit_order_name(CommitOrder order);   ///< "before", "after", "transaction", "auto", "java"
std::optional<CommitOrder> commit_order_named(std::string_view name);

struct CommitGroup {
  std::string name;
  CommitOrder order = CommitOrder::kBefore;
};

/// `kind: commit`: consumer processes apply records to a store, are killed at random moments, and go on where they had committed.
struct CommitScenario : PacedDeclaration {
  std::vector<CommitGroup> groups;
  std::string handler;        ///< records a second that a consumer handles at most
  std::string batch;          ///< records that it takes at a time at most
  std::string interval;       ///< between commits
  std::string kills;          ///< of each group
  std::string after;          ///< a kill comes at random within so long after the consumer applied its first record
  bool clean = false;         ///< planted: the consumers are asked to end instead of being killed
};

/// A run of the producer with a fault, as the file declares it. Fields: expressions over the knobs.
struct PublishArm {
  std::string name;
  std::string stop;           ///< the broker stands still for so long; empty: it does not
  std::string resets, every;  ///< so many resets of every connection, and between two; empty: none
  std::string delay;          ///< of the broker's answers, on the line
  std::string timeout, queue, in_flight;
  bool idempotence = true;
};

/// `kind: publish`: a producer, a broker that stands still or connections that are reset, and what became of each record.
struct PublishScenario : PacedDeclaration {
  std::string before, after;  ///< seconds before the fault, and after it at least
  std::vector<PublishArm> arms;
};

/// As parse_scenario and load_scenario, with `extends`. Errors: kBadConfigFile with line and column.
Result<CommitScenario> parse_commit_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr);
Result<CommitScenario> load_commit_scenario(env::Files& files, const std::string& path);
Result<PublishScenario> parse_publish_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr);
Result<PublishScenario> load_publish_scenario(env::Files& files, const std::string& path);

/// Fills in what a result of a lab with real clients says of the file.
void describe_declared(const PacedDeclaration& lab, LabResult& result);

}  // namespace supyo::scenario
