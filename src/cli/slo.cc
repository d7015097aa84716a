#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/context.h"
#include "cli/drive.h"
#include "cli/verdict.h"
#include "core/base/duration.h"
#include "core/env/env.h"
#include "judge/slo/dashboards.h"
#include "judge/slo/feasibility.h"
#include "judge/slo/openslo.h"
#include "judge/slo/rules.h"

/// supyo slo check|export|rules FILE.., supyo slo dashboards
namespace supyo::cli {
namespace {

struct SloOptions {
  std::vector<std::string> files;
  std::string interval = "100ms", epoch = "0s", commit = "0s", bound = "0s", repair = "0s";
  std::string matchers, output, tests;
  slo::Load load;
  bool json = false;
};

Result<slo::PipelineTiming> timing_of(const SloOptions& options) {
  slo::PipelineTiming timing;
  SUPYO_ASSIGN(timing.interval_us, parse_duration(options.interval));
  SUPYO_ASSIGN(timing.epoch_us, parse_duration(options.epoch));
  SUPYO_ASSIGN(timing.commit_us, parse_duration(options.commit));
  SUPYO_ASSIGN(timing.watermark_bound_us, parse_duration(options.bound));
  return timing;
}

/// The objectives of all files together, as if they stood in one; `failed` is the exit status when there are none.
std::optional<slo::Objectives> read_files(Context& context, const std::vector<std::string>& files, int& failed) {
  slo::Objectives all;
  for (const std::string& file : files) {
    const auto text = read_text(context, file);
    if (!text) return failed = report(text.error()), std::nullopt;
    const auto objectives = load_objectives(*text, file);
    if (!objectives) return failed = report(objectives.error(), *text, file), std::nullopt;
    for (const slo::Objective& o : objectives->items) {
      if (all.find(o.name) != nullptr)
        return failed = report(Error{ErrorCode::kObjectiveInvalid, fmt::format("{}: objective '{}' is in another file too", file, o.name), "give them different names"}), std::nullopt;
      all.items.push_back(o);
    }
    for (const slo::ServiceDeclaration& s : objectives->services) {
      if (std::none_of(all.services.begin(), all.services.end(), [&](const auto& known) { return known.name == s.name; })) all.services.push_back(s);
    }
    for (const slo::NotificationTarget& t : objectives->targets) {
      if (std::none_of(all.targets.begin(), all.targets.end(), [&](const auto& known) { return known.name == t.name; })) all.targets.push_back(t);
    }
  }
  if (const Status consistent = slo::check_consistent(all); !consistent) {
    Error e = consistent.error();
    e.position.reset();  // it may be of any of the files
    return failed = report(e), std::nullopt;
  }
  return all;
}

std::string_view kind_name(slo::Feasibility::Finding::Kind kind) {
  using Kind = slo::Feasibility::Finding::Kind;
  return kind == Kind::kFine ? "fine" : kind == Kind::kWarning ? "warning" : "impossible";
}

/// What the objectives ask of retention, consumer group and producer, in words.
std::string sizing_text(const slo::Sizing& s, const SloOptions& options, DurationUs repair) {
  std::string out = fmt::format("when nothing becomes visible any more, {} breaks first, after {}\n", s.first, slo::show_duration(s.tolerated_us));
  out += fmt::format("smallest retention.ms: {}{}", slo::show_duration((s.retention_us + kSecond - 1) / kSecond * kSecond), repair == 0 ? ", and the time that a repair takes (--repair)" : fmt::format(" with {} to repair", slo::show_duration(repair)));
  out += s.retention_bytes ? fmt::format("; retention.bytes of a partition: {}\n", grouped(static_cast<std::uint64_t>(*s.retention_bytes))) : "; --rate, --record-bytes and --partitions tell the bytes\n";
  if (s.most_members) {
    out += fmt::format("most members of the consumer group: {} (one a partition; more are idle)", *s.most_members);
    if (s.fewest_members) out += fmt::format("; fewest for this rate: {}", *s.fewest_members);
    out += '\n';
  } else {
    out += "most members of the consumer group: one a partition (--partitions)\n";
  }
  out += fmt::format("smallest producer queue: {} of records, the longest stall that leaves them in time", slo::show_duration(s.stall_us));
  out += s.queue_records ? fmt::format(": {} records{}; delivery.timeout.ms above it\n", grouped(static_cast<std::uint64_t>(*s.queue_records)),
                                       options.load.record_bytes > 0 ? fmt::format(" ({} bytes)", grouped(static_cast<std::uint64_t>(*s.queue_records * options.load.record_bytes))) : "")
                         : " (--rate tells how many)\n";
  return out;
}

std::string sizing_json(const slo::Sizing& s) {
  const auto optional = [](const auto& v) { return v ? fmt::format("{}", *v) : std::string("null"); };
  return fmt::format("{{\"breaks_first\":{},\"tolerated_s\":{},\"retention_s\":{},\"retention_bytes\":{},\"fewest_members\":{},\"most_members\":{},\"stall_s\":{},\"queue_records\":{}}}",
                     json_string(s.first), static_cast<double>(s.tolerated_us) / kSecond, static_cast<double>(s.retention_us) / kSecond, optional(s.retention_bytes), optional(s.fewest_members),
                     optional(s.most_members), static_cast<double>(s.stall_us) / kSecond, optional(s.queue_records));
}

int check(Context& context, SloOptions& options) {
  int failed = kFine;
  const auto objectives = read_files(context, options.files, failed);
  if (!objectives) return failed;
  const auto timing = timing_of(options);
  if (!timing) return report(timing.error());
  const auto repair = parse_duration(options.repair);
  if (!repair) return report(repair.error());
  options.load.repair_us = *repair;
  const slo::Feasibility feasibility = slo::check_feasibility(*objectives, *timing);
  const auto sizing = slo::size_for(*objectives, *timing, options.load);
  const bool too_few = sizing && sizing->fewest_members && sizing->most_members && *sizing->fewest_members > *sizing->most_members;
  const bool feasible = feasibility.feasible() && !too_few;
  std::string out, rows;
  for (const slo::Objective& objective : objectives->items) {
    if (!options.json) out += fmt::format("{:<24} {}{}\n", objective.name, objective.sentence(), objective.role == slo::Role::kDeciding ? "" : " (advising)");
  }
  for (const auto& finding : feasibility.findings) {
    rows += fmt::format("{}{{\"objective\":{},\"kind\":\"{}\",\"text\":{}}}", rows.empty() ? "" : ",", json_string(finding.objective), kind_name(finding.kind), json_string(finding.text));
    if (!options.json) out += fmt::format("{}: {}: {}\n", kind_name(finding.kind), finding.objective, finding.text);
  }
  if (options.json) {
    write_out(fmt::format("{{\"objectives\":{},\"feasible\":{},\"largest_interval_s\":{},\"findings\":[{}],\"sizing\":{}}}\n", objectives->items.size(), feasible,
                          feasibility.largest_interval_us ? fmt::format("{}", static_cast<double>(*feasibility.largest_interval_us) / kSecond) : "null", rows,
                          sizing ? sizing_json(*sizing) : "null"));
    return feasible ? kFine : kFailed;
  }
  if (feasibility.largest_interval_us) out += fmt::format("largest execution.checkpointing.interval that the latency objectives allow: {}\n", slo::show_duration(*feasibility.largest_interval_us / kMillisecond * kMillisecond));
  if (sizing) out += sizing_text(*sizing, options, *repair);
  if (too_few) out += "impossible: more members are needed than there are partitions: more partitions, or faster members\n";
  write_out(out);
  return feasible ? kFine : kFailed;
}

int print_file(Context& context, const SloOptions& options) {
  int failed = kFine;
  const auto objectives = read_files(context, options.files, failed);
  if (!objectives) return failed;
  write_out(slo::print_openslo(*objectives));
  return kFine;
}

int rules(Context& context, const SloOptions& options) {
  int failed = kFine;
  const auto objectives = read_files(context, options.files, failed);
  if (!objectives) return failed;
  if (const Status good = slo::check_matchers(options.matchers); !good) return report(good.error());
  const slo::RuleOptions rule_options{.matchers = options.matchers};
  if (!options.tests.empty() && options.output.empty()) return report(Error{ErrorCode::kUsage, "--tests names the rule file, so the rules need one", "add --output rules.yml"});
  const std::string text = slo::prometheus_rules(*objectives, rule_options);
  if (options.output.empty()) {
    write_out(text);
    return kFine;
  }
  if (const Status written = context.env.files.write_atomically(options.output, text); !written) return report(written.error());
  if (options.tests.empty()) return kFine;
  // promtool looks for the rules from where the tests lie.
  const auto split = [](const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::pair(std::string(), path) : std::pair(path.substr(0, slash), path.substr(slash + 1));
  };
  const auto [directory, name] = split(options.output);
  const std::string rule_file = directory == split(options.tests).first ? name : env::join_path(context.working_directory, options.output);
  const Status written = context.env.files.write_atomically(options.tests, slo::prometheus_rule_tests(*objectives, rule_file, rule_options));
  return written ? kFine : report(written.error());
}

int dashboards(Context& context, const SloOptions& options) {
  if (const Status made = context.env.files.create_directories(options.output); !made) return report(made.error());
  for (const slo::Dashboard& d : slo::grafana_dashboards()) {
    const std::string path = env::join_path(options.output, d.file);
    if (const Status written = context.env.files.write_atomically(path, d.json); !written) return report(written.error());
    write_out(path + "\n");
  }
  return kFine;
}

}  // namespace

void add_slo(CLI::App& app, Context& context, int& result) {
  auto options = std::make_shared<SloOptions>();
  CLI::App* sub = app.add_subcommand("slo", "objectives: check them before something runs");
  sub->require_subcommand(1);
  CLI::App* check_command = sub->add_subcommand("check", "do they make sense, and can a pipeline with this timing meet them at all (status 1: no)");
  check_command->add_option("FILE", options->files, "objectives in OpenSLO YAML; several are checked together")->required();
  check_command->add_option("--interval", options->interval, "execution.checkpointing.interval of the pipeline");
  check_command->add_option("--epoch", options->epoch, "from an epoch's cut until it is durable");
  check_command->add_option("--commit", options->commit, "from durable until readers see it");
  check_command->add_option("--bound", options->bound, "the watermark's bound, where windows or OVER hold rows");
  check_command->add_option("--rate", options->load.records_per_s, "records a second that come in")->check(CLI::NonNegativeNumber);
  check_command->add_option("--record-bytes", options->load.record_bytes, "size of one")->check(CLI::NonNegativeNumber);
  check_command->add_option("--partitions", options->load.partitions, "of the input topic");
  check_command->add_option("--member-rate", options->load.member_records_per_s, "records a second that one member of the consumer group handles")->check(CLI::NonNegativeNumber);
  check_command->add_option("--repair", options->repair, "from an incident until the reader reads again");
  check_command->add_flag("--json", options->json, "one JSON document");
  check_command->callback([options, &context, &result] { result = check(context, *options); });
  CLI::App* export_command = sub->add_subcommand("export", "write them as OpenSLO v1: a document each, every default written out");
  export_command->add_option("FILE", options->files, "objectives in OpenSLO YAML; several become one")->required();
  export_command->callback([options, &context, &result] { result = print_file(context, *options); });
  CLI::App* rules_command = sub->add_subcommand("rules", "write Prometheus recording and alerting rules for them, and promtool unit tests");
  rules_command->add_option("FILE", options->files, "objectives in OpenSLO YAML")->required();
  rules_command->add_option("--match", options->matchers, "more label matchers for every series: job=\"supyo\",cluster=\"a\"");
  rules_command->add_option("--output", options->output, "write the rules here, not to the output");
  rules_command->add_option("--tests", options->tests, "write unit tests of the rules here: promtool test rules FILE");
  rules_command->callback([options, &context, &result] { result = rules(context, *options); });
  CLI::App* dashboards_command = sub->add_subcommand("dashboards", "write Grafana dashboards: Kafka, Supyo's broker, Flink, and of a job pipeline, end to end, error budgets, consistency, labs");
  dashboards_command->add_option("--output", options->output, "directory")->required();
  dashboards_command->callback([options, &context, &result] { result = dashboards(context, *options); });
  sub->footer("Example:\n  supyo slo check examples/product/slo.yaml examples/orders/slo.yaml --interval 3s --bound 1s --rate 2000 --record-bytes 1024 --partitions 6");
}

}  // namespace supyo::cli
