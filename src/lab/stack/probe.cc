#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "core/base/check.h"
#include "lab/stack/service.h"

namespace supyo::stack {
namespace {

constexpr DurationUs kStep = 2 * kMillisecond;
constexpr std::size_t kAnswerMax = 64 << 10;

/// One question and its answer over a connection of its own, with a time limit on the whole.
class Exchange {
 public:
  Exchange(const env::Env& env, DurationUs limit_us) : env_(env), deadline_us_(env.clock.monotonic_us() + limit_us) {}

  bool connect(const env::NetAddress& address) {
    auto connection = env_.net->connect(address);
    if (connection) connection_ = std::move(*connection);
    return connection_ != nullptr;
  }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto written = connection_->write(bytes);
      if (written.closed || !wait(written.bytes)) return false;
      bytes.remove_prefix(written.bytes);
    }
    return true;
  }
  /// Until `enough(answer)`; false when the other side closes or is too slow.
  bool receive(const std::function<bool(std::string_view)>& enough) {
    char chunk[4096];
    while (!enough(answer_)) {
      const auto read = connection_->read(chunk);
      answer_.append(chunk, read.bytes);
      if (answer_.size() > kAnswerMax || (read.closed && read.bytes == 0) || !wait(read.bytes)) return false;
    }
    return true;
  }
  std::string_view answer() const { return answer_; }

 private:
  bool wait(std::size_t progress) {
    if (progress > 0) return true;
    if (env_.clock.monotonic_us() >= deadline_us_) return false;
    env_.threads->idle(kStep);
    return true;
  }
  const env::Env& env_;
  TimeUs deadline_us_;
  std::unique_ptr<env::Connection> connection_;
  std::string answer_;
};

std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
  return out;
}

std::uint32_t read_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// Metadata, version 1, of no topic: the answer begins with the brokers that are alive. Source: https://kafka.apache.org/protocol#The_Messages_Metadata
std::string metadata_request() {
  constexpr std::string_view kClient = "supyo-stack";
  const std::string body = big_endian(3, 2) + big_endian(1, 2) + big_endian(7, 4) + big_endian(kClient.size(), 2) + std::string(kClient) + big_endian(0, 4);
  return big_endian(body.size(), 4) + body;
}

bool is_whole_frame(std::string_view answer) { return answer.size() >= 4 && answer.size() - 4 >= read_u32(answer); }

}  // namespace

bool probe(const env::Env& env, const Probe& probe, DurationUs limit_us) {
  SUPYO_CHECK(env.net != nullptr && env.threads != nullptr);
  Exchange exchange(env, limit_us);
  if (!exchange.connect(probe.address)) return false;
  switch (probe.kind) {
    case Probe::Kind::kTcp: return true;
    case Probe::Kind::kHttp: {
      const std::string request = fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", probe.path, probe.address.to_string());
      constexpr std::string_view kFine = "HTTP/1.1 200", kOlder = "HTTP/1.0 200";
      return exchange.send(request) && exchange.receive([&](std::string_view a) { return a.size() >= kFine.size(); }) &&
             (exchange.answer().starts_with(kFine) || exchange.answer().starts_with(kOlder));
    }
    case Probe::Kind::kKafka: {
      if (!exchange.send(metadata_request()) || !exchange.receive(is_whole_frame)) return false;
      // size, correlation id, number of brokers
      const std::string_view answer = exchange.answer();
      return answer.size() >= 12 && read_u32(answer.substr(4)) == 7 && read_u32(answer.substr(8)) >= static_cast<std::uint32_t>(probe.brokers) && read_u32(answer.substr(8)) < 10'000;
    }
  }
  std::unreachable();
}

}  // namespace supyo::stack
