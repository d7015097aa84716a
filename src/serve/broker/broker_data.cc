#include <fmt/format.h>

#include <algorithm>

#include "serve/broker/broker.h"

/// The data path: metadata, produce, fetch, offsets.
namespace supyo::broker {
namespace {

/// One broker: no leader ever changes.
constexpr std::int32_t kLeaderEpoch = 0;

Code code_of(log::KafkaOutcome outcome) {
  using enum log::KafkaOutcome;
  switch (outcome) {
    case kAppended:
    case kDuplicate: return Code::kNone;
    case kCorrupt: return Code::kCorruptMessage;
    case kUnsupportedMagic: return Code::kUnsupportedForMessageFormat;
    case kUnsupportedCodec: return Code::kUnsupportedCompressionType;
    case kInvalidRecord: return Code::kInvalidRecord;
    case kInvalidTimestamp: return Code::kInvalidTimestamp;
    case kTooLarge: return Code::kMessageTooLarge;
    case kOutOfOrderSequence: return Code::kOutOfOrderSequence;
    case kFencedEpoch: return Code::kInvalidProducerEpoch;
    case kInvalidTransaction: return Code::kInvalidTxnState;
    case kFencedCoordinator: return Code::kTransactionCoordinatorFenced;
  }
  return Code::kUnknownServerError;
}

Code check_epoch(std::int32_t epoch) { return epoch > kLeaderEpoch ? Code::kUnknownLeaderEpoch : Code::kNone; }
log::Isolation isolation_of(std::int8_t level) { return level == 1 ? log::Isolation::kReadCommitted : log::Isolation::kReadUncommitted; }

}  // namespace

ApiVersionsResponse Broker::api_versions(const RequestContext&, ApiVersionsRequest&) {
  ApiVersionsResponse response;
  for (const ApiVersions& a : supported_apis()) response.apis.push_back({static_cast<std::int16_t>(a.api), a.advertised, a.newest});
  return response;
}

MetadataResponse Broker::metadata(const RequestContext& from, MetadataRequest& request) {
  MetadataResponse response;
  const auto node = static_cast<std::int32_t>(config_.node_id);
  response.brokers.push_back({node, endpoint_.host, endpoint_.port, std::nullopt});
  response.cluster_id = cluster_id_;
  response.controller = node;
  const auto describe = [&](const Store::TopicState& state) {
    MetadataResponse::Topic& t = response.topics.emplace_back();
    t.name = state.topic.name;
    t.id = topic_uuid(state.topic.log_id);
    for (const auto& p : state.partitions) t.partitions.push_back({Code::kNone, p->id().value, node, kLeaderEpoch, {node}, {node}, {}});
  };
  if (!request.topics || (from.version == 0 && request.topics->empty())) {
    if (const Status looked = store_.refresh(); !looked) log(looked.error().to_string());
    for (const auto& [name, state] : store_.topics()) describe(state);
    return response;
  }
  for (const MetadataRequest::Topic& wanted : *request.topics) {
    const Store::TopicState* state = wanted.name ? store_.find(*wanted.name) : store_.find(wanted.id);
    Code code = Code::kUnknownTopicOrPartition;
    if (state == nullptr && !wanted.name) code = Code::kUnknownTopicId;
    if (state == nullptr && wanted.name && !is_topic_name(*wanted.name)) code = Code::kInvalidTopic;
    if (state == nullptr && code == Code::kUnknownTopicOrPartition && request.allow_auto_create && config_.auto_create_topics != 0) {
      log::TopicConfig config = config_.topic;
      config.partitions = static_cast<std::int32_t>(config_.partitions);
      if (auto made = store_.create(*wanted.name, config)) state = *made;
    }
    if (state != nullptr) {
      describe(*state);
      continue;
    }
    MetadataResponse::Topic& t = response.topics.emplace_back();
    t.code = code;
    t.name = wanted.name;
    t.id = wanted.id;
  }
  return response;
}

void Broker::produce(const RequestContext& from, ProduceRequest& request) {
  ProduceResponse response;
  bool failed = false;
  const bool acks_known = request.acks >= -1 && request.acks <= 1;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const ProduceRequest::Partition& in : topic.partitions) {
      if (acks_known) out.partitions.push_back(produce_partition(request, topic.name, in));
      else out.partitions.push_back({.index = in.index, .code = Code::kInvalidRequiredAcks});
      failed |= out.partitions.back().code != Code::kNone;
    }
  }
  if (request.acks != 0) return answer_durably(from, response);
  if (failed) return refuse(from, "acks=0 records that could not be taken");   // as Kafka tells such a client
  outbox_.skip(from.connection, from.sequence);
}

