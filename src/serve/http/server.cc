#include "serve/http/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

namespace supyo::http {
namespace {

constexpr std::size_t kConnectionsMax = 32;
constexpr DurationUs kConnectionTime = 5 * kSecond;   // from accept to the last byte
constexpr int kPollMs = 50;                           // how long the destructor may have to wait

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct Connection {
  Descriptor socket;
  TimeUs deadline_us = 0;
  std::string in;
  std::string out;          ///< empty until the request is whole
  std::size_t sent = 0;
  bool closing = false;
};

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  ListenAddress address;
  if (text.empty()) return address;
  std::string_view host, port = text;
  if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || error != std::errc() || end != port.data() + port.size() || number > 65535)
    return fail(ErrorCode::kUsage, fmt::format("'{}' is no address to listen on", text), "write a port (8081) or 127.0.0.1:8081");
  address.port = static_cast<std::uint16_t>(number);
  if (host == "[::1]" || host == "::1") {
    address.host = "::1";
  } else if (!host.empty() && host != "127.0.0.1" && host != "localhost") {
    return fail(ErrorCode::kNotAllowed, fmt::format("{} can be reached from other machines, and this API has no authentication", host),
                "listen on 127.0.0.1, and put a reverse proxy with TLS and authentication (or an SSH tunnel) before it");
  }
  return address;
}

struct HttpServer::Impl {
  Impl(const env::Env& e, ListenAddress a, Handler h, ServerOptions o) : env(e), address(std::move(a)), handler(std::move(h)), options(o) {}

  Status listen();
  void serve();
  void accept_all();
  void handle(Connection& connection);
  void read(Connection& connection);
  void write(Connection& connection);
  Response respond(const Request& request) const;

  env::Env env;
  ListenAddress address;
  Handler handler;
  ServerOptions options;
  Descriptor listener;
  std::vector<Connection> connections;
  std::atomic<bool> stop{false};
  std::unique_ptr<env::Thread> thread;
};

Status HttpServer::Impl::listen() {
  const bool six = address.host == "::1";
  listener = Descriptor(::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (listener.get() < 0) return fail(ErrorCode::kIo, fmt::format("no socket to listen on: {}", std::strerror(errno)));
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in v4 = {};
  sockaddr_in6 v6 = {};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(address.port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  v6.sin6_addr = in6addr_loopback;
  const auto* where = six ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
  const socklen_t size = six ? sizeof v6 : sizeof v4;
  if (::bind(listener.get(), where, size) != 0 || ::listen(listener.get(), 64) != 0) {
    const int why = errno;
    if (why == EADDRINUSE)
      return fail(ErrorCode::kAddressInUse, fmt::format("another process listens on {} port {}", address.host, address.port), "choose another port, for example --serve 8082, or stop that process");
    if (why == EACCES) return fail(ErrorCode::kNotAllowed, fmt::format("port {} needs special rights", address.port), "choose a port from 1024 on");
    return fail(ErrorCode::kIo, fmt::format("cannot listen on {} port {}: {}", address.host, address.port, std::strerror(why)));
  }
  socklen_t length = six ? sizeof v6 : sizeof v4;
  ::getsockname(listener.get(), six ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4), &length);
  address.port = ntohs(six ? v6.sin6_port : v4.sin_port);
  return ok();
}

void HttpServer::Impl::serve() {
  std::vector<pollfd> polled;
  while (!stop.load()) {
    polled.clear();
    polled.push_back({listener.get(), connections.size() < kConnectionsMax ? static_cast<short>(POLLIN) : static_cast<short>(0), 0});
    for (const Connection& c : connections) polled.push_back({c.socket.get(), static_cast<short>(c.out.empty() ? POLLIN : POLLOUT), 0});
    if (::poll(polled.data(), polled.size(), kPollMs) < 0 && errno != EINTR) return;
    const TimeUs now = env.clock.monotonic_us();
    for (std::size_t i = 0; i < connections.size(); ++i) {
      if (polled[i + 1].revents != 0) handle(connections[i]);
      if (now >= connections[i].deadline_us) connections[i].closing = true;
    }
    std::erase_if(connections, [](const Connection& c) { return c.closing; });
    if ((polled[0].revents & POLLIN) != 0) accept_all();
  }
}

void HttpServer::Impl::accept_all() {
  while (connections.size() < kConnectionsMax) {
    Descriptor socket(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.get() < 0) return;
    Connection connection;
    connection.socket = std::move(socket);
    connection.deadline_us = env.clock.monotonic_us() + kConnectionTime;
    connections.push_back(std::move(connection));
  }
}

void HttpServer::Impl::handle(Connection& connection) {
  if (connection.out.empty()) read(connection);
  if (!connection.out.empty()) write(connection);
}

void HttpServer::Impl::read(Connection& connection) {
  char chunk[4096];
  while (true) {
    const ssize_t n = ::recv(connection.socket.get(), chunk, sizeof chunk, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n <= 0) {
      connection.closing = true;
      return;
    }
    connection.in.append(chunk, static_cast<std::size_t>(n));
    Request request;
    const ParseState state = parse_request(connection.in, request);
    if (state == ParseState::kNeedMore) continue;
    const Response response = state == ParseState::kBad ? problem(400, "this is no HTTP/1.1 request, or it is too long") : respond(request);
    connection.out = render_response(response, request.method == "HEAD");
    return;
  }
}

Response HttpServer::Impl::respond(const Request& request) const {
  if (is_foreign(request)) return problem(403, "this API is for this machine: Host must be localhost, and Origin the same");
  const bool reads = request.method == "GET" || request.method == "HEAD", writes = request.method == "POST" || request.method == "DELETE";
  if (!reads && !(writes && options.writes)) return problem(405, options.writes ? "GET, HEAD, POST or DELETE" : "this API only reads: GET or HEAD");
  return handler(request);
}

void HttpServer::Impl::write(Connection& connection) {
  while (connection.sent < connection.out.size()) {
    const ssize_t n = ::send(connection.socket.get(), connection.out.data() + connection.sent, connection.out.size() - connection.sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n <= 0) break;
    connection.sent += static_cast<std::size_t>(n);
  }
  ::shutdown(connection.socket.get(), SHUT_RDWR);
  connection.closing = true;
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  impl_->stop.store(true);
  if (impl_->thread) impl_->thread->join();
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const env::Env& env, const ListenAddress& address, Handler handler, ServerOptions options) {
  auto impl = std::make_unique<Impl>(env, address, std::move(handler), options);
  SUPYO_TRY(impl->listen());
  Impl* served = impl.get();
  impl->thread = env.threads->start("http", [served] { served->serve(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

std::uint16_t HttpServer::port() const { return impl_->address.port; }
std::string HttpServer::url() const {
  return fmt::format("http://{}:{}", impl_->address.host == "::1" ? "[::1]" : impl_->address.host, impl_->address.port);
}

}  // namespace supyo::http
