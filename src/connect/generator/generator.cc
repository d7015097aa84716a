#include "connect/generator/generator.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "connect/generator/one_split_source.h"
#include "core/base/bytes.h"
#include "core/base/hash.h"
#include "data/types/builder.h"
#include "data/types/nested.h"
#include "data/types/value.h"

namespace supyo::connect {
namespace {

using dataflow::Poll;

constexpr std::string_view kHex = "0123456789abcdef";

// How one column's values are made from the row's number.
struct FieldPlan {
  std::string name;
  Type type;
  std::uint64_t salt = 0;        // one a column, so that columns do not move together
  bool sequence = false;
  std::int64_t start = 0;        // sequence; random: least value
  std::int64_t end = 0;          // sequence: last value; random: greatest
  double least = 0;
  double greatest = 0;
  int length = 100;              // text and bytes; elements of an ARRAY or MAP
  DurationUs max_past_us = 0;    // timestamps
  double null_rate = 0;
  std::vector<FieldPlan> children = {};   // element; key and value; fields
};

struct GeneratorConfig {
  std::string table;
  std::vector<FieldPlan> fields;
  std::optional<std::uint64_t> rows;     // absent: unbounded
  std::uint64_t rows_per_second = 10000;
  bool bounded() const { return rows.has_value(); }
};

void append_nested(const FieldPlan& f, std::uint64_t r, TimeUs now, ColumnBuilder& out);

/// The share of values that are null is by a number of its own.
bool is_null(const FieldPlan& f, std::uint64_t r) { return f.null_rate > 0 && static_cast<double>(hash_u64(r) >> 11) * 0x1p-53 < f.null_rate; }

void append_random(const FieldPlan& f, std::uint64_t r, TimeUs now, ColumnBuilder& out, std::string& scratch) {
  if (is_null(f, r)) return out.append_null();
  switch (f.type.id) {
    case TypeId::kArray:
    case TypeId::kMap:
    case TypeId::kRow: return append_nested(f, r, now, out);
    case TypeId::kBoolean:
      out.append(static_cast<std::uint8_t>(r & 1));
      return;
    case TypeId::kFloat:
    case TypeId::kDouble: {
      const double v = f.least + static_cast<double>(r >> 11) * 0x1p-53 * (f.greatest - f.least);
      if (f.type.id == TypeId::kFloat) out.append(static_cast<float>(v));
      else out.append(v);
      return;
    }
    case TypeId::kDecimal:
    case TypeId::kTinyInt:
    case TypeId::kSmallInt:
    case TypeId::kInteger:
    case TypeId::kBigInt: {
      const auto span = static_cast<std::uint64_t>(f.end) - static_cast<std::uint64_t>(f.start) + 1;  // 0 = all values
      const auto v = static_cast<std::int64_t>(static_cast<std::uint64_t>(f.start) + (span == 0 ? r : r % span));
      if (f.type.id == TypeId::kDecimal) out.append(static_cast<Int128>(v));
      else out.append_integer(v);
      return;
    }
    case TypeId::kString:
    case TypeId::kBytes: {
      scratch.clear();
      for (int i = 0; i < f.length; ++i) {
        if (i % 16 == 0) r = hash_u64(r + 1);
        scratch.push_back(kHex[r >> (4 * (i % 16)) & 15]);
      }
      out.append_text(scratch);
      return;
    }
    case TypeId::kDate:
      out.append(static_cast<std::int32_t>(now / kDay));
      return;
    case TypeId::kTime:
      out.append(now % kDay);
      return;
    default:  // timestamps, to the millisecond
      out.append((now - (f.max_past_us > 0 ? static_cast<TimeUs>(r % static_cast<std::uint64_t>(f.max_past_us)) : 0)) / kMillisecond * kMillisecond);
  }
}

/// `count` values, each by a number of its own.
ColumnPtr random_values(const FieldPlan& f, std::uint64_t r, std::size_t count, TimeUs now) {
  ColumnBuilder values(f.type, count);
  std::string scratch;
  for (std::size_t i = 0; i < count; ++i) append_random(f, hash_combine(hash_combine(r, f.salt), i), now, values, scratch);
  return values.finish();
}

nested::Items items_of(const Column& column) {
  nested::Items items;
  for (std::size_t i = 0; i < column.length(); ++i) items.push_back(nested::item_at(column, i));
  return items;
}

void append_nested(const FieldPlan& f, std::uint64_t r, TimeUs now, ColumnBuilder& out) {
  std::string bytes;
  std::vector<ColumnPtr> parts;   // what the items point into
  for (const FieldPlan& child : f.children) parts.push_back(random_values(child, r, f.type.id == TypeId::kRow ? 1 : static_cast<std::size_t>(f.length), now));
  if (f.type.id == TypeId::kRow) {
    nested::Items fields;
    for (const ColumnPtr& p : parts) fields.push_back(nested::item_at(*p, 0));
    nested::write_row(f.type, fields, bytes);
  } else if (f.type.id == TypeId::kArray) {
    nested::write_array(f.type.children()[0], items_of(*parts[0]), bytes);
  } else {
    nested::write_map(f.type.children()[0], f.type.children()[1], items_of(*parts[0]), items_of(*parts[1]), bytes);
  }
  out.append_text(bytes);
}

class GeneratorReader final : public dataflow::SourceReader {
 public:
  GeneratorReader(const GeneratorConfig& config, dataflow::Split split, const env::Env& env) : config_(config), split_(std::move(split)), env_(env) {
    std::vector<Field> fields;
    for (const FieldPlan& f : config_.fields) fields.push_back({f.name, f.type});
    builder_.emplace(Schema(std::move(fields)));
  }

