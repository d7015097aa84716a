#include "serve/watch/watcher.h"

#include <algorithm>

namespace supyo::watch {
namespace {

constexpr DurationUs kPause = 20 * kMillisecond;   // how long an end may go unnoticed

}  // namespace

Watcher::Watcher(const env::Env& env, std::string source, std::function<Result<View>()> look, DurationUs every_us)
    : env_(env), source_(std::move(source)), look_(std::move(look)), every_us_(every_us) {
  view_.source = source_;
  view_.problem = "not looked at yet";
}

std::unique_ptr<Watcher> Watcher::start(const env::Env& env, std::string source, std::function<Result<View>()> look, DurationUs every_us) {
  std::unique_ptr<Watcher> watcher(new Watcher(env, std::move(source), std::move(look), every_us));
  watcher->thread_ = env.threads->start("watch", [w = watcher.get()] { w->work(); });
  return watcher;
}

Watcher::~Watcher() {
  ended_ = true;
  if (thread_) thread_->join();
}

View Watcher::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

void Watcher::work() {
  Tracker tracker;
  while (!ended_) {
    const TimeUs begin = env_.clock.monotonic_us();
    auto looked = look_();
    const TimeUs end = env_.clock.monotonic_us();
    View view = looked ? std::move(*looked) : View{.source = source_, .problem = looked.error().to_string()};
    view.source = source_;
    view.at_us = env_.clock.now_us();
    view.took_us = end - begin;
    tracker.observe(view, end);
    {
      const std::lock_guard lock(mutex_);
      view_ = std::move(view);
    }
    looks_.fetch_add(1);
    while (!ended_ && env_.clock.monotonic_us() < begin + every_us_) env_.threads->idle(std::min(kPause, begin + every_us_ - env_.clock.monotonic_us()));
  }
}

}  // namespace supyo::watch
