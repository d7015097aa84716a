#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "lab/scenario/declaration.h"

/// Labs about a job (`kind: stream`): Supyo's own engine runs a pipeline from topics of the embedded log to topics of it, in virtual time, while partitions fall silent, records
/// come late, the checkpoint store fails or the job is killed. What its readers get is read back and held against what was sent.
///
/// A lab is added by files alone: scenarios/NAME.yaml, NAME-refuted.yaml, NAME-invalid.yaml, the pipeline's SQL in scenarios/pipelines/ (every `variables:` entry and every knob is
/// ${NAME} in it, a knob of time also ${NAME_s}, in seconds), their names in stream_test.cc and a section of docs/labs.md. What formulas may name is listed in stream_lab.h; a measure that is
/// missing goes there (evaluate) or into the arm's counts (stream_arm.cc); a fault that is missing is a StreamFault::Kind, read here and carried out in stream_input.cc (what happens to
/// records) or stream_arm.cc (what happens to the job); an oracle of another kind of result stands beside WindowTruth in stream_results.h.
namespace supyo::scenario {

/// A topic and the producer that fills it. Texts are expressions over the knobs.
struct StreamInput {
  std::string topic = {}, domain = "order";
  std::string rate = {}, disorder = {}, duplicates = {}, late = {};   ///< records a second; seconds; shares
  std::string keys = {};
  std::string bursts = "15m";                  ///< "request": how often a time of many errors comes
  std::int32_t partitions = 1;
  std::string partition_by = {};               ///< a field of the record; empty: its key
};

/// What is read back from a topic that the job writes.
struct StreamResult {
  std::string topic = {};
  std::string input = {};                      ///< the topic that it is made of
  std::string id = {};                         ///< column with the id of the change: each is to be there once; empty: not of this kind
  std::string window = {}, value = {};              ///< columns with a window's start and with how many records are in it
  std::string size = {};                       ///< how long a window is; expression
  std::string key = {};                        ///< a column beside the window, which the input's records have too; may be empty
  bool uncommitted = false;               ///< the reader does not wait for commits (read_uncommitted)
  std::string oracle = {};                     ///< "copies", "versions", "alarms", "marks" (stream_oracle.h); empty: ids, or windows
  std::string horizon = {}, cleanup = {}, bloom_bits = {}, bloom_hashes = {};   ///< copies: how long an id is known, and how much longer at most; of a filter beside it (0 bits: none)
  std::string table = {}, version = {}, settle = {};     ///< versions: the input that `key` is looked up in, the column with the time of the version; what of the fault's begin is left out
  std::string mark = {}, final_after = {};     ///< marks: the column that says "was changed after it was taken for final"; how long after a window's end readers take its value
};

struct StreamFault {
  enum class Kind : std::uint8_t {
    kSilence,       ///< `partition` of `topic` gets nothing
    kDelay,         ///< `share` of the records of `topic` (of `partition`, if given) comes `delay` later; without a delay, when the phase ends
    kPoint,         ///< a named place in the code: waits for `delay`, then fails if `fails`
    kKill,          ///< the job (on Flink: its TaskManager) dies `times`, and is started again `detect` later
    kRepeat,        ///< the producer of `topic` goes back: `share` of what it sends, `span` at a time, is sent again after an age
    kRate,          ///< the producer of `topic` makes `rate`
  } kind = Kind::kSilence;
  std::string topic = {};
  std::optional<std::int32_t> partition = {};
  std::string share = "1", delay = {};
  std::string point = {};
  bool fails = false;
  std::string times = {}, detect = {};
  std::string stop = {};                  ///< kKill: it stands for so long instead (SIGSTOP), and goes on; 0: SIGKILL
  enum class Spread : std::uint8_t { kConstant, kUniform, kExponential } spread = Spread::kConstant;
  std::string span = {};                       ///< kRepeat, 0: a record at a time; `delay` is the age, half the greatest one (uniform), or its mean (exponential)
  std::string rate = {};
};

/// A job that is run again and again over what came since the run before, and takes its time: results are there when it ends.
struct StreamBatch {
  std::string topic;                      ///< a result, ${BATCH} in the pipeline
  std::string input;                      ///< the topic that it reads from ${from_ms} to ${to_ms}
  std::string pipeline;
  std::string every, start, rate;         ///< how often, how long until it reads, and records a second that it takes
};

struct StreamPhase {
  std::string name;
  DurationUs length_us = 0;
  std::vector<StreamFault> faults;
};

/// What readers were promised: what the lab measures by reading, whatever the job says of itself. At least one of them. The judge has the same as its objectives, unless the file names others.
struct StreamPromise {
  std::string within = {}, share = {}, window = {};      ///< `share` of the records of the last `window` visible `within` a time of their event
  std::string fresh = {};                      ///< what is visible is never older
  std::string complete = {};                   ///< of the records of the last `window`, the share that is in the windows that readers have once they have them
};

struct StreamScenario : Declaration {
  std::string pipeline, objectives;       ///< paths as written; objectives may be empty
  std::map<std::string, std::string> variables, settings;   ///< a setting "$knob" is that knob's text
  DurationUs linger_us = 50 * kMillisecond;
  std::string capacity;                   ///< records a second that the job can take at most; empty: virtual time costs it nothing
  std::vector<StreamInput> inputs;
  std::vector<StreamResult> results;
  std::vector<StreamPhase> phases;
  std::size_t fault_at = 0;               ///< the phase with the faults; also in an arm that has none
  StreamPromise promise;
  std::string lag_factor = "2", lag_hold = "60s";   ///< the raw alarm: committed lag above so many times the first phase's maximum, for so long
  struct ArmSpec {
    std::map<std::string, std::string> knobs, variables;
    bool inject = true;                   ///< off: no fault (control never has one)
  };
  std::vector<StreamBatch> batches;
  bool replay = false;                    ///< in the end the job is run again from the start of its input, with results in ${OUT}
  std::map<std::string, ArmSpec> arms;    ///< beside "fault"

  std::size_t fault_phase() const { return fault_at; }
  /// Topics of one lab are not copies of each other.
  std::uint64_t input_seed(const StreamInput& input) const { return seed + static_cast<std::uint64_t>(&input - inputs.data()) * 1000; }
  /// As the arm has it: its knobs and variables, and without the faults where it has none. Errors: kBadConfigFile, kUnknownOption.
  Result<StreamScenario> arm(const std::string& name) const;
  /// What fills ${NAME} in the pipeline.
  std::map<std::string, std::string> sql_variables() const;
};

/// `real`: as it is on a real cluster, with the file's part `real` over the rest. kUnsupported when the file has none.
Result<StreamScenario> parse_stream_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr, bool real = false);
Result<StreamScenario> load_stream_scenario(env::Files& files, const std::string& path, bool real = false);
std::string_view stream_fault_name(StreamFault::Kind kind);

}  // namespace supyo::scenario
