#include <fmt/format.h>

#include <algorithm>

#include "serve/broker/broker.h"

/// Producers and transactions: the requests, and the markers that end a transaction. Decisions are transactions.h.
namespace supyo::broker {
namespace {

/// Clients that do not know PRODUCER_FENCED get the older code.
Code fenced_for(Code code, const RequestContext& from, std::int16_t knows_since) {
  return code == Code::kProducerFenced && from.version < knows_since ? Code::kInvalidProducerEpoch : code;
}

}  // namespace

/// The journal could not be written: nothing can be promised any more.
Code Broker::final_or(Result<Code> code) {
  if (code) return *code;
  fail_final(std::move(code).error());
  return Code::kUnknownServerError;
}

InitProducerIdResponse Broker::init_producer(const RequestContext& from, InitProducerIdRequest& request) {
  InitProducerIdResponse response;
  auto producer = request.transactional_id ? transactions_->init(*request.transactional_id, request.timeout_ms, request.producer, request.epoch) : transactions_->init_idempotent();
  if (!producer) {
    fail_final(std::move(producer).error());
    response.code = Code::kUnknownServerError;
    return response;
  }
  response.code = fenced_for(producer->code, from, 4);
  response.producer = producer->id;
  response.epoch = producer->epoch;
  return response;
}

AddPartitionsToTxnResponse Broker::add_partitions(const RequestContext& from, AddPartitionsToTxnRequest& request) {
  AddPartitionsToTxnResponse response;
  std::vector<TopicPartition> partitions;
  bool missing = false;
  for (const auto& topic : request.topics)
    for (const std::int32_t p : topic.partitions) {
      partitions.emplace_back(topic.name, p);
      missing |= store_.find(topic.name, p) == nullptr;
    }
  Code code = Code::kOperationNotAttempted;
  if (!missing) code = fenced_for(final_or(transactions_->add_partitions(request.transactional_id, request.producer, request.epoch, partitions)), from, 2);
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const std::int32_t p : topic.partitions) out.partitions.push_back({p, missing && store_.find(topic.name, p) == nullptr ? Code::kUnknownTopicOrPartition : code});
  }
  return response;
}

CodeResponse Broker::add_offsets(const RequestContext& from, AddOffsetsToTxnRequest& request) {
  if (request.group.empty()) return {.code = Code::kInvalidGroupId};
  return {.code = fenced_for(final_or(transactions_->add_group(request.transactional_id, request.producer, request.epoch, request.group)), from, 2)};
}

TxnOffsetCommitResponse Broker::commit_transaction_offsets(const RequestContext&, TxnOffsetCommitRequest& request) {
  TxnOffsetCommitResponse response;
  Code code = Code::kNone;
  Group* g = find_group(request.group);
  const bool by_member = request.generation >= 0 || !request.member.empty();
  if (by_member) code = g == nullptr ? Code::kUnknownMemberId : g->may_commit(request.generation, request.member, request.instance, env_.clock.monotonic_us());
  const TimeUs now = env_.clock.now_us();
  log::GroupCommits commits;
  for (const auto& topic : request.topics)
    for (const TxnOffsetCommitRequest::Partition& p : topic.partitions) {
      if (p.metadata && static_cast<std::int64_t>(p.metadata->size()) > config_.offset_metadata_bytes_max) code = Code::kOffsetMetadataTooLarge;
      commits[{topic.name, PartitionId(p.index)}] = {Offset(p.offset), p.leader_epoch, p.metadata.value_or(""), now};
    }
  if (code == Code::kNone) code = final_or(transactions_->add_offsets(request.transactional_id, request.producer, request.epoch, request.group, commits));
  if (code == Code::kProducerFenced) code = Code::kInvalidProducerEpoch;   // the group's side of the protocol knows no other
  if (code == Code::kConcurrentTransactions) code = Code::kInvalidTxnState;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& p : topic.partitions) out.partitions.push_back({p.index, code});
  }
  return response;
}

CodeResponse Broker::end_transaction(const RequestContext& from, EndTxnRequest& request) {
  return {.code = fenced_for(final_or(transactions_->end(request.transactional_id, request.producer, request.epoch, request.committed)), from, 2)};
}

