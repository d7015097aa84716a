#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "core/base/human_duration.h"
#include "judge/diagnosis/causes.h"

namespace supyo::diagnosis {
namespace {

constexpr DurationUs kWindow = 10 * kMinute;       // of rates
constexpr DurationUs kLeastSpan = 40 * kSecond;    // of looks, before anything is said of rates
constexpr double kGrows = 0.05;                    // lag grows: by at least this share of what comes
constexpr double kBehind_s = 60;                   // or it is a minute of records
constexpr double kMost = 0.6;                      // "most of the trouble"
constexpr double kHot = 2;                         // times its fair share
constexpr double kBusy = 0.85;                     // no time left
constexpr int kChurn = 3;                          // rebalances without a deployment
constexpr int kManyPartitions = 100;
constexpr double kThinPartition = 1;               // records a second and partition
constexpr std::size_t kNamed = 3;                  // partitions that a finding about a topic names
constexpr double kSteadyPeriod = 1.6;              // the longest gap between commits over the middle one

struct Flow {
  const PartitionEvidence* p = nullptr;
  double append = 0, growth = 0, growth_low = 0;
  double lag = 0;
  bool stands_still = false;      ///< has records to read, and commits nothing for much longer than it ever did
  std::string owner = {};         ///< member id
  double read() const { return append - growth; }
};

/// The smallest lag in the older and in the newer half of the window.
std::pair<double, double> troughs(const Trail& trail) {
  const TimeUs now = trail.last().at, middle = now - std::min(trail.span(), kWindow) / 2;
  double older = std::numeric_limits<double>::infinity(), newer = older;
  for (const OffsetSample& s : trail.samples()) {
    if (s.at < now - kWindow) continue;
    double& least = s.at < middle ? older : newer;
    least = std::min(least, static_cast<double>(s.end - s.committed));
  }
  return {std::isfinite(older) ? older : newer, newer};
}

double seconds(DurationUs us) { return static_cast<double>(us) / kSecond; }

std::string rate_text(double per_s) { return fmt::format("{:.{}f}/s", per_s, std::abs(per_s) < 10 ? 1 : 0); }

class Doctor {
 public:
  Doctor(const GroupEvidence& group, DurationUs horizon) : g_(group), horizon_(horizon) {}

  std::vector<Finding> findings() {
    losses();
    if (!g_.found || (g_.members == nullptr && g_.partitions.empty())) return unknown();
    gather();
    if (no_consumers()) return ranked();
    engine();
    if (flows_.empty()) {
      not_enough(g_.partitions.empty() ? "it has committed no offsets" : "it was not looked at for long enough to know its rates");
      return ranked();
    }
    shape();
    if (!poll_eviction()) churn();
    if (frozen()) return ranked();
    if (!dead_static_member() && troubled_) behind();
    saw_tooth();
    return ranked();
  }

 private:
  Finding& add(Cause cause, Severity severity, double weight, std::string what, std::vector<Number> numbers, std::string next) {
    return out_.emplace_back(Finding{.cause = cause, .severity = severity, .weight = weight, .subject = "group " + g_.name, .what = std::move(what), .numbers = std::move(numbers), .next = std::move(next)});
  }
  std::vector<Finding> ranked() {
    rank(out_);
    return std::move(out_);
  }
  std::vector<Finding> unknown() {
    add(Cause::kUnknownGroup, Severity::kTicket, 90, "no such group, and no offsets of it: nothing can be said of it, which is not good news", {}, "check the group's name, and whether its offsets expired (offsets.retention.minutes)");
    return ranked();
  }
  void not_enough(std::string_view why) { add(Cause::kNotEnoughData, Severity::kInfo, 10, fmt::format("not enough data: {}", why), {}, "look for longer (supyo watch), or give what is missing"); }

  /// One finding a topic of what is gone, and one of what will be: a topic has hundreds of partitions, and the measure to take is the topic's.
  void losses() {
    std::map<std::string, std::vector<const PartitionEvidence*>> gone, going;
    for (const PartitionEvidence& p : g_.partitions) {
      if (p.lost > 0 || p.forecast.exposed > 0) gone[p.topic].push_back(&p);
      else if (p.forecast.state == LossState::kComing && p.forecast.warns(p.trail->last().at, horizon_)) going[p.topic].push_back(&p);
    }
    for (const auto& [topic, partitions] : gone) lost(topic, partitions);
    for (const auto& [topic, partitions] : going) losing(topic, partitions);
  }

