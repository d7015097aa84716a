#include "lab/stack/stack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "core/env/real/real_env.h"
#include "lab/stack/fetch.h"
#include "lab/stack/flink.h"

namespace supyo::stack {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

// A server that answers GET with 200, says so in its log, and ends on SIGTERM after leaving a note. Arguments: port, name, folder of the notes.
constexpr std::string_view kServer = R"(
import http.server, signal, sys
port, name, notes = int(sys.argv[1]), sys.argv[2], sys.argv[3]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == '/ready' else 404); self.end_headers()
    def log_message(self, *a): pass
def end(*a):
    open(notes + '/order', 'a').write(name + '\n'); sys.exit(0)
signal.signal(signal.SIGTERM, end)
print(name, 'listens', flush=True)
http.server.HTTPServer(('127.0.0.1', port), Handler).serve_forever()
)";

class SupervisorTest : public ::testing::Test {
 protected:
  SupervisorTest() : folder_(std::filesystem::temp_directory_path() / ("supyo_stack_" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "server.py") << kServer;
    hooks_.say = [this](const std::string& line) { said_.push_back(line); };
  }
  ~SupervisorTest() override {
    EXPECT_TRUE(supervisor().down(true, {}));
    std::filesystem::remove_all(folder_);
  }
  env::Env& env() { return real_.env(); }
  Supervisor supervisor() { return {env(), "fake", folder_ / "fake"}; }
  std::string read(const std::filesystem::path& path) const {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// A port that nobody had a moment ago.
  std::uint16_t free_port() { return (*env().net->listen({}))->address().port; }
  Service server(const std::string& name, int tier = 0) {
    const std::uint16_t port = free_port();
    Service service{.name = name, .tier = tier};
    service.command = {"python3", folder_ / "server.py", std::to_string(port), name, folder_};
    service.ports = {{"http", port}};
    service.ready = {.kind = Probe::Kind::kHttp, .address = {.port = port}, .path = "/ready"};
    return service;
  }
  std::vector<ServiceStatus> status() {
    auto all = supervisor().status();
    EXPECT_TRUE(all) << all.error().to_string();
    return all ? *all : std::vector<ServiceStatus>();
  }
  env::RealEnv real_;
  std::filesystem::path folder_;
  UpHooks hooks_;
  std::vector<std::string> said_;
};

TEST_F(SupervisorTest, StartsOutlivesUsAndIsTakenDownInReverse) {
  Service first = server("first"), second = server("second", 1);
  first.files = {{"config", "a=1\n"}};
  first.prepare = {"sh", "-c", "cat config >> ../prepared_with"};
  const Status up = supervisor().up({second, first}, hooks_);
  ASSERT_TRUE(up) << up.error().to_string();
  const auto running = status();
  ASSERT_EQ(running.size(), 2U);
  EXPECT_EQ(running[0].name, "first");
  EXPECT_EQ(running[1].name, "second");
  for (const ServiceStatus& s : running) {
    EXPECT_TRUE(s.running && s.ready) << s.name;
    EXPECT_GT(s.usage.resident_bytes, 0U);
    EXPECT_EQ(s.ports.size(), 1U);
    EXPECT_EQ(tail_of(env().files, s.log, 5), s.name + " listens\n");
  }

  // Again: nothing is started, nothing prepared.
  said_.clear();
  ASSERT_TRUE(supervisor().up({first, second}, hooks_));
  EXPECT_THAT(said_, ElementsAre("first: runs already", "second: runs already"));
  EXPECT_EQ(status()[0].process, running[0].process);
  EXPECT_EQ(read(folder_ / "fake" / "prepared_with"), "a=1\n");

  // One was killed: only that one is started again.
  ASSERT_TRUE(*env().processes->signal(running[0].process, env::ProcessSignal::kKill));
  while (env().processes->look(running[0].process)) env().threads->idle(kMillisecond);
  EXPECT_FALSE(status()[0].running);
  ASSERT_TRUE(supervisor().up({first, second}, hooks_));
  EXPECT_NE(status()[0].process, running[0].process);
  EXPECT_EQ(status()[1].process, running[1].process);
  EXPECT_EQ(read(folder_ / "fake" / "prepared_with"), "a=1\n");

  ASSERT_TRUE(supervisor().down(false, hooks_));
  EXPECT_EQ(read(folder_ / "order"), "second\nfirst\n");
  EXPECT_THAT(status(), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(folder_ / "fake" / "first" / "log.txt"));
  for (const Service& s : {first, second}) EXPECT_TRUE(env().net->listen({.port = s.ports[0].number}));

  ASSERT_TRUE(supervisor().down(true, hooks_));
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) left.insert(entry.path().filename());
  EXPECT_THAT(left, ElementsAre("order", "server.py"));
  EXPECT_TRUE(supervisor().down(true, hooks_));
}

