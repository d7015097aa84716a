#pragma once
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "data/types/builder.h"

/// The headers of a record as a column: MAP<STRING, BYTES>. Of several with one name the last one is there, as in Flink.
namespace supyo::connect {

Type headers_type();
/// `wire`: as Kafka has them in a record (data/log/kafka_batch.h); empty: none.
void append_headers(std::string_view wire, ColumnBuilder& out);
/// What goes into a record; empty for a null and for an empty map. Errors: kNullInNotNull (a name that is null).
Result<std::string> wire_headers(const Column& headers, std::size_t row);

}  // namespace supyo::connect
