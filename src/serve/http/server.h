#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/env/env.h"
#include "serve/http/http_message.h"

namespace supyo::http {

struct ListenAddress {
  std::string host = "127.0.0.1";   ///< 127.0.0.1 or ::1: this machine only
  std::uint16_t port = 8081;        ///< 0 = any that is free
};
/// "8081", ":8081", "127.0.0.1:8081", "localhost:8081", "[::1]:8081"; empty is the default. Errors: kUsage; kNotAllowed for an address
/// that other machines can reach (put a reverse proxy with TLS and authentication before it).
Result<ListenAddress> parse_listen_address(std::string_view text);

/// What a server takes.
struct ServerOptions {
  bool writes = false;   ///< POST and DELETE too: they reach the handler
};

/// A small HTTP/1.1 server for this machine: GET and HEAD (and what ServerOptions adds), one response a connection, bounded in everything (connections, bytes, time). Requests that
/// a page of another site could have made are refused (Host and Origin are checked).
///
/// One thread of its own, which calls the handler: the handler is thread-safe towards whoever owns what it reads, and quick. Stops with its destructor.
class HttpServer {
 public:
  using Handler = std::function<Response(const Request&)>;
  /// Errors: kAddressInUse, kNotAllowed (a port below 1024 without the right), kIo.
  static Result<std::unique_ptr<HttpServer>> start(const env::Env& env, const ListenAddress& address, Handler handler, ServerOptions options = {});
  ~HttpServer();

  std::uint16_t port() const;
  /// "http://127.0.0.1:8081"
  std::string url() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace supyo::http
