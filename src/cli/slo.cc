#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/drive.h"
#include "cli/verdict.h"
#include "core/base/duration.h"
#include "judge/slo/feasibility.h"
#include "judge/slo/openslo.h"

/// supyo slo check|openslo F.yaml
namespace supyo::cli {
namespace {

struct SloOptions {
  std::string file, interval = "100ms", epoch = "0s", commit = "0s", bound = "0s";
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

std::string_view kind_name(slo::Feasibility::Finding::Kind kind) {
  using Kind = slo::Feasibility::Finding::Kind;
  return kind == Kind::kFine ? "fine" : kind == Kind::kWarning ? "warning" : "impossible";
}

int check(Context& context, const SloOptions& options) {
  const auto text = read_text(context, options.file);
  if (!text) return report(text.error());
  const auto objectives = load_objectives(*text, options.file);
  if (!objectives) return report(objectives.error(), *text, options.file);
  const auto timing = timing_of(options);
  if (!timing) return report(timing.error());
  const slo::Feasibility feasibility = slo::check_feasibility(*objectives, *timing);
  std::string out, rows;
  for (const slo::Objective& objective : objectives->items) {
    if (!options.json) out += fmt::format("{:<24} {}{}\n", objective.name, objective.sentence(), objective.role == slo::Role::kDeciding ? "" : " (advising)");
  }
  for (const auto& finding : feasibility.findings) {
    rows += fmt::format("{}{{\"objective\":{},\"kind\":\"{}\",\"text\":{}}}", rows.empty() ? "" : ",", json_string(finding.objective), kind_name(finding.kind), json_string(finding.text));
    if (!options.json) out += fmt::format("{}: {}: {}\n", kind_name(finding.kind), finding.objective, finding.text);
  }
  if (options.json) {
    out = fmt::format("{{\"objectives\":{},\"feasible\":{},\"largest_interval_s\":{},\"findings\":[{}]}}\n", objectives->items.size(), feasibility.feasible(),
                      feasibility.largest_interval_us ? fmt::format("{}", static_cast<double>(*feasibility.largest_interval_us) / kSecond) : "null", rows);
  } else if (feasibility.largest_interval_us) {
    out += fmt::format("largest execution.checkpointing.interval that the latency objectives allow: {}\n", human_duration(*feasibility.largest_interval_us));
  }
  write_out(out);
  return feasibility.feasible() ? kFine : kFailed;
}

int print_file(Context& context, const SloOptions& options) {
  const auto text = read_text(context, options.file);
  if (!text) return report(text.error());
  const auto objectives = load_objectives(*text, options.file);
  if (!objectives) return report(objectives.error(), *text, options.file);
  write_out(slo::print_openslo(*objectives));
  return kFine;
}

}  // namespace

void add_slo(CLI::App& app, Context& context, int& result) {
  auto options = std::make_shared<SloOptions>();
  CLI::App* sub = app.add_subcommand("slo", "objectives: check them before something runs");
  sub->require_subcommand(1);
  CLI::App* check_command = sub->add_subcommand("check", "do they make sense, and can a pipeline with this timing meet them at all (status 1: no)");
  check_command->add_option("FILE", options->file, "objectives in OpenSLO YAML")->required();
  check_command->add_option("--interval", options->interval, "execution.checkpointing.interval of the pipeline");
  check_command->add_option("--epoch", options->epoch, "from an epoch's cut until it is durable");
  check_command->add_option("--commit", options->commit, "from durable until readers see it");
  check_command->add_option("--bound", options->bound, "the watermark's bound, where windows or OVER hold rows");
  check_command->add_flag("--json", options->json, "one JSON document");
  check_command->callback([options, &context, &result] { result = check(context, *options); });
  CLI::App* print_command = sub->add_subcommand("openslo", "print them as OpenSLO YAML, every default written out");
  print_command->add_option("FILE", options->file, "objectives in OpenSLO YAML")->required();
  print_command->callback([options, &context, &result] { result = print_file(context, *options); });
  sub->footer("Example:\n  supyo slo check examples/product/slo.yaml --interval 3s --bound 1s");
}

}  // namespace supyo::cli