TEST_F(SupervisorTest, AStoppedProcessIsTakenDownToo) {
  ASSERT_TRUE(supervisor().up({server("one")}, hooks_));
  ASSERT_TRUE(*env().processes->signal(status()[0].process, env::ProcessSignal::kStop));
  ASSERT_TRUE(supervisor().down(false, hooks_));
  EXPECT_THAT(status(), IsEmpty());
}

TEST_F(SupervisorTest, WhatWasKilledIsStartedAgainAsItWas) {
  const Service first = server("first"), second = server("second");
  ASSERT_TRUE(supervisor().up({first, second}, hooks_));
  const auto before = supervisor().process("second");
  ASSERT_TRUE(before);
  ASSERT_TRUE(supervisor().start_again("second", hooks_)) << "it runs: nothing to do";
  EXPECT_EQ(supervisor().process("second")->to_string(), before->to_string());
  ASSERT_TRUE(env().processes->signal(*before, env::ProcessSignal::kKill));
  while (env().processes->look(*before)) env().threads->idle(5 * kMillisecond);
  ASSERT_TRUE(supervisor().start_again("second", hooks_));
  EXPECT_NE(supervisor().process("second")->to_string(), before->to_string());
  const auto all = supervisor().status();
  ASSERT_TRUE(all);
  EXPECT_TRUE(std::ranges::all_of(*all, &ServiceStatus::ready));
  EXPECT_EQ(supervisor().start_again("third", hooks_).error().code, ErrorCode::kFileNotFound);
}

TEST_F(SupervisorTest, ATakenPortIsNamedAndWhatWasStartedGoesAgain) {
  const Service first = server("first"), second = server("second", 1);
  const auto holder = env().net->listen({.port = second.ports[0].number});
  ASSERT_TRUE(holder);
  const Status up = supervisor().up({first, second}, hooks_);
  ASSERT_FALSE(up);
  EXPECT_EQ(up.error().code, ErrorCode::kAddressInUse);
  EXPECT_THAT(up.error().message, HasSubstr(std::to_string(second.ports[0].number)));
  EXPECT_THAT(up.error().hint, HasSubstr("--port-offset"));
  EXPECT_THAT(status(), IsEmpty());
  EXPECT_EQ(read(folder_ / "order"), "first\n");
}

TEST_F(SupervisorTest, WhatEndsWhileItStartsIsToldWithItsLog) {
  Service bad = server("bad");
  bad.command = {"sh", "-c", "echo no such topic; exit 3"};
  const Status up = supervisor().up({server("good"), bad}, hooks_);
  ASSERT_FALSE(up);
  EXPECT_EQ(up.error().code, ErrorCode::kOutsideUnavailable);
  EXPECT_THAT(up.error().message, AllOf(HasSubstr("status 3"), HasSubstr("no such topic")));
  EXPECT_THAT(status(), IsEmpty());
  bad.prepare = {"sh", "-c", "echo disk is odd; exit 4"};
  EXPECT_THAT(supervisor().up({bad}, hooks_).error().message, AllOf(HasSubstr("status 4"), HasSubstr("disk is odd")));
}

TEST_F(SupervisorTest, CtrlCLeavesNothingRunning) {
  int asked = 0;
  hooks_.stopped = [&] { return ++asked > 3; };
  Service never = server("never");
  never.ready.path = "/not-there";
  EXPECT_EQ(supervisor().up({never}, hooks_).error().code, ErrorCode::kCancelled);
  EXPECT_THAT(status(), IsEmpty());
  EXPECT_TRUE(env().net->listen({.port = never.ports[0].number}));
}