  std::string where(const std::string& topic, const std::vector<const PartitionEvidence*>& partitions) const {
    return partitions.size() == 1 ? fmt::format("group {}, {}/{}", g_.name, topic, partitions[0]->partition) : fmt::format("group {}, topic {}", g_.name, topic);
  }

  void lost(const std::string& topic, std::vector<const PartitionEvidence*> partitions) {
    const auto of = [](const PartitionEvidence* p) { return p->lost + p->forecast.exposed; };
    std::ranges::stable_sort(partitions, std::ranges::greater(), of);
    std::int64_t lost = 0, exposed = 0;
    bool exact = true;
    std::string most;
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      const PartitionEvidence& p = *partitions[i];
      lost += p.lost;
      exposed += p.forecast.exposed;
      exact &= p.forecast.exact_offsets;
      if (i < kNamed) most += fmt::format("{}{}/{}: {}", i > 0 ? ", " : "", topic, p.partition, of(&p));
    }
    const std::string each = partitions.size() == 1 ? "" : partitions.size() <= kNamed ? fmt::format(" ({})", most) : fmt::format(" ({}, {} more partitions)", most, partitions.size() - kNamed);
    Finding& f = add(Cause::kLossHappened, Severity::kIncident, 100, fmt::format("{} records were deleted before the group read them{}{}", lost + exposed, each, exact ? "" : " (offsets: the topic is compacted)"),
                     {{"lost", static_cast<double>(lost), "records"}, {"deleted and not committed", static_cast<double>(exposed), "records"}}, "raise retention.bytes or retention.ms now, then get the group going; what is gone must come from its source again");
    f.subject = where(topic, partitions);
  }

  void losing(const std::string& topic, const std::vector<const PartitionEvidence*>& partitions) {
    const PartitionEvidence& p = **std::ranges::min_element(partitions, {}, [](const PartitionEvidence* q) { return q->forecast.moving->low; });
    const LossEstimate& e = *p.forecast.moving;
    const TimeUs now = p.trail->last().at;
    const auto in = [&](TimeUs t) { return human_duration(std::max<DurationUs>(0, t - now)); };
    std::string what = fmt::format("the first unread record will be deleted in {} ({}{}), by {}", in(*e.mid), e.low <= now ? std::string("it may be gone any moment") : "not before " + in(e.low), e.high ? ", at the latest in " + in(*e.high) : "", loss_cause_name(p.forecast.cause));
    if (partitions.size() > 1) what += fmt::format("; it is in {}/{}, and {} more of the topic's partitions will lose too", topic, p.partition, partitions.size() - 1);
    const std::string_view setting = p.forecast.cause == LossCause::kTimeExpiry ? "retention.ms" : p.forecast.cause == LossCause::kSizeExpiry ? "retention.bytes" : "the retention";
    Finding& f = add(Cause::kLossComing, Severity::kIncident, 99 - std::min(20.0, seconds(e.low - now) / 3600), std::move(what),
                     {{"in", seconds(*e.mid - now), "s"}, {"not before", seconds(e.low - now), "s"}, {"appended", p.forecast.append_rate, "records/s"}, {"read", p.forecast.read_rate, "records/s"}}, fmt::format("raise {} of {} until the group has caught up", setting, topic));
    f.subject = where(topic, partitions);
  }

