#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connect/flink/job_metrics.h"
#include "judge/diagnosis/broker_log.h"
#include "judge/diagnosis/causes.h"
#include "judge/diagnosis/client_log.h"
#include "judge/diagnosis/loss_ledger.h"
#include "judge/diagnosis/time_marks.h"
#include "judge/slo/lag_rules.h"
#include "serve/watch/collector.h"
#include "serve/watch/view.h"

namespace supyo::watch {

/// What the state of a group is at a glance. UNKNOWN is never good.
enum class Health : std::uint8_t { kOk, kAtRisk, kIncident, kUnknown };
std::string_view health_name(Health health);   ///< "OK", "AT RISK", "INCIDENT", "UNKNOWN"

struct GroupReport {
  std::string name, state;
  Health health = Health::kUnknown;
  Health last_health = Health::kUnknown;         ///< as of the last look that the cluster answered
  int members = -1;                              ///< -1: not told
  double append_rate = 0, read_rate = 0;         ///< records a second, over its partitions
  std::int64_t lag = 0, lost = 0, exposed = 0;
  std::optional<double> oldest_unread_s = {};    ///< age of the oldest record that it has not read
  std::optional<diagnosis::LossForecast> limiting = {};   ///< of its partition that loses first
  std::string limiting_place = {};
  std::vector<diagnosis::Finding> findings = {}; ///< ranked
  // What lag alarms say over the same looks; they decide nothing.
  slo::BurrowStatus burrow = slo::BurrowStatus::kOk;
  slo::AlarmLevel retention_percent = slo::AlarmLevel::kOk, messages_lost = slo::AlarmLevel::kOk;
  struct PartitionReport {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t log_start = 0, end = 0, committed = 0, lost = 0;
    double append_rate = 0, read_rate = 0;
    std::optional<double> oldest_unread_s = {};
    diagnosis::LossForecast forecast = {};
    slo::BurrowStatus burrow = slo::BurrowStatus::kOk;
    std::string owner = {};                      ///< client id
  };
  std::vector<PartitionReport> partitions = {};
};

struct Report {
  std::string source;
  bool reachable = false;                        ///< the cluster answered this look
  std::string problem = {};
  TimeUs at_us = 0;
  TimeUs known_at_us = 0;                        ///< what it tells is as of then: before at_us where nobody answers any more; 0: nothing is known
  Health last_health = Health::kUnknown;         ///< then
  DurationUs took_us = 0, clock_offset_us = 0, watched_for_us = 0;
  std::vector<GroupReport> groups = {};          ///< worst first
  std::vector<diagnosis::Finding> cluster = {};
  std::vector<connect::FlinkJob> jobs = {};
  std::vector<std::string> problems = {};        ///< what could not be asked
  bool complete = true;                          ///< all groups are known by name, and the engine that was asked for answered
  int topics = 0, partitions = 0;
  /// UNKNOWN where nobody answers; where not all of it is known it is no better than that.
  Health worst() const;
  bool known() const { return known_at_us > 0; }
};

/// Nobody answers any more at `now`: what was known last, marked as of then. Every health is UNKNOWN, and says what it was.
Report unanswered(Report last, std::string problem, TimeUs now);

/// Makes of successive looks what no single one shows: rates, forecasts, losses, causes. Plain memory that a group and partition costs some 5 KB of; one thread.
class Monitor {
 public:
  explicit Monitor(DurationUs horizon = 6 * kHour) : horizon_(horizon) {}

  void observe(const ClusterLook& look);
  /// Timestamps worth asking for: the first offset with each. At most `most`.
  std::vector<std::pair<Place, TimeUs>> questions(std::size_t most) const;
  void answer(const std::vector<std::pair<Place, TimeUs>>& asked, const std::map<Place, std::int64_t>& offsets);
  /// Lines of broker logs, as they come.
  void broker_log(std::string_view text);
  /// Lines that members write of their own work, as they come.
  void client_log(std::string_view text) { clients_.read(text); }
  /// The jobs of a Flink cluster as seen now; each is matched with the group that its sources commit as (`group`, by name). None: it was asked, and did not answer.
  void flink(std::optional<std::vector<connect::FlinkJob>> jobs) {
    jobs_known_ = jobs.has_value();
    jobs_ = std::move(jobs).value_or(std::vector<connect::FlinkJob>{});
  }

  Report report() const;
  /// For the metrics and the page of both flows.
  View view() const;

 private:
  struct Followed {
    diagnosis::Trail trail;
    diagnosis::LossLedger ledger;
    slo::BurrowPartition burrow;
    slo::MessagesLostGauge gauge;
    slo::AlarmLevel gauge_level = slo::AlarmLevel::kOk;
    std::int64_t committed = -1;
    bool seen = false;
  };
  struct Group {
    std::map<Place, Followed> partitions;
    diagnosis::GroupTrail members;
    bool exists = true, described = false, offsets_known = false;
    std::string state;
  };
  struct Topic {
    std::int64_t bytes = -1, hidden = -1;
    TimeUs sized_at = 0;
    std::optional<double> bytes_growth = {};
    double hidden_growth = 0;
    std::int64_t largest = -1;
    TimeUs shrank_at = 0;
  };
  void begin_anew();
  void observe_group(const ClusterLook& look, const ClusterLook::Group& told);
  void observe_sizes(const ClusterLook& look);
  diagnosis::LossForecast forecast(const Place& place, const diagnosis::Trail& trail) const;
  diagnosis::TimeMarks::Where where(const Place& place, const diagnosis::Trail& trail) const;
  /// Of the first record that the group has not read.
  std::optional<TimeUs> produced_at(const Place& place, const Followed& f) const;
  GroupReport report_of(const std::string& name, const Group& group) const;
  diagnosis::ClusterEvidence cluster_evidence() const;

  DurationUs horizon_;
  ClusterLook last_;
  bool looked_ = false;
  TimeUs first_at_ = 0;
  std::map<std::string, Group> groups_;
  std::map<Place, diagnosis::TimeMarks> marks_;
  std::map<std::string, Topic> topics_;
  std::map<Place, std::int64_t> ends_before_;
  std::map<std::string, double> append_rates_;
  struct Disk {
    TimeUs first_at = 0, at = 0;
    std::int64_t used_by_logs = 0;
    std::optional<double> growth = {};
  };
  std::map<std::pair<std::int32_t, std::string>, Disk> disks_;   ///< (broker, path)
  std::map<std::int32_t, TimeUs> pass_at_;       ///< by leader: a deletion pass that was seen
  diagnosis::BrokerLog log_;
  diagnosis::ClientLog clients_;
  std::vector<connect::FlinkJob> jobs_;
  bool jobs_known_ = true;
};

}  // namespace supyo::watch
