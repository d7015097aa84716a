#include "core/env/net.h"

#include <fmt/format.h>

#include <charconv>

namespace supyo::env {

std::string NetAddress::to_string() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

bool NetAddress::is_loopback() const { return host == "::1" || host.starts_with("127."); }

Result<NetAddress> parse_net_address(std::string_view text) {
  NetAddress address;
  const auto bad = [&] { return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is not an address and a port", text), "for example 127.0.0.1:9092"); };
  std::string_view port = text;
  if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    std::string_view host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string_view::npos) return bad();
    if (!host.empty() && host != "localhost") address.host = std::string(host);
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return bad();
  return address;
}

}  // namespace supyo::env
