#include <fmt/format.h>

#include <algorithm>

#include "core/base/human_duration.h"
#include "judge/diagnosis/causes.h"

namespace supyo::diagnosis {
namespace {

constexpr double kDiskNear_s = 24 * 3600, kDiskFar_s = 7 * 24 * 3600;
constexpr DurationUs kDiskSure = kMinute;      // of measured growth: a burst of seconds is no forecast to wake somebody for
constexpr DurationUs kNoShrink = 6 * kHour;   // compaction that works has made it smaller by then

class Inspector {
 public:
  explicit Inspector(const ClusterEvidence& cluster) : c_(cluster) {}

  std::vector<Finding> findings() {
    for (const TopicEvidence& t : c_.topics) {
      hidden_lag(t);
      retention(t);
      orphan(t);
      compaction(t);
      durability(t);
    }
    for (const DiskEvidence& d : c_.disks) disk(d);
    rank(out_);
    return std::move(out_);
  }

 private:
  void add(Cause cause, Severity severity, double weight, std::string subject, std::string what, std::vector<Number> numbers, std::string next) {
    out_.push_back({.cause = cause, .severity = severity, .weight = weight, .subject = std::move(subject), .what = std::move(what), .numbers = std::move(numbers), .next = std::move(next)});
  }

  void hidden_lag(const TopicEvidence& t) {
    if (t.under_min_in_sync == 0) return;
    const bool grows = t.hidden_lag > 0 && t.hidden_growth > 0;
    add(Cause::kHiddenLag, Severity::kIncident, grows ? 96 : 86, "topic " + t.name,
        fmt::format("{} of {} partitions have fewer replicas in sync than min.insync.replicas ({}): {}", t.under_min_in_sync, t.partitions, t.min_in_sync.value_or(0),
                    grows ? fmt::format("{} records are acknowledged (acks=1) and no consumer sees them, {:.0f} more a second; every lag stays flat", t.hidden_lag, t.hidden_growth) : "acks=all is refused, and the high watermark stands still"),
        {{"under min ISR", static_cast<double>(t.under_min_in_sync), "partitions"}, {"hidden", static_cast<double>(std::max<std::int64_t>(0, t.hidden_lag)), "records"}, {"growth", t.hidden_growth, "records/s"}}, "bring the missing brokers back; do not lower min.insync.replicas to make it go away");
  }

  void retention(const TopicEvidence& t) {
    const Retention& r = t.retention;
    if (!r.known || !r.deletes) return;
    const double bytes_rate = std::max(0.0, t.bytes_growth), partitions = std::max(1, t.partitions);
    const double record_bytes = t.bytes > 0 && t.append_rate > 0 ? bytes_rate : 0;
    if (r.retention_bytes >= 0 && r.segment_bytes > r.retention_bytes)
      add(Cause::kRetentionCannotWork, Severity::kTicket, 46, "topic " + t.name, fmt::format("retention.bytes is {} and segment.bytes {}: a segment goes only when it is closed and what is behind it is that much, so up to {} stay", r.retention_bytes, r.segment_bytes, r.retention_bytes + r.segment_bytes),
          {{"retention.bytes", static_cast<double>(r.retention_bytes), "bytes"}, {"segment.bytes", static_cast<double>(r.segment_bytes), "bytes"}}, "set segment.bytes to a tenth of retention.bytes or less (not below 1 MiB on Kafka 4)");
    else if (r.retention_ms >= 0 && r.retention_bytes < 0 && r.segment_ms > r.retention_ms && t.append_rate > 0 && t.bytes > 0 && static_cast<double>(t.bytes) / partitions < static_cast<double>(r.segment_bytes))
      add(Cause::kRetentionCannotWork, Severity::kTicket, 44, "topic " + t.name, fmt::format("retention.ms is {} s and segment.ms {} s, and segments do not fill before: records stay for as long as the segment is written to, and as long again", r.retention_ms / 1000, r.segment_ms / 1000),
          {{"retention.ms", static_cast<double>(r.retention_ms), "ms"}, {"segment.ms", static_cast<double>(r.segment_ms), "ms"}}, "set segment.ms to a tenth of retention.ms");
    if (r.retention_bytes >= 0 && record_bytes > 0 && record_bytes / partitions * static_cast<double>(r.check_interval_ms) / 1000 > static_cast<double>(r.retention_bytes))
      add(Cause::kRetentionCannotWork, Severity::kTicket, 45, "topic " + t.name, fmt::format("between two checks ({} s) more is written than retention.bytes keeps: the disk holds a multiple of it, and all of it goes at once", r.check_interval_ms / 1000),
          {{"check interval", static_cast<double>(r.check_interval_ms) / 1000, "s"}, {"appended", record_bytes / partitions, "bytes/s"}}, "lower log.retention.check.interval.ms of the brokers, or raise retention.bytes");
  }

