#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/drive.h"
#include "connect/kafka/kafka.h"
#include "connect/stream/stream.h"
#include "sql/plan/physical.h"

/// supyo explain FILE.sql
namespace supyo::cli {
namespace {

struct ExplainOptions {
  std::string file, mode = "plan";
  std::vector<std::string> settings, variables;
  bool json = false;
};

/// How the Kafka client is set where a table is on brokers: librdkafka's own defaults would lose, repeat or hide records.
std::string kafka_settings(const plan::PhysicalPlan& plan) {
  const auto on_brokers = [](const catalog::TableDefinition& t) {
    const auto it = t.options.find("connector");
    return it != t.options.end() && it->second.ends_with("kafka") && !connect::is_embedded_log(t.options);
  };
  bool source = false, sink = false;
  for (const plan::PhysicalNode& n : plan.nodes) {
    if (const auto* scan = n.as<plan::Scan>()) source = source || on_brokers(scan->table);
    if (const auto* s = n.as<plan::Sink>()) sink = sink || (s->table && on_brokers(*s->table));
  }
  std::string text;
  const auto add = [&](std::string_view what, const auto& settings) {
    text += fmt::format("  {}:", what);
    for (const auto& [name, value] : settings) text += fmt::format(" {}={}", name, value);
    text += '\n';
  };
  if (source || sink) text += fmt::format("\nKafka client, {}; set unless the table says otherwise:\n", connect::kafka_client_version());
  if (source) add("source", connect::kafka_source_settings());
  if (sink) add("sink", connect::kafka_sink_settings());
  return text;
}

int run_explain(Context& context, const ExplainOptions& options) {
  int result = kFine;
  const std::string mode = options.json ? "json" : options.mode;
  if (mode != "plan" && mode != "changelog" && mode != "json")
    return report(Error{ErrorCode::kUsage, fmt::format("there is no mode {}", mode), "--mode plan, changelog or json"});
  const std::optional<Script> script = read_script(context, options.file, options.variables, result);
  if (!script) return result;
  job::EngineOptions engine_options;
  engine_options.base_directory = context.working_directory;
  const auto settings = parse_assignments(options.settings, "--set");
  if (!settings) return report(settings.error());
  engine_options.settings = *settings;
  auto engine = job::Engine::create(context.env, std::move(engine_options));
  if (!engine) return report(engine.error());
  const auto job = (*engine)->load(script->text, {});
  if (!job) return report(job.error(), script->text, script->name);
  if (job->sinks.empty())
    return report(Error{ErrorCode::kInvalidQuery, fmt::format("{} has no INSERT INTO: there is no plan to show", script->name), "EXPLAIN SELECT .. shows that of a query"});
  const auto plan = (*engine)->plan(*job);
  if (!plan) return report(plan.error(), script->text, script->name);
  std::string text = mode == "json" ? plan::explain_json(*plan) : mode == "changelog" ? plan::explain_changelog(*plan) : plan::explain_text(*plan);
  if (text.empty() || text.back() != '\n') text += '\n';
  if (mode == "plan") text += kafka_settings(*plan);
  write_out(text);
  return kFine;
}

}  // namespace

void add_explain(CLI::App& app, Context& context, int& result) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* sub = app.add_subcommand("explain", "the plan of a file: operators, what they keep, what each sink guarantees");
  sub->add_option("FILE", options->file, "SQL file; - reads standard input")->required();
  sub->add_option("--mode", options->mode, "plan, changelog (which changes each operator emits) or json");
  sub->add_option("--set", options->settings, "KEY=VALUE: a setting, wins over SET in the file")->allow_extra_args(false);
  sub->add_option("--var", options->variables, "NAME=VALUE: fills ${NAME} in the file")->allow_extra_args(false);
  sub->add_flag("--json", options->json, "the same as --mode json");
  sub->footer("Example:\n  supyo explain examples/product/pipeline.sql --var DATA=/tmp/product");
  sub->callback([options, &context, &result] { result = run_explain(context, *options); });
}

}  // namespace supyo::cli