  void gather() {
    std::map<std::uint32_t, std::string> owners;
    if (g_.members != nullptr && !g_.members->empty())
      for (const MemberLook& m : g_.members->last().members)
        for (const std::uint32_t p : m.partitions) owners[p] = m.id;
    for (std::size_t i = 0; i < g_.partitions.size(); ++i) {
      const PartitionEvidence& p = g_.partitions[i];
      if (p.trail->empty()) continue;
      tail_ = std::max(tail_, p.trail->span());
      const auto append = p.trail->append_rate(kWindow), growth = p.trail->lag_growth(kWindow);
      const OffsetSample& last = p.trail->last();
      lag_ += static_cast<double>(std::max<std::int64_t>(0, last.end - last.committed));
      if (!append || !growth || p.trail->span() < kLeastSpan) continue;
      Flow f{.p = &p, .append = append->mid, .growth = growth->mid, .growth_low = growth->low, .lag = static_cast<double>(last.end - last.committed)};
      const DurationUs gap = std::max<DurationUs>(p.trail->longest_commit_gap(), 20 * kSecond);
      f.stands_still = last.committed < last.end && last.at - p.trail->committed_changed_at() > std::max<DurationUs>(kMinute, gap * 2);
      if (const auto owner = owners.find(static_cast<std::uint32_t>(i)); owner != owners.end()) f.owner = owner->second;
      append_ += f.append;
      growth_ += f.growth;
      growth_low_ += f.growth_low;
      flows_.push_back(std::move(f));
    }
    // By the troughs of the lag: commits at intervals make it a saw-tooth, whose slope over any time that is not a whole number of teeth is not zero.
    double before = 0, after = 0;
    for (const Flow& f : flows_) {
      const auto [old_trough, new_trough] = troughs(*f.p->trail);
      before += old_trough;
      after += new_trough;
    }
    const double half = seconds(std::min<DurationUs>(tail_, kWindow)) / 2;
    const bool grows = growth_ > kGrows * append_ && after - before > kGrows * append_ * half;
    troubled_ = append_ > 0 && (grows || (after > kBehind_s * append_ && growth_ > -kGrows * append_));
  }

  bool members_known() const { return g_.members != nullptr && !g_.members->empty(); }
  const std::vector<MemberLook>& members() const { return g_.members->last().members; }

  bool no_consumers() {
    if (!members_known() || !members().empty() || g_.engine) return false;
    if (lag_ <= 0 && append_ <= 0) return true;
    add(Cause::kNoConsumers, Severity::kIncident, 95, fmt::format("nobody reads: the group is {} and has no members, {:.0f} records wait{}", g_.members->last().state.empty() ? "there" : g_.members->last().state, lag_, append_ > 0 ? fmt::format(" and {} come", rate_text(append_)) : std::string()),
        {{"lag", lag_, "records"}, {"appended", append_, "records/s"}}, "start its consumers; until then the forecast for a stopped consumer counts");
    return true;
  }

  /// What the group is made of, whether or not it is behind.
  void shape() {
    if (!members_known()) return;
    const auto idle = std::ranges::count_if(members(), [](const MemberLook& m) { return m.partitions.empty(); });
    const bool stable = g_.members->last().state == "Stable" || g_.members->last().state.empty();
    if (idle > 0 && stable && members().size() > flows_.size())
      add(Cause::kIdleMembers, troubled_ ? Severity::kTicket : Severity::kInfo, troubled_ ? 64 : 30, fmt::format("{} of {} members have nothing to read: there are {} partitions", idle, members().size(), g_.partitions.size()),
          {{"idle", static_cast<double>(idle)}, {"members", static_cast<double>(members().size())}, {"partitions", static_cast<double>(g_.partitions.size())}},
          troubled_ ? "more members do not help: add partitions (that remaps keys), or make the handler faster" : "remove them, or keep them as spares");
    std::map<std::string, std::set<std::string>> families;
    for (const MemberLook& m : members()) {
      const std::string family = client_family(m.client_id);
      if (family.empty()) continue;   // of an application that nobody can tell
      auto& topics = families[family];
      for (const std::uint32_t p : m.partitions) topics.insert(g_.partitions[p].topic);
    }
    families_ = static_cast<int>(families.size());
    if (families_ > 1) {
      std::string names;
      for (const auto& [name, topics] : families) names += (names.empty() ? "" : ", ") + name;
      const bool hurts = static_cast<int>(g_.members->changes().size()) >= kChurn || g_.members->rebalancing_looks() > 0;
      add(Cause::kOversizedGroup, hurts ? Severity::kTicket : Severity::kInfo, hurts ? 93 : 45, fmt::format("one group for {} applications ({}): each deployment of one stops them all", families_, names.substr(0, 200)),
          {{"applications", static_cast<double>(families_)}, {"members", static_cast<double>(members().size())}, {"changes of members", static_cast<double>(g_.members->changes().size())}}, "give each application a group of its own (set its offsets from this one's first)");
    }
    const auto count = static_cast<int>(flows_.size());
    if (count >= kManyPartitions && append_ < kThinPartition * count && append_ > 0)
      add(Cause::kTooManyPartitions, Severity::kInfo, 40, fmt::format("{} partitions for {}: each carries {:.2f} records a second", count, rate_text(append_), append_ / count),
          {{"partitions", static_cast<double>(count)}, {"appended", append_, "records/s"}}, "partitions cannot be taken away: copy what matters to a topic with few (a bypass topic), and move its readers there");
  }

