#include "lab/scenario/topic/live_arm.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "connect/kafka/kafka.h"
#include "lab/scenario/topic/disk_use.h"
#include "lab/scenario/topic/live_group.h"
#include "lab/scenario/topic/live_topic.h"

namespace supyo::scenario {
namespace {

using connect::KafkaAdmin;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr DurationUs kSample = kSecond;
constexpr std::size_t kRateSamples = 10;             ///< over which the forecast measures rates
constexpr DurationUs kWait = 5 * kMillisecond;
constexpr DurationUs kJoinMost = 60 * kSecond;
constexpr DurationUs kAnswerMost = 30 * kSecond;     ///< a cluster that has just started makes its own topics first
constexpr DurationUs kDrainMost = 2 * kMinute;
constexpr double kFrameBytes = 16;                   ///< of a record besides its value, where the log itself cannot be looked at

constexpr const char* kTopicSettings[] = {"cleanup.policy", "file.delete.delay.ms", "message.timestamp.type", "min.insync.replicas", "retention.bytes", "retention.ms", "segment.bytes", "segment.ms"};
constexpr const char* kBrokerSettings[] = {"log.retention.check.interval.ms", "log.segment.delete.delay.ms", "group.initial.rebalance.delay.ms", "offsets.topic.replication.factor"};

std::string joined(const std::vector<std::pair<std::string, std::string>>& settings) {
  std::string text;
  for (const auto& [name, value] : settings) text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", name, value);
  return text;
}

template <std::size_t N>
std::string chosen(const std::map<std::string, std::string>& all, const char* const (&names)[N]) {
  std::vector<std::pair<std::string, std::string>> some;
  for (const char* name : names)
    if (const auto it = all.find(name); it != all.end()) some.emplace_back(name, it->second);
  return joined(some);
}

class LiveRun {
 public:
  LiveRun(const env::Env& env, const RealCluster& cluster, const TopicScenario& scenario, std::string name, const RunOptions& options)
      : env_(env), cluster_(cluster), s_(scenario), options_(options) {
    live_.arm.name = std::move(name);
  }

  Result<LiveArm> run() {
    SUPYO_ASSIGN(admin_, KafkaAdmin::open(cluster_.servers, kAnswerMost));
    SUPYO_ASSIGN(rate_, s_.value(s_.rate, kRate));
    SUPYO_ASSIGN(record_size_, s_.value(s_.record_size, kBytes));
    SUPYO_ASSIGN(retention_, s_.value(s_.retention, kBytes));
    SUPYO_ASSIGN(const double segment, s_.value(s_.segment, kBytes));
    TemporaryTopic topic(*admin_, fmt::format("supyo-lab-{}-{}-{:08x}", s_.lab, live_.arm.name, static_cast<std::uint32_t>(env_.random.next_u64())));
    topic_ = topic.name();
    SUPYO_TRY(topic.create({{"retention.bytes", retention_ <= 0 ? "-1" : std::to_string(std::llround(retention_))}, {"segment.bytes", std::to_string(std::llround(segment))}}));
    const Status played = with_topic(topic);
    // Whatever happened: what reads and writes the topic ends before the topic does.
    if (producer_) producer_->finish();
    for (const auto& g : groups_) g->member->finish();
    if (probe_) probe_->finish();
    SUPYO_TRY(played);
    return collect();
  }

 private:
  struct Group {
    const GroupSpec* spec = nullptr;
    double rate = 0;                ///< its own, without a fault
    std::unique_ptr<LiveGroup> member;
  };

  Status with_topic(TemporaryTopic& topic) {
    SUPYO_TRY(begin(topic));
    SUPYO_TRY(play());
    return drain();
  }

