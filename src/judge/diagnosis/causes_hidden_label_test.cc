#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>

#include "judge/diagnosis/simulated_group_model.h"

/// A harness draws what is wrong with a group, lets it run, and shows only what can be seen from outside. The first finding must name it.
namespace supyo::diagnosis {
namespace {

/// A run under way, and what an observer gathers of it.
struct Case {
  explicit Case(std::uint64_t seed) : group(seed) {}
  SimulatedGroup group;
  DurationUs look_every = 15 * kSecond;
  int minutes = 15;
  std::function<void(int)> each_second = [](int) {};
  bool tells_statistics = false;
  std::vector<LeaveEvent> leaves;
  std::optional<EngineEvidence> engine;
  ClusterEvidence cluster;

  std::vector<Finding> diagnose() {
    std::vector<Trail> trails(group.partitions.size());
    GroupTrail members;
    for (int s = 0; s < minutes * 60; ++s) {
      each_second(s);
      group.step();
      if (s % (look_every / kSecond) != 0) continue;
      members.observe(group.look());
      for (std::size_t p = 0; p < trails.size(); ++p) trails[p].add(group.sample(p));
    }
    GroupEvidence evidence{.name = "g", .members = &members, .leaves = leaves, .engine = engine};
    for (std::size_t p = 0; p < trails.size(); ++p) evidence.partitions.push_back({.topic = group.partitions[p].topic, .partition = group.partitions[p].id, .trail = &trails[p], .forecast = {}});
    if (tells_statistics) evidence.clients = group.statistics();
    std::vector<Finding> all = diagnose_group(evidence);
    for (Finding& f : diagnose_cluster(cluster)) all.push_back(std::move(f));
    rank(all);
    return all;
  }

