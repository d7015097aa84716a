#include "data/log/producer_state.h"

#include <limits>

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace supyo::log {
namespace {

bool follows(std::int32_t last, std::int32_t next) { return last == std::numeric_limits<std::int32_t>::max() ? next == 0 : next == last + 1; }

}  // namespace

ProducerStates::Checked ProducerStates::check(const KafkaBatchHeader& b) const {
  const auto found = producers_.find(b.producer_id);
  // A producer that is not known may begin anywhere: retention or expiry took what was known of it (KIP-360).
  if (found == producers_.end()) return {};
  const ProducerEntry& p = found->second;
  if (b.producer_epoch < p.epoch) return {.verdict = ProducerVerdict::kFencedEpoch, .duplicate = {}};
  if (b.producer_epoch == p.epoch)
    for (const ProducerBatch& known : p.batches)
      if (known.first_sequence == b.base_sequence && known.last_sequence == b.last_sequence()) return {.verdict = ProducerVerdict::kDuplicate, .duplicate = known};
  const std::int32_t last = b.producer_epoch == p.epoch && !p.batches.empty() ? p.batches.back().last_sequence : -1;
  if (!follows(last, b.base_sequence)) return {.verdict = ProducerVerdict::kOutOfOrderSequence, .duplicate = {}};
  if (p.transaction_begin && !b.transactional()) return {.verdict = ProducerVerdict::kInvalidTransaction, .duplicate = {}};
  return {};
}

ProducerVerdict ProducerStates::check_marker(std::int64_t producer_id, std::int16_t producer_epoch, std::int32_t coordinator_epoch) const {
  const auto found = producers_.find(producer_id);
  if (found == producers_.end()) return ProducerVerdict::kAccept;
  if (producer_epoch < found->second.epoch) return ProducerVerdict::kFencedEpoch;
  return coordinator_epoch < found->second.coordinator_epoch ? ProducerVerdict::kFencedCoordinator : ProducerVerdict::kAccept;
}

void ProducerStates::apply(const KafkaBatchHeader& b, std::optional<KafkaMarker> marker, TimeUs now_us) {
  if (!b.has_producer()) return;
  ProducerEntry& p = producers_[b.producer_id];
  if (b.producer_epoch != p.epoch) {
    p.epoch = b.producer_epoch;
    p.batches.clear();
  }
  p.last_seen_us = now_us;
  if (marker) {
    p.coordinator_epoch = marker->coordinator_epoch;
    if (p.transaction_begin) open_.erase(*p.transaction_begin);
    p.transaction_begin.reset();
    return;
  }
  if (b.control()) return;
  if (b.transactional() && !p.transaction_begin) {
    p.transaction_begin = Offset(b.base_offset);
    open_[*p.transaction_begin] = b.producer_id;
  }
  if (p.batches.size() == ProducerEntry::kBatches) p.batches.pop_front();
  p.batches.push_back({b.base_sequence, b.last_sequence(), Offset(b.base_offset), Offset(b.last_offset()), b.max_timestamp_ms});
}

std::optional<Offset> ProducerStates::first_open() const {
  if (open_.empty()) return std::nullopt;
  return open_.begin()->first;
}

std::size_t ProducerStates::expire(TimeUs before_us) {
  return std::erase_if(producers_, [&](const auto& p) { return p.second.last_seen_us < before_us && !p.second.transaction_begin; });
}

void ProducerStates::clear() {
  producers_.clear();
  open_.clear();
}

std::string ProducerStates::encode() const {
  std::string out;
  ByteWriter w(out);
  w.varint(producers_.size());
  for (const auto& [id, p] : producers_) {
    w.i64(id);
    w.u16(static_cast<std::uint16_t>(p.epoch));
    w.u32(static_cast<std::uint32_t>(p.coordinator_epoch));
    w.i64(p.last_seen_us);
    w.i64(p.transaction_begin ? p.transaction_begin->value : -1);
    w.u8(static_cast<std::uint8_t>(p.batches.size()));
    for (const ProducerBatch& b : p.batches) {
      w.u32(static_cast<std::uint32_t>(b.first_sequence));
      w.u32(static_cast<std::uint32_t>(b.last_sequence));
      w.i64(b.first.value);
      w.i64(b.last.value);
      w.i64(b.timestamp_ms);
    }
  }
  return out;
}

bool ProducerStates::decode(std::string_view bytes) {
  clear();
  ByteReader r(bytes);
  const std::uint64_t count = r.varint();
  for (std::uint64_t i = 0; i < count && !r.failed(); ++i) {
    const auto id = r.i64();
    ProducerEntry p;
    p.epoch = static_cast<std::int16_t>(r.u16());
    p.coordinator_epoch = static_cast<std::int32_t>(r.u32());
    p.last_seen_us = r.i64();
    if (const Offset begin(r.i64()); begin.value >= 0) {
      p.transaction_begin = begin;
      open_[begin] = id;
    }
    const std::uint8_t batches = r.u8();
    if (batches > ProducerEntry::kBatches) return false;
    for (std::uint8_t b = 0; b < batches && !r.failed(); ++b) {
      ProducerBatch& batch = p.batches.emplace_back();
      batch.first_sequence = static_cast<std::int32_t>(r.u32());
      batch.last_sequence = static_cast<std::int32_t>(r.u32());
      batch.first = Offset(r.i64());
      batch.last = Offset(r.i64());
      batch.timestamp_ms = r.i64();
    }
    producers_[id] = std::move(p);
  }
  return !r.failed() && r.done();
}

}  // namespace supyo::log
