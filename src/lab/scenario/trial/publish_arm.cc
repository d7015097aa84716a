#include "lab/scenario/trial/publish_arm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "connect/kafka/record_producer.h"
#include "lab/fault/process_fault.h"
#include "lab/fault/proxy.h"
#include "lab/scenario/child_broker.h"
#include "lab/scenario/trial/cluster.h"
#include "lab/scenario/trial/commit_worker.h"
#include "lab/scenario/trial/numbered_producer.h"
#include "lab/scenario/trial/topic_reader.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kTurn = kMillisecond;
constexpr DurationUs kSample = kSecond / 10;
constexpr DurationUs kSettle = 60 * kSecond;   // beyond the delivery timeout, for the last report
constexpr DurationUs kReadBack = 60 * kSecond;
constexpr DurationUs kComeBack = 5 * kSecond;
constexpr int kPortTries = 3;

double as_seconds(DurationUs d) { return static_cast<double>(d) / kSecond; }

class ArmRun {
 public:
  ArmRun(const env::Env& env, const PublishScenario& scenario, const PublishArmRequest& request, const RunOptions& options)
      : env_(env), s_(scenario), a_(request.arm), request_(request), options_(options) {
    out_.name = a_.name;
    for (const char* name : {"offered", "acked", "failed", "unknown", "refused", "waiting"}) out_.columns.push_back({name, "records", {}});
    out_.columns.push_back({"silence_s", "s", {}});
  }

  Result<Arm> run() {
    SUPYO_TRY(read_settings());
    SUPYO_TRY(open_cluster());
    SUPYO_TRY(open_producer());
    begin_us_ = last_ack_us_ = env_.clock.monotonic_us();
    SUPYO_TRY(produce());
    SUPYO_TRY(settle());
    SUPYO_TRY(count());
    if (options_.cluster) remove_topic(servers_, topic_);
    return std::move(out_);
  }

 private:
  bool on_line() const { return !a_.resets.empty(); }

  Status read_settings() {
    SUPYO_ASSIGN(before_us_, s_.duration(s_.before));
    SUPYO_ASSIGN(after_us_, s_.duration(s_.after));
    if (!a_.stop.empty()) { SUPYO_ASSIGN(stop_us_, s_.duration(a_.stop)); }
    if (on_line()) { SUPYO_ASSIGN(resets_, s_.count(a_.resets)); }
    SUPYO_ASSIGN(every_us_, s_.duration(a_.every));
    SUPYO_ASSIGN(delay_us_, s_.duration(a_.delay));
    SUPYO_ASSIGN(timeout_us_, s_.duration(a_.timeout));
    SUPYO_ASSIGN(queue_, s_.count(a_.queue, kRecords));
    SUPYO_ASSIGN(in_flight_, s_.count(a_.in_flight));
    return ok();
  }

  Status open_cluster() {
    std::optional<env::ProcessIdentity> process;
    if (options_.cluster) {
      servers_ = options_.cluster->servers;
      process = options_.cluster->broker;
      if (on_line()) SUPYO_TRY(open_line_to_real());
    } else {
      SUPYO_TRY(on_line() ? open_line_to_embedded() : start_embedded({}));
      process = broker_->identity();
    }
    if (stop_us_ == 0) return ok();
    if (!process) return fail(ErrorCode::kUnsupported, fmt::format("{} stops the broker, and which process that is is not known", s_.lab), "run it on `supyo stack up kafka`, or without --on real");
    fault_.emplace(env_, *process);
    return ok();
  }

  Status start_embedded(const std::optional<env::NetAddress>& advertise) {
    SUPYO_ASSIGN(broker_, ChildBroker::start(env_, request_.directory, own_broker_settings(), advertise));
    servers_ = broker_->address();
    return ok();
  }

  /// The broker has to know the proxy's port, and the proxy the broker's: one of them takes a port that was free a moment ago.
  Status open_line_to_embedded() {
    for (int i = 0;; ++i) {
      SUPYO_ASSIGN(const env::NetAddress at, free_address(*env_.net));
      SUPYO_TRY(start_embedded(at));
      SUPYO_ASSIGN(const env::NetAddress upstream, env::parse_net_address(broker_->address()));
      auto proxy = fault::FaultProxy::start(env_, {.listen = at, .upstream = upstream});
      if (proxy) {
        proxy_ = std::move(*proxy);
        servers_ = at.to_string();
        return ok();
      }
      if (proxy.error().code != ErrorCode::kAddressInUse || i == kPortTries) return fail(proxy.error());
      broker_.reset();
    }
  }

