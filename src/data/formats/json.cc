#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "core/base/check.h"
#include "data/formats/codecs.h"
#include "data/formats/json_fast.h"
#include "data/formats/nested_json.h"

namespace supyo::formats {
namespace {

namespace sj = simdjson;
constexpr int kSkip = -1;
constexpr std::size_t kPadding = std::max<std::size_t>(JsonFastPath::kReadPast, 64);   // simdjson's, and the fast path's

class JsonDecoder final : public Decoder {
 public:
  JsonDecoder(const JsonOptions& options, const Schema& schema, std::span<const std::size_t> columns)
      : options_(options), fields_(fields_of(schema, columns)), fast_(options, fields_), of_rows_(fields_) {
    levels_.emplace_back();
    for (std::size_t c = 0; c < fields_.size(); ++c)
      if (!of_rows_.has(c)) add(fields_[c], static_cast<int>(c));
    if (std::ranges::any_of(fields_, [](const Field& f) { return f.type.is_nested(); })) options_.fast_path = false;   // it reads plain values
    for (const Level& level : levels_) fast_.add_level(level.column_of, level.columns);
    cells_.resize(fields_.size());
    seen_.resize(fields_.size());
  }

  Status decode(std::span<const RecordView> records, BatchBuilder& out, std::vector<std::uint32_t>* good, std::vector<BadRecord>& bad) override {
    for (std::size_t i = 0; i < records.size(); ++i) {
      std::string_view record = records[i];
      if (!may_read_past(record)) {
        copy_.assign(record);
        copy_.resize(record.size() + kPadding);
        record = std::string_view(copy_.data(), record.size());
      }
      if (options_.fast_path && fast_.read(record, records[i].data())) {
        if (good != nullptr) good->push_back(static_cast<std::uint32_t>(i));
        if (fast_.full()) fast_.flush(out);
        continue;
      }
      reason_ = nullptr;
      field_ = {};
      if (parse(record)) {
        fast_.flush(out);
        if (of_rows_.any()) of_rows_.fill(cells_);
        for (std::size_t c = 0; c < cells_.size(); ++c) append_cell(out.column(c), cells_[c]);
        out.end_row();
        if (good != nullptr) good->push_back(static_cast<std::uint32_t>(i));
      } else if (!options_.ignore_parse_errors) {
        bad.push_back({i, std::string(field_), reason_});
      }
    }
    fast_.flush(out);
    return ok();
  }

 private:
  // simdjson reads up to kPadding bytes past a record. Within the page of its last byte that cannot fault; a record near the end of a
  // page is copied (and every record where the address sanitizer watches).
  static bool may_read_past(std::string_view record) {
#if __has_feature(address_sanitizer)
    (void)record;
    return false;
#else
    constexpr std::uintptr_t kPage = 4096;
    return !record.empty() && ((reinterpret_cast<std::uintptr_t>(record.data()) + record.size() - 1) & (kPage - 1)) + kPadding < kPage;
#endif
  }

  static std::vector<Field> fields_of(const Schema& schema, std::span<const std::size_t> columns) {
    std::vector<Field> fields;
    for (const std::size_t c : columns) fields.push_back(schema[c]);
    return fields;
  }

  bool refuse(const char* reason, std::string_view field = {}) {
    reason_ = reason;
    field_ = field;
    return false;
  }

  bool parse(std::string_view record) {
    if (record.find_first_not_of(" \t\r\n") == std::string_view::npos) return refuse("empty record");
    sj::ondemand::document doc;
    if (const auto e = parser_.iterate(record.data(), record.size(), record.size() + kPadding).get(doc)) return refuse(sj::error_message(e));
    sj::ondemand::object object;
    if (doc.get_object().get(object)) return refuse("not a JSON object");
    std::fill(seen_.begin(), seen_.end(), 0);
    if (!parse_fields(object, 0)) return false;
    if (doc.current_location().error() == sj::SUCCESS) return refuse("more than one JSON value in a record");
    for (std::size_t c = 0; c < cells_.size(); ++c) {
      if (seen_[c] != 0 || of_rows_.has(c)) continue;
      if (options_.fail_on_missing_field) return refuse("missing field", fields_[c].name);
      cells_[c].null = true;
    }
    return true;
  }

  bool parse_fields(sj::ondemand::object& object, std::size_t level) {
    std::size_t position = 0;
    for (auto f : object) {
      sj::ondemand::field field;
      if (const auto e = std::move(f).get(field)) return refuse(sj::error_message(e));
      const int column = column_at(levels_[level], position++, field);
      if (column == kSkip) continue;
      sj::ondemand::value value = field.value();
      if (column < kSkip) {
        if (!parse_row(value, level_of(column))) return false;
        continue;
      }
      const auto c = static_cast<std::size_t>(column);
      seen_[c] = 1;
      cells_[c].null = true;
      if (const char* why = read(value, fields_[c].type, cells_[c])) {
        if (!options_.ignore_parse_errors) return refuse(why, fields_[c].name);
        cells_[c].null = true;
      }
    }
    return true;
  }

