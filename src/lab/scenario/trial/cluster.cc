#include "lab/scenario/trial/cluster.h"

#include <fmt/format.h>

namespace supyo::scenario {

std::vector<std::pair<std::string, std::string>> EmbeddedBroker::settings() { return {{"group.initial.rebalance.delay.ms", "0"}}; }

Result<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::start(const env::Env& env, const std::string& program, const std::string& directory, const std::optional<env::NetAddress>& advertise) {
  SUPYO_TRY(env.files.create_directories(directory));
  fault::OwnServer::Options options{.program = {.arguments = {program, "broker", "--data", env::join_path(directory, "broker"), "--listen", "127.0.0.1:0"},
                                                .error = env::ProgramOutput::to_file(env::join_path(directory, "broker.log"))},
                                    .ready = "broker at "};
  for (const auto& [key, value] : settings()) {
    options.program.arguments.emplace_back("--config");
    options.program.arguments.push_back(key + "=" + value);
  }
  if (advertise) {
    options.program.arguments.emplace_back("--advertise");
    options.program.arguments.push_back(advertise->to_string());
  }
  const std::size_t from = options.ready.size();
  std::unique_ptr<EmbeddedBroker> broker(new EmbeddedBroker(env, std::move(options)));
  SUPYO_ASSIGN(const std::string line, broker->server_.start());
  SUPYO_ASSIGN(broker->address_, env::parse_net_address(std::string_view(line).substr(from, line.find(',') - from)));
  return broker;
}

Result<env::NetAddress> free_address(env::Net& net) {
  SUPYO_ASSIGN(const auto listener, net.listen({}));
  return listener->address();
}

}  // namespace supyo::scenario
