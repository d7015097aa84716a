#include "connect/stream/record_headers.h"

#include "data/log/kafka_batch.h"
#include "data/types/nested.h"

namespace supyo::connect {

Type headers_type() { return Type::map(Type::string(), Type::bytes()); }

void append_headers(std::string_view wire, ColumnBuilder& out) {
  nested::Items names, values;
  for (const log::KafkaRecordHeader& h : log::decode_kafka_headers(wire)) {
    names.push_back({.null = false, .bytes = h.name});
    values.push_back({.null = !h.value, .bytes = h.value.value_or(std::string_view{})});
  }
  std::string map;
  nested::write_map(Type::string(), Type::bytes(), names, values, map);
  out.append_text(map);
}

Result<std::string> wire_headers(const Column& headers, std::size_t row) {
  if (headers.is_null(row)) return std::string();
  nested::Items names, values;
  nested::read_map(headers.type(), headers.text(row), names, values);
  std::vector<log::KafkaRecordHeader> all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].null) return fail(ErrorCode::kNullInNotNull, "a header of a record has no name", "leave out of the map what has a NULL key");
    all.push_back({.name = names[i].bytes, .value = values[i].null ? std::nullopt : std::optional(values[i].bytes)});
  }
  return all.empty() ? std::string() : log::encode_kafka_headers(all);
}

}  // namespace supyo::connect
