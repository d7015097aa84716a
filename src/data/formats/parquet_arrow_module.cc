// The shared module libsupyo_parquet.so: the only translation unit that sees Arrow. Built by supyo_build_modules(), loaded by parquet_load.cc.
#include <fmt/format.h>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/arrow/writer.h>
#include <parquet/statistics.h>

#include <cmath>
#include <limits>

#include "data/formats/parquet.h"
#include "data/types/builder.h"

namespace supyo::formats {
namespace {

constexpr const char* kFieldIdKey = "PARQUET:field_id";

Result<std::shared_ptr<arrow::DataType>> arrow_type(const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean: return arrow::boolean();
    case TypeId::kTinyInt:
    case TypeId::kSmallInt:
    case TypeId::kInteger: return arrow::int32();
    case TypeId::kBigInt: return arrow::int64();
    case TypeId::kFloat: return arrow::float32();
    case TypeId::kDouble: return arrow::float64();
    case TypeId::kDecimal: return arrow::decimal128(type.precision, type.scale);
    case TypeId::kString: return arrow::utf8();
    case TypeId::kBytes: return arrow::binary();
    case TypeId::kDate: return arrow::date32();
    case TypeId::kTime: return arrow::time64(arrow::TimeUnit::MICRO);
    case TypeId::kTimestamp: return arrow::timestamp(arrow::TimeUnit::MICRO);
    case TypeId::kTimestampLtz: return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    default: return fail(ErrorCode::kUnsupported, fmt::format("a Parquet file cannot hold {}", type.to_string()), "cast the column to BIGINT or STRING");
  }
}

std::optional<Type> sql_type(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL: return Type::boolean();
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16: return Type::integer();
    case arrow::Type::UINT32:
    case arrow::Type::INT64: return Type::big_int();
    case arrow::Type::FLOAT: return Type::float_();
    case arrow::Type::DOUBLE: return Type::double_();
    case arrow::Type::DECIMAL32:
    case arrow::Type::DECIMAL64:
    case arrow::Type::DECIMAL128: {
      const auto& d = static_cast<const arrow::DecimalType&>(type);
      if (d.scale() < 0 || d.scale() > d.precision()) return std::nullopt;
      return Type::decimal(d.precision(), d.scale());
    }
    case arrow::Type::STRING: return Type::string();
    case arrow::Type::BINARY:
    case arrow::Type::FIXED_SIZE_BINARY: return Type::bytes();
    case arrow::Type::DATE32: return Type::date();
    case arrow::Type::TIME32:
    case arrow::Type::TIME64: return Type::time(6);
    case arrow::Type::TIMESTAMP:
      return static_cast<const arrow::TimestampType&>(type).timezone().empty() ? Type::timestamp(6) : Type::timestamp_ltz(6);
    default: return std::nullopt;
  }
}

Error from_arrow(const arrow::Status& status, ErrorCode code, const std::string& what) {
  return Error{status.IsOutOfMemory() ? ErrorCode::kIo : code, fmt::format("{}: {}", what, status.message())};
}

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

