#include "connect/kafka/log_dirs.h"

#include <fmt/format.h>

namespace supyo::connect {
namespace {

constexpr DurationUs kStep = kMillisecond;
constexpr std::size_t kAnswerMax = 256U << 20;
constexpr std::int16_t kDescribeLogDirs = 35;
constexpr int kNewest = 4, kOldest = 1, kFlexible = 2;   // https://kafka.apache.org/protocol#The_Messages_DescribeLogDirs
constexpr std::int16_t kUnsupportedVersion = 35, kClusterAuthorizationFailed = 31;

/// Reads the protocol's types; an end that comes too early makes everything after it zero, and is told.
class Reader {
 public:
  Reader(std::string_view bytes, bool compact) : bytes_(bytes), compact_(compact) {}
  bool failed() const { return failed_; }

  template <class Int>
  Int integer() {
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < sizeof(Int); ++i) v = v << 8 | byte();
    return static_cast<Int>(v);
  }
  std::uint64_t varint() {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const std::uint8_t b = byte();
      v |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      if ((b & 0x80) == 0) return v;
    }
    failed_ = true;
    return 0;
  }
  /// Elements of an array; each is at least a byte long, so that no count is believed that the bytes cannot hold.
  std::size_t count() {
    const std::uint64_t n = compact_ ? varint() : static_cast<std::uint64_t>(integer<std::int32_t>()) + 1;
    if (n == 0) return 0;
    if (n - 1 > bytes_.size()) failed_ = true;
    return failed_ ? 0 : n - 1;
  }
  std::string text() {
    const std::uint64_t n = compact_ ? varint() - 1 : static_cast<std::uint64_t>(integer<std::uint16_t>());
    if (failed_ || n > bytes_.size()) {
      failed_ = true;
      return {};
    }
    std::string s(bytes_.substr(0, n));
    bytes_.remove_prefix(n);
    return s;
  }
  void tags() {
    if (!compact_) return;
    for (std::uint64_t n = varint(); n > 0 && !failed_; --n) {
      (void)varint();
      const std::uint64_t size = varint();
      if (size > bytes_.size()) failed_ = true;
      else bytes_.remove_prefix(size);
    }
  }

 private:
  std::uint8_t byte() {
    if (bytes_.empty()) {
      failed_ = true;
      return 0;
    }
    const auto b = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return b;
  }
  std::string_view bytes_;
  bool compact_, failed_ = false;
};

std::string request(int version) {
  const bool flexible = version >= kFlexible;
  std::string body;
  const auto put = [&](std::uint64_t v, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) body.push_back(static_cast<char>(v >> shift & 0xff));
  };
  constexpr std::string_view kClient = "supyo";
  put(kDescribeLogDirs, 2);
  put(static_cast<std::uint64_t>(version), 2);
  put(1, 4);   // correlation
  put(kClient.size(), 2);
  body += kClient;
  if (flexible) body += std::string(3, '\0');   // no tags; all topics (null); no tags
  else put(0xffffffff, 4);                      // all topics
  const auto size = static_cast<std::uint32_t>(body.size());
  std::string framed;
  for (int shift = 24; shift >= 0; shift -= 8) framed.push_back(static_cast<char>(size >> shift & 0xff));
  return framed + body;
}

Result<std::string> exchange(const env::Env& env, const env::NetAddress& address, std::string_view bytes, DurationUs timeout_us) {
  const std::string what = fmt::format("asking {} for the sizes of its logs", address.to_string());
  const TimeUs deadline = env.clock.monotonic_us() + timeout_us;
  SUPYO_ASSIGN(const auto connection, env.net->connect(address));
  const auto wait = [&] {
    env.threads->idle(kStep);
    return env.clock.monotonic_us() < deadline;
  };
  while (!bytes.empty()) {
    const auto written = connection->write(bytes);
    if (written.closed || (written.bytes == 0 && !wait())) return fail(ErrorCode::kOutsideUnavailable, what + ": the connection was closed");
    bytes.remove_prefix(written.bytes);
  }
  std::string answer;
  std::size_t wanted = 4;
  char chunk[16384];
  while (answer.size() < wanted) {
    const auto read = connection->read(chunk);
    answer.append(chunk, read.bytes);
    if (wanted == 4 && answer.size() >= 4) {
      std::size_t size = 0;
      for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(answer[static_cast<std::size_t>(i)]);
      if (size > kAnswerMax) return fail(ErrorCode::kMalformedRecord, what + ": an answer that is none", "is this a Kafka broker without TLS?");
      wanted += size;
    }
    if (answer.size() < wanted && ((read.closed && read.bytes == 0) || (read.bytes == 0 && !wait()))) return fail(ErrorCode::kOutsideUnavailable, what + ": no answer");
  }
  return answer.substr(4, wanted - 4);
}

}  // namespace

Result<LogDirs> parse_log_dirs(std::string_view bytes, int version) {
  Reader r(bytes, version >= kFlexible);
  (void)r.integer<std::int32_t>();   // correlation
  r.tags();
  (void)r.integer<std::int32_t>();   // throttle
  std::int16_t code = version >= 3 ? r.integer<std::int16_t>() : std::int16_t{0};
  LogDirs all;
  for (std::size_t d = r.count(); d > 0 && !r.failed(); --d) {
    LogDirs::Directory directory;
    if (const auto own = r.integer<std::int16_t>(); own != 0 && code == 0) code = own;
    directory.path = r.text();
    for (std::size_t t = r.count(); t > 0 && !r.failed(); --t) {
      const std::string topic = r.text();
      for (std::size_t p = r.count(); p > 0 && !r.failed(); --p) {
        LogDirs::Partition partition{.topic = topic, .partition = r.integer<std::int32_t>(), .bytes = r.integer<std::int64_t>(), .lag = r.integer<std::int64_t>()};
        const bool future = r.integer<std::int8_t>() != 0;
        r.tags();
        if (!future) directory.partitions.push_back(std::move(partition));
      }
      r.tags();
    }
    if (version >= 4) {
      directory.total_bytes = r.integer<std::int64_t>();
      directory.usable_bytes = r.integer<std::int64_t>();
    }
    r.tags();
    all.directories.push_back(std::move(directory));
  }
  r.tags();
  if (code == kUnsupportedVersion) return fail(ErrorCode::kUnsupported, "the broker does not know this version of DescribeLogDirs");
  if (code == kClusterAuthorizationFailed) return fail(ErrorCode::kNotAllowed, "the sizes of logs are not told: it needs Describe on the cluster");
  if (r.failed()) return fail(ErrorCode::kMalformedRecord, "an answer to DescribeLogDirs that ends too early");
  return all;
}

Result<LogDirs> describe_log_dirs(const env::Env& env, const env::NetAddress& address, DurationUs timeout_us) {
  for (const int version : {kNewest, kOldest}) {
    const auto answer = exchange(env, address, request(version), timeout_us);
    // A broker that does not know the version closes the connection, or says so.
    if (!answer && version != kOldest) continue;
    if (!answer) return fail(answer.error());
    auto parsed = parse_log_dirs(*answer, version);
    if (parsed || parsed.error().code != ErrorCode::kUnsupported || version == kOldest) return parsed;
  }
  return fail(ErrorCode::kOutsideUnavailable, "DescribeLogDirs: no answer");
}

}  // namespace supyo::connect