ProduceResponse::Partition Broker::produce_partition(const ProduceRequest& request, const std::string& topic, const ProduceRequest::Partition& in) {
  ProduceResponse::Partition out{.index = in.index};
  const auto refused = [&](Code code, std::string why = {}) {
    out.code = code;
    if (!why.empty()) out.message = std::move(why);
    return out;
  };
  Partition* partition = store_.find(topic, in.index);
  if (partition == nullptr) return refused(Code::kUnknownTopicOrPartition);
  const std::string_view records = in.records.value_or(std::string_view());
  log::KafkaBatchHeader header;
  switch (log::parse_kafka_header(records, header)) {
    case log::KafkaBatchProblem::kNone: break;
    case log::KafkaBatchProblem::kUnsupportedMagic: return refused(Code::kUnsupportedForMessageFormat, "only record batches of format v2 are taken");
    case log::KafkaBatchProblem::kUnsupportedCodec: return refused(Code::kUnsupportedCompressionType);
    case log::KafkaBatchProblem::kInvalidRecord: return refused(Code::kInvalidRecord);
    case log::KafkaBatchProblem::kCorrupt: return refused(Code::kCorruptMessage);
  }
  if (header.bytes() != records.size()) return refused(Code::kInvalidRecord, "a partition takes one record batch a request");
  if (header.transactional()) {
    if (!request.transactional_id) return refused(Code::kInvalidRecord, "a transactional batch without a transactional id");
    const Code code = transactions_->check_produce(*request.transactional_id, header.producer_id, header.producer_epoch, {topic, in.index});
    if (code != Code::kNone) return refused(code);
  }
  auto writer = partition->writer();
  if (!writer) return refused(broker::code_of(writer.error()), writer.error().message);
  auto appended = (*writer)->append_kafka(records, kLeaderEpoch);
  if (!appended) {
    log(fmt::format("{}-{}: {}", topic, in.index, appended.error().to_string()));
    return refused(broker::code_of(appended.error()), appended.error().message);
  }
  if (!appended->accepted()) return refused(code_of(appended->outcome), appended->why);
  if (appended->outcome == log::KafkaOutcome::kAppended) {
    store_.note_appended(*partition, records.size());
    counts_.records_in += static_cast<std::uint64_t>(header.record_count);
    counts_.bytes_in += records.size();
    metrics_.produced(topic, static_cast<std::uint64_t>(header.record_count), records.size());
  }
  out.base_offset = appended->base.value;
  out.append_ms = appended->log_append_time_ms;
  out.log_start = (*writer)->log_start().value;
  return out;
}

void Broker::fetch(const RequestContext& from, FetchRequest& request) {
  if (request.session != 0 || request.session_epoch > 0) {   // sessions are never given
    FetchResponse response;
    response.code = Code::kFetchSessionIdNotFound;
    return answer(from, response);
  }
  WaitingFetch waiting{.from = from, .request = std::move(request)};
  waiting.request.forgotten.clear();
  waiting.deadline = env_.clock.monotonic_us() + std::max(0, waiting.request.max_wait_ms) * kMillisecond;
  if (!try_fetch(waiting, waiting.request.max_wait_ms <= 0)) waiting_.push_back(std::move(waiting));
}

Code Broker::fetch_partition(const FetchRequest& request, const std::string& topic, const FetchRequest::Partition& in, std::size_t room, bool first, FetchResponse::Partition& out) {
  Partition* partition = store_.find(topic, in.index);
  if (partition == nullptr) return Code::kUnknownTopicOrPartition;
  if (const Code code = check_epoch(in.leader_epoch); code != Code::kNone) return code;
  const auto ends = partition->ends();
  if (!ends) {
    log(fmt::format("{}-{}: {}", topic, in.index, ends.error().to_string()));
    return code_of(ends.error());
  }
  out.high_watermark = ends->high_watermark.value;
  out.last_stable = ends->last_stable.value;
  out.log_start = ends->log_start.value;
  const bool committed = isolation_of(request.isolation) == log::Isolation::kReadCommitted;
  if (in.offset < out.log_start || in.offset > out.high_watermark) return Code::kOffsetOutOfRange;
  if (committed) out.aborted.emplace();
  if (room == 0 || in.offset >= (committed ? out.last_stable : out.high_watermark)) return Code::kNone;
  const std::size_t wanted = static_cast<std::size_t>(std::max(0, in.max_bytes));
  const log::KafkaFetchOptions options{.isolation = isolation_of(request.isolation), .max_bytes = std::min(wanted, room), .at_least_one = first};
  auto fetched = partition->fetch(Offset(in.offset), options, out.records);
  if (!fetched) {
    if (fetched.error().code != ErrorCode::kOffsetOutOfRange) log(fmt::format("{}-{}: {}", topic, in.index, fetched.error().to_string()));
    out.records.clear();
    return code_of(fetched.error());
  }
  if (committed)
    for (const auto& a : fetched->aborted) out.aborted->push_back({a.producer_id, a.first_offset.value});
  return Code::kNone;
}

