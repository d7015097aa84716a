#include "serve/broker/crew.h"

namespace supyo::broker {

Crew::~Crew() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  begun_.notify_all();
  hands_.clear();   // joins
}

void Crew::run(std::size_t count, const std::function<void(std::size_t)>& task) {
  if (threads_ == nullptr || count < 2) {
    for (std::size_t i = 0; i < count; ++i) task(i);
    return;
  }
  while (hands_.size() < kThreads - 1) hands_.push_back(threads_->start("sync", [this] { work(); }));
  std::unique_lock lock(mutex_);
  task_ = &task;
  count_ = count;
  next_ = 0;
  begun_.notify_all();
  take_all(lock);   // the caller waits anyway
  ended_.wait(lock, [this] { return busy_ == 0; });
  task_ = nullptr;
  count_ = 0;
}

void Crew::work() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    take_all(lock);
    begun_.wait(lock, [this] { return closing_ || next_ < count_; });
  }
}

void Crew::take_all(std::unique_lock<std::mutex>& lock) {
  while (next_ < count_) {
    const std::size_t mine = next_++;
    const auto& task = *task_;
    ++busy_;
    lock.unlock();
    task(mine);
    lock.lock();
    if (--busy_ == 0) ended_.notify_one();
  }
}

}  // namespace supyo::broker