  void orphan(const TopicEvidence& t) {
    const bool changelog = t.name.ends_with("-changelog"), repartition = t.name.ends_with("-repartition");
    if (!(changelog || repartition) || !c_.groups_known || t.read_by_live_group) return;
    const bool owned = std::ranges::any_of(c_.live_groups, [&](const std::string& group) { return t.name.starts_with(group + "-"); });
    if (owned) return;
    add(Cause::kOrphanInternalTopic, Severity::kTicket, 40, "topic " + t.name, fmt::format("an internal topic of Kafka Streams, and no application of its name runs{}", t.bytes >= 0 ? fmt::format(": {} bytes", t.bytes) : ""),
        {{"bytes", static_cast<double>(t.bytes), "bytes"}, {"appended", t.append_rate, "records/s"}}, repartition ? "nobody purges it, and its retention has no end: if the application is gone for good, delete the topic" : "if the application is gone for good, delete the topic; a stopped one needs it to start again");
  }

  void compaction(const TopicEvidence& t) {
    if (!t.retention.known || !t.retention.compacts) return;
    if (t.uncleanable_partitions > 0) {
      add(Cause::kStuckCompaction, Severity::kTicket, 60, "topic " + t.name, fmt::format("the log cleaner has given up {} partitions", t.uncleanable_partitions), {{"uncleanable", static_cast<double>(t.uncleanable_partitions), "partitions"}}, "see log-cleaner.log of the leader for the reason; the disk grows until it is mended and the broker restarted");
      return;
    }
    if (t.retention.deletes || t.bytes_growth <= 0 || t.largest_partition_bytes < 0) return;
    if (t.largest_partition_bytes < t.retention.segment_bytes && t.append_rate > 0 && t.no_shrink_for >= kNoShrink)
      add(Cause::kStuckCompaction, Severity::kTicket, 43, "topic " + t.name, fmt::format("compaction never touches the segment that is written, and no partition has filled one ({} of {} bytes)", t.largest_partition_bytes, t.retention.segment_bytes),
          {{"largest partition", static_cast<double>(t.largest_partition_bytes), "bytes"}, {"segment.bytes", static_cast<double>(t.retention.segment_bytes), "bytes"}}, "lower segment.bytes or segment.ms of the topic");
    else if (t.no_shrink_for >= kNoShrink && t.largest_partition_bytes > 4 * t.retention.segment_bytes)
      add(Cause::kStuckCompaction, Severity::kTicket, 50, "topic " + t.name, fmt::format("compacted, and for {} it has only grown: {} bytes", human_duration(t.no_shrink_for), t.bytes), {{"grows", t.bytes_growth, "bytes/s"}, {"only grown for", static_cast<double>(t.no_shrink_for) / kSecond, "s"}},
          "see whether the brokers' log cleaner threads are alive (max-dirty-percent, time-since-last-run-ms, uncleanable-partitions-count)");
  }

  void durability(const TopicEvidence& t) {
    if (t.unclean_elections.value_or(false))
      add(Cause::kDurabilityRisk, Severity::kTicket, 47, "topic " + t.name, "unclean.leader.election.enable is on: a replica that is behind may become leader, and what it lacks is gone", {{"replicas", static_cast<double>(t.replicas)}}, "switch it off for topics whose records matter");
    if (t.replicas > 1 && t.min_in_sync && *t.min_in_sync < 2)
      add(Cause::kDurabilityRisk, Severity::kTicket, 42, "topic " + t.name, fmt::format("{} replicas and min.insync.replicas {}: acks=all is answered by the leader alone when the others are behind, and its loss loses acknowledged records", t.replicas, *t.min_in_sync),
          {{"replicas", static_cast<double>(t.replicas)}, {"min.insync.replicas", static_cast<double>(*t.min_in_sync)}}, "set min.insync.replicas to 2 (with 3 replicas), and acks=all at the producers");
  }

  void disk(const DiskEvidence& d) {
    if (d.total_bytes <= 0 || d.usable_bytes < 0) return;
    const double full_in = d.growth > 0 ? static_cast<double>(d.usable_bytes) / d.growth : -1;
    const bool nearly = d.usable_bytes * 20 < d.total_bytes;   // under 5 %
    if (!nearly && (full_in < 0 || full_in > kDiskFar_s)) return;
    const bool soon = nearly || (full_in < kDiskNear_s && d.measured_for >= kDiskSure);
    add(Cause::kDiskForecast, soon ? Severity::kIncident : Severity::kTicket, soon ? 85 : 50, fmt::format("broker {}, {}", d.broker, d.directory),
        full_in >= 0 ? fmt::format("the disk is full in {} at this rate", human_duration(static_cast<DurationUs>(full_in * kSecond))) : fmt::format("{:.1f} % of the disk are left", 100.0 * static_cast<double>(d.usable_bytes) / static_cast<double>(d.total_bytes)),
        {{"usable", static_cast<double>(d.usable_bytes), "bytes"}, {"grows", d.growth, "bytes/s"}, {"measured for", static_cast<double>(d.measured_for) / kSecond, "s"}, {"full in", full_in, "s"}}, "lower the retention of the largest topics, delete what nobody owns, or add disk; a broker whose disk is full stops");
  }

  const ClusterEvidence& c_;
  std::vector<Finding> out_;
};

}  // namespace

std::vector<Finding> diagnose_cluster(const ClusterEvidence& cluster) { return Inspector(cluster).findings(); }

}  // namespace supyo::diagnosis
