#include <fmt/format.h>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/arrow/writer.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/formats/parquet_arrow.h"
#include "data/types/builder.h"
#include "data/types/nested.h"

namespace supyo::formats {
namespace {

class CallbackStream final : public arrow::io::OutputStream {
 public:
  explicit CallbackStream(ParquetOutput output) : output_(std::move(output)) { set_mode(arrow::io::FileMode::WRITE); }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<std::int64_t> Tell() const override { return position_; }
  arrow::Status Write(const void* data, std::int64_t size) override {
    if (auto status = output_({static_cast<const char*>(data), static_cast<std::size_t>(size)}); !status) {
      error_ = std::move(status).error();
      return arrow::Status::IOError(error_->message);
    }
    position_ += size;
    return arrow::Status::OK();
  }
  using arrow::io::OutputStream::Write;
  std::int64_t position() const { return position_; }
  /// Forgets the output: what comes after goes nowhere.
  void abandon() { output_ = [](std::string_view) { return ok(); }; }
  const std::optional<Error>& error() const { return error_; }

 private:
  ParquetOutput output_;
  std::int64_t position_ = 0;
  bool closed_ = false;
  std::optional<Error> error_;
};

std::shared_ptr<arrow::Buffer> borrow(const BufferPtr& buffer) {
  if (!buffer) return nullptr;
  return std::make_shared<arrow::Buffer>(reinterpret_cast<const std::uint8_t*>(buffer->data()), static_cast<std::int64_t>(buffer->size()));
}

arrow::Result<std::shared_ptr<arrow::Buffer>> pack_booleans(const Column& column) {
  const std::size_t rows = column.length();
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> bits, arrow::AllocateBuffer(static_cast<std::int64_t>((rows + 7) / 8)));
  std::uint8_t* out = bits->mutable_data();
  std::memset(out, 0, (rows + 7) / 8);
  const auto values = column.values<std::uint8_t>();
  for (std::size_t i = 0; i < rows; ++i) out[i >> 3] = static_cast<std::uint8_t>(out[i >> 3] | (values[i] & 1U) << (i & 7));
  return bits;
}

template <class T>
arrow::Result<std::shared_ptr<arrow::Buffer>> widen_to_int32(const Column& column) {
  const std::size_t rows = column.length();
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> wide, arrow::AllocateBuffer(static_cast<std::int64_t>(rows * sizeof(std::int32_t))));
  auto* out = reinterpret_cast<std::int32_t*>(wide->mutable_data());
  const auto values = column.values<T>();
  for (std::size_t i = 0; i < rows; ++i) out[i] = values[i];
  return wide;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> values_of(const Column& column) {
  switch (column.type().id) {
    case TypeId::kBoolean: return pack_booleans(column);
    case TypeId::kTinyInt: return widen_to_int32<std::int8_t>(column);
    case TypeId::kSmallInt: return widen_to_int32<std::int16_t>(column);
    default: return borrow(column.data());
  }
}

using Kept = std::vector<ColumnPtr>;
arrow::Result<std::shared_ptr<arrow::Array>> nested_to_arrow(const Column& column, const std::shared_ptr<arrow::DataType>& type, Kept& kept);

// Wraps the column's own buffers; booleans and the short integers are converted. The result borrows from `column` and, of nested types, from what is put into `kept`.
arrow::Result<std::shared_ptr<arrow::Array>> to_arrow(const Column& column, const std::shared_ptr<arrow::DataType>& type, Kept& kept) {
  if (column.type().is_nested()) return nested_to_arrow(column, type, kept);
  const auto rows = static_cast<std::int64_t>(column.length());
  if (column.type().id == TypeId::kNull) return arrow::MakeArrayOfNull(type, rows);
  const auto validity = borrow(column.validity());
  const std::int64_t nulls = validity ? arrow::kUnknownNullCount : 0;
  ARROW_ASSIGN_OR_RAISE(auto data, values_of(column));
  std::vector<std::shared_ptr<arrow::Buffer>> buffers{validity};
  if (column.type().is_variable()) buffers.push_back(borrow(column.offsets()));
  buffers.push_back(std::move(data));
  return arrow::MakeArray(arrow::ArrayData::Make(type, rows, std::move(buffers), nulls));
}

// What is in the values becomes columns: of a ROW one a field, of an ARRAY and a MAP those of all elements, and where each row's begin.
arrow::Result<std::shared_ptr<arrow::Array>> nested_to_arrow(const Column& column, const std::shared_ptr<arrow::DataType>& type, Kept& kept) {
  const Type& own = column.type();
  const std::size_t rows = column.length();
  std::vector<ColumnBuilder> inside;
  for (const Type& t : own.children()) inside.emplace_back(t, rows);
  std::vector<std::int32_t> starts = {0};
  nested::Items items, values;
  for (std::size_t r = 0; r < rows; ++r) {
    items.clear();
    values.clear();
    const bool null = column.is_null(r);
    if (own.id == TypeId::kRow) {
      if (!null) nested::read_row(own, column.text(r), items);
      items.resize(inside.size());
      for (std::size_t i = 0; i < items.size(); ++i) nested::append_item(inside[i], items[i]);
      continue;
    }
    if (!null && own.id == TypeId::kArray) nested::read_array(own, column.text(r), items);
    if (!null && own.id == TypeId::kMap) nested::read_map(own, column.text(r), items, values);
    for (const nested::Item& i : items) nested::append_item(inside[0], i);
    for (const nested::Item& v : values) nested::append_item(inside[1], v);
    if (own.id == TypeId::kMap && std::ranges::any_of(items, &nested::Item::null)) return arrow::Status::Invalid("a MAP has NULL as a key, which Parquet does not have");
    starts.push_back(starts.back() + static_cast<std::int32_t>(items.size()));
  }
  const auto validity = borrow(column.validity());
  std::vector<std::shared_ptr<arrow::ArrayData>> children;
  const bool map = own.id == TypeId::kMap;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    kept.push_back(inside[i].finish());
    const auto& child = map ? type->field(0)->type()->field(static_cast<int>(i)) : type->field(static_cast<int>(i));
    ARROW_ASSIGN_OR_RAISE(auto array, to_arrow(*kept.back(), child->type(), kept));
    children.push_back(array->data());
  }
  const auto length = static_cast<std::int64_t>(rows);
  const std::int64_t nulls = validity ? arrow::kUnknownNullCount : 0;
  if (own.id == TypeId::kRow) return arrow::MakeArray(arrow::ArrayData::Make(type, length, {validity}, std::move(children), nulls));
  if (map) children = {arrow::ArrayData::Make(type->field(0)->type(), starts.back(), {nullptr}, std::move(children), 0)};
  return arrow::MakeArray(arrow::ArrayData::Make(type, length, {validity, arrow::Buffer::FromVector(std::move(starts))}, std::move(children), nulls));
}

