#include "lab/fault/proxy.h"

#include <algorithm>
#include <utility>

namespace supyo::fault {
namespace {

constexpr std::size_t kChunk = 64 << 10;
constexpr DurationUs kListenAgain = 20 * kMillisecond;
constexpr DurationUs kLongestWait = 100 * kMillisecond;

bool same(const env::Poller::Interest& a, const env::Poller::Interest& b) { return a.read == b.read && a.write == b.write; }

}  // namespace

Result<std::unique_ptr<ProxyLoop>> ProxyLoop::open(const env::Env& env, ProxyOptions options) {
  std::unique_ptr<ProxyLoop> loop(new ProxyLoop(env, std::move(options)));
  loop->address_ = loop->options_.listen;
  loop->chunk_.resize(kChunk);
  SUPYO_ASSIGN(loop->poller_, env.net->make_poller());
  SUPYO_TRY(loop->listen());
  return loop;
}

ProxyLoop::~ProxyLoop() {
  drop_all(false);
  if (listener_) poller_->forget(*listener_);
}

Status ProxyLoop::listen() {
  SUPYO_ASSIGN(auto listener, env_.net->listen(address_));
  SUPYO_TRY(poller_->watch(*listener, kListener));
  address_ = listener->address();   // the same port after a cut
  listener_ = std::move(listener);
  return ok();
}

void ProxyLoop::set(Direction direction, const Flow& flow) {
  {
    const std::lock_guard lock(mutex_);
    (direction == Direction::kUp ? orders_.up : orders_.down) = flow;
  }
  wake();
}

void ProxyLoop::reset_connections() {
  {
    const std::lock_guard lock(mutex_);
    orders_.reset = true;
  }
  wake();
}

void ProxyLoop::cut() {
  {
    const std::lock_guard lock(mutex_);
    orders_.cut = true;
  }
  wake();
}

void ProxyLoop::mend() {
  {
    const std::lock_guard lock(mutex_);
    orders_ = Orders{.up = {}, .down = {}, .reset = orders_.reset};
  }
  wake();
}

ProxyCounts ProxyLoop::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void ProxyLoop::obey() {
  Orders orders;
  {
    const std::lock_guard lock(mutex_);
    orders = orders_;
    orders_.reset = false;
  }
  up_ = orders.up;
  down_ = orders.down;
  if (orders.reset) drop_all(true);
  if (orders.cut) {
    if (listener_) {
      poller_->forget(*listener_);
      listener_.reset();
    }
    drop_all(false);
    return;
  }
  const TimeUs now = env_.clock.monotonic_us();
  if (!listener_ && now >= listen_again_us_ && !listen()) listen_again_us_ = now + kListenAgain;   // somebody else took the port meanwhile
}

void ProxyLoop::turn(DurationUs wait_us) {
  obey();
  const DurationUs wait = std::min({wait_us, kLongestWait, until_due(env_.clock.monotonic_us())});
  for (const env::Poller::Ready& ready : poller_->wait(wait)) {
    if (ready.token == kListener) {
      accept();
      continue;
    }
    const auto it = links_.find(ready.token / 2);
    if (it != links_.end() && ready.readable) read(ready.token, it->second);
  }
  const TimeUs now = env_.clock.monotonic_us();
  for (auto it = links_.begin(); it != links_.end();) {
    if (pump(2 * it->first, it->second, now)) {
      ++it;
      continue;
    }
    drop(it->second);
    it = links_.erase(it);
  }
  const std::lock_guard lock(mutex_);
  counts_.open = links_.size();
}

void ProxyLoop::accept() {
  while (listener_) {
    auto client = listener_->accept();
    if (!client || !*client) return;
    std::unique_ptr<env::Connection> server;
    if (links_.size() < options_.connections_max)
      if (auto connected = env_.net->connect(options_.upstream)) server = std::move(*connected);
    {
      const std::lock_guard lock(mutex_);
      ++counts_.accepted;
      if (!server) ++counts_.unreachable;
    }
    if (!server) {
      (*client)->reset_when_closed();
      continue;
    }
    const std::uint64_t id = next_++;
    Link link{.near = {.connection = std::move(*client), .to = DelayLine(options_.buffer_bytes)}, .far = {.connection = std::move(server), .to = DelayLine(options_.buffer_bytes)}};
    const bool watched = poller_->watch(*link.near.connection, 2 * id, link.near.interest) && poller_->watch(*link.far.connection, 2 * id + 1, link.far.interest);
    if (watched) links_.emplace(id, std::move(link));
    else drop(link);
  }
}

void ProxyLoop::read(std::uint64_t token, Link& link) {
  const bool from_near = token % 2 == 0;
  Side& from = from_near ? link.near : link.far;
  DelayLine& line = from_near ? link.far.to : link.near.to;
  const Flow& flow = from_near ? up_ : down_;
  const std::size_t room = std::min(line.room(), chunk_.size());
  if (room == 0) {
    // Not asked for, and told nevertheless: the connection is broken. What it sent before is still passed on.
    if (!from.interest.read) from.closed = from.gone = true;
    return;
  }
  const env::Connection::Read got = from.connection->read({chunk_.data(), room});
  line.push({chunk_.data(), got.bytes}, env_.clock.monotonic_us(), flow, env_.random);
  if (got.closed) from.closed = true;
}

bool ProxyLoop::pass(Side& from, Side& to, const Flow& flow, TimeUs now, std::uint64_t& count) {
  while (!to.gone) {
    const std::string_view bytes = to.to.ready(now, flow);
    if (bytes.empty()) break;
    const env::Connection::Written written = to.connection->write(bytes);
    to.to.taken(written.bytes, now, flow);
    count += written.bytes;
    if (written.closed) to.gone = to.closed = true;
    if (written.bytes < bytes.size()) break;
  }
  // One side has ended: the other one hears of it once it has all that was sent before, and not while the line is a black hole.
  return !(from.closed && (to.gone || (to.to.empty() && !flow.held)));
}

bool ProxyLoop::pump(std::uint64_t token, Link& link, TimeUs now) {
  std::uint64_t up = 0, down = 0;
  const bool up_goes_on = pass(link.near, link.far, up_, now, up), down_goes_on = pass(link.far, link.near, down_, now, down);
  {
    const std::lock_guard lock(mutex_);
    counts_.bytes_up += up;
    counts_.bytes_down += down;
  }
  if (!up_goes_on || !down_goes_on) return false;
  watch(token, link.near, {.read = link.far.to.room() > 0, .write = !link.near.to.ready(now, down_).empty()});
  watch(token + 1, link.far, {.read = link.near.to.room() > 0, .write = !link.far.to.ready(now, up_).empty()});
  return true;
}

void ProxyLoop::watch(std::uint64_t token, Side& side, env::Poller::Interest wanted) {
  if (!side.watched) return;
  if (side.closed) {   // would be told again and again
    poller_->forget(*side.connection);
    side.watched = false;
    return;
  }
  if (same(side.interest, wanted)) return;
  side.interest = wanted;
  (void)poller_->change(*side.connection, token, wanted);   // it is watched, so this does not fail
}

void ProxyLoop::drop(Link& link) {
  for (Side* side : {&link.near, &link.far})
    if (side->watched) poller_->forget(*side->connection);
}

void ProxyLoop::drop_all(bool as_reset) {
  for (auto& [id, link] : links_) {
    drop(link);
    if (!as_reset) continue;
    link.near.connection->reset_when_closed();
    link.far.connection->reset_when_closed();
  }
  const std::lock_guard lock(mutex_);
  (as_reset ? counts_.reset : counts_.cut) += links_.size();
  counts_.open = 0;
  links_.clear();
}

DurationUs ProxyLoop::until_due(TimeUs now) const {
  TimeUs due = kTimeMax;
  for (const auto& [id, link] : links_) {
    // What the other side does not take at the moment is told by the poller.
    if (!link.far.interest.write) due = std::min(due, link.far.to.due(up_));
    if (!link.near.interest.write) due = std::min(due, link.near.to.due(down_));
  }
  return due == kTimeMax ? kLongestWait : std::max<DurationUs>(due - now, 0);
}

Result<std::unique_ptr<FaultProxy>> FaultProxy::start(const env::Env& env, ProxyOptions options) {
  SUPYO_ASSIGN(auto loop, ProxyLoop::open(env, std::move(options)));
  std::unique_ptr<FaultProxy> proxy(new FaultProxy(std::move(loop)));
  FaultProxy* self = proxy.get();
  proxy->thread_ = env.threads->start("fault-proxy", [self] {
    while (!self->stop_.load(std::memory_order_relaxed)) self->loop_->turn(kLongestWait);
  });
  return proxy;
}

FaultProxy::~FaultProxy() {
  stop_.store(true, std::memory_order_relaxed);
  loop_->wake();
  thread_.reset();
}

}  // namespace supyo::fault
