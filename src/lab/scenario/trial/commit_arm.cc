#include "lab/scenario/trial/commit_arm.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>

#include "core/env/processes.h"
#include "core/env/sim/sim_env.h"
#include "lab/scenario/trial/cluster.h"
#include "lab/scenario/trial/commit_journal.h"
#include "lab/scenario/trial/commit_worker.h"
#include "lab/scenario/trial/numbered_producer.h"
#include "lab/scenario/trial/topic_reader.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kTurn = 2 * kMillisecond;
constexpr DurationUs kSample = kSecond / 4;
constexpr DurationUs kTail = 300 * kMillisecond;     // the producer goes on so long after the last life has begun
constexpr DurationUs kBegin = 30 * kSecond;          // for a life to apply its first record
constexpr DurationUs kDrain = 60 * kSecond;          // for all to reach the end
constexpr std::uint64_t kFewest = 5;                 // lines of a consumer's log that an error shows, about
constexpr std::size_t kLogTail = 400 * kFewest;

/// What all consumers of an arm share.
struct Setting {
  std::string program, topic, unique;
  std::uint64_t batch = 0;
  double handler = 0;
  DurationUs interval_us = 0, after_us = 0;
};

/// One consumer of the lab: one process at a time, one life after another.
class Consumer {
 public:
  Consumer(const env::Env& env, const CommitGroup& group, const CommitArmRequest& request, const Setting& setting) : env_(env), group_(group), request_(request), setting_(setting) {}

  const CommitGroup& group() const { return group_; }
  std::string output_topic() const { return group_.order == CommitOrder::kTransaction ? setting_.unique + "-out-" + group_.name : std::string(); }

  Status begin_life() {
    const std::string number = fmt::format("{}", lives_.size());
    journal_ = env::join_path(request_.directory, fmt::format("{}-{}.journal", group_.name, number));
    log_ = env::join_path(request_.directory, group_.name + ".log");
    env::Program program{.arguments = {setting_.program, "lab-worker", "--servers", request_.servers, "--topic", setting_.topic, "--group", setting_.unique + "-" + group_.name, "--member", group_.name,
                                       "--commit", std::string(commit_order_name(group_.order)), "--journal", journal_, "--life", number, "--batch", fmt::format("{}", setting_.batch),
                                       "--rate", fmt::format("{}", setting_.handler), "--interval-us", fmt::format("{}", setting_.interval_us)},
                         .error = env::ProgramOutput::to_file(log_)};
    if (const std::string output = output_topic(); !output.empty()) program.arguments.insert(program.arguments.end(), {"--output", output});
    SUPYO_ASSIGN(process_, env_.processes->start(program));
    lives_.emplace_back();
    file_.reset();
    read_ = 0;
    begun_us_ = env_.clock.monotonic_us();
    first_us_.reset();
    return ok();
  }

  /// Reads what the process has written, and makes sure that it is there.
  Status look(bool may_end = false) {
    SUPYO_ASSIGN(const auto ended, process_->poll());   // before the journal is read: nothing follows what is read after the end
    SUPYO_TRY(read_journal());
    const TimeUs now = env_.clock.monotonic_us();
    if (!first_us_ && !lives_.back().applied.empty()) first_us_ = now;
    if (may_end) return ok();
    if (ended) return fail(ErrorCode::kJobFailed, fmt::format("the consumer '{}' ended by itself, with status {}: {}", group_.name, ended->status, log_tail()));
    if (!first_us_ && now - begun_us_ > kBegin) return fail(ErrorCode::kJobFailed, fmt::format("the consumer '{}' has applied nothing for {} s: {}", group_.name, kBegin / kSecond, log_tail()));
    return ok();
  }