bool is_small_integer(TypeId id) { return id == TypeId::kTinyInt || id == TypeId::kSmallInt || id == TypeId::kInteger; }

bool fits(const Type& column, const Type& field) {
  if (column.id == TypeId::kNull) return true;
  if (is_small_integer(column.id) && is_small_integer(field.id)) return true;
  if (column.is_nested()) return column.id == field.id && std::ranges::equal(column.children(), field.children(), [](const Type& a, const Type& b) { return fits(a, b); });
  return column.id == field.id && (column.id != TypeId::kDecimal || (column.precision <= field.precision && column.scale == field.scale));
}

template <class T>
T read_plain(const std::string& bytes) {
  T v{};
  if (bytes.size() >= sizeof v) std::memcpy(&v, bytes.data(), sizeof v);
  return v;
}

std::size_t leaves_of(const Type& type) {
  std::size_t leaves = type.is_nested() ? 0 : 1;
  if (type.is_nested())
    for (const Type& t : type.children()) leaves += leaves_of(t);
  return leaves;
}

// A statistic of the file in its plain encoding (Parquet format, "Statistics") as a value of the column's type.
std::optional<Value> plain_value(const std::string& bytes, parquet::Type::type physical, const Type& type) {
  switch (physical) {
    case parquet::Type::BOOLEAN: return Value{type, !bytes.empty() && bytes[0] != 0};
    case parquet::Type::INT32:
      if (type.id == TypeId::kDecimal) return Value{type, Int128{read_plain<std::int32_t>(bytes)}};
      return Value{type, std::int64_t{read_plain<std::int32_t>(bytes)}};
    case parquet::Type::INT64:
      if (type.id == TypeId::kDecimal) return Value{type, Int128{read_plain<std::int64_t>(bytes)}};
      return Value{type, read_plain<std::int64_t>(bytes)};
    case parquet::Type::FLOAT: return Value{type, double{read_plain<float>(bytes)}};
    case parquet::Type::DOUBLE: return Value{type, read_plain<double>(bytes)};
    case parquet::Type::BYTE_ARRAY: return Value{type, bytes};
    case parquet::Type::FIXED_LEN_BYTE_ARRAY: {
      if (type.id != TypeId::kDecimal || bytes.empty()) return std::nullopt;
      auto v = static_cast<unsigned __int128>((bytes[0] & 0x80) != 0 ? -1 : 0);
      for (const char b : bytes) v = v << 8 | static_cast<unsigned char>(b);
      return Value{type, static_cast<Int128>(v)};
    }
    default: return std::nullopt;
  }
}

