#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>

#include "data/formats/cell.h"
#include "data/formats/format.h"
#include "data/formats/schema_registry.h"

// The formats behind make_decoder / make_encoder; one file each.
namespace supyo::formats {

struct JsonOptions {
  TimestampStyle timestamps = TimestampStyle::kSql;
  bool fail_on_missing_field = false;
  bool ignore_parse_errors = false;
  bool decimal_as_plain_number = true;
  bool ignore_null_fields = false;   ///< encoder
  enum class NullKeys { kFail, kDrop, kLiteral } null_keys = NullKeys::kFail;   ///< encoder: of MAPs
  std::string null_key = "null";     ///< encoder: what stands for them
  bool fast_path = true;             ///< off where a test asks the general decoder
};
std::unique_ptr<Decoder> make_json_decoder(const JsonOptions& options, const Schema& schema, std::span<const std::size_t> columns);
std::unique_ptr<Encoder> make_json_encoder(const JsonOptions& options, const Schema& schema);

struct DebeziumOptions {
  JsonOptions json;
  bool schema_include = false;
  std::map<std::size_t, std::string> metadata;   ///< columns of the schema that are the envelope's, by what it is called
};
std::unique_ptr<Decoder> make_debezium_decoder(const DebeziumOptions& options, const Schema& schema, std::span<const std::size_t> columns);
std::unique_ptr<Encoder> make_debezium_encoder(const JsonOptions& options, const Schema& schema);
/// Of a record's envelope: "schema" and "source.database" STRING, "ingestion-timestamp" and "source.timestamp" TIMESTAMP_LTZ(3), "source.properties" MAP<STRING, STRING> ..
std::span<const std::string_view> debezium_metadata();

struct CsvOptions {
  char delimiter = ',';
  char quote = '"';               ///< 0 = no quoting
  char escape = 0;                ///< 0 = none
  bool allow_comments = false;
  bool ignore_parse_errors = false;
  bool has_null_literal = false;
  std::string null_literal;
  std::string element_delimiter = ";";   ///< between the elements of an ARRAY and the fields of a ROW
  bool header = false;            ///< Supyo's own: the first line of a file names the columns
};
std::unique_ptr<Decoder> make_csv_decoder(const CsvOptions& options, const Schema& schema, std::span<const std::size_t> columns);
std::unique_ptr<Encoder> make_csv_encoder(const CsvOptions& options, const Schema& schema);
/// Splits at line breaks outside quotes. Returns the bytes consumed.
std::size_t split_csv(const CsvOptions& options, std::string_view block, bool final, std::vector<RecordView>& out);

struct AvroOptions {
  bool legacy = true;                                   ///< times as Flink's timestamp_mapping.legacy has them
  bool changelog = false;                               ///< as Debezium writes them
  std::shared_ptr<SchemaRegistry> registry = nullptr;   ///< that the records' schemas are in; null: they have the table's
  std::string subject = {};                             ///< encoder: in the registry
  std::string schema = {};                              ///< encoder: by which it writes; empty: the table's
};
std::unique_ptr<Decoder> make_avro_decoder(AvroOptions options, const Schema& schema, std::span<const std::size_t> columns);
/// Errors: kTypeMismatch (the schema is not the table's), kBadOptionValue (it is none).
Result<std::unique_ptr<Encoder>> make_avro_encoder(AvroOptions options, const Schema& schema);

std::unique_ptr<Decoder> make_raw_decoder(const Schema& schema, std::span<const std::size_t> columns);
std::unique_ptr<Encoder> make_raw_encoder();

}  // namespace supyo::formats