  Status begin(TemporaryTopic& topic) {
    disk_ = std::make_unique<PartitionOnDisk>(env_.files, cluster_.data, topic_, 0);
    probe_ = std::make_unique<LiveProbe>(env_, topic_);
    SUPYO_TRY(probe_->open(cluster_.servers));
    producer_ = std::make_unique<LiveProducer>(env_, cluster_.servers, topic_, rate_, static_cast<std::size_t>(record_size_), s_.linger_us);
    SUPYO_TRY(producer_->open());
    for (const GroupSpec& g : s_.groups) SUPYO_TRY(add_group(g, topic));
    SUPYO_TRY(until_all_have_joined());
    add_columns();
    SUPYO_ASSIGN(const auto config, admin_->topic_config(topic_));
    live_.config["topic in effect"] = chosen(config, kTopicSettings);
    for (const auto& g : groups_) live_.config["client of group " + g->spec->name] = joined(g->member->settings());
    live_.config["client of the producer"] = joined(connect::kafka_sink_settings());
    start_us_ = env_.clock.monotonic_us();
    TimeUs at = start_us_;
    for (const TopicPhase& p : s_.phases) phase_ends_.push_back(at += p.length_us);
    producer_->start(start_us_);
    probe_->start();
    return enter(0);
  }

  Status add_group(const GroupSpec& g, TemporaryTopic& topic) {
    const auto value = [&](const std::string& text, Unit unit, double otherwise) -> Result<double> { return text.empty() ? Result<double>(otherwise) : s_.value(text, unit); };
    SUPYO_ASSIGN(const double rate, value(g.rate, kRate, kInf));
    SUPYO_ASSIGN(const double prefetch, value(g.prefetch, kBytes, 1 << 20));
    SUPYO_ASSIGN(const double fetch, value(g.fetch, kBytes, 64 << 10));
    SUPYO_ASSIGN(const double commit, value(g.commit, kSeconds, 1));
    const std::string name = fmt::format("{}-{}", topic_, g.name);
    topic.add_group(name);
    SUPYO_TRY(admin_->set_committed(name, topic_, 0, 0));   // so that none of them begins at a reset
    groups_.push_back(std::make_unique<Group>(Group{.spec = &g, .rate = rate,
                                                    .member = std::make_unique<LiveGroup>(env_, LiveGroup::Options{.servers = cluster_.servers, .topic = topic_, .name = g.name, .group = name, .rate = rate,
                                                                                                                   .prefetch_bytes = prefetch, .fetch_bytes = fetch,
                                                                                                                   .commit_us = std::max<DurationUs>(kMillisecond, std::llround(commit * 1e6)), .reset = g.reset})}));
    return ok();
  }

  Status until_all_have_joined() {
    for (const auto& g : groups_) g->member->start();
    const TimeUs limit = env_.clock.monotonic_us() + kJoinMost;
    while (!std::ranges::all_of(groups_, [](const auto& g) { return g->member->ready(); })) {
      SUPYO_TRY(all_well());
      if (env_.clock.monotonic_us() > limit) return fail(ErrorCode::kOutsideUnavailable, "the groups of the lab did not get their partition within a minute", "is the cluster busy with other groups?");
      env_.threads->idle(kWait);
    }
    return ok();
  }

  void add_columns() {
    auto& columns = live_.arm.columns;
    for (const auto& [name, unit] : {std::pair{"offered", "records"}, {"log_start", "records"}, {"end", "records"}, {"bytes", "B"}, {"disk", "B"}, {"ack_p50", "s"}, {"ack_p99", "s"}}) columns.push_back({name, unit, {}});
    for (const auto& g : groups_) {
      for (const char* name : {"applied", "lag_committed", "lag_fetched", "headroom", "exposure", "lost"}) columns.push_back({fmt::format("{}_{}", name, g->spec->name), "records", {}});
      columns.push_back({"forecast_" + g->spec->name, "s", {}});
      columns.push_back({"burrow_" + g->spec->name, "state", {}});
    }
  }

