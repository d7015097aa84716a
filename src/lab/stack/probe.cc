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

/// ApiVersions, version 3: Kafka's broker answers any client, with its features in the tagged fields. Source: https://kafka.apache.org/protocol#The_Messages_ApiVersions
std::string api_versions_request() {
  constexpr std::string_view kClient = "supyo-stack", kVersion = "1";
  const auto compact = [](std::string_view text) { return big_endian(text.size() + 1, 1) + std::string(text); };
  const std::string no_tags = big_endian(0, 1);
  const std::string body = big_endian(18, 2) + big_endian(3, 2) + big_endian(7, 4) + big_endian(kClient.size(), 2) + std::string(kClient) + no_tags + compact(kClient) + compact(kVersion) + no_tags;
  return big_endian(body.size(), 4) + body;
}

/// Reads a Kafka answer; beyond its end everything is 0 and failed() says so.
class AnswerReader {
 public:
  explicit AnswerReader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char c : take(bytes)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const std::uint64_t byte = number(1);
      value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    failed_ = true;
    return 0;
  }
  std::string_view take(std::size_t bytes) {
    failed_ = failed_ || bytes > rest_.size();
    if (failed_) return {};
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  /// Of a compact array or text: one more than its length.
  std::size_t length() {
    const std::uint64_t n = varint();
    return n == 0 ? 0 : static_cast<std::size_t>(n - 1);
  }
  void skip_tags() {
    for (std::uint64_t n = varint(); n > 0 && !failed_; --n) {
      varint();
      take(static_cast<std::size_t>(varint()));
    }
  }
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

bool is_whole_frame(std::string_view answer) { return answer.size() >= 4 && answer.size() - 4 >= read_u32(answer); }

}  // namespace

std::map<std::string, int> parse_features(std::string_view answer) {
  AnswerReader r(answer);
  constexpr std::size_t kFrameSize = 4, kCorrelation = 4, kError = 2, kApiVersions = 6, kThrottle = 4;
  constexpr std::uint64_t kFinalizedTag = 2;
  r.take(kFrameSize + kCorrelation + kError);
  for (std::size_t apis = r.length(); apis > 0 && !r.failed(); --apis) {
    r.take(kApiVersions);
    r.skip_tags();
  }
  r.take(kThrottle);
  std::map<std::string, int> features;
  for (std::uint64_t tags = r.varint(); tags > 0 && !r.failed(); --tags) {
    const std::uint64_t tag = r.varint();
    AnswerReader field(r.take(static_cast<std::size_t>(r.varint())));
    if (tag != kFinalizedTag) continue;
    for (std::size_t n = field.length(); n > 0 && !field.failed(); --n) {
      const std::string name(field.take(field.length()));
      const auto most = static_cast<int>(field.number(2));
      field.number(2);   // the least level that clients may use
      field.skip_tags();
      if (!field.failed()) features[name] = most;
    }
  }
  return r.failed() ? std::map<std::string, int>() : features;
}

std::map<std::string, int> kafka_features(const env::Env& env, const env::NetAddress& address, DurationUs limit_us) {
  SUPYO_CHECK(env.net != nullptr && env.threads != nullptr);
  Exchange exchange(env, limit_us);
  if (!exchange.connect(address) || !exchange.send(api_versions_request()) || !exchange.receive(is_whole_frame)) return {};
  return parse_features(exchange.answer());
}

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
