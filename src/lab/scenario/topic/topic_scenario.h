#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "lab/scenario/declaration.h"

/// Labs about a topic and the consumer groups that read it (`kind: topic`): retention, resets, commit order. A producer writes at a fixed rate, groups read
/// as fast as their handlers let them, the log deletes by its rules; what each group never got is counted.
namespace supyo::scenario {

/// What a group does when its position is no longer in the log, as Kafka's auto.offset.reset.
enum class Reset : std::uint8_t { kEarliest, kLatest, kError };
std::string_view reset_name(Reset r);

/// A consumer group as the file declares it. Texts are expressions over the knobs: a `$` in front is optional.
struct GroupSpec {
  std::string name;
  std::string rate;                 ///< records a second that its handler takes; empty: as fast as they come
  std::string prefetch;             ///< bytes that its client keeps ahead of the handler
  std::string fetch;                ///< bytes of one fetch
  std::string commit;               ///< how often it commits the position that it has handled
  Reset reset = Reset::kEarliest;
};

/// What happens to a group while a phase lasts (rate, stop) or once when it begins (delete_records).
struct TopicFault {
  enum class Kind { kSlowHandler, kStop, kDeleteRecords } kind = Kind::kSlowHandler;
  std::string group;
  std::string rate;                 ///< kSlowHandler
  std::string past;                 ///< kDeleteRecords: so many records past the group's committed position
};

struct TopicPhase {
  std::string name;
  DurationUs length_us = 0;
  std::optional<TopicFault> inject;
};

struct TopicScenario : PacedDeclaration {
  std::string retention, segment, check;        ///< expressions: bytes, bytes, seconds
  std::vector<GroupSpec> groups;
  std::vector<TopicPhase> phases;
  /// Further runs with other knobs, beside "fault" (the file's own knobs): "control" must be among them. Measures of the others carry their name in front.
  std::map<std::string, std::map<std::string, std::string>> arms;

  std::size_t fault_phase() const;
};

/// As parse_scenario and load_scenario, with `extends`. `real`: as it runs on a real cluster, with the file's part `real` laid over the rest as a file is over the one
/// that it extends (kUnsupported when there is none).
Result<TopicScenario> parse_topic_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr, bool real = false);
Result<TopicScenario> load_topic_scenario(env::Files& files, const std::string& path, bool real = false);

}  // namespace supyo::scenario