  bool poll_eviction() {
    int timeouts = 0;
    for (const LeaveEvent& e : g_.leaves) timeouts += e.reason == LeaveReason::kPollTimeout ? 1 : 0;
    std::int64_t told = 0;
    for (const ClientStatistics& c : g_.clients) told += c.poll_timeouts;
    const auto all = std::max<std::int64_t>(timeouts, told);
    if (all == 0) return false;
    add(Cause::kPollEviction, Severity::kTicket, 95, fmt::format("members leave because they do not poll within max.poll.interval.ms: {} times; what they had not committed is done again", all), {{"left for the poll timeout", static_cast<double>(all)}},
        "make the handler faster or its batches smaller (max.poll.records), or raise max.poll.interval.ms; a record that evicts every member must go to a dead letter topic");
    return true;
  }

  void churn() {
    if (!members_known()) return;
    const auto changes = static_cast<int>(g_.members->changes().size());
    const int rejoins = g_.members->most_rejoins();
    const double minutes = std::max(1.0, seconds(std::min<DurationUs>(GroupTrail::kRemembered, g_.members->last().at - g_.members->first_at())) / 60);
    int failed = 0;
    for (const LeaveEvent& e : g_.leaves) failed += e.reason == LeaveReason::kSessionTimeout ? 1 : 0;
    const std::vector<Number> numbers{{"changes of members", static_cast<double>(changes)}, {"in", minutes * 60, "s"}, {"most often one client", static_cast<double>(rejoins)}, {"session timeouts", static_cast<double>(failed)}};
    const std::string& assignor = g_.members->last().assignor;
    const bool eager = assignor == "range" || assignor == "roundrobin" || assignor == "sticky";
    // A deployment replaces each client once. Clients that come again and again, or changes without end, are none.
    if (changes >= kChurn && (rejoins >= 2 || failed >= kChurn || (rejoins == 0 && changes / minutes > 0.3 && changes > 2 * static_cast<int>(members().size()))))
      add(Cause::kRebalanceChurn, Severity::kTicket, 90, fmt::format("members come and go: {} changes in {:.0f} minutes, one client {} times{}", changes, minutes, rejoins + 1, failed > 0 ? fmt::format(", {} by session timeout", failed) : ""), numbers,
          "look for restarts, long garbage collections and network faults of these clients; group.instance.id and a longer session.timeout.ms spare the others");
    else if (eager && changes >= 2 && (troubled_ || g_.members->rebalancing_looks() > 0))
      add(Cause::kEagerAssignor, Severity::kTicket, 80, fmt::format("each of {} changes of members stopped all partitions: the assignor {} takes everything away first", changes, assignor), numbers, "use cooperative-sticky (in two rolling restarts), or the consumer protocol of Kafka 4 (group.protocol=consumer)");
  }

