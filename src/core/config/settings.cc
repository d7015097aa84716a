#include "core/config/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <numeric>

#include "core/base/check.h"
#include "core/base/duration.h"

namespace supyo::config {
namespace {

constexpr std::array<const SettingSpec*, 40> kAll = {
    &kCheckpointInterval, &kTolerableFailures, &kParallelism, &kPipelineName, &kRuntimeMode, &kIdleTimeout, &kEmitAllowLateness, &kEmitLateFire, &kEmitLateFireDelay, &kEmitEarlyFire, &kEmitEarlyFireDelay, &kLocalTimeZone, &kStateTtl, &kAggPhase, &kMiniBatch, &kMiniBatchLatency, &kMiniBatchSize, &kSplitDistinct, &kSplitBuckets, &kUpsertMaterialize, &kNotNullEnforcer, &kNondeterministicUpdate, &kDuplicateChanges, &kStateBackend, &kRocksdbMemory, &kRocksdbDirectory, &kRestartStrategy,
    &kRestartAttempts, &kRestartDelay, &kRestartInitialBackoff, &kRestartMaxBackoff, &kRestartMaxAttempts, &kOutputConsistency, &kBatchRows,
    &kExchangeBatches, &kEpochRows, &kJournalSegment, &kSnapshotAfter, &kLateRetention, &kDeadRetention,
};

// Settings of a Flink deployment or of its SQL client that change no result.
constexpr std::string_view kNoEffectPrefixes[] = {
    "sql-client.", "taskmanager.", "jobmanager.", "cluster.", "rest.", "web.", "heartbeat.", "metrics.", "state.backend", "env.", "akka.", "pekko.",
    "execution.checkpointing.mode", "execution.checkpointing.timeout", "execution.checkpointing.min-pause", "execution.checkpointing.dir",
    "execution.checkpointing.max-concurrent-checkpoints", "execution.checkpointing.unaligned", "execution.checkpointing.incremental",
    "execution.checkpointing.externalized-checkpoint-retention", "execution.buffer-timeout",
    "execution.checkpointing.storage", "execution.checkpointing.savepoint-dir", "execution.checkpointing.num-retained", "execution.checkpointing.local-backup",
    "state.checkpoints.", "state.checkpoint-storage", "state.savepoints.", "high-availability.", "kubernetes.", "yarn.", "security.", "classloader.", "fs.", "s3.",
    "execution.attached", "execution.target", "pipeline.max-parallelism", "pipeline.object-reuse", "pipeline.operator-chaining", "pipeline.jars",
    "pipeline.auto-watermark-interval", "table.optimizer.", "table.exec.resource.", "table.exec.async-lookup.",
    "table.plan.", "table.dml-sync", "table.generated-code.", "table.exec.spill-compression.", "table.exec.operator-fusion-codegen.",
    "execution.checkpointing.aligned-checkpoint-timeout", "execution.checkpointing.snapshot-compression", "execution.checkpointing.checkpoints-after-tasks-finish",
    "execution.checkpointing.interval-during-backlog", "execution.shutdown-on-attached-exit", "execution.batch.", "execution.batch-shuffle-mode",
    "table.exec.sink.keyed-shuffle", "table.exec.sink.rowtime-inserter", "table.exec.simplify-operator-name-enabled", "table.exec.uid.", "table.exec.rank.topn-cache-size",
    "table.exec.window-agg.buffer-size-limit", "table.exec.deduplicate.", "table.exec.local-hash-agg.", "table.exec.interval-join.", "table.exec.sort.",
    "table.display.", "table.rtas-ctas.",
};

// Flink's settings of how a query is planned that have no effect here, with why. Their values are checked all the same.
constexpr std::string_view kPlanner = "The planner always does what gives the cheaper plan, or has no such choice; the rows are the same.";
constexpr SettingSpec kNoEffect[] = {
    {SettingKind::kBool, "table.optimizer.incremental-agg-enabled", "true", {}, {}, {}, {}, "The halves of a split DISTINCT are each aggregated in two levels, or not: they are never joined into one."},
    {SettingKind::kBool, "table.optimizer.reuse-sub-plan-enabled", "true", {}, {}, {}, {}, "Equal parts of a job are always computed once."},
    {SettingKind::kBool, "table.optimizer.reuse-source-enabled", "true", {}, {}, {}, {}, "A table is always read once a job."},
    {SettingKind::kBool, "table.optimizer.reuse-optimize-block-with-digest-enabled", "false", {}, {}, {}, {}, kPlanner},
    {SettingKind::kBool, "table.optimizer.join-reorder-enabled", "false", {}, {}, {}, {}, "Joins are done in the order in which they are written."},
    {SettingKind::kInteger, "table.optimizer.bushy-join-reorder-threshold", "12", "0", {}, {}, {}, "Joins are done in the order in which they are written."},
    {SettingKind::kInteger, "table.optimizer.join.broadcast-threshold", "1048576", "-1", {}, {}, {}, kPlanner},
    {SettingKind::kBool, "table.optimizer.multiple-input-enabled", "true", {}, {}, {}, {}, kPlanner},
    {SettingKind::kBool, "table.optimizer.source.predicate-pushdown-enabled", "true", {}, {}, {}, {}, kPlanner},
    {SettingKind::kBool, "table.optimizer.source.report-statistics-enabled", "true", {}, {}, {}, {}, kPlanner},
    {SettingKind::kBool, "table.optimizer.union-all-as-breakpoint-enabled", "true", {}, {}, {}, {}, kPlanner},
    {SettingKind::kBool, "table.optimizer.dynamic-filtering.enabled", "true", {}, {}, {}, {}, kPlanner},
    {SettingKind::kBool, "table.optimizer.runtime-filter.enabled", "false", {}, {}, {}, {}, kPlanner},
    {SettingKind::kChoice, "table.sql-dialect", "default", {}, {}, "default", {}, "There is Flink's own dialect only, not Hive's."},
    {SettingKind::kChoice, "table.planner", "blink", {}, {}, "blink", {}, "Of older Flinks: the planner that all have by now."},
    {SettingKind::kChoice, "table.exec.legacy-cast-behaviour", "disabled", {}, {}, "disabled", {}, "A CAST that does not fit fails, as in Flink since 1.15; TRY_CAST gives NULL."},
    {SettingKind::kChoice, "table.exec.sink.type-length-enforcer", "ignore", {}, {}, "ignore", {}, "Texts are written as they are; CAST(x AS VARCHAR(n)) cuts them."},
};

// Settings of Flink's whose purpose is met in another way here.
constexpr std::pair<std::string_view, std::string_view> kInstead[] = {
    {"execution.savepoint.", "a job goes on from where it was in its own state directory: supyo run JOB.sql --state DIR"},
    {"execution.state-recovery.", "a job goes on from where it was in its own state directory: supyo run JOB.sql --state DIR"},
    {"restart-strategy.failure-rate.", "SET 'restart-strategy.type' = 'exponential-delay', which waits longer after each failure"},
    {"table.column-expansion-strategy", "name the columns in SELECT"},
    {"table.builtin-", "CREATE CATALOG and USE"},
};

const SettingSpec* find_no_effect(std::string_view name) {
  const auto it = std::ranges::find(kNoEffect, name, &SettingSpec::name);
  return it == std::end(kNoEffect) ? nullptr : &*it;
}

bool has_no_effect_here(std::string_view name) {
  return std::ranges::any_of(kNoEffectPrefixes, [&](std::string_view p) { return name.starts_with(p); });
}

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> out;
  while (!list.empty()) {
    const std::size_t bar = list.find('|');
    out.push_back(list.substr(0, bar));
    list = bar == std::string_view::npos ? std::string_view() : list.substr(bar + 1);
  }
  return out;
}

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

Result<std::int64_t> parse_integer(std::string_view s) {
  std::int64_t v = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (error != std::errc{} || end != s.data() + s.size()) {
    return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is not a whole number", s), "write digits only");
  }
  return v;
}

/// In settings Flink takes a bare number as milliseconds.
Result<std::int64_t> parse_setting_duration(std::string_view s) {
  const bool bare = !s.empty() && std::ranges::all_of(s, [](char c) { return c >= '0' && c <= '9'; });
  return parse_duration(bare ? std::string(s) + "ms" : std::string(s));
}

Result<std::int64_t> parse_number(SettingKind kind, std::string_view s) {
  switch (kind) {
    case SettingKind::kDuration: return parse_setting_duration(s);
    case SettingKind::kSize: return parse_size(s);
    default: return parse_integer(s);
  }
}

std::string_view kind_text(SettingKind kind) {
  switch (kind) {
    case SettingKind::kBool: return "true or false";
    case SettingKind::kInteger: return "whole number";
    case SettingKind::kDuration: return "duration";
    case SettingKind::kSize: return "size";
    case SettingKind::kText: return "text";
    case SettingKind::kChoice: return "one of";
  }
  return "?";
}

std::string expected(const SettingSpec& s) {
  std::string out;
  if (s.kind == SettingKind::kChoice) {
    for (const std::string_view c : split(s.choices)) out += fmt::format("{}{}", out.empty() ? "one of " : ", ", c);
    return out;
  }
  out = kind_text(s.kind);
  if (!s.low.empty() && !s.high.empty()) out += fmt::format(" from {} to {}", s.low, s.high);
  else if (!s.low.empty()) out += fmt::format(" of at least {}", s.low);
  return out;
}

std::unexpected<Error> bad_value(const SettingSpec& s, std::string_view text, std::string_view why) {
  return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is no value for '{}': {}", text, s.name, why), "expected " + expected(s));
}

Status check_number(const SettingSpec& s, std::string_view text) {
  const auto v = parse_number(s.kind, text);
  if (!v) return bad_value(s, text, v.error().message);
  if (!s.low.empty() && *v < parse_number(s.kind, s.low).value()) return bad_value(s, text, "too small");
  if (!s.high.empty() && *v > parse_number(s.kind, s.high).value()) return bad_value(s, text, "too large");
  return ok();
}

/// The text in the form in which it is kept.
Result<std::string> checked_text(const SettingSpec& s, std::string_view text) {
  switch (s.kind) {
    case SettingKind::kText: return std::string(text);
    case SettingKind::kBool: {
      std::string v = lower(text);
      if (v != "true" && v != "false") return bad_value(s, text, "neither true nor false");
      return v;
    }
    case SettingKind::kChoice: {
      std::string v = lower(text);
      for (const std::string_view c : split(s.choices)) if (c == v) return v;
      return bad_value(s, text, "not among the choices");
    }
    default: {
      SUPYO_TRY(check_number(s, text));
      return std::string(text);
    }
  }
}

}  // namespace

