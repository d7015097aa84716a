#include <fmt/format.h>

#include "sql/syntax/diagnostic.h"
#include "sql/syntax/parser_impl.h"

namespace supyo::syntax {
namespace {

struct TypeWord {
  std::string_view word;
  TypeKeyword keyword;
  int parameters;  ///< how many numbers in parentheses it may take
};
constexpr TypeWord kTypeWords[] = {
    {"BOOLEAN", TypeKeyword::kBoolean, 0},     {"TINYINT", TypeKeyword::kTinyInt, 0},     {"SMALLINT", TypeKeyword::kSmallInt, 0},
    {"INT", TypeKeyword::kInt, 0},             {"INTEGER", TypeKeyword::kInt, 0},         {"BIGINT", TypeKeyword::kBigInt, 0},
    {"FLOAT", TypeKeyword::kFloat, 0},         {"REAL", TypeKeyword::kFloat, 0},          {"DOUBLE", TypeKeyword::kDouble, 0},
    {"DECIMAL", TypeKeyword::kDecimal, 2},     {"DEC", TypeKeyword::kDecimal, 2},         {"NUMERIC", TypeKeyword::kDecimal, 2},
    {"CHAR", TypeKeyword::kChar, 1},           {"CHARACTER", TypeKeyword::kChar, 1},      {"VARCHAR", TypeKeyword::kVarChar, 1},
    {"STRING", TypeKeyword::kString, 0},       {"BINARY", TypeKeyword::kBinary, 1},       {"VARBINARY", TypeKeyword::kVarBinary, 1},
    {"BYTES", TypeKeyword::kBytes, 0},         {"DATE", TypeKeyword::kDate, 0},           {"TIME", TypeKeyword::kTime, 1},
    {"TIMESTAMP", TypeKeyword::kTimestamp, 1}, {"TIMESTAMP_LTZ", TypeKeyword::kTimestampLtz, 1},
    {"INTERVAL", TypeKeyword::kIntervalDayTime, 0},
    {"ARRAY", TypeKeyword::kArray, 0},         {"MAP", TypeKeyword::kMap, 0},             {"MULTISET", TypeKeyword::kMultiset, 0},
    {"ROW", TypeKeyword::kRow, 0}};

struct UnitWord {
  std::string_view word;
  TimeUnit unit;
};
// Plurals are not standard, but people write them and Flink's own pages do too.
constexpr UnitWord kUnitWords[] = {
    {"YEAR", TimeUnit::kYear},           {"YEARS", TimeUnit::kYear},         {"QUARTER", TimeUnit::kQuarter},
    {"QUARTERS", TimeUnit::kQuarter},    {"MONTH", TimeUnit::kMonth},        {"MONTHS", TimeUnit::kMonth},
    {"WEEK", TimeUnit::kWeek},           {"WEEKS", TimeUnit::kWeek},         {"DAY", TimeUnit::kDay},
    {"DAYS", TimeUnit::kDay},            {"HOUR", TimeUnit::kHour},          {"HOURS", TimeUnit::kHour},
    {"MINUTE", TimeUnit::kMinute},       {"MINUTES", TimeUnit::kMinute},     {"SECOND", TimeUnit::kSecond},
    {"SECONDS", TimeUnit::kSecond},      {"MILLISECOND", TimeUnit::kMillisecond}, {"MICROSECOND", TimeUnit::kMicrosecond},
    {"NANOSECOND", TimeUnit::kNanosecond}, {"EPOCH", TimeUnit::kEpoch},      {"DOY", TimeUnit::kDoy},
    {"DOW", TimeUnit::kDow},             {"ISODOW", TimeUnit::kIsoDow},      {"ISOYEAR", TimeUnit::kIsoYear},
    {"DECADE", TimeUnit::kDecade},       {"CENTURY", TimeUnit::kCentury},    {"MILLENNIUM", TimeUnit::kMillennium}};

}  // namespace

std::optional<TimeUnit> Parser::try_time_unit() {
  if (!is_kind(TokenKind::kWord)) return std::nullopt;
  // SQL_TSI_DAY is DAY, as ODBC names it.
  std::string_view word = peek().text;
  if (constexpr std::string_view kOdbc = "SQL_TSI_"; word.size() > kOdbc.size() && equals_word(word.substr(0, kOdbc.size()), kOdbc)) word.remove_prefix(kOdbc.size());
  for (const UnitWord& entry : kUnitWords) {
    if (!equals_word(word, entry.word)) continue;
    take();
    return entry.unit;
  }
  return std::nullopt;
}

TimeUnit Parser::time_unit() {
  if (const std::optional<TimeUnit> unit = try_time_unit()) return *unit;
  std::string hint;
  if (is_kind(TokenKind::kWord)) {
    std::vector<std::string_view> words;
    for (const UnitWord& entry : kUnitWords) words.push_back(entry.word);
    if (const std::string_view meant = nearest_word(peek().text, words); !meant.empty()) hint = fmt::format("did you mean {}?", meant);
  }
  if (hint.empty()) {
    fail_expected("a time unit such as SECOND, MINUTE, HOUR or DAY");
  } else {
    fail_at(peek().span, ErrorCode::kSyntax, fmt::format("expected a time unit, but found {}", found()), std::move(hint));
  }
  return TimeUnit::kSecond;
}

/// The unit after TO: DAY TO SECOND, YEAR TO MONTH.
TimeUnit Parser::finer_unit(TimeUnit coarse) {
  const Span span = peek().span;
  const TimeUnit unit = time_unit();
  const bool years = coarse == TimeUnit::kYear && unit == TimeUnit::kMonth;
  const bool days = coarse >= TimeUnit::kDay && unit > coarse && unit <= TimeUnit::kSecond;
  if (!years && !days) fail_at(span, ErrorCode::kSyntax, "an interval goes from a larger unit TO a smaller one", "DAY TO SECOND, HOUR TO MINUTE, YEAR TO MONTH");
  return unit;
}

TypeName Parser::type() {
  const Level level(*this);
  const std::size_t start = here();
  TypeName result = simple_type();
  bool said = false;   // NULL or NOT NULL, of the type so far
  while (true) {
    if (!said && accept("NOT NULL")) {
      result.not_null = said = true;
    } else if (!said && !is_word("ON", 1) && accept("NULL")) {   // JSON_VALUE(.. RETURNING INTEGER NULL ON EMPTY)
      result.not_null = false;
      said = true;
    } else if (is_word("ARRAY") || is_word("MULTISET")) {
      TypeName outer;
      outer.keyword = is_word("ARRAY") ? TypeKeyword::kArray : TypeKeyword::kMultiset;
      take();
      outer.arguments.push_back(std::move(result));
      result = std::move(outer);
      said = false;
      grow();
    } else {
      break;
    }
    result.span = span_from(start);
  }
  return result;
}

TypeName Parser::simple_type() {
  const std::size_t start = here();
  TypeName result;
  const TypeWord* entry = nullptr;
  if (is_kind(TokenKind::kWord)) {
    for (const TypeWord& word : kTypeWords) {
      if (equals_word(peek().text, word.word)) entry = &word;
    }
  }
  if (entry == nullptr && is_word("VARIANT")) fail_unsupported("the type VARIANT", "declare STRING, and read the JSON in it with JSON_VALUE and JSON_QUERY");
  if (entry == nullptr) {
    std::vector<std::string_view> words;
    for (const TypeWord& word : kTypeWords) words.push_back(word.word);
    const std::string_view meant = is_kind(TokenKind::kWord) ? nearest_word(peek().text, words) : std::string_view{};
    fail_at(peek().span, ErrorCode::kSyntax, fmt::format("expected a data type, but found {}", found()),
            meant.empty() ? "types are BIGINT, STRING, DECIMAL(10, 2), TIMESTAMP(3), BOOLEAN and so on" : fmt::format("did you mean {}?", meant));
    return result;
  }
  take();
  result.keyword = entry->keyword;
  if (entry->keyword == TypeKeyword::kDouble) accept("PRECISION");
  if (entry->keyword == TypeKeyword::kChar && accept("VARYING")) result.keyword = TypeKeyword::kVarChar;
  if (entry->keyword == TypeKeyword::kIntervalDayTime) interval_type(result);
  if (entry->parameters > 0 && accept_symbol("(")) {
    result.precision = small_integer("a length or precision");
    if (entry->parameters > 1 && accept_symbol(",")) result.scale = small_integer("a scale");
    expect_symbol(")");
  }
  time_suffix(result);
  if (entry->keyword == TypeKeyword::kArray || entry->keyword == TypeKeyword::kMultiset) type_arguments(result, 1);
  if (entry->keyword == TypeKeyword::kMap) type_arguments(result, 2);
  if (entry->keyword == TypeKeyword::kRow) return row_type(start);
  result.span = span_from(start);
  return result;
}

void Parser::type_arguments(TypeName& type, std::size_t count) {
  expect_symbol("<");
  while (type.arguments.size() < count) {
    if (!type.arguments.empty()) expect_symbol(",");
    type.arguments.push_back(this->type());
  }
  expect_symbol(">");
}

void Parser::time_suffix(TypeName& type) {
  if (type.keyword != TypeKeyword::kTimestamp && type.keyword != TypeKeyword::kTime) return;
  if (accept("WITHOUT TIME ZONE")) return;
  if (type.keyword == TypeKeyword::kTimestamp && accept("WITH LOCAL TIME ZONE")) {
    type.keyword = TypeKeyword::kTimestampLtz;
  } else if (is_word("WITH") && is_word("TIME", 1) && is_word("ZONE", 2)) {
    fail_unsupported("WITH TIME ZONE", "Flink has no such type at run time either; use TIMESTAMP_LTZ(3)");
  }
}

void Parser::interval_type(TypeName& type) {
  const auto field_precision = [&] {
    if (!accept_symbol("(")) return;
    type.precision = small_integer("a precision");
    expect_symbol(")");
  };
  type.interval_from = time_unit();
  type.interval_to = type.interval_from;
  field_precision();
  if (accept("TO")) {
    type.interval_to = finer_unit(type.interval_from);
    if (is_symbol("(")) {
      const auto leading = type.precision;
      field_precision();
      type.scale = type.precision;
      type.precision = leading;
    }
  }
  const bool months = type.interval_from == TimeUnit::kYear || type.interval_from == TimeUnit::kQuarter || type.interval_from == TimeUnit::kMonth;
  type.keyword = months ? TypeKeyword::kIntervalYearMonth : TypeKeyword::kIntervalDayTime;
}

TypeName Parser::row_type(std::size_t start) {
  TypeName result;
  result.keyword = TypeKeyword::kRow;
  const bool angle = is_symbol("<");
  if (!angle && !is_symbol("(")) fail_expected("'<' and the fields of the row");
  take();
  const std::string_view closing = angle ? ">" : ")";
  while (!is_symbol(closing) && !at_end()) {
    TypeField field;
    field.name = word_as_identifier("a field name");
    accept_symbol(":");
    field.type = type();
    if (is_kind(TokenKind::kString)) field.comment = unquote(take());
    result.fields.push_back(std::move(field));
    if (!accept_symbol(",")) break;
  }
  expect_symbol(closing);
  result.span = span_from(start);
  return result;
}

}  // namespace supyo::syntax
