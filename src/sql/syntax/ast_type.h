#pragma once
#include <optional>
#include <string>
#include <vector>

#include "sql/syntax/span.h"

namespace supyo::syntax {

/// Units of INTERVAL, EXTRACT, FLOOR/CEIL .. TO, TIMESTAMPADD and TIMESTAMPDIFF.
enum class TimeUnit {
  kYear, kQuarter, kMonth, kWeek, kDay, kHour, kMinute, kSecond, kMillisecond, kMicrosecond, kNanosecond,
  kEpoch, kDoy, kDow, kIsoDow, kIsoYear, kDecade, kCentury, kMillennium
};

/// The type words of the dialect, synonyms folded (INTEGER is kInt, NUMERIC and DEC are kDecimal,
/// `TIMESTAMP(p) WITH LOCAL TIME ZONE` is kTimestampLtz, `INT ARRAY` is kArray).
enum class TypeKeyword {
  kBoolean, kTinyInt, kSmallInt, kInt, kBigInt, kFloat, kDouble, kDecimal, kChar, kVarChar, kString, kBinary, kVarBinary,
  kBytes, kDate, kTime, kTimestamp, kTimestampLtz, kIntervalYearMonth, kIntervalDayTime, kArray, kMap, kMultiset, kRow
};

struct TypeField;

/// A type as written. Means nothing by itself: the binder checks bounds and turns it into a DataType.
struct TypeName {
  Span span;
  TypeKeyword keyword = TypeKeyword::kInt;
  std::optional<int> precision;      ///< of DECIMAL, TIME, TIMESTAMP; length of CHAR, VARCHAR, BINARY, VARBINARY
  std::optional<int> scale;          ///< of DECIMAL
  bool not_null = false;
  std::vector<TypeName> arguments;   ///< element of ARRAY and MULTISET; key and value of MAP
  std::vector<TypeField> fields;     ///< of ROW
  // kInterval*: INTERVAL from [TO to]
  TimeUnit interval_from = TimeUnit::kDay;
  TimeUnit interval_to = TimeUnit::kDay;  ///< equals interval_from without TO
  bool operator==(const TypeName&) const = default;
};

struct TypeField {
  Identifier name;
  TypeName type;
  std::string comment;
  bool operator==(const TypeField&) const = default;
};

}  // namespace supyo::syntax
