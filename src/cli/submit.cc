#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/drive.h"
#include "cli/signals.h"
#include "connect/flink/sql_gateway.h"
#include "sql/syntax/split.h"
#include "sql/syntax/token.h"

/// supyo submit FILE.sql: the same file on a real Flink, by its SQL gateway.
namespace supyo::cli {
namespace {

constexpr DurationUs kAnswer = 2 * kMinute;   // planning on a busy machine

struct SubmitCommand {
  std::string file, gateway = "http://127.0.0.1:18083", job;
  std::vector<std::string> settings, variables;
  bool json = false, drain = false;
};

Result<connect::SqlGateway> session(const Context& context, const SubmitCommand& command, const std::map<std::string, std::string>& settings) {
  SUPYO_ASSIGN(const connect::HttpUrl url, connect::parse_http_url(command.gateway));
  auto gateway = connect::SqlGateway::open(context.env, url, settings, kAnswer);
  if (!gateway) return fail(ErrorCode::kOutsideUnavailable, fmt::format("no Flink SQL gateway answers at {}: {}", command.gateway, gateway.error().message), "supyo stack up flink starts one; --gateway URL when it is elsewhere");
  return gateway;
}

std::string first_words(std::string_view sql) {
  std::string line(sql.substr(0, std::min<std::size_t>(sql.find('\n'), 70)));
  return line.size() < sql.size() ? line + " .." : line;
}

/// What Flink cannot do, told before it is given anything: a topic of an embedded log is files of this machine, and a query's rows have nobody to go to.
Status check_statements(const std::vector<syntax::StatementText>& statements, std::string_view script) {
  const auto at = [](Error error, const syntax::Span& span) {
    error.position = span.position();
    return fail(std::move(error));
  };
  for (const syntax::Token& token : syntax::lex(script).tokens)
    if (token.kind == syntax::TokenKind::kString && token.text.starts_with("'embedded:"))
      return at({ErrorCode::kUnsupported, "Flink cannot read an embedded log", "serve it with supyo broker and put its address there, best as ${BOOTSTRAP} and --var"}, token.span);
  for (const syntax::StatementText& s : statements)
    for (const std::string_view word : {"SELECT", "WITH", "VALUES", "("})
      if (s.first_word == word) return at({ErrorCode::kUnsupported, "a query has nobody here to give its rows to", "INSERT INTO a table; supyo sql shows what a query gives"}, s.span);
  return ok();
}

int run_submit(const Context& context, const SubmitCommand& command) {
  int result = kFine;
  const std::optional<Script> script = read_script(context, command.file, command.variables, result);
  if (!script) return result;
  const auto settings = parse_assignments(command.settings, "--set");
  if (!settings) return report(settings.error());
  const auto statements = syntax::split_statements(script->text);
  if (!statements) return report(statements.error(), script->text, script->name);
  if (statements->empty()) return report(Error{ErrorCode::kInvalidQuery, fmt::format("{} has no statement", script->name), "INSERT INTO .. SELECT .. starts a job"});
  if (const Status fine = check_statements(*statements, script->text); !fine) return report(fine.error(), script->text, script->name);
  const auto gateway = session(context, command, *settings);
  if (!gateway) return report(gateway.error());
  int jobs = 0;
  for (const syntax::StatementText& statement : *statements) {
    auto done = gateway->run(statement.text, kAnswer, stop_requested);
    if (done && (statement.first_word == "SET" || statement.first_word == "RESET"))   // what the command line sets wins
      for (const auto& [key, value] : *settings)
        if (auto set = gateway->run(fmt::format("SET '{}' = '{}'", key, value), kAnswer, stop_requested); !set) done = fail(set.error());
    if (!done) {
      Error error = done.error();
      error.position = statement.span.position();
      if (jobs > 0) error.hint = fmt::format("{} before it {} running: supyo submit status", jobs == 1 ? "the job" : "the jobs", jobs == 1 ? "is" : "are");
      return report(error, script->text, script->name);
    }
    if (done->job.empty()) continue;
    ++jobs;
    write_out(command.json ? fmt::format("{{\"job\":{},\"statement\":{}}}\n", json_string(done->job), json_string(statement.text)) : fmt::format("{}  {}\n", done->job, first_words(statement.text)));
  }
  gateway->close();
  if (jobs == 0) return report(Error{ErrorCode::kInvalidQuery, fmt::format("{} has no INSERT INTO: Flink was given no job", script->name), "supyo sql shows what a query gives"});
  if (!command.json) write_error(fmt::format("{} submitted; what became of {}: supyo submit status --gateway {}\n", jobs == 1 ? "1 job" : fmt::format("{} jobs", jobs), jobs == 1 ? "it" : "them", command.gateway));
  return kFine;
}

/// A statement about jobs, and its answer as it comes.
int ask(const Context& context, const SubmitCommand& command, const std::string& sql) {
  const auto gateway = session(context, command, {});
  if (!gateway) return report(gateway.error());
  const auto answer = gateway->run(sql, kAnswer, stop_requested);
  gateway->close();
  if (!answer) return report(answer.error());
  for (const auto& row : answer->rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += command.json ? fmt::format("{}{}:{}", i == 0 ? "{" : ",", json_string(i < answer->columns.size() ? answer->columns[i] : std::to_string(i)), json_string(row[i])) : fmt::format("{}{}", i == 0 ? "" : "  ", row[i]);
    write_out(line + (command.json ? "}\n" : "\n"));
  }
  if (answer->rows.empty() && !command.json) write_error("no jobs\n");
  return kFine;
}

/// A job's id is 32 hexadecimal digits: nothing else gets into a statement.
int about_job(const Context& context, const SubmitCommand& command, std::string_view how) {
  if (command.job.size() != 32 || command.job.find_first_not_of("0123456789abcdef") != std::string::npos)
    return report(Error{ErrorCode::kUsage, fmt::format("{} is not the id of a job", command.job), "supyo submit status lists them"});
  return ask(context, command, fmt::format("STOP JOB '{}'{}", command.job, how));
}

}  // namespace

void add_submit(CLI::App& app, Context& context, int& result) {
  auto command = std::make_shared<SubmitCommand>();
  CLI::App* sub = app.add_subcommand("submit", "run the statements of a file on a real Flink, by its SQL gateway");
  const auto common = [&](CLI::App* to) {
    to->add_option("--gateway", command->gateway, "address of the SQL gateway")->capture_default_str();
    to->add_flag("--json", command->json, "one object a job");
  };
  common(sub);
  sub->add_option("FILE", command->file, "SQL file; - reads standard input");
  sub->add_option("--set", command->settings, "KEY=VALUE: a setting of Flink, wins over SET in the file")->allow_extra_args(false);
  sub->add_option("--var", command->variables, "NAME=VALUE: fills ${NAME} in the file")->allow_extra_args(false);
  sub->footer("The jobs go on when the command ends.\n\nExample:\n  supyo stack up kafka flink\n  supyo submit pipeline.sql --set 'execution.checkpointing.interval=10 s'\n  supyo submit status\n  supyo submit savepoint JOB");
  sub->require_subcommand(0, 1);
  sub->callback([command, sub, &context, &result] {
    if (!sub->get_subcommands().empty()) return;
    result = command->file.empty() ? report(Error{ErrorCode::kUsage, "submit needs a FILE, or one of status, savepoint, cancel", "supyo submit --help"}) : run_submit(context, *command);
  });
  CLI::App* status = sub->add_subcommand("status", "the gateway's jobs: id, name, state, since when");
  common(status);
  status->callback([command, &context, &result] { result = ask(context, *command, "SHOW JOBS"); });
  CLI::App* savepoint = sub->add_subcommand("savepoint", "stop a job with a savepoint, from which it can go on, and print where it is");
  common(savepoint);
  savepoint->add_option("JOB", command->job, "its id")->required();
  savepoint->add_flag("--drain", command->drain, "first let windows give out what they hold: for the end of a pipeline, not for an upgrade");
  savepoint->callback([command, &context, &result] { result = about_job(context, *command, command->drain ? " WITH SAVEPOINT WITH DRAIN" : " WITH SAVEPOINT"); });
  CLI::App* cancel = sub->add_subcommand("cancel", "end a job without a savepoint");
  common(cancel);
  cancel->add_option("JOB", command->job, "its id")->required();
  cancel->callback([command, &context, &result] { result = about_job(context, *command, ""); });
}

}  // namespace supyo::cli