  Status play() {
    TimeUs next_sample = start_us_ + kSample;
    const TimeUs end = phase_ends_.back();
    while (next_sample <= end) {
      const TimeUs now = env_.clock.monotonic_us();
      if (now >= next_sample && next_sample <= phase_ends_[phase_]) {   // a sample at a phase's end belongs to that phase
        sample(next_sample);
        next_sample += kSample;
      } else if (now >= phase_ends_[phase_] && phase_ + 1 < phase_ends_.size()) {
        SUPYO_TRY(enter(phase_ + 1));
      } else {
        env_.threads->idle(kWait);
      }
      SUPYO_TRY(all_well());
    }
    return ok();
  }

  /// Of the lab itself: nobody stopped it, and no thread ended with an error.
  Status all_well() {
    SUPYO_TRY(options_.go_on());
    const std::int64_t end = probe_->last().end;
    for (const auto& g : groups_) {
      g->member->set_end(end);
      for (std::string& text : g->member->take_notes()) note(std::move(text));
      SUPYO_TRY(g->member->status());
    }
    SUPYO_TRY(producer_->status());
    return probe_->status();
  }

  Status enter(std::size_t phase) {
    phase_ = phase;
    const auto& inject = s_.phases[phase].inject;
    note("phase " + s_.phases[phase].name);
    for (const auto& g : groups_) {
      const bool hit = inject && inject->group == g->spec->name;
      g->member->set_stopped(hit && inject->kind == TopicFault::Kind::kStop);
      double rate = g->rate;
      if (hit && inject->kind == TopicFault::Kind::kSlowHandler) {
        SUPYO_ASSIGN(rate, s_.value(inject->rate, kRate));
      }
      g->member->set_rate(rate);
      if (hit && inject->kind == TopicFault::Kind::kDeleteRecords) {
        SUPYO_ASSIGN(const double past, s_.value(inject->past, kRecords));
        SUPYO_ASSIGN(const auto ends, admin_->ends(topic_));
        const std::int64_t to = std::min(ends[0].end, g->member->committed() + static_cast<std::int64_t>(past));
        SUPYO_ASSIGN(const std::int64_t start, admin_->delete_records(topic_, 0, std::max(to, ends[0].start)));
        note(fmt::format("records below {} deleted", start));
      }
    }
    return ok();
  }

  void sample(TimeUs due) {
    Arm& arm = live_.arm;
    const double offered = static_cast<double>(producer_->sent());   // first: the rest takes some milliseconds
    const LiveProbe::Look last = probe_->last();
    const auto ends = admin_->ends(topic_);
    const LiveProbe::Look look = ends ? LiveProbe::Look{0, (*ends)[0].start, (*ends)[0].end} : last;
    const DiskUse use = disk_->look(look.end);
    if (use.record_bytes > 0) record_bytes_ = use.record_bytes;
    arm.t_s.push_back(std::round(seconds(due)));
    const double end = static_cast<double>(look.end), start = static_cast<double>(look.start);
    std::size_t c = 0;
    const auto put = [&](double v) { arm.columns[c++].values.push_back(v); };
    put(offered);
    put(start);
    put(end);
    put(use.log_bytes > 0 ? use.log_bytes : (end - start) * record_bytes());
    put(use.disk_bytes > 0 ? use.disk_bytes : kNaN);
    std::vector<DurationUs> latencies = producer_->take_latencies();
    std::ranges::sort(latencies);
    for (const double q : {0.5, 0.99}) put(latencies.empty() ? kNaN : static_cast<double>(latencies[static_cast<std::size_t>(q * static_cast<double>(latencies.size() - 1))]) / 1e6);
    for (const auto& g : groups_) {
      const LiveGroup& m = *g->member;
      const double committed = static_cast<double>(m.committed());
      put(static_cast<double>(m.applied()));
      put(std::max(0.0, end - committed));
      put(std::max(0.0, end - static_cast<double>(m.fetched())));
      put(std::max(0.0, committed - start));
      put(std::max(0.0, start - committed));
      put(static_cast<double>(m.lost_at_gaps()));
      put(forecast(arm.columns[c - 5], end - committed));
      put(static_cast<double>(m.burrow(env_.clock.now_us())));
    }
    if (options_.progress) options_.progress(arm.name, static_cast<double>(due - start_us_) / static_cast<double>(phase_ends_.back() - start_us_));
  }