  Status start() {
    if (split_.position.empty()) {
      seed_ = env_.random.next_u64();
    } else {
      ByteReader r(split_.position);
      seed_ = r.u64();
      next_ = r.u64();
      if (r.failed()) return fail(ErrorCode::kDamaged, "the position of generator '" + config_.table + "' is unreadable");
    }
    started_us_ = env_.clock.now_us();
    first_ = next_;
    return ok();
  }

  Result<Poll> poll(std::size_t budget, dataflow::SourceOutput& out) override {
    const TimeUs now = env_.clock.now_us();
    if (config_.rows && next_ >= *config_.rows) return Poll::done();
    // Row i is due at start + i / rate; the first at once.
    const auto elapsed = static_cast<std::uint64_t>(std::max<TimeUs>(0, now - started_us_));
    const std::uint64_t due = first_ + 1 + static_cast<std::uint64_t>(static_cast<unsigned __int128>(elapsed) * config_.rows_per_second / kSecond);
    std::uint64_t until = std::min<std::uint64_t>(due, next_ + std::min(budget, Batch::kMaxRows));
    if (config_.rows) until = std::min(until, *config_.rows);
    if (until <= next_) return Poll::waiting_until(due_us(next_));
    const std::uint64_t from = next_;
    for (; next_ < until; ++next_) {
      for (std::size_t c = 0; c < config_.fields.size(); ++c) append(config_.fields[c], next_, now, builder_->column(c));
      builder_->end_row();
    }
    SUPYO_TRY(out.emit({.split = 0, .batch = builder_->finish(), .produce_us = std::vector<TimeUs>(until - from, now)}));
    return config_.rows && next_ >= *config_.rows ? Poll::done() : Poll::more();
  }

  std::vector<dataflow::SplitPosition> positions() const override {
    std::string position;
    ByteWriter w(position);
    w.u64(seed_);
    w.u64(next_);
    return {{split_.id, position}};
  }

 private:
  TimeUs due_us(std::uint64_t row) const {
    const auto us = (static_cast<unsigned __int128>(row - first_) * kSecond + config_.rows_per_second - 1) / config_.rows_per_second;
    return started_us_ + static_cast<TimeUs>(us);
  }

