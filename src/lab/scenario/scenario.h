#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"
#include "core/env/env.h"
#include "lab/scenario/expression.h"
#include "lab/workload/generator.h"

namespace supyo::scenario {

enum class Verdict : std::uint8_t { kConfirmed, kRefuted, kInvalid };
std::string_view verdict_name(Verdict v);   ///< "CONFIRMED", "REFUTED", "INVALID"
std::optional<Verdict> verdict_named(std::string_view name);

/// A knob: a duration or a number that the file names, and `--set knob=value` changes.
struct Knob {
  Quantity value;
  std::string text;                  ///< as written: "3s"
  std::vector<std::string> values;   ///< others worth trying
};

/// The fault of a phase: a named fault point in the code, armed while the phase lasts.
struct Injection {
  std::string point;                 ///< "iceberg.commit.before"
  std::string delay;                 ///< an expression over the knobs: "commit_delay"
};

struct Phase {
  std::string name;
  DurationUs length_us = 0;
  std::optional<Injection> inject;
};

struct Prediction {
  std::string measure;               ///< what is predicted
  Expression formula;
  double within = 0.1;               ///< share by which the measured value may differ
};

/// A lag rule of the form `MEASURE > EXPRESSION for DURATION`, evaluated at every sample.
struct LagRule {
  std::string series;
  Expression threshold;
  DurationUs hold_us = 0;
};

enum class Guard : std::uint8_t { kOfferedRate, kFaultSeen, kLedgerBalances, kControlClean, kRecorded, kDrained };
std::string_view guard_name(Guard g);      ///< "offered_rate_within_2_percent"
std::string_view guard_id(Guard g);        ///< "G1"

/// One lab, as its file declares it: the verdict formula and the predictions are fixed before the run.
struct Scenario {
  std::string lab;
  std::string title;
  std::string hypothesis;
  std::string file;                  ///< where it was read, for messages
  std::string pipeline, objectives;  ///< paths as written, relative to the directory that holds `scenarios/`
  std::string result_table;          ///< the table that readers read: "lake.shop.product_changes"
  std::string result_id;             ///< its column that holds a change's id
  std::string domain = "product";
  workload::GeneratorOptions workload;
  DurationUs linger_us = 10 * kMillisecond;   ///< the producer sends what is due this often
  std::map<std::string, Knob, std::less<>> knobs;
  std::map<std::string, std::string> settings; ///< job settings, values are expressions over the knobs where they name one: "$interval"
  LagRule raw_rule;
  std::vector<Phase> phases;
  std::map<std::string, std::string> control; ///< knobs of the control arm
  std::vector<Guard> guards;
  std::vector<Prediction> predict;
  std::optional<Expression> verdict;
  std::vector<std::string> plots;
  Verdict expect = Verdict::kConfirmed;       ///< what this file is meant to give; planted variants say otherwise
  double real_scale = 1.0 / 24;               ///< `--clock real`: phases and windows are this much shorter

  /// Index of the phase that injects the fault.
  std::size_t fault_phase() const;
  /// A knob's or an expression's value over the knobs and the workload's own names (tps, watermark_bound).
  Result<Quantity> knob_value(std::string_view expression) const;
};

/// Reads a scenario; `extends: FILE` starts from another file beside it and replaces its top-level keys (knobs are merged knob by knob).
/// Errors: kBadConfigFile with line and column; a formula's column counts from where it starts.
Result<Scenario> load_scenario(env::Files& files, const std::string& path);
Result<Scenario> parse_scenario(std::string_view text, std::string_view file, const std::string* base_text = nullptr);
/// Words that a knob may be besides numbers: "all" (infinity: acks), "on" (1), "off" (0).
std::optional<Quantity> knob_word(std::string_view word);
/// An expression's value over the knobs, in the unit asked for (0 and infinity fit any). Errors: kBadConfigFile.
Result<double> value_over(const std::map<std::string, Knob, std::less<>>& knobs, std::string_view expression, Unit unit);
/// `--set knob=value`. Errors: kUnknownOption (no such knob, with those there are), kBadOptionValue.
Status set_knob(Scenario& scenario, std::string_view assignment);
/// The same over any scenario's knobs.
Status set_knob(std::map<std::string, Knob, std::less<>>& knobs, std::string_view lab, std::string_view assignment);
/// `kind` of a file, or of the one that it extends ("topic", "commit", "publish"); empty for what cannot be read (loading it says why) or names none.
std::string scenario_kind(env::Files& files, const std::string& path);
/// The text of a scenario file, and of the one that it extends.
struct ScenarioText {
  std::string own;
  std::optional<std::string> base = {};
  const std::string* base_or_null() const { return base ? &*base : nullptr; }
};
/// Errors: kFileNotFound with what to do.
Result<ScenarioText> read_scenario_text(env::Files& files, const std::string& path);
/// Names of the scenario files in `directory`, without ".yaml".
Result<std::vector<std::string>> list_scenarios(env::Files& files, const std::string& directory);

}  // namespace supyo::scenario
