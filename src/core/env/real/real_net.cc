#include "core/env/real/real_net.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "core/env/real/real_files.h"

namespace supyo::env {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { if (fd_ >= 0) ::close(fd_); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<SocketAddress> to_socket_address(const NetAddress& address) {
  SocketAddress out;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (::inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    out.length = sizeof *v4;
    return out;
  }
  if (::inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    out.length = sizeof *v6;
    return out;
  }
  return fail(ErrorCode::kBadOptionValue, fmt::format("'{}' is not an IP address", address.host), "a number such as 127.0.0.1 or ::1");
}

NetAddress from_socket_address(const SocketAddress& from) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (from.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&from.storage);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
    return {text.data(), ntohs(v6->sin6_port)};
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&from.storage);
  ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
  return {text.data(), ntohs(v4->sin_port)};
}

void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

class RealConnection final : public Connection {
 public:
  RealConnection(Descriptor fd, NetAddress peer) : fd_(std::move(fd)), peer_(std::move(peer)) {}
  Read read(std::span<char> out) override {
    for (;;) {
      const ssize_t n = ::recv(fd_.get(), out.data(), out.size(), 0);
      if (n > 0) return {static_cast<std::size_t>(n), false};
      if (n == 0) return {0, true};
      if (errno == EINTR) continue;
      return {0, errno != EAGAIN && errno != EWOULDBLOCK};
    }
  }
  Written write(std::string_view bytes) override {
    for (;;) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n >= 0) return {static_cast<std::size_t>(n), false};
      if (errno == EINTR) continue;
      return {0, errno != EAGAIN && errno != EWOULDBLOCK};
    }
  }
  void reset_when_closed() override {
    const linger none{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
  const NetAddress& peer() const override { return peer_; }
  int descriptor() const { return fd_.get(); }

 private:
  Descriptor fd_;
  NetAddress peer_;
};

class RealListener final : public Listener {
 public:
  RealListener(Descriptor fd, NetAddress address) : fd_(std::move(fd)), address_(std::move(address)) {}
  Result<std::unique_ptr<Connection>> accept() override {
    for (;;) {
      SocketAddress peer;
      peer.length = sizeof peer.storage;
      const int fd = ::accept4(fd_.get(), peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        set_no_delay(fd);
        return std::make_unique<RealConnection>(Descriptor(fd), from_socket_address(peer));
      }
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return nullptr;
      return fail(system_error(errno, "accepting a connection on", address_.to_string()));
    }
  }
  const NetAddress& address() const override { return address_; }
  int descriptor() const { return fd_.get(); }

 private:
  Descriptor fd_;
  NetAddress address_;
};

class RealPoller final : public Poller {
 public:
  RealPoller(Descriptor epoll, Descriptor event) : epoll_(std::move(epoll)), event_(std::move(event)) {}
  Status watch(Listener& listener, std::uint64_t token) override {
    return control(EPOLL_CTL_ADD, static_cast<RealListener&>(listener).descriptor(), token, {});
  }
  Status watch(Connection& connection, std::uint64_t token, Interest interest) override {
    return control(EPOLL_CTL_ADD, static_cast<RealConnection&>(connection).descriptor(), token, interest);
  }
  Status change(Connection& connection, std::uint64_t token, Interest interest) override {
    return control(EPOLL_CTL_MOD, static_cast<RealConnection&>(connection).descriptor(), token, interest);
  }
  void forget(Listener& listener) override { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, static_cast<RealListener&>(listener).descriptor(), nullptr); }
  void forget(Connection& connection) override { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, static_cast<RealConnection&>(connection).descriptor(), nullptr); }
  std::span<const Ready> wait(DurationUs timeout_us) override {
    const DurationUs timeout = std::clamp<DurationUs>(timeout_us, 0, kHour);
    const timespec until{.tv_sec = timeout / kSecond, .tv_nsec = timeout % kSecond * 1000};
    int n = ::epoll_pwait2(epoll_.get(), events_.data(), static_cast<int>(events_.size()), &until, nullptr);
    if (n < 0 && errno == ENOSYS)   // before Linux 5.11
      n = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), static_cast<int>((timeout + 999) / kMillisecond));
    ready_.clear();
    for (int i = 0; i < n; ++i) {
      const epoll_event& e = events_[static_cast<std::size_t>(i)];
      if (e.data.u64 == kWakeToken) {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(event_.get(), &count, sizeof count);
        continue;
      }
      const bool broken = (e.events & (EPOLLERR | EPOLLHUP)) != 0;
      ready_.push_back({e.data.u64, broken || (e.events & EPOLLIN) != 0, broken || (e.events & EPOLLOUT) != 0});
    }
    return ready_;
  }
  void wake() override {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
  }
  Status start() { return control(EPOLL_CTL_ADD, event_.get(), kWakeToken, {}); }

 private:
  static constexpr std::uint64_t kWakeToken = UINT64_MAX;
  Status control(int operation, int fd, std::uint64_t token, Interest interest) {
    epoll_event e{};
    e.events = (interest.read ? EPOLLIN : 0U) | (interest.write ? EPOLLOUT : 0U);
    e.data.u64 = token;
    if (::epoll_ctl(epoll_.get(), operation, fd, &e) == 0) return ok();
    return fail(system_error(errno, "watching", "a connection"));
  }
  Descriptor epoll_;
  Descriptor event_;
  std::array<epoll_event, 256> events_;
  std::vector<Ready> ready_;
};

}  // namespace

Result<std::unique_ptr<Listener>> RealNet::listen(const NetAddress& address) {
  SUPYO_ASSIGN(SocketAddress to, to_socket_address(address));
  Descriptor fd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (fd.get() < 0 || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    return fail(system_error(errno, "opening a socket for", address.to_string()));
  if (::bind(fd.get(), to.get(), to.length) != 0 || ::listen(fd.get(), 1024) != 0) {
    if (errno == EADDRINUSE)
      return fail(ErrorCode::kAddressInUse, fmt::format("{} is in use by another process", address.to_string()), "give another port, or port 0 for a free one");
    return fail(system_error(errno, "listening on", address.to_string()));
  }
  SocketAddress bound;
  bound.length = sizeof bound.storage;
  if (::getsockname(fd.get(), bound.get(), &bound.length) != 0) return fail(system_error(errno, "listening on", address.to_string()));
  return std::make_unique<RealListener>(std::move(fd), from_socket_address(bound));
}

Result<std::unique_ptr<Connection>> RealNet::connect(const NetAddress& address) {
  SUPYO_ASSIGN(SocketAddress to, to_socket_address(address));
  Descriptor fd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return fail(system_error(errno, "opening a socket to", address.to_string()));
  int connected = 0;
  do {
    connected = ::connect(fd.get(), to.get(), to.length);
  } while (connected != 0 && errno == EINTR);
  if (connected != 0) return fail(ErrorCode::kOutsideUnavailable, fmt::format("connecting to {}: {}", address.to_string(), std::strerror(errno)));
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) return fail(system_error(errno, "connecting to", address.to_string()));
  set_no_delay(fd.get());
  return std::make_unique<RealConnection>(std::move(fd), address);
}

Result<std::unique_ptr<Poller>> RealNet::make_poller() {
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  Descriptor event(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (epoll.get() < 0 || event.get() < 0) return fail(system_error(errno, "making", "a poller"));
  auto poller = std::make_unique<RealPoller>(std::move(epoll), std::move(event));
  SUPYO_TRY(poller->start());
  return poller;
}

}  // namespace supyo::env