TEST_F(SupervisorTest, ARecycledNumberIsNeverSignalled) {
  ASSERT_TRUE(supervisor().up({server("one")}, hooks_));
  const auto path = folder_ / "fake" / "one" / "process";
  const env::ProcessIdentity real = status()[0].process;
  auto bystander = env().processes->start({.arguments = {"sleep", "100"}});
  ASSERT_TRUE(bystander);
  // As if the number had gone to the bystander: the same file, its number, another start.
  const std::string text = read(path);
  env::ProcessIdentity other = (*bystander)->identity();
  other.start_ticks -= 1;
  const std::size_t at = text.find(real.to_string());
  ASSERT_NE(at, std::string::npos);
  std::ofstream(path) << std::string(text).replace(at, real.to_string().size(), other.to_string());
  EXPECT_FALSE(status()[0].running);
  ASSERT_TRUE(supervisor().down(false, hooks_));
  EXPECT_FALSE((*bystander)->poll()->has_value());
  std::ofstream(path) << text;  // so that the true one goes too
}

TEST_F(SupervisorTest, OneAtATimeAndDamageIsTold) {
  ASSERT_TRUE(supervisor().up({server("one")}, hooks_));
  {
    const auto lock = env().files.lock(folder_ / "fake.lock");
    ASSERT_TRUE(lock);
    EXPECT_EQ(supervisor().down(false, hooks_).error().code, ErrorCode::kStateLocked);
  }
  const auto path = folder_ / "fake" / "one" / "process";
  const std::string text = read(path);
  std::ofstream(path) << "{}";
  EXPECT_EQ(supervisor().status().error().code, ErrorCode::kDamaged);
  std::ofstream(path) << text;
}

TEST_F(SupervisorTest, ProbesTellSilenceFromAnAnswer) {
  const auto listener = env().net->listen({});
  ASSERT_TRUE(listener);
  const env::NetAddress address = (*listener)->address();
  EXPECT_TRUE(probe(env(), {.kind = Probe::Kind::kTcp, .address = address}));
  EXPECT_FALSE(probe(env(), {.kind = Probe::Kind::kHttp, .address = address, .path = "/"}, 20 * kMillisecond));
  EXPECT_FALSE(probe(env(), {.kind = Probe::Kind::kKafka, .address = address}, 20 * kMillisecond));
  EXPECT_FALSE(probe(env(), {.kind = Probe::Kind::kTcp, .address = {.port = free_port()}}));
}

TEST_F(SupervisorTest, AKafkaAnswerNamesItsBrokers) {
  const auto listener = env().net->listen({});
  ASSERT_TRUE(listener);
  // size, correlation id 7, two brokers (what follows is not looked at)
  const std::string answer("\0\0\0\x0c\0\0\0\x07\0\0\0\x02\0\0\0\0", 16);
  const auto server = env().threads->start("broker", [&] {
    for (int served = 0; served < 2;) {
      auto connection = (*listener)->accept();
      if (!connection || *connection == nullptr) {
        env().threads->idle(kMillisecond);
        continue;
      }
      char request[256];
      std::size_t got = 0;
      while (got < 29) got += (*connection)->read(std::span(request).subspan(got)).bytes;
      EXPECT_EQ(std::string_view(request + 4, 4), std::string_view("\0\x03\0\x01", 4));
      (*connection)->write(answer);
      ++served;
    }
  });
  EXPECT_TRUE(probe(env(), {.kind = Probe::Kind::kKafka, .address = (*listener)->address(), .brokers = 2}));
  EXPECT_FALSE(probe(env(), {.kind = Probe::Kind::kKafka, .address = (*listener)->address(), .brokers = 3}));
}