std::span<const SettingSpec* const> all_settings() { return kAll; }

std::string nearest(std::string_view wanted, std::span<const std::string> known) {
  std::string best;
  // A third of the letters may be wrong: beyond that a suggestion misleads.
  std::size_t least = std::max<std::size_t>(2, wanted.size() / 3) + 1;
  std::vector<std::size_t> row;
  for (const std::string& k : known) {
    row.resize(k.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      std::size_t diagonal = std::exchange(row[0], i + 1);
      for (std::size_t j = 0; j < k.size(); ++j) {
        const std::size_t substituted = diagonal + (wanted[i] == k[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({substituted, row[j] + 1, diagonal + 1});
      }
    }
    if (row.back() < least) {
      least = row.back();
      best = k;
    }
  }
  return best;
}

Result<const SettingSpec*> find_setting(std::string_view name) {
  for (const SettingSpec* s : kAll) {
    if (s->name == name || (!s->alias.empty() && s->alias == name)) return s;
  }
  std::vector<std::string> names;
  for (const SettingSpec* s : kAll) names.emplace_back(s->name);
  for (const SettingSpec& s : kNoEffect) names.emplace_back(s.name);
  for (const auto& [prefix, hint] : kInstead)
    if (name.starts_with(prefix)) return fail(ErrorCode::kUnknownOption, fmt::format("there is no setting '{}'", name), std::string(hint));
  const std::string near = name.size() <= 256 ? nearest(name, names) : std::string();
  return fail(ErrorCode::kUnknownOption, fmt::format("there is no setting '{}'", name),
              near.empty() ? "docs/reference/settings.md lists all settings" : fmt::format("did you mean '{}'?", near));
}

Result<SetOutcome> Settings::set(std::string_view name, std::string_view text) {
  const auto setting = find_setting(name);
  if (!setting) {
    if (const SettingSpec* known = find_no_effect(name)) {
      SUPYO_TRY(checked_text(*known, text));
      return SetOutcome::kNoEffect;
    }
    if (has_no_effect_here(name)) return SetOutcome::kNoEffect;
    return fail(setting.error());
  }
  SUPYO_ASSIGN(std::string checked, checked_text(**setting, text));
  texts_.insert_or_assign(std::string((*setting)->name), std::move(checked));
  return SetOutcome::kSet;
}

Status Settings::reset(std::string_view name) {
  if (name.empty()) {
    texts_.clear();
    return ok();
  }
  const auto setting = find_setting(name);
  if (!setting) return has_no_effect_here(name) || find_no_effect(name) != nullptr ? ok() : Status(fail(setting.error()));
  if (const auto it = texts_.find((*setting)->name); it != texts_.end()) texts_.erase(it);
  return ok();
}

Result<std::string> Settings::text(std::string_view name) const {
  SUPYO_ASSIGN(const SettingSpec* setting, find_setting(name));
  const auto it = texts_.find(setting->name);
  return it == texts_.end() ? std::string(setting->default_text) : it->second;
}

Settings::Value Settings::value(const SettingSpec& setting) const {
  const auto it = texts_.find(setting.name);
  const std::string_view text = it == texts_.end() ? setting.default_text : std::string_view(it->second);
  switch (setting.kind) {
    case SettingKind::kBool: return text == "true";
    case SettingKind::kText:
    case SettingKind::kChoice: return text;
    default: return parse_number(setting.kind, text).value();  // set() checked it; the test checks the defaults
  }
}

Result<std::int64_t> parse_size(std::string_view s) {
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is not a size: {}", s, why), "write for example 64kb, 4mb or 1gb");
  };
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), number);
  if (error != std::errc{} || number < 0) return refuse("it does not begin with a whole number");
  std::string unit = lower(std::string_view(end, static_cast<std::size_t>(s.data() + s.size() - end)));
  unit.erase(0, unit.find_first_not_of(' ') == std::string::npos ? unit.size() : unit.find_first_not_of(' '));
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"", 1}, {"b", 1}, {"bytes", 1}, {"k", 1LL << 10}, {"kb", 1LL << 10}, {"m", 1LL << 20}, {"mb", 1LL << 20},
      {"g", 1LL << 30}, {"gb", 1LL << 30}, {"t", 1LL << 40}, {"tb", 1LL << 40},
  };
  for (const auto& [name, bytes] : kUnits) {
    if (unit != name) continue;
    std::int64_t out = 0;
    if (__builtin_mul_overflow(number, bytes, &out)) return refuse("too large");
    return out;
  }
  return refuse("unknown unit");
}