  Status open_line_to_real() {
    if (!options_.cluster->proxied)
      return fail(ErrorCode::kUnsupported, fmt::format("{} resets connections on the line, and {} has no listener that leads through the lab's proxy", s_.lab, options_.cluster->name), "run it on `supyo stack up kafka`, or without --on real");
    const auto& [upstream, listen] = *options_.cluster->proxied;
    SUPYO_ASSIGN(proxy_, fault::FaultProxy::start(env_, {.listen = listen, .upstream = upstream}));
    servers_ = listen.to_string();
    return ok();
  }

  Status open_producer() {
    topic_ = fmt::format("supyo-lab-{}-{}", env::new_uuid(env_.random).substr(0, 8), a_.name);
    SUPYO_ASSIGN(const double rate, s_.value(s_.rate, kRate));
    SUPYO_ASSIGN(const double size, s_.value(s_.record_size, kBytes));
    SUPYO_TRY(make_topic(servers_, topic_));
    connect::RecordProducerOptions options{.servers = servers_, .topic = topic_};
    options.client_settings = {{"message.timeout.ms", fmt::format("{}", timeout_us_ / kMillisecond)},
                               {"queue.buffering.max.messages", fmt::format("{}", queue_)},
                               {"max.in.flight.requests.per.connection", fmt::format("{}", in_flight_)},
                               {"enable.idempotence", a_.idempotence ? "true" : "false"}};
    SUPYO_ASSIGN(client_, connect::RecordProducer::open(options));
    producer_.emplace(env_, *client_, NumberedProducer::Options{.rate = rate, .record_size = static_cast<std::size_t>(size), .linger_us = s_.linger_us});
    return ok();
  }

  Status turn(bool rest) {
    SUPYO_TRY(options_.go_on());
    const std::uint64_t acked = producer_->counts().acknowledged;
    SUPYO_TRY(producer_->turn(env_.clock.monotonic_us(), rest));
    const TimeUs now = env_.clock.monotonic_us();
    if (producer_->counts().acknowledged > acked) last_ack_us_ = now;
    waiting_max_ = std::max(waiting_max_, producer_->in_flight());
    while (begin_us_ + static_cast<TimeUs>(out_.t_s.size() + 1) * kSample <= now && as_seconds(now - begin_us_) <= request_.samples_s + 1e-9) sample(now);
    env_.threads->idle(kTurn);
    return ok();
  }

  void sample(TimeUs now) {
    out_.t_s.push_back(static_cast<double>(out_.t_s.size() + 1) * as_seconds(kSample));
    const NumberedProducer::Counts& c = producer_->counts();
    std::size_t i = 0;
    for (const auto v : {c.offered, c.acknowledged, c.failed, c.unknown, c.refused, std::uint64_t{producer_->in_flight()}}) out_.columns[i++].values.push_back(static_cast<double>(v));
    out_.columns[i].values.push_back(as_seconds(now - last_ack_us_));
  }

  /// The undisturbed time, the fault, and the time after it.
  Status produce() {
    SUPYO_TRY(until(begin_us_ + before_us_));
    const TimeUs begin = env_.clock.monotonic_us();
    if (stop_us_ > 0) SUPYO_TRY(stand());
    if (on_line()) SUPYO_TRY(reset());
    out_.counts["fault_s"] = as_seconds(env_.clock.monotonic_us() - begin);
    return until(env_.clock.monotonic_us() + after_us_);
  }

  Status until(TimeUs t) {
    while (env_.clock.monotonic_us() < t) SUPYO_TRY(turn(false));
    return ok();
  }

  Status stand() {
    const TimeUs from = env_.clock.monotonic_us();
    SUPYO_ASSIGN(auto pause, fault::Pause::begin(*fault_));
    out_.timeline.emplace_back(as_seconds(from - begin_us_), "SIGSTOP: the broker stands");
    const auto usage = [&] { return env_.processes->look(fault_->process()); };
    const auto before = usage();
    SUPYO_TRY(until(from + stop_us_));
    const auto after = usage();
    SUPYO_TRY(pause.end());
    const TimeUs to = env_.clock.monotonic_us();
    out_.timeline.emplace_back(as_seconds(to - begin_us_), "SIGCONT: it goes on");
    out_.counts["stopped_s"] = as_seconds(to - from);
    out_.counts["stood"] = before && after && before->stopped && after->stopped && before->cpu_us == after->cpu_us ? 1 : 0;
    return ok();
  }