TEST(KafkaFeatures, AreReadFromTheTaggedFieldsOfApiVersions) {
  using namespace std::string_literals;
  const std::string one_api = "\x02"s + "\0\x12\0\0\0\x04"s + "\0"s;
  const std::string supported = "\0"s + "\x03"s + "\x01xx"s;   // tag 0, passed over
  const std::string finalized = "\x02"s + "\x1b"s + "\x03"s + "\x0egroup.version"s + "\0\x01\0\x01\0"s + "\x02k"s + "\0\x1b\0\x07\0"s;
  ASSERT_EQ(finalized.size() - 2, 0x1bU);
  const std::string body = "\0\0\0\x07"s + "\0\0"s + one_api + "\0\0\0\0"s + "\x02"s + supported + finalized;
  const std::string answer = "\0\0\0"s + static_cast<char>(body.size()) + body;
  EXPECT_EQ(parse_features(answer), (std::map<std::string, int>{{"group.version", 1}, {"k", 27}}));
  for (std::size_t cut = 0; cut < answer.size(); ++cut) EXPECT_TRUE(parse_features(answer.substr(0, cut)).empty()) << cut;
}

TEST_F(SupervisorTest, ChecksumsHoldEveryFileAndNoOther) {
  const std::string jars = folder_ / "jars";
  std::filesystem::create_directories(jars);
  std::ofstream(jars + "/a.jar") << "abc";
  const std::string sums = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.jar\n";
  EXPECT_TRUE(check_sums(env().files, jars, sums));
  EXPECT_EQ(check_sums(env().files, jars, sums + std::string(64, '0') + "  b.jar\n").error().code, ErrorCode::kNotFoundOnDisk);
  std::ofstream(jars + "/b.jar") << "abc";
  EXPECT_EQ(check_sums(env().files, jars, sums).error().code, ErrorCode::kDamaged);
  std::filesystem::remove(jars + "/b.jar");
  std::ofstream(jars + "/a.jar") << "abd";
  EXPECT_THAT(check_sums(env().files, jars, sums).error().message, HasSubstr("a.jar has the checksum"));
}

TEST_F(SupervisorTest, AnOldJavaIsRefusedWithWhatToInstall) {
  std::filesystem::create_directories(folder_ / "bin");
  const auto script = folder_ / "bin" / "java";
  std::ofstream(script) << "#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const auto old = find_java(env(), folder_.string(), {});
  EXPECT_EQ(old.error().code, ErrorCode::kProgramMissing);
  EXPECT_THAT(old.error().message, HasSubstr("17 or newer"));
  std::ofstream(script) << "#!/bin/sh\necho 'openjdk version \"21\" 2023-09-19' >&2\n";
  EXPECT_EQ(*find_java(env(), folder_.string(), {}), script.string());
  EXPECT_EQ(find_java(env(), "/nonexistent", {}).error().code, ErrorCode::kProgramMissing);
}

std::string config_of(const Service& service) { return "\n" + service.files.at("server.properties"); }

TEST(KafkaServices, OneNodeIsBrokerAndController) {
  const auto services = kafka_services("kafka", {.port_offset = 1000, .broker_config = {{"log.segment.bytes", "1048576"}}}, "java", "jars", "dir");
  ASSERT_EQ(services.size(), 1U);
  const Service& broker = services[0];
  EXPECT_THAT(config_of(broker), AllOf(HasSubstr("\nprocess.roles=broker,controller\n"), HasSubstr("\nlisteners=PLAINTEXT://127.0.0.1:10092,CONTROLLER://127.0.0.1:10193,PROXIED://127.0.0.1:10094\n"),
                                       HasSubstr("\nadvertised.listeners=PLAINTEXT://127.0.0.1:10092,PROXIED://127.0.0.1:30092\n"),
                                       HasSubstr("\nmin.insync.replicas=1\n"), HasSubstr("\nlog.segment.bytes=1048576\n"), HasSubstr("\nlog.dirs=dir/broker/data\n")));
  EXPECT_THAT(broker.command, IsSupersetOf({"-Xmx512m", "-javaagent:jars/jmx_prometheus_javaagent-1.0.1.jar=127.0.0.1:8071:dir/broker/jmx.yml", "kafka.Kafka"}));
  EXPECT_THAT(broker.prepare, AllOf(Contains("format"), Not(Contains(HasSubstr("javaagent")))));
  EXPECT_EQ(broker.ready.address.port, 10092);
}