bool is_nan(const std::optional<Value>& v) { return v && std::holds_alternative<double>(v->data) && std::isnan(std::get<double>(v->data)); }

void widen_bound(std::optional<Value>& bound, std::optional<Value> value, bool lower) {
  if (!value) return;
  if (!bound) {
    bound = std::move(value);
    return;
  }
  if (lower ? value->data < bound->data : bound->data < value->data) bound = std::move(value);
}

class ArrowWriter final : public ParquetWriter {
 public:
  // Arrow writes a footer when an unfinished writer goes; its owner may be half destroyed by then.
  ~ArrowWriter() override {
    if (stream_) stream_->abandon();
  }

  static Result<std::unique_ptr<ParquetWriter>> open(const std::vector<ParquetField>& schema, const ParquetWriteOptions& options, ParquetOutput output) {
    auto self = std::make_unique<ArrowWriter>();
    self->fields_ = schema;
    arrow::FieldVector fields;
    for (const ParquetField& f : schema) {
      SUPYO_ASSIGN(auto type, arrow_type(f.type));
      std::shared_ptr<arrow::KeyValueMetadata> meta;
      if (f.field_id != ParquetField::kNoFieldId) meta = arrow::key_value_metadata({kFieldIdKey}, {std::to_string(f.field_id)});
      fields.push_back(arrow::field(f.name, std::move(type), f.type.nullable, std::move(meta)));
    }
    self->schema_ = arrow::schema(std::move(fields));
    SUPYO_ASSIGN(const auto codec, codec_of(options.codec));
    self->stream_ = std::make_shared<CallbackStream>(std::move(output));
    auto properties = parquet::WriterProperties::Builder()
                          .compression(codec)
                          ->enable_store_decimal_as_integer()
                          ->version(parquet::ParquetVersion::PARQUET_2_6)
                          ->max_row_group_length(options.row_group_rows)
                          ->created_by("Supyo " SUPYO_VERSION)
                          ->build();
    auto made = parquet::arrow::FileWriter::Open(*self->schema_, arrow::default_memory_pool(), self->stream_, std::move(properties));
    if (!made.ok()) return fail(self->error(made.status()));
    self->writer_ = *std::move(made);
    return self;
  }