  void append(const FieldPlan& f, std::uint64_t row, TimeUs now, ColumnBuilder& out) {
    const std::uint64_t r = hash_combine(hash_combine(seed_, f.salt), row);
    if (!f.sequence) return append_random(f, r, now, out, scratch_);
    if (is_null(f, r)) return out.append_null();
    const std::int64_t v = f.start + static_cast<std::int64_t>(row);
    if (f.type.id == TypeId::kString) out.append_text(std::to_string(v));
    else if (f.type.id == TypeId::kDecimal) out.append(static_cast<Int128>(v) * static_cast<Int128>(std::pow(10, f.type.scale)));
    else if (f.type.id == TypeId::kDouble) out.append(static_cast<double>(v));
    else if (f.type.id == TypeId::kFloat) out.append(static_cast<float>(v));
    else out.append_integer(v);
  }

  GeneratorConfig config_;
  dataflow::Split split_;
  env::Env env_;
  std::optional<BatchBuilder> builder_;
  std::string scratch_;
  std::uint64_t seed_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t first_ = 0;
  TimeUs started_us_ = 0;
};

std::pair<std::int64_t, std::int64_t> range_of(const Type& type) {
  switch (type.id) {
    case TypeId::kTinyInt: return {std::numeric_limits<std::int8_t>::min(), std::numeric_limits<std::int8_t>::max()};
    case TypeId::kSmallInt: return {std::numeric_limits<std::int16_t>::min(), std::numeric_limits<std::int16_t>::max()};
    case TypeId::kInteger: return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
    case TypeId::kDecimal: {
      std::int64_t most = 1;
      for (int i = 0; i < std::min(type.precision, 18); ++i) most *= 10;
      return {1 - most, most - 1};
    }
    default: return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  }
}

// The options of one column: fields.<name>.<what>.
class FieldOptions {
 public:
  FieldOptions(const catalog::Options& options, std::string column) : options_(options), prefix_("fields." + std::move(column) + ".") {}
  const std::string* find(std::string_view what) const {
    const auto it = options_.find(prefix_ + std::string(what));
    return it == options_.end() ? nullptr : &it->second;
  }
  template <class T>
  Status read(std::string_view what, T& into) const {
    const std::string* text = find(what);
    if (text == nullptr) return ok();
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), into);
    if (error != std::errc{} || end != text->data() + text->size()) return fail(ErrorCode::kBadOptionValue, fmt::format("'{}{}' = '{}' is not a number", prefix_, what, *text), "write digits: '10'");
    return ok();
  }
  Status read_duration(std::string_view what, DurationUs& into) const {
    const std::string* text = find(what);
    if (text == nullptr) return ok();
    SUPYO_ASSIGN(into, parse_duration(*text));
    return ok();
  }
  const std::string& prefix() const { return prefix_; }

 private:
  const catalog::Options& options_;
  std::string prefix_;
};

Result<FieldPlan> plan_field(const Field& field, const catalog::Options& options, std::size_t index, std::optional<std::uint64_t>& rows, std::set<std::string>& known);

/// What is in a nested value has options of its own: fields.NAME.element.min, .key.length, .value.max, and by a ROW's field.
Result<FieldPlan> plan_nested(const Field& field, const catalog::Options& options, std::size_t index, std::set<std::string>& known) {
  const Type& type = field.type;
  const FieldOptions o(options, field.name);
  FieldPlan f{.name = field.name, .type = type, .salt = hash_u64(index + 1), .length = 3};
  if (o.find("kind") != nullptr && *o.find("kind") != "random") return fail(ErrorCode::kBadOptionValue, fmt::format("'{}kind': a {} is random", o.prefix(), type.to_string()), "random");
  SUPYO_TRY(o.read("length", f.length));
  SUPYO_TRY(o.read("null-rate", f.null_rate));
  if (f.length < 0 || f.length > 4096) return fail(ErrorCode::kBadOptionValue, fmt::format("'{}length' must be 0 to 4096", o.prefix()));
  for (std::size_t i = 0; i < type.children().size(); ++i) {
    const std::string part = type.id == TypeId::kRow ? type.field_names()[i] : type.id == TypeId::kArray ? "element" : i == 0 ? "key" : "value";
    const Field child(field.name + "." + part, type.children()[i]);
    std::optional<std::uint64_t> no_end;
    SUPYO_ASSIGN(FieldPlan plan, plan_field(child, options, i, no_end, known));
    if (plan.sequence) return fail(ErrorCode::kUnsupported, fmt::format("'fields.{}.kind' = 'sequence' inside an ARRAY, MAP or ROW is not supported", child.name), "random");
    f.children.push_back(std::move(plan));
  }
  return f;
}