  /// The process is killed, or asked to end, and gone when this returns. Whether a signal ended it.
  Result<bool> end_life(bool clean) {
    SUPYO_TRY(process_->signal(clean ? env::ProcessSignal::kTerminate : env::ProcessSignal::kKill));
    const TimeUs until = env_.clock.monotonic_us() + kBegin;
    while (true) {
      SUPYO_ASSIGN(const auto ended, process_->poll());
      if (ended) {
        SUPYO_TRY(look(true));
        kill_us_.reset();
        return ended->signalled;
      }
      if (env_.clock.monotonic_us() > until) return fail(ErrorCode::kJobFailed, fmt::format("the consumer '{}' was told to end and does not: {}", group_.name, log_tail()));
      env_.threads->idle(kTurn);
    }
  }

  /// When this life is to end: drawn once its first record is applied.
  std::optional<TimeUs> end_at(env::Random& random, TimeUs not_before) {
    if (!first_us_) return std::nullopt;
    if (!kill_us_) kill_us_ = std::max(*first_us_, not_before) + static_cast<DurationUs>(random.below(static_cast<std::uint64_t>(setting_.after_us) + 1));
    return kill_us_;
  }

  bool began() const { return first_us_.has_value(); }
  const std::vector<Life>& lives() const { return lives_; }
  std::vector<Life>& lives() { return lives_; }
  std::uint64_t applied() const { return applied_; }
  std::uint64_t next() const { return next_; }   ///< one past the highest that it has applied
  bool reached(std::uint64_t next) const { return group_.order == CommitOrder::kTransaction ? lives_.back().committed.value_or(0) >= next : next_ >= next; }

 private:
  Status read_journal() {
    if (!file_) {
      auto opened = env_.files.open(journal_, env::OpenMode::kRead);
      if (!opened) return opened.error().code == ErrorCode::kNotFoundOnDisk || opened.error().code == ErrorCode::kFileNotFound ? ok() : Status(std::unexpected(opened.error()));
      file_ = std::move(*opened);
    }
    std::array<char, 1 << 16> chunk;
    while (true) {
      SUPYO_ASSIGN(const std::size_t n, file_->read_at(read_, chunk));
      if (n == 0) return ok();
      read_ += n;
      const std::size_t before = lives_.back().applied.size();
      SUPYO_TRY(lives_.back().read({chunk.data(), n}));
      for (std::size_t i = before; i < lives_.back().applied.size(); ++i) next_ = std::max(next_, lives_.back().applied[i] + 1);
      applied_ += lives_.back().applied.size() - before;
    }
  }

  std::string log_tail() const {
    const auto text = env_.files.read_all(log_);
    return !text || text->empty() ? "it said nothing" : text->substr(text->size() > kLogTail ? text->size() - kLogTail : 0);
  }

  env::Env env_;
  const CommitGroup& group_;
  const CommitArmRequest& request_;
  const Setting& setting_;
  std::string journal_, log_;
  std::unique_ptr<env::Process> process_;
  std::unique_ptr<env::File> file_;
  std::uint64_t read_ = 0, applied_ = 0, next_ = 0;
  TimeUs begun_us_ = 0;
  std::optional<TimeUs> first_us_, kill_us_;
  std::vector<Life> lives_;
};

class ArmRun {
 public:
  ArmRun(const env::Env& env, const CommitScenario& scenario, const CommitArmRequest& request, const RunOptions& options)
      : env_(env), s_(scenario), request_(request), options_(options), random_(scenario.seed) {}

  Result<CommitArmResult> run() {
    SUPYO_TRY(prepare());
    begin_us_ = env_.clock.monotonic_us();
    for (Consumer& c : consumers_) SUPYO_TRY(c.begin_life());
    SUPYO_TRY(ends());
    SUPYO_TRY(drain());
    for (Consumer& c : consumers_) { SUPYO_ASSIGN([[maybe_unused]] const bool signalled, c.end_life(true)); }
    SUPYO_TRY(count());
    if (options_.cluster) clean_up();
    return std::move(out_);
  }

