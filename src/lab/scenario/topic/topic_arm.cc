#include "lab/scenario/topic/topic_arm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "data/log/partition_writer.h"
#include "lab/scenario/topic/topic_client.h"

namespace supyo::scenario {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr DurationUs kSample = kSecond;
constexpr DurationUs kRateWindow = 10 * kSecond;   ///< over which the forecast measures rates
constexpr DurationUs kDrainMost = 10 * kMinute;

class TopicArm {
 public:
  TopicArm(const env::Env& env, env::VirtualClock& clock, const TopicScenario& scenario, std::string name, const RunOptions& options)
      : env_(env), clock_(clock), s_(scenario), options_(options) {
    arm_.name = std::move(name);
  }

  Result<Arm> run() {
    SUPYO_TRY(begin());
    SUPYO_TRY(play());
    SUPYO_TRY(drain());
    return collect();
  }

 private:
  struct Group {
    const GroupSpec* spec = nullptr;
    TopicClient client;
    double rate = 0;                ///< its own, without a fault
    std::uint64_t lost_by_broker = 0;
    double t_first = kInf;
    std::int64_t log_start_seen = 0;
    std::size_t resets_seen = 0;
  };

  Status begin() {
    start_us_ = clock_.now_us();
    SUPYO_ASSIGN(rate_, s_.value(s_.rate, kRate));
    SUPYO_ASSIGN(const double record, s_.value(s_.record_size, kBytes));
    SUPYO_ASSIGN(const double retention, s_.value(s_.retention, kBytes));
    SUPYO_ASSIGN(const double segment, s_.value(s_.segment, kBytes));
    SUPYO_ASSIGN(const double check, s_.value(s_.check, kSeconds));
    retention_bytes_ = retention;
    check_us_ = std::max<DurationUs>(kMillisecond, std::llround(check * 1e6));
    next_check_us_ = start_us_ + check_us_;
    value_.assign(static_cast<std::size_t>(record), 'x');
    directory_ = env::join_path(env::join_path(options_.directory, arm_.name), "log");
    SUPYO_ASSIGN(topic_, log::create_topic(env_, directory_, "events",
                                           {.partitions = 1, .segment_bytes = std::llround(segment), .retention_bytes = retention <= 0 ? -1 : std::llround(retention)}));
    SUPYO_ASSIGN(writer_, log::PartitionWriter::open(env_, topic_, PartitionId(0)));
    for (const GroupSpec& g : s_.groups) SUPYO_TRY(add_group(g, record));
    add_columns();
    for (const TopicPhase& p : s_.phases) {
      end_us_ += p.length_us;
      phase_ends_.push_back(start_us_ + end_us_);
    }
    end_us_ += start_us_;
    next_sample_us_ = start_us_ + kSample;
    return ok();
  }

  Status add_group(const GroupSpec& g, double record) {
    const auto value = [&](const std::string& text, Unit unit, double otherwise) -> Result<double> { return text.empty() ? Result<double>(otherwise) : s_.value(text, unit); };
    SUPYO_ASSIGN(const double rate, value(g.rate, kRate, kInf));
    SUPYO_ASSIGN(const double prefetch, value(g.prefetch, kBytes, 1 << 20));
    SUPYO_ASSIGN(const double fetch, value(g.fetch, kBytes, 64 << 10));
    SUPYO_ASSIGN(const double commit, value(g.commit, kSeconds, 1));
    TopicClient::Options o{.group = g.name, .rate = rate, .prefetch_records = std::max(1.0, prefetch / record), .fetch_records = std::max(1.0, fetch / record),
                           .commit_us = std::max<DurationUs>(kMillisecond, std::llround(commit * 1e6)), .reset = g.reset};
    SUPYO_ASSIGN(auto client, TopicClient::open(env_.files, directory_, topic_, std::move(o), start_us_));
    groups_.push_back({.spec = &g, .client = std::move(client), .rate = rate});
    return ok();
  }

  void add_columns() {
    for (const auto& [name, unit] : {std::pair{"offered", "records"}, {"log_start", "records"}, {"end", "records"}, {"bytes", "B"}}) arm_.columns.push_back({name, unit, {}});
    for (const Group& g : groups_) {
      for (const char* name : {"applied", "lag_committed", "lag_fetched", "headroom", "exposure", "lost"}) arm_.columns.push_back({fmt::format("{}_{}", name, g.spec->name), "records", {}});
      arm_.columns.push_back({"forecast_" + g.spec->name, "s", {}});
      arm_.columns.push_back({"burrow_" + g.spec->name, "state", {}});
    }
  }

