#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "cli/context.h"
#include "cli/drive.h"
#include "cli/line_editor.h"
#include "cli/shell.h"
#include "cli/signals.h"
#include "sql/syntax/parser.h"
#include "sql/syntax/token.h"

/// supyo sql: one statement, a file, or a conversation.
namespace supyo::cli {
namespace {

constexpr std::string_view kExample =
    "Examples:\n"
    "  supyo sql -e \"SELECT 1 + 1 AS two\"\n"
    "  supyo sql -e \"CREATE TABLE g (n BIGINT) WITH ('connector'='datagen', 'number-of-rows'='5', 'fields.n.kind'='sequence',"
    " 'fields.n.start'='1', 'fields.n.end'='5'); SELECT n, n * n AS square FROM g\"\n"
    "  echo 'SHOW FUNCTIONS' | supyo sql --format json\n"
    "  supyo sql --state build/flights/state -e 'SELECT * FROM `flights$late` LIMIT 5'";

constexpr std::string_view kHelp =
    "Statements end with ; and may go over several lines. Tab completes, the arrow keys recall what was typed, in earlier sessions too.\n"
    "Ctrl-C stops a running query (twice: ends the program), Ctrl-D leaves.\n"
    "  help            this\n"
    "  quit, exit      leave\n"
    "  SHOW TABLES; SHOW FUNCTIONS; DESCRIBE t; EXPLAIN SELECT ..;\n"
    "  SET 'parallelism.default' = '2';   SET; shows what is set\n"
    "  CREATE TABLE t (..) WITH ('connector' = 'datagen');   SELECT * FROM t LIMIT 10;\n";

struct SqlOptions {
  std::string file, text, state, format = "table";
  std::vector<std::string> variables;
  bool json = false;
};

/// Without its `;`, in lower case: the shell's own words.
std::string shell_word(std::string_view line) {
  while (!line.empty() && (line.back() == ';' || line.back() == ' ' || line.back() == '\n')) line.remove_suffix(1);
  std::string word;
  for (const char c : line) word += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return word;
}

/// Where the statements of earlier conversations are, one a line; empty: nowhere.
std::string history_path() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return env::join_path(state, "supyo/history");
  const char* home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? env::join_path(home, ".local/state/supyo/history") : std::string();
}

void load_history(env::Files& files, const std::string& path, LineEditor& editor) {
  const auto text = path.empty() ? Result<std::string>(std::string()) : files.read_all(path);
  if (!text) return;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    editor.remember(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

/// A history that cannot be kept is no reason to disturb anybody.
void save_history(env::Files& files, const std::string& path, const LineEditor& editor) {
  if (path.empty()) return;
  std::string all;
  for (const std::string& line : editor.history()) all += line + "\n";
  const std::string directory = env::parent_path(path);
  if (files.create_directories(directory) && ::chmod(directory.c_str(), S_IRWXU) == 0) (void)files.write_atomically(path, all);   // statements hold passwords
}

int converse(Context& context, Shell& shell) {
  LineEditor editor;
  const std::string history = history_path();
  load_history(context.env.files, history, editor);
  write_out("Supyo " SUPYO_VERSION ": statements end with ;  help  quit\n");
  std::string statement;
  const KnownNames names = shell.names();
  editor.completer = [&](std::string_view before, std::string_view behind) {
    Completion c = complete(statement + std::string(before), behind, names);
    c.begin -= std::min(c.begin, statement.size());
    return c;
  };
  while (true) {
    const LineEditor::Line line = editor.read(statement.empty() ? "supyo> " : "    -> ");
    if (line.kind == LineEditor::Kind::kEnd) {
      write_out("\n");
      return kFine;
    }
    if (line.kind == LineEditor::Kind::kInterrupted) {
      statement.clear();
      continue;
    }
    if (statement.empty()) {
      const std::string word = shell_word(line.text);
      if (word.empty()) continue;
      if (word == "quit" || word == "exit") return kFine;
      if (word == "help") {
        write_out(kHelp);
        continue;
      }
    }
    statement += line.text + "\n";
    if (syntax::needs_more_input(statement)) continue;
    if (editor.remember(statement)) save_history(context.env.files, history, editor);
    shell.execute(statement, {});
    clear_stop_request();
    statement.clear();
  }
}

int run_sql(Context& context, const SqlOptions& options) {
  const auto format = parse_row_format(options.json ? "json" : options.format);
  if (!format) return report(format.error());
  const bool one_shot = !options.text.empty() || !options.file.empty() || ::isatty(STDIN_FILENO) == 0;
  auto shell = Shell::create(context, *format, options.state, !one_shot);
  if (!shell) return report(shell.error());
  if (!one_shot) return converse(context, **shell);
  int result = kFine;
  if (!options.file.empty() || options.text.empty()) {
    const std::optional<Script> script = read_script(context, options.file.empty() ? "-" : options.file, options.variables, result);
    if (!script) return result;
    result = (*shell)->execute(script->text, script->name);
  }
  if (result == kFine && !options.text.empty()) result = (*shell)->execute(options.text, {});
  return result;
}

}  // namespace

void add_sql(CLI::App& app, Context& context, int& result) {
  auto options = std::make_shared<SqlOptions>();
  CLI::App* sub = app.add_subcommand("sql", "SQL shell, or one shot with -e, -f or standard input");
  sub->add_option("-e", options->text, "statements to run; after those of -f");
  sub->add_option("-f", options->file, "file of statements to run; - reads standard input");
  sub->add_option("--state", options->state, "see the system tables (such as `T$late`) of the job of this state directory");
  sub->add_option("--format", options->format, "table, csv, json (one object a row) or changelog (json with \"op\":\"+I\" and so on)");
  sub->add_option("--var", options->variables, "NAME=VALUE: fills ${NAME} in the file")->allow_extra_args(false);
  sub->add_flag("--json", options->json, "the same as --format json");
  sub->footer(std::string(kExample));
  sub->callback([options, &context, &result] { result = run_sql(context, *options); });
}

}  // namespace supyo::cli
