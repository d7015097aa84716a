#include "connect/stream/keyed_records.h"

#include <algorithm>
#include <iterator>

namespace supyo::connect {

Result<KeyedRecords::Part> KeyedRecords::part(const formats::FormatOptions& format, const Schema& schema, const std::vector<std::size_t>& columns) {
  Schema decoded;
  for (const std::size_t c : columns) decoded.add(schema[c].name, schema[c].type);
  SUPYO_ASSIGN(auto decoder, formats::make_decoder(format, schema, columns));
  return Part{.decoder = std::move(decoder), .builder = BatchBuilder(decoded, Batch::kMaxRows)};
}

Result<KeyedRecords> KeyedRecords::make(const StreamSourceConfig& config) {
  KeyedRecords r(config);
  SUPYO_ASSIGN(Part value, part(config.format, config.value_schema, config.value_columns));
  r.value_.push_back(std::move(value));
  if (!config.key_columns.empty()) {
    SUPYO_ASSIGN(Part key, part(config.key_format, config.key_schema, config.key_columns));
    r.key_.push_back(std::move(key));
  }
  return r;
}

Result<KeyedRecords::Decoded> KeyedRecords::decode_part(Part& part, std::span<const formats::RecordView> views, std::span<const std::uint32_t> numbers, std::vector<formats::BadRecord>& bad) {
  Decoded out;
  std::vector<formats::BadRecord> own;
  SUPYO_TRY(part.decoder->decode(views, part.builder, &out.good, own));
  for (std::uint32_t& g : out.good) g = numbers[g];
  for (formats::BadRecord& b : own) {
    b.index = numbers[b.index];
    bad.push_back(std::move(b));
  }
  out.batch = part.builder.finish();
  return out;
}

KeyedRecords::Decoded KeyedRecords::only(const Decoded& from, const std::vector<std::uint32_t>& good) {
  if (from.good == good) return from;
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < from.good.size(); ++row)
    if (std::ranges::binary_search(good, from.good[row])) rows.push_back(row);
  return {.batch = rows.empty() ? nullptr : take(*from.batch, rows), .good = good};
}

Result<KeyedRecords::Rows> KeyedRecords::decode(std::span<const Record> records) {
  Rows out;
  const bool deletes = !records.empty() && !records.front().value;
  std::vector<std::uint32_t> numbers;
  std::vector<formats::RecordView> keys;
  views_.clear();
  for (std::uint32_t i = 0; i < records.size(); ++i) {
    if (config_->upsert && !records[i].key) {
      out.bad.push_back({.index = i, .field = {}, .reason = "the record has no key"});
      continue;
    }
    numbers.push_back(i);
    keys.emplace_back(records[i].key.value_or(std::string_view{}));
    views_.emplace_back(records[i].value.value_or(std::string_view{}));
  }
  Decoded value, key;
  if (!deletes) {
    SUPYO_ASSIGN(value, decode_part(value_.front(), views_, numbers, out.bad));
  }
  const bool with_key = !key_.empty() && (deletes || !config_->key_in_value);
  if (with_key) {
    SUPYO_ASSIGN(key, decode_part(key_.front(), keys, numbers, out.bad));
  }
  out.of = deletes ? key.good : value.good;
  if (with_key && !deletes) {
    out.of.clear();
    std::ranges::set_intersection(value.good, key.good, std::back_inserter(out.of));
    value = only(value, out.of);
    key = only(key, out.of);
  }
  std::ranges::sort(out.bad, {}, &formats::BadRecord::index);
  if (out.of.empty()) return out;
  out.batch = std::make_shared<Batch>();
  out.batch->rows = static_cast<std::uint32_t>(out.of.size());
  out.batch->columns.resize(config_->width);
  for (std::size_t c = 0; c < config_->value_columns.size(); ++c) {
    ColumnPtr& column = out.batch->columns[config_->value_positions[c]];
    if (!deletes) {
      column = value.batch->columns[c];
      continue;
    }
    ColumnBuilder nulls(config_->value_schema[config_->value_columns[c]].type.as_nullable(true), out.of.size());
    for (std::size_t row = 0; row < out.of.size(); ++row) nulls.append_null();
    column = nulls.finish();
  }
  if (with_key)
    for (std::size_t c = 0; c < config_->key_columns.size(); ++c) out.batch->columns[config_->key_positions[c]] = key.batch->columns[c];
  if (config_->upsert) out.batch->kinds.assign(out.of.size(), deletes ? RowKind::kDelete : RowKind::kUpdateAfter);
  return out;
}

}  // namespace supyo::connect
