#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "lab/scenario/expression.h"
#include "lab/scenario/result.h"
#include "lab/scenario/scenario.h"

namespace supyo::scenario {

/// What the labs of real clients (`kind: commit`, `kind: publish`) declare alike. Texts are expressions over the knobs.
struct Declared {
  std::string lab, title, hypothesis, file;
  Verdict expect = Verdict::kConfirmed;
  std::map<std::string, Knob, std::less<>> knobs;
  std::string rate, record_size;               ///< of the producer: records a second, bytes
  std::uint64_t seed = 1;
  DurationUs linger_us = 10 * kMillisecond;    ///< it sends what is due this often
  std::vector<std::pair<std::string, Expression>> derive;
  std::vector<Guard> guards;
  std::vector<Prediction> predict;
  std::optional<Expression> verdict;
  std::vector<Plot> plots;
  std::vector<Tile> tiles;

  Result<double> value(std::string_view expression, Unit unit) const { return value_over(knobs, expression, unit); }
  Result<DurationUs> duration(std::string_view expression) const;
  /// A whole number: of records, or a plain one.
  Result<std::uint64_t> count(std::string_view expression, Unit unit = kNumber) const;
};

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
struct CommitScenario : Declared {
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
struct PublishScenario : Declared {
  std::string before, after;  ///< seconds before the fault, and after it at least
  std::vector<PublishArm> arms;
};

/// As parse_scenario and load_scenario, with `extends`. Errors: kBadConfigFile with line and column.
Result<CommitScenario> parse_commit_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr);
Result<CommitScenario> load_commit_scenario(env::Files& files, const std::string& path);
Result<PublishScenario> parse_publish_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr);
Result<PublishScenario> load_publish_scenario(env::Files& files, const std::string& path);
inline Status set_knob(Declared& lab, std::string_view assignment) { return set_knob(lab.knobs, lab.lab, assignment); }

/// Fills in what a result says of the file: names, seed, plots, knobs.
void describe_declared(const Declared& lab, LabResult& result);

}  // namespace supyo::scenario
