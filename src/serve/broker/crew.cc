#include "serve/broker/crew.h"

namespace supyo::broker {

bool Countdown::down() {
  const std::lock_guard lock(mutex_);
  if (--left_ > 0) return false;
  zero_.notify_all();
  return true;
}

bool Countdown::done() const {
  const std::lock_guard lock(mutex_);
  return left_ == 0;
}

void Countdown::wait() const {
  std::unique_lock lock(mutex_);
  zero_.wait(lock, [this] { return left_ == 0; });
}

Crew::~Crew() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  posted_.notify_all();
  hands_.clear();   // joins
}

void Crew::post(std::function<void()> task) {
  if (threads_ == nullptr) return task();
  while (hands_.size() < kThreads) hands_.push_back(threads_->start("sync", [this] { work(); }));
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  posted_.notify_one();
}

void Crew::run(std::size_t count, const std::function<void(std::size_t)>& task) {
  if (count == 0) return;
  Countdown left(count - 1);
  for (std::size_t i = 1; i < count; ++i)
    post([&left, &task, i] {
      task(i);
      left.down();
    });
  task(0);   // the caller waits anyway
  left.wait();
}

void Crew::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    posted_.wait(lock, [this] { return closing_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    const std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace supyo::broker
