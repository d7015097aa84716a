#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/env/sim/sim_env.h"
#include "serve/broker/broker.h"

// Requests of clients that mean harm. An input is a session of two connections with a fresh broker: a control byte, a length of two bytes (little-endian), so many
// bytes of a request, and so on. Control: 1 = the other connection, 2 = the turn ends, 4 = it is gone, 8 = ten seconds pass. They are answered or refused; the
// sanitizers look on. What is left of the machine's promises is checked: the broker goes on, and it opens its directory again.
namespace {

using namespace supyo;

struct Nowhere final : broker::Outbox {
  void send(std::uint64_t, std::uint64_t, std::string) override {}
  void skip(std::uint64_t, std::uint64_t) override {}
  void close(std::uint64_t) override {}
};

broker::BrokerConfig small() {
  broker::BrokerConfig config;
  config.auto_create_topics = 1;
  config.group_delay_ms = 0;
  config.group_session_ms_min = 1;
  config.first_task_ms = 1'000;
  return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  env::SimEnv sim(1);
  Nowhere nowhere;
  auto served = broker::Broker::open(sim.env(), "data", small(), {"127.0.0.1", 9092}, nowhere).value();
  std::string_view in(reinterpret_cast<const char*>(data), size);
  std::uint64_t sequence = 0;
  while (in.size() >= 3) {
    const auto control = static_cast<std::uint8_t>(in[0]);
    std::uint16_t length = 0;
    std::memcpy(&length, in.data() + 1, 2);
    in.remove_prefix(3);
    const std::string_view request = in.substr(0, length);
    in.remove_prefix(request.size());
    const std::uint64_t connection = control & 1U;
    served->handle(connection, ++sequence, "fuzz", request);
    if ((control & 2U) != 0 && !served->end_turn()) __builtin_trap();   // nothing that a client sends ends the broker
    if ((control & 4U) != 0) served->disconnected(connection);
    if ((control & 8U) != 0) sim.clock().advance_to(sim.clock().monotonic_us() + 10 * kSecond);
  }
  if (!served->end_turn()) __builtin_trap();
  served.reset();
  if (!broker::Broker::open(sim.env(), "data", small(), {"127.0.0.1", 9092}, nowhere)) __builtin_trap();
  return 0;
}