  bool frozen() {
    const auto still = std::ranges::count_if(flows_, &Flow::stands_still);
    const auto busy = std::ranges::count_if(flows_, [](const Flow& f) { return f.append > 0 || f.lag > 0; });
    if (busy == 0 || still < busy) return false;
    double reads = g_.engine && g_.engine->records_in_per_s ? *g_.engine->records_in_per_s : 0;
    for (const ClientStatistics& c : g_.clients) reads += c.records_per_s;
    DurationUs since = kTimeMax;
    for (const Flow& f : flows_) since = std::min(since, f.p->trail->last().at - f.p->trail->committed_changed_at());
    const std::vector<Number> numbers{{"nothing committed for", seconds(since), "s"}, {"lag", lag_, "records"}, {"appended", append_, "records/s"}, {"read", reads, "records/s"}};
    if (reads > 0.5 * append_ && reads > 0)
      add(Cause::kFrozenOffsets, g_.engine && g_.engine->checkpoints_failed > 0 ? Severity::kTicket : Severity::kInfo, 92, fmt::format("offsets stand still for {}, and the input is read at {}: the lag grows while work goes on", human_duration(since), rate_text(reads)), numbers,
          "see why nothing is committed: checkpoints that fail, or commits that are switched off; judge the pipeline by its results");
    else if (g_.clients.empty() && !(g_.engine && g_.engine->records_in_per_s))
      add(Cause::kStuck, Severity::kIncident, 85, fmt::format("nothing is committed for {} though {} members are there: they hang, or read without committing, which offsets do not tell", human_duration(since), members_known() ? members().size() : 0), numbers,
          "look at a thread dump of a member; with --flink or client statistics the two can be told apart");
    else
      add(Cause::kStuck, Severity::kIncident, 90, fmt::format("nothing is committed for {} and nothing read: the members hang", human_duration(since)), numbers, "look at a thread dump of a member: a call that never returns, a lock, a record that it cannot get past");
    return true;
  }

  bool dead_static_member() {
    if (!members_known()) return false;
    bool found = false;
    for (const MemberLook& m : members()) {
      if (m.instance_id.empty() || m.partitions.empty()) continue;
      int still = 0, lively = 0;
      double lag = 0;
      for (const Flow& f : flows_) {
        if (f.owner == m.id) {
          still += f.stands_still ? 1 : 0;
          lively += f.stands_still || f.append <= 0 ? 0 : 1;
          lag += f.lag;
        }
      }
      const bool others_read = std::ranges::any_of(flows_, [&](const Flow& f) { return f.owner != m.id && !f.stands_still && f.read() > 0; });
      if (still == 0 || lively > 0 || !others_read) continue;
      found = true;
      add(Cause::kDeadStaticMember, Severity::kIncident, 91, fmt::format("static member {} has {} partitions and reads none of them: within its session timeout ({:.0f} s) nobody takes them over", m.instance_id, still, g_.session_timeout_s),
          {{"partitions", static_cast<double>(still)}, {"lag", lag, "records"}, {"session timeout", g_.session_timeout_s, "s"}}, "start that instance again, or remove the member from the group (kafka-consumer-groups --delete-offsets is not it: removeMembersFromConsumerGroup)");
    }
    return found;
  }

  /// The lag grows, or is a minute and does not fall: of what.
  void behind() {
    if (skew() || slow_member()) return;
    capacity();
  }

  /// Robust: against the fair share and the middle partition, and where the growth is; no z-scores, which one hot partition of a few inflates.
  bool skew() {
    if (flows_.size() < 2) return false;
    double hot_growth = 0, hot_append = 0, other_growth = 0;
    const Flow* hottest = nullptr;
    int hot = 0;
    const double fair = append_ / static_cast<double>(flows_.size());
    std::vector<double> rates;
    for (const Flow& f : flows_) rates.push_back(f.append);
    std::ranges::sort(rates);
    const double usual = std::min(fair, rates[(rates.size() - 1) / 2]);
    for (const Flow& f : flows_) {
      const bool is_hot = f.append > kHot * usual;
      if (is_hot) {
        ++hot;
        hot_growth += std::max(0.0, f.growth);
        hot_append += f.append;
        if (hottest == nullptr || f.append > hottest->append) hottest = &f;
      } else {
        other_growth += std::max(0.0, f.growth);
      }
    }
    if (hottest == nullptr || hot_growth <= 0 || hot_growth < kMost * (hot_growth + other_growth)) return false;
    add(Cause::kPartitionSkew, Severity::kTicket, 88, fmt::format("{} of {} partitions get {:.0f} % of the records and {:.0f} % of the growing lag; {}/{} alone {} against a fair share of {}", hot, flows_.size(), 100 * hot_append / append_,
                                                                 100 * hot_growth / (hot_growth + other_growth), hottest->p->topic, hottest->p->partition, rate_text(hottest->append), rate_text(fair)),
        {{"hottest over fair share", hottest->append / fair, "times"}, {"share of growth", hot_growth / (hot_growth + other_growth), "share"}}, "look at the keys of that partition: split the hot key (a salt, a second level of aggregation); more members do not help");
    return true;
  }