TEST(KafkaServices, ThreeBrokersHaveAControllerOfTheirOwn) {
  const auto services = kafka_services("kafka3", {.broker_config = {{"min.insync.replicas", "3"}}}, "java", "jars", "dir");
  ASSERT_EQ(services.size(), 4U);
  std::set<std::uint16_t> ports;
  for (const Service& s : services) {
    for (const Port& p : s.ports) EXPECT_TRUE(ports.insert(p.number).second) << p.number;
    EXPECT_THAT(config_of(s), AllOf(HasSubstr("\ncontroller.quorum.voters=9@127.0.0.1:19190\n"), HasSubstr("\nbroker.session.timeout.ms=6000\n"), HasSubstr("\ndefault.replication.factor=3\n")));
    EXPECT_EQ(s.tier, s.name == "controller" ? 0 : 1);
  }
  EXPECT_THAT(config_of(services[0]), AllOf(HasSubstr("\nprocess.roles=controller\n"), Not(HasSubstr("advertised.listeners")), Not(HasSubstr("inter.broker")), HasSubstr("\nmin.insync.replicas=2\n")));
  EXPECT_THAT(config_of(services[3]), AllOf(HasSubstr("\nlisteners=PLAINTEXT://127.0.0.1:19094\n"), HasSubstr("\nnode.id=3\n"), HasSubstr("\nmin.insync.replicas=3\n")));
  EXPECT_EQ(services[3].ready.brokers, 3);
}

TEST(FlinkServices, AManagerAWorkerAndAGateway) {
  const auto services = flink_services({.port_offset = 100}, "java", "home", "dir");
  ASSERT_EQ(services.size(), 3U);
  std::set<std::uint16_t> ports;
  for (const Service& s : services) {
    for (const Port& p : s.ports) EXPECT_TRUE(ports.insert(p.number).second) << p.number;
    EXPECT_THAT(s.files.at("config.yaml"), AllOf(HasSubstr("\nrest.port: 18181\n"), HasSubstr("\nrest.bind-address: 127.0.0.1\n"), HasSubstr("file://dir/jobmanager/checkpoints\n")));
    EXPECT_EQ(s.environment.at("FLINK_CONF_DIR"), "dir/" + s.name);
    EXPECT_THAT(s.command, Contains("home/lib/*:home/gateway/*"));
  }
  EXPECT_THAT(services[0].files.at("config.yaml"), HasSubstr("\nmetrics.reporter.prom.port: 9350\n"));
  EXPECT_THAT(services[1].command, IsSupersetOf({"-Xmx805306368", "taskmanager.resource-id=taskmanager"}));
  EXPECT_EQ(services[1].ready.path, "/taskmanagers/taskmanager");   // it is there when the JobManager knows it
  EXPECT_THAT(services[2].files.at("config.yaml"), Not(HasSubstr("metrics.")));
  EXPECT_EQ(services[2].ready.address.port, 18183);
}

TEST_F(SupervisorTest, WhatFlinkIsFetchedWithIsNamedWhenItIsMissing) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", folder_.c_str(), 1);
  const auto home = flink_home(env(), folder_ / "downloads", {});
  setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(home.error().code, ErrorCode::kProgramMissing);
  EXPECT_THAT(home.error().hint, HasSubstr("python3-pip"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "downloads"));
}

TEST(StackNames, AreChecked) {
  EXPECT_TRUE(check_name("kafka3"));
  EXPECT_EQ(check_name("kafka4").error().code, ErrorCode::kUsage);
  const Service prometheus = prometheus_service({.port_offset = 5}, "prometheus", "dir", "targets");
  EXPECT_THAT(prometheus.files.at("prometheus.yml"), AllOf(HasSubstr("files: ['targets/kafka*.json']"), HasSubstr("127.0.0.1:8081")));
  EXPECT_EQ(prometheus.ready.address.port, 9095);
  const Service watch = watch_service("kafka", "127.0.0.1:9097", {.supyo = "/bin/supyo", .port_offset = 5});
  EXPECT_THAT(watch.command, testing::ElementsAre("/bin/supyo", "watch", "--bootstrap", "127.0.0.1:9097", "--serve", "127.0.0.1:8087"));
  EXPECT_THAT(prometheus.files.at("prometheus.yml"), HasSubstr("'127.0.0.1:8087'"));
  EXPECT_EQ(watch.ready.address.port, 8087);
}

}  // namespace
}  // namespace supyo::stack
