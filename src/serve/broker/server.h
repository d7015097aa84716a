#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/env/net.h"
#include "serve/broker/broker.h"

namespace supyo::broker {

struct ServerOptions {
  std::string directory;
  env::NetAddress listen{"127.0.0.1", 9092};
  std::optional<env::NetAddress> advertise;   ///< what clients are told to connect to; by default where it listens
  bool insecure_public = false;               ///< serve others than this machine: the protocol here has neither encryption nor authentication
  BrokerConfig config;
};

/// The broker on the network: one thread, one event loop. Each turn reads what came, hands the requests to the Broker, ends the turn (one sync for all that
/// was produced), and writes the answers.
class Server final : private Outbox {
 public:
  /// kAddressInUse, kNotAllowed (not loopback and not told that this is meant), and what Broker::open says.
  static Result<std::unique_ptr<Server>> open(const env::Env& env, ServerOptions options);
  ~Server() override;

  const env::NetAddress& address() const { return listener_->address(); }
  Broker& broker() { return *broker_; }
  std::size_t connections() const { return connections_.size(); }
  struct Live {
    std::size_t connections = 0;
    std::vector<Broker::LiveGroup> groups;
  };
  /// As of the last second. Any thread.
  Live live() const;
  /// Serves until stop() or an error that is final.
  Status run();
  /// Ends run() soon. Any thread.
  void stop();
  /// Asked at least ten times a second, for those who cannot call stop().
  std::function<bool()> stop_asked = [] { return false; };

 private:
  struct Client {
    std::unique_ptr<env::Connection> connection;
    std::string host;
    std::string in;                    ///< unfinished request
    std::size_t in_from = 0;           ///< where in `in` it begins
    std::deque<std::string> out;       ///< answers that were not taken yet
    std::size_t out_from = 0;
    std::size_t out_bytes = 0;
    std::deque<std::optional<std::string>> answers;   ///< by sequence from `first`; null: not there yet
    std::uint64_t first = 0, next = 0;
    TimeUs last_heard_us = 0;
    bool closing = false;
    bool wants_write = false, wants_read = true;
  };
  static constexpr std::size_t kInFlight = 256;          ///< requests of a connection that wait for their answer
  static constexpr std::size_t kOutBytesPause = 8 << 20; ///< unread answers at which a connection's requests wait

  Server(const env::Env& env, ServerOptions options) : env_(env), options_(std::move(options)) {}
  void accept(TimeUs now);
  void read(std::uint64_t id, Client& client, TimeUs now);
  void take_requests(std::uint64_t id, Client& client);
  void settle(Client& client);
  void write(Client& client);
  void update_interest(std::uint64_t id, Client& client);
  void finish_turn(TimeUs now);
  void close_client(std::uint64_t id);
  bool may_read(const Client& client) const { return client.answers.size() < kInFlight && client.out_bytes < kOutBytesPause; }
  void send(std::uint64_t connection, std::uint64_t sequence, std::string bytes) override;
  void skip(std::uint64_t connection, std::uint64_t sequence) override;
  void close(std::uint64_t connection) override;
  void touch(std::uint64_t id) { touched_.push_back(id); }

  env::Env env_;
  ServerOptions options_;
  std::unique_ptr<env::Listener> listener_;
  std::unique_ptr<env::Poller> poller_;
  std::map<std::uint64_t, Client> connections_;
  std::vector<std::uint64_t> touched_;   ///< connections with something to do at the end of the turn
  std::uint64_t next_id_ = 1;
  std::size_t buffered_ = 0;             ///< bytes of unfinished requests and unread answers
  TimeUs idle_check_us_ = 0;
  mutable std::mutex live_mutex_;
  Live live_;
  std::string chunk_;                    ///< reused
  std::atomic<bool> stop_{false};
  std::unique_ptr<Broker> broker_;       ///< last: its Outbox is this
};

}  // namespace supyo::broker