  bool slow_member() {
    std::map<std::string, std::pair<double, int>> growth;
    double all = 0;
    for (const Flow& f : flows_) {
      if (f.owner.empty()) return false;
      growth[f.owner].first += std::max(0.0, f.growth);
      ++growth[f.owner].second;
      all += std::max(0.0, f.growth);
    }
    if (growth.size() < 2 || all <= 0) return false;
    const auto worst = std::ranges::max_element(growth, {}, [](const auto& entry) { return entry.second.first; });
    const double share = worst->second.first / all, fair = static_cast<double>(worst->second.second) / static_cast<double>(flows_.size());
    if (share < std::max(0.75, 1.5 * fair)) return false;
    const auto member = std::ranges::find(members(), worst->first, &MemberLook::id);
    add(Cause::kSlowMember, Severity::kTicket, 82, fmt::format("{:.0f} % of the growing lag is in the {} partitions of one member, {} on {}: the records come evenly, it is slower than the others", 100 * share, worst->second.second, member->client_id, member->host),
        {{"share of growth", share, "share"}, {"share of partitions", fair, "share"}}, "look at that machine: CPU, disk, network, a noisy neighbour; restart or replace it");
    return true;
  }

  void capacity() {
    double busy = 0, cpu = 0;
    int told = 0;
    for (const ClientStatistics& c : g_.clients) {
      busy += c.busy_share;
      cpu += c.cpu_share;
      ++told;
    }
    std::vector<Number> numbers{{"appended", append_, "records/s"}, {"read", append_ - growth_, "records/s"}, {"lag", lag_, "records"}, {"growth", growth_, "records/s"}};
    const std::string base = fmt::format("{} come and {} are read, evenly over the partitions", rate_text(append_), rate_text(append_ - growth_));
    if (told == 0) {
      if (engine_explains_) return;
      add(Cause::kAtCapacity, Severity::kTicket, 60, base + ": the members are at their limit; whether they compute or wait, offsets do not tell", std::move(numbers),
          fmt::format("give client statistics or --flink to tell computing from waiting; {}", !members_known() ? fmt::format("up to {} members share the work, one a partition", flows_.size())
                      : members().size() < flows_.size() ? fmt::format("add members: {} more share the work, up to one a partition", flows_.size() - members().size())
                                                         : std::string("another member would be idle: there is one a partition already")));
      return;
    }
    busy /= told;
    cpu /= told;
    numbers.push_back({"busy", busy, "share"});
    numbers.push_back({"of that on the CPU", cpu, "share"});
    // Polling, fetching and committing take the rest, more of it the slower the brokers or the machine. Where most of the time goes is what a group that is behind has to make shorter.
    if (busy < kMost) {
      not_enough(fmt::format("{}, and the handlers are busy for only {:.0f} % of the time: neither explains the other", base, 100 * busy));
    } else if (cpu >= 0.5) {
      add(Cause::kProcessingBottleneck, Severity::kTicket, 75, fmt::format("{}: the handlers are busy {:.0f} % of the time, {:.0f} % of it on the CPU", base, 100 * busy, 100 * cpu), std::move(numbers),
          members_known() && members().size() < flows_.size() ? "add members (there are partitions for them), or make the handler cheaper" : "make the handler cheaper: all partitions have a member already");
    } else {
      add(Cause::kExternalCall, Severity::kTicket, 75, fmt::format("{}: the handlers are busy {:.0f} % of the time and wait in {:.0f} % of that", base, 100 * busy, 100 * (1 - cpu)), std::move(numbers),
          "find the call they wait for (database, HTTP): batch it, make it asynchronous, or cache; more CPUs do not help");
    }
  }

