#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/strong.h"

namespace supyo::env {

/// An IP address (no names: nothing here asks a resolver) and a port; port 0 lets the system choose.
struct NetAddress {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string to_string() const;   ///< "127.0.0.1:9092", "[::1]:9092"
  bool is_loopback() const;
};
/// "127.0.0.1:9092", "[::1]:9092", "localhost:9092", ":9092", "9092". kBadOptionValue.
Result<NetAddress> parse_net_address(std::string_view text);

/// A stream of bytes to somebody else. Never blocks. Closed by its destructor. One thread.
class Connection {
 public:
  virtual ~Connection() = default;
  struct Read {
    std::size_t bytes = 0;
    bool closed = false;   ///< the other side is gone; with neither bytes nor closed: nothing has come yet
  };
  virtual Read read(std::span<char> out) = 0;
  /// How many of the bytes were taken; 0 when the other side does not read at the moment.
  struct Written {
    std::size_t bytes = 0;
    bool closed = false;
  };
  virtual Written write(std::string_view bytes) = 0;
  /// When it is closed, the other side shall see a reset, as of a machine that lost its memory, and what was not sent yet is thrown away.
  virtual void reset_when_closed() = 0;
  virtual const NetAddress& peer() const = 0;
};

/// Waits for connections. One thread.
class Listener {
 public:
  virtual ~Listener() = default;
  /// The next connection, or null when nobody is waiting. kIo when the process has no more file descriptors (try again later).
  virtual Result<std::unique_ptr<Connection>> accept() = 0;
  /// Where it listens, the chosen port included.
  virtual const NetAddress& address() const = 0;
};

/// Tells which of many connections have something to do. One thread, except wake(). What is watched must be forgotten before it is destroyed.
class Poller {
 public:
  virtual ~Poller() = default;
  struct Interest {
    bool read = true;
    bool write = false;
  };
  struct Ready {
    std::uint64_t token = 0;
    bool readable = false;   ///< also when it is closed: read() then says so
    bool writable = false;
  };
  virtual Status watch(Listener& listener, std::uint64_t token) = 0;
  virtual Status watch(Connection& connection, std::uint64_t token, Interest interest) = 0;
  virtual Status change(Connection& connection, std::uint64_t token, Interest interest) = 0;
  virtual void forget(Listener& listener) = 0;
  virtual void forget(Connection& connection) = 0;
  /// Waits until something is ready, wake() was called, a signal came, or the time is over. Valid until the next call.
  virtual std::span<const Ready> wait(DurationUs timeout_us) = 0;
  /// Ends the current or the next wait. Any thread.
  virtual void wake() = 0;
};

/// The network. The simulation has none.
class Net {
 public:
  virtual ~Net() = default;
  /// kAddressInUse when the port is taken, kIo otherwise. A port whose last owner died is free at once (SO_REUSEADDR).
  virtual Result<std::unique_ptr<Listener>> listen(const NetAddress& address) = 0;
  /// Connected when it returns. kOutsideUnavailable.
  virtual Result<std::unique_ptr<Connection>> connect(const NetAddress& address) = 0;
  virtual Result<std::unique_ptr<Poller>> make_poller() = 0;
};

}  // namespace supyo::env
