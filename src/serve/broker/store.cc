#include "serve/broker/store.h"

#include <algorithm>
#include <utility>

namespace supyo::broker {

Uuid topic_uuid(std::uint64_t log_id) {
  Uuid id{'s', 'u', 'p', 'y', 'o', '-', 0x40, 0};   // version 4, so that it never reads as one of Kafka's reserved ids
  for (std::size_t i = 0; i < 8; ++i) id[8 + i] = static_cast<std::uint8_t>(log_id >> (56 - 8 * i));
  return id;
}

Result<log::PartitionWriter*> Partition::writer() {
  if (writer_) return writer_.get();
  const TimeUs now = env_.clock.monotonic_us();
  if (refused_ && now < try_again_us_) return fail(*refused_);
  auto opened = log::PartitionWriter::open(env_, topic_, id_);
  if (!opened) {
    refused_ = opened.error();
    try_again_us_ = now + kSecond;
    return fail(*refused_);
  }
  refused_.reset();
  writer_ = std::move(*opened);
  writer_->set_zero_ahead(kZeroAhead);
  committed_end_ = writer_->committed_end();
  return writer_.get();
}

Result<log::KafkaReader*> Partition::reader(Offset from) {
  Slot* oldest = &readers_[0];
  for (Slot& slot : readers_) {
    if (slot.reader && slot.position == from) {
      slot.used = ++uses_;
      return slot.reader.get();
    }
    if (slot.used < oldest->used) oldest = &slot;
  }
  if (!oldest->reader) {
    SUPYO_ASSIGN(auto opened, log::KafkaReader::open(env_.files, topic_, id_));
    oldest->reader = std::make_unique<log::KafkaReader>(std::move(opened));
  }
  oldest->used = ++uses_;
  return oldest->reader.get();
}

void Partition::used(log::KafkaReader* reader, Offset next) {
  for (Slot& slot : readers_)
    if (slot.reader.get() == reader) slot.position = next;
}

Result<Partition::Ends> Partition::ends() {
  // Taking the writer recovers the partition: after a crash the published mark may lie behind what is durable.
  if (auto w = writer(); w) return Ends{(*w)->log_start(), (*w)->synced_end(), (*w)->committed_end()};
  else if (w.error().code != ErrorCode::kStateLocked) return fail(std::move(w).error());
  SUPYO_ASSIGN(log::KafkaReader* r, reader(Offset(-1)));
  SUPYO_ASSIGN(const log::KafkaFetched e, r->ends());
  return Ends{e.log_start, e.high_watermark, e.last_stable};
}

Result<log::KafkaFetched> Partition::fetch(Offset from, const log::KafkaFetchOptions& options, std::string& out) {
  SUPYO_TRY(ends());
  SUPYO_ASSIGN(log::KafkaReader* r, reader(from));
  auto fetched = r->fetch(from, options, out);
  used(r, fetched ? fetched->next : Offset(-1));
  return fetched;
}

Result<Partition::Flush> Partition::begin_flush(unsigned lane) {
  dirty_ = false;
  Flush flush{.partition = this, .sync = {}, .bytes = std::exchange(unpublished_, 0), .synced = {}};
  SUPYO_ASSIGN(flush.sync, writer_->begin_sync(lane));
  return flush;
}

Status Partition::finish(Flush& flush) {
  SUPYO_TRY(writer_->finish_sync(flush.sync, std::move(flush.synced)));
  SUPYO_TRY(writer_->publish());
  published_bytes_ += flush.bytes;
  uncommitted_ += flush.bytes;
  if (writer_->committed_end() != committed_end_) {
    committed_end_ = writer_->committed_end();
    committed_bytes_ += uncommitted_;
    uncommitted_ = 0;
  }
  return ok();
}

void Partition::set_topic(const log::Topic& topic) {
  topic_ = topic;
  if (writer_) writer_->set_config(topic.config);
}

Status Store::open() {
  SUPYO_TRY(log::create_directories_durably(env_.files, directory_));
  SUPYO_TRY(log::sweep_deleted_topics(env_.files, directory_));
  return refresh();
}

Store::TopicState& Store::adopt(log::Topic topic) {
  TopicState& state = topics_[topic.name];
  if (state.topic.log_id != topic.log_id) {   // another topic of the same name
    if (Status drained = drain(); !drained) failed_ = drained.error();
    std::erase_if(dirty_, [&](const Partition* d) { return std::ranges::any_of(state.partitions, [d](const auto& p) { return p.get() == d; }); });
    state.partitions.clear();
  }
  state.topic = std::move(topic);
  for (auto& p : state.partitions) p->set_topic(state.topic);
  for (auto i = static_cast<std::int32_t>(state.partitions.size()); i < state.topic.config.partitions; ++i)
    state.partitions.push_back(std::make_unique<Partition>(env_, state.topic, PartitionId(i)));
  return state;
}

Status Store::refresh() {
  SUPYO_ASSIGN(const std::vector<std::string> names, log::list_topics(env_.files, directory_));
  for (const std::string& name : names) {
    if (name.starts_with("__") || topics_.contains(name)) continue;
    auto topic = log::open_topic(env_.files, directory_, name);
    if (topic) adopt(std::move(*topic));
  }
  const auto gone = [&](const auto& t) { return !std::ranges::binary_search(names, t.first); };
  if (std::ranges::any_of(topics_, gone)) {
    SUPYO_TRY(flush());
    std::erase_if(topics_, gone);
  }
  return ok();
}

Store::TopicState* Store::find(const std::string& name) {
  if (const auto it = topics_.find(name); it != topics_.end()) return &it->second;
  if (name.empty() || name.size() > 249 || name.starts_with("__") || name.find('/') != std::string::npos || name == "." || name == "..") return nullptr;
  auto topic = log::open_topic(env_.files, directory_, name);
  return topic ? &adopt(std::move(*topic)) : nullptr;
}

Store::TopicState* Store::find(const Uuid& id) {
  for (auto& [name, state] : topics_)
    if (topic_uuid(state.topic.log_id) == id) return &state;
  return nullptr;
}

Partition* Store::find(const std::string& topic, std::int32_t partition) {
  TopicState* state = find(topic);
  if (state == nullptr || partition < 0 || static_cast<std::size_t>(partition) >= state->partitions.size()) return nullptr;
  return state->partitions[static_cast<std::size_t>(partition)].get();
}

Result<Store::TopicState*> Store::create(const std::string& name, const log::TopicConfig& config) {
  SUPYO_ASSIGN(log::Topic topic, log::create_topic(env_, directory_, name, config));
  return &adopt(std::move(topic));
}

Status Store::remove(const std::string& name) {
  SUPYO_TRY(flush());
  topics_.erase(name);   // closes the writers
  return log::delete_topic(env_, directory_, name);
}

Status Store::grow(const std::string& name, std::int32_t partitions) {
  SUPYO_ASSIGN(log::Topic topic, log::add_partitions(env_, directory_, name, partitions));
  adopt(std::move(topic));
  return ok();
}

Status Store::alter(const std::string& name, const log::TopicChanges& changes) {
  SUPYO_ASSIGN(log::Topic topic, log::alter_topic_config(env_, directory_, name, changes));
  adopt(std::move(topic));
  return ok();
}

void Store::note_appended(Partition& partition, std::size_t bytes) {
  if (!partition.dirty()) dirty_.push_back(&partition);
  partition.note_appended(bytes);
  dirty_bytes_ += bytes;
}

Result<std::uint64_t> Store::begin_flush() {
  auto flush = std::make_shared<Flush>(dirty_.size());
  const auto lane = static_cast<unsigned>(begun_ % FlushPace::kFlushes);   // free: flushes end in their order
  for (Partition* p : dirty_) {
    SUPYO_ASSIGN(auto one, p->begin_flush(lane));
    flush->partitions.push_back(std::move(one));
  }
  dirty_.clear();
  dirty_bytes_ = 0;
  flushes_.push_back(flush);
  for (Partition::Flush& one : flush->partitions)
    crew_.post([this, flush, &one] {
      one.synced = one.sync.file->sync();
      if (flush->left.down()) flush_ended();
    });
  return ++begun_;
}

Status Store::finish(Flush& flush) {
  ++finished_;
  for (Partition::Flush& one : flush.partitions) SUPYO_TRY(one.partition->finish(one));
  return ok();
}

Result<std::uint64_t> Store::finish_flushes() {
  if (failed_) return fail(*failed_);
  while (!flushes_.empty() && flushes_.front()->left.done()) {
    const auto flush = std::move(flushes_.front());
    flushes_.pop_front();
    SUPYO_TRY(finish(*flush));
  }
  return finished_;
}

/// Waits for the flushes that are under way.
Status Store::drain() {
  while (!flushes_.empty()) {
    flushes_.front()->left.wait();
    SUPYO_TRY(finish_flushes());
  }
  return failed_ ? Status(fail(*failed_)) : ok();
}

Status Store::flush() {
  SUPYO_TRY(drain());
  if (dirty_.empty()) return ok();
  SUPYO_TRY(begin_flush());
  return drain();
}

}  // namespace supyo::broker