/// Answers when there is enough, something is wrong, or it is the `last` try. Else says what would be enough, and false.
bool Broker::try_fetch(WaitingFetch& waiting, bool last) {
  const FetchRequest& request = waiting.request;
  FetchResponse response;
  auto room = static_cast<std::size_t>(std::clamp<std::int64_t>(request.max_bytes, 0, config_.fetch_bytes_max));
  std::size_t bytes = 0;
  bool failed = false;
  waiting.foreign = false;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const FetchRequest::Partition& in : topic.partitions) {
      FetchResponse::Partition& p = out.partitions.emplace_back();
      p.index = in.index;
      p.code = fetch_partition(request, topic.name, in, room, bytes == 0, p);
      failed |= p.code != Code::kNone;
      bytes += p.records.size();
      room -= std::min(room, p.records.size());
      if (const Partition* held = store_.find(topic.name, in.index); held != nullptr && held->foreign()) waiting.foreign = true;
    }
  }
  const auto enough = static_cast<std::size_t>(std::max(request.min_bytes, 0));
  if (!last && !failed && bytes < enough) {
    waiting.wake_at = readable_bytes(request) + (enough - bytes);
    return false;
  }
  counts_.bytes_out += bytes;
  for (const auto& topic : response.topics)
    for (const FetchResponse::Partition& p : topic.partitions) metrics_.fetched(topic.name, p.records);
  answer(waiting.from, response);
  return true;
}

std::uint64_t Broker::readable_bytes(const FetchRequest& request) {
  std::uint64_t bytes = 0;
  for (const auto& topic : request.topics)
    for (const FetchRequest::Partition& in : topic.partitions)
      if (const Partition* p = store_.find(topic.name, in.index)) bytes += p->readable_bytes(isolation_of(request.isolation));
  return bytes;
}

void Broker::wake_fetches(TimeUs now) {
  for (std::size_t i = 0; i < waiting_.size();) {
    WaitingFetch& w = waiting_[i];
    const bool last = w.deadline <= now;
    if ((last || w.foreign || readable_bytes(w.request) >= w.wake_at) && try_fetch(w, last)) {
      if (i + 1 < waiting_.size()) w = std::move(waiting_.back());
      waiting_.pop_back();
    } else {
      ++i;
    }
  }
}

ListOffsetsResponse Broker::list_offsets(const RequestContext&, ListOffsetsRequest& request) {
  ListOffsetsResponse response;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const ListOffsetsRequest::Partition& in : topic.partitions) {
      ListOffsetsResponse::Partition& p = out.partitions.emplace_back();
      p.index = in.index;
      Partition* partition = store_.find(topic.name, in.index);
      p.code = partition == nullptr ? Code::kUnknownTopicOrPartition : check_epoch(in.leader_epoch);
      if (p.code == Code::kNone) list_offset(*partition, request, in, p);
    }
  }
  return response;
}

void Broker::list_offset(Partition& partition, const ListOffsetsRequest& request, const ListOffsetsRequest::Partition& in, ListOffsetsResponse::Partition& out) {
  constexpr std::int64_t kLatest = -1, kEarliest = -2, kMaxTimestamp = -3;
  const auto ends = partition.ends();
  if (!ends) {
    out.code = code_of(ends.error());
    return;
  }
  const log::Isolation isolation = isolation_of(request.isolation);
  std::int64_t time = in.timestamp;
  if (time == kLatest || time == kEarliest) {
    out.offset = time == kEarliest ? ends->log_start.value : (isolation == log::Isolation::kReadCommitted ? ends->last_stable : ends->high_watermark).value;
    out.leader_epoch = kLeaderEpoch;
    return;
  }
  if (time == kMaxTimestamp) {
    TimeUs largest = kTimeMin;
    if (const log::PartitionWriter* w = partition.open_writer())
      for (const log::SegmentInfo& s : w->segments()) largest = std::max(largest, s.max_timestamp_us);
    if (largest == kTimeMin) return;   // nothing there: offset -1
    time = largest / kMillisecond;
  } else if (time < 0) {
    out.code = Code::kInvalidRequest;
    return;
  }
  auto reader = partition.reader(Offset(-1));
  if (!reader) {
    out.code = code_of(reader.error());
    return;
  }
  const auto found = (*reader)->find_time(time, isolation);
  partition.used(*reader, Offset(-1));
  if (!found) {
    out.code = code_of(found.error());
  } else if (*found) {
    out.offset = (*found)->offset.value;
    out.timestamp = (*found)->timestamp_ms;
    out.leader_epoch = kLeaderEpoch;
  }
}

OffsetForLeaderEpochResponse Broker::offset_for_epoch(const RequestContext&, OffsetForLeaderEpochRequest& request) {
  OffsetForLeaderEpochResponse response;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const OffsetForLeaderEpochRequest::Partition& in : topic.partitions) {
      OffsetForLeaderEpochResponse::Partition& p = out.partitions.emplace_back();
      p.index = in.index;
      Partition* partition = store_.find(topic.name, in.index);
      p.code = partition == nullptr ? Code::kUnknownTopicOrPartition : check_epoch(in.current_leader_epoch);
      if (p.code != Code::kNone || in.leader_epoch != kLeaderEpoch) continue;
      const auto ends = partition->ends();
      if (!ends) {
        p.code = code_of(ends.error());
        continue;
      }
      p.leader_epoch = kLeaderEpoch;
      p.end_offset = ends->high_watermark.value;
    }
  }
  return response;
}

}  // namespace supyo::broker