  /// Seconds until the log's size limit reaches the committed position, if both go on as in the last ten seconds; NaN when they do not meet.
  double forecast(const slo::Column& lag, double now_lag) const {
    if (retention_ <= 0 || lag.values.size() <= kRateSamples) return kNaN;
    const double growth = (now_lag - lag.values[lag.values.size() - 1 - kRateSamples]) / static_cast<double>(kRateSamples);
    return growth <= 0 ? kNaN : std::max(0.0, (retention_ / record_bytes() - now_lag) / growth);
  }

  double record_bytes() const { return record_bytes_ > 0 ? record_bytes_ : record_size_ + kFrameBytes; }

  /// The producer is silent; the groups work off what is there, as fast as they can.
  Status drain() {
    producer_->finish();
    SUPYO_TRY(producer_->status());
    SUPYO_ASSIGN(const auto ends, admin_->ends(topic_));
    for (const auto& g : groups_) {
      g->member->set_stopped(false);
      g->member->set_rate(kInf);
    }
    const auto done = [&] { return std::ranges::all_of(groups_, [&](const auto& g) { return g->member->stopped_by_error() || g->member->handled() >= ends[0].end; }); };
    const TimeUs limit = env_.clock.monotonic_us() + kDrainMost;
    while (!done() && env_.clock.monotonic_us() < limit) {
      SUPYO_TRY(all_well());
      env_.threads->idle(kWait);
    }
    live_.arm.drained = done();
    return ok();
  }

  Result<LiveArm> collect() {
    using Outcome = LiveProducer::Outcome;
    auto& c = live_.arm.counts;
    c["sent"] = static_cast<double>(producer_->sent());
    c["acked"] = static_cast<double>(producer_->count(Outcome::kAcknowledged));
    c["failed"] = static_cast<double>(producer_->count(Outcome::kFailed));
    c["unknown"] = static_cast<double>(producer_->count(Outcome::kUnknown));
    c["record_bytes"] = record_bytes();
    std::vector<std::pair<std::string, std::string>> errors;
    for (const auto& [why, records] : producer_->errors()) errors.emplace_back(why, std::to_string(records));
    live_.config["not acknowledged, by error"] = errors.empty() ? "none" : joined(errors);
    const std::vector<LiveProbe::Look> looks = probe_->looks();
    for (const auto& g : groups_) {
      const LiveGroup& m = *g->member;
      const auto put = [&](const char* name, double v) { c[fmt::format("{}_{}", name, g->spec->name)] = v; };
      const auto& ledger = producer_->ledger();
      std::uint64_t lost = 0;
      for (std::size_t i = 0; i < ledger.size(); ++i) lost += ledger[i] == Outcome::kAcknowledged && !m.handled_number(i) ? 1 : 0;
      put("applied", static_cast<double>(m.applied()));
      put("duplicates", static_cast<double>(m.duplicates()));
      put("lost", static_cast<double>(lost));
      put("lost_gap", static_cast<double>(m.lost_at_gaps()));
      put("lost_broker", lost_by_broker(*g, looks));
      const auto gone = m.gone();
      put("resets", static_cast<double>(std::ranges::count_if(gone, [](const LiveGroup::Gone& x) { return x.to >= 0; })));
      put("errors", static_cast<double>(m.errors()));
      put("t_first", gone.empty() ? kInf : first_without(gone.front().from, looks));
    }
    live_.config["record in the log"] = record_bytes_ > 0 ? fmt::format("{:.1f} B, by the sizes of its segments", record_bytes_) : fmt::format("{:.0f} B, assumed: its files were not seen", record_bytes());
    return std::move(live_);
  }

