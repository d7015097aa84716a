#include "serve/broker/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/check.h"

namespace supyo::broker {
namespace {

constexpr std::uint64_t kListenerToken = 0;
constexpr std::size_t kChunk = 256 << 10;
constexpr DurationUs kLongestWait = 100 * kMillisecond;   // how long a stop may go unnoticed

}  // namespace

Result<std::unique_ptr<Server>> Server::open(const env::Env& env, ServerOptions options) {
  SUPYO_CHECK(env.net != nullptr);
  if (!options.listen.is_loopback() && !options.insecure_public)
    return fail(ErrorCode::kNotAllowed, fmt::format("{} can be reached from other machines, and the broker has neither encryption nor authentication", options.listen.to_string()),
                "listen on 127.0.0.1, or say --insecure-public where nobody else is on the network");
  std::unique_ptr<Server> server(new Server(env, std::move(options)));
  SUPYO_ASSIGN(server->listener_, env.net->listen(server->options_.listen));
  SUPYO_ASSIGN(server->poller_, env.net->make_poller());
  SUPYO_TRY(server->poller_->watch(*server->listener_, kListenerToken));
  const env::NetAddress endpoint = server->options_.advertise.value_or(server->listener_->address());
  SUPYO_ASSIGN(server->broker_, Broker::open(env, server->options_.directory, server->options_.config, endpoint, *server));
  server->broker_->on_ready([poller = server->poller_.get()] { poller->wake(); });
  server->chunk_.resize(kChunk);
  return server;
}

Server::~Server() {
  for (auto& [id, client] : connections_) poller_->forget(*client.connection);
  if (listener_ && poller_) poller_->forget(*listener_);
}

void Server::stop() {
  stop_ = true;
  poller_->wake();
}

Status Server::run() {
  while (!stop_ && !stop_asked()) {
    const TimeUs before = env_.clock.monotonic_us();
    const DurationUs left = std::clamp<DurationUs>(broker_->next_deadline() - before, 0, kLongestWait);
    const auto ready = poller_->wait(left);
    const TimeUs now = env_.clock.monotonic_us();
    for (const env::Poller::Ready& r : ready) {
      if (r.token == kListenerToken) {
        accept(now);
        continue;
      }
      const auto it = connections_.find(r.token);
      if (it == connections_.end()) continue;
      if (r.readable) read(r.token, it->second, now);
      touch(r.token);
    }
    SUPYO_TRY(broker_->end_turn());
    finish_turn(now);
  }
  return ok();
}

Server::Live Server::live() const {
  const std::lock_guard lock(live_mutex_);
  return live_;
}

void Server::accept(TimeUs now) {
  for (;;) {
    auto accepted = listener_->accept();
    if (!accepted || !*accepted) return;   // without descriptors the next turn tries again
    if (static_cast<std::int64_t>(connections_.size()) >= broker_->config().connections_max) continue;   // closed at once
    const std::uint64_t id = next_id_++;
    Client& client = connections_[id];
    client.connection = std::move(*accepted);
    client.host = client.connection->peer().host;
    client.last_heard_us = now;
    if (!poller_->watch(*client.connection, id, {})) connections_.erase(id);
  }
}

void Server::read(std::uint64_t id, Client& client, TimeUs now) {
  while (!client.closing && may_read(client)) {
    const auto got = client.connection->read(chunk_);
    if (got.bytes > 0) {
      client.last_heard_us = now;
      client.in.append(chunk_.data(), got.bytes);
      buffered_ += got.bytes;
      take_requests(id, client);
      if (static_cast<std::int64_t>(buffered_) > broker_->config().queued_bytes_max) client.closing = true;   // who asks for the most memory last, loses
    }
    if (got.closed) client.closing = true;
    if (got.bytes < chunk_.size()) return;   // level triggered: what is left comes with the next turn
  }
}

void Server::take_requests(std::uint64_t id, Client& client) {
  const auto largest = static_cast<std::uint64_t>(broker_->config().request_bytes_max);
  while (!client.closing && may_read(client)) {
    const std::size_t have = client.in.size() - client.in_from;
    if (have < 4) break;
    std::uint32_t length = 0;
    std::memcpy(&length, client.in.data() + client.in_from, 4);
    length = swap_bytes(length);
    if (length < 8 || length > largest) {   // shorter than a request's head: somebody else's protocol
      client.closing = true;
      return;
    }
    if (have < 4 + std::size_t{length}) break;
    const std::string_view request = std::string_view(client.in).substr(client.in_from + 4, length);
    client.answers.emplace_back();
    broker_->handle(id, client.next++, client.host, request);
    client.in_from += 4 + length;
    buffered_ -= 4 + length;
  }
  if (client.in_from == client.in.size()) {
    client.in.clear();
    client.in_from = 0;
    if (client.in.capacity() > 4 * kChunk) client.in.shrink_to_fit();
  } else if (client.in_from > kChunk) {
    client.in.erase(0, client.in_from);
    client.in_from = 0;
  }
}

void Server::send(std::uint64_t connection, std::uint64_t sequence, std::string bytes) {
  const auto it = connections_.find(connection);
  if (it == connections_.end()) return;   // it went away meanwhile
  Client& client = it->second;
  buffered_ += bytes.size();
  client.out_bytes += bytes.size();
  client.answers[sequence - client.first] = std::move(bytes);
  touch(connection);
}

void Server::skip(std::uint64_t connection, std::uint64_t sequence) {
  const auto it = connections_.find(connection);
  if (it == connections_.end()) return;
  it->second.answers[sequence - it->second.first] = std::string();
  touch(connection);
}

void Server::close(std::uint64_t connection) {
  const auto it = connections_.find(connection);
  if (it == connections_.end()) return;
  it->second.closing = true;
  touch(connection);
}

/// Answers go out in the order of their requests.
void Server::settle(Client& client) {
  while (!client.answers.empty() && client.answers.front()) {
    if (!client.answers.front()->empty()) client.out.push_back(std::move(*client.answers.front()));
    client.answers.pop_front();
    ++client.first;
  }
}

void Server::write(Client& client) {
  while (!client.out.empty()) {
    const std::string_view left = std::string_view(client.out.front()).substr(client.out_from);
    const auto wrote = client.connection->write(left);
    if (wrote.closed) client.closing = true;
    client.out_bytes -= wrote.bytes;
    buffered_ -= wrote.bytes;
    client.out_from += wrote.bytes;
    if (wrote.bytes < left.size()) return;
    client.out.pop_front();
    client.out_from = 0;
  }
}

void Server::update_interest(std::uint64_t id, Client& client) {
  const bool wants_write = !client.out.empty();
  const bool wants_read = may_read(client);
  if (wants_write == client.wants_write && wants_read == client.wants_read) return;
  client.wants_write = wants_write;
  client.wants_read = wants_read;
  if (!poller_->change(*client.connection, id, {.read = wants_read, .write = wants_write})) client.closing = true;
}

void Server::finish_turn(TimeUs now) {
  std::vector<std::uint64_t> touched;
  touched.swap(touched_);
  std::ranges::sort(touched);
  touched.erase(std::ranges::unique(touched).begin(), touched.end());
  for (const std::uint64_t id : touched) {
    const auto it = connections_.find(id);
    if (it == connections_.end()) continue;
    Client& client = it->second;
    settle(client);
    write(client);
    // Requests that waited for room: they are in the buffer already, no event will come for them.
    if (!client.closing && may_read(client) && client.in.size() - client.in_from >= 4) {
      const std::uint64_t before = client.next;
      take_requests(id, client);
      if (client.next != before) poller_->wake();   // their writes are synced by the turn that begins now
    }
    if (client.closing) close_client(id);
    else update_interest(id, client);
  }
  if (now < idle_check_us_) return;
  idle_check_us_ = now + kSecond;
  {
    Live live{.connections = connections_.size(), .groups = broker_->live_groups()};
    const std::lock_guard lock(live_mutex_);
    live_ = std::move(live);
  }
  const DurationUs idle = broker_->config().connections_idle_ms_max * kMillisecond;
  std::vector<std::uint64_t> old;
  for (const auto& [id, client] : connections_)
    if (now - client.last_heard_us > idle && client.answers.empty()) old.push_back(id);
  for (const std::uint64_t id : old) close_client(id);
}

void Server::close_client(std::uint64_t id) {
  const auto it = connections_.find(id);
  Client& client = it->second;
  buffered_ -= client.in.size() - client.in_from + client.out_bytes;
  poller_->forget(*client.connection);
  broker_->disconnected(id);
  connections_.erase(it);
}

}  // namespace supyo::broker
