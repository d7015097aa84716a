#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "cli/context.h"
#include "cli/drive.h"
#include "cli/signals.h"
#include "cli/stack_options.h"
#include "lab/stack/stack.h"

/// supyo stack: real servers as processes of this machine.
namespace supyo::cli {
namespace {

struct StackCommand {
  std::vector<std::string> names, config;
  std::string directory, downloads;
  unsigned port_offset = 0;
  bool remove_data = false, remove_downloads = false, follow = false, json = false;
  std::size_t lines = 20;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// $XDG_DATA_HOME/supyo/stack, else ~/.local/share/supyo/stack; downloads below $XDG_CACHE_HOME or ~/.cache. Source: the XDG base directory specification.
Result<std::string> user_directory(const char* xdg, std::string_view below_home, std::string_view rest) {
  if (const std::string set = variable(xdg); set.starts_with('/')) return env::join_path(set, rest);
  const std::string home = variable("HOME");
  if (home.empty()) return fail(ErrorCode::kMissingOption, fmt::format("neither {} nor HOME is set", xdg), "give --dir and --downloads");
  return env::join_path(env::join_path(home, below_home), rest);
}

Result<stack::StackOptions> options_of(const Context& context, const StackCommand& command) {
  const auto absolute = [&](const std::string& path) { return path.starts_with('/') ? path : env::join_path(context.working_directory, path); };
  stack::StackOptions options;
  options.java_home = variable("JAVA_HOME");
  SUPYO_ASSIGN(options.supyo, context.env.processes->own_program());
  options.port_offset = static_cast<std::uint16_t>(command.port_offset);
  SUPYO_ASSIGN(options.broker_config, parse_assignments(command.config, "--config"));
  if (!command.directory.empty()) {
    options.directory = absolute(command.directory);
  } else {
    SUPYO_ASSIGN(options.directory, user_directory("XDG_DATA_HOME", ".local/share", "supyo/stack"));
  }
  if (!command.downloads.empty()) {
    options.downloads = absolute(command.downloads);
  } else {
    SUPYO_ASSIGN(options.downloads, user_directory("XDG_CACHE_HOME", ".cache", "supyo/stack"));
  }
  return options;
}

stack::UpHooks hooks_of(const StackCommand& command) {
  stack::UpHooks hooks;
  hooks.stopped = stop_requested;
  if (!command.json) hooks.say = [](const std::string& line) { write_error(line + "\n"); };
  return hooks;
}

std::string state_of(const stack::ServiceStatus& s) { return !s.running ? "ended" : s.ready ? "ready" : "not answering"; }

std::string json_of(const stack::ServiceStatus& s) {
  std::string ports;
  for (const stack::Port& port : s.ports) ports += fmt::format("{}\"{}\":{}", ports.empty() ? "" : ",", port.name, port.number);
  return fmt::format("{{\"stack\":{},\"service\":{},\"state\":\"{}\",\"pid\":{},\"resident_bytes\":{},\"cpu_s\":{:.2f},\"ports\":{{{}}},\"log\":{}}}\n", json_string(s.stack), json_string(s.name), state_of(s),
                     s.process.pid, s.usage.resident_bytes, static_cast<double>(s.usage.cpu_us) / kSecond, ports, json_string(s.log));
}

std::string table_of(const std::vector<stack::ServiceStatus>& services) {
  std::string text = fmt::format("{:<11} {:<11} {:<14} {:>8} {:>8}  {:<34} {}\n", "STACK", "SERVICE", "STATE", "PID", "MEMORY", "PORTS", "LOG");
  for (const stack::ServiceStatus& s : services) {
    std::string ports;
    for (const stack::Port& port : s.ports) ports += fmt::format("{}{} {}", ports.empty() ? "" : ", ", port.name, port.number);
    text += fmt::format("{:<11} {:<11} {:<14} {:>8} {:>8}  {:<34} {}\n", s.stack, s.name, state_of(s), s.process.pid, fmt::format("{} MB", s.usage.resident_bytes >> 20), ports, s.log);
  }
  return text;
}

/// The services of the named stacks; of all when none is named.
Result<std::vector<stack::ServiceStatus>> status_of(const stack::Stack& stacks, std::vector<std::string> names) {
  if (names.empty())
    for (const std::string_view name : stack::stack_names()) names.emplace_back(name);
  std::vector<stack::ServiceStatus> all;
  for (const std::string& name : names) {
    SUPYO_ASSIGN(auto services, stacks.status(name));
    std::ranges::move(services, std::back_inserter(all));
  }
  return all;
}

void print(const std::vector<stack::ServiceStatus>& services, bool as_json) {
  if (!as_json) return write_out(services.empty() ? "nothing runs\n" : table_of(services));
  for (const stack::ServiceStatus& s : services) write_out(json_of(s));
}

Result<int> up(const Context& context, const StackCommand& command) {
  for (const std::string& name : command.names) SUPYO_TRY(stack::check_name(name));
  SUPYO_ASSIGN(stack::StackOptions options, options_of(context, command));
  stack::Stack stacks(context.env, std::move(options));
  // Prometheus last, whatever the order given: it watches the Kafka stacks that are there.
  std::vector<std::string> names = command.names;
  std::ranges::stable_partition(names, [](const std::string& name) { return name != "prometheus"; });
  for (const std::string& name : names) SUPYO_TRY(stacks.up(name, hooks_of(command)));
  SUPYO_ASSIGN(const auto services, status_of(stacks, command.names));
  print(services, command.json);
  if (!command.json) write_error(fmt::format("stop with: supyo stack down {}{} (-v removes the data too)\n", fmt::join(command.names, " "), command.directory.empty() ? "" : " --dir " + command.directory));
  return kFine;
}

Result<int> down(const Context& context, const StackCommand& command) {
  SUPYO_ASSIGN(stack::StackOptions options, options_of(context, command));
  const std::string downloads = options.downloads;
  stack::Stack stacks(context.env, std::move(options));
  std::vector<std::string> names = command.names;
  if (names.empty())
    for (const std::string_view name : stack::stack_names()) names.emplace_back(name);
  for (const std::string& name : names) SUPYO_TRY(stack::check_name(name));
  for (const std::string& name : names) SUPYO_TRY(stacks.down(name, command.remove_data, hooks_of(command)));
  if (command.remove_downloads) SUPYO_TRY(context.env.files.remove_all(downloads));
  return kFine;
}

Result<int> status(const Context& context, const StackCommand& command) {
  SUPYO_ASSIGN(stack::StackOptions options, options_of(context, command));
  SUPYO_ASSIGN(const auto services, status_of(stack::Stack(context.env, std::move(options)), command.names));
  print(services, command.json);
  return std::ranges::all_of(services, &stack::ServiceStatus::ready) ? kFine : kFailed;
}

/// The end of each log; with --follow, what comes after it until Ctrl-C.
Result<int> logs(const Context& context, const StackCommand& command) {
  SUPYO_ASSIGN(stack::StackOptions options, options_of(context, command));
  SUPYO_ASSIGN(const auto services, status_of(stack::Stack(context.env, std::move(options)), command.names));
  if (services.empty()) return fail(ErrorCode::kFileNotFound, "nothing of this stack was started here", "supyo stack up NAME; or --dir DIR if it was started with one");
  std::vector<std::uint64_t> read_to(services.size());
  env::Files& files = context.env.files;
  const auto title = [&](const stack::ServiceStatus& s) { return services.size() > 1 ? fmt::format("==> {}\n", s.log) : std::string(); };
  for (std::size_t i = 0; i < services.size(); ++i) {
    SUPYO_ASSIGN(const auto file, files.open(services[i].log, env::OpenMode::kRead));
    SUPYO_ASSIGN(read_to[i], file->size());
    write_out(title(services[i]) + stack::tail_of(files, services[i].log, command.lines));
  }
  std::string chunk(64 << 10, '\0');
  while (command.follow && !stop_requested()) {
    bool any = false;
    for (std::size_t i = 0; i < services.size(); ++i) {
      SUPYO_ASSIGN(const auto file, files.open(services[i].log, env::OpenMode::kRead));
      SUPYO_ASSIGN(const std::size_t n, file->read_at(read_to[i], chunk));
      if (n == 0) continue;
      any = true;
      read_to[i] += n;
      write_out(title(services[i]) + chunk.substr(0, n));
    }
    if (!any) context.env.threads->idle(100 * kMillisecond);
  }
  return kFine;
}

}  // namespace

Result<stack::StackOptions> user_stack(const Context& context) { return options_of(context, {}); }

void add_stack(CLI::App& app, Context& context, int& result) {
  auto command = std::make_shared<StackCommand>();
  CLI::App* sub = app.add_subcommand("stack", "real servers on this machine, without containers");
  sub->require_subcommand(1);
  sub->footer("Example:\n  supyo stack up kafka\n  supyo stack status\n  supyo stack down kafka -v");
  const auto add = [&](const char* name, const char* what, bool needs_name, Result<int> (*action)(const Context&, const StackCommand&), const char* example) {
    CLI::App* verb = sub->add_subcommand(name, what);
    CLI::Option* names = verb->add_option("NAME", command->names, fmt::format("which: {}{}", fmt::join(stack::stack_names(), ", "), needs_name ? "" : "; all when none is named"));
    if (needs_name) names->required();
    verb->add_option("--dir", command->directory, "where data, logs and process files are (default: supyo/stack in the user's data directory)");
    verb->footer(std::string("Example:\n  ") + example);
    verb->callback([command, action, &context, &result] {
      const auto done = action(context, *command);
      result = done ? *done : report(done.error());
    });
    return verb;
  };
  CLI::App* verb = add("up", "start, fetching what is missing; what runs already is left alone", true, up, "supyo stack up kafka prometheus");
  verb->add_option("--downloads", command->downloads, "where what is fetched is kept (default: supyo/stack in the user's cache directory)");
  verb->add_option("--port-offset", command->port_offset, "added to every port, when the usual ones are taken")->check(CLI::Range(0U, 40'000U));
  verb->add_option("--config", command->config, "K=V: a setting of the brokers, on top of their own")->allow_extra_args(false);
  verb->add_flag("--json", command->json, "one object a service");
  verb = add("status", "what runs, on which ports, how large; exit status 1 when something that was started does not answer", false, status, "supyo stack status kafka3 --json");
  verb->add_flag("--json", command->json, "one object a service");
  verb = add("down", "stop, brokers before their controller; data and logs stay", false, down, "supyo stack down kafka3 -v");
  verb->add_flag("-v,--volumes", command->remove_data, "remove data and logs too: nothing is left but the downloads");
  verb->add_flag("--remove-downloads", command->remove_downloads, "remove what was fetched as well");
  verb->add_option("--downloads", command->downloads, "where what was fetched is kept");
  verb = add("logs", "the end of the servers' logs", true, logs, "supyo stack logs kafka --follow");
  verb->add_option("--lines", command->lines, "so many lines of each")->check(CLI::Range(std::size_t{1}, std::size_t{10'000}));
  verb->add_flag("--follow", command->follow, "then what is added, until Ctrl-C");
}

}  // namespace supyo::cli