 private:
  Status prepare() {
    SUPYO_TRY(env_.files.create_directories(request_.directory));
    // Names of their own, since a cluster outlives the lab.
    setting_.unique = fmt::format("supyo-lab-{}-{}", env::new_uuid(env_.random).substr(0, 8), request_.name);
    setting_.topic = setting_.unique;
    SUPYO_ASSIGN(setting_.program, env_.processes->own_program());
    SUPYO_ASSIGN(setting_.batch, s_.count(s_.batch, kRecords));
    SUPYO_ASSIGN(setting_.handler, s_.value(s_.handler, kRate));
    SUPYO_ASSIGN(setting_.interval_us, s_.duration(s_.interval));
    SUPYO_ASSIGN(setting_.after_us, s_.duration(s_.after));
    SUPYO_ASSIGN(const double rate, s_.value(s_.rate, kRate));
    SUPYO_ASSIGN(const double size, s_.value(s_.record_size, kBytes));
    SUPYO_TRY(make_topic(request_.servers, setting_.topic));
    SUPYO_ASSIGN(client_, connect::RecordProducer::open({.servers = request_.servers, .topic = setting_.topic}));
    producer_.emplace(env_, *client_, NumberedProducer::Options{.rate = rate, .record_size = static_cast<std::size_t>(size), .linger_us = s_.linger_us});
    consumers_.reserve(s_.groups.size());
    for (const CommitGroup& g : s_.groups) {
      consumers_.emplace_back(env_, g, request_, setting_);
      // Made here, so that no consumer waits for a topic that is just being made.
      if (const std::string output = consumers_.back().output_topic(); !output.empty()) SUPYO_TRY(make_topic(request_.servers, output));
    }
    out_.arm.name = request_.name;
    out_.arm.columns.push_back({"offered", "records", {}});
    for (const CommitGroup& g : s_.groups) {
      out_.arm.columns.push_back({"applied_" + g.name, "records", {}});
      out_.arm.columns.push_back({"behind_" + g.name, "records", {}});
    }
    return ok();
  }

  double seconds(TimeUs t) const { return static_cast<double>(t - begin_us_) / kSecond; }

  Status turn(bool rest) {
    SUPYO_TRY(options_.go_on());
    SUPYO_TRY(producer_->turn(env_.clock.monotonic_us(), rest));
    for (Consumer& c : consumers_) SUPYO_TRY(c.look());
    const TimeUs now = env_.clock.monotonic_us();
    if (now >= sample_us_) {
      sample_us_ = now + kSample;
      sample(now);
    }
    env_.threads->idle(kTurn);
    return ok();
  }

  void sample(TimeUs now) {
    Arm& a = out_.arm;
    a.t_s.push_back(seconds(now));
    std::size_t column = 0;
    const auto put = [&](double v) { a.columns[column++].values.push_back(v); };
    const std::uint64_t offered = producer_->counts().offered;
    put(static_cast<double>(offered));
    for (const Consumer& c : consumers_) {
      put(static_cast<double>(c.applied()));
      put(static_cast<double>(offered - std::min(offered, c.next())));
    }
    if (options_.progress) options_.progress(request_.name, static_cast<double>(out_.trials.size()) / static_cast<double>(std::max<std::uint64_t>(1, request_.ends * consumers_.size())));
  }

  /// Until every consumer has ended as often as it shall, and lives once more.
  Status ends() {
    const TimeUs first = begin_us_ + request_.before_us;
    std::optional<TimeUs> over;
    while (!over || env_.clock.monotonic_us() < *over) {
      SUPYO_TRY(turn(false));
      bool all = env_.clock.monotonic_us() >= first;
      for (Consumer& c : consumers_) {
        if (c.lives().size() > request_.ends) {
          all = all && c.began();
          continue;
        }
        all = false;
        const auto at = c.end_at(random_, first);
        if (at && env_.clock.monotonic_us() >= *at) SUPYO_TRY(end_one(c));
      }
      if (all && !over) over = env_.clock.monotonic_us() + kTail;
    }
    return ok();
  }

  Status end_one(Consumer& c) {
    const double t = seconds(env_.clock.monotonic_us());
    SUPYO_ASSIGN(const bool signalled, c.end_life(request_.clean));
    if (out_.trials.empty()) out_.from_s = t;
    out_.to_s = t;
    out_.trials.push_back({request_.name, c.group().name, t, {{"life", static_cast<double>(c.lives().size() - 1)}, {"killed", signalled ? 1 : 0}}});
    return c.begin_life();
  }

