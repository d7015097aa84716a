#pragma once
#include <cstdint>
#include <string>

#include "core/base/strong.h"

namespace supyo::workload {

/// The generators write millions of records, so nothing here goes through format strings.
void append_number(std::int64_t v, std::string& out);
/// `width` digits with leading zeros.
void append_digits(std::int64_t v, int width, std::string& out);
/// 2026-01-01 00:00:00.123, as format_timestamp(t, 3).
void append_time(TimeUs t, std::string& out);
/// The same as results have it in json: digits behind the second as far as they are not zero, as Flink writes them.
void append_result_time(TimeUs t, std::string& out);
/// ,"event_time":"..","ingest_time":".."}: how each domain's objects end.
void append_times(TimeUs event_us, TimeUs ingest_us, std::string& out);

}  // namespace supyo::workload
