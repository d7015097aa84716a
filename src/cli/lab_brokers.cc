#include "cli/lab_brokers.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/stack_options.h"
#include "lab/stack/fetch.h"
#include "lab/stack/stack.h"

namespace supyo::cli {
namespace {

constexpr int kLockTries = 100;   // another broker is being started: a moment each

class StackBrokers final : public scenario::BrokerProcesses {
 public:
  StackBrokers(const env::Env& env, const stack::StackOptions& options, std::string stack) : env_(env), directory_(options.directory), stacks_(env, options), stack_(std::move(stack)) {}

  Status open() {
    SUPYO_ASSIGN(const auto services, stacks_.status(stack_));
    for (const auto& s : services) {
      if (!s.ready) return fail(ErrorCode::kOutsideUnavailable, fmt::format("{} of {} does not answer", s.name, stack_), fmt::format("supyo stack up {}", stack_));
      for (const auto& port : s.ports)
        if (port.name == "kafka") servers_ += fmt::format("{}127.0.0.1:{}", servers_.empty() ? "" : ",", port.number);
    }
    if (servers_.empty()) return fail(ErrorCode::kOutsideUnavailable, fmt::format("no {} of supyo stack runs", stack_), fmt::format("supyo stack up {}", stack_));
    return ok();
  }

  std::string servers() const override { return servers_; }
  std::string name() const override { return fmt::format("Kafka {} of supyo stack {}", stack::kKafkaVersion, stack_); }

  Status signal(std::int32_t broker, env::ProcessSignal signal) override {
    SUPYO_ASSIGN(const auto process, process_of(broker));
    SUPYO_ASSIGN(const bool there, env_.processes->signal(process, signal));
    if (!there && signal != env::ProcessSignal::kContinue) return fail(ErrorCode::kJobNotRunning, fmt::format("broker {} had ended before", broker), fmt::format("supyo stack logs {}", stack_));
    return ok();
  }

  std::optional<env::ProcessUsage> look(std::int32_t broker) override {
    const auto process = process_of(broker);
    return process ? env_.processes->look(*process) : std::nullopt;
  }

  std::string data(std::int32_t broker) const override { return env::join_path(env::join_path(env::join_path(directory_, stack_), service_of(broker)), "data"); }

  Status start(std::int32_t broker) override {
    for (int i = 0;; ++i) {
      const Status done = stacks_.start_again(stack_, service_of(broker), {});   // at Ctrl-C too: what a lab killed is not left dead
      if (done || done.error().code != ErrorCode::kStateLocked || i == kLockTries) return done;
      env_.threads->idle(50 * kMillisecond);
    }
  }

 private:
  static std::string service_of(std::int32_t broker) { return fmt::format("broker-{}", broker); }
  /// Without asking whether it answers: a stopped one would be waited for.
  Result<env::ProcessIdentity> process_of(std::int32_t broker) { return stacks_.process(stack_, service_of(broker)); }

  env::Env env_;
  std::string directory_;
  stack::Stack stacks_;
  std::string stack_, servers_;
};

}  // namespace

Result<std::unique_ptr<scenario::BrokerProcesses>> stack_brokers(const Context& context, const std::string& stack) {
  SUPYO_ASSIGN(const stack::StackOptions options, user_stack(context));
  auto brokers = std::make_unique<StackBrokers>(context.env, options, stack);
  SUPYO_TRY(brokers->open());
  return std::unique_ptr<scenario::BrokerProcesses>(std::move(brokers));
}

}  // namespace supyo::cli