  /// A ROW that is null has no fields, and none of them is missing.
  bool parse_row(sj::ondemand::value& value, std::size_t level) {
    sj::ondemand::json_type kind;
    if (value.type().get(kind)) return refuse("malformed value", levels_[level].name);
    sj::ondemand::object object;
    if (kind == sj::ondemand::json_type::object && value.get_object().get(object) == sj::SUCCESS) return parse_fields(object, level);
    if (kind == sj::ondemand::json_type::null ? value.is_null().error() != sj::SUCCESS : !options_.ignore_parse_errors) return refuse("not an object where a ROW is declared", levels_[level].name);
    for (const std::size_t c : levels_[level].columns) {
      seen_[c] = 1;
      cells_[c].null = true;
    }
    return true;
  }

  /// Names of one object, and what was seen of their order.
  struct Level {
    std::string name = {};
    std::unordered_map<std::string, int> column_of = {};   ///< a column; kSkip; below that the level of a ROW
    std::vector<JsonKey> order = {};
    std::vector<std::size_t> columns = {};                 ///< in it and below it
  };
  static std::size_t level_of(int target) { return static_cast<std::size_t>(kSkip - target); }

  void add(const Field& field, int column) {
    std::size_t level = 0, from = 0;
    for (std::size_t dot = field.nested ? field.name.find('.') : std::string::npos; dot != std::string::npos; dot = field.name.find('.', from)) {
      const auto [it, fresh] = levels_[level].column_of.emplace(field.name.substr(from, dot - from), kSkip - static_cast<int>(levels_.size()));
      level = level_of(it->second);
      if (fresh) levels_.push_back({.name = field.name.substr(0, dot)});
      levels_[level].columns.push_back(static_cast<std::size_t>(column));
      from = dot + 1;
    }
    levels_[level].column_of.emplace(field.name.substr(from), column);
  }

  // Producers write fields in the same order record after record: the key seen at this position last time is tried first.
  static int column_at(Level& level, std::size_t position, sj::ondemand::field& field) {
    const sj::ondemand::raw_json_string raw = field.key();
    if (position < level.order.size() && level.order[position].is(raw.raw())) return level.order[position].target;
    std::string_view key;
    if (field.unescaped_key().get(key)) return kSkip;
    const auto it = level.column_of.find(std::string(key));
    const int column = it == level.column_of.end() ? kSkip : it->second;
    if (position < 256 && key.size() < kPadding && key.find('\\') == std::string_view::npos && key.find('"') == std::string_view::npos) {
      if (position >= level.order.size()) level.order.resize(position + 1);
      level.order[position] = JsonKey(key, column);
    }
    return column;
  }

  const char* read(sj::ondemand::value& value, const Type& type, Cell& cell) {
    if (type.is_nested()) {
      cell.owned.clear();
      const char* why = nested_from_json(value, type, options_, [this](sj::ondemand::value& v, const Type& t, Cell& c) { return read(v, t, c); }, cell.owned, cell.null);
      cell.text = cell.owned;
      return why;
    }
    sj::ondemand::json_type kind;
    if (value.type().get(kind)) return "malformed value";
    switch (kind) {
      case sj::ondemand::json_type::null:
        if (value.is_null().error()) return "malformed value";
        return nullptr;
      case sj::ondemand::json_type::string: {
        std::string_view text;
        if (value.get_string().get(text)) return "malformed string";
        return cell_from_text(text, type, options_.timestamps, cell);
      }
      case sj::ondemand::json_type::number: return read_number(value, type, cell);
      case sj::ondemand::json_type::boolean: {
        bool b = false;
        if (value.get_bool().get(b)) return "malformed value";
        cell.null = false;
        cell.integer = b ? 1 : 0;
        if (type.id == TypeId::kString) cell.text = b ? "true" : "false";
        else if (type.id != TypeId::kBoolean) return "a boolean where another type is declared";
        return nullptr;
      }
      default: {
        if (type.id != TypeId::kString) return "an object or array where a plain value is declared";
        std::string_view raw;
        if (sj::to_json_string(value).get(raw)) return "malformed value";
        cell.owned.assign(raw);
        cell.text = cell.owned;
        cell.null = false;
        return nullptr;
      }
    }
  }

  const char* read_number(sj::ondemand::value& value, const Type& type, Cell& cell) {
    cell.null = false;
    if (type.is_integer()) {
      std::int64_t v = 0;
      if (value.get_int64().get(v) == sj::SUCCESS) return cell_from_integer(v, type, cell);
      return "not an integer";
    }
    if (type.is_floating()) return value.get_double().get(cell.number) ? "not a number" : nullptr;
    std::string_view token = value.raw_json_token();
    while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.remove_suffix(1);
    double checked = 0;
    if (value.get_double().get(checked)) return "not a number";
    if (type.id == TypeId::kDecimal || type.id == TypeId::kString) return cell_from_text(token, type, options_.timestamps, cell);
    return "a number where another type is declared";
  }

