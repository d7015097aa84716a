#include "lab/scenario/child_broker.h"

#include <fmt/format.h>

#include <array>

namespace supyo::scenario {
namespace {

constexpr DurationUs kReadyMost = 30 * kSecond;
constexpr DurationUs kStopMost = 10 * kSecond;
constexpr DurationUs kWait = 5 * kMillisecond;

}  // namespace

Result<std::unique_ptr<ChildBroker>> ChildBroker::start(const env::Env& env, const std::string& directory, const std::map<std::string, std::string>& settings) {
  SUPYO_TRY(env.files.remove_all(directory));
  SUPYO_TRY(env.files.create_directories(directory));
  SUPYO_ASSIGN(const std::string program, env.processes->own_program());
  env::Program broker{.arguments = {program, "broker", "--data", directory, "--listen", "127.0.0.1:0"}};
  for (const auto& [key, value] : settings) {
    broker.arguments.emplace_back("--config");
    broker.arguments.push_back(fmt::format("{}={}", key, value));
  }
  broker.out = env::ProgramOutput::to_pipe();
  broker.error = env::ProgramOutput::to_pipe();
  std::unique_ptr<ChildBroker> child(new ChildBroker(env, directory));
  SUPYO_ASSIGN(child->process_, env.processes->start(broker));
  SUPYO_TRY(child->until_ready());
  return child;
}

ChildBroker::~ChildBroker() {
  if (!process_) return;
  (void)process_->signal(env::ProcessSignal::kInterrupt);
  const TimeUs limit = env_.clock.monotonic_us() + kStopMost;
  while (env_.clock.monotonic_us() < limit) {
    const auto ended = process_->poll();
    if (!ended || *ended) break;
    env_.threads->idle(kWait);
  }
}

/// Its first line names the address: "broker at 127.0.0.1:41234, data in ...".
Status ChildBroker::until_ready() {
  const TimeUs limit = env_.clock.monotonic_us() + kReadyMost;
  std::string said;
  std::array<char, 4096> chunk{};
  while (env_.clock.monotonic_us() < limit) {
    SUPYO_ASSIGN(const env::InputStream::Read read, process_->output()->read(chunk));
    said.append(chunk.data(), read.bytes);
    constexpr std::string_view kBefore = "broker at ";
    const std::size_t from = said.find(kBefore), to = from == std::string::npos ? from : said.find(", ", from);
    if (to != std::string::npos) {
      address_ = said.substr(from + kBefore.size(), to - from - kBefore.size());
      return ok();
    }
    if (read.ended) break;
    if (read.bytes == 0) env_.threads->idle(kWait);
  }
  return fail(ErrorCode::kOutsideUnavailable, fmt::format("the broker of the lab did not start: {}", said.empty() ? "it said nothing" : said), fmt::format("try it by hand: supyo broker --data {}", directory_));
}

}  // namespace supyo::scenario
