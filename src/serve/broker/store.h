#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/env/env.h"
#include "data/log/kafka_reader.h"
#include "data/log/partition_writer.h"
#include "data/log/topic.h"
#include "serve/broker/crew.h"
#include "serve/broker/pace.h"
#include "serve/broker/wire.h"

namespace supyo::broker {

/// A partition as the broker holds it. It takes the partition's writer when it is first used; a partition that another process writes (a job, by
/// embedded:DIR) is read as published and refuses what would write. One thread.
class Partition {
 public:
  Partition(const env::Env& env, const log::Topic& topic, PartitionId id) : env_(env), topic_(topic), id_(id) {}

  /// The writer, opened on the first call. kStateLocked while another process has it; asked again at most once a second.
  Result<log::PartitionWriter*> writer();
  log::PartitionWriter* open_writer() { return writer_.get(); }
  /// A reader whose position is `from` if there is one (it reads ahead), else any.
  Result<log::KafkaReader*> reader(Offset from);
  /// The reader that was just used stands at `next` now.
  void used(log::KafkaReader* reader, Offset next);
  struct Ends {
    Offset log_start, high_watermark, last_stable;
  };
  Result<Ends> ends();
  Result<log::KafkaFetched> fetch(Offset from, const log::KafkaFetchOptions& options, std::string& out);

  /// Something was appended that flush() has to sync.
  void note_appended(std::size_t bytes) { dirty_ = true; unpublished_ += bytes; }
  bool dirty() const { return dirty_; }
  struct Flush {
    Partition* partition = nullptr;
    log::PendingSync sync;
    std::uint64_t bytes = 0;
    Status synced;
  };
  /// What was appended is to be synced (PartitionWriter::begin_sync); finish() then publishes it.
  Result<Flush> begin_flush(unsigned lane);
  Status finish(Flush& flush);
  /// Bytes that became readable since the partition was opened, by isolation: what a waiting fetch counts.
  std::uint64_t readable_bytes(log::Isolation isolation) const { return isolation == log::Isolation::kReadCommitted ? committed_bytes_ : published_bytes_; }
  /// Whether its records come from another process: then nobody tells us of new ones.
  bool foreign() const { return writer_ == nullptr; }

  void set_topic(const log::Topic& topic);
  PartitionId id() const { return id_; }
  const log::Topic& topic() const { return topic_; }

 private:
  static constexpr std::size_t kReaders = 8;
  static constexpr std::uint64_t kZeroAhead = 256 << 10;
  struct Slot {
    std::unique_ptr<log::KafkaReader> reader;
    Offset position;
    std::uint64_t used = 0;
  };
  env::Env env_;
  log::Topic topic_;
  PartitionId id_;
  std::unique_ptr<log::PartitionWriter> writer_;
  std::optional<Error> refused_;     ///< why there is no writer
  TimeUs try_again_us_ = 0;
  std::array<Slot, kReaders> readers_;
  std::uint64_t uses_ = 0;
  bool dirty_ = false;
  std::uint64_t unpublished_ = 0, published_bytes_ = 0, uncommitted_ = 0, committed_bytes_ = 0;
  Offset committed_end_;
};

/// The topics of a log directory. One thread.
class Store {
 public:
  struct TopicState {
    log::Topic topic;
    std::vector<std::unique_ptr<Partition>> partitions;
  };

  Store(const env::Env& env, std::string directory) : env_(env), directory_(std::move(directory)), crew_(env.threads) {}
  /// Removes what a crash left, and finds the topics.
  Status open();

  /// Null when there is no such topic. Topics that another process made are found.
  TopicState* find(const std::string& name);
  TopicState* find(const Uuid& id);
  Partition* find(const std::string& topic, std::int32_t partition);
  /// Looks into the directory for topics that others made or removed.
  Status refresh();
  std::map<std::string, TopicState>& topics() { return topics_; }

  Result<TopicState*> create(const std::string& name, const log::TopicConfig& config);
  Status remove(const std::string& name);
  Status grow(const std::string& name, std::int32_t partitions);
  Status alter(const std::string& name, const log::TopicChanges& changes);

  /// Bytes were appended to `partition`: the next flush syncs it.
  void note_appended(Partition& partition, std::size_t bytes);
  bool dirty() const { return !dirty_.empty(); }
  std::uint64_t dirty_bytes() const { return dirty_bytes_; }
  /// Syncs and publishes every partition that was written to. An error is final: what was acknowledged before is safe, nothing after it is.
  Status flush();
  /// The same beside the event loop, at most FlushPace::kFlushes at a time. begin_flush() gives the flush its number (from 1); finish_flushes() takes those that
  /// ended, in their order, and returns the number of the last one.
  Result<std::uint64_t> begin_flush();
  Result<std::uint64_t> finish_flushes();
  /// Called on any thread when a flush has ended.
  std::function<void()> flush_ended = [] {};
  const std::string& directory() const { return directory_; }
  /// For what else waits for the disk.
  Crew& crew() { return crew_; }

 private:
  struct Flush {
    explicit Flush(std::size_t count) : left(count) {}
    std::vector<Partition::Flush> partitions;
    Countdown left;
  };
  TopicState& adopt(log::Topic topic);
  Status finish(Flush& flush);
  Status drain();

  env::Env env_;
  std::string directory_;
  std::map<std::string, TopicState> topics_;
  std::vector<Partition*> dirty_;
  std::uint64_t dirty_bytes_ = 0;
  std::deque<std::shared_ptr<Flush>> flushes_;   ///< under way, oldest first
  std::uint64_t begun_ = 0, finished_ = 0;
  std::optional<Error> failed_;                  ///< of a flush that ended where nobody could be told
  Crew crew_;                                    ///< last: its threads are gone before what they use
};

/// A topic's id for clients, made of its log id.
Uuid topic_uuid(std::uint64_t log_id);

}  // namespace supyo::broker
