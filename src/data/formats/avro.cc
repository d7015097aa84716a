#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "data/formats/avro_reader.h"
#include "data/formats/avro_writer.h"
#include "data/formats/codecs.h"
#include "data/formats/nested_json.h"

// avro: records by the schema of the table, which is not in them. avro-confluent: a zero, the number of a schema in a registry (four bytes, the highest first), then the record by that schema.
// debezium-avro-confluent: such records of {before: row, after: row, op: "c|r|u|d"}.
namespace supyo::formats {
namespace {

constexpr std::size_t kHeader = 5;

class AvroDecoder final : public Decoder {
 public:
  AvroDecoder(const AvroOptions& options, const Schema& schema, std::span<const std::size_t> columns)
      : options_(options), fields_(fields_of(options, schema, columns)), of_rows_(fields_), cells_(fields_.size()), rows_(columns.size()) {
    for (std::size_t c = 0; c < fields_.size(); ++c)
      if (!of_rows_.has(c)) read_.push_back(c);
  }

  Status decode(std::span<const RecordView> records, BatchBuilder& out, std::vector<std::uint32_t>* good, std::vector<BadRecord>& bad) override {
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (options_.changelog && records[i].empty()) continue;   // what stands behind a deleted row, for compaction
      std::string field;
      SUPYO_ASSIGN(std::string why, read(records[i], field));
      if (why.empty() && of_rows_.any()) of_rows_.fill(cells_);
      if (why.empty()) why = options_.changelog ? append_change(out) : append(0, RowKind::kInsert, out);
      if (!why.empty()) {
        bad.push_back({i, std::move(field), std::move(why)});
        continue;
      }
      if (good == nullptr) continue;
      good->push_back(static_cast<std::uint32_t>(i));
      if (options_.changelog && op() == 'u') good->push_back(static_cast<std::uint32_t>(i));
    }
    missing_.clear();
    return ok();
  }

 private:
  /// What is read: of a changelog each column as it was, then each as it is, and what was done.
  static std::vector<Field> fields_of(const AvroOptions& options, const Schema& schema, std::span<const std::size_t> columns) {
    std::vector<Field> fields;
    for (const char* row : {"before.", "after."}) {
      for (const std::size_t c : columns) {
        Field f = schema[c];
        if (options.changelog) {
          f.name = row + f.name;
          f.nested = true;
        }
        fields.push_back(std::move(f));
      }
      if (!options.changelog) return fields;
    }
    fields.push_back({.name = "op", .type = Type::string()});
    return fields;
  }

  /// The reason why it is no record, else empty. An error: the registry does not answer.
  Result<std::string> read(std::string_view record, std::string& field) {
    if (options_.registry == nullptr) {
      if (plain_ == nullptr) {
        SUPYO_ASSIGN(plain_, reader_of({options_.schema}));
      }
      return text_of(plain_->read(record, cells_, field));
    }
    if (record.size() < kHeader || record[0] != 0) return std::string("it does not begin with a zero and the number of a schema: not written with a schema registry?");
    std::uint32_t id = 0;
    for (std::size_t i = 1; i < kHeader; ++i) id = id << 8 | static_cast<unsigned char>(record[i]);
    const auto known = readers_.find(id);
    reader_ = known == readers_.end() ? nullptr : known->second.get();
    if (reader_ == nullptr) {
      if (const auto it = missing_.find(id); it != missing_.end()) return it->second;
      auto texts = options_.registry->schema(static_cast<std::int32_t>(id));
      if (!texts && texts.error().code == ErrorCode::kMalformedRecord) return missing_[id] = texts.error().message;
      if (!texts) return fail(texts.error());
      auto made = reader_of(*texts);
      if (!made) return missing_[id] = fmt::format("schema {} of the registry is {}", id, made.error().message);
      reader_ = readers_.emplace(id, std::move(*made)).first->second.get();
    }
    return text_of(reader_->read(record.substr(kHeader), cells_, field));
  }

  Result<std::unique_ptr<avro::Reader>> reader_of(const std::vector<std::string>& texts) {
    SUPYO_ASSIGN(avro::Schema written, avro::Schema::parse(texts));
    static constexpr std::array<std::string_view, 2> kRows = {"before", "after"};
    return std::make_unique<avro::Reader>(std::make_shared<const avro::Schema>(std::move(written)), fields_, read_, options_.changelog ? std::span(kRows) : std::span<const std::string_view>{});
  }

  static std::string text_of(const char* why) { return why == nullptr ? "" : why; }