  Status reset() {
    const fault::ProxyCounts before = proxy_->control().counts();
    proxy_->control().set(fault::Direction::kDown, {.latency_us = delay_us_});
    for (std::uint64_t i = 0; i < resets_; ++i) {
      const fault::ProxyCounts last = proxy_->control().counts();
      SUPYO_TRY(until(env_.clock.monotonic_us() + every_us_));
      // A client that is just coming back has nothing to lose: it is hit once it sends again.
      const TimeUs limit = env_.clock.monotonic_us() + kComeBack;
      for (fault::ProxyCounts now = proxy_->control().counts(); (now.open == 0 || now.bytes_up == last.bytes_up) && env_.clock.monotonic_us() < limit; now = proxy_->control().counts()) SUPYO_TRY(turn(false));
      proxy_->control().reset_connections();
      out_.timeline.emplace_back(as_seconds(env_.clock.monotonic_us() - begin_us_), "every connection is reset");
    }
    SUPYO_TRY(until(env_.clock.monotonic_us() + every_us_));
    proxy_->control().mend();
    out_.counts["resets"] = static_cast<double>(proxy_->control().counts().reset - before.reset);
    return ok();
  }

  /// Nothing new; until what was taken is reported, and the columns are full.
  Status settle() {
    const TimeUs limit = env_.clock.monotonic_us() + timeout_us_ + kSettle;
    while (!producer_->settled() && env_.clock.monotonic_us() < limit) SUPYO_TRY(turn(true));
    settled_ = producer_->settled();
    while (as_seconds(static_cast<DurationUs>(out_.t_s.size() + 1) * kSample) <= request_.samples_s + 1e-9) sample(last_ack_us_);
    return ok();
  }

  Status count() {
    OrderCheck order;
    SUPYO_ASSIGN(const bool whole, read_topic(env_, servers_, topic_, kReadBack, [&](std::string_view value) -> Status {
      SUPYO_ASSIGN(const std::uint64_t id, id_of_value(value));
      order.add(id);
      return ok();
    }));
    out_.drained = whole && settled_;
    const NumberedProducer::Counts& c = producer_->counts();
    std::uint64_t missing = 0, phantom = 0, kept = 0;
    for (std::uint64_t id = 0; id < producer_->fates().size(); ++id) {
      using Fate = NumberedProducer::Fate;
      const Fate fate = producer_->fates()[id];
      if (fate == Fate::kAcknowledged && !order.has(id)) ++missing;
      if ((fate == Fate::kFailed || fate == Fate::kRefused) && order.has(id)) ++phantom;
      if (fate == Fate::kUnknown && order.has(id)) ++kept;
    }
    const auto put = [&](const char* name, auto v) { out_.counts[name] = static_cast<double>(v); };
    put("sent", c.offered);
    put("acked", c.acknowledged);
    put("failed", c.failed + c.refused);
    put("unknown", c.unknown);
    put("refused", c.refused);
    put("expired", c.failed + c.unknown);
    put("repeated", order.repeated);
    put("inversions", order.inversions);
    put("missing", missing);
    put("phantom", phantom);
    put("kept", kept);
    put("queue_max", waiting_max_);
    put("ack_max_s", as_seconds(c.slowest_ack_us));
    put("timeout_s", as_seconds(timeout_us_));
    for (const auto& [why, n] : c.why) out_.timeline.emplace_back(request_.samples_s, fmt::format("{} records: {}", n, why));
    return ok();
  }

  env::Env env_;
  const PublishScenario& s_;
  const PublishArm& a_;
  const PublishArmRequest& request_;
  const RunOptions& options_;
  DurationUs before_us_ = 0, after_us_ = 0, stop_us_ = 0, every_us_ = 0, delay_us_ = 0, timeout_us_ = 0;
  std::uint64_t resets_ = 0, queue_ = 0, in_flight_ = 0;
  std::string servers_, topic_;
  std::unique_ptr<ChildBroker> broker_;
  std::unique_ptr<fault::FaultProxy> proxy_;
  std::optional<fault::ProcessFault> fault_;
  std::unique_ptr<connect::RecordProducer> client_;
  std::optional<NumberedProducer> producer_;
  Arm out_;
  TimeUs begin_us_ = 0, last_ack_us_ = 0;
  std::size_t waiting_max_ = 0;
  bool settled_ = false;
};

}  // namespace

Result<Arm> run_publish_arm(const env::Env& env, const PublishScenario& scenario, const PublishArmRequest& request, const RunOptions& options) {
  return ArmRun(env, scenario, request, options).run();
}

}  // namespace supyo::scenario
