#include "data/formats/format.h"

#include <algorithm>
#include <cctype>

#include "data/formats/avro_schema.h"
#include "data/formats/codecs.h"
#include "data/formats/columnar.h"
#include "data/formats/parquet.h"

namespace supyo::formats {
namespace {

constexpr std::string_view kDebezium = "debezium-json", kParquet = "parquet", kAvro = "avro", kAvroConfluent = "avro-confluent",
                           kDebeziumAvro = "debezium-avro-confluent";

const std::vector<FormatOptionSpec>& json_specs() {
  static const std::vector<FormatOptionSpec> specs = {
      {"timestamp-format.standard", "SQL", {"SQL", "ISO-8601"}, "SQL: 2013-01-01 05:15:00; ISO-8601: 2013-01-01T05:15:00"},
      {"fail-on-missing-field", "false", {"true", "false"}, "a record that lacks a column goes to the dead records instead of giving null"},
      {"ignore-parse-errors", "false", {"true", "false"}, "skip undecodable records and null undecodable fields without keeping them as dead records"},
      {"encode.ignore-null-fields", "false", {"true", "false"}, "leave null columns out when writing"},
      {"encode.decimal-as-plain-number", "true", {"true", "false"}, "false: DECIMALs are written as Flink writes them by default, without zeros at the end, and with an exponent where they are tiny or end in zeros before the point (1E+1)"},
      {"map-null-key.mode", "FAIL", {"FAIL", "DROP", "LITERAL"}, "a NULL key of a MAP that is written: fails the job, is left out, or is written as map-null-key.literal"},
      {"map-null-key.literal", "null", {}, "with map-null-key.mode = LITERAL"},
      {"decode.json-parser.enabled", "true", {"true", "false"}, "accepted; what is read is the same"},
  };
  return specs;
}

const std::vector<FormatOptionSpec>& debezium_specs() {
  static const std::vector<FormatOptionSpec> specs = [] {
    std::vector<FormatOptionSpec> all = {{"schema-include", "false", {"true", "false"}, "the records hold their schema, too: {\"schema\": .., \"payload\": ..}"}};
    for (const FormatOptionSpec& s : json_specs())
      if (s.key != "fail-on-missing-field") all.push_back(s);
    return all;
  }();
  return specs;
}

const std::vector<FormatOptionSpec>& csv_specs() {
  static const std::vector<FormatOptionSpec> specs = {
      {"field-delimiter", ",", {}, "one character between fields (\\t for a tab)"},
      {"quote-character", "\"", {}, "one character around fields that hold delimiters or line breaks"},
      {"disable-quote-character", "false", {"true", "false"}, "quotes are ordinary characters"},
      {"escape-character", "", {}, "one character that takes the next one literally"},
      {"allow-comments", "false", {"true", "false"}, "skip lines that begin with #"},
      {"array-element-delimiter", ";", {}, "text between the elements of an ARRAY and the fields of a ROW"},
      {"write-bigdecimal-in-scientific-notation", "true", {"true", "false"}, "accepted; DECIMALs are written in full, and read in both ways"},
      {"null-literal", "", {}, "text that stands for null (when given, the empty text too may be one)"},
      {"ignore-parse-errors", "false", {"true", "false"}, "skip undecodable records and null undecodable fields without keeping them as dead records"},
      {"header", "false", {"true", "false"}, "the first line of each file names the columns: skipped when reading, written when writing (Flink has no such option)"},
  };
  return specs;
}

const std::vector<FormatOptionSpec>& parquet_specs() {
  static const std::vector<FormatOptionSpec> specs = {
      {"compression", "SNAPPY", {"SNAPPY", "GZIP", "ZSTD", "UNCOMPRESSED"}, "of what is written"},
      {"utc-timezone", "true", {"true"}, "times are written as they are, in microseconds"},
      {"timestamp.time.unit", "micros", {"micros"}, "of times"},
      {"write.int64.timestamp", "true", {"true"}, "times are 64-bit integers"},
  };
  return specs;
}

const std::vector<FormatOptionSpec>& avro_specs() {
  static const std::vector<FormatOptionSpec> specs = {
      {"encoding", "binary", {"binary"}, "of records"},
      {"timestamp_mapping.legacy", "true", {"true", "false"}, "as Flink: true: TIMESTAMP of at most 3 digits, as milliseconds; false: also TIMESTAMP_LTZ, and beyond 3 digits as microseconds"},
  };
  return specs;
}

const std::vector<FormatOptionSpec>& confluent_specs() {
  static const std::vector<FormatOptionSpec> specs = {
      {"url", "", {}, "of the schema registry: http://host:8081, or https://; several, separated by commas, are tried in turn"},
      {"subject", "", {}, "under which a sink registers its schema: TOPIC-value, or TOPIC-key, unless given"},
      {"schema", "", {}, "an Avro schema by which a sink writes, in place of the one that the table's columns give (record org.apache.flink.avro.generated.record)"},
      {"basic-auth.credentials-source", "", {"USER_INFO", "URL"}, "where name and password stand: in basic-auth.user-info, or in the URL"},
      {"basic-auth.user-info", "", {}, "name:password"},
      {"bearer-auth.credentials-source", "", {"STATIC_TOKEN"}, "where the token stands: in bearer-auth.token"},
      {"bearer-auth.token", "", {}, "a token that is sent with each request"},
      {"schema-registry.url", "", {}, "older name of url"},
      {"schema-registry.subject", "", {}, "older name of subject"},
  };
  return specs;
}

const std::vector<FormatOptionSpec>* specs_of(std::string_view name) {
  static const std::vector<FormatOptionSpec> none;
  static const std::vector<FormatOptionSpec> raw = {
      {"charset", "UTF-8", {"UTF-8"}, "of texts"},
      {"endianness", "big-endian", {"big-endian", "little-endian"}, "accepted; it is of numbers, which the format does not hold here"},
  };
  if (name == "json") return &json_specs();
  if (name == "csv") return &csv_specs();
  if (name == kDebezium) return &debezium_specs();
  if (name == kParquet) return &parquet_specs();
  if (name == kAvro) return &avro_specs();
  if (needs_registry(name)) return &confluent_specs();
  if (name == "raw") return &raw;
  if (name == kColumnar) return &none;
  return nullptr;
}

Status check(const FormatOptions& options) {
  const auto* specs = specs_of(options.name);
  if (options.name == kColumnar) return fail(ErrorCode::kUnsupported, "format 'columnar' is for topics of the embedded log only", "use 'properties.bootstrap.servers' = 'embedded:DIR', or json, csv or raw");
  if (specs == nullptr) return fail(ErrorCode::kUnknownOption, fmt::format("there is no format '{}'", options.name), "use json, csv, avro, avro-confluent, debezium-json, debezium-avro-confluent or raw");
  for (const auto& [key, value] : options.options) {
    const auto it = std::find_if(specs->begin(), specs->end(), [&](const FormatOptionSpec& s) { return s.key == key; });
    if (it == specs->end()) {
      std::string known;
      for (const auto& s : *specs) known += (known.empty() ? "" : ", ") + options.name + "." + s.key;
      return fail(ErrorCode::kUnknownOption, fmt::format("format '{}' has no option '{}.{}'", options.name, options.name, key), "its options: " + known);
    }
    if (!it->allowed.empty() && std::find(it->allowed.begin(), it->allowed.end(), value) == it->allowed.end())
      return fail(ErrorCode::kBadOptionValue, fmt::format("'{}.{}' = '{}' is not one of {}", options.name, key, value, fmt::join(it->allowed, ", ")));
  }
  return ok();
}

bool has(const FormatOptions& o, std::string_view key) {
  return std::any_of(o.options.begin(), o.options.end(), [&](const auto& kv) { return kv.first == key; });
}
std::string get(const FormatOptions& o, std::string_view key) {
  for (const auto& [k, v] : o.options)
    if (k == key) return v;
  for (const auto& s : *specs_of(o.name))
    if (s.key == key) return s.default_value;
  return {};
}
bool flag(const FormatOptions& o, std::string_view key) { return get(o, key) == "true"; }

JsonOptions json_options(const FormatOptions& o) {
  JsonOptions j;
  j.timestamps = get(o, "timestamp-format.standard") == "SQL" ? TimestampStyle::kSql : TimestampStyle::kIso8601;
  j.fail_on_missing_field = o.name == "json" && flag(o, "fail-on-missing-field");
  j.ignore_parse_errors = flag(o, "ignore-parse-errors");
  j.ignore_null_fields = flag(o, "encode.ignore-null-fields");
  j.decimal_as_plain_number = flag(o, "encode.decimal-as-plain-number");
  const std::string mode = get(o, "map-null-key.mode");
  j.null_keys = mode == "FAIL" ? JsonOptions::NullKeys::kFail : mode == "DROP" ? JsonOptions::NullKeys::kDrop : JsonOptions::NullKeys::kLiteral;
  j.null_key = get(o, "map-null-key.literal");
  return j;
}

Result<char> one_character(const FormatOptions& o, std::string_view key) {
  const std::string text = get(o, key);
  if (text == "\\t") return '\t';
  if (text.empty()) return '\0';
  if (text.size() != 1) return fail(ErrorCode::kBadOptionValue, fmt::format("'csv.{}' must be one character, got '{}'", key, text));
  return text[0];
}

Result<CsvOptions> csv_options(const FormatOptions& o) {
  CsvOptions c;
  SUPYO_ASSIGN(c.delimiter, one_character(o, "field-delimiter"));
  SUPYO_ASSIGN(c.quote, one_character(o, "quote-character"));
  SUPYO_ASSIGN(c.escape, one_character(o, "escape-character"));
  if (flag(o, "disable-quote-character")) c.quote = 0;
  c.allow_comments = flag(o, "allow-comments");
  c.ignore_parse_errors = flag(o, "ignore-parse-errors");
  c.has_null_literal = has(o, "null-literal");
  c.null_literal = get(o, "null-literal");
  c.element_delimiter = get(o, "array-element-delimiter");
  if (c.element_delimiter.empty()) return fail(ErrorCode::kBadOptionValue, "'csv.array-element-delimiter' is empty", "write for example ';' or '|'");
  c.header = flag(o, "header");
  return c;
}

bool is_avro(std::string_view name) { return name == kAvro || needs_registry(name); }

Result<AvroOptions> avro_options(const FormatOptions& o) {
  if (o.name == kAvro) return AvroOptions{.legacy = flag(o, "timestamp_mapping.legacy")};
  if (o.registry == nullptr) return fail(ErrorCode::kUnsupported, fmt::format("format '{}' is for topics only", o.name), "use connector 'kafka' or 'upsert-kafka', or json, csv or parquet");
  const std::string subject = get(o, "subject");
  return AvroOptions{.changelog = o.name == kDebeziumAvro, .registry = o.registry, .subject = subject.empty() ? get(o, "schema-registry.subject") : subject, .schema = get(o, "schema")};
}

Status check_raw(const Schema& schema) {
  if (schema.size() != 1 || !schema[0].type.is_variable())
    return fail(ErrorCode::kTypeMismatch, "format 'raw' needs exactly one column of type STRING or BYTES", "declare one such column, or use json or csv");
  return ok();
}

/// JSON has texts as keys.
bool json_has(const Type& type) {
  if (!type.is_nested()) return type.id < TypeId::kIntervalMonth && type.id != TypeId::kNull;
  const bool keyed = type.id == TypeId::kMap || type.id == TypeId::kMultiset;
  return (!keyed || type.children()[0].is_text()) && std::ranges::all_of(type.children(), json_has);
}

/// Avro has texts as keys, TIME in milliseconds, and what `legacy` says of timestamps. The reason why not, else null.
const char* avro_lacks(const Type& type, bool legacy) {
  if (type.is_nested()) {
    const bool keyed = type.id == TypeId::kMap || type.id == TypeId::kMultiset;
    if (keyed && !type.children()[0].is_text()) return "keys of MAPs and elements of MULTISETs must be STRING there";
    for (const Type& child : type.children())
      if (const char* why = avro_lacks(child, legacy)) return why;
    return nullptr;
  }
  if (type.id == TypeId::kTime && type.precision > 3) return "it has milliseconds: declare at most 3 digits";
  if (type.is_timestamp() && type.precision > 3 && legacy) return "it has milliseconds: declare at most 3 digits, or set 'avro.timestamp_mapping.legacy' = 'false'";
  if (type.id == TypeId::kTimestampLtz && legacy) return "use TIMESTAMP(3), or 'avro.timestamp_mapping.legacy' = 'false'";
  return type.id < TypeId::kIntervalMonth && type.id != TypeId::kNull ? nullptr : "it is of no table";
}

/// Parquet has no MULTISET.
bool parquet_has(const Type& type) {
  if (!type.is_nested()) return type.id < TypeId::kIntervalMonth && type.id != TypeId::kNull;
  return type.id != TypeId::kMultiset && std::ranges::all_of(type.children(), parquet_has);
}

Status check_types(const FormatOptions& o, const Schema& schema) {
  if (o.name == "json" || o.name == kDebezium) {
    for (const Field& f : schema.fields())
      if (!json_has(f.type)) return fail(ErrorCode::kUnsupported, fmt::format("format '{}' cannot hold column '{}' of type {}", o.name, f.name, f.type.to_string()), f.type.is_nested() ? "keys of MAPs and elements of MULTISETs must be STRING there" : "");
    return ok();
  }
  if (is_avro(o.name)) {
    // By a schema of its own a record may hold more than what Flink gives a table's columns.
    const bool legacy = o.name == kAvro && flag(o, "timestamp_mapping.legacy");
    for (const Field& f : schema.fields())
      if (const char* why = avro_lacks(f.type, legacy)) return fail(ErrorCode::kUnsupported, fmt::format("format '{}' cannot hold column '{}' of type {}", o.name, f.name, f.type.as_nullable().to_string()), why);
    return ok();
  }
  const auto plain = [](const Type& t) { return t.id < TypeId::kIntervalMonth && t.id != TypeId::kNull; };
  for (const Field& f : schema.fields()) {
    if (o.name == "csv" && (f.type.id == TypeId::kArray || f.type.id == TypeId::kRow) && !f.nested) {
      if (!std::ranges::all_of(f.type.children(), plain)) return fail(ErrorCode::kUnsupported, fmt::format("format 'csv' cannot hold column '{}' of type {}", f.name, f.type.to_string()), "what is in an ARRAY or ROW is of plain types there; or use json");
      continue;
    }
    if (o.name == kParquet && f.type.is_nested() && !f.nested && parquet_has(f.type)) continue;
    if (f.nested) return fail(ErrorCode::kUnsupported, fmt::format("format '{}' has no ROWs, and '{}' is a field of one", o.name, f.name), "use json, or plain columns");
    if (f.type.is_nested()) return fail(ErrorCode::kUnsupported, fmt::format("format '{}' has no {}, as column '{}' is", o.name, f.type.as_nullable().to_string(), f.name), "use json, or plain columns");
  }
  for (const Field& f : schema.fields())
    if (!plain(f.type) && !f.type.is_nested())
      return fail(ErrorCode::kUnsupported, fmt::format("format '{}' cannot hold column '{}' of type {}", o.name, f.name, f.type.to_string()));
  return ok();
}

/// What is written by the schema that Flink gives a table must be a table that Flink gives one.
Status check_avro_sink(const FormatOptions& o, const Schema& schema, const AvroOptions& avro) {
  if (o.name == kAvro) return ok();
  if (!avro.schema.empty()) {
    if (!avro.changelog) return ok();
    return fail(ErrorCode::kUnsupported, fmt::format("'{}.schema' of a sink", o.name), "leave it out: the schema comes from the table's columns");
  }
  for (const Field& f : schema.fields()) {
    if (!avro::is_name(f.name)) return fail(ErrorCode::kUnsupported, fmt::format("format '{}' cannot hold a column of the name '{}'", o.name, f.name), "names are letters, digits and _ in Avro, and do not begin with a digit");
    if (const char* why = avro_lacks(f.type, true)) {
      const bool time = f.type.is_timestamp() && !avro.changelog;
      return fail(ErrorCode::kUnsupported, fmt::format("format '{}' cannot write column '{}' of type {}", o.name, f.name, f.type.as_nullable().to_string()),
                  time ? fmt::format("cast it to TIMESTAMP(3), or give the schema: '{}.schema', with timestamp-micros", o.name) : std::string(why));
    }
  }
  return ok();
}

}  // namespace

bool needs_registry(std::string_view format) { return format == kAvroConfluent || format == kDebeziumAvro; }

FormatOptions format_of(const std::map<std::string, std::string>& table_options) {
  FormatOptions out;
  if (const auto it = table_options.find("format"); it != table_options.end()) out.name = it->second;
  const std::string prefix = out.name + ".";
  for (const auto& [key, value] : table_options)
    if (key.starts_with(prefix)) out.options.emplace_back(key.substr(prefix.size()), value);
  return out;
}

std::unexpected<Error> of_files() { return fail(ErrorCode::kUnsupported, "format 'parquet' is for tables of connector 'filesystem' only", "use json, csv or raw"); }

Result<std::unique_ptr<Decoder>> make_decoder(const FormatOptions& options, const Schema& schema, std::span<const std::size_t> columns) {
  SUPYO_TRY(check(options));
  if (options.name == kParquet) return of_files();
  SUPYO_TRY(check_types(options, schema));
  if (options.name == "json") return make_json_decoder(json_options(options), schema, columns);
  if (options.name == kDebezium) return make_debezium_decoder({.json = json_options(options), .schema_include = flag(options, "schema-include"), .metadata = options.metadata}, schema, columns);
  if (options.name == "csv") {
    SUPYO_ASSIGN(const CsvOptions csv, csv_options(options));
    return make_csv_decoder(csv, schema, columns);
  }
  if (is_avro(options.name)) {
    SUPYO_ASSIGN(AvroOptions avro, avro_options(options));
    return make_avro_decoder(std::move(avro), schema, columns);
  }
  SUPYO_TRY(check_raw(schema));
  return make_raw_decoder(schema, columns);
}

Result<std::unique_ptr<Encoder>> make_encoder(const FormatOptions& options, const Schema& schema) {
  SUPYO_TRY(check(options));
  if (options.name == kParquet) return of_files();
  SUPYO_TRY(check_types(options, schema));
  if (options.name == "json") return make_json_encoder(json_options(options), schema);
  if (options.name == kDebezium) {
    if (flag(options, "schema-include")) return fail(ErrorCode::kUnsupported, "'debezium-json.schema-include' = 'true' is for reading", "leave it out: records are written without their schema");
    return make_debezium_encoder(json_options(options), schema);
  }
  if (options.name == "csv") {
    SUPYO_ASSIGN(const CsvOptions csv, csv_options(options));
    return make_csv_encoder(csv, schema);
  }
  if (is_avro(options.name)) {
    SUPYO_ASSIGN(AvroOptions avro, avro_options(options));
    SUPYO_TRY(check_avro_sink(options, schema, avro));
    return make_avro_encoder(std::move(avro), schema);
  }
  SUPYO_TRY(check_raw(schema));
  return make_raw_encoder();
}

std::size_t split_records(const FormatOptions& options, std::string_view block, bool final, std::vector<RecordView>& out) {
  if (options.name == "csv") {
    const auto csv = csv_options(options);
    return split_csv(csv ? *csv : CsvOptions{}, block, final, out);
  }
  CsvOptions lines;
  lines.quote = 0;
  return split_csv(lines, block, final, out);
}

std::vector<std::string> format_names() { return {std::string(kAvro), std::string(kAvroConfluent), "columnar", "csv", std::string(kDebeziumAvro), std::string(kDebezium), "json", std::string(kParquet), "raw"}; }

bool is_parquet(std::string_view format) { return format == kParquet; }

Result<ParquetWriteOptions> parquet_options(const FormatOptions& options, const Schema& schema) {
  SUPYO_TRY(check(options));
  SUPYO_TRY(check_types(options, schema));
  std::string codec = get(options, "compression");
  std::ranges::transform(codec, codec.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ParquetWriteOptions{.codec = std::move(codec)};
}

bool is_changelog(std::string_view format) { return format == kDebezium || format == kDebeziumAvro; }

std::map<std::string, Type> format_metadata(std::string_view format) {
  std::map<std::string, Type> out;
  if (format != kDebezium) return out;
  for (const std::string_view key : debezium_metadata())
    out.emplace(key, key.ends_with("timestamp") ? Type::timestamp_ltz(3) : key == "source.properties" ? Type::map(Type::string(), Type::string()) : Type::string());
  return out;
}

std::vector<FormatOptionSpec> format_options(std::string_view format) {
  const auto* specs = specs_of(format);
  return specs == nullptr ? std::vector<FormatOptionSpec>{} : *specs;
}

}  // namespace supyo::formats