  /// Commits only at checkpoints make the lag a saw-tooth: steps of a constant period, of an amplitude of rate times period, and no trend.
  void saw_tooth() {
    if (troubled_ || append_ <= 0) return;
    double period = 0;
    int steps = 0;
    for (const Flow& f : flows_) {
      if (f.append <= 0) continue;
      const auto& commits = f.p->trail->commits();
      const auto looks = f.p->trail->samples();
      if (commits.size() < 4 || looks.size() < 8) return;
      std::vector<double> gaps;
      for (std::size_t i = 1; i < commits.size(); ++i) gaps.push_back(seconds(commits[i] - commits[i - 1]));
      std::ranges::sort(gaps);
      const double middle = gaps[gaps.size() / 2];
      const double look = seconds(looks.back().at - looks[looks.size() - 2].at);
      if (middle < 2.5 * look || gaps.back() > kSteadyPeriod * middle) return;
      period += middle;
      ++steps;
    }
    if (steps == 0) return;
    period /= steps;
    add(Cause::kCheckpointSawTooth, Severity::kInfo, 35, fmt::format("offsets are committed every {:.0f} s only, as at checkpoints: the lag swings between nothing and {:.0f} records, and says nothing of readers", period, append_ * period),
        {{"period", period, "s"}, {"amplitude", append_ * period, "records"}}, "none; do not alarm on this lag");
  }

  void engine() {
    if (!g_.engine) return;
    const EngineEvidence& e = *g_.engine;
    const auto subject = [&](Finding& f) { f.subject = "job " + e.name; };
    if (!e.running || e.restarts >= 2)
      subject(add(Cause::kEngineRestarts, e.running ? Severity::kTicket : Severity::kIncident, 94, e.running ? fmt::format("the job was restarted {} times in ten minutes", e.restarts) : "the job does not run", {{"restarts", static_cast<double>(e.restarts)}}, "see its last exception"));
    if (e.checkpoints_failed >= 2)
      subject(add(Cause::kCheckpointsFail, Severity::kTicket, 89, fmt::format("{} checkpoints failed in ten minutes, {} were completed", e.checkpoints_failed, e.checkpoints_completed), {{"failed", static_cast<double>(e.checkpoints_failed)}, {"completed", static_cast<double>(e.checkpoints_completed)}},
                  "inspect the write path or the state: sync and async duration, alignment, the checkpoint store"));
    // The last vertex that is busy while all before it are backpressured is the one that is too slow.
    for (std::size_t i = e.vertices.size(); i-- > 0;) {
      const auto& v = e.vertices[i];
      if (v.busy < kBusy && !(v.sink && i > 0 && e.vertices[i - 1].backpressured > 0.5)) continue;
      const bool pushes_back = i > 0 && e.vertices[i - 1].backpressured > 0.5;
      if (!pushes_back && !troubled_) continue;
      engine_explains_ = true;
      subject(add(v.sink ? Cause::kSinkBackpressure : Cause::kProcessingBottleneck, Severity::kTicket, 84, fmt::format("{} is busy {:.0f} % of the time{}", v.name, 100 * v.busy, pushes_back ? fmt::format(" and holds back {} ({:.0f} % backpressured)", e.vertices[i - 1].name, 100 * e.vertices[i - 1].backpressured) : ""),
                  {{"busy", v.busy, "share"}, {"backpressured before it", i > 0 ? e.vertices[i - 1].backpressured : 0, "share"}}, v.sink ? "raise the sink's parallelism, or separate the store" : "raise this operator's parallelism, or make it cheaper"));
      break;
    }
    for (const auto& v : e.vertices) {
      if (!v.watermark_stands_still) continue;
      subject(add(Cause::kWatermarkStalled, Severity::kIncident, 87, fmt::format("the watermark of {} stands still while records come: windows do not fire", v.name), {{"watermark lag", v.watermark_lag_s.value_or(0), "s"}}, "one partition without records holds it: table.exec.source.idle-timeout (withIdleness), or a heartbeat in that partition"));
      break;
    }
  }

  const GroupEvidence& g_;
  DurationUs horizon_;
  std::vector<Finding> out_;
  std::vector<Flow> flows_;
  double append_ = 0, growth_ = 0, growth_low_ = 0, lag_ = 0;
  DurationUs tail_ = 0;
  int families_ = 0;
  bool troubled_ = false, engine_explains_ = false;
};

}  // namespace

std::vector<Finding> diagnose_group(const GroupEvidence& group, DurationUs horizon) { return Doctor(group, horizon).findings(); }

}  // namespace supyo::diagnosis
