#pragma once
#include "core/env/net.h"

namespace supyo::env {

/// TCP over POSIX sockets and epoll.
class RealNet final : public Net {
 public:
  Result<std::unique_ptr<Listener>> listen(const NetAddress& address) override;
  Result<std::unique_ptr<Connection>> connect(const NetAddress& address) override;
  Result<std::unique_ptr<Poller>> make_poller() override;
};

}  // namespace supyo::env
