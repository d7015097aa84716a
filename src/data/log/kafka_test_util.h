#pragma once
// For this room's tests: Kafka batches in a line, and what a Kafka consumer makes of a fetch answer.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/check.h"
#include "data/log/kafka_reader.h"

namespace supyo::log::testing_util {

struct Rec {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::int64_t timestamp_ms = 1'700'000'000'000;
  std::string headers = {};
};
struct Producer {
  std::int64_t id = -1;
  std::int16_t epoch = -1;
  std::int32_t sequence = -1;
  bool transactional = false;
};

inline std::string make_batch(const std::vector<Rec>& records, Producer p = {}, KafkaCompression codec = KafkaCompression::kNone) {
  KafkaBatchBuilder b;
  b.begin({.attributes = static_cast<std::int16_t>(static_cast<int>(codec) | (p.transactional ? KafkaBatchHeader::kTransactional : 0)),
           .base_timestamp_ms = records[0].timestamp_ms,
           .max_timestamp_ms = records[0].timestamp_ms,
           .producer_id = p.id,
           .producer_epoch = p.epoch,
           .base_sequence = p.sequence});
  std::int32_t delta = 0;
  for (const Rec& r : records) b.add(delta++, r.timestamp_ms, r.key, r.value, r.headers);
  std::string out;
  SUPYO_CHECK(b.finish(out).has_value());
  return out;
}

struct Seen {
  std::int64_t offset = 0;
  std::string key;     ///< "-" for none
  std::string value;   ///< "-" for none
  std::int64_t timestamp_ms = 0;
  auto operator<=>(const Seen&) const = default;
};

/// The records of a fetch answer as a Java consumer delivers them: from `from` on, without control records and those of aborted transactions.
inline std::vector<Seen> consume(std::string_view bytes, Offset from, const std::vector<AbortedTransaction>& aborted) {
  std::vector<Seen> all;
  std::set<std::int64_t> aborting;
  std::size_t next_aborted = 0;
  while (!bytes.empty()) {
    KafkaBatchHeader h;
    SUPYO_CHECK(check_kafka_batch(bytes, h) == KafkaBatchProblem::kNone);
    const std::string_view batch = bytes.substr(0, h.bytes());
    bytes.remove_prefix(h.bytes());
    for (; next_aborted < aborted.size() && aborted[next_aborted].first_offset.value <= h.last_offset(); ++next_aborted) aborting.insert(aborted[next_aborted].producer_id);
    if (h.control()) {
      if (const auto marker = parse_kafka_marker(batch, h); marker && !marker->commit) aborting.erase(h.producer_id);
      continue;
    }
    if (h.transactional() && aborting.contains(h.producer_id)) continue;
    std::string scratch;
    auto records = KafkaRecords::open(batch, h, scratch).value();
    KafkaRecord r;
    while (records.next(r).value())
      if (h.base_offset + r.offset_delta >= from.value)
        all.push_back({h.base_offset + r.offset_delta, std::string(r.key.value_or("-")), std::string(r.value.value_or("-")), r.timestamp_ms});
  }
  return all;
}

/// Everything from `from` on, in answers of at most `max_bytes`.
inline std::vector<Seen> fetch_all(KafkaReader& reader, Offset from, Isolation isolation, std::size_t max_bytes = 1 << 20) {
  std::vector<Seen> all;
  while (true) {
    std::string bytes;
    const auto fetched = reader.fetch(from, {.isolation = isolation, .max_bytes = max_bytes}, bytes).value();
    for (Seen& s : consume(bytes, from, fetched.aborted)) all.push_back(std::move(s));
    if (fetched.next == from) return all;
    from = fetched.next;
  }
}

/// The same through the reader of rows.
inline std::vector<Seen> read_rows(env::Files& files, const Topic& topic, Isolation isolation, Offset from = Offset(-1)) {
  auto reader = PartitionReader::open(files, topic, PartitionId(0), {.isolation = isolation}).value();
  if (from.value >= 0) SUPYO_CHECK(reader.seek(from).has_value());
  std::vector<Seen> all;
  while (const FrameView* f = reader.next().value())
    for (std::size_t i = f->first(); i < f->count(); ++i)
      all.push_back({f->offset(i).value, std::string(f->key(i).value_or("-")), f->value_is_null(i) ? "-" : std::string(f->value(i)), f->timestamps()[i] / kMillisecond});
  return all;
}

}  // namespace supyo::log::testing_util
