#include "connect/kafka/record_decoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "connect/stream/record_headers.h"
#include "data/log/kafka_batch.h"

namespace supyo::connect::kafka {
namespace {

constexpr std::size_t kRawKept = 65536;

std::string_view value_of(const rd_kafka_message_t* m) { return {static_cast<const char*>(m->payload), m->len}; }
std::string_view key_of(const rd_kafka_message_t* m) { return {static_cast<const char*>(m->key), m->key_len}; }

/// Microseconds; `otherwise` for records of before timestamps were.
TimeUs timestamp_of(const rd_kafka_message_t* m, TimeUs otherwise) {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t ms = rd_kafka_message_timestamp(m, &type);
  return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0 ? otherwise : ms * kMillisecond;
}

std::string_view timestamp_type_of(const rd_kafka_message_t* m) {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  (void)rd_kafka_message_timestamp(m, &type);
  return type == RD_KAFKA_TIMESTAMP_CREATE_TIME ? "CreateTime" : type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? "LogAppendTime" : "NoTimestampType";
}

/// As on the wire.
std::string headers_of(const rd_kafka_message_t* m) {
  rd_kafka_headers_t* headers = nullptr;   // the message's
  if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  std::vector<log::KafkaRecordHeader> all;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
    all.push_back({.name = name, .value = value == nullptr ? std::nullopt : std::optional(std::string_view(static_cast<const char*>(value), size))});
  return log::encode_kafka_headers(all);
}

}  // namespace

Result<RecordDecoder::Part> RecordDecoder::make_part(const formats::FormatOptions& format, const Schema& schema, const std::vector<std::size_t>& columns) {
  Schema decoded;
  for (const std::size_t c : columns) decoded.add(schema[c].name, schema[c].type);
  SUPYO_ASSIGN(auto decoder, formats::make_decoder(format, schema, columns));
  return Part{.decoder = std::move(decoder), .builder = BatchBuilder(decoded, Batch::kMaxRows), .good = {}, .bad = {}, .batch = nullptr};
}

Result<RecordDecoder> RecordDecoder::make(const StreamSourceConfig& config) {
  RecordDecoder d(config);
  SUPYO_ASSIGN(Part value, make_part(config.format, config.value_schema, config.value_columns));
  d.value_.push_back(std::move(value));
  if (!config.key_columns.empty()) {
    SUPYO_ASSIGN(Part key, make_part(config.key_format, config.key_schema, config.key_columns));
    d.key_.push_back(std::move(key));
  }
  return d;
}

Status RecordDecoder::decode_part(Part& part, bool key, const Partition& from, std::span<const rd_kafka_message_t* const> records, dataflow::SourceOutput& out) {
  views_.clear();
  for (const auto* m : records) views_.push_back(key ? key_of(m) : value_of(m));
  part.good.clear();
  part.bad.clear();
  SUPYO_TRY(part.decoder->decode(views_, part.builder, &part.good, part.bad));
  for (const formats::BadRecord& b : part.bad) {
    const auto* m = records[b.index];
    SUPYO_TRY(out.dead({.split = from.index, .position = fmt::format("{}@{}", from.id, m->offset), .field = b.field, .reason = b.reason,
                        .raw = std::string(views_[b.index].substr(0, kRawKept)), .produce_us = timestamp_of(m, 0)}));
  }
  part.batch = part.builder.finish();
  return ok();
}

/// Only records whose key and value both decoded are rows.
void RecordDecoder::keep_common() {
  Part& value = value_.front();
  Part& key = key_.front();
  if (value.good == key.good) return;
  std::vector<std::uint32_t> both, in_value, in_key;
  std::ranges::set_intersection(value.good, key.good, std::back_inserter(both));
  const auto rows = [&](const std::vector<std::uint32_t>& good, std::vector<std::uint32_t>& selected) {
    for (std::uint32_t row = 0; row < good.size(); ++row)
      if (std::ranges::binary_search(both, good[row])) selected.push_back(row);
  };
  rows(value.good, in_value);
  rows(key.good, in_key);
  value.batch = both.empty() ? nullptr : take(*value.batch, in_value);
  key.batch = both.empty() ? nullptr : take(*key.batch, in_key);
  value.good = key.good = std::move(both);
}

Status RecordDecoder::decode(const Partition& from, std::span<const rd_kafka_message_t* const> records, TimeUs now_us, dataflow::SourceOutput& out) {
  // Runs of records with a value, and of those without one.
  for (std::size_t i = 0; i < records.size();) {
    const bool tombstones = records[i]->payload == nullptr;
    run_.clear();
    for (; i < records.size() && (records[i]->payload == nullptr) == tombstones && run_.size() < Batch::kMaxRows / formats::rows_of_record(config_.format); ++i) {
      if (tombstones && formats::is_changelog(config_.format.name)) continue;   // what stands behind a deleted row, for compaction
      if (config_.upsert && records[i]->key == nullptr) SUPYO_TRY(dead(from, *records[i], "the record has no key", now_us, out));
      else if (tombstones && !config_.upsert) SUPYO_TRY(dead(from, *records[i], "the record has no value (a tombstone)", now_us, out));
      else run_.push_back(records[i]);
    }
    if (!run_.empty()) SUPYO_TRY(tombstones ? decode_deletes(from, now_us, out) : decode_values(from, now_us, out));
  }
  return ok();
}

Status RecordDecoder::dead(const Partition& from, const rd_kafka_message_t& m, std::string reason, TimeUs now_us, dataflow::SourceOutput& out) {
  return out.dead({.split = from.index, .position = fmt::format("{}@{}", from.id, m.offset), .field = {}, .reason = std::move(reason), .raw = {}, .produce_us = timestamp_of(&m, now_us)});
}

Status RecordDecoder::decode_values(const Partition& from, TimeUs now_us, dataflow::SourceOutput& out) {
  Part& value = value_.front();
  SUPYO_TRY(decode_part(value, false, from, run_, out));
  const bool with_key = !key_.empty() && !config_.key_in_value;
  if (with_key) {
    SUPYO_TRY(decode_part(key_.front(), true, from, run_, out));
    keep_common();
  }
  if (value.batch == nullptr) return ok();
  if (config_.metadata.empty() && !with_key && !config_.upsert) return emit(std::move(value.batch), value.good, from, now_us, out);
  auto whole = std::make_shared<Batch>();
  whole->rows = value.batch->rows;
  whole->kinds = value.batch->kinds;
  whole->columns.resize(config_.width);
  for (std::size_t c = 0; c < value.batch->columns.size(); ++c) whole->columns[config_.value_positions[c]] = value.batch->columns[c];
  if (with_key)
    for (std::size_t c = 0; c < config_.key_columns.size(); ++c) whole->columns[config_.key_positions[c]] = key_.front().batch->columns[c];
  value.batch.reset();
  return add_metadata_and_emit(std::move(whole), RowKind::kUpdateAfter, value.good, from, now_us, out);
}

/// Rows that hold their key, and nulls.
Status RecordDecoder::decode_deletes(const Partition& from, TimeUs now_us, dataflow::SourceOutput& out) {
  Part& key = key_.front();
  SUPYO_TRY(decode_part(key, true, from, run_, out));
  if (key.batch == nullptr) return ok();
  auto whole = std::make_shared<Batch>();
  whole->rows = key.batch->rows;
  whole->columns.resize(config_.width);
  for (std::size_t c = 0; c < config_.value_columns.size(); ++c) {
    ColumnBuilder nulls(config_.value_schema[config_.value_columns[c]].type, whole->rows);
    for (std::size_t row = 0; row < whole->rows; ++row) nulls.append_null();
    whole->columns[config_.value_positions[c]] = nulls.finish();
  }
  for (std::size_t c = 0; c < config_.key_columns.size(); ++c) whole->columns[config_.key_positions[c]] = key.batch->columns[c];
  key.batch.reset();
  return add_metadata_and_emit(std::move(whole), RowKind::kDelete, key.good, from, now_us, out);
}

Status RecordDecoder::add_metadata_and_emit(std::shared_ptr<Batch> batch, RowKind kind, const std::vector<std::uint32_t>& good, const Partition& from, TimeUs now_us, dataflow::SourceOutput& out) {
  if (config_.upsert) batch->kinds.assign(batch->rows, kind);
  rows_.clear();
  for (const std::uint32_t record : good) rows_.push_back(run_[record]);
  for (const MetadataColumn& m : config_.metadata) batch->columns[m.position] = metadata_column(m, from, rows_);
  return emit(std::move(batch), good, from, now_us, out);
}

/// `good`: the record in run_ of each row.
Status RecordDecoder::emit(BatchPtr batch, const std::vector<std::uint32_t>& good, const Partition& from, TimeUs now_us, dataflow::SourceOutput& out) {
  auto offsets = std::make_shared<std::vector<std::int64_t>>();
  offsets->reserve(good.size());
  std::vector<TimeUs> produce;
  produce.reserve(good.size());
  for (const std::uint32_t record : good) {
    offsets->push_back(run_[record]->offset);
    produce.push_back(timestamp_of(run_[record], now_us));
  }
  dataflow::SourceBatch b{.split = from.index, .batch = std::move(batch), .produce_us = std::move(produce)};
  b.position_of = [id = from.id, offsets = std::move(offsets)](std::size_t row) { return fmt::format("{}@{}", id, (*offsets)[row]); };
  return out.emit(std::move(b));
}

ColumnPtr RecordDecoder::metadata_column(const MetadataColumn& c, const Partition& from, std::span<const rd_kafka_message_t* const> records) const {
  ColumnBuilder column(c.type, records.size());
  for (const auto* m : records) {
    switch (c.what) {
      case StreamMetadata::kTimestamp: column.append_integer(timestamp_of(m, 0)); break;
      case StreamMetadata::kPartition: column.append_integer(from.partition); break;
      case StreamMetadata::kOffset: column.append_integer(m->offset); break;
      case StreamMetadata::kTopic: column.append_text(from.topic); break;
      case StreamMetadata::kTimestampType: column.append_text(timestamp_type_of(m)); break;
      case StreamMetadata::kHeaders: append_headers(headers_of(m), column); break;
      case StreamMetadata::kLeaderEpoch: {
#if RD_KAFKA_VERSION >= 0x02010000
        const std::int32_t epoch = rd_kafka_message_leader_epoch(m);
#else
        const std::int32_t epoch = -1;   // this client cannot tell
#endif
        if (epoch < 0) column.append_null();
        else column.append_integer(epoch);
        break;
      }
    }
  }
  return column.finish();
}

}  // namespace supyo::connect::kafka
