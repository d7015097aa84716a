#include "core/env/real/real_env.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/random.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <thread>

#include "core/base/check.h"
#include "core/env/real/real_files.h"
#include "core/env/real/real_net.h"
#include "core/env/real/real_processes.h"

namespace supyo::env {
namespace {

class RealClock final : public Clock {
 public:
  TimeUs now_us() const override { return since_epoch(std::chrono::system_clock::now()); }
  TimeUs monotonic_us() const override { return since_epoch(std::chrono::steady_clock::now()); }

 private:
  static TimeUs since_epoch(auto point) {
    return std::chrono::duration_cast<std::chrono::microseconds>(point.time_since_epoch()).count();
  }
};

class RealRandom final : public Random {
 public:
  std::uint64_t next_u64() override {
    std::uint64_t value = 0;
    ssize_t n = 0;
    do {
      n = ::getrandom(&value, sizeof value, 0);
    } while (n < 0 && errno == EINTR);
    SUPYO_CHECK_EQ(n, static_cast<ssize_t>(sizeof value));
    return value;
  }
};

class RealThread final : public Thread {
 public:
  explicit RealThread(std::jthread thread) : thread_(std::move(thread)) {}
  void join() override { if (thread_.joinable()) thread_.join(); }

 private:
  std::jthread thread_;
};

class RealThreads final : public Threads {
 public:
  std::unique_ptr<Thread> start(std::string name, std::function<void()> body) override {
    return std::make_unique<RealThread>(std::jthread([name = std::move(name), body = std::move(body)] {
      ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());  // the kernel keeps 15 characters
      ::prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);  // 1 us rather than 50: short waits add to a row's latency
      body();
    }));
  }
  void idle(DurationUs us) override {
    if (us > 0) std::this_thread::sleep_for(std::chrono::microseconds(us));
    else std::this_thread::yield();
  }
};

}  // namespace

TimeUs since_boot_us() {
  timespec t{};
  SUPYO_CHECK_EQ(::clock_gettime(CLOCK_BOOTTIME, &t), 0);
  return t.tv_sec * kSecond + t.tv_nsec / 1000;
}

struct RealEnv::Impl {
  RealClock clock;
  RealFiles files;
  RealRandom random;
  RealThreads threads;
  RealNet net;
  RealProcesses processes;
  Env env{.clock = clock, .files = files, .random = random, .threads = &threads, .net = &net, .processes = &processes};
};

RealEnv::RealEnv() : impl_(std::make_unique<Impl>()) {}
RealEnv::~RealEnv() = default;
Env& RealEnv::env() { return impl_->env; }

}  // namespace supyo::env
