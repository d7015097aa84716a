#include "serve/watch/collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "connect/kafka/log_dirs.h"

namespace supyo::watch {
namespace {

constexpr DurationUs kSettingsEvery = 5 * kMinute, kSizesEvery = kMinute, kSizesAtFirst = 20 * kSecond, kClockEvery = kMinute;
constexpr DurationUs kClockNoise = 2 * kSecond;   // producers' clocks differ by as much without anything being wrong
constexpr DurationUs kSizesTimeout = 900 * kMillisecond;   // cannot be given up
constexpr std::size_t kClockPartitions = 64;
constexpr std::size_t kPartitionsARequest = 2000;

std::int64_t number(const std::map<std::string, std::string>& settings, const std::string& name, std::int64_t otherwise) {
  const auto at = settings.find(name);
  std::int64_t value = otherwise;
  if (at != settings.end()) std::from_chars(at->second.data(), at->second.data() + at->second.size(), value);
  return value;
}

}  // namespace

TopicSettings settings_of(const std::map<std::string, std::string>& topic, std::int64_t check_interval_ms) {
  TopicSettings s;
  if (topic.empty()) return s;
  diagnosis::Retention& r = s.retention;
  r.known = true;
  if (const auto policy = topic.find("cleanup.policy"); policy != topic.end()) {
    r.deletes = policy->second.find("delete") != std::string::npos;
    r.compacts = policy->second.find("compact") != std::string::npos;
  }
  r.retention_ms = number(topic, "retention.ms", r.retention_ms);
  r.retention_bytes = number(topic, "retention.bytes", r.retention_bytes);
  r.segment_bytes = number(topic, "segment.bytes", r.segment_bytes);
  r.segment_ms = number(topic, "segment.ms", r.segment_ms);
  r.check_interval_ms = check_interval_ms;
  if (topic.contains("min.insync.replicas")) s.min_in_sync = static_cast<int>(number(topic, "min.insync.replicas", 1));
  if (const auto unclean = topic.find("unclean.leader.election.enable"); unclean != topic.end()) s.unclean_elections = unclean->second == "true";
  return s;
}

Result<ClusterLook> Collector::look() {
  const TimeUs begin = env_.clock.monotonic_us();
  if (!survey_) {
    SUPYO_ASSIGN(survey_, connect::KafkaSurvey::open(servers_, timeout_us_, given_up_));
  }
  ClusterLook look;
  SUPYO_TRY(topics(look));
  clock(look);
  look.at_us = env_.clock.now_us() + clock_offset_us_;
  look.clock_offset_us = clock_offset_us_;
  look.steady_us = env_.clock.monotonic_us();
  SUPYO_TRY(groups(look));
  settings(look);
  sizes(look);
  look.took_us = env_.clock.monotonic_us() - begin;
  return look;
}

Status Collector::topics(ClusterLook& look) {
  SUPYO_ASSIGN(look.cluster, survey_->describe());
  if (!filter_.topic.empty()) {
    std::erase_if(look.cluster.topics, [&](const auto& t) { return t.name != filter_.topic; });
    if (look.cluster.topics.empty()) return fail(ErrorCode::kUnknownTable, fmt::format("there is no topic '{}'", filter_.topic), "check its name");
  } else {
    std::erase_if(look.cluster.topics, [](const auto& t) { return t.name.starts_with("__"); });
  }
  std::vector<Place> led;
  for (const auto& topic : look.cluster.topics)
    for (const auto& p : topic.partitions)
      if (p.leader >= 0) led.emplace_back(topic.name, p.id);
  for (std::size_t at = 0; at < led.size(); at += kPartitionsARequest) {
    const std::vector<Place> some(led.begin() + static_cast<std::ptrdiff_t>(at), led.begin() + static_cast<std::ptrdiff_t>(std::min(led.size(), at + kPartitionsARequest)));
    SUPYO_ASSIGN(auto ends, survey_->ends(some));
    look.ends.merge(ends);
  }
  return ok();
}

Status Collector::groups(ClusterLook& look) {
  std::vector<std::string> names;
  if (auto listed = survey_->group_names()) {
    names = std::move(*listed);
    look.groups_listed = true;
  } else {
    look.problems.push_back(listed.error().message);
    names = filter_.groups;
  }
  std::set<std::string> there(names.begin(), names.end());
  if (!filter_.groups.empty()) names = filter_.groups;
  SUPYO_ASSIGN(auto told, survey_->groups(names));
  SUPYO_ASSIGN(auto committed, survey_->committed(names));
  for (const std::string& name : names) {
    ClusterLook::Group g{.told = {.name = name, .state = {}, .assignor = {}, .members = {}}, .exists = !look.groups_listed || there.contains(name)};
    if (const auto at = std::ranges::find(told, name, &connect::KafkaSurvey::Group::name); at != told.end()) {
      g.told = std::move(*at);
      g.described = true;
    }
    if (const auto at = committed.find(name); at != committed.end()) {
      g.committed = std::move(at->second);
      g.offsets_known = true;
    }
    look.groups.push_back(std::move(g));
  }
  return ok();
}

void Collector::settings(ClusterLook& look) {
  const TimeUs now = env_.clock.monotonic_us();
  const bool unknown_topic = std::ranges::any_of(look.cluster.topics, [&](const auto& t) { return !settings_.contains(t.name); });
  if (unknown_topic || settings_at_ == kTimeMin || now - settings_at_ >= kSettingsEvery) {
    settings_at_ = now;
    settings_problem_.clear();
    std::int64_t check_ms = diagnosis::Retention{}.check_interval_ms;
    if (!look.cluster.brokers.empty())
      if (const auto broker = survey_->broker_config(look.cluster.brokers.front().id)) check_ms = number(*broker, "log.retention.check.interval.ms", check_ms);
    std::vector<std::string> names;
    for (const auto& t : look.cluster.topics) names.push_back(t.name);
    const auto all = survey_->topic_configs(names);
    if (!all) settings_problem_ = all.error().message;
    settings_.clear();
    for (const std::string& name : names) {
      const bool told = all && all->contains(name);
      settings_[name] = told ? settings_of(all->at(name), check_ms) : TopicSettings{};
    }
  }
  look.settings = settings_;
  if (!settings_problem_.empty()) look.problems.push_back(settings_problem_);
}

void Collector::sizes(ClusterLook& look) {
  const TimeUs now = env_.clock.monotonic_us();
  // Twice soon: who looks for a minute wants to know what grows.
  if (sizes_asked_ == 0 || now - sizes_at_ >= (sizes_asked_ == 1 ? kSizesAtFirst : kSizesEvery)) {
    sizes_at_ = now;
    ++sizes_asked_;
    sizes_.clear();
    disks_.clear();
    sizes_problem_.clear();
    look.sizes_fresh = true;
    std::map<Place, std::int32_t> leaders;
    for (const auto& topic : look.cluster.topics)
      for (const auto& p : topic.partitions) leaders[{topic.name, p.id}] = p.leader;
    for (const auto& broker : look.cluster.brokers) {
      if (given_up_()) break;
      const std::string host = broker.host == "localhost" ? "127.0.0.1" : broker.host;
      const auto dirs = connect::describe_log_dirs(env_, {.host = host, .port = static_cast<std::uint16_t>(broker.port)}, std::min(timeout_us_, kSizesTimeout));
      if (!dirs) {
        sizes_problem_ = fmt::format("sizes of broker {} are not known: {}", broker.id, dirs.error().message);
        continue;
      }
      for (const auto& directory : dirs->directories) {
        auto& disk = disks_.emplace_back(ClusterLook::Disk{.broker = broker.id, .path = directory.path, .total_bytes = directory.total_bytes, .usable_bytes = directory.usable_bytes});
        for (const auto& p : directory.partitions) {
          disk.used_by_logs += p.bytes;
          if (const auto at = leaders.find({p.topic, p.partition}); at != leaders.end() && at->second == broker.id) {
            const auto ends = look.ends.find(at->first);
            sizes_[at->first] = {.bytes = p.bytes, .hidden = p.lag, .offsets = ends == look.ends.end() ? 0 : ends->second.end - ends->second.start};
          }
        }
      }
    }
  }
  look.sizes = sizes_;
  look.disks = disks_;
  if (!sizes_problem_.empty()) look.problems.push_back(sizes_problem_);
}

/// Kafka tells no time. Its newest records do: where most partitions that are written to have records from the future, it is not single producers whose clocks are wrong.
void Collector::clock(ClusterLook& look) {
  const TimeUs now = env_.clock.monotonic_us();
  if (clock_at_ != kTimeMin && now - clock_at_ < kClockEvery) return;
  clock_at_ = now;
  std::vector<Place> some;
  for (const auto& [place, ends] : look.ends)
    if (ends.end > ends.start && some.size() < kClockPartitions) some.push_back(place);
  const auto newest = survey_->newest_timestamps(some);
  if (!newest) return;
  std::vector<DurationUs> ahead;
  for (const auto& [place, ms] : *newest)
    if (const DurationUs by = ms * kMillisecond - env_.clock.now_us(); by > -kMinute) ahead.push_back(by);
  std::ranges::sort(ahead);
  const DurationUs middle = ahead.empty() ? 0 : ahead[(ahead.size() - 1) / 2];
  clock_offset_us_ = middle > kClockNoise ? middle : 0;
}

std::map<Place, std::int64_t> Collector::offsets_for_times(const std::vector<std::pair<Place, TimeUs>>& questions) {
  std::map<Place, std::int64_t> all;
  for (std::size_t at = 0; survey_ && at < questions.size(); at += kPartitionsARequest) {
    std::vector<std::pair<Place, std::int64_t>> some;
    for (std::size_t i = at; i < std::min(questions.size(), at + kPartitionsARequest); ++i) some.emplace_back(questions[i].first, questions[i].second / kMillisecond);
    auto answers = survey_->offsets_for_times(some);
    if (answers) all.merge(*answers);
  }
  return all;
}

}  // namespace supyo::watch