  Status write(const Batch& batch) override {
    SUPYO_CHECK_EQ(batch.columns.size(), fields_.size());
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    Kept kept;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      const Column& column = *batch.columns[i];
      if (!fits(column.type(), fields_[i].type))
        return fail(ErrorCode::kTypeMismatch, fmt::format("column `{}` of the Parquet file is {}, the rows have {}", fields_[i].name,
                                                          fields_[i].type.to_string(), column.type().to_string()));
      auto array = to_arrow(column, schema_->field(static_cast<int>(i))->type(), kept);
      if (!array.ok()) return fail(error(array.status()));
      if (!fields_[i].type.nullable && (*array)->null_count() > 0)
        return fail(ErrorCode::kNullInNotNull, fmt::format("a null in column `{}`, which is NOT NULL", fields_[i].name));
      arrays.push_back(*std::move(array));
      raw_bytes_ += static_cast<std::int64_t>(column.length()) * std::max(fields_[i].type.width(), 4);
      if (column.type().is_variable()) raw_bytes_ += reinterpret_cast<const std::int32_t*>(column.offsets()->data())[column.length()];
    }
    const auto rows = static_cast<std::int64_t>(batch.rows);
    return guarded([&] { return writer_->WriteRecordBatch(*arrow::RecordBatch::Make(schema_, rows, std::move(arrays))); });
  }

  // Encoded and compressed bytes are about half of ours; exact once they left for the stream.
  std::int64_t estimated_bytes() const override { return std::max(stream_->position(), raw_bytes_ / 2); }

  Result<ParquetFileMetrics> finish() override {
    SUPYO_TRY(guarded([&] { return writer_->Close(); }));
    ParquetFileMetrics metrics;
    try {
      metrics = collect(*writer_->metadata());
    } catch (const std::exception& e) {
      return fail(ErrorCode::kInternal, fmt::format("statistics of a Parquet file: {}", e.what()));
    }
    metrics.file_bytes = stream_->position();
    return metrics;
  }

 private:
  static Result<arrow::Compression::type> codec_of(const std::string& name) {
    if (name == "zstd") return arrow::Compression::ZSTD;
    if (name == "snappy") return arrow::Compression::SNAPPY;
    if (name == "gzip") return arrow::Compression::GZIP;
    if (name == "uncompressed") return arrow::Compression::UNCOMPRESSED;
    return fail(ErrorCode::kBadOptionValue, fmt::format("unknown Parquet compression `{}`", name), "use zstd, snappy, gzip or uncompressed");
  }

  Error error(const arrow::Status& status) const {
    if (stream_ && stream_->error()) return *stream_->error();
    return from_arrow(status, ErrorCode::kIo, "writing a Parquet file");
  }

  template <class F>
  Status guarded(F&& call) {
    try {
      if (const arrow::Status status = call(); !status.ok()) return fail(error(status));
      return ok();
    } catch (const std::exception& e) {
      return fail(error(arrow::Status::IOError(e.what())));
    }
  }

  ParquetFileMetrics collect(const parquet::FileMetaData& file) const {
    ParquetFileMetrics metrics;
    metrics.rows = file.num_rows();
    std::vector<bool> bounded(fields_.size(), true);
    for (const ParquetField& f : fields_) metrics.columns.emplace_back().field_id = f.field_id;
    for (int g = 0; g < file.num_row_groups(); ++g) {
      const auto group = file.RowGroup(g);
      if (group->num_columns() > 0) metrics.split_offsets.push_back(group->file_offset());
      for (std::size_t c = 0, leaf = 0; c < fields_.size(); leaf += leaves_of(fields_[c].type), ++c) {
        ParquetColumnMetrics& m = metrics.columns[c];
        if (fields_[c].type.is_nested()) {   // bounds are of plain columns
          for (std::size_t i = 0; i < leaves_of(fields_[c].type); ++i) m.compressed_bytes += group->ColumnChunk(static_cast<int>(leaf + i))->total_compressed_size();
          m.values += group->num_rows();
          bounded[c] = false;
          continue;
        }
        const auto chunk = group->ColumnChunk(static_cast<int>(leaf));
        m.compressed_bytes += chunk->total_compressed_size();
        m.values += chunk->num_values();
        const auto stats = chunk->statistics();
        if (!stats) {
          bounded[c] = false;
          continue;
        }
        m.nulls += stats->null_count();
        if (stats->HasMinMax()) {
          widen_bound(m.lower, plain_value(stats->EncodeMin(), stats->physical_type(), fields_[c].type), true);
          widen_bound(m.upper, plain_value(stats->EncodeMax(), stats->physical_type(), fields_[c].type), false);
        } else if (stats->null_count() < chunk->num_values()) {
          bounded[c] = false;
        }
      }
    }
    for (std::size_t c = 0; c < fields_.size(); ++c) {
      ParquetColumnMetrics& m = metrics.columns[c];
      if (!bounded[c] || is_nan(m.lower) || is_nan(m.upper)) m.lower = m.upper = std::nullopt;
    }
    return metrics;
  }

  std::vector<ParquetField> fields_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<CallbackStream> stream_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  std::int64_t raw_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<ParquetWriter>> open_arrow_writer(const std::vector<ParquetField>& schema, const ParquetWriteOptions& options, ParquetOutput output) {
  return ArrowWriter::open(schema, options, std::move(output));
}

}  // namespace supyo::formats
