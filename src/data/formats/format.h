#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "data/types/batch.h"
#include "data/types/builder.h"

namespace supyo::formats {

struct ParquetWriteOptions;   // parquet.h
class SchemaRegistry;         // schema_registry.h

/// One undecodable record of a decode call.
struct BadRecord {
  std::size_t index = 0;      ///< which of the given records
  std::string field;          ///< empty: the record as a whole
  std::string reason;
};

/// One encoded record: bytes that stay valid during the call.
using RecordView = std::string_view;

/// Decodes records into columns: only the columns asked for are parsed. One thread. Records need no padding behind them.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Appends one row to `out` for every good record (all columns get a value or null), reports the others in `bad`.
  /// `good[i]` (when not null) receives the record number of row i, so that the caller can attach timestamps.
  /// A bad record changes nothing in `out`.
  virtual Status decode(std::span<const RecordView> records, BatchBuilder& out, std::vector<std::uint32_t>* good, std::vector<BadRecord>& bad) = 0;
};

/// Encodes rows as records. One thread.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Appends the record of row `row` to `out` (no record separator). Kinds are the caller's business where the format is no changelog.
  virtual void encode(const Batch& batch, std::size_t row, std::string& out) = 0;
  /// Why something that was encoded cannot be written (a NULL key of a MAP): the caller asks behind each batch, and fails.
  virtual Status status() const { return ok(); }
  /// What must stand before the first record of a file (CSV header when asked for); usually empty.
  virtual std::string header() const { return {}; }
};

/// 'format' = name, with the format's own options ("json.timestamp-format.standard"), given without the format prefix.
struct FormatOptions {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options;
  std::map<std::size_t, std::string> metadata = {};   ///< columns of the schema that are not in the record's row, by what the format calls them ("source.timestamp")
  std::shared_ptr<SchemaRegistry> registry = nullptr; ///< where needs_registry()
};

/// Whether a format's records name a schema in a registry (avro-confluent): its maker needs one.
bool needs_registry(std::string_view format);

/// Whether a format's records say what is done to a row (debezium-json, debezium-avro-confluent): its rows have kinds, and a record may be several rows.
bool is_changelog(std::string_view format);
/// At most so many rows come of a record.
inline std::size_t rows_of_record(const FormatOptions& o) { return is_changelog(o.name) ? 2 : 1; }
/// The metadata that a format has, with the types.
std::map<std::string, Type> format_metadata(std::string_view format);

/// The format part of a table's WITH options: 'format' = 'json', 'json.fail-on-missing-field' = 'true' -> {"json", {{"fail-on-missing-field", "true"}}}.
FormatOptions format_of(const std::map<std::string, std::string>& table_options);

/// `schema`: all columns of the record in declared order (CSV needs it); `columns`: those to decode, in output order.
/// Errors: kUnknownOption (no such format, with did-you-mean), kBadOptionValue.
Result<std::unique_ptr<Decoder>> make_decoder(const FormatOptions& options, const Schema& schema, std::span<const std::size_t> columns);
Result<std::unique_ptr<Encoder>> make_encoder(const FormatOptions& options, const Schema& schema);

/// Whether a format is one of whole files, which have no records of their own: parquet.h reads and writes them.
bool is_parquet(std::string_view format);
/// How such files are written. Errors as make_encoder().
Result<ParquetWriteOptions> parquet_options(const FormatOptions& options, const Schema& schema);

/// Splits a text block into records (lines). CSV keeps quoted line breaks together. Returns the bytes consumed: the rest is an unfinished record.
/// `final`: nothing follows, so an unterminated last line is a record.
std::size_t split_records(const FormatOptions& options, std::string_view block, bool final, std::vector<RecordView>& out);

/// name, options and defaults of each format, for planning and the reference.
struct FormatOptionSpec {
  std::string key;
  std::string default_value;
  std::vector<std::string> allowed;
  std::string help;
};
std::vector<std::string> format_names();
std::vector<FormatOptionSpec> format_options(std::string_view format);

}  // namespace supyo::formats