  Status drain() {
    const TimeUs until = env_.clock.monotonic_us() + kDrain;
    bool reached = false;
    while (!reached && env_.clock.monotonic_us() < until) {
      SUPYO_TRY(turn(true));
      const std::vector<bool> acked = producer_->acknowledged();
      std::uint64_t next = 0;
      for (std::uint64_t id = 0; id < acked.size(); ++id) if (acked[id]) next = id + 1;
      reached = producer_->settled() && std::ranges::all_of(consumers_, [&](const Consumer& c) { return c.reached(next); });
    }
    out_.arm.drained = reached;
    sample(env_.clock.monotonic_us());
    return ok();
  }

  /// What a transactional consumer applied is what a reader of its output sees, by life.
  Status read_output(Consumer& c) {
    for (Life& life : c.lives()) life.applied.clear();
    SUPYO_ASSIGN(const bool whole, read_topic(env_, request_.servers, c.output_topic(), kDrain, [&](std::string_view value) -> Status {
      std::uint64_t life = 0;
      SUPYO_ASSIGN(const std::uint64_t id, id_of_value(value, &life));
      if (life >= c.lives().size()) return fail(ErrorCode::kMalformedRecord, fmt::format("a record of life {}, of {}", life, c.lives().size()));
      c.lives()[life].applied.push_back(id);
      return ok();
    }));
    out_.arm.drained = out_.arm.drained && whole;
    return ok();
  }

  Status count() {
    const NumberedProducer::Counts& p = producer_->counts();
    out_.arm.counts = {{"sent", static_cast<double>(p.offered)}, {"acked", static_cast<double>(p.acknowledged)}, {"failed", static_cast<double>(p.failed + p.refused)}, {"unknown", static_cast<double>(p.unknown)}};
    const std::vector<bool> acked = producer_->acknowledged();
    for (Consumer& c : consumers_) {
      std::vector<std::uint64_t> in_flight;   // by the diary, before the output takes its place
      for (const LifeEnd& e : count_ends(c.lives(), {})) in_flight.push_back(e.in_flight);
      if (!c.output_topic().empty()) SUPYO_TRY(read_output(c));
      const std::vector<LifeEnd> ends = count_ends(c.lives(), acked);
      for (Trial& t : out_.trials) {
        if (t.group != c.group().name) continue;
        const auto life = static_cast<std::size_t>(t.values.at("life"));
        const LifeEnd& e = ends.at(life);
        t.values["lost"] = static_cast<double>(e.lost);
        t.values["repeated"] = static_cast<double>(e.repeated);
        t.values["in_flight"] = static_cast<double>(in_flight.at(life));
        t.values["uncommitted"] = static_cast<double>(e.uncommitted);
        out_.arm.timeline.emplace_back(t.t_s, fmt::format("{} {}: {} lost, {} repeated, {} in flight", c.group().name, t.values.at("killed") == 1 ? "killed" : "ended", e.lost, e.repeated, in_flight.at(life)));
      }
    }
    std::ranges::sort(out_.arm.timeline);
    return ok();
  }

  void clean_up() {
    remove_topic(request_.servers, setting_.topic);
    for (const Consumer& c : consumers_)
      if (!c.output_topic().empty()) remove_topic(request_.servers, c.output_topic());
  }

  env::Env env_;
  const CommitScenario& s_;
  const CommitArmRequest& request_;
  const RunOptions& options_;
  env::SeededRandom random_;
  Setting setting_;
  std::unique_ptr<connect::RecordProducer> client_;
  std::optional<NumberedProducer> producer_;
  std::vector<Consumer> consumers_;
  CommitArmResult out_;
  TimeUs begin_us_ = 0, sample_us_ = 0;
};

}  // namespace

Result<CommitArmResult> run_commit_arm(const env::Env& env, const CommitScenario& scenario, const CommitArmRequest& request, const RunOptions& options) {
  return ArmRun(env, scenario, request, options).run();
}

}  // namespace supyo::scenario
