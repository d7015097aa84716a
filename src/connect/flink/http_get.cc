#include "connect/flink/http_get.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace supyo::connect {
namespace {

constexpr DurationUs kStep = kMillisecond;
constexpr std::size_t kAnswerMax = 16U << 20;

std::string lower(std::string_view s) {
  std::string out(s);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return out;
}

/// Of a header, without blanks around it; empty when it is not there. `head` in lower case.
std::string_view header(std::string_view head, std::string_view name) {
  const std::size_t at = head.find(fmt::format("\r\n{}:", name));
  if (at == std::string_view::npos) return {};
  std::string_view value = head.substr(at + name.size() + 3);
  value = value.substr(0, value.find("\r\n"));
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  return value;
}

std::unexpected<Error> malformed() { return fail(ErrorCode::kMalformedRecord, "an answer that is not HTTP/1.1", "does the URL name the REST address of Flink's JobManager?"); }

Result<std::string> unchunk(std::string_view body) {
  std::string out;
  while (true) {
    const std::size_t line = body.find("\r\n");
    std::size_t size = 0;
    if (line == std::string_view::npos) return malformed();
    const auto [end, error] = std::from_chars(body.data(), body.data() + line, size, 16);
    if (error != std::errc{} || end == body.data()) return malformed();
    body.remove_prefix(line + 2);
    if (size == 0) return out;
    if (body.size() < size || body.size() - size < 2) return malformed();
    out += body.substr(0, size);
    body.remove_prefix(size + 2);
  }
}

/// Flink answers errors with Java's stack trace: what the last "Caused by" says, or nothing.
std::string innermost_cause(std::string_view body) {
  constexpr std::string_view kCause = "Caused by: ";
  constexpr std::size_t kMost = 400;
  const std::size_t at = body.rfind(kCause);
  if (at == std::string_view::npos) return {};
  const std::string_view cause = body.substr(at + kCause.size(), kMost);
  return fmt::format(": {}", cause.substr(0, std::min(cause.find("\\n"), cause.find('\n'))));
}

}  // namespace

Result<HttpUrl> parse_http_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  std::string_view rest = url;
  if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  HttpUrl parsed;
  const auto address = env::parse_net_address(rest.substr(0, slash));
  if (!address) return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is no URL: {}", url, address.error().message), "write http://127.0.0.1:8081");
  parsed.address = *address;
  parsed.path = rest.substr(slash);
  while (parsed.path.ends_with('/')) parsed.path.pop_back();
  return parsed;
}

Result<std::string> http_body(std::string_view answer) {
  const std::size_t blank = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.") || blank == std::string_view::npos || answer.size() < 12) return malformed();
  const std::string head = lower(answer.substr(0, blank));
  const std::string_view body = answer.substr(blank + 4);
  if (head[9] != '2') return fail(ErrorCode::kOutsideUnavailable, fmt::format("answered {}{}", answer.substr(9, std::min<std::size_t>(answer.find("\r\n") - 9, 80)), innermost_cause(body)));
  if (header(head, "transfer-encoding") == "chunked") return unchunk(body);
  const std::string_view length = header(head, "content-length");
  if (length.empty()) return std::string(body);
  std::size_t size = 0;
  std::from_chars(length.data(), length.data() + length.size(), size);
  if (body.size() < size) return malformed();
  return std::string(body.substr(0, size));
}

namespace {

Result<std::string> exchange(const env::Env& env, const HttpUrl& url, std::string_view path, std::string_view method, std::string_view json, DurationUs timeout_us) {
  const std::string what = fmt::format("http://{}{}{}", url.address.to_string(), url.path, path);
  const TimeUs deadline = env.clock.monotonic_us() + timeout_us;
  SUPYO_ASSIGN(const auto connection, env.net->connect(url.address));
  std::string request = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\nConnection: close\r\n", method, url.path, path, url.address.to_string());
  if (!json.empty()) request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", json.size());
  request += "\r\n";
  request += json;
  std::string_view left = request;
  const auto wait = [&] {
    env.threads->idle(kStep);
    return env.clock.monotonic_us() < deadline;
  };
  while (!left.empty()) {
    const auto written = connection->write(left);
    if (written.closed || (written.bytes == 0 && !wait())) return fail(ErrorCode::kOutsideUnavailable, what + ": the connection was closed");
    left.remove_prefix(written.bytes);
  }
  std::string answer;
  char chunk[16384];
  while (true) {
    const auto read = connection->read(chunk);
    answer.append(chunk, read.bytes);
    if (answer.size() > kAnswerMax) return fail(ErrorCode::kMalformedRecord, what + ": an answer of more than 16 MiB");
    if (read.closed && read.bytes == 0) break;
    if (read.bytes == 0 && !wait()) return fail(ErrorCode::kOutsideUnavailable, what + ": no answer in time");
  }
  auto body = http_body(answer);
  if (!body) return fail(body.error().with_context(what));
  return body;
}

}  // namespace

Result<std::string> http_get(const env::Env& env, const HttpUrl& url, std::string_view path, DurationUs timeout_us) { return exchange(env, url, path, "GET", {}, timeout_us); }

Result<std::string> http_post(const env::Env& env, const HttpUrl& url, std::string_view path, std::string_view json, DurationUs timeout_us) { return exchange(env, url, path, "POST", json, timeout_us); }

Result<std::string> http_delete(const env::Env& env, const HttpUrl& url, std::string_view path, DurationUs timeout_us) { return exchange(env, url, path, "DELETE", {}, timeout_us); }

}  // namespace supyo::connect