  Status play() {
    SUPYO_TRY(enter(0));
    while (clock_.now_us() < end_us_) {
      const TimeUs now = clock_.now_us();
      if (now >= next_sample_us_) SUPYO_TRY(sample(now));   // first: a sample at a phase's end belongs to that phase
      while (phase_ + 1 < s_.phases.size() && now >= phase_ends_[phase_]) SUPYO_TRY(enter(phase_ + 1));
      SUPYO_TRY(produce(now));
      SUPYO_TRY(step(now));
      SUPYO_TRY(options_.go_on());
      clock_.advance_to(now + s_.linger_us);
    }
    return sample(clock_.now_us());
  }

  Status enter(std::size_t phase) {
    phase_ = phase;
    const auto& inject = s_.phases[phase].inject;
    for (Group& g : groups_) {
      const bool hit = inject && inject->group == g.spec->name;
      g.client.set_stopped(hit && inject->kind == TopicFault::Kind::kStop);
      double rate = g.rate;
      if (hit && inject->kind == TopicFault::Kind::kSlowHandler) {
        SUPYO_ASSIGN(rate, s_.value(inject->rate, kRate));
      }
      g.client.set_rate(rate);
      if (hit && inject->kind == TopicFault::Kind::kDeleteRecords) {
        SUPYO_ASSIGN(const double past, s_.value(inject->past, kRecords));
        const std::int64_t to = std::min(writer_->next_offset().value, g.client.committed() + static_cast<std::int64_t>(past));
        SUPYO_TRY(writer_->delete_before(Offset(to)));
        note(fmt::format("records below {} deleted", to));
      }
    }
    note("phase " + s_.phases[phase].name);
    return ok();
  }