// Wraps the column's own buffers; booleans and the short integers are converted. The result borrows from `column`.
arrow::Result<std::shared_ptr<arrow::Array>> to_arrow(const Column& column, const std::shared_ptr<arrow::DataType>& type) {
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

bool is_small_integer(TypeId id) { return id == TypeId::kTinyInt || id == TypeId::kSmallInt || id == TypeId::kInteger; }

bool fits(const Type& column, const Type& field) {
  if (column.id == TypeId::kNull) return true;
  if (is_small_integer(column.id) && is_small_integer(field.id)) return true;
  return column.id == field.id && (column.id != TypeId::kDecimal || (column.precision <= field.precision && column.scale == field.scale));
}

template <class T>
T read_plain(const std::string& bytes) {
  T v{};
  if (bytes.size() >= sizeof v) std::memcpy(&v, bytes.data(), sizeof v);
  return v;
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
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      const Column& column = *batch.columns[i];
      if (!fits(column.type(), fields_[i].type))
        return fail(ErrorCode::kTypeMismatch, fmt::format("column `{}` of the Parquet file is {}, the rows have {}", fields_[i].name,
                                                          fields_[i].type.to_string(), column.type().to_string()));
      auto array = to_arrow(column, schema_->field(static_cast<int>(i))->type());
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
      for (std::size_t c = 0; c < fields_.size(); ++c) {
        const auto chunk = group->ColumnChunk(static_cast<int>(c));
        ParquetColumnMetrics& m = metrics.columns[c];
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

BufferPtr copy_validity(const arrow::Array& array) {
  if (array.null_count() == 0) return nullptr;
  const auto rows = static_cast<std::size_t>(array.length());
  auto out = std::make_shared<Buffer>((rows + 7) / 8);
  auto* bits = reinterpret_cast<std::uint8_t*>(out->data());
  if (array.offset() % 8 == 0) {
    std::memcpy(bits, array.null_bitmap_data() + array.offset() / 8, out->size());
  } else {
    std::memset(bits, 0, out->size());
    for (std::size_t i = 0; i < rows; ++i)
      if (array.IsValid(static_cast<std::int64_t>(i))) bits[i >> 3] = static_cast<std::uint8_t>(bits[i >> 3] | 1U << (i & 7));
  }
  return out;
}

// Values of the array, each through `convert`, as T.
template <class T, class From, class Convert>
BufferPtr convert_values(const arrow::Array& array, Convert&& convert) {
  const auto rows = static_cast<std::size_t>(array.length());
  auto out = std::make_shared<Buffer>(rows * sizeof(T));
  const From* from = array.data()->GetValues<From>(1);
  T* to = reinterpret_cast<T*>(out->data());
  for (std::size_t i = 0; i < rows; ++i) to[i] = convert(from[i]);
  return out;
}

template <class T>
BufferPtr copy_values(const arrow::Array& array) {
  auto out = std::make_shared<Buffer>(static_cast<std::size_t>(array.length()) * sizeof(T));
  if (array.length() > 0) std::memcpy(out->data(), array.data()->GetValues<T>(1), out->size());
  return out;
}

// Any integer column as the width asked for; `fitting` turns false when a value (not a null's slot) does not fit.
template <class T>
BufferPtr integers(const arrow::Array& array, bool& fitting) {
  const auto from = [&]<class From>(From) {
    std::size_t row = 0;
    return convert_values<T, From>(array, [&](From v) {
      if (!std::in_range<T>(v) && array.IsValid(static_cast<std::int64_t>(row))) fitting = false;
      ++row;
      return static_cast<T>(v);
    });
  };
  switch (array.type_id()) {
    case arrow::Type::INT8: return from(std::int8_t{});
    case arrow::Type::INT16: return from(std::int16_t{});
    case arrow::Type::INT32: return from(std::int32_t{});
    case arrow::Type::UINT8: return from(std::uint8_t{});
    case arrow::Type::UINT16: return from(std::uint16_t{});
    case arrow::Type::UINT32: return from(std::uint32_t{});
    default: return from(std::int64_t{});
  }
}

BufferPtr microseconds(const arrow::Array& array, arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND: return convert_values<std::int64_t, std::int64_t>(array, [](std::int64_t v) { return v * 1'000'000; });
    case arrow::TimeUnit::MILLI: return convert_values<std::int64_t, std::int64_t>(array, [](std::int64_t v) { return v * 1'000; });
    case arrow::TimeUnit::MICRO: return copy_values<std::int64_t>(array);
    default: return convert_values<std::int64_t, std::int64_t>(array, [](std::int64_t v) { return v >= 0 ? v / 1'000 : -((-v + 999) / 1'000); });
  }
}

BufferPtr decimals(const arrow::Array& array) {
  if (array.type_id() == arrow::Type::DECIMAL32) return convert_values<Int128, std::int32_t>(array, [](std::int32_t v) { return Int128{v}; });
  if (array.type_id() == arrow::Type::DECIMAL64) return convert_values<Int128, std::int64_t>(array, [](std::int64_t v) { return Int128{v}; });
  auto out = std::make_shared<Buffer>(static_cast<std::size_t>(array.length()) * sizeof(Int128));
  if (array.length() > 0) std::memcpy(out->data(), array.data()->GetValues<std::uint8_t>(1, 0) + array.offset() * 16, out->size());
  return out;
}

BufferPtr booleans(const arrow::Array& array) {
  const auto& typed = static_cast<const arrow::BooleanArray&>(array);
  auto out = std::make_shared<Buffer>(static_cast<std::size_t>(array.length()));
  auto* to = reinterpret_cast<std::uint8_t*>(out->data());
  for (std::int64_t i = 0; i < array.length(); ++i) to[i] = typed.Value(i) ? 1 : 0;
  return out;
}

ColumnPtr variable_column(const arrow::Array& array, const Type& type, BufferPtr validity) {
  const auto rows = static_cast<std::size_t>(array.length());
  auto offsets = std::make_shared<Buffer>((rows + 1) * sizeof(std::int32_t));
  auto* to = reinterpret_cast<std::int32_t*>(offsets->data());
  const std::uint8_t* bytes = nullptr;
  std::int32_t start = 0;
  if (array.type_id() == arrow::Type::FIXED_SIZE_BINARY) {
    const auto& fixed = static_cast<const arrow::FixedSizeBinaryArray&>(array);
    for (std::size_t i = 0; i <= rows; ++i) to[i] = static_cast<std::int32_t>(i) * fixed.byte_width();
    bytes = fixed.raw_values();
  } else {
    const auto& binary = static_cast<const arrow::BinaryArray&>(array);
    start = binary.value_offset(0);
    for (std::size_t i = 0; i <= rows; ++i) to[i] = binary.value_offset(static_cast<std::int64_t>(i)) - start;
    bytes = binary.value_data() ? binary.value_data()->data() : nullptr;
  }
  auto data = std::make_shared<Buffer>(static_cast<std::size_t>(to[rows]));
  if (data->size() > 0) std::memcpy(data->data(), bytes + start, data->size());
  return std::make_shared<Column>(type, rows, std::move(validity), std::move(data), std::move(offsets));
}

bool can_read(const Type& file, const Type& asked) {
  if (file.id == asked.id) return asked.id != TypeId::kDecimal || (file.scale == asked.scale && file.precision <= asked.precision);
  if (file.is_integer() && asked.is_integer()) return true;  // narrowing is checked value by value
  return file.id == TypeId::kFloat && asked.id == TypeId::kDouble;
}

// Null buffer when a value does not fit.
BufferPtr fixed_values(const arrow::Array& array, const Type& type) {
  bool fitting = true;
  BufferPtr data;
  switch (type.id) {
    case TypeId::kBoolean: return booleans(array);
    case TypeId::kTinyInt: data = integers<std::int8_t>(array, fitting); break;
    case TypeId::kSmallInt: data = integers<std::int16_t>(array, fitting); break;
    case TypeId::kInteger: data = integers<std::int32_t>(array, fitting); break;
    case TypeId::kBigInt: data = array.type_id() == arrow::Type::INT64 ? copy_values<std::int64_t>(array) : integers<std::int64_t>(array, fitting); break;
    case TypeId::kFloat: return copy_values<float>(array);
    case TypeId::kDouble:
      return array.type_id() == arrow::Type::DOUBLE ? copy_values<double>(array) : convert_values<double, float>(array, [](float v) { return double{v}; });
    case TypeId::kDecimal: return decimals(array);
    case TypeId::kDate: return copy_values<std::int32_t>(array);
    case TypeId::kTime:
      if (array.type_id() == arrow::Type::TIME32) {
        const std::int64_t unit = static_cast<const arrow::TimeType&>(*array.type()).unit() == arrow::TimeUnit::SECOND ? 1'000'000 : 1'000;
        return convert_values<std::int64_t, std::int32_t>(array, [&](std::int32_t v) { return v * unit; });
      }
      return microseconds(array, static_cast<const arrow::TimeType&>(*array.type()).unit());
    default: return microseconds(array, static_cast<const arrow::TimestampType&>(*array.type()).unit());
  }
  return fitting ? data : nullptr;
}

ColumnPtr all_null(const Type& type, std::size_t rows) {
  ColumnBuilder builder(type, rows);
  for (std::size_t i = 0; i < rows; ++i) builder.append_null();
  return builder.finish();
}

class ArrowReader final : public ParquetReader {
 public:
  static Result<std::unique_ptr<ParquetReader>> open(std::string_view bytes, const std::string& name, const std::vector<ParquetField>& columns, std::int64_t first_row) {
    auto self = std::make_unique<ArrowReader>();
    self->name_ = name;
    self->asked_ = columns;
    try {
      SUPYO_TRY(self->start(bytes, first_row));
    } catch (const std::exception& e) {
      return fail(ErrorCode::kDamaged, fmt::format("reading {}: {}", name, e.what()));
    }
    return self;
  }

  std::int64_t rows() const override { return rows_; }
  const std::vector<ParquetField>& fields() const override { return fields_; }

  Result<BatchPtr> next() override {
    try {
      return next_batch();
    } catch (const std::exception& e) {
      return fail(ErrorCode::kDamaged, fmt::format("reading {}: {}", name_, e.what()));
    }
  }

 private:
  Status start(std::string_view bytes, std::int64_t first_row) {
    auto input = std::make_shared<arrow::io::BufferReader>(std::make_shared<arrow::Buffer>(bytes));
    parquet::ArrowReaderProperties properties;
    properties.set_batch_size(Batch::kMaxRows);
    properties.set_use_threads(false);
    properties.set_pre_buffer(false);
    properties.set_coerce_int96_timestamp_unit(arrow::TimeUnit::MICRO);
    parquet::arrow::FileReaderBuilder builder;
    SUPYO_TRY(check(builder.Open(input)));
    auto made = builder.properties(properties)->Build();
    SUPYO_TRY(check(made.status()));
    reader_ = *std::move(made);
    SUPYO_TRY(find_columns());
    return open_groups(first_row);
  }

  Status find_columns() {
    const auto file = reader_->parquet_reader()->metadata();
    const parquet::SchemaDescriptor& descriptor = *file->schema();
    std::shared_ptr<arrow::Schema> schema;
    SUPYO_TRY(check(parquet::arrow::FromParquetSchema(&descriptor, parquet::default_arrow_reader_properties(), nullptr, &schema)));
    rows_ = file->num_rows();
    std::vector<int> leaf_of;
    bool any_id = false;
    for (int i = 0; i < descriptor.num_columns(); ++i) {
      const parquet::schema::Node* node = descriptor.GetColumnRoot(i);
      if (!node->is_primitive()) continue;
      const auto field = schema->GetFieldByName(node->name());
      const auto type = field ? sql_type(*field->type()) : std::nullopt;
      if (node->field_id() >= 0) any_id = true;
      if (!type) continue;
      fields_.push_back({node->name(), type->as_nullable(field->nullable()), node->field_id() >= 0 ? node->field_id() : ParquetField::kNoFieldId});
      leaf_of.push_back(i);
    }
    for (const ParquetField& asked : asked_) {
      const auto found = std::find_if(fields_.begin(), fields_.end(), [&](const ParquetField& f) {
        return any_id && asked.field_id != ParquetField::kNoFieldId ? f.field_id == asked.field_id : f.name == asked.name;
      });
      if (found == fields_.end()) {
        place_.push_back(-1);
        continue;
      }
      if (!can_read(found->type, asked.type))
        return fail(ErrorCode::kTypeMismatch, fmt::format("{}: column `{}` is {} in the file and {} in the table", name_, asked.name,
                                                          found->type.to_string(), asked.type.to_string()));
      place_.push_back(leaf_of[static_cast<std::size_t>(found - fields_.begin())]);
    }
    return ok();
  }

  Status open_groups(std::int64_t first_row) {
    const auto file = reader_->parquet_reader()->metadata();
    std::vector<int> groups;
    std::int64_t before = 0;
    for (int g = 0; g < file->num_row_groups(); ++g) {
      const std::int64_t n = file->RowGroup(g)->num_rows();
      if (before + n > first_row) {
        if (groups.empty()) skip_ = first_row - before;
        groups.push_back(g);
        left_ += n;
      }
      before += n;
    }
    left_ -= skip_;
    std::vector<int> leaves;
    for (const int leaf : place_)
      if (leaf >= 0) leaves.push_back(leaf);
    std::sort(leaves.begin(), leaves.end());
    leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
    for (int& leaf : place_)
      if (leaf >= 0) leaf = static_cast<int>(std::lower_bound(leaves.begin(), leaves.end(), leaf) - leaves.begin());
    if (leaves.empty() || groups.empty()) return ok();  // rows without values: only their number counts
    auto made = reader_->GetRecordBatchReader(groups, leaves);
    SUPYO_TRY(check(made.status()));
    batches_ = *std::move(made);
    return ok();
  }

  Result<BatchPtr> next_batch() {
    if (!batches_) {
      const auto rows = static_cast<std::size_t>(std::min<std::int64_t>(left_, Batch::kMaxRows));
      if (rows == 0) return BatchPtr{};
      left_ -= static_cast<std::int64_t>(rows);
      return make_batch(nullptr, rows);
    }
    while (true) {
      std::shared_ptr<arrow::RecordBatch> read;
      SUPYO_TRY(check(batches_->ReadNext(&read)));
      if (!read) return BatchPtr{};
      if (skip_ >= read->num_rows()) {
        skip_ -= read->num_rows();
        continue;
      }
      if (skip_ > 0) read = read->Slice(std::exchange(skip_, 0));
      return make_batch(read.get(), static_cast<std::size_t>(read->num_rows()));
    }
  }

  Result<BatchPtr> make_batch(const arrow::RecordBatch* read, std::size_t rows) {
    auto batch = std::make_shared<Batch>();
    batch->rows = rows;
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      const Type& type = asked_[i].type;
      const bool absent = place_[i] < 0;
      if (!type.nullable && (absent || read->column(place_[i])->null_count() > 0))
        return fail(ErrorCode::kNullInNotNull, fmt::format("{}: column `{}` is NOT NULL and the file has {}", name_, asked_[i].name, absent ? "no such column" : "nulls in it"));
      if (absent) {
        batch->columns.push_back(all_null(type, rows));
        continue;
      }
      const arrow::Array& array = *read->column(place_[i]);
      BufferPtr validity = copy_validity(array);
      if (type.is_variable()) {
        batch->columns.push_back(variable_column(array, type, std::move(validity)));
        continue;
      }
      BufferPtr data = fixed_values(array, type);
      if (!data) return fail(ErrorCode::kValueOutOfRange, fmt::format("{}: a value of column `{}` does not fit {}", name_, asked_[i].name, type.to_string()));
      batch->columns.push_back(std::make_shared<Column>(type, rows, std::move(validity), std::move(data)));
    }
    return batch;
  }

  Status check(const arrow::Status& status) const {
    if (status.ok()) return ok();
    return fail(from_arrow(status, ErrorCode::kDamaged, "reading " + name_));
  }

  std::string name_;
  std::vector<ParquetField> asked_;
  std::vector<ParquetField> fields_;
  std::vector<int> place_;   // per column asked for: its position in the batches read, -1 when the file has none
  std::int64_t rows_ = 0;
  std::int64_t left_ = 0;
  std::int64_t skip_ = 0;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;
};

class Module final : public ParquetModule {
 public:
  int abi() const override { return kAbi; }
  Result<std::unique_ptr<ParquetWriter>> writer(const std::vector<ParquetField>& schema, const ParquetWriteOptions& options, ParquetOutput output) override {
    return ArrowWriter::open(schema, options, std::move(output));
  }
  Result<std::unique_ptr<ParquetReader>> reader(std::string_view bytes, const std::string& name, const std::vector<ParquetField>& columns, std::int64_t first_row) override {
    return ArrowReader::open(bytes, name, columns, first_row);
  }
};

}  // namespace
}  // namespace supyo::formats

extern "C" __attribute__((visibility("default"))) supyo::formats::ParquetModule* supyo_parquet_module() {
  static supyo::formats::Module module;
  return &module;
}
