#include "lab/scenario/child_broker.h"

#include <fmt/format.h>

namespace supyo::scenario {
namespace {

constexpr std::string_view kReady = "broker at ";   // then the address and a comma

}  // namespace

Result<std::unique_ptr<ChildBroker>> ChildBroker::start(const env::Env& env, const std::string& directory, const std::map<std::string, std::string>& settings, const std::optional<env::NetAddress>& advertise) {
  SUPYO_TRY(env.files.remove_all(directory));
  SUPYO_TRY(env.files.create_directories(directory));
  SUPYO_ASSIGN(const std::string program, env.processes->own_program());
  env::Program broker{.arguments = {program, "broker", "--data", directory, "--listen", "127.0.0.1:0"}, .error = env::ProgramOutput::to_pipe()};
  for (const auto& [key, value] : settings) {
    broker.arguments.emplace_back("--config");
    broker.arguments.push_back(fmt::format("{}={}", key, value));
  }
  if (advertise) broker.arguments.insert(broker.arguments.end(), {"--advertise", advertise->to_string()});
  std::unique_ptr<ChildBroker> child(new ChildBroker(env, directory, {.program = std::move(broker), .ready = std::string(kReady)}));
  const auto line = child->server_.start();
  if (!line) {
    Error error = line.error();
    error.hint = fmt::format("try it by hand: supyo broker --data {}", directory);
    return fail(std::move(error));
  }
  child->address_ = line->substr(kReady.size(), line->find(',') - kReady.size());
  SUPYO_ASSIGN(child->identity_, child->server_.process());
  return child;
}

ChildBroker::~ChildBroker() { (void)server_.end(); }

}  // namespace supyo::scenario