  Status produce(TimeUs now) {
    const auto due = static_cast<std::uint64_t>(static_cast<double>(now - start_us_) / 1e6 * rate_);
    if (due == sent_) return ok();
    batch_.clear();
    for (; sent_ < due; ++sent_) {
      // Every record is another one: its number is in its first bytes.
      fmt::format_to_n(value_.data(), value_.size(), "{:016x}", s_.seed * 1'000'000'007 + sent_);
      batch_.add(now, value_);
    }
    const std::size_t n = batch_.records();
    if (!writer_->append(batch_)) {
      failed_ += n;
      return ok();
    }
    if (!writer_->flush()) unknown_ += n;
    else acked_ += n;
    return ok();
  }

  Status step(TimeUs now) {
    if (now >= next_check_us_) {
      next_check_us_ += check_us_;
      SUPYO_TRY(writer_->retain());
    }
    for (Group& g : groups_) {
      // The moment at which something that it had not fetched yet is gone.
      if (writer_->log_start().value > g.client.position() && std::isinf(g.t_first)) {
        g.t_first = seconds(now) - fault_from();
        note(fmt::format("{}: first records deleted that it had not fetched", g.spec->name));
      }
      SUPYO_TRY(g.client.poll(now));
      for (; g.resets_seen < g.client.resets().size(); ++g.resets_seen) {
        const auto& r = g.client.resets()[g.resets_seen];
        const std::int64_t bound = g.spec->reset == Reset::kEarliest ? writer_->log_start().value : writer_->committed_end().value;
        g.lost_by_broker += static_cast<std::uint64_t>(std::max<std::int64_t>(0, bound - r.expected));
        if (g.resets_seen < 5) note(fmt::format("{}: position {} is gone, it goes on at {}", g.spec->name, r.expected, r.resumed));
      }
      if (g.client.errors() > 0 && std::ranges::none_of(arm_.timeline, [&](const auto& e) { return e.second == g.spec->name + ": stopped with an error, its position is gone"; }))
        note(g.spec->name + ": stopped with an error, its position is gone");
    }
    return ok();
  }

  Status sample(TimeUs now) {
    next_sample_us_ += kSample;
    arm_.t_s.push_back(std::round(seconds(now)));
    const double end = static_cast<double>(writer_->committed_end().value), start = static_cast<double>(writer_->log_start().value);
    std::size_t c = 0;
    const auto put = [&](double v) { arm_.columns[c++].values.push_back(v); };
    put(static_cast<double>(sent_));
    put(start);
    put(end);
    put(static_cast<double>(writer_->bytes()));
    for (const Group& g : groups_) {
      const double committed = static_cast<double>(g.client.committed());
      put(static_cast<double>(g.client.applied()));
      put(end - committed);
      put(end - static_cast<double>(g.client.position()));
      put(std::max(0.0, committed - start));
      put(std::max(0.0, start - committed));
      put(static_cast<double>(g.client.lost_at_gaps()));
      put(forecast(arm_.columns[c - 5], end - committed));
      put(static_cast<double>(g.client.burrow(now)));
    }
    if (options_.progress) options_.progress(arm_.name, static_cast<double>(now - start_us_) / static_cast<double>(end_us_ - start_us_));
    return ok();
  }

  /// Seconds until the log's size limit reaches the committed position, if both go on as in the last ten seconds; infinity when they do not meet.
  double forecast(const slo::Column& lag, double now_lag) const {
    const auto back = static_cast<std::size_t>(kRateWindow / kSample);
    if (retention_bytes_ <= 0 || writer_->next_offset().value == 0) return kNaN;
    if (lag.values.size() <= back) return kNaN;
    const double growth = (now_lag - lag.values[lag.values.size() - 1 - back]) / (static_cast<double>(kRateWindow) / 1e6);
    if (growth <= 0) return kNaN;   // never, at these rates
    return std::max(0.0, (retention_bytes_ / record_bytes() - now_lag) / growth);
  }

  double record_bytes() const {
    const double records = static_cast<double>(writer_->next_offset().value - writer_->segments().front().base.value);
    return records <= 0 ? kNaN : static_cast<double>(writer_->bytes()) / records;
  }

  /// The producer is silent; the groups work off what is there, as fast as they can.
  Status drain() {
    for (Group& g : groups_) {
      g.client.set_stopped(false);
      g.client.set_rate(kInf);
    }
    const TimeUs limit = clock_.now_us() + kDrainMost;
    const auto done = [&] {
      return std::ranges::all_of(groups_, [&](const Group& g) { return g.client.failed() || (g.client.idle() && g.client.handled() == writer_->next_offset().value); });
    };
    while (!done() && clock_.now_us() < limit) {
      clock_.advance_to(clock_.now_us() + s_.linger_us);
      SUPYO_TRY(step(clock_.now_us()));
    }
    arm_.drained = done();
    return ok();
  }

  Result<Arm> collect() {
    auto& c = arm_.counts;
    c["sent"] = static_cast<double>(sent_);
    c["acked"] = static_cast<double>(acked_);
    c["failed"] = static_cast<double>(failed_);
    c["unknown"] = static_cast<double>(unknown_);
    c["record_bytes"] = record_bytes();
    for (const Group& g : groups_) {
      const auto put = [&](const char* name, double v) { c[fmt::format("{}_{}", name, g.spec->name)] = v; };
      put("applied", static_cast<double>(g.client.applied()));
      put("lost", static_cast<double>(g.client.missing(writer_->next_offset().value)));
      put("lost_gap", static_cast<double>(g.client.lost_at_gaps()));
      put("lost_broker", static_cast<double>(g.lost_by_broker));
      put("resets", static_cast<double>(g.client.resets().size()));
      put("errors", static_cast<double>(g.client.errors()));
      put("t_first", g.t_first);
    }
    return std::move(arm_);
  }

  double seconds(TimeUs t) const { return static_cast<double>(t - start_us_) / 1e6; }
  double fault_from() const { return seconds(phase_ends_[s_.fault_phase() - 1]); }
  void note(std::string what) { arm_.timeline.emplace_back(seconds(clock_.now_us()), std::move(what)); }

  const env::Env& env_;
  env::VirtualClock& clock_;
  const TopicScenario& s_;
  const RunOptions& options_;
  Arm arm_;
  std::string directory_, value_;
  log::Topic topic_;
  std::unique_ptr<log::PartitionWriter> writer_;
  std::vector<Group> groups_;
  log::RecordBatch batch_;
  std::vector<TimeUs> phase_ends_;
  std::size_t phase_ = 0;
  TimeUs start_us_ = 0, end_us_ = 0, next_check_us_ = 0, next_sample_us_ = 0;
  DurationUs check_us_ = 0;
  double rate_ = 0, retention_bytes_ = 0;
  std::uint64_t sent_ = 0, acked_ = 0, failed_ = 0, unknown_ = 0;
};

}  // namespace

Result<Arm> run_topic_arm(const env::Env& env, env::VirtualClock& clock, const TopicScenario& scenario, const std::string& name, const RunOptions& options) {
  return TopicArm(env, clock, scenario, name, options).run();
}

}  // namespace supyo::scenario
