#include "serve/http/http_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace supyo::http {
namespace {

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 409: return "Conflict";
    case 405: return "Method Not Allowed";
    case 503: return "Service Unavailable";
    default: return "Error";
  }
}

bool is_token(std::string_view s) {
  return !s.empty() && std::ranges::all_of(s, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view s) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '%') {
      out += s[i];
      continue;
    }
    if (i + 2 >= s.size() || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex(s[i + 1]) * 16 + hex(s[i + 2]));
    i += 2;
  }
  return out;
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

bool parse_request_line(std::string_view line, Request& request) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last == first) return false;
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return false;
  request.method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  if (!is_token(request.method) || !target.starts_with('/') || target.find(' ') != std::string_view::npos) return false;
  if (const std::size_t mark = target.find('?'); mark != std::string_view::npos) {
    request.query = target.substr(mark + 1);
    target = target.substr(0, mark);
  }
  auto path = decode(target);
  if (!path) return false;
  request.path = std::move(*path);
  return true;
}

/// The host without its port: "127.0.0.1:8081" -> "127.0.0.1", "[::1]:80" -> "[::1]".
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') == std::string_view::npos ? host.size() : host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool is_loopback_name(std::string_view host) {
  host = without_port(host);
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

ParseState take_body(std::string_view bytes, Request& request) {
  if (request.headers.contains("transfer-encoding")) return ParseState::kBad;
  const std::string_view length = request.header("content-length");
  if (length.empty()) return ParseState::kDone;
  std::size_t size = 0;
  const auto [stop, error] = std::from_chars(length.data(), length.data() + length.size(), size);
  if (error != std::errc() || stop != length.data() + length.size() || size > kBodyBytesMax) return ParseState::kBad;
  if (bytes.size() < size) return ParseState::kNeedMore;
  request.body = bytes.substr(0, size);
  return ParseState::kDone;
}

}  // namespace

Response problem(int status, std::string_view what) { return {status, "text/plain; charset=utf-8", fmt::format("{}\n", what)}; }

ParseState parse_request(std::string_view bytes, Request& request) {
  const std::size_t end = bytes.substr(0, kHeadBytesMax).find("\r\n\r\n");
  if (end == std::string_view::npos) return bytes.size() >= kHeadBytesMax ? ParseState::kBad : ParseState::kNeedMore;
  std::string_view head = bytes.substr(0, end + 2);
  request = {};
  for (bool first = true; !head.empty(); first = false) {
    const std::size_t stop = head.find("\r\n");
    const std::string_view line = head.substr(0, stop);
    head.remove_prefix(stop + 2);
    if (std::ranges::any_of(line, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; })) return ParseState::kBad;
    if (first) {
      if (!parse_request_line(line, request)) return ParseState::kBad;
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return ParseState::kBad;
    std::string name(line.substr(0, colon));
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    request.headers[name] = trim(line.substr(colon + 1));
  }
  return take_body(bytes.substr(end + 4), request);
}

std::string render_response(const Response& response, bool head_only) {
  std::string out = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
      "Content-Security-Policy: {}\r\n\r\n",
      response.status, reason(response.status), response.type, response.body.size(), response.policy.empty() ? "default-src 'none'" : response.policy);
  if (!head_only) out += response.body;
  return out;
}

bool is_foreign(const Request& request) {
  if (!is_loopback_name(request.header("host"))) return true;
  std::string_view origin = request.header("origin");
  if (origin.empty()) return false;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return origin.substr(scheme.size()) != request.header("host");
  }
  return true;
}

}  // namespace supyo::http
