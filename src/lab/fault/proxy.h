#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/base/result.h"
#include "core/env/env.h"
#include "core/env/net.h"
#include "lab/fault/delay_line.h"

namespace supyo::fault {

enum class Direction : std::uint8_t {
  kUp,     ///< from the client to the server
  kDown,   ///< from the server to the client
};

struct ProxyOptions {
  env::NetAddress listen = {};             ///< port 0: a free one
  env::NetAddress upstream = {};
  std::size_t buffer_bytes = 1 << 20;      ///< under way at most, a connection and direction: then the sender has to wait
  std::size_t connections_max = 1'000;     ///< more are closed at once
};

struct ProxyCounts {
  std::uint64_t accepted = 0, unreachable = 0;   ///< connections; of these, whose server did not answer
  std::uint64_t reset = 0, cut = 0;              ///< connections that a fault ended
  std::uint64_t bytes_up = 0, bytes_down = 0;    ///< passed on
  std::size_t open = 0;
};

/// Stands between clients and a server and does to their connections what a network does: latency, a narrow line, a black hole, resets, a cut. TCP is all that
/// it knows. Kafka's clients follow what the broker advertises, so the broker has to advertise this address (`supyo broker --advertise`, a listener of its own
/// for Kafka: docs/stack.md).
///
/// FaultProxy's methods may be called from any thread; a fault holds a moment after the call (a turn of the loop: below a millisecond when nothing else is on).
class ProxyControl {
 public:
  virtual ~ProxyControl() = default;
  virtual void set(Direction direction, const Flow& flow) = 0;
  /// Every connection is closed as by a machine that was switched off and on again: both ends see a reset. New ones are taken as ever.
  virtual void reset_connections() = 0;
  /// Every connection is closed, and new ones are refused, until mend().
  virtual void cut() = 0;
  /// Ends cut() and the flows' faults: bytes pass as they come.
  virtual void mend() = 0;
  virtual ProxyCounts counts() const = 0;
};

/// The proxy's loop, without a thread: whoever calls turn() is it. Tests drive it with a clock of theirs. The control's methods: any thread; the rest: one.
class ProxyLoop final : public ProxyControl {
 public:
  /// Errors: kAddressInUse, kIo.
  static Result<std::unique_ptr<ProxyLoop>> open(const env::Env& env, ProxyOptions options);
  ~ProxyLoop() override;

  const env::NetAddress& address() const { return address_; }
  /// Carries out what was ordered, passes on what is due, and waits for more: until something comes, something is due, or `wait_us` is over.
  void turn(DurationUs wait_us);
  /// Ends the wait of turn(). Any thread.
  void wake() { poller_->wake(); }

  void set(Direction direction, const Flow& flow) override;
  void reset_connections() override;
  void cut() override;
  void mend() override;
  ProxyCounts counts() const override;

 private:
  /// One side of a connection.
  struct Side {
    std::unique_ptr<env::Connection> connection;
    DelayLine to;              ///< what goes to this side
    bool closed = false;       ///< it sends nothing any more
    bool gone = false;         ///< and takes nothing any more
    bool watched = true;
    env::Poller::Interest interest{.read = true, .write = false};
  };
  struct Link {
    Side near, far;            ///< the client, the server
  };
  struct Orders {
    Flow up, down;
    bool cut = false;
    bool reset = false;        ///< once
  };
  static constexpr std::uint64_t kListener = 0;

  ProxyLoop(const env::Env& env, ProxyOptions options) : env_(env), options_(std::move(options)) {}
  Status listen();
  void obey();
  void accept();
  void read(std::uint64_t token, Link& link);
  /// Passes on what is due; whether the link goes on.
  bool pump(std::uint64_t token, Link& link, TimeUs now);
  bool pass(Side& from, Side& to, const Flow& flow, TimeUs now, std::uint64_t& count);
  void watch(std::uint64_t token, Side& side, env::Poller::Interest wanted);
  void drop(Link& link);
  void drop_all(bool as_reset);
  DurationUs until_due(TimeUs now) const;

  env::Env env_;
  ProxyOptions options_;
  env::NetAddress address_;
  std::unique_ptr<env::Poller> poller_;
  std::unique_ptr<env::Listener> listener_;
  std::map<std::uint64_t, Link> links_;   ///< by token / 2; the client's token is even, the server's odd
  std::uint64_t next_ = 1;
  TimeUs listen_again_us_ = 0;
  Flow up_, down_;                        ///< in effect
  std::string chunk_;                     ///< reused

  mutable std::mutex mutex_;              ///< of what follows
  Orders orders_;
  ProxyCounts counts_;
};

/// A ProxyLoop on a thread of its own. Needs env.net and env.threads. The destructor closes every connection and waits for the thread.
class FaultProxy {
 public:
  /// Errors: as ProxyLoop::open.
  static Result<std::unique_ptr<FaultProxy>> start(const env::Env& env, ProxyOptions options);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  const env::NetAddress& address() const { return loop_->address(); }
  ProxyControl& control() { return *loop_; }

 private:
  explicit FaultProxy(std::unique_ptr<ProxyLoop> loop) : loop_(std::move(loop)) {}
  std::unique_ptr<ProxyLoop> loop_;
  std::atomic<bool> stop_ = false;
  std::unique_ptr<env::Thread> thread_;   ///< last: joined before the loop goes
};

}  // namespace supyo::fault
