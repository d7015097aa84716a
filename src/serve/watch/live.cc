#include "serve/watch/live.h"

#include <fmt/format.h>

#include <algorithm>

namespace supyo::watch {
namespace {

constexpr DurationUs kPause = 20 * kMillisecond;       // how long an end may go unnoticed
constexpr DurationUs kRestOfTook = 4;                  // rests so many times as long as it asked,
constexpr DurationUs kRestMost = 10 * kSecond;         // and no longer than so
constexpr std::size_t kQuestionsALook = 2000;
constexpr DurationUs kFlinkTimeout = 900 * kMillisecond;
constexpr std::uint64_t kLogChunk = 1U << 20, kLogAtFirst = 16U << 20;   // of a log, its last part is read

std::string why(const Error& e) {
  return fmt::format("SUPYO-{} {}; {}", static_cast<int>(e.code), e.message, e.code == ErrorCode::kOutsideUnavailable ? "is the address right, and do the brokers run?" : e.hint);
}

}  // namespace

Live::Live(const env::Env& env, LiveOptions options)
    : env_(env), options_(std::move(options)), collector_(env, options_.servers, options_.filter, options_.timeout_us, [this] { return ended_.load(); }), monitor_(options_.horizon_us), log_read_(options_.broker_logs.size() + options_.client_logs.size()) {
  report_ = std::make_shared<Report>(Report{.source = options_.servers, .problem = "not looked at yet"});
  view_ = std::make_shared<View>(View{.source = options_.servers, .problem = "not looked at yet"});
  if (options_.flink) flink_.emplace([this](const std::string& path) { return connect::http_get(env_, *options_.flink, path, kFlinkTimeout); });
}

std::unique_ptr<Live> Live::start(const env::Env& env, LiveOptions options) {
  std::unique_ptr<Live> live(new Live(env, std::move(options)));
  live->thread_ = env.threads->start("watch", [l = live.get()] { l->work(); });
  return live;
}

Live::~Live() {
  ended_ = true;
  if (thread_) thread_->join();
}

std::shared_ptr<const Report> Live::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}
std::shared_ptr<const View> Live::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

Status Live::look() {
  SUPYO_ASSIGN(const ClusterLook seen, collector_.look());
  monitor_.observe(seen);
  for (int round = 0; round < options_.marks_a_look && !ended_; ++round) {
    const auto questions = monitor_.questions(kQuestionsALook);
    if (questions.empty()) break;
    monitor_.answer(questions, collector_.offsets_for_times(questions));
  }
  flink_problem_.clear();
  if (flink_) {
    auto jobs = flink_->look(env_.clock.now_us());
    if (!jobs) flink_problem_ = "Flink: " + jobs.error().message;
    monitor_.flink(jobs ? std::optional(std::move(*jobs)) : std::nullopt);
  }
  return ok();
}

/// What was appended since; a file that became shorter was rotated and is read from its beginning.
void Live::follow_logs() {
  const std::size_t brokers = options_.broker_logs.size();
  for (std::size_t i = 0; i < log_read_.size(); ++i) {
    const auto file = env_.files.open(i < brokers ? options_.broker_logs[i] : options_.client_logs[i - brokers], env::OpenMode::kRead);
    const auto size = file ? (*file)->size() : Result<std::uint64_t>(0);
    if (!file || !size) continue;
    std::uint64_t& at = log_read_[i];
    if (*size < at) at = 0;
    if (at == 0 && *size > kLogAtFirst) at = *size - kLogAtFirst;
    std::string chunk(kLogChunk, '\0');
    while (at < *size && !ended_) {
      const auto read = (*file)->read_at(at, chunk);
      if (!read || *read == 0) break;
      if (i < brokers) monitor_.broker_log({chunk.data(), *read});
      else monitor_.client_log({chunk.data(), *read});
      at += *read;
    }
  }
}

void Live::work() {
  while (!ended_) {
    const TimeUs begin = env_.clock.monotonic_us();
    follow_logs();
    const Status looked = look();
    const TimeUs end = env_.clock.monotonic_us();
    if (looked) {
      last_known_ = monitor_.report();
      if (!flink_problem_.empty()) last_known_.problems.push_back(flink_problem_);
    }
    auto report = std::make_shared<Report>(looked ? last_known_ : unanswered(last_known_, why(looked.error()), env_.clock.now_us() + last_known_.clock_offset_us));
    auto view = std::make_shared<View>(looked ? monitor_.view() : View{.source = {}, .problem = report->problem, .at_us = report->at_us});
    report->source = view->source = options_.servers;
    report->took_us = view->took_us = std::max<DurationUs>(1, end - begin);
    {
      const std::lock_guard lock(mutex_);
      report_ = std::move(report);
      view_ = std::move(view);
    }
    looks_.fetch_add(1);
    const TimeUs next = std::max(begin + options_.every_us, end + std::min(kRestMost, kRestOfTook * (end - begin)));
    while (!ended_ && env_.clock.monotonic_us() < next) env_.threads->idle(std::min(kPause, next - env_.clock.monotonic_us()));
  }
}

}  // namespace supyo::watch
