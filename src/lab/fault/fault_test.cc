#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <string>

#include "core/env/real/real_env.h"
#include "core/env/sim/sim_env.h"
#include "lab/fault/delay_line.h"
#include "lab/fault/process_fault.h"
#include "lab/fault/proxy.h"

namespace supyo::fault {
namespace {

using ::testing::HasSubstr;

std::string all_ready(DelayLine& line, TimeUs now, const Flow& flow) {
  std::string out;
  for (std::string_view bytes = line.ready(now, flow); !bytes.empty(); bytes = line.ready(now, flow)) {
    out += bytes;
    line.taken(bytes.size(), now, flow);
  }
  return out;
}

class DelayLineTest : public ::testing::Test {
 protected:
  env::SeededRandom random_{7};
  DelayLine line_{1000};
};

TEST_F(DelayLineTest, LatencyHoldsEachByteSoLong) {
  const Flow flow{.latency_us = 100};
  line_.push("ab", 0, flow, random_);
  line_.push("c", 30, flow, random_);
  EXPECT_EQ(line_.due(flow), 100);
  EXPECT_EQ(all_ready(line_, 99, flow), "");
  EXPECT_EQ(all_ready(line_, 100, flow), "ab");
  EXPECT_EQ(line_.due(flow), 130);
  EXPECT_EQ(all_ready(line_, 130, flow), "c");
  EXPECT_EQ(line_.due(flow), kTimeMax);
  EXPECT_TRUE(line_.empty());
}

TEST_F(DelayLineTest, JitterKeepsTheOrderAndItsBounds) {
  const Flow flow{.latency_us = 100, .jitter_us = 50};
  std::string sent, got;
  for (TimeUs t = 0; t < 500; ++t) {
    const std::string byte(1, static_cast<char>('a' + t % 26));
    sent += byte;
    line_.push(byte, t, flow, random_);
    got += all_ready(line_, t, flow);
    EXPECT_LE(got.size(), static_cast<std::size_t>(std::max<TimeUs>(0, t - 49)));   // none earlier than 50
    EXPECT_GE(got.size(), static_cast<std::size_t>(std::max<TimeUs>(0, t - 150)));  // none later than 150
  }
  got += all_ready(line_, 650, flow);
  EXPECT_EQ(got, sent);
}

TEST_F(DelayLineTest, ANarrowLineTakesItsTime) {
  DelayLine line(1 << 20);
  const Flow flow{.bytes_per_second = 100'000};
  const std::string sent(200'000, 'x');
  line.push(sent, 0, flow, random_);
  std::size_t got = 0;
  TimeUs last = 0;
  for (TimeUs t = 0; got < sent.size() && t < 10 * kSecond; t = std::max(t + 1, line.due(flow))) {
    got += all_ready(line, t, flow).size();
    last = t;
    EXPECT_LE(got, static_cast<std::size_t>(t / 10 + 2 * 500 + 1)) << t;   // never ahead of the rate by more than two steps
  }
  EXPECT_EQ(got, sent.size());
  EXPECT_NEAR(static_cast<double>(last), 2.0 * kSecond, 20.0 * kMillisecond);
}

TEST_F(DelayLineTest, ABlackHoleKeepsWhatItTookAndIsBounded) {
  const Flow hole{.held = true}, open{};
  line_.push(std::string(1000, 'x'), 0, hole, random_);
  EXPECT_EQ(line_.room(), 0U);
  EXPECT_EQ(line_.due(hole), kTimeMax);
  EXPECT_EQ(all_ready(line_, kSecond, hole), "");
  EXPECT_EQ(all_ready(line_, kSecond, open).size(), 1000U);
  EXPECT_EQ(line_.room(), 1000U);
}

/// The proxy between two sockets of this test, with a clock that the test moves: what is due comes exactly then.
class ProxyTest : public ::testing::Test {
 protected:
  static constexpr TimeUs kStart = kSecond;
  ProxyTest() : virtual_env_{clock_, real_.env().files, random_, nullptr, real_.env().net} {
    server_ = *net().listen({});
    loop_ = *ProxyLoop::open(virtual_env_, {.upstream = server_->address(), .buffer_bytes = 4096});
    client_ = *net().connect(loop_->address());
    until([&] { return (accepted_ = *server_->accept()) != nullptr; });
  }
  env::Net& net() { return *real_.env().net; }
  /// Turns the loop until it is so; each turn waits for sockets a moment. No bound but the test's own.
  void until(const std::function<bool()>& done) {
    while (!done()) loop_->turn(kMillisecond);
  }
  void turns(int n) {
    for (int i = 0; i < n; ++i) loop_->turn(0);
  }
  static std::string got(env::Connection& from, bool* closed = nullptr) {
    std::array<char, 65536> buffer;
    const auto r = from.read(buffer);
    if (closed != nullptr) *closed = *closed || r.closed;
    return {buffer.data(), r.bytes};
  }
  std::string wait_for(env::Connection& from, std::size_t bytes) {
    std::string text;
    until([&] { return (text += got(from)).size() >= bytes; });
    return text;
  }
  /// The same while time goes on, a millisecond a turn. At which time the last byte came.
  TimeUs wait_in_time(env::Connection& from, const std::string& expected) {
    std::string text;
    until([&] {
      clock_.advance_to(clock_.now_us() + kMillisecond);
      return (text += got(from)).size() >= expected.size();
    });
    EXPECT_EQ(text, expected);
    return clock_.now_us();
  }
  void wait_closed(env::Connection& from) {
    bool closed = false;
    until([&] { got(from, &closed); return closed; });
  }

  env::RealEnv real_;
  env::VirtualClock clock_{kStart};
  env::SeededRandom random_{1};
  env::Env virtual_env_;
  std::unique_ptr<env::Listener> server_;
  std::unique_ptr<ProxyLoop> loop_;
  std::unique_ptr<env::Connection> client_, accepted_;
};

TEST_F(ProxyTest, PassesBytesBothWays) {
  client_->write("hello");
  EXPECT_EQ(wait_for(*accepted_, 5), "hello");
  accepted_->write("world!");
  EXPECT_EQ(wait_for(*client_, 6), "world!");
  EXPECT_EQ(loop_->counts().bytes_up, 5U);
  EXPECT_EQ(loop_->counts().bytes_down, 6U);
  EXPECT_EQ(loop_->counts().open, 1U);
}

TEST_F(ProxyTest, LatencyIsOfOneDirection) {
  loop_->set(Direction::kDown, {.latency_us = 200 * kMillisecond});
  client_->write("a");
  EXPECT_EQ(wait_for(*accepted_, 1), "a");
  accepted_->write("b");
  turns(20);   // the proxy has it by now, or has it a turn later: it may not pass on before its clock says so
  EXPECT_EQ(got(*client_), "");
  EXPECT_GE(wait_in_time(*client_, "b"), kStart + 200 * kMillisecond);
}

TEST_F(ProxyTest, ABlackHoleKeepsConnectionsOpenAndItsMemoryBounded) {
  loop_->set(Direction::kUp, {.held = true});
  const std::string much(1 << 20, 'x');
  std::size_t sent = 0;
  int idle = 0;
  while (idle < 50) {   // until nobody takes any more
    const auto w = client_->write(std::string_view(much).substr(0, 1 << 16));
    ASSERT_FALSE(w.closed);
    sent += w.bytes;
    idle = w.bytes == 0 ? idle + 1 : 0;
    turns(2);
  }
  EXPECT_EQ(got(*accepted_), "");
  EXPECT_EQ(loop_->counts().open, 1U);
  loop_->mend();
  EXPECT_EQ(wait_for(*accepted_, sent).size(), sent);   // a partition that ends: all arrives
}

TEST_F(ProxyTest, AResetEndsBothSidesAndNewOnesMayCome) {
  loop_->reset_connections();
  wait_closed(*client_);
  wait_closed(*accepted_);
  EXPECT_EQ(loop_->counts().reset, 1U);
  auto again = *net().connect(loop_->address());
  std::unique_ptr<env::Connection> served;
  until([&] { return (served = *server_->accept()) != nullptr; });
  again->write("x");
  EXPECT_EQ(wait_for(*served, 1), "x");
}

TEST_F(ProxyTest, ACutRefusesUntilItIsMended) {
  loop_->cut();
  wait_closed(*client_);
  wait_closed(*accepted_);
  EXPECT_EQ(net().connect(loop_->address()).error().code, ErrorCode::kOutsideUnavailable);
  loop_->mend();
  until([&] { return net().connect(loop_->address()).has_value(); });
}

TEST_F(ProxyTest, TheEndComesAfterTheLastByte) {
  loop_->set(Direction::kUp, {.latency_us = kSecond});
  client_->write("last words");
  turns(20);
  client_.reset();
  turns(20);
  bool closed = false;
  EXPECT_EQ(got(*accepted_, &closed), "");
  EXPECT_FALSE(closed);
  EXPECT_GE(wait_in_time(*accepted_, "last words"), kStart + kSecond);
  wait_closed(*accepted_);
  until([&] { return loop_->counts().open == 0; });
}

TEST_F(ProxyTest, AServerThatIsNotThereIsAResetAndCounted) {
  server_.reset();
  auto other = *net().connect(loop_->address());
  wait_closed(*other);
  EXPECT_EQ(loop_->counts().unreachable, 1U);
}

TEST(FaultProxyTest, RunsOnItsOwnThread) {
  env::RealEnv real;
  auto server = *real.env().net->listen({});
  auto proxy = FaultProxy::start(real.env(), {.upstream = server->address()});
  ASSERT_TRUE(proxy);
  auto client = *real.env().net->connect((*proxy)->address());
  std::unique_ptr<env::Connection> accepted;
  while (!accepted) accepted = *server->accept();
  client->write("x");
  std::array<char, 8> buffer{};
  while (accepted->read(buffer).bytes == 0) {}
  (*proxy)->control().reset_connections();
  while (!accepted->read(buffer).closed) {}
  EXPECT_EQ((*proxy)->control().counts().bytes_up, 1U);
}

class ProcessFaultTest : public ::testing::Test {
 protected:
  const env::Env& env() { return real_.env(); }
  env::RealEnv real_;
};

TEST_F(ProcessFaultTest, StopsGoesOnAndKills) {
  auto child = *env().processes->start({.arguments = {"sleep", "600"}});
  ProcessFault fault(env(), child->identity());
  EXPECT_TRUE(fault.runs());
  EXPECT_FALSE(fault.stopped());
  {
    auto pause = Pause::begin(fault);
    ASSERT_TRUE(pause);
    EXPECT_TRUE(fault.stopped());
  }
  EXPECT_FALSE(fault.stopped());
  ASSERT_TRUE(fault.kill());
  EXPECT_FALSE(fault.runs());
  EXPECT_TRUE((*child->poll())->signalled);
  EXPECT_EQ(fault.stop().error().code, ErrorCode::kJobNotRunning);
}

TEST_F(ProcessFaultTest, AServerIsStartedKilledAndStartedAgain) {
  OwnServer server(env(), {.program = {.arguments = {"sh", "-c", "echo starting; echo ready at 5; exec sleep 600"}}, .ready = "ready at "});
  EXPECT_EQ(server.process().error().code, ErrorCode::kJobNotRunning);
  EXPECT_EQ(*server.start(), "ready at 5");
  const env::ProcessIdentity first = *server.process();
  ASSERT_TRUE(ProcessFault(env(), first).kill());
  EXPECT_FALSE(*server.look());
  EXPECT_EQ(*server.start(), "ready at 5");
  EXPECT_NE(*server.process(), first);
  ASSERT_TRUE(server.end());
}

TEST_F(ProcessFaultTest, AServerThatDoesNotStartSaysWhy) {
  OwnServer server(env(), {.program = {.arguments = {"sh", "-c", "echo no such thing >&2; exit 5"}, .error = env::ProgramOutput::to_pipe()}, .ready = "ready"});
  const auto started = server.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kOutsideUnavailable);
  EXPECT_THAT(started.error().message, HasSubstr("no such thing"));
}

}  // namespace
}  // namespace supyo::fault