Result<FieldPlan> plan_field(const Field& field, const catalog::Options& options, std::size_t index, std::optional<std::uint64_t>& rows, std::set<std::string>& known) {
  known.insert(field.name);
  if (field.type.id == TypeId::kArray || field.type.id == TypeId::kMap || field.type.id == TypeId::kRow) return plan_nested(field, options, index, known);
  if (field.type.id >= TypeId::kIntervalMonth || field.type.id == TypeId::kNull)
    return fail(ErrorCode::kUnsupported, fmt::format("datagen cannot make column '{}' of type {}", field.name, field.type.to_string()));
  const FieldOptions o(options, field.name);
  FieldPlan f;
  f.name = field.name;
  f.type = field.type;
  f.salt = hash_u64(index + 1);
  if (const std::string* kind = o.find("kind")) {
    if (*kind != "random" && *kind != "sequence") return fail(ErrorCode::kBadOptionValue, fmt::format("'{}kind' = '{}' is neither random nor sequence", o.prefix(), *kind), "random, sequence");
    f.sequence = *kind == "sequence";
  }
  std::tie(f.start, f.end) = range_of(f.type);
  f.least = -1e9;
  f.greatest = 1e9;
  if (f.sequence) {
    f.start = 0;
    if (o.find("start") == nullptr || o.find("end") == nullptr) return fail(ErrorCode::kMissingOption, fmt::format("a sequence needs '{}start' and '{}end'", o.prefix(), o.prefix()), "give both, or leave 'kind' out for random values");
    SUPYO_TRY(o.read("start", f.start));
    SUPYO_TRY(o.read("end", f.end));
    if (f.type.is_timestamp() || f.type.id == TypeId::kBoolean || f.end < f.start)
      return fail(ErrorCode::kBadOptionValue, fmt::format("column '{}' cannot be a sequence from {} to {}", field.name, f.start, f.end), "a sequence counts up, in a column of numbers or text");
    const auto count = static_cast<std::uint64_t>(f.end - f.start) + 1;  // the source ends with its shortest sequence, as Flink's
    rows = rows ? std::min(*rows, count) : count;
  } else if (f.type.is_floating()) {
    SUPYO_TRY(o.read("min", f.least));
    SUPYO_TRY(o.read("max", f.greatest));
  } else if (f.type.id == TypeId::kDecimal) {   // in the column's own units: 1 to 500 of a DECIMAL(10, 2) is 1.00 to 500.00
    const double unit = std::pow(10, f.type.scale), lowest = static_cast<double>(f.start), highest = static_cast<double>(f.end);
    double least = lowest / unit, greatest = highest / unit;
    SUPYO_TRY(o.read("min", least));
    SUPYO_TRY(o.read("max", greatest));
    if (!(least <= greatest) || std::round(least * unit) < lowest || std::round(greatest * unit) > highest)
      return fail(ErrorCode::kBadOptionValue, fmt::format("'{}min' to '{}max' is not a range of {}", o.prefix(), o.prefix(), f.type.to_string()), "min is at most max, and both are values of the type");
    if (o.find("min") != nullptr) f.start = std::llround(least * unit);
    if (o.find("max") != nullptr) f.end = std::llround(greatest * unit);
  } else {
    SUPYO_TRY(o.read("min", f.start));
    SUPYO_TRY(o.read("max", f.end));
    const auto [least, greatest] = range_of(f.type);
    if (f.start < least || f.end > greatest || f.end < f.start) return fail(ErrorCode::kBadOptionValue, fmt::format("'{}min' to '{}max' is not a range of {}", o.prefix(), o.prefix(), f.type.to_string()), "min is at most max, and both are values of the type");
  }
  if (f.type.is_variable() && f.type.precision < 100) f.length = f.type.precision;
  SUPYO_TRY(o.read("length", f.length));
  SUPYO_TRY(o.read("null-rate", f.null_rate));
  SUPYO_TRY(o.read_duration("max-past", f.max_past_us));
  if (f.length < 0 || f.length > (1 << 20)) return fail(ErrorCode::kBadOptionValue, fmt::format("'{}length' must be 0 to 1048576", o.prefix()));
  return f;
}

}  // namespace

