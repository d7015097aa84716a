#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "data/types/builder.h"
#include "data/types/type.h"
#include "data/types/value.h"

namespace supyo::formats {

/// One decoded value on its way into a column. Records are staged in cells so that a bad one leaves no trace in the batch.
struct Cell {
  bool null = true;
  std::int64_t integer = 0;     ///< integers, BOOLEAN, temporal types
  double number = 0;            ///< FLOAT, DOUBLE
  Int128 decimal = 0;           ///< DECIMAL, unscaled
  std::string_view text;        ///< text and bytes; must outlive the cell, or points at `owned`
  std::string owned;
  char date[10] = {};           ///< the date that was parsed last in this cell: neighbours in a stream mostly share it
  TimeUs date_us = 0;
};

enum class TimestampStyle : std::uint8_t { kSql, kIso8601 };

/// Reads `text` as a value of `type` into `cell`. Null on success, else the reason as a fixed text ("not a BIGINT").
const char* cell_from_text(std::string_view text, const Type& type, TimestampStyle style, Cell& cell);
/// Range check of an integer for the type; null on success.
const char* cell_from_integer(std::int64_t v, const Type& type, Cell& cell);
void append_cell(ColumnBuilder& out, const Cell& cell);
/// The bytes of a cell that is not null, as they lie inside a nested value (data/types/nested.h).
std::string cell_bytes(const Cell& cell, const Type& type);

/// Standard base64 (RFC 4648) with padding.
bool base64_decode(std::string_view text, std::string& out);
void base64_encode(std::string_view bytes, std::string& out);
/// Text of a temporal value in a record: SQL "2013-01-01 05:15:00" or ISO "2013-01-01T05:15:00.5", digits behind the second as far as they are not zero, 'Z' behind TIMESTAMP_LTZ.
void append_temporal(const Column& column, std::size_t row, TimestampStyle style, std::string& out);
/// Shortest text that reads back as the same number.
void append_double(double v, std::string& out);

}  // namespace supyo::formats