std::string_view simulated_text(const SettingSpec& setting, std::uint64_t draw) {
  const auto values = split(setting.sim);
  return values.empty() ? setting.default_text : values[draw % values.size()];
}

std::string settings_reference() {
  std::string out =
      "# Settings\n\n`SET 'name' = 'value'` in a SQL file, `--set name=value` on the command line. "
      "Durations: `250ms`, `3s`, `10m`, `1h`, `2d` (a bare number is milliseconds); sizes: `64kb`, `4mb`, `1gb`.\n"
      "Written by `supyo` itself from the declarations in `src/core/config/settings.h`; the test `core/config` checks that it is current.\n\n"
      "| setting | default | values | meaning |\n|---|---|---|---|\n";
  for (const SettingSpec* s : kAll) {
    std::string values = expected(*s);
    std::string alias = s->alias.empty() ? std::string() : fmt::format(" (also `{}`)", s->alias);
    out += fmt::format("| `{}`{} | {} | {} | {} |\n", s->name, alias, s->default_text.empty() ? "" : fmt::format("`{}`", s->default_text), values, s->help);
  }
  out += "\nFlink has these too. They change no result and have no effect here; a wrong value is an error all the same:\n\n| setting | values | why it has no effect |\n|---|---|---|\n";
  for (const SettingSpec& s : kNoEffect) out += fmt::format("| `{}` | {} | {} |\n", s.name, expected(s), s.help);
  out += "\nSettings of a Flink deployment or of its SQL client that change no result are taken without effect, so that the same file runs on both: names that begin with ";
  for (bool first = true; const std::string_view p : kNoEffectPrefixes) {
    out += fmt::format("{}`{}`", first ? "" : ", ", p);
    first = false;
  }
  return out + ".\n";
}

}  // namespace supyo::config
