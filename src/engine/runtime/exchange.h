#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "core/base/result.h"
#include "engine/dataflow/event.h"
#include "engine/runtime/spsc_queue.h"

namespace supyo::runtime {

/// The queue from one task on one shard to one task on another (or the same). What does not fit waits on the sender's side: a task that is
/// in the middle of an event always gets rid of its output, and takes no further input until that has gone (backpressure).
class Channel {
 public:
  explicit Channel(std::size_t capacity) : queue_(capacity) {}

  /// Sender's thread.
  void send(dataflow::Event event) {
    if (!pending_.empty() || !queue_.try_push(event)) pending_.push_back(std::move(event));
  }
  /// Sender's thread: moves on what was waiting; true when nothing waits any more.
  bool flush() {
    while (!pending_.empty() && queue_.try_push(pending_.front())) pending_.pop_front();
    return pending_.empty();
  }

  /// Receiver's thread.
  dataflow::Event* front() { return queue_.front(); }
  void pop() { queue_.pop(); }

 private:
  SpscQueue<dataflow::Event> queue_;
  std::deque<dataflow::Event> pending_;
};

/// The sending end of one edge on one shard. One thread.
class ExchangeSender {
 public:
  /// Rows go to the channel that owns their key, or all to the first one when `keys` is empty.
  ExchangeSender(std::vector<Channel*> channels, std::vector<std::size_t> keys);

  void send_rows(const BatchPtr& batch);
  /// Watermarks, barriers, idleness and the end go to every receiver.
  void broadcast(const dataflow::Event& event);
  /// True when the receivers took everything that was sent; until then the sender takes no input.
  bool flush();

 private:
  std::vector<Channel*> channels_;
  std::vector<std::size_t> keys_;
  std::vector<ColumnPtr> key_columns_;           // reused
  std::vector<std::uint64_t> hashes_;            // reused
  std::vector<std::vector<std::uint32_t>> rows_; // reused: row numbers per receiver
};

}  // namespace supyo::runtime
