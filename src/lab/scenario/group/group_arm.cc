#include "lab/scenario/group/group_arm.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "core/env/processes.h"
#include "lab/fault/process_fault.h"
#include "lab/scenario/group/member.h"
#include "lab/scenario/group/member_journal.h"
#include "lab/scenario/trial/cluster.h"
#include "lab/scenario/trial/numbered_producer.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kSample = kSecond / 4;
constexpr DurationUs kEnd = 20 * kSecond;            // for a member to end when it is asked to
constexpr DurationUs kFaultMost = 2 * kMinute;       // for the fault to happen and pass
constexpr DurationUs kDrain = 60 * kSecond;
constexpr DurationUs kFaultLook = 100 * kMillisecond;
constexpr std::size_t kLogTail = 2000;

class Run final : public GroupArmRun {
 public:
  Run(const env::Env& env, const GroupScenario& scenario, const GroupArm& arm, const std::string& servers, const std::string& unique, const std::string& directory)
      : env_(env), s_(scenario), a_(arm), servers_(servers), unique_(unique), directory_(directory), mark_(env::join_path(directory, "slow")) {}

  Status prepare() {
    SUPYO_TRY(env_.files.create_directories(directory_));
    SUPYO_ASSIGN(partitions_, s_.count(s_.partitions));
    SUPYO_ASSIGN(const std::uint64_t members, s_.count(s_.members));
    SUPYO_ASSIGN(times_, s_.count(a_.times));
    SUPYO_ASSIGN(before_us_, s_.duration(s_.before));
    SUPYO_ASSIGN(after_us_, s_.duration(a_.after));
    if (!a_.slow.empty()) { SUPYO_ASSIGN(slow_us_, s_.duration(a_.slow)); }
    if (!a_.stop.empty()) { SUPYO_ASSIGN(stop_us_, s_.duration(a_.stop)); }
    SUPYO_ASSIGN(const double rate, s_.value(s_.rate, kRate));
    SUPYO_ASSIGN(const double size, s_.value(s_.record_size, kBytes));
    SUPYO_TRY(make_topic(servers_, unique_, static_cast<int>(partitions_)));
    SUPYO_ASSIGN(client_, connect::RecordProducer::open({.servers = servers_, .topic = unique_}));
    producer_.emplace(env_, *client_, NumberedProducer::Options{.rate = rate, .record_size = static_cast<std::size_t>(size), .linger_us = s_.linger_us});
    members_.resize(members);
    arm_.name = a_.name;
    for (const char* column : {"offered", "members", "behind"}) arm_.columns.push_back({column, column == std::string_view("members") ? "" : "records", {}});
    return ok();
  }

  const std::string& unique() const override { return unique_; }