  void add_partitions(int count, double append, const std::string& topic = "t") {
    for (int i = 0; i < count; ++i) group.partitions.push_back({.topic = topic, .id = i, .append = append * group.uniform(0.85, 1.15)});
  }
  void add_members(int count, double speed, const std::string& family = "app", const std::string& topic = "") {
    for (int i = 0; i < count; ++i) {
      const std::string client = fmt::format("{}-{}", family, i);
      group.members.push_back({.id = client + "-0", .client_id = client, .host = fmt::format("/10.0.0.{}", group.members.size()), .speed = speed, .topic = topic});
    }
  }
  /// So many members and partitions that each member could read `headroom` times what comes for it.
  void ordinary(double headroom) {
    const int members = group.between(2, 6), partitions = members * group.between(2, 4);
    const double append = std::exp(group.uniform(std::log(5), std::log(400)));
    group.assignor = group.between(0, 1) == 0 ? "cooperative-sticky" : "range";
    group.commit_every_s = group.between(1, 5);
    add_partitions(partitions, append);
    add_members(members, append * partitions / members * headroom);
  }
};

using Draw = std::function<void(Case&)>;

void draw_bottleneck(Case& c, double cpu) {
  c.ordinary(c.group.uniform(0.5, 0.85));
  for (auto& m : c.group.members) m.cpu_share = cpu;
}

EngineEvidence flink(Case& c) {
  EngineEvidence e{.name = "job", .running = true, .checkpoints_completed = 10, .checkpoints_failed = 0, .checkpoint_interval_s = 60};
  double append = 0;
  for (const auto& p : c.group.partitions) append += p.append;
  e.records_in_per_s = append;
  e.vertices = {{.name = "Source", .busy = 0.2, .idle = 0.8, .watermark_lag_s = 2}, {.name = "Window", .busy = 0.3, .idle = 0.7, .watermark_lag_s = 2}, {.name = "Sink", .busy = 0.2, .idle = 0.8, .sink = true}};
  return e;
}

TopicEvidence topic(Case& c) {
  return {.name = "t", .retention = {.known = true}, .partitions = c.group.between(1, 12), .replicas = 3, .min_in_sync = 2, .unclean_elections = false, .hidden_lag = 0, .bytes = 10'000'000'000, .bytes_growth = 1e4, .largest_partition_bytes = 2'000'000'000, .append_rate = 100, .uncleanable_partitions = 0, .read_by_live_group = true};
}

const std::map<Cause, Draw>& draws() {
  static const std::map<Cause, Draw> all{
      {Cause::kProcessingBottleneck, [](Case& c) { draw_bottleneck(c, c.group.uniform(0.65, 1)); c.tells_statistics = true; }},
      {Cause::kExternalCall, [](Case& c) { draw_bottleneck(c, c.group.uniform(0.02, 0.35)); c.tells_statistics = true; }},
      {Cause::kAtCapacity, [](Case& c) { draw_bottleneck(c, 0.9); }},
      {Cause::kPartitionSkew, [](Case& c) {
         c.ordinary(1.6);
         const double append = c.group.partitions[0].append;
         for (int hot = c.group.between(1, 2); hot > 0; --hot) c.group.partitions[static_cast<std::size_t>(c.group.between(0, static_cast<int>(c.group.partitions.size()) - 1))].append = append * c.group.uniform(6, 15);
         c.tells_statistics = c.group.between(0, 1) == 0;
       }},
      {Cause::kSlowMember, [](Case& c) { c.ordinary(1.5); c.group.members[0].speed *= c.group.uniform(0.1, 0.45); }},
      {Cause::kIdleMembers, [](Case& c) {
         const int partitions = c.group.between(1, 6);
         c.add_partitions(partitions, 50);
         c.add_members(partitions + c.group.between(1, 5), c.group.between(0, 1) == 0 ? 100 : 40);
       }},
      {Cause::kRebalanceChurn, [](Case& c) {
         c.ordinary(1.3);
         const int every = c.group.between(40, 110), away = c.group.between(10, 25);
         c.group.assignor = c.group.between(0, 1) == 0 ? "range" : "cooperative-sticky";
         c.each_second = [&c, every, away](int s) {
           if (s > 60 && s % every == 0) c.group.leave(0);
           if (s > 60 && s % every == away) c.group.join(0);
         };
       }},
      {Cause::kEagerAssignor, [](Case& c) {
         c.ordinary(c.group.uniform(1.05, 1.2));
         c.group.assignor = c.group.between(0, 1) == 0 ? "range" : "roundrobin";
         c.group.rebalance_s = c.group.uniform(20, 40);
         const int every = c.group.between(60, 90);
         c.minutes = 10;
         c.each_second = [&c, every](int s) {
           const int m = (s - 200) / every;
           if (s < 200 || m >= static_cast<int>(c.group.members.size())) return;
           if ((s - 200) % every == 0) c.group.leave(m);
           if ((s - 200) % every == 30) c.group.join(m);
         };
       }},
      {Cause::kPollEviction, [](Case& c) {
         c.ordinary(1.4);
         const int every = c.group.between(60, 150);
         c.each_second = [&c, every](int s) {
           if (s > 30 && s % every == 0) {
             c.leaves.push_back({.at = c.group.now, .member = c.group.members[0].id, .reason = LeaveReason::kPollTimeout});
             c.group.leave(0);
           }
           if (s > 30 && s % every == 20) c.group.join(0);
         };
       }},
      {Cause::kDeadStaticMember, [](Case& c) {
         c.ordinary(1.5);
         for (std::size_t m = 0; m < c.group.members.size(); ++m) c.group.members[m].instance_id = fmt::format("node-{}", m);
         const int at = c.group.between(300, 600);
         c.each_second = [&c, at](int s) { if (s == at) c.group.leave(1); };
       }},
      {Cause::kOversizedGroup, [](Case& c) {
         const int applications = c.group.between(3, 8);
         for (int a = 0; a < applications; ++a) {
           c.add_partitions(c.group.between(2, 4), 30, fmt::format("topic{}", a));
           c.add_members(2, 150, fmt::format("{}-service", std::string(1, static_cast<char>('a' + a))), fmt::format("topic{}", a));
         }
         c.each_second = [&c](int s) {
           for (int m = 0; m < 2; ++m) {
             if (s == 300 + 60 * m) c.group.leave(m);
             if (s == 320 + 60 * m) c.group.join(m);
           }
         };
       }},
      {Cause::kTooManyPartitions, [](Case& c) { c.add_partitions(c.group.between(110, 200), c.group.uniform(0.05, 0.5)); c.add_members(3, 200); }},
      {Cause::kCheckpointSawTooth, [](Case& c) {
         c.ordinary(2);
         c.group.commits_at_once = true;
         c.group.commit_every_s = c.group.between(45, 120);
         c.minutes = 20;
       }},
      {Cause::kFrozenOffsets, [](Case& c) {
         c.ordinary(2);
         c.engine = flink(c);
         const int at = c.group.between(200, 500);
         c.each_second = [&c, at](int s) { if (s == at) c.group.commits = false; };
         if (c.group.between(0, 1) == 0) {   // consumers that tell what they read
           c.engine.reset();
           c.tells_statistics = true;
         }
       }},
      {Cause::kStuck, [](Case& c) {
         c.ordinary(2);
         c.tells_statistics = c.group.between(0, 1) == 0;
         const int at = c.group.between(200, 500);
         c.each_second = [&c, at](int s) { if (s == at) for (auto& m : c.group.members) m.hangs = true; };
       }},
      {Cause::kNoConsumers, [](Case& c) {
         c.ordinary(2);
         const int at = c.group.between(200, 700);
         c.each_second = [&c, at](int s) { if (s == at) for (std::size_t m = 0; m < c.group.members.size(); ++m) c.group.leave(static_cast<int>(m)); };
       }},
      {Cause::kNotEnoughData, [](Case& c) { c.ordinary(0.7); c.minutes = 1; c.look_every = 30 * kSecond; }},
      {Cause::kHiddenLag, [](Case& c) {
         c.ordinary(2);
         TopicEvidence t = topic(c);
         t.under_min_in_sync = c.group.between(1, t.partitions);
         t.hidden_lag = c.group.between(1000, 100'000);
         t.hidden_growth = c.group.uniform(10, 1000);
         c.cluster.topics.push_back(t);
         for (auto& p : c.group.partitions) p.append = 0;   // the high watermark stands still
       }},
      {Cause::kRetentionCannotWork, [](Case& c) {
         c.ordinary(2);
         TopicEvidence t = topic(c);
         t.retention.retention_bytes = c.group.between(10, 500) * 1'000'000;
         c.cluster.topics.push_back(t);
       }},
      {Cause::kOrphanInternalTopic, [](Case& c) {
         c.ordinary(2);
         TopicEvidence t = topic(c);
         t.name = c.group.between(0, 1) == 0 ? "old-app-KSTREAM-AGGREGATE-0000000003-changelog" : "old-app-KSTREAM-KEY-SELECT-0000000001-repartition";
         t.read_by_live_group = false;
         c.cluster = {.topics = {topic(c), t}, .live_groups = {"g", "new-app"}, .groups_known = true, .disks = {}};
       }},
      {Cause::kStuckCompaction, [](Case& c) {
         c.ordinary(2);
         TopicEvidence t = topic(c);
         t.retention = {.known = true, .deletes = false, .compacts = true};
         if (c.group.between(0, 1) == 0) t.uncleanable_partitions = c.group.between(1, t.partitions);
         t.largest_partition_bytes = 8LL << 30;
         t.no_shrink_for = c.group.between(7, 40) * kHour;
         c.cluster.topics.push_back(t);
       }},
      {Cause::kDurabilityRisk, [](Case& c) {
         c.ordinary(2);
         TopicEvidence t = topic(c);
         if (c.group.between(0, 1) == 0) t.min_in_sync = 1;
         else t.unclean_elections = true;
         c.cluster.topics.push_back(t);
       }},
      {Cause::kDiskForecast, [](Case& c) {
         c.ordinary(2);
         c.cluster.disks.push_back({.broker = 1, .directory = "/data", .total_bytes = 1'000'000'000'000, .usable_bytes = 200'000'000'000, .growth = 200e9 / c.group.uniform(3600, 100 * 3600), .measured_for = kHour});
       }},
      {Cause::kCheckpointsFail, [](Case& c) {
         c.ordinary(2);
         c.engine = flink(c);
         c.engine->checkpoints_failed = c.group.between(2, 8);
         c.engine->checkpoints_completed = c.group.between(1, 3);
       }},
      {Cause::kSinkBackpressure, [](Case& c) {
         c.ordinary(c.group.uniform(0.5, 0.8));
         c.engine = flink(c);
         c.engine->vertices[0] = {.name = "Source", .busy = 0.1, .backpressured = c.group.uniform(0.7, 0.9)};
         c.engine->vertices[1] = {.name = "Window", .busy = 0.3, .backpressured = c.group.uniform(0.55, 0.7)};
         c.engine->vertices[2] = {.name = "Sink", .busy = c.group.uniform(0.9, 1), .sink = true};
       }},
      {Cause::kWatermarkStalled, [](Case& c) {
         c.ordinary(2);
         c.engine = flink(c);
         c.engine->vertices[1].watermark_stands_still = true;
         c.engine->vertices[1].watermark_lag_s = c.group.uniform(60, 600);
       }},
      {Cause::kEngineRestarts, [](Case& c) {
         c.ordinary(2);
         c.engine = flink(c);
         c.engine->restarts = c.group.between(2, 9);
       }},
  };
  return all;
}

std::uint64_t runs() {
  const char* text = std::getenv("SUPYO_LABELLED_RUNS");
  return text == nullptr ? 81 : std::strtoull(text, nullptr, 10);
}

TEST(HiddenLabels, TheFirstFindingNamesTheCause) {
  std::uint64_t right = 0;
  std::string wrong;
  for (std::uint64_t seed = 1; seed <= runs(); ++seed) {
    auto label = draws().begin();
    std::advance(label, static_cast<std::ptrdiff_t>(seed % draws().size()));
    Case c(seed);
    c.look_every = (seed / draws().size()) % 2 == 0 ? 15 * kSecond : 5 * kSecond;
    label->second(c);
    c.group.begin();
    const std::vector<Finding> findings = c.diagnose();
    if (!findings.empty() && findings[0].cause == label->first) {
      ++right;
      EXPECT_FALSE(findings[0].what.empty() || findings[0].next.empty());
      EXPECT_TRUE(!findings[0].numbers.empty() || label->first == Cause::kNotEnoughData);
      continue;
    }
    wrong += fmt::format("seed {}: {}, found {}\n", seed, cause_name(label->first), findings.empty() ? "nothing" : fmt::format("{} ({})", cause_name(findings[0].cause), findings[0].what));
  }
  const double share = static_cast<double>(right) / static_cast<double>(runs());
  fmt::print("{} of {} right ({:.1f} %), {} causes\n{}", right, runs(), 100 * share, draws().size(), wrong);
  EXPECT_GE(share, 0.95);
}

TEST(HiddenLabels, AHealthyGroupHasNoTrouble) {
  std::uint64_t alarms = 0;
  constexpr std::uint64_t kRuns = 60;
  for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
    Case c(seed);
    c.ordinary(c.group.uniform(1.4, 3));
    c.tells_statistics = seed % 2 == 0;
    if (seed % 3 == 0) {   // one deployment, cooperative
      c.group.assignor = "cooperative-sticky";
      c.each_second = [&c](int s) {
        for (int m = 0; m < static_cast<int>(c.group.members.size()); ++m) {
          if (s == 200 + 60 * m) c.group.leave(m);
          if (s == 215 + 60 * m) c.group.join(m);
        }
      };
    }
    c.cluster.topics.push_back(topic(c));
    c.group.begin();
    for (const Finding& f : c.diagnose()) {
      if (f.severity == Severity::kInfo) continue;
      ++alarms;
      fmt::print("seed {}: {} {}\n", seed, cause_name(f.cause), f.what);
    }
  }
  EXPECT_LE(alarms, kRuns / 20);
}

TEST(Diagnosis, ClientsWhoseNamesShareNothingAreNotSaidToBeManyApplications) {
  Case c(1);
  c.ordinary(2);
  for (std::size_t m = 0; m < c.group.members.size(); ++m) c.group.members[m].client_id = fmt::format("consumer-billing-{}", m + 1);   // as Java's client calls them by itself
  c.group.begin();
  for (const Finding& f : c.diagnose()) EXPECT_NE(f.cause, Cause::kOversizedGroup) << f.what;
}

TEST(Diagnosis, AGroupThatNobodyKnowsIsNotGood) {
  const std::vector<Finding> f = diagnose_group({.name = "gone", .found = false});
  ASSERT_EQ(f.size(), 1U);
  EXPECT_EQ(f[0].cause, Cause::kUnknownGroup);
  EXPECT_EQ(worst(f), Severity::kTicket);
}

TEST(Diagnosis, LossesComeFirst) {
  Trail trail;
  for (int i = 0; i < 60; ++i) trail.add({.at = i * 15 * kSecond, .log_start = 0, .end = 1000 * i, .committed = 500});
  GroupTrail members;
  members.observe({.at = 0, .state = "Empty"});
  LossForecast soon{.state = LossState::kComing, .cause = LossCause::kTimeExpiry, .moving = LossEstimate{.low = trail.last().at + kHour, .mid = trail.last().at + 2 * kHour}};
  GroupEvidence g{.name = "g", .members = &members, .partitions = {{.topic = "t", .partition = 3, .trail = &trail, .forecast = soon}}};
  std::vector<Finding> f = diagnose_group(g);
  ASSERT_GE(f.size(), 2U);
  EXPECT_EQ(f[0].cause, Cause::kLossComing);
  EXPECT_EQ(f[0].subject, "group g, t/3");
  EXPECT_NE(f[0].what.find("2 h 0 min (not before 1 h 0 min)"), std::string::npos) << f[0].what;
  EXPECT_EQ(f[1].cause, Cause::kNoConsumers);
  f = diagnose_group(g, 30 * kMinute);
  EXPECT_EQ(f[0].cause, Cause::kNoConsumers) << "further away than asked for";
  g.partitions[0].lost = 17;
  EXPECT_EQ(diagnose_group(g)[0].cause, Cause::kLossHappened);
  EXPECT_EQ(diagnose_group(g)[0].subject, "group g, t/3");
}

TEST(Diagnosis, LossesOfManyPartitionsAreOneFindingATopic) {
  Trail trail;
  for (int i = 0; i < 60; ++i) trail.add({.at = i * 15 * kSecond, .log_start = 0, .end = 1000 * i, .committed = 500});
  GroupTrail members;
  members.observe({.at = 0, .state = "Empty"});
  GroupEvidence g{.name = "g", .members = &members, .partitions = {}};
  const auto soon = [&](int hours) { return LossForecast{.state = LossState::kComing, .cause = LossCause::kSizeExpiry, .moving = LossEstimate{.low = trail.last().at + hours * kHour, .mid = trail.last().at + (hours + 1) * kHour}}; };
  for (int p = 0; p < 5; ++p) g.partitions.push_back({.topic = "t", .partition = p, .trail = &trail, .forecast = {}, .lost = 10 * (p + 1)});
  for (int p = 5; p < 9; ++p) g.partitions.push_back({.topic = "t", .partition = p, .trail = &trail, .forecast = soon(10 - p)});
  g.partitions.push_back({.topic = "u", .partition = 0, .trail = &trail, .forecast = {}, .lost = 7});
  const std::vector<Finding> f = diagnose_group(g);
  EXPECT_EQ(std::ranges::count(f, Cause::kLossHappened, &Finding::cause), 2) << "one of each topic";
  EXPECT_EQ(f[0].subject, "group g, topic t");
  EXPECT_EQ(f[0].what, "150 records were deleted before the group read them (t/4: 50, t/3: 40, t/2: 30, 2 more partitions)");
  EXPECT_EQ(f[0].numbers[0].value, 150);
  EXPECT_EQ(f[1].subject, "group g, u/0");
  ASSERT_EQ(f[2].cause, Cause::kLossComing);
  EXPECT_NE(f[2].what.find("3 h 0 min (not before 2 h 0 min), by "), std::string::npos) << f[2].what;
  EXPECT_NE(f[2].what.find("it is in t/8, and 3 more of the topic's partitions will lose too"), std::string::npos) << f[2].what;
}

TEST(GroupTrail, FamiliesOfClients) {
  EXPECT_EQ(client_family("orders-app-7"), "orders-app");
  EXPECT_EQ(client_family("orders-app-3f0c9a1b-StreamThread-1-consumer"), "orders-app");
  EXPECT_EQ(client_family("rdkafka"), "rdkafka");
  EXPECT_EQ(client_family("consumer-billing-2"), "") << "nothing is left of it";
  EXPECT_EQ(client_family("billing.eu.4"), "billing-eu");
  EXPECT_EQ(client_family("17"), "");
}

TEST(GroupTrail, CountsWhoComesBack) {
  GroupTrail t;
  const auto look = [&](TimeUs at, std::vector<std::string> ids) {
    GroupLook l{.at = at, .state = "Stable"};
    for (const auto& id : ids) l.members.push_back({.id = id, .client_id = id.substr(0, 1), .host = "h", .instance_id = {}});
    t.observe(l);
  };
  look(0, {"a1", "b1"});
  look(kMinute, {"b1"});
  look(2 * kMinute, {"a2", "b1"});
  look(3 * kMinute, {"a3", "b1"});
  EXPECT_EQ(t.most_rejoins(), 2);
  EXPECT_EQ(t.clients_rejoined(), 1);
  EXPECT_EQ(t.changes().size(), 3U);
  look(3 * kMinute + GroupTrail::kRemembered, {"a3", "b1"});
  EXPECT_EQ(t.most_rejoins(), 1) << "what is long ago is forgotten";
}

}  // namespace
}  // namespace supyo::diagnosis
