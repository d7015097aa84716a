#include <cstddef>
#include <cstdint>

#include "core/env/sim/sim_env.h"
#include "serve/broker/broker.h"

// Requests of a client that means harm: any bytes after a plausible head, several on one broker. They are answered or refused; the sanitizers look on.
namespace {

struct Nowhere final : supyo::broker::Outbox {
  void send(std::uint64_t, std::uint64_t, std::string) override {}
  void skip(std::uint64_t, std::uint64_t) override {}
  void close(std::uint64_t) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static supyo::env::SimEnv* sim = nullptr;
  static std::unique_ptr<supyo::broker::Broker> broker;
  static Nowhere nowhere;
  static std::uint64_t inputs = 0;
  if (inputs++ % 1'000 == 0) {   // a new machine now and then: what the inputs made of it does not pile up
    broker.reset();
    delete sim;
    sim = new supyo::env::SimEnv(1);
    broker = supyo::broker::Broker::open(sim->env(), "data", {}, {}, nowhere).value();
  }
  broker->handle(1, 1, "fuzz", {reinterpret_cast<const char*>(data), size});
  (void)broker->end_turn();
  broker->disconnected(1);
  return 0;
}