  JsonOptions options_;
  std::vector<Field> fields_;
  std::vector<Level> levels_;   ///< the record itself, then ROWs
  std::vector<Cell> cells_;
  std::vector<std::uint8_t> seen_;
  JsonFastPath fast_;
  FieldsOfRows of_rows_;
  sj::ondemand::parser parser_;
  std::string copy_;
  const char* reason_ = nullptr;
  std::string_view field_;
};

/// Without zeros at the end, and as Java writes a BigDecimal then: 1.2E-8, 1E+1.
std::string short_decimal(Int128 unscaled, int scale) {
  if (unscaled == 0) return "0";
  while (unscaled % 10 == 0) {
    unscaled /= 10;
    --scale;
  }
  std::string digits = format_decimal(unscaled, 0);
  const bool negative = digits.front() == '-';
  const int exponent = static_cast<int>(digits.size()) - (negative ? 2 : 1) - scale;
  if (scale >= 0 && exponent >= -6) return format_decimal(unscaled, scale);
  if (digits.size() > (negative ? 2U : 1U)) digits.insert(negative ? 2 : 1, ".");
  return fmt::format("{}E{:+}", digits, exponent);
}

class JsonEncoder final : public Encoder {
 public:
  JsonEncoder(const JsonOptions& options, const Schema& schema) : options_(options) {
    for (const Field& f : schema.fields()) {
      std::string key;
      append_json_string(f.name, key);
      keys_.push_back(key + ":");
    }
  }

  void encode(const Batch& batch, std::size_t row, std::string& out) override {
    SUPYO_CHECK_EQ(batch.columns.size(), keys_.size());
    out.push_back('{');
    bool first = true;
    for (std::size_t c = 0; c < keys_.size(); ++c) {
      const Column& column = *batch.columns[c];
      const bool null = column.is_null(row);
      if (null && options_.ignore_null_fields) continue;
      if (!first) out.push_back(',');
      first = false;
      out += keys_[c];
      if (null) out += "null";
      else append_value(column, row, out);
    }
    out.push_back('}');
  }
  Status status() const override {
    if (good_) return ok();
    return fail(ErrorCode::kNullInNotNull, "a MAP that is written as JSON has a NULL key", "'json.map-null-key.mode' = 'DROP' leaves it out, 'LITERAL' gives it a name; or leave it out in the query");
  }

 private:
  void append_value(const Column& column, std::size_t row, std::string& out) {
    const Type& type = column.type();
    switch (type.id) {
      case TypeId::kBoolean:
        out += column.value<std::uint8_t>(row) != 0 ? "true" : "false";
        break;
      case TypeId::kTinyInt:
      case TypeId::kSmallInt:
      case TypeId::kInteger:
      case TypeId::kBigInt: {
        const fmt::format_int text(column.integer(row));
        out.append(text.data(), text.size());
        break;
      }
      case TypeId::kFloat:
      case TypeId::kDouble: {
        const double v = type.id == TypeId::kFloat ? static_cast<double>(column.value<float>(row)) : column.value<double>(row);
        if (!std::isfinite(v)) append_json_string(std::isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity", out);
        else if (type.id == TypeId::kFloat) out += fmt::format("{}", column.value<float>(row));
        else append_double(v, out);
        break;
      }
      case TypeId::kDecimal:
        out += options_.decimal_as_plain_number ? format_decimal(column.value<Int128>(row), type.scale) : short_decimal(column.value<Int128>(row), type.scale);
        break;
      case TypeId::kString:
        append_json_string(column.text(row), out);
        break;
      case TypeId::kArray:
      case TypeId::kMap:
      case TypeId::kMultiset:
      case TypeId::kRow:
        good_ &= append_nested_json(type, nested::item_at(column, row), options_, [this](const Column& one, std::string& to) { append_value(one, 0, to); }, out);
        break;
      case TypeId::kBytes:
        out.push_back('"');
        base64_encode(column.text(row), out);
        out.push_back('"');
        break;
      default:
        out.push_back('"');
        append_temporal(column, row, options_.timestamps, out);
        out.push_back('"');
    }
  }

  JsonOptions options_;
  std::vector<std::string> keys_;
  bool good_ = true;
};

}  // namespace

std::unique_ptr<Decoder> make_json_decoder(const JsonOptions& options, const Schema& schema, std::span<const std::size_t> columns) {
  return std::make_unique<JsonDecoder>(options, schema, columns);
}
std::unique_ptr<Encoder> make_json_encoder(const JsonOptions& options, const Schema& schema) { return std::make_unique<JsonEncoder>(options, schema); }

}  // namespace supyo::formats