catalog::ConnectorDescriptor generator_descriptor() {
  using K = catalog::OptionSpec::Kind;
  catalog::ConnectorDescriptor d;
  d.name = "datagen";
  d.options = {
      {.key = "rows-per-second", .kind = K::kInteger, .default_value = "10000", .help = "rate"},
      {.key = "scan.parallelism", .kind = K::kInteger, .help = "accepted; the rows come from one place"},
      {.key = "number-of-rows", .kind = K::kInteger, .help = "total; without it the input is unbounded (unless a sequence ends it)"},
      {.key = "fields.*", .help = "fields.NAME.kind (random, sequence), .min, .max, .start, .end, .length (of an ARRAY or MAP: 3 unless given), .max-past, .null-rate; fields.NAME.element.min, .key.max, .value.min of what is in an ARRAY or MAP"},
  };
  d.source = true;
  d.rows = true;
  d.help = "random or sequential rows";
  return d;
}

Result<std::shared_ptr<dataflow::Source>> make_generator_source(const catalog::SourceRequest& request, const env::Env&) {
  GeneratorConfig c;
  const auto descriptor = generator_descriptor();
  const catalog::Options& options = request.table.options;
  c.table = request.table.path.name;
  const Schema schema = request.table.schema();
  const std::int64_t rate = catalog::option_integer(options, descriptor, "rows-per-second");
  if (rate < 1) return fail(ErrorCode::kBadOptionValue, "'rows-per-second' must be at least 1");
  c.rows_per_second = static_cast<std::uint64_t>(rate);
  if (options.contains("number-of-rows")) {
    const std::int64_t rows = catalog::option_integer(options, descriptor, "number-of-rows");
    if (rows < 0) return fail(ErrorCode::kBadOptionValue, "'number-of-rows' must not be negative");
    c.rows = static_cast<std::uint64_t>(rows);
  }
  std::vector<FieldPlan> all;
  std::set<std::string> known;   // columns, and what is in them
  for (std::size_t i = 0; i < schema.size(); ++i) {
    if (schema[i].type.id == TypeId::kRow) {   // the planner makes it of its fields
      all.emplace_back();
      continue;
    }
    SUPYO_ASSIGN(FieldPlan f, plan_field(schema[i], options, i, c.rows, known));
    all.push_back(std::move(f));
  }
  for (const auto& [key, value] : options) {
    if (!key.starts_with("fields.")) continue;
    const std::size_t dot = key.rfind('.');
    const std::string name = key.substr(7, dot > 7 ? dot - 7 : std::string::npos);
    static constexpr std::array kKnown = {"kind", "min", "max", "start", "end", "length", "max-past", "null-rate", "var-len"};
    if (!known.contains(name)) return fail(ErrorCode::kUnknownOption, fmt::format("'{}': table '{}' has no column '{}'", key, c.table, name), "fields.NAME.kind: NAME is a column of the table, or what is in one: NAME.element, NAME.key, NAME.value, NAME.FIELD");
    if (std::find(kKnown.begin(), kKnown.end(), key.substr(dot + 1)) == kKnown.end())
      return fail(ErrorCode::kUnknownOption, fmt::format("'{}' is no option of a datagen column", key), "kind, min, max, start, end, length, max-past, null-rate");
  }
  for (const std::size_t i : request.columns) c.fields.push_back(all[i]);
  return std::make_shared<OneSplitSource<GeneratorConfig, GeneratorReader>>(std::move(c));
}

}  // namespace supyo::connect