  /// What the brokers said of the log, not the client: the last log start (latest: high watermark) that the probe saw before the client went on there.
  static double lost_by_broker(const Group& g, const std::vector<LiveProbe::Look>& looks) {
    double lost = 0;
    for (const LiveGroup::Gone& gone : g.member->gone()) {
      if (gone.to < 0) continue;
      std::int64_t bound = gone.from;
      for (const LiveProbe::Look& l : looks) {
        const std::int64_t at = g.spec->reset == Reset::kLatest ? l.end : l.start;
        if (at <= gone.to) bound = std::max(bound, at);
      }
      lost += static_cast<double>(bound - gone.from);
    }
    return lost;
  }

  /// Seconds after the fault began at which `offset`, which the client had not fetched yet, was gone.
  double first_without(std::int64_t offset, const std::vector<LiveProbe::Look>& looks) const {
    const auto it = std::ranges::find_if(looks, [&](const LiveProbe::Look& l) { return l.start > offset; });
    return it == looks.end() ? kInf : seconds(it->t) - seconds(phase_ends_[s_.fault_phase() - 1]);
  }

  double seconds(TimeUs t) const { return static_cast<double>(t - start_us_) / 1e6; }
  void note(std::string what) { live_.arm.timeline.emplace_back(std::max(0.0, seconds(env_.clock.monotonic_us())), std::move(what)); }

  env::Env env_;
  const RealCluster& cluster_;
  const TopicScenario& s_;
  const RunOptions& options_;
  LiveArm live_;
  std::unique_ptr<KafkaAdmin> admin_;
  std::string topic_;
  std::unique_ptr<PartitionOnDisk> disk_;
  std::unique_ptr<LiveProbe> probe_;
  std::unique_ptr<LiveProducer> producer_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<TimeUs> phase_ends_;
  std::size_t phase_ = 0;
  TimeUs start_us_ = 0;
  double rate_ = 0, record_size_ = 0, retention_ = 0, record_bytes_ = 0;
};

}  // namespace

Status check_cluster(const RealCluster& cluster, const TopicScenario& scenario, std::map<std::string, std::string>& config) {
  SUPYO_ASSIGN(const double check, scenario.value(scenario.check, kSeconds));
  SUPYO_ASSIGN(const auto admin, KafkaAdmin::open(cluster.servers));
  SUPYO_ASSIGN(const KafkaAdmin::Cluster described, admin->describe());
  config["cluster"] = fmt::format("{} at {}, id {}, {} broker{}", cluster.name, cluster.servers, described.id, described.brokers.size(), described.brokers.size() == 1 ? "" : "s");
  for (const KafkaAdmin::Broker& b : described.brokers) {
    SUPYO_ASSIGN(const auto settings, admin->broker_config(b.id));
    config[fmt::format("broker {} in effect", b.id)] = chosen(settings, kBrokerSettings);
    constexpr const char* kInterval = "log.retention.check.interval.ms";
    const auto it = settings.find(kInterval);
    double interval_ms = kInf;
    if (it != settings.end()) std::from_chars(it->second.data(), it->second.data() + it->second.size(), interval_ms);
    if (interval_ms > check * 1000)
      return fail(ErrorCode::kBadOptionValue, fmt::format("broker {} looks every {} ms for what retention may delete, {} needs {:.0f} ms or less", b.id, it == settings.end() ? "?" : it->second, scenario.lab, check * 1000),
                  fmt::format("set {}={:.0f} in its server.properties and restart it; `supyo stack up kafka` starts one that has it so", kInterval, check * 1000));
  }
  return ok();
}

Result<LiveArm> run_live_arm(const env::Env& env, const RealCluster& cluster, const TopicScenario& scenario, const std::string& name, const RunOptions& options) {
  return LiveRun(env, cluster, scenario, name, options).run();
}

}  // namespace supyo::scenario
