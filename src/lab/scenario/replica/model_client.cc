#include "lab/scenario/replica/model_client.h"

#include <algorithm>
#include <cmath>

#include "core/base/check.h"

namespace supyo::scenario {
namespace {

constexpr DurationUs kWake = 50;                       // of the client's sending thread, when it need not linger
constexpr double kGiveUs = 1;                          // the application's, for a record
constexpr DurationUs kPoll = 20 * kMillisecond, kCommit = kSecond;
constexpr DurationUs kExpiryCheck = 100 * kMillisecond;

}  // namespace

ModelProducer::ModelProducer(EventLoop& loop, ReplicaCluster& cluster, const ModelProducerOptions& options) : loop_(loop), cluster_(cluster), o_(options), leader_(cluster.leader()) {
  SUPYO_CHECK(o_.batch_records > 0 && o_.in_flight > 0);
  if (o_.rate > 0) give();
  else take_records(o_.outstanding);
  expire();
}

/// What is due at the declared rate.
void ModelProducer::give() {
  if (finished_) return;
  const auto due = static_cast<std::int64_t>(static_cast<double>(loop_.now()) / 1e6 * o_.rate);
  take_records(due - sent());
  loop_.after(std::clamp<DurationUs>(o_.linger_us, kMillisecond, 10 * kMillisecond), [this] { give(); });
}

void ModelProducer::take_records(std::int64_t count) {
  if (count <= 0 || finished_) return;
  ledger_.resize(ledger_.size() + static_cast<std::size_t>(count), Outcome::kOpen);
  open_.push_back({loop_.now(), count});
  open_records_ += count;
  wake_at(loop_.now() + std::max(kWake, o_.linger_us));
  if (open_records_ >= o_.batch_records) pump();
}

void ModelProducer::wake_at(TimeUs t) {
  if (wake_us_ >= loop_.now() && wake_us_ <= t) return;
  wake_us_ = t;
  loop_.at(t, [this, t] {
    if (wake_us_ == t) wake_us_ = -1;
    pump();
  });
}

/// Sends what may go: what failed first, then what has lingered or fills a batch.
void ModelProducer::pump() {
  if (leader_ < 0 || loop_.now() - refreshed_us_ > o_.metadata_age_us) refresh();
  if (leader_ < 0) return;
  for (Batch& b : batches_) {
    if (in_flight_ >= o_.in_flight) return;
    if (b.in_flight) continue;
    if (b.not_before_us > loop_.now()) {
      wake_at(b.not_before_us);
      return;   // in their order
    }
    send(b);
  }
  while (in_flight_ < o_.in_flight) {
    auto b = next_batch();
    if (!b) return;
    batches_.push_back(*std::move(b));
    send(batches_.back());
  }
}

std::optional<ModelProducer::Batch> ModelProducer::next_batch() {
  if (open_.empty()) return std::nullopt;
  if (const TimeUs ready = open_.front().given_us + std::max(kWake, o_.linger_us); open_records_ < o_.batch_records && ready > loop_.now()) {
    wake_at(ready);
    return std::nullopt;
  }
  Batch b{.first_id = next_batch_id_};
  while (!open_.empty() && b.count < o_.batch_records) {
    Lump& l = open_.front();
    const std::int64_t n = std::min(l.count, o_.batch_records - b.count);
    b.lumps.push_back({l.given_us, n});
    b.count += n;
    l.count -= n;
    if (l.count == 0) open_.pop_front();
  }
  open_records_ -= b.count;
  next_batch_id_ += static_cast<std::uint64_t>(b.count);
  return b;
}

void ModelProducer::send(Batch& b) {
  ++requests_;
  ++b.attempt;
  const LogBatch log{.count = b.count, .first_id = b.first_id, .created_us = b.lumps.back().given_us};
  const std::uint64_t id = b.first_id, attempt = b.attempt;
  b.in_flight = true;
  b.sent_us = loop_.now();
  ++in_flight_;
  cluster_.produce(leader_, o_.acks == Acks::kAll, o_.acks == Acks::kAll, log, [this, id, attempt](ReplicaCluster::ProduceReply r) { answered(id, attempt, r); });
  loop_.after(o_.request_timeout_us, [this, id, attempt] { answered(id, attempt, {ProduceError::kTimedOut, true}); });
}

void ModelProducer::answered(std::uint64_t first_id, std::uint64_t attempt, ReplicaCluster::ProduceReply reply) {
  const auto b = std::ranges::lower_bound(batches_, first_id, {}, &Batch::first_id);
  if (b == batches_.end() || b->first_id != first_id || b->attempt != attempt || !b->in_flight) return;   // given up meanwhile
  b->in_flight = false;
  --in_flight_;
  if (reply.error == ProduceError::kNone) {
    conclude(b, Outcome::kAcknowledged);
  } else if (o_.acks == Acks::kNone) {   // it never asked: a connection that breaks is only a reason to look for the leader
    ++errors_[std::string(produce_error_name(reply.error))];
    conclude(b, Outcome::kAcknowledged);
    refresh();
  } else {
    ++errors_[std::string(produce_error_name(reply.error))];
    b->maybe_persisted = b->maybe_persisted || reply.maybe_persisted;
    b->not_before_us = loop_.now() + o_.backoff_us;
    wake_at(b->not_before_us);
    if (static_cast<std::int64_t>(b->attempt) > o_.retries) conclude(b, b->maybe_persisted ? Outcome::kUnknown : Outcome::kFailed);
    if (reply.error != ProduceError::kNotEnoughReplicas) refresh();
  }
  pump();
}

void ModelProducer::conclude(std::deque<Batch>::iterator b, Outcome outcome) {
  std::int64_t id = static_cast<std::int64_t>(b->first_id);
  for (const Lump& l : b->lumps) {
    if (outcome == Outcome::kAcknowledged) {
      const DurationUs took = (o_.acks == Acks::kNone ? b->sent_us : loop_.now()) - l.given_us;   // without acks, sent is done
      latencies_[took < 100 * kMillisecond ? took : took / kMillisecond * kMillisecond] += l.count;
      if (took <= kPrompt) prompt_ += l.count;
    }
    for (std::int64_t i = 0; i < l.count; ++i) ledger_[static_cast<std::size_t>(id++)] = outcome;
  }
  const std::int64_t count = b->count;
  if (outcome == Outcome::kAcknowledged) {
    acked_ += count;
    outage_us_ = std::max(outage_us_, loop_.now() - last_ack_us_);
    last_ack_us_ = loop_.now();
  } else {
    (outcome == Outcome::kFailed ? failed_ : unknown_) += count;
  }
  batches_.erase(b);
  if (o_.rate <= 0) loop_.after(static_cast<DurationUs>(kGiveUs * static_cast<double>(count)), [this, count] { take_records(count); });
}

/// What is too old gets its outcome: certainly not in the log, or not known.
void ModelProducer::expire() {
  loop_.after(kExpiryCheck, [this] { expire(); });
  while (!open_.empty() && loop_.now() - open_.front().given_us > o_.delivery_timeout_us) {
    Batch b{.first_id = next_batch_id_, .lumps = {open_.front()}, .count = open_.front().count};
    open_records_ -= b.count;
    next_batch_id_ += static_cast<std::uint64_t>(b.count);
    open_.pop_front();
    batches_.push_back(std::move(b));
    conclude(batches_.end() - 1, Outcome::kFailed);
  }
  for (std::size_t i = 0; i < batches_.size();) {
    Batch& b = batches_[i];
    if (loop_.now() - b.lumps.front().given_us <= o_.delivery_timeout_us) {
      ++i;
      continue;
    }
    if (b.in_flight) --in_flight_;
    ++errors_["_MSG_TIMED_OUT"];
    conclude(batches_.begin() + static_cast<std::ptrdiff_t>(i), b.in_flight || b.maybe_persisted ? Outcome::kUnknown : Outcome::kFailed);
  }
}

void ModelProducer::refresh() {
  if (refreshing_) return;
  refreshing_ = true;
  cluster_.metadata([this](ReplicaCluster::Metadata m) {
    refreshing_ = false;
    refreshed_us_ = loop_.now();
    leader_ = m.leader;
    if (leader_ >= 0) return pump();
    loop_.after(o_.backoff_us, [this] { refresh(); });
  });
}

std::optional<DurationUs> ModelProducer::latency(double quantile) const {
  std::int64_t total = 0, seen = 0;
  for (const auto& [us, n] : latencies_) total += n;
  if (total == 0) return std::nullopt;
  const auto rank = static_cast<std::int64_t>(std::ceil(quantile * static_cast<double>(total)));
  for (const auto& [us, n] : latencies_)
    if (seen += n; seen >= rank) return us;
  return std::nullopt;
}

ModelConsumer::ModelConsumer(EventLoop& loop, ReplicaCluster& cluster) : loop_(loop), cluster_(cluster) { poll(); }

void ModelConsumer::poll() {
  loop_.after(kPoll, [this] { poll(); });
  const int leader = cluster_.leader();
  if (leader >= 0 && cluster_.answers(leader)) {
    const auto& log = cluster_.log(leader);
    const std::int64_t hw = cluster_.high_watermark(leader);
    if (const auto mine = cluster_.epoch_end(leader, epoch_); position_ > 0 && (mine.epoch < epoch_ || mine.end < position_)) {
      ++truncations_;   // KIP-320
      position_ = mine.end;
      epoch_ = mine.epoch;
    }
    auto from = std::ranges::partition_point(log, [&](const LogBatch& b) { return b.base < position_; });
    for (; from != log.end() && from->end() <= hw; ++from) {
      read_.resize(std::max<std::size_t>(read_.size(), from->first_id + static_cast<std::uint64_t>(from->count)));
      for (std::int64_t i = 0; i < from->count; ++i) ++read_[from->first_id + static_cast<std::uint64_t>(i)];
      position_ = from->end();
      epoch_ = from->epoch;
      newest_us_ = std::max(newest_us_, from->created_us);
    }
  }
  if (loop_.now() - committed_us_ < kCommit) return;
  committed_us_ = loop_.now();
  committed_ = position_;
}

}  // namespace supyo::scenario