  /// Of a Debezium record that was read.
  char op() const { return cells_.back().null || cells_.back().text.size() != 1 ? '\0' : cells_.back().text[0]; }

  std::string append(std::size_t first, RowKind kind, BatchBuilder& out) {
    for (std::size_t c = 0; c < rows_; ++c) append_cell(out.column(c), cells_[first + c]);
    out.end_row(kind);
    return {};
  }

  std::string append_change(BatchBuilder& out) {
    const char what = op();
    if (what == '\0' || std::string_view("crud").find(what) == std::string_view::npos) return "'op' is none of c, r, u and d";
    if (what != 'd' && !reader_->has_row("after")) return "the row that was written is missing ('after')";
    if ((what == 'u' || what == 'd') && !reader_->has_row("before")) return "the row as it was is missing ('before'): of a PostgreSQL table, set REPLICA IDENTITY to FULL";
    if (what == 'u' || what == 'd') append(0, what == 'u' ? RowKind::kUpdateBefore : RowKind::kDelete, out);
    if (what != 'd') append(rows_, what == 'u' ? RowKind::kUpdateAfter : RowKind::kInsert, out);
    return {};
  }

  AvroOptions options_;
  std::vector<Field> fields_;
  FieldsOfRows of_rows_;
  std::vector<std::size_t> read_;               // fields that a reader reads
  std::vector<Cell> cells_;                     // one a field
  std::size_t rows_;                            // columns of a row
  std::unique_ptr<avro::Reader> plain_;
  std::map<std::uint32_t, std::unique_ptr<avro::Reader>> readers_;   // by the schema's number
  std::map<std::uint32_t, std::string> missing_;                     // of this call
  avro::Reader* reader_ = nullptr;              // of the last record
};

class AvroEncoder final : public Encoder {
 public:
  AvroEncoder(AvroOptions options, avro::Writer writer) : options_(std::move(options)), writer_(std::move(writer)) {}

  void encode(const Batch& batch, std::size_t row, std::string& out) override {
    if (!status_) return;
    if (options_.registry != nullptr && !write_number(out)) return;
    const bool removed = is_retraction(batch.kind(row));
    if (options_.changelog) out.append(removed ? std::string_view("\2\2") : std::string_view("\2\0\2", 3));   // a record; before, or none and after
    std::string field;
    if (const char* why = writer_.write(batch, row, out, field)) {
      status_ = fail(ErrorCode::kNullInNotNull, fmt::format("column '{}' cannot be written: {}", field, why));
      return;
    }
    if (options_.changelog) out.append(removed ? std::string_view("\0\2\2d", 4) : std::string_view("\2\2c"));
  }
  Status status() const override { return status_; }

 private:
  bool write_number(std::string& out) {
    if (number_ < 0) {
      const auto number = options_.registry->number_of(options_.subject, options_.schema);
      if (!number) {
        status_ = fail(number.error());
        return false;
      }
      number_ = *number;
    }
    out.push_back('\0');
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number_ >> shift));
    return true;
  }

  AvroOptions options_;
  avro::Writer writer_;
  std::int32_t number_ = -1;
  Status status_ = ok();
};

/// The rows as Debezium has them: before, after and what was done.
Schema envelope(const Schema& schema) {
  std::vector<std::string> names;
  for (const Field& f : schema.fields()) names.push_back(f.name);
  const Type row = Type::row(names, schema.types());
  return Schema({{"before", row}, {"after", row}, {"op", Type::string()}});
}

}  // namespace

std::unique_ptr<Decoder> make_avro_decoder(AvroOptions options, const Schema& schema, std::span<const std::size_t> columns) {
  if (options.registry == nullptr) options.schema = avro::schema_of(schema, options.legacy);
  return std::make_unique<AvroDecoder>(options, schema, columns);
}

Result<std::unique_ptr<Encoder>> make_avro_encoder(AvroOptions options, const Schema& schema) {
  const bool derived = options.schema.empty();
  const std::string own = avro::schema_of(schema, options.legacy);
  if (derived) options.schema = options.changelog ? fmt::format(R"(["null",{}])", avro::schema_of(envelope(schema), options.legacy)) : own;   // as Flink: it may be null
  SUPYO_ASSIGN(avro::Schema parsed, avro::Schema::parse(std::vector<std::string>{options.changelog ? own : options.schema}));
  SUPYO_ASSIGN(avro::Writer writer, avro::Writer::make(std::make_shared<const avro::Schema>(std::move(parsed)), schema));
  return std::make_unique<AvroEncoder>(std::move(options), std::move(writer));
}

}  // namespace supyo::formats
