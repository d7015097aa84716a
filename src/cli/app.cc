#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/context.h"
#include "cli/signals.h"
#include "connect/kafka/kafka.h"
#include "core/env/real/real_env.h"
#include "sql/syntax/diagnostic.h"

namespace supyo::cli {
namespace {

constexpr std::string_view kAbout =
    "Streaming SQL in Flink's dialect, exactly once, judged from the reader's side.\n\n"
    "  supyo sql -e \"SELECT 1 + 1\"\n"
    "  supyo run pipeline.sql --state state/\n"
    "  supyo lab run lag-blind-sink --out report/\n\n"
    "Each command explains itself: supyo run --help";

/// The command that the arguments chose, as far as they did: "supyo job stop".
std::pair<const CLI::App*, std::string> chosen_command(const CLI::App& app) {
  const CLI::App* command = &app;
  std::string name = "supyo";
  for (auto chosen = command->get_subcommands(); !chosen.empty(); chosen = command->get_subcommands()) {
    command = chosen.front();
    name += " " + command->get_name();
  }
  return {command, name};
}

/// Names of the commands below `command`, and of its options.
std::vector<std::string> words_of(const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::App* sub : command.get_subcommands([](const CLI::App* s) { return !s->get_group().empty(); })) words.push_back(sub->get_name());   // not the hidden ones
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
    for (const std::string& name : option->get_snames()) words.push_back("-" + name);
  }
  return words;
}

int usage_error(const CLI::ParseError& error, const CLI::App& app, int argc, char** argv) {
  const auto [command, name] = chosen_command(app);
  std::string message = error.what();
  if (message.empty()) message = "the arguments do not fit";
  message[0] = static_cast<char>(message[0] >= 'A' && message[0] <= 'Z' ? message[0] + 32 : message[0]);
  const std::vector<std::string> words = words_of(*command);
  const std::vector<std::string_view> candidates(words.begin(), words.end());
  // A first word that is no command: say that, and not the parser's list of all that follows.
  if (command == &app && argc > 1 && argv[1][0] != '-') message = fmt::format("there is no command {}", argv[1]);
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    // Only what the parser complained about.
    if (message.find(argument) == std::string::npos || std::ranges::find(candidates, argument) != candidates.end()) continue;
    const std::string_view meant = syntax::nearest_word(argument.substr(0, argument.find('=')), candidates);
    if (!meant.empty()) return report(Error{ErrorCode::kUsage, message, fmt::format("did you mean {}? {} --help shows all", meant, name)});
  }
  return report(Error{ErrorCode::kUsage, message, fmt::format("{} --help shows the options and an example", name)});
}

/// `supyo completion bash`: completes commands and options, and file names elsewhere.
std::string bash_completion(const CLI::App& app) {
  std::string cases;
  const auto add = [&](const CLI::App& command, const std::string& pattern) {
    cases += fmt::format("    {}) words=\"", pattern);
    for (const std::string& word : words_of(command)) cases += word + " ";
    cases += "\" ;;\n";
  };
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App* s) { return !s->get_group().empty(); })) {
    for (const CLI::App* below : sub->get_subcommands([](const CLI::App*) { return true; })) add(*below, fmt::format("'{} {}'", sub->get_name(), below->get_name()));
    add(*sub, fmt::format("'{} '*|'{}'", sub->get_name(), sub->get_name()));
  }
  std::string first;
  for (const std::string& word : words_of(app)) first += word + " ";
  return fmt::format(
      "# source <(supyo completion bash)\n"
      "_supyo() {{\n  local current=\"${{COMP_WORDS[COMP_CWORD]}}\" words=\"\"\n"
      "  case \"${{COMP_WORDS[1]}}$([ \"$COMP_CWORD\" -gt 2 ] && echo \" ${{COMP_WORDS[2]}}\")\" in\n{}  esac\n"
      "  [ \"$COMP_CWORD\" -eq 1 ] && words=\"{}\"\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "  [ ${{#COMPREPLY[@]}} -eq 0 ] && COMPREPLY=($(compgen -f -- \"$current\"))\n}}\n"
      "complete -o filenames -F _supyo supyo\n",
      cases, first);
}

void add_completion(CLI::App& app, int& result) {
  CLI::App* sub = app.add_subcommand("completion", "print what makes a shell complete supyo's commands and options");
  auto shell = std::make_shared<std::string>("bash");
  sub->add_option("SHELL", *shell, "bash (zsh: after `autoload -U bashcompinit && bashcompinit`)");
  sub->footer("Example:\n  source <(supyo completion bash)");
  sub->callback([shell, &app, &result] {
    if (*shell != "bash" && *shell != "zsh") {
      result = report(Error{ErrorCode::kUsage, fmt::format("no completion is known for {}", *shell), "supyo completion bash"});
      return;
    }
    write_out(bash_completion(app));
  });
}

}  // namespace

int run_command_line(int argc, char** argv) {
  install_signal_handlers();
  env::RealEnv real;
  Context context{real.env(), ::isatty(STDOUT_FILENO) != 0, ::isatty(STDERR_FILENO) != 0};
  if (char* directory = ::getcwd(nullptr, 0); directory != nullptr) {
    context.working_directory = directory;
    std::free(directory);
  }
  int result = kFine;

  CLI::App app{std::string(kAbout), "supyo"};
  app.set_version_flag("--version", "", "print the version, and that of the Kafka client");
  bool licenses = false;
  app.add_flag("--licenses", licenses, "print the licences of Supyo and of the libraries in it");
  app.require_subcommand(0, 1);
  add_run(app, context, result);
  add_sql(app, context, result);
  add_explain(app, context, result);
  add_late(app, context, result);
  add_job(app, context, result);
  add_log(app, context, result);
  add_broker(app, context, result);
  add_gen(app, context, result);
  add_consume(app, context, result);
  add_watch(app, context, result);
  add_diagnose(app, context, result);
  add_slo(app, context, result);
  add_lab(app, context, result);
  add_lab_worker(app, context, result);
  add_lab_member(app, context, result);
  add_stack(app, context, result);
  add_submit(app, context, result);
  add_bench(app, context, result);
  add_completion(app, result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion&) {
    write_out("supyo " SUPYO_VERSION "\n" + connect::kafka_client_version() + "\n");
    return kFine;
  } catch (const CLI::Success&) {
    write_out(app.help());  // of the command that was chosen
    return kFine;
  } catch (const CLI::ParseError& error) {
    return usage_error(error, app, argc, argv);
  } catch (const std::exception& error) {
    return report(Error{ErrorCode::kInternal, error.what(), "this is a bug: please report it with the command that you gave"});
  }
  if (licenses) {
    write_out(licenses_text());
    return kFine;
  }
  if (app.get_subcommands().empty()) {
    write_out(app.help());
    return kUsage;
  }
  return result;
}

}  // namespace supyo::cli