  Status start_members() override {
    SUPYO_ASSIGN(const std::string program, env_.processes->own_program());
    SUPYO_ASSIGN(const DurationUs handler, s_.duration(s_.handler));
    SUPYO_ASSIGN(const DurationUs poll, s_.duration(s_.poll));
    SUPYO_ASSIGN(const DurationUs session, s_.duration(s_.session));
    SUPYO_ASSIGN(const DurationUs heartbeat, s_.duration(s_.heartbeat));
    SUPYO_ASSIGN(const std::uint64_t batch, s_.count(s_.batch, kRecords));
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const auto number = [](auto n) { return fmt::format("{}", n); };
      env::Program p{.arguments = {program, "lab-member", "--servers", servers_, "--topic", unique_, "--group", unique_, "--client", client(i), "--assignor", a_.assignor, "--journal", journal(i), "--batch", number(batch),
                                   "--handler-us", number(handler), "--slow-us", number(slow_us_), "--slow-times", number(slow_us_ > 0 ? times_ : 0), "--slow-mark", mark_, "--poll-us", number(poll), "--session-us", number(session),
                                   "--heartbeat-us", number(heartbeat)},
                     .error = env::ProgramOutput::to_file(log(i))};
      if (a_.is_static) p.arguments.insert(p.arguments.end(), {"--static", client(i)});
      SUPYO_ASSIGN(members_[i].process, env_.processes->start(p));
    }
    return ok();
  }

  bool ready(const GroupWatch& watch) const override {
    const auto seen = watch.seen(unique_);
    std::size_t assigned = 0;
    for (const auto& [client, partitions] : seen.members) assigned += partitions;
    return seen.state == "Stable" && seen.members.size() == members_.size() && assigned == partitions_;
  }

  Result<bool> turn(const GroupWatch& watch, TimeUs begin_us) override {
    if (over_) return true;
    begin_us_ = begin_us;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      SUPYO_ASSIGN(const auto ended, members_[i].process->poll());
      if (ended) return fail(ErrorCode::kJobFailed, fmt::format("member {} of {} ended by itself, with status {}: {}", i, a_.name, ended->status, log_tail(i)));
    }
    const TimeUs now = env_.clock.monotonic_us();
    if (!fault_us_ && now >= begin_us_ + before_us_) SUPYO_TRY(begin_fault(now));
    if (fault_us_ && !fault_over_us_) SUPYO_TRY(pass_fault(now));
    SUPYO_TRY(producer_->turn(now, fault_over_us_ && now >= *fault_over_us_ + after_us_));
    if (now >= sample_us_) {
      sample_us_ = now + kSample;
      sample(watch, now);
    }
    if (!fault_over_us_ || now < *fault_over_us_ + after_us_ || !producer_->settled()) return false;
    const auto seen = watch.seen(unique_);
    arm_.drained = seen.caught_up && static_cast<std::uint64_t>(seen.end) >= producer_->counts().acknowledged;
    over_ = arm_.drained || now >= *fault_over_us_ + after_us_ + kDrain;
    return over_;
  }

  Result<Arm> finish(const GroupWatch& watch) override {
    const std::vector<GroupWatch::Change> changes = watch.changes(unique_);   // before the members are told to leave
    for (Member& m : members_) SUPYO_TRY(m.process->signal(env::ProcessSignal::kTerminate));
    const TimeUs until = env_.clock.monotonic_us() + kEnd;
    std::vector<MemberStory> stories;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      while (true) {
        SUPYO_ASSIGN(const auto ended, members_[i].process->poll());
        if (ended) break;
        if (env_.clock.monotonic_us() > until) return fail(ErrorCode::kJobFailed, fmt::format("member {} of {} was asked to end and does not: {}", i, a_.name, log_tail(i)));
        env_.threads->idle(5 * kMillisecond);
      }
      SUPYO_ASSIGN(const std::string text, env_.files.read_all(journal(i)));
      SUPYO_ASSIGN(MemberStory story, read_member_story(text));
      stories.push_back(std::move(story));
    }
    count(stories, changes);
    return std::move(arm_);
  }

 private:
  struct Member {
    std::unique_ptr<env::Process> process;
  };

  std::string client(std::size_t i) const { return fmt::format("{}-{}", a_.name, i); }
  std::string journal(std::size_t i) const { return env::join_path(directory_, fmt::format("member-{}.journal", i)); }
  std::string log(std::size_t i) const { return env::join_path(directory_, fmt::format("member-{}.log", i)); }
  std::string log_tail(std::size_t i) const {
    const auto text = env_.files.read_all(log(i));
    return !text || text->empty() ? "it said nothing" : text->substr(text->size() > kLogTail ? text->size() - kLogTail : 0);
  }
  double seconds(TimeUs t) const { return static_cast<double>(t - begin_us_) / kSecond; }

  Status begin_fault(TimeUs now) {
    fault_us_ = now;
    if (slow_us_ > 0) producer_->mark_next(std::string(kSlowWord));
    if (stop_us_ > 0) {
      stopped_.emplace(env_, members_[0].process->identity());
      SUPYO_TRY(stopped_->stop());
      fault_us_ = env_.clock.monotonic_us();   // it stands
      arm_.counts["faulted"] = stopped_->stopped() ? 1 : 0;
    }
    if (slow_us_ == 0 && stop_us_ == 0) fault_over_us_ = now;
    return ok();
  }

  Status pass_fault(TimeUs now) {
    if (stopped_ && now >= *fault_us_ + stop_us_) {
      SUPYO_TRY(stopped_->go_on());
      fault_over_us_ = env_.clock.monotonic_us();
      arm_.counts["fault_s"] = static_cast<double>(*fault_over_us_ - *fault_us_) / kSecond;
    }
    if (slow_us_ > 0 && now >= fault_look_us_) {
      fault_look_us_ = now + kFaultLook;
      SUPYO_ASSIGN(const bool last, env_.files.exists(fmt::format("{}-{}", mark_, times_)));
      if (last && !last_slow_us_) last_slow_us_ = now;
      if (last_slow_us_ && now >= *last_slow_us_ + slow_us_) fault_over_us_ = now;
    }
    if (!fault_over_us_ && now >= *fault_us_ + kFaultMost + stop_us_ + slow_us_) fault_over_us_ = now;   // the guard will say what did not happen
    return ok();
  }

  void sample(const GroupWatch& watch, TimeUs now) {
    const auto seen = watch.seen(unique_);
    const auto offered = static_cast<double>(producer_->counts().offered);
    arm_.t_s.push_back(seconds(now));
    arm_.columns[0].values.push_back(offered);
    arm_.columns[1].values.push_back(static_cast<double>(seen.members.size()));
    arm_.columns[2].values.push_back(std::max(0.0, offered - static_cast<double>(seen.committed)));
  }

  struct Eviction {
    std::size_t member = 0;
    TimeUs after_us = 0, by_us = 0;
    const MemberStory::Slow* slow = nullptr;   ///< what it was at; null: none
  };

  std::vector<Eviction> evictions(const std::vector<MemberStory>& stories, const std::vector<GroupWatch::Change>& changes) {
    std::vector<Eviction> out;
    for (const GroupWatch::Change& c : changes) {
      if (c.came) continue;
      Eviction e{.after_us = c.after_us, .by_us = c.by_us};
      while (e.member < members_.size() && client(e.member) != c.client) ++e.member;
      if (e.member == members_.size()) continue;
      for (const auto& slow : stories[e.member].slow)
        if (slow.last_poll < c.by_us && (slow.done == 0 || slow.done > c.after_us)) e.slow = &slow;
      out.push_back(e);
      arm_.timeline.emplace_back(seconds(c.by_us), fmt::format("{} is out of the group{}", c.client, e.slow == nullptr ? "" : fmt::format(", {:.2f} s after its last poll, at offset {} of partition {}", static_cast<double>(c.by_us - e.slow->last_poll) / kSecond, e.slow->offset, e.slow->partition)));
    }
    return out;
  }

  void count(const std::vector<MemberStory>& stories, const std::vector<GroupWatch::Change>& changes) {
    auto& c = arm_.counts;
    const NumberedProducer::Counts& p = producer_->counts();
    const HandledCount handled = count_handled(stories, producer_->acknowledged());
    c.insert({{"sent", static_cast<double>(p.offered)}, {"acked", static_cast<double>(p.acknowledged)}, {"failed", static_cast<double>(p.failed + p.refused)}, {"unknown", static_cast<double>(p.unknown)},
              {"lost", static_cast<double>(handled.lost)}, {"repeated", static_cast<double>(handled.repeated)}});
    double uncommitted = 0, refused = 0, late = 0;
    for (const MemberStory& s : stories) {
      uncommitted += static_cast<double>(s.uncommitted);
      refused += static_cast<double>(s.refused);
      late += static_cast<double>(s.late.size());
    }
    c.insert({{"uncommitted", uncommitted}, {"refused", refused}, {"late", late}});
    const std::vector<Eviction> all = evictions(stories, changes);
    c["evictions"] = static_cast<double>(all.size());
    std::map<std::pair<std::int32_t, std::int64_t>, std::vector<std::size_t>> by_offset;
    for (const Eviction& e : all)
      if (e.slow != nullptr) by_offset[{e.slow->partition, e.slow->offset}].push_back(e.member);
    std::vector<std::size_t> most;
    for (auto& [offset, who] : by_offset)
      if (who.size() > most.size()) most = who;
    c["pingpong"] = static_cast<double>(most.size());
    c["pingpong_clients"] = static_cast<double>(std::set(most.begin(), most.end()).size());
    c["stall_s"] = stop_us_ > 0 ? 0 : static_cast<double>(longest_stall(stories)) / kSecond;
    if (slow_us_ > 0) {
      c["faulted"] = 0;
      c["fault_s"] = 0;
      for (const MemberStory& s : stories)
        for (const auto& slow : s.slow)
          if (slow.done > 0) {
            c["faulted"] += 1;
            c["fault_s"] = std::max(c["fault_s"], static_cast<double>(slow.done - slow.last_poll) / kSecond);
          }
    }
    first_eviction(stories, all);
  }

  void first_eviction(const std::vector<MemberStory>& stories, const std::vector<Eviction>& all) {
    auto& c = arm_.counts;
    const auto hurt = std::ranges::find_if(all, [&](const Eviction& e) { return slow_us_ > 0 ? e.slow != nullptr : stop_us_ > 0 && e.member == 0; });
    const bool any = hurt != all.end();
    const TimeUs from = !any ? 0 : slow_us_ > 0 ? hurt->slow->last_poll : *fault_us_;
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    c["leave_low_s"] = any ? static_cast<double>(hurt->after_us - from) / kSecond : kNone;
    c["leave_high_s"] = any ? static_cast<double>(hurt->by_us - from) / kSecond : kNone;
    c["late_by_s"] = kNone;
    if (any)
      for (const auto& late : stories[hurt->member].late) {
        if (late.at < from) continue;
        c["late_by_s"] = static_cast<double>(late.by) / kSecond;
        break;
      }
    const std::vector<DurationUs> gaps = any ? unowned_times(stories, hurt->member, from) : std::vector<DurationUs>{};
    double sum = 0;
    for (const DurationUs g : gaps) sum += static_cast<double>(g) / kSecond;
    c["unowned"] = static_cast<double>(gaps.size());
    c["gap_sum_s"] = sum;
    c["gap_s"] = gaps.empty() ? 0 : sum / static_cast<double>(gaps.size());
  }

  env::Env env_;
  const GroupScenario& s_;
  const GroupArm& a_;
  std::string servers_, unique_, directory_, mark_;
  std::uint64_t partitions_ = 0, times_ = 0;
  DurationUs before_us_ = 0, after_us_ = 0, slow_us_ = 0, stop_us_ = 0;
  std::unique_ptr<connect::RecordProducer> client_;
  std::optional<NumberedProducer> producer_;
  std::vector<Member> members_;
  Arm arm_;
  TimeUs begin_us_ = 0, sample_us_ = 0, fault_look_us_ = 0;
  std::optional<TimeUs> fault_us_, fault_over_us_, last_slow_us_;
  std::optional<fault::ProcessFault> stopped_;
  bool over_ = false;
};

}  // namespace

Result<std::unique_ptr<GroupArmRun>> GroupArmRun::prepare(const env::Env& env, const GroupScenario& scenario, const GroupArm& arm, const std::string& servers, const std::string& unique, const std::string& directory) {
  auto run = std::make_unique<Run>(env, scenario, arm, servers, unique, directory);
  SUPYO_TRY(run->prepare());
  return std::unique_ptr<GroupArmRun>(std::move(run));
}

}  // namespace supyo::scenario
