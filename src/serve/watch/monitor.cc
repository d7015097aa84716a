#include "serve/watch/monitor.h"

#include <algorithm>
#include <set>

namespace supyo::watch {
namespace {

constexpr DurationUs kRateWindow = 2 * kMinute;    // of rates that people read
constexpr DurationUs kRemembered = 30 * kMinute;   // of departures
constexpr DurationUs kWorkWindow = 10 * kMinute;   // of what members tell of their work: the causes' window of rates
constexpr double kGrowthSmoothing = 0.3;
constexpr DurationUs kClockSlack = 5 * kSecond;    // by so much a clock may be set back without a word: looks are left out until it is where it was

double rate_between(std::int64_t before, std::int64_t after, DurationUs time) { return time > 0 ? static_cast<double>(after - before) / static_cast<double>(time) * kSecond : 0; }

/// The first rate stands for itself: weighed against nothing it would be a third of what it is.
double smoothed(std::optional<double> before, double rate) { return before ? *before + kGrowthSmoothing * (rate - *before) : rate; }

diagnosis::EngineEvidence engine_of(const connect::FlinkJob& job) {
  diagnosis::EngineEvidence e{.name = job.name, .running = job.running(), .checkpoints_completed = job.checkpoints_completed, .checkpoints_failed = job.checkpoints_failed, .checkpoint_interval_s = job.checkpoint_interval_s,
                              .last_checkpoint_s = job.last_checkpoint_s, .since_checkpoint_s = job.since_checkpoint_s, .restarts = job.restarts.value_or(0)};
  for (const auto& v : job.vertices) {
    e.vertices.push_back({.name = v.name, .busy = v.busy, .backpressured = v.backpressured, .idle = v.idle, .sink = v.sink, .watermark_stands_still = v.watermark_stands_still});
    if (v.source) e.records_in_per_s = e.records_in_per_s.value_or(0) + v.records_out_per_s;
  }
  return e;
}

Health health_of(const GroupReport& g, bool known) {
  if (!known) return Health::kUnknown;
  switch (diagnosis::worst(g.findings)) {
    case diagnosis::Severity::kIncident: return Health::kIncident;
    case diagnosis::Severity::kTicket: return Health::kAtRisk;
    case diagnosis::Severity::kInfo: break;
  }
  const bool too_early = std::ranges::any_of(g.findings, [](const auto& f) { return f.cause == diagnosis::Cause::kNotEnoughData; });
  return too_early ? Health::kUnknown : Health::kOk;
}

}  // namespace

std::string_view health_name(Health health) {
  switch (health) {
    case Health::kOk: return "OK";
    case Health::kAtRisk: return "AT RISK";
    case Health::kIncident: return "INCIDENT";
    case Health::kUnknown: return "UNKNOWN";
  }
  return "?";
}

Health Report::worst() const {
  if (!reachable) return Health::kUnknown;
  const auto of = [](Health h) { return h == Health::kIncident ? 3 : h == Health::kAtRisk ? 2 : h == Health::kUnknown ? 1 : 0; };
  Health all = Health::kOk;
  for (const GroupReport& g : groups)
    if (of(g.health) > of(all)) all = g.health;
  const auto own = diagnosis::worst(cluster);
  const Health cluster_health = own == diagnosis::Severity::kIncident ? Health::kIncident : own == diagnosis::Severity::kTicket ? Health::kAtRisk : complete ? Health::kOk : Health::kUnknown;
  return of(cluster_health) > of(all) ? cluster_health : all;
}

Report unanswered(Report last, std::string problem, TimeUs now) {
  last.reachable = false;
  last.problem = std::move(problem);
  last.at_us = now;
  for (GroupReport& g : last.groups) g.health = Health::kUnknown;
  return last;
}

/// The clock was set: what was seen before cannot be put in order with what comes, or no such time passed between them. The groups, their last states and what they lost stay.
void Monitor::begin_anew() {
  for (auto& [name, group] : groups_) {
    group.members = {};
    for (auto& [place, f] : group.partitions) {
      f.trail = {};
      f.ledger.begin_anew();
      f.burrow = {};
      f.gauge = {};
      f.gauge_level = slo::AlarmLevel::kOk;
      f.committed = -1;
    }
  }
  marks_.clear();
  topics_.clear();
  ends_before_.clear();
  append_rates_.clear();
  disks_.clear();
  pass_at_.clear();
  looked_ = false;
}

void Monitor::observe(const ClusterLook& look) {
  const bool back = look.at_us < last_.at_us - kClockSlack, forward = look.at_us - last_.at_us > look.steady_us - last_.steady_us + kClockSlack && look.steady_us > 0;
  if (looked_ && (back || forward)) begin_anew();
  const TimeUs before = looked_ ? last_.at_us : look.at_us;
  if (!looked_) first_at_ = look.at_us;
  std::map<std::string, double> rates;
  for (const auto& [place, ends] : look.ends)
    if (const auto earlier = ends_before_.find(place); earlier != ends_before_.end()) rates[place.first] += std::max(0.0, rate_between(earlier->second, ends.end, look.at_us - before));
  append_rates_ = std::move(rates);
  ends_before_.clear();
  for (const auto& [place, ends] : look.ends) ends_before_[place] = ends.end;

  // A group that was there and is not named any more is kept as one that nobody knows, not forgotten as if all were well.
  for (auto& [name, group] : groups_) group.exists = group.described = group.offsets_known = false;
  for (const ClusterLook::Group& g : look.groups) observe_group(look, g);
  if (look.sizes_fresh) observe_sizes(look);
  std::erase_if(marks_, [&](const auto& entry) { return !look.ends.contains(entry.first); });
  last_ = look;
  looked_ = true;
}

void Monitor::observe_group(const ClusterLook& look, const ClusterLook::Group& told) {
  Group& g = groups_[told.told.name];
  g.exists = told.exists;
  g.described = told.described;
  g.offsets_known = told.offsets_known;
  if (told.described) g.state = told.told.state;
  std::set<Place> read;
  for (const auto& [place, offset] : told.committed) read.insert(place);
  for (const auto& m : told.told.members) read.insert(m.assigned.begin(), m.assigned.end());
  if (told.offsets_known || told.described) std::erase_if(g.partitions, [&](const auto& entry) { return !read.contains(entry.first); });
  for (const Place& place : read) {
    const auto ends = look.ends.find(place);
    if (ends == look.ends.end()) continue;   // no leader at the moment, or not asked for: the trail has a gap
    const auto offset = told.committed.find(place);
    const auto size = look.sizes.find(place);
    Followed& f = g.partitions[place];
    if (!told.offsets_known) continue;
    const diagnosis::OffsetSample sample{.at = look.at_us, .log_start = ends->second.start, .end = ends->second.end, .committed = offset == told.committed.end() ? -1 : offset->second, .bytes = size == look.sizes.end() ? -1 : size->second.bytes_of(ends->second)};
    const auto steps = f.trail.start_steps().size();
    f.trail.add(sample);
    f.ledger.observe(sample);
    if (f.trail.start_steps().size() > steps) {
      // Passes of one broker come in one rhythm: what moved one partition's log start tells when the others' will be.
      for (const auto& t : look.cluster.topics)
        if (t.name == place.first)
          for (const auto& p : t.partitions)
            if (p.id == place.second) pass_at_[p.leader] = (f.trail.start_steps().back().after + f.trail.start_steps().back().by) / 2;
    }
    if (sample.committed < 0) continue;
    f.burrow.end(look.at_us, static_cast<std::uint64_t>(sample.end));
    if (sample.committed != f.committed) f.burrow.committed(look.at_us, static_cast<std::uint64_t>(sample.committed));   // a commit of the same offset cannot be seen by asking
    f.committed = sample.committed;
    f.gauge_level = f.gauge.observe(look.at_us, {.log_start = sample.log_start, .end = sample.end, .committed = sample.committed});
  }
  if (!told.described) return;
  diagnosis::GroupLook seen{.at = look.at_us, .state = told.told.state, .assignor = told.told.assignor, .members = {}};
  for (const auto& m : told.told.members) {
    auto& member = seen.members.emplace_back(diagnosis::MemberLook{.id = m.id, .client_id = m.client_id, .host = m.host, .instance_id = m.instance_id, .partitions = {}});
    for (const Place& place : m.assigned)
      if (const auto at = g.partitions.find(place); at != g.partitions.end()) member.partitions.push_back(static_cast<std::uint32_t>(std::distance(g.partitions.begin(), at)));
  }
  g.members.observe(seen);
}

void Monitor::observe_sizes(const ClusterLook& look) {
  std::map<std::string, Topic> now;
  for (const auto& [place, size] : look.sizes) {
    Topic& t = now[place.first];
    t.bytes = std::max<std::int64_t>(0, t.bytes) + size.bytes;
    t.hidden = std::max<std::int64_t>(0, t.hidden) + size.hidden;
    t.largest = std::max(t.largest, size.bytes);
  }
  for (auto& [name, t] : now) {
    t.sized_at = t.shrank_at = look.at_us;
    const auto before = topics_.find(name);
    if (before == topics_.end()) continue;
    const DurationUs time = look.at_us - before->second.sized_at;
    t.shrank_at = t.bytes < before->second.bytes ? look.at_us : before->second.shrank_at;
    t.bytes_growth = smoothed(before->second.bytes_growth, rate_between(before->second.bytes, t.bytes, time));
    t.hidden_growth = rate_between(before->second.hidden, t.hidden, time);
  }
  topics_ = std::move(now);
  for (const auto& disk : look.disks) {
    const auto [at, first] = disks_.try_emplace({disk.broker, disk.path}, Disk{.first_at = look.at_us});
    Disk& d = at->second;
    if (!first) d.growth = smoothed(d.growth, rate_between(d.used_by_logs, disk.used_by_logs, look.at_us - d.at));
    d.at = look.at_us;
    d.used_by_logs = disk.used_by_logs;
  }
}

diagnosis::TimeMarks::Where Monitor::where(const Place& place, const diagnosis::Trail& trail) const {
  const auto settings = last_.settings.find(place.first);
  const std::int64_t ms = settings != last_.settings.end() && settings->second.retention.known && settings->second.retention.deletes ? settings->second.retention.retention_ms : -1;
  const auto& last = trail.last();
  return {.now = last_.at_us, .retention = ms < 0 ? -1 : ms * kMillisecond, .log_start = last.log_start, .end = last.end, .committed = std::max(last.committed, last.log_start), .segment_end = -1};
}

diagnosis::LossForecast Monitor::forecast(const Place& place, const diagnosis::Trail& trail) const {
  const auto settings = last_.settings.find(place.first);
  const auto marks = marks_.find(place);
  std::optional<TimeUs> pass;
  if (trail.start_steps().empty())
    for (const auto& t : last_.cluster.topics)
      if (t.name == place.first)
        for (const auto& p : t.partitions)
          if (p.id == place.second)
            if (const auto at = pass_at_.find(p.leader); at != pass_at_.end()) pass = at->second;
  return diagnosis::forecast_loss({.trail = trail, .retention = settings == last_.settings.end() ? diagnosis::Retention{} : settings->second.retention,
                                   .marks = marks == marks_.end() ? std::vector<diagnosis::TimeMark>{} : marks->second.marks(), .pass_at = pass});
}

std::vector<std::pair<Place, TimeUs>> Monitor::questions(std::size_t most) const {
  std::vector<std::pair<Place, TimeUs>> all;
  std::set<Place> asked;
  for (const auto& [name, group] : groups_)
    for (const auto& [place, f] : group.partitions) {
      if (all.size() >= most) return all;
      if (f.trail.empty() || f.trail.last().committed < 0 || f.trail.last().at != last_.at_us || asked.contains(place)) continue;
      const auto marks = marks_.find(place);
      auto w = where(place, f.trail);
      if (marks != marks_.end() && !marks->second.marks().empty()) w.segment_end = forecast(place, f.trail).segment_end;
      const auto time = marks == marks_.end() ? diagnosis::TimeMarks().ask(w) : marks->second.ask(w);
      if (!time) continue;
      all.emplace_back(place, *time);
      asked.insert(place);
    }
  return all;
}

void Monitor::answer(const std::vector<std::pair<Place, TimeUs>>& asked, const std::map<Place, std::int64_t>& offsets) {
  for (const auto& [place, time] : asked) {
    const auto offset = offsets.find(place);
    const auto ends = last_.ends.find(place);
    if (offset == offsets.end() || ends == last_.ends.end()) continue;
    diagnosis::TimeMarks::Where w{.now = last_.at_us, .log_start = ends->second.start, .end = ends->second.end, .committed = 0};
    marks_[place].add(time, offset->second < 0 ? ends->second.end : offset->second, w);
  }
}

void Monitor::broker_log(std::string_view text) { log_.read(text); }

std::optional<TimeUs> Monitor::produced_at(const Place& place, const Followed& f) const {
  const std::int64_t first = std::max(f.trail.last().committed, f.trail.last().log_start);
  if (const auto marks = marks_.find(place); marks != marks_.end())
    if (const auto at = marks->second.timestamp(first)) return at;
  return f.trail.appended_at(first);
}

GroupReport Monitor::report_of(const std::string& name, const Group& group) const {
  GroupReport r{.name = name, .state = group.state};
  diagnosis::GroupEvidence evidence{.name = name, .found = group.exists || group.offsets_known, .members = group.members.empty() ? nullptr : &group.members};
  if (!group.exists) evidence.found = false;
  if (group.described) r.members = static_cast<int>(group.members.last().members.size());
  evidence.leaves = log_.leaves(name, last_.at_us - kRemembered);
  evidence.clients = clients_.statistics(name, std::max(first_at_, last_.at_us - kWorkWindow) - last_.clock_offset_us);   // by their own clock, taken for this machine's
  const auto job = std::ranges::find_if(jobs_, [&](const connect::FlinkJob& j) { return j.name == name || j.name.find(name) != std::string::npos; });
  if (job != jobs_.end()) evidence.engine = engine_of(*job);
  std::vector<diagnosis::LossForecast> forecasts;
  for (const auto& [place, f] : group.partitions) {
    GroupReport::PartitionReport p{.topic = place.first, .partition = place.second, .lost = f.ledger.count().lost};
    if (!f.trail.empty()) {
      const auto& last = f.trail.last();
      p.log_start = last.log_start;
      p.end = last.end;
      p.committed = last.committed;
      p.forecast = forecast(place, f.trail);
      const auto append = f.trail.append_rate(kRateWindow), growth = f.trail.lag_growth(kRateWindow);
      if (append) p.append_rate = append->mid;
      if (append && growth) p.read_rate = std::max(0.0, append->mid - growth->mid);
      if (last.committed >= 0) {
        r.lag += std::max<std::int64_t>(0, last.end - last.committed);
        r.exposed += p.forecast.exposed;
        if (last.committed >= last.end) p.oldest_unread_s = 0;
        else if (const auto at = produced_at(place, f)) p.oldest_unread_s = static_cast<double>(std::max<DurationUs>(0, last_.at_us - *at)) / kSecond;
        const slo::Standing standing{.log_start = last.log_start, .end = last.end, .committed = last.committed};
        r.retention_percent = std::max(r.retention_percent, slo::retention_percent_level(slo::retention_percent(standing)));
        p.burrow = f.burrow.status(last_.at_us);
        r.burrow = std::max(r.burrow, p.burrow);
        r.messages_lost = std::max(r.messages_lost, f.gauge_level);
      }
    }
    r.lost += p.lost;
    r.append_rate += p.append_rate;
    r.read_rate += p.read_rate;
    if (p.oldest_unread_s) r.oldest_unread_s = std::max(r.oldest_unread_s.value_or(0), *p.oldest_unread_s);
    evidence.partitions.push_back({.topic = place.first, .partition = place.second, .trail = &f.trail, .forecast = p.forecast, .lost = p.lost});
    forecasts.push_back(p.forecast);
    r.partitions.push_back(std::move(p));
  }
  if (!group.members.empty())
    for (const auto& m : group.members.last().members)
      for (const std::uint32_t at : m.partitions)
        if (at < r.partitions.size()) r.partitions[at].owner = m.client_id;
  if (const auto* first = diagnosis::limiting(forecasts)) {
    r.limiting = *first;
    const auto& p = r.partitions[static_cast<std::size_t>(first - forecasts.data())];
    r.limiting_place = p.topic + "/" + std::to_string(p.partition);
  }
  r.findings = diagnosis::diagnose_group(evidence, horizon_);
  r.health = r.last_health = health_of(r, group.exists && group.described && group.offsets_known);
  return r;
}

diagnosis::ClusterEvidence Monitor::cluster_evidence() const {
  diagnosis::ClusterEvidence e{.groups_known = last_.groups_listed};
  std::set<std::string> read;
  for (const auto& [name, group] : groups_) {
    const bool live = group.described && !group.members.empty() && !group.members.last().members.empty();
    if (live) e.live_groups.push_back(name);
    for (const auto& [place, f] : group.partitions)
      if (live) read.insert(place.first);
  }
  // Groups that were not asked for may be alive, too.
  if (e.groups_known && std::ranges::any_of(groups_, [](const auto& g) { return !g.second.described; })) e.groups_known = false;
  for (const auto& t : last_.cluster.topics) {
    diagnosis::TopicEvidence topic{.name = t.name, .partitions = static_cast<int>(t.partitions.size()), .read_by_live_group = read.contains(t.name)};
    if (const auto at = last_.settings.find(t.name); at != last_.settings.end()) {
      topic.retention = at->second.retention;
      topic.min_in_sync = at->second.min_in_sync;
      topic.unclean_elections = at->second.unclean_elections;
    }
    for (const auto& p : t.partitions) {
      topic.replicas = std::max(topic.replicas, static_cast<int>(p.replicas.size()));
      if (topic.min_in_sync && static_cast<int>(p.in_sync.size()) < *topic.min_in_sync) ++topic.under_min_in_sync;
    }
    if (const auto at = topics_.find(t.name); at != topics_.end()) {
      topic.hidden_lag = at->second.hidden;
      topic.hidden_growth = at->second.hidden_growth;
      topic.bytes = at->second.bytes;
      topic.bytes_growth = at->second.bytes_growth.value_or(0);
      topic.largest_partition_bytes = at->second.largest;
      topic.no_shrink_for = at->second.sized_at - at->second.shrank_at;
    }
    if (const auto at = append_rates_.find(t.name); at != append_rates_.end()) topic.append_rate = at->second;
    if (const auto at = log_.uncleanable().find(t.name); at != log_.uncleanable().end()) topic.uncleanable_partitions = at->second;
    e.topics.push_back(std::move(topic));
  }
  for (const auto& disk : last_.disks) {
    diagnosis::DiskEvidence& d = e.disks.emplace_back(diagnosis::DiskEvidence{.broker = disk.broker, .directory = disk.path, .total_bytes = disk.total_bytes, .usable_bytes = disk.usable_bytes});
    if (const auto at = disks_.find({disk.broker, disk.path}); at != disks_.end()) {
      d.growth = at->second.growth.value_or(0);
      d.measured_for = at->second.at - at->second.first_at;
    }
  }
  return e;
}

Report Monitor::report() const {
  Report r{.source = {}, .reachable = looked_, .at_us = last_.at_us, .known_at_us = last_.at_us, .took_us = last_.took_us, .clock_offset_us = last_.clock_offset_us, .watched_for_us = last_.at_us - first_at_};
  for (const auto& [name, group] : groups_) r.groups.push_back(report_of(name, group));
  const auto urgency = [](const GroupReport& g) { return std::make_tuple(g.health == Health::kIncident ? 0 : g.health == Health::kAtRisk ? 1 : g.health == Health::kUnknown ? 2 : 3, g.findings.empty() ? 0.0 : -g.findings[0].weight, g.name); };
  std::ranges::sort(r.groups, {}, urgency);
  r.cluster = diagnosis::diagnose_cluster(cluster_evidence());
  r.jobs = jobs_;
  // A job that no group stands for is judged by itself.
  for (const connect::FlinkJob& job : jobs_) {
    if (std::ranges::any_of(groups_, [&](const auto& g) { return job.name.find(g.first) != std::string::npos; })) continue;
    diagnosis::GroupTrail none;
    diagnosis::GroupEvidence e{.name = job.name, .members = &none, .engine = engine_of(job)};
    for (auto& f : diagnosis::diagnose_group(e, horizon_))
      if (f.cause != diagnosis::Cause::kNotEnoughData) r.cluster.push_back(std::move(f));
  }
  diagnosis::rank(r.cluster);
  r.problems = last_.problems;
  r.complete = last_.groups_listed && jobs_known_;
  r.topics = static_cast<int>(last_.cluster.topics.size());
  r.partitions = static_cast<int>(last_.ends.size());
  r.last_health = r.worst();
  return r;
}

View Monitor::view() const {
  View v{.source = {}, .reachable = looked_, .at_us = last_.at_us, .took_us = last_.took_us};
  for (const auto& t : last_.cluster.topics) {
    TopicView topic{.name = t.name};
    for (const auto& p : t.partitions)
      if (const auto ends = last_.ends.find({t.name, p.id}); ends != last_.ends.end()) {
        const auto size = last_.sizes.find({t.name, p.id});
        topic.partitions.push_back({.id = p.id, .log_start = ends->second.start, .end = ends->second.end, .bytes = size == last_.sizes.end() ? -1 : size->second.bytes});
      }
    if (const auto rate = append_rates_.find(t.name); rate != append_rates_.end() && !topic.partitions.empty())
      for (PartitionView& p : topic.partitions) p.rate = rate->second / static_cast<double>(topic.partitions.size());
    v.topics.push_back(std::move(topic));
  }
  for (const auto& [name, group] : groups_) {
    GroupView g{.name = name, .state = group.state, .members = group.described ? static_cast<int>(group.members.last().members.size()) : -1};
    for (const auto& [place, f] : group.partitions) {
      if (f.trail.empty() || f.trail.last().committed < 0) continue;
      const auto& last = f.trail.last();
      GroupPartitionView p{.topic = place.first, .partition = place.second, .committed = last.committed, .log_start = last.log_start, .end = last.end, .lost = static_cast<std::uint64_t>(f.ledger.count().lost)};
      const auto append = f.trail.append_rate(kRateWindow), growth = f.trail.lag_growth(kRateWindow);
      if (append && growth) p.rate = std::max(0.0, append->mid - growth->mid);
      if (const auto said = forecast(place, f.trail); said.moving && said.moving->mid) p.loss_in_s = static_cast<double>(*said.moving->mid - last_.at_us) / kSecond;
      g.partitions.push_back(std::move(p));
    }
    v.groups.push_back(std::move(g));
  }
  return v;
}

}  // namespace supyo::watch