Result<bool> Broker::complete(const TransactionEntry& decided) {
  const bool commit = decided.state == TransactionState::kPrepareCommit;
  bool done = true;
  for (const auto& [topic, index] : decided.partitions) {
    Partition* partition = store_.find(topic, index);
    if (partition == nullptr) continue;   // deleted meanwhile: nothing waits for a marker
    auto writer = partition->writer();
    if (!writer) {
      log(fmt::format("the end of transaction {} waits for {}-{}: {}", decided.id, topic, index, writer.error().message));
      done = false;
      continue;
    }
    // Asked again after a crash, or by another turn: a marker for a producer without an open transaction would only be noise.
    const auto known = (*writer)->producers().producers().find(decided.producer);
    if (known == (*writer)->producers().producers().end() || !known->second.transaction_begin) continue;
    SUPYO_ASSIGN(const log::KafkaAppend marker, (*writer)->end_transaction(decided.producer, decided.epoch, {.commit = commit, .coordinator_epoch = 0}));
    if (!marker.accepted()) return fail(ErrorCode::kInternal, fmt::format("the marker of transaction {} was refused by {}-{}: {}", decided.id, topic, index, marker.why));
    store_.note_appended(*partition, log::KafkaBatchHeader::kBytes);
  }
  if (!done || !commit) return done;
  for (const auto& [group, commits] : decided.groups) {
    if (commits.empty()) continue;
    const Status written = log::change_group(env_.files, store_.directory(), group, commits);
    if (!written && written.error().code == ErrorCode::kBadOptionValue) continue;   // no such group can be
    if (!written && written.error().code == ErrorCode::kStateLocked) return false;
    if (!written) return fail(written.error());
  }
  return true;
}

DescribeProducersResponse Broker::describe_producers(const RequestContext&, DescribeProducersRequest& request) {
  DescribeProducersResponse response;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const std::int32_t index : topic.partitions) {
      DescribeProducersResponse::Partition& p = out.partitions.emplace_back();
      p.index = index;
      Partition* partition = store_.find(topic.name, index);
      if (partition == nullptr) {
        p.code = Code::kUnknownTopicOrPartition;
        continue;
      }
      const auto writer = partition->writer();
      if (!writer) {
        p.code = code_of(writer.error());
        continue;
      }
      for (const auto& [id, e] : (*writer)->producers().producers()) {
        const std::int32_t last_sequence = e.batches.empty() ? -1 : e.batches.back().last_sequence;
        const std::int64_t last_timestamp = e.batches.empty() ? -1 : e.batches.back().timestamp_ms;
        p.producers.push_back({id, e.epoch, last_sequence, last_timestamp, e.coordinator_epoch, e.transaction_begin ? e.transaction_begin->value : -1});
      }
    }
  }
  return response;
}

DescribeTransactionsResponse Broker::describe_transactions(const RequestContext&, DescribeTransactionsRequest& request) {
  DescribeTransactionsResponse response;
  for (const std::string& id : request.ids) {
    DescribeTransactionsResponse::State& out = response.states.emplace_back();
    out.id = id;
    const auto it = transactions_->entries().find(id);
    if (it == transactions_->entries().end()) {
      out.code = Code::kTransactionalIdNotFound;
      continue;
    }
    const TransactionEntry& e = it->second;
    out.state = transaction_state_name(e.state);
    out.timeout_ms = e.timeout_ms;
    out.start_ms = e.state == TransactionState::kOngoing || e.is_decided() ? e.begin_us / kMillisecond : -1;
    out.producer = e.producer;
    out.epoch = e.epoch;
    for (const auto& [topic, partition] : e.partitions) {
      if (out.topics.empty() || out.topics.back().name != topic) out.topics.emplace_back().name = topic;
      out.topics.back().partitions.push_back(partition);
    }
  }
  return response;
}

ListTransactionsResponse Broker::list_transactions(const RequestContext&, ListTransactionsRequest& request) {
  ListTransactionsResponse response;
  const TimeUs now = env_.clock.now_us();
  for (const auto& [id, e] : transactions_->entries()) {
    const std::string state = transaction_state_name(e.state);
    if (!request.states.empty() && std::ranges::find(request.states, state) == request.states.end()) continue;
    if (!request.producers.empty() && std::ranges::find(request.producers, e.producer) == request.producers.end()) continue;
    if (request.duration_ms >= 0 && (e.state != TransactionState::kOngoing || now - e.begin_us < request.duration_ms * kMillisecond)) continue;
    response.states.push_back({id, e.producer, state});
  }
  return response;
}

}  // namespace supyo::broker
